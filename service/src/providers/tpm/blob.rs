//! The form in which the store keeps a key of the chip.

use crate::error::{Error, Result};
use interface::Secret;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tss_esapi::structures::{Auth, Private, Public};
use tss_esapi::traits::{Marshall, UnMarshall};
use tss_esapi::utils::TpmsContext;

/// First byte of the encoding.
const VERSION: u8 = 1;

/// A key as the chip takes it back, and the password that the chip wants for its use.
pub(super) struct Blob {
    /// Name of the storage primary (TPM 2.0 Part 1 §16) under which the key was made.
    pub(super) parent: Vec<u8>,
    pub(super) auth: Auth,
    pub(super) private: Private,
    pub(super) public: Public,
    /// The key as it was loaded, faster to bring back; good until the chip is reset.
    saved: Mutex<Option<TpmsContext>>,
}

impl Blob {
    pub(super) fn new(parent: Vec<u8>, auth: Auth, private: Private, public: Public) -> Self {
        Self { parent, auth, private, public, saved: Mutex::default() }
    }

    /// The version, then each part after its length in two big-endian bytes.
    pub(super) fn encode(&self) -> Result<Secret> {
        let public = self.public.marshall().map_err(|_| damaged())?;
        let parts: [&[u8]; 4] = [&self.parent, &self.auth, &self.private, &public];
        let mut out = Vec::with_capacity(1 + parts.iter().map(|part| 2 + part.len()).sum::<usize>());
        out.push(VERSION);
        for part in parts {
            out.extend_from_slice(&u16::try_from(part.len()).map_err(|_| damaged())?.to_be_bytes());
            out.extend_from_slice(part);
        }
        Ok(Secret::new(out))
    }

    /// The inverse of [`Self::encode`].
    pub(super) fn decode(bytes: &[u8]) -> Result<Self> {
        match Self::split(bytes)? {
            (blob, []) => Ok(blob),
            _ => Err(damaged()),
        }
    }

    /// The blob that these bytes begin with, and what follows it.
    pub(super) fn split(bytes: &[u8]) -> Result<(Self, &[u8])> {
        let (parent, rest) = part(body(bytes)?)?;
        let (auth, rest) = part(rest)?;
        let (private, rest) = part(rest)?;
        let (public, rest) = part(rest)?;
        let public = Public::unmarshall(public).map_err(|_| damaged())?;
        let auth = Auth::try_from(auth).map_err(|_| damaged())?;
        let private = Private::try_from(private).map_err(|_| damaged())?;
        Ok((Self::new(parent.to_vec(), auth, private, public), rest))
    }

    /// The parent alone of the blob that these bytes begin with, which takes a fraction of the time.
    pub(super) fn parent(bytes: &[u8]) -> Result<&[u8]> {
        Ok(part(body(bytes)?)?.0)
    }

    pub(super) fn saved(&self) -> MutexGuard<'_, Option<TpmsContext>> {
        self.saved.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The bytes after the version.
fn body(bytes: &[u8]) -> Result<&[u8]> {
    match bytes.split_first().ok_or_else(damaged)? {
        (&VERSION, body) => Ok(body),
        _ => Err(Error::Corrupt("the key was stored by a newer version of the service: update it".to_owned())),
    }
}

/// A part that stands after its length, and what follows it.
fn part(bytes: &[u8]) -> Result<(&[u8], &[u8])> {
    let (len, rest) = bytes.split_first_chunk().ok_or_else(damaged)?;
    rest.split_at_checked(u16::from_be_bytes(*len).into()).ok_or_else(damaged)
}

pub(super) fn damaged() -> Error {
    Error::Corrupt("the stored key is not what the TPM provider writes: restore the store from a backup".to_owned())
}
