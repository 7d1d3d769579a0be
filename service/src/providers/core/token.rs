//! Tokens: the view of a provider that PKCS#11 programs have, beside its keys.
//!
//! The kernel says who a client is, and a PIN permits it nothing more, with one exception: the security officer says which keys are
//! trusted to wrap others. So nobody becomes the officer of a token with keys in it without knowing the PIN.

use super::Core;
use crate::admission::Call;
use crate::auth::Principal;
use crate::bounds;
use crate::error::{Error, Result};
use crate::provider::Handle;
use crate::store::{self, Pin};
use interface::Status;
use interface::message::required;
use interface::operations::{InitToken, Login, Logout, Role, SetPin, Token, TokenStatus};

/// The caller's token in the provider that the request is addressed to.
fn token<'a>(call: &Call<'a>) -> Result<store::Token<'a>> {
    Ok(call.store().token(call.provider(), call.caller()?, store::now()))
}

/// Checks a PIN. A user gets no more wrong tries by using many names.
fn check(call: &Call<'_>, role: Role, pin: &[u8]) -> Result<()> {
    call.admission.quotas.check_pin(call.uid)?;
    token(call)?.check(role, pin).inspect_err(|error| {
        if error.status() == Status::PsaErrorInvalidSignature {
            call.admission.quotas.wrong_pin(call.uid);
        }
    })
}

/// Counts the first PIN under a name that the program gave itself as a wrong one: there is no end of names, and each PIN is kept.
fn check_first(call: &Call<'_>, role: Role) -> Result<()> {
    if matches!(call.caller()?, Principal::App(_)) && !token(call)?.has_pin(role) {
        call.admission.quotas.check_pin(call.uid)?;
        call.admission.quotas.wrong_pin(call.uid);
    }
    Ok(())
}

impl Handle<TokenStatus> for Core {
    fn handle(&self, call: &Call<'_>, _: TokenStatus) -> Result<Token> {
        Ok(token(call)?.status())
    }
}

impl Handle<InitToken> for Core {
    fn handle(&self, call: &Call<'_>, op: InitToken) -> Result<Token> {
        bounds::text("label", op.label.as_bytes())?;
        let (token, owner) = (token(call)?, call.caller()?);
        let pin = required(op.pin.as_ref())?;
        check(call, Role::Officer, &pin.value)?;
        check_first(call, Role::Officer)?;
        let fresh = Pin::new(&pin.value)?;
        let _closed = call.store().reset(owner, [call.provider()])?;
        self.destroy_keys(call, owner, Some(call.provider()))?;
        call.store().destroy_objects(owner, call.provider())?;
        token.init(&op.label, &fresh)?;
        Ok(token.status())
    }
}

impl Handle<SetPin> for Core {
    fn handle(&self, call: &Call<'_>, op: SetPin) -> Result<Token> {
        let (token, role) = (token(call)?, Role::try_from(op.role)?);
        let first = !token.has_pin(role);
        if let Some(old) = &op.old {
            check(call, role, &old.value)?;
        }
        if role == Role::Officer && op.new.is_some() {
            check_succession(first, op.old.is_some())?;
        }
        if op.new.is_some() {
            check_first(call, role)?;
        }
        let new = op.new.as_ref().map(|new| Pin::new(&new.value)).transpose()?;
        token.set(role, new.as_ref())?;
        Ok(token.status())
    }
}

/// Refuses to make anybody the security officer but who is it already.
fn check_succession(first: bool, knows_old: bool) -> Result<()> {
    let refuse = |status, detail| Err(Error::refused(status, detail));
    match (first, knows_old) {
        (true, _) => refuse(
            Status::PsaErrorDoesNotExist,
            "the SO has no PIN: the first one is set with the token (C_InitToken, pkcs11-tool --init-token), which destroys its keys",
        ),
        (false, false) => refuse(
            Status::PsaErrorNotPermitted,
            "the SO's PIN is changed with the old one (C_SetPIN); without it, it can be taken away: parsec token reset-pin so",
        ),
        (false, true) => Ok(()),
    }
}

impl Handle<Login> for Core {
    fn handle(&self, call: &Call<'_>, op: Login) -> Result<Token> {
        let token = token(call)?;
        let role = Role::try_from(op.role)?;
        check(call, role, &required(op.pin.as_ref())?.value)?;
        if let (Role::Officer, Some(process)) = (role, call.process) {
            token.log_in(process);
        }
        Ok(token.status())
    }
}

impl Handle<Logout> for Core {
    fn handle(&self, call: &Call<'_>, _: Logout) -> Result<Token> {
        let token = token(call)?;
        if let Some(process) = call.process {
            token.log_out(process);
        }
        Ok(token.status())
    }
}
