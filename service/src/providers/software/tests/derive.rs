//! Keys out of other keys.

use super::{P256, X25519, generate, hex, import, status};
use crate::error::Result;
use crate::providers::software::derive::x963;
use crate::providers::software::key::ParsedKey;
use interface::Status;
use interface::algorithm::{Agreement, Algorithm, Cipher, Derivation, Hash, KeyAgreement};
use interface::attributes::KeyType;
use interface::operations::{DeriveKey, HkdfStep};
use lc::{Md, Secret};

fn derive(base: &ParsedKey, algorithm: impl Into<Algorithm>, op: &DeriveKey, len: usize) -> Result<Secret> {
    base.derive(algorithm.into(), op, None, (len > 0).then_some(len))
}

fn secret(value: &[u8]) -> ParsedKey {
    import(KeyType::Hmac, value).unwrap()
}

/// RFC 5869 §A.1, A.3 and A.4.
#[test]
fn hkdf_vectors() {
    let sha256 = Derivation::Hkdf { hash: Hash::Sha256 };
    let base = secret(&[0x0b; 22]);
    let op = DeriveKey { salt: hex("000102030405060708090a0b0c"), data: hex("f0f1f2f3f4f5f6f7f8f9"), ..DeriveKey::default() };
    let okm = hex("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
    assert_eq!(*derive(&base, sha256, &op, 42).unwrap(), okm);
    let extract = DeriveKey { step: Some(HkdfStep::Extract.into()), ..op.clone() };
    let prk = derive(&base, sha256, &extract, 0).unwrap();
    assert_eq!(*prk, hex("077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5"));
    let expand = DeriveKey { step: Some(HkdfStep::Expand.into()), ..op.clone() };
    assert_eq!(*derive(&secret(&prk), sha256, &expand, 42).unwrap(), okm);
    let salted = base.derive(sha256.into(), &DeriveKey { salt: vec![], ..op.clone() }, Some(&secret(&op.salt)), Some(42));
    assert_eq!(*salted.unwrap(), okm, "the salt as a key");
    let plain = derive(&base, sha256, &DeriveKey::default(), 42).unwrap();
    assert_eq!(*plain, hex("8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"));
    let sha1 = derive(&secret(&[0x0b; 11]), Derivation::Hkdf { hash: Hash::Sha1 }, &op, 42).unwrap();
    assert_eq!(*sha1, hex("085a01ea1b10f36933068b56efa5ad81a4f14b822f5b091568a9cdd4f155fda2c22e422478d305f3f896"));
    for (op, len) in [(&op, 255 * 32 + 1), (&op, 0), (&extract, 33)] {
        assert_eq!(status(derive(&base, sha256, op, len)), Status::PsaErrorInvalidArgument);
    }
}

/// The first cases of NIST's CAVS 12.0 for ANSI X9.63.
#[test]
fn x963_vectors() {
    for (md, secret, key) in [
        (Md::SHA1, "1c7d7b5f0597b03d06a018466ed1a93e30ed4b04dc64ccdd", "bf71dffd8f4d99223936beb46fee8ccc"),
        (Md::SHA256, "96c05619d56c328ab95fe84b18264b08725b85e33fd34f08", "443024c3dae66b95e6f5670601558f71"),
    ] {
        assert_eq!(*x963(md, &hex(secret), b"", 16).unwrap(), hex(key));
    }
}

#[test]
fn both_sides_derive_the_same_key_with_every_hash() {
    for (key_type, bits) in [(P256, 192), (P256, 256), (P256, 384), (P256, 521), (X25519, 255)] {
        let (a, b) = (generate(key_type, bits), generate(key_type, bits));
        let to =
            |peer: &ParsedKey| DeriveKey { peer_key: peer.public().unwrap(), data: b"shared".to_vec(), ..DeriveKey::default() };
        for hash in [Hash::Sha1, Hash::Sha224, Hash::Sha256, Hash::Sha384, Hash::Sha512] {
            let algorithm = Algorithm::Agreement(KeyAgreement::WithKeyDerivation(Agreement::Ecdh, Derivation::X963 { hash }));
            let key = derive(&a, algorithm, &to(&b), 100).unwrap();
            assert_eq!(key, derive(&b, algorithm, &to(&a), 100).unwrap());
            let other = DeriveKey { data: vec![], ..to(&b) };
            assert_ne!(key, derive(&a, algorithm, &other, 100).unwrap(), "the shared data counts");
            assert_eq!(key[..10], derive(&a, algorithm, &to(&b), 10).unwrap()[..]);
        }
        let whole = a.agree(Agreement::Ecdh, &b.public().unwrap()).unwrap();
        let cut = derive(&a, Agreement::Ecdh, &to(&b), 16).unwrap();
        assert_eq!(cut[..], whole[whole.len() - 16..], "the first bytes fall away");
        assert_eq!(status(derive(&a, Agreement::Ecdh, &to(&b), 67)), Status::PsaErrorInvalidArgument);
    }
}

#[test]
fn data_that_is_hashed_for_each_block_is_bounded() {
    let pair = generate(P256, 256);
    let x963 = Algorithm::Agreement(KeyAgreement::WithKeyDerivation(Agreement::Ecdh, Derivation::X963 { hash: Hash::Sha256 }));
    let hkdf = Algorithm::Derivation(Derivation::Hkdf { hash: Hash::Sha256 });
    for (base, algorithm) in [(&pair, x963), (&secret(&[1; 32]), hkdf)] {
        let with = |len| {
            let op = DeriveKey { peer_key: pair.public().unwrap(), data: vec![0; len], ..DeriveKey::default() };
            status(derive(base, algorithm, &op, 100))
        };
        assert_eq!([with(16 << 10), with((16 << 10) + 1)], [Status::Success, Status::PsaErrorInvalidArgument]);
    }
}

#[test]
fn concatenations_are_never_cut() {
    let (base, other) = (secret(b"base"), secret(b"other"));
    let op = DeriveKey { data: b"data".to_vec(), ..DeriveKey::default() };
    let first = DeriveKey { data_first: true, ..op.clone() };
    let join = |op: &DeriveKey, len| base.derive(Derivation::Concatenate.into(), op, None, len);
    assert_eq!(*join(&op, None).unwrap(), b"basedata");
    assert_eq!(*join(&first, Some(8)).unwrap(), b"database");
    let with = base.derive(Derivation::Concatenate.into(), &DeriveKey::default(), Some(&other), None);
    assert_eq!(*with.unwrap(), b"baseother");
    for len in [1, 7, 9] {
        assert_eq!(status(join(&op, Some(len))), Status::PsaErrorInvalidArgument);
    }
}

#[test]
fn encryption_and_digests_make_keys() {
    let aes = import(KeyType::Aes, &hex("2b7e151628aed2a6abf7158809cf4f3c")).unwrap();
    // SP 800-38A §F.1.1 and §F.2.1
    let data = hex("6bc1bee22e409f96e93d7e117393172a");
    let ecb = Derivation::Encrypt(Cipher::EcbNoPadding);
    let op = DeriveKey { data: data.clone(), ..DeriveKey::default() };
    assert_eq!(*derive(&aes, ecb, &op, 16).unwrap(), hex("3ad77bb40d7a3660a89ecaf32466ef97"));
    let cbc = Derivation::Encrypt(Cipher::CbcNoPadding);
    let op = DeriveKey { data, salt: hex("000102030405060708090a0b0c0d0e0f"), ..DeriveKey::default() };
    assert_eq!(*derive(&aes, cbc, &op, 0).unwrap(), hex("7649abac8119b246cee98e9b12e9197d"));
    assert_eq!(status(derive(&aes, cbc, &op, 17)), Status::PsaErrorInvalidArgument, "too little data");
    assert_eq!(status(derive(&aes, ecb, &op, 16)), Status::PsaErrorInvalidArgument, "no IV");
    let digest = derive(&secret(b"abc"), Derivation::Digest { hash: Hash::Sha256 }, &DeriveKey::default(), 4).unwrap();
    assert_eq!(*digest, hex("ba7816bf"));
    assert_eq!(status(derive(&secret(b"abc"), ecb, &op, 16)), Status::PsaErrorInvalidArgument);
    let tls = Derivation::Tls12Prf { hash: Hash::Sha256 };
    assert_eq!(status(derive(&secret(b"abc"), tls, &op, 16)), Status::PsaErrorNotSupported);
}
