//! Private keys as PKCS#8 `PrivateKeyInfo` (RFC 5208), SEC 1 and PKCS#1. Key files and wrapped keys hold these; the protocol has
//! the bare key.

use crate::attributes::KeyType;
use crate::group::Group;
use crate::kind::Parameters;
use crate::pss::{Pss, RSASSA_PSS};
use crate::spki::{EC, PublicKey, RSA};
use der::asn1::{AnyRef, BitStringRef, ContextSpecific, ObjectIdentifier, OctetStringRef, UintRef};
use der::{Decode, Encode, Reader, Sequence, SliceReader, Tag, TagNumber, Tagged};
use spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};
use zeroize::Zeroizing;

/// What marks a seed in RFC 9881 and RFC 9935.
const SEED: Tag = Tag::ContextSpecific { constructed: false, number: TagNumber(0) };

/// A private key as the protocol has it.
pub struct PrivateKey {
    /// Of a pair.
    pub key_type: KeyType,
    /// The size in bits; zero where only the service sees it.
    pub bits: u32,
    /// RSA: DER `RSAPrivateKey`. Keys that bring a group: DER PKCS#8. Curves: the scalar or seed. ML-DSA and ML-KEM: the seed, the
    /// expanded key, or the expanded key behind the seed.
    pub bytes: Zeroizing<Vec<u8>>,
    /// An RSA key whose file permits PSS alone, and the parameters that it restricts PSS to (RFC 4055 §1.2).
    pub pss: Option<Option<Pss>>,
}

impl PrivateKey {
    /// Reads a PKCS#8 key (RFC 5208, RFC 5958 and, for what is on no Weierstrass curve, RFC 8410, RFC 9881 and RFC 9935).
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, String> {
        let (algorithm, key) = sequence(der, |reader| {
            u8::decode(reader)?;
            let algorithm = AlgorithmIdentifierRef::decode(reader)?;
            Ok((algorithm, <&OctetStringRef>::decode(reader)?.as_bytes()))
        })
        .map_err(|error| format!("it is no PKCS#8: {error}"))?;
        if [RSA, RSASSA_PSS].contains(&algorithm.oid) {
            let pss = (algorithm.oid == RSASSA_PSS).then(|| pss_parameters(algorithm)).transpose()?;
            return Ok(Self { pss, ..Self::from_pkcs1(key)? });
        }
        if let Some(group) = Group::of(algorithm) {
            return Ok(Self {
                key_type: group.key_type().pair(),
                bits: group.bits(),
                bytes: Zeroizing::new(der.to_vec()),
                pss: None,
            });
        }
        let named = if algorithm.oid == EC {
            algorithm.parameters_oid().ok().and_then(Parameters::by_oid)
        } else {
            Parameters::by_oid(algorithm.oid)
        };
        let named = named.ok_or_else(|| format!("its algorithm ({}) or curve is not known here", algorithm.oid))?;
        if named.weierstrass() {
            return Self::from_sec1(key, Some(named));
        }
        if named.key_type.family().is_none() {
            return Self::of_lattice(named, key);
        }
        let key = <&OctetStringRef>::from_der(key).map_err(|error| format!("its inner key is broken: {error}"))?;
        Self::on_curve(named, key.as_bytes())
    }

    /// Reads an elliptic-curve key (RFC 5915), its curve being told inside or by what is around it.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn from_sec1(der: &[u8], curve: Option<&'static Parameters>) -> Result<Self, String> {
        let (inner, key) = sequence(der, |reader| {
            u8::decode(reader)?;
            let key = <&OctetStringRef>::decode(reader)?.as_bytes();
            let oid = ContextSpecific::<ObjectIdentifier>::decode_explicit(reader, TagNumber(0))?;
            Ok((oid.map(|oid| oid.value), key))
        })
        .map_err(|error| format!("it is no elliptic-curve key: {error}"))?;
        let curve = curve.or_else(|| Parameters::by_oid(inner?)).ok_or("it names no curve that is known here")?;
        Self::on_curve(curve, key)
    }

    /// Reads an RSA key (RFC 8017 §A.1.2), which is what the protocol has.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn from_pkcs1(der: &[u8]) -> Result<Self, String> {
        sequence(der, |reader| {
            u8::decode(reader)?;
            (0..8).try_for_each(|_| UintRef::decode(reader).map(|_| ()))
        })
        .map_err(|error| format!("it is no RSA key: {error}"))?;
        Ok(Self { key_type: KeyType::RsaKeyPair, bits: 0, bytes: Zeroizing::new(der.to_vec()), pss: None })
    }

    fn on_curve(curve: &Parameters, key: &[u8]) -> Result<Self, String> {
        let zeros = curve.private_len.checked_sub(key.len()).ok_or("its number is too long for its curve")?;
        if zeros != 0 && !curve.weierstrass() {
            return Err("its number is too short for its curve".to_owned());
        }
        let mut bytes = Zeroizing::new(vec![0; zeros]);
        bytes.reserve_exact(key.len());
        bytes.extend_from_slice(key);
        Ok(Self { key_type: curve.key_type.pair(), bits: curve.bits, bytes, pss: None })
    }

    /// RFC 9881 §6 and RFC 9935 §6: the seed, the expanded key, or both; whether these are of one key, the service finds out (RFC 9881 §8.2).
    fn of_lattice(named: &Parameters, key: &[u8]) -> Result<Self, String> {
        let broken = |error: der::Error| format!("its inner key is broken: {error}");
        let inner = AnyRef::from_der(key).map_err(broken)?;
        let bytes = match inner.tag() {
            SEED | Tag::OctetString => inner.value().to_vec(),
            _ => {
                let both = sequence(key, |reader| Ok([<&OctetStringRef>::decode(reader)?, <&OctetStringRef>::decode(reader)?]));
                both.map_err(broken)?.map(OctetStringRef::as_bytes).concat()
            }
        };
        Ok(Self { key_type: named.key_type.pair(), bits: named.bits, bytes: bytes.into(), pss: None })
    }
}

