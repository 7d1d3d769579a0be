//! RSA keys and their signatures: PKCS#1 v1.5 and PSS.

use std::ffi::{CStr, c_int};

use der::{
    Encode, Sequence,
    asn1::{Any, ObjectIdentifier, UintRef},
};
use interface::{
    algorithm::{Hash, Signature},
    attributes::KeyType,
    spki::{PublicKey, rsa_parts},
};
use rsa::{BoxedUint, Pkcs1v15Sign, hazmat::rsa_encrypt, traits::PublicKeyParts};
use spki::AlgorithmIdentifierOwned;

use crate::{
    digest::{self, Digest},
    error::Error,
    ffi::{
        OSSL_PKEY_PARAM_BITS, OSSL_PKEY_PARAM_DEFAULT_DIGEST, OSSL_PKEY_PARAM_MAX_SIZE, OSSL_PKEY_PARAM_RSA_D,
        OSSL_PKEY_PARAM_RSA_E, OSSL_PKEY_PARAM_RSA_N, OSSL_PKEY_PARAM_SECURITY_BITS, OSSL_PKEY_RSA_PAD_MODE_PKCSV15,
        OSSL_PKEY_RSA_PAD_MODE_PSS, OSSL_PKEY_RSA_PSS_SALT_LEN_AUTO, OSSL_PKEY_RSA_PSS_SALT_LEN_DIGEST,
        OSSL_PKEY_RSA_PSS_SALT_LEN_MAX, OSSL_SIGNATURE_PARAM_ALGORITHM_ID, OSSL_SIGNATURE_PARAM_DIGEST,
        OSSL_SIGNATURE_PARAM_MGF1_DIGEST, OSSL_SIGNATURE_PARAM_PAD_MODE, OSSL_SIGNATURE_PARAM_PSS_SALTLEN, Param,
        RSA_PKCS1_PADDING, RSA_PKCS1_PSS_PADDING, RSA_PSS_SALTLEN_AUTO, RSA_PSS_SALTLEN_DIGEST, RSA_PSS_SALTLEN_MAX,
        params::{Field, Given, Params, Setting, Type, Value, field, gettable, settable, setting},
    },
    key::Kind,
    signature::{Context, Purpose, Scheme},
};

const RSASSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
const MGF1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.8");

/// An RSA public key: modulus and exponent, big-endian without leading zeros.
#[derive(Clone, PartialEq)]
pub(crate) struct Rsa {
    n: Vec<u8>,
    e: Vec<u8>,
}

/// RSAPublicKey, RFC 8017 §A.1.1.
#[derive(Sequence)]
struct RsaPublicKey<'a> {
    modulus: UintRef<'a>,
    exponent: UintRef<'a>,
}

static FIELDS: [Field<Rsa>; 6] = [
    field(OSSL_PKEY_PARAM_RSA_N, Type::Number, |key| Some(Value::Number(key.n.clone()))),
    field(OSSL_PKEY_PARAM_RSA_E, Type::Number, |key| Some(Value::Number(key.e.clone()))),
    field(OSSL_PKEY_PARAM_BITS, Type::Int, |key| Some(Value::Int(key.bits().into()))),
    field(OSSL_PKEY_PARAM_SECURITY_BITS, Type::Int, |key| Some(Value::Int(strength(key.bits())))),
    field(OSSL_PKEY_PARAM_MAX_SIZE, Type::Int, |key| i64::try_from(key.len()).ok().map(Value::Int)),
    field(OSSL_PKEY_PARAM_DEFAULT_DIGEST, Type::Text, |_| Some(Value::Text(digest::DEFAULT.name))),
];
static GETTABLE: [Param; 7] = gettable(&FIELDS);
static PUBLIC: [Param; 3] = gettable(&FIELDS);

impl Kind for Rsa {
    const NAME: &'static CStr = c"RSA";
    const FIELDS: &'static [Field<Self>] = &FIELDS;
    const GETTABLE: &'static [Param] = &GETTABLE;
    const PUBLIC: &'static [Param] = &PUBLIC;
    const PRIVATE: &'static CStr = OSSL_PKEY_PARAM_RSA_D;

    fn of(public: &PublicKey) -> Option<Self> {
        let (n, e) = (public.key_type == KeyType::RsaPublicKey).then(|| rsa_parts(&public.bytes))??;
        Some(Self { n: n.to_vec(), e: e.to_vec() })
    }

    fn public_key(&self) -> Option<PublicKey> {
        let key = RsaPublicKey { modulus: UintRef::new(&self.n).ok()?, exponent: UintRef::new(&self.e).ok()? };
        Some(PublicKey { key_type: KeyType::RsaPublicKey, bits: self.bits(), bytes: key.to_der().ok()? })
    }

