//! The whole C surface, in the order of the standard's function list: one row for each function.
//!
//! A row is the C signature and the safe function that does the work. Between the two, every pointer becomes a safe value. A
//! function that is not implemented is a row too, and answers CKR_FUNCTION_NOT_SUPPORTED. The function lists of all versions and
//! the exported symbols are made from these rows, and the compiler checks each against the standard's type.

// The rows have the standard's names, and promise what the standard says.
#![allow(non_snake_case, clippy::missing_safety_doc)]

mod interfaces;

use std::ffi::c_void;
use std::fmt::Debug;

use cryptoki_sys::*;

use crate::calls::dual::SecondOperation;
use crate::calls::{
    change, create, crypt, derive, digest, dual, encapsulate, find, general, generate, login, message, message_sign,
    object_management, random, recover, session, sign, slot, token, verify, wrap,
};
use crate::error::Error;
use crate::ffi::{self, Mechanism, MessageParameter, Out, Output, Query, Room, Template, input, optional_input};
use crate::objects::object::Points;
use crate::operations::encryption::Direction;
use crate::state::{self, module::AfterFork};

macro_rules! functions {
    (
        v2_40 { $($v2_40:ident $args2_40:tt => $call2_40:expr;)* }
        v3_0 { $($v3_0:ident $args3_0:tt => $call3_0:expr;)* }
        v3_2 { $($v3_2:ident $args3_2:tt => $call3_2:expr;)* }
    ) => {
        /// PKCS#11 3.2; it begins like its forerunners.
        pub(crate) static V3_2: CK_FUNCTION_LIST_3_2 = CK_FUNCTION_LIST_3_2 { C_GetAttributeValue: BARE_POINTS, ..ALL };

        /// The same for a program that has asked for no version. One that knows of bare points knows the others too.
        pub(crate) static ANY: CK_FUNCTION_LIST_3_2 = ALL;

        const ALL: CK_FUNCTION_LIST_3_2 = CK_FUNCTION_LIST_3_2 {
            version: CK_VERSION { major: 3, minor: 2 },
            $($v2_40: function!($v2_40 $args2_40 => $call2_40),)*
            $($v3_0: function!($v3_0 $args3_0 => $call3_0),)*
            $($v3_2: function!($v3_2 $args3_2 => $call3_2),)*
        };

        const fn list_3_0(minor: CK_BYTE) -> CK_FUNCTION_LIST_3_0 {
            CK_FUNCTION_LIST_3_0 {
                version: CK_VERSION { major: 3, minor },
                $($v2_40: ALL.$v2_40,)*
                $($v3_0: ALL.$v3_0,)*
            }
        }

        /// PKCS#11 2.40.
        pub(crate) static V2_40: CK_FUNCTION_LIST = CK_FUNCTION_LIST {
            version: CK_VERSION { major: 2, minor: 40 },
            $($v2_40: ALL.$v2_40,)*
        };

        /// The functions by their names in the symbol table, for programs that look up each one. Each passes its call on to the
        /// function lists. The lists name none of these symbols: another module that a program has loaded first may have its own.
        pub(crate) mod by_name {
            use super::*;

            $(by_name!($v2_40 $args2_40);)*
            $(by_name!($v3_0 $args3_0);)*
            $(by_name!($v3_2 $args3_2);)*
        }
    };
}

macro_rules! function {
    ($name:ident ($($arg:ident: $type:ty),*) => $call:expr) => {{
        unsafe extern "C" fn $name($($arg: $type),*) -> CK_RV {
            let arguments: &[(&str, &dyn Debug)] = &[$((stringify!($arg), &$arg)),*];
            ffi::boundary(stringify!($name), arguments, || {
                // SAFETY: the standard makes the caller promise what the conversions of `ffi` ask for: pointers
                // that are NULL or good for the length that stands beside them, until the call returns.
                #[allow(unused_unsafe)]
                unsafe { $call }
            })
        }
        Some($name)
    }};
}

