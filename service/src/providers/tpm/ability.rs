//! What this chip can do. The service asks the chip.

use super::Tpm;
use super::chip::Chip;
use super::failure::{Failure, unsupported};
use super::symmetric::BLOCK;
use super::template::{Parameters, aes};
use crate::admission::Call;
use crate::error::Result;
use crate::provider::Handle;
use crate::providers::{keys, software};
use interface::algorithm::{Algorithm, Cipher, Hash, Mac, MacKind, Signature};
use interface::attributes::{Attributes, KeyType};
use interface::kind::{self, KeyKind};
use interface::message::{Empty, required};
use interface::operations::{CanDoCrypto, CheckType};
use std::ops::RangeInclusive;
use tss_esapi::Error as TssError;
use tss_esapi::constants::tss::{TPM2_CC_EncryptDecrypt2, TPM2_CC_HMAC};
use tss_esapi::constants::{CapabilityType, PropertyTag};
use tss_esapi::interface_types::algorithm::{HashingAlgorithm, SymmetricMode};
use tss_esapi::interface_types::ecc::EccCurve;
use tss_esapi::interface_types::key_bits::{AesKeyBits, RsaKeyBits};
use tss_esapi::structures::{
    CapabilityData, HmacScheme, KeyedHashScheme, Public, PublicKeyedHashParameters, PublicParameters, SymmetricDefinitionObject,
};

/// The keys that some TPM has, in the order in which they are told.
const KEYS: &[(&KeyKind, Parameters)] = &[
    (&kind::RSA_1024, Parameters::Rsa(RsaKeyBits::Rsa1024)),
    (&kind::RSA_2048, Parameters::Rsa(RsaKeyBits::Rsa2048)),
    (&kind::RSA_3072, Parameters::Rsa(RsaKeyBits::Rsa3072)),
    (&kind::RSA_4096, Parameters::Rsa(RsaKeyBits::Rsa4096)),
    (&kind::P192, Parameters::Ecc(EccCurve::NistP192)),
    (&kind::P224, Parameters::Ecc(EccCurve::NistP224)),
    (&kind::P256, Parameters::Ecc(EccCurve::NistP256)),
    (&kind::P384, Parameters::Ecc(EccCurve::NistP384)),
    (&kind::P521, Parameters::Ecc(EccCurve::NistP521)),
    (&kind::AES_128, Parameters::Aes(AesKeyBits::Aes128)),
    (&kind::AES_192, Parameters::Aes(AesKeyBits::Aes192)),
    (&kind::AES_256, Parameters::Aes(AesKeyBits::Aes256)),
];

/// Hashes of signatures and HMACs. For ECDSA the first one that is long enough is taken.
const HASHES: &[(HashingAlgorithm, Hash)] = &[
    (HashingAlgorithm::Sha256, Hash::Sha256),
    (HashingAlgorithm::Sha384, Hash::Sha384),
    (HashingAlgorithm::Sha512, Hash::Sha512),
    (HashingAlgorithm::Sha3_256, Hash::Sha3_256),
    (HashingAlgorithm::Sha3_384, Hash::Sha3_384),
    (HashingAlgorithm::Sha3_512, Hash::Sha3_512),
    (HashingAlgorithm::Sha1, Hash::Sha1),
];

/// Modes of AES. Padding is the service's.
const MODES: &[(Cipher, SymmetricMode)] = &[
    (Cipher::EcbNoPadding, SymmetricMode::Ecb),
    (Cipher::CbcNoPadding, SymmetricMode::Cbc),
    (Cipher::CbcPkcs7, SymmetricMode::Cbc),
    (Cipher::Ctr, SymmetricMode::Ctr),
    (Cipher::Cfb, SymmetricMode::Cfb),
    (Cipher::Ofb, SymmetricMode::Ofb),
];

/// Sizes of HMAC keys in bits: a chip takes none that is longer than the block of SHA-256.
const HMAC_BITS: RangeInclusive<u32> = 8..=512;
/// Bytes in one command, where a chip does not say how many it takes.
const BUFFER: u32 = 1024;

