//! OpenSSL's provider ABI, written down by hand, and the one place where C meets Rust.
//!
//! The numbers and signatures of `core_dispatch.h` never change, only grow, so they are checked in: the library needs
//! neither OpenSSL's headers to build nor libcrypto to load, and one file serves every OpenSSL from 3.0 on, static ones
//! too. A test compares every line of it with the installed headers.
//!
//! All `unsafe` of the crate is here, with [`params`] for OSSL_PARAM, and in the C entry points, which turn each call into one of safe
//! code: [`dispatch`](crate::dispatch) and [`init`](crate::init).
#![allow(non_camel_case_types, reason = "functions carry the names that core_dispatch.h gives them")]

use std::{
    ffi::{c_char, c_int, c_long, c_uint, c_void},
    panic::{AssertUnwindSafe, catch_unwind},
    ptr,
};

use self::core::Core;
use crate::error::Error;

pub(crate) mod core;
pub(crate) mod fuzz;
pub(crate) mod job;
pub(crate) mod params;
pub(crate) mod process;

#[cfg(test)]
mod headers;

/// `OSSL_DISPATCH`: a function by its number.
#[repr(C)]
pub(crate) struct Dispatch {
    pub(crate) id: c_int,
    pub(crate) function: Option<unsafe extern "C" fn()>,
}

impl Dispatch {
    pub(crate) const END: Self = Self { id: 0, function: None };
}

/// `OSSL_ALGORITHM`: the names of an algorithm, what may be said of it in a property query, and its functions.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Algorithm {
    pub(crate) names: *const c_char,
    pub(crate) properties: *const c_char,
    pub(crate) implementation: *const Dispatch,
    pub(crate) description: *const c_char,
}

impl Algorithm {
    pub(crate) const END: Self =
        Self { names: ptr::null(), properties: ptr::null(), implementation: ptr::null(), description: ptr::null() };
}

// SAFETY: all four pointers lead to immutable statics.
unsafe impl Sync for Algorithm {}

/// `OSSL_PARAM`.
#[repr(C)]
pub(crate) struct Param {
    pub(crate) key: *const c_char,
    pub(crate) data_type: c_uint,
    pub(crate) data: *mut c_void,
    pub(crate) data_size: usize,
    pub(crate) return_size: usize,
}

// SAFETY: a static `Param` is a descriptor: its key is a static string and its data is NULL.
unsafe impl Sync for Param {}

/// `OSSL_CORE_HANDLE`, `OSSL_CORE_BIO`: opaque.
#[repr(C)]
pub(crate) struct Handle([u8; 0]);
#[repr(C)]
pub(crate) struct Bio([u8; 0]);

/// `va_list` as a parameter: a pointer in the C ABIs of x86-64, AArch64 and RISC-V alike.
pub(crate) type VaList = *mut c_void;
pub(crate) type Callback = Option<unsafe extern "C" fn(*const Param, *mut c_void) -> c_int>;
pub(crate) type PassphraseCallback =
    Option<unsafe extern "C" fn(*mut c_char, usize, *mut usize, *const Param, *mut c_void) -> c_int>;

/// A function of `core_dispatch.h`: its number and its C signature.
pub(crate) trait Function {
    const ID: c_int;
    type Fn: Copy;
}

macro_rules! functions {
    ($($name:ident = $id:literal: fn($($arg:ty),*) -> $ret:ty;)*) => {
        $(
            pub(crate) enum $name {}
            impl Function for $name {
                const ID: c_int = $id;
                type Fn = unsafe extern "C" fn($($arg),*) -> $ret;
            }
        )*
        /// Name, number, argument types and result type, for the comparison with the headers.
        #[cfg(test)]
        pub(crate) const FUNCTIONS: &[(&str, c_int, &[&str], &str)] =
            &[$((stringify!($name), $id, &[$(stringify!($arg)),*], stringify!($ret)),)*];
    };
}

macro_rules! names {
    ($($name:ident = $value:literal;)*) => {
        $(pub(crate) const $name: &std::ffi::CStr = $value;)*
        /// Name and value, for the comparison with the headers.
        #[cfg(test)]
        pub(crate) const NAMES: &[(&str, &std::ffi::CStr)] = &[$((stringify!($name), $value),)*];
    };
}

