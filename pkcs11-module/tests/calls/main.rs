//! The C functions on a running service, called as a C program calls them: return codes, the rules of sessions and lengths, what each
//! costs in round trips, fork, and a service that goes away.
//!
//! The module's state is the process's, so the cases take turns on one lock, each with a service of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::ptr::null_mut;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use cryptoki_sys::*;
use interface::ProviderId;
use interface::operations::ServiceStatus;
use parsec_pkcs11::C_GetFunctionList;
use tests::{Service, Setup, run};

/// P-256, as CKA_EC_PARAMS has it.
const P256: &[u8] = b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
const SOFTWARE: CK_SLOT_ID = 1;

const TPM: CK_SLOT_ID = 3;
const TPM_SEALED: CK_SLOT_ID = 0x80;

static TURN: Mutex<()> = Mutex::new(());
/// Where the case that has its turn works.
static SLOT: AtomicU64 = AtomicU64::new(SOFTWARE);

/// `call!(C_Name(arguments))` is the function's return value.
macro_rules! call {
    ($name:ident($($argument:expr),* $(,)?)) => {{
        let mut list: CK_FUNCTION_LIST_PTR = null_mut();
        // SAFETY: the list is the module's, and the tests pass what the function's row in the standard asks for.
        unsafe {
            assert_eq!(C_GetFunctionList(&raw mut list), CKR_OK);
            (*list).$name.unwrap()($($argument),*)
        }
    }};
}

/// As `call!`, with the functions that came with PKCS#11 3.0 and later.
macro_rules! call3 {
    ($name:ident($($argument:expr),* $(,)?)) => {{
        let mut interface: CK_INTERFACE_PTR = null_mut();
        let mut version = CK_VERSION { major: 3, minor: 2 };
        // SAFETY: as for `call!`; the list is of the version asked for.
        unsafe {
            let found = parsec_pkcs11::C_GetInterface(null_mut(), &raw mut version, &raw mut interface, 0);
            assert_eq!(found, CKR_OK);
            (*(*interface).pFunctionList.cast::<CK_FUNCTION_LIST_3_2>()).$name.unwrap()($($argument),*)
        }
    }};
}

mod allowed;
mod attacks;
mod contradictions;
mod copies;
mod crypt;
mod derive;
mod dual;
mod edges;
mod fork;
mod granted;
mod groups;
mod halves;
mod hard;
mod initialize;
mod keys;
mod life;
mod login;
mod many;
mod mechanisms;
mod message;
mod objects;
mod other;
mod parameters;
mod pqc;
mod recover;
mod rsa;
mod sizes;
mod streams;
mod templates;
mod trust;
mod wrap;

/// A service and the module initialised on it.
struct Fixture {
    service: Service,
    _turn: MutexGuard<'static, ()>,
}

impl Fixture {
    fn new() -> Self {
        Self::initialized(|| call!(C_Initialize(null_mut())))
    }

    /// The module on a service that permits deprecated primitives.
    fn deprecated() -> Self {
        Self::on(|| Setup::default().allow_deprecated().start(), || call!(C_Initialize(null_mut())))
    }

    /// As [`Self::deprecated`], for a case that works in the slot of the TPM.
    fn tpm() -> Self {
        Self::beside(tests::TPM, TPM)
    }

    /// As [`Self::tpm`], in the slot of keys that the TPM has sealed.
    fn sealed() -> Self {
        Self::beside(tests::TPM_SEALED, TPM_SEALED)
    }

    fn beside(provider: &str, slot: CK_SLOT_ID) -> Self {
        let config = format!("{}{provider}", tests::CONFIG);
        let fixture = Self::on(|| Setup::default().config(config).allow_deprecated().start(), || call!(C_Initialize(null_mut())));
        SLOT.store(slot, Ordering::Relaxed);
        fixture
    }

    /// Kills the service, and starts it anew.
    fn restart(&mut self) {
        self.service.kill9();
        self.service.restart();
    }

    /// The module initialised in another way than by the function list's C_Initialize.
    fn initialized(initialize: impl FnOnce() -> CK_RV) -> Self {
        Self::on(Service::start, initialize)
    }

    fn on(service: impl FnOnce() -> Service, initialize: impl FnOnce() -> CK_RV) -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let service = service();
        // SAFETY: the cases take turns, and nothing else here reads the environment meanwhile.
        unsafe { std::env::set_var("PARSEC_SERVICE_ENDPOINT", service.endpoint()) };
        assert_eq!(initialize(), CKR_OK);
        Self { service, _turn: turn }
    }

    /// Requests that the service has answered.
    fn requests(&self) -> u64 {
        let client = self.service.client();
        client.call(ProviderId::CORE, &ServiceStatus {}).unwrap().requests
    }

    /// How many requests `work` makes.
    fn cost(&self, work: impl FnOnce()) -> u64 {
        let asking = self.requests();
        let asking = self.requests() - asking;
        let before = self.requests();
        work();
        self.requests() - before - asking
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        call!(C_Finalize(null_mut()));
        SLOT.store(SOFTWARE, Ordering::Relaxed);
    }
}

