//! The command line as people and scripts use it, on a real service.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use interface::ProviderId;
use interface::algorithm::Signature;
use interface::operations::{InitToken, Login, Pin, Role, SetPin, VerifyMessage};
use interface::reference::{KeyUri, Reference};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use tests::{Ran, STRANGER, Service, as_uid, may_change_user, program, run};

/// Every purpose that `--for` takes, with what the software provider shall be asked for.
const PURPOSES: &[(&str, &str)] = &[
    ("tls-server", "p256"),
    ("tls-client", "p256"),
    ("ssh", "p256"),
    ("code-signing", "p384"),
    ("jwt", "p256"),
    ("encryption", "rsa-3072"),
];

#[track_caller]
fn parsec(service: &Service, line: &str) -> Ran {
    run(&mut service.parsec(line.split_whitespace()))
}

#[track_caller]
fn json(service: &Service, line: &str) -> Value {
    let text = parsec(service, &format!("{line} --json")).ok();
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["schema"], 1, "{line}: {text}");
    value
}

#[track_caller]
fn stranger(service: &Service, line: &str) -> Ran {
    let program = service.staged("parsec");
    let mut command = service.command(program);
    run(as_uid(&mut command, STRANGER).args(line.split_whitespace()))
}

#[track_caller]
fn openssl(dir: &Path, line: &str) -> String {
    let mut command = std::process::Command::new("openssl");
    command.current_dir(dir).args(line.split_whitespace());
    let ran = run(&mut command);
    let text = format!("{}{}", ran.out, ran.err);
    assert!(ran.status.success(), "openssl {line}: {text}");
    text
}

#[test]
fn a_key_is_made_for_each_purpose_and_the_next_steps_work_as_printed() {
    let service = Service::start();
    fs::create_dir(service.dir().join(".ssh")).unwrap();
    let bin = tests::built("parsec");
    let path = format!("{}:/usr/bin:/bin", bin.parent().unwrap().display());
    for (purpose, algorithm) in PURPOSES {
        let made = json(&service, &format!("key new {purpose} --for {purpose}"));
        assert_eq!(made["key"]["algorithm"], *algorithm, "{purpose}");
        let lines = made["next"].as_array().unwrap();
        assert!(!lines.is_empty(), "{purpose}");
        let lines = lines.iter().map(|next| next["line"].as_str().unwrap());
        for line in lines.filter(|line| line.starts_with("parsec ")) {
            let mut shell = service.command("sh");
            run(shell.args(["-c", line]).env("PATH", &path)).ok();
        }
    }
    let line = fs::read_to_string(service.dir().join(".ssh/authorized_keys")).unwrap();
    assert!(line.starts_with("ecdsa-sha2-nistp256 "), "{line}");
}

#[test]
fn the_main_job_is_two_commands() {
    let service = Service::start();
    let made = parsec(&service, "key new web --for tls-server --grant uid:33=sign --out web.pem").ok();
    assert!(made.contains("p256 for tls-server"), "{made}");
    assert!(made.contains("Granted to uid:33"), "{made}");
    let pem = service.dir().join("web.pem");
    let line = format!("ssl_certificate_key {};", pem.display());
    assert!(made.contains(&line), "{made}");
    assert_eq!(fs::metadata(&pem).unwrap().permissions().mode() & 0o777, 0o644);
    let text = fs::read_to_string(&pem).unwrap();
    assert_eq!(text, parsec(&service, "key pem web").ok());
    let reference = Reference::from_pem(text.as_bytes()).unwrap();
    let uri = parsec(&service, "key uri web").ok();
    assert_eq!(uri.trim().parse::<KeyUri>().unwrap(), reference.uri);
    fs::write(service.dir().join("public.der"), reference.spki.unwrap()).unwrap();
    let public = openssl(service.dir(), "pkey -pubin -inform DER -in public.der -pubout");
    assert_eq!(public, parsec(&service, "key public web").ok());
    parsec(&service, "key csr web --cn www.example.com --out web.csr").ok();
    let request = openssl(service.dir(), "req -verify -noout -text -in web.csr");
    assert!(request.contains("DNS:www.example.com"), "{request}");
}

