//! How much a client may keep beside a key, a certificate or data. The service holds all of it in memory and searches it, so one
//! client without limits would slow down the others. `body_len_limit` bounds the request as a whole.

use crate::error::{Error, Result};
use interface::message::{KeyType, Pkcs11Attribute};
use interface::{Filing, Status};

/// Most bytes of a text: a name, a label, a principal, and of an id.
const TEXT: usize = 1024;
/// Most attributes beside one record.
const ATTRIBUTES: usize = 64;
/// Most types of keys in a search: more than there are.
const KEY_TYPES: usize = 128;
/// Most bytes of these attributes together.
const VALUES: usize = 64 << 10;

/// Refuses a name that is too long, or none.
///
/// # Errors
/// [`Status::PsaErrorInvalidArgument`].
pub(crate) fn name(name: &str) -> Result<()> {
    if name.is_empty() {
        return Err(refused(format!("a name has 1 to {TEXT} bytes: choose one")));
    }
    text("name", name.as_bytes())
}

/// Refuses a text or an id that is too long; `what` says which it is.
///
/// # Errors
/// [`Status::PsaErrorInvalidArgument`].
pub(crate) fn text(what: &str, text: &[u8]) -> Result<()> {
    match text.len() {
        0..=TEXT => Ok(()),
        len => Err(refused(format!("the {what} has {len} bytes; at most {TEXT} are kept: choose a shorter one"))),
    }
}

/// Refuses more types of keys than a search can need.
///
/// # Errors
/// [`Status::PsaErrorInvalidArgument`].
pub(crate) fn key_types(types: &[KeyType]) -> Result<()> {
    match types.len() {
        0..=KEY_TYPES => Ok(()),
        many => Err(refused(format!("a search names {many} types of keys; at most {KEY_TYPES} are looked for"))),
    }
}

/// Refuses attributes that are too many or too long.
///
/// # Errors
/// [`Status::PsaErrorInvalidArgument`].
pub(crate) fn attributes(kept: &[Pkcs11Attribute]) -> Result<()> {
    let (count, bytes) = (kept.len(), kept.iter().map(|kept| kept.value.len()).sum::<usize>());
    if count > ATTRIBUTES || bytes > VALUES {
        return Err(refused(format!(
            "there are {count} PKCS#11 attributes of {bytes} bytes; at most {ATTRIBUTES} of {VALUES} bytes in all are kept: leave some out"
        )));
    }
    Ok(())
}

/// Refuses what is too much beside a new key.
///
/// # Errors
/// [`Status::PsaErrorInvalidArgument`].
pub(crate) fn filing(filing: &Filing) -> Result<()> {
    name(&filing.name)?;
    beside(filing.label.as_deref(), filing.id.as_deref(), &filing.pkcs11)
}

/// Refuses what is too much beside a record.
///
/// # Errors
/// [`Status::PsaErrorInvalidArgument`].
pub(crate) fn beside(label: Option<&str>, id: Option<&[u8]>, kept: &[Pkcs11Attribute]) -> Result<()> {
    text("label", label.unwrap_or_default().as_bytes())?;
    text("id", id.unwrap_or_default())?;
    attributes(kept)
}

fn refused(detail: String) -> Error {
    Error::refused(Status::PsaErrorInvalidArgument, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_names_no_more_types_than_there_are() {
        let types = |count| vec![KeyType::default(); count];
        assert!(key_types(&types(KEY_TYPES)).is_ok());
        assert_eq!(key_types(&types(KEY_TYPES + 1)).unwrap_err().status(), Status::PsaErrorInvalidArgument);
    }
}
