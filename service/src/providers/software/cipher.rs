//! Unauthenticated ciphers. On the wire the initialisation vector precedes the ciphertext.

use super::Software;
use super::key::{Kind, ParsedKey};
use super::{invalid, library, random, unsupported};
use crate::admission::Call;
use crate::error::{Error, Result};
use crate::provider::Handle;
use interface::Status;
use interface::algorithm::Cipher;
use interface::operations::{CipherDecrypt, CipherEncrypt, Decrypted, Encrypted};
use lc::{self, Direction, Secret};
use subtle::{ConstantTimeEq, ConstantTimeLess};

/// A cipher as this backend runs it.
#[derive(Clone, Copy)]
pub(crate) enum Mode {
    Block { cipher: lc::Cipher, padding: bool },
    ChaCha20,
    KeyWrap { padding: bool },
}

/// The nonce of RFC 8439; the block counter starts at 0, as the PSA Crypto API has it.
const CHACHA20_NONCE: usize = 12;

impl Mode {
    /// The mode that runs `algorithm` with keys of a kind.
    pub(crate) fn of(kind: Kind, algorithm: Cipher) -> Result<Self> {
        let (sizes, padding): (&[lc::Cipher], bool) = match (kind, algorithm) {
            (Kind::ChaCha20, Cipher::StreamCipher) => return Ok(Self::ChaCha20),
            (Kind::Aes(_), Cipher::KeyWrap) => return Ok(Self::KeyWrap { padding: false }),
            (Kind::Aes(_), Cipher::KeyWrapPadded) => return Ok(Self::KeyWrap { padding: true }),
            (_, Cipher::Xts) => {
                return Err(unsupported("this provider has no XTS: use CTR, or better GCM"));
            }
            (Kind::Aes(_), Cipher::Ctr) => (&lc::Cipher::AES_CTR, false),
            (Kind::Aes(_), Cipher::Cfb) => (&lc::Cipher::AES_CFB, false),
            (Kind::Aes(_), Cipher::Ofb) => (&lc::Cipher::AES_OFB, false),
            (Kind::Aes(_), Cipher::EcbNoPadding) => (&lc::Cipher::AES_ECB, false),
            (Kind::Aes(_), Cipher::CbcNoPadding) => (&lc::Cipher::AES_CBC, false),
            (Kind::Aes(_), Cipher::CbcPkcs7) => (&lc::Cipher::AES_CBC, true),
            (Kind::Des(_), Cipher::EcbNoPadding) => (&lc::Cipher::DES_ECB, false),
            (Kind::Des(_), Cipher::CbcNoPadding) => (&lc::Cipher::DES_CBC, false),
            (Kind::Des(_), Cipher::CbcPkcs7) => (&lc::Cipher::DES_CBC, true),
            _ => {
                return Err(invalid(format!("a key of this type does not encrypt with {algorithm:?}")));
            }
        };
        let fits = |cipher: &&lc::Cipher| matches!(kind, Kind::Aes(len) | Kind::Des(len) if len == cipher.key_len());
        let cipher = *sizes.iter().find(fits).ok_or_else(library)?;
        Ok(Self::Block { cipher, padding })
    }

    /// What it works on.
    fn lengths(self) -> &'static str {
        match self {
            Self::KeyWrap { padding: false } => "AES-KW takes whole blocks of 8 bytes, at least two: use AES-KWP",
            Self::KeyWrap { padding: true } => "AES-KWP takes at least one byte",
            Self::Block { .. } | Self::ChaCha20 => WHOLE_BLOCKS,
        }
    }

    fn iv_len(self) -> usize {
        match self {
            Self::Block { cipher, .. } => cipher.iv_len(),
            Self::ChaCha20 => CHACHA20_NONCE,
            Self::KeyWrap { .. } => 0,
        }
    }

    fn run(self, direction: Direction, key: &[u8], iv: &[u8], data: &[u8]) -> Result<Secret, lc::Refused> {
        match self {
            Self::Block { cipher, padding } => cipher.run(direction, padding, key, iv, data),
            Self::ChaCha20 => {
                let (key, iv) = (key.try_into().map_err(|_| lc::Refused)?, iv.try_into().map_err(|_| lc::Refused)?);
                Ok(lc::chacha20(key, iv, data))
            }
            Self::KeyWrap { padding } => lc::key_wrap(direction, padding, key, data),
        }
    }
}

