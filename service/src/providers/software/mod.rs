//! The software provider. (Interface only.)
use crate::error::Result;
use crate::provider::Provider;
use crate::store::Store;
use std::sync::Arc;
pub fn open(_settings: toml::Table, _store: &Arc<Store>) -> Result<Provider> {
    todo!()
}
