//! `parsec key accept` and `parsec key reject`: keys that others have granted are listed only if somebody vouches for their owner.

use super::context::{Context, owner};
use super::error::{During, Error, Result};
use super::output::{Text, table};
use super::principal::{principal, user_name};
use interface::ProviderId;
use interface::operations::{Accept, AcceptedOwner, Verdict};
use parsec_service::auth::Callers;
use serde::Serialize;
use std::fmt::Display;

/// For whom it is said.
#[derive(clap::Args)]
pub(crate) struct For {
    /// For another user, by root or an administrator: user:NAME, uid:N, app:NAME or spiffe://…. A * at the end stands for all that
    /// begin so, such as 'user:*', 'app:web-*' or 'spiffe://example.org/*'. '*' alone is everybody
    #[arg(long = "for", value_name = "WHOM", value_parser = callers)]
    callers: Option<Callers>,
}

impl For {
    fn named(&self) -> Option<String> {
        self.callers.as_ref().map(ToString::to_string)
    }
}

/// Reads callers, with users of this host by their names.
fn callers(text: &str) -> Result<Callers> {
    let text = if text == "user:*" { "uid:*" } else { text };
    match text.strip_suffix('*') {
        Some(_) => text.parse().map_err(|error: parsec_service::error::Error| Error::Usage(error.to_string())),
        None => principal(text).map(Callers::One),
    }
}

#[derive(clap::Args)]
pub(crate) struct Say {
    /// Whose keys: user:NAME, uid:N, app:NAME or spiffe://…
    #[arg(value_name = "OWNER", required = true, value_parser = owner)]
    owners: Vec<String>,
    #[command(flatten)]
    callers: For,
}

/// An owner as it is listed.
#[derive(Serialize)]
struct View {
    owner: Text,
    /// The name of a user of this host.
    user: Option<Text>,
    /// What was said for these callers.
    verdict: Option<&'static str>,
    listed: bool,
    /// How many keys it has granted.
    keys: u32,
}

impl From<AcceptedOwner> for View {
    fn from(owner: AcceptedOwner) -> Self {
        let verdict = Verdict::try_from(owner.verdict).ok().map(|verdict| match verdict {
            Verdict::Accepted => "accepted",
            Verdict::Standing => "standing",
            Verdict::Rejected => "rejected",
        });
        let AcceptedOwner { owner, listed, keys, .. } = owner;
        Self { user: user_name(&owner).map(Text), owner: Text(owner), verdict, listed, keys }
    }
}

#[derive(Serialize)]
struct Views {
    owners: Vec<View>,
}

impl Display for Views {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.owners.is_empty() {
            return writeln!(f, "Nobody has granted keys, or was accepted.");
        }
        let row = |view: &View| {
            let user = view.user.as_ref().map(Text::to_string).unwrap_or_default();
            let listed = if view.listed { "yes" } else { "no" };
            let verdict = view.verdict.unwrap_or_default().to_owned();
            [view.owner.to_string(), user, verdict, listed.to_owned(), view.keys.to_string()]
        };
        let rows: Vec<_> = self.owners.iter().map(row).collect();
        table(f, ["OWNER", "USER", "SAID", "LISTED", "KEYS GRANTED"], &rows)
    }
}

impl Say {
    pub(crate) fn run(&self, context: &Context, verdict: Verdict) -> Result<()> {
        for owner in &self.owners {
            let accept = Accept { owner: owner.clone(), verdict: verdict.into(), callers: self.callers.named() };
            let result = context.client.call(ProviderId::CORE, &accept);
            result.during(|| format!("say whether keys of {owner} are listed"))?;
        }
        list(context, &self.callers)
    }
}

/// The owners who have granted keys, or about whom there is a verdict.
pub(crate) fn list(context: &Context, callers: &For) -> Result<()> {
    let owners = context.owners(callers.named());
    let owners = owners.during(|| "list whose keys are listed".to_owned())?;
    context.show(&Views { owners: owners.into_iter().map(View::from).collect() })
}
