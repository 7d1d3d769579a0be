//! Ciphers, AEADs, MACs and hashes.

use super::{generate, hex, import, status};
use crate::providers::software::hash;
use interface::Status;
use interface::algorithm::{Aead, AeadKind, Cipher, Hash, Mac, MacKind};
use interface::attributes::KeyType;

const AES_KEY: &str = "2b7e151628aed2a6abf7158809cf4f3c";
const BLOCK: &str = "6bc1bee22e409f96e93d7e117393172a";

/// SP 800-38A, appendix F: the first block of each mode.
#[test]
fn cipher_vectors() {
    let key = import(KeyType::Aes, &hex(AES_KEY)).unwrap();
    let iv = "000102030405060708090a0b0c0d0e0f";
    let vectors = [
        (Cipher::Ctr, "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff", "874d6191b620e3261bef6864990db6ce"),
        (Cipher::Cfb, iv, "3b3fd92eb72dad20333449f8e83cfb4a"),
        (Cipher::Ofb, iv, "3b3fd92eb72dad20333449f8e83cfb4a"),
        (Cipher::CbcNoPadding, iv, "7649abac8119b246cee98e9b12e9197d"),
        (Cipher::EcbNoPadding, "", "3ad77bb40d7a3660a89ecaf32466ef97"),
    ];
    for (mode, iv, ciphertext) in vectors {
        assert_eq!(*key.cipher_decrypt(mode, &[hex(iv), hex(ciphertext)].concat()).unwrap(), hex(BLOCK), "{mode:?}");
    }
}

/// NIST's examples for SP 800-67, with three keys and with two.
#[test]
fn triple_des_vectors() {
    let keys = "0123456789abcdef 23456789abcdef01 456789abcdef0123";
    for (len, ciphertext) in [(24, "714772f339841d34 267fcc4bd2949cc3"), (16, "06ede3d82884090a ff322c19f0518486")] {
        let key = import(KeyType::Des, &hex(keys)[..len]).unwrap();
        assert_eq!(*key.cipher_decrypt(Cipher::EcbNoPadding, &hex(ciphertext)).unwrap(), hex(BLOCK), "{len}");
    }
    assert_eq!(status(import(KeyType::Des, &hex(keys)[..8])), Status::PsaErrorInvalidArgument);
    let key = generate(KeyType::Des, 192);
    assert!(key.bytes().unwrap().iter().all(|byte| byte.count_ones() % 2 == 1));
    for (mode, len) in [(Cipher::CbcNoPadding, 24), (Cipher::CbcPkcs7, 0), (Cipher::CbcPkcs7, 11)] {
        let ciphertext = key.cipher_encrypt(mode, None, &vec![7; len]).unwrap();
        assert!(ciphertext.len() <= 8 + 24);
        assert_eq!(*key.cipher_decrypt(mode, &ciphertext).unwrap(), vec![7; len], "{mode:?}");
    }
}

/// RFC 8439 §A.1, test 1.
#[test]
fn chacha20_vector() {
    let key = import(KeyType::ChaCha20, &[0; 32]).unwrap();
    let stream = "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586";
    assert_eq!(*key.cipher_decrypt(Cipher::StreamCipher, &[0; 12 + 64]).unwrap(), hex(stream));
}

#[test]
fn ciphers_round_trip_with_fresh_vectors() {
    for bits in [128, 192, 256] {
        let key = generate(KeyType::Aes, bits);
        for (mode, len) in [
            (Cipher::Ctr, 33),
            (Cipher::Cfb, 1),
            (Cipher::Ofb, 0),
            (Cipher::EcbNoPadding, 32),
            (Cipher::CbcNoPadding, 64),
            (Cipher::CbcPkcs7, 0),
            (Cipher::CbcPkcs7, 16),
            (Cipher::CbcPkcs7, 100),
        ] {
            let message = vec![7; len];
            let ciphertext = key.cipher_encrypt(mode, None, &message).unwrap();
            assert_eq!(*key.cipher_decrypt(mode, &ciphertext).unwrap(), message, "{mode:?} {bits}");
            if mode != Cipher::EcbNoPadding {
                assert_ne!(ciphertext, key.cipher_encrypt(mode, None, &message).unwrap(), "{mode:?} repeats its IV");
            }
        }
    }
}