macro_rules! by_name {
    ($name:ident ($($arg:ident: $type:ty),*)) => {
        #[doc = concat!("`", stringify!($name), "` of the standard.")]
        ///
        /// # Safety
        /// Pointers are NULL or good for what the standard says of them.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name($($arg: $type),*) -> CK_RV {
            match ALL.$name {
                // SAFETY: the caller's promise is passed on.
                Some(function) => unsafe { function($($arg),*) },
                None => CKR_FUNCTION_NOT_SUPPORTED,
            }
        }
    };
}

/// PKCS#11 3.0.
pub(crate) static V3_0: CK_FUNCTION_LIST_3_0 = list_3_0(0);
/// PKCS#11 3.1, which has the functions of 3.0.
pub(crate) static V3_1: CK_FUNCTION_LIST_3_0 = CK_FUNCTION_LIST_3_0 { C_GetAttributeValue: BARE_POINTS, ..list_3_0(1) };

/// C_GetAttributeValue since PKCS#11 3.1.
const BARE_POINTS: CK_C_GetAttributeValue = function!(C_GetAttributeValue
    (session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE, template: CK_ATTRIBUTE_PTR, count: CK_ULONG) =>
    object_management::attributes(session, object, &Query::new(template, count)?, Points::Bare));

/// The same versions for programs that want to go on after a fork. What they initialise stays usable in children, so
/// C_Initialize is the one function that differs.
pub(crate) mod fork_safe {
    use super::*;

    pub(crate) static V2_40: CK_FUNCTION_LIST = CK_FUNCTION_LIST { C_Initialize: INITIALIZE, ..super::V2_40 };
    pub(crate) static V3_0: CK_FUNCTION_LIST_3_0 = CK_FUNCTION_LIST_3_0 { C_Initialize: INITIALIZE, ..super::V3_0 };
    pub(crate) static V3_1: CK_FUNCTION_LIST_3_0 = CK_FUNCTION_LIST_3_0 { C_Initialize: INITIALIZE, ..super::V3_1 };
    pub(crate) static V3_2: CK_FUNCTION_LIST_3_2 = CK_FUNCTION_LIST_3_2 { C_Initialize: INITIALIZE, ..super::V3_2 };
    pub(crate) static ANY: CK_FUNCTION_LIST_3_2 = CK_FUNCTION_LIST_3_2 { C_Initialize: INITIALIZE, ..ALL };

    const INITIALIZE: CK_C_Initialize = function!(C_Initialize (arguments: *mut c_void) =>
        ffi::check_init(arguments).and_then(|()| state::initialize(AfterFork::GoOn)));
}

