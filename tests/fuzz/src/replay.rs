//! Replaying the corpus without a fuzzer.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// Bytes that are the edge of something: of a sign, a length, a tag of DER.
const EDGES: [u8; 8] = [0, 1, 0x30, 0x7f, 0x80, 0x82, 0xfe, 0xff];

/// Runs a target on each file of its corpus, and on so many mutations of each. They are the same in each run.
///
/// # Panics
/// Where the target panics; the message has the bytes.
#[expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
pub fn replay(name: &str, mutations: u32, target: impl Fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let files = folder.read_dir().expect("the corpus of the target");
    let mut files: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty: cargo run -p fuzz --example seeds", folder.display());
    for file in files {
        let seed = std::fs::read(&file).expect("a file");
        let mut random = Random(0x9e37_79b9_7f4a_7c15 ^ seed.len() as u64);
        for round in 0..=mutations {
            let data = if round == 0 { seed.clone() } else { random.mutated(&seed) };
            if catch_unwind(AssertUnwindSafe(|| target(&data))).is_err() {
                panic!("{name} fails on mutation {round} of {}: {data:02x?}", file.display());
            }
        }
    }
}

/// Marsaglia's xorshift64.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap_or_default() % end.max(1)
    }

    /// The bytes with one to four changes.
    fn mutated(&mut self, seed: &[u8]) -> Vec<u8> {
        let mut data = seed.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(data.len());
            match self.below(6) {
                0 => data.truncate(at),
                1 => data.insert(at, EDGES[self.below(EDGES.len())]),
                2 => drop(data.drain(at..(at + 1 + self.below(8)).min(data.len()))),
                3 => data.extend_from_within(at..),
                kind => {
                    let (bit, edge) = (self.below(8), EDGES[self.below(EDGES.len())]);
                    if let Some(byte) = data.get_mut(at) {
                        *byte = if kind == 4 { *byte ^ 1 << bit } else { edge };
                    }
                }
            }
        }
        data
    }
}