#[test]
fn a_given_initialisation_vector_is_used_and_must_fit() {
    let key = generate(KeyType::Aes, 128);
    let iv = [9; 16];
    let made = key.cipher_encrypt(Cipher::CbcPkcs7, Some(&iv), b"message").unwrap();
    assert_eq!(made[..16], iv);
    let again = key.cipher_encrypt(Cipher::CbcPkcs7, Some(&iv), b"message").unwrap();
    assert_eq!(made, again);
    assert_eq!(*key.cipher_decrypt(Cipher::CbcPkcs7, &made).unwrap(), b"message");
    for (mode, iv) in [(Cipher::CbcPkcs7, &iv[1..]), (Cipher::EcbNoPadding, &iv)] {
        assert_eq!(status(key.cipher_encrypt(mode, Some(iv), &[0; 16])), Status::PsaErrorInvalidArgument);
    }
}

#[test]
fn wrong_lengths_and_padding_are_refused() {
    for bits in [128, 192, 256] {
        let key = generate(KeyType::Aes, bits);
        for mode in [Cipher::EcbNoPadding, Cipher::CbcNoPadding] {
            assert_eq!(status(key.cipher_encrypt(mode, None, &[0; 17])), Status::PsaErrorInvalidArgument);
            assert_eq!(status(key.cipher_decrypt(mode, &[0; 33])), Status::PsaErrorInvalidArgument);
        }
        assert_eq!(status(key.cipher_decrypt(Cipher::CbcPkcs7, &[0; 33])), Status::PsaErrorInvalidArgument);
        assert_eq!(status(key.cipher_decrypt(Cipher::CbcPkcs7, &[0; 16])), Status::PsaErrorInvalidArgument);
        assert_eq!(status(key.cipher_decrypt(Cipher::Ctr, &[0; 15])), Status::PsaErrorInvalidArgument);
        assert_eq!(status(key.cipher_encrypt(Cipher::Xts, None, &[0; 16])), Status::PsaErrorNotSupported);
        assert_eq!(status(key.cipher_encrypt(Cipher::StreamCipher, None, &[0; 16])), Status::PsaErrorInvalidArgument);
        let mut unpadded = key.cipher_encrypt(Cipher::CbcNoPadding, None, &[0; 16]).unwrap();
        assert_eq!(status(key.cipher_decrypt(Cipher::CbcPkcs7, &unpadded)), Status::PsaErrorInvalidPadding);
        unpadded.truncate(16);
        assert_eq!(*key.cipher_decrypt(Cipher::CbcNoPadding, &unpadded).unwrap(), []);
    }
}

#[test]
fn chacha20_round_trips() {
    let key = generate(KeyType::ChaCha20, 256);
    let ciphertext = key.cipher_encrypt(Cipher::StreamCipher, None, b"message").unwrap();
    assert_eq!(*key.cipher_decrypt(Cipher::StreamCipher, &ciphertext).unwrap(), *b"message");
}

