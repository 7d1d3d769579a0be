//! The rules alone, and where they meet the store: restarts, processes, other callers, two at once.

use super::*;
use crate::client_process::ClientProcess;
use crate::dispatch::Dispatcher;
use crate::dispatch::local::{Caller, service};
use crate::key::{Decision, Meta, Uuid};
use interface::algorithm::{Aead, AeadKind, Cipher, Encryption, Hash};
use interface::attributes::KeyType;
use interface::operations::{
    CipherDecrypt, CopyKey, GenerateKey, Grant, Hello, ImportKey, InitToken, Login, Pin, RecordKind, Role, SetMetadata,
    UnwrapKey, WrapKey,
};
use interface::{KeyName, Operation, ProviderId, Used};
use std::sync::{Arc, Barrier};

const KW: Algorithm = Algorithm::Cipher(Cipher::KeyWrapPadded);
const CBC: Algorithm = Algorithm::Cipher(Cipher::CbcPkcs7);
const BOTH: Usage = Usage::WRAP.or(Usage::UNWRAP);

fn owner() -> Principal {
    Principal::App("owner".to_owned())
}

fn other() -> Principal {
    Principal::App("other".to_owned())
}

fn aes(usage: Usage, algorithms: &[Algorithm]) -> Attributes {
    let policy = Policy { usage, algorithm: algorithms[0], also: algorithms[1..].to_vec() };
    Attributes { key_type: KeyType::Aes, bits: 256, policy }
}

fn key(usage: Usage, algorithms: &[Algorithm]) -> Key {
    let meta = Meta {
        uuid: Uuid::default(),
        provider: ProviderId::SOFTWARE,
        owner: owner(),
        name: "k".to_owned(),
        label: String::new(),
        id: Vec::new(),
        pkcs11: Vec::new(),
        created: 0,
    };
    Key::new(meta, aes(usage, algorithms), true, Usage::NONE)
}

fn used(usage: Usage, algorithm: Algorithm, nonce: bool) -> Used<'static> {
    Used { nonce, ..Used::new(KeyName { owner: None, name: "k" }, usage, Some(algorithm)) }
}

#[test]
fn only_uses_that_could_reveal_what_keys_protect_are_decisions() {
    let reveals =
        |usage, algorithm: Algorithm, nonce| decision(&key(BOTH, &[KW]), &used(usage, algorithm, nonce), None).is_some();
    for cipher in Cipher::ALL {
        let wrapping = matches!(cipher, Cipher::KeyWrap | Cipher::KeyWrapPadded);
        assert_eq!(reveals(Usage::UNWRAP, (*cipher).into(), false), !wrapping, "{cipher:?}");
        assert!(reveals(Usage::DECRYPT, (*cipher).into(), false), "{cipher:?}");
        let streams = matches!(cipher, Cipher::StreamCipher | Cipher::Ctr | Cipher::Cfb | Cipher::Ofb);
        assert_eq!(reveals(Usage::ENCRYPT, (*cipher).into(), true), streams, "{cipher:?}");
        assert!(!reveals(Usage::ENCRYPT, (*cipher).into(), false) && !reveals(Usage::WRAP, (*cipher).into(), true));
    }
    for kind in AeadKind::ALL {
        let aead = Aead { kind: *kind, tag_len: None }.into();
        assert!(reveals(Usage::ENCRYPT, aead, true) && !reveals(Usage::ENCRYPT, aead, false));
        assert!(!reveals(Usage::DECRYPT, aead, false));
    }
    let (hash, mgf) = (Hash::Sha256, Hash::Sha1);
    for (encryption, expected) in [
        (Encryption::RsaPkcs1v15, true),
        (Encryption::RsaRaw, true),
        (Encryption::RsaOaep { hash }, false),
        (Encryption::RsaOaepWith { hash, mgf }, false),
    ] {
        assert_eq!(reveals(Usage::UNWRAP, encryption.into(), false), expected, "{encryption:?}");
        assert!(!reveals(Usage::ENCRYPT, encryption.into(), false), "anybody encrypts with a public key");
    }
}

