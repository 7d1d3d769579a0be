//! Secret keys: AES and HMAC in the token. The service pads, and makes initialisation vectors and nonces.

use super::{Hsm, invalid, wrong};
use crate::admission::Call;
use crate::error::{Error, Result};
use crate::providers::software;
use interface::Status;
use interface::algorithm::{Aead, Algorithm, Cipher, Mac, MacKind};
use interface::message::Empty;
use interface::operations::{
    AeadDecrypt, AeadEncrypt, CipherDecrypt, CipherEncrypt, Decrypted, Encrypted, FRESH_NONCE, MacCompute, MacVerify, Maced,
};
use std::ops::RangeInclusive;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Bytes of a block of AES, and of its CMAC.
const BLOCK: usize = 16;
/// Lengths in bytes that CMAC is cut to.
const CMAC: RangeInclusive<u32> = 4..=16;
/// Lengths in bytes of tags that the PSA Crypto API permits for GCM.
const TAGS: [u32; 7] = [4, 8, 12, 13, 14, 15, 16];

impl Hsm {
    pub(super) fn mac_compute(&self, call: &Call<'_>, op: MacCompute) -> Result<Maced> {
        Ok(Maced { mac: self.mac(call, op.input)? })
    }

    pub(super) fn mac_verify(&self, call: &Call<'_>, op: MacVerify) -> Result<Empty> {
        if self.mac(call, op.input)?.ct_eq(&op.mac).into() {
            return Ok(Empty {});
        }
        Err(Error::refused(Status::PsaErrorInvalidSignature, "the MAC does not match"))
    }

    fn mac(&self, call: &Call<'_>, input: Vec<u8>) -> Result<Vec<u8>> {
        let algorithm: Mac = call.algorithm()?.try_into()?;
        self.check(call, Algorithm::Mac(algorithm))?;
        let len = match algorithm.kind {
            MacKind::Hmac { .. } => software::mac_len(algorithm)?,
            _ => {
                let len = algorithm.len.unwrap_or(*CMAC.end());
                if !CMAC.contains(&len) {
                    return Err(invalid(format!("CMAC is cut to {} to {} bytes, not {len}", CMAC.start(), CMAC.end())));
                }
                len as usize
            }
        };
        let whole = Mac { len: None, ..algorithm };
        let op = MacCompute { key_name: Self::held(call)?.name.clone(), alg: Some(whole.into()), input, owner: None };
        let mut mac = self.with(call, |channel| channel.call(&op, self.owner.settings.limit))?.mac;
        if mac.len() < len {
            return Err(wrong());
        }
        mac.truncate(len);
        Ok(mac)
    }

    pub(super) fn cipher_encrypt(&self, call: &Call<'_>, mut op: CipherEncrypt) -> Result<Encrypted> {
        let cipher = call.algorithm()?.try_into()?;
        self.check(call, Algorithm::Cipher(cipher))?;
        let iv = match op.iv.as_deref() {
            None => software::random(iv_len(cipher))?.to_vec(),
            Some(iv) if iv.len() == iv_len(cipher) => iv.to_vec(),
            Some(iv) => return Err(invalid(format!("the IV has {} bytes; this mode takes one of {}", iv.len(), iv_len(cipher)))),
        };
        let mut plaintext = std::mem::take(&mut op.plaintext);
        if cipher == Cipher::CbcPkcs7 {
            let padding = BLOCK - plaintext.len() % BLOCK;
            plaintext.extend(std::iter::repeat_n(u8::try_from(padding).unwrap_or_default(), padding));
        }
        let len = plaintext.len();
        check_blocks(cipher, len)?;
        let there = CipherEncrypt {
            key_name: Self::held(call)?.name.clone(),
            alg: unpadded(cipher).into(),
            plaintext,
            iv: Some(iv.clone()),
            owner: None,
        };
        let encrypted = self.with(call, |channel| channel.call(&there, self.owner.settings.limit))?;
        if encrypted.ciphertext.len() != len {
            return Err(wrong());
        }
        Ok(Encrypted { ciphertext: [iv, encrypted.ciphertext].concat() })
    }

