//! AWS-LC behind safe types. It is a crate so that the service can forbid `unsafe`: all of it that the service needs is here.
//!
//! The safe crate `aws-lc-rs` keeps keys in encodings of its own and lacks raw DigestInfo signatures, CCM, short tags and most cipher
//! modes, so one path through the C interface serves everything. Each type owns its C object and frees it; the library wipes memory
//! before it frees it (`openssl/mem.h`, `OPENSSL_free`).
//!
//! Every function checks lengths itself or leaves that to the library, so no argument makes it read or write what it may not. A
//! function that can fail says only [`Refused`].

#![deny(missing_docs)]

mod ec;
mod ed25519;
mod field;
mod mac;
mod pq;
mod random;
mod rsa;
mod symmetric;

pub use ec::{Curve, Ec, x25519, x25519_public};
pub use ed25519::{Ed25519, Eddsa};
pub use field::{DH_BITS, Dsa, below, dh_group, dsa_group, dsa_sign, dsa_verify, power};
pub use mac::HmacSha256;
pub use pq::{Pq, Set};
pub use random::fill;
pub use rsa::{Pss, Rsa, is_prime};
pub use symmetric::{Aead, Cipher, Direction, Md, chacha20, key_wrap, sha256};

use aws_lc_sys as sys;
use std::ffi::c_int;
use std::ptr::null_mut;
use zeroize::Zeroizing;

/// Bytes that are wiped when dropped.
pub type Secret = Zeroizing<Vec<u8>>;

/// The library refused. Callers know from what they asked which refusals are possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused;

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AWS-LC refused")
    }
}

impl std::error::Error for Refused {}

type Result<T, E = Refused> = std::result::Result<T, E>;

/// A C object that is freed when dropped.
struct Owned<T: Free>(*mut T);

impl<T: Free> Owned<T> {
    fn new(ptr: *mut T) -> Result<Self> {
        check(c_int::from(!ptr.is_null())).map(|()| Self(ptr))
    }
}

impl<T: Free> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: the pointer came from the library's constructor of this type and is freed once.
        unsafe { T::FREE(self.0) }
    }
}

/// The library's destructor of a type.
trait Free {
    const FREE: unsafe extern "C" fn(*mut Self);
}

macro_rules! free {
    ($($type:ident: $free:ident,)*) => { $(
        impl Free for sys::$type {
            const FREE: unsafe extern "C" fn(*mut Self) = sys::$free;
        }
    )* };
}

free! {
    BIGNUM: BN_clear_free,
    BN_CTX: BN_CTX_free,
    CMAC_CTX: CMAC_CTX_free,
    DH: DH_free,
    DSA: DSA_free,
    DSA_SIG: DSA_SIG_free,
    ECDSA_SIG: ECDSA_SIG_free,
    EC_GROUP: EC_GROUP_free,
    EC_KEY: EC_KEY_free,
    EC_POINT: EC_POINT_free,
    EVP_AEAD_CTX: EVP_AEAD_CTX_free,
    EVP_CIPHER_CTX: EVP_CIPHER_CTX_free,
    EVP_PKEY: EVP_PKEY_free,
    EVP_PKEY_CTX: EVP_PKEY_CTX_free,
    HMAC_CTX: HMAC_CTX_free,
    RSA: RSA_free,
}

/// The library's "1 is success", with its error queue emptied otherwise: the queue is this thread's, and the next request's.
fn check(code: c_int) -> Result<()> {
    if code == 1 {
        return Ok(());
    }
    // SAFETY: touches only this thread's error queue.
    unsafe { sys::ERR_clear_error() };
    Err(Refused)
}

fn int(len: usize) -> Result<c_int> {
    c_int::try_from(len).map_err(|_| Refused)
}

/// What `fill` writes into a buffer of `len` bytes: it is given the room as `*len` and leaves there what it wrote.
fn filled(len: usize, fill: impl FnOnce(*mut u8, &mut usize) -> c_int) -> Result<Vec<u8>> {
    filled_secret(len, fill).map(|mut out| std::mem::take(&mut *out))
}

/// As [`filled`], wiped when dropped.
fn filled_secret(len: usize, fill: impl FnOnce(*mut u8, &mut usize) -> c_int) -> Result<Secret> {
    let mut out = Zeroizing::new(vec![0; len]);
    let mut written = len;
    check(fill(out.as_mut_ptr(), &mut written))?;
    out.truncate(written);
    Ok(out)
}

/// What `make` allocates.
///
/// # Safety
/// On success `make` leaves a pointer from the library's allocator and the length of what it points to.
unsafe fn allocated(make: impl FnOnce(*mut *mut u8, *mut usize) -> c_int) -> Result<Secret> {
    let (mut out, mut len) = (null_mut(), 0);
    check(make(&raw mut out, &raw mut len))?;
    // SAFETY: the caller's promise; the copy is made before the library wipes and frees its own.
    unsafe {
        let copy = std::slice::from_raw_parts(out, len).to_vec();
        sys::OPENSSL_free(out.cast());
        Ok(Zeroizing::new(copy))
    }
}

/// A number of `bytes`, big-endian.
fn number(bytes: &[u8]) -> Result<Owned<sys::BIGNUM>> {
    // SAFETY: the bytes are valid for their length; null is checked by `Owned::new`.
    Owned::new(unsafe { sys::BN_bin2bn(bytes.as_ptr(), bytes.len(), null_mut()) })
}

/// A number as `len` bytes, big-endian; refused when it is absent or larger.
///
/// # Safety
/// The pointer is null or a live number.
unsafe fn padded(number: *const sys::BIGNUM, len: usize) -> Result<Secret> {
    if number.is_null() {
        return Err(Refused);
    }
    let mut out = Zeroizing::new(vec![0; len]);
    // SAFETY: the caller's promise, and `out` has `len` bytes.
    check(unsafe { sys::BN_bn2bin_padded(out.as_mut_ptr(), len, number) })?;
    Ok(out)
}
