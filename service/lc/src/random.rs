//! Random bytes.

use super::{Result, check};
use aws_lc_sys as sys;

/// Fills a buffer from the library's generator, which is seeded by the kernel's.
///
/// # Errors
/// [`Refused`](super::Refused) where the generator has no entropy.
pub fn fill(out: &mut [u8]) -> Result<()> {
    // SAFETY: the buffer is valid for its length.
    check(unsafe { sys::RAND_bytes(out.as_mut_ptr(), out.len()) })
}
