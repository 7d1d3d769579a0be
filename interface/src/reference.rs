//! Key references. A configuration names one in place of a private key.
//!
//! A reference file is PEM around `SEQUENCE { UTF8String "Parsec Key Reference v1", UTF8String uri, SubjectPublicKeyInfo OPTIONAL
//! }`. It holds no secret. It carries the public key so that a server can load it, check it against its certificate and drop its
//! privileges while the service is still down. It names the owner so that it means the same key to every reader.
//!
//! Some programs look for `BEGIN PRIVATE KEY` themselves. For them there is a second form: PKCS#8 (RFC 5208) with an algorithm
//! identifier of ours and the reference as its private key. OpenSSL gives it to our decoder, no matter which program read the PEM.

use crate::{ProviderId, pem};
use der::asn1::{AnyRef, OctetStringRef, Utf8StringRef};
use der::pem::LineEnding;
use der::{Decode, Encode, Header, Reader, Sequence, SliceReader, Tag, Tagged};

/// The label of the PEM file. OpenSSL's own decoders do not know it, and leave it to ours; and nginx, httpd, HAProxy, stunnel,
/// PostgreSQL, OpenVPN, curl, Python and Node take a file with it for a key, whether or not certificates stand beside it: so the
/// tests in `interop/tests/nginx` and `interop/tests/tls`. Without the words "PRIVATE KEY" it is not searched for as a secret.
pub const PEM_LABEL: &str = "PARSEC KEY REFERENCE";
/// The label of the second form.
pub const PKCS8_LABEL: &str = "PRIVATE KEY";
/// The algorithm of the second form: 2.25 and a UUID of ours as a number (ITU-T X.667 §7), 7ea5be34-3d0b-4fc4-84d1-5e42a312a7e7.
const ALGORITHM: [u8; 20] =
    [0x69, 0x81, 0xfd, 0xa5, 0xdf, 0x8d, 0x87, 0xd0, 0xda, 0xbf, 0x89, 0x84, 0xe8, 0xd7, 0xc8, 0xaa, 0x98, 0xca, 0xcf, 0x67];
/// The first member of the sequence: names the format and its version.
pub const FORMAT: &str = "Parsec Key Reference v1";
/// The scheme of the URI.
pub const SCHEME: &str = "parsec:";

/// The name of a key as a URI, such as `parsec:object=web;owner=uid:0;provider=software`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyUri {
    /// The key's name; `None` stands for all of them, where a program lists keys.
    pub name: Option<String>,
    /// The owning principal; `None` is the caller.
    pub owner: Option<String>,
    /// The provider; `None` is the service's default.
    pub provider: Option<ProviderId>,
}

impl std::fmt::Display for KeyUri {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts = [
            self.name.as_deref().map(|name| ("object", name)),
            self.owner.as_deref().map(|owner| ("owner", owner)),
            self.provider.map(|provider| ("provider", provider.name())),
        ];
        f.write_str(SCHEME)?;
        for (i, (key, value)) in parts.into_iter().flatten().enumerate() {
            write!(f, "{}{key}={}", if i == 0 { "" } else { ";" }, escape(value))?;
        }
        Ok(())
    }
}

/// Why a text is not a key URI.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UriError {
    /// Another scheme.
    #[error("the URI does not start with {SCHEME}")]
    Scheme,
    /// An attribute that is not known, given twice, or without a value.
    #[error("'{0}' is not one of object=NAME, owner=PRINCIPAL, provider=NAME, each given once")]
    Attribute(String),
    /// A broken percent escape.
    #[error("'{0}' has a broken % escape")]
    Escape(String),
    /// A provider that the protocol does not know.
    #[error("there is no provider '{0}'")]
    Provider(String),
}

impl std::str::FromStr for KeyUri {
    type Err = UriError;

