//! ML-DSA keys and their signatures (FIPS 204), which OpenSSL knows from 3.5 on.
//!
//! The service signs the message itself, hedged with randomness of its own.

use std::ffi::{CStr, c_int};

use der::Encode;
use interface::{
    algorithm::Signature,
    attributes::KeyType,
    kind::{self, KeyKind, Parameters},
    spki::PublicKey,
};
use ml_dsa::{EncodedSignature, EncodedVerifyingKey, MlDsa44, MlDsa65, MlDsa87, MlDsaParams, VerifyingKey};
use spki::AlgorithmIdentifierRef;

use crate::{
    digest::Digest,
    error::Error,
    ffi::{
        OSSL_PKEY_PARAM_BITS, OSSL_PKEY_PARAM_MANDATORY_DIGEST, OSSL_PKEY_PARAM_MAX_SIZE, OSSL_PKEY_PARAM_PRIV_KEY,
        OSSL_PKEY_PARAM_PUB_KEY, OSSL_PKEY_PARAM_SECURITY_BITS, OSSL_SIGNATURE_PARAM_ALGORITHM_ID, Param,
        newer::{
            OSSL_SIGNATURE_PARAM_CONTEXT_STRING, OSSL_SIGNATURE_PARAM_DETERMINISTIC, OSSL_SIGNATURE_PARAM_MESSAGE_ENCODING,
            OSSL_SIGNATURE_PARAM_MU,
        },
        params::{Field, Given, Params, Setting, Type, Value, field, gettable, settable, setting},
    },
    kind::{Kind, Public},
    options::{self, Options},
    rsa::unsupported,
    signature::{Context, Scheme},
};

/// Whether a message in a context was signed under a public key: (key, message, context, signature).
type Verify = fn(&[u8], &[u8], &[u8], &[u8]) -> bool;

/// FIPS 204 §4, table 2.
const SETS: [(&KeyKind, Verify); 3] =
    [(&kind::ML_DSA_44, verify::<MlDsa44>), (&kind::ML_DSA_65, verify::<MlDsa65>), (&kind::ML_DSA_87, verify::<MlDsa87>)];

fn verify<P: MlDsaParams>(key: &[u8], message: &[u8], context: &[u8], signature: &[u8]) -> bool {
    let key = EncodedVerifyingKey::<P>::try_from(key).map(|key| VerifyingKey::<P>::decode(&key));
    let signature = EncodedSignature::<P>::try_from(signature).ok().and_then(|s| ml_dsa::Signature::<P>::decode(&s));
    matches!((key, signature), (Ok(key), Some(signature)) if key.verify_with_context(message, context, &signature))
}

/// A public key of the parameter set with this index.
#[derive(Clone, PartialEq)]
pub(crate) struct MlDsaKey<const SET: usize>(Vec<u8>);

pub(crate) type MlDsa44Key = MlDsaKey<0>;
pub(crate) type MlDsa65Key = MlDsaKey<1>;
pub(crate) type MlDsa87Key = MlDsaKey<2>;

static OPTIONS: [Setting<Options>; 3] = [options::NAME, options::PROVIDER, options::USAGE];

impl<const SET: usize> Kind for MlDsaKey<SET> {
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
    const NEW: KeyType = KeyType::MlDsaKeyPair;
    const BITS: Option<u32> = Some(Self::SET.bits);
    const OPTIONS: &'static [Setting<Options>] = &OPTIONS;
    const OPTIONS_SETTABLE: &'static [Param] = &settable::<_, 4>(&OPTIONS);

    fn of(Public { key, .. }: &Public) -> Option<Self> {
        (key.key_type == KeyType::MlDsaPublicKey && key.bits == Self::SET.bits).then(|| Self::new(&key.bytes))?
    }

    fn spki(&self) -> Option<Vec<u8>> {
        PublicKey { key_type: KeyType::MlDsaPublicKey, bits: Self::SET.bits, bytes: self.0.clone() }.to_spki()
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

impl<const SET: usize> MlDsaKey<SET> {
    const SET: &'static Parameters = match &SETS[SET].0.parameters {
        Some(set) => set,
        None => panic!("a parameter set has parameters"),
    };

    fn new(bytes: &[u8]) -> Option<Self> {
        (bytes.len() == Self::SET.public_len).then(|| Self(bytes.to_vec()))
    }
}

/// ML-DSA of whole messages, in a context of up to 255 bytes.
#[derive(Clone, Default)]
pub(crate) struct PureMlDsa<const SET: usize> {
    context: Vec<u8>,
}

impl<const SET: usize> Scheme for PureMlDsa<SET> {
    type Kind = MlDsaKey<SET>;
    const HASHES: bool = false;
    const FIELDS: &'static [Field<Context<Self>>] = &[field(OSSL_SIGNATURE_PARAM_ALGORITHM_ID, Type::Bytes, |_| {
        AlgorithmIdentifierRef { oid: MlDsaKey::<SET>::SET.oid, parameters: None }.to_der().ok().map(Value::Bytes)
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
        _: &MlDsaKey<SET>,
        _: Option<&'static Digest>,
        input: &'a [u8],
    ) -> Result<(Signature, &'a [u8]), Error> {
        Ok((Signature::MlDsa, input))
    }

    fn context(&self) -> &[u8] {
        &self.context
    }

    fn max_len(_: &MlDsaKey<SET>) -> usize {
        MlDsaKey::<SET>::SET.output_len
    }

    fn encode(_: &MlDsaKey<SET>, signature: Vec<u8>) -> Option<Vec<u8>> {
        (signature.len() == MlDsaKey::<SET>::SET.output_len).then_some(signature)
    }

    fn verify(&self, key: &MlDsaKey<SET>, _: Option<&Digest>, input: &[u8], signature: &[u8]) -> Result<bool, Error> {
        Ok((SETS[SET].1)(&key.0, input, &self.context, signature))
    }
}

/// Refuses every value but the usual one.
fn only(given: &Given<'_>, usual: i64, what: &str) -> Result<(), Error> {
    if given.int() == Some(usual) { Ok(()) } else { Err(unsupported(what)) }
}
