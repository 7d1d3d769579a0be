//! Tokens: the view of a provider that PKCS#11 programs have, with the PINs that they may set. A PIN protects against programs of
//! the same user. The kernel says who owns a token, so its owner can remove a PIN without knowing it.

use super::context::{Context, ProviderArg, SearchArg};
use super::error::{During, Result};
use super::output::table;
use interface::operations::{self, PinState, Role, SetPin, TokenStatus};
use serde::Serialize;
use std::fmt::Display;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Show the label and the state of the PINs
    Status {
        #[command(flatten)]
        place: SearchArg,
    },
    /// Take a forgotten or locked PIN away. Keys stay. Without any PIN, programs need no login; to set one again: pkcs11-tool
    /// --init-pin, or --init-token, which destroys the keys
    ResetPin {
        /// Whose PIN [default: both]
        whose: Option<Whose>,
        #[command(flatten)]
        place: ProviderArg,
    },
}

#[derive(Clone, Copy, clap::ValueEnum)]
pub(crate) enum Whose {
    User,
    /// The security officer
    So,
}

impl From<Whose> for Role {
    fn from(whose: Whose) -> Self {
        match whose {
            Whose::User => Self::User,
            Whose::So => Self::Officer,
        }
    }
}

impl Command {
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        match self {
            Self::Status { place } => status(context, place),
            Self::ResetPin { whose, place } => reset_pin(context, *whose, place),
        }
    }
}

/// A PIN in the list.
#[derive(Serialize)]
struct Pin {
    set: bool,
    /// Wrong tries since the last right one.
    failures: u32,
    /// Seconds until the next try is heard.
    wait: u64,
    /// Locked until it is set anew.
    locked: bool,
}

impl From<Option<PinState>> for Pin {
    fn from(state: Option<PinState>) -> Self {
        let set = state.is_some();
        let PinState { failures, wait, locked, .. } = state.unwrap_or_default();
        Self { set, failures, wait, locked }
    }
}

impl Display for Pin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self { set: false, .. } => f.write_str("not set"),
            Self { locked: true, failures, .. } => write!(f, "locked; wrong tries: {failures}"),
            Self { failures: 0, .. } => f.write_str("set"),
            Self { failures, wait: 0, .. } => write!(f, "set; wrong tries: {failures}"),
            Self { failures, wait, .. } => write!(f, "set; wrong tries: {failures}; the next in {wait} s"),
        }
    }
}

#[derive(Serialize)]
struct Token {
    provider: &'static str,
    label: Option<String>,
    user: Pin,
    so: Pin,
}

#[derive(Serialize)]
struct Tokens {
    tokens: Vec<Token>,
}

impl Display for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let row = |token: &Token| {
            let label = token.label.clone().unwrap_or_else(|| token.provider.to_owned());
            [token.provider.to_owned(), label, token.user.to_string(), token.so.to_string()]
        };
        let rows: Vec<_> = self.tokens.iter().map(row).collect();
        table(f, ["PROVIDER", "LABEL", "USER PIN", "SO PIN"], &rows)
    }
}

fn status(context: &Context, place: &SearchArg) -> Result<()> {
    let mut tokens = Vec::new();
    for provider in context.providers(place.provider)? {
        let token = context.client.call(provider, &TokenStatus {});
        let operations::Token { label, user, officer } = token.during(|| format!("ask for the token of {}", provider.name()))?;
        tokens.push(Token { provider: provider.name(), label, user: user.into(), so: officer.into() });
    }
    context.show(&Tokens { tokens })
}

fn reset_pin(context: &Context, whose: Option<Whose>, place: &ProviderArg) -> Result<()> {
    let provider = context.provider(place.provider)?;
    let roles = whose.map_or_else(|| Role::ALL.to_vec(), |whose| vec![whose.into()]);
    for role in roles {
        let reset = SetPin { role: role.into(), ..SetPin::default() };
        let done = context.client.call(provider, &reset);
        done.during(|| format!("reset the {role} PIN of {}", provider.name()))?;
    }
    status(context, &SearchArg { provider: Some(provider) })
}
