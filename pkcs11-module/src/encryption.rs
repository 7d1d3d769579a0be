//! An encryption or decryption under way: which mechanism, which key, and the data so far. The service is asked once, at the end;
//! but a stream of any length goes through AES-ECB, CBC and CTR, a chunk at a time, each going on where the last one ended. What
//! other mechanisms take is limited to [`MAX_DATA`].

use std::sync::Arc;

use cryptoki_sys::{CK_AES_CTR_PARAMS, CK_ULONG, CKZ_DATA_SPECIFIED};
use interface::algorithm::{Aead, AeadKind, Algorithm, Cipher, Encryption};
use interface::attributes::Usage;
use interface::operations::{AeadDecrypt, AeadEncrypt, AsymmetricDecrypt, AsymmetricEncrypt, CipherDecrypt, CipherEncrypt};
use interface::{Status, client};
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::ffi::{self, AeadParameter};
use crate::mechanism::{self, Family, Mode, Work};
use crate::module::Module;
use crate::object::{Key, Object};
use crate::session::OutputLen;
use crate::signature::{MAX_DATA, gone};

/// The block of AES.
const BLOCK: usize = 16;
/// So much of a stream is collected before the service is asked, and so much is asked at once.
const CHUNK: usize = 1 << 18;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Encrypt,
    Decrypt,
}

pub(crate) struct Crypting {
    direction: Direction,
    key: Arc<Object>,
    algorithm: Algorithm,
    /// The initialisation vector, the nonce, or the first counter block.
    iv: Vec<u8>,
    /// OAEP's label, or the additional data that is authenticated.
    additional: Vec<u8>,
    /// The length of the plaintext, where the mechanism must know.
    data_len: Option<usize>,
    /// The blocks that the counter has room for.
    blocks: Option<u128>,
    data: Zeroizing<Vec<u8>>,
    /// Data has come in parts, so that it also ends in parts.
    parts: bool,
}

impl Crypting {
    /// Begins an operation.
    pub(crate) fn new(direction: Direction, mechanism: &ffi::Mechanism, object: Arc<Object>) -> Result<Self> {
        let mode = mechanism::find(mechanism.kind(), |work| match work {
            Work::Encrypt(mode) => Some(mode),
            _ => None,
        })?;
        Self::check(direction, mode, &object)?;
        let crypting = Self::blank(direction, object).with(mode, mechanism)?;
        crypting.permitted().map_err(|_| Work::Encrypt(mode).refusal())
    }

    /// Begins one message of a message-based operation.
    pub(crate) fn message(direction: Direction, kind: AeadKind, object: Arc<Object>, parameter: AeadParameter) -> Result<Self> {
        Self::blank(direction, object).with_aead(kind, parameter)?.permitted()
    }

    /// Fails for a key that cannot be used so, whatever the parameters.
    pub(crate) fn check(direction: Direction, mode: Mode, object: &Object) -> Result<()> {
        let key = object.key().ok_or(Error::KeyTypeInconsistent)?;
        if Family::of(key.attributes.key_type) != Some(mode.family()) {
            return Err(Error::KeyTypeInconsistent);
        }
        let usage = match direction {
            Direction::Encrypt => Usage::ENCRYPT,
            Direction::Decrypt => Usage::DECRYPT,
        };
        if key.may(usage) { Ok(()) } else { Err(Error::KeyFunctionNotPermitted) }
    }

    fn blank(direction: Direction, key: Arc<Object>) -> Self {
        Self {
            direction,
            key,
            algorithm: Algorithm::None,
            iv: vec![],
            additional: vec![],
            data_len: None,
            blocks: None,
            data: Zeroizing::default(),
            parts: false,
        }
    }

    fn permitted(self) -> Result<Self> {
        if self.key()?.attributes.policy.permits(self.algorithm) { Ok(self) } else { Err(Error::KeyFunctionNotPermitted) }
    }

