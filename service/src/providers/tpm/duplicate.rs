//! A private key that is imported into the chip. It is a duplicate (TPM 2.0 Part 1 §23) in an inner wrapper. TPM2_Import takes the
//! wrapping key as its first parameter, and a session encrypts exactly the first parameter.

use super::failure::unfit;
use crate::error::Result;
use crate::providers::software;
use lc::{Cipher, Direction, sha256};
use tss_esapi::structures::{Data, Private, Public};
use tss_esapi::traits::Marshall;
use zeroize::Zeroizing;

/// Bytes of a key that wraps an imported one.
const KEY: usize = 16;
/// Names begin with the number of SHA-256 (TPM 2.0 Part 2 §6.3).
const NAME_ALGORITHM: [u8; 2] = [0, 0x0b];

/// A wrapping key, and what it makes of a marshalled sensitive area (TPM 2.0 Part 1 §23.3.2.2).
pub(super) fn wrap(public: &Public, sensitive: &[u8]) -> Result<(Data, Private)> {
    let public = public.marshall().map_err(unfit)?;
    let name = [&NAME_ALGORITHM[..], &sha256(&public)].concat();
    let seen = Zeroizing::new([sensitive, &name].concat());
    let integrity = sha256(&seen);
    let len = u16::try_from(integrity.len()).unwrap_or_default().to_be_bytes();
    let mut text = Zeroizing::new([&len[..], &integrity, sensitive].concat());
    let key = software::random(KEY)?;
    cfb(&key, &mut text)?;
    Ok((Data::try_from(key.as_slice()).map_err(unfit)?, Private::try_from(text.as_slice()).map_err(unfit)?))
}

/// Encrypts with AES-128 in CFB mode from an initialisation vector of zeros, as TPMs protect what is used once.
pub(super) fn cfb(key: &[u8], text: &mut [u8]) -> Result<()> {
    let [aes_128, ..] = Cipher::AES_CFB;
    text.copy_from_slice(&aes_128.run(Direction::Encrypt, false, key, &[0; 16], text)?);
    Ok(())
}
