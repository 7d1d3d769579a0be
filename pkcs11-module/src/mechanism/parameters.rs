//! The parameters of encryption mechanisms, as the service wants them.

use cryptoki_sys::{CK_AES_CTR_PARAMS, CK_ULONG, CKZ_DATA_SPECIFIED};
use interface::algorithm::{Aead, AeadKind, Algorithm, Cipher, Encryption};

use crate::error::{Error, Result};
use crate::ffi::{self, AeadParameter};
use crate::mechanism::{self, Family, Mode};

/// The least that PKCS#1 v1.5 adds to what it pads, in bytes.
pub(crate) const PKCS1_OVERHEAD: usize = 11;

/// An algorithm with all that the mechanism says of it.
#[derive(Clone)]
pub(crate) struct Parameters {
    pub(crate) algorithm: Algorithm,
    /// The initialisation vector, the nonce, or the first counter block.
    pub(crate) iv: Vec<u8>,
    /// OAEP's label, or the additional data that is authenticated.
    pub(crate) additional: Vec<u8>,
    /// The length of the plaintext, where the mechanism must know.
    pub(crate) data_len: Option<usize>,
    /// The blocks that the counter has room for.
    pub(crate) blocks: Option<u128>,
    /// The length of a block of the cipher, in bytes.
    pub(crate) block: usize,
}

impl From<Algorithm> for Parameters {
    fn from(algorithm: Algorithm) -> Self {
        Self { algorithm, iv: vec![], additional: vec![], data_len: None, blocks: None, block: Family::Aes.block() }
    }
}

impl Parameters {
    /// Reads the mechanism's parameter.
    pub(crate) fn read(mode: Mode, mechanism: &ffi::Mechanism) -> Result<Self> {
        match mode {
            Mode::RsaPkcs1v15 | Mode::RsaRaw | Mode::Cipher(_, Cipher::EcbNoPadding) if mechanism.has_parameter() => {
                Err(Error::MechanismParamInvalid)
            }
            Mode::RsaPkcs1v15 => Ok(Algorithm::from(Encryption::RsaPkcs1v15).into()),
            Mode::RsaRaw => Ok(Algorithm::from(Encryption::RsaRaw).into()),
            Mode::RsaOaep => Self::oaep(mechanism),
            Mode::Cipher(_, Cipher::Ctr) => Self::counter(&mechanism.ctr()?),
            // The service has the initial values of RFC 3394 and RFC 5649 only.
            Mode::Cipher(_, cipher @ (Cipher::KeyWrap | Cipher::KeyWrapPadded)) => match (cipher, mechanism.bytes()?) {
                (_, []) | (Cipher::KeyWrap, [0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6]) => {
                    Ok(Algorithm::from(cipher).into())
                }
                (Cipher::KeyWrapPadded, [0xa6, 0x59, 0x59, 0xa6]) => Ok(Algorithm::from(cipher).into()),
                _ => Err(Error::MechanismParamInvalid),
            },
            Mode::Cipher(family, cipher) => {
                let (iv, block) = (mechanism.bytes()?.to_vec(), family.block());
                let len = if cipher == Cipher::EcbNoPadding { 0 } else { block };
                if iv.len() != len {
                    return Err(Error::MechanismParamInvalid);
                }
                Ok(Self { iv, block, ..Algorithm::from(cipher).into() })
            }
            Mode::Aead(kind) => Self::aead(
                kind,
                match kind {
                    AeadKind::Gcm => mechanism.gcm()?,
                    AeadKind::Ccm => mechanism.ccm()?,
                    AeadKind::ChaCha20Poly1305 => mechanism.poly1305()?,
                },
            ),
        }
    }

    fn oaep(mechanism: &ffi::Mechanism) -> Result<Self> {
        let (params, label) = mechanism.oaep()?;
        let hash = mechanism::hash(params.hashAlg).ok_or(Error::MechanismParamInvalid)?;
        let mgf = mechanism::mgf_hash(params.mgf).ok_or(Error::MechanismParamInvalid)?;
        if params.source != CKZ_DATA_SPECIFIED && !(label.is_empty() && params.source == 0) {
            return Err(Error::MechanismParamInvalid);
        }
        let oaep = if mgf == hash { Encryption::RsaOaep { hash } } else { Encryption::RsaOaepWith { hash, mgf } };
        Ok(Self { additional: label, ..Algorithm::from(oaep).into() })
    }