functions! {
    // the core's, for us
    OSSL_FUNC_CORE_GET_PARAMS = 2: fn(*const Handle, *mut Param) -> c_int;
    OSSL_FUNC_CORE_NEW_ERROR = 5: fn(*const Handle) -> ();
    OSSL_FUNC_CORE_SET_ERROR_DEBUG = 6: fn(*const Handle, *const c_char, c_int, *const c_char) -> ();
    OSSL_FUNC_CORE_VSET_ERROR = 7: fn(*const Handle, u32, *const c_char, VaList) -> ();
    OSSL_FUNC_BIO_READ_EX = 42: fn(*mut Bio, *mut c_void, usize, *mut usize) -> c_int;
    OSSL_FUNC_BIO_WRITE_EX = 43: fn(*mut Bio, *const c_void, usize, *mut usize) -> c_int;
    OSSL_FUNC_BIO_GETS = 49: fn(*mut Bio, *mut c_char, c_int) -> c_int;
    OSSL_FUNC_BIO_CTRL = 50: fn(*mut Bio, c_int, c_long, *mut c_void) -> c_int;

    // ours, for the core
    OSSL_FUNC_PROVIDER_TEARDOWN = 1024: fn(*mut c_void) -> ();
    OSSL_FUNC_PROVIDER_GETTABLE_PARAMS = 1025: fn(*mut c_void) -> *const Param;
    OSSL_FUNC_PROVIDER_GET_PARAMS = 1026: fn(*mut c_void, *mut Param) -> c_int;
    OSSL_FUNC_PROVIDER_QUERY_OPERATION = 1027: fn(*mut c_void, c_int, *mut c_int) -> *const Algorithm;
    OSSL_FUNC_PROVIDER_GET_CAPABILITIES = 1030: fn(*mut c_void, *const c_char, Callback, *mut c_void) -> c_int;

    OSSL_FUNC_KEYMGMT_NEW = 1: fn(*mut c_void) -> *mut c_void;
    OSSL_FUNC_KEYMGMT_GEN_INIT = 2: fn(*mut c_void, c_int, *const Param) -> *mut c_void;
    OSSL_FUNC_KEYMGMT_GEN_SET_TEMPLATE = 3: fn(*mut c_void, *mut c_void) -> c_int;
    OSSL_FUNC_KEYMGMT_GEN_SET_PARAMS = 4: fn(*mut c_void, *const Param) -> c_int;
    OSSL_FUNC_KEYMGMT_GEN_SETTABLE_PARAMS = 5: fn(*mut c_void, *mut c_void) -> *const Param;
    OSSL_FUNC_KEYMGMT_GEN = 6: fn(*mut c_void, Callback, *mut c_void) -> *mut c_void;
    OSSL_FUNC_KEYMGMT_GEN_CLEANUP = 7: fn(*mut c_void) -> ();
    OSSL_FUNC_KEYMGMT_LOAD = 8: fn(*const c_void, usize) -> *mut c_void;
    OSSL_FUNC_KEYMGMT_FREE = 10: fn(*mut c_void) -> ();
    OSSL_FUNC_KEYMGMT_GET_PARAMS = 11: fn(*mut c_void, *mut Param) -> c_int;
    OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS = 12: fn(*mut c_void) -> *const Param;
    OSSL_FUNC_KEYMGMT_SET_PARAMS = 13: fn(*mut c_void, *const Param) -> c_int;
    OSSL_FUNC_KEYMGMT_SETTABLE_PARAMS = 14: fn(*mut c_void) -> *const Param;
    OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME = 20: fn(c_int) -> *const c_char;
    OSSL_FUNC_KEYMGMT_HAS = 21: fn(*const c_void, c_int) -> c_int;
    OSSL_FUNC_KEYMGMT_VALIDATE = 22: fn(*const c_void, c_int, c_int) -> c_int;
    OSSL_FUNC_KEYMGMT_MATCH = 23: fn(*const c_void, *const c_void, c_int) -> c_int;
    OSSL_FUNC_KEYMGMT_IMPORT = 40: fn(*mut c_void, c_int, *const Param) -> c_int;
    OSSL_FUNC_KEYMGMT_IMPORT_TYPES = 41: fn(c_int) -> *const Param;
    OSSL_FUNC_KEYMGMT_EXPORT = 42: fn(*mut c_void, c_int, Callback, *mut c_void) -> c_int;
    OSSL_FUNC_KEYMGMT_EXPORT_TYPES = 43: fn(c_int) -> *const Param;
    OSSL_FUNC_KEYMGMT_DUP = 44: fn(*const c_void, c_int) -> *mut c_void;

    OSSL_FUNC_KEYEXCH_NEWCTX = 1: fn(*mut c_void) -> *mut c_void;
    OSSL_FUNC_KEYEXCH_INIT = 2: fn(*mut c_void, *mut c_void, *const Param) -> c_int;
    OSSL_FUNC_KEYEXCH_DERIVE = 3: fn(*mut c_void, *mut u8, *mut usize, usize) -> c_int;
    OSSL_FUNC_KEYEXCH_SET_PEER = 4: fn(*mut c_void, *mut c_void) -> c_int;
    OSSL_FUNC_KEYEXCH_FREECTX = 5: fn(*mut c_void) -> ();
    OSSL_FUNC_KEYEXCH_DUPCTX = 6: fn(*mut c_void) -> *mut c_void;
    OSSL_FUNC_KEYEXCH_SET_CTX_PARAMS = 7: fn(*mut c_void, *const Param) -> c_int;
    OSSL_FUNC_KEYEXCH_SETTABLE_CTX_PARAMS = 8: fn(*mut c_void, *mut c_void) -> *const Param;
    OSSL_FUNC_KEYEXCH_GET_CTX_PARAMS = 9: fn(*mut c_void, *mut Param) -> c_int;
    OSSL_FUNC_KEYEXCH_GETTABLE_CTX_PARAMS = 10: fn(*mut c_void, *mut c_void) -> *const Param;

    OSSL_FUNC_SIGNATURE_NEWCTX = 1: fn(*mut c_void, *const c_char) -> *mut c_void;
    OSSL_FUNC_SIGNATURE_SIGN_INIT = 2: fn(*mut c_void, *mut c_void, *const Param) -> c_int;
    OSSL_FUNC_SIGNATURE_SIGN = 3: fn(*mut c_void, *mut u8, *mut usize, usize, *const u8, usize) -> c_int;
    OSSL_FUNC_SIGNATURE_VERIFY_INIT = 4: fn(*mut c_void, *mut c_void, *const Param) -> c_int;
    OSSL_FUNC_SIGNATURE_VERIFY = 5: fn(*mut c_void, *const u8, usize, *const u8, usize) -> c_int;
    OSSL_FUNC_SIGNATURE_VERIFY_RECOVER_INIT = 6: fn(*mut c_void, *mut c_void, *const Param) -> c_int;
    OSSL_FUNC_SIGNATURE_VERIFY_RECOVER = 7: fn(*mut c_void, *mut u8, *mut usize, usize, *const u8, usize) -> c_int;
    OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT = 8: fn(*mut c_void, *const c_char, *mut c_void, *const Param) -> c_int;
    OSSL_FUNC_SIGNATURE_DIGEST_SIGN_UPDATE = 9: fn(*mut c_void, *const u8, usize) -> c_int;
    OSSL_FUNC_SIGNATURE_DIGEST_SIGN_FINAL = 10: fn(*mut c_void, *mut u8, *mut usize, usize) -> c_int;
    OSSL_FUNC_SIGNATURE_DIGEST_SIGN = 11: fn(*mut c_void, *mut u8, *mut usize, usize, *const u8, usize) -> c_int;
    OSSL_FUNC_SIGNATURE_DIGEST_VERIFY_INIT = 12: fn(*mut c_void, *const c_char, *mut c_void, *const Param) -> c_int;
    OSSL_FUNC_SIGNATURE_DIGEST_VERIFY_UPDATE = 13: fn(*mut c_void, *const u8, usize) -> c_int;
    OSSL_FUNC_SIGNATURE_DIGEST_VERIFY_FINAL = 14: fn(*mut c_void, *const u8, usize) -> c_int;
    OSSL_FUNC_SIGNATURE_DIGEST_VERIFY = 15: fn(*mut c_void, *const u8, usize, *const u8, usize) -> c_int;
    OSSL_FUNC_SIGNATURE_FREECTX = 16: fn(*mut c_void) -> ();
    OSSL_FUNC_SIGNATURE_DUPCTX = 17: fn(*mut c_void) -> *mut c_void;
    OSSL_FUNC_SIGNATURE_GET_CTX_PARAMS = 18: fn(*mut c_void, *mut Param) -> c_int;
    OSSL_FUNC_SIGNATURE_GETTABLE_CTX_PARAMS = 19: fn(*mut c_void, *mut c_void) -> *const Param;
    OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS = 20: fn(*mut c_void, *const Param) -> c_int;
    OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS = 21: fn(*mut c_void, *mut c_void) -> *const Param;

    OSSL_FUNC_ASYM_CIPHER_NEWCTX = 1: fn(*mut c_void) -> *mut c_void;
    OSSL_FUNC_ASYM_CIPHER_ENCRYPT_INIT = 2: fn(*mut c_void, *mut c_void, *const Param) -> c_int;
    OSSL_FUNC_ASYM_CIPHER_ENCRYPT = 3: fn(*mut c_void, *mut u8, *mut usize, usize, *const u8, usize) -> c_int;
    OSSL_FUNC_ASYM_CIPHER_DECRYPT_INIT = 4: fn(*mut c_void, *mut c_void, *const Param) -> c_int;
    OSSL_FUNC_ASYM_CIPHER_DECRYPT = 5: fn(*mut c_void, *mut u8, *mut usize, usize, *const u8, usize) -> c_int;
    OSSL_FUNC_ASYM_CIPHER_FREECTX = 6: fn(*mut c_void) -> ();
    OSSL_FUNC_ASYM_CIPHER_DUPCTX = 7: fn(*mut c_void) -> *mut c_void;
    OSSL_FUNC_ASYM_CIPHER_GET_CTX_PARAMS = 8: fn(*mut c_void, *mut Param) -> c_int;
    OSSL_FUNC_ASYM_CIPHER_GETTABLE_CTX_PARAMS = 9: fn(*mut c_void, *mut c_void) -> *const Param;
    OSSL_FUNC_ASYM_CIPHER_SET_CTX_PARAMS = 10: fn(*mut c_void, *const Param) -> c_int;
    OSSL_FUNC_ASYM_CIPHER_SETTABLE_CTX_PARAMS = 11: fn(*mut c_void, *mut c_void) -> *const Param;

    OSSL_FUNC_ENCODER_NEWCTX = 1: fn(*mut c_void) -> *mut c_void;
    OSSL_FUNC_ENCODER_FREECTX = 2: fn(*mut c_void) -> ();
    OSSL_FUNC_ENCODER_SET_CTX_PARAMS = 5: fn(*mut c_void, *const Param) -> c_int;
    OSSL_FUNC_ENCODER_SETTABLE_CTX_PARAMS = 6: fn(*mut c_void) -> *const Param;
    OSSL_FUNC_ENCODER_DOES_SELECTION = 10: fn(*mut c_void, c_int) -> c_int;
    OSSL_FUNC_ENCODER_ENCODE = 11:
        fn(*mut c_void, *mut Bio, *const c_void, *const Param, c_int, PassphraseCallback, *mut c_void) -> c_int;

    OSSL_FUNC_DECODER_NEWCTX = 1: fn(*mut c_void) -> *mut c_void;
    OSSL_FUNC_DECODER_FREECTX = 2: fn(*mut c_void) -> ();
    OSSL_FUNC_DECODER_DOES_SELECTION = 10: fn(*mut c_void, c_int) -> c_int;
    OSSL_FUNC_DECODER_DECODE = 11:
        fn(*mut c_void, *mut Bio, c_int, Callback, *mut c_void, PassphraseCallback, *mut c_void) -> c_int;

    OSSL_FUNC_STORE_OPEN = 1: fn(*mut c_void, *const c_char) -> *mut c_void;
    OSSL_FUNC_STORE_SETTABLE_CTX_PARAMS = 3: fn(*mut c_void) -> *const Param;
    OSSL_FUNC_STORE_SET_CTX_PARAMS = 4: fn(*mut c_void, *const Param) -> c_int;
    OSSL_FUNC_STORE_LOAD = 5: fn(*mut c_void, Callback, *mut c_void, PassphraseCallback, *mut c_void) -> c_int;
    OSSL_FUNC_STORE_EOF = 6: fn(*mut c_void) -> c_int;
    OSSL_FUNC_STORE_CLOSE = 7: fn(*mut c_void) -> c_int;
}

