//! Keys of parameter sets: ML-DSA and ML-KEM.

use super::{invalid, library};
use crate::error::Result;
use interface::algorithm::{Hash, Kem, SignHash, Signature};
use interface::attributes::KeyType;
use interface::kind::{self, KeyKind};
use lc::{Md, Pq, Refused, Set};

/// What this backend calls the parameter sets that it has.
pub(super) const SETS: &[(&KeyKind, Set)] = &[
    (&kind::ML_DSA_44, Set::ML_DSA_44),
    (&kind::ML_DSA_65, Set::ML_DSA_65),
    (&kind::ML_DSA_87, Set::ML_DSA_87),
    (&kind::ML_KEM_512, Set::ML_KEM_512),
    (&kind::ML_KEM_768, Set::ML_KEM_768),
    (&kind::ML_KEM_1024, Set::ML_KEM_1024),
];

/// Size in bits of keys of a set.
pub(super) fn bits(set: Set) -> u32 {
    SETS.iter().find(|(_, own)| *own == set).map_or(0, |(kind, _)| kind.bits)
}

/// Whether keys of this type are of a parameter set.
pub(super) fn has(key_type: KeyType) -> bool {
    SETS.iter().any(|(kind, _)| kind.key_type == key_type.pair())
}

/// The key of a type with this many bits, or with an encoding as long as the data; a seed does not tell its parameter set.
pub(super) fn key(key_type: KeyType, bits: u32, data: &[u8]) -> Result<Pq> {
    let pair = key_type.is_pair();
    let own = |kind: &KeyKind| kind.key_type == key_type.pair() && (bits == 0 || kind.bits == bits);
    let mut sets = SETS.iter().filter(|(kind, set)| own(kind) && (bits != 0 || data.len() != set.seed()));
    let (_, set) = sets.find(|(_, set)| set.fits(pair, data.len())).ok_or_else(|| {
        invalid(format!("{} bytes are no key of type {key_type:?} with {bits} bits; a seed needs the size beside it", data.len()))
    })?;
    let key = if pair { Pq::from_private(*set, data) } else { Pq::from_public(*set, data) };
    key.map_err(|_| invalid(format!("the data is not a key of type {key_type:?}: its parts do not fit together")))
}

/// Whether keys of a set encapsulate secrets so.
pub(super) fn encapsulates(set: Set, algorithm: Kem) -> bool {
    match algorithm {
        Kem::MlKem => set.kem(),
    }
}

/// The hash of the message that keys of a set sign, if any; `None` where they do not sign so.
pub(super) fn signs(set: Set, algorithm: Signature) -> Option<Option<SignHash>> {
    match algorithm {
        Signature::MlDsa if !set.kem() => Some(None),
        Signature::HashMlDsa { hash } if !set.kem() => Some(Some(hash)),
        _ => None,
    }
}

/// Signs a message, or its digest made with this hash.
pub(super) fn sign(key: &Pq, hash: Option<Hash>, context: &[u8], data: &[u8]) -> Result<Vec<u8>> {
    Ok(key.sign_mu(&mu(&key.public()?, hash, context, data)?)?)
}

/// Verifies what [`sign`] made.
pub(super) fn verify(key: &Pq, hash: Option<Hash>, context: &[u8], data: &[u8], signature: &[u8]) -> Result<Result<(), Refused>> {
    Ok(key.verify_mu(&mu(&key.public()?, hash, context, data)?, signature))
}

/// The representative µ of what ML-DSA signs (FIPS 204, algorithms 2, 4 and 7).
fn mu(public: &[u8], hash: Option<Hash>, context: &[u8], data: &[u8]) -> Result<[u8; 64]> {
    let oid = hash.map_or(&[][..], Hash::oid_der);
    let len = u8::try_from(context.len()).map_err(|_| library())?;
    let head = [u8::from(hash.is_some()), len];
    Ok(Md::shake256(&[&Md::shake256(public)?, &head[..], context, oid, data].concat())?)
}
