//! Key generation: what the templates ask for becomes a key type, a policy and a name.

use cryptoki_sys::*;
use interface::Filing;
use interface::attributes::{Attributes, KeyType};
use interface::group::{Group, GroupKey};
use interface::operations::GenerateKey;

use super::destination::{Destination, is_the_one_of};
use super::policy;
use crate::error::{Call, During, Error, Result};
use crate::ffi::{Mechanism, Out, Template};
use crate::mechanism::{self, Family, Form, Work, secret::SecretType};
use crate::objects::object::{KeyObject, Record, may_be, without_public_half};
use crate::objects::{attributes::Origin, material};
use crate::state::{self, end::destroy_key};
use zeroize::Zeroizing;

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
    state::current()?.session(session)?;
    let family = mechanism::find(mechanism.kind(), |work| match work {
        Work::Pair(family) => Some(family),
        _ => None,
    })?;
    check_bare(mechanism)?;
    let attributes = attributes(family, public, private)?;
    let group = if family.form() == Form::Group { Some(group(family, public)?) } else { None };
    let likely = likely_public(family, group.as_ref());
    let group = group.map_or(Some(vec![]), |group| group.to_der()).ok_or(Error::AttributeValueInvalid)?;
    let destination = Destination::new(session, CKO_PRIVATE_KEY, private, Origin::Generated)?;
    let public_place = Destination::new(session, CKO_PUBLIC_KEY, public, Origin::Generated)?;
    destination.check_asked(&attributes, likely, &[(CKO_PRIVATE_KEY, private), (CKO_PUBLIC_KEY, public)])?;
    if destination.token == public_place.token {
        let filing = destination.filing(CKO_PRIVATE_KEY, private, Some(public))?;
        let record = generate(Call::Generate, &destination, mechanism.kind(), filing, &attributes, &group)?;
        for (handle, object) in destination.learn(record)? {
            match object.class {
                CKO_PRIVATE_KEY => private_key.set(handle),
                _ => public_key.set(handle),
            }
        }
        return Ok(());
    }
    let mut filing = destination.filing(CKO_PRIVATE_KEY, private, None)?;
    filing.pkcs11.push(without_public_half());
    let record = generate(Call::Generate, &destination, mechanism.kind(), filing, &attributes, &group)?;
    let key = record.key().ok_or(Error::DeviceFailed)?;
    let filing = public_place.filing(CKO_PUBLIC_KEY, public, None)?;
    let half = public_place.import_public(Filing { id: filing.id.or_else(|| Some(record.id.clone())), ..filing }, key);
    if half.is_err() {
        destroy_key(&destination.module, &record).during(Call::Generate)?;
    }
    public_key.set(public_place.learn_one(half?)?);
    private_key.set(destination.learn_one(record)?);
    Ok(())
}

/// What a template may say of the public value of a key that is made.
fn likely_public(family: Family, group: Option<&Group>) -> Vec<u8> {
    let any = || Zeroizing::new(vec![1]);
    let public = match (family, group) {
        (Family::Rsa, _) => {
            let numbers = Template::from([(CKA_MODULUS, &any()[..]), (CKA_PUBLIC_EXPONENT, &EXPONENT)]);
            material::rsa_public(&numbers).ok().map(|public| public.to_vec())
        }
        (_, Some(group)) => GroupKey { group: group.clone(), number: any() }.to_spki(),
        _ => None,
    };
    public.unwrap_or_default()
}

/// The group that a template gives for keys of a family.
fn group(family: Family, template: &Template) -> Result<Group> {
    material::group(template, family.kind())
}

