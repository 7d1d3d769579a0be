//! Python's `ssl`.

use interop::Row;
use tests::run;

use crate::{KINDS, desk, documented, identify};

#[test]
fn servers_and_clients_have_every_kind_of_key_before_and_after_a_fork() {
    let Some(desk) = desk(Row::program("python3"), "nobody") else { return };
    let script = include_str!("tls.py");
    assert!(script.contains(documented("Python")[0]));
    desk.write("tls.py", script);
    for kind in KINDS {
        identify(&desk, kind);
        let said = run(&mut desk.ours("python3 tls.py")).ok();
        assert_eq!(said, "TLSv1.2 localhost\nTLSv1.3 localhost\n".repeat(2));
    }
}
