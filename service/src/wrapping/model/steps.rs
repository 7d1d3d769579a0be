//! Steps of callers that change something: make a key, change it, decide what it is for, reset the token.
//!
//! The search tries the policies that differ in conflicting roles. Every policy includes all other roles, because they only permit
//! more ([`HARMLESS`]). Dropping a role without forgetting it only permits less, except for the role of reading. So a step drops
//! only roles that reveal. With a key that the attacker can read or has imported, it can compute everything itself, except one
//! thing that only the service does: wrap other keys.

use super::kinds::{BLOCK, COPY, DIGEST, Family, Kind, WAYS};
use super::knowledge::mode;
use super::rules::Rules;
use super::state::{KNOWN, Slot, State, term};
use super::{CONFLICTING, Caller, HARMLESS, Rule, Setting};
use crate::key::Decision;
use interface::attributes::Usage;

/// Something that one caller does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Makes a new key, and grants its use.
    Generate {
        by: Caller,
        family: Family,
        usage: Usage,
        granted: Usage,
    },
    /// Brings the value that it knows.
    Import {
        by: Caller,
        usage: Usage,
        trusted: bool,
    },
    Copy {
        by: Caller,
        of: usize,
        usage: Usage,
    },
    /// Brings a value back that it has wrapped, or that it knows and can encrypt.
    Unwrap {
        by: Caller,
        with: usize,
        way: usize,
        value: u8,
        family: Family,
        usage: Usage,
    },
    Derive {
        by: Caller,
        from: usize,
        way: usize,
        usage: Usage,
    },
    /// Sets the policy.
    Set {
        place: usize,
        usage: Usage,
    },
    /// Grants all uses.
    Grant {
        place: usize,
    },
    /// Uses a key in a way that reveals.
    Reveal {
        by: Caller,
        place: usize,
        way: usize,
    },
    /// Wraps a key in a way that protects.
    Protect {
        by: Caller,
        with: usize,
        way: usize,
        leaving: usize,
    },
    /// Begins to make a copy.
    Begin {
        of: usize,
    },
    /// The copy is made.
    Finish,
    /// Resets the token of the owner, and becomes its security officer.
    Reset,
}

/// Keys of the owner that are granted: the others are the attacker's.
const OWNED: usize = 2;
const BOTH: Usage = Usage::WRAP.or(Usage::UNWRAP);
const REVEALING: [Usage; 3] = [Usage::DECRYPT, Usage::EXPORT, Usage::DECRYPT.or(Usage::EXPORT)];
/// What the attacker asks for a key that comes out of others.
const WANTED: [Usage; 4] = [Usage::NONE, BOTH, Usage::DECRYPT.or(Usage::EXPORT), Usage::ALL];

/// Every set of the roles that conflict, with all that do not; of readable keys, those that wrap.
fn policies() -> impl Iterator<Item = Usage> {
    let readable = |roles: &Usage| !roles.contains(Usage::EXPORT) || *roles == Usage::EXPORT | Usage::WRAP;
    subsets(CONFLICTING).filter(readable).map(|roles| roles | HARMLESS)
}

fn subsets(roles: [Usage; 4]) -> impl Iterator<Item = Usage> {
    (0..16u8).map(move |bits| (0..4).filter(|place| bits >> place & 1 != 0).fold(Usage::NONE, |all, place| all | roles[place]))
}

impl Setting {
    fn generated(self) -> Vec<Step> {
        let step = |by, family, usage, granted| Step::Generate { by, family, usage, granted };
        match self {
            Self::Application => {
                let pair = step(Caller::Owner, Family::Signing, BOTH | HARMLESS, Usage::NONE);
                policies().map(|usage| step(Caller::Owner, Family::Aes, usage, Usage::NONE)).chain([pair]).collect()
            }
            Self::Grant => {
                let always = Usage::WRAP | Usage::ENCRYPT | Usage::DERIVE | Usage::SIGN_HASH;
                let (data, open) = (Usage::DECRYPT, Usage::DECRYPT | Usage::EXPORT);
                let policies =
                    [(Family::Aes, BOTH), (Family::Aes, BOTH | open), (Family::Sound, BOTH), (Family::Sound, BOTH | open)];
                let policies = policies.into_iter().chain([(Family::Aes, data), (Family::Aes, open)]);
                let grants = [Usage::NONE, Usage::UNWRAP, Usage::COPY, Usage::DECRYPT, Usage::UNWRAP | Usage::DECRYPT];
                let owned = policies.flat_map(|(family, roles)| {
                    grants.map(|granted| step(Caller::Owner, family, roles | HARMLESS, granted | always))
                });
                owned.chain([step(Caller::Grantee, Family::Aes, BOTH | HARMLESS, Usage::NONE)]).collect()
            }
        }
    }
}

/// Everything that may be tried, in every state.
pub(super) struct Steps {
    setting: Setting,
    made: Vec<Step>,
}

