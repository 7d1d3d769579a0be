//! The functions that a profile changes. Each calls the one of [`functions`], which asks the rules.

use crate::functions::{self, Bytes, Len, Made, Mechanism, Object, Out, Pointer, Session, Slot, Template};
use crate::profile::profile;
use crate::rules::note;
use cryptoki_sys::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The first of the slots without a token.
const EMPTY_SLOTS: CK_SLOT_ID = 0x7000_0000;

/// Bytes of the longest point.
const POINT: usize = 256;

#[derive(Default)]
struct State {
    /// Open sessions, with the calls that each has had.
    sessions: BTreeMap<Session, usize>,
    /// Sessions in which a private key waits for its own login.
    waiting: BTreeSet<Session>,
    /// Whether the library was initialised without the variable that it wants.
    blind: bool,
}

static STATE: Mutex<Option<State>> = Mutex::new(None);
static MAKING: AtomicUsize = AtomicUsize::new(0);
static INITIALIZED: AtomicBool = AtomicBool::new(false);

fn with<T>(act: impl FnOnce(&mut State) -> T) -> T {
    let mut state: MutexGuard<'_, Option<State>> = STATE.lock().unwrap_or_else(PoisonError::into_inner);
    act(state.get_or_insert_default())
}

/// Puts them into the list.
pub(crate) fn put(list: &mut CK_FUNCTION_LIST) {
    list.C_Initialize = Some(initialize);
    list.C_Finalize = Some(finalize);
    list.C_GetSlotList = Some(slot_list);
    list.C_GetSlotInfo = Some(slot_info);
    list.C_GetTokenInfo = Some(token_info);
    list.C_OpenSession = Some(open_session);
    list.C_CloseSession = Some(close_session);
    list.C_CloseAllSessions = Some(close_all_sessions);
    list.C_Login = Some(login);
    list.C_FindObjects = Some(find_objects);
    list.C_GetAttributeValue = Some(attribute_value);
    list.C_CreateObject = Some(create_object);
    list.C_GenerateKey = Some(generate_key);
    list.C_GenerateKeyPair = Some(generate_key_pair);
    list.C_EncryptInit = Some(encrypt_init);
    list.C_Encrypt = Some(encrypt);
    list.C_DecryptInit = Some(decrypt_init);
    list.C_Decrypt = Some(decrypt);
    list.C_SignInit = Some(sign_init);
    list.C_Sign = Some(sign);
    list.C_SignUpdate = Some(sign_update);
    list.C_DeriveKey = Some(derive_key);
}

/// What the profile makes of a return code.
fn told(code: CK_RV) -> CK_RV {
    profile().codes.get(&format!("{code:x}")).copied().unwrap_or(code)
}

/// Counts a call in a session, which may have expired.
fn step(session: Session) -> Result<(), CK_RV> {
    let Some(limit) = profile().session_calls else { return Ok(()) };
    with(|state| match state.sessions.get_mut(&session) {
        Some(calls) if *calls >= limit => Err(profile().expired_code.unwrap_or(CKR_SESSION_HANDLE_INVALID)),
        Some(calls) => {
            *calls += 1;
            Ok(())
        }
        None => Ok(()),
    })
}

/// Runs what is left of a function's body, and gives its code as the profile tells it.
fn checked(body: impl FnOnce() -> Result<CK_RV, CK_RV>) -> CK_RV {
    told(body().unwrap_or_else(|code| code))
}

unsafe extern "C" fn initialize(arguments: Pointer) -> CK_RV {
    std::thread::sleep(Duration::from_millis(profile().initialize_ms));
    let given = arguments.cast::<CK_C_INITIALIZE_ARGS>();
    // SAFETY: PKCS#11 section 5.4: a pointer that is not null is to this
    if profile().wants_threads && !given.is_null() && unsafe { (*given).flags } & CKF_LIBRARY_CANT_CREATE_OS_THREADS != 0 {
        return told(CKR_NEED_TO_CREATE_THREADS);
    }
    let blind = profile().variable.as_ref().is_some_and(|name| std::env::var_os(name).is_none());
    with(|state| *state = State { blind, ..State::default() });
    if profile().dies_at_exit && !INITIALIZED.swap(true, Relaxed) {
        // SAFETY: the function has the type that the call wants, and lives as long as the process
        unsafe { atexit(die) };
    }
    // SAFETY: the arguments are the caller's
    told(unsafe { functions::C_Initialize(arguments) })
}

