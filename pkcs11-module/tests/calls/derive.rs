//! Keys out of other keys: published vectors, agreement of two sides, refusals.

use super::crypt::with;
use super::keys::{NO, YES, create, number, read};
use super::mechanisms::lasting;
use super::wrap::{Attributes, aes, pair};
use super::*;

/// C_DeriveKey with these attributes, on the token.
pub(crate) fn derive(
    mut mechanism: CK_MECHANISM,
    base: CK_OBJECT_HANDLE,
    attributes: &Attributes<'_>,
) -> Result<CK_OBJECT_HANDLE, CK_RV> {
    let mut template = vec![attribute(CKA_TOKEN, YES)];
    template.extend(attributes.iter().map(|(kind, value)| attribute(*kind, value)));
    let (session, count, mut key) = (open(CKF_RW_SESSION), template.len() as CK_ULONG, 0);
    match call!(C_DeriveKey(session, &mut mechanism, base, template.as_mut_ptr(), count, &raw mut key)) {
        CKR_OK => Ok(key),
        rv => Err(rv),
    }
}

/// The value of a generic secret of so many bytes; zero: as many as there are.
fn value(mechanism: CK_MECHANISM, base: CK_OBJECT_HANDLE, len: CK_ULONG) -> Result<Vec<u8>, CK_RV> {
    let len = number(len);
    let template: &Attributes<'_> = &[(CKA_SENSITIVE, NO), (CKA_EXTRACTABLE, YES), (CKA_VALUE_LEN, &len)];
    read(derive(mechanism, base, if len == [0; 8] { &template[..2] } else { template })?, CKA_VALUE)
}

fn secret(value: &[u8]) -> CK_OBJECT_HANDLE {
    let (class, kind) = (number(CKO_SECRET_KEY), number(CKK_GENERIC_SECRET));
    let template: &Attributes<'_> = &[
        (CKA_CLASS, &class),
        (CKA_KEY_TYPE, &kind),
        (CKA_VALUE, value),
        (CKA_DERIVE, YES),
        (CKA_SENSITIVE, NO),
        (CKA_EXTRACTABLE, YES),
    ];
    create(template).unwrap()
}

pub(crate) fn ecdh(kdf: CK_EC_KDF_TYPE, shared: &'static [u8], point: &[u8]) -> CK_MECHANISM {
    let point: &[u8] = Vec::leak(point.to_vec());
    let params = CK_ECDH1_DERIVE_PARAMS {
        kdf,
        ulSharedDataLen: shared.len() as CK_ULONG,
        pSharedData: shared.as_ptr().cast_mut(),
        ulPublicDataLen: point.len() as CK_ULONG,
        pPublicData: point.as_ptr().cast_mut(),
    };
    lasting(CKM_ECDH1_DERIVE, params)
}

pub(crate) fn hkdf(steps: (bool, bool), salt: &'static [u8], info: &'static [u8]) -> CK_MECHANISM {
    let params = CK_HKDF_PARAMS {
        bExtract: steps.0.into(),
        bExpand: steps.1.into(),
        prfHashMechanism: CKM_SHA256,
        ulSaltType: if salt.is_empty() { CKF_HKDF_SALT_NULL } else { CKF_HKDF_SALT_DATA },
        pSalt: salt.as_ptr().cast_mut(),
        ulSaltLen: salt.len() as CK_ULONG,
        hSaltKey: 0,
        pInfo: info.as_ptr().cast_mut(),
        ulInfoLen: info.len() as CK_ULONG,
    };
    lasting(CKM_HKDF_DERIVE, params)
}

pub(crate) fn string(kind: CK_MECHANISM_TYPE, data: &'static [u8]) -> CK_MECHANISM {
    lasting(kind, CK_KEY_DERIVATION_STRING_DATA { pData: data.as_ptr().cast_mut(), ulLen: data.len() as CK_ULONG })
}

