//! The built library in the real OpenSSL: without a service, and with a small one whose requests are counted.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test stops where it fails")]

mod bench;
mod generation;
mod memory;
mod mistakes;
mod padding;
mod pem;
mod service;
mod walk;

use std::process::Command;

use bench::{Bench, library, text};
use interface::Opcode;
use service::Service;

const KINDS: [(&str, &str, &str); 4] = [
    ("rsa", "RSA", "rsa_keygen_bits:2048"),
    ("p256", "EC", "group:P-256"),
    ("p384", "EC", "group:P-384"),
    ("p521", "EC", "group:P-521"),
];

#[test]
fn the_library_needs_no_openssl_and_exports_one_symbol() {
    let read = |tool: &str, options: &[&str]| {
        let output = Command::new(tool).args(options).arg(library()).output();
        text(&output.unwrap())
    };
    let needed = read("readelf", &["-d"]);
    assert!(needed.contains("libc.so"), "{needed}");
    assert!(!needed.contains("libcrypto") && !needed.contains("libssl"), "{needed}");
    let exported = read("nm", &["-D", "--defined-only"]);
    let symbols: Vec<_> = exported.lines().filter_map(|line| line.split_whitespace().last()).collect();
    assert_eq!(symbols, ["OSSL_provider_init"]);
}

#[test]
fn a_reference_loads_without_a_service_and_tells_its_public_key() {
    let bench = Bench::new();
    for (name, algorithm, option) in KINDS {
        bench.key(name, algorithm, option);
        let public = std::fs::read_to_string(bench.path(&format!("{name}.pub"))).unwrap();
        bench.plain(&format!("asn1parse -in {name}.pem -noout -out {name}.der"));
        for file in ["pem", "der"] {
            assert_eq!(bench.ok(&format!("pkey -in {name}.{file} -pubout")), public, "{name}");
            bench.ok(&format!("pkey -in {name}.{file} -inform {file} -check -noout"));
        }
    }
}

#[test]
fn public_keys_and_text_are_written_without_the_default_provider() {
    let bench = Bench::new();
    bench.load(&["parsec", "base"]);
    let others = [("pss", "RSA-PSS", ""), ("ed", "ED25519", ""), ("x", "X25519", "")];
    for (name, algorithm, option) in KINDS.into_iter().chain(others) {
        bench.key(name, algorithm, option);
        let public = std::fs::read_to_string(bench.path(&format!("{name}.pub"))).unwrap();
        assert_eq!(bench.ok(&format!("pkey -in {name}.pem -pubout")), public, "{name}");
        bench.ok(&format!("pkey -in {name}.pem -pubout -outform der -out public.der"));
        let spki = std::fs::read(bench.path(&format!("{name}.spki"))).unwrap();
        assert_eq!(std::fs::read(bench.path("public.der")).unwrap(), spki, "{name}");
        let text = bench.ok(&format!("pkey -in {name}.pem -noout -text"));
        assert!(text.starts_with(&format!("{algorithm} key")) && text.contains("uri: parsec:object="), "{text}");
    }
}

#[test]
fn a_reference_may_stand_among_certificates() {
    let bench = Bench::new();
    let mut file = String::new();
    for (name, algorithm, option) in KINDS {
        bench.key(name, algorithm, option);
        bench.plain(&format!("req -x509 -key {name}.key -subj /CN={name} -out {name}.crt"));
        file += &std::fs::read_to_string(bench.path(&format!("{name}.crt"))).unwrap();
        file += &std::fs::read_to_string(bench.path(&format!("{name}.pem"))).unwrap();
    }
    std::fs::write(bench.path("all.pem"), file).unwrap();
    let listed = bench.ok("storeutl -noout all.pem");
    assert_eq!(listed.matches("Pkey").count(), 4, "{listed}");
    assert_eq!(listed.matches("Certificate").count(), 4, "{listed}");
}

