//! One loaded provider: the core that loaded it, and its way to the service.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU8, Ordering},
};

use interface::{
    Operation, ProviderId,
    algorithm::{Agreement, Algorithm, Encryption, Signature},
    attributes::Attributes,
    client::{self, Caller, CipherInputs, Client, KeyRef},
    operations::{CopyKey, DestroyKey, Find, GenerateKey, ImportKey, LookupKey, LookupObject, Record, RecordKind},
    pss::Pss,
    reference::KeyUri,
    spki::PublicKey,
};

use crate::{
    error::Error,
    ffi::{
        core::Core,
        params::{Field, Type, Value, field},
        *,
    },
    kind::{Public, Secret},
    settings,
};

/// The package's version as a C string.
const VERSION: &std::ffi::CStr = match std::ffi::CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
    Ok(version) => version,
    Err(_) => c"",
};

/// What `openssl list -providers` shows.
pub(crate) static FIELDS: [Field<()>; 4] = [
    field(OSSL_PROV_PARAM_NAME, Type::Text, |()| Some(Value::Text(c"Parsec provider"))),
    field(OSSL_PROV_PARAM_VERSION, Type::Text, |()| Some(Value::Text(VERSION))),
    field(OSSL_PROV_PARAM_BUILDINFO, Type::Text, |()| Some(Value::Text(VERSION))),
    field(OSSL_PROV_PARAM_STATUS, Type::Int, |()| Some(Value::Int(1))),
];

pub(crate) struct Provider {
    pub(crate) core: Core,
    /// An error in the configuration comes up when a key is used, not when the library is loaded.
    client: Result<Client, String>,
    /// What is misspelt in the configuration, once that was looked for.
    misspelt: OnceLock<Option<String>>,
    /// The number of the service's default provider once it is known; the core's, zero, before.
    default: AtomicU8,
}

impl Object for Arc<Provider> {
    fn core(&self) -> Core {
        self.core
    }
}

impl Caller for Provider {
    type Error = Error;

    fn call<O: Operation>(&self, provider: ProviderId, op: &O) -> Result<O::Output, Error> {
        self.ask(|client| client.call(provider, op))
    }
}

impl Provider {
    pub(crate) fn new(core: Core) -> Self {
        // now: before the process clears its environment, drops its privileges or changes its root
        let client = settings::client(&core);
        Self { core, client, misspelt: OnceLock::new(), default: AtomicU8::new(ProviderId::CORE.number()) }
    }

    /// A signature in one request: of a digest, or of a message where the scheme signs that.
    pub(crate) fn sign(&self, key: &KeyUri, algorithm: Signature, input: &[u8], context: &[u8]) -> Result<Vec<u8>, Error> {
        self.reference(key)?.sign(self, algorithm.into(), input.to_vec(), context.to_vec())
    }

    /// What a ciphertext holds, in one request. `label` is OAEP's.
    pub(crate) fn decrypt(&self, key: &KeyUri, algorithm: Encryption, ciphertext: &[u8], label: &[u8]) -> Result<Secret, Error> {
        let beside = CipherInputs { additional: label, ..CipherInputs::default() };
        self.reference(key)?.decrypt(self, algorithm.into(), beside, ciphertext)
    }

    /// The secret that a key shares with a peer, in one request.
    pub(crate) fn agree(&self, key: &KeyUri, peer: &[u8]) -> Result<Secret, Error> {
        self.reference(key)?.agree(self, Agreement::Ecdh, peer.to_vec())
    }

    /// Whether a key may be used so.
    pub(crate) fn permits(&self, key: &KeyUri, algorithm: Algorithm) -> Result<bool, Error> {
        let record = self.lookup(key)?;
        let attributes = record.attributes.as_ref().map(Attributes::try_from);
        Ok(matches!(attributes, Some(Ok(attributes)) if attributes.policy.permits(algorithm)))
    }

    /// Makes a key of this name.
    pub(crate) fn generate(&self, key: &KeyUri, attributes: &Attributes, volatile: bool) -> Result<(), Error> {
        let attributes = Some(attributes.into());
        let generate = GenerateKey { key_name: name(key)?.to_owned(), attributes, volatile, ..GenerateKey::default() };
        self.call(self.crypto_provider(key)?, &generate).map(drop)
    }

    /// Gives the service a key that was made here, as a volatile one.
    pub(crate) fn import(&self, key: &KeyUri, attributes: &Attributes, secret: &Secret) -> Result<(), Error> {
        let (attributes, data) = (Some(attributes.into()), secret.to_vec());
        let (key_name, label, id, pkcs11) = (name(key)?.to_owned(), None, None, Vec::new());
        self.call(self.crypto_provider(key)?, &ImportKey { key_name, attributes, data, label, id, volatile: true, pkcs11 })
            .map(drop)
    }

    /// Stores a second key of this one, which may do the same.
    pub(crate) fn copy(&self, of: &Record, key: &KeyUri) -> Result<(), Error> {
        let (key_name, attributes, of) = (name(key)?.to_owned(), of.attributes.clone(), of.name.clone());
        self.call(self.crypto_provider(key)?, &CopyKey { key_name, attributes, of, ..CopyKey::default() }).map(drop)
    }

