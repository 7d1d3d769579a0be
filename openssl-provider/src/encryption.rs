//! Encrypting and decrypting with RSA keys: PKCS#1 v1.5, OAEP, and the key exchange of TLS up to 1.2.
//!
//! Encrypting needs the public key alone, so it is done here; decrypting is one request to the service. How PKCS#1 v1.5
//! fails must tell nobody anything: the service answers bad padding with a made-up message, and the padding of TLS makes
//! a random secret, in the same time, of whatever is not one of the client's.

use std::{ffi::c_int, sync::Arc};

use getrandom::SysRng;
use interface::{Status, algorithm::Encryption, client};
use rsa::Pkcs1v15Encrypt;
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use zeroize::Zeroizing;

use crate::{
    digest::{self, Digest},
    error::Error,
    ffi::{
        core::Core,
        params::{Field, Given, Params, Setting, Type, Value, field, gettable, settable, setting},
        *,
    },
    key::ProviderKey,
    provider::Provider,
    rsa::{Rsa, encoding::Digests, unsupported},
};

/// Bytes of TLS's premaster secret: the client's version and 46 random ones (RFC 5246 §7.4.7.1).
const PREMASTER: usize = 48;

#[derive(Clone, Copy, PartialEq)]
enum Padding {
    Pkcs1,
    Oaep,
    /// PKCS#1 v1.5 around a premaster secret.
    Tls,
}

/// An operation.
#[derive(Clone)]
pub(crate) struct Context {
    provider: Arc<Provider>,
    key: Option<ProviderKey<Rsa>>,
    padding: Padding,
    /// The digest of OAEP, once that is set.
    digest: Option<&'static Digest>,
    /// The digest of MGF1 where it is another than OAEP's.
    mgf1: Option<&'static Digest>,
    label: Vec<u8>,
    versions: Versions,
}

