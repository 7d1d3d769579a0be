//! Signature schemes as certificates name them.

use super::super::context::{Context, KeyRecord};
use super::super::error::{During, Error, Result};
use der::asn1::{Any, Null, ObjectIdentifier};
use der::{Decode, Encode};
use interface::algorithm::{Algorithm, Hash, Signature};
use interface::attributes::Attributes;
use interface::ecdsa;
use interface::hash::Hasher;
use interface::kind::Parameters;
use interface::pss::{Pss, RSASSA_PSS};
use spki::AlgorithmIdentifierOwned;

/// How a key signs a certificate.
pub(super) struct CertificateScheme {
    signature: Signature,
    hash: Hash,
    pub(super) identifier: AlgorithmIdentifierOwned,
}

/// The hashes of certificates, with the last arcs of their object identifiers: under ecdsa-with-SHA2 (RFC 5758 §3.2), and under
/// pkcs-1 (RFC 8017 §A.2.4).
const HASHES: &[(Hash, u32, u32)] = &[(Hash::Sha256, 2, 11), (Hash::Sha384, 3, 12), (Hash::Sha512, 4, 13)];

fn oid(base: &str, arc: u32) -> Result<ObjectIdentifier> {
    format!("{base}.{arc}").parse().map_err(|_| Error::Failed(format!("{base}.{arc} is no object identifier")))
}

fn pss(parameters: Pss) -> Result<AlgorithmIdentifierOwned> {
    Ok(AlgorithmIdentifierOwned { oid: RSASSA_PSS, parameters: Some(parameters.to_parameters()?) })
}

fn identifier(oid: ObjectIdentifier, parameters: Option<&impl Encode>) -> Result<AlgorithmIdentifierOwned> {
    let parameters = parameters.map(|value| Any::from_der(&value.to_der()?));
    Ok(AlgorithmIdentifierOwned { oid, parameters: parameters.transpose()? })
}

impl CertificateScheme {
    /// The first scheme that the key's policy permits, among the hashes the one that suits the key's size first.
    pub(super) fn of(attributes: &Attributes) -> Option<Self> {
        let rsa = attributes.key_type.family().is_none();
        let suits = |hash: Hash| rsa || hash.len() * 8 >= attributes.bits.min(512) as usize;
        let suited = HASHES.iter().filter(|row| suits(row.0));
        let others = HASHES.iter().filter(|row| !suits(row.0));
        let restricted = |row: Hash| {
            attributes.policy.algorithms().filter_map(move |algorithm| match algorithm {
                Algorithm::Signature(signature @ Signature::RsaPssWith { hash, .. }) if hash == row => Some(signature),
                _ => None,
            })
        };
        let hashed = suited.chain(others).flat_map(|row| {
            let hash = row.0.into();
            let each = [
                Signature::Ecdsa { hash },
                Signature::DeterministicEcdsa { hash },
                Signature::EcdsaAny,
                Signature::RsaPkcs1v15 { hash },
                Signature::RsaPss { hash },
            ];
            each.into_iter().chain(restricted(row.0)).map(move |signature| (signature, row))
        });
        let whole = [Signature::PureEddsa, Signature::MlDsa].map(|signature| (signature, &HASHES[2]));
        let mut all = hashed.chain(whole);
        let (signature, row) = all.find(|(signature, _)| attributes.policy.permits((*signature).into()))?;
        Some(Self { signature, hash: row.0, identifier: Self::identifier(attributes, signature, row).ok()? })
    }

    fn identifier(
        attributes: &Attributes,
        signature: Signature,
        &(hash, ecdsa, rsa): &(Hash, u32, u32),
    ) -> Result<AlgorithmIdentifierOwned> {
        const PKCS1: &str = "1.2.840.113549.1.1";
        match signature {
            Signature::Ecdsa { .. } | Signature::DeterministicEcdsa { .. } | Signature::EcdsaAny => {
                identifier(oid("1.2.840.10045.4.3", ecdsa)?, None::<&Null>)
            }
            Signature::RsaPkcs1v15 { .. } | Signature::RsaPkcs1v15Raw => identifier(oid(PKCS1, rsa)?, Some(&Null)),
            Signature::RsaPss { .. } => pss(Pss { hash, mgf: hash, salt_len: u32::try_from(hash.len()).unwrap_or(u32::MAX) }),
            Signature::RsaPssWith { hash, mgf, salt_len } => pss(Pss { hash, mgf, salt_len }),
            // RFC 8410 §3, RFC 9881 §2: the algorithm of the key is that of the signature
            Signature::PureEddsa | Signature::MlDsa | Signature::HashMlDsa { .. } => {
                let named = Parameters::of(attributes.key_type, attributes.bits);
                let named = named.ok_or_else(|| Error::Failed("the key's type has no object identifier".to_owned()))?;
                identifier(named.oid, None::<&Null>)
            }
            Signature::RsaRaw
            | Signature::Ed25519ctx
            | Signature::Ed25519ph
            | Signature::Ed448ph
            | Signature::Dsa { .. }
            | Signature::DsaAny => Err(Error::Failed(format!("certificates are not signed with {signature:?}"))),
        }
    }

    /// Has the service sign, and gives the signature the form that certificates want.
    pub(super) fn sign(&self, context: &Context, key: &KeyRecord, message: &[u8]) -> Result<Vec<u8>> {
        let input = if self.signature.whole_message() { Some(message.to_vec()) } else { Hasher::digest(self.hash, &[message]) };
        let input = input.ok_or_else(|| Error::Failed(format!("{:?} is not computed here", self.hash)))?;
        let signed = key.reference().sign(&context.client, self.signature.into(), input, Vec::new());
        self.encode(signed.during(|| format!("sign with key '{}'", key.name()))?)
    }

    /// ECDSA signatures become a sequence of two numbers; the others are as they are.
    pub(super) fn encode(&self, signature: Vec<u8>) -> Result<Vec<u8>> {
        match self.signature {
            Signature::Ecdsa { .. } | Signature::DeterministicEcdsa { .. } | Signature::EcdsaAny => {
                ecdsa::to_der(&signature).ok_or_else(|| Error::Failed("the service's signature is no two numbers".to_owned()))
            }
            _ => Ok(signature),
        }
    }
}
