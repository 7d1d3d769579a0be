//! One state: the keys, what their values have decided, and what the attacker knows.

use super::kinds::Id;
use crate::key::Decision;
use std::collections::HashMap;

/// The value that the attacker brings; the others are those of the keys, in their order.
pub(super) const KNOWN: u8 = 4;
/// Keys that are ever made in a run.
pub(super) const KEYS: usize = KNOWN as usize;
/// The modes of wrapping that are told apart: one that authenticates, one that does not.
pub(super) const MODES: u8 = 2;
const NONE: u8 = u8::MAX;

/// A key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Slot {
    pub(super) id: Id,
    pub(super) value: u8,
}

/// One state. Values are bits in the sets of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    slots: [Option<Slot>; KEYS],
    /// Keys that were made.
    pub(super) made: u8,
    values: u8,
    decided: [Option<Decided>; KEYS + 1],
    /// Of which other value a value was derived.
    base: [u8; KEYS],
    /// Values that nobody may ever learn.
    pub(super) secret: u8,
    /// Values that the attacker knows.
    pub(super) known: u8,
    /// Values whose messages the attacker reads.
    pub(super) read: u8,
    /// Wrapped values that the attacker has.
    pub(super) terms: u64,
    /// A copy that is under way.
    pub(super) pending: Option<Slot>,
    /// The attacker is the security officer.
    pub(super) officer: bool,
}

impl std::hash::Hash for State {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        let packed = |slot: Option<Slot>| slot.map_or(u32::MAX, |slot| u32::from(slot.id) << 8 | u32::from(slot.value));
        for slot in self.slots.into_iter().chain([self.pending]) {
            state.write_u32(packed(slot));
        }
        let decided =
            self.decided.iter().fold(0, |all, decided| all << 2 | decided.map_or(0, |decided| 1 + u16::from(decided as u8)));
        let sets = [self.secret, self.known, self.read, self.made, u8::from(self.officer), self.values];
        state.write_u64(self.terms);
        state.write(&sets);
        state.write_u16(decided);
        state.write(&self.base);
    }
}

/// A decision, in an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Decided {
    Protects,
    Reveals,
}

/// The set of this one value.
pub(super) const fn only(value: u8) -> u8 {
    1 << value
}

/// A value wrapped with a key of another value, in a mode.
pub(super) const fn term(value: u8, with: u8, mode: u8) -> u64 {
    1 << ((value * (KNOWN + 1) + with) * MODES + mode)
}

/// The terms of a set: value, wrapping value, mode.
pub(super) fn each_term(terms: u64) -> impl Iterator<Item = (u8, u8, u8)> {
    let mut left = terms;
    std::iter::from_fn(move || {
        let bit = u8::try_from(left.trailing_zeros()).ok().filter(|bit| *bit < 64)?;
        left &= left - 1;
        Some((bit / MODES / (KNOWN + 1), bit / MODES % (KNOWN + 1), bit % MODES))
    })
}

impl State {
    /// No key, and the attacker knows a value of its own.
    pub(super) const START: Self = Self {
        slots: [None; KEYS],
        made: 0,
        values: 0,
        decided: [None; KEYS + 1],
        base: [NONE; KEYS],
        secret: 0,
        known: only(KNOWN),
        read: 0,
        terms: 0,
        pending: None,
        officer: false,
    };

