//! A template that contradicts the object, itself or the mechanism is refused, and nothing is left of it (PKCS#11 v3.1 §4.1.1).

use super::derive::{derive, string};
use super::keys::{NO, YES, create, number, read, secret};
use super::mechanisms::group;
use super::objects::find_all;
use super::pqc::pair;
use super::wrap::Attributes;
use super::*;

const SECP384R1: &[u8] = b"\x06\x05\x2b\x81\x04\x00\x22";
const OPEN: &Attributes<'_> = &[(CKA_SENSITIVE, NO), (CKA_EXTRACTABLE, YES)];

/// What a key shows of these, as a template has them.
fn shown(key: CK_OBJECT_HANDLE, kinds: &[CK_ATTRIBUTE_TYPE]) -> Vec<(CK_ATTRIBUTE_TYPE, Vec<u8>)> {
    kinds.iter().map(|kind| (*kind, read(key, *kind).unwrap())).collect()
}

/// A template with one more attribute is refused, or is not.
fn walk(own: &[(CK_ATTRIBUTE_TYPE, Vec<u8>)], more: &[(CK_ATTRIBUTE_TYPE, &[u8], CK_RV)]) {
    let own: Vec<_> = own.iter().map(|(kind, value)| (*kind, value.as_slice())).collect();
    create(&own).unwrap_or_else(|rv| panic!("{rv:#x}"));
    for (kind, value, expected) in more {
        let before = find_all(open(0), &[]).len();
        let made = create(&[&own[..], &[(*kind, *value)]].concat());
        assert_eq!(made.err().unwrap_or(CKR_OK), *expected, "{kind:#x} {value:x?}");
        assert_eq!(find_all(open(0), &[]).len() > before, made.is_ok(), "{kind:#x}");
    }
}

const NO_KEY: CK_RV = CKR_TEMPLATE_INCONSISTENT;

#[test]
fn of_keys_that_are_brought() {
    let _fixture = Fixture::new();
    let (bits, wrong_bits, len, wrong_len) = (number(2048), number(3072), number(16), number(32));
    let class = |class| (CKA_CLASS, number(class).to_vec());
    let [public, private] = pair(CKM_RSA_PKCS_KEY_PAIR_GEN, &[(CKA_MODULUS_BITS, &bits)], OPEN).unwrap();
    let info = read(public, CKA_PUBLIC_KEY_INFO).unwrap();
    let [ec_public, ec_private] = pair(CKM_EC_KEY_PAIR_GEN, &[(CKA_EC_PARAMS, P256)], OPEN).unwrap();
    let [ec_info, point] = [CKA_PUBLIC_KEY_INFO, CKA_EC_POINT].map(|kind| read(ec_public, kind).unwrap());
    let other_point = read(pair(CKM_EC_KEY_PAIR_GEN, &[(CKA_EC_PARAMS, P256)], &[]).unwrap()[0], CKA_EC_POINT).unwrap();
    let mut own = shown(public, &[CKA_KEY_TYPE, CKA_MODULUS, CKA_PUBLIC_EXPONENT]);
    own.push(class(CKO_PUBLIC_KEY));
    walk(
        &own,
        &[
            (CKA_MODULUS_BITS, &bits, CKR_OK),
            (CKA_MODULUS_BITS, &wrong_bits, NO_KEY),
            (CKA_PUBLIC_KEY_INFO, &info, CKR_OK),
            (CKA_PUBLIC_KEY_INFO, b"", CKR_OK),
            (CKA_PUBLIC_KEY_INFO, &ec_info, NO_KEY),
            (CKA_KEY_TYPE, &number(CKK_EC), NO_KEY),
        ],
    );
    let numbers = [CKA_PRIVATE_EXPONENT, CKA_PRIME_1, CKA_PRIME_2, CKA_EXPONENT_1, CKA_EXPONENT_2, CKA_COEFFICIENT];
    let mut own = shown(private, &[&[CKA_KEY_TYPE, CKA_MODULUS, CKA_PUBLIC_EXPONENT], &numbers[..]].concat());
    own.push(class(CKO_PRIVATE_KEY));
    walk(&own, &[(CKA_PUBLIC_KEY_INFO, &info, CKR_OK), (CKA_PUBLIC_KEY_INFO, &ec_info, NO_KEY)]);
    let mut own = shown(ec_private, &[CKA_KEY_TYPE, CKA_EC_PARAMS, CKA_VALUE]);
    own.push(class(CKO_PRIVATE_KEY));
    walk(
        &own,
        &[
            (CKA_EC_POINT, &point, CKR_OK),
            (CKA_EC_POINT, &point[2..], CKR_OK),
            (CKA_EC_POINT, &other_point, NO_KEY),
            (CKA_EC_PARAMS, SECP384R1, NO_KEY),
            (CKA_PUBLIC_KEY_INFO, &ec_info, CKR_OK),
            (CKA_PUBLIC_KEY_INFO, &info, NO_KEY),
        ],
    );
    let own =
        [class(CKO_SECRET_KEY), (CKA_KEY_TYPE, number(CKK_AES).to_vec()), (CKA_VALUE, vec![7; 16]), (CKA_ENCRYPT, YES.to_vec())];
    let check =
        read(create(&own.iter().map(|(kind, value)| (*kind, value.as_slice())).collect::<Vec<_>>()).unwrap(), CKA_CHECK_VALUE);
    walk(
        &own,
        &[
            (CKA_VALUE_LEN, &len, CKR_OK),
            (CKA_VALUE_LEN, &wrong_len, NO_KEY),
            (CKA_CHECK_VALUE, &check.unwrap(), CKR_OK),
            (CKA_CHECK_VALUE, &[1, 2, 3], CKR_ATTRIBUTE_VALUE_INVALID),
            (CKA_KEY_TYPE, &number(CKK_GENERIC_SECRET), NO_KEY),
        ],
    );
    let (group, set) = (group(CKM_DH_PKCS_KEY_PAIR_GEN), number(CKP_ML_DSA_65));
    let group: Vec<_> = group.iter().map(|(kind, value)| (*kind, value.as_slice())).collect();
    let [dh, _] = pair(CKM_DH_PKCS_KEY_PAIR_GEN, &group, &[]).unwrap();
    let mut own = shown(dh, &[CKA_KEY_TYPE, CKA_PRIME, CKA_BASE, CKA_VALUE]);
    own.push(class(CKO_PUBLIC_KEY));
    let zero = [&[0], &read(dh, CKA_PRIME).unwrap()[..]].concat();
    own[1].1 = zero;
    walk(&own, &[(CKA_PUBLIC_KEY_INFO, &info, NO_KEY), (CKA_PUBLIC_KEY_INFO, &read(dh, CKA_PUBLIC_KEY_INFO).unwrap(), CKR_OK)]);
    let [lattice, _] = pair(CKM_ML_DSA_KEY_PAIR_GEN, &[(CKA_PARAMETER_SET, &set)], &[]).unwrap();
    let mut own = shown(lattice, &[CKA_KEY_TYPE, CKA_PARAMETER_SET, CKA_VALUE]);
    own.push(class(CKO_PUBLIC_KEY));
    walk(&own, &[(CKA_PUBLIC_KEY_INFO, &info, NO_KEY)]);
}

