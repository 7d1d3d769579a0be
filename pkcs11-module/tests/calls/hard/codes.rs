//! The return code that tells exactly what was wrong, one row each.

use std::ptr::null_mut;

use cryptoki_sys::*;
use parsec_pkcs11::C_GetFunctionList;

use super::{Fixture, attribute, generate, mechanism, open, sign};
use crate::crypt::with;
use crate::keys::{YES, create, number};

struct Keys {
    session: CK_SESSION_HANDLE,
    public: CK_OBJECT_HANDLE,
    private: CK_OBJECT_HANDLE,
    aes: CK_OBJECT_HANDLE,
    data: CK_OBJECT_HANDLE,
}

impl Keys {
    fn new() -> Self {
        let session = open(CKF_RW_SESSION);
        let [public, private] = generate(session, true).unwrap();
        // a key of its own value: what a random one decrypts now and then ends like padding
        let (class, kind) = (number(CKO_SECRET_KEY), number(CKK_AES));
        let aes =
            create(&[(CKA_CLASS, &class), (CKA_KEY_TYPE, &kind), (CKA_VALUE, &[3; 16]), (CKA_ENCRYPT, YES), (CKA_DECRYPT, YES)]);
        let aes = aes.unwrap();
        let data = create(&[(CKA_CLASS, &number(CKO_DATA)), (CKA_VALUE, b"note")]).unwrap();
        Self { session, public, private, aes, data }
    }

    fn sign(&self, mut mechanism: CK_MECHANISM, key: CK_OBJECT_HANDLE, data: usize) -> CK_RV {
        let (mut data, mut out, mut out_len) = (vec![7; data], [0; 512], 512);
        match call!(C_SignInit(self.session, &mut mechanism, key)) {
            CKR_OK => {}
            code => return code,
        }
        call!(C_Sign(self.session, data.as_mut_ptr(), data.len() as CK_ULONG, out.as_mut_ptr(), &raw mut out_len))
    }

    fn verify(&self, signature: &mut [u8]) -> CK_RV {
        let (mut data, len) = ([7; 32], signature.len() as CK_ULONG);
        assert_eq!(call!(C_VerifyInit(self.session, &mut mechanism(CKM_ECDSA), self.public)), CKR_OK);
        call!(C_Verify(self.session, data.as_mut_ptr(), 32, signature.as_mut_ptr(), len))
    }

    fn crypt(&self, encrypt: bool, mut mechanism: CK_MECHANISM, key: CK_OBJECT_HANDLE, data: usize) -> CK_RV {
        let (mut data, mut out, mut out_len) = (vec![7; data], [0; 512], 512);
        let (data, len, out) = (data.as_mut_ptr(), data.len() as CK_ULONG, out.as_mut_ptr());
        let begun = if encrypt {
            call!(C_EncryptInit(self.session, &mut mechanism, key))
        } else {
            call!(C_DecryptInit(self.session, &mut mechanism, key))
        };
        match begun {
            CKR_OK if encrypt => call!(C_Encrypt(self.session, data, len, out, &raw mut out_len)),
            CKR_OK => call!(C_Decrypt(self.session, data, len, out, &raw mut out_len)),
            code => code,
        }
    }
}