unsafe extern "C" {
    fn atexit(function: extern "C" fn()) -> std::ffi::c_int;
}

extern "C" fn die() {
    std::process::abort();
}

unsafe extern "C" fn finalize(reserved: Pointer) -> CK_RV {
    with(|state| *state = State::default());
    // SAFETY: the arguments are the caller's
    told(unsafe { functions::C_Finalize(reserved) })
}

unsafe extern "C" fn slot_list(present: CK_BBOOL, slots: *mut CK_SLOT_ID, count: Out) -> CK_RV {
    let empty = if present == CK_FALSE { profile().empty_slots } else { 0 };
    if empty == 0 || count.is_null() {
        // SAFETY: the arguments are the caller's
        return told(unsafe { functions::C_GetSlotList(present, slots, count) });
    }
    // SAFETY: the caller gave a place for a number, and at it the room of the list if there is one
    unsafe {
        let mut real = 0;
        match functions::C_GetSlotList(present, std::ptr::null_mut(), &raw mut real) {
            CKR_OK => {}
            code => return told(code),
        }
        let (room, all) = (*count, real + empty);
        *count = all;
        if slots.is_null() {
            return CKR_OK;
        }
        if room < all {
            return CKR_BUFFER_TOO_SMALL;
        }
        (0..empty).for_each(|slot| *slots.add(slot as usize) = EMPTY_SLOTS + slot);
        told(functions::C_GetSlotList(present, slots.add(empty as usize), &raw mut real))
    }
}

fn empty(slot: Slot) -> bool {
    (EMPTY_SLOTS..EMPTY_SLOTS + profile().empty_slots).contains(&slot)
}

unsafe extern "C" fn slot_info(slot: Slot, info: *mut CK_SLOT_INFO) -> CK_RV {
    if !empty(slot) || info.is_null() {
        // SAFETY: the arguments are the caller's
        return told(unsafe { functions::C_GetSlotInfo(slot, info) });
    }
    // SAFETY: the caller gave a place for it, and zeros are values of all its fields
    unsafe { *info = CK_SLOT_INFO { flags: CKF_REMOVABLE_DEVICE, ..std::mem::zeroed() } };
    CKR_OK
}

unsafe extern "C" fn token_info(slot: Slot, info: *mut CK_TOKEN_INFO) -> CK_RV {
    if empty(slot) {
        return told(CKR_TOKEN_NOT_PRESENT);
    }
    // SAFETY: the arguments are the caller's
    let code = unsafe { functions::C_GetTokenInfo(slot, info) };
    if code == CKR_OK {
        // SAFETY: the library has just filled it
        let info = unsafe { &mut *info };
        if let Some(sessions) = profile().sessions_told {
            info.ulMaxSessionCount = CK_ULONG::try_from(sessions).unwrap_or(CK_UNAVAILABLE_INFORMATION);
            info.ulMaxRwSessionCount = info.ulMaxSessionCount;
        }
        if profile().nul_padding {
            for text in [&mut info.label[..], &mut info.serialNumber[..]] {
                text.iter_mut().rev().take_while(|byte| **byte == b' ').for_each(|byte| *byte = 0);
            }
        }
    }
    told(code)
}

