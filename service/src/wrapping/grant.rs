//! Grants of unwrapping. If a key may unwrap in a mode that does not authenticate, a caller who unwraps can decrypt.

use crate::auth::Principal;
use crate::error::{Error, Result};
use crate::key::{Decision, Key};
use interface::algorithm::Algorithm;
use interface::attributes::Usage;
use interface::text::word;
use interface::{Status, Used};

/// Refuses a grant of unwrapping to somebody who is not granted decryption too, where the one is the other. What the policy says of
/// decryption does not matter, for what the owner wants does.
///
/// # Errors
/// [`Status::PsaErrorNotPermitted`].
pub(crate) fn check_grant(key: &Key, to: &Principal, usage: Usage) -> Result<()> {
    let Some(algorithm) = open_mode(key, usage).filter(|_| key.decided() != Some(Decision::Protects)) else {
        return Ok(());
    };
    let (name, owner, both) = (&key.name, &key.owner, (usage | Usage::DECRYPT).roles().join(","));
    let detail = format!(
        "{to} unwraps with key '{name}' of {owner} only if it may decrypt too, because the key unwraps with {algorithm:?}, which does not authenticate: {owner} can grant both (parsec key grant {} {}) or unwrap with a key for AES-KW, AES-KWP or RSA-OAEP alone",
        word(name),
        word(&format!("{to}={both}"))
    );
    Err(Error::refused(Status::PsaErrorNotPermitted, detail))
}

/// Refuses a caller who unwraps by such a grant.
///
/// # Errors
/// [`Status::PsaErrorNotPermitted`].
pub(super) fn check_granted(key: &Key, caller: &Principal, used: &Used<'_>) -> Result<()> {
    granted(key, caller, used).map_or(Ok(()), |usage| check_grant(key, caller, usage))
}

/// Whether a grant of these uses depends on what the key has decided, and the key does not know it yet.
pub(crate) fn depends(key: &Key, usage: Usage) -> bool {
    key.decided().is_none() && open_mode(key, usage).is_some()
}

/// Whether this use depends on what the key has decided, and the key does not know it yet.
pub(crate) fn undecided(key: &Key, caller: &Principal, used: &Used<'_>) -> bool {
    granted(key, caller, used).is_some_and(|usage| depends(key, usage))
}

/// The grant under which a caller unwraps.
fn granted(key: &Key, caller: &Principal, used: &Used<'_>) -> Option<Usage> {
    if used.usage == Usage::UNWRAP { key.grants.get(caller).copied() } else { None }
}

/// The algorithm with which a grant of these uses, without decryption, would still permit to decrypt.
fn open_mode(key: &Key, usage: Usage) -> Option<Algorithm> {
    let open = |algorithm: &Algorithm| {
        matches!(algorithm, Algorithm::Cipher(_) | Algorithm::Encryption(_)) && !algorithm.authenticates()
    };
    let unwraps = usage.contains(Usage::UNWRAP) && !usage.contains(Usage::DECRYPT);
    key.attributes.policy.algorithms().find(open).filter(|_| unwraps)
}
