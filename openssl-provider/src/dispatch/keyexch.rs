//! The entry points of provider-keyexch(7), for every kind of key that agrees on secrets.

use std::{
    ffi::{c_int, c_void},
    sync::Arc,
};

use super::{dup, free};
use crate::{
    exchange::{self, Context, Exchange},
    ffi::{
        params::{Params, Request},
        *,
    },
    key::ProviderKey,
    provider::Provider,
};

/// Of an exchange with nothing to set.
pub(crate) const fn plain_table<K: Exchange>() -> [Dispatch; 7] {
    [
        entry::<OSSL_FUNC_KEYEXCH_NEWCTX>(newctx::<K>),
        entry::<OSSL_FUNC_KEYEXCH_FREECTX>(free::<Context<K>>),
        entry::<OSSL_FUNC_KEYEXCH_DUPCTX>(dup::<Context<K>>),
        entry::<OSSL_FUNC_KEYEXCH_INIT>(init::<K>),
        entry::<OSSL_FUNC_KEYEXCH_SET_PEER>(set_peer::<K>),
        entry::<OSSL_FUNC_KEYEXCH_DERIVE>(derive::<K>),
        Dispatch::END,
    ]
}

/// Of one that can derive a key from the secret.
pub(crate) const fn table<K: Exchange>() -> [Dispatch; 11] {
    let [newctx, freectx, dupctx, init, set_peer, derive, _] = plain_table::<K>();
    [
        newctx,
        freectx,
        dupctx,
        init,
        set_peer,
        derive,
        entry::<OSSL_FUNC_KEYEXCH_GET_CTX_PARAMS>(get_ctx_params::<K>),
        entry::<OSSL_FUNC_KEYEXCH_GETTABLE_CTX_PARAMS>(gettable_ctx_params),
        entry::<OSSL_FUNC_KEYEXCH_SET_CTX_PARAMS>(set_ctx_params::<K>),
        entry::<OSSL_FUNC_KEYEXCH_SETTABLE_CTX_PARAMS>(settable_ctx_params),
        Dispatch::END,
    ]
}

unsafe extern "C" fn newctx<K: Exchange>(context: *mut c_void) -> *mut c_void {
    // SAFETY: the core gives the context it got from us.
    unsafe { with_shared(context, |provider: &Arc<Provider>| Ok(own(Context::<K>::new(Arc::clone(provider))))) }
}

calls! {
    fn init<K: Exchange>(ctx: &mut Context<K>, key: *mut c_void, params: *const Param) =>
        ctx.init(key.cast::<ProviderKey<K>>().as_ref(), Params::new(params)).map(|()| 1);
    fn set_peer<K: Exchange>(ctx: &mut Context<K>, peer: *mut c_void) =>
        ctx.set_peer(peer.cast::<ProviderKey<K>>().as_ref()).map(|()| 1);
    fn derive<K: Exchange>(ctx: &mut Context<K>, secret: *mut u8, len: *mut usize, size: usize) =>
        ctx.derive(Output::new(secret, len, size)?).map(|()| 1);
    fn get_ctx_params<K: Exchange>(ctx: &mut Context<K>, params: *mut Param) =>
        Request::new(params).answer(&exchange::FIELDS, &ctx.settings).map(|()| 1);
    fn set_ctx_params<K: Exchange>(ctx: &mut Context<K>, params: *const Param) => ctx.set(Params::new(params)).map(|()| 1);
}

unsafe extern "C" fn gettable_ctx_params(_: *mut c_void, _: *mut c_void) -> *const Param {
    exchange::GETTABLE.as_ptr()
}

unsafe extern "C" fn settable_ctx_params(_: *mut c_void, _: *mut c_void) -> *const Param {
    exchange::SETTABLE.as_ptr()
}
