//! An encryption or decryption under way: which mechanism, which key, and the data so far. The service is asked once, at the end;
//! but a stream of any length goes through AES-ECB, CBC and CTR, a chunk at a time, each going on where the last one ended. What
//! other mechanisms take is limited to [`MAX_DATA`].

use std::sync::Arc;

use interface::algorithm::{AeadKind, Algorithm, Cipher};
use interface::attributes::Usage;
use interface::operations::{AeadDecrypt, AeadEncrypt, AsymmetricDecrypt, AsymmetricEncrypt, CipherDecrypt, CipherEncrypt};
use interface::{Status, client};
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::ffi::{self, AeadParameter};
use crate::mechanism::{self, Family, Mode, Work};
use crate::module::Module;
use crate::object::{Key, Object};
use crate::parameters::{Parameters, tag_len};
use crate::session::{Keyed, OutputLen};
use crate::signature::{MAX_DATA, gone};

/// So much of a stream is collected before the service is asked, and so much is asked at once.
const CHUNK: usize = 1 << 18;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Encrypt,
    Decrypt,
}

impl Direction {
    fn usage(self) -> Usage {
        match self {
            Self::Encrypt => Usage::ENCRYPT,
            Self::Decrypt => Usage::DECRYPT,
        }
    }
}

pub(crate) struct Crypting {
    direction: Direction,
    key: Arc<Object>,
    parameters: Parameters,
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
        let parameters = Parameters::read(mode, mechanism)?;
        let crypting = Self::begin(direction, object, parameters).map_err(|_| Work::Encrypt(mode).refusal())?;
        if direction == Direction::Encrypt {
            crypting.key()?.check_nonce(crypting.parameters.algorithm)?;
        }
        Ok(crypting)
    }

    /// Begins one message of a message-based operation.
    pub(crate) fn message(direction: Direction, kind: AeadKind, object: Arc<Object>, parameter: AeadParameter) -> Result<Self> {
        Self::begin(direction, object, Parameters::aead(kind, parameter)?)
    }

    /// Fails for a key that cannot be used so, whatever the parameters.
    pub(crate) fn check(direction: Direction, mode: Mode, object: &Object) -> Result<()> {
        let key = object.key().ok_or(Error::KeyTypeInconsistent)?;
        if Family::of(key.attributes.key_type) != Some(mode.family()) {
            return Err(Error::KeyTypeInconsistent);
        }
        if key.may(direction.usage()) { Ok(()) } else { Err(Error::KeyFunctionNotPermitted) }
    }

    fn begin(direction: Direction, key: Arc<Object>, parameters: Parameters) -> Result<Self> {
        let crypting = Self { direction, key, parameters, data: Zeroizing::default(), parts: false };
        let permitted = crypting.key()?.permits(direction.usage(), crypting.parameters.algorithm);
        if permitted { Ok(crypting) } else { Err(Error::KeyFunctionNotPermitted) }
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
        let held = match self.parameters.algorithm {
            Algorithm::Cipher(Cipher::KeyWrap | Cipher::KeyWrapPadded) => return 0,
            Algorithm::Cipher(cipher) if len >= CHUNK && self.permits(unpadded(cipher)) => {
                usize::from(cipher == Cipher::CbcPkcs7 && self.direction == Direction::Decrypt)
            }
            _ => return 0,
        };
        (len - held) / self.parameters.block * self.parameters.block
    }

    /// Runs the cipher over whole blocks in the middle of a stream, and goes to where the next ones go on.
    fn chunk(&mut self, module: &Module, chunk: &[u8]) -> Result<Vec<u8>> {
        let Algorithm::Cipher(cipher) = self.parameters.algorithm else {
            return Err(Error::MechanismInvalid);
        };
        let piece = Self {
            direction: self.direction,
            key: Arc::clone(&self.key),
            parameters: Parameters { algorithm: unpadded(cipher).into(), additional: vec![], ..self.parameters.clone() },
            data: Zeroizing::new(chunk.to_vec()),
            parts: true,
        };
        let output = piece.run(module)?;
        let ciphertext = match self.direction {
            Direction::Encrypt => &output,
            Direction::Decrypt => chunk,
        };
        let block = self.parameters.block;
        let count = (chunk.len() / block) as u128;
        self.parameters.blocks = self.parameters.blocks.map(|room| room.saturating_sub(count));
        match (cipher, <[u8; 16]>::try_from(self.parameters.iv.as_slice())) {
            (Cipher::Ctr, Ok(counter)) => {
                let next = u128::from_be_bytes(counter).wrapping_add(count);
                self.parameters.iv = next.to_be_bytes().to_vec();
            }
            (Cipher::EcbNoPadding, _) => {}
            _ => self.parameters.iv = ciphertext[ciphertext.len() - block..].to_vec(),
        }
        Ok(output)
    }

    /// Takes some of a message that is sealed; returns the ciphertext of just that. It is the same whatever follows, but the tags
    /// that come with it are of no message and go nowhere.
    pub(crate) fn seal_part(&mut self, module: &Module, data: &[u8]) -> Result<Vec<u8>> {
        let before = self.data.len();
        self.add(data)?;
        let parameters = Parameters { data_len: None, ..self.parameters.clone() };
        let piece = Self { data: self.data.clone(), ..Self::begin(self.direction, Arc::clone(&self.key), parameters)? };
        let sealed = piece.run(module)?;
        Ok(sealed.get(before..self.data.len()).ok_or(Error::DeviceFailed)?.to_vec())
    }

    /// Whether the service makes the nonce, which then stands before the ciphertext.
    pub(crate) fn fresh_nonce(&self) -> bool {
        self.direction == Direction::Encrypt && self.key().is_ok_and(|key| key.fresh_nonces)
    }

    /// How much data there is so far, in bytes.
    pub(crate) fn len(&self) -> usize {
        self.data.len()
    }

    fn permits(&self, cipher: Cipher) -> bool {
        self.key().is_ok_and(|key| key.permits(self.direction.usage(), cipher.into()))
    }

    /// Takes some of the data.
    pub(crate) fn add(&mut self, data: &[u8]) -> Result<()> {
        if self.data.len() + self.parameters.additional.len() + data.len() > MAX_DATA {
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
        let encrypted = match self.parameters.algorithm {
            Algorithm::Encryption(alg) => {
                let op = AsymmetricEncrypt {
                    key_name,
                    owner,
                    alg: Some(alg.into()),
                    plaintext,
                    salt: self.parameters.additional.clone(),
                };
                client.call(provider, &op)
            }
            Algorithm::Cipher(alg) => {
                let op = CipherEncrypt { key_name, owner, alg: alg.into(), plaintext, iv: Some(self.parameters.iv.clone()) };
                client.call(provider, &op)
            }
            Algorithm::Aead(alg) => {
                let op = AeadEncrypt {
                    key_name,
                    owner,
                    alg: Some(alg.into()),
                    nonce: if key.fresh_nonces { vec![] } else { self.parameters.iv.clone() },
                    additional_data: self.parameters.additional.clone(),
                    plaintext,
                };
                client.call(provider, &op)
            }
            _ => return Err(Error::MechanismInvalid),
        };
        let ciphertext = encrypted.map_err(gone)?.ciphertext;
        match self.parameters.algorithm {
            // A provider that does not know the field takes an IV of its own.
            Algorithm::Cipher(_) => {
                let body = ciphertext.strip_prefix(self.parameters.iv.as_slice());
                body.map(<[u8]>::to_vec).ok_or(Error::FunctionFailed)
            }
            _ => Ok(ciphertext),
        }
    }

    fn decrypt(&self, module: &Module, key: &Key) -> Result<Vec<u8>> {
        let (client, provider) = (&module.client, key.provider);
        let (key_name, owner) = (key.name.clone(), key.owner());
        let decrypted = match self.parameters.algorithm {
            Algorithm::Encryption(alg) => {
                let op = AsymmetricDecrypt {
                    key_name,
                    owner,
                    alg: Some(alg.into()),
                    ciphertext: self.data.to_vec(),
                    salt: self.parameters.additional.clone(),
                };
                client.call(provider, &op)
            }
            Algorithm::Cipher(alg) => {
                let op = CipherDecrypt {
                    key_name,
                    owner,
                    alg: alg.into(),
                    ciphertext: [&self.parameters.iv[..], &self.data].concat(),
                };
                client.call(provider, &op)
            }
            Algorithm::Aead(alg) => {
                let op = AeadDecrypt {
                    key_name,
                    owner,
                    alg: Some(alg.into()),
                    nonce: self.parameters.iv.clone(),
                    additional_data: self.parameters.additional.clone(),
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
        let fits = self.parameters.fit(decrypting, len, self.key()?.attributes.bits);
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

impl Keyed for Crypting {
    fn object(&self) -> Option<&Object> {
        Some(&self.key)
    }
}

impl OutputLen for Crypting {
    fn output_len(&self, more: usize) -> usize {
        let len = self.data.len() + more;
        let encrypting = self.direction == Direction::Encrypt;
        match self.parameters.algorithm {
            Algorithm::Encryption(_) => self.key.key().map_or(0, |key| key.attributes.bits.div_ceil(8) as usize),
            Algorithm::Cipher(Cipher::CbcPkcs7) if encrypting => (len / self.parameters.block + 1) * self.parameters.block,
            Algorithm::Cipher(Cipher::KeyWrap | Cipher::KeyWrapPadded) if encrypting => len.next_multiple_of(8) + 8,
            Algorithm::Aead(aead) if encrypting => len + tag_len(aead),
            Algorithm::Aead(aead) => len.saturating_sub(tag_len(aead)),
            _ => len,
        }
    }
}
