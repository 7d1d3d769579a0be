//! What providers with keys in a device refuse alike.

use crate::error::{Error, Result};
use interface::Status;
use interface::attributes::{Attributes, KeyType, Usage};

/// Refuses keys of a type or size that a device has not, and keys that only wrap: no device here wraps. A size of 0 stands for any.
/// `some` tells whether the device has keys of a type, and `sized` refuses a size.
///
/// # Errors
/// [`Status::PsaErrorNotSupported`].
pub(super) fn check(
    provider: &str,
    attributes: &Attributes,
    some: impl Fn(KeyType) -> bool,
    sized: impl FnOnce(KeyType, u32) -> Result<()>,
) -> Result<()> {
    let (key_type, bits, usage) = (attributes.key_type, attributes.bits, attributes.policy.usage);
    let unsupported = |detail: String| Err(Error::refused(Status::PsaErrorNotSupported, detail));
    if key_type.is_public() && !some(key_type.pair()) {
        return unsupported(format!("the {provider} provider has no keys of type {key_type:?}"));
    }
    if !key_type.is_public() && (bits != 0 || !some(key_type)) {
        sized(key_type, bits)?;
    }
    if !usage.is_empty() && usage.without(Usage::WRAP | Usage::UNWRAP).is_empty() {
        return unsupported(format!("the {provider} provider wraps no keys"));
    }
    Ok(())
}
