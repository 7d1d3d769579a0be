//! Authenticated encryption. On the wire the tag follows the ciphertext. A nonce that the service chose precedes it.

use super::Software;
use super::key::{Kind, ParsedKey};
use super::{invalid, library, random};
use crate::admission::Call;
use crate::error::{Error, Result};
use crate::provider::Handle;
use interface::Status;
use interface::algorithm::{Aead, AeadKind};
use interface::operations::{AeadDecrypt, AeadEncrypt, Decrypted, Encrypted, FRESH_NONCE};
use lc::{self, Secret};
use std::ops::RangeInclusive;

/// An authenticated cipher as this backend runs it.
pub(crate) struct Mode {
    aead: lc::Aead,
    tag_len: usize,
    nonces: RangeInclusive<usize>,
}

impl Mode {
    /// The mode that runs `algorithm` with keys of a kind: tags and nonces of the lengths that the PSA Crypto API permits.
    pub(crate) fn of(kind: Kind, algorithm: Aead) -> Result<Self> {
        let (aeads, tags, nonces): (&[lc::Aead], &[usize], _) = match (kind, algorithm.kind) {
            (Kind::Aes(_), AeadKind::Gcm) => (&lc::Aead::AES_GCM, &[4, 8, 12, 13, 14, 15, 16], 1..=usize::MAX),
            (Kind::Aes(_), AeadKind::Ccm) => (&lc::Aead::AES_CCM, &[4, 6, 8, 10, 12, 14, 16], 7..=13),
            (Kind::ChaCha20, AeadKind::ChaCha20Poly1305) => (&[lc::Aead::CHACHA20_POLY1305], &[16], 12..=12),
            _ => {
                return Err(invalid(format!("a key of this type does not encrypt with {:?}", algorithm.kind)));
            }
        };
        let tag_len = algorithm.tag_len.map_or(16, |len| len as usize);
        if !tags.contains(&tag_len) {
            return Err(invalid(format!("{:?} has tags of {tags:?} bytes, not {tag_len}", algorithm.kind)));
        }
        let aead = aeads.iter().find(|aead| kind == Kind::ChaCha20 || kind == Kind::Aes(aead.key_len())).ok_or_else(library)?;
        Ok(Self { aead: *aead, tag_len, nonces })
    }

    fn check_nonce(&self, nonce: &[u8]) -> Result<()> {
        if self.nonces.contains(&nonce.len()) {
            return Ok(());
        }
        let (least, most) = (self.nonces.start(), self.nonces.end());
        Err(invalid(format!("the nonce has {} bytes; the algorithm takes at least {least} and at most {most}", nonce.len())))
    }
}

impl ParsedKey {
    /// Ciphertext and tag.
    pub(crate) fn aead_encrypt(&self, algorithm: Aead, nonce: &[u8], aad: &[u8], plaintext: &[u8]) -> Result<Vec<u8>> {
        let mode = Mode::of(self.kind(), algorithm)?;
        mode.check_nonce(nonce)?;
        let sealed = mode.aead.seal(self.bytes()?, mode.tag_len, nonce, aad, plaintext);
        sealed.map_err(|_| invalid("the message is too long for this algorithm and nonce"))
    }

    /// The plaintext, if ciphertext, nonce and additional data are those that were encrypted.
    pub(crate) fn aead_decrypt(&self, algorithm: Aead, nonce: &[u8], aad: &[u8], ciphertext: &[u8]) -> Result<Secret> {
        let mode = Mode::of(self.kind(), algorithm)?;
        mode.check_nonce(nonce)?;
        if ciphertext.len() < mode.tag_len {
            return Err(invalid(format!("the ciphertext must end with a tag of {} bytes", mode.tag_len)));
        }
        mode.aead
            .open(self.bytes()?, mode.tag_len, nonce, aad, ciphertext)
            .map_err(|_| Error::refused(Status::PsaErrorInvalidSignature, "the tag does not match: wrong key, nonce or data"))
    }
}

impl Handle<AeadEncrypt> for Software {
    fn handle(&self, call: &Call<'_>, op: AeadEncrypt) -> Result<Encrypted> {
        let (key, algorithm) = (self.key(call)?, Self::algorithm(call)?);
        let seal = |nonce: &[u8]| key.aead_encrypt(algorithm, nonce, &op.additional_data, &op.plaintext);
        if !op.nonce.is_empty() || !call.extended() {
            return Ok(Encrypted { ciphertext: seal(&op.nonce)? });
        }
        let nonce = random::bytes(FRESH_NONCE)?;
        Ok(Encrypted { ciphertext: [&nonce[..], &seal(&nonce)?].concat() })
    }
}

impl Handle<AeadDecrypt> for Software {
    fn handle(&self, call: &Call<'_>, op: AeadDecrypt) -> Result<Decrypted> {
        let mut message = self.key(call)?.aead_decrypt(Self::algorithm(call)?, &op.nonce, &op.additional_data, &op.ciphertext)?;
        Ok(Decrypted { plaintext: std::mem::take(&mut *message) })
    }
}
