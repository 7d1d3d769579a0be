//! Signatures.

use super::{ED25519, P256, PAIRS, SHA256, X25519, generate, hex, import, public_half, status};
#[cfg(feature = "ed448")]
use crate::providers::software::ed448::Public;
use crate::providers::software::sign::check_new;
use crate::providers::software::{hash, random};
use interface::Status;
use interface::algorithm::{Hash, SignHash, Signature};
use interface::attributes::{EccFamily, KeyType};

#[test]
fn every_signature_verifies_and_no_other_does() {
    let rsa = [
        Signature::RsaPkcs1v15 { hash: SHA256 },
        Signature::RsaPkcs1v15 { hash: Hash::Sha3_384.into() },
        Signature::RsaPss { hash: Hash::Sha512.into() },
    ];
    let ecdsa = [Signature::Ecdsa { hash: SHA256 }, Signature::Ecdsa { hash: Hash::Sha512.into() }];
    let dsa = [Signature::Dsa { hash: SHA256 }, Signature::Dsa { hash: Hash::Sha512.into() }];
    for (key_type, bits) in PAIRS {
        let key = generate(key_type, bits);
        let public = public_half(&key, key_type);
        let algorithms: &[Signature] = match key_type {
            KeyType::RsaKeyPair => &rsa,
            ED25519 => &[Signature::PureEddsa],
            KeyType::MlDsaKeyPair => &[Signature::MlDsa, Signature::HashMlDsa { hash: SHA256 }],
            KeyType::DsaKeyPair => &dsa,
            X25519 | KeyType::MlKemKeyPair | KeyType::DhKeyPair(_) => &[],
            _ => &ecdsa,
        };
        for &algorithm in algorithms {
            let mut signature = key.sign_message(algorithm, b"message", b"").unwrap();
            public.verify_message(algorithm, b"message", &signature, b"").unwrap();
            if let Some(hash) = algorithm.hash() {
                let hash = hash::compute(hash, b"message").unwrap();
                public.verify_hash(algorithm, &hash, &signature, b"").unwrap();
                public.verify_message(algorithm, b"message", &key.sign_hash(algorithm, &hash, b"").unwrap(), b"").unwrap();
                assert_eq!(status(key.sign_hash(algorithm, &hash[1..], b"")), Status::PsaErrorInvalidArgument);
            }
            assert_eq!(status(public.verify_message(algorithm, b"massage", &signature, b"")), Status::PsaErrorInvalidSignature);
            assert_eq!(
                status(public.verify_message(algorithm, b"message", &signature[1..], b"")),
                Status::PsaErrorInvalidSignature
            );
            *signature.last_mut().unwrap() ^= 1;
            assert_eq!(status(public.verify_message(algorithm, b"message", &signature, b"")), Status::PsaErrorInvalidSignature);
            assert_eq!(status(public.sign_message(algorithm, b"message", b"")), Status::PsaErrorInvalidArgument);
        }
    }
}

#[test]
fn signatures_without_a_named_hash() {
    let key = generate(P256, 256);
    for len in [1, 20, 32, 64] {
        let hash = random::bytes(len).unwrap();
        let signature = key.sign_hash(Signature::EcdsaAny, &hash, b"").unwrap();
        assert_eq!(signature.len(), 64);
        key.verify_hash(Signature::EcdsaAny, &hash, &signature, b"").unwrap();
    }
    assert_eq!(status(key.sign_message(Signature::EcdsaAny, b"m", b"")), Status::PsaErrorInvalidArgument);

    let key = generate(KeyType::RsaKeyPair, 2048);
    let hash = hash::compute(Hash::Sha256, b"message").unwrap();
    let info = [Hash::Sha256.digest_info(), &hash].concat();
    let signature = key.sign_hash(Signature::RsaPkcs1v15Raw, &info, b"").unwrap();
    key.verify_message(Signature::RsaPkcs1v15 { hash: SHA256 }, b"message", &signature, b"").unwrap();
    key.verify_hash(Signature::RsaPkcs1v15Raw, &info, &signature, b"").unwrap();
    assert_eq!(status(key.verify_hash(Signature::RsaPkcs1v15Raw, &hash, &signature, b"")), Status::PsaErrorInvalidSignature);
    assert_eq!(status(key.sign_hash(Signature::RsaPkcs1v15Raw, &[0; 246], b"")), Status::PsaErrorInvalidArgument);
    key.sign_hash(Signature::RsaPkcs1v15Raw, &[0; 245], b"").unwrap();
}

