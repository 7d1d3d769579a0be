//! Making keys in the service: `openssl genpkey`.
//!
//! A new key with a name stays in the service. One without a name is [`unnamed`](crate::unnamed): so a program that lists this provider
//! first, and has it make the ephemeral keys of TLS too, fills no store with keys.

use std::{marker::PhantomData, sync::Arc};

use interface::{
    attributes::{Attributes, Policy},
    policy::Purpose,
};

use crate::{
    error::Error,
    ffi::{OSSL_KEYMGMT_SELECT_PRIVATE_KEY, OSSL_KEYMGMT_SELECT_PUBLIC_KEY, Object, core::Core, params::Params},
    key::ProviderKey,
    kind::Kind,
    options::Options,
    provider::{self, Provider},
    unnamed::UnnamedKey,
};

/// A key to be made.
pub(crate) struct Generation<K> {
    provider: Arc<Provider>,
    /// As OSSL_KEYMGMT_SELECT_*.
    selection: i32,
    options: Options,
    kind: PhantomData<K>,
}

impl<K> Object for Generation<K> {
    fn core(&self) -> Core {
        self.provider.core
    }
}

impl<K: Kind> Generation<K> {
    /// None for the parameters alone of keys that are not made so.
    pub(crate) fn new(provider: Arc<Provider>, selection: i32) -> Option<Self> {
        let generation = Self { provider, selection, options: Options::default(), kind: PhantomData };
        (K::EMPTY || generation.pair()).then_some(generation)
    }

    fn pair(&self) -> bool {
        self.selection & (OSSL_KEYMGMT_SELECT_PRIVATE_KEY | OSSL_KEYMGMT_SELECT_PUBLIC_KEY) != 0
    }

    /// Takes settings.
    pub(crate) fn set(&mut self, params: Params<'_>) -> Result<(), Error> {
        params.apply(K::OPTIONS, &mut self.options)
    }

    /// Takes the size from another key.
    pub(crate) fn like(&mut self, template: &ProviderKey<K>) {
        self.options.bits = template.parameters().and_then(K::group);
    }

    /// Makes the key, or the domain parameters alone where no more is wanted.
    pub(crate) fn make(&self) -> Result<ProviderKey<K>, Error> {
        let bits = self.options.bits.or(K::BITS).ok_or_else(|| said("set the curve, such as group:P-256"))?;
        if !self.pair() {
            return Ok(ProviderKey::with_parameters(&self.provider, K::of_group(bits)));
        }
        let attributes = Attributes { key_type: K::NEW, bits, policy: self.policy()? };
        if self.options.uri.name.is_none() {
            return Ok(ProviderKey::unnamed(&self.provider, UnnamedKey::new(&self.provider, &self.options.uri, attributes)?));
        }
        self.provider.generate(&self.options.uri, &attributes, false)?;
        let made = self.provider.lookup(&self.options.uri)?;
        let (public, _) = provider::public(&made).ok_or(Error::Internal)?;
        ProviderKey::of(&self.provider, &public, &Some(provider::uri(&made))).ok_or(Error::Internal)
    }

    fn policy(&self) -> Result<Policy, Error> {
        let Some((first, others)) = self.options.purposes.split_first() else {
            return K::policy(&self.options, None).ok_or(Error::Internal);
        };
        let policy = |purpose: &Purpose| {
            let name = K::NAME.to_string_lossy();
            K::policy(&self.options, Some(*purpose))
                .ok_or_else(|| said(&format!("{name} keys are not fit for {}", purpose.name())))
        };
        others.iter().try_fold(policy(first)?, |sum, purpose| Ok(sum.or(&policy(purpose)?)))
    }
}

fn said(why: &str) -> Error {
    Error::Parameter(why.to_owned())
}
