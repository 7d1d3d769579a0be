//! Destroys records of the service.

use std::sync::Arc;

use cryptoki_sys::CK_SESSION_HANDLE;
use interface::operations::{self, DestroyKey, LookupKey};
use interface::{Operation, ProviderId, Status, client};

use crate::objects::object::{KeyObject, Object, Record};
use crate::state::{lock, module::Module, process};

/// Destroys a key. Does nothing for other records.
pub(crate) fn destroy_key(module: &Module, record: &Record) -> Result<(), client::Error> {
    let Some(key) = record.key() else {
        return Ok(());
    };
    let (name, owner) = (key.name.clone(), key.owner());
    if record.session.is_none() {
        module.secure_copies(key.provider, record)?;
    }
    let destroy = DestroyKey { key_name: name.clone(), owner: owner.clone() };
    end(module, key.provider, &destroy, &LookupKey { key_name: name, owner }, record)
}

/// Has the service destroy a record. If the answer is lost, the request succeeded if no record, or another one, now has the name.
pub(crate) fn end<D: Operation, L: Operation<Output = operations::Record>>(
    module: &Module,
    provider: ProviderId,
    destroy: &D,
    look: &L,
    record: &Record,
) -> Result<(), client::Error> {
    let gone = || match module.client.call(provider, look) {
        Ok(found) => Ok((found.uuid != record.uuid).then_some(())),
        Err(error) if is_gone(&error) => Ok(Some(())),
        Err(error) => Err(error),
    };
    client::settle(|| module.client.call(provider, destroy).map(drop), gone)
}

/// Whether the service still has a key.
pub(crate) fn is_there(module: &Module, key: &KeyObject) -> bool {
    let look = LookupKey { key_name: key.name.clone(), owner: key.owner() };
    !module.client.call(key.provider, &look).is_err_and(|error| is_gone(&error))
}

pub(crate) fn is_gone(error: &client::Error) -> bool {
    error.status() == Some(Status::PsaErrorDoesNotExist)
}

impl Module {
    /// Ends the session objects that `these` picks. What the service cannot be told now it finds out when the process has gone.
    pub(crate) fn end_objects(&self, these: impl Fn(CK_SESSION_HANDLE, &Object) -> bool) {
        let ended = lock(&self.objects).end(these);
        let mine = |object: &&Arc<Object>| {
            let process = object.record.session.map(|place| place.process);
            process == Some(process::number()) && !object.is_view()
        };
        for object in ended.iter().filter(mine) {
            if destroy_key(self, &object.record).is_err_and(|error| error.absent()) {
                return;
            }
        }
    }
}
