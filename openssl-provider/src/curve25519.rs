//! Keys on Curve25519: Ed25519, with its signatures (RFC 8032), and X25519 (RFC 7748).
//!
//! EdDSA hashes the message twice, with the private key in between, so the whole message goes to the service.

use std::ffi::{CStr, c_int};

use curve25519_dalek::MontgomeryPoint;
use ed25519_dalek::VerifyingKey;
use interface::{
    algorithm::Signature,
    attributes::{EccFamily, KeyType},
    spki::PublicKey,
};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::{
    digest::Digest,
    error::Error,
    exchange::Exchange,
    ffi::{
        params::{Field, Params, Setting, Type, Value, field, gettable, settable, setting},
        *,
    },
    kind::{Kind, Public, Secret},
    options::{self, OTHERS, Options},
    signature::{self, Context, Scheme},
};

/// As the service counts.
const BITS: u32 = 255;
/// Bytes of a public key, of a private one, and of a secret agreed on.
const LEN: usize = 32;
const SIGNATURE_LEN: usize = ed25519_dalek::SIGNATURE_LENGTH;

/// A public key: to verify with, the point as RFC 8032 encodes it, or to agree with, the coordinate u as RFC 7748 does.
/// None of a key that is still to be made.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Curve25519<const SIGNS: bool>(Option<[u8; LEN]>);

pub(crate) type Ed25519 = Curve25519<true>;
pub(crate) type X25519 = Curve25519<false>;

static OPTIONS: [Setting<Options>; 4] = [
    options::NAME,
    options::PROVIDER,
    options::USAGE,
    // there is no other, and TLS names it all the same
    setting(OSSL_PKEY_PARAM_GROUP_NAME, Type::Text, |_, given| match given.text() {
        Some(name) if name.eq_ignore_ascii_case("X25519") => Ok(()),
        name => Err(Error::Unsupported(format!("the group {:?} is not X25519; {OTHERS}", name.unwrap_or_default()))),
    }),
];

impl<const SIGNS: bool> Kind for Curve25519<SIGNS> {
    const NAME: &'static CStr = if SIGNS { c"ED25519" } else { c"X25519" };
    const FIELDS: &'static [Field<Self>] = &[
        field(OSSL_PKEY_PARAM_PUB_KEY, Type::Bytes, |key| Some(Value::Bytes(key.0?.to_vec()))),
        field(OSSL_PKEY_PARAM_BITS, Type::Int, |_| Some(Value::Int(if SIGNS { 256 } else { 253 }))),
        field(OSSL_PKEY_PARAM_SECURITY_BITS, Type::Int, |_| Some(Value::Int(128))),
        field(OSSL_PKEY_PARAM_MAX_SIZE, Type::Int, |_| {
            i64::try_from(if SIGNS { SIGNATURE_LEN } else { LEN }).ok().map(Value::Int)
        }),
        if SIGNS {
            // none, and no other is taken
            field(OSSL_PKEY_PARAM_MANDATORY_DIGEST, Type::Text, |_| Some(Value::Text(c"")))
        } else {
            field(OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, Type::Bytes, |key| Some(Value::Bytes(key.0?.to_vec())))
        },
    ];
    const GETTABLE: &'static [Param] = &gettable::<_, 6>(Self::FIELDS);
    const PUBLIC: &'static [Param] = &gettable::<_, 2>(Self::FIELDS);
    const PRIVATE: &'static CStr = OSSL_PKEY_PARAM_PRIV_KEY;
    const EMPTY: bool = true;
    const AGREES_ALONE: bool = !SIGNS;
    const SETTABLE: &'static [Param] =
        if SIGNS { &[Param::END] } else { &[Param::describe(OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, Type::Bytes), Param::END] };

    const NEW: KeyType = KeyType::EccKeyPair(if SIGNS { EccFamily::TwistedEdwards } else { EccFamily::Montgomery });
    const BITS: Option<u32> = Some(BITS);
    const OPTIONS: &'static [Setting<Options>] = &OPTIONS;
    const OPTIONS_SETTABLE: &'static [Param] = &settable::<_, 5>(&OPTIONS);

    fn of(Public { key, .. }: &Public) -> Option<Self> {
        (key.key_type == Self::NEW.public()).then(|| Self::new(&key.bytes))?
    }

    fn spki(&self) -> Option<Vec<u8>> {
        PublicKey { key_type: Self::NEW.public(), bits: BITS, bytes: self.0?.to_vec() }.to_spki()
    }

    fn import(params: Params<'_>) -> Option<Self> {
        Self::new(params.find(OSSL_PKEY_PARAM_PUB_KEY)?.bytes()?)
    }

    fn completed(_: Option<&Self>, params: Params<'_>) -> Option<Self> {
        Self::new(params.find(OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY)?.bytes()?)
    }

    fn complete(&self) -> bool {
        self.0.is_some()
    }

    fn blank(_: u32) -> Option<Self> {
        (!SIGNS).then_some(Self(None))
    }

    fn ephemeral(&self) -> Option<(Self, Secret)> {
        let mut secret = Zeroizing::new(vec![0; LEN]);
        getrandom::fill(&mut secret).ok().filter(|()| !SIGNS)?;
        let public = MontgomeryPoint::mul_base_clamped(secret.as_slice().try_into().ok()?);
        Some((Self(Some(public.to_bytes())), secret))
    }

    /// Every string of 32 bytes is a key to agree with, RFC 7748 §5.
    fn valid(&self) -> bool {
        !SIGNS || self.verifying().is_some()
    }

    fn operation(_: c_int) -> &'static CStr {
        Self::NAME
    }
}