#[test]
fn weak_and_unfitting_signatures_are_refused() {
    let rsa = generate(KeyType::RsaKeyPair, 2048);
    let ec = generate(P256, 256);
    let sha1 = SignHash::Specific(Hash::Sha1);
    assert_eq!(status(check_new(Signature::RsaPkcs1v15 { hash: sha1 }, false)), Status::PsaErrorNotSupported);
    check_new(Signature::RsaPkcs1v15 { hash: sha1 }, true).unwrap();
    let info = [Hash::Sha1.digest_info(), &[7; 20]].concat();
    let old = rsa.sign_hash(Signature::RsaPkcs1v15Raw, &info, b"").unwrap();
    rsa.verify_hash(Signature::RsaPkcs1v15 { hash: sha1 }, &[7; 20], &old, b"").unwrap();
    assert_eq!(
        status(rsa.verify_hash(Signature::RsaPkcs1v15 { hash: Hash::Md5.into() }, &[7; 16], &old, b"")),
        Status::PsaErrorNotSupported
    );
    assert_eq!(status(ec.sign_hash(Signature::Ecdsa { hash: SignHash::Any }, &[0; 32], b"")), Status::PsaErrorInvalidArgument);
    assert_eq!(status(ec.sign_hash(Signature::RsaPss { hash: SHA256 }, &[0; 32], b"")), Status::PsaErrorInvalidArgument);
    assert_eq!(status(ec.sign_hash(Signature::DeterministicEcdsa { hash: SHA256 }, &[0; 32], b"")), Status::PsaErrorNotSupported);
    assert_eq!(status(generate(ED25519, 255).sign_hash(Signature::PureEddsa, &[0; 32], b"")), Status::PsaErrorInvalidArgument);
}

/// RFC 6979 §A.2.5.
#[test]
fn ecdsa_vector() {
    let key = import(P256, &hex("c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721")).unwrap();
    let public = "04 60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6
        7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299";
    assert_eq!(key.public().unwrap(), hex(public));
    let signature = "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716
        f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8";
    key.verify_message(Signature::Ecdsa { hash: SHA256 }, b"sample", &hex(signature), b"").unwrap();
}

