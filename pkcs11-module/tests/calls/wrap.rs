//! Keys that leave and come back, with published vectors and every mechanism.

use super::crypt::with;
use super::keys::{NO, YES, create, number, read, secret};
use super::mechanisms::{lasting, oaep};
use super::*;

pub(crate) type Attributes<'a> = [(CK_ATTRIBUTE_TYPE, &'a [u8])];

/// C_WrapKey: a length query, a buffer that is too short, then the key.
pub(crate) fn wrap(mut mechanism: CK_MECHANISM, with: CK_OBJECT_HANDLE, key: CK_OBJECT_HANDLE) -> Result<Vec<u8>, CK_RV> {
    let (session, mut len) = (open(0), 0);
    let asked = call!(C_WrapKey(session, &mut mechanism, with, key, null_mut(), &raw mut len));
    if asked != CKR_OK {
        return Err(asked);
    }
    let mut wrapped = vec![0; usize::try_from(len).unwrap()];
    let mut short = len - 1;
    let refused = call!(C_WrapKey(session, &mut mechanism, with, key, wrapped.as_mut_ptr(), &raw mut short));
    assert_eq!((refused, short), (CKR_BUFFER_TOO_SMALL, len));
    let done = call!(C_WrapKey(session, &mut mechanism, with, key, wrapped.as_mut_ptr(), &raw mut len));
    assert_eq!((done, len), (CKR_OK, wrapped.len() as CK_ULONG));
    Ok(wrapped)
}

/// C_UnwrapKey with these attributes, on the token.
pub(crate) fn unwrap(
    mut mechanism: CK_MECHANISM,
    with: CK_OBJECT_HANDLE,
    wrapped: &[u8],
    attributes: &Attributes<'_>,
) -> Result<CK_OBJECT_HANDLE, CK_RV> {
    let mut template = vec![attribute(CKA_TOKEN, YES)];
    template.extend(attributes.iter().map(|(kind, value)| attribute(*kind, value)));
    let (session, mut wrapped, mut key) = (open(CKF_RW_SESSION), wrapped.to_vec(), 0);
    let (len, count) = (wrapped.len() as CK_ULONG, template.len() as CK_ULONG);
    let start = wrapped.as_mut_ptr();
    match call!(C_UnwrapKey(session, &mut mechanism, with, start, len, template.as_mut_ptr(), count, &raw mut key)) {
        CKR_OK => Ok(key),
        rv => Err(rv),
    }
}

/// An AES key of 256 bits that was made on the token.
pub(crate) fn aes(attributes: &Attributes<'_>) -> CK_OBJECT_HANDLE {
    let len = number(32);
    secret(CKM_AES_KEY_GEN, &[&[(CKA_VALUE_LEN, &len[..])], attributes].concat()).unwrap()
}

/// A key for wrapping and unwrapping alone.
pub(crate) fn wrapping_key() -> CK_OBJECT_HANDLE {
    aes(&[(CKA_WRAP, YES), (CKA_UNWRAP, YES)])
}

/// A secret key that is brought, readable.
fn known(kind: CK_KEY_TYPE, value: &[u8], attributes: &Attributes<'_>) -> CK_OBJECT_HANDLE {
    let (class, kind) = (number(CKO_SECRET_KEY), number(kind));
    let own: &Attributes<'_> =
        &[(CKA_CLASS, &class), (CKA_KEY_TYPE, &kind), (CKA_VALUE, value), (CKA_SENSITIVE, NO), (CKA_EXTRACTABLE, YES)];
    create(&[own, attributes].concat()).unwrap()
}