#[test]
fn keys_work_with_the_provider_listed_first_too() {
    let bench = Bench::new();
    let _service = Service::start(&bench);
    bench.load(&["parsec", "default"]);
    std::fs::write(bench.path("message"), "hello").unwrap();
    for (name, algorithm, option) in KINDS {
        bench.key(name, algorithm, option);
        for key in ["key", "pem"] {
            bench.ok(&format!("req -x509 -key {name}.{key} -subj /CN=a -out certificate"));
            bench.ok("verify -CAfile certificate certificate");
            bench.ok(&format!("dgst -sha256 -sign {name}.{key} -out signature message"));
            bench.ok(&format!("dgst -sha256 -verify {name}.pub -signature signature message"));
        }
    }
}

#[test]
fn a_signature_without_a_service_fails_and_says_why() {
    let bench = Bench::new();
    bench.key("p256", "EC", "group:P-256");
    std::fs::write(bench.path("message"), "hello").unwrap();
    let said = bench.fails("dgst -sha256 -sign p256.pem -out signature message");
    assert!(said.contains("parsec.sock") && said.contains("systemctl start parsec.socket"), "{said}");
}

#[test]
fn refused_unreachable_and_misspelt_are_told_apart() {
    let bench = Bench::new();
    bench.key("p256", "EC", "group:P-256");
    std::fs::write(bench.path("message"), "hello").unwrap();
    let sign = |key: &str| bench.fails(&format!("dgst -sha256 -sign {key} -out signature message"));
    let (path, conf) = (bench.path("parsec.sock"), std::fs::read_to_string(bench.path("openssl.cnf")).unwrap());
    let said = sign("p256.pem");
    assert!(said.contains("cannot be reached") && said.contains(&path.display().to_string()), "{said}");
    let service = Service::start(&bench);
    let said = sign("parsec:object=absent");
    assert!(said.contains("the parsec service refused") && said.contains("no key 'absent'"), "{said}");
    let said = sign("parsec:object=mute");
    assert!(said.contains("the parsec service refused") && said.contains("parsec key grant"), "{said}");
    service.calls();
    for wrong in ["sokcet", "sockets", "Socket", "timeout_ms", "timeout-m", "timeout", "endpoint"] {
        std::fs::write(bench.path("openssl.cnf"), format!("{conf}{wrong} = 1\n")).unwrap();
        bench.ok("dgst -sha256 message");
        let said = sign("p256.pem");
        assert!(said.contains("bad configuration") && said.contains(&format!("has '{wrong}'")), "{said}");
    }
    assert_eq!(service.calls(), []);
    std::fs::write(bench.path("openssl.cnf"), conf + "timeout-ms = 5000\n").unwrap();
    bench.ok("dgst -sha256 -sign p256.pem -out signature message");
}

#[test]
fn a_service_that_hangs_is_named() {
    let bench = Bench::new();
    bench.key("p256", "EC", "group:P-256");
    std::fs::write(bench.path("message"), "hello").unwrap();
    let _deaf = std::os::unix::net::UnixListener::bind(bench.path("parsec.sock")).unwrap();
    let conf = std::fs::read_to_string(bench.path("openssl.cnf")).unwrap();
    std::fs::write(bench.path("openssl.cnf"), conf + "timeout-ms = 50\n").unwrap();
    let said = bench.fails("dgst -sha256 -sign p256.pem -out signature message");
    assert!(said.contains("cannot be reached") && said.contains("parsec.sock") && said.contains("50ms"), "{said}");
}

#[test]
fn software_keys_and_certificates_work_as_before() {
    let bench = Bench::new();
    for (name, algorithm, option) in KINDS {
        bench.key(name, algorithm, option);
        std::fs::write(bench.path("message"), "hello").unwrap();
        bench.ok(&format!("dgst -sha256 -sign {name}.key -out signature message"));
        bench.ok(&format!("dgst -sha256 -verify {name}.pub -signature signature message"));
        // our public half verifies what the software key signed
        bench.ok(&format!("dgst -sha256 -verify {name}.pem -signature signature message"));
        std::fs::write(bench.path("message"), "hullo").unwrap();
        bench.fails(&format!("dgst -sha256 -verify {name}.pem -signature signature message"));
    }
}

