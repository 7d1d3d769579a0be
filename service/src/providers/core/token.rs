//! Tokens: what PKCS#11 programs see of a provider beside its keys.

use super::Core;
use crate::error::Result;
use crate::provider::{Call, Handle};
use crate::store::{self, Pin};
use interface::message::required;
use interface::operations::{InitToken, Login, Role, SetPin, Token, TokenStatus};

/// The caller's token in the provider that the request is addressed to.
fn token<'a>(call: &Call<'a>) -> Result<store::Token<'a>> {
    Ok(call.store().token(call.provider(), call.app()?, store::now()))
}

impl Handle<TokenStatus> for Core {
    fn handle(&self, call: &Call<'_>, _: TokenStatus) -> Result<Token> {
        Ok(token(call)?.status())
    }
}

impl Handle<InitToken> for Core {
    fn handle(&self, call: &Call<'_>, op: InitToken) -> Result<Token> {
        let (token, owner) = (token(call)?, call.app()?);
        let pin = required(op.pin.as_ref())?;
        token.check(Role::Officer, &pin.value)?;
        let fresh = Pin::new(&pin.value)?;
        self.destroy_keys(call, owner, Some(call.provider()))?;
        call.store().destroy_objects(owner, call.provider())?;
        token.init(&op.label, &fresh)?;
        Ok(token.status())
    }
}

impl Handle<SetPin> for Core {
    fn handle(&self, call: &Call<'_>, op: SetPin) -> Result<Token> {
        let (token, role) = (token(call)?, Role::try_from(op.role)?);
        if let Some(old) = &op.old {
            token.check(role, &old.value)?;
        }
        let new = op.new.as_ref().map(|new| Pin::new(&new.value)).transpose()?;
        token.set(role, new.as_ref())?;
        Ok(token.status())
    }
}

impl Handle<Login> for Core {
    fn handle(&self, call: &Call<'_>, op: Login) -> Result<Token> {
        let token = token(call)?;
        token.check(Role::try_from(op.role)?, &required(op.pin.as_ref())?.value)?;
        Ok(token.status())
    }
}
