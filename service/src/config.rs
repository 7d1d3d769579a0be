//! The configuration: upstream's `config.toml`, our own keys beside it, and a default for every key. The service runs without any
//! file.
//!
//! The service accepts those of upstream's keys that mean nothing here, and notes them in the log. An unknown key is an error.

mod host;

use crate::auth::{Authenticators, Principal};
use crate::error::{Error, Result};
use crate::quotas::Quotas;
use crate::section::{Section, positive, suggest};
use host::Host;
use interface::operations::Tier;
use interface::trust::{self, Distrust};
use interface::{AuthType, PROVIDERS, ProviderId};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use toml::Table;
use tracing::level_filters::LevelFilter;

/// Bytes in a mebibyte.
const MIB: u64 = 1024 * 1024;

/// A setting of providers that upstream has among those of the core.
const BUFFERS: &str = "buffer_size_limit";

/// All that can be configured.
#[derive(Clone, Debug)]
pub struct Config {
    /// The level of the log.
    pub log_level: LevelFilter,
    /// Log lines begin with the time; off, because systemd's journal adds it.
    pub log_timestamp: bool,
    /// Log lines of failed requests name clients and keys.
    pub log_error_details: bool,
    /// Bytes in the body of a request, at most.
    pub body_len_limit: u64,
    /// Serve as root where there is no user to change to.
    pub allow_root: bool,
    /// Make new keys of types and with algorithms that are deprecated.
    pub allow_deprecated: bool,
    /// Give up what the service does not need of the host.
    pub sandbox: bool,
    /// Connections at once, at most.
    pub max_connections: usize,
    /// How long a connection may rest between requests.
    pub idle_timeout: Duration,
    /// A parsed private key leaves memory when it has not been used for so long, or for at most twice as long.
    pub key_idle_timeout: Duration,
    /// How long the reading of one request may take once it has begun.
    pub timeout: Duration,
    /// How much one client may take.
    pub quotas: Arc<Quotas>,
    /// The service's socket; `None` where it is systemd's.
    pub socket_path: Option<PathBuf>,
    /// Trusted names and administrators.
    pub authenticators: Authenticators,
    /// The SQLite file of the key store.
    pub store_path: PathBuf,
    /// The file with the key that the store is sealed with.
    pub store_key_path: PathBuf,
    /// The providers, the default one first.
    pub providers: Vec<ProviderConfig>,
    /// Notes about the configuration for the log.
    pub notes: Vec<String>,
    /// Warnings about the configuration for the log.
    pub warnings: Vec<String>,
}

/// One provider.
#[derive(Clone, Debug)]
pub struct ProviderConfig {
    /// Which one.
    pub kind: ProviderId,
    /// The name that it was given.
    pub name: Option<String>,
    /// Its own keys, which it reads itself, by a [`Section`].
    pub settings: Table,
}

impl Config {
    /// Reads a file that others cannot change: this one, or the one that the host has. Without one all is as the host suggests.
    ///
    /// # Errors
    /// [`Error::Config`] naming file and key, or who may change the file; [`Error::Io`].
    pub fn load(path: Option<&Path>) -> Result<Self> {
        let host = Host::current();
        let found = if path.is_none() { host.configuration() } else { None };
        let Some(path) = path.or(found.as_deref()) else {
            return Self::parse("", &host);
        };
        let shown = path.display();
        let read = || {
            let failed = || Error::io(format!("reading the configuration {shown}"));
            trust::check(path, host.uid).map_err(|why| match why {
                Distrust::Unreadable(error) => failed()(error),
                Distrust::Others(why) => Error::Config(why),
            })?;
            let text = std::fs::read_to_string(path).map_err(failed())?;
            Self::parse(&text, &host)
        };
        let mut config = read().map_err(|error| match error {
            Error::Config(why) => Error::Config(format!("{shown}: {why}")),
            other => other,
        })?;
        config.notes.insert(0, format!("the configuration is {shown}"));
        Ok(config)
    }

