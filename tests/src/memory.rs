//! The memory of another process, searched for what should not be in it.

use std::collections::HashSet;
use std::fs::{File, read_to_string};
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

/// Bytes that are looked for at a time: shorter than a secret, since what has used freed memory again may have overwritten a part.
const PIECE: usize = 16;
/// Bytes that are read at a time.
const WINDOW: usize = 1 << 20;
/// How long a process may take to forget.
const DEADLINE: Duration = Duration::from_secs(60);

/// Secrets, cut into pieces.
#[derive(Default)]
pub struct Secrets(HashSet<[u8; PIECE]>);

impl Secrets {
    /// Adds a secret, in both byte orders, but for what its public half tells.
    pub fn add(&mut self, secret: &[u8], public: &[u8]) {
        let reversed = |bytes: &[u8]| bytes.iter().rev().copied().collect::<Vec<_>>();
        for (secret, public) in [(secret.to_vec(), public.to_vec()), (reversed(secret), reversed(public))] {
            let known: HashSet<_> = public.windows(PIECE).collect();
            let pieces = secret.windows(PIECE).step_by(PIECE / 2).filter(|piece| !known.contains(piece));
            self.0.extend(pieces.filter_map(|piece| <[u8; PIECE]>::try_from(piece).ok()));
        }
    }

    /// Where a process has them in writable memory, each place told for people. Only root can look.
    ///
    /// # Panics
    /// When the process has ended.
    pub fn found_in(&self, pid: u32) -> Vec<String> {
        let mut heads = vec![false; 1 << 16];
        self.0.iter().for_each(|piece| heads[usize::from(u16::from_ne_bytes([piece[0], piece[1]]))] = true);
        let is_secret = |piece: &[u8]| heads[usize::from(u16::from_ne_bytes([piece[0], piece[1]]))] && self.0.contains(piece);
        let maps = read_to_string(format!("/proc/{pid}/maps")).expect("the maps of a running process");
        let memory = File::open(format!("/proc/{pid}/mem")).expect("the memory of a running process");
        let mut window = vec![0; WINDOW];
        let mut found = Vec::new();
        for map in maps.lines().filter(|map| map.contains(" rw")) {
            let range = map.split_once(' ').and_then(|(range, _)| range.split_once('-')).expect("a range of addresses");
            let [start, end] = [range.0, range.1].map(|end| u64::from_str_radix(end, 16).expect("an address"));
            let mut at = start;
            while at < end {
                let wanted = window.len().min(usize::try_from(end - at).unwrap_or(WINDOW));
                let Ok(read @ 1..) = memory.read_at(&mut window[..wanted], at) else { break };
                let places = window[..read].windows(PIECE).enumerate().filter(|(_, piece)| is_secret(piece));
                found.extend(places.map(|(offset, _)| format!("{:x} in {map}", at + offset as u64)));
                // the next window begins with what may be the front of a piece
                at += if read == wanted && at + read as u64 == end { read } else { read - (PIECE - 1).min(read - 1) } as u64;
            }
        }
        found
    }

    /// Waits until a process has none of them.
    ///
    /// # Panics
    /// When it keeps some.
    #[track_caller]
    pub fn forgotten_by(&self, pid: u32) {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let found = self.found_in(pid);
            if found.is_empty() {
                return;
            }
            assert!(Instant::now() < deadline, "{} pieces of secrets are left:\n{}", found.len(), found.join("\n"));
        }
    }
}