#[test]
fn operations_name_what_is_wrong() {
    let _fixture = Fixture::new();
    let keys = Keys::new();
    let (iv, short) = ([7u8; 16], [7u8; 15]);
    let (encrypt, decrypt) = (true, false);
    let bare = mechanism;
    for (code, wanted, what) in [
        (keys.sign(bare(CKM_ECDSA), keys.private, 32), CKR_OK, "a signature"),
        (keys.sign(bare(CKM_ECDSA), 4_000_000, 32), CKR_KEY_HANDLE_INVALID, "no such key"),
        (keys.sign(bare(CKM_ECDSA), keys.data, 32), CKR_KEY_HANDLE_INVALID, "not a key"),
        (keys.sign(bare(CKM_ECDSA), keys.public, 32), CKR_KEY_FUNCTION_NOT_PERMITTED, "the public half"),
        (keys.sign(bare(CKM_RSA_PKCS), keys.private, 32), CKR_KEY_TYPE_INCONSISTENT, "another type"),
        (keys.sign(bare(CKM_SHA256_HMAC), keys.private, 32), CKR_KEY_TYPE_INCONSISTENT, "a secret key's mechanism"),
        (keys.sign(bare(CKM_SHA256), keys.private, 32), CKR_MECHANISM_INVALID, "a digest"),
        (keys.sign(bare(0x7fff_fff0), keys.private, 32), CKR_MECHANISM_INVALID, "no such mechanism"),
        (keys.sign(with(CKM_ECDSA, &iv), keys.private, 32), CKR_MECHANISM_PARAM_INVALID, "a parameter too many"),
        (keys.sign(bare(CKM_ECDSA), keys.private, 0), CKR_DATA_LEN_RANGE, "nothing to sign"),
        (keys.crypt(encrypt, with(CKM_AES_CBC, &iv), keys.aes, 32), CKR_OK, "two blocks"),
        (keys.crypt(encrypt, with(CKM_AES_CBC, &iv), keys.aes, 33), CKR_DATA_LEN_RANGE, "a byte too many"),
        (keys.crypt(encrypt, with(CKM_AES_CBC, &short), keys.aes, 32), CKR_MECHANISM_PARAM_INVALID, "a short IV"),
        (keys.crypt(encrypt, bare(CKM_AES_CBC), keys.aes, 32), CKR_MECHANISM_PARAM_INVALID, "no IV"),
        (keys.crypt(decrypt, with(CKM_AES_CBC, &iv), keys.aes, 33), CKR_ENCRYPTED_DATA_LEN_RANGE, "a byte too many"),
        (keys.crypt(decrypt, with(CKM_AES_CBC_PAD, &iv), keys.aes, 32), CKR_ENCRYPTED_DATA_INVALID, "no padding"),
        (keys.crypt(encrypt, with(CKM_AES_CBC, &iv), keys.private, 32), CKR_KEY_FUNCTION_NOT_PERMITTED, "a private key"),
        (keys.crypt(encrypt, with(CKM_AES_CBC, &iv), keys.public, 32), CKR_KEY_TYPE_INCONSISTENT, "a public key"),
        (keys.crypt(encrypt, bare(CKM_ECDSA), keys.public, 32), CKR_MECHANISM_INVALID, "a signature's mechanism"),
    ] {
        assert_eq!(code, wanted, "{what}: {code:#x}");
    }
    let mut signature = sign(keys.session, keys.private).unwrap();
    assert_eq!(keys.verify(&mut signature), CKR_OK);
    assert_eq!(keys.verify(&mut signature[..62]), CKR_SIGNATURE_LEN_RANGE);
    signature[3] ^= 4;
    assert_eq!(keys.verify(&mut signature), CKR_SIGNATURE_INVALID);
}

/// C_GenerateKeyPair of P-256 with one more attribute in the private half's template.
fn pair_with(session: CK_SESSION_HANDLE, public: &[(CK_ATTRIBUTE_TYPE, &[u8])], private: &[(CK_ATTRIBUTE_TYPE, &[u8])]) -> CK_RV {
    let list = |attributes: &[(CK_ATTRIBUTE_TYPE, &[u8])]| -> Vec<_> {
        attributes.iter().map(|(kind, value)| attribute(*kind, value)).collect()
    };
    let (mut public, mut private) = (list(public), list(private));
    private.push(attribute(CKA_TOKEN, YES));
    let [mut first, mut second] = [0; 2];
    call!(C_GenerateKeyPair(
        session,
        &mut mechanism(CKM_EC_KEY_PAIR_GEN),
        public.as_mut_ptr(),
        public.len() as CK_ULONG,
        private.as_mut_ptr(),
        private.len() as CK_ULONG,
        &raw mut first,
        &raw mut second,
    ))
}

