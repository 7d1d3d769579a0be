//! The known attacks on the interface itself, each a sequence of calls that are permitted one by one: that it ends in a refusal, and
//! that it is the conflict which is refused (the same sequence without it works).
//!
//! Clulow, "On the Security of PKCS #11" (CHES 2003); Delaune, Kremer, Steel, "Formal Analysis of PKCS#11" (CSF 2008); Bortolozzo,
//! Centenaro, Focardi, Steel, "Attacking and Fixing PKCS#11 Security Tokens" (CCS 2010), whose a1 to a5 these are; Bardou et al.,
//! "Efficient Padding Oracle Attacks on Cryptographic Hardware" (CRYPTO 2012).

use super::derive::{derive, string};
use super::keys::{NO, YES, create, number, read, secret};
use super::mechanisms::lasting;
use super::wrap::{Attributes, aes, pair, rsa, unwrap, wrap, wrapping_key};
use super::*;

const KW: CK_MECHANISM_TYPE = CKM_AES_KEY_WRAP;
/// What the attacker knows.
const KNOWN: &[u8] = &[0x42; 32];

/// The victim: sensitive, but it may leave under the protection of another key.
fn victim() -> CK_OBJECT_HANDLE {
    aes(&[(CKA_SENSITIVE, YES), (CKA_EXTRACTABLE, YES), (CKA_ENCRYPT, YES), (CKA_DECRYPT, YES)])
}

/// The template of an AES key that its maker wants to read.
fn weak() -> Vec<(CK_ATTRIBUTE_TYPE, &'static [u8])> {
    let leak = |value: CK_ULONG| &*Box::leak(Box::new(number(value)));
    let (class, kind) = (leak(CKO_SECRET_KEY), leak(CKK_AES));
    vec![(CKA_CLASS, class), (CKA_KEY_TYPE, kind), (CKA_SENSITIVE, NO), (CKA_EXTRACTABLE, YES), (CKA_ENCRYPT, YES)]
}

/// The same of one who leaves it to the token whether the key can be read.
fn silent() -> Vec<(CK_ATTRIBUTE_TYPE, &'static [u8])> {
    weak().into_iter().filter(|(kind, _)| *kind != CKA_SENSITIVE).collect()
}

/// C_SetAttributeValue.
fn set(key: CK_OBJECT_HANDLE, kind: CK_ATTRIBUTE_TYPE, value: &[u8]) -> CK_RV {
    call!(C_SetAttributeValue(open(CKF_RW_SESSION), key, [attribute(kind, value)].as_mut_ptr(), 1))
}

/// That keys which wrap nothing else do wrap the victim, and that the blob is of use.
fn control() {
    let with = wrapping_key();
    let wrapped = wrap(mechanism(KW), with, victim()).unwrap();
    unwrap(mechanism(KW), with, &wrapped, &silent()).unwrap();
}

/// a1, and Clulow §3.2: wrap the victim, then decrypt the blob with the wrapping key.
#[test]
fn a_key_that_decrypts_does_not_wrap_a_sensitive_key() {
    let _fixture = Fixture::new();
    let with = aes(&[(CKA_WRAP, YES), (CKA_DECRYPT, YES)]);
    assert_eq!(wrap(mechanism(KW), with, victim()), Err(CKR_KEY_NOT_WRAPPABLE));
    let readable = aes(&[(CKA_SENSITIVE, NO), (CKA_EXTRACTABLE, YES)]);
    let wrapped = wrap(mechanism(KW), with, readable).unwrap();
    let value = crypt::decrypt(mechanism(KW), with, &wrapped);
    assert_eq!(value, read(readable, CKA_VALUE), "the value of a key that anybody may read is no secret");
    control();
}

/// a2: the same with a key pair.
#[test]
fn a_pair_that_decrypts_does_not_wrap_a_sensitive_key() {
    let _fixture = Fixture::new();
    let wrapped = |private: &Attributes<'_>| {
        let [public, _] = rsa(&[(CKA_WRAP, YES), (CKA_VERIFY, NO)], private);
        wrap(mechanisms::oaep(CKM_RSA_PKCS_OAEP), public, victim())
    };
    assert_eq!(wrapped(&[(CKA_UNWRAP, YES), (CKA_DECRYPT, YES)]), Err(CKR_KEY_NOT_WRAPPABLE));
    assert_eq!(wrapped(&[(CKA_UNWRAP, YES)]).unwrap().len(), 256);
}

