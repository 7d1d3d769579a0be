//! RSA.

use super::{Direction, Md, Owned, Result, Secret, allocated, check, filled, filled_secret, int, number, padded};
use aws_lc_sys as sys;
use std::ffi::c_int;
use std::ptr::null_mut;
use zeroize::Zeroizing;

/// The parameters of PSS.
#[derive(Clone, Copy)]
pub struct Pss {
    /// The hash of the message.
    pub md: Md,
    /// The hash of MGF1.
    pub mgf: Md,
    /// Length of the salt in bytes.
    pub salt_len: usize,
}

/// An RSA key: public, or a pair with its CRT values.
pub struct Rsa(Owned<sys::RSA>);

// SAFETY: "an RSA object may be used concurrently by several threads as long as none changes it" (openssl/rsa.h); nothing here changes one
// after it was made, and the library locks what it caches in it.
unsafe impl Send for Rsa {}
// SAFETY: as above.
unsafe impl Sync for Rsa {}

impl Rsa {
    /// A new pair with the public exponent 65537.
    pub fn generate(bits: u32) -> Result<Self> {
        // SAFETY: allocates; null is checked by `Owned::new`.
        let key = Owned::new(unsafe { sys::RSA_new() })?;
        let e = number(&[1, 0, 1])?;
        // SAFETY: both objects are live; no callback.
        check(unsafe { sys::RSA_generate_key_ex(key.0, int(bits as usize)?, e.0, null_mut()) })?;
        Ok(Self(key))
    }

    /// A pair from a DER `RSAPrivateKey`. The library requires one complete structure whose values fit together.
    pub fn from_private_der(der: &[u8]) -> Result<Self> {
        // SAFETY: `der` is valid for its length; null is checked by `Owned::new`.
        let key = Self(Owned::new(unsafe { sys::RSA_private_key_from_bytes(der.as_ptr(), der.len()) })?);
        // The library takes pairs without primes too.
        key.primes().map(|_| key)
    }

    /// A public key from a DER `RSAPublicKey`.
    pub fn from_public_der(der: &[u8]) -> Result<Self> {
        // SAFETY: `der` is valid for its length; null is checked by `Owned::new`.
        Owned::new(unsafe { sys::RSA_public_key_from_bytes(der.as_ptr(), der.len()) }).map(Self)
    }

    /// DER `RSAPrivateKey`.
    pub fn private_der(&self) -> Result<Secret> {
        // SAFETY: the two functions agree on the output's form.
        unsafe { allocated(|out, len| sys::RSA_private_key_to_bytes(out, len, self.0.0)) }
    }

    /// DER `RSAPublicKey`.
    pub fn public_der(&self) -> Result<Vec<u8>> {
        // SAFETY: the two functions agree on the output's form.
        unsafe { allocated(|out, len| sys::RSA_public_key_to_bytes(out, len, self.0.0)) }.map(|mut der| std::mem::take(&mut *der))
    }

    /// Size of the modulus in bits.
    pub fn bits(&self) -> u32 {
        // SAFETY: the object is live.
        unsafe { sys::RSA_bits(self.0.0) }
    }

    /// Size of the modulus in bytes.
    #[allow(clippy::len_without_is_empty, reason = "no modulus is empty")]
    pub fn len(&self) -> usize {
        self.bits().div_ceil(8) as usize
    }

    /// The modulus, big-endian.
    pub fn modulus(&self) -> Result<Vec<u8>> {
        // SAFETY: the number lives as long as the key, and is public.
        unsafe { padded(sys::RSA_get0_n(self.0.0), self.len()) }.map(|mut n| std::mem::take(&mut *n))
    }

    /// The private exponent, big-endian, as long as the modulus.
    pub fn private_exponent(&self) -> Result<Secret> {
        // SAFETY: the number lives as long as the key; `padded` checks for null.
        unsafe { padded(sys::RSA_get0_d(self.0.0), self.len()) }
    }

