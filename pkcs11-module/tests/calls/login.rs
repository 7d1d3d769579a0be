//! PINs and logins: who may see and do what, the codes for it, and what ends with a logout.

use super::keys::{NO, YES, read};
use super::*;
use interface::operations::{Pin, Role, SetPin};

pub(crate) const SO_PIN: &[u8] = b"officer";
pub(crate) const PIN: &[u8] = b"1234";
const LABEL: &[u8; 32] = b"mine                            ";

pub(crate) fn login(session: CK_SESSION_HANDLE, user: CK_USER_TYPE, pin: &[u8]) -> CK_RV {
    call!(C_Login(session, user, pin.as_ptr().cast_mut(), pin.len() as CK_ULONG))
}

fn init_token(pin: &[u8]) -> CK_RV {
    call!(C_InitToken(SOFTWARE, pin.as_ptr().cast_mut(), pin.len() as CK_ULONG, LABEL.as_ptr().cast_mut()))
}

fn init_pin(session: CK_SESSION_HANDLE, pin: &[u8]) -> CK_RV {
    call!(C_InitPIN(session, pin.as_ptr().cast_mut(), pin.len() as CK_ULONG))
}

fn set_pin(session: CK_SESSION_HANDLE, old: &[u8], new: &[u8]) -> CK_RV {
    let (old_len, new_len) = (old.len() as CK_ULONG, new.len() as CK_ULONG);
    call!(C_SetPIN(session, old.as_ptr().cast_mut(), old_len, new.as_ptr().cast_mut(), new_len))
}

fn state(session: CK_SESSION_HANDLE) -> CK_STATE {
    let mut info = CK_SESSION_INFO::default();
    assert_eq!(call!(C_GetSessionInfo(session, &raw mut info)), CKR_OK);
    info.state
}

fn token() -> CK_TOKEN_INFO {
    let mut info = CK_TOKEN_INFO::default();
    assert_eq!(call!(C_GetTokenInfo(SOFTWARE, &raw mut info)), CKR_OK);
    info
}

/// The token's flags that have to do with PINs.
fn pin_flags() -> CK_FLAGS {
    let own = CKF_RNG | CKF_TOKEN_INITIALIZED;
    let flags = token().flags;
    assert_eq!(flags & own, own);
    flags & !own
}

/// A token with both PINs, on which nobody is logged in.
pub(crate) fn with_pins() -> Fixture {
    let fixture = Fixture::new();
    assert_eq!(init_token(SO_PIN), CKR_OK);
    let session = open(CKF_RW_SESSION);
    assert_eq!(login(session, CKU_SO, SO_PIN), CKR_OK);
    assert_eq!(init_pin(session, PIN), CKR_OK);
    assert_eq!(call!(C_CloseAllSessions(SOFTWARE)), CKR_OK);
    fixture
}

