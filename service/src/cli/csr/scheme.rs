//! Signature schemes as certificates name them.

use super::super::context::{Context, KeyRecord};
use super::super::error::{During, Error, Result};
use interface::algorithm::{Algorithm, Hash, Signature};
use interface::attributes::Attributes;
use interface::ecdsa;
use interface::hash::Hasher;
use interface::identifier;
use spki::AlgorithmIdentifierOwned;

/// How a key signs a certificate.
pub(super) struct CertificateScheme {
    signature: Signature,
    hash: Hash,
    pub(super) identifier: AlgorithmIdentifierOwned,
}

/// The hashes of certificates.
const HASHES: [Hash; 3] = [Hash::Sha256, Hash::Sha384, Hash::Sha512];

impl CertificateScheme {
    /// The first scheme that the key's policy permits, among the hashes the one that suits the key's size first.
    pub(super) fn of(attributes: &Attributes) -> Option<Self> {
        let rsa = attributes.key_type.family().is_none();
        let suits = |hash: Hash| rsa || hash.len() * 8 >= attributes.bits.min(512) as usize;
        let suited = HASHES.into_iter().filter(|hash| suits(*hash));
        let others = HASHES.into_iter().filter(|hash| !suits(*hash));
        let restricted = |row: Hash| {
            attributes.policy.algorithms().filter_map(move |algorithm| match algorithm {
                Algorithm::Signature(signature @ Signature::RsaPssWith { hash, .. }) if hash == row => Some(signature),
                _ => None,
            })
        };
        let hashed = suited.chain(others).flat_map(|row| {
            let hash = row.into();
            let each = [
                Signature::Ecdsa { hash },
                Signature::DeterministicEcdsa { hash },
                Signature::EcdsaAny,
                Signature::RsaPkcs1v15 { hash },
                Signature::RsaPss { hash },
            ];
            each.into_iter().chain(restricted(row)).map(move |signature| (signature, row))
        });
        let whole = identifier::whole_message(attributes.key_type).map(|signature| (signature, Hash::Sha512));
        let mut all = hashed.chain(whole);
        let (signature, hash) = all.find(|(signature, _)| attributes.policy.permits((*signature).into()))?;
        let named = if signature == Signature::EcdsaAny { Signature::Ecdsa { hash: hash.into() } } else { signature };
        let identifier = identifier::of(named, attributes.key_type, attributes.bits)?;
        Some(Self { signature, hash, identifier })
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
