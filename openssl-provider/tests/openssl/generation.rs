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
        ("EC -pkeyopt parsec-name:web", "set the curve"),
        ("EC -pkeyopt parsec-name:web -pkeyopt group:secp256k1", "none of P-256"),
        ("EC -pkeyopt group:P-256 -pkeyopt ec_param_enc:explicit", "stays as it is"),
        ("RSA -pkeyopt parsec-name:web -pkeyopt rsa_keygen_pubexp:3", "public exponent"),
        ("RSA -pkeyopt rsa_keygen_primes:3", "two primes"),
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

/// The ways in which scripts make keys, each into the file `key`.
const SCRIPTS: [&str; 12] = [
    "genpkey -algorithm RSA -out key",
    "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -pkeyopt rsa_keygen_primes:2 -out key",
    "genrsa -out key 2048",
    "genpkey -algorithm RSA-PSS -out key",
    "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -pkeyopt ec_param_enc:named_curve -out key",
    "genpkey -algorithm EC -pkeyopt group:P-384 -outform der -out key",
    "ecparam -name prime256v1 -genkey -noout -out key",
    "genpkey -algorithm ED25519 -out key",
    "req -new -newkey rsa:2048 -nodes -keyout key -subj /CN=a -out request",
    "req -x509 -newkey rsa:2048 -noenc -keyout key -subj /CN=a -out certificate",
    "req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key -subj /CN=a -out request",
    "req -new -newkey ed25519 -noenc -keyout key -subj /CN=a -out request",
];

/// The keys that the service has.
fn stored(bench: &Bench) -> Vec<String> {
    let files = std::fs::read_dir(bench.path("")).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    files.filter_map(|file| file.strip_suffix(".key").map(str::to_owned)).collect()
}

#[test]
fn keys_without_a_name_are_stored_when_they_are_written() {
    let bench = Bench::new();
    let service = Service::start(&bench);
    bench.load(&["parsec", "default"]);
    std::fs::write(bench.path("message"), "hello").unwrap();
    for script in SCRIPTS {
        bench.ok(script);
        let made = [
            Opcode::LookupKey,
            Opcode::GenerateKey,
            Opcode::LookupKey,
            Opcode::CopyKey,
            Opcode::LookupKey,
        ];
        let calls: Vec<_> = service.calls().into_iter().filter(|call| *call != Opcode::ListProviders).collect();
        assert_eq!(calls[..5], made, "{script}");
        assert_eq!(calls.last(), Some(&Opcode::DestroyKey), "{script}");
        let keys = stored(&bench);
        let [name] = keys.as_slice() else { panic!("{script}: {keys:?}") };
        assert!(name.starts_with("openssl-") && !name.contains("volatile"), "{script}: {name}");
        // it is the key that its public half names
        bench.plain(&format!("pkey -in {name}.key -pubout -out public"));
        let public = std::fs::read_to_string(bench.path("public")).unwrap();
        assert_eq!(bench.ok("pkey -in key -pubout"), public, "{script}");
        bench.ok("req -new -key key -subj /CN=a -out request");
        bench.plain("req -in request -verify -noout");
        for file in ["key", "spki"] {
            std::fs::remove_file(bench.path(&format!("{name}.{file}"))).unwrap();
        }
        service.calls();
    }
}

#[test]
fn keys_that_are_never_written_leave_nothing() {
    let bench = Bench::new();
    let service = Service::start(&bench);
    for algorithm in ["RSA", "RSA-PSS", "EC -pkeyopt group:P-256", "ED25519", "X25519"] {
        // a refusal of the cipher comes before anything is stored
        bench.fails(&format!("genpkey {OURS} -algorithm {algorithm} -aes256 -pass pass:secret -out key"));
        assert!(!service.calls().contains(&Opcode::CopyKey), "{algorithm}");
        assert_eq!(stored(&bench), [] as [String; 0], "{algorithm}");
    }
}

#[test]
fn ephemeral_keys_are_never_made_in_the_service() {
    let bench = Bench::new();
    let service = Service::start(&bench);
    bench.key("p256", "EC", "group:P-256");
    bench.plain("req -x509 -key p256.key -subj /CN=localhost -out certificate");
    bench.load(&["parsec", "default"]);
    let server = bench.server("-cert certificate -key p256.pem -no_ticket");
    for (group, told) in [("X25519", "X25519"), ("P-256", "ECDH, prime256v1"), ("P-384", "ECDH, secp384r1"), ("P-521", "ECDH, secp521r1")] {
        for version in ["-tls1_2", "-tls1_3"] {
            service.calls();
            let client = format!("s_client -connect {} {version} -groups {group}", server.address);
            let said = bench.ok(&format!("{client} -CAfile certificate -verify_return_error"));
            assert!(said.contains(&format!("Server Temp Key: {told}")), "{group} {version}\n{said}");
            assert_eq!(service.calls(), [Opcode::SignHash], "{group} {version}");
            // the other end is not ours
            bench.plain(&format!("{client} -CAfile certificate -verify_return_error"));
        }
    }
}