#[test]
fn a_token_is_made_ones_own_as_the_standard_says() {
    let fixture = Fixture::new();
    assert_eq!(&token().label, b"software                        ");
    assert_eq!(pin_flags(), CKF_USER_PIN_INITIALIZED);
    let session = open(CKF_RW_SESSION);
    generate(session, true).unwrap();
    let key = find(session, CKO_PRIVATE_KEY)[0];
    assert_eq!(init_token(SO_PIN), CKR_SESSION_EXISTS);
    assert_eq!(call!(C_CloseSession(session)), CKR_OK);
    assert_eq!(init_token(b"123"), CKR_PIN_LEN_RANGE);
    assert_eq!(init_token(b"\xff\xff\xff\xff"), CKR_PIN_INVALID);
    let nowhere = call!(C_InitToken(77, SO_PIN.as_ptr().cast_mut(), 7, LABEL.as_ptr().cast_mut()));
    assert_eq!(nowhere, CKR_SLOT_ID_INVALID);
    assert_eq!(call!(C_InitToken(SOFTWARE, SO_PIN.as_ptr().cast_mut(), 7, null_mut())), CKR_ARGUMENTS_BAD);
    assert_eq!(init_token(SO_PIN), CKR_OK);
    assert_eq!((&token().label, token().ulMinPinLen, token().ulMaxPinLen), (LABEL, 4, 255));
    assert_eq!(pin_flags(), 0);

    let session = open(CKF_RW_SESSION);
    assert_eq!(find(session, CKO_PRIVATE_KEY), []);
    assert_eq!(sign(session, key), Err(CKR_KEY_HANDLE_INVALID));
    assert_eq!(login(session, CKU_USER, PIN), CKR_USER_PIN_NOT_INITIALIZED);
    assert_eq!(init_pin(session, PIN), CKR_USER_NOT_LOGGED_IN);
    assert_eq!(login(session, CKU_SO, PIN), CKR_PIN_INCORRECT);
    assert_eq!(pin_flags(), CKF_SO_PIN_COUNT_LOW);
    assert_eq!(login(session, CKU_SO, SO_PIN), CKR_OK);
    assert_eq!(init_pin(session, b"123"), CKR_PIN_LEN_RANGE);
    assert_eq!(init_pin(session, &[b'1'; 256]), CKR_PIN_LEN_RANGE);
    assert_eq!(init_pin(session, PIN), CKR_OK);
    assert_eq!(pin_flags(), CKF_LOGIN_REQUIRED | CKF_USER_PIN_INITIALIZED);
    assert_eq!(call!(C_Logout(session)), CKR_OK);
    assert_eq!(login(session, CKU_USER, PIN), CKR_OK);
    generate(session, true).unwrap();
    assert_eq!(call!(C_CloseSession(session)), CKR_OK);

    assert_eq!(init_token(b"guess"), CKR_PIN_INCORRECT);
    assert_eq!(init_token(SO_PIN), CKR_OK);
    assert_eq!(pin_flags(), 0, "the user's PIN is gone");
    assert!(!fixture.service.log().contains("officer"));
}

#[test]
fn logins_are_of_all_sessions_and_fit_their_kind() {
    let _fixture = with_pins();
    let reading = open(0);
    assert_eq!(state(reading), CKS_RO_PUBLIC_SESSION);
    assert_eq!(login(reading, CKU_SO, SO_PIN), CKR_SESSION_READ_ONLY_EXISTS);
    assert_eq!(login(reading, 99, PIN), CKR_USER_TYPE_INVALID);
    assert_eq!(login(reading, CKU_USER, b"4321"), CKR_PIN_INCORRECT);
    assert_eq!(state(reading), CKS_RO_PUBLIC_SESSION);
    assert_eq!(login(reading, CKU_USER, PIN), CKR_OK);
    assert_eq!(login(reading, CKU_USER, PIN), CKR_USER_ALREADY_LOGGED_IN);
    assert_eq!(login(reading, CKU_SO, SO_PIN), CKR_USER_ANOTHER_ALREADY_LOGGED_IN);
    let writing = open(CKF_RW_SESSION);
    assert_eq!((state(reading), state(writing)), (CKS_RO_USER_FUNCTIONS, CKS_RW_USER_FUNCTIONS));
    assert_eq!(call!(C_Logout(writing)), CKR_OK);
    assert_eq!((state(reading), state(writing)), (CKS_RO_PUBLIC_SESSION, CKS_RW_PUBLIC_SESSION));
    assert_eq!(call!(C_Logout(reading)), CKR_USER_NOT_LOGGED_IN);
    assert_eq!(call!(C_CloseSession(reading)), CKR_OK);
    assert_eq!(login(writing, CKU_SO, SO_PIN), CKR_OK);
    assert_eq!(state(writing), CKS_RW_SO_FUNCTIONS);
    let mut session = 0;
    let read_only = call!(C_OpenSession(SOFTWARE, CKF_SERIAL_SESSION, null_mut(), None, &raw mut session));
    assert_eq!(read_only, CKR_SESSION_READ_WRITE_SO_EXISTS);
    assert_eq!(generate(writing, true), Err(CKR_USER_NOT_LOGGED_IN), "private keys are not the officer's");
    assert_eq!(call!(C_CloseSession(writing)), CKR_OK);
    assert_eq!(state(open(CKF_RW_SESSION)), CKS_RW_PUBLIC_SESSION, "the last close logs out");
}

