//! Keys that are made or brought: their attributes, and what of them may be read.

use super::*;

pub(crate) const YES: &[u8] = &[1];
pub(crate) const NO: &[u8] = &[0];

pub(crate) fn number(value: CK_ULONG) -> [u8; 8] {
    value.to_ne_bytes()
}

/// C_GetAttributeValue for one attribute.
pub(crate) fn read(object: CK_OBJECT_HANDLE, kind: CK_ATTRIBUTE_TYPE) -> Result<Vec<u8>, CK_RV> {
    let mut value = vec![0; 4096];
    let mut template = [attribute(kind, &value)];
    template[0].pValue = value.as_mut_ptr().cast();
    match call!(C_GetAttributeValue(open(0), object, template.as_mut_ptr(), 1)) {
        CKR_OK => {
            value.truncate(usize::try_from(template[0].ulValueLen).unwrap());
            Ok(value)
        }
        rv => Err(rv),
    }
}

/// C_GenerateKey with these attributes, on the token.
pub(crate) fn secret(kind: CK_MECHANISM_TYPE, attributes: &[(CK_ATTRIBUTE_TYPE, &[u8])]) -> Result<CK_OBJECT_HANDLE, CK_RV> {
    let mut template = vec![attribute(CKA_TOKEN, YES)];
    template.extend(attributes.iter().map(|(kind, value)| attribute(*kind, value)));
    let (len, mut key) = (template.len() as CK_ULONG, 0);
    let session = open(CKF_RW_SESSION);
    match call!(C_GenerateKey(session, &mut mechanism(kind), template.as_mut_ptr(), len, &raw mut key)) {
        CKR_OK => Ok(key),
        rv => Err(rv),
    }
}

/// C_CreateObject with these attributes, on the token.
pub(crate) fn create(attributes: &[(CK_ATTRIBUTE_TYPE, &[u8])]) -> Result<CK_OBJECT_HANDLE, CK_RV> {
    let mut template = vec![attribute(CKA_TOKEN, YES)];
    template.extend(attributes.iter().map(|(kind, value)| attribute(*kind, value)));
    let (len, mut object) = (template.len() as CK_ULONG, 0);
    let session = open(CKF_RW_SESSION);
    match call!(C_CreateObject(session, template.as_mut_ptr(), len, &raw mut object)) {
        CKR_OK => Ok(object),
        rv => Err(rv),
    }
}

#[test]
fn generated_secret_keys_know_their_past() {
    let _fixture = Fixture::new();
    let len = number(32);
    let key = secret(CKM_AES_KEY_GEN, &[(CKA_VALUE_LEN, &len), (CKA_LABEL, b"aes")]).unwrap();
    for (kind, value) in [
        (CKA_CLASS, &number(CKO_SECRET_KEY)[..]),
        (CKA_KEY_TYPE, &number(CKK_AES)),
        (CKA_VALUE_LEN, &len),
        (CKA_LABEL, b"aes"),
        (CKA_KEY_GEN_MECHANISM, &number(CKM_AES_KEY_GEN)),
        (CKA_LOCAL, YES),
        (CKA_SENSITIVE, YES),
        (CKA_EXTRACTABLE, NO),
        (CKA_ALWAYS_SENSITIVE, YES),
        (CKA_NEVER_EXTRACTABLE, YES),
    ] {
        assert_eq!(read(key, kind).as_deref(), Ok(value), "{kind:#x}");
    }
    assert_eq!(read(key, CKA_VALUE), Err(CKR_ATTRIBUTE_SENSITIVE));
    let odd = number(20);
    let refused = secret(CKM_AES_KEY_GEN, &[(CKA_VALUE_LEN, &odd)]);
    assert_eq!(refused, Err(CKR_KEY_SIZE_RANGE));
    assert_eq!(secret(CKM_AES_KEY_GEN, &[]), Err(CKR_TEMPLATE_INCOMPLETE));
    let mac = secret(CKM_GENERIC_SECRET_KEY_GEN, &[(CKA_VALUE_LEN, &odd)]).unwrap();
    assert_eq!(read(mac, CKA_SIGN).as_deref(), Ok(YES));
    secret(CKM_CHACHA20_KEY_GEN, &[]).unwrap();
}