    /// Both prime factors, big-endian, in half the modulus' length rounded up; refused when one needs more.
    pub fn primes(&self) -> Result<[Secret; 2]> {
        let len = self.len().div_ceil(2);
        // SAFETY: the numbers live as long as the key; `padded` checks for null.
        unsafe { Ok([padded(sys::RSA_get0_p(self.0.0), len)?, padded(sys::RSA_get0_q(self.0.0), len)?]) }
    }

    /// RSASSA-PKCS1-v1_5 over a ready `DigestInfo`.
    pub fn sign_pkcs1(&self, info: &[u8]) -> Result<Vec<u8>> {
        filled(self.len(), |out, len| {
            // SAFETY: `filled` hands out room for `*len` bytes; `info` is valid for its length.
            unsafe { sys::RSA_sign_raw(self.0.0, len, out, *len, info.as_ptr(), info.len(), sys::RSA_PKCS1_PADDING) }
        })
    }

    /// The `DigestInfo` that an RSASSA-PKCS1-v1_5 signature holds; refused when its padding is wrong.
    pub fn recover_pkcs1(&self, signature: &[u8]) -> Result<Vec<u8>> {
        filled(self.len(), |out, len| {
            // SAFETY: `filled` hands out room for `*len` bytes; the signature is valid for its length.
            unsafe { sys::RSA_verify_raw(self.0.0, len, out, *len, signature.as_ptr(), signature.len(), sys::RSA_PKCS1_PADDING) }
        })
    }

    /// RSASSA-PSS.
    pub fn sign_pss(&self, pss: Pss, digest: &[u8]) -> Result<Vec<u8>> {
        filled(self.len(), |out, len| {
            // SAFETY: `filled` hands out room for `*len` bytes; the library checks the digest's length against the hash.
            unsafe {
                sys::RSA_sign_pss_mgf1(
                    self.0.0,
                    len,
                    out,
                    *len,
                    digest.as_ptr(),
                    digest.len(),
                    pss.md.ptr(),
                    pss.mgf.ptr(),
                    int(pss.salt_len).unwrap_or(c_int::MAX),
                )
            }
        })
    }

    /// The padded message that [`Self::sign_pss`] signs, as long as the modulus.
    pub fn pss_block(&self, pss: Pss, digest: &[u8]) -> Result<Secret> {
        let mut block = Zeroizing::new(vec![0; self.len()]);
        check(c_int::from(digest.len() == pss.md.len()))?;
        // SAFETY: the block has the modulus' length, which is what is written; the digest has the hash's, which is what is read.
        check(unsafe {
            sys::RSA_padding_add_PKCS1_PSS_mgf1(
                self.0.0,
                block.as_mut_ptr(),
                digest.as_ptr(),
                pss.md.ptr(),
                pss.mgf.ptr(),
                int(pss.salt_len)?,
            )
        })?;
        Ok(block)
    }

    /// Verifies what [`Self::sign_pss`] made.
    pub fn verify_pss(&self, pss: Pss, digest: &[u8], signature: &[u8]) -> Result<()> {
        // SAFETY: the inputs are valid for their lengths; the library checks the digest's length against the hash.
        check(unsafe {
            sys::RSA_verify_pss_mgf1(
                self.0.0,
                digest.as_ptr(),
                digest.len(),
                pss.md.ptr(),
                pss.mgf.ptr(),
                int(pss.salt_len)?,
                signature.as_ptr(),
                signature.len(),
            )
        })
    }

    /// RSAEP of a number as long as the modulus.
    pub fn encrypt_raw(&self, block: &[u8]) -> Result<Vec<u8>> {
        filled(self.len(), |out, len| {
            // SAFETY: `filled` hands out room for `*len` bytes; the block is valid for its length.
            unsafe { sys::RSA_encrypt(self.0.0, len, out, *len, block.as_ptr(), block.len(), sys::RSA_NO_PADDING) }
        })
    }

