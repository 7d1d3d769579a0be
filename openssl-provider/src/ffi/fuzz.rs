//! What callers hand in, made of bytes for the fuzzer.

use std::ffi::{CStr, CString, c_int, c_void};

use super::{
    OSSL_PARAM_OCTET_PTR, OSSL_PARAM_UTF8_PTR, Param,
    params::{Params, Request},
};

/// The name, the type and the value of a parameter.
type Parameter<'a> = (&'static CStr, u8, &'a [u8]);

impl Param {
    /// Its name, unless it is the end mark.
    pub(crate) fn named(&self) -> Option<&'static CStr> {
        // SAFETY: descriptors have static names.
        (!self.key.is_null()).then(|| unsafe { CStr::from_ptr(self.key) })
    }
}

/// Parameters that a caller gives.
pub(crate) fn given<T>(values: &[Parameter<'_>], work: impl FnOnce(Params<'_>) -> T) -> T {
    let texts: Vec<CString> = values.iter().map(|(_, _, value)| CString::new(*value).unwrap_or_default()).collect();
    let places: Vec<_> = texts.iter().map(|text| text.as_ptr()).collect();
    let params = values.iter().zip(&places).map(|((name, kind, value), place)| {
        let pointed = pointer(*kind);
        let data: *const c_void = if pointed { (&raw const *place).cast() } else { value.as_ptr().cast() };
        param(name, *kind, data.cast_mut(), value.len())
    });
    let params: Vec<_> = params.chain([Param::END]).collect();
    // SAFETY: the array ends with the mark; what it leads to outlives the call.
    work(unsafe { Params::new(params.as_ptr()) })
}

/// Parameters that a caller asks for, in buffers of the length of these values; in none where that is 0.
pub(crate) fn asked(values: &[Parameter<'_>], work: impl FnOnce(&mut Request<'_>)) {
    let mut buffers: Vec<Vec<u8>> = values.iter().map(|(_, _, value)| value.to_vec()).collect();
    let mut places: Vec<*const c_void> = vec![std::ptr::null(); values.len()];
    let params = values.iter().zip(&mut buffers).zip(&mut places).map(|(((name, kind, value), buffer), place)| {
        let data: *mut c_void = match pointer(*kind) {
            true => (&raw mut *place).cast(),
            false if value.is_empty() => std::ptr::null_mut(),
            false => buffer.as_mut_ptr().cast(),
        };
        param(name, *kind, data, value.len())
    });
    let mut params: Vec<_> = params.chain([Param::END]).collect();
    // SAFETY: the array ends with the mark; its buffers are writable and nobody else's during the call.
    work(&mut unsafe { Request::new(params.as_mut_ptr()) });
}

/// Whether such a value is a pointer to what is meant.
fn pointer(kind: u8) -> bool {
    [OSSL_PARAM_UTF8_PTR, OSSL_PARAM_OCTET_PTR].contains(&c_int::from(kind))
}

fn param(name: &'static CStr, kind: u8, data: *mut c_void, data_size: usize) -> Param {
    Param { key: name.as_ptr(), data_type: kind.into(), data, data_size, return_size: 0 }
}