#[test]
fn single_blocks_reveal_what_a_mode_with_a_nonce_encrypts() {
    let ecb = used(Usage::ENCRYPT, Cipher::EcbNoPadding.into(), false);
    let derive = used(Usage::DERIVE, Derivation::Encrypt(Cipher::EcbNoPadding).into(), false);
    for (algorithms, expected) in [(&[KW][..], None), (&[KW, Algorithm::Cipher(Cipher::Ctr)], Some(Decision::Reveals))] {
        for used in [&ecb, &derive] {
            assert_eq!(decision(&key(BOTH, algorithms), used, None), expected);
        }
    }
}

#[test]
fn keys_that_wrap_no_sensitive_key_decide_nothing() {
    let (reveals, wraps) = (used(Usage::UNWRAP, CBC, false), used(Usage::WRAP, KW, false));
    let sensitive = key(Usage::COPY, &[KW]);
    assert_eq!(decision(&key(BOTH, &[CBC]), &reveals, None), Some(Decision::Reveals));
    assert_eq!(decision(&key(BOTH, &[CBC]), &wraps, Some(&sensitive)), Some(Decision::Protects));
    assert_eq!(decision(&key(BOTH, &[CBC]), &wraps, Some(&key(Usage::EXPORT, &[KW]))), None);
    for usage in [Usage::UNWRAP, BOTH | Usage::DECRYPT, BOTH | Usage::EXPORT] {
        assert!(!decides(&key(usage, &[CBC])), "{usage}");
    }
    assert!(decides(&key(BOTH, &[CBC])));
    let mut public = key(BOTH, &[CBC]);
    public.attributes.key_type = KeyType::RsaPublicKey;
    assert!(!decides(&public));
    assert_eq!([decision(&public, &reveals, None), decision(&public, &wraps, Some(&sensitive))], [None; 2]);
    let mut narrowed = key(BOTH, &[CBC]);
    narrowed.narrow(Usage::UNWRAP);
    assert!(decides(&narrowed), "a copy of it may wrap");
}

#[test]
fn sensitive_keys_leave_in_modes_that_authenticate_alone() {
    let (with, sensitive) = (key(BOTH, &[KW]), key(Usage::COPY, &[KW]));
    let leaves = |algorithm| check_wrap(&with, &sensitive, &owner(), algorithm).is_ok();
    assert!(leaves(KW) && leaves(Encryption::RsaOaep { hash: Hash::Sha256 }.into()));
    assert!(![CBC, Cipher::Ctr.into(), Encryption::RsaPkcs1v15.into(), Encryption::RsaRaw.into()].into_iter().any(leaves));
    check_wrap(&with, &key(Usage::EXPORT, &[KW]), &owner(), CBC).unwrap();
}

#[test]
fn a_grant_of_unwrapping_depends_on_what_the_key_may_still_do() {
    let grant = |key: &Key, usage| check_grant(key, &other(), usage).is_ok();
    let open = key(BOTH, &[KW, CBC]);
    assert!(!grant(&open, BOTH) && depends(&open, BOTH));
    assert!(grant(&open, Usage::WRAP) && grant(&open, BOTH | Usage::DECRYPT));
    assert!(grant(&key(BOTH, &[KW, Cipher::KeyWrap.into()]), BOTH));
    let refused = check_grant(&open, &other(), BOTH).unwrap_err().to_string();
    assert!(refused.contains("parsec key grant k app:other=decrypt,wrap,unwrap"), "{refused}");
    for (decision, permitted) in [(Decision::Protects, true), (Decision::Reveals, false)] {
        let decided = key(BOTH, &[KW, CBC]);
        decided.decided.set(decision).unwrap();
        assert_eq!((grant(&decided, BOTH), depends(&decided, BOTH)), (permitted, false));
    }
}

#[test]
fn who_unwraps_by_a_grant_that_was_given_before_needs_decrypt_in_it() {
    let mut open = key(BOTH, &[KW, CBC]);
    let may = |key: &Key, caller: &Principal| check_use(key, caller, &used(Usage::UNWRAP, KW, false)).is_ok();
    assert!(may(&open, &owner()));
    for (usage, expected) in [(Usage::UNWRAP, false), (Usage::UNWRAP | Usage::DECRYPT, true), (Usage::DECRYPT, false)] {
        open.grants.insert(other(), usage);
        assert_eq!(may(&open, &other()), expected, "{usage}");
    }
}

/// A service in this process, with what clients ask of it.
struct TestService(Arc<Dispatcher>);

impl TestService {
    fn open(directory: &std::path::Path) -> Self {
        Self(service(directory))
    }

