//! Elliptic-curve keys on the NIST prime curves, with ECDSA and ECDH.

mod domain;

use std::ffi::{CStr, c_int};

use domain::Domain;
use interface::{
    algorithm::Signature,
    attributes::{EccFamily, KeyType},
    ecdsa,
    spki::PublicKey,
};
use p256::elliptic_curve::{point::AffineCoordinates, sec1::ToSec1Point};
use rsa::signature::hazmat::PrehashVerifier;
use zeroize::Zeroizing;

use crate::{
    digest::{self, Digest},
    error::Error,
    exchange::Exchange,
    ffi::{
        params::{Field, Params, Setting, Type, Value, field, gettable, settable, setting, trimmed},
        *,
    },
    kind::{Fixed, Kind, Public, Secret},
    options::{self, OTHERS, Options},
    signature::{self, Context, Scheme},
};

/// A curve of the family secp-r1.
struct Curve {
    bits: u32,
    /// OpenSSL's short name.
    name: &'static CStr,
    aliases: &'static [&'static str],
    security_bits: i64,
    domain: &'static Domain,
    /// Whether bytes are a point of the curve.
    valid: fn(&[u8]) -> bool,
    /// Whether r || s signs a digest under the public point.
    verify: fn(&[u8], &[u8], &[u8]) -> bool,
    /// The public point of a private scalar; None for a number that is none.
    public: fn(&[u8]) -> Option<Vec<u8>>,
    /// The coordinate that a private scalar and a public point agree on.
    agree: fn(&[u8], &[u8]) -> Option<Secret>,
}

macro_rules! curve {
    ($krate:ident, $bits:literal $name:literal $aliases:expr, $security_bits:literal $domain:expr) => {
        Curve {
            bits: $bits,
            name: $name,
            aliases: &$aliases,
            security_bits: $security_bits,
            domain: &$domain,
            valid: |point| $krate::ecdsa::VerifyingKey::from_sec1_bytes(point).is_ok(),
            verify: |point, digest, signature| {
                let key = $krate::ecdsa::VerifyingKey::from_sec1_bytes(point);
                let signature = $krate::ecdsa::Signature::from_slice(signature);
                key.is_ok_and(|key| signature.is_ok_and(|signature| key.verify_prehash(digest, &signature).is_ok()))
            },
            public: |scalar| {
                let public = $krate::SecretKey::from_slice(scalar).ok()?.public_key();
                Some(public.to_sec1_point(false).as_bytes().to_vec())
            },
            agree: |scalar, point| {
                let scalar = $krate::SecretKey::from_slice(scalar).ok()?.to_nonzero_scalar();
                let shared = $krate::PublicKey::from_sec1_bytes(point).ok()?.to_projective() * *scalar;
                Some(Zeroizing::new(shared.to_affine().x().to_vec()))
            },
        }
    };
}

static CURVES: [Curve; 3] = [
    curve!(p256, 256 c"prime256v1" ["P-256", "secp256r1"], 128 domain::P256),
    curve!(p384, 384 c"secp384r1" ["P-384"], 192 domain::P384),
    curve!(p521, 521 c"secp521r1" ["P-521"], 256 domain::P521),
];

impl Curve {
    fn named(name: &str) -> Option<&'static Self> {
        CURVES.iter().find(|curve| {
            let mut names = curve.aliases.iter().copied().chain(curve.name.to_str());
            names.any(|alias| alias.eq_ignore_ascii_case(name))
        })
    }

    /// Bytes of a coordinate, and of r and s.
    fn len(&self) -> usize {
        self.bits.div_ceil(8) as usize
    }

    /// Bytes of the longest signature in DER: two integers that may need a sign byte, in a sequence.
    fn max_len(&self) -> usize {
        let header = |content: usize| if content < 128 { 2 } else { 3 };
        // the order is as long as the field, whose top bit is set but for P-521
        let integer = self.len() + usize::from(self.bits.is_multiple_of(8));
        let content = 2 * (header(integer) + integer);
        header(content) + content
    }
}

/// A public point, uncompressed; empty where only the curve is known.
#[derive(Clone)]
pub(crate) struct Ec {
    curve: &'static Curve,
    point: Vec<u8>,
}

impl PartialEq for Ec {
    fn eq(&self, other: &Self) -> bool {
        self.curve.bits == other.curve.bits && self.point == other.point
    }
}

