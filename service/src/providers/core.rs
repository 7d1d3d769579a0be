//! The core provider: operations on the service, its clients and its key store. They belong to no single provider's cryptography.

mod accept;
mod catalogue;
mod life;
mod token;

use crate::admission::Call;
use crate::auth::Principal;
use crate::bounds;
use crate::connections::Connections;
use crate::error::{Error, Result};
use crate::flight::Flight;
use crate::provider::{Handle, Info, Provider};
use crate::providers::Backends;
use crate::quotas::Limit;
use crate::stats::Stats;
use crate::store::GRANT;
use crate::wrapping;
use catalogue::Catalogue;
use interface::attributes::Usage;
use interface::operations::*;
use interface::{AuthType, PROVIDERS, ProviderId, Status, wire};
use prost::Message;
use std::sync::Arc;
use std::time::Duration;

/// How long it may take to destroy all keys of somebody.
const MANY: Duration = Duration::from_secs(3600);
/// The status shows so many of the greediest clients for each limit.
const GREEDIEST: usize = 3;
/// Version of the extensions.
const EXTENSIONS: u32 = 1;

/// The core's own state.
pub struct Core {
    stats: Arc<Stats>,
    connections: Arc<Connections>,
    body_limit: u64,
    flight: Arc<Flight>,
    backends: Arc<Backends>,
}

impl Core {
    /// The core provider.
    pub fn open(
        stats: Arc<Stats>,
        connections: Arc<Connections>,
        body_limit: u64,
        flight: Arc<Flight>,
        backends: Arc<Backends>,
    ) -> Provider {
        let core = Arc::new(Self { stats, connections, body_limit, flight, backends });
        let info = Info {
            id: ProviderId::CORE,
            description: "Answers for the service itself".to_owned(),
            vendor: String::new(),
            version: version(),
        };
        let provider = Provider::new(info, 1)
            .on::<Ping, _>(&core)
            .on::<ListAuthenticators, _>(&core)
            .on_scan::<ListKeys, _>(&core)
            .on_scan::<ListClients, _>(&core)
            .on::<Hello, _>(&core)
            .on_scan::<ServiceStatus, _>(&core)
            .on::<LookupKey, _>(&core)
            .on_scan::<Find, _>(&core)
            .on_slow::<SetMetadata, _>(&core)
            .on_slow::<PutObject, _>(&core)
            .on::<LookupObject, _>(&core)
            .on_store::<DestroyObject, _>(&core)
            .on_slow::<Grant, _>(&core)
            .on_store::<Revoke, _>(&core)
            .on_scan::<ListGrants, _>(&core)
            .on_slow::<Accept, _>(&core)
            .on_scan::<ListAccepted, _>(&core)
            .on_slow::<ChangeOwner, _>(&core)
            .on_slow::<ConfirmUser, _>(&core)
            .on::<TokenStatus, _>(&core)
            .on_slow::<SetPin, _>(&core)
            .on_slow::<Login, _>(&core)
            .on::<Logout, _>(&core)
            .within(MANY)
            .on_slow::<DeleteClient, _>(&core)
            .on_slow::<InitToken, _>(&core);
        Catalogue::register(provider, &core.backends)
    }

    /// Whether the device behind the keys of the request is away.
    fn away(&self, call: &Call<'_>) -> bool {
        self.backends.crypto(call.provider()).is_some_and(|backend| backend.away().is_some())
    }

    /// Destroys the keys of somebody, those in one provider or all.
    fn destroy_keys(&self, call: &Call<'_>, owner: &Principal, provider: Option<ProviderId>) -> Result<()> {
        let keys = call.store().keys(owner).into_iter();
        for key in keys.filter(|key| provider.is_none_or(|here| here == key.provider)) {
            self.backends.destroy(&key, call.asker.further())?;
        }
        Ok(())
    }
}

fn version() -> [u32; 3] {
    let mut parts = env!("CARGO_PKG_VERSION").split('.').map(|part| part.parse().unwrap_or(0));
    std::array::from_fn(|_| parts.next().unwrap_or(0))
}

impl Handle<Ping> for Core {
    fn handle(&self, _: &Call<'_>, _: Ping) -> Result<Pong> {
        let [major, minor] = wire::VERSION;
        Ok(Pong { version_maj: major.into(), version_min: minor.into() })
    }
}

impl Handle<Hello> for Core {
    fn handle(&self, call: &Call<'_>, hello: Hello) -> Result<Welcome> {
        tracing::debug!(client = hello.client, "hello");
        Ok(Welcome {
            version: hello.version.clamp(1, EXTENSIONS),
            service: concat!("parsec ", env!("CARGO_PKG_VERSION")).to_owned(),
            principal: call.caller.map(ToString::to_string).unwrap_or_default(),
            body_limit: self.body_limit,
            former_user: call.caller.map(|caller| life::former(call, caller)).unwrap_or_default(),
        })
    }
}

