//! ML-DSA (FIPS 204) and ML-KEM (FIPS 203).

use super::{Owned, Refused, Result, Secret, check, filled, filled_secret};
use aws_lc_sys as sys;
use std::ffi::c_int;
use std::ptr::null_mut;
use zeroize::Zeroizing;

/// A parameter set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Set {
    nid: c_int,
    kem: bool,
    /// Length of the public key in bytes.
    public: usize,
    /// Length of the expanded private key in bytes.
    expanded: usize,
}

impl Set {
    /// ML-DSA-44.
    pub const ML_DSA_44: Self = Self { nid: sys::NID_MLDSA44, kem: false, public: 1312, expanded: 2560 };
    /// ML-DSA-65.
    pub const ML_DSA_65: Self = Self { nid: sys::NID_MLDSA65, kem: false, public: 1952, expanded: 4032 };
    /// ML-DSA-87.
    pub const ML_DSA_87: Self = Self { nid: sys::NID_MLDSA87, kem: false, public: 2592, expanded: 4896 };
    /// ML-KEM-512.
    pub const ML_KEM_512: Self = Self { nid: sys::NID_MLKEM512, kem: true, public: 800, expanded: 1632 };
    /// ML-KEM-768.
    pub const ML_KEM_768: Self = Self { nid: sys::NID_MLKEM768, kem: true, public: 1184, expanded: 2400 };
    /// ML-KEM-1024.
    pub const ML_KEM_1024: Self = Self { nid: sys::NID_MLKEM1024, kem: true, public: 1568, expanded: 3168 };

    /// Whether its keys encapsulate; the others sign.
    pub const fn kem(self) -> bool {
        self.kem
    }

    /// Length of the seed in bytes: ξ of ML-DSA, d ‖ z of ML-KEM.
    pub const fn seed(self) -> usize {
        if self.kem { 64 } else { 32 }
    }

    /// Whether keys of this set are encoded in so many bytes: the public key, or the private key expanded, as its seed, or as both.
    pub const fn fits(self, pair: bool, len: usize) -> bool {
        if pair { len == self.expanded || len == self.seed() || self.both(len) } else { len == self.public }
    }

    const fn both(self, len: usize) -> bool {
        len == self.seed() + self.expanded
    }
}

/// A key of a parameter set: public, or a pair.
pub struct Pq {
    key: Owned<sys::EVP_PKEY>,
    set: Set,
    /// The private key as it was given, without what follows from its seed; empty for a public key.
    private: Secret,
}

// SAFETY: "an EVP_PKEY may be used concurrently by several threads as long as none changes it" (openssl/evp.h); nothing here changes
// one after it was made.
unsafe impl Send for Pq {}
// SAFETY: as above.
unsafe impl Sync for Pq {}

impl Pq {
    /// The pair of a seed, of an expanded private key, or of a seed with the expanded key behind it; refused unless the expanded key
    /// is well formed, and the seed's.
    pub fn from_private(set: Set, private: &[u8]) -> Result<Self> {
        if set.both(private.len()) {
            let (seed, expanded) = private.split_at(set.seed());
            let pair = Self::from_private(set, seed)?;
            return if **pair.expanded()? == *expanded { Ok(pair) } else { Err(Refused) };
        }
        let key = match (set.kem, private.len() == set.seed()) {
            (true, true) => ml_kem_of_seed(set, private)?,
            (true, false) => ml_kem_of_expanded(set, private)?,
            (false, _) => ml_dsa(set, private)?,
        };
        Ok(Self { key, set, private: Zeroizing::new(private.to_vec()) })
    }

    /// A public key.
    pub fn from_public(set: Set, public: &[u8]) -> Result<Self> {
        let new = if set.kem { sys::EVP_PKEY_kem_new_raw_public_key } else { sys::EVP_PKEY_pqdsa_new_raw_public_key };
        // SAFETY: `public` is valid for its length, which the library checks; null is checked by `Owned::new`.
        let key = Owned::new(unsafe { new(set.nid, public.as_ptr(), public.len()) })?;
        Ok(Self { key, set, private: Secret::default() })
    }

    /// The parameter set of the key.
    pub const fn set(&self) -> Set {
        self.set
    }

    /// The private key as it was given, without what follows from its seed; empty for a public key.
    pub const fn private(&self) -> &Secret {
        &self.private
    }

    /// The private key as FIPS 203 and 204 encode it.
    fn expanded(&self) -> Result<Secret> {
        filled_secret(self.set.expanded, |out, len| {
            // SAFETY: the key is live; `filled_secret` hands out room for `*len` bytes, which the function takes as such.
            unsafe { sys::EVP_PKEY_get_raw_private_key(self.key.0, out, len) }
        })
    }

    /// The public key as FIPS 203 and 204 encode it.
    pub fn public(&self) -> Result<Vec<u8>> {
        filled(self.set.public, |out, len| {
            // SAFETY: the key is live; `filled` hands out room for `*len` bytes, which the function takes as such.
            unsafe { sys::EVP_PKEY_get_raw_public_key(self.key.0, out, len) }
        })
    }

    /// ML-DSA of the representative µ of a message (FIPS 204, algorithm 7), hedged.
    pub fn sign_mu(&self, mu: &[u8; 64]) -> Result<Vec<u8>> {
        let ctx = self.context()?;
        let mut len = 0;
        // SAFETY: the context is live; null asks for the length.
        unsafe {
            check(sys::EVP_PKEY_sign_init(ctx.0))?;
            check(sys::EVP_PKEY_sign(ctx.0, null_mut(), &raw mut len, mu.as_ptr(), mu.len()))?;
        }
        filled(len, |out, len| {
            // SAFETY: the context is live; `filled` hands out room for `*len` bytes, which the function takes as such.
            unsafe { sys::EVP_PKEY_sign(ctx.0, out, len, mu.as_ptr(), mu.len()) }
        })
    }

