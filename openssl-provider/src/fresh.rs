//! Keys that a program makes without a name.
//!
//! Nobody tells what such a key is for until it is used. One to agree on secrets with, as the ephemeral keys of TLS and CMS, is made in
//! this process: it needs no service. So is one whose public half goes to another provider, which makes hybrid keys of it. Any other
//! is made by the service, as a volatile key that ends with the process. Only when its
//! private half is written does it become a stored one. That is one request, so it is stored or it is not. The name is made of
//! the public half: whoever writes the key, and however often, stores the same one.

use std::sync::{Arc, OnceLock};

use interface::{Status, attributes::Attributes, client, operations::Record, reference::KeyUri, spki::PublicKey};

use crate::{
    error::Error,
    ffi::process::PROCESS,
    generation::NAMELESS,
    key::{Kind, Secret},
    provider::{self, Provider},
};

/// What the names of these keys begin with.
const PREFIX: &str = "openssl-";

/// How often a name is asked for that another process is just storing the same key under.
const TRIES: usize = 1000;

/// A key that has no name as long as it is not written.
pub(crate) struct Fresh<K> {
    provider: Arc<Provider>,
    /// The service's provider that it is for.
    place: KeyUri,
    attributes: Attributes,
    /// What is known before it is made.
    blank: Option<Arc<K>>,
    made: OnceLock<Made<K>>,
    /// The same key in the service, where it was made here and does more than agree.
    brought: OnceLock<Box<Volatile>>,
    stored: OnceLock<KeyUri>,
}

