//! The algorithms of the PSA Crypto API, parsed: a value of these types is complete and known.

mod convert;

use crate::Status;

/// An enumeration of the wire: number, name and both conversions from one list. Zero and unknown numbers are [`Status::InvalidEncoding`].
macro_rules! numbered {
    ($(#[$doc:meta])* $name:ident { $($(#[$note:meta])* $variant:ident = $number:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[allow(missing_docs, reason = "most variants are named as in the PSA Crypto API")]
        pub enum $name { $($(#[$note])* $variant = $number,)* }

        impl $name {
            /// Every variant, in the order of its number.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];
        }

        impl TryFrom<i32> for $name {
            type Error = $crate::Status;

            fn try_from(number: i32) -> Result<Self, $crate::Status> {
                match number {
                    $($number => Ok(Self::$variant),)*
                    _ => Err($crate::Status::InvalidEncoding),
                }
            }
        }

        impl From<$name> for i32 {
            fn from(value: $name) -> Self {
                value as Self
            }
        }
    };
}
pub(crate) use numbered;

numbered! {
    /// A hash function.
    Hash {
        Md2 = 1, Md4 = 2, Md5 = 3, Ripemd160 = 4, Sha1 = 5, Sha224 = 6, Sha256 = 7, Sha384 = 8, Sha512 = 9,
        Sha512_224 = 10, Sha512_256 = 11, Sha3_224 = 12, Sha3_256 = 13, Sha3_384 = 14, Sha3_512 = 15,
    }
}

numbered! {
    /// An unauthenticated cipher mode; the key's type names the cipher.
    Cipher {
        StreamCipher = 1, Ctr = 2, Cfb = 3, Ofb = 4, Xts = 5, EcbNoPadding = 6, CbcNoPadding = 7, CbcPkcs7 = 8,
        /// AES-KW (RFC 3394), an extension: authenticates, and takes at least two blocks of 8 bytes.
        KeyWrap = 100,
        /// AES-KWP (RFC 5649), an extension: authenticates, and takes any length but zero.
        KeyWrapPadded = 101,
    }
}

numbered! {
    /// An authenticated cipher mode.
    AeadKind { Ccm = 1, Gcm = 2, ChaCha20Poly1305 = 3, }
}

numbered! {
    /// A key agreement.
    Agreement { Ffdh = 1, Ecdh = 2, }
}

numbered! {
    /// A key encapsulation (PSA Crypto API 1.3 §10.12), an extension.
    Kem {
        /// FIPS 203; the key's size names the parameter set.
        MlKem = 1,
    }
}

impl Hash {
    /// Length of the digest in bytes.
    pub const fn len(self) -> usize {
        match self {
            Self::Md2 | Self::Md4 | Self::Md5 => 16,
            Self::Ripemd160 | Self::Sha1 => 20,
            Self::Sha224 | Self::Sha512_224 | Self::Sha3_224 => 28,
            Self::Sha256 | Self::Sha512_256 | Self::Sha3_256 => 32,
            Self::Sha384 | Self::Sha3_384 => 48,
            Self::Sha512 | Self::Sha3_512 => 64,
        }
    }

    /// A digest is never empty.
    pub const fn is_empty(self) -> bool {
        false
    }

    /// The DER of a PKCS#1 v1.5 `DigestInfo` up to the digest itself (RFC 8017 §9.2, notes 1 and 2).
    pub const fn digest_info(self) -> &'static [u8] {
        match self {
            Self::Md2 => b"\x30\x20\x30\x0c\x06\x08\x2a\x86\x48\x86\xf7\x0d\x02\x02\x05\x00\x04\x10",
            Self::Md4 => b"\x30\x20\x30\x0c\x06\x08\x2a\x86\x48\x86\xf7\x0d\x02\x04\x05\x00\x04\x10",
            Self::Md5 => b"\x30\x20\x30\x0c\x06\x08\x2a\x86\x48\x86\xf7\x0d\x02\x05\x05\x00\x04\x10",
            Self::Ripemd160 => b"\x30\x21\x30\x09\x06\x05\x2b\x24\x03\x02\x01\x05\x00\x04\x14",
            Self::Sha1 => b"\x30\x21\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00\x04\x14",
            Self::Sha224 => b"\x30\x2d\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x04\x05\x00\x04\x1c",
            Self::Sha256 => b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20",
            Self::Sha384 => b"\x30\x41\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\x04\x30",
            Self::Sha512 => b"\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40",
            Self::Sha512_224 => b"\x30\x2d\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x05\x05\x00\x04\x1c",
            Self::Sha512_256 => b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x06\x05\x00\x04\x20",
            Self::Sha3_224 => b"\x30\x2d\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x07\x05\x00\x04\x1c",
            Self::Sha3_256 => b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x08\x05\x00\x04\x20",
            Self::Sha3_384 => b"\x30\x41\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x09\x05\x00\x04\x30",
            Self::Sha3_512 => b"\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x0a\x05\x00\x04\x40",
        }
    }

    /// The DER of its object identifier.
    pub fn oid(self) -> &'static [u8] {
        let identifier = &self.digest_info()[4..];
        &identifier[..2 + usize::from(identifier[1])]
    }

    /// Splits a whole `DigestInfo` into its hash and digest; `None` when it is not exactly one of ours.
    pub fn parse_digest_info(info: &[u8]) -> Option<(Self, &[u8])> {
        Self::ALL.iter().find_map(|&hash| {
            let digest = info.strip_prefix(hash.digest_info())?;
            (digest.len() == hash.len()).then_some((hash, digest))
        })
    }

    /// Whether the hash is broken for signatures (upstream's list).
    pub const fn deprecated(self) -> bool {
        matches!(self, Self::Md2 | Self::Md4 | Self::Md5 | Self::Sha1)
    }
}

/// The hash of a signature scheme. `Any` stands in policies only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variants are named as in the PSA Crypto API")]
pub enum SignHash {
    Any,
    Specific(Hash),
}

impl From<Hash> for SignHash {
    fn from(hash: Hash) -> Self {
        Self::Specific(hash)
    }
}

/// A signature scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signature {
    /// RSASSA-PKCS1-v1_5; the service adds the `DigestInfo`.
    RsaPkcs1v15 {
        /// The hash.
        hash: SignHash,
    },
    /// RSASSA-PKCS1-v1_5 over the caller's `DigestInfo` (or any other bytes).
    RsaPkcs1v15Raw,
    /// RSASSA-PSS, MGF1 with the same hash, salt as long as the hash.
    RsaPss {
        /// The hash.
        hash: SignHash,
    },
    /// RSASSA-PSS with another hash for MGF1, or another length of the salt: an extension. Who may use PSS with the hash may use it.
    RsaPssWith {
        /// The hash.
        hash: Hash,
        /// MGF1's hash.
        mgf: Hash,
        /// Length of the salt in bytes.
        salt_len: u32,
    },
    /// RSASP1 (RFC 8017 §5.2.1) over what the caller has padded, as long as the modulus: an extension. With it, everything can be
    /// signed, and decrypted.
    RsaRaw,
    /// ECDSA with a random nonce.
    Ecdsa {
        /// The hash.
        hash: SignHash,
    },
    /// ECDSA over a digest of any length.
    EcdsaAny,
    /// ECDSA as RFC 6979 has it.
    DeterministicEcdsa {
        /// The hash.
        hash: SignHash,
    },
    /// DSA (FIPS 186-4), of a digest that its group may cut: an extension.
    Dsa {
        /// The hash.
        hash: SignHash,
    },
    /// DSA over a digest of any length: an extension.
    DsaAny,
    /// EdDSA without prehash (RFC 8032 PureEdDSA), with Ed448 in a context, perhaps an empty one: an extension; signs messages only.
    PureEddsa,
    /// Ed25519ctx (RFC 8032 §5.1), whose context is not empty: an extension; signs messages only.
    Ed25519ctx,
    /// Ed25519ph (RFC 8032 §5.1), of the message's SHA-512: an extension.
    Ed25519ph,
    /// Ed448ph (RFC 8032 §5.2), of the message's SHAKE256, which the service makes: an extension; signs messages only. Who may sign
    /// with EdDSA may use it.
    Ed448ph,
    /// ML-DSA of the message itself, hedged (FIPS 204 §5.2): an extension; signs messages only.
    MlDsa,
    /// HashML-DSA, hedged (FIPS 204 §5.4): an extension.
    HashMlDsa {
        /// The hash.
        hash: SignHash,
    },
}

impl Signature {
    /// The hash that the scheme names, if it names one.
    pub const fn hash(self) -> Option<Hash> {
        match self {
            Self::RsaPkcs1v15 { hash }
            | Self::RsaPss { hash }
            | Self::Ecdsa { hash }
            | Self::DeterministicEcdsa { hash }
            | Self::Dsa { hash }
            | Self::HashMlDsa { hash } => match hash {
                SignHash::Specific(hash) => Some(hash),
                SignHash::Any => None,
            },
            Self::RsaPssWith { hash, .. } => Some(hash),
            Self::Ed25519ph => Some(Hash::Sha512),
            Self::RsaPkcs1v15Raw
            | Self::RsaRaw
            | Self::EcdsaAny
            | Self::DsaAny
            | Self::PureEddsa
            | Self::Ed25519ctx
            | Self::Ed448ph
            | Self::MlDsa => None,
        }
    }

    /// Whether it can be run: no hash is left open.
    pub const fn concrete(self) -> bool {
        self.hash().is_some()
            || matches!(self, Self::RsaPkcs1v15Raw | Self::RsaRaw | Self::EcdsaAny | Self::DsaAny)
            || self.whole_message()
    }

    /// Whether it signs messages only: it takes no hash that the caller made.
    pub const fn whole_message(self) -> bool {
        matches!(self, Self::PureEddsa | Self::Ed25519ctx | Self::Ed448ph | Self::MlDsa)
    }

    /// The same scheme with the hash left open, as policies write it.
    pub const fn any_hash(self) -> Self {
        let hash = SignHash::Any;
        match self {
            Self::RsaPkcs1v15 { .. } => Self::RsaPkcs1v15 { hash },
            Self::RsaPss { .. } | Self::RsaPssWith { .. } => Self::RsaPss { hash },
            Self::Ecdsa { .. } => Self::Ecdsa { hash },
            Self::DeterministicEcdsa { .. } => Self::DeterministicEcdsa { hash },
            Self::Dsa { .. } => Self::Dsa { hash },
            Self::HashMlDsa { .. } => Self::HashMlDsa { hash },
            other => other,
        }
    }

    /// The same scheme with the parameters that it usually has, as policies write it.
    pub const fn usual(self) -> Self {
        match self {
            Self::RsaPssWith { hash, .. } => Self::RsaPss { hash: SignHash::Specific(hash) },
            Self::Ed448ph => Self::PureEddsa,
            other => other,
        }
    }
}

/// An asymmetric encryption scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// RSAES-PKCS1-v1_5.
    RsaPkcs1v15,
    /// RSAES-OAEP, MGF1 with the same hash.
    RsaOaep {
        /// The hash.
        hash: Hash,
    },
    /// RSAES-OAEP with another hash for MGF1: an extension. Who may use OAEP with the hash may use it.
    RsaOaepWith {
        /// The hash.
        hash: Hash,
        /// MGF1's hash.
        mgf: Hash,
    },
    /// RSAEP and RSADP (RFC 8017 §5.1) over what the caller has padded, as long as the modulus: an extension. With it, everything
    /// can be decrypted, and signed.
    RsaRaw,
}

