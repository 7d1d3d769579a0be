//! What templates ask for is what comes back, or the template is refused.

use super::derive::{derive, ecdh};
use super::keys::{NO, YES, create, number, read, secret};
use super::mechanisms::{flags, list};
use super::pqc::pair;
use super::wrap::{Attributes, aes, rsa, unwrap, wrap, wrapping_key};
use super::*;

const SECP384R1: &[u8] = b"\x06\x05\x2b\x81\x04\x00\x22";
const ED25519: &[u8] = b"\x06\x03\x2b\x65\x70";
const X25519: &[u8] = b"\x06\x03\x2b\x65\x6e";

/// The usage flags that a key shows.
fn shown(key: CK_OBJECT_HANDLE) -> Vec<CK_ATTRIBUTE_TYPE> {
    let uses = [CKA_SIGN, CKA_VERIFY, CKA_ENCRYPT, CKA_DECRYPT, CKA_DERIVE, CKA_WRAP, CKA_UNWRAP];
    uses.into_iter().filter(|kind| read(key, *kind).as_deref() == Ok(YES)).collect()
}

/// As in SoftHSM and softokn, but for wrapping and unwrapping: such keys shall leave under no other key by accident.
#[test]
fn keys_without_usage_flags_do_what_keys_of_their_type_do() {
    let _fixture = Fixture::new();
    let (bits, len) = (number(2048), number(32));
    for (generator, public, uses) in [
        (CKM_RSA_PKCS_KEY_PAIR_GEN, (CKA_MODULUS_BITS, &bits[..]), [&[CKA_VERIFY, CKA_ENCRYPT][..], &[CKA_SIGN, CKA_DECRYPT]]),
        (CKM_EC_KEY_PAIR_GEN, (CKA_EC_PARAMS, P256), [&[CKA_VERIFY], &[CKA_SIGN]]),
        (CKM_EC_EDWARDS_KEY_PAIR_GEN, (CKA_EC_PARAMS, ED25519), [&[CKA_VERIFY], &[CKA_SIGN]]),
        (CKM_EC_MONTGOMERY_KEY_PAIR_GEN, (CKA_EC_PARAMS, X25519), [&[], &[CKA_DERIVE]]),
    ] {
        let made = pair(generator, &[public], &[]).unwrap();
        assert_eq!(made.map(shown), uses, "{generator:#x}");
        let numbers = [CKA_MODULUS, CKA_PUBLIC_EXPONENT, CKA_EC_PARAMS, CKA_EC_POINT, CKA_KEY_TYPE];
        let numbers: Vec<_> = numbers.iter().filter_map(|kind| Some((*kind, read(made[0], *kind).ok()?))).collect();
        let own = numbers.iter().map(|(kind, value)| (*kind, value.as_slice()));
        let class = number(CKO_PUBLIC_KEY);
        let brought = create(&own.chain([(CKA_CLASS, &class[..])]).collect::<Vec<_>>()).unwrap();
        assert_eq!(shown(brought), uses[0], "{generator:#x}");
    }
    for (generator, uses) in [
        (CKM_AES_KEY_GEN, &[CKA_SIGN, CKA_VERIFY, CKA_ENCRYPT, CKA_DECRYPT][..]),
        (CKM_GENERIC_SECRET_KEY_GEN, &[CKA_SIGN, CKA_VERIFY]),
        (CKM_HKDF_KEY_GEN, &[CKA_DERIVE]),
    ] {
        assert_eq!(shown(secret(generator, &[(CKA_VALUE_LEN, &len)]).unwrap()), uses, "{generator:#x}");
    }
}

#[test]
fn keys_may_be_made_for_nothing() {
    let _fixture = Fixture::new();
    let none: Vec<_> = [CKA_SIGN, CKA_DECRYPT, CKA_DERIVE, CKA_UNWRAP].into_iter().map(|kind| (kind, NO)).collect();
    let [_, key] = pair(CKM_EC_KEY_PAIR_GEN, &[(CKA_EC_PARAMS, P256), (CKA_VERIFY, NO)], &none).unwrap();
    assert_eq!(shown(key), []);
    assert_eq!(sign(open(0), key), Err(CKR_KEY_FUNCTION_NOT_PERMITTED));
}