fn slot() -> CK_SLOT_ID {
    SLOT.load(Ordering::Relaxed)
}

fn open(flags: CK_FLAGS) -> CK_SESSION_HANDLE {
    let mut session = 0;
    let flags = CKF_SERIAL_SESSION | flags;
    assert_eq!(call!(C_OpenSession(slot(), flags, null_mut(), None, &raw mut session)), CKR_OK);
    session
}

fn attribute(kind: CK_ATTRIBUTE_TYPE, value: &[u8]) -> CK_ATTRIBUTE {
    CK_ATTRIBUTE { type_: kind, pValue: value.as_ptr().cast_mut().cast(), ulValueLen: value.len() as CK_ULONG }
}

fn mechanism(kind: CK_MECHANISM_TYPE) -> CK_MECHANISM {
    CK_MECHANISM { mechanism: kind, pParameter: null_mut(), ulParameterLen: 0 }
}

/// Generates a P-256 pair; returns the handles of its public and private key.
fn generate(session: CK_SESSION_HANDLE, token: bool) -> Result<[CK_OBJECT_HANDLE; 2], CK_RV> {
    let token = [CK_BYTE::from(token)];
    let mut public = [attribute(CKA_EC_PARAMS, P256), attribute(CKA_TOKEN, &token)];
    let mut private = [attribute(CKA_TOKEN, &token), attribute(CKA_LABEL, b"web")];
    let [mut public_key, mut private_key] = [0; 2];
    let rv = call!(C_GenerateKeyPair(
        session,
        &mut mechanism(CKM_EC_KEY_PAIR_GEN),
        public.as_mut_ptr(),
        2,
        private.as_mut_ptr(),
        2,
        &raw mut public_key,
        &raw mut private_key,
    ));
    if rv == CKR_OK { Ok([public_key, private_key]) } else { Err(rv) }
}

/// The handles of all objects with the label `web` and this class.
fn find(session: CK_SESSION_HANDLE, class: CK_OBJECT_CLASS) -> Vec<CK_OBJECT_HANDLE> {
    let class = class.to_ne_bytes();
    let mut template = [attribute(CKA_CLASS, &class), attribute(CKA_LABEL, b"web")];
    assert_eq!(call!(C_FindObjectsInit(session, template.as_mut_ptr(), 2)), CKR_OK);
    let (mut found, mut count) = ([0; 8], 0);
    assert_eq!(call!(C_FindObjects(session, found.as_mut_ptr(), 8, &raw mut count)), CKR_OK);
    assert_eq!(call!(C_FindObjectsFinal(session)), CKR_OK);
    found[..usize::try_from(count).unwrap()].to_vec()
}

fn sign(session: CK_SESSION_HANDLE, key: CK_OBJECT_HANDLE) -> Result<Vec<u8>, CK_RV> {
    let (mut digest, mut signature, mut len) = ([7; 32], [0; 64], 64);
    let steps = [
        call!(C_SignInit(session, &mut mechanism(CKM_ECDSA), key)),
        call!(C_Sign(session, digest.as_mut_ptr(), 32, signature.as_mut_ptr(), &raw mut len)),
    ];
    match steps.into_iter().find(|rv| *rv != CKR_OK) {
        None => Ok(signature.to_vec()),
        Some(rv) => Err(rv),
    }
}

#[test]
fn a_signature_is_one_round_trip_and_finding_the_key_another() {
    let fixture = Fixture::new();
    let session = open(CKF_RW_SESSION);
    generate(session, true).unwrap();
    let key = find(session, CKO_PRIVATE_KEY)[0];
    sign(session, key).unwrap();
    assert_eq!(fixture.cost(|| drop(sign(session, key).unwrap())), 1);
    let asked = fixture.cost(|| {
        let mut len = 0;
        assert_eq!(call!(C_SignInit(session, &mut mechanism(CKM_ECDSA_SHA256), key)), CKR_OK);
        assert_eq!(call!(C_SignUpdate(session, [1; 9000].as_mut_ptr(), 9000)), CKR_OK);
        assert_eq!(call!(C_SignFinal(session, null_mut(), &raw mut len)), CKR_OK);
        assert_eq!(len, 64);
    });
    assert_eq!(asked, 0, "initialising, hashing and asking for the length");
    let all = fixture.cost(|| {
        let session = open(0);
        let key = find(session, CKO_PRIVATE_KEY)[0];
        sign(session, key).unwrap();
        assert_eq!(call!(C_CloseSession(session)), CKR_OK);
    });
    assert_eq!(all, 2);
}

