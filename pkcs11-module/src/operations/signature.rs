//! A signature being made or checked: which mechanism, which key, and the data so far. Nothing is asked of the service before the
//! end, and then once.

use std::sync::Arc;

use cryptoki_sys::{CK_MECHANISM_TYPE, CKH_DETERMINISTIC_REQUIRED};
use interface::algorithm::{Algorithm, Hash, Mac, Signature};
use interface::attributes::{KeyType, Usage};
use interface::client::{self, Caller};
use interface::kind::Parameters;
use subtle::ConstantTimeEq;

use crate::error::{Call, During, Error, Result};
use crate::ffi;
use crate::mechanism::{self, ParameterKind, SignatureScheme, Work, parameters::PKCS1_OVERHEAD};
use crate::objects::object::{KeyObject, Object};
use crate::operations::active::{Keyed, OutputLen};
use interface::hash::Hasher;

/// The longest message, in bytes, that goes to the service whole; a longer one is CKR_DATA_LEN_RANGE. It fits, with 4 KiB for all that
/// stands beside it, into the 1 MiB that a request may have by default.
pub(crate) const MAX_DATA: usize = (1 << 20) - 4096;

/// The longest context of a signature in bytes.
const LONGEST_CONTEXT: usize = 255;
/// The size of Ed448 keys.
const ED448_BITS: u32 = 448;
/// Length of AES-CMAC in bytes.
const CMAC_LEN: usize = 16;

#[derive(Clone)]
pub(crate) struct Signing {
    key: Arc<Object>,
    scheme: SignatureScheme,
    /// The hash that the data is, or will be, a digest of, where the mechanism says so.
    hash: Option<Hash>,
    parameter: Parameter,
    data: Data,
}

/// What the mechanism's parameter says.
#[derive(Clone, Default)]
struct Parameter {
    /// The hash that it names.
    hash: Option<Hash>,
    /// The algorithm, where the parameter leaves one only.
    algorithm: Option<Signature>,
    context: Vec<u8>,
    /// The length that a MAC is cut to, in bytes.
    mac_len: Option<usize>,
}

/// The data so far.
#[derive(Clone)]
enum Data {
    Hashed(Box<Hasher>),
    Whole(Vec<u8>),
}

/// What the service is asked to sign or verify.
struct Request {
    algorithm: Algorithm,
    data: Vec<u8>,
}

impl Signing {
    /// Begins an operation for which the key must permit `usage`.
    pub(crate) fn new(mechanism: &ffi::Mechanism, object: Arc<Object>, usage: Usage) -> Result<Self> {
        let (scheme, hashes) = mechanism::find(mechanism.kind(), |work| match work {
            Work::Sign(scheme, hashes) => Some((scheme, hashes)),
            _ => None,
        })?;
        let key = object.key().ok_or(Error::KeyTypeInconsistent)?;
        key.check_work(Work::Sign(scheme, hashes), usage)?;
        let parameter = Parameter::read(mechanism, scheme, hashes, usage, key.attributes.bits)?;
        let hash = hashes.or(parameter.hash);
        let policy = &key.attributes.policy;
        let permitted = parameter.algorithm.map_or_else(|| scheme.permitted(hash, policy), |own| policy.permits(own.into()));
        if !permitted {
            return Err(Error::MechanismParamInvalid);
        }
        let digests = if parameter.algorithm == Some(Signature::Ed25519ph) { hash } else { hashes };
        let data = match digests {
            Some(hash) if scheme.hashes() => Data::Hashed(Box::new(Hasher::new(hash).ok_or(Error::MechanismInvalid)?)),
            _ => Data::Whole(Vec::new()),
        };
        Ok(Self { key: object, scheme, hash, parameter, data })
    }

    /// The mechanism of its own for a hash that services may forbid new signatures with.
    pub(crate) fn weak(&self) -> Option<CK_MECHANISM_TYPE> {
        let hash = self.hash.filter(|hash| hash.deprecated() && self.scheme.hashes())?;
        mechanism::all().find(|row| row.work == Work::Sign(self.scheme, Some(hash))).map(|row| row.kind)
    }

    /// Takes all the data at once, for the single-part functions.
    pub(crate) fn whole(mut self, data: &[u8]) -> Result<Self> {
        self.data.add(data)?;
        Ok(self)
    }

    /// Takes some of the data.
    pub(crate) fn part(&mut self, data: &[u8]) -> Result<()> {
        self.data.add(data)
    }

    pub(crate) fn sign(self, service: &impl Caller<Error = client::Error>) -> Result<Vec<u8>> {
        let len = self.parameter.mac_len.unwrap_or(usize::MAX);
        let mut signature = self.whole_signature(service)?;
        signature.truncate(len);
        Ok(signature)
    }

