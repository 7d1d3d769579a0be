//! Every algorithm, key type, usage and number means the same on both sides.

#![allow(deprecated, reason = "broken algorithms have numbers too")]

use interface::algorithm::{self as a, Algorithm};
use interface::attributes::{DhFamily, EccFamily, KeyType, Usage};
use interface::message::KeyAttributes;
use interface::wire::Header;
use interface::{AuthType, Opcode, PROVIDERS, ProviderId, Status};
use parsec_interface::operations::psa_algorithm as u;
use parsec_interface::operations::psa_key_attributes::{self as uk, Type, UsageFlags};
use parsec_interface::requests::{Request, ResponseStatus};

use super::{attributes, ec_attributes, frame, ours, through_wire};

/// Upstream's algorithm decodes to ours, and ours encodes to the same message.
fn same(upstream: impl Into<u::Algorithm>, algorithm: impl Into<Algorithm>) {
    let (theirs, algorithm) = (attributes(Type::RawData, 8, upstream.into()), algorithm.into());
    let parsed = ours(theirs);
    assert_eq!(parsed.policy.algorithm, algorithm);
    assert_eq!(KeyAttributes::from(&parsed), through_wire(theirs), "{algorithm:?}");
}

/// Upstream's hashes in the order of ours.
const HASHES: [u::Hash; 15] = [
    u::Hash::Md2,
    u::Hash::Md4,
    u::Hash::Md5,
    u::Hash::Ripemd160,
    u::Hash::Sha1,
    u::Hash::Sha224,
    u::Hash::Sha256,
    u::Hash::Sha384,
    u::Hash::Sha512,
    u::Hash::Sha512_224,
    u::Hash::Sha512_256,
    u::Hash::Sha3_224,
    u::Hash::Sha3_256,
    u::Hash::Sha3_384,
    u::Hash::Sha3_512,
];

fn hashes() -> impl Iterator<Item = (u::Hash, a::Hash)> {
    assert_eq!(HASHES.len(), a::Hash::ALL.len());
    HASHES.into_iter().zip(a::Hash::ALL.iter().copied())
}

#[test]
fn signatures() {
    use interface::algorithm::Signature as S;
    use u::AsymmetricSignature as U;
    let any = (u::SignHash::Any, a::SignHash::Any);
    for (hash_alg, hash) in hashes().map(|(theirs, ours)| (theirs.into(), ours.into())).chain([any]) {
        same(U::RsaPkcs1v15Sign { hash_alg }, S::RsaPkcs1v15 { hash });
        same(U::RsaPss { hash_alg }, S::RsaPss { hash });
        same(U::Ecdsa { hash_alg }, S::Ecdsa { hash });
        same(U::DeterministicEcdsa { hash_alg }, S::DeterministicEcdsa { hash });
    }
    same(U::RsaPkcs1v15SignRaw, S::RsaPkcs1v15Raw);
    same(U::EcdsaAny, S::EcdsaAny);
}

#[test]
fn hashes_macs_and_derivations() {
    same(u::Algorithm::None, Algorithm::None);
    for (hash_alg, hash) in hashes() {
        assert_eq!(hash_alg.hash_length(), hash.len());
        same(hash_alg, hash);
        same(u::AsymmetricEncryption::RsaOaep { hash_alg }, a::Encryption::RsaOaep { hash });
        mac(u::FullLengthMac::Hmac { hash_alg }, a::MacKind::Hmac { hash });
        derivation(u::KeyDerivation::Hkdf { hash_alg }, a::Derivation::Hkdf { hash });
        derivation(u::KeyDerivation::Tls12Prf { hash_alg }, a::Derivation::Tls12Prf { hash });
        derivation(u::KeyDerivation::Tls12PskToMs { hash_alg }, a::Derivation::Tls12PskToMs { hash });
    }
    mac(u::FullLengthMac::CbcMac, a::MacKind::CbcMac);
    mac(u::FullLengthMac::Cmac, a::MacKind::Cmac);
    same(u::AsymmetricEncryption::RsaPkcs1v15Crypt, a::Encryption::RsaPkcs1v15);
}

