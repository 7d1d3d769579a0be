//! Published vectors, refusals, and the `openssl` program as a second opinion.

mod openssl;
mod symmetric;

use super::capability::can_do;
use super::key::Key;
use super::{lc, random, rsa};
use crate::error::Result;
use base64ct::{Base64, Encoding};
use interface::Status;
use interface::algorithm::{
    Aead, AeadKind, Agreement, Algorithm, Cipher, Encryption, Hash, Mac, MacKind, SignHash,
    Signature,
};
use interface::attributes::{Attributes, EccFamily, KeyType, Policy, Usage};
use interface::operations::CheckType;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<_> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn attributes(key_type: KeyType, bits: u32) -> Attributes {
    Attributes {
        key_type,
        bits,
        policy: Policy {
            usage: Usage::ALL,
            algorithm: Algorithm::None,
            also: Vec::new(),
        },
    }
}

fn import(key_type: KeyType, data: &[u8]) -> Result<Key> {
    Key::import(&attributes(key_type, 0), data).map(|(_, key)| key)
}

fn generate(key_type: KeyType, bits: u32) -> Key {
    Key::generate(&attributes(key_type, bits)).unwrap()
}

/// The key as someone who got only its public half has it.
fn public_half(key: &Key, key_type: KeyType) -> Key {
    import(key_type.public(), &key.public().unwrap()).unwrap()
}

fn status<T>(result: Result<T>) -> Status {
    result.map_or_else(|error| error.status(), |_| Status::Success)
}

const P256: KeyType = KeyType::EccKeyPair(EccFamily::SecpR1);
const ED25519: KeyType = KeyType::EccKeyPair(EccFamily::TwistedEdwards);
const X25519: KeyType = KeyType::EccKeyPair(EccFamily::Montgomery);
const SHA256: SignHash = SignHash::Specific(Hash::Sha256);

const PAIRS: [(KeyType, u32); 7] = [
    (KeyType::RsaKeyPair, 2048),
    (P256, 256),
    (P256, 384),
    (P256, 521),
    (KeyType::EccKeyPair(EccFamily::SecpK1), 256),
    (ED25519, 255),
    (X25519, 255),
];

#[test]
fn a_key_is_the_same_after_export_and_load() {
    let secrets = [
        (KeyType::Aes, 128),
        (KeyType::Aes, 192),
        (KeyType::Aes, 256),
        (KeyType::ChaCha20, 256),
        (KeyType::Hmac, 8),
        (KeyType::RawData, 800),
    ];
    for (key_type, bits) in PAIRS.into_iter().chain(secrets) {
        let attributes = attributes(key_type, bits);
        let key = Key::generate(&attributes).unwrap();
        let material = key.export().unwrap();
        let loaded = Key::load(&attributes, &material).unwrap();
        assert_eq!(material, loaded.export().unwrap());
        let (found, imported) = Key::import(
            &Attributes {
                bits: 0,
                ..attributes.clone()
            },
            &material,
        )
        .unwrap();
        assert_eq!((found.bits, imported.bits()), (bits, bits), "{key_type:?}");
        if key_type.is_pair() {
            assert_eq!(key.public().unwrap(), loaded.public().unwrap());
            let public = public_half(&key, key_type);
            assert_eq!(*public.export().unwrap(), key.public().unwrap());
        } else {
            assert_eq!(status(key.public()), Status::PsaErrorInvalidArgument);
            assert_eq!(material.len() as u32 * 8, bits);
        }
        assert_eq!(
            status(Key::load(&attributes, &material[1..])),
            Status::PsaErrorDataCorrupt,
            "{key_type:?}"
        );
    }
}

