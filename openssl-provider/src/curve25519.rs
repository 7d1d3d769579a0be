//! Keys on Curve25519: Ed25519, with its signatures (RFC 8032), and X25519 (RFC 7748).
//!
//! EdDSA hashes the message twice, with the private key in between, so the whole message goes to the service.

use std::ffi::{CStr, c_int};

use der::{Encode, oid::ObjectIdentifier};
use ed25519_dalek::VerifyingKey;
use interface::{
    algorithm::Signature,
    attributes::{EccFamily, KeyType},
    spki::PublicKey,
};
use spki::AlgorithmIdentifierRef;

use crate::{
    digest::Digest,
    error::Error,
    exchange::Exchange,
    ffi::{
        OSSL_PKEY_PARAM_BITS, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, OSSL_PKEY_PARAM_MANDATORY_DIGEST, OSSL_PKEY_PARAM_MAX_SIZE,
        OSSL_PKEY_PARAM_PRIV_KEY, OSSL_PKEY_PARAM_PUB_KEY, OSSL_PKEY_PARAM_SECURITY_BITS, OSSL_SIGNATURE_PARAM_ALGORITHM_ID,
        Param,
        params::{Field, Params, Setting, Type, Value, field, gettable, settable},
    },
    generation::{self, Options},
    key::{Kind, Public},
    signature::{Context, Purpose, Scheme},
};

/// `id-Ed25519`, RFC 8410 §3: the key's and the signature's alike.
const ID_ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
/// As the service counts.
const BITS: u32 = 255;
/// Bytes of a public key, and of a secret agreed on.
const LEN: usize = 32;
const SIGNATURE_LEN: usize = ed25519_dalek::SIGNATURE_LENGTH;

static OPTIONS: [Setting<Options>; 3] = [generation::NAME, generation::PROVIDER, generation::USAGE];
static OPTIONS_SETTABLE: [Param; 4] = settable(&OPTIONS);

/// A public key to verify with: the point as RFC 8032 encodes it.
#[derive(Clone, PartialEq)]
pub(crate) struct Ed25519([u8; LEN]);

static ED25519_FIELDS: [Field<Ed25519>; 5] = [
    field(OSSL_PKEY_PARAM_PUB_KEY, Type::Bytes, |key| Some(Value::Bytes(key.0.to_vec()))),
    field(OSSL_PKEY_PARAM_BITS, Type::Int, |_| Some(Value::Int(256))),
    field(OSSL_PKEY_PARAM_SECURITY_BITS, Type::Int, |_| Some(Value::Int(128))),
    field(OSSL_PKEY_PARAM_MAX_SIZE, Type::Int, |_| i64::try_from(SIGNATURE_LEN).ok().map(Value::Int)),
    // none, and no other is taken
    field(OSSL_PKEY_PARAM_MANDATORY_DIGEST, Type::Text, |_| Some(Value::Text(c""))),
];
static ED25519_GETTABLE: [Param; 6] = gettable(&ED25519_FIELDS);
static ED25519_PUBLIC: [Param; 2] = gettable(&ED25519_FIELDS);

impl Kind for Ed25519 {
    const NAME: &'static CStr = c"ED25519";
    const FIELDS: &'static [Field<Self>] = &ED25519_FIELDS;
    const GETTABLE: &'static [Param] = &ED25519_GETTABLE;
    const PUBLIC: &'static [Param] = &ED25519_PUBLIC;
    const PRIVATE: &'static CStr = OSSL_PKEY_PARAM_PRIV_KEY;

    const NEW: KeyType = KeyType::EccKeyPair(EccFamily::TwistedEdwards);
    const BITS: Option<u32> = Some(BITS);
    const OPTIONS: &'static [Setting<Options>] = &OPTIONS;
    const OPTIONS_SETTABLE: &'static [Param] = &OPTIONS_SETTABLE;

    fn of(public: &Public) -> Option<Self> {
        of(Self::NEW, public).map(Self)
    }

    fn spki(&self) -> Option<Vec<u8>> {
        spki(Self::NEW, &self.0)
    }

    fn import(params: Params<'_>) -> Option<Self> {
        half(params.find(OSSL_PKEY_PARAM_PUB_KEY)?.bytes()?).map(Self)
    }

    fn valid(&self) -> bool {
        self.parsed().is_some()
    }

    fn operation(_: c_int) -> &'static CStr {
        Self::NAME
    }
}

impl Ed25519 {
    fn parsed(&self) -> Option<VerifyingKey> {
        VerifyingKey::from_bytes(&self.0).ok()
    }
}

/// A public key to agree with: the coordinate u as RFC 7748 encodes it.
#[derive(Clone, PartialEq)]
pub(crate) struct X25519([u8; LEN]);

