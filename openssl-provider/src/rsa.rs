//! RSA keys: those that sign as their users like, and those for PSS alone.

pub(crate) mod encoding;
pub(crate) mod signature;

use std::ffi::{CStr, c_int};

use der::{Encode, Sequence, asn1::UintRef};
use interface::{
    algorithm::{Algorithm, Signature},
    attributes::{KeyType, Policy},
    policy::{Job, Purpose},
    pss::Pss,
    spki::{PublicKey, rsa_parts},
};
use rsa::{BoxedUint, hazmat::rsa_encrypt, traits::PublicKeyParts};

use crate::{
    digest::{self, Digest},
    error::Error,
    ffi::{
        params::{Field, Params, Setting, Type, Value, field, gettable, settable, setting},
        *,
    },
    kind::{Kind, Public},
    options::{self, OTHERS, Options},
};

/// An RSA public key: modulus and exponent, big-endian without leading zeros.
#[derive(Clone)]
pub(crate) struct RsaKey<const PSS: bool> {
    n: Vec<u8>,
    e: Vec<u8>,
    /// What a key for PSS alone permits, where it does not permit all.
    only: Option<Pss>,
}

impl<const PSS: bool> PartialEq for RsaKey<PSS> {
    fn eq(&self, other: &Self) -> bool {
        (&self.n, &self.e) == (&other.n, &other.e)
    }
}

/// `rsaEncryption`.
pub(crate) type Rsa = RsaKey<false>;
/// `id-RSASSA-PSS`: for PSS alone.
pub(crate) type RsaPss = RsaKey<true>;

/// RSAPublicKey, RFC 8017 §A.1.1.
#[derive(Sequence)]
struct RsaPublicKey<'a> {
    modulus: UintRef<'a>,
    exponent: UintRef<'a>,
}

const BITS: Setting<Options> = setting(OSSL_PKEY_PARAM_RSA_BITS, Type::Number, |options, given| {
    let bits = given.int().and_then(|bits| u32::try_from(bits).ok());
    options.bits = Some(bits.ok_or_else(|| Error::Parameter("the number of bits is not one".to_owned()))?);
    Ok(())
});
const EXPONENT: Setting<Options> = setting(OSSL_PKEY_PARAM_RSA_E, Type::Number, |_, given| match given.int() {
    Some(65537) => Ok(()),
    _ => Err(unsupported(&format!("RSA keys with another public exponent than 65537; {OTHERS}"))),
});
const PRIMES: Setting<Options> = setting(OSSL_PKEY_PARAM_RSA_PRIMES, Type::Number, |_, given| match given.int() {
    Some(2) => Ok(()),
    _ => Err(unsupported(&format!("RSA keys of more than two primes; {OTHERS}"))),
});

const OPTIONS: [Setting<Options>; 6] = [options::NAME, options::PROVIDER, options::USAGE, BITS, EXPONENT, PRIMES];

/// What keys for PSS alone permit: what is said of it makes all else what PSS has by default.
const PERMITTED: [Setting<Options>; 3] = [
    setting(OSSL_PKEY_PARAM_RSA_DIGEST, Type::Text, |options, given| {
        options.pss.get_or_insert(Pss::DEFAULT).hash = digest::named(given.text().unwrap_or_default())?.hash;
        Ok(())
    }),
    setting(OSSL_PKEY_PARAM_RSA_MGF1_DIGEST, Type::Text, |options, given| {
        options.pss.get_or_insert(Pss::DEFAULT).mgf = digest::named(given.text().unwrap_or_default())?.hash;
        Ok(())
    }),
    setting(OSSL_PKEY_PARAM_RSA_PSS_SALTLEN, Type::Int, |options, given| {
        let len = given.int().and_then(|len| u32::try_from(len).ok());
        let bad = || Error::Parameter("the length of the salt is not a number of bytes".to_owned());
        options.pss.get_or_insert(Pss::DEFAULT).salt_len = len.ok_or_else(bad)?;
        Ok(())
    }),
];
static PSS_OPTIONS: [Setting<Options>; 9] = {
    let ([name, provider, usage, bits, exponent, primes], [digest, mgf1, salt]) = (OPTIONS, PERMITTED);
    [name, provider, usage, bits, exponent, primes, digest, mgf1, salt]
};

