//! The TPM provider on a chip that is small, loses its power, and is exchanged; secret keys; attestation.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod attest;
mod away;
mod crowd;
mod faults;
mod keys;
mod managed;
mod rollback;
mod symmetric;

use interface::algorithm::{Encryption, Hash, Signature};
use interface::attributes::{Attributes, KeyType, Policy, Usage};
use interface::operations::{AsymmetricDecrypt, AsymmetricEncrypt, GenerateRandom, Tier};
use interface::{ProviderId, Status};
use keys::{EC, Keys, SHA256, ec, pair, status};
use tests::{CONFIG, Service, Setup, TPM};

fn service() -> Service {
    Service::with_config(&format!("{CONFIG}{TPM}"))
}

#[test]
fn more_keys_than_the_chip_has_room_for_are_used_by_many_at_once() {
    let service = service();
    let names: Vec<_> = (0..9).map(|number| format!("key {number}")).collect();
    let client = service.client();
    let keys = Keys(&client, ProviderId::TPM);
    names.iter().for_each(|name| keys.make(name, &ec()).unwrap());
    std::thread::scope(|scope| {
        for first in 0..names.len() {
            let (names, client) = (&names, service.client());
            scope.spawn(move || {
                let keys = Keys(&client, ProviderId::TPM);
                names.iter().cycle().skip(first).step_by(2).take(2 * names.len()).for_each(|name| keys.ecdsa(name).unwrap());
            });
        }
    });
    let signature = keys.sign("key 0", Signature::Ecdsa { hash: SHA256 }).unwrap();
    assert!(!keys.verifies("key 1", Signature::Ecdsa { hash: SHA256 }, &signature), "each key is its own");
}

#[test]
fn a_key_is_of_hardware_and_survives_a_crash_of_the_service() {
    let mut service = service();
    let client = service.client();
    let keys = Keys(&client, ProviderId::TPM);
    let names = ["k", "l", "m"];
    names.iter().for_each(|name| keys.make(name, &ec()).unwrap());
    // what was loaded then fills the chip
    for _ in 0..2 {
        names.iter().for_each(|name| keys.ecdsa(name).unwrap());
        service.kill9();
        service.restart();
    }
    keys.ecdsa("k").unwrap();
    let record = keys.record("k");
    assert_eq!((record.tier, record.local, record.missing), (Tier::Hardware.into(), true, false));
    assert_eq!(record.public_key, keys.public("k"));
    assert_eq!(status(keys.export("k")), Status::PsaErrorNotSupported);
    keys.destroy("k").unwrap();
    assert_eq!(status(keys.ecdsa("k")), Status::PsaErrorDoesNotExist);
}

#[test]
fn keys_work_again_when_the_chip_has_lost_its_power() {
    let mut service = service();
    let client = service.client();
    let keys = Keys(&client, ProviderId::TPM);
    let names = ["a", "b", "c", "d", "e"];
    names.iter().for_each(|name| keys.make(name, &ec()).unwrap());
    for _ in 0..2 {
        names.iter().for_each(|name| keys.ecdsa(name).unwrap());
        service.tpm().restart();
        names.iter().rev().for_each(|name| keys.ecdsa(name).unwrap());
    }
    service.tpm().kill9();
    assert_eq!(status(keys.sign("a", Signature::Ecdsa { hash: SHA256 })), Status::PsaErrorCommunicationFailure);
    assert_eq!(status(keys.make("f", &ec())), Status::PsaErrorCommunicationFailure);
    assert_eq!(status(keys.call(&GenerateRandom { size: 1 })), Status::PsaErrorCommunicationFailure);
    keys.public("a");
    service.tpm().restart();
    names.iter().for_each(|name| keys.ecdsa(name).unwrap());
    keys.make("f", &ec()).unwrap();
    keys.ecdsa("f").unwrap();
}

#[test]
fn keys_of_another_chip_are_missing_and_kept_until_it_is_back() {
    let mut service = service();
    let client = service.client();
    let keys = Keys(&client, ProviderId::TPM);
    keys.make("old", &ec()).unwrap();
    keys.ecdsa("old").unwrap();
    service.tpm().exchange("another");
    assert_eq!(status(keys.ecdsa("old")), Status::PsaErrorHardwareFailure, "noticed while the service runs");
    assert!(keys.record("old").missing);
    keys.make("new", &ec()).unwrap();
    service.restart();
    assert!(keys.record("old").missing && !keys.record("new").missing, "noticed at start");
    let error = keys.sign("old", Signature::Ecdsa { hash: SHA256 }).unwrap_err();
    assert!(error.to_string().contains("kept"), "{error}");
    keys.ecdsa("new").unwrap();
    for (chip, here, away) in [("tpm", "old", "new"), ("another", "new", "old"), ("tpm", "old", "new")] {
        service.tpm().exchange(chip);
        keys.ecdsa(here).unwrap();
        assert_eq!(status(keys.ecdsa(away)), Status::PsaErrorHardwareFailure);
        assert!(!keys.record(here).missing && keys.record(away).missing, "noticed without a restart");
    }
}

