//! A session and the operations under way in it. The rules of multi-call operations stand here once.

use std::sync::{Mutex, MutexGuard};

use cryptoki_sys::{
    CK_FLAGS, CK_OBJECT_HANDLE, CK_SLOT_ID, CKF_DECRYPT, CKF_DIGEST, CKF_ENCRYPT, CKF_FIND_OBJECTS, CKF_MESSAGE_DECRYPT,
    CKF_MESSAGE_ENCRYPT, CKF_MESSAGE_SIGN, CKF_MESSAGE_VERIFY, CKF_SIGN, CKF_SIGN_RECOVER, CKF_VERIFY, CKF_VERIFY_RECOVER,
};
use interface::ProviderId;

use crate::encryption::{Crypting, Direction};
use crate::error::{Error, Result};
use crate::ffi::Output;
use crate::hash::Hasher;
use crate::message::{Sealing, SigningMessages};
use crate::module::lock;
use crate::recover::Recovering;
use crate::signature::Signing;

pub(crate) struct Session {
    /// The provider behind the session's slot.
    pub(crate) provider: ProviderId,
    /// Opened with CKF_RW_SESSION.
    pub(crate) writable: bool,
    operations: Mutex<Operations>,
}

/// One operation of each kind may be under way at a time.
#[derive(Default)]
pub(crate) struct Operations {
    /// The handles found that the caller has not fetched yet.
    pub(crate) find: Active<std::vec::IntoIter<CK_OBJECT_HANDLE>>,
    pub(crate) digest: Active<Hasher>,
    pub(crate) sign: Active<Signing>,
    pub(crate) verify: Active<Signing>,
    pub(crate) encrypt: Active<Crypting>,
    pub(crate) decrypt: Active<Crypting>,
    pub(crate) sign_recover: Active<Signing>,
    pub(crate) verify_recover: Active<Recovering>,
    /// With the signature, which C_VerifySignatureInit has taken.
    pub(crate) verify_signature: Active<(Signing, Vec<u8>)>,
    pub(crate) message_encrypt: Active<Sealing>,
    pub(crate) message_decrypt: Active<Sealing>,
    pub(crate) message_sign: Active<SigningMessages>,
    pub(crate) message_verify: Active<SigningMessages>,
}

impl Operations {
    /// Every kind, with the flag that names it (PKCS#11 3.1 §5.6.5).
    fn kinds(&mut self) -> [(CK_FLAGS, &mut dyn Ongoing); 13] {
        [
            (CKF_FIND_OBJECTS, &mut self.find),
            (CKF_DIGEST, &mut self.digest),
            (CKF_SIGN, &mut self.sign),
            (CKF_VERIFY, &mut self.verify),
            (CKF_ENCRYPT, &mut self.encrypt),
            (CKF_DECRYPT, &mut self.decrypt),
            (CKF_SIGN_RECOVER, &mut self.sign_recover),
            (CKF_VERIFY_RECOVER, &mut self.verify_recover),
            (CKF_VERIFY, &mut self.verify_signature),
            (CKF_MESSAGE_ENCRYPT, &mut self.message_encrypt),
            (CKF_MESSAGE_DECRYPT, &mut self.message_decrypt),
            (CKF_MESSAGE_SIGN, &mut self.message_sign),
            (CKF_MESSAGE_VERIFY, &mut self.message_verify),
        ]
    }

    pub(crate) fn crypting(&mut self, direction: Direction) -> &mut Active<Crypting> {
        match direction {
            Direction::Encrypt => &mut self.encrypt,
            Direction::Decrypt => &mut self.decrypt,
        }
    }

    pub(crate) fn sealing(&mut self, direction: Direction) -> &mut Active<Sealing> {
        match direction {
            Direction::Encrypt => &mut self.message_encrypt,
            Direction::Decrypt => &mut self.message_decrypt,
        }
    }

    /// Ends the operations that `flags` name.
    pub(crate) fn cancel(&mut self, flags: CK_FLAGS) {
        let named = self.kinds().into_iter().filter(|(flag, _)| flags & flag != 0);
        named.for_each(|(_, operation)| operation.cancel());
    }

    /// The flags of the operations under way.
    pub(crate) fn under_way(&mut self) -> CK_FLAGS {
        let ongoing = self.kinds().into_iter().filter(|(_, operation)| operation.is_active());
        ongoing.fold(0, |flags, (flag, _)| flags | flag)
    }
}

impl Session {
    pub(crate) fn new(provider: ProviderId, writable: bool) -> Self {
        Self { provider, writable, operations: Mutex::default() }
    }

    pub(crate) fn slot(&self) -> CK_SLOT_ID {
        self.provider.number().into()
    }