    fn parse(text: &str, host: &Host) -> Result<Self> {
        let table: Table = text.parse().map_err(|error: toml::de::Error| Error::Config(error.to_string()))?;
        let mut file = Section::new("the top level", table);
        let (mut notes, mut warnings) = (Vec::new(), Vec::new());
        let mut core = file.section("core_settings")?;
        let mut listener = file.section("listener")?;
        let authenticator = file.section("authenticator")?;
        let quotas = file.section("quotas")?;
        let managers = file.sections("key_manager")?;
        let providers = file.sections("provider")?;
        file.finish()?;

        for (key, why) in [
            ("thread_pool_size", "connections need no threads of their own"),
            ("idle_listener_sleep_duration", "the listener wakes when a client comes"),
        ] {
            if core.take::<toml::Value>(key)?.is_some() {
                notes.push(format!("[core_settings] {key} means nothing here: {why}"));
            }
        }
        let (mut providers, manager) = read_providers(providers, &mut notes)?;
        if let Some(limit) = core.take::<toml::Value>(BUFFERS)? {
            for ProviderConfig { settings, .. } in &mut providers {
                settings.entry(BUFFERS).or_insert_with(|| limit.clone());
            }
        }
        let store = Location::read(managers, manager.as_deref(), host, &mut notes)?;
        let config = Self {
            log_level: log_level(&mut core)?,
            log_timestamp: core.take_or("log_timestamp", false)?,
            log_error_details: core.take_or("log_error_details", true)?,
            body_len_limit: positive(&mut core, "body_len_limit", MIB)?,
            allow_root: core.take_or("allow_root", false)?,
            allow_deprecated: core.take_or("allow_deprecated", false)?,
            sandbox: core.take_or("sandbox", true)?,
            max_connections: positive(&mut core, "max_connections", 1024)?,
            idle_timeout: Duration::from_secs(positive(&mut core, "idle_timeout_s", 300)?),
            key_idle_timeout: Duration::from_secs(positive(&mut core, "key_idle_timeout_s", 25)?),
            timeout: Duration::from_millis(positive(&mut listener, "timeout", 200)?),
            quotas: Arc::new(Quotas::read(quotas)?),
            socket_path: socket_path(&mut listener, host)?,
            authenticators: read_authenticators(authenticator, host, &mut notes, &mut warnings)?,
            store_path: store.file,
            store_key_path: store.key,
            providers,
            notes,
            warnings,
        };
        core.finish()?;
        listener.finish()?;
        Ok(config)
    }
}

/// Where the store and its key are.
#[derive(Debug)]
struct Location {
    file: PathBuf,
    key: PathBuf,
}

impl Location {
    /// Reads the key managers. There is one store, so one of them counts: that of the first provider which names one, or the first.
    fn read(managers: Vec<Section>, wanted: Option<&str>, host: &Host, notes: &mut Vec<String>) -> Result<Self> {
        let mut chosen = None;
        let mut names = Vec::new();
        for mut manager in managers {
            let name: String =
                manager.take("name")?.ok_or_else(|| manager.wrong("name", "is missing: write name = \"store\""))?;
            let location = Self::manager(&mut manager, host, notes)?;
            manager.finish()?;
            if chosen.is_none() && wanted.is_none_or(|wanted| wanted == name) {
                chosen = Some(location);
            } else {
                notes.push(format!("the key manager '{name}' is not used: all providers keep their keys in one store"));
            }
            names.push(name);
        }
        match (chosen, wanted) {
            (Some(location), _) => Ok(location),
            (None, Some(wanted)) => {
                let hint = suggest(wanted, names.iter().map(String::as_str));
                Err(Error::Config(format!("[[provider]] key_info_manager: there is no [[key_manager]] named '{wanted}'; {hint}")))
            }
            (None, None) => Ok(Self::beside(host.state()?.join(FILE), None)),
        }
    }

