//! What callers hand in, made of bytes for the fuzzer.

use super::{Mechanism, Template};
use crate::error::Result;
use cryptoki_sys::{CK_ATTRIBUTE, CK_ATTRIBUTE_TYPE, CK_MECHANISM, CK_MECHANISM_TYPE, CK_ULONG};

/// A template of these attributes.
pub(crate) fn template(attributes: &[(CK_ATTRIBUTE_TYPE, &[u8])]) -> Result<Template> {
    let attributes = attributes.iter().map(|(kind, value)| CK_ATTRIBUTE {
        type_: *kind,
        pValue: value.as_ptr().cast_mut().cast(),
        ulValueLen: value.len() as CK_ULONG,
    });
    let attributes: Vec<_> = attributes.collect();
    // SAFETY: the array and the values live, and are only read.
    unsafe { Template::read(attributes.as_ptr(), attributes.len() as CK_ULONG) }
}

/// What a reader makes of a mechanism with this parameter, which leads nowhere.
pub(crate) fn mechanism<T>(kind: CK_MECHANISM_TYPE, parameter: &[u8], read: impl FnOnce(&Mechanism) -> T) -> Result<T> {
    let data = parameter.as_ptr().cast_mut().cast();
    let mechanism = CK_MECHANISM { mechanism: kind, pParameter: data, ulParameterLen: parameter.len() as CK_ULONG };
    // SAFETY: both live longer than the value, and are only read.
    unsafe { Mechanism::read(&raw const mechanism) }.map(|mechanism| read(&mechanism))
}
