//! Ed25519 and its variants (RFC 8032 §5.1).

use super::{Result, Secret, check};
use aws_lc_sys as sys;
use zeroize::Zeroizing;

/// Which of the three signature schemes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Eddsa {
    /// Of the message.
    Pure,
    /// Of the message, in a context.
    Context,
    /// Of the message's SHA-512, in a context.
    Prehash,
}

/// A key pair: the seed, then the public key.
pub struct Ed25519(Zeroizing<[u8; 64]>);

impl Ed25519 {
    /// The pair of a seed (RFC 8032 §5.1.5).
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let (mut public, mut pair) = ([0; 32], Zeroizing::new([0; 64]));
        // SAFETY: the arrays have the 32, 64 and 32 bytes that the function writes and reads (openssl/curve25519.h).
        unsafe { sys::ED25519_keypair_from_seed(public.as_mut_ptr(), pair.as_mut_ptr(), seed.as_ptr()) };
        Self(pair)
    }

    /// The seed.
    pub fn seed(&self) -> Secret {
        Zeroizing::new(self.0[..32].to_vec())
    }

    /// The public key: a point as 32 bytes (RFC 8032 §5.1.2).
    pub fn public(&self) -> Vec<u8> {
        self.0[32..].to_vec()
    }

    /// Signs a message, or its hash; the context has at most 255 bytes.
    pub fn sign(&self, scheme: Eddsa, context: &[u8], data: &[u8]) -> Result<Vec<u8>> {
        let mut out = vec![0; 64];
        let (to, from, len, key) = (out.as_mut_ptr(), data.as_ptr(), data.len(), self.0.as_ptr());
        // SAFETY: the signature has 64 bytes, the key 64; the others are valid for their lengths.
        check(unsafe {
            match scheme {
                Eddsa::Pure => sys::ED25519_sign(to, from, len, key),
                Eddsa::Context => sys::ED25519ctx_sign(to, from, len, key, context.as_ptr(), context.len()),
                Eddsa::Prehash => sys::ED25519ph_sign_digest(to, prehash(data)?.as_ptr(), key, context.as_ptr(), context.len()),
            }
        })?;
        Ok(out)
    }
}

impl Eddsa {
    /// Verifies what [`Ed25519::sign`] made.
    pub fn verify(self, public: &[u8; 32], context: &[u8], data: &[u8], signature: &[u8; 64]) -> Result<()> {
        let (from, len, signature, key) = (data.as_ptr(), data.len(), signature.as_ptr(), public.as_ptr());
        // SAFETY: as for `sign`; the public key has 32 bytes.
        check(unsafe {
            match self {
                Self::Pure => sys::ED25519_verify(from, len, signature, key),
                Self::Context => sys::ED25519ctx_verify(from, len, signature, key, context.as_ptr(), context.len()),
                Self::Prehash => {
                    sys::ED25519ph_verify_digest(prehash(data)?.as_ptr(), signature, key, context.as_ptr(), context.len())
                }
            }
        })
    }
}

/// A SHA-512.
fn prehash(data: &[u8]) -> Result<&[u8; 64]> {
    data.try_into().map_err(|_| super::Refused)
}
