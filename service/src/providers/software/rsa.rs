//! Two parts of RSA that the library leaves to its caller: which keys to refuse, and PKCS#1 v1.5 decryption that is no oracle.

use super::invalid;
use crate::error::Result;
use lc::{Md, Rsa, Secret, is_prime};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq, ConstantTimeLess};
use zeroize::Zeroizing;

/// Refuses keys that are well-formed but weak: with the fingerprint of the Infineon library (ROCA, CVE-2017-15361), with factors that are
/// no primes, of unequal size or close together, or with a short private exponent.
pub(crate) fn validate(rsa: &Rsa, pair: bool) -> Result<()> {
    if has_roca_fingerprint(&rsa.modulus()?) {
        return Err(invalid(
            "the RSA modulus has the fingerprint of CVE-2017-15361 (ROCA), so its factors can be found: make a new key",
        ));
    }
    if !pair {
        return Ok(());
    }
    let weak = |what: &str| Err(invalid(format!("the RSA key is weak: {what}")));
    let Ok([p, q]) = rsa.primes() else {
        return weak("its primes differ in size");
    };
    if leading_zeros(&p) != leading_zeros(&q) {
        return weak("its primes differ in size");
    }
    // FIPS 186-5 §A.1.1 wants |p - q| > 2^(nlen/2 - 100); equal in the first 96 bits is closer than any honest generator comes.
    if p[..12] == q[..12] {
        return weak("its primes are too close to each other");
    }
    let d = rsa.private_exponent()?;
    if leading_zeros(&d) >= rsa.len() * 8 / 2 {
        return weak("its private exponent is short");
    }
    if !is_prime(&p)? || !is_prime(&q)? {
        return weak("its factors are not prime");
    }
    Ok(())
}

/// A ready `DigestInfo`, padded for RSASSA-PKCS1-v1_5 (RFC 8017 §9.2).
pub(crate) fn pkcs1_block(rsa: &Rsa, info: &[u8]) -> Result<Secret> {
    let len = rsa.len();
    let Some(padding) = len.checked_sub(info.len() + 3).filter(|&padding| padding >= 8) else {
        return Err(invalid(format!("{} bytes are too many to sign: the key takes at most {}", info.len(), len - 11)));
    };
    Ok(Zeroizing::new([&[0, 1], vec![0xff; padding].as_slice(), &[0], info].concat()))
}

/// A block that the caller has padded, as long as the modulus. Zeros in front stand for those that big-endian numbers drop.
pub(crate) fn block(rsa: &Rsa, data: &[u8]) -> Result<Secret> {
    let Some(zeros) = rsa.len().checked_sub(data.len()) else {
        return Err(invalid(format!("{} bytes are too many: the key works on {}", data.len(), rsa.len())));
    };
    let mut block = Zeroizing::new(vec![0; rsa.len()]);
    block[zeros..].copy_from_slice(data);
    Ok(block)
}

fn leading_zeros(number: &[u8]) -> usize {
    let zeros = number.iter().take_while(|&&byte| byte == 0).count();
    zeros * 8 + number.get(zeros).map_or(0, |byte| byte.leading_zeros() as usize)
}

/// The weak generator's primes are k·M + (65537^a mod M), M being the product of the first primes: so the modulus is a power of 65537
/// modulo each of them. A sound modulus is so with a chance of 2⁻²⁷.
pub(crate) fn has_roca_fingerprint(modulus: &[u8]) -> bool {
    const PRIMES: [u32; 38] = [
        3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109, 113,
        127, 131, 137, 139, 149, 151, 157, 163, 167,
    ];
    PRIMES.iter().all(|&prime| {
        let residue = modulus.iter().fold(0, |residue, &byte| (residue * 256 + u32::from(byte)) % prime);
        std::iter::successors(Some(1), |power| Some(power * 65537 % prime)).take(prime as usize).any(|power| power == residue)
    })
}

/// RSAES-PKCS1-v1_5 decryption with implicit rejection (draft-irtf-cfrg-rsa-guidance §7): a ciphertext with bad padding decrypts to a
/// message that only the key's owner could tell from a real one, the same each time, in the same time. There is no error to learn from.
///
/// `ciphertext` is as long as the modulus.
pub(crate) fn decrypt_pkcs1(rsa: &Rsa, ciphertext: &[u8]) -> Result<Secret> {
    let padded = rsa.decrypt_raw(ciphertext).map_err(|_| invalid("the ciphertext is not in the range of the key"))?;
    unpad_pkcs1(&padded, ciphertext, &rsa.private_exponent()?)
}