    fn manager(manager: &mut Section, host: &Host, notes: &mut Vec<String>) -> Result<Self> {
        let kind: String = manager.take_or("manager_type", "SQLite".to_owned())?;
        let key = manager.take("store_key_path")?;
        let database: Option<PathBuf> = manager.take("sqlite_db_path")?;
        let folder: Option<PathBuf> = manager.take("store_path")?;
        let file = match (kind.as_str(), folder) {
            ("SQLite", _) => database,
            ("OnDisk", folder) => {
                let file = folder.map(|folder| folder.join(FILE));
                notes.push("a key manager of type OnDisk is served by an SQLite file in its folder".to_owned());
                file
            }
            _ => {
                let hint = suggest(&kind, ["SQLite", "OnDisk"].into_iter());
                return Err(manager.wrong("manager_type", &format!("'{kind}' is none; {hint}")));
            }
        };
        let file = match file {
            Some(file) => file,
            None => host.state()?.join(FILE),
        };
        Ok(Self::beside(file, key))
    }

    fn beside(file: PathBuf, key: Option<PathBuf>) -> Self {
        Self { key: key.unwrap_or_else(|| file.with_file_name("store.key")), file }
    }
}

/// Name of the store's file.
const FILE: &str = "keys.sqlite";

/// The providers, and the key manager that the first of them names.
fn read_providers(sections: Vec<Section>, notes: &mut Vec<String>) -> Result<(Vec<ProviderConfig>, Option<String>)> {
    let mut manager: Option<String> = None;
    let mut providers: Vec<ProviderConfig> = Vec::new();
    for mut section in sections {
        let kind = provider_kind(&mut section)?;
        if providers.iter().any(|other| other.kind == kind) {
            let why = "is there twice, and clients address providers by their type: leave one of them out";
            return Err(section.wrong("provider_type", why));
        }
        if kind.kind().tier == Tier::Sealed && providers.is_empty() {
            let why = "cannot be the first, as clients that name no provider use that one, and keys come here only on demand: put another [[provider]] before it";
            return Err(section.wrong("provider_type", why));
        }
        let named: Option<String> = section.take("key_info_manager")?;
        manager = manager.or(named);
        providers.push(ProviderConfig { kind, name: section.take("name")?, settings: section.rest() });
    }
    if providers.is_empty() {
        notes.push("no [[provider]] is configured: serving the software provider".to_owned());
        providers.push(ProviderConfig { kind: ProviderId::SOFTWARE, name: None, settings: Table::new() });
    }
    Ok((providers, manager))
}

fn provider_kind(section: &mut Section) -> Result<ProviderId> {
    let known = || PROVIDERS.iter().filter(|kind| kind.id != ProviderId::CORE);
    let name: String = section.take("provider_type")?.ok_or_else(|| {
        section.wrong("provider_type", "is missing: write provider_type = \"MbedCrypto\", the software provider, or \"Tpm\"")
    })?;
    match known().find(|kind| kind.config == name || kind.name.eq_ignore_ascii_case(&name)) {
        Some(kind) => Ok(kind.id),
        None => {
            let hint = suggest(&name, known().map(|kind| kind.config));
            Err(section.wrong("provider_type", &format!("'{name}' is none; {hint}")))
        }
    }
}

fn read_authenticators(
    mut section: Section,
    host: &Host,
    notes: &mut Vec<String>,
    warnings: &mut Vec<String>,
) -> Result<Authenticators> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Admin {
        name: String,
    }
    let one: Option<String> = section.take("auth_type")?;
    let many: Option<Vec<String>> = section.take("auth_types")?;
    let admins: Option<Vec<Admin>> =
        section.take("admins").map_err(|_| section.wrong("admins", "must be a list such as [{ name = \"uid:0\" }]"))?;
    if section.take::<String>("workload_endpoint")?.is_some() {
        notes.push("[authenticator] workload_endpoint means nothing here: SPIFFE identities are not supported yet".to_owned());
    }
    let untold = one.is_none() && many.is_none();
    let names = match (one, many) {
        (Some(_), Some(_)) => {
            return Err(section.wrong("auth_types", "cannot stand beside auth_type: leave one of them out"));
        }
        (Some(one), None) => vec![one],
        (None, Some(many)) => many,
        (None, None) => vec!["UnixPeerCredentials".to_owned()],
    };
    let kinds = names.iter().map(|name| auth_type(&section, name)).collect::<Result<Vec<_>>>()?;
    if kinds.is_empty() {
        return Err(section.wrong("auth_types", "must name at least one: write auth_type = \"UnixPeerCredentials\""));
    }
    let mut admins: Vec<_> = match admins {
        Some(admins) => admins.iter().map(|admin| principal(&section, &kinds, &admin.name)).collect::<Result<_>>()?,
        None if untold => BTreeSet::from([0, host.uid]).into_iter().map(Principal::Uid).collect(),
        None => Vec::new(),
    };
    let believed = section.take_or("allow_direct_admins", false)?;
    section.finish()?;
    if kinds.contains(&AuthType::Direct) {
        direct_admins(&mut admins, believed, warnings);
    }
    Ok(Authenticators { kinds, admins, unmapped: host.unmapped })
}

