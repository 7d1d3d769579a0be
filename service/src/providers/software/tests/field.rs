//! Keys that bring their group: groups and public values that are none, and keys in one and the same group.

use super::{attributes, generate, import, status};
use crate::providers::software::key::ParsedKey;
use interface::Status;
use interface::algorithm::{Agreement, Hash, Signature};
use interface::attributes::{DhFamily, KeyType};
use interface::group::{Group, GroupKey};
use lc::is_prime;
use zeroize::Zeroizing;

const DH: KeyType = KeyType::DhKeyPair(DhFamily::Own);
const DSA: KeyType = KeyType::DsaKeyPair;

fn public(key: &ParsedKey) -> GroupKey {
    GroupKey::from_spki(&key.public().unwrap()).unwrap()
}

fn in_group(key_type: KeyType, bits: u32, group: &Group) -> crate::error::Result<ParsedKey> {
    ParsedKey::generate(&attributes(key_type, bits), &group.to_der().unwrap())
}

#[test]
fn both_sides_agree_in_one_group_alone() {
    let ours = generate(DH, 2048);
    let group = public(&ours).group;
    let theirs = in_group(DH, 2048, &group).unwrap();
    assert_ne!(public(&ours).number, public(&theirs).number);
    let shared = ours.agree(Agreement::Ffdh, &theirs.public().unwrap()).unwrap();
    assert_eq!(shared, theirs.agree(Agreement::Ffdh, &ours.public().unwrap()).unwrap());
    assert_eq!(shared.len(), 256);
    let other = in_group(DH, 2048, &Group { base: vec![3], ..group.clone() }).unwrap();
    let mut last = group.prime.clone();
    *last.last_mut().unwrap() -= 1;
    let value = |number: &[u8]| GroupKey { group: group.clone(), number: Zeroizing::new(number.to_vec()) }.to_spki().unwrap();
    for peer in [other.public().unwrap(), value(&[1]), value(&last), value(&group.prime), vec![4; 256]] {
        assert_eq!(status(ours.agree(Agreement::Ffdh, &peer)), Status::PsaErrorInvalidArgument);
        assert_eq!(
            status(import(DH.public(), &peer)),
            if peer == other.public().unwrap() { Status::Success } else { Status::PsaErrorInvalidArgument }
        );
    }
    assert_eq!(status(ours.agree(Agreement::Ecdh, &theirs.public().unwrap())), Status::PsaErrorInvalidArgument);
}

#[test]
fn without_a_group_only_named_ones_are_taken() {
    let of = |bits| public(&generate(DH, bits)).group;
    for bits in [1024, 1536, 2048, 3072, 4096] {
        assert_eq!((of(bits).bits(), of(bits).base), (bits, vec![2]));
        assert_eq!(of(bits), of(bits));
    }
    let (mut half, mut carry) = (of(1024).prime, 0);
    assert!(is_prime(&half).unwrap());
    half.iter_mut().for_each(|byte| (*byte, carry) = (*byte >> 1 | carry << 7, *byte & 1));
    assert!(is_prime(&half).unwrap(), "the order of the squares is no prime");
    for bits in [520, 2056, 4088] {
        assert_eq!(status(ParsedKey::generate(&attributes(DH, bits), &[])), Status::PsaErrorNotSupported);
    }
}

#[test]
fn numbers_that_make_no_group_are_refused() {
    let sound = public(&generate(DSA, 1024)).group;
    in_group(DSA, 1024, &sound).unwrap();
    let mut composite = sound.prime.clone();
    *composite.last_mut().unwrap() ^= 2;
    for (group, bits) in [
        (Group { prime: composite, ..sound.clone() }, 1024),
        (Group { base: vec![2], ..sound.clone() }, 1024),
        (Group { base: vec![1], ..sound.clone() }, 1024),
        (Group { base: sound.prime.clone(), ..sound.clone() }, 1024),
        (Group { subprime: Some(vec![0xfb; 20]), ..sound.clone() }, 1024),
        (Group { subprime: Some(vec![11]), ..sound.clone() }, 1024),
        (Group { subprime: None, ..sound.clone() }, 1024),
        (Group { prime: vec![0xfb], ..sound.clone() }, 8),
        (sound.clone(), 2048),
    ] {
        assert!(in_group(DSA, bits, &group).is_err(), "{group:?}");
    }
    assert_eq!(status(in_group(DH, 1024, &sound)), Status::PsaErrorInvalidArgument, "it is one of DSA");
    let order = sound.subprime.clone().unwrap();
    for number in [vec![], order] {
        let key = GroupKey { group: sound.clone(), number: Zeroizing::new(number) };
        assert_eq!(status(import(DSA, &key.to_pkcs8().unwrap())), Status::PsaErrorInvalidArgument);
    }
}

#[test]
fn dsa_signs_hashes_that_are_longer_than_its_order() {
    let key = generate(DSA, 1024);
    for hash in [Hash::Sha256, Hash::Sha512] {
        let scheme = Signature::Dsa { hash: hash.into() };
        let signature = key.sign_message(scheme, b"message", b"").unwrap();
        assert_eq!(signature.len(), 40);
        key.verify_message(scheme, b"message", &signature, b"").unwrap();
        assert_eq!(status(key.verify_message(scheme, b"another", &signature, b"")), Status::PsaErrorInvalidSignature);
        assert_eq!(status(key.verify_message(scheme, b"message", &signature[1..], b"")), Status::PsaErrorInvalidSignature);
    }
    assert_eq!(status(key.sign_hash(Signature::DsaAny, &[], b"")), Status::PsaErrorInvalidArgument);
}
