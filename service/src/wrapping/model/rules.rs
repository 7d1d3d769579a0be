//! The answers of the product's rules, each asked once.
//!
//! A key here is what the rules look at; its value is elsewhere. One thing is modelled here and not asked: how the providers record
//! the origin of a key. Only generated keys count as made here, and copies remember. The replays check this.

use super::kinds::{CONCATENATE, Family, Id, Kind, RAW, WAYS, Way, Ways, each_way, trusted, ways_where};
use super::state::Table;
use super::{Caller, HARMLESS, Rule};
use crate::key::Decision;
use crate::wrapping;
use interface::Filing;
use interface::algorithm::Algorithm;
use interface::attributes::Usage;

/// What is permitted with a kind of key.
#[derive(Clone, Copy)]
pub(super) struct Permitted {
    /// By caller and decision.
    ways: [[Ways; 3]; 2],
    /// The ways that decide for revealing.
    pub(super) reveals: Ways,
}

impl Permitted {
    pub(super) fn to(&self, caller: Caller, decided: Option<Decision>) -> Ways {
        self.ways[caller as usize][decided_place(decided)]
    }
}

const DECISIONS: [Option<Decision>; 3] = [None, Some(Decision::Protects), Some(Decision::Reveals)];

/// The rules that keep the keys of one value from having both roles. Where one of them is left out, so is what would stand in for it:
/// that keys yield to what others of their value have decided.
const APART: [Rule; 6] =
    [Rule::WrapDecrypt, Rule::WrapSign, Rule::Past, Rule::Protects, Rule::ConcatenatedRoles, Rule::CopiedPast];

fn decided_place(decided: Option<Decision>) -> usize {
    DECISIONS.iter().position(|known| *known == decided).unwrap_or_default()
}

/// The product's rules, perhaps but one.
pub(super) struct Rules {
    pub(super) without: Option<Rule>,
    kinds: Vec<(Kind, Permitted)>,
    ids: Table<Kind, Id>,
    wraps: Table<(Id, Id, Caller), [Ways; 2]>,
    inherited: Table<(Id, Caller, usize, Usage), Option<Usage>>,
    copied: Table<(Id, Usage), Option<Id>>,
    agree: [[bool; 3]; 2],
}

impl Rules {
    pub(super) fn new(without: Option<Rule>) -> Self {
        let any = Kind {
            owner: Caller::Owner,
            family: Family::Aes,
            usage: Usage::NONE,
            past: Usage::NONE,
            local: true,
            trusted: false,
            granted: Usage::NONE,
        };
        let agree = [Decision::Protects, Decision::Reveals].map(|wanted| {
            DECISIONS.map(|held| held.is_none_or(|held| wrapping::check_decision(&any.key(None), wanted, held).is_ok()))
        });
        let (ids, wraps, inherited, copied) = Default::default();
        Self { without, kinds: Vec::new(), ids, wraps, inherited, copied, agree }
    }

    pub(super) fn keep(&self, rule: Rule) -> bool {
        self.without != Some(rule)
    }

    pub(super) fn kind(&self, id: Id) -> Kind {
        self.kinds[usize::from(id)].0
    }

    pub(super) fn permitted(&self, id: Id) -> Permitted {
        self.kinds[usize::from(id)].1
    }

    pub(super) fn id(&mut self, kind: Kind) -> Id {
        if let Some(id) = self.ids.get(&kind) {
            return *id;
        }
        let id = Id::try_from(self.kinds.len()).unwrap();
        let ways = Caller::BOTH.map(|caller| DECISIONS.map(|decided| self.ways(kind, caller, decided)));
        let reveals = |way: &Way| {
            let decision = wrapping::decision(&kind.key(None), &way.used(), None);
            way.usage != Usage::WRAP && self.keep(Rule::Decision) && decision == Some(Decision::Reveals)
        };
        let reveals = |way: &Way| wrapping::decides(&kind.key(None)) && reveals(way);
        let permitted = Permitted { ways, reveals: ways_where(reveals) };
        self.kinds.push((kind, permitted));
        self.ids.insert(kind, id);
        id
    }

