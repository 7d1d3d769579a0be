//! What the usage flags of a template ask for becomes the policy of a key.

use cryptoki_sys::*;
use interface::algorithm::Algorithm;
use interface::attributes::{Policy, Usage};
use interface::policy::{Job, Repertoire};

use crate::error::{Error, Result};
use crate::ffi::Template;
use crate::mechanism::{self, Family, Work, every, secret::SecretType};

/// The policy of a key pair. One without any usage flag does what it does in other modules, SoftHSM and softokn, but for unwrapping: it signs,
/// and decrypts if it is of RSA.
pub(super) fn pair(family: Family, public: &Template, private: &Template) -> Result<Policy> {
    let silent = without(private, &[CKA_SIGN, CKA_SIGN_RECOVER, CKA_DECRYPT, CKA_UNWRAP, CKA_DERIVE]);
    let decrypt = private.flag(CKA_DECRYPT)?.unwrap_or(silent) && family == Family::Rsa;
    let agrees_only = matches!(family, Family::Montgomery | Family::Dh);
    let agrees = agrees_only || family == Family::Ec;
    let derive = private.flag(CKA_DERIVE)?.unwrap_or(agrees_only) && agrees;
    let kem = family == Family::MlKem;
    let decapsulate = private.flag(CKA_DECAPSULATE)?.unwrap_or(true) && kem;
    let encapsulate = public.flag(CKA_ENCAPSULATE)?.unwrap_or(decapsulate) && kem;
    let signs = !kem && !agrees_only;
    let unwrap = private.flag(CKA_UNWRAP)?.unwrap_or(false) && family == Family::Rsa;
    let recover = private.flag(CKA_SIGN_RECOVER)?.unwrap_or(false) && family == Family::Rsa;
    let sign = recover || private.flag(CKA_SIGN)?.unwrap_or(silent || !decrypt && !derive && !unwrap) && signs;
    let verify_recover = public.flag(CKA_VERIFY_RECOVER)?.unwrap_or(false) && family == Family::Rsa;
    let verify = verify_recover || public.flag(CKA_VERIFY)?.unwrap_or(sign) && signs;
    let encrypt = public.flag(CKA_ENCRYPT)?.unwrap_or(decrypt) && family == Family::Rsa;
    let wrap = public.flag(CKA_WRAP)?.unwrap_or(unwrap) && family == Family::Rsa;
    let usage = usage([
        (sign, Usage::SIGN),
        (verify, Usage::VERIFY),
        (decrypt || decapsulate, Usage::DECRYPT),
        (encrypt || encapsulate, Usage::ENCRYPT),
        (derive, Usage::DERIVE),
        (wrap, Usage::WRAP),
        (unwrap, Usage::UNWRAP),
    ]);
    let decrypts = decrypt || encrypt || decapsulate || encapsulate;
    let jobs = [(sign || verify, Job::Sign), (decrypts, Job::Decrypt), (derive, Job::Agree)];
    let allowed = private.numbers(CKA_ALLOWED_MECHANISMS)?;
    let allowed = allowed.map_or_else(|| public.numbers(CKA_ALLOWED_MECHANISMS), |own| Ok(Some(own)))?;
    let algorithms = algorithms(family, &jobs, usage, allowed.as_deref());
    Ok(policy(usage | leaving(public, private)?, algorithms))
}

/// The policy of a public key alone; one without any usage flag verifies, and encrypts if it is of RSA.
pub(super) fn public(family: Family, template: &Template) -> Result<Policy> {
    let silent = without(template, &[CKA_VERIFY, CKA_VERIFY_RECOVER, CKA_ENCRYPT, CKA_WRAP]);
    let encrypt = template.flag(CKA_ENCRYPT)?.unwrap_or(silent) && family == Family::Rsa;
    let wrap = template.flag(CKA_WRAP)?.unwrap_or(false) && family == Family::Rsa;
    let verify = template.flag(CKA_VERIFY)?.unwrap_or(silent || !encrypt && !wrap);
    let given =
        [(CKA_DECRYPT, encrypt), (CKA_UNWRAP, wrap), (CKA_SIGN, verify)].map(|(kind, wanted)| (kind, [CK_BBOOL::from(wanted)]));
    let private = Template::from(given.each_ref().map(|(kind, value)| (*kind, &value[..])));
    let both = pair(family, template, &private)?;
    let usage = both.usage.and(Usage::VERIFY | Usage::ENCRYPT | Usage::WRAP);
    Ok(Policy { usage, ..both })
}

