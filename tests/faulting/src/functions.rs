//! The functions of PKCS#11 2.40. Each asks the rules, then the real library.

use crate::real;
use crate::rules::{Action, note, rule};
use cryptoki_sys::*;
use std::ffi::c_void;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

pub(crate) type Session = CK_SESSION_HANDLE;
pub(crate) type Slot = CK_SLOT_ID;
pub(crate) type Object = CK_OBJECT_HANDLE;
pub(crate) type Made = *mut CK_OBJECT_HANDLE;
pub(crate) type Bytes = *mut CK_BYTE;
pub(crate) type Len = CK_ULONG;
pub(crate) type Out = *mut CK_ULONG;
pub(crate) type Mechanism = *mut CK_MECHANISM;
pub(crate) type Template = *mut CK_ATTRIBUTE;
pub(crate) type Pointer = *mut c_void;

/// A length that no buffer has.
const GARBAGE: CK_ULONG = CK_ULONG::MAX / 2;

/// What every call answers until the library is finalised; 0 while it answers.
static GONE: AtomicU64 = AtomicU64::new(0);

macro_rules! functions {
    ($($name:ident($($arg:ident: $type:ty),*) $(tells $len:ident)?;)*) => {
        $(pub(crate) unsafe extern "C" fn $name($($arg: $type),*) -> CK_RV {
            let forward = || match real().and_then(|real| real.$name) {
                // SAFETY: the function has the type of this one, and the arguments are the caller's
                Some(function) => unsafe { function($($arg),*) },
                None => CKR_FUNCTION_NOT_SUPPORTED,
            };
            let tell = |len: CK_ULONG| {
                let _ = len;
                // SAFETY: the caller gave a place for a length
                $(if !$len.is_null() { unsafe { *$len = len } })?
            };
            answer(stringify!($name), forward, tell)
        })*

        /// All of them.
        pub(crate) fn list() -> CK_FUNCTION_LIST {
            CK_FUNCTION_LIST {
                version: CK_VERSION { major: 2, minor: 40 },
                C_GetFunctionList: None,
                $($name: Some($name)),*
            }
        }
    };
}

fn answer(name: &str, forward: impl Fn() -> CK_RV, tell: impl Fn(CK_ULONG)) -> CK_RV {
    note(name);
    let gone = GONE.load(Relaxed);
    match name {
        "C_Finalize" => GONE.store(0, Relaxed),
        "C_Initialize" => {}
        _ if gone != 0 => return gone,
        _ => {}
    }
    match rule(name) {
        None => forward(),
        Some(Action::Return(code)) => code,
        Some(Action::Late(code)) => {
            forward();
            code
        }
        Some(Action::Pretend) => CKR_OK,
        Some(Action::Gone(code)) => {
            GONE.store(code, Relaxed);
            code
        }
        Some(Action::Garbage) => {
            let code = forward();
            tell(GARBAGE);
            code
        }
        Some(Action::Hang) => loop {
            std::thread::park();
        },
        Some(Action::Die) => std::process::abort(),
        Some(Action::LateDie) => {
            forward();
            std::process::abort()
        }
    }
}

