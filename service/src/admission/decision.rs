//! Records durably what a key decides to be, before the provider runs. [`crate::wrapping`] has the rules; this module applies them
//! to the store.

use super::{Admission, Call, Incoming};
use crate::error::{Error, Result};
use crate::key::Key;
use crate::store::Fingerprint;
use crate::wrapping;
use interface::{Opcode, Used};
use std::sync::Arc;

impl Admission {
    /// Makes a key decide for the role of this use. If another key of its value has decided already, that decision holds. `leaving` is the
    /// key that it wraps.
    pub(super) fn decide(&self, call: &Call<'_>, key: &Key, used: &Used<'_>, leaving: Option<&Key>) -> Result<()> {
        let Some(wanted) = wrapping::decision(key, used, leaving) else {
            return Ok(());
        };
        if let Some(held) = key.decided() {
            return wrapping::check_decision(key, wanted, held);
        }
        let Some(value) = self.value(call, key)? else {
            return Ok(());
        };
        let held = if wrapping::decides(key) { Some(self.store.decide(&value, wanted)?) } else { self.store.decided(&value) };
        let Some(held) = held else {
            return Ok(());
        };
        let _ = key.decided.set(held);
        wrapping::check_decision(key, wanted, held)
    }

    /// Copies the decision of a key's value to the key.
    pub(crate) fn recall(&self, call: &Call<'_>, key: &Key) -> Result<()> {
        let value = self.value(call, key)?;
        if let Some(held) = value.and_then(|value| self.store.decided(&value)) {
            let _ = key.decided.set(held);
        }
        Ok(())
    }

    /// The grants that became ineffective, each with its remedy.
    pub fn ended_grants(&self) -> Vec<Error> {
        self.store.all_granted().iter().flat_map(|key| self.ended_grants_of(key)).collect()
    }

    fn ended_grants_of(&self, key: &Key) -> Vec<Error> {
        let incoming = Incoming::own(key, Opcode::ListGrants, Arc::default());
        if key.grants.values().any(|usage| wrapping::depends(key, *usage))
            && let Err(error) = self.recall(&self.call(&incoming), key)
        {
            tracing::debug!("whether key '{}' of {} has wrapped others is not known: {error}", key.name, key.owner);
        }
        key.grants.iter().filter_map(|(to, usage)| wrapping::check_grant(key, to, *usage).err()).collect()
    }

    /// The fingerprint of a key's value; `None` if no key of its provider wraps others.
    fn value(&self, call: &Call<'_>, key: &Key) -> Result<Option<Fingerprint>> {
        let value = self.values.of(key.provider).map(|value| value(call, key)).transpose()?;
        Ok(value.map(|value| self.store.fingerprint(&value)))
    }
}
