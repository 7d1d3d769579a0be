//! The table that the benchmark prints.

use std::fmt::Write;

use crate::floods::Flood;
use crate::polite::{Measured, Times};

/// How much slower than without a flood one request in a hundred may be.
const TIMES: f64 = 5.0;
/// How slow it may ever be, in milliseconds.
const MOST: f64 = 20.0;

/// One flood.
pub(crate) struct Row {
    /// Which.
    pub(crate) flood: &'static Flood,
    /// Just before it.
    pub(crate) idle: Measured,
    /// During it.
    pub(crate) beside: Measured,
    /// Requests of the hostile user that were done.
    pub(crate) done: u64,
    /// And those that were refused.
    pub(crate) refused: u64,
    /// Of the service in MiB: before, at the end, and half a minute after it or as soon as it is below four times what it was before.
    pub(crate) memory: [u64; 3],
}

impl Row {
    /// Whether the polite user was treated well.
    fn holds(&self) -> bool {
        let well = |of: fn(&Measured) -> Times| of(&self.beside).p99 <= MOST.min(TIMES * of(&self.idle).p99);
        self.beside.failures == 0 && well(|m| m.sign) && well(|m| m.connect)
    }

    /// As a line of the table.
    pub(crate) fn line(&self) -> String {
        let times = |of: fn(&Measured) -> Times| {
            let (idle, beside) = (of(&self.idle), of(&self.beside));
            format!("{:.2} | {:.2} | {:.1}", beside.p50, beside.p99, beside.p99 / idle.p99)
        };
        let holds = if self.holds() { "" } else { " **slow**" };
        format!(
            "| {}{holds} | {} | {} | {} | {} | {} | {} | {} |",
            self.flood.what,
            times(|m| m.sign),
            times(|m| m.connect),
            times(|m| m.find),
            self.beside.failures,
            self.done,
            self.refused,
            self.memory.map(|mib| mib.to_string()).join(" → ")
        )
    }
}

/// All rows, in Markdown.
pub(crate) fn text(rows: &[Row]) -> String {
    let mut text = String::from(
        "| flood | sign p50 | p99 | × idle | new connection p50 | p99 | × idle | find p50 | p99 | × idle | failures | the flood's requests done | refused | MiB |\n\
         |---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n",
    );
    let idle = |of: fn(&Measured) -> Times| {
        let mut all: Vec<Times> = rows.iter().map(|row| of(&row.idle)).collect();
        let mut middle = |by: fn(&Times) -> f64| {
            all.sort_by(|a, b| by(a).total_cmp(&by(b)));
            all.get(all.len() / 2).map_or(0.0, by)
        };
        format!("{:.2} | {:.2} | 1.0", middle(|times| times.p50), middle(|times| times.p99))
    };
    let (sign, connect, find) = (idle(|m| m.sign), idle(|m| m.connect), idle(|m| m.find));
    let failures: u32 = rows.iter().map(|row| row.idle.failures).sum();
    let _ = writeln!(text, "| none (medians of {}) | {sign} | {connect} | {find} | {failures} | | | |", rows.len());
    rows.iter().for_each(|row| text.push_str(&(row.line() + "\n")));
    text
}
