//! PINs and tokens in memory.

use crate::auth::Principal;
use crate::client_process::ClientProcess;
use crate::error::{Error, Result};
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use interface::operations::{PIN_LEN, PinState, Role};
use interface::{PROVIDERS, ProviderId, Status};
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
pub(super) type TokenId = (ProviderId, Principal);

/// The tokens that have a label or PINs.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    pub(super) labels: HashMap<TokenId, String>,
    pub(super) pins: HashMap<(TokenId, Role), Pin>,
    /// The processes that have proved to be a token's security officer.
    pub(super) officers: HashMap<TokenId, HashSet<ClientProcess>>,
    /// For each token that was ever reset: how often, and how many resets are in progress.
    pub(super) resets: HashMap<TokenId, (u64, usize)>,
}

impl Tokens {
    /// Whose they are.
    pub(super) fn owners(&self) -> impl Iterator<Item = &Principal> {
        self.labels.keys().chain(self.pins.keys().map(|(place, _)| place)).map(|(_, owner)| owner)
    }

    /// Removes those of a client.
    pub(super) fn forget(&mut self, client: &Principal) {
        for place in PROVIDERS.iter().map(|kind| (kind.id, client.clone())) {
            self.labels.remove(&place);
            self.officers.remove(&place);
            Role::ALL.iter().for_each(|role| drop(self.pins.remove(&(place.clone(), *role))));
        }
    }

    /// Puts this PIN in the place of the old one, or none.
    pub(super) fn set(&mut self, place: &TokenId, role: Role, pin: Option<&Pin>) {
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
    pub(super) fn epoch(&self, place: &TokenId) -> Result<u64> {
        let (epoch, running) = self.resets.get(place).copied().unwrap_or_default();
        if running == 0 {
            return Ok(epoch);
        }
        let (provider, owner) = place;
        let detail = format!("the token of {owner} in the {provider} provider is just being reset: try again when that is done");
        Err(Error::refused(Status::PsaErrorBadState, detail))
    }

    /// Ends the login of a process into a token.
    pub(super) fn log_out(&mut self, place: &TokenId, process: ClientProcess) {
        if let Some(officers) = self.officers.get_mut(place) {
            officers.remove(&process);
            if officers.is_empty() {
                self.officers.remove(place);
            }
        }
    }

    /// Ends the logins into a token.
    pub(super) fn log_out_of(&mut self, place: &TokenId) {
        self.officers.remove(place);
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

    pub(super) fn matches(&self, pin: &[u8]) -> Result<bool> {
        Ok(argon2()?.verify_password(pin, &self.hash()?).is_ok())
    }

    pub(super) fn hash(&self) -> Result<PasswordHash> {
        let damaged =
            |error| Error::Corrupt(format!("the hash of a PIN is damaged ({error}): set it anew (parsec token reset-pin)"));
        PasswordHash::new(&self.hash).map_err(damaged)
    }

    pub(super) fn state(&self, role: Role, now: u64) -> PinState {
        PinState {
            failures: self.failures,
            wait: self.wait(now),
            locked: self.locked(role),
            last_try: !self.locked(role) && wait_after(self.failures + 1) > 0,
        }
    }

    /// Seconds until the next try is heard.
    pub(super) fn wait(&self, now: u64) -> u64 {
        wait_after(self.failures).saturating_sub(now.saturating_sub(self.failed))
    }

    pub(super) fn locked(&self, role: Role) -> bool {
        role == Role::User && self.failures >= LOCKED
    }

    pub(super) fn admit(&self, role: Role, now: u64) -> Result<()> {
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

    pub(super) fn wrong(&self, role: Role) -> Error {
        let next = match wait_after(self.failures) {
            _ if self.locked(role) => "it is locked now: parsec token reset-pin user".to_owned(),
            0 => format!("try again, or reset it: parsec token reset-pin {role}"),
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
