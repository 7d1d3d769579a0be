//! Finite fields: powers, DSA (FIPS 186-4), and new groups. Numbers are big-endian.

use super::{Owned, Refused, Result, Secret, check, int, number, padded};
use aws_lc_sys as sys;
use std::ffi::c_int;
use std::ptr::{null, null_mut};
use zeroize::Zeroizing;

/// The numbers of a DSA group: the prime, the order of the base, and the base.
pub(crate) type Dsa<'a> = [&'a [u8]; 3];

/// A new group for DSA with a prime of so many bits.
pub(crate) fn dsa_group(bits: u32) -> Result<[Vec<u8>; 3]> {
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

/// A group for Diffie-Hellman: the prime and the base. The one of RFC 7919 with this size, or else a new one.
pub(crate) fn dh_group(bits: u32) -> Result<[Vec<u8>; 2]> {
    const NAMED: [(u32, c_int); 3] = [(2048, sys::NID_ffdhe2048), (3072, sys::NID_ffdhe3072), (4096, sys::NID_ffdhe4096)];
    let dh = match NAMED.iter().find(|row| row.0 == bits) {
        // SAFETY: allocates; null is checked by `Owned::new`.
        Some(row) => Owned::new(unsafe { sys::DH_new_by_nid(row.1) })?,
        None => {
            // SAFETY: allocates; null is checked by `Owned::new`.
            let dh = Owned::new(unsafe { sys::DH_new() })?;
            // SAFETY: the object is live; null asks for no callback.
            check(unsafe { sys::DH_generate_parameters_ex(dh.0, int(bits as usize)?, 2, null_mut()) })?;
            dh
        }
    };
    let (mut p, mut g) = (null(), null());
    // SAFETY: the numbers live as long as the object; null asks not for the order.
    unsafe {
        sys::DH_get0_pqg(dh.0, &raw mut p, null_mut(), &raw mut g);
        Ok([bytes(p)?, bytes(g)?])
    }
}

/// A random number from 1 up, below the limit.
pub(crate) fn below(limit: &[u8]) -> Result<Secret> {
    let (out, max) = (number(&[])?, number(limit)?);
    // SAFETY: both numbers are live.
    check(unsafe { sys::BN_rand_range_ex(out.0, 1, max.0) })?;
    // SAFETY: the number is live.
    unsafe { padded(out.0, limit.len()) }
}

/// `base` to the power of a secret, modulo an odd prime that is larger than the base; as long as the prime.
pub(crate) fn power(base: &[u8], exponent: &[u8], prime: &[u8]) -> Result<Secret> {
    let (out, base, exponent, modulus) = (number(&[])?, number(base)?, number(exponent)?, number(prime)?);
    // SAFETY: allocates; null is checked by `Owned::new`.
    let scratch = Owned::new(unsafe { sys::BN_CTX_new() })?;
    // SAFETY: all objects are live; the library refuses a modulus that is even, and makes what it needs of it.
    check(unsafe { sys::BN_mod_exp_mont_consttime(out.0, base.0, exponent.0, modulus.0, scratch.0, null()) })?;
    // SAFETY: the number is live.
    unsafe { padded(out.0, prime.len()) }
}

/// Signs a digest, which is cut to the length of the order: r ‖ s, each of that length.
pub(crate) fn dsa_sign(group: Dsa<'_>, public: &[u8], private: &[u8], digest: &[u8]) -> Result<Vec<u8>> {
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
pub(crate) fn dsa_verify(group: Dsa<'_>, public: &[u8], digest: &[u8], signature: &[u8]) -> Result<()> {
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
