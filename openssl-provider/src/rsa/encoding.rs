//! The blocks of OAEP and PSS (RFC 8017 §7.1.1 and §9.1.2), with any digest for MGF1: what a public key encrypts, and what it
//! finds in a signature. The private halves of both are the service's.

use zeroize::Zeroizing;

use crate::{digest::Digest, error::Error};

/// The two digests of a padding: its own, and that of MGF1.
#[derive(Clone, Copy)]
pub(crate) struct Digests {
    pub(crate) own: &'static Digest,
    pub(crate) mgf1: &'static Digest,
}

impl Digests {
    /// The block of `len` bytes that OAEP makes of a label and a message (EME-OAEP-ENCODE); None where the message is too long.
    pub(crate) fn oaep(self, label: &[u8], message: &[u8], len: usize) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        let hash = self.own.of(&[label])?;
        let Some(zeros) = len.checked_sub(2 * hash.len() + 2).and_then(|room| room.checked_sub(message.len())) else {
            return Ok(None);
        };
        let mut block = Zeroizing::new(vec![0; len]);
        let (seed, data) = block.split_at_mut(1 + hash.len());
        let seed = &mut seed[1..];
        getrandom::fill(seed).map_err(|_| Error::Internal)?;
        let content = hash.iter().copied().chain(std::iter::repeat_n(0, zeros)).chain([1]).chain(message.iter().copied());
        data.iter_mut().zip(content).for_each(|(place, byte)| *place = byte);
        self.mask(seed, data)?;
        self.mask(data, seed)?;
        Ok(Some(block))
    }

    /// Whether a block out of a signature is that of a digest (EMSA-PSS-VERIFY). `bits` is the size of the modulus; without the
    /// length of a salt any is right.
    pub(crate) fn pss(self, digest: &[u8], block: &[u8], bits: u32, salt_len: Option<usize>) -> bool {
        self.salt(block, bits).is_some_and(|(salt, hash)| {
            let own = self.own.of(&[&[0; 8], digest, &salt]);
            own.is_ok_and(|own| own == hash) && digest.len() == hash.len() && salt_len.is_none_or(|len| len == salt.len())
        })
    }

    /// The salt in a block, and the hash over all.
    fn salt(self, block: &[u8], bits: u32) -> Option<(Vec<u8>, &[u8])> {
        // one bit less than the modulus may be one byte less
        let (encoded, top) = match bits.checked_sub(1)? % 8 {
            0 => (block.strip_prefix(&[0])?, 0xff),
            used => (block, 0xff >> (8 - used)),
        };
        let encoded = encoded.strip_suffix(&[0xbc])?;
        let (masked, hash) = encoded.split_at_checked(encoded.len().checked_sub(self.own.hash.len())?)?;
        if masked.first()? & !top != 0 {
            return None;
        }
        let mut data = masked.to_vec();
        self.mask(hash, &mut data).ok()?;
        *data.first_mut()? &= top;
        let zeros = data.iter().take_while(|byte| **byte == 0).count();
        Some((data.get(zeros..)?.strip_prefix(&[1])?.to_vec(), hash))
    }

    /// Adds MGF1 of a seed (RFC 8017 §B.2.1).
    fn mask(self, seed: &[u8], data: &mut [u8]) -> Result<(), Error> {
        for (counter, chunk) in (0u32..).zip(data.chunks_mut(self.mgf1.hash.len())) {
            let mask = self.mgf1.of(&[seed, &counter.to_be_bytes()])?;
            chunk.iter_mut().zip(mask.iter()).for_each(|(byte, mask)| *byte ^= mask);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::DIGESTS;

    #[test]
    fn messages_have_the_room_that_the_digest_leaves() {
        for own in DIGESTS {
            let digests = Digests { own, mgf1: &DIGESTS[0] };
            let room = 256 - 2 * own.hash.len() - 2;
            let block = digests.oaep(b"label", &vec![7; room], 256).unwrap().unwrap();
            assert_eq!((block.len(), block[0]), (256, 0));
            assert!(digests.oaep(b"", &vec![7; room + 1], 256).unwrap().is_none());
            assert!(digests.oaep(b"", b"", 2 * own.hash.len() + 1).unwrap().is_none());
        }
    }

    #[test]
    fn what_is_no_block_of_pss_is_none() {
        let digests = Digests { own: &DIGESTS[0], mgf1: &DIGESTS[0] };
        for block in [&[][..], &[0xbc], &[0; 256], &[0xbc; 33], &[0xbc; 256]] {
            for bits in [0, 1, 8, 2047, 2048, 2049] {
                assert!(!digests.pss(&[0; 32], block, bits, None), "{} {bits}", block.len());
            }
        }
    }
}
