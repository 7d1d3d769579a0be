//! A key of this backend. It is made, imported or loaded once, and then shared by any number of threads.

use super::ed448::{self, Ed448};
use super::field::{self, Field};
use super::{invalid, pq, random, rsa, unsupported};
use crate::error::{Error, Result};
use crate::memory::Parsed;
use interface::Status;
use interface::attributes::{Attributes, DhFamily, EccFamily, KeyType};
use interface::kind::{self, KeyKind};
use lc::{Curve, Ec, Ed25519, Pq, Rsa, Secret, Set, x25519_public};
use zeroize::Zeroizing;

/// The kinds and sizes of keys that this backend has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Bytes that no algorithm here uses.
    Data,
    Hmac,
    /// With the key's length in bytes.
    Aes(usize),
    /// Triple DES with two or three keys of 8 bytes; this is their length together.
    Des(usize),
    ChaCha20,
    Rsa,
    Ec(Curve),
    Ed25519,
    Ed448,
    X25519,
    /// Of a parameter set.
    Pq(Set),
    Dsa,
    Dh,
}

/// What this backend calls the curves that it has.
const CURVES: &[(&KeyKind, Kind)] = &[
    (&kind::P192, Kind::Ec(Curve::P192)),
    (&kind::P224, Kind::Ec(Curve::P224)),
    (&kind::P256, Kind::Ec(Curve::P256)),
    (&kind::P384, Kind::Ec(Curve::P384)),
    (&kind::P521, Kind::Ec(Curve::P521)),
    (&kind::SECP256K1, Kind::Ec(Curve::SECP256K1)),
    (&kind::X25519, Kind::X25519),
    (&kind::ED25519, Kind::Ed25519),
    (&kind::ED448, Kind::Ed448),
];

/// The rows of a type, with so many bits or (zero) with any.
fn named(key_type: KeyType, bits: u32) -> impl Iterator<Item = (&'static KeyKind, Kind)> {
    let sets = pq::SETS.iter().map(|(kind, set)| (*kind, Kind::Pq(*set)));
    CURVES
        .iter()
        .copied()
        .chain(sets)
        .filter(move |(kind, _)| kind.key_type == key_type.pair() && (bits == 0 || kind.bits == bits))
}

/// RSA sizes that are generated; every multiple of 8 between the first and the last is imported.
const RSA_BITS: [u32; 4] = [1024, 2048, 3072, 4096];

/// The shortest and the longest RSA key whose signatures are verified. Old certificates have short ones.
const RSA_PUBLIC_BITS: [u32; 2] = [512, 8192];

/// `PSA_MAX_KEY_BITS`, the limit of a symmetric key.
const MAX_BITS: u32 = 0xfff8;

impl Kind {
    /// The kind of a type and size in bits.
    pub(crate) fn of(key_type: KeyType, bits: u32) -> Result<Self> {
        let whole_bytes = bits.is_multiple_of(8) && (8..=MAX_BITS).contains(&bits);
        let kind = match key_type {
            KeyType::RawData | KeyType::Derive if whole_bytes => Some(Self::Data),
            KeyType::Hmac if whole_bytes => Some(Self::Hmac),
            KeyType::Aes if matches!(bits, 128 | 192 | 256) => Some(Self::Aes(bits as usize / 8)),
            KeyType::Des if matches!(bits, 128 | 192) => Some(Self::Des(bits as usize / 8)),
            KeyType::ChaCha20 if bits == 256 => Some(Self::ChaCha20),
            KeyType::RsaKeyPair if bits.is_multiple_of(8) && (RSA_BITS[0]..=RSA_BITS[3]).contains(&bits) => Some(Self::Rsa),
            KeyType::RsaPublicKey if (RSA_PUBLIC_BITS[0]..=RSA_PUBLIC_BITS[1]).contains(&bits) => Some(Self::Rsa),
            KeyType::DsaKeyPair | KeyType::DsaPublicKey if (field::BITS[0]..=field::BITS[1]).contains(&bits) => Some(Self::Dsa),
            KeyType::DhKeyPair(DhFamily::Own) | KeyType::DhPublicKey(DhFamily::Own)
                if (field::BITS[0]..=field::BITS[1]).contains(&bits) =>
            {
                Some(Self::Dh)
            }
            _ => named(key_type, bits).find(|(kind, _)| kind.bits == bits).map(|(_, kind)| kind),
        };
        let sizes = || match key_type {
            KeyType::RsaKeyPair => {
                format!(": RSA keys are made with one of {RSA_BITS:?} bits, and imported with any multiple of 8 in between")
            }
            _ => String::new(),
        };
        let unknown = || unsupported(format!("this provider has no keys of type {key_type:?} with {bits} bits{}", sizes()));
        kind.ok_or_else(unknown)?.built()
    }