    /// Reads attributes in any order, separated by `;`, with percent escapes. `type=` (RFC 7512) is accepted and means nothing:
    /// key and certificate of one name are told apart by what the program asks for.
    fn from_str(text: &str) -> Result<Self, UriError> {
        let path = text.strip_prefix(SCHEME).ok_or(UriError::Scheme)?;
        let mut uri = Self::default();
        for attribute in path.split(';').filter(|attribute| !attribute.is_empty()) {
            let unknown = || UriError::Attribute(attribute.to_owned());
            let (key, value) = attribute.split_once('=').ok_or_else(unknown)?;
            let value = unescape(value).ok_or_else(|| UriError::Escape(attribute.to_owned()))?;
            let repeated = match key {
                "object" => uri.name.replace(value).is_some(),
                "owner" => uri.owner.replace(value).is_some(),
                "provider" => {
                    let provider = value.parse().map_err(|_| UriError::Provider(value))?;
                    uri.provider.replace(provider).is_some()
                }
                "type" => false,
                _ => return Err(unknown()),
            };
            if repeated {
                return Err(unknown());
            }
        }
        Ok(uri)
    }
}

/// A key reference: the name, and the public key where it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Which key.
    pub uri: KeyUri,
    /// DER of its `SubjectPublicKeyInfo`.
    pub spki: Option<Vec<u8>>,
}

/// Why bytes are not a key reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// Not DER, or another structure.
    #[error("not a Parsec key reference")]
    Format,
    /// The URI inside is wrong.
    #[error(transparent)]
    Uri(#[from] UriError),
}

impl From<der::Error> for ReferenceError {
    fn from(_: der::Error) -> Self {
        Self::Format
    }
}

impl Reference {
    /// The DER of the reference.
    ///
    /// # Errors
    /// [`ReferenceError::Format`] if the public key is not one DER element or all is larger than DER can tell.
    pub fn to_der(&self) -> Result<Vec<u8>, ReferenceError> {
        let mut content = Utf8StringRef::new(FORMAT)?.to_der()?;
        content.extend(Utf8StringRef::new(&self.uri.to_string())?.to_der()?);
        content.extend_from_slice(self.spki.as_deref().unwrap_or_default());
        let mut out = Header::new(Tag::Sequence, der::Length::try_from(content.len())?).to_der()?;
        out.extend(content);
        Ok(out)
    }

    /// Reads the DER of a reference.
    ///
    /// # Errors
    /// [`ReferenceError::Format`] for anything else, [`ReferenceError::Uri`] for a broken URI inside.
    pub fn from_der(bytes: &[u8]) -> Result<Self, ReferenceError> {
        let (text, spki) = SliceReader::new(bytes)?.sequence(|reader| -> Result<_, der::Error> {
            let format = Utf8StringRef::decode(reader)?;
            if format.as_str() != FORMAT {
                return Err(format.tag().value_error().into());
            }
            let text = Utf8StringRef::decode(reader)?.as_str().to_owned();
            let spki = if reader.is_finished() { None } else { Some(reader.tlv_bytes()?.to_vec()) };
            Ok((text, spki))
        })?;
        Ok(Self { uri: text.parse()?, spki })
    }

    /// The PEM file.
    ///
    /// # Errors
    /// As [`Reference::to_der`].
    pub fn to_pem(&self) -> Result<String, ReferenceError> {
        der::pem::encode_string(PEM_LABEL, LineEnding::LF, &self.to_der()?).map_err(|_| ReferenceError::Format)
    }

    /// Reads the first reference of a PEM file, in either form.
    ///
    /// # Errors
    /// As [`Reference::from_der`].
    pub fn from_pem(text: &[u8]) -> Result<Self, ReferenceError> {
        pem::blocks(text).find_map(|block| Self::of_block(&block)).unwrap_or(Err(ReferenceError::Format))
    }

    /// The reference that a block of PEM is, in either form; `None` for any other block.
    pub fn of_block(block: &pem::Block) -> Option<Result<Self, ReferenceError>> {
        match block.label.as_str() {
            PEM_LABEL => Some(block.der().ok_or(ReferenceError::Format).and_then(|der| Self::from_der(&der))),
            PKCS8_LABEL => Self::from_pkcs8(&block.der()?),
            _ => None,
        }
    }

