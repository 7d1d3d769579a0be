//! The configuration. (Interface only.)
#![allow(clippy::todo, missing_docs, clippy::missing_errors_doc)]
use crate::auth::Authenticators;
use crate::error::Result;
use interface::ProviderId;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub struct Config {
    pub log_level: String,
    pub log_timestamp: bool,
    pub log_error_details: bool,
    pub body_len_limit: usize,
    pub allow_root: bool,
    pub allow_deprecated: bool,
    pub max_connections: usize,
    pub idle_timeout: Duration,
    pub timeout: Duration,
    pub socket_path: PathBuf,
    pub authenticators: Authenticators,
    pub store_path: PathBuf,
    pub store_key_path: PathBuf,
    pub providers: Vec<ProviderConfig>,
    pub notes: Vec<String>,
}
pub struct ProviderConfig {
    pub kind: ProviderId,
    pub name: Option<String>,
    pub settings: toml::Table,
}
impl Config {
    pub fn load(_path: Option<&Path>) -> Result<Self> {
        todo!()
    }
}
