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
use crate::object::Object;
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

    /// Ends the operations that use private objects.
    pub(crate) fn cancel_private(&mut self) {
        let private = self.kinds().into_iter().filter(|(_, operation)| operation.is_private());
        private.for_each(|(_, operation)| operation.cancel());
    }

    /// Fails unless an operation waits for the user's PIN.
    pub(crate) fn check_locked(&mut self) -> Result<()> {
        let locked = self.kinds().iter().any(|(_, operation)| operation.is_locked());
        if locked { Ok(()) } else { Err(Error::OperationNotInitialized) }
    }

    /// The user has given the PIN that operations wait for.
    pub(crate) fn unlock(&mut self) {
        self.kinds().into_iter().for_each(|(_, operation)| operation.unlock());
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
pub(crate) struct Active<T> {
    operation: Option<T>,
    /// The user has yet to give the PIN, for which the key asks each time.
    locked: bool,
}

impl<T> Default for Active<T> {
    fn default() -> Self {
        Self { operation: None, locked: false }
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

/// An operation that may have a key.
pub(crate) trait Keyed {
    fn object(&self) -> Option<&Object>;
}

impl Keyed for Hasher {
    fn object(&self) -> Option<&Object> {
        None
    }
}

impl Keyed for std::vec::IntoIter<CK_OBJECT_HANDLE> {
    fn object(&self) -> Option<&Object> {
        None
    }
}

impl Keyed for (Signing, Vec<u8>) {
    fn object(&self) -> Option<&Object> {
        self.0.object()
    }
}

/// An operation of any kind.
trait Ongoing {
    fn is_active(&self) -> bool;
    fn is_private(&self) -> bool;
    fn is_locked(&self) -> bool;
    fn unlock(&mut self);
    fn cancel(&mut self);
}

impl<T: Keyed> Ongoing for Active<T> {
    fn is_active(&self) -> bool {
        self.operation.is_some()
    }

    fn is_private(&self) -> bool {
        self.operation.as_ref().and_then(T::object).is_some_and(Object::private)
    }

    fn is_locked(&self) -> bool {
        self.locked
    }

    fn unlock(&mut self) {
        self.locked = false;
    }

    fn cancel(&mut self) {
        *self = Self::default();
    }
}

impl<T: Keyed> Active<T> {
    /// Begins an operation; no operation (a NULL mechanism) cancels the one under way. One whose key has CKA_ALWAYS_AUTHENTICATE is
    /// locked until the user gives the PIN for it (CKU_CONTEXT_SPECIFIC).
    pub(crate) fn start(&mut self, operation: Option<T>) -> Result<()> {
        let locked = operation.as_ref().and_then(T::object).is_some_and(Object::always_authenticate);
        self.start_unlocked(operation)?;
        self.locked = locked;
        Ok(())
    }

    /// Begins what is part of an operation that has been unlocked.
    pub(crate) fn start_unlocked(&mut self, operation: Option<T>) -> Result<()> {
        if operation.is_some() {
            self.check_idle()?;
        }
        *self = Self { operation, locked: false };
        Ok(())
    }

    /// Fails while an operation is under way.
    pub(crate) fn check_idle(&self) -> Result<()> {
        if self.is_active() { Err(Error::OperationActive) } else { Ok(()) }
    }

    /// The operation under way, to go on with. One that is locked ends here.
    pub(crate) fn current(&mut self) -> Result<&mut T> {
        if self.locked {
            self.cancel();
            return Err(Error::UserNotLoggedIn);
        }
        self.operation.as_mut().ok_or(Error::OperationNotInitialized)
    }

    /// Ends the operation, whatever comes of it.
    pub(crate) fn take(&mut self) -> Result<T> {
        self.current()?;
        self.operation.take().ok_or(Error::OperationNotInitialized)
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

    impl Keyed for u8 {
        fn object(&self) -> Option<&Object> {
            None
        }
    }

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
