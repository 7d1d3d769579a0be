//! What is advertised works to the edge, in every token: each mechanism with keys of other types, with parameters of the wrong size, with
//! data of all lengths, and the keys that it makes in all sizes. What does not work is refused by the code that the standard has for it.

use super::crypt::{decrypt, encrypt};
use super::keys::{YES, number, secret};
use super::mechanisms::{Keys, Ring, flags, info, list, way};
use super::pqc::{pair, signature, verify};
use super::*;

/// Keys that most mechanisms are not for.
const OTHERS: [Keys; 9] = [
    Keys::Pair(CKM_RSA_PKCS_KEY_PAIR_GEN),
    Keys::Pair(CKM_EC_KEY_PAIR_GEN),
    Keys::Pair(CKM_EC_EDWARDS_KEY_PAIR_GEN),
    Keys::Pair(CKM_EC_MONTGOMERY_KEY_PAIR_GEN),
    Keys::Pair(CKM_ML_DSA_KEY_PAIR_GEN),
    Keys::Secret(CKM_AES_KEY_GEN),
    Keys::Secret(CKM_GENERIC_SECRET_KEY_GEN),
    Keys::Secret(CKM_HKDF_KEY_GEN),
    Keys::Secret(CKM_CHACHA20_KEY_GEN),
];

/// What a key of another type is told with by the functions that begin with a mechanism.
const BEGINNINGS: &[(CK_FLAGS, CK_RV)] = &[
    (CKF_SIGN, CKR_KEY_TYPE_INCONSISTENT),
    (CKF_VERIFY, CKR_KEY_TYPE_INCONSISTENT),
    (CKF_ENCRYPT, CKR_KEY_TYPE_INCONSISTENT),
    (CKF_DECRYPT, CKR_KEY_TYPE_INCONSISTENT),
    (CKF_SIGN_RECOVER, CKR_KEY_TYPE_INCONSISTENT),
    (CKF_VERIFY_RECOVER, CKR_KEY_TYPE_INCONSISTENT),
    (CKF_MESSAGE_SIGN, CKR_KEY_TYPE_INCONSISTENT),
    (CKF_MESSAGE_VERIFY, CKR_KEY_TYPE_INCONSISTENT),
    (CKF_MESSAGE_ENCRYPT, CKR_KEY_TYPE_INCONSISTENT),
    (CKF_MESSAGE_DECRYPT, CKR_KEY_TYPE_INCONSISTENT),
    (CKF_DERIVE, CKR_KEY_TYPE_INCONSISTENT),
    (CKF_WRAP, CKR_WRAPPING_KEY_TYPE_INCONSISTENT),
    (CKF_UNWRAP, CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT),
];

/// Begins with a mechanism what one of its flags names.
fn begin(flag: CK_FLAGS, mut mechanism: CK_MECHANISM, [public, private]: [CK_OBJECT_HANDLE; 2]) -> CK_RV {
    let (session, mechanism) = (open(CKF_RW_SESSION), &raw mut mechanism);
    let (mut handle, len) = (0, number(16));
    let mut template = [attribute(CKA_VALUE_LEN, &len)];
    let rv = match flag {
        CKF_DIGEST => call!(C_DigestInit(session, mechanism)),
        CKF_SIGN => call!(C_SignInit(session, mechanism, private)),
        CKF_VERIFY => call!(C_VerifyInit(session, mechanism, public)),
        CKF_ENCRYPT => call!(C_EncryptInit(session, mechanism, public)),
        CKF_DECRYPT => call!(C_DecryptInit(session, mechanism, private)),
        CKF_SIGN_RECOVER => call!(C_SignRecoverInit(session, mechanism, private)),
        CKF_VERIFY_RECOVER => call!(C_VerifyRecoverInit(session, mechanism, public)),
        CKF_MESSAGE_SIGN => call3!(C_MessageSignInit(session, mechanism, private)),
        CKF_MESSAGE_VERIFY => call3!(C_MessageVerifyInit(session, mechanism, public)),
        CKF_MESSAGE_ENCRYPT => call3!(C_MessageEncryptInit(session, mechanism, public)),
        CKF_MESSAGE_DECRYPT => call3!(C_MessageDecryptInit(session, mechanism, private)),
        CKF_DERIVE => call!(C_DeriveKey(session, mechanism, private, template.as_mut_ptr(), 1, &raw mut handle)),
        CKF_WRAP => call!(C_WrapKey(session, mechanism, public, private, null_mut(), &raw mut handle)),
        CKF_UNWRAP => {
            let (class, kind, mut blob) = (number(CKO_SECRET_KEY), number(CKK_AES), [0; 24]);
            let mut template = [attribute(CKA_CLASS, &class), attribute(CKA_KEY_TYPE, &kind)];
            let (blob, template) = (blob.as_mut_ptr(), template.as_mut_ptr());
            call!(C_UnwrapKey(session, mechanism, private, blob, 24, template, 2, &raw mut handle))
        }
        CKF_GENERATE => call!(C_GenerateKey(session, mechanism, template.as_mut_ptr(), 1, &raw mut handle)),
        CKF_GENERATE_KEY_PAIR => {
            let (mut other, none) = (0, null_mut());
            call!(C_GenerateKeyPair(session, mechanism, none, 0, none, 0, &raw mut handle, &raw mut other))
        }
        _ => panic!("no function begins with {flag:#x}"),
    };
    assert_eq!(call!(C_CloseSession(session)), CKR_OK);
    rv
}

