//! Key generation: what the templates ask for becomes a key type, a policy and a name.

use cryptoki_sys::*;
use der::Decode;
use der::asn1::{ObjectIdentifier, PrintableStringRef};
use interface::attributes::{Attributes, KeyType};
use interface::operations::GenerateKey;
use interface::spki::{PARAMETERS, Parameters};
use interface::{Status, client};

use super::create::{check_token, hex};
use super::object::check_private;
use super::policy;
use crate::error::{Error, Result};
use crate::ffi::{Mechanism, Out, Template};
use crate::mechanism::{self, Family, Work};
use crate::module::{self, Module, lock};
use crate::object::{Record, key_type};
use crate::random;
use crate::session::Session;

/// 65537, the public exponent of every generated key.
const EXPONENT: [u8; 3] = [1, 0, 1];

pub(crate) fn pair(
    session: CK_SESSION_HANDLE,
    mechanism: &Mechanism,
    public: &Template,
    private: &Template,
    public_key: &Out<CK_OBJECT_HANDLE>,
    private_key: &Out<CK_OBJECT_HANDLE>,
) -> Result<()> {
    let module = module::current()?;
    let session = module.session(session)?;
    let family = mechanism::find(mechanism.kind(), |work| match work {
        Work::Pair(family) => Some(family),
        _ => None,
    })?;
    let attributes = attributes(family, public, private)?;
    check_token(private)?;
    session.check_writable()?;
    check_private(&module, &session, CKO_PRIVATE_KEY, private)?;
    let label = private.text(CKA_LABEL)?.or(public.text(CKA_LABEL)?);
    let id = private.value(CKA_ID).or_else(|| public.value(CKA_ID));
    let record = generate(&module, &session, &attributes, label, id)?;
    let learned = lock(&module.objects).learn(record);
    for (handle, object) in learned {
        match object.class {
            CKO_PRIVATE_KEY => private_key.set(handle),
            _ => public_key.set(handle),
        }
    }
    Ok(())
}

/// C_GenerateKey.
pub(crate) fn secret(
    session: CK_SESSION_HANDLE,
    mechanism: &Mechanism,
    template: &Template,
    key: &Out<CK_OBJECT_HANDLE>,
) -> Result<()> {
    let module = module::current()?;
    let session = module.session(session)?;
    let (family, hash) = mechanism::find(mechanism.kind(), |work| match work {
        Work::Secret(family, hash) => Some((family, hash)),
        _ => None,
    })?;
    if mechanism.has_parameter() {
        return Err(Error::MechanismParamInvalid);
    }
    let mut attributes = secret_attributes(family, template)?;
    if let Some(hash) = hash {
        attributes.policy = policy::hmac(&attributes.policy, hash);
    }
    check_token(template)?;
    session.check_writable()?;
    check_private(&module, &session, CKO_SECRET_KEY, template)?;
    let (label, id) = (template.text(CKA_LABEL)?, template.value(CKA_ID));
    let record = generate(&module, &session, &attributes, label, id)?;
    let learned = lock(&module.objects).learn(record);
    let (handle, _) = learned.first().ok_or(Error::DeviceFailed)?;
    key.set(*handle);
    Ok(())
}

fn generate(
    module: &Module,
    session: &Session,
    attributes: &Attributes,
    label: Option<&str>,
    id: Option<&[u8]>,
) -> Result<Record> {
    let id = id.filter(|id| !id.is_empty());
    let name = named(label, id, |key_name| {
        let key = GenerateKey {
            key_name,
            attributes: Some(attributes.into()),
            label: Some(label.unwrap_or_default().to_owned()),
            id: id.map(<[u8]>::to_vec),
            ..GenerateKey::default()
        };
        module.client.call(session.provider, &key)
    })?;
    let record = module.client.lookup(session.provider, None, &name)?;
    Record::try_from(record).map_err(|_| Error::DeviceFailed)
}

/// Has a key made under a name made from its label, or its id; labels need not be unique but names must be, so a second key
/// gets some random digits too. Returns the name.
pub(super) fn named<T>(
    label: Option<&str>,
    id: Option<&[u8]>,
    make: impl Fn(String) -> Result<T, client::Error>,
) -> Result<String> {
    let plain = match (label, id) {
        (Some(label), _) if !label.is_empty() => name_of(label),
        (_, Some(id)) => format!("id-{}", hex(id)),
        _ => format!("key-{}", hex(&random::bytes::<8>()?)),
    };
    match make(plain.clone()) {
        Ok(_) => return Ok(plain),
        Err(error) if error.status() == Some(Status::PsaErrorAlreadyExists) => {}
        Err(error) => return Err(error.into()),
    }
    let numbered = format!("{plain}-{}", hex(&random::bytes::<4>()?));
    make(numbered.clone())?;
    Ok(numbered)
}