/// a2, where the pair decrypts by signing whatever block it is given.
#[test]
fn a_pair_that_signs_raw_blocks_does_not_wrap_a_sensitive_key() {
    let _fixture = Fixture::new();
    let wrapped = |kinds: &[CK_MECHANISM_TYPE]| {
        let allowed: Vec<u8> = kinds.iter().flat_map(|kind| kind.to_ne_bytes()).collect();
        let [public, _] = rsa(&[(CKA_WRAP, YES)], &[(CKA_UNWRAP, YES), (CKA_SIGN, YES), (CKA_ALLOWED_MECHANISMS, &allowed)]);
        wrap(mechanisms::oaep(CKM_RSA_PKCS_OAEP), public, victim())
    };
    assert_eq!(wrapped(&[CKM_RSA_PKCS_OAEP, CKM_RSA_X_509]), Err(CKR_KEY_NOT_WRAPPABLE));
    assert_eq!(wrapped(&[CKM_RSA_PKCS_OAEP, CKM_SHA256_RSA_PKCS]).unwrap().len(), 256);
}

/// a3 and a4: read the value of a sensitive or unextractable key.
#[test]
fn values_of_sensitive_and_unextractable_keys_are_not_read() {
    let _fixture = Fixture::new();
    for (sensitive, extractable, expected) in [
        (YES, YES, Err(CKR_ATTRIBUTE_SENSITIVE)),
        (NO, NO, Err(CKR_ATTRIBUTE_SENSITIVE)),
        (YES, NO, Err(CKR_ATTRIBUTE_SENSITIVE)),
        (NO, YES, Ok(32)),
    ] {
        let key = aes(&[(CKA_SENSITIVE, sensitive), (CKA_EXTRACTABLE, extractable)]);
        assert_eq!(read(key, CKA_VALUE).map(|value| value.len()), expected);
    }
    let [_, private] = rsa(&[], &[]);
    assert_eq!(read(private, CKA_PRIVATE_EXPONENT), Err(CKR_ATTRIBUTE_SENSITIVE));
}

/// a5: make a sensitive key readable, or an unextractable one extractable.
#[test]
fn sensitive_and_unextractable_are_for_good() {
    let _fixture = Fixture::new();
    let key = aes(&[(CKA_SENSITIVE, YES), (CKA_EXTRACTABLE, NO)]);
    for (kind, value) in [(CKA_SENSITIVE, NO), (CKA_EXTRACTABLE, YES)] {
        assert_eq!(set(key, kind, value), CKR_ATTRIBUTE_READ_ONLY);
    }
    assert_eq!(read(key, CKA_VALUE), Err(CKR_ATTRIBUTE_SENSITIVE));
    assert_eq!(set(key, CKA_LABEL, b"other"), CKR_OK);
}

/// Clulow §3.2, with the roles one after the other: the key that decrypted yesterday wraps today.
#[test]
fn roles_are_not_added_and_conflicts_are_not_forgotten() {
    let _fixture = Fixture::new();
    let with = wrapping_key();
    assert_eq!(set(with, CKA_DECRYPT, YES), CKR_ATTRIBUTE_READ_ONLY);
    let decrypts = aes(&[(CKA_DECRYPT, YES)]);
    assert_eq!(set(decrypts, CKA_WRAP, YES), CKR_ATTRIBUTE_READ_ONLY);
    let both = aes(&[(CKA_WRAP, YES), (CKA_DECRYPT, YES)]);
    set(both, CKA_DECRYPT, NO);
    assert_eq!(wrap(mechanism(KW), both, victim()), Err(CKR_KEY_NOT_WRAPPABLE));
    control();
}