    fn call<O: Operation>(&self, caller: Principal, op: &O) -> Result<O::Output> {
        let process = ClientProcess::named(&Hello { application: vec![1; 16], ..Hello::default() });
        Caller { caller, extended: true, process }.call(&self.0, op)
    }

    fn made(&self, name: &str, attributes: &Attributes, volatile: bool) {
        let (key_name, attributes) = (name.to_owned(), Some(attributes.into()));
        self.call(owner(), &GenerateKey { key_name, attributes, volatile, ..GenerateKey::default() }).unwrap();
    }

    fn copied(&self, of: &str, name: &str, attributes: &Attributes, volatile: bool) {
        let (key_name, of, attributes) = (name.to_owned(), of.to_owned(), Some(attributes.into()));
        self.call(owner(), &CopyKey { key_name, of, attributes, volatile, ..CopyKey::default() }).unwrap();
    }

    fn wrap(&self, with: &str, name: &str, algorithm: Algorithm) -> Result<Vec<u8>> {
        let (key_name, with_name) = (name.to_owned(), with.to_owned());
        let op = WrapKey { key_name, with_name, alg: Some(algorithm.into()), ..WrapKey::default() };
        self.call(owner(), &op).map(|wrapped| wrapped.data)
    }

    fn unwrap(&self, caller: Principal, with: &str, name: &str, algorithm: Algorithm, data: &[u8]) -> Result<()> {
        let op = UnwrapKey {
            key_name: name.to_owned(),
            attributes: Some((&Attributes { bits: 0, ..aes(Usage::ENCRYPT, &[KW]) }).into()),
            data: data.to_vec(),
            with_name: with.to_owned(),
            alg: Some(algorithm.into()),
            with_owner: Some(owner().to_string()),
            ..UnwrapKey::default()
        };
        self.call(caller, &op).map(drop)
    }
}

fn refused<T>(result: Result<T>) -> bool {
    result.is_err_and(|error| error.status() == Status::PsaErrorNotPermitted)
}

#[test]
fn decisions_outlive_the_service() {
    let directory = tempfile::tempdir().unwrap();
    let both = aes(BOTH, &[KW, CBC]);
    let place = TestService::open(directory.path());
    for name in ["protects", "reveals"] {
        place.made(name, &both, false);
        place.copied(name, &format!("twin of {name}"), &both, false);
    }
    place.made("secret", &aes(Usage::COPY, &[KW]), false);
    place.made("open", &aes(Usage::EXPORT, &[KW]), false);
    place.wrap("protects", "secret", KW).unwrap();
    let blob = place.wrap("reveals", "open", CBC).unwrap();
    place.unwrap(owner(), "reveals", "back", CBC, &blob).unwrap();
    drop(place);

    let place = TestService::open(directory.path());
    for name in ["protects", "twin of protects"] {
        let blob = place.wrap(name, "open", CBC).unwrap();
        assert!(refused(place.unwrap(owner(), name, "again", CBC, &blob)), "{name}");
        place.wrap(name, "secret", KW).unwrap();
    }
    for name in ["reveals", "twin of reveals"] {
        assert!(refused(place.wrap(name, "secret", KW)), "{name}");
    }
}

#[test]
fn volatile_keys_decide_with_the_stored_ones_of_their_value() {
    let directory = tempfile::tempdir().unwrap();
    let both = aes(BOTH, &[KW, CBC]);
    let place = TestService::open(directory.path());
    place.made("secret", &aes(Usage::COPY, &[KW]), false);
    place.made("open", &aes(Usage::EXPORT, &[KW]), false);
    for (name, volatile) in [("of the session", true), ("of the token", false)] {
        place.made(name, &both, volatile);
        let twin = format!("twin {name}");
        place.copied(name, &twin, &both, !volatile);
        place.wrap(&twin, "secret", KW).unwrap();
        let blob = place.wrap(name, "open", CBC).unwrap();
        assert!(refused(place.unwrap(owner(), name, "back", CBC, &blob)), "{name}");
    }
}

