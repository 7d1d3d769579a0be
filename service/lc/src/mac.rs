//! HMAC with a key that is used again and again.

use super::{Owned, Result, check};
use aws_lc_sys as sys;
use std::fmt;
use std::mem::MaybeUninit;
use std::ptr::null_mut;

/// HMAC-SHA-256 (FIPS 198-1) with a key that has been hashed already.
pub struct HmacSha256(Owned<sys::HMAC_CTX>);

// SAFETY: nothing here changes the context after it was made; signing works on a copy.
unsafe impl Send for HmacSha256 {}
// SAFETY: as above.
unsafe impl Sync for HmacSha256 {}

impl HmacSha256 {
    /// Takes a key of any length.
    ///
    /// # Errors
    /// [`Refused`](super::Refused) where there is no memory.
    pub fn new(key: &[u8]) -> Result<Self> {
        // SAFETY: allocates; null is checked by `Owned::new`.
        let ctx = Owned::new(unsafe { sys::HMAC_CTX_new() })?;
        // SAFETY: the context is live, the key valid for its length, the hash a static table.
        check(unsafe { sys::HMAC_Init_ex(ctx.0, key.as_ptr().cast(), key.len(), sys::EVP_sha256(), null_mut()) })?;
        Ok(Self(ctx))
    }

    /// The MAC of some bytes.
    pub fn sign(&self, data: &[u8]) -> [u8; 32] {
        let mut out = [0; 32];
        let mut ctx = MaybeUninit::uninit();
        let ctx = ctx.as_mut_ptr();
        // SAFETY: the context is initialised before it is used and cleaned up once; `out` has the 32 bytes that SHA-256 makes, and null
        // asks not for their number.
        let codes = unsafe {
            sys::HMAC_CTX_init(ctx);
            let codes = [
                sys::HMAC_CTX_copy_ex(ctx, self.0.0),
                sys::HMAC_Update(ctx, data.as_ptr(), data.len()),
                sys::HMAC_Final(ctx, out.as_mut_ptr(), null_mut()),
            ];
            sys::HMAC_CTX_cleanup(ctx);
            codes
        };
        assert_eq!(codes, [1; 3], "HMAC allocates nothing, so none of its steps fails after its key was taken");
        out
    }
}

impl fmt::Debug for HmacSha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HmacSha256")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Md;

    #[test]
    fn a_key_signs_again_and_again_as_at_once() {
        for len in [0, 1, 64, 65, 200] {
            let key = vec![7; len];
            let kept = HmacSha256::new(&key).unwrap();
            for data in [&b""[..], b"abc", &[1; 1000]] {
                assert_eq!(kept.sign(data).as_slice(), Md::SHA256.hmac(&key, data).unwrap());
            }
        }
    }
}