/// RFC 3394 §4.6 and RFC 5649 §6.
#[test]
fn published_vectors_of_key_wrap() {
    let _fixture = Fixture::new();
    let key: Vec<u8> = (0..32).collect();
    let data = [0x0011_2233_4455_6677_8899_aabb_ccdd_eeff_u128, 0x0001_0203_0405_0607_0809_0a0b_0c0d_0e0f];
    let data = data.map(u128::to_be_bytes).concat();
    let wrapped = b"\x28\xc9\xf4\x04\xc4\xb8\x10\xf4\xcb\xcc\xb3\x5c\xfb\x87\xf8\x26\x3f\x57\x86\xe2\xd8\x0e\xd3\x26\
        \xcb\xc7\xf0\xe7\x1a\x99\xf4\x3b\xfb\x98\x8b\x9b\x7a\x02\xdd\x21";
    let both: &Attributes<'_> = &[(CKA_WRAP, YES), (CKA_UNWRAP, YES), (CKA_DECRYPT, YES)];
    let with_key = known(CKK_AES, &key, both);
    let leaving = known(CKK_GENERIC_SECRET, &data, &[]);
    assert_eq!(wrap(mechanism(CKM_AES_KEY_WRAP), with_key, leaving).unwrap(), wrapped);
    let initial = with(CKM_AES_KEY_WRAP, &[0xa6_u8; 8]);
    assert_eq!(wrap(initial, with_key, leaving).unwrap(), wrapped);
    let other = with(CKM_AES_KEY_WRAP, &[0xa7_u8; 8]);
    assert_eq!(wrap(other, with_key, leaving), Err(CKR_MECHANISM_PARAM_INVALID));
    let back = unwrap(mechanism(CKM_AES_KEY_WRAP), with_key, wrapped, &readable(CKK_GENERIC_SECRET)).unwrap();
    assert_eq!(read(back, CKA_VALUE).as_deref(), Ok(&data[..]));

    let key = b"\x58\x40\xdf\x6e\x29\xb0\x2a\xf1\xab\x49\x3b\x70\x5b\xf1\x6e\xa1\xae\x83\x38\xf4\xdc\xc1\x76\xa8";
    let with_key = known(CKK_AES, key, both);
    let leaving = known(CKK_GENERIC_SECRET, b"ForPasi", &[]);
    let wrapped = b"\xaf\xbe\xb0\xf0\x7d\xfb\xf5\x41\x92\x00\xf2\xcc\xb5\x0b\xb2\x4f";
    assert_eq!(wrap(mechanism(CKM_AES_KEY_WRAP_KWP), with_key, leaving).unwrap(), wrapped);
    assert_eq!(wrap(mechanism(CKM_AES_KEY_WRAP), with_key, leaving), Err(CKR_KEY_SIZE_RANGE));
}

fn readable(kind: CK_KEY_TYPE) -> Vec<(CK_ATTRIBUTE_TYPE, &'static [u8])> {
    let number = |value: CK_ULONG| &*Box::leak(Box::new(value.to_ne_bytes()));
    let class = number(CKO_SECRET_KEY);
    vec![(CKA_CLASS, class), (CKA_KEY_TYPE, number(kind)), (CKA_SENSITIVE, NO), (CKA_EXTRACTABLE, YES)]
}

/// Key pairs with this right and no other for the two halves.
pub(crate) fn rsa(public: &Attributes<'_>, private: &Attributes<'_>) -> [CK_OBJECT_HANDLE; 2] {
    let bits = number(2048);
    pair(CKM_RSA_PKCS_KEY_PAIR_GEN, &[&[(CKA_MODULUS_BITS, &bits[..])], public].concat(), private)
}

pub(crate) fn pair(generator: CK_MECHANISM_TYPE, public: &Attributes<'_>, private: &Attributes<'_>) -> [CK_OBJECT_HANDLE; 2] {
    let list = |attributes: &Attributes<'_>| {
        let given = attributes.iter().map(|(kind, value)| attribute(*kind, value));
        [attribute(CKA_TOKEN, YES)].into_iter().chain(given).collect::<Vec<_>>()
    };
    let (mut public, mut private, mut keys) = (list(public), list(private), [0; 2]);
    let (public_count, private_count) = (public.len() as CK_ULONG, private.len() as CK_ULONG);
    let [public_key, private_key] = &mut keys;
    let made = call!(C_GenerateKeyPair(
        open(CKF_RW_SESSION),
        &mut mechanism(generator),
        public.as_mut_ptr(),
        public_count,
        private.as_mut_ptr(),
        private_count,
        public_key,
        private_key,
    ));
    assert_eq!(made, CKR_OK);
    keys
}