#[test]
fn every_signature_verifies_and_no_other_does() {
    let rsa = [
        Signature::RsaPkcs1v15 { hash: SHA256 },
        Signature::RsaPkcs1v15 {
            hash: Hash::Sha3_384.into(),
        },
        Signature::RsaPss {
            hash: Hash::Sha512.into(),
        },
    ];
    let ecdsa = [
        Signature::Ecdsa { hash: SHA256 },
        Signature::Ecdsa {
            hash: Hash::Sha512.into(),
        },
    ];
    for (key_type, bits) in PAIRS {
        let key = generate(key_type, bits);
        let public = public_half(&key, key_type);
        let algorithms: &[Signature] = match key_type {
            KeyType::RsaKeyPair => &rsa,
            ED25519 => &[Signature::PureEddsa],
            X25519 => &[],
            _ => &ecdsa,
        };
        for &algorithm in algorithms {
            let mut signature = key.sign_message(algorithm, b"message").unwrap();
            public
                .verify_message(algorithm, b"message", &signature)
                .unwrap();
            if let Some(hash) = algorithm.hash() {
                let hash = super::hash::compute(hash, b"message").unwrap();
                public.verify_hash(algorithm, &hash, &signature).unwrap();
                public
                    .verify_message(
                        algorithm,
                        b"message",
                        &key.sign_hash(algorithm, &hash).unwrap(),
                    )
                    .unwrap();
                assert_eq!(
                    status(key.sign_hash(algorithm, &hash[1..])),
                    Status::PsaErrorInvalidArgument
                );
            }
            assert_eq!(
                status(public.verify_message(algorithm, b"massage", &signature)),
                Status::PsaErrorInvalidSignature
            );
            assert_eq!(
                status(public.verify_message(algorithm, b"message", &signature[1..])),
                Status::PsaErrorInvalidSignature
            );
            *signature.last_mut().unwrap() ^= 1;
            assert_eq!(
                status(public.verify_message(algorithm, b"message", &signature)),
                Status::PsaErrorInvalidSignature
            );
            assert_eq!(
                status(public.sign_message(algorithm, b"message")),
                Status::PsaErrorInvalidArgument
            );
        }
    }
}

#[test]
fn signatures_without_a_named_hash() {
    let key = generate(P256, 256);
    for len in [1, 20, 32, 64] {
        let hash = random(len).unwrap();
        let signature = key.sign_hash(Signature::EcdsaAny, &hash).unwrap();
        assert_eq!(signature.len(), 64);
        key.verify_hash(Signature::EcdsaAny, &hash, &signature)
            .unwrap();
    }
    for len in [0, 65] {
        assert_eq!(
            status(key.sign_hash(Signature::EcdsaAny, &vec![1; len])),
            Status::PsaErrorInvalidArgument
        );
    }
    assert_eq!(
        status(key.sign_message(Signature::EcdsaAny, b"m")),
        Status::PsaErrorInvalidArgument
    );

    let key = generate(KeyType::RsaKeyPair, 2048);
    let hash = super::hash::compute(Hash::Sha256, b"message").unwrap();
    let info = [Hash::Sha256.digest_info(), &hash].concat();
    let signature = key.sign_hash(Signature::RsaPkcs1v15Raw, &info).unwrap();
    key.verify_message(
        Signature::RsaPkcs1v15 { hash: SHA256 },
        b"message",
        &signature,
    )
    .unwrap();
    key.verify_hash(Signature::RsaPkcs1v15Raw, &info, &signature)
        .unwrap();
    assert_eq!(
        status(key.verify_hash(Signature::RsaPkcs1v15Raw, &hash, &signature)),
        Status::PsaErrorInvalidSignature
    );
    assert_eq!(
        status(key.sign_hash(Signature::RsaPkcs1v15Raw, &[0; 246])),
        Status::PsaErrorInvalidArgument
    );
    key.sign_hash(Signature::RsaPkcs1v15Raw, &[0; 245]).unwrap();
}

