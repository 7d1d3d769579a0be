//! Public keys as `SubjectPublicKeyInfo` (RFC 5280 §4.1.2.7). Certificates, key references and OpenSSL use it; the protocol has the
//! bare key.

use crate::attributes::KeyType;
use crate::group::{Group, GroupKey};
use crate::hash::sha1;
use crate::kind::Parameters;
use crate::pss::{Pss, RSASSA_PSS};
use der::asn1::{AnyRef, BitStringRef, ObjectIdentifier, UintRef};
use der::{Decode, Encode};
use spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};

pub(crate) const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
pub(crate) const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");

/// A public key as the protocol has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    /// [`KeyType::RsaPublicKey`], one that has [`Parameters`], or one that brings a [`Group`].
    pub key_type: KeyType,
    /// The size in bits.
    pub bits: u32,
    /// RSA: DER `RSAPublicKey`. Weierstrass curves: the uncompressed point. Keys that bring a group: DER `SubjectPublicKeyInfo`. Others:
    /// the raw bytes of RFC 8032, RFC 7748, FIPS 204 and FIPS 203.
    pub bytes: Vec<u8>,
}

impl PublicKey {
    /// Reads the DER of a `SubjectPublicKeyInfo`; `None` where it is malformed or of a kind without a name here. [`is_pss`] tells
    /// whether an RSA key is for PSS alone.
    pub fn from_spki(der: &[u8]) -> Option<Self> {
        let spki = SubjectPublicKeyInfoRef::from_der(der).ok()?;
        if let Some(group) = Group::of(spki.algorithm) {
            return Some(Self { key_type: group.key_type(), bits: group.bits(), bytes: der.to_vec() });
        }
        let bytes = spki.subject_public_key.as_bytes()?.to_vec();
        if [RSA, RSASSA_PSS].contains(&spki.algorithm.oid) {
            return Some(Self { key_type: KeyType::RsaPublicKey, bits: rsa_bits(&bytes)?, bytes });
        }
        let oid = if spki.algorithm.oid == EC { spki.algorithm.parameters_oid().ok()? } else { spki.algorithm.oid };
        let named = Parameters::by_oid(oid)?;
        (named.weierstrass() == (spki.algorithm.oid == EC)).then_some(())?;
        Some(Self { key_type: named.key_type, bits: named.bits, bytes })
    }

    /// The key's usual PKCS#11 `CKA_ID`: SHA-1 of the public value (RSA: the modulus; others: all of it), as NSS computes it, so that
    /// certificates and keys match by themselves.
    pub fn id(&self) -> Vec<u8> {
        let value = match self.key_type {
            KeyType::RsaPublicKey => rsa_parts(&self.bytes).map_or(self.bytes.as_slice(), |(modulus, _)| modulus),
            KeyType::DsaPublicKey | KeyType::DhPublicKey(_) => {
                return GroupKey::from_spki(&self.bytes).map(|key| sha1(&key.number)).unwrap_or_default();
            }
            _ => &self.bytes,
        };
        sha1(value)
    }

    /// The DER of its `SubjectPublicKeyInfo`; `None` for a kind that has no name here.
    pub fn to_spki(&self) -> Option<Vec<u8>> {
        let (oid, parameters) = match self.key_type {
            KeyType::DsaPublicKey | KeyType::DhPublicKey(_) => return Some(self.bytes.clone()),
            KeyType::RsaPublicKey => (RSA, Some(AnyRef::NULL)),
            key_type => {
                let named = Parameters::of(key_type, self.bits).filter(|_| key_type.is_public())?;
                if named.weierstrass() { (EC, Some(AnyRef::from(&named.oid))) } else { (named.oid, None) }
            }
        };
        self.spki_of(AlgorithmIdentifierRef { oid, parameters })
    }

    /// The DER of an RSA key's `SubjectPublicKeyInfo` that permits PSS alone, with these parameters or any; `None` for other types.
    pub fn to_pss_spki(&self, parameters: Option<Pss>) -> Option<Vec<u8>> {
        let parameters = parameters.map(|pss| pss.to_parameters()).transpose().ok()?;
        let algorithm = AlgorithmIdentifierRef { oid: RSASSA_PSS, parameters: parameters.as_ref().map(Into::into) };
        (self.key_type == KeyType::RsaPublicKey).then(|| self.spki_of(algorithm))?
    }

    fn spki_of(&self, algorithm: AlgorithmIdentifierRef<'_>) -> Option<Vec<u8>> {
        let subject_public_key = BitStringRef::from_bytes(&self.bytes).ok()?;
        SubjectPublicKeyInfoRef { algorithm, subject_public_key }.to_der().ok()
    }
}

/// Whether a `SubjectPublicKeyInfo` is that of an RSA key for PSS alone.
pub fn is_pss(spki: &[u8]) -> bool {
    SubjectPublicKeyInfoRef::from_der(spki).is_ok_and(|spki| spki.algorithm.oid == RSASSA_PSS)
}

#[derive(der::Sequence)]
struct RsaPublicKey<'a> {
    modulus: UintRef<'a>,
    exponent: UintRef<'a>,
}

/// The DER `RSAPublicKey` of a modulus and a public exponent, both big-endian; `None` where they are too long.
pub fn rsa_key(modulus: &[u8], exponent: &[u8]) -> Option<Vec<u8>> {
    RsaPublicKey { modulus: UintRef::new(modulus).ok()?, exponent: UintRef::new(exponent).ok()? }.to_der().ok()
}

/// Modulus and public exponent of a DER `RSAPublicKey`, both big-endian without leading zeros.
pub fn rsa_parts(key: &[u8]) -> Option<(&[u8], &[u8])> {
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
    use crate::attributes::EccFamily;

    #[test]
    fn every_kind_round_trips() {
        let keys = Parameters::all().map(|named| PublicKey { key_type: named.key_type, bits: named.bits, bytes: vec![4; 65] });
        let modulus = [&[0x02, 0x03, 0x00, 0x80, 0x01][..], &[0x02, 0x01, 0x03]].concat();
        let rsa = [&[0x30, u8::try_from(modulus.len()).unwrap()][..], &modulus].concat();
        let rsa = PublicKey { key_type: KeyType::RsaPublicKey, bits: 16, bytes: rsa };
        for key in keys.chain([rsa]) {
            let spki = key.to_spki().unwrap();
            assert_eq!(PublicKey::from_spki(&spki), Some(key));
            assert_eq!(PublicKey::from_spki(&spki[..spki.len() - 1]), None);
            assert!(!is_pss(&spki));
        }
    }

    #[test]
    fn a_key_for_pss_alone_says_so() {
        let rsa =
            PublicKey { key_type: KeyType::RsaPublicKey, bits: 16, bytes: b"\x30\x08\x02\x03\0\x80\x01\x02\x01\x03".to_vec() };
        for parameters in [None, Some(Pss::DEFAULT)] {
            let spki = rsa.to_pss_spki(parameters).unwrap();
            assert!(is_pss(&spki));
            assert_eq!(Pss::of_spki(&spki), parameters);
            assert_eq!(PublicKey::from_spki(&spki).as_ref(), Some(&rsa));
        }
        let edwards = PublicKey { key_type: KeyType::EccPublicKey(EccFamily::TwistedEdwards), bits: 255, bytes: vec![4; 32] };
        assert_eq!(edwards.to_pss_spki(None), None);
    }
}