/// Also of keys that no mechanism derives from: pkcs11-tool asks for it on every curve.
#[test]
fn derive_comes_back_as_asked() {
    let _fixture = Fixture::new();
    let (bits, len) = (number(2048), number(32));
    let derives = |key| read(key, CKA_DERIVE).unwrap();
    for asked in [YES, NO] {
        let keys = [
            (CKM_RSA_PKCS_KEY_PAIR_GEN, (CKA_MODULUS_BITS, &bits[..])),
            (CKM_EC_KEY_PAIR_GEN, (CKA_EC_PARAMS, P256)),
            (CKM_EC_EDWARDS_KEY_PAIR_GEN, (CKA_EC_PARAMS, ED25519)),
            (CKM_EC_MONTGOMERY_KEY_PAIR_GEN, (CKA_EC_PARAMS, X25519)),
        ]
        .map(|(generator, public)| pair(generator, &[public], &[(CKA_DERIVE, asked)]).unwrap()[1]);
        let aes = secret(CKM_AES_KEY_GEN, &[(CKA_VALUE_LEN, &len), (CKA_DERIVE, asked)]).unwrap();
        let chacha20 = secret(CKM_CHACHA20_KEY_GEN, &[(CKA_DERIVE, asked)]).unwrap();
        for key in keys.into_iter().chain([aes, chacha20]) {
            assert_eq!(derives(key), asked);
            let mut template = [attribute(CKA_DERIVE, NO)];
            assert_eq!(call!(C_SetAttributeValue(open(CKF_RW_SESSION), key, template.as_mut_ptr(), 1)), CKR_OK);
            assert_eq!(derives(key), NO);
        }
    }
}

/// Programs ask for all uses of all kinds of key. What no mechanism does with a key of its type comes back as asked, and does nothing.
#[test]
fn uses_that_keys_of_a_type_do_not_have_come_back_as_asked() {
    let _fixture = Fixture::new();
    let (bits, len, session) = (number(2048), number(32), open(CKF_RW_SESSION));
    let p256 = (CKM_EC_KEY_PAIR_GEN, (CKA_EC_PARAMS, P256));
    let ed25519 = (CKM_EC_EDWARDS_KEY_PAIR_GEN, (CKA_EC_PARAMS, ED25519));
    let x25519 = (CKM_EC_MONTGOMERY_KEY_PAIR_GEN, (CKA_EC_PARAMS, X25519));
    let set = number(CKP_ML_KEM_768);
    let kem = (CKM_ML_KEM_KEY_PAIR_GEN, (CKA_PARAMETER_SET, &set[..]));
    let rsa = (CKM_RSA_PKCS_KEY_PAIR_GEN, (CKA_MODULUS_BITS, &bits[..]));
    let mut keys = Vec::new();
    for (asked, own) in [(YES, NO), (NO, YES)] {
        for ((generator, public), kinds) in [
            (
                p256,
                [&[CKA_ENCRYPT, CKA_WRAP, CKA_VERIFY_RECOVER, CKA_ENCAPSULATE][..], &[CKA_DECRYPT, CKA_UNWRAP, CKA_SIGN_RECOVER]],
            ),
            (ed25519, [&[CKA_ENCRYPT, CKA_WRAP], &[CKA_DECRYPT, CKA_UNWRAP, CKA_DERIVE]]),
            (x25519, [&[CKA_VERIFY, CKA_ENCRYPT], &[CKA_SIGN, CKA_DECRYPT]]),
            (kem, [&[CKA_VERIFY, CKA_ENCRYPT, CKA_WRAP], &[CKA_SIGN, CKA_DECRYPT, CKA_UNWRAP, CKA_DERIVE]]),
            (rsa, [&[CKA_ENCAPSULATE], &[CKA_DERIVE, CKA_DECAPSULATE]]),
        ] {
            let [half, private] = kinds.map(|kinds| kinds.iter().map(|kind| (*kind, asked)).collect::<Vec<_>>());
            let both = [(CKA_SIGN, own)];
            let both = if generator == CKM_EC_KEY_PAIR_GEN { &both[..] } else { &[] };
            let made = pair(generator, &[&[public], &half[..]].concat(), &[&private[..], both].concat()).unwrap();
            keys.extend(made.into_iter().zip([half, private]));
        }
        for (generator, kinds) in [
            (CKM_GENERIC_SECRET_KEY_GEN, &[CKA_ENCRYPT, CKA_DECRYPT, CKA_WRAP, CKA_UNWRAP][..]),
            (CKM_HKDF_KEY_GEN, &[CKA_SIGN, CKA_VERIFY, CKA_ENCRYPT]),
            (CKM_CHACHA20_KEY_GEN, &[CKA_SIGN, CKA_VERIFY, CKA_WRAP, CKA_DERIVE]),
        ] {
            let uses: Vec<_> = kinds.iter().map(|kind| (*kind, asked)).collect();
            let sized = if generator == CKM_CHACHA20_KEY_GEN { &[][..] } else { &[(CKA_VALUE_LEN, &len[..])] };
            keys.push((secret(generator, &[sized, &uses].concat()).unwrap(), uses));
        }
    }
    for (key, uses) in keys {
        for (kind, asked) in uses {
            assert_eq!(read(key, kind).as_deref(), Ok(asked), "{kind:#x}");
            let mut template = [attribute(kind, NO)];
            let changed = call!(C_SetAttributeValue(session, key, template.as_mut_ptr(), 1));
            let fixed = matches!(kind, CKA_SIGN_RECOVER | CKA_VERIFY_RECOVER) && asked == YES;
            assert_eq!(changed, if fixed { CKR_ATTRIBUTE_READ_ONLY } else { CKR_OK }, "{kind:#x}");
            assert_eq!(read(key, kind).as_deref(), Ok(if fixed { YES } else { NO }), "{kind:#x}");
        }
    }
    let [public, private] = pair(p256.0, &[p256.1, (CKA_ENCRYPT, YES)], &[(CKA_DECRYPT, YES), (CKA_SIGN, YES)]).unwrap();
    assert_eq!([public, private].map(shown), [[CKA_VERIFY, CKA_ENCRYPT], [CKA_SIGN, CKA_DECRYPT]]);
    assert_eq!(call!(C_DecryptInit(session, &mut mechanism(CKM_RSA_PKCS), private)), CKR_KEY_TYPE_INCONSISTENT);
    let mut template = [attribute(CKA_DECRYPT, NO)];
    assert_eq!(call!(C_SetAttributeValue(session, private, template.as_mut_ptr(), 1)), CKR_OK);
    assert_eq!([public, private].map(shown), [[CKA_VERIFY, CKA_ENCRYPT].to_vec(), [CKA_SIGN].to_vec()]);
    sign(session, private).unwrap();
}