    /// The operations. Two threads in one session take turns.
    pub(crate) fn operations(&self) -> MutexGuard<'_, Operations> {
        lock(&self.operations)
    }

    /// Whether a thread is at work in it, or was in the parent at the fork.
    pub(crate) fn busy(&self) -> bool {
        self.operations.try_lock().is_err()
    }

    /// Fails in a read-only session, which may not change what the token keeps.
    pub(crate) fn check_writable(&self) -> Result<()> {
        if self.writable { Ok(()) } else { Err(Error::SessionReadOnly) }
    }
}

/// One kind of operation in a session, made of several calls (PKCS#11 §5.2).
pub(crate) struct Active<T>(Option<T>);

impl<T> Default for Active<T> {
    fn default() -> Self {
        Self(None)
    }
}

/// How long the result of an operation is at most, known before it is computed.
pub(crate) trait OutputLen {
    /// In bytes, when `more` bytes of data come before the end.
    fn output_len(&self, more: usize) -> usize;
}

impl OutputLen for Hasher {
    fn output_len(&self, _: usize) -> usize {
        self.len()
    }
}

/// An operation of any kind.
trait Ongoing {
    fn is_active(&self) -> bool;
    fn cancel(&mut self);
}

impl<T> Ongoing for Active<T> {
    fn is_active(&self) -> bool {
        self.0.is_some()
    }

    fn cancel(&mut self) {
        self.0 = None;
    }
}

impl<T> Active<T> {
    /// Begins an operation; no operation (a NULL mechanism) cancels the one under way.
    pub(crate) fn start(&mut self, operation: Option<T>) -> Result<()> {
        if operation.is_some() {
            self.check_idle()?;
        }
        self.0 = operation;
        Ok(())
    }

    /// Fails while an operation is under way.
    pub(crate) fn check_idle(&self) -> Result<()> {
        if self.0.is_some() { Err(Error::OperationActive) } else { Ok(()) }
    }

    /// The operation under way.
    pub(crate) fn current(&mut self) -> Result<&mut T> {
        self.0.as_mut().ok_or(Error::OperationNotInitialized)
    }

    /// Ends the operation, whatever comes of it.
    pub(crate) fn take(&mut self) -> Result<T> {
        self.0.take().ok_or(Error::OperationNotInitialized)
    }

    /// Goes on with the operation; a failure ends it.
    pub(crate) fn update(&mut self, run: impl FnOnce(&mut T) -> Result<()>) -> Result<()> {
        let result = run(self.current()?);
        if result.is_err() {
            self.cancel();
        }
        result
    }

    /// Ends the operation with `more` bytes of data and writes its result, unless the caller only asks for the length or gives too small a buffer:
    /// then nothing is computed and the operation stays.
    pub(crate) fn finish(&mut self, output: &Output<u8>, more: usize, run: impl FnOnce(T) -> Result<Vec<u8>>) -> Result<()>
    where
        T: OutputLen,
    {
        if !output.takes(self.current()?.output_len(more))? {
            return Ok(());
        }
        output.write(&run(self.take()?)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ptr::null_mut;

    impl OutputLen for u8 {
        fn output_len(&self, _: usize) -> usize {
            usize::from(*self)
        }
    }

    fn finish(active: &mut Active<u8>, data: *mut u8, len: &mut u64) -> Result<()> {
        // SAFETY: the tests give NULL or as much room as `len` says.
        let output = unsafe { Output::new(data, len) }.unwrap();
        active.finish(&output, 0, |n| Ok(vec![7; usize::from(n)]))
    }

    #[test]
    fn lengths_may_be_asked_and_results_come_once() {
        let mut active = Active::default();
        let (mut room, mut len) = ([0u8; 4], 0);
        active.start(Some(4)).unwrap();
        assert!(matches!(active.start(Some(4)), Err(Error::OperationActive)));
        finish(&mut active, null_mut(), &mut len).unwrap();
        assert_eq!(len, 4);
        len = 2;
        let short = finish(&mut active, room.as_mut_ptr(), &mut len);
        assert!(matches!(short, Err(Error::BufferTooSmall)));
        assert_eq!(len, 4);
        finish(&mut active, room.as_mut_ptr(), &mut len).unwrap();
        assert_eq!(room, [7; 4]);
        let again = finish(&mut active, room.as_mut_ptr(), &mut len);
        assert!(matches!(again, Err(Error::OperationNotInitialized)));
    }

    #[test]
    fn a_failed_update_and_a_null_mechanism_end_an_operation() {
        let mut active = Active::default();
        active.start(Some(1u8)).unwrap();
        assert!(active.update(|_| Err(Error::DataLenRange)).is_err());
        assert!(active.current().is_err());
        active.start(Some(1)).unwrap();
        active.start(None).unwrap();
        assert!(active.current().is_err());
    }
}
