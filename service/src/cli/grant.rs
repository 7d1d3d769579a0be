//! Grants: who else may use a key, and for what.

use super::context::{Context, KeyArg, KeyRecord};
use super::error::{During, Error, Result};
use super::output::{self, Text, table};
use super::principal::{principal, user_name};
use interface::attributes::Usage;
use interface::operations::{Grant, ListGrants, Revoke};
use parsec_service::auth::Principal;
use serde::Serialize;
use std::fmt::Display;
use std::str::FromStr;

/// Every role but `export`.
const USE: &str = "use";

pub(crate) fn every_use() -> Usage {
    Usage::ROLES.iter().filter(|(_, usage)| *usage != Usage::EXPORT).fold(Usage::NONE, |all, (_, usage)| all | *usage)
}

fn usage(roles: &str) -> Result<Usage> {
    let every = || Usage::ROLES.iter().map(|(name, _)| *name);
    let role = |role: &str| match Usage::ROLES.iter().find(|(name, _)| *name == role) {
        Some((_, usage)) => Ok(*usage),
        None if role == USE => Ok(every_use()),
        None => {
            let known: Vec<_> = every().chain([USE]).collect();
            Err(Error::Usage(format!("there is no role '{role}'; roles are {}", known.join(", "))))
        }
    };
    roles.split(',').map(role).try_fold(Usage::NONE, |all, one| Ok(all | one?))
}

/// Somebody, and what it may do: `user:www-data=sign,verify`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    principal: Principal,
    usage: Usage,
    text: String,
}

impl FromStr for Share {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (who, what) = text
            .rsplit_once('=')
            .ok_or_else(|| Error::Usage(format!("'{text}' must be WHO=ROLES, such as user:www-data=sign")))?;
        Ok(Self { principal: principal(who)?, usage: usage(what)?, text: text.to_owned() })
    }
}

impl Share {
    /// Tells the service; `what` is what an error message calls the key.
    pub(crate) fn give(&self, context: &Context, key: &KeyRecord, what: &str) -> Result<()> {
        let grant = Grant {
            key_name: key.name().to_owned(),
            principal: self.principal.to_string(),
            usage: Some(self.usage.into()),
            owner: key.owner(),
        };
        let result = context.client.call(key.provider, &grant);
        result.during(|| format!("grant {} on {what} '{}'", self.text, key.name()))?;
        let permitted = key.attributes.policy.usage.roles();
        let vain: Vec<_> = self.usage.roles().into_iter().filter(|role| !permitted.contains(role)).collect();
        if !vain.is_empty() && !self.usage.contains(every_use()) {
            let (name, vain) = (Text::new(key.name()), vain.join(", "));
            output::complain(&format_args!(
                "parsec: the grant of {vain} is in vain: the policy of key '{name}' does not permit it to anybody"
            ));
        }
        Ok(())
    }

    pub(crate) fn granted(&self) -> Granted {
        Granted::new(self.principal.to_string(), self.usage)
    }
}

/// One share for each principal, with all that several say of it.
pub(crate) fn merged(shares: &[Share]) -> Vec<Share> {
    let mut all: Vec<Share> = Vec::new();
    for share in shares {
        match all.iter_mut().find(|other| other.principal == share.principal) {
            Some(other) => {
                *other =
                    Share { usage: other.usage | share.usage, text: format!("{},{}", other.text, share.text), ..other.clone() }
            }
            None => all.push(share.clone()),
        }
    }
    all
}

#[derive(clap::Args)]
pub(crate) struct Give {
    #[command(flatten)]
    key: KeyArg,
    /// Who may do what: user:NAME, uid:N, app:NAME or spiffe://…, then =, then roles (sign, verify, encrypt, decrypt, derive, wrap,
    /// unwrap, export; use is all but export). Replaces what it was granted before.
    #[arg(value_name = "WHO=ROLES", required = true)]
    shares: Vec<Share>,
}