    /// The counter is the last bits of the block; it may not come round.
    fn counter(params: &CK_AES_CTR_PARAMS) -> Result<Self> {
        let iv = params.cb.to_vec();
        let start = u128::from_be_bytes(params.cb);
        let blocks = match params.ulCounterBits {
            bits @ 1..=127 => Some((1 << bits) - (start & ((1 << bits) - 1))),
            128 => None,
            _ => return Err(Error::MechanismParamInvalid),
        };
        Ok(Self { iv, blocks, ..Algorithm::from(Cipher::Ctr).into() })
    }

    /// Those of one message of an authenticated cipher.
    pub(crate) fn aead(kind: AeadKind, parameter: AeadParameter) -> Result<Self> {
        let AeadParameter { nonce, additional, tag_len, data_len } = parameter;
        let nonces = match kind {
            AeadKind::Gcm => 1..=0xffff_ffff,
            AeadKind::Ccm => 7..=13,
            AeadKind::ChaCha20Poly1305 => 12..=12,
        };
        let tag_len = u32::try_from(tag_len).map_err(|_| Error::MechanismParamInvalid)?;
        let aead = Aead { kind, tag_len: Some(tag_len).filter(|len| *len != 16) };
        let known = Mode::Aead(kind).algorithms().contains(&aead.into());
        if !known || !nonces.contains(&nonce.len()) {
            return Err(Error::MechanismParamInvalid);
        }
        let len = |len: CK_ULONG| usize::try_from(len).map_err(|_| Error::MechanismParamInvalid);
        Ok(Self { iv: nonce, additional, data_len: data_len.map(len).transpose()?, ..Algorithm::from(aead).into() })
    }

    /// The counter mode that an authenticated cipher encrypts with, from this block on, `start` bytes after the beginning (NIST SP
    /// 800-38D §7.1 and SP 800-38C §A.3); none for other nonces and ciphers.
    pub(crate) fn counter_at(&self, start: usize) -> Option<Self> {
        let Algorithm::Aead(aead) = self.algorithm else { return None };
        let block = u64::try_from(start / self.block).ok()?;
        let (front, first) = match (aead.kind, self.iv.len()) {
            (AeadKind::Gcm, 12) => (self.iv.clone(), 2),
            (AeadKind::Ccm, len @ 7..=13) => ([&[u8::try_from(14 - len).ok()?], &self.iv[..]].concat(), 1),
            _ => return None,
        };
        let number = (first + block).to_be_bytes();
        let room = self.block - front.len();
        let iv = [&front[..], &number[number.len() - room..]].concat();
        Some(Self { iv, ..Algorithm::from(Cipher::Ctr).into() })
    }

    /// Whether the plaintext, or the ciphertext, can have this length in bytes with a key of so many bits.
    pub(crate) fn fit(&self, decrypting: bool, len: usize, bits: u32) -> bool {
        match self.algorithm {
            Algorithm::Cipher(Cipher::Ctr) => self.blocks.is_none_or(|room| len.div_ceil(self.block) as u128 <= room),
            Algorithm::Cipher(Cipher::Cfb | Cipher::Ofb) => true,
            Algorithm::Cipher(Cipher::CbcPkcs7) => !decrypting || len > 0 && len.is_multiple_of(self.block),
            Algorithm::Cipher(Cipher::KeyWrap) => len.is_multiple_of(8) && len >= if decrypting { 24 } else { 16 },
            Algorithm::Cipher(Cipher::KeyWrapPadded) if decrypting => len.is_multiple_of(8) && len >= 16,
            Algorithm::Cipher(Cipher::KeyWrapPadded) => len > 0,
            Algorithm::Cipher(_) => len.is_multiple_of(self.block),
            Algorithm::Encryption(encryption) => {
                let modulus = bits.div_ceil(8) as usize;
                let overhead = match encryption {
                    Encryption::RsaPkcs1v15 => PKCS1_OVERHEAD,
                    Encryption::RsaOaep { hash } | Encryption::RsaOaepWith { hash, .. } => 2 * hash.len() + 2,
                    Encryption::RsaRaw => 0,
                };
                let some = len > 0 || encryption != Encryption::RsaRaw;
                if decrypting { len == modulus } else { some && len + overhead <= modulus }
            }
            Algorithm::Aead(aead) if decrypting => {
                let tag = tag_len(aead);
                len >= tag && self.data_len.is_none_or(|told| told == len || told == len - tag)
            }
            Algorithm::Aead(_) => self.data_len.is_none_or(|told| told == len),
            _ => false,
        }
    }
}

/// Length of the tag in bytes.
pub(crate) fn tag_len(aead: Aead) -> usize {
    aead.tag_len.map_or(16, |len| len as usize)
}