/// What is signed with each kind of key, as options of `openssl dgst`.
fn signatures(name: &str) -> Vec<String> {
    let digests = ["sha224", "sha256", "sha384", "sha512"];
    let plain = digests.iter().map(|digest| format!("-{digest}"));
    let pss = digests.iter().map(|digest| format!("-{digest} -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest"));
    if name == "rsa" { plain.chain(pss).collect() } else { plain.collect() }
}

#[test]
fn every_signature_is_one_request_and_verifies_elsewhere() {
    let bench = Bench::new();
    let service = Service::start(&bench);
    std::fs::write(bench.path("message"), "hello").unwrap();
    for (name, algorithm, option) in KINDS {
        bench.key(name, algorithm, option);
        for options in signatures(name) {
            bench.ok(&format!("dgst {options} -sign {name}.pem -out signature message"));
            assert_eq!(service.calls(), [Opcode::SignHash], "{name} {options}");
            bench.plain(&format!("dgst {options} -verify {name}.pub -signature signature message"));
            bench.ok(&format!("dgst {options} -verify {name}.pem -signature signature message"));
            assert_eq!(service.calls(), [], "{name} {options}");
        }
    }
}

#[test]
fn a_uri_names_a_key() {
    let bench = Bench::new();
    let service = Service::start(&bench);
    std::fs::write(bench.path("message"), "hello").unwrap();
    for (name, algorithm, option) in KINDS {
        bench.key(name, algorithm, option);
        bench.ok(&format!("dgst -sha256 -sign parsec:object={name};provider=software -out signature message"));
        bench.plain(&format!("dgst -sha256 -verify {name}.pub -signature signature message"));
        let public = std::fs::read_to_string(bench.path(&format!("{name}.pub"))).unwrap();
        assert_eq!(bench.ok(&format!("pkey -pubin -in parsec:object={name} -pubout")), public);
        service.calls();
    }
    let listed = bench.ok("storeutl -noout -text -keys parsec:");
    assert!(listed.contains("Total found: 4"), "{listed}");
    let said = bench.fails("dgst -sha256 -sign parsec:object=absent -out signature message");
    assert!(said.contains("no key 'absent'"), "{said}");
    bench.key("koblitz", "EC", "group:secp256k1");
    let said = bench.fails("dgst -sha256 -sign parsec:object=koblitz -out signature message");
    assert!(said.contains("not of a kind"), "{said}");
    let said = bench.fails("dgst -sha256 -sign parsec:objekt=web -out signature message");
    assert!(said.contains("objekt=web"), "{said}");
}

#[test]
fn requests_and_certificates_carry_the_algorithm() {
    let bench = Bench::new();
    let _service = Service::start(&bench);
    let pss = "-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest";
    for (name, algorithm, option) in KINDS {
        bench.key(name, algorithm, option);
        for padding in ["", pss] {
            if padding == pss && name != "rsa" {
                continue;
            }
            for digest in ["sha256", "sha384", "sha512"] {
                let options = format!("-{digest} {padding}");
                let options = options.trim();
                bench.ok(&format!("req -new -key {name}.pem -subj /CN=a {options} -out request"));
                bench.plain("req -in request -verify -noout");
                bench.ok(&format!("req -x509 -key {name}.pem -subj /CN=a {options} -out certificate"));
                bench.plain("verify -CAfile certificate certificate");
            }
        }
    }
}