    /// The DER of the second form.
    ///
    /// # Errors
    /// As [`Reference::to_der`].
    pub fn to_pkcs8(&self) -> Result<Vec<u8>, ReferenceError> {
        let algorithm = AnyRef::new(Tag::ObjectIdentifier, &ALGORITHM)?;
        let reference = self.to_der()?;
        Ok(Pkcs8 { version: 0, algorithm: Algorithm { algorithm }, key: OctetStringRef::new(&reference)? }.to_der()?)
    }

    /// Reads the DER of the second form; `None` for any other key.
    pub fn from_pkcs8(der: &[u8]) -> Option<Result<Self, ReferenceError>> {
        let Pkcs8 { algorithm: Algorithm { algorithm }, key, .. } = Pkcs8::from_der(der).ok()?;
        let ours = algorithm.tag() == Tag::ObjectIdentifier && algorithm.value() == ALGORITHM;
        ours.then(|| Self::from_der(key.as_bytes()))
    }
}

/// PrivateKeyInfo (RFC 5208 §5) without attributes.
#[derive(Sequence)]
struct Pkcs8<'a> {
    version: u8,
    algorithm: Algorithm<'a>,
    key: &'a OctetStringRef,
}

/// Its number is longer than the types for object identifiers have room for.
#[derive(Sequence)]
struct Algorithm<'a> {
    algorithm: AnyRef<'a>,
}

fn escape(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' | b'@' | b'/' | b'+' => {
                out.push(char::from(byte))
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
        out
    })
}

fn unescape(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let mut digit = || char::from(bytes.next()?).to_digit(16);
            out.push(u8::try_from(digit()? << 4 | digit()?).ok()?);
        } else {
            out.push(byte);
        }
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uri_round_trips_with_odd_names() {
        for name in ["web", "a;b=c%", "schlüssel", ""] {
            let uri = KeyUri { name: Some(name.into()), owner: Some("uid:0".into()), provider: Some(ProviderId::SOFTWARE) };
            assert_eq!(uri.to_string().parse(), Ok(uri));
        }
        assert_eq!(
            "parsec:object=web;owner=uid:0;provider=software".parse::<KeyUri>().unwrap().to_string(),
            "parsec:object=web;owner=uid:0;provider=software"
        );
    }

    #[test]
    fn wrong_uris_are_refused() {
        for text in [
            "pkcs11:object=a",
            "parsec:object=a;object=b",
            "parsec:object",
            "parsec:object=%4",
            "parsec:provider=floppy",
            "parsec:x=y",
        ] {
            assert!(text.parse::<KeyUri>().is_err(), "{text}");
        }
    }

    #[test]
    fn reference_round_trips_as_pem() {
        let uri: KeyUri = "parsec:object=web;owner=uid:0".parse().unwrap();
        for spki in [None, Some(vec![0x30, 0x03, 0x02, 0x01, 0x05])] {
            let reference = Reference { uri: uri.clone(), spki };
            let pem = reference.to_pem().unwrap();
            assert!(pem.starts_with("-----BEGIN PARSEC KEY REFERENCE-----\n"));
            assert_eq!(Reference::from_pem(pem.as_bytes()), Ok(reference.clone()));
            let pkcs8 = reference.to_pkcs8().unwrap();
            assert_eq!(Reference::from_pkcs8(&pkcs8), Some(Ok(reference.clone())));
            let pem = format!("text\n{}{pem}", der::pem::encode_string(PKCS8_LABEL, LineEnding::CRLF, &pkcs8).unwrap());
            assert_eq!(Reference::from_pem(pem.as_bytes()), Ok(reference));
            for end in 0..pkcs8.len() {
                assert_eq!(Reference::from_pkcs8(&pkcs8[..end]), None);
            }
        }
        assert_eq!(
            Reference::from_pem(b"-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----"),
            Err(ReferenceError::Format)
        );
    }
}
