//! Unwrapping that tells of what it decrypts, and what keys decide for their first use so that it tells nothing of sensitive keys.

use super::super::Under;
use super::{KW, P256, aes, each_wrapping, key};
use interface::Status;
use interface::algorithm::{Aead, AeadKind, Algorithm, Cipher, Encryption, Hash};
use interface::attributes::{Attributes, KeyType, Policy, Usage};
use interface::operations::{AeadEncrypt, Grant, UnwrapKey};
use std::collections::HashSet;

const CBC: Algorithm = Algorithm::Cipher(Cipher::CbcPkcs7);
const REFUSED: Status = Status::PsaErrorNotPermitted;

/// A secret key of any length.
fn any() -> Attributes {
    key(KeyType::Hmac, 0, Usage::SIGN_MESSAGE, Algorithm::None)
}

impl Under<'_> {
    /// A key for both kinds of wrapping, one that is sensitive and one that is not.
    fn keys(&self) {
        self.made("kek", &aes(Usage::WRAP | Usage::UNWRAP));
        self.made("secret", &aes(Usage::COPY | Usage::ENCRYPT));
        self.made("open", &aes(Usage::EXPORT));
    }

    fn protect(&self, with: &str) -> Status {
        self.wrap(with, "secret", KW).err().map_or(Status::Success, |error| error.status().unwrap())
    }

    /// Unwraps the open key in a mode that does not authenticate.
    fn reveal(&self, with: &str) -> Status {
        let wrapped = self.wrap(with, "open", CBC).unwrap().data;
        let status = self.unwrap(with, "back", CBC, &wrapped, &any());
        if status == Status::Success {
            self.destroy("back");
        }
        status
    }
}

/// Vaudenay's attack (EUROCRYPT 2002) on the blob of a sensitive key: a block of it after each IV that differs in the last byte; one of
/// them yields good padding, which tells a byte of what the key decrypts the block to.
#[test]
fn padding_tells_nothing_of_a_sensitive_key() {
    each_wrapping(|under| {
        under.keys();
        let blob = under.wrap("kek", "secret", KW).unwrap().data;
        let guess = |last| [&[0; 15][..], &[last], &blob[..16]].concat();
        let unwrap = |last| {
            let status = under.unwrap("kek", "back", CBC, &guess(last), &any());
            (status == Status::Success).then(|| under.destroy("back"));
            status
        };
        let told: HashSet<_> = (0..=255).map(unwrap).collect();
        assert_eq!(told, HashSet::from([REFUSED]));
        assert_eq!(under.unwrap("kek", "back", KW, &blob, &any()), Status::Success, "it comes back as it left");
        assert_eq!(under.protect("kek"), Status::Success);
    });
}

#[test]
fn the_first_use_decides_for_all_keys_of_one_value() {
    each_wrapping(|under| {
        let both = &aes(Usage::WRAP | Usage::UNWRAP);
        under.keys();
        assert_eq!(under.copy("kek", "before", both), Status::Success);
        assert_eq!(under.reveal("before"), Status::Success);
        assert_eq!(under.copy("kek", "after", both), Status::Success);
        for name in ["kek", "before", "after"] {
            assert_eq!((under.protect(name), under.reveal(name)), (REFUSED, Status::Success), "{name}");
        }
        let wrapped = under.wrap("kek", "open", KW).unwrap().data;
        assert_eq!(under.unwrap("kek", "back", KW, &wrapped, &any()), Status::Success);

        under.made("other", both);
        assert_eq!(under.copy("other", "other before", both), Status::Success);
        assert_eq!(under.protect("other before"), Status::Success);
        assert_eq!(under.copy("other", "other after", both), Status::Success);
        for name in ["other", "other before", "other after"] {
            assert_eq!((under.protect(name), under.reveal(name)), (Status::Success, REFUSED), "{name}");
        }
    });
}

/// A pair decides as a secret key does.
#[test]
fn pairs_decide_too() {
    let (oaep, pkcs1) = (Encryption::RsaOaep { hash: Hash::Sha256 }.into(), Encryption::RsaPkcs1v15.into());
    each_wrapping(|under| {
        under.keys();
        let mut pair = key(KeyType::RsaKeyPair, 2048, Usage::WRAP | Usage::UNWRAP, oaep);
        pair.policy.also = vec![pkcs1];
        under.made("protects", &pair);
        under.made("reveals", &pair);
        assert_eq!(under.copy("protects", "twin", &pair), Status::Success);
        let refused = |with, algorithm| under.wrap(with, "secret", algorithm).unwrap_err().status();
        assert_eq!(refused("protects", pkcs1), Some(REFUSED), "it does not authenticate");
        let wrapped = under.wrap("protects", "secret", oaep).unwrap().data;
        let open = |with| under.wrap(with, "open", pkcs1).unwrap().data;
        assert_eq!(under.unwrap("twin", "back", pkcs1, &open("twin"), &any()), REFUSED);
        assert_eq!(under.unwrap("twin", "back", oaep, &wrapped, &any()), Status::Success);
        assert_eq!(under.unwrap("reveals", "other", pkcs1, &open("reveals"), &any()), Status::Success);
        assert_eq!(refused("reveals", oaep), Some(REFUSED));
    });
}

