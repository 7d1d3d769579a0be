//! A signature being made or checked: which mechanism, which key, and the data so far. Nothing is asked of the service before the
//! end, and then once.

use std::sync::Arc;

use cryptoki_sys::CK_ULONG;
use interface::algorithm::{Algorithm, Hash, Signature};
use interface::attributes::{KeyType, Usage};
use interface::operations::{SignHash, SignMessage, VerifyHash, VerifyMessage};
use interface::{Status, client};

use crate::error::{Error, Result};
use crate::ffi;
use crate::hash::Hasher;
use crate::mechanism::{self, Family, Scheme, Work};
use crate::module::Module;
use crate::object::{Key, Object};
use crate::session::OutputLen;

/// The longest message that is kept for a mechanism that cannot hash it first, in bytes.
const MAX_MESSAGE: usize = 1 << 20;

pub(crate) struct Signing {
    key: Arc<Object>,
    scheme: Scheme,
    /// The hash that the data is, or will be, a digest of, where the mechanism says so.
    hash: Option<Hash>,
    data: Data,
    /// Data has come in parts, so that it also ends in parts.
    parts: bool,
}

/// The data so far.
enum Data {
    Hashed(Hasher),
    Whole(Vec<u8>),
}

/// What the service is asked to sign or verify.
struct Request {
    algorithm: Signature,
    data: Vec<u8>,
}

impl Signing {
    /// Begins an operation for which the key must permit `usage`.
    pub(crate) fn new(
        mechanism: &ffi::Mechanism,
        object: Arc<Object>,
        usage: Usage,
    ) -> Result<Self> {
        let Work::Sign(scheme, hashes) = mechanism::find(mechanism.kind())?.work else {
            return Err(Error::MechanismInvalid);
        };
        let hash = match scheme {
            Scheme::RsaPss => Some(pss_hash(mechanism, hashes)?),
            _ if mechanism.has_parameter() => return Err(Error::MechanismParamInvalid),
            _ => hashes,
        };
        let key = object.key().ok_or(Error::KeyTypeInconsistent)?;
        if Family::of(key.attributes.key_type) != Some(scheme.family()) {
            return Err(Error::KeyTypeInconsistent);
        }
        if key.usage.and(usage).is_empty() || !scheme.permitted(hash, &key.attributes.policy) {
            return Err(Error::KeyFunctionNotPermitted);
        }
        let data = match hashes {
            Some(hash) => Data::Hashed(Hasher::new(hash).ok_or(Error::MechanismInvalid)?),
            None => Data::Whole(Vec::new()),
        };
        Ok(Self {
            key: object,
            scheme,
            hash,
            data,
            parts: false,
        })
    }

    /// Takes all the data at once, for the single-part functions.
    pub(crate) fn whole(mut self, data: &[u8]) -> Result<Self> {
        if self.parts {
            return Err(Error::OperationActive);
        }
        self.data.add(data)?;
        Ok(self)
    }

    /// Takes some of the data.
    pub(crate) fn part(&mut self, data: &[u8]) -> Result<()> {
        self.parts = true;
        self.data.add(data)
    }

    pub(crate) fn sign(self, module: &Module) -> Result<Vec<u8>> {
        let object = self.key.clone();
        let key = object.key().ok_or(Error::KeyHandleInvalid)?;
        let Request { algorithm, data } = self.request(key)?;
        let (key_name, owner, alg) = (key.name.clone(), key.owner(), Some(algorithm.into()));
        let signed = match algorithm {
            Signature::PureEddsa => module.client.call(
                key.provider,
                &SignMessage {
                    key_name,
                    owner,
                    alg,
                    message: data,
                },
            ),
            _ => module.client.call(
                key.provider,
                &SignHash {
                    key_name,
                    owner,
                    alg,
                    hash: data,
                },
            ),
        };
        Ok(signed.map_err(gone)?.signature)
    }

