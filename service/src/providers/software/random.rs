//! Random bytes.

use super::Software;
use crate::admission::Call;
use crate::error::{Error, Result};
use crate::processor::aside;
use crate::provider::{Handle, MOMENT};
use interface::Status;
use interface::operations::{GenerateRandom, Random};
use lc::Md;
use zeroize::Zeroizing;

/// Random bytes from the library's generator.
pub(crate) fn bytes(len: usize) -> Result<lc::Secret> {
    let mut bytes = Zeroizing::new(vec![0; len]);
    let failed = |_| Error::refused(Status::PsaErrorInsufficientEntropy, "the random generator failed");
    lc::fill(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// Up to 8160 bytes made from a seed.
pub(crate) fn stretch(seed: &[u8], len: usize) -> Result<lc::Secret> {
    Ok(Md::SHA256.hkdf_expand(seed, b"random", len)?)
}

impl Software {
    /// Random bytes, up to the limit.
    pub(crate) fn random(&self, size: u64) -> Result<lc::Secret> {
        let limit = self.buffer_size_limit;
        let too_many = || {
            Error::refused(
                Status::ResponseTooLarge,
                format!("{size} random bytes are more than the limit of {limit}: ask for them in parts"),
            )
        };
        let len = usize::try_from(size).ok().filter(|_| size <= limit);
        bytes(len.ok_or_else(too_many)?)
    }
}

impl Handle<GenerateRandom> for Software {
    fn handle(&self, _: &Call<'_>, op: GenerateRandom) -> Result<Random> {
        let long = op.size > MOMENT as u64;
        let mut random = if long { aside(|| self.random(op.size)) } else { self.random(op.size) }?;
        Ok(Random { random_bytes: std::mem::take(&mut *random) })
    }
}