    /// The signature, or the MAC at its full length.
    fn whole_signature(self, service: &impl Caller<Error = client::Error>) -> Result<Vec<u8>> {
        let object = self.key.clone();
        let key = object.key().ok_or(Error::KeyHandleInvalid)?;
        let context = self.parameter.context.clone();
        let Request { algorithm, data } = self.request(key)?;
        let signing = algorithm.try_into().map_err(|_| Error::MechanismInvalid)?;
        key.reference().sign(service, signing, data, context).during(if is_mac(algorithm) { Call::Mac } else { Call::Sign })
    }

    pub(crate) fn verify(self, service: &impl Caller<Error = client::Error>, signature: &[u8]) -> Result<()> {
        if signature.len() != self.output_len(0) {
            return Err(Error::SignatureLenRange);
        }
        let object = self.key.clone();
        let key = object.key().ok_or(Error::KeyHandleInvalid)?;
        if self.parameter.mac_len.is_some() {
            return self.verify_cut(service, key, signature);
        }
        let context = self.parameter.context.clone();
        let Request { algorithm, data } = self.request(key)?;
        let signing = algorithm.try_into().map_err(|_| Error::MechanismInvalid)?;
        let verified = key.reference().verify(service, signing, data, context, signature.to_vec());
        verified.during(if is_mac(algorithm) { Call::VerifyMac } else { Call::Verify })
    }

    /// Who may make the MAC may compare any part of it. Who may only verify could find it out byte by byte, if the service compared
    /// any part; so this needs a key that permits just this length.
    fn verify_cut(self, service: &impl Caller<Error = client::Error>, key: &KeyObject, mac: &[u8]) -> Result<()> {
        if key.may(Usage::SIGN) {
            let expected = self.sign(service)?;
            return if expected.ct_eq(mac).into() { Ok(()) } else { Err(Error::SignatureInvalid) };
        }
        let whole = self.scheme.algorithms(self.hash).next();
        let Some(Algorithm::Mac(whole)) = whole else { return Err(Error::MechanismInvalid) };
        let cut = Mac { len: u32::try_from(mac.len()).ok(), ..whole };
        if !key.attributes.policy.permits(cut.into()) {
            return Err(Error::KeyFunctionNotPermitted);
        }
        key.reference().verify(service, cut.into(), self.data.finish(), Vec::new(), mac.to_vec()).during(Call::VerifyMac)
    }

    /// The data is complete: which algorithm, of those that the key permits, signs it?
    fn request(self, key: &KeyObject) -> Result<Request> {
        let permits = |algorithm: Algorithm| key.attributes.policy.permits(algorithm);
        let data = self.data.finish();
        let modulus = key.attributes.bits.div_ceil(8) as usize;
        let (hash, data) = match (self.scheme, self.hash) {
            (SignatureScheme::RsaPkcs1v15, None) if data.len() + PKCS1_OVERHEAD > modulus => return Err(Error::DataLenRange),
            (SignatureScheme::RsaRaw, _) if data.is_empty() || data.len() > modulus => return Err(Error::DataLenRange),
            (SignatureScheme::RsaPkcs1v15, None) => digest_info(data, |signature| permits(signature.into())),
            (SignatureScheme::Ecdsa | SignatureScheme::Dsa, None) if data.is_empty() => return Err(Error::DataLenRange),
            (SignatureScheme::Ecdsa | SignatureScheme::Dsa, None) => {
                // 20 bytes need be no SHA-1, with which services sign no more
                let any = || self.scheme.algorithms(None).any(permits);
                (digest_of(data.len()).filter(|hash| !(hash.deprecated() && any())), data)
            }
            (scheme, Some(hash)) if scheme.needs_hash() && data.len() != hash.len() => {
                return Err(Error::DataLenRange);
            }
            (_, hash) => (hash, data),
        };
        if let Some(own) = self.parameter.algorithm {
            return Ok(Request { algorithm: own.into(), data });
        }
        let mut algorithms = self.scheme.algorithms(hash);
        let algorithm = algorithms.find(|&algorithm| permits(algorithm)).ok_or(Error::DataInvalid)?;
        Ok(Request { algorithm, data })
    }
}

