//! One table of key types and algorithms, run against every provider of the service: what `CanDoCrypto` promises works, and what
//! it does not promise is refused as unsupported.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

use interface::algorithm::{
    Aead, AeadKind, Agreement, Algorithm, Cipher, Encryption, Hash, Mac, MacKind, SignHash,
    Signature,
};
use interface::attributes::{Attributes, EccFamily, KeyType, Policy, Usage};
use interface::client::{Client, Error};
use interface::operations::{
    AeadDecrypt, AeadEncrypt, AsymmetricDecrypt, AsymmetricEncrypt, CanDoCrypto, CheckType,
    CipherDecrypt, CipherEncrypt, DestroyKey, ExportKey, ExportPublicKey, GenerateKey,
    GenerateRandom, HashCompare, HashCompute, ImportKey, ListOpcodes, MacCompute, MacVerify,
    RawKeyAgreement, SignMessage, VerifyHash, VerifyMessage,
};
use interface::{Opcode, Operation, ProviderId, Status};
use tests::Service;

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
    (
        KeyType::EccKeyPair(EccFamily::SecpR1),
        &[192, 224, 256, 384, 521],
    ),
    (KeyType::EccKeyPair(EccFamily::SecpK1), &[192, 256]),
    (KeyType::EccKeyPair(EccFamily::BrainpoolPR1), &[256]),
    (KeyType::EccKeyPair(EccFamily::Montgomery), &[255, 448]),
    (KeyType::EccKeyPair(EccFamily::TwistedEdwards), &[255, 448]),
    (KeyType::EccPublicKey(EccFamily::SecpR1), &[256]),
];

/// Every concrete algorithm that a key can be used with.
fn algorithms() -> Vec<Algorithm> {
    let mut all = vec![
        Signature::RsaPkcs1v15Raw.into(),
        Signature::EcdsaAny.into(),
        Signature::PureEddsa.into(),
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
            Encryption::RsaOaep { hash }.into(),
            Algorithm::Mac(Mac {
                kind: MacKind::Hmac { hash },
                len: None,
            }),
            Algorithm::Mac(Mac {
                kind: MacKind::Hmac { hash },
                len: Some(12),
            }),
        ]);
    }
    all.extend(
        [MacKind::Cmac, MacKind::CbcMac].map(|kind| Algorithm::Mac(Mac { kind, len: None })),
    );
    all.push(Algorithm::Mac(Mac {
        kind: MacKind::Cmac,
        len: Some(8),
    }));
    all.extend(Cipher::ALL.iter().map(|&cipher| Algorithm::Cipher(cipher)));
    for &kind in AeadKind::ALL {
        all.extend(
            [None, Some(8), Some(12), Some(3)]
                .map(|tag_len| Algorithm::Aead(Aead { kind, tag_len })),
        );
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
            Err(error) => error
                .status()
                .unwrap_or_else(|| panic!("{:?}: {error}", O::OPCODE)),
        }
    }

    fn can(&self, check: CheckType, attributes: &Attributes) -> bool {
        match self.status(&CanDoCrypto {
            check_type: check.into(),
            attributes: Some(attributes.into()),
        }) {
            Status::Success => true,
            Status::PsaErrorNotSupported => false,
            other => panic!("CanDoCrypto {check:?} {attributes:?} answered {other:?}"),
        }
    }

    fn generate(&self, name: &str, attributes: &Attributes) -> Status {
        self.status(&GenerateKey {
            key_name: name.to_owned(),
            attributes: Some(attributes.into()),
            label: None,
            id: None,
        })
    }

    fn destroy(&self, name: &str) {
        self.call(&DestroyKey {
            key_name: name.to_owned(),
            owner: None,
        })
        .unwrap();
    }
}