impl Ec {
    fn new(curve: &'static Curve, point: &[u8]) -> Option<Self> {
        let uncompressed = point.len() == 1 + 2 * curve.len() && point.first() == Some(&4);
        uncompressed.then(|| Self { curve, point: point.to_vec() })
    }

    fn on(curve: &'static Curve) -> Self {
        let point = Vec::new();
        Self { curve, point }
    }

    fn coordinate(&self, index: usize) -> Option<Value<'_>> {
        let mut coordinates = self.point.get(1..)?.chunks(self.curve.len());
        Some(number(coordinates.nth(index)?))
    }
}

fn number(big_endian: &[u8]) -> Value<'static> {
    Value::Number(trimmed(big_endian).to_vec())
}

static FIELDS: [Field<Ec>; 22] = [
    field(OSSL_PKEY_PARAM_GROUP_NAME, Type::Text, |key| Some(Value::Text(key.curve.name))),
    field(OSSL_PKEY_PARAM_PUB_KEY, Type::Bytes, |key| key.complete().then(|| Value::Bytes(key.point.clone()))),
    field(OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, Type::Bytes, |key| key.complete().then(|| Value::Bytes(key.point.clone()))),
    field(OSSL_PKEY_PARAM_EC_PUB_X, Type::Number, |key| key.coordinate(0)),
    field(OSSL_PKEY_PARAM_EC_PUB_Y, Type::Number, |key| key.coordinate(1)),
    field(OSSL_PKEY_PARAM_BITS, Type::Int, |key| Some(Value::Int(key.curve.bits.into()))),
    field(OSSL_PKEY_PARAM_SECURITY_BITS, Type::Int, |key| Some(Value::Int(key.curve.security_bits))),
    field(OSSL_PKEY_PARAM_MAX_SIZE, Type::Int, |key| i64::try_from(key.curve.max_len()).ok().map(Value::Int)),
    field(OSSL_PKEY_PARAM_DEFAULT_DIGEST, Type::Text, |_| Some(Value::Text(digest::DEFAULT.name))),
    field(OSSL_PKEY_PARAM_EC_ENCODING, Type::Text, |_| Some(Value::Text(OSSL_PKEY_EC_ENCODING_GROUP))),
    field(OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, Type::Text, |_| {
        Some(Value::Text(OSSL_PKEY_EC_POINT_CONVERSION_FORMAT_UNCOMPRESSED))
    }),
    field(OSSL_PKEY_PARAM_EC_FIELD_TYPE, Type::Text, |_| Some(Value::Text(c"prime-field"))),
    field(OSSL_PKEY_PARAM_EC_P, Type::Number, |key| Some(number(key.curve.domain.prime))),
    field(OSSL_PKEY_PARAM_EC_A, Type::Number, |key| Some(number(&key.curve.domain.a()))),
    field(OSSL_PKEY_PARAM_EC_B, Type::Number, |key| Some(number(key.curve.domain.b))),
    field(OSSL_PKEY_PARAM_EC_GENERATOR, Type::Bytes, |key| Some(Value::Bytes(key.curve.domain.generator.to_vec()))),
    field(OSSL_PKEY_PARAM_EC_ORDER, Type::Number, |key| Some(number(key.curve.domain.order))),
    field(OSSL_PKEY_PARAM_EC_COFACTOR, Type::Number, |_| Some(number(&[1]))),
    field(OSSL_PKEY_PARAM_EC_SEED, Type::Bytes, |key| Some(Value::Bytes(key.curve.domain.seed.to_vec()))),
    field(OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS, Type::Int, |_| Some(Value::Int(0))),
    field(OSSL_PKEY_PARAM_USE_COFACTOR_ECDH, Type::Int, |_| Some(Value::Int(0))),
    field(OSSL_PKEY_PARAM_EC_GROUP_CHECK_TYPE, Type::Text, |_| Some(Value::Text(DEFAULT_CHECK))),
];
static KEY_SETTABLE: [Param; 8] = [
    Param::describe(OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, Type::Bytes),
    Param::describe(OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, Type::Text),
    Param::describe(OSSL_PKEY_PARAM_EC_ENCODING, Type::Text),
    Param::describe(OSSL_PKEY_PARAM_USE_COFACTOR_ECDH, Type::Int),
    Param::describe(OSSL_PKEY_PARAM_EC_GROUP_CHECK_TYPE, Type::Text),
    Param::describe(OSSL_PKEY_PARAM_EC_INCLUDE_PUBLIC, Type::Int),
    Param::describe(OSSL_PKEY_PARAM_EC_SEED, Type::Bytes),
    Param::END,
];