#[test]
fn weak_and_unfitting_signatures_are_refused() {
    let rsa = generate(KeyType::RsaKeyPair, 2048);
    let ec = generate(P256, 256);
    let sha1 = SignHash::Specific(Hash::Sha1);
    assert_eq!(
        status(rsa.sign_hash(Signature::RsaPkcs1v15 { hash: sha1 }, &[0; 20])),
        Status::PsaErrorNotSupported
    );
    let info = [Hash::Sha1.digest_info(), &[7; 20]].concat();
    let old = rsa.sign_hash(Signature::RsaPkcs1v15Raw, &info).unwrap();
    rsa.verify_hash(Signature::RsaPkcs1v15 { hash: sha1 }, &[7; 20], &old)
        .unwrap();
    assert_eq!(
        status(rsa.verify_hash(
            Signature::RsaPkcs1v15 {
                hash: Hash::Md5.into()
            },
            &[7; 16],
            &old
        )),
        Status::PsaErrorNotSupported
    );
    assert_eq!(
        status(ec.sign_hash(
            Signature::Ecdsa {
                hash: SignHash::Any
            },
            &[0; 32]
        )),
        Status::PsaErrorInvalidArgument
    );
    assert_eq!(
        status(ec.sign_hash(Signature::RsaPss { hash: SHA256 }, &[0; 32])),
        Status::PsaErrorInvalidArgument
    );
    assert_eq!(
        status(ec.sign_hash(Signature::DeterministicEcdsa { hash: SHA256 }, &[0; 32])),
        Status::PsaErrorNotSupported
    );
    assert_eq!(
        status(generate(ED25519, 255).sign_hash(Signature::PureEddsa, &[0; 32])),
        Status::PsaErrorInvalidArgument
    );
}

/// RFC 6979 §A.2.5.
#[test]
fn ecdsa_vector() {
    let key = import(
        P256,
        &hex("c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721"),
    )
    .unwrap();
    let public = "04 60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6
        7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299";
    assert_eq!(key.public().unwrap(), hex(public));
    let signature = "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716
        f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8";
    key.verify_message(
        Signature::Ecdsa { hash: SHA256 },
        b"sample",
        &hex(signature),
    )
    .unwrap();
}

/// RFC 8032 §7.1, test 1.
#[test]
fn ed25519_vector() {
    let key = import(
        ED25519,
        &hex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"),
    )
    .unwrap();
    assert_eq!(
        key.public().unwrap(),
        hex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    );
    let signature = "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b";
    assert_eq!(
        key.sign_message(Signature::PureEddsa, b"").unwrap(),
        hex(signature)
    );
}

/// RFC 7748 §6.1.
#[test]
fn x25519_vector() {
    let alice = import(
        X25519,
        &hex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"),
    )
    .unwrap();
    let bob = import(
        X25519,
        &hex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"),
    )
    .unwrap();
    assert_eq!(
        alice.public().unwrap(),
        hex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a")
    );
    let shared = hex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
    assert_eq!(
        *alice
            .agree(Agreement::Ecdh, &bob.public().unwrap())
            .unwrap(),
        shared
    );
    assert_eq!(
        *bob.agree(Agreement::Ecdh, &alice.public().unwrap())
            .unwrap(),
        shared
    );
    assert_eq!(
        status(alice.agree(Agreement::Ecdh, &[0; 32])),
        Status::PsaErrorInvalidArgument
    );
    assert_eq!(
        status(alice.agree(Agreement::Ecdh, &[9; 31])),
        Status::PsaErrorInvalidArgument
    );
}

#[test]
fn both_sides_agree_on_a_secret() {
    for (key_type, bits) in PAIRS.into_iter().filter(|(key_type, _)| {
        key_type
            .family()
            .is_some_and(|family| family != EccFamily::TwistedEdwards)
    }) {
        let (a, b) = (generate(key_type, bits), generate(key_type, bits));
        let shared = a.agree(Agreement::Ecdh, &b.public().unwrap()).unwrap();
        assert_eq!(
            shared,
            b.agree(Agreement::Ecdh, &a.public().unwrap()).unwrap()
        );
        assert_eq!(shared.len(), bits.div_ceil(8) as usize);
    }
    let (a, other) = (generate(P256, 256), generate(P256, 384));
    assert_eq!(
        status(a.agree(Agreement::Ecdh, &other.public().unwrap())),
        Status::PsaErrorInvalidArgument
    );
    let mut off_curve = generate(P256, 256).public().unwrap();
    off_curve[64] ^= 1;
    assert_eq!(
        status(a.agree(Agreement::Ecdh, &off_curve)),
        Status::PsaErrorInvalidArgument
    );
    assert_eq!(
        status(a.agree(Agreement::Ffdh, &off_curve)),
        Status::PsaErrorNotSupported
    );
}

