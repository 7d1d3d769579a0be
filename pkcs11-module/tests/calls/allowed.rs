//! CKA_ALLOWED_MECHANISMS is the list that was given: no list fails a key, each is read back as it was, and what is not in it is
//! CKR_MECHANISM_INVALID.

use super::keys::{NO, YES, create, number, read, secret};
use super::mechanisms::{flags, lasting, list, way};
use super::pqc::pair;
use super::wrap::Attributes;
use super::*;

/// Mechanisms that some token lacks or forbids.
const LACKING: &[CK_MECHANISM_TYPE] = &[
    CKM_RSA_X_509,
    CKM_SHA1_RSA_PKCS,
    CKM_SHA1_RSA_PKCS_PSS,
    CKM_ECDSA_SHA1,
    CKM_DSA_SHA1,
    CKM_DES3_ECB,
    CKM_SHA3_256_HMAC,
    CKM_AES_GCM,
    CKM_AES_XTS,
    CKM_MD5_RSA_PKCS,
    CKM_VENDOR_DEFINED | 7,
];

/// Makes the two halves of a key, which is made for everything, with this list or without one.
type Make = Box<dyn Fn(&Attributes<'_>) -> Result<[CK_OBJECT_HANDLE; 2], CK_RV>>;

fn kinds() -> Vec<(&'static str, Make)> {
    let derives: &Attributes<'_> = &[(CKA_SIGN, YES), (CKA_DERIVE, YES)];
    let numbers = rsa_numbers();
    let mut kinds: Vec<(&str, Make)> = vec![
        ("P-256", Box::new(move |list| both(CKM_EC_KEY_PAIR_GEN, P256, derives, list))),
        (
            "RSA",
            Box::new(move |list| {
                let (class, kind) = (number(CKO_PRIVATE_KEY), number(CKK_RSA));
                let own: &Attributes<'_> =
                    &[(CKA_CLASS, &class), (CKA_KEY_TYPE, &kind), (CKA_SIGN, YES), (CKA_DECRYPT, YES), (CKA_UNWRAP, YES)];
                let numbers = numbers.iter().map(|(kind, value)| (*kind, value.as_slice()));
                let private = create(&numbers.clone().chain([own, list].concat()).collect::<Vec<_>>())?;
                let class = number(CKO_PUBLIC_KEY);
                let half: &Attributes<'_> = &[(CKA_CLASS, &class), (CKA_KEY_TYPE, &kind), (CKA_VERIFY, YES), (CKA_ENCRYPT, YES)];
                Ok([create(&numbers.take(2).chain([half, list].concat()).collect::<Vec<_>>())?, private])
            }),
        ),
    ];
    for (name, generator, len) in
        [("AES", CKM_AES_KEY_GEN, 32), ("generic", CKM_GENERIC_SECRET_KEY_GEN, 32), ("HKDF", CKM_HKDF_KEY_GEN, 32)]
    {
        if list(slot()).contains(&generator) {
            kinds.push((name, Box::new(move |list| everything(generator, len, list).map(|key| [key; 2]))));
        }
    }
    for (name, generator, curve) in [
        ("Ed25519", CKM_EC_EDWARDS_KEY_PAIR_GEN, &b"\x13\x0cedwards25519"[..]),
        ("X25519", CKM_EC_MONTGOMERY_KEY_PAIR_GEN, b"\x13\x0acurve25519"),
    ] {
        if list(slot()).contains(&generator) {
            kinds.push((name, Box::new(move |list| both(generator, curve, &[], list))));
        }
    }
    kinds
}

/// A pair on a curve; both halves have the list.
fn both(
    generator: CK_MECHANISM_TYPE,
    curve: &[u8],
    private: &Attributes<'_>,
    list: &Attributes<'_>,
) -> Result<[CK_OBJECT_HANDLE; 2], CK_RV> {
    pair(generator, &[&[(CKA_EC_PARAMS, curve)], list].concat(), &[private, list].concat())
}

fn everything(generator: CK_MECHANISM_TYPE, len: CK_ULONG, list: &Attributes<'_>) -> Result<CK_OBJECT_HANDLE, CK_RV> {
    let (len, uses) = (number(len), [CKA_SIGN, CKA_VERIFY, CKA_ENCRYPT, CKA_DECRYPT, CKA_WRAP, CKA_UNWRAP, CKA_DERIVE]);
    secret(generator, &[&[(CKA_VALUE_LEN, &len[..])], &uses.map(|kind| (kind, YES))[..], list].concat())
}

/// The numbers of an RSA key that the software provider has made.
fn rsa_numbers() -> Vec<(CK_ATTRIBUTE_TYPE, Vec<u8>)> {
    let slot = SLOT.swap(SOFTWARE, Ordering::Relaxed);
    let (bits, open): (_, &Attributes<'_>) = (number(2048), &[(CKA_SENSITIVE, NO), (CKA_EXTRACTABLE, YES)]);
    let [_, key] = pair(CKM_RSA_PKCS_KEY_PAIR_GEN, &[(CKA_MODULUS_BITS, &bits)], open).unwrap();
    SLOT.store(slot, Ordering::Relaxed);
    let kinds = [CKA_MODULUS, CKA_PUBLIC_EXPONENT, CKA_PRIVATE_EXPONENT, CKA_PRIME_1, CKA_PRIME_2];
    let kinds = kinds.into_iter().chain([CKA_EXPONENT_1, CKA_EXPONENT_2, CKA_COEFFICIENT]);
    kinds.map(|kind| (kind, read(key, kind).unwrap())).collect()
}

/// What beginning each use with a mechanism says: signing, verifying, encrypting and decrypting.
fn begin(kind: CK_MECHANISM_TYPE, [public, private]: [CK_OBJECT_HANDLE; 2]) -> [CK_RV; 4] {
    let mut mechanism = way(kind).map_or_else(|| mechanism(kind), |(_, mechanism)| mechanism);
    let session = open(0);
    let begun = [
        call!(C_SignInit(session, &mut mechanism, private)),
        call!(C_VerifyInit(session, &mut mechanism, public)),
        call!(C_EncryptInit(session, &mut mechanism, public)),
        call!(C_DecryptInit(session, &mut mechanism, private)),
    ];
    assert_eq!(call!(C_CloseSession(session)), CKR_OK);
    begun
}

fn walk() {
    let mut all = list(slot());
    all.extend(LACKING);
    all.sort_unstable();
    all.dedup();
    for (name, make) in kinds() {
        let free = make(&[]).unwrap();
        let fits: Vec<_> = all.iter().copied().filter(|kind| begin(*kind, free).contains(&CKR_OK)).collect();
        assert!(fits.len() > 1 || ["HKDF", "Ed25519", "X25519"].contains(&name), "{name}");
        let whole = all.iter().copied().map(number).collect::<Vec<_>>().concat();
        let keys = make(&[(CKA_ALLOWED_MECHANISMS, &whole)]).unwrap_or_else(|rv| panic!("{name}: {rv:#x}"));
        assert_eq!(read(keys[1], CKA_ALLOWED_MECHANISMS), Ok(whole), "{name}");
        for kind in &fits {
            assert_eq!(begin(*kind, keys), begin(*kind, free), "{name} {kind:#x}");
        }
        for only in fits.iter().chain(LACKING) {
            let list = number(*only);
            let keys = make(&[(CKA_ALLOWED_MECHANISMS, &list)]).unwrap_or_else(|rv| panic!("{name} {only:#x}: {rv:#x}"));
            assert_eq!(read(keys[1], CKA_ALLOWED_MECHANISMS).as_deref(), Ok(&list[..]), "{name}");
            for kind in &fits {
                let expected = if kind == only { begin(*kind, free) } else { [CKR_MECHANISM_INVALID; 4] };
                assert_eq!(begin(*kind, keys), expected, "{name} {only:#x} {kind:#x}");
            }
        }
    }
}

#[test]
fn no_list_fails_a_key_and_each_is_enforced_as_it_was_given() {
    let _fixture = Fixture::new();
    walk();
}

/// What the service forbids fails no key that it generates, either, and is refused when it is used.
#[test]
fn generated_keys_may_name_what_is_forbidden() {
    let _fixture = Fixture::new();
    let (bits, uses): (_, &Attributes<'_>) = (number(2048), &[(CKA_SIGN, YES), (CKA_DECRYPT, YES)]);
    for named in [&[CKM_SHA1_RSA_PKCS][..], &[CKM_SHA1_RSA_PKCS_PSS, CKM_SHA256_RSA_PKCS], &[CKM_MD5_RSA_PKCS]] {
        let list = named.iter().copied().map(number).collect::<Vec<_>>().concat();
        let list: &Attributes<'_> = &[(CKA_ALLOWED_MECHANISMS, &list)];
        let public = [&[(CKA_MODULUS_BITS, &bits[..])], list].concat();
        let keys = pair(CKM_RSA_PKCS_KEY_PAIR_GEN, &public, &[uses, list].concat()).unwrap();
        for kind in [CKM_SHA1_RSA_PKCS, CKM_SHA1_RSA_PKCS_PSS, CKM_SHA256_RSA_PKCS] {
            let [sign, verify, ..] = begin(kind, keys);
            let sha256 = kind == CKM_SHA256_RSA_PKCS;
            let known = |good: bool| if good && named.contains(&kind) { CKR_OK } else { CKR_MECHANISM_INVALID };
            assert_eq!([sign, verify], [known(sha256), known(true)], "{kind:#x}");
        }
    }
}

/// Also where the list is that of a key's policy, which no template has given: a mechanism that it lacks is CKR_MECHANISM_INVALID for every
/// use that the key has, another hash in a parameter is CKR_MECHANISM_PARAM_INVALID, and uses that it does not have are another matter.
#[test]
fn the_list_of_a_policy_is_enforced_too() {
    let fixture = Fixture::new();
    let (session, all) = (open(0), list(slot()));
    for (purpose, algorithm) in [
        ("encryption", "rsa-2048"),
        ("code-signing", "rsa-3072"),
        ("tls-server", "rsa-2048"),
        ("jwt", "rsa-2048"),
        ("tls-server", "p256"),
        ("ssh", "ed25519"),
        ("", "aes-256"),
        ("", "hmac-sha256"),
    ] {
        let how = ["key", "new", "web", "--algorithm", algorithm, "--for", purpose];
        run(&mut fixture.service.parsec(&how[..if purpose.is_empty() { 5 } else { 7 }])).ok();
        let of = |class| find(session, class).first().copied();
        let keys =
            of(CKO_SECRET_KEY).map_or_else(|| [CKO_PUBLIC_KEY, CKO_PRIVATE_KEY].map(|class| of(class).unwrap()), |key| [key; 2]);
        let [public, private] = keys;
        let listed: Vec<_> = read(private, CKA_ALLOWED_MECHANISMS)
            .unwrap()
            .chunks(size_of::<CK_MECHANISM_TYPE>())
            .map(|kind| CK_MECHANISM_TYPE::from_ne_bytes(kind.try_into().unwrap()))
            .collect();
        assert!(!listed.is_empty(), "{purpose} {algorithm}");
        let uses = [(CKA_SIGN, CKF_SIGN, private), (CKA_VERIFY, CKF_VERIFY, public)];
        let uses = [&uses[..], &[(CKA_ENCRYPT, CKF_ENCRYPT, public), (CKA_DECRYPT, CKF_DECRYPT, private)]].concat();
        for kind in &all {
            for ((use_, flag, key), said) in uses.iter().zip(begin(*kind, keys)) {
                let (has, fits) = (read(*key, *use_).as_deref() == Ok(YES), flags(*kind) & flag != 0);
                let expected = match (fits, said) {
                    (false, _) => CKR_MECHANISM_INVALID,
                    (_, CKR_KEY_TYPE_INCONSISTENT) => CKR_KEY_TYPE_INCONSISTENT,
                    _ if !has => CKR_KEY_FUNCTION_NOT_PERMITTED,
                    // of a parameter with SHA-256
                    (_, CKR_MECHANISM_PARAM_INVALID) if listed.contains(kind) => CKR_MECHANISM_PARAM_INVALID,
                    _ if listed.contains(kind) => CKR_OK,
                    _ => CKR_MECHANISM_INVALID,
                };
                assert_eq!(said, expected, "{purpose} {algorithm} {kind:#x} {use_:#x}");
            }
        }
        run(&mut fixture.service.parsec(["key", "rm", "web"])).ok();
    }
    run(&mut fixture.service.parsec(["key", "new", "web", "--for", "encryption", "--algorithm", "rsa-2048"])).ok();
    let [private] = find(session, CKO_PRIVATE_KEY)[..] else { panic!("one key") };
    for (hash, mgf, expected) in [
        (CKM_SHA256, CKG_MGF1_SHA256, CKR_OK),
        (CKM_SHA512, CKG_MGF1_SHA512, CKR_MECHANISM_PARAM_INVALID),
        (CKM_SHA_1, CKG_MGF1_SHA1, CKR_MECHANISM_PARAM_INVALID),
    ] {
        let source = CKZ_DATA_SPECIFIED;
        let params = CK_RSA_PKCS_OAEP_PARAMS { hashAlg: hash, mgf, source, pSourceData: null_mut(), ulSourceDataLen: 0 };
        assert_eq!(call!(C_DecryptInit(open(0), &mut lasting(CKM_RSA_PKCS_OAEP, params), private)), expected, "{hash:#x}");
    }
}

#[test]
fn with_deprecated_mechanisms_too() {
    let _fixture = Fixture::deprecated();
    walk();
}

#[test]
fn in_a_tpm_too() {
    let _fixture = Fixture::tpm();
    walk();
}