    pub(super) fn cipher_decrypt(&self, call: &Call<'_>, op: CipherDecrypt) -> Result<Decrypted> {
        let cipher = call.algorithm()?.try_into()?;
        self.check(call, Algorithm::Cipher(cipher))?;
        let len = op.ciphertext.len().checked_sub(iv_len(cipher));
        let len = len.ok_or_else(|| invalid(format!("the ciphertext must begin with an IV of {} bytes", iv_len(cipher))))?;
        check_blocks(cipher, len)?;
        let there = CipherDecrypt { key_name: Self::held(call)?.name.clone(), alg: unpadded(cipher).into(), owner: None, ..op };
        let mut decrypted = self.with(call, |channel| channel.call(&there, self.owner.settings.limit))?;
        if decrypted.plaintext.len() != len {
            return Err(wrong());
        }
        if cipher == Cipher::CbcPkcs7 {
            let padded = Zeroizing::new(std::mem::take(&mut decrypted.plaintext));
            decrypted.plaintext = std::mem::take(&mut *software::unpad_pkcs7(padded, BLOCK)?);
        }
        Ok(decrypted)
    }

    pub(super) fn aead_encrypt(&self, call: &Call<'_>, mut op: AeadEncrypt) -> Result<Encrypted> {
        let aead = self.aead(call)?;
        let fresh = op.nonce.is_empty() && call.extended();
        let nonce = if fresh { software::random(FRESH_NONCE)?.to_vec() } else { std::mem::take(&mut op.nonce) };
        check_nonce(&nonce)?;
        let len = op.plaintext.len() + tag_len(aead);
        let there = AeadEncrypt {
            key_name: Self::held(call)?.name.clone(),
            alg: Some(aead.into()),
            nonce: nonce.clone(),
            additional_data: std::mem::take(&mut op.additional_data),
            plaintext: std::mem::take(&mut op.plaintext),
            owner: None,
        };
        let encrypted = self.with(call, |channel| channel.call(&there, self.owner.settings.limit))?;
        if encrypted.ciphertext.len() != len {
            return Err(wrong());
        }
        Ok(if fresh { Encrypted { ciphertext: [nonce, encrypted.ciphertext].concat() } } else { encrypted })
    }

    pub(super) fn aead_decrypt(&self, call: &Call<'_>, op: AeadDecrypt) -> Result<Decrypted> {
        let aead = self.aead(call)?;
        check_nonce(&op.nonce)?;
        let len = op.ciphertext.len().checked_sub(tag_len(aead));
        let len = len.ok_or_else(|| invalid(format!("the ciphertext must end with a tag of {} bytes", tag_len(aead))))?;
        let there = AeadDecrypt { key_name: Self::held(call)?.name.clone(), alg: Some(aead.into()), owner: None, ..op };
        let decrypted = self.with(call, |channel| channel.call(&there, self.owner.settings.limit))?;
        if decrypted.plaintext.len() == len { Ok(decrypted) } else { Err(wrong()) }
    }

    fn aead(&self, call: &Call<'_>) -> Result<Aead> {
        let aead: Aead = call.algorithm()?.try_into()?;
        self.check(call, Algorithm::Aead(aead))?;
        match aead.tag_len {
            Some(len) if !TAGS.contains(&len) => Err(invalid(format!("{:?} has tags of {TAGS:?} bytes, not {len}", aead.kind))),
            _ => Ok(aead),
        }
    }

    fn check(&self, call: &Call<'_>, algorithm: Algorithm) -> Result<()> {
        let attributes = &call.key()?.attributes;
        self.ability.check_algorithm(attributes.key_type, attributes.bits, algorithm)
    }
}

/// What the token is asked for: the padding is the service's.
fn unpadded(cipher: Cipher) -> Cipher {
    if cipher == Cipher::CbcPkcs7 { Cipher::CbcNoPadding } else { cipher }
}

fn iv_len(cipher: Cipher) -> usize {
    if cipher == Cipher::EcbNoPadding { 0 } else { BLOCK }
}

fn tag_len(aead: Aead) -> usize {
    aead.tag_len.unwrap_or(16) as usize
}

fn check_nonce(nonce: &[u8]) -> Result<()> {
    if nonce.is_empty() { Err(invalid("the nonce is empty")) } else { Ok(()) }
}

/// Refuses what is not whole blocks where the mode works on them.
fn check_blocks(cipher: Cipher, len: usize) -> Result<()> {
    let whole = len.is_multiple_of(BLOCK) && !(len == 0 && cipher == Cipher::CbcPkcs7);
    if cipher == Cipher::Ctr || whole {
        return Ok(());
    }
    Err(invalid("this mode works on whole blocks: pad the data, or use a mode that does"))
}