#[test]
fn of_a_hundred_threads_that_log_in_at_once_one_does() {
    let _fixture = with_pins();
    let session = open(0);
    let results = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..100).map(|_| scope.spawn(|| login(session, CKU_USER, PIN))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    assert_eq!(results.iter().filter(|rv| **rv == CKR_OK).count(), 1, "{results:?}");
    assert!(results.iter().all(|rv| [CKR_OK, CKR_USER_ALREADY_LOGGED_IN].contains(rv)), "{results:?}");
}

#[test]
fn private_objects_are_there_for_the_user_alone_and_handles_end_with_the_login() {
    let _fixture = with_pins();
    let session = open(CKF_RW_SESSION);
    assert_eq!(generate(session, true), Err(CKR_USER_NOT_LOGGED_IN));
    assert_eq!(login(session, CKU_USER, PIN), CKR_OK);
    let [public, private] = generate(session, true).unwrap();
    let other = open(0);
    assert_eq!(call!(C_SignInit(other, &mut mechanism(CKM_ECDSA), private)), CKR_OK);
    assert_eq!(call!(C_VerifyInit(other, &mut mechanism(CKM_ECDSA), public)), CKR_OK);
    assert_eq!(call!(C_Logout(session)), CKR_OK);

    let (mut digest, mut signature, mut len) = ([7; 32], [0; 64], 64);
    let aborted = call!(C_Sign(other, digest.as_mut_ptr(), 32, signature.as_mut_ptr(), &raw mut len));
    assert_eq!(aborted, CKR_OPERATION_NOT_INITIALIZED);
    let goes_on = call!(C_Verify(other, digest.as_mut_ptr(), 32, signature.as_mut_ptr(), 64));
    assert_eq!(goes_on, CKR_SIGNATURE_INVALID);
    assert_eq!(sign(session, private), Err(CKR_KEY_HANDLE_INVALID));
    assert_eq!(read(private, CKA_LABEL), Err(CKR_OBJECT_HANDLE_INVALID));
    assert_eq!(find(session, CKO_PRIVATE_KEY), []);
    assert_eq!(find(session, CKO_PUBLIC_KEY), [public]);
    assert_eq!(read(public, CKA_PRIVATE).as_deref(), Ok(NO));

    assert_eq!(login(session, CKU_USER, PIN), CKR_OK);
    assert_eq!(sign(session, private), Err(CKR_KEY_HANDLE_INVALID), "the old handle stays invalid");
    let again = find(session, CKO_PRIVATE_KEY)[0];
    assert_eq!(read(again, CKA_PRIVATE).as_deref(), Ok(YES));
    sign(session, again).unwrap();

    assert_eq!(call!(C_CloseAllSessions(SOFTWARE)), CKR_OK);
    let session = open(CKF_RW_SESSION);
    assert_eq!(sign(session, again), Err(CKR_KEY_HANDLE_INVALID), "the last close logs out");
    assert_eq!(login(session, CKU_SO, SO_PIN), CKR_OK);
    assert_eq!(find(session, CKO_PRIVATE_KEY), [], "nor are they the officer's");
    assert_eq!(find(session, CKO_PUBLIC_KEY), [public]);
}

#[test]
fn a_first_pin_is_set_by_changing_none() {
    let _fixture = Fixture::new();
    let session = open(CKF_RW_SESSION);
    let [_, private] = generate(session, true).unwrap();
    assert_eq!(set_pin(session, b"", PIN), CKR_OK);
    assert_eq!(sign(session, private), Err(CKR_USER_NOT_LOGGED_IN));
    assert_eq!(login(session, CKU_USER, b"4321"), CKR_PIN_INCORRECT);
    assert_eq!(login(session, CKU_USER, PIN), CKR_OK);
    sign(session, private).unwrap();
}

