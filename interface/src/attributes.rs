//! What a key is (type and size) and what it may do (its policy), parsed from [`crate::message::KeyAttributes`].

pub use crate::key_type::{DhFamily, EccFamily, KeyType};

use crate::Status;
use crate::algorithm::{Algorithm, Derivation, Encryption, Signature};
use crate::message::{self, required};
use crate::oneof::Choice;

/// What a key may do: a set of flags.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Usage(u16);

macro_rules! usages {
    ($($name:ident $field:ident = $bit:literal,)*) => {
        #[expect(missing_docs, reason = "the flags are named as in the PSA Crypto API")]
        impl Usage {
            $(pub const $name: Self = Self(1 << $bit);)*

            /// Each flag with its name.
            pub const NAMES: &'static [(&'static str, Self)] = &[$((stringify!($field), Self::$name)),*];
        }

        impl From<&message::UsageFlags> for Usage {
            fn from(flags: &message::UsageFlags) -> Self {
                Self::NONE $(| if flags.$field { Self::$name } else { Self::NONE })*
            }
        }

        impl From<Usage> for message::UsageFlags {
            fn from(usage: Usage) -> Self {
                Self { $($field: usage.contains(Usage::$name),)* }
            }
        }
    };
}

usages! {
    EXPORT export = 0,
    COPY copy = 1,
    CACHE cache = 2,
    ENCRYPT encrypt = 3,
    DECRYPT decrypt = 4,
    SIGN_MESSAGE sign_message = 5,
    VERIFY_MESSAGE verify_message = 6,
    SIGN_HASH sign_hash = 7,
    VERIFY_HASH verify_hash = 8,
    DERIVE derive = 9,
    WRAP wrap = 10,
    UNWRAP unwrap = 11,
}

impl Usage {
    /// No flag.
    pub const NONE: Self = Self(0);
    /// Every flag.
    pub const ALL: Self = Self(0xfff);
    /// Both flags of signing.
    pub const SIGN: Self = Self(Self::SIGN_HASH.0 | Self::SIGN_MESSAGE.0);
    /// Both flags of verifying.
    pub const VERIFY: Self = Self(Self::VERIFY_HASH.0 | Self::VERIFY_MESSAGE.0);

    /// What is granted, by the names that people give it.
    pub const ROLES: &'static [(&'static str, Self)] = &[
        ("sign", Self::SIGN),
        ("verify", Self::VERIFY),
        ("encrypt", Self::ENCRYPT),
        ("decrypt", Self::DECRYPT),
        ("derive", Self::DERIVE),
        ("wrap", Self::WRAP),
        ("unwrap", Self::UNWRAP),
        ("export", Self::EXPORT),
    ];

    /// The roles with at least one of these flags.
    pub fn roles(self) -> Vec<&'static str> {
        Self::ROLES.iter().filter(|(_, role)| !self.and(*role).is_empty()).map(|(name, _)| *name).collect()
    }

    /// Whether all flags of `other` are set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The flags of both.
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The flags that both have.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The flags of this set that are not in the other.
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The flags that either has.
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The set with what it implies: who may sign or verify a hash may do so with a message, and what may leave in plain may leave
    /// under another key's protection.
    pub const fn implied(self) -> Self {
        let messages = (self.0 & (Self::SIGN_HASH.0 | Self::VERIFY_HASH.0)) >> 2;
        let copy = (self.0 & Self::EXPORT.0) << 1;
        Self(self.0 | messages | copy)
    }

    /// No flag is set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The flags as a number, bit 0 being `export`.
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// The set with these bits; others are dropped.
    pub const fn from_bits(bits: u16) -> Self {
        Self(bits & Self::ALL.0)
    }
}

impl std::ops::BitOr for Usage {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.or(other)
    }
}

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = Self::NAMES.iter().filter(|(_, flag)| self.contains(*flag)).map(|(name, _)| *name).collect();
        f.write_str(&names.join(","))
    }
}

impl std::fmt::Debug for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Usage({self})")
    }
}

