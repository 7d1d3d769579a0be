//! What keys may do when nobody says more than what they are for: one table, for the command line and for the shims.

use crate::algorithm::{Aead, AeadKind, Agreement, Algorithm, Cipher, Encryption, Hash, Kem, Mac, MacKind, SignHash, Signature};
use crate::attributes::{DhFamily, EccFamily, KeyType, Policy, Usage};
use crate::message::Pkcs11Attribute;
use crate::table::signatures;
use crate::vendor;

/// What a key is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Job {
    /// Signing, with the private key of a pair.
    Sign,
    /// Decrypting, with the private key of a pair.
    Decrypt,
    /// Agreeing on secrets.
    Agree,
    /// Encrypting and decrypting, with a secret key.
    Encrypt,
    /// Making MACs, with a secret key.
    Authenticate,
}

/// What people say that a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variants are what their names say")]
pub enum Purpose {
    TlsServer,
    TlsClient,
    Ssh,
    CodeSigning,
    Jwt,
    Encryption,
}

impl Purpose {
    /// Every purpose.
    pub const ALL: [Self; 6] = [Self::TlsServer, Self::TlsClient, Self::Ssh, Self::CodeSigning, Self::Jwt, Self::Encryption];

    /// Its name, as people type it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TlsServer => "tls-server",
            Self::TlsClient => "tls-client",
            Self::Ssh => "ssh",
            Self::CodeSigning => "code-signing",
            Self::Jwt => "jwt",
            Self::Encryption => "encryption",
        }
    }

    /// The purpose of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.name() == name)
    }

    /// What the service is to keep with a key for this purpose.
    pub fn kept(self) -> Pkcs11Attribute {
        Pkcs11Attribute { kind: vendor::PURPOSE, value: self.name().into() }
    }

    /// The purpose that is kept with a key; none for a key that was made without one.
    pub fn of(kept: &[Pkcs11Attribute]) -> Option<Self> {
        let kept = kept.iter().find(|kept| kept.kind == vendor::PURPOSE)?;
        Self::named(std::str::from_utf8(&kept.value).ok()?)
    }

    /// What a key does for it.
    pub const fn job(self) -> Job {
        match self {
            Self::TlsServer | Self::TlsClient | Self::Ssh | Self::CodeSigning | Self::Jwt => Job::Sign,
            Self::Encryption => Job::Decrypt,
        }
    }

    /// The policy of a key of this type for this purpose alone; `None` where such keys are not fit for it. What is encrypted to an
    /// elliptic-curve key is decrypted by agreeing on a secret.
    pub fn policy(self, key_type: KeyType) -> Option<Policy> {
        let agree = || Job::Agree.policy(key_type).filter(|_| self == Self::Encryption);
        self.job().policy(key_type).or_else(agree)
    }
}

/// The algorithms of one type of key for one job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repertoire {
    /// Safe whatever the program does, the best one first.
    pub usual: Vec<Algorithm>,
    /// For keys of programs that choose the algorithm at each use.
    pub more: Vec<Algorithm>,
    /// Dangerous beside any other use of the key, so only for keys whose maker names it.
    pub named: Vec<Algorithm>,
}

impl Repertoire {
    /// The usual algorithms, then the others that need not be named.
    pub fn unnamed(&self) -> impl Iterator<Item = Algorithm> {
        self.usual.iter().chain(&self.more).copied()
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = Algorithm> {
        self.unnamed().chain(self.named.iter().copied())
    }
}

/// The policy of a key that programs use as they do one in a file: for every job of its type, with every algorithm that need not be
/// named; `None` for a type without any.
pub fn in_a_file(key_type: KeyType) -> Option<Policy> {
    let jobs = Job::ALL.iter().map(|job| (job.usage(), job.repertoire(key_type)));
    let jobs: Vec<_> = jobs.filter(|(_, repertoire)| repertoire.unnamed().next().is_some()).collect();
    let mut algorithms = jobs.iter().flat_map(|(_, repertoire)| repertoire.unnamed());
    let usage = jobs.iter().fold(Usage::NONE, |sum, (usage, _)| sum | *usage);
    Some(Policy { usage, algorithm: algorithms.next()?, also: algorithms.collect() })
}

impl Job {
    /// Every job.
    pub const ALL: [Self; 5] = [Self::Sign, Self::Decrypt, Self::Agree, Self::Encrypt, Self::Authenticate];

    /// The usage of whoever has the whole key.
    pub const fn usage(self) -> Usage {
        match self {
            Self::Sign => Usage::SIGN.with(Usage::VERIFY),
            Self::Decrypt | Self::Encrypt => Usage::ENCRYPT.with(Usage::DECRYPT),
            Self::Agree => Usage::DERIVE,
            Self::Authenticate => Usage::SIGN_MESSAGE.with(Usage::VERIFY_MESSAGE),
        }
    }

