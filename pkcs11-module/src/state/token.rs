//! The PINs of a token, as far as the module knows them, and its requests to the service about them.

use cryptoki_sys::*;
use interface::Operation;
use interface::client;
use interface::operations::{Logout, Token, TokenStatus};

use crate::error::{Call, During, Error, Result};
use crate::objects::object::Object;
use crate::state::{lock, login::Login, module::Module};

impl Module {
    /// Asks once whether a token requires a login.
    pub(crate) fn know_login(&self, slot: CK_SLOT_ID) -> Result<()> {
        match self.login(slot).required {
            Some(_) => Ok(()),
            None => self.token(slot).map(drop),
        }
    }

    /// The PINs of a token as they are now.
    pub(crate) fn token(&self, slot: CK_SLOT_ID) -> Result<Token> {
        self.ask_token(slot, &TokenStatus {})
    }

    /// Runs an operation that changes nothing where there are no PINs. An upstream service has none, so any is right.
    pub(crate) fn ask_token(&self, slot: CK_SLOT_ID, op: &impl Operation<Output = Token>) -> Result<Token> {
        match self.change_token(slot, op) {
            Err(Error::Service(_, client::Error::Upstream(_))) => Ok(self.learn_token(slot, Token::default())),
            other => other,
        }
    }

    /// Runs an operation of the service on the token, which tells what has become of it.
    pub(crate) fn change_token(&self, slot: CK_SLOT_ID, op: &impl Operation<Output = Token>) -> Result<Token> {
        let provider = u32::try_from(slot).ok().and_then(|slot| slot.try_into().ok()).ok_or(Error::SlotIdInvalid)?;
        let token = self.client.call(provider, op).during(Call::Login)?;
        Ok(self.learn_token(slot, token))
    }

    fn learn_token(&self, slot: CK_SLOT_ID, token: Token) -> Token {
        lock(&self.sessions).logins.entry(slot).or_default().required = Some(token.user.is_some());
        token
    }

    /// Who is logged into a token.
    pub(crate) fn login(&self, slot: CK_SLOT_ID) -> Login {
        lock(&self.sessions).logins.get(&slot).copied().unwrap_or_default()
    }

    /// Fails where private objects need a login that there is not.
    pub(crate) fn check_login(&self, slot: CK_SLOT_ID) -> Result<()> {
        if self.login(slot).sees_private() { Ok(()) } else { Err(Error::UserNotLoggedIn) }
    }

    /// Whether the security officer is logged into a token.
    pub(crate) fn officer(&self, slot: CK_SLOT_ID) -> bool {
        self.login(slot).user == Some(CKU_SO)
    }

    /// Ends the login, and with it private session objects. If private objects needed it, the operations that use some end too, and their handles become invalid.
    pub(crate) fn log_out(&self, slot: CK_SLOT_ID) -> Result<()> {
        let mut sessions = lock(&self.sessions);
        let login = sessions.logins.entry(slot).or_default();
        let user = login.user.take().ok_or(Error::UserNotLoggedIn)?;
        let needed = !login.sees_private();
        let open: Vec<_> = sessions.open.values().filter(|session| session.slot() == slot).cloned().collect();
        drop(sessions);
        let private = |object: &Object| object.record.slot == slot && object.private();
        self.end_objects(|_, object| private(object));
        if needed {
            lock(&self.objects).forget_those(private);
            for session in open {
                session.operations().cancel_private();
            }
        }
        if user == CKU_SO { self.ask_token(slot, &Logout {}).map(drop) } else { Ok(()) }
    }
}
