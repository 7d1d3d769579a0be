//! Hashes, computed here: data to be signed never travels, only its digest does.

use interface::algorithm::Hash;
use sha2::digest::{Digest as _, DynDigest};

/// A hash under way.
pub(crate) struct Hasher(Box<dyn DynDigest + Send>);

impl Hasher {
    /// None for hashes that PKCS#11 programs have no use for.
    pub(crate) fn new(hash: Hash) -> Option<Self> {
        Some(Self(match hash {
            Hash::Sha1 => Box::<sha1::Sha1>::default(),
            Hash::Sha224 => Box::<sha2::Sha224>::default(),
            Hash::Sha256 => Box::<sha2::Sha256>::default(),
            Hash::Sha384 => Box::<sha2::Sha384>::default(),
            Hash::Sha512 => Box::<sha2::Sha512>::default(),
            Hash::Sha512_224 => Box::<sha2::Sha512_224>::default(),
            Hash::Sha512_256 => Box::<sha2::Sha512_256>::default(),
            Hash::Sha3_224 => Box::<sha3::Sha3_224>::default(),
            Hash::Sha3_256 => Box::<sha3::Sha3_256>::default(),
            Hash::Sha3_384 => Box::<sha3::Sha3_384>::default(),
            Hash::Sha3_512 => Box::<sha3::Sha3_512>::default(),
            Hash::Md2 | Hash::Md4 | Hash::Md5 | Hash::Ripemd160 => return None,
        }))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.output_size()
    }

    pub(crate) fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.0.finalize().into_vec()
    }
}

/// SHA-1, for identifiers.
pub(crate) fn sha1(data: &[u8]) -> Vec<u8> {
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
            assert_eq!(hasher.len(), hash.len());
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
}
