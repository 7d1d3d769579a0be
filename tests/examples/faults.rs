//! The long form of the faults: every point, as a table. `tests/faults` runs it.
#![allow(clippy::print_stdout, clippy::expect_used, reason = "it prints what it finds")]

#[cfg(target_arch = "x86_64")]
fn main() -> std::process::ExitCode {
    use tests::fault::{Report, Subject};
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let argument = |number: usize| arguments.get(number).map_or("", String::as_str);
    let number = |name: &str, usual: u64| std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(usual);
    let (threads, times) = (number("PARSEC_FAULTS_THREADS", 2), number("PARSEC_FAULTS_IMAGES", 3));
    let small = |number: u64| usize::try_from(number).expect("a small number");
    let mut sound = true;
    for (name, subject) in Subject::ALL {
        // The operations of upstream's service fail: only who asks for it has it.
        let chosen = if argument(0).is_empty() { subject.extended() } else { argument(0) == name };
        if chosen {
            let seed = number("PARSEC_FAULTS_SEED", 1);
            let report = Report::all(subject, argument(1), argument(2), small(threads), small(times), seed);
            println!("{}", report.table());
            sound &= report.violations().is_empty() || !subject.extended();
        }
    }
    if sound { std::process::ExitCode::SUCCESS } else { std::process::ExitCode::FAILURE }
}

#[cfg(not(target_arch = "x86_64"))]
fn main() {
    println!("only x86-64 has the registers that this reads");
}
