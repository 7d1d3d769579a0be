//! How a program gets at the functions: the three exported symbols, and the interfaces they hand out.

use std::ffi::{CStr, c_void};

use cryptoki_sys::*;

use crate::error::{Error, Result};
use crate::ffi::{Out, Output};
use crate::functions::{V2_40, V3_0, V3_1, V3_2};

const NAME: &CStr = c"PKCS 11";

/// The interfaces, best first: the first is what a caller without wishes gets.
static INTERFACES: Interfaces = Interfaces([
    interface((&raw const V3_2).cast()),
    interface((&raw const V3_1).cast()),
    interface((&raw const V3_0).cast()),
    interface((&raw const V2_40).cast()),
]);

/// Version of each of [`INTERFACES`], as its function list begins with it.
static VERSIONS: [CK_VERSION; 4] = [V3_2.version, V3_1.version, V3_0.version, V2_40.version];

struct Interfaces([CK_INTERFACE; 4]);

// SAFETY: the pointers are to statics that nobody writes to.
unsafe impl Sync for Interfaces {}

/// After a fork, calls in the child fail until it calls C_Initialize: CKF_INTERFACE_FORK_SAFE is not set.
const fn interface(functions: *const c_void) -> CK_INTERFACE {
    CK_INTERFACE { pInterfaceName: NAME.as_ptr().cast_mut().cast(), pFunctionList: functions.cast_mut(), flags: 0 }
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
    version: Option<(u8, u8)>,
    flags: CK_FLAGS,
    interface: &Out<CK_INTERFACE_PTR>,
) -> Result<()> {
    if name.is_some_and(|name| name != NAME.to_bytes()) {
        return Err(Error::FunctionFailed);
    }
    let fits = |(interface, have): &(&CK_INTERFACE, &CK_VERSION)| {
        version.is_none_or(|wanted| wanted == (have.major, have.minor)) && interface.flags & flags == flags
    };
    let found = INTERFACES.0.iter().zip(&VERSIONS).find(fits);
    let (found, _) = found.ok_or(Error::FunctionFailed)?;
    interface.set((&raw const *found).cast_mut());
    Ok(())
}

macro_rules! export {
    ($($name:ident($($arg:ident: $type:ty),*);)*) => { $(
        #[doc = concat!("`", stringify!($name), "` of the standard, by its name in the symbol table.")]
        ///
        /// # Safety
        /// Pointers are NULL or good for what the standard says of them.
        #[allow(non_snake_case)]
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name($($arg: $type),*) -> CK_RV {
            match V3_2.$name {
                // SAFETY: the caller's promise is passed on.
                Some(function) => unsafe { function($($arg),*) },
                None => CKR_FUNCTION_NOT_SUPPORTED,
            }
        }
    )* };
}

export! {
    C_GetFunctionList(list: CK_FUNCTION_LIST_PTR_PTR);
    C_GetInterfaceList(interfaces: CK_INTERFACE_PTR, count: CK_ULONG_PTR);
    C_GetInterface(name: CK_UTF8CHAR_PTR, version: CK_VERSION_PTR, interface: CK_INTERFACE_PTR_PTR, flags: CK_FLAGS);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(name: Option<&[u8]>, version: Option<(u8, u8)>, flags: CK_FLAGS) -> Option<(u8, u8)> {
        let mut interface: CK_INTERFACE_PTR = std::ptr::null_mut();
        // SAFETY: the place outlives its use.
        let place = unsafe { Out::new(&raw mut interface) }.unwrap();
        find(name, version, flags, &place).ok()?;
        // SAFETY: what was found is a static that begins with its version.
        let version = unsafe { *(*interface).pFunctionList.cast::<CK_VERSION>() };
        Some((version.major, version.minor))
    }

    #[test]
    fn interfaces_are_found_by_name_version_and_flags() {
        let name = Some(NAME.to_bytes());
        assert_eq!(found(None, None, 0), Some((3, 2)));
        for version in [(2, 40), (3, 0), (3, 1), (3, 2)] {
            assert_eq!(found(name, Some(version), 0), Some(version));
        }
        assert_eq!(found(name, Some((3, 3)), 0), None);
        assert_eq!(found(name, None, CKF_INTERFACE_FORK_SAFE), None);
        assert_eq!(found(Some(b"Vendor NSS FIPS Interface"), None, 0), None);
    }
}
