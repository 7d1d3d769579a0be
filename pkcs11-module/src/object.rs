//! What the service keeps, seen as PKCS#11 objects. A key pair is two of them, private and public, with one CKA_ID and one
//! CKA_LABEL. Every attribute that can be read, searched or checked is computed in [`Object::attribute`].

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use cryptoki_sys::*;
use der::Encode;
use der::asn1::OctetStringRef;
use interface::attributes::{Attributes, EccFamily, KeyType, Usage};
use interface::operations::{self, RecordKind};
use interface::spki::{self, Parameters, PublicKey};
use interface::{ProviderId, Status};
use zeroize::Zeroizing;

use crate::certificate::Certificate;
use crate::error::{Error, Result};
use crate::ffi::Template;
use crate::hash::sha1;
use crate::mechanism::{self, Family};
use crate::module::fresh_handle;

/// One object: a record, or one half of it.
pub(crate) struct Object {
    pub(crate) class: CK_OBJECT_CLASS,
    pub(crate) record: Arc<Record>,
}

/// What the service keeps under one name.
#[derive(Clone)]
pub(crate) struct Record {
    pub(crate) kind: RecordKind,
    pub(crate) slot: CK_SLOT_ID,
    pub(crate) uuid: String,
    pub(crate) name: String,
    label: String,
    id: Vec<u8>,
    content: Content,
}

#[derive(Clone)]
enum Content {
    Key(Key),
    Certificate(Vec<u8>),
    Data(Zeroizing<Vec<u8>>),
}

/// A key, to be named in requests.
#[derive(Clone)]
pub(crate) struct Key {
    pub(crate) provider: ProviderId,
    pub(crate) name: String,
    owner: String,
    pub(crate) attributes: Attributes,
    /// What this client may do.
    pub(crate) usage: Usage,
    /// Known to have been made by its provider.
    local: bool,
    /// As exported; empty for secret keys.
    pub(crate) public: Vec<u8>,
}

impl Key {
    /// The owner as requests name it.
    pub(crate) fn owner(&self) -> Option<String> {
        (!self.owner.is_empty()).then(|| self.owner.clone())
    }

    /// Length of the public value in bytes.
    pub(crate) fn public_len(&self) -> usize {
        self.public.len()
    }

    /// Whether this client may do one of these.
    pub(crate) fn may(&self, usage: Usage) -> bool {
        !self.usage.and(usage).is_empty()
    }

    /// Whether what it encrypts and decrypts are shared secrets.
    fn encapsulates(&self) -> bool {
        self.attributes.key_type.public() == KeyType::MlKemPublicKey
    }

    /// Whether anybody may do one of these.
    fn permits(&self, usage: Usage) -> bool {
        !self.attributes.policy.usage.and(usage).is_empty()
    }
}

impl TryFrom<operations::Record> for Record {
    type Error = Status;

    fn try_from(record: operations::Record) -> Result<Self, Status> {
        let kind = RecordKind::try_from(record.kind)?;
        let content = match kind {
            RecordKind::Key => Content::Key(Key {
                provider: ProviderId::try_from(record.provider_id)?,
                name: record.name.clone(),
                owner: record.owner,
                attributes: record.attributes.as_ref().ok_or(Status::InvalidEncoding)?.try_into()?,
                usage: record.usage.as_ref().map(Usage::from).unwrap_or_default().implied(),
                local: record.local,
                public: record.public_key,
            }),
            RecordKind::Certificate => Content::Certificate(record.value),
            RecordKind::Data => Content::Data(Zeroizing::new(record.value)),
        };
        // Upstream's service has no UUIDs; there, the name is unique for this client.
        let uuid = match record.uuid {
            uuid if uuid.is_empty() => format!("{}-{}", record.provider_id, record.name),
            uuid => uuid,
        };
        let slot = record.provider_id.into();
        Ok(Self { kind, slot, uuid, name: record.name, label: record.label, id: record.id, content })
    }
}

