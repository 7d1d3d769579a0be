//! Random bytes. The chip and the library each make some; the result is as good as the better of the two.

use super::Tpm;
use crate::admission::Call;
use crate::error::{Error, Result};
use crate::provider::Handle;
use crate::providers::software;
use interface::Status;
use interface::operations::{GenerateRandom, Random};
use zeroize::Zeroizing;

/// Bytes of a seed from the chip; every chip gives so many at once.
const SEED: usize = 32;
/// Bytes that one seed is stretched to, so that a long request does not keep the chip from others.
const STRETCH: usize = 4096;

impl Handle<GenerateRandom> for Tpm {
    fn handle(&self, call: &Call<'_>, op: GenerateRandom) -> Result<Random> {
        let mut bytes = self.software.random(op.size)?;
        for part in bytes.chunks_mut(STRETCH) {
            let stretched = software::stretch(&self.seed(call)?, part.len())?;
            part.iter_mut().zip(stretched.iter()).for_each(|(byte, other)| *byte ^= other);
        }
        Ok(Random { random_bytes: std::mem::take(&mut *bytes) })
    }
}

impl Tpm {
    fn seed(&self, call: &Call<'_>) -> Result<Zeroizing<Vec<u8>>> {
        let mut seed = Zeroizing::new(Vec::with_capacity(SEED));
        while seed.len() < SEED {
            let more = self.run(call.store(), |chip| chip.ask(|context| context.get_random(SEED - seed.len())));
            let more = more.map_err(|failure| failure.explain(&self.chip_owner.settings))?;
            if more.is_empty() {
                return Err(Error::refused(Status::PsaErrorInsufficientEntropy, "the TPM gave no random bytes"));
            }
            seed.extend_from_slice(&more);
        }
        Ok(seed)
    }
}
