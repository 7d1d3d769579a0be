//! Keys that bring their group, and groups as objects (PKCS#11 v3.1 §4.11, §6.4, §6.5).

use super::derive::derive;
use super::keys::{NO, YES, create, number, read};
use super::mechanisms::{group, lasting};
use super::wrap::{Attributes, pair};
use super::*;

/// The secret of 16 bytes that a key shares with whoever has this public value.
fn shared(private: CK_OBJECT_HANDLE, public: &[u8]) -> Result<Vec<u8>, CK_RV> {
    let mut value = [0_u8; 256];
    value[256 - public.len()..].copy_from_slice(public);
    let (kind, len) = (number(CKK_AES), number(16));
    let template: &Attributes<'_> = &[(CKA_KEY_TYPE, &kind), (CKA_VALUE_LEN, &len), (CKA_SENSITIVE, NO), (CKA_EXTRACTABLE, YES)];
    read(derive(lasting(CKM_DH_PKCS_DERIVE, value), private, template)?, CKA_VALUE)
}

#[test]
fn keys_are_made_and_brought_in_a_group_of_the_caller() {
    let _fixture = Fixture::new();
    let numbers = group(CKM_DH_PKCS_KEY_PAIR_GEN);
    let numbers: Vec<_> = numbers.iter().map(|(kind, value)| (*kind, value.as_slice())).collect();
    let readable: &Attributes<'_> = &[(CKA_DERIVE, YES), (CKA_SENSITIVE, NO), (CKA_EXTRACTABLE, YES)];
    let [public, private] = pair(CKM_DH_PKCS_KEY_PAIR_GEN, &numbers, readable);
    for (kind, value) in &numbers {
        assert_eq!(read(private, *kind).as_deref(), Ok(*value));
    }
    let (class, kind, exponent) = (number(CKO_PRIVATE_KEY), number(CKK_DH), read(private, CKA_VALUE).unwrap());
    let own: &Attributes<'_> = &[(CKA_CLASS, &class), (CKA_KEY_TYPE, &kind), (CKA_VALUE, &exponent), (CKA_DERIVE, YES)];
    let brought = create(&[own, &numbers].concat()).unwrap();
    assert_eq!(read(brought, CKA_VALUE), Err(CKR_ATTRIBUTE_SENSITIVE));
    let value = read(public, CKA_VALUE).unwrap();
    assert_eq!(shared(private, &value).unwrap(), shared(brought, &value).unwrap());
    assert_eq!(shared(private, &[1]), Err(CKR_MECHANISM_PARAM_INVALID), "everybody knows what that leads to");
    let composite = [numbers[0].1, &[0]].concat();
    let wrong = [own, &[(CKA_PRIME, &composite[..]), numbers[1]]].concat();
    assert_eq!(create(&wrong), Err(CKR_ATTRIBUTE_VALUE_INVALID));
}

#[test]
fn a_group_is_an_object_of_its_session() {
    let _fixture = Fixture::new();
    let session = open(CKF_RW_SESSION);
    let (class, kind, bits) = (number(CKO_DOMAIN_PARAMETERS), number(CKK_DSA), number(16));
    let mut template = [
        attribute(CKA_CLASS, &class),
        attribute(CKA_KEY_TYPE, &kind),
        attribute(CKA_PRIME, &[0, 0x97, 1]),
        attribute(CKA_SUBPRIME, &[11]),
        attribute(CKA_BASE, &[4]),
        attribute(CKA_TOKEN, NO),
    ];
    let create = |template: &mut [CK_ATTRIBUTE]| {
        let (len, mut group) = (template.len() as CK_ULONG, 0);
        let rv = call!(C_CreateObject(session, template.as_mut_ptr(), len, &raw mut group));
        if rv == CKR_OK { Ok(group) } else { Err(rv) }
    };
    assert_eq!(create(&mut template[..4]), Err(CKR_TEMPLATE_INCOMPLETE));
    let group = create(&mut template).unwrap();
    template[5] = attribute(CKA_TOKEN, YES);
    assert_eq!(create(&mut template), Err(CKR_TEMPLATE_INCONSISTENT), "the token keeps none");
    for (kind, value) in [(CKA_PRIME, &[0x97, 1][..]), (CKA_SUBPRIME, &[11]), (CKA_PRIME_BITS, &bits), (CKA_LOCAL, NO)] {
        assert_eq!(read(group, kind).as_deref(), Ok(value), "{kind:#x}");
    }
    assert_eq!(call!(C_CloseSession(session)), CKR_OK);
    assert_eq!(read(group, CKA_PRIME), Err(CKR_OBJECT_HANDLE_INVALID));
}
