//! Ed448 in a build without the cargo feature `ed448`. There are no such keys, so the only callable functions are those that would
//! make one; they refuse.

use lc::{Refused, Secret};

/// Length of the seed and of the public key, in bytes.
pub(crate) const LEN: usize = 57;

/// A key pair or a public key. This build has none.
pub(crate) enum Ed448 {}

pub(crate) use Ed448 as Public;

impl Ed448 {
    pub(crate) fn from_seed(_: &[u8]) -> Result<Self, Refused> {
        Err(Refused)
    }

    pub(crate) fn from_bytes(_: &[u8]) -> Result<Self, Refused> {
        Err(Refused)
    }

    pub(crate) fn seed(&self) -> Secret {
        match *self {}
    }

    pub(crate) fn public(&self) -> Vec<u8> {
        match *self {}
    }

    pub(crate) fn sign(&self, _: &[u8], _: &[u8]) -> Result<Vec<u8>, Refused> {
        match *self {}
    }

    pub(crate) fn sign_prehash(&self, _: &[u8], _: [u8; 64]) -> Result<Vec<u8>, Refused> {
        match *self {}
    }

    pub(crate) fn verify(&self, _: &[u8], _: &[u8], _: &[u8]) -> Result<(), Refused> {
        match *self {}
    }

    pub(crate) fn verify_prehash(&self, _: &[u8], _: [u8; 64], _: &[u8]) -> Result<(), Refused> {
        match *self {}
    }
}
