//! Other modules, in the same process: what they answer to the same calls.

use std::ffi::CString;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::*;

const SOFTHSM: &str = "/usr/lib/softhsm/libsofthsm2.so";
const PIN: &[u8] = b"1234";

/// Another module with a token of its own and a session, in which its user is logged in. Its state is the process's, so it is for a case
/// that has its turn.
pub(crate) struct Other {
    pub(crate) list: CK_FUNCTION_LIST_PTR,
    pub(crate) session: CK_SESSION_HANDLE,
    _dir: tempfile::TempDir,
}

/// `at!(list, C_Name(arguments))` is the return value of a function of a list.
macro_rules! at {
    ($list:expr, $name:ident($($argument:expr),* $(,)?)) => {
        // SAFETY: the list is a module's, and the tests pass what the function's row in the standard asks for.
        unsafe { (*$list).$name.unwrap()($($argument),*) }
    };
}
pub(crate) use at;

/// The function list of our module.
pub(crate) fn ours() -> CK_FUNCTION_LIST_PTR {
    let mut list = null_mut();
    // SAFETY: the place outlives the call.
    assert_eq!(unsafe { C_GetFunctionList(&raw mut list) }, CKR_OK);
    list
}

impl Other {
    /// None where it is not installed.
    pub(crate) fn softhsm() -> Option<Self> {
        if !Path::new(SOFTHSM).exists() {
            tests::skip("SoftHSM is not installed");
            return None;
        }
        Some(Self::new(SOFTHSM.as_ref(), "SOFTHSM2_CONF", |dir| format!("directories.tokendir = {dir}\n")))
    }

    pub(crate) fn kryoptic() -> Self {
        let slot = |dir: &str| format!("[[slots]]\nslot = 1\ndbtype = \"sqlite\"\ndbargs = \"{dir}/token.sql\"\n");
        Self::new(&kryoptic(), "KRYOPTIC_CONF", slot)
    }

    /// The module at a path, whose configuration this variable names.
    fn new(module: &Path, variable: &str, config: impl Fn(&str) -> String) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("module.conf");
        std::fs::write(&file, config(dir.path().to_str().unwrap())).unwrap();
        // SAFETY: the cases take turns, and nothing else here reads the environment meanwhile.
        unsafe { std::env::set_var(variable, &file) };
        let list = load(module);
        assert_eq!(at!(list, C_Initialize(null_mut())), CKR_OK);
        let slot = || {
            let (mut slots, mut count) = ([0; 4], 4);
            assert_eq!(at!(list, C_GetSlotList(CK_TRUE, slots.as_mut_ptr(), &raw mut count)), CKR_OK);
            slots[0]
        };
        let pin = PIN.as_ptr().cast_mut();
        assert_eq!(at!(list, C_InitToken(slot(), pin, 4, [b' '; 32].as_mut_ptr())), CKR_OK);
        let (mut session, flags) = (0, CKF_SERIAL_SESSION | CKF_RW_SESSION);
        assert_eq!(at!(list, C_OpenSession(slot(), flags, null_mut(), None, &raw mut session)), CKR_OK);
        assert_eq!(at!(list, C_Login(session, CKU_SO, pin, 4)), CKR_OK);
        assert_eq!(at!(list, C_InitPIN(session, pin, 4)), CKR_OK);
        assert_eq!(at!(list, C_Logout(session)), CKR_OK);
        assert_eq!(at!(list, C_Login(session, CKU_USER, pin, 4)), CKR_OK);
        Self { list, session, _dir: dir }
    }
}

/// Where `interop/peers` has put kryoptic, which no Debian package has.
fn kryoptic() -> PathBuf {
    let peers = || {
        let made = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../interop/peers")).arg("KRYOPTIC").output().unwrap();
        let lines = String::from_utf8(made.stdout).unwrap();
        lines.lines().find_map(|line| line.strip_prefix("KRYOPTIC=").map(PathBuf::from)).expect("interop/peers makes kryoptic")
    };
    std::env::var_os("KRYOPTIC").map_or_else(peers, PathBuf::from)
}

/// The symbols of this very program stay out of it.
fn load(module: &Path) -> CK_FUNCTION_LIST_PTR {
    let path = CString::new(module.to_str().unwrap()).unwrap();
    // SAFETY: the file is a PKCS#11 module, which has this symbol; the place outlives the call.
    unsafe {
        let module = libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL | libc::RTLD_DEEPBIND);
        assert!(!module.is_null());
        let symbol = libc::dlsym(module, c"C_GetFunctionList".as_ptr());
        assert!(!symbol.is_null());
        let function_list =
            std::mem::transmute::<*mut libc::c_void, unsafe extern "C" fn(CK_FUNCTION_LIST_PTR_PTR) -> CK_RV>(symbol);
        let mut list = null_mut();
        assert_eq!(function_list(&raw mut list), CKR_OK);
        list
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        at!(self.list, C_Finalize(null_mut()));
    }
}