const OKM: [u8; 42] = [
    0x3c, 0xb2, 0x5f, 0x25, 0xfa, 0xac, 0xd5, 0x7a, 0x90, 0x43, 0x4f, 0x64, 0xd0, 0x36, 0x2f, 0x2a, 0x2d, 0x2d, 0x0a, 0x90, 0xcf,
    0x1a, 0x5a, 0x4c, 0x5d, 0xb0, 0x2d, 0x56, 0xec, 0xc4, 0xc5, 0xbf, 0x34, 0x00, 0x72, 0x08, 0xd5, 0xb8, 0x87, 0x18, 0x58, 0x65,
];
const SALT: &[u8] = &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
const INFO: &[u8] = &[0xf0, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9];

/// RFC 5869 §A.1.
#[test]
fn hkdf_in_one_step_and_in_two() {
    let _fixture = Fixture::new();
    let base = secret(&[0x0b; 22]);
    assert_eq!(value(hkdf((true, true), SALT, INFO), base, 42).as_deref(), Ok(&OKM[..]));
    let key = value(hkdf((true, false), SALT, b""), base, 0).unwrap();
    assert_eq!((key.len(), &key[..4]), (32, &[0x07, 0x77, 0x09, 0x36][..]));
    assert_eq!(value(hkdf((false, true), b"", INFO), secret(&key), 42).as_deref(), Ok(&OKM[..]));
    let salted = CK_HKDF_PARAMS {
        bExtract: CK_TRUE,
        bExpand: CK_TRUE,
        prfHashMechanism: CKM_SHA256,
        ulSaltType: CKF_HKDF_SALT_KEY,
        pSalt: null_mut(),
        ulSaltLen: 0,
        hSaltKey: secret(SALT),
        pInfo: INFO.as_ptr().cast_mut(),
        ulInfoLen: INFO.len() as CK_ULONG,
    };
    assert_eq!(value(with(CKM_HKDF_DERIVE, &salted), base, 42).as_deref(), Ok(&OKM[..]), "the salt as a key");
    let (class, kind) = (number(CKO_SECRET_KEY), number(CKK_HKDF));
    let own = create(&[(CKA_CLASS, &class), (CKA_KEY_TYPE, &kind), (CKA_VALUE, &[0x0b; 22])]).unwrap();
    assert_eq!(read(own, CKA_KEY_TYPE).as_deref(), Ok(&kind[..]));
    assert_eq!(value(hkdf((true, true), SALT, INFO), own, 42).as_deref(), Ok(&OKM[..]), "a key for HKDF alone");
    assert_eq!(value(mechanism(CKM_SHA256_KEY_DERIVATION), own, 0), Err(CKR_KEY_TYPE_INCONSISTENT));
    assert_eq!(value(hkdf((true, true), SALT, INFO), base, 0), Err(CKR_TEMPLATE_INCOMPLETE));
    assert_eq!(value(hkdf((false, false), SALT, INFO), base, 42), Err(CKR_MECHANISM_PARAM_INVALID));
}

/// With every hash that has a mechanism; what is expected is made of HMACs of the token (RFC 5869 §2).
#[test]
fn hkdf_has_every_hash() {
    let _fixture = Fixture::new();
    for (hash, hmac) in [
        (CKM_SHA_1, CKM_SHA_1_HMAC),
        (CKM_SHA224, CKM_SHA224_HMAC),
        (CKM_SHA256, CKM_SHA256_HMAC),
        (CKM_SHA384, CKM_SHA384_HMAC),
        (CKM_SHA512, CKM_SHA512_HMAC),
        (CKM_SHA3_224, CKM_SHA3_224_HMAC),
        (CKM_SHA3_256, CKM_SHA3_256_HMAC),
        (CKM_SHA3_384, CKM_SHA3_384_HMAC),
        (CKM_SHA3_512, CKM_SHA3_512_HMAC),
    ] {
        let mechanism = hkdf((true, true), SALT, INFO);
        // SAFETY: the parameter is one that `hkdf` has made and that lives on.
        unsafe { (*mechanism.pParameter.cast::<CK_HKDF_PARAMS>()).prfHashMechanism = hash };
        let (class, kind) = (number(CKO_SECRET_KEY), number(CKK_GENERIC_SECRET));
        let mac = |key: &[u8], data: &[u8]| {
            let key = create(&[(CKA_CLASS, &class), (CKA_KEY_TYPE, &kind), (CKA_VALUE, key), (CKA_SIGN, YES)]).unwrap();
            pqc::signature(&mut super::mechanism(hmac), key, data).unwrap()
        };
        let extracted = mac(SALT, &[0x0b; 22]);
        let expected = mac(&extracted, &[INFO, &[1]].concat());
        let base = secret(&[0x0b; 22]);
        assert_eq!(value(mechanism, base, expected.len() as CK_ULONG), Ok(expected), "{hash:#x}");
    }
}

