//! Verification, by the service too: one round trip at the last call.

use cryptoki_sys::{CK_OBJECT_HANDLE, CK_SESSION_HANDLE, CKF_VERIFY, CKO_PUBLIC_KEY};
use interface::attributes::Usage;

use super::object::key_for;
use crate::error::Result;
use crate::ffi::Mechanism;
use crate::module::{self, Module};
use crate::session::Session;
use crate::signature::Signing;

pub(crate) fn init(session: CK_SESSION_HANDLE, mechanism: Option<Mechanism>, handle: CK_OBJECT_HANDLE) -> Result<()> {
    let module = module::current()?;
    let session = module.session(session)?;
    let begun = mechanism.map(|mechanism| begin(&module, &session, &mechanism, handle)).transpose()?;
    session.operations().verify.start(begun)
}

fn begin(module: &Module, session: &Session, mechanism: &Mechanism, handle: CK_OBJECT_HANDLE) -> Result<Signing> {
    module.slots.check(session.provider, mechanism.kind(), CKF_VERIFY)?;
    Signing::new(mechanism, key_for(module, mechanism, handle, CKO_PUBLIC_KEY)?, Usage::VERIFY)
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

/// C_VerifySignatureInit, which takes the signature before the data (PKCS#11 3.2).
pub(crate) fn signature_init(
    session: CK_SESSION_HANDLE,
    mechanism: Option<Mechanism>,
    handle: CK_OBJECT_HANDLE,
    signature: &[u8],
) -> Result<()> {
    let module = module::current()?;
    let session = module.session(session)?;
    let begun = mechanism.map(|mechanism| begin(&module, &session, &mechanism, handle)).transpose()?;
    session.operations().verify_signature.start(begun.map(|verifying| (verifying, signature.to_vec())))
}

pub(crate) fn signature(session: CK_SESSION_HANDLE, data: &[u8]) -> Result<()> {
    let module = module::current()?;
    let session = module.session(session)?;
    let (verifying, signature) = session.operations().verify_signature.take()?;
    verifying.whole(data)?.verify(&module, &signature)
}

pub(crate) fn signature_update(session: CK_SESSION_HANDLE, part: &[u8]) -> Result<()> {
    let session = module::current()?.session(session)?;
    session.operations().verify_signature.update(|(verifying, _)| verifying.part(part))
}

pub(crate) fn signature_finish(session: CK_SESSION_HANDLE) -> Result<()> {
    let module = module::current()?;
    let session = module.session(session)?;
    let (verifying, signature) = session.operations().verify_signature.take()?;
    verifying.verify(&module, &signature)
}