/// What came after OpenSSL 3.0, which passes over numbers that it does not know.
pub(crate) mod newer {
    use super::{Function, Param, c_char, c_int, c_void};

    functions! {
        // 3.4
        OSSL_FUNC_SIGNATURE_QUERY_KEY_TYPES = 26: fn() -> *mut *const c_char;
        OSSL_FUNC_SIGNATURE_SIGN_MESSAGE_INIT = 27: fn(*mut c_void, *mut c_void, *const Param) -> c_int;
        OSSL_FUNC_SIGNATURE_SIGN_MESSAGE_UPDATE = 28: fn(*mut c_void, *const u8, usize) -> c_int;
        OSSL_FUNC_SIGNATURE_SIGN_MESSAGE_FINAL = 29: fn(*mut c_void, *mut u8, *mut usize, usize) -> c_int;
        OSSL_FUNC_SIGNATURE_VERIFY_MESSAGE_INIT = 30: fn(*mut c_void, *mut c_void, *const Param) -> c_int;
        OSSL_FUNC_SIGNATURE_VERIFY_MESSAGE_UPDATE = 31: fn(*mut c_void, *const u8, usize) -> c_int;
        OSSL_FUNC_SIGNATURE_VERIFY_MESSAGE_FINAL = 32: fn(*mut c_void) -> c_int;
    }