#[test]
fn functions_tell_what_is_wrong() {
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut info = CK_INFO::default();
    assert_eq!(call!(C_GetInfo(&raw mut info)), CKR_CRYPTOKI_NOT_INITIALIZED);
    assert_eq!(call!(C_Finalize(null_mut())), CKR_CRYPTOKI_NOT_INITIALIZED);
    drop(turn);

    let _fixture = Fixture::new();
    assert_eq!(call!(C_Initialize(null_mut())), CKR_CRYPTOKI_ALREADY_INITIALIZED);
    assert_eq!(call!(C_CloseSession(99)), CKR_SESSION_HANDLE_INVALID);
    let mut session = 0;
    let parallel = call!(C_OpenSession(SOFTWARE, 0, null_mut(), None, &raw mut session));
    assert_eq!(parallel, CKR_SESSION_PARALLEL_NOT_SUPPORTED);
    let nowhere = call!(C_OpenSession(77, CKF_SERIAL_SESSION, null_mut(), None, &raw mut session));
    assert_eq!(nowhere, CKR_SLOT_ID_INVALID);
    let reading = open(0);
    assert_eq!(generate(reading, true), Err(CKR_SESSION_READ_ONLY));
    let writing = open(CKF_RW_SESSION);
    let [public, private] = generate(writing, true).unwrap();
    assert_eq!(call!(C_DestroyObject(reading, private)), CKR_SESSION_READ_ONLY);
    assert_eq!(sign(reading, 12345), Err(CKR_KEY_HANDLE_INVALID));
    assert_eq!(sign(reading, public), Err(CKR_KEY_FUNCTION_NOT_PERMITTED));
    let wrong = call!(C_SignInit(reading, &mut mechanism(CKM_RSA_PKCS), private));
    assert_eq!(wrong, CKR_KEY_TYPE_INCONSISTENT);
    let unknown = call!(C_SignInit(reading, &mut mechanism(CKM_AES_ECB), private));
    assert_eq!(unknown, CKR_MECHANISM_INVALID);
    let mut len = 0;
    let nothing = call!(C_SignFinal(reading, null_mut(), &raw mut len));
    assert_eq!(nothing, CKR_OPERATION_NOT_INITIALIZED);
    assert_eq!(call!(C_GenerateRandom(reading, null_mut(), 8)), CKR_ARGUMENTS_BAD);
    let copy = call!(C_CopyObject(writing, private, null_mut(), 0, null_mut()));
    assert_eq!(copy, CKR_ARGUMENTS_BAD);
}

#[test]
fn signatures_are_verified_and_forgeries_told() {
    let _fixture = Fixture::new();
    let session = open(CKF_RW_SESSION);
    let [public, private] = generate(session, true).unwrap();
    let (mut digest, mut signature) = ([7; 32], sign(session, private).unwrap());
    let mut verify = |signature: &mut [u8]| {
        assert_eq!(call!(C_VerifyInit(session, &mut mechanism(CKM_ECDSA), public)), CKR_OK);
        let len = signature.len() as CK_ULONG;
        call!(C_Verify(session, digest.as_mut_ptr(), 32, signature.as_mut_ptr(), len))
    };
    assert_eq!(verify(&mut signature), CKR_OK);
    assert_eq!(verify(&mut signature[..63]), CKR_SIGNATURE_LEN_RANGE);
    signature[40] ^= 1;
    assert_eq!(verify(&mut signature), CKR_SIGNATURE_INVALID);
}

#[test]
fn logins_follow_the_rules_of_the_standard_with_any_pin() {
    let _fixture = Fixture::new();
    let reading = open(0);
    let login = |user| call!(C_Login(reading, user, b"1234".as_ptr().cast_mut(), 4));
    let state = |session| {
        let mut info = CK_SESSION_INFO::default();
        assert_eq!(call!(C_GetSessionInfo(session, &raw mut info)), CKR_OK);
        info.state
    };
    assert_eq!(state(reading), CKS_RO_USER_FUNCTIONS, "private objects are there without a login");
    assert_eq!(call!(C_Logout(reading)), CKR_USER_NOT_LOGGED_IN);
    assert_eq!(login(CKU_SO), CKR_SESSION_READ_ONLY_EXISTS);
    assert_eq!(login(99), CKR_USER_TYPE_INVALID);
    assert_eq!(login(CKU_USER), CKR_OK);
    assert_eq!(login(CKU_USER), CKR_USER_ALREADY_LOGGED_IN);
    assert_eq!(state(open(CKF_RW_SESSION)), CKS_RW_USER_FUNCTIONS);
    assert_eq!(call!(C_CloseAllSessions(SOFTWARE)), CKR_OK);
    let writing = open(CKF_RW_SESSION);
    assert_eq!(call!(C_Logout(writing)), CKR_USER_NOT_LOGGED_IN, "the last close logs out");
    assert_eq!(call!(C_Login(writing, CKU_SO, b"1234".as_ptr().cast_mut(), 4)), CKR_OK);
    assert_eq!(state(writing), CKS_RW_SO_FUNCTIONS);
    assert_eq!(call!(C_Logout(writing)), CKR_OK);
    assert_eq!(state(writing), CKS_RW_USER_FUNCTIONS);
}

