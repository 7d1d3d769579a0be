//! The search, breadth first, so that it finds a shortest attack.

use super::rules::Rules;
use super::state::{State, Table};
use super::steps::{Step, Steps};
use super::{Rule, Setting};

/// What was found.
pub(super) struct Search {
    pub(super) states: usize,
    pub(super) attack: Option<Vec<Step>>,
}

/// Visits every state that so many steps lead to, until one gives a secret away.
pub(super) fn search(setting: Setting, without: Option<Rule>, depth: usize) -> Search {
    let (mut rules, steps) = (Rules::new(without), Steps::new(setting));
    let mut from: Vec<(State, u32, Option<Step>)> = vec![(State::START, 0, None)];
    let mut seen: Table<State, ()> = Table::default();
    seen.insert(State::START, ());
    let (mut level, mut found) = (0..1, None);
    for _ in 0..depth {
        for at in level.clone() {
            let state = from[at].0;
            steps.each(&state, &mut rules, |step, mut new, rules| {
                new.learn(rules, setting, |_| {});
                let (new, ..) = new.canonical();
                if seen.insert(new, ()).is_some() {
                    return;
                }
                from.push((new, u32::try_from(at).unwrap(), Some(step)));
                if found.is_none() && new.broken(rules, setting) {
                    found = Some(from.len() - 1);
                }
            });
            if let Some(last) = found {
                return Search { states: from.len(), attack: Some(path(&from, last)) };
            }
        }
        level = level.end..from.len();
    }
    Search { states: from.len(), attack: None }
}

fn path(from: &[(State, u32, Option<Step>)], last: usize) -> Vec<Step> {
    let mut at = last;
    let steps = std::iter::from_fn(|| {
        let (_, before, step) = from[at];
        at = before as usize;
        step
    });
    let mut steps: Vec<_> = steps.collect();
    steps.reverse();
    steps
}