    names! {
        OSSL_SIGNATURE_PARAM_CONTEXT_STRING = c"context-string";
        OSSL_SIGNATURE_PARAM_DETERMINISTIC = c"deterministic";
        OSSL_SIGNATURE_PARAM_MESSAGE_ENCODING = c"message-encoding";
        OSSL_SIGNATURE_PARAM_MU = c"mu";
        OSSL_SIGNATURE_PARAM_SIGNATURE = c"signature";
    }
}

macro_rules! constants {
    ($($name:ident = $value:literal;)*) => {
        $(pub(crate) const $name: c_int = $value;)*
        /// Name and value, for the comparison with the headers.
        #[cfg(test)]
        pub(crate) const CONSTANTS: &[(&str, c_int)] = &[$((stringify!($name), $value),)*];
    };
}

constants! {
    OSSL_OP_KEYMGMT = 10;
    OSSL_OP_KEYEXCH = 11;
    OSSL_OP_SIGNATURE = 12;
    OSSL_OP_ASYM_CIPHER = 13;
    OSSL_OP_ENCODER = 20;
    OSSL_OP_DECODER = 21;
    OSSL_OP_STORE = 22;
    OSSL_PARAM_INTEGER = 1;
    OSSL_PARAM_UNSIGNED_INTEGER = 2;
    OSSL_PARAM_UTF8_STRING = 4;
    OSSL_PARAM_OCTET_STRING = 5;
    OSSL_PARAM_UTF8_PTR = 6;
    OSSL_PARAM_OCTET_PTR = 7;
    OSSL_KEYMGMT_SELECT_PRIVATE_KEY = 0x01;
    OSSL_KEYMGMT_SELECT_PUBLIC_KEY = 0x02;
    OSSL_KEYMGMT_SELECT_DOMAIN_PARAMETERS = 0x04;
    OSSL_KEYMGMT_SELECT_OTHER_PARAMETERS = 0x80;
    OSSL_OBJECT_PKEY = 2;
    OSSL_OBJECT_CERT = 3;
    OSSL_STORE_INFO_PUBKEY = 3;
    OSSL_STORE_INFO_PKEY = 4;
    OSSL_STORE_INFO_CERT = 5;
    BIO_C_GET_FILE_PTR = 107;
    TLS1_VERSION = 0x0301;
    DTLS1_VERSION = 0xfeff;
    RSA_PKCS1_PADDING = 1;
    RSA_NO_PADDING = 3;
    RSA_PKCS1_OAEP_PADDING = 4;
    RSA_PKCS1_PSS_PADDING = 6;
    RSA_PKCS1_WITH_TLS_PADDING = 7;
    RSA_PSS_SALTLEN_DIGEST = -1;
    RSA_PSS_SALTLEN_AUTO = -2;
    RSA_PSS_SALTLEN_MAX = -3;
}

