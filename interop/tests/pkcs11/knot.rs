//! Knot DNS, whose keys GnuTLS makes and uses.

use std::net::SocketAddr;

use interop::{Daemon, Desk, Row, eventually, loopback};
use tests::run;

use crate::{alone, desk, unasked};

pub(crate) const ZONE: &str =
    "$ORIGIN example.org.\n$TTL 3600\n@ SOA ns hostmaster 1 3600 600 86400 300\n@ NS ns\nns A 127.0.0.1\nwww A 127.0.0.2\n";

/// For a server at this address, in the directory of the desk.
pub(crate) fn configuration(desk: &Desk, address: SocketAddr) -> String {
    let (dir, module, ip, port) = (desk.service.dir().display(), desk.module(), address.ip(), address.port());
    format!(
        "server:\n    rundir: \"{dir}\"\n    listen: {ip}@{port}\ndatabase:\n    storage: \"{dir}\"\n\
         keystore:\n  - id: token\n    backend: pkcs11\n    config: \"pkcs11:token=software {}\"\n\
         policy:\n  - id: signed\n    keystore: token\n    algorithm: ecdsap256sha256\n\
         zone:\n  - domain: example.org\n    storage: \"{dir}\"\n    file: example.org.zone\n    dnssec-signing: on\n    dnssec-policy: signed\n",
        module.display()
    )
}

#[test]
fn zones_are_signed_with_keys_of_the_token() {
    let Some(mut desk) = desk(Row::program("knotd"), &[]) else { return };
    let address = loopback();
    desk.write("knot.conf", configuration(&desk, address));
    desk.write("example.org.zone", ZONE);
    unasked(&mut alone(&desk, "keymgr -c knot.conf example.org generate ksk=yes"));
    unasked(&mut alone(&desk, "keymgr -c knot.conf example.org generate"));
    let asks = |desk: &Desk, name: &str| {
        let ask = format!("kdig @{} -p {} {name} A +dnssec +noall +answer", address.ip(), address.port());
        let said = run(&mut desk.command(&ask)).out;
        (said.contains("\tA\t") && said.contains("\tRRSIG\tA 13")).then_some(())
    };
    let (mut knotd, log) = (alone(&desk, "knotd -c knot.conf"), desk.path("knotd.log"));
    let _knotd = Daemon::start(&mut knotd, &log, || asks(&desk, "www.example.org").is_some());

    desk.service.restart();
    for step in ["zone-begin example.org", "zone-set example.org new 3600 A 127.0.0.3", "zone-commit example.org"] {
        desk.ok(&format!("knotc -c knot.conf {step}"));
    }
    eventually("the new name to be signed", || asks(&desk, "new.example.org"));
    desk.ok("knotc -c knot.conf -b zone-flush example.org");
    desk.ok("kzonecheck -d on -o example.org example.org.zone");
    assert_eq!(desk.parsec("key list").matches(" p256 ").count(), 2);
}