#[test]
fn of_two_first_uses_at_once_one_decides() {
    let directory = tempfile::tempdir().unwrap();
    let place = TestService::open(directory.path());
    place.made("secret", &aes(Usage::COPY, &[KW]), false);
    place.made("open", &aes(Usage::EXPORT, &[KW]), false);
    let both = aes(BOTH, &[KW, CBC]);
    for round in 0..16 {
        let [name, twin, back] = ["k", "twin", "back"].map(|name| format!("{name} {round}"));
        place.made(&name, &both, false);
        place.copied(&name, &twin, &both, false);
        let blob = place.wrap(&name, "open", CBC).unwrap();
        let start = Barrier::new(2);
        let (protected, revealed) = std::thread::scope(|scope| {
            let protecting = scope.spawn(|| {
                start.wait();
                place.wrap(&name, "secret", KW)
            });
            start.wait();
            let revealed = place.unwrap(owner(), &twin, &back, CBC, &blob);
            (protecting.join().unwrap(), revealed)
        });
        assert_ne!(protected.is_ok(), revealed.is_ok(), "round {round}");
        assert!(refused(protected) || refused(revealed));
    }
}

#[test]
fn a_grant_that_is_none_any_more_works_again_when_the_key_protects() {
    let directory = tempfile::tempdir().unwrap();
    let place = TestService::open(directory.path());
    place.made("kek", &aes(BOTH, &[KW, CBC]), false);
    place.made("secret", &aes(Usage::COPY, &[KW]), false);
    place.made("open", &aes(Usage::EXPORT, &[KW]), false);
    let blob = place.wrap("kek", "open", KW).unwrap();
    let grant =
        Grant { key_name: "kek".to_owned(), principal: other().to_string(), usage: Some(Usage::UNWRAP.into()), owner: None };
    assert!(refused(place.call(owner(), &grant)));
    // As a version did that knew nothing of it.
    let kek = place.0.admission.store.key(ProviderId::SOFTWARE, &owner(), "kek").unwrap();
    place.0.admission.store.grant(&kek, &other(), Usage::UNWRAP).unwrap();
    assert!(refused(place.unwrap(other(), "kek", "back", KW, &blob)));
    let ended = place.0.admission.ended_grants();
    let told = ended.iter().map(ToString::to_string).collect::<String>();
    assert!(ended.len() == 1 && told.contains("app:other unwraps with key 'kek' of app:owner only if"), "{told}");
    place.wrap("kek", "secret", KW).unwrap();
    drop(place);

    let place = TestService::open(directory.path());
    assert!(place.0.admission.ended_grants().is_empty());
    place.unwrap(other(), "kek", "back", KW, &blob).unwrap();
    let blob = place.wrap("kek", "open", CBC).unwrap();
    assert!(refused(place.unwrap(other(), "kek", "again", CBC, &blob)));
}

/// A value comes in more than once: as a key that wraps, which the officer trusts, and as others that decrypt.
#[test]
fn what_a_key_protects_no_other_key_of_its_value_reveals() {
    let directory = tempfile::tempdir().unwrap();
    let place = TestService::open(directory.path());
    let ecb = Algorithm::Cipher(Cipher::EcbNoPadding);
    let pin = || Some(Pin { value: b"officer".to_vec() });
    place.call(owner(), &InitToken { pin: pin(), label: String::new() }).unwrap();
    place.made("kek", &aes(BOTH, &[KW]), false);
    place.made("secret", &aes(Usage::COPY | Usage::ENCRYPT, &[KW]), false);
    place.made("origin", &aes(Usage::COPY | Usage::DECRYPT, &[KW, ecb]), false);
    let blob = place.wrap("kek", "origin", KW).unwrap();
    let bring = |name: &str, attributes: &Attributes, volatile| {
        let (key_name, data, with_name) = (name.to_owned(), blob.clone(), "kek".to_owned());
        let (attributes, alg) = (Some(attributes.into()), Some(KW.into()));
        place.call(owner(), &UnwrapKey { key_name, attributes, data, with_name, alg, volatile, ..UnwrapKey::default() }).unwrap();
    };
    bring("wrapping", &aes(Usage::WRAP, &[KW]), false);
    bring("unwrapping", &aes(Usage::UNWRAP, &[KW, CBC]), false);
    bring("decrypting", &aes(Usage::DECRYPT, &[KW, ecb]), false);
    bring("of the session", &aes(Usage::DECRYPT, &[KW, ecb]), true);
    let decrypting = ["origin", "decrypting", "of the session"];
    let decrypt = |name: &str, alg: Cipher| {
        let (key_name, ciphertext) = (name.to_owned(), vec![7; 32]);
        place.call(owner(), &CipherDecrypt { key_name, alg: alg.into(), ciphertext, owner: None })
    };
    for name in decrypting {
        decrypt(name, Cipher::EcbNoPadding).unwrap();
    }

    place.call(owner(), &Login { role: Role::Officer.into(), pin: pin() }).unwrap();
    let (kind, name) = (RecordKind::Key.into(), "wrapping".to_owned());
    let pkcs11 = vec![Pkcs11Attribute { kind: TRUSTED, value: SET.into() }];
    place.call(owner(), &SetMetadata { kind, name, pkcs11, ..SetMetadata::default() }).unwrap();
    place.wrap("wrapping", "secret", KW).unwrap();

    for name in decrypting {
        for cipher in [Cipher::EcbNoPadding, Cipher::KeyWrapPadded] {
            assert!(refused(decrypt(name, cipher)), "{name} {cipher:?}");
        }
    }
    assert!(refused(place.unwrap(owner(), "unwrapping", "forged", CBC, &[7; 32])));
    place.made("other", &aes(Usage::DECRYPT, &[ecb]), false);
    decrypt("other", Cipher::EcbNoPadding).unwrap();
}

