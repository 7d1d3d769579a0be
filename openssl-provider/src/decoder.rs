//! Reads key references: PEM to DER, and DER to a key.
//!
//! OpenSSL offers every input to every decoder, ours and those of other providers, so what is not a reference is passed
//! over without an error. A reference with the public key inside becomes a key without asking the service: servers
//! start, check their configuration and drop their privileges while it is still down.

use std::sync::Arc;

use interface::reference::{PEM_LABEL, Reference, ReferenceError};

use crate::{
    error::Error,
    ffi::{OSSL_KEYMGMT_SELECT_PRIVATE_KEY, OSSL_KEYMGMT_SELECT_PUBLIC_KEY, Object},
    key::{Key, Kind, Public},
    provider::{self, Provider},
};

/// Longest reference that is read. One with an RSA key of 16384 bits has three thousand bytes.
pub(crate) const LIMIT: usize = 16 << 10;

/// A decoder has no state of its own.
pub(crate) struct Decoder {
    provider: Arc<Provider>,
}

impl Object for Decoder {
    fn provider(&self) -> &Arc<Provider> {
        &self.provider
    }
}

impl Decoder {
    pub(crate) fn new(provider: Arc<Provider>) -> Self {
        Self { provider }
    }

    /// The key of kind `K` that a DER reference stands for; None for anything else.
    pub(crate) fn key<K: Kind>(&self, der: &[u8], selection: i32) -> Result<Option<Key<K>>, Error> {
        let reference = match Reference::from_der(der) {
            Ok(reference) => reference,
            Err(ReferenceError::Format) => return Ok(None),
            Err(why) => return Err(bad(&why)),
        };
        let known = match &reference.spki {
            Some(spki) => Public::from_spki(spki).map(|public| (public, true)),
            None => provider::public(&self.provider.lookup(&reference.uri)?),
        };
        let Some((public, private)) = known else {
            return Ok(None);
        };
        let private = (private && wants_private(selection)).then_some(reference.uri);
        Ok(Key::of(&self.provider, &public, &private))
    }
}

/// A caller that selects the public key only must not be given more.
fn wants_private(selection: i32) -> bool {
    selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY != 0 || selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY == 0
}

/// The DER inside the next PEM block, if that is a reference. `line` fills a buffer with the next line, or the next part
/// of a long one. No line behind the block is read: what follows belongs to another decoder.
pub(crate) fn pem(mut line: impl FnMut(&mut [u8]) -> Option<usize>) -> Result<Option<Vec<u8>>, Error> {
    let mut block = Vec::new();
    let mut buffer = [0; 256];
    while let Some(read) = line(&mut buffer) {
        let text = buffer.get(..read).unwrap_or_default();
        if !block.is_empty() || text.starts_with(b"-----BEGIN ") {
            block.extend_from_slice(text);
        }
        if block.len() > LIMIT {
            return Ok(None);
        }
        if !block.is_empty() && text.starts_with(b"-----END ") {
            break;
        }
    }
    if !block.get(b"-----BEGIN ".len()..).is_some_and(|rest| rest.starts_with(PEM_LABEL.as_bytes())) {
        return Ok(None);
    }
    let text = std::str::from_utf8(&block).map_err(|_| bad(&ReferenceError::Format))?;
    let reference = Reference::from_pem(text).map_err(|why| bad(&why))?;
    reference.to_der().map(Some).map_err(|why| bad(&why))
}

fn bad(why: &ReferenceError) -> Error {
    Error::Reference(format!("{why}; parsec key pem NAME writes a good one"))
}

#[cfg(test)]
mod tests {
    use interface::reference::KeyUri;

    use super::*;

    /// Reads the first block of `text`, and tells what is left.
    fn first(text: &str) -> (Result<Option<Vec<u8>>, Error>, &str) {
        let mut rest = text;
        let der = pem(|buffer| {
            let len = rest.find('\n').map_or(rest.len(), |end| end + 1).min(buffer.len());
            buffer[..len].copy_from_slice(&rest.as_bytes()[..len]);
            rest = &rest[len..];
            (len > 0).then_some(len)
        });
        (der, rest)
    }

    #[test]
    fn a_reference_is_found_and_what_follows_is_left() {
        let uri = KeyUri { name: Some("web".to_owned()), ..KeyUri::default() };
        let reference = Reference { uri, spki: None };
        let block = reference.to_pem().unwrap();
        let text = format!("a comment\n{block}-----BEGIN CERTIFICATE-----\n");
        let (der, rest) = first(&text);
        assert_eq!(Reference::from_der(&der.unwrap().unwrap()).unwrap(), reference);
        assert_eq!(rest, "-----BEGIN CERTIFICATE-----\n");
    }

    #[test]
    fn others_are_passed_over_without_an_error() {
        let (der, rest) = first("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\nnext");
        assert!(matches!(der, Ok(None)));
        assert_eq!(rest, "next");
        assert!(matches!(first(&"x".repeat(10_000)).0, Ok(None)));
        assert!(matches!(first("").0, Ok(None)));
    }

    #[test]
    fn a_broken_reference_is_an_error() {
        let text = format!("-----BEGIN {PEM_LABEL}-----\nAAAA\n-----END {PEM_LABEL}-----\n");
        assert!(matches!(first(&text).0, Err(Error::Reference(_))));
        assert!(matches!(first(&text[..40]).0, Err(Error::Reference(_))));
    }
}
