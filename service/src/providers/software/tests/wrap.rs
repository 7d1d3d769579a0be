//! Keys that leave and come back.

use super::{ED25519, P256, PAIRS, attributes, generate, hex, import, status};
use interface::Status;
use interface::algorithm::{Algorithm, Cipher, Encryption, Hash};
use interface::attributes::KeyType;

const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// RFC 3394 §4.1, §4.4 and §4.6.
#[test]
fn key_wrap_vectors() {
    let data = "00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f";
    for (key, data, wrapped) in [
        (&KEY[..32], &data[..32], "1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5"),
        (&KEY[..48], &data[..48], "031d33264e15d33268f24ec260743edce1c6c7ddee725a936ba814915c6762d2"),
        (KEY, data, "28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21"),
    ] {
        let (key, secret) = (import(KeyType::Aes, &hex(key)).unwrap(), import(KeyType::Hmac, &hex(data)).unwrap());
        let algorithm = Cipher::KeyWrap.into();
        assert_eq!(key.wrap(algorithm, None, b"", &secret).unwrap(), hex(wrapped));
        let (found, back) = key.unwrap(algorithm, b"", &hex(wrapped), &attributes(KeyType::Hmac, 0)).unwrap();
        assert_eq!((found.bits as usize, back.bytes().unwrap()), (data.len() * 4, &hex(data)[..]));
    }
}

/// RFC 5649 §6.
#[test]
fn padded_key_wrap_vectors() {
    let key = import(KeyType::Aes, &hex("5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8")).unwrap();
    for (data, wrapped) in [
        ("c37b7e6492584340bed12207808941155068f738", "138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a"),
        ("466f7250617369", "afbeb0f07dfbf5419200f2ccb50bb24f"),
    ] {
        let secret = import(KeyType::Hmac, &hex(data)).unwrap();
        let algorithm = Cipher::KeyWrapPadded.into();
        assert_eq!(key.wrap(algorithm, None, b"", &secret).unwrap(), hex(wrapped));
        let (_, back) = key.unwrap(algorithm, b"", &hex(wrapped), &attributes(KeyType::Hmac, 0)).unwrap();
        assert_eq!(back.bytes().unwrap(), hex(data));
    }
}

fn algorithms() -> [Algorithm; 4] {
    let oaep = Encryption::RsaOaep { hash: Hash::Sha256 };
    [Cipher::KeyWrapPadded.into(), Cipher::CbcPkcs7.into(), oaep.into(), Encryption::RsaPkcs1v15.into()]
}

#[test]
fn every_kind_of_key_comes_back_as_it_was() {
    let (aes, rsa) = (generate(KeyType::Aes, 256), generate(KeyType::RsaKeyPair, 4096));
    let kinds = PAIRS.into_iter().chain([(KeyType::Aes, 256), (KeyType::Hmac, 136), (KeyType::ChaCha20, 256)]);
    for (key_type, bits) in kinds {
        let key = generate(key_type, bits);
        for algorithm in algorithms() {
            let with = if matches!(algorithm, Algorithm::Cipher(_)) { &aes } else { &rsa };
            let long = matches!(key_type, KeyType::RsaKeyPair | KeyType::DhKeyPair(_));
            if long && !matches!(algorithm, Algorithm::Cipher(_)) {
                assert_eq!(status(with.wrap(algorithm, None, b"", &key)), Status::PsaErrorInvalidArgument, "too long");
                continue;
            }
            let wrapped = with.wrap(algorithm, None, b"", &key).unwrap();
            for asked in [0, bits] {
                let (found, back) = with.unwrap(algorithm, b"", &wrapped, &attributes(key_type, asked)).unwrap();
                assert_eq!((found.bits, back.export().unwrap()), (bits, key.export().unwrap()), "{key_type:?} {algorithm:?}");
            }
            let other = if key_type == ED25519 { P256 } else { ED25519 };
            assert_ne!(
                status(with.unwrap(algorithm, b"", &wrapped, &attributes(other, 0))),
                Status::Success,
                "{key_type:?} {bits} {algorithm:?}"
            );
        }
    }
}

#[test]
fn what_was_not_wrapped_or_was_changed_is_refused() {
    let (aes, secret) = (generate(KeyType::Aes, 128), generate(KeyType::Aes, 256));
    for algorithm in [Cipher::KeyWrap, Cipher::KeyWrapPadded] {
        let unwrap = |data: &[u8]| status(aes.unwrap(algorithm.into(), b"", data, &attributes(KeyType::Aes, 0)));
        let mut wrapped = aes.wrap(algorithm.into(), None, b"", &secret).unwrap();
        assert_eq!(unwrap(&wrapped[8..]), Status::PsaErrorInvalidSignature);
        assert_eq!(unwrap(&wrapped[1..]), Status::PsaErrorInvalidSignature);
        assert_eq!(unwrap(&[]), Status::PsaErrorInvalidSignature);
        wrapped[20] ^= 1;
        assert_eq!(unwrap(&wrapped), Status::PsaErrorInvalidSignature);
    }
    let odd = generate(KeyType::Hmac, 136);
    assert_eq!(status(aes.wrap(Cipher::KeyWrap.into(), None, b"", &odd)), Status::PsaErrorInvalidArgument);
    let public = super::public_half(&generate(P256, 256), P256);
    assert_eq!(status(aes.wrap(Cipher::KeyWrap.into(), None, b"", &public)), Status::PsaErrorInvalidArgument);
    for unfit in [Cipher::EcbNoPadding, Cipher::CbcNoPadding, Cipher::Ctr] {
        assert_eq!(status(aes.wrap(unfit.into(), None, b"", &secret)), Status::PsaErrorNotSupported);
    }
}

/// Whatever a wrong padding decrypts to, it is no AES key: the same refusal as for a right padding around another length.
#[test]
fn unwrapping_with_pkcs1_tells_nothing_of_the_padding() {
    let rsa = generate(KeyType::RsaKeyPair, 2048);
    let unwrap = |data: &[u8]| {
        let asked = attributes(KeyType::Aes, 256);
        status(rsa.unwrap(Encryption::RsaPkcs1v15.into(), b"", data, &asked))
    };
    let right = rsa.wrap(Encryption::RsaPkcs1v15.into(), None, b"", &generate(KeyType::Aes, 256)).unwrap();
    assert_eq!(unwrap(&right), Status::Success);
    let other_length = rsa.wrap(Encryption::RsaPkcs1v15.into(), None, b"", &generate(KeyType::Aes, 128)).unwrap();
    assert_eq!(unwrap(&other_length), Status::PsaErrorInvalidSignature);
    let mut same = 0;
    for change in 0..20 {
        let mut wrong = right.clone();
        wrong[200] ^= 1 << (change % 8);
        wrong[100 + change] ^= 0x10;
        same += usize::from(unwrap(&wrong) == Status::PsaErrorInvalidSignature);
    }
    assert!(same >= 18, "a made-up message has 32 bytes once in 245 times: {same}");
}