    /// The judge of uses and grants.
    fn ways(&self, kind: Kind, caller: Caller, decided: Option<Decision>) -> Ways {
        let mut key = kind.key(decided);
        if !self.keep(Rule::Granted) {
            key = kind.key(Some(Decision::Protects));
        }
        let judged = |way: &Way| {
            let (mut key, mut used) = (key.clone(), way.used());
            if !self.keep(Rule::Entailed) {
                used.nonce = false;
                key.attributes.policy.also.retain(|algorithm| Some(*algorithm) == way.algorithm || !entailing(*algorithm));
            }
            let policy = &mut key.attributes.policy;
            if !self.keep(Rule::Whole) && way.algorithm == Some(CONCATENATE) && kind.owner != caller {
                policy.usage = policy.usage.and(kind.granted);
            }
            if !self.keep(Rule::Taken) && way.usage == Usage::COPY && policy.usage.contains(Usage::EXPORT) {
                policy.usage = policy.usage.without(Usage::EXPORT) | Usage::COPY;
            }
            if !self.keep(Rule::Export) && way.usage == Usage::EXPORT && kind.owner == caller {
                key.attributes.policy.usage = key.attributes.policy.usage | Usage::EXPORT;
            }
            wrapping::check_use(&key, &caller.principal(), &used).is_ok() && !self.yields(kind, way, decided)
        };
        ways_where(judged)
    }

    /// Whether a key that decides nothing is refused what another one of its value has decided against.
    fn yields(&self, kind: Kind, way: &Way, decided: Option<Decision>) -> bool {
        let key = kind.key(None);
        let wanted = wrapping::decision(&key, &way.used(), None).filter(|_| way.usage != Usage::WRAP && !wrapping::decides(&key));
        let kept = self.keep(Rule::Decision) && !self.without.is_some_and(|rule| APART.contains(&rule));
        kept && wanted.is_some_and(|wanted| !self.agree(wanted, decided))
    }

    /// The ways in which a caller wraps one kind with another, and those of them that decide for protecting.
    pub(super) fn wraps(&mut self, with: Id, leaving: Id, by: Caller) -> [Ways; 2] {
        if let Some(known) = self.wraps.get(&(with, leaving, by)) {
            return *known;
        }
        let (mut key, mut wrapped) = (self.kind(with).key(None), self.kind(leaving).key(None));
        match self.without {
            Some(Rule::WrapDecrypt) => key.past = key.past.without(Usage::DECRYPT),
            Some(Rule::WrapExport) => key.past = key.past.without(Usage::EXPORT),
            Some(Rule::WrapSign) => key.attributes.policy.also.retain(|algorithm| *algorithm != RAW),
            Some(Rule::Local) => key.local = true,
            Some(Rule::Protects) => wrapped.past = wrapped.past.without(Usage::WRAP | Usage::UNWRAP),
            _ => {}
        }
        let caller = by.principal();
        let wraps =
            |way: &Way| way.usage == Usage::WRAP && wrapping::check_wrap(&key, &wrapped, &caller, way.algorithm.unwrap()).is_ok();
        let decides = |way: &Way| {
            way.usage == Usage::WRAP
                && self.keep(Rule::Decision)
                && wrapping::decision(&key, &way.used(), Some(&wrapped)) == Some(Decision::Protects)
        };
        let answer = [ways_where(wraps), ways_where(decides)];
        self.wraps.insert((with, leaving, by), answer);
        answer
    }

    /// Whether a use that needs this decision is permitted to a value that has made this one, or none.
    pub(super) fn agree(&self, wanted: Decision, held: Option<Decision>) -> bool {
        self.agree[usize::from(wanted == Decision::Reveals)][decided_place(held)]
    }

    /// The uses of a key that comes out of another one.
    pub(super) fn inherited(&mut self, from: Id, caller: Caller, by: usize, asked: Usage) -> Option<Usage> {
        if let Some(known) = self.inherited.get(&(from, caller, by, asked)) {
            return *known;
        }
        let (mut parent, algorithm) = (self.kind(from).key(None), WAYS[by].algorithm.unwrap());
        let policy = &mut parent.attributes.policy;
        match self.without {
            Some(Rule::Unwrapped) if WAYS[by].usage == Usage::UNWRAP => {
                policy.usage = policy.usage | Usage::DECRYPT;
                parent.grants.values_mut().for_each(|granted| *granted = *granted | Usage::DECRYPT);
            }
            Some(Rule::ConcatenatedRoles) => parent.past = parent.past.without(Usage::WRAP | Usage::UNWRAP),
            Some(Rule::Concatenated) if algorithm == CONCATENATE => policy.usage = policy.usage | Usage::EXPORT,
            _ => {}
        }
        let asked_of = self.kind(from).family.attributes(asked);
        let answer = wrapping::inherited(std::iter::once(&parent), &caller.principal(), algorithm, asked_of);
        let answer = answer.ok().map(|attributes| attributes.policy.usage);
        self.inherited.insert((from, caller, by, asked), answer);
        answer
    }

