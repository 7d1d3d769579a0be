//! C_Initialize, however and from wherever it is called (PKCS#11 v3.1 §5.4).

use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::{Barrier, PoisonError};

use cryptoki_sys::*;
use parsec_pkcs11::C_GetFunctionList;
use tests::Service;

use super::{SOFTWARE, TURN, find, generate, open, sign};

extern "C" fn create(_: *mut *mut c_void) -> CK_RV {
    CKR_OK
}

extern "C" fn other(_: *mut c_void) -> CK_RV {
    CKR_OK
}

/// C_Initialize with these flags and this many of the four callbacks; C_Finalize if that went well.
fn initialize(flags: CK_FLAGS, callbacks: usize, reserved: bool) -> CK_RV {
    let one = |at: usize| (callbacks > at).then_some(other as unsafe extern "C" fn(_) -> _);
    let mut arguments = CK_C_INITIALIZE_ARGS {
        CreateMutex: (callbacks > 0).then_some(create),
        DestroyMutex: one(1),
        LockMutex: one(2),
        UnlockMutex: one(3),
        flags,
        pReserved: if reserved { c"configDir=''".as_ptr().cast_mut().cast() } else { null_mut() },
    };
    let begun = call!(C_Initialize((&raw mut arguments).cast()));
    if begun == CKR_OK {
        assert_eq!(call!(C_Finalize(null_mut())), CKR_OK);
    }
    begun
}

#[test]
fn every_well_formed_argument_will_do_and_half_the_callbacks_will_not() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    for flags in
        [0, CKF_OS_LOCKING_OK, CKF_LIBRARY_CANT_CREATE_OS_THREADS, CKF_OS_LOCKING_OK | CKF_LIBRARY_CANT_CREATE_OS_THREADS]
    {
        assert_eq!(initialize(flags, 0, false), CKR_OK);
        assert_eq!(initialize(flags, 4, false), CKR_OK);
        for some in 1..4 {
            assert_eq!(initialize(flags, some, false), CKR_ARGUMENTS_BAD);
        }
    }
    assert_eq!(initialize(CKF_OS_LOCKING_OK, 0, true), CKR_ARGUMENTS_BAD, "§5.4.1: pReserved");
    let mut nothing = 0;
    assert_eq!(call!(C_Finalize((&raw mut nothing).cast())), CKR_ARGUMENTS_BAD);
}

#[test]
fn of_a_thousand_threads_at_once_one_initialises() {
    const THREADS: usize = 1000;
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let start = Barrier::new(THREADS);
    let codes: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                let start = &start;
                let small = std::thread::Builder::new().stack_size(64 << 10);
                let begin = move || {
                    start.wait();
                    call!(C_Initialize(null_mut()))
                };
                small.spawn_scoped(scope, begin).unwrap()
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let count = |wanted| codes.iter().filter(|code| **code == wanted).count();
    assert_eq!((count(CKR_OK), count(CKR_CRYPTOKI_ALREADY_INITIALIZED)), (1, THREADS - 1));
    assert_eq!(call!(C_Finalize(null_mut())), CKR_OK);
}

#[test]
fn a_service_that_comes_later_is_found_by_whoever_asks_again() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut service = Service::start();
    // SAFETY: the cases take turns, and nothing else here reads the environment meanwhile.
    unsafe { std::env::set_var("PARSEC_SERVICE_ENDPOINT", service.endpoint()) };
    service.kill9();
    assert_eq!(call!(C_Initialize(null_mut())), CKR_OK);
    let slots = |present| {
        let mut count = 0;
        assert_eq!(call!(C_GetSlotList(present, null_mut(), &raw mut count)), CKR_OK);
        count
    };
    assert_eq!((slots(CK_TRUE), slots(CK_FALSE)), (0, 1), "a slot without a token");
    let mut session = 0;
    let opened = call!(C_OpenSession(SOFTWARE, CKF_SERIAL_SESSION, null_mut(), None, &raw mut session));
    assert_eq!(opened, CKR_TOKEN_NOT_PRESENT);
    service.restart();
    assert_eq!(slots(CK_TRUE), 1);
    let session = open(CKF_RW_SESSION);
    generate(session, true).unwrap();
    sign(session, find(session, CKO_PRIVATE_KEY)[0]).unwrap();
    assert_eq!(call!(C_Finalize(null_mut())), CKR_OK);
}