impl<const PSS: bool> Kind for RsaKey<PSS> {
    const NAME: &'static CStr = if PSS { c"RSA-PSS" } else { c"RSA" };
    const FIELDS: &'static [Field<Self>] = &[
        field(OSSL_PKEY_PARAM_RSA_N, Type::Number, |key| Some(Value::Number(key.n.clone()))),
        field(OSSL_PKEY_PARAM_RSA_E, Type::Number, |key| Some(Value::Number(key.e.clone()))),
        field(OSSL_PKEY_PARAM_BITS, Type::Int, |key| Some(Value::Int(key.bits().into()))),
        field(OSSL_PKEY_PARAM_SECURITY_BITS, Type::Int, |key| Some(Value::Int(strength(key.bits())))),
        field(OSSL_PKEY_PARAM_MAX_SIZE, Type::Int, |key| i64::try_from(key.len()).ok().map(Value::Int)),
        field(OSSL_PKEY_PARAM_DEFAULT_DIGEST, Type::Text, |key| key.only.is_none().then_some(Value::Text(digest::DEFAULT.name))),
        field(OSSL_PKEY_PARAM_MANDATORY_DIGEST, Type::Text, |key| {
            Some(Value::Text(Digest::computing(key.only?.hash)?.canonical))
        }),
        field(OSSL_PKEY_PARAM_RSA_DIGEST, Type::Text, |key| Some(Value::Text(Digest::computing(key.only?.hash)?.canonical))),
        field(OSSL_PKEY_PARAM_RSA_MGF1_DIGEST, Type::Text, |key| Some(Value::Text(Digest::computing(key.only?.mgf)?.canonical))),
        field(OSSL_PKEY_PARAM_RSA_PSS_SALTLEN, Type::Int, |key| Some(Value::Int(key.only?.salt_len.into()))),
    ];
    const GETTABLE: &'static [Param] = &gettable::<_, 7>(Self::FIELDS);
    const PUBLIC: &'static [Param] = &gettable::<_, 3>(Self::FIELDS);
    const PRIVATE: &'static CStr = OSSL_PKEY_PARAM_RSA_D;
    const EXPORTED: c_int =
        OSSL_KEYMGMT_SELECT_PRIVATE_KEY | OSSL_KEYMGMT_SELECT_PUBLIC_KEY | OSSL_KEYMGMT_SELECT_OTHER_PARAMETERS;
    const NEW: KeyType = KeyType::RsaKeyPair;
    const BITS: Option<u32> = Some(2048);
    const OPTIONS: &'static [Setting<Options>] = if PSS { &PSS_OPTIONS } else { &OPTIONS };
    const OPTIONS_SETTABLE: &'static [Param] = if PSS { &settable::<_, 10>(&PSS_OPTIONS) } else { &settable::<_, 7>(&OPTIONS) };

    fn of(Public { key, pss, only }: &Public) -> Option<Self> {
        let (n, e) = (key.key_type == KeyType::RsaPublicKey && *pss == PSS).then(|| rsa_parts(&key.bytes))??;
        Some(Self { n: n.to_vec(), e: e.to_vec(), only: *only })
    }

    fn spki(&self) -> Option<Vec<u8>> {
        let key = RsaPublicKey { modulus: UintRef::new(&self.n).ok()?, exponent: UintRef::new(&self.e).ok()? };
        let key = PublicKey { key_type: KeyType::RsaPublicKey, bits: self.bits(), bytes: key.to_der().ok()? };
        if PSS { key.to_pss_spki(self.only) } else { key.to_spki() }
    }

    fn import(params: Params<'_>) -> Option<Self> {
        let number = |name| params.find(name)?.number();
        let mut options = Options::default();
        params.apply(if PSS { &PERMITTED } else { &[] }, &mut options).ok()?;
        Some(Self { n: number(OSSL_PKEY_PARAM_RSA_N)?, e: number(OSSL_PKEY_PARAM_RSA_E)?, only: options.pss })
    }

    fn other(&self) -> Vec<(&'static CStr, Value<'_>)> {
        let permitted = Self::FIELDS.iter().filter(|field| PERMITTED.iter().any(|setting| setting.name == field.name));
        permitted.filter_map(|field| Some((field.name, (field.read)(self)?))).collect()
    }

    fn policy(options: &Options, purpose: Option<Purpose>) -> Option<Policy> {
        if !PSS {
            return options::policy(Self::NEW, purpose);
        }
        let policy = purpose.map_or_else(|| Job::Sign.policy(Self::NEW), |purpose| purpose.policy(Self::NEW))?;
        let pss = |algorithm: &Algorithm| matches!(algorithm, Algorithm::Signature(Signature::RsaPss { .. }));
        let any = policy.algorithms().find(pss)?;
        let mut algorithms = options.pss.map_or_else(|| vec![any], Pss::algorithms).into_iter();
        Some(Policy { algorithm: algorithms.next()?, also: algorithms.collect(), ..policy })
    }

    fn valid(&self) -> bool {
        self.parsed().is_some()
    }

    fn operation(_: c_int) -> &'static CStr {
        Self::NAME
    }
}

