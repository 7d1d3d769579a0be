//! Converts private and secret keys between the attributes of PKCS#11 and the bytes of the protocol (RSA: DER `RSAPrivateKey` and
//! `RSAPublicKey` of RFC 8017 §A.1; curves: the scalar or seed, and the point; others: the bare key).

mod rsa;

use cryptoki_sys::*;
use der::asn1::{AnyRef, BitStringRef, ObjectIdentifier, OctetStringRef, PrintableStringRef, UintRef};
use der::{Decode, Encode, Reader, SliceReader, Tag};
use interface::group::{Group, GroupKey};
use interface::kind::Parameters;
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::ffi::Template;
use crate::mechanism::{Family, Form};

/// The numbers of an `RSAPrivateKey` behind its version, in order.
const RSA_PRIVATE: [CK_ATTRIBUTE_TYPE; 8] = [
    CKA_MODULUS,
    CKA_PUBLIC_EXPONENT,
    CKA_PRIVATE_EXPONENT,
    CKA_PRIME_1,
    CKA_PRIME_2,
    CKA_EXPONENT_1,
    CKA_EXPONENT_2,
    CKA_COEFFICIENT,
];

const RSA_PUBLIC: [CK_ATTRIBUTE_TYPE; 2] = [CKA_MODULUS, CKA_PUBLIC_EXPONENT];

/// The RSA private key that a template gives; the service checks that its numbers fit together.
pub(crate) fn rsa_private(template: &Template) -> Result<Zeroizing<Vec<u8>>> {
    let version: &[u8] = &[0];
    let given: Vec<_> = RSA_PRIVATE.iter().map(|&kind| given(template, kind)).collect();
    if given.iter().all(Result::is_ok) {
        return integers(std::iter::once(Ok(version)).chain(given));
    }
    let whole = rsa::complete(template)?;
    integers(std::iter::once(version).chain(whole.iter().map(|number| number.as_slice())).map(Ok))
}

/// The RSA public key that a template gives.
pub(crate) fn rsa_public(template: &Template) -> Result<Zeroizing<Vec<u8>>> {
    integers(RSA_PUBLIC.iter().map(|&kind| given(template, kind)))
}

/// The scalar or seed of a private key, as long as the curve has it.
pub(crate) fn ec_private(template: &Template, curve: &Parameters) -> Result<Zeroizing<Vec<u8>>> {
    let len = curve.private_len;
    let value = given(template, CKA_VALUE)?;
    let value = if curve.weierstrass() { number(value) } else { value };
    let missing = len.checked_sub(value.len()).ok_or(Error::AttributeValueInvalid)?;
    Ok(Zeroizing::new([&vec![0; missing][..], value].concat()))
}

/// The point of a public key.
pub(crate) fn ec_public(template: &Template, curve: &Parameters) -> Result<Zeroizing<Vec<u8>>> {
    Ok(Zeroizing::new(point(given(template, CKA_EC_POINT)?, curve).to_vec()))
}

/// A point that programs give bare, in an OCTET STRING, or in a BIT STRING, which PKCS#11 v3.0 §2.3.5 has for Edwards curves. The length
/// tells: a bare one may begin as if it were wrapped.
pub(crate) fn point<'a>(given: &'a [u8], curve: &Parameters) -> &'a [u8] {
    if is_point(given, curve) {
        return given;
    }
    let octets = <&OctetStringRef>::from_der(given).map(OctetStringRef::as_bytes);
    let bits = || BitStringRef::from_der(given).ok().and_then(|bits| bits.as_bytes());
    octets.ok().or_else(bits).unwrap_or(given)
}

/// Whether this is a point of a key, compressed or not (SEC 1 §2.3.3).
pub(crate) fn same_point(given: &[u8], whole: &[u8]) -> bool {
    match (given, whole) {
        ([2 | 3, x @ ..], [4, both @ .., last]) if 2 * x.len() == both.len() + 1 => {
            both.starts_with(x) && given[0] == 2 | last & 1
        }
        _ => given == whole,
    }
}

/// As [`point`], of any curve.
pub(crate) fn any_point(given: &[u8]) -> &[u8] {
    let mut wrapped =
        Parameters::curves().map(|curve| (point(given, curve), curve)).filter(|(inner, _)| inner.len() < given.len());
    wrapped.find(|(inner, curve)| is_point(inner, curve)).map_or(given, |(inner, _)| inner)
}

