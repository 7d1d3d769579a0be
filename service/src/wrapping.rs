//! Which key may wrap which other one, and what a derived or unwrapped key may do. The goal: no sequence of permitted operations
//! yields the value of a sensitive key, that is, one that may not be exported.
//!
//! Each of the known attacks on PKCS#11 (Clulow 2003; Bortolozzo et al. 2010, A1-A5; Bardou et al. 2012) needs a key with
//! conflicting roles, a key whose value the attacker knows, or a second copy of a key with other roles. These rules forbid all
//! three:
//! - A sensitive key leaves only under a key that was made in its provider, was never readable, and never decrypted anything.
//! - A key that wraps does not leave.
//! - A key that was unwrapped or derived does not count as made in its provider, so it never wraps a sensitive key.
//! - Unwrapping in a mode that does not authenticate counts as decryption (Vaudenay 2002). The first use of a key decides whether
//!   it protects others or is used in such a mode. If it protects, no other key of the same value decrypts.
//!
//! A key that was not made here may have come from anywhere, such as the public key of another token. Only the security officer can
//! know, and may mark it as trusted (`CKA_TRUSTED`). The mark vouches for the origin alone. It does not excuse conflicting roles.

mod decision;
mod grant;
mod judge;
#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;

pub(crate) use decision::{check_decision, decides, decision};
pub(crate) use grant::{check_grant, depends, undecided};
pub(crate) use judge::{check_owner, check_use};

use crate::auth::Principal;
use crate::error::{Error, Result};
use crate::key::{Key, TRUSTED, of_kind};
use interface::algorithm::{Algorithm, Derivation, Signature};
use interface::attributes::{Attributes, Policy, Usage};
use interface::message::Pkcs11Attribute;
use interface::{Filing, Status};

/// Uses that must never have been permitted to a key that wraps sensitive keys. Decrypting with it would reveal them, and so would reading
/// it and decrypting elsewhere.
const CONFLICTING: Usage = Usage::DECRYPT.or(Usage::EXPORT);
/// The roles whose holder protects other keys.
const PROTECTING: Usage = Usage::WRAP.or(Usage::UNWRAP);
/// PKCS#11 `CKA_WRAP_WITH_TRUSTED`.
const WRAP_WITH_TRUSTED: u64 = 0x210;
/// A flag that is set, as PKCS#11 has it.
const SET: [u8; 1] = [1];
/// The ways out.
const LEAVING: Usage = Usage::EXPORT.or(Usage::COPY);

/// Refuses to let a key leave if that could reveal its value to the caller. A caller with a grant on a sensitive key may wrap it only
/// under a key of the same owner. Wrapped under the caller's own key it would become the caller's, and the caller's officer could let
/// it leave again.
///
/// # Errors
/// [`Status::PsaErrorNotPermitted`].
pub(crate) fn check_wrap(with: &Key, key: &Key, caller: &Principal, algorithm: Algorithm) -> Result<()> {
    let refuse = |why: String| Err(Error::refused(Status::PsaErrorNotPermitted, why));
    let (key_name, with_name) = (&key.name, &with.name);
    // The officer of one token says nothing about the keys of another.
    let trusted = marks_trusted(&with.pkcs11) && with.owner == key.owner;
    if marked(&key.pkcs11, WRAP_WITH_TRUSTED) && !trusted {
        return refuse(format!(
            "key '{key_name}' is only for trusted keys to wrap, which '{with_name}' is not: the SO marks those (CKA_TRUSTED)"
        ));
    }
    if !sensitive(key) {
        return Ok(());
    }
    if *caller != key.owner && with.owner != key.owner {
        let owner = &key.owner;
        return refuse(format!(
            "the sensitive key '{key_name}' of {owner} leaves for {caller} only under another key of {owner}, who can grant one (parsec key grant KEY {caller}=wrap), not under '{with_name}' of {}",
            with.owner
        ));
    }
    if protects(key) {
        return refuse(format!("key '{key_name}' wraps or unwraps other keys, so it leaves under none"));
    }
    if !with.local && !trusted {
        return refuse(format!(
            "key '{with_name}' was not made here, so somebody may know it; the sensitive key '{key_name}' leaves only under a key that was, or that the SO trusts"
        ));
    }
    if conflicting(with) {
        return refuse(format!(
            "key '{with_name}' decrypts or can be read, or once could, so it could reveal the sensitive key '{key_name}': wrap with a sensitive key for wrapping alone"
        ));
    }
    if !algorithm.authenticates() {
        return refuse(format!(
            "{algorithm:?} does not authenticate, so that unwrapping could reveal the sensitive key '{key_name}': wrap with AES-KW, AES-KWP or RSA-OAEP"
        ));
    }
    Ok(())
}

/// Refuses to take away what lets only trusted keys wrap a key (PKCS#11 v3.1 §4.9: once set, it stays).
///
/// # Errors
/// [`Status::PsaErrorNotPermitted`].
pub(crate) fn check_marks(key: &Key, set: &[Pkcs11Attribute]) -> Result<()> {
    let cleared = set.iter().any(|kept| of_kind(kept, WRAP_WITH_TRUSTED) && kept.value != SET);
    if cleared && marked(&key.pkcs11, WRAP_WITH_TRUSTED) {
        let detail = format!("key '{}' is only for trusted keys to wrap (CKA_WRAP_WITH_TRUSTED), and stays so", key.name);
        return Err(Error::refused(Status::PsaErrorNotPermitted, detail));
    }
    Ok(())
}

