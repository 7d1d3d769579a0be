//! The entry points of provider-keymgmt(7), for every kind of key.

use std::{
    ffi::{c_char, c_int, c_void},
    ptr,
    sync::Arc,
};

use super::free;
use crate::{
    ffi::{
        params::{Params, Request, emit},
        *,
    },
    generation::Generation,
    key::ProviderKey,
    kind::Kind,
    provider::Provider,
};

type Generate = <OSSL_FUNC_KEYMGMT_GEN as Function>::Fn;

pub(crate) const fn table<K: Kind>() -> [Dispatch; 23] {
    [
        entry::<OSSL_FUNC_KEYMGMT_NEW>(new::<K>),
        entry::<OSSL_FUNC_KEYMGMT_FREE>(free::<ProviderKey<K>>),
        entry::<OSSL_FUNC_KEYMGMT_LOAD>(load::<K>),
        entry::<OSSL_FUNC_KEYMGMT_DUP>(dup::<K>),
        entry::<OSSL_FUNC_KEYMGMT_HAS>(has::<K>),
        entry::<OSSL_FUNC_KEYMGMT_MATCH>(matches::<K>),
        entry::<OSSL_FUNC_KEYMGMT_VALIDATE>(validate::<K>),
        entry::<OSSL_FUNC_KEYMGMT_GET_PARAMS>(get_params::<K>),
        entry::<OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS>(gettable_params::<K>),
        entry::<OSSL_FUNC_KEYMGMT_SET_PARAMS>(set_params::<K>),
        entry::<OSSL_FUNC_KEYMGMT_SETTABLE_PARAMS>(settable_params::<K>),
        entry::<OSSL_FUNC_KEYMGMT_IMPORT>(import::<K>),
        entry::<OSSL_FUNC_KEYMGMT_IMPORT_TYPES>(public_types::<K>),
        entry::<OSSL_FUNC_KEYMGMT_EXPORT>(export::<K>),
        entry::<OSSL_FUNC_KEYMGMT_EXPORT_TYPES>(public_types::<K>),
        entry::<OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME>(query_operation_name::<K>),
        entry::<OSSL_FUNC_KEYMGMT_GEN_INIT>(gen_init::<K>),
        entry::<OSSL_FUNC_KEYMGMT_GEN_SET_TEMPLATE>(gen_set_template::<K>),
        entry::<OSSL_FUNC_KEYMGMT_GEN_SET_PARAMS>(gen_set_params::<K>),
        entry::<OSSL_FUNC_KEYMGMT_GEN_SETTABLE_PARAMS>(gen_settable_params::<K>),
        entry::<OSSL_FUNC_KEYMGMT_GEN>(generate::<K> as Generate),
        entry::<OSSL_FUNC_KEYMGMT_GEN_CLEANUP>(free::<Generation<K>>),
        Dispatch::END,
    ]
}

unsafe extern "C" fn new<K: Kind>(context: *mut c_void) -> *mut c_void {
    // SAFETY: the core gives the context it got from us.
    unsafe { with_shared(context, |provider: &Arc<Provider>| Ok(own(ProviderKey::<K>::new(Arc::clone(provider))))) }
}

unsafe extern "C" fn load<K: Kind>(reference: *const c_void, size: usize) -> *mut c_void {
    // SAFETY: the core hands on the bytes of `Loadable::object`.
    let bytes = unsafe { bytes(reference.cast(), size) };
    let Ok(address) = bytes.try_into().map(usize::from_ne_bytes) else {
        return ptr::null_mut();
    };
    // SAFETY: they are the address of a key that stays until the callback returns, and whose kind is the data type by which
    // the core chose this function.
    let key = unsafe { ptr::with_exposed_provenance::<ProviderKey<K>>(address).as_ref() };
    key.map_or(ptr::null_mut(), |key| own(key.clone()))
}

unsafe extern "C" fn dup<K: Kind>(key: *const c_void, selection: c_int) -> *mut c_void {
    // SAFETY: `key` is one of ours, or NULL.
    unsafe { with_shared(key, |key: &ProviderKey<K>| Ok(key.selected(selection)?.map_or(ptr::null_mut(), own))) }
}

unsafe extern "C" fn has<K: Kind>(key: *const c_void, selection: c_int) -> c_int {
    // SAFETY: `key` is one of ours, or NULL.
    unsafe { with_shared(key, |key: &ProviderKey<K>| Ok(key.has(selection).into())) }
}

unsafe extern "C" fn matches<K: Kind>(one: *const c_void, other: *const c_void, selection: c_int) -> c_int {
    // SAFETY: both are ours, or NULL.
    unsafe {
        with_shared(one, |one: &ProviderKey<K>| Ok(with_shared(other, |other| one.matches(other, selection).map(c_int::from))))
    }
}