    pub(crate) fn verify(self, module: &Module, signature: &[u8]) -> Result<()> {
        if signature.len() != self.output_len() {
            return Err(Error::SignatureLenRange);
        }
        let object = self.key.clone();
        let key = object.key().ok_or(Error::KeyHandleInvalid)?;
        let Request { algorithm, data } = self.request(key)?;
        let (key_name, owner, alg) = (key.name.clone(), key.owner(), Some(algorithm.into()));
        let signature = signature.to_vec();
        let verified = match algorithm {
            Signature::PureEddsa => {
                let op = VerifyMessage {
                    key_name,
                    owner,
                    alg,
                    message: data,
                    signature,
                };
                module.client.call(key.provider, &op)
            }
            _ => {
                let op = VerifyHash {
                    key_name,
                    owner,
                    alg,
                    hash: data,
                    signature,
                };
                module.client.call(key.provider, &op)
            }
        };
        verified.map(drop).map_err(gone)
    }

    /// The data is complete: which algorithm, of those that the key permits, signs it?
    fn request(self, key: &Key) -> Result<Request> {
        let permits = |algorithm| {
            key.attributes
                .policy
                .permits(Algorithm::Signature(algorithm))
        };
        let data = self.data.finish();
        let (hash, data) = match (self.scheme, self.hash) {
            (Scheme::RsaPkcs1v15, None) => match Hash::parse_digest_info(&data) {
                Some((hash, digest)) if permits(Signature::RsaPkcs1v15 { hash: hash.into() }) => {
                    (Some(hash), digest.to_vec())
                }
                _ => (None, data),
            },
            (Scheme::Ecdsa, None) if data.is_empty() => return Err(Error::DataLenRange),
            (Scheme::Ecdsa, None) => (digest_of(data.len()), data),
            (Scheme::RsaPss, Some(hash)) if data.len() != hash.len() => {
                return Err(Error::DataLenRange);
            }
            (_, hash) => (hash, data),
        };
        let mut algorithms = self.scheme.algorithms(hash).into_iter();
        let algorithm = algorithms
            .find(|&algorithm| permits(algorithm))
            .ok_or(Error::KeyFunctionNotPermitted)?;
        Ok(Request { algorithm, data })
    }
}

/// The hash of CKM_RSA_PKCS_PSS and its kin. The protocol's PSS has MGF1 with the same hash and a salt as long as it.
fn pss_hash(mechanism: &ffi::Mechanism, hashes: Option<Hash>) -> Result<Hash> {
    let parameters = mechanism.pss()?;
    let hash = mechanism::hash(parameters.hashAlg).ok_or(Error::MechanismParamInvalid)?;
    let fits = hashes.is_none_or(|own| own == hash)
        && mechanism::mgf1(hash) == Some(parameters.mgf)
        && parameters.sLen == hash.len() as CK_ULONG;
    if fits {
        Ok(hash)
    } else {
        Err(Error::MechanismParamInvalid)
    }
}

/// The hash that digests of this length most likely come from, for keys whose policy names one.
fn digest_of(len: usize) -> Option<Hash> {
    let likely = [
        Hash::Sha256,
        Hash::Sha384,
        Hash::Sha512,
        Hash::Sha224,
        Hash::Sha1,
    ];
    likely.into_iter().find(|hash| hash.len() == len)
}

/// A key that was there when the operation began may be gone at its end.
fn gone(error: client::Error) -> Error {
    match error {
        client::Error::Refused {
            status: Status::PsaErrorDoesNotExist,
            ..
        } => Error::KeyHandleInvalid,
        other => Error::Service(other),
    }
}

impl OutputLen for Signing {
    /// Length of the signature in bytes.
    fn output_len(&self) -> usize {
        let Some(key) = self.key.key() else { return 0 };
        let bytes = key.attributes.bits.div_ceil(8) as usize;
        match key.attributes.key_type.public() {
            KeyType::RsaPublicKey => bytes,
            _ => 2 * bytes,
        }
    }
}

impl Data {
    fn add(&mut self, data: &[u8]) -> Result<()> {
        match self {
            Self::Hashed(hasher) => hasher.update(data),
            Self::Whole(have) if have.len() + data.len() > MAX_MESSAGE => {
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
