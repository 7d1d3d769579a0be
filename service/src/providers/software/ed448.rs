//! Ed448 and Ed448ph (RFC 8032 §5.2), which AWS-LC has not.

use super::lc::{Refused, Secret};
use ed448_goldilocks::{Signature, SigningKey, VerifyingKey};
use zeroize::Zeroizing;

/// Length of the seed and of the public key, in bytes.
pub(crate) const LEN: usize = 57;

/// A key pair.
pub(crate) struct Ed448(Box<SigningKey>);

impl Ed448 {
    pub(crate) fn from_seed(seed: &[u8]) -> Result<Self, Refused> {
        SigningKey::try_from(seed).map(|key| Self(Box::new(key))).map_err(|_| Refused)
    }

    pub(crate) fn seed(&self) -> Secret {
        Zeroizing::new(self.0.as_bytes().to_vec())
    }

    pub(crate) fn public(&self) -> Vec<u8> {
        self.0.verifying_key().to_bytes().to_vec()
    }

    /// Signs a message in a context of at most 255 bytes.
    pub(crate) fn sign(&self, context: &[u8], message: &[u8]) -> Result<Vec<u8>, Refused> {
        self.0.sign_ctx(context, message).map(|signature| signature.to_bytes().to_vec()).map_err(|_| Refused)
    }

    /// Signs a message by its [`Prehash`].
    pub(crate) fn sign_prehash(&self, context: &[u8], prehash: Prehash) -> Result<Vec<u8>, Refused> {
        let signed = self.0.sign_prehashed(Some(context), prehash);
        signed.map(|signature| signature.to_bytes().to_vec()).map_err(|_| Refused)
    }
}

/// The first 64 bytes of a message's SHAKE256.
pub(crate) struct Prehash(pub(crate) [u8; 64]);

impl ed448_goldilocks::PreHash for Prehash {
    fn fill_bytes(&mut self, out: &mut [u8]) {
        out.copy_from_slice(&self.0);
    }
}

/// A public key.
pub(crate) struct Public(VerifyingKey);

impl Public {
    /// Refused unless it is a point on the curve.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, Refused> {
        let bytes = <[u8; LEN]>::try_from(bytes).map_err(|_| Refused)?;
        VerifyingKey::from_bytes(&bytes).map(Self).map_err(|_| Refused)
    }

    /// Verifies what [`Ed448::sign`] made.
    pub(crate) fn verify(&self, context: &[u8], message: &[u8], signature: &[u8]) -> Result<(), Refused> {
        self.0.verify_ctx(&parse(signature)?, context, message).map_err(|_| Refused)
    }

    /// Verifies what [`Ed448::sign_prehash`] made.
    pub(crate) fn verify_prehash(&self, context: &[u8], prehash: Prehash, signature: &[u8]) -> Result<(), Refused> {
        self.0.verify_prehashed(&parse(signature)?, Some(context), prehash).map_err(|_| Refused)
    }
}

fn parse(signature: &[u8]) -> Result<Signature, Refused> {
    Signature::try_from(signature).map_err(|_| Refused)
}
