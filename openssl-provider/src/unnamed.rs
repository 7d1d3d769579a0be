//! Keys that a program makes without a name.
//!
//! Nobody tells what such a key is for until it is used. One to agree on secrets with, as the ephemeral keys of TLS and CMS, is made in
//! this process: it needs no service. So is one whose public half goes to another provider, which makes hybrid keys of it. Any other
//! is made by the service, as a volatile key that ends with the process. Only when its private half is written does it become a stored
//! one, by one request: a copy of the volatile key. The name is made of the public half, so it is known before, and whoever writes the
//! key, and however often, stores the same one.

use std::sync::{Arc, OnceLock};

use interface::{Status, attributes::Attributes, client, operations::Record, reference::KeyUri, spki::PublicKey};

use crate::{
    error::Error,
    ffi::process::PROCESS,
    kind::{Kind, Secret},
    provider::{self, Provider},
};

/// What the names of these keys begin with.
const PREFIX: &str = "openssl-";

/// Of a service that has no volatile keys.
const NAMELESS: &str = "this service stores every key that it makes, so a new one needs a name: -pkeyopt parsec-name:NAME. A program's \
     own key comes from another provider: list default before parsec in openssl.cnf, or ask with -propquery provider=default";

/// How often a name is asked for that another process is just storing the same key under.
const TRIES: usize = 1000;

/// A key that has no name as long as it is not written.
pub(crate) struct UnnamedKey<K> {
    provider: Arc<Provider>,
    /// The service's provider that it is for.
    place: KeyUri,
    attributes: Attributes,
    /// What is known before it is made.
    blank: Option<Arc<K>>,
    made: OnceLock<Made<K>>,
    /// The same key in the service, where it was made here and does more than agree, or is written.
    brought: OnceLock<Box<Volatile>>,
    stored: OnceLock<KeyUri>,
}

/// Where a private key is.
pub(crate) enum PrivateHalf<'a> {
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

impl<K: Kind> UnnamedKey<K> {
    /// A key that is made when it is first used, or at once where nothing is known of it before. `place` names the service's provider.
    pub(crate) fn new(provider: &Arc<Provider>, place: &KeyUri, attributes: Attributes) -> Result<Self, Error> {
        let unnamed = Self {
            provider: Arc::clone(provider),
            place: place.clone(),
            blank: K::blank(attributes.bits).map(Arc::new),
            attributes,
            made: OnceLock::new(),
            brought: OnceLock::new(),
            stored: OnceLock::new(),
        };
        if unnamed.blank.is_none() {
            unnamed.made()?;
        }
        Ok(unnamed)
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
    pub(crate) fn agreeing(&self) -> Result<PrivateHalf<'_>, Error> {
        if self.made.get().is_none()
            && let Some((public, secret)) = self.blank.as_deref().and_then(K::ephemeral)
        {
            self.made.get_or_init(|| Made::Here(Arc::new(public), secret));
        }
        match self.made()? {
            Made::Here(_, secret) => Ok(PrivateHalf::Here(secret)),
            Made::Service(..) => self.uri().map(PrivateHalf::Service),
        }
    }

    /// The name of the private key in the service, which gets it now where it has not.
    pub(crate) fn uri(&self) -> Result<&KeyUri, Error> {
        match self.stored.get() {
            Some(stored) => Ok(stored),
            None => Ok(&self.volatile()?.uri),
        }
    }

    /// The name that the key has once it is stored. Only this key has it.
    pub(crate) fn name(&self) -> Result<KeyUri, Error> {
        if let Some(stored) = self.stored.get() {
            return Ok(stored.clone());
        }
        let public = self.made()?.public().spki().and_then(|spki| PublicKey::from_spki(&spki)).ok_or(Error::Internal)?;
        let name = format!("{PREFIX}{}", hexadecimal(&public.id()));
        Ok(KeyUri { name: Some(name), ..provider::uri(&self.volatile()?.record) })
    }

    /// Stores the key, since its private half is written. Where its name is taken, another process has stored it, or is just storing it.
    pub(crate) fn store(&self) -> Result<(), Error> {
        if self.stored.get().is_some() {
            return Ok(());
        }
        let (name, original) = (self.name()?, &self.volatile()?.record);
        for _ in 0..TRIES {
            let taken = match self.provider.copy(original, &name) {
                Err(why) if refused(&why, Status::PsaErrorAlreadyExists) => why,
                copied => return copied.map(|()| self.settle(name)),
            };
            match self.provider.lookup_record(&name) {
                Ok(record) if record.public_key == original.public_key => {
                    self.settle(name);
                    return Ok(());
                }
                Err(why) if refused(&why, Status::PsaErrorDoesNotExist) => {}
                other => return other.and(Err(taken)),
            }
        }
        Err(Error::State("another process does not finish storing this key"))
    }

    fn settle(&self, name: KeyUri) {
        self.stored.get_or_init(|| name);
    }

    fn made(&self) -> Result<&Made<K>, Error> {
        if let Some(made) = self.made.get() {
            return Ok(made);
        }
        let volatile = self.new_volatile(|uri| self.provider.generate(uri, &self.attributes, true))?;
        let (public, _) = provider::public(&volatile.record).ok_or(Error::Internal)?;
        let public = Arc::new(K::of(&public).ok_or(Error::Internal)?);
        // where another thread was faster, this one ends here
        Ok(self.made.get_or_init(|| Made::Service(public, volatile)))
    }

    /// The key as the service has it, which gets it now where it has not.
    fn volatile(&self) -> Result<&Volatile, Error> {
        match (self.made()?, self.brought.get()) {
            (Made::Service(_, volatile), _) | (Made::Here(..), Some(volatile)) => Ok(volatile),
            (Made::Here(_, secret), None) => {
                let brought = self.new_volatile(|uri| self.provider.import(uri, &self.attributes, secret))?;
                Ok(self.brought.get_or_init(|| brought))
            }
        }
    }

    /// Has the service make a volatile key.
    fn new_volatile(&self, make: impl FnOnce(&KeyUri) -> Result<(), Error>) -> Result<Box<Volatile>, Error> {
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
}

fn refused(why: &Error, with: Status) -> bool {
    matches!(why, Error::Refused(client::Error::Refused { status, .. }) if *status == with)
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
