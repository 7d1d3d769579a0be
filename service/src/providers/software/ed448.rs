//! Ed448 and Ed448ph (RFC 8032 §5.2), which AWS-LC lacks.
//!
//! The library is a pre-release without an audit, so it is behind the cargo feature `ed448`. OpenSSL's libcrypto is no alternative:
//! it has contexts and Ed448ph only from version 3.2 on, and this service must also run beside 3.0.

use ed448_goldilocks::{Signature, SigningKey, VerifyingKey};
use lc::{Refused, Secret};
use zeroize::Zeroizing;

/// Length of the seed and of the public key, in bytes.
pub(crate) const LEN: usize = 57;

/// The prime of the field that the coordinates are in, 2^448 - 2^224 - 1, with its highest byte first.
const PRIME: [u8; LEN - 1] = {
    let mut prime = [0xff; LEN - 1];
    prime[(LEN - 1) / 2 - 1] = 0xfe;
    prime
};

/// The order of the base point (RFC 8032 §5.2), with its highest byte first.
const ORDER: [u8; LEN - 1] = [
    0x3f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7c, 0xca, 0x23, 0xe9, 0xc4, 0x4e, 0xdb, 0x49, 0xae, 0xd6, 0x36, 0x90, 0x21, 0x6c,
    0xc2, 0x72, 0x8d, 0xc5, 0x8f, 0x55, 0x23, 0x78, 0xc2, 0x92, 0xab, 0x58, 0x44, 0xf3,
];

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

    /// Signs a message by the first 64 bytes of its SHAKE256.
    pub(crate) fn sign_prehash(&self, context: &[u8], prehash: [u8; 64]) -> Result<Vec<u8>, Refused> {
        let signed = self.0.sign_prehashed(Some(context), Prehash(prehash));
        signed.map(|signature| signature.to_bytes().to_vec()).map_err(|_| Refused)
    }
}

struct Prehash([u8; 64]);

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
        check_point(&bytes)?;
        VerifyingKey::from_bytes(&bytes).map(Self).map_err(|_| Refused)
    }

    /// Verifies what [`Ed448::sign`] made.
    pub(crate) fn verify(&self, context: &[u8], message: &[u8], signature: &[u8]) -> Result<(), Refused> {
        self.0.verify_ctx(&parse(signature)?, context, message).map_err(|_| Refused)
    }

    /// Verifies what [`Ed448::sign_prehash`] made.
    pub(crate) fn verify_prehash(&self, context: &[u8], prehash: [u8; 64], signature: &[u8]) -> Result<(), Refused> {
        self.0.verify_prehashed(&parse(signature)?, Some(context), Prehash(prehash)).map_err(|_| Refused)
    }
}

/// A signature: a point and a number below the order.
fn parse(signature: &[u8]) -> Result<Signature, Refused> {
    let (point, number) = signature.split_first_chunk().ok_or(Refused)?;
    check_point(point)?;
    check_below(number.try_into().map_err(|_| Refused)?, &ORDER)?;
    Signature::try_from(signature).map_err(|_| Refused)
}

/// Refuses all encodings of a point but one (RFC 8032 §5.2.3): the library takes no notice of the bits above the y coordinate, but for
/// the highest one, which is the sign of x, and reduces a coordinate that is too large.
fn check_point(point: &[u8; LEN]) -> Result<(), Refused> {
    let mut y = *point;
    y[LEN - 1] &= 0x7f;
    check_below(&y, &PRIME)
}

/// Refuses a number, with its lowest byte first, that is not below the limit.
fn check_below(number: &[u8; LEN], limit: &[u8; LEN - 1]) -> Result<(), Refused> {
    let [rest @ .., 0] = number else { return Err(Refused) };
    if rest.iter().rev().lt(limit) { Ok(()) } else { Err(Refused) }
}
