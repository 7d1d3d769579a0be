//! Memory to point arguments at, in which a byte too far is a crash; and memory that outlives a crash.

use std::ffi::{CStr, c_void};
use std::ptr;

const PAGE: usize = 4096;
/// The largest piece.
pub(crate) const LARGEST: usize = 1 << 16;
const PIECES: usize = 64;

fn map(len: usize, sharing: i32) -> *mut u8 {
    let access = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: asks for fresh memory.
    let start = unsafe { libc::mmap(ptr::null_mut(), len, access, sharing | libc::MAP_ANONYMOUS, -1, 0) };
    assert_ne!(start, libc::MAP_FAILED);
    start.cast()
}

/// Pieces of memory, each ending where a page begins that cannot be touched. Never freed.
pub(crate) struct Arena {
    start: *mut u8,
    used: usize,
}

impl Arena {
    pub(crate) fn new() -> Self {
        let start = map(PIECES * (LARGEST + PAGE), libc::MAP_PRIVATE);
        for piece in 0..PIECES {
            let guard = start.wrapping_add(piece * (LARGEST + PAGE) + LARGEST);
            // SAFETY: a page within the mapping.
            assert_eq!(unsafe { libc::mprotect(guard.cast::<c_void>(), PAGE, libc::PROT_NONE) }, 0);
        }
        Self { start, used: 0 }
    }

    /// Lets all pieces be used again.
    pub(crate) fn reset(&mut self) {
        self.used = 0;
    }

    /// `len` writable bytes.
    pub(crate) fn room(&mut self, len: usize) -> *mut u8 {
        assert!(len <= LARGEST && self.used < PIECES, "the arena is too small for a call's arguments");
        let end = self.used * (LARGEST + PAGE) + LARGEST;
        self.used += 1;
        self.start.wrapping_add(end - len)
    }

    /// A copy of these bytes.
    pub(crate) fn place(&mut self, bytes: &[u8]) -> *mut u8 {
        let room = self.room(bytes.len());
        // SAFETY: `room` is a piece of this length.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), room, bytes.len()) };
        room
    }
}

/// One line of text that a child leaves to its parent, whatever becomes of it.
pub(crate) struct Note(*mut u8);

impl Note {
    pub(crate) fn new() -> Self {
        Self(map(PAGE, libc::MAP_SHARED))
    }

    pub(crate) fn write(&self, text: &str) {
        let len = text.len().min(PAGE - 1);
        // SAFETY: the page is writable, and the text with its terminator fits.
        unsafe {
            ptr::copy_nonoverlapping(text.as_ptr(), self.0, len);
            self.0.add(len).write(0);
        }
    }

    pub(crate) fn read(&self) -> String {
        // SAFETY: the page begins with what `write` left, or with zeros.
        unsafe { CStr::from_ptr(self.0.cast()) }.to_string_lossy().into_owned()
    }
}

impl Drop for Note {
    fn drop(&mut self) {
        // SAFETY: unmaps what `new` mapped.
        unsafe { libc::munmap(self.0.cast(), PAGE) };
    }
}
