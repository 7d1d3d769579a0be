//! What PKCS#11 calls an algorithm. Padding of ciphers, and most of RSA's, is the service's.

use super::failure::Failure;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::mechanism::elliptic_curve::{EcKdf, Ecdh1DeriveParams};
use cryptoki::mechanism::rsa::{PkcsMgfType, PkcsOaepParams, PkcsOaepSource, PkcsPssParams};
use cryptoki::mechanism::vendor_defined::VendorDefinedMechanism;
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki_sys::CK_AES_CTR_PARAMS;
use interface::Status;
use interface::algorithm::{Aead, AeadKind, Cipher, Encryption, Hash, Mac, MacKind, SignHash, Signature};

/// Of a signature of what the caller has hashed.
pub(super) fn signature(algorithm: Signature) -> Result<Mechanism<'static>, Failure> {
    Ok(match algorithm {
        Signature::RsaRaw => Mechanism::RsaX509,
        Signature::RsaPkcs1v15Raw => Mechanism::RsaPkcs,
        Signature::RsaPss { hash: SignHash::Specific(hash) } => pss(hash, hash, hash.len())?,
        Signature::RsaPssWith { hash, mgf, salt_len } => pss(hash, mgf, salt_len as usize)?,
        Signature::EcdsaAny => Mechanism::Ecdsa,
        Signature::PureEddsa => Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Pure)),
        other => return Err(Failure::unsupported(format!("the worker does not sign with {other:?}"))),
    })
}

fn pss(hash: Hash, mgf: Hash, salt_len: usize) -> Result<Mechanism<'static>, Failure> {
    let s_len = salt_len.try_into().map_err(|_| Failure::unsupported("the salt is too long"))?;
    Ok(Mechanism::RsaPkcsPss(PkcsPssParams { hash_alg: digest(hash)?, mgf: mask(mgf)?, s_len }))
}

/// Of decryption with a private key.
pub(super) fn encryption(algorithm: Encryption, label: &[u8]) -> Result<Mechanism<'_>, Failure> {
    let oaep = |hash, mgf| {
        let source = if label.is_empty() { PkcsOaepSource::empty() } else { PkcsOaepSource::data_specified(label) };
        Ok(Mechanism::RsaPkcsOaep(PkcsOaepParams::new(digest(hash)?, mask(mgf)?, source)))
    };
    match algorithm {
        Encryption::RsaRaw => Ok(Mechanism::RsaX509),
        Encryption::RsaOaep { hash } => oaep(hash, hash),
        Encryption::RsaOaepWith { hash, mgf } => oaep(hash, mgf),
        Encryption::RsaPkcs1v15 => Err(Failure::unsupported("the worker does not unpad PKCS#1 v1.5")),
    }
}

/// Of a MAC, uncut.
pub(super) fn mac(mac: Mac) -> Result<Mechanism<'static>, Failure> {
    Ok(match mac.kind {
        MacKind::Hmac { hash: Hash::Sha1 } => Mechanism::Sha1Hmac,
        MacKind::Hmac { hash: Hash::Sha224 } => Mechanism::Sha224Hmac,
        MacKind::Hmac { hash: Hash::Sha256 } => Mechanism::Sha256Hmac,
        MacKind::Hmac { hash: Hash::Sha384 } => Mechanism::Sha384Hmac,
        MacKind::Hmac { hash: Hash::Sha512 } => Mechanism::Sha512Hmac,
        MacKind::Cmac => Mechanism::AesCMac,
        other => return Err(Failure::unsupported(format!("the worker has no {other:?}"))),
    })
}

/// Of AES on whole blocks, or as a stream.
pub(super) fn cipher<'a>(cipher: Cipher, iv: &[u8], room: &'a mut Option<CK_AES_CTR_PARAMS>) -> Result<Mechanism<'a>, Failure> {
    let block = || iv.try_into().map_err(|_| Failure::Refused(Status::PsaErrorInvalidArgument, "the IV is no block".to_owned()));
    Ok(match cipher {
        Cipher::EcbNoPadding => Mechanism::AesEcb,
        Cipher::CbcNoPadding => Mechanism::AesCbc(block()?),
        Cipher::Ctr => {
            let params = room.insert(CK_AES_CTR_PARAMS { ulCounterBits: 128, cb: block()? });
            Mechanism::VendorDefined(VendorDefinedMechanism::new(MechanismType::AES_CTR, Some(&*params)))
        }
        other => return Err(Failure::unsupported(format!("the worker does not encrypt with {other:?}"))),
    })
}

/// Bytes of the initialisation vector.
pub(super) fn iv_len(cipher: Cipher) -> usize {
    if cipher == Cipher::EcbNoPadding { 0 } else { 16 }
}

/// Of authenticated encryption.
pub(super) fn aead<'a>(aead: Aead, nonce: &'a mut [u8], additional: &'a [u8]) -> Result<Mechanism<'a>, Failure> {
    match aead.kind {
        AeadKind::Gcm => {
            let bits = 8 * u64::from(aead.tag_len.unwrap_or(16));
            Ok(Mechanism::AesGcm(GcmParams::new(nonce, additional, bits.into())?))
        }
        other => Err(Failure::unsupported(format!("the worker does not encrypt with {other:?}"))),
    }
}

/// Of a raw key agreement.
pub(super) fn agreement(peer: &[u8]) -> Mechanism<'_> {
    Mechanism::Ecdh1Derive(Ecdh1DeriveParams::new(EcKdf::null(), peer))
}

fn digest(hash: Hash) -> Result<MechanismType, Failure> {
    rows(hash).map(|(digest, _)| digest)
}

fn mask(hash: Hash) -> Result<PkcsMgfType, Failure> {
    rows(hash).map(|(_, mask)| mask)
}

fn rows(hash: Hash) -> Result<(MechanismType, PkcsMgfType), Failure> {
    Ok(match hash {
        Hash::Sha1 => (MechanismType::SHA1, PkcsMgfType::MGF1_SHA1),
        Hash::Sha224 => (MechanismType::SHA224, PkcsMgfType::MGF1_SHA224),
        Hash::Sha256 => (MechanismType::SHA256, PkcsMgfType::MGF1_SHA256),
        Hash::Sha384 => (MechanismType::SHA384, PkcsMgfType::MGF1_SHA384),
        Hash::Sha512 => (MechanismType::SHA512, PkcsMgfType::MGF1_SHA512),
        other => return Err(Failure::unsupported(format!("PKCS#11 has no {other:?} for RSA"))),
    })
}
