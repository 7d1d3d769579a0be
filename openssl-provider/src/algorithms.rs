//! Everything that OpenSSL can fetch from us.
//!
//! The names are those of the default provider, so that our keys fit its certificates. Nothing but keys and what is done
//! with them is here: digests, ciphers, random numbers and the ephemeral key exchange of TLS stay where they are.

use std::{ffi::CStr, sync::Arc};

use interface::reference::KeyUri;

use crate::{
    curve25519::{Ed25519, PureEddsa, X25519},
    ec::{Ec, Ecdsa},
    encoder::{Pkcs8, PublicDer, PublicPem, ReferencePem, Text},
    ffi::{
        Algorithm, Dispatch, asym_cipher, decoder, encoder, keyexch,
        keymgmt::{self, Loadable},
        signature, store,
    },
    key::{Key, Kind, Public},
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
const PARSEC: &CStr = c"provider=parsec";
const REFERENCE: &CStr = c"provider=parsec,input=der,structure=ParsecKeyReference";

static RSA_KEYMGMT: [Dispatch; 23] = keymgmt::table::<Rsa>();
static RSA_PSS_KEYMGMT: [Dispatch; 23] = keymgmt::table::<RsaPss>();
static EC_KEYMGMT: [Dispatch; 23] = keymgmt::table::<Ec>();
static ED25519_KEYMGMT: [Dispatch; 23] = keymgmt::table::<Ed25519>();
static X25519_KEYMGMT: [Dispatch; 23] = keymgmt::table::<X25519>();

pub(crate) static KEYMGMT: [Algorithm; 6] = [
    algorithm(RSA, PARSEC, &RSA_KEYMGMT, c"RSA keys of the Parsec service"),
    algorithm(RSA_PSS, PARSEC, &RSA_PSS_KEYMGMT, c"RSA keys for PSS of the Parsec service"),
    algorithm(EC, PARSEC, &EC_KEYMGMT, c"EC keys of the Parsec service"),
    algorithm(ED25519, PARSEC, &ED25519_KEYMGMT, c"Ed25519 keys of the Parsec service"),
    algorithm(X25519, PARSEC, &X25519_KEYMGMT, c"X25519 keys of the Parsec service"),
    Algorithm::END,
];

type MakeKey = fn(&Arc<Provider>, &Public, &Option<KeyUri>) -> Option<Box<dyn Loadable>>;

/// Each makes a key of its kind, out of what the service tells of it. Every entry of [`KEYMGMT`] has one.
pub(crate) const KEYS: [MakeKey; 5] = [key::<Rsa>, key::<RsaPss>, key::<Ec>, key::<Ed25519>, key::<X25519>];

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
static ED25519_SIGNATURE: [Dispatch; 10] = signature::one_shot_table::<PureEddsa>();

pub(crate) static SIGNATURE: [Algorithm; 5] = [
    algorithm(RSA, PARSEC, &RSA_SIGNATURE, c"RSA PKCS#1 v1.5 and PSS by the Parsec service"),
    algorithm(RSA_PSS, PARSEC, &RSA_PSS_SIGNATURE, c"RSA PSS by the Parsec service"),
    algorithm(c"ECDSA", PARSEC, &ECDSA_SIGNATURE, c"ECDSA by the Parsec service"),
    algorithm(ED25519, PARSEC, &ED25519_SIGNATURE, c"Ed25519 by the Parsec service"),
    Algorithm::END,
];

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
pub(crate) static ENCODER: [Algorithm; 26] = encoders!(RSA Rsa, RSA_PSS RsaPss, EC Ec, ED25519 Ed25519, X25519 X25519);

static PEM_DECODER: [Dispatch; 4] = decoder::pem_table();
static RSA_DECODER: [Dispatch; 5] = decoder::table::<Rsa>();
static RSA_PSS_DECODER: [Dispatch; 5] = decoder::table::<RsaPss>();
static EC_DECODER: [Dispatch; 5] = decoder::table::<Ec>();
static ED25519_DECODER: [Dispatch; 5] = decoder::table::<Ed25519>();
static X25519_DECODER: [Dispatch; 5] = decoder::table::<X25519>();

pub(crate) static DECODER: [Algorithm; 7] = [
    algorithm(c"DER", c"provider=parsec,input=pem", &PEM_DECODER, c"Parsec key reference in PEM"),
    algorithm(RSA, REFERENCE, &RSA_DECODER, c"Parsec key reference to an RSA key"),
    algorithm(RSA_PSS, REFERENCE, &RSA_PSS_DECODER, c"Parsec key reference to an RSA key for PSS"),
    algorithm(EC, REFERENCE, &EC_DECODER, c"Parsec key reference to an EC key"),
    algorithm(ED25519, REFERENCE, &ED25519_DECODER, c"Parsec key reference to an Ed25519 key"),
    algorithm(X25519, REFERENCE, &X25519_DECODER, c"Parsec key reference to an X25519 key"),
    Algorithm::END,
];

static STORE_LOADER: [Dispatch; 7] = store::table();

pub(crate) static STORE: [Algorithm; 2] = [algorithm(c"parsec", PARSEC, &STORE_LOADER, c"parsec: URIs"), Algorithm::END];
