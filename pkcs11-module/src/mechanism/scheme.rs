//! What mechanisms are made of, apart from their keys: schemes, modes and derivations, and the algorithms of the protocol that these
//! come down to.

use interface::algorithm::{
    AeadKind, Agreement, Algorithm, Cipher, Derivation, Encryption, Hash, Mac, MacKind, SignHash, Signature,
};
use interface::attributes::Policy;
use interface::policy::{Job, Repertoire};

use super::Family;

/// A signature or MAC scheme, apart from its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignatureScheme {
    RsaPkcs1v15,
    RsaRaw,
    RsaPss,
    Ecdsa,
    Dsa,
    Eddsa,
    MlDsa,
    HashMlDsa,
    Hmac,
    Cmac,
    /// To a length that the mechanism's parameter says.
    CutHmac,
    CutCmac,
}

/// An encryption scheme or mode, apart from what the mechanism's parameter says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    RsaPkcs1v15,
    RsaOaep,
    RsaRaw,
    Cipher(Family, Cipher),
    Aead(AeadKind),
}

/// A derivation, apart from what the mechanism's parameter says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kdf {
    Ecdh(Family),
    Dh,
    Hkdf(Family),
    Digest(Hash),
    BaseAndKey,
    BaseAndData,
    DataAndBase,
    Encrypt(Cipher),
}

impl SignatureScheme {
    pub(crate) fn family(self) -> Family {
        match self {
            Self::RsaPkcs1v15 | Self::RsaRaw | Self::RsaPss => Family::Rsa,
            Self::Ecdsa => Family::Ec,
            Self::Dsa => Family::Dsa,
            Self::Eddsa => Family::Edwards,
            Self::MlDsa | Self::HashMlDsa => Family::MlDsa,
            Self::Hmac | Self::CutHmac => Family::Generic,
            Self::Cmac | Self::CutCmac => Family::Aes,
        }
    }

    /// The algorithms, best first, that make a signature of this scheme over a digest of `hash`, or over a digest of unknown
    /// origin; or a MAC of the message.
    pub(crate) fn algorithms(self, hash: Option<Hash>) -> impl Iterator<Item = Algorithm> {
        let named = hash.map(SignHash::Specific);
        let signature = |signature: Signature| Some(Algorithm::Signature(signature));
        let mac = |kind| Some(Algorithm::Mac(Mac { kind, len: None }));
        let algorithms = match (self, named) {
            (Self::RsaPkcs1v15, Some(hash)) => [signature(Signature::RsaPkcs1v15 { hash }), None, None],
            (Self::RsaPkcs1v15, None) => [signature(Signature::RsaPkcs1v15Raw), None, None],
            (Self::RsaRaw, _) => [signature(Signature::RsaRaw), None, None],
            (Self::RsaPss, Some(hash)) => [signature(Signature::RsaPss { hash }), None, None],
            (Self::Ecdsa, Some(hash)) => [
                signature(Signature::Ecdsa { hash }),
                signature(Signature::DeterministicEcdsa { hash }),
                signature(Signature::EcdsaAny),
            ],
            (Self::Ecdsa, None) => [signature(Signature::EcdsaAny), None, None],
            (Self::Dsa, Some(hash)) => [signature(Signature::Dsa { hash }), signature(Signature::DsaAny), None],
            (Self::Dsa, None) => [signature(Signature::DsaAny), None, None],
            (Self::MlDsa, _) => [signature(Signature::MlDsa), None, None],
            (Self::HashMlDsa, Some(hash)) => [signature(Signature::HashMlDsa { hash }), None, None],
            (Self::Eddsa, _) => [signature(Signature::PureEddsa), None, None],
            (Self::Hmac | Self::CutHmac, _) => [hash.and_then(|hash| mac(MacKind::Hmac { hash })), None, None],
            (Self::Cmac | Self::CutCmac, _) => [mac(MacKind::Cmac), None, None],
            (Self::RsaPss | Self::HashMlDsa, None) => [None; 3],
        };
        algorithms.into_iter().flatten()
    }

    /// Makes a digest of the data first.
    pub(crate) fn hashes(self) -> bool {
        !matches!(self, Self::Hmac | Self::CutHmac)
    }

    /// Whether a policy permits some algorithm that a mechanism of this scheme and hash leads to.
    pub(crate) fn permitted(self, hash: Option<Hash>, policy: &Policy) -> bool {
        let open = hash.is_none();
        let hashes = Hash::ALL.iter().copied().map(Some).filter(|&any| open || any == hash);
        let mut algorithms = hashes.chain([hash]).flat_map(|hash| self.algorithms(hash));
        algorithms.any(|algorithm| policy.permits(algorithm))
    }
}

impl Mode {
    pub(crate) fn family(self) -> Family {
        match self {
            Self::RsaPkcs1v15 | Self::RsaOaep | Self::RsaRaw => Family::Rsa,
            Self::Aead(AeadKind::ChaCha20Poly1305) => Family::ChaCha20,
            Self::Cipher(family, _) => family,
            Self::Aead(_) => Family::Aes,
        }
    }

    /// The algorithms that the parameters can ask for.
    pub(crate) fn algorithms(self) -> Vec<Algorithm> {
        if let Self::Cipher(_, cipher) = self {
            return vec![cipher.into()];
        }
        let key_type = self.family().key_type();
        let all = [Job::Decrypt, Job::Encrypt].map(|job| job.repertoire(key_type));
        all.iter().flat_map(Repertoire::all).filter(|&algorithm| self.covers(algorithm)).collect()
    }

    fn covers(self, algorithm: Algorithm) -> bool {
        match (self, algorithm) {
            (Self::RsaPkcs1v15, Algorithm::Encryption(encryption)) => encryption == Encryption::RsaPkcs1v15,
            (Self::RsaOaep, Algorithm::Encryption(encryption)) => matches!(encryption, Encryption::RsaOaep { .. }),
            (Self::RsaRaw, Algorithm::Encryption(encryption)) => encryption == Encryption::RsaRaw,
            (Self::Aead(own), Algorithm::Aead(aead)) => own == aead.kind,
            _ => false,
        }
    }
}

impl Kdf {
    /// The keys that are its base.
    pub(crate) fn family(self) -> Family {
        match self {
            Self::Ecdh(family) | Self::Hkdf(family) => family,
            Self::Dh => Family::Dh,
            Self::Encrypt(_) => Family::Aes,
            Self::Digest(_) | Self::BaseAndKey | Self::BaseAndData | Self::DataAndBase => Family::Generic,
        }
    }

    /// The algorithms that the parameters can ask for.
    pub(crate) fn algorithms(self) -> Vec<Algorithm> {
        match self {
            Self::Ecdh(_) => vec![Agreement::Ecdh.into()],
            Self::Dh => vec![Agreement::Ffdh.into()],
            Self::Hkdf(_) => HKDF.map(|hash| Derivation::Hkdf { hash }.into()).into(),
            Self::Digest(hash) => vec![Derivation::Digest { hash }.into()],
            Self::BaseAndKey | Self::BaseAndData | Self::DataAndBase => vec![Derivation::Concatenate.into()],
            Self::Encrypt(cipher) => vec![Derivation::Encrypt(cipher).into()],
        }
    }
}

/// The hashes that HKDF is offered with.
const HKDF: [Hash; 9] = [
    Hash::Sha256,
    Hash::Sha384,
    Hash::Sha512,
    Hash::Sha224,
    Hash::Sha1,
    Hash::Sha3_256,
    Hash::Sha3_384,
    Hash::Sha3_512,
    Hash::Sha3_224,
];