#[test]
fn without_pins_any_pin_logs_in_and_no_login_is_needed() {
    let _fixture = Fixture::new();
    let session = open(CKF_RW_SESSION);
    let [_, private] = generate(session, true).unwrap();
    for pin in [&b""[..], b"1", PIN] {
        assert_eq!(login(session, CKU_USER, pin), CKR_OK);
        sign(session, private).unwrap();
        assert_eq!(call!(C_Logout(session)), CKR_OK);
        sign(session, private).unwrap();
    }
    assert_eq!(login(session, CKU_SO, b"any"), CKR_OK);
    assert_eq!(sign(session, private), Err(CKR_USER_NOT_LOGGED_IN));
}

#[test]
fn a_pin_that_is_set_elsewhere_counts_when_the_token_is_asked_next() {
    let fixture = Fixture::new();
    let session = open(CKF_RW_SESSION);
    let [_, private] = generate(session, true).unwrap();
    sign(session, private).unwrap();
    let set = SetPin { role: Role::User.into(), new: Some(Pin { value: PIN.to_vec() }), old: None };
    fixture.service.client().call(ProviderId::SOFTWARE, &set).unwrap();
    assert_eq!(pin_flags(), CKF_LOGIN_REQUIRED | CKF_USER_PIN_INITIALIZED);
    assert_eq!(sign(session, private), Err(CKR_USER_NOT_LOGGED_IN));
    assert_eq!(read(private, CKA_LABEL), Err(CKR_OBJECT_HANDLE_INVALID));
    assert_eq!(login(session, CKU_USER, PIN), CKR_OK);
    sign(session, private).unwrap();
}

#[test]
fn pins_are_changed_in_writing_sessions() {
    let _fixture = with_pins();
    let reading = open(0);
    assert_eq!(set_pin(reading, PIN, b"5678"), CKR_SESSION_READ_ONLY);
    assert_eq!(call!(C_CloseSession(reading)), CKR_OK);
    let session = open(CKF_RW_SESSION);
    assert_eq!(set_pin(session, b"4321", b"5678"), CKR_PIN_INCORRECT);
    assert_eq!(pin_flags() & CKF_USER_PIN_COUNT_LOW, CKF_USER_PIN_COUNT_LOW);
    assert_eq!(set_pin(session, PIN, b"567"), CKR_PIN_LEN_RANGE);
    assert_eq!(set_pin(session, PIN, b"5678"), CKR_OK, "the user's, when nobody is logged in");
    assert_eq!(login(session, CKU_USER, PIN), CKR_PIN_INCORRECT);
    assert_eq!(login(session, CKU_USER, b"5678"), CKR_OK);
    assert_eq!(set_pin(session, b"5678", PIN), CKR_OK);
    assert_eq!(call!(C_Logout(session)), CKR_OK);
    assert_eq!(login(session, CKU_SO, SO_PIN), CKR_OK);
    assert_eq!(set_pin(session, SO_PIN, b"commander"), CKR_OK, "the officer's own");
    assert_eq!(call!(C_Logout(session)), CKR_OK);
    assert_eq!(login(session, CKU_SO, SO_PIN), CKR_PIN_INCORRECT);
    assert_eq!(login(session, CKU_SO, b"commander"), CKR_OK);
}

