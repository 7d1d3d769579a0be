//! The service's own rows.

use super::{now, stored};
use crate::error::Result;
use crate::key::Uuid;
use crate::store::change::{Change, Table};
use crate::store::moved::Place;
use crate::store::own::{Own, place_row};
use interface::ProviderId;
use interface::operations::RecordKind;

/// Keeps something of the service's own, in the place of what it had kept there.
pub(in crate::store) fn keep(change: &mut Change<'_>, own: &Own) -> Result<()> {
    let (row, value) = (own.row(), own.value());
    forget_own(change, &row)?;
    let (none, nothing): (&[u8], _) = (&[], String::new());
    change.insert(
        Table::Object,
        &[
            ("uuid", &Uuid::random()?),
            ("provider", &ProviderId::CORE.number()),
            ("owner", &row.0),
            ("kind", &i32::from(RecordKind::Data)),
            ("name", &row.1),
            ("label", &nothing),
            ("id", &none),
            ("value", &value.as_bytes()),
            ("created", &stored(now())),
            ("pkcs11", &none),
        ],
    )
}

/// Forgets which key was in a place.
pub(in crate::store) fn forget_place(change: &mut Change<'_>, place: &Place) -> Result<()> {
    forget_own(change, &place_row(place))
}

fn forget_own(change: &mut Change<'_>, (owner, name): &(String, String)) -> Result<()> {
    change.delete(Table::Object, &[("provider", &ProviderId::CORE.number()), ("owner", owner), ("name", name)])?;
    Ok(())
}