#[test]
fn every_signing_algorithm_makes_requests_and_certificates_that_openssl_takes() {
    let service = Service::start();
    for algorithm in ["p256", "p384", "p521", "secp256k1", "ed25519", "rsa-2048", "rsa-3072"] {
        parsec(&service, &format!("key new {algorithm} --algorithm {algorithm}")).ok();
        parsec(
            &service,
            &format!("key csr {algorithm} --subject CN=a,O=Example --dns a.example --dns b.example --ip 127.0.0.1 --out r"),
        )
        .ok();
        let request = openssl(service.dir(), "req -verify -noout -text -in r");
        for part in ["O = Example", "DNS:a.example, DNS:b.example, IP Address:127.0.0.1"] {
            assert!(request.contains(part), "{algorithm}: {request}");
        }
        parsec(&service, &format!("key csr {algorithm} --self-signed --days 2 --out c")).ok();
        openssl(service.dir(), "verify -check_ss_sig -CAfile c c");
        openssl(service.dir(), "x509 -noout -checkend 100000 -in c");
    }
}

/// The first element of some DER, and what follows it.
fn element(der: &[u8]) -> (&[u8], &[u8]) {
    let long = usize::from(der[1].saturating_sub(0x80)) * usize::from(der[1] > 0x80);
    let len =
        if long == 0 { usize::from(der[1]) } else { der[2..2 + long].iter().fold(0, |len, &byte| len << 8 | usize::from(byte)) };
    der.split_at(2 + long + len)
}

#[test]
fn certificates_say_what_names_and_uses_they_are_for() {
    let service = Service::start();
    parsec(&service, "key new k --algorithm p256").ok();
    let certificate = |options: &str| {
        parsec(&service, &format!("key csr k --self-signed --out c {options}")).ok();
        openssl(service.dir(), "verify -check_ss_sig -x509_strict -CAfile c c");
        let text = openssl(service.dir(), "x509 -in c -noout -text");
        parsec(&service, &format!("key csr k --out r {options}")).ok();
        let request = openssl(service.dir(), "req -in r -noout -verify -text");
        let names = |text: &str| {
            let lines = text.lines().skip_while(|line| !line.contains("Subject Alternative Name"));
            lines.take(2).map(str::trim).collect::<String>()
        };
        assert_eq!(names(&text), names(&request));
        text
    };
    for (options, parts) in [
        ("--cn 192.0.2.5", &["IP Address:192.0.2.5\n", "CN = 192.0.2.5"][..]),
        ("--cn 2001:db8::5", &["IP Address:2001:DB8:0:0:0:0:0:5\n"]),
        ("--cn www.example.com", &["DNS:www.example.com\n"]),
        ("--subject /C=DE/CN=192.0.2.5", &["IP Address:192.0.2.5\n", "C = DE, CN = 192.0.2.5"]),
        ("--subject CN=www.example.com,C=DE", &["DNS:www.example.com\n", "C = DE, CN = www.example.com"]),
        ("--san 192.0.2.1 --san IP:::1 --san a.example", &["IP Address:192.0.2.1, IP Address:0:0:0:0:0:0:0:1, DNS:a.example\n"]),
        ("--dns a.example --dns a.example --cn x", &["DNS:a.example\n", "CN = x"]),
        ("--email a@example.com --uri spiffe://example.org/x", &["URI:spiffe://example.org/x", "email:a@example.com", "CN = k"]),
        ("--cn x", &["Digital Signature\n"]),
        ("--cn x --for tls-server", &["Key Usage: critical", "Digital Signature\n", "TLS Web Server Authentication"]),
        ("--cn x --for tls-client", &["TLS Web Client Authentication"]),
        ("--cn x --for code-signing", &["Code Signing"]),
    ] {
        let text = certificate(options);
        for part in parts {
            assert!(text.contains(part), "{options}: {part}\n{text}");
        }
    }
    assert!(!certificate("--cn Jane_Doe").contains("Alternative"), "a plain name is no host's");
    // RFC 5280 §4.1.2.5: GeneralizedTime from 2050 on, and not before
    parsec(&service, "key csr k --self-signed --cn x --days 20000 --out c").ok();
    let fields = openssl(service.dir(), "asn1parse -in c");
    assert_eq!(["UTCTIME", "GENERALIZEDTIME"].map(|kind| fields.matches(kind).count()), [1, 1], "{fields}");
    let long = ["d".repeat(63), "d".repeat(63), "example.com".to_owned()].join(".");
    assert!(certificate(&format!("--dns {long}")).contains("CN = k"), "too long for a common name");
    let (label, common) = ("d".repeat(64), "c".repeat(65));
    for wrong in [
        "--dns 192.0.2.1",
        "--dns a..b",
        &format!("--dns {label}.com"),
        &format!("--cn {common}"),
        &format!("--subject O={common}"),
        "--subject C=DEU",
        "--subject /C=Germany/CN=a",
        "--ip www.example.com",
        "--email a.example.com",
        "--uri /a",
        "--san a_b",
        "--for encryption",
        "--self-signed --days 0",
        "--self-signed --days 4000000",
    ] {
        assert_eq!(parsec(&service, &format!("key csr k {wrong}")).status.code(), Some(2), "{wrong}");
    }
    let said = parsec(&service, "key csr k --dns 192.0.2.1").refused();
    assert!(said.contains("--ip 192.0.2.1"), "{said}");
    let said = parsec(&service, "key csr k --subject X=1").refused();
    assert!(said.contains("CN, O, OU"), "{said}");
}