#[test]
fn bad_curve_keys_are_refused() {
    let refused = |key_type, data: &[u8]| {
        assert_eq!(
            status(import(key_type, data)),
            Status::PsaErrorInvalidArgument
        )
    };
    let order = hex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
    refused(P256, &order);
    refused(P256, &[0; 32]);
    refused(P256, &[1; 31]);
    let mut below = order;
    *below.last_mut().unwrap() -= 1;
    import(P256, &below).unwrap();
    let mut point = generate(P256, 256).public().unwrap();
    point[64] ^= 1;
    refused(P256.public(), &point);
    point[64] ^= 1;
    import(P256.public(), &point).unwrap();
    let compressed = [&[2 + (point[64] & 1)], &point[1..33]].concat();
    refused(P256.public(), &compressed);
    refused(P256.public(), &[0]);
    refused(ED25519, &[1; 33]);
    assert_eq!(
        status(Key::import(&attributes(P256, 384), &below)),
        Status::PsaErrorInvalidArgument
    );
    assert_eq!(
        status(Key::import(&attributes(P256, 512), &below)),
        Status::PsaErrorNotSupported
    );
    assert_eq!(
        status(import(KeyType::EccKeyPair(EccFamily::Frp), &below)),
        Status::PsaErrorNotSupported
    );
    assert_eq!(
        status(import(KeyType::Des, &[1; 8])),
        Status::PsaErrorNotSupported
    );
    assert_eq!(
        status(import(KeyType::Aes, &[1; 20])),
        Status::PsaErrorNotSupported
    );
    assert_eq!(
        status(import(KeyType::RawData, &[])),
        Status::PsaErrorNotSupported
    );
}

/// The 2048-bit test key of draft-irtf-cfrg-rsa-guidance, appendix B.
const DRAFT_KEY: &str = "MIIEowIBAAKCAQEAyMyDlxQJjaVsqiNkD5PciZfBY3KWj8Gwxt9RE8HJTosh5IrSKX5lQZARtObY9ec7G3iyV0ADIdHva2AtTsjOjRQclJBetK0wZjmkkgZTS25/JgdCPpff/RM8iNchOZ3vvH6WzNy9fzquH+iScSv7SSmBfVEWZkQKH6y3ogj16hZZEK3Yo/LUlyAjYMy2MgJPDQcWnBkY8xb3lLFDrvVOyHUipMApePlomYC/+/ZJwwfoGBm/+IQJY41IvZS+FStZ/2SfoL1inQ/6GBPDq/S1a9PC6lRl3/oUWJKSqdiiStJr5+4FEHQbY4LUPIPVv6QKRmE9BivkRVF9vK8MtOGnaQIDAQABAoIBABRVAQ4PLVh2Y6Zmpv8czbvw7dgQBkbQKgI5IpCJksStOeVWWSlybvZQjDpxFY7wtv91HTnQdYC7LS8GMhBELQYD/1DbvXs1/iybsZpHoa+FpMJJAeAsqLWLeRmyDt8yqs+/Ua20vEthubfpaMqk1XD3DvGNgGMiiJPkfUOe/KeTJZvPLNEIo9hojN8HjnrHmZafIznSwfUiuWloRimpM7quwmgWJeq4T05W9ER+nYj7mhmc9xAj4OJXsURBszyE07xnyoAx0mEmGBA6egpAhEJi912IkM1hblH5A1SI/W4Jnej/bWWk/xGCVIB8n1jS+7qLoVHcjGi+NJyXeiBOBMECgYEA+PWta6gokxvqRZuKP23AQdI0gkCcJXHpY/MfdIYColY3GziD7UWez5cFJkWe3RbgVSL1pF2UdRsuwtrycsf4gWpSwA0YCAFxY02omdeXMiL1G5N2MFSGlqn32MJKWUl8HvzUVc+5fuhtK200lyszL9owPwSZm062tcwLsz53Yd0CgYEAznouO0mpC5YzChLcaCvfvfuujdbcA7YUeu+9V1dD8PbaTYYjUGG3Gv2crS00Al5WrIaw93Q+s14ay8ojeJVCRGW3Bu0iF15XGMjHC2cD6o9rUQ+UW+SOWja7PDyRcytYnfwF1y2AkDGURSvaITSGR+xylD8RqEbmL66+jrU2sP0CgYB2/hXxiuI5zfHfa0RcpLxruWjXiMIZM6T13NKAAz1nEgYswIpt8gTB+9C+RjB0Q+bdSmRWN1Qp1OA4yiVvrxyb3pHGsXt2+BmV+RxIy768e/DjSUwINZ5OjNalh9e5bWIh/X4PtcVXXwgu5XdpeYBxsru0oyI4FRtHMUu2VHkDEQKBgQCZiEiwVUmaEAnLx9KUs2sf/fICDm5zZAU+lN4aAA3JNAWH9+JydvaM32CNdTtjN3sDtvQITSwCfEs4lgpiM7qe2XOLdvEOp1vkVgeL9wH2fMaz8/3BhuZDNsdrNy6AkQ7ICwrcwj0C+5rhBIaigkgHW06n5W3fzziC5FFWFHGikQKBgGQ790ZCn32DZnoGUwITR++/wF5jUfghqd67YODszeUAWtnp7DHlWPfpLCkyjnRWnXzvfHTKvCs1XtQBoaCRS048uwZITlgZYFEWntFMqi76bqBE4FTSYUTMFinFUBBVigThM/RLfCRNrCW/kTxXuJDuSfVIJZzWNAT+9oWdz5da";