/// A name for people to type, near the label.
fn name_of(label: &str) -> String {
    let plain = |c: char| {
        if c.is_alphanumeric() || "._@-".contains(c) { c } else { '-' }
    };
    label.chars().map(plain).take(64).collect()
}

/// What the templates of a pair ask for.
fn attributes(family: Family, public: &Template, private: &Template) -> Result<Attributes> {
    let (key_type, bits) = match family {
        Family::Rsa => (KeyType::RsaKeyPair, rsa_bits(public)?),
        Family::MlDsa | Family::MlKem => parameter_set(family, public, private)?,
        _ => {
            let curve = curve(public.value(CKA_EC_PARAMS).ok_or(Error::TemplateIncomplete)?)?;
            (curve.key_type.pair(), curve.bits)
        }
    };
    if Family::of(key_type) != Some(family) {
        return Err(Error::CurveNotSupported);
    }
    check_kind(public, CKO_PUBLIC_KEY, key_type)?;
    check_kind(private, CKO_PRIVATE_KEY, key_type)?;
    if private.flag(CKA_ALWAYS_AUTHENTICATE)? == Some(true) {
        return Err(Error::TemplateInconsistent);
    }
    Ok(Attributes { key_type, bits, policy: policy::pair(family, public, private)? })
}

/// What the template of a secret key asks for.
fn secret_attributes(family: Family, template: &Template) -> Result<Attributes> {
    let kinds = family.keys();
    let &[(own, min), ..] = kinds else {
        return Err(Error::MechanismInvalid);
    };
    let max = kinds.last().map_or(min, |kind| kind.1);
    check_kind(template, CKO_SECRET_KEY, own)?;
    let bits = match template.number(CKA_VALUE_LEN)? {
        None if min == max => min,
        None => return Err(Error::TemplateIncomplete),
        Some(bytes) => u32::try_from(bytes).ok().and_then(|bytes| bytes.checked_mul(8)).ok_or(Error::KeySizeRange)?,
    };
    let fits = match family {
        Family::Generic => (min..=max).contains(&bits),
        _ => kinds.contains(&(own, bits)),
    };
    if !fits {
        return Err(Error::KeySizeRange);
    }
    Ok(Attributes { key_type: own, bits, policy: policy::secret(family, template)? })
}

/// Fails for a template that names another class or type of key.
pub(super) fn check_kind(template: &Template, class: CK_OBJECT_CLASS, own: KeyType) -> Result<()> {
    for (kind, expected) in [(CKA_CLASS, class), (CKA_KEY_TYPE, key_type(own))] {
        // An HMAC key of one hash is a generic secret with a narrower policy.
        let fits = |given| given == expected || own == KeyType::Hmac && mechanism::hmac_hash(given).is_some();
        if template.number(kind)?.is_some_and(|given| !fits(given)) {
            return Err(Error::TemplateInconsistent);
        }
    }
    Ok(())
}

/// The type and size that CKA_PARAMETER_SET names.
pub(super) fn parameter_set(family: Family, public: &Template, private: &Template) -> Result<(KeyType, u32)> {
    let set = public.number(CKA_PARAMETER_SET)?.or(private.number(CKA_PARAMETER_SET)?).ok_or(Error::TemplateIncomplete)?;
    let found = family.keys().iter().find(|(_, bits)| family.parameter_set(*bits) == Some(set));
    found.copied().ok_or(Error::ParameterSetNotSupported)
}

fn rsa_bits(public: &Template) -> Result<u32> {
    let bits = public.number(CKA_MODULUS_BITS)?.ok_or(Error::TemplateIncomplete)?;
    let exponent = public.value(CKA_PUBLIC_EXPONENT).filter(|given| !given.is_empty());
    let exponent = exponent.map(|given| given.iter().copied().skip_while(|byte| *byte == 0));
    if exponent.is_some_and(|given| !given.eq(EXPONENT)) {
        return Err(Error::AttributeValueInvalid);
    }
    let sizes = Family::Rsa.keys();
    let (min, max) = (sizes.first().map(|pair| pair.1), sizes.last().map(|pair| pair.1));
    let bits = u32::try_from(bits).map_err(|_| Error::KeySizeRange)?;
    if Some(bits) >= min && Some(bits) <= max { Ok(bits) } else { Err(Error::KeySizeRange) }
}

fn curves() -> impl Iterator<Item = &'static Parameters> {
    PARAMETERS.iter().filter(|named| named.key_type.family().is_some())
}