/// Takes apart what CKM_RSA_PKCS is given: a `DigestInfo` becomes its hash and digest, so that the key's policy on hashes
/// holds. Data of another kind, and of hashes that services no longer sign by name, is signed as it is.
fn digest_info(data: Vec<u8>, permits: impl Fn(Signature) -> bool) -> (Option<Hash>, Vec<u8>) {
    let Some((hash, digest)) = Hash::parse_digest_info(&data) else {
        return (None, data);
    };
    let raw = hash.deprecated() && permits(Signature::RsaPkcs1v15Raw);
    if raw || !permits(Signature::RsaPkcs1v15 { hash: hash.into() }) {
        return (None, data);
    }
    (Some(hash), digest.to_vec())
}

impl Parameter {
    /// Of a key with so many bits.
    fn read(mechanism: &ffi::Mechanism, scheme: SignatureScheme, hashes: Option<Hash>, usage: Usage, bits: u32) -> Result<Self> {
        match scheme.parameter() {
            ParameterKind::Pss => Self::pss(mechanism, hashes, bits),
            ParameterKind::Context => Self::context(mechanism, scheme.needs_hash() && hashes.is_none(), usage),
            ParameterKind::Eddsa if mechanism.has_parameter() => Self::eddsa(mechanism, bits == ED448_BITS),
            ParameterKind::Length => Self::cut(mechanism, hashes.map_or(CMAC_LEN, Hash::len)),
            _ if mechanism.has_parameter() => Err(Error::MechanismParamInvalid),
            _ => Ok(Self::default()),
        }
    }

    fn pss(mechanism: &ffi::Mechanism, hashes: Option<Hash>, bits: u32) -> Result<Self> {
        let given = mechanism.pss()?;
        let (hash, mgf) = (mechanism::hash(given.hashAlg), mechanism::mgf_hash(given.mgf));
        let (Some(hash), Some(mgf), Ok(salt_len)) = (hash, mgf, u32::try_from(given.sLen)) else {
            return Err(Error::MechanismParamInvalid);
        };
        // the longest salt: RFC 8017 §9.1.1
        let room = (bits.saturating_sub(1).div_ceil(8) as usize).checked_sub(hash.len() + 2);
        if hashes.is_some_and(|own| own != hash) || room.is_none_or(|room| salt_len as usize > room) {
            return Err(Error::MechanismParamInvalid);
        }
        let usual = mgf == hash && salt_len as usize == hash.len();
        let algorithm = (!usual).then_some(Signature::RsaPssWith { hash, mgf, salt_len });
        Ok(Self { hash: Some(hash), algorithm, ..Self::default() })
    }

    /// No prehash and no context is plain EdDSA, as without a parameter (PKCS#11 3.1 §6.3.15).
    fn eddsa(mechanism: &ffi::Mechanism, ed448: bool) -> Result<Self> {
        let (prehash, context) = mechanism.eddsa()?;
        if context.len() > LONGEST_CONTEXT {
            return Err(Error::MechanismParamInvalid);
        }
        Ok(match (prehash, context.is_empty()) {
            (false, _) if ed448 => Self { context, ..Self::default() },
            (true, _) if ed448 => Self { algorithm: Some(Signature::Ed448ph), context, ..Self::default() },
            (false, true) => Self::default(),
            (false, false) => Self { algorithm: Some(Signature::Ed25519ctx), context, ..Self::default() },
            (true, _) => Self { hash: Some(Hash::Sha512), algorithm: Some(Signature::Ed25519ph), context, ..Self::default() },
        })
    }

    /// Signatures are hedged; a caller who insists on others does not get them. The mechanism may leave the hash to the parameter.
    fn context(mechanism: &ffi::Mechanism, names_hash: bool, usage: Usage) -> Result<Self> {
        let given = mechanism.signing_context(names_hash)?;
        let deterministic = given.hedge == CKH_DETERMINISTIC_REQUIRED && usage == Usage::SIGN;
        if deterministic || given.hedge > CKH_DETERMINISTIC_REQUIRED || given.context.len() > LONGEST_CONTEXT {
            return Err(Error::MechanismParamInvalid);
        }
        let hash = given.hash.map(|kind| mechanism::hash(kind).ok_or(Error::MechanismParamInvalid)).transpose()?;
        Ok(Self { hash, context: given.context, ..Self::default() })
    }

    fn cut(mechanism: &ffi::Mechanism, full: usize) -> Result<Self> {
        let len = usize::try_from(mechanism.mac_len()?).ok().filter(|len| (1..=full).contains(len));
        Ok(Self { mac_len: Some(len.ok_or(Error::MechanismParamInvalid)?), ..Self::default() })
    }
}

/// The hash that digests of this length most likely come from, for keys whose policy names one.
fn digest_of(len: usize) -> Option<Hash> {
    let likely = [Hash::Sha256, Hash::Sha384, Hash::Sha512, Hash::Sha224, Hash::Sha1];
    likely.into_iter().find(|hash| hash.len() == len)
}

