//! A key as OpenSSL's core holds it: the public half in full, the private half by name.

use std::{
    ffi::{CStr, c_int},
    ptr,
    sync::Arc,
};

use interface::reference::KeyUri;

use crate::{
    error::Error,
    ffi::{
        core::Core,
        params::{Params, Request, Value},
        *,
    },
    kind::{Kind, Public},
    provider::Provider,
    unnamed::{PrivateHalf, UnnamedKey},
};

/// A key. Clones share its halves.
pub(crate) struct ProviderKey<K> {
    provider: Arc<Provider>,
    halves: Halves<K>,
}

/// What there is of a key.
enum Halves<K> {
    None,
    /// The public half, or domain parameters alone.
    Public(Arc<K>),
    /// Both; the private one is in the service, under this name.
    Named(Arc<K>, Arc<KeyUri>),
    /// Both, of a key without a name so far.
    Unnamed(Arc<UnnamedKey<K>>),
}

impl<K> Clone for ProviderKey<K> {
    fn clone(&self) -> Self {
        let halves = match &self.halves {
            Halves::None => Halves::None,
            Halves::Public(public) => Halves::Public(Arc::clone(public)),
            Halves::Named(public, uri) => Halves::Named(Arc::clone(public), Arc::clone(uri)),
            Halves::Unnamed(unnamed) => Halves::Unnamed(Arc::clone(unnamed)),
        };
        Self { provider: Arc::clone(&self.provider), halves }
    }
}

impl<K> Object for ProviderKey<K> {
    fn core(&self) -> Core {
        self.provider.core
    }
}

/// A key of any kind, on its way to the core.
pub(crate) trait Loadable {
    /// Describes the key by its place: the core takes it within the call that is given this.
    fn object(&self) -> Vec<(&'static CStr, Value<'static>)>;
}

impl<K: Kind> Loadable for ProviderKey<K> {
    fn object(&self) -> Vec<(&'static CStr, Value<'static>)> {
        let reference = ptr::from_ref(self).expose_provenance().to_ne_bytes().to_vec();
        vec![
            (OSSL_OBJECT_PARAM_TYPE, Value::Int(OSSL_OBJECT_PKEY.into())),
            (OSSL_OBJECT_PARAM_DATA_TYPE, Value::Text(K::NAME)),
            (OSSL_OBJECT_PARAM_REFERENCE, Value::Bytes(reference)),
        ]
    }
}

impl<K: Kind> ProviderKey<K> {
    /// A key with nothing in it.
    pub(crate) fn new(provider: Arc<Provider>) -> Self {
        Self { provider, halves: Halves::None }
    }

    /// A key of the service, if it is of this kind.
    pub(crate) fn of(provider: &Arc<Provider>, public: &Public, private: &Option<KeyUri>) -> Option<Self> {
        let public = Arc::new(K::of(public)?);
        let halves = match private {
            Some(uri) => Halves::Named(public, Arc::new(uri.clone())),
            None => Halves::Public(public),
        };
        Some(Self { provider: Arc::clone(provider), halves })
    }

    /// A key without a name.
    pub(crate) fn unnamed(provider: &Arc<Provider>, unnamed: UnnamedKey<K>) -> Self {
        Self { provider: Arc::clone(provider), halves: Halves::Unnamed(Arc::new(unnamed)) }
    }

    /// Domain parameters alone, where there are any.
    pub(crate) fn with_parameters(provider: &Arc<Provider>, parameters: Option<K>) -> Self {
        let halves = parameters.map_or(Halves::None, |parameters| Halves::Public(Arc::new(parameters)));
        Self { provider: Arc::clone(provider), halves }
    }

    /// The public key, or what is known of it so far: domain parameters alone.
    pub(crate) fn parameters(&self) -> Option<&K> {
        match &self.halves {
            Halves::None => None,
            Halves::Public(public) | Halves::Named(public, _) => Some(public),
            Halves::Unnamed(unnamed) => unnamed.known().map(AsRef::as_ref),
        }
    }

    /// The public key, which is made now where it is still to be made.
    pub(crate) fn public(&self) -> Result<&K, Error> {
        match &self.halves {
            Halves::Unnamed(unnamed) => unnamed.public().map(AsRef::as_ref),
            _ => self.parameters().filter(|public| public.complete()).ok_or(Error::State("the key has no public half")),
        }
    }

    /// Whether there is a private half.
    pub(crate) fn is_private(&self) -> bool {
        matches!(self.halves, Halves::Named(..) | Halves::Unnamed(_))
    }

    fn is_public(&self) -> bool {
        self.is_private() || self.parameters().is_some_and(K::complete)
    }

    /// The name under which the service stores the private half.
    pub(crate) fn stored(&self) -> Option<&KeyUri> {
        match &self.halves {
            Halves::Named(_, uri) => Some(uri),
            Halves::Unnamed(unnamed) => unnamed.stored(),
            _ => None,
        }
    }

    /// The name of the private half, which is in the service from now on.
    pub(crate) fn uri(&self) -> Result<&KeyUri, Error> {
        match &self.halves {
            Halves::Named(_, uri) => Ok(uri),
            Halves::Unnamed(unnamed) => unnamed.uri(),
            _ => Err(Error::State("the key has no private half")),
        }
    }

