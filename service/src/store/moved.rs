//! Where keys were before they got another owner, so that what was written before still leads to them.

use crate::auth::Principal;
use crate::key::Uuid;
use interface::ProviderId;
use std::collections::{BTreeMap, HashMap};

/// Where a key was: its provider, its owner then, and a name that it had there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) provider: ProviderId,
    pub(super) owner: Principal,
    pub(super) name: String,
}

/// All former places of keys.
#[derive(Debug, Default)]
pub(super) struct Moved {
    keys: HashMap<(ProviderId, String), BTreeMap<Principal, Uuid>>,
    places: HashMap<Uuid, Vec<Place>>,
}

impl Moved {
    /// The key that was there.
    pub(super) fn of(&self, provider: ProviderId, owner: &Principal, name: &str) -> Option<Uuid> {
        if self.keys.is_empty() {
            return None;
        }
        self.keys.get(&(provider, name.to_owned()))?.get(owner).copied()
    }

    /// The former owners of keys of this name, with these keys.
    pub(super) fn named(&self, provider: ProviderId, name: &str) -> impl Iterator<Item = (&Principal, Uuid)> {
        let owners = if self.keys.is_empty() { None } else { self.keys.get(&(provider, name.to_owned())) };
        owners.into_iter().flatten().map(|(owner, uuid)| (owner, *uuid))
    }

    /// Whether a key was somebody's.
    pub(super) fn has(&self, owner: &Principal) -> bool {
        self.places.values().flatten().any(|place| place.owner == *owner)
    }

    /// Where a key was.
    pub(super) fn places(&self, uuid: Uuid) -> Vec<Place> {
        self.places.get(&uuid).cloned().unwrap_or_default()
    }

    /// Notes where a key was; a place leads to the key that was there last.
    pub(super) fn put(&mut self, place: Place, uuid: Uuid) {
        self.remove(&place);
        self.keys.entry((place.provider, place.name.clone())).or_default().insert(place.owner.clone(), uuid);
        self.places.entry(uuid).or_default().push(place);
    }

    /// Lets a place lead nowhere.
    pub(super) fn remove(&mut self, place: &Place) {
        let named = (place.provider, place.name.clone());
        let Some(owners) = self.keys.get_mut(&named) else { return };
        let uuid = owners.remove(&place.owner);
        if owners.is_empty() {
            self.keys.remove(&named);
        }
        if let Some(uuid) = uuid
            && let Some(places) = self.places.get_mut(&uuid)
        {
            places.retain(|other| other != place);
            if places.is_empty() {
                self.places.remove(&uuid);
            }
        }
    }

    /// Forgets where a key was.
    pub(super) fn forget(&mut self, uuid: Uuid) {
        self.places(uuid).iter().for_each(|place| self.remove(place));
    }

    /// Forgets the places at an owner.
    pub(super) fn forget_owner(&mut self, owner: &Principal) {
        let theirs: Vec<_> = self.places.values().flatten().filter(|place| place.owner == *owner).cloned().collect();
        theirs.iter().for_each(|place| self.remove(place));
    }
}
