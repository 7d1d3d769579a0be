//! Asymmetric encryption.

use super::Software;
use super::key::{Kind, Material, ParsedKey};
use super::{hash, invalid, library, rsa};
use crate::admission::Call;
use crate::error::{Error, Result};
use crate::provider::Handle;
use interface::Status;
use interface::algorithm::Encryption;
use interface::operations::{AsymmetricDecrypt, AsymmetricEncrypt, Decrypted, Encrypted};
use lc::{Direction, Md, Rsa, Secret};

/// An encryption scheme as this backend runs it.
#[derive(Clone, Copy)]
pub(crate) enum EncryptScheme {
    Pkcs1,
    /// With MGF1's hash second.
    Oaep([Md; 2]),
    Raw,
}

impl EncryptScheme {
    /// The scheme that runs `algorithm` with keys of a kind.
    pub(crate) fn of(kind: Kind, algorithm: Encryption) -> Result<Self> {
        match (kind, algorithm) {
            (Kind::Rsa, Encryption::RsaPkcs1v15) => Ok(Self::Pkcs1),
            (Kind::Rsa, Encryption::RsaOaep { hash }) => Ok(Self::Oaep([hash::md(hash)?; 2])),
            (Kind::Rsa, Encryption::RsaOaepWith { hash, mgf }) => Ok(Self::Oaep([hash::md(hash)?, hash::md(mgf)?])),
            (Kind::Rsa, Encryption::RsaRaw) => Ok(Self::Raw),
            _ => Err(invalid(format!("a key of this type does not encrypt with {algorithm:?}"))),
        }
    }
}

impl ParsedKey {
    /// Encrypts a short message. `label` is OAEP's; PKCS#1 v1.5 has none.
    pub(crate) fn encrypt(&self, algorithm: Encryption, label: &[u8], plaintext: &[u8]) -> Result<Vec<u8>> {
        let (rsa, scheme) = self.encryption(algorithm, label)?;
        let encrypted = match scheme {
            EncryptScheme::Pkcs1 => rsa.encrypt_pkcs1(plaintext),
            EncryptScheme::Oaep(hashes) => {
                rsa.oaep(Direction::Encrypt, hashes, label, plaintext).map(|mut out| std::mem::take(&mut *out))
            }
            EncryptScheme::Raw => rsa.encrypt_raw(&rsa::block(rsa, plaintext)?),
        };
        encrypted.map_err(|_| invalid(format!("{} bytes are too many for this key and algorithm", plaintext.len())))
    }

    /// Decrypts what [`Self::encrypt`] made. With PKCS#1 v1.5, bad padding yields a message made up from the key and the ciphertext.
    pub(crate) fn decrypt(&self, algorithm: Encryption, label: &[u8], ciphertext: &[u8]) -> Result<Secret> {
        self.needs_private()?;
        let (rsa, scheme) = self.decryption(algorithm, label, ciphertext)?;
        match scheme {
            EncryptScheme::Pkcs1 => rsa::decrypt_pkcs1(rsa, ciphertext),
            EncryptScheme::Raw => {
                rsa.decrypt_raw(ciphertext).map_err(|_| invalid("the ciphertext is not in the range of the key"))
            }
            EncryptScheme::Oaep(hashes) => rsa.oaep(Direction::Decrypt, hashes, label, ciphertext).map_err(|_| wrong_padding()),
        }
    }

    /// As [`Self::decrypt`], for a key whose private half is elsewhere: `private` does RSADP (RFC 8017 §5.1.2) there, of a ciphertext as
    /// long as the modulus. `secret` is known to nobody else and belongs to the key.
    pub(crate) fn decrypt_with(
        &self,
        algorithm: Encryption,
        label: &[u8],
        ciphertext: &[u8],
        secret: &[u8],
        private: impl FnOnce(&[u8]) -> Result<Secret>,
    ) -> Result<Secret> {
        let (_, scheme) = self.decryption(algorithm, label, ciphertext)?;
        let padded = private(ciphertext)?;
        match scheme {
            EncryptScheme::Pkcs1 => rsa::unpad_pkcs1(&padded, ciphertext, secret),
            EncryptScheme::Raw => Ok(padded),
            EncryptScheme::Oaep(hashes) => rsa::unpad_oaep(&padded, hashes, label)?.ok_or_else(wrong_padding),
        }
    }

    fn decryption(&self, algorithm: Encryption, label: &[u8], ciphertext: &[u8]) -> Result<(&Rsa, EncryptScheme)> {
        let (rsa, scheme) = self.encryption(algorithm, label)?;
        if ciphertext.len() != rsa.len() {
            return Err(invalid(format!("the ciphertext has {} bytes, but the key makes {}", ciphertext.len(), rsa.len())));
        }
        Ok((rsa, scheme))
    }

    fn encryption(&self, algorithm: Encryption, label: &[u8]) -> Result<(&Rsa, EncryptScheme)> {
        let scheme = EncryptScheme::of(self.kind(), algorithm)?;
        let Material::Rsa(rsa) = &self.material else {
            return Err(library());
        };
        if !matches!(scheme, EncryptScheme::Oaep(_)) && !label.is_empty() {
            return Err(invalid("only OAEP has a label: the salt must be empty"));
        }
        Ok((rsa, scheme))
    }
}

fn wrong_padding() -> Error {
    Error::refused(Status::PsaErrorInvalidPadding, "the ciphertext was not made for this key, hash and label")
}

impl Handle<AsymmetricEncrypt> for Software {
    fn handle(&self, call: &Call<'_>, op: AsymmetricEncrypt) -> Result<Encrypted> {
        let ciphertext = self.key(call)?.encrypt(Self::algorithm(call)?, &op.salt, &op.plaintext)?;
        Ok(Encrypted { ciphertext })
    }
}

impl Handle<AsymmetricDecrypt> for Software {
    fn handle(&self, call: &Call<'_>, op: AsymmetricDecrypt) -> Result<Decrypted> {
        let mut message = self.key(call)?.decrypt(Self::algorithm(call)?, &op.salt, &op.ciphertext)?;
        Ok(Decrypted { plaintext: std::mem::take(&mut *message) })
    }
}