fn each_provider(test: impl Fn(Under<'_>)) {
    let service = Service::start();
    let client = service.client();
    let providers = client.providers().unwrap();
    assert!(!providers.is_empty());
    for (provider, _) in providers {
        test(Under {
            client: &client,
            provider,
        });
    }
}

fn attributes(key_type: KeyType, bits: u32, algorithm: Algorithm) -> Attributes {
    Attributes {
        key_type,
        bits,
        policy: Policy {
            usage: Usage::ALL,
            algorithm,
            also: Vec::new(),
        },
    }
}

#[test]
fn what_can_be_done_works_and_what_cannot_is_refused() {
    each_provider(|under| {
        let (mut worked, mut refused) = (0, 0);
        for &(key_type, sizes) in TYPES {
            for &bits in sizes {
                for algorithm in algorithms() {
                    let attributes = attributes(key_type, bits, algorithm);
                    let context = format!("{key_type:?} {bits} {algorithm:?}");
                    if !under.can(CheckType::Use, &attributes) {
                        refused += 1;
                        continue;
                    }
                    // A private key is slow to make where it is RSA; one that can be made and used is made and used.
                    if under.can(CheckType::Generate, &attributes) {
                        assert_eq!(
                            under.generate("k", &attributes),
                            Status::Success,
                            "{context}"
                        );
                        exercise(&under, "k", &attributes, &context);
                        under.destroy("k");
                        worked += 1;
                    }
                }
            }
        }
        assert!(
            worked > 80 && refused > 500,
            "{}: {worked} worked, {refused} refused",
            under.provider
        );
    });
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
                            Status::PsaErrorNotSupported
                                | Status::PsaErrorInvalidArgument
                                | Status::DeprecatedPrimitive
                        ),
                        "{key_type:?} {bits}: {status:?}"
                    );
                }
            }
        }
    });
}

/// Uses a key in every way that its one algorithm has, and wrongly.
fn exercise(under: &Under<'_>, name: &str, attributes: &Attributes, context: &str) {
    match attributes.policy.algorithm {
        Algorithm::Signature(signature) => sign(under, name, signature, context),
        Algorithm::Encryption(encryption) => encrypt(under, name, encryption, context),
        Algorithm::Aead(aead) => seal(under, name, aead, context),
        Algorithm::Cipher(cipher) => encipher(under, name, cipher, context),
        Algorithm::Mac(mac) => authenticate(under, name, mac, context),
        Algorithm::Agreement(agreement) => agree(under, name, agreement, attributes, context),
        other => panic!("{context}: {other:?} is not in the table"),
    }
}

fn sign(under: &Under<'_>, name: &str, signature: Signature, context: &str) {
    let (key_name, alg, owner) = (name.to_owned(), Some(signature.into()), None::<String>);
    let message = b"a message".to_vec();
    if signature != Signature::RsaPkcs1v15Raw && signature != Signature::EcdsaAny {
        let op = SignMessage {
            key_name: key_name.clone(),
            alg: alg.clone(),
            message: message.clone(),
            owner: owner.clone(),
        };
        let signed = under
            .call(&op)
            .unwrap_or_else(|error| panic!("{context}: {error}"))
            .signature;
        let verify = |message: &[u8], signature: &[u8]| {
            let (message, signature) = (message.to_vec(), signature.to_vec());
            under.status(&VerifyMessage {
                key_name: key_name.clone(),
                alg: alg.clone(),
                message,
                signature,
                owner: owner.clone(),
            })
        };
        assert_eq!(verify(&message, &signed), Status::Success, "{context}");
        assert_eq!(
            verify(b"another", &signed),
            Status::PsaErrorInvalidSignature,
            "{context}"
        );
        assert_eq!(
            verify(&message, &signed[1..]),
            Status::PsaErrorInvalidSignature,
            "{context}"
        );
    }
    if signature == Signature::PureEddsa {
        return;
    }
    let hash = vec![0x5a; signature.hash().map_or(32, Hash::len)];
    let op = interface::operations::SignHash {
        key_name: key_name.clone(),
        alg: alg.clone(),
        hash: hash.clone(),
        owner: owner.clone(),
    };
    let signed = under
        .call(&op)
        .unwrap_or_else(|error| panic!("{context}: {error}"))
        .signature;
    let verify = |hash: &[u8]| {
        let (hash, signature) = (hash.to_vec(), signed.clone());
        under.status(&VerifyHash {
            key_name: key_name.clone(),
            alg: alg.clone(),
            hash,
            signature,
            owner: owner.clone(),
        })
    };
    assert_eq!(verify(&hash), Status::Success, "{context}");
    assert_eq!(
        verify(&vec![0x5b; hash.len()]),
        Status::PsaErrorInvalidSignature,
        "{context}"
    );
    if signature.hash().is_some() {
        let short = interface::operations::SignHash {
            hash: hash[1..].to_vec(),
            ..op
        };
        assert_eq!(
            under.status(&short),
            Status::PsaErrorInvalidArgument,
            "{context}: a hash of the wrong length"
        );
    }
}

