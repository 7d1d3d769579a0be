//! Requests as they come through dispatch, with a store that lasts.

use crate::dispatch::Dispatcher;
use crate::dispatch::local::{Caller, service};
use crate::providers::software::plan;
use interface::algorithm::{Aead, AeadKind, Agreement, Algorithm, Derivation, Hash, Signature};
use interface::attributes::KeyType;
use interface::operations::*;
use interface::{Operation, Status};
use std::sync::Arc;

fn call<O: Operation>(service: &Arc<Dispatcher>, op: &O) -> Result<O::Output, Status> {
    call_on(service, true, op)
}

/// On a connection that has said Hello, or has not.
fn call_on<O: Operation>(service: &Arc<Dispatcher>, extended: bool, op: &O) -> Result<O::Output, Status> {
    let caller = Caller { extended, ..Caller::named("test") };
    caller.call(service, op).map_err(|error| error.status())
}

#[test]
fn a_key_lives_in_the_store_until_it_is_destroyed() {
    let directory = tempfile::tempdir().unwrap();
    let algorithm = Signature::Ecdsa { hash: Hash::Sha256.into() };
    let mut attributes = super::attributes(super::P256, 256);
    attributes.policy.algorithm = algorithm.into();
    let generate = GenerateKey { key_name: "web".to_owned(), attributes: Some((&attributes).into()), ..GenerateKey::default() };
    let sign = SignMessage {
        key_name: "web".to_owned(),
        alg: Some(algorithm.into()),
        message: b"message".to_vec(),
        ..Default::default()
    };
    let first = service(directory.path());
    call(&first, &generate).unwrap();
    assert_eq!(call(&first, &generate), Err(Status::PsaErrorAlreadyExists));
    let signature = call(&first, &sign).unwrap().signature;
    drop(first);

    let second = service(directory.path());
    let verify = VerifyMessage {
        key_name: "web".to_owned(),
        alg: sign.alg.clone(),
        message: sign.message.clone(),
        signature,
        ..Default::default()
    };
    call(&second, &verify).unwrap();
    assert_ne!(call(&second, &sign).unwrap().signature, verify.signature);
    let destroy = DestroyKey { key_name: "web".to_owned(), owner: None };
    call(&second, &destroy).unwrap();
    assert_eq!(call(&second, &sign), Err(Status::PsaErrorDoesNotExist));
    call(&second, &generate).unwrap();
    assert_eq!(call(&second, &verify), Err(Status::PsaErrorInvalidSignature));
}

#[test]
fn imports_deduce_the_size_and_leave_nothing_when_refused() {
    let directory = tempfile::tempdir().unwrap();
    let service = service(directory.path());
    let attributes = super::attributes(KeyType::Aes, 0);
    let import = |data: &[u8]| ImportKey {
        key_name: "k".to_owned(),
        attributes: Some((&attributes).into()),
        data: data.to_vec(),
        label: Some("label".to_owned()),
        id: None,
        volatile: false,
        pkcs11: vec![],
    };
    assert_eq!(call(&service, &import(&[1; 7])), Err(Status::PsaErrorInvalidArgument));
    call(&service, &import(&[1; 24])).unwrap();
    let key = LookupKey { key_name: "k".to_owned(), owner: None };
    let record = call(&service, &key).unwrap();
    assert_eq!((record.label.as_str(), record.attributes.unwrap().key_bits), ("label", 192));
    let export = ExportKey { key_name: "k".to_owned(), owner: None };
    assert_eq!(call(&service, &export).unwrap().data, [1; 24]);
    let export = ExportPublicKey { key_name: "k".to_owned(), owner: None };
    assert_eq!(call(&service, &export).map(|_| ()), Err(Status::PsaErrorInvalidArgument));
}

#[test]
fn what_no_key_can_be_is_not_derived() {
    let directory = tempfile::tempdir().unwrap();
    let service = service(directory.path());
    let x963 = Algorithm::AgreementWithDerivation(Agreement::Ecdh, Derivation::X963 { hash: Hash::Sha256 });
    let mut attributes = super::attributes(super::P256, 256);
    attributes.policy.algorithm = x963;
    let base = GenerateKey { key_name: "base".to_owned(), attributes: Some((&attributes).into()), ..GenerateKey::default() };
    call(&service, &base).unwrap();
    let peer_key = super::generate(super::P256, 256).public().unwrap();
    let derive = |key_type, bits| {
        let attributes = super::attributes(key_type, bits);
        let (alg, attributes) = (Some(x963.into()), Some((&attributes).into()));
        let (with_name, key_name, peer_key) = ("base".to_owned(), "made".to_owned(), peer_key.clone());
        call(&service, &DeriveKey { with_name, key_name, alg, attributes, peer_key, ..DeriveKey::default() }).map(drop)
    };
    for (key_type, bits) in
        [(KeyType::Hmac, 1 << 16), (KeyType::Aes, 136), (KeyType::Camellia, 128), (KeyType::Hmac, u32::MAX - 7)]
    {
        assert_eq!(derive(key_type, bits), Err(Status::PsaErrorNotSupported), "{key_type:?} of {bits} bits");
    }
    assert_eq!(derive(KeyType::Aes, 128), Ok(()));
}

#[test]
fn a_nonce_is_made_only_after_hello() {
    let directory = tempfile::tempdir().unwrap();
    let service = service(directory.path());
    let aead = Aead { kind: AeadKind::Gcm, tag_len: None };
    let mut attributes = super::attributes(KeyType::Aes, 256);
    attributes.policy.algorithm = aead.into();
    call(&service, &GenerateKey { key_name: "k".to_owned(), attributes: Some((&attributes).into()), ..GenerateKey::default() })
        .unwrap();
    let encrypt = |extended, nonce| {
        let (key_name, alg, plaintext) = ("k".to_owned(), Some(aead.into()), vec![1; 5]);
        let op = AeadEncrypt { key_name, alg, nonce, plaintext, additional_data: vec![], owner: None };
        call_on(&service, extended, &op).map(|encrypted| encrypted.ciphertext)
    };
    assert_eq!(encrypt(false, vec![]), Err(Status::PsaErrorInvalidArgument));
    assert_eq!(encrypt(true, vec![]).unwrap().len(), FRESH_NONCE + 5 + 16);
    let given = encrypt(false, vec![1; FRESH_NONCE]).unwrap();
    assert_eq!(given.len(), 5 + 16);
    assert_eq!(encrypt(true, vec![1; FRESH_NONCE]).unwrap(), given);
}

#[test]
fn random_up_to_the_limit() {
    let directory = tempfile::tempdir().unwrap();
    let service = service(directory.path());
    for size in [0, 1, 1 << 20] {
        let random = call(&service, &GenerateRandom { size }).unwrap();
        assert_eq!(random.random_bytes.len() as u64, size);
    }
    for size in [(1 << 20) + 1, u64::MAX] {
        let refused = call(&service, &GenerateRandom { size }).map(|_| ());
        assert_eq!(refused, Err(Status::ResponseTooLarge));
    }
}

#[test]
fn unknown_settings_are_refused() {
    let settings = toml::Table::from_iter([("buffer_size".to_owned(), 1.into())]);
    assert!(plan(settings).is_err());
}
