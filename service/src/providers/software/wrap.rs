//! Wrapping and unwrapping keys: secret keys as their bytes, key pairs as PKCS#8.

use super::key::{Kind, ParsedKey};
use super::{Software, cipher, encrypt, invalid, unsupported};
use crate::admission::Call;
use crate::error::{Error, Result};
use crate::provider::{Handle, Wrapping};
use interface::algorithm::{Algorithm, Cipher, Encryption};
use interface::attributes::{Attributes, EccFamily, KeyType};
use interface::message::Empty;
use interface::operations::{UnwrapKey, WrapKey, Wrapped};
use interface::pkcs8::{PrivateKey, to_pkcs8};
use interface::spki::PublicKey;
use interface::{Secret, Status};
use zeroize::Zeroizing;

/// The schemes that wrap keys.
#[derive(Clone, Copy)]
pub(crate) enum WrapScheme {
    Cipher(Cipher),
    Encryption(Encryption),
}

impl WrapScheme {
    /// The scheme that runs `algorithm` with keys of a kind.
    pub(crate) fn of(kind: Kind, algorithm: Algorithm) -> Result<Self> {
        match algorithm {
            Algorithm::Encryption(encryption) => {
                encrypt::EncryptScheme::of(kind, encryption).map(|_| Self::Encryption(encryption))
            }
            Algorithm::Cipher(cipher @ (Cipher::KeyWrap | Cipher::KeyWrapPadded | Cipher::CbcPkcs7)) => {
                cipher::Mode::of(kind, cipher).map(|_| Self::Cipher(cipher))
            }
            _ => Err(unsupported(format!(
                "keys are wrapped with AES-KW, AES-KWP, AES-CBC-PAD, RSA-OAEP or RSA PKCS#1, not {algorithm:?}"
            ))),
        }
    }
}

impl ParsedKey {
    /// Another key, encrypted with this one: after the IV, where the algorithm has one.
    pub(crate) fn wrap(&self, algorithm: Algorithm, iv: Option<&[u8]>, label: &[u8], key: &Self) -> Result<Vec<u8>> {
        let scheme = WrapScheme::of(self.kind(), algorithm)?;
        let plain = key.portable()?;
        match scheme {
            WrapScheme::Cipher(cipher) => self.cipher_encrypt(cipher, iv, &plain),
            WrapScheme::Encryption(encryption) => self.encrypt(encryption, label, &plain),
        }
    }

    /// The key that [`Self::wrap`] encrypted, and its attributes with the size it has.
    ///
    /// # Errors
    /// Whatever is wrong with the data, the same one after the same work: what was decrypted, or zeros as long as the data, is taken for a key.
    pub(crate) fn unwrap(
        &self,
        algorithm: Algorithm,
        label: &[u8],
        data: &[u8],
        attributes: &Attributes,
    ) -> Result<(Attributes, Self)> {
        let scheme = WrapScheme::of(self.kind(), algorithm)?;
        self.needs_private()?;
        Kind::asked(attributes.key_type, attributes.bits)?;
        let plain = match scheme {
            WrapScheme::Cipher(cipher) => self.cipher_decrypt(cipher, data),
            WrapScheme::Encryption(encryption) => self.decrypt(encryption, label, data),
        };
        let (wrapped, plain) = plain.map_or_else(|_| (false, Zeroizing::new(vec![0; data.len()])), |plain| (true, plain));
        Self::unwrapped(&plain, attributes).ok().filter(|_| wrapped).ok_or_else(|| {
            Error::refused(
                Status::PsaErrorInvalidSignature,
                "the data was not wrapped with this key, algorithm and label, was changed, or holds no key of this type and size",
            )
        })
    }

    /// The key that [`Self::portable`] made these bytes of.
    fn unwrapped(plain: &[u8], attributes: &Attributes) -> Result<(Attributes, Self)> {
        if !attributes.key_type.is_pair() {
            return Self::import(attributes, plain);
        }
        let key = PrivateKey::from_pkcs8(plain).map_err(|_| invalid("no private key"))?;
        if !alike(key.key_type, attributes.key_type) {
            return Err(invalid("another type of key"));
        }
        if key.pss.is_some() && !attributes.policy.pss_alone() {
            return Err(invalid("a key for PSS signatures alone, which the policy does not keep to"));
        }
        let bits = if attributes.bits == 0 { key.bits } else { attributes.bits };
        Self::import(&Attributes { key_type: key.key_type, bits, ..attributes.clone() }, &key.bytes)
    }

    /// The key as it is wrapped.
    fn portable(&self) -> Result<Zeroizing<Vec<u8>>> {
        let key_type = self.key_type().public();
        match self.key_type() {
            public if public.is_public() => Err(invalid("a public key is not wrapped: export it")),
            pair if pair.is_pair() => {
                let public = PublicKey { key_type, bits: self.bits(), bytes: self.public()? };
                to_pkcs8(&self.export()?, &public).ok_or_else(|| unsupported(format!("{pair:?} has no PKCS#8 form here")))
            }
            _ => self.export(),
        }
    }
}

/// One type of key, or two curves whose keys have one encoding: which of these it is, the encoding says.
fn alike(found: KeyType, asked: KeyType) -> bool {
    let weierstrass = |key_type| matches!(key_type, KeyType::EccKeyPair(EccFamily::SecpR1 | EccFamily::SecpK1));
    found == asked || weierstrass(found) && weierstrass(asked)
}

impl Wrapping for Software {
    fn value(&self, call: &Call<'_>, key: &crate::key::Key) -> Result<Secret> {
        if !key.public_key.is_empty() {
            return Ok(Secret::new(key.public_key.clone()));
        }
        self.loaded(call, key)?.bytes().map(|bytes| Secret::new(bytes.to_vec()))
    }
}

impl Handle<WrapKey> for Software {
    fn handle(&self, call: &Call<'_>, op: WrapKey) -> Result<Wrapped> {
        let key = self.loaded(call, call.other()?)?;
        let data = self.key(call)?.wrap(call.algorithm()?, op.iv.as_deref(), &op.salt, &key)?;
        Ok(Wrapped { data })
    }
}

impl Handle<UnwrapKey> for Software {
    fn handle(&self, call: &Call<'_>, op: UnwrapKey) -> Result<Empty> {
        let with = self.key(call)?;
        let (attributes, key) = with.unwrap(call.algorithm()?, &op.salt, &op.data, call.attributes()?)?;
        self.keep(call, attributes, key)
    }
}
