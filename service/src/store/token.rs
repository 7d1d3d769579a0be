//! Tokens: the label and the PINs that a principal has in a provider.
//!
//! A PIN is kept as an argon2id hash. A try is counted, durably, before it is looked at, so that neither a crash nor a restart makes
//! up for a wrong one. After a few wrong tries each next one has to wait, longer each time; nobody waits here, a try that comes too
//! early is refused. The user's PIN is locked at last, until it is set anew. All this is per principal: nobody can lock another out.

use super::{Store, table};
use crate::application::Application;
use crate::auth::Principal;
use crate::error::{Error, Result};
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use interface::operations::{self, PIN_LEN, PinState, Role};
use interface::{ProviderId, Status};
use std::collections::{HashMap, HashSet};

/// Wrong tries that cost no time.
const FREE: u32 = 3;
/// The wait after as many wrong tries, in seconds; each further one doubles it.
const WAIT: u64 = 5;
/// The longest wait, in seconds.
const LONGEST_WAIT: u64 = 3600;
/// Wrong tries that lock the user's PIN.
const LOCKED: u32 = 10;
/// Memory of one hash in KiB, and how often it is gone through: some 30 ms.
const COST: (u32, u32) = (9 * 1024, 4);

/// Where a token is, and whose.
pub(super) type Place = (ProviderId, Principal);

/// The tokens that have a label or PINs.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    pub(super) labels: HashMap<Place, String>,
    pub(super) pins: HashMap<(Place, Role), Pin>,
    /// The processes that have proved to be a token's security officer.
    officers: HashSet<(Place, Application)>,
    /// Of those that were ever reset: how often, and how many resets are under way.
    resets: HashMap<Place, (u64, usize)>,
}

impl Tokens {
    /// Removes those of a client.
    pub(super) fn forget(&mut self, client: &Principal) {
        self.labels.retain(|(_, owner), _| owner != client);
        self.pins.retain(|((_, owner), _), _| owner != client);
        self.officers.retain(|((_, owner), _)| owner != client);
    }

    fn set(&mut self, place: &Place, role: Role, pin: Option<&Pin>) {
        if let (Role::Officer, None) = (role, pin) {
            self.log_out_of(place);
        }
        let place = (place.clone(), role);
        match pin {
            Some(pin) => self.pins.insert(place, pin.clone()),
            None => self.pins.remove(&place),
        };
    }

    /// Tells apart what began before a reset and after it.
    ///
    /// # Errors
    /// [`Status::PsaErrorBadState`] while the token is being reset.
    pub(super) fn epoch(&self, place: &Place) -> Result<u64> {
        let (epoch, running) = self.resets.get(place).copied().unwrap_or_default();
        if running == 0 {
            return Ok(epoch);
        }
        let (provider, owner) = place;
        let detail = format!("the token of {owner} in the {provider} provider is just being reset: try again when that is done");
        Err(Error::refused(Status::PsaErrorBadState, detail))
    }

    /// Ends the logins into a token.
    fn log_out_of(&mut self, place: &Place) {
        self.officers.retain(|(logged_into, _)| logged_into != place);
    }
}

/// A token at one moment.
pub struct Token<'a> {
    store: &'a Store,
    place: Place,
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
    pub fn is_officer(&self, provider: ProviderId, owner: &Principal, application: Option<Application>) -> bool {
        let login = application.map(|application| ((provider, owner.clone()), application));
        login.is_some_and(|login| self.index().tokens.officers.contains(&login))
    }

    /// Whether a process is the security officer of any token.
    pub fn logged_in(&self, application: Application) -> bool {
        self.index().tokens.officers.iter().any(|(_, logged_in)| *logged_in == application)
    }

    /// Ends the logins of a process.
    pub fn log_out(&self, application: Application) {
        self.index_mut().tokens.officers.retain(|(_, logged_in)| *logged_in != application);
    }
}

