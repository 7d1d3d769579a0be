//! Finite fields: powers, DSA (FIPS 186-4), and new groups. Numbers are big-endian.

use super::{Owned, Refused, Result, Secret, check, number, padded};
use aws_lc_sys as sys;
use std::ptr::{null, null_mut};
use zeroize::Zeroizing;

/// The numbers of a DSA group: the prime, the order of the base, and the base.
pub type Dsa<'a> = [&'a [u8]; 3];

/// A new group for DSA with a prime of so many bits.
pub fn dsa_group(bits: u32) -> Result<[Vec<u8>; 3]> {
    // SAFETY: allocates; null is checked by `Owned::new`.
    let dsa = Owned::new(unsafe { sys::DSA_new() })?;
    // SAFETY: the object is live; null asks for a seed of the library's own and for nothing back.
    check(unsafe { sys::DSA_generate_parameters_ex(dsa.0, bits, null(), 0, null_mut(), null_mut(), null_mut()) })?;
    let (mut p, mut q, mut g) = (null(), null(), null());
    // SAFETY: the numbers live as long as the object.
    unsafe {
        sys::DSA_get0_pqg(dsa.0, &raw mut p, &raw mut q, &raw mut g);
        Ok([bytes(p)?, bytes(q)?, bytes(g)?])
    }
}

/// Sizes of the named groups for Diffie-Hellman, in bits.
pub const DH_BITS: [u32; 5] = [1024, 1536, 2048, 3072, 4096];

/// The prime of the second Oakley group (RFC 2409 §6.2).
#[rustfmt::skip]
const OAKLEY_2: [u8; 128] = [
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xc9, 0x0f, 0xda, 0xa2, 0x21, 0x68, 0xc2, 0x34,
    0xc4, 0xc6, 0x62, 0x8b, 0x80, 0xdc, 0x1c, 0xd1, 0x29, 0x02, 0x4e, 0x08, 0x8a, 0x67, 0xcc, 0x74,
    0x02, 0x0b, 0xbe, 0xa6, 0x3b, 0x13, 0x9b, 0x22, 0x51, 0x4a, 0x08, 0x79, 0x8e, 0x34, 0x04, 0xdd,
    0xef, 0x95, 0x19, 0xb3, 0xcd, 0x3a, 0x43, 0x1b, 0x30, 0x2b, 0x0a, 0x6d, 0xf2, 0x5f, 0x14, 0x37,
    0x4f, 0xe1, 0x35, 0x6d, 0x6d, 0x51, 0xc2, 0x45, 0xe4, 0x85, 0xb5, 0x76, 0x62, 0x5e, 0x7e, 0xc6,
    0xf4, 0x4c, 0x42, 0xe9, 0xa6, 0x37, 0xed, 0x6b, 0x0b, 0xff, 0x5c, 0xb6, 0xf4, 0x06, 0xb7, 0xed,
    0xee, 0x38, 0x6b, 0xfb, 0x5a, 0x89, 0x9f, 0xa5, 0xae, 0x9f, 0x24, 0x11, 0x7c, 0x4b, 0x1f, 0xe6,
    0x49, 0x28, 0x66, 0x51, 0xec, 0xe6, 0x53, 0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
];

/// The named group of this size for Diffie-Hellman: the prime and the base. It is one of RFC 7919, or where that has none, of RFC 3526
/// or RFC 2409. Refused for all but [`DH_BITS`].
pub fn dh_group(bits: u32) -> Result<[Vec<u8>; 2]> {
    let name = match bits {
        1024 => return Ok([OAKLEY_2.to_vec(), vec![2]]),
        1536 => {
            // SAFETY: allocates; null is checked by `Owned::new`.
            let prime = Owned::new(unsafe { sys::BN_get_rfc3526_prime_1536(null_mut()) })?;
            // SAFETY: the number is live.
            return Ok([unsafe { bytes(prime.0) }?, vec![2]]);
        }
        2048 => sys::NID_ffdhe2048,
        3072 => sys::NID_ffdhe3072,
        4096 => sys::NID_ffdhe4096,
        _ => return Err(Refused),
    };
    // SAFETY: allocates; null is checked by `Owned::new`.
    let dh = Owned::new(unsafe { sys::DH_new_by_nid(name) })?;
    let (mut p, mut g) = (null(), null());
    // SAFETY: the numbers live as long as the object; null asks not for the order.
    unsafe {
        sys::DH_get0_pqg(dh.0, &raw mut p, null_mut(), &raw mut g);
        Ok([bytes(p)?, bytes(g)?])
    }
}

