//! Ed25519 keys and signatures (RFC 8032).
//!
//! The scheme hashes the message twice, with the private key in between, so the whole message goes to the service.

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
    ffi::{
        OSSL_PKEY_PARAM_BITS, OSSL_PKEY_PARAM_MANDATORY_DIGEST, OSSL_PKEY_PARAM_MAX_SIZE,
        OSSL_PKEY_PARAM_PRIV_KEY, OSSL_PKEY_PARAM_PUB_KEY, OSSL_PKEY_PARAM_SECURITY_BITS,
        OSSL_SIGNATURE_PARAM_ALGORITHM_ID, Param,
        params::{Field, Params, Setting, Type, Value, field, gettable},
    },
    key::Kind,
    signature::{Context, Purpose, Scheme},
};

/// `id-Ed25519`, RFC 8410 §3: the key's and the signature's alike.
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
/// Bytes of a key's half.
const LEN: usize = ed25519_dalek::PUBLIC_KEY_LENGTH;
const SIGNATURE_LEN: usize = ed25519_dalek::SIGNATURE_LENGTH;

/// A public key: the point as RFC 8032 encodes it.
#[derive(Clone, PartialEq)]
pub(crate) struct Ed25519([u8; LEN]);

static FIELDS: [Field<Ed25519>; 5] = [
    field(OSSL_PKEY_PARAM_PUB_KEY, Type::Bytes, |key| {
        Some(Value::Bytes(key.0.to_vec()))
    }),
    field(OSSL_PKEY_PARAM_BITS, Type::Int, |_| Some(Value::Int(256))),
    field(OSSL_PKEY_PARAM_SECURITY_BITS, Type::Int, |_| {
        Some(Value::Int(128))
    }),
    field(OSSL_PKEY_PARAM_MAX_SIZE, Type::Int, |_| {
        i64::try_from(SIGNATURE_LEN).ok().map(Value::Int)
    }),
    // none, and no other is taken
    field(OSSL_PKEY_PARAM_MANDATORY_DIGEST, Type::Text, |_| {
        Some(Value::Text(c""))
    }),
];
static GETTABLE: [Param; 6] = gettable(&FIELDS);
static PUBLIC: [Param; 2] = gettable(&FIELDS);

impl Kind for Ed25519 {
    const NAME: &'static CStr = c"ED25519";
    const FIELDS: &'static [Field<Self>] = &FIELDS;
    const GETTABLE: &'static [Param] = &GETTABLE;
    const PUBLIC: &'static [Param] = &PUBLIC;
    const PRIVATE: &'static CStr = OSSL_PKEY_PARAM_PRIV_KEY;

    fn of(public: &PublicKey) -> Option<Self> {
        let edwards = KeyType::EccPublicKey(EccFamily::TwistedEdwards);
        (public.key_type == edwards && public.bits == 255).then_some(())?;
        public.bytes.as_slice().try_into().ok().map(Self)
    }

    fn import(params: Params<'_>) -> Option<Self> {
        let public = params.find(OSSL_PKEY_PARAM_PUB_KEY)?;
        public.bytes()?.try_into().ok().map(Self)
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

/// EdDSA without prehash; it has nothing to set.
#[derive(Clone, Default)]
pub(crate) struct PureEddsa;

static EDDSA: [Field<Context<PureEddsa>>; 1] = [field(
    OSSL_SIGNATURE_PARAM_ALGORITHM_ID,
    Type::Bytes,
    |_| {
        let identifier = AlgorithmIdentifierRef {
            oid: ED25519,
            parameters: None,
        };
        identifier.to_der().ok().map(Value::Bytes)
    },
)];
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

    fn algorithm<'a>(
        &self,
        _: Option<&'static Digest>,
        input: &'a [u8],
    ) -> Result<(Signature, &'a [u8]), Error> {
        Ok((Signature::PureEddsa, input))
    }

    fn max_len(_: &Ed25519) -> usize {
        SIGNATURE_LEN
    }

    fn encode(_: &Ed25519, signature: Vec<u8>) -> Option<Vec<u8>> {
        (signature.len() == SIGNATURE_LEN).then_some(signature)
    }

    fn verify(
        &self,
        key: &Ed25519,
        _: Option<&Digest>,
        input: &[u8],
        signature: &[u8],
    ) -> Result<bool, Error> {
        let signature = ed25519_dalek::Signature::from_slice(signature);
        let right = |signature| key.parsed()?.verify_strict(input, &signature).ok();
        Ok(signature.ok().and_then(right).is_some())
    }
}