unsafe extern "C" fn open_session(slot: Slot, flags: CK_FLAGS, application: Pointer, notify: CK_NOTIFY, made: Made) -> CK_RV {
    checked(|| {
        let full = profile().sessions.is_some_and(|limit| with(|state| state.sessions.len()) >= limit);
        if full {
            return Err(profile().sessions_code.unwrap_or(CKR_SESSION_COUNT));
        }
        if profile().no_read_only && flags & CKF_RW_SESSION == 0 {
            return Err(CKR_FUNCTION_REJECTED);
        }
        if profile().no_callbacks && notify.is_some() {
            return Err(CKR_ARGUMENTS_BAD);
        }
        // SAFETY: the arguments are the caller's
        let code = unsafe { functions::C_OpenSession(slot, flags, application, notify, made) };
        if code == CKR_OK {
            // SAFETY: the library has just written it
            let session = unsafe { *made };
            with(|state| state.sessions.insert(session, 0));
        }
        Ok(code)
    })
}

unsafe extern "C" fn close_session(session: Session) -> CK_RV {
    with(|state| state.sessions.remove(&session));
    // SAFETY: the arguments are the caller's
    told(unsafe { functions::C_CloseSession(session) })
}

unsafe extern "C" fn close_all_sessions(slot: Slot) -> CK_RV {
    with(|state| state.sessions.clear());
    // SAFETY: the arguments are the caller's
    told(unsafe { functions::C_CloseAllSessions(slot) })
}

unsafe extern "C" fn login(session: Session, user: CK_USER_TYPE, pin: Bytes, len: Len) -> CK_RV {
    if !pin.is_null() {
        // SAFETY: the caller gave so many bytes
        let pin = unsafe { std::slice::from_raw_parts(pin, usize::try_from(len).unwrap_or(0)) };
        note(&format!("PIN {}", String::from_utf8_lossy(pin)));
    }
    if user == CKU_CONTEXT_SPECIFIC && profile().login_each_time {
        let waited = with(|state| state.waiting.remove(&session));
        return if waited { CKR_OK } else { CKR_OPERATION_NOT_INITIALIZED };
    }
    // SAFETY: the arguments are the caller's
    told(unsafe { functions::C_Login(session, user, pin, len) })
}

unsafe extern "C" fn find_objects(session: Session, found: Made, room: CK_ULONG, count: Out) -> CK_RV {
    // SAFETY: the arguments are the caller's
    let code = unsafe { functions::C_FindObjects(session, found, room, count) };
    if code == CKR_OK && with(|state| state.blind) {
        // SAFETY: the library has just written it
        unsafe { *count = 0 };
    }
    told(code)
}

unsafe extern "C" fn attribute_value(session: Session, object: Object, template: Template, count: CK_ULONG) -> CK_RV {
    let attributes = if template.is_null() {
        &mut []
    } else {
        // SAFETY: the caller gave so many attributes
        unsafe { std::slice::from_raw_parts_mut(template, usize::try_from(count).unwrap_or(0)) }
    };
    // Points are read into a place of our own: in another form they have another length.
    let mut asked = attributes.to_vec();
    let mut places: Vec<[u8; POINT]> = vec![[0; POINT]; asked.len()];
    let points = |attribute: &CK_ATTRIBUTE| attribute.type_ == CKA_EC_POINT && profile().point.is_some();
    for (attribute, place) in asked.iter_mut().zip(&mut places).filter(|(attribute, _)| points(attribute)) {
        (attribute.pValue, attribute.ulValueLen) = (place.as_mut_ptr().cast(), POINT as CK_ULONG);
    }
    // SAFETY: the arguments are the caller's, or places of their lengths
    let code = unsafe { functions::C_GetAttributeValue(session, object, asked.as_mut_ptr(), count) };
    let mut short = false;
    for ((given, told), place) in attributes.iter_mut().zip(&asked).zip(&places) {
        match usize::try_from(told.ulValueLen).ok().and_then(|len| place.get(..len)).filter(|_| points(told)) {
            Some(point) => short |= !answer(given, &disguised(point)),
            None => given.ulValueLen = told.ulValueLen,
        }
    }
    told(if code == CKR_OK && short { CKR_BUFFER_TOO_SMALL } else { code })
}