#[test]
fn templates_name_what_is_wrong() {
    let _fixture = Fixture::new();
    let session = open(CKF_RW_SESSION);
    let curve = (CKA_EC_PARAMS, super::P256);
    let (rsa, public_class) = (number(CKK_RSA), number(CKO_PUBLIC_KEY));
    for (code, wanted, what) in [
        (pair_with(session, &[curve], &[]), CKR_OK, "a pair"),
        (pair_with(session, &[], &[]), CKR_TEMPLATE_INCOMPLETE, "no curve"),
        (pair_with(session, &[(CKA_EC_PARAMS, b"\x06\x01\x2a")], &[]), CKR_CURVE_NOT_SUPPORTED, "an unknown curve"),
        (pair_with(session, &[curve], &[(CKA_KEY_TYPE, &rsa)]), CKR_TEMPLATE_INCONSISTENT, "another key type"),
        (pair_with(session, &[curve], &[(CKA_CLASS, &public_class)]), CKR_TEMPLATE_INCONSISTENT, "another class"),
        (pair_with(session, &[curve], &[(CKA_SIGN, &[7])]), CKR_ATTRIBUTE_VALUE_INVALID, "neither true nor false"),
        (pair_with(session, &[curve], &[(CKA_SIGN, &[1, 0])]), CKR_ATTRIBUTE_VALUE_INVALID, "a long truth"),
        (pair_with(session, &[curve], &[(CKA_LABEL, b"\xff\xfe")]), CKR_ATTRIBUTE_VALUE_INVALID, "a label that is not UTF-8"),
        (pair_with(open(0), &[curve], &[]), CKR_SESSION_READ_ONLY, "a read-only session"),
        (pair_with(99, &[curve], &[]), CKR_SESSION_HANDLE_INVALID, "no session"),
    ] {
        assert_eq!(code, wanted, "{what}: {code:#x}");
    }
    for (attributes, wanted) in [
        (&[][..], CKR_TEMPLATE_INCOMPLETE),
        (&[(CKA_CLASS, &number(CKO_SECRET_KEY)[..])], CKR_TEMPLATE_INCOMPLETE),
        (&[(CKA_CLASS, &[1][..])], CKR_ATTRIBUTE_VALUE_INVALID),
    ] {
        assert_eq!(create(attributes), Err(wanted), "{attributes:?}");
    }
}

#[test]
fn attributes_that_never_change_say_so() {
    let _fixture = Fixture::new();
    let keys = Keys::new();
    let set = |session, object, kind, value: &[u8]| {
        let mut template = [attribute(kind, value)];
        call!(C_SetAttributeValue(session, object, template.as_mut_ptr(), 1))
    };
    let no = [CK_FALSE];
    for (code, wanted, what) in [
        (set(keys.session, keys.private, CKA_LABEL, b"new"), CKR_OK, "a label"),
        (set(open(0), keys.private, CKA_LABEL, b"new"), CKR_SESSION_READ_ONLY, "a read-only session"),
        (set(keys.session, 4_000_000, CKA_LABEL, b"new"), CKR_OBJECT_HANDLE_INVALID, "no object"),
        (set(keys.session, keys.private, CKA_CLASS, &number(CKO_DATA)), CKR_ATTRIBUTE_READ_ONLY, "the class"),
        (set(keys.session, keys.private, CKA_KEY_TYPE, &number(CKK_RSA)), CKR_ATTRIBUTE_READ_ONLY, "the key type"),
        (set(keys.session, keys.private, CKA_SENSITIVE, &no), CKR_ATTRIBUTE_READ_ONLY, "sensitive no more"),
        (set(keys.session, keys.private, CKA_EXTRACTABLE, YES), CKR_ATTRIBUTE_READ_ONLY, "extractable again"),
        (set(keys.session, keys.private, CKA_LOCAL, &no), CKR_ATTRIBUTE_READ_ONLY, "the past"),
    ] {
        assert_eq!(code, wanted, "{what}: {code:#x}");
    }
    assert_eq!(call!(C_DestroyObject(keys.session, 4_000_000)), CKR_OBJECT_HANDLE_INVALID);
    assert_eq!(call!(C_SetAttributeValue(keys.session, keys.private, null_mut(), 1)), CKR_ARGUMENTS_BAD);
}