#[test]
fn digests_made_elsewhere_are_signed() {
    let bench = Bench::new();
    let _service = Service::start(&bench);
    std::fs::write(bench.path("digest"), [7; 32]).unwrap();
    std::fs::write(bench.path("short"), [7; 31]).unwrap();
    for (name, algorithm, option) in KINDS {
        bench.key(name, algorithm, option);
        for option in ["-pkeyopt digest:sha256", "-pkeyopt digest:SHA2-256"] {
            bench.ok(&format!("pkeyutl -sign -inkey {name}.pem -in digest -out signature {option}"));
            let verify = format!("pkeyutl -verify -in digest -sigfile signature {option}");
            bench.plain(&format!("{verify} -pubin -inkey {name}.pub"));
            bench.ok(&format!("{verify} -inkey {name}.pem"));
            bench.fails(&format!("pkeyutl -sign -inkey {name}.pem -in short -out signature {option}"));
        }
    }
    // without a digest PKCS#1 v1.5 takes whatever stands in the place of DigestInfo
    bench.ok("pkeyutl -sign -inkey rsa.pem -in short -out signature");
    bench.plain("pkeyutl -verify -pubin -inkey rsa.pub -in short -sigfile signature");
    bench.ok("pkeyutl -verify -inkey rsa.pem -in short -sigfile signature");
}

#[test]
fn what_cannot_be_had_is_refused_before_the_service_is_asked() {
    let bench = Bench::new();
    let service = Service::start(&bench);
    std::fs::write(bench.path("message"), "hello").unwrap();
    bench.key("rsa", "RSA", "rsa_keygen_bits:2048");
    for (options, why) in [
        ("-sha1", "too weak"),
        ("-md5", "none of SHA-2 and SHA-3"),
        ("-sha256 -sigopt rsa_padding_mode:x931", "another padding"),
        ("-sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:223", "room for 222"),
        ("-sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:-5", "salt length"),
    ] {
        let said = bench.fails(&format!("dgst {options} -sign rsa.pem -out signature message"));
        assert!(said.contains(why), "{options}\n{said}");
    }
    assert_eq!(service.calls(), []);
}

#[test]
fn both_ends_of_tls_prove_themselves() {
    let bench = Bench::new();
    let service = Service::start(&bench);
    for (name, algorithm, option) in KINDS {
        bench.key(name, algorithm, option);
        bench.ok(&format!("req -x509 -key {name}.pem -subj /CN=localhost -out certificate"));
        let identity = format!("-cert certificate -key {name}.pem -CAfile certificate");
        let server = bench.server(&format!("{identity} -Verify 1 -verify_return_error -no_ticket"));
        for version in ["-tls1_2", "-tls1_3"] {
            service.calls();
            let said = bench.ok(&format!("s_client -connect {} {version} {identity} -verify_return_error", server.address));
            assert!(said.contains("Verification: OK"), "{name} {version}\n{said}");
            // one by the server, one by the client
            assert_eq!(service.calls(), [Opcode::SignHash; 2], "{name} {version}");
        }
    }
}

#[test]
fn edwards_curves_sign_whole_messages() {
    let bench = Bench::new();
    let service = Service::start(&bench);
    std::fs::write(bench.path("message"), "hello").unwrap();
    bench.key("ed", "ED25519", "");
    let public = std::fs::read_to_string(bench.path("ed.pub")).unwrap();
    assert_eq!(bench.ok("pkey -in ed.pem -pubout"), public);
    bench.ok("pkey -in ed.pem -check -noout");
    for key in ["ed.pem", "parsec:object=ed;provider=software"] {
        service.calls();
        bench.ok(&format!("pkeyutl -sign -rawin -inkey {key} -in message -out signature"));
        assert_eq!(service.calls().last(), Some(&Opcode::SignMessage));
        let verify = "pkeyutl -verify -rawin -in message -sigfile signature";
        bench.plain(&format!("{verify} -pubin -inkey ed.pub"));
        bench.ok(&format!("{verify} -inkey ed.pem"));
        std::fs::write(bench.path("other"), "hullo").unwrap();
        let verify = "pkeyutl -verify -rawin -in other -sigfile signature";
        bench.fails(&format!("{verify} -inkey ed.pem"));
        assert_eq!(service.calls(), []);

        bench.ok(&format!("req -new -key {key} -subj /CN=a -out request"));
        bench.plain("req -in request -verify -noout");
        bench.ok(&format!("req -x509 -key {key} -subj /CN=localhost -out certificate"));
        bench.plain("verify -CAfile certificate certificate");
    }
    let said = bench.fails("pkeyutl -sign -rawin -digest sha256 -inkey ed.pem -in message -out signature");
    assert!(said.contains("the message itself"), "{said}");

    let identity = "-cert certificate -key ed.pem -CAfile certificate -verify_return_error";
    let server = bench.server(&format!("{identity} -Verify 1 -no_ticket"));
    for version in ["-tls1_2", "-tls1_3"] {
        service.calls();
        bench.ok(&format!("s_client -connect {} {version} {identity}", server.address));
        assert_eq!(service.calls(), [Opcode::SignMessage; 2], "{version}");
    }
}

