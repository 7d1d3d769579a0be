//! Every kind of key.

use std::{ffi::CStr, sync::Arc};

use interface::{
    algorithm::Signature,
    kind::{self, KeyKind},
    reference::KeyUri,
};
use ml_dsa::{EncodedSignature, EncodedVerifyingKey, MlDsaParams, VerifyingKey};

use crate::{
    curve25519::{Ed25519, X25519},
    ec::Ec,
    key::{Loadable, ProviderKey},
    kind::{Kind, Public},
    opaque::{OpaqueKey, ParameterSet},
    provider::Provider,
    rsa::{Rsa, RsaPss},
};

pub(crate) const RSA: &CStr = c"RSA:rsaEncryption:1.2.840.113549.1.1.1";
pub(crate) const RSA_PSS: &CStr = c"RSA-PSS:RSASSA-PSS:1.2.840.113549.1.1.10";
pub(crate) const X25519_NAMES: &CStr = c"X25519:1.3.101.110";

/// Calls a macro with all kinds, one a row: the type, its names in OpenSSL, and what is told of it; of those that sign whole messages, how,
/// and what is told of that.
macro_rules! kinds {
    ($rows:ident) => {
        $rows! {
            Rsa RSA c"RSA keys of the Parsec service";
            RsaPss RSA_PSS c"RSA keys for PSS of the Parsec service";
            Ec c"EC:id-ecPublicKey:1.2.840.10045.2.1" c"EC keys of the Parsec service";
            Ed25519 c"ED25519:1.3.101.112" c"Ed25519 keys of the Parsec service",
                c"Ed25519 by the Parsec service" PureEddsa;
            X25519 X25519_NAMES c"X25519 keys of the Parsec service";
            MlDsa44Key c"ML-DSA-44:MLDSA44:2.16.840.1.101.3.4.3.17:id-ml-dsa-44" c"ML-DSA-44 keys of the Parsec service",
                c"ML-DSA-44 by the Parsec service" WholeMessage<MlDsa44>;
            MlDsa65Key c"ML-DSA-65:MLDSA65:2.16.840.1.101.3.4.3.18:id-ml-dsa-65" c"ML-DSA-65 keys of the Parsec service",
                c"ML-DSA-65 by the Parsec service" WholeMessage<MlDsa65>;
            MlDsa87Key c"ML-DSA-87:MLDSA87:2.16.840.1.101.3.4.3.19:id-ml-dsa-87" c"ML-DSA-87 keys of the Parsec service",
                c"ML-DSA-87 by the Parsec service" WholeMessage<MlDsa87>;
        }
    };
}
pub(crate) use kinds;

macro_rules! parameter_sets {
    ($($set:ident $key:ident = $kind:ident, $scheme:ident, $verify:expr;)*) => { $(
        #[derive(Clone, Default, PartialEq)]
        pub(crate) struct $set;

        impl ParameterSet for $set {
            const KIND: &'static KeyKind = &kind::$kind;
            const SIGNATURE: Signature = Signature::$scheme;

            fn verify(key: &[u8], message: &[u8], context: &[u8], signature: &[u8]) -> bool {
                $verify(key, message, context, signature)
            }
        }

        pub(crate) type $key = OpaqueKey<$set>;
    )* };
}

// the set, the type of its keys, the kind, how its keys sign, and how that is verified
parameter_sets! {
    MlDsa44 MlDsa44Key = ML_DSA_44, MlDsa, verify_ml_dsa::<ml_dsa::MlDsa44>;
    MlDsa65 MlDsa65Key = ML_DSA_65, MlDsa, verify_ml_dsa::<ml_dsa::MlDsa65>;
    MlDsa87 MlDsa87Key = ML_DSA_87, MlDsa, verify_ml_dsa::<ml_dsa::MlDsa87>;
}

fn verify_ml_dsa<P: MlDsaParams>(key: &[u8], message: &[u8], context: &[u8], signature: &[u8]) -> bool {
    let key = EncodedVerifyingKey::<P>::try_from(key).map(|key| VerifyingKey::<P>::decode(&key));
    let signature = EncodedSignature::<P>::try_from(signature).ok().and_then(|s| ml_dsa::Signature::<P>::decode(&s));
    matches!((key, signature), (Ok(key), Some(signature)) if key.verify_with_context(message, context, &signature))
}

macro_rules! keys {
    ($($kind:ident $names:tt $description:literal $(, $signs:literal $scheme:ty)?;)*) => { [$(key::<$kind>),*] };
}

type MakeKey = fn(&Arc<Provider>, &Public, &Option<KeyUri>) -> Option<Box<dyn Loadable>>;

/// Each makes a key of its kind, out of what the service tells of it.
pub(crate) const KEYS: &[MakeKey] = &kinds!(keys);

fn key<K: Kind>(provider: &Arc<Provider>, public: &Public, private: &Option<KeyUri>) -> Option<Box<dyn Loadable>> {
    Some(Box::new(ProviderKey::<K>::of(provider, public, private)?))
}
