//! An encryption or decryption under way: which mechanism, which key, and the data so far.
//!
//! The service encrypts what it is given at once. A stream goes through it in pieces, each going on where the last one ended: whole
//! blocks come out at each call, and only what is no block yet is kept. Authenticated ciphers also give the ciphertext out as the data
//! comes, but the service needs all of the data for the tag; and of what is decrypted nothing is given out before the tag has been
//! checked. What must be kept is limited to [`MAX_DATA`].

use std::sync::Arc;

use interface::algorithm::{AeadKind, Algorithm, Cipher};
use interface::attributes::Usage;
use interface::client::{self, Caller, CipherInputs, Encrypting};
use zeroize::Zeroizing;

use crate::error::{Call, During, Error, Result};
use crate::ffi::{self, AeadParameter};
use crate::mechanism::parameters::{Parameters, tag_len};
use crate::mechanism::{self, Mode, Work};
use crate::objects::object::{KeyObject, Object};
use crate::operations::active::{Keyed, OutputLen};
use crate::operations::signature::MAX_DATA;

/// So much of a stream is asked of the service at once, in bytes.
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
    /// How much has come out already, in bytes.
    given: usize,
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
        let crypting = Self::begin(direction, object, parameters)?;
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
        object.key().ok_or(Error::KeyTypeInconsistent)?.check_work(Work::Encrypt(mode), direction.usage())
    }

    fn begin(direction: Direction, key: Arc<Object>, parameters: Parameters) -> Result<Self> {
        let crypting = Self { direction, key, parameters, data: Zeroizing::default(), given: 0 };
        crypting.key()?.check(direction.usage(), crypting.parameters.algorithm)?;
        Ok(crypting)
    }

    /// Takes all the data at once, for the single-part functions.
    pub(crate) fn whole(mut self, service: &impl Caller<Error = client::Error>, data: &[u8]) -> Result<Vec<u8>> {
        if data.len() <= CHUNK || self.middle().is_none() {
            self.add(data)?;
            return self.run(service);
        }
        let mut output = self.stream(service, data)?;
        output.extend_from_slice(&self.run(service)?);
        Ok(output)
    }

    /// Takes some of the data; returns what comes out for it already, which is as long as [`Self::ready`] says.
    pub(crate) fn part(&mut self, service: &impl Caller<Error = client::Error>, data: &[u8]) -> Result<Vec<u8>> {
        if self.seals() { self.seal_part(service, data) } else { self.stream(service, data) }
    }

    /// How much comes out at once when `more` bytes of data come, in bytes: of a block mode whole blocks, but for the last one where
    /// that may be padding.
    pub(crate) fn ready(&self, more: usize) -> usize {
        if self.seals() {
            return more;
        }
        if self.middle().is_none() {
            return 0;
        }
        let held = usize::from(self.pads() && self.direction == Direction::Decrypt);
        (self.data.len() + more).saturating_sub(held) / self.parameters.block * self.parameters.block
    }

    /// Runs what is ready through the cipher, and keeps the rest.
    fn stream(&mut self, service: &impl Caller<Error = client::Error>, data: &[u8]) -> Result<Vec<u8>> {
        let (ready, mut rest) = (self.ready(data.len()), data);
        let mut output = Vec::with_capacity(ready);
        while output.len() < ready {
            let len = CHUNK.min(ready - output.len());
            let (more, left) = rest.split_at(len - self.data.len());
            let chunk = Zeroizing::new([&self.data[..], more].concat());
            (self.data, rest) = (Zeroizing::default(), left);
            output.extend_from_slice(&self.chunk(service, &chunk)?);
        }
        self.given += ready;
        self.add(rest)?;
        Ok(output)
    }

    /// The mode that runs over whole blocks in the middle of a stream; none where all of the data must be there, or where the key
    /// permits nothing of the kind.
    fn middle(&self) -> Option<Cipher> {
        match self.parameters.algorithm {
            Algorithm::Cipher(Cipher::KeyWrap | Cipher::KeyWrapPadded) => None,
            Algorithm::Cipher(Cipher::CbcPkcs7) if self.permits(Cipher::CbcNoPadding) => Some(Cipher::CbcNoPadding),
            // with a block of padding more, which goes nowhere
            Algorithm::Cipher(Cipher::CbcPkcs7) if self.direction == Direction::Encrypt => Some(Cipher::CbcPkcs7),
            Algorithm::Cipher(Cipher::CbcPkcs7) => None,
            Algorithm::Cipher(cipher) => Some(cipher),
            _ => None,
        }
    }

    /// Whether the last block is padded.
    fn pads(&self) -> bool {
        self.parameters.algorithm == Algorithm::Cipher(Cipher::CbcPkcs7)
    }

    /// Whether it makes ciphertext with a tag.
    fn seals(&self) -> bool {
        matches!(self.parameters.algorithm, Algorithm::Aead(_)) && self.direction == Direction::Encrypt
    }

    /// Runs the cipher over whole blocks in the middle of a stream, and goes to where the next ones go on.
    fn chunk(&mut self, service: &impl Caller<Error = client::Error>, chunk: &[u8]) -> Result<Vec<u8>> {
        let cipher = self.middle().ok_or(Error::MechanismInvalid)?;
        let mut output = self.piece(Parameters { algorithm: cipher.into(), ..self.parameters.clone() }, chunk).run(service)?;
        output.truncate(chunk.len());
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
            // the key stream feeds itself
            (Cipher::Ofb, _) => {
                let last = chunk.len() - block;
                self.parameters.iv = output[last..].iter().zip(&chunk[last..]).map(|(one, other)| one ^ other).collect();
            }
            _ => self.parameters.iv = ciphertext[ciphertext.len() - block..].to_vec(),
        }
        Ok(output)
    }

    /// The same operation over other data.
    fn piece(&self, parameters: Parameters, data: &[u8]) -> Self {
        let (direction, key) = (self.direction, Arc::clone(&self.key));
        Self { direction, key, parameters, data: Zeroizing::new(data.to_vec()), given: 0 }
    }

    /// Takes some of a message that is sealed; returns the ciphertext of just that, which is the same whatever follows. Where the key
    /// permits no counter mode, or the nonce is no part of the counter, the service seals all so far; the tags that come with it are of
    /// no message and go nowhere.
    pub(crate) fn seal_part(&mut self, service: &impl Caller<Error = client::Error>, data: &[u8]) -> Result<Vec<u8>> {
        let before = self.data.len();
        self.add(data)?;
        self.given = self.data.len();
        if self.parameters.data_len.is_some_and(|told| self.data.len() > told) {
            return Err(self.wrong_len());
        }
        if data.is_empty() {
            return Ok(vec![]);
        }
        let start = before / self.parameters.block * self.parameters.block;
        let counter = self.parameters.counter_at(start).filter(|_| self.permits(Cipher::Ctr));
        let (piece, skipped) = match counter {
            Some(counter) => (self.piece(counter, &self.data[start..]), before - start),
            None => (self.piece(Parameters { data_len: None, ..self.parameters.clone() }, &self.data), before),
        };
        let sealed = piece.run(service)?;
        Ok(sealed.get(skipped..skipped + data.len()).ok_or(Error::DeviceFailed)?.to_vec())
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

    /// The data is complete; returns what has not come out yet.
    pub(crate) fn run(mut self, service: &impl Caller<Error = client::Error>) -> Result<Vec<u8>> {
        self.check_len()?;
        if self.given > 0 && self.data.is_empty() && !self.pads() {
            return Ok(vec![]);
        }
        let object = Arc::clone(&self.key);
        let key = object.key().ok_or(Error::KeyHandleInvalid)?;
        let result = match self.direction {
            Direction::Encrypt => self.encrypt(service, key),
            Direction::Decrypt => self.decrypt(service, key),
        };
        result.map(|mut output| if self.seals() { output.split_off(self.given.min(output.len())) } else { output })
    }

    fn encrypt(&mut self, service: &impl Caller<Error = client::Error>, key: &KeyObject) -> Result<Vec<u8>> {
        let plaintext = std::mem::take(&mut *self.data);
        let (algorithm, beside) = self.algorithm()?;
        let beside = match algorithm {
            Encrypting::Aead(_) if key.fresh_nonces => CipherInputs { nonce: &[], ..beside },
            _ => beside,
        };
        let ciphertext = key.reference().encrypt(service, algorithm, beside, plaintext).during(Call::Encrypt)?;
        match algorithm {
            // A provider that does not know the field takes an IV of its own.
            Encrypting::Cipher(_) => {
                let body = ciphertext.strip_prefix(self.parameters.iv.as_slice());
                body.map(<[u8]>::to_vec).ok_or(Error::FunctionFailed)
            }
            _ => Ok(ciphertext),
        }
    }

    fn decrypt(&self, service: &impl Caller<Error = client::Error>, key: &KeyObject) -> Result<Vec<u8>> {
        let (algorithm, beside) = self.algorithm()?;
        let mut plaintext = key.reference().decrypt(service, algorithm, beside, &self.data).during(Call::Decrypt)?;
        Ok(std::mem::take(&mut *plaintext))
    }

    fn algorithm(&self) -> Result<(Encrypting, CipherInputs<'_>)> {
        let algorithm = self.parameters.algorithm.try_into().map_err(|_| Error::MechanismInvalid)?;
        Ok((algorithm, CipherInputs { nonce: &self.parameters.iv, additional: &self.parameters.additional }))
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

    fn key(&self) -> Result<&KeyObject> {
        self.key.key().ok_or(Error::KeyHandleInvalid)
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
            Algorithm::Aead(aead) if encrypting => len + tag_len(aead) - self.given,
            Algorithm::Aead(aead) => len.saturating_sub(tag_len(aead)),
            _ => len,
        }
    }
}
