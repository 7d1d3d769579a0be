//! The tables of tokens: their labels and PINs.

use super::stored;
use crate::auth::Principal;
use crate::error::Result;
use crate::store::token::{Pin, Place, Tokens};
use interface::ProviderId;
use interface::operations::Role;
use rusqlite::{Connection, Row, params};

pub(super) const SCHEMA: &str = "
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

/// Reads all. A row that makes no sense is logged and left alone.
pub(super) fn load(db: &Connection) -> Result<Tokens> {
    let mut tokens = Tokens::default();
    let damaged = |error| tracing::error!("key store: a token's label or PIN is damaged and not in use: {error}");
    let mut query = db.prepare("SELECT * FROM token")?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        match place(row) {
            Ok(place) => drop(tokens.labels.insert(place, row.get("label")?)),
            Err(error) => damaged(error),
        }
    }
    let mut query = db.prepare("SELECT * FROM pin")?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        match pin(row) {
            Ok((place, pin)) => drop(tokens.pins.insert(place, pin)),
            Err(error) => damaged(error),
        }
    }
    Ok(tokens)
}

fn pin(row: &Row<'_>) -> Result<((Place, Role), Pin)> {
    let role = Role::try_from(row.get::<_, i32>("role")?)?;
    let failed = u64::try_from(row.get::<_, i64>("failed")?).unwrap_or(0);
    Ok(((place(row)?, role), Pin { hash: row.get("hash")?, failures: row.get("failures")?, failed }))
}

fn place(row: &Row<'_>) -> Result<Place> {
    let provider: ProviderId = row.get::<_, u32>("provider")?.try_into()?;
    Ok((provider, row.get::<_, String>("owner")?.parse()?))
}

/// Puts this PIN in the place of the old one, or none.
pub(in crate::store) fn set_pin(db: &Connection, (provider, owner): &Place, role: Role, pin: Option<&Pin>) -> Result<()> {
    let place = (owner.to_string(), provider.number(), i32::from(role));
    match pin {
        Some(Pin { hash, failures, failed }) => db.execute(
            "INSERT OR REPLACE INTO pin VALUES (?, ?, ?, ?, ?, ?)",
            params![place.0, place.1, place.2, hash, failures, stored(*failed)],
        )?,
        None => db.execute("DELETE FROM pin WHERE owner = ? AND provider = ? AND role = ?", place)?,
    };
    Ok(())
}

/// Gives a token its label and the security officer's PIN; the user has none then.
pub(in crate::store) fn init_token(db: &mut Connection, place: &Place, label: &str, officer: &Pin) -> Result<()> {
    let change = db.transaction()?;
    let (provider, owner) = place;
    let row = params![owner.to_string(), provider.number(), label];
    change.execute("INSERT OR REPLACE INTO token VALUES (?, ?, ?)", row)?;
    set_pin(&change, place, Role::Officer, Some(officer))?;
    set_pin(&change, place, Role::User, None)?;
    change.commit()?;
    Ok(())
}

pub(super) fn forget(db: &Connection, owner: &Principal) -> Result<()> {
    let owner = owner.to_string();
    db.execute("DELETE FROM token WHERE owner = ?", [&owner])?;
    db.execute("DELETE FROM pin WHERE owner = ?", [&owner])?;
    Ok(())
}