impl Handle<ServiceStatus> for Core {
    fn handle(&self, call: &Call<'_>, _: ServiceStatus) -> Result<ServiceReport> {
        let (keys, missing) = call.store().count();
        Ok(ServiceReport {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime: self.stats.uptime(),
            connections: self.connections.total() as u64,
            requests: self.stats.requests(),
            keys,
            missing,
            made_room: self.connections.closed(),
            quotas: self.quotas(call)?,
        })
    }
}

impl Core {
    /// The caller's part of each limit, and for administrators who has most.
    fn quotas(&self, call: &Call<'_>) -> Result<Vec<Quota>> {
        let user = Principal::Uid(call.uid);
        let who = call.caller.unwrap_or(&user);
        let (admin, flight) = (call.admission.authenticators.admin(who), &self.flight);
        let (quotas, usage) = (&call.admission.quotas, call.store().usage(who));
        let shown = if admin { GREEDIEST } else { 0 };
        let part = |mut all: Vec<(Principal, u64)>, who: &Principal| {
            all.sort_unstable_by(|(one, less), (other, more)| (more, one).cmp(&(less, other)));
            (all.iter().find(|(client, _)| client == who).map_or(0, |(_, used)| *used), all)
        };
        let quota = |limit: Limit| {
            let (used, mut all) = match limit {
                Limit::Connections => part(self.connections.users(), &user),
                Limit::Requests => part(flight.queued(), who),
                Limit::BytesInFlight => part(flight.held(), &user),
                Limit::PinTries => (quotas.pin_tries(call.uid), Vec::new()),
                _ => (usage.of(limit), call.store().greediest(limit, shown)),
            };
            all.truncate(shown);
            let share = |(principal, used): (Principal, u64)| Share { principal: principal.to_string(), used };
            Quota {
                name: limit.key().to_owned(),
                used,
                limit: quotas.number(who, limit),
                refused: if admin { quotas.refused(limit) } else { 0 },
                greediest: all.into_iter().map(share).collect(),
            }
        };
        Ok(Limit::ALL.into_iter().map(quota).collect())
    }
}

impl Handle<ListAuthenticators> for Core {
    fn handle(&self, call: &Call<'_>, _: ListAuthenticators) -> Result<Authenticators> {
        let describe = |kind: &AuthType| {
            let description = match kind {
                AuthType::Direct => "The application says its name and is believed",
                AuthType::UnixPeerCredentials => "The kernel tells the user id of the peer of the Unix socket",
                AuthType::JwtSvid => "A SPIFFE JWT-SVID",
                AuthType::None | AuthType::Jwt => "",
            };
            AuthenticatorInfo {
                description: description.to_owned(),
                version_maj: 0,
                version_min: 1,
                version_rev: 0,
                id: *kind as u32,
            }
        };
        Ok(Authenticators { authenticators: call.admission.authenticators.kinds.iter().map(describe).collect() })
    }
}

impl Handle<ListKeys> for Core {
    /// All in one answer, as upstream's clients want it; so it is refused where it is more than a user may have in flight.
    fn handle(&self, call: &Call<'_>, _: ListKeys) -> Result<Keys> {
        let (user, mut bytes, mut keys) = (Principal::Uid(call.uid), 0, Vec::new());
        let all = call.store().keys(call.caller()?);
        for key in all.iter().filter(|key| !key.volatile() && (call.extended() || key.upstream())) {
            let (provider_id, attributes) = (key.provider.number().into(), Some((&key.attributes).into()));
            let info = KeyInfo { provider_id, name: key.name.clone(), attributes };
            bytes += info.encoded_len() as u64;
            call.admission.quotas.check(&user, Limit::BytesInFlight, bytes)?;
            keys.push(info);
        }
        Ok(Keys { keys })
    }
}

impl Handle<ListClients> for Core {
    /// Names without their kind, as upstream tells them; so only those of the caller's own kind.
    fn handle(&self, call: &Call<'_>, _: ListClients) -> Result<Clients> {
        let kind = call.caller()?.auth_type();
        let owners = call.store().owners().into_iter().filter(|owner| owner.auth_type() == kind);
        Ok(Clients { clients: owners.map(|owner| owner.upstream()).collect() })
    }
}

impl Handle<DeleteClient> for Core {
    fn handle(&self, call: &Call<'_>, op: DeleteClient) -> Result<interface::message::Empty> {
        let kind = call.caller()?.auth_type();
        let named = |owner: &Principal| owner.auth_type() == kind && owner.upstream() == op.client;
        let client = call.store().owners().into_iter().find(named);
        let client =
            client.ok_or_else(|| Error::refused(Status::PsaErrorDoesNotExist, format!("no client '{}' owns keys", op.client)))?;
        let _closed = call.store().reset(&client, PROVIDERS.iter().map(|kind| kind.id))?;
        self.destroy_keys(call, &client, None)?;
        call.store().forget(&client)?;
        Ok(interface::message::Empty {})
    }
}

