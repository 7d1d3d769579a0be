//! Whose keys are, when that changes: keys that get another owner, and users who have another name.

use super::Core;
use crate::admission::Call;
use crate::auth::Principal;
use crate::bounds;
use crate::error::{Error, Result};
use crate::provider::Handle;
use crate::wrapping;
use interface::attributes::Usage;
use interface::message::Empty;
use interface::operations::{ChangeOwner, ConfirmUser};
use interface::text::word;
use interface::{PROVIDERS, Status};

/// The name that a user had when it got its keys, if it has another one now.
pub(super) fn former(call: &Call<'_>, principal: &Principal) -> String {
    call.store().renamed_user(principal).map(|names| names.before).unwrap_or_default()
}

impl Handle<ChangeOwner> for Core {
    fn handle(&self, call: &Call<'_>, op: ChangeOwner) -> Result<Empty> {
        bounds::text("principal", op.principal.as_bytes())?;
        let (key, to) = (call.key()?, op.principal.parse::<Principal>()?);
        if key.owner == to {
            return Ok(Empty {});
        }
        let named = op.owner.as_deref().map_or_else(|| Ok(call.caller()?.clone()), str::parse)?;
        if named != key.owner || op.key_name != key.name {
            let (name, owner) = (&key.name, &key.owner);
            let detail = format!(
                "{named} has no key '{}' any more: it is '{name}' of {owner} now (parsec key chown {} --owner {})",
                op.key_name,
                word(name),
                word(&owner.to_string())
            );
            return Err(Error::refused(Status::PsaErrorDoesNotExist, detail));
        }
        call.store().check_same_user(&to)?;
        let keep = op.keep.as_ref().map_or(Usage::NONE, Usage::from);
        if wrapping::depends(key, keep) {
            call.admission.recall(call, key)?;
        }
        wrapping::check_grant(key, &named, keep)?;
        call.check_room_of(&to, call.store().growth_by_key(key, &to))?;
        call.store().chown(key, &to, keep)?;
        Ok(Empty {})
    }
}

impl Handle<ConfirmUser> for Core {
    fn handle(&self, call: &Call<'_>, op: ConfirmUser) -> Result<Empty> {
        bounds::text("principal", op.principal.as_bytes())?;
        let user = op.principal.parse()?;
        if op.another {
            let _closed = call.store().reset(&user, PROVIDERS.iter().map(|kind| kind.id))?;
            call.store().replace_user(&user)?;
        } else {
            call.store().confirm_user(&user)?;
        }
        Ok(Empty {})
    }
}
