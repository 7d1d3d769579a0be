//! Using pairs. Where the token does RSA without padding, the software provider pads, so every scheme, hash and label works.

use super::{Hsm, ReadyKey, invalid, unsupported, wrong};
use crate::admission::Call;
use crate::error::{Error, Result};
use crate::providers::software::{self, Unsigned, check_new};
use cryptoki_sys::{CKF_DECRYPT, CKF_SIGN};
use interface::Status;
use interface::algorithm::{Encryption, SignHash as AnyHash, Signature};
use interface::attributes::KeyType;
use interface::message::Empty;
use interface::operations::{
    AsymmetricDecrypt, AsymmetricEncrypt, Decrypted, Encrypted, SignHash, SignMessage, Signed, VerifyHash, VerifyMessage,
};
use interface::spki;
use std::sync::Arc;
use zeroize::Zeroizing;

impl Hsm {
    pub(super) fn sign_hash(&self, call: &Call<'_>, op: SignHash) -> Result<Signed> {
        let (held, algorithm) = self.signing(call)?;
        Ok(Signed { signature: self.sign(call, &held, algorithm, &op.hash, &op.context)? })
    }

    pub(super) fn sign_message(&self, call: &Call<'_>, op: SignMessage) -> Result<Signed> {
        let (held, algorithm) = self.signing(call)?;
        if algorithm == Signature::PureEddsa {
            if !op.context.is_empty() {
                return Err(invalid("this algorithm signs in no context"));
            }
            return Ok(Signed { signature: self.eddsa(call, &held, op.message)? });
        }
        let hash = algorithm.hash();
        let hash =
            hash.ok_or_else(|| invalid("the algorithm names no hash, so it cannot sign a message: hash it, or name the hash"))?;
        let digest = software::digest(hash, &op.message)?;
        Ok(Signed { signature: self.sign(call, &held, algorithm, &digest, &op.context)? })
    }

    pub(super) fn verify_hash(&self, call: &Call<'_>, op: VerifyHash) -> Result<Empty> {
        let algorithm = call.algorithm()?.try_into()?;
        Self::held(call)?.public()?.verify_hash(algorithm, &op.hash, &op.signature, &op.context)?;
        Ok(Empty {})
    }

    pub(super) fn verify_message(&self, call: &Call<'_>, op: VerifyMessage) -> Result<Empty> {
        let algorithm = call.algorithm()?.try_into()?;
        Self::held(call)?.public()?.verify_message(algorithm, &op.message, &op.signature, &op.context)?;
        Ok(Empty {})
    }

    pub(super) fn encrypt(&self, call: &Call<'_>, op: AsymmetricEncrypt) -> Result<Encrypted> {
        let ciphertext = Self::held(call)?.public()?.encrypt(call.algorithm()?.try_into()?, &op.salt, &op.plaintext)?;
        Ok(Encrypted { ciphertext })
    }

    pub(super) fn decrypt(&self, call: &Call<'_>, op: AsymmetricDecrypt) -> Result<Decrypted> {
        let (held, key) = (Self::held(call)?, call.key()?);
        let algorithm: Encryption = call.algorithm()?.try_into()?;
        self.ability.check_algorithm(key.attributes.key_type, key.attributes.bits, algorithm.into())?;
        let (public, limit) = (held.public()?, self.owner.settings.limit);
        if !self.ability.raw_rsa(CKF_DECRYPT) {
            if op.ciphertext.len() != modulus(&key.public_key)?.len() {
                return Err(invalid("the ciphertext is not as long as the key"));
            }
            let there = AsymmetricDecrypt { key_name: held.name.clone(), owner: None, ..op };
            return self.with(call, |channel| channel.call(&there, limit)).map_err(|error| match error.status() {
                Status::PsaErrorInvalidArgument => {
                    Error::refused(Status::PsaErrorInvalidPadding, "the ciphertext was not made for this key, hash and label")
                }
                _ => error,
            });
        }
        let private = |ciphertext: &[u8]| {
            self.private_rsa(call, &held, ciphertext, |number| {
                let op = AsymmetricDecrypt {
                    key_name: held.name.clone(),
                    alg: Some(Encryption::RsaRaw.into()),
                    ciphertext: number.to_vec(),
                    ..AsymmetricDecrypt::default()
                };
                let mut decrypted = self.with(call, |channel| channel.call(&op, limit))?;
                Ok(Zeroizing::new(std::mem::take(&mut decrypted.plaintext)))
            })
        };
        let mut plaintext = public.decrypt_with(algorithm, &op.salt, &op.ciphertext, &held.own, private)?;
        Ok(Decrypted { plaintext: std::mem::take(&mut *plaintext) })
    }

