//! Secret keys: AES and HMAC in the chip, one buffer at a time. The initialisation vector precedes the ciphertext.

use super::derive::is_here;
use super::failure::{odd, unfit, unsupported};
use super::{ReadyKey, Tpm, invalid};
use crate::admission::Call;
use crate::error::{Error, Result};
use crate::provider::Handle;
use crate::providers::software;
use interface::Status;
use interface::algorithm::{Cipher, Mac, MacKind};
use interface::message::Empty;
use interface::operations::{CipherDecrypt, CipherEncrypt, Decrypted, Encrypted, MacCompute, MacVerify, Maced};
use subtle::ConstantTimeEq;
use tss_esapi::interface_types::algorithm::SymmetricMode;
use tss_esapi::structures::{InitialValue, MaxBuffer};
use zeroize::Zeroizing;

/// Bytes of a block of AES.
pub(super) const BLOCK: usize = 16;

impl Handle<MacCompute> for Tpm {
    fn handle(&self, call: &Call<'_>, op: MacCompute) -> Result<Maced> {
        if is_here(call.key()?) {
            return self.software.handle(call, op);
        }
        Ok(Maced { mac: self.mac(call, &op.input)? })
    }
}

impl Handle<MacVerify> for Tpm {
    fn handle(&self, call: &Call<'_>, op: MacVerify) -> Result<Empty> {
        if is_here(call.key()?) {
            return self.software.handle(call, op);
        }
        if self.mac(call, &op.input)?.ct_eq(&op.mac).into() {
            return Ok(Empty {});
        }
        Err(Error::refused(Status::PsaErrorInvalidSignature, "the MAC does not match"))
    }
}

impl Handle<CipherEncrypt> for Tpm {
    fn handle(&self, call: &Call<'_>, op: CipherEncrypt) -> Result<Encrypted> {
        if is_here(call.key()?) {
            return self.software.handle(call, op);
        }
        let cipher = call.algorithm()?.try_into()?;
        let iv = match op.iv.as_deref() {
            None => software::random(iv_len(cipher))?.to_vec(),
            Some(iv) if iv.len() == iv_len(cipher) => iv.to_vec(),
            Some(iv) => return Err(invalid(format!("the IV has {} bytes; this mode takes one of {}", iv.len(), iv_len(cipher)))),
        };
        let mut data = Zeroizing::new(op.plaintext.clone());
        if cipher == Cipher::CbcPkcs7 {
            let padding = BLOCK - data.len() % BLOCK;
            data.extend(std::iter::repeat_n(u8::try_from(padding).unwrap_or_default(), padding));
        }
        let ciphertext = self.cipher(call, false, cipher, &iv, &data)?;
        Ok(Encrypted { ciphertext: [iv, ciphertext.to_vec()].concat() })
    }
}

impl Handle<CipherDecrypt> for Tpm {
    fn handle(&self, call: &Call<'_>, op: CipherDecrypt) -> Result<Decrypted> {
        if is_here(call.key()?) {
            return self.software.handle(call, op);
        }
        let cipher = call.algorithm()?.try_into()?;
        let iv_len = iv_len(cipher);
        let parts = op.ciphertext.split_at_checked(iv_len);
        let (iv, body) = parts.ok_or_else(|| invalid(format!("the ciphertext must begin with an IV of {iv_len} bytes")))?;
        let mut plaintext = self.cipher(call, true, cipher, iv, body)?;
        if cipher == Cipher::CbcPkcs7 {
            plaintext = software::unpad_pkcs7(plaintext, BLOCK)?;
        }
        Ok(Decrypted { plaintext: std::mem::take(&mut *plaintext) })
    }
}

impl Tpm {
    fn mac(&self, call: &Call<'_>, input: &[u8]) -> Result<Vec<u8>> {
        let algorithm: Mac = call.algorithm()?.try_into()?;
        let MacKind::Hmac { hash } = algorithm.kind else {
            return Err(unsupported(format!("the TPM provider has no {:?}", algorithm.kind)));
        };
        let (name, len) = (self.ability.hash(hash)?, software::mac_len(algorithm)?);
        if input.len() > self.ability.buffer {
            let (have, most) = (input.len(), self.ability.buffer);
            return Err(invalid(format!(
                "the message has {have} bytes; the TPM makes HMACs of up to {most}: take the HMAC of a hash of the message, or a key of \
                 the software provider"
            )));
        }
        let held = Self::held(call)?;
        let input = MaxBuffer::try_from(input).map_err(unfit)?;
        let mac = self.with(call, &held, |context, key| context.hmac(key.into(), input.clone(), name))?;
        Ok(mac.get(..len).ok_or_else(odd)?.to_vec())
    }

    fn cipher(&self, call: &Call<'_>, decrypt: bool, cipher: Cipher, iv: &[u8], data: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        let mode = self.ability.mode(cipher)?;
        let whole = data.len().is_multiple_of(BLOCK) && !(data.is_empty() && cipher == Cipher::CbcPkcs7);
        if matches!(mode, SymmetricMode::Ecb | SymmetricMode::Cbc) && !whole {
            return Err(invalid("this mode works on whole blocks: pad the data, or use a mode that does"));
        }
        let held: std::sync::Arc<ReadyKey> = Self::held(call)?;
        let mut iv = InitialValue::try_from(iv).map_err(unfit)?;
        let mut out = Zeroizing::new(Vec::with_capacity(data.len()));
        for part in data.chunks(self.ability.buffer) {
            let part = MaxBuffer::try_from(part).map_err(unfit)?;
            let (done, next) =
                self.with(call, &held, |context, key| context.encrypt_decrypt_2(key, decrypt, mode, part.clone(), iv.clone()))?;
            out.extend_from_slice(&done);
            iv = next;
        }
        Ok(out)
    }
}

fn iv_len(cipher: Cipher) -> usize {
    if cipher == Cipher::EcbNoPadding { 0 } else { BLOCK }
}
