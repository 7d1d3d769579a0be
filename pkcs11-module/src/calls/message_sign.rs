//! Message-based signatures: each message is signed or verified as C_Sign and C_Verify do it, with a key that was checked once.

use cryptoki_sys::{CK_OBJECT_HANDLE, CK_SESSION_HANDLE, CKF_MESSAGE_SIGN, CKF_MESSAGE_VERIFY};

use super::{sign, verify};
use crate::error::Result;
use crate::ffi::{Mechanism, MessageParameter, Output};
use crate::operations::{active::Active, message::SigningMessages, signature::Signing};
use crate::state;

pub(crate) fn sign_init(session: CK_SESSION_HANDLE, mechanism: Option<Mechanism>, handle: CK_OBJECT_HANDLE) -> Result<()> {
    let module = state::current()?;
    let session = module.session(session)?;
    let begin = |mechanism: Mechanism| sign::begin(&module, &session, &mechanism, handle, CKF_MESSAGE_SIGN);
    let begun = mechanism.map(begin).transpose()?;
    session.operations().message_sign.start(begun.map(SigningMessages::new))
}

pub(crate) fn verify_init(session: CK_SESSION_HANDLE, mechanism: Option<Mechanism>, handle: CK_OBJECT_HANDLE) -> Result<()> {
    let module = state::current()?;
    let session = module.session(session)?;
    let begin = |mechanism: Mechanism| verify::begin(&module, &session, &mechanism, handle, CKF_MESSAGE_VERIFY);
    let begun = mechanism.map(begin).transpose()?;
    session.operations().message_verify.start(begun.map(SigningMessages::new))
}

/// Begins a message in the operation under way.
fn begin(active: &mut Active<SigningMessages>, parameter: &MessageParameter) -> Result<()> {
    let messages = active.current()?;
    let begun = messages.begin(parameter)?;
    messages.current.start_unlocked(Some(begun))
}

pub(crate) fn sign(session: CK_SESSION_HANDLE, parameter: &MessageParameter, data: &[u8], out: &Output<u8>) -> Result<()> {
    let module = state::current()?;
    let session = module.session(session)?;
    let mut operations = session.operations();
    let mut message = Active::default();
    message.start_unlocked(Some(operations.message_sign.current()?.begin(parameter)?))?;
    message.finish(out, data.len(), |signing| signing.whole(data)?.sign(&*module)).map(drop)
}

pub(crate) fn sign_begin(session: CK_SESSION_HANDLE, parameter: &MessageParameter) -> Result<()> {
    let session = state::current()?.session(session)?;
    begin(&mut session.operations().message_sign, parameter)
}

/// C_SignMessageNext; the part with a place for the signature is the last one.
pub(crate) fn sign_next(
    session: CK_SESSION_HANDLE,
    parameter: &MessageParameter,
    part: &[u8],
    out: Option<&Output<u8>>,
) -> Result<()> {
    let module = state::current()?;
    let session = module.session(session)?;
    parameter.none()?;
    let mut operations = session.operations();
    let current = &mut operations.message_sign.current()?.current;
    match out {
        None => current.update(|signing| signing.part(part)),
        Some(out) => {
            let end = |mut signing: Signing| {
                signing.part(part)?;
                signing.sign(&*module)
            };
            current.finish(out, part.len(), end).map(drop)
        }
    }
}

pub(crate) fn sign_finish(session: CK_SESSION_HANDLE) -> Result<()> {
    state::current()?.session(session)?.operations().message_sign.take().map(drop)
}

pub(crate) fn verify(session: CK_SESSION_HANDLE, parameter: &MessageParameter, data: &[u8], signature: &[u8]) -> Result<()> {
    let module = state::current()?;
    let session = module.session(session)?;
    let mut operations = session.operations();
    operations.message_verify.current()?.begin(parameter)?.whole(data)?.verify(&*module, signature)
}

pub(crate) fn verify_begin(session: CK_SESSION_HANDLE, parameter: &MessageParameter) -> Result<()> {
    let session = state::current()?.session(session)?;
    begin(&mut session.operations().message_verify, parameter)
}

/// C_VerifyMessageNext; the part that comes with the signature is the last one.
pub(crate) fn verify_next(
    session: CK_SESSION_HANDLE,
    parameter: &MessageParameter,
    part: &[u8],
    signature: Option<&[u8]>,
) -> Result<()> {
    let module = state::current()?;
    let session = module.session(session)?;
    parameter.none()?;
    let mut operations = session.operations();
    let current = &mut operations.message_verify.current()?.current;
    match signature {
        None => current.update(|verifying| verifying.part(part)),
        Some(signature) => {
            let mut verifying = current.take()?;
            verifying.part(part)?;
            verifying.verify(&*module, signature)
        }
    }
}

pub(crate) fn verify_finish(session: CK_SESSION_HANDLE) -> Result<()> {
    state::current()?.session(session)?.operations().message_verify.take().map(drop)
}
