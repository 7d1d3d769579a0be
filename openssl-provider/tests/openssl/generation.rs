//! Keys that OpenSSL has the service make.

use std::process::Command;

use interface::Opcode;

use crate::{
    bench::{Bench, text},
    service::Service,
};

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
        let made = [Opcode::LookupKey, Opcode::GenerateKey, Opcode::LookupKey, Opcode::CopyKey];
        let calls: Vec<_> = service.calls().into_iter().filter(|call| *call != Opcode::ListProviders).collect();
        assert_eq!(calls[..4], made, "{script}");
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

/// A key for PSS alone says what else it permits in its public half, as one in a file does, and keeps to it.
#[test]
fn keys_for_pss_alone_permit_what_was_asked_for() {
    let bench = Bench::new();
    let service = Service::start(&bench);
    std::fs::write(bench.path("message"), "hello").unwrap();
    let parameters = |key: &str| {
        let text = bench.ok(&format!("pkey -pubin -in {key} -noout -text"));
        text.split_once("PSS").map_or(String::new(), |(_, parameters)| parameters.to_owned())
    };
    for (number, options) in [
        "-pkeyopt rsa_pss_keygen_md:sha256",
        "-pkeyopt rsa_pss_keygen_md:sha256 -pkeyopt rsa_pss_keygen_mgf1_md:sha256 -pkeyopt rsa_pss_keygen_saltlen:32",
        "-pkeyopt rsa_pss_keygen_md:sha512 -pkeyopt rsa_pss_keygen_mgf1_md:sha384 -pkeyopt rsa_pss_keygen_saltlen:17",
    ]
    .into_iter()
    .enumerate()
    {
        let genpkey = format!("genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048 {options} -out");
        bench.plain(&format!("{genpkey} file"));
        bench.plain("pkey -in file -pubout -out file.pub");
        let name = format!("pss{number}");
        bench.ok(&genpkey
            .replace("genpkey", &format!("genpkey {OURS} -pkeyopt parsec-name:{name}"))
            .replace("-out", &format!("-out {name}.pem")));
        bench.ok(&format!("pkey -in {name}.pem -pubout -out {name}.public"));
        assert_eq!(parameters(&format!("{name}.public")), parameters("file.pub"), "{options}");
    }
    assert!(!service.calls().is_empty());
    let sign = |options: &str| format!("dgst {options} -sign pss2.pem -out signature message");
    bench.ok(&sign("-sha512"));
    bench.plain("dgst -sha512 -verify pss2.public -signature signature message");
    for wrong in ["-sha256", "-sha512 -sigopt rsa_mgf1_md:sha512", "-sha512 -sigopt rsa_pss_saltlen:16"] {
        let said = bench.fails(&sign(wrong));
        assert!(said.contains("the key permits PSS with Sha512, MGF1 with Sha384 and a salt of 17"), "{wrong}\n{said}");
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
    for (options, told) in [
        ("-tls1_3 -groups X25519", "X25519"),
        ("-tls1_3 -groups P-256", "ECDH, prime256v1"),
        ("-tls1_3 -groups P-384", "ECDH, secp384r1"),
        ("-tls1_3 -groups P-521", "ECDH, secp521r1"),
        ("-tls1_2 -groups X25519:P-256", "X25519"),
        ("-tls1_2 -groups P-256", "ECDH, prime256v1"),
    ] {
        service.calls();
        let client = format!("s_client -connect {} {options} -CAfile certificate -verify_return_error", server.address);
        let said = bench.ok(&client);
        assert!(said.contains(&format!("Server Temp Key: {told}")), "{options}\n{said}");
        assert_eq!(service.calls(), [Opcode::SignHash], "{options}");
        // the other end is not ours
        bench.plain(&client);
    }
}

/// Runs `handshakes.c`: see there for what it does.
#[test]
fn a_program_that_lists_parsec_first_leaves_no_keys_of_its_handshakes() {
    let bench = Bench::new();
    let service = Service::start(&bench);
    bench.key("p256", "EC", "group:P-256");
    bench.plain("req -x509 -key p256.key -subj /CN=localhost -out certificate");
    bench.load(&["parsec", "default"]);
    let program = bench.compile("handshakes");
    // arithmetic is slow where it is not optimised
    let count = if option_env!("PARSEC_TESTS_OPTIMISED").is_some() { "1000" } else { "10" };
    for group in ["P-256", "X25519"] {
        let mut command = Command::new(&program);
        command.args(["openssl.cnf", "p256.key", "certificate", group, count]);
        let output = command.current_dir(bench.path("")).env("OPENSSL_CONF", "/dev/null").output().unwrap();
        assert!(output.status.success(), "{group}\n{}", text(&output));
    }
    assert_eq!(service.calls(), []);
}