#[test]
fn secrets_are_agreed_on_in_one_request() {
    let bench = Bench::new();
    let service = Service::start(&bench);
    std::fs::write(bench.path("message"), "hello").unwrap();
    let x25519 = ("x25519", "X25519", "");
    for (name, algorithm, option) in KINDS[1..].iter().chain([&x25519]) {
        bench.key(name, algorithm, option);
        bench.key("peer", algorithm, option);
        bench.plain(&format!("pkeyutl -derive -inkey peer.key -peerkey {name}.pub -out expected"));
        // the peer may be of the default provider's kind or of ours
        for peer in ["peer.pub", "peer.pem"] {
            bench.ok(&format!("pkeyutl -derive -inkey {name}.pem -peerkey {peer} -out secret"));
            let read = |file| std::fs::read(bench.path(file)).unwrap();
            assert_eq!(read("secret"), read("expected"), "{name}");
            assert_eq!(service.calls(), [Opcode::RawKeyAgreement], "{name}");
        }

        if (*name, *algorithm, *option) == x25519 {
            continue; // OpenSSL 3.0 does not take it for CMS
        }
        bench.plain(&format!("req -x509 -key {name}.key -subj /CN=a -out certificate"));
        for options in ["", " -keyopt ecdh_kdf_md:sha384 -keyopt ecdh_cofactor_mode:1"] {
            bench.plain(&format!("cms -encrypt -aes256 -in message -out encrypted -recip certificate{options}"));
            let said = bench.ok(&format!("cms -decrypt -in encrypted -recip certificate -inkey {name}.pem"));
            assert_eq!(said.trim(), "hello", "{name} {options}");
            assert_eq!(service.calls(), [Opcode::RawKeyAgreement], "{name}");
        }
    }
    let said = bench.fails("pkeyutl -derive -inkey p256.pem -peerkey p384.pub");
    assert!(said.contains("different parameters") || said.contains("not on the curve"), "{said}");
    assert_eq!(service.calls(), []);
}

