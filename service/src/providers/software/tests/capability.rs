//! What is promised runs, and what is not promised is refused.

use super::{P256, SHA256, X25519, attributes, generate, status};
use crate::providers::software::capability::can_do;
use interface::Status;
use interface::algorithm::{Aead, AeadKind, Agreement, Algorithm, Cipher, Hash, Mac, MacKind, SignHash, Signature};
use interface::attributes::{Attributes, KeyType, Policy, Usage};
use interface::operations::CheckType::{self, Derive, Generate, Import, Use};

fn can(check: CheckType, key_type: KeyType, bits: u32, algorithm: impl Into<Algorithm>) -> bool {
    let policy = Policy { usage: Usage::ALL, algorithm: algorithm.into(), also: Vec::new() };
    let asked = Attributes { policy, ..attributes(key_type, bits) };
    match status(can_do(check, &asked, false)) {
        Status::Success => true,
        other => {
            assert_eq!(other, Status::PsaErrorNotSupported);
            false
        }
    }
}

#[test]
fn keys_and_algorithms() {
    let ecdsa = Signature::Ecdsa { hash: SignHash::Any };
    for check in [Use, Generate, Import] {
        assert!(can(check, P256, 256, ecdsa));
        assert!(can(check, KeyType::RsaKeyPair, 3072, Signature::RsaPkcs1v15Raw));
        assert!(!can(check, P256, 512, ecdsa));
        assert!(!can(check, P256, 256, Signature::RsaPss { hash: SHA256 }));
        assert!(!can(check, P256, 256, Signature::DeterministicEcdsa { hash: SHA256 }));
        assert!(!can(check, KeyType::Camellia, 256, Algorithm::None));
    }
    assert!(!can(Derive, P256, 256, ecdsa));
    assert!(can(Import, KeyType::RsaKeyPair, 2056, Algorithm::None));
    assert!(!can(Generate, KeyType::RsaKeyPair, 2056, Algorithm::None));
    assert!(!can(Generate, KeyType::RsaPublicKey, 2048, Algorithm::None));
    assert!(can(Import, KeyType::RsaPublicKey, 0, Algorithm::None));
    assert!(can(Import, X25519, 0, Agreement::Ecdh));
    assert!(!can(Use, X25519, 0, Agreement::Ecdh));
}

#[test]
fn sha1_signs_and_short_keys_are_made_only_where_deprecated_primitives_are_permitted() {
    let algorithm = Signature::RsaPss { hash: Hash::Sha1.into() }.into();
    for (usage, deprecated) in [(Usage::VERIFY, Status::Success), (Usage::ALL, Status::PsaErrorNotSupported)] {
        let policy = Policy { usage, algorithm, also: Vec::new() };
        let asked = Attributes { policy, ..attributes(KeyType::RsaPublicKey, 2048) };
        assert_eq!(status(can_do(Use, &asked, false)), deprecated);
        assert_eq!(status(can_do(Use, &asked, true)), Status::Success);
    }
    let short = attributes(KeyType::RsaKeyPair, 1024);
    assert_eq!(status(can_do(Generate, &short, false)), Status::PsaErrorNotSupported);
    assert_eq!(status(can_do(Generate, &short, true)), Status::Success);
}

#[test]
fn a_promise_is_what_runs() {
    let (hmac, aes) = (generate(KeyType::Hmac, 256), generate(KeyType::Aes, 192));
    for &hash in Hash::ALL {
        let mac = Mac { kind: MacKind::Hmac { hash }, len: None };
        let promised = can(Use, KeyType::Hmac, 256, mac);
        assert_eq!(promised, hmac.mac(mac, b"message").is_ok(), "{hash:?}");
    }
    for &cipher in Cipher::ALL {
        let promised = can(Use, KeyType::Aes, 192, cipher);
        assert_eq!(promised, aes.cipher_encrypt(cipher, None, &[0; 32]).is_ok(), "{cipher:?}");
    }
    for &kind in AeadKind::ALL {
        let aead = Aead { kind, tag_len: Some(8) };
        let promised = can(Use, KeyType::Aes, 192, aead);
        assert_eq!(promised, aes.aead_encrypt(aead, &[0; 12], b"", b"").is_ok(), "{kind:?}");
    }
}