#[test]
fn a_locked_pin_is_set_anew_by_the_officer() {
    let mut fixture = with_pins();
    let session = open(CKF_RW_SESSION);
    let shown = |expected| assert_eq!(pin_flags() & !(CKF_LOGIN_REQUIRED | CKF_USER_PIN_INITIALIZED), expected);
    for _ in 0..2 {
        assert_eq!(login(session, CKU_USER, b"4321"), CKR_PIN_INCORRECT);
    }
    shown(CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_FINAL_TRY);
    // as if all but the last wrong one had been made: long ago, and then just now
    fixture.service.alter_store("UPDATE pin SET failures = 9, failed = 1 << 60 WHERE role = 1");
    assert_eq!(login(session, CKU_USER, PIN), CKR_PIN_LOCKED, "one has to wait");
    fixture.service.alter_store("UPDATE pin SET failed = 0");
    shown(CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_FINAL_TRY);
    assert_eq!(login(session, CKU_USER, b"4321"), CKR_PIN_INCORRECT);
    shown(CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_LOCKED);
    assert_eq!(login(session, CKU_USER, PIN), CKR_PIN_LOCKED);
    assert_eq!(set_pin(session, PIN, b"5678"), CKR_PIN_LOCKED);
    assert_eq!(login(session, CKU_SO, SO_PIN), CKR_OK);
    assert_eq!(init_pin(session, b"5678"), CKR_OK);
    shown(0);
    assert_eq!(call!(C_Logout(session)), CKR_OK);
    assert_eq!(login(session, CKU_USER, b"5678"), CKR_OK);
}

#[test]
fn a_login_survives_the_service_and_fails_without_it() {
    let mut fixture = with_pins();
    let session = open(CKF_RW_SESSION);
    assert_eq!(login(session, CKU_USER, PIN), CKR_OK);
    let [_, private] = generate(session, true).unwrap();
    fixture.service.kill9();
    fixture.service.restart();
    sign(session, private).unwrap();
    assert_eq!(call!(C_Logout(session)), CKR_OK);
    fixture.service.kill9();
    assert_eq!(login(session, CKU_USER, PIN), CKR_DEVICE_ERROR);
    assert_eq!(state(session), CKS_RW_PUBLIC_SESSION);
    fixture.service.restart();
    assert_eq!(login(session, CKU_USER, PIN), CKR_OK);
}

#[test]
fn users_have_no_names_and_no_operation_waits_for_a_pin() {
    let _fixture = with_pins();
    let session = open(CKF_RW_SESSION);
    let login_user = |name: &[u8]| {
        let (mut interface, pin) = (null_mut(), PIN.as_ptr().cast_mut());
        let (name, name_len) = (name.as_ptr().cast_mut(), name.len() as CK_ULONG);
        // SAFETY: the list is the module's, of 3.0 or newer, and the arguments live as long as the call.
        unsafe {
            assert_eq!(parsec_pkcs11::C_GetInterface(null_mut(), null_mut(), &raw mut interface, 0), CKR_OK);
            let list: *const CK_FUNCTION_LIST_3_0 = (*interface).pFunctionList.cast();
            (*list).C_LoginUser.unwrap()(session, CKU_USER, pin, 4, name, name_len)
        }
    };
    assert_eq!(login_user(b"web"), CKR_USER_TYPE_INVALID);
    assert_eq!(login_user(b""), CKR_OK);
    assert_eq!(login(session, CKU_CONTEXT_SPECIFIC, PIN), CKR_OPERATION_NOT_INITIALIZED);
    let [_, private] = generate(session, true).unwrap();
    assert_eq!(call!(C_SignInit(session, &mut mechanism(CKM_ECDSA), private)), CKR_OK);
    assert_eq!(login(session, CKU_CONTEXT_SPECIFIC, PIN), CKR_OPERATION_NOT_INITIALIZED);
}

/// Generates a P-256 pair whose private key has one attribute more.
fn generate_with(session: CK_SESSION_HANDLE, kind: CK_ATTRIBUTE_TYPE, value: &[u8]) -> [CK_OBJECT_HANDLE; 2] {
    let mut public = [attribute(CKA_EC_PARAMS, P256), attribute(CKA_TOKEN, YES)];
    let mut private = [attribute(CKA_TOKEN, YES), attribute(kind, value)];
    let ([mut public_key, mut private_key], mut ec) = ([0; 2], mechanism(CKM_EC_KEY_PAIR_GEN));
    let (public, private) = (public.as_mut_ptr(), private.as_mut_ptr());
    let made = call!(C_GenerateKeyPair(session, &mut ec, public, 2, private, 2, &raw mut public_key, &raw mut private_key));
    assert_eq!(made, CKR_OK);
    assert_eq!(read(private_key, kind).as_deref(), Ok(value));
    [public_key, private_key]
}