/// The chip makes one for the process alone too, before it keeps one.
#[test]
fn of_a_key_that_is_brought_into_a_tpm() {
    let _fixture = Fixture::tpm();
    let (class, kind) = (number(CKO_PRIVATE_KEY), number(CKK_EC));
    let own =
        [(CKA_CLASS, class.to_vec()), (CKA_KEY_TYPE, kind.to_vec()), (CKA_EC_PARAMS, P256.to_vec()), (CKA_VALUE, vec![7; 32])];
    let given: Vec<_> = own.iter().map(|(kind, value)| (*kind, value.as_slice())).collect();
    let key = create(&given).unwrap_or_else(|rv| panic!("{rv:#x}"));
    let [point, info] = [CKA_EC_POINT, CKA_PUBLIC_KEY_INFO].map(|kind| read(key, kind).unwrap());
    let mut other = point.clone();
    *other.last_mut().unwrap() ^= 1;
    walk(
        &own,
        &[
            (CKA_EC_POINT, &point, CKR_OK),
            (CKA_EC_POINT, &other, NO_KEY),
            (CKA_PUBLIC_KEY_INFO, &info, CKR_OK),
            (CKA_PUBLIC_KEY_INFO, &info[1..], NO_KEY),
        ],
    );
}

/// A seed and an expanded key are one key (PKCS#11 v3.2 §6.67.3, §6.68.3).
#[test]
fn of_a_seed_and_a_value() {
    let _fixture = Fixture::new();
    let class = (CKA_CLASS, number(CKO_PRIVATE_KEY).to_vec());
    for (kind, set, seed, len) in [
        (CKK_ML_DSA, CKP_ML_DSA_44, 32, 2560),
        (CKK_ML_DSA, CKP_ML_DSA_65, 32, 4032),
        (CKK_ML_DSA, CKP_ML_DSA_87, 32, 4896),
        (CKK_ML_KEM, CKP_ML_KEM_512, 64, 1632),
        (CKK_ML_KEM, CKP_ML_KEM_768, 64, 2400),
        (CKK_ML_KEM, CKP_ML_KEM_1024, 64, 3168),
    ] {
        let (kind, set) = ((CKA_KEY_TYPE, number(kind).to_vec()), (CKA_PARAMETER_SET, number(set).to_vec()));
        let own = [class.clone(), kind, set, (CKA_SEED, vec![7; seed])];
        walk(&own, &[(CKA_VALUE, b"", CKR_OK), (CKA_VALUE, &vec![7; len], NO_KEY), (CKA_VALUE, &[7; 32], NO_KEY)]);
    }
    let [_, private] = pair(CKM_EC_KEY_PAIR_GEN, &[(CKA_EC_PARAMS, P256)], OPEN).unwrap();
    let mut own = shown(private, &[CKA_KEY_TYPE, CKA_EC_PARAMS, CKA_VALUE]);
    own.push(class);
    walk(&own, &[(CKA_SEED, &[7; 32], NO_KEY), (CKA_SEED, b"", CKR_OK)]);
}

