//! The algorithms of the PSA Crypto API, parsed: a value of these types is complete and known. Each is one row of a table, with its number
//! on the wire; what is asked of a signature scheme or a hash stands in its row too.

use crate::Status;
use crate::oneof::{Choice, Read, message, oneof};
use crate::table::signatures;
use der::asn1::ObjectIdentifier;
use prost::bytes::{Buf, BufMut};
use prost::encoding::{DecodeContext, WireType};

/// An enumeration of the wire: number, name and both conversions from one list. Unknown numbers are [`Status::InvalidEncoding`].
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

        impl $crate::oneof::Number for $name {}
    };
}
pub(crate) use numbered;

macro_rules! hashes {
    (@deprecated) => {
        true
    };
    ($($variant:ident = $number:literal, $len:literal, $oid:literal $($deprecated:ident)? $(, rsa $rsa:literal $(ecdsa $ecdsa:literal)?)?;)*) => {
        numbered! {
            /// A hash function.
            Hash { $($variant = $number,)* }
        }

        impl Hash {
            /// Length of the digest in bytes.
            pub const fn len(self) -> usize {
                match self { $(Self::$variant => $len,)* }
            }

            /// Its object identifier.
            pub const fn oid(self) -> ObjectIdentifier {
                match self { $(Self::$variant => ObjectIdentifier::new_unwrap($oid),)* }
            }

            /// The DER of a PKCS#1 v1.5 `DigestInfo` up to the digest itself (RFC 8017 §9.2, notes 1 and 2).
            pub const fn digest_info(self) -> &'static [u8] {
                match self { $(Self::$variant => {
                    const OID: ObjectIdentifier = ObjectIdentifier::new_unwrap($oid);
                    const INFO: [u8; OID.as_bytes().len() + 10] = digest_info(OID.as_bytes(), $len);
                    &INFO
                })* }
            }

            /// The object identifier of RSASSA-PKCS1-v1_5 with it, in its dotted form.
            pub const fn with_rsa(self) -> Option<&'static str> {
                match self { $(Self::$variant => only(&[$($rsa)?]),)* }
            }

            /// The object identifier of ECDSA with it, in its dotted form.
            pub const fn with_ecdsa(self) -> Option<&'static str> {
                match self { $(Self::$variant => only(&[$($($ecdsa)?)?]),)* }
            }

            /// Whether the hash is broken for signatures (upstream's list).
            pub const fn deprecated(self) -> bool {
                match self { $(Self::$variant => false $(|| hashes!(@$deprecated))?,)* }
            }
        }
    };
}

hashes! {
    Md2 = 1, 16, "1.2.840.113549.2.2" deprecated;
    Md4 = 2, 16, "1.2.840.113549.2.4" deprecated;
    Md5 = 3, 16, "1.2.840.113549.2.5" deprecated;
    Ripemd160 = 4, 20, "1.3.36.3.2.1";
    Sha1 = 5, 20, "1.3.14.3.2.26" deprecated, rsa "1.2.840.113549.1.1.5" ecdsa "1.2.840.10045.4.1";
    Sha224 = 6, 28, "2.16.840.1.101.3.4.2.4", rsa "1.2.840.113549.1.1.14" ecdsa "1.2.840.10045.4.3.1";
    Sha256 = 7, 32, "2.16.840.1.101.3.4.2.1", rsa "1.2.840.113549.1.1.11" ecdsa "1.2.840.10045.4.3.2";
    Sha384 = 8, 48, "2.16.840.1.101.3.4.2.2", rsa "1.2.840.113549.1.1.12" ecdsa "1.2.840.10045.4.3.3";
    Sha512 = 9, 64, "2.16.840.1.101.3.4.2.3", rsa "1.2.840.113549.1.1.13" ecdsa "1.2.840.10045.4.3.4";
    Sha512_224 = 10, 28, "2.16.840.1.101.3.4.2.5", rsa "1.2.840.113549.1.1.15";
    Sha512_256 = 11, 32, "2.16.840.1.101.3.4.2.6", rsa "1.2.840.113549.1.1.16";
    Sha3_224 = 12, 28, "2.16.840.1.101.3.4.2.7", rsa "2.16.840.1.101.3.4.3.13" ecdsa "2.16.840.1.101.3.4.3.9";
    Sha3_256 = 13, 32, "2.16.840.1.101.3.4.2.8", rsa "2.16.840.1.101.3.4.3.14" ecdsa "2.16.840.1.101.3.4.3.10";
    Sha3_384 = 14, 48, "2.16.840.1.101.3.4.2.9", rsa "2.16.840.1.101.3.4.3.15" ecdsa "2.16.840.1.101.3.4.3.11";
    Sha3_512 = 15, 64, "2.16.840.1.101.3.4.2.10", rsa "2.16.840.1.101.3.4.3.16" ecdsa "2.16.840.1.101.3.4.3.12";
}