impl Encryption {
    /// The same scheme with the parameters that it usually has, as policies write it.
    pub const fn usual(self) -> Self {
        match self {
            Self::RsaOaepWith { hash, .. } => Self::RsaOaep { hash },
            other => other,
        }
    }
}

/// An authenticated cipher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aead {
    /// The mode.
    pub kind: AeadKind,
    /// Length of the tag in bytes; `None` is the mode's own.
    pub tag_len: Option<u32>,
}

/// A MAC function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variants are named as in the PSA Crypto API")]
pub enum MacKind {
    Hmac { hash: Hash },
    CbcMac,
    Cmac,
}

/// A MAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mac {
    /// The function.
    pub kind: MacKind,
    /// Length in bytes when cut; `None` is the whole.
    pub len: Option<u32>,
}

/// A key derivation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "most variants are named as in the PSA Crypto API")]
pub enum Derivation {
    Hkdf {
        hash: Hash,
    },
    Tls12Prf {
        hash: Hash,
    },
    Tls12PskToMs {
        hash: Hash,
    },
    /// The KDF of ANSI X9.63 (SEC 1 §3.6.1), an extension.
    X963 {
        hash: Hash,
    },
    /// The hash of the key (PKCS#11 §6.20.10), an extension.
    Digest {
        hash: Hash,
    },
    /// The key beside other bytes (PKCS#11 §6.43), an extension.
    Concatenate,
    /// The caller's data encrypted with the key (PKCS#11 §6.27), an extension.
    Encrypt {
        cipher: Cipher,
    },
}