#[test]
fn keys_for_pss_alone_are_imported_as_such() {
    let service = Service::start();
    let dir = service.dir();
    for (name, restriction) in
        [("any", None), ("sha384", Some(("sha384", "sha384", 48))), ("mixed", Some(("sha384", "sha512", 20)))]
    {
        let options = restriction.map(|(hash, mgf, salt)| {
            format!(
                " -pkeyopt rsa_pss_keygen_md:{hash} -pkeyopt rsa_pss_keygen_mgf1_md:{mgf} -pkeyopt rsa_pss_keygen_saltlen:{salt}"
            )
        });
        let options = options.unwrap_or_default();
        openssl(dir, &format!("genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048{options} -out {name}.key"));
        let in_file = openssl(dir, &format!("pkey -in {name}.key -noout -text_pub"));
        openssl(dir, &format!("pkey -in {name}.key -outform der -out {name}.der"));
        for file in ["key", "der"] {
            parsec(&service, &format!("key import {name}-{file} {name}.{file}")).ok();
            let public = parsec(&service, &format!("key public {name}-{file}")).ok();
            fs::write(dir.join("public"), public).unwrap();
            assert_eq!(openssl(dir, "pkey -pubin -in public -noout -text"), in_file, "it is restricted as in its file");
        }
        parsec(&service, &format!("key csr {name}-key --self-signed --cn a --out c")).ok();
        openssl(dir, "verify -check_ss_sig -x509_strict -CAfile c c");
        let text = openssl(dir, "x509 -in c -noout -text");
        let digest = if name == "any" { "sha256" } else { "sha384" };
        assert!(
            text.contains("Public Key Algorithm: rsassaPss") && text.contains(&format!("Hash Algorithm: {digest}")),
            "{text}"
        );
    }
    openssl(dir, "genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048 -pkeyopt rsa_pss_keygen_md:sha1 -out weak.key");
    let said = parsec(&service, "key import weak weak.key").refused();
    assert!(said.contains("too weak"), "{said}");
    let said = parsec(&service, "key import vault any.key --for encryption").refused();
    assert!(said.contains("PSS"), "{said}");
}