#[test]
fn a_key_that_signs_may_be_kept_from_giving_back_what_it_signed() {
    let _fixture = Fixture::new();
    let (bits, session) = (number(2048), open(CKF_RW_SESSION));
    for (asked, expected) in [(YES, CKR_OK), (NO, CKR_KEY_FUNCTION_NOT_PERMITTED)] {
        let public: &Attributes<'_> = &[(CKA_MODULUS_BITS, &bits), (CKA_VERIFY_RECOVER, asked)];
        let [public, private] = pair(CKM_RSA_PKCS_KEY_PAIR_GEN, public, &[(CKA_SIGN, YES), (CKA_SIGN_RECOVER, asked)]).unwrap();
        assert_eq!(read(private, CKA_SIGN_RECOVER).as_deref(), Ok(asked));
        assert_eq!(read(public, CKA_VERIFY_RECOVER).as_deref(), Ok(asked));
        assert_eq!(call!(C_SignRecoverInit(session, &mut mechanism(CKM_RSA_PKCS), private)), expected);
        assert_eq!(call!(C_VerifyRecoverInit(session, &mut mechanism(CKM_RSA_PKCS), public)), expected);
        assert_eq!(call!(C_SignInit(open(0), &mut mechanism(CKM_RSA_PKCS), private)), CKR_OK);
        assert_eq!(call3!(C_SessionCancel(session, CKF_SIGN_RECOVER | CKF_VERIFY_RECOVER)), CKR_OK);
    }
}