/// What is not as it should be, all of it.
#[derive(Default)]
struct Faults(Vec<String>);

impl Faults {
    fn expect<T: PartialEq + std::fmt::Debug>(&mut self, found: T, expected: T, what: impl FnOnce() -> String) {
        if found != expected {
            self.0.push(format!("{}: {found:x?} and not {expected:x?}", what()));
        }
    }
}

/// Whether a mechanism takes keys of this kind too, beside those that it is used with elsewhere.
fn takes(kind: CK_MECHANISM_TYPE, keys: Keys) -> bool {
    match kind {
        CKM_HKDF_DERIVE | CKM_HKDF_DATA => keys == Keys::Secret(CKM_GENERIC_SECRET_KEY_GEN),
        CKM_ECDH1_DERIVE => keys == Keys::Pair(CKM_EC_MONTGOMERY_KEY_PAIR_GEN),
        CKM_RSA_X_509 => keys == Keys::Pair(CKM_RSA_PKCS_KEY_PAIR_GEN),
        _ => false,
    }
}

fn keys_of_other_types_are_refused(faults: &mut Faults) {
    let (mut ring, kinds) = (Ring::default(), list(slot()));
    let made = |keys: Keys| matches!(keys, Keys::Pair(generator) | Keys::Secret(generator) if kinds.contains(&generator));
    for &kind in &kinds {
        let (own, mechanism) = way(kind).unwrap();
        for other in OTHERS.into_iter().filter(|other| made(*other) && *other != own && !takes(kind, *other)) {
            let keys = ring.get(other);
            for (flag, expected) in BEGINNINGS.iter().filter(|(flag, _)| flags(kind) & flag != 0) {
                faults.expect(begin(*flag, mechanism, keys), *expected, || format!("{kind:#x} {flag:#x} {other:?}"));
            }
        }
    }
}

fn parameters_of_other_sizes_are_refused(faults: &mut Faults) {
    let mut ring = Ring::default();
    let zeros = [0u64; 64];
    for kind in list(slot()) {
        let (own, mechanism) = way(kind).unwrap();
        let keys = ring.get(own);
        let right = mechanism.ulParameterLen;
        let beginnings = BEGINNINGS.iter().map(|(flag, _)| *flag).chain([CKF_DIGEST, CKF_GENERATE, CKF_GENERATE_KEY_PAIR]);
        // of these, each message brings a parameter of its own
        let messages = CKF_MESSAGE_ENCRYPT | CKF_MESSAGE_DECRYPT;
        for flag in beginnings.filter(|flag| flags(kind) & !messages & flag != 0) {
            let with = |len| CK_MECHANISM { mechanism: kind, pParameter: zeros.as_ptr().cast_mut().cast(), ulParameterLen: len };
            let mut wrong = vec![with(1), with(right + 1), with(509)];
            if right > 0 {
                wrong.extend([with(right - 1), super::mechanism(kind)]);
            }
            for mechanism in wrong.into_iter().filter(|wrong| wrong.ulParameterLen != right) {
                let what = || format!("{kind:#x} {flag:#x} with a parameter of {} bytes", mechanism.ulParameterLen);
                faults.expect(begin(flag, mechanism, keys), CKR_MECHANISM_PARAM_INVALID, what);
            }
        }
    }
}

/// Data of this length is signed, or encrypted, and what comes of it is verified, or decrypted; or it is CKR_DATA_LEN_RANGE. Whether it was
/// not refused.
fn goes_through(
    faults: &mut Faults,
    kind: CK_MECHANISM_TYPE,
    mut mechanism: CK_MECHANISM,
    [public, private]: [CK_OBJECT_HANDLE; 2],
    len: usize,
) -> bool {
    let (data, told) = (vec![7; len], || format!("{kind:#x} {len}"));
    let mut through = false;
    if flags(kind) & CKF_SIGN != 0 {
        match signature(&mut mechanism, private, &data) {
            Ok(signed) => {
                faults.expect(verify(&mut mechanism, public, &data, &signed), CKR_OK, told);
                through = true;
            }
            Err(rv) => faults.expect(rv, CKR_DATA_LEN_RANGE, told),
        }
    }
    if flags(kind) & (CKF_ENCRYPT | CKF_DECRYPT) == CKF_ENCRYPT | CKF_DECRYPT {
        match encrypt(mechanism, public, &data) {
            // zeros before a number do not come back from under it, or all of them
            Ok(sealed) if kind == CKM_RSA_X_509 => {
                let opened = decrypt(mechanism, private, &sealed).unwrap_or_else(|rv| rv.to_be_bytes().to_vec());
                let zeros = opened.len().saturating_sub(len);
                faults.expect(opened.ends_with(&data) && opened[..zeros].iter().all(|byte| *byte == 0), true, told);
                through = true;
            }
            Ok(sealed) => {
                faults.expect(decrypt(mechanism, private, &sealed), Ok(data.clone()), told);
                through = true;
            }
            Err(rv) => faults.expect(rv, CKR_DATA_LEN_RANGE, told),
        }
    }
    through
}

