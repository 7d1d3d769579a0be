//! Encryption and decryption.

use cryptoki_sys::{CK_OBJECT_HANDLE, CK_SESSION_HANDLE, CKF_DECRYPT, CKF_ENCRYPT, CKO_PRIVATE_KEY, CKO_PUBLIC_KEY};

use super::object_management::key_for;
use super::step;
use crate::error::Result;
use crate::ffi::{Mechanism, Output};
use crate::operations::active::{Progress, Step};
use crate::operations::encryption::{Crypting, Direction};
use crate::state;

pub(crate) fn init(
    direction: Direction,
    session: CK_SESSION_HANDLE,
    mechanism: Option<Mechanism>,
    handle: CK_OBJECT_HANDLE,
) -> Result<()> {
    let module = state::current()?;
    let session = module.session(session)?;
    let (flag, class) = match direction {
        Direction::Encrypt => (CKF_ENCRYPT, CKO_PUBLIC_KEY),
        Direction::Decrypt => (CKF_DECRYPT, CKO_PRIVATE_KEY),
    };
    let begin = |mechanism: Mechanism| {
        module.slots.check(session.provider, mechanism.kind(), flag)?;
        Crypting::new(direction, &mechanism, key_for(&module, &mechanism, handle, class)?)
    };
    let begun = mechanism.map(begin).transpose()?;
    session.operations().crypting(direction).start(begun)
}

pub(crate) fn whole(
    direction: Direction,
    session: CK_SESSION_HANDLE,
    data: Result<&[u8]>,
    out: Result<Output<u8>>,
) -> Result<()> {
    step(
        session,
        |operations| operations.crypting(direction),
        Step::Whole,
        |module, active| {
            let data = data?;
            active.finish(&out?, data.len(), |crypting| crypting.whole(module, data))
        },
    )
}

pub(crate) fn update(
    direction: Direction,
    session: CK_SESSION_HANDLE,
    part: Result<&[u8]>,
    out: Result<Output<u8>>,
) -> Result<()> {
    step(
        session,
        |operations| operations.crypting(direction),
        Step::Update,
        |module, active| {
            let (part, out, crypting) = (part?, out?, active.current()?);
            if !out.takes(crypting.ready(part.len()))? {
                return Ok(Progress::Asked);
            }
            out.write(&crypting.part(module, part)?)?;
            Ok(Progress::Done)
        },
    )
}

pub(crate) fn finish(direction: Direction, session: CK_SESSION_HANDLE, out: Result<Output<u8>>) -> Result<()> {
    step(
        session,
        |operations| operations.crypting(direction),
        Step::Final,
        |module, active| active.finish(&out?, 0, |crypting| crypting.run(module)),
    )
}