/// The other user knows a key, and is the officer who trusts it: with a grant of unwrapping alone, or of taking away, it learns nothing.
#[test]
fn what_was_granted_leaves_under_no_key_that_the_officer_of_another_token_trusts() {
    let directory = tempfile::tempdir().unwrap();
    let place = TestService::open(directory.path());
    let sensitive = aes(Usage::COPY | Usage::ENCRYPT, &[KW]);
    place.made("kek", &aes(BOTH, &[KW]), false);
    place.made("secret", &sensitive, false);
    for (name, usage) in [("kek", BOTH), ("secret", Usage::COPY)] {
        let (key_name, principal) = (name.to_owned(), other().to_string());
        place.call(owner(), &Grant { key_name, principal, usage: Some(usage.into()), owner: None }).unwrap();
    }
    let blob = place.wrap("kek", "secret", KW).unwrap();
    let pin = || Some(Pin { value: b"officer".to_vec() });
    place.call(other(), &InitToken { pin: pin(), label: String::new() }).unwrap();
    place.call(other(), &Login { role: Role::Officer.into(), pin: pin() }).unwrap();
    let key_name = "known".to_owned();
    let (attributes, data) = (Some((&aes(BOTH, &[KW])).into()), vec![7; 32]);
    let pkcs11 = vec![Pkcs11Attribute { kind: TRUSTED, value: SET.into() }];
    place.call(other(), &ImportKey { key_name, attributes, data, pkcs11, label: None, id: None, volatile: false }).unwrap();
    let key_name = "own".to_owned();
    let attributes = Some((&aes(BOTH, &[KW])).into());
    place.call(other(), &GenerateKey { key_name, attributes, ..GenerateKey::default() }).unwrap();

    let wrap = |with: (&str, Principal), name: (&str, Principal)| {
        let [(with_name, with_owner), (key_name, owner)] =
            [with, name].map(|(name, owner)| (name.to_owned(), Some(owner.to_string())));
        let op = WrapKey { key_name, with_name, alg: Some(KW.into()), owner, with_owner, ..WrapKey::default() };
        place.call(other(), &op)
    };
    for with in ["own", "known"] {
        assert!(refused(wrap((with, other()), ("secret", owner()))), "{with}");
    }
    assert_eq!(wrap(("kek", owner()), ("secret", owner())).unwrap().data, blob);
    let op = UnwrapKey {
        key_name: "back".to_owned(),
        attributes: Some((&aes(Usage::COPY | Usage::EXPORT | Usage::ENCRYPT, &[KW])).into()),
        data: blob,
        with_name: "kek".to_owned(),
        alg: Some(KW.into()),
        with_owner: Some(owner().to_string()),
        ..UnwrapKey::default()
    };
    place.call(other(), &op).unwrap();
    let back = place.0.admission.store.key(ProviderId::SOFTWARE, &other(), "back").unwrap();
    assert_eq!(back.attributes.policy.usage, Usage::ENCRYPT);
    for with in ["own", "known"] {
        assert!(refused(wrap((with, other()), ("back", other()))), "{with}");
    }
}