impl Steps {
    pub(super) fn new(setting: Setting) -> Self {
        let mut made = setting.generated();
        let by = if setting.hostile(Caller::Owner) { Caller::Owner } else { Caller::Grantee };
        made.extend([false, true].map(|trusted| Step::Import { by, usage: BOTH | HARMLESS, trusted }));
        Self { setting, made }
    }

    /// The states that one step leads to.
    pub(super) fn each(&self, state: &State, rules: &mut Rules, mut next: impl FnMut(Step, State, &mut Rules)) {
        let mut attempt = |step: Step| {
            if let Some(new) = self.apply(state, step, rules) {
                next(step, new, rules);
            }
        };
        if state.room() {
            self.made.iter().copied().for_each(&mut attempt);
        }
        for (place, slot) in state.keys() {
            self.on_key(place, slot, state, &mut attempt);
        }
        if self.setting == Setting::Application {
            [Step::Finish, Step::Reset].into_iter().for_each(attempt);
        }
    }

    fn on_key(&self, place: usize, slot: Slot, state: &State, attempt: &mut impl FnMut(Step)) {
        let hostile = || Caller::BOTH.into_iter().filter(|by| self.setting.hostile(*by));
        for by in hostile() {
            if state.room() {
                for revealing in [Usage::NONE].into_iter().chain(REVEALING) {
                    attempt(Step::Copy { by, of: place, usage: Usage::ALL.without(revealing) });
                }
                self.out_of(by, place, slot, state, attempt);
            }
        }
        for by in Caller::BOTH {
            for (way, used) in WAYS.iter().enumerate() {
                if self.setting.hostile(by) && used.usage != Usage::WRAP {
                    attempt(Step::Reveal { by, place, way });
                } else if used.usage == Usage::WRAP {
                    state.keys().for_each(|(leaving, _)| attempt(Step::Protect { by, with: place, way, leaving }));
                }
            }
        }
        for revealing in REVEALING {
            attempt(Step::Set { place, usage: Usage::ALL.without(revealing) });
        }
        if self.setting == Setting::Application {
            [Step::Set { place, usage: Usage::ALL }, Step::Grant { place }, Step::Begin { of: place }]
                .into_iter()
                .for_each(attempt);
        }
    }

    fn out_of(&self, by: Caller, place: usize, slot: Slot, state: &State, attempt: &mut impl FnMut(Step)) {
        for (way, used) in WAYS.iter().enumerate() {
            let Some(algorithm) = used.algorithm else { continue };
            for usage in WANTED.map(|roles| roles.and(CONFLICTING.into_iter().fold(Usage::NONE, Usage::or)) | HARMLESS) {
                if used.usage == Usage::UNWRAP {
                    for value in (0..KNOWN).filter(|value| state.terms & term(*value, slot.value, mode(algorithm)) != 0) {
                        attempt(Step::Unwrap { by, with: place, way, value, family: Family::Aes, usage });
                    }
                } else if used.usage == Usage::DERIVE && algorithm != BLOCK {
                    attempt(Step::Derive { by, from: place, way, usage });
                }
            }
        }
    }

    /// The state after a step, if it is permitted and changes something.
    pub(super) fn apply(&self, state: &State, step: Step, rules: &mut Rules) -> Option<State> {
        let mut new = *state;
        match step {
            Step::Generate { .. } | Step::Import { .. } => self.bring(&mut new, step, rules)?,
            Step::Copy { .. } | Step::Unwrap { .. } | Step::Derive { .. } => self.multiply(&mut new, step, rules)?,
            Step::Begin { .. } | Step::Finish | Step::Reset => self.reset(&mut new, step, rules)?,
            _ => self.change(&mut new, step, rules)?,
        }
        (new != *state).then_some(new)
    }

    /// Adds a key that comes out of none.
    fn bring(&self, new: &mut State, step: Step, rules: &mut Rules) -> Option<()> {
        match step {
            Step::Generate { by, family, usage, granted } => {
                let id = rules.id(Kind::made(by, family, usage, true));
                let granting = !granted.is_empty();
                if granting && (owned(new, rules) == OWNED || !rules.grants(id, granted, None)) {
                    return None;
                }
                let watched = match self.setting {
                    // What is made after a reset, its security officer is trusted with.
                    Setting::Application => !usage.contains(Usage::EXPORT) && !new.officer,
                    Setting::Grant => by == Caller::Owner,
                };
                let value = new.fresh();
                new.secret |= u8::from(watched) << value;
                new.add(Slot { id: rules.id(Kind { granted, ..rules.kind(id) }), value });
            }
            Step::Import { by, usage, trusted } => {
                let id = rules.id(Kind::made(by, Family::Aes, usage, false));
                let id = if trusted { rules.trusted(id, new.officer)? } else { id };
                new.add(Slot { id, value: KNOWN });
            }
            _ => return None,
        }
        Some(())
    }

