//! One table of key types and algorithms, run against every provider of the service: what `CanDoCrypto` promises works, and what
//! it does not promise is refused as unsupported.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod exercise;
mod memory;
mod wrap;

use exercise::exercise;
use interface::algorithm::{
    Aead, AeadKind, Agreement, Algorithm, Cipher, Encryption, Hash, Kem, Mac, MacKind, SignHash, Signature,
};
use interface::attributes::{Attributes, DhFamily, EccFamily, KeyType, Policy, Usage};
use interface::client::{Client, Error};
use interface::operations::{
    CanDoCrypto, CheckType, DestroyKey, ExportKey, ExportPublicKey, GenerateKey, GenerateRandom, HashCompare, HashCompute,
    ImportKey, ListOpcodes, SignMessage, VerifyHash,
};
use interface::{Opcode, Operation, ProviderId, Status};
use tests::{CONFIG, HSM, Kryoptic, Service, Setup, SoftHsm, TPM, TPM_SEALED, eventually, may_lock_memory, pinned};

const ALL_HASHES: &[Hash] = Hash::ALL;

/// Every type of key that the protocol can name and some provider might make, with its sizes.
const TYPES: &[(KeyType, &[u32])] = &[
    (KeyType::RawData, &[8, 256]),
    (KeyType::Hmac, &[128, 256]),
    (KeyType::Derive, &[256]),
    (KeyType::Aes, &[128, 192, 256, 200]),
    (KeyType::Des, &[64, 192]),
    (KeyType::Camellia, &[256]),
    (KeyType::Arc4, &[128]),
    (KeyType::ChaCha20, &[256, 128]),
    (KeyType::RsaKeyPair, &[1024, 2048]),
    (KeyType::RsaPublicKey, &[2048]),
    (KeyType::EccKeyPair(EccFamily::SecpR1), &[192, 224, 256, 384, 521]),
    (KeyType::EccKeyPair(EccFamily::SecpK1), &[192, 256]),
    (KeyType::EccKeyPair(EccFamily::BrainpoolPR1), &[256]),
    (KeyType::EccKeyPair(EccFamily::Montgomery), &[255, 448]),
    (KeyType::EccKeyPair(EccFamily::TwistedEdwards), &[255, 448]),
    (KeyType::EccPublicKey(EccFamily::SecpR1), &[256]),
    (KeyType::MlDsaKeyPair, &[128, 192, 256, 44]),
    (KeyType::MlKemKeyPair, &[512, 768, 1024, 256]),
    (KeyType::MlKemPublicKey, &[768]),
    (KeyType::DsaKeyPair, &[1024, 2048]),
    (KeyType::DhKeyPair(DhFamily::Own), &[1024, 2048]),
];

/// Every concrete algorithm that a key can be used with.
fn algorithms() -> Vec<Algorithm> {
    let mut all = vec![
        Signature::RsaPkcs1v15Raw.into(),
        Signature::EcdsaAny.into(),
        Signature::DsaAny.into(),
        Signature::PureEddsa.into(),
        Signature::Ed25519ctx.into(),
        Signature::Ed25519ph.into(),
        Signature::Ed448ph.into(),
        Signature::RsaRaw.into(),
        Signature::RsaPssWith { hash: Hash::Sha256, mgf: Hash::Sha1, salt_len: 0 }.into(),
        Signature::RsaPssWith { hash: Hash::Sha384, mgf: Hash::Sha384, salt_len: 20 }.into(),
        Encryption::RsaRaw.into(),
        Encryption::RsaOaepWith { hash: Hash::Sha256, mgf: Hash::Sha1 }.into(),
        Signature::MlDsa.into(),
        Kem::MlKem.into(),
        Encryption::RsaPkcs1v15.into(),
        Agreement::Ecdh.into(),
        Agreement::Ffdh.into(),
    ];
    for &hash in ALL_HASHES {
        let specific = SignHash::Specific(hash);
        all.extend([
            Signature::RsaPkcs1v15 { hash: specific }.into(),
            Signature::RsaPss { hash: specific }.into(),
            Signature::Ecdsa { hash: specific }.into(),
            Signature::DeterministicEcdsa { hash: specific }.into(),
            Signature::HashMlDsa { hash: specific }.into(),
            Signature::Dsa { hash: specific }.into(),
            Encryption::RsaOaep { hash }.into(),
            Algorithm::Mac(Mac { kind: MacKind::Hmac { hash }, len: None }),
            Algorithm::Mac(Mac { kind: MacKind::Hmac { hash }, len: Some(12) }),
        ]);
    }
    all.extend([MacKind::Cmac, MacKind::CbcMac].map(|kind| Algorithm::Mac(Mac { kind, len: None })));
    all.push(Algorithm::Mac(Mac { kind: MacKind::Cmac, len: Some(8) }));
    all.extend(Cipher::ALL.iter().map(|&cipher| Algorithm::Cipher(cipher)));
    for &kind in AeadKind::ALL {
        all.extend([None, Some(8), Some(12), Some(3)].map(|tag_len| Algorithm::Aead(Aead { kind, tag_len })));
    }
    all
}