/// A random number from 1 up, below the limit.
pub fn below(limit: &[u8]) -> Result<Secret> {
    let (out, max) = (number(&[])?, number(limit)?);
    // SAFETY: both numbers are live.
    check(unsafe { sys::BN_rand_range_ex(out.0, 1, max.0) })?;
    // SAFETY: the number is live.
    unsafe { padded(out.0, limit.len()) }
}

/// `base` to the power of a secret, modulo an odd prime that is larger than the base; as long as the prime.
pub fn power(base: &[u8], exponent: &[u8], prime: &[u8]) -> Result<Secret> {
    let (out, base, exponent, modulus) = (number(&[])?, number(base)?, number(exponent)?, number(prime)?);
    // SAFETY: allocates; null is checked by `Owned::new`.
    let scratch = Owned::new(unsafe { sys::BN_CTX_new() })?;
    // SAFETY: all objects are live; the library refuses a modulus that is even, and makes what it needs of it.
    check(unsafe { sys::BN_mod_exp_mont_consttime(out.0, base.0, exponent.0, modulus.0, scratch.0, null()) })?;
    // SAFETY: the number is live.
    unsafe { padded(out.0, prime.len()) }
}

/// Signs a digest, which is cut to the length of the order: r ‖ s, each of that length.
pub fn dsa_sign(group: Dsa<'_>, public: &[u8], private: &[u8], digest: &[u8]) -> Result<Vec<u8>> {
    let key = dsa(group, public, Some(private))?;
    // SAFETY: the key is live, the digest valid for its length; null is checked by `Owned::new`.
    let signature = Owned::new(unsafe { sys::DSA_do_sign(digest.as_ptr(), digest.len(), key.0) })?;
    let (mut r, mut s) = (null(), null());
    // SAFETY: the numbers live as long as the signature.
    unsafe {
        sys::DSA_SIG_get0(signature.0, &raw mut r, &raw mut s);
        Ok([padded(r, group[1].len())?.as_slice(), &padded(s, group[1].len())?].concat())
    }
}

/// Verifies what [`dsa_sign`] made.
pub fn dsa_verify(group: Dsa<'_>, public: &[u8], digest: &[u8], signature: &[u8]) -> Result<()> {
    let len = group[1].len();
    if signature.len() != 2 * len {
        return Err(Refused);
    }
    let key = dsa(group, public, None)?;
    let (r, s) = (number(&signature[..len])?, number(&signature[len..])?);
    // SAFETY: allocates; null is checked by `Owned::new`.
    let parsed = Owned::new(unsafe { sys::DSA_SIG_new() })?;
    // SAFETY: all objects are live; on success the signature owns both numbers, so they are forgotten.
    check(unsafe { sys::DSA_SIG_set0(parsed.0, r.0, s.0) })?;
    std::mem::forget((r, s));
    let mut valid = 0;
    // SAFETY: key and signature are live, the digest valid for its length.
    check(unsafe { sys::DSA_do_check_signature(&raw mut valid, digest.as_ptr(), digest.len(), parsed.0, key.0) })?;
    check(valid)
}

fn dsa([p, q, g]: Dsa<'_>, public: &[u8], private: Option<&[u8]>) -> Result<Owned<sys::DSA>> {
    // SAFETY: allocates; null is checked by `Owned::new`.
    let key = Owned::new(unsafe { sys::DSA_new() })?;
    let (p, q, g) = (number(p)?, number(q)?, number(g)?);
    // SAFETY: all objects are live; on success the key owns the numbers, so they are forgotten.
    check(unsafe { sys::DSA_set0_pqg(key.0, p.0, q.0, g.0) })?;
    std::mem::forget((p, q, g));
    let (public, private) = (number(public)?, private.map(number).transpose()?);
    // SAFETY: as above; null stands for no private half.
    check(unsafe { sys::DSA_set0_key(key.0, public.0, private.as_ref().map_or(null_mut(), |private| private.0)) })?;
    std::mem::forget((public, private));
    Ok(key)
}

/// A number without zeros in front.
///
/// # Safety
/// The pointer is null or a live number.
unsafe fn bytes(number: *const sys::BIGNUM) -> Result<Vec<u8>> {
    if number.is_null() {
        return Err(Refused);
    }
    // SAFETY: the caller's promise.
    let len = unsafe { sys::BN_num_bytes(number) };
    // SAFETY: the caller's promise.
    let mut padded: Zeroizing<Vec<u8>> = unsafe { padded(number, len as usize) }?;
    Ok(std::mem::take(&mut *padded))
}
