//! The groups of TLS that this provider has keys for.

use std::ffi::CStr;

use crate::ffi::{
    DTLS1_VERSION, OSSL_CAPABILITY_TLS_GROUP_ALG, OSSL_CAPABILITY_TLS_GROUP_ID, OSSL_CAPABILITY_TLS_GROUP_MAX_DTLS,
    OSSL_CAPABILITY_TLS_GROUP_MAX_TLS, OSSL_CAPABILITY_TLS_GROUP_MIN_DTLS, OSSL_CAPABILITY_TLS_GROUP_MIN_TLS,
    OSSL_CAPABILITY_TLS_GROUP_NAME, OSSL_CAPABILITY_TLS_GROUP_NAME_INTERNAL, OSSL_CAPABILITY_TLS_GROUP_SECURITY_BITS,
    TLS1_VERSION, params::Value,
};

pub(crate) struct Group {
    name: &'static CStr,
    /// As the keymgmt knows it.
    internal: &'static CStr,
    algorithm: &'static CStr,
    /// RFC 8446 §4.2.7.
    id: i64,
    security_bits: i64,
}

const fn group(name: &'static CStr, internal: &'static CStr, algorithm: &'static CStr, id: i64, security_bits: i64) -> Group {
    Group { name, internal, algorithm, id, security_bits }
}

/// By the names of the default provider.
pub(crate) static GROUPS: [Group; 7] = [
    group(c"secp256r1", c"prime256v1", c"EC", 23, 128),
    group(c"P-256", c"prime256v1", c"EC", 23, 128),
    group(c"secp384r1", c"secp384r1", c"EC", 24, 192),
    group(c"P-384", c"secp384r1", c"EC", 24, 192),
    group(c"secp521r1", c"secp521r1", c"EC", 25, 256),
    group(c"P-521", c"secp521r1", c"EC", 25, 256),
    group(c"x25519", c"X25519", c"X25519", 29, 128),
];

impl Group {
    /// As provider-base(7) has it. In every version of TLS and DTLS, however new.
    pub(crate) fn capability(&self) -> Vec<(&'static CStr, Value<'static>)> {
        vec![
            (OSSL_CAPABILITY_TLS_GROUP_NAME, Value::Text(self.name)),
            (OSSL_CAPABILITY_TLS_GROUP_NAME_INTERNAL, Value::Text(self.internal)),
            (OSSL_CAPABILITY_TLS_GROUP_ALG, Value::Text(self.algorithm)),
            (OSSL_CAPABILITY_TLS_GROUP_ID, Value::Int(self.id)),
            (OSSL_CAPABILITY_TLS_GROUP_SECURITY_BITS, Value::Int(self.security_bits)),
            (OSSL_CAPABILITY_TLS_GROUP_MIN_TLS, Value::Int(TLS1_VERSION.into())),
            (OSSL_CAPABILITY_TLS_GROUP_MAX_TLS, Value::Int(0)),
            (OSSL_CAPABILITY_TLS_GROUP_MIN_DTLS, Value::Int(DTLS1_VERSION.into())),
            (OSSL_CAPABILITY_TLS_GROUP_MAX_DTLS, Value::Int(0)),
        ]
    }
}
