//! The entry points of provider-asym_cipher(7).

use std::{
    ffi::{c_int, c_void},
    sync::Arc,
};

use super::{dup, free};
use crate::{
    encryption::{self, Context, Purpose},
    ffi::{
        Dispatch, OSSL_FUNC_ASYM_CIPHER_DECRYPT, OSSL_FUNC_ASYM_CIPHER_DECRYPT_INIT, OSSL_FUNC_ASYM_CIPHER_DUPCTX,
        OSSL_FUNC_ASYM_CIPHER_ENCRYPT, OSSL_FUNC_ASYM_CIPHER_ENCRYPT_INIT, OSSL_FUNC_ASYM_CIPHER_FREECTX,
        OSSL_FUNC_ASYM_CIPHER_GET_CTX_PARAMS, OSSL_FUNC_ASYM_CIPHER_GETTABLE_CTX_PARAMS, OSSL_FUNC_ASYM_CIPHER_NEWCTX,
        OSSL_FUNC_ASYM_CIPHER_SET_CTX_PARAMS, OSSL_FUNC_ASYM_CIPHER_SETTABLE_CTX_PARAMS, Output, Param, bytes, entry, own,
        params::{Params, Request},
        with, with_shared,
    },
    key::ProviderKey,
    provider::Provider,
    rsa::Rsa,
};

pub(crate) const fn table() -> [Dispatch; 12] {
    [
        entry::<OSSL_FUNC_ASYM_CIPHER_NEWCTX>(newctx),
        entry::<OSSL_FUNC_ASYM_CIPHER_FREECTX>(free::<Context>),
        entry::<OSSL_FUNC_ASYM_CIPHER_DUPCTX>(dup::<Context>),
        entry::<OSSL_FUNC_ASYM_CIPHER_ENCRYPT_INIT>(encrypt_init),
        entry::<OSSL_FUNC_ASYM_CIPHER_ENCRYPT>(encrypt),
        entry::<OSSL_FUNC_ASYM_CIPHER_DECRYPT_INIT>(decrypt_init),
        entry::<OSSL_FUNC_ASYM_CIPHER_DECRYPT>(decrypt),
        entry::<OSSL_FUNC_ASYM_CIPHER_GET_CTX_PARAMS>(get_ctx_params),
        entry::<OSSL_FUNC_ASYM_CIPHER_GETTABLE_CTX_PARAMS>(gettable_ctx_params),
        entry::<OSSL_FUNC_ASYM_CIPHER_SET_CTX_PARAMS>(set_ctx_params),
        entry::<OSSL_FUNC_ASYM_CIPHER_SETTABLE_CTX_PARAMS>(settable_ctx_params),
        Dispatch::END,
    ]
}

unsafe extern "C" fn newctx(context: *mut c_void) -> *mut c_void {
    // SAFETY: the core gives the context it got from us.
    unsafe { with_shared(context, |provider: &Arc<Provider>| Ok(own(Context::new(Arc::clone(provider))))) }
}

unsafe extern "C" fn encrypt_init(ctx: *mut c_void, key: *mut c_void, params: *const Param) -> c_int {
    // SAFETY: this function's arguments are `init`'s.
    unsafe { init(ctx, Purpose::Encrypt, key, params) }
}

unsafe extern "C" fn decrypt_init(ctx: *mut c_void, key: *mut c_void, params: *const Param) -> c_int {
    // SAFETY: this function's arguments are `init`'s.
    unsafe { init(ctx, Purpose::Decrypt, key, params) }
}

/// # Safety
/// `ctx` is a context of ours, `key` one of our RSA keys, `params` an OSSL_PARAM array; each may be NULL.
unsafe fn init(ctx: *mut c_void, purpose: Purpose, key: *mut c_void, params: *const Param) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        with(ctx, |ctx: &mut Context| {
            let key = key.cast::<ProviderKey<Rsa>>().as_ref();
            ctx.init(purpose, key, Params::new(params)).map(|()| 1)
        })
    }
}

unsafe extern "C" fn encrypt(
    ctx: *mut c_void,
    output: *mut u8,
    len: *mut usize,
    size: usize,
    input: *const u8,
    input_len: usize,
) -> c_int {
    // SAFETY: `ctx` is one of ours, or NULL; the buffers are as large as they are said to be.
    unsafe { with(ctx, |ctx: &mut Context| ctx.encrypt(bytes(input, input_len), Output::new(output, len, size)?).map(|()| 1)) }
}

unsafe extern "C" fn decrypt(
    ctx: *mut c_void,
    output: *mut u8,
    len: *mut usize,
    size: usize,
    input: *const u8,
    input_len: usize,
) -> c_int {
    // SAFETY: `ctx` is one of ours, or NULL; the buffers are as large as they are said to be.
    unsafe { with(ctx, |ctx: &mut Context| ctx.decrypt(bytes(input, input_len), Output::new(output, len, size)?).map(|()| 1)) }
}

unsafe extern "C" fn get_ctx_params(ctx: *mut c_void, params: *mut Param) -> c_int {
    // SAFETY: `ctx` is one of ours, or NULL, and `params` an OSSL_PARAM request.
    unsafe { with(ctx, |ctx: &mut Context| Request::new(params).answer(&encryption::FIELDS, ctx).map(|()| 1)) }
}

unsafe extern "C" fn gettable_ctx_params(_: *mut c_void, _: *mut c_void) -> *const Param {
    encryption::GETTABLE.as_ptr()
}

unsafe extern "C" fn set_ctx_params(ctx: *mut c_void, params: *const Param) -> c_int {
    // SAFETY: `ctx` is one of ours, or NULL, and `params` an OSSL_PARAM array.
    unsafe { with(ctx, |ctx: &mut Context| ctx.set(Params::new(params)).map(|()| 1)) }
}

unsafe extern "C" fn settable_ctx_params(_: *mut c_void, _: *mut c_void) -> *const Param {
    encryption::SETTABLE.as_ptr()
}
