//! A key or an object in memory, and the terms by which a search finds it.

use crate::auth::Principal;
use crate::client_process::ClientProcess;
use crate::error::Error;
use crate::key::{Key, Life, Meta};
use interface::certificate::Certificate;
use interface::message::Pkcs11Attribute;
use interface::operations::{Record, RecordKind};
use std::sync::Arc;

/// A key or an object.
#[derive(Clone, Debug)]
pub(super) enum Entry {
    Key(Arc<Key>),
    Object(Arc<Object>),
}

impl Entry {
    pub(super) fn meta(&self) -> &Meta {
        match self {
            Self::Key(key) => &key.meta,
            Self::Object(object) => &object.meta,
        }
    }

    pub(super) fn key(&self) -> Option<&Arc<Key>> {
        match self {
            Self::Key(key) => Some(key),
            Self::Object(_) => None,
        }
    }

    pub(super) fn kind(&self) -> RecordKind {
        match self {
            Self::Key(_) => RecordKind::Key,
            Self::Object(object) => object.kind,
        }
    }

    pub(super) fn record(&self, caller: &Principal) -> Record {
        match self {
            Self::Key(key) => key.record(caller),
            Self::Object(object) => object.record(caller),
        }
    }

    /// The bytes of its value, which is not in memory but in the database.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Key(_) => 0,
            Self::Object(object) => object.size,
        }
    }

    pub(super) fn volatile(&self) -> bool {
        matches!(self, Self::Key(key) if key.volatile())
    }

    /// Whether it is found by this.
    pub(super) fn has(&self, term: Term<'_>) -> bool {
        match term {
            Term::Public(id) => self.public_id().as_deref() == Some(id),
            term => self.told().any(|own| own == term),
        }
    }

    /// Does this with each term.
    pub(super) fn terms(&self, mut each: impl FnMut(Term<'_>)) {
        self.told().for_each(&mut each);
        if let Some(id) = self.public_id() {
            each(Term::Public(&id));
        }
    }

    /// All terms except that of its public value. A search finds no volatile key, so such a key has none of the terms of a search.
    fn told(&self) -> impl Iterator<Item = Term<'_>> {
        let meta = self.meta();
        let (process, fields) = match self {
            Self::Key(key) => match key.life {
                Life::Volatile { process, .. } => (Some(process), None),
                Life::Stored => (None, None),
            },
            Self::Object(object) => (None, Some(object.fields())),
        };
        let stored = [Term::Owner(&meta.owner), Term::Name(&meta.name), Term::Label(&meta.label), Term::Id(&meta.id)];
        let stored = stored.into_iter().chain(meta.pkcs11.iter().map(Term::kept)).chain(fields.into_iter().flatten());
        let stored = process.is_none().then_some(stored);
        process.map(Term::Process).into_iter().chain(stored.into_iter().flatten())
    }

    fn public_id(&self) -> Option<Vec<u8>> {
        match self {
            Self::Key(key) if key.volatile() => None,
            Self::Key(key) => key.public_id(),
            Self::Object(object) => object.public_id.clone(),
        }
    }
}

/// A term by which a search finds an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Term<'a> {
    Owner(&'a Principal),
    Name(&'a str),
    Label(&'a str),
    Id(&'a [u8]),
    /// An attribute of PKCS#11: its kind and value.
    Kept(u64, &'a [u8]),
    /// SHA-1 of a public value.
    Public(&'a [u8]),
    /// Of volatile keys: the process.
    Process(ClientProcess),
}

impl<'a> Term<'a> {
    /// The term of an attribute, in whichever part of its record it is.
    pub(super) fn kept(attribute: &'a Pkcs11Attribute) -> Self {
        Self::Kept(attribute.kind & u64::from(u32::MAX), &attribute.value)
    }
}

/// A certificate or data object.
#[derive(Clone, Debug)]
pub(super) struct Object {
    pub(super) meta: Meta,
    pub(super) kind: RecordKind,
    /// Bytes of the value.
    pub(super) size: usize,
    pub(super) digest: [u8; 32],
    /// Fields of a certificate. A search finds them like kept attributes.
    fields: Box<[Pkcs11Attribute]>,
    /// SHA-1 of a certificate's public value.
    pub(super) public_id: Option<Vec<u8>>,
}

/// PKCS#11 `CKA_SUBJECT`, `CKA_ISSUER` and `CKA_SERIAL_NUMBER`.
const SUBJECT: u64 = 0x101;
const ISSUER: u64 = 0x81;
const SERIAL: u64 = 0x82;

impl Object {
    pub(super) fn new(meta: Meta, kind: RecordKind, value: &[u8]) -> Self {
        let certificate = (kind == RecordKind::Certificate).then(|| Certificate::parse(value).ok()).flatten();
        let public_id = certificate.as_ref().and_then(Certificate::key_id);
        let fields = certificate.into_iter().flat_map(|parsed| {
            let fields = [(SUBJECT, parsed.subject), (ISSUER, parsed.issuer), (SERIAL, parsed.serial)];
            fields.map(|(kind, value)| Pkcs11Attribute { kind, value: value.to_vec() })
        });
        Self { meta, kind, size: value.len(), digest: lc::sha256(value), fields: fields.collect(), public_id }
    }

    pub(super) fn fields(&self) -> impl Iterator<Item = Term<'_>> {
        self.fields.iter().map(Term::kept)
    }

    /// All but the value.
    pub(super) fn record(&self, caller: &Principal) -> Record {
        self.meta.record(self.kind, caller)
    }

    pub(super) fn damaged(&self) -> Error {
        let Meta { uuid, owner, name, .. } = &self.meta;
        Error::Corrupt(format!(
            "the stored value of '{name}' of {owner} ({uuid}) is not what was written; it is kept as it is, restore the store from a backup"
        ))
    }
}
