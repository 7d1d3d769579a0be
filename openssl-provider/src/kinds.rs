//! Every kind of key.

use std::sync::Arc;

use interface::reference::KeyUri;

use crate::{
    curve25519::{Ed25519, X25519},
    ec::Ec,
    key::{Loadable, ProviderKey},
    kind::{Kind, Public},
    ml_dsa::{MlDsa44Key, MlDsa65Key, MlDsa87Key},
    provider::Provider,
    rsa::{Rsa, RsaPss},
};

/// Calls a macro with all kinds, one a row: the type, its names in OpenSSL, and what is told of it.
macro_rules! kinds {
    ($rows:ident) => {
        $rows! {
            Rsa RSA c"RSA keys of the Parsec service";
            RsaPss RSA_PSS c"RSA keys for PSS of the Parsec service";
            Ec EC c"EC keys of the Parsec service";
            Ed25519 ED25519 c"Ed25519 keys of the Parsec service";
            X25519 X25519 c"X25519 keys of the Parsec service";
            MlDsa44Key ML_DSA_44 c"ML-DSA-44 keys of the Parsec service";
            MlDsa65Key ML_DSA_65 c"ML-DSA-65 keys of the Parsec service";
            MlDsa87Key ML_DSA_87 c"ML-DSA-87 keys of the Parsec service";
        }
    };
}
pub(crate) use kinds;

macro_rules! keys {
    ($($kind:ident $names:ident $description:literal;)*) => { [$(key::<$kind>),*] };
}

type MakeKey = fn(&Arc<Provider>, &Public, &Option<KeyUri>) -> Option<Box<dyn Loadable>>;

/// Each makes a key of its kind, out of what the service tells of it.
pub(crate) const KEYS: &[MakeKey] = &kinds!(keys);

fn key<K: Kind>(provider: &Arc<Provider>, public: &Public, private: &Option<KeyUri>) -> Option<Box<dyn Loadable>> {
    Some(Box::new(ProviderKey::<K>::of(provider, public, private)?))
}
