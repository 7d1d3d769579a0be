//! Two operations over the same data at once (PKCS#11 3.1 §5.17): encryption or decryption, and a digest or signature of the plaintext.

use cryptoki_sys::CK_SESSION_HANDLE;
use zeroize::Zeroizing;

use crate::error::Result;
use crate::ffi::Output;
use crate::operations::active::{Ongoing, Progress, Step};
use crate::operations::{Operations, encryption::Direction};
use crate::state;

/// What is made of the plaintext.
#[derive(Clone, Copy)]
pub(crate) enum SecondOperation {
    Digest,
    Sign,
    Verify,
}

impl SecondOperation {
    fn check(self, operations: &mut Operations) -> Result<()> {
        match self {
            Self::Digest => operations.digest.current().map(drop),
            Self::Sign => operations.sign.current().map(drop),
            Self::Verify => operations.verify.current().map(drop),
        }
    }

    fn add(self, operations: &mut Operations, plaintext: &[u8]) -> Result<()> {
        match self {
            Self::Digest => operations.digest.step(Step::Update, |active| {
                active.current()?.update(plaintext);
                Ok(Progress::Done)
            }),
            Self::Sign => operations.sign.step(Step::Update, |active| {
                active.current()?.part(plaintext)?;
                Ok(Progress::Done)
            }),
            Self::Verify => operations.verify.step(Step::Update, |active| {
                active.current()?.part(plaintext)?;
                Ok(Progress::Done)
            }),
        }
    }
}

/// C_DigestEncryptUpdate and C_SignEncryptUpdate.
pub(crate) fn encrypt(
    beside: SecondOperation,
    session: CK_SESSION_HANDLE,
    part: Result<&[u8]>,
    out: Result<Output<u8>>,
) -> Result<()> {
    update(Direction::Encrypt, beside, session, part, out)
}

/// C_DecryptDigestUpdate and C_DecryptVerifyUpdate.
pub(crate) fn decrypt(
    beside: SecondOperation,
    session: CK_SESSION_HANDLE,
    part: Result<&[u8]>,
    out: Result<Output<u8>>,
) -> Result<()> {
    update(Direction::Decrypt, beside, session, part, out)
}

/// Where nothing is encrypted or decrypted, the other operation goes on as it was; where that one fails, both end, since what came out
/// goes nowhere.
fn update(
    direction: Direction,
    beside: SecondOperation,
    session: CK_SESSION_HANDLE,
    part: Result<&[u8]>,
    out: Result<Output<u8>>,
) -> Result<()> {
    let module = state::current()?;
    let session = module.session(session)?;
    let mut operations = session.operations();
    beside.check(&mut operations)?;
    let mut crypted = None;
    operations.crypting(direction).step(Step::Update, |active| {
        let (part, out, crypting) = (part?, out?, active.current()?);
        if !out.takes(crypting.ready(part.len()))? {
            return Ok(Progress::Asked);
        }
        let output = Zeroizing::new(crypting.part(&*module, part)?);
        crypted = Some((part, out, output));
        Ok(Progress::Done)
    })?;
    let Some((part, out, output)) = crypted else { return Ok(()) };
    let plaintext = if direction == Direction::Encrypt { part } else { &output };
    if let Err(error) = beside.add(&mut operations, plaintext) {
        operations.crypting(direction).cancel();
        return Err(error);
    }
    out.write(&output)
}