/// Vaudenay, "Security Flaws Induced by CBC Padding" (EUROCRYPT 2002): whether the padding of a chosen block is right tells what the
/// key decrypts it to, which undoes the mode that the victim is wrapped in. The first use of the key decides which mode it keeps.
#[test]
fn a_key_that_unwraps_without_authentication_does_not_wrap_a_sensitive_key() {
    let _fixture = Fixture::new();
    let cbc = lasting(CKM_AES_CBC_PAD, [0u8; 16]);
    let open = || aes(&[(CKA_SENSITIVE, NO), (CKA_EXTRACTABLE, YES)]);
    let (protects, reveals) = (wrapping_key(), wrapping_key());
    let blob = wrap(mechanism(KW), protects, victim()).unwrap();
    assert_eq!(unwrap(cbc, protects, &blob[..32], &weak()), Err(CKR_KEY_FUNCTION_NOT_PERMITTED));
    let wrapped = wrap(cbc, protects, open()).unwrap();
    assert_eq!(unwrap(cbc, protects, &wrapped, &weak()), Err(CKR_KEY_FUNCTION_NOT_PERMITTED), "nor what is no part of the blob");
    unwrap(mechanism(KW), protects, &blob, &silent()).unwrap();

    let wrapped = wrap(cbc, reveals, open()).unwrap();
    unwrap(cbc, reveals, &wrapped, &silent()).unwrap();
    assert_eq!(wrap(mechanism(KW), reveals, victim()), Err(CKR_KEY_NOT_WRAPPABLE));
    wrap(mechanism(KW), reveals, open()).unwrap();
}

/// Delaune et al., attack 2: encrypt a key that the attacker knows, unwrap it as a wrapping key, and wrap the victim with it.
#[test]
fn a_known_key_that_is_unwrapped_does_not_wrap_a_sensitive_key() {
    let _fixture = Fixture::new();
    let with = aes(&[(CKA_ENCRYPT, YES), (CKA_UNWRAP, YES)]);
    let forged = crypt::encrypt(mechanism(KW), with, KNOWN).unwrap();
    let template = [&silent()[..], &[(CKA_WRAP, YES)]].concat();
    let trojan = unwrap(mechanism(KW), with, &forged, &template).unwrap();
    assert_eq!(wrap(mechanism(KW), trojan, victim()), Err(CKR_KEY_NOT_WRAPPABLE));
    let readable = aes(&[(CKA_SENSITIVE, NO), (CKA_EXTRACTABLE, YES)]);
    wrap(mechanism(KW), trojan, readable).unwrap();
}

/// Import a key that the attacker knows, and wrap the victim with it.
#[test]
fn a_known_key_that_is_imported_does_not_wrap_a_sensitive_key() {
    let _fixture = Fixture::new();
    let trojan = create(&[&weak()[..], &[(CKA_VALUE, KNOWN), (CKA_WRAP, YES)]].concat()).unwrap();
    assert_eq!(wrap(mechanism(KW), trojan, victim()), Err(CKR_KEY_NOT_WRAPPABLE));
    control();
}

/// Read the wrapping key, and decrypt the blob outside.
#[test]
fn a_key_that_can_be_read_does_not_wrap_a_sensitive_key() {
    let _fixture = Fixture::new();
    let with = aes(&[(CKA_WRAP, YES), (CKA_SENSITIVE, NO), (CKA_EXTRACTABLE, YES)]);
    assert_eq!(wrap(mechanism(KW), with, victim()), Err(CKR_KEY_NOT_WRAPPABLE));
    control();
}

/// Clulow §3.5, the trojan public key: import the attacker's own, and wrap the victim with it; saying that it is trusted does not help.
#[test]
fn a_public_key_from_outside_does_not_wrap_a_sensitive_key() {
    let _fixture = Fixture::new();
    let [own, _] = rsa(&[(CKA_WRAP, YES)], &[(CKA_UNWRAP, YES)]);
    let (class, kind) = (number(CKO_PUBLIC_KEY), number(CKK_RSA));
    let (modulus, exponent) = (read(own, CKA_MODULUS).unwrap(), read(own, CKA_PUBLIC_EXPONENT).unwrap());
    let template: &Attributes<'_> =
        &[(CKA_CLASS, &class), (CKA_KEY_TYPE, &kind), (CKA_MODULUS, &modulus), (CKA_PUBLIC_EXPONENT, &exponent), (CKA_WRAP, YES)];
    let trojan = create(template).unwrap();
    let oaep = mechanisms::oaep(CKM_RSA_PKCS_OAEP);
    assert_eq!(wrap(oaep, trojan, victim()), Err(CKR_KEY_NOT_WRAPPABLE));
    wrap(oaep, own, victim()).unwrap();
    let trusted = create(&[template, &[(CKA_TRUSTED, YES)]].concat());
    assert_eq!(trusted, Err(CKR_ATTRIBUTE_READ_ONLY), "that is for the security officer to say");
}

