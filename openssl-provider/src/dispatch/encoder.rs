//! The entry points of provider-encoder(7), for every kind of key and every format.
//!
//! There is no OSSL_FUNC_encoder_import_object: keys of other providers are theirs to write.

use std::{
    ffi::{c_int, c_void},
    sync::Arc,
};

use super::{free, newctx};
use crate::{
    encoder::{self, Format, Output},
    error::Error,
    ffi::{core::Core, params::Params, *},
    key::ProviderKey,
    kind::Kind,
    provider::Provider,
};

/// A BIO of the core's.
struct Out {
    core: Core,
    bio: *mut Bio,
}

impl Output for Out {
    fn write(&mut self, data: &[u8]) -> Result<(), Error> {
        let nowhere = || Error::Output("the key's file cannot be written".to_owned());
        // SAFETY: the core gave the BIO for the time of the call that this lives for.
        unsafe { self.core.write(self.bio, data) }.then_some(()).ok_or_else(nowhere)?;
        // SAFETY: likewise.
        unsafe { self.core.flush(self.bio) }.map_err(|why| Error::Output(format!("the key's file cannot be written: {why}")))
    }
}

type Encode = <OSSL_FUNC_ENCODER_ENCODE as Function>::Fn;

pub(crate) const fn table<K: Kind, F: Format>() -> [Dispatch; 7] {
    [
        entry::<OSSL_FUNC_ENCODER_NEWCTX>(newctx),
        entry::<OSSL_FUNC_ENCODER_FREECTX>(free::<Arc<Provider>>),
        entry::<OSSL_FUNC_ENCODER_SET_CTX_PARAMS>(set_ctx_params),
        entry::<OSSL_FUNC_ENCODER_SETTABLE_CTX_PARAMS>(settable_ctx_params),
        entry::<OSSL_FUNC_ENCODER_DOES_SELECTION>(does_selection::<F>),
        entry::<OSSL_FUNC_ENCODER_ENCODE>(encode::<K, F> as Encode),
        Dispatch::END,
    ]
}

unsafe extern "C" fn set_ctx_params(encoder: *mut c_void, params: *const Param) -> c_int {
    // SAFETY: `encoder` is one of ours, or NULL, and `params` an OSSL_PARAM array.
    unsafe { with(encoder, |_: &mut Arc<Provider>| encoder::set(Params::new(params)).map(|()| 1)) }
}

unsafe extern "C" fn settable_ctx_params(_: *mut c_void) -> *const Param {
    encoder::SETTABLE.as_ptr()
}

/// The most private part that is selected decides.
unsafe extern "C" fn does_selection<F: Format>(_: *mut c_void, selection: c_int) -> c_int {
    let parts = [OSSL_KEYMGMT_SELECT_PRIVATE_KEY, OSSL_KEYMGMT_SELECT_PUBLIC_KEY, OSSL_KEYMGMT_SELECT_DOMAIN_PARAMETERS];
    let most = parts.into_iter().find(|part| selection & part != 0);
    most.is_some_and(|part| F::SELECTION & part != 0).into()
}

unsafe extern "C" fn encode<K: Kind, F: Format>(
    encoder: *mut c_void,
    bio: *mut Bio,
    key: *const c_void,
    _: *const Param,
    _: c_int,
    _: PassphraseCallback,
    _: *mut c_void,
) -> c_int {
    let encode = |provider: &mut Arc<Provider>| {
        // SAFETY: `key` is one of ours of this kind, or NULL: the core got it from the keymgmt of the same name.
        let key = unsafe { key.cast::<ProviderKey<K>>().as_ref() };
        let key = key.ok_or(Error::State("no key was given"))?;
        encoder::write::<K, F>(key, &mut Out { core: provider.core(), bio })?;
        Ok(1)
    };
    // SAFETY: `encoder` is one of ours, or NULL.
    unsafe { with(encoder, encode) }
}