#[test]
fn secret_keys_travel_under_every_mechanism() {
    let _fixture = Fixture::new();
    let leaving = aes(&[(CKA_EXTRACTABLE, YES), (CKA_SENSITIVE, NO)]);
    let value = read(leaving, CKA_VALUE).unwrap();
    let [public, private] = rsa(&[(CKA_WRAP, YES)], &[(CKA_UNWRAP, YES), (CKA_DECRYPT, YES)]);
    let symmetric = aes(&[(CKA_WRAP, YES), (CKA_UNWRAP, YES), (CKA_DECRYPT, YES)]);
    for (mechanism, [there, back]) in [
        (mechanism(CKM_AES_KEY_WRAP), [symmetric; 2]),
        (mechanism(CKM_AES_KEY_WRAP_KWP), [symmetric; 2]),
        (lasting(CKM_AES_CBC_PAD, [3u8; 16]), [symmetric; 2]),
        (mechanism(CKM_RSA_PKCS), [public, private]),
        (oaep(CKM_RSA_PKCS_OAEP), [public, private]),
    ] {
        let mut wrapped = wrap(mechanism, there, leaving).unwrap();
        let came = unwrap(mechanism, back, &wrapped, &readable(CKK_AES)).unwrap();
        assert_eq!(read(came, CKA_VALUE).as_ref(), Ok(&value), "{:#x}", mechanism.mechanism);
        for past in [CKA_LOCAL, CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE] {
            assert_eq!(read(came, past).as_deref(), Ok(NO), "it came from outside");
        }
        assert_eq!(unwrap(mechanism, back, &wrapped[1..], &readable(CKK_AES)), Err(CKR_WRAPPED_KEY_LEN_RANGE));
        wrapped[9] ^= 1;
        wrapped[30] ^= 1;
        let changed = unwrap(mechanism, back, &wrapped, &readable(CKK_AES));
        match changed {
            // What is made up for a wrong padding may have the length of a key.
            Ok(made_up) if mechanism.mechanism == CKM_RSA_PKCS => assert_ne!(read(made_up, CKA_VALUE).as_ref(), Ok(&value)),
            changed => assert_eq!(changed, Err(CKR_WRAPPED_KEY_INVALID)),
        }
    }
}

#[test]
fn private_keys_travel_as_pkcs8_and_sign_again() {
    let _fixture = Fixture::new();
    let with = wrapping_key();
    let (class, kind) = (number(CKO_PRIVATE_KEY), number(CKK_EC));
    let [public, private] = pair(
        CKM_EC_KEY_PAIR_GEN,
        &[(CKA_EC_PARAMS, b"\x06\x05\x2b\x81\x04\x00\x0a")],
        &[(CKA_SIGN, YES), (CKA_EXTRACTABLE, YES)],
    );
    let wrapped = wrap(mechanism(CKM_AES_KEY_WRAP_KWP), with, private).unwrap();
    assert_eq!(wrap(mechanism(CKM_AES_KEY_WRAP_KWP), with, public), Err(CKR_KEY_NOT_WRAPPABLE));
    let template: &Attributes<'_> = &[(CKA_CLASS, &class), (CKA_KEY_TYPE, &kind), (CKA_LABEL, b"back"), (CKA_SIGN, YES)];
    let back = unwrap(mechanism(CKM_AES_KEY_WRAP_KWP), with, &wrapped, template).unwrap();
    assert_eq!(read(back, CKA_EC_POINT), read(public, CKA_EC_POINT));
    assert_eq!(read(back, CKA_EC_PARAMS).as_deref(), Ok(&b"\x06\x05\x2b\x81\x04\x00\x0a"[..]), "the curve comes with the key");
    assert_eq!(read(back, CKA_LABEL).as_deref(), Ok(&b"back"[..]));
    assert_eq!(sign(open(0), back).unwrap().len(), 64);
    let rsa = number(CKK_RSA);
    let wrong = unwrap(mechanism(CKM_AES_KEY_WRAP_KWP), with, &wrapped, &[(CKA_CLASS, &class), (CKA_KEY_TYPE, &rsa)]);
    assert_eq!(wrong, Err(CKR_WRAPPED_KEY_INVALID));
}

#[test]
fn refusals_of_wrapping_say_which_key_is_at_fault() {
    let _fixture = Fixture::new();
    let kw = mechanism(CKM_AES_KEY_WRAP);
    let (with, plain) = (wrapping_key(), aes(&[(CKA_ENCRYPT, YES)]));
    let leaving = aes(&[(CKA_EXTRACTABLE, YES)]);
    let wrapped = wrap(kw, with, leaving).unwrap();
    let template = readable(CKK_AES);
    assert_eq!(wrap(kw, with, plain), Err(CKR_KEY_UNEXTRACTABLE));
    assert_eq!(wrap(kw, plain, leaving), Err(CKR_KEY_FUNCTION_NOT_PERMITTED));
    assert_eq!(wrap(kw, 9999, leaving), Err(CKR_WRAPPING_KEY_HANDLE_INVALID));
    assert_eq!(wrap(kw, with, 9999), Err(CKR_KEY_HANDLE_INVALID));
    assert_eq!(wrap(mechanism(CKM_RSA_PKCS), with, leaving), Err(CKR_WRAPPING_KEY_TYPE_INCONSISTENT));
    assert_eq!(wrap(mechanism(CKM_AES_CTR), with, leaving), Err(CKR_MECHANISM_INVALID));
    assert_eq!(unwrap(kw, 9999, &wrapped, &template), Err(CKR_UNWRAPPING_KEY_HANDLE_INVALID));
    assert_eq!(unwrap(kw, plain, &wrapped, &template), Err(CKR_KEY_FUNCTION_NOT_PERMITTED));
    assert_eq!(unwrap(mechanism(CKM_RSA_PKCS), with, &wrapped, &template), Err(CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT));
    assert_eq!(unwrap(kw, with, &wrapped, &template[1..]), Err(CKR_TEMPLATE_INCOMPLETE));
    let valued = [&template[..], &[(CKA_VALUE, &[7; 32][..])]].concat();
    assert_eq!(unwrap(kw, with, &wrapped, &valued), Err(CKR_TEMPLATE_INCONSISTENT));
    let len = number(16);
    let other = [&template[..], &[(CKA_VALUE_LEN, &len[..])]].concat();
    assert_eq!(unwrap(kw, with, &wrapped, &other), Err(CKR_TEMPLATE_INCONSISTENT));
    let nested = attribute(CKA_SENSITIVE, YES);
    let bytes: Vec<u8> = (nested.type_.to_ne_bytes().into_iter()).chain([0; 16]).collect();
    let bound = secret(CKM_AES_KEY_GEN, &[(CKA_VALUE_LEN, &number(32)), (CKA_UNWRAP, YES), (CKA_UNWRAP_TEMPLATE, &bytes)]);
    assert_eq!(bound, Err(CKR_TEMPLATE_INCONSISTENT));
}

