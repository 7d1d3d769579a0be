//! The habits of a vendor's library, as data: `profiles.toml` has a row for each quirk that is known of one.

use cryptoki_sys::CK_RV;
use serde::Deserialize;
use std::sync::OnceLock;

/// What `profiles.toml` has.
pub const PROFILES: &str = include_str!("../profiles.toml");

/// One row. What it leaves out is as the real library has it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Profile {
    /// Its name: the vendor's, and what is wrong.
    pub name: String,
    /// Faults that go with it, as [`rules`](crate::rules) has them.
    pub rules: String,
    /// Sessions that there can be, in all slots together.
    pub sessions: Option<usize>,
    /// What is answered if there are that many; `CKR_SESSION_COUNT` if it is left out.
    pub sessions_code: Option<CK_RV>,
    /// The number of sessions that the token tells; `-1` is `CK_UNAVAILABLE_INFORMATION`.
    pub sessions_told: Option<i64>,
    /// Calls after which a session has expired.
    pub session_calls: Option<usize>,
    /// What a call in an expired session is answered.
    pub expired_code: Option<CK_RV>,
    /// Sessions that only read are refused.
    pub no_read_only: bool,
    /// GCM's nonce is made by the library, which writes it over the caller's.
    pub own_nonce: bool,
    /// Bytes that one call encrypts.
    pub encrypt_limit: Option<u64>,
    /// Attributes that the private template of `C_GenerateKeyPair` may not have.
    pub private_refused: Vec<u64>,
    /// Attributes that no template may have.
    pub refused: Vec<u64>,
    /// How `CKA_EC_POINT` is told: `raw`, or `bits` for a BIT STRING.
    pub point: Option<String>,
    /// ECDH takes the other side's point raw only.
    pub raw_peer: bool,
    /// Signing in parts is refused.
    pub one_part: bool,
    /// Slots without a token stand before the real ones.
    pub empty_slots: u64,
    /// No object is found if this variable is not set when the library is initialised.
    pub variable: Option<String>,
    /// Each use of a private key wants `C_Login` of `CKU_CONTEXT_SPECIFIC` after its `Init`.
    pub login_each_time: bool,
    /// Making keys at the same time in two threads fails with this.
    pub making_code: Option<CK_RV>,
    /// `C_Initialize` takes so many milliseconds.
    pub initialize_ms: u64,
    /// `CKF_LIBRARY_CANT_CREATE_OS_THREADS` is refused.
    pub wants_threads: bool,
    /// Notification callbacks of sessions are refused.
    pub no_callbacks: bool,
    /// Labels and serial numbers are padded with NUL.
    pub nul_padding: bool,
    /// Return codes that are replaced by others, in hexadecimal.
    pub codes: std::collections::BTreeMap<String, CK_RV>,
    /// The process crashes when it ends in an orderly way.
    pub dies_at_exit: bool,
}

#[derive(Deserialize)]
struct Table {
    profile: Vec<Profile>,
}

/// All rows.
///
/// # Panics
/// If the file is not well-formed.
#[allow(clippy::expect_used, reason = "a table of the tests")]
pub fn all() -> Vec<Profile> {
    toml::from_str::<Table>(PROFILES).expect("profiles.toml").profile
}

/// The row that `FAULTING_PROFILE` names.
pub(crate) fn profile() -> &'static Profile {
    static PROFILE: OnceLock<Profile> = OnceLock::new();
    PROFILE.get_or_init(|| {
        let name = std::env::var("FAULTING_PROFILE").unwrap_or_default();
        all().into_iter().find(|profile| profile.name == name).unwrap_or_default()
    })
}
