//! What is too long or too large is told by the code that the standard has for it.

use super::crypt::{encrypt, with};
use super::derive::{derive, ecdh, hkdf, string};
use super::keys::{NO, YES, create, number, read, secret};
use super::mechanisms::{oaep, pss};
use super::other::{Other, at, ours};
use super::pqc::{pair, signature};
use super::wrap::Attributes;
use super::*;

#[test]
fn data_that_the_modulus_has_no_room_for_is_out_of_range() {
    let _fixture = Fixture::new();
    let (bits, raw) = (number(2048), [CKM_RSA_PKCS, CKM_RSA_X_509].map(number));
    let uses: &Attributes<'_> = &[(CKA_SIGN, YES), (CKA_DECRYPT, YES)];
    let [public, private] = pair(CKM_RSA_PKCS_KEY_PAIR_GEN, &[(CKA_MODULUS_BITS, &bits)], uses).unwrap();
    let sign = |mut mechanism, len| signature(&mut mechanism, private, &vec![7; len]).map(|signed| signed.len());
    assert_eq!(sign(mechanism(CKM_RSA_PKCS), 245), Ok(256));
    for len in [246, 256, 257, 4096] {
        assert_eq!(sign(mechanism(CKM_RSA_PKCS), len), Err(CKR_DATA_LEN_RANGE), "{len}");
        assert_eq!(encrypt(mechanism(CKM_RSA_PKCS), public, &vec![7; len]), Err(CKR_DATA_LEN_RANGE), "{len}");
        assert_eq!(encrypt(oaep(CKM_RSA_PKCS_OAEP), public, &vec![7; len]), Err(CKR_DATA_LEN_RANGE), "{len}");
    }
    let named: &Attributes<'_> = &[(CKA_SIGN, YES), (CKA_ALLOWED_MECHANISMS, raw.as_flattened())];
    let [_, private] = pair(CKM_RSA_PKCS_KEY_PAIR_GEN, &[(CKA_MODULUS_BITS, &bits)], named).unwrap();
    let sign = |len| signature(&mut mechanism(CKM_RSA_X_509), private, &vec![7; len]).map(|signed| signed.len());
    assert_eq!((sign(256), sign(257)), (Ok(256), Err(CKR_DATA_LEN_RANGE)));
}

/// CKM_ECDSA takes any digest, of which the first bits count, as many as the order has (PKCS#11 v3.1 §6.3.12). SHA-1 signs no more, but 20
/// bytes may be of anything.
fn raw_ecdsa() {
    let [public, private] = pair(CKM_EC_KEY_PAIR_GEN, &[(CKA_EC_PARAMS, P256)], &[(CKA_SIGN, YES)]).unwrap();
    let session = open(0);
    let softhsm = Other::softhsm().map(|softhsm| {
        let (class, kind, point) = (number(CKO_PUBLIC_KEY), number(CKK_EC), read(public, CKA_EC_POINT).unwrap());
        let own =
            [(CKA_CLASS, &class[..]), (CKA_KEY_TYPE, &kind), (CKA_EC_PARAMS, P256), (CKA_EC_POINT, &point), (CKA_VERIFY, YES)];
        let (mut template, mut key) = (own.map(|(kind, value)| attribute(kind, value)), 0);
        assert_eq!(at!(softhsm.list, C_CreateObject(softhsm.session, template.as_mut_ptr(), 5, &raw mut key)), CKR_OK);
        (softhsm, key)
    });
    for len in [1, 19, 20, 21, 28, 32, 33, 48, 63, 64, 65, 100, 5000] {
        let mut data: Vec<u8> = (0..len).map(|at: u32| at.to_le_bytes()[0] | 1).collect();
        let mut signed = signature(&mut mechanism(CKM_ECDSA), private, &data).unwrap();
        let verify = |list: CK_FUNCTION_LIST_PTR, session, key, data: &mut [u8], signed: &mut [u8]| {
            assert_eq!(at!(list, C_VerifyInit(session, &mut mechanism(CKM_ECDSA), key)), CKR_OK);
            at!(list, C_Verify(session, data.as_mut_ptr(), data.len() as CK_ULONG, signed.as_mut_ptr(), 64))
        };
        assert_eq!(verify(ours(), session, public, &mut data, &mut signed), CKR_OK, "{len}");
        if let Some((softhsm, key)) = &softhsm {
            assert_eq!(verify(softhsm.list, softhsm.session, *key, &mut data, &mut signed), CKR_OK, "{len}");
        }
        let order = data.len().min(32);
        assert_eq!(verify(ours(), session, public, &mut data[..order], &mut signed), CKR_OK, "{len}");
        data[0] ^= 2;
        assert_eq!(verify(ours(), session, public, &mut data, &mut signed), CKR_SIGNATURE_INVALID, "{len}");
    }
    assert_eq!(signature(&mut mechanism(CKM_ECDSA), private, b""), Err(CKR_DATA_LEN_RANGE));
}

