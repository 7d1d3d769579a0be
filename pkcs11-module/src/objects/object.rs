//! The service's records, seen as PKCS#11 objects. A key pair is two objects, private and public. The record's label and id are
//! those of the private one, and also of the public one unless it has its own. [`Object::attribute`] computes every attribute that
//! can be read, searched or checked.
//!
//! Session objects are such records too. The service has a session key as a volatile key. A certificate or data that is a session
//! object exists only here.

mod agree;
mod key;
mod value;

use std::sync::Arc;

use cryptoki_sys::*;
use interface::attributes::{Attributes, KeyType, Usage};
use interface::group::Group;
use interface::message::Pkcs11Attribute;
use interface::operations::{self, RecordKind, SetMetadata};
use interface::{Filing, ProviderId, Status, vendor};
use zeroize::Zeroizing;

pub(crate) use self::key::KeyObject;
use crate::error::{Error, Result};
use crate::ffi::Template;
use crate::mechanism::{Family, secret::SecretType};
use crate::objects::attributes::{self, Attribute, Source, flag, number};
use crate::objects::material;
use value::{any_key, certificate, domain, history, nameless, public_key, recovers, secret_key};

/// Ends the CKA_UNIQUE_ID of the public half of a pair.
const PUBLIC: &str = "-public";
/// Marks, in what the service keeps with a key pair, an attribute of its public half.
const PUBLIC_HALF: u64 = 1 << 32;
/// What the halves of a pair are found by; a public half may have its own.
pub(crate) const NAMES: [CK_ATTRIBUTE_TYPE; 2] = [CKA_LABEL, CKA_ID];
/// Kept with a pair that shows no public half.
const WITHOUT_PUBLIC_HALF: u64 = PUBLIC_HALF | CKA_TOKEN;
/// Kept with a key: what tells the request that made it from all others.
const REQUEST: u64 = 1 << 33;

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
    pub(crate) label: String,
    pub(crate) id: Vec<u8>,
    kept: Vec<Pkcs11Attribute>,
    /// Of session objects.
    pub(crate) session: Option<InSession>,
    /// Of session objects that are copies of keys of the token.
    pub(crate) original: Option<Original>,
    content: Content,
}

/// A key of the token that there is a copy of in a session.
#[derive(Clone)]
pub(crate) struct Original {
    pub(crate) name: String,
    pub(crate) uuid: String,
}

#[derive(Clone)]
enum Content {
    Key(KeyObject),
    Certificate(Vec<u8>),
    Data(Zeroizing<Vec<u8>>),
    Profile(CK_PROFILE_ID),
    UnnamedCurve(UnnamedCurveKey),
    Group(Group),
}

/// A public key on a curve that has no name here. It can be read, and no mechanism works with it.
#[derive(Clone)]
pub(crate) struct UnnamedCurveKey {
    /// CKA_EC_PARAMS: the domain parameters (ANSI X9.62 ECParameters).
    pub(crate) params: Vec<u8>,
    /// CKA_EC_POINT, as it was given.
    pub(crate) point: Vec<u8>,
}

/// How the points of Edwards and Montgomery curves read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Points {
    /// In an OCTET STRING, as those of other curves (PKCS#11 v3.0 §2.3.5: the DER encoding).
    Wrapped,
    /// As they are (PKCS#11 v3.1 §6.3.5 and §6.3.7).
    Bare,
}

/// What a session object ends with.
#[derive(Clone, Copy)]
pub(crate) struct InSession {
    pub(crate) session: CK_SESSION_HANDLE,
    /// The process that made it; a child's handle after a fork is a loan.
    pub(crate) process: u64,
}

impl TryFrom<operations::Record> for Record {
    type Error = Status;

