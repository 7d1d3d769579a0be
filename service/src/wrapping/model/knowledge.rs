//! What the attacker learns without changing a key.

use super::kinds::{COPY, WAYS, Way, Ways, each_way};
use super::rules::Rules;
use super::state::{KNOWN, Slot, State, each_term, only, term};
use super::{Caller, Setting};
use crate::key::Decision;
use interface::algorithm::Algorithm;
use interface::attributes::Usage;

/// Something that is done with keys and changes none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// A key is used in this way.
    Use { by: Caller, place: usize, way: usize },
    /// A key leaves under another one.
    Wrap { by: Caller, with: usize, way: usize, leaving: usize },
}

/// What a use tells.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tells {
    Nothing,
    /// The value of the key.
    Value,
    /// Whatever was ever encrypted with the key. A mode that does not authenticate is taken for the worst of its kind: decrypting with
    /// it undoes all others, and so do the answers to chosen ciphertexts.
    Everything,
    /// What was encrypted in this mode of wrapping.
    Wrapped(u8),
    /// Messages.
    Messages,
}

/// The mode of an algorithm that wraps.
pub(super) fn mode(algorithm: Algorithm) -> u8 {
    u8::from(!algorithm.authenticates())
}

fn tells(way: &Way) -> Tells {
    let Some(algorithm) = way.algorithm else {
        return if way.usage == Usage::EXPORT { Tells::Value } else { Tells::Nothing };
    };
    match way.usage {
        Usage::DECRYPT | Usage::UNWRAP if !algorithm.authenticates() => Tells::Everything,
        Usage::DECRYPT if matches!(algorithm, Algorithm::Aead(_)) => Tells::Messages,
        Usage::DECRYPT => Tells::Wrapped(mode(algorithm)),
        Usage::SIGN_HASH => Tells::Everything,
        _ if way.nonce && algorithm.reveals() || algorithm.codebook() => Tells::Messages,
        _ => Tells::Nothing,
    }
}

/// The ways that are open to a caller as its value has decided, without a new decision.
fn open(rules: &Rules, slot: Slot, caller: Caller, state: &State) -> Ways {
    let (permitted, decided) = (rules.permitted(slot.id), state.decided(slot.value));
    let closed = if decided.is_some() && rules.agree(Decision::Reveals, decided) { 0 } else { permitted.reveals };
    permitted.to(caller, decided) & !closed
}

/// Whether a caller does what could tell the attacker something: the honest owner of granted keys wraps, and that is seen by all.
fn does(setting: Setting, caller: Caller, usage: Usage) -> bool {
    setting.hostile(caller) || usage == Usage::WRAP
}

impl State {
    /// Adds all that is learned without a step; hands out what was done for it.
    pub(super) fn learn(&mut self, rules: &mut Rules, setting: Setting, mut done: impl FnMut(Act)) {
        let seen = *self;
        for (place, slot) in seen.keys() {
            for by in Caller::BOTH.into_iter().filter(|by| setting.hostile(*by)) {
                for way in each_way(open(rules, slot, by, self)) {
                    if self.told(slot.value, tells(&WAYS[way])) {
                        done(Act::Use { by, place, way });
                    }
                }
            }
        }
        for (with, wrapping) in seen.keys() {
            for (leaving, wrapped) in seen.keys() {
                self.wrapped(rules, setting, [(with, wrapping), (leaving, wrapped)], &mut done);
            }
        }
        while self.deduce(rules, setting, &mut done) {}
        if setting == Setting::Application {
            self.read = 0;
        }
    }

    fn told(&mut self, value: u8, tells: Tells) -> bool {
        let before = (self.known, self.read);
        match tells {
            Tells::Nothing | Tells::Wrapped(_) => {}
            Tells::Value => self.known |= only(value),
            Tells::Messages | Tells::Everything => self.read |= only(value),
        }
        (self.known, self.read) != before
    }

    fn wrapped(&mut self, rules: &mut Rules, setting: Setting, keys: [(usize, Slot); 2], done: &mut impl FnMut(Act)) {
        let [(with, wrapping), (leaving, wrapped)] = keys;
        let decided = self.decided(wrapping.value);
        let agreed = decided.is_some() && rules.agree(Decision::Protects, decided);
        for by in Caller::BOTH.into_iter().filter(|by| does(setting, *by, Usage::WRAP)) {
            let [allowed, protects] = rules.wraps(wrapping.id, wrapped.id, by);
            let leaves = rules.permitted(wrapped.id).to(by, self.decided(wrapped.value)) >> COPY & 1 != 0;
            let ways = if leaves { open(rules, wrapping, by, self) & allowed } else { 0 };
            for way in each_way(ways).filter(|way| agreed || protects >> way & 1 == 0) {
                let new = term(wrapped.value, wrapping.value, mode(WAYS[way].algorithm.unwrap()));
                if self.terms & new == 0 {
                    self.terms |= new;
                    done(Act::Wrap { by, with, way, leaving });
                }
            }
        }
    }

    /// Opens what can be opened; whether there was anything new.
    fn deduce(&mut self, rules: &Rules, setting: Setting, done: &mut impl FnMut(Act)) -> bool {
        let before = (self.known, self.read);
        let seen = *self;
        self.read |= self.known;
        for (value, base) in seen.bases() {
            self.known |= (self.known >> base & 1) << value;
        }
        for (value, with, _) in each_term(self.terms) {
            self.known |= (self.known >> with & 1) << value;
        }
        for (place, slot) in seen.keys() {
            for by in Caller::BOTH.into_iter().filter(|by| setting.hostile(*by)) {
                for way in each_way(open(rules, slot, by, self)) {
                    if self.opened(slot.value, tells(&WAYS[way])) {
                        done(Act::Use { by, place, way });
                    }
                }
            }
        }
        (self.known, self.read) != before
    }

    fn opened(&mut self, with: u8, tells: Tells) -> bool {
        let before = self.known;
        for (value, under, mode) in each_term(self.terms) {
            if under == with && (tells == Tells::Everything || tells == Tells::Wrapped(mode)) {
                self.known |= only(value);
            }
        }
        self.known != before
    }

    /// Whether the attacker has learned what it must not.
    pub(super) fn broken(&self, rules: &Rules, setting: Setting) -> bool {
        match setting {
            Setting::Application => self.known & self.secret != 0,
            Setting::Grant => {
                let (known, read) = self.given(rules);
                self.known & self.secret & !known != 0 || self.read & self.secret & !(known | read) != 0
            }
        }
    }

    /// The values that grants give away, and those whose messages they do: those of keys that may be read, or decrypt; and of all that was
    /// wrapped with them. Whoever may bring a key in, or take it away, has it with what uses it wants.
    fn given(&self, rules: &Rules) -> (u8, u8) {
        let (mut known, mut read) = (only(KNOWN), 0);
        let mut unwrapped = 0;
        for (_, slot) in self.keys() {
            let kind = rules.kind(slot.id);
            let has = |role| kind.owner == Caller::Owner && kind.granted.contains(role);
            known |= u8::from(has(Usage::EXPORT)) << slot.value;
            read |= u8::from(has(Usage::DECRYPT) || has(Usage::COPY)) << slot.value;
            unwrapped |= u8::from(has(Usage::UNWRAP)) << slot.value;
        }
        loop {
            let before = (known, read);
            for (value, with, _) in each_term(self.terms) {
                known |= ((known | read) >> with & 1) << value;
                read |= (unwrapped >> with & 1) << value;
            }
            if before == (known, read) {
                return before;
            }
        }
    }
}