/// The message in what RSADP made of a ciphertext, with implicit rejection as of [`decrypt_pkcs1`]; the secret is known to nobody else
/// and belongs to the key.
pub(crate) fn unpad_pkcs1(padded: &[u8], ciphertext: &[u8], secret: &[u8]) -> Result<Secret> {
    let seed = Zeroizing::new(Md::SHA256.digest(secret)?);
    let derived = Zeroizing::new(Md::SHA256.hmac(&seed, ciphertext)?);
    let synthetic = expand(&derived, b"message", padded.len())?;
    let lengths = expand(&derived, b"length", 2 * LENGTHS)?;
    let (valid, start) = unpad(padded);
    let start = u32::conditional_select(&(length_as_u32(padded.len()) - synthetic_len(&lengths, padded.len())), &start, valid);
    // The length of the message is the answer itself; what is copied from where depends on nothing else.
    let message =
        padded.iter().zip(synthetic.iter()).skip(start as usize).map(|(real, fake)| u8::conditional_select(fake, real, valid));
    Ok(Zeroizing::new(message.collect()))
}

/// The message in what RSADP made of an RSAES-OAEP ciphertext (RFC 8017 §7.1.2, step 3), as long as the modulus; with MGF1's hash second.
/// `None` where it was not made for this key, hash and label, in a time that does not tell why (Manger 2001).
pub(crate) fn unpad_oaep(padded: &[u8], [md, mgf]: [Md; 2], label: &[u8]) -> Result<Option<Secret>> {
    let len = md.len();
    if padded.len() < 2 * len + 2 {
        return Ok(None);
    }
    let (seed, data) = padded[1..].split_at(len);
    let seed = xor(seed, &mgf.mgf1(data, len)?);
    let data = xor(data, &mgf.mgf1(&seed, data.len())?);
    let (hash, rest) = data.split_at(len);
    let mut valid = padded[0].ct_eq(&0) & hash.ct_eq(&md.digest(label)?);
    let (mut found, mut start) = (Choice::from(0), 0_u32);
    for (index, byte) in (1_u32..).zip(rest) {
        let one = byte.ct_eq(&1);
        start.conditional_assign(&index, one & !found);
        valid &= found | one | byte.ct_eq(&0);
        found |= one;
    }
    Ok(bool::from(valid & found).then(|| Zeroizing::new(rest[start as usize..].to_vec())))
}

fn xor(a: &[u8], b: &[u8]) -> Secret {
    Zeroizing::new(a.iter().zip(b).map(|(a, b)| a ^ b).collect())
}

/// How many candidates for the length of the synthetic message there are.
const LENGTHS: usize = 128;
/// Bytes before the message: 00 02, at least eight of padding, 00.
const OVERHEAD: u32 = 11;

/// Whether 00 ‖ 02 ‖ eight or more non-zero bytes ‖ 00 stands at the front, and where the message after it starts. Constant time.
fn unpad(padded: &[u8]) -> (Choice, u32) {
    let (mut found, mut zero) = (Choice::from(0), 0_u32);
    for (index, byte) in (0_u32..).zip(padded).skip(2) {
        let first = byte.ct_eq(&0) & !found;
        zero.conditional_assign(&index, first);
        found |= first;
    }
    let long_enough = !zero.ct_lt(&(OVERHEAD - 1));
    (padded[0].ct_eq(&0) & padded[1].ct_eq(&2) & found & long_enough, zero + 1)
}

/// The last candidate that fits is the length. Constant time.
fn synthetic_len(candidates: &[u8], modulus_len: usize) -> u32 {
    let limit = length_as_u32(modulus_len) - (OVERHEAD - 1);
    let mask = limit.next_power_of_two() - 1;
    candidates.chunks_exact(2).fold(0, |len, pair| {
        let candidate = (u32::from(pair[0]) << 8 | u32::from(pair[1])) & mask;
        u32::conditional_select(&len, &candidate, candidate.ct_lt(&limit))
    })
}

/// The draft's PRF: HMAC-SHA-256 over a counter, the label and the output's length in bits.
fn expand(key: &[u8], label: &[u8], len: usize) -> Result<Secret> {
    let bits = (length_as_u32(len) * 8).to_be_bytes();
    let mut out = Zeroizing::new(Vec::with_capacity(len + 32));
    for counter in 0_u16.. {
        if out.len() >= len {
            break;
        }
        let block = Zeroizing::new(Md::SHA256.hmac(key, &[&counter.to_be_bytes(), label, &bits[2..]].concat())?);
        out.extend_from_slice(&block);
    }
    out.truncate(len);
    Ok(out)
}

/// A length of at most a modulus.
#[expect(clippy::cast_possible_truncation, reason = "moduli have at most 512 bytes")]
const fn length_as_u32(len: usize) -> u32 {
    len as u32
}
