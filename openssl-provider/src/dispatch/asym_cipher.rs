//! The entry points of provider-asym_cipher(7).

use std::{
    ffi::{c_int, c_void},
    sync::Arc,
};

use super::{dup, free};
use crate::{
    encryption::{self, Context, Purpose},
    ffi::{
        params::{Params, Request},
        *,
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

calls! {
    fn encrypt_init(ctx: &mut Context, key: *mut c_void, params: *const Param) =>
        ctx.init(Purpose::Encrypt, key.cast::<ProviderKey<Rsa>>().as_ref(), Params::new(params)).map(|()| 1);
    fn decrypt_init(ctx: &mut Context, key: *mut c_void, params: *const Param) =>
        ctx.init(Purpose::Decrypt, key.cast::<ProviderKey<Rsa>>().as_ref(), Params::new(params)).map(|()| 1);
    fn encrypt(ctx: &mut Context, output: *mut u8, len: *mut usize, size: usize, input: *const u8, input_len: usize) =>
        ctx.encrypt(bytes(input, input_len), Output::new(output, len, size)?).map(|()| 1);
    fn decrypt(ctx: &mut Context, output: *mut u8, len: *mut usize, size: usize, input: *const u8, input_len: usize) =>
        ctx.decrypt(bytes(input, input_len), Output::new(output, len, size)?).map(|()| 1);
    fn get_ctx_params(ctx: &mut Context, params: *mut Param) =>
        Request::new(params).answer(&encryption::FIELDS, ctx).map(|()| 1);
    fn set_ctx_params(ctx: &mut Context, params: *const Param) => ctx.set(Params::new(params)).map(|()| 1);
}

unsafe extern "C" fn gettable_ctx_params(_: *mut c_void, _: *mut c_void) -> *const Param {
    encryption::GETTABLE.as_ptr()
}

unsafe extern "C" fn settable_ctx_params(_: *mut c_void, _: *mut c_void) -> *const Param {
    encryption::SETTABLE.as_ptr()
}