#[test]
fn a_key_that_always_asks_works_once_for_each_pin() {
    let _fixture = with_pins();
    let session = open(CKF_RW_SESSION);
    assert_eq!(login(session, CKU_USER, PIN), CKR_OK);
    let [public, private] = generate_with(session, CKA_ALWAYS_AUTHENTICATE, YES);
    let (mut digest, mut signature, mut len) = ([7; 32], [0; 64], 64);
    let mut sign_now = || call!(C_Sign(session, digest.as_mut_ptr(), 32, signature.as_mut_ptr(), &raw mut len));
    let begin = |kind| assert_eq!(call!(C_SignInit(session, &mut mechanism(kind), private)), CKR_OK);
    begin(CKM_ECDSA);
    assert_eq!(sign_now(), CKR_USER_NOT_LOGGED_IN);
    assert_eq!(sign_now(), CKR_OPERATION_NOT_INITIALIZED, "it is over");
    begin(CKM_ECDSA_SHA256);
    assert_eq!(call!(C_SignUpdate(session, [1; 8].as_mut_ptr(), 8)), CKR_USER_NOT_LOGGED_IN);

    begin(CKM_ECDSA);
    assert_eq!(login(session, CKU_CONTEXT_SPECIFIC, b"4321"), CKR_PIN_INCORRECT);
    assert_eq!(login(session, CKU_CONTEXT_SPECIFIC, PIN), CKR_OK);
    assert_eq!(login(session, CKU_CONTEXT_SPECIFIC, PIN), CKR_OPERATION_NOT_INITIALIZED, "nothing asks any more");
    assert_eq!(sign_now(), CKR_OK);
    begin(CKM_ECDSA);
    assert_eq!(sign_now(), CKR_USER_NOT_LOGGED_IN, "one PIN, one signature");
    assert_eq!(call!(C_VerifyInit(session, &mut mechanism(CKM_ECDSA), public)), CKR_OK);
    assert_eq!(call!(C_Verify(session, digest.as_mut_ptr(), 32, signature.as_mut_ptr(), 64)), CKR_OK);
}

#[test]
fn where_no_pin_is_set_a_key_that_always_asks_takes_any() {
    let _fixture = Fixture::new();
    let session = open(CKF_RW_SESSION);
    let [_, private] = generate_with(session, CKA_ALWAYS_AUTHENTICATE, YES);
    assert_eq!(sign(session, private), Err(CKR_USER_NOT_LOGGED_IN));
    assert_eq!(call!(C_SignInit(session, &mut mechanism(CKM_ECDSA), private)), CKR_OK);
    assert_eq!(login(session, CKU_CONTEXT_SPECIFIC, b"any"), CKR_OK);
    let (mut digest, mut signature, mut len) = ([7; 32], [0; 64], 64);
    assert_eq!(call!(C_Sign(session, digest.as_mut_ptr(), 32, signature.as_mut_ptr(), &raw mut len)), CKR_OK);
}

#[test]
fn a_logout_ends_private_session_objects() {
    let _fixture = with_pins();
    let session = open(CKF_RW_SESSION);
    assert_eq!(login(session, CKU_USER, PIN), CKR_OK);
    let [_, private] = generate(session, false).unwrap();
    sign(session, private).unwrap();
    assert_eq!(call!(C_Logout(session)), CKR_OK);
    assert_eq!(sign(session, private), Err(CKR_KEY_HANDLE_INVALID));
    assert_eq!(login(session, CKU_USER, PIN), CKR_OK);
    assert_eq!(find(session, CKO_PRIVATE_KEY), []);
}

#[test]
fn a_private_key_that_a_template_calls_public_needs_no_login() {
    let _fixture = with_pins();
    let session = open(CKF_RW_SESSION);
    let [_, private] = generate_with(session, CKA_PRIVATE, NO);
    sign(session, private).unwrap();
}
