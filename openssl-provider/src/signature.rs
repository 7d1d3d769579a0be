//! Signing and verifying, the same for every scheme.
//!
//! A message is hashed here and its digest signed in the service, in one request. Starting asks the service nothing: TLS
//! starts an operation only to see whether it could. Verifying needs the public key alone, so it is done here too.

use std::{
    borrow::Cow,
    ffi::{CStr, CString},
    sync::Arc,
};

use der::Encode;
use interface::{algorithm::Signature, attributes::KeyType, hash::Hasher, identifier, reference::KeyUri};

use crate::{
    digest::{self, Digest},
    error::Error,
    ffi::{
        core::Core,
        newer::OSSL_SIGNATURE_PARAM_SIGNATURE,
        params::{Field, Given, Params, Setting, Type, Value, setting},
        *,
    },
    key::ProviderKey,
    kind::Kind,
    provider::Provider,
};

/// A signature scheme, with what can be set of it.
pub(crate) trait Scheme: Clone + Default + 'static {
    type Kind: Kind;

    /// What is set before anybody sets anything, for this key: with the digest, if that is set then.
    fn of(_: &Self::Kind) -> (Self, Option<&'static Digest>) {
        (Self::default(), None)
    }

    /// Whether a message is hashed here, and its digest signed. If not, the message is signed, and has to come whole.
    const HASHES: bool = true;
    /// Whether a signature contains what was signed, so that [`Self::recover`] works.
    const RECOVERS: bool = false;
    const FIELDS: &'static [Field<Context<Self>>];
    const GETTABLE: &'static [Param];
    const SETTINGS: &'static [Setting<Context<Self>>];
    const SETTABLE: &'static [Param];

    /// Refuses settings that cannot be had, before anything is signed or verified with them.
    fn check(&self, _: &Self::Kind, _: Option<&'static Digest>) -> Result<(), Error> {
        Ok(())
    }

    /// An algorithm that few keys are for: whether this one is, the service is asked before anything is signed.
    fn exceptional(&self) -> Option<Signature> {
        None
    }

    /// What the service is to sign, and with which algorithm.
    fn algorithm<'a>(
        &self,
        key: &Self::Kind,
        digest: Option<&'static Digest>,
        input: &'a [u8],
    ) -> Result<(Signature, &'a [u8]), Error>;

    /// What is signed along with the message.
    fn context(&self) -> &[u8] {
        &[]
    }

    /// The longest signature in bytes.
    fn max_len(key: &Self::Kind) -> usize;

    /// The service's signature in OpenSSL's encoding; None if it is not one.
    fn encode(key: &Self::Kind, signature: Vec<u8>) -> Option<Vec<u8>>;

    /// Whether a signature, in OpenSSL's encoding, is right.
    fn verify(&self, key: &Self::Kind, digest: Option<&'static Digest>, input: &[u8], signature: &[u8]) -> Result<bool, Error>;

    /// What was signed: the digest, or without one whatever stood in its place.
    fn recover(&self, _: &Self::Kind, _: Option<&Digest>, _: &[u8]) -> Result<Vec<u8>, Error> {
        Err(Error::State("these signatures do not contain what was signed"))
    }
}

/// The DER of the AlgorithmIdentifier of such signatures by such keys, as certificates and CMS carry it.
pub(crate) fn algorithm_id(signature: Signature, key_type: KeyType, bits: u32) -> Option<Value<'static>> {
    identifier::of(signature, key_type, bits)?.to_der().ok().map(Value::Bytes)
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Purpose {
    Sign,
    Verify,
}

/// What an operation is given.
pub(crate) enum Input<'a> {
    /// A digest, or whatever stands in its place.
    Prepared,
    /// A message, and the name of its digest.
    Message(Option<&'a str>),
}

/// A signature operation.
#[derive(Clone)]
pub(crate) struct Context<S: Scheme> {
    provider: Arc<Provider>,
    key: Option<ProviderKey<S::Kind>>,
    purpose: Purpose,
    pub(crate) digest: Option<&'static Digest>,
    /// The name by which it was set.
    called: Option<CString>,
    /// Whether the algorithm has its digest and all else built in.
    composite: bool,
    /// What the signature of a message that comes in parts is compared with.
    expected: Vec<u8>,
    /// The digest of a message as far as it has come.
    hasher: Option<Hasher>,
    pub(crate) scheme: S,
}

impl<S: Scheme> Object for Context<S> {
    fn core(&self) -> Core {
        self.provider.core
    }
}

impl<S: Scheme> Context<S> {
    pub(crate) fn new(provider: Arc<Provider>) -> Self {
        Self {
            provider,
            key: None,
            purpose: Purpose::Sign,
            digest: None,
            called: None,
            composite: false,
            expected: Vec::new(),
            hasher: None,
            scheme: S::default(),
        }
    }

    /// For an algorithm that has this digest built in.
    pub(crate) fn composite(provider: Arc<Provider>, digest: &'static Digest) -> Self {
        Self { digest: Some(digest), composite: true, ..Self::new(provider) }
    }

    /// What can be set of an algorithm with its digest built in: the signature that a message in parts is to have.
    pub(crate) const COMPOSITE_SETTINGS: &'static [Setting<Self>] =
        &[setting(OSSL_SIGNATURE_PARAM_SIGNATURE, Type::Bytes, |ctx, given| {
            let bad = || Error::Parameter("the signature is not a string of bytes".to_owned());
            ctx.expected = given.bytes().ok_or_else(bad)?.to_vec();
            Ok(())
        })];

    /// Starts anew with a key, or again with the one it has.
    pub(crate) fn init(
        &mut self,
        purpose: Purpose,
        input: Input<'_>,
        key: Option<&ProviderKey<S::Kind>>,
        params: Params<'_>,
    ) -> Result<(), Error> {
        if let Some(key) = key {
            let new = match self.digest.filter(|_| self.composite) {
                Some(digest) => Self::composite(Arc::clone(&self.provider), digest),
                None => Self::new(Arc::clone(&self.provider)),
            };
            *self = Self { key: Some(key.clone()), ..new };
            if let Some(parameters) = key.parameters().filter(|_| !self.composite) {
                (self.scheme, self.digest) = S::of(parameters);
            }
        }
        let key = self.key.as_ref().ok_or(Error::State("no key was set"))?;
        if purpose == Purpose::Sign && !key.is_private() {
            return Err(Error::State("a public key cannot sign"));
        }
        self.purpose = purpose;
        self.hasher = None;
        match input {
            Input::Message(name) => self.start(name.filter(|name| !name.is_empty()))?,
            Input::Prepared if S::HASHES => {}
            Input::Prepared => {
                let why = "these keys sign the message itself, not its digest: EVP_DigestSign, openssl pkeyutl -rawin";
                return Err(Error::Unsupported(why.to_owned()));
            }
        }
        self.set(params)
    }

    fn start(&mut self, name: Option<&str>) -> Result<(), Error> {
        if S::HASHES {
            if let Some(name) = name {
                self.call(name)?;
            }
            let digest = self.digest.unwrap_or(digest::DEFAULT);
            self.digest = Some(digest);
            self.hasher = Some(digest.hasher()?);
        } else if let Some(name) = name {
            let why = format!("these keys sign the message itself, not its digest {name}");
            return Err(Error::Unsupported(why));
        }
        Ok(())
    }

    /// Takes settings.
    pub(crate) fn set(&mut self, params: Params<'_>) -> Result<(), Error> {
        let mut changed = self.clone();
        params.apply(if self.composite { Self::COMPOSITE_SETTINGS } else { S::SETTINGS }, &mut changed)?;
        changed.check()?;
        *self = changed;
        Ok(())
    }

    fn check(&self) -> Result<(), Error> {
        if let Some(digest) = self.digest.filter(|digest| self.purpose == Purpose::Sign && !digest.may_sign()) {
            let why = format!("{:?} is too weak to sign with; take SHA256 or longer", digest.name);
            return Err(Error::Unsupported(why));
        }
        let Some(key) = &self.key else { return Ok(()) };
        if let Some(parameters) = key.parameters() {
            self.scheme.check(parameters, self.digest)?;
        }
        match self.scheme.exceptional() {
            Some(algorithm) if self.purpose == Purpose::Sign => self.permitted(key.uri()?, algorithm),
            _ => Ok(()),
        }
    }

    fn permitted(&self, key: &KeyUri, algorithm: Signature) -> Result<(), Error> {
        if self.provider.permits(key, algorithm.into())? {
            return Ok(());
        }
        Err(Error::Unsupported(format!("the policy of {key} does not name {algorithm:?}, so nothing else may be signed so")))
    }

    /// Takes the setting "digest", which a message's can no longer change.
    pub(crate) fn set_digest(&mut self, given: &Given<'_>) -> Result<(), Error> {
        let asked = given.text().unwrap_or_default();
        if self.hasher.is_some() && self.digest != Some(digest::named(asked)?) {
            return Err(Error::State("the digest was set when the operation was started"));
        }
        self.call(asked)
    }

    fn call(&mut self, name: &str) -> Result<(), Error> {
        let (digest, name) = digest::called(name)?;
        (self.digest, self.called) = (Some(digest), Some(name));
        Ok(())
    }

    /// The digest by the name that it was given.
    pub(crate) fn digest_name(&self) -> Option<&CStr> {
        self.called.as_deref().or_else(|| self.digest.map(|digest| digest.canonical))
    }

    pub(crate) fn update(&mut self, data: &[u8]) -> Result<(), Error> {
        self.hasher()?.update(data);
        Ok(())
    }

    /// Signs the message so far and `rest`.
    pub(crate) fn sign_message(&mut self, rest: &[u8], output: Output<'_>) -> Result<(), Error> {
        let max = S::max_len(self.parameters()?);
        output.fill(max, || {
            let input = self.signed(rest)?;
            self.signature(&input)
        })
    }

    /// Signs what was hashed elsewhere, or a whole message if the operation was started for one.
    pub(crate) fn sign(&mut self, input: &[u8], output: Output<'_>) -> Result<(), Error> {
        if self.hasher.is_some() {
            return self.sign_message(input, output);
        }
        let max = S::max_len(self.parameters()?);
        output.fill(max, || {
            self.check_len(input)?;
            self.signature(input)
        })
    }

    pub(crate) fn verify_message(&mut self, rest: &[u8], signature: &[u8]) -> Result<bool, Error> {
        let input = self.signed(rest)?;
        self.scheme.verify(self.public()?, self.digest, &input, signature)
    }

    /// Verifies the message so far with the signature that was set.
    pub(crate) fn verify_expected(&mut self) -> Result<bool, Error> {
        let expected = std::mem::take(&mut self.expected);
        self.verify_message(&[], &expected)
    }

    pub(crate) fn verify(&mut self, input: &[u8], signature: &[u8]) -> Result<bool, Error> {
        if self.hasher.is_some() {
            return self.verify_message(input, signature);
        }
        self.check_len(input)?;
        self.scheme.verify(self.public()?, self.digest, input, signature)
    }

    pub(crate) fn recover(&self, signature: &[u8], output: Output<'_>) -> Result<(), Error> {
        let key = self.public()?;
        output.fill(S::max_len(key), || self.scheme.recover(key, self.digest, signature))
    }

    /// The one request to the service.
    fn signature(&self, input: &[u8]) -> Result<Vec<u8>, Error> {
        let key = self.key.as_ref().ok_or(Error::State("no key was set"))?;
        let (uri, key) = (key.uri()?, key.public()?);
        let (algorithm, input) = self.scheme.algorithm(key, self.digest, input)?;
        let signature = self.provider.sign(uri, algorithm, input, self.scheme.context())?;
        S::encode(key, signature).ok_or(Error::Internal)
    }

    /// What of a message is signed, when `rest` has been added.
    fn signed<'a>(&mut self, rest: &'a [u8]) -> Result<Cow<'a, [u8]>, Error> {
        if !S::HASHES {
            return Ok(rest.into());
        }
        let hasher = self.hasher()?;
        hasher.update(rest);
        Ok(hasher.restart().into())
    }

    fn check_len(&self, input: &[u8]) -> Result<(), Error> {
        match self.digest {
            Some(digest) if digest.hash.len() != input.len() => Err(Error::Parameter(format!(
                "{:?} digests have {} bytes, this one {}",
                digest.name,
                digest.hash.len(),
                input.len()
            ))),
            _ => Ok(()),
        }
    }

    pub(crate) fn public(&self) -> Result<&S::Kind, Error> {
        self.key.as_ref().ok_or(Error::State("no key was set"))?.public()
    }

    fn parameters(&self) -> Result<&S::Kind, Error> {
        self.key.as_ref().and_then(ProviderKey::parameters).ok_or(Error::State("no key was set"))
    }

    fn hasher(&mut self) -> Result<&mut Hasher, Error> {
        self.hasher.as_mut().ok_or(Error::State("the operation was not started for a message"))
    }
}
