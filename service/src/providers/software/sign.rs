//! Signatures.

use super::Software;
use super::ed448;
use super::key::{Kind, Material, ParsedKey};
use super::{hash, invalid, library, pq, rsa, unsupported};
use crate::admission::Call;
use crate::error::{Error, Result};
use crate::provider::Handle;
use interface::Status;
use interface::algorithm::{Hash, SignHash, Signature};
use interface::message::Empty;
use interface::operations as ops;
use lc::{Eddsa, Md, Pss, Secret};
use std::borrow::Cow;

/// A signature scheme as this backend runs it.
pub(crate) struct SignScheme {
    /// The hash that the signature is made over; `None` for any bytes.
    hash: Option<(Hash, Md)>,
    encoding: Encoding,
}

#[derive(Clone, Copy)]
enum Encoding {
    /// PKCS#1 v1.5 with this front of a `DigestInfo`.
    Pkcs1(&'static [u8]),
    Pss(Pss),
    /// RSA without padding.
    Raw,
    Ecdsa,
    Dsa,
    /// EdDSA of the message, or of a hash of it.
    Eddsa(Eddsa),
    /// Ed448, or Ed448ph.
    Ed448 {
        prehashed: bool,
    },
    /// Of a parameter set: of the message, or of this hash of it.
    Pq,
}

impl SignScheme {
    /// The scheme that runs `algorithm` with keys of a kind.
    pub(crate) fn of(kind: Kind, algorithm: Signature) -> Result<Self> {
        let never = || invalid(format!("a key of this type does not sign with {algorithm:?}"));
        let (hash, encoding) = match (kind, algorithm) {
            (_, Signature::DeterministicEcdsa { .. }) => {
                return Err(unsupported("this provider has no deterministic ECDSA: use ECDSA"));
            }
            (Kind::Rsa, Signature::RsaPkcs1v15 { hash }) => {
                let (hash, md) = signature_hash(hash)?;
                (Some((hash, md)), Encoding::Pkcs1(hash.digest_info()))
            }
            (Kind::Rsa, Signature::RsaPkcs1v15Raw) => (None, Encoding::Pkcs1(&[])),
            (Kind::Rsa, Signature::RsaPss { hash }) => {
                let (hash, md) = signature_hash(hash)?;
                (Some((hash, md)), Encoding::Pss(Pss { md, mgf: md, salt_len: hash.len() }))
            }
            (Kind::Rsa, Signature::RsaPssWith { hash, mgf, salt_len }) => {
                let (hash, md) = signature_hash(hash.into())?;
                (Some((hash, md)), Encoding::Pss(Pss { md, mgf: hash::md(mgf)?, salt_len: salt_len as usize }))
            }
            (Kind::Rsa, Signature::RsaRaw) => (None, Encoding::Raw),
            (Kind::Ec(_), Signature::Ecdsa { hash }) => (Some(signature_hash(hash)?), Encoding::Ecdsa),
            (Kind::Ec(_), Signature::EcdsaAny) => (None, Encoding::Ecdsa),
            (Kind::Dsa, Signature::Dsa { hash }) => (Some(signature_hash(hash)?), Encoding::Dsa),
            (Kind::Dsa, Signature::DsaAny) => (None, Encoding::Dsa),
            (Kind::Ed25519, Signature::PureEddsa) => (None, Encoding::Eddsa(Eddsa::Pure)),
            (Kind::Ed25519, Signature::Ed25519ctx) => (None, Encoding::Eddsa(Eddsa::Context)),
            (Kind::Ed25519, Signature::Ed25519ph) => {
                (Some(signature_hash(Hash::Sha512.into())?), Encoding::Eddsa(Eddsa::Prehash))
            }
            (Kind::Ed448, Signature::PureEddsa) => (None, Encoding::Ed448 { prehashed: false }),
            (Kind::Ed448, Signature::Ed448ph) => (None, Encoding::Ed448 { prehashed: true }),
            (Kind::Pq(set), _) => {
                let hash = pq::signs(set, algorithm).ok_or_else(never)?;
                (hash.map(signature_hash).transpose()?, Encoding::Pq)
            }
            _ => return Err(never()),
        };
        Ok(Self { hash, encoding })
    }