#[test]
fn two_sides_agree_with_every_kdf_and_both_forms_of_the_point() {
    let _fixture = Fixture::new();
    for (generator, curve) in [
        (CKM_EC_KEY_PAIR_GEN, P256),
        (CKM_EC_KEY_PAIR_GEN, b"\x06\x05\x2b\x81\x04\x00\x22"),
        (CKM_EC_KEY_PAIR_GEN, b"\x06\x05\x2b\x81\x04\x00\x23"),
        (CKM_EC_MONTGOMERY_KEY_PAIR_GEN, b"\x13\x0acurve25519"),
    ] {
        let [[public_a, a], [public_b, b]] = [(); 2].map(|()| pair(generator, &[(CKA_EC_PARAMS, curve)], &[(CKA_DERIVE, YES)]));
        let [point_a, point_b] = [public_a, public_b].map(|key| read(key, CKA_EC_POINT).unwrap());
        let bare = if point_b[1] < 0x80 { &point_b[2..] } else { &point_b[3..] };
        for kdf in [CKD_NULL, CKD_SHA1_KDF, CKD_SHA224_KDF, CKD_SHA256_KDF, CKD_SHA384_KDF, CKD_SHA512_KDF] {
            let shared: &[u8] = if kdf == CKD_NULL { b"" } else { b"shared" };
            let mine = value(ecdh(kdf, shared, &point_b), a, 32).unwrap();
            assert_eq!(mine, value(ecdh(kdf, shared, &point_a), b, 32).unwrap());
            assert_eq!(mine, value(ecdh(kdf, shared, bare), a, 32).unwrap(), "without the OCTET STRING");
        }
        assert_eq!(value(ecdh(CKD_NULL, b"x", bare), a, 32), Err(CKR_MECHANISM_PARAM_INVALID));
        assert_eq!(value(ecdh(CKD_NULL, b"", &bare[1..]), a, 32), Err(CKR_MECHANISM_PARAM_INVALID));
        assert_eq!(value(ecdh(99, b"", bare), a, 32), Err(CKR_MECHANISM_PARAM_INVALID));
        assert_eq!(value(ecdh(CKD_SHA256_KDF, b"", bare), a, 0), Err(CKR_TEMPLATE_INCOMPLETE));
        assert_eq!(value(ecdh(CKD_NULL, b"", bare), public_a, 32), Err(CKR_KEY_FUNCTION_NOT_PERMITTED));
    }
}

/// The key that an operation begins with may be gone in the service.
#[test]
fn a_dead_key_is_named_by_its_part() {
    let fixture = Fixture::new();
    let [public, private] = pair(CKM_EC_KEY_PAIR_GEN, &[(CKA_EC_PARAMS, P256)], &[(CKA_DERIVE, YES), (CKA_LABEL, b"web")]);
    let point = read(public, CKA_EC_POINT).unwrap();
    let (base, leaving) = (secret(b"base"), aes(&[(CKA_EXTRACTABLE, YES)]));
    let (with, kw) = (aes(&[(CKA_WRAP, YES), (CKA_UNWRAP, YES), (CKA_LABEL, b"with")]), mechanism(CKM_AES_KEY_WRAP));
    let wrapped = wrap::wrap(kw, with, leaving).unwrap();
    for name in ["web", "with"] {
        run(&mut fixture.service.parsec(["key", "rm", name])).ok();
    }
    assert_eq!(value(ecdh(CKD_NULL, b"", &point), private, 32), Err(CKR_KEY_HANDLE_INVALID));
    let concatenate = lasting(CKM_CONCATENATE_BASE_AND_KEY, with);
    assert_eq!(value(concatenate, base, 0), Err(CKR_KEY_HANDLE_INVALID));
    assert_eq!(wrap::wrap(kw, with, leaving), Err(CKR_WRAPPING_KEY_HANDLE_INVALID));
    let template: &Attributes<'_> = &[(CKA_CLASS, &number(CKO_SECRET_KEY)), (CKA_KEY_TYPE, &number(CKK_AES))];
    assert_eq!(wrap::unwrap(kw, with, &wrapped, template), Err(CKR_UNWRAPPING_KEY_HANDLE_INVALID));
}