fn mac(mac_alg: u::FullLengthMac, kind: a::MacKind) {
    same(u::Mac::FullLength(mac_alg), a::Mac { kind, len: None });
    same(u::Mac::Truncated { mac_alg, mac_length: 10 }, a::Mac { kind, len: Some(10) });
}

fn derivation(kdf_alg: u::KeyDerivation, derivation: a::Derivation) {
    same(kdf_alg, Algorithm::Derivation(derivation));
    for (ka_alg, agreement) in [(u::RawKeyAgreement::Ffdh, a::Agreement::Ffdh), (u::RawKeyAgreement::Ecdh, a::Agreement::Ecdh)] {
        same(u::KeyAgreement::Raw(ka_alg), Algorithm::from(agreement));
        same(
            u::KeyAgreement::WithKeyDerivation { ka_alg, kdf_alg },
            Algorithm::Agreement(a::KeyAgreement::WithKeyDerivation(agreement, derivation)),
        );
    }
}

#[test]
fn ciphers() {
    use u::Cipher as U;
    let theirs = [U::StreamCipher, U::Ctr, U::Cfb, U::Ofb, U::Xts, U::EcbNoPadding, U::CbcNoPadding, U::CbcPkcs7];
    let ours: Vec<_> = a::Cipher::ALL.iter().filter(|&&cipher| Algorithm::from(cipher).upstream()).collect();
    assert_eq!(theirs.len(), ours.len());
    for (theirs, ours) in theirs.into_iter().zip(ours) {
        same(theirs, *ours);
    }
    use u::AeadWithDefaultLengthTag as U2;
    let theirs = [U2::Ccm, U2::Gcm, U2::Chacha20Poly1305];
    assert_eq!(theirs.len(), a::AeadKind::ALL.len());
    for (aead_alg, &kind) in theirs.into_iter().zip(a::AeadKind::ALL) {
        same(u::Aead::AeadWithDefaultLengthTag(aead_alg), a::Aead { kind, tag_len: None });
        same(u::Aead::AeadWithShortenedTag { aead_alg, tag_length: 8 }, a::Aead { kind, tag_len: Some(8) });
    }
}

#[test]
fn key_types() {
    let same = |theirs: Type, expected: KeyType| {
        let theirs = attributes(theirs, 1234, u::Algorithm::None);
        let parsed = ours(theirs);
        assert_eq!((parsed.key_type, parsed.bits), (expected, 1234));
        assert_eq!(KeyAttributes::from(&parsed), through_wire(theirs), "{expected:?}");
    };
    for (theirs, ours) in [
        (Type::RawData, KeyType::RawData),
        (Type::Hmac, KeyType::Hmac),
        (Type::Derive, KeyType::Derive),
        (Type::Aes, KeyType::Aes),
        (Type::Des, KeyType::Des),
        (Type::Camellia, KeyType::Camellia),
        (Type::Arc4, KeyType::Arc4),
        (Type::Chacha20, KeyType::ChaCha20),
        (Type::RsaPublicKey, KeyType::RsaPublicKey),
        (Type::RsaKeyPair, KeyType::RsaKeyPair),
        (Type::DhKeyPair { group_family: uk::DhFamily::Rfc7919 }, KeyType::DhKeyPair(DhFamily::Rfc7919)),
        (Type::DhPublicKey { group_family: uk::DhFamily::Rfc7919 }, KeyType::DhPublicKey(DhFamily::Rfc7919)),
    ] {
        same(theirs, ours);
    }
    for (curve_family, family) in [
        (uk::EccFamily::SecpK1, EccFamily::SecpK1),
        (uk::EccFamily::SecpR1, EccFamily::SecpR1),
        (uk::EccFamily::SecpR2, EccFamily::SecpR2),
        (uk::EccFamily::SectK1, EccFamily::SectK1),
        (uk::EccFamily::SectR1, EccFamily::SectR1),
        (uk::EccFamily::SectR2, EccFamily::SectR2),
        (uk::EccFamily::BrainpoolPR1, EccFamily::BrainpoolPR1),
        (uk::EccFamily::Frp, EccFamily::Frp),
        (uk::EccFamily::Montgomery, EccFamily::Montgomery),
    ] {
        same(Type::EccKeyPair { curve_family }, KeyType::EccKeyPair(family));
        same(Type::EccPublicKey { curve_family }, KeyType::EccPublicKey(family));
    }
}