/// What a key may do, and with which algorithms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The permitted uses.
    pub usage: Usage,
    /// The permitted algorithm.
    pub algorithm: Algorithm,
    /// Further permitted algorithms, an extension: a TLS server's RSA key signs with PKCS#1 v1.5 and with PSS.
    pub also: Vec<Algorithm>,
}

impl Policy {
    /// Every permitted algorithm.
    pub fn algorithms(&self) -> impl Iterator<Item = Algorithm> {
        std::iter::once(self.algorithm).chain(self.also.iter().copied())
    }

    /// Whether all that it permits is RSASSA-PSS: certificates of such keys may say `id-RSASSA-PSS`.
    pub fn pss_alone(&self) -> bool {
        self.algorithms().all(|algorithm| {
            let pss = |signature: Signature| matches!(signature.any_hash(), Signature::RsaPss { .. });
            matches!(algorithm, Algorithm::Signature(signature) if pss(signature))
        })
    }

    /// Everything that either permits.
    #[must_use]
    pub fn or(mut self, other: &Self) -> Self {
        self.usage = self.usage | other.usage;
        self.also.extend(other.algorithms());
        self
    }

    /// Whether the policy permits this concrete algorithm.
    pub fn permits(&self, asked: Algorithm) -> bool {
        self.algorithms().any(|algorithm| algorithm.permits(asked))
    }

    /// What else this use of the key is, for whoever chooses what it is applied to. Single blocks, encrypted, decrypt what modes with a
    /// nonce have encrypted ([`Algorithm::codebook`]); RSA without padding decrypts where it signs, and signs where it decrypts; a
    /// concatenation with nothing is the same key, to be used at will, and as open as this one.
    pub fn entails(&self, usage: Usage, asked: Algorithm) -> Usage {
        let has = |kind: fn(Algorithm) -> bool| self.algorithms().any(kind);
        match asked {
            _ if asked.codebook() && has(Algorithm::takes_nonce) => Usage::DECRYPT,
            Algorithm::Signature(Signature::RsaRaw) if has(|other| matches!(other, Algorithm::Encryption(_))) => Usage::DECRYPT,
            Algorithm::Encryption(Encryption::RsaRaw)
                if usage == Usage::DECRYPT && has(|other| matches!(other, Algorithm::Signature(_))) =>
            {
                Usage::SIGN_HASH
            }
            Algorithm::Derivation(Derivation::Concatenate) => self.usage.without(Usage::COPY | Usage::CACHE),
            _ => Usage::NONE,
        }
    }
}

/// What a key is and what it may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attributes {
    /// The type.
    pub key_type: KeyType,
    /// The size. Zero on import: as the key's data says.
    pub bits: u32,
    /// The policy.
    pub policy: Policy,
}

impl Attributes {
    /// Those of the public half: it may do what of the policy needs no private key.
    #[must_use]
    pub fn public(&self) -> Self {
        let usage = self.policy.usage.and(Usage::VERIFY | Usage::ENCRYPT | Usage::WRAP);
        Self { key_type: self.key_type.public(), bits: self.bits, policy: Policy { usage, ..self.policy.clone() } }
    }

    /// Whether upstream's protocol can express them; what it cannot is hidden from its clients.
    pub fn upstream(&self) -> bool {
        Choice::upstream(self.key_type) && self.policy.algorithm.upstream()
    }

    /// Whether a part of them is on upstream's list of deprecated primitives, or weaker than its types are today: RSA and
    /// Diffie-Hellman with less than 2048 bits, P-192, DSA (FIPS 186-5).
    ///
    /// Upstream has no say in further algorithms: what of them is too weak is refused at each use.
    pub fn deprecated(&self) -> bool {
        let key_type = match self.key_type {
            KeyType::Des | KeyType::Arc4 | KeyType::DsaKeyPair => true,
            KeyType::RsaKeyPair | KeyType::DhKeyPair(DhFamily::Own) => (1..2048).contains(&self.bits),
            KeyType::EccKeyPair(EccFamily::SecpR1) => (1..224).contains(&self.bits),
            KeyType::EccPublicKey(family) => match family {
                EccFamily::SecpR2 | EccFamily::SectR2 => true,
                EccFamily::BrainpoolPR1 => self.bits == 160,
                EccFamily::SectK1 | EccFamily::SectR1 => self.bits == 163,
                _ => false,
            },
            _ => false,
        };
        key_type || self.policy.algorithm.deprecated()
    }
}