/// Applications that say their own names are administrators only where the configuration says so twice: upstream's has such ones, and
/// any program may say any name.
fn direct_admins(admins: &mut Vec<Principal>, believed: bool, warnings: &mut Vec<String>) {
    let direct = |admin: &Principal| admin.auth_type() == AuthType::Direct;
    for admin in admins.iter().filter(|admin| direct(admin)) {
        warnings.push(if believed {
            format!("[authenticator] allow_direct_admins: any program that says it is {admin} is an administrator")
        } else {
            format!(
                "[authenticator] admins: {admin} is no administrator here, as any program may say that name; allow_direct_admins = true believes it"
            )
        });
    }
    admins.retain(|admin| believed || !direct(admin));
}

fn auth_type(section: &Section, name: &str) -> Result<AuthType> {
    match name {
        "UnixPeerCredentials" => Ok(AuthType::UnixPeerCredentials),
        "Direct" => Ok(AuthType::Direct),
        "JwtSvid" => {
            Err(section.wrong("auth_type", "JwtSvid is not built into this version; there is UnixPeerCredentials and Direct"))
        }
        _ => {
            let hint = suggest(name, ["UnixPeerCredentials", "Direct", "JwtSvid"].into_iter());
            Err(section.wrong("auth_type", &format!("'{name}' is none; {hint}")))
        }
    }
}

/// An administrator: in full, or as upstream writes it, where that can mean one thing only.
fn principal(section: &Section, kinds: &[AuthType], name: &str) -> Result<Principal> {
    match (name.parse(), kinds) {
        (Ok(principal), _) => Ok(principal),
        (Err(_), [AuthType::UnixPeerCredentials]) => name.parse().map(Principal::Uid).map_err(|_| {
            let uid = nix::unistd::User::from_name(name).ok().flatten().map_or(0, |user| user.uid.as_raw());
            section.wrong("admins", &format!("'{name}' is no user id: write \"uid:{uid}\""))
        }),
        (Err(_), [AuthType::Direct]) => Ok(Principal::App(name.to_owned())),
        (Err(_), _) => {
            Err(section
                .wrong("admins", &format!("'{name}' may be a user or an application: write \"uid:{name}\" or \"app:{name}\"")))
        }
    }
}

fn socket_path(listener: &mut Section, host: &Host) -> Result<Option<PathBuf>> {
    let kind: Option<String> = listener.take("listener_type")?;
    if let Some(kind) = kind.filter(|kind| kind != "DomainSocket") {
        let why = format!("'{kind}' is none; there is DomainSocket");
        return Err(listener.wrong("listener_type", &why));
    }
    match listener.take("socket_path")? {
        None => host.socket(),
        path => Ok(path),
    }
}

fn log_level(core: &mut Section) -> Result<LevelFilter> {
    let name: String = core.take_or("log_level", "info".to_owned())?;
    name.parse().map_err(|_| {
        let hint = suggest(&name, ["off", "error", "warn", "info", "debug", "trace"].into_iter());
        core.wrong("log_level", &format!("'{name}' is none; {hint}"))
    })
}

#[cfg(test)]
mod tests;