/// Domain parameters, which come with a key that nobody needs.
fn parameters(
    session: CK_SESSION_HANDLE,
    kind: CK_MECHANISM_TYPE,
    family: Family,
    template: &Template,
) -> Result<CK_OBJECT_HANDLE> {
    let destination = Destination::new(session, CKO_DOMAIN_PARAMETERS, template, Origin::Generated)?;
    let key_type = family.key_type();
    let known = template.number(CKA_KEY_TYPE)?.is_none_or(|kind| may_be(key_type, kind));
    if destination.token || !known {
        return Err(Error::TemplateInconsistent);
    }
    let bits = template.number(CKA_PRIME_BITS)?.ok_or(Error::TemplateIncomplete)?;
    let bits = u32::try_from(bits).map_err(|_| Error::KeySizeRange)?;
    if !family.keys().contains(&(key_type, bits)) {
        return Err(Error::KeySizeRange);
    }
    let none = Template::default();
    let attributes = Attributes { key_type, bits, policy: policy::pair(family, &none, &none)? };
    let record = generate(Call::Generate, &destination, kind, Filing { volatile: true, ..Filing::default() }, &attributes, &[])?;
    destroy_key(&destination.module, &record).during(Call::Generate)?;
    let group = record.key().and_then(KeyObject::group).ok_or(Error::DeviceFailed)?;
    let group = destination.group(destination.filing(CKO_DOMAIN_PARAMETERS, template, None)?, group)?;
    is_the_one_of(CKO_DOMAIN_PARAMETERS, &group, template)?;
    destination.learn_one(group)
}

/// C_GenerateKey.
pub(crate) fn secret(
    session: CK_SESSION_HANDLE,
    mechanism: &Mechanism,
    template: &Template,
    key: &Out<CK_OBJECT_HANDLE>,
) -> Result<()> {
    state::current()?.session(session)?;
    let group = mechanism::find(mechanism.kind(), |work| match work {
        Work::Parameters(family) => Some(family),
        _ => None,
    });
    if let Ok(family) = group {
        check_bare(mechanism)?;
        key.set(parameters(session, mechanism.kind(), family, template)?);
        return Ok(());
    }
    let own = mechanism::find(mechanism.kind(), |work| match work {
        Work::Secret(kind) => SecretType::named(kind),
        _ => None,
    })?;
    check_bare(mechanism)?;
    let attributes = secret_attributes(own, template)?;
    let destination = Destination::new(session, CKO_SECRET_KEY, template, Origin::Generated)?;
    destination.check_asked(&attributes, vec![], &[(CKO_SECRET_KEY, template)])?;
    let filing = destination.filing(CKO_SECRET_KEY, template, None)?;
    let call = if own.bits.is_some() { Call::GenerateSized } else { Call::Generate };
    let record = generate(call, &destination, mechanism.kind(), filing, &attributes, &[])?;
    key.set(destination.learn_one(record)?);
    Ok(())
}

/// Nothing that makes keys has a parameter.
fn check_bare(mechanism: &Mechanism) -> Result<()> {
    if mechanism.has_parameter() { Err(Error::MechanismParamInvalid) } else { Ok(()) }
}

/// Has the service make a key.
fn generate(
    call: Call,
    destination: &Destination,
    kind: CK_MECHANISM_TYPE,
    filing: Filing,
    attributes: &Attributes,
    group: &[u8],
) -> Result<Record> {
    let (module, provider) = (&destination.module, destination.session.provider);
    let made = destination.key(call, &filing, |Filing { name, label, id, volatile, pkcs11 }| {
        let (attributes, group) = (Some(attributes.into()), group.to_vec());
        module.client.call(provider, &GenerateKey { key_name: name, attributes, label, id, volatile, pkcs11, group })
    });
    let flags = CKF_GENERATE | CKF_GENERATE_KEY_PAIR;
    made.map_err(|error| module.slots.unless_missing(&module.client, provider, kind, flags, error))
}

/// What the templates of a pair ask for.
fn attributes(family: Family, public: &Template, private: &Template) -> Result<Attributes> {
    let (key_type, bits) = match family.form() {
        Form::Rsa => (KeyType::RsaKeyPair, rsa_bits(public)?),
        Form::Group => (family.key_type(), group(family, public)?.bits()),
        Form::Set => parameter_set(family, public, private)?,
        _ => {
            let curve = material::curve(public.value(CKA_EC_PARAMS).ok_or(Error::TemplateIncomplete)?)?;
            (curve.key_type.pair(), curve.bits)
        }
    };
    if Family::of(key_type) != Some(family) {
        return Err(Error::CurveNotSupported);
    }
    check_kind(public, CKO_PUBLIC_KEY, key_type)?;
    check_kind(private, CKO_PRIVATE_KEY, key_type)?;
    Ok(Attributes { key_type, bits, policy: policy::pair(family, public, private)? })
}

