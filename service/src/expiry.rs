//! The ends of keys: what the service refuses after them, and whom it warns.
//!
//! An end is a date that is kept with the key. It stops nothing, unless its owner wants that too. Then the key makes nothing new any more;
//! what was made with it can still be verified, decrypted and unwrapped (NIST SP 800-57 part 1, §5.3: the originator's usage period).

use crate::error::{Error, Result};
use crate::key::Key;
use crate::store::{self, Store};
use interface::Status;
use interface::attributes::Usage;
use interface::expiry::{Day, Expiry};
use interface::text::word;
use std::sync::Arc;
use std::time::Duration;

/// Uses that make something new.
const MAKING: Usage = Usage::SIGN.or(Usage::ENCRYPT).or(Usage::WRAP).or(Usage::DERIVE);
/// So many days before its end a key is warned of.
const SOON: u64 = 30;
/// How often keys are warned of.
const PERIOD: Duration = Duration::from_secs(86_400);
/// So many keys are warned of one by one.
const LINES: usize = 20;

/// Refuses to make something new with a key whose end has passed, if the owner wants that.
///
/// # Errors
/// [`Status::PsaErrorNotPermitted`].
pub(crate) fn check(key: &Key, usage: Usage) -> Result<()> {
    match Expiry::of(&key.pkcs11) {
        Some(end) if end.enforced && !usage.and(MAKING).is_empty() && end.passed(today()) => {
            let (name, owner, last) = (&key.name, &key.owner, end.last);
            let (named, role) = (word(name), usage.roles().join(","));
            Err(Error::refused(
                Status::PsaErrorNotPermitted,
                format!(
                    "key '{name}' of {owner} expired: its last day to {role} was {last}. {owner} can make its successor (parsec key rotate {named}) or give it more time (parsec key expire {named} 90d); it still verifies and decrypts"
                ),
            ))
        }
        _ => Ok(()),
    }
}

/// Warns of keys that end soon, at once and then every day, for as long as the service runs.
pub(crate) async fn watch(store: Arc<Store>) {
    let mut days = tokio::time::interval(PERIOD);
    loop {
        days.tick().await;
        let store = Arc::clone(&store);
        let _ = tokio::task::spawn_blocking(move || warn(&store, today())).await;
    }
}

fn warn(store: &Store, today: Day) {
    let mut more = 0_usize;
    let keys = store.owners().into_iter().flat_map(|owner| store.keys(&owner));
    for (number, warning) in keys.filter_map(|key| warning(&key, today)).enumerate() {
        if number < LINES { tracing::warn!("{warning}") } else { more += 1 }
    }
    if more > 0 {
        tracing::warn!("{more} other keys have expired or expire within {SOON} days: parsec key list --all");
    }
}

/// What is to be said of a key that ends soon, or has ended.
fn warning(key: &Key, today: Day) -> Option<String> {
    let end = Expiry::of(&key.pkcs11).filter(|end| !key.volatile() && end.last.after(today) <= SOON)?;
    let (name, owner, last, named) = (&key.name, &key.owner, end.last, word(&key.name));
    let what = match (end.passed(today), end.enforced) {
        (true, true) => format!("expired: its last day was {last}, and it makes nothing new any more"),
        (true, false) => format!("expired: its last day was {last}; it still works"),
        (false, true) => format!("expires: its last day is {last}, and then it makes nothing new"),
        (false, false) => format!("expires: its last day is {last}"),
    };
    Some(format!("key '{name}' of {owner} {what}; its successor: parsec key rotate {named}"))
}

fn today() -> Day {
    Day::of(store::now())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::auth::Principal;
    use crate::store::tests::{TestStore, create};

    fn key(end: Option<Expiry>) -> Key {
        let place = TestStore::new();
        let store = place.open().unwrap();
        let mut key = Key::clone(&create(&store, &Principal::Uid(0), "web"));
        key.meta.pkcs11.extend(Expiry::kept(end));
        key
    }

    #[test]
    fn only_making_with_a_key_that_is_held_to_its_end_is_refused() {
        let (past, today) = (Day::of(86_400), today());
        let making = [Usage::SIGN_HASH, Usage::SIGN_MESSAGE, Usage::ENCRYPT, Usage::WRAP, Usage::DERIVE];
        let others = [Usage::VERIFY_HASH, Usage::VERIFY_MESSAGE, Usage::DECRYPT, Usage::UNWRAP, Usage::EXPORT, Usage::COPY];
        for (last, enforced, works) in
            [(past, true, false), (past, false, true), (today, true, true), (today.later(9), true, true)]
        {
            let key = key(Some(Expiry { last, enforced }));
            assert!(making.iter().all(|usage| check(&key, *usage).is_ok() == works), "{last} {enforced}");
            assert!(others.iter().all(|usage| check(&key, *usage).is_ok()), "{last} {enforced}");
        }
        assert!(check(&key(None), Usage::SIGN_HASH).is_ok());
        let told = check(&key(Some(Expiry { last: past, enforced: true })), Usage::SIGN_HASH).unwrap_err().to_string();
        for part in ["'web' of uid:0", "1970-01-02", "parsec key rotate web", "parsec key expire web"] {
            assert!(told.contains(part), "{told}");
        }
    }

    #[test]
    fn warnings_come_a_month_before() {
        let today = Day::of(86_400 * 100);
        let warned = |days: i64| {
            let last = Day::of(86_400 * 100_u64.saturating_add_signed(days));
            warning(&key(Some(Expiry { last, enforced: false })), today)
        };
        assert!(warned(31).is_none() && warning(&key(None), today).is_none());
        assert!(warned(30).unwrap().contains("its last day is 1970-05-11"));
        assert!(warned(0).unwrap().contains("its last day is"));
        assert!(warned(-1).unwrap().contains("it still works"));
    }
}
