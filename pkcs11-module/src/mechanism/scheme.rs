//! What mechanisms are made of, apart from their keys: schemes, modes and derivations, and the algorithms of the protocol that these
//! come down to.

use cryptoki_sys::*;
use interface::algorithm::{
    AeadKind, Agreement, Algorithm, Cipher, Derivation, Encryption, Hash, Mac, MacKind, SignHash, Signature,
};
use interface::attributes::Policy;
use interface::policy::{Job, Repertoire};

use super::table::signatures;
use super::{Family, MechanismRow, Work, row};

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

/// What the parameter of a signature mechanism is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ParameterKind {
    Nothing,
    Pss,
    /// A context, and how random the signature shall be; the hash, where the mechanism does not say it.
    Context,
    Eddsa,
    /// The length of the MAC.
    Length,
}

macro_rules! scheme {
    ($($scheme:ident of $family:ident, $parameter:ident: [$($hashed:ident $({ $hash:ident })?),*] or [$($bare:ident),*];
        $($kind:ident $($own:ident)?),*;)*) => {
        /// A signature or MAC scheme, apart from its hash.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum SignatureScheme {
            $($scheme,)*
            Hmac,
            Cmac,
            /// To a length that the mechanism's parameter says.
            CutHmac,
            CutCmac,
        }

        impl SignatureScheme {
            pub(crate) fn family(self) -> Family {
                match self {
                    $(Self::$scheme => Family::$family,)*
                    Self::Hmac | Self::CutHmac => Family::Generic,
                    Self::Cmac | Self::CutCmac => Family::Aes,
                }
            }

            /// What the parameter of its mechanisms is.
            pub(crate) fn parameter(self) -> ParameterKind {
                match self {
                    $(Self::$scheme => ParameterKind::$parameter,)*
                    Self::Hmac | Self::Cmac => ParameterKind::Nothing,
                    Self::CutHmac | Self::CutCmac => ParameterKind::Length,
                }
            }

            /// The signature algorithms, best first, over a digest of this hash, or over a digest of unknown origin.
            #[allow(unused_variables, reason = "a scheme may have no hash")]
            fn signatures(self, hash: Option<SignHash>) -> impl Iterator<Item = Signature> {
                type Make = fn(SignHash) -> Signature;
                let make: &[Make] = match self {
                    $(Self::$scheme if hash.is_some() => const { &[$(|known| Signature::$hashed $({ $hash: known })?),*] },
                    Self::$scheme => const { &[$(|known| Signature::$bare),*] },)*
                    _ => &[],
                };
                make.iter().map(move |make| make(hash.unwrap_or(SignHash::Any)))
            }
        }

        /// The mechanisms of all signature schemes.
        pub(super) const SIGNATURES: &[MechanismRow] = &[$($(row($kind, Work::Sign(SignatureScheme::$scheme, own!($($own)?))),)*)*];
    };
}

macro_rules! own {
    () => {
        None
    };
    ($hash:ident) => {
        Some(Hash::$hash)
    };
}

signatures!(scheme);

impl SignatureScheme {
    /// The algorithms, best first, that make a signature of this scheme over a digest of `hash`, or over a digest of unknown
    /// origin; or a MAC of the message.
    pub(crate) fn algorithms(self, hash: Option<Hash>) -> impl Iterator<Item = Algorithm> {
        let mac = match self {
            Self::Hmac | Self::CutHmac => hash.map(|hash| MacKind::Hmac { hash }),
            Self::Cmac | Self::CutCmac => Some(MacKind::Cmac),
            _ => None,
        };
        let mac = mac.map(|kind| Mac { kind, len: None }.into());
        mac.into_iter().chain(self.signatures(hash.map(SignHash::Specific)).map(Into::into))
    }

    /// What a key must permit for a mechanism of this scheme and hash, at the least.
    pub(crate) fn least(self, hash: Option<Hash>) -> Option<Algorithm> {
        let any = || self.signatures(Some(SignHash::Any)).next().map(Into::into);
        self.algorithms(hash).next().or_else(any)
    }

    /// Whether it signs no digest but one of a known hash.
    pub(crate) fn needs_hash(self) -> bool {
        self.hashes() && self.algorithms(None).next().is_none()
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