unsafe extern "C" fn validate<K: Kind>(key: *const c_void, selection: c_int, _: c_int) -> c_int {
    // SAFETY: `key` is one of ours, or NULL.
    unsafe { with_shared(key, |key: &ProviderKey<K>| key.validate(selection).map(|()| 1)) }
}

unsafe extern "C" fn get_params<K: Kind>(key: *mut c_void, params: *mut Param) -> c_int {
    // SAFETY: `key` is one of ours, or NULL, and `params` an OSSL_PARAM request.
    unsafe { with_shared(key, |key: &ProviderKey<K>| key.answer(&mut Request::new(params)).map(c_int::from)) }
}

unsafe extern "C" fn gettable_params<K: Kind>(_: *mut c_void) -> *const Param {
    K::GETTABLE.as_ptr()
}

calls! {
    fn set_params<K: Kind>(key: &mut ProviderKey<K>, params: *const Param) => key.set(Params::new(params)).map(|()| 1);
    /// Public keys of others come in here: a peer's, or a certificate's to compare ours with. A private key does not: it
    /// would have to be sent to the service, which is for `parsec key import` to decide.
    fn import<K: Kind>(key: &mut ProviderKey<K>, _selection: c_int, params: *const Param) =>
        key.import(Params::new(params)).map(c_int::from);
    fn gen_set_template<K: Kind>(generation: &mut Generation<K>, template: *mut c_void) => {
        template.cast::<ProviderKey<K>>().as_ref().into_iter().for_each(|template| generation.like(template));
        Ok(1)
    };
    fn gen_set_params<K: Kind>(generation: &mut Generation<K>, params: *const Param) =>
        generation.set(Params::new(params)).map(|()| 1);
}

unsafe extern "C" fn settable_params<K: Kind>(_: *mut c_void) -> *const Param {
    K::SETTABLE.as_ptr()
}

/// Exports what is selected of public keys, and nothing else. Asked for a private one it refuses at once and without an error: the core tries before every
/// signature whether the default provider could take the key over.
unsafe extern "C" fn export<K: Kind>(key: *mut c_void, selection: c_int, callback: Callback, argument: *mut c_void) -> c_int {
    // SAFETY: `key` is one of ours, or NULL.
    unsafe {
        with_shared(key, |key: &ProviderKey<K>| {
            let private = key.is_private() && selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY != 0;
            if private || selection & K::EXPORTED == 0 || !key.has(selection & !OSSL_KEYMGMT_SELECT_PRIVATE_KEY) {
                return Ok(0);
            }
            let selected = key.selected(selection)?;
            let mut exported = selected.as_ref().and_then(ProviderKey::exported).unwrap_or_default();
            if selection & OSSL_KEYMGMT_SELECT_OTHER_PARAMETERS != 0 {
                exported.extend(key.parameters().map(K::other).unwrap_or_default());
            }
            Ok(emit(callback, argument, exported).into())
        })
    }
}

unsafe extern "C" fn public_types<K: Kind>(selection: c_int) -> *const Param {
    let parameters = if K::GROUPS { OSSL_KEYMGMT_SELECT_DOMAIN_PARAMETERS } else { 0 };
    if selection & (OSSL_KEYMGMT_SELECT_PUBLIC_KEY | parameters) == 0 { ptr::null() } else { K::PUBLIC.as_ptr() }
}

unsafe extern "C" fn query_operation_name<K: Kind>(operation: c_int) -> *const c_char {
    K::operation(operation).as_ptr()
}

unsafe extern "C" fn gen_init<K: Kind>(context: *mut c_void, selection: c_int, params: *const Param) -> *mut c_void {
    // SAFETY: the core gives the context it got from us, and an OSSL_PARAM array, or NULL.
    unsafe {
        with_shared(context, |provider: &Arc<Provider>| {
            let Some(mut generation) = Generation::<K>::new(Arc::clone(provider), selection) else { return Ok(ptr::null_mut()) };
            generation.set(Params::new(params)).map(|()| own(generation))
        })
    }
}

unsafe extern "C" fn gen_settable_params<K: Kind>(_: *mut c_void, _: *mut c_void) -> *const Param {
    K::OPTIONS_SETTABLE.as_ptr()
}

/// How far it is, which the callback would be told, only the service knows.
unsafe extern "C" fn generate<K: Kind>(generation: *mut c_void, _: Callback, _: *mut c_void) -> *mut c_void {
    // SAFETY: `generation` is one of ours, or NULL.
    unsafe { with(generation, |generation: &mut Generation<K>| generation.make().map(own)) }
}
