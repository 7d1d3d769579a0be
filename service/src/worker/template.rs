//! Keys as PKCS#11 describes them: what is told of a new one, and what is read of the public half.

use super::failure::Failure;
use super::token::Id;
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, KeyType as Pkcs11Type, ObjectClass};
use der::asn1::{PrintableStringRef, UintRef};
use der::{Decode, Encode, Reader, SliceReader};
use interface::Status;
use interface::attributes::{Attributes, EccFamily, KeyType, Usage};
use interface::kind::{KeyKind, Parameters};
use interface::spki;

/// The public exponent of new keys, big-endian.
const EXPONENT: [u8; 3] = [1, 0, 1];
/// Curves that have had a name in PKCS#11 before they had an object identifier.
const NAMES: [(EccFamily, &str); 2] = [(EccFamily::TwistedEdwards, "edwards25519"), (EccFamily::Montgomery, "curve25519")];

/// What a new key is filed under.
pub(super) struct Filed {
    pub(super) id: Id,
    pub(super) label: String,
}

/// How a new key is made.
pub(super) enum Making {
    Secret(Mechanism<'static>, Vec<Attribute>),
    /// Public and private half.
    Pair(Mechanism<'static>, Vec<Attribute>, Vec<Attribute>),
}

impl Filed {
    fn object(&self, class: ObjectClass, key_type: Pkcs11Type) -> Vec<Attribute> {
        vec![
            Attribute::Class(class),
            Attribute::KeyType(key_type),
            Attribute::Token(true),
            Attribute::Id(self.id.to_vec()),
            Attribute::Label(self.label.clone().into_bytes()),
        ]
    }

    /// The public half of a pair. The service verifies and encrypts itself; it reads the key from here.
    fn public(&self, key_type: Pkcs11Type) -> Vec<Attribute> {
        [self.object(ObjectClass::PUBLIC_KEY, key_type), vec![Attribute::Private(false)]].concat()
    }

    /// A private or secret key.
    fn guarded(&self, class: ObjectClass, attributes: &Attributes) -> Result<Vec<Attribute>, Failure> {
        let usage = attributes.policy.usage.implied();
        let (may, export) = (|any: Usage| !usage.and(any).is_empty(), usage.contains(Usage::EXPORT));
        let mut all = self.object(class, pkcs11_type(attributes.key_type)?);
        all.extend([Attribute::Private(true), Attribute::Sensitive(!export), Attribute::Extractable(export)]);
        all.extend(match attributes.key_type {
            KeyType::RsaKeyPair => vec![Attribute::Sign(may(Usage::SIGN)), Attribute::Decrypt(may(Usage::DECRYPT))],
            KeyType::EccKeyPair(EccFamily::Montgomery) => vec![Attribute::Derive(may(Usage::DERIVE))],
            KeyType::EccKeyPair(EccFamily::TwistedEdwards) => vec![Attribute::Sign(may(Usage::SIGN))],
            KeyType::EccKeyPair(_) => vec![Attribute::Sign(may(Usage::SIGN)), Attribute::Derive(may(Usage::DERIVE))],
            // The service verifies a MAC by making it.
            KeyType::Hmac => vec![Attribute::Sign(may(Usage::SIGN | Usage::VERIFY))],
            _ => vec![
                Attribute::Encrypt(may(Usage::ENCRYPT)),
                Attribute::Decrypt(may(Usage::DECRYPT)),
                Attribute::Sign(may(Usage::SIGN | Usage::VERIFY)),
            ],
        });
        Ok(all)
    }

    /// How to make a key; the ways to write it differ in the name of the curve.
    pub(super) fn generation(&self, attributes: &Attributes) -> Result<Vec<Making>, Failure> {
        let key_type = attributes.key_type;
        let pair = |mechanism, parameters: Vec<Attribute>| -> Result<Making, Failure> {
            let public = [self.public(pkcs11_type(key_type)?), parameters].concat();
            Ok(Making::Pair(mechanism, public, self.guarded(ObjectClass::PRIVATE_KEY, attributes)?))
        };
        let secret = |mechanism| -> Result<Making, Failure> {
            let len = Attribute::ValueLen(u64::from(attributes.bits / 8).into());
            Ok(Making::Secret(mechanism, [self.guarded(ObjectClass::SECRET_KEY, attributes)?, vec![len]].concat()))
        };
        match key_type {
            KeyType::RsaKeyPair => {
                let bits = Attribute::ModulusBits(u64::from(attributes.bits).into());
                let parameters = vec![bits, Attribute::PublicExponent(EXPONENT.to_vec())];
                Ok(vec![pair(Mechanism::RsaPkcsKeyPairGen, parameters)?])
            }
            KeyType::EccKeyPair(family) => {
                let mechanism = || match family {
                    EccFamily::TwistedEdwards => Mechanism::EccEdwardsKeyPairGen,
                    EccFamily::Montgomery => Mechanism::EccMontgomeryKeyPairGen,
                    _ => Mechanism::EccKeyPairGen,
                };
                let ways = curve(attributes)?.into_iter();
                ways.map(|curve| pair(mechanism(), vec![Attribute::EcParams(curve)])).collect()
            }
            KeyType::Aes => Ok(vec![secret(Mechanism::AesKeyGen)?]),
            KeyType::Hmac => Ok(vec![secret(Mechanism::GenericSecretKeyGen)?]),
            _ => Err(unknown(key_type)),
        }
    }

    /// What C_CreateObject takes for a key in the wire's import format.
    pub(super) fn import(&self, attributes: &Attributes, data: &[u8]) -> Result<Vec<Vec<Attribute>>, Failure> {
        let (key_type, own) = (attributes.key_type, pkcs11_type(attributes.key_type)?);
        let private = || self.guarded(ObjectClass::PRIVATE_KEY, attributes);
        let with = |object: Vec<Attribute>, more: Vec<Attribute>| [object, more].concat();
        match key_type {
            KeyType::RsaPublicKey => {
                let (modulus, exponent) = spki::rsa_parts(data).ok_or_else(malformed)?;
                let parts = vec![Attribute::Modulus(modulus.to_vec()), Attribute::PublicExponent(exponent.to_vec())];
                Ok(vec![with(self.public(own), parts)])
            }
            KeyType::EccPublicKey(_) => {
                let point = der::asn1::OctetStringRef::new(data).and_then(|point| point.to_der()).map_err(|_| malformed())?;
                let object = |curve| with(self.public(own), vec![Attribute::EcParams(curve), Attribute::EcPoint(point.clone())]);
                Ok(curve(attributes)?.into_iter().map(object).collect())
            }
            KeyType::RsaKeyPair => Ok(vec![with(private()?, rsa_private(data)?)]),
            KeyType::EccKeyPair(_) => {
                let private = private()?;
                let value = || Attribute::Value(data.to_vec());
                let object = |curve| with(private.clone(), vec![Attribute::EcParams(curve), value()]);
                Ok(curve(attributes)?.into_iter().map(object).collect())
            }
            KeyType::Aes | KeyType::Hmac => {
                let secret = self.guarded(ObjectClass::SECRET_KEY, attributes)?;
                Ok(vec![with(secret, vec![Attribute::Value(data.to_vec())])])
            }
            _ => Err(unknown(key_type)),
        }
    }
}

/// `CKA_EC_PARAMS`, in the ways that tokens take it.
fn curve(attributes: &Attributes) -> Result<Vec<Vec<u8>>, Failure> {
    let key_type = attributes.key_type.pair();
    let parameters = Parameters::of(key_type, attributes.bits).ok_or_else(|| unknown(key_type))?;
    let name = NAMES.iter().find(|(family, _)| key_type == KeyType::EccKeyPair(*family)).map(|(_, name)| *name);
    let name = name.map(|name| PrintableStringRef::new(name).and_then(|name| name.to_der()));
    name.into_iter().chain([parameters.oid.to_der()]).map(|way| way.map_err(|_| malformed())).collect()
}

/// The curve that `CKA_EC_PARAMS` names.
pub(super) fn parameters(der: &[u8]) -> Option<&'static Parameters> {
    if let Ok(oid) = der::asn1::ObjectIdentifier::from_der(der) {
        return Parameters::by_oid(oid);
    }
    let name = PrintableStringRef::from_der(der).ok()?;
    let (family, _) = NAMES.iter().find(|(_, known)| *known == name.as_str())?;
    KeyKind::of(KeyType::EccKeyPair(*family), 255)?.parameters.as_ref()
}

/// The point in `CKA_EC_POINT`: as it is, or as an OCTET STRING or a BIT STRING. A point on a Montgomery curve may look like one of these,
/// so its length decides.
pub(super) fn point(value: &[u8], len: usize) -> Option<&[u8]> {
    match value.len().checked_sub(len)? {
        0 => Some(value),
        2..=4 if matches!(value[0], 0x03 | 0x04) => Some(&value[value.len() - len..]),
        _ => None,
    }
}

fn pkcs11_type(key_type: KeyType) -> Result<Pkcs11Type, Failure> {
    Ok(match key_type.pair() {
        KeyType::RsaKeyPair => Pkcs11Type::RSA,
        KeyType::EccKeyPair(EccFamily::TwistedEdwards) => Pkcs11Type::EC_EDWARDS,
        KeyType::EccKeyPair(EccFamily::Montgomery) => Pkcs11Type::EC_MONTGOMERY,
        KeyType::EccKeyPair(_) => Pkcs11Type::EC,
        KeyType::Aes => Pkcs11Type::AES,
        KeyType::Hmac => Pkcs11Type::GENERIC_SECRET,
        other => return Err(unknown(other)),
    })
}

/// The numbers of an RSAPrivateKey (RFC 8017 §A.1.2), in its order.
const RSA_PRIVATE: [fn(Vec<u8>) -> Attribute; 8] = [
    Attribute::Modulus,
    Attribute::PublicExponent,
    Attribute::PrivateExponent,
    Attribute::Prime1,
    Attribute::Prime2,
    Attribute::Exponent1,
    Attribute::Exponent2,
    Attribute::Coefficient,
];

fn rsa_private(data: &[u8]) -> Result<Vec<Attribute>, Failure> {
    let read = || -> der::Result<Vec<Attribute>> {
        SliceReader::new(data)?.sequence(|reader| {
            let _version = UintRef::decode(reader)?;
            RSA_PRIVATE.iter().map(|part| Ok(part(UintRef::decode(reader)?.as_bytes().to_vec()))).collect()
        })
    };
    read().map_err(|_| malformed())
}

/// The types of what [`rsa_key`] takes.
pub(super) fn rsa_parts() -> Vec<cryptoki::object::AttributeType> {
    RSA_PRIVATE.iter().map(|part| part(Vec::new()).attribute_type()).collect()
}

/// The RSAPrivateKey of what a token tells of one.
pub(super) fn rsa_key(parts: &[Attribute]) -> Option<Vec<u8>> {
    let mut body = vec![2, 1, 0];
    for part in RSA_PRIVATE {
        let wanted = part(Vec::new()).attribute_type();
        let bytes = parts.iter().find(|told| told.attribute_type() == wanted).and_then(bytes)?;
        UintRef::new(bytes).ok()?.encode_to_vec(&mut body).ok()?;
    }
    der::asn1::AnyRef::new(der::Tag::Sequence, &body).ok()?.to_der().ok()
}

/// The value of an attribute that is bytes.
pub(super) fn bytes(attribute: &Attribute) -> Option<&[u8]> {
    match attribute {
        Attribute::Modulus(bytes)
        | Attribute::PublicExponent(bytes)
        | Attribute::PrivateExponent(bytes)
        | Attribute::Prime1(bytes)
        | Attribute::Prime2(bytes)
        | Attribute::Exponent1(bytes)
        | Attribute::Exponent2(bytes)
        | Attribute::Coefficient(bytes)
        | Attribute::EcParams(bytes)
        | Attribute::EcPoint(bytes)
        | Attribute::Value(bytes)
        | Attribute::Id(bytes)
        | Attribute::Label(bytes) => Some(bytes),
        _ => None,
    }
}

fn unknown(key_type: KeyType) -> Failure {
    Failure::unsupported(format!("the worker has no keys of type {key_type:?}"))
}

fn malformed() -> Failure {
    Failure::Refused(Status::PsaErrorInvalidArgument, "the key is malformed".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_a_point_tells_how_it_is_wrapped() {
        let raw = [&[4][..], &[7; 64]].concat();
        let octets = [&[4, 65][..], &raw].concat();
        let bits = [&[3, 66, 0][..], &raw].concat();
        for value in [&raw, &octets, &bits] {
            assert_eq!(point(value, 65), Some(raw.as_slice()));
        }
        let montgomery = [&[4, 30][..], &[1; 30]].concat();
        assert_eq!(point(&montgomery, 32), Some(montgomery.as_slice()), "it looks like DER");
        assert_eq!((point(&raw[1..], 65), point(&[9; 67], 65)), (None, None));
    }

    #[test]
    fn a_curve_is_known_by_each_of_its_names() {
        for (key_type, bits) in [
            (KeyType::EccKeyPair(EccFamily::SecpR1), 384),
            (KeyType::EccKeyPair(EccFamily::TwistedEdwards), 255),
            (KeyType::EccKeyPair(EccFamily::Montgomery), 255),
        ] {
            let policy = interface::attributes::Policy {
                usage: Usage::NONE,
                algorithm: interface::algorithm::Algorithm::None,
                also: Vec::new(),
            };
            for way in curve(&Attributes { key_type, bits, policy }).unwrap() {
                assert_eq!(parameters(&way).map(|found| (found.key_type, found.bits)), Some((key_type.public(), bits)));
            }
        }
    }
}