/// Writes a value as `C_GetAttributeValue` does; false where the caller's place is too small for it.
fn answer(given: &mut CK_ATTRIBUTE, value: &[u8]) -> bool {
    let len = value.len() as CK_ULONG;
    let fits = given.pValue.is_null() || given.ulValueLen >= len;
    if fits && !given.pValue.is_null() {
        // SAFETY: the caller gave a place of that length
        unsafe { std::ptr::copy_nonoverlapping(value.as_ptr(), given.pValue.cast(), value.len()) };
    }
    given.ulValueLen = if fits { len } else { CK_UNAVAILABLE_INFORMATION };
    fits
}

/// A point that is a DER OCTET STRING, as the profile tells it.
fn disguised(point: &[u8]) -> Vec<u8> {
    let head = if point.len() < 0x82 { 2 } else { 3 };
    match profile().point.as_deref() {
        Some("raw") => point[head..].to_vec(),
        // X.690 8.6: a BIT STRING begins with the number of unused bits
        _ => [&[3], &point[1..head - 1], &[point[head - 1] + 1, 0], &point[head..]].concat(),
    }
}

/// Whether a template has one of these attributes.
fn has(template: Template, count: CK_ULONG, kinds: &[u64]) -> bool {
    if template.is_null() {
        return false;
    }
    // SAFETY: the caller gave so many attributes
    let attributes = unsafe { std::slice::from_raw_parts(template, usize::try_from(count).unwrap_or(0)) };
    attributes.iter().any(|attribute| kinds.contains(&attribute.type_))
}

fn check_template(template: Template, count: CK_ULONG) -> Result<(), CK_RV> {
    if has(template, count, &profile().refused) { Err(CKR_ATTRIBUTE_TYPE_INVALID) } else { Ok(()) }
}

unsafe extern "C" fn create_object(session: Session, template: Template, count: CK_ULONG, made: Made) -> CK_RV {
    checked(|| {
        check_template(template, count)?;
        // SAFETY: the arguments are the caller's
        Ok(unsafe { functions::C_CreateObject(session, template, count, made) })
    })
}

/// Makes a key, alone if the profile wants that.
fn making(make: impl FnOnce() -> CK_RV) -> Result<CK_RV, CK_RV> {
    let others = MAKING.fetch_add(1, Relaxed);
    let code = match profile().making_code {
        Some(code) if others > 0 => code,
        _ => make(),
    };
    MAKING.fetch_sub(1, Relaxed);
    Ok(code)
}

unsafe extern "C" fn generate_key(
    session: Session,
    mechanism: Mechanism,
    template: Template,
    count: CK_ULONG,
    made: Made,
) -> CK_RV {
    checked(|| {
        check_template(template, count)?;
        // SAFETY: the arguments are the caller's
        making(|| unsafe { functions::C_GenerateKey(session, mechanism, template, count, made) })
    })
}

#[allow(clippy::too_many_arguments, reason = "PKCS#11 section 5.18")]
unsafe extern "C" fn generate_key_pair(
    session: Session,
    mechanism: Mechanism,
    public: Template,
    public_count: CK_ULONG,
    private: Template,
    private_count: CK_ULONG,
    public_made: Made,
    private_made: Made,
) -> CK_RV {
    checked(|| {
        check_template(public, public_count)?;
        check_template(private, private_count)?;
        if has(private, private_count, &profile().private_refused) {
            return Err(CKR_TEMPLATE_INCONSISTENT);
        }
        making(|| {
            // SAFETY: the arguments are the caller's
            unsafe {
                functions::C_GenerateKeyPair(
                    session,
                    mechanism,
                    public,
                    public_count,
                    private,
                    private_count,
                    public_made,
                    private_made,
                )
            }
        })
    })
}

