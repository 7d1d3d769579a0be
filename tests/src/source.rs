//! Where tests that try nonsense get their choices from.

/// An endless stream of choices, the same for the same seed (xorshift64*).
pub struct Source(u64);

impl Source {
    /// Of this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number less than `end`.
    ///
    /// # Panics
    /// When `end` is zero.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.number() >> 33).unwrap_or_default() % end
    }

    /// Whether something that happens so often happens now.
    pub fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of these.
    pub fn pick<T: Copy>(&mut self, among: &[T]) -> T {
        among[self.below(among.len())]
    }

    /// These bytes with something wrong: a few changed, left out or put in.
    pub fn spoil(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len() + 1);
            let more = self.below(9);
            match self.below(4) {
                0 => bytes.truncate(at),
                1 => drop(bytes.splice(at..at, self.bytes(more)).count()),
                _ if at == bytes.len() => {}
                2 => bytes[at] ^= 1 << self.below(8),
                _ => bytes[at] = self.pick(&[0, 1, 0x7f, 0x80, 0xff]),
            }
        }
    }

    /// Any bytes.
    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.number().to_be_bytes()[0]).collect()
    }
}
