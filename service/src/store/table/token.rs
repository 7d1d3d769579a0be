//! The tables of tokens: their labels and PINs.

use super::reader::Reader;
use super::stored;
use crate::error::Result;
use crate::store::change::{Change, Table};
use crate::store::pin::{Pin, TokenId, Tokens};
use crate::store::rows::Fields;
use interface::ProviderId;
use interface::operations::Role;

pub(super) const TABLES: &str = "
CREATE TABLE token (
    owner TEXT NOT NULL,
    provider INTEGER NOT NULL,
    label TEXT NOT NULL,
    PRIMARY KEY (owner, provider)
) STRICT, WITHOUT ROWID;
CREATE TABLE pin (
    owner TEXT NOT NULL,
    provider INTEGER NOT NULL,
    role INTEGER NOT NULL,
    hash TEXT NOT NULL,
    failures INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    PRIMARY KEY (owner, provider, role)
) STRICT, WITHOUT ROWID;
";

/// Reads all. Without a sound PIN no try is right, until somebody who may sets a new one.
pub(super) fn load(load: &mut Reader<'_>) -> Result<Tokens> {
    let mut tokens = Tokens::default();
    load.table(Table::Token, |row| match place(row) {
        Ok(place) if row.sound() => {
            tokens.labels.insert(place, row.get("label")?);
            Ok(None)
        }
        place => Ok(Some((format!("the label of a token of {}", row.shown("owner")?), place.err()))),
    })?;
    load.table(Table::Pin, |row| {
        let pin = Some(row).filter(|row| row.sound()).map(pin).transpose();
        let (pin, why) = pin.map_or_else(|error| (None, Some(error)), |pin| (pin, None));
        let damaged = pin.is_none();
        // One that cannot even be read is a PIN too.
        let why = match whose(row) {
            Ok(whose) => {
                tokens.pins.insert(whose, pin.unwrap_or_default());
                why
            }
            Err(error) => Some(error),
        };
        Ok(if damaged || why.is_some() { Some((format!("a PIN of {}", row.shown("owner")?), why)) } else { None })
    })?;
    Ok(tokens)
}

fn whose(row: &Fields<'_>) -> Result<(TokenId, Role)> {
    Ok((place(row)?, Role::try_from(row.get::<i32>("role")?)?))
}

fn pin(row: &Fields<'_>) -> Result<Pin> {
    let failed = u64::try_from(row.get::<i64>("failed")?).unwrap_or(0);
    Ok(Pin { hash: row.get("hash")?, failures: row.get("failures")?, failed })
}

fn place(row: &Fields<'_>) -> Result<TokenId> {
    let provider: ProviderId = row.get::<u32>("provider")?.try_into()?;
    Ok((provider, row.text("owner")?.parse()?))
}

/// Puts this PIN in the place of the old one, or none; also of one that is damaged.
pub(in crate::store) fn set_pin(
    change: &mut Change<'_>,
    (provider, owner): &TokenId,
    role: Role,
    pin: Option<&Pin>,
) -> Result<()> {
    let (owner, provider, role) = (owner.to_string(), provider.number(), i32::from(role));
    change.discard(Table::Pin, &[("owner", &owner), ("provider", &provider), ("role", &role)])?;
    let Some(Pin { hash, failures, failed }) = pin else {
        return Ok(());
    };
    change.insert(
        Table::Pin,
        &[
            ("owner", &owner),
            ("provider", &provider),
            ("role", &role),
            ("hash", hash),
            ("failures", failures),
            ("failed", &stored(*failed)),
        ],
    )
}

/// Gives a token its label and the security officer's PIN; the user has none then.
pub(in crate::store) fn init_token(change: &mut Change<'_>, place: &TokenId, label: &str, officer: &Pin) -> Result<()> {
    let (provider, owner) = (place.0.number(), place.1.to_string());
    change.discard(Table::Token, &[("owner", &owner), ("provider", &provider)])?;
    change.insert(Table::Token, &[("owner", &owner), ("provider", &provider), ("label", &label)])?;
    set_pin(change, place, Role::Officer, Some(officer))?;
    set_pin(change, place, Role::User, None)
}
