//! Python's `ssl`.

use interop::Row;
use tests::run;

use crate::{KINDS, desk};

#[test]
fn servers_and_clients_have_every_kind_of_key_before_and_after_a_fork() {
    let Some(desk) = desk(Row::program("python3"), "nobody") else { return };
    desk.write("tls.py", include_str!("tls.py"));
    for kind in KINDS {
        let said = run(&mut desk.ours(&format!("python3 tls.py {kind}"))).ok();
        assert_eq!(said, "TLSv1.2 localhost\nTLSv1.3 localhost\n".repeat(2));
    }
}
