//! Everything that OpenSSL can fetch from us.
//!
//! The names are those of the default provider, so that our keys fit its certificates. Nothing but keys and what is done
//! with them is here: digests, ciphers, random numbers and the ephemeral key exchange of TLS stay where they are.

use std::{ffi::CStr, sync::Arc};

use interface::reference::KeyUri;

use crate::{
    curve25519::{Ed25519, PureEddsa, X25519},
    digest::DIGESTS,
    ec::{Ec, Ecdsa},
    encoder::{Pkcs8, PublicDer, PublicPem, ReferencePem, Text},
    ffi::{
        Algorithm, Dispatch, asym_cipher, decoder, encoder, keyexch,
        keymgmt::{self, Loadable},
        signature, store,
    },
    key::{Key, Kind, Public},
    ml_dsa::{MlDsa44Key, MlDsa65Key, MlDsa87Key, PureMlDsa},
    provider::Provider,
    rsa::{Rsa, RsaPss, signature::Padding},
};

const fn algorithm(
    names: &'static CStr,
    properties: &'static CStr,
    implementation: &'static [Dispatch],
    description: &'static CStr,
) -> Algorithm {
    Algorithm {
        names: names.as_ptr(),
        properties: properties.as_ptr(),
        implementation: implementation.as_ptr(),
        description: description.as_ptr(),
    }
}

const RSA: &CStr = c"RSA:rsaEncryption:1.2.840.113549.1.1.1";
const RSA_PSS: &CStr = c"RSA-PSS:RSASSA-PSS:1.2.840.113549.1.1.10";
const EC: &CStr = c"EC:id-ecPublicKey:1.2.840.10045.2.1";
const ED25519: &CStr = c"ED25519:1.3.101.112";
const X25519: &CStr = c"X25519:1.3.101.110";
const ML_DSA_44: &CStr = c"ML-DSA-44:MLDSA44:2.16.840.1.101.3.4.3.17:id-ml-dsa-44";
const ML_DSA_65: &CStr = c"ML-DSA-65:MLDSA65:2.16.840.1.101.3.4.3.18:id-ml-dsa-65";
const ML_DSA_87: &CStr = c"ML-DSA-87:MLDSA87:2.16.840.1.101.3.4.3.19:id-ml-dsa-87";
const PARSEC: &CStr = c"provider=parsec";
const REFERENCE: &CStr = c"provider=parsec,input=der,structure=ParsecKeyReference";

static RSA_KEYMGMT: [Dispatch; 23] = keymgmt::table::<Rsa>();
static RSA_PSS_KEYMGMT: [Dispatch; 23] = keymgmt::table::<RsaPss>();
static EC_KEYMGMT: [Dispatch; 23] = keymgmt::table::<Ec>();
static ED25519_KEYMGMT: [Dispatch; 23] = keymgmt::table::<Ed25519>();
static X25519_KEYMGMT: [Dispatch; 23] = keymgmt::table::<X25519>();
static ML_DSA_44_KEYMGMT: [Dispatch; 23] = keymgmt::table::<MlDsa44Key>();
static ML_DSA_65_KEYMGMT: [Dispatch; 23] = keymgmt::table::<MlDsa65Key>();
static ML_DSA_87_KEYMGMT: [Dispatch; 23] = keymgmt::table::<MlDsa87Key>();

pub(crate) static KEYMGMT: [Algorithm; 9] = [
    algorithm(RSA, PARSEC, &RSA_KEYMGMT, c"RSA keys of the Parsec service"),
    algorithm(RSA_PSS, PARSEC, &RSA_PSS_KEYMGMT, c"RSA keys for PSS of the Parsec service"),
    algorithm(EC, PARSEC, &EC_KEYMGMT, c"EC keys of the Parsec service"),
    algorithm(ED25519, PARSEC, &ED25519_KEYMGMT, c"Ed25519 keys of the Parsec service"),
    algorithm(X25519, PARSEC, &X25519_KEYMGMT, c"X25519 keys of the Parsec service"),
    algorithm(ML_DSA_44, PARSEC, &ML_DSA_44_KEYMGMT, c"ML-DSA-44 keys of the Parsec service"),
    algorithm(ML_DSA_65, PARSEC, &ML_DSA_65_KEYMGMT, c"ML-DSA-65 keys of the Parsec service"),
    algorithm(ML_DSA_87, PARSEC, &ML_DSA_87_KEYMGMT, c"ML-DSA-87 keys of the Parsec service"),
    Algorithm::END,
];