    /// Refuses a kind that this build leaves out.
    fn built(self) -> Result<Self> {
        if self == Self::Ed448 && !cfg!(feature = "ed448") {
            return Err(unsupported(
                "this build of the service has no Ed448: install one that was built with --features service/ed448",
            ));
        }
        Ok(self)
    }

    /// The kind of a type and size; with no bits, a kind of the type, because the size is not known yet.
    pub(crate) fn asked(key_type: KeyType, bits: u32) -> Result<Self> {
        if bits == 0 { Self::of_type(key_type) } else { Self::of(key_type, bits) }
    }

    /// As [`Self::asked`], of a key that is derived.
    pub(crate) fn derived(key_type: KeyType, bits: u32) -> Result<Self> {
        if key_type.is_pair() || key_type.is_public() {
            return Err(invalid("only secret keys are derived"));
        }
        Self::asked(key_type, bits)
    }

    fn of_type(key_type: KeyType) -> Result<Self> {
        const SIZES: [u32; 5] = [128, 256, 255, 512, RSA_BITS[0]];
        SIZES.iter().map(|&bits| Self::of(key_type, bits)).find(Result::is_ok).unwrap_or_else(|| Self::of(key_type, 0))
    }
}

/// A key that is ready to use. Private material is wiped when it is dropped.
pub(crate) struct ParsedKey {
    key_type: KeyType,
    kind: Kind,
    pub(crate) material: Material,
}

impl Parsed for ParsedKey {
    const CLEAR: bool = true;
}

/// What a key is, beside its public half.
pub(crate) enum Private<'a> {
    /// One of RSA's.
    Prime(Secret),
    /// Of an elliptic curve.
    Scalar(Secret),
    /// All of a secret key.
    Bytes(&'a [u8]),
}

/// The private bytes of an X25519 key, or the seed of an Ed25519 one.
type Bytes32 = Zeroizing<[u8; 32]>;

pub(crate) enum Material {
    Bytes(Secret),
    Rsa(Rsa),
    Ec(Ec),
    Ed25519(Ed25519),
    Ed448(Ed448),
    X25519(Bytes32),
    Pq(Pq),
    Field(Field),
    /// The public value of Ed25519, Ed448 or X25519.
    Public(Vec<u8>),
}

impl ParsedKey {
    /// A new key; one that brings its group has this one.
    pub(crate) fn generate(attributes: &Attributes, group: &[u8]) -> Result<Self> {
        let (key_type, bits) = (attributes.key_type, attributes.bits);
        let kind = Self::generated(key_type, bits, group)?;
        let material = match kind {
            Kind::Rsa => Material::Rsa(Rsa::generate(bits)?),
            Kind::Ec(curve) => Material::Ec(Ec::generate(curve)?),
            Kind::Ed25519 | Kind::X25519 => curve_key(kind, true, &random::bytes(32)?)?,
            Kind::Ed448 => curve_key(kind, true, &random::bytes(ed448::LEN)?)?,
            Kind::Pq(set) => Material::Pq(Pq::from_private(set, &random::bytes(set.seed())?)?),
            Kind::Dsa | Kind::Dh => Material::Field(Field::generate(key_type, bits, group)?),
            Kind::Des(len) => Material::Bytes(with_parity(random::bytes(len)?)),
            Kind::Data | Kind::Hmac | Kind::Aes(_) | Kind::ChaCha20 => Material::Bytes(random::bytes(bits as usize / 8)?),
        };
        Ok(Self { key_type, kind, material })
    }

    /// The kind of a type and size that [`Self::generate`] makes, in this group.
    pub(crate) fn generated(key_type: KeyType, bits: u32, group: &[u8]) -> Result<Kind> {
        let kind = Kind::of(key_type, bits)?;
        if key_type.is_public() {
            return Err(invalid("a public key cannot be generated: generate the pair"));
        }
        if kind == Kind::Rsa && !RSA_BITS.contains(&bits) {
            return Err(unsupported(format!("RSA keys are generated with one of {RSA_BITS:?} bits, not {bits}")));
        }
        if kind == Kind::Dh && group.is_empty() {
            field::named(bits)?;
        }
        Ok(kind)
    }