/// The curve that CKA_EC_PARAMS names: by its object identifier, or by its name (PKCS#11 3.1 §6.3.3).
pub(super) fn curve(params: &[u8]) -> Result<&'static Parameters> {
    if let Ok(oid) = ObjectIdentifier::from_der(params) {
        return curves().find(|curve| curve.oid == oid).ok_or(Error::CurveNotSupported);
    }
    let name = PrintableStringRef::from_der(params).map_err(|_| Error::CurveNotSupported)?;
    let name = match name.as_str() {
        "edwards25519" => "ED25519",
        "curve25519" => "X25519",
        "secp256r1" => "prime256v1",
        other => other,
    };
    curves().find(|curve| curve.name == name).ok_or(Error::CurveNotSupported)
}

#[cfg(test)]
mod tests {
    use super::*;
    use interface::algorithm::{Agreement, Encryption, Hash, Signature};
    use interface::attributes::Usage;

    const P256: &[u8] = b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";

    fn ec(private: &Template) -> Result<Attributes> {
        attributes(Family::Ec, &Template::from([(CKA_EC_PARAMS, P256)]), private)
    }

    fn rsa(bits: CK_ULONG, private: &Template) -> Result<Attributes> {
        let bits = bits.to_ne_bytes();
        let public = [(CKA_MODULUS_BITS, &bits[..]), (CKA_PUBLIC_EXPONENT, &[0, 1, 0, 1])];
        attributes(Family::Rsa, &Template::from(public), private)
    }

    #[test]
    fn a_key_without_flags_signs() {
        let key = ec(&Template::from([])).unwrap();
        assert_eq!(key.bits, 256);
        assert_eq!(key.policy.usage, Usage::SIGN | Usage::VERIFY);
        let sha256 = Signature::Ecdsa { hash: Hash::Sha256.into() };
        assert!(key.policy.permits(sha256.into()) && key.policy.permits(Signature::EcdsaAny.into()));
        assert!(!key.policy.permits(Agreement::Ecdh.into()));
    }

    #[test]
    fn flags_become_usage_and_algorithms() {
        let key = ec(&Template::from([(CKA_SIGN, &[1][..]), (CKA_DERIVE, &[1])])).unwrap();
        assert!(key.policy.usage.contains(Usage::SIGN | Usage::DERIVE));
        assert!(key.policy.permits(Agreement::Ecdh.into()));
        let key = rsa(3072, &Template::from([(CKA_DECRYPT, &[1][..])])).unwrap();
        assert_eq!(key.policy.usage, Usage::DECRYPT | Usage::ENCRYPT);
        assert!(key.policy.permits(Encryption::RsaOaep { hash: Hash::Sha256 }.into()));
        assert!(!key.policy.permits(Signature::RsaPkcs1v15Raw.into()));
    }

    #[test]
    fn impossible_templates_are_refused_as_the_standard_says() {
        let none = Template::from([]);
        assert!(matches!(rsa(1016, &none), Err(Error::KeySizeRange)));
        assert!(matches!(attributes(Family::Rsa, &none, &none), Err(Error::TemplateIncomplete)));
        let ed25519 = Template::from([(CKA_EC_PARAMS, &b"\x13\x0cedwards25519"[..])]);
        assert!(matches!(attributes(Family::Ec, &ed25519, &none), Err(Error::CurveNotSupported)));
        assert_eq!(attributes(Family::Edwards, &ed25519, &none).unwrap().bits, 255);
        let aes = CKK_AES.to_ne_bytes();
        let wrong = ec(&Template::from([(CKA_KEY_TYPE, &aes[..])]));
        assert!(matches!(wrong, Err(Error::TemplateInconsistent)));
    }

    #[test]
    fn allowed_mechanisms_narrow_the_policy() {
        let kinds = [CKM_ECDSA_SHA256, CKM_RSA_PKCS].map(CK_ULONG::to_ne_bytes);
        let key = ec(&Template::from([(CKA_ALLOWED_MECHANISMS, kinds.as_flattened())])).unwrap();
        let hash = Hash::Sha256.into();
        assert!(key.policy.algorithms().eq([Signature::Ecdsa { hash }.into()]));
        let none = ec(&Template::from([(CKA_ALLOWED_MECHANISMS, &kinds[1][..])]));
        assert!(matches!(none, Err(Error::TemplateInconsistent)));
        let broken = ec(&Template::from([(CKA_ALLOWED_MECHANISMS, &[1, 2][..])]));
        assert!(matches!(broken, Err(Error::AttributeValueInvalid)));
        let unused = ec(&Template::from([(CKA_SIGN, &[0][..]), (CKA_VERIFY, &[0])]));
        assert!(matches!(unused, Err(Error::TemplateInconsistent)));
    }

    #[test]
    fn names_are_near_labels() {
        assert_eq!(name_of("My key/1"), "My-key-1");
    }
}