impl Record {
    /// The record with another label or id.
    pub(crate) fn with(&self, label: Option<String>, id: Option<Vec<u8>>) -> Self {
        let mut record = self.clone();
        record.label = label.unwrap_or(record.label);
        record.id = id.unwrap_or(record.id);
        record
    }

    /// The classes of the objects that the record shows as.
    fn classes(&self) -> &'static [CK_OBJECT_CLASS] {
        match &self.content {
            Content::Key(key) if key.attributes.key_type.is_pair() => &[CKO_PRIVATE_KEY, CKO_PUBLIC_KEY],
            Content::Key(key) if key.attributes.key_type.is_public() => &[CKO_PUBLIC_KEY],
            Content::Key(_) => &[CKO_SECRET_KEY],
            Content::Certificate(_) => &[CKO_CERTIFICATE],
            Content::Data(_) => &[CKO_DATA],
        }
    }
}

/// The objects that have handles. A handle is good in every session and names the same object as long as the module is
/// initialised.
#[derive(Clone, Default)]
pub(crate) struct Objects {
    by_handle: HashMap<CK_OBJECT_HANDLE, Arc<Object>>,
    handles: HashMap<(String, CK_OBJECT_CLASS), CK_OBJECT_HANDLE>,
}

impl Objects {
    /// Takes in what the service has told of a record; returns the handles and objects it shows as.
    pub(crate) fn learn(&mut self, record: Record) -> Vec<(CK_OBJECT_HANDLE, Arc<Object>)> {
        let record = Arc::new(record);
        let mut learned = Vec::with_capacity(2);
        for &class in record.classes() {
            let object = Arc::new(Object { class, record: Arc::clone(&record) });
            let known = self.handles.entry((record.uuid.clone(), class));
            let handle = *known.or_insert_with(fresh_handle);
            self.by_handle.insert(handle, Arc::clone(&object));
            learned.push((handle, object));
        }
        learned
    }

    pub(crate) fn find(&self, handle: CK_OBJECT_HANDLE) -> Option<Arc<Object>> {
        self.by_handle.get(&handle).cloned()
    }

    /// Forgets the private objects of a token.
    pub(crate) fn forget_private(&mut self, slot: CK_SLOT_ID) {
        self.forget_those(|object| object.record.slot == slot && object.private());
    }

    /// Forgets all objects of a token.
    pub(crate) fn forget_all(&mut self, slot: CK_SLOT_ID) {
        self.forget_those(|object| object.record.slot == slot);
    }

    fn forget_those(&mut self, these: impl Fn(&Object) -> bool) {
        let handles: Vec<_> = self.by_handle.iter().filter(|(_, object)| these(object)).map(|(handle, _)| *handle).collect();
        for handle in handles {
            self.forget(handle);
        }
    }

    pub(crate) fn forget(&mut self, handle: CK_OBJECT_HANDLE) {
        if let Some(object) = self.by_handle.remove(&handle) {
            self.handles.remove(&(object.record.uuid.clone(), object.class));
        }
    }
}

impl Object {
    pub(crate) fn key(&self) -> Option<&Key> {
        match &self.record.content {
            Content::Key(key) => Some(key),
            _ => None,
        }
    }

    /// The public half of a key pair goes with the pair: it cannot be destroyed by itself.
    pub(crate) fn is_view(&self) -> bool {
        self.class == CKO_PUBLIC_KEY && self.record.classes().len() > 1
    }

    /// Whether only the user sees it (CKA_PRIVATE).
    pub(crate) fn private(&self) -> bool {
        private_by_default(self.class)
    }

    /// Whether the user's PIN is wanted for each use (CKA_ALWAYS_AUTHENTICATE).
    pub(crate) fn always_authenticate(&self) -> bool {
        self.attribute(CKA_ALWAYS_AUTHENTICATE).is_ok_and(|value| *value == flag(true))
    }

    /// Whether every attribute of a search template has this value here. What an object does not have, or does not
    /// show, does not match.
    pub(crate) fn matches(&self, template: &Template) -> bool {
        template.iter().all(|(kind, value)| self.attribute(kind).is_ok_and(|have| have.as_slice() == value))
    }

