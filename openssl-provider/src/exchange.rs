//! Agreeing on a secret with a peer, and deriving a key from it as CMS does.
//!
//! The service computes the secret, in one request, unless the key is an ephemeral one; the key for CMS is derived here.

use std::sync::Arc;

use zeroize::Zeroizing;

use crate::{
    digest::{self, Digest},
    error::Error,
    ffi::{
        core::Core,
        params::{Field, Params, Setting, Type, Value, field, gettable, settable, setting},
        *,
    },
    key::ProviderKey,
    kind::{Kind, Secret},
    provider::Provider,
    unnamed::PrivateHalf,
};

/// A kind of key that agrees on secrets.
pub(crate) trait Exchange: Kind {
    /// The public key as the service takes a peer's.
    fn encoded(&self) -> &[u8];

    /// Bytes of a secret.
    fn secret_len(&self) -> usize;

    /// What an [ephemeral](Kind::ephemeral) private key shares with this public one; None where the two agree on nothing.
    fn agree(&self, ephemeral: &Secret) -> Option<Secret>;
}

/// An operation.
#[derive(Clone)]
pub(crate) struct Context<K: Exchange> {
    provider: Arc<Provider>,
    key: Option<ProviderKey<K>>,
    peer: Option<ProviderKey<K>>,
    pub(crate) settings: Settings,
}

/// What becomes of the secret.
#[derive(Clone, Default)]
pub(crate) struct Settings {
    /// Whether a key is derived from it.
    kdf: bool,
    digest: Option<&'static Digest>,
    /// What else goes into the key.
    info: Vec<u8>,
    /// Bytes of the key.
    len: usize,
    /// The same in every mode: our curves have the cofactor 1.
    cofactor_mode: i64,
}

pub(crate) static FIELDS: [Field<Settings>; 5] = [
    field(OSSL_EXCHANGE_PARAM_KDF_TYPE, Type::Text, |settings| {
        Some(Value::Text(if settings.kdf { OSSL_KDF_NAME_X963KDF } else { c"" }))
    }),
    field(OSSL_EXCHANGE_PARAM_KDF_DIGEST, Type::Text, |settings| Some(Value::Text(settings.digest?.canonical))),
    field(OSSL_EXCHANGE_PARAM_KDF_OUTLEN, Type::Number, |settings| i64::try_from(settings.len).ok().map(Value::Int)),
    field(OSSL_EXCHANGE_PARAM_KDF_UKM, Type::BytesPointer, |settings| Some(Value::Pointer(&settings.info))),
    field(OSSL_EXCHANGE_PARAM_EC_ECDH_COFACTOR_MODE, Type::Int, |settings| Some(Value::Int(settings.cofactor_mode))),
];
pub(crate) static GETTABLE: [Param; 6] = gettable(&FIELDS);

static SETTINGS: [Setting<Settings>; 5] = [
    setting(OSSL_EXCHANGE_PARAM_KDF_TYPE, Type::Text, |settings, given| {
        settings.kdf = match given.text() {
            Some("") => false,
            Some(kdf) if Ok(kdf) == OSSL_KDF_NAME_X963KDF.to_str() => true,
            other => {
                let why = format!("the key derivation {} is not X963KDF", other.unwrap_or("?"));
                return Err(Error::Unsupported(why));
            }
        };
        Ok(())
    }),
    setting(OSSL_EXCHANGE_PARAM_KDF_DIGEST, Type::Text, |settings, given| {
        settings.digest = Some(digest::named(given.text().unwrap_or_default())?);
        Ok(())
    }),
    setting(OSSL_EXCHANGE_PARAM_KDF_UKM, Type::Bytes, |settings, given| {
        let bad = || Error::Parameter("kdf-ukm is not a string of bytes".to_owned());
        settings.info = given.bytes().ok_or_else(bad)?.to_vec();
        Ok(())
    }),
    setting(OSSL_EXCHANGE_PARAM_KDF_OUTLEN, Type::Number, |settings, given| {
        let len = given.int().and_then(|len| usize::try_from(len).ok());
        let bad = || Error::Parameter("kdf-outlen is not a number of bytes".to_owned());
        settings.len = len.ok_or_else(bad)?;
        Ok(())
    }),
    setting(OSSL_EXCHANGE_PARAM_EC_ECDH_COFACTOR_MODE, Type::Int, |settings, given| {
        let mode = given.int().filter(|mode| (-1..=1).contains(mode));
        let bad = || Error::Parameter("the cofactor mode is none of -1, 0 and 1".to_owned());
        settings.cofactor_mode = mode.ok_or_else(bad)?;
        Ok(())
    }),
];
pub(crate) static SETTABLE: [Param; 6] = settable(&SETTINGS);