const fn only(column: &[&'static str]) -> Option<&'static str> {
    match column {
        [oid, ..] => Some(*oid),
        [] => None,
    }
}

/// `SEQUENCE { SEQUENCE { oid, NULL }, OCTET STRING of len bytes }` without these bytes.
#[expect(clippy::cast_possible_truncation, reason = "object identifiers of hashes have at most nine bytes")]
const fn digest_info<const N: usize>(oid: &[u8], len: u8) -> [u8; N] {
    let mut info = [0; N];
    let (header, rest) = info.split_at_mut(6);
    header.copy_from_slice(&[0x30, N as u8 - 2 + len, 0x30, oid.len() as u8 + 4, 0x06, oid.len() as u8]);
    let (identifier, rest) = rest.split_at_mut(oid.len());
    identifier.copy_from_slice(oid);
    rest.copy_from_slice(&[0x05, 0x00, 0x04, len]);
    info
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
    /// A digest is never empty.
    pub const fn is_empty(self) -> bool {
        false
    }

    /// The DER of its object identifier.
    pub fn oid_der(self) -> &'static [u8] {
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
}

oneof! {
    /// The hash of a signature scheme. `Any` stands in policies only.
    SignHash {
        1 Any,
        2 Specific = hash: Hash,
    }
}

impl From<Hash> for SignHash {
    fn from(hash: Hash) -> Self {
        Self::Specific(hash)
    }
}

/// What a signature scheme signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Input {
    /// The digest that this hash makes of the message.
    Digest(SignHash),
    /// What the caller has made of the message.
    Bytes,
    /// The message itself: it takes no hash that the caller made.
    Message,
}

macro_rules! schemes {
    (@with $wanted:ident $scheme:ident { hash: SignHash }) => {
        Self::$scheme { hash: $wanted }
    };
    (@with $wanted:ident $scheme:ident $({ $($field:ident: $type:ty),* })?) => {
        Self::$scheme $({ $($field),* })?
    };
    (@usual $scheme:ident $({ $($field:ident),* })?) => {
        Self::$scheme $({ $($field),* })?
    };
    (@usual $scheme:ident $({ $($field:ident),* })? usually $usual:expr) => {
        $usual
    };
    ($($(#[$note:meta])* $number:literal $scheme:ident $({ $($field:ident: $type:tt),* })? $name:literal $input:expr, $place:ident [$($keys:tt)*]
        $(, usually $usual:expr)?;)*) => {
        oneof! {
            /// A signature scheme.
            Signature { $($(#[$note])* $number $scheme $({ $($field: $type),* })?,)* }
        }

        #[allow(unused_variables, reason = "a row needs not all parameters of its scheme in each column")]
        impl Signature {
            /// The name that people give it, without its hash.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$scheme $({ $($field: _),* })? => $name,)* }
            }

            const fn input(self) -> Input {
                match self { $(Self::$scheme $({ $($field),* })? => $input,)* }
            }

            /// The same scheme with this hash, if it leaves the choice of one.
            const fn with(self, wanted: SignHash) -> Self {
                match self {
                    $(Self::$scheme $({ $($field),* })? => schemes!(@with wanted $scheme $({ $($field: $type),* })?),)*
                }
            }

            /// The same scheme with the parameters that it usually has, as policies write it.
            pub const fn usual(self) -> Self {
                match self {
                    $(Self::$scheme $({ $($field),* })? => schemes!(@usual $scheme $({ $($field),* })? $(usually $usual)?),)*
                }
            }
        }
    };
}

use Input::{Bytes, Digest, Message};

signatures!(schemes);

impl Signature {
    /// The hash that the scheme names, if it names one.
    pub const fn hash(self) -> Option<Hash> {
        match self.input() {
            Digest(SignHash::Specific(hash)) => Some(hash),
            _ => None,
        }
    }

    /// The hash that it names where it could name another one.
    pub fn chosen_hash(self) -> Option<Hash> {
        self.hash().filter(|_| self.usual() != self.any_hash())
    }

    /// Whether it can be run: no hash is left open.
    pub const fn concrete(self) -> bool {
        !matches!(self.input(), Digest(SignHash::Any))
    }

    /// Whether it signs messages only: it takes no hash that the caller made.
    pub const fn whole_message(self) -> bool {
        matches!(self.input(), Message)
    }

    /// The same scheme with the hash left open, as policies write it.
    pub const fn any_hash(self) -> Self {
        self.usual().with(SignHash::Any)
    }

    /// The same scheme; with this hash, if its own is left open.
    pub const fn or_hash(self, hash: Hash) -> Self {
        if self.concrete() { self } else { self.with(SignHash::Specific(hash)) }
    }
}

oneof! {
    /// An asymmetric encryption scheme.
    Encryption {
        /// RSAES-PKCS1-v1_5.
        1 RsaPkcs1v15,
        /// RSAES-OAEP, MGF1 with the same hash.
        2 RsaOaep { hash: Hash },
        /// RSAEP and RSADP (RFC 8017 §5.1) over what the caller has padded, as long as the modulus. With it, everything can be
        /// decrypted, and signed.
        100 RsaRaw,
        /// RSAES-OAEP with another hash for MGF1. If you may use OAEP with the hash, you may use it.
        101 RsaOaepWith { hash: Hash, mgf: Hash },
    }
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

/// A struct of an algorithm and one more parameter that it may have. On the wire it is a choice between the two.
macro_rules! optional_parameter {
    ($(#[$doc:meta])* $name:ident = $form:ident($(#[$kind_doc:meta])* $kind:ident: $type:ty, $(#[$more_doc:meta])* $more:ident: $parameter:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name {
            $(#[$kind_doc])*
            pub $kind: $type,
            $(#[$more_doc])*
            pub $more: Option<$parameter>,
        }

        oneof! {
            $form {
                1 Alone = $kind: $type,
                2 With($kind: $type, $more: $parameter),
            }
        }

        impl From<$name> for $form {
            fn from($name { $kind, $more }: $name) -> Self {
                $more.map_or(Self::Alone($kind), |$more| Self::With($kind, $more))
            }
        }

        impl From<$form> for $name {
            fn from(form: $form) -> Self {
                match form {
                    $form::Alone($kind) => Self { $kind, $more: None },
                    $form::With($kind, $more) => Self { $kind, $more: Some($more) },
                }
            }
        }

        impl Choice for $name {
            fn encode(self, buf: &mut impl BufMut) {
                Choice::encode($form::from(self), buf);
            }

            fn encoded_len(self) -> usize {
                Choice::encoded_len($form::from(self))
            }

            fn decode(number: u32, wire_type: WireType, buf: &mut impl Buf, ctx: &DecodeContext) -> Read<Option<Self>> {
                Ok(<$form as Choice>::decode(number, wire_type, buf, ctx)?.map(|form| form.map(Into::into)))
            }

            fn upstream(self) -> bool {
                Choice::upstream($form::from(self))
            }
        }
        message!($name);
    };
}

optional_parameter! {
    /// An authenticated cipher.
    Aead = AeadForm(
        /// The mode.
        kind: AeadKind,
        /// Length of the tag in bytes; `None` is the mode's own.
        tag_len: u32
    )
}

oneof! {
    /// A MAC function.
    MacKind {
        1 Hmac { hash: Hash },
        2 CbcMac,
        3 Cmac,
    }
}

optional_parameter! {
    /// A MAC.
    Mac = MacForm(
        /// The function.
        kind: MacKind,
        /// Length in bytes when cut; `None` is the whole.
        len: u32
    )
}

oneof! {
    /// A key derivation.
    Derivation {
        1 Hkdf { hash: Hash },
        2 Tls12Prf { hash: Hash },
        3 Tls12PskToMs { hash: Hash },
        /// The KDF of ANSI X9.63 (SEC 1 §3.6.1).
        100 X963 { hash: Hash },
        /// The hash of the key (PKCS#11 §6.20.10).
        101 Digest { hash: Hash },
        /// The key beside other bytes (PKCS#11 §6.43).
        102 Concatenate,
        /// The caller's data encrypted with the key (PKCS#11 §6.27).
        103 Encrypt = cipher: Cipher,
    }
}

impl Derivation {
    /// The hash that it is built on.
    pub fn hash(self) -> Option<Hash> {
        match self {
            Self::Hkdf { hash }
            | Self::Tls12Prf { hash }
            | Self::Tls12PskToMs { hash }
            | Self::X963 { hash }
            | Self::Digest { hash } => Some(hash),
            Self::Concatenate | Self::Encrypt(_) => None,
        }
    }
}

oneof! {
    /// A key agreement, and what is made of its secret.
    KeyAgreement {
        1 Raw = agreement: Agreement,
        2 WithKeyDerivation(agreement: Agreement, kdf: Derivation),
    }
}

impl KeyAgreement {
    /// The agreement by itself.
    pub const fn agreement(self) -> Agreement {
        match self {
            Self::Raw(agreement) | Self::WithKeyDerivation(agreement, _) => agreement,
        }
    }
}

oneof! {
    /// Any algorithm; what an operation asks for and what a policy permits.
    Algorithm {
        1 None,
        2 Hash = hash: Hash,
        3 Mac = mac: Mac,
        4 Cipher = cipher: Cipher,
        5 Aead = aead: Aead,
        6 Signature = signature: Signature,
        7 Encryption = encryption: Encryption,
        8 Agreement = agreement: KeyAgreement,
        9 Derivation = derivation: Derivation,
        100 Kem = kem: Kem,
    }
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
                asked.concrete() && (policy == asked || policy == asked.usual() || policy == asked.any_hash())
            }
            (Self::Encryption(policy), Self::Encryption(asked)) => policy == asked || policy == asked.usual(),
            (Self::Agreement(KeyAgreement::Raw(policy)), Self::Agreement(asked)) => policy == asked.agreement(),
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
                | Self::Derivation(Derivation::Encrypt(_))
        )
    }

    /// Whether upstream's protocol can express it.
    pub fn upstream(self) -> bool {
        Choice::upstream(self)
    }

    /// The hash that the algorithm is built on.
    pub fn hash(self) -> Option<Hash> {
        match self {
            Self::Hash(hash)
            | Self::Mac(Mac { kind: MacKind::Hmac { hash }, .. })
            | Self::Encryption(Encryption::RsaOaep { hash } | Encryption::RsaOaepWith { hash, .. }) => Some(hash),
            Self::Signature(signature) => signature.hash(),
            Self::Agreement(KeyAgreement::WithKeyDerivation(_, kdf)) | Self::Derivation(kdf) => kdf.hash(),
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
into_algorithm!(Hash, Mac, Cipher, Aead, Signature, Encryption, Derivation, Kem);

impl From<Agreement> for Algorithm {
    fn from(agreement: Agreement) -> Self {
        Self::Agreement(KeyAgreement::Raw(agreement))
    }
}

impl TryFrom<Algorithm> for Agreement {
    type Error = Status;

    /// An algorithm of another class, or a derivation from the secret, is [`Status::InvalidEncoding`].
    fn try_from(algorithm: Algorithm) -> Result<Self, Status> {
        match algorithm {
            Algorithm::Agreement(KeyAgreement::Raw(agreement)) => Ok(agreement),
            _ => Err(Status::InvalidEncoding),
        }
    }
}