#[test]
fn encrypting_under_a_chosen_nonce_counts_as_decrypting() {
    let gcm = Aead { kind: AeadKind::Gcm, tag_len: None };
    each_wrapping(|under| {
        under.keys();
        let policy = Policy { usage: Usage::WRAP | Usage::ENCRYPT, algorithm: KW, also: vec![gcm.into()] };
        let attributes = Attributes { policy, ..aes(Usage::NONE) };
        let encrypt = |name: &str, nonce: &[u8]| {
            let mut op = AeadEncrypt::default();
            (op.key_name, op.alg, op.nonce) = (name.to_owned(), Some(gcm.into()), nonce.to_vec());
            op.plaintext = vec![7; 16];
            under.status(&op)
        };
        under.made("chosen", &attributes);
        assert_eq!(encrypt("chosen", &[1; 12]), Status::Success);
        assert_eq!(under.protect("chosen"), REFUSED);
        under.made("fresh", &attributes);
        assert_eq!(encrypt("fresh", &[]), Status::Success);
        assert_eq!(under.protect("fresh"), Status::Success);
        assert_eq!((encrypt("fresh", &[1; 12]), encrypt("fresh", &[])), (REFUSED, Status::Success));
    });
}

/// Whatever is wrong, the answer is the same to the letter.
#[test]
fn all_failures_of_unwrapping_are_one() {
    let (oaep, pkcs1) = (Encryption::RsaOaep { hash: Hash::Sha256 }.into(), Encryption::RsaPkcs1v15.into());
    each_wrapping(|under| {
        under.made("aes", &aes(Usage::WRAP | Usage::UNWRAP));
        let mut rsa = key(KeyType::RsaKeyPair, 2048, Usage::WRAP | Usage::UNWRAP, oaep);
        rsa.policy.also = vec![pkcs1];
        under.made("rsa", &rsa);
        under.made("open", &key(KeyType::Hmac, 24 * 8, Usage::EXPORT, Algorithm::None));
        under.made("pair", &key(P256, 256, Usage::EXPORT, Algorithm::None));
        let mut told = HashSet::new();
        let mut fails = |with: &str, algorithm: Algorithm, data: &[u8], asked: &Attributes| {
            let op = UnwrapKey {
                key_name: "back".to_owned(),
                attributes: Some(asked.into()),
                data: data.to_vec(),
                with_name: with.to_owned(),
                alg: Some(algorithm.into()),
                ..UnwrapKey::default()
            };
            let said = under.call(&op).unwrap_err().to_string();
            told.insert(said.split(" (request ").next().unwrap().to_owned());
        };
        let [pair, other] = [P256, KeyType::RsaKeyPair].map(|key_type| key(key_type, 0, Usage::NONE, Algorithm::None));
        for (with, algorithm) in [("aes", KW), ("aes", CBC), ("rsa", oaep), ("rsa", pkcs1)] {
            let blob = under.wrap(with, "open", algorithm).unwrap().data;
            let changed = |at: usize| {
                let mut blob = blob.clone();
                blob[at] ^= 0x80;
                blob
            };
            fails(with, algorithm, &blob, &pair);
            fails(with, algorithm, &blob, &key(KeyType::Hmac, 128, Usage::NONE, Algorithm::None));
            // In CBC, the last byte of the padding.
            fails(with, algorithm, &changed(blob.len() - 17), &pair);
            fails(with, algorithm, &changed(blob.len() - 1), &pair);
            fails(with, algorithm, &blob[1..], &any());
            fails(with, algorithm, &[], &any());
            if with == "aes" {
                fails(with, algorithm, &under.wrap(with, "pair", algorithm).unwrap().data, &other);
                fails(with, algorithm, &changed(blob.len() - 17), &any());
            }
        }
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told.iter().all(|told| told.contains("was not wrapped with this key")), "{told:?}");
    });
}

#[test]
fn a_grant_of_unwrapping_that_is_decryption_is_one_of_both() {
    each_wrapping(|under| {
        under.keys();
        let grant = |name: &str, usage: Usage| {
            let (key_name, principal) = (name.to_owned(), "uid:65534".to_owned());
            under.status(&Grant { key_name, principal, usage: Some(usage.into()), owner: None })
        };
        assert_eq!(grant("kek", Usage::UNWRAP), REFUSED);
        assert_eq!(grant("kek", Usage::UNWRAP | Usage::DECRYPT), Status::Success);
        under.made("narrow", &key(KeyType::Aes, 256, Usage::UNWRAP, KW));
        assert_eq!(grant("narrow", Usage::UNWRAP), Status::Success);
        assert_eq!(under.protect("kek"), Status::Success);
        assert_eq!(grant("kek", Usage::UNWRAP), Status::Success, "it never decrypts any more");
    });
}
