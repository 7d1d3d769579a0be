//! Keys that leave under others, come back, and are made out of others: for every provider that does it.

mod oracle;

use super::{Under, attributes, each_provider};
use interface::algorithm::{Agreement, Algorithm, Cipher, Derivation, Encryption, Hash, KeyAgreement, Signature};
use interface::attributes::{Attributes, EccFamily, KeyType, Policy, Usage};
use interface::client::Error;
use interface::message::Pkcs11Attribute;
use interface::operations::{
    CheckType, CopyKey, DeriveKey, ExportKey, ExportPublicKey, Grant, ImportKey, LookupKey, SetMetadata, UnwrapKey, WrapKey,
};
use interface::operations::{RecordKind, Wrapped};
use interface::{ProviderId, Status};

const P256: KeyType = KeyType::EccKeyPair(EccFamily::SecpR1);
const KW: Algorithm = Algorithm::Cipher(Cipher::KeyWrapPadded);

fn key(key_type: KeyType, bits: u32, usage: Usage, algorithm: Algorithm) -> Attributes {
    Attributes { key_type, bits, policy: Policy { usage, algorithm, also: Vec::new() } }
}

fn aes(usage: Usage) -> Attributes {
    let policy = Policy { usage, algorithm: KW, also: vec![Cipher::CbcPkcs7.into(), Cipher::KeyWrap.into()] };
    Attributes { key_type: KeyType::Aes, bits: 256, policy }
}

impl Under<'_> {
    fn made(&self, name: &str, attributes: &Attributes) {
        assert_eq!(self.generate(name, attributes), Status::Success, "{name}");
    }

    fn wrap(&self, with: &str, name: &str, algorithm: Algorithm) -> Result<Wrapped, Error> {
        let (key_name, with_name) = (name.to_owned(), with.to_owned());
        self.call(&WrapKey { key_name, with_name, alg: Some(algorithm.into()), ..WrapKey::default() })
    }

    fn unwrap(&self, with: &str, name: &str, algorithm: Algorithm, data: &[u8], attributes: &Attributes) -> Status {
        self.status(&UnwrapKey {
            key_name: name.to_owned(),
            attributes: Some(attributes.into()),
            data: data.to_vec(),
            with_name: with.to_owned(),
            alg: Some(algorithm.into()),
            ..UnwrapKey::default()
        })
    }

    fn derive(&self, with: &str, name: &str, attributes: &Attributes, op: DeriveKey) -> Status {
        let (key_name, with_name, attributes) = (name.to_owned(), with.to_owned(), Some(attributes.into()));
        self.status(&DeriveKey { key_name, with_name, attributes, ..op })
    }

    fn copy(&self, of: &str, name: &str, attributes: &Attributes) -> Status {
        let (key_name, of, attributes) = (name.to_owned(), of.to_owned(), Some(attributes.into()));
        self.status(&CopyKey { key_name, of, attributes, ..CopyKey::default() })
    }

    fn value(&self, name: &str) -> Result<Vec<u8>, Status> {
        let exported = self.call(&ExportKey { key_name: name.to_owned(), owner: None });
        exported.map(|exported| exported.data.clone()).map_err(|error| error.status().unwrap())
    }

    fn wraps(&self) -> bool {
        self.can(CheckType::Use, &aes(Usage::WRAP))
    }
}

