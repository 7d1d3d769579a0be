//! Messages of the extensions about tokens. A token is the PKCS#11 view that one principal has of a provider, with its own label
//! and PINs.

#![expect(missing_docs, reason = "fields are named as in upstream's operations; those without a note need none")]

use crate::algorithm::numbered;
use crate::message::messages;
use std::ops::RangeInclusive;

/// How many bytes a PIN may have.
pub const PIN_LEN: RangeInclusive<usize> = 4..=255;

numbered! {
    /// Who has a PIN.
    Role {
        User = 1,
        /// The security officer (SO), who sets the user's PIN.
        Officer = 2,
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::User => "user",
            Self::Officer => "SO",
        })
    }
}

messages! {
    /// A PIN: UTF-8, as many bytes as [`PIN_LEN`] says.
    #[prost(skip_debug)]
    Pin { 1 (bytes = "vec") value: Vec<u8> }
}

crate::secret::wiped! {
    Pin.value,
}

messages! {
    /// How the caller's token is.
    TokenStatus {}

    /// Result of [`TokenStatus`], and what the other operations of this file leave behind.
    Token {
        /// None before the first [`InitToken`].
        1 (string, optional) label: Option<String>,
        /// None where the user has no PIN.
        2 (message, optional) user: Option<PinState>,
        /// None where the security officer has no PIN.
        3 (message, optional) officer: Option<PinState>,
    }

    /// What wrong tries have made of a PIN.
    PinState {
        /// Wrong tries since the last right one.
        1 (uint32) failures: u32,
        /// Seconds until the next try is heard.
        2 (uint64) wait: u64,
        /// Locked until it is set anew.
        3 (bool) locked: bool,
        /// One more wrong try, and no other is heard for a while or for good.
        4 (bool) last_try: bool,
    }

    /// Destroys all keys and objects that the caller has in the provider and the user's PIN, and sets the label. A security officer
    /// who has a PIN must give it; otherwise it is set to this one.
    InitToken {
        1 (message, optional) pin: Option<Pin>,
        2 (string) label: String,
    }

    /// Sets a PIN. The right to do so is the principal's, or that of whoever knows the old PIN; with one exception: only who knows the
    /// security officer's PIN changes it, and the first one comes with [`InitToken`], so that nobody becomes the officer of somebody
    /// else's keys. To take it away is the principal's right.
    SetPin {
        /// Number of a [`Role`].
        1 (int32) role: i32,
        /// None: there shall be no PIN.
        2 (message, optional) new: Option<Pin>,
        /// Checked like a login, where it is given.
        3 (message, optional) old: Option<Pin>,
    }

    /// Checks a PIN: [`Status::PsaErrorInvalidSignature`](crate::Status::PsaErrorInvalidSignature) when it is wrong,
    /// [`Status::PsaErrorBadState`](crate::Status::PsaErrorBadState) while no try is heard,
    /// [`Status::PsaErrorDoesNotExist`](crate::Status::PsaErrorDoesNotExist) when the security officer has a PIN and the user has none
    /// yet. Where nobody has a PIN, any is right.
    ///
    /// A security officer who has a PIN is logged in then, as far as the process goes that the connection's
    /// [`Hello`](super::Hello) named, until that ends or says [`Logout`]: it may say which keys and certificates are trusted
    /// (`CKA_TRUSTED`). No other login changes what the service permits.
    Login {
        /// Number of a [`Role`].
        1 (int32) role: i32,
        2 (message, optional) pin: Option<Pin>,
    }

    /// Ends the login of the security officer.
    Logout {}
}
