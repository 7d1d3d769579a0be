//! The entry points of each operation: the dispatch tables that [`algorithms`](crate::algorithms) lists.
#![allow(clippy::missing_safety_doc, reason = "what the core promises stands in the manual page that each file names")]

use std::{ffi::c_void, sync::Arc};

use crate::{
    ffi::{Object, own, release, with, with_shared},
    provider::Provider,
};

/// Entry points: functions of an object of ours, each with what it does. Its arguments are C's.
macro_rules! calls {
    ($($(#[$doc:meta])* fn $name:ident $(<$kind:ident: $bound:ident>)? ($object:ident: &mut $type:ty $(, $argument:ident: $of:ty)*) => $call:expr;)*) => { $(
        $(#[$doc])*
        unsafe extern "C" fn $name $(<$kind: $bound>)? (object: *mut c_void $(, $argument: $of)*) -> c_int {
            // SAFETY: the core gives an object whose table has this function, or NULL; other objects are ours likewise, buffers as large
            // as they are said to be, texts C strings, and parameters OSSL_PARAM arrays.
            unsafe { with(object, |$object: &mut $type| $call) }
        }
    )* };
}

pub(crate) mod asym_cipher;
pub(crate) mod decoder;
pub(crate) mod encoder;
pub(crate) mod keyexch;
pub(crate) mod keymgmt;
pub(crate) mod signature;
pub(crate) mod store;

/// The context of what has no state of its own is the provider.
unsafe extern "C" fn newctx(context: *mut c_void) -> *mut c_void {
    // SAFETY: the core gives the context it got from us.
    unsafe { with_shared(context, |provider: &Arc<Provider>| Ok(own(Arc::clone(provider)))) }
}

unsafe extern "C" fn dup<T: Object + Clone>(ctx: *mut c_void) -> *mut c_void {
    // SAFETY: `ctx` is one of ours, or NULL.
    unsafe { with(ctx, |ctx: &mut T| Ok(own(ctx.clone()))) }
}

unsafe extern "C" fn free<T>(object: *mut c_void) {
    // SAFETY: the core's last use of an object of ours, whose table says what it is.
    unsafe { release::<T>(object) }
}
