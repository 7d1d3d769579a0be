//! What reads the bytes of others, for the fuzzer.

use std::ffi::CStr;

use crate::{
    curve25519::{Ed25519, X25519},
    ec::Ec,
    ffi::{
        Param,
        fuzz::{asked, given},
    },
    kind::Kind,
    kinds::{MlDsa44Key, MlDsa65Key, MlDsa87Key, kinds},
    options::Options,
    rsa::{Rsa, RsaPss},
};

macro_rules! kinds_of {
    ($($kind:ident $names:tt $description:literal $(, $signs:literal $scheme:ty)?;)*) => { [$(parameters_of::<$kind>),*] };
}

/// Parameters of callers, for one kind of key, which the first byte chooses: what makes a key, what is said of a new one, and what is asked
/// of it.
///
/// A parameter is the number of its name, its type, its length in two little-endian bytes, its bytes.
pub fn parameters(data: &[u8]) {
    let kinds = kinds!(kinds_of);
    if let Some((kind, data)) = data.split_first() {
        kinds[usize::from(*kind) % kinds.len()](data);
    }
}

fn parameters_of<K: Kind>(mut data: &[u8]) {
    let known: [&[Param]; 4] = [K::PUBLIC, K::SETTABLE, K::OPTIONS_SETTABLE, K::GETTABLE];
    let names: Vec<&CStr> = known.into_iter().flatten().filter_map(Param::named).collect();
    let mut values = Vec::new();
    while let Some(([name, kind, len @ ..], rest)) = data.split_first_chunk::<4>() {
        let (value, rest) = rest.split_at(usize::from(u16::from_le_bytes(*len)).min(rest.len()));
        values.push((names[usize::from(*name) % names.len()], *kind, value));
        data = rest;
    }
    let key = given(&values, |params| {
        drop(params.apply(K::OPTIONS, &mut Options::default()));
        for fixed in K::FIXED {
            params.find(fixed.name).map(|given| fixed.check(&given));
        }
        K::import(params)
    });
    if let Some(key) = key {
        key.spki();
        asked(&values, |request| drop(request.answer(K::FIELDS, &key)));
    }
}