#[test]
fn derived_keys_of_a_type_work() {
    let _fixture = Fixture::new();
    let [public, private] = pair(CKM_EC_KEY_PAIR_GEN, &[(CKA_EC_PARAMS, P256)], &[(CKA_DERIVE, YES)]);
    let point = read(public, CKA_EC_POINT).unwrap();
    let (kind, len) = (number(CKK_AES), number(16));
    let template: &Attributes<'_> = &[(CKA_KEY_TYPE, &kind), (CKA_ENCRYPT, YES), (CKA_DECRYPT, YES), (CKA_VALUE_LEN, &len)];
    let key = derive(ecdh(CKD_NULL, b"", &point), private, template).unwrap();
    assert_eq!(read(key, CKA_VALUE), Err(CKR_ATTRIBUTE_SENSITIVE));
    assert_eq!(read(key, CKA_LOCAL).as_deref(), Ok(NO));
    let sealed = crypt::encrypt(mechanism(CKM_AES_ECB), key, &[7; 16]).unwrap();
    assert_eq!(crypt::decrypt(mechanism(CKM_AES_ECB), key, &sealed).as_deref(), Ok(&[7; 16][..]));
    assert_eq!(derive(ecdh(CKD_NULL, b"", &point), private, &template[..3]), Err(CKR_TEMPLATE_INCOMPLETE));
    let signs = pair(CKM_EC_KEY_PAIR_GEN, &[(CKA_EC_PARAMS, P256)], &[(CKA_SIGN, YES)])[1];
    assert_eq!(derive(ecdh(CKD_NULL, b"", &point), signs, template), Err(CKR_KEY_FUNCTION_NOT_PERMITTED));
    assert_eq!(derive(hkdf((true, true), SALT, INFO), private, template), Err(CKR_KEY_TYPE_INCONSISTENT));
    assert_eq!(derive(mechanism(CKM_AES_ECB), private, template), Err(CKR_MECHANISM_INVALID));
}

#[test]
fn concatenations_digests_and_encryption_make_keys() {
    let _fixture = Fixture::new();
    let (base, other) = (secret(b"base"), secret(b"other"));
    assert_eq!(value(with(CKM_CONCATENATE_BASE_AND_KEY, &other), base, 0).as_deref(), Ok(&b"baseother"[..]));
    assert_eq!(value(string(CKM_CONCATENATE_BASE_AND_DATA, b"data"), base, 8).as_deref(), Ok(&b"basedata"[..]));
    assert_eq!(value(string(CKM_CONCATENATE_DATA_AND_BASE, b"data"), base, 0).as_deref(), Ok(&b"database"[..]));
    assert_eq!(value(with(CKM_CONCATENATE_BASE_AND_KEY, &9999_u64), base, 0), Err(CKR_KEY_HANDLE_INVALID));
    let digest = value(mechanism(CKM_SHA256_KEY_DERIVATION), secret(b"abc"), 0).unwrap();
    assert_eq!((digest.len(), &digest[..4]), (32, &[0xba, 0x78, 0x16, 0xbf][..]));
    let key = aes(&[(CKA_DERIVE, YES), (CKA_ENCRYPT, YES)]);
    let (ecb, cbc) = (
        string(CKM_AES_ECB_ENCRYPT_DATA, &[7; 32]),
        CK_AES_CBC_ENCRYPT_DATA_PARAMS { iv: [9; 16], pData: [7; 32].as_ptr().cast_mut(), length: 32 },
    );
    let expected = crypt::encrypt(mechanism(CKM_AES_ECB), key, &[7; 32]).unwrap();
    assert_eq!(value(ecb, key, 32), Ok(expected));
    let expected = crypt::encrypt(lasting(CKM_AES_CBC, [9u8; 16]), key, &[7; 32]).unwrap();
    assert_eq!(value(with(CKM_AES_CBC_ENCRYPT_DATA, &cbc), key, 16).as_deref(), Ok(&expected[..16]));
    assert_eq!(value(string(CKM_AES_ECB_ENCRYPT_DATA, &[7; 15]), key, 16), Err(CKR_MECHANISM_PARAM_INVALID));
    assert_eq!(value(ecb, key, 33), Err(CKR_MECHANISM_PARAM_INVALID), "there is not so much");
}