/// The curve that CKA_EC_PARAMS names: by its object identifier, or by its name (PKCS#11 3.1 §6.3.3).
pub(crate) fn curve(params: &[u8]) -> Result<&'static Parameters> {
    if let Ok(oid) = ObjectIdentifier::from_der(params) {
        return Parameters::curves().find(|curve| curve.oid == oid).ok_or(Error::CurveNotSupported);
    }
    let name = PrintableStringRef::from_der(params).map_err(|_| Error::CurveNotSupported)?;
    let name = match name.as_str() {
        "edwards25519" => "ED25519",
        "edwards448" => "ED448",
        "curve25519" => "X25519",
        "secp256r1" => "prime256v1",
        other => other,
    };
    Parameters::curves().find(|curve| curve.openssl.to_bytes() == name.as_bytes()).ok_or(Error::CurveNotSupported)
}

/// Whether this has the length of a point.
fn is_point(bare: &[u8], curve: &Parameters) -> bool {
    let coordinate = curve.bits.div_ceil(8) as usize;
    bare.len() == curve.public_len || curve.weierstrass() && bare.len() == 1 + coordinate
}

/// The group that a template gives; a key with an order is one of DSA.
pub(crate) fn group(template: &Template, kind: CK_KEY_TYPE) -> Result<Group> {
    let number = |kind| given(template, kind).map(|value| number(value).to_vec());
    let subprime = if kind == CKK_DSA { Some(number(CKA_SUBPRIME)?) } else { None };
    Ok(Group { prime: number(CKA_PRIME)?, subprime, base: number(CKA_BASE)? })
}

/// The half of a key with its group that a template gives.
pub(crate) fn group_key(template: &Template, kind: CK_KEY_TYPE) -> Result<GroupKey> {
    Ok(GroupKey { group: group(template, kind)?, number: secret(template)? })
}

/// A number without the zeros that it may begin with.
pub(crate) fn number(bytes: &[u8]) -> &[u8] {
    &bytes[bytes.iter().take_while(|byte| **byte == 0).count()..]
}

/// The bytes of a secret key.
pub(crate) fn secret(template: &Template) -> Result<Zeroizing<Vec<u8>>> {
    Ok(Zeroizing::new(given(template, CKA_VALUE)?.to_vec()))
}

/// The private key of ML-DSA or ML-KEM: the seed, the expanded key, or both, which the service compares (PKCS#11 v3.2 §6.67.3, §6.68.3).
pub(crate) fn seed_or_expanded(template: &Template) -> Result<Zeroizing<Vec<u8>>> {
    let both: Vec<_> = [CKA_SEED, CKA_VALUE].into_iter().filter_map(|kind| given(template, kind).ok()).collect();
    if both.is_empty() { Err(Error::TemplateIncomplete) } else { Ok(Zeroizing::new(both.concat())) }
}

/// The attribute of an exported key, whose public half has this length.
pub(crate) fn attribute(
    key_type: CK_KEY_TYPE,
    public_len: usize,
    exported: &[u8],
    kind: CK_ATTRIBUTE_TYPE,
) -> Result<Zeroizing<Vec<u8>>> {
    let value = match (key_type, RSA_PRIVATE.iter().position(|have| *have == kind)) {
        (CKK_RSA, Some(index)) => Some(rsa_number(exported, index + 1).map_err(|_| Error::DeviceFailed)?),
        (CKK_RSA, None) => None,
        (CKK_DSA | CKK_DH, _) if kind == CKA_VALUE => {
            Some(GroupKey::from_pkcs8(exported).ok_or(Error::DeviceFailed)?.number.to_vec())
        }
        // What was not expanded when it came is not expanded when it goes. A seed is shorter than the public key.
        _ if of_set(key_type) => {
            (kind == if exported.len() < public_len { CKA_SEED } else { CKA_VALUE }).then(|| exported.to_vec())
        }
        _ => (kind == CKA_VALUE).then(|| exported.to_vec()),
    };
    value.map(Zeroizing::new).ok_or(Error::AttributeTypeInvalid)
}

/// Whether this attribute of a private or secret key holds what may be secret.
pub(crate) fn private(key_type: CK_KEY_TYPE, kind: CK_ATTRIBUTE_TYPE) -> bool {
    match key_type {
        CKK_RSA => RSA_PRIVATE.contains(&kind) && !RSA_PUBLIC.contains(&kind),
        _ if of_set(key_type) => matches!(kind, CKA_VALUE | CKA_SEED),
        _ => kind == CKA_VALUE,
    }
}

