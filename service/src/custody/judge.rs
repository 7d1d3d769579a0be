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
        _ => check_nonce(key, caller, used),
    }
}

/// Refuses nonces and initialisation vectors from whoever was granted the key and may not decrypt: in most modes, encrypting under a
/// nonce that was used before decrypts ([`Algorithm::reveals`]), two messages under one nonce of GCM let anybody forge others, and a
/// chosen vector of CBC tells whether a block was guessed right. What encrypts single blocks does all that without a nonce, so it is
/// refused for keys that also have a mode with one.
///
/// Wrapping in such a mode is encrypting, of keys that the caller may know. An owner is refused nothing: what it may not do with a key,
/// it has given up itself.
///
/// [`Algorithm::reveals`]: interface::algorithm::Algorithm::reveals
///
/// # Errors
/// [`Status::PsaErrorNotPermitted`].
pub(crate) fn check_nonce(key: &Key, caller: &Principal, used: &Used<'_>) -> Result<()> {
    let exposes = |algorithm| key.attributes.policy.exposes(algorithm);
    let what = match used.algorithm {
        _ if !key.fresh_nonces(caller) => return Ok(()),
        _ if used.nonce => "choose the nonce or initialisation vector, as that would decrypt: leave it to the service",
        Some(algorithm) if exposes(algorithm) => "encrypt single blocks, as that would decrypt: use a mode with a nonce",
        _ => return Ok(()),
    };
    let (name, owner, usage) = (&key.name, &key.owner, key.usage(caller));
    let detail = format!(
        "{caller} may {usage} with key '{name}' of {owner} and not decrypt, so it may not {what}; \
         its owner can permit it: parsec key grant {name} {caller}={usage},decrypt"
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
        format!("only {}, who owns key '{}', may do this, not {caller}", key.owner, key.name),
    ))
}
