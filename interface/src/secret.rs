//! Secrets: wiped when dropped, and never printed.
//!
//! A secret passes through more than the types that are made for it: growing buffers leave their old place behind, messages are
//! decoded into plain vectors, and libraries make copies. So each program and library of the product allocates with [`ALLOCATOR`],
//! which wipes all memory that is freed. The types mark what is secret, and keep it out of logs.

use std::alloc::System;
use std::hint::black_box;
use std::ops::{Deref, DerefMut};
use zeroizing_alloc::ZeroAlloc;

/// The system's allocator; what is freed is wiped first, also when it only moves because it grows.
pub type Allocator = ZeroAlloc<System>;

/// For `#[global_allocator]` in whatever handles secrets.
pub const ALLOCATOR: Allocator = ZeroAlloc(System);

/// Bytes that grow and are wiped when dropped. A request may have a million of them: they are wiped at the speed of memory, where
/// [`zeroize`] takes a nanosecond for each.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Buffer(Vec<u8>);

impl From<Vec<u8>> for Buffer {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl Deref for Buffer {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.0
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

/// Overwrites bytes, which the compiler must not leave out.
pub fn wipe(bytes: &mut [u8]) {
    bytes.fill(0);
    black_box(bytes);
}

/// Bytes that are wiped when dropped and whose Debug shows only their number.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(Buffer);

impl Secret {
    /// Takes the bytes over; the caller's copies stay the caller's care.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

impl From<Vec<u8>> for Secret {
    fn from(bytes: Vec<u8>) -> Self {
        Self::new(bytes)
    }
}

impl Deref for Secret {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secret({} bytes)", self.0.len())
    }
}

/// Wipes one field of a message when the message is dropped, and prints only that field's length.
macro_rules! wiped {
    ($($message:ident.$field:ident,)*) => { $(
        impl Drop for $message {
            fn drop(&mut self) {
                $crate::secret::wipe(&mut self.$field);
            }
        }

        impl std::fmt::Debug for $message {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let length = format_args!("{} bytes", self.$field.len());
                f.debug_struct(stringify!($message)).field(stringify!($field), &length).finish_non_exhaustive()
            }
        }
    )* };
}
pub(crate) use wiped;
