//! The life of an operation: what may be called when, and what it leaves. It is the same for all kinds (PKCS#11 v3.1 §5.2, §5.8, §5.10,
//! §5.12, §5.13 and §5.15), so that it stands here once, as a table.

use crate::error::{Error, Result};
use crate::ffi::Output;
use crate::objects::object::Object;

/// How far an operation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Idle,
    Begun,
    /// Data has come in parts, so that it also ends in parts.
    Parts,
}

/// What a function is in the life of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// `C_*Init`.
    Begin,
    /// `C_*Init` without a mechanism.
    Cancel,
    /// The function for data in one part.
    Whole,
    /// A part of the data.
    Update,
    /// The end of data in parts.
    Final,
}

/// What a call may do in a state.
#[derive(Clone, Copy)]
enum Rule {
    /// Its success leads there.
    To(State),
    /// CKR_OPERATION_NOT_INITIALIZED.
    Missing,
    /// CKR_OPERATION_ACTIVE, which leaves the operation alone.
    Busy,
}

/// How well a call went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    Done,
    /// The caller asked for a length, so that nothing was done.
    Asked,
}

/// The table. What it does not say is the same everywhere: a call that only asks for a length, and CKR_BUFFER_TOO_SMALL, leave the
/// operation as it was, and every other failure ends it.
const fn rule(step: Step, state: State) -> Rule {
    use Rule::{Busy, Missing, To};
    use State::{Begun, Idle, Parts};
    let [idle, begun, parts] = match step {
        Step::Begin => [To(Begun), Busy, Busy],
        Step::Cancel => [To(Idle), To(Idle), To(Idle)],
        Step::Whole => [Missing, To(Idle), Missing],
        Step::Update => [Missing, To(Parts), To(Parts)],
        Step::Final => [Missing, To(Idle), To(Idle)],
    };
    match state {
        Idle => idle,
        Begun => begun,
        Parts => parts,
    }
}

/// One kind of operation in a session, made of several calls.
pub(crate) struct Active<T> {
    operation: Option<T>,
    parts: bool,
    /// The user has yet to give the PIN, for which the key asks each time.
    locked: bool,
}

impl<T> Default for Active<T> {
    fn default() -> Self {
        Self { operation: None, parts: false, locked: false }
    }
}

/// How long the result of an operation is at most, known before it is computed.
pub(crate) trait OutputLen {
    /// In bytes, when `more` bytes of data come before the end.
    fn output_len(&self, more: usize) -> usize;
}

/// An operation that may have a key.
pub(crate) trait Keyed {
    fn object(&self) -> Option<&Object>;
}

/// An operation of any kind.
pub(crate) trait Ongoing {
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
    fn state(&self) -> State {
        match (&self.operation, self.parts) {
            (None, _) => State::Idle,
            (Some(_), false) => State::Begun,
            (Some(_), true) => State::Parts,
        }
    }

    /// Takes a step as the table says. While `body` works, the session has no such operation, so that a panic ends it too.
    pub(crate) fn step(&mut self, step: Step, body: impl FnOnce(&mut Self) -> Result<Progress>) -> Result<()> {
        let state = self.state();
        let mut active = match rule(step, state) {
            Rule::Busy => return Err(Error::OperationActive),
            _ => std::mem::take(self),
        };
        let result = match rule(step, state) {
            Rule::To(_) => body(&mut active),
            _ => Err(Error::OperationNotInitialized),
        };
        let next = match (rule(step, state), &result) {
            (_, Ok(Progress::Asked) | Err(Error::BufferTooSmall)) => state,
            (Rule::To(next), Ok(Progress::Done)) => next,
            _ => State::Idle,
        };
        if next != State::Idle {
            *self = Self { parts: next == State::Parts, ..active };
        }
        result.map(drop)
    }

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
        let step = if operation.is_some() { Step::Begin } else { Step::Cancel };
        self.step(step, |active| {
            *active = Self { operation, ..Self::default() };
            Ok(Progress::Done)
        })
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

    /// Ends the operation with `more` bytes of data and writes its result, unless the caller only asks for the length or gives too
    /// small a buffer: then nothing is computed and the operation stays.
    pub(crate) fn finish(&mut self, output: &Output<u8>, more: usize, run: impl FnOnce(T) -> Result<Vec<u8>>) -> Result<Progress>
    where
        T: OutputLen,
    {
        if !output.takes(self.current()?.output_len(more))? {
            return Ok(Progress::Asked);
        }
        output.write(&run(self.take()?)?)?;
        Ok(Progress::Done)
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
        active.step(Step::Final, |active| active.finish(&output, 0, |n| Ok(vec![7; usize::from(n)])))
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