/// The rows of these tables that one chip has.
pub(super) struct Ability {
    keys: Vec<(&'static KeyKind, Parameters)>,
    hashes: Vec<(HashingAlgorithm, Hash)>,
    /// Whether it computes HMACs.
    pub(super) hmac: bool,
    modes: Vec<(Cipher, SymmetricMode)>,
    /// How many bytes one command takes, in whole blocks.
    pub(super) buffer: usize,
}

impl Ability {
    pub(super) fn probe(chip: &mut Chip) -> Result<Self, Failure> {
        // One at a time: the library fails on a list with a command that it does not know.
        let mut knows = |code: u32| match chip.ask(|context| context.get_capability(CapabilityType::Command, code, 1)) {
            Ok((CapabilityData::Commands(list), _)) => Ok(u16::try_from(code).is_ok_and(|code| list.find(code).is_some())),
            Ok(_) | Err(Failure::Tss(TssError::WrapperError(_))) => Ok(false),
            Err(failure) => Err(failure),
        };
        let (hmac, encrypts) = (knows(TPM2_CC_HMAC)?, knows(TPM2_CC_EncryptDecrypt2)?);
        let buffer = chip.ask(|context| context.get_tpm_property(PropertyTag::InputBuffer))?.unwrap_or(BUFFER).min(BUFFER);
        let modes = had(MODES, |&(_, mode)| Ok(encrypts && chip.has(aes(AesKeyBits::Aes128, mode))?))?;
        let usable = |key_type| key_type != KeyType::Aes || !modes.is_empty();
        let keys = had(KEYS, |&(kind, parameters)| Ok(usable(kind.key_type) && chip.has(parameters.into())?))?;
        let keyed = |hash| {
            let hmac_scheme = HmacScheme::new(hash);
            PublicParameters::KeyedHash(PublicKeyedHashParameters::new(KeyedHashScheme::Hmac { hmac_scheme }))
        };
        let hashes = had(HASHES, |&(hash, _)| chip.has(keyed(hash)))?;
        Ok(Self { keys, hashes, hmac, modes, buffer: buffer as usize / BLOCK * BLOCK })
    }

    /// Whether it encrypts.
    pub(super) fn ciphers(&self) -> bool {
        !self.modes.is_empty()
    }

    /// The chip's parameters for a key of this type and size.
    pub(super) fn parameters(&self, key_type: KeyType, bits: u32) -> Result<Parameters> {
        if key_type == KeyType::Hmac && self.hmac && bits.is_multiple_of(8) && HMAC_BITS.contains(&bits) {
            return Ok(Parameters::Hmac);
        }
        let found = self.keys.iter().find(|(kind, _)| (kind.key_type, kind.bits) == (key_type, bits));
        found
            .map(|(_, parameters)| *parameters)
            .ok_or_else(|| unsupported(format!("this TPM has no keys of type {key_type:?} with {bits} bits: it has {self}")))
    }

    /// The chip's name of a hash.
    pub(super) fn hash(&self, hash: Hash) -> Result<HashingAlgorithm> {
        let found = self.hashes.iter().find(|row| row.1 == hash);
        found.map(|row| row.0).ok_or_else(|| unsupported(format!("this TPM has no {hash:?}")))
    }

    /// The chip's name of the mode of a cipher.
    pub(super) fn mode(&self, cipher: Cipher) -> Result<SymmetricMode> {
        let found = self.modes.iter().find(|row| row.0 == cipher);
        found.map(|row| row.1).ok_or_else(|| unsupported(format!("this TPM does not encrypt with {cipher:?}")))
    }

    /// Whether it has keys of this type, of some size.
    fn some(&self, key_type: KeyType) -> bool {
        key_type == KeyType::Hmac && self.hmac || self.keys.iter().any(|(kind, _)| kind.key_type == key_type)
    }

