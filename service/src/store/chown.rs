//! Keys that get another owner. The private blob is sealed to the owner. The former places are kept, so that what was written before still
//! leads to the key.

use super::entry::{Entry, Object, Term};
use super::index::{FEW, Index};
use super::lifecycle::taken;
use super::moved::Place;
use super::own::Own;
use super::tally::bytes;
use super::{Store, table};
use crate::auth::Principal;
use crate::error::Result;
use crate::key::{Key, is_owners};
use crate::quotas::Limit;
use interface::attributes::Usage;
use interface::operations::RecordKind;
use interface::vendor::FORMER_NAME;
use std::sync::Arc;

impl Store {
    /// Gives a key, with the certificates that stand beside it, to another owner; `keep` is what the former one may go on doing. Asked for
    /// twice, it is done once.
    ///
    /// # Errors
    /// [`Status::PsaErrorDoesNotExist`](interface::Status::PsaErrorDoesNotExist) for a key that was destroyed or given away meanwhile;
    /// `PsaErrorAlreadyExists` for a name that another key of the new owner has; `PsaErrorNotPermitted` for a volatile key;
    /// [`Error::Corrupt`](crate::error::Error::Corrupt) for a damaged one.
    pub fn chown(&self, key: &Key, to: &Principal, keep: Usage) -> Result<()> {
        let mut db = self.db();
        let key = self.owned(key).ok_or_else(|| key.gone())?;
        if key.owner == *to {
            return Ok(());
        }
        key.check_stored("another owner")?;
        self.index().tokens.epoch(&(key.provider, to.clone()))?;
        let mut given = Key::clone(&key);
        to.clone_into(&mut given.meta.owner);
        if !self.free(&db, &given.meta)? {
            return Err(taken(&given.meta));
        }
        // What the officer of one token trusts is nothing to another token; the former names are kept as places.
        given.meta.pkcs11.retain(|kept| !is_owners(kept));
        given.grants.remove(to);
        if !keep.is_empty() {
            given.grants.insert(key.owner.clone(), keep);
        }
        let places = places(&key);
        let here = Place { provider: key.provider, owner: to.clone(), name: key.name.clone() };
        let (before, certificates) = (self.former_holder(&key), self.index().certificates(&key, to));
        let private = self.unsealed(&db, &key)?;
        let sealed = self.keys.sealer.seal(&given.binding(), &private)?;
        let mut change = db.change(&self.keys)?;
        table::chown(&mut change, &given, &sealed)?;
        table::revoke(&mut change, key.uuid, to)?;
        if !keep.is_empty() {
            table::grant(&mut change, key.uuid, &key.owner, keep)?;
        }
        certificates.iter().try_for_each(|certificate| table::chown_object(&mut change, &certificate.meta))?;
        before.iter().try_for_each(|before| table::set_metadata(&mut change, before))?;
        places.iter().try_for_each(|place| table::keep(&mut change, &Own::Place(place.clone(), key.uuid)))?;
        table::forget_place(&mut change, &here)?;
        // An older copy of the store would give the key back.
        let count = self.advance(&mut change);
        change.commit()?;
        let mut index = self.index_mut();
        let objects = certificates.into_iter().map(|object| Entry::Object(Arc::new(object)));
        objects.chain(before).chain([Entry::Key(Arc::new(given))]).for_each(|entry| index.put(entry));
        index.moved.remove(&here);
        places.into_iter().for_each(|place| index.moved.put(place, key.uuid));
        drop((index, db));
        self.users.look();
        self.raise(count);
        Ok(())
    }

    /// How much the use of somebody grows who gets this key.
    pub fn growth_by_key(&self, key: &Arc<Key>, to: &Principal) -> [(Limit, u64); 3] {
        let certificates = self.index().certificates(key, to);
        let objects = certificates.len() as u64;
        let entries = certificates.into_iter().map(|object| Entry::Object(Arc::new(object)));
        let all = entries.chain([Entry::Key(Arc::clone(key))]).map(|entry| bytes(&entry)).sum();
        [(Limit::Keys, 1), (Limit::Objects, objects), (Limit::Bytes, all)]
    }
}

/// Where a key is, by its name and its former ones.
fn places(key: &Key) -> Vec<Place> {
    let former = key.meta.pkcs11.iter().filter(|kept| kept.kind == FORMER_NAME);
    let former = former.filter_map(|kept| String::from_utf8(kept.value.clone()).ok());
    let place = |name| Place { provider: key.provider, owner: key.owner.clone(), name };
    former.chain([key.name.clone()]).map(place).collect()
}

impl Index {
    /// The certificates that stand beside this key alone, as they are for the new owner, if that has none of their names; none where there
    /// are many.
    fn certificates(&self, key: &Key, to: &Principal) -> Vec<Object> {
        let beside = [Term::Owner(&key.owner), Term::Id(&key.id)];
        let all: Vec<_> = self.with(&beside, None).take(FEW + 1).collect();
        let alone = |entry: &&Entry| entry.key().is_none_or(|other| other.uuid == key.uuid || other.provider != key.provider);
        if key.id.is_empty() || all.len() > FEW || !all.iter().all(alone) {
            return Vec::new();
        }
        let certificate = RecordKind::Certificate;
        let free = |name: &str| self.object(key.provider, to, certificate, name).is_none();
        let objects = all.iter().filter_map(|entry| if let Entry::Object(object) = entry { Some(&**object) } else { None });
        let here = |object: &&Object| object.kind == certificate && object.meta.provider == key.provider;
        let objects = objects.filter(here).filter(|object| free(&object.meta.name)).cloned();
        objects
            .map(|mut object| {
                to.clone_into(&mut object.meta.owner);
                object.meta.pkcs11.retain(|kept| !is_owners(kept));
                object
            })
            .collect()
    }
}