/// The same bytes as an object of data.
#[test]
fn hkdf_gives_data() {
    let _fixture = Fixture::new();
    let base = secret(&[0x0b; 22]);
    let data = |steps| CK_MECHANISM { mechanism: CKM_HKDF_DATA, ..hkdf(steps, SALT, INFO) };
    let (len, class, long) = (number(42), number(CKO_DATA), number(255 * 32 + 1));
    let template: &Attributes<'_> = &[(CKA_CLASS, &class), (CKA_VALUE_LEN, &len), (CKA_LABEL, b"okm"), (CKA_APPLICATION, b"app")];
    let made = derive(data((true, true)), base, template).unwrap();
    for (kind, value) in
        [(CKA_CLASS, &class[..]), (CKA_VALUE, &OKM), (CKA_LABEL, b"okm"), (CKA_APPLICATION, b"app"), (CKA_TOKEN, YES)]
    {
        assert_eq!(read(made, kind).as_deref(), Ok(value), "{kind:#x}");
    }
    let extracted = derive(data((true, false)), base, &template[..1]).unwrap();
    assert_eq!(read(extracted, CKA_VALUE).unwrap()[..4], [0x07, 0x77, 0x09, 0x36]);
    for (template, expected) in [
        (&[(CKA_CLASS, &class[..])][..], CKR_TEMPLATE_INCOMPLETE),
        (&[(CKA_VALUE_LEN, &long)], CKR_KEY_SIZE_RANGE),
        (&[(CKA_VALUE_LEN, &len), (CKA_VALUE, b"7")], CKR_TEMPLATE_INCONSISTENT),
        (&[(CKA_VALUE_LEN, &len), (CKA_DERIVE, YES)], CKR_ATTRIBUTE_TYPE_INVALID),
        (&[(CKA_VALUE_LEN, &len), (CKA_CLASS, &number(CKO_SECRET_KEY))], CKR_TEMPLATE_INCONSISTENT),
    ] {
        assert_eq!(derive(data((true, true)), base, template), Err(expected), "{template:x?}");
    }
    let found = objects::find_all(open(0), &[]);
    assert_eq!(found.len(), 3, "the base, and two objects of data");
}

/// HKDF yields 255 times its hash; a key may be shorter than that only.
#[test]
fn hkdf_has_limits() {
    let _fixture = Fixture::new();
    let base = secret(&[0x0b; 22]);
    let with_hash = |prf| {
        let mut params =
            CK_HKDF_PARAMS { bExtract: CK_TRUE, bExpand: CK_TRUE, prfHashMechanism: prf, ..CK_HKDF_PARAMS::default() };
        params.ulSaltType = CKF_HKDF_SALT_NULL;
        lasting(CKM_HKDF_DERIVE, params)
    };
    for (prf, most) in [(CKM_SHA_1, 255 * 20), (CKM_SHA256, 255 * 32), (CKM_SHA512, 8191)] {
        let made =
            |len| derive(with_hash(prf), base, &[(CKA_VALUE_LEN, &number(len))]).map(|key| read(key, CKA_VALUE_LEN).unwrap());
        assert_eq!(made(most).as_deref(), Ok(&number(most)[..]), "{prf:#x}");
        assert_eq!(made(most + 1), Err(CKR_KEY_SIZE_RANGE), "{prf:#x}");
    }
    for prf in [CKM_MD5, CKM_SHA512_256, CKM_SHA256_HMAC, 0] {
        assert_eq!(value(with_hash(prf), base, 16), Err(CKR_MECHANISM_PARAM_INVALID), "{prf:#x}");
    }
}

