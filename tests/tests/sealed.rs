//! The sealed tier: what is bound to the chip, what is not, and that everyone is told which keys are of it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use interface::algorithm::{Hash, SignHash as Named, Signature};
use interface::attributes::{Attributes, EccFamily, KeyType, Policy, Usage};
use interface::client::{Client, Error};
use interface::operations::{DestroyKey, GenerateKey, ImportKey, Record, SignHash, Tier};
use interface::{ProviderId, Status};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use tests::{CONFIG, Service, Setup, TPM, TPM_SEALED, may_lock_memory, run};

const SEALED: ProviderId = ProviderId::TPM_SEALED;
const ECDSA: Signature = Signature::Ecdsa { hash: Named::Specific(Hash::Sha256) };

fn service() -> Option<Service> {
    may_lock_memory().then(|| Service::with_config(&format!("{CONFIG}{TPM_SEALED}")))
}

fn ec() -> Attributes {
    let policy = Policy { usage: Usage::SIGN_HASH | Usage::VERIFY_HASH, algorithm: ECDSA.into(), also: Vec::new() };
    Attributes { key_type: KeyType::EccKeyPair(EccFamily::SecpR1), bits: 256, policy }
}

fn make(client: &Client, name: &str) -> Result<(), Error> {
    let generate = GenerateKey { key_name: name.to_owned(), attributes: Some((&ec()).into()), ..Default::default() };
    client.call(SEALED, &generate).map(drop)
}

fn sign(client: &Client, name: &str) -> Result<(), Error> {
    let sign = SignHash { key_name: name.to_owned(), alg: Some(ECDSA.into()), hash: vec![7; 32], ..Default::default() };
    client.call(SEALED, &sign).map(drop)
}

fn record(client: &Client, name: &str) -> Record {
    client.lookup(SEALED, None, name).unwrap()
}

fn status<T: std::fmt::Debug>(result: Result<T, Error>) -> Status {
    let error = result.unwrap_err();
    error.status().unwrap_or_else(|| panic!("{error}"))
}

#[test]
fn keys_work_while_the_chip_is_away_and_new_ones_wait_for_it() {
    let Some(mut service) = service() else { return };
    let client = service.client();
    make(&client, "k").unwrap();
    service.kill9();
    service.restart();
    sign(&client, "k").unwrap();
    service.tpm().kill9();
    sign(&client, "k").unwrap();
    assert_eq!(status(make(&client, "new")), Status::PsaErrorCommunicationFailure);
    service.tpm().restart();
    make(&client, "new").unwrap();
    service.restart();
    sign(&client, "k").unwrap();
    sign(&client, "new").unwrap();
    client.call(SEALED, &DestroyKey { key_name: "k".to_owned(), owner: None }).unwrap();
    assert_eq!(status(sign(&client, "k")), Status::PsaErrorDoesNotExist);
}

#[test]
fn keys_of_another_chip_are_missing_and_kept_until_it_is_back() {
    let Some(mut service) = service() else { return };
    let client = service.client();
    make(&client, "old").unwrap();
    service.tpm().exchange("another");
    let error = make(&client, "lost").unwrap_err();
    assert!(error.to_string().contains("start it again"), "no key is sealed for a chip that is gone: {error}");
    service.restart();
    assert!(record(&client, "old").missing);
    assert_eq!(status(sign(&client, "old")), Status::PsaErrorHardwareFailure);
    make(&client, "new").unwrap();
    service.restart();
    sign(&client, "new").unwrap();
    service.tpm().exchange("tpm");
    service.restart();
    sign(&client, "old").unwrap();
    assert!(record(&client, "new").missing && !record(&client, "old").missing);
}