    /// The key that `data` holds in the wire's import format, and the attributes with the size it has. Everything about the data is
    /// checked.
    pub(crate) fn import(attributes: &Attributes, data: &[u8]) -> Result<(Attributes, Self)> {
        let key = Self::parse(attributes.key_type, attributes.bits, data)?;
        if let Material::Rsa(rsa) = &key.material {
            rsa::validate(rsa, attributes.key_type.is_pair())?;
        }
        Ok((Attributes { bits: key.bits(), ..attributes.clone() }, key))
    }

    /// A key from what [`Self::export`] returned for it.
    pub(crate) fn load(attributes: &Attributes, material: &[u8]) -> Result<Self> {
        Kind::of(attributes.key_type, attributes.bits)?;
        Self::parse(attributes.key_type, attributes.bits, material)
            .map_err(|error| Error::refused(Status::PsaErrorDataCorrupt, format!("the stored key is damaged: {error}")))
    }

    /// Size in bits.
    pub(crate) fn bits(&self) -> u32 {
        match &self.material {
            Material::Bytes(bytes) => u32::try_from(bytes.len() * 8).unwrap_or(u32::MAX),
            Material::Rsa(rsa) => rsa.bits(),
            Material::Ec(ec) => ec.curve().bits(),
            Material::Field(field) => field.bits(),
            Material::Ed448(_) => 448,
            Material::Public(public) if public.len() == ed448::LEN => 448,
            Material::Ed25519(..) | Material::X25519(_) | Material::Public(_) => 255,
            Material::Pq(key) => pq::bits(key.set()),
        }
    }

    pub(crate) const fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) const fn key_type(&self) -> KeyType {
        self.key_type
    }

    /// The public half in the wire's format.
    pub(crate) fn public(&self) -> Result<Vec<u8>> {
        Ok(match &self.material {
            Material::Bytes(_) => return Err(invalid("a symmetric key has no public half")),
            Material::Rsa(rsa) => rsa.public_der()?,
            Material::Ec(ec) => ec.public()?,
            Material::Ed25519(pair) => pair.public(),
            Material::Ed448(pair) => pair.public(),
            Material::X25519(private) => x25519_public(private).to_vec(),
            Material::Pq(pq) => pq.public()?,
            Material::Field(field) => field.public()?,
            Material::Public(public) => public.clone(),
        })
    }

    /// The key in the wire's import format; of a pair, the private half. Of a parameter set: the seed, or the expanded key where that is
    /// what was imported.
    pub(crate) fn export(&self) -> Result<Secret> {
        if self.key_type.is_public() {
            return self.public().map(Zeroizing::new);
        }
        Ok(match &self.material {
            Material::Bytes(bytes) => bytes.clone(),
            Material::Rsa(rsa) => rsa.private_der()?,
            Material::Ec(ec) => ec.scalar()?,
            Material::Ed25519(pair) => pair.seed(),
            Material::Ed448(pair) => pair.seed(),
            Material::X25519(private) => Zeroizing::new(private.to_vec()),
            Material::Pq(pq) => pq.private().clone(),
            Material::Field(field) => field.private()?,
            Material::Public(public) => Zeroizing::new(public.clone()),
        })
    }

    /// The material from which other hardware can make the key, beside its public half.
    pub(crate) fn private(&self) -> Result<Private<'_>> {
        match &self.material {
            Material::Rsa(rsa) => rsa.primes().map(|[prime, _]| Private::Prime(prime)).map_err(Into::into),
            Material::Ec(ec) => Ok(Private::Scalar(ec.scalar()?)),
            Material::Bytes(bytes) => Ok(Private::Bytes(bytes)),
            _ => Err(unsupported("other hardware takes over no keys of this type")),
        }
    }

    /// Refuses what only the owner of a private half can do.
    pub(crate) fn needs_private(&self) -> Result<()> {
        if self.key_type.is_public() { Err(invalid("this needs the private half, and the key is a public key")) } else { Ok(()) }
    }

    /// The bytes of a symmetric key.
    pub(crate) fn bytes(&self) -> Result<&[u8]> {
        match &self.material {
            Material::Bytes(bytes) => Ok(bytes),
            _ => Err(invalid("this needs a symmetric key")),
        }
    }

    /// The key in `data`. Zero bits: as many as the data has.
    fn parse(key_type: KeyType, bits: u32, data: &[u8]) -> Result<Self> {
        let pair = key_type.is_pair();
        let material = match key_type {
            KeyType::RsaKeyPair => Material::Rsa(Rsa::from_private_der(data).map_err(|_| invalid(BAD_RSA_PAIR))?),
            KeyType::RsaPublicKey => Material::Rsa(Rsa::from_public_der(data).map_err(|_| invalid(BAD_RSA_PUBLIC))?),
            KeyType::EccKeyPair(family) | KeyType::EccPublicKey(family) => {
                curve_key(curve(key_type, family, bits, data)?, pair, data)?
            }
            KeyType::DsaKeyPair | KeyType::DhKeyPair(_) => Material::Field(Field::from_private(data)?),
            KeyType::DsaPublicKey | KeyType::DhPublicKey(_) => Material::Field(Field::from_public(data)?),
            _ if pq::has(key_type) => Material::Pq(pq::key(key_type, bits, data)?),
            _ => {
                Kind::of_type(key_type)?;
                Material::Bytes(Zeroizing::new(data.to_vec()))
            }
        };
        let mut key = Self { key_type, kind: Kind::Data, material };
        if bits != 0 && bits != key.bits() {
            return Err(invalid(format!("the attributes say {bits} bits, but the key's data has {}", key.bits())));
        }
        key.kind = match (Kind::of(key_type, key.bits()), &key.material) {
            (Err(_), Material::Bytes(bytes)) => {
                let len = bytes.len();
                return Err(invalid(format!("{len} bytes are no key of type {key_type:?}")));
            }
            (kind, _) => kind?,
        };
        Ok(key)
    }
}

