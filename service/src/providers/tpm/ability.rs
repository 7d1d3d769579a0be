//! What this chip can do, asked of the chip.

use super::Tpm;
use super::chip::Chip;
use super::failure::Failure;
use super::template::Parameters;
use crate::error::{Error, Result};
use crate::provider::{Call, Handle};
use crate::providers::software;
use interface::Status;
use interface::algorithm::{Algorithm, Hash, Signature};
use interface::attributes::{Attributes, EccFamily, KeyType, Usage};
use interface::message::{Empty, required};
use interface::operations::{CanDoCrypto, CheckType};
use tss_esapi::interface_types::algorithm::HashingAlgorithm;
use tss_esapi::interface_types::ecc::EccCurve;
use tss_esapi::interface_types::key_bits::RsaKeyBits;
use tss_esapi::structures::{HmacScheme, KeyedHashScheme, PublicKeyedHashParameters, PublicParameters};

/// The keys that some TPM has, in the order in which they are told.
const KEYS: &[(KeyType, u32, Parameters)] = &[
    (KeyType::RsaKeyPair, 1024, Parameters::Rsa(RsaKeyBits::Rsa1024)),
    (KeyType::RsaKeyPair, 2048, Parameters::Rsa(RsaKeyBits::Rsa2048)),
    (KeyType::RsaKeyPair, 3072, Parameters::Rsa(RsaKeyBits::Rsa3072)),
    (KeyType::RsaKeyPair, 4096, Parameters::Rsa(RsaKeyBits::Rsa4096)),
    (P, 192, Parameters::Ecc(EccCurve::NistP192)),
    (P, 224, Parameters::Ecc(EccCurve::NistP224)),
    (P, 256, Parameters::Ecc(EccCurve::NistP256)),
    (P, 384, Parameters::Ecc(EccCurve::NistP384)),
    (P, 521, Parameters::Ecc(EccCurve::NistP521)),
];
const P: KeyType = KeyType::EccKeyPair(EccFamily::SecpR1);

/// The hashes that can stand in an ECDSA scheme, the shortest first.
const HASHES: &[(HashingAlgorithm, Hash)] = &[
    (HashingAlgorithm::Sha256, Hash::Sha256),
    (HashingAlgorithm::Sha384, Hash::Sha384),
    (HashingAlgorithm::Sha512, Hash::Sha512),
];

/// What one chip has of it.
pub(super) struct Ability {
    keys: Vec<(KeyType, u32, Parameters)>,
    hashes: Vec<(HashingAlgorithm, Hash)>,
}

impl Ability {
    pub(super) fn probe(chip: &mut Chip) -> Result<Self, Failure> {
        let keys = KEYS.iter().filter_map(|&row| chip.has(row.2.into()).map(|has| has.then_some(row)).transpose());
        let keys = keys.collect::<Result<_, _>>()?;
        let hmac = |hash| KeyedHashScheme::Hmac { hmac_scheme: HmacScheme::new(hash) };
        let keyed = |hash| PublicParameters::KeyedHash(PublicKeyedHashParameters::new(hmac(hash)));
        let hashes = HASHES.iter().filter_map(|&row| chip.has(keyed(row.0)).map(|has| has.then_some(row)).transpose());
        let hashes = hashes.collect::<Result<_, _>>()?;
        Ok(Self { keys, hashes })
    }

    /// What the chip is asked for a pair of this type and size.
    pub(super) fn parameters(&self, key_type: KeyType, bits: u32) -> Result<Parameters> {
        let found = self.keys.iter().find(|row| (row.0, row.1) == (key_type, bits));
        found
            .map(|row| row.2)
            .ok_or_else(|| unsupported(format!("this TPM has no keys of type {key_type:?} with {bits} bits: it has {self}")))
    }

    /// What ECDSA on a curve is asked to sign for a digest, and the hash to name: TPMs sign only what is as long as one of their hashes.
    /// The curve takes the digest's first bits, as many as its order has (FIPS 186-5 §6.4.1); this number does not change.
    pub(super) fn ecdsa(&self, curve_len: usize, digest: &[u8]) -> Result<(HashingAlgorithm, Vec<u8>)> {
        let digest = &digest[..digest.len().min(curve_len)];
        let hash = self.hashes.iter().find(|(_, hash)| hash.len() >= digest.len());
        let (name, hash) = hash.ok_or_else(|| unsupported(format!("this TPM signs no hash of {} bytes", digest.len())))?;
        let mut padded = vec![0; hash.len().min(curve_len) - digest.len()];
        padded.extend_from_slice(digest);
        padded.resize(hash.len(), 0);
        Ok((*name, padded))
    }

    fn check(&self, attributes: &Attributes) -> Result<()> {
        let (key_type, bits) = (attributes.key_type, attributes.bits);
        if key_type.is_public() {
            self.keys
                .iter()
                .find(|row| row.0 == key_type.pair())
                .ok_or_else(|| unsupported(format!("the TPM provider has no keys of type {key_type:?}")))?;
        } else if bits != 0 || !self.keys.iter().any(|row| row.0 == key_type) {
            self.parameters(key_type, bits)?;
        }
        let usage = attributes.policy.usage;
        if !usage.is_empty() && usage.without(Usage::WRAP | Usage::UNWRAP).is_empty() {
            return Err(unsupported("the TPM provider wraps no keys"));
        }
        attributes.policy.algorithms().try_for_each(|algorithm| match algorithm {
            Algorithm::Signature(Signature::EcdsaAny | Signature::Ecdsa { .. }) if key_type.is_pair() => {
                let len = algorithm.hash().map_or(0, Hash::len);
                self.ecdsa(bits.div_ceil(8) as usize, &vec![0; len]).map(drop)
            }
            Algorithm::None | Algorithm::Signature(_) | Algorithm::Encryption(_) | Algorithm::Agreement(_) => Ok(()),
            other => Err(unsupported(format!("the TPM provider has no {other:?}"))),
        })
    }
}

impl std::fmt::Display for Ability {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = |(key_type, bits, _): &(KeyType, u32, Parameters)| match key_type {
            KeyType::RsaKeyPair => format!("RSA-{bits}"),
            _ => format!("P-{bits}"),
        };
        f.write_str(&self.keys.iter().map(name).collect::<Vec<_>>().join(", "))
    }
}

impl Handle<CanDoCrypto> for Tpm {
    fn handle(&self, call: &Call<'_>, op: CanDoCrypto) -> Result<Empty> {
        let attributes: Attributes = required(op.attributes.as_ref())?.try_into()?;
        let check = CheckType::try_from(op.check_type)?;
        if check == CheckType::Derive {
            return Err(unsupported("the TPM provider derives no keys"));
        }
        self.ability.check(&attributes)?;
        software::can_do(check, &attributes, call.allow_deprecated())?;
        Ok(Empty {})
    }
}

fn unsupported(detail: impl Into<String>) -> Error {
    Error::refused(Status::PsaErrorNotSupported, detail)
}
