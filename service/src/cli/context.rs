//! What every command needs: the client, and how a key is named and found.

use super::error::{During, Error, Result};
use super::principal::principal;
use super::{algorithm, output};
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};
use interface::attributes::{Attributes, Usage};
use interface::client::{Client, Endpoint, Identity, KeyRef, Process};
use interface::operations::{AcceptedOwner, Find, Hello, ListAccepted, Owners, Record, RecordKind, Tier, Welcome};
use interface::policy::Purpose;
use interface::pss::Pss;
use interface::spki::PublicKey;
use interface::text::word;
use interface::{ProviderId, Status};
use serde::Serialize;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fmt::Display;
use std::time::Duration;

/// Nobody waits longer for what a shell completes.
const PATIENCE: Duration = Duration::from_secs(1);

/// Options of every command.
#[derive(Default, clap::Args)]
pub(crate) struct Connection {
    /// The service's socket [default: $PARSEC_SERVICE_ENDPOINT, that of /etc/parsec/client.conf, unix:/run/parsec/parsec.sock, or the user's own]
    #[arg(long, visible_alias = "socket", global = true, value_name = "unix:PATH")]
    endpoint: Option<String>,
    /// Print JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

impl Connection {
    /// Fails if a socket was named to the service, which listens where its configuration says.
    pub(crate) fn refuse_endpoint(&self) -> Result<()> {
        match &self.endpoint {
            None => Ok(()),
            Some(_) => Err(Error::Usage(
                "serve takes no --endpoint: it listens at socket_path in [listener] of the configuration".to_owned(),
            )),
        }
    }

    /// The socket that was named.
    pub(crate) fn endpoint(&self) -> Result<Option<Endpoint>> {
        let endpoint = self.endpoint.as_deref().map(Endpoint::of_setting);
        endpoint.transpose().during(|| "find the service".to_owned())
    }
}

/// Where a new thing goes.
#[derive(clap::Args)]
pub(crate) struct ProviderArg {
    /// The provider [default: the service's first]
    #[arg(long, value_parser = provider)]
    pub(crate) provider: Option<ProviderId>,
}

/// Where something is looked for.
#[derive(clap::Args)]
pub(crate) struct SearchArg {
    /// Only in this provider [default: in all]
    #[arg(long, value_parser = provider)]
    pub(crate) provider: Option<ProviderId>,
}

/// An existing key.
#[derive(clap::Args)]
pub(crate) struct KeyArg {
    /// The key's name
    #[arg(add = ArgValueCompleter::new(completions))]
    pub(crate) name: String,
    /// The provider [default: the one that has the key]
    #[arg(long, value_parser = provider)]
    pub(crate) provider: Option<ProviderId>,
    /// The key's owner: uid:N, user:NAME, app:NAME or spiffe://… [default: you, or else whom you accept]
    #[arg(long, value_parser = owner)]
    pub(crate) owner: Option<String>,
}

/// The names of listed keys that begin so, for a shell. Somebody else may have chosen a name, so that one which a shell would not take as
/// one word is left out.
pub(super) fn completions(begun: &OsStr) -> Vec<CompletionCandidate> {
    let (Some(begun), Ok(context)) = (begun.to_str(), Context::new(&Connection::default())) else { return Vec::new() };
    let client = context.client.with_wait(Duration::ZERO).with_deadline(PATIENCE);
    let all = Find { kind: Some(RecordKind::Key.into()), ..Find::default() };
    let providers = client.providers().unwrap_or_default();
    let found = providers.iter().flat_map(|(id, _)| client.find(*id, &all).unwrap_or_default());
    let names: BTreeSet<_> = found
        .map(|key| key.name)
        .filter(|name| name.starts_with(begun) && word(name) == *name && !name.starts_with(['-', '=']))
        .collect();
    names.into_iter().map(CompletionCandidate::new).collect()
}

pub(crate) fn provider(text: &str) -> Result<ProviderId, String> {
    let names: Vec<_> = interface::PROVIDERS.iter().map(|kind| kind.name).skip(1).collect();
    text.parse()
        .ok()
        .filter(|id| *id != ProviderId::CORE)
        .ok_or_else(|| format!("there is no such provider; known are {}", names.join(", ")))
}

pub(crate) fn owner(text: &str) -> Result<String, String> {
    principal(text).map(|principal| principal.to_string()).map_err(|error| error.to_string())
}

/// A command's surroundings.
pub(crate) struct Context {
    pub(crate) client: Client,
    pub(crate) json: bool,
}

impl Context {
    pub(crate) fn new(connection: &Connection) -> Result<Self> {
        let process = Process::default();
        let endpoint = match connection.endpoint()? {
            Some(endpoint) => endpoint,
            None => Endpoint::from_env(&process).during(|| "find the service".to_owned())?,
        };
        Ok(Self { client: Client::new(endpoint).with_identity(Identity::from_env(&process)), json: connection.json })
    }

