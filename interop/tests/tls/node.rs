//! Node: Debian's, which has the system's OpenSSL, and a static one, which has its own inside.

use interop::Row;
use tests::run;

use crate::{KINDS, desk};

#[test]
fn https_servers_and_clients_have_every_kind_of_key() {
    serves(Row::program("node"), "node --openssl-shared-config");
}

#[test]
fn https_servers_and_clients_with_openssl_inside_have_every_kind_of_key() {
    let node = interop::node();
    let row = Row::peer("node", &node);
    serves(Some(row), &format!("{} --openssl-shared-config", node.display()));
}

fn serves(row: Option<Row>, node: &str) {
    let Some(desk) = desk(row, "nobody") else { return };
    desk.write("tls.js", include_str!("tls.js"));
    for kind in KINDS {
        let said = run(&mut desk.ours(&format!("{node} tls.js {kind}"))).ok();
        assert_eq!(said, "TLSv1.2 localhost\nTLSv1.3 localhost\n");
    }
}
