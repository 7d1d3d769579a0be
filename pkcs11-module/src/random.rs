//! Random bytes of this host, for names that must not collide. The service makes the random bytes of keys and of C_GenerateRandom.

use std::fs::File;
use std::io::Read;

use crate::error::{Error, Result};

pub(crate) fn bytes<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    let read = File::open("/dev/urandom").and_then(|mut source| source.read_exact(&mut bytes));
    read.map(|()| bytes).map_err(|_| Error::FunctionFailed)
}
