//! Signature algorithms as certificates name them (`AlgorithmIdentifier`, RFC 5280 §4.1.1.2).

use crate::algorithm::Signature;
use crate::attributes::KeyType;
use crate::kind::Parameters;
use crate::policy::Job;
use crate::pss::{Pss, RSASSA_PSS};
use der::asn1::{Any, ObjectIdentifier};
use spki::AlgorithmIdentifierOwned;

/// The identifier of such signatures by keys of this type and size. `None` if certificates have none of them.
pub fn of(signature: Signature, key_type: KeyType, bits: u32) -> Option<AlgorithmIdentifierOwned> {
    let hash = signature.hash();
    let oid = |text: Option<&str>| ObjectIdentifier::new(text?).ok();
    let pss = |pss: Pss| Some((Some(RSASSA_PSS), Some(pss.to_parameters().ok()?)));
    let (oid, parameters) = match signature {
        // RFC 5758 §3.2
        Signature::Ecdsa { .. } | Signature::DeterministicEcdsa { .. } => (oid(hash?.with_ecdsa()), None),
        Signature::RsaPkcs1v15 { .. } => (oid(hash?.with_rsa()), Some(Any::null())),
        Signature::RsaPss { .. } => pss(Pss { hash: hash?, mgf: hash?, salt_len: u32::try_from(hash?.len()).ok()? })?,
        Signature::RsaPssWith { hash, mgf, salt_len } => pss(Pss { hash, mgf, salt_len })?,
        // RFC 8410 §3, RFC 9881 §2: the algorithm of the key is that of the signature
        _ => (Some(Parameters::of(key_type, bits).filter(|_| whole_message(key_type) == Some(signature))?.oid), None),
    };
    Some(AlgorithmIdentifierOwned { oid: oid?, parameters })
}

/// The scheme in which certificates are signed with such keys, if it signs the message itself.
pub fn whole_message(key_type: KeyType) -> Option<Signature> {
    let best = Job::Sign.repertoire(key_type).usual.first().copied()?;
    Signature::try_from(best).ok().filter(|signature| signature.whole_message())
}
