//! Private keys in memory: in clear only while somebody uses them.
//!
//! A dump, the swap, or a bug that reads too far finds what lies in memory, so as little as possible lies there:
//! - What is freed is wiped first: by [`interface::ALLOCATOR`], and by AWS-LC for what it allocates itself.
//! - The stack of a thread is wiped when the thread comes to rest ([`rest`]), or when it has run a slow operation.
//! - A parsed key that nobody has used for a while is dropped ([`loaded`]). Its next use makes it anew from what the store has.
//! - The keys that open what the store has are shielded ([`shield`]).
//!
//! A key in use pays for none of this: to note a use is to read a flag, and a busy thread does not rest.

mod free;
mod loaded;
mod shield;

pub(crate) use free::give_back;
pub(crate) use loaded::Forms;
pub use loaded::{Loaded, Parsed};
pub(crate) use shield::Shielded;

use std::cell::Cell;
use std::hint::black_box;

/// Bytes of stack that an operation may have used; the signatures of ML-DSA use most.
const STACK: usize = 128 << 10;

thread_local! {
    static USED: Cell<bool> = const { Cell::new(false) };
}

/// Notes that keys are about to pass over this thread's stack.
pub(crate) fn mark_stack() {
    USED.set(true);
}

/// Wipes the stack of a thread that comes to rest, if it was [marked](mark_stack).
pub(crate) fn rest() {
    if USED.replace(false) {
        wipe_stack();
    }
}

/// Wipes the stack below the caller, where the functions that it has called have left what they worked on.
#[inline(never)]
pub(crate) fn wipe_stack() {
    black_box(&mut [0_u8; STACK]);
}