impl Derivation {
    /// Whether upstream's protocol can express it.
    pub fn upstream(self) -> bool {
        matches!(self, Self::Hkdf { .. } | Self::Tls12Prf { .. } | Self::Tls12PskToMs { .. })
    }

    /// The hash that it is built on.
    pub fn hash(self) -> Option<Hash> {
        match self {
            Self::Hkdf { hash }
            | Self::Tls12Prf { hash }
            | Self::Tls12PskToMs { hash }
            | Self::X963 { hash }
            | Self::Digest { hash } => Some(hash),
            Self::Concatenate | Self::Encrypt { .. } => None,
        }
    }
}

/// Any algorithm; what an operation asks for and what a policy permits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variants are named as in the PSA Crypto API")]
pub enum Algorithm {
    None,
    Hash(Hash),
    Mac(Mac),
    Cipher(Cipher),
    Aead(Aead),
    Signature(Signature),
    Encryption(Encryption),
    Agreement(Agreement),
    AgreementWithDerivation(Agreement, Derivation),
    Derivation(Derivation),
    Kem(Kem),
}

impl Algorithm {
    /// Whether its hash is broken for it (upstream's list). HMAC needs no hash without collisions.
    pub fn deprecated(self) -> bool {
        !matches!(self, Self::Mac(_)) && self.hash().is_some_and(Hash::deprecated)
    }

