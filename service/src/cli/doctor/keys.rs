//! Keys whose time is over, and keys whose owners are not who they were: the caller's own, for administrators everybody's.

use super::super::context::{Context, KeyRecord};
use super::super::ending::{SOON, today};
use super::super::principal::user_exists;
use super::Finding;
use interface::Status;
use interface::expiry::Expiry;
use interface::operations::{Find, RecordKind};
use interface::text::word;
use std::collections::BTreeMap;

pub(super) fn examine(context: &Context) -> Vec<Finding> {
    let keys = keys(context);
    ending(&keys).into_iter().chain(owners(&keys)).collect()
}

/// Everybody's keys, or those that the caller may see.
fn keys(context: &Context) -> Vec<KeyRecord> {
    let filter = Find { kind: Some(RecordKind::Key.into()), everyone: true, ..Find::default() };
    let mut keys = Vec::new();
    for provider in context.providers(None).unwrap_or_default() {
        let found = match context.client.find(provider, &filter) {
            Err(error) if error.status() == Some(Status::AdminOperation) => {
                context.client.find(provider, &Find { everyone: false, ..filter.clone() })
            }
            found => found,
        };
        keys.extend(found.unwrap_or_default().into_iter().filter_map(|record| KeyRecord::new(record).ok()));
    }
    keys
}

/// Keys that have expired, or soon will.
fn ending(keys: &[KeyRecord]) -> Vec<Finding> {
    let finding = |key: &KeyRecord| {
        let end = Expiry::of(&key.record.pkcs11).filter(|end| end.last.after(today()) <= SOON)?;
        let (name, owner, last) = (key.name(), &key.record.owner, end.last);
        let cure =
            format!("make its successor: parsec key rotate {0}; or give it more time: parsec key expire {0} 90d", word(name));
        Some(match end.passed(today()) {
            true => Finding::wrong("expiry", format!("key '{name}' of {owner} has expired: its last day was {last}"), cure),
            false => Finding::note("expiry", format!("key '{name}' of {owner} expires soon: its last day is {last}"), cure),
        })
    };
    keys.iter().filter_map(finding).collect()
}

/// Owners that are no users any more, or others than before.
fn owners(keys: &[KeyRecord]) -> Vec<Finding> {
    let mut owners = BTreeMap::<_, (usize, &str)>::new();
    for key in keys {
        let owner = owners.entry(key.record.owner.as_str()).or_insert((0, &key.record.former_user));
        owner.0 += 1;
    }
    let finding = |(owner, (count, former)): (&str, (usize, &str))| {
        let keys = if count == 1 { "a key".to_owned() } else { format!("{count} keys") };
        let who = word(owner);
        let give = format!("parsec key chown KEY --owner {who} --to WHO; what there is: parsec key list --all --owner {who}");
        match user_exists(owner) {
            _ if !former.is_empty() => Some(Finding::wrong(
                "owner",
                format!("{owner} was the user '{former}' when it got {keys}, and has another name now and none of them"),
                format!("if that is the same user: parsec key same-user {who}; if not, give them to somebody else: {give}"),
            )),
            Some(false) => Some(Finding::note(
                "owner",
                format!("{owner} owns {keys} and is no user of this host"),
                format!("if nobody in a container has that number, give them to somebody else: {give}"),
            )),
            _ => None,
        }
    };
    owners.into_iter().filter_map(finding).collect()
}