    /// Who the service is, and who it says that the caller is.
    pub(crate) fn welcome(&self) -> Result<Welcome, interface::client::Error> {
        let client = concat!("parsec ", env!("CARGO_PKG_VERSION")).to_owned();
        self.client.call(ProviderId::CORE, &Hello { version: 1, client, ..Hello::default() })
    }

    /// Prints a result.
    pub(crate) fn show(&self, result: &(impl Serialize + Display)) -> Result<()> {
        output::show(self.json, result)
    }

    /// The named provider, or else the service's first.
    pub(crate) fn provider(&self, named: Option<ProviderId>) -> Result<ProviderId> {
        named.map_or_else(|| self.client.default_provider().during(|| "ask for the providers".to_owned()), Ok)
    }

    /// The named provider, or else all of the service's.
    pub(crate) fn providers(&self, named: Option<ProviderId>) -> Result<Vec<ProviderId>> {
        if let Some(provider) = named {
            return Ok(vec![provider]);
        }
        let providers = self.client.providers();
        let providers = providers.during(|| "ask for the providers".to_owned())?;
        Ok(providers.into_iter().map(|(id, _)| id).collect())
    }

    /// The one key of this name, in whichever provider it is.
    pub(crate) fn key(&self, key: &KeyArg) -> Result<KeyRecord> {
        let KeyArg { name, owner, .. } = key;
        let (mut found, mut refusal) = (Vec::new(), None);
        for provider in self.providers(key.provider)? {
            match self.client.lookup(provider, owner.as_deref(), name) {
                Ok(record) => found.push(KeyRecord::new(record)?),
                Err(error) if error.status() == Some(Status::PsaErrorDoesNotExist) => {
                    refusal = Some(error.to_string());
                }
                Err(error) => return Err(error).during(|| format!("look up key '{name}'")),
            }
        }
        // a former name means less than a name
        if found.iter().any(|key| key.name() == name) {
            found.retain(|key| key.name() == name);
        }
        if found.len() > 1 {
            let all: Vec<_> = found.iter().map(|key| key.provider.name()).collect();
            return Err(Error::Usage(format!(
                "there is a key '{name}' in {}: say which one with --provider",
                all.join(" and in ")
            )));
        }
        // the service knows best what another owner would have to do
        let refusal = refusal.filter(|_| owner.is_some());
        let absent = || Error::NotFound(refusal.unwrap_or_else(|| self.no_key(key)));
        found.pop().ok_or_else(absent)
    }

    /// The same, if it is the caller's own: nobody changes what others own.
    pub(crate) fn own_key(&self, key: &KeyArg) -> Result<KeyRecord> {
        let found = self.key(key)?;
        if found.record.foreign {
            let (name, owner) = (found.name(), &found.record.owner);
            return Err(Error::Usage(format!(
                "key '{name}' belongs to {owner}, who alone can change it: type this as that user"
            )));
        }
        Ok(found)
    }