#[test]
fn raw_ecdsa_takes_a_digest_of_any_length() {
    let _fixture = Fixture::new();
    raw_ecdsa();
}

#[test]
fn raw_ecdsa_in_a_tpm_takes_a_digest_of_any_length() {
    let _fixture = Fixture::tpm();
    raw_ecdsa();
}

#[test]
fn a_salt_that_the_modulus_has_no_room_for_is_a_bad_parameter() {
    let _fixture = Fixture::new();
    let bits = number(2048);
    let [_, private] = pair(CKM_RSA_PKCS_KEY_PAIR_GEN, &[(CKA_MODULUS_BITS, &bits)], &[(CKA_SIGN, YES)]).unwrap();
    for (own, hash, mgf, len) in [
        (CKM_SHA256_RSA_PKCS_PSS, CKM_SHA256, CKG_MGF1_SHA256, 32),
        (CKM_SHA384_RSA_PKCS_PSS, CKM_SHA384, CKG_MGF1_SHA384, 48),
        (CKM_SHA512_RSA_PKCS_PSS, CKM_SHA512, CKG_MGF1_SHA512, 64),
    ] {
        for (kind, data) in [(own, 5), (CKM_RSA_PKCS_PSS, len)] {
            let sign = |salt| signature(&mut pss(kind, hash, mgf, salt), private, &vec![7; data]).map(|signed| signed.len());
            let room = 256 - len as CK_ULONG - 2;
            assert_eq!(sign(room), Ok(256));
            for salt in [room + 1, 256, CK_ULONG::MAX] {
                assert_eq!(sign(salt), Err(CKR_MECHANISM_PARAM_INVALID), "{salt}");
            }
        }
    }
}

#[test]
fn an_object_that_the_service_does_not_take_finds_no_room() {
    let _fixture = Fixture::new();
    let (large, data) = ("x".repeat(2 << 20).into_bytes(), number(CKO_DATA));
    assert_eq!(create(&[(CKA_CLASS, &data), (CKA_VALUE, &large)]), Err(CKR_DEVICE_MEMORY));
    let (class, kind) = (number(CKO_SECRET_KEY), number(CKK_GENERIC_SECRET));
    let brought = create(&[(CKA_CLASS, &class), (CKA_KEY_TYPE, &kind), (CKA_VALUE, &large)]);
    assert_eq!(brought, Err(CKR_DEVICE_MEMORY));
    let small = create(&[(CKA_CLASS, &data), (CKA_VALUE, b"x")]).unwrap();
    let grown = call!(C_SetAttributeValue(open(CKF_RW_SESSION), small, [attribute(CKA_VALUE, &large)].as_mut_ptr(), 1));
    assert_eq!(grown, CKR_DEVICE_MEMORY);
    assert_eq!(read(small, CKA_VALUE).as_deref(), Ok(&b"x"[..]));
}