/// Sets the last bit of every byte so that each has an odd number of ones, as DES keys have.
fn with_parity(mut key: Secret) -> Secret {
    key.iter_mut().for_each(|byte| *byte ^= u8::from(byte.count_ones() % 2 == 0));
    key
}

const BAD_RSA_PAIR: &str =
    "the data is not an RSA private key: one DER RSAPrivateKey (PKCS#1, two primes) whose values fit together";
const BAD_RSA_PUBLIC: &str =
    "the data is not an RSA public key: one DER RSAPublicKey (PKCS#1) with an odd exponent of at least 3";

/// The curve of a family with this many bits, or with keys as long as the data.
fn curve(key_type: KeyType, family: EccFamily, bits: u32, data: &[u8]) -> Result<Kind> {
    let fits = |(kind, own): &(&KeyKind, Kind)| match (own, &kind.parameters) {
        (Kind::Ec(curve), _) if key_type.is_public() => curve.point_len(data) == data.len(),
        (_, parameters) => parameters.as_ref().is_some_and(|curve| curve.private_len == data.len()),
    };
    let mut curves = named(key_type, bits).peekable();
    if curves.peek().is_none() {
        return Err(unsupported(format!("this provider has no curve of the family {family:?} with {bits} bits")));
    }
    let wrong = || invalid(format!("{} bytes are no key on this curve", data.len()));
    curves.find(fits).map(|(_, kind)| kind).ok_or_else(wrong)?.built()
}

fn curve_key(kind: Kind, pair: bool, data: &[u8]) -> Result<Material> {
    let bytes = || <[u8; 32]>::try_from(data).map_err(|_| invalid("keys on this curve have 32 bytes"));
    Ok(match (kind, pair) {
        (Kind::Ec(curve), true) => Material::Ec(
            Ec::from_scalar(curve, data).map_err(|_| invalid("the private scalar is not in the range 1..order of the curve"))?,
        ),
        (Kind::Ec(curve), false) => {
            Material::Ec(Ec::from_point(curve, data).map_err(|_| invalid("the data is not a point on the curve"))?)
        }
        (Kind::Ed448, true) => Material::Ed448(Ed448::from_seed(data)?),
        (Kind::Ed448, false) => {
            let point = ed448::Public::from_bytes(data);
            point.map_err(|_| invalid("the data is not a point on the curve"))?;
            Material::Public(data.to_vec())
        }
        (Kind::Ed25519, true) => Material::Ed25519(Ed25519::from_seed(&Bytes32::from(bytes()?))),
        (_, true) => Material::X25519(bytes()?.into()),
        (_, false) => Material::Public(bytes()?.to_vec()),
    })
}

#[cfg(test)]
mod sizes {
    use super::*;

    #[test]
    fn a_size_of_rsa_keys_that_is_none_names_those_that_there_are() {
        for bits in [1000, 2050, 8192] {
            let why = Kind::of(KeyType::RsaKeyPair, bits).unwrap_err().to_string();
            assert!(RSA_BITS.iter().all(|size| why.contains(&size.to_string())) && why.contains(&bits.to_string()), "{why}");
        }
    }
}