    /// Verifies what [`Self::sign_mu`] made.
    pub fn verify_mu(&self, mu: &[u8; 64], signature: &[u8]) -> Result<()> {
        let ctx = self.context()?;
        // SAFETY: the context is live; both inputs are valid for their lengths.
        unsafe {
            check(sys::EVP_PKEY_verify_init(ctx.0))?;
            check(sys::EVP_PKEY_verify(ctx.0, signature.as_ptr(), signature.len(), mu.as_ptr(), mu.len()))
        }
    }

    /// Ciphertext and shared secret; refused when the public key is not one (FIPS 203 §7.2).
    pub fn encapsulate(&self) -> Result<(Vec<u8>, Secret)> {
        let ctx = self.context()?;
        let (mut ciphertext_len, mut secret_len) = (0, 0);
        // SAFETY: the context is live; null asks for the lengths.
        check(unsafe { sys::EVP_PKEY_encapsulate(ctx.0, null_mut(), &raw mut ciphertext_len, null_mut(), &raw mut secret_len) })?;
        let mut secret = Zeroizing::new(vec![0; secret_len]);
        let ciphertext = filled(ciphertext_len, |out, len| {
            // SAFETY: the context is live; both buffers have the room that is named beside them.
            unsafe { sys::EVP_PKEY_encapsulate(ctx.0, out, len, secret.as_mut_ptr(), &raw mut secret_len) }
        })?;
        Ok((ciphertext, secret))
    }

    /// The shared secret; refused when the ciphertext is not of the set's length.
    pub fn decapsulate(&self, ciphertext: &[u8]) -> Result<Secret> {
        let ctx = self.context()?;
        let mut len = 0;
        // SAFETY: the context is live; null asks for the length.
        check(unsafe { sys::EVP_PKEY_decapsulate(ctx.0, null_mut(), &raw mut len, ciphertext.as_ptr(), ciphertext.len()) })?;
        filled_secret(len, |out, len| {
            // SAFETY: the context is live; `filled_secret` hands out room for `*len` bytes, which the function takes as such.
            unsafe { sys::EVP_PKEY_decapsulate(ctx.0, out, len, ciphertext.as_ptr(), ciphertext.len()) }
        })
    }

    fn context(&self) -> Result<Owned<sys::EVP_PKEY_CTX>> {
        // SAFETY: the key is live; null is checked by `Owned::new`.
        Owned::new(unsafe { sys::EVP_PKEY_CTX_new(self.key.0, null_mut()) })
    }
}

fn ml_dsa(set: Set, private: &[u8]) -> Result<Owned<sys::EVP_PKEY>> {
    // SAFETY: `private` is valid for its length, which the library checks; null is checked by `Owned::new`.
    Owned::new(unsafe { sys::EVP_PKEY_pqdsa_new_raw_private_key(set.nid, private.as_ptr(), private.len()) })
}

fn ml_kem_of_seed(set: Set, seed: &[u8]) -> Result<Owned<sys::EVP_PKEY>> {
    let (mut key, mut len) = (null_mut(), seed.len());
    // SAFETY: all objects are live; the seed is valid for its length, which the library checks; null is checked by `Owned::new`.
    unsafe {
        let ctx = Owned::new(sys::EVP_PKEY_CTX_new_id(sys::EVP_PKEY_KEM, null_mut()))?;
        check(sys::EVP_PKEY_keygen_init(ctx.0))?;
        check(sys::EVP_PKEY_CTX_kem_set_params(ctx.0, set.nid))?;
        check(sys::EVP_PKEY_keygen_deterministic(ctx.0, &raw mut key, seed.as_ptr(), &raw mut len))?;
    }
    Owned::new(key)
}

/// The expanded key is dk ‖ ek ‖ H(ek) ‖ z (FIPS 203, algorithm 16).
fn ml_kem_of_expanded(set: Set, private: &[u8]) -> Result<Owned<sys::EVP_PKEY>> {
    let public = private.len().checked_sub(64 + set.public).and_then(|at| private.get(at..at + set.public)).ok_or(Refused)?;
    let (public_at, private_at) = (public.as_ptr(), private.as_ptr());
    // SAFETY: both halves are valid for their lengths, which the library checks; null is checked by `Owned::new`.
    unsafe {
        let key = Owned::new(sys::EVP_PKEY_kem_new_raw_key(set.nid, public_at, public.len(), private_at, private.len()))?;
        check(sys::EVP_PKEY_kem_check_key(key.0))?;
        Ok(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_and_an_expanded_key_must_agree() {
        for set in [Set::ML_DSA_44, Set::ML_DSA_65, Set::ML_DSA_87, Set::ML_KEM_512, Set::ML_KEM_768, Set::ML_KEM_1024] {
            let seed = vec![7; set.seed()];
            let pair = Pq::from_private(set, &seed).unwrap();
            let both = [&seed, &pair.expanded().unwrap()[..]].concat();
            assert!(set.fits(true, both.len()));
            let again = Pq::from_private(set, &both).unwrap();
            assert_eq!((again.public(), again.private()), (pair.public(), pair.private()));
            for at in [0, set.seed(), set.seed() + 40, both.len() - 1] {
                let mut other = both.clone();
                other[at] ^= 1;
                assert!(Pq::from_private(set, &other).is_err(), "{set:?} {at}");
            }
        }
    }
}