unsafe extern "C" fn encrypt_init(session: Session, mechanism: Mechanism, key: Object) -> CK_RV {
    // SAFETY: PKCS#11 section 6.13.3: GCM's parameter is this, with a nonce of this length
    unsafe {
        if profile().own_nonce && !mechanism.is_null() && (*mechanism).mechanism == CKM_AES_GCM {
            let parameters = (*mechanism).pParameter.cast::<CK_GCM_PARAMS>();
            if let Some(parameters) = parameters.as_mut().filter(|parameters| !parameters.pIv.is_null()) {
                functions::C_GenerateRandom(session, parameters.pIv, parameters.ulIvLen);
            }
        }
        told(functions::C_EncryptInit(session, mechanism, key))
    }
}

unsafe extern "C" fn encrypt(session: Session, data: Bytes, len: Len, out: Bytes, out_len: Out) -> CK_RV {
    checked(|| {
        step(session)?;
        if profile().encrypt_limit.is_some_and(|limit| len > limit) {
            return Err(CKR_DATA_LEN_RANGE);
        }
        // SAFETY: the arguments are the caller's
        Ok(unsafe { functions::C_Encrypt(session, data, len, out, out_len) })
    })
}

unsafe extern "C" fn decrypt_init(session: Session, mechanism: Mechanism, key: Object) -> CK_RV {
    with(|state| state.waiting.insert(session));
    // SAFETY: the arguments are the caller's
    told(unsafe { functions::C_DecryptInit(session, mechanism, key) })
}

/// Refuses to use a key that waits for its own login.
fn check_login(session: Session) -> Result<(), CK_RV> {
    let waits = with(|state| state.waiting.contains(&session));
    if profile().login_each_time && waits { Err(CKR_USER_NOT_LOGGED_IN) } else { Ok(()) }
}

unsafe extern "C" fn decrypt(session: Session, data: Bytes, len: Len, out: Bytes, out_len: Out) -> CK_RV {
    checked(|| {
        step(session)?;
        check_login(session)?;
        // SAFETY: the arguments are the caller's
        Ok(unsafe { functions::C_Decrypt(session, data, len, out, out_len) })
    })
}

unsafe extern "C" fn sign_init(session: Session, mechanism: Mechanism, key: Object) -> CK_RV {
    with(|state| state.waiting.insert(session));
    // SAFETY: the arguments are the caller's
    told(unsafe { functions::C_SignInit(session, mechanism, key) })
}

unsafe extern "C" fn sign(session: Session, data: Bytes, len: Len, out: Bytes, out_len: Out) -> CK_RV {
    checked(|| {
        step(session)?;
        check_login(session)?;
        // SAFETY: the arguments are the caller's
        Ok(unsafe { functions::C_Sign(session, data, len, out, out_len) })
    })
}

unsafe extern "C" fn sign_update(session: Session, data: Bytes, len: Len) -> CK_RV {
    checked(|| {
        check_login(session)?;
        if profile().one_part {
            return Err(CKR_FUNCTION_NOT_SUPPORTED);
        }
        // SAFETY: the arguments are the caller's
        Ok(unsafe { functions::C_SignUpdate(session, data, len) })
    })
}

unsafe extern "C" fn derive_key(
    session: Session,
    mechanism: Mechanism,
    key: Object,
    template: Template,
    count: CK_ULONG,
    made: Made,
) -> CK_RV {
    checked(|| {
        check_template(template, count)?;
        // SAFETY: PKCS#11 section 6.3.14: ECDH's parameter is this, with a point of this length
        unsafe {
            if profile().raw_peer && !mechanism.is_null() && (*mechanism).mechanism == CKM_ECDH1_DERIVE {
                let Some(parameters) = (*mechanism).pParameter.cast::<CK_ECDH1_DERIVE_PARAMS>().as_ref() else {
                    return Err(CKR_MECHANISM_PARAM_INVALID);
                };
                let len = usize::try_from(parameters.ulPublicDataLen).unwrap_or(0);
                let point = std::slice::from_raw_parts(parameters.pPublicData, len);
                if matches!(point, [4, rest, ..] if usize::from(*rest) == len - 2) {
                    return Err(CKR_MECHANISM_PARAM_INVALID);
                }
            }
            Ok(functions::C_DeriveKey(session, mechanism, key, template, count, made))
        }
    })
}