#[test]
fn keys_are_written_as_references() {
    let bench = Bench::new();
    let service = Service::start(&bench);
    let others = [("ed", "ED25519", ""), ("x", "X25519", "")];
    for (name, algorithm, option) in KINDS.into_iter().chain(others) {
        bench.key(name, algorithm, option);
        let reference = std::fs::read_to_string(bench.path(&format!("{name}.pem"))).unwrap();
        let public = std::fs::read_to_string(bench.path(&format!("{name}.pub"))).unwrap();
        let uri = format!("parsec:object={name};owner=uid:0;provider=software");
        assert_eq!(bench.ok(&format!("pkey -in {name}.pem")), reference);
        assert_eq!(service.calls(), []);
        assert_eq!(bench.ok(&format!("pkey -in {uri}")), reference);
        assert_eq!(service.calls(), [Opcode::LookupKey]);
        assert_eq!(bench.ok(&format!("pkey -in {name}.pem -pubout")), public);
        bench.ok(&format!("pkey -in {name}.pem -pubout -outform der -out public.der"));
        let spki = std::fs::read(bench.path(&format!("{name}.spki"))).unwrap();
        assert_eq!(std::fs::read(bench.path("public.der")).unwrap(), spki);

        let said = bench.ok(&format!("pkey -in {name}.pem -noout -text"));
        assert!(said.contains(&format!("uri: {uri}\n")), "{said}");
        let said = bench.ok(&format!("pkey -in {name}.pem -noout -text_pub"));
        assert!(said.starts_with(algorithm), "{said}");
        let said = bench.fails(&format!("pkey -in {name}.pem -aes256 -passout pass:secret -out encrypted"));
        assert!(said.contains("holds no secret"), "{said}");
        // scripts for files write private keys in many ways, and get a reference in each
        for command in ["pkey -outform der", "pkcs8 -topk8 -nocrypt", "pkcs8 -topk8 -nocrypt -outform der"] {
            bench.ok(&format!("{command} -in {name}.pem -out private"));
            assert_eq!(bench.ok("pkey -in private"), reference, "{command}");
        }
    }
}

#[test]
fn messages_are_decrypted_in_one_request_and_encrypted_in_none() {
    let bench = Bench::new();
    let service = Service::start(&bench);
    std::fs::write(bench.path("message"), "hello").unwrap();
    bench.key("rsa", "RSA", "rsa_keygen_bits:2048");
    let oaep = "-pkeyopt rsa_padding_mode:oaep";
    for options in [
        String::new(),
        oaep.to_owned(),
        format!("{oaep} -pkeyopt rsa_oaep_md:sha256"),
        format!("{oaep} -pkeyopt rsa_oaep_md:sha384 -pkeyopt rsa_mgf1_md:SHA2-384"),
        format!("{oaep} -pkeyopt rsa_oaep_md:sha512 -pkeyopt rsa_oaep_label:0102"),
    ] {
        let encrypt = format!("pkeyutl -encrypt -in message -out ciphertext {options}");
        let encrypt = encrypt.trim();
        let decrypt = format!("pkeyutl -decrypt -in ciphertext {options}");
        let decrypt = decrypt.trim();
        bench.plain(&format!("{encrypt} -pubin -inkey rsa.pub"));
        assert_eq!(bench.ok(&format!("{decrypt} -inkey rsa.pem")), "hello");
        assert_eq!(service.calls(), [Opcode::AsymmetricDecrypt], "{options}");
        bench.ok(&format!("{encrypt} -inkey rsa.pem"));
        assert_eq!(service.calls(), [], "{options}");
        assert_eq!(bench.ok(&format!("{decrypt} -inkey rsa.key")), "hello");
    }
    let said = bench.fails("pkeyutl -decrypt -in ciphertext -inkey rsa.pem -pkeyopt rsa_padding_mode:none");
    assert!(said.contains("another padding"), "{said}");
    std::fs::write(bench.path("message"), [7; 246]).unwrap();
    let said = bench.fails("pkeyutl -encrypt -in message -inkey rsa.pem");
    assert!(said.contains("246 bytes"), "{said}");
    assert_eq!(service.calls(), []);
}

#[test]
fn tls_without_ephemeral_keys_is_one_request() {
    let bench = Bench::new();
    let service = Service::start(&bench);
    bench.key("rsa", "RSA", "rsa_keygen_bits:2048");
    bench.ok("req -x509 -key rsa.pem -subj /CN=localhost -out certificate");
    let server = bench.server("-cert certificate -key rsa.pem -no_ticket -cipher kRSA");
    service.calls();
    let said = bench.ok(&format!("s_client -connect {} -tls1_2 -CAfile certificate -verify_return_error", server.address));
    assert!(said.contains("Verification: OK"), "{said}");
    assert!(said.contains("Cipher is AES256-GCM-SHA384"), "{said}");
    assert_eq!(service.calls(), [Opcode::AsymmetricDecrypt]);
}