fn encrypt(under: &Under<'_>, name: &str, encryption: Encryption, context: &str) {
    let label: &[u8] = if matches!(encryption, Encryption::RsaOaep { .. }) {
        b"label"
    } else {
        b""
    };
    let alg = Some(encryption.into());
    let op = AsymmetricEncrypt {
        key_name: name.to_owned(),
        alg,
        plaintext: b"secret".to_vec(),
        salt: label.to_vec(),
        owner: None,
    };
    let ciphertext = under
        .call(&op)
        .unwrap_or_else(|error| panic!("{context}: {error}"))
        .ciphertext;
    let decrypt = |ciphertext: &[u8], salt: &[u8]| {
        let (ciphertext, salt) = (ciphertext.to_vec(), salt.to_vec());
        under.call(&AsymmetricDecrypt {
            key_name: name.to_owned(),
            alg: Some(encryption.into()),
            ciphertext,
            salt,
            owner: None,
        })
    };
    assert_eq!(
        decrypt(&ciphertext, label).unwrap().plaintext,
        b"secret",
        "{context}"
    );
    let mut wrong = ciphertext.clone();
    wrong[100] ^= 1;
    match encryption {
        // Implicit rejection: a wrong padding yields some other plaintext, always the same one.
        Encryption::RsaPkcs1v15 => {
            let first = decrypt(&wrong, label).unwrap();
            assert_ne!(first.plaintext, b"secret", "{context}");
            assert_eq!(first, decrypt(&wrong, label).unwrap(), "{context}");
        }
        Encryption::RsaOaep { .. } => {
            assert!(
                decrypt(&wrong, label).unwrap_err().status().is_some(),
                "{context}"
            );
            assert!(
                decrypt(&ciphertext, b"other")
                    .unwrap_err()
                    .status()
                    .is_some(),
                "{context}"
            );
        }
    }
}

fn seal(under: &Under<'_>, name: &str, aead: Aead, context: &str) {
    let (key_name, nonce, additional_data) = (name.to_owned(), vec![7; 12], b"header".to_vec());
    let plaintext = b"sixteen and more bytes".to_vec();
    let op = AeadEncrypt {
        key_name: key_name.clone(),
        alg: Some(aead.into()),
        nonce: nonce.clone(),
        additional_data: additional_data.clone(),
        plaintext: plaintext.clone(),
        owner: None,
    };
    let ciphertext = under
        .call(&op)
        .unwrap_or_else(|error| panic!("{context}: {error}"))
        .ciphertext;
    assert_eq!(
        ciphertext.len(),
        plaintext.len() + aead.tag_len.unwrap_or(16) as usize,
        "{context}"
    );
    let open = |ciphertext: Vec<u8>, additional_data: &[u8]| {
        let (nonce, additional_data) = (nonce.clone(), additional_data.to_vec());
        under.call(&AeadDecrypt {
            key_name: key_name.clone(),
            alg: Some(aead.into()),
            nonce,
            additional_data,
            ciphertext,
            owner: None,
        })
    };
    assert_eq!(
        open(ciphertext.clone(), &additional_data)
            .unwrap()
            .plaintext,
        plaintext,
        "{context}"
    );
    let mut wrong = ciphertext.clone();
    wrong[0] ^= 1;
    for refused in [
        open(wrong, &additional_data),
        open(ciphertext.clone(), b"other"),
        open(ciphertext[..3].to_vec(), &additional_data),
    ] {
        let status = refused.unwrap_err().status().unwrap();
        assert!(
            matches!(
                status,
                Status::PsaErrorInvalidSignature | Status::PsaErrorInvalidArgument
            ),
            "{context}: {status:?}"
        );
    }
}

fn encipher(under: &Under<'_>, name: &str, cipher: Cipher, context: &str) {
    let encrypt = |plaintext: &[u8]| {
        under.call(&CipherEncrypt {
            key_name: name.to_owned(),
            alg: cipher.into(),
            plaintext: plaintext.to_vec(),
            owner: None,
        })
    };
    let decrypt = |ciphertext: Vec<u8>| {
        under.call(&CipherDecrypt {
            key_name: name.to_owned(),
            alg: cipher.into(),
            ciphertext,
            owner: None,
        })
    };
    let blocks = [0x42; 48];
    let first = encrypt(&blocks)
        .unwrap_or_else(|error| panic!("{context}: {error}"))
        .ciphertext;
    assert_eq!(
        decrypt(first.clone()).unwrap().plaintext,
        blocks,
        "{context}"
    );
    let second = encrypt(&blocks).unwrap().ciphertext;
    assert_eq!(
        first == second,
        cipher == Cipher::EcbNoPadding,
        "{context}: every encryption has its own IV"
    );
    let odd = encrypt(&blocks[..17]);
    if matches!(cipher, Cipher::EcbNoPadding | Cipher::CbcNoPadding) {
        assert_eq!(
            odd.unwrap_err().status(),
            Some(Status::PsaErrorInvalidArgument),
            "{context}"
        );
    } else {
        assert_eq!(
            decrypt(odd.unwrap().ciphertext).unwrap().plaintext,
            blocks[..17],
            "{context}"
        );
    }
}

