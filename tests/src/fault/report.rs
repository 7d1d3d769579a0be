//! Many trials, all or a sample, as a table.

use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Bench, Fault, Keep, Operation, Random, Shelf, Subject, Trial};

/// What is done at each point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Series {
    Fault(Fault),
    /// The power goes, this often at each point beside the two extremes.
    Power {
        times: usize,
    },
}

impl Series {
    /// The name of the one for power.
    const POWER: &'static str = "power";

    /// All of them by their names.
    pub fn all(times: usize) -> Vec<(&'static str, Self)> {
        let faults = Fault::ALL.into_iter().map(|(name, fault)| (name, Self::Fault(fault)));
        faults.chain([(Self::POWER, Self::Power { times })]).collect()
    }
}

/// One operation under one series.
#[derive(Clone, Debug)]
pub struct Row {
    pub operation: &'static str,
    pub series: &'static str,
    /// Faults that were met.
    pub points: usize,
    /// Failures that a client was told of, and that were none.
    pub unsure: usize,
    /// How to see each again, and what was found.
    pub violations: Vec<String>,
}

/// What a subject has stood.
#[derive(Clone, Debug)]
pub struct Report {
    pub subject: &'static str,
    pub rows: Vec<Row>,
}

/// One trial of a series.
enum Point {
    Fault(Fault, usize),
    Power(usize, Keep),
}

impl Report {
    /// Every operation with this in its name, under every series with this name, at every point; on so many threads.
    ///
    /// # Panics
    /// When an operation fails without a fault.
    pub fn all(subject: Subject, operation: &str, series: &str, threads: usize, times: usize, seed: u64) -> Self {
        let chosen: Vec<_> = Operation::of(subject).filter(|candidate| candidate.name.contains(operation)).collect();
        let (shelf, next) = (Shelf::new(subject), AtomicUsize::new(0));
        let rows = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    while let Some(operation) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let bench = Bench::new(&shelf, operation);
                        for (name, series) in Series::all(times).into_iter().filter(|(name, _)| name.contains(series)) {
                            let row = row(&bench, name, points(&bench, series, seed));
                            row.violations.iter().for_each(|violation| eprintln!("{violation}"));
                            eprintln!(
                                "{} {} {name}: {} points, {} violations",
                                subject.name(),
                                operation.name,
                                row.points,
                                row.violations.len()
                            );
                            rows.lock().expect("rows").push(row);
                        }
                    }
                });
            }
        });
        Self { subject: subject.name(), rows: rows.into_inner().expect("rows") }
    }

    /// So many operations, and of each so many points of all series.
    ///
    /// # Panics
    /// As [`Self::all`].
    pub fn sample(subject: Subject, operations: usize, points_each: usize, seed: u64) -> Self {
        let mut random = Random(seed);
        let mut left: Vec<_> = Operation::of(subject).collect();
        let (shelf, mut rows) = (Shelf::new(subject), Vec::new());
        for _ in 0..operations.min(left.len()) {
            let bench = Bench::new(&shelf, left.swap_remove(random.below(left.len())));
            let mut all: Vec<_> = Series::all(1)
                .into_iter()
                .flat_map(|(name, series)| points(&bench, series, seed).into_iter().map(move |point| (name, point)))
                .collect();
            for _ in 0..points_each.min(all.len()) {
                let (name, point) = all.swap_remove(random.below(all.len()));
                rows.push(row(&bench, name, vec![point]));
            }
        }
        Self { subject: subject.name(), rows }
    }

    /// All that was found.
    pub fn violations(&self) -> Vec<&str> {
        self.rows.iter().flat_map(|row| &row.violations).map(String::as_str).collect()
    }

    /// How many faults were met.
    pub fn points(&self) -> usize {
        self.rows.iter().map(|row| row.points).sum()
    }

    /// A table: an operation a row, a series a column, points and violations in each.
    pub fn table(&self) -> String {
        let names: Vec<_> = Series::all(0).into_iter().map(|(name, _)| name).collect();
        let mut operations: Vec<_> = super::OPERATIONS.iter().map(|operation| operation.name).collect();
        operations.retain(|name| self.rows.iter().any(|row| row.operation == *name));
        let mut table = format!("| {} | {} |\n|---|{}\n", self.subject, names.join(" | "), "---:|".repeat(names.len()));
        let cell = |rows: &mut dyn Iterator<Item = &Row>| {
            let (points, violations) =
                rows.fold((0, 0), |(points, violations), row| (points + row.points, violations + row.violations.len()));
            if violations == 0 { points.to_string() } else { format!("{points} (**{violations}**)") }
        };
        for operation in operations {
            let _ = write!(table, "| {operation} |");
            for name in &names {
                let cell = cell(&mut self.rows.iter().filter(|row| row.operation == operation && row.series == *name));
                let _ = write!(table, " {cell} |");
            }
            table.push('\n');
        }
        let _ = write!(table, "| all |");
        for name in &names {
            let _ = write!(table, " {} |", cell(&mut self.rows.iter().filter(|row| row.series == *name)));
        }
        let unsure: usize = self.rows.iter().map(|row| row.unsure).sum();
        let _ = write!(
            table,
            "\n\n{} points, {} violations; failures told of what was done: {unsure}\n",
            self.points(),
            self.violations().len()
        );
        table
    }
}

fn points(bench: &Bench, series: Series, seed: u64) -> Vec<Point> {
    match series {
        Series::Fault(fault) => (1..=bench.points(fault)).map(|at| Point::Fault(fault, at)).collect(),
        Series::Power { times } => {
            let ways = |events| bench.ways(events, seed, times).into_iter().map(move |keep| Point::Power(events, keep));
            bench.losses().flat_map(ways).collect()
        }
    }
}

fn row(bench: &Bench, series: &'static str, points: Vec<Point>) -> Row {
    let operation = bench.operation.name;
    let mut row = Row { operation, series, points: 0, unsure: 0, violations: Vec::new() };
    for point in points {
        let (trial, number) = match &point {
            Point::Fault(fault, at) => (bench.fail(*fault, *at), *at),
            Point::Power(events, keep) => (bench.lose(*events, keep.clone()), *events),
        };
        let Trial { at: Some(at), violations, unsure } = trial else { continue };
        row.points += 1;
        row.unsure += usize::from(unsure);
        let shown = violations
            .iter()
            .map(|violation| format!("{}: {operation}: {series} {number}, {at}: {violation}", bench.subject.name()));
        row.violations.extend(shown.reduce(|all, one| all + "\n    " + &one));
    }
    row
}