/// The versions of TLS that a premaster secret may begin with.
#[derive(Clone, Copy, Default)]
struct Versions {
    /// The highest one that the client offered.
    client: Option<u16>,
    /// The one agreed on, where clients that send this one by mistake are put up with.
    negotiated: Option<u16>,
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Purpose {
    Encrypt,
    Decrypt,
}

pub(crate) static FIELDS: [Field<Context>; 6] = [
    field(OSSL_ASYM_CIPHER_PARAM_PAD_MODE, Type::Text, |ctx| {
        Some(match ctx.padding {
            Padding::Pkcs1 => Value::Named(RSA_PKCS1_PADDING, OSSL_PKEY_RSA_PAD_MODE_PKCSV15),
            Padding::Oaep => Value::Named(RSA_PKCS1_OAEP_PADDING, OSSL_PKEY_RSA_PAD_MODE_OAEP),
            Padding::Tls => Value::Int(RSA_PKCS1_WITH_TLS_PADDING.into()),
        })
    }),
    field(OSSL_ASYM_CIPHER_PARAM_OAEP_DIGEST, Type::Text, |ctx| Some(told(ctx.digest))),
    field(OSSL_ASYM_CIPHER_PARAM_MGF1_DIGEST, Type::Text, |ctx| Some(told(ctx.mgf1.or(ctx.digest)))),
    field(OSSL_ASYM_CIPHER_PARAM_OAEP_LABEL, Type::BytesPointer, |ctx| Some(Value::Pointer(&ctx.label))),
    field(OSSL_ASYM_CIPHER_PARAM_TLS_CLIENT_VERSION, Type::Int, |ctx| {
        ctx.versions.client.map(|version| Value::Int(version.into()))
    }),
    field(OSSL_ASYM_CIPHER_PARAM_TLS_NEGOTIATED_VERSION, Type::Int, |ctx| {
        ctx.versions.negotiated.map(|version| Value::Int(version.into()))
    }),
];
pub(crate) static GETTABLE: [Param; 7] = gettable(&FIELDS);

/// A digest's name; an empty one where there is none yet.
fn told(digest: Option<&'static Digest>) -> Value<'static> {
    Value::Text(digest.map_or(c"", |digest| digest.canonical))
}

static SETTINGS: [Setting<Context>; 6] = [
    setting(OSSL_ASYM_CIPHER_PARAM_PAD_MODE, Type::Text, |ctx, given| {
        ctx.padding = padding(given)?;
        if ctx.padding == Padding::Oaep {
            ctx.digest.get_or_insert(digest::DEFAULT_OAEP);
        }
        Ok(())
    }),
    setting(OSSL_ASYM_CIPHER_PARAM_OAEP_DIGEST, Type::Text, |ctx, given| {
        ctx.digest = Some(digest::named(given.text().unwrap_or_default())?);
        Ok(())
    }),
    setting(OSSL_ASYM_CIPHER_PARAM_MGF1_DIGEST, Type::Text, |ctx, given| {
        ctx.mgf1 = Some(digest::named(given.text().unwrap_or_default())?);
        Ok(())
    }),
    setting(OSSL_ASYM_CIPHER_PARAM_OAEP_LABEL, Type::Bytes, |ctx, given| {
        let bad = || Error::Parameter("the OAEP label is not a string of bytes".to_owned());
        ctx.label = given.bytes().ok_or_else(bad)?.to_vec();
        Ok(())
    }),
    setting(OSSL_ASYM_CIPHER_PARAM_TLS_CLIENT_VERSION, Type::Int, |ctx, given| {
        ctx.versions.client = version(given)?;
        Ok(())
    }),
    setting(OSSL_ASYM_CIPHER_PARAM_TLS_NEGOTIATED_VERSION, Type::Int, |ctx, given| {
        ctx.versions.negotiated = version(given)?;
        Ok(())
    }),
];
pub(crate) static SETTABLE: [Param; 7] = settable(&SETTINGS);

impl Object for Context {
    fn core(&self) -> Core {
        self.provider.core
    }
}

impl Context {
    pub(crate) fn new(provider: Arc<Provider>) -> Self {
        Self {
            provider,
            key: None,
            padding: Padding::Pkcs1,
            digest: None,
            mgf1: None,
            label: Vec::new(),
            versions: Versions::default(),
        }
    }

    /// Starts anew with a key, or again with the one it has.
    pub(crate) fn init(&mut self, purpose: Purpose, key: Option<&ProviderKey<Rsa>>, params: Params<'_>) -> Result<(), Error> {
        if let Some(key) = key {
            *self = Self { key: Some(key.clone()), ..Self::new(Arc::clone(&self.provider)) };
        }
        let key = self.key.as_ref().ok_or(Error::State("no key was set"))?;
        if purpose == Purpose::Decrypt && !key.is_private() {
            return Err(Error::State("a public key cannot decrypt"));
        }
        self.set(params)
    }

    /// Takes settings.
    pub(crate) fn set(&mut self, params: Params<'_>) -> Result<(), Error> {
        let mut changed = self.clone();
        params.apply(&SETTINGS, &mut changed)?;
        *self = changed;
        Ok(())
    }

    pub(crate) fn encrypt(&self, message: &[u8], output: Output<'_>) -> Result<(), Error> {
        let public = self.public()?;
        output.fill(public.len(), || {
            let key = public.parsed().ok_or_else(|| unsupported("a key of this size"))?;
            let encrypted = if self.padding == Padding::Oaep {
                let block = self.digests().oaep(&self.label, message, public.len())?;
                block.and_then(|block| public.block(&block))
            } else {
                key.encrypt(&mut SysRng, Pkcs1v15Encrypt, message).ok()
            };
            let long = || format!("{} bytes cannot be encrypted: the key has no room for as many in this padding", message.len());
            encrypted.ok_or_else(|| Error::Parameter(long()))
        })
    }

    pub(crate) fn decrypt(&self, ciphertext: &[u8], output: Output<'_>) -> Result<(), Error> {
        match self.padding {
            Padding::Tls => output.fill(PREMASTER, || self.premaster(ciphertext)),
            _ => output.fill(self.public()?.len(), || self.message(ciphertext)),
        }
    }

    /// The one request to the service.
    fn message(&self, ciphertext: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        let uri = self.key.as_ref().ok_or(Error::State("no key was set"))?.uri()?;
        let label = if self.padding == Padding::Oaep { &self.label[..] } else { &[] };
        self.provider.decrypt(uri, self.algorithm(), ciphertext, label)
    }

    /// What a TLS client sent; a random secret if it sent anything else.
    fn premaster(&self, ciphertext: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        self.versions.client.ok_or(Error::State("the padding of TLS needs the version that the client offered"))?;
        // what everybody can see of a ciphertext may be told
        let beyond = || Error::Parameter("the ciphertext is not a number below the key's modulus".to_owned());
        let ciphertext = self.public()?.number(ciphertext).ok_or_else(beyond)?;
        let mut secret = Zeroizing::new(vec![0; PREMASTER]);
        getrandom::fill(&mut secret).map_err(|_| Error::Internal)?;
        let message = match self.message(&ciphertext) {
            // an upstream service tells bad padding by an error
            Err(Error::Refused(client::Error::Refused { status, .. })) if !about_key(status) => Zeroizing::default(),
            message => message?,
        };
        let good = self.versions.begin(&message);
        for (place, byte) in secret.iter_mut().zip(message.iter()) {
            place.conditional_assign(byte, good);
        }
        Ok(secret)
    }

    fn algorithm(&self) -> Encryption {
        let Digests { own, mgf1 } = self.digests();
        match self.padding {
            Padding::Pkcs1 | Padding::Tls => Encryption::RsaPkcs1v15,
            Padding::Oaep if own == mgf1 => Encryption::RsaOaep { hash: own.hash },
            Padding::Oaep => Encryption::RsaOaepWith { hash: own.hash, mgf: mgf1.hash },
        }
    }

    fn digests(&self) -> Digests {
        let own = self.digest.unwrap_or(digest::DEFAULT_OAEP);
        Digests { own, mgf1: self.mgf1.unwrap_or(own) }
    }

    fn public(&self) -> Result<&Rsa, Error> {
        self.key.as_ref().ok_or(Error::State("no key was set"))?.public()
    }
}

impl Versions {
    /// Whether a message is a premaster secret that begins with one of these. Constant time for messages of one length.
    fn begin(self, message: &[u8]) -> Choice {
        let found = message.iter().take(2).fold(0, |found, byte| found << 8 | u16::from(*byte));
        let is = |version: Option<u16>| found.ct_eq(&version.unwrap_or_default()) & Choice::from(u8::from(version.is_some()));
        message.len().ct_eq(&PREMASTER) & (is(self.client) | is(self.negotiated))
    }
}

/// Whether a refusal is about the key and not about what the ciphertext holds.
fn about_key(status: Status) -> bool {
    matches!(status, Status::PsaErrorNotPermitted | Status::PsaErrorNotSupported | Status::PsaErrorDoesNotExist)
}

fn padding(given: &Given<'_>) -> Result<Padding, Error> {
    let named = |text: &str| match text {
        "pkcs1" => Some(Padding::Pkcs1),
        "oaep" => Some(Padding::Oaep),
        _ => None,
    };
    let number = |number| match c_int::try_from(number) {
        Ok(RSA_PKCS1_PADDING) => Some(Padding::Pkcs1),
        Ok(RSA_PKCS1_OAEP_PADDING) => Some(Padding::Oaep),
        Ok(RSA_PKCS1_WITH_TLS_PADDING) => Some(Padding::Tls),
        _ => None,
    };
    given
        .text()
        .and_then(named)
        .or_else(|| number(given.int()?))
        .ok_or_else(|| unsupported("RSA encryption with another padding than pkcs1 and oaep"))
}

/// A version of TLS; zero is none.
fn version(given: &Given<'_>) -> Result<Option<u16>, Error> {
    let number = given.int().and_then(|number| u16::try_from(number).ok());
    let bad = || Error::Parameter("the version of TLS is not a number of 16 bits".to_owned());
    Ok(Some(number.ok_or_else(bad)?).filter(|version| *version != 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(versions: Versions, message: &[u8]) -> bool {
        versions.begin(message).into()
    }

    #[test]
    fn a_premaster_secret_has_its_length_and_a_version_of_the_client() {
        let secret = |version: u16, len: usize| [&version.to_be_bytes()[..], &vec![7; len - 2]].concat();
        let versions = Versions { client: Some(0x303), negotiated: None };
        assert!(accepted(versions, &secret(0x303, 48)));
        for message in [secret(0x302, 48), secret(0x303, 47), secret(0x303, 49)] {
            assert!(!accepted(versions, &message));
        }
        for message in [&[][..], &[3], &[3, 3]] {
            assert!(!accepted(versions, message));
        }
        let lenient = Versions { negotiated: Some(0x302), ..versions };
        assert!(accepted(lenient, &secret(0x302, 48)) && accepted(lenient, &secret(0x303, 48)));
        assert!(!accepted(lenient, &secret(0x301, 48)));
        assert!(!accepted(Versions::default(), &[0; 48]));
    }
}