impl ParsedKey {
    /// The initialisation vector, which is a fresh one where none is given, then the ciphertext.
    pub(crate) fn cipher_encrypt(&self, algorithm: Cipher, iv: Option<&[u8]>, plaintext: &[u8]) -> Result<Vec<u8>> {
        let mode = Mode::of(self.kind(), algorithm)?;
        let mut out = match iv {
            None => random::bytes(mode.iv_len())?.to_vec(),
            Some(iv) if iv.len() == mode.iv_len() => iv.to_vec(),
            Some(iv) => {
                let (have, want) = (iv.len(), mode.iv_len());
                return Err(invalid(format!("the IV has {have} bytes; this mode takes one of {want}")));
            }
        };
        let ciphertext = mode.run(Direction::Encrypt, self.bytes()?, &out, plaintext).map_err(|_| invalid(mode.lengths()))?;
        out.extend_from_slice(&ciphertext);
        Ok(out)
    }

    /// Decrypts a ciphertext of [`Self::cipher_encrypt`].
    pub(crate) fn cipher_decrypt(&self, algorithm: Cipher, ciphertext: &[u8]) -> Result<Secret> {
        let mode = Mode::of(self.kind(), algorithm)?;
        let (iv, body) = ciphertext
            .split_at_checked(mode.iv_len())
            .ok_or_else(|| invalid(format!("the ciphertext must begin with an IV of {} bytes", mode.iv_len())))?;
        if let Mode::Block { cipher, padding: true } = mode {
            let padded = Mode::Block { cipher, padding: false }.run(Direction::Decrypt, self.bytes()?, iv, body);
            return unpad_pkcs7(padded.map_err(|_| invalid(WHOLE_BLOCKS))?, cipher.block_len());
        }
        mode.run(Direction::Decrypt, self.bytes()?, iv, body).map_err(|_| match mode {
            Mode::KeyWrap { .. } => Error::refused(
                Status::PsaErrorInvalidSignature,
                "the data was not wrapped with this key and mode, or was changed",
            ),
            Mode::Block { .. } | Mode::ChaCha20 => invalid(WHOLE_BLOCKS),
        })
    }
}

/// Takes the padding away (PKCS#7, RFC 5652 §6.3) from whole blocks of this many bytes. Whether it is right is found out in constant
/// time.
pub(crate) fn unpad_pkcs7(mut padded: Secret, block: usize) -> Result<Secret> {
    let Some((start, last)) = padded.len().checked_sub(block).zip(padded.last().copied()) else {
        return Err(invalid(WHOLE_BLOCKS));
    };
    let mut valid = !last.ct_eq(&0) & !u8::try_from(block).unwrap_or(u8::MAX).ct_lt(&last);
    for (left, byte) in (1..=u8::MAX).zip(padded[start..].iter().rev()) {
        valid &= last.ct_lt(&left) | byte.ct_eq(&last);
    }
    if !bool::from(valid) {
        return Err(Error::refused(Status::PsaErrorInvalidPadding, "the padding is wrong"));
    }
    let len = padded.len() - usize::from(last);
    padded.truncate(len);
    Ok(padded)
}

const WHOLE_BLOCKS: &str = "this mode works on whole blocks: pad the data, or use a mode that does";

impl Handle<CipherEncrypt> for Software {
    fn handle(&self, call: &Call<'_>, op: CipherEncrypt) -> Result<Encrypted> {
        let ciphertext = self.key(call)?.cipher_encrypt(Self::algorithm(call)?, op.iv.as_deref(), &op.plaintext)?;
        Ok(Encrypted { ciphertext })
    }
}

impl Handle<CipherDecrypt> for Software {
    fn handle(&self, call: &Call<'_>, op: CipherDecrypt) -> Result<Decrypted> {
        let mut message = self.key(call)?.cipher_decrypt(Self::algorithm(call)?, &op.ciphertext)?;
        Ok(Decrypted { plaintext: std::mem::take(&mut *message) })
    }
}
