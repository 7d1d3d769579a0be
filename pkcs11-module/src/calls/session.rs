//! Sessions.

use std::sync::Arc;

use cryptoki_sys::*;

use crate::error::{Error, Result};
use crate::ffi::Out;
use crate::state::{self, handles::fresh_handle, lock, module::Module, session::Session};

pub(crate) fn open(id: CK_SLOT_ID, flags: CK_FLAGS, handle: &Out<CK_SESSION_HANDLE>) -> Result<()> {
    let module = state::current()?;
    if flags & CKF_SERIAL_SESSION == 0 {
        return Err(Error::SessionParallel);
    }
    let provider = module.slots.find(&module.client, id)?.provider;
    let writable = flags & CKF_RW_SESSION != 0;
    module.know_login(id).map_err(|error| match error {
        Error::Service(_, error) if error.absent() => Error::TokenNotPresent,
        error => error,
    })?;
    let mut sessions = lock(&module.sessions);
    if !writable && sessions.logins.get(&id).is_some_and(|login| login.user == Some(CKU_SO)) {
        return Err(Error::SessionReadWriteSo);
    }
    let fresh = fresh_handle();
    sessions.open.insert(fresh, Arc::new(Session::new(provider, writable)));
    handle.set(fresh);
    Ok(())
}

pub(crate) fn close(handle: CK_SESSION_HANDLE) -> Result<()> {
    let module = state::current()?;
    let closed = lock(&module.sessions).open.remove(&handle).ok_or(Error::SessionHandleInvalid)?;
    module.log_out_unused(closed.slot());
    module.end_objects(|session, _| session == handle);
    Ok(())
}

pub(crate) fn close_all(slot: CK_SLOT_ID) -> Result<()> {
    let module = state::current()?;
    module.slots.find(&module.client, slot)?;
    lock(&module.sessions).open.retain(|_, session| session.slot() != slot);
    module.log_out_unused(slot);
    module.end_objects(|_, object| object.record.slot == slot);
    Ok(())
}

impl Module {
    /// The login ends with the token's last session.
    fn log_out_unused(&self, slot: CK_SLOT_ID) {
        let used = lock(&self.sessions).open.values().any(|session| session.slot() == slot);
        if !used {
            // nobody may have been logged in
            let _ = self.log_out(slot);
        }
    }
}

pub(crate) fn info(handle: CK_SESSION_HANDLE, info: &Out<CK_SESSION_INFO>) -> Result<()> {
    let module = state::current()?;
    let session = module.session(handle)?;
    let state = module.login(session.slot()).state(session.writable);
    let writable = if session.writable { CKF_RW_SESSION } else { 0 };
    let flags = CKF_SERIAL_SESSION | writable;
    info.set(CK_SESSION_INFO { slotID: session.slot(), state, flags, ulDeviceError: 0 });
    Ok(())
}

/// C_SessionCancel: ends the operations that `flags` name.
pub(crate) fn cancel(handle: CK_SESSION_HANDLE, flags: CK_FLAGS) -> Result<()> {
    state::current()?.session(handle)?.operations().cancel(flags);
    Ok(())
}

/// C_GetSessionValidationFlags: no token here has been validated, so no flag is ever set (PKCS#11 v3.2 §5.6).
pub(crate) fn validation(handle: CK_SESSION_HANDLE, kind: CK_SESSION_VALIDATION_FLAGS_TYPE, flags: &Out<CK_FLAGS>) -> Result<()> {
    state::current()?.session(handle)?;
    if kind != CKS_LAST_VALIDATION_OK {
        return Err(Error::ArgumentsBad);
    }
    flags.set(0);
    Ok(())
}