/// Whoever makes or changes the object.
#[test]
fn a_name_that_no_token_keeps_is_an_impossible_value() {
    let _fixture = Fixture::new();
    let (session, len) = (open(CKF_RW_SESSION), number(32));
    let (data, class, kind) = (number(CKO_DATA), number(CKO_SECRET_KEY), number(CKK_GENERIC_SECRET));
    let base = create(&[(CKA_CLASS, &class), (CKA_KEY_TYPE, &kind), (CKA_VALUE, &[7; 32]), (CKA_DERIVE, YES)]).unwrap();
    let [public, private] = pair(CKM_EC_KEY_PAIR_GEN, &[(CKA_EC_PARAMS, P256)], &[]).unwrap();
    for (kind, most, more) in
        [(CKA_LABEL, 1024, 1025), (CKA_ID, 1024, 1025), (CKA_SUBJECT, 30_000, 65_537), (CKA_APPLICATION, 60_000, 65_537)]
    {
        let before = objects::find_all(session, &[]).len();
        let refused = Err(CKR_ATTRIBUTE_VALUE_INVALID);
        for (len_of, expected) in [(most, Ok(())), (more, refused), (70_000, refused)] {
            let value = "x".repeat(len_of).into_bytes();
            let name: (_, &[u8]) = (kind, &value);
            let set = |object| match objects::set(session, object, &[name]) {
                CKR_OK => Ok(()),
                rv => Err(rv),
            };
            if kind == CKA_APPLICATION {
                let note = create(&[(CKA_CLASS, &data), (CKA_VALUE, b"x")]).unwrap();
                assert_eq!(create(&[(CKA_CLASS, &data), (CKA_VALUE, b"x"), name]).map(drop), expected);
                assert_eq!(set(note), expected);
                continue;
            }
            let [of_public, of_private] = [[&[name][..], &[]], [&[], &[name]]]
                .map(|[half, other]| pair(CKM_EC_KEY_PAIR_GEN, &[&[(CKA_EC_PARAMS, P256)], half].concat(), other));
            assert_eq!([of_public.map(drop), of_private.map(drop)], [expected; 2], "{kind:#x} {len_of}");
            assert_eq!([private, public].map(set), [expected; 2], "{kind:#x} {len_of}");
            assert_eq!(objects::copy(session, private, &[name]).map(drop), expected, "{kind:#x} {len_of}");
            if kind != CKA_SUBJECT {
                assert_eq!(secret(CKM_AES_KEY_GEN, &[(CKA_VALUE_LEN, &len), name]).map(drop), expected);
                assert_eq!(derive(mechanism(CKM_SHA256_KEY_DERIVATION), base, &[name]).map(drop), expected);
                assert_eq!(
                    create(&[(CKA_CLASS, &data), name]).map(drop),
                    if kind == CKA_ID { Err(CKR_ATTRIBUTE_TYPE_INVALID) } else { expected }
                );
            }
        }
        assert!(objects::find_all(session, &[]).len() > before);
    }
}

#[test]
fn no_key_is_longer_than_what_it_is_derived_from() {
    let _fixture = Fixture::new();
    let (class, kind) = (number(CKO_SECRET_KEY), number(CKK_GENERIC_SECRET));
    let base = create(&[(CKA_CLASS, &class), (CKA_KEY_TYPE, &kind), (CKA_VALUE, &[7; 32]), (CKA_DERIVE, YES)]).unwrap();
    let made = |mechanism, base, len| derive(mechanism, base, &[(CKA_VALUE_LEN, &number(len))]).map(drop);
    for (mechanism, most) in [
        (mechanism(CKM_SHA256_KEY_DERIVATION), 32),
        (mechanism(CKM_SHA512_KEY_DERIVATION), 64),
        (hkdf((true, true), b"", b""), 255 * 32),
        (hkdf((true, false), b"", b""), 32),
        (string(CKM_CONCATENATE_BASE_AND_DATA, &[7; 16]), 48),
        (string(CKM_CONCATENATE_DATA_AND_BASE, &[7; 16]), 48),
    ] {
        assert_eq!(made(mechanism, base, most), Ok(()), "{:#x}", mechanism.mechanism);
        for len in [most + 1, 2 * most] {
            assert_eq!(made(mechanism, base, len), Err(CKR_KEY_SIZE_RANGE), "{:#x}", mechanism.mechanism);
        }
    }
    for (generator, curve, most) in
        [(CKM_EC_KEY_PAIR_GEN, P256, 32), (CKM_EC_MONTGOMERY_KEY_PAIR_GEN, &b"\x13\x0acurve25519"[..], 32)]
    {
        let [public, private] = pair(generator, &[(CKA_EC_PARAMS, curve)], &[(CKA_DERIVE, YES)]).unwrap();
        let point = read(public, CKA_EC_POINT).unwrap();
        assert_eq!(made(ecdh(CKD_NULL, b"", &point), private, most), Ok(()));
        assert_eq!(made(ecdh(CKD_NULL, b"", &point), private, most + 1), Err(CKR_KEY_SIZE_RANGE));
    }
}

