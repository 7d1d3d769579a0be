//! Makes session keys again. The service has them only in memory, and loses them when it restarts. The module makes a lost key
//! again when it is used, under the same name: a public key from its value, and the copy of a token's key from that key. Other
//! session keys are gone.

use std::sync::Arc;

use interface::client::Caller;
use interface::operations::{CopyKey, ImportKey, LookupKey};
use interface::{Filing, KeyUse, Operation, ProviderId, Status, client};

use crate::objects::object::{Object, Original, Record};
use crate::state::{lock, module::Module};

impl Caller for Module {
    type Error = client::Error;

    fn call<O: Operation>(&self, provider: ProviderId, op: &O) -> Result<O::Output, client::Error> {
        Self::call(self, provider, op)
    }
}

impl Module {
    /// Runs an operation of the service, which may need session keys that the service has lost.
    pub(crate) fn call<O: Operation>(&self, provider: ProviderId, op: &O) -> Result<O::Output, client::Error> {
        match self.client.call(provider, op) {
            Err(error) if error.status() == Some(Status::PsaErrorDoesNotExist) => {
                if self.restore(provider, op)? {
                    self.client.call(provider, op)
                } else {
                    Err(error)
                }
            }
            answer => answer,
        }
    }

    /// Makes the session keys again that a request needs. Returns whether any of them could be lost.
    fn restore(&self, provider: ProviderId, op: &impl Operation) -> Result<bool, client::Error> {
        let key_use = op.key().unwrap_or(KeyUse::None);
        let names: Vec<_> = key_use.needs().map(|key| key.name).chain(op.named().object).collect();
        let needed = |record: &Record| record.key().is_some_and(|key| names.contains(&&*key.name));
        let mut any = false;
        for record in self.session_keys(provider, needed) {
            any |= self.make_again(provider, &record)?;
        }
        Ok(any)
    }

    /// Makes the copies of a key of the token again that this process has, as long as there is something to copy. A copy that the service
    /// refuses does not keep the key.
    pub(crate) fn secure_copies(&self, provider: ProviderId, original: &Record) -> Result<(), client::Error> {
        for record in self.session_keys(provider, |record| record.is_copy_of(original)) {
            match self.make_again(provider, &record) {
                Err(error) if error.status().is_none() => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Forgets those session keys, of the objects that `these` picks, that the service has lost by a restart and that nothing makes again.
    /// It loses all that there were, so that the oldest one that is still there tells of all later ones.
    pub(crate) fn forget_lost(&self, provider: ProviderId, these: impl Fn(&Object) -> bool) {
        let lasting =
            |record: &Record| record.original.is_some() || record.key().is_none_or(|key| key.attributes.key_type.is_public());
        let mut keys: Vec<_> = {
            let objects = lock(&self.objects);
            let picked =
                objects.in_sessions(provider.number().into()).filter(|(_, object)| !lasting(&object.record) && these(object));
            picked.map(|(handle, object)| (handle, Arc::clone(&object.record))).collect()
        };
        keys.sort_unstable_by_key(|(handle, _)| *handle);
        for (_, record) in keys {
            let Some(key) = record.key() else { continue };
            let look = LookupKey { key_name: key.name.clone(), owner: key.owner() };
            match self.client.call(provider, &look) {
                Err(error) if error.status() == Some(Status::PsaErrorDoesNotExist) => lock(&self.objects).forget_record(&record),
                _ => return,
            }
        }
    }

    fn session_keys(&self, provider: ProviderId, these: impl Fn(&Record) -> bool) -> Vec<Arc<Record>> {
        let mut records: Vec<Arc<Record>> = Vec::new();
        for (_, object) in lock(&self.objects).in_sessions(provider.number().into()) {
            if these(&object.record) && !records.iter().any(|known| Arc::ptr_eq(known, &object.record)) {
                records.push(Arc::clone(&object.record));
            }
        }
        records
    }

    /// False for a key that is gone for good.
    fn make_again(&self, provider: ProviderId, record: &Record) -> Result<bool, client::Error> {
        let Some(key) = record.key() else { return Ok(false) };
        let Filing { name: key_name, label, id, volatile, pkcs11 } = record.filing();
        let attributes = Some((&key.attributes).into());
        let made = match &record.original {
            _ if key.attributes.key_type.is_public() => {
                let data = key.public.clone();
                let import = ImportKey { key_name, attributes, data, label, id, volatile, pkcs11 };
                client::settle(|| self.client.call(provider, &import).map(drop), || Ok(None))
            }
            Some(Original { name, uuid }) => {
                let (of, of_uuid) = (name.clone(), uuid.clone());
                let copy = CopyKey { key_name, attributes, of, of_uuid, label, id, volatile, pkcs11 };
                client::settle(|| self.client.call(provider, &copy).map(drop), || Ok(None))
            }
            None => return Ok(false),
        };
        match made {
            // It is there still, or another thread was faster.
            Err(error) if error.status() == Some(Status::PsaErrorAlreadyExists) => Ok(true),
            made => made.map(|()| true),
        }
    }
}
