//! Between the algorithms and their messages, both ways. Parsed, not validated: what comes out of a message is complete and known.

use super::{Aead, Algorithm, Derivation, Encryption, Hash, Mac, MacKind, SignHash, Signature};
use crate::Status;
use crate::message::{self, required};

fn hash(message: &message::HashAlg) -> Result<Hash, Status> {
    message.hash_alg.try_into()
}

fn sign_hash(message: &message::SignHashAlg) -> Result<SignHash, Status> {
    use message::sign_hash::Variant;
    Ok(match required(required(message.hash_alg.as_ref())?.variant.as_ref())? {
        Variant::Any(_) => SignHash::Any,
        Variant::Specific(hash) => SignHash::Specific((*hash).try_into()?),
    })
}

impl TryFrom<&message::AsymmetricSignature> for Signature {
    type Error = Status;

    fn try_from(message: &message::AsymmetricSignature) -> Result<Self, Status> {
        use message::asymmetric_signature::Variant;
        Ok(match required(message.variant.as_ref())? {
            Variant::RsaPkcs1v15Sign(m) => Self::RsaPkcs1v15 { hash: sign_hash(m)? },
            Variant::RsaPkcs1v15SignRaw(_) => Self::RsaPkcs1v15Raw,
            Variant::RsaPss(m) => Self::RsaPss { hash: sign_hash(m)? },
            Variant::Ecdsa(m) => Self::Ecdsa { hash: sign_hash(m)? },
            Variant::EcdsaAny(_) => Self::EcdsaAny,
            Variant::DeterministicEcdsa(m) => Self::DeterministicEcdsa { hash: sign_hash(m)? },
            Variant::PureEddsa(_) => Self::PureEddsa,
            Variant::Ed25519ctx(_) => Self::Ed25519ctx,
            Variant::Ed25519ph(_) => Self::Ed25519ph,
            Variant::Ed448ph(_) => Self::Ed448ph,
            Variant::Dsa(m) => Self::Dsa { hash: sign_hash(m)? },
            Variant::DsaAny(_) => Self::DsaAny,
            Variant::RsaRaw(_) => Self::RsaRaw,
            Variant::RsaPssWith(m) => {
                Self::RsaPssWith { hash: m.hash_alg.try_into()?, mgf: m.mgf_hash_alg.try_into()?, salt_len: m.salt_length }
            }
            Variant::MlDsa(_) => Self::MlDsa,
            Variant::HashMlDsa(m) => Self::HashMlDsa { hash: sign_hash(m)? },
        })
    }
}

impl TryFrom<&message::AsymmetricEncryption> for Encryption {
    type Error = Status;

    fn try_from(message: &message::AsymmetricEncryption) -> Result<Self, Status> {
        use message::asymmetric_encryption::Variant;
        Ok(match required(message.variant.as_ref())? {
            Variant::RsaPkcs1v15Crypt(_) => Self::RsaPkcs1v15,
            Variant::RsaOaep(m) => Self::RsaOaep { hash: hash(m)? },
            Variant::RsaOaepWith(m) => Self::RsaOaepWith { hash: m.hash_alg.try_into()?, mgf: m.mgf_hash_alg.try_into()? },
            Variant::RsaRaw(_) => Self::RsaRaw,
        })
    }
}

impl TryFrom<&message::Aead> for Aead {
    type Error = Status;

    fn try_from(message: &message::Aead) -> Result<Self, Status> {
        use message::aead::Variant;
        Ok(match required(message.variant.as_ref())? {
            Variant::DefaultLengthTag(kind) => Self { kind: (*kind).try_into()?, tag_len: None },
            Variant::ShortenedTag(m) => Self { kind: m.aead_alg.try_into()?, tag_len: Some(m.tag_length) },
        })
    }
}

impl TryFrom<&message::FullLengthMac> for MacKind {
    type Error = Status;

    fn try_from(message: &message::FullLengthMac) -> Result<Self, Status> {
        use message::full_length_mac::Variant;
        Ok(match required(message.variant.as_ref())? {
            Variant::Hmac(m) => Self::Hmac { hash: hash(m)? },
            Variant::CbcMac(_) => Self::CbcMac,
            Variant::Cmac(_) => Self::Cmac,
        })
    }
}

impl TryFrom<&message::Mac> for Mac {
    type Error = Status;

