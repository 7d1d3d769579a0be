//! A key as it is shown.

use super::algorithm::describe;
use super::context::{Context, KeyRecord};
use super::ending::{SOON, today};
use super::error::Result;
use super::hex::to_hex;
use super::output::{Text, day};
use super::principal::{described, user_name};
use interface::attributes::Usage;
use interface::expiry::{Day, Expiry};
use interface::policy::Purpose;
use serde::Serialize;
use std::fmt::Display;

/// A key as it is shown.
#[derive(Serialize)]
pub(crate) struct View {
    pub(super) name: Text,
    pub(super) owner: Text,
    /// The owner's name, if it is a user of this host.
    user: Option<Text>,
    /// The name that the user had when it got its keys, if it has another one now and none of them.
    former_user: Option<Text>,
    pub(super) provider: &'static str,
    pub(super) algorithm: String,
    bits: u32,
    /// What it was made for, if somebody said so.
    pub(super) purpose: Option<&'static str>,
    /// What the caller may do.
    usage: Vec<&'static str>,
    /// What the policy permits the key to be used with.
    permitted: Vec<String>,
    pub(super) label: Text,
    id: String,
    pub(super) tier: &'static str,
    pub(super) created: u64,
    /// The last day on which it is meant to be used.
    pub(super) expires: Option<String>,
    /// That day is over.
    pub(super) expired: bool,
    /// It makes nothing new after that day.
    enforced: bool,
    pub(super) missing: bool,
    pub(super) away: bool,
    uuid: String,
    #[serde(skip)]
    pub(super) foreign: bool,
}

impl From<&KeyRecord> for View {
    fn from(key: &KeyRecord) -> Self {
        let usage = key.usage();
        let flags = Usage::NAMES.iter().filter(|(_, flag)| usage.contains(*flag));
        let record = &key.record;
        let end = Expiry::of(&record.pkcs11);
        Self {
            name: Text::new(&record.name),
            owner: Text::new(&record.owner),
            user: user_name(&record.owner).map(Text),
            former_user: Some(&record.former_user).filter(|name| !name.is_empty()).map(Text::new),
            provider: key.provider.name(),
            algorithm: key.algorithm(),
            bits: key.attributes.bits,
            purpose: key.purpose().map(Purpose::name),
            usage: flags.map(|(name, _)| *name).collect(),
            permitted: key.attributes.policy.algorithms().map(describe).collect(),
            label: Text::new(&record.label),
            id: to_hex(&record.id),
            tier: key.tier(),
            created: record.created,
            expires: end.map(|end| end.last.to_string()),
            expired: end.is_some_and(|end| end.passed(today())),
            enforced: end.is_some_and(|end| end.enforced),
            missing: record.missing,
            away: record.away,
            uuid: record.uuid.clone(),
            foreign: record.foreign,
        }
    }
}

impl Display for View {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = match self {
            Self { away: true, .. } => " (its device does not answer now; see: parsec providers)",
            Self { missing: true, .. } => " (its hardware does not show it now)",
            _ => "",
        };
        writeln!(f, "name        {}{state}", self.name)?;
        writeln!(f, "algorithm   {}", self.algorithm)?;
        if let Some(purpose) = self.purpose {
            writeln!(f, "for         {purpose}")?;
        }
        writeln!(f, "permitted   {}", self.permitted.join(", "))?;
        writeln!(f, "you may     {}", self.usage.join(", "))?;
        writeln!(f, "owner       {}", Text(self.owner()))?;
        writeln!(f, "created     {}", day(self.created))?;
        if let Some(end) = self.end() {
            let held = match (self.enforced, self.expired) {
                (true, true) => "; it makes nothing new any more",
                (true, false) => "; it makes nothing new after that",
                _ => "",
            };
            writeln!(f, "expires     {end}{held}")?;
        }
        writeln!(f, "provider    {} ({})", self.provider, self.tier)?;
        writeln!(f, "label       {}", self.label)?;
        writeln!(f, "id          {}", self.id)
    }
}

impl View {
    /// The owner as people read it.
    pub(super) fn owner(&self) -> String {
        let owner = described(&self.owner.0);
        match &self.former_user {
            Some(former) => format!("{owner}, was {former} (parsec doctor)"),
            None => owner,
        }
    }

    /// The last day, and how far away it is.
    pub(super) fn end(&self) -> Option<String> {
        let last = self.expires.as_ref()?;
        let left = last.parse::<Day>().map_or(0, |last| last.after(today()));
        Some(match (self.expired, left) {
            (true, _) => format!("{last} (expired)"),
            (false, 0) => format!("{last} (today)"),
            (false, left) if left <= SOON => format!("{last} (in {left} days)"),
            (false, _) => last.clone(),
        })
    }
}

/// One key, alone.
#[derive(Serialize)]
struct Shown {
    key: View,
}

impl Display for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.key.fmt(f)
    }
}

/// Prints one key.
pub(crate) fn show(context: &Context, key: &KeyRecord) -> Result<()> {
    context.show(&Shown { key: key.into() })
}
