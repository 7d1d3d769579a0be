//! What providers get wrong, one test each. What a command cannot show is in `mistakes.c`.

use std::process::Command;

use interface::Opcode;

use crate::{
    KINDS,
    bench::{Bench, text},
    service::Service,
};

/// Kinds of keys for PSS alone, and those that take no digest.
pub(crate) const OTHERS: [(&str, &str, &str); 3] =
    [("pss", "RSA-PSS", "rsa_keygen_bits:2048"), ("ed", "ED25519", ""), ("x", "X25519", "")];

/// Runs a case of `mistakes.c` with each kind of key that hashes what it signs, and a service that may be asked.
fn case(name: &str) -> Service {
    case_with(name, &[])
}

/// As [`case`], with these kinds too.
fn case_with(name: &str, others: &[(&str, &str, &str)]) -> Service {
    let bench = Bench::new();
    let service = Service::start(&bench);
    let program = bench.compile("mistakes");
    for (key, algorithm, option) in KINDS.into_iter().chain(others.iter().copied()) {
        bench.key(key, algorithm, option);
        let files = ["openssl.cnf".to_owned(), format!("{key}.pem"), format!("{key}.pub"), format!("{key}.key")];
        let mut command = Command::new(&program);
        command.arg(name).args(files).current_dir(bench.path("")).env("OPENSSL_CONF", "/dev/null");
        let output = command.output().unwrap();
        assert!(output.status.success(), "{key}\n{}", text(&output));
    }
    service
}

/// TLS starts signatures many times a handshake, only to see which it could make.
#[test]
fn starting_a_signature_asks_the_service_nothing() {
    assert_eq!(case("starts").users(), []);
}

#[test]
fn mistake_01_work_while_loading() {
    let bench = Bench::new();
    std::fs::write(bench.path("message"), "hello").unwrap();
    bench.ok("dgst -sha256 message");
    let service = Service::start(&bench);
    bench.ok("dgst -sha256 message");
    assert_eq!(service.users(), []);
    let conf = std::fs::read_to_string(bench.path("openssl.cnf")).unwrap();
    std::fs::write(bench.path("openssl.cnf"), conf + "timeout-ms = soon\n").unwrap();
    bench.ok("dgst -sha256 message");
    bench.key("p256", "EC", "group:P-256");
    let said = bench.fails("dgst -sha256 -sign p256.pem -out signature message");
    assert!(said.contains("timeout-ms = soon"), "{said}");
}

#[test]
fn mistake_02_tables_that_change() {
    case("tables");
}

#[test]
fn mistake_03_public_keys_exported_as_private_ones() {
    case("export");
}

#[test]
fn mistake_04_keys_that_match_no_certificate() {
    case("match");
}

#[test]
fn mistake_05_keys_that_have_everything_or_nothing() {
    case("has");
}

#[test]
fn mistake_06_keys_without_the_names_of_their_operations() {
    let bench = Bench::new();
    let _service = Service::start(&bench);
    bench.key("p256", "EC", "group:P-256");
    bench.key("peer", "EC", "group:P-256");
    std::fs::write(bench.path("digest"), [7; 32]).unwrap();
    bench.ok("pkeyutl -sign -inkey p256.pem -in digest -out signature");
    bench.ok("pkeyutl -derive -inkey p256.pem -peerkey peer.pub -out secret");
}

/// Runs `process.c`, which goes on with a copy of a half-signed message.
#[test]
fn mistake_07_operations_that_cannot_be_copied() {
    let bench = Bench::new();
    let _service = Service::start(&bench);
    bench.key("p256", "EC", "group:P-256");
    let mut process = Command::new(bench.compile("process"));
    process.arg(bench.path("openssl.cnf")).arg(bench.path("p256.pem")).arg("65534").env("OPENSSL_CONF", "/dev/null");
    let output = process.output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
}

#[test]
fn mistake_08_wrong_sizes() {
    case("sizes");
}

