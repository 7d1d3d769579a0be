//! Asks a distant TPM to prove that it holds a key. The challenge is encrypted: only the TPM with the endorsement key can decrypt
//! it, and only while it holds the key (TPM2_MakeCredential, TPM 2.0 Part 1 §24).

use super::duplicate::cfb;
use super::verify;
use crate::error::{Error, Result};
use crate::providers::software;
use interface::Status;
use interface::algorithm::{Encryption, Hash};
use interface::attributes::{Attributes, KeyType, Policy, Usage};
use interface::operations::ActivateCredentialParams;
use interface::spki::PublicKey;
use lc::HmacSha256;
use zeroize::Zeroizing;

/// Bytes of the seed: as many as the hash of the EK's name has (EK Credential Profile 2.4 §B.3.3).
const SEED: usize = 32;
/// Bytes of the EK's symmetric key.
const CIPHER_KEY: usize = 16;
/// Bytes of an answer.
const ANSWER: usize = 16;

/// A challenge, and the answer that proves all.
pub struct Challenge {
    /// For [`AttestKey`](interface::operations::AttestKey).
    pub params: ActivateCredentialParams,
    /// The answer that the TPM must give.
    pub answer: Zeroizing<Vec<u8>>,
}

/// A challenge to the TPM with this EK, an RSA key, to prove that it holds the key with this public area.
///
/// # Errors
/// [`Status::PsaErrorInvalidArgument`] where the EK or the area is none.
pub fn challenge(ek: &PublicKey, area: &[u8]) -> Result<Challenge> {
    if (ek.key_type, ek.bits) != (KeyType::RsaPublicKey, 2048) {
        return Err(Error::refused(Status::PsaErrorInvalidArgument, "the endorsement key is not an RSA key of 2048 bits"));
    }
    let algorithm = Encryption::RsaOaep { hash: Hash::Sha256 };
    let policy = Policy { usage: Usage::ENCRYPT, algorithm: algorithm.into(), also: Vec::new() };
    let (_, public) = software::ParsedKey::import(&Attributes { key_type: ek.key_type, bits: ek.bits, policy }, &ek.bytes)?;
    let (name, answer, seed) = (verify::name_of(area)?, software::random(ANSWER)?, software::random(SEED)?);
    let mut identity = Zeroizing::new(sized(&answer));
    cfb(&derived(&seed, "STORAGE", &name, 8 * CIPHER_KEY)?[..CIPHER_KEY], &mut identity)?;
    let protected = [identity.as_slice(), &name].concat();
    let integrity = HmacSha256::new(&*derived(&seed, "INTEGRITY", &[], 8 * SEED)?)?.sign(&protected);
    let credential_blob = [sized(&integrity), identity.to_vec()].concat();
    let secret = public.encrypt(algorithm, b"IDENTITY\0", &seed)?;
    Ok(Challenge { params: ActivateCredentialParams { credential_blob, secret }, answer })
}

/// KDFa (TPM 2.0 Part 1 §11.4.10.2) with SHA-256, of up to 256 bits.
fn derived(seed: &[u8], label: &str, context: &[u8], bits: usize) -> Result<Zeroizing<[u8; 32]>> {
    let bits = u32::try_from(bits).unwrap_or_default().to_be_bytes();
    let input = [&1_u32.to_be_bytes(), label.as_bytes(), &[0], context, &bits].concat();
    Ok(Zeroizing::new(HmacSha256::new(seed)?.sign(&input)))
}

/// Bytes after their number, as a TPM2B structure has them.
fn sized(bytes: &[u8]) -> Vec<u8> {
    [&u16::try_from(bytes.len()).unwrap_or_default().to_be_bytes(), bytes].concat()
}