struct Sealed {
    key: (KeyType, &'static str),
    aead: Aead,
    nonce: &'static str,
    aad: &'static str,
    plaintext: &'static str,
    sealed: &'static str,
}

/// The GCM specification's test case 2, SP 800-38C examples 1 to 3, RFC 8439 §2.8.2.
const SEALED: &[Sealed] = &[
    Sealed {
        key: (KeyType::Aes, "00000000000000000000000000000000"),
        aead: Aead { kind: AeadKind::Gcm, tag_len: None },
        nonce: "000000000000000000000000",
        aad: "",
        plaintext: "00000000000000000000000000000000",
        sealed: "0388dace60b6a392f328c2b971b2fe78 ab6e47d42cec13bdf53a67b21257bddf",
    },
    Sealed {
        key: (KeyType::Aes, "404142434445464748494a4b4c4d4e4f"),
        aead: Aead { kind: AeadKind::Ccm, tag_len: Some(4) },
        nonce: "10111213141516",
        aad: "0001020304050607",
        plaintext: "20212223",
        sealed: "7162015b 4dac255d",
    },
    Sealed {
        key: (KeyType::Aes, "404142434445464748494a4b4c4d4e4f"),
        aead: Aead { kind: AeadKind::Ccm, tag_len: Some(6) },
        nonce: "1011121314151617",
        aad: "000102030405060708090a0b0c0d0e0f",
        plaintext: "202122232425262728292a2b2c2d2e2f",
        sealed: "d2a1f0e051ea5f62081a7792073d593d 1fc64fbfaccd",
    },
    Sealed {
        key: (KeyType::Aes, "404142434445464748494a4b4c4d4e4f"),
        aead: Aead { kind: AeadKind::Ccm, tag_len: Some(8) },
        nonce: "101112131415161718191a1b",
        aad: "000102030405060708090a0b0c0d0e0f10111213",
        plaintext: "202122232425262728292a2b2c2d2e2f3031323334353637",
        sealed: "e3b201a9f5b71a7a9b1ceaeccd97e70b6176aad9a4428aa5 484392fbc1b09951",
    },
    Sealed {
        key: (KeyType::ChaCha20, "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f"),
        aead: Aead { kind: AeadKind::ChaCha20Poly1305, tag_len: None },
        nonce: "070000004041424344454647",
        aad: "50515253c0c1c2c3c4c5c6c7",
        plaintext: "4c616469657320616e642047656e746c656d656e206f662074686520636c617373206f66202739393a204966204920636f756c64206f6666657220796f75206f6e6c79206f6e652074697020666f7220746865206675747572652c2073756e73637265656e20776f756c642062652069742e",
        sealed: "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc3ff4def08e4b7a9de576d26586cec64b6116 1ae10b594f09e26a7e902ecbd0600691",
    },
];

#[test]
fn aead_vectors() {
    for vector in SEALED {
        let key = import(vector.key.0, &hex(vector.key.1)).unwrap();
        let (nonce, aad, sealed) = (hex(vector.nonce), hex(vector.aad), hex(vector.sealed));
        assert_eq!(key.aead_encrypt(vector.aead, &nonce, &aad, &hex(vector.plaintext)).unwrap(), sealed);
        assert_eq!(*key.aead_decrypt(vector.aead, &nonce, &aad, &sealed).unwrap(), hex(vector.plaintext));
        for index in [0, sealed.len() - 1] {
            let mut forged = sealed.clone();
            forged[index] ^= 1;
            assert_eq!(status(key.aead_decrypt(vector.aead, &nonce, &aad, &forged)), Status::PsaErrorInvalidSignature);
        }
        assert_eq!(status(key.aead_decrypt(vector.aead, &nonce, b"other", &sealed)), Status::PsaErrorInvalidSignature);
        assert_eq!(status(key.aead_decrypt(vector.aead, &nonce, &aad, &sealed[..3])), Status::PsaErrorInvalidArgument);
    }
}

#[test]
fn tags_and_nonces_of_every_length() {
    for (kind, tags, nonces, bad_nonces) in [
        (AeadKind::Gcm, [4, 8, 12, 13, 14, 15, 16], vec![1, 8, 12, 16, 60], vec![0]),
        (AeadKind::Ccm, [4, 6, 8, 10, 12, 14, 16], (7..=13).collect(), vec![0, 6, 14]),
    ] {
        for bits in [128, 192, 256] {
            let key = generate(KeyType::Aes, bits);
            for tag_len in 0..=17 {
                let aead = Aead { kind, tag_len: Some(tag_len) };
                let sealed = key.aead_encrypt(aead, &[1; 12], b"", b"");
                assert_eq!(sealed.is_ok(), tags.contains(&tag_len), "{kind:?} {tag_len}");
                if let Ok(sealed) = sealed {
                    assert_eq!(sealed.len(), tag_len as usize);
                    assert_eq!(*key.aead_decrypt(aead, &[1; 12], b"", &sealed).unwrap(), []);
                }
            }
            let aead = Aead { kind, tag_len: None };
            for &len in &nonces {
                let sealed = key.aead_encrypt(aead, &vec![1; len], b"aad", b"message").unwrap();
                assert_eq!(*key.aead_decrypt(aead, &vec![1; len], b"aad", &sealed).unwrap(), *b"message");
            }
            for &len in &bad_nonces {
                assert_eq!(status(key.aead_encrypt(aead, &vec![1; len], b"", b"")), Status::PsaErrorInvalidArgument);
            }
        }
    }
}

#[test]
fn unfitting_aeads_are_refused() {
    let chacha = generate(KeyType::ChaCha20, 256);
    let short = Aead { kind: AeadKind::ChaCha20Poly1305, tag_len: Some(8) };
    assert_eq!(status(chacha.aead_encrypt(short, &[0; 12], b"", b"")), Status::PsaErrorInvalidArgument);
    let gcm = Aead { kind: AeadKind::Gcm, tag_len: None };
    assert_eq!(status(chacha.aead_encrypt(gcm, &[0; 12], b"", b"")), Status::PsaErrorInvalidArgument);
}

/// RFC 4231 test 1, RFC 4493 examples 1 and 2.
#[test]
fn mac_vectors() {
    let key = import(KeyType::Hmac, &[0x0b; 20]).unwrap();
    let hmac = Mac { kind: MacKind::Hmac { hash: Hash::Sha256 }, len: None };
    let expected = hex("b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    assert_eq!(key.mac(hmac, b"Hi There").unwrap(), expected);
    let cut = Mac { len: Some(16), ..hmac };
    assert_eq!(key.mac(cut, b"Hi There").unwrap(), expected[..16]);
    key.mac_verify(cut, b"Hi There", &expected[..16]).unwrap();
    for wrong in [&expected[..15], &expected[1..17], &expected] {
        assert_eq!(status(key.mac_verify(cut, b"Hi There", wrong)), Status::PsaErrorInvalidSignature);
    }
    for len in [0, 3, 33] {
        assert_eq!(status(key.mac(Mac { len: Some(len), ..hmac }, b"")), Status::PsaErrorInvalidArgument);
    }
    let key = import(KeyType::Aes, &hex(AES_KEY)).unwrap();
    let cmac = Mac { kind: MacKind::Cmac, len: None };
    assert_eq!(key.mac(cmac, b"").unwrap(), hex("bb1d6929e95937287fa37d129b756746"));
    assert_eq!(key.mac(cmac, &hex(BLOCK)).unwrap(), hex("070a16b46b4d4144f79bdd9dd04a287c"));
    assert_eq!(status(key.mac(Mac { kind: MacKind::CbcMac, len: None }, b"")), Status::PsaErrorNotSupported);
    assert_eq!(status(key.mac(hmac, b"")), Status::PsaErrorInvalidArgument);
}

/// FIPS 180-4 and 202 examples; RFC 1321; the RIPEMD-160 paper.
#[test]
fn hash_vectors() {
    for (hash, expected) in [
        (Hash::Md5, "900150983cd24fb0d6963f7d28e17f72"),
        (Hash::Ripemd160, "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc"),
        (Hash::Sha1, "a9993e364706816aba3e25717850c26c9cd0d89d"),
        (Hash::Sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (Hash::Sha3_256, "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532"),
    ] {
        assert_eq!(hash::compute(hash, b"abc").unwrap(), hex(expected));
        hash::compare(hash, b"abc", &hex(expected)).unwrap();
        assert_eq!(status(hash::compare(hash, b"abd", &hex(expected))), Status::PsaErrorInvalidSignature);
    }
    for &hash in Hash::ALL {
        match hash::compute(hash, b"abc") {
            Ok(digest) => assert_eq!(digest.len(), hash.len(), "{hash:?}"),
            Err(error) => assert_eq!((hash, error.status()), (Hash::Md2, Status::PsaErrorNotSupported)),
        }
    }
}