    fn try_from(record: operations::Record) -> Result<Self, Status> {
        let kind = RecordKind::try_from(record.kind)?;
        let content = match kind {
            RecordKind::Key => Content::Key(KeyObject {
                provider: ProviderId::try_from(record.provider_id)?,
                name: record.name.clone(),
                owner: record.owner,
                attributes: record.attributes.as_ref().ok_or(Status::InvalidEncoding)?.try_into()?,
                usage: record.usage.as_ref().map(Usage::from).unwrap_or_default().implied(),
                // An upstream service does not tell; there, policies do not change.
                past: record.past.as_ref().or(record.usage.as_ref()).map(Usage::from).unwrap_or_default(),
                local: record.local,
                fresh_nonces: record.fresh_nonces,
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
        Ok(Self {
            kind,
            slot: record.provider_id.into(),
            uuid,
            name: record.name,
            label: record.label,
            id: record.id,
            kept: record.pkcs11,
            session: None,
            original: None,
            content,
        })
    }
}

impl Record {
    /// Says what the module can do.
    pub(crate) fn profile(slot: CK_SLOT_ID, id: CK_PROFILE_ID) -> Self {
        Self::here(slot, format!("{slot}-profile-{id}"), Filing::default(), Content::Profile(id))
    }

    /// A public key that the service knows nothing of.
    pub(crate) fn nameless(slot: CK_SLOT_ID, uuid: String, filing: Filing, key: UnnamedCurveKey) -> Self {
        Self::here(slot, uuid, filing, Content::UnnamedCurve(key))
    }

    /// A key before it is made, whose public value is this as far as it is known.
    pub(crate) fn asked(provider: ProviderId, attributes: Attributes, public: Vec<u8>) -> Self {
        let key = KeyObject {
            provider,
            name: String::new(),
            owner: String::new(),
            attributes,
            usage: Usage::NONE,
            past: Usage::NONE,
            local: true,
            fresh_nonces: false,
            public,
        };
        Self::here(provider.number().into(), String::new(), Filing::default(), Content::Key(key))
    }

    /// A group for keys, which the service knows nothing of.
    pub(crate) fn group(slot: CK_SLOT_ID, uuid: String, filing: Filing, group: Group) -> Self {
        Self::here(slot, uuid, filing, Content::Group(group))
    }

    fn here(slot: CK_SLOT_ID, uuid: String, filing: Filing, content: Content) -> Self {
        Self {
            kind: RecordKind::Data,
            slot,
            uuid,
            name: filing.name,
            label: filing.label.unwrap_or_default(),
            id: filing.id.unwrap_or_default(),
            kept: filing.pkcs11,
            session: None,
            original: None,
            content,
        }
    }

    /// The record as an object of this session.
    pub(crate) fn in_session(self, session: Option<InSession>) -> Self {
        Self { session, ..self }
    }

    /// The record as one of a copy of that, which is on the token or a copy of a key there.
    pub(crate) fn copy_of(self, copied: &Self) -> Self {
        let original = match copied.session {
            None => Some(Original { name: copied.name.clone(), uuid: copied.uuid.clone() }),
            Some(_) => copied.original.clone(),
        };
        Self { original, ..self }
    }

    pub(crate) fn is_copy_of(&self, original: &Self) -> bool {
        self.original.as_ref().is_some_and(|own| own.uuid == original.uuid)
    }

    /// What the service files it under.
    pub(crate) fn filing(&self) -> Filing {
        let (name, label, id) = (self.name.clone(), Some(self.label.clone()), Some(self.id.clone()));
        Filing { name, label, id, volatile: self.session.is_some(), pkcs11: self.kept.clone() }
    }

    /// The record as it is after a change.
    pub(crate) fn with(&self, change: SetMetadata) -> Self {
        let mut record = self.clone();
        record.label = change.label.unwrap_or(record.label);
        record.id = change.id.unwrap_or(record.id);
        record.kept.retain(|have| change.pkcs11.iter().all(|new| new.kind != have.kind));
        record.kept.extend(change.pkcs11);
        match (&mut record.content, change.usage, change.value) {
            (Content::Key(key), Some(usage), _) => {
                let usage = Usage::from(&usage);
                key.attributes.policy.usage = key.attributes.policy.usage.and(usage);
                key.usage = key.usage.and(usage.implied());
            }
            (Content::Data(data), _, Some(value)) => *data = Zeroizing::new(value),
            _ => {}
        }
        record
    }

    /// The classes of the objects that the record shows as.
    pub(crate) fn classes(&self) -> &'static [CK_OBJECT_CLASS] {
        match &self.content {
            Content::Key(_) if self.kept(WITHOUT_PUBLIC_HALF).is_some() => &[CKO_PRIVATE_KEY],
            Content::Key(key) => classes(key.attributes.key_type),
            Content::Certificate(_) => &[CKO_CERTIFICATE],
            Content::Data(_) => &[CKO_DATA],
            Content::Profile(_) => &[CKO_PROFILE],
            Content::UnnamedCurve(_) => &[CKO_PUBLIC_KEY],
            Content::Group(_) => &[CKO_DOMAIN_PARAMETERS],
        }
    }

    pub(crate) fn key(&self) -> Option<&KeyObject> {
        match &self.content {
            Content::Key(key) => Some(key),
            _ => None,
        }
    }

    /// A change of nothing.
    pub(crate) fn change(&self) -> SetMetadata {
        SetMetadata { kind: self.kind.into(), name: self.name.clone(), ..SetMetadata::default() }
    }

    fn kept(&self, kind: u64) -> Option<&[u8]> {
        self.kept.iter().find(|kept| kept.kind == kind).map(|kept| kept.value.as_slice())
    }
}

/// The UUID of the record that an object with this CKA_UNIQUE_ID shows.
pub(crate) fn uuid(unique: &str) -> &str {
    unique.strip_suffix(PUBLIC).unwrap_or(unique)
}

/// The classes of the objects that a key of this type shows as.
pub(crate) fn classes(key_type: KeyType) -> &'static [CK_OBJECT_CLASS] {
    match (key_type.is_pair(), key_type.is_public()) {
        (true, _) => &[CKO_PRIVATE_KEY, CKO_PUBLIC_KEY],
        (_, true) => &[CKO_PUBLIC_KEY],
        _ => &[CKO_SECRET_KEY],
    }
}

/// What the service is to keep of the templates of a pair, or (without a public one) of any other object.
pub(crate) fn kept(class: CK_OBJECT_CLASS, template: &Template, public: Option<&Template>) -> Vec<Pkcs11Attribute> {
    let own = attributes::kept(class, template).map(|(kind, value)| keep(kind, value));
    let half = public.into_iter().flat_map(|public| attributes::kept(CKO_PUBLIC_KEY, public));
    let named = public.into_iter().flat_map(|public| NAMES.iter().filter_map(|&kind| Some((kind, public.value(kind)?))));
    let apart = named.filter(|(kind, value)| template.value(*kind).is_some_and(|own| own != *value));
    own.chain(half.chain(apart).map(|(kind, value)| keep(PUBLIC_HALF | kind, value))).collect()
}

/// What the service is to keep with a pair that shows no public half.
pub(crate) fn without_public_half() -> Pkcs11Attribute {
    keep(WITHOUT_PUBLIC_HALF, &flag(false))
}

/// What the service is to keep with an object of a class that is private by default and that anybody sees all the same.
pub(crate) fn public_object() -> Pkcs11Attribute {
    keep(CKA_PRIVATE, &flag(false))
}

/// What the service is to keep with a key, so that the request that made it is known from all others.
pub(crate) fn made_by(request: &[u8; 16]) -> Pkcs11Attribute {
    keep(REQUEST, request)
}

fn keep(kind: u64, value: &[u8]) -> Pkcs11Attribute {
    Pkcs11Attribute { kind, value: value.to_vec() }
}

impl Object {
    pub(crate) fn key(&self) -> Option<&KeyObject> {
        self.record.key()
    }