    /// Whether a policy that names `self` permits the concrete algorithm `asked`: equality, but for `Any` in a signature policy,
    /// which stands for every hash, for the parameters of PSS and OAEP beside the hash and the prehash of Ed448, which policies leave open, and for a raw
    /// key agreement, which permits every derivation from its secret too.
    pub fn permits(self, asked: Self) -> bool {
        match (self, asked) {
            (Self::None, _) => false,
            (Self::Signature(policy), Self::Signature(asked)) => {
                asked.concrete() && [asked, asked.usual(), asked.any_hash()].contains(&policy)
            }
            (Self::Encryption(policy), Self::Encryption(asked)) => policy == asked || policy == asked.usual(),
            (Self::Agreement(policy), Self::AgreementWithDerivation(asked, _)) => policy == asked,
            (policy, asked) => policy == asked,
        }
    }

    /// Whether decrypting with it tells nothing of what others encrypted. A ciphertext that is not, as a whole, what the algorithm
    /// makes is refused in one way, whatever is wrong with it; ML-KEM makes of it a secret that nobody knows (FIPS 203 §6.3).
    pub const fn authenticates(self) -> bool {
        matches!(
            self,
            Self::Aead(_)
                | Self::Cipher(Cipher::KeyWrap | Cipher::KeyWrapPadded)
                | Self::Encryption(Encryption::RsaOaep { .. } | Encryption::RsaOaepWith { .. })
                | Self::Kem(_)
        )
    }

