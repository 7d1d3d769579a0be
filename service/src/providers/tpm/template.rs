//! Templates of the objects that the chip makes.

use tss_esapi::Result;
use tss_esapi::attributes::{ObjectAttributes, ObjectAttributesBuilder};
use tss_esapi::interface_types::algorithm::{HashingAlgorithm, PublicAlgorithm, SymmetricMode};
use tss_esapi::interface_types::ecc::EccCurve;
use tss_esapi::interface_types::key_bits::{AesKeyBits, RsaKeyBits};
use tss_esapi::structures::{
    Digest, EccPoint, EccScheme, HashScheme, KeyDerivationFunctionScheme, KeyedHashScheme, Public, PublicBuilder,
    PublicEccParameters, PublicKeyRsa, PublicKeyedHashParameters, PublicParameters, PublicRsaParameters, RsaExponent, RsaScheme,
    SymmetricCipherParameters, SymmetricDefinitionObject,
};

/// The storage primary: the TCG's template for P-256 (EK Credential Profile 2.4 §B.3.4, as an SRK), made anew from the owner's seed.
pub(super) fn storage() -> Result<Public> {
    let restricted = ObjectAttributesBuilder::new().with_restricted(true).with_decrypt(true);
    p256(restricted, SymmetricDefinitionObject::AES_128_CFB, EccScheme::Null)
}

/// The attestation key: a P-256 key that signs what the chip says, with SHA-256.
pub(super) fn attestation() -> Result<Public> {
    let restricted = ObjectAttributesBuilder::new().with_restricted(true).with_sign_encrypt(true);
    p256(restricted, SymmetricDefinitionObject::Null, EccScheme::EcDsa(HashScheme::new(HashingAlgorithm::Sha256)))
}

/// A key of the chip's own, for one purpose.
fn p256(restricted: ObjectAttributesBuilder, symmetric: SymmetricDefinitionObject, scheme: EccScheme) -> Result<Public> {
    let parameters = PublicEccParameters::new(symmetric, scheme, EccCurve::NistP256, KeyDerivationFunctionScheme::Null);
    public(own(restricted, true)?, PublicAlgorithm::Ecc)
        .with_ecc_parameters(parameters)
        .with_ecc_unique_identifier(EccPoint::default())
        .build()
}

/// Data that the chip keeps for who knows the password.
pub(super) fn sealed() -> Result<Public> {
    let attributes = ObjectAttributesBuilder::new().with_user_with_auth(true).with_no_da(true);
    public(attributes.with_fixed_tpm(true).with_fixed_parent(true).build()?, PublicAlgorithm::KeyedHash)
        .with_keyed_hash_parameters(PublicKeyedHashParameters::new(KeyedHashScheme::Null))
        .with_keyed_hash_unique_identifier(Digest::default())
        .build()
}

/// The kind of key.
#[derive(Clone, Copy)]
pub(super) enum Parameters {
    /// With the public exponent 65537.
    Rsa(RsaKeyBits),
    Ecc(EccCurve),
    Aes(AesKeyBits),
    /// For every hash.
    Hmac,
}

/// The public value: empty where the chip chooses it.
#[derive(Default)]
pub(super) struct Unique {
    pub(super) modulus: PublicKeyRsa,
    pub(super) point: EccPoint,
    /// Digest of a secret key and its seed.
    pub(super) digest: Digest,
}

/// A key for every scheme that its type has. `local`: the chip makes it, and it can never be duplicated.
pub(super) fn key(parameters: Parameters, unique: Unique, local: bool) -> Result<Public> {
    let attributes = own(ObjectAttributesBuilder::new().with_sign_encrypt(true).with_decrypt(true), local)?;
    match parameters.into() {
        PublicParameters::Rsa(rsa) => {
            public(attributes, PublicAlgorithm::Rsa).with_rsa_parameters(rsa).with_rsa_unique_identifier(unique.modulus).build()
        }
        PublicParameters::Ecc(ecc) => {
            public(attributes, PublicAlgorithm::Ecc).with_ecc_parameters(ecc).with_ecc_unique_identifier(unique.point).build()
        }
        PublicParameters::SymCipher(cipher) => public(attributes, PublicAlgorithm::SymCipher)
            .with_symmetric_cipher_parameters(cipher)
            .with_symmetric_cipher_unique_identifier(unique.digest)
            .build(),
        PublicParameters::KeyedHash(hash) => public(attributes, PublicAlgorithm::KeyedHash)
            .with_keyed_hash_parameters(hash)
            .with_keyed_hash_unique_identifier(unique.digest)
            .build(),
    }
}

impl From<Parameters> for PublicParameters {
    fn from(parameters: Parameters) -> Self {
        match parameters {
            Parameters::Rsa(bits) => {
                let exponent = RsaExponent::default();
                Self::Rsa(PublicRsaParameters::new(SymmetricDefinitionObject::Null, RsaScheme::Null, bits, exponent))
            }
            Parameters::Ecc(curve) => Self::Ecc(PublicEccParameters::new(
                SymmetricDefinitionObject::Null,
                EccScheme::Null,
                curve,
                KeyDerivationFunctionScheme::Null,
            )),
            Parameters::Aes(bits) => aes(bits, SymmetricMode::Null),
            Parameters::Hmac => Self::KeyedHash(PublicKeyedHashParameters::new(KeyedHashScheme::Null)),
        }
    }
}

/// AES in one mode, or in whichever each command names.
pub(super) fn aes(key_bits: AesKeyBits, mode: SymmetricMode) -> PublicParameters {
    PublicParameters::SymCipher(SymmetricCipherParameters::new(SymmetricDefinitionObject::Aes { key_bits, mode }))
}

fn public(attributes: ObjectAttributes, algorithm: PublicAlgorithm) -> PublicBuilder {
    PublicBuilder::new()
        .with_public_algorithm(algorithm)
        .with_name_hashing_algorithm(HashingAlgorithm::Sha256)
        .with_object_attributes(attributes)
}

/// No wrong password locks the chip; only a key that the chip made is fixed to it.
fn own(attributes: ObjectAttributesBuilder, local: bool) -> Result<ObjectAttributes> {
    attributes
        .with_user_with_auth(true)
        .with_no_da(true)
        .with_fixed_tpm(local)
        .with_fixed_parent(local)
        .with_sensitive_data_origin(local)
        .build()
}