/// How OpenSSL checks domain parameters that have no name: ours have.
const DEFAULT_CHECK: &CStr = c"default";

const POINT_FORMAT: Fixed = Fixed {
    name: OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
    value: Value::Text(OSSL_PKEY_EC_POINT_CONVERSION_FORMAT_UNCOMPRESSED),
};
const ENCODING: Fixed = Fixed { name: OSSL_PKEY_PARAM_EC_ENCODING, value: Value::Text(OSSL_PKEY_EC_ENCODING_GROUP) };
const COFACTOR: Fixed = Fixed { name: OSSL_PKEY_PARAM_USE_COFACTOR_ECDH, value: Value::Int(0) };

static OPTIONS: [Setting<Options>; 7] = [
    setting(OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, Type::Text, |_, given| POINT_FORMAT.check(given)),
    setting(OSSL_PKEY_PARAM_EC_ENCODING, Type::Text, |_, given| ENCODING.check(given)),
    setting(OSSL_PKEY_PARAM_USE_COFACTOR_ECDH, Type::Int, |_, given| COFACTOR.check(given)),
    options::NAME,
    options::PROVIDER,
    options::USAGE,
    setting(OSSL_PKEY_PARAM_GROUP_NAME, Type::Text, |options, given| {
        let name = given.text().unwrap_or_default();
        let unknown = || {
            Error::Unsupported(format!(
                "the curve {name:?} is none of P-256, P-384 and P-521, of which the service has keys; {OTHERS}"
            ))
        };
        options.bits = Some(Curve::named(name).ok_or_else(unknown)?.bits);
        Ok(())
    }),
];

impl Kind for Ec {
    const NAME: &'static CStr = c"EC";
    const FIELDS: &'static [Field<Self>] = &FIELDS;
    const GETTABLE: &'static [Param] = &gettable::<_, 23>(&FIELDS);
    const PUBLIC: &'static [Param] = &gettable::<_, 3>(&FIELDS);
    const PRIVATE: &'static CStr = OSSL_PKEY_PARAM_PRIV_KEY;
    /// A point without its curve is none.
    const EXPORTED: c_int = OSSL_KEYMGMT_SELECT_DOMAIN_PARAMETERS;
    const EMPTY: bool = true;
    const GROUPS: bool = true;
    const SETTABLE: &'static [Param] = &KEY_SETTABLE;
    const FIXED: &'static [Fixed] = &[
        POINT_FORMAT,
        ENCODING,
        COFACTOR,
        Fixed { name: OSSL_PKEY_PARAM_EC_GROUP_CHECK_TYPE, value: Value::Text(DEFAULT_CHECK) },
        Fixed { name: OSSL_PKEY_PARAM_EC_INCLUDE_PUBLIC, value: Value::Int(1) },
        // nothing can be it
        Fixed { name: OSSL_PKEY_PARAM_EC_SEED, value: Value::Pointer(&[]) },
    ];

    const NEW: KeyType = KeyType::EccKeyPair(EccFamily::SecpR1);
    const BITS: Option<u32> = None;
    const OPTIONS: &'static [Setting<Options>] = &OPTIONS;
    const OPTIONS_SETTABLE: &'static [Param] = &settable::<_, 8>(&OPTIONS);

    fn of(Public { key: public, .. }: &Public) -> Option<Self> {
        let curve = CURVES.iter().find(|curve| curve.bits == public.bits)?;
        (public.key_type == KeyType::EccPublicKey(EccFamily::SecpR1)).then(|| Self::new(curve, &public.bytes))?
    }

    fn spki(&self) -> Option<Vec<u8>> {
        let (bits, bytes) = (self.curve.bits, self.point.clone());
        PublicKey { key_type: Self::NEW.public(), bits, bytes }.to_spki().filter(|_| self.complete())
    }

    fn import(params: Params<'_>) -> Option<Self> {
        let curve = Curve::named(params.find(OSSL_PKEY_PARAM_GROUP_NAME)?.text()?)?;
        match params.find(OSSL_PKEY_PARAM_PUB_KEY) {
            Some(point) => Self::new(curve, point.bytes()?),
            None => Some(Self::on(curve)),
        }
    }

    fn blank(bits: u32) -> Option<Self> {
        Self::of_group(bits)
    }

    /// Tries random numbers of the order's size until one is a scalar: at most every other one is not.
    fn ephemeral(&self) -> Option<(Self, Secret)> {
        let mut scalar = Zeroizing::new(vec![0; self.curve.len()]);
        let top = u8::MAX >> (self.curve.len() * 8 - self.curve.bits as usize);
        loop {
            getrandom::fill(&mut scalar).ok()?;
            *scalar.first_mut()? &= top;
            if let Some(point) = (self.curve.public)(&scalar) {
                return Some((Self { point, ..self.clone() }, scalar));
            }
        }
    }

    fn group(&self) -> Option<u32> {
        Some(self.curve.bits)
    }

    fn of_group(bits: u32) -> Option<Self> {
        CURVES.iter().find(|curve| curve.bits == bits).map(Self::on)
    }

    fn parameters(&self) -> Option<Self> {
        Some(Self::on(self.curve))
    }

    fn complete(&self) -> bool {
        !self.point.is_empty()
    }

    fn completed(parameters: Option<&Self>, params: Params<'_>) -> Option<Self> {
        let point = params.find(OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY)?.bytes()?;
        Self::new(parameters?.curve, point).filter(Self::valid)
    }

    fn valid(&self) -> bool {
        (self.curve.valid)(&self.point)
    }

    fn operation(operation: c_int) -> &'static CStr {
        match operation {
            OSSL_OP_SIGNATURE => c"ECDSA",
            OSSL_OP_KEYEXCH => c"ECDH",
            _ => Self::NAME,
        }
    }
}

