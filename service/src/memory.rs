//! Private keys in memory: in clear only while somebody uses them.
//!
//! A core dump, the swap, or a bug that reads out of bounds reveals what is in memory. So the service keeps as little as possible
//! there:
//! - The allocator ([`interface::ALLOCATOR`]) wipes memory before it frees it. So does AWS-LC with its own.
//! - A thread's stack is wiped when the thread becomes idle ([`rest`]), and after each slow operation.
//! - A parsed key is dropped when nobody has used it for a while ([`loaded`]). Its next use parses it again from the store.
//! - The keys that open the store's private blobs are shielded ([`shield`]).
//!
//! A key in use pays nothing for this: noting a use reads a flag, and a busy thread is not idle.

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
