//! What a key becomes at its first use: one that protects others, or one that reveals.
//!
//! A mode that does not authenticate decrypts anything. Whether the result was a valid key leaks the plaintext, bit by bit. So
//! unwrapping in such a mode is decryption, and every blob that the key has made is only as safe as its weakest mode. Programs
//! expect one key to wrap in both kinds of modes. So the first use that matters decides, and the other role is closed for ever.
//!
//! The decision belongs to the value of the key. Otherwise somebody with two keys of one value would have both roles. The decision
//! is durable before the use begins, and the store orders two first uses. A key that wraps no sensitive key may share its value
//! with one that does, if the value was imported twice. Such a key decides nothing. But once the other key has protected something,
//! it reveals nothing: what it revealed before cannot include what was wrapped later.

use crate::error::{Error, Result};
use crate::key::{Decision, Key};
use interface::algorithm::Algorithm;
use interface::attributes::Usage;
use interface::{Status, Used};

/// What the value of a key must be for this use of it, or yet undecided; `leaving` is the key that it wraps. `None` for a use that any
/// key may be put to. A public key reveals nothing, and decides nothing for the owner of the pair, since anybody may bring it.
pub(crate) fn decision(key: &Key, used: &Used<'_>, leaving: Option<&Key>) -> Option<Decision> {
    let decision = match leaving {
        Some(leaving) => super::sensitive(leaving).then_some(Decision::Protects),
        None => reveals(key, used).then_some(Decision::Reveals),
    };
    decision.filter(|_| !key.attributes.key_type.is_public())
}

/// Whether a use of this key decides for its value, which is so for keys that can wrap sensitive ones.
pub(crate) fn decides(key: &Key) -> bool {
    key.past.contains(Usage::WRAP) && !super::conflicting(key) && !key.attributes.key_type.is_public()
}

/// Whether a use tells what was encrypted or wrapped with the key by somebody else.
fn reveals(key: &Key, used: &Used<'_>) -> bool {
    let Some(algorithm) = used.algorithm else {
        return false;
    };
    match used.usage {
        Usage::UNWRAP => !algorithm.authenticates(),
        Usage::DECRYPT => !matches!(algorithm, Algorithm::Aead(_)),
        Usage::ENCRYPT if used.nonce && algorithm.reveals() => true,
        usage => key.attributes.policy.entails(usage, algorithm).contains(Usage::DECRYPT),
    }
}

/// Refuses a use for which the key would have to be what it has decided not to be.
///
/// # Errors
/// [`Status::PsaErrorNotPermitted`].
pub(crate) fn check_decision(key: &Key, wanted: Decision, held: Decision) -> Result<()> {
    if wanted == held {
        return Ok(());
    }
    let name = &key.name;
    let detail = match wanted {
        Decision::Reveals => format!(
            "key '{name}', or another one of the same value, has wrapped a sensitive key, which this use could reveal: unwrap with AES-KW, AES-KWP or RSA-OAEP, or use another key"
        ),
        Decision::Protects => format!(
            "key '{name}' was used in a mode that does not authenticate, so it could reveal a sensitive key: wrap with a new key, one for AES-KW, AES-KWP or RSA-OAEP alone"
        ),
    };
    Err(Error::refused(Status::PsaErrorNotPermitted, detail))
}