/// Clulow §3.3, re-import with other attributes: wrap the victim, unwrap it as a readable key.
#[test]
fn a_key_that_comes_back_is_sensitive_whatever_its_template_says() {
    let _fixture = Fixture::new();
    let with = wrapping_key();
    let wrapped = wrap(mechanism(KW), with, victim()).unwrap();
    assert_eq!(unwrap(mechanism(KW), with, &wrapped, &weak()), Err(CKR_TEMPLATE_INCONSISTENT));
    let copy = unwrap(mechanism(KW), with, &wrapped, &silent()).unwrap();
    assert_eq!(read(copy, CKA_SENSITIVE).as_deref(), Ok(YES));
    assert_eq!(read(copy, CKA_VALUE), Err(CKR_ATTRIBUTE_SENSITIVE));
    let generic = number(CKK_GENERIC_SECRET);
    let mut template = silent();
    template[1].1 = &generic;
    template[3] = (CKA_DERIVE, YES);
    let other = unwrap(mechanism(KW), with, &wrapped, &template).unwrap();
    assert_eq!(read(other, CKA_VALUE), Err(CKR_ATTRIBUTE_SENSITIVE), "not as another type either");
    let data = derive(string(CKM_CONCATENATE_BASE_AND_DATA, b""), other, &[(CKA_SENSITIVE, NO), (CKA_EXTRACTABLE, YES)]).unwrap();
    assert_eq!(read(data, CKA_VALUE), Err(CKR_ATTRIBUTE_SENSITIVE), "nor as a part of a new key");
    let wraps = unwrap(mechanism(KW), with, &wrapped, &[&silent()[..], &[(CKA_WRAP, YES)]].concat()).unwrap();
    assert_eq!(wrap(mechanism(KW), wraps, victim()), Err(CKR_KEY_NOT_WRAPPABLE), "nor as a key with the role of its wrapper");
}

/// Delaune et al., attack 1: wrap a wrapping key with another one, unwrap it as a key that decrypts: two copies, two roles.
#[test]
fn keys_that_wrap_do_not_leave() {
    let _fixture = Fixture::new();
    for roles in [&[CKA_WRAP][..], &[CKA_UNWRAP], &[CKA_WRAP, CKA_UNWRAP]] {
        let roles: Vec<_> = roles.iter().map(|kind| (*kind, YES)).collect();
        let leaving = aes(&[&roles[..], &[(CKA_EXTRACTABLE, YES)]].concat());
        assert_eq!(wrap(mechanism(KW), wrapping_key(), leaving), Err(CKR_KEY_NOT_WRAPPABLE));
        assert_eq!(
            wrap(mechanism(KW), leaving, leaving),
            Err(if roles[0].0 == CKA_WRAP { CKR_KEY_NOT_WRAPPABLE } else { CKR_KEY_FUNCTION_NOT_PERMITTED }),
            "under itself"
        );
    }
    control();
}