names! {
    OSSL_PROV_PARAM_NAME = c"name";
    OSSL_PROV_PARAM_VERSION = c"version";
    OSSL_PROV_PARAM_BUILDINFO = c"buildinfo";
    OSSL_PROV_PARAM_STATUS = c"status";
    OSSL_OBJECT_PARAM_TYPE = c"type";
    OSSL_OBJECT_PARAM_DATA_TYPE = c"data-type";
    OSSL_OBJECT_PARAM_DATA_STRUCTURE = c"data-structure";
    OSSL_OBJECT_PARAM_DATA = c"data";
    OSSL_OBJECT_PARAM_REFERENCE = c"reference";
    OSSL_PKEY_PARAM_BITS = c"bits";
    OSSL_PKEY_PARAM_SECURITY_BITS = c"security-bits";
    OSSL_PKEY_PARAM_MAX_SIZE = c"max-size";
    OSSL_PKEY_PARAM_DEFAULT_DIGEST = c"default-digest";
    OSSL_PKEY_PARAM_MANDATORY_DIGEST = c"mandatory-digest";
    OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY = c"encoded-pub-key";
    OSSL_PKEY_PARAM_GROUP_NAME = c"group";
    OSSL_PKEY_PARAM_PUB_KEY = c"pub";
    OSSL_PKEY_PARAM_PRIV_KEY = c"priv";
    OSSL_PKEY_PARAM_EC_PUB_X = c"qx";
    OSSL_PKEY_PARAM_EC_PUB_Y = c"qy";
    OSSL_PKEY_PARAM_EC_ENCODING = c"encoding";
    OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT = c"point-format";
    OSSL_PKEY_PARAM_EC_FIELD_TYPE = c"field-type";
    OSSL_PKEY_PARAM_EC_P = c"p";
    OSSL_PKEY_PARAM_EC_A = c"a";
    OSSL_PKEY_PARAM_EC_B = c"b";
    OSSL_PKEY_PARAM_EC_GENERATOR = c"generator";
    OSSL_PKEY_PARAM_EC_ORDER = c"order";
    OSSL_PKEY_PARAM_EC_COFACTOR = c"cofactor";
    OSSL_PKEY_PARAM_EC_SEED = c"seed";
    OSSL_PKEY_PARAM_USE_COFACTOR_ECDH = c"use-cofactor-flag";
    OSSL_PKEY_PARAM_EC_GROUP_CHECK_TYPE = c"group-check";
    OSSL_PKEY_PARAM_EC_INCLUDE_PUBLIC = c"include-public";
    OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS = c"decoded-from-explicit";
    OSSL_PKEY_EC_ENCODING_GROUP = c"named_curve";
    OSSL_PKEY_EC_POINT_CONVERSION_FORMAT_UNCOMPRESSED = c"uncompressed";
    OSSL_PKEY_PARAM_RSA_N = c"n";
    OSSL_PKEY_PARAM_RSA_E = c"e";
    OSSL_PKEY_PARAM_RSA_D = c"d";
    OSSL_PKEY_PARAM_RSA_BITS = c"bits";
    OSSL_PKEY_PARAM_RSA_PRIMES = c"primes";
    OSSL_PKEY_PARAM_RSA_DIGEST = c"digest";
    OSSL_PKEY_PARAM_RSA_MGF1_DIGEST = c"mgf1-digest";
    OSSL_PKEY_PARAM_RSA_PSS_SALTLEN = c"saltlen";
    OSSL_EXCHANGE_PARAM_EC_ECDH_COFACTOR_MODE = c"ecdh-cofactor-mode";
    OSSL_EXCHANGE_PARAM_KDF_TYPE = c"kdf-type";
    OSSL_EXCHANGE_PARAM_KDF_DIGEST = c"kdf-digest";
    OSSL_EXCHANGE_PARAM_KDF_OUTLEN = c"kdf-outlen";
    OSSL_EXCHANGE_PARAM_KDF_UKM = c"kdf-ukm";
    OSSL_KDF_NAME_X963KDF = c"X963KDF";
    OSSL_SIGNATURE_PARAM_ALGORITHM_ID = c"algorithm-id";
    OSSL_SIGNATURE_PARAM_DIGEST = c"digest";
    OSSL_SIGNATURE_PARAM_DIGEST_SIZE = c"digest-size";
    OSSL_SIGNATURE_PARAM_PAD_MODE = c"pad-mode";
    OSSL_SIGNATURE_PARAM_PSS_SALTLEN = c"saltlen";
    OSSL_SIGNATURE_PARAM_MGF1_DIGEST = c"mgf1-digest";
    OSSL_ASYM_CIPHER_PARAM_PAD_MODE = c"pad-mode";
    OSSL_ASYM_CIPHER_PARAM_OAEP_DIGEST = c"digest";
    OSSL_ASYM_CIPHER_PARAM_OAEP_LABEL = c"oaep-label";
    OSSL_ASYM_CIPHER_PARAM_MGF1_DIGEST = c"mgf1-digest";
    OSSL_ASYM_CIPHER_PARAM_TLS_CLIENT_VERSION = c"tls-client-version";
    OSSL_ASYM_CIPHER_PARAM_TLS_NEGOTIATED_VERSION = c"tls-negotiated-version";
    OSSL_PKEY_RSA_PAD_MODE_NONE = c"none";
    OSSL_PKEY_RSA_PAD_MODE_OAEP = c"oaep";
    OSSL_PKEY_RSA_PAD_MODE_PKCSV15 = c"pkcs1";
    OSSL_PKEY_RSA_PAD_MODE_PSS = c"pss";
    OSSL_PKEY_RSA_PSS_SALT_LEN_DIGEST = c"digest";
    OSSL_PKEY_RSA_PSS_SALT_LEN_AUTO = c"auto";
    OSSL_PKEY_RSA_PSS_SALT_LEN_MAX = c"max";
    OSSL_ENCODER_PARAM_CIPHER = c"cipher";
    OSSL_CAPABILITY_TLS_GROUP_NAME = c"tls-group-name";
    OSSL_CAPABILITY_TLS_GROUP_NAME_INTERNAL = c"tls-group-name-internal";
    OSSL_CAPABILITY_TLS_GROUP_ID = c"tls-group-id";
    OSSL_CAPABILITY_TLS_GROUP_ALG = c"tls-group-alg";
    OSSL_CAPABILITY_TLS_GROUP_SECURITY_BITS = c"tls-group-sec-bits";
    OSSL_CAPABILITY_TLS_GROUP_MIN_TLS = c"tls-min-tls";
    OSSL_CAPABILITY_TLS_GROUP_MAX_TLS = c"tls-max-tls";
    OSSL_CAPABILITY_TLS_GROUP_MIN_DTLS = c"tls-min-dtls";
    OSSL_CAPABILITY_TLS_GROUP_MAX_DTLS = c"tls-max-dtls";
    OSSL_STORE_PARAM_EXPECT = c"expect";
    OSSL_STORE_PARAM_PROPERTIES = c"properties";
}

