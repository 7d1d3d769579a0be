//! RSA signatures: PKCS#1 v1.5, PSS, and those of what the caller has padded.

use std::ffi::{CStr, CString, c_int};

use interface::{
    algorithm::{Hash, Signature},
    attributes::KeyType,
    pss::Pss,
};
use rsa::Pkcs1v15Sign;

use super::{RsaKey, encoding::Digests, unsupported};
use crate::{
    digest::{self, Digest},
    error::Error,
    ffi::{
        params::{Field, Given, Setting, Type, Value, field, gettable, settable, setting},
        *,
    },
    signature::{self, Context, Scheme},
};

/// RSA_PSS_SALTLEN_AUTO_DIGEST_MAX of OpenSSL 3.1 and later: signing, the shorter one of digest and maximum; verifying, any.
const AUTO_DIGEST_MAX: c_int = -4;

/// How the signatures of a key are padded.
#[derive(Clone)]
pub(crate) struct Padding<const PSS: bool> {
    mode: Mode,
    salt: Salt,
    /// The digest of MGF1 where one was set, and the name that it was given.
    mgf1: Option<(&'static Digest, CString)>,
}

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Pkcs1,
    Pss,
    /// By the caller.
    None,
}

impl Mode {
    /// Each as a number and by name.
    const NAMES: [(Self, c_int, &'static CStr); 3] = [
        (Self::Pkcs1, RSA_PKCS1_PADDING, OSSL_PKEY_RSA_PAD_MODE_PKCSV15),
        (Self::Pss, RSA_PKCS1_PSS_PADDING, OSSL_PKEY_RSA_PAD_MODE_PSS),
        (Self::None, RSA_NO_PADDING, OSSL_PKEY_RSA_PAD_MODE_NONE),
    ];

    fn given(given: &Given<'_>) -> Option<Self> {
        let text = given.text();
        let found = Self::NAMES.into_iter().find(|(_, number, name)| match text {
            Some(text) => name.to_str() == Ok(text),
            None => given.int() == Some((*number).into()),
        });
        Some(found?.0)
    }

    fn value(self) -> Option<Value<'static>> {
        let found = Self::NAMES.into_iter().find(|(mode, ..)| *mode == self);
        found.map(|(_, number, name)| Value::Named(number, name))
    }
}

impl<const PSS: bool> Default for Padding<PSS> {
    fn default() -> Self {
        Self { mode: if PSS { Mode::Pss } else { Mode::Pkcs1 }, salt: Salt::Auto, mgf1: None }
    }
}

/// The length of a PSS salt.
#[derive(Clone, Copy, Default, PartialEq)]
enum Salt {
    /// Signing: as long as the digest, which everyone takes, or the modulus has room for. Verifying: any.
    #[default]
    Auto,
    /// Likewise, by the name that OpenSSL 3.1 gave to that.
    AutoDigestMax,
    /// As long as the digest.
    Digest,
    /// As long as the modulus has room for.
    Max,
    Bytes(usize),
}

impl<const PSS: bool> Scheme for Padding<PSS> {
    type Kind = RsaKey<PSS>;
    const RECOVERS: bool = !PSS;

    fn of(key: &RsaKey<PSS>) -> (Self, Option<&'static Digest>) {
        let Some(only) = key.only else { return Default::default() };
        let (digest, mgf1) = (Digest::computing(only.hash), Digest::computing(only.mgf));
        let mgf1 = mgf1.map(|digest| (digest, digest.canonical.to_owned()));
        (Self { salt: Salt::Bytes(only.salt_len as usize), mgf1, ..Self::default() }, digest)
    }

