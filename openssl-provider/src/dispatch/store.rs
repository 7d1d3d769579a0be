//! The entry points of provider-storemgmt(7). As with decoders, there is no export of objects.

use std::{
    ffi::{c_char, c_int, c_void},
    sync::Arc,
};

use crate::{
    error::Error,
    ffi::{
        params::{Params, emit},
        *,
    },
    provider::Provider,
    store::{self, Entry, Store},
};

pub(crate) const fn table() -> [Dispatch; 7] {
    [
        entry::<OSSL_FUNC_STORE_OPEN>(open),
        entry::<OSSL_FUNC_STORE_SETTABLE_CTX_PARAMS>(settable_ctx_params),
        entry::<OSSL_FUNC_STORE_SET_CTX_PARAMS>(set_ctx_params),
        entry::<OSSL_FUNC_STORE_LOAD>(load),
        entry::<OSSL_FUNC_STORE_EOF>(eof),
        entry::<OSSL_FUNC_STORE_CLOSE>(close),
        Dispatch::END,
    ]
}

unsafe extern "C" fn open(context: *mut c_void, uri: *const c_char) -> *mut c_void {
    // SAFETY: the core gives the context it got from us, and a C string.
    unsafe {
        with_shared(context, |provider: &Arc<Provider>| {
            let uri = text(uri).ok_or(Error::State("no URI was given"))?;
            Ok(own(Store::open(Arc::clone(provider), uri)?))
        })
    }
}

unsafe extern "C" fn settable_ctx_params(_: *mut c_void) -> *const Param {
    store::SETTABLE.as_ptr()
}

calls! {
    fn set_ctx_params(store: &mut Store, params: *const Param) => store.set(Params::new(params)).map(|()| 1);
    fn load(store: &mut Store, callback: Callback, argument: *mut c_void, _pass: PassphraseCallback, _for: *mut c_void) =>
        Ok(match store.next()? {
            None => 0,
            Some(Entry::Key(key)) => emit(callback, argument, key.object()).into(),
            Some(Entry::Certificate(der)) => emit(callback, argument, store::certificate(der)).into(),
        });
    fn eof(store: &mut Store) => Ok(store.eof().into());
}

unsafe extern "C" fn close(store: *mut c_void) -> c_int {
    // SAFETY: the core's last use of a store of ours.
    unsafe { release::<Store>(store) }
    1
}
