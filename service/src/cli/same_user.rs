//! `parsec key same-user`: a user has another name than when it got its keys, and an administrator says that it is the same one.

use super::context::{Context, owner};
use super::error::{During, Result};
use super::output::Text;
use super::principal::described;
use interface::ProviderId;
use interface::operations::ConfirmUser;
use serde::Serialize;
use std::fmt::Display;

#[derive(clap::Args)]
pub(crate) struct SameUser {
    /// The user: user:NAME by its new name, or uid:N
    #[arg(value_name = "WHO", value_parser = owner)]
    who: String,
}

#[derive(Serialize)]
struct Confirmed {
    confirmed: Text,
}

impl Display for Confirmed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{} has its keys again.", Text(described(&self.confirmed.0)))
    }
}

impl SameUser {
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let confirmed = context.client.call(ProviderId::CORE, &ConfirmUser { principal: self.who.clone() });
        confirmed.during(|| format!("confirm {}", self.who))?;
        context.show(&Confirmed { confirmed: Text::new(&self.who) })
    }
}