    /// The private half, to agree on secrets with.
    pub(crate) fn agreeing(&self) -> Result<PrivateHalf<'_>, Error> {
        match &self.halves {
            Halves::Unnamed(unnamed) => unnamed.agreeing(),
            _ => self.uri().map(PrivateHalf::Service),
        }
    }

    /// The name for a file that the private half is written to, which has it once it is stored.
    pub(crate) fn name(&self) -> Result<KeyUri, Error> {
        match &self.halves {
            Halves::Unnamed(unnamed) => unnamed.name(),
            _ => self.uri().cloned(),
        }
    }

    /// Has the service store the private half where it does not yet.
    pub(crate) fn store(&self) -> Result<(), Error> {
        match &self.halves {
            Halves::Unnamed(unnamed) => unnamed.store(),
            _ => Ok(()),
        }
    }

    /// Whether all that is selected is there.
    pub(crate) fn has(&self, selection: c_int) -> bool {
        (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY == 0 || self.is_private())
            && (selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY == 0 || self.is_public())
            && (selection & OSSL_KEYMGMT_SELECT_DOMAIN_PARAMETERS == 0 || !K::GROUPS || self.parameters().is_some())
    }

    /// Whether what is selected is the same. The public half stands for the private one.
    pub(crate) fn matches(&self, other: &Self, selection: c_int) -> Result<bool, Error> {
        let key = OSSL_KEYMGMT_SELECT_PRIVATE_KEY | OSSL_KEYMGMT_SELECT_PUBLIC_KEY;
        let parameters = |key: &Self| key.parameters().map(K::parameters);
        if selection & key != 0 {
            Ok(self.is_public() && other.is_public() && self.public()? == other.public()?)
        } else if selection & OSSL_KEYMGMT_SELECT_DOMAIN_PARAMETERS != 0 {
            Ok(parameters(self).is_some() && parameters(self) == parameters(other))
        } else {
            Ok(true)
        }
    }

    /// Checks what is selected as far as that goes without the service.
    pub(crate) fn validate(&self, selection: c_int) -> Result<(), Error> {
        if !self.has(selection) {
            return Err(Error::State("the key lacks what is to be checked"));
        }
        if self.is_public() && !self.public()?.valid() {
            return Err(Error::Parameter("the public key is not valid".to_owned()));
        }
        Ok(())
    }

    /// A copy of what is selected; None of nothing, for a kind that is not copied so.
    pub(crate) fn selected(&self, selection: c_int) -> Result<Option<Self>, Error> {
        if selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY != 0 && self.is_private() {
            return Ok(Some(self.clone()));
        }
        let public = match &self.halves {
            _ if selection & (OSSL_KEYMGMT_SELECT_PUBLIC_KEY | OSSL_KEYMGMT_SELECT_PRIVATE_KEY) == 0 => {
                if !K::EMPTY {
                    return Ok(None);
                }
                self.parameters().and_then(K::parameters).map(Arc::new)
            }
            Halves::None => None,
            Halves::Public(public) | Halves::Named(public, _) => Some(Arc::clone(public)),
            // another provider is to have it
            Halves::Unnamed(unnamed) => {
                unnamed.agreeing()?;
                Some(Arc::clone(unnamed.public()?))
            }
        };
        let halves = public.map_or(Halves::None, Halves::Public);
        Ok(Some(Self { provider: Arc::clone(&self.provider), halves }))
    }

    /// Takes a public key. Answers false, without an error, to a private one: the core then looks for another provider.
    pub(crate) fn import(&mut self, params: Params<'_>) -> Result<bool, Error> {
        if params.find(K::PRIVATE).is_some() {
            return Ok(false);
        }
        self.halves = K::import(params).map_or(Halves::None, |public| Halves::Public(Arc::new(public)));
        Ok(self.parameters().is_some())
    }

    /// Makes a public key of what has no private half.
    pub(crate) fn set(&mut self, params: Params<'_>) -> Result<(), Error> {
        for fixed in K::FIXED {
            params.find(fixed.name).map_or(Ok(()), |given| fixed.check(&given))?;
        }
        if K::SETTABLE.first().is_some_and(|point| params.has(point)) {
            let completed = if self.is_private() { None } else { K::completed(self.parameters(), params) };
            let bad = || Error::Parameter("this is no public key for the curve".to_owned());
            self.halves = Halves::Public(Arc::new(completed.ok_or_else(bad)?));
        }
        Ok(())
    }

    /// Answers what is asked of the public half. False where there is none.
    pub(crate) fn answer(&self, request: &mut Request<'_>) -> Result<bool, Error> {
        if let Halves::Unnamed(unnamed) = &self.halves
            && let Some(known) = self.parameters().filter(|known| !known.complete())
        {
            let mut asked = K::FIELDS.iter().filter(|field| request.asks(field.name) && (field.read)(known).is_none());
            // whoever sends it to a peer agrees on a secret next
            if request.asks(OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY) {
                unnamed.agreeing()?;
            } else if asked.next().is_some() {
                unnamed.public()?;
            }
        }
        let Some(public) = self.parameters() else { return Ok(false) };
        request.answer(K::FIELDS, public).map(|()| true)
    }

    /// What there is of the public key as parameters.
    pub(crate) fn exported(&self) -> Option<Vec<(&'static CStr, Value<'_>)>> {
        let public = self.parameters()?;
        let fields = K::FIELDS.iter().take(K::PUBLIC.len() - 1);
        let there = fields.filter_map(|field| Some((field.name, (field.read)(public)?)));
        Some(there.collect())
    }
}