    fn named(&self) -> Option<Hash> {
        self.hash.map(|(hash, _)| hash)
    }

    /// What is signed when the caller brings a hash.
    fn check_hash(&self, hash: &[u8]) -> Result<()> {
        match (self.hash, self.encoding) {
            (Some((named, _)), _) if hash.len() != named.len() => {
                Err(invalid(format!("the hash has {} bytes, but {named:?} has {}", hash.len(), named.len())))
            }
            (None, Encoding::Ecdsa | Encoding::Dsa) if hash.is_empty() => {
                Err(invalid("DSA and ECDSA sign a hash of one byte or more"))
            }
            (None, Encoding::Eddsa(_) | Encoding::Ed448 { .. } | Encoding::Pq) => {
                Err(invalid("this algorithm signs messages, not hashes: ask to sign the message"))
            }
            _ => Ok(()),
        }
    }

    /// The bytes to sign when the caller brings a message.
    fn digest<'a>(&self, message: &'a [u8]) -> Result<Cow<'a, [u8]>> {
        match (self.hash, self.encoding) {
            (Some((_, md)), _) => Ok(md.digest(message)?.into()),
            (None, Encoding::Eddsa(_) | Encoding::Ed448 { .. } | Encoding::Pq) => Ok(message.into()),
            _ => Err(invalid("the algorithm names no hash, so it cannot sign a message: hash it, or name the hash")),
        }
    }

    /// Refuses a context for a scheme that has none.
    fn check_context(&self, context: &[u8]) -> Result<()> {
        match self.encoding {
            Encoding::Eddsa(Eddsa::Context) if context.is_empty() => {
                Err(invalid("Ed25519ctx signs in a context: give one, or use EdDSA"))
            }
            Encoding::Pq | Encoding::Ed448 { .. } | Encoding::Eddsa(Eddsa::Context | Eddsa::Prehash) if context.len() <= 255 => {
                Ok(())
            }
            _ if context.is_empty() => Ok(()),
            _ => Err(invalid("this algorithm signs in no context, or in one of at most 255 bytes")),
        }
    }
}

fn signature_hash(hash: SignHash) -> Result<(Hash, Md)> {
    let SignHash::Specific(hash) = hash else {
        return Err(invalid("a signature needs one hash; \"any\" is for policies"));
    };
    if hash.deprecated() && hash != Hash::Sha1 {
        return Err(unsupported(format!("{hash:?} is broken for signatures: use SHA-256 or longer")));
    }
    Ok((hash, hash::md(hash)?))
}

/// Refuses new signatures with SHA-1, which is good enough to look at old ones.
pub(crate) fn check_new(algorithm: Signature, allow_deprecated: bool) -> Result<()> {
    match algorithm.hash() {
        Some(hash) if hash.deprecated() && !allow_deprecated => Err(unsupported(format!(
            "{hash:?} is too weak for new signatures: use SHA-256 or longer; allow_deprecated = true in the configuration permits it"
        ))),
        _ => Ok(()),
    }
}

/// A signature that lacks only what needs the private key.
pub(crate) enum Unsigned<'a> {
    /// The padded message, as long as the modulus, for RSASP1 (RFC 8017 §5.2.1).
    Rsa(Secret),
    /// The digest, for ECDSA.
    Ecdsa(Cow<'a, [u8]>),
}

