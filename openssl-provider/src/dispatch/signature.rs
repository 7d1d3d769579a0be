//! The entry points of provider-signature(7), for every scheme.

use std::{
    ffi::{c_char, c_int, c_void},
    ptr,
    sync::Arc,
};

use super::{dup, free};
use crate::{
    digest::DIGESTS,
    error::Error,
    ffi::{
        newer::*,
        params::{Params, Request, settable},
        *,
    },
    key::ProviderKey,
    kind::Kind,
    provider::Provider,
    signature::{Context, Input, Purpose, Scheme},
};

/// For a scheme that hashes messages. The last two functions are those of schemes whose signatures contain what was signed.
pub(crate) const fn table<S: Scheme>() -> [Dispatch; 22] {
    [
        entry::<OSSL_FUNC_SIGNATURE_NEWCTX>(newctx::<S>),
        entry::<OSSL_FUNC_SIGNATURE_FREECTX>(free::<Context<S>>),
        entry::<OSSL_FUNC_SIGNATURE_DUPCTX>(dup::<Context<S>>),
        entry::<OSSL_FUNC_SIGNATURE_SIGN_INIT>(sign_init::<S>),
        entry::<OSSL_FUNC_SIGNATURE_SIGN>(sign::<S>),
        entry::<OSSL_FUNC_SIGNATURE_VERIFY_INIT>(verify_init::<S>),
        entry::<OSSL_FUNC_SIGNATURE_VERIFY>(verify::<S>),
        entry::<OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT>(digest_sign_init::<S>),
        entry::<OSSL_FUNC_SIGNATURE_DIGEST_SIGN_UPDATE>(digest_update::<S>),
        entry::<OSSL_FUNC_SIGNATURE_DIGEST_SIGN_FINAL>(digest_sign_final::<S>),
        entry::<OSSL_FUNC_SIGNATURE_DIGEST_SIGN>(digest_sign::<S>),
        entry::<OSSL_FUNC_SIGNATURE_DIGEST_VERIFY_INIT>(digest_verify_init::<S>),
        entry::<OSSL_FUNC_SIGNATURE_DIGEST_VERIFY_UPDATE>(digest_update::<S>),
        entry::<OSSL_FUNC_SIGNATURE_DIGEST_VERIFY_FINAL>(digest_verify_final::<S>),
        entry::<OSSL_FUNC_SIGNATURE_DIGEST_VERIFY>(digest_verify::<S>),
        entry::<OSSL_FUNC_SIGNATURE_GET_CTX_PARAMS>(get_ctx_params::<S>),
        entry::<OSSL_FUNC_SIGNATURE_GETTABLE_CTX_PARAMS>(gettable_ctx_params::<S>),
        entry::<OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS>(set_ctx_params::<S>),
        entry::<OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS>(settable_ctx_params::<S>),
        if S::RECOVERS { entry::<OSSL_FUNC_SIGNATURE_VERIFY_RECOVER_INIT>(verify_init::<S>) } else { Dispatch::END },
        if S::RECOVERS { entry::<OSSL_FUNC_SIGNATURE_VERIFY_RECOVER>(verify_recover::<S>) } else { Dispatch::END },
        Dispatch::END,
    ]
}

/// For a scheme with the digest of this index built in, in OpenSSL 3.4 and later.
pub(crate) const fn composite_table<S: Scheme, const DIGEST: usize>() -> [Dispatch; 21] {
    [
        entry::<OSSL_FUNC_SIGNATURE_NEWCTX>(composite_newctx::<S, DIGEST>),
        entry::<OSSL_FUNC_SIGNATURE_FREECTX>(free::<Context<S>>),
        entry::<OSSL_FUNC_SIGNATURE_DUPCTX>(dup::<Context<S>>),
        entry::<OSSL_FUNC_SIGNATURE_QUERY_KEY_TYPES>(query_key_types::<S>),
        entry::<OSSL_FUNC_SIGNATURE_SIGN_INIT>(sign_init::<S>),
        entry::<OSSL_FUNC_SIGNATURE_SIGN>(sign::<S>),
        entry::<OSSL_FUNC_SIGNATURE_SIGN_MESSAGE_INIT>(sign_message_init::<S>),
        entry::<OSSL_FUNC_SIGNATURE_SIGN_MESSAGE_UPDATE>(digest_update::<S>),
        entry::<OSSL_FUNC_SIGNATURE_SIGN_MESSAGE_FINAL>(digest_sign_final::<S>),
        entry::<OSSL_FUNC_SIGNATURE_VERIFY_INIT>(verify_init::<S>),
        entry::<OSSL_FUNC_SIGNATURE_VERIFY>(verify::<S>),
        entry::<OSSL_FUNC_SIGNATURE_VERIFY_MESSAGE_INIT>(verify_message_init::<S>),
        entry::<OSSL_FUNC_SIGNATURE_VERIFY_MESSAGE_UPDATE>(digest_update::<S>),
        entry::<OSSL_FUNC_SIGNATURE_VERIFY_MESSAGE_FINAL>(verify_message_final::<S>),
        entry::<OSSL_FUNC_SIGNATURE_GET_CTX_PARAMS>(get_ctx_params::<S>),
        entry::<OSSL_FUNC_SIGNATURE_GETTABLE_CTX_PARAMS>(gettable_ctx_params::<S>),
        entry::<OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS>(set_ctx_params::<S>),
        entry::<OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS>(composite_settable_ctx_params::<S>),
        if S::RECOVERS { entry::<OSSL_FUNC_SIGNATURE_VERIFY_RECOVER_INIT>(verify_init::<S>) } else { Dispatch::END },
        if S::RECOVERS { entry::<OSSL_FUNC_SIGNATURE_VERIFY_RECOVER>(verify_recover::<S>) } else { Dispatch::END },
        Dispatch::END,
    ]
}