/// What only the peer's half of an agreement is can say so; it works with no mechanism.
#[test]
fn public_keys_on_a_curve_may_be_for_derivation() {
    let _fixture = Fixture::new();
    let [public, private] = pair(CKM_EC_KEY_PAIR_GEN, &[(CKA_EC_PARAMS, P256), (CKA_DERIVE, YES)], &[(CKA_DERIVE, YES)]).unwrap();
    assert_eq!([public, private].map(shown), [[CKA_DERIVE], [CKA_DERIVE]]);
    let (class, kind, point) = (number(CKO_PUBLIC_KEY), number(CKK_EC), read(public, CKA_EC_POINT).unwrap());
    let own: &Attributes<'_> = &[(CKA_CLASS, &class), (CKA_KEY_TYPE, &kind), (CKA_EC_PARAMS, P256), (CKA_EC_POINT, &point)];
    let peer = create(&[own, &[(CKA_VERIFY, NO), (CKA_DERIVE, YES)]].concat()).unwrap();
    assert_eq!(shown(peer), [CKA_DERIVE]);
    assert_eq!(read(peer, CKA_EC_POINT), Ok(point));
}

#[test]
fn sensitive_comes_back_as_asked() {
    let _fixture = Fixture::new();
    let (len, session) = (number(32), open(CKF_RW_SESSION));
    for (sensitive, extractable) in [(YES, YES), (YES, NO), (NO, YES), (NO, NO)] {
        let asked: &Attributes<'_> = &[(CKA_SENSITIVE, sensitive), (CKA_EXTRACTABLE, extractable)];
        let aes = secret(CKM_AES_KEY_GEN, &[&[(CKA_VALUE_LEN, &len[..])], asked].concat()).unwrap();
        let [_, private] = pair(CKM_EC_KEY_PAIR_GEN, &[(CKA_EC_PARAMS, P256)], asked).unwrap();
        for key in [aes, private] {
            let flags = [CKA_SENSITIVE, CKA_EXTRACTABLE, CKA_ALWAYS_SENSITIVE];
            assert_eq!(flags.map(|kind| read(key, kind).unwrap()), [sensitive, extractable, sensitive]);
            assert_eq!(read(key, CKA_VALUE).is_ok(), sensitive == NO && extractable == YES);
            let mut template = [attribute(CKA_SENSITIVE, YES)];
            assert_eq!(call!(C_SetAttributeValue(session, key, template.as_mut_ptr(), 1)), CKR_OK);
            assert_eq!(flags.map(|kind| read(key, kind).unwrap()), [YES, extractable, sensitive]);
        }
    }
}

/// PKCS#11 v3.0 §2.3.5 has the points of Edwards curves in DER, as that of all others, and v3.1 §6.3.5 has them bare. A program that asks for
/// no version may be older than both, and one that knows of bare points reads the others too.
#[test]
fn points_read_as_the_version_of_the_interface_says() {
    let _fixture = Fixture::new();
    let (name, session) = (c"PKCS 11", open(0));
    let version = |major, minor| Some(CK_VERSION { major, minor });
    for (generator, curve, bare_len) in [
        (CKM_EC_EDWARDS_KEY_PAIR_GEN, ED25519, 32),
        (CKM_EC_EDWARDS_KEY_PAIR_GEN, &b"\x06\x03\x2b\x65\x71"[..], 57),
        (CKM_EC_MONTGOMERY_KEY_PAIR_GEN, X25519, 32),
        (CKM_EC_KEY_PAIR_GEN, P256, 67),
    ] {
        let keys = pair(generator, &[(CKA_EC_PARAMS, curve)], &[]).unwrap();
        let wrapped = read(keys[0], CKA_EC_POINT).unwrap();
        let bare = if generator == CKM_EC_KEY_PAIR_GEN { &wrapped[..] } else { &wrapped[2..] };
        assert_eq!(bare.len(), bare_len);
        for flags in [0, CKF_INTERFACE_FORK_SAFE] {
            for (asked, expected) in [
                (None, &wrapped[..]),
                (version(2, 40), &wrapped),
                (version(3, 0), &wrapped),
                (version(3, 1), bare),
                (version(3, 2), bare),
            ] {
                let mut interface: CK_INTERFACE_PTR = null_mut();
                let mut wanted = asked;
                let wanted = wanted.as_mut().map_or(null_mut(), |wanted| &raw mut *wanted);
                // SAFETY: the function list is the module's, and the template outlives the call.
                unsafe {
                    let name = name.as_ptr().cast_mut().cast();
                    assert_eq!(parsec_pkcs11::C_GetInterface(name, wanted, &raw mut interface, flags), CKR_OK);
                    let list = (*interface).pFunctionList.cast::<CK_FUNCTION_LIST>();
                    for key in keys {
                        let mut point = [0u8; 100];
                        let mut template = [attribute(CKA_EC_POINT, &point)];
                        template[0].pValue = point.as_mut_ptr().cast();
                        let got = (*list).C_GetAttributeValue.unwrap()(session, key, template.as_mut_ptr(), 1);
                        assert_eq!((got, template[0].ulValueLen), (CKR_OK, expected.len() as CK_ULONG), "{asked:?}");
                        assert!(point.starts_with(expected), "{asked:?}");
                    }
                }
            }
        }
        for form in [bare, &wrapped] {
            let found = objects::find_all(session, &[(CKA_EC_POINT, form), (CKA_CLASS, &number(CKO_PUBLIC_KEY))]);
            assert_eq!(found, [keys[0]], "{form:x?}");
        }
    }
}

