//! ML-DSA and ML-KEM of PKCS#11 3.2, and X25519.

use super::crypt::with;
use super::keys::{NO, YES, create, number, read};
use super::*;

const SETS: [CK_ULONG; 3] = [CKP_ML_DSA_44, CKP_ML_DSA_65, CKP_ML_DSA_87];

pub(crate) type Pair = [CK_OBJECT_HANDLE; 2];

/// A pair of the token: its public and its private key.
pub(crate) fn pair(
    generator: CK_MECHANISM_TYPE,
    public: &[(CK_ATTRIBUTE_TYPE, &[u8])],
    private: &[(CK_ATTRIBUTE_TYPE, &[u8])],
) -> Result<Pair, CK_RV> {
    let entries = |given: &[(CK_ATTRIBUTE_TYPE, &[u8])]| -> Vec<_> {
        given.iter().chain(&[(CKA_TOKEN, YES)]).map(|(kind, value)| attribute(*kind, value)).collect()
    };
    let (mut public, mut private) = (entries(public), entries(private));
    let [public_len, private_len] = [public.len(), private.len()].map(|len| len as CK_ULONG);
    let [mut public_key, mut private_key] = [0; 2];
    let rv = call!(C_GenerateKeyPair(
        open(CKF_RW_SESSION),
        &mut mechanism(generator),
        public.as_mut_ptr(),
        public_len,
        private.as_mut_ptr(),
        private_len,
        &raw mut public_key,
        &raw mut private_key,
    ));
    if rv == CKR_OK { Ok([public_key, private_key]) } else { Err(rv) }
}

pub(crate) fn signature(mechanism: &mut CK_MECHANISM, key: CK_OBJECT_HANDLE, data: &[u8]) -> Result<Vec<u8>, CK_RV> {
    let session = open(0);
    let (data, len, mut signed_len) = (data.as_ptr().cast_mut(), data.len() as CK_ULONG, 0);
    let begun = call!(C_SignInit(session, mechanism, key));
    if begun != CKR_OK {
        return Err(begun);
    }
    assert_eq!(call!(C_Sign(session, data, len, null_mut(), &raw mut signed_len)), CKR_OK);
    let mut signed = vec![0; usize::try_from(signed_len).unwrap()];
    match call!(C_Sign(session, data, len, signed.as_mut_ptr(), &raw mut signed_len)) {
        CKR_OK => {
            assert_eq!(signed_len, signed.len() as CK_ULONG, "the length was told beforehand");
            Ok(signed)
        }
        rv => Err(rv),
    }
}

pub(crate) fn verify(mechanism: &mut CK_MECHANISM, key: CK_OBJECT_HANDLE, data: &[u8], signature: &[u8]) -> CK_RV {
    let session = open(0);
    assert_eq!(call!(C_VerifyInit(session, mechanism, key)), CKR_OK);
    let (data, len) = (data.as_ptr().cast_mut(), data.len() as CK_ULONG);
    call!(C_Verify(session, data, len, signature.as_ptr().cast_mut(), signature.len() as CK_ULONG))
}

fn context(hedge: CK_HEDGE_TYPE, context: &[u8]) -> CK_SIGN_ADDITIONAL_CONTEXT {
    let (bytes, len) = (context.as_ptr().cast_mut(), context.len() as CK_ULONG);
    CK_SIGN_ADDITIONAL_CONTEXT { hedgeVariant: hedge, pContext: bytes, ulContextLen: len }
}

#[test]
fn ml_dsa_signs_in_every_parameter_set() {
    let _fixture = Fixture::new();
    for (set, len) in SETS.into_iter().zip([2420, 3309, 4627]) {
        let set = number(set);
        let [public, private] = pair(CKM_ML_DSA_KEY_PAIR_GEN, &[(CKA_PARAMETER_SET, &set)], &[]).unwrap();
        let signed = signature(&mut mechanism(CKM_ML_DSA), private, b"message").unwrap();
        assert_eq!(signed.len(), len);
        assert_eq!(verify(&mut mechanism(CKM_ML_DSA), public, b"message", &signed), CKR_OK);
        assert_eq!(verify(&mut mechanism(CKM_ML_DSA), public, b"massage", &signed), CKR_SIGNATURE_INVALID);
        assert_eq!(verify(&mut mechanism(CKM_ML_DSA), public, b"message", &signed[1..]), CKR_SIGNATURE_LEN_RANGE);
        let hashed = verify(&mut mechanism(CKM_HASH_ML_DSA_SHA256), public, b"message", &signed);
        assert_eq!(hashed, CKR_SIGNATURE_INVALID, "a message and its hash are told apart");
    }
    assert_eq!(pair(CKM_ML_DSA_KEY_PAIR_GEN, &[], &[]), Err(CKR_TEMPLATE_INCOMPLETE));
    let unknown = pair(CKM_ML_DSA_KEY_PAIR_GEN, &[(CKA_PARAMETER_SET, &number(4))], &[]);
    assert_eq!(unknown, Err(CKR_PARAMETER_SET_NOT_SUPPORTED));
}