/// As [`each_provider`], of those that wrap.
fn each_wrapping(test: impl Fn(Under<'_>)) {
    each_provider(|under| {
        if under.wraps() {
            test(under)
        }
    });
}

#[test]
fn the_software_provider_wraps() {
    each_provider(|under| assert!(under.wraps() || under.provider != ProviderId::SOFTWARE));
}

#[test]
fn a_copy_does_no_more_than_its_original() {
    each_wrapping(|under| {
        under.made("k", &aes(Usage::EXPORT | Usage::DECRYPT));
        assert_eq!(under.copy("k", "wider", &aes(Usage::DECRYPT | Usage::WRAP)), Status::PsaErrorNotPermitted);
        let other = Attributes { bits: 128, ..aes(Usage::DECRYPT) };
        assert_eq!(under.copy("k", "other", &other), Status::PsaErrorInvalidArgument);
        let fewer = key(KeyType::Aes, 256, Usage::DECRYPT, KW);
        assert_eq!(under.copy("k", "fewer", &fewer), Status::PsaErrorInvalidArgument, "nor for other algorithms");
        assert_eq!(under.copy("k", "k", &aes(Usage::DECRYPT)), Status::PsaErrorAlreadyExists);
        assert_eq!(under.copy("none", "new", &aes(Usage::DECRYPT)), Status::PsaErrorDoesNotExist);
        assert_eq!(under.copy("k", "same", &aes(Usage::EXPORT | Usage::DECRYPT)), Status::Success);
        assert_eq!(under.value("same"), under.value("k"));
        assert_eq!(under.copy("k", "narrower", &aes(Usage::DECRYPT)), Status::Success);
        assert_eq!(under.value("narrower"), Err(Status::PsaErrorNotPermitted));
        assert_eq!(under.copy("narrower", "again", &aes(Usage::EXPORT)), Status::PsaErrorNotPermitted);
        ["k", "same", "narrower"].into_iter().for_each(|name| under.destroy(name));
    });
}

#[test]
fn a_copy_of_a_key_that_wraps_does_not_leave_and_wraps_what_its_original_may() {
    each_wrapping(|under| {
        under.made("wrapping", &aes(Usage::WRAP));
        under.made("sensitive", &aes(Usage::COPY | Usage::WRAP));
        assert_eq!(under.copy("sensitive", "plain", &aes(Usage::COPY)), Status::Success);
        assert_eq!(under.wrap("wrapping", "plain", KW).unwrap_err().status(), Some(Status::PsaErrorNotPermitted));
        under.made("secret", &aes(Usage::COPY | Usage::ENCRYPT));
        assert_eq!(under.copy("wrapping", "twin", &aes(Usage::WRAP)), Status::Success);
        under.wrap("twin", "secret", KW).unwrap();
        under.made("both", &aes(Usage::WRAP | Usage::DECRYPT));
        assert_eq!(under.copy("both", "half", &aes(Usage::WRAP)), Status::Success);
        assert_eq!(under.wrap("half", "secret", KW).unwrap_err().status(), Some(Status::PsaErrorNotPermitted));
        let record = |name| under.client.lookup(under.provider, None, name).unwrap();
        assert_eq!((record("half").local, record("half").past), (true, record("both").past));
        ["wrapping", "sensitive", "plain", "secret", "twin", "both", "half"].into_iter().for_each(|name| under.destroy(name));
    });
}

#[test]
fn what_only_trusted_keys_wrap_stays_so_in_copies_and_for_good() {
    let mark = |value| Pkcs11Attribute { kind: 0x210, value: vec![value] };
    each_wrapping(|under| {
        under.made("wrapping", &aes(Usage::WRAP));
        under.made("guarded", &aes(Usage::COPY | Usage::ENCRYPT));
        let set = |value| {
            let (kind, name) = (RecordKind::Key.into(), "guarded".to_owned());
            under.status(&SetMetadata { kind, name, pkcs11: vec![mark(value)], ..SetMetadata::default() })
        };
        assert_eq!(
            [set(0), set(1), set(1), set(0)],
            [Status::Success, Status::Success, Status::Success, Status::PsaErrorNotPermitted]
        );
        assert_eq!(under.copy("guarded", "copy", &aes(Usage::COPY | Usage::ENCRYPT)), Status::Success);
        assert_eq!(under.client.lookup(under.provider, None, "copy").unwrap().pkcs11, [mark(1)]);
        for name in ["guarded", "copy"] {
            assert_eq!(under.wrap("wrapping", name, KW).unwrap_err().status(), Some(Status::PsaErrorNotPermitted));
        }
        ["wrapping", "guarded", "copy"].into_iter().for_each(|name| under.destroy(name));
    });
}

#[test]
fn keys_leave_and_come_back() {
    let (oaep, pkcs1) = (Encryption::RsaOaep { hash: Hash::Sha256 }, Encryption::RsaPkcs1v15);
    each_wrapping(|under| {
        under.made("aes", &aes(Usage::WRAP | Usage::UNWRAP | Usage::DECRYPT));
        let mut rsa = key(KeyType::RsaKeyPair, 2048, Usage::WRAP | Usage::UNWRAP | Usage::DECRYPT, oaep.into());
        rsa.policy.also = vec![pkcs1.into()];
        under.made("rsa", &rsa);
        let open = Usage::EXPORT | Usage::SIGN_MESSAGE;
        let ecdsa = Signature::Ecdsa { hash: Hash::Sha256.into() }.into();
        for leaving in [key(KeyType::Hmac, 256, open, Algorithm::None), key(P256, 256, open, ecdsa)] {
            under.made("k", &leaving);
            let value = under.value("k").unwrap();
            for (with, algorithm) in [("aes", KW), ("aes", Cipher::CbcPkcs7.into()), ("rsa", oaep.into()), ("rsa", pkcs1.into())]
            {
                let context = format!("{:?} {algorithm:?}", leaving.key_type);
                assert!(
                    under.can(
                        CheckType::Use,
                        &key(
                            if with == "aes" { KeyType::Aes } else { KeyType::RsaKeyPair },
                            if with == "aes" { 256 } else { 2048 },
                            Usage::WRAP,
                            algorithm
                        )
                    ),
                    "{context}"
                );
                let wrapped = under.wrap(with, "k", algorithm).unwrap_or_else(|error| panic!("{context}: {error}")).data;
                let asked = Attributes { bits: 0, ..leaving.clone() };
                assert_eq!(under.unwrap(with, "back", algorithm, &wrapped, &asked), Status::Success, "{context}");
                assert_eq!(under.value("back").as_ref(), Ok(&value), "{context}");
                let record = under.client.lookup(under.provider, None, "back").unwrap();
                assert_eq!((record.attributes, record.local), (Some((&leaving).into()), false), "{context}");
                assert_eq!(under.unwrap(with, "back", algorithm, &wrapped, &asked), Status::PsaErrorAlreadyExists);
                under.destroy("back");
                assert_ne!(under.unwrap(with, "back", algorithm, &wrapped[1..], &asked), Status::Success, "{context}");
                let gone = LookupKey { key_name: "back".to_owned(), owner: None };
                assert_eq!(under.status(&gone), Status::PsaErrorDoesNotExist, "nothing is left of a refused key");
            }
            under.destroy("k");
        }
    });
}

/// The statuses of wrapping a sensitive key with keys of all sorts.
#[test]
fn a_sensitive_key_leaves_only_under_a_key_that_was_made_here_for_wrapping_alone() {
    each_wrapping(|under| {
        under.made("k", &aes(Usage::COPY | Usage::ENCRYPT));
        let wrap = |with: &str| under.wrap(with, "k", KW).err().map_or(Status::Success, |error| error.status().unwrap());
        under.made("sound", &aes(Usage::WRAP | Usage::UNWRAP));
        assert_eq!(wrap("sound"), Status::Success);
        let cbc = under.wrap("sound", "k", Cipher::CbcPkcs7.into());
        assert_eq!(cbc.unwrap_err().status(), Some(Status::PsaErrorNotPermitted), "its padding would tell");
        under.made("decrypts", &aes(Usage::WRAP | Usage::DECRYPT));
        assert_eq!(wrap("decrypts"), Status::PsaErrorNotPermitted);
        let narrow = SetMetadata {
            kind: RecordKind::Key.into(),
            name: "decrypts".to_owned(),
            usage: Some(Usage::WRAP.into()),
            ..SetMetadata::default()
        };
        assert_eq!(under.status(&narrow), Status::Success);
        assert_eq!(wrap("decrypts"), Status::PsaErrorNotPermitted, "what it has decrypted is out");
        under.made("readable", &aes(Usage::WRAP | Usage::EXPORT));
        assert_eq!(wrap("readable"), Status::PsaErrorNotPermitted);
        let attributes = Some((&aes(Usage::WRAP)).into());
        let mut import = ImportKey::default();
        (import.key_name, import.attributes, import.data) = ("known".to_owned(), attributes, vec![7; 32]);
        assert_eq!(under.status(&import), Status::Success);
        assert_eq!(wrap("known"), Status::PsaErrorNotPermitted);
        under.made("other", &aes(Usage::WRAP | Usage::COPY));
        let protecting = under.wrap("sound", "other", KW);
        assert_eq!(protecting.unwrap_err().status(), Some(Status::PsaErrorNotPermitted), "keys that wrap stay");
        under.made("stays", &aes(Usage::ENCRYPT));
        let staying = under.wrap("sound", "stays", KW);
        assert_eq!(staying.unwrap_err().status(), Some(Status::PsaErrorNotPermitted), "no COPY");
    });
}

#[test]
fn what_a_key_that_cannot_decrypt_brings_in_is_not_exported() {
    each_wrapping(|under| {
        under.made("k", &aes(Usage::COPY));
        under.made("with", &aes(Usage::WRAP | Usage::UNWRAP));
        let wrapped = under.wrap("with", "k", KW).unwrap().data;
        let asked = key(KeyType::Hmac, 0, Usage::EXPORT | Usage::COPY | Usage::SIGN_MESSAGE, Algorithm::None);
        assert_eq!(under.unwrap("with", "back", KW, &wrapped, &asked), Status::Success);
        assert_eq!(under.value("back"), Err(Status::PsaErrorNotPermitted));
        let record = under.client.lookup(under.provider, None, "back").unwrap();
        assert_eq!(Usage::from(&record.usage.unwrap()), Usage::COPY | Usage::SIGN_MESSAGE);
    });
}

#[test]
fn others_wrap_with_a_grant_only() {
    each_wrapping(|under| {
        under.made("k", &aes(Usage::COPY));
        under.made("with", &aes(Usage::WRAP));
        let wrap = WrapKey { key_name: "k".to_owned(), with_name: "with".to_owned(), alg: Some(KW.into()), ..WrapKey::default() };
        let grant = Grant {
            key_name: "with".to_owned(),
            principal: "uid:65534".to_owned(),
            usage: Some(Usage::WRAP.into()),
            owner: None,
        };
        assert_eq!(under.status(&grant), Status::Success);
        let me = under.client.lookup(under.provider, None, "k").unwrap().owner;
        let named = WrapKey { owner: Some(me.clone()), with_owner: Some(me), ..wrap.clone() };
        assert_eq!(under.status(&named), Status::Success);
        let strange = WrapKey { with_owner: Some("uid:65533".to_owned()), ..wrap };
        assert_eq!(under.status(&strange), Status::PsaErrorDoesNotExist);
    });
}

#[test]
fn two_sides_derive_the_same_key() {
    each_wrapping(|under| {
        let base = key(P256, 256, Usage::DERIVE, Agreement::Ecdh.into());
        under.made("a", &base);
        under.made("b", &base);
        let public = |name: &str| under.call(&ExportPublicKey { key_name: name.to_owned(), owner: None }).unwrap().data.clone();
        let new = key(KeyType::Aes, 256, Usage::EXPORT, Cipher::Ctr.into());
        let algorithms: [Algorithm; 2] = [
            Agreement::Ecdh.into(),
            Algorithm::Agreement(KeyAgreement::WithKeyDerivation(Agreement::Ecdh, Derivation::X963 { hash: Hash::Sha256 })),
        ];
        for algorithm in algorithms {
            let op = |peer: &str| DeriveKey { alg: Some(algorithm.into()), peer_key: public(peer), ..DeriveKey::default() };
            assert_eq!(under.derive("a", "one", &new, op("b")), Status::Success);
            assert_eq!(under.derive("b", "two", &new, op("a")), Status::Success);
            assert_eq!(under.value("one").unwrap(), under.value("two").unwrap());
            under.destroy("one");
            under.destroy("two");
        }
        let hkdf = DeriveKey {
            alg: Some(Algorithm::Derivation(Derivation::Hkdf { hash: Hash::Sha256 }).into()),
            ..DeriveKey::default()
        };
        assert_eq!(under.derive("a", "one", &new, hkdf), Status::PsaErrorNotPermitted, "the policy has the last word");
    });
}

/// What holds its parts as they are leaves only if they may be read, and keys that wrap are no parts.
#[test]
fn concatenations_inherit_from_both_parts() {
    each_wrapping(|under| {
        let part = |usage| key(KeyType::Hmac, 128, usage | Usage::DERIVE, Derivation::Concatenate.into());
        under.made("open", &part(Usage::EXPORT));
        under.made("sensitive", &part(Usage::COPY));
        under.made("staying", &part(Usage::NONE));
        let new = key(KeyType::Hmac, 0, Usage::EXPORT | Usage::COPY, Algorithm::None);
        let join = |base: &str, other: &str| {
            let alg = Some(Algorithm::Derivation(Derivation::Concatenate).into());
            let op = DeriveKey { alg, other_name: Some(other.to_owned()), ..DeriveKey::default() };
            let status = under.derive(base, "new", &new, op);
            (status == Status::Success).then(|| {
                let record = under.client.lookup(under.provider, None, "new").unwrap();
                under.destroy("new");
                Usage::from(&record.usage.unwrap())
            })
        };
        assert_eq!(join("open", "open"), Some(Usage::EXPORT | Usage::COPY));
        assert_eq!(join("open", "sensitive"), Some(Usage::NONE));
        assert_eq!(join("sensitive", "open"), Some(Usage::NONE));
        assert_eq!(join("sensitive", "staying"), Some(Usage::NONE));
        let mut wraps = aes(Usage::WRAP | Usage::DERIVE);
        wraps.policy.also.push(Derivation::Concatenate.into());
        under.made("wraps", &wraps);
        assert_eq!(join("wraps", "open"), None);
        assert_eq!(join("open", "wraps"), None);
    });
}

#[test]
fn only_secret_keys_are_derived() {
    each_wrapping(|under| {
        under.made("base", &key(KeyType::Derive, 256, Usage::DERIVE, Derivation::Hkdf { hash: Hash::Sha256 }.into()));
        let curve = attributes(P256, 256, Signature::Ecdsa { hash: Hash::Sha256.into() }.into());
        let alg = Some(Algorithm::Derivation(Derivation::Hkdf { hash: Hash::Sha256 }).into());
        let op = DeriveKey { alg, data: b"info".to_vec(), ..DeriveKey::default() };
        assert_eq!(under.derive("base", "new", &curve, op.clone()), Status::PsaErrorInvalidArgument);
        assert!(!under.can(CheckType::Derive, &curve));
        assert_eq!(under.derive("base", "new", &attributes(KeyType::Aes, 128, Cipher::Ctr.into()), op), Status::Success);
        assert_eq!(under.value("new").unwrap().len(), 16);
    });
}