/// An entry of a dispatch table. The function's type is checked against its declaration before it is erased.
pub(crate) const fn entry<F: Function>(function: F::Fn) -> Dispatch {
    // SAFETY: `Function::Fn` is an `extern "C"` function pointer for every implementor, all made by `functions!`; the
    // core casts it back to the same signature, which the id stands for.
    let erased = unsafe { std::mem::transmute_copy::<F::Fn, unsafe extern "C" fn()>(&function) };
    Dispatch { id: F::ID, function: Some(erased) }
}

/// What a C function answers when its body failed.
pub(crate) trait Failure {
    const FAILED: Self;
}

impl Failure for () {
    const FAILED: Self = ();
}

impl Failure for c_int {
    const FAILED: Self = 0;
}

impl<T> Failure for *mut T {
    const FAILED: Self = ptr::null_mut();
}

impl<T> Failure for *const T {
    const FAILED: Self = ptr::null();
}

/// The boundary every entry point passes: no panic crosses it, and an error goes onto the host's OpenSSL error queue and
/// comes back as the return type's failure value.
pub(crate) fn boundary<R: Failure>(core: Core, body: impl FnOnce() -> Result<R, Error>) -> R {
    let error = match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(value)) => return value,
        Ok(Err(error)) => error,
        Err(_) => Error::Internal,
    };
    core.raise(&error);
    R::FAILED
}

