//! How much one client may take, so that something is left for the others.
//!
//! A limit applies to a principal, and also to the user behind it, whatever names the user's programs give themselves. The
//! configuration sets the number, with exceptions for single clients. Lowering a limit takes nothing away: it refuses new things.
//! Only [`Quotas::check`] refuses a request for being too much.

use crate::auth::Principal;
use crate::error::{Error, Result};
use crate::section::{Section, positive};
use interface::Status;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use toml::Table;

/// In which PIN tries are counted, from the first on.
const HOUR: Duration = Duration::from_secs(3600);

macro_rules! limits {
    ($($(#[$note:meta])* $limit:ident $key:literal $default:expr, $unit:literal, $mend:literal, $status:ident;)*) => {
        /// What is limited.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Limit { $($(#[$note])* $limit,)* }

        impl Limit {
            /// Every one.
            pub const ALL: [Self; [$($key),*].len()] = [$(Self::$limit),*];

            const fn row(self) -> Row {
                match self {
                    $(Self::$limit => Row { key: $key, default: $default, unit: $unit, mend: $mend, status: Status::$status },)*
                }
            }
        }
    };
}

limits! {
    /// Connections that a user has for certain, however many others have.
    Connections "connections" 128, "connections", "close some", PsaErrorInsufficientMemory;
    /// Keys in the store.
    Keys "keys" 250_000, "keys", "destroy some", PsaErrorInsufficientStorage;
    /// Certificates and data objects.
    Objects "objects" 20_000, "certificates and data objects", "destroy some", PsaErrorInsufficientStorage;
    /// Bytes of keys and objects in the store.
    Bytes "bytes" 256 << 20, "bytes in keys and objects", "destroy some", PsaErrorInsufficientStorage;
    /// Volatile keys.
    VolatileKeys "volatile_keys" 4096, "volatile keys (PKCS#11 session keys)", "destroy some, or end the programs that made them",
        PsaErrorInsufficientMemory;
    /// Bytes of volatile keys.
    VolatileBytes "volatile_bytes" 32 << 20, "bytes in volatile keys (PKCS#11 session keys)",
        "destroy some, or end the programs that made them", PsaErrorInsufficientMemory;
    /// Wrong PINs in an hour, and first PINs of names that programs give themselves.
    PinTries "pin_tries" 100, "wrong PINs in an hour", "wait", PsaErrorBadState;
    /// Lines of the log in a second.
    LogLines "log_lines" 20, "lines of the log in a second", "wait", PsaErrorInsufficientMemory;
    /// Requests that take long: those that wait and those that run.
    Requests "requests" 256, "requests that wait for something slow", "try again later", PsaErrorInsufficientMemory;
    /// Bytes of requests that come and answers that go: a user with more waits, and no list of keys is longer.
    BytesInFlight "bytes_in_flight" 64 << 20, "bytes in requests and answers",
        "ask for less at once (parsec key list asks piece by piece)", PsaErrorInsufficientMemory;
}

/// The properties of a limit.
struct Row {
    /// In the configuration.
    key: &'static str,
    default: u64,
    /// The unit, for people.
    unit: &'static str,
    /// Another remedy.
    mend: &'static str,
    status: Status,
}

impl Limit {
    /// Its key in the configuration.
    pub const fn key(self) -> &'static str {
        self.row().key
    }
}

/// A number for each limit.
type Numbers = [u64; Limit::ALL.len()];

/// The limits, and how often each has refused.
#[derive(Debug)]
pub struct Quotas {
    numbers: Numbers,
    exceptions: HashMap<Principal, Numbers>,
    refused: [AtomicU64; Limit::ALL.len()],
    /// When the hour of a user began, and its PIN tries since.
    tries: Mutex<HashMap<u32, (Instant, u64)>>,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            numbers: Limit::ALL.map(|limit| limit.row().default),
            exceptions: HashMap::new(),
            refused: std::array::from_fn(|_| AtomicU64::new(0)),
            tries: Mutex::default(),
        }
    }
}

impl Quotas {
    /// Reads `[quotas]`.
    ///
    /// # Errors
    /// [`Error::Config`].
    pub fn read(mut section: Section) -> Result<Self> {
        let exceptions: Vec<Table> = section.take_or("for", Vec::new())?;
        let default = Self::default();
        let numbers = read_numbers(&mut section, &default.numbers)?;
        section.finish()?;
        let mut quotas = Self { numbers, ..default };
        for (number, table) in (1..).zip(exceptions) {
            let mut exception = Section::new(format!("[[quotas.for]] number {number}"), table);
            let who: String = exception
                .take("who")?
                .ok_or_else(|| exception.wrong("who", "is missing: write whom it is for, as who = \"uid:33\""))?;
            let who: Principal = who.parse().map_err(|error: Error| exception.wrong("who", &error.to_string()))?;
            let numbers = read_numbers(&mut exception, &quotas.numbers)?;
            if quotas.exceptions.insert(who, numbers).is_some() {
                return Err(exception.wrong("who", "is there twice: leave one of them out"));
            }
            exception.finish()?;
        }
        Ok(quotas)
    }

    /// The number for a client.
    pub fn number(&self, who: &Principal, limit: Limit) -> u64 {
        self.exceptions.get(who).unwrap_or(&self.numbers)[limit as usize]
    }