/// The PKCS#8 key of a private key in the protocol's form; inside it RFC 8017, RFC 5915, RFC 8410, RFC 9881 or RFC 9935. `None` where
/// the public half is malformed or of a kind without a name here.
pub fn to_pkcs8(private: &[u8], public: &PublicKey) -> Option<Zeroizing<Vec<u8>>> {
    #[derive(Sequence)]
    struct PrivateKeyInfo<'a> {
        version: u8,
        algorithm: AlgorithmIdentifierRef<'a>,
        key: &'a OctetStringRef,
    }
    #[derive(Sequence)]
    struct EcPrivateKey<'a> {
        version: u8,
        key: &'a OctetStringRef,
        #[asn1(context_specific = "1", tag_mode = "EXPLICIT")]
        public: BitStringRef<'a>,
    }
    let spki = public.to_spki()?;
    let spki = SubjectPublicKeyInfoRef::from_der(&spki).ok()?;
    let octets = || OctetStringRef::new(private)?.to_der();
    let inner = match (public.key_type, Parameters::of(public.key_type, public.bits)) {
        (KeyType::DsaPublicKey | KeyType::DhPublicKey(_), _) => return Some(Zeroizing::new(private.to_vec())),
        (KeyType::RsaPublicKey, _) => private.to_vec(),
        (KeyType::EccPublicKey(family), _) if family.weierstrass() => {
            let key = OctetStringRef::new(private).ok()?;
            EcPrivateKey { version: 1, key, public: spki.subject_public_key }.to_der().ok()?
        }
        (KeyType::EccPublicKey(_), _) => octets().ok()?,
        // a seed, or the expanded key
        (_, named) if private.len() == named?.private_len => AnyRef::new(SEED, private).ok()?.to_der().ok()?,
        _ => octets().ok()?,
    };
    let inner = Zeroizing::new(inner);
    let info = PrivateKeyInfo { version: 0, algorithm: spki.algorithm, key: OctetStringRef::new(&inner).ok()? };
    info.to_der().ok().map(Zeroizing::new)
}

/// What a key for PSS alone permits; `None` where it permits all that PSS has.
fn pss_parameters(algorithm: AlgorithmIdentifierRef<'_>) -> Result<Option<Pss>, String> {
    let Some(parameters) = algorithm.parameters.filter(|parameters| !parameters.is_null()) else {
        return Ok(None);
    };
    let pss = Pss::from_parameters(parameters).ok_or("its PSS parameters name a hash or a mask that is not known here")?;
    match [pss.hash, pss.mgf].into_iter().find(|hash| hash.deprecated()) {
        Some(weak) => Err(format!("it permits PSS with {weak:?} alone, which is too weak to sign with")),
        None => Ok(Some(pss)),
    }
}

/// Reads the head of a sequence that is all of the DER, whatever follows in it.
fn sequence<'a, T>(der: &'a [u8], head: impl FnOnce(&mut SliceReader<'a>) -> der::Result<T>) -> der::Result<T> {
    let mut outer = SliceReader::new(der)?;
    let value = outer.sequence(|reader| {
        let value = head(reader)?;
        while !reader.is_finished() {
            reader.tlv_bytes()?;
        }
        Ok::<_, der::Error>(value)
    })?;
    outer.finish()?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use der::asn1::OctetString;

    #[test]
    fn keys_of_every_kind_come_back() {
        for curve in Parameters::all() {
            let len = curve.private_len;
            let public = PublicKey { key_type: curve.key_type, bits: curve.bits, bytes: vec![4; curve.public_len] };
            let der = to_pkcs8(&vec![7; len], &public).unwrap();
            let key = PrivateKey::from_pkcs8(&der).unwrap();
            assert_eq!(
                (key.key_type.public(), key.bits, key.bytes.len()),
                (public.key_type, curve.bits, len),
                "{:?}",
                curve.openssl
            );
            assert!(PrivateKey::from_pkcs8(&der[..der.len() - 1]).is_err());
        }
    }

    #[test]
    fn a_seed_and_an_expanded_key_come_both() {
        let [seed, expanded] = [vec![7; 32], vec![8; 40]].map(|bytes| OctetString::new(bytes).unwrap());
        let set = Parameters::all().find(|set| set.key_type == KeyType::MlDsaPublicKey).unwrap();
        let key = PrivateKey::of_lattice(set, &[seed.clone(), expanded].to_der().unwrap()).unwrap();
        assert_eq!(*key.bytes, [vec![7; 32], vec![8; 40]].concat());
        assert!(PrivateKey::of_lattice(set, &[seed].to_der().unwrap()).is_err());
    }
}