    /// It is the public half of a key pair.
    pub(crate) fn is_view(&self) -> bool {
        self.class == CKO_PUBLIC_KEY && self.record.classes().len() > 1
    }

    /// Whether only the user sees it (CKA_PRIVATE).
    pub(crate) fn private(&self) -> bool {
        self.is(CKA_PRIVATE)
    }

    /// Whether the user's PIN is wanted for each use (CKA_ALWAYS_AUTHENTICATE).
    pub(crate) fn always_authenticate(&self) -> bool {
        self.is(CKA_ALWAYS_AUTHENTICATE)
    }

    /// Whether the template left this mechanism to the key: all of them, where it named none (CKA_ALLOWED_MECHANISMS).
    pub(crate) fn allows(&self, mechanism: CK_MECHANISM_TYPE) -> bool {
        let list = self.given(CKA_ALLOWED_MECHANISMS);
        list.is_none_or(|list| list.chunks(size_of::<CK_MECHANISM_TYPE>()).any(|kind| *kind == mechanism.to_ne_bytes()))
    }

    /// What the service keeps for this object under this kind.
    fn given(&self, kind: CK_ATTRIBUTE_TYPE) -> Option<&[u8]> {
        self.record.kept(if self.is_view() { PUBLIC_HALF | kind } else { kind })
    }

    /// Whether a use is left that the policy permits and a mechanism has.
    pub(crate) fn leaves(&self, kind: CK_ATTRIBUTE_TYPE) -> bool {
        self.given(kind) != Some(&[CK_FALSE])
    }

