//! What a caller may do with a key. The answer depends only on the key and the caller.

use super::grant::check_granted;
use crate::auth::Principal;
use crate::error::{Error, Result};
use crate::key::Key;
use interface::attributes::Usage;
use interface::text::word;
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
        return refuse(format!(
            "key '{}' was made for {}, not for {usage}: make another one for that, see: parsec key new --help",
            key.name, policy.usage
        ));
    }
    if !key.usage(caller).implied().contains(usage) {
        let (name, owner, has) = (&key.name, &key.owner, key.usage(caller));
        let refused = format!("{caller} may {} with key '{name}' of {owner}, but not ", has.roles().join(","));
        return refuse(match usage.roles().as_slice() {
            [] => format!("{refused}{usage}, which only its owner may"),
            lacks => format!(
                "{refused}{}; its owner can permit it: parsec key grant {} {}",
                lacks.join(","),
                word(name),
                word(&format!("{caller}={}", has.or(usage).roles().join(",")))
            ),
        });
    }
    match algorithm {
        Some(algorithm) if !policy.permits(algorithm) => refuse(format!(
            "the policy of key '{}' does not permit {algorithm:?}: what it permits tells parsec key show {}",
            key.name,
            word(&key.name)
        )),
        _ => check_entailed(key, caller, used).and_then(|()| check_granted(key, caller, used)),
    }
}

/// Refuses a granted use if it amounts to another one that was not granted. If the caller chooses the nonce or initialisation vector,
/// encrypting is decrypting in most modes ([`Algorithm::reveals`]). Two messages under one nonce of GCM let anybody forge others. CBC
/// shows whether a block was guessed right. Wrapping in such a mode encrypts keys that the caller may know. Some algorithms amount to
/// several uses even without a nonce ([`Policy::entails`]). Wrapping a readable key under the caller's own key is reading it.
///
/// An owner is refused nothing: what it may not do with a key, it has given up itself.
///
/// [`Algorithm::reveals`]: interface::algorithm::Algorithm::reveals
/// [`Policy::entails`]: interface::attributes::Policy::entails
///
/// # Errors
/// [`Status::PsaErrorNotPermitted`].
pub(crate) fn check_entailed(key: &Key, caller: &Principal, used: &Used<'_>) -> Result<()> {
    let (entailed, how) = match used.algorithm {
        _ if used.nonce => {
            (Usage::DECRYPT, "the nonce or initialisation vector is left to the service, as one of the caller's decrypts")
        }
        Some(algorithm) => (key.attributes.policy.entails(used.usage, algorithm), "this algorithm comes to both"),
        None if used.usage == Usage::COPY => {
            (key.attributes.policy.usage.and(Usage::EXPORT), "what leaves under a key of the caller's own is as good as read")
        }
        None => (Usage::NONE, ""),
    };
    let (name, owner, usage) = (&key.name, &key.owner, key.usage(caller));
    let missing = entailed.without(usage);
    if caller == owner || missing.is_empty() {
        return Ok(());
    }
    let (have, lacks, both) = (usage.roles().join(","), missing.roles().join(","), (usage | entailed).roles().join(","));
    let detail = format!(
        "{caller} may {have} with key '{name}' of {owner}, but not {lacks}: {how}; its owner can permit it: \
         parsec key grant {} {}",
        word(name),
        word(&format!("{caller}={both}"))
    );
    Err(Error::refused(Status::PsaErrorNotPermitted, detail))
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
        format!(
            "only {}, who owns key '{}', may do this, not {caller}: what you may tells parsec key show {} --owner {}",
            key.owner,
            key.name,
            word(&key.name),
            word(&key.owner.to_string())
        ),
    ))
}
