//! Signatures.

use super::Software;
use super::key::{Key, Kind, Material};
use super::lc::Md;
use super::{hash, invalid, library, unsupported};
use crate::error::{Error, Result};
use crate::provider::{Call, Handle};
use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use interface::Status;
use interface::algorithm::{Hash, SignHash, Signature};
use interface::message::Empty;
use interface::operations as ops;

/// A signature scheme as this backend runs it.
pub(crate) struct Scheme {
    /// What the signature is made over; `None` for any bytes.
    hash: Option<(Hash, Md)>,
    encoding: Encoding,
}

#[derive(Clone, Copy)]
enum Encoding {
    /// PKCS#1 v1.5 with this front of a `DigestInfo`.
    Pkcs1(&'static [u8]),
    Pss(Md),
    Ecdsa,
    /// EdDSA takes the message, not a hash of it.
    Eddsa,
}

/// What a scheme is wanted for. SHA-1 is good enough to look at old signatures only.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Sign,
    Verify,
}

impl Scheme {
    /// The scheme that runs `algorithm` with keys of a kind.
    pub(crate) fn of(kind: Kind, algorithm: Signature, purpose: Purpose) -> Result<Self> {
        let digest = |hash| signature_hash(hash, purpose);
        let (hash, encoding) = match (kind, algorithm) {
            (_, Signature::DeterministicEcdsa { .. }) => {
                return Err(unsupported("the software provider has no deterministic ECDSA: use ECDSA"));
            }
            (Kind::Rsa, Signature::RsaPkcs1v15 { hash }) => {
                let (hash, md) = digest(hash)?;
                (Some((hash, md)), Encoding::Pkcs1(hash.digest_info()))
            }
            (Kind::Rsa, Signature::RsaPkcs1v15Raw) => (None, Encoding::Pkcs1(&[])),
            (Kind::Rsa, Signature::RsaPss { hash }) => {
                let (hash, md) = digest(hash)?;
                (Some((hash, md)), Encoding::Pss(md))
            }
            (Kind::Ec(_), Signature::Ecdsa { hash }) => (Some(digest(hash)?), Encoding::Ecdsa),
            (Kind::Ec(_), Signature::EcdsaAny) => (None, Encoding::Ecdsa),
            (Kind::Ed25519, Signature::PureEddsa) => (None, Encoding::Eddsa),
            _ => {
                return Err(invalid(format!("a key of this type does not sign with {algorithm:?}")));
            }
        };
        Ok(Self { hash, encoding })
    }

    /// What is signed when the caller brings a hash.
    fn check_hash(&self, hash: &[u8]) -> Result<()> {
        match (self.hash, self.encoding) {
            (Some((named, _)), _) if hash.len() != named.len() => {
                Err(invalid(format!("the hash has {} bytes, but {named:?} has {}", hash.len(), named.len())))
            }
            (None, Encoding::Ecdsa) if !(1..=64).contains(&hash.len()) => Err(invalid("ECDSA signs a hash of 1 to 64 bytes")),
            (_, Encoding::Eddsa) => Err(invalid("EdDSA signs messages, not hashes: ask to sign the message")),
            _ => Ok(()),
        }
    }

    /// What is signed when the caller brings a message.
    fn digest(&self, message: &[u8]) -> Result<Vec<u8>> {
        let (_, md) = self
            .hash
            .ok_or_else(|| invalid("the algorithm names no hash, so it cannot sign a message: hash it, or name the hash"))?;
        Ok(md.digest(message)?)
    }
}

fn signature_hash(hash: SignHash, purpose: Purpose) -> Result<(Hash, Md)> {
    let SignHash::Specific(hash) = hash else {
        return Err(invalid("a signature needs one hash; \"any\" is for policies"));
    };
    if hash.deprecated() && !(hash == Hash::Sha1 && purpose == Purpose::Verify) {
        return Err(unsupported(format!("{hash:?} is broken for signatures: use SHA-256 or longer")));
    }
    Ok((hash, hash::md(hash)?))
}

impl Key {
    /// Signs a hash. `RsaPkcs1v15Raw`: a whole `DigestInfo`.
    pub(crate) fn sign_hash(&self, algorithm: Signature, hash: &[u8]) -> Result<Vec<u8>> {
        let scheme = self.signing(algorithm)?;
        scheme.check_hash(hash)?;
        self.sign(&scheme, hash)
    }

