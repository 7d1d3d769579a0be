//! Two operations over the same data at once (PKCS#11 3.1 §5.17): encryption or decryption, and a digest or signature of the plaintext.

use cryptoki_sys::CK_SESSION_HANDLE;

use crate::encryption::Direction;
use crate::error::Result;
use crate::ffi::Output;
use crate::module;
use crate::session::Operations;

/// What is made of the plaintext.
#[derive(Clone, Copy)]
pub(crate) enum Beside {
    Digest,
    Sign,
    Verify,
}

impl Beside {
    fn check(self, operations: &mut Operations) -> Result<()> {
        match self {
            Self::Digest => operations.digest.current().map(drop),
            Self::Sign => operations.sign.current().map(drop),
            Self::Verify => operations.verify.current().map(drop),
        }
    }

    fn add(self, operations: &mut Operations, plaintext: &[u8]) -> Result<()> {
        match self {
            Self::Digest => operations.digest.update(|hasher| {
                hasher.update(plaintext);
                Ok(())
            }),
            Self::Sign => operations.sign.update(|signing| signing.part(plaintext)),
            Self::Verify => operations.verify.update(|verifying| verifying.part(plaintext)),
        }
    }
}

/// C_DigestEncryptUpdate and C_SignEncryptUpdate.
pub(crate) fn encrypt(beside: Beside, session: CK_SESSION_HANDLE, part: &[u8], out: &Output<u8>) -> Result<()> {
    update(Direction::Encrypt, beside, session, part, out)
}

/// C_DecryptDigestUpdate and C_DecryptVerifyUpdate.
pub(crate) fn decrypt(beside: Beside, session: CK_SESSION_HANDLE, part: &[u8], out: &Output<u8>) -> Result<()> {
    update(Direction::Decrypt, beside, session, part, out)
}

fn update(direction: Direction, beside: Beside, session: CK_SESSION_HANDLE, part: &[u8], out: &Output<u8>) -> Result<()> {
    let module = module::current()?;
    let session = module.session(session)?;
    let mut operations = session.operations();
    beside.check(&mut operations)?;
    let active = operations.crypting(direction);
    if !out.takes(active.current()?.ready(part.len()))? {
        return Ok(());
    }
    let mut output = zeroize::Zeroizing::new(vec![]);
    active.update(|crypting| crypting.part(&module, part).map(|crypted| *output = crypted))?;
    let plaintext = if direction == Direction::Encrypt { part } else { &output };
    beside.add(&mut operations, plaintext)?;
    out.write(&output)
}
