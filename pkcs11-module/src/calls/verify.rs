//! Verification, by the service too: one round trip at the last call.

use cryptoki_sys::{CK_OBJECT_HANDLE, CK_SESSION_HANDLE, CKF_VERIFY, CKO_PUBLIC_KEY};
use interface::attributes::Usage;

use super::object::key;
use crate::error::Result;
use crate::ffi::Mechanism;
use crate::module;
use crate::signature::Signing;

pub(crate) fn init(session: CK_SESSION_HANDLE, mechanism: Option<Mechanism>, handle: CK_OBJECT_HANDLE) -> Result<()> {
    let module = module::current()?;
    let session = module.session(session)?;
    let begin = |mechanism: Mechanism| {
        module.slots.check(session.provider, mechanism.kind(), CKF_VERIFY)?;
        let key = key(&module, handle, CKO_PUBLIC_KEY)?;
        Signing::new(&mechanism, key, Usage::VERIFY)
    };
    session.operations().verify.start(mechanism.map(begin).transpose()?)
}

pub(crate) fn verify(session: CK_SESSION_HANDLE, data: &[u8], signature: &[u8]) -> Result<()> {
    let module = module::current()?;
    let session = module.session(session)?;
    let verifying = session.operations().verify.take()?;
    verifying.whole(data)?.verify(&module, signature)
}

pub(crate) fn update(session: CK_SESSION_HANDLE, part: &[u8]) -> Result<()> {
    let session = module::current()?.session(session)?;
    session.operations().verify.update(|verifying| verifying.part(part))
}

pub(crate) fn finish(session: CK_SESSION_HANDLE, signature: &[u8]) -> Result<()> {
    let module = module::current()?;
    let session = module.session(session)?;
    let verifying = session.operations().verify.take()?;
    verifying.verify(&module, signature)
}