#[test]
fn handles_are_never_used_twice_and_labels_may_be() {
    let _fixture = Fixture::new();
    let session = open(CKF_RW_SESSION);
    let [_, first] = generate(session, true).unwrap();
    let [_, second] = generate(session, true).unwrap();
    assert_eq!(find(session, CKO_PRIVATE_KEY).len(), 2);
    assert_eq!(find(session, CKO_PUBLIC_KEY).len(), 2);
    assert_eq!(call!(C_DestroyObject(session, first)), CKR_OK);
    assert_eq!(call!(C_DestroyObject(session, first)), CKR_OBJECT_HANDLE_INVALID);
    assert_eq!(find(session, CKO_PRIVATE_KEY), [second]);
    let [_, third] = generate(session, true).unwrap();
    assert!(third != first && third != second);
    assert_eq!(call!(C_CloseSession(session)), CKR_OK);
    assert_ne!(open(0), session);
}

#[test]
fn values_of_private_keys_stay_where_they_are() {
    let _fixture = Fixture::new();
    let [_, private] = generate(open(CKF_RW_SESSION), true).unwrap();
    let mut label = [0; 16];
    let mut template = [attribute(CKA_VALUE, &[]), attribute(CKA_LABEL, &label), attribute(CKA_MODULUS, &[])];
    template[1].pValue = label.as_mut_ptr().cast();
    let read = call!(C_GetAttributeValue(open(0), private, template.as_mut_ptr(), 3));
    assert_eq!(read, CKR_ATTRIBUTE_SENSITIVE);
    let none = CK_UNAVAILABLE_INFORMATION;
    assert_eq!(template.map(|entry| entry.ulValueLen), [none, 3, none]);
    assert_eq!(&label[..3], b"web");
}

#[test]
fn sessions_outlive_the_service() {
    let mut fixture = Fixture::new();
    let session = open(CKF_RW_SESSION);
    let [_, private] = generate(session, true).unwrap();
    fixture.service.kill9();
    assert_eq!(sign(session, private), Err(CKR_DEVICE_ERROR));
    let mut count = 7;
    let present = call!(C_GetSlotList(CK_TRUE, null_mut(), &raw mut count));
    assert_eq!((present, count), (CKR_OK, 0));
    let mut token = CK_TOKEN_INFO::default();
    let info = call!(C_GetTokenInfo(SOFTWARE, &raw mut token));
    assert_eq!(info, CKR_TOKEN_NOT_PRESENT);
    fixture.service.restart();
    sign(session, private).unwrap();

    run(&mut fixture.service.parsec(["key", "rm", "web"])).ok();
    assert_eq!(sign(session, private), Err(CKR_KEY_HANDLE_INVALID));
}

#[test]
fn digests_and_random_bytes() {
    let _fixture = Fixture::new();
    let session = open(0);
    let (mut digest, mut len) = ([0; 64], 20);
    assert_eq!(call!(C_DigestInit(session, &mut mechanism(CKM_SHA256))), CKR_OK);
    let twice = call!(C_DigestInit(session, &mut mechanism(CKM_SHA256)));
    assert_eq!(twice, CKR_OPERATION_ACTIVE);
    let mut data = *b"abc";
    let short = call!(C_Digest(session, data.as_mut_ptr(), 3, digest.as_mut_ptr(), &raw mut len));
    assert_eq!((short, len), (CKR_BUFFER_TOO_SMALL, 32));
    let whole = call!(C_Digest(session, data.as_mut_ptr(), 3, digest.as_mut_ptr(), &raw mut len));
    assert_eq!((whole, &digest[..4]), (CKR_OK, &[0xba, 0x78, 0x16, 0xbf][..]));
    let mut random = vec![0; 200_000];
    assert_eq!(call!(C_GenerateRandom(session, random.as_mut_ptr(), 200_000)), CKR_OK);
    for part in random.chunks(20_000) {
        assert!(part.iter().any(|byte| *byte != 0));
    }
}
