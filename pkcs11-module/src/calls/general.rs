//! About the module itself.

use cryptoki_sys::{CK_INFO, CK_SESSION_HANDLE, CK_VERSION};

use super::padded;
use crate::error::{Error, Result};
use crate::ffi::Out;
use crate::state;

/// Who makes library, slots and tokens, in all infos.
pub(super) const MANUFACTURER: &str = "Parsec";
/// The version of this library.
pub(super) const VERSION: CK_VERSION = CK_VERSION { major: 0, minor: 1 };

pub(crate) fn info(info: &Out<CK_INFO>) -> Result<()> {
    state::current()?;
    info.set(CK_INFO {
        cryptokiVersion: CK_VERSION { major: 3, minor: 2 },
        manufacturerID: padded(MANUFACTURER),
        flags: 0,
        libraryDescription: padded("Parsec service client"),
        libraryVersion: VERSION,
    });
    Ok(())
}

/// C_GetFunctionStatus and C_CancelFunction, relics of version 1 (PKCS#11 §5.15).
pub(crate) fn not_parallel(session: CK_SESSION_HANDLE) -> Result<()> {
    state::current()?.session(session)?;
    Err(Error::FunctionNotParallel)
}
