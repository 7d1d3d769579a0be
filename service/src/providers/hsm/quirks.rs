//! What tokens say of themselves and do not do: one row each.

use crate::worker::Token;
use cryptoki_sys::{CKF_DECRYPT, CKM_RSA_X_509};

/// A mechanism that a token lists for more than it does.
struct Untrue {
    /// How the name of its maker begins.
    manufacturer: &'static str,
    mechanism: u64,
    /// `CKF_…`: what it does not do.
    flags: u64,
}

const UNTRUE: &[Untrue] = &[
    // C_Decrypt fails when it is asked how long the plaintext is (kryoptic 1.5.4).
    Untrue { manufacturer: "Kryoptic", mechanism: CKM_RSA_X_509, flags: CKF_DECRYPT },
];

/// What a token does of what it lists for a mechanism.
pub(super) fn done(token: &Token, mechanism: u64, flags: u64) -> u64 {
    let rows = UNTRUE.iter().filter(|row| row.mechanism == mechanism && token.manufacturer.starts_with(row.manufacturer));
    rows.fold(flags, |flags, row| flags & !row.flags)
}