impl ParsedKey {
    /// As [`Self::sign_hash`], for a key whose private half is elsewhere.
    pub(crate) fn unsigned_hash<'a>(&self, algorithm: Signature, hash: &'a [u8], context: &[u8]) -> Result<Unsigned<'a>> {
        let scheme = SignScheme::of(self.kind(), algorithm)?;
        scheme.check_hash(hash)?;
        self.unsigned(&scheme, hash.into(), context)
    }

    /// As [`Self::sign_message`], for a key whose private half is elsewhere.
    pub(crate) fn unsigned_message<'a>(&self, algorithm: Signature, message: &'a [u8], context: &[u8]) -> Result<Unsigned<'a>> {
        let scheme = SignScheme::of(self.kind(), algorithm)?;
        let digest = scheme.digest(message)?;
        self.unsigned(&scheme, digest, context)
    }

    fn unsigned<'a>(&self, scheme: &SignScheme, data: Cow<'a, [u8]>, context: &[u8]) -> Result<Unsigned<'a>> {
        scheme.check_context(context)?;
        match (&self.material, scheme.encoding) {
            (Material::Rsa(rsa), Encoding::Pkcs1(front)) => rsa::pkcs1_block(rsa, &[front, &data].concat()).map(Unsigned::Rsa),
            (Material::Rsa(rsa), Encoding::Pss(pss)) => {
                rsa.pss_block(pss, &data).map(Unsigned::Rsa).map_err(|_| invalid("the salt is too long for this key and hash"))
            }
            (Material::Rsa(rsa), Encoding::Raw) => rsa::block(rsa, &data).map(Unsigned::Rsa),
            (Material::Ec(_), Encoding::Ecdsa) => Ok(Unsigned::Ecdsa(data)),
            _ => Err(library()),
        }
    }

    /// Signs a hash. `RsaPkcs1v15Raw`: a whole `DigestInfo`. The context is that of the schemes that have one.
    pub(crate) fn sign_hash(&self, algorithm: Signature, hash: &[u8], context: &[u8]) -> Result<Vec<u8>> {
        let scheme = self.signing(algorithm)?;
        scheme.check_hash(hash)?;
        self.sign(&scheme, hash, context)
    }

    /// Signs a message. The context is that of the schemes that have one.
    pub(crate) fn sign_message(&self, algorithm: Signature, message: &[u8], context: &[u8]) -> Result<Vec<u8>> {
        let scheme = self.signing(algorithm)?;
        self.sign(&scheme, &scheme.digest(message)?, context)
    }

    /// Verifies the signature of a hash.
    pub(crate) fn verify_hash(&self, algorithm: Signature, hash: &[u8], signature: &[u8], context: &[u8]) -> Result<()> {
        let scheme = SignScheme::of(self.kind(), algorithm)?;
        scheme.check_hash(hash)?;
        self.verify(&scheme, hash, signature, context)
    }

    /// Verifies the signature of a message.
    pub(crate) fn verify_message(&self, algorithm: Signature, message: &[u8], signature: &[u8], context: &[u8]) -> Result<()> {
        let scheme = SignScheme::of(self.kind(), algorithm)?;
        self.verify(&scheme, &scheme.digest(message)?, signature, context)
    }

    fn signing(&self, algorithm: Signature) -> Result<SignScheme> {
        self.needs_private()?;
        SignScheme::of(self.kind(), algorithm)
    }

    fn sign(&self, scheme: &SignScheme, data: &[u8], context: &[u8]) -> Result<Vec<u8>> {
        scheme.check_context(context)?;
        match (&self.material, scheme.encoding) {
            (Material::Rsa(rsa), Encoding::Pkcs1(front)) => rsa.sign_pkcs1(&[front, data].concat()).map_err(|_| {
                invalid(format!("{} bytes are too many to sign: the key takes at most {}", data.len(), rsa.len() - 11))
            }),
            (Material::Rsa(rsa), Encoding::Pss(pss)) => {
                rsa.sign_pss(pss, data).map_err(|_| invalid("the salt is too long for this key and hash"))
            }
            (Material::Rsa(rsa), Encoding::Raw) => {
                let signed =
                    rsa.decrypt_raw(&rsa::block(rsa, data)?).map_err(|_| invalid("the data is not in the range of the key"));
                signed.map(|mut signature| std::mem::take(&mut *signature))
            }
            (Material::Ec(ec), Encoding::Ecdsa) => Ok(ec.sign(data)?),
            (Material::Field(field), Encoding::Dsa) => field.sign(data),
            (Material::Ed25519(pair), Encoding::Eddsa(eddsa)) => Ok(pair.sign(eddsa, context, data)?),
            (Material::Ed448(pair), Encoding::Ed448 { prehashed: false }) => Ok(pair.sign(context, data)?),
            (Material::Ed448(pair), Encoding::Ed448 { prehashed: true }) => Ok(pair.sign_prehash(context, Md::shake256(data)?)?),
            (Material::Pq(key), Encoding::Pq) => pq::sign(key, scheme.named(), context, data),
            _ => Err(library()),
        }
    }

    fn verify(&self, scheme: &SignScheme, data: &[u8], signature: &[u8], context: &[u8]) -> Result<()> {
        scheme.check_context(context)?;
        match (&self.material, scheme.encoding) {
            (Material::Rsa(rsa), Encoding::Pkcs1(front)) => {
                let info = rsa.recover_pkcs1(signature).map_err(|_| mismatch())?;
                if info == [front, data].concat() { Ok(()) } else { Err(mismatch()) }
            }
            (Material::Rsa(rsa), Encoding::Pss(pss)) => rsa.verify_pss(pss, data, signature).map_err(|_| mismatch()),
            (Material::Rsa(rsa), Encoding::Raw) => {
                let block = rsa::block(rsa, data)?;
                let recovered = rsa.encrypt_raw(signature).map_err(|_| mismatch())?;
                if recovered == *block { Ok(()) } else { Err(mismatch()) }
            }
            (Material::Ec(ec), Encoding::Ecdsa) => ec.verify(data, signature).map_err(|_| mismatch()),
            (Material::Field(field), Encoding::Dsa) => field.verify(data, signature).map_err(|_| mismatch()),
            (_, Encoding::Eddsa(eddsa)) => {
                let public = self.public()?.try_into().map_err(|_| library())?;
                let signature = signature.try_into().map_err(|_| mismatch())?;
                eddsa.verify(&public, context, data, signature).map_err(|_| mismatch())
            }
            (_, Encoding::Ed448 { prehashed }) => {
                let public = ed448::Public::from_bytes(&self.public()?)?;
                let verified = match prehashed {
                    false => public.verify(context, data, signature),
                    true => public.verify_prehash(context, Md::shake256(data)?, signature),
                };
                verified.map_err(|_| mismatch())
            }
            (Material::Pq(key), Encoding::Pq) => {
                pq::verify(key, scheme.named(), context, data, signature)?.map_err(|_| mismatch())
            }
            _ => Err(library()),
        }
    }
}

