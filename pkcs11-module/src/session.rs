//! A session and the operations under way in it. The rules of multi-call operations stand here once.

use std::sync::{Mutex, MutexGuard};

use cryptoki_sys::{CK_OBJECT_HANDLE, CK_SLOT_ID};
use interface::ProviderId;

use crate::encryption::Crypting;
use crate::error::{Error, Result};
use crate::ffi::Output;
use crate::hash::Hasher;
use crate::module::lock;
use crate::object::Object;
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
    /// The user's PIN is still missing, which the key asks for each time.
    locked: bool,
}

impl<T> Default for Active<T> {
    fn default() -> Self {
        Self { operation: None, locked: false }
    }
}

/// An operation that has a key.
pub(crate) trait Keyed {
    fn object(&self) -> &Object;
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

impl<T> Active<T> {
    /// Begins an operation; no operation (a NULL mechanism) cancels the one under way.
    pub(crate) fn start(&mut self, operation: Option<T>) -> Result<()> {
        if operation.is_some() && self.operation.is_some() {
            return Err(Error::OperationActive);
        }
        *self = Self { operation, locked: false };
        Ok(())
    }

    /// The operation under way.
    pub(crate) fn current(&mut self) -> Result<&mut T> {
        self.operation.as_mut().ok_or(Error::OperationNotInitialized)
    }

    /// Ends the operation, whatever comes of it.
    pub(crate) fn take(&mut self) -> Result<T> {
        let operation = self.operation.take().ok_or(Error::OperationNotInitialized)?;
        if self.locked { Err(Error::UserNotLoggedIn) } else { Ok(operation) }
    }

    pub(crate) fn cancel(&mut self) {
        self.operation = None;
    }

    /// Goes on with the operation; a failure ends it.
    pub(crate) fn update(&mut self, run: impl FnOnce(&mut T) -> Result<()>) -> Result<()> {
        let locked = self.locked;
        let operation = self.current()?;
        let result = if locked { Err(Error::UserNotLoggedIn) } else { run(operation) };
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

    /// Whether it waits for the user's PIN.
    fn locked(&self) -> bool {
        self.locked && self.operation.is_some()
    }
}

impl<T: Keyed> Active<T> {
    /// Begins an operation with a private or secret key. With CKA_ALWAYS_AUTHENTICATE it does nothing before the user has given the
    /// PIN for it.
    pub(crate) fn start_private(&mut self, operation: Option<T>) -> Result<()> {
        let locked = operation.as_ref().is_some_and(|operation| operation.object().always_authenticate());
        self.start(operation)?;
        self.locked = locked;
        Ok(())
    }

    fn cancel_private(&mut self) {
        if self.operation.as_ref().is_some_and(|operation| operation.object().private()) {
            self.cancel();
        }
    }
}

impl Operations {
    /// Fails unless an operation waits for the user's PIN.
    pub(crate) fn check_locked(&self) -> Result<()> {
        let waiting = self.sign.locked() || self.decrypt.locked();
        if waiting { Ok(()) } else { Err(Error::OperationNotInitialized) }
    }

    /// The user has given the PIN that operations wait for.
    pub(crate) fn unlock(&mut self) {
        self.sign.locked = false;
        self.decrypt.locked = false;
    }

    /// Ends the operations that use private objects.
    pub(crate) fn cancel_private(&mut self) {
        self.sign.cancel_private();
        self.verify.cancel_private();
        self.encrypt.cancel_private();
        self.decrypt.cancel_private();
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
