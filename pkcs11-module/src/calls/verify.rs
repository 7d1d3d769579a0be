//! Verification, by the service too: one round trip at the last call.

use cryptoki_sys::{CK_FLAGS, CK_OBJECT_HANDLE, CK_SESSION_HANDLE, CKA_VERIFY, CKF_VERIFY, CKO_PUBLIC_KEY};
use interface::attributes::Usage;

use super::object_management::{key_for, permitted};
use super::step;
use crate::error::Result;
use crate::ffi::Mechanism;
use crate::operations::active::{Progress, Step};
use crate::operations::signature::Signing;
use crate::state::{self, module::Module, session::Session};

pub(crate) fn init(session: CK_SESSION_HANDLE, mechanism: Option<Mechanism>, handle: CK_OBJECT_HANDLE) -> Result<()> {
    let module = state::current()?;
    let session = module.session(session)?;
    let begun = mechanism.map(|mechanism| begin(&module, &session, &mechanism, handle, CKF_VERIFY)).transpose()?;
    session.operations().verify.start(begun)
}

/// Begins the check of a signature.
pub(super) fn begin(
    module: &Module,
    session: &Session,
    mechanism: &Mechanism,
    handle: CK_OBJECT_HANDLE,
    flag: CK_FLAGS,
) -> Result<Signing> {
    module.slots.check(session.provider, mechanism.kind(), flag)?;
    permitted(Signing::new(mechanism, key_for(module, mechanism, handle, CKO_PUBLIC_KEY)?, Usage::VERIFY)?, CKA_VERIFY)
}

pub(crate) fn verify(session: CK_SESSION_HANDLE, data: Result<&[u8]>, signature: Result<&[u8]>) -> Result<()> {
    step(
        session,
        |operations| &mut operations.verify,
        Step::Whole,
        |module, active| {
            active.take()?.whole(data?)?.verify(module, signature?)?;
            Ok(Progress::Done)
        },
    )
}

pub(crate) fn update(session: CK_SESSION_HANDLE, part: Result<&[u8]>) -> Result<()> {
    step(
        session,
        |operations| &mut operations.verify,
        Step::Update,
        |_, active| {
            active.current()?.part(part?)?;
            Ok(Progress::Done)
        },
    )
}

pub(crate) fn finish(session: CK_SESSION_HANDLE, signature: Result<&[u8]>) -> Result<()> {
    step(
        session,
        |operations| &mut operations.verify,
        Step::Final,
        |module, active| {
            active.take()?.verify(module, signature?)?;
            Ok(Progress::Done)
        },
    )
}

/// C_VerifySignatureInit, which takes the signature before the data (PKCS#11 3.2).
pub(crate) fn signature_init(
    session: CK_SESSION_HANDLE,
    mechanism: Option<Mechanism>,
    handle: CK_OBJECT_HANDLE,
    signature: &[u8],
) -> Result<()> {
    let module = state::current()?;
    let session = module.session(session)?;
    let begun = mechanism.map(|mechanism| begin(&module, &session, &mechanism, handle, CKF_VERIFY)).transpose()?;
    session.operations().verify_signature.start(begun.map(|verifying| (verifying, signature.to_vec())))
}

pub(crate) fn signature(session: CK_SESSION_HANDLE, data: Result<&[u8]>) -> Result<()> {
    step(
        session,
        |operations| &mut operations.verify_signature,
        Step::Whole,
        |module, active| {
            let (verifying, signature) = active.take()?;
            verifying.whole(data?)?.verify(module, &signature)?;
            Ok(Progress::Done)
        },
    )
}

pub(crate) fn signature_update(session: CK_SESSION_HANDLE, part: Result<&[u8]>) -> Result<()> {
    step(
        session,
        |operations| &mut operations.verify_signature,
        Step::Update,
        |_, active| {
            active.current()?.0.part(part?)?;
            Ok(Progress::Done)
        },
    )
}

pub(crate) fn signature_finish(session: CK_SESSION_HANDLE) -> Result<()> {
    step(
        session,
        |operations| &mut operations.verify_signature,
        Step::Final,
        |module, active| {
            let (verifying, signature) = active.take()?;
            verifying.verify(module, &signature)?;
            Ok(Progress::Done)
        },
    )
}