/// Whether such keys are of a parameter set.
fn of_set(key_type: CK_KEY_TYPE) -> bool {
    Family::named(key_type).map(Family::form) == Some(Form::Set)
}

fn given(template: &Template, kind: CK_ATTRIBUTE_TYPE) -> Result<&[u8]> {
    let value = template.value(kind).filter(|value| !value.is_empty());
    value.ok_or(Error::TemplateIncomplete)
}

/// A SEQUENCE of INTEGERs, each given as big-endian bytes.
fn integers<'a>(numbers: impl Iterator<Item = Result<&'a [u8]>>) -> Result<Zeroizing<Vec<u8>>> {
    let mut content = Zeroizing::new(Vec::with_capacity(4096));
    for number in numbers {
        let number = UintRef::new(number?).map_err(|_| Error::AttributeValueInvalid)?;
        number.encode_to_vec(&mut content).map_err(|_| Error::AttributeValueInvalid)?;
    }
    let sequence = AnyRef::new(Tag::Sequence, &content).map_err(|_| Error::AttributeValueInvalid)?;
    sequence.to_der().map(Zeroizing::new).map_err(|_| Error::AttributeValueInvalid)
}

fn rsa_number(private: &[u8], index: usize) -> Result<Vec<u8>, der::Error> {
    let sequence = AnyRef::from_der(private)?;
    let mut reader = SliceReader::new(sequence.value())?;
    for _ in 0..index {
        reader.tlv_bytes()?;
    }
    Ok(UintRef::decode(&mut reader)?.as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use interface::attributes::{EccFamily, KeyType};

    #[test]
    fn rsa_numbers_come_back() {
        let values: Vec<_> = (1..=8).map(|i| vec![0x80 | i, i]).collect();
        let mut template = RSA_PRIVATE.map(|kind| (kind, &[][..]));
        for (entry, value) in template.iter_mut().zip(&values) {
            entry.1 = value;
        }
        let der = rsa_private(&Template::from(template)).unwrap();
        assert_eq!(der[..5], [0x30, 8 * 5 + 3, 2, 1, 0]);
        for (kind, value) in RSA_PRIVATE.iter().zip(&values) {
            assert_eq!(*attribute(CKK_RSA, 0, &der, *kind).unwrap(), *value);
        }
        let partial = Template::from([(CKA_MODULUS, &[1][..]), (CKA_PUBLIC_EXPONENT, &[1, 0, 1])]);
        assert!(matches!(rsa_private(&partial), Err(Error::TemplateIncomplete)));
    }

    #[test]
    fn scalars_are_as_long_as_the_curve() {
        let p256 = Parameters::of(KeyType::EccKeyPair(EccFamily::SecpR1), 256).unwrap();
        let short = Template::from([(CKA_VALUE, &[7; 30][..])]);
        let scalar = ec_private(&short, p256).unwrap();
        assert_eq!((scalar.len(), &scalar[..3]), (32, &[0, 0, 7][..]));
        let long = Template::from([(CKA_VALUE, &[7; 33][..])]);
        assert!(ec_private(&long, p256).is_err());
    }

    #[test]
    fn the_length_of_a_point_tells_whether_it_is_wrapped() {
        for curve in Parameters::curves() {
            let (uncompressed, compressed) = (2 * curve.bits.div_ceil(8) as usize + 1, curve.bits.div_ceil(8) as usize + 1);
            let lens = if curve.weierstrass() { vec![uncompressed, compressed] } else { vec![curve.private_len] };
            for len in lens {
                // what begins as if it were wrapped
                let mut bare = vec![7; len];
                let header = if len < 130 {
                    vec![4, u8::try_from(len - 2).unwrap()]
                } else {
                    vec![4, 0x81, u8::try_from(len - 3).unwrap()]
                };
                bare[..header.len()].copy_from_slice(&header);
                assert_eq!(point(&bare, curve), bare, "{:?} {len}", curve.openssl);
                let wrapped = OctetStringRef::new(&bare).unwrap().to_der().unwrap();
                assert_eq!(point(&wrapped, curve), bare, "{:?} {len}", curve.openssl);
                let wrapped = BitStringRef::from_bytes(&bare).unwrap().to_der().unwrap();
                assert_eq!(point(&wrapped, curve), bare, "{:?} {len}", curve.openssl);
            }
        }
    }
}