/// A reset of tokens that is under way: until it is dropped, no key comes into them, and none that was begun before.
#[derive(Debug)]
#[must_use]
pub struct Reset<'a> {
    store: &'a Store,
    places: Vec<Place>,
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
    /// What may be told of it.
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
        // The clock was set back: the wait begins now, whatever it had been.
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
    pub fn log_in(&self, application: Application) {
        if self.has_pin(Role::Officer) {
            self.store.index_mut().tokens.officers.insert((self.place.clone(), application));
        }
    }

    /// Ends the login of the security officer in this process.
    pub fn log_out(&self, application: Application) {
        self.store.index_mut().tokens.officers.remove(&(self.place.clone(), application));
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

/// A PIN as it is kept. Of one without a hash no try is right.
#[derive(Clone, Default)]
pub struct Pin {
    /// As a PHC string.
    pub(super) hash: String,
    /// Wrong tries since the last right one.
    pub(super) failures: u32,
    /// Unix time of the last try in seconds.
    pub(super) failed: u64,
}

impl std::fmt::Debug for Pin {
    /// Without the hash, from which a short PIN is soon found.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pin").field("failures", &self.failures).field("failed", &self.failed).finish_non_exhaustive()
    }
}

impl Pin {
    /// A PIN to be set.
    ///
    /// # Errors
    /// [`Status::PsaErrorInvalidArgument`] for a wrong length.
    pub fn new(pin: &[u8]) -> Result<Self> {
        if !PIN_LEN.contains(&pin.len()) {
            let detail = format!("a PIN has {} to {} bytes", PIN_LEN.start(), PIN_LEN.end());
            return Err(Error::refused(Status::PsaErrorInvalidArgument, detail));
        }
        let failed = |error| Error::Corrupt(format!("hashing a PIN: {error}"));
        let hash = argon2()?.hash_password(pin).map_err(failed)?;
        Ok(Self { hash: hash.to_string(), failures: 0, failed: 0 })
    }

    fn matches(&self, pin: &[u8]) -> Result<bool> {
        Ok(argon2()?.verify_password(pin, &self.hash()?).is_ok())
    }

    fn hash(&self) -> Result<PasswordHash> {
        let damaged =
            |error| Error::Corrupt(format!("the hash of a PIN is damaged ({error}): set it anew (parsec token reset-pin)"));
        PasswordHash::new(&self.hash).map_err(damaged)
    }

    fn state(&self, role: Role, now: u64) -> PinState {
        PinState {
            failures: self.failures,
            wait: self.wait(now),
            locked: self.locked(role),
            last_try: !self.locked(role) && wait_after(self.failures + 1) > 0,
        }
    }

    /// Seconds until the next try is heard.
    fn wait(&self, now: u64) -> u64 {
        wait_after(self.failures).saturating_sub(now.saturating_sub(self.failed))
    }

    fn locked(&self, role: Role) -> bool {
        role == Role::User && self.failures >= LOCKED
    }

    fn admit(&self, role: Role, now: u64) -> Result<()> {
        let refuse = |detail| Err(Error::refused(Status::PsaErrorBadState, detail));
        match self.wait(now) {
            _ if self.locked(role) => refuse(format!(
                "the user PIN is locked after {} wrong tries: the SO sets a new one (C_InitPIN, pkcs11-tool --init-pin), or you reset it: parsec token reset-pin user",
                self.failures
            )),
            0 => Ok(()),
            wait => refuse(format!("{} wrong tries of the {role} PIN: try again in {wait} s", self.failures)),
        }
    }

    fn wrong(&self, role: Role) -> Error {
        let next = match wait_after(self.failures) {
            _ if self.locked(role) => "it is locked now".to_owned(),
            0 => "try again".to_owned(),
            wait => format!("try again in {wait} s"),
        };
        Error::refused(Status::PsaErrorInvalidSignature, format!("the {role} PIN is wrong: {next}"))
    }
}

/// The wait after so many wrong tries, in seconds.
fn wait_after(failures: u32) -> u64 {
    let doublings = failures.checked_sub(FREE);
    doublings.map_or(0, |doublings| (WAIT << doublings.min(32)).min(LONGEST_WAIT))
}

fn argon2() -> Result<Argon2<'static>> {
    let (memory, passes) = COST;
    let params = Params::new(memory, passes, 1, None).map_err(|error| Error::Corrupt(format!("hashing a PIN: {error}")))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}
