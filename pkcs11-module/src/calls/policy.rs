//! What the usage flags of a template ask for becomes the policy of a key.

use cryptoki_sys::*;
use interface::algorithm::{Agreement, Algorithm, Encryption, Hash, Mac, MacKind};
use interface::attributes::{Policy, Usage};

use crate::error::Result;
use crate::ffi::Template;
use crate::mechanism::{self, Family, signing_policy};

/// The policy of a key pair; one without any usage flag signs.
pub(super) fn pair(family: Family, public: &Template, private: &Template) -> Result<Policy> {
    let decrypt = private.flag(CKA_DECRYPT)?.unwrap_or(false) && family == Family::Rsa;
    let derive = private.flag(CKA_DERIVE)?.unwrap_or(false) && family == Family::Ec;
    let sign = private.flag(CKA_SIGN)?.unwrap_or(!decrypt && !derive);
    let verify = public.flag(CKA_VERIFY)?.unwrap_or(sign);
    let encrypt = public.flag(CKA_ENCRYPT)?.unwrap_or(decrypt) && family == Family::Rsa;
    let usage = usage([
        (sign, Usage::SIGN),
        (verify, Usage::VERIFY),
        (decrypt, Usage::DECRYPT),
        (encrypt, Usage::ENCRYPT),
        (derive, Usage::DERIVE),
    ]);
    let mut algorithms = Vec::new();
    if sign || verify {
        algorithms.extend(signing_policy(family, usage).algorithms());
    }
    if decrypt || encrypt {
        algorithms.push(Encryption::RsaPkcs1v15.into());
        let hashes = [Hash::Sha256, Hash::Sha384, Hash::Sha512];
        let oaep = hashes.map(|hash| Algorithm::Encryption(Encryption::RsaOaep { hash }));
        algorithms.extend(oaep);
    }
    if derive {
        algorithms.push(Agreement::Ecdh.into());
    }
    Ok(mechanism::policy(usage | leaving(private)?, algorithms))
}

/// The policy of a public key alone; one without any usage flag verifies.
pub(super) fn public(family: Family, template: &Template) -> Result<Policy> {
    let encrypt = template.flag(CKA_ENCRYPT)?.unwrap_or(false) && family == Family::Rsa;
    let verify = template.flag(CKA_VERIFY)?.unwrap_or(!encrypt);
    let given = [
        (CKA_DECRYPT, [CK_BBOOL::from(encrypt)]),
        (CKA_SIGN, [CK_BBOOL::from(verify)]),
    ];
    let private = Template::from(given.each_ref().map(|(kind, value)| (*kind, &value[..])));
    let both = pair(family, template, &private)?;
    let usage = both.usage.and(Usage::VERIFY | Usage::ENCRYPT);
    Ok(Policy { usage, ..both })
}

/// The policy of a secret key; a generic one without any usage flag makes MACs.
pub(super) fn secret(family: Family, template: &Template) -> Result<Policy> {
    let generic = family == Family::Generic;
    let sign = template.flag(CKA_SIGN)?.unwrap_or(generic);
    let verify = template.flag(CKA_VERIFY)?.unwrap_or(sign);
    let mut algorithms: Vec<Algorithm> = Vec::new();
    let macs = generic && (sign || verify);
    if macs {
        algorithms.extend(MAC_HASHES.map(|hash| Algorithm::Mac(hmac(hash))));
    }
    let usage = usage([(sign && macs, Usage::SIGN), (verify && macs, Usage::VERIFY)]);
    Ok(mechanism::policy(usage | leaving(template)?, algorithms))
}

/// Services refuse new keys for older ones.
const MAC_HASHES: [Hash; 4] = [Hash::Sha224, Hash::Sha256, Hash::Sha384, Hash::Sha512];

fn hmac(hash: Hash) -> Mac {
    Mac {
        kind: MacKind::Hmac { hash },
        len: None,
    }
}

/// What CKA_EXTRACTABLE and CKA_SENSITIVE permit: the plain value leaves only where a template says so with both; a key that is
/// extractable but sensitive may be copied under the protection of another key.
fn leaving(template: &Template) -> Result<Usage> {
    let extractable = template.flag(CKA_EXTRACTABLE)?.unwrap_or(false);
    let sensitive = template.flag(CKA_SENSITIVE)?.unwrap_or(true);
    Ok(usage([
        (extractable, Usage::COPY),
        (extractable && !sensitive, Usage::EXPORT),
    ]))
}

fn usage<const N: usize>(flags: [(bool, Usage); N]) -> Usage {
    let wanted = flags.into_iter().filter(|(wanted, _)| *wanted);
    wanted.fold(Usage::NONE, |all, (_, flag)| all | flag)
}
