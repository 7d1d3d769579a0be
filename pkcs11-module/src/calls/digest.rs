//! Message digests.

use cryptoki_sys::{CK_OBJECT_HANDLE, CK_SESSION_HANDLE, CKF_DIGEST, CKF_FIND_OBJECTS, CKO_SECRET_KEY};
use interface::attributes::Usage;

use super::object_management::export;
use super::step;
use crate::error::{Call, During, Error, Result};
use crate::ffi::{Mechanism, Output};
use crate::mechanism;
use crate::operations::active::{Progress, Step};
use crate::state::{self, lock};
use interface::hash::Hasher;

pub(crate) fn init(session: CK_SESSION_HANDLE, mechanism: Option<Mechanism>) -> Result<()> {
    let session = state::current()?.session(session)?;
    session.operations().digest.start(mechanism.map(hasher).transpose()?)
}

fn hasher(mechanism: Mechanism) -> Result<Hasher> {
    if mechanism.has_parameter() {
        return Err(Error::MechanismParamInvalid);
    }
    mechanism::hash(mechanism.kind()).and_then(Hasher::new).ok_or(Error::MechanismInvalid)
}

pub(crate) fn digest(session: CK_SESSION_HANDLE, data: Result<&[u8]>, out: Result<Output<u8>>) -> Result<()> {
    step(
        session,
        |operations| &mut operations.digest,
        Step::Whole,
        |_, active| {
            let data = data?;
            active.finish(&out?, data.len(), |mut hasher| {
                hasher.update(data);
                Ok(hasher.finish())
            })
        },
    )
}

pub(crate) fn update(session: CK_SESSION_HANDLE, part: Result<&[u8]>) -> Result<()> {
    step(
        session,
        |operations| &mut operations.digest,
        Step::Update,
        |_, active| {
            active.current()?.update(part?);
            Ok(Progress::Done)
        },
    )
}

pub(crate) fn finish(session: CK_SESSION_HANDLE, out: Result<Output<u8>>) -> Result<()> {
    step(
        session,
        |operations| &mut operations.digest,
        Step::Final,
        |_, active| active.finish(&out?, 0, |hasher| Ok(hasher.finish())),
    )
}

/// C_DigestKey: the value of a secret key that may be read anyway.
pub(crate) fn key(session: CK_SESSION_HANDLE, handle: CK_OBJECT_HANDLE) -> Result<()> {
    step(
        session,
        |operations| &mut operations.digest,
        Step::Update,
        |module, active| {
            let object = lock(&module.objects).find(handle).ok_or(Error::KeyHandleInvalid)?;
            let key = object.key().filter(|key| object.class == CKO_SECRET_KEY && key.may(Usage::EXPORT));
            let exported = export(module, key.ok_or(Error::KeyIndigestible)?).during(Call::Read)?;
            active.current()?.update(&exported.data);
            Ok(Progress::Done)
        },
    )
}

/// C_GetOperationState: of digests. What else is under way holds a key, or results that the caller has not fetched.
pub(crate) fn save(session: CK_SESSION_HANDLE, out: &Output<u8>) -> Result<()> {
    let session = state::current()?.session(session)?;
    let mut operations = session.operations();
    match operations.under_way() & !CKF_FIND_OBJECTS {
        0 => Err(Error::OperationNotInitialized),
        CKF_DIGEST => out.write(&operations.digest.current()?.save()),
        _ => Err(Error::StateUnsaveable),
    }
}

/// C_SetOperationState: ends what is under way, a search apart, and goes on with the digest that was saved.
pub(crate) fn restore(session: CK_SESSION_HANDLE, state: &[u8], keys: [CK_OBJECT_HANDLE; 2]) -> Result<()> {
    let session = state::current()?.session(session)?;
    let hasher = Hasher::restore(state).ok_or(Error::SavedStateInvalid)?;
    if keys != [0, 0] {
        return Err(Error::KeyNotNeeded);
    }
    let begun = Hasher::new(hasher.hash()).is_some_and(|fresh| fresh.save() == state);
    let mut operations = session.operations();
    operations.cancel(!CKF_FIND_OBJECTS);
    operations.digest.start(Some(hasher))?;
    if begun { Ok(()) } else { operations.digest.step(Step::Update, |_| Ok(Progress::Done)) }
}