    /// What ECDSA on a curve is asked to sign for a digest, and the hash to name: TPMs sign only what is as long as one of their hashes.
    /// The curve takes the digest's first bits, as many as its order has (FIPS 186-5 §6.4.1); this number does not change.
    pub(super) fn ecdsa(&self, curve_len: usize, digest: &[u8]) -> Result<(HashingAlgorithm, Vec<u8>)> {
        let digest = &digest[..digest.len().min(curve_len)];
        let hash = self.hashes.iter().find(|(_, hash)| hash.len() >= digest.len());
        let (name, hash) = hash.ok_or_else(|| unsupported(format!("this TPM signs no hash of {} bytes", digest.len())))?;
        let mut padded = vec![0; hash.len().min(curve_len) - digest.len()];
        padded.extend_from_slice(digest);
        padded.resize(hash.len(), 0);
        Ok((*name, padded))
    }

    fn check(&self, attributes: &Attributes) -> Result<()> {
        let (key_type, bits) = (attributes.key_type, attributes.bits);
        keys::check("TPM", attributes, |kind| self.some(kind), |kind, bits| self.parameters(kind, bits).map(drop))?;
        attributes.policy.algorithms().try_for_each(|algorithm| match algorithm {
            Algorithm::Signature(Signature::EcdsaAny | Signature::Ecdsa { .. }) if key_type.is_pair() => {
                let len = algorithm.hash().map_or(0, Hash::len);
                self.ecdsa(bits.div_ceil(8) as usize, &vec![0; len]).map(drop)
            }
            Algorithm::Mac(Mac { kind: MacKind::Hmac { hash }, .. }) => self.hash(hash).map(drop),
            Algorithm::Cipher(cipher) => self.mode(cipher).map(drop),
            Algorithm::None | Algorithm::Signature(_) | Algorithm::Encryption(_) | Algorithm::Agreement(_) => Ok(()),
            other => Err(unsupported(format!("the TPM provider has no {other:?}"))),
        })
    }
}

/// Type and size of a key that some TPM has; of HMAC keys no size.
pub(super) fn kind(public: &Public) -> Option<(KeyType, u32)> {
    let same = |parameters: Parameters| match (parameters, public) {
        (Parameters::Rsa(bits), Public::Rsa { parameters, .. }) => parameters.key_bits() == bits,
        (Parameters::Ecc(curve), Public::Ecc { parameters, .. }) => parameters.ecc_curve() == curve,
        (Parameters::Aes(bits), Public::SymCipher { parameters, .. }) => {
            matches!(parameters.symmetric_definition_object(), SymmetricDefinitionObject::Aes { key_bits, .. } if key_bits == bits)
        }
        _ => false,
    };
    match public {
        Public::KeyedHash { .. } => Some((KeyType::Hmac, 0)),
        _ => KEYS.iter().find(|row| same(row.1)).map(|(kind, _)| (kind.key_type, kind.bits)),
    }
}

/// The chip's hash as ours.
pub(super) fn hash(name: HashingAlgorithm) -> Option<Hash> {
    HASHES.iter().find(|row| row.0 == name).map(|row| row.1)
}

impl std::fmt::Display for Ability {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let keys = self.keys.iter().map(|(kind, _)| kind.name).chain(self.hmac.then_some("hmac"));
        f.write_str(&keys.collect::<Vec<_>>().join(", "))
    }
}

impl Handle<CanDoCrypto> for Tpm {
    fn handle(&self, call: &Call<'_>, op: CanDoCrypto) -> Result<Empty> {
        let attributes: Attributes = required(op.attributes.as_ref())?.try_into()?;
        let check = CheckType::try_from(op.check_type)?;
        self.ability.check(&attributes)?;
        software::can_do(check, &attributes, call.allow_deprecated())?;
        Ok(Empty {})
    }
}

/// The rows for which the chip says yes.
fn had<T: Copy>(rows: &[T], mut asked: impl FnMut(&T) -> Result<bool, Failure>) -> Result<Vec<T>, Failure> {
    rows.iter().filter_map(|row| asked(row).map(|yes| yes.then_some(*row)).transpose()).collect()
}
