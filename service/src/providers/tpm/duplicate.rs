//! A private key on its way into the chip, which is a duplicate (TPM 2.0 Part 1 §23) in an inner wrapper: TPM2_Import takes the
//! wrapping key as its first parameter, which is the one that a session encrypts.

use super::manage::unfit;
use crate::error::{Error, Result};
use crate::providers::software;
use aws_lc_rs::cipher::{AES_128, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::iv::FixedLength;
use interface::Status;
use tss_esapi::structures::{Data, Private, Public};
use tss_esapi::traits::Marshall;
use zeroize::Zeroizing;

/// Bytes of a key that wraps an imported one.
const KEY: usize = 16;
/// What names begin with: the number of SHA-256 (TPM 2.0 Part 2 §6.3).
const NAME_ALGORITHM: [u8; 2] = [0, 0x0b];

/// A wrapping key, and what it makes of a marshalled sensitive area (TPM 2.0 Part 1 §23.3.2.2).
pub(super) fn wrap(public: &Public, sensitive: &[u8]) -> Result<(Data, Private)> {
    let public = public.marshall().map_err(unfit)?;
    let name = [&NAME_ALGORITHM[..], digest(&SHA256, &public).as_ref()].concat();
    let seen = Zeroizing::new([sensitive, &name].concat());
    let integrity = digest(&SHA256, &seen);
    let len = u16::try_from(integrity.as_ref().len()).unwrap_or_default().to_be_bytes();
    let mut text = Zeroizing::new([&len, integrity.as_ref(), sensitive].concat());
    let key = software::random(KEY)?;
    cfb(&key, &mut text)?;
    Ok((Data::try_from(key.as_slice()).map_err(unfit)?, Private::try_from(text.as_slice()).map_err(unfit)?))
}

/// Encrypts with AES-128 in CFB mode from an initialisation vector of zeros, as TPMs protect what is used once.
pub(super) fn cfb(key: &[u8], text: &mut [u8]) -> Result<()> {
    let failed = |_| Error::from(Status::PsaErrorGenericError);
    let cipher = UnboundCipherKey::new(&AES_128, key).and_then(EncryptingKey::cfb128).map_err(failed)?;
    let iv = EncryptionContext::Iv128(FixedLength::from([0; 16]));
    cipher.less_safe_encrypt(text, iv).map(drop).map_err(failed)
}
