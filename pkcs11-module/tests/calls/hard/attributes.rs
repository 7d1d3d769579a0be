//! What programs really read: of both halves of a key, and of the token.

use std::ptr::null_mut;

use cryptoki_sys::*;
use parsec_pkcs11::C_GetFunctionList;

use super::{Fixture, P256, SOFTWARE, attribute, generate, mechanism, open};
use crate::keys::{YES, number, read};

#[test]
fn both_halves_of_a_key_show_its_public_value() {
    let _fixture = Fixture::new();
    let session = open(CKF_RW_SESSION);
    let pair = generate(session, true).unwrap();
    let (bits, mut template) = (number(2048), [attribute(CKA_TOKEN, YES)]);
    let mut public = [attribute(CKA_MODULUS_BITS, &bits), attribute(CKA_TOKEN, YES)];
    let mut rsa = [0; 2];
    let [public_key, private_key] = &mut rsa;
    let made = call!(C_GenerateKeyPair(
        session,
        &mut mechanism(CKM_RSA_PKCS_KEY_PAIR_GEN),
        public.as_mut_ptr(),
        2,
        template.as_mut_ptr(),
        1,
        public_key,
        private_key,
    ));
    assert_eq!(made, CKR_OK);
    let both = |[public, private]: [CK_OBJECT_HANDLE; 2], kind| {
        let value = read(public, kind).unwrap();
        assert_eq!(read(private, kind).as_deref(), Ok(&value[..]), "{kind:#x}");
        value
    };
    assert_eq!(both(pair, CKA_EC_PARAMS), P256);
    let point = both(pair, CKA_EC_POINT);
    assert_eq!((point.len(), &point[..3]), (67, &[4, 65, 4][..]), "a DER octet string with an uncompressed point");
    assert_eq!(both(rsa, CKA_PUBLIC_EXPONENT), [1, 0, 1]);
    assert_eq!(both(rsa, CKA_MODULUS).len(), 256);
    for keys in [pair, rsa] {
        assert_eq!(both(keys, CKA_PUBLIC_KEY_INFO)[..2], [0x30, if keys == pair { 0x59 } else { 0x82 }]);
        assert!(!both(keys, CKA_ID).is_empty());
        assert_eq!(both(keys, CKA_LOCAL), YES);
        assert_eq!(read(keys[1], CKA_ALWAYS_AUTHENTICATE).as_deref(), Ok(&[CK_FALSE][..]));
        let allowed = read(keys[1], CKA_ALLOWED_MECHANISMS).unwrap();
        assert!(allowed.chunks(8).any(|kind| kind == number(if keys == pair { CKM_ECDSA } else { CKM_RSA_PKCS })));
    }
}

#[test]
fn no_session_claims_a_validation() {
    let _fixture = Fixture::new();
    let (session, mut flags) = (open(0), 99);
    let ask = |session, kind, flags: &mut CK_FLAGS| call3!(C_GetSessionValidationFlags(session, kind, flags));
    assert_eq!(ask(session, 77, &mut flags), CKR_ARGUMENTS_BAD);
    assert_eq!(ask(12345, CKS_LAST_VALIDATION_OK, &mut flags), CKR_SESSION_HANDLE_INVALID);
    assert_eq!((ask(session, CKS_LAST_VALIDATION_OK, &mut flags), flags), (CKR_OK, 0));
}

#[test]
fn texts_of_slots_and_tokens_are_padded_with_blanks() {
    let _fixture = Fixture::new();
    let (mut slot, mut token, mut library) = (CK_SLOT_INFO::default(), CK_TOKEN_INFO::default(), CK_INFO::default());
    assert_eq!(call!(C_GetSlotInfo(SOFTWARE, &raw mut slot)), CKR_OK);
    assert_eq!(call!(C_GetTokenInfo(SOFTWARE, &raw mut token)), CKR_OK);
    assert_eq!(call!(C_GetInfo(&raw mut library)), CKR_OK);
    for text in [
        &slot.slotDescription[..],
        &slot.manufacturerID,
        &token.label,
        &token.manufacturerID,
        &token.model,
        &token.serialNumber,
        &library.manufacturerID,
        &library.libraryDescription,
    ] {
        let text = std::str::from_utf8(text).unwrap();
        assert!(!text.contains('\0') && !text.trim().is_empty(), "{text:?}");
    }
    assert_eq!(slot.manufacturerID, token.manufacturerID);
    assert_eq!(token.ulMaxSessionCount, CK_EFFECTIVELY_INFINITE);
    assert_eq!(library.flags, 0);
}