#[test]
fn everyone_is_told_what_the_keys_are() {
    if !may_lock_memory() {
        return;
    }
    let service = Service::with_config(&format!("{CONFIG}{TPM}{TPM_SEALED}"));
    let client = service.client();
    let parsec = |line: &str| run(&mut service.parsec(line.split(' '))).ok();
    let made = parsec("key new web --for tls-server --provider tpm-sealed --out web.pem");
    assert!(made.contains("in the tpm-sealed provider (sealed)"), "{made}");
    parsec("key new chip --for tls-server --provider tpm");
    parsec("key new plain --for tls-server");
    for (name, provider, tier, label) in [
        ("web", SEALED, Tier::Sealed, "sealed"),
        ("chip", ProviderId::TPM, Tier::Hardware, "hw"),
        ("plain", ProviderId::SOFTWARE, Tier::Software, "software"),
    ] {
        let shown = parsec(&format!("key show {name}"));
        assert!(shown.contains(&format!("provider    {provider} ({label})")), "{shown}");
        let listed = parsec("key list");
        let line = listed.lines().find(|line| line.starts_with(name)).unwrap();
        assert!(line.split_whitespace().any(|word| word == label), "{listed}");
        assert_eq!(client.lookup(provider, None, name).unwrap().tier, i32::from(tier));
        service.logs(&["event=\"make\"", &format!("key=\"{name}\""), &format!("tier=\"{label}\"")]);
    }
    let slots = run(&mut service.pkcs11_tool(["--list-slots"])).ok();
    let models: Vec<_> = slots.lines().filter_map(|line| line.trim().strip_prefix("token model")).map(str::trim).collect();
    assert_eq!(models, [": Parsec software", ": Parsec hw", ": Parsec sealed"], "{slots}");
    let request = ["req", "-new", "-key", "web.pem", "-subj", "/CN=web"];
    assert!(run(&mut service.openssl(request)).ok().contains("BEGIN CERTIFICATE REQUEST"));
    let uri = ["req", "-new", "-key", "parsec:object=web;provider=tpm-sealed", "-subj", "/CN=web"];
    assert!(run(&mut service.openssl(uri)).ok().contains("BEGIN CERTIFICATE REQUEST"));
}

#[test]
fn public_keys_need_no_seal() {
    let Some(mut service) = service() else { return };
    let client = service.client();
    make(&client, "k").unwrap();
    let data = record(&client, "k").public_key;
    service.tpm().kill9();
    service.tpm().restart();
    let (label, id, volatile, pkcs11) = Default::default();
    let attributes = Some((&ec().public()).into());
    client.call(SEALED, &ImportKey { key_name: "p".to_owned(), attributes, data, label, id, volatile, pkcs11 }).unwrap();
    assert_eq!(record(&client, "p").tier, i32::from(Tier::Software));
}

#[test]
fn all_memory_is_locked_and_none_is_dumped() {
    let Some(service) = service() else { return };
    make(&service.client(), "k").unwrap();
    let maps = fs::read_to_string(format!("/proc/{}/smaps", service.pid())).unwrap();
    let mut writable = None;
    let mut locked = 0;
    for line in maps.lines() {
        let mut words = line.split_whitespace();
        match (words.next(), words.next()) {
            (Some(range), Some(rights)) if range.contains('-') => writable = rights.starts_with("rw").then_some(line),
            (Some("VmFlags:"), _) => {
                if let Some(mapping) = writable {
                    assert!(line.split_whitespace().any(|flag| flag == "lo"), "{mapping} is not locked: {line}");
                    locked += 1;
                }
            }
            _ => {}
        }
    }
    assert!(locked > 10, "{maps}");
    let dumped = fs::read_to_string(format!("/proc/{}/coredump_filter", service.pid())).unwrap();
    assert_eq!(dumped.trim(), "00000010", "of memory only the headers of libraries");
}

#[test]
fn no_key_comes_here_unasked() {
    let first = CONFIG.split_once("[[provider]]").map(|(rest, _)| format!("{rest}{TPM_SEALED}{TPM}")).unwrap();
    let mut service = Setup::default().config(first).prepare();
    service.fail_to_start();
    assert!(service.log().contains("cannot be the first"), "{}", service.log());
}

#[test]
fn the_owners_password_comes_from_a_file_or_a_credential() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("owner");
    let write = |password: &str, mode| {
        let _ = fs::remove_file(&secret);
        fs::write(&secret, password).unwrap();
        fs::set_permissions(&secret, Permissions::from_mode(mode)).unwrap();
    };
    let setup = |value: &str| {
        let config = format!("{CONFIG}{TPM}owner_hierarchy_auth = \"{value}\"\n");
        let mut service = Setup::default().config(config).env("CREDENTIALS_DIRECTORY", folder.path()).prepare();
        service.tpm().own(b"", b"of the owner");
        service
    };
    for value in [format!("file:{}", secret.display()), "credential:owner".to_owned()] {
        write("of the owner\n", 0o400);
        setup(&value).restart();
        write("of another", 0o400);
        let mut wrong = setup(&value);
        wrong.fail_to_start();
        assert!(wrong.log().contains("refuses the password"), "{}", wrong.log());
        fs::remove_file(&secret).unwrap();
        let mut absent = setup(&value);
        absent.fail_to_start();
        assert!(absent.log().contains("owner_hierarchy_auth") && absent.log().contains("is not there"), "{}", absent.log());
    }
    write("of the owner", 0o644);
    let mut readable = setup(&format!("file:{}", secret.display()));
    readable.fail_to_start();
    assert!(readable.log().contains("chmod 600"), "{}", readable.log());
}