impl Handle<LookupKey> for Core {
    fn handle(&self, call: &Call<'_>, _: LookupKey) -> Result<Record> {
        let key = call.key()?;
        Ok(Record { away: self.away(call), former_user: life::former(call, &key.owner), ..key.record(call.caller()?) })
    }
}

impl Handle<Find> for Core {
    fn handle(&self, call: &Call<'_>, op: Find) -> Result<Found> {
        // No record has more.
        bounds::attributes(&op.pkcs11)?;
        bounds::key_types(&op.key_types)?;
        if op.everyone {
            call.check_overview(op.kind)?;
        }
        let mut found = call.store().find(call.caller()?, call.provider(), &op, &call.admission.authenticators.admins);
        found.everyone = op.everyone;
        if self.away(call) {
            let keys = found.records.iter_mut().filter(|record| record.kind == i32::from(RecordKind::Key));
            keys.for_each(|record| record.away = true);
        }
        let renamed = if call.store().any_renamed() { found.records.as_mut_slice() } else { &mut [] };
        for record in renamed {
            record.former_user = record.owner.parse().map(|owner| life::former(call, &owner)).unwrap_or_default();
        }
        Ok(found)
    }
}

impl Handle<SetMetadata> for Core {
    fn handle(&self, call: &Call<'_>, op: SetMetadata) -> Result<interface::message::Empty> {
        bounds::beside(op.label.as_deref(), op.id.as_deref(), &op.pkcs11)?;
        call.check_trust(&op.pkcs11)?;
        if let Some(key) =
            call.store().key(call.provider(), call.caller()?, &op.name).filter(|_| op.kind == RecordKind::Key.into())
        {
            wrapping::check_marks(&key, &op.pkcs11)?;
        }
        call.check_room(call.store().growth_by_metadata(call.caller()?, call.provider(), &op))?;
        match &op.rename {
            Some(new) if op.kind == i32::from(RecordKind::Key) => {
                bounds::name(new)?;
                call.store().rename(call.caller()?, call.provider(), &op.name, new)?;
            }
            _ => call.store().set_metadata(call.caller()?, call.provider(), &op)?,
        }
        Ok(interface::message::Empty {})
    }
}

impl Handle<PutObject> for Core {
    fn handle(&self, call: &Call<'_>, op: PutObject) -> Result<Record> {
        bounds::text("name", op.name.as_bytes())?;
        bounds::beside(op.label.as_deref(), op.id.as_deref(), &op.pkcs11)?;
        call.check_trust(&op.pkcs11)?;
        call.check_room(call.store().growth_by_object(call.caller()?, call.provider(), &op))?;
        let record = call.store().put_object(call.caller()?, call.provider(), &op)?;
        call.store().made_by(call.uid, record.uuid.parse()?);
        Ok(record)
    }
}

impl Handle<LookupObject> for Core {
    fn handle(&self, call: &Call<'_>, op: LookupObject) -> Result<Record> {
        call.store().object(call.caller()?, call.provider(), &op, &call.admission.authenticators.admins)
    }
}

impl Handle<DestroyObject> for Core {
    fn handle(&self, call: &Call<'_>, op: DestroyObject) -> Result<interface::message::Empty> {
        call.store().destroy_object(call.caller()?, call.provider(), &op)?;
        Ok(interface::message::Empty {})
    }
}

impl Handle<Grant> for Core {
    fn handle(&self, call: &Call<'_>, op: Grant) -> Result<interface::message::Empty> {
        let usage = Usage::from(op.usage.as_ref().ok_or(Status::InvalidEncoding)?);
        if usage.is_empty() {
            return Err(Error::refused(Status::PsaErrorInvalidArgument, "a grant of nothing: revoke it instead"));
        }
        bounds::text("principal", op.principal.as_bytes())?;
        let (key, to) = (call.key()?, op.principal.parse()?);
        call.store().check_same_user(&to)?;
        if wrapping::depends(key, usage) {
            call.admission.recall(call, key)?;
        }
        wrapping::check_grant(key, &to, usage)?;
        if !key.grants.contains_key(&to) {
            call.check_room([(Limit::Bytes, GRANT)])?;
        }
        call.store().grant(key, &to, usage)?;
        Ok(interface::message::Empty {})
    }
}

impl Handle<Revoke> for Core {
    fn handle(&self, call: &Call<'_>, op: Revoke) -> Result<interface::message::Empty> {
        call.store().revoke(call.key()?, &op.principal.parse()?)?;
        Ok(interface::message::Empty {})
    }
}

impl Handle<ListGrants> for Core {
    fn handle(&self, call: &Call<'_>, _: ListGrants) -> Result<Grants> {
        let grants = call.key()?.grants.iter();
        let describe =
            |(principal, usage): (&Principal, &Usage)| Granted { principal: principal.to_string(), usage: Some((*usage).into()) };
        Ok(Grants { grants: grants.map(describe).collect() })
    }
}