#[test]
fn ml_dsa_keys_make_requests() {
    let service = Service::start();
    for algorithm in ["ml-dsa-44", "ml-dsa-65", "ml-dsa-87"] {
        parsec(&service, &format!("key new {algorithm} --algorithm {algorithm}")).ok();
        parsec(&service, &format!("key csr {algorithm} --cn example --out r")).ok();
        openssl(service.dir(), "asn1parse -in r -out r.der -noout");
        let request = fs::read(service.dir().join("r.der")).unwrap();
        let (signed, rest) = element(&request[4..]);
        let (identifier, signature) = element(rest);
        let public =
            Reference::from_pem(parsec(&service, &format!("key pem {algorithm}")).ok().as_bytes()).unwrap().spki.unwrap();
        let (of_key, _) = element(&public[4..]);
        assert_eq!(identifier, of_key, "one object identifier for the key and its signatures");
        let verify = VerifyMessage {
            key_name: algorithm.to_owned(),
            alg: Some(Signature::MlDsa.into()),
            message: signed.to_vec(),
            signature: signature[5..].to_vec(),
            ..Default::default()
        };
        service.client().call(ProviderId::SOFTWARE, &verify).unwrap();
    }
}

#[test]
fn post_quantum_keys_come_back_from_their_seed() {
    let service = Service::start();
    for algorithm in ["ml-dsa-44", "ml-dsa-65", "ml-dsa-87", "ml-kem-512", "ml-kem-768", "ml-kem-1024"] {
        parsec(&service, &format!("key new {algorithm} --algorithm {algorithm} --exportable")).ok();
        parsec(&service, &format!("key export {algorithm} --out k.pem")).ok();
        parsec(&service, &format!("key import again-{algorithm} k.pem")).ok();
        let shown = json(&service, &format!("key show again-{algorithm}"));
        assert_eq!(shown["key"]["algorithm"], algorithm);
        let public = |name: &str| parsec(&service, &format!("key public {name}")).ok();
        assert_eq!(public(algorithm), public(&format!("again-{algorithm}")));
    }
}

#[test]
fn files_are_read_in_every_layout_of_pem() {
    let service = Service::start();
    openssl(service.dir(), "req -x509 -newkey rsa:2048 -noenc -keyout rsa.key -subj /CN=a -out certificate");
    openssl(service.dir(), "ecparam -genkey -name prime256v1 -out ec.key");
    let read = |file: &str| fs::read_to_string(service.dir().join(file)).unwrap();
    let write = |file: &str, text: &str| fs::write(service.dir().join(file), text).unwrap();
    let one_line = |text: &str| text.replace('\n', "").replace("KEY-----", "KEY-----\n").replace("-----END", "\n-----END");
    let layouts = |text: &str| {
        [
            ("crlf", text.replace('\n', "\r\n")),
            ("one-line", one_line(text)),
            ("indented", text.replace('\n', " \n  ")),
            ("empty-lines", text.replace('\n', "\n\n")),
            ("bom", format!("\u{feff}{text}")),
            ("text-around", format!("subject=/CN=a\n{text}\nthe rest")),
        ]
    };
    let public = openssl(service.dir(), "pkey -in rsa.key -pubout");
    let [keys, curves, certificates] = ["rsa.key", "ec.key", "certificate"].map(|file| layouts(&read(file)));
    for (((layout, key), (_, curve)), (_, certificate)) in keys.into_iter().zip(curves).zip(certificates) {
        write("k", &(read("certificate") + &key));
        write("e", &curve);
        write("c", &certificate);
        parsec(&service, &format!("key import {layout} k")).ok();
        assert_eq!(parsec(&service, &format!("key public {layout}")).ok(), public, "{layout}");
        parsec(&service, &format!("key import e-{layout} e")).ok();
        parsec(&service, &format!("cert put {layout} c")).ok();
        assert_eq!(parsec(&service, &format!("cert get {layout}")).ok(), read("certificate"), "{layout}");
    }
    write("x", &read("certificate").replace("CERTIFICATE", "X509 CERTIFICATE"));
    parsec(&service, "cert put x x").ok();
    for form in ["", " --pkcs8"] {
        parsec(&service, &format!("key pem crlf{form} --out reference")).ok();
        let said = parsec(&service, "key import copy reference").refused();
        assert!(said.contains("a reference to a key"), "{said}");
        assert_eq!(read("reference").contains("BEGIN PRIVATE KEY"), !form.is_empty());
    }
}