/// Where a private key is.
pub(crate) enum Place<'a> {
    Here(&'a Secret),
    Service(&'a KeyUri),
}

enum Made<K> {
    Here(Arc<K>, Secret),
    Service(Arc<K>, Box<Volatile>),
}

impl<K> Made<K> {
    fn public(&self) -> &Arc<K> {
        match self {
            Self::Here(public, _) | Self::Service(public, _) => public,
        }
    }
}

/// A volatile key of the service, which ends when nobody has it any more.
struct Volatile {
    provider: Arc<Provider>,
    uri: KeyUri,
    record: Record,
    /// The process that made it. Its children have the same key, and leave it to their parent.
    process: u64,
}

impl Drop for Volatile {
    fn drop(&mut self) {
        if (PROCESS.number)() == self.process {
            // in vain where the service is gone, and the key with it
            let _ = self.provider.destroy(&self.uri);
        }
    }
}

impl<K: Kind> Fresh<K> {
    /// A key that is made when it is first used, or at once where nothing is known of it before. `place` names the service's provider.
    pub(crate) fn new(provider: &Arc<Provider>, place: &KeyUri, attributes: Attributes) -> Result<Self, Error> {
        let fresh = Self {
            provider: Arc::clone(provider),
            place: place.clone(),
            blank: K::blank(attributes.bits).map(Arc::new),
            attributes,
            made: OnceLock::new(),
            brought: OnceLock::new(),
            stored: OnceLock::new(),
        };
        if fresh.blank.is_none() {
            fresh.made()?;
        }
        Ok(fresh)
    }

    /// What is known of the public half so far.
    pub(crate) fn known(&self) -> Option<&Arc<K>> {
        self.made.get().map(Made::public).or(self.blank.as_ref())
    }

    pub(crate) fn public(&self) -> Result<&Arc<K>, Error> {
        if K::AGREES_ALONE {
            self.agreeing()?;
        }
        self.made().map(Made::public)
    }

    /// The name of the stored key, once it is one.
    pub(crate) fn stored(&self) -> Option<&KeyUri> {
        self.stored.get()
    }

    /// The private key to agree on secrets with: where it is not made yet, it is made here.
    pub(crate) fn agreeing(&self) -> Result<Place<'_>, Error> {
        if self.made.get().is_none()
            && let Some((public, secret)) = self.blank.as_deref().and_then(K::ephemeral)
        {
            self.made.get_or_init(|| Made::Here(Arc::new(public), secret));
        }
        match self.made()? {
            Made::Here(_, secret) => Ok(Place::Here(secret)),
            Made::Service(..) => self.uri().map(Place::Service),
        }
    }

    /// The name of the private key in the service, which gets it now where it has not.
    pub(crate) fn uri(&self) -> Result<&KeyUri, Error> {
        let volatile = match (self.stored.get(), self.made()?, self.brought.get()) {
            (Some(stored), ..) => return Ok(stored),
            (None, Made::Service(_, volatile), _) | (None, Made::Here(..), Some(volatile)) => volatile,
            (None, Made::Here(_, secret), None) => {
                let brought = self.volatile(|uri| self.provider.import(uri, &self.attributes, secret, true))?;
                self.brought.get_or_init(|| brought)
            }
        };
        Ok(&volatile.uri)
    }

    /// The name of the key, which is a stored one from now on, since its private half is written.
    pub(crate) fn written(&self) -> Result<&KeyUri, Error> {
        if let Some(stored) = self.stored.get() {
            return Ok(stored);
        }
        let made = self.made()?;
        let public = made.public().spki().and_then(|spki| PublicKey::from_spki(&spki)).ok_or(Error::Internal)?;
        let name = format!("{PREFIX}{}", hexadecimal(&public.id()));
        let record = self.settled(&public, &name, |uri| match made {
            Made::Here(_, secret) => self.provider.import(uri, &self.attributes, secret, false),
            Made::Service(_, volatile) => self.provider.copy(&volatile.record, uri),
        })?;
        Ok(self.stored.get_or_init(|| provider::uri(&record)))
    }

    fn made(&self) -> Result<&Made<K>, Error> {
        if let Some(made) = self.made.get() {
            return Ok(made);
        }
        let volatile = self.volatile(|uri| self.provider.generate(uri, &self.attributes, true))?;
        let (public, _) = provider::public(&volatile.record).ok_or(Error::Internal)?;
        let public = Arc::new(K::of(&public).ok_or(Error::Internal)?);
        // where another thread was faster, this one ends here
        Ok(self.made.get_or_init(|| Made::Service(public, volatile)))
    }

    /// Has the service make a volatile key.
    fn volatile(&self, make: impl FnOnce(&KeyUri) -> Result<(), Error>) -> Result<Box<Volatile>, Error> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|_| Error::Internal)?;
        let uri = KeyUri { name: Some(format!("{PREFIX}volatile-{}", hexadecimal(&random))), ..self.place.clone() };
        // upstream's service would store the key: it does not know this question either
        match self.provider.lookup_record(&uri) {
            Err(Error::Refused(client::Error::Upstream(_))) => return Err(Error::Unsupported(NAMELESS.to_owned())),
            Err(why) if !refused(&why, Status::PsaErrorDoesNotExist) => return Err(why),
            _ => make(&uri)?,
        }
        let provider = Arc::clone(&self.provider);
        let mut volatile = Box::new(Volatile { provider, uri, record: Record::default(), process: (PROCESS.number)() });
        volatile.record = self.provider.lookup_record(&volatile.uri)?;
        Ok(volatile)
    }

    /// Stores the key under a name that only this key has. So where the name is taken, another process has stored the key, or is just
    /// storing it.
    fn settled(&self, public: &PublicKey, name: &str, store: impl Fn(&KeyUri) -> Result<(), Error>) -> Result<Record, Error> {
        let uri = KeyUri { name: Some(name.to_owned()), ..self.place.clone() };
        for _ in 0..TRIES {
            let taken = match store(&uri) {
                Err(why) if refused(&why, Status::PsaErrorAlreadyExists) => why,
                stored => {
                    stored?;
                    return self.provider.lookup_record(&uri);
                }
            };
            match self.provider.lookup_record(&uri) {
                Ok(record) if record.public_key == public.bytes => return Ok(record),
                Err(why) if refused(&why, Status::PsaErrorDoesNotExist) => {}
                other => return other.and(Err(taken)),
            }
        }
        Err(Error::State("another process does not finish storing this key"))
    }
}

fn refused(why: &Error, with: Status) -> bool {
    matches!(why, Error::Refused(client::Error::Refused { status, .. }) if *status == with)
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