    /// Takes in the mechanism's parameter.
    fn with(self, mode: Mode, mechanism: &ffi::Mechanism) -> Result<Self> {
        match mode {
            Mode::RsaPkcs1v15 | Mode::RsaRaw | Mode::Cipher(Cipher::EcbNoPadding) if mechanism.has_parameter() => {
                Err(Error::MechanismParamInvalid)
            }
            Mode::RsaRaw => Ok(Self { algorithm: Encryption::RsaRaw.into(), ..self }),
            Mode::RsaPkcs1v15 => Ok(Self { algorithm: Encryption::RsaPkcs1v15.into(), ..self }),
            Mode::RsaOaep => self.with_oaep(mechanism),
            Mode::Cipher(Cipher::Ctr) => self.with_counter(&mechanism.ctr()?),
            Mode::Cipher(cipher) => {
                let iv = mechanism.bytes()?.to_vec();
                let len = if cipher == Cipher::EcbNoPadding { 0 } else { BLOCK };
                if iv.len() != len {
                    return Err(Error::MechanismParamInvalid);
                }
                Ok(Self { algorithm: cipher.into(), iv, ..self })
            }
            Mode::Aead(kind) => self.with_aead(
                kind,
                match kind {
                    AeadKind::Gcm => mechanism.gcm()?,
                    AeadKind::Ccm => mechanism.ccm()?,
                    AeadKind::ChaCha20Poly1305 => mechanism.poly1305()?,
                },
            ),
        }
    }

    fn with_oaep(self, mechanism: &ffi::Mechanism) -> Result<Self> {
        let (params, label) = mechanism.oaep()?;
        let hash = mechanism::hash(params.hashAlg).ok_or(Error::MechanismParamInvalid)?;
        let mgf = mechanism::mgf_hash(params.mgf).ok_or(Error::MechanismParamInvalid)?;
        if params.source != CKZ_DATA_SPECIFIED && !(label.is_empty() && params.source == 0) {
            return Err(Error::MechanismParamInvalid);
        }
        let oaep = if mgf == hash { Encryption::RsaOaep { hash } } else { Encryption::RsaOaepWith { hash, mgf } };
        Ok(Self { algorithm: oaep.into(), additional: label, ..self })
    }

    /// The counter is the last bits of the block; it may not come round.
    fn with_counter(self, params: &CK_AES_CTR_PARAMS) -> Result<Self> {
        let iv = params.cb.to_vec();
        let start = u128::from_be_bytes(params.cb);
        let blocks = match params.ulCounterBits {
            bits @ 1..=127 => Some((1 << bits) - (start & ((1 << bits) - 1))),
            128 => None,
            _ => return Err(Error::MechanismParamInvalid),
        };
        Ok(Self { algorithm: Cipher::Ctr.into(), iv, blocks, ..self })
    }