#[test]
fn imported_keys_are_the_same_key_and_come_back_only_when_they_may() {
    let service = Service::start();
    for (name, kind) in [
        ("rsa", "RSA -pkeyopt rsa_keygen_bits:2048"),
        ("p256", "EC -pkeyopt ec_paramgen_curve:P-256"),
        ("p521", "EC -pkeyopt ec_paramgen_curve:P-521"),
        ("ed25519", "ED25519"),
        ("x25519", "X25519"),
    ] {
        let dir = service.dir();
        openssl(dir, &format!("genpkey -out {name}.key -algorithm {kind}"));
        let public = openssl(dir, &format!("pkey -in {name}.key -pubout"));
        parsec(&service, &format!("key import {name} {name}.key")).ok();
        parsec(&service, &format!("key import open-{name} {name}.key --exportable")).ok();
        assert_eq!(public, parsec(&service, &format!("key public {name}")).ok(), "{name}");
        let kept = parsec(&service, &format!("key export {name} --out {name}.out"));
        assert_eq!(kept.status.code(), Some(5), "{name}: {}", kept.err);
        assert!(!dir.join(format!("{name}.out")).exists());
        parsec(&service, &format!("key export open-{name} --out {name}.out")).ok();
        let mode = fs::metadata(dir.join(format!("{name}.out"))).unwrap().permissions();
        assert_eq!(mode.mode() & 0o777, 0o600);
        let exported = openssl(dir, &format!("pkey -in {name}.out"));
        assert_eq!(exported, openssl(dir, &format!("pkey -in {name}.key")), "{name}");
    }
}

#[test]
fn certificates_lie_beside_their_keys() {
    let service = Service::start();
    parsec(&service, "key new web --for tls-server").ok();
    parsec(&service, "key csr web --self-signed --out web.crt").ok();
    parsec(&service, "cert put site web.crt").ok();
    let listed = json(&service, "cert list");
    let certificate = &listed["certificates"][0];
    assert_eq!(certificate["subject"], "CN=web");
    assert_eq!(certificate["id"], json(&service, "key show web")["key"]["id"]);
    let stored = fs::read_to_string(service.dir().join("web.crt")).unwrap();
    assert_eq!(parsec(&service, "cert get site").ok(), stored);
    assert!(!parsec(&service, "key list").ok().contains("site"), "a certificate is no key");
    parsec(&service, "cert rm site").ok();
    // a key whose id is not the usual one is found by its name
    parsec(&service, "key new named --for tls-server --id 0102").ok();
    parsec(&service, "key csr named --self-signed --out named.crt").ok();
    parsec(&service, "cert put named named.crt").ok();
    assert_eq!(json(&service, "cert list")["certificates"][0]["id"], "0102");
    parsec(&service, "cert put named web.crt").ok();
    assert_eq!(json(&service, "cert list")["certificates"][0]["id"], certificate["id"]);
    parsec(&service, "cert rm named").ok();
    assert_eq!(json(&service, "cert list")["certificates"], Value::Array(vec![]));
}