    const FIELDS: &'static [Field<Context<Self>>] = &[
        field(OSSL_SIGNATURE_PARAM_ALGORITHM_ID, Type::Bytes, algorithm_id),
        field(OSSL_SIGNATURE_PARAM_PAD_MODE, Type::Text, |ctx| ctx.scheme.mode.value()),
        field(OSSL_SIGNATURE_PARAM_DIGEST, Type::Text, |ctx| ctx.digest_name().map(Value::Text)),
        field(OSSL_SIGNATURE_PARAM_MGF1_DIGEST, Type::Text, |ctx| match &ctx.scheme.mgf1 {
            Some((_, name)) => Some(Value::Text(name)),
            None => ctx.digest_name().map(Value::Text),
        }),
        field(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, Type::Text, |ctx| match ctx.scheme.salt {
            Salt::Auto => Some(Value::Named(RSA_PSS_SALTLEN_AUTO, OSSL_PKEY_RSA_PSS_SALT_LEN_AUTO)),
            Salt::Digest => Some(Value::Named(RSA_PSS_SALTLEN_DIGEST, OSSL_PKEY_RSA_PSS_SALT_LEN_DIGEST)),
            Salt::Max => Some(Value::Named(RSA_PSS_SALTLEN_MAX, OSSL_PKEY_RSA_PSS_SALT_LEN_MAX)),
            Salt::AutoDigestMax => Some(Value::Named(AUTO_DIGEST_MAX, c"auto-digestmax")),
            Salt::Bytes(len) => i64::try_from(len).ok().map(Value::Digits),
        }),
    ];
    const GETTABLE: &'static [Param] = &gettable::<_, 6>(Self::FIELDS);
    const SETTINGS: &'static [Setting<Context<Self>>] = &[
        setting(OSSL_SIGNATURE_PARAM_DIGEST, Type::Text, Context::set_digest),
        setting(OSSL_SIGNATURE_PARAM_PAD_MODE, Type::Text, |ctx, given| {
            let other = || unsupported("RSA signatures with another padding than pkcs1, pss and none");
            let mode = Mode::given(given).ok_or_else(other)?;
            if PSS && mode != Mode::Pss {
                return Err(unsupported("another padding than pss with a key for PSS alone"));
            }
            ctx.scheme.mode = mode;
            Ok(())
        }),
        setting(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, Type::Text, |ctx, given| {
            ctx.scheme.check_pss()?;
            ctx.scheme.salt = salt(given)?;
            Ok(())
        }),
        setting(OSSL_SIGNATURE_PARAM_MGF1_DIGEST, Type::Text, |ctx, given| {
            ctx.scheme.check_pss()?;
            ctx.scheme.mgf1 = Some(digest::called(given.text().unwrap_or_default())?);
            Ok(())
        }),
    ];
    const SETTABLE: &'static [Param] = &settable::<_, 5>(Self::SETTINGS);

    fn check(&self, key: &RsaKey<PSS>, digest: Option<&'static Digest>) -> Result<(), Error> {
        if self.mode == Mode::None && digest.is_some() {
            return Err(unsupported("a digest without a padding around it"));
        }
        let Some(digest) = digest.filter(|_| self.mode == Mode::Pss) else {
            return Ok(());
        };
        if let Some(only) = key.only {
            let asked = parameters(self.digests(digest), self.salt.len(key, digest));
            if (asked.hash, asked.mgf) != (only.hash, only.mgf) || asked.salt_len < only.salt_len {
                let permitted =
                    format!("{:?}, MGF1 with {:?} and a salt of {} bytes or more", only.hash, only.mgf, only.salt_len);
                return Err(Error::Parameter(format!("the key permits PSS with {permitted}, and nothing else")));
            }
        }
        let room = room(key, digest).ok_or_else(|| unsupported("PSS with a digest too long for the key"))?;
        match self.salt {
            Salt::Digest if digest.hash.len() > room => {
                Err(unsupported("PSS with a salt as long as the digest: the key is too short"))
            }
            Salt::Bytes(len) if len > room => {
                Err(unsupported(&format!("a PSS salt of {len} bytes: with this key and digest there is room for {room}")))
            }
            _ => Ok(()),
        }
    }

    fn exceptional(&self) -> Option<Signature> {
        (self.mode == Mode::None).then_some(Signature::RsaRaw)
    }

    fn algorithm<'a>(
        &self,
        key: &RsaKey<PSS>,
        digest: Option<&'static Digest>,
        input: &'a [u8],
    ) -> Result<(Signature, &'a [u8]), Error> {
        match (self.mode, digest) {
            (Mode::Pss, Some(digest)) => Ok((parameters(self.digests(digest), self.salt.len(key, digest)).signature(), input)),
            (Mode::Pss, None) => Err(Error::State("PSS needs a digest; set it before signing")),
            (Mode::Pkcs1, Some(digest)) => Ok((Signature::RsaPkcs1v15 { hash: digest.hash.into() }, input)),
            // a whole DigestInfo, or whatever the caller has in its place
            (Mode::Pkcs1, None) => Ok(match Hash::parse_digest_info(input) {
                Some((hash, digest)) if !hash.deprecated() => (Signature::RsaPkcs1v15 { hash: hash.into() }, digest),
                _ => (Signature::RsaPkcs1v15Raw, input),
            }),
            (Mode::None, _) => Ok((Signature::RsaRaw, input)),
        }
    }

    fn max_len(key: &RsaKey<PSS>) -> usize {
        key.len()
    }

    fn encode(_: &RsaKey<PSS>, signature: Vec<u8>) -> Option<Vec<u8>> {
        Some(signature)
    }

    fn verify(&self, key: &RsaKey<PSS>, digest: Option<&'static Digest>, input: &[u8], signature: &[u8]) -> Result<bool, Error> {
        let verifier = key.parsed().ok_or_else(|| unsupported("a key of this size"))?;
        Ok(match (self.mode, digest) {
            (Mode::Pss, Some(digest)) => {
                let any = matches!(self.salt, Salt::Auto | Salt::AutoDigestMax);
                let salt_len = (!any).then(|| self.salt.len(key, digest));
                key.block(signature).is_some_and(|block| self.digests(digest).pss(input, &block, key.bits(), salt_len))
            }
            (Mode::Pss, None) => {
                return Err(Error::State("PSS needs a digest; set it before verifying"));
            }
            (Mode::Pkcs1, digest) => {
                let prefix = digest.map(|digest| digest.hash.digest_info()).unwrap_or_default().into();
                verifier.verify(Pkcs1v15Sign { hash_len: Some(input.len()), prefix }, input, signature).is_ok()
            }
            (Mode::None, _) => key.block(signature).is_some_and(|block| block == input),
        })
    }

    fn recover(&self, key: &RsaKey<PSS>, digest: Option<&Digest>, signature: &[u8]) -> Result<Vec<u8>, Error> {
        let content = key.block(signature).and_then(|block| match self.mode {
            Mode::Pkcs1 => Some(unpadded(&block)?.to_vec()),
            Mode::None => Some(block),
            Mode::Pss => None,
        });
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

impl<const PSS: bool> Padding<PSS> {
    /// Those of PSS for a message with this digest.
    fn digests(&self, own: &'static Digest) -> Digests {
        Digests { own, mgf1: self.mgf1.as_ref().map_or(own, |(digest, _)| digest) }
    }

    /// Refuses what other paddings have not.
    fn check_pss(&self) -> Result<(), Error> {
        let other = || Error::Parameter("set the padding pss before what belongs to it".to_owned());
        if self.mode == Mode::Pss { Ok(()) } else { Err(other()) }
    }
}

/// The content of a block of type 1 (EMSA-PKCS1-v1_5, RFC 8017 §9.2).
fn unpadded(block: &[u8]) -> Option<&[u8]> {
    let padded = block.strip_prefix(&[0, 1])?;
    let ones = padded.iter().take_while(|byte| **byte == 0xff).count();
    padded.get(ones..)?.strip_prefix(&[0]).filter(|_| ones >= 8)
}

impl Salt {
    /// In bytes, of a signature to come.
    fn len<const PSS: bool>(self, key: &RsaKey<PSS>, digest: &Digest) -> usize {
        let room = room(key, digest).unwrap_or_default();
        match self {
            Self::Auto | Self::AutoDigestMax => digest.hash.len().min(room),
            Self::Digest => digest.hash.len(),
            Self::Max => room,
            Self::Bytes(len) => len,
        }
    }
}

/// The length of the longest PSS salt: emLen - hLen - 2, RFC 8017 §9.1.1.
fn room<const PSS: bool>(key: &RsaKey<PSS>, digest: &Digest) -> Option<usize> {
    (key.bits() as usize).saturating_sub(1).div_ceil(8).checked_sub(digest.hash.len() + 2)
}

/// Those of PSS with these digests and a salt of this length.
fn parameters(Digests { own, mgf1 }: Digests, salt_len: usize) -> Pss {
    Pss { hash: own.hash, mgf: mgf1.hash, salt_len: u32::try_from(salt_len).unwrap_or(u32::MAX) }
}

fn salt(given: &Given<'_>) -> Result<Salt, Error> {
    let number = match given.text() {
        Some("digest") => Some(RSA_PSS_SALTLEN_DIGEST.into()),
        Some("auto") => Some(RSA_PSS_SALTLEN_AUTO.into()),
        Some("max") => Some(RSA_PSS_SALTLEN_MAX.into()),
        Some("auto-digestmax") => Some(AUTO_DIGEST_MAX.into()),
        Some(text) => text.parse().ok(),
        None => given.int(),
    };
    let bad = || Error::Parameter("the PSS salt length is neither digest, auto, max nor a number".to_owned());
    let number = number.ok_or_else(bad)?;
    Ok(match c_int::try_from(number) {
        Ok(RSA_PSS_SALTLEN_DIGEST) => Salt::Digest,
        Ok(RSA_PSS_SALTLEN_AUTO) => Salt::Auto,
        Ok(RSA_PSS_SALTLEN_MAX) => Salt::Max,
        Ok(AUTO_DIGEST_MAX) => Salt::AutoDigestMax,
        _ => Salt::Bytes(usize::try_from(number).map_err(|_| bad())?),
    })
}

fn algorithm_id<const PSS: bool>(ctx: &Context<Padding<PSS>>) -> Option<Value<'_>> {
    let digest = ctx.digest?;
    let signature = if ctx.scheme.mode == Mode::Pss {
        parameters(ctx.scheme.digests(digest), ctx.scheme.salt.len(ctx.public().ok()?, digest)).signature()
    } else {
        Signature::RsaPkcs1v15 { hash: digest.hash.into() }
    };
    signature::algorithm_id(signature, KeyType::RsaPublicKey, 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest;

    #[test]
    fn a_salt_has_the_length_that_was_asked_for() {
        let key = |bytes: usize| RsaKey::<false> { n: [&[0x80][..], &vec![1; bytes - 1]].concat(), e: vec![1, 0, 1], only: None };
        for (salt, len) in [(Salt::Auto, 32), (Salt::Digest, 32), (Salt::Max, 256 - 32 - 2), (Salt::Bytes(20), 20)] {
            assert_eq!(salt.len(&key(256), digest::DEFAULT), len);
        }
        assert_eq!(Salt::Auto.len(&key(64), digest::DEFAULT), 30, "less than the digest has");
        let padding = |salt| Padding::<false> { mode: Mode::Pss, salt, mgf1: None };
        let check = |salt, bytes| padding(salt).check(&key(bytes), Some(digest::DEFAULT)).is_ok();
        assert!(check(Salt::Bytes(222), 256) && !check(Salt::Bytes(223), 256));
        assert!(check(Salt::Auto, 64) && check(Salt::Max, 34) && !check(Salt::Max, 33) && !check(Salt::Digest, 64));
    }

    #[test]
    fn what_is_signed_is_what_openssl_means() {
        let (padding, key) = (Padding::<false>::default(), RsaKey { n: vec![0x80; 256], e: vec![1, 0, 1], only: None });
        let info = [Hash::Sha256.digest_info(), &[7; 32]].concat();
        let (algorithm, input) = padding.algorithm(&key, None, &info).unwrap();
        assert_eq!(algorithm, Signature::RsaPkcs1v15 { hash: Hash::Sha256.into() });
        assert_eq!(input, [7; 32]);
        // MD5 and SHA-1 side by side, as TLS 1.0 has it
        let (algorithm, input) = padding.algorithm(&key, None, &[7; 36]).unwrap();
        assert_eq!((algorithm, input.len()), (Signature::RsaPkcs1v15Raw, 36));
        let pss = Padding { mode: Mode::Pss, ..padding };
        assert!(matches!(pss.algorithm(&key, None, &[7; 32]), Err(Error::State(_))));
    }
}