/// An object that the core holds for us, and through which errors find their way to the host's queue.
pub(crate) trait Object {
    fn core(&self) -> Core;
}

/// [`boundary`] for a function of an object. NULL is answered as a failure.
///
/// # Safety
/// `object` is NULL or an [`own`]ed `T` that nothing else refers to during the call.
pub(crate) unsafe fn with<T: Object, R: Failure>(object: *mut c_void, body: impl FnOnce(&mut T) -> Result<R, Error>) -> R {
    // SAFETY: the caller's promise.
    let Some(object) = (unsafe { object.cast::<T>().as_mut() }) else {
        return R::FAILED;
    };
    boundary(object.core(), || body(object))
}

/// [`with`] for what several threads may look at together.
///
/// # Safety
/// `object` is NULL or an [`own`]ed `T` that nobody changes during the call.
pub(crate) unsafe fn with_shared<T: Object, R: Failure>(object: *const c_void, body: impl FnOnce(&T) -> Result<R, Error>) -> R {
    // SAFETY: the caller's promise.
    let Some(object) = (unsafe { object.cast::<T>().as_ref() }) else {
        return R::FAILED;
    };
    boundary(object.core(), || body(object))
}

/// Hands an object to the core, until [`release`].
pub(crate) fn own<T>(object: T) -> *mut c_void {
    Box::into_raw(Box::new(object)).cast()
}

