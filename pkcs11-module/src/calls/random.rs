//! Random numbers of the provider.

use cryptoki_sys::CK_SESSION_HANDLE;
use interface::operations::GenerateRandom;

use crate::error::{Call, During, Error, Result};
use crate::ffi::Room;
use crate::state;

/// Asked of the service at once, in bytes; below every service's limit.
const CHUNK: usize = 1 << 16;

/// C_SeedRandom: the provider seeds itself, and taking in more is harmless.
pub(crate) fn seed(session: CK_SESSION_HANDLE, _seed: &[u8]) -> Result<()> {
    state::current()?.session(session).map(drop)
}

pub(crate) fn generate(session: CK_SESSION_HANDLE, room: &Room<u8>) -> Result<()> {
    let module = state::current()?;
    let provider = module.session(session)?.provider;
    let mut done = 0;
    while done < room.len() {
        let want = CHUNK.min(room.len() - done);
        let random = module.client.call(provider, &GenerateRandom { size: want as u64 }).during(Call::Ask)?;
        if random.random_bytes.len() != want {
            return Err(Error::DeviceFailed);
        }
        done += room.fill(done, &random.random_bytes);
    }
    Ok(())
}