    /// Refuses what would give a client so much that it is over its limit.
    ///
    /// # Errors
    /// The limit's status: of those on the store [`Status::PsaErrorInsufficientStorage`], of those on memory
    /// [`Status::PsaErrorInsufficientMemory`].
    pub fn check(&self, who: &Principal, limit: Limit, then: u64) -> Result<()> {
        let number = self.number(who, limit);
        if then <= number {
            return Ok(());
        }
        Err(self.refuse(who, limit))
    }

    /// The refusal of a request that exceeds a limit. It is counted.
    pub fn refuse(&self, who: &Principal, limit: Limit) -> Error {
        self.count(limit);
        let (Row { key, unit, mend, status, .. }, number) = (limit.row(), self.number(who, limit));
        let detail = format!(
            "{who} would have more than {number} {unit}: {mend}, or raise {key} in [quotas] of the configuration, or for this client alone in [[quotas.for]] with who = \"{who}\""
        );
        Error::refused(status, detail)
    }

    /// Refuses to look at a PIN of a user who has been wrong too often.
    ///
    /// # Errors
    /// [`Status::PsaErrorBadState`].
    pub fn check_pin(&self, uid: u32) -> Result<()> {
        self.check(&Principal::Uid(uid), Limit::PinTries, self.pin_tries(uid) + 1)
    }

    /// Counts a wrong PIN.
    pub fn wrong_pin(&self, uid: u32) {
        let mut tries = self.tries();
        tries.retain(|_, (since, _)| since.elapsed() < HOUR);
        tries.entry(uid).or_insert_with(|| (Instant::now(), 0)).1 += 1;
    }

    /// Wrong PINs of a user in its hour.
    pub fn pin_tries(&self, uid: u32) -> u64 {
        self.tries().get(&uid).filter(|(since, _)| since.elapsed() < HOUR).map_or(0, |(_, tries)| *tries)
    }

    fn tries(&self) -> MutexGuard<'_, HashMap<u32, (Instant, u64)>> {
        self.tries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a refusal that no answer mentions.
    pub(crate) fn count(&self, limit: Limit) {
        self.refused[limit as usize].fetch_add(1, Relaxed);
    }

    /// How often a limit has refused.
    pub fn refused(&self, limit: Limit) -> u64 {
        self.refused[limit as usize].load(Relaxed)
    }
}

fn read_numbers(section: &mut Section, defaults: &Numbers) -> Result<Numbers> {
    let mut numbers = *defaults;
    for limit in Limit::ALL {
        let number = &mut numbers[limit as usize];
        *number = positive(section, limit.key(), *number)?;
    }
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Quotas> {
        Quotas::read(Section::new("[quotas]", text.parse().unwrap()))
    }

    #[test]
    fn an_exception_is_for_one_client_and_the_refusal_names_the_key() {
        let quotas = read("keys = 10\nobjects = 5\n[[for]]\nwho = \"app:web\"\nkeys = 20\n").unwrap();
        let (web, other) = (Principal::App("web".to_owned()), Principal::Uid(33));
        for (who, limit, number) in
            [(&web, Limit::Keys, 20), (&other, Limit::Keys, 10), (&web, Limit::Objects, 5), (&other, Limit::Connections, 128)]
        {
            assert!(quotas.check(who, limit, number).is_ok(), "{who} {limit:?}");
            let refusal = quotas.check(who, limit, number + 1).unwrap_err().to_string();
            for part in [who.to_string(), number.to_string(), format!("{} in [quotas]", limit.key()), "[[quotas.for]]".to_owned()]
            {
                assert!(refusal.contains(&part), "{refusal}");
            }
        }
        assert_eq!(Limit::ALL.map(|limit| quotas.refused(limit)), [1, 2, 1, 0, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn a_user_who_is_wrong_too_often_waits_and_no_other_does() {
        let quotas = read("pin_tries = 2").unwrap();
        for _ in 0..2 {
            quotas.check_pin(1).unwrap();
            quotas.wrong_pin(1);
        }
        assert_eq!(quotas.check_pin(1).unwrap_err().status(), Status::PsaErrorBadState);
        quotas.check_pin(2).unwrap();
        let ended = Instant::now().checked_sub(HOUR).unwrap();
        quotas.tries().insert(1, (ended, 2));
        quotas.check_pin(1).unwrap();
        quotas.wrong_pin(2);
        assert_eq!(quotas.pin_tries(2), 1);
        assert_eq!(quotas.tries().len(), 1, "an hour that has ended is forgotten");
    }

    #[test]
    fn limits_are_in_the_order_of_their_numbers() {
        for (number, limit) in Limit::ALL.into_iter().enumerate() {
            assert_eq!(limit as usize, number);
        }
    }

    #[test]
    fn mistakes_are_told() {
        for (text, told) in [
            ("keyz = 1", "[quotas] has no key 'keyz'; did you mean 'keys'?"),
            ("keys = 0", "[quotas] keys: must be at least 1"),
            ("[[for]]\nkeys = 1", "[[quotas.for]] number 1 who: is missing"),
            ("[[for]]\nwho = \"web\"", "names nobody"),
            ("[[for]]\nwho = \"uid:1\"\n[[for]]\nwho = \"uid:1\"", "[[quotas.for]] number 2 who: is there twice"),
            ("[[for]]\nwho = \"uid:1\"\nfor = 1", "[[quotas.for]] number 1 has no key 'for'"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
    }
}
