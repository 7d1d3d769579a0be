//! Requests as they come through dispatch, with a store that lasts.

use crate::admission::Incoming;
use crate::auth::{Party, Principal};
use crate::connections::{Connections, Full, Phase};
use crate::dispatch::Dispatcher;
use crate::dispatch::local::{Caller, service};
use crate::providers::software::plan;
use interface::algorithm::{Aead, AeadKind, Agreement, Algorithm, Derivation, Hash, KeyAgreement, Signature};
use interface::attributes::{KeyType, Usage};
use interface::message::Pkcs11Attribute;
use interface::operations::*;
use interface::{Operation, ProviderId, Status};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

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
        alg: sign.alg,
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
    let x963 = Algorithm::Agreement(KeyAgreement::WithKeyDerivation(Agreement::Ecdh, Derivation::X963 { hash: Hash::Sha256 }));
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
fn what_is_kept_beside_a_record_is_bounded() {
    let directory = tempfile::tempdir().unwrap();
    let service = service(directory.path());
    let attributes = Some((&super::attributes(super::P256, 256)).into());
    let filed = |name: &str, label: usize, id: usize, pkcs11: Vec<Pkcs11Attribute>| {
        let (key_name, label, id) = (name.to_owned(), Some("l".repeat(label)), Some(vec![1; id]));
        let key = GenerateKey { key_name, attributes: attributes.clone(), label, id, pkcs11, ..GenerateKey::default() };
        let GenerateKey { key_name: name, label, id, pkcs11, .. } = key.clone();
        let (kind, value) = (RecordKind::Data.into(), vec![1]);
        let object = PutObject { kind, name: name.clone(), value, label: label.clone(), id: id.clone(), pkcs11: pkcs11.clone() };
        let set = SetMetadata { kind, name: "there".to_owned(), label, id, pkcs11, ..SetMetadata::default() };
        [call(&service, &key).map(drop), call(&service, &object).map(drop), call(&service, &set).map(drop)]
    };
    let kept = |kinds: std::ops::Range<u64>, len: usize| -> Vec<_> {
        kinds.map(|kind| Pkcs11Attribute { kind: 0x8000_0000 + kind, value: vec![7; len] }).collect()
    };
    assert_eq!(filed("there", 1024, 1024, kept(0..64, 1024)), [Ok(()); 3]);
    let refused = Err(Status::PsaErrorInvalidArgument);
    for (label, id, pkcs11) in [(1025, 0, vec![]), (0, 1025, vec![]), (0, 0, kept(0..65, 0)), (0, 0, kept(0..1, (64 << 10) + 1))]
    {
        assert_eq!(filed("new", label, id, pkcs11), [refused; 3]);
    }
    let find = |pkcs11| call(&service, &Find { pkcs11, ..Find::default() }).map(drop);
    assert_eq!((find(kept(0..64, 0)), find(kept(0..65, 0))), (Ok(()), refused));
    // one more, beside those that are there
    let more =
        SetMetadata { kind: RecordKind::Data.into(), name: "there".to_owned(), pkcs11: kept(64..65, 0), ..Default::default() };
    assert_eq!(call(&service, &more).map(drop), refused);
    let long = "n".repeat(1025);
    assert_eq!(filed(&long, 0, 0, vec![])[..2], [refused; 2]);
    let grant =
        Grant { key_name: "there".to_owned(), principal: format!("app:{long}"), usage: Some(Usage::ALL.into()), owner: None };
    assert_eq!(call(&service, &grant).map(drop), refused);
    let accept = Accept { owner: grant.principal, verdict: Verdict::Accepted.into(), callers: None };
    let mut accept = Caller::named("test").incoming(&accept);
    accept.request.provider = ProviderId::CORE;
    let accepted = tokio::runtime::Runtime::new().unwrap().block_on(service.dispatch(accept, None));
    assert_eq!(super::status(accepted), Status::PsaErrorInvalidArgument);
    let init = InitToken { pin: Some(Pin { value: b"12345678".to_vec() }), label: long };
    assert_eq!(call(&service, &init).map(drop), refused);
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

/// A lane whose places are all taken, until the sender is dropped.
fn busy(service: &Arc<Dispatcher>) -> mpsc::Sender<()> {
    let (release, released) = mpsc::channel();
    let released = Arc::new(Mutex::new(released));
    for uid in 0..u32::try_from(super::super::workers()).unwrap() {
        let (service, released, (begun, running)) = (Arc::clone(service), Arc::clone(&released), mpsc::channel());
        let work = move || {
            begun.send(()).unwrap();
            let _ = released.lock().unwrap().recv();
            Ok(())
        };
        let lane = async move {
            let provider = service.backends.all()[0].provider().unwrap();
            provider.lane.run(&Party { uid, principal: None, privileged: false }, Duration::MAX, work).await
        };
        tokio::spawn(lane);
        running.recv().unwrap();
    }
    release
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_gone_is_not_served_and_who_still_reads_is() {
    let directory = tempfile::tempdir().unwrap();
    let service = service(directory.path());
    let incoming = |name: &str| {
        let attributes = Some((&super::attributes(super::P256, 256)).into());
        Caller::named("test").incoming(&GenerateKey { key_name: name.to_owned(), attributes, ..GenerateKey::default() })
    };
    for (name, gone) in [("gone", true), ("reads", false)] {
        let (client, end) = UnixStream::pair().unwrap();
        let mut client = Some(client);
        let release = busy(&service);
        let leave = async {
            client = client.take().filter(|_| !gone);
            client.iter().for_each(|client| client.shutdown(Shutdown::Write).unwrap());
            drop(release);
        };
        let (served, ()) = tokio::join!(service.dispatch(incoming(name), Some(end.as_fd())), leave);
        assert_eq!(super::status(served), if gone { Status::ConnectionError } else { Status::Success });
    }
    let names: Vec<_> =
        service.admission.store.keys(&Principal::App("test".to_owned())).iter().map(|key| key.name.clone()).collect();
    assert_eq!(names, ["reads"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_in_a_lane_begins_or_its_connection_makes_room() {
    let directory = tempfile::tempdir().unwrap();
    let service = service(directory.path());
    for (name, makes_room) in [("makes room", true), ("begins", false)] {
        let connections = Connections::new(200, [], Arc::default());
        let mut slots: Vec<_> =
            std::iter::from_fn(|| connections.admit(1).ok().filter(|slot| slot.enter(Phase::Begun))).collect();
        let slot = Arc::new(slots.pop().unwrap());
        assert!(slot.enter(Phase::Busy));
        let attributes = Some((&super::attributes(super::P256, 256)).into());
        let generate = GenerateKey { key_name: name.to_owned(), attributes, ..GenerateKey::default() };
        let incoming = Incoming { slot: Some(Arc::clone(&slot)), ..Caller::named("test").incoming(&generate) };
        let release = busy(&service);
        let other = async {
            let other = makes_room.then(|| connections.admit(2).unwrap());
            drop(release);
            other
        };
        let (served, other) = tokio::join!(service.dispatch(incoming, None), other);
        assert_eq!(super::status(served), if makes_room { Status::ConnectionError } else { Status::Success });
        assert_eq!(other.is_some(), slot.left());
        assert_eq!(connections.admit(3).err(), Some(Full::Taken), "what has begun is not broken off");
    }
    let names: Vec<_> =
        service.admission.store.keys(&Principal::App("test".to_owned())).iter().map(|key| key.name.clone()).collect();
    assert_eq!(names, ["begins"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn to_destroy_waits_behind_nothing_that_is_made() {
    let directory = tempfile::tempdir().unwrap();
    let service = service(directory.path());
    let attributes = Some((&super::attributes(super::P256, 256)).into());
    let generate = GenerateKey { key_name: "k".to_owned(), attributes, ..GenerateKey::default() };
    service.dispatch(Caller::named("test").incoming(&generate), None).await.unwrap();
    let _release = busy(&service);
    let destroy = DestroyKey { key_name: "k".to_owned(), owner: None };
    service.dispatch(Caller::named("test").incoming(&destroy), None).await.unwrap();
    assert!(service.admission.store.keys(&Principal::App("test".to_owned())).is_empty());
}
