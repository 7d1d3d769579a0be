//! `parsec:` URIs: one key by its name, or all that the caller may see.

use std::{collections::VecDeque, ffi::CStr, ffi::c_int, sync::Arc};

use interface::{
    Status, client,
    operations::{Record, RecordKind},
    reference::KeyUri,
};

use crate::{
    error::Error,
    ffi::{
        core::Core,
        params::{Params, Setting, Type, Value, settable, setting},
        *,
    },
    key::Loadable,
    kinds::KEYS,
    provider::{self, Provider},
};

/// What a store gives to OpenSSL.
pub(crate) enum Entry {
    Key(Box<dyn Loadable>),
    /// DER.
    Certificate(Vec<u8>),
}

/// An open URI.
pub(crate) struct Store {
    provider: Arc<Provider>,
    uri: KeyUri,
    /// The one kind of object that is wanted, as OSSL_STORE_INFO_*; zero for all.
    expect: i64,
    /// What is still to be given; the service is asked when the first one is.
    entries: Option<VecDeque<Entry>>,
}

static SETTINGS: [Setting<Store>; 2] = [
    setting(OSSL_STORE_PARAM_EXPECT, Type::Int, |store, given| {
        let bad = || Error::Parameter("what is expected of the store is not a number".to_owned());
        store.expect = given.int().ok_or_else(bad)?;
        Ok(())
    }),
    // which provider's algorithms to use with the objects: the core sees to it
    setting(OSSL_STORE_PARAM_PROPERTIES, Type::Text, |_, _| Ok(())),
];
pub(crate) static SETTABLE: [Param; 3] = settable(&SETTINGS);

impl Object for Store {
    fn core(&self) -> Core {
        self.provider.core
    }
}

impl Store {
    pub(crate) fn open(provider: Arc<Provider>, uri: &str) -> Result<Self, Error> {
        let uri = uri.parse().map_err(|why| Error::Reference(format!("{uri}: {why}")))?;
        Ok(Self { provider, uri, expect: 0, entries: None })
    }

    pub(crate) fn set(&mut self, params: Params<'_>) -> Result<(), Error> {
        params.apply(&SETTINGS, self)
    }

    /// Gives the next object; None when there is none left.
    pub(crate) fn next(&mut self) -> Result<Option<Entry>, Error> {
        if self.entries.is_none() {
            // whatever comes, the service is asked once
            self.entries = Some(VecDeque::new());
            self.entries = Some(self.load()?);
        }
        Ok(self.entries.as_mut().and_then(VecDeque::pop_front))
    }

    /// Whether everything was given.
    pub(crate) fn eof(&self) -> bool {
        self.entries.as_ref().is_some_and(VecDeque::is_empty)
    }

    fn load(&self) -> Result<VecDeque<Entry>, Error> {
        let records = if self.uri.name.is_none() { self.provider.list(&self.uri)? } else { self.named()? };
        let entries: VecDeque<_> = records.iter().filter_map(|record| self.entry(record)).collect();
        if entries.is_empty() && !records.is_empty() && self.uri.name.is_some() {
            let why = format!("{} is not of a kind that is asked for and that OpenSSL gets from here", self.uri);
            return Err(Error::Unsupported(why));
        }
        Ok(entries)
    }

    /// The key and the certificate of the name, as far as they are wanted and exist.
    fn named(&self) -> Result<Vec<Record>, Error> {
        let key = (!self.expects(OSSL_STORE_INFO_CERT)).then(|| self.provider.lookup(&self.uri));
        let owner = key.as_ref().and_then(|key| key.as_ref().ok());
        let certificate =
            (self.expect == 0 || self.expects(OSSL_STORE_INFO_CERT)).then(|| self.provider.certificate(&self.uri, owner));
        match (key, certificate) {
            (Some(Ok(key)), Some(Ok(certificate))) => Ok(vec![key, certificate]),
            // a key without a certificate is usual, and an upstream service has none at all
            (Some(Ok(key)), _) => Ok(vec![key]),
            (Some(Err(why)), Some(Ok(certificate))) if absent(&why) => Ok(vec![certificate]),
            (Some(Err(why)), _) => Err(why),
            (None, Some(certificate)) => Ok(vec![certificate?]),
            (None, None) => Ok(Vec::new()),
        }
    }

    fn entry(&self, record: &Record) -> Option<Entry> {
        match RecordKind::try_from(record.kind).ok()? {
            RecordKind::Key => self.key(record),
            RecordKind::Certificate if self.expect == 0 || self.expects(OSSL_STORE_INFO_CERT) => {
                Some(Entry::Certificate(record.value.clone()))
            }
            RecordKind::Certificate | RecordKind::Data => None,
        }
    }

    fn key(&self, record: &Record) -> Option<Entry> {
        let (public, pair) = provider::public(record)?;
        let private = match self.expect {
            0 => pair,
            _ if self.expects(OSSL_STORE_INFO_PKEY) && pair => true,
            _ if self.expects(OSSL_STORE_INFO_PUBKEY) => false,
            _ => return None,
        };
        let uri = private.then(|| provider::uri(record));
        KEYS.iter().find_map(|make| make(&self.provider, &public, &uri)).map(Entry::Key)
    }

    fn expects(&self, info: c_int) -> bool {
        self.expect == i64::from(info)
    }
}

/// The description of a certificate.
pub(crate) fn certificate(der: Vec<u8>) -> Vec<(&'static CStr, Value<'static>)> {
    vec![(OSSL_OBJECT_PARAM_TYPE, Value::Int(OSSL_OBJECT_CERT.into())), (OSSL_OBJECT_PARAM_DATA, Value::Bytes(der))]
}

fn absent(why: &Error) -> bool {
    matches!(why, Error::Refused(client::Error::Refused { status: Status::PsaErrorDoesNotExist, .. }))
}