#[test]
fn exit_codes_are_as_documented() {
    let mut service = Service::start();
    parsec(&service, "key new web --for tls-server").ok();
    parsec(&service, "key new secret --algorithm aes-256").ok();
    for (line, code) in [
        ("ping", 0),
        ("key new other --for nothing", 2),
        ("key new other", 2),
        ("key new other --for encryption --algorithm ed25519", 2),
        ("key new other --for ssh --grant nobody=sign", 2),
        ("key grant web uid:33=sing", 2),
        ("key public secret", 2),
        ("--endpoint tcp:1 ping", 2),
        ("--endpoint unix:/nowhere ping", 3),
        ("key show nothing", 4),
        ("key rm nothing", 4),
        ("key show web --owner uid:54321", 4),
        ("cert get nothing", 4),
        ("cert rm nothing", 4),
        ("key new other --for ssh --provider tpm", 4),
        ("key export web --out stolen", 5),
        ("key new web --for ssh", 6),
        ("key import bad config.toml", 1),
        ("cert put bad config.toml", 1),
    ] {
        let ran = parsec(&service, line);
        assert_eq!(ran.status.code(), Some(code), "{line}: {}{}", ran.out, ran.err);
        if code != 0 {
            assert!(ran.out.is_empty(), "{line}: {}", ran.out);
            assert!(ran.err.trim().len() > 20, "{line}: {}", ran.err);
        }
    }
    assert!(!service.dir().join("stolen").exists());
    let keys = json(&service, "key list");
    assert_eq!(keys["keys"].as_array().unwrap().len(), 2, "{keys}");
    service.stop();
    assert_eq!(parsec(&service, "key list").status.code(), Some(3));
}

#[test]
fn all_that_prints_data_prints_json() {
    let service = Service::start();
    parsec(&service, "key new web --for tls-server").ok();
    parsec(&service, "key csr web --self-signed --out web.crt").ok();
    for (line, member) in [
        ("ping", "protocol"),
        ("status", "principal"),
        ("providers", "providers"),
        ("key new ssh --for ssh", "key"),
        ("key list", "keys"),
        ("key show web", "key"),
        ("key csr web", "pem"),
        ("key pem web", "pem"),
        ("key uri web", "uri"),
        ("key uri --pkcs11 web", "uri"),
        ("key public web", "pem"),
        ("key public --ssh web", "ssh"),
        ("key grant web uid:33=sign", "grants"),
        ("key grants web", "grants"),
        ("key revoke web uid:33", "grants"),
        ("cert put web web.crt", "certificate"),
        ("cert list", "certificates"),
        ("cert get web", "pem"),
        ("cert rm web", "destroyed"),
        ("key rm web", "destroyed"),
    ] {
        assert!(!json(&service, line)[member].is_null(), "{line}: {member}");
    }
}

#[test]
fn another_user_sees_nothing_until_it_is_granted_and_then_only_that() {
    if !may_change_user() {
        return;
    }
    let service = Service::start();
    parsec(&service, "key new web --for tls-server").ok();
    parsec(&service, "key new safe --for encryption").ok();
    let nothing = |line: &str| {
        let ran = stranger(&service, line);
        assert_eq!(ran.status.code(), Some(4), "{line}: {}{}", ran.out, ran.err);
    };
    assert!(stranger(&service, "key list").ok().starts_with("No keys"));
    nothing("key show web");
    nothing("key show web --owner uid:0");
    nothing("key csr web --owner uid:0");
    parsec(&service, &format!("key grant web uid:{STRANGER}=sign")).ok();
    let list = stranger(&service, "key list").ok();
    assert!(list.contains("web") && !list.contains("safe"), "{list}");
    let meant = stranger(&service, "key show web").ok();
    assert!(meant.contains("uid:0"), "a name that is not one's own: {meant}");
    let signed = stranger(&service, "key csr web --owner uid:0").ok();
    fs::write(service.dir().join("csr"), signed).unwrap();
    openssl(service.dir(), "req -verify -noout -in csr");
    for line in [
        "key rm web --owner uid:0",
        &format!("key grant web --owner uid:0 uid:{STRANGER}=use"),
        "key export web --owner uid:0 --out stolen",
    ] {
        let ran = stranger(&service, line);
        assert_eq!(ran.status.code(), Some(5), "{line}: {}{}", ran.out, ran.err);
        assert!(ran.err.contains("web"), "{line}: {}", ran.err);
    }
    parsec(&service, &format!("key grant web uid:{STRANGER}=verify")).ok();
    let ran = stranger(&service, "key csr web --owner uid:0");
    assert_eq!(ran.status.code(), Some(5), "{}", ran.err);
    parsec(&service, &format!("key revoke web uid:{STRANGER}")).ok();
    nothing("key show web --owner uid:0");
}