/// Ciphertexts of that appendix for its key, and what they decrypt to.
#[test]
fn bad_padding_decrypts_to_the_drafts_messages() {
    let key = import(KeyType::RsaKeyPair, &Base64::decode_vec(DRAFT_KEY).unwrap()).unwrap();
    let decrypt = |ciphertext| {
        key.decrypt(Encryption::RsaPkcs1v15, b"", &hex(ciphertext))
            .unwrap()
            .to_vec()
    };
    let good = "8bfe264e85d3bdeaa6b8851b8e3b956ee3d226fd3f69063a86880173a273d9f283b2eebdd1ed35f7e02d91c571981b6737d5320bd8396b0f3ad5b019daec1b0aab3cbbc026395f4fd14f13673f2dfc81f9b660ec26ac381e6db3299b4e460b43fab9955df2b3cfaa20e900e19c856238fd371899c2bf2ce8c868b76754e5db3b036533fd603746be13c10d4e3e6022ebc905d20c2a7f32b215a4cd53b3f44ca1c327d2c2b651145821c08396c89071f665349c25e44d2733cd9305985ceef6430c3cf57af5fa224089221218fa34737c79c446d28a94c41c96e4e92ac53fbcf384dea8419ea089f8784445a492c812eb0d409467f75afd7d4d1078886205a066";
    assert_eq!(decrypt(good), b"lorem ipsum dolor sit amet");
    let empty = "20aaa8adbbc593a924ba1c5c7990b5c2242ae4b99d0fe636a19a4cf754edbcee774e472fe028160ed42634f8864900cb514006da642cae6ae8c7d087caebcfa6dad1551301e130344989a1d462d4164505f6393933450c67bc6d39d8f5160907cabc251b737925a1cf21e5c6aa5781b7769f6a2a583d97cce008c0f8b6add5f0b2bd80bee60237aa39bb20719fe75749f4bc4e42466ef5a861ae3a92395c7d858d430bfe38040f445ea93fa2958b503539800ffa5ce5f8cf51fa8171a91f36cb4f4575e8de6b4d3f096ee140b938fd2f50ee13f0d050222e2a72b0a3069ff3a6738e82c87090caa5aed4fcbe882c49646aa250b98f12f83c8d528113614a29e7";
    assert_eq!(decrypt(empty), b"");
    let longest = "48cceab10f39a4db32f60074feea473cbcdb7accf92e150417f76b44756b190e843e79ec12aa85083a21f5437e7bad0a60482e601198f9d86923239c8786ee728285afd0937f7dde12717f28389843d7375912b07b991f4fdb0190fced8ba665314367e8c5f9d2981d0f5128feeb46cb50fc237e64438a86df198dd0209364ae3a842d77532b66b7ef263b83b1541ed671b120dfd660462e2107a4ee7b964e734a7bd68d90dda61770658a3c242948532da32648687e0318286473f675b412d6468f013f14d760a358dfcad3cda2afeec5e268a37d250c37f722f468a70dfd92d7294c3c1ee1e7f8843b7d16f9f37ef35748c3ae93aa155cdcdfeb4e78567303";
    assert_eq!(decrypt(longest).len(), 245);
    assert_eq!(decrypt(longest)[..8], hex("22d850137b9eebe0"));
    let second_to_last_length = "1439e08c3f84c1a7fec74ce07614b20e01f6fa4e8c2a6cffdc3520d8889e5d9a950c6425798f85d4be38d300ea5695f13ecd4cb389d1ff5b82484b494d6280ab7fa78e645933981cb934cce8bfcd114cc0e6811eefa47aae20af638a1cd163d2d3366186d0a07df0c81f6c9f3171cf3561472e98a6006bf75ddb457bed036dcce199369de7d94ef2c68e8467ee0604eea2b3009479162a7891ba5c40cab17f49e1c438cb6eaea4f76ce23cce0e483ff0e96fa790ea15be67671814342d0a23f4a20262b6182e72f3a67cd289711503c85516a9ed225422f98b116f1ab080a80abd6f0216df88d8cfd67c139243be8dd78502a7aaf6bc99d7da71bcdf627e7354";
    assert_eq!(decrypt(second_to_last_length), hex("0f9b"));
    let wrong_first_byte = "9b2ec9c0c917c98f1ad3d0119aec6be51ae3106e9af1914d48600ab6a2c0c0c8ae02a2dc3039906ff3aac904af32ec798fd65f3ad1afa2e69400e7c1de81f5728f3b3291f38263bc7a90a0563e43ce7a0d4ee9c0d8a716621ca5d3d081188769ce1b131af7d35b13dea99153579c86db31fe07d5a2c14d621b77854e48a8df41b5798563af489a291e417b6a334c63222627376118c02c53b6e86310f728734ffc86ef9d7c8bf56c0c841b24b82b59f51aee4526ba1c4268506d301e4ebc498c6aebb6fd5258c876bf900bac8ca4d309dd522f6a6343599a8bc3760f422c10c72d0ad527ce4af1874124ace3d99bb74db8d69d2528db22c3a37644640f95c05f";
    assert_eq!(decrypt(wrong_first_byte), hex("a1f8c9255c35cfba403ccc"));
}

