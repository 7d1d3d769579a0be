//! Keys in finite fields, which come with their group: DSA (FIPS 186-4) and Diffie-Hellman (PKCS #3). The protocol encodes them as
//! certificates and key files do: public keys as `SubjectPublicKeyInfo` (RFC 3279 §2.3), private keys as PKCS#8, and groups as the
//! `AlgorithmIdentifier` in both.

use crate::attributes::{DhFamily, KeyType};
use der::asn1::{AnyRef, BitStringRef, ObjectIdentifier, OctetStringRef, UintRef};
use der::{Decode, Encode, Sequence};
use spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};
use zeroize::Zeroizing;

const DSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10040.4.1");
const DH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.3.1");

/// A group. Its numbers are big-endian, without zeros in front.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The prime modulus.
    pub prime: Vec<u8>,
    /// Of DSA: the order of the base, a prime.
    pub subprime: Option<Vec<u8>>,
    /// The generator.
    pub base: Vec<u8>,
}

#[derive(Sequence)]
struct DsaParameters<'a> {
    prime: UintRef<'a>,
    subprime: UintRef<'a>,
    base: UintRef<'a>,
}

#[derive(Sequence)]
struct DhParameters<'a> {
    prime: UintRef<'a>,
    base: UintRef<'a>,
    #[asn1(optional = "true")]
    private_bits: Option<UintRef<'a>>,
}

impl Group {
    /// The type of the public keys in it.
    pub fn key_type(&self) -> KeyType {
        if self.subprime.is_some() { KeyType::DsaPublicKey } else { KeyType::DhPublicKey(DhFamily::Own) }
    }

    /// Size of the prime in bits.
    pub fn bits(&self) -> u32 {
        let zeros = self.prime.first().map_or(0, |byte| byte.leading_zeros());
        u32::try_from(self.prime.len() * 8).unwrap_or(u32::MAX).saturating_sub(zeros)
    }

    /// The DER of its `AlgorithmIdentifier`; `None` for numbers that are too long.
    pub fn to_der(&self) -> Option<Vec<u8>> {
        self.identified(|algorithm| algorithm.to_der().ok())
    }

    /// Reads what [`Self::to_der`] wrote.
    pub fn from_der(der: &[u8]) -> Option<Self> {
        Self::of(AlgorithmIdentifierRef::from_der(der).ok()?)
    }

    pub(crate) fn of(algorithm: AlgorithmIdentifierRef<'_>) -> Option<Self> {
        let parameters = algorithm.parameters.filter(|_| [DSA, DH].contains(&algorithm.oid))?;
        let bytes = |number: UintRef<'_>| number.as_bytes().to_vec();
        Some(if algorithm.oid == DSA {
            let DsaParameters { prime, subprime, base } = parameters.decode_as().ok()?;
            Self { prime: bytes(prime), subprime: Some(bytes(subprime)), base: bytes(base) }
        } else {
            let DhParameters { prime, base, .. } = parameters.decode_as().ok()?;
            Self { prime: bytes(prime), subprime: None, base: bytes(base) }
        })
    }

    fn identified<T>(&self, work: impl FnOnce(AlgorithmIdentifierRef<'_>) -> Option<T>) -> Option<T> {
        let number = |bytes| UintRef::new(bytes).ok();
        let (prime, base) = (number(&self.prime)?, number(&self.base)?);
        let (oid, der) = match &self.subprime {
            Some(subprime) => (DSA, DsaParameters { prime, subprime: number(subprime)?, base }.to_der().ok()?),
            None => (DH, DhParameters { prime, base, private_bits: None }.to_der().ok()?),
        };
        work(AlgorithmIdentifierRef { oid, parameters: Some(AnyRef::from_der(&der).ok()?) })
    }
}

/// One half of a key in a group.
pub struct GroupKey {
    /// The group.
    pub group: Group,
    /// The public value or the private exponent, big-endian without zeros in front.
    pub number: Zeroizing<Vec<u8>>,
}

#[derive(Sequence)]
struct PrivateKeyInfo<'a> {
    version: u8,
    algorithm: AlgorithmIdentifierRef<'a>,
    key: &'a OctetStringRef,
}

impl GroupKey {
    /// Reads a public key.
    pub fn from_spki(der: &[u8]) -> Option<Self> {
        let spki = SubjectPublicKeyInfoRef::from_der(der).ok()?;
        Self::of(spki.algorithm, spki.subject_public_key.as_bytes()?)
    }

    /// Reads a private key.
    pub fn from_pkcs8(der: &[u8]) -> Option<Self> {
        let info = PrivateKeyInfo::from_der(der).ok()?;
        Self::of(info.algorithm, info.key.as_bytes())
    }

    fn of(algorithm: AlgorithmIdentifierRef<'_>, number: &[u8]) -> Option<Self> {
        let number = UintRef::from_der(number).ok()?.as_bytes().to_vec();
        Some(Self { group: Group::of(algorithm)?, number: Zeroizing::new(number) })
    }

    /// The DER of a public key.
    pub fn to_spki(&self) -> Option<Vec<u8>> {
        let number = UintRef::new(&self.number).ok()?.to_der().ok()?;
        let subject_public_key = BitStringRef::from_bytes(&number).ok()?;
        self.group.identified(|algorithm| SubjectPublicKeyInfoRef { algorithm, subject_public_key }.to_der().ok())
    }

    /// The DER of a private key.
    pub fn to_pkcs8(&self) -> Option<Zeroizing<Vec<u8>>> {
        let number = Zeroizing::new(UintRef::new(&self.number).ok()?.to_der().ok()?);
        let key = OctetStringRef::new(&number).ok()?;
        let der = self.group.identified(|algorithm| PrivateKeyInfo { version: 0, algorithm, key }.to_der().ok());
        der.map(Zeroizing::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_halves_come_back() {
        for subprime in [None, Some(vec![11])] {
            let group = Group { prime: vec![0x97, 1], subprime, base: vec![4] };
            assert_eq!(Group::from_der(&group.to_der().unwrap()).as_ref(), Some(&group));
            assert_eq!(group.bits(), 16);
            let key = GroupKey { group, number: Zeroizing::new(vec![0x80]) };
            let public = GroupKey::from_spki(&key.to_spki().unwrap()).unwrap();
            let private = GroupKey::from_pkcs8(&key.to_pkcs8().unwrap()).unwrap();
            for half in [public, private] {
                assert_eq!((&half.group, &half.number), (&key.group, &key.number));
            }
        }
        assert_eq!(Group::from_der(b"\x30\x03\x06\x01\x2a"), None);
    }
}
