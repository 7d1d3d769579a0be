//! Keys that scripts and programs make as if the key stayed in a file: without a name.

use std::{collections::BTreeSet, process::Command};

use interop::has;
use tests::run;

use crate::desk::{Desk, Openssl};

/// The ways in which scripts make keys, each into the file `key`, and the kind of key that each makes.
const SCRIPTS: [(&str, &str); 9] = [
    ("rsa-2048", "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out key"),
    ("rsa-2048", "genrsa -out key 2048"),
    ("rsa-2048", "req -new -newkey rsa:2048 -nodes -keyout key -subj /CN=a -out request"),
    ("p256", "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -pkeyopt ec_param_enc:named_curve -out key"),
    ("p256", "ecparam -name prime256v1 -genkey -noout -out key"),
    ("p256", "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -keyout key -subj /CN=a -out certificate"),
    ("p384", "genpkey -algorithm EC -pkeyopt group:P-384 -outform der -out key"),
    ("ed25519", "req -new -newkey ed25519 -noenc -keyout key -subj /CN=a -out request"),
    ("x25519", "genpkey -algorithm X25519 -out key"),
];

/// The names that the service has for keys without one.
fn names(desk: &Desk) -> Vec<String> {
    let listed = desk.parsec("key list");
    let names: BTreeSet<_> = listed.split_whitespace().filter(|word| word.starts_with("openssl-")).collect();
    names.into_iter().map(str::to_owned).collect()
}

pub(crate) fn keys_without_a_name_are_stored_when_they_are_written(openssl: Openssl) {
    let Some(desk) = Desk::new(openssl) else { return };
    desk.write("openssl.cnf", desk.parsec_first());
    for (kind, script) in SCRIPTS {
        if !has(&desk.service, kind) {
            continue;
        }
        desk.ok(script);
        let names = names(&desk);
        let [name] = names.as_slice() else { panic!("{script}: {names:?}") };
        assert_eq!(desk.ok("pkey -in key -pubout"), desk.parsec(&format!("key public {name}")), "{script}");
        if kind != "x25519" {
            desk.ok("req -x509 -key key -subj /CN=a -out certificate");
            desk.openssl("verify -CAfile certificate certificate");
        }
        // as one in a file, it also decrypts or agrees
        match kind {
            "rsa-2048" => {
                desk.openssl("pkeyutl -encrypt -certin -inkey certificate -in message -out ciphertext");
                assert_eq!(desk.ok("pkeyutl -decrypt -inkey key -in ciphertext"), "hello", "{script}");
            }
            "p256" | "p384" => {
                desk.openssl("cms -encrypt -aes256 -text -in message -out encrypted -recip certificate");
                assert_eq!(desk.ok("cms -decrypt -text -in encrypted -recip certificate -inkey key"), "hello", "{script}");
            }
            _ => {}
        }
        desk.parsec(&format!("key rm {name}"));
    }
}

/// In front of a file for which there is no room. `genpkey` of OpenSSL 3.5 writes to memory first, so it is not among them.
pub(crate) fn a_key_whose_file_has_no_room_is_not_stored(openssl: Openssl) {
    let Some(desk) = Desk::new(openssl) else { return };
    desk.write("openssl.cnf", desk.parsec_first());
    for script in [
        "genrsa -out /dev/full 2048",
        "req -new -newkey rsa:2048 -nodes -keyout /dev/full -subj /CN=a -out request",
        "ecparam -name prime256v1 -genkey -noout -out /dev/full",
    ] {
        let said = run(&mut desk.ours(script)).refused();
        assert!(said.contains("the key's file cannot be written"), "{script}: {said}");
        assert_eq!(names(&desk), [""; 0], "{script}");
    }
}

/// Runs `fresh.c`: see there for what it does.
pub(crate) fn what_is_never_written_leaves_nothing(openssl: Openssl) {
    let Some(desk) = Desk::new(openssl) else { return };
    desk.write("openssl.cnf", desk.parsec_first());
    let program = desk.path("fresh");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/openssl/fresh.c");
    let shared = concat!("-I", env!("CARGO_MANIFEST_DIR"), "/../openssl-provider/tests/openssl");
    run(Command::new("cc").args(["-Wall", "-Werror", shared, "-o"]).arg(&program).args([source, "-lcrypto"])).ok();
    let mut fresh = desk.service.command(&program);
    run(fresh.args(["one", "two"]).env("OPENSSL_CONF", desk.service.openssl_conf())).ok();
    assert_eq!(desk.text("one"), desk.text("two"));
    let names = names(&desk);
    let [name] = names.as_slice() else { panic!("{names:?}") };
    assert_eq!(desk.ok("pkey -in one -pubout"), desk.parsec(&format!("key public {name}")));
}