#[test]
fn a_context_and_a_hedge_are_honoured_or_refused() {
    let _fixture = Fixture::new();
    let set = number(CKP_ML_DSA_44);
    let [public, private] = pair(CKM_ML_DSA_KEY_PAIR_GEN, &[(CKA_PARAMETER_SET, &set)], &[]).unwrap();
    let mail = context(CKH_HEDGE_REQUIRED, b"mail");
    let signed = signature(&mut with(CKM_ML_DSA, &mail), private, b"message").unwrap();
    assert_eq!(verify(&mut with(CKM_ML_DSA, &mail), public, b"message", &signed), CKR_OK);
    assert_eq!(verify(&mut mechanism(CKM_ML_DSA), public, b"message", &signed), CKR_SIGNATURE_INVALID);
    let deterministic = context(CKH_DETERMINISTIC_REQUIRED, b"mail");
    let refused = signature(&mut with(CKM_ML_DSA, &deterministic), private, b"message");
    assert_eq!(refused, Err(CKR_MECHANISM_PARAM_INVALID), "the library signs with fresh randomness only");
    assert_eq!(verify(&mut with(CKM_ML_DSA, &deterministic), public, b"message", &signed), CKR_OK);
    let long = context(CKH_HEDGE_PREFERRED, &[0; 256]);
    assert_eq!(signature(&mut with(CKM_ML_DSA, &long), private, b"m"), Err(CKR_MECHANISM_PARAM_INVALID));
}

#[test]
fn a_hash_may_be_made_here_or_by_the_caller() {
    let _fixture = Fixture::new();
    let set = number(CKP_ML_DSA_65);
    let [public, private] = pair(CKM_ML_DSA_KEY_PAIR_GEN, &[(CKA_PARAMETER_SET, &set)], &[]).unwrap();
    let signed = signature(&mut mechanism(CKM_HASH_ML_DSA_SHA256), private, b"abc").unwrap();
    let hash = [
        0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3,
        0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad,
    ];
    let mut given = CK_HASH_SIGN_ADDITIONAL_CONTEXT {
        hedgeVariant: CKH_HEDGE_PREFERRED,
        pContext: null_mut(),
        ulContextLen: 0,
        hash: CKM_SHA256,
    };
    assert_eq!(verify(&mut with(CKM_HASH_ML_DSA, &given), public, &hash, &signed), CKR_OK);
    assert_eq!(verify(&mut with(CKM_HASH_ML_DSA, &given), public, &hash[1..], &signed), CKR_DATA_LEN_RANGE);
    given.hash = CKM_ML_DSA;
    let unknown = signature(&mut with(CKM_HASH_ML_DSA, &given), private, &hash);
    assert_eq!(unknown, Err(CKR_MECHANISM_PARAM_INVALID));
    assert_eq!(signature(&mut mechanism(CKM_HASH_ML_DSA), private, &hash), Err(CKR_MECHANISM_PARAM_INVALID));
}

