//! Signatures: nothing reaches the service before the last call, which is one round trip.

use cryptoki_sys::{
    CK_FLAGS, CK_OBJECT_HANDLE, CK_SESSION_HANDLE, CKA_SIGN, CKA_SIGN_RECOVER, CKF_SIGN, CKF_SIGN_RECOVER, CKO_PRIVATE_KEY,
};
use interface::attributes::Usage;

use super::object_management::{key_for, permitted};
use super::step;
use crate::error::{Error, Result};
use crate::ffi::{Mechanism, Output};
use crate::operations::active::{Progress, Step};
use crate::operations::signature::Signing;
use crate::state::{self, module::Module, session::Session};

pub(crate) fn init(session: CK_SESSION_HANDLE, mechanism: Option<Mechanism>, handle: CK_OBJECT_HANDLE) -> Result<()> {
    let module = state::current()?;
    let session = module.session(session)?;
    let begun = mechanism.map(|mechanism| begin(&module, &session, &mechanism, handle, CKF_SIGN)).transpose()?;
    session.operations().sign.start(begun)
}

/// Begins a signature. A hash that is too weak here is refused now and not at the end, so the token is asked about it if it has not been yet.
pub(super) fn begin(
    module: &Module,
    session: &Session,
    mechanism: &Mechanism,
    handle: CK_OBJECT_HANDLE,
    flag: CK_FLAGS,
) -> Result<Signing> {
    module.slots.check(session.provider, mechanism.kind(), flag)?;
    let signing = Signing::new(mechanism, key_for(module, mechanism, handle, CKO_PRIVATE_KEY)?, Usage::SIGN)?;
    if let Some(weak) = signing.weak() {
        let abilities = module.slots.find(&module.client, session.slot())?.abilities(&module.client)?;
        let own = weak == mechanism.kind();
        abilities.check(weak, CKF_SIGN).map_err(|error| if own { error } else { Error::MechanismParamInvalid })?;
    }
    permitted(signing, if flag == CKF_SIGN_RECOVER { CKA_SIGN_RECOVER } else { CKA_SIGN })
}

pub(crate) fn sign(session: CK_SESSION_HANDLE, data: Result<&[u8]>, out: Result<Output<u8>>) -> Result<()> {
    step(
        session,
        |operations| &mut operations.sign,
        Step::Whole,
        |module, active| {
            let data = data?;
            active.finish(&out?, data.len(), |signing| signing.whole(data)?.sign(module))
        },
    )
}

pub(crate) fn update(session: CK_SESSION_HANDLE, part: Result<&[u8]>) -> Result<()> {
    step(
        session,
        |operations| &mut operations.sign,
        Step::Update,
        |_, active| {
            active.current()?.part(part?)?;
            Ok(Progress::Done)
        },
    )
}

pub(crate) fn finish(session: CK_SESSION_HANDLE, out: Result<Output<u8>>) -> Result<()> {
    step(
        session,
        |operations| &mut operations.sign,
        Step::Final,
        |module, active| active.finish(&out?, 0, |signing| signing.sign(module)),
    )
}