/// A point is read bare, in an OCTET STRING, and compressed (CKF_EC_COMPRESS); the hybrid form of ANSI X9.62, which none makes, is no point.
#[test]
fn points_are_read_in_every_form() {
    let _fixture = Fixture::new();
    points();
}

#[test]
fn points_are_read_in_every_form_for_a_tpm_too() {
    let _fixture = Fixture::tpm();
    points();
}

fn points() {
    let class = number(CKO_PUBLIC_KEY);
    for (generator, kind, curve, size) in [
        (CKM_EC_KEY_PAIR_GEN, CKK_EC, P256, 32),
        (CKM_EC_KEY_PAIR_GEN, CKK_EC, SECP384R1, 48),
        (CKM_EC_MONTGOMERY_KEY_PAIR_GEN, CKK_EC_MONTGOMERY, X25519, 32),
    ] {
        if !list(slot()).contains(&generator) {
            continue;
        }
        assert_eq!(flags(generator) & CKF_EC_COMPRESS != 0, kind == CKK_EC);
        let [[public, private], [_, other]] =
            [(); 2].map(|()| pair(generator, &[(CKA_EC_PARAMS, curve)], &[(CKA_DERIVE, YES)]).unwrap());
        let wrapped = read(public, CKA_EC_POINT).unwrap();
        let bare = wrapped[2..].to_vec();
        let mut forms = vec![wrapped.clone(), bare.clone()];
        if kind == CKK_EC {
            let parity = 2 + (bare[2 * size] & 1);
            let compressed = [&[parity], &bare[1..=size]].concat();
            forms.push([&[4, u8::try_from(compressed.len()).unwrap()], &compressed[..]].concat());
            forms.push(compressed);
            let hybrid = [&[6 | bare[2 * size] & 1], &bare[1..]].concat();
            let kind = number(kind);
            let own: &Attributes<'_> =
                &[(CKA_CLASS, &class), (CKA_KEY_TYPE, &kind), (CKA_EC_PARAMS, curve), (CKA_EC_POINT, &hybrid)];
            assert_eq!(create(own), Err(CKR_ATTRIBUTE_VALUE_INVALID));
            assert_eq!(
                derive(ecdh(CKD_NULL, b"", &hybrid), other, &[(CKA_VALUE_LEN, &number(32))]),
                Err(CKR_MECHANISM_PARAM_INVALID)
            );
        }
        let value = number(32);
        let open: &Attributes<'_> = &[(CKA_VALUE_LEN, &value), (CKA_SENSITIVE, NO), (CKA_EXTRACTABLE, YES)];
        let theirs = read(other, CKA_EC_POINT).unwrap();
        let expected = read(derive(ecdh(CKD_NULL, b"", &theirs), private, open).unwrap(), CKA_VALUE).unwrap();
        for form in forms {
            let key_type = number(kind);
            let own: &Attributes<'_> =
                &[(CKA_CLASS, &class), (CKA_KEY_TYPE, &key_type), (CKA_EC_PARAMS, curve), (CKA_EC_POINT, &form)];
            let key = create(own).unwrap_or_else(|rv| panic!("{rv:#x} {form:x?}"));
            assert_eq!(read(key, CKA_EC_POINT).as_deref(), Ok(&wrapped[..]));
            let secret = derive(ecdh(CKD_NULL, b"", &form), other, open).unwrap_or_else(|rv| panic!("{rv:#x} {form:x?}"));
            assert_eq!(read(secret, CKA_VALUE).as_deref(), Ok(&expected[..]));
        }
    }
}