#[test]
fn the_attributes_of_post_quantum_keys_are_those_of_the_standard() {
    let _fixture = Fixture::new();
    for (generator, kind, len, uses) in [
        (CKM_ML_DSA_KEY_PAIR_GEN, CKK_ML_DSA, 1952, [(CKA_VERIFY, CKA_SIGN, YES), (CKA_ENCAPSULATE, CKA_DECAPSULATE, NO)]),
        (CKM_ML_KEM_KEY_PAIR_GEN, CKK_ML_KEM, 1184, [(CKA_VERIFY, CKA_SIGN, NO), (CKA_ENCAPSULATE, CKA_DECAPSULATE, YES)]),
    ] {
        let set = number(CKP_ML_KEM_768);
        let [public, private] = pair(generator, &[(CKA_PARAMETER_SET, &set)], &[]).unwrap();
        for key in [public, private] {
            assert_eq!(read(key, CKA_KEY_TYPE), Ok(number(kind).to_vec()));
            assert_eq!(read(key, CKA_PARAMETER_SET), Ok(set.to_vec()));
            assert_eq!(read(key, CKA_KEY_GEN_MECHANISM), Ok(number(generator).to_vec()));
            assert_eq!(read(key, CKA_EC_PARAMS), Err(CKR_ATTRIBUTE_TYPE_INVALID));
        }
        assert_eq!(read(public, CKA_VALUE).unwrap().len(), len);
        assert_eq!(read(public, CKA_PUBLIC_KEY_INFO).unwrap().len(), len + 22);
        for secret in [CKA_VALUE, CKA_SEED] {
            assert_eq!(read(private, secret), Err(CKR_ATTRIBUTE_SENSITIVE));
        }
        for (of_public, of_private, expected) in uses {
            assert_eq!(read(public, of_public).as_deref(), Ok(expected), "{of_public:#x}");
            assert_eq!(read(private, of_private).as_deref(), Ok(expected), "{of_private:#x}");
        }
        assert_eq!(read(private, CKA_DECRYPT).as_deref(), Ok(NO));
    }
}

#[test]
fn a_seed_and_a_public_value_make_the_same_key_again() {
    let _fixture = Fixture::new();
    let set = number(CKP_ML_DSA_44);
    let open_value = [(CKA_EXTRACTABLE, YES), (CKA_SENSITIVE, NO)];
    let [public, private] = pair(CKM_ML_DSA_KEY_PAIR_GEN, &[(CKA_PARAMETER_SET, &set)], &open_value).unwrap();
    let (seed, value) = (read(private, CKA_SEED).unwrap(), read(public, CKA_VALUE).unwrap());
    assert_eq!(seed.len(), 32);
    assert_eq!(read(private, CKA_VALUE), Err(CKR_ATTRIBUTE_TYPE_INVALID), "it is kept as its seed");
    let (private_class, public_class, kind) = (number(CKO_PRIVATE_KEY), number(CKO_PUBLIC_KEY), number(CKK_ML_DSA));
    let again = create(&[(CKA_CLASS, &private_class), (CKA_KEY_TYPE, &kind), (CKA_PARAMETER_SET, &set), (CKA_SEED, &seed)]);
    let verifier = create(&[(CKA_CLASS, &public_class), (CKA_KEY_TYPE, &kind), (CKA_PARAMETER_SET, &set), (CKA_VALUE, &value)]);
    let signed = signature(&mut mechanism(CKM_ML_DSA), again.unwrap(), b"message").unwrap();
    for key in [public, verifier.unwrap()] {
        assert_eq!(verify(&mut mechanism(CKM_ML_DSA), key, b"message", &signed), CKR_OK);
    }
    let short = create(&[(CKA_CLASS, &private_class), (CKA_KEY_TYPE, &kind), (CKA_PARAMETER_SET, &set), (CKA_SEED, &seed[1..])]);
    assert_eq!(short, Err(CKR_ATTRIBUTE_VALUE_INVALID));
    let unnamed = create(&[(CKA_CLASS, &private_class), (CKA_KEY_TYPE, &kind), (CKA_SEED, &seed)]);
    assert_eq!(unnamed, Err(CKR_TEMPLATE_INCOMPLETE));
}

/// RFC 8410 §3 has the identifier, PKCS#11 §6.3.3 the name.
const X25519: [&[u8]; 2] = [b"\x06\x03\x2b\x65\x6e", b"\x13\x0acurve25519"];