    /// Adds a key that comes out of another one.
    fn multiply(&self, new: &mut State, step: Step, rules: &mut Rules) -> Option<()> {
        match step {
            Step::Copy { by, of, usage } => {
                let original = new.key(of)?;
                let asked = asked(rules, original, usage);
                new.add(Slot { id: rules.copied(original.id, by, asked)?, ..original });
            }
            Step::Unwrap { by, with, way, value, family, usage } => {
                let wrapping = new.key(with)?;
                admitted(new, wrapping, by, way, rules)?;
                let usage = rules.inherited(wrapping.id, by, way, usage)?;
                new.add(Slot { id: rules.id(Kind::made(by, family, usage, false)), value });
            }
            Step::Derive { by, from, way, usage } => {
                let base = new.key(from)?;
                admitted(new, base, by, way, rules)?;
                let usage = rules.inherited(base.id, by, way, usage)?;
                let value = if WAYS[way].algorithm == Some(DIGEST) { new.derived(base.value) } else { base.value };
                new.add(Slot { id: rules.id(Kind::made(by, rules.kind(base.id).family, usage, false)), value });
            }
            _ => return None,
        }
        Some(())
    }

    /// Changes a key.
    fn change(&self, new: &mut State, step: Step, rules: &mut Rules) -> Option<()> {
        match step {
            Step::Set { place, usage } => {
                let key = new.key(place).filter(|key| self.setting.hostile(rules.kind(key.id).owner))?;
                new.set(place, Some(Slot { id: rules.narrowed(key.id, usage), ..key }));
            }
            Step::Grant { place } => {
                let key = new.key(place).filter(|key| rules.grants(key.id, Usage::ALL, new.decided(key.value)))?;
                let kind = Kind { granted: Usage::ALL, ..rules.kind(key.id) };
                new.set(place, Some(Slot { id: rules.id(kind), ..key }));
            }
            Step::Reveal { by, place, way } => {
                let key = new.key(place).filter(|key| new.decided(key.value).is_none())?;
                let permitted = rules.permitted(key.id);
                if (permitted.to(by, None) & permitted.reveals) >> way & 1 == 0 {
                    return None;
                }
                new.decide(key.value, Decision::Reveals);
            }
            Step::Protect { by, with, way, leaving } => {
                let (key, wrapped) = (new.key(with)?, new.key(leaving)?);
                let [allowed, protects] = rules.wraps(key.id, wrapped.id, by);
                let leaves = rules.permitted(wrapped.id).to(by, new.decided(wrapped.value)) >> COPY & 1;
                let ways = rules.permitted(key.id).to(by, new.decided(key.value)) & allowed & protects;
                if leaves == 0 || ways >> way & 1 == 0 || new.decided(key.value).is_some() {
                    return None;
                }
                new.decide(key.value, Decision::Protects);
            }
            _ => return None,
        }
        Some(())
    }

    fn reset(&self, new: &mut State, step: Step, rules: &mut Rules) -> Option<()> {
        match step {
            Step::Begin { of } if new.pending.is_none() && new.room() => {
                let original = new.key(of)?;
                let asked = asked(rules, original, Usage::ALL);
                new.pending = Some(Slot { id: rules.copied(original.id, rules.kind(original.id).owner, asked)?, ..original });
                new.made += 1;
            }
            Step::Finish => {
                let pending = new.pending.take()?;
                new.made -= 1;
                new.add(pending);
            }
            Step::Reset if !new.officer => {
                new.officer = true;
                let before = *new;
                for (place, _) in before.keys().filter(|(_, key)| rules.kind(key.id).owner == Caller::Owner) {
                    new.set(place, None);
                }
                if rules.keep(Rule::Reset) {
                    new.pending = None;
                }
                return new.at_stake().then_some(());
            }
            _ => return None,
        }
        Some(())
    }
}

fn owned(state: &State, rules: &Rules) -> usize {
    state.keys().filter(|(_, key)| rules.kind(key.id).owner == Caller::Owner).count()
}

/// What a copy is asked to be: what is wanted of what there is, or of anything where that would be permitted.
fn asked(rules: &Rules, original: Slot, usage: Usage) -> Usage {
    let have = rules.kind(original.id).usage;
    if rules.keep(Rule::Copied) { usage.and(have) } else { usage.and(have | Usage::EXPORT) }
}

/// Whether a use is permitted as the value of the key has decided.
fn admitted(state: &State, key: Slot, by: Caller, way: usize, rules: &Rules) -> Option<()> {
    let (permitted, decided) = (rules.permitted(key.id), state.decided(key.value));
    let may = permitted.to(by, decided) >> way & 1 != 0;
    let decides = permitted.reveals >> way & 1 != 0;
    (may && (!decides || decided.is_some() && rules.agree(Decision::Reveals, decided))).then_some(())
}