    /// RSAES-PKCS1-v1_5 encryption.
    pub fn encrypt_pkcs1(&self, plaintext: &[u8]) -> Result<Vec<u8>> {
        filled(self.len(), |out, len| {
            // SAFETY: `filled` hands out room for `*len` bytes; the plaintext is valid for its length.
            unsafe { sys::RSA_encrypt(self.0.0, len, out, *len, plaintext.as_ptr(), plaintext.len(), sys::RSA_PKCS1_PADDING) }
        })
    }

    /// The padded message as long as the modulus, in constant time. Refused: a number that no encryption makes.
    pub fn decrypt_raw(&self, ciphertext: &[u8]) -> Result<Secret> {
        filled_secret(self.len(), |out, len| {
            // SAFETY: `filled_secret` hands out room for `*len` bytes; the ciphertext is valid for its length.
            unsafe { sys::RSA_decrypt(self.0.0, len, out, *len, ciphertext.as_ptr(), ciphertext.len(), sys::RSA_NO_PADDING) }
        })
    }

    /// RSAES-OAEP with these hashes, the second one MGF1's.
    pub fn oaep(&self, direction: Direction, [md, mgf]: [Md; 2], label: &[u8], input: &[u8]) -> Result<Secret> {
        // SAFETY: allocates; null is checked by `Owned::new`.
        let pkey = Owned::new(unsafe { sys::EVP_PKEY_new() })?;
        // SAFETY: both objects are live; set1 takes a reference of its own.
        check(unsafe { sys::EVP_PKEY_set1_RSA(pkey.0, self.0.0) })?;
        // SAFETY: the key is live; null is checked by `Owned::new`.
        let ctx = Owned::new(unsafe { sys::EVP_PKEY_CTX_new(pkey.0, null_mut()) })?;
        let (init, run): (_, unsafe extern "C" fn(_, _, _, _, _) -> c_int) = match direction {
            Direction::Encrypt => (sys::EVP_PKEY_encrypt_init as unsafe extern "C" fn(_) -> c_int, sys::EVP_PKEY_encrypt),
            Direction::Decrypt => (sys::EVP_PKEY_decrypt_init as _, sys::EVP_PKEY_decrypt),
        };
        // SAFETY: the context is live; set0 owns the copied label from its success on.
        unsafe {
            check(init(ctx.0))?;
            check(sys::EVP_PKEY_CTX_set_rsa_padding(ctx.0, sys::RSA_PKCS1_OAEP_PADDING))?;
            check(sys::EVP_PKEY_CTX_set_rsa_oaep_md(ctx.0, md.ptr()))?;
            check(sys::EVP_PKEY_CTX_set_rsa_mgf1_md(ctx.0, mgf.ptr()))?;
            if !label.is_empty() {
                let copy: *mut u8 = sys::OPENSSL_memdup(label.as_ptr().cast(), label.len()).cast();
                check(c_int::from(!copy.is_null()))?;
                check(sys::EVP_PKEY_CTX_set0_rsa_oaep_label(ctx.0, copy, label.len()))
                    .inspect_err(|_| sys::OPENSSL_free(copy.cast()))?;
            }
        }
        filled_secret(self.len(), |out, len| {
            // SAFETY: `filled_secret` hands out room for `*len` bytes, and the functions take `*len` as that room.
            unsafe { run(ctx.0, out, len, input.as_ptr(), input.len()) }
        })
    }
}

/// Whether a big-endian number is prime, with an error below 2⁻¹²⁸ for numbers of an adversary's choice.
pub fn is_prime(candidate: &[u8]) -> Result<bool> {
    let candidate = number(candidate)?;
    let mut prime = 0;
    // SAFETY: the number is live; null asks for a scratch context of the library's own and no callback.
    check(unsafe {
        sys::BN_primality_test(&raw mut prime, candidate.0, sys::BN_prime_checks_for_validation, null_mut(), 1, null_mut())
    })?;
    Ok(prime == 1)
}