/// Two copies by C_CopyObject: one half of a pair of roles each, or one with fewer mechanisms than the other.
#[test]
fn copies_do_not_separate_roles() {
    let _fixture = Fixture::new();
    let copy = |key, template: &Attributes<'_>| {
        let mut entries: Vec<_> = template.iter().map(|(kind, value)| attribute(*kind, value)).collect();
        let mut copy = 0;
        let rv = call!(C_CopyObject(open(CKF_RW_SESSION), key, entries.as_mut_ptr(), entries.len() as CK_ULONG, &raw mut copy));
        if rv == CKR_OK { Ok(copy) } else { Err(rv) }
    };
    let both = aes(&[(CKA_WRAP, YES), (CKA_DECRYPT, YES)]);
    let wraps = copy(both, &[(CKA_DECRYPT, NO)]).unwrap();
    assert_eq!(read(wraps, CKA_DECRYPT).as_deref(), Ok(NO));
    assert_eq!(wrap(mechanism(KW), wraps, victim()), Err(CKR_KEY_NOT_WRAPPABLE));
    let readable = aes(&[(CKA_WRAP, YES), (CKA_SENSITIVE, NO), (CKA_EXTRACTABLE, YES)]);
    let wraps = copy(readable, &[(CKA_SENSITIVE, YES), (CKA_EXTRACTABLE, NO)]).unwrap();
    assert_eq!(wrap(mechanism(KW), wraps, victim()), Err(CKR_KEY_NOT_WRAPPABLE));
    let known = create(&[&weak()[..], &[(CKA_VALUE, KNOWN), (CKA_WRAP, YES)]].concat()).unwrap();
    assert_eq!(wrap(mechanism(KW), copy(known, &[]).unwrap(), victim()), Err(CKR_KEY_NOT_WRAPPABLE));

    let sound = aes(&[(CKA_WRAP, YES), (CKA_UNWRAP, YES), (CKA_EXTRACTABLE, YES)]);
    let (twin, harmless) = (copy(sound, &[]).unwrap(), copy(sound, &[(CKA_WRAP, NO), (CKA_UNWRAP, NO)]).unwrap());
    wrap(mechanism(KW), twin, victim()).unwrap();
    for leaving in [twin, harmless] {
        assert_eq!(
            wrap(mechanism(KW), wrapping_key(), leaving),
            Err(CKR_KEY_UNEXTRACTABLE),
            "it could come back with another role"
        );
    }
    assert_eq!(copy(sound, &[(CKA_DECRYPT, YES)]), Err(CKR_ATTRIBUTE_READ_ONLY));
}

/// Two copies by derivation: a concatenation with nothing is the same key with other roles.
#[test]
fn keys_that_wrap_are_no_base_of_concatenations() {
    let _fixture = Fixture::new();
    let generic = |extra: &Attributes<'_>| {
        let len = number(32);
        secret(CKM_GENERIC_SECRET_KEY_GEN, &[&[(CKA_VALUE_LEN, &len[..]), (CKA_DERIVE, YES)], extra].concat()).unwrap()
    };
    let with = aes(&[(CKA_WRAP, YES), (CKA_DERIVE, YES)]);
    let nothing = string(CKM_CONCATENATE_BASE_AND_DATA, b"");
    assert_eq!(derive(nothing, with, &weak()), Err(CKR_KEY_TYPE_INCONSISTENT));
    let trojan = derive(nothing, generic(&[]), &[&weak()[1..], &[(CKA_WRAP, YES)]].concat()).unwrap();
    assert_eq!(wrap(mechanism(KW), trojan, victim()), Err(CKR_KEY_NOT_WRAPPABLE), "what is derived wraps no sensitive key");
}