#[test]
fn rsa_encryption_round_trips() {
    let key = generate(KeyType::RsaKeyPair, 2048);
    let public = public_half(&key, KeyType::RsaKeyPair);
    let other = generate(KeyType::RsaKeyPair, 2048);
    for len in [0, 1, 32, 245] {
        let message = random(len).unwrap();
        let ciphertext = public
            .encrypt(Encryption::RsaPkcs1v15, b"", &message)
            .unwrap();
        assert_eq!(
            *key.decrypt(Encryption::RsaPkcs1v15, b"", &ciphertext)
                .unwrap(),
            *message
        );
    }
    let pkcs1 = public
        .encrypt(Encryption::RsaPkcs1v15, b"", b"message")
        .unwrap();
    if let Ok(made_up) = other.decrypt(Encryption::RsaPkcs1v15, b"", &pkcs1) {
        assert_ne!(*made_up, *b"message");
        assert_eq!(
            made_up,
            other.decrypt(Encryption::RsaPkcs1v15, b"", &pkcs1).unwrap(),
            "made up anew"
        );
    }
    assert_eq!(
        status(key.encrypt(Encryption::RsaPkcs1v15, b"label", b"m")),
        Status::PsaErrorInvalidArgument
    );
    assert_eq!(
        status(key.encrypt(Encryption::RsaPkcs1v15, b"", &[0; 246])),
        Status::PsaErrorInvalidArgument
    );
    assert_eq!(
        status(key.decrypt(Encryption::RsaPkcs1v15, b"", &pkcs1[1..])),
        Status::PsaErrorInvalidArgument
    );
    assert_eq!(
        status(key.decrypt(Encryption::RsaPkcs1v15, b"", &[0xff; 256])),
        Status::PsaErrorInvalidArgument
    );
    assert_eq!(
        status(public.decrypt(Encryption::RsaPkcs1v15, b"", &pkcs1)),
        Status::PsaErrorInvalidArgument
    );
    for hash in [Hash::Sha1, Hash::Sha256, Hash::Sha512, Hash::Sha3_256] {
        let oaep = Encryption::RsaOaep { hash };
        for label in [b"".as_slice(), b"label\0"] {
            let ciphertext = public.encrypt(oaep, label, b"message").unwrap();
            assert_eq!(*key.decrypt(oaep, label, &ciphertext).unwrap(), *b"message");
            assert_eq!(
                status(key.decrypt(oaep, b"other", &ciphertext)),
                Status::PsaErrorInvalidPadding
            );
        }
    }
    assert_eq!(
        status(generate(P256, 256).encrypt(Encryption::RsaPkcs1v15, b"", b"m")),
        Status::PsaErrorInvalidArgument
    );
}