#[test]
fn owners_are_accepted_and_rejected_by_name() {
    if !may_change_user() {
        return;
    }
    let service = Service::start();
    stranger(&service, "key new web --for tls-server --grant uid:0=sign --grant user:www-data=sign").ok();
    let owner = format!("uid:{STRANGER}");
    assert!(parsec(&service, "key list").ok().starts_with("No keys"));
    let hint = parsec(&service, "key show web").refused();
    assert!(hint.contains(&format!("parsec key accept {owner}")), "{hint}");
    let said = |line: &str| json(&service, line)["owners"][0].clone();
    let before = said("key accepted");
    assert_eq!((&before["owner"], &before["listed"], &before["keys"]), (&owner.as_str().into(), &false.into(), &1.into()));
    assert_eq!(said(&format!("key accept {owner}"))["verdict"], "accepted");
    assert!(parsec(&service, "key list").ok().contains("web"));
    parsec(&service, "key show web").ok();
    let kept = parsec(&service, "key rm web").refused();
    assert!(kept.contains(&format!("only {owner}, who owns key 'web'")), "{kept}");
    assert_eq!(said(&format!("key reject {owner}"))["listed"], false);

    assert_eq!(said("key accepted --for user:www-data")["listed"], false);
    assert_eq!(said(&format!("key accept {owner} --for user:*"))["listed"], true);
    assert_eq!(said("key accepted --for user:www-data")["listed"], true);
    assert_eq!(said("key accepted")["listed"], false, "one's own word counts more");
    for line in ["key accept uid:0 --for user:www-data", "key accepted --for *"] {
        assert_eq!(stranger(&service, line).status.code(), Some(5), "{line}");
    }
    assert_eq!(parsec(&service, "key accept uid:1 --for uid:3*").status.code(), Some(2));
}

#[test]
fn two_users_have_keys_of_one_name() {
    if !may_change_user() {
        return;
    }
    let service = Service::start();
    parsec(&service, "key new web --for tls-server").ok();
    stranger(&service, "key new web --for tls-server").ok();
    let mine = parsec(&service, "key public web").ok();
    let theirs = stranger(&service, "key public web").ok();
    assert_ne!(mine, theirs);
    stranger(&service, "key rm web").ok();
    assert_eq!(parsec(&service, "key public web").ok(), mine);
}

#[test]
fn keys_outlive_the_service() {
    let mut service = Service::start();
    parsec(&service, "key new web --for tls-server --label Site").ok();
    let before = json(&service, "key show web");
    service.kill9();
    service.restart();
    assert_eq!(json(&service, "key show web"), before);
    assert_eq!(before["key"]["label"], "Site");
}