    /// Whether it encrypts under a nonce or an initialisation vector.
    pub const fn takes_nonce(self) -> bool {
        match self {
            Self::Aead(_) => true,
            Self::Cipher(cipher) => !matches!(cipher, Cipher::EcbNoPadding | Cipher::KeyWrap | Cipher::KeyWrapPadded),
            _ => false,
        }
    }

    /// Whether encrypting with it is decrypting for whoever chooses the nonce. It adds to the data what key and nonce yield: the
    /// ciphertext, encrypted under the same nonce, is the plaintext.
    pub const fn reveals(self) -> bool {
        self.takes_nonce() && !matches!(self, Self::Cipher(Cipher::CbcNoPadding | Cipher::CbcPkcs7 | Cipher::Xts))
    }

    /// Whether it encrypts single blocks that the caller chooses. Modes with a nonce encrypt blocks that they make of it: whoever
    /// gets these encrypted with the same key does without choosing a nonce.
    pub const fn codebook(self) -> bool {
        matches!(
            self,
            Self::Cipher(Cipher::EcbNoPadding)
                | Self::Mac(Mac { kind: MacKind::CbcMac, .. })
                | Self::Derivation(Derivation::Encrypt { .. })
        )
    }

    /// Whether upstream's protocol can express it.
    pub fn upstream(self) -> bool {
        match self {
            Self::Signature(signature) => matches!(
                signature,
                Signature::RsaPkcs1v15 { .. }
                    | Signature::RsaPkcs1v15Raw
                    | Signature::RsaPss { .. }
                    | Signature::Ecdsa { .. }
                    | Signature::EcdsaAny
                    | Signature::DeterministicEcdsa { .. }
            ),
            Self::Encryption(encryption) => matches!(encryption, Encryption::RsaPkcs1v15 | Encryption::RsaOaep { .. }),
            Self::Kem(_) => false,
            Self::Cipher(cipher) => !matches!(cipher, Cipher::KeyWrap | Cipher::KeyWrapPadded),
            Self::AgreementWithDerivation(_, kdf) | Self::Derivation(kdf) => kdf.upstream(),
            _ => true,
        }
    }

    /// The hash that the algorithm is built on.
    pub fn hash(self) -> Option<Hash> {
        match self {
            Self::Hash(hash)
            | Self::Mac(Mac { kind: MacKind::Hmac { hash }, .. })
            | Self::Encryption(Encryption::RsaOaep { hash } | Encryption::RsaOaepWith { hash, .. }) => Some(hash),
            Self::Signature(signature) => signature.hash(),
            Self::AgreementWithDerivation(_, kdf) | Self::Derivation(kdf) => kdf.hash(),
            _ => None,
        }
    }
}

macro_rules! into_algorithm {
    ($($type:ident),*) => { $(
        impl From<$type> for Algorithm {
            fn from(value: $type) -> Self {
                Self::$type(value)
            }
        }

        impl TryFrom<Algorithm> for $type {
            type Error = Status;

            /// An algorithm of another class is [`Status::InvalidEncoding`].
            fn try_from(algorithm: Algorithm) -> Result<Self, Status> {
                match algorithm {
                    Algorithm::$type(value) => Ok(value),
                    _ => Err(Status::InvalidEncoding),
                }
            }
        }
    )* };
}
into_algorithm!(Hash, Mac, Cipher, Aead, Signature, Encryption, Agreement, Derivation, Kem);
