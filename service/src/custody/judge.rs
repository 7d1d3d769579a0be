//! What a caller may do with a key: all that is needed to say so is the key and who calls.

use crate::auth::Principal;
use crate::error::{Error, Result};
use crate::store::Key;
use interface::{Status, Used};

/// Refuses a use that the key's policy or the caller's grant does not permit.
///
/// # Errors
/// [`Status::PsaErrorNotPermitted`].
pub(crate) fn check_use(key: &Key, caller: &Principal, used: &Used<'_>) -> Result<()> {
    let Used { usage, algorithm, .. } = *used;
    let refuse = |detail: String| Err(Error::refused(Status::PsaErrorNotPermitted, detail));
    let policy = &key.attributes.policy;
    if !policy.usage.implied().contains(usage) {
        return refuse(format!("key '{}' was made for {}, not for {usage}", key.name, policy.usage));
    }
    if !key.usage(caller).implied().contains(usage) {
        let owner = &key.owner;
        return refuse(format!(
            "{caller} may {} with key '{}' of {owner}, but not {usage}; {owner} can grant it",
            key.usage(caller),
            key.name
        ));
    }
    match algorithm {
        Some(algorithm) if !policy.permits(algorithm) => {
            refuse(format!("the policy of key '{}' does not permit {algorithm:?}", key.name))
        }
        _ => Ok(()),
    }
}

/// Refuses to everybody else what only the owner of a key may do.
///
/// # Errors
/// [`Status::PsaErrorNotPermitted`].
pub(crate) fn check_owner(key: &Key, caller: &Principal) -> Result<()> {
    if key.owner == *caller {
        return Ok(());
    }
    Err(Error::refused(
        Status::PsaErrorNotPermitted,
        format!("only {}, who owns key '{}', may do this, not {caller}", key.owner, key.name),
    ))
}