/// Refuses to let anybody but the security officer say that something is trusted (PKCS#11 v3.1 §4.6.3, §4.8).
///
/// # Errors
/// [`Status::AdminOperation`]; those of `officer`.
pub(crate) fn check_trust(kept: &[Pkcs11Attribute], officer: impl FnOnce() -> Result<bool>) -> Result<()> {
    if !marks_trusted(kept) || officer()? {
        return Ok(());
    }
    Err(Error::refused(
        Status::AdminOperation,
        "only the SO marks keys and certificates as trusted: log in with the SO's PIN, which the token must have (C_InitToken)",
    ))
}

/// Whether these attributes say of a key or certificate that it is trusted, which is for the security officer to say.
fn marks_trusted(kept: &[Pkcs11Attribute]) -> bool {
    marked(kept, TRUSTED)
}

/// Whether a flag is set in any part of a record.
fn marked(kept: &[Pkcs11Attribute], kind: u64) -> bool {
    kept.iter().any(|kept| of_kind(kept, kind) && kept.value == SET)
}

/// The attributes that a key made from these may have, out of those that were asked for.
///
/// A key that was unwrapped with a key without the right to decrypt is sensitive. If the unwrapping key was granted to the caller, the new
/// key never leaves, because the caller may know the key that it would leave under, and the caller's own officer would trust that key. A
/// key that contains others as they are never leaves if one of them is sensitive: it could come back from under another key as a key of
/// another type, whose public half reveals its parts. One-way derivations need no rule.
///
/// # Errors
/// [`Status::PsaErrorNotPermitted`] for a second copy of a key that protects others.
pub(crate) fn inherited<'a>(
    parents: impl Iterator<Item = &'a Key>,
    caller: &Principal,
    algorithm: Algorithm,
    mut asked: Attributes,
) -> Result<Attributes> {
    for parent in parents {
        let sensitive = sensitive(parent);
        let lost = match algorithm {
            Algorithm::Cipher(_) | Algorithm::Encryption(_) if !parent.usage(caller).contains(Usage::DECRYPT) => {
                if parent.owner == *caller { Usage::EXPORT } else { LEAVING }
            }
            Algorithm::Derivation(Derivation::Concatenate) if sensitive && protects(parent) => {
                let detail =
                    format!("key '{}' wraps or unwraps other keys, so no key with other uses is made of it", parent.name);
                return Err(Error::refused(Status::PsaErrorNotPermitted, detail));
            }
            Algorithm::Derivation(Derivation::Concatenate) if sensitive => LEAVING,
            _ => Usage::NONE,
        };
        asked.policy.usage = asked.policy.usage.without(lost);
    }
    Ok(asked)
}

/// The attributes that a copy of a key may have, out of those that were asked for: at most those of the original. The copy of a key
/// that protects others never leaves, because it could come back from under another key as one that decrypts. A copy remembers what the
/// original was permitted, and has the same algorithms. So it wraps nothing that the original must not wrap, and it leaves only under
/// keys under which the original may leave.
///
/// # Errors
/// [`Status::PsaErrorNotPermitted`] for more than that, [`Status::PsaErrorInvalidArgument`] for another type, size or algorithm.
pub(crate) fn copied(original: &Key, mut filing: Filing, mut asked: Attributes) -> Result<(Filing, Attributes)> {
    let (name, have) = (&original.name, &original.attributes);
    let policy = Policy { usage: asked.policy.usage, ..have.policy.clone() };
    if asked != (Attributes { policy, ..have.clone() }) {
        let detail = format!("a copy of key '{name}' is of its type and size, for its algorithms");
        return Err(Error::refused(Status::PsaErrorInvalidArgument, detail));
    }
    if !have.policy.usage.contains(asked.policy.usage) {
        let detail = format!("a copy of key '{name}' may do no more than the key itself");
        return Err(Error::refused(Status::PsaErrorNotPermitted, detail));
    }
    if sensitive(original) && protects(original) {
        asked.policy.usage = asked.policy.usage.without(LEAVING);
    }
    if marked(&original.pkcs11, WRAP_WITH_TRUSTED) {
        filing.pkcs11.retain(|kept| !of_kind(kept, WRAP_WITH_TRUSTED));
        filing.pkcs11.push(Pkcs11Attribute { kind: WRAP_WITH_TRUSTED, value: SET.into() });
    }
    Ok((filing, asked))
}

/// Whether nobody may see the value of a key.
fn sensitive(key: &Key) -> bool {
    !key.attributes.policy.usage.contains(Usage::EXPORT)
}

/// Whether a key can, or ever could, reveal keys that it wraps. A raw signature is a decryption by another name.
fn conflicting(key: &Key) -> bool {
    !key.past.and(CONFLICTING).is_empty() || key.attributes.policy.permits(Signature::RsaRaw.into())
}

fn protects(key: &Key) -> bool {
    !key.past.and(PROTECTING).is_empty()
}