functions! {
    v2_40 {
        C_Initialize(arguments: *mut c_void) =>
            ffi::check_init(arguments).and_then(|()| state::initialize(AfterFork::of_this_program()));
        C_Finalize(nothing: *mut c_void) => ffi::reserved(nothing).and_then(|()| state::finalize());
        C_GetInfo(info: CK_INFO_PTR) => general::info(&Out::new(info)?);
        C_GetFunctionList(list: CK_FUNCTION_LIST_PTR_PTR) => interfaces::function_list(&Out::new(list)?);
        C_GetSlotList(present: CK_BBOOL, slots: CK_SLOT_ID_PTR, count: CK_ULONG_PTR) =>
            slot::list(present != CK_FALSE, &Output::new(slots, count)?);
        C_GetSlotInfo(slot: CK_SLOT_ID, info: CK_SLOT_INFO_PTR) => slot::info(slot, &Out::new(info)?);
        C_GetTokenInfo(slot: CK_SLOT_ID, info: CK_TOKEN_INFO_PTR) => slot::token(slot, &Out::new(info)?);
        C_GetMechanismList(slot: CK_SLOT_ID, kinds: CK_MECHANISM_TYPE_PTR, count: CK_ULONG_PTR) =>
            slot::mechanisms(slot, &Output::new(kinds, count)?);
        C_GetMechanismInfo(slot: CK_SLOT_ID, kind: CK_MECHANISM_TYPE, info: CK_MECHANISM_INFO_PTR) =>
            slot::mechanism(slot, kind, &Out::new(info)?);
        C_InitToken(slot: CK_SLOT_ID, pin: CK_UTF8CHAR_PTR, pin_len: CK_ULONG, label: CK_UTF8CHAR_PTR) =>
            token::init(slot, input(pin, pin_len)?, input(label, 32)?);
        C_InitPIN(session: CK_SESSION_HANDLE, pin: CK_UTF8CHAR_PTR, pin_len: CK_ULONG) =>
            token::init_pin(session, input(pin, pin_len)?);
        C_SetPIN(session: CK_SESSION_HANDLE, old: CK_UTF8CHAR_PTR, old_len: CK_ULONG, new: CK_UTF8CHAR_PTR, new_len: CK_ULONG) =>
            token::set_pin(session, input(old, old_len)?, input(new, new_len)?);
        C_OpenSession(slot: CK_SLOT_ID, flags: CK_FLAGS, application: *mut c_void, notify: CK_NOTIFY,
            session: CK_SESSION_HANDLE_PTR) =>
            session::open(slot, flags, &Out::new(session)?);
        C_CloseSession(session: CK_SESSION_HANDLE) => session::close(session);
        C_CloseAllSessions(slot: CK_SLOT_ID) => session::close_all(slot);
        C_GetSessionInfo(session: CK_SESSION_HANDLE, info: CK_SESSION_INFO_PTR) => session::info(session, &Out::new(info)?);
        C_GetOperationState(session: CK_SESSION_HANDLE, state: CK_BYTE_PTR, state_len: CK_ULONG_PTR) =>
            digest::save(session, &Output::new(state, state_len)?);
        C_SetOperationState(session: CK_SESSION_HANDLE, state: CK_BYTE_PTR, state_len: CK_ULONG, encryption_key: CK_OBJECT_HANDLE,
            authentication_key: CK_OBJECT_HANDLE) =>
            digest::restore(session, input(state, state_len)?, [encryption_key, authentication_key]);
        C_Login(session: CK_SESSION_HANDLE, user: CK_USER_TYPE, pin: CK_UTF8CHAR_PTR, pin_len: CK_ULONG) =>
            login::login(session, user, input(pin, pin_len)?);
        C_Logout(session: CK_SESSION_HANDLE) => login::logout(session);
        C_CreateObject(session: CK_SESSION_HANDLE, template: CK_ATTRIBUTE_PTR, count: CK_ULONG, object: CK_OBJECT_HANDLE_PTR) =>
            create::create(session, &Template::read(template, count)?, &Out::new(object)?);
        C_CopyObject(session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE, template: CK_ATTRIBUTE_PTR, count: CK_ULONG,
            copy: CK_OBJECT_HANDLE_PTR) =>
            change::copy(session, object, &Template::read(template, count)?, &Out::new(copy)?);
        C_DestroyObject(session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE) => change::destroy(session, object);
        C_GetObjectSize(session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE, size: CK_ULONG_PTR) =>
            object_management::size(session, object, &Out::new(size)?);
        C_GetAttributeValue(session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE, template: CK_ATTRIBUTE_PTR, count: CK_ULONG) =>
            object_management::attributes(session, object, &Query::new(template, count)?, Points::Wrapped);
        C_SetAttributeValue(session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE, template: CK_ATTRIBUTE_PTR, count: CK_ULONG) =>
            change::set_attributes(session, object, &Template::read(template, count)?);
        C_FindObjectsInit(session: CK_SESSION_HANDLE, template: CK_ATTRIBUTE_PTR, count: CK_ULONG) =>
            find::init(session, &Template::read(template, count)?);
        C_FindObjects(session: CK_SESSION_HANDLE, objects: CK_OBJECT_HANDLE_PTR, max: CK_ULONG, count: CK_ULONG_PTR) =>
            find::next(session, &Room::new(objects, max)?, &Out::new(count)?);
        C_FindObjectsFinal(session: CK_SESSION_HANDLE) => find::finish(session);
        C_EncryptInit(session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR, key: CK_OBJECT_HANDLE) =>
            crypt::init(Direction::Encrypt, session, Mechanism::optional(mechanism)?, key);
        C_Encrypt(session: CK_SESSION_HANDLE, data: CK_BYTE_PTR, data_len: CK_ULONG, output: CK_BYTE_PTR,
            output_len: CK_ULONG_PTR) =>
            crypt::whole(Direction::Encrypt, session, input(data, data_len), Output::new(output, output_len));
        C_EncryptUpdate(session: CK_SESSION_HANDLE, part: CK_BYTE_PTR, part_len: CK_ULONG, output: CK_BYTE_PTR,
            output_len: CK_ULONG_PTR) =>
            crypt::update(Direction::Encrypt, session, input(part, part_len), Output::new(output, output_len));
        C_EncryptFinal(session: CK_SESSION_HANDLE, output: CK_BYTE_PTR, output_len: CK_ULONG_PTR) =>
            crypt::finish(Direction::Encrypt, session, Output::new(output, output_len));
        C_DecryptInit(session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR, key: CK_OBJECT_HANDLE) =>
            crypt::init(Direction::Decrypt, session, Mechanism::optional(mechanism)?, key);
        C_Decrypt(session: CK_SESSION_HANDLE, data: CK_BYTE_PTR, data_len: CK_ULONG, output: CK_BYTE_PTR,
            output_len: CK_ULONG_PTR) =>
            crypt::whole(Direction::Decrypt, session, input(data, data_len), Output::new(output, output_len));
        C_DecryptUpdate(session: CK_SESSION_HANDLE, part: CK_BYTE_PTR, part_len: CK_ULONG, output: CK_BYTE_PTR,
            output_len: CK_ULONG_PTR) =>
            crypt::update(Direction::Decrypt, session, input(part, part_len), Output::new(output, output_len));
        C_DecryptFinal(session: CK_SESSION_HANDLE, output: CK_BYTE_PTR, output_len: CK_ULONG_PTR) =>
            crypt::finish(Direction::Decrypt, session, Output::new(output, output_len));
        C_DigestInit(session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR) =>
            digest::init(session, Mechanism::optional(mechanism)?);
        C_Digest(session: CK_SESSION_HANDLE, data: CK_BYTE_PTR, data_len: CK_ULONG, digest: CK_BYTE_PTR,
            digest_len: CK_ULONG_PTR) =>
            digest::digest(session, input(data, data_len), Output::new(digest, digest_len));
        C_DigestUpdate(session: CK_SESSION_HANDLE, part: CK_BYTE_PTR, part_len: CK_ULONG) =>
            digest::update(session, input(part, part_len));
        C_DigestKey(session: CK_SESSION_HANDLE, key: CK_OBJECT_HANDLE) => digest::key(session, key);
        C_DigestFinal(session: CK_SESSION_HANDLE, digest: CK_BYTE_PTR, digest_len: CK_ULONG_PTR) =>
            digest::finish(session, Output::new(digest, digest_len));
        C_SignInit(session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR, key: CK_OBJECT_HANDLE) =>
            sign::init(session, Mechanism::optional(mechanism)?, key);
        C_Sign(session: CK_SESSION_HANDLE, data: CK_BYTE_PTR, data_len: CK_ULONG, signature: CK_BYTE_PTR,
            signature_len: CK_ULONG_PTR) =>
            sign::sign(session, input(data, data_len), Output::new(signature, signature_len));
        C_SignUpdate(session: CK_SESSION_HANDLE, part: CK_BYTE_PTR, part_len: CK_ULONG) =>
            sign::update(session, input(part, part_len));
        C_SignFinal(session: CK_SESSION_HANDLE, signature: CK_BYTE_PTR, signature_len: CK_ULONG_PTR) =>
            sign::finish(session, Output::new(signature, signature_len));
        C_SignRecoverInit(session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR, key: CK_OBJECT_HANDLE) =>
            recover::sign_init(session, Mechanism::optional(mechanism)?, key);
        C_SignRecover(session: CK_SESSION_HANDLE, data: CK_BYTE_PTR, data_len: CK_ULONG, signature: CK_BYTE_PTR,
            signature_len: CK_ULONG_PTR) =>
            recover::sign(session, input(data, data_len), Output::new(signature, signature_len));
        C_VerifyInit(session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR, key: CK_OBJECT_HANDLE) =>
            verify::init(session, Mechanism::optional(mechanism)?, key);
        C_Verify(session: CK_SESSION_HANDLE, data: CK_BYTE_PTR, data_len: CK_ULONG, signature: CK_BYTE_PTR,
            signature_len: CK_ULONG) =>
            verify::verify(session, input(data, data_len), input(signature, signature_len));
        C_VerifyUpdate(session: CK_SESSION_HANDLE, part: CK_BYTE_PTR, part_len: CK_ULONG) =>
            verify::update(session, input(part, part_len));
        C_VerifyFinal(session: CK_SESSION_HANDLE, signature: CK_BYTE_PTR, signature_len: CK_ULONG) =>
            verify::finish(session, input(signature, signature_len));
        C_VerifyRecoverInit(session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR, key: CK_OBJECT_HANDLE) =>
            recover::verify_init(session, Mechanism::optional(mechanism)?, key);
        C_VerifyRecover(session: CK_SESSION_HANDLE, signature: CK_BYTE_PTR, signature_len: CK_ULONG, data: CK_BYTE_PTR,
            data_len: CK_ULONG_PTR) =>
            recover::verify(session, input(signature, signature_len), Output::new(data, data_len));
        C_DigestEncryptUpdate(session: CK_SESSION_HANDLE, part: CK_BYTE_PTR, part_len: CK_ULONG, output: CK_BYTE_PTR,
            output_len: CK_ULONG_PTR) =>
            dual::encrypt(SecondOperation::Digest, session, input(part, part_len), Output::new(output, output_len));
        C_DecryptDigestUpdate(session: CK_SESSION_HANDLE, part: CK_BYTE_PTR, part_len: CK_ULONG, output: CK_BYTE_PTR,
            output_len: CK_ULONG_PTR) =>
            dual::decrypt(SecondOperation::Digest, session, input(part, part_len), Output::new(output, output_len));
        C_SignEncryptUpdate(session: CK_SESSION_HANDLE, part: CK_BYTE_PTR, part_len: CK_ULONG, output: CK_BYTE_PTR,
            output_len: CK_ULONG_PTR) =>
            dual::encrypt(SecondOperation::Sign, session, input(part, part_len), Output::new(output, output_len));
        C_DecryptVerifyUpdate(session: CK_SESSION_HANDLE, part: CK_BYTE_PTR, part_len: CK_ULONG, output: CK_BYTE_PTR,
            output_len: CK_ULONG_PTR) =>
            dual::decrypt(SecondOperation::Verify, session, input(part, part_len), Output::new(output, output_len));
        C_GenerateKey(session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR, template: CK_ATTRIBUTE_PTR, count: CK_ULONG,
            key: CK_OBJECT_HANDLE_PTR) =>
            generate::secret(session, &Mechanism::read(mechanism)?, &Template::read(template, count)?, &Out::new(key)?);
        C_GenerateKeyPair(session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR, public: CK_ATTRIBUTE_PTR, public_count: CK_ULONG,
            private: CK_ATTRIBUTE_PTR, private_count: CK_ULONG, public_key: CK_OBJECT_HANDLE_PTR,
            private_key: CK_OBJECT_HANDLE_PTR) =>
            generate::pair(session, &Mechanism::read(mechanism)?, &Template::read(public, public_count)?, &Template::read(private,
                private_count)?, &Out::new(public_key)?, &Out::new(private_key)?);
        C_WrapKey(session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR, wrapping_key: CK_OBJECT_HANDLE, key: CK_OBJECT_HANDLE,
            wrapped: CK_BYTE_PTR, wrapped_len: CK_ULONG_PTR) =>
            wrap::wrap(session, &Mechanism::read(mechanism)?, wrapping_key, key, &Output::new(wrapped, wrapped_len)?);
        C_UnwrapKey(session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR, unwrapping_key: CK_OBJECT_HANDLE, wrapped: CK_BYTE_PTR,
            wrapped_len: CK_ULONG, template: CK_ATTRIBUTE_PTR, count: CK_ULONG, key: CK_OBJECT_HANDLE_PTR) =>
            wrap::unwrap(session, &Mechanism::read(mechanism)?, unwrapping_key, input(wrapped, wrapped_len)?,
                &Template::read(template, count)?, &Out::new(key)?);
        C_DeriveKey(session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR, base: CK_OBJECT_HANDLE, template: CK_ATTRIBUTE_PTR,
            count: CK_ULONG, key: CK_OBJECT_HANDLE_PTR) =>
            derive::derive(session, &Mechanism::read(mechanism)?, base, &Template::read(template, count)?, &Out::new(key)?);
        C_SeedRandom(session: CK_SESSION_HANDLE, seed: CK_BYTE_PTR, seed_len: CK_ULONG) =>
            random::seed(session, input(seed, seed_len)?);
        C_GenerateRandom(session: CK_SESSION_HANDLE, random: CK_BYTE_PTR, random_len: CK_ULONG) =>
            random::generate(session, &Room::new(random, random_len)?);
        C_GetFunctionStatus(session: CK_SESSION_HANDLE) => general::not_parallel(session);
        C_CancelFunction(session: CK_SESSION_HANDLE) => general::not_parallel(session);
        C_WaitForSlotEvent(flags: CK_FLAGS, slot: CK_SLOT_ID_PTR, nothing: *mut c_void) =>
            ffi::reserved(nothing).and_then(|()| slot::wait(flags, &Out::new(slot)?));
    }
    v3_0 {
        C_GetInterfaceList(interfaces: CK_INTERFACE_PTR, count: CK_ULONG_PTR) => interfaces::list(&Output::new(interfaces, count)?);
        C_GetInterface(name: CK_UTF8CHAR_PTR, version: CK_VERSION_PTR, interface: CK_INTERFACE_PTR_PTR, flags: CK_FLAGS) =>
            interfaces::find(ffi::c_string(name), ffi::version(version), flags, &Out::new(interface)?);
        C_LoginUser(session: CK_SESSION_HANDLE, user: CK_USER_TYPE, pin: CK_UTF8CHAR_PTR, pin_len: CK_ULONG, name: CK_UTF8CHAR_PTR,
            name_len: CK_ULONG) =>
            login::login_user(session, user, input(pin, pin_len)?, input(name, name_len)?);
        C_SessionCancel(session: CK_SESSION_HANDLE, flags: CK_FLAGS) => session::cancel(session, flags);
        C_MessageEncryptInit(session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR, key: CK_OBJECT_HANDLE) =>
            message::init(Direction::Encrypt, session, Mechanism::optional(mechanism)?, key);
        C_EncryptMessage(session: CK_SESSION_HANDLE, parameter: *mut c_void, parameter_len: CK_ULONG, additional: CK_BYTE_PTR,
            additional_len: CK_ULONG, data: CK_BYTE_PTR, data_len: CK_ULONG, output: CK_BYTE_PTR, output_len: CK_ULONG_PTR) =>
            message::whole(Direction::Encrypt, session, &MessageParameter::new(parameter, parameter_len), input(additional,
                additional_len)?, input(data, data_len)?, &Output::new(output, output_len)?);
        C_EncryptMessageBegin(session: CK_SESSION_HANDLE, parameter: *mut c_void, parameter_len: CK_ULONG, additional: CK_BYTE_PTR,
            additional_len: CK_ULONG) =>
            message::begin(Direction::Encrypt, session, &MessageParameter::new(parameter, parameter_len), input(additional,
                additional_len)?);
        C_EncryptMessageNext(session: CK_SESSION_HANDLE, parameter: *mut c_void, parameter_len: CK_ULONG, part: CK_BYTE_PTR,
            part_len: CK_ULONG, output: CK_BYTE_PTR, output_len: CK_ULONG_PTR, flags: CK_FLAGS) =>
            message::next(Direction::Encrypt, session, &MessageParameter::new(parameter, parameter_len), input(part, part_len)?,
                &Output::new(output, output_len)?, flags);
        C_MessageEncryptFinal(session: CK_SESSION_HANDLE) => message::finish(Direction::Encrypt, session);
        C_MessageDecryptInit(session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR, key: CK_OBJECT_HANDLE) =>
            message::init(Direction::Decrypt, session, Mechanism::optional(mechanism)?, key);
        C_DecryptMessage(session: CK_SESSION_HANDLE, parameter: *mut c_void, parameter_len: CK_ULONG, additional: CK_BYTE_PTR,
            additional_len: CK_ULONG, data: CK_BYTE_PTR, data_len: CK_ULONG, output: CK_BYTE_PTR, output_len: CK_ULONG_PTR) =>
            message::whole(Direction::Decrypt, session, &MessageParameter::new(parameter, parameter_len), input(additional,
                additional_len)?, input(data, data_len)?, &Output::new(output, output_len)?);
        C_DecryptMessageBegin(session: CK_SESSION_HANDLE, parameter: *mut c_void, parameter_len: CK_ULONG, additional: CK_BYTE_PTR,
            additional_len: CK_ULONG) =>
            message::begin(Direction::Decrypt, session, &MessageParameter::new(parameter, parameter_len), input(additional,
                additional_len)?);
        C_DecryptMessageNext(session: CK_SESSION_HANDLE, parameter: *mut c_void, parameter_len: CK_ULONG, part: CK_BYTE_PTR,
            part_len: CK_ULONG, output: CK_BYTE_PTR, output_len: CK_ULONG_PTR, flags: CK_FLAGS) =>
            message::next(Direction::Decrypt, session, &MessageParameter::new(parameter, parameter_len), input(part, part_len)?,
                &Output::new(output, output_len)?, flags);
        C_MessageDecryptFinal(session: CK_SESSION_HANDLE) => message::finish(Direction::Decrypt, session);
        C_MessageSignInit(session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR, key: CK_OBJECT_HANDLE) =>
            message_sign::sign_init(session, Mechanism::optional(mechanism)?, key);
        C_SignMessage(session: CK_SESSION_HANDLE, parameter: *mut c_void, parameter_len: CK_ULONG, data: CK_BYTE_PTR,
            data_len: CK_ULONG, signature: CK_BYTE_PTR, signature_len: CK_ULONG_PTR) =>
            message_sign::sign(session, &MessageParameter::new(parameter, parameter_len), input(data, data_len)?,
                &Output::new(signature, signature_len)?);
        C_SignMessageBegin(session: CK_SESSION_HANDLE, parameter: *mut c_void, parameter_len: CK_ULONG) =>
            message_sign::sign_begin(session, &MessageParameter::new(parameter, parameter_len));
        C_SignMessageNext(session: CK_SESSION_HANDLE, parameter: *mut c_void, parameter_len: CK_ULONG, data: CK_BYTE_PTR,
            data_len: CK_ULONG, signature: CK_BYTE_PTR, signature_len: CK_ULONG_PTR) =>
            message_sign::sign_next(session, &MessageParameter::new(parameter, parameter_len), input(data, data_len)?,
                Output::optional(signature, signature_len).as_ref());
        C_MessageSignFinal(session: CK_SESSION_HANDLE) => message_sign::sign_finish(session);
        C_MessageVerifyInit(session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR, key: CK_OBJECT_HANDLE) =>
            message_sign::verify_init(session, Mechanism::optional(mechanism)?, key);
        C_VerifyMessage(session: CK_SESSION_HANDLE, parameter: *mut c_void, parameter_len: CK_ULONG, data: CK_BYTE_PTR,
            data_len: CK_ULONG, signature: CK_BYTE_PTR, signature_len: CK_ULONG) =>
            message_sign::verify(session, &MessageParameter::new(parameter, parameter_len), input(data, data_len)?,
                input(signature, signature_len)?);
        C_VerifyMessageBegin(session: CK_SESSION_HANDLE, parameter: *mut c_void, parameter_len: CK_ULONG) =>
            message_sign::verify_begin(session, &MessageParameter::new(parameter, parameter_len));
        C_VerifyMessageNext(session: CK_SESSION_HANDLE, parameter: *mut c_void, parameter_len: CK_ULONG, data: CK_BYTE_PTR,
            data_len: CK_ULONG, signature: CK_BYTE_PTR, signature_len: CK_ULONG) =>
            message_sign::verify_next(session, &MessageParameter::new(parameter, parameter_len), input(data, data_len)?,
                optional_input(signature, signature_len)?);
        C_MessageVerifyFinal(session: CK_SESSION_HANDLE) => message_sign::verify_finish(session);
    }
    v3_2 {
        C_EncapsulateKey(session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR, public_key: CK_OBJECT_HANDLE,
            template: CK_ATTRIBUTE_PTR, count: CK_ULONG, ciphertext: CK_BYTE_PTR, ciphertext_len: CK_ULONG_PTR,
            key: CK_OBJECT_HANDLE_PTR) =>
            encapsulate::encapsulate(session, &Mechanism::read(mechanism)?, public_key, &Template::read(template, count)?,
                &Output::new(ciphertext, ciphertext_len)?, Out::new(key).ok().as_ref());
        C_DecapsulateKey(session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR, private_key: CK_OBJECT_HANDLE,
            template: CK_ATTRIBUTE_PTR, count: CK_ULONG, ciphertext: CK_BYTE_PTR, ciphertext_len: CK_ULONG,
            key: CK_OBJECT_HANDLE_PTR) =>
            encapsulate::decapsulate(session, &Mechanism::read(mechanism)?, private_key, &Template::read(template, count)?,
                input(ciphertext, ciphertext_len)?, &Out::new(key)?);
        C_VerifySignatureInit(session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR, key: CK_OBJECT_HANDLE,
            signature: CK_BYTE_PTR, signature_len: CK_ULONG) =>
            verify::signature_init(session, Mechanism::optional(mechanism)?, key, input(signature, signature_len)?);
        C_VerifySignature(session: CK_SESSION_HANDLE, data: CK_BYTE_PTR, data_len: CK_ULONG) =>
            verify::signature(session, input(data, data_len));
        C_VerifySignatureUpdate(session: CK_SESSION_HANDLE, part: CK_BYTE_PTR, part_len: CK_ULONG) =>
            verify::signature_update(session, input(part, part_len));
        C_VerifySignatureFinal(session: CK_SESSION_HANDLE) => verify::signature_finish(session);
        C_GetSessionValidationFlags(session: CK_SESSION_HANDLE, kind: CK_SESSION_VALIDATION_FLAGS_TYPE, flags: CK_FLAGS_PTR) =>
            session::validation(session, kind, &Out::new(flags)?);
        C_AsyncComplete(session: CK_SESSION_HANDLE, name: CK_UTF8CHAR_PTR, result: *mut CK_ASYNC_DATA) =>
            Err(Error::FunctionNotSupported);
        C_AsyncGetID(session: CK_SESSION_HANDLE, name: CK_UTF8CHAR_PTR, id: CK_ULONG_PTR) => Err(Error::FunctionNotSupported);
        C_AsyncJoin(session: CK_SESSION_HANDLE, name: CK_UTF8CHAR_PTR, id: CK_ULONG, data: CK_BYTE_PTR, data_len: CK_ULONG) =>
            Err(Error::FunctionNotSupported);
        C_WrapKeyAuthenticated(session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR, wrapping_key: CK_OBJECT_HANDLE,
            key: CK_OBJECT_HANDLE, additional: CK_BYTE_PTR, additional_len: CK_ULONG, wrapped: CK_BYTE_PTR,
            wrapped_len: CK_ULONG_PTR) =>
            Err(Error::FunctionNotSupported);
        C_UnwrapKeyAuthenticated(session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR, unwrapping_key: CK_OBJECT_HANDLE,
            wrapped: CK_BYTE_PTR, wrapped_len: CK_ULONG, template: CK_ATTRIBUTE_PTR, count: CK_ULONG, additional: CK_BYTE_PTR,
            additional_len: CK_ULONG, key: CK_OBJECT_HANDLE_PTR) =>
            Err(Error::FunctionNotSupported);
    }
}