/// For a scheme that takes messages whole only.
pub(crate) const fn one_shot_table<S: Scheme>() -> [Dispatch; 18] {
    [
        entry::<OSSL_FUNC_SIGNATURE_NEWCTX>(newctx::<S>),
        entry::<OSSL_FUNC_SIGNATURE_FREECTX>(free::<Context<S>>),
        entry::<OSSL_FUNC_SIGNATURE_DUPCTX>(dup::<Context<S>>),
        entry::<OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT>(digest_sign_init::<S>),
        entry::<OSSL_FUNC_SIGNATURE_DIGEST_SIGN>(digest_sign::<S>),
        entry::<OSSL_FUNC_SIGNATURE_DIGEST_VERIFY_INIT>(digest_verify_init::<S>),
        entry::<OSSL_FUNC_SIGNATURE_DIGEST_VERIFY>(digest_verify::<S>),
        entry::<OSSL_FUNC_SIGNATURE_GET_CTX_PARAMS>(get_ctx_params::<S>),
        entry::<OSSL_FUNC_SIGNATURE_GETTABLE_CTX_PARAMS>(gettable_ctx_params::<S>),
        entry::<OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS>(set_ctx_params::<S>),
        entry::<OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS>(settable_ctx_params::<S>),
        entry::<OSSL_FUNC_SIGNATURE_SIGN_MESSAGE_INIT>(sign_message_init::<S>),
        entry::<OSSL_FUNC_SIGNATURE_VERIFY_MESSAGE_INIT>(verify_message_init::<S>),
        // OpenSSL before 3.4 wants the next two in pairs, though the first of each refuses
        entry::<OSSL_FUNC_SIGNATURE_SIGN_INIT>(sign_init::<S>),
        entry::<OSSL_FUNC_SIGNATURE_SIGN>(sign::<S>),
        entry::<OSSL_FUNC_SIGNATURE_VERIFY_INIT>(verify_init::<S>),
        entry::<OSSL_FUNC_SIGNATURE_VERIFY>(verify::<S>),
        Dispatch::END,
    ]
}

unsafe extern "C" fn composite_newctx<S: Scheme, const DIGEST: usize>(context: *mut c_void, _: *const c_char) -> *mut c_void {
    let new = |provider: &Arc<Provider>| {
        let digest = DIGESTS.get(DIGEST).ok_or(Error::Internal)?;
        Ok(own(Context::<S>::composite(Arc::clone(provider), digest)))
    };
    // SAFETY: the core gives the context it got from us.
    unsafe { with_shared(context, new) }
}

/// The names of the kinds of keys that a scheme takes.
unsafe extern "C" fn query_key_types<S: Scheme>() -> *mut *const c_char {
    const { &[<S::Kind as Kind>::NAME.as_ptr(), ptr::null()] }.as_ptr().cast_mut()
}

unsafe extern "C" fn newctx<S: Scheme>(context: *mut c_void, _: *const c_char) -> *mut c_void {
    // SAFETY: the core gives the context it got from us.
    unsafe { with_shared(context, |provider: &Arc<Provider>| Ok(own(Context::<S>::new(Arc::clone(provider))))) }
}

