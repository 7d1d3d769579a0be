//! Node: Debian's, which has the system's OpenSSL, and a static one, which has its own inside.

use interop::Row;
use tests::run;

use crate::{KINDS, desk, documented, identify};

#[test]
fn https_servers_and_clients_have_every_kind_of_key() {
    serves(Row::program("node"), "node");
}

#[test]
fn https_servers_and_clients_with_openssl_inside_have_every_kind_of_key() {
    let node = interop::node();
    let row = Row::peer("node", &node);
    serves(Some(row), &node.display().to_string());
}

fn serves(row: Option<Row>, node: &str) {
    let Some(desk) = desk(row, "nobody") else { return };
    let [command, create] = documented("Node")[..] else { panic!("two lines for Node") };
    let script = include_str!("tls.js");
    assert!(script.contains(create.split_once("({ cert, ").unwrap().1.split_once(" }").unwrap().0));
    desk.write("tls.js", script);
    for kind in KINDS {
        identify(&desk, kind);
        let said = run(&mut desk.ours(&format!("{} tls.js", command.replace("node", node)))).ok();
        assert_eq!(said, "TLSv1.2 localhost\nTLSv1.3 localhost\n");
    }
}