    fn try_from(message: &message::Mac) -> Result<Self, Status> {
        use message::mac::Variant;
        Ok(match required(message.variant.as_ref())? {
            Variant::FullLength(m) => Self { kind: m.try_into()?, len: None },
            Variant::Truncated(m) => Self { kind: required(m.mac_alg.as_ref())?.try_into()?, len: Some(m.mac_length) },
        })
    }
}

impl TryFrom<&message::KeyDerivation> for Derivation {
    type Error = Status;

    fn try_from(message: &message::KeyDerivation) -> Result<Self, Status> {
        use message::key_derivation::Variant;
        Ok(match required(message.variant.as_ref())? {
            Variant::Hkdf(m) => Self::Hkdf { hash: hash(m)? },
            Variant::Tls12Prf(m) => Self::Tls12Prf { hash: hash(m)? },
            Variant::Tls12PskToMs(m) => Self::Tls12PskToMs { hash: hash(m)? },
            Variant::X963(m) => Self::X963 { hash: hash(m)? },
            Variant::Digest(m) => Self::Digest { hash: hash(m)? },
            Variant::Concatenate(_) => Self::Concatenate,
            Variant::Encrypt(cipher) => Self::Encrypt { cipher: (*cipher).try_into()? },
        })
    }
}

impl TryFrom<&message::Algorithm> for Algorithm {
    type Error = Status;

    fn try_from(message: &message::Algorithm) -> Result<Self, Status> {
        use message::algorithm::Variant;
        Ok(match required(message.variant.as_ref())? {
            Variant::None(_) => Self::None,
            Variant::Hash(hash) => Self::Hash((*hash).try_into()?),
            Variant::Mac(m) => Self::Mac(m.try_into()?),
            Variant::Cipher(cipher) => Self::Cipher((*cipher).try_into()?),
            Variant::Aead(m) => Self::Aead(m.try_into()?),
            Variant::AsymmetricSignature(m) => Self::Signature(m.try_into()?),
            Variant::AsymmetricEncryption(m) => Self::Encryption(m.try_into()?),
            Variant::KeyAgreement(m) => agreement(m)?,
            Variant::KeyDerivation(m) => Self::Derivation(m.try_into()?),
            Variant::Kem(kem) => Self::Kem((*kem).try_into()?),
        })
    }
}

fn agreement(message: &message::KeyAgreement) -> Result<Algorithm, Status> {
    use message::key_agreement::Variant;
    Ok(match required(message.variant.as_ref())? {
        Variant::Raw(agreement) => Algorithm::Agreement((*agreement).try_into()?),
        Variant::WithKeyDerivation(m) => {
            Algorithm::AgreementWithDerivation(m.ka_alg.try_into()?, required(m.kdf_alg.as_ref())?.try_into()?)
        }
    })
}

impl From<Hash> for message::HashAlg {
    fn from(hash: Hash) -> Self {
        Self { hash_alg: hash.into() }
    }
}

impl From<SignHash> for message::SignHashAlg {
    fn from(hash: SignHash) -> Self {
        use message::sign_hash::Variant;
        let variant = match hash {
            SignHash::Any => Variant::Any(message::Empty {}),
            SignHash::Specific(hash) => Variant::Specific(hash.into()),
        };
        Self { hash_alg: Some(variant.into()) }
    }
}

impl From<Signature> for message::AsymmetricSignature {
    fn from(signature: Signature) -> Self {
        use message::asymmetric_signature::Variant;
        let empty = message::Empty {};
        match signature {
            Signature::RsaPkcs1v15 { hash } => Variant::RsaPkcs1v15Sign(hash.into()),
            Signature::RsaPkcs1v15Raw => Variant::RsaPkcs1v15SignRaw(empty),
            Signature::RsaPss { hash } => Variant::RsaPss(hash.into()),
            Signature::Ecdsa { hash } => Variant::Ecdsa(hash.into()),
            Signature::EcdsaAny => Variant::EcdsaAny(empty),
            Signature::DeterministicEcdsa { hash } => Variant::DeterministicEcdsa(hash.into()),
            Signature::PureEddsa => Variant::PureEddsa(empty),
            Signature::Ed25519ctx => Variant::Ed25519ctx(empty),
            Signature::Ed25519ph => Variant::Ed25519ph(empty),
            Signature::Ed448ph => Variant::Ed448ph(empty),
            Signature::Dsa { hash } => Variant::Dsa(hash.into()),
            Signature::DsaAny => Variant::DsaAny(empty),
            Signature::RsaRaw => Variant::RsaRaw(empty),
            Signature::RsaPssWith { hash, mgf, salt_len } => Variant::RsaPssWith(message::PssParameters {
                hash_alg: hash.into(),
                mgf_hash_alg: mgf.into(),
                salt_length: salt_len,
            }),
            Signature::MlDsa => Variant::MlDsa(empty),
            Signature::HashMlDsa { hash } => Variant::HashMlDsa(hash.into()),
        }
        .into()
    }
}