/// Takes an object back from the core and drops it.
///
/// # Safety
/// `object` is NULL or an [`own`]ed `T` that the core does not use again.
pub(crate) unsafe fn release<T>(object: *mut c_void) {
    if !object.is_null() {
        // SAFETY: the caller's promise; `own` made it from a box.
        let object = unsafe { Box::from_raw(object.cast::<T>()) };
        // a panicking drop is a bug, and must not unwind into C
        let _ = catch_unwind(AssertUnwindSafe(|| drop(object)));
    }
}

/// The bytes behind a pointer and a length; none when it is NULL.
///
/// # Safety
/// `data` is NULL or leads to `len` bytes that live and stay unchanged for `'a`.
pub(crate) unsafe fn bytes<'a>(data: *const u8, len: usize) -> &'a [u8] {
    if data.is_null() {
        return &[];
    }
    // SAFETY: the caller's promise.
    unsafe { std::slice::from_raw_parts(data, len) }
}

/// The text behind a C string; None when it is NULL or not UTF-8.
///
/// # Safety
/// `text` is NULL or a NUL-terminated string that lives and stays unchanged for `'a`.
pub(crate) unsafe fn text<'a>(text: *const c_char) -> Option<&'a str> {
    if text.is_null() {
        return None;
    }
    // SAFETY: the caller's promise.
    unsafe { std::ffi::CStr::from_ptr(text) }.to_str().ok()
}

/// A buffer of the caller's with its size-query rule: without a buffer only the largest size is told.
pub(crate) struct Output<'a> {
    buffer: Option<&'a mut [u8]>,
    len: &'a mut usize,
}

impl<'a> Output<'a> {
    /// # Safety
    /// `len` is NULL or writable; `buffer` is NULL or writable for `size` bytes; both for `'a` and by nobody else.
    pub(crate) unsafe fn new(buffer: *mut u8, len: *mut usize, size: usize) -> Result<Self, Error> {
        // SAFETY: the caller's promise.
        let len = unsafe { len.as_mut() }.ok_or(Error::State("no place for the length of the result"))?;
        // SAFETY: the caller's promise.
        let buffer = (!buffer.is_null()).then(|| unsafe { std::slice::from_raw_parts_mut(buffer, size) });
        Ok(Self { buffer, len })
    }

    /// Runs `make` and hands out its result of at most `max` bytes. It is not run for a size query, nor when the buffer
    /// could turn out too small.
    pub(crate) fn fill<R: AsRef<[u8]>>(self, max: usize, make: impl FnOnce() -> Result<R, Error>) -> Result<(), Error> {
        let Some(buffer) = self.buffer else {
            *self.len = max;
            return Ok(());
        };
        if buffer.len() < max {
            return Err(Error::Buffer { has: buffer.len(), needs: max });
        }
        let made = make()?;
        let made = made.as_ref();
        let place = buffer.get_mut(..made.len()).ok_or(Error::Internal)?;
        place.copy_from_slice(made);
        *self.len = made.len();
        Ok(())
    }
}
