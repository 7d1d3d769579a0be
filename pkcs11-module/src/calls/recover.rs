//! Signatures from which the data is recovered (PKCS#11 3.1 §5.13.5, §5.15.5): single-part, of RSA.

use cryptoki_sys::{
    CK_OBJECT_HANDLE, CK_SESSION_HANDLE, CKA_VERIFY_RECOVER, CKF_SIGN_RECOVER, CKF_VERIFY_RECOVER, CKO_PUBLIC_KEY,
};

use super::object_management::{key_for, permitted};
use super::sign;
use super::step;
use crate::error::Result;
use crate::ffi::{Mechanism, Output};
use crate::mechanism;
use crate::operations::active::{Progress, Step};
use crate::operations::recover::Recovering;
use crate::state;

pub(crate) fn sign_init(session: CK_SESSION_HANDLE, mechanism: Option<Mechanism>, handle: CK_OBJECT_HANDLE) -> Result<()> {
    let module = state::current()?;
    let session = module.session(session)?;
    let begin = |mechanism: Mechanism| {
        mechanism::recovering(mechanism.kind())?;
        sign::begin(&module, &session, &mechanism, handle, CKF_SIGN_RECOVER)
    };
    session.operations().sign_recover.start(mechanism.map(begin).transpose()?)
}

pub(crate) fn sign(session: CK_SESSION_HANDLE, data: Result<&[u8]>, out: Result<Output<u8>>) -> Result<()> {
    step(
        session,
        |operations| &mut operations.sign_recover,
        Step::Whole,
        |module, active| {
            let data = data?;
            active.finish(&out?, data.len(), |signing| signing.whole(data)?.sign(module))
        },
    )
}

pub(crate) fn verify_init(session: CK_SESSION_HANDLE, mechanism: Option<Mechanism>, handle: CK_OBJECT_HANDLE) -> Result<()> {
    let module = state::current()?;
    let session = module.session(session)?;
    let begin = |mechanism: Mechanism| {
        module.slots.check(session.provider, mechanism.kind(), CKF_VERIFY_RECOVER)?;
        let key = key_for(&module, &mechanism, handle, CKO_PUBLIC_KEY)?;
        permitted(Recovering::new(&mechanism, key)?, CKA_VERIFY_RECOVER)
    };
    session.operations().verify_recover.start(mechanism.map(begin).transpose()?)
}

/// How much there is to recover is known when it is there, so the length is never asked in vain.
pub(crate) fn verify(session: CK_SESSION_HANDLE, signature: Result<&[u8]>, out: Result<Output<u8>>) -> Result<()> {
    step(
        session,
        |operations| &mut operations.verify_recover,
        Step::Whole,
        |_, active| {
            let (out, recovered) = (out?, active.current()?.recover(signature?)?);
            if !out.takes(recovered.len())? {
                return Ok(Progress::Asked);
            }
            out.write(&recovered)?;
            Ok(Progress::Done)
        },
    )
}
