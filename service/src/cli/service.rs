//! Commands about the service itself.

use super::context::Context;
use super::error::{During, Result};
use super::output::{Text, table};
use super::principal::user_name;
use interface::ProviderId;
use interface::operations::{self, ListOpcodes, Ping, ServiceStatus};
use serde::Serialize;
use std::fmt::Display;

#[derive(Serialize)]
struct Pong {
    endpoint: Text,
    protocol: String,
}

impl Display for Pong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "The service at {} answers; it speaks Parsec {}.", self.endpoint, self.protocol)
    }
}

pub(crate) fn ping(context: &Context) -> Result<()> {
    let pong = context.client.call(ProviderId::CORE, &Ping {});
    let pong = pong.during(|| "ping".to_owned())?;
    context.show(&Pong {
        endpoint: Text::new(context.client.endpoint()),
        protocol: format!("{}.{}", pong.version_maj, pong.version_min),
    })
}

#[derive(Serialize)]
struct Status {
    endpoint: Text,
    service: Text,
    /// As whom the service knows the caller.
    principal: Text,
    /// The name of a user of this host.
    user: Option<Text>,
    /// Seconds since the start.
    uptime: u64,
    connections: u64,
    requests: u64,
    keys: u64,
    /// Keys that their hardware does not show.
    missing: u64,
    /// Longest request body in bytes.
    body_limit: u64,
    /// Connections that were closed to make room for others.
    made_room: u64,
    quotas: Vec<Quota>,
}

/// A limit of the service's configuration.
#[derive(Serialize)]
struct Quota {
    name: Text,
    /// How much the caller has, and may have.
    used: u64,
    limit: u64,
    /// How often anybody was refused, for administrators.
    refused: u64,
    /// Who has most, for administrators.
    greediest: Vec<Share>,
}

#[derive(Serialize)]
struct Share {
    principal: Text,
    used: u64,
}

impl Quota {
    fn new(quota: operations::Quota) -> Self {
        let operations::Quota { name, used, limit, refused, greediest } = quota;
        let greediest = greediest.into_iter().map(|share| Share { principal: Text(share.principal), used: share.used });
        Self { name: Text(name), used, limit, refused, greediest: greediest.collect() }
    }

    fn row(&self) -> [String; 5] {
        let greediest: Vec<_> = self.greediest.iter().map(|share| format!("{} {}", share.principal, share.used)).collect();
        [self.name.to_string(), self.used.to_string(), self.limit.to_string(), self.refused.to_string(), greediest.join(", ")]
    }
}

impl Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (hours, minutes, seconds) = (self.uptime / 3600, self.uptime / 60 % 60, self.uptime % 60);
        writeln!(f, "service      {} at {}", self.service, self.endpoint)?;
        let user = self.user.as_ref().map(|name| format!(" ({name})"));
        let user = user.unwrap_or_default();
        writeln!(f, "you are      {}{user}", self.principal)?;
        writeln!(f, "up for       {hours}:{minutes:02}:{seconds:02}")?;
        writeln!(f, "connections  {}, and {} that made room for others", self.connections, self.made_room)?;
        writeln!(f, "requests     {}", self.requests)?;
        writeln!(f, "keys         {}, of which {} missing from their hardware", self.keys, self.missing)?;
        if self.quotas.is_empty() {
            return Ok(());
        }
        writeln!(f)?;
        let rows: Vec<_> = self.quotas.iter().map(Quota::row).collect();
        table(f, ["QUOTA", "YOU HAVE", "OF", "REFUSED", "WHO HAS MOST"], &rows)
    }
}

pub(crate) fn status(context: &Context) -> Result<()> {
    let failed = || "ask for the status".to_owned();
    let welcome = context.welcome().during(failed)?;
    let report = context.client.call(ProviderId::CORE, &ServiceStatus {});
    let report = report.during(failed)?;
    context.show(&Status {
        endpoint: Text::new(context.client.endpoint()),
        service: Text(welcome.service),
        user: user_name(&welcome.principal).map(Text),
        principal: Text(welcome.principal),
        uptime: report.uptime,
        connections: report.connections,
        requests: report.requests,
        keys: report.keys,
        missing: report.missing,
        body_limit: welcome.body_limit,
        made_room: report.made_room,
        quotas: report.quotas.into_iter().map(Quota::new).collect(),
    })
}

#[derive(Serialize)]
struct Provider {
    id: u8,
    name: &'static str,
    description: String,
    vendor: String,
    version: String,
    uuid: String,
    operations: usize,
    /// Why its device does not answer.
    away: Option<Text>,
}

#[derive(Serialize)]
struct Providers {
    providers: Vec<Provider>,
}

impl Display for Providers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let row = |provider: &Provider| {
            [
                provider.id.to_string(),
                provider.name.to_owned(),
                provider.version.clone(),
                provider.operations.to_string(),
                provider.away.as_ref().map_or_else(|| provider.description.clone(), |why| format!("away: {why}")),
            ]
        };
        let rows: Vec<_> = self.providers.iter().map(row).collect();
        table(f, ["ID", "NAME", "VERSION", "OPERATIONS", "DESCRIPTION"], &rows)
    }
}

pub(crate) fn providers(context: &Context) -> Result<()> {
    let failed = || "list the providers".to_owned();
    let mut providers = Vec::new();
    for (id, info) in context.client.providers().during(failed)? {
        let list = ListOpcodes { provider_id: id.number().into() };
        let opcodes = match context.client.call(ProviderId::CORE, &list) {
            Err(error) if error.status() == Some(interface::Status::PsaErrorCommunicationFailure) => Vec::new(),
            opcodes => opcodes.during(failed)?.opcodes,
        };
        providers.push(Provider {
            id: id.number(),
            name: id.name(),
            version: format!("{}.{}.{}", info.version_maj, info.version_min, info.version_rev),
            description: info.description,
            vendor: info.vendor,
            uuid: info.uuid,
            operations: opcodes.len(),
            away: (!info.away.is_empty()).then_some(Text(info.away)),
        });
    }
    context.show(&Providers { providers })
}