type MakeKey = fn(&Arc<Provider>, &Public, &Option<KeyUri>) -> Option<Box<dyn Loadable>>;

/// Each makes a key of its kind, out of what the service tells of it. Every entry of [`KEYMGMT`] has one.
pub(crate) const KEYS: [MakeKey; 8] = [
    key::<Rsa>,
    key::<RsaPss>,
    key::<Ec>,
    key::<Ed25519>,
    key::<X25519>,
    key::<MlDsa44Key>,
    key::<MlDsa65Key>,
    key::<MlDsa87Key>,
];

fn key<K: Kind>(provider: &Arc<Provider>, public: &Public, private: &Option<KeyUri>) -> Option<Box<dyn Loadable>> {
    Some(Box::new(Key::<K>::of(provider, public, private)?))
}

static ECDH_KEYEXCH: [Dispatch; 11] = keyexch::table::<Ec>();
static X25519_KEYEXCH: [Dispatch; 11] = keyexch::table::<X25519>();

pub(crate) static KEYEXCH: [Algorithm; 3] = [
    algorithm(c"ECDH", PARSEC, &ECDH_KEYEXCH, c"ECDH by the Parsec service"),
    algorithm(X25519, PARSEC, &X25519_KEYEXCH, c"X25519 by the Parsec service"),
    Algorithm::END,
];

static RSA_SIGNATURE: [Dispatch; 22] = signature::table::<Padding<false>>();
static RSA_PSS_SIGNATURE: [Dispatch; 22] = signature::table::<Padding<true>>();
static ECDSA_SIGNATURE: [Dispatch; 22] = signature::table::<Ecdsa>();
static ED25519_SIGNATURE: [Dispatch; 18] = signature::one_shot_table::<PureEddsa>();
static ML_DSA_44_SIGNATURE: [Dispatch; 18] = signature::one_shot_table::<PureMlDsa<0>>();
static ML_DSA_65_SIGNATURE: [Dispatch; 18] = signature::one_shot_table::<PureMlDsa<1>>();
static ML_DSA_87_SIGNATURE: [Dispatch; 18] = signature::one_shot_table::<PureMlDsa<2>>();

const BASIC: [Algorithm; 7] = [
    algorithm(RSA, PARSEC, &RSA_SIGNATURE, c"RSA PKCS#1 v1.5 and PSS by the Parsec service"),
    algorithm(RSA_PSS, PARSEC, &RSA_PSS_SIGNATURE, c"RSA PSS by the Parsec service"),
    algorithm(c"ECDSA", PARSEC, &ECDSA_SIGNATURE, c"ECDSA by the Parsec service"),
    algorithm(ED25519, PARSEC, &ED25519_SIGNATURE, c"Ed25519 by the Parsec service"),
    algorithm(ML_DSA_44, PARSEC, &ML_DSA_44_SIGNATURE, c"ML-DSA-44 by the Parsec service"),
    algorithm(ML_DSA_65, PARSEC, &ML_DSA_65_SIGNATURE, c"ML-DSA-65 by the Parsec service"),
    algorithm(ML_DSA_87, PARSEC, &ML_DSA_87_SIGNATURE, c"ML-DSA-87 by the Parsec service"),
];

/// A table for each digest.
macro_rules! composites {
    ($scheme:ty, $($digest:literal)*) => { [$(signature::composite_table::<$scheme, $digest>()),*] };
}

static RSA_COMPOSITES: [[Dispatch; 21]; DIGESTS.len()] = composites!(Padding<false>, 0 1 2 3 4 5 6 7 8 9 10);
static ECDSA_COMPOSITES: [[Dispatch; 21]; DIGESTS.len()] = composites!(Ecdsa, 0 1 2 3 4 5 6 7 8 9 10);

pub(crate) static SIGNATURE: [Algorithm; BASIC.len() + 2 * DIGESTS.len() + 1] = {
    let mut all = [Algorithm::END; BASIC.len() + 2 * DIGESTS.len() + 1];
    let mut len = 0;
    while len < BASIC.len() {
        all[len] = BASIC[len];
        len += 1;
    }
    let mut digest = 0;
    while digest < DIGESTS.len() {
        all[len] = algorithm(DIGESTS[digest].with_rsa.names, PARSEC, &RSA_COMPOSITES[digest], c"RSA with a digest");
        len += 1;
        if let Some(composite) = DIGESTS[digest].with_ecdsa {
            all[len] = algorithm(composite.names, PARSEC, &ECDSA_COMPOSITES[digest], c"ECDSA with a digest");
            len += 1;
        }
        digest += 1;
    }
    all
};