#[test]
fn x25519_keys_are_named_by_identifier_and_by_name() {
    let _fixture = Fixture::new();
    for params in X25519 {
        let [public, private] = pair(CKM_EC_MONTGOMERY_KEY_PAIR_GEN, &[(CKA_EC_PARAMS, params)], &[(CKA_DERIVE, YES)]).unwrap();
        for key in [public, private] {
            assert_eq!(read(key, CKA_KEY_TYPE), Ok(number(CKK_EC_MONTGOMERY).to_vec()));
            assert_eq!(read(key, CKA_EC_PARAMS).as_deref(), Ok(X25519[0]));
        }
        let point = read(public, CKA_EC_POINT).unwrap();
        assert_eq!((point.len(), &point[..2]), (34, &[4, 32][..]));
        assert_eq!(read(private, CKA_DERIVE).as_deref(), Ok(YES));
        assert_eq!(read(private, CKA_SIGN).as_deref(), Ok(NO));
    }
    let curve = b"\x13\x0cedwards25519";
    assert_eq!(pair(CKM_EC_MONTGOMERY_KEY_PAIR_GEN, &[(CKA_EC_PARAMS, curve)], &[]), Err(CKR_CURVE_NOT_SUPPORTED));
}

/// A secret that may be read, so that both sides can be compared.
pub(crate) const READABLE: &[(CK_ATTRIBUTE_TYPE, &[u8])] = &[(CKA_TOKEN, YES), (CKA_EXTRACTABLE, YES), (CKA_SENSITIVE, NO)];

pub(crate) fn encapsulate(
    key: CK_OBJECT_HANDLE,
    template: &[(CK_ATTRIBUTE_TYPE, &[u8])],
) -> Result<(Vec<u8>, CK_OBJECT_HANDLE), CK_RV> {
    let mut entries: Vec<_> = template.iter().map(|(kind, value)| attribute(*kind, value)).collect();
    let (template, count) = (entries.as_mut_ptr(), entries.len() as CK_ULONG);
    let (session, mut kem, mut len, mut secret) = (open(CKF_RW_SESSION), mechanism(CKM_ML_KEM), 0, 0);
    let asked = call3!(C_EncapsulateKey(session, &mut kem, key, template, count, null_mut(), &raw mut len, &raw mut secret));
    if asked != CKR_OK {
        return Err(asked);
    }
    assert_eq!(secret, 0, "a length query makes no key");
    let mut ciphertext = vec![0; usize::try_from(len).unwrap()];
    let out = ciphertext.as_mut_ptr();
    let made = call3!(C_EncapsulateKey(session, &mut kem, key, template, count, out, &raw mut len, &raw mut secret));
    if made == CKR_OK { Ok((ciphertext, secret)) } else { Err(made) }
}

pub(crate) fn decapsulate(
    key: CK_OBJECT_HANDLE,
    template: &[(CK_ATTRIBUTE_TYPE, &[u8])],
    ciphertext: &[u8],
) -> Result<CK_OBJECT_HANDLE, CK_RV> {
    let mut entries: Vec<_> = template.iter().map(|(kind, value)| attribute(*kind, value)).collect();
    let (template, count) = (entries.as_mut_ptr(), entries.len() as CK_ULONG);
    let (data, len) = (ciphertext.as_ptr().cast_mut(), ciphertext.len() as CK_ULONG);
    let (session, mut secret) = (open(CKF_RW_SESSION), 0);
    let mut kem = mechanism(CKM_ML_KEM);
    match call3!(C_DecapsulateKey(session, &mut kem, key, template, count, data, len, &raw mut secret)) {
        CKR_OK => Ok(secret),
        rv => Err(rv),
    }
}

#[test]
fn both_sides_of_an_encapsulation_have_the_same_key() {
    let _fixture = Fixture::new();
    for (set, len) in [CKP_ML_KEM_512, CKP_ML_KEM_768, CKP_ML_KEM_1024].into_iter().zip([768, 1088, 1568]) {
        let set = number(set);
        let [public, private] = pair(CKM_ML_KEM_KEY_PAIR_GEN, &[(CKA_PARAMETER_SET, &set)], &[]).unwrap();
        let (ciphertext, theirs) = encapsulate(public, READABLE).unwrap();
        assert_eq!(ciphertext.len(), len);
        let value = |key| read(key, CKA_VALUE).unwrap();
        let ours = decapsulate(private, READABLE, &ciphertext).unwrap();
        assert_eq!(value(ours), value(theirs));
        assert_eq!(value(ours).len(), 32);
        assert_eq!(read(ours, CKA_LOCAL).as_deref(), Ok(NO));
        let mut forged = ciphertext.clone();
        forged[7] ^= 1;
        assert_ne!(value(decapsulate(private, READABLE, &forged).unwrap()), value(theirs));
        assert_eq!(decapsulate(private, READABLE, &ciphertext[1..]), Err(CKR_WRAPPED_KEY_LEN_RANGE));
    }
}

