//! The entry points of provider-decoder(7): PEM to DER, and DER to each kind of key.
//!
//! There is no OSSL_FUNC_decoder_export_object: with it the core would take the public half alone into another provider,
//! and show it as the key.

use std::{
    ffi::{c_int, c_void},
    sync::Arc,
};

use crate::{
    decoder::{Decoder, Form, LIMIT, Plain, pem},
    dispatch::keymgmt::Loadable,
    ffi::{
        Bio, Callback, Dispatch, Function, OSSL_FUNC_DECODER_DECODE, OSSL_FUNC_DECODER_DOES_SELECTION, OSSL_FUNC_DECODER_FREECTX,
        OSSL_FUNC_DECODER_NEWCTX, OSSL_OBJECT_PARAM_DATA, OSSL_OBJECT_PARAM_DATA_STRUCTURE, Object, PassphraseCallback, boundary,
        entry, own,
        params::{Value, emit},
        release, with,
    },
    kind::Kind,
};

type Decode = <OSSL_FUNC_DECODER_DECODE as Function>::Fn;

pub(crate) const fn pem_table() -> [Dispatch; 4] {
    [
        entry::<OSSL_FUNC_DECODER_NEWCTX>(newctx),
        entry::<OSSL_FUNC_DECODER_FREECTX>(freectx),
        entry::<OSSL_FUNC_DECODER_DECODE>(decode_pem),
        Dispatch::END,
    ]
}

pub(crate) const fn der_table() -> [Dispatch; 4] {
    [
        entry::<OSSL_FUNC_DECODER_NEWCTX>(newctx),
        entry::<OSSL_FUNC_DECODER_FREECTX>(freectx),
        entry::<OSSL_FUNC_DECODER_DECODE>(pass_der),
        Dispatch::END,
    ]
}

pub(crate) const fn table<K: Kind, F: Form>() -> [Dispatch; 5] {
    [
        entry::<OSSL_FUNC_DECODER_NEWCTX>(newctx),
        entry::<OSSL_FUNC_DECODER_FREECTX>(freectx),
        entry::<OSSL_FUNC_DECODER_DOES_SELECTION>(does_selection),
        entry::<OSSL_FUNC_DECODER_DECODE>(decode::<K, F> as Decode),
        Dispatch::END,
    ]
}

unsafe extern "C" fn newctx(context: *mut c_void) -> *mut c_void {
    // SAFETY: the core gives the context it got from us.
    let provider = unsafe { crate::init::provider(context) };
    boundary(provider, || Ok(own(Decoder::new(Arc::clone(provider)))))
}

unsafe extern "C" fn freectx(decoder: *mut c_void) {
    // SAFETY: the core's last use of a decoder of ours.
    unsafe { release::<Decoder>(decoder) }
}

/// A reference gives whatever part of a key is selected.
unsafe extern "C" fn does_selection(_: *mut c_void, _: c_int) -> c_int {
    1
}

unsafe extern "C" fn decode_pem(
    decoder: *mut c_void,
    bio: *mut Bio,
    selection: c_int,
    callback: Callback,
    argument: *mut c_void,
    _: PassphraseCallback,
    _: *mut c_void,
) -> c_int {
    let decode = |decoder: &mut Decoder| {
        let core = &decoder.provider().core;
        let Some(der) = pem(selection, |line| core.line(bio, line))? else {
            return Ok(1);
        };
        Ok(give(der, callback, argument))
    };
    // SAFETY: `decoder` is one of ours, or NULL.
    unsafe { with(decoder, decode) }
}

unsafe extern "C" fn pass_der(
    decoder: *mut c_void,
    bio: *mut Bio,
    _: c_int,
    callback: Callback,
    argument: *mut c_void,
    _: PassphraseCallback,
    _: *mut c_void,
) -> c_int {
    let pass = |decoder: &mut Decoder| {
        let der = read(decoder, bio);
        Ok(if Plain::read(&der).is_some() { give(der, callback, argument) } else { 1 })
    };
    // SAFETY: `decoder` is one of ours, or NULL.
    unsafe { with(decoder, pass) }
}

/// The DER of a reference, for those who make keys of it.
fn give(der: Vec<u8>, callback: Callback, argument: *mut c_void) -> c_int {
    let structure = Value::Text(c"ParsecKeyReference");
    let values = vec![(OSSL_OBJECT_PARAM_DATA_STRUCTURE, structure), (OSSL_OBJECT_PARAM_DATA, Value::Bytes(der))];
    emit(callback, argument, values).into()
}

fn read(decoder: &Decoder, bio: *mut Bio) -> Vec<u8> {
    let mut der = vec![0; LIMIT];
    let len = decoder.provider().core.read(bio, &mut der);
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
    let decode = |decoder: &mut Decoder| {
        let Some(key) = decoder.key::<K, F>(&read(decoder, bio), selection)? else {
            return Ok(1);
        };
        Ok(key.give(callback, argument).into())
    };
    // SAFETY: `decoder` is one of ours, or NULL.
    unsafe { with(decoder, decode) }
}