    /// The policy of a key of this type for this job alone; `None` where such keys cannot do it.
    pub fn policy(self, key_type: KeyType) -> Option<Policy> {
        let mut usual = self.repertoire(key_type).usual.into_iter();
        Some(Policy { usage: self.usage(), algorithm: usual.next()?, also: usual.collect() })
    }

    /// The algorithms of a type of key for this job; none where such keys cannot do it.
    pub fn repertoire(self, key_type: KeyType) -> Repertoire {
        match (self, key_type.public()) {
            (Self::Sign, key) => signing(key),
            (Self::Decrypt, KeyType::RsaPublicKey) => {
                let oaep = |hash| Encryption::RsaOaep { hash }.into();
                let mut more: Vec<_> = HASHES.iter().copied().map(oaep).collect();
                more.push(Encryption::RsaPkcs1v15.into());
                Repertoire { usual: vec![oaep(Hash::Sha256)], more, named: vec![Encryption::RsaRaw.into()] }
            }
            (Self::Decrypt, KeyType::MlKemPublicKey) => usual([Kem::MlKem]),
            (Self::Agree, KeyType::EccPublicKey(family)) if family != EccFamily::TwistedEdwards => usual([Agreement::Ecdh]),
            (Self::Agree, KeyType::DhPublicKey(DhFamily::Own)) => usual([Agreement::Ffdh]),
            (Self::Encrypt, KeyType::Aes) => aes(),
            (Self::Encrypt, KeyType::Des) => Repertoire { more: BLOCKS.map(Algorithm::Cipher).into(), ..Repertoire::default() },
            (Self::Encrypt, KeyType::ChaCha20) => usual([Aead { kind: AeadKind::ChaCha20Poly1305, tag_len: None }]),
            (Self::Authenticate, KeyType::Hmac) => Repertoire {
                usual: vec![hmac(Hash::Sha256)],
                more: HASHES.iter().copied().map(hmac).collect(),
                ..Repertoire::default()
            },
            (Self::Authenticate, KeyType::Aes) => usual([Mac { kind: MacKind::Cmac, len: None }]),
            _ => Repertoire::default(),
        }
    }
}

macro_rules! repertoire {
    (@none $($rest:tt)*) => {};
    (@$place:ident $repertoire:ident $key:ident [$($keys:tt)*] $scheme:ident { $($field:ident),* }) => {
        if matches!($key, $($keys)*) {
            $repertoire.$place.push(Signature::$scheme { $($field: SignHash::Any),* }.into());
        }
    };
    ($($(#[$note:meta])* $number:literal $scheme:ident $({ $($field:ident: $type:tt),* })? $name:literal $input:expr,
        $place:ident [$($keys:tt)*] $(, usually $usual:expr)?;)*) => {
        /// The signature schemes of a public key, with every hash.
        fn signing(key: KeyType) -> Repertoire {
            use KeyType::*;
            let mut repertoire = Repertoire::default();
            $(repertoire!(@$place repertoire key [$($keys)*] $scheme { $($($field),*)? });)*
            repertoire
        }
    };
}

signatures!(repertoire);

/// The hashes of HMAC and OAEP beside SHA-256; the collisions of SHA-1 are none of theirs.
const HASHES: &[Hash] = &[
    Hash::Sha384,
    Hash::Sha512,
    Hash::Sha224,
    Hash::Sha512_224,
    Hash::Sha512_256,
    Hash::Sha3_224,
    Hash::Sha3_256,
    Hash::Sha3_384,
    Hash::Sha3_512,
    Hash::Sha1,
];

fn usual<A: Into<Algorithm>, const N: usize>(algorithms: [A; N]) -> Repertoire {
    Repertoire { usual: algorithms.map(Into::into).into(), ..Repertoire::default() }
}

fn hmac(hash: Hash) -> Algorithm {
    Mac { kind: MacKind::Hmac { hash }, len: None }.into()
}

/// Shorter tags are permitted as far as they are still hard to guess, and all that CCM has: it authenticates how long its tag is, so that
/// nobody guesses a short one for what has a long one.
fn aes() -> Repertoire {
    let aead = |kind, tag_len| Algorithm::Aead(Aead { kind, tag_len });
    let gcm = [12, 13, 14, 15].map(|len| aead(AeadKind::Gcm, Some(len)));
    let ccm = [None, Some(4), Some(6), Some(8), Some(10), Some(12), Some(14)].map(|len| aead(AeadKind::Ccm, len));
    let blocks = BLOCKS.map(Algorithm::Cipher);
    let own = [Cipher::Ctr, Cipher::Ofb, Cipher::Cfb, Cipher::KeyWrap, Cipher::KeyWrapPadded].map(Algorithm::Cipher);
    let more = [&gcm[..], &ccm, &blocks, &own].concat();
    Repertoire { usual: vec![aead(AeadKind::Gcm, None)], more, ..Repertoire::default() }
}

/// The modes of every block cipher.
const BLOCKS: [Cipher; 3] = [Cipher::EcbNoPadding, Cipher::CbcNoPadding, Cipher::CbcPkcs7];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_rsa_signing_key_serves_every_version_of_tls() {
        let policy = Job::Sign.policy(KeyType::RsaKeyPair).unwrap();
        let hash = Hash::Sha256.into();
        assert!(policy.permits(Signature::RsaPkcs1v15 { hash }.into()));
        assert!(policy.permits(Signature::RsaPss { hash }.into()));
        assert!(policy.permits(Signature::RsaPkcs1v15Raw.into()));
        assert!(!policy.permits(Encryption::RsaPkcs1v15.into()));
    }

    #[test]
    fn purposes_have_names_and_policies_of_their_own() {
        for purpose in Purpose::ALL {
            assert_eq!(Purpose::named(purpose.name()), Some(purpose));
            assert_eq!(Purpose::of(&[Pkcs11Attribute { kind: 0x102, value: vec![] }, purpose.kept()]), Some(purpose));
            assert!(purpose.policy(KeyType::RsaKeyPair).is_some(), "{purpose:?}");
        }
        assert_eq!(Purpose::of(&[]), None);
        let curve = KeyType::EccKeyPair(EccFamily::SecpR1);
        let both = Purpose::Jwt.policy(curve).unwrap().or(&Purpose::Encryption.policy(curve).unwrap());
        assert!(both.permits(Agreement::Ecdh.into()) && both.permits(Signature::EcdsaAny.into()));
        assert_eq!(both.usage, Usage::SIGN | Usage::VERIFY | Usage::DERIVE);
        assert_eq!(Purpose::Ssh.policy(KeyType::EccKeyPair(EccFamily::Montgomery)), None);
        let pss = Policy { algorithm: Signature::RsaPss { hash: SignHash::Any }.into(), also: Vec::new(), ..both.clone() };
        assert!(pss.pss_alone() && !pss.or(&both).pss_alone());
    }

    #[test]
    fn what_is_dangerous_must_be_named() {
        for job in Job::ALL {
            let raw = [Signature::RsaRaw.into(), Encryption::RsaRaw.into()];
            let repertoire = job.repertoire(KeyType::RsaKeyPair);
            assert!(!repertoire.unnamed().any(|algorithm| raw.contains(&algorithm)));
        }
        assert_eq!(Job::Sign.repertoire(KeyType::RsaPublicKey).all().count(), 4);
    }

    #[test]
    fn a_key_in_a_file_does_all_that_its_type_does() {
        let rsa = in_a_file(KeyType::RsaKeyPair).unwrap();
        assert_eq!(rsa.usage, Usage::SIGN | Usage::VERIFY | Usage::ENCRYPT | Usage::DECRYPT);
        let sha1 = Encryption::RsaOaep { hash: Hash::Sha1 }.into();
        assert!(
            rsa.permits(Encryption::RsaPkcs1v15.into()) && rsa.permits(sha1) && rsa.permits(Signature::RsaPkcs1v15Raw.into())
        );
        assert!(!rsa.permits(Signature::RsaRaw.into()) && !rsa.permits(Encryption::RsaRaw.into()));
        let curve = in_a_file(KeyType::EccKeyPair(EccFamily::SecpR1)).unwrap();
        assert!(curve.permits(Agreement::Ecdh.into()) && curve.permits(Signature::EcdsaAny.into()));
        assert_eq!(in_a_file(KeyType::EccKeyPair(EccFamily::Montgomery)).unwrap().usage, Usage::DERIVE);
        assert_eq!(in_a_file(KeyType::RawData), None);
    }

    #[test]
    fn keys_do_no_job_that_is_not_theirs() {
        let edwards = KeyType::EccKeyPair(EccFamily::TwistedEdwards);
        assert!(Job::Decrypt.policy(edwards).is_none() && Job::Agree.policy(edwards).is_none());
        assert!(Job::Sign.policy(KeyType::EccKeyPair(EccFamily::Montgomery)).is_none());
        assert!(Job::Sign.policy(KeyType::Aes).is_none());
    }
}