impl<const PSS: bool> RsaKey<PSS> {
    pub(crate) fn bits(&self) -> u32 {
        let zeros = self.n.first().map_or(0, |byte| byte.leading_zeros());
        u32::try_from(self.n.len() * 8).unwrap_or(u32::MAX) - zeros
    }

    /// Bytes of the modulus, and of what is encrypted or signed.
    pub(crate) fn len(&self) -> usize {
        self.n.len()
    }

    /// A number below the modulus, in as many bytes as that has; None where it is longer or larger.
    pub(crate) fn number(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut number = vec![0; self.len().checked_sub(bytes.len())?];
        number.extend_from_slice(bytes);
        (number < self.n).then_some(number)
    }

    /// What the key makes of a block: a ciphertext (RSAEP, RFC 8017 §5.1.1), and of a signature what was signed (RSAVP1, §5.2.2). None
    /// where the block is not a number below the modulus.
    pub(crate) fn block(&self, block: &[u8]) -> Option<Vec<u8>> {
        let key = self.parsed()?;
        let number = BoxedUint::from_be_slice(block, key.n_bits_precision()).ok()?;
        let made = (block.len() == self.len() && number < **key.n()).then(|| rsa_encrypt(&key, &number).ok())??;
        let bytes = made.to_be_bytes();
        Some(bytes.get(bytes.len() - self.len()..)?.to_vec())
    }

    /// The key for computing with; None where it is not a sound one.
    pub(crate) fn parsed(&self) -> Option<rsa::PublicKey> {
        let number = |bytes: &[u8]| BoxedUint::from_be_slice_vartime(bytes);
        rsa::PublicKey::new(number(&self.n), number(&self.e)).ok()
    }
}

/// The security strength of a modulus of so many bits (NIST SP 800-56B r2, appendix D), as OpenSSL rounds it.
fn strength(bits: u32) -> i64 {
    match bits {
        2048 => 112,
        3072 => 128,
        4096 => 152,
        6144 => 176,
        7680 => 192,
        8192 => 200,
        15360 => 256,
        ..8 => 0,
        _ => {
            let x = f64::from(bits) * std::f64::consts::LN_2;
            let estimate = (1.923 * (x * x.ln() * x.ln()).cbrt() - 4.69) / std::f64::consts::LN_2;
            #[expect(clippy::cast_possible_truncation, reason = "at most a few hundred bits")]
            let whole = estimate as i64;
            (whole + 4) & !7
        }
    }
}

pub(crate) fn unsupported(what: &str) -> Error {
    Error::Unsupported(format!("the parsec provider does not do {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strengths_are_those_of_openssl() {
        for (bits, expected) in [(512, 56), (1024, 80), (2048, 112), (3072, 128), (4096, 152), (5120, 168), (15360, 256)] {
            assert_eq!(strength(bits), expected, "{bits}");
        }
        assert_eq!(strength(0), 0);
    }
}
