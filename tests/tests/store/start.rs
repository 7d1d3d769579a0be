//! What keeps the service from starting is said, and nothing is lost by it.

use crate::{generate, usable};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use tests::{CONFIG, Service, Setup};

#[track_caller]
fn refuses(service: &mut Service, words: &str) {
    let said = service.log().len();
    let status = service.fail_to_start();
    let log = service.log();
    assert!(status.code().is_some_and(|code| code != 0), "{status}");
    assert!(log[said..].contains(words), "{log}");
}

#[test]
fn a_mistyped_configuration_is_explained() {
    let timeout = "timeout = 5000";
    let provider = "provider_type = \"MbedCrypto\"";
    for (right, wrong, words) in [
        (timeout, "timout = 5000", "did you mean 'timeout'?"),
        (timeout, "timeout = \"long\"", "[listener] timeout: invalid type"),
        (provider, "provider_type = \"Tmp\"", "did you mean 'Tpm'?"),
        (provider, "provider_type = \"CryptoAuthLib\"", "not built into this version"),
        ("\"store\"\nmanager", "\"stor\"\nmanager", "did you mean 'stor'?"),
    ] {
        assert!(CONFIG.contains(right));
        let mut service = Setup::default().config(CONFIG.replacen(right, wrong, 1)).prepare();
        refuses(&mut service, words);
    }
}

#[test]
fn without_its_store_key_the_store_stays_as_it_is() {
    let mut service = Service::start();
    generate(&service.client(), "web").unwrap();
    service.kill9();
    let path = service.dir().join("store.key");
    let key = fs::read(&path).unwrap();

    fs::remove_file(&path).unwrap();
    refuses(&mut service, "store.key is missing");
    fs::write(&path, [1; 32]).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    refuses(&mut service, "chmod 600");
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    refuses(&mut service, "not the one");

    fs::write(&path, key).unwrap();
    service.restart();
    assert!(usable(&service.client(), "web"));
}

#[test]
fn a_store_serves_one_service() {
    let service = Service::start();
    generate(&service.client(), "web").unwrap();
    let store = service.dir().join("keys.sqlite3");
    let config = CONFIG.replace("{dir}/keys.sqlite3", store.to_str().unwrap());
    refuses(&mut Setup::default().config(config).prepare(), "in use by another process");
    assert!(usable(&service.client(), "web"));
}