#[test]
fn values_leave_only_where_the_template_said_so() {
    let _fixture = Fixture::new();
    let (class, kind) = (number(CKO_SECRET_KEY), number(CKK_AES));
    let key = |sensitive, extractable| {
        let template = [
            (CKA_CLASS, &class[..]),
            (CKA_KEY_TYPE, &kind),
            (CKA_VALUE, &[7; 16]),
            (CKA_SENSITIVE, sensitive),
            (CKA_EXTRACTABLE, extractable),
        ];
        create(&template).unwrap()
    };
    let open = key(NO, YES);
    assert_eq!(read(open, CKA_VALUE).as_deref(), Ok(&[7; 16][..]));
    for (sensitive, extractable) in [(YES, YES), (NO, NO), (YES, NO)] {
        let key = key(sensitive, extractable);
        assert_eq!(read(key, CKA_VALUE), Err(CKR_ATTRIBUTE_SENSITIVE));
        assert_eq!(read(key, CKA_SENSITIVE).as_deref(), Ok(sensitive));
        assert_eq!(read(key, CKA_EXTRACTABLE).as_deref(), Ok(extractable));
        for past in [CKA_LOCAL, CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE] {
            assert_eq!(read(key, past).as_deref(), Ok(NO), "brought from outside");
        }
    }
}

#[test]
fn a_private_key_that_is_brought_signs() {
    let _fixture = Fixture::new();
    let (class, kind) = (number(CKO_PRIVATE_KEY), number(CKK_EC));
    let mut template = vec![(CKA_CLASS, &class[..]), (CKA_KEY_TYPE, &kind), (CKA_EC_PARAMS, P256)];
    assert_eq!(create(&template), Err(CKR_TEMPLATE_INCOMPLETE));
    template.push((CKA_VALUE, &[0; 32]));
    assert_eq!(create(&template), Err(CKR_ATTRIBUTE_VALUE_INVALID));
    template[3] = (CKA_VALUE, &[1]);
    let key = create(&template).unwrap();
    // the scalar 1 makes the generator
    let point = read(key, CKA_EC_POINT).unwrap();
    assert_eq!(point[..7], [4, 65, 4, 0x6b, 0x17, 0xd1, 0xf2]);
    assert_eq!(sign(open(0), key).unwrap().len(), 64);
}

/// No half of a pair does the other's part, as in SoftHSM, whose halves have no attribute that permits it.
#[test]
fn each_half_does_its_own_part() {
    let _fixture = Fixture::new();
    let (bits, session) = (number(2048), open(CKF_RW_SESSION));
    let uses: &[(CK_ATTRIBUTE_TYPE, &[u8])] = &[(CKA_SIGN, YES), (CKA_DECRYPT, YES), (CKA_UNWRAP, YES)];
    let [public, private] = pqc::pair(CKM_RSA_PKCS_KEY_PAIR_GEN, &[(CKA_MODULUS_BITS, &bits)], uses).unwrap();
    let mut pkcs = mechanism(CKM_RSA_PKCS);
    for (key, other) in [(public, private), (private, public)] {
        for (own, begun) in [
            (public, call!(C_VerifyInit(session, &mut pkcs, key))),
            (public, call!(C_VerifyRecoverInit(session, &mut pkcs, key))),
            (public, call!(C_EncryptInit(session, &mut pkcs, key))),
            (private, call!(C_SignInit(session, &mut pkcs, key))),
            (private, call!(C_SignRecoverInit(session, &mut pkcs, key))),
            (private, call!(C_DecryptInit(session, &mut pkcs, key))),
        ] {
            assert_eq!(begun, if own == key { CKR_OK } else { CKR_KEY_FUNCTION_NOT_PERMITTED }, "{key} {other}");
        }
        assert_eq!(call3!(C_SessionCancel(session, CK_FLAGS::MAX)), CKR_OK);
    }
    let leaving = wrap::aes(&[(CKA_EXTRACTABLE, YES), (CKA_SENSITIVE, NO)]);
    assert_eq!(wrap::wrap(pkcs, private, leaving), Err(CKR_KEY_FUNCTION_NOT_PERMITTED));
    let (class, kind) = (number(CKO_SECRET_KEY), number(CKK_AES));
    let wrapped = wrap::wrap(pkcs, public, leaving).unwrap();
    let unwrapped = wrap::unwrap(pkcs, public, &wrapped, &[(CKA_CLASS, &class), (CKA_KEY_TYPE, &kind)]);
    assert_eq!(unwrapped, Err(CKR_KEY_FUNCTION_NOT_PERMITTED));
}
