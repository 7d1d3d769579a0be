//! SoftHSM, in the same process: what another module answers to the same calls.

use std::ffi::CStr;
use std::path::Path;

use super::*;

const MODULE: &CStr = c"/usr/lib/softhsm/libsofthsm2.so";
const PIN: &[u8] = b"1234";

/// SoftHSM with a token of its own and a session, in which its user is logged in. Its state is the process's, so it is for a case that
/// has its turn.
pub(crate) struct SoftHsm {
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

impl SoftHsm {
    /// None where it is not installed.
    pub(crate) fn new() -> Option<Self> {
        if !Path::new(MODULE.to_str().unwrap()).exists() {
            tests::skip("SoftHSM is not installed");
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("softhsm2.conf");
        std::fs::write(&config, format!("directories.tokendir = {}\n", dir.path().display())).unwrap();
        // SAFETY: the cases take turns, and nothing else here reads the environment meanwhile.
        unsafe { std::env::set_var("SOFTHSM2_CONF", &config) };
        let list = load();
        assert_eq!(at!(list, C_Initialize(null_mut())), CKR_OK);
        let (mut slots, mut count) = ([0; 4], 4);
        assert_eq!(at!(list, C_GetSlotList(CK_TRUE, slots.as_mut_ptr(), &raw mut count)), CKR_OK);
        let pin = PIN.as_ptr().cast_mut();
        assert_eq!(at!(list, C_InitToken(slots[0], pin, 4, [b' '; 32].as_mut_ptr())), CKR_OK);
        count = 4;
        assert_eq!(at!(list, C_GetSlotList(CK_TRUE, slots.as_mut_ptr(), &raw mut count)), CKR_OK);
        let (mut session, flags) = (0, CKF_SERIAL_SESSION | CKF_RW_SESSION);
        assert_eq!(at!(list, C_OpenSession(slots[0], flags, null_mut(), None, &raw mut session)), CKR_OK);
        assert_eq!(at!(list, C_Login(session, CKU_SO, pin, 4)), CKR_OK);
        assert_eq!(at!(list, C_InitPIN(session, pin, 4)), CKR_OK);
        assert_eq!(at!(list, C_Logout(session)), CKR_OK);
        assert_eq!(at!(list, C_Login(session, CKU_USER, pin, 4)), CKR_OK);
        Some(Self { list, session, _dir: dir })
    }
}

/// The symbols of this very program stay out of it.
fn load() -> CK_FUNCTION_LIST_PTR {
    // SAFETY: the file is a PKCS#11 module, which has this symbol; the place outlives the call.
    unsafe {
        let module = libc::dlopen(MODULE.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL | libc::RTLD_DEEPBIND);
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

impl Drop for SoftHsm {
    fn drop(&mut self) {
        at!(self.list, C_Finalize(null_mut()));
    }
}