functions! {
    C_Initialize(a: Pointer);
    C_Finalize(a: Pointer);
    C_GetInfo(a: *mut CK_INFO);
    C_GetSlotList(a: CK_BBOOL, b: *mut CK_SLOT_ID, c: Out) tells c;
    C_GetSlotInfo(a: Slot, b: *mut CK_SLOT_INFO);
    C_GetTokenInfo(a: Slot, b: *mut CK_TOKEN_INFO);
    C_GetMechanismList(a: Slot, b: *mut CK_MECHANISM_TYPE, c: Out) tells c;
    C_GetMechanismInfo(a: Slot, b: CK_MECHANISM_TYPE, c: *mut CK_MECHANISM_INFO);
    C_InitToken(a: Slot, b: Bytes, c: Len, d: Bytes);
    C_InitPIN(a: Session, b: Bytes, c: Len);
    C_SetPIN(a: Session, b: Bytes, c: Len, d: Bytes, e: Len);
    C_OpenSession(a: Slot, b: CK_FLAGS, c: Pointer, d: CK_NOTIFY, e: *mut CK_SESSION_HANDLE);
    C_CloseSession(a: Session);
    C_CloseAllSessions(a: Slot);
    C_GetSessionInfo(a: Session, b: *mut CK_SESSION_INFO);
    C_GetOperationState(a: Session, b: Bytes, c: Out) tells c;
    C_SetOperationState(a: Session, b: Bytes, c: Len, d: Object, e: Object);
    C_Login(a: Session, b: CK_USER_TYPE, c: Bytes, d: Len);
    C_Logout(a: Session);
    C_CreateObject(a: Session, b: Template, c: Len, d: Made);
    C_CopyObject(a: Session, b: Object, c: Template, d: Len, e: Made);
    C_DestroyObject(a: Session, b: Object);
    C_GetObjectSize(a: Session, b: Object, c: Out) tells c;
    C_GetAttributeValue(a: Session, b: Object, c: Template, d: Len);
    C_SetAttributeValue(a: Session, b: Object, c: Template, d: Len);
    C_FindObjectsInit(a: Session, b: Template, c: Len);
    C_FindObjects(a: Session, b: Made, c: Len, d: Out) tells d;
    C_FindObjectsFinal(a: Session);
    C_EncryptInit(a: Session, b: Mechanism, c: Object);
    C_Encrypt(a: Session, b: Bytes, c: Len, d: Bytes, e: Out) tells e;
    C_EncryptUpdate(a: Session, b: Bytes, c: Len, d: Bytes, e: Out) tells e;
    C_EncryptFinal(a: Session, b: Bytes, c: Out) tells c;
    C_DecryptInit(a: Session, b: Mechanism, c: Object);
    C_Decrypt(a: Session, b: Bytes, c: Len, d: Bytes, e: Out) tells e;
    C_DecryptUpdate(a: Session, b: Bytes, c: Len, d: Bytes, e: Out) tells e;
    C_DecryptFinal(a: Session, b: Bytes, c: Out) tells c;
    C_DigestInit(a: Session, b: Mechanism);
    C_Digest(a: Session, b: Bytes, c: Len, d: Bytes, e: Out) tells e;
    C_DigestUpdate(a: Session, b: Bytes, c: Len);
    C_DigestKey(a: Session, b: Object);
    C_DigestFinal(a: Session, b: Bytes, c: Out) tells c;
    C_SignInit(a: Session, b: Mechanism, c: Object);
    C_Sign(a: Session, b: Bytes, c: Len, d: Bytes, e: Out) tells e;
    C_SignUpdate(a: Session, b: Bytes, c: Len);
    C_SignFinal(a: Session, b: Bytes, c: Out) tells c;
    C_SignRecoverInit(a: Session, b: Mechanism, c: Object);
    C_SignRecover(a: Session, b: Bytes, c: Len, d: Bytes, e: Out) tells e;
    C_VerifyInit(a: Session, b: Mechanism, c: Object);
    C_Verify(a: Session, b: Bytes, c: Len, d: Bytes, e: Len);
    C_VerifyUpdate(a: Session, b: Bytes, c: Len);
    C_VerifyFinal(a: Session, b: Bytes, c: Len);
    C_VerifyRecoverInit(a: Session, b: Mechanism, c: Object);
    C_VerifyRecover(a: Session, b: Bytes, c: Len, d: Bytes, e: Out) tells e;
    C_DigestEncryptUpdate(a: Session, b: Bytes, c: Len, d: Bytes, e: Out) tells e;
    C_DecryptDigestUpdate(a: Session, b: Bytes, c: Len, d: Bytes, e: Out) tells e;
    C_SignEncryptUpdate(a: Session, b: Bytes, c: Len, d: Bytes, e: Out) tells e;
    C_DecryptVerifyUpdate(a: Session, b: Bytes, c: Len, d: Bytes, e: Out) tells e;
    C_GenerateKey(a: Session, b: Mechanism, c: Template, d: Len, e: Made);
    C_GenerateKeyPair(a: Session, b: Mechanism, c: Template, d: Len, e: Template, f: Len, g: Made, h: Made);
    C_WrapKey(a: Session, b: Mechanism, c: Object, d: Object, e: Bytes, f: Out) tells f;
    C_UnwrapKey(a: Session, b: Mechanism, c: Object, d: Bytes, e: Len, f: Template, g: Len, h: Made);
    C_DeriveKey(a: Session, b: Mechanism, c: Object, d: Template, e: Len, f: Made);
    C_SeedRandom(a: Session, b: Bytes, c: Len);
    C_GenerateRandom(a: Session, b: Bytes, c: Len);
    C_GetFunctionStatus(a: Session);
    C_CancelFunction(a: Session);
    C_WaitForSlotEvent(a: CK_FLAGS, b: *mut CK_SLOT_ID, c: Pointer);
}