impl TryFrom<&message::KeyAttributes> for Attributes {
    type Error = Status;

    fn try_from(message: &message::KeyAttributes) -> Result<Self, Status> {
        let policy = required(message.key_policy.as_ref())?;
        Ok(Self {
            key_type: required(message.key_type.as_ref())?.try_into()?,
            bits: message.key_bits,
            policy: Policy {
                usage: required(policy.key_usage_flags.as_ref())?.into(),
                algorithm: required(policy.key_algorithm.as_ref())?.try_into()?,
                also: policy.also.iter().map(Algorithm::try_from).collect::<Result<_, _>>()?,
            },
        })
    }
}

impl From<&Attributes> for message::KeyAttributes {
    fn from(attributes: &Attributes) -> Self {
        let policy = &attributes.policy;
        Self {
            key_type: Some(attributes.key_type.into()),
            key_bits: attributes.bits,
            key_policy: Some(message::KeyPolicy {
                key_usage_flags: Some(policy.usage.into()),
                key_algorithm: Some(policy.algorithm.into()),
                also: policy.also.iter().copied().map(Into::into).collect(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithm::{Aead, AeadKind, Cipher, Hash, Kem, SignHash};

    fn rsa(algorithm: Algorithm, also: Vec<Algorithm>) -> Attributes {
        Attributes { key_type: KeyType::RsaKeyPair, bits: 2048, policy: Policy { usage: Usage::SIGN_HASH, algorithm, also } }
    }

    #[test]
    fn sha1_is_deprecated_where_upstream_has_a_say() {
        let pss = |hash| Algorithm::from(Signature::RsaPss { hash: SignHash::Specific(hash) });
        let oaep = Algorithm::from(Encryption::RsaOaep { hash: Hash::Sha1 });
        assert!(!rsa(pss(Hash::Sha256), vec![]).deprecated());
        assert!(rsa(pss(Hash::Sha1), vec![]).deprecated());
        assert!(!rsa(pss(Hash::Sha256), vec![pss(Hash::Sha1)]).deprecated());
        assert!(rsa(oaep, vec![]).deprecated());
        assert!(!rsa(pss(Hash::Sha256), vec![oaep]).deprecated());
        assert!(Attributes { bits: 1024, ..rsa(pss(Hash::Sha256), vec![]) }.deprecated());
    }

    #[test]
    fn a_policy_permits_what_it_names() {
        let any = Algorithm::from(Signature::Ecdsa { hash: SignHash::Any });
        let specific = Algorithm::from(Signature::Ecdsa { hash: SignHash::Specific(Hash::Sha256) });
        let permits = |policy, asked| rsa(policy, vec![]).policy.permits(asked);
        let pss = |hash| Algorithm::from(Signature::RsaPss { hash });
        let salted = Signature::RsaPssWith { hash: Hash::Sha256, mgf: Hash::Sha1, salt_len: 0 }.into();
        assert!(permits(pss(SignHash::Any), salted) && permits(pss(Hash::Sha256.into()), salted));
        assert!(!permits(pss(Hash::Sha384.into()), salted) && !permits(salted, pss(Hash::Sha256.into())));
        assert!(permits(any, specific) && permits(specific, specific));
        assert!(
            !permits(specific, any) && !permits(any, Signature::EcdsaAny.into()) && !permits(Algorithm::None, Algorithm::None)
        );
    }

    #[test]
    fn what_a_chosen_nonce_decrypts_single_blocks_decrypt_too() {
        let modes = |wanted: fn(Algorithm) -> bool| -> Vec<_> {
            Cipher::ALL.iter().copied().filter(|cipher| wanted(Algorithm::Cipher(*cipher))).collect()
        };
        assert_eq!(modes(Algorithm::reveals), [Cipher::StreamCipher, Cipher::Ctr, Cipher::Cfb, Cipher::Ofb]);
        assert_eq!(modes(|mode| !mode.takes_nonce()), [Cipher::EcbNoPadding, Cipher::KeyWrap, Cipher::KeyWrapPadded]);
        for &kind in AeadKind::ALL {
            assert!(Algorithm::Aead(Aead { kind, tag_len: None }).reveals());
        }
        let ecb = Algorithm::from(Cipher::EcbNoPadding);
        let derivation = Derivation::Encrypt(Cipher::CbcNoPadding).into();
        let beside = |other: Cipher| rsa(ecb, vec![derivation, other.into()]).policy;
        assert_eq!(beside(Cipher::Ctr).entails(Usage::ENCRYPT, ecb), Usage::DECRYPT);
        assert_eq!(beside(Cipher::CbcPkcs7).entails(Usage::DERIVE, derivation), Usage::DECRYPT);
        assert_eq!(beside(Cipher::Ctr).entails(Usage::ENCRYPT, Cipher::Ctr.into()), Usage::NONE);
        assert_eq!(beside(Cipher::KeyWrap).entails(Usage::ENCRYPT, ecb), Usage::NONE);
    }

    #[test]
    fn raw_rsa_is_every_use_that_the_key_has() {
        let (sign, decrypt) = (Algorithm::from(Signature::RsaRaw), Algorithm::from(Encryption::RsaRaw));
        let both = rsa(sign, vec![decrypt]).policy;
        assert_eq!(both.entails(Usage::SIGN_HASH, sign), Usage::DECRYPT);
        assert_eq!(both.entails(Usage::DECRYPT, decrypt), Usage::SIGN_HASH);
        assert_eq!(both.entails(Usage::ENCRYPT, decrypt), Usage::NONE);
        assert_eq!(rsa(sign, vec![]).policy.entails(Usage::SIGN_HASH, sign), Usage::NONE);
    }

    #[test]
    fn a_concatenation_is_every_use_that_the_key_has() {
        let join = Algorithm::from(Derivation::Concatenate);
        let all = Usage::DERIVE | Usage::ENCRYPT | Usage::EXPORT;
        let policy = Policy { usage: all | Usage::COPY, ..rsa(join, vec![]).policy };
        assert_eq!(policy.entails(Usage::DERIVE, join), all);
    }

    #[test]
    fn attributes_survive_the_wire() {
        let sent =
            rsa(Signature::RsaPkcs1v15 { hash: SignHash::Any }.into(), vec![Signature::RsaPss { hash: SignHash::Any }.into()]);
        let message = message::KeyAttributes::from(&sent);
        assert_eq!(Attributes::try_from(&message), Ok(sent));
        let without_policy = message::KeyAttributes { key_policy: None, ..message };
        assert_eq!(Attributes::try_from(&without_policy), Err(Status::InvalidEncoding));
    }

    #[test]
    fn post_quantum_keys_are_hidden_from_upstream_and_survive_the_wire() {
        let policies = [Signature::MlDsa.into(), Signature::HashMlDsa { hash: SignHash::Any }.into(), Kem::MlKem.into()];
        for algorithm in policies {
            for key_type in [KeyType::MlDsaKeyPair, KeyType::MlDsaPublicKey, KeyType::MlKemKeyPair, KeyType::MlKemPublicKey] {
                let sent = Attributes { key_type, bits: 768, ..rsa(algorithm, vec![]) };
                assert!(!sent.upstream() && !rsa(algorithm, vec![]).upstream());
                assert_eq!(Attributes::try_from(&message::KeyAttributes::from(&sent)), Ok(sent));
            }
        }
    }

    #[test]
    fn hash_use_implies_message_use() {
        assert!(Usage::SIGN_HASH.implied().contains(Usage::SIGN_MESSAGE));
        assert!(Usage::VERIFY_HASH.implied().contains(Usage::VERIFY_MESSAGE));
        assert!(!Usage::SIGN_MESSAGE.implied().contains(Usage::SIGN_HASH));
        assert_eq!(Usage::EXPORT.implied(), Usage::EXPORT | Usage::COPY);
        assert_eq!(Usage::COPY.implied(), Usage::COPY);
    }
}