#[test]
fn bad_rsa_keys_are_refused() {
    let der = Base64::decode_vec(DRAFT_KEY).unwrap();
    let refused = |data: &[u8]| {
        assert_eq!(
            status(import(KeyType::RsaKeyPair, data)),
            Status::PsaErrorInvalidArgument
        )
    };
    refused(&[&der[..], &[0]].concat());
    refused(&der[..der.len() - 1]);
    for index in [40, 300, 600, 700, 900, 1100, der.len() - 1] {
        let mut broken = der.clone();
        broken[index] ^= 4;
        refused(&broken);
    }
    refused(&generate(KeyType::RsaKeyPair, 2048).public().unwrap());
    assert_eq!(
        status(Key::import(&attributes(KeyType::RsaKeyPair, 3072), &der)),
        Status::PsaErrorInvalidArgument
    );
    let short = lc::Rsa::generate(1024).unwrap().private_der().unwrap();
    assert_eq!(
        status(import(KeyType::RsaKeyPair, &short)),
        Status::PsaErrorNotSupported
    );
    let public_exponent_2 = [
        &hex("3082010802820101 00")[..],
        &[0xff; 256],
        &hex("020102"),
    ]
    .concat();
    assert_eq!(
        status(import(KeyType::RsaPublicKey, &public_exponent_2)),
        Status::PsaErrorInvalidArgument
    );
}

#[test]
fn roca_fingerprint() {
    // 1 modulo every prime of the fingerprint, as a weak modulus could be: their product times anything, and 1.
    let primes = (2_u32..=167).filter(|n| (2..*n).all(|d| n % d != 0));
    let product = primes.fold(vec![1_u8], |little_endian, prime| {
        let mut carry = 0;
        let mut out: Vec<_> = little_endian
            .iter()
            .map(|&byte| {
                carry += u32::from(byte) * prime;
                let low = carry as u8;
                carry >>= 8;
                low
            })
            .collect();
        out.extend(carry.to_le_bytes().iter().take_while(|_| carry != 0));
        out
    });
    let mut weak: Vec<_> = product.into_iter().rev().collect();
    *weak.last_mut().unwrap() += 1;
    assert!(rsa::has_roca_fingerprint(&weak));
    *weak.last_mut().unwrap() += 1;
    assert!(!rsa::has_roca_fingerprint(&weak));
    let sound = lc::Rsa::generate(2048).unwrap();
    assert!(!rsa::has_roca_fingerprint(&sound.modulus().unwrap()));
    rsa::validate(&sound, true).unwrap();
}

#[test]
fn one_key_serves_many_threads() {
    let keys = [
        (generate(P256, 256), Signature::Ecdsa { hash: SHA256 }),
        (
            generate(KeyType::RsaKeyPair, 2048),
            Signature::RsaPss { hash: SHA256 },
        ),
    ];
    std::thread::scope(|scope| {
        for thread in 0..8_u8 {
            let keys = &keys;
            scope.spawn(move || {
                for round in 0..20 {
                    for (key, algorithm) in keys {
                        let signature = key.sign_hash(*algorithm, &[thread ^ round; 32]).unwrap();
                        key.verify_hash(*algorithm, &[thread ^ round; 32], &signature)
                            .unwrap();
                    }
                }
            });
        }
    });
}