    /// The copy of a key for its owner, or, where that is no rule, for anybody.
    pub(super) fn copied(&mut self, of: Id, by: Caller, asked: Usage) -> Option<Id> {
        if self.keep(Rule::Owner) && wrapping::check_owner(&self.kind(of).key(None), &by.principal()).is_err() {
            return None;
        }
        if let Some(known) = self.copied.get(&(of, asked)) {
            return *known;
        }
        let kind = self.kind(of);
        let mut original = kind.key(None);
        if !self.keep(Rule::Copied) {
            original.attributes.policy.usage = original.attributes.policy.usage | asked;
        }
        let answer = wrapping::copied(&original, Filing::default(), kind.family.attributes(asked)).ok().map(|(_, attributes)| {
            let usage = attributes.policy.usage;
            let past = if self.keep(Rule::CopiedPast) { kind.past | usage } else { usage };
            self.id(Kind { owner: by, usage, past, granted: Usage::NONE, trusted: false, ..kind })
        });
        self.copied.insert((of, asked), answer);
        answer
    }

    /// The key with a narrower policy.
    pub(super) fn narrowed(&mut self, id: Id, asked: Usage) -> Id {
        let kind = self.kind(id);
        let mut key = kind.key(None);
        key.narrow(asked);
        let mut usage = key.attributes.policy.usage;
        if !self.keep(Rule::Narrow) {
            usage = asked;
        }
        let past = if self.keep(Rule::Past) { key.past | usage } else { usage };
        self.id(Kind { usage, past, ..kind })
    }

    /// The key, marked as trusted.
    pub(super) fn trusted(&mut self, id: Id, officer: bool) -> Option<Id> {
        let permitted = !self.keep(Rule::Trust) || wrapping::check_trust(&[trusted()], || Ok(officer)).is_ok();
        permitted.then(|| self.id(Kind { trusted: true, ..self.kind(id) }))
    }

    /// Whether a grant is given.
    pub(super) fn grants(&self, id: Id, usage: Usage, decided: Option<Decision>) -> bool {
        let kind = self.kind(id);
        let other = if kind.owner == Caller::Owner { Caller::Grantee } else { Caller::Owner };
        !self.keep(Rule::Granted) || wrapping::check_grant(&kind.key(decided), &other.principal(), usage).is_ok()
    }
}

/// Whether one of the algorithms that make another use of what is asked.
fn entailing(algorithm: Algorithm) -> bool {
    algorithm.takes_nonce() || algorithm == CONCATENATE
}

#[test]
fn harmless_roles_only_permit_more() {
    let sets = |count: u16| 0..1u16 << count;
    let roles = super::CONFLICTING;
    let mut rules = Rules::new(None);
    for (family, bits) in [Family::Aes, Family::Sound, Family::Signing].into_iter().flat_map(|f| sets(4).map(move |b| (f, b))) {
        let usage =
            roles.iter().enumerate().filter(|(place, _)| bits >> place & 1 != 0).fold(Usage::NONE, |all, (_, role)| all | *role);
        let more = rules.id(Kind::made(Caller::Owner, family, usage | HARMLESS, true));
        let victims =
            [Usage::COPY, Usage::EXPORT, HARMLESS].map(|usage| rules.id(Kind::made(Caller::Owner, family, usage, true)));
        for less in [Usage::COPY, Usage::ENCRYPT, Usage::DERIVE, Usage::SIGN_HASH].map(|role| HARMLESS.without(role)) {
            let less = rules.id(Kind::made(Caller::Owner, family, usage | less, true));
            for decided in DECISIONS {
                let [less, more] = [less, more].map(|id| rules.permitted(id).to(Caller::Owner, decided));
                assert_eq!(less & !more, 0, "{family:?} {usage}");
            }
            assert_eq!(rules.permitted(less).reveals & !rules.permitted(more).reveals, 0);
            for victim in victims {
                assert_eq!(
                    rules.wraps(less, victim, Caller::Owner),
                    rules.wraps(more, victim, Caller::Owner),
                    "{family:?} {usage}"
                );
                let [less, more] = [less, more].map(|key| rules.wraps(victim, key, Caller::Owner)[0]);
                assert_eq!(less & !more, 0, "{family:?} {usage}");
            }
            for by in each_way(u32::MAX).filter(|by| [Usage::UNWRAP, Usage::DERIVE].contains(&WAYS[*by].usage)) {
                let of = [less, more].map(|id| rules.inherited(id, Caller::Owner, by, Usage::ALL));
                assert_eq!(of[0], of[1], "{family:?} {usage}");
            }
        }
    }
}
