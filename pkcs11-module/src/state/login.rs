//! Logins: who is logged into a token, and what the application may see and do then (PKCS#11 §5.6). All sessions of this process
//! with the token share one login.
//!
//! The service keeps the PINs and counts wrong ones. If the user has no PIN, nothing here asks for a login.

use cryptoki_sys::*;
use interface::operations::{Pin, PinState, Role, Token};

use crate::error::{Error, Result};

/// Who is logged into a token.
#[derive(Clone, Copy, Default)]
pub(crate) struct Login {
    /// CKU_USER or CKU_SO; none in public sessions.
    pub(crate) user: Option<CK_USER_TYPE>,
    /// Whether the user has a PIN, as the service last told; none where it was not asked yet.
    pub(super) required: Option<bool>,
}

impl Login {
    /// Whether there are private objects for the application at present.
    pub(crate) fn sees_private(&self) -> bool {
        match self.user {
            Some(user) => user == CKU_USER,
            None => self.required != Some(true),
        }
    }

    /// What a session of the token is in: the state tells what the application has access to (PKCS#11 §5.6). Where no PIN is set, the
    /// kernel has told who the user is, and nobody has to log in; `service/docs/pins.md` tells which programs look at it.
    pub(crate) fn state(&self, writable: bool) -> CK_STATE {
        match (writable, self.user) {
            (true, Some(CKU_SO)) => CKS_RW_SO_FUNCTIONS,
            (true, _) if self.sees_private() => CKS_RW_USER_FUNCTIONS,
            (true, _) => CKS_RW_PUBLIC_SESSION,
            (false, _) if self.sees_private() => CKS_RO_USER_FUNCTIONS,
            (false, _) => CKS_RO_PUBLIC_SESSION,
        }
    }
}

/// The PIN that a caller gives.
pub(crate) fn pin(given: &[u8]) -> Result<Pin> {
    std::str::from_utf8(given).map_err(|_| Error::PinInvalid)?;
    Ok(Pin { value: given.to_vec() })
}

/// Whose PIN a type of user has.
pub(crate) fn role(user: CK_USER_TYPE) -> Result<Role> {
    match user {
        CKU_USER | CKU_CONTEXT_SPECIFIC => Ok(Role::User),
        CKU_SO => Ok(Role::Officer),
        _ => Err(Error::UserTypeInvalid),
    }
}

/// What CK_TOKEN_INFO tells of PINs. A PIN that must wait is locked, for the time being. CKF_PROTECTED_AUTHENTICATION_PATH is never
/// there: programs that find it give no PIN where they make one either.
pub(crate) fn flags(token: &Token) -> CK_FLAGS {
    let login = match token {
        Token { user: Some(_), .. } => CKF_LOGIN_REQUIRED | CKF_USER_PIN_INITIALIZED,
        // a user logs in with any PIN
        Token { officer: None, .. } => CKF_USER_PIN_INITIALIZED,
        _ => 0,
    };
    let user = [CKF_USER_PIN_COUNT_LOW, CKF_USER_PIN_FINAL_TRY, CKF_USER_PIN_LOCKED];
    let officer = [CKF_SO_PIN_COUNT_LOW, CKF_SO_PIN_FINAL_TRY, CKF_SO_PIN_LOCKED];
    login | pin_flags(token.user.as_ref(), user) | pin_flags(token.officer.as_ref(), officer)
}

fn pin_flags(pin: Option<&PinState>, [count_low, final_try, locked]: [CK_FLAGS; 3]) -> CK_FLAGS {
    let Some(pin) = pin else { return 0 };
    let shut = pin.locked || pin.wait > 0;
    [(pin.failures > 0, count_low), (pin.last_try && !shut, final_try), (shut, locked)]
        .into_iter()
        .filter(|(set, _)| *set)
        .fold(0, |all, (_, flag)| all | flag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_objects_are_the_users_once_the_user_has_a_pin() {
        for (user, required, sees) in [
            (None, None, true),
            (None, Some(false), true),
            (None, Some(true), false),
            (Some(CKU_USER), Some(true), true),
            (Some(CKU_SO), Some(true), false),
            (Some(CKU_SO), Some(false), false),
        ] {
            assert_eq!(Login { user, required }.sees_private(), sees);
        }
    }

    #[test]
    fn flags_tell_how_near_the_lock_is() {
        let state = |failures, wait, locked, last_try| Some(PinState { failures, wait, locked, last_try });
        let of = |user, officer| flags(&Token { label: None, user, officer });
        assert_eq!(of(None, None), CKF_USER_PIN_INITIALIZED);
        assert_eq!(of(None, state(0, 0, false, false)), 0);
        let set = CKF_LOGIN_REQUIRED | CKF_USER_PIN_INITIALIZED;
        assert_eq!(of(state(0, 0, false, false), None), set);
        assert_eq!(of(state(1, 0, false, false), None), set | CKF_USER_PIN_COUNT_LOW);
        assert_eq!(of(state(2, 0, false, true), None), set | CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_FINAL_TRY);
        assert_eq!(of(state(3, 5, false, true), None), set | CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_LOCKED);
        assert_eq!(of(state(10, 0, true, false), None), set | CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_LOCKED);
        assert_eq!(of(None, state(3, 9, false, true)), CKF_SO_PIN_COUNT_LOW | CKF_SO_PIN_LOCKED);
    }
}