fn is_mac(algorithm: Algorithm) -> bool {
    matches!(algorithm, Algorithm::Mac(_))
}

impl Keyed for Signing {
    fn object(&self) -> Option<&Object> {
        Some(&self.key)
    }
}

impl OutputLen for Signing {
    /// Length of the signature in bytes.
    fn output_len(&self, _: usize) -> usize {
        let Some(key) = self.key.key() else { return 0 };
        let bytes = key.attributes.bits.div_ceil(8) as usize;
        match key.attributes.key_type.public() {
            _ if self.parameter.mac_len.is_some() => self.parameter.mac_len.unwrap_or_default(),
            _ if self.scheme == SignatureScheme::Cmac => CMAC_LEN,
            KeyType::Hmac => self.hash.map_or(0, Hash::len),
            KeyType::RsaPublicKey => bytes,
            KeyType::DsaPublicKey => 2 * key.group().and_then(|group| group.subprime).map_or(0, |subprime| subprime.len()),
            key_type => Parameters::of(key_type, key.attributes.bits).map_or(0, |named| named.output_len),
        }
    }
}

impl Data {
    fn add(&mut self, data: &[u8]) -> Result<()> {
        match self {
            Self::Hashed(hasher) => hasher.update(data),
            Self::Whole(have) if have.len() + data.len() > MAX_DATA => {
                return Err(Error::DataLenRange);
            }
            Self::Whole(have) => have.extend_from_slice(data),
        }
        Ok(())
    }