struct Under<'a> {
    client: &'a Client,
    provider: ProviderId,
}

impl Under<'_> {
    fn call<O: Operation>(&self, op: &O) -> Result<O::Output, Error> {
        self.client.call(self.provider, op)
    }

    fn status<O: Operation>(&self, op: &O) -> Status {
        match self.call(op) {
            Ok(_) => Status::Success,
            Err(error) => error.status().unwrap_or_else(|| panic!("{:?}: {error}", O::OPCODE)),
        }
    }

    fn can(&self, check: CheckType, attributes: &Attributes) -> bool {
        match self.status(&CanDoCrypto { check_type: check.into(), attributes: Some(attributes.into()) }) {
            Status::Success => true,
            Status::PsaErrorNotSupported => false,
            other => panic!("CanDoCrypto {check:?} {attributes:?} answered {other:?}"),
        }
    }

    fn lists(&self, opcode: Opcode) -> bool {
        self.opcodes().contains(&format!("{opcode:?}"))
    }

    /// The names of what the provider lists, in the order of their numbers.
    fn opcodes(&self) -> Vec<String> {
        let list = ListOpcodes { provider_id: self.provider.number().into() };
        let mut opcodes = self.client.call(ProviderId::CORE, &list).unwrap().opcodes;
        opcodes.sort_unstable();
        opcodes.into_iter().map(|number| format!("{:?}", Opcode::try_from(number).unwrap())).collect()
    }

    fn generate(&self, name: &str, attributes: &Attributes) -> Status {
        self.status(&GenerateKey { key_name: name.to_owned(), attributes: Some(attributes.into()), ..GenerateKey::default() })
    }

    fn destroy(&self, name: &str) {
        self.call(&DestroyKey { key_name: name.to_owned(), owner: None }).unwrap();
    }
}

