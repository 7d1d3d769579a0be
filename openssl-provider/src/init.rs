//! The provider's own functions, and the one symbol that the library exports: provider-base(7).
#![allow(clippy::missing_safety_doc, reason = "what the core promises stands in that manual page")]

use std::{
    ffi::{c_char, c_int, c_void},
    panic::{AssertUnwindSafe, catch_unwind},
    ptr,
    sync::Arc,
};

use crate::{
    algorithms,
    ffi::{
        core::Core,
        params::{Request, emit, gettable},
        *,
    },
    groups::GROUPS,
    provider::{FIELDS, Provider},
};

static FUNCTIONS: [Dispatch; 6] = [
    entry::<OSSL_FUNC_PROVIDER_TEARDOWN>(teardown),
    entry::<OSSL_FUNC_PROVIDER_GETTABLE_PARAMS>(gettable_params),
    entry::<OSSL_FUNC_PROVIDER_GET_PARAMS>(get_params),
    entry::<OSSL_FUNC_PROVIDER_QUERY_OPERATION>(query_operation),
    entry::<OSSL_FUNC_PROVIDER_GET_CAPABILITIES>(get_capabilities),
    Dispatch::END,
];

static GETTABLE: [Param; 5] = gettable(&FIELDS);

/// The entry point of every provider. Reads our configuration and does nothing else: whatever reads `openssl.cnf` comes
/// through here, with or without a service, and a failure would take the providers listed after us away.
///
/// # Safety
/// The caller is OpenSSL's core, or keeps its promises of provider-base(7).
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn OSSL_provider_init(
    handle: *const Handle,
    functions: *const Dispatch,
    ours: *mut *const Dispatch,
    context: *mut *mut c_void,
) -> c_int {
    let made = catch_unwind(AssertUnwindSafe(|| {
        job::find();
        // SAFETY: the core's promise.
        let core = unsafe { Core::new(handle, functions) };
        own(Arc::new(Provider::new(core)))
    }));
    let Ok(made) = made else { return 0 };
    // SAFETY: both places are writable: the core's promise.
    unsafe {
        *ours = FUNCTIONS.as_ptr();
        *context = made;
    }
    1
}

unsafe extern "C" fn teardown(context: *mut c_void) {
    // SAFETY: the core's last use of what `OSSL_provider_init` gave it.
    unsafe { release::<Arc<Provider>>(context) }
}

unsafe extern "C" fn gettable_params(_: *mut c_void) -> *const Param {
    GETTABLE.as_ptr()
}

unsafe extern "C" fn get_params(context: *mut c_void, params: *mut Param) -> c_int {
    // SAFETY: `context` is ours and `params` an OSSL_PARAM request: the core's promise.
    unsafe { with_shared(context, |_: &Arc<Provider>| Request::new(params).answer(&FIELDS, &()).map(|()| 1)) }
}

unsafe extern "C" fn query_operation(_: *mut c_void, operation: c_int, no_cache: *mut c_int) -> *const Algorithm {
    // SAFETY: NULL or a place for the answer: the core's promise. The tables never change, so they may be cached.
    if let Some(no_cache) = unsafe { no_cache.as_mut() } {
        *no_cache = 0;
    }
    match operation {
        OSSL_OP_KEYMGMT => algorithms::KEYMGMT.as_ptr(),
        OSSL_OP_KEYEXCH => algorithms::KEYEXCH.as_ptr(),
        OSSL_OP_SIGNATURE => algorithms::SIGNATURE.as_ptr(),
        OSSL_OP_ASYM_CIPHER => algorithms::ASYM_CIPHER.as_ptr(),
        OSSL_OP_ENCODER => algorithms::ENCODER.as_ptr(),
        OSSL_OP_DECODER => algorithms::DECODER.as_ptr(),
        OSSL_OP_STORE => algorithms::STORE.as_ptr(),
        _ => ptr::null(),
    }
}

/// The groups of TLS whose keys are [`unnamed`](crate::unnamed). libssl takes each from whichever provider it gets such keys from: without them, a
/// program that lists this one first would go without the usual groups. The signature algorithms are the default provider's own.
unsafe extern "C" fn get_capabilities(
    context: *mut c_void,
    capability: *const c_char,
    callback: Callback,
    argument: *mut c_void,
) -> c_int {
    // SAFETY: the core gives the context it got from us, and a C string.
    unsafe {
        with_shared(context, |_: &Arc<Provider>| {
            let groups = if text(capability) == Some("TLS-GROUP") { &GROUPS[..] } else { &[] };
            Ok(groups.iter().all(|group| emit(callback, argument, group.capability())).into())
        })
    }
}