#[test]
fn what_is_unwrapped_is_all_that_its_template_says() {
    let _fixture = Fixture::new();
    let (kw, kwp, with) = (mechanism(CKM_AES_KEY_WRAP), mechanism(CKM_AES_KEY_WRAP_KWP), wrapping_key());
    let leaves: &Attributes<'_> = &[(CKA_EXTRACTABLE, YES)];
    let (secret_class, class) = (number(CKO_SECRET_KEY), number(CKO_PRIVATE_KEY));
    let (aes_kind, ec, rsa_kind, edwards) = (number(CKK_AES), number(CKK_EC), number(CKK_RSA), number(CKK_EC_EDWARDS));
    let (right, wrong) = (number(32), number(16));
    let blob = wrap(kw, with, aes(leaves)).unwrap();
    let own: &Attributes<'_> = &[(CKA_CLASS, &secret_class), (CKA_KEY_TYPE, &aes_kind)];
    let came = |more: &Attributes<'_>| unwrap(kw, with, &blob, &[own, more].concat()).map(drop);
    let refused = Err(CKR_TEMPLATE_INCONSISTENT);
    for (more, expected) in [
        (&[(CKA_VALUE_LEN, &right[..])][..], Ok(())),
        (&[(CKA_VALUE_LEN, &wrong)], refused),
        (&[(CKA_ENCRYPT, YES), (CKA_SIGN, NO), (CKA_EXTRACTABLE, NO), (CKA_SENSITIVE, NO)], Ok(())),
        (&[(CKA_CHECK_VALUE, b"")], Ok(())),
        (&[(CKA_CHECK_VALUE, &[1, 2, 3])], refused),
        (&[(CKA_VALUE, &[7; 32])], refused),
        (&[(CKA_LABEL, b"came"), (CKA_ID, b"7"), (CKA_PRIVATE, NO), (CKA_MODIFIABLE, NO)], Ok(())),
    ] {
        assert_eq!(came(more), expected, "{more:x?}");
    }
    let [_, private] = pair(CKM_EC_KEY_PAIR_GEN, &[(CKA_EC_PARAMS, P256)], leaves).unwrap();
    let point = read(private, CKA_EC_POINT).unwrap();
    let curve = wrap(kwp, with, private).unwrap();
    let [_, private] = rsa(&[], leaves);
    let numbers = wrap(kwp, with, private).unwrap();
    for (blob, kind, more, expected) in [
        (&curve, &ec, &[][..], Ok(())),
        (&curve, &ec, &[(CKA_EC_PARAMS, P256)], Ok(())),
        (&curve, &ec, &[(CKA_EC_PARAMS, b"\x13\x0aprime256v1")], Ok(())),
        (&curve, &ec, &[(CKA_EC_PARAMS, SECP384R1)], refused),
        (&curve, &ec, &[(CKA_EC_POINT, &point)], refused),
        (&curve, &ec, &[(CKA_DERIVE, YES), (CKA_SIGN, NO)], Ok(())),
        (&curve, &ec, &[(CKA_DECRYPT, YES)], Ok(())),
        (&curve, &ec, &[(CKA_PUBLIC_EXPONENT, &[1, 0, 1])], refused),
        (&curve, &edwards, &[], Err(CKR_WRAPPED_KEY_INVALID)),
        (&numbers, &rsa_kind, &[(CKA_PUBLIC_EXPONENT, &[0, 1, 0, 1]), (CKA_DECRYPT, YES)], Ok(())),
        (&numbers, &rsa_kind, &[(CKA_PUBLIC_EXPONENT, &[3])], refused),
        (&numbers, &rsa_kind, &[(CKA_DERIVE, YES)], Ok(())),
    ] {
        let own: &Attributes<'_> = &[(CKA_CLASS, &class), (CKA_KEY_TYPE, kind), (CKA_LABEL, b"web")];
        let before = find(open(0), CKO_PRIVATE_KEY).len();
        let made = unwrap(kwp, with, blob, &[own, more].concat()).map(drop);
        assert_eq!(made, expected, "{more:x?}");
        let left = find(open(0), CKO_PRIVATE_KEY);
        assert_eq!(left.len() - before, usize::from(made.is_ok()), "{more:x?}");
        for key in left {
            assert_eq!(call!(C_DestroyObject(open(CKF_RW_SESSION), key)), CKR_OK);
        }
    }
}