    /// The keys with their places.
    pub(super) fn keys(&self) -> impl Iterator<Item = (usize, Slot)> + '_ {
        self.slots.iter().enumerate().filter_map(|(place, slot)| slot.map(|slot| (place, slot)))
    }

    pub(super) fn key(&self, place: usize) -> Option<Slot> {
        self.slots[place]
    }

    pub(super) fn set(&mut self, place: usize, slot: Option<Slot>) {
        self.slots[place] = slot;
    }

    pub(super) fn decided(&self, value: u8) -> Option<Decision> {
        self.decided[usize::from(value)].map(|decided| match decided {
            Decided::Protects => Decision::Protects,
            Decided::Reveals => Decision::Reveals,
        })
    }

    pub(super) fn decide(&mut self, value: u8, decision: Decision) {
        self.decided[usize::from(value)] = Some(match decision {
            Decision::Protects => Decided::Protects,
            Decision::Reveals => Decided::Reveals,
        });
    }

    /// Whether somebody holds, or will hold, a key that the attacker must not learn.
    pub(super) fn at_stake(&self) -> bool {
        self.keys().map(|(_, slot)| slot).chain(self.pending).any(|slot| self.secret & only(slot.value) != 0)
    }

    /// Whether one more key may be made.
    pub(super) fn room(&self) -> bool {
        usize::from(self.made) < KEYS
    }

    /// Adds a key of a value that there is. Returns its place.
    pub(super) fn add(&mut self, slot: Slot) -> usize {
        let place = self.slots.iter().position(Option::is_none).unwrap();
        self.slots[place] = Some(slot);
        self.made += 1;
        place
    }

    /// A value that nobody knows.
    pub(super) fn fresh(&mut self) -> u8 {
        self.values += 1;
        self.values - 1
    }

    /// The value that is derived from another one, always the same.
    pub(super) fn derived(&mut self, from: u8) -> u8 {
        if from == KNOWN {
            return KNOWN;
        }
        let there = (0..self.values).find(|value| self.base[usize::from(*value)] == from);
        there.unwrap_or_else(|| {
            let value = self.fresh();
            self.base[usize::from(value)] = from;
            value
        })
    }

    /// The values with those that they are derived from.
    pub(super) fn bases(&self) -> impl Iterator<Item = (u8, u8)> + '_ {
        (0..self.values).map(|value| (value, self.base[usize::from(value)])).filter(|(_, base)| *base != NONE)
    }

    /// The same state whatever its keys and values are called, with the new place of each key and the new name of each value.
    pub(super) fn canonical(&self) -> (Self, [usize; KEYS], [u8; KEYS + 1]) {
        let mut order: [usize; KEYS] = std::array::from_fn(|place| place);
        order.sort_by_key(|place| {
            self.slots[*place].map_or((1, 0, 0, None), |slot| {
                let value = slot.value;
                let told = self.known >> value & 1 | (self.secret >> value & 1) << 1 | (self.read >> value & 1) << 2;
                (0, slot.id, told | u8::from(value == KNOWN) << 3, self.decided[usize::from(value)])
            })
        });
        let mut names = [NONE; KEYS + 1];
        names[usize::from(KNOWN)] = KNOWN;
        let mut next = 0;
        let slots = order.iter().filter_map(|place| self.slots[*place]).map(|slot| slot.value);
        for value in slots.chain(0..self.values) {
            if names[usize::from(value)] == NONE {
                names[usize::from(value)] = next;
                next += 1;
            }
        }
        let renamed = |slot: Slot| Slot { value: names[usize::from(slot.value)], ..slot };
        let each = |set: u8| (0..=KNOWN).filter(move |value| set & only(*value) != 0);
        let set = |set| each(set).fold(0, |all, value| all | only(names[usize::from(value)]));
        let name = |value: u8| names[usize::from(value)];
        let mut new = Self {
            slots: order.map(|place| self.slots[place].map(renamed)),
            secret: set(self.secret),
            known: set(self.known),
            read: set(self.read),
            terms: each_term(self.terms).fold(0, |all, (value, with, mode)| all | term(name(value), name(with), mode)),
            pending: self.pending.map(renamed),
            decided: [None; KEYS + 1],
            base: [NONE; KEYS],
            ..*self
        };
        for value in (0..self.values).chain([KNOWN]) {
            new.decided[usize::from(name(value))] = self.decided[usize::from(value)];
        }
        for (value, base) in self.bases() {
            new.base[usize::from(name(value))] = name(base);
        }
        let mut places = [0; KEYS];
        order.iter().enumerate().for_each(|(new, old)| places[*old] = new);
        (new, places, names)
    }
}

/// A hash of many small things: multiplication (Fowler, Noll and Vo), which nobody attacks here.
#[derive(Clone, Copy)]
pub(super) struct Fast(u64);

impl Default for Fast {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl std::hash::Hasher for Fast {
    fn finish(&self) -> u64 {
        self.0 ^ self.0 >> 32
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.0 = (self.0 ^ u64::from_le_bytes(word)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
        }
    }
}

pub(super) type Table<K, V> = HashMap<K, V, std::hash::BuildHasherDefault<Fast>>;