    fn with_aead(self, kind: AeadKind, parameter: AeadParameter) -> Result<Self> {
        let AeadParameter { nonce, additional, tag_len, data_len } = parameter;
        let nonces = match kind {
            AeadKind::Gcm => 1..=256,
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
        Ok(Self { algorithm: aead.into(), iv: nonce, additional, data_len: data_len.map(len).transpose()?, ..self })
    }

    /// Takes all the data at once, for the single-part functions.
    pub(crate) fn whole(mut self, module: &Module, data: &[u8]) -> Result<Vec<u8>> {
        if self.parts {
            return Err(Error::OperationActive);
        }
        let mut output = self.part(module, data)?;
        output.extend_from_slice(&self.run(module)?);
        Ok(output)
    }

    /// Takes some of the data; returns what comes out for it already.
    pub(crate) fn part(&mut self, module: &Module, data: &[u8]) -> Result<Vec<u8>> {
        self.parts = true;
        let ready = self.ready(data.len());
        if ready == 0 {
            self.add(data)?;
            return Ok(vec![]);
        }
        let all = Zeroizing::new([&self.data[..], data].concat());
        let (blocks, rest) = all.split_at(ready);
        let mut output = Vec::with_capacity(ready);
        for chunk in blocks.chunks(CHUNK) {
            output.extend_from_slice(&self.chunk(module, chunk)?);
        }
        self.data = Zeroizing::new(rest.to_vec());
        Ok(output)
    }

    /// How much of the data comes out at once when `more` is added: whole blocks, but for the last one where that may be padding.
    pub(crate) fn ready(&self, more: usize) -> usize {
        let len = self.data.len() + more;
        let held = match self.algorithm {
            Algorithm::Cipher(cipher) if len >= CHUNK && self.permits(unpadded(cipher)) => {
                usize::from(cipher == Cipher::CbcPkcs7 && self.direction == Direction::Decrypt)
            }
            _ => return 0,
        };
        (len - held) / BLOCK * BLOCK
    }

    /// Runs the cipher over whole blocks in the middle of a stream, and goes to where the next ones go on.
    fn chunk(&mut self, module: &Module, chunk: &[u8]) -> Result<Vec<u8>> {
        let Algorithm::Cipher(cipher) = self.algorithm else {
            return Err(Error::MechanismInvalid);
        };
        let piece = Self {
            algorithm: unpadded(cipher).into(),
            iv: self.iv.clone(),
            blocks: self.blocks,
            data: Zeroizing::new(chunk.to_vec()),
            ..Self::blank(self.direction, Arc::clone(&self.key))
        };
        let output = piece.run(module)?;
        let ciphertext = match self.direction {
            Direction::Encrypt => &output,
            Direction::Decrypt => chunk,
        };
        let count = (chunk.len() / BLOCK) as u128;
        self.blocks = self.blocks.map(|room| room.saturating_sub(count));
        match (cipher, <[u8; BLOCK]>::try_from(self.iv.as_slice())) {
            (Cipher::Ctr, Ok(counter)) => {
                let next = u128::from_be_bytes(counter).wrapping_add(count);
                self.iv = next.to_be_bytes().to_vec();
            }
            (_, Ok(_)) => self.iv = ciphertext[ciphertext.len() - BLOCK..].to_vec(),
            _ => {}
        }
        Ok(output)
    }

    /// Takes some of a message that is sealed; returns the ciphertext of just that. It is the same whatever follows, but the tags
    /// that come with it are of no message and go nowhere.
    pub(crate) fn seal_part(&mut self, module: &Module, data: &[u8]) -> Result<Vec<u8>> {
        let before = self.data.len();
        self.add(data)?;
        let piece = Self {
            algorithm: self.algorithm,
            iv: self.iv.clone(),
            additional: self.additional.clone(),
            data: self.data.clone(),
            ..Self::blank(self.direction, Arc::clone(&self.key))
        };
        let sealed = piece.run(module)?;
        Ok(sealed.get(before..self.data.len()).ok_or(Error::DeviceFailed)?.to_vec())
    }

    /// How much data there is so far, in bytes.
    pub(crate) fn len(&self) -> usize {
        self.data.len()
    }

    fn permits(&self, cipher: Cipher) -> bool {
        self.key().is_ok_and(|key| key.attributes.policy.permits(cipher.into()))
    }

    /// Takes some of the data.
    pub(crate) fn add(&mut self, data: &[u8]) -> Result<()> {
        if self.data.len() + self.additional.len() + data.len() > MAX_DATA {
            return Err(self.wrong_len());
        }
        // Growing in place would leave copies of the plaintext behind.
        if self.data.capacity() < self.data.len() + data.len() {
            let room = (self.data.len() + data.len()).next_power_of_two();
            let mut larger = Zeroizing::new(Vec::with_capacity(room));
            larger.extend_from_slice(&self.data);
            self.data = larger;
        }
        self.data.extend_from_slice(data);
        Ok(())
    }

    /// The data is complete.
    pub(crate) fn run(mut self, module: &Module) -> Result<Vec<u8>> {
        self.check_len()?;
        let object = Arc::clone(&self.key);
        let key = object.key().ok_or(Error::KeyHandleInvalid)?;
        let result = match self.direction {
            Direction::Encrypt => self.encrypt(module, key),
            Direction::Decrypt => self.decrypt(module, key),
        };
        result.map_err(|error| match error {
            Error::Service(client::Error::Refused { status, .. }) => match status {
                Status::PsaErrorInvalidArgument | Status::PsaErrorInvalidPadding | Status::PsaErrorInvalidSignature
                    if self.direction == Direction::Decrypt =>
                {
                    Error::EncryptedDataInvalid
                }
                Status::BodySizeExceedsLimit | Status::ResponseTooLarge => self.wrong_len(),
                _ => error,
            },
            _ => error,
        })
    }

    fn encrypt(&mut self, module: &Module, key: &Key) -> Result<Vec<u8>> {
        let (client, provider) = (&module.client, key.provider);
        let (key_name, owner) = (key.name.clone(), key.owner());
        let plaintext = std::mem::take(&mut *self.data);
        let encrypted = match self.algorithm {
            Algorithm::Encryption(alg) => {
                let op = AsymmetricEncrypt { key_name, owner, alg: Some(alg.into()), plaintext, salt: self.additional.clone() };
                client.call(provider, &op)
            }
            Algorithm::Cipher(alg) => {
                let op = CipherEncrypt { key_name, owner, alg: alg.into(), plaintext, iv: Some(self.iv.clone()) };
                client.call(provider, &op)
            }
            Algorithm::Aead(alg) => {
                let op = AeadEncrypt {
                    key_name,
                    owner,
                    alg: Some(alg.into()),
                    nonce: self.iv.clone(),
                    additional_data: self.additional.clone(),
                    plaintext,
                };
                client.call(provider, &op)
            }
            _ => return Err(Error::MechanismInvalid),
        };
        let ciphertext = encrypted.map_err(gone)?.ciphertext;
        match self.algorithm {
            // A provider that does not know the field takes an IV of its own.
            Algorithm::Cipher(_) => {
                let body = ciphertext.strip_prefix(self.iv.as_slice());
                body.map(<[u8]>::to_vec).ok_or(Error::FunctionFailed)
            }
            _ => Ok(ciphertext),
        }
    }

    fn decrypt(&self, module: &Module, key: &Key) -> Result<Vec<u8>> {
        let (client, provider) = (&module.client, key.provider);
        let (key_name, owner) = (key.name.clone(), key.owner());
        let decrypted = match self.algorithm {
            Algorithm::Encryption(alg) => {
                let op = AsymmetricDecrypt {
                    key_name,
                    owner,
                    alg: Some(alg.into()),
                    ciphertext: self.data.to_vec(),
                    salt: self.additional.clone(),
                };
                client.call(provider, &op)
            }
            Algorithm::Cipher(alg) => {
                let op = CipherDecrypt { key_name, owner, alg: alg.into(), ciphertext: [&self.iv[..], &self.data].concat() };
                client.call(provider, &op)
            }
            Algorithm::Aead(alg) => {
                let op = AeadDecrypt {
                    key_name,
                    owner,
                    alg: Some(alg.into()),
                    nonce: self.iv.clone(),
                    additional_data: self.additional.clone(),
                    ciphertext: self.data.to_vec(),
                };
                client.call(provider, &op)
            }
            _ => return Err(Error::MechanismInvalid),
        };
        let mut decrypted = decrypted.map_err(gone)?;
        Ok(std::mem::take(&mut decrypted.plaintext))
    }

    /// Fails for data whose length the mechanism cannot have.
    fn check_len(&self) -> Result<()> {
        let (len, decrypting) = (self.data.len(), self.direction == Direction::Decrypt);
        let fits = match self.algorithm {
            Algorithm::Cipher(Cipher::Ctr) => self.blocks.is_none_or(|room| len.div_ceil(BLOCK) as u128 <= room),
            Algorithm::Cipher(Cipher::CbcPkcs7) => !decrypting || len > 0 && len.is_multiple_of(BLOCK),
            Algorithm::Cipher(_) => len.is_multiple_of(BLOCK),
            Algorithm::Encryption(encryption) => {
                let modulus = self.key()?.attributes.bits.div_ceil(8) as usize;
                let overhead = match encryption {
                    Encryption::RsaPkcs1v15 => 11,
                    Encryption::RsaOaep { hash } | Encryption::RsaOaepWith { hash, .. } => 2 * hash.len() + 2,
                    Encryption::RsaRaw => 0,
                };
                if decrypting { len == modulus } else { len + overhead <= modulus }
            }
            Algorithm::Aead(aead) if decrypting => {
                let tag = tag_len(aead);
                len >= tag && self.data_len.is_none_or(|told| told == len || told == len - tag)
            }
            Algorithm::Aead(_) => self.data_len.is_none_or(|told| told == len),
            _ => false,
        };
        if fits { Ok(()) } else { Err(self.wrong_len()) }
    }

    fn wrong_len(&self) -> Error {
        match self.direction {
            Direction::Encrypt => Error::DataLenRange,
            Direction::Decrypt => Error::EncryptedDataLenRange,
        }
    }

    fn key(&self) -> Result<&Key> {
        self.key.key().ok_or(Error::KeyHandleInvalid)
    }
}

fn unpadded(cipher: Cipher) -> Cipher {
    match cipher {
        Cipher::CbcPkcs7 => Cipher::CbcNoPadding,
        other => other,
    }
}

fn tag_len(aead: Aead) -> usize {
    aead.tag_len.map_or(16, |len| len as usize)
}

impl OutputLen for Crypting {
    fn output_len(&self, more: usize) -> usize {
        let len = self.data.len() + more;
        let encrypting = self.direction == Direction::Encrypt;
        match self.algorithm {
            Algorithm::Encryption(_) => self.key.key().map_or(0, |key| key.attributes.bits.div_ceil(8) as usize),
            Algorithm::Cipher(Cipher::CbcPkcs7) if encrypting => (len / BLOCK + 1) * BLOCK,
            Algorithm::Aead(aead) if encrypting => len + tag_len(aead),
            Algorithm::Aead(aead) => len.saturating_sub(tag_len(aead)),
            _ => len,
        }
    }
}