    /// Signs a message.
    pub(crate) fn sign_message(&self, algorithm: Signature, message: &[u8]) -> Result<Vec<u8>> {
        let scheme = self.signing(algorithm)?;
        match &self.material {
            Material::Ed25519(_, pair) => Ok(pair.try_sign(message).map_err(|_| library())?.as_ref().to_vec()),
            _ => self.sign(&scheme, &scheme.digest(message)?),
        }
    }

    /// Verifies the signature of a hash.
    pub(crate) fn verify_hash(&self, algorithm: Signature, hash: &[u8], signature: &[u8]) -> Result<()> {
        let scheme = Scheme::of(self.kind(), algorithm, Purpose::Verify)?;
        scheme.check_hash(hash)?;
        self.verify(&scheme, hash, signature)
    }

    /// Verifies the signature of a message.
    pub(crate) fn verify_message(&self, algorithm: Signature, message: &[u8], signature: &[u8]) -> Result<()> {
        let scheme = Scheme::of(self.kind(), algorithm, Purpose::Verify)?;
        match scheme.encoding {
            Encoding::Eddsa => {
                UnparsedPublicKey::new(&ED25519, self.public()?).verify(message, signature).map_err(|_| mismatch())
            }
            _ => self.verify(&scheme, &scheme.digest(message)?, signature),
        }
    }

    fn signing(&self, algorithm: Signature) -> Result<Scheme> {
        self.needs_private()?;
        Scheme::of(self.kind(), algorithm, Purpose::Sign)
    }

    fn sign(&self, scheme: &Scheme, hash: &[u8]) -> Result<Vec<u8>> {
        match (&self.material, scheme.encoding) {
            (Material::Rsa(rsa), Encoding::Pkcs1(front)) => rsa.sign_pkcs1(&[front, hash].concat()).map_err(|_| {
                invalid(format!("{} bytes are too many to sign: the key takes at most {}", hash.len(), rsa.len() - 11))
            }),
            (Material::Rsa(rsa), Encoding::Pss(md)) => Ok(rsa.sign_pss(md, hash)?),
            (Material::Ec(ec), Encoding::Ecdsa) => Ok(ec.sign(hash)?),
            _ => Err(library()),
        }
    }

    fn verify(&self, scheme: &Scheme, hash: &[u8], signature: &[u8]) -> Result<()> {
        match (&self.material, scheme.encoding) {
            (Material::Rsa(rsa), Encoding::Pkcs1(front)) => {
                let info = rsa.recover_pkcs1(signature).map_err(|_| mismatch())?;
                if info == [front, hash].concat() { Ok(()) } else { Err(mismatch()) }
            }
            (Material::Rsa(rsa), Encoding::Pss(md)) => rsa.verify_pss(md, hash, signature).map_err(|_| mismatch()),
            (Material::Ec(ec), Encoding::Ecdsa) => ec.verify(hash, signature).map_err(|_| mismatch()),
            _ => Err(library()),
        }
    }
}

fn mismatch() -> Error {
    Error::refused(Status::PsaErrorInvalidSignature, "the signature does not match")
}

impl Handle<ops::SignHash> for Software {
    fn handle(&self, call: &Call<'_>, op: ops::SignHash) -> Result<ops::Signed> {
        let signature = Self::key(call)?.sign_hash(Self::algorithm(call)?, &op.hash)?;
        Ok(ops::Signed { signature })
    }
}

impl Handle<ops::SignMessage> for Software {
    fn handle(&self, call: &Call<'_>, op: ops::SignMessage) -> Result<ops::Signed> {
        let signature = Self::key(call)?.sign_message(Self::algorithm(call)?, &op.message)?;
        Ok(ops::Signed { signature })
    }
}

impl Handle<ops::VerifyHash> for Software {
    fn handle(&self, call: &Call<'_>, op: ops::VerifyHash) -> Result<Empty> {
        Self::key(call)?.verify_hash(Self::algorithm(call)?, &op.hash, &op.signature)?;
        Ok(Empty {})
    }
}

impl Handle<ops::VerifyMessage> for Software {
    fn handle(&self, call: &Call<'_>, op: ops::VerifyMessage) -> Result<Empty> {
        Self::key(call)?.verify_message(Self::algorithm(call)?, &op.message, &op.signature)?;
        Ok(Empty {})
    }
}