    /// The value of an attribute, in the encoding of the standard.
    pub(crate) fn attribute(&self, kind: CK_ATTRIBUTE_TYPE) -> Result<Zeroizing<Vec<u8>>> {
        let common = self.storage(kind);
        let value = match (&self.record.content, common) {
            (_, Some(value)) => Some(value),
            (Content::Certificate(der), None) => certificate(der, kind),
            (Content::Data(data), None) => match kind {
                CKA_VALUE => Some(data.to_vec()),
                CKA_APPLICATION | CKA_OBJECT_ID => Some(vec![]),
                _ => None,
            },
            (Content::Key(key), None) => match self.class {
                CKO_PUBLIC_KEY => self.any_key(key, kind).or_else(|| public_key(key, kind)),
                CKO_PRIVATE_KEY if private_value(kind) => return Err(Error::AttributeSensitive),
                CKO_PRIVATE_KEY => self.any_key(key, kind).or_else(|| private_key(key, kind)),
                _ if kind == CKA_VALUE => return Err(Error::AttributeSensitive),
                _ => self.any_key(key, kind).or_else(|| secret_key(key, kind)),
            },
        };
        value.map(Zeroizing::new).ok_or(Error::AttributeTypeInvalid)
    }

    /// What every object has (PKCS#11 §4.4).
    fn storage(&self, kind: CK_ATTRIBUTE_TYPE) -> Option<Vec<u8>> {
        let record = &self.record;
        Some(match kind {
            CKA_CLASS => number(self.class),
            CKA_TOKEN | CKA_MODIFIABLE | CKA_DESTROYABLE => flag(true),
            CKA_PRIVATE => flag(self.private()),
            CKA_COPYABLE => flag(false),
            CKA_LABEL => record.label.clone().into_bytes(),
            CKA_UNIQUE_ID if self.is_view() => format!("{}-public", record.uuid).into_bytes(),
            CKA_UNIQUE_ID => record.uuid.clone().into_bytes(),
            CKA_ID if self.class != CKO_DATA => record.id.clone(),
            _ => return None,
        })
    }

    /// What every key has (§4.7), and the public value, which private keys show too.
    fn any_key(&self, key: &Key, kind: CK_ATTRIBUTE_TYPE) -> Option<Vec<u8>> {
        Some(match kind {
            CKA_KEY_TYPE => number(shown_type(&key.attributes)),
            CKA_START_DATE | CKA_END_DATE => vec![],
            CKA_DERIVE => flag(self.class != CKO_PUBLIC_KEY && key.may(Usage::DERIVE)),
            CKA_LOCAL => flag(key.local),
            CKA_KEY_GEN_MECHANISM => number(generator(key)),
            CKA_ALLOWED_MECHANISMS => allowed_mechanisms(key),
            _ => return public_value(key, kind),
        })
    }
}

/// CKA_PRIVATE of objects of this class, where no template says otherwise.
pub(crate) fn private_by_default(class: CK_OBJECT_CLASS) -> bool {
    matches!(class, CKO_PRIVATE_KEY | CKO_SECRET_KEY)
}

fn generator(key: &Key) -> CK_MECHANISM_TYPE {
    let family = Family::of(key.attributes.key_type).filter(|_| key.local);
    family.and_then(Family::generator).unwrap_or(CK_UNAVAILABLE_INFORMATION)
}

/// The mechanisms that the key's policy permits, as an array of CK_MECHANISM_TYPE.
fn allowed_mechanisms(key: &Key) -> Vec<u8> {
    let (family, policy) = (Family::of(key.attributes.key_type), &key.attributes.policy);
    let allowed = mechanism::all()
        .filter(|mechanism| family.is_some() && mechanism.work.family() == family)
        .filter(|mechanism| mechanism.work.permitted(policy));
    let kinds: BTreeSet<_> = allowed.map(|mechanism| mechanism.kind).collect();
    kinds.into_iter().flat_map(number).collect()
}

