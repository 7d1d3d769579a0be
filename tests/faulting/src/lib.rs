//! A PKCS#11 library that fails as the libraries of vendors do.
//!
//! It forwards each call to a real library, so that everything but the fault is real. Two files say what goes wrong:
//!
//! - `FAULTING_RULES`: a fault a line, read anew at each call ([`rules`]), so that a test can begin and end a fault at run time.
//! - `FAULTING_PROFILE`: the lasting habits of one vendor ([`profile`]), read when the library is loaded.
//!
//! `FAULTING_LIBRARY` names the real library. Each call is a line in the file that `FAULTING_CALLS` names.
#![allow(unsafe_code, reason = "PKCS#11 is an interface of C")]
#![allow(non_snake_case, reason = "PKCS#11 names its functions so")]
#![allow(clippy::missing_safety_doc, reason = "PKCS#11 says what its functions want")]
#![allow(clippy::cast_possible_truncation, reason = "lengths of C are of 64 bits here, as those of Rust")]

mod functions;
pub mod profile;
mod quirks;
pub mod rules;

use cryptoki_sys::{CK_FUNCTION_LIST, CK_RV, CKR_ARGUMENTS_BAD, CKR_GENERAL_ERROR, CKR_OK};
use libloading::Library;
use std::sync::OnceLock;

struct Real(CK_FUNCTION_LIST);

// SAFETY: the list has pointers to functions only, which stay where they are while the library is loaded
unsafe impl Send for Real {}
// SAFETY: the same
unsafe impl Sync for Real {}

static REAL: OnceLock<Option<Real>> = OnceLock::new();

/// The functions of the real library; `None` if it cannot be loaded.
fn real() -> Option<&'static CK_FUNCTION_LIST> {
    let load = || {
        let path = std::env::var_os("FAULTING_LIBRARY").unwrap_or_else(|| "/usr/lib/softhsm/libsofthsm2.so".into());
        // SAFETY: what a PKCS#11 library does when it is loaded is what the test is about
        let library = unsafe { Library::new(path) }.ok()?;
        let mut list = std::ptr::null_mut();
        // SAFETY: the function has this type in every PKCS#11 library (PKCS#11 section 5.2)
        let code = unsafe {
            let function =
                library.get::<unsafe extern "C" fn(*mut *mut CK_FUNCTION_LIST) -> CK_RV>(b"C_GetFunctionList\0").ok()?;
            function(&raw mut list)
        };
        std::mem::forget(library);
        // SAFETY: the list is a static of the library, which stays loaded
        (code == CKR_OK && !list.is_null()).then(|| Real(unsafe { *list }))
    };
    REAL.get_or_init(load).as_ref().map(|real| &real.0)
}

/// PKCS#11 `C_GetFunctionList`.
///
/// # Safety
/// As the standard says of it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn C_GetFunctionList(list: *mut *mut CK_FUNCTION_LIST) -> CK_RV {
    if list.is_null() {
        return CKR_ARGUMENTS_BAD;
    }
    if real().is_none() {
        return CKR_GENERAL_ERROR;
    }
    static LIST: OnceLock<usize> = OnceLock::new();
    let ours = *LIST.get_or_init(|| {
        let mut functions = functions::list();
        functions.C_GetFunctionList = Some(C_GetFunctionList);
        quirks::put(&mut functions);
        Box::into_raw(Box::new(functions)) as usize
    });
    // SAFETY: the caller gave a place for a pointer
    unsafe { *list = ours as *mut CK_FUNCTION_LIST };
    CKR_OK
}
