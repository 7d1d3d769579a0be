//! Reads key references: PEM to DER, and DER to a key.
//!
//! OpenSSL offers every input to every decoder, ours and those of other providers, so what is not a reference is passed
//! over without an error. It asks those first whose output another decoder of PEM takes, whatever the order of the providers. So the
//! one that reads PEM is named after PEM, and a second one takes over from it, which says that what it got is DER.
//!
//! References come in two forms; of PKCS#8 another provider's decoder may have read the PEM. A reference with the public key inside
//! becomes a key without asking the service: servers start, check their configuration and drop their privileges while it is still down.

use std::sync::Arc;

use interface::{
    pem::Scanner,
    reference::{PEM_LABEL, Reference, ReferenceError},
};

use crate::{
    error::Error,
    ffi::{OSSL_KEYMGMT_SELECT_PRIVATE_KEY, OSSL_KEYMGMT_SELECT_PUBLIC_KEY},
    key::ProviderKey,
    kind::{Kind, Public},
    provider::{Provider, public},
};

/// Longest reference that is read. One with an RSA key of 16384 bits has three thousand bytes.
pub(crate) const LIMIT: usize = 16 << 10;

/// How much of a file is read in search of a reference; the certificates in front of it are shorter.
const SEARCHED: usize = 256 << 10;

/// The key of kind `K` that a reference stands for, which is DER in the form `F`; None for anything else.
pub(crate) fn key<K: Kind, F: Form>(
    provider: &Arc<Provider>,
    der: &[u8],
    selection: i32,
) -> Result<Option<ProviderKey<K>>, Error> {
    let Some(reference) = F::read(der) else {
        return Ok(None);
    };
    let reference = reference.map_err(|why| bad(&why))?;
    let known = match &reference.spki {
        Some(spki) => Public::from_spki(spki).map(|public| (public, true)),
        None => public(&provider.lookup(&reference.uri)?),
    };
    let Some((public, private)) = known else {
        return Ok(None);
    };
    let private = (private && wants_private(selection)).then_some(reference.uri);
    Ok(ProviderKey::of(provider, &public, &private))
}

/// A form of references.
pub(crate) trait Form: 'static {
    /// None for anything else.
    fn read(der: &[u8]) -> Option<Result<Reference, ReferenceError>>;
}

/// The reference itself.
pub(crate) enum Plain {}
/// The reference inside PKCS#8.
pub(crate) enum InPkcs8 {}

impl Form for Plain {
    fn read(der: &[u8]) -> Option<Result<Reference, ReferenceError>> {
        match Reference::from_der(der) {
            Err(ReferenceError::Format) => None,
            read => Some(read),
        }
    }
}

impl Form for InPkcs8 {
    fn read(der: &[u8]) -> Option<Result<Reference, ReferenceError>> {
        Reference::from_pkcs8(der)
    }
}

/// A caller that selects the public key only must not be given more.
fn wants_private(selection: i32) -> bool {
    selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY != 0 || selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY == 0
}

/// The DER inside the next PEM block, if that is a reference. `line` fills a buffer with the next line, or the next part
/// of a long one. No line behind the block is read: what follows belongs to another decoder.
///
/// Who selects a private key has no use for certificates, parameters and public keys, so they are passed over here. OpenSSL passes
/// over them as well, but not while its error queue holds an older error.
pub(crate) fn pem(selection: i32, mut line: impl FnMut(&mut [u8]) -> Option<usize>) -> Result<Option<Vec<u8>>, Error> {
    let mut scanner = Scanner::default();
    let mut buffer = [0; 256];
    let mut searched = 0;
    while let Some(read) = line(&mut buffer).filter(|_| searched < SEARCHED) {
        searched += read;
        scanner.feed(buffer.get(..read).unwrap_or_default());
        for block in scanner.by_ref() {
            if let Some(reference) = Reference::of_block(&block) {
                let der = reference.and_then(|reference| reference.to_der());
                return der.map(Some).map_err(|why| bad(&why));
            }
            let other = block.label.contains("KEY") && !block.label.ends_with("PUBLIC KEY");
            if selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY == 0 || other {
                return Ok(None);
            }
        }
    }
    match scanner.begun() {
        Some(PEM_LABEL) => Err(bad(&ReferenceError::Format)),
        _ => Ok(None),
    }
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
        read(text, 0)
    }

    fn read(text: &str, selection: i32) -> (Result<Option<Vec<u8>>, Error>, &str) {
        let mut rest = text;
        let der = pem(selection, |buffer| {
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
    fn who_wants_a_private_key_gets_the_first_one() {
        let uri = KeyUri { name: Some("web".to_owned()), ..KeyUri::default() };
        let reference = Reference { uri, spki: None };
        let block = reference.to_pem().unwrap();
        let other = |label| format!("-----BEGIN {label}-----\nMIIB\n-----END {label}-----\n");
        for (before, selection, found) in [
            (other("CERTIFICATE").repeat(100), OSSL_KEYMGMT_SELECT_PRIVATE_KEY, true),
            (other("EC PARAMETERS"), OSSL_KEYMGMT_SELECT_PRIVATE_KEY, true),
            (other("PUBLIC KEY"), OSSL_KEYMGMT_SELECT_PRIVATE_KEY, true),
            (other("RSA PUBLIC KEY"), OSSL_KEYMGMT_SELECT_PRIVATE_KEY, true),
            (other("PRIVATE KEY"), OSSL_KEYMGMT_SELECT_PRIVATE_KEY, false),
            (other("EC PRIVATE KEY"), OSSL_KEYMGMT_SELECT_PRIVATE_KEY, false),
            (other("KEY OF ANOTHER PROVIDER"), OSSL_KEYMGMT_SELECT_PRIVATE_KEY, false),
            (other("PUBLIC KEY"), OSSL_KEYMGMT_SELECT_PUBLIC_KEY, false),
            (other("CERTIFICATE"), 0, false),
            (other("CERTIFICATE"), OSSL_KEYMGMT_SELECT_PUBLIC_KEY, false),
        ] {
            let text = before + &block;
            assert_eq!(read(&text, selection).0.unwrap().is_some(), found, "{text}");
        }
        let endless = "a line\n".repeat(100_000);
        let (der, rest) = read(&endless, OSSL_KEYMGMT_SELECT_PRIVATE_KEY);
        assert!(der.unwrap().is_none() && !rest.is_empty());
    }

    #[test]
    fn a_broken_reference_is_an_error() {
        let text = format!("-----BEGIN {PEM_LABEL}-----\nAAAA\n-----END {PEM_LABEL}-----\n");
        assert!(matches!(first(&text).0, Err(Error::Reference(_))));
        assert!(matches!(first(&text[..40]).0, Err(Error::Reference(_))));
    }
}