/// RFC 8032 §7.1, test 1.
#[test]
fn ed25519_vector() {
    let key = import(ED25519, &hex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")).unwrap();
    assert_eq!(key.public().unwrap(), hex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"));
    let signature = "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b";
    assert_eq!(key.sign_message(Signature::PureEddsa, b"", b"").unwrap(), hex(signature));
}

/// RFC 8032 §7.2 (a context) and §7.3 (a hash, in no context).
#[test]
fn ed25519_variants_agree_with_their_vectors() {
    let key = import(ED25519, &hex("0305334e381af78f141cb666f6199f57bc3495335a256a95bd2a55bf546663f6")).unwrap();
    let message = hex("f726936d19c800494e3fdaff20b276a8");
    let signature = hex(
        "55a4cc2f70a54e04288c5f4cd1e45a7bb520b36292911876cada7323198dd87a8b36950b95130022907a7fb7c4e9b2d5f6cca685a587b4b21f4b888e4e7edb0d",
    );
    assert_eq!(key.sign_message(Signature::Ed25519ctx, &message, b"foo").unwrap(), signature);
    key.verify_message(Signature::Ed25519ctx, &message, &signature, b"foo").unwrap();
    let elsewhere = key.verify_message(Signature::Ed25519ctx, &message, &signature, b"bar");
    assert_eq!(status(elsewhere), Status::PsaErrorInvalidSignature);
    assert_eq!(status(key.sign_message(Signature::Ed25519ctx, &message, b"")), Status::PsaErrorInvalidArgument);
    assert_eq!(status(key.sign_message(Signature::PureEddsa, &message, b"foo")), Status::PsaErrorInvalidArgument);

    let key = import(ED25519, &hex("833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42")).unwrap();
    let signature = hex(
        "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae4131f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406",
    );
    assert_eq!(key.sign_message(Signature::Ed25519ph, b"abc", b"").unwrap(), signature);
    let hash = hash::compute(Hash::Sha512, b"abc").unwrap();
    key.verify_hash(Signature::Ed25519ph, &hash, &signature, b"").unwrap();
    assert_eq!(status(key.sign_hash(Signature::Ed25519ph, &hash, &[0; 256])), Status::PsaErrorInvalidArgument);
}

#[cfg(not(feature = "ed448"))]
#[test]
fn a_build_without_ed448_refuses_its_keys_and_tells_which_build_has_it() {
    use crate::providers::software::key::ParsedKey;
    let attributes = super::attributes(ED25519, 448);
    let told = [
        ParsedKey::generate(&attributes, &[]).map(drop),
        import(ED25519, &[7; 57]).map(drop),
        import(ED25519.public(), &[7; 57]).map(drop),
        ParsedKey::load(&attributes, &[7; 57]).map(drop),
    ];
    for refused in told.map(Result::unwrap_err) {
        assert_eq!(refused.status(), Status::PsaErrorNotSupported);
        assert!(refused.to_string().contains("--features service/ed448"), "{refused}");
    }
}

/// RFC 8032 §7.4 (a context) and §7.5 (a hash, in a context).
#[cfg(feature = "ed448")]
#[test]
fn ed448_agrees_with_its_vectors() {
    let key = import(
        ED25519,
        &hex(
            "c4eab05d357007c632f3dbb48489924d552b08fe0c353a0d4a1f00acda2c463afbea67c5e8d2877c5e3bc397a659949ef8021e954e0a12274e",
        ),
    )
    .unwrap();
    assert_eq!(key.bits(), 448);
    let public =
        "43ba28f430cdff456ae531545f7ecd0ac834a55d9358c0372bfa0c6c6798c0866aea01eb00742802b8438ea4cb82169c235160627b4c3a9480";
    assert_eq!(key.public().unwrap(), hex(public));
    let signature =
        hex("d4f8f6131770dd46f40867d6fd5d5055de43541f8c5e35abbcd001b32a89f7d2151f7647f11d8ca2ae279fb842d607217fce6e042f6815ea00
        0c85741de5c8da1144a6a1aba7f96de42505d7a7298524fda538fccbbb754f578c1cad10d54d0d5428407e85dcbc98a49155c13764e66c3c00");
    assert_eq!(key.sign_message(Signature::PureEddsa, &[3], b"foo").unwrap(), signature);
    key.verify_message(Signature::PureEddsa, &[3], &signature, b"foo").unwrap();
    for wrong in [
        key.verify_message(Signature::PureEddsa, &[3], &signature, b""),
        key.verify_message(Signature::Ed448ph, &[3], &signature, b"foo"),
    ] {
        assert_eq!(status(wrong), Status::PsaErrorInvalidSignature);
    }
    assert_eq!(status(key.sign_message(Signature::Ed25519ctx, &[3], b"foo")), Status::PsaErrorInvalidArgument);

    let key = import(
        ED25519,
        &hex(
            "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42ef7822e0d5104127dc05d6dbefde69e3ab2cec7c867c6e2c49",
        ),
    )
    .unwrap();
    let signature =
        hex("c32299d46ec8ff02b54540982814dce9a05812f81962b649d528095916a2aa481065b1580423ef927ecf0af5888f90da0f6a9a85ad5dc3f280
        d91224ba9911a3653d00e484e2ce232521481c8658df304bb7745a73514cdb9bf3e15784ab71284f8d0704a608c54a6b62d97beb511d132100");
    assert_eq!(key.sign_message(Signature::Ed448ph, b"abc", b"foo").unwrap(), signature);
    key.verify_message(Signature::Ed448ph, b"abc", &signature, b"foo").unwrap();
}

/// RFC 8032 §5.2.3 and §5.2.7. Whoever has the private key can make the first ones, which are right for a verifier that takes no notice
/// of bits that ought to be zero.
#[cfg(feature = "ed448")]
#[test]
fn ed448_refuses_numbers_with_bits_above_their_lengths() {
    let public =
        hex("43ba28f430cdff456ae531545f7ecd0ac834a55d9358c0372bfa0c6c6798c0866aea01eb00742802b8438ea4cb82169c235160627b4c3a9480");
    let key = Public::from_bytes(&public).unwrap();
    let right =
        hex("d4f8f6131770dd46f40867d6fd5d5055de43541f8c5e35abbcd001b32a89f7d2151f7647f11d8ca2ae279fb842d607217fce6e042f6815ea00
        0c85741de5c8da1144a6a1aba7f96de42505d7a7298524fda538fccbbb754f578c1cad10d54d0d5428407e85dcbc98a49155c13764e66c3c00");
    key.verify(b"foo", &[3], &right).unwrap();
    let point = [
        // one bit, another bit and all bits between the y coordinate and the sign of x
        hex("d4f8f6131770dd46f40867d6fd5d5055de43541f8c5e35abbcd001b32a89f7d2151f7647f11d8ca2ae279fb842d607217fce6e042f6815ea01
            7a0dad7ad3f07308f98650bfec2ca5525dfeab03baa0db924934d2531d35f3a16003f09332403ba4a5e00e2b70cb5fd57a4a8e7481535e0100"),
        hex("d4f8f6131770dd46f40867d6fd5d5055de43541f8c5e35abbcd001b32a89f7d2151f7647f11d8ca2ae279fb842d607217fce6e042f6815ea40
            e6d7130076a52fcc95ba6ff59a65bb76a3bb8463d7f577bddc9ad68d500a463ab4bd89b6ef1d0397d9c7e32abf6afa2c512f97c43591e70000"),
        hex("d4f8f6131770dd46f40867d6fd5d5055de43541f8c5e35abbcd001b32a89f7d2151f7647f11d8ca2ae279fb842d607217fce6e042f6815ea7f
            334c5f1b68d2b40a53ef14feeea9b5249e770f6f578c1eab595df788b0234c230479c96402faeec6e20c003a9a5771ea72e58aa5e3571e0000"),
    ];
    let larger =
        hex("d4f8f6131770dd46f40867d6fd5d5055de43541f8c5e35abbcd001b32a89f7d2151f7647f11d8ca2ae279fb842d607217fce6e042f6815ea00
        ffc9ccc8778b5335993567391abcda05b63bad56736073c18f5cc648bb754f578c1cad10d54d0d5428407e85dcbc98a49155c13764e66c7c00");
    let above = [0x40, 0x80].map(|bit| {
        let mut signature = right.clone();
        *signature.last_mut().unwrap() |= bit;
        signature
    });
    for wrong in point.iter().chain(&above).chain([&larger]) {
        assert!(key.verify(b"foo", &[3], wrong).is_err());
    }
    for bit in 0..7 {
        let mut public = public.clone();
        public[56] |= 1 << bit;
        assert!(Public::from_bytes(&public).is_err(), "{bit}");
    }
    // the neutral element with p + 1 in the place of 1
    let reduced = [&[0; 28][..], &[0xff; 28], &[0]].concat();
    assert!(Public::from_bytes(&reduced).is_err());
}

/// Shorter and longer than the order: its first bits count (FIPS 186-5 §6.4.1).
#[test]
fn raw_ecdsa_and_dsa_take_a_digest_of_any_length() {
    let p521 = KeyType::EccKeyPair(EccFamily::SecpR1);
    for (key, algorithm, order) in [
        (generate(P256, 256), Signature::EcdsaAny, 32),
        (generate(p521, 521), Signature::EcdsaAny, 66),
        (generate(KeyType::DsaKeyPair, 2048), Signature::DsaAny, 32),
    ] {
        for len in [1, 19, 20, 32, 33, 64, 65, 66, 67, 200, 5000] {
            let digest: Vec<u8> = (0..len).map(|at: u32| at.to_le_bytes()[0] | 1).collect();
            let signature = key.sign_hash(algorithm, &digest, b"").unwrap();
            key.verify_hash(algorithm, &digest, &signature, b"").unwrap();
            let first = &digest[..digest.len().min(order)];
            // the order of P-521 has a bit of its first byte
            if order != 66 || digest.len() < 66 {
                key.verify_hash(algorithm, first, &signature, b"").unwrap();
            }
            let other = [&[first[0] ^ 2], &first[1..]].concat();
            assert_eq!(status(key.verify_hash(algorithm, &other, &signature, b"")), Status::PsaErrorInvalidSignature);
        }
        assert_eq!(status(key.sign_hash(algorithm, b"", b"")), Status::PsaErrorInvalidArgument);
    }
}

#[test]
fn raw_rsa_is_the_number_alone() {
    let key = generate(KeyType::RsaKeyPair, 2048);
    let info = [Hash::Sha256.digest_info(), &[7; 32]].concat();
    let padded = [&[0, 1][..], &[0xff; 202], &[0], &info].concat();
    let signature = key.sign_hash(Signature::RsaRaw, &padded, b"").unwrap();
    key.verify_hash(Signature::RsaPkcs1v15 { hash: SHA256 }, &[7; 32], &signature, b"").unwrap();
    key.verify_hash(Signature::RsaRaw, &padded[1..], &signature, b"").unwrap();
    assert_eq!(status(key.verify_hash(Signature::RsaRaw, &padded[2..], &signature, b"")), Status::PsaErrorInvalidSignature);
    for wrong in [&[0xff; 256][..], &[0; 257]] {
        assert_eq!(status(key.sign_hash(Signature::RsaRaw, wrong, b"")), Status::PsaErrorInvalidArgument);
    }
}

#[test]
fn the_salt_of_pss_is_as_long_as_asked() {
    let key = generate(KeyType::RsaKeyPair, 2048);
    let with = |mgf, salt_len| Signature::RsaPssWith { hash: Hash::Sha256, mgf, salt_len };
    let sign = |algorithm| key.sign_hash(algorithm, &[7; 32], b"");
    let check = |algorithm, signature: &[u8]| status(key.verify_hash(algorithm, &[7; 32], signature, b""));
    for salt_len in [0, 20, 32, 222] {
        let signature = sign(with(Hash::Sha1, salt_len)).unwrap();
        key.verify_hash(with(Hash::Sha1, salt_len), &[7; 32], &signature, b"").unwrap();
        assert_eq!(check(with(Hash::Sha1, salt_len + 1), &signature), Status::PsaErrorInvalidSignature);
        assert_eq!(check(with(Hash::Sha256, salt_len), &signature), Status::PsaErrorInvalidSignature);
    }
    let usual = sign(with(Hash::Sha256, 32)).unwrap();
    key.verify_hash(Signature::RsaPss { hash: SHA256 }, &[7; 32], &usual, b"").unwrap();
    for salt_len in [223, u32::MAX] {
        assert_eq!(status(sign(with(Hash::Sha256, salt_len))), Status::PsaErrorInvalidArgument);
    }
}

#[test]
fn one_key_serves_many_threads() {
    let keys = [
        (generate(P256, 256), Signature::Ecdsa { hash: SHA256 }),
        (generate(KeyType::RsaKeyPair, 2048), Signature::RsaPss { hash: SHA256 }),
    ];
    std::thread::scope(|scope| {
        for thread in 0..8_u8 {
            let keys = &keys;
            scope.spawn(move || {
                for round in 0..20 {
                    for (key, algorithm) in keys {
                        let signature = key.sign_hash(*algorithm, &[thread ^ round; 32], b"").unwrap();
                        key.verify_hash(*algorithm, &[thread ^ round; 32], &signature, b"").unwrap();
                    }
                }
            });
        }
    });
}

#[test]
fn ecdsa_numbers_out_of_range_are_refused() {
    let key = generate(P256, 256);
    let algorithm = Signature::Ecdsa { hash: SHA256 };
    let order = hex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
    let (zero, one) = (vec![0; 32], [vec![0; 31], vec![1]].concat());
    for r in [&zero, &one, &order] {
        for s in [&zero, &one, &order] {
            let signature = [&r[..], s].concat();
            let verified = key.verify_message(algorithm, b"message", &signature, b"");
            assert_eq!(status(verified), Status::PsaErrorInvalidSignature);
        }
    }
}

/// RFC 8032 §5.1.7 wants S below the group's order: adding the order to it must not make a second signature.
#[test]
fn ed25519_signatures_cannot_be_changed() {
    let key = generate(ED25519, 255);
    let mut signature = key.sign_message(Signature::PureEddsa, b"message", b"").unwrap();
    let order = hex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
    let mut carry = 0;
    for (byte, add) in signature[32..].iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        [*byte, _] = sum.to_le_bytes();
        carry = sum >> 8;
    }
    let verified = key.verify_message(Signature::PureEddsa, b"message", &signature, b"");
    assert_eq!(status(verified), Status::PsaErrorInvalidSignature);
}