impl<const SIGNS: bool> Curve25519<SIGNS> {
    /// Those of curve 448 are longer.
    fn new(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(|bytes| Self(Some(bytes)))
    }

    fn verifying(&self) -> Option<VerifyingKey> {
        VerifyingKey::from_bytes(self.0.as_ref()?).ok()
    }
}

impl Exchange for X25519 {
    fn encoded(&self) -> &[u8] {
        self.0.as_ref().map_or(&[], |point| point.as_slice())
    }

    fn secret_len(&self) -> usize {
        LEN
    }

    /// A peer without a part in the secret is refused, RFC 7748 §6.1.
    fn agree(&self, ephemeral: &Secret) -> Option<Secret> {
        let shared = MontgomeryPoint(self.0?).mul_clamped(ephemeral.as_slice().try_into().ok()?);
        let shared = Zeroizing::new(shared.to_bytes().to_vec());
        (!bool::from(shared.as_slice().ct_eq(&[0; LEN]))).then_some(shared)
    }
}

/// EdDSA without prehash; it has nothing to set.
#[derive(Clone, Default)]
pub(crate) struct PureEddsa;

static EDDSA: [Field<Context<PureEddsa>>; 1] = [field(OSSL_SIGNATURE_PARAM_ALGORITHM_ID, Type::Bytes, |_| {
    signature::algorithm_id(Signature::PureEddsa, Ed25519::NEW, BITS)
})];

impl Scheme for PureEddsa {
    type Kind = Ed25519;
    const HASHES: bool = false;
    const FIELDS: &'static [Field<Context<Self>>] = &EDDSA;
    const GETTABLE: &'static [Param] = &gettable::<_, 2>(&EDDSA);
    const SETTINGS: &'static [Setting<Context<Self>>] = &[];
    const SETTABLE: &'static [Param] = &[Param::END];

    fn algorithm<'a>(&self, _: &Ed25519, _: Option<&'static Digest>, input: &'a [u8]) -> Result<(Signature, &'a [u8]), Error> {
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
        let right = |signature| key.verifying()?.verify_strict(input, &signature).ok();
        Ok(signature.ok().and_then(right).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ephemeral_keys_agree_with_each_other_and_with_no_peer_that_has_no_part() {
        let [(one, secret), (other, others)] = [X25519::blank(BITS); 2].map(|blank| blank.unwrap().ephemeral().unwrap());
        assert!(one != other && secret != others);
        assert!(other.agree(&secret).is_some_and(|shared| Some(shared) == one.agree(&others)));
        assert!(X25519::new(&[0; LEN]).unwrap().agree(&secret).is_none());
        assert!(Ed25519::blank(BITS).is_none());
    }
}