/// Whether some mechanism gives back what the key has signed.
fn recovers(key: &Key) -> bool {
    let (family, policy) = (Family::of(key.attributes.key_type), &key.attributes.policy);
    let mut schemes = mechanism::all().filter_map(|mechanism| mechanism.work.recovering());
    schemes.any(|scheme| Some(scheme.family()) == family && scheme.permitted(None, policy))
}

fn public_key(key: &Key, kind: CK_ATTRIBUTE_TYPE) -> Option<Vec<u8>> {
    Some(match kind {
        CKA_SUBJECT => vec![],
        CKA_VERIFY => flag(key.may(Usage::VERIFY)),
        CKA_ENCRYPT => flag(key.may(Usage::ENCRYPT) && !key.encapsulates()),
        CKA_ENCAPSULATE => flag(key.may(Usage::ENCRYPT) && key.encapsulates()),
        CKA_VERIFY_RECOVER => flag(key.may(Usage::VERIFY) && recovers(key)),
        CKA_TRUSTED => flag(false),
        CKA_WRAP => flag(key.may(Usage::WRAP)),
        CKA_MODULUS_BITS if key.attributes.key_type.public() == KeyType::RsaPublicKey => number(key.attributes.bits.into()),
        _ => return None,
    })
}

fn private_key(key: &Key, kind: CK_ATTRIBUTE_TYPE) -> Option<Vec<u8>> {
    Some(match kind {
        CKA_SUBJECT => vec![],
        CKA_SIGN => flag(key.may(Usage::SIGN)),
        CKA_DECRYPT => flag(key.may(Usage::DECRYPT) && !key.encapsulates()),
        CKA_DECAPSULATE => flag(key.may(Usage::DECRYPT) && key.encapsulates()),
        CKA_SIGN_RECOVER => flag(key.may(Usage::SIGN) && recovers(key)),
        CKA_WRAP_WITH_TRUSTED => flag(false),
        CKA_UNWRAP => flag(key.may(Usage::UNWRAP)),
        CKA_ALWAYS_AUTHENTICATE => flag(false),
        _ => return sensitivity(key, kind),
    })
}

fn secret_key(key: &Key, kind: CK_ATTRIBUTE_TYPE) -> Option<Vec<u8>> {
    Some(match kind {
        CKA_SIGN => flag(key.may(Usage::SIGN)),
        CKA_VERIFY => flag(key.may(Usage::VERIFY)),
        CKA_ENCRYPT => flag(key.may(Usage::ENCRYPT)),
        CKA_DECRYPT => flag(key.may(Usage::DECRYPT)),
        CKA_WRAP => flag(key.may(Usage::WRAP)),
        CKA_UNWRAP => flag(key.may(Usage::UNWRAP)),
        CKA_TRUSTED | CKA_WRAP_WITH_TRUSTED => flag(false),
        CKA_VALUE_LEN => number(key.attributes.bits.div_ceil(8).into()),
        _ => return sensitivity(key, kind),
    })
}

/// A policy never changes, so what a key that was made in place is, it has always been.
fn sensitivity(key: &Key, kind: CK_ATTRIBUTE_TYPE) -> Option<Vec<u8>> {
    Some(match kind {
        CKA_SENSITIVE => flag(!key.may(Usage::EXPORT)),
        CKA_EXTRACTABLE => flag(key.may(Usage::EXPORT | Usage::COPY)),
        CKA_ALWAYS_SENSITIVE => flag(key.local && !key.permits(Usage::EXPORT)),
        CKA_NEVER_EXTRACTABLE => flag(key.local && !key.permits(Usage::EXPORT | Usage::COPY)),
        _ => return None,
    })
}

/// The attributes that hold the private value.
fn private_value(kind: CK_ATTRIBUTE_TYPE) -> bool {
    matches!(
        kind,
        CKA_VALUE
            | CKA_SEED
            | CKA_PRIVATE_EXPONENT
            | CKA_PRIME_1
            | CKA_PRIME_2
            | CKA_EXPONENT_1
            | CKA_EXPONENT_2
            | CKA_COEFFICIENT
    )
}

