//! Keys of somebody else, of which the module's application may use what was granted.

use interface::algorithm::{Aead, AeadKind};
use interface::attributes::{Attributes, KeyType, Policy, Usage};
use interface::operations::{AeadDecrypt, GenerateKey, Grant};
use interface::policy::Job;

use super::crypt::{encrypt, gcm, with};
use super::keys::read;
use super::message::Message;
use super::wrap::{aes, wrap};
use super::*;

/// A service that believes names, and the module as an application of its own.
fn fixture() -> Fixture {
    let (alone, both) = (r#"auth_type = "UnixPeerCredentials""#, r#"auth_types = ["UnixPeerCredentials", "Direct"]"#);
    let config = tests::CONFIG.replace(alone, both).replace(r#"name = "0""#, r#"name = "uid:0""#);
    let initialize = || {
        // SAFETY: the cases take turns, and nothing else here reads the environment meanwhile.
        unsafe { std::env::set_var("PARSEC_APP_NAME", "grantee") };
        let initialized = call!(C_Initialize(null_mut()));
        // SAFETY: as above.
        unsafe { std::env::remove_var("PARSEC_APP_NAME") };
        initialized
    };
    Fixture::on(|| Setup::default().config(config).start(), initialize)
}

/// Root's AES key for everything, of which these uses are granted, as the module finds it.
fn granted(fixture: &Fixture, usage: Usage) -> CK_OBJECT_HANDLE {
    let repertoire = Job::Encrypt.repertoire(KeyType::Aes);
    let policy = Policy {
        usage: Usage::ENCRYPT | Usage::DECRYPT | Usage::WRAP | Usage::UNWRAP,
        algorithm: repertoire.usual[0],
        also: repertoire.more,
    };
    let attributes = Attributes { key_type: KeyType::Aes, bits: 256, policy };
    let (owner, key_name) = (fixture.service.client(), "web".to_owned());
    let generate = GenerateKey { key_name: key_name.clone(), attributes: Some((&attributes).into()), ..GenerateKey::default() };
    owner.call(ProviderId::SOFTWARE, &generate).unwrap();
    let grant = Grant { key_name, principal: "app:grantee".to_owned(), usage: Some(usage.into()), owner: None };
    owner.call(ProviderId::SOFTWARE, &grant).unwrap();
    find(open(0), CKO_SECRET_KEY)[0]
}

/// The owner's decryption of a message.
fn opened(fixture: &Fixture, kind: AeadKind, message: &Message, sealed: &[u8]) -> Vec<u8> {
    let op = AeadDecrypt {
        key_name: "web".to_owned(),
        alg: Some(Aead { kind, tag_len: None }.into()),
        nonce: message.nonce.to_vec(),
        additional_data: b"aad".to_vec(),
        ciphertext: [sealed, &message.tag[..]].concat(),
        owner: None,
    };
    fixture.service.client().call(ProviderId::SOFTWARE, &op).unwrap().plaintext.clone()
}

#[test]
fn who_may_only_encrypt_gives_no_nonce() {
    if !tests::may_change_user() {
        return;
    }
    let fixture = fixture();
    let key = granted(&fixture, Usage::ENCRYPT | Usage::WRAP);
    let (mut nonce, mut aad, iv) = ([3; 12], *b"aad", [3u8; 16]);
    let counter = CK_AES_CTR_PARAMS { ulCounterBits: 128, cb: iv };
    let gcm = gcm(&mut nonce, &mut aad, 128);
    let given = [with(CKM_AES_GCM, &gcm), with(CKM_AES_CTR, &counter), with(CKM_AES_CBC, &iv), with(CKM_AES_CBC_PAD, &iv)];
    for mechanism in given {
        assert_eq!(encrypt(mechanism, key, &[0; 16]), Err(CKR_MECHANISM_PARAM_INVALID), "{:#x}", mechanism.mechanism);
    }
    assert_eq!(encrypt(mechanism(CKM_AES_ECB), key, &[0; 16]), Err(CKR_KEY_FUNCTION_NOT_PERMITTED), "a block tells as much");
    assert_eq!(read(key, CKA_CHECK_VALUE), Err(CKR_ATTRIBUTE_TYPE_INVALID));
    let leaving = aes(&[(CKA_EXTRACTABLE, keys::YES), (CKA_SENSITIVE, keys::NO)]);
    assert_eq!(wrap(with(CKM_AES_CBC_PAD, &iv), key, leaving), Err(CKR_MECHANISM_PARAM_INVALID));
    wrap(mechanism(CKM_AES_KEY_WRAP), key, leaving).unwrap();
}

#[test]
fn who_may_only_encrypt_is_told_the_nonces_of_the_service() {
    if !tests::may_change_user() {
        return;
    }
    let fixture = fixture();
    let (session, key) = (open(0), granted(&fixture, Usage::ENCRYPT));
    for (mechanism_kind, kind) in [(CKM_AES_GCM, AeadKind::Gcm), (CKM_AES_CCM, AeadKind::Ccm)] {
        assert_eq!(call3!(C_MessageEncryptInit(session, &mut mechanism(mechanism_kind), key)), CKR_OK);
        for generator in [CKG_GENERATE, CKG_GENERATE_RANDOM] {
            let mut message = Message::generated(mechanism_kind, 9, generator, 0);
            let sealed = message.seal(session, b"aad", b"a message").unwrap();
            assert_eq!(opened(&fixture, kind, &message, &sealed), b"a message");
            let first = *message.nonce;
            message.seal(session, b"aad", b"a message").unwrap();
            assert_ne!(first, *message.nonce);
            assert_eq!(message.begin(CKF_ENCRYPT, session, b"aad"), CKR_MECHANISM_PARAM_INVALID, "parts have one nonce");
        }
        for (generator, fixed_bits) in
            [(CKG_NO_GENERATE, 0), (CKG_GENERATE_COUNTER, 0), (CKG_GENERATE_COUNTER_XOR, 0), (CKG_GENERATE, 32)]
        {
            let mut message = Message::generated(mechanism_kind, 9, generator, fixed_bits);
            assert_eq!(message.seal(session, b"aad", b"a message"), Err(CKR_MECHANISM_PARAM_INVALID), "{generator}");
        }
        assert_eq!(call3!(C_MessageEncryptFinal(session)), CKR_OK);
    }
}

#[test]
fn who_may_decrypt_too_chooses_nonces() {
    if !tests::may_change_user() {
        return;
    }
    let fixture = fixture();
    let (session, key) = (open(0), granted(&fixture, Usage::ENCRYPT | Usage::DECRYPT));
    let (mut nonce, mut aad) = ([3; 12], *b"aad");
    let params = gcm(&mut nonce, &mut aad, 128);
    let sealed = encrypt(with(CKM_AES_GCM, &params), key, b"a message").unwrap();
    assert_eq!(call3!(C_MessageEncryptInit(session, &mut mechanism(CKM_AES_GCM), key)), CKR_OK);
    let mut message = Message::new(CKM_AES_GCM, 9);
    assert_eq!(message.seal(session, b"aad", b"a message").unwrap(), sealed[..9]);
    let mut counted = Message::generated(CKM_AES_GCM, 9, CKG_GENERATE_COUNTER, 32);
    counted.seal(session, b"aad", b"a message").unwrap();
    assert_eq!(*counted.nonce, [3; 12]);
    assert_eq!(encrypt(mechanism(CKM_AES_ECB), key, &[0; 16]).unwrap().len(), 16);
}