static RSA_ASYM_CIPHER: [Dispatch; 12] = asym_cipher::table();

pub(crate) static ASYM_CIPHER: [Algorithm; 2] =
    [algorithm(RSA, PARSEC, &RSA_ASYM_CIPHER, c"RSA PKCS#1 v1.5 and OAEP by the Parsec service"), Algorithm::END];

macro_rules! encoders {
    ($($names:ident $kind:ty),*) => {
        encoders!(@formats $($names $kind,
            ReferencePem c"provider=parsec,output=pem,structure=PrivateKeyInfo",
            Pkcs8 c"provider=parsec,output=der,structure=PrivateKeyInfo",
            PublicPem c"provider=parsec,output=pem,structure=SubjectPublicKeyInfo",
            PublicDer c"provider=parsec,output=der,structure=SubjectPublicKeyInfo",
            Text c"provider=parsec,output=text";
        )*)
    };
    (@formats $($names:ident $kind:ty, $($format:ident $properties:literal),*;)*) => {
        [
            $($({
                static TABLE: [Dispatch; 7] = encoder::table::<$kind, $format>();
                algorithm($names, $properties, &TABLE, c"keys of the Parsec service, written")
            },)*)*
            Algorithm::END,
        ]
    };
}

/// Each kind of key in each format.
pub(crate) static ENCODER: [Algorithm; 41] = encoders!(RSA Rsa, RSA_PSS RsaPss, EC Ec, ED25519 Ed25519, X25519 X25519, ML_DSA_44 MlDsa44Key, ML_DSA_65 MlDsa65Key, ML_DSA_87 MlDsa87Key);

static PEM_DECODER: [Dispatch; 4] = decoder::pem_table();
static RSA_DECODER: [Dispatch; 5] = decoder::table::<Rsa>();
static RSA_PSS_DECODER: [Dispatch; 5] = decoder::table::<RsaPss>();
static EC_DECODER: [Dispatch; 5] = decoder::table::<Ec>();
static ED25519_DECODER: [Dispatch; 5] = decoder::table::<Ed25519>();
static X25519_DECODER: [Dispatch; 5] = decoder::table::<X25519>();
static ML_DSA_44_DECODER: [Dispatch; 5] = decoder::table::<MlDsa44Key>();
static ML_DSA_65_DECODER: [Dispatch; 5] = decoder::table::<MlDsa65Key>();
static ML_DSA_87_DECODER: [Dispatch; 5] = decoder::table::<MlDsa87Key>();

pub(crate) static DECODER: [Algorithm; 10] = [
    algorithm(c"DER", c"provider=parsec,input=pem", &PEM_DECODER, c"Parsec key reference in PEM"),
    algorithm(RSA, REFERENCE, &RSA_DECODER, c"Parsec key reference to an RSA key"),
    algorithm(RSA_PSS, REFERENCE, &RSA_PSS_DECODER, c"Parsec key reference to an RSA key for PSS"),
    algorithm(EC, REFERENCE, &EC_DECODER, c"Parsec key reference to an EC key"),
    algorithm(ED25519, REFERENCE, &ED25519_DECODER, c"Parsec key reference to an Ed25519 key"),
    algorithm(X25519, REFERENCE, &X25519_DECODER, c"Parsec key reference to an X25519 key"),
    algorithm(ML_DSA_44, REFERENCE, &ML_DSA_44_DECODER, c"Parsec key reference to an ML-DSA-44 key"),
    algorithm(ML_DSA_65, REFERENCE, &ML_DSA_65_DECODER, c"Parsec key reference to an ML-DSA-65 key"),
    algorithm(ML_DSA_87, REFERENCE, &ML_DSA_87_DECODER, c"Parsec key reference to an ML-DSA-87 key"),
    Algorithm::END,
];

static STORE_LOADER: [Dispatch; 7] = store::table();

pub(crate) static STORE: [Algorithm; 2] = [algorithm(c"parsec", PARSEC, &STORE_LOADER, c"parsec: URIs"), Algorithm::END];