    fn no_key(&self, key: &KeyArg) -> String {
        let advice = self.unlisted().map_or_else(
            || "what there is: parsec key list".to_owned(),
            |owner| {
                let owner = word(&owner.to_string());
                format!("{owner} has granted you keys that are not listed: add --owner {owner}, or parsec key accept {owner}")
            },
        );
        format!("you have no key '{}' ({advice})", key.name)
    }

    /// The first owner whose granted keys the caller does not see.
    fn unlisted(&self) -> Option<String> {
        let owners = self.owners(None).ok()?;
        owners.into_iter().find(|owner| !owner.listed && owner.keys > 0).map(|owner| owner.owner)
    }

    /// The owners who have granted keys to these callers, or about whom there is a verdict.
    pub(crate) fn owners(&self, callers: Option<String>) -> Result<Vec<AcceptedOwner>, interface::client::Error> {
        self.client.call(ProviderId::CORE, &ListAccepted { callers }).map(|Owners { owners }| owners)
    }
}

/// A key with its attributes parsed.
pub(crate) struct KeyRecord {
    pub(crate) record: Record,
    pub(crate) provider: ProviderId,
    pub(crate) attributes: Attributes,
}

impl KeyRecord {
    pub(crate) fn new(record: Record) -> Result<Self> {
        let name = &record.name;
        let unknown = |_| {
            Error::Failed(format!(
                "key '{name}' has a type or an algorithm that this program does not know: use the program of the service's version (parsec --version)"
            ))
        };
        let provider = ProviderId::try_from(record.provider_id).map_err(unknown)?;
        let attributes =
            record.attributes.as_ref().ok_or(Status::InvalidEncoding).and_then(Attributes::try_from).map_err(unknown)?;
        Ok(Self { record, provider, attributes })
    }

    pub(crate) fn name(&self) -> &str {
        &self.record.name
    }

    /// The owner, as requests name it; an upstream service does not tell one.
    pub(crate) fn owner(&self) -> Option<String> {
        Some(self.record.owner.clone()).filter(|owner| !owner.is_empty())
    }

    /// The key in use.
    pub(crate) fn reference(&self) -> KeyRef {
        KeyRef { provider: self.provider, owner: self.owner(), name: self.name().to_owned() }
    }

    /// The public half.
    pub(crate) fn public(&self) -> Result<PublicKey> {
        let key_type = self.attributes.key_type;
        if self.record.public_key.is_empty() || !(key_type.is_pair() || key_type.is_public()) {
            return Err(Error::Usage(format!(
                "'{}' is a secret key ({}), which has no public half: key pairs are those of parsec key new --for PURPOSE",
                self.name(),
                self.algorithm()
            )));
        }
        Ok(PublicKey { key_type: key_type.public(), bits: self.attributes.bits, bytes: self.record.public_key.clone() })
    }

    /// DER of the public half's `SubjectPublicKeyInfo`.
    pub(crate) fn spki(&self) -> Result<Vec<u8>> {
        let public = self.public()?;
        let spki = if self.record.pss_alone(&self.attributes.policy) {
            public.to_pss_spki(Pss::of_policy(&self.attributes.policy))
        } else {
            public.to_spki()
        };
        spki.ok_or_else(|| {
            Error::Unsupported(format!("the type of '{}' ({}) has no SubjectPublicKeyInfo here", self.name(), self.algorithm()))
        })
    }

    pub(crate) fn algorithm(&self) -> String {
        algorithm::name(self.attributes.key_type, self.attributes.bits)
    }

    /// What it was made for, if somebody said so.
    pub(crate) fn purpose(&self) -> Option<Purpose> {
        Purpose::of(&self.record.pkcs11)
    }

    /// What the caller may do.
    pub(crate) fn usage(&self) -> Usage {
        self.record.usage.as_ref().map_or(Usage::NONE, Usage::from)
    }

    pub(crate) fn tier(&self) -> &'static str {
        Tier::try_from(self.record.tier).map_or("unknown", Tier::name)
    }
}