fn each_provider(test: impl Fn(Under<'_>)) {
    let mut configured = vec![CONFIG, HSM, TPM];
    if may_lock_memory() {
        configured.push(TPM_SEALED);
    }
    let service = Service::with_config(&configured.concat());
    let client = service.client();
    let away = || client.providers().unwrap().into_iter().any(|(_, info)| !info.away.is_empty());
    eventually("all providers", || (!away()).then_some(()));
    let providers = client.providers().unwrap();
    assert_eq!(providers.len(), configured.len());
    for (provider, _) in providers {
        test(Under { client: &client, provider });
    }
}

fn attributes(key_type: KeyType, bits: u32, algorithm: Algorithm) -> Attributes {
    Attributes { key_type, bits, policy: Policy { usage: Usage::ALL, algorithm, also: Vec::new() } }
}

/// What a provider lists and can do, each of which is tried.
fn abilities(under: &Under<'_>) -> Vec<String> {
    let mut abilities = under.opcodes();
    for &(key_type, sizes) in TYPES {
        for &bits in sizes {
            for algorithm in algorithms() {
                let attributes = attributes(key_type, bits, algorithm);
                let context = format!("{key_type:?} {bits} {algorithm:?}");
                let checks = [CheckType::Use, CheckType::Generate, CheckType::Import, CheckType::Derive];
                let checks: Vec<_> = checks.into_iter().filter(|check| under.can(*check, &attributes)).collect();
                if !checks.is_empty() {
                    abilities.push(format!("{context}: {checks:?}"));
                }
                // A private key is slow to make where it is RSA; one that can be made and used is made and used.
                if checks.contains(&CheckType::Use) && checks.contains(&CheckType::Generate) {
                    assert_eq!(under.generate("k", &attributes), Status::Success, "{context}");
                    exercise(under, "k", &attributes, &context);
                    under.destroy("k");
                }
            }
        }
    }
    abilities
}

#[test]
fn what_can_be_done_works_and_is_what_the_list_says() {
    each_provider(|under| pinned(under.provider.name(), &abilities(&under)));
}

#[test]
fn what_a_second_token_can_do_works_too() {
    let Some(library) = Kryoptic::library() else { return };
    let folder = tempfile::tempdir().unwrap();
    let token = Kryoptic::new(folder.path().join("kryoptic"), &library);
    let config = HSM.replace("{library}", library.to_str().unwrap()).replace("{token}", SoftHsm::LABEL);
    let service = Setup::default().config(format!("{CONFIG}{config}")).env("KRYOPTIC_CONF", token.conf()).start();
    let client = service.client();
    let away = || client.providers().unwrap().into_iter().any(|(_, info)| !info.away.is_empty());
    eventually("the token", || (!away()).then_some(()));
    let under = Under { client: &client, provider: ProviderId::PKCS11 };
    pinned("pkcs11-kryoptic", &abilities(&under));
}

#[test]
fn what_cannot_be_generated_is_refused_as_unsupported() {
    each_provider(|under| {
        for &(key_type, sizes) in TYPES {
            for &bits in sizes {
                let attributes = attributes(key_type, bits, Algorithm::None);
                if !under.can(CheckType::Generate, &attributes) {
                    let status = under.generate("k", &attributes);
                    assert!(
                        matches!(
                            status,
                            Status::PsaErrorNotSupported | Status::PsaErrorInvalidArgument | Status::DeprecatedPrimitive
                        ),
                        "{key_type:?} {bits}: {status:?}"
                    );
                }
            }
        }
    });
}

#[test]
fn a_key_does_only_what_its_policy_says() {
    each_provider(|under| {
        let hash = SignHash::Specific(Hash::Sha256);
        let mut policy = attributes(KeyType::EccKeyPair(EccFamily::SecpR1), 256, Signature::Ecdsa { hash }.into());
        policy.policy.usage = Usage::SIGN_HASH;
        assert_eq!(under.generate("k", &policy), Status::Success);
        let sign = |alg: Signature| interface::operations::SignHash {
            key_name: "k".to_owned(),
            alg: Some(alg.into()),
            hash: vec![1; 32],
            ..Default::default()
        };
        assert_eq!(under.status(&sign(Signature::Ecdsa { hash })), Status::Success);
        assert_eq!(under.status(&sign(Signature::EcdsaAny)), Status::PsaErrorNotPermitted);
        assert_eq!(
            under.status(&sign(Signature::Ecdsa { hash: SignHash::Specific(Hash::Sha512_256) })),
            Status::PsaErrorNotPermitted
        );
        assert_eq!(under.status(&sign(Signature::Ecdsa { hash: SignHash::Any })), Status::PsaErrorNotPermitted);
        let verify = VerifyHash {
            key_name: "k".to_owned(),
            alg: sign(Signature::Ecdsa { hash }).alg,
            hash: vec![1; 32],
            signature: vec![1; 64],
            ..Default::default()
        };
        assert_eq!(under.status(&verify), Status::PsaErrorNotPermitted, "usage");
        let refused = if under.lists(Opcode::ExportKey) { Status::PsaErrorNotPermitted } else { Status::PsaErrorNotSupported };
        assert_eq!(under.status(&ExportKey { key_name: "k".to_owned(), owner: None }), refused);
        assert_eq!(under.status(&ExportPublicKey { key_name: "k".to_owned(), owner: None }), Status::Success);
        // sign_hash implies sign_message
        let message = SignMessage {
            key_name: "k".to_owned(),
            alg: sign(Signature::Ecdsa { hash }).alg,
            message: vec![1],
            ..Default::default()
        };
        assert_eq!(under.status(&message), Status::Success);
    });
}

#[test]
fn names_are_unique_and_destroyed_names_are_free() {
    each_provider(|under| {
        let policy = attributes(KeyType::EccKeyPair(EccFamily::SecpR1), 256, Agreement::Ecdh.into());
        assert_eq!(under.generate("k", &policy), Status::Success);
        assert_eq!(under.generate("k", &policy), Status::PsaErrorAlreadyExists);
        under.destroy("k");
        let gone = DestroyKey { key_name: "k".to_owned(), owner: None };
        assert_eq!(under.status(&gone), Status::PsaErrorDoesNotExist);
        assert_eq!(under.generate("k", &policy), Status::Success);
        assert_eq!(under.generate("", &policy), Status::PsaErrorInvalidArgument);
    });
}

#[test]
fn import_and_export_give_back_the_same_key() {
    each_provider(|under| {
        // that of the TPM exports nothing but what was never in the chip
        if !under.lists(Opcode::ExportKey) || under.provider == ProviderId::TPM {
            return;
        }
        for (key_type, bits, algorithm) in [
            (KeyType::Aes, 128, Cipher::Ctr.into()),
            (KeyType::EccKeyPair(EccFamily::SecpR1), 384, Signature::Ecdsa { hash: SignHash::Any }.into()),
            (KeyType::RsaKeyPair, 2048, Signature::RsaPss { hash: SignHash::Any }.into()),
        ] {
            let wanted = attributes(key_type, bits, algorithm);
            assert_eq!(under.generate("k", &wanted), Status::Success);
            let export = |name: &str| under.call(&ExportKey { key_name: name.to_owned(), owner: None }).unwrap().data.clone();
            let data = export("k");
            let deduced = Attributes { bits: 0, ..wanted.clone() };
            let import = |data: Vec<u8>| ImportKey {
                key_name: "copy".to_owned(),
                attributes: Some((&deduced).into()),
                data,
                label: None,
                id: None,
                volatile: false,
                pkcs11: vec![],
            };
            assert_eq!(under.status(&import(vec![1; 7])), Status::PsaErrorInvalidArgument, "{key_type:?}");
            assert_eq!(under.status(&import(data.clone())), Status::Success, "{key_type:?}");
            assert_eq!(export("copy"), data, "{key_type:?}");
            let record = under.client.lookup(under.provider, None, "copy").unwrap();
            assert_eq!(record.attributes, Some((&wanted).into()), "{key_type:?}: the size is deduced");
            under.destroy("k");
            under.destroy("copy");
        }
    });
}

/// As with upstream's service. The size of an imported key may be left to its data.
#[test]
fn what_is_deprecated_is_not_made_without_leave_but_imported() {
    each_provider(|under| {
        if under.provider != ProviderId::SOFTWARE {
            return;
        }
        let wanted = attributes(KeyType::Des, 192, Cipher::CbcNoPadding.into());
        assert_eq!(under.generate("k", &wanted), Status::DeprecatedPrimitive);
        for bits in [0, 192] {
            let (key_name, attributes) = ("k".to_owned(), Some((&Attributes { bits, ..wanted.clone() }).into()));
            let (label, id, volatile, pkcs11) = Default::default();
            let import = ImportKey { key_name, attributes, data: (0..24).collect(), label, id, volatile, pkcs11 };
            assert_eq!(under.status(&import), Status::Success, "{bits}");
            under.destroy("k");
        }
    });
}

#[test]
fn hashes_and_random() {
    each_provider(|under| {
        let compute = HashCompute { alg: Hash::Sha256.into(), input: b"abc".to_vec() };
        let hash = under.call(&compute).unwrap().hash;
        assert_eq!(hash[..4], [0xba, 0x78, 0x16, 0xbf]);
        let compare = |hash: Vec<u8>| under.status(&HashCompare { alg: Hash::Sha256.into(), input: b"abc".to_vec(), hash });
        assert_eq!(compare(hash.clone()), Status::Success);
        assert_eq!(compare(vec![0; 32]), Status::PsaErrorInvalidSignature);
        assert_eq!(under.status(&HashCompute { alg: 77, input: Vec::new() }), Status::InvalidEncoding);
        for size in [0, 1, 100_000] {
            let random = under.call(&GenerateRandom { size }).unwrap().random_bytes.clone();
            assert_eq!(random.len() as u64, size);
        }
        assert_eq!(under.status(&GenerateRandom { size: u64::MAX }), Status::ResponseTooLarge);
    });
}

#[test]
fn the_operations_of_this_table_are_listed() {
    each_provider(|under| {
        for opcode in [Opcode::GenerateKey, Opcode::SignHash, Opcode::CanDoCrypto, Opcode::Find] {
            assert!(under.lists(opcode), "{opcode:?}");
        }
        for (opcode, key_type, algorithm) in [
            (Opcode::MacCompute, KeyType::Hmac, Algorithm::Mac(Mac { kind: MacKind::Hmac { hash: Hash::Sha256 }, len: None })),
            (Opcode::AeadDecrypt, KeyType::Aes, Algorithm::Aead(Aead { kind: AeadKind::Gcm, tag_len: None })),
        ] {
            let can = under.can(CheckType::Use, &attributes(key_type, 256, algorithm));
            assert_eq!(under.lists(opcode), can, "{opcode:?}");
        }
    });
}
