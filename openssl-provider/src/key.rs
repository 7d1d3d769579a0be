//! A key as OpenSSL's core holds it: the public half in full, the private half by name.

use std::{
    ffi::{CStr, c_int},
    sync::Arc,
};

use interface::{
    attributes::{KeyType, Policy},
    policy::Purpose,
    reference::KeyUri,
    spki::{self, PublicKey},
};
use zeroize::Zeroizing;

use crate::{
    error::Error,
    ffi::{
        OSSL_KEYMGMT_SELECT_DOMAIN_PARAMETERS, OSSL_KEYMGMT_SELECT_PRIVATE_KEY, OSSL_KEYMGMT_SELECT_PUBLIC_KEY, Object, Param,
        params::{Field, Params, Setting, Value},
    },
    generation::{self, Options},
    provider::Provider,
};

/// A public key of the service.
pub(crate) struct Public {
    pub(crate) key: PublicKey,
    /// Whether it is an RSA key for PSS alone.
    pub(crate) pss: bool,
}

impl Public {
    pub(crate) fn from_spki(spki: &[u8]) -> Option<Self> {
        Some(Self { key: PublicKey::from_spki(spki)?, pss: spki::is_pss(spki) })
    }
}

/// A kind of key. The value is a public key.
pub(crate) trait Kind: Clone + PartialEq + 'static {
    /// The type's name in OpenSSL.
    const NAME: &'static CStr;
    /// What can be asked of a key. The first ones are the public key itself.
    const FIELDS: &'static [Field<Self>];
    /// The descriptors of all fields.
    const GETTABLE: &'static [Param];
    /// The descriptors of the public key's fields.
    const PUBLIC: &'static [Param];
    /// The parameter that a private key would come in.
    const PRIVATE: &'static CStr;

    /// What can be set in a key that is no more than domain parameters so far.
    const SETTABLE: &'static [Param] = &[Param::END];

    /// The type of new keys.
    const NEW: KeyType;
    /// The size of new keys where nobody says another; None where somebody has to.
    const BITS: Option<u32>;
    /// What can be said of new keys.
    const OPTIONS: &'static [Setting<Options>];
    /// The descriptors of all of that.
    const OPTIONS_SETTABLE: &'static [Param];

    /// Takes a public key of the service, if it is of this kind.
    fn of(public: &Public) -> Option<Self>;

    /// The DER of its SubjectPublicKeyInfo.
    fn spki(&self) -> Option<Vec<u8>>;

    /// Takes a public key in the form of [`Self::PUBLIC`], or domain parameters alone, if they are what this provider can use.
    fn import(params: Params<'_>) -> Option<Self>;

    /// The policy of a new key for a purpose, or for what such keys usually do; None where they are not fit for it.
    fn policy(purpose: Option<Purpose>) -> Option<Policy> {
        generation::policy(Self::NEW, purpose)
    }

    /// The size in bits of the domain parameters, where there are any.
    fn group(&self) -> Option<u32> {
        None
    }

    /// The domain parameters of this size in bits.
    fn of_group(_bits: u32) -> Option<Self> {
        None
    }

    /// The domain parameters alone, where there are any.
    fn parameters(&self) -> Option<Self> {
        None
    }

    /// Whether this is more than domain parameters.
    fn complete(&self) -> bool {
        true
    }

    /// The public key that [`Self::SETTABLE`] makes, of these domain parameters where its kind has any.
    fn completed(_parameters: Option<&Self>, _: Params<'_>) -> Option<Self> {
        None
    }

    /// A new key for one use, which neither the service nor a file will ever see. None of a kind that is not made so.
    fn ephemeral() -> Option<(Self, Secret)> {
        None
    }

    /// Whether the numbers make a public key.
    fn valid(&self) -> bool;

    /// The name of the algorithm that does an operation with this kind of key.
    fn operation(operation: c_int) -> &'static CStr;
}

/// A private key, or what was agreed on with one.
pub(crate) type Secret = Zeroizing<Vec<u8>>;

/// A key. Clones share its halves.
pub(crate) struct Key<K> {
    provider: Arc<Provider>,
    public: Option<Arc<K>>,
    private: Option<Private>,
}

/// Where the private half of a key is.
#[derive(Clone)]
pub(crate) enum Private {
    /// In the service, under this name.
    Named(Arc<KeyUri>),
    /// Here, until the key is freed.
    Ephemeral(Arc<Secret>),
}

impl<K> Clone for Key<K> {
    fn clone(&self) -> Self {
        Self { provider: Arc::clone(&self.provider), public: self.public.clone(), private: self.private.clone() }
    }
}

impl<K> Object for Key<K> {
    fn provider(&self) -> &Arc<Provider> {
        &self.provider
    }
}

