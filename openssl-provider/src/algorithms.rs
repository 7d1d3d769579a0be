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
    kinds::*,
    opaque::WholeMessage,
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

const PARSEC: &CStr = c"provider=parsec";

/// What there is of every kind of key: a row makes an entry of each list.
macro_rules! lists {
    ($($kind:ident $names:tt $description:literal $(, $signs:literal $scheme:ty)?;)*) => {
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

        /// Signatures of whole messages.
        const WHOLE_MESSAGE: &[Algorithm] = &[$($({
            static TABLE: [Dispatch; 18] = signature::one_shot_table::<$scheme>();
            algorithm($names, PARSEC, &TABLE, $signs)
        },)?)*];
    };
}

macro_rules! decoder {
    ($kind:ident $names:tt $description:literal, $form:ident $properties:literal) => {{
        static TABLE: [Dispatch; 5] = decoder::table::<$kind, $form>();
        algorithm($names, $properties, &TABLE, $description)
    }};
}

macro_rules! encoder {
    ($kind:ident $names:tt $description:literal, $format:ident $properties:literal) => {{
        static TABLE: [Dispatch; 7] = encoder::table::<$kind, $format>();
        algorithm($names, $properties, &TABLE, $description)
    }};
}

kinds!(lists);

static ECDH_KEYEXCH: [Dispatch; 11] = keyexch::table::<Ec>();
static X25519_KEYEXCH: [Dispatch; 7] = keyexch::plain_table::<X25519>();

pub(crate) static KEYEXCH: [Algorithm; 3] = [
    algorithm(c"ECDH", PARSEC, &ECDH_KEYEXCH, c"ECDH by the Parsec service"),
    algorithm(X25519_NAMES, PARSEC, &X25519_KEYEXCH, c"X25519 by the Parsec service"),
    Algorithm::END,
];

static RSA_SIGNATURE: [Dispatch; 22] = signature::table::<Padding<false>>();
static RSA_PSS_SIGNATURE: [Dispatch; 22] = signature::table::<Padding<true>>();
static ECDSA_SIGNATURE: [Dispatch; 22] = signature::table::<Ecdsa>();

const HASHED: [Algorithm; 3] = [
    algorithm(RSA, PARSEC, &RSA_SIGNATURE, c"RSA PKCS#1 v1.5 and PSS by the Parsec service"),
    algorithm(RSA_PSS, PARSEC, &RSA_PSS_SIGNATURE, c"RSA PSS by the Parsec service"),
    algorithm(c"ECDSA", PARSEC, &ECDSA_SIGNATURE, c"ECDSA by the Parsec service"),
];

/// A table for each digest.
macro_rules! composites {
    ($scheme:ty, $($digest:literal)*) => { [$(signature::composite_table::<$scheme, $digest>()),*] };
}

static RSA_COMPOSITES: [[Dispatch; 21]; DIGESTS.len()] = composites!(Padding<false>, 0 1 2 3 4 5 6 7 8 9 10);
static ECDSA_COMPOSITES: [[Dispatch; 21]; DIGESTS.len()] = composites!(Ecdsa, 0 1 2 3 4 5 6 7 8 9 10);

const SIGNATURES: usize = HASHED.len() + WHOLE_MESSAGE.len() + 2 * DIGESTS.len();

pub(crate) static SIGNATURE: [Algorithm; SIGNATURES + 1] = {
    let mut all = [Algorithm::END; SIGNATURES + 1];
    all.split_at_mut(HASHED.len()).0.copy_from_slice(&HASHED);
    let mut len = HASHED.len() + WHOLE_MESSAGE.len();
    all.split_at_mut(len).0.split_at_mut(HASHED.len()).1.copy_from_slice(WHOLE_MESSAGE);
    let mut digest = 0;
    while digest < DIGESTS.len() {
        all[len] = algorithm(DIGESTS[digest].with_rsa, PARSEC, &RSA_COMPOSITES[digest], c"RSA with a digest");
        len += 1;
        if let Some(names) = DIGESTS[digest].with_ecdsa {
            all[len] = algorithm(names, PARSEC, &ECDSA_COMPOSITES[digest], c"ECDSA with a digest");
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
