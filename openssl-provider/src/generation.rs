//! Making keys in the service: `openssl genpkey`.
//!
//! A new key stays, so it needs a name. That keeps whatever else comes here by mistake from filling the service with keys:
//! a program that lists this provider first asks it for the ephemeral keys of TLS too. It gets those of X25519, made here: with
//! them the default provider does its hybrid key exchange, which would fail otherwise, while other groups are left out.

use std::{marker::PhantomData, sync::Arc};

use interface::{
    ProviderId,
    attributes::{Attributes, KeyType, Policy},
    policy::{Job, Purpose},
    reference::KeyUri,
};

use crate::{
    error::Error,
    ffi::{
        OSSL_KEYMGMT_SELECT_PRIVATE_KEY, OSSL_KEYMGMT_SELECT_PUBLIC_KEY, Object,
        params::{Params, Setting, Type, setting},
    },
    key::{Key, Kind},
    provider::{self, Provider},
};

/// A key to be made.
pub(crate) struct Generation<K> {
    provider: Arc<Provider>,
    /// As OSSL_KEYMGMT_SELECT_*.
    selection: i32,
    options: Options,
    kind: PhantomData<K>,
}

/// What is said of a new key.
#[derive(Default)]
pub(crate) struct Options {
    uri: KeyUri,
    purposes: Vec<Purpose>,
    pub(crate) bits: Option<u32>,
}

pub(crate) const NAMELESS: &str = "a key made here stays in the service, so it needs a name: -pkeyopt parsec-name:NAME. A program's own key comes \
     from another provider: list default before parsec in openssl.cnf, or ask with -propquery provider=default";

/// The key's name in the service.
pub(crate) const NAME: Setting<Options> = setting(c"parsec-name", Type::Text, |options, given| {
    options.uri.name = given.text().filter(|name| !name.is_empty()).map(str::to_owned);
    Ok(())
});
/// The service's provider that keeps the key, such as tpm; else the default one.
pub(crate) const PROVIDER: Setting<Options> = setting(c"parsec-provider", Type::Text, |options, given| {
    let name = given.text().unwrap_or_default();
    let provider: Result<ProviderId, _> = name.parse();
    options.uri.provider = Some(provider.map_err(|_| Error::Parameter(format!("parsec-provider:{name} is none that there is")))?);
    Ok(())
});
/// What the key is for, separated by commas; else to sign, or if it cannot, to agree on secrets.
pub(crate) const USAGE: Setting<Options> = setting(c"parsec-usage", Type::Text, |options, given| {
    let names = given.text().unwrap_or_default();
    let known = || Purpose::ALL.map(Purpose::name).join(", ");
    let bad = |name| Error::Parameter(format!("parsec-usage:{name} is none of {}", known()));
    options.purposes = names.split(',').map(|name| Purpose::named(name).ok_or_else(|| bad(name))).collect::<Result<_, _>>()?;
    Ok(())
});

impl<K> Object for Generation<K> {
    fn provider(&self) -> &Arc<Provider> {
        &self.provider
    }
}

impl<K: Kind> Generation<K> {
    pub(crate) fn new(provider: Arc<Provider>, selection: i32) -> Self {
        Self { provider, selection, options: Options::default(), kind: PhantomData }
    }

    /// Takes settings.
    pub(crate) fn set(&mut self, params: Params<'_>) -> Result<(), Error> {
        params.apply(K::OPTIONS, &mut self.options)
    }

    /// Takes the size from another key.
    pub(crate) fn like(&mut self, template: &Key<K>) {
        self.options.bits = template.parameters().and_then(K::group);
    }

    /// Makes the key, or the domain parameters alone where no more is wanted.
    pub(crate) fn make(&self) -> Result<Key<K>, Error> {
        let bits = self.options.bits.or(K::BITS).ok_or_else(|| said("set the curve, such as group:P-256"))?;
        if self.selection & (OSSL_KEYMGMT_SELECT_PRIVATE_KEY | OSSL_KEYMGMT_SELECT_PUBLIC_KEY) == 0 {
            let parameters = K::of_group(bits).ok_or_else(|| said("these keys have no parameters"))?;
            return Ok(Key::with_parameters(&self.provider, parameters));
        }
        if self.options.uri.name.is_none() {
            return Key::ephemeral(&self.provider).ok_or_else(|| said(NAMELESS));
        }
        let attributes = Attributes { key_type: K::NEW, bits, policy: self.policy()? };
        self.provider.generate(&self.options.uri, &attributes)?;
        let made = self.provider.lookup(&self.options.uri)?;
        let (public, _) = provider::public(&made).ok_or(Error::Internal)?;
        Key::of(&self.provider, &public, &Some(provider::uri(&made))).ok_or(Error::Internal)
    }

    fn policy(&self) -> Result<Policy, Error> {
        let Some((first, others)) = self.options.purposes.split_first() else {
            return K::policy(None).ok_or(Error::Internal);
        };
        let policy = |purpose: &Purpose| {
            let name = K::NAME.to_string_lossy();
            K::policy(Some(*purpose)).ok_or_else(|| said(&format!("{name} keys are not fit for {}", purpose.name())))
        };
        others.iter().try_fold(policy(first)?, |sum, purpose| Ok(sum.or(&policy(purpose)?)))
    }
}

/// The policy of keys of a type for a purpose, or for the first job that they can do.
pub(crate) fn policy(key_type: KeyType, purpose: Option<Purpose>) -> Option<Policy> {
    match purpose {
        Some(purpose) => purpose.policy(key_type),
        None => Job::ALL.iter().find_map(|job| job.policy(key_type)),
    }
}

fn said(why: &str) -> Error {
    Error::Parameter(why.to_owned())
}