fn authenticate(under: &Under<'_>, name: &str, mac: Mac, context: &str) {
    let (key_name, alg, input) = (name.to_owned(), Some(mac.into()), b"a message".to_vec());
    let compute = MacCompute {
        key_name: key_name.clone(),
        alg: alg.clone(),
        input: input.clone(),
        owner: None,
    };
    let computed = under
        .call(&compute)
        .unwrap_or_else(|error| panic!("{context}: {error}"))
        .mac;
    if let Some(len) = mac.len {
        assert_eq!(computed.len(), len as usize, "{context}");
    }
    let verify = |input: &[u8], mac: &[u8]| {
        let (input, mac) = (input.to_vec(), mac.to_vec());
        under.status(&MacVerify {
            key_name: key_name.clone(),
            alg: alg.clone(),
            input,
            mac,
            owner: None,
        })
    };
    assert_eq!(verify(&input, &computed), Status::Success, "{context}");
    assert_eq!(
        verify(b"another", &computed),
        Status::PsaErrorInvalidSignature,
        "{context}"
    );
    assert_eq!(
        verify(&input, &computed[1..]),
        Status::PsaErrorInvalidSignature,
        "{context}"
    );
}

fn agree(
    under: &Under<'_>,
    name: &str,
    agreement: Agreement,
    attributes: &Attributes,
    context: &str,
) {
    assert_eq!(
        under.generate("peer", attributes),
        Status::Success,
        "{context}"
    );
    let public = |name: &str| {
        under
            .call(&ExportPublicKey {
                key_name: name.to_owned(),
                owner: None,
            })
            .unwrap()
            .data
            .clone()
    };
    let secret = |name: &str, peer_key: Vec<u8>| {
        under.call(&RawKeyAgreement {
            alg: agreement.into(),
            key_name: name.to_owned(),
            peer_key,
            owner: None,
        })
    };
    let mine = secret(name, public("peer")).unwrap_or_else(|error| panic!("{context}: {error}"));
    assert_eq!(mine, secret("peer", public(name)).unwrap(), "{context}");
    assert!(
        secret(name, vec![4; 5]).unwrap_err().status().is_some(),
        "{context}"
    );
    under.destroy("peer");
}

#[test]
fn a_key_does_only_what_its_policy_says() {
    each_provider(|under| {
        let hash = SignHash::Specific(Hash::Sha256);
        let mut policy = attributes(
            KeyType::EccKeyPair(EccFamily::SecpR1),
            256,
            Signature::Ecdsa { hash }.into(),
        );
        policy.policy.usage = Usage::SIGN_HASH;
        assert_eq!(under.generate("k", &policy), Status::Success);
        let sign = |alg: Signature| interface::operations::SignHash {
            key_name: "k".to_owned(),
            alg: Some(alg.into()),
            hash: vec![1; 32],
            owner: None,
        };
        assert_eq!(
            under.status(&sign(Signature::Ecdsa { hash })),
            Status::Success
        );
        assert_eq!(
            under.status(&sign(Signature::EcdsaAny)),
            Status::PsaErrorNotPermitted
        );
        assert_eq!(
            under.status(&sign(Signature::Ecdsa {
                hash: SignHash::Specific(Hash::Sha512_256)
            })),
            Status::PsaErrorNotPermitted
        );
        assert_eq!(
            under.status(&sign(Signature::Ecdsa {
                hash: SignHash::Any
            })),
            Status::PsaErrorNotPermitted
        );
        let verify = VerifyHash {
            key_name: "k".to_owned(),
            alg: sign(Signature::Ecdsa { hash }).alg,
            hash: vec![1; 32],
            signature: vec![1; 64],
            owner: None,
        };
        assert_eq!(under.status(&verify), Status::PsaErrorNotPermitted, "usage");
        assert_eq!(
            under.status(&ExportKey {
                key_name: "k".to_owned(),
                owner: None
            }),
            Status::PsaErrorNotPermitted
        );
        assert_eq!(
            under.status(&ExportPublicKey {
                key_name: "k".to_owned(),
                owner: None
            }),
            Status::Success
        );
        // sign_hash implies sign_message
        let message = SignMessage {
            key_name: "k".to_owned(),
            alg: sign(Signature::Ecdsa { hash }).alg,
            message: vec![1],
            owner: None,
        };
        assert_eq!(under.status(&message), Status::Success);
    });
}