impl<K: Exchange> Object for Context<K> {
    fn core(&self) -> Core {
        self.provider.core
    }
}

impl<K: Exchange> Context<K> {
    pub(crate) fn new(provider: Arc<Provider>) -> Self {
        Self { provider, key: None, peer: None, settings: Settings::default() }
    }

    /// Starts anew with a key.
    pub(crate) fn init(&mut self, key: Option<&ProviderKey<K>>, params: Params<'_>) -> Result<(), Error> {
        let key = key.ok_or(Error::State("no key was set"))?;
        if !key.is_private() {
            return Err(Error::State("a public key cannot derive"));
        }
        *self = Self { key: Some(key.clone()), ..Self::new(Arc::clone(&self.provider)) };
        self.set(params)
    }

    /// Takes the peer's public key.
    pub(crate) fn set_peer(&mut self, peer: Option<&ProviderKey<K>>) -> Result<(), Error> {
        let peers = peer.ok_or(Error::State("no peer was given"))?.public()?.parameters();
        if self.key.as_ref().and_then(ProviderKey::parameters).map(K::parameters) != Some(peers) {
            let why = "the peer's public key is not on the curve of the private one";
            return Err(Error::Parameter(why.to_owned()));
        }
        self.peer = peer.cloned();
        Ok(())
    }

    /// Takes settings.
    pub(crate) fn set(&mut self, params: Params<'_>) -> Result<(), Error> {
        let mut changed = self.settings.clone();
        params.apply(&SETTINGS, &mut changed)?;
        self.settings = changed;
        Ok(())
    }

    pub(crate) fn derive(&self, output: Output<'_>) -> Result<(), Error> {
        let key = self.key.as_ref().ok_or(Error::State("no key was set"))?;
        let parameters = key.parameters().ok_or(Error::State("no key was set"))?;
        let len = if self.settings.kdf { self.settings.len } else { parameters.secret_len() };
        output.fill(len, || {
            let peer = self.peer.as_ref().ok_or(Error::State("the peer's public key was not set"))?.public()?;
            let secret = match key.agreeing()? {
                PrivateHalf::Service(uri) => self.provider.agree(uri, peer.encoded())?,
                PrivateHalf::Here(own) => {
                    peer.agree(own).ok_or_else(|| Error::Parameter("the peer's public key agrees on nothing".to_owned()))?
                }
            };
            if self.settings.kdf { self.settings.derived(&secret) } else { Ok(secret) }
        })
    }
}

impl Settings {
    /// A key as of ANSI X9.63, SEC 1 §3.6.1.
    fn derived(&self, secret: &[u8]) -> Result<Secret, Error> {
        let digest = self.digest.ok_or(Error::State("the digest of the key derivation was not set"))?;
        let mut key = Zeroizing::new(Vec::with_capacity(self.len + digest.hash.len()));
        for counter in 1_u32.. {
            if key.len() >= self.len {
                break;
            }
            let block = Zeroizing::new(digest.of(&[secret, &counter.to_be_bytes(), &self.info])?);
            key.extend_from_slice(&block);
        }
        key.truncate(self.len);
        Ok(key)
    }
}