static X25519_FIELDS: [Field<X25519>; 5] = [
    field(OSSL_PKEY_PARAM_PUB_KEY, Type::Bytes, |key| Some(Value::Bytes(key.0.to_vec()))),
    field(OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, Type::Bytes, |key| Some(Value::Bytes(key.0.to_vec()))),
    field(OSSL_PKEY_PARAM_BITS, Type::Int, |_| Some(Value::Int(253))),
    field(OSSL_PKEY_PARAM_SECURITY_BITS, Type::Int, |_| Some(Value::Int(128))),
    field(OSSL_PKEY_PARAM_MAX_SIZE, Type::Int, |_| i64::try_from(LEN).ok().map(Value::Int)),
];
static X25519_GETTABLE: [Param; 6] = gettable(&X25519_FIELDS);
static X25519_PUBLIC: [Param; 2] = gettable(&X25519_FIELDS);

impl Kind for X25519 {
    const NAME: &'static CStr = c"X25519";
    const FIELDS: &'static [Field<Self>] = &X25519_FIELDS;
    const GETTABLE: &'static [Param] = &X25519_GETTABLE;
    const PUBLIC: &'static [Param] = &X25519_PUBLIC;
    const PRIVATE: &'static CStr = OSSL_PKEY_PARAM_PRIV_KEY;

    const NEW: KeyType = KeyType::EccKeyPair(EccFamily::Montgomery);
    const BITS: Option<u32> = Some(BITS);
    const OPTIONS: &'static [Setting<Options>] = &OPTIONS;
    const OPTIONS_SETTABLE: &'static [Param] = &OPTIONS_SETTABLE;

    fn of(public: &Public) -> Option<Self> {
        of(Self::NEW, public).map(Self)
    }

    fn spki(&self) -> Option<Vec<u8>> {
        spki(Self::NEW, &self.0)
    }

    fn import(params: Params<'_>) -> Option<Self> {
        half(params.find(OSSL_PKEY_PARAM_PUB_KEY)?.bytes()?).map(Self)
    }

    /// Every string of 32 bytes is one, RFC 7748 §5.
    fn valid(&self) -> bool {
        true
    }

    fn operation(_: c_int) -> &'static CStr {
        Self::NAME
    }
}

impl Exchange for X25519 {
    fn encoded(&self) -> &[u8] {
        &self.0
    }

    fn secret_len(&self) -> usize {
        LEN
    }
}

fn of(pair: KeyType, Public { key, .. }: &Public) -> Option<[u8; LEN]> {
    (key.key_type == pair.public()).then(|| half(&key.bytes))?
}

fn spki(pair: KeyType, half: &[u8; LEN]) -> Option<Vec<u8>> {
    PublicKey { key_type: pair.public(), bits: BITS, bytes: half.to_vec() }.to_spki()
}

/// A public key; those of curve 448 are longer.
fn half(bytes: &[u8]) -> Option<[u8; LEN]> {
    bytes.try_into().ok()
}

/// EdDSA without prehash; it has nothing to set.
#[derive(Clone, Default)]
pub(crate) struct PureEddsa;

static EDDSA: [Field<Context<PureEddsa>>; 1] = [field(OSSL_SIGNATURE_PARAM_ALGORITHM_ID, Type::Bytes, |_| {
    let identifier = AlgorithmIdentifierRef { oid: ID_ED25519, parameters: None };
    identifier.to_der().ok().map(Value::Bytes)
})];
static EDDSA_GETTABLE: [Param; 2] = gettable(&EDDSA);

impl Scheme for PureEddsa {
    type Kind = Ed25519;
    const HASHES: bool = false;
    const FIELDS: &'static [Field<Context<Self>>] = &EDDSA;
    const GETTABLE: &'static [Param] = &EDDSA_GETTABLE;
    const SETTINGS: &'static [Setting<Context<Self>>] = &[];
    const SETTABLE: &'static [Param] = &[Param::END];

    fn check(&self, _: &Ed25519, _: Purpose, _: Option<&Digest>) -> Result<(), Error> {
        Ok(())
    }

    fn algorithm<'a>(&self, _: Option<&'static Digest>, input: &'a [u8]) -> Result<(Signature, &'a [u8]), Error> {
        Ok((Signature::PureEddsa, input))
    }

    fn max_len(_: &Ed25519) -> usize {
        SIGNATURE_LEN
    }

    fn encode(_: &Ed25519, signature: Vec<u8>) -> Option<Vec<u8>> {
        (signature.len() == SIGNATURE_LEN).then_some(signature)
    }

    fn verify(&self, key: &Ed25519, _: Option<&Digest>, input: &[u8], signature: &[u8]) -> Result<bool, Error> {
        let signature = ed25519_dalek::Signature::from_slice(signature);
        let right = |signature| key.parsed()?.verify_strict(input, &signature).ok();
        Ok(signature.ok().and_then(right).is_some())
    }
}
