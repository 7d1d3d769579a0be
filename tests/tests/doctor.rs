//! `parsec doctor` on installations that lack something.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use tests::{Service, run};

/// What is said of each thing, with its state.
fn findings(service: &Service, arguments: &[&str]) -> Vec<(String, String, String)> {
    let ran = run(&mut service.parsec([&["--json", "doctor"], arguments].concat()));
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let findings = report["findings"].as_array().unwrap().iter();
    let findings: Vec<_> = findings
        .map(|found| (text(&found["what"]), text(&found["state"]), format!("{}: {}", text(&found["told"]), text(&found["cure"]))))
        .collect();
    let wrong = findings.iter().filter(|(_, state, _)| state == "wrong").count();
    assert_eq!(ran.status.code(), Some(i32::from(wrong > 0)), "{findings:?}");
    findings
}

#[track_caller]
fn state(findings: &[(String, String, String)], what: &str) -> (String, String) {
    let found = findings.iter().find(|(name, ..)| name == what);
    found.map(|(_, state, told)| (state.clone(), told.clone())).unwrap_or_default()
}

fn write(path: PathBuf, text: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

#[test]
fn a_service_that_answers_is_well_and_one_that_is_away_is_told_with_the_cure() {
    let mut service = Service::start();
    let found = findings(&service, &[]);
    for what in ["clock", "socket", "caller", "provider", "keys"] {
        assert_eq!(state(&found, what).0, "ok", "{what}: {found:?}");
    }
    service.stop();
    let found = findings(&service, &[]);
    let (socket, told) = state(&found, "socket");
    assert!(
        socket == "wrong"
            && told.contains("cannot reach")
            && ["parsec serve", "journalctl", "systemctl"].iter().any(|cure| told.contains(cure)),
        "{told}"
    );
    assert_eq!(state(&found, "caller").0, "", "nobody answers for it");
}

#[test]
fn a_server_that_names_a_key_needs_openssl_conf_in_its_unit() {
    let service = Service::start();
    let root = service.dir().join("image");
    let below = |path: &str| root.join(path.trim_start_matches('/'));
    run(&mut service.parsec(["key", "new", "web", "--for", "tls-server", "-o", "web.pem"])).ok();
    let look = || findings(&service, &["--root", "image"]);
    assert_eq!(state(&look(), "nginx").0, "", "there is no nginx");
    write(below("etc/nginx/nginx.conf"), "http {\n  include sites-enabled/*;\n}\n");
    write(below("etc/nginx/sites-enabled/web"), "server { ssl_certificate_key /etc/parsec/web.pem; }\n");
    write(below("etc/parsec/web.pem"), "not one of ours");
    assert_eq!(state(&look(), "nginx").0, "", "its key is a file");
    write(below("etc/parsec/web.pem"), fs::read(service.dir().join("web.pem")).unwrap());
    let (nginx, told) = state(&look(), "nginx");
    assert!(nginx == "wrong" && told.contains("sites-enabled/web") && told.contains("parsec setup nginx"), "{told}");
    run(&mut service.parsec(["openssl-env", "--install", "--root", "image", "--unit", "nginx"])).ok();
    assert_eq!(state(&look(), "nginx").0, "ok");
}

#[test]
fn a_configuration_and_libraries_are_looked_at() {
    let service = Service::start();
    let root = service.dir().join("image");
    let below = |path: &str| root.join(path.trim_start_matches('/'));
    let look = || findings(&service, &["--root", "image"]);
    assert_eq!(
        (state(&look(), "config").0, state(&look(), "pkcs11").0, state(&look(), "openssl").0),
        ("ok".into(), "wrong".into(), "wrong".into())
    );
    write(below("etc/parsec/config.toml"), "[listner]\n");
    let (config, told) = state(&look(), "config");
    assert!(config == "wrong" && told.contains("did you mean 'listener'"), "{told}");
    write(below("etc/ssh/ssh_config"), "Host x\n  PKCS11Provider /usr/lib/libparsec_pkcs11.so\n");
    assert_eq!(state(&look(), "ssh").0, "wrong");
    write(below("usr/lib/libparsec_pkcs11.so"), "");
    assert_eq!(state(&look(), "ssh").0, "ok");
    // what is no file is not read
    let pipe = below("etc/nginx/pipe.conf");
    fs::create_dir_all(pipe.parent().unwrap()).unwrap();
    assert!(run(std::process::Command::new("mkfifo").arg(&pipe)).status.success());
    assert_eq!(state(&look(), "nginx").0, "");
    // nor what the kernel makes up, which another reader may want
    std::os::unix::fs::symlink("/proc/kmsg", below("etc/nginx/kernel.conf")).unwrap();
    assert_eq!(state(&look(), "nginx").0, "");
    assert!(Path::new(&pipe).exists());
}
