//! Numbers that look random and are the same for the same seed (SplitMix64).

/// A sequence of them.
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    /// The next one.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// One of `0..bound`.
    ///
    /// # Panics
    /// When there is none.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.number() % u64::try_from(bound).expect("a small bound")).expect("a small number")
    }

    /// As a coin falls.
    pub fn coin(&mut self) -> bool {
        self.number() & 1 == 1
    }
}
