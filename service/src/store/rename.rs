//! Other names for keys. The private blob is sealed to the name. The former names are kept with the key, so that what was written before
//! still leads to it.

use super::entry::Entry;
use super::lifecycle::taken;
use super::moved::Place;
use super::object::none;
use super::{Store, table};
use crate::auth::Principal;
use crate::bounds;
use crate::error::Result;
use crate::key::Key;
use interface::ProviderId;
use interface::message::Pkcs11Attribute;
use interface::operations::RecordKind;
use interface::vendor::FORMER_NAME;
use std::sync::Arc;

impl Store {
    /// Gives a key of the caller another name. Asked for twice, it is done once.
    ///
    /// # Errors
    /// [`Status::PsaErrorDoesNotExist`](interface::Status::PsaErrorDoesNotExist); `PsaErrorAlreadyExists` for a name that another key has;
    /// `PsaErrorNotPermitted` for a volatile key; [`Error::Corrupt`](crate::error::Error::Corrupt) for a damaged one.
    pub fn rename(&self, caller: &Principal, provider: ProviderId, name: &str, new: &str) -> Result<()> {
        let mut db = self.db();
        let Some(key) = self.key(provider, caller, name) else {
            let done = self.meant(provider, caller, name).is_some_and(|key| key.name == new);
            return if done { Ok(()) } else { Err(none(RecordKind::Key, name)) };
        };
        key.check_stored("another name")?;
        let mut renamed = Key::clone(&key);
        new.clone_into(&mut renamed.meta.name);
        if !self.free(&db, &renamed.meta)? {
            return Err(taken(&renamed.meta));
        }
        forget(&mut renamed, new);
        renamed.meta.pkcs11.push(former(name));
        bounds::attributes(&renamed.meta.pkcs11)?;
        let before = self.former_holder(&key);
        let place = Place { provider, owner: caller.clone(), name: name.to_owned() };
        let private = self.unsealed(&db, &key)?;
        let sealed = self.keys.sealer.seal(&renamed.binding(), &private)?;
        let mut change = db.change(&self.keys)?;
        table::rename(&mut change, &renamed, &sealed)?;
        before.iter().try_for_each(|before| table::set_metadata(&mut change, before))?;
        table::forget_place(&mut change, &place)?;
        change.commit()?;
        let mut index = self.index_mut();
        index.moved.remove(&place);
        before.into_iter().chain([Entry::Key(Arc::new(renamed))]).for_each(|entry| index.put(entry));
        Ok(())
    }

    /// The other key that had the name of this one before, without that name: the name means the key that had it last.
    pub(super) fn former_holder(&self, key: &Key) -> Option<Entry> {
        let before = self.index().renamed(key.provider, &key.owner, &key.name).cloned();
        let mut before = before.filter(|before| before.uuid != key.uuid)?;
        forget(Arc::make_mut(&mut before), &key.name);
        Some(Entry::Key(before))
    }
}

fn former(name: &str) -> Pkcs11Attribute {
    Pkcs11Attribute { kind: FORMER_NAME, value: name.into() }
}

fn forget(key: &mut Key, name: &str) {
    let gone = former(name);
    key.meta.pkcs11.retain(|kept| *kept != gone);
}