    /// Whether a flag is set.
    pub(crate) fn is(&self, kind: CK_ATTRIBUTE_TYPE) -> bool {
        let source = attributes::find(self.class, kind).map(|attribute| attribute.source);
        let known = source.ok().and_then(|source| self.flag(source, kind));
        known.unwrap_or_else(|| self.attribute(kind).is_ok_and(|value| *value == flag(true)))
    }

    /// The value of a flag that the policy or the template says: each use of a key asks for some.
    fn flag(&self, source: Source, kind: CK_ATTRIBUTE_TYPE) -> Option<bool> {
        let given = || self.given(kind).map(|value| value == [CK_TRUE]);
        match (source, &self.record.content) {
            (Source::Kept(default), _) => default.flag(self.class).map(|default| given().unwrap_or(default)),
            (Source::Policy(usage), Content::Key(key)) => Some(self.shows_use(key, kind, usage)),
            (Source::Policy(_), Content::UnnamedCurve(_)) => Some(false),
            (Source::Forbidden(usage), Content::Key(key)) => Some(given().unwrap_or_else(|| !key.may(usage))),
            _ => None,
        }
    }

    /// Whether a use remains that its template asked for and that is the same to a policy as this one.
    pub(crate) fn keeps_twin(&self, attribute: &Attribute) -> bool {
        let twin = |other: &&Attribute| other.kind != attribute.kind && other.source == attribute.source;
        attributes::all(self.class).filter(twin).any(|twin| self.given(twin.kind) == Some(&flag(true)) && self.is(twin.kind))
    }

    /// What the service is to keep for this object under this kind.
    pub(crate) fn keep(&self, kind: CK_ATTRIBUTE_TYPE, value: &[u8]) -> Pkcs11Attribute {
        keep(if self.is_view() { PUBLIC_HALF | kind } else { kind }, value)
    }

    /// What the service is to keep where this half of a pair gets another label or id, so that the other half has what it had.
    pub(crate) fn pin_other(&self, kind: CK_ATTRIBUTE_TYPE) -> Option<Pkcs11Attribute> {
        let public = self.record.classes().iter().find(|class| **class == CKO_PUBLIC_KEY && self.class == CKO_PRIVATE_KEY)?;
        let other = Self { class: *public, record: Arc::clone(&self.record) };
        other.given(kind).is_none().then(|| other.attribute(kind).ok().map(|value| other.keep(kind, &value)))?
    }

    /// The label.
    pub(crate) fn label(&self) -> String {
        let label = self.attribute(CKA_LABEL).unwrap_or_default();
        String::from_utf8_lossy(&label).into_owned()
    }

    /// All that is kept for this object, as one that is no half of a pair has it.
    pub(crate) fn all_kept(&self) -> Vec<Pkcs11Attribute> {
        let half = if self.is_view() { PUBLIC_HALF } else { 0 };
        let none =
            [WITHOUT_PUBLIC_HALF, REQUEST, vendor::FORMER_NAME, vendor::SUCCEEDS, PUBLIC_HALF | CKA_LABEL, PUBLIC_HALF | CKA_ID];
        let own = |kind| kind & PUBLIC_HALF == half && !none.contains(&kind);
        let own = self.record.kept.iter().filter(|kept| own(kept.kind));
        own.map(|kept| keep(kept.kind & !PUBLIC_HALF, &kept.value)).collect()
    }

    /// Of a certificate or data: the value.
    pub(crate) fn value(&self) -> Option<&[u8]> {
        match &self.record.content {
            Content::Certificate(value) => Some(value),
            Content::Data(value) => Some(value),
            Content::Key(_) | Content::Profile(_) | Content::UnnamedCurve(_) | Content::Group(_) => None,
        }
    }

    /// Whether every attribute of a search template has this value here. What an object does not have, or does not
    /// show, does not match.
    pub(crate) fn matches(&self, template: &Template) -> bool {
        let point = |value| self.key().is_some_and(|key| key.has_point(value));
        let matches = |kind, value: &[u8]| self.attribute(kind).is_ok_and(|have| have.as_slice() == value);
        template.iter().all(|(kind, value)| matches(kind, value) || kind == CKA_EC_POINT && point(value))
    }

    /// As [`Self::attribute`], with points in the form that the caller reads.
    pub(crate) fn attribute_for(&self, kind: CK_ATTRIBUTE_TYPE, points: Points) -> Result<Zeroizing<Vec<u8>>> {
        let bare = |key: &&KeyObject| points == Points::Bare && key.curve().is_some_and(|curve| !curve.weierstrass());
        match self.key().filter(bare) {
            Some(key) if kind == CKA_EC_POINT => Ok(Zeroizing::new(key.public.clone())),
            _ => self.attribute(kind),
        }
    }

