use super::*;
use crate::state::handles::Objects;
use interface::attributes::EccFamily;
use interface::attributes::Policy;
use interface::policy::Job;

/// A key pair of this policy, whose public value is made up.
pub(crate) fn pair(key_type: KeyType, bits: u32, public: &[u8], policy: Policy) -> Record {
    let usage = policy.usage;
    let attributes = Attributes { key_type, bits, policy };
    let record = operations::Record {
        kind: RecordKind::Key.into(),
        uuid: "00112233445566778899aabbccddeeff".into(),
        owner: "uid:7".into(),
        provider_id: 1,
        name: "web".into(),
        label: "Web".into(),
        id: vec![1],
        attributes: Some((&attributes).into()),
        public_key: public.to_vec(),
        usage: Some(usage.into()),
        ..Default::default()
    };
    record.try_into().unwrap()
}

pub(crate) fn web() -> Record {
    let key_type = KeyType::EccKeyPair(EccFamily::SecpR1);
    pair(key_type, 256, &[4; 65], Job::Sign.policy(key_type).unwrap())
}

fn value(object: &Object, kind: CK_ATTRIBUTE_TYPE) -> Vec<u8> {
    object.attribute(kind).unwrap().to_vec()
}

#[test]
fn a_pair_is_two_objects_with_one_id() {
    let mut objects = Objects::default();
    let learned = objects.learn(web());
    let [(private, first), (public, second)] = &learned[..] else { panic!("two objects") };
    assert_ne!(private, public);
    assert_eq!(value(first, CKA_CLASS), number(CKO_PRIVATE_KEY));
    assert_eq!(value(second, CKA_CLASS), number(CKO_PUBLIC_KEY));
    for kind in [CKA_ID, CKA_LABEL, CKA_KEY_TYPE, CKA_EC_PARAMS, CKA_EC_POINT] {
        assert_eq!(value(first, kind), value(second, kind));
    }
    assert_ne!(value(first, CKA_UNIQUE_ID), value(second, CKA_UNIQUE_ID));
    assert_eq!(value(first, CKA_EC_PARAMS)[..2], [0x06, 0x08]);
    assert_eq!(value(first, CKA_EC_POINT)[..3], [0x04, 0x41, 0x04]);
    assert_eq!(value(second, CKA_PUBLIC_KEY_INFO).len(), 91);
    assert!(matches!(first.attribute(CKA_VALUE), Err(Error::AttributeSensitive)));
    assert!(matches!(first.attribute(CKA_MODULUS), Err(Error::AttributeTypeInvalid)));
}

#[test]
fn a_template_matches_by_every_attribute() {
    let mut objects = Objects::default();
    let private = objects.learn(web())[0].1.clone();
    let class = number(CKO_PRIVATE_KEY);
    let ecdsa = [number(CKM_ECDSA)].concat();
    assert!(private.matches(&Template::from([])));
    let both = [(CKA_CLASS, &class[..]), (CKA_LABEL, b"Web")];
    assert!(private.matches(&Template::from(both)));
    for wrong in [(CKA_LABEL, &b"web"[..]), (CKA_SIGN, &[0]), (CKA_VALUE, &[1]), (0x1234, b"")] {
        assert!(!private.matches(&Template::from([wrong])));
    }
    let allowed = value(&private, CKA_ALLOWED_MECHANISMS);
    assert!(allowed.chunks(8).any(|kind| kind == ecdsa));
    assert!(!allowed.chunks(8).any(|kind| kind == number(CKM_RSA_PKCS)));
}
