//! The service: whether it answers, and how its providers are.

use super::super::context::Context;
use super::{Finding, keys};
use interface::ProviderId;
use interface::client::Error;
use interface::operations::{Ping, ServiceStatus};
use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// No clock of a host that runs this version is behind this: 2026-01-01.
const EPOCH: Duration = Duration::from_secs(1_767_225_600);

/// What can be told of the service.
pub(super) fn examine(context: &Context) -> Vec<Finding> {
    let mut findings = vec![clock(SystemTime::now())];
    match context.client.call(ProviderId::CORE, &Ping {}) {
        Ok(_) => {
            findings.push(Finding::ok("socket", format!("the service answers at {}", context.client.endpoint())));
            findings.push(caller(context));
            findings.extend(providers(context));
            findings.extend(missing(context));
            findings.extend(keys::examine(context));
        }
        Err(error) => findings.push(unreachable(context, &error)),
    }
    findings
}

/// Certificates and PIN waits need the time.
fn clock(now: SystemTime) -> Finding {
    match now.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(now) if now >= EPOCH => Finding::ok("clock", "the clock is set"),
        _ => Finding::wrong(
            "clock",
            "the clock is years behind, so new certificates are not valid yet",
            "timedatectl set-ntp true",
        ),
    }
}

/// Why nobody answers, with what to do about it.
fn unreachable(context: &Context, error: &Error) -> Finding {
    let unit = Path::new("/run/systemd/system").exists();
    let cure = match error {
        Error::Connect { source, .. } => match source.kind() {
            ErrorKind::NotFound if unit => "systemctl enable --now parsec.socket".to_owned(),
            ErrorKind::PermissionDenied => {
                let path = context.client.endpoint().path();
                let folder = Path::new(path).parent().map_or_else(String::new, |folder| folder.display().to_string());
                format!("let this user through: chmod o+x {folder} && chmod 666 {path}")
            }
            ErrorKind::WouldBlock if unit => "systemctl restart parsec".to_owned(),
            _ if unit => "see why it ended: journalctl -u parsec".to_owned(),
            _ => "start it: parsec serve".to_owned(),
        },
        Error::Timeout(_) if unit => "systemctl restart parsec".to_owned(),
        Error::Timeout(_) => "end it, and start it again: parsec serve".to_owned(),
        _ if unit => "see why: journalctl -u parsec".to_owned(),
        _ => "see the log of parsec serve".to_owned(),
    };
    let told = match error {
        // the cure stands beside it
        Error::Connect { endpoint, source } if source.kind() != ErrorKind::WouldBlock => {
            format!("cannot reach the Parsec service at {endpoint}: {source}")
        }
        _ => error.to_string(),
    };
    Finding::wrong("socket", told, cure)
}

fn caller(context: &Context) -> Finding {
    match context.welcome() {
        Ok(welcome) if welcome.principal.is_empty() => {
            Finding::wrong("caller", "the service does not know who you are", "see auth_type in /etc/parsec/config.toml")
        }
        Ok(welcome) if !welcome.former_user.is_empty() => Finding::wrong(
            "caller",
            format!(
                "{} was the user '{}' when it got its keys, and has another name now and none of them",
                welcome.principal, welcome.former_user
            ),
            format!("if that is the same user, root types: parsec key same-user {}", welcome.principal),
        ),
        Ok(welcome) => Finding::ok("caller", format!("the service knows you as {}", welcome.principal)),
        Err(error) => Finding::wrong("caller", error, "see auth_type in /etc/parsec/config.toml"),
    }
}

fn providers(context: &Context) -> Vec<Finding> {
    let providers = match context.client.providers() {
        Ok(providers) => providers,
        Err(error) => return vec![Finding::wrong("provider", error, "journalctl -u parsec")],
    };
    let state = |(id, info): (ProviderId, interface::operations::ProviderInfo)| match info.away.as_str() {
        "" => Finding::ok("provider", format!("{id}: {}", info.description)),
        why => {
            let cure = "it comes back by itself when the device is there; its service's user must be in the device's group (tss)";
            Finding::wrong("provider", format!("{id} is away: {why}"), cure)
        }
    };
    providers.into_iter().map(state).collect()
}

fn missing(context: &Context) -> Option<Finding> {
    let report = context.client.call(ProviderId::CORE, &ServiceStatus {}).ok()?;
    Some(match report.missing {
        0 => Finding::ok("keys", format!("{} keys, of which none is missing", report.keys)),
        missing => Finding::wrong(
            "keys",
            format!("{missing} of {} keys were made in another TPM, or before this one was cleared", report.keys),
            "put that TPM back, or make new keys: parsec key list",
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    #[test]
    fn a_clock_that_was_never_set_is_wrong() {
        let at = |seconds| clock(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).state;
        assert_eq!((at(0), at(EPOCH.as_secs() - 1), at(EPOCH.as_secs())), (State::Wrong, State::Wrong, State::Ok));
    }
}