    /// Destroys a key of the caller.
    pub(crate) fn destroy(&self, key: &KeyUri) -> Result<(), Error> {
        self.call(self.crypto_provider(key)?, &DestroyKey { key_name: name(key)?.to_owned(), owner: None }).map(drop)
    }

    /// What the service knows of one key. An upstream service does not know the question.
    pub(crate) fn lookup_record(&self, key: &KeyUri) -> Result<Record, Error> {
        self.call(self.crypto_provider(key)?, &LookupKey { key_name: name(key)?.to_owned(), owner: key.owner.clone() })
    }

    /// What the service knows of one key.
    pub(crate) fn lookup(&self, key: &KeyUri) -> Result<Record, Error> {
        let (provider, name) = (self.crypto_provider(key)?, name(key)?);
        self.ask(|client| client.lookup(provider, key.owner.as_deref(), name))
    }

    /// The certificate stored under a name, of this owner where the key has one.
    pub(crate) fn certificate(&self, uri: &KeyUri, key: Option<&Record>) -> Result<Record, Error> {
        let owner = key.map(|key| key.owner.clone()).filter(|owner| !owner.is_empty());
        let owner = owner.or_else(|| uri.owner.clone());
        let lookup = LookupObject { kind: RecordKind::Certificate.into(), name: name(uri)?.to_owned(), owner };
        self.call(self.crypto_provider(uri)?, &lookup)
    }

    /// All keys and certificates of the caller and granted to it, in one provider or in every one.
    pub(crate) fn list(&self, uri: &KeyUri) -> Result<Vec<Record>, Error> {
        let providers = match uri.provider {
            Some(provider) => vec![provider],
            None => self.ask(Client::providers)?.into_iter().map(|(id, _)| id).collect(),
        };
        let filter = Find { owner: uri.owner.clone(), ..Find::default() };
        let mut records: Vec<Record> = Vec::new();
        for provider in providers {
            records.extend(self.ask(|client| client.find(provider, &filter))?);
        }
        // an object that belongs to no provider is found with each
        records.sort_by(|a, b| (a.foreign, &a.uuid, &a.name).cmp(&(b.foreign, &b.uuid, &b.name)));
        records.dedup_by(|a, b| (&a.uuid, &a.name, a.provider_id) == (&b.uuid, &b.name, b.provider_id));
        Ok(records)
    }

    fn reference(&self, key: &KeyUri) -> Result<KeyRef, Error> {
        Ok(KeyRef { provider: self.crypto_provider(key)?, owner: key.owner.clone(), name: name(key)?.to_owned() })
    }

    fn ask<T>(&self, question: impl FnOnce(&Client) -> Result<T, client::Error>) -> Result<T, Error> {
        if let Some(why) = self.misspelt.get_or_init(|| settings::misspelt(&self.core)) {
            return Err(Error::Configuration(why.clone()));
        }
        let client = self.client.as_ref().map_err(|why| Error::Configuration(why.clone()))?;
        question(client).map_err(|why| match why {
            client::Error::Refused { .. } | client::Error::Upstream(_) | client::Error::Older(_) => Error::Refused(why),
            client::Error::Endpoint(_) | client::Error::Config(_) => Error::Configuration(why.to_string()),
            client::Error::Connect { .. } => Error::Unreachable(why.to_string()),
            why => Error::Unreachable(format!("{why} (it was asked at {})", client.endpoint())),
        })
    }

    fn crypto_provider(&self, key: &KeyUri) -> Result<ProviderId, Error> {
        if let Some(provider) = key.provider {
            return Ok(provider);
        }
        match ProviderId::try_from(u32::from(self.default.load(Ordering::Relaxed))) {
            Ok(known) if known != ProviderId::CORE => Ok(known),
            _ => {
                let default = self.ask(Client::default_provider)?;
                self.default.store(default.number(), Ordering::Relaxed);
                Ok(default)
            }
        }
    }
}

/// The public half that a record tells of, and whether there is a private one.
pub(crate) fn public(record: &Record) -> Option<(Public, bool)> {
    let Attributes { key_type, bits, policy } = Attributes::try_from(record.attributes.as_ref()?).ok()?;
    let key = PublicKey { key_type: key_type.public(), bits, bytes: record.public_key.clone() };
    let pss = record.pss_alone(&policy);
    let public = Public { key, pss, only: Pss::of_policy(&policy).filter(|_| pss) };
    (key_type.is_pair() || key_type.is_public()).then_some((public, key_type.is_pair()))
}

/// The full name of a key: it means the same whoever reads it.
pub(crate) fn uri(record: &Record) -> KeyUri {
    KeyUri {
        name: Some(record.name.clone()),
        // an upstream service tells no owner: the key is the caller's
        owner: Some(record.owner.clone()).filter(|owner| !owner.is_empty()),
        provider: ProviderId::try_from(record.provider_id).ok(),
    }
}

fn name(uri: &KeyUri) -> Result<&str, Error> {
    let missing = || Error::Reference(format!("{uri} names no key: write parsec:object=NAME"));
    uri.name.as_deref().ok_or_else(missing)
}