/// The public value of a key.
fn public_value(key: &Key, kind: CK_ATTRIBUTE_TYPE) -> Option<Vec<u8>> {
    let (key_type, bits) = (key.attributes.key_type.public(), key.attributes.bits);
    match (kind, key_type) {
        (CKA_PUBLIC_KEY_INFO, _) if key_type.is_public() => PublicKey { key_type, bits, bytes: key.public.clone() }.to_spki(),
        (CKA_MODULUS, KeyType::RsaPublicKey) => Some(spki::rsa_parts(&key.public)?.0.to_vec()),
        (CKA_PUBLIC_EXPONENT, KeyType::RsaPublicKey) => Some(spki::rsa_parts(&key.public)?.1.to_vec()),
        (CKA_EC_PARAMS, KeyType::EccPublicKey(_)) => Parameters::of(key_type, bits)?.oid.to_der().ok(),
        (CKA_EC_POINT, KeyType::EccPublicKey(_)) => OctetStringRef::new(&key.public).ok()?.to_der().ok(),
        (CKA_PARAMETER_SET, _) => Family::of(key_type)?.parameter_set(bits).map(number),
        (CKA_VALUE, KeyType::MlDsaPublicKey | KeyType::MlKemPublicKey) => Some(key.public.clone()),
        _ => None,
    }
}

