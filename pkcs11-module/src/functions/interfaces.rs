//! How a program gets the functions: three of them hand out the interfaces.

use std::ffi::{CStr, c_void};

use cryptoki_sys::*;

use crate::error::{Error, Result};
use crate::ffi::{Out, Output};
use crate::functions::{self, V2_40, V3_0, V3_1, V3_2, fork_safe};

const NAME: &CStr = c"PKCS 11";

/// The interfaces, best first.
static INTERFACES: Interfaces<8> = Interfaces([
    interface(&V3_2, 0),
    interface(&V3_1, 0),
    interface(&V3_0, 0),
    interface(&V2_40, 0),
    interface(&fork_safe::V3_2, CKF_INTERFACE_FORK_SAFE),
    interface(&fork_safe::V3_1, CKF_INTERFACE_FORK_SAFE),
    interface(&fork_safe::V3_0, CKF_INTERFACE_FORK_SAFE),
    interface(&fork_safe::V2_40, CKF_INTERFACE_FORK_SAFE),
]);

/// What a program gets that asks for no version.
static ANY: Interfaces<2> = Interfaces([interface(&functions::ANY, 0), interface(&fork_safe::ANY, CKF_INTERFACE_FORK_SAFE)]);

struct Interfaces<const N: usize>([CK_INTERFACE; N]);

// SAFETY: the pointers are to statics that nobody writes to.
unsafe impl<const N: usize> Sync for Interfaces<N> {}

const fn interface<L>(functions: &'static L, flags: CK_FLAGS) -> CK_INTERFACE {
    let functions = (&raw const *functions).cast::<c_void>();
    CK_INTERFACE { pInterfaceName: NAME.as_ptr().cast_mut().cast(), pFunctionList: functions.cast_mut(), flags }
}

/// The version that the function list of one of [`INTERFACES`] begins with.
fn version(interface: &CK_INTERFACE) -> (u8, u8) {
    // SAFETY: all function lists are statics that begin with their version.
    let version = unsafe { *interface.pFunctionList.cast::<CK_VERSION>() };
    (version.major, version.minor)
}

pub(crate) fn function_list(list: &Out<CK_FUNCTION_LIST_PTR>) -> Result<()> {
    list.set((&raw const V2_40).cast_mut());
    Ok(())
}

pub(crate) fn list(interfaces: &Output<CK_INTERFACE>) -> Result<()> {
    interfaces.write(&INTERFACES.0)
}

/// The first interface with this name, version and at least these flags; whatever is not given does not matter.
pub(crate) fn find(
    name: Option<&[u8]>,
    wanted: Option<(u8, u8)>,
    flags: CK_FLAGS,
    interface: &Out<CK_INTERFACE_PTR>,
) -> Result<()> {
    if name.is_some_and(|name| name != NAME.to_bytes()) {
        return Err(Error::FunctionFailed);
    }
    let fits = |one: &&CK_INTERFACE| wanted.is_none_or(|wanted| wanted == version(one)) && one.flags & flags == flags;
    let among = if wanted.is_none() { &ANY.0[..] } else { &INTERFACES.0 };
    let found = among.iter().find(fits).ok_or(Error::FunctionFailed)?;
    interface.set((&raw const *found).cast_mut());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(name: Option<&[u8]>, wanted: Option<(u8, u8)>, flags: CK_FLAGS) -> Option<((u8, u8), CK_FLAGS)> {
        let mut interface: CK_INTERFACE_PTR = std::ptr::null_mut();
        // SAFETY: the place outlives its use.
        let place = unsafe { Out::new(&raw mut interface) }.unwrap();
        find(name, wanted, flags, &place).ok()?;
        // SAFETY: what was found is one of the statics.
        let found = unsafe { &*interface };
        Some((version(found), found.flags))
    }

    #[test]
    fn interfaces_are_found_by_name_version_and_flags() {
        let name = Some(NAME.to_bytes());
        assert_eq!(found(None, None, 0), Some(((3, 2), 0)));
        assert_eq!(found(name, None, CKF_INTERFACE_FORK_SAFE), Some(((3, 2), CKF_INTERFACE_FORK_SAFE)));
        for version in [(2, 40), (3, 0), (3, 1), (3, 2)] {
            for flags in [0, CKF_INTERFACE_FORK_SAFE] {
                assert_eq!(found(name, Some(version), flags), Some((version, flags)));
            }
        }
        assert_eq!(found(name, Some((3, 3)), 0), None);
        assert_eq!(found(name, None, CKF_INTERFACE_FORK_SAFE | 2), None);
        assert_eq!(found(Some(b"Vendor NSS FIPS Interface"), None, 0), None);
    }
}
