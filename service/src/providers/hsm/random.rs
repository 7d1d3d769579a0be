//! Random bytes. The token and the library each make some; the result is as good as the better of the two.

use super::Hsm;
use super::owner::Failure;
use crate::admission::Call;
use crate::error::{Error, Result};
use crate::provider::Handle;
use crate::providers::software;
use interface::Status;
use interface::operations::{GenerateRandom, Random};

/// Bytes of a seed from the token.
const SEED: usize = 32;
/// Bytes that one seed is stretched to, so that a long request does not keep the token from others.
const STRETCH: usize = 4096;

impl Handle<GenerateRandom> for Hsm {
    fn handle(&self, _: &Call<'_>, op: GenerateRandom) -> Result<Random> {
        let mut bytes = self.software.random(op.size)?;
        for part in bytes.chunks_mut(STRETCH) {
            let ask = GenerateRandom { size: SEED as u64 };
            let seed = self.owner.run(|channel| channel.call(&ask, self.owner.settings.limit)).map_err(Failure::explain)?;
            if seed.random_bytes.len() != SEED {
                return Err(Error::refused(Status::PsaErrorInsufficientEntropy, "the token gave no random bytes"));
            }
            let stretched = software::stretch(&seed.random_bytes, part.len())?;
            part.iter_mut().zip(stretched.iter()).for_each(|(byte, other)| *byte ^= other);
        }
        Ok(Random { random_bytes: std::mem::take(&mut *bytes) })
    }
}
