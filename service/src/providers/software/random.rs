//! Random bytes.

use super::{Software, lc};
use crate::error::{Error, Result};
use crate::provider::{Call, Handle};
use interface::Status;
use interface::operations::{GenerateRandom, Random};
use zeroize::Zeroizing;

/// So many bytes from the library's generator.
pub(crate) fn bytes(len: usize) -> Result<lc::Secret> {
    let mut bytes = Zeroizing::new(vec![0; len]);
    let failed = |_| Error::refused(Status::PsaErrorInsufficientEntropy, "the random generator failed");
    aws_lc_rs::rand::fill(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

impl Handle<GenerateRandom> for Software {
    fn handle(&self, _: &Call<'_>, op: GenerateRandom) -> Result<Random> {
        let limit = self.buffer_size_limit;
        let too_many = || {
            Error::refused(
                Status::ResponseTooLarge,
                format!("{} random bytes are more than the limit of {limit}: ask for them in parts", op.size),
            )
        };
        let len = usize::try_from(op.size).ok().filter(|_| op.size <= limit);
        let mut random = bytes(len.ok_or_else(too_many)?)?;
        Ok(Random { random_bytes: std::mem::take(&mut *random) })
    }
}