    fn import(params: Params<'_>) -> Option<Self> {
        let number = |name| params.find(name)?.number();
        Some(Self { n: number(OSSL_PKEY_PARAM_RSA_N)?, e: number(OSSL_PKEY_PARAM_RSA_E)? })
    }

    fn valid(&self) -> bool {
        self.parsed().is_some()
    }

    fn operation(_: c_int) -> &'static CStr {
        Self::NAME
    }
}

impl Rsa {
    fn bits(&self) -> u32 {
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

    /// The block that was signed (RSAVP1, RFC 8017 §5.2.2); None where the signature is not a number below the modulus.
    fn block(&self, signature: &[u8]) -> Option<Vec<u8>> {
        let key = self.parsed()?;
        let number = BoxedUint::from_be_slice(signature, key.n_bits_precision()).ok()?;
        let signed = (signature.len() == self.len() && number < **key.n()).then(|| rsa_encrypt(&key, &number).ok())??;
        let bytes = signed.to_be_bytes();
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

/// How an RSA signature is padded.
#[derive(Clone, Default)]
pub(crate) struct Padding {
    pss: bool,
    salt: Salt,
    /// The digest of MGF1 where it was set; it can only be the message's.
    mgf1: Option<&'static Digest>,
}

/// The length of a PSS salt. What we sign has a salt as long as the digest, which is what TLS, certificates and the
/// key hardware agree on.
#[derive(Clone, Copy, Default, PartialEq)]
enum Salt {
    /// Signing: as long as the digest. Verifying: any.
    #[default]
    Auto,
    /// As long as the digest.
    Digest,
    /// As long as the modulus has room for.
    Max,
    Bytes(usize),
}

static PADDING: [Field<Context<Padding>>; 5] = [
    field(OSSL_SIGNATURE_PARAM_ALGORITHM_ID, Type::Bytes, algorithm_id),
    field(OSSL_SIGNATURE_PARAM_PAD_MODE, Type::Text, |ctx| {
        Some(match ctx.scheme.pss {
            true => Value::Named(RSA_PKCS1_PSS_PADDING, OSSL_PKEY_RSA_PAD_MODE_PSS),
            false => Value::Named(RSA_PKCS1_PADDING, OSSL_PKEY_RSA_PAD_MODE_PKCSV15),
        })
    }),
    field(OSSL_SIGNATURE_PARAM_DIGEST, Type::Text, |ctx| Some(Value::Text(ctx.digest?.name))),
    field(OSSL_SIGNATURE_PARAM_MGF1_DIGEST, Type::Text, |ctx| Some(Value::Text(ctx.scheme.mgf1.or(ctx.digest)?.name))),
    field(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, Type::Text, |ctx| match ctx.scheme.salt {
        Salt::Auto => Some(Value::Named(RSA_PSS_SALTLEN_AUTO, OSSL_PKEY_RSA_PSS_SALT_LEN_AUTO)),
        Salt::Digest => Some(Value::Named(RSA_PSS_SALTLEN_DIGEST, OSSL_PKEY_RSA_PSS_SALT_LEN_DIGEST)),
        Salt::Max => Some(Value::Named(RSA_PSS_SALTLEN_MAX, OSSL_PKEY_RSA_PSS_SALT_LEN_MAX)),
        Salt::Bytes(len) => i64::try_from(len).ok().map(Value::Int),
    }),
];
static PADDING_GETTABLE: [Param; 6] = gettable(&PADDING);

static SETTINGS: [Setting<Context<Padding>>; 4] = [
    setting(OSSL_SIGNATURE_PARAM_DIGEST, Type::Text, Context::set_digest),
    setting(OSSL_SIGNATURE_PARAM_PAD_MODE, Type::Text, |ctx, given| {
        ctx.scheme.pss = pad_mode(given)?;
        Ok(())
    }),
    setting(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, Type::Text, |ctx, given| {
        ctx.scheme.salt = salt(given)?;
        Ok(())
    }),
    setting(OSSL_SIGNATURE_PARAM_MGF1_DIGEST, Type::Text, |ctx, given| {
        ctx.scheme.mgf1 = Some(crate::signature::digest(given.text().unwrap_or_default())?);
        Ok(())
    }),
];
static SETTABLE: [Param; 5] = settable(&SETTINGS);

impl Scheme for Padding {
    type Kind = Rsa;
    const RECOVERS: bool = true;
    const FIELDS: &'static [Field<Context<Self>>] = &PADDING;
    const GETTABLE: &'static [Param] = &PADDING_GETTABLE;
    const SETTINGS: &'static [Setting<Context<Self>>] = &SETTINGS;
    const SETTABLE: &'static [Param] = &SETTABLE;

    fn check(&self, key: &Rsa, purpose: Purpose, digest: Option<&Digest>) -> Result<(), Error> {
        let Some(digest) = digest.filter(|_| self.pss) else {
            return Ok(());
        };
        if self.mgf1.is_some_and(|mgf1| mgf1 != digest) {
            return Err(unsupported("PSS with MGF1 over another digest than the message's"));
        }
        if key.len() < 2 * digest.hash.len() + 2 {
            return Err(unsupported("PSS with a digest too long for the key"));
        }
        match self.salt.len(key, digest) {
            Some(len) if len != digest.hash.len() && purpose == Purpose::Sign => {
                Err(unsupported("a PSS salt of another length than the digest's; set rsa_pss_saltlen:digest"))
            }
            _ => Ok(()),
        }
    }

    fn algorithm<'a>(&self, digest: Option<&'static Digest>, input: &'a [u8]) -> Result<(Signature, &'a [u8]), Error> {
        match (digest, self.pss) {
            (Some(digest), true) => Ok((Signature::RsaPss { hash: digest.hash.into() }, input)),
            (Some(digest), false) => Ok((Signature::RsaPkcs1v15 { hash: digest.hash.into() }, input)),
            (None, true) => Err(Error::State("PSS needs a digest; set it before signing")),
            // a whole DigestInfo, or whatever the caller has in its place
            (None, false) => Ok(match Hash::parse_digest_info(input) {
                Some((hash, digest)) if !hash.deprecated() => (Signature::RsaPkcs1v15 { hash: hash.into() }, digest),
                _ => (Signature::RsaPkcs1v15Raw, input),
            }),
        }
    }

    fn max_len(key: &Rsa) -> usize {
        key.len()
    }

    fn encode(_: &Rsa, signature: Vec<u8>) -> Option<Vec<u8>> {
        Some(signature)
    }

    fn verify(&self, key: &Rsa, digest: Option<&Digest>, input: &[u8], signature: &[u8]) -> Result<bool, Error> {
        let verifier = key.parsed().ok_or_else(|| unsupported("a key of this size"))?;
        Ok(match (digest, self.pss) {
            (Some(digest), true) => (digest.verify_pss)(&verifier, input, signature, self.salt.len(key, digest)),
            (None, true) => {
                return Err(Error::State("PSS needs a digest; set it before verifying"));
            }
            (digest, false) => {
                let prefix = digest.map(|digest| digest.hash.digest_info()).unwrap_or_default().into();
                verifier.verify(Pkcs1v15Sign { hash_len: Some(input.len()), prefix }, input, signature).is_ok()
            }
        })
    }

    fn recover(&self, key: &Rsa, digest: Option<&Digest>, signature: &[u8]) -> Result<Vec<u8>, Error> {
        if self.pss {
            return Err(unsupported("recovering the digest from a PSS signature, which does not contain it"));
        }
        let content = key.block(signature).and_then(|block| Some(unpadded(&block)?.to_vec()));
        let recovered = content.and_then(|content| match digest {
            Some(digest) => {
                let bare = content.strip_prefix(digest.hash.digest_info())?;
                (bare.len() == digest.hash.len()).then(|| bare.to_vec())
            }
            None => Some(content),
        });
        recovered.ok_or_else(|| Error::Parameter("the signature is not one of this key and digest".to_owned()))
    }
}

/// The content of a block of type 1 (EMSA-PKCS1-v1_5, RFC 8017 §9.2).
fn unpadded(block: &[u8]) -> Option<&[u8]> {
    let padded = block.strip_prefix(&[0, 1])?;
    let ones = padded.iter().take_while(|byte| **byte == 0xff).count();
    padded.get(ones..)?.strip_prefix(&[0]).filter(|_| ones >= 8)
}

impl Salt {
    /// In bytes; None where any length will do.
    fn len(self, key: &Rsa, digest: &Digest) -> Option<usize> {
        match self {
            Self::Auto => None,
            Self::Digest => Some(digest.hash.len()),
            // emLen - hLen - 2, RFC 8017 §9.1.1
            Self::Max => Some((key.bits() as usize - 1).div_ceil(8).saturating_sub(digest.hash.len() + 2)),
            Self::Bytes(len) => Some(len),
        }
    }
}

fn pad_mode(given: &Given<'_>) -> Result<bool, Error> {
    let pss = |text: &str| match text {
        "pkcs1" => Some(false),
        "pss" => Some(true),
        _ => None,
    };
    let number = |number| match c_int::try_from(number) {
        Ok(RSA_PKCS1_PADDING) => Some(false),
        Ok(RSA_PKCS1_PSS_PADDING) => Some(true),
        _ => None,
    };
    given
        .text()
        .and_then(pss)
        .or_else(|| number(given.int()?))
        .ok_or_else(|| unsupported("RSA signatures with another padding than pkcs1 and pss"))
}

fn salt(given: &Given<'_>) -> Result<Salt, Error> {
    // OpenSSL 3.1 and later: signing, the shorter one of digest and maximum; verifying, any
    const AUTO_DIGEST_MAX: i64 = -4;
    let number = match given.text() {
        Some("digest") => Some(RSA_PSS_SALTLEN_DIGEST.into()),
        Some("auto") => Some(RSA_PSS_SALTLEN_AUTO.into()),
        Some("max") => Some(RSA_PSS_SALTLEN_MAX.into()),
        Some("auto-digestmax") => Some(AUTO_DIGEST_MAX),
        Some(text) => text.parse().ok(),
        None => given.int(),
    };
    let bad = || Error::Parameter("the PSS salt length is neither digest, auto, max nor a number".to_owned());
    let number = number.ok_or_else(bad)?;
    Ok(match c_int::try_from(number) {
        Ok(RSA_PSS_SALTLEN_DIGEST) => Salt::Digest,
        Ok(RSA_PSS_SALTLEN_AUTO) => Salt::Auto,
        Ok(RSA_PSS_SALTLEN_MAX) => Salt::Max,
        _ if number == AUTO_DIGEST_MAX => Salt::Auto,
        _ => Salt::Bytes(usize::try_from(number).map_err(|_| bad())?),
    })
}

pub(crate) fn unsupported(what: &str) -> Error {
    Error::Unsupported(format!("the parsec provider does not do {what}"))
}

/// RSASSA-PSS-params, RFC 8017 §A.2.3.
#[derive(Sequence)]
struct PssParams {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    hash: AlgorithmIdentifierOwned,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT")]
    mask: AlgorithmIdentifierOwned,
    #[asn1(context_specific = "2", tag_mode = "EXPLICIT")]
    salt_len: u16,
}

/// The AlgorithmIdentifier of a signature to come, as certificates and CMS carry it.
fn algorithm_id(ctx: &Context<Padding>) -> Option<Value> {
    let digest = ctx.digest?;
    let hash = AlgorithmIdentifierOwned { oid: digest.oid, parameters: Some(Any::null()) };
    let identifier = if ctx.scheme.pss {
        let params = PssParams {
            mask: AlgorithmIdentifierOwned { oid: MGF1, parameters: Some(Any::encode_from(&hash).ok()?) },
            hash,
            salt_len: u16::try_from(digest.hash.len()).ok()?,
        };
        AlgorithmIdentifierOwned { oid: RSASSA_PSS, parameters: Some(Any::encode_from(&params).ok()?) }
    } else {
        AlgorithmIdentifierOwned { oid: digest.with_rsa, parameters: Some(Any::null()) }
    };
    identifier.to_der().ok().map(Value::Bytes)
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

    #[test]
    fn a_salt_has_the_length_that_was_asked_for() {
        let key = Rsa { n: [&[0x80][..], &[1; 255]].concat(), e: vec![1, 0, 1] };
        for (salt, len) in
            [(Salt::Auto, None), (Salt::Digest, Some(32)), (Salt::Max, Some(256 - 32 - 2)), (Salt::Bytes(20), Some(20))]
        {
            assert_eq!(salt.len(&key, digest::DEFAULT), len);
        }
    }

    #[test]
    fn what_is_signed_is_what_openssl_means() {
        let padding = Padding::default();
        let info = [Hash::Sha256.digest_info(), &[7; 32]].concat();
        let (algorithm, input) = padding.algorithm(None, &info).unwrap();
        assert_eq!(algorithm, Signature::RsaPkcs1v15 { hash: Hash::Sha256.into() });
        assert_eq!(input, [7; 32]);
        // MD5 and SHA-1 side by side, as TLS 1.0 has it
        let (algorithm, input) = padding.algorithm(None, &[7; 36]).unwrap();
        assert_eq!((algorithm, input.len()), (Signature::RsaPkcs1v15Raw, 36));
        let pss = Padding { pss: true, ..padding };
        assert!(matches!(pss.algorithm(None, &[7; 32]), Err(Error::State(_))));
    }
}
