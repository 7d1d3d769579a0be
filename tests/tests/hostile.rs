//! The benchmark with a hostile user works: every flood reaches the service, and the polite client beside it is served. How fast is for
//! [the benchmark](../benches/hostile) to say.

use std::process::Command;

use tests::{built, may_change_user, run};

#[test]
fn every_flood_is_answered_and_nobody_else_is_refused() {
    if !may_change_user() {
        return;
    }
    let table = run(Command::new(built("examples/hostile")).arg("smoke").env("SAME_PRIORITY", "1")).ok();
    let cells = |row: &str| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let mut rows = table.lines().map(cells);
    let failures = rows.next().expect("a table").iter().position(|title| title == "failures").expect("its column");
    let rows: Vec<_> = rows.skip(1).filter(|row| row.len() > failures).collect();
    assert!(rows.len() > 20, "{table}");
    for row in rows {
        assert_eq!(row[failures], "0", "{table}");
    }
}
