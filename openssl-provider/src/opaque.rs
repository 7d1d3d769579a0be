//! Signature keys whose public half is a string of bytes: ML-DSA (FIPS 204). OpenSSL knows it from version 3.5 on.
//!
//! The service signs the message itself, hedged with randomness of its own.

use std::{
    ffi::{CStr, c_int},
    marker::PhantomData,
};

use interface::{
    algorithm::Signature,
    attributes::KeyType,
    kind::{KeyKind, Parameters},
    spki::PublicKey,
};

use crate::{
    digest::Digest,
    error::Error,
    ffi::{
        newer::*,
        params::{Field, Given, Params, Setting, Type, Value, field, gettable, settable, setting},
        *,
    },
    kind::{Kind, Public},
    options::{self, Options},
    rsa::unsupported,
    signature::{self, Context, Scheme},
};

/// A parameter set of such keys.
pub(crate) trait ParameterSet: Clone + Default + PartialEq + 'static {
    const KIND: &'static KeyKind;
    /// How its keys sign.
    const SIGNATURE: Signature;

    /// Whether a message in a context was signed under a public key.
    fn verify(key: &[u8], message: &[u8], context: &[u8], signature: &[u8]) -> bool;
}

/// A public key of a parameter set.
#[derive(Clone, PartialEq)]
pub(crate) struct OpaqueKey<S>(Vec<u8>, PhantomData<S>);

static OPTIONS: [Setting<Options>; 3] = [options::NAME, options::PROVIDER, options::USAGE];

impl<S: ParameterSet> Kind for OpaqueKey<S> {
    const NAME: &'static CStr = Self::SET.openssl;
    const FIELDS: &'static [Field<Self>] = &[
        field(OSSL_PKEY_PARAM_PUB_KEY, Type::Bytes, |key| Some(Value::Bytes(key.0.clone()))),
        field(OSSL_PKEY_PARAM_BITS, Type::Int, |key| i64::try_from(8 * key.0.len()).ok().map(Value::Int)),
        field(OSSL_PKEY_PARAM_SECURITY_BITS, Type::Int, |_| Some(Value::Int(Self::SET.bits.into()))),
        field(OSSL_PKEY_PARAM_MAX_SIZE, Type::Int, |_| i64::try_from(Self::SET.output_len).ok().map(Value::Int)),
        // none, and no other is taken
        field(OSSL_PKEY_PARAM_MANDATORY_DIGEST, Type::Text, |_| Some(Value::Text(c""))),
    ];
    const GETTABLE: &'static [Param] = &gettable::<_, 6>(Self::FIELDS);
    const PUBLIC: &'static [Param] = &gettable::<_, 2>(Self::FIELDS);
    const PRIVATE: &'static CStr = OSSL_PKEY_PARAM_PRIV_KEY;
    const NEW: KeyType = S::KIND.key_type;
    const BITS: Option<u32> = Some(Self::SET.bits);
    const OPTIONS: &'static [Setting<Options>] = &OPTIONS;
    const OPTIONS_SETTABLE: &'static [Param] = &settable::<_, 4>(&OPTIONS);

    fn of(Public { key, .. }: &Public) -> Option<Self> {
        (key.key_type == Self::SET.key_type && key.bits == Self::SET.bits).then(|| Self::new(&key.bytes))?
    }

    fn spki(&self) -> Option<Vec<u8>> {
        PublicKey { key_type: Self::SET.key_type, bits: Self::SET.bits, bytes: self.0.clone() }.to_spki()
    }

    fn import(params: Params<'_>) -> Option<Self> {
        Self::new(params.find(OSSL_PKEY_PARAM_PUB_KEY)?.bytes()?)
    }

    /// Every string of the right length is one.
    fn valid(&self) -> bool {
        true
    }

    fn operation(_: c_int) -> &'static CStr {
        Self::NAME
    }
}

impl<S: ParameterSet> OpaqueKey<S> {
    const SET: &'static Parameters = match &S::KIND.parameters {
        Some(set) => set,
        None => panic!("a parameter set has parameters"),
    };

    fn new(bytes: &[u8]) -> Option<Self> {
        (bytes.len() == Self::SET.public_len).then(|| Self(bytes.to_vec(), PhantomData))
    }
}

/// Signatures of whole messages, in a context of up to 255 bytes.
#[derive(Clone, Default)]
pub(crate) struct WholeMessage<S> {
    context: Vec<u8>,
    set: PhantomData<S>,
}

impl<S: ParameterSet> Scheme for WholeMessage<S> {
    type Kind = OpaqueKey<S>;
    const HASHES: bool = false;
    const FIELDS: &'static [Field<Context<Self>>] = &[field(OSSL_SIGNATURE_PARAM_ALGORITHM_ID, Type::Bytes, |_| {
        signature::algorithm_id(S::SIGNATURE, S::KIND.key_type, S::KIND.bits)
    })];
    const GETTABLE: &'static [Param] = &gettable::<_, 2>(Self::FIELDS);
    const SETTINGS: &'static [Setting<Context<Self>>] = &[
        setting(OSSL_SIGNATURE_PARAM_CONTEXT_STRING, Type::Bytes, |ctx, given| {
            let context = given.bytes().filter(|context| context.len() <= 255);
            let bad = || Error::Parameter("the context is no string of at most 255 bytes".to_owned());
            ctx.scheme.context = context.ok_or_else(bad)?.to_vec();
            Ok(())
        }),
        setting(OSSL_SIGNATURE_PARAM_DETERMINISTIC, Type::Int, |_, given| only(given, 0, "ML-DSA without randomness")),
        setting(OSSL_SIGNATURE_PARAM_MESSAGE_ENCODING, Type::Int, |_, given| only(given, 1, "ML-DSA of encoded messages")),
        setting(OSSL_SIGNATURE_PARAM_MU, Type::Int, |_, given| only(given, 0, "ML-DSA of a mu made elsewhere")),
    ];
    const SETTABLE: &'static [Param] = &settable::<_, 5>(Self::SETTINGS);

    fn algorithm<'a>(
        &self,
        _: &OpaqueKey<S>,
        _: Option<&'static Digest>,
        input: &'a [u8],
    ) -> Result<(Signature, &'a [u8]), Error> {
        Ok((S::SIGNATURE, input))
    }

    fn context(&self) -> &[u8] {
        &self.context
    }

    fn max_len(_: &OpaqueKey<S>) -> usize {
        OpaqueKey::<S>::SET.output_len
    }

    fn encode(_: &OpaqueKey<S>, signature: Vec<u8>) -> Option<Vec<u8>> {
        (signature.len() == OpaqueKey::<S>::SET.output_len).then_some(signature)
    }

    fn verify(&self, key: &OpaqueKey<S>, _: Option<&Digest>, input: &[u8], signature: &[u8]) -> Result<bool, Error> {
        Ok(S::verify(&key.0, input, &self.context, signature))
    }
}

/// Refuses every value but the usual one.
fn only(given: &Given<'_>, usual: i64, what: &str) -> Result<(), Error> {
    if given.int() == Some(usual) { Ok(()) } else { Err(unsupported(what)) }
}