#[test]
fn of_keys_that_are_made() {
    let fixture = Fixture::new();
    let (bits, len, wrong_len) = (number(2048), number(16), number(32));
    let [public, private] = pair(CKM_EC_KEY_PAIR_GEN, &[(CKA_EC_PARAMS, P256)], &[]).unwrap();
    let (before, set) = (find_all(open(0), &[]).len(), number(CKP_ML_DSA_44));
    let info = read(public, CKA_PUBLIC_KEY_INFO).unwrap();
    for (generator, public, private) in [
        (CKM_EC_KEY_PAIR_GEN, (CKA_EC_PARAMS, P256), (CKA_EC_PARAMS, SECP384R1)),
        (CKM_EC_KEY_PAIR_GEN, (CKA_EC_PARAMS, P256), (CKA_KEY_TYPE, &number(CKK_EC_EDWARDS)[..])),
        (CKM_EC_KEY_PAIR_GEN, (CKA_EC_PARAMS, P256), (CKA_PUBLIC_KEY_INFO, &info)),
        (CKM_RSA_PKCS_KEY_PAIR_GEN, (CKA_MODULUS_BITS, &bits), (CKA_PUBLIC_EXPONENT, &[3])),
        (CKM_ML_DSA_KEY_PAIR_GEN, (CKA_PARAMETER_SET, &number(CKP_ML_DSA_65)), (CKA_PARAMETER_SET, &set)),
    ] {
        let refused = || assert_eq!(pair(generator, &[public], &[private]), Err(NO_KEY), "{generator:#x} {private:x?}");
        assert_eq!(fixture.cost(refused), 0, "nothing is made first");
    }
    for (generator, more) in [
        (CKM_AES_KEY_GEN, (CKA_KEY_TYPE, &number(CKK_GENERIC_SECRET)[..])),
        (CKM_SHA256_KEY_GEN, (CKA_KEY_TYPE, &number(CKK_SHA384_HMAC))),
        (CKM_SHA256_KEY_GEN, (CKA_KEY_TYPE, &number(CKK_GENERIC_SECRET))),
        (CKM_AES_KEY_GEN, (CKA_CLASS, &number(CKO_DATA))),
        (CKM_AES_KEY_GEN, (CKA_CHECK_VALUE, &[1, 2, 3])),
    ] {
        let refused = || assert_eq!(secret(generator, &[(CKA_VALUE_LEN, &len), more]), Err(NO_KEY), "{generator:#x} {more:x?}");
        assert_eq!(fixture.cost(refused), 0, "nothing is made first");
    }
    assert_eq!(secret(CKM_CHACHA20_KEY_GEN, &[(CKA_VALUE_LEN, &len)]), Err(CKR_KEY_SIZE_RANGE));
    assert_eq!(find_all(open(0), &[]).len(), before);
    let (class, kind, aes) = (number(CKO_SECRET_KEY), number(CKK_GENERIC_SECRET), number(CKK_AES));
    let base = create(&[(CKA_CLASS, &class), (CKA_KEY_TYPE, &kind), (CKA_VALUE, &[7; 16]), (CKA_DERIVE, YES)]).unwrap();
    let made = |more: &Attributes<'_>| derive(string(CKM_CONCATENATE_BASE_AND_DATA, &[7; 8]), base, more).map(drop);
    assert_eq!(made(&[(CKA_VALUE_LEN, &number(24))]), Ok(()));
    assert_eq!(made(&[(CKA_VALUE_LEN, &wrong_len)]), Err(CKR_KEY_SIZE_RANGE));
    assert_eq!(made(&[(CKA_KEY_TYPE, &aes), (CKA_CLASS, &number(CKO_DATA))]), Err(NO_KEY));
    assert_eq!(made(&[(CKA_VALUE, &[7; 24])]), Err(NO_KEY));
    // A copy is of what it is a copy of.
    for (kind, value) in [(CKA_EC_PARAMS, SECP384R1), (CKA_KEY_TYPE, &aes), (CKA_PUBLIC_KEY_INFO, b"")] {
        let copied = objects::copy(open(CKF_RW_SESSION), private, &[(kind, value)]);
        assert_eq!(copied, Err(CKR_ATTRIBUTE_READ_ONLY), "{kind:#x}");
    }
}