#[test]
fn usages() {
    type Set = fn(&mut UsageFlags) -> &mut UsageFlags;
    let table: [(Set, Usage); 10] = [
        (UsageFlags::set_export, Usage::EXPORT),
        (UsageFlags::set_copy, Usage::COPY),
        (UsageFlags::set_cache, Usage::CACHE),
        (UsageFlags::set_encrypt, Usage::ENCRYPT),
        (UsageFlags::set_decrypt, Usage::DECRYPT),
        (UsageFlags::set_sign_message, Usage::SIGN_MESSAGE),
        (UsageFlags::set_verify_message, Usage::VERIFY_MESSAGE),
        (UsageFlags::set_sign_hash, Usage::SIGN_HASH | Usage::SIGN_MESSAGE),
        (UsageFlags::set_verify_hash, Usage::VERIFY_HASH | Usage::VERIFY_MESSAGE),
        (UsageFlags::set_derive, Usage::DERIVE),
    ];
    for (set, usage) in table {
        let mut theirs = ec_attributes();
        theirs.policy.usage_flags = UsageFlags::default();
        let _ = set(&mut theirs.policy.usage_flags);
        let parsed = ours(theirs);
        assert_eq!(parsed.policy.usage, usage);
        assert_eq!(KeyAttributes::from(&parsed), through_wire(theirs), "{usage}");
    }
}

/// Upstream's verdict on a request with this header and an empty body.
fn upstreams_verdict(header: Header) -> Result<(), ResponseStatus> {
    Request::read_from_stream(&mut frame(header, &[]).as_slice(), 0).map(drop)
}

#[test]
fn numbers_of_the_header() {
    let ping = Header::request(ProviderId::CORE, Opcode::Ping);
    for opcode in 0..=0x8100 {
        let known = Opcode::try_from(opcode).is_ok_and(Opcode::upstream);
        assert_eq!(upstreams_verdict(Header { opcode, ..ping }).is_ok(), known, "opcode {opcode:#x}");
    }
    for provider in 0..=u8::MAX {
        let known = PROVIDERS.iter().any(|kind| kind.id.upstream() && kind.id.number() == provider);
        assert_eq!(upstreams_verdict(Header { provider, ..ping }).is_ok(), known, "provider {provider}");
    }
    for auth_type in 0..=u8::MAX {
        let known = AuthType::try_from(u32::from(auth_type)).is_ok();
        assert_eq!(upstreams_verdict(Header { auth_type, ..ping }).is_ok(), known, "authenticator {auth_type}");
    }
}

#[test]
fn statuses() {
    for code in 0..=2000 {
        let (ours, theirs) = (Status::try_from(code), ResponseStatus::try_from(code));
        assert_eq!(ours.is_ok(), theirs.is_ok(), "status {code}");
        if let (Ok(ours), Ok(theirs)) = (ours, theirs) {
            assert_eq!(format!("{ours:?}"), format!("{theirs:?}"), "status {code}");
        }
    }
}

/// Both sides complain about the same thing when a header is wrong in one byte.
#[test]
fn verdicts_on_wrong_headers() {
    let mut good = Vec::new();
    Header::request(ProviderId::SOFTWARE, Opcode::SignHash).encode(&mut good);
    for at in 0..good.len() {
        // lengths: both wait for as many bytes
        if (22..28).contains(&at) {
            continue;
        }
        for byte in 0..=u8::MAX {
            let mut bytes = good.clone();
            bytes[at] = byte;
            // upstream reads as many bytes as the size field says before it refuses them
            bytes.resize(good.len() + usize::from(u16::MAX), 0);
            let theirs = Request::read_from_stream(&mut bytes.as_slice(), 0).map(drop).map_err(|status| status as u16);
            let ours = Header::decode(&bytes).and_then(|header| interface::wire::Request::parse(&header.unwrap()));
            let ours = match ours {
                // ours answers these only where upstream knows nothing
                Ok(request) if !(request.opcode.upstream() && request.provider.upstream()) => continue,
                Ok(_) => Ok(()),
                Err(status) => Err(status as u16),
            };
            assert_eq!(ours, theirs, "byte {at} = {byte:#x}");
        }
    }
}
