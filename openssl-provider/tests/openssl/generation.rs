//! Keys that OpenSSL has the service make.

use interface::Opcode;

use crate::{bench::Bench, service::Service};

const OURS: &str = "-propquery provider=parsec";

#[test]
fn new_keys_are_made_in_the_service_and_written_as_references() {
    let bench = Bench::new();
    let service = Service::start(&bench);
    std::fs::write(bench.path("message"), "hello").unwrap();
    for (name, options) in [
        ("rsa", "RSA -pkeyopt rsa_keygen_bits:2048"),
        ("default", "RSA"),
        ("pss", "RSA-PSS"),
        ("p256", "EC -pkeyopt group:P-256"),
        ("p384", "EC -pkeyopt ec_paramgen_curve:secp384r1"),
        ("ed", "ED25519"),
        ("x", "X25519"),
    ] {
        let more = "-pkeyopt parsec-provider:software";
        bench.ok(&format!("genpkey {OURS} -algorithm {options} -pkeyopt parsec-name:{name} {more} -out {name}.pem"));
        assert_eq!(service.calls(), [Opcode::GenerateKey, Opcode::LookupKey], "{name}");
        let reference = std::fs::read_to_string(bench.path(&format!("{name}.pem"))).unwrap();
        assert!(reference.starts_with("-----BEGIN PARSEC KEY REFERENCE-----"), "{reference}");
        bench.plain(&format!("pkey -in {name}.key -pubout -out {name}.pub"));
        let public = std::fs::read_to_string(bench.path(&format!("{name}.pub"))).unwrap();
        assert_eq!(bench.ok(&format!("pkey -in {name}.pem -pubout")), public, "{name}");
        if !["ed", "x"].contains(&name) {
            bench.ok(&format!("dgst -sha256 -sign {name}.pem -out signature message"));
            bench.plain(&format!("dgst -sha256 -verify {name}.pub -signature signature message"));
        }
        service.calls();
    }
}

#[test]
fn a_request_makes_its_own_key() {
    let bench = Bench::new();
    let service = Service::start(&bench);
    let new = "-newkey ec -pkeyopt group:P-256 -pkeyopt parsec-name:web -pkeyopt parsec-provider:software -noenc -keyout web.pem";
    bench.ok(&format!("req -x509 {OURS} {new} -subj /CN=localhost -out certificate"));
    assert_eq!(service.calls(), [Opcode::GenerateKey, Opcode::LookupKey, Opcode::SignHash]);
    bench.plain("verify -CAfile certificate certificate");
}

#[test]
fn what_cannot_be_made_is_refused_before_the_service_is_asked() {
    let bench = Bench::new();
    let service = Service::start(&bench);
    for (options, why) in [
        ("EC -pkeyopt group:P-256", "needs a name"),
        ("EC -pkeyopt parsec-name:web", "set the curve"),
        ("EC -pkeyopt parsec-name:web -pkeyopt group:secp256k1", "none of P-256"),
        ("X25519", "needs a name"),
        ("RSA -pkeyopt parsec-name:", "needs a name"),
        ("RSA -pkeyopt parsec-name:web -pkeyopt rsa_keygen_pubexp:3", "public exponent"),
        ("RSA -pkeyopt parsec-name:web -pkeyopt parsec-provider:floppy", "parsec-provider:floppy"),
        ("RSA -pkeyopt parsec-name:web -pkeyopt parsec-usage:tls", "is none of tls-server, tls-client"),
        ("X25519 -pkeyopt parsec-name:web -pkeyopt parsec-usage:ssh", "not fit for ssh"),
        ("RSA-PSS -pkeyopt parsec-name:web -pkeyopt parsec-usage:encryption", "not fit for encryption"),
    ] {
        let said = bench.fails(&format!("genpkey {OURS} -algorithm {options} -out key"));
        assert!(said.contains(why), "{options}\n{said}");
    }
    assert_eq!(service.calls(), []);
}

#[test]
fn curves_alone_need_no_service() {
    let bench = Bench::new();
    bench.ok(&format!("genpkey {OURS} -genparam -algorithm EC -pkeyopt group:P-384 -outform der -out parameters"));
}

#[test]
fn ephemeral_keys_are_never_made_in_the_service() {
    let bench = Bench::new();
    let service = Service::start(&bench);
    bench.key("p256", "EC", "group:P-256");
    bench.plain("req -x509 -key p256.key -subj /CN=localhost -out certificate");
    bench.load(&["parsec", "default"]);
    let server = bench.server("-cert certificate -key p256.pem -no_ticket");
    service.calls();
    // the curves that are ours by name are left out, and the handshake takes another
    let said = bench.ok(&format!("s_client -connect {} -tls1_3 -CAfile certificate -verify_return_error", server.address));
    assert!(said.contains("Server Temp Key: X448"), "{said}");
    assert_eq!(service.calls(), [Opcode::SignHash]);
    let said = bench.fails("genpkey -algorithm X25519");
    assert!(said.contains("list default before parsec"), "{said}");
    assert_eq!(service.calls(), []);
}