/// What the template of a secret key asks for.
fn secret_attributes(own: &SecretType, template: &Template) -> Result<Attributes> {
    let key_type = own.family.key_type();
    check_kind(template, CKO_SECRET_KEY, key_type)?;
    let asked = template.number(CKA_KEY_TYPE)?.and_then(SecretType::named).unwrap_or(own);
    if asked.bits != own.bits || own.hash.is_some() && asked.hash != own.hash {
        return Err(Error::TemplateInconsistent);
    }
    let sizes = own.sizes();
    let (Some(&min), Some(&max)) = (sizes.first(), sizes.last()) else {
        return Err(Error::MechanismInvalid);
    };
    let bits = match bits(template)? {
        None if min == max => min,
        None => return Err(Error::TemplateIncomplete),
        Some(bits) => bits,
    };
    let fits = match own.family {
        Family::Generic | Family::Hkdf => (min..=max).contains(&bits),
        _ => sizes.contains(&bits),
    };
    if !fits {
        return Err(Error::KeySizeRange);
    }
    Ok(Attributes { key_type, bits, policy: own.narrow(policy::secret(asked, template)?) })
}

/// The size that CKA_VALUE_LEN asks for.
pub(super) fn bits(template: &Template) -> Result<Option<u32>> {
    let bits = |bytes| u32::try_from(bytes).ok()?.checked_mul(8).filter(|bits| *bits > 0);
    template.number(CKA_VALUE_LEN)?.map(|bytes| bits(bytes).ok_or(Error::KeySizeRange)).transpose()
}

/// Fails for a template that names another class or type of key.
pub(super) fn check_kind(template: &Template, class: CK_OBJECT_CLASS, own: KeyType) -> Result<()> {
    let other_class = template.number(CKA_CLASS)?.is_some_and(|given| given != class);
    let other_type = template.number(CKA_KEY_TYPE)?.is_some_and(|given| !may_be(own, given));
    if other_class || other_type {
        return Err(Error::TemplateInconsistent);
    }
    Ok(())
}

/// The type and size that CKA_PARAMETER_SET names.
pub(super) fn parameter_set(family: Family, public: &Template, private: &Template) -> Result<(KeyType, u32)> {
    let set = public.number(CKA_PARAMETER_SET)?.or(private.number(CKA_PARAMETER_SET)?).ok_or(Error::TemplateIncomplete)?;
    let found = family.keys().into_iter().find(|&(key_type, bits)| family.parameter_set(key_type, bits) == Some(set));
    found.ok_or(Error::ParameterSetNotSupported)
}

fn rsa_bits(public: &Template) -> Result<u32> {
    let bits = public.number(CKA_MODULUS_BITS)?.ok_or(Error::TemplateIncomplete)?;
    let exponent = public.value(CKA_PUBLIC_EXPONENT).filter(|given| !given.is_empty());
    let exponent = exponent.map(|given| given.iter().copied().skip_while(|byte| *byte == 0));
    if exponent.is_some_and(|given| !given.eq(EXPONENT)) {
        return Err(Error::AttributeValueInvalid);
    }
    let bits = u32::try_from(bits).map_err(|_| Error::KeySizeRange)?;
    let made = Family::Rsa.keys().contains(&(KeyType::RsaKeyPair, bits));
    if made { Ok(bits) } else { Err(Error::KeySizeRange) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use interface::algorithm::{Agreement, Algorithm, Encryption, Hash, Signature};
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
        let none = ec(&Template::from([(CKA_ALLOWED_MECHANISMS, &kinds[1][..])])).unwrap();
        assert!(none.policy.algorithms().eq([Algorithm::None]));
        let broken = ec(&Template::from([(CKA_ALLOWED_MECHANISMS, &[1, 2][..])]));
        assert!(matches!(broken, Err(Error::AttributeValueInvalid)));
        let unused = ec(&Template::from([(CKA_SIGN, &[0][..])])).unwrap();
        assert_eq!((unused.policy.usage, unused.policy.algorithm), (Usage::NONE, Algorithm::None));
    }
}
