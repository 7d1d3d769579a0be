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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithm::Hash;
    use crate::kind;

    #[test]
    fn certificates_have_the_signatures_that_have_an_identifier() {
        let hash = Hash::Sha384.into();
        let null = Some(Any::null());
        for (kind, signature, expected) in [
            (&kind::P384, Signature::Ecdsa { hash }, Some(("1.2.840.10045.4.3.3", None))),
            (&kind::P384, Signature::DeterministicEcdsa { hash }, Some(("1.2.840.10045.4.3.3", None))),
            (&kind::P384, Signature::EcdsaAny, None),
            (&kind::RSA_2048, Signature::RsaPkcs1v15 { hash }, Some(("1.2.840.113549.1.1.12", null))),
            (&kind::RSA_2048, Signature::RsaPkcs1v15Raw, None),
            (&kind::RSA_2048, Signature::RsaRaw, None),
            (&kind::ED25519, Signature::PureEddsa, Some(("1.3.101.112", None))),
            (&kind::ED25519, Signature::Ed25519ctx, None),
            (&kind::ED448, Signature::PureEddsa, Some(("1.3.101.113", None))),
            (&kind::ED448, Signature::Ed448ph, None),
            (&kind::ML_DSA_65, Signature::MlDsa, Some(("2.16.840.1.101.3.4.3.18", None))),
            (&kind::ML_DSA_65, Signature::HashMlDsa { hash }, None),
            (&kind::X25519, Signature::PureEddsa, None),
        ] {
            let identifier = of(signature, kind.key_type, kind.bits).map(|found| (found.oid.to_string(), found.parameters));
            assert_eq!(identifier, expected.map(|(oid, parameters)| (oid.to_owned(), parameters)), "{} {signature:?}", kind.name);
        }
        let pss = |signature| of(signature, kind::RSA_2048.key_type, 2048).unwrap();
        let salted = pss(Signature::RsaPssWith { hash: Hash::Sha384, mgf: Hash::Sha384, salt_len: 48 });
        assert_eq!((pss(Signature::RsaPss { hash }), salted.oid), (salted.clone(), RSASSA_PSS));
    }
}
