//! Logging in and out. Who a client is, the service knows from the socket; a PIN is asked for where one is set.

use std::sync::Arc;

use cryptoki_sys::*;
use interface::operations::Login;

use crate::error::{Error, Result};
use crate::state::{self, lock, login, module::Sessions, session::Session};

pub(crate) fn login(handle: CK_SESSION_HANDLE, user: CK_USER_TYPE, pin: &[u8]) -> Result<()> {
    let module = state::current()?;
    let session = module.session(handle)?;
    let role = login::role(user)?;
    let check = Login { role: role.into(), pin: Some(login::pin(pin)?) };
    if user == CKU_CONTEXT_SPECIFIC {
        let mut operations = session.operations();
        operations.check_locked()?;
        module.ask_token(session.slot(), &check)?;
        operations.unlock();
        return Ok(());
    }
    let _turn = lock(&module.login);
    lock(&module.sessions).check_change(session.slot(), user)?;
    module.ask_token(session.slot(), &check)?;
    let mut sessions = lock(&module.sessions);
    sessions.check_change(session.slot(), user)?;
    sessions.logins.entry(session.slot()).or_default().user = Some(user);
    Ok(())
}

/// C_LoginUser: the token knows nobody by name.
pub(crate) fn login_user(handle: CK_SESSION_HANDLE, user: CK_USER_TYPE, pin: &[u8], name: &[u8]) -> Result<()> {
    if !name.is_empty() {
        state::current()?.session(handle)?;
        return Err(Error::UserTypeInvalid);
    }
    login(handle, user, pin)
}

pub(crate) fn logout(handle: CK_SESSION_HANDLE) -> Result<()> {
    let module = state::current()?;
    let slot = module.session(handle)?.slot();
    module.log_out(slot)
}

impl Sessions {
    /// Fails where this user cannot log in as things are.
    fn check_change(&self, slot: CK_SLOT_ID, user: CK_USER_TYPE) -> Result<()> {
        let read_only = |session: &Arc<Session>| session.slot() == slot && !session.writable;
        match self.logins.get(&slot).and_then(|login| login.user) {
            Some(present) if present == user => Err(Error::UserAlreadyLoggedIn),
            Some(_) => Err(Error::UserAnotherLoggedIn),
            None if user == CKU_SO && self.open.values().any(read_only) => Err(Error::SessionReadOnlyExists),
            None => Ok(()),
        }
    }
}