impl Exchange for Ec {
    fn encoded(&self) -> &[u8] {
        &self.point
    }

    fn secret_len(&self) -> usize {
        self.curve.len()
    }

    fn agree(&self, ephemeral: &Secret) -> Option<Secret> {
        (self.curve.agree)(ephemeral, &self.point)
    }
}

/// ECDSA has nothing to set.
#[derive(Clone, Default)]
pub(crate) struct Ecdsa;

static ECDSA: [Field<Context<Ecdsa>>; 3] = [
    field(OSSL_SIGNATURE_PARAM_ALGORITHM_ID, Type::Bytes, |ctx| {
        signature::algorithm_id(Signature::Ecdsa { hash: ctx.digest?.hash.into() }, Ec::NEW, 0)
    }),
    field(OSSL_SIGNATURE_PARAM_DIGEST, Type::Text, |ctx| Some(Value::Text(ctx.digest?.canonical))),
    field(OSSL_SIGNATURE_PARAM_DIGEST_SIZE, Type::Int, |ctx| i64::try_from(ctx.digest?.hash.len()).ok().map(Value::Int)),
];

static SETTINGS: [Setting<Context<Ecdsa>>; 1] = [setting(OSSL_SIGNATURE_PARAM_DIGEST, Type::Text, Context::set_digest)];

impl Scheme for Ecdsa {
    type Kind = Ec;
    const FIELDS: &'static [Field<Context<Self>>] = &ECDSA;
    const GETTABLE: &'static [Param] = &gettable::<_, 4>(&ECDSA);
    const SETTINGS: &'static [Setting<Context<Self>>] = &SETTINGS;
    const SETTABLE: &'static [Param] = &settable::<_, 2>(&SETTINGS);

    fn algorithm<'a>(&self, _: &Ec, digest: Option<&'static Digest>, input: &'a [u8]) -> Result<(Signature, &'a [u8]), Error> {
        // the scheme is the same whatever the digest, and its length names the one that policies speak of
        let algorithm = match digest.or_else(|| Digest::of_len(input.len())) {
            Some(digest) => Signature::Ecdsa { hash: digest.hash.into() },
            None => Signature::EcdsaAny,
        };
        Ok((algorithm, input))
    }

    fn max_len(key: &Ec) -> usize {
        key.curve.max_len()
    }

    fn encode(key: &Ec, signature: Vec<u8>) -> Option<Vec<u8>> {
        (signature.len() == 2 * key.curve.len()).then(|| ecdsa::to_der(&signature))?
    }

    fn verify(&self, key: &Ec, _: Option<&Digest>, input: &[u8], signature: &[u8]) -> Result<bool, Error> {
        let len = key.curve.len();
        let Some(signature) = ecdsa::from_der(signature, len) else {
            return Ok(false);
        };
        // a digest longer than the order is cut, a shorter one is a small number
        let digest = input.get(..len).unwrap_or(input);
        let mut padded = vec![0; len - digest.len()];
        padded.extend_from_slice(digest);
        Ok((key.curve.verify)(&key.point, &padded, &signature))
    }
}