impl<K: Kind> Key<K> {
    /// A key with nothing in it.
    pub(crate) fn new(provider: Arc<Provider>) -> Self {
        Self { provider, public: None, private: None }
    }

    /// A key of the service, if it is of this kind.
    pub(crate) fn of(provider: &Arc<Provider>, public: &Public, private: &Option<KeyUri>) -> Option<Self> {
        let public = Some(Arc::new(K::of(public)?));
        Some(Self { provider: Arc::clone(provider), public, private: private.clone().map(Arc::new).map(Private::Named) })
    }

    /// A new key for one use, if its kind is made so.
    pub(crate) fn ephemeral(provider: &Arc<Provider>) -> Option<Self> {
        let (public, secret) = K::ephemeral()?;
        let private = Some(Private::Ephemeral(Arc::new(secret)));
        Some(Self { provider: Arc::clone(provider), public: Some(Arc::new(public)), private })
    }

    /// Domain parameters alone.
    pub(crate) fn with_parameters(provider: &Arc<Provider>, parameters: K) -> Self {
        Self { provider: Arc::clone(provider), public: Some(Arc::new(parameters)), private: None }
    }

    pub(crate) fn public(&self) -> Option<&K> {
        self.public.as_deref().filter(|public| public.complete())
    }

    /// The public key, or domain parameters alone.
    pub(crate) fn parameters(&self) -> Option<&K> {
        self.public.as_deref()
    }

    pub(crate) fn private(&self) -> Option<&Private> {
        self.private.as_ref()
    }

    /// The name of the private key in the service, if it is there.
    pub(crate) fn uri(&self) -> Option<&KeyUri> {
        match &self.private {
            Some(Private::Named(uri)) => Some(uri),
            _ => None,
        }
    }

    /// Whether all that is selected is there.
    pub(crate) fn has(&self, selection: c_int) -> bool {
        (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY == 0 || self.private.is_some())
            && (selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY == 0 || self.public().is_some())
            && (selection & OSSL_KEYMGMT_SELECT_DOMAIN_PARAMETERS == 0 || self.public.is_some())
    }

    /// Whether what is selected is the same. The public half stands for the private one.
    pub(crate) fn matches(&self, other: &Self, selection: c_int) -> bool {
        let key = OSSL_KEYMGMT_SELECT_PRIVATE_KEY | OSSL_KEYMGMT_SELECT_PUBLIC_KEY;
        let parameters = |key: &Self| key.parameters().map(K::parameters);
        if selection & key != 0 {
            self.public().is_some() && self.public() == other.public()
        } else if selection & OSSL_KEYMGMT_SELECT_DOMAIN_PARAMETERS != 0 {
            self.public.is_some() && parameters(self) == parameters(other)
        } else {
            true
        }
    }

    /// Checks what is selected as far as that goes without the service.
    pub(crate) fn validate(&self, selection: c_int) -> Result<(), Error> {
        if !self.has(selection) {
            return Err(Error::State("the key lacks what is to be checked"));
        }
        match self.public() {
            Some(public) if !public.valid() => Err(Error::Parameter("the public key is not valid".to_owned())),
            _ => Ok(()),
        }
    }

    /// A copy of what is selected.
    pub(crate) fn selected(&self, selection: c_int) -> Self {
        let mut copy = self.clone();
        if selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY == 0 {
            copy.private = None;
        }
        if selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY == 0 {
            let parameters = selection & OSSL_KEYMGMT_SELECT_DOMAIN_PARAMETERS != 0;
            let public = self.parameters().filter(|_| parameters);
            copy.public = public.and_then(K::parameters).map(Arc::new);
        }
        copy
    }

    /// Takes a public key. Answers false, without an error, to a private one: the core then looks for another provider.
    pub(crate) fn import(&mut self, params: Params<'_>) -> Result<bool, Error> {
        if params.find(K::PRIVATE).is_some() {
            return Ok(false);
        }
        self.public = K::import(params).map(Arc::new);
        Ok(self.public.is_some())
    }

    /// Makes a public key of what has no private half.
    pub(crate) fn set(&mut self, params: Params<'_>) -> Result<(), Error> {
        if K::SETTABLE.iter().any(|param| params.has(param)) {
            let completed = if self.private.is_none() { K::completed(self.parameters(), params) } else { None };
            let bad = || Error::Parameter("this is no public key for the curve".to_owned());
            self.public = Some(Arc::new(completed.ok_or_else(bad)?));
        }
        Ok(())
    }

    /// What there is of the public key as parameters.
    pub(crate) fn exported(&self) -> Option<Vec<(&'static CStr, Value)>> {
        let public = self.parameters()?;
        let fields = K::FIELDS.iter().take(K::PUBLIC.len() - 1);
        let there = fields.filter_map(|field| Some((field.name, (field.read)(public)?)));
        Some(there.collect())
    }
}
