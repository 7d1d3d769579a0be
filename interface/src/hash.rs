//! Hashes, computed in the client: only the digest of a message travels. A hash in progress can be copied and saved.

use crate::algorithm::Hash;
use sha2::digest::Digest;
use sha2::digest::common::hazmat::{SerializableState, SerializedState};

/// What a saved state begins with: the version of its encoding.
const VERSION: u8 = 1;

/// A hash under way.
#[expect(missing_debug_implementations, reason = "the state is data of somebody else")]
#[derive(Clone)]
pub struct Hasher {
    hash: Hash,
    state: Box<dyn State>,
}

trait State: Send {
    fn update(&mut self, data: &[u8]);
    fn finish(self: Box<Self>) -> Vec<u8>;
    fn restart(&mut self) -> Vec<u8>;
    fn save(&self) -> Vec<u8>;
    fn copy(&self) -> Box<dyn State>;
}

impl<D: Digest + Default + SerializableState + Clone + Send + 'static> State for D {
    fn update(&mut self, data: &[u8]) {
        Digest::update(self, data);
    }

    fn finish(self: Box<Self>) -> Vec<u8> {
        self.finalize().to_vec()
    }

    fn restart(&mut self) -> Vec<u8> {
        std::mem::take(self).finalize().to_vec()
    }

    fn save(&self) -> Vec<u8> {
        self.serialize().to_vec()
    }

    fn copy(&self) -> Box<dyn State> {
        Box::new(self.clone())
    }
}

impl Clone for Box<dyn State> {
    fn clone(&self) -> Self {
        (**self).copy()
    }
}

impl Hasher {
    /// A hash that is begun; `None` for those that nobody has a use for any more.
    pub fn new(hash: Hash) -> Option<Self> {
        Self::begin(hash, None)
    }

    /// The hash under way that [`Self::save`] saved; `None` for anything else.
    pub fn restore(saved: &[u8]) -> Option<Self> {
        let [VERSION, number, state @ ..] = saved else { return None };
        Self::begin(Hash::try_from(i32::from(*number)).ok()?, Some(state))
    }

    fn begin(hash: Hash, saved: Option<&[u8]>) -> Option<Self> {
        let state = match hash {
            Hash::Sha1 => state::<sha1::Sha1>(saved),
            Hash::Sha224 => state::<sha2::Sha224>(saved),
            Hash::Sha256 => state::<sha2::Sha256>(saved),
            Hash::Sha384 => state::<sha2::Sha384>(saved),
            Hash::Sha512 => state::<sha2::Sha512>(saved),
            Hash::Sha512_224 => state::<sha2::Sha512_224>(saved),
            Hash::Sha512_256 => state::<sha2::Sha512_256>(saved),
            Hash::Sha3_224 => state::<sha3::Sha3_224>(saved),
            Hash::Sha3_256 => state::<sha3::Sha3_256>(saved),
            Hash::Sha3_384 => state::<sha3::Sha3_384>(saved),
            Hash::Sha3_512 => state::<sha3::Sha3_512>(saved),
            Hash::Md2 | Hash::Md4 | Hash::Md5 | Hash::Ripemd160 => None,
        }?;
        Some(Self { hash, state })
    }

    /// The state of the hash, for C_GetOperationState: version, number of the hash, and the state as RustCrypto encodes it.
    pub fn save(&self) -> Vec<u8> {
        let number = i32::from(self.hash).to_le_bytes()[0];
        [&[VERSION, number][..], &self.state.save()].concat()
    }

    /// Which one it is.
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// Adds data.
    pub fn update(&mut self, data: &[u8]) {
        self.state.update(data);
    }

    /// The digest.
    pub fn finish(self) -> Vec<u8> {
        self.state.finish()
    }

    /// The digest; the hash begins anew.
    pub fn restart(&mut self) -> Vec<u8> {
        self.state.restart()
    }

    /// The digest of these parts, one after the other; `None` as for [`Self::new`].
    pub fn digest(hash: Hash, parts: &[&[u8]]) -> Option<Vec<u8>> {
        let mut hasher = Self::new(hash)?;
        parts.iter().for_each(|part| hasher.update(part));
        Some(hasher.finish())
    }
}

/// A fresh state, or the saved one.
fn state<D: State + Default + SerializableState + 'static>(saved: Option<&[u8]>) -> Option<Box<dyn State>> {
    let state = match saved {
        None => D::default(),
        Some(saved) => D::deserialize(&SerializedState::<D>::try_from(saved).ok()?).ok()?,
    };
    Some(Box::new(state))
}

/// SHA-1, for identifiers.
pub fn sha1(data: &[u8]) -> Vec<u8> {
    sha1::Sha1::digest(data).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_agree_with_the_protocol() {
        for &hash in Hash::ALL {
            let Some(mut hasher) = Hasher::new(hash) else {
                continue;
            };
            hasher.update(b"abc");
            assert_eq!(hasher.finish().len(), hash.len());
        }
    }

    #[test]
    fn sha256_of_abc() {
        let mut hasher = Hasher::new(Hash::Sha256).unwrap();
        hasher.update(b"a");
        hasher.update(b"bc");
        assert_eq!(hasher.finish()[..4], [0xba, 0x78, 0x16, 0xbf]);
    }

    #[test]
    fn a_saved_state_goes_on_where_it_was() {
        for hash in Hash::ALL.iter().copied().filter(|hash| Hasher::new(*hash).is_some()) {
            let mut whole = Hasher::new(hash).unwrap();
            whole.update(&[7; 300]);
            let saved = whole.save();
            let mut restored = Hasher::restore(&saved).unwrap();
            for hasher in [&mut whole, &mut restored] {
                hasher.update(b"more");
            }
            assert_eq!(restored.finish(), whole.finish());
            for wrong in [&saved[1..], &saved[..saved.len() - 1], &[VERSION, 99], &[]] {
                assert!(Hasher::restore(wrong).is_none());
            }
        }
    }
}