#[test]
fn rsa_keys_are_made_in_the_sizes_that_there_are_and_no_others() {
    let _fixture = Fixture::new();
    for bits in [0, 512, 2047, 2049, 2056, 2064, 2560, 3092, 3584, 4097, CK_ULONG::MAX] {
        let made = pair(CKM_RSA_PKCS_KEY_PAIR_GEN, &[(CKA_MODULUS_BITS, &number(bits))], &[(CKA_SIGN, YES)]);
        assert_eq!(made, Err(CKR_KEY_SIZE_RANGE), "{bits}");
    }
}

#[test]
fn an_empty_check_value_asks_for_none() {
    let _fixture = Fixture::new();
    let (len, class, kind) = (number(16), number(CKO_SECRET_KEY), number(CKK_AES));
    let template: &Attributes<'_> = &[(CKA_VALUE_LEN, &len), (CKA_ENCRYPT, YES), (CKA_CHECK_VALUE, b"")];
    for generator in [CKM_AES_KEY_GEN, CKM_GENERIC_SECRET_KEY_GEN] {
        let key = secret(generator, template).unwrap();
        assert_eq!(read(key, CKA_CHECK_VALUE).as_deref(), Ok(&b""[..]));
    }
    let with_value = secret(CKM_AES_KEY_GEN, &template[..2]).unwrap();
    assert_eq!(read(with_value, CKA_CHECK_VALUE).unwrap().len(), 3);
    let given = [&template[..2], &[(CKA_CHECK_VALUE, &[1, 2, 3][..])]].concat();
    assert_eq!(secret(CKM_AES_KEY_GEN, &given), Err(CKR_TEMPLATE_INCONSISTENT));
    let brought: &Attributes<'_> =
        &[(CKA_CLASS, &class), (CKA_KEY_TYPE, &kind), (CKA_VALUE, &[7; 16]), (CKA_ENCRYPT, YES), (CKA_CHECK_VALUE, b"")];
    let brought = create(brought).unwrap();
    assert_eq!(read(brought, CKA_CHECK_VALUE).as_deref(), Ok(&b""[..]));
    let iv = [0u8; 16];
    let derived = derive(
        with(CKM_AES_CBC_ENCRYPT_DATA, &CK_AES_CBC_ENCRYPT_DATA_PARAMS { iv, pData: [7u8; 32].as_mut_ptr(), length: 32 }),
        secret(CKM_AES_KEY_GEN, &[(CKA_VALUE_LEN, &len), (CKA_DERIVE, YES)]).unwrap(),
        &[(CKA_KEY_TYPE, &kind), (CKA_VALUE_LEN, &len), (CKA_CHECK_VALUE, b""), (CKA_SENSITIVE, NO)],
    );
    assert_eq!(read(derived.unwrap(), CKA_CHECK_VALUE).as_deref(), Ok(&b""[..]));
}

#[test]
fn a_bare_point_may_begin_as_if_it_were_wrapped() {
    let _fixture = Fixture::new();
    let ed25519: [u8; 32] = hex("041e32916d67b4274de56423d011dda0c18c6779563f7fd86f899c6d02d2bcda");
    let p256: [u8; 65] = hex(concat!(
        "043f3fa516ff8e8c16393c2c66908e5b46642c4c818f1cf529f8f28c2d242eb8e77a498460cdf3d3b74a9a12bc3efff2d3a7",
        "323277ae5996d9f5cd3ac2e9b2c891"
    ));
    let mut x25519 = [0x11; 32];
    x25519[..2].copy_from_slice(&[4, 30]);
    let class = number(CKO_PUBLIC_KEY);
    for (kind, curve, point) in [
        (CKK_EC_EDWARDS, &b"\x06\x03\x2b\x65\x70"[..], &ed25519[..]),
        (CKK_EC_MONTGOMERY, b"\x06\x03\x2b\x65\x6e", &x25519),
        (CKK_EC, P256, &p256),
    ] {
        let wrapped = [&[4, u8::try_from(point.len()).unwrap()], point].concat();
        for given in [point, &wrapped] {
            let kind = number(kind);
            let key = create(&[(CKA_CLASS, &class), (CKA_KEY_TYPE, &kind), (CKA_EC_PARAMS, curve), (CKA_EC_POINT, given)]);
            assert!(read(key.unwrap(), CKA_EC_POINT).unwrap().ends_with(point), "{given:x?}");
        }
    }
}

fn hex<const N: usize>(digits: &str) -> [u8; N] {
    std::array::from_fn(|i| u8::from_str_radix(&digits[2 * i..2 * i + 2], 16).unwrap())
}
