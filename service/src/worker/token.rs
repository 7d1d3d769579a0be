//! The library, and the token in one of its slots.

use super::failure::Failure;
use super::message::{self, Ability, Open};
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::RvError;
use cryptoki::mechanism::MechanismInfo;
use cryptoki::object::ObjectHandle;
use cryptoki::session::{Session, UserType};
use cryptoki::slot::{Limit, Slot, TokenInfo};
use cryptoki::types::RawAuthPin;
use cryptoki_sys::{CKF_DECRYPT, CKF_DERIVE, CKF_ENCRYPT, CKF_GENERATE, CKF_GENERATE_KEY_PAIR, CKF_SIGN, CKF_VERIFY};
use interface::{Status, trust};
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The UUID of a key in the store.
pub(super) type Id = [u8; 16];

/// A token of a library that this process has loaded.
pub(super) struct Token {
    library: Pkcs11,
    slot: Slot,
    /// Keeps the login and the handles while no other session is open.
    anchor: Mutex<Option<Session>>,
    /// Finding an object takes as long as the token has objects.
    handles: Mutex<HashMap<Id, ObjectHandle>>,
}

impl Token {
    /// Loads the library and finds the token.
    pub(super) fn open(path: &Path, open: &Open) -> Result<(Self, message::Token), Failure> {
        let user = rustix::process::geteuid().as_raw();
        trust::check(path, user).map_err(|why| {
            Failure::Refused(Status::PsaErrorHardwareFailure, format!("the library {} is not loaded: it {why}", path.display()))
        })?;
        let library = Pkcs11::new(path)?;
        match library.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
            Err(cryptoki::error::Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
            initialized => initialized?,
        }
        let (slot, info) = find(&library, open).map_err(|failure| match failure {
            Failure::Refused(status, what) => Failure::Refused(status, format!("the library {} {what}", path.display())),
            other => other,
        })?;
        let told = describe(&library, slot, &info)?;
        Ok((Self { library, slot, anchor: Mutex::default(), handles: Mutex::default() }, told))
    }

    /// Logs in, for all sessions, and stays so.
    pub(super) fn log_in(&self, pin: &[u8]) -> Result<(), Failure> {
        let session = self.library.open_rw_session(self.slot)?;
        if !pin.is_empty() {
            match session.login_with_raw(UserType::User, &RawAuthPin::new(Box::new(pin.to_vec()))) {
                Err(cryptoki::error::Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {}
                logged_in => logged_in?,
            }
        }
        *self.anchor.lock().unwrap_or_else(PoisonError::into_inner) = Some(session);
        Ok(())
    }

    /// A further session; of a token that has room for one only, that one.
    pub(super) fn session(&self) -> Result<Session, Failure> {
        match self.library.open_rw_session(self.slot) {
            Err(error) => self.anchor().ok_or_else(|| error.into()),
            Ok(session) => Ok(session),
        }
    }

    /// The session of the login, once.
    pub(super) fn anchor(&self) -> Option<Session> {
        self.anchor.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(super) fn known(&self, id: &Id) -> Option<ObjectHandle> {
        self.handles().get(id).copied()
    }

    pub(super) fn remember(&self, id: Id, handle: ObjectHandle) {
        self.handles().insert(id, handle);
    }

    pub(super) fn forget(&self, id: &Id) {
        self.handles().remove(id);
    }

    fn handles(&self) -> MutexGuard<'_, HashMap<Id, ObjectHandle>> {
        self.handles.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The one token that is as wanted.
fn find(library: &Pkcs11, open: &Open) -> Result<(Slot, TokenInfo), Failure> {
    // A library may have slots that hold nothing it can tell of.
    let tokens = library.get_slots_with_token()?.into_iter().filter_map(|slot| Some((slot, library.get_token_info(slot).ok()?)));
    let tokens: Vec<_> = tokens.filter(|(_, info)| info.token_initialized()).collect();
    let is = |wanted: &Option<String>, told: &str| wanted.as_ref().is_none_or(|wanted| trimmed(wanted) == trimmed(told));
    let mut fit = tokens.iter().filter(|(slot, info)| {
        open.slot.is_none_or(|number| number == slot.id())
            && is(&open.serial, info.serial_number())
            && is(&open.label, info.label())
    });
    match (fit.next(), fit.next()) {
        (Some(token), None) => Ok(token.clone()),
        (found, _) => {
            let shown = |(slot, info): &(Slot, TokenInfo)| {
                let (label, serial) = (trimmed(info.label()), trimmed(info.serial_number()));
                format!("slot_number = {}, token_label = \"{label}\", serial_number = \"{serial}\"", slot.id())
            };
            let all: Vec<_> = tokens.iter().map(shown).collect();
            let (what, mend) = match (found, all.is_empty()) {
                (_, true) => ("has no token that is initialized", String::new()),
                (None, _) => ("has no token as the configuration wants it", format!(": it has {}", all.join("; "))),
                (Some(_), _) => ("has several tokens", format!(": say in the configuration which one: {}", all.join("; "))),
            };
            Err(Failure::Refused(Status::PsaErrorHardwareFailure, format!("{what}{mend}")))
        }
    }
}

fn describe(library: &Pkcs11, slot: Slot, info: &TokenInfo) -> Result<message::Token, Failure> {
    let ability = |mechanism| {
        let told = library.get_mechanism_info(slot, mechanism).ok()?;
        let (least, most) = (told.min_key_size() as u64, told.max_key_size() as u64);
        Some(Ability { mechanism: *mechanism, least, most, flags: flags(&told) })
    };
    let text = |text: &str| trimmed(text).to_owned();
    Ok(message::Token {
        label: text(info.label()),
        manufacturer: text(info.manufacturer_id()),
        model: text(info.model()),
        serial: text(info.serial_number()),
        sessions: match info.max_rw_session_count() {
            Limit::Max(most) => Some(most),
            Limit::Unavailable | Limit::Infinite => None,
        },
        login: info.login_required(),
        locked: info.user_pin_locked(),
        random: info.rng(),
        abilities: library.get_mechanism_list(slot)?.into_iter().filter_map(ability).collect(),
        slot: slot.id(),
    })
}

fn flags(told: &MechanismInfo) -> u64 {
    let flags = [
        (told.sign(), CKF_SIGN),
        (told.verify(), CKF_VERIFY),
        (told.encrypt(), CKF_ENCRYPT),
        (told.decrypt(), CKF_DECRYPT),
        (told.generate(), CKF_GENERATE),
        (told.generate_key_pair(), CKF_GENERATE_KEY_PAIR),
        (told.derive(), CKF_DERIVE),
    ];
    flags.iter().filter(|(told, _)| *told).fold(0, |all, (_, flag)| all | flag)
}

/// Without the blanks, or zeros, that fill the field.
fn trimmed(text: &str) -> &str {
    text.trim_end_matches([' ', '\0'])
}
