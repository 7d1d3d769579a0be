//! Public keys as `SubjectPublicKeyInfo` (RFC 5280 §4.1.2.7): what certificates, key references and OpenSSL speak, where the
//! protocol has the bare key.

use crate::attributes::{EccFamily, KeyType};
use der::asn1::{AnyRef, BitStringRef, ObjectIdentifier};
use der::{Decode, Encode};
use sha1::{Digest, Sha1};
use spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};

pub(crate) const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
pub(crate) const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");

/// An elliptic curve: its object identifier, family and size.
#[derive(Debug)]
pub struct Curve {
    /// Of a Weierstrass curve: the parameter of `id-ecPublicKey`. Of the others: the algorithm itself (RFC 8410).
    pub oid: ObjectIdentifier,
    /// The family.
    pub family: EccFamily,
    /// The size in bits.
    pub bits: u32,
    /// The name that OpenSSL prefers.
    pub name: &'static str,
}

const fn curve(oid: &str, family: EccFamily, bits: u32, name: &'static str) -> Curve {
    Curve { oid: ObjectIdentifier::new_unwrap(oid), family, bits, name }
}

/// The curves that have a name here.
pub const CURVES: &[Curve] = &[
    curve("1.2.840.10045.3.1.7", EccFamily::SecpR1, 256, "prime256v1"),
    curve("1.3.132.0.34", EccFamily::SecpR1, 384, "secp384r1"),
    curve("1.3.132.0.35", EccFamily::SecpR1, 521, "secp521r1"),
    curve("1.3.132.0.10", EccFamily::SecpK1, 256, "secp256k1"),
    curve("1.3.101.112", EccFamily::TwistedEdwards, 255, "ED25519"),
    curve("1.3.101.110", EccFamily::Montgomery, 255, "X25519"),
];

impl Curve {
    /// The curve of this family and size.
    pub fn of(family: EccFamily, bits: u32) -> Option<&'static Self> {
        CURVES.iter().find(|curve| curve.family == family && curve.bits == bits)
    }

    /// The curve with this object identifier.
    pub fn by_oid(oid: ObjectIdentifier) -> Option<&'static Self> {
        CURVES.iter().find(|curve| curve.oid == oid)
    }

    /// Whether its keys are `id-ecPublicKey` with the curve as a parameter.
    pub fn weierstrass(&self) -> bool {
        !matches!(self.family, EccFamily::TwistedEdwards | EccFamily::Montgomery)
    }
}

/// A public key as the protocol has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    /// [`KeyType::RsaPublicKey`] or [`KeyType::EccPublicKey`].
    pub key_type: KeyType,
    /// The size in bits.
    pub bits: u32,
    /// RSA: DER `RSAPublicKey`. Weierstrass curves: the uncompressed point. Others: the raw bytes of RFC 8032 and RFC 7748.
    pub bytes: Vec<u8>,
}

impl PublicKey {
    /// Reads the DER of a `SubjectPublicKeyInfo`; `None` where it is malformed or of a kind without a name here.
    pub fn from_spki(der: &[u8]) -> Option<Self> {
        let spki = SubjectPublicKeyInfoRef::from_der(der).ok()?;
        let bytes = spki.subject_public_key.as_bytes()?.to_vec();
        if spki.algorithm.oid == RSA {
            return Some(Self { key_type: KeyType::RsaPublicKey, bits: rsa_bits(&bytes)?, bytes });
        }
        let oid = if spki.algorithm.oid == EC { spki.algorithm.parameters_oid().ok()? } else { spki.algorithm.oid };
        let curve = Curve::by_oid(oid)?;
        (curve.weierstrass() == (spki.algorithm.oid == EC)).then_some(())?;
        Some(Self { key_type: KeyType::EccPublicKey(curve.family), bits: curve.bits, bytes })
    }

    /// The key's usual PKCS#11 `CKA_ID`: SHA-1 of the public value (RSA: the modulus; curves: the point), as NSS computes it, so that
    /// certificates and keys match by themselves.
    pub fn id(&self) -> Vec<u8> {
        let value = match self.key_type {
            KeyType::RsaPublicKey => rsa_parts(&self.bytes).map_or(self.bytes.as_slice(), |(modulus, _)| modulus),
            _ => &self.bytes,
        };
        Sha1::digest(value).to_vec()
    }

    /// The DER of its `SubjectPublicKeyInfo`; `None` for a type or curve that has no name here.
    pub fn to_spki(&self) -> Option<Vec<u8>> {
        let (oid, parameters) = match self.key_type {
            KeyType::RsaPublicKey => (RSA, Some(AnyRef::NULL)),
            KeyType::EccPublicKey(family) => {
                let curve = Curve::of(family, self.bits)?;
                if curve.weierstrass() { (EC, Some(AnyRef::from(&curve.oid))) } else { (curve.oid, None) }
            }
            _ => return None,
        };
        let algorithm = AlgorithmIdentifierRef { oid, parameters };
        let subject_public_key = BitStringRef::from_bytes(&self.bytes).ok()?;
        SubjectPublicKeyInfoRef { algorithm, subject_public_key }.to_der().ok()
    }
}

/// Modulus and public exponent of a DER `RSAPublicKey`, both big-endian without leading zeros.
pub fn rsa_parts(key: &[u8]) -> Option<(&[u8], &[u8])> {
    #[derive(der::Sequence)]
    struct RsaPublicKey<'a> {
        modulus: der::asn1::UintRef<'a>,
        exponent: der::asn1::UintRef<'a>,
    }
    let key = RsaPublicKey::from_der(key).ok()?;
    Some((key.modulus.as_bytes(), key.exponent.as_bytes()))
}

/// Size in bits of a DER `RSAPublicKey`'s modulus.
pub fn rsa_bits(key: &[u8]) -> Option<u32> {
    let (modulus, _) = rsa_parts(key)?;
    let first = modulus.first()?;
    u32::try_from(modulus.len() * 8).ok()?.checked_sub(first.leading_zeros())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_and_rsa_round_trip() {
        let keys = CURVES.iter().map(|curve| PublicKey {
            key_type: KeyType::EccPublicKey(curve.family),
            bits: curve.bits,
            bytes: vec![4; 65],
        });
        let modulus = [&[0x02, 0x03, 0x00, 0x80, 0x01][..], &[0x02, 0x01, 0x03]].concat();
        let rsa = [&[0x30, u8::try_from(modulus.len()).unwrap()][..], &modulus].concat();
        let rsa = PublicKey { key_type: KeyType::RsaPublicKey, bits: 16, bytes: rsa };
        for key in keys.chain([rsa]) {
            let spki = key.to_spki().unwrap();
            assert_eq!(PublicKey::from_spki(&spki), Some(key));
            assert_eq!(PublicKey::from_spki(&spki[..spki.len() - 1]), None);
        }
    }
}
