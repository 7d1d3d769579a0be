//! RSA private keys that are brought without some of their numbers (PKCS#11 v3.1 §6.1.3).

use super::keys::{NO, YES, create, number, read};
use super::other::{Other, at};
use super::pqc::{pair, signature, verify};
use super::wrap::Attributes;
use super::*;

const NUMBERS: [CK_ATTRIBUTE_TYPE; 8] = [
    CKA_MODULUS,
    CKA_PUBLIC_EXPONENT,
    CKA_PRIVATE_EXPONENT,
    CKA_PRIME_1,
    CKA_PRIME_2,
    CKA_EXPONENT_1,
    CKA_EXPONENT_2,
    CKA_COEFFICIENT,
];

type Numbers = Vec<(CK_ATTRIBUTE_TYPE, Vec<u8>)>;

fn made() -> ([CK_OBJECT_HANDLE; 2], Numbers) {
    let (bits, open): (_, &Attributes<'_>) = (number(2048), &[(CKA_SENSITIVE, NO), (CKA_EXTRACTABLE, YES)]);
    let keys = pair(CKM_RSA_PKCS_KEY_PAIR_GEN, &[(CKA_MODULUS_BITS, &bits)], open).unwrap();
    (keys, NUMBERS.map(|kind| (kind, read(keys[1], kind).unwrap())).into())
}

fn private<'a>(head: &'a [[u8; 8]; 2], numbers: &'a Numbers) -> Vec<(CK_ATTRIBUTE_TYPE, &'a [u8])> {
    let own: [(_, &[u8]); 5] =
        [(CKA_CLASS, &head[0]), (CKA_KEY_TYPE, &head[1]), (CKA_SIGN, YES), (CKA_SENSITIVE, NO), (CKA_EXTRACTABLE, YES)];
    own.into_iter().chain(numbers.iter().map(|(kind, value)| (*kind, value.as_slice()))).collect()
}

#[test]
fn a_private_key_needs_no_more_than_its_modulus_and_exponents() {
    let _fixture = Fixture::new();
    let ([public, _], all) = made();
    let head = [CKO_PRIVATE_KEY, CKK_RSA].map(CK_ULONG::to_ne_bytes);
    for given in [
        &NUMBERS[..],
        &[CKA_MODULUS, CKA_PUBLIC_EXPONENT, CKA_PRIVATE_EXPONENT],
        &[CKA_MODULUS, CKA_PRIVATE_EXPONENT],
        &[CKA_MODULUS, CKA_PUBLIC_EXPONENT, CKA_PRIVATE_EXPONENT, CKA_PRIME_1],
        &[CKA_MODULUS, CKA_PUBLIC_EXPONENT, CKA_PRIVATE_EXPONENT, CKA_PRIME_2],
        &[CKA_MODULUS, CKA_PUBLIC_EXPONENT, CKA_PRIVATE_EXPONENT, CKA_PRIME_1, CKA_PRIME_2],
        &[CKA_MODULUS, CKA_PUBLIC_EXPONENT, CKA_PRIVATE_EXPONENT, CKA_EXPONENT_2],
        &[CKA_MODULUS, CKA_PUBLIC_EXPONENT, CKA_PRIVATE_EXPONENT, CKA_COEFFICIENT],
        &NUMBERS[..7],
    ] {
        let some: Numbers = all.iter().filter(|(kind, _)| given.contains(kind)).cloned().collect();
        let key = create(&private(&head, &some)).unwrap_or_else(|rv| panic!("{given:x?}: {rv:#x}"));
        let signed = signature(&mut mechanism(CKM_SHA256_RSA_PKCS), key, b"data").unwrap();
        assert_eq!(verify(&mut mechanism(CKM_SHA256_RSA_PKCS), public, b"data", &signed), CKR_OK, "{given:x?}");
        for (kind, value) in &some {
            assert_eq!(read(key, *kind).as_ref(), Ok(value), "{given:x?}");
        }
        assert_eq!(NUMBERS.map(|kind| read(key, kind).is_ok()), [true; 8]);
    }
    for lacking in [CKA_MODULUS, CKA_PRIVATE_EXPONENT] {
        let some: Numbers = all.iter().filter(|(kind, _)| *kind != lacking).cloned().collect();
        assert_eq!(create(&private(&head, &some)), Err(CKR_TEMPLATE_INCOMPLETE), "{lacking:#x}");
    }
}

/// Whatever else is given must be what follows; and nothing is left of a key that does not fit.
#[test]
fn numbers_that_do_not_fit_make_no_key() {
    let _fixture = Fixture::new();
    let (_, all) = made();
    let (_, other) = made();
    let head = [CKO_PRIVATE_KEY, CKK_RSA].map(CK_ULONG::to_ne_bytes);
    let before = objects::find_all(open(0), &[]).len();
    let softhsm = Other::softhsm();
    for given in [3, 4, 5, 6, 7, 8] {
        for wrong in 0..given {
            let zero = |_: &[u8]| vec![0u8];
            let one = |_: &[u8]| vec![1u8];
            let off = |value: &[u8]| [&value[..value.len() - 1], &[value[value.len() - 1] ^ 2]].concat();
            let long = |value: &[u8]| [value, &[1; 400][..]].concat();
            let others = |_: &[u8]| other[wrong].1.clone();
            for change in [&zero as &dyn Fn(&[u8]) -> Vec<u8>, &one, &off, &long, &others] {
                let mut some = all[..given].to_vec();
                some[wrong].1 = change(&some[wrong].1);
                if some[wrong] == all[wrong] {
                    continue;
                }
                let refused = create(&private(&head, &some));
                let expected = [CKR_ATTRIBUTE_VALUE_INVALID, CKR_KEY_SIZE_RANGE];
                assert!(refused.is_err_and(|rv| expected.contains(&rv)), "{given} {:#x} {refused:x?}", some[wrong].0);
            }
        }
    }
    // which SoftHSM takes
    if let Some(softhsm) = softhsm {
        let some = all[..3].to_vec();
        let mut template: Vec<_> = private(&head, &some).iter().map(|(kind, value)| attribute(*kind, value)).collect();
        let mut key = 0;
        let len = template.len() as CK_ULONG;
        assert_eq!(at!(softhsm.list, C_CreateObject(softhsm.session, template.as_mut_ptr(), len, &raw mut key)), CKR_OK);
    }
    assert_eq!(objects::find_all(open(0), &[]).len(), before);
}
