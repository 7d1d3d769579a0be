//! The limits of an RSA key for PSS alone, as its `SubjectPublicKeyInfo` states them (`RSASSA-PSS-params`, RFC 4055 §3.1) and as
//! its policy does.

use crate::algorithm::{Algorithm, Hash, SignHash, Signature};
use crate::attributes::Policy;
use der::asn1::{Any, AnyRef, ObjectIdentifier};
use der::{Decode, Sequence};
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoRef};

/// `id-RSASSA-PSS`: an RSA key for PSS alone (RFC 8017 §A.2.3).
pub const RSASSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
const MGF1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.8");

/// The parameters of PSS: those of a signature, or what a key permits of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pss {
    /// The hash.
    pub hash: Hash,
    /// MGF1's hash.
    pub mgf: Hash,
    /// Length of the salt in bytes; of a key: the shortest one.
    pub salt_len: u32,
}

impl Pss {
    /// Where nothing is said.
    pub const DEFAULT: Self = Self { hash: Hash::Sha1, mgf: Hash::Sha1, salt_len: 20 };

    /// The parameters of `id-RSASSA-PSS`. DER leaves out what has its default.
    ///
    /// # Errors
    /// Where they are longer than DER can tell.
    pub fn to_parameters(self) -> der::Result<Any> {
        let mask = AlgorithmIdentifierOwned { oid: MGF1, parameters: Some(Any::encode_from(&identifier(self.mgf)?)?) };
        Any::encode_from(&Parameters {
            hash: (self.hash != Self::DEFAULT.hash).then(|| identifier(self.hash)).transpose()?,
            mask: (self.mgf != Self::DEFAULT.mgf).then_some(mask),
            salt_len: (self.salt_len != Self::DEFAULT.salt_len).then_some(self.salt_len),
        })
    }

    /// Reads the parameters of `id-RSASSA-PSS`; `None` for a hash or a mask that is not known.
    pub fn from_parameters(parameters: AnyRef<'_>) -> Option<Self> {
        let Parameters { hash, mask, salt_len } = parameters.decode_as().ok()?;
        let hash_of = |identifier: &AlgorithmIdentifierOwned| Hash::ALL.iter().copied().find(|hash| identifier.oid == hash.oid());
        let mgf = match mask {
            None => Self::DEFAULT.mgf,
            Some(mask) if mask.oid == MGF1 => hash_of(&mask.parameters?.decode_as().ok()?)?,
            Some(_) => return None,
        };
        let hash = hash.as_ref().map_or(Some(Self::DEFAULT.hash), hash_of)?;
        Some(Self { hash, mgf, salt_len: salt_len.unwrap_or(Self::DEFAULT.salt_len) })
    }

    /// What the key in a `SubjectPublicKeyInfo` permits, where it says so.
    pub fn of_spki(spki: &[u8]) -> Option<Self> {
        let algorithm = SubjectPublicKeyInfoRef::from_der(spki).ok()?.algorithm;
        algorithm.parameters.filter(|_| algorithm.oid == RSASSA_PSS).and_then(Self::from_parameters)
    }

    /// What a policy that permits PSS alone permits, where it names a hash.
    pub fn of_policy(policy: &Policy) -> Option<Self> {
        let each = policy.algorithms().map(|algorithm| match algorithm {
            Algorithm::Signature(Signature::RsaPss { hash: SignHash::Specific(hash) }) => {
                Some(Self { hash, mgf: hash, salt_len: u32::try_from(hash.len()).unwrap_or(u32::MAX) })
            }
            Algorithm::Signature(Signature::RsaPssWith { hash, mgf, salt_len }) => Some(Self { hash, mgf, salt_len }),
            _ => None,
        });
        let each: Vec<_> = each.collect::<Option<_>>()?;
        let shortest = *each.iter().min_by_key(|pss| pss.salt_len)?;
        each.iter().all(|pss| (pss.hash, pss.mgf) == (shortest.hash, shortest.mgf)).then_some(shortest)
    }

    /// The algorithms of a key that permits this: with the shortest salt, and with the usual one, as long as the hash.
    pub fn algorithms(self) -> Vec<Algorithm> {
        let usual = u32::try_from(self.hash.len()).unwrap_or(u32::MAX);
        let mut lengths = vec![self.salt_len, usual];
        lengths.retain(|len| *len >= self.salt_len);
        lengths.dedup();
        lengths.into_iter().map(|salt_len| Self { salt_len, ..self }.signature().into()).collect()
    }

    /// The scheme with exactly these parameters.
    pub fn signature(self) -> Signature {
        let Self { hash, mgf, salt_len } = self;
        if mgf == hash && salt_len as usize == hash.len() {
            return Signature::RsaPss { hash: hash.into() };
        }
        Signature::RsaPssWith { hash, mgf, salt_len }
    }
}

/// RSASSA-PSS-params, RFC 8017 §A.2.3.
#[derive(Sequence)]
struct Parameters {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    hash: Option<AlgorithmIdentifierOwned>,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    mask: Option<AlgorithmIdentifierOwned>,
    #[asn1(context_specific = "2", tag_mode = "EXPLICIT", optional = "true")]
    salt_len: Option<u32>,
}

/// With the parameters NULL, RFC 4055 §2.1.
fn identifier(hash: Hash) -> der::Result<AlgorithmIdentifierOwned> {
    Ok(AlgorithmIdentifierOwned { oid: hash.oid(), parameters: Some(Any::null()) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use der::Encode;

    #[test]
    fn parameters_come_back() {
        for hash in [Hash::Sha1, Hash::Sha256, Hash::Sha3_512] {
            for mgf in [Hash::Sha1, Hash::Sha512_256] {
                for salt_len in [0, 20, 32, 300] {
                    let pss = Pss { hash, mgf, salt_len };
                    let der = pss.to_parameters().unwrap().to_der().unwrap();
                    assert_eq!(Pss::from_parameters(AnyRef::from_der(&der).unwrap()), Some(pss));
                    let mut algorithms = pss.algorithms().into_iter();
                    let policy = Policy {
                        usage: crate::attributes::Usage::SIGN,
                        algorithm: algorithms.next().unwrap(),
                        also: algorithms.collect(),
                    };
                    assert_eq!(Pss::of_policy(&policy), Some(pss));
                    assert!(policy.pss_alone());
                }
            }
        }
        assert_eq!(Pss::DEFAULT.to_parameters().unwrap().to_der().unwrap(), b"\x30\0");
    }
}