impl From<Encryption> for message::AsymmetricEncryption {
    fn from(encryption: Encryption) -> Self {
        use message::asymmetric_encryption::Variant;
        match encryption {
            Encryption::RsaPkcs1v15 => Variant::RsaPkcs1v15Crypt(message::Empty {}),
            Encryption::RsaOaep { hash } => Variant::RsaOaep(hash.into()),
            Encryption::RsaOaepWith { hash, mgf } => {
                Variant::RsaOaepWith(message::OaepParameters { hash_alg: hash.into(), mgf_hash_alg: mgf.into() })
            }
            Encryption::RsaRaw => Variant::RsaRaw(message::Empty {}),
        }
        .into()
    }
}

impl From<Aead> for message::Aead {
    fn from(aead: Aead) -> Self {
        use message::aead::Variant;
        let aead_alg = aead.kind.into();
        match aead.tag_len {
            None => Variant::DefaultLengthTag(aead_alg),
            Some(tag_length) => Variant::ShortenedTag(message::ShortenedAead { aead_alg, tag_length }),
        }
        .into()
    }
}

impl From<MacKind> for message::FullLengthMac {
    fn from(kind: MacKind) -> Self {
        use message::full_length_mac::Variant;
        match kind {
            MacKind::Hmac { hash } => Variant::Hmac(hash.into()),
            MacKind::CbcMac => Variant::CbcMac(message::Empty {}),
            MacKind::Cmac => Variant::Cmac(message::Empty {}),
        }
        .into()
    }
}

impl From<Mac> for message::Mac {
    fn from(mac: Mac) -> Self {
        use message::mac::Variant;
        match mac.len {
            None => Variant::FullLength(mac.kind.into()),
            Some(mac_length) => Variant::Truncated(message::TruncatedMac { mac_alg: Some(mac.kind.into()), mac_length }),
        }
        .into()
    }
}

impl From<Derivation> for message::KeyDerivation {
    fn from(derivation: Derivation) -> Self {
        use message::key_derivation::Variant;
        match derivation {
            Derivation::Hkdf { hash } => Variant::Hkdf(hash.into()),
            Derivation::Tls12Prf { hash } => Variant::Tls12Prf(hash.into()),
            Derivation::Tls12PskToMs { hash } => Variant::Tls12PskToMs(hash.into()),
            Derivation::X963 { hash } => Variant::X963(hash.into()),
            Derivation::Digest { hash } => Variant::Digest(hash.into()),
            Derivation::Concatenate => Variant::Concatenate(message::Empty {}),
            Derivation::Encrypt { cipher } => Variant::Encrypt(cipher.into()),
        }
        .into()
    }
}

impl From<Algorithm> for message::Algorithm {
    fn from(algorithm: Algorithm) -> Self {
        use message::algorithm::Variant;
        use message::key_agreement::Variant as Agree;
        match algorithm {
            Algorithm::None => Variant::None(message::Empty {}),
            Algorithm::Hash(hash) => Variant::Hash(hash.into()),
            Algorithm::Mac(mac) => Variant::Mac(mac.into()),
            Algorithm::Cipher(cipher) => Variant::Cipher(cipher.into()),
            Algorithm::Aead(aead) => Variant::Aead(aead.into()),
            Algorithm::Signature(signature) => Variant::AsymmetricSignature(signature.into()),
            Algorithm::Encryption(encryption) => Variant::AsymmetricEncryption(encryption.into()),
            Algorithm::Agreement(agreement) => Variant::KeyAgreement(Agree::Raw(agreement.into()).into()),
            Algorithm::AgreementWithDerivation(agreement, kdf) => {
                let with = message::AgreementWithDerivation { ka_alg: agreement.into(), kdf_alg: Some(kdf.into()) };
                Variant::KeyAgreement(Agree::WithKeyDerivation(with).into())
            }
            Algorithm::Derivation(kdf) => Variant::KeyDerivation(kdf.into()),
            Algorithm::Kem(kem) => Variant::Kem(kem.into()),
        }
        .into()
    }
}
