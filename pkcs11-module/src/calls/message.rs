//! Message-based encryption and decryption. A message that fails does not end the operation: the next may begin.

use cryptoki_sys::{
    CK_FLAGS, CK_OBJECT_HANDLE, CK_SESSION_HANDLE, CKF_END_OF_MESSAGE, CKF_MESSAGE_DECRYPT, CKF_MESSAGE_ENCRYPT, CKO_PRIVATE_KEY,
    CKO_PUBLIC_KEY,
};

use super::object_management::key_for;
use crate::error::{Error, Result};
use crate::ffi::{Mechanism, MessageParameter, Output};
use crate::operations::encryption::Direction;
use crate::operations::message::{self, Sealing};
use crate::state::{self, module::Module, session::Session};

pub(crate) fn init(
    direction: Direction,
    session: CK_SESSION_HANDLE,
    mechanism: Option<Mechanism>,
    handle: CK_OBJECT_HANDLE,
) -> Result<()> {
    let module = state::current()?;
    let session = module.session(session)?;
    let (flag, class) = match direction {
        Direction::Encrypt => (CKF_MESSAGE_ENCRYPT, CKO_PUBLIC_KEY),
        Direction::Decrypt => (CKF_MESSAGE_DECRYPT, CKO_PRIVATE_KEY),
    };
    let begin = |mechanism: Mechanism| {
        module.slots.check(session.provider, mechanism.kind(), flag)?;
        Sealing::new(direction, &mechanism, key_for(&module, &mechanism, handle, class)?)
    };
    let begun = mechanism.map(begin).transpose()?;
    session.operations().sealing(direction).start(begun)
}

/// C_EncryptMessage and C_DecryptMessage.
pub(crate) fn whole(
    direction: Direction,
    session: CK_SESSION_HANDLE,
    parameter: &MessageParameter,
    additional: &[u8],
    data: &[u8],
    out: &Output<u8>,
) -> Result<()> {
    let module = state::current()?;
    let session = module.session(session)?;
    let mut operations = session.operations();
    let sealing = operations.sealing(direction).current()?;
    if !out.takes(data.len())? {
        return Ok(());
    }
    let message = sealing.read(parameter)?;
    let mut crypting = sealing.begin(&message, additional)?;
    crypting.add(data)?;
    let output = match direction {
        Direction::Encrypt => message::seal(&*module, crypting, &message),
        Direction::Decrypt => message::open(&*module, crypting, &message),
    }?;
    out.write(&output)
}

/// C_EncryptMessageBegin and C_DecryptMessageBegin. The parts of a message have one nonce, so that the service cannot make it.
pub(crate) fn begin(
    direction: Direction,
    session: CK_SESSION_HANDLE,
    parameter: &MessageParameter,
    additional: &[u8],
) -> Result<()> {
    let session = state::current()?.session(session)?;
    let mut operations = session.operations();
    let sealing = operations.sealing(direction).current()?;
    let begun = sealing.begin(&sealing.read(parameter)?, additional)?;
    if begun.fresh_nonce() {
        return Err(Error::MechanismParamInvalid);
    }
    sealing.current.start_unlocked(Some(begun))
}

/// C_EncryptMessageNext and C_DecryptMessageNext.
pub(crate) fn next(
    direction: Direction,
    session: CK_SESSION_HANDLE,
    parameter: &MessageParameter,
    part: &[u8],
    out: &Output<u8>,
    flags: CK_FLAGS,
) -> Result<()> {
    let module = state::current()?;
    let session = module.session(session)?;
    let last = flags & CKF_END_OF_MESSAGE != 0;
    match direction {
        Direction::Encrypt => seal_next(&module, &session, parameter, part, out, last),
        Direction::Decrypt => open_next(&module, &session, parameter, part, out, last),
    }
}

fn seal_next(
    module: &Module,
    session: &Session,
    parameter: &MessageParameter,
    part: &[u8],
    out: &Output<u8>,
    last: bool,
) -> Result<()> {
    let mut operations = session.operations();
    let sealing = operations.message_encrypt.current()?;
    sealing.current.current()?;
    if !out.takes(part.len())? {
        return Ok(());
    }
    if !last {
        return sealing.current.update(|crypting| out.write(&crypting.seal_part(module, part)?));
    }
    let message = sealing.read(parameter)?;
    let mut crypting = sealing.current.take()?;
    crypting.add(part)?;
    out.write(&message::seal(module, crypting, &message)?)
}

/// All of the plaintext comes with the last part.
fn open_next(
    module: &Module,
    session: &Session,
    parameter: &MessageParameter,
    part: &[u8],
    out: &Output<u8>,
    last: bool,
) -> Result<()> {
    let mut operations = session.operations();
    let sealing = operations.message_decrypt.current()?;
    let ready = if last { sealing.current.current()?.len() + part.len() } else { 0 };
    if !out.takes(ready)? {
        return Ok(());
    }
    if !last {
        sealing.current.update(|crypting| crypting.add(part))?;
        return out.write(&[]);
    }
    let message = sealing.read(parameter)?;
    let mut crypting = sealing.current.take()?;
    crypting.add(part)?;
    out.write(&message::open(module, crypting, &message)?)
}

pub(crate) fn finish(direction: Direction, session: CK_SESSION_HANDLE) -> Result<()> {
    state::current()?.session(session)?.operations().sealing(direction).take().map(drop)
}
