//! Sessions and login. Who a client is, the service knows from the socket; a login is accepted with any PIN and changes only
//! what the standard says of session states.

use std::sync::Arc;

use cryptoki_sys::*;

use crate::error::{Error, Result};
use crate::ffi::Out;
use crate::module::{self, Sessions, fresh_handle, lock};
use crate::session::Session;

pub(crate) fn open(id: CK_SLOT_ID, flags: CK_FLAGS, handle: &Out<CK_SESSION_HANDLE>) -> Result<()> {
    let module = module::current()?;
    if flags & CKF_SERIAL_SESSION == 0 {
        return Err(Error::SessionParallel);
    }
    let provider = module.slots.find(&module.client, id)?.provider;
    let writable = flags & CKF_RW_SESSION != 0;
    let mut sessions = lock(&module.sessions);
    if !writable && sessions.users.get(&id) == Some(&CKU_SO) {
        return Err(Error::SessionReadWriteSo);
    }
    let fresh = fresh_handle();
    sessions.open.insert(fresh, Arc::new(Session::new(provider, writable)));
    handle.set(fresh);
    Ok(())
}

pub(crate) fn close(handle: CK_SESSION_HANDLE) -> Result<()> {
    let module = module::current()?;
    let mut sessions = lock(&module.sessions);
    let closed = sessions.open.remove(&handle).ok_or(Error::SessionHandleInvalid)?;
    sessions.log_out_unused(closed.slot());
    Ok(())
}

pub(crate) fn close_all(slot: CK_SLOT_ID) -> Result<()> {
    let module = module::current()?;
    module.slots.find(&module.client, slot)?;
    let mut sessions = lock(&module.sessions);
    sessions.open.retain(|_, session| session.slot() != slot);
    sessions.log_out_unused(slot);
    Ok(())
}

impl Sessions {
    /// The login ends with the token's last session.
    fn log_out_unused(&mut self, slot: CK_SLOT_ID) {
        if !self.open.values().any(|session| session.slot() == slot) {
            self.users.remove(&slot);
        }
    }
}

pub(crate) fn info(handle: CK_SESSION_HANDLE, info: &Out<CK_SESSION_INFO>) -> Result<()> {
    let module = module::current()?;
    let session = module.session(handle)?;
    let user = lock(&module.sessions).users.get(&session.slot()).copied();
    let state = match (session.writable, user) {
        (true, Some(CKU_SO)) => CKS_RW_SO_FUNCTIONS,
        (true, Some(_)) => CKS_RW_USER_FUNCTIONS,
        (true, None) => CKS_RW_PUBLIC_SESSION,
        (false, Some(_)) => CKS_RO_USER_FUNCTIONS,
        (false, None) => CKS_RO_PUBLIC_SESSION,
    };
    let writable = if session.writable { CKF_RW_SESSION } else { 0 };
    let flags = CKF_SERIAL_SESSION | writable;
    info.set(CK_SESSION_INFO { slotID: session.slot(), state, flags, ulDeviceError: 0 });
    Ok(())
}

pub(crate) fn login(handle: CK_SESSION_HANDLE, user: CK_USER_TYPE, pin: &[u8]) -> Result<()> {
    let module = module::current()?;
    let slot = module.session(handle)?.slot();
    std::str::from_utf8(pin).map_err(|_| Error::PinInvalid)?;
    let mut sessions = lock(&module.sessions);
    let read_only = |session: &Arc<Session>| session.slot() == slot && !session.writable;
    match user {
        // No key asks for it.
        CKU_CONTEXT_SPECIFIC => return Err(Error::OperationNotInitialized),
        CKU_USER | CKU_SO => {}
        _ => return Err(Error::UserTypeInvalid),
    }
    match sessions.users.get(&slot) {
        Some(present) if *present == user => return Err(Error::UserAlreadyLoggedIn),
        Some(_) => return Err(Error::UserAnotherLoggedIn),
        None if user == CKU_SO && sessions.open.values().any(read_only) => {
            return Err(Error::SessionReadOnlyExists);
        }
        None => {}
    }
    sessions.users.insert(slot, user);
    Ok(())
}

pub(crate) fn logout(handle: CK_SESSION_HANDLE) -> Result<()> {
    let module = module::current()?;
    let slot = module.session(handle)?.slot();
    let user = lock(&module.sessions).users.remove(&slot);
    user.map(drop).ok_or(Error::UserNotLoggedIn)
}

/// C_SessionCancel: ends the operations that `flags` name.
pub(crate) fn cancel(handle: CK_SESSION_HANDLE, flags: CK_FLAGS) -> Result<()> {
    module::current()?.session(handle)?.operations().cancel(flags);
    Ok(())
}
