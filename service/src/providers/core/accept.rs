//! Whose keys a caller wants to see beside its own.

use super::Core;
use crate::admission::Call;
use crate::auth::{Callers, Principal};
use crate::bounds;
use crate::error::{Error, Result};
use crate::provider::Handle;
use interface::Status;
use interface::message::Empty;
use interface::operations::{Accept, AcceptedOwner, ListAccepted, Owners, Verdict};

/// The owners that one caller, or all callers of one pattern, may accept or reject.
const LIMIT: usize = 1024;

impl Core {
    /// The callers for whom the caller speaks: itself, or, if it may, those that it names.
    fn callers(&self, call: &Call<'_>, named: Option<&str>) -> Result<Callers> {
        let caller = call.caller()?;
        let callers = named.map_or_else(|| Ok(Callers::One(caller.clone())), str::parse)?;
        if callers == Callers::One(caller.clone()) || call.admission.authenticators.speaks_for_others(caller) {
            return Ok(callers);
        }
        let detail = format!(
            "{caller} says for itself whose keys it accepts; for {callers}, root and administrators may: see admins in the configuration"
        );
        Err(Error::refused(Status::AdminOperation, detail))
    }
}

impl Handle<Accept> for Core {
    fn handle(&self, call: &Call<'_>, op: Accept) -> Result<Empty> {
        bounds::text("callers", op.callers.as_deref().unwrap_or_default().as_bytes())?;
        bounds::text("owner", op.owner.as_bytes())?;
        let callers = self.callers(call, op.callers.as_deref())?;
        let owner: Principal = op.owner.parse()?;
        let verdict = match op.verdict {
            0 => None,
            verdict => Some(Verdict::try_from(verdict)?).filter(|verdict| *verdict != Verdict::Standing),
        };
        let refuse = |why: String| Err(Error::refused(Status::PsaErrorInvalidArgument, why));
        if callers == Callers::One(owner.clone()) {
            return refuse(format!("{owner} always sees its own keys: name the owner of others"));
        }
        let said = call.store().acceptances(&callers.key());
        if verdict.is_some() && said.len() >= LIMIT && said.iter().all(|(other, _)| *other != owner) {
            return refuse(format!("something was said of {LIMIT} owners for {callers} already: forget one of them"));
        }
        call.store().set_acceptance(&callers.key(), &owner, verdict)?;
        Ok(Empty {})
    }
}

impl Handle<ListAccepted> for Core {
    fn handle(&self, call: &Call<'_>, op: ListAccepted) -> Result<Owners> {
        let callers = self.callers(call, op.callers.as_deref())?;
        let said = call.store().acceptances(&callers.key());
        let verdict = |owner: &Principal| said.iter().find(|(other, _)| other == owner).map(|(_, verdict)| *verdict);
        let shown = |owner: &Principal, listed, keys| AcceptedOwner {
            owner: owner.to_string(),
            verdict: verdict(owner).map_or(0, i32::from),
            listed,
            keys,
        };
        let owners = match &callers {
            Callers::One(caller) => {
                let granters = call.store().granters(caller, &call.admission.authenticators.admins).into_iter();
                let keys = |keys: usize| u32::try_from(keys).unwrap_or(u32::MAX);
                granters.map(|granter| shown(&granter.owner, granter.listed, keys(granter.keys))).collect()
            }
            Callers::Beginning(_) => said.iter().map(|(owner, verdict)| shown(owner, *verdict != Verdict::Rejected, 0)).collect(),
        };
        Ok(Owners { owners })
    }
}