/// The chip agrees on the secret. A key that may be read stays in the service, and every other one goes into the chip.
#[test]
fn a_tpm_agrees_on_secrets() {
    let mut fixture = Fixture::tpm();
    let [public, private] = pair(CKM_EC_KEY_PAIR_GEN, &[(CKA_EC_PARAMS, P256)], &[(CKA_DERIVE, YES)]);
    assert_eq!(read(private, CKA_DERIVE).as_deref(), Ok(YES));
    let point = read(public, CKA_EC_POINT).unwrap();
    let secret = value(ecdh(CKD_NULL, b"", &point), private, 32).unwrap();
    assert_eq!(value(ecdh(CKD_NULL, b"", &point), private, 0).as_deref(), Ok(&secret[..]));
    assert_eq!(value(ecdh(CKD_NULL, b"", &point), private, 16).as_deref(), Ok(&secret[16..]));
    assert_eq!(value(ecdh(CKD_NULL, b"", &point), private, 33), Err(CKR_KEY_SIZE_RANGE));
    let derived = value(ecdh(CKD_SHA256_KDF, b"shared", &point), private, 32).unwrap();
    assert_ne!(derived, secret);
    let (kind, len) = (number(CKK_AES), number(16));
    let aes: &Attributes<'_> = &[(CKA_KEY_TYPE, &kind), (CKA_ENCRYPT, YES), (CKA_DECRYPT, YES), (CKA_VALUE_LEN, &len)];
    let open: &Attributes<'_> = &[(CKA_SENSITIVE, NO), (CKA_EXTRACTABLE, YES)];
    let closed = derive(ecdh(CKD_NULL, b"", &point), private, aes).unwrap();
    let readable = derive(ecdh(CKD_NULL, b"", &point), private, &[aes, open].concat()).unwrap();
    assert_eq!(read(closed, CKA_VALUE), Err(CKR_ATTRIBUTE_SENSITIVE));
    fixture.restart();
    assert_eq!(read(readable, CKA_VALUE).as_deref(), Ok(&secret[16..]));
    let sealed = crypt::encrypt(mechanism(CKM_AES_ECB), closed, &[7; 16]).unwrap();
    assert_eq!(crypt::encrypt(mechanism(CKM_AES_ECB), readable, &[7; 16]).as_deref(), Ok(&sealed[..]));
    assert_eq!(crypt::decrypt(mechanism(CKM_AES_ECB), readable, &sealed).as_deref(), Ok(&[7; 16][..]));
    for mac in [value_key(private, &point, &[]), value_key(private, &point, open)] {
        let signed = pqc::signature(&mut mechanism(CKM_SHA256_HMAC), mac, b"message").unwrap();
        assert_eq!(pqc::verify(&mut mechanism(CKM_SHA256_HMAC), mac, b"message", &signed), CKR_OK);
    }
    assert_eq!(value(ecdh(CKD_NULL, b"", &[4; 65]), private, 32), Err(CKR_MECHANISM_PARAM_INVALID));
    let log = fixture.service.log();
    assert!(!log.contains("is not what was written") && !log.contains("event=\"damage\""), "{log}");
}

/// A key that makes HMACs.
fn value_key(private: CK_OBJECT_HANDLE, point: &[u8], more: &Attributes<'_>) -> CK_OBJECT_HANDLE {
    let len = number(32);
    let template: &Attributes<'_> = &[(CKA_VALUE_LEN, &len), (CKA_SIGN, YES), (CKA_VERIFY, YES)];
    derive(ecdh(CKD_SHA256_KDF, b"", point), private, &[template, more].concat()).unwrap()
}