#[test]
fn an_encapsulated_key_is_what_the_template_asks_for() {
    let _fixture = Fixture::new();
    let set = number(CKP_ML_KEM_768);
    let [public, private] = pair(CKM_ML_KEM_KEY_PAIR_GEN, &[(CKA_PARAMETER_SET, &set)], &[]).unwrap();
    let (aes, short, long) = (number(CKK_AES), number(16), number(32));
    let template = [(CKA_TOKEN, YES), (CKA_KEY_TYPE, &aes[..]), (CKA_VALUE_LEN, &long)];
    let (ciphertext, key) = encapsulate(public, &template).unwrap();
    assert_eq!(read(key, CKA_KEY_TYPE).as_deref(), Ok(&aes[..]));
    assert_eq!(read(key, CKA_VALUE), Err(CKR_ATTRIBUTE_SENSITIVE));
    decapsulate(private, &template, &ciphertext).unwrap();
    let cut = [(CKA_TOKEN, YES), (CKA_KEY_TYPE, &aes[..]), (CKA_VALUE_LEN, &short)];
    assert_eq!(encapsulate(public, &cut), Err(CKR_KEY_SIZE_RANGE), "the secret is not cut");
    assert_eq!(encapsulate(public, &[(CKA_TOKEN, YES), (CKA_VALUE, &[7; 32])]), Err(CKR_TEMPLATE_INCONSISTENT));
    let signer = number(CKP_ML_DSA_44);
    let [public, _] = pair(CKM_ML_DSA_KEY_PAIR_GEN, &[(CKA_PARAMETER_SET, &signer)], &[]).unwrap();
    assert_eq!(encapsulate(public, READABLE), Err(CKR_KEY_TYPE_INCONSISTENT));
    let only = [(CKA_PARAMETER_SET, &set[..]), (CKA_ENCAPSULATE, NO)];
    let [public, private] = pair(CKM_ML_KEM_KEY_PAIR_GEN, &only, &[]).unwrap();
    assert_eq!(encapsulate(public, READABLE), Err(CKR_KEY_FUNCTION_NOT_PERMITTED));
    assert_eq!(read(public, CKA_ENCAPSULATE).as_deref(), Ok(NO));
    decapsulate(private, READABLE, &ciphertext).unwrap();
}

#[test]
fn two_x25519_keys_derive_the_same_secret() {
    let _fixture = Fixture::new();
    let made = || pair(CKM_EC_MONTGOMERY_KEY_PAIR_GEN, &[(CKA_EC_PARAMS, X25519[0])], &[(CKA_DERIVE, YES)]).unwrap();
    let [ours, theirs] = [made(), made()];
    let derive = |private, public| {
        // with and without the OCTET STRING around it
        let point = read(public, CKA_EC_POINT).unwrap();
        [&point[..], &point[2..]].map(|point| {
            let params = CK_ECDH1_DERIVE_PARAMS {
                kdf: CKD_NULL,
                ulSharedDataLen: 0,
                pSharedData: null_mut(),
                ulPublicDataLen: point.len() as CK_ULONG,
                pPublicData: point.as_ptr().cast_mut(),
            };
            let mut template: Vec<_> = READABLE.iter().map(|(kind, value)| attribute(*kind, value)).collect();
            let (entries, count, mut key) = (template.as_mut_ptr(), template.len() as CK_ULONG, 0);
            let mut ecdh = with(CKM_ECDH1_DERIVE, &params);
            let derived = call!(C_DeriveKey(open(CKF_RW_SESSION), &mut ecdh, private, entries, count, &raw mut key));
            assert_eq!(derived, CKR_OK);
            read(key, CKA_VALUE).unwrap()
        })
    };
    let [with_header, bare] = derive(ours[1], theirs[0]);
    assert_eq!(with_header, bare);
    assert_eq!(derive(theirs[1], ours[0])[0], bare);
    assert_eq!(bare.len(), 32);
}