/// Clulow §3.4, a smaller space of keys: cut the victim to a byte or add known bytes to a part of it, and search; CKM_EXTRACT_KEY_FROM_KEY
/// and CKM_XOR_BASE_AND_DATA are not there at all.
#[test]
fn sensitive_keys_are_not_cut() {
    let _fixture = Fixture::new();
    let len = number(32);
    let base = secret(CKM_GENERIC_SECRET_KEY_GEN, &[(CKA_VALUE_LEN, &len), (CKA_DERIVE, YES), (CKA_EXTRACTABLE, YES)]).unwrap();
    for kind in [CKM_CONCATENATE_BASE_AND_DATA, CKM_CONCATENATE_DATA_AND_BASE] {
        for cut in [1, 15, 16, 33] {
            let cut = number(cut);
            let template: &Attributes<'_> = &[(CKA_SENSITIVE, NO), (CKA_EXTRACTABLE, YES), (CKA_VALUE_LEN, &cut)];
            assert_eq!(derive(string(kind, b"data"), base, template), Err(CKR_MECHANISM_PARAM_INVALID));
        }
        let whole = derive(string(kind, b"data"), base, &[(CKA_SENSITIVE, NO), (CKA_EXTRACTABLE, YES)]).unwrap();
        assert_eq!(read(whole, CKA_VALUE_LEN).unwrap(), number(36));
        assert_eq!(read(whole, CKA_VALUE), Err(CKR_ATTRIBUTE_SENSITIVE), "the parts are as secret as the base");
    }
    let open = secret(
        CKM_GENERIC_SECRET_KEY_GEN,
        &[(CKA_VALUE_LEN, &len), (CKA_DERIVE, YES), (CKA_SENSITIVE, NO), (CKA_EXTRACTABLE, YES)],
    );
    let whole = derive(lasting(CKM_CONCATENATE_BASE_AND_KEY, base), open.unwrap(), &[(CKA_EXTRACTABLE, YES)]).unwrap();
    assert_eq!(read(whole, CKA_EXTRACTABLE).as_deref(), Ok(NO), "it comes back as no key of another type");
    for kind in [CKM_EXTRACT_KEY_FROM_KEY, CKM_XOR_BASE_AND_DATA] {
        assert_eq!(derive(string(kind, b"data"), base, &[]), Err(CKR_MECHANISM_INVALID));
    }
}

/// Clulow §3.1, weak binding: with ECB, the blocks of a blob are keys by themselves, to be exchanged and searched one by one. Nothing
/// wraps with ECB, and of what wraps sensitive keys every change is noticed.
#[test]
fn halves_of_wrapped_keys_are_no_keys() {
    let _fixture = Fixture::new();
    let with = wrapping_key();
    for kind in [CKM_AES_ECB, CKM_AES_CBC] {
        assert_eq!(wrap(lasting(kind, [0u8; 16]), with, victim()), Err(CKR_MECHANISM_INVALID));
    }
    for kind in [CKM_AES_KEY_WRAP, CKM_AES_KEY_WRAP_KWP] {
        let first = wrap(mechanism(kind), with, victim()).unwrap();
        let second = wrap(mechanism(kind), with, victim()).unwrap();
        let mixed = [&first[..24], &second[24..]].concat();
        for forged in [&mixed[..], &first[..24], &first[16..]] {
            assert_eq!(unwrap(mechanism(kind), with, forged, &weak()), Err(CKR_WRAPPED_KEY_INVALID));
        }
        unwrap(mechanism(kind), with, &first, &silent()).unwrap();
    }
}

/// Bardou et al. §3: C_UnwrapKey tells whether the padding of CBC is right, which reveals a blob byte by byte. So no sensitive key
/// becomes such a blob.
#[test]
fn sensitive_keys_do_not_leave_under_a_mode_whose_padding_tells() {
    let _fixture = Fixture::new();
    let (with, cbc) = (wrapping_key(), lasting(CKM_AES_CBC_PAD, [0u8; 16]));
    assert_eq!(wrap(cbc, with, victim()), Err(CKR_KEY_NOT_WRAPPABLE));
    let readable = aes(&[(CKA_SENSITIVE, NO), (CKA_EXTRACTABLE, YES)]);
    let wrapped = wrap(cbc, with, readable).unwrap();
    unwrap(cbc, with, &wrapped, &silent()).unwrap();
}

/// A grant or a role that is missing does not come from the other half: who holds the public key alone cannot unwrap.
#[test]
fn an_unextractable_key_leaves_under_no_key() {
    let _fixture = Fixture::new();
    let key = aes(&[(CKA_ENCRYPT, YES)]);
    assert_eq!(wrap(mechanism(KW), wrapping_key(), key), Err(CKR_KEY_UNEXTRACTABLE));
    let [_, private] = pair(CKM_EC_KEY_PAIR_GEN, &[(CKA_EC_PARAMS, P256)], &[(CKA_SIGN, YES)]);
    assert_eq!(wrap(mechanism(CKM_AES_KEY_WRAP_KWP), wrapping_key(), private), Err(CKR_KEY_UNEXTRACTABLE));
    control();
}
