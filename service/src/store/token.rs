//! Tokens: the label and the PINs that a principal has in a provider.
//!
//! A PIN is kept as an argon2id hash. A try is counted, durably, before the PIN is checked, so neither a crash nor a restart
//! forgets a wrong one. After a few wrong tries each next one must come later, and the delay grows. The service does not make the
//! caller wait: it refuses a try that comes too early. In the end the user's PIN is locked until it is set again. All this is per
//! principal: nobody can lock out another.

use super::pin::{Pin, TokenId};
use super::{Store, table};
use crate::auth::Principal;
use crate::client_process::ClientProcess;
use crate::error::{Error, Result};
use interface::operations::{self, Role};
use interface::{ProviderId, Status};

/// A token at one moment.
pub struct Token<'a> {
    store: &'a Store,
    place: TokenId,
    /// Unix time in seconds.
    now: u64,
}

impl Store {
    /// The token that this principal has in this provider, as it is at the Unix time `now` in seconds.
    pub fn token(&self, provider: ProviderId, owner: &Principal, now: u64) -> Token<'_> {
        Token { store: self, place: (provider, owner.clone()), now }
    }

    /// Tells apart what begins before a reset of a token and after it.
    ///
    /// # Errors
    /// [`Status::PsaErrorBadState`] while it is being reset.
    pub fn epoch(&self, provider: ProviderId, owner: &Principal) -> Result<u64> {
        self.index().tokens.epoch(&(provider, owner.clone()))
    }

    /// Whether a process is the security officer of somebody's token.
    pub fn is_officer(&self, provider: ProviderId, owner: &Principal, process: Option<ClientProcess>) -> bool {
        let index = self.index();
        let officers = index.tokens.officers.get(&(provider, owner.clone()));
        officers.zip(process).is_some_and(|(officers, process)| officers.contains(&process))
    }

    /// Whether a process is the security officer of any token.
    pub fn logged_in(&self, process: ClientProcess) -> bool {
        self.index().tokens.officers.values().any(|officers| officers.contains(&process))
    }

    /// Ends the logins of a process.
    pub fn log_out(&self, process: ClientProcess) {
        self.index_mut().tokens.officers.retain(|_, officers| {
            officers.remove(&process);
            !officers.is_empty()
        });
    }
}

/// A reset of tokens that is under way. Until it is dropped, no key enters them, not even one whose creation began before.
#[derive(Debug)]
#[must_use]
pub struct Reset<'a> {
    store: &'a Store,
    places: Vec<TokenId>,
}

impl Store {
    /// Closes somebody's tokens in these providers, before their keys are listed and destroyed. Keys that are just being made, as
    /// copies may be, never come to be.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn reset(&self, owner: &Principal, providers: impl IntoIterator<Item = ProviderId>) -> Result<Reset<'_>> {
        let places: Vec<_> = providers.into_iter().map(|provider| (provider, owner.clone())).collect();
        let mut db = self.db();
        let mut change = db.ending(&self.keys)?;
        for (provider, owner) in &places {
            table::cancel_intents(&mut change, owner, *provider)?;
        }
        let count = self.advance(&mut change);
        change.commit()?;
        let mut index = self.index_mut();
        for place in &places {
            let (epoch, running) = index.tokens.resets.entry(place.clone()).or_default();
            *epoch += 1;
            *running += 1;
        }
        drop((index, db));
        let reset = Reset { store: self, places };
        self.raise(count);
        Ok(reset)
    }
}

impl Drop for Reset<'_> {
    fn drop(&mut self) {
        let mut index = self.store.index_mut();
        for place in &self.places {
            if let Some((_, running)) = index.tokens.resets.get_mut(place) {
                *running -= 1;
            }
        }
    }
}

impl Token<'_> {
    /// The state of the token, as callers may see it.
    pub fn status(&self) -> operations::Token {
        let state = |role| self.pin(role).map(|pin| pin.state(role, self.now));
        let label = self.store.index().tokens.labels.get(&self.place).cloned();
        operations::Token { label, user: state(Role::User), officer: state(Role::Officer) }
    }

    /// Checks a PIN. Where nobody has one, any is right. Two tries at once would count as one; a [lane](crate::lane) lets none of
    /// one principal run beside another.
    ///
    /// # Errors
    /// [`Status::PsaErrorInvalidSignature`] for a wrong one; [`Status::PsaErrorBadState`] while no try is heard;
    /// [`Status::PsaErrorDoesNotExist`] for a user without a PIN, where the security officer has one; [`Error::Corrupt`] for one that is
    /// damaged; [`Error::Store`].
    pub fn check(&self, role: Role, pin: &[u8]) -> Result<()> {
        let Some(mut known) = self.pin(role) else {
            return self.check_open(role);
        };
        // To count a try would put a sound row in the place of a damaged one.
        known.hash()?;
        // The clock was set back: the wait begins now.
        let turned_back = known.failed > self.now;
        known.failed = known.failed.min(self.now);
        if let Err(refusal) = known.admit(role, self.now) {
            if turned_back {
                self.set(role, Some(&known))?;
            }
            return Err(refusal);
        }
        known.failures += 1;
        known.failed = self.now;
        self.set(role, Some(&known))?;
        if !known.matches(pin)? {
            return Err(known.wrong(role));
        }
        known.failures = 0;
        self.set(role, Some(&known))
    }

    fn check_open(&self, role: Role) -> Result<()> {
        if role == Role::User && self.pin(Role::Officer).is_some() {
            return Err(Error::refused(
                Status::PsaErrorDoesNotExist,
                "the user has no PIN yet: the SO sets one (C_InitPIN, pkcs11-tool --init-pin)",
            ));
        }
        Ok(())
    }

    /// Takes a process that has given the security officer's PIN for the officer. Where there is none, nothing was proved.
    pub fn log_in(&self, process: ClientProcess) {
        if self.has_pin(Role::Officer) {
            self.store.index_mut().tokens.officers.entry(self.place.clone()).or_default().insert(process);
        }
    }

    /// Ends the login of the security officer in this process.
    pub fn log_out(&self, process: ClientProcess) {
        self.store.index_mut().tokens.log_out(&self.place, process);
    }

    /// Whether somebody has a PIN.
    pub fn has_pin(&self, role: Role) -> bool {
        self.pin(role).is_some()
    }

    /// Sets a PIN, or takes it away; wrong tries are forgiven. Whether the caller may do so was checked.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn set(&self, role: Role, pin: Option<&Pin>) -> Result<()> {
        let mut db = self.store.db();
        let mut change = db.ending(&self.store.keys)?;
        table::token::set_pin(&mut change, &self.place, role, pin)?;
        change.commit()?;
        self.store.index_mut().tokens.set(&self.place, role, pin);
        Ok(())
    }

    /// Gives it a label and the security officer's PIN; the user has none then. Its keys are gone already.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn init(&self, label: &str, officer: &Pin) -> Result<()> {
        let mut db = self.store.db();
        let mut change = db.change(&self.store.keys)?;
        table::token::init_token(&mut change, &self.place, label, officer)?;
        change.commit()?;
        let tokens = &mut self.store.index_mut().tokens;
        tokens.log_out_of(&self.place);
        tokens.labels.insert(self.place.clone(), label.to_owned());
        tokens.set(&self.place, Role::Officer, Some(officer));
        tokens.set(&self.place, Role::User, None);
        Ok(())
    }

    fn pin(&self, role: Role) -> Option<Pin> {
        self.store.index().tokens.pins.get(&(self.place.clone(), role)).cloned()
    }
}
