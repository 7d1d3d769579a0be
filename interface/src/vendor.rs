//! Attributes of ours, of the numbers that PKCS#11 leaves to vendors (`CKA_VENDOR_DEFINED`). The service keeps them with a key; programs do
//! not see them.

const OURS: u64 = 0x8000_0000 | 0x5041_5200;

/// What the key was made for ([`Purpose`](crate::policy::Purpose)): the name of the purpose.
pub const PURPOSE: u64 = OURS | 1;
/// A name that the key had before it was renamed.
pub const FORMER_NAME: u64 = OURS | 2;
/// The service holds the key to its end date ([`Expiry`](crate::expiry::Expiry)): a byte that is 1.
pub const ENFORCE_END_DATE: u64 = OURS | 3;
/// The UUID of the key whose place this one is to take.
pub const SUCCEEDS: u64 = OURS | 4;