#[test]
fn names_are_unique_and_destroyed_names_are_free() {
    each_provider(|under| {
        let policy = attributes(KeyType::Aes, 256, Cipher::Ctr.into());
        assert_eq!(under.generate("k", &policy), Status::Success);
        assert_eq!(under.generate("k", &policy), Status::PsaErrorAlreadyExists);
        under.destroy("k");
        let gone = DestroyKey {
            key_name: "k".to_owned(),
            owner: None,
        };
        assert_eq!(under.status(&gone), Status::PsaErrorDoesNotExist);
        assert_eq!(under.generate("k", &policy), Status::Success);
        assert_eq!(under.generate("", &policy), Status::PsaErrorInvalidArgument);
    });
}

#[test]
fn import_and_export_give_back_the_same_key() {
    each_provider(|under| {
        for (key_type, bits, algorithm) in [
            (KeyType::Aes, 128, Cipher::Ctr.into()),
            (
                KeyType::EccKeyPair(EccFamily::SecpR1),
                384,
                Signature::Ecdsa {
                    hash: SignHash::Any,
                }
                .into(),
            ),
            (
                KeyType::RsaKeyPair,
                2048,
                Signature::RsaPss {
                    hash: SignHash::Any,
                }
                .into(),
            ),
        ] {
            let wanted = attributes(key_type, bits, algorithm);
            assert_eq!(under.generate("k", &wanted), Status::Success);
            let export = |name: &str| {
                under
                    .call(&ExportKey {
                        key_name: name.to_owned(),
                        owner: None,
                    })
                    .unwrap()
                    .data
                    .clone()
            };
            let data = export("k");
            let deduced = Attributes {
                bits: 0,
                ..wanted.clone()
            };
            let import = |data: Vec<u8>| ImportKey {
                key_name: "copy".to_owned(),
                attributes: Some((&deduced).into()),
                data,
                label: None,
                id: None,
            };
            assert_eq!(
                under.status(&import(vec![1; 7])),
                Status::PsaErrorInvalidArgument,
                "{key_type:?}"
            );
            assert_eq!(
                under.status(&import(data.clone())),
                Status::Success,
                "{key_type:?}"
            );
            assert_eq!(export("copy"), data, "{key_type:?}");
            let record = under.client.lookup(under.provider, None, "copy").unwrap();
            assert_eq!(
                record.attributes,
                Some((&wanted).into()),
                "{key_type:?}: the size is deduced"
            );
            under.destroy("k");
            under.destroy("copy");
        }
    });
}

#[test]
fn hashes_and_random() {
    each_provider(|under| {
        let compute = HashCompute {
            alg: Hash::Sha256.into(),
            input: b"abc".to_vec(),
        };
        let hash = under.call(&compute).unwrap().hash;
        assert_eq!(hash[..4], [0xba, 0x78, 0x16, 0xbf]);
        let compare = |hash: Vec<u8>| {
            under.status(&HashCompare {
                alg: Hash::Sha256.into(),
                input: b"abc".to_vec(),
                hash,
            })
        };
        assert_eq!(compare(hash.clone()), Status::Success);
        assert_eq!(compare(vec![0; 32]), Status::PsaErrorInvalidSignature);
        assert_eq!(
            under.status(&HashCompute {
                alg: 77,
                input: Vec::new()
            }),
            Status::InvalidEncoding
        );
        for size in [0, 1, 100_000] {
            let random = under
                .call(&GenerateRandom { size })
                .unwrap()
                .random_bytes
                .clone();
            assert_eq!(random.len() as u64, size);
        }
        assert_eq!(
            under.status(&GenerateRandom { size: u64::MAX }),
            Status::ResponseTooLarge
        );
    });
}

#[test]
fn the_operations_of_this_table_are_listed() {
    each_provider(|under| {
        let listed = under
            .client
            .call(
                ProviderId::CORE,
                &ListOpcodes {
                    provider_id: under.provider.number().into(),
                },
            )
            .unwrap()
            .opcodes;
        for opcode in [
            Opcode::GenerateKey,
            Opcode::SignHash,
            Opcode::MacCompute,
            Opcode::AeadDecrypt,
            Opcode::CanDoCrypto,
            Opcode::Find,
        ] {
            assert!(listed.contains(&(opcode as u32)), "{opcode:?}");
        }
    });
}
