//! Message digests.

use cryptoki_sys::CK_SESSION_HANDLE;

use crate::error::{Error, Result};
use crate::ffi::{Mechanism, Output};
use crate::hash::Hasher;
use crate::{mechanism, module};

pub(crate) fn init(session: CK_SESSION_HANDLE, mechanism: Option<Mechanism>) -> Result<()> {
    let session = module::current()?.session(session)?;
    session.operations().digest.start(mechanism.map(hasher).transpose()?)
}

fn hasher(mechanism: Mechanism) -> Result<Hasher> {
    if mechanism.has_parameter() {
        return Err(Error::MechanismParamInvalid);
    }
    mechanism::hash(mechanism.kind()).and_then(Hasher::new).ok_or(Error::MechanismInvalid)
}

pub(crate) fn digest(session: CK_SESSION_HANDLE, data: &[u8], out: &Output<u8>) -> Result<()> {
    let session = module::current()?.session(session)?;
    session.operations().digest.finish(out, data.len(), |mut hasher| {
        hasher.update(data);
        Ok(hasher.finish())
    })
}

pub(crate) fn update(session: CK_SESSION_HANDLE, part: &[u8]) -> Result<()> {
    let session = module::current()?.session(session)?;
    session.operations().digest.update(|hasher| {
        hasher.update(part);
        Ok(())
    })
}

pub(crate) fn finish(session: CK_SESSION_HANDLE, out: &Output<u8>) -> Result<()> {
    let session = module::current()?.session(session)?;
    session.operations().digest.finish(out, 0, |hasher| Ok(hasher.finish()))
}
