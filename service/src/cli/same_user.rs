//! `parsec key same-user`: a user has another name than when it got its keys, and an administrator says whether it is the same one.

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
    /// It is another user: end what the former one was granted, its certificates and tokens. Give its keys away first (key chown)
    #[arg(long)]
    another: bool,
}

#[derive(Serialize)]
struct Confirmed {
    confirmed: Text,
    another: bool,
}

impl Display for Confirmed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let who = Text(described(&self.confirmed.0));
        match self.another {
            true => writeln!(f, "Nothing of the former user is left: {who} can make keys."),
            false => writeln!(f, "{who} has its keys again."),
        }
    }
}

impl SameUser {
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let confirmed =
            context.client.call(ProviderId::CORE, &ConfirmUser { principal: self.who.clone(), another: self.another });
        confirmed.during(|| format!("confirm {}", self.who))?;
        context.show(&Confirmed { confirmed: Text::new(&self.who), another: self.another })
    }
}