fn certificate(der: &[u8], kind: CK_ATTRIBUTE_TYPE) -> Option<Vec<u8>> {
    let field =
        |choose: fn(Certificate<'_>) -> &[u8]| Certificate::parse(der).map(|parsed| choose(parsed).to_vec()).unwrap_or_default();
    Some(match kind {
        CKA_VALUE => der.to_vec(),
        CKA_CERTIFICATE_TYPE => number(CKC_X_509),
        CKA_SUBJECT => field(|parsed| parsed.subject),
        CKA_ISSUER => field(|parsed| parsed.issuer),
        CKA_SERIAL_NUMBER => field(|parsed| parsed.serial),
        CKA_PUBLIC_KEY_INFO => field(|parsed| parsed.public_key),
        CKA_CHECK_VALUE => sha1(der)[..3].to_vec(),
        CKA_TRUSTED => flag(false),
        CKA_CERTIFICATE_CATEGORY => number(CK_CERTIFICATE_CATEGORY_UNSPECIFIED),
        CKA_JAVA_MIDP_SECURITY_DOMAIN => number(CK_SECURITY_DOMAIN_UNSPECIFIED),
        CKA_NAME_HASH_ALGORITHM => number(CKM_SHA_1),
        CKA_START_DATE | CKA_END_DATE | CKA_URL => vec![],
        CKA_HASH_OF_SUBJECT_PUBLIC_KEY | CKA_HASH_OF_ISSUER_PUBLIC_KEY => vec![],
        _ => return None,
    })
}

fn shown_type(attributes: &Attributes) -> CK_KEY_TYPE {
    let hmac = (attributes.key_type == KeyType::Hmac).then(|| mechanism::hmac_key(&attributes.policy));
    hmac.flatten().unwrap_or_else(|| key_type(attributes.key_type))
}

pub(crate) fn key_type(key_type: KeyType) -> CK_KEY_TYPE {
    match key_type.public() {
        KeyType::RsaPublicKey => CKK_RSA,
        KeyType::EccPublicKey(EccFamily::TwistedEdwards) => CKK_EC_EDWARDS,
        KeyType::EccPublicKey(EccFamily::Montgomery) => CKK_EC_MONTGOMERY,
        KeyType::EccPublicKey(_) => CKK_EC,
        KeyType::MlDsaPublicKey => CKK_ML_DSA,
        KeyType::MlKemPublicKey => CKK_ML_KEM,
        KeyType::DhPublicKey(_) => CKK_DH,
        KeyType::Aes => CKK_AES,
        KeyType::Des => CKK_DES3,
        KeyType::Camellia => CKK_CAMELLIA,
        KeyType::Arc4 => CKK_RC4,
        KeyType::ChaCha20 => CKK_CHACHA20,
        _ => CKK_GENERIC_SECRET,
    }
}

fn flag(value: bool) -> Vec<u8> {
    vec![if value { CK_TRUE } else { CK_FALSE }]
}

fn number(value: CK_ULONG) -> Vec<u8> {
    value.to_ne_bytes().to_vec()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use interface::attributes::Policy;
    use interface::policy::Job;

    /// A key pair of this policy, whose public value is made up.
    pub(crate) fn pair(key_type: KeyType, bits: u32, public: &[u8], policy: Policy) -> Record {
        let usage = policy.usage;
        let attributes = Attributes { key_type, bits, policy };
        let record = operations::Record {
            kind: RecordKind::Key.into(),
            uuid: "00112233445566778899aabbccddeeff".into(),
            owner: "uid:7".into(),
            provider_id: 1,
            name: "web".into(),
            label: "Web".into(),
            id: vec![1],
            attributes: Some((&attributes).into()),
            public_key: public.to_vec(),
            usage: Some(usage.into()),
            ..Default::default()
        };
        record.try_into().unwrap()
    }

    fn web() -> Record {
        let key_type = KeyType::EccKeyPair(EccFamily::SecpR1);
        pair(key_type, 256, &[4; 65], Job::Sign.policy(key_type).unwrap())
    }

    fn value(object: &Object, kind: CK_ATTRIBUTE_TYPE) -> Vec<u8> {
        object.attribute(kind).unwrap().to_vec()
    }

    #[test]
    fn a_pair_is_two_objects_with_one_id() {
        let mut objects = Objects::default();
        let learned = objects.learn(web());
        let [(private, first), (public, second)] = &learned[..] else { panic!("two objects") };
        assert_ne!(private, public);
        assert_eq!(value(first, CKA_CLASS), number(CKO_PRIVATE_KEY));
        assert_eq!(value(second, CKA_CLASS), number(CKO_PUBLIC_KEY));
        for kind in [CKA_ID, CKA_LABEL, CKA_KEY_TYPE, CKA_EC_PARAMS, CKA_EC_POINT] {
            assert_eq!(value(first, kind), value(second, kind));
        }
        assert_ne!(value(first, CKA_UNIQUE_ID), value(second, CKA_UNIQUE_ID));
        assert_eq!(value(first, CKA_EC_PARAMS)[..2], [0x06, 0x08]);
        assert_eq!(value(first, CKA_EC_POINT)[..3], [0x04, 0x41, 0x04]);
        assert_eq!(value(second, CKA_PUBLIC_KEY_INFO).len(), 91);
        assert!(matches!(first.attribute(CKA_VALUE), Err(Error::AttributeSensitive)));
        assert!(matches!(first.attribute(CKA_MODULUS), Err(Error::AttributeTypeInvalid)));
    }

    #[test]
    fn handles_stay_until_forgotten_and_never_come_back() {
        let mut objects = Objects::default();
        let first = objects.learn(web())[0].0;
        assert_eq!(objects.learn(web().with(Some("new".into()), None))[0].0, first);
        assert_eq!(value(&objects.find(first).unwrap(), CKA_LABEL), b"new");
        objects.forget(first);
        assert!(objects.find(first).is_none());
        assert_ne!(objects.learn(web())[0].0, first);
    }

    #[test]
    fn a_template_matches_by_every_attribute() {
        let mut objects = Objects::default();
        let private = objects.learn(web())[0].1.clone();
        let class = number(CKO_PRIVATE_KEY);
        let ecdsa = [number(CKM_ECDSA)].concat();
        assert!(private.matches(&Template::from([])));
        let both = [(CKA_CLASS, &class[..]), (CKA_LABEL, b"Web")];
        assert!(private.matches(&Template::from(both)));
        for wrong in [(CKA_LABEL, &b"web"[..]), (CKA_SIGN, &[0]), (CKA_VALUE, &[1]), (0x1234, b"")] {
            assert!(!private.matches(&Template::from([wrong])));
        }
        let allowed = value(&private, CKA_ALLOWED_MECHANISMS);
        assert!(allowed.chunks(8).any(|kind| kind == ecdsa));
        assert!(!allowed.chunks(8).any(|kind| kind == number(CKM_RSA_PKCS)));
    }
}
