//! `parsec key list`.

use super::context::{Context, KeyRecord, SearchArg, owner};
use super::error::{During, Result};
use super::output::{Text, complain, day, table};
use super::purpose::Purpose;
use super::view::View;
use interface::operations::{Find, RecordKind, Welcome};
use serde::Serialize;
use std::fmt::Display;

#[derive(clap::Args)]
pub(crate) struct List {
    #[command(flatten)]
    place: SearchArg,
    /// Only keys of this owner
    #[arg(long, value_parser = owner)]
    owner: Option<String>,
    /// Only keys with this label
    #[arg(long)]
    label: Option<String>,
    /// Only keys that were made for this
    #[arg(long = "for", value_name = "PURPOSE", value_parser = Purpose::parser())]
    purpose: Option<&'static Purpose>,
    /// Only keys of this algorithm, such as p256, or of all its sizes: rsa
    #[arg(long)]
    algorithm: Option<String>,
    /// Everybody's keys, for administrators
    #[arg(long)]
    all: bool,
}

#[derive(Serialize)]
struct Keys {
    keys: Vec<View>,
}

impl Display for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.keys.is_empty() {
            return writeln!(f, "No keys. Make one: parsec key new web --for tls-server");
        }
        let row = |key: &View| {
            let state = match key {
                View { away: true, .. } => " (away)",
                View { missing: true, .. } => " (missing)",
                _ => "",
            };
            let owner = key.owner();
            let (name, label) = (format!("{}{state}", key.name), key.label.to_string());
            let [purpose, provider, tier] = [key.purpose.unwrap_or("-"), key.provider, key.tier].map(str::to_owned);
            let end = key.end().unwrap_or_else(|| "-".to_owned());
            [name, key.algorithm.clone(), purpose, provider, tier, owner, day(key.created), end, label]
        };
        let rows: Vec<_> = self.keys.iter().map(row).collect();
        let head = ["NAME", "ALGORITHM", "FOR", "PROVIDER", "TIER", "OWNER", "CREATED", "EXPIRES", "LABEL"];
        if self.keys.iter().any(|key| key.expires.is_some()) {
            return table(f, head, &rows);
        }
        let without_end = |[a, b, c, d, e, g, h, _, i]: [String; 9]| [a, b, c, d, e, g, h, i];
        let [a, b, c, d, e, g, h, _, i] = head;
        table(f, [a, b, c, d, e, g, h, i], &rows.into_iter().map(without_end).collect::<Vec<_>>())
    }
}

impl List {
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let filter = Find {
            everyone: self.all,
            kind: Some(RecordKind::Key.into()),
            owner: self.owner.clone(),
            label: self.label.clone(),
            ..Find::default()
        };
        let mut keys = Vec::new();
        for provider in context.providers(self.place.provider)? {
            let found = context.client.find(provider, &filter);
            for record in found.during(|| "list keys".to_owned())? {
                keys.push(View::from(&KeyRecord::new(record)?));
            }
        }
        keys.retain(|key| self.wants(key));
        keys.sort_by(|a, b| (a.foreign, &a.owner, &a.name).cmp(&(b.foreign, &b.owner, &b.name)));
        if keys.is_empty() {
            tell_why(context);
        }
        context.show(&Keys { keys })
    }

    fn wants(&self, key: &View) -> bool {
        let of_algorithm = |wanted: &String| {
            let size = key.algorithm.strip_prefix(wanted);
            size.is_some_and(|size| size.is_empty() || size.starts_with('-'))
        };
        self.purpose.is_none_or(|purpose| key.purpose == Some(purpose.name())) && self.algorithm.as_ref().is_none_or(of_algorithm)
    }
}

/// Tells a user with another name than when it got its keys why it has none.
fn tell_why(context: &Context) {
    let Ok(Welcome { principal, former_user, .. }) = context.welcome() else { return };
    if !former_user.is_empty() {
        complain(&format_args!(
            "parsec: {principal} was the user '{}' when it got its keys, and has none of them now: parsec doctor",
            Text(former_user)
        ));
    }
}