    fn signing(&self, call: &Call<'_>) -> Result<(Arc<ReadyKey>, Signature)> {
        let (algorithm, attributes) = (call.algorithm()?.try_into()?, &call.key()?.attributes);
        check_new(algorithm, call.allow_deprecated())?;
        self.ability.check_algorithm(attributes.key_type, attributes.bits, algorithm.into())?;
        Ok((Self::held(call)?, algorithm))
    }

    fn sign(&self, call: &Call<'_>, held: &ReadyKey, algorithm: Signature, hash: &[u8], context: &[u8]) -> Result<Vec<u8>> {
        let public = held.public()?;
        if algorithm == Signature::PureEddsa {
            return Err(invalid("this algorithm signs messages, not hashes: ask to sign the message"));
        }
        match public.unsigned_hash(algorithm, hash, context)? {
            Unsigned::Ecdsa(digest) => self.ecdsa(call, held, &digest),
            Unsigned::Rsa(block) if self.ability.raw_rsa(CKF_SIGN) => {
                let sign = |number: &[u8]| self.signed(call, held, Signature::RsaRaw, number.to_vec()).map(Zeroizing::new);
                self.private_rsa(call, held, &block, sign).map(|mut signature| std::mem::take(&mut *signature))
            }
            Unsigned::Rsa(_) => {
                let (there, data) = match algorithm {
                    Signature::RsaPkcs1v15 { hash: AnyHash::Specific(named) } => {
                        (Signature::RsaPkcs1v15Raw, [named.digest_info(), hash].concat())
                    }
                    other => (other, hash.to_vec()),
                };
                let signature = self.signed(call, held, there, data)?;
                public.verify_hash(algorithm, hash, &signature, context).map_err(|_| wrong())?;
                Ok(signature)
            }
        }
    }

    fn signed(&self, call: &Call<'_>, held: &ReadyKey, algorithm: Signature, hash: Vec<u8>) -> Result<Vec<u8>> {
        let (key_name, limit) = (held.name.clone(), self.owner.settings.limit);
        let op = SignHash { key_name, alg: Some(algorithm.into()), hash, ..SignHash::default() };
        Ok(self.with(call, |channel| channel.call(&op, limit))?.signature)
    }

    /// Tokens sign a digest that is not longer than the curve's order, of which ECDSA takes the first bits (FIPS 186-5 §6.4.1).
    fn ecdsa(&self, call: &Call<'_>, held: &ReadyKey, digest: &[u8]) -> Result<Vec<u8>> {
        let len = call.key()?.attributes.bits.div_ceil(8) as usize;
        let digest = digest[..digest.len().min(len)].to_vec();
        let signature = self.signed(call, held, Signature::EcdsaAny, digest)?;
        if signature.len() == 2 * len { Ok(signature) } else { Err(wrong()) }
    }

    fn eddsa(&self, call: &Call<'_>, held: &ReadyKey, message: Vec<u8>) -> Result<Vec<u8>> {
        if !matches!(call.key()?.attributes.key_type, KeyType::EccKeyPair(_)) {
            return Err(unsupported("a key of this type does not sign with EdDSA"));
        }
        let (key_name, limit) = (held.name.clone(), self.owner.settings.limit);
        let op = SignMessage { key_name, alg: Some(Signature::PureEddsa.into()), message, ..SignMessage::default() };
        let signature = self.with(call, |channel| channel.call(&op, limit))?.signature;
        held.public()?.verify_message(Signature::PureEddsa, &op.message, &signature, &[]).map_err(|_| wrong())?;
        Ok(signature)
    }

    /// RSASP1 and RSADP (RFC 8017 §5), of a number as long as the modulus and smaller. A wrong signature can give the key away (Boneh,
    /// DeMillo and Lipton, EUROCRYPT '97), so the result is checked with the public key before anybody sees it.
    fn private_rsa(
        &self,
        call: &Call<'_>,
        held: &ReadyKey,
        number: &[u8],
        run: impl Fn(&[u8]) -> Result<Zeroizing<Vec<u8>>>,
    ) -> Result<Zeroizing<Vec<u8>>> {
        let modulus = modulus(&call.key()?.public_key)?;
        if number >= modulus {
            return Err(invalid("the data is not in the range of the key"));
        }
        let output = run(number)?;
        let zeros = modulus.len().checked_sub(output.len()).ok_or_else(wrong)?;
        let mut padded = Zeroizing::new(vec![0; modulus.len()]);
        padded[zeros..].copy_from_slice(&output);
        let back = held.public()?.encrypt(Encryption::RsaRaw, &[], &padded);
        if back.is_ok_and(|back| back == number) { Ok(padded) } else { Err(wrong()) }
    }
}

/// Big-endian, without leading zeros.
fn modulus(public_key: &[u8]) -> Result<&[u8]> {
    spki::rsa_parts(public_key).map(|(modulus, _)| modulus).ok_or_else(|| Status::PsaErrorDataCorrupt.into())
}
