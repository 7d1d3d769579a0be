//! Signatures: nothing reaches the service before the last call, which is one round trip.

use cryptoki_sys::{CK_OBJECT_HANDLE, CK_SESSION_HANDLE, CKF_SIGN, CKO_PRIVATE_KEY};
use interface::attributes::Usage;

use super::object::key_for;
use crate::error::Result;
use crate::ffi::{Mechanism, Output};
use crate::module;
use crate::operation::{Progress, Step, step};
use crate::signature::Signing;

pub(crate) fn init(session: CK_SESSION_HANDLE, mechanism: Option<Mechanism>, handle: CK_OBJECT_HANDLE) -> Result<()> {
    let module = module::current()?;
    let session = module.session(session)?;
    let begin = |mechanism: Mechanism| {
        module.slots.check(session.provider, mechanism.kind(), CKF_SIGN)?;
        let key = key_for(&module, &mechanism, handle, CKO_PRIVATE_KEY)?;
        Signing::new(&mechanism, key, Usage::SIGN)
    };
    session.operations().sign.start(mechanism.map(begin).transpose()?)
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
