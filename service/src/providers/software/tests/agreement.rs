//! Key agreement.

use super::{P256, PAIRS, X25519, generate, hex, import, status};
use interface::Status;
use interface::algorithm::Agreement;
use interface::attributes::EccFamily;

/// RFC 7748 §6.1.
#[test]
fn x25519_vector() {
    let alice = import(X25519, &hex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a")).unwrap();
    let bob = import(X25519, &hex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb")).unwrap();
    assert_eq!(alice.public().unwrap(), hex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"));
    let shared = hex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
    assert_eq!(*alice.agree(Agreement::Ecdh, &bob.public().unwrap()).unwrap(), shared);
    assert_eq!(*bob.agree(Agreement::Ecdh, &alice.public().unwrap()).unwrap(), shared);
    assert_eq!(status(alice.agree(Agreement::Ecdh, &[0; 32])), Status::PsaErrorInvalidArgument);
    assert_eq!(status(alice.agree(Agreement::Ecdh, &[9; 31])), Status::PsaErrorInvalidArgument);
}

#[test]
fn both_sides_agree_on_a_secret() {
    for (key_type, bits) in
        PAIRS.into_iter().filter(|(key_type, _)| key_type.family().is_some_and(|family| family != EccFamily::TwistedEdwards))
    {
        let (a, b) = (generate(key_type, bits), generate(key_type, bits));
        let shared = a.agree(Agreement::Ecdh, &b.public().unwrap()).unwrap();
        assert_eq!(shared, b.agree(Agreement::Ecdh, &a.public().unwrap()).unwrap());
        assert_eq!(shared.len(), bits.div_ceil(8) as usize);
    }
    let (a, other) = (generate(P256, 256), generate(P256, 384));
    assert_eq!(status(a.agree(Agreement::Ecdh, &other.public().unwrap())), Status::PsaErrorInvalidArgument);
    let mut off_curve = generate(P256, 256).public().unwrap();
    off_curve[64] ^= 1;
    assert_eq!(status(a.agree(Agreement::Ecdh, &off_curve)), Status::PsaErrorInvalidArgument);
    assert_eq!(status(a.agree(Agreement::Ffdh, &off_curve)), Status::PsaErrorNotSupported);
}

/// Points of order 1, 2, 4 and 8 (RFC 7748 §6.1 asks to refuse what they lead to).
#[test]
fn x25519_refuses_points_of_low_order() {
    let key = generate(X25519, 255);
    for point in [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ] {
        let agreed = key.agree(Agreement::Ecdh, &hex(point));
        assert_eq!(status(agreed), Status::PsaErrorInvalidArgument, "{point}");
    }
}
