//! Making a token one's own: its label and its PINs.

use cryptoki_sys::*;
use interface::operations::{InitToken, Role, SetPin};

use crate::error::{Error, Result};
use crate::state::{self, lock, login};

/// C_InitToken: destroys all that the client has there.
pub(crate) fn init(slot: CK_SLOT_ID, pin: &[u8], label: &[u8]) -> Result<()> {
    let module = state::current()?;
    let slot = module.slots.find(&module.client, slot)?.id();
    let label = std::str::from_utf8(label).map_err(|_| Error::ArgumentsBad)?.trim_end_matches(' ');
    let init = InitToken { pin: Some(login::pin(pin)?), label: label.to_owned() };
    if lock(&module.sessions).open.values().any(|session| session.slot() == slot) {
        return Err(Error::SessionExists);
    }
    module.change_token(slot, &init)?;
    lock(&module.objects).forget_those(|object| object.record.slot == slot);
    Ok(())
}

/// C_InitPIN: the security officer gives the user a PIN.
pub(crate) fn init_pin(handle: CK_SESSION_HANDLE, new: &[u8]) -> Result<()> {
    let module = state::current()?;
    let slot = module.session(handle)?.slot();
    if module.login(slot).user != Some(CKU_SO) {
        return Err(Error::UserNotLoggedIn);
    }
    let set = SetPin { role: Role::User.into(), new: Some(login::pin(new)?), old: None };
    module.change_token(slot, &set).map(drop)
}

/// C_SetPIN: changes the PIN of whoever is logged in, or else the user's.
pub(crate) fn set_pin(handle: CK_SESSION_HANDLE, old: &[u8], new: &[u8]) -> Result<()> {
    let module = state::current()?;
    let session = module.session(handle)?;
    session.check_writable()?;
    let role = login::role(module.login(session.slot()).user.unwrap_or(CKU_USER))?;
    let set = SetPin { role: role.into(), new: Some(login::pin(new)?), old: Some(login::pin(old)?) };
    module.change_token(session.slot(), &set).map(drop)
}
