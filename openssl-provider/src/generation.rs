//! Making keys in the service: `openssl genpkey`.
//!
//! A new key with a name stays in the service. One without a name is [`fresh`](crate::fresh): so a program that lists this provider
//! first, and has it make the ephemeral keys of TLS too, fills no store with keys.

use std::{marker::PhantomData, sync::Arc};

use interface::{
    ProviderId,
    attributes::{Attributes, KeyType, Policy},
    policy::{self, Purpose},
    pss::Pss,
    reference::KeyUri,
};

use crate::{
    error::Error,
    ffi::{
        OSSL_KEYMGMT_SELECT_PRIVATE_KEY, OSSL_KEYMGMT_SELECT_PUBLIC_KEY, Object,
        params::{Params, Setting, Type, setting},
    },
    fresh::Fresh,
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
    /// What a key for PSS alone shall permit, where anything is said of it.
    pub(crate) pss: Option<Pss>,
}

/// Of a service that has no volatile keys.
pub(crate) const NAMELESS: &str = "this service stores every key that it makes, so a new one needs a name: -pkeyopt parsec-name:NAME. A program's \
     own key comes from another provider: list default before parsec in openssl.cnf, or ask with -propquery provider=default";

/// Where keys come from that the service does not have.
pub(crate) const OTHERS: &str =
    "another provider may make it: list default before parsec in openssl.cnf, or ask with -propquery provider=default";

/// The key's name in the service; without one, the key is stored when it is written, and only then.
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
/// What the key is for, separated by commas, and nothing else; without it, all that a key in a file does.
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
    pub(crate) fn like(&mut self, template: &Key<K>) {
        self.options.bits = template.parameters().and_then(K::group);
    }

    /// Makes the key, or the domain parameters alone where no more is wanted.
    pub(crate) fn make(&self) -> Result<Key<K>, Error> {
        let bits = self.options.bits.or(K::BITS).ok_or_else(|| said("set the curve, such as group:P-256"))?;
        if !self.pair() {
            return Ok(Key::with_parameters(&self.provider, K::of_group(bits)));
        }
        let attributes = Attributes { key_type: K::NEW, bits, policy: self.policy()? };
        if self.options.uri.name.is_none() {
            return Ok(Key::fresh(&self.provider, Fresh::new(&self.provider, &self.options.uri, attributes)?));
        }
        self.provider.generate(&self.options.uri, &attributes, false)?;
        let made = self.provider.lookup(&self.options.uri)?;
        let (public, _) = provider::public(&made).ok_or(Error::Internal)?;
        Key::of(&self.provider, &public, &Some(provider::uri(&made))).ok_or(Error::Internal)
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

/// The policy of keys of a type for a purpose, or for all that a key in a file does.
pub(crate) fn policy(key_type: KeyType, purpose: Option<Purpose>) -> Option<Policy> {
    purpose.map_or_else(|| policy::in_a_file(key_type), |purpose| purpose.policy(key_type))
}

fn said(why: &str) -> Error {
    Error::Parameter(why.to_owned())
}
