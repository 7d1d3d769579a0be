//! What can be said of a new key: `openssl genpkey -pkeyopt`.

use interface::{
    ProviderId,
    attributes::{KeyType, Policy},
    policy::{self, Purpose},
    pss::Pss,
    reference::KeyUri,
};

use crate::{
    error::Error,
    ffi::params::{Setting, Type, setting},
};

/// What is said of a new key.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) uri: KeyUri,
    pub(crate) purposes: Vec<Purpose>,
    pub(crate) bits: Option<u32>,
    /// What a key for PSS alone shall permit, where anything is said of it.
    pub(crate) pss: Option<Pss>,
}

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

/// The policy of keys of a type for a purpose, or for all that a key in a file does.
pub(crate) fn policy(key_type: KeyType, purpose: Option<Purpose>) -> Option<Policy> {
    purpose.map_or_else(|| policy::in_a_file(key_type), |purpose| purpose.policy(key_type))
}
