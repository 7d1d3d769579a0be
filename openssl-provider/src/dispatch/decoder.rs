//! The entry points of provider-decoder(7): PEM to DER, and DER to each kind of key.
//!
//! There is no OSSL_FUNC_decoder_export_object: with it the core would take the public half alone into another provider,
//! and show it as the key.

use std::{
    ffi::{c_int, c_void},
    sync::Arc,
};

use super::{free, newctx};
use crate::{
    decoder::{self, Form, LIMIT, Plain, pem},
    ffi::{
        params::{Value, emit},
        *,
    },
    key::Loadable,
    kind::Kind,
    provider::Provider,
};

type Decode = <OSSL_FUNC_DECODER_DECODE as Function>::Fn;

pub(crate) const fn pem_table() -> [Dispatch; 4] {
    [
        entry::<OSSL_FUNC_DECODER_NEWCTX>(newctx),
        entry::<OSSL_FUNC_DECODER_FREECTX>(free::<Arc<Provider>>),
        entry::<OSSL_FUNC_DECODER_DECODE>(decode_pem),
        Dispatch::END,
    ]
}

pub(crate) const fn der_table() -> [Dispatch; 4] {
    [
        entry::<OSSL_FUNC_DECODER_NEWCTX>(newctx),
        entry::<OSSL_FUNC_DECODER_FREECTX>(free::<Arc<Provider>>),
        entry::<OSSL_FUNC_DECODER_DECODE>(pass_der),
        Dispatch::END,
    ]
}

pub(crate) const fn table<K: Kind, F: Form>() -> [Dispatch; 5] {
    [
        entry::<OSSL_FUNC_DECODER_NEWCTX>(newctx),
        entry::<OSSL_FUNC_DECODER_FREECTX>(free::<Arc<Provider>>),
        entry::<OSSL_FUNC_DECODER_DOES_SELECTION>(does_selection),
        entry::<OSSL_FUNC_DECODER_DECODE>(decode::<K, F> as Decode),
        Dispatch::END,
    ]
}

/// A reference gives whatever part of a key is selected.
unsafe extern "C" fn does_selection(_: *mut c_void, _: c_int) -> c_int {
    1
}

calls! {
    fn decode_pem(provider: &mut Arc<Provider>, bio: *mut Bio, selection: c_int, callback: Callback, argument: *mut c_void,
        _pass: PassphraseCallback, _for: *mut c_void) => {
        let der = pem(selection, |line| provider.core().line(bio, line))?;
        Ok(der.map_or(1, |der| give(der, callback, argument)))
    };
    fn pass_der(provider: &mut Arc<Provider>, bio: *mut Bio, _selection: c_int, callback: Callback, argument: *mut c_void,
        _pass: PassphraseCallback, _for: *mut c_void) => {
        let der = read(provider, bio);
        Ok(if Plain::read(&der).is_some() { give(der, callback, argument) } else { 1 })
    };
}

/// The DER of a reference, for those who make keys of it.
fn give(der: Vec<u8>, callback: Callback, argument: *mut c_void) -> c_int {
    let structure = Value::Text(c"ParsecKeyReference");
    let values = vec![(OSSL_OBJECT_PARAM_DATA_STRUCTURE, structure), (OSSL_OBJECT_PARAM_DATA, Value::Bytes(der))];
    emit(callback, argument, values).into()
}

/// # Safety
/// The core gave `bio` for the time of the call.
unsafe fn read(provider: &Arc<Provider>, bio: *mut Bio) -> Vec<u8> {
    let mut der = vec![0; LIMIT];
    // SAFETY: the caller's promise.
    let len = unsafe { provider.core().read(bio, &mut der) };
    der.truncate(len);
    der
}

unsafe extern "C" fn decode<K: Kind, F: Form>(
    decoder: *mut c_void,
    bio: *mut Bio,
    selection: c_int,
    callback: Callback,
    argument: *mut c_void,
    _: PassphraseCallback,
    _: *mut c_void,
) -> c_int {
    let decode = |provider: &mut Arc<Provider>| {
        // SAFETY: the core gives a BIO for the time of the call.
        let der = unsafe { read(provider, bio) };
        let Some(key) = decoder::key::<K, F>(provider, &der, selection)? else {
            return Ok(1);
        };
        Ok(emit(callback, argument, key.object()).into())
    };
    // SAFETY: `decoder` is one of ours, or NULL.
    unsafe { with(decoder, decode) }
}
