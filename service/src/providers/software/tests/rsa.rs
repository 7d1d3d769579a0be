//! RSA encryption, and which RSA keys are refused.

use super::{P256, attributes, generate, hex, import, public_half, status};
use crate::providers::software::key::ParsedKey;
use crate::providers::software::{random, rsa};
use base64ct::{Base64, Encoding};
use interface::Status;
use interface::algorithm::{Encryption, Hash};
use interface::attributes::KeyType;

/// The 2048-bit test key of draft-irtf-cfrg-rsa-guidance, appendix B.
const DRAFT_KEY: &str = "MIIEowIBAAKCAQEAyMyDlxQJjaVsqiNkD5PciZfBY3KWj8Gwxt9RE8HJTosh5IrSKX5lQZARtObY9ec7G3iyV0ADIdHva2AtTsjOjRQclJBetK0wZjmkkgZTS25/JgdCPpff/RM8iNchOZ3vvH6WzNy9fzquH+iScSv7SSmBfVEWZkQKH6y3ogj16hZZEK3Yo/LUlyAjYMy2MgJPDQcWnBkY8xb3lLFDrvVOyHUipMApePlomYC/+/ZJwwfoGBm/+IQJY41IvZS+FStZ/2SfoL1inQ/6GBPDq/S1a9PC6lRl3/oUWJKSqdiiStJr5+4FEHQbY4LUPIPVv6QKRmE9BivkRVF9vK8MtOGnaQIDAQABAoIBABRVAQ4PLVh2Y6Zmpv8czbvw7dgQBkbQKgI5IpCJksStOeVWWSlybvZQjDpxFY7wtv91HTnQdYC7LS8GMhBELQYD/1DbvXs1/iybsZpHoa+FpMJJAeAsqLWLeRmyDt8yqs+/Ua20vEthubfpaMqk1XD3DvGNgGMiiJPkfUOe/KeTJZvPLNEIo9hojN8HjnrHmZafIznSwfUiuWloRimpM7quwmgWJeq4T05W9ER+nYj7mhmc9xAj4OJXsURBszyE07xnyoAx0mEmGBA6egpAhEJi912IkM1hblH5A1SI/W4Jnej/bWWk/xGCVIB8n1jS+7qLoVHcjGi+NJyXeiBOBMECgYEA+PWta6gokxvqRZuKP23AQdI0gkCcJXHpY/MfdIYColY3GziD7UWez5cFJkWe3RbgVSL1pF2UdRsuwtrycsf4gWpSwA0YCAFxY02omdeXMiL1G5N2MFSGlqn32MJKWUl8HvzUVc+5fuhtK200lyszL9owPwSZm062tcwLsz53Yd0CgYEAznouO0mpC5YzChLcaCvfvfuujdbcA7YUeu+9V1dD8PbaTYYjUGG3Gv2crS00Al5WrIaw93Q+s14ay8ojeJVCRGW3Bu0iF15XGMjHC2cD6o9rUQ+UW+SOWja7PDyRcytYnfwF1y2AkDGURSvaITSGR+xylD8RqEbmL66+jrU2sP0CgYB2/hXxiuI5zfHfa0RcpLxruWjXiMIZM6T13NKAAz1nEgYswIpt8gTB+9C+RjB0Q+bdSmRWN1Qp1OA4yiVvrxyb3pHGsXt2+BmV+RxIy768e/DjSUwINZ5OjNalh9e5bWIh/X4PtcVXXwgu5XdpeYBxsru0oyI4FRtHMUu2VHkDEQKBgQCZiEiwVUmaEAnLx9KUs2sf/fICDm5zZAU+lN4aAA3JNAWH9+JydvaM32CNdTtjN3sDtvQITSwCfEs4lgpiM7qe2XOLdvEOp1vkVgeL9wH2fMaz8/3BhuZDNsdrNy6AkQ7ICwrcwj0C+5rhBIaigkgHW06n5W3fzziC5FFWFHGikQKBgGQ790ZCn32DZnoGUwITR++/wF5jUfghqd67YODszeUAWtnp7DHlWPfpLCkyjnRWnXzvfHTKvCs1XtQBoaCRS048uwZITlgZYFEWntFMqi76bqBE4FTSYUTMFinFUBBVigThM/RLfCRNrCW/kTxXuJDuSfVIJZzWNAT+9oWdz5da";

