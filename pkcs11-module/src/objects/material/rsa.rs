//! RSA private keys with missing numbers. A token may store only the modulus and the private exponent (PKCS#11 v3.1 §6.1.3). The
//! others follow from these and the public exponent (NIST SP 800-56B rev. 2, appendix C.2). If the caller gives some of them, they
//! must be the right ones.

use cryptoki_sys::*;
use rsa::traits::{PrivateKeyParts, PublicKeyParts};
use rsa::{BoxedUint, PrivateKey};
use zeroize::Zeroizing;

use super::{RSA_PRIVATE, given, number};
use crate::error::{Error, Result};
use crate::ffi::Template;

/// All numbers of a key, in the order of [`RSA_PRIVATE`].
pub(super) type Numbers = [Zeroizing<Vec<u8>>; 8];

/// That of nearly all keys, where a template has none.
const EXPONENT: &[u8] = &[1, 0, 1];
/// Moduli have so many bytes.
const SIZES: std::ops::RangeInclusive<usize> = 64..=2048;

/// All numbers of the key that a template has some of. Without the primes, the public exponent is more than 16 bits long.
pub(super) fn complete(template: &Template) -> Result<Numbers> {
    let modulus = number(given(template, CKA_MODULUS)?);
    let private = number(given(template, CKA_PRIVATE_EXPONENT)?);
    let public = number(given(template, CKA_PUBLIC_EXPONENT).unwrap_or(EXPONENT));
    if !SIZES.contains(&modulus.len()) {
        return Err(Error::KeySizeRange);
    }
    let bits = 8 * u32::try_from(modulus.len()).map_err(|_| Error::KeySizeRange)?;
    let wide = |bytes: &[u8]| BoxedUint::from_be_slice(bytes, bits).map_err(|_| Error::AttributeValueInvalid);
    let key = |primes| {
        let key = PrivateKey::from_components_with_large_exponent(wide(modulus)?, wide(public)?, wide(private)?, primes);
        let known = given(template, CKA_PUBLIC_EXPONENT).is_ok();
        key.map_err(|_| if known { Error::AttributeValueInvalid } else { Error::TemplateIncomplete })
    };
    if private.is_empty() || matches!(public, [] | [1]) {
        return Err(Error::AttributeValueInvalid);
    }
    let primes = match [CKA_PRIME_1, CKA_PRIME_2].map(|kind| given(template, kind)) {
        [Ok(first), Ok(second)] => vec![wide(number(first))?, wide(number(second))?],
        _ if public.len() < EXPONENT.len() => return Err(Error::TemplateIncomplete),
        _ => key(vec![])?.primes().iter().map(|prime| prime.as_ref().clone()).collect(),
    };
    let turned = primes.iter().rev().cloned().collect();
    for primes in [primes, turned] {
        let numbers = numbers(&key(primes)?).ok_or(Error::AttributeValueInvalid)?;
        let same = |(&kind, own): (&CK_ATTRIBUTE_TYPE, &Zeroizing<Vec<u8>>)| {
            given(template, kind).map_or(true, |given| number(given) == own.as_slice())
        };
        if RSA_PRIVATE.iter().zip(&numbers).all(same) {
            return Ok(numbers);
        }
    }
    Err(Error::AttributeValueInvalid)
}

fn numbers(key: &PrivateKey) -> Option<Numbers> {
    let [p, q] = key.primes() else { return None };
    let inverse = key.crt_coefficient()?;
    let all = [key.n().as_ref(), key.e(), key.d(), p.as_ref(), q.as_ref(), key.dp()?, key.dq()?, &inverse];
    Some(all.map(|value| Zeroizing::new(number(&Zeroizing::new(value.to_be_bytes().into_vec())).to_vec())))
}
