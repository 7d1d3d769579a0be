//! Everything that OpenSSL can fetch from us.
//!
//! The names are those of the default provider, so that our keys fit its certificates. Nothing but keys and what is done
//! with them is here: digests, ciphers, random numbers and the ephemeral key exchange of TLS stay where they are.

use std::ffi::CStr;

use crate::{
    curve25519::{Ed25519, PureEddsa, X25519},
    decoder::{InPkcs8, Plain},
    digest::DIGESTS,
    dispatch::{asym_cipher, decoder, encoder, keyexch, keymgmt, signature, store},
    ec::{Ec, Ecdsa},
    encoder::{Pkcs8, PublicDer, PublicPem, ReferencePem, Text},
    ffi::{Algorithm, Dispatch},
    kinds::kinds,
    ml_dsa::{MlDsa44Key, MlDsa65Key, MlDsa87Key, PureMlDsa},
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

/// What there is of every kind of key: a row makes an entry of each list.
macro_rules! lists {
    ($($kind:ident $names:ident $description:literal;)*) => {
        const KINDS: usize = [$($description),*].len();

        pub(crate) static KEYMGMT: [Algorithm; KINDS + 1] = [$({
            static TABLE: [Dispatch; 23] = keymgmt::table::<$kind>();
            algorithm($names, PARSEC, &TABLE, $description)
        },)* Algorithm::END];

        static PEM_DECODER: [Dispatch; 4] = decoder::pem_table();
        static DER_DECODER: [Dispatch; 4] = decoder::der_table();

        pub(crate) static DECODER: [Algorithm; 2 * KINDS + 3] = [
            algorithm(c"PEM", c"provider=parsec,input=pem", &PEM_DECODER, c"Parsec key reference in PEM"),
            algorithm(c"DER", c"provider=parsec,input=pem,structure=ParsecKeyReference", &DER_DECODER, c"Parsec key reference"),
            $(decoder!($kind $names $description, Plain c"provider=parsec,input=der,structure=ParsecKeyReference"),)*
            $(decoder!($kind $names $description, InPkcs8 c"provider=parsec,input=der,structure=PrivateKeyInfo"),)*
            Algorithm::END,
        ];

        pub(crate) static ENCODER: [Algorithm; 7 * KINDS + 1] = [
            $(encoder!($kind $names $description, ReferencePem c"provider=parsec,output=pem,structure=PrivateKeyInfo"),)*
            $(encoder!($kind $names $description, Pkcs8 c"provider=parsec,output=der,structure=PrivateKeyInfo"),)*
            // what programs asked for before there was PKCS#8
            $(encoder!($kind $names $description, ReferencePem c"provider=parsec,output=pem,structure=type-specific"),)*
            $(encoder!($kind $names $description, Pkcs8 c"provider=parsec,output=der,structure=type-specific"),)*
            $(encoder!($kind $names $description, PublicPem c"provider=parsec,output=pem,structure=SubjectPublicKeyInfo"),)*
            $(encoder!($kind $names $description, PublicDer c"provider=parsec,output=der,structure=SubjectPublicKeyInfo"),)*
            $(encoder!($kind $names $description, Text c"provider=parsec,output=text"),)*
            Algorithm::END,
        ];
    };
}

macro_rules! decoder {
    ($kind:ident $names:ident $description:literal, $form:ident $properties:literal) => {{
        static TABLE: [Dispatch; 5] = decoder::table::<$kind, $form>();
        algorithm($names, $properties, &TABLE, $description)
    }};
}

macro_rules! encoder {
    ($kind:ident $names:ident $description:literal, $format:ident $properties:literal) => {{
        static TABLE: [Dispatch; 7] = encoder::table::<$kind, $format>();
        algorithm($names, $properties, &TABLE, $description)
    }};
}

kinds!(lists);

static ECDH_KEYEXCH: [Dispatch; 11] = keyexch::table::<Ec>();
static X25519_KEYEXCH: [Dispatch; 7] = keyexch::plain_table::<X25519>();

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

static STORE_LOADER: [Dispatch; 7] = store::table();

pub(crate) static STORE: [Algorithm; 2] = [algorithm(c"parsec", PARSEC, &STORE_LOADER, c"parsec: URIs"), Algorithm::END];