#[test]
fn capabilities_are_what_runs() {
    let with = |key_type, bits, algorithm| Attributes {
        policy: Policy {
            usage: Usage::ALL,
            algorithm,
            also: Vec::new(),
        },
        ..attributes(key_type, bits)
    };
    let ask = |check, attributes: &Attributes| status(can_do(check, attributes)) == Status::Success;
    let ecdsa = Algorithm::Signature(Signature::Ecdsa {
        hash: SignHash::Any,
    });
    for check in [CheckType::Use, CheckType::Generate, CheckType::Import] {
        assert!(ask(check, &with(P256, 256, ecdsa)));
        assert!(ask(
            check,
            &with(KeyType::RsaKeyPair, 3072, Signature::RsaPkcs1v15Raw.into())
        ));
        assert!(!ask(check, &with(P256, 512, ecdsa)));
        assert!(!ask(
            check,
            &with(P256, 256, Signature::RsaPss { hash: SHA256 }.into())
        ));
        assert!(!ask(
            check,
            &with(
                P256,
                256,
                Signature::DeterministicEcdsa { hash: SHA256 }.into()
            )
        ));
        assert!(!ask(check, &with(KeyType::Camellia, 256, Algorithm::None)));
    }
    assert!(!ask(CheckType::Derive, &with(P256, 256, ecdsa)));
    assert!(ask(
        CheckType::Import,
        &with(KeyType::RsaKeyPair, 2056, Algorithm::None)
    ));
    assert!(!ask(
        CheckType::Generate,
        &with(KeyType::RsaKeyPair, 2056, Algorithm::None)
    ));
    assert!(!ask(
        CheckType::Generate,
        &with(KeyType::RsaPublicKey, 2048, Algorithm::None)
    ));
    assert!(ask(
        CheckType::Import,
        &with(KeyType::RsaPublicKey, 0, Algorithm::None)
    ));
    assert!(ask(
        CheckType::Import,
        &with(X25519, 0, Algorithm::Agreement(Agreement::Ecdh))
    ));
    assert!(!ask(
        CheckType::Use,
        &with(X25519, 0, Algorithm::Agreement(Agreement::Ecdh))
    ));
    let verifier = Attributes {
        policy: Policy {
            usage: Usage::VERIFY,
            algorithm: Signature::RsaPss {
                hash: Hash::Sha1.into(),
            }
            .into(),
            also: Vec::new(),
        },
        ..attributes(KeyType::RsaPublicKey, 2048)
    };
    assert!(ask(CheckType::Use, &verifier));
    // Every hash and MAC that is promised is computed, and every other refused.
    for &hash in Hash::ALL {
        let mac = Mac {
            kind: MacKind::Hmac { hash },
            len: None,
        };
        let promised = ask(CheckType::Use, &with(KeyType::Hmac, 256, mac.into()));
        assert_eq!(
            promised,
            generate(KeyType::Hmac, 256).mac(mac, b"message").is_ok(),
            "{hash:?}"
        );
    }
    for &cipher in Cipher::ALL {
        let promised = ask(CheckType::Use, &with(KeyType::Aes, 192, cipher.into()));
        assert_eq!(
            promised,
            generate(KeyType::Aes, 192)
                .cipher_encrypt(cipher, &[0; 32])
                .is_ok(),
            "{cipher:?}"
        );
    }
    for &kind in AeadKind::ALL {
        let aead = Aead {
            kind,
            tag_len: Some(8),
        };
        let promised = ask(CheckType::Use, &with(KeyType::Aes, 192, aead.into()));
        assert_eq!(
            promised,
            generate(KeyType::Aes, 192)
                .aead_encrypt(aead, &[0; 12], b"", b"")
                .is_ok(),
            "{kind:?}"
        );
    }
}