    fn finish(self) -> Vec<u8> {
        match self {
            Self::Hashed(hasher) => hasher.finish(),
            Self::Whole(data) => data,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::object::tests::pair;
    use cryptoki_sys::*;
    use interface::algorithm::SignHash as Any;
    use interface::attributes::EccFamily;
    use interface::attributes::Policy;
    use interface::policy::Job;

    fn object(key_type: KeyType, bits: u32, policy: Policy) -> Arc<Object> {
        Arc::new(Object { class: CKO_PRIVATE_KEY, record: Arc::new(pair(key_type, bits, &[4; 65], policy)) })
    }

    fn rsa() -> Arc<Object> {
        let policy = Job::Sign.policy(KeyType::RsaKeyPair).unwrap();
        object(KeyType::RsaKeyPair, 2048, Policy { usage: Usage::SIGN, ..policy })
    }

    fn ec(algorithm: Signature) -> Arc<Object> {
        let policy = Policy { usage: Usage::SIGN, algorithm: algorithm.into(), also: vec![] };
        object(KeyType::EccKeyPair(EccFamily::SecpR1), 256, policy)
    }

    fn plain(kind: CK_MECHANISM_TYPE) -> CK_MECHANISM {
        CK_MECHANISM { mechanism: kind, pParameter: std::ptr::null_mut(), ulParameterLen: 0 }
    }

    fn begin(mechanism: &CK_MECHANISM, key: Arc<Object>) -> Result<Signing> {
        // SAFETY: the mechanism and its parameter are alive.
        Signing::new(&unsafe { ffi::Mechanism::read(mechanism) }?, key, Usage::SIGN)
    }

    fn asked(signing: Signing, data: &[u8]) -> Result<(Signature, Vec<u8>)> {
        let signing = signing.whole(data)?;
        let object = signing.key.clone();
        signing.request(object.key().unwrap()).map(|request| (request.algorithm.try_into().unwrap(), request.data))
    }

    #[test]
    fn digest_infos_are_taken_apart_and_other_data_is_signed_raw() {
        let digest = [7; 32];
        let info = [Hash::Sha256.digest_info(), &digest].concat();
        let signing = begin(&plain(CKM_RSA_PKCS), rsa()).unwrap();
        assert_eq!(signing.output_len(0), 256);
        let sha256 = Signature::RsaPkcs1v15 { hash: Hash::Sha256.into() };
        assert_eq!(asked(signing, &info).unwrap(), (sha256, digest.to_vec()));
        let signing = begin(&plain(CKM_RSA_PKCS), rsa()).unwrap();
        let raw = (Signature::RsaPkcs1v15Raw, b"raw".to_vec());
        assert_eq!(asked(signing, b"raw").unwrap(), raw);
    }

    #[test]
    fn hashing_mechanisms_hash_here() {
        let signing = begin(&plain(CKM_SHA384_RSA_PKCS), rsa()).unwrap();
        let (algorithm, data) = asked(signing, b"abc").unwrap();
        assert_eq!(algorithm, Signature::RsaPkcs1v15 { hash: Hash::Sha384.into() });
        assert_eq!(data[..4], [0xcb, 0x00, 0x75, 0x3f]);
    }

    #[test]
    fn ecdsa_takes_what_the_policy_permits() {
        let sha256 = Signature::Ecdsa { hash: Hash::Sha256.into() };
        for (policy, chosen) in [
            (sha256, Some(sha256)),
            (Signature::Ecdsa { hash: Any::Any }, Some(sha256)),
            (Signature::EcdsaAny, Some(Signature::EcdsaAny)),
            (Signature::Ecdsa { hash: Hash::Sha512.into() }, None),
        ] {
            let signing = begin(&plain(CKM_ECDSA), ec(policy)).unwrap();
            assert_eq!(signing.output_len(0), 64);
            let algorithm = asked(signing, &[1; 32]).ok().map(|(algorithm, _)| algorithm);
            assert_eq!(algorithm, chosen);
        }
    }

    #[test]
    fn ecdsa_takes_digests_of_any_length() {
        let sha1 = Signature::Ecdsa { hash: Hash::Sha1.into() };
        let policy = Policy {
            usage: Usage::SIGN,
            algorithm: Signature::Ecdsa { hash: Any::Any }.into(),
            also: vec![Signature::EcdsaAny.into()],
        };
        let both = object(KeyType::EccKeyPair(EccFamily::SecpR1), 256, policy);
        for len in [1, 19, 20, 21, 33, 65, 1000] {
            let (algorithm, data) = asked(begin(&plain(CKM_ECDSA), both.clone()).unwrap(), &vec![1; len]).unwrap();
            assert_eq!((algorithm, data.len()), (Signature::EcdsaAny, len));
        }
        // a key that names the hash is the one for it
        let (algorithm, _) = asked(begin(&plain(CKM_ECDSA), ec(sha1)).unwrap(), &[1; 20]).unwrap();
        assert_eq!(algorithm, sha1);
    }

    #[test]
    fn pss_takes_any_salt_and_hash() {
        let begin_with = |params: CK_RSA_PKCS_PSS_PARAMS| {
            let mechanism = CK_MECHANISM {
                mechanism: CKM_RSA_PKCS_PSS,
                pParameter: (&raw const params).cast_mut().cast(),
                ulParameterLen: size_of_val(&params) as CK_ULONG,
            };
            begin(&mechanism, rsa())
        };
        let params = CK_RSA_PKCS_PSS_PARAMS { hashAlg: CKM_SHA256, mgf: CKG_MGF1_SHA256, sLen: 32 };
        let signing = begin_with(params).unwrap();
        assert!(matches!(asked(signing, &[1; 31]), Err(Error::DataLenRange)));
        let (algorithm, _) = asked(begin_with(params).unwrap(), &[1; 32]).unwrap();
        assert_eq!(algorithm, Signature::RsaPss { hash: Hash::Sha256.into() });
        let other = CK_RSA_PKCS_PSS_PARAMS { sLen: 20, mgf: CKG_MGF1_SHA1, ..params };
        let (algorithm, _) = asked(begin_with(other).unwrap(), &[1; 32]).unwrap();
        assert_eq!(algorithm, Signature::RsaPssWith { hash: Hash::Sha256, mgf: Hash::Sha1, salt_len: 20 });
        for wrong in [
            CK_RSA_PKCS_PSS_PARAMS { sLen: CK_ULONG::MAX, ..params },
            CK_RSA_PKCS_PSS_PARAMS { mgf: 99, ..params },
            CK_RSA_PKCS_PSS_PARAMS { hashAlg: CKM_RSA_PKCS, ..params },
        ] {
            assert!(matches!(begin_with(wrong), Err(Error::MechanismParamInvalid)));
        }
        assert!(begin(&plain(CKM_RSA_PKCS_PSS), rsa()).is_err());
    }

    #[test]
    fn keys_and_mechanisms_must_fit() {
        let key = ec(Signature::EcdsaAny);
        let wrong_type = begin(&plain(CKM_RSA_PKCS), key.clone());
        assert!(matches!(wrong_type, Err(Error::KeyTypeInconsistent)));
        assert!(matches!(begin(&plain(CKM_SHA256), key), Err(Error::MechanismInvalid)));
        let policy = Job::Sign.policy(KeyType::RsaKeyPair).unwrap();
        let verify_only = object(KeyType::RsaKeyPair, 2048, Policy { usage: Usage::VERIFY, ..policy });
        let refused = begin(&plain(CKM_RSA_PKCS), verify_only);
        assert!(matches!(refused, Err(Error::KeyFunctionNotPermitted)));
    }
}