fn mismatch() -> Error {
    Error::refused(Status::PsaErrorInvalidSignature, "the signature does not match")
}

impl Handle<ops::SignHash> for Software {
    fn handle(&self, call: &Call<'_>, op: ops::SignHash) -> Result<ops::Signed> {
        let algorithm = Self::algorithm(call)?;
        check_new(algorithm, call.allow_deprecated())?;
        let signature = self.key(call)?.sign_hash(algorithm, &op.hash, &op.context)?;
        Ok(ops::Signed { signature })
    }
}

impl Handle<ops::SignMessage> for Software {
    fn handle(&self, call: &Call<'_>, op: ops::SignMessage) -> Result<ops::Signed> {
        let algorithm = Self::algorithm(call)?;
        check_new(algorithm, call.allow_deprecated())?;
        let signature = self.key(call)?.sign_message(algorithm, &op.message, &op.context)?;
        Ok(ops::Signed { signature })
    }
}

impl Handle<ops::VerifyHash> for Software {
    fn handle(&self, call: &Call<'_>, op: ops::VerifyHash) -> Result<Empty> {
        self.key(call)?.verify_hash(Self::algorithm(call)?, &op.hash, &op.signature, &op.context)?;
        Ok(Empty {})
    }
}

impl Handle<ops::VerifyMessage> for Software {
    fn handle(&self, call: &Call<'_>, op: ops::VerifyMessage) -> Result<Empty> {
        self.key(call)?.verify_message(Self::algorithm(call)?, &op.message, &op.signature, &op.context)?;
        Ok(Empty {})
    }
}