/// The policy of a secret key; without any usage flag one for HKDF derives, and the others make MACs and encrypt as far as they can. A flag
/// that keys of its type cannot have is no more than a hint.
pub(super) fn secret(secret: &SecretType, template: &Template) -> Result<Policy> {
    let family = secret.family;
    let generic = family == Family::Generic;
    let uses = [CKA_SIGN, CKA_VERIFY, CKA_ENCRYPT, CKA_DECRYPT, CKA_DERIVE, CKA_WRAP, CKA_UNWRAP];
    let silent = without(template, &uses);
    let wants = |kind, default| Ok::<_, Error>(template.flag(kind)?.unwrap_or(default));
    let encrypts_only = matches!(family, Family::ChaCha20 | Family::Des);
    let macs = !encrypts_only && family != Family::Hkdf;
    let encrypts = !matches!(family, Family::Generic | Family::Hkdf);
    let sign = wants(CKA_SIGN, generic || silent)? && macs;
    let verify = wants(CKA_VERIFY, sign)? && macs;
    let encrypt = wants(CKA_ENCRYPT, silent)? && encrypts;
    let decrypt = wants(CKA_DECRYPT, silent)? && encrypts;
    let derive = wants(CKA_DERIVE, family == Family::Hkdf)? && !encrypts_only;
    let wrap = wants(CKA_WRAP, false)? && family == Family::Aes;
    let unwrap = wants(CKA_UNWRAP, false)? && family == Family::Aes;
    let usage = usage([
        (sign, Usage::SIGN),
        (verify, Usage::VERIFY),
        (encrypt, Usage::ENCRYPT),
        (decrypt, Usage::DECRYPT),
        (derive, Usage::DERIVE),
        (wrap, Usage::WRAP),
        (unwrap, Usage::UNWRAP),
    ]);
    let jobs = [(encrypt || decrypt, Job::Encrypt), (sign || verify, Job::Authenticate)];
    let allowed = template.numbers(CKA_ALLOWED_MECHANISMS)?;
    let algorithms = algorithms(family, &jobs, usage, allowed.as_deref());
    Ok(secret.narrow(policy(usage | leaving(template, template)?, algorithms)))
}

/// A service that forbids the first algorithm refuses the whole key, and any other one at its use; so none is the first that may be
/// forbidden.
fn policy(usage: Usage, algorithms: Vec<Algorithm>) -> Policy {
    let weak = algorithms.first().is_some_and(|first| first.deprecated());
    mechanism::policy(usage, weak.then_some(Algorithm::None).into_iter().chain(algorithms))
}

/// The algorithms of a key for these jobs and for wrapping and derivation: those that CKA_ALLOWED_MECHANISMS names, where it is
/// given; else all that need not be named.
fn algorithms(family: Family, jobs: &[(bool, Job)], usage: Usage, allowed: Option<&[CK_MECHANISM_TYPE]>) -> Vec<Algorithm> {
    let jobs = jobs.iter().filter(|(wanted, _)| *wanted);
    let repertoires: Vec<_> = jobs.map(|(_, job)| job.repertoire(family.key_type())).collect();
    let beside: Vec<_> = beside(family, usage).collect();
    let mut chosen = Vec::new();
    let mut choose = |algorithm| {
        if !chosen.contains(&algorithm) {
            chosen.push(algorithm);
        }
    };
    let Some(allowed) = allowed else {
        repertoires.iter().flat_map(Repertoire::unnamed).chain(beside).for_each(choose);
        return chosen;
    };
    let all: Vec<_> = repertoires.iter().flat_map(Repertoire::all).chain(beside).collect();
    let named = mechanism::all().filter(|mechanism| allowed.contains(&mechanism.kind));
    let named = named.flat_map(|mechanism| mechanism.work.algorithms());
    named.filter(|named| all.iter().any(|have| have.permits(*named) || have == named)).for_each(&mut choose);
    chosen
}

/// The algorithms of all mechanisms that wrap or derive with a key of these uses.
fn beside(family: Family, usage: Usage) -> impl Iterator<Item = Algorithm> {
    every(family, move |work| {
        let uses = work.uses().map(|(_, uses)| uses).unwrap_or_default();
        matches!(work, Work::Wrap(_) | Work::Derive(_)) && uses.iter().any(|(_, needed, _)| !usage.and(*needed).is_empty())
    })
}

/// What CKA_EXTRACTABLE and CKA_SENSITIVE permit: the plain value leaves only where a template says so with both; a key that is
/// extractable but sensitive may be copied under the protection of another key. What a template leaves out is for the token to say
/// (PKCS#11 v3.1 §4.9, §4.10): the safer of both. With SoftHSM too, keys are not extractable unless a template asks for it, so that
/// no program reads a value there which it cannot read here, but for one that asks for an extractable key and not for an open one.
///
/// A template for what the key will wrap, unwrap or derive is refused: nobody would keep to it.
fn leaving(public: &Template, template: &Template) -> Result<Usage> {
    let unkept = [CKA_WRAP_TEMPLATE, CKA_UNWRAP_TEMPLATE, CKA_DERIVE_TEMPLATE];
    let given = |kind| public.value(kind).or_else(|| template.value(kind)).is_some_and(|value| !value.is_empty());
    if unkept.into_iter().any(given) {
        return Err(Error::TemplateInconsistent);
    }
    let extractable = template.flag(CKA_EXTRACTABLE)?.unwrap_or(false);
    let sensitive = template.flag(CKA_SENSITIVE)?.unwrap_or(true);
    Ok(usage([(extractable, Usage::COPY), (extractable && !sensitive, Usage::EXPORT)]))
}

/// Whether a template says nothing of these.
fn without(template: &Template, kinds: &[CK_ATTRIBUTE_TYPE]) -> bool {
    kinds.iter().all(|kind| template.value(*kind).is_none())
}

fn usage<const N: usize>(flags: [(bool, Usage); N]) -> Usage {
    let wanted = flags.into_iter().filter(|(wanted, _)| *wanted);
    wanted.fold(Usage::NONE, |all, (_, flag)| all | flag)
}