    /// The value of an attribute, in the encoding of the standard.
    pub(crate) fn attribute(&self, kind: CK_ATTRIBUTE_TYPE) -> Result<Zeroizing<Vec<u8>>> {
        let kept = || self.given(kind).map(<[u8]>::to_vec);
        let source = attributes::find(self.class, kind)?.source;
        if let Some(set) = self.flag(source, kind) {
            return Ok(Zeroizing::new(flag(set)));
        }
        let value = match (source, &self.record.content) {
            (Source::Kept(default), _) => Some(kept().unwrap_or_else(|| default.value(self.class))),
            // kept of keys that are not sensitive, or were not once
            _ if kind == CKA_ALWAYS_SENSITIVE && self.given(CKA_SENSITIVE).is_some() => Some(flag(false)),
            (source, content) => match kept().filter(|_| source == Source::Given).or_else(|| self.storage(kind)) {
                None => self.content(content, kind)?,
                value => value,
            },
        };
        value.map(Zeroizing::new).ok_or(Error::AttributeTypeInvalid)
    }

    /// Whether a use shows. Programs ask for uses that no mechanism has for a key of this type: these come back as they were asked for.
    fn shows_use(&self, key: &KeyObject, kind: CK_ATTRIBUTE_TYPE, usage: Usage) -> bool {
        let asked = self.given(kind).map(|value| value == [CK_TRUE]);
        match asked {
            Some(asked) if !key.suits(kind) => asked,
            Some(false) => false,
            _ if matches!(kind, CKA_SIGN_RECOVER | CKA_VERIFY_RECOVER) => key.may(usage) && recovers(key),
            _ => key.may(usage) && key.suits(kind),
        }
    }

    /// What every object has (PKCS#11 §4.4).
    fn storage(&self, kind: CK_ATTRIBUTE_TYPE) -> Option<Vec<u8>> {
        let record = &self.record;
        Some(match kind {
            CKA_CLASS => number(self.class),
            CKA_TOKEN => flag(record.session.is_none()),
            CKA_LABEL | CKA_ID if self.given(kind).is_some() => self.given(kind)?.to_vec(),
            CKA_LABEL => record.label.clone().into_bytes(),
            CKA_UNIQUE_ID if self.is_view() => format!("{}{PUBLIC}", record.uuid).into_bytes(),
            CKA_UNIQUE_ID => record.uuid.clone().into_bytes(),
            CKA_ID => record.id.clone(),
            _ => return None,
        })
    }

    fn content(&self, content: &Content, kind: CK_ATTRIBUTE_TYPE) -> Result<Option<Vec<u8>>> {
        Ok(match content {
            Content::Certificate(der) => certificate(der, kind),
            Content::Data(data) => (kind == CKA_VALUE).then(|| data.to_vec()),
            Content::Profile(id) => (kind == CKA_PROFILE_ID).then(|| number(*id)),
            Content::UnnamedCurve(key) => nameless(key, kind),
            Content::Group(group) => domain(group, kind),
            Content::Key(key) => match self.class {
                CKO_PUBLIC_KEY => any_key(key, kind).or_else(|| public_key(key, kind)),
                _ if material::private(key_type(key.attributes.key_type), kind) => return Err(Error::AttributeSensitive),
                CKO_PRIVATE_KEY => any_key(key, kind).or_else(|| history(key, kind)),
                _ => any_key(key, kind).or_else(|| secret_key(key, kind)),
            },
        })
    }
}

pub(crate) fn key_type(key_type: KeyType) -> CK_KEY_TYPE {
    match key_type.public() {
        KeyType::DhPublicKey(_) => CKK_DH,
        KeyType::Camellia => CKK_CAMELLIA,
        KeyType::Arc4 => CKK_RC4,
        other => Family::of(other).map_or(CKK_GENERIC_SECRET, Family::kind),
    }
}

/// Whether some keys of this type are of that CKA_KEY_TYPE, which may be for one size or one use only.
pub(crate) fn may_be(own: KeyType, kind: CK_KEY_TYPE) -> bool {
    key_type(own) == kind || SecretType::named(kind).is_some_and(|secret| secret.family.key_type() == own)
}

#[cfg(test)]
pub(crate) mod tests;