fn data_of_every_length_goes_through_or_is_out_of_range(faults: &mut Faults) {
    let mut ring = Ring::default();
    let lens =
        [0, 1, 7, 8, 15, 16, 17, 20, 24, 28, 31, 32, 33, 48, 63, 64, 65, 100, 127, 128, 190, 245, 246, 256, 257, 1000, 5000];
    for kind in list(slot()) {
        let (own, mechanism) = way(kind).unwrap();
        let keys = ring.get(own);
        let through = lens.into_iter().filter(|len| goes_through(faults, kind, mechanism, keys, *len)).count();
        let works = flags(kind) & (CKF_SIGN | CKF_ENCRYPT) != 0;
        faults.expect(through > 0, works, || format!("{kind:#x} with any length"));
    }
}

/// C_GenerateKey or C_GenerateKeyPair for a size of the mechanism's info.
fn generate_sized(kind: CK_MECHANISM_TYPE, size: CK_ULONG) -> Result<[CK_OBJECT_HANDLE; 2], CK_RV> {
    let size = number(size);
    match kind {
        CKM_RSA_PKCS_KEY_PAIR_GEN => pair(kind, &[(CKA_MODULUS_BITS, &size)], &[(CKA_SIGN, YES), (CKA_DECRYPT, YES)]),
        _ => {
            let uses = [CKA_SIGN, CKA_VERIFY, CKA_ENCRYPT, CKA_DECRYPT].map(|kind| (kind, YES));
            secret(kind, &[&uses[..], &[(CKA_VALUE_LEN, &size)]].concat()).map(|key| [key; 2])
        }
    }
}

/// RSA keys of these sizes only are made; an info has room for two numbers.
const RSA: [CK_ULONG; 4] = [1024, 2048, 3072, 4096];

fn keys_of_every_size_are_made_or_out_of_range(faults: &mut Faults) {
    let kinds = list(slot());
    let sized = [CKM_RSA_PKCS_KEY_PAIR_GEN, CKM_AES_KEY_GEN, CKM_GENERIC_SECRET_KEY_GEN, CKM_HKDF_KEY_GEN, CKM_SHA256_KEY_GEN];
    for generator in sized.into_iter().filter(|generator| kinds.contains(generator)) {
        let CK_MECHANISM_INFO { ulMinKeySize: min, ulMaxKeySize: max, .. } = info(generator);
        let middle = (min + max) / 2;
        let all =
            [0, 1, min - 1, min, min + 1, min + 8, min + 16, middle, middle + 20, max - 1, max, max + 1, max + 8, CK_ULONG::MAX];
        for size in all.into_iter().chain([2056, 2064, 3092].into_iter().filter(|_| generator == CKM_RSA_PKCS_KEY_PAIR_GEN)) {
            let made = generate_sized(generator, size);
            let works = match generator {
                CKM_RSA_PKCS_KEY_PAIR_GEN => RSA.contains(&size),
                CKM_AES_KEY_GEN => [16, 32].contains(&size) || size == 24 && slot() != TPM,
                _ => true,
            } && (min..=max).contains(&size);
            let refused = if works { None } else { Some(CKR_KEY_SIZE_RANGE) };
            faults.expect(made.err(), refused, || format!("{generator:#x} of {size}"));
            let Ok(keys) = made else { continue };
            let for_them = |kind: &&CK_MECHANISM_TYPE| match way(**kind) {
                Some((Keys::Pair(own) | Keys::Secret(own), _)) => own == generator,
                _ => false,
            };
            // the longest salts have no room in the smallest keys
            let smallest = generator == CKM_RSA_PKCS_KEY_PAIR_GEN && size < 2048;
            for &kind in kinds.iter().filter(|_| !smallest).filter(for_them) {
                goes_through(faults, kind, way(kind).unwrap().1, keys, 32);
            }
        }
    }
}

/// All that holds of each mechanism of a token.
fn to_the_edge() {
    let mut faults = Faults::default();
    keys_of_other_types_are_refused(&mut faults);
    parameters_of_other_sizes_are_refused(&mut faults);
    data_of_every_length_goes_through_or_is_out_of_range(&mut faults);
    keys_of_every_size_are_made_or_out_of_range(&mut faults);
    assert!(faults.0.is_empty(), "{}", faults.0.join("\n"));
}

#[test]
fn every_mechanism_works_to_the_edge() {
    let _fixture = Fixture::deprecated();
    to_the_edge();
}

#[test]
fn every_mechanism_of_the_tpm_works_to_the_edge() {
    let _fixture = Fixture::tpm();
    to_the_edge();
}

#[test]
fn every_mechanism_of_the_sealed_tier_works_to_the_edge() {
    let _fixture = Fixture::sealed();
    to_the_edge();
}