#[test]
fn imported_pairs_are_the_same_keys() {
    let service = service();
    let client = service.client();
    let (software, tpm) = (Keys(&client, ProviderId::SOFTWARE), Keys(&client, ProviderId::TPM));
    for (key_type, bits, algorithm) in [
        (KeyType::RsaKeyPair, 2048, Signature::RsaPkcs1v15 { hash: SHA256 }),
        (KeyType::RsaKeyPair, 3072, Signature::RsaPss { hash: SHA256 }),
        (KeyType::RsaKeyPair, 2048, Signature::RsaPssWith { hash: Hash::Sha256, mgf: Hash::Sha1, salt_len: 7 }),
        (EC, 256, Signature::Ecdsa { hash: SHA256 }),
        (EC, 384, Signature::Ecdsa { hash: SHA256 }),
        (EC, 521, Signature::EcdsaAny),
    ] {
        let attributes = pair(key_type, bits, algorithm);
        software.make("k", &attributes).unwrap();
        let data = software.export("k").unwrap();
        tpm.import("k", &Attributes { bits: 0, ..attributes.clone() }, &data).unwrap();
        let context = format!("{attributes:?}");
        assert_eq!(tpm.public("k"), software.public("k"), "{context}");
        assert!(software.verifies("k", algorithm, &tpm.sign("k", algorithm).unwrap()), "{context}");
        assert!(tpm.verifies("k", algorithm, &software.sign("k", algorithm).unwrap()), "{context}");
        let record = tpm.record("k");
        assert_eq!((record.tier, record.local), (Tier::Hardware.into(), false), "{context}");
        tpm.copy("k", "copy", &attributes).unwrap();
        assert!(software.verifies("k", algorithm, &tpm.sign("copy", algorithm).unwrap()), "{context}");
        assert_eq!(status(tpm.import("broken", &attributes, &data[1..])), Status::PsaErrorInvalidArgument, "{context}");
        software.destroy("k").unwrap();
        ["k", "copy"].into_iter().for_each(|name| tpm.destroy(name).unwrap());
    }
}

#[test]
fn an_imported_public_key_needs_no_chip() {
    let mut service = service();
    let client = service.client();
    let (software, tpm) = (Keys(&client, ProviderId::SOFTWARE), Keys(&client, ProviderId::TPM));
    software.make("k", &ec()).unwrap();
    tpm.import("k", &ec().public(), &software.public("k")).unwrap();
    assert_eq!(tpm.record("k").tier, i32::from(Tier::Software));
    service.tpm().kill9();
    let algorithm = Signature::Ecdsa { hash: SHA256 };
    assert!(tpm.verifies("k", algorithm, &software.sign("k", algorithm).unwrap()));
    assert_eq!(status(tpm.sign("k", algorithm)), Status::PsaErrorNotPermitted);
}

#[test]
fn oaep_has_labels_of_any_kind_and_tells_nothing_of_why_it_fails() {
    let service = service();
    let client = service.client();
    let tpm = Keys(&client, ProviderId::TPM);
    let oaep = Encryption::RsaOaepWith { hash: Hash::Sha512, mgf: Hash::Sha1 };
    let policy = Policy { usage: Usage::ENCRYPT | Usage::DECRYPT, algorithm: oaep.into(), also: Vec::new() };
    tpm.make("k", &Attributes { key_type: KeyType::RsaKeyPair, bits: 2048, policy }).unwrap();
    for (label, plaintext) in [(&b""[..], &b""[..]), (b"with\0zero\0", b"secret"), (b"without", &[7; 126])] {
        let (key_name, salt) = ("k".to_owned(), label.to_vec());
        let encrypt = AsymmetricEncrypt {
            key_name: key_name.clone(),
            alg: Some(oaep.into()),
            plaintext: plaintext.to_vec(),
            salt,
            owner: None,
        };
        let ciphertext = tpm.call(&encrypt).unwrap().ciphertext;
        let decrypt = |ciphertext: Vec<u8>, label: &[u8]| {
            let (key_name, alg, salt) = (key_name.clone(), Some(oaep.into()), label.to_vec());
            tpm.call(&AsymmetricDecrypt { key_name, alg, ciphertext, salt, owner: None })
        };
        assert_eq!(decrypt(ciphertext.clone(), label).unwrap().plaintext, plaintext);
        assert_eq!(status(decrypt(ciphertext.clone(), b"other")), Status::PsaErrorInvalidPadding);
        let mut wrong = ciphertext;
        wrong[255] ^= 1;
        assert_eq!(status(decrypt(wrong, label)), Status::PsaErrorInvalidPadding);
        assert_eq!(status(decrypt(vec![0xff; 256], label)), Status::PsaErrorInvalidArgument);
    }
}

#[test]
fn what_is_wrong_with_the_configuration_is_told_at_start() {
    let mut wrong = Setup::default().config(format!("{CONFIG}{TPM}owner_hierarchy_auth = \"hex:00ff\"\n")).prepare();
    wrong.fail_to_start();
    assert!(wrong.log().contains("owner_hierarchy_auth"), "{}", wrong.log());
    let nowhere = TPM.replace("{tcti}", "device:/nonexistent");
    let without = Service::with_config(&format!("{CONFIG}{nowhere}skip_if_no_tpm = true\n"));
    assert_eq!(without.client().providers().unwrap().len(), 1);
    let mut odd = Setup::default().config(format!("{CONFIG}{TPM}tctl = \"swtpm\"\n")).prepare();
    odd.fail_to_start();
    assert!(odd.log().contains("did you mean 'tcti'"), "{}", odd.log());
}
