//! The keys of all principals. (Interface only.)
#![allow(
    clippy::todo,
    missing_docs,
    unused_variables,
    clippy::missing_errors_doc,
    clippy::needless_pass_by_value
)]

use crate::auth::Principal;
use crate::error::Result;
use interface::attributes::{Attributes, Usage};
use interface::operations::{
    DestroyObject, Find, Found, LookupObject, PutObject, Record, SetMetadata, Tier,
};
use interface::{ProviderId, Secret};
use std::any::Any;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};

pub struct Store;
pub struct StoreKey;
pub struct Reservation<'a>(&'a Store);
pub struct Destruction<'a>(&'a Store);
pub struct Pending {
    pub uuid: String,
    pub owner: Principal,
    pub name: String,
    pub attributes: Attributes,
    pub deleting: bool,
}
pub struct Material {
    pub attributes: Attributes,
    pub private: Secret,
    pub public_key: Vec<u8>,
    pub tier: Tier,
    pub label: Option<String>,
    pub id: Option<Vec<u8>>,
}
pub struct Key {
    pub uuid: String,
    pub provider: ProviderId,
    pub owner: Principal,
    pub name: String,
    pub attributes: Attributes,
    pub public_key: Vec<u8>,
    pub tier: Tier,
    pub label: String,
    pub id: Vec<u8>,
    pub created: u64,
    pub grants: BTreeMap<Principal, Usage>,
    pub loaded: Arc<OnceLock<Arc<dyn Any + Send + Sync>>>,
}
impl StoreKey {
    pub fn load(path: &Path) -> Result<Self> {
        todo!()
    }
}
impl Key {
    pub fn usage(&self, caller: &Principal) -> Usage {
        todo!()
    }
    pub fn record(&self, caller: &Principal) -> Record {
        todo!()
    }
    pub fn missing(&self) -> bool {
        todo!()
    }
}
impl Reservation<'_> {
    pub fn uuid(&self) -> &str {
        todo!()
    }
    pub fn commit(self, material: Material) -> Result<Arc<Key>> {
        todo!()
    }
}
impl Destruction<'_> {
    pub fn commit(self) -> Result<()> {
        todo!()
    }
}
impl Store {
    pub fn open(path: &Path, secret: StoreKey) -> Result<Self> {
        todo!()
    }
    pub fn key(&self, provider: ProviderId, owner: &Principal, name: &str) -> Option<Arc<Key>> {
        todo!()
    }
    pub fn reserve(
        &self,
        provider: ProviderId,
        owner: &Principal,
        name: &str,
        attributes: &Attributes,
    ) -> Result<Reservation<'_>> {
        todo!()
    }
    pub fn destroy(&self, key: &Arc<Key>) -> Result<Destruction<'_>> {
        todo!()
    }
    pub fn pending(&self, provider: ProviderId) -> Vec<Pending> {
        todo!()
    }
    pub fn settle(&self, pending: Pending) -> Result<()> {
        todo!()
    }
    pub fn material(&self, key: &Key) -> Result<Secret> {
        todo!()
    }
    pub fn mark(&self, key: &Key, missing: bool) {
        todo!()
    }
    pub fn keys(&self, owner: &Principal) -> Vec<Arc<Key>> {
        todo!()
    }
    pub fn owners(&self) -> Vec<Principal> {
        todo!()
    }
    pub fn count(&self) -> (u64, u64) {
        todo!()
    }
    pub fn find(&self, caller: &Principal, provider: ProviderId, filter: &Find) -> Found {
        todo!()
    }
    pub fn set_metadata(
        &self,
        caller: &Principal,
        provider: ProviderId,
        op: &SetMetadata,
    ) -> Result<()> {
        todo!()
    }
    pub fn put_object(
        &self,
        caller: &Principal,
        provider: ProviderId,
        op: &PutObject,
    ) -> Result<Record> {
        todo!()
    }
    pub fn object(
        &self,
        caller: &Principal,
        provider: ProviderId,
        op: &LookupObject,
    ) -> Result<Record> {
        todo!()
    }
    pub fn destroy_object(
        &self,
        caller: &Principal,
        provider: ProviderId,
        op: &DestroyObject,
    ) -> Result<()> {
        todo!()
    }
    pub fn delete_objects(&self, owner: &Principal) -> Result<()> {
        todo!()
    }
    pub fn grant(&self, key: &Key, to: &Principal, usage: Usage) -> Result<()> {
        todo!()
    }
    pub fn revoke(&self, key: &Key, from: &Principal) -> Result<()> {
        todo!()
    }
}