#[test]
fn shells_ask_for_completions() {
    let service = Service::start();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = parsec(&service, &format!("completions {shell}")).ok();
        assert!(script.contains("PARSEC_COMPLETE"), "{shell}: {script}");
    }
    for key in ["web", "web-2", "mail", "$(date)"] {
        run(service.parsec(["key", "new", "--for", "tls-server", "--"]).arg(key)).ok();
    }
    let Some(bash) = program("bash") else { return };
    let bin = tests::built("parsec").parent().unwrap().display().to_string();
    for (line, completed) in [
        ("parsec prov", "providers"),
        ("parsec key gra", "grant grants"),
        ("parsec key show w", "web web-2"),
        ("parsec key rm ", "mail web web-2"),
    ] {
        let ask = r#"PATH=$1:$PATH; eval "$(parsec completions bash)"; read -ra COMP_WORDS <<<"$2"; [[ $2 == *" " ]] && COMP_WORDS+=("")
            COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _clap_complete_parsec parsec "${COMP_WORDS[-1]}"
            printf '%s\n' "${COMPREPLY[@]}" | sed 's/ *$//' | sort | paste -sd ' '"#;
        let given = run(service.command(&bash).args(["-c", ask, "bash", &bin, line])).ok();
        assert!(given.trim().ends_with(completed), "{line}: {given}");
        assert!(!given.contains("date"), "{given}");
    }
}

#[test]
fn forgotten_pins_are_reset_by_their_owner_and_keys_stay() {
    let service = Service::start();
    let status = |line: &str| json(&service, line)["tokens"][0].clone();
    assert_eq!(status("token status")["user"]["set"], false);
    let client = service.client();
    let pin = Some(Pin { value: b"1234".to_vec() });
    client.call(ProviderId::SOFTWARE, &InitToken { pin: pin.clone(), label: "mine".to_owned() }).unwrap();
    client.call(ProviderId::SOFTWARE, &SetPin { role: Role::User.into(), new: pin, old: None }).unwrap();
    parsec(&service, "key new web --for tls-server").ok();
    client.call(ProviderId::SOFTWARE, &Login { role: Role::User.into(), pin: None }).unwrap_err();
    let wrong = Login { role: Role::User.into(), pin: Some(Pin { value: b"4321".to_vec() }) };
    client.call(ProviderId::SOFTWARE, &wrong).unwrap_err();
    let shown = parsec(&service, "token status").ok();
    assert!(shown.contains("set; wrong tries: 1"), "{shown}");
    let reset = status("token reset-pin user");
    assert_eq!((&reset["user"]["set"], &reset["so"]["set"]), (&false.into(), &true.into()));
    assert_eq!(status("token reset-pin --provider software")["so"]["set"], false);
    assert!(parsec(&service, "key list").ok().contains("web"));
}

#[test]
fn the_environment_of_openssl_is_printed_or_written() {
    let service = Service::start();
    let shown = parsec(&service, "openssl-env --unit nginx").ok();
    assert!(shown.contains("# /etc/parsec/openssl.cnf\nopenssl_conf = init\n"), "{shown}");
    let (default, ours) = (shown.find("default = ").unwrap(), shown.find("parsec = ").unwrap());
    assert!(default < ours, "OpenSSL's own provider comes first");
    parsec(&service, "openssl-env --unit nginx --install --root image --endpoint /run/other.sock").ok();
    let read = |path: &str| fs::read_to_string(service.dir().join("image").join(path)).unwrap();
    assert!(read("etc/parsec/openssl.cnf").contains("\nsocket = /run/other.sock\n"));
    let unit = read("etc/systemd/system/nginx.service.d/parsec.conf");
    assert_eq!(unit, "[Service]\nEnvironment=OPENSSL_CONF=/etc/parsec/openssl.cnf\n");
    let units = service.dir().join("image/lib/systemd/system");
    fs::create_dir_all(&units).unwrap();
    ["nginx.service", "web@.service"].iter().for_each(|unit| fs::write(units.join(unit), "").unwrap());
    let install = |unit: &str| parsec(&service, &format!("openssl-env --install --root image --unit {unit}"));
    let typo = install("nginx.servce").refused();
    assert!(typo.contains("no unit nginx.servce is installed: did you mean 'nginx.service'?"), "{typo}");
    assert!(install("web@one").ok().contains("image/etc/systemd/system/web@one.service.d/parsec.conf"));
    assert!(install("nginx").ok().contains("wrote image/etc/parsec/openssl.cnf"));
}
