//! What clients see of a service: two of these are equal when nobody could tell the one from the other.

use std::collections::{BTreeMap, BTreeSet};

use interface::attributes::Attributes;
use interface::client::{Client, Error};
use interface::operations::{AcceptedOwner, Find, ListAccepted, ListGrants, ListKeys, Record, RecordKind, TokenStatus};
use interface::{ProviderId, Status};

use super::Desk;
use super::desk::ECDSA;

/// A key that comes and goes with a start. Anybody may find it.
pub(super) const SPARE: &str = "spare";
/// The PINs that the tenant may have.
const PINS: [&str; 2] = ["1234", "5678"];

/// How many characters of a line tell people what it is about.
const SHORT: usize = 100;

/// A line for each thing that there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct World {
    lines: BTreeSet<String>,
    /// Of the owner's keys, by their names.
    publics: BTreeMap<String, Vec<u8>>,
}

impl World {
    /// Looks at everything, and signs with each key. With `pins` it also tries the tenant's PINs.
    ///
    /// # Errors
    /// When the service does not answer.
    pub fn see(desk: &Desk, pins: bool) -> Result<Self, Error> {
        let mut world = Self { lines: BTreeSet::new(), publics: BTreeMap::new() };
        if desk.subject.extended() {
            for (who, client) in [("owner", &desk.owner), ("grantee", &desk.grantee), ("tenant", &desk.tenant)] {
                let records = client.find(desk.subject.provider(), &Find::default())?;
                for record in records.into_iter().filter(|record| record.name != SPARE) {
                    world.add(desk, who, client, &record)?;
                }
            }
            world.judge(desk)?;
            world.token(desk, pins)?;
        } else {
            let provider = u32::from(desk.subject.provider().number());
            let keys = desk.owner.call(ProviderId::CORE, &ListKeys {})?.keys;
            for key in keys.into_iter().filter(|key| key.provider_id == provider && key.name != SPARE) {
                let works = told(desk.works(&desk.owner, &key.name))?;
                world.publics.insert(key.name.clone(), desk.public(&key.name).unwrap_or_default());
                world.lines.insert(format!("owner's key {}: {:?}, {works}", key.name, key.attributes));
            }
        }
        Ok(world)
    }

    /// The same things: the public keys are those of another day.
    pub fn like(&self, other: &Self) -> bool {
        self.lines == other.lines
    }

    /// Some things are as in the one, the others as in the other, and what both have is there.
    pub fn between(&self, one: &Self, other: &Self) -> bool {
        self.lines.iter().all(|line| one.lines.contains(line) || other.lines.contains(line))
            && one.lines.intersection(&other.lines).all(|line| self.lines.contains(line))
    }

    /// The first key that has another public key here than there, where both have it.
    pub fn changed(&self, other: &Self) -> Option<&str> {
        let changed = |(name, public): &(&String, &Vec<u8>)| other.publics.get(*name).is_some_and(|old| old != *public);
        self.publics.iter().find(changed).map(|(name, _)| name.as_str())
    }

    /// What only one of two has, for people.
    pub fn differences(&self, other: &Self) -> String {
        let short = |line: &String| line.chars().take(SHORT).collect::<String>();
        let here = self.lines.difference(&other.lines).map(|line| format!("+ {}", short(line)));
        let there = other.lines.difference(&self.lines).map(|line| format!("- {}", short(line)));
        here.chain(there).collect::<Vec<_>>().join("\n        ")
    }

    fn add(&mut self, desk: &Desk, who: &str, client: &Client, record: &Record) -> Result<(), Error> {
        let Record { kind, owner, name, label, id, value, pkcs11, usage, missing, .. } = record;
        let attributes = record.attributes.as_ref().map(Attributes::try_from);
        let signs = matches!(&attributes, Some(Ok(attributes)) if attributes.policy.algorithm == ECDSA.into());
        let works = match (signs, record.foreign) {
            (false, _) => "kept".to_owned(),
            (true, false) => told(desk.works(client, name))?,
            (true, true) => told(desk.sign(client, Some(owner.clone()), name).map(drop))?,
        };
        self.lines.insert(format!(
            "{who}'s {kind} {owner} {name} {label:?} {id:?} {value:?} {pkcs11:?} {usage:?} {attributes:?}, missing {missing}, {works}"
        ));
        if who == "owner" && *kind == i32::from(RecordKind::Key) && !record.public_key.is_empty() {
            self.publics.insert(name.clone(), record.public_key.clone());
        }
        if !record.foreign && *kind == i32::from(RecordKind::Key) {
            let list = ListGrants { key_name: name.clone(), owner: None };
            let grants = client.call(desk.subject.provider(), &list)?.grants;
            self.lines.insert(format!("grants of {who}'s {name}: {grants:?}"));
        }
        Ok(())
    }

    fn judge(&mut self, desk: &Desk) -> Result<(), Error> {
        let owners = desk.grantee.call(ProviderId::CORE, &ListAccepted { callers: None })?.owners;
        let line =
            |owner: AcceptedOwner| format!("grantee on {}: verdict {}, listed {}", owner.owner, owner.verdict, owner.listed);
        self.lines.extend(owners.into_iter().map(line));
        Ok(())
    }

    fn token(&mut self, desk: &Desk, pins: bool) -> Result<(), Error> {
        let token = desk.tenant.call(desk.subject.provider(), &TokenStatus {})?;
        // A try is counted before the PIN is looked at, so that nobody has one for nothing: who tries PINs may find one counted.
        let count = |failures| (!pins).then_some(failures);
        let [user, officer] = [&token.user, &token.officer].map(|pin| pin.as_ref().map(|pin| (count(pin.failures), pin.locked)));
        self.lines.insert(format!("the tenant's token: {:?}, user {user:?}, officer {officer:?}", token.label));
        if pins && user.is_some() {
            let right = PINS.into_iter().find(|pin| desk.log_in(pin).is_ok());
            self.lines.insert(format!("the tenant's PIN: {right:?}"));
        }
        Ok(())
    }
}

/// What a client was told; an error where it was told nothing.
fn told(result: Result<(), Error>) -> Result<String, Error> {
    match result {
        Ok(()) => Ok("works".to_owned()),
        Err(error) if error.status().is_some_and(|status| status != Status::ConnectionError) => Ok(error.to_string()),
        Err(error) => Err(error),
    }
}