#[derive(clap::Args)]
pub(crate) struct TakeBack {
    #[command(flatten)]
    key: KeyArg,
    /// Whose grants: user:NAME, uid:N, app:NAME or spiffe://…
    #[arg(value_name = "WHO", required = true, value_parser = principal)]
    principals: Vec<Principal>,
}

/// One line of the list.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub(crate) struct Granted {
    principal: Text,
    /// The name of a user of this host.
    user: Option<Text>,
    roles: Vec<&'static str>,
}

impl Granted {
    fn new(principal: String, usage: Usage) -> Self {
        Self { user: user_name(&principal).map(Text), principal: Text(principal), roles: usage.roles() }
    }
}

impl Display for Granted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.principal.fmt(f)?;
        if let Some(user) = &self.user {
            write!(f, " ({user})")?;
        }
        write!(f, ": {}", self.roles.join(", "))
    }
}

#[derive(Serialize)]
struct Grants {
    key: Text,
    owner: Text,
    grants: Vec<Granted>,
}

impl Display for Grants {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.grants.is_empty() {
            return writeln!(f, "Nobody but {} may use '{}'.", self.owner, self.key);
        }
        let user = |grant: &Granted| grant.user.as_ref().map(Text::to_string).unwrap_or_default();
        let row = |grant: &Granted| [grant.principal.to_string(), user(grant), grant.roles.join(",")];
        let rows: Vec<_> = self.grants.iter().map(row).collect();
        table(f, ["WHO", "USER", "MAY"], &rows)
    }
}

pub(crate) fn give(context: &Context, args: &Give) -> Result<()> {
    let key = context.key(&args.key)?;
    merged(&args.shares).iter().try_for_each(|share| share.give(context, &key, "key"))?;
    list(context, &args.key)
}

pub(crate) fn take_back(context: &Context, args: &TakeBack) -> Result<()> {
    let key = context.key(&args.key)?;
    for principal in &args.principals {
        let revoke = Revoke { key_name: key.name().to_owned(), principal: principal.to_string(), owner: key.owner() };
        let result = context.client.call(key.provider, &revoke);
        result.during(|| format!("take key '{}' back from {principal}", key.name()))?;
    }
    list(context, &args.key)
}

pub(crate) fn list(context: &Context, key: &KeyArg) -> Result<()> {
    let key = context.key(key)?;
    let grants = of(context, &key)?;
    context.show(&Grants { key: Text::new(key.name()), owner: Text::new(&key.record.owner), grants })
}

/// The grants of a key.
pub(crate) fn of(context: &Context, key: &KeyRecord) -> Result<Vec<Granted>> {
    let question = ListGrants { key_name: key.name().to_owned(), owner: key.owner() };
    let result = context.client.call(key.provider, &question);
    let grants = result.during(|| format!("list who may use key '{}'", key.name()))?;
    let grants = grants.grants.into_iter().map(|grant| {
        let usage = grant.usage.as_ref().map_or(Usage::NONE, Usage::from);
        Granted::new(grant.principal, usage)
    });
    Ok(grants.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_combine_roles() {
        let share: Share = "uid:33=sign,decrypt".parse().unwrap();
        assert_eq!(share.principal, Principal::Uid(33));
        assert_eq!(share.usage, Usage::SIGN | Usage::DECRYPT);
        let odd: Share = "spiffe://example.org/a=b=verify".parse().unwrap();
        assert_eq!(odd.principal, Principal::Spiffe("spiffe://example.org/a=b".into()));
        for wrong in ["uid:33", "uid:33=", "uid:33=sing", "uid:33=sign,", "=sign"] {
            assert!(wrong.parse::<Share>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn use_is_everything_but_export() {
        let usage = usage(USE).unwrap();
        assert!(usage.contains(Usage::SIGN | Usage::DECRYPT | Usage::DERIVE));
        assert!(!usage.contains(Usage::EXPORT));
        assert_eq!(usage.roles(), ["sign", "verify", "encrypt", "decrypt", "derive", "wrap", "unwrap"]);
    }
}
