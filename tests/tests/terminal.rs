//! What others chose, shown to people: a name is data, whatever characters are in it. It neither reaches a terminal as it is nor makes
//! lines of its own, in results, errors and logs.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use interface::ProviderId;
use interface::operations::{InitToken, Pin, PutObject, RecordKind};
use serde_json::Value;
use std::fs;
use tests::{Ran, Service, Setup, eventually, program, run};

/// A command to a terminal, a line of its own, and a mark that reverses what follows it.
const EVIL: &str = "e\u{1b}[31m\u{9b}2J\u{7f}\u{202e}x\nforged\r\tz";
/// How it is shown.
const SHOWN: &str = r"e\u{1b}[31m\u{9b}2J\u{7f}\u{202e}x\nforged\r\tz";

/// A service that keeps a key and a certificate of that name, and calls its token so.
fn service() -> Service {
    let authenticators = r#"auth_types = ["UnixPeerCredentials", "Direct"]"#;
    let config = tests::CONFIG.replace(r#"auth_type = "UnixPeerCredentials""#, authenticators).replace(r#""0""#, r#""uid:0""#);
    let service = Setup::default().config(config).start();
    let parsec = |words: &[&str]| run(&mut service.parsec(words)).ok();
    // a token is made before its keys
    let pin = Some(Pin { value: b"1234".to_vec() });
    service.client().call(ProviderId::SOFTWARE, &InitToken { pin, label: EVIL.to_owned() }).unwrap();
    parsec(&["key", "new", "--algorithm", "p256", "--label", EVIL, "--", EVIL]);
    parsec(&["key", "grant", "--", EVIL, &format!("app:{EVIL}=sign")]);
    // Ours makes no certificate with such a name.
    let certify = ["req", "-x509", "-utf8", "-newkey", "ed25519", "-nodes", "-keyout", "evil.key", "-out", "evil.crt", "-subj"];
    run(service.command("openssl").args(certify).arg(format!("/CN={EVIL}"))).ok();
    parsec(&["cert", "put", "--label", EVIL, "--", EVIL, "evil.crt"]);
    service
}

#[track_caller]
fn harmless(what: &str, text: &str) {
    let raw: Vec<char> = text.chars().filter(|c| c.is_control() && *c != '\n' || *c == '\u{202e}').collect();
    assert!(raw.is_empty(), "{what}: {raw:?} in {text}");
    assert!(!text.lines().any(|line| line.starts_with("forged")), "{what}: {text}");
}

/// The command's result, harmless in both its forms, or its refusal.
#[track_caller]
fn shown(service: &Service, words: &[&str]) -> String {
    let ran = |words: &[&str]| {
        let Ran { status, out, err, .. } = run(&mut service.parsec(words));
        harmless(&format!("{words:?}"), &out);
        harmless(&format!("{words:?}"), &err);
        (status.success(), out, err)
    };
    let (done, out, err) = ran(words);
    if done && !["new", "rm"].iter().any(|once| words.contains(once)) {
        let (_, json, _) = ran(&[&["--json"], words].concat());
        assert!(serde_json::from_str::<Value>(&json).is_ok(), "{words:?}: {json}");
    }
    out + &err
}

#[test]
fn the_command_line_shows_names_as_data() {
    let service = service();
    for words in [
        &["key", "list"][..],
        &["key", "show", EVIL],
        &["key", "grants", EVIL],
        &["cert", "list"],
        &["token", "status"],
        &["status"],
    ] {
        let text = shown(&service, words);
        assert!(words == ["status"] || text.contains(SHOWN), "{words:?}: {text}");
    }
    for words in [
        &["key", "uri", EVIL][..],
        &["key", "uri", EVIL, "--pkcs11"],
        &["key", "public", EVIL, "--ssh"],
        &["key", "pem", EVIL],
        &["key", "csr", EVIL, "--cn", EVIL],
        &["cert", "get", EVIL],
        &["key", "export", EVIL, "--out", EVIL],
        &["key", "new", "--algorithm", "p256", "--", EVIL],
        &["key", "show", "--owner", &format!("app:{EVIL}"), EVIL],
        &["key", "show", "--owner", EVIL, "web"],
        &["key", "revoke", EVIL, "uid:7"],
        &["key", "import", EVIL, EVIL],
        &["--endpoint", EVIL, "ping"],
        &[EVIL],
        &["cert", "rm", EVIL],
        &["cert", "rm", EVIL],
        &["key", "rm", EVIL],
        &["key", "rm", EVIL],
    ] {
        shown(&service, words);
    }
    let made = shown(&service, &["key", "new", "--for", "tls-server", "--grant", &format!("app:{EVIL}=sign"), "--", EVIL]);
    assert!(made.contains(&format!("Made key '{SHOWN}'")) && made.contains(&format!("Granted to app:{SHOWN}: sign")), "{made}");
    let listed: Value = serde_json::from_str(&run(&mut service.parsec(["--json", "key", "list"])).ok()).unwrap();
    assert_eq!(listed["keys"][0]["name"], EVIL);
}

#[test]
fn the_log_of_the_service_has_one_line_for_each_event() {
    let service = service();
    let refused = service.client().lookup(ProviderId::SOFTWARE, Some(&format!("app:{EVIL}")), EVIL).unwrap_err().to_string();
    assert!(refused.contains(SHOWN), "{refused}");
    let put = PutObject { kind: RecordKind::Key.into(), name: EVIL.to_owned(), ..PutObject::default() };
    service.client().call(ProviderId::SOFTWARE, &put).unwrap_err();
    run(service.parsec(["key", "show", "web"]).env("PARSEC_APP_NAME", EVIL)).refused();
    let forged = |log: &String| log.lines().filter(|line| line.contains("forged")).count() >= 3;
    let log = eventually("three lines of the log with what others chose", || Some(service.log()).filter(forged));
    harmless("log", &log);
    for line in log.lines() {
        assert!([" INFO ", " WARN ", " ERROR "].iter().any(|level| line.contains(level)), "{line}");
    }
}

#[test]
fn the_shims_say_names_as_data() {
    if program("openssl").is_none() || program("pkcs11-tool").is_none() {
        return;
    }
    let service = service();
    fs::write(service.dir().join("message"), "hello").unwrap();
    let uri = run(&mut service.parsec(["key", "uri", EVIL])).ok();
    run(&mut service.parsec(["key", "rm", EVIL])).ok();
    let mut openssl = service.openssl(["dgst", "-sha256", "-sign", uri.trim(), "message"]);
    let said = run(&mut openssl).refused();
    harmless("openssl", &said);
    assert!(said.contains(SHOWN), "{said}");
    let trace = service.dir().join("trace");
    let mut tool = service.pkcs11_tool(["--list-objects", "--login", "--pin", "1", "--label", EVIL]);
    run(tool.env("PARSEC_PKCS11_TRACE", &trace)).refused();
    let trace = fs::read_to_string(trace).unwrap();
    harmless("trace", &trace);
    assert!(trace.lines().all(|line| line.contains(") = CKR_")), "{trace}");
}