/// CKM_AES_KEY_WRAP is an ordinary cipher too (PKCS#11 3.1 §6.13.9).
#[test]
fn key_wrap_encrypts_data() {
    let _fixture = Fixture::new();
    let key = aes(&[(CKA_ENCRYPT, YES), (CKA_DECRYPT, YES)]);
    for (kind, data) in [(CKM_AES_KEY_WRAP, &[7; 24][..]), (CKM_AES_KEY_WRAP_KWP, &[7; 21])] {
        let sealed = crypt::encrypt(mechanism(kind), key, data).unwrap();
        assert_eq!(sealed.len(), 32);
        assert_eq!(crypt::decrypt(mechanism(kind), key, &sealed).as_deref(), Ok(data));
        let mut wrong = sealed;
        wrong[0] ^= 1;
        assert_eq!(crypt::decrypt(mechanism(kind), key, &wrong), Err(CKR_ENCRYPTED_DATA_INVALID));
    }
    assert_eq!(crypt::encrypt(mechanism(CKM_AES_KEY_WRAP), key, &[7; 21]), Err(CKR_DATA_LEN_RANGE));
}

/// Keys for the session alone go with it, however they came about.
#[test]
fn unwrapped_and_derived_keys_may_be_the_sessions() {
    let _fixture = Fixture::new();
    let kw = mechanism(CKM_AES_KEY_WRAP);
    let with = wrapping_key();
    let wrapped = wrap(kw, with, aes(&[(CKA_EXTRACTABLE, YES)])).unwrap();
    let base = aes(&[(CKA_DERIVE, YES)]);
    let (session, len) = (open(0), number(16));
    let own: &Attributes<'_> = &[(CKA_TOKEN, NO), (CKA_VALUE_LEN, &len), (CKA_ENCRYPT, YES)];
    let list = |attributes: &Attributes<'_>| attributes.iter().map(|(kind, value)| attribute(*kind, value)).collect::<Vec<_>>();
    let mut template = list(&[&readable(CKK_AES)[..2], &[(CKA_TOKEN, NO), (CKA_ENCRYPT, YES)]].concat());
    let (mut kw, mut wrapped, mut came, mut derived) = (kw, wrapped, 0, 0);
    let (blob, blob_len) = (wrapped.as_mut_ptr(), wrapped.len() as CK_ULONG);
    let unwrapped = call!(C_UnwrapKey(session, &mut kw, with, blob, blob_len, template.as_mut_ptr(), 4, &raw mut came));
    assert_eq!(unwrapped, CKR_OK, "in a read-only session, too");
    let mut string = derive::string(CKM_AES_ECB_ENCRYPT_DATA, &[7; 16]);
    let mut template = list(&[&readable(CKK_AES)[..2], own].concat());
    assert_eq!(call!(C_DeriveKey(session, &mut string, base, template.as_mut_ptr(), 5, &raw mut derived)), CKR_OK);
    for key in [came, derived] {
        assert_eq!(read(key, CKA_TOKEN).as_deref(), Ok(NO));
        assert_eq!(crypt::encrypt(mechanism(CKM_AES_ECB), key, &[7; 16]).unwrap().len(), 16);
    }
    assert_eq!(call!(C_CloseSession(session)), CKR_OK);
    for key in [came, derived] {
        assert_eq!(read(key, CKA_TOKEN), Err(CKR_OBJECT_HANDLE_INVALID));
    }
}