/// Runs `premaster.c`: see there for what it does.
#[test]
fn no_client_of_tls_learns_whether_its_secret_was_well_padded() {
    let bench = Bench::new();
    let service = Service::start(&bench);
    let program = bench.compile("premaster");
    bench.key("rsa", "RSA", "rsa_keygen_bits:2048");
    let run = Command::new(&program)
        .arg(bench.path("openssl.cnf"))
        .arg(bench.path("rsa.pem"))
        .env("OPENSSL_CONF", "/dev/null")
        .output()
        .unwrap();
    assert!(run.status.success(), "{}", text(&run));
    assert_eq!(service.calls(), [Opcode::AsymmetricDecrypt; 7]);
}

const NOBODY: u32 = 65534;

/// Runs `process.c`: see there for what it does.
#[test]
fn keys_survive_what_server_processes_do() {
    let bench = Bench::new();
    let service = Service::start(&bench);
    let program = bench.compile("process");
    for (name, algorithm, option) in [KINDS[0], KINDS[1]] {
        bench.key(name, algorithm, option);
        let run = Command::new(&program)
            .arg(bench.path("openssl.cnf"))
            .arg(bench.path(&format!("{name}.pem")))
            .arg(NOBODY.to_string())
            .env("OPENSSL_CONF", "/dev/null")
            .output()
            .unwrap();
        assert!(run.status.success(), "{name}\n{}", text(&run));
    }
    // 20 loads, the parent, and four workers with a connection for each thread at most, who come as themselves
    let (workers, parents): (Vec<_>, Vec<_>) = service.users().into_iter().partition(|user| *user == NOBODY);
    if rustix::process::geteuid().is_root() {
        assert_eq!(parents.len(), 2 * 21);
        assert!((2 * 4..=2 * (4 * 4 + 1)).contains(&workers.len()), "{}", workers.len());
    }
    assert_eq!(service.calls().len(), 2 * (20 + 3 + 4 * 4 + 1));
}

/// Runs `async.c`: see there for what it does.
#[test]
fn one_thread_has_64_handshakes_in_flight_in_jobs_that_pause() {
    let bench = Bench::new();
    let _service = Service::holding(&bench, 64);
    bench.key("p256", "EC", "group:P-256");
    bench.plain("req -x509 -key p256.key -subj /CN=a -out p256.crt");
    let mut program = Command::new(bench.compile("async"));
    let output = program.args(["openssl.cnf", "p256.pem", "p256.crt", "64"]).current_dir(bench.path("")).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
}

#[test]
fn what_was_signed_is_recovered_from_an_rsa_signature() {
    let bench = Bench::new();
    bench.key("rsa", "RSA", "rsa_keygen_bits:2048");
    std::fs::write(bench.path("digest"), [7; 32]).unwrap();
    let recovered = |options: &str| {
        bench.ok(&format!("pkeyutl -verifyrecover -inkey rsa.pem -in signature{options} -out recovered"));
        std::fs::read(bench.path("recovered")).unwrap()
    };
    bench.plain("pkeyutl -sign -inkey rsa.key -pkeyopt digest:sha256 -in digest -out signature");
    assert_eq!(recovered(" -pkeyopt digest:sha256"), [7; 32]);
    assert_eq!(recovered("")[19..], [7; 32], "a whole DigestInfo");
    bench.fails("pkeyutl -verifyrecover -inkey rsa.pem -in signature -pkeyopt digest:sha384");
    bench.plain("pkeyutl -sign -inkey rsa.key -in digest -out signature");
    assert_eq!(recovered(""), [7; 32]);
    std::fs::write(bench.path("signature"), [0xff; 256]).unwrap();
    let said = bench.fails("pkeyutl -verifyrecover -inkey rsa.pem -in signature");
    assert!(said.contains("not one of this key"), "{said}");
}
