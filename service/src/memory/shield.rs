//! The keys that open all others, shielded while they rest.
//!
//! As in ssh-agent, such a key lies encrypted under the hash of a long random value, the prekey. Attacks that read memory through side
//! effects of the processor (Spectre, Rowhammer) get bits slowly and with errors, and must get every bit of the prekey right. The key
//! itself is in memory only while it opens or seals something. That happens when a key is made or parsed, never when a parsed one is used.
//!
//! The prekey lies in pages of its own that are left out of dumps, and locked, as far as the limit on locked memory goes.

use crate::error::{Error, Result};
use memmap2::{Advice, MmapMut};
use zeroize::Zeroizing;

/// Bytes of a prekey, as in ssh-agent.
const PREKEY: usize = 16 << 10;

/// A key at rest.
pub(crate) struct Shielded {
    prekey: MmapMut,
    masked: [u8; Self::LEN],
}

impl std::fmt::Debug for Shielded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Shielded({} bytes)", Self::LEN)
    }
}

impl Shielded {
    /// Bytes of a key.
    pub(crate) const LEN: usize = 32;

    /// Shields a key; the caller's copy stays the caller's care.
    ///
    /// # Errors
    /// [`Error::Io`] where there is no memory.
    pub(crate) fn new(key: &[u8; Self::LEN]) -> Result<Self> {
        let mut prekey = MmapMut::map_anon(PREKEY).map_err(Error::io("no memory for a key's shield"))?;
        prekey.advise(Advice::DontDump).map_err(Error::io("cannot keep a key's shield out of dumps"))?;
        if let Err(error) = prekey.lock() {
            tracing::warn!(%error, "the kernel does not lock {PREKEY} bytes of memory, so the key of the store may be swapped out");
        }
        lc::fill(&mut prekey).map_err(|_| Error::Corrupt("no random bytes for a key's shield".into()))?;
        let shielded = Self { prekey, masked: *key };
        let masked = *shielded.key();
        Ok(Self { masked, ..shielded })
    }

    /// The key, for a moment.
    pub(crate) fn key(&self) -> Zeroizing<[u8; Self::LEN]> {
        let hash = lc::sha256(&self.prekey);
        let mut key = Zeroizing::new(self.masked);
        key.iter_mut().zip(hash).for_each(|(byte, mask)| *byte ^= mask);
        key
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    const LEN: usize = Shielded::LEN;

    #[test]
    fn a_key_comes_back_and_needs_every_bit_of_its_prekey() {
        let key = [7; LEN];
        let mut shielded = Shielded::new(&key).unwrap();
        assert_eq!(*shielded.key(), key);
        assert_ne!(shielded.masked, key);
        assert_ne!(shielded.masked, Shielded::new(&key).unwrap().masked, "each has a prekey of its own");
        shielded.prekey[PREKEY - 1] ^= 1;
        let wrong = shielded.key();
        assert!(wrong.iter().filter(|&&byte| byte == 7).count() < LEN / 2, "{wrong:?}");
    }

    #[test]
    fn its_pages_are_not_dumped() {
        let shielded = Shielded::new(&[7; LEN]).unwrap();
        let address = shielded.prekey.as_ptr() as usize;
        let holds = |line: &str| {
            let ends = line.split_whitespace().next().and_then(|range| range.split_once('-'));
            let ends = ends.map(|ends| [ends.0, ends.1].map(|end| usize::from_str_radix(end, 16)));
            matches!(ends, Some([Ok(start), Ok(end)]) if (start..end).contains(&address))
        };
        let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let flags = maps.lines().skip_while(|line| !holds(line)).find(|line| line.starts_with("VmFlags:")).unwrap();
        assert!(flags.split_whitespace().any(|flag| flag == "dd"), "{flags}");
    }
}
