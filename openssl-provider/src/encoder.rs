//! Writes keys: the public half as everybody does, the private one as a reference.
//!
//! Where a program asks for a private key it gets a key reference, which other programs load in its place: in PEM under the label of
//! references, in DER as PKCS#8, whose algorithm tells the two apart. It holds no secret, so it is not encrypted.
//!
//! A key without a name is stored when there is room for its file, and the file is whole when the key is stored: what of the two fails
//! leaves neither a key that nobody knows nor a reference to none.

use std::{ffi::c_int, fmt::Write};

use der::pem::{LineEnding, encode_string};
use interface::reference::Reference;

use crate::{
    error::Error,
    ffi::{
        params::{Params, Setting, Type, Value, settable, setting},
        *,
    },
    key::ProviderKey,
    kind::Kind,
};

static SETTINGS: [Setting<()>; 1] = [setting(OSSL_ENCODER_PARAM_CIPHER, Type::Text, |_, given| match given.text() {
    None | Some("") => Ok(()),
    Some(_) => Err(Error::Unsupported(
        "a key reference holds no secret and is not encrypted: write it without a cipher, such as with -nodes".to_owned(),
    )),
})];
pub(crate) static SETTABLE: [Param; 2] = settable(&SETTINGS);

/// Takes what an encoder is told.
pub(crate) fn set(params: Params<'_>) -> Result<(), Error> {
    params.apply(&SETTINGS, &mut ())
}

/// How much of a file waits until its key is stored. Without it, the last line of PEM has no dashes.
const LAST: usize = 8;

/// Where a key is written to.
pub(crate) trait Output {
    /// Writes all of it, and as far as that can be known, to where it stays.
    fn write(&mut self, data: &[u8]) -> Result<(), Error>;
}

/// Writes a key.
pub(crate) fn write<K: Kind, F: Format>(key: &ProviderKey<K>, output: &mut impl Output) -> Result<(), Error> {
    let written = F::encode(key)?;
    let Some((most, last)) = written.split_at_checked(written.len().saturating_sub(LAST)).filter(|_| F::REFERENCE) else {
        return output.write(&written);
    };
    output.write(most)?;
    key.store()?;
    output.write(last).map_err(|why| {
        let uri = key.stored().map(ToString::to_string).unwrap_or_default();
        Error::Output(format!(
            "{why}; but the service stores the key, as {uri}: parsec key pem writes its file, and parsec key rm destroys it"
        ))
    })
}

/// What a key is written as.
pub(crate) trait Format: 'static {
    /// What has to be selected of a key to be written so, as OSSL_KEYMGMT_SELECT_*.
    const SELECTION: c_int;
    /// Whether it names the key, so that the key has to be stored.
    const REFERENCE: bool = false;

    fn encode<K: Kind>(key: &ProviderKey<K>) -> Result<Vec<u8>, Error>;
}

/// A key reference in PEM.
pub(crate) enum ReferencePem {}
/// A key reference in PKCS#8.
pub(crate) enum Pkcs8 {}
/// A SubjectPublicKeyInfo in DER.
pub(crate) enum PublicDer {}
/// A SubjectPublicKeyInfo in PEM.
pub(crate) enum PublicPem {}
/// A key described for people.
pub(crate) enum Text {}

impl Format for ReferencePem {
    const SELECTION: c_int = OSSL_KEYMGMT_SELECT_PRIVATE_KEY;
    const REFERENCE: bool = true;

    fn encode<K: Kind>(key: &ProviderKey<K>) -> Result<Vec<u8>, Error> {
        let pem = reference(key)?.to_pem();
        pem.map(String::into_bytes).map_err(|_| Error::Internal)
    }
}

impl Format for Pkcs8 {
    const SELECTION: c_int = OSSL_KEYMGMT_SELECT_PRIVATE_KEY;
    const REFERENCE: bool = true;

    fn encode<K: Kind>(key: &ProviderKey<K>) -> Result<Vec<u8>, Error> {
        reference(key)?.to_pkcs8().map_err(|_| Error::Internal)
    }
}

impl Format for PublicDer {
    const SELECTION: c_int = OSSL_KEYMGMT_SELECT_PUBLIC_KEY;

    fn encode<K: Kind>(key: &ProviderKey<K>) -> Result<Vec<u8>, Error> {
        key.public()?.spki().ok_or(Error::Internal)
    }
}

impl Format for PublicPem {
    const SELECTION: c_int = OSSL_KEYMGMT_SELECT_PUBLIC_KEY;

    fn encode<K: Kind>(key: &ProviderKey<K>) -> Result<Vec<u8>, Error> {
        let der = PublicDer::encode(key)?;
        let pem = encode_string("PUBLIC KEY", LineEnding::LF, &der);
        pem.map(String::into_bytes).map_err(|_| Error::Internal)
    }
}

impl Format for Text {
    /// Parameters too, of kinds that have none: another provider's encoder may not survive a key without its public half.
    const SELECTION: c_int =
        OSSL_KEYMGMT_SELECT_PRIVATE_KEY | OSSL_KEYMGMT_SELECT_PUBLIC_KEY | OSSL_KEYMGMT_SELECT_DOMAIN_PARAMETERS;

    fn encode<K: Kind>(key: &ProviderKey<K>) -> Result<Vec<u8>, Error> {
        let name = K::NAME.to_string_lossy();
        let mut text = match key.stored() {
            Some(uri) => format!("{name} key of the Parsec service\nuri: {uri}\n"),
            None if key.is_private() => {
                key.public()?;
                format!("{name} key of the Parsec service\nuri: none before its private half is written\n")
            }
            None => format!("{name} public key\n"),
        };
        for (field, value) in key.exported().unwrap_or_default() {
            let field = field.to_string_lossy();
            // writing to a string does not fail
            let _ = match value {
                Value::Text(value) | Value::Named(_, value) => {
                    writeln!(text, "{field}: {}", value.to_string_lossy())
                }
                Value::Bytes(bytes) | Value::Number(bytes) => {
                    writeln!(text, "{field}:\n{}", hexadecimal(&bytes))
                }
                Value::Pointer(bytes) => writeln!(text, "{field}:\n{}", hexadecimal(bytes)),
                Value::Int(number) | Value::Digits(number) => writeln!(text, "{field}: {number}"),
            };
        }
        Ok(text.into_bytes())
    }
}

fn reference<K: Kind>(key: &ProviderKey<K>) -> Result<Reference, Error> {
    if !key.is_private() {
        return Err(Error::State("a public key has no reference"));
    }
    Ok(Reference { uri: key.name()?, spki: Some(PublicDer::encode(key)?) })
}

/// Fifteen bytes a line, as OpenSSL writes numbers.
fn hexadecimal(bytes: &[u8]) -> String {
    let line = |bytes: &[u8]| {
        let pairs: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("    {}", pairs.join(":"))
    };
    let lines: Vec<_> = bytes.chunks(15).map(line).collect();
    lines.join(":\n")
}