#[test]
fn mistake_09_signatures_without_an_algorithm_identifier() {
    let bench = Bench::new();
    let _service = Service::start(&bench);
    for (name, algorithm, option) in KINDS.into_iter().chain([("pss", "RSA-PSS", ""), ("ed", "ED25519", "")]) {
        bench.key(name, algorithm, option);
        bench.ok(&format!("req -x509 -key {name}.pem -subj /CN=a -out certificate"));
        bench.plain("verify -CAfile certificate certificate");
    }
}

#[test]
fn mistake_10_digests_known_by_one_name_only() {
    case("digests");
}

#[test]
fn mistake_11_parameters_of_one_type_only() {
    case("params");
}

/// The processes and threads are those of `keys_survive_what_server_processes_do`; here is a worker that outlives the service.
#[test]
fn mistake_12_connections_that_are_not_the_process_own() {
    let bench = Bench::new();
    let service = Service::start(&bench);
    bench.key("p256", "EC", "group:P-256");
    bench.plain("req -x509 -key p256.key -subj /CN=localhost -out certificate");
    let server = bench.server("-cert certificate -key p256.pem -no_ticket");
    for _ in 0..2 {
        bench.ok(&format!("s_client -connect {} -CAfile certificate -verify_return_error", server.address));
        assert_eq!(service.calls(), [Opcode::SignHash]);
        service.hang_up();
    }
}

#[test]
fn mistake_13_names_that_others_do_not_use() {
    let bench = Bench::new();
    let service = Service::start(&bench);
    bench.key("rsa", "RSA", "rsa_keygen_bits:2048");
    bench.key("p256", "EC", "group:P-256");
    let text = bench.ok("pkey -in p256.pem -noout -text");
    assert!(text.contains("group: prime256v1"), "{text}");
    // the digest that nobody names
    std::fs::write(bench.path("message"), "hello").unwrap();
    for key in ["rsa", "p256"] {
        bench.ok(&format!("dgst -sign {key}.pem -out signature message"));
        bench.plain(&format!("dgst -sha256 -verify {key}.pub -signature signature message"));
    }
    assert_eq!(service.calls(), [Opcode::SignHash; 2]);
    // and the kind of key that takes none, whatever the program would take for others
    bench.key("ed", "ED25519", "");
    bench.ok("req -x509 -sha256 -key ed.pem -subj /CN=a -out certificate");
    assert_eq!(service.calls(), [Opcode::SignMessage]);
}

#[test]
fn mistake_14_ephemeral_work_drawn_into_the_service() {
    case("capabilities");
}

#[test]
fn mistake_15_errors_about_what_others_can_read() {
    case("noise");
}

#[test]
fn mistake_16_keys_without_parameters_exported_as_empty_ones() {
    case_with("print", &OTHERS);
}

#[test]
fn mistake_17_keys_that_do_not_tell_what_others_tell() {
    case_with("getters", &OTHERS);
}

#[test]
fn mistake_18_settings_that_are_forgotten_or_told_otherwise() {
    case("settings");
}

/// Runs `cleanup.c`: see there for what it does.
#[test]
fn what_a_program_frees_after_openssl_is_gone_does_not_end_it() {
    let bench = Bench::new();
    let _service = Service::start(&bench);
    let program = bench.compile("cleanup");
    for (key, algorithm, option) in KINDS {
        bench.key(key, algorithm, option);
        bench.plain(&format!("req -x509 -key {key}.key -subj /CN=a -out certificate"));
        for order in [["default", "parsec"], ["parsec", "default"]] {
            bench.load(&order);
            let mut command = Command::new(&program);
            command.args(["openssl.cnf", &format!("{key}.pem"), "certificate"]);
            let output = command.current_dir(bench.path("")).env("OPENSSL_CONF", "/dev/null").output().unwrap();
            assert!(output.status.success(), "{key} {order:?}: {}\n{}", output.status, text(&output));
        }
    }
}