calls! {
    fn sign_init<S: Scheme>(ctx: &mut Context<S>, key: *mut c_void, params: *const Param) =>
        init(ctx, Purpose::Sign, Input::Prepared, key, params);
    fn sign_message_init<S: Scheme>(ctx: &mut Context<S>, key: *mut c_void, params: *const Param) =>
        init(ctx, Purpose::Sign, Input::Message(None), key, params);
    fn verify_message_init<S: Scheme>(ctx: &mut Context<S>, key: *mut c_void, params: *const Param) =>
        init(ctx, Purpose::Verify, Input::Message(None), key, params);
    fn verify_message_final<S: Scheme>(ctx: &mut Context<S>) => ctx.verify_expected().map(c_int::from);
    fn verify_init<S: Scheme>(ctx: &mut Context<S>, key: *mut c_void, params: *const Param) =>
        init(ctx, Purpose::Verify, Input::Prepared, key, params);
    fn digest_sign_init<S: Scheme>(ctx: &mut Context<S>, digest: *const c_char, key: *mut c_void, params: *const Param) =>
        init(ctx, Purpose::Sign, Input::Message(text(digest)), key, params);
    fn digest_verify_init<S: Scheme>(ctx: &mut Context<S>, digest: *const c_char, key: *mut c_void, params: *const Param) =>
        init(ctx, Purpose::Verify, Input::Message(text(digest)), key, params);
    fn sign<S: Scheme>(ctx: &mut Context<S>, signature: *mut u8, len: *mut usize, size: usize, input: *const u8, input_len: usize) =>
        ctx.sign(bytes(input, input_len), Output::new(signature, len, size)?).map(|()| 1);
    fn verify<S: Scheme>(ctx: &mut Context<S>, signature: *const u8, len: usize, input: *const u8, input_len: usize) =>
        ctx.verify(bytes(input, input_len), bytes(signature, len)).map(c_int::from);
    fn verify_recover<S: Scheme>(ctx: &mut Context<S>, recovered: *mut u8, len: *mut usize, size: usize, signature: *const u8,
        signature_len: usize) => ctx.recover(bytes(signature, signature_len), Output::new(recovered, len, size)?).map(|()| 1);
    fn digest_update<S: Scheme>(ctx: &mut Context<S>, data: *const u8, len: usize) => ctx.update(bytes(data, len)).map(|()| 1);
    fn digest_sign_final<S: Scheme>(ctx: &mut Context<S>, signature: *mut u8, len: *mut usize, size: usize) =>
        ctx.sign_message(&[], Output::new(signature, len, size)?).map(|()| 1);
    fn digest_sign<S: Scheme>(ctx: &mut Context<S>, signature: *mut u8, len: *mut usize, size: usize, data: *const u8,
        data_len: usize) => ctx.sign_message(bytes(data, data_len), Output::new(signature, len, size)?).map(|()| 1);
    fn digest_verify_final<S: Scheme>(ctx: &mut Context<S>, signature: *const u8, len: usize) =>
        ctx.verify_message(&[], bytes(signature, len)).map(c_int::from);
    fn digest_verify<S: Scheme>(ctx: &mut Context<S>, signature: *const u8, len: usize, data: *const u8, data_len: usize) =>
        ctx.verify_message(bytes(data, data_len), bytes(signature, len)).map(c_int::from);
    fn get_ctx_params<S: Scheme>(ctx: &mut Context<S>, params: *mut Param) =>
        Request::new(params).answer(S::FIELDS, ctx).map(|()| 1);
    fn set_ctx_params<S: Scheme>(ctx: &mut Context<S>, params: *const Param) => ctx.set(Params::new(params)).map(|()| 1);
}

/// # Safety
/// `key` is one of our keys of the context's kind, `params` an OSSL_PARAM array; each may be NULL.
unsafe fn init<S: Scheme>(
    ctx: &mut Context<S>,
    purpose: Purpose,
    input: Input<'_>,
    key: *mut c_void,
    params: *const Param,
) -> Result<c_int, Error> {
    // SAFETY: the caller's promise.
    let (key, params) = unsafe { (key.cast::<ProviderKey<S::Kind>>().as_ref(), Params::new(params)) };
    ctx.init(purpose, input, key, params).map(|()| 1)
}

unsafe extern "C" fn gettable_ctx_params<S: Scheme>(_: *mut c_void, _: *mut c_void) -> *const Param {
    S::GETTABLE.as_ptr()
}

unsafe extern "C" fn settable_ctx_params<S: Scheme>(_: *mut c_void, _: *mut c_void) -> *const Param {
    S::SETTABLE.as_ptr()
}

unsafe extern "C" fn composite_settable_ctx_params<S: Scheme>(_: *mut c_void, _: *mut c_void) -> *const Param {
    const { &settable::<_, 2>(Context::<S>::COMPOSITE_SETTINGS) }.as_ptr()
}