/// Ciphertexts of that appendix for its key, and what they decrypt to.
#[test]
fn bad_padding_decrypts_to_the_drafts_messages() {
    let key = import(KeyType::RsaKeyPair, &Base64::decode_vec(DRAFT_KEY).unwrap()).unwrap();
    let decrypt = |ciphertext| key.decrypt(Encryption::RsaPkcs1v15, b"", &hex(ciphertext)).unwrap().to_vec();
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
        let message = random::bytes(len).unwrap();
        let ciphertext = public.encrypt(Encryption::RsaPkcs1v15, b"", &message).unwrap();
        assert_eq!(*key.decrypt(Encryption::RsaPkcs1v15, b"", &ciphertext).unwrap(), *message);
    }
    let pkcs1 = public.encrypt(Encryption::RsaPkcs1v15, b"", b"message").unwrap();
    if let Ok(made_up) = other.decrypt(Encryption::RsaPkcs1v15, b"", &pkcs1) {
        assert_ne!(*made_up, *b"message");
        assert_eq!(made_up, other.decrypt(Encryption::RsaPkcs1v15, b"", &pkcs1).unwrap(), "made up anew");
    }
    assert_eq!(status(key.encrypt(Encryption::RsaPkcs1v15, b"label", b"m")), Status::PsaErrorInvalidArgument);
    assert_eq!(status(key.encrypt(Encryption::RsaPkcs1v15, b"", &[0; 246])), Status::PsaErrorInvalidArgument);
    assert_eq!(status(key.decrypt(Encryption::RsaPkcs1v15, b"", &pkcs1[1..])), Status::PsaErrorInvalidArgument);
    assert_eq!(status(key.decrypt(Encryption::RsaPkcs1v15, b"", &[0xff; 256])), Status::PsaErrorInvalidArgument);
    assert_eq!(status(public.decrypt(Encryption::RsaPkcs1v15, b"", &pkcs1)), Status::PsaErrorInvalidArgument);
    for hash in [Hash::Sha1, Hash::Sha256, Hash::Sha512, Hash::Sha3_256] {
        let oaep = Encryption::RsaOaep { hash };
        for label in [b"".as_slice(), b"label\0"] {
            let ciphertext = public.encrypt(oaep, label, b"message").unwrap();
            assert_eq!(*key.decrypt(oaep, label, &ciphertext).unwrap(), *b"message");
            assert_eq!(status(key.decrypt(oaep, b"other", &ciphertext)), Status::PsaErrorInvalidPadding);
        }
    }
    assert_eq!(status(generate(P256, 256).encrypt(Encryption::RsaPkcs1v15, b"", b"m")), Status::PsaErrorInvalidArgument);
}

#[test]
fn bad_rsa_keys_are_refused() {
    let der = Base64::decode_vec(DRAFT_KEY).unwrap();
    let refused = |data: &[u8]| assert_eq!(status(import(KeyType::RsaKeyPair, data)), Status::PsaErrorInvalidArgument);
    refused(&[&der[..], &[0]].concat());
    refused(&der[..der.len() - 1]);
    for index in [40, 300, 600, 700, 900, 1100, der.len() - 1] {
        let mut broken = der.clone();
        broken[index] ^= 4;
        refused(&broken);
    }
    refused(&generate(KeyType::RsaKeyPair, 2048).public().unwrap());
    assert_eq!(status(ParsedKey::import(&attributes(KeyType::RsaKeyPair, 3072), &der)), Status::PsaErrorInvalidArgument);
    let short = lc::Rsa::generate(768).unwrap().private_der().unwrap();
    assert_eq!(status(import(KeyType::RsaKeyPair, &short)), Status::PsaErrorNotSupported);
    let public_exponent_2 = [&hex("3082010802820101 00")[..], &[0xff; 256], &hex("020102")].concat();
    assert_eq!(status(import(KeyType::RsaPublicKey, &public_exponent_2)), Status::PsaErrorInvalidArgument);
}

#[test]
fn short_old_keys_are_imported_to_verify_with() {
    let old = lc::Rsa::generate(512).unwrap();
    assert_eq!(import(KeyType::RsaPublicKey, &old.public_der().unwrap()).unwrap().bits(), 512);
    assert_eq!(status(import(KeyType::RsaKeyPair, &old.private_der().unwrap())), Status::PsaErrorNotSupported);
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
                let [low, ..] = carry.to_le_bytes();
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
