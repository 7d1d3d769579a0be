//! C_Initialize in all its forms, and waiting for tokens that come and go, which C_Finalize ends.

use super::*;
use std::ffi::{CStr, c_void};

const NO_EVENT: CK_SLOT_ID = 99;

/// What a caller hands in.
fn arguments(callbacks: [bool; 4], flags: CK_FLAGS, parameters: Option<&CStr>) -> CK_C_INITIALIZE_ARGS {
    extern "C" fn make(_: *mut *mut c_void) -> CK_RV {
        CKR_MUTEX_BAD
    }
    extern "C" fn touch(_: *mut c_void) -> CK_RV {
        CKR_MUTEX_BAD
    }
    let [create, destroy, lock, unlock] = callbacks;
    CK_C_INITIALIZE_ARGS {
        CreateMutex: create.then_some(make),
        DestroyMutex: destroy.then_some(touch),
        LockMutex: lock.then_some(touch),
        UnlockMutex: unlock.then_some(touch),
        flags,
        pReserved: parameters.map_or(null_mut(), |text| text.as_ptr().cast_mut().cast()),
    }
}

/// C_Initialize with these arguments; where it succeeds, everything works, and C_Finalize follows.
fn initialize(mut arguments: CK_C_INITIALIZE_ARGS) -> CK_RV {
    let rv = call!(C_Initialize((&raw mut arguments).cast()));
    if rv == CKR_OK {
        let session = open(0);
        assert_eq!(call!(C_GenerateRandom(session, [0; 8].as_mut_ptr(), 8)), CKR_OK);
        assert_eq!(call!(C_Initialize(null_mut())), CKR_CRYPTOKI_ALREADY_INITIALIZED);
        assert_eq!(call!(C_Finalize(null_mut())), CKR_OK);
    }
    rv
}

fn wait(flags: CK_FLAGS) -> (CK_RV, CK_SLOT_ID) {
    let mut slot = NO_EVENT;
    (call!(C_WaitForSlotEvent(flags, &raw mut slot, null_mut())), slot)
}

fn tokens() -> usize {
    let mut count = 0;
    assert_eq!(call!(C_GetSlotList(CK_TRUE, null_mut(), &raw mut count)), CKR_OK);
    usize::try_from(count).unwrap()
}

#[test]
fn every_way_to_initialise_works_and_partial_callbacks_and_parameters_are_refused() {
    let _fixture = Fixture::new();
    assert_eq!(call!(C_Finalize(null_mut())), CKR_OK);
    let mut something = NO_EVENT;
    assert_eq!(call!(C_Finalize((&raw mut something).cast())), CKR_ARGUMENTS_BAD);
    let all_flags = CKF_OS_LOCKING_OK | CKF_LIBRARY_CANT_CREATE_OS_THREADS;
    for flags in [0, CKF_OS_LOCKING_OK, CKF_LIBRARY_CANT_CREATE_OS_THREADS, all_flags] {
        for parameters in [None, Some(c"configdir='/nowhere' flags=readOnly")] {
            for callbacks in 0..16 {
                let given = std::array::from_fn(|bit| callbacks >> bit & 1 == 1);
                let expected = if matches!(callbacks, 0 | 15) && parameters.is_none() { CKR_OK } else { CKR_ARGUMENTS_BAD };
                assert_eq!(initialize(arguments(given, flags, parameters)), expected, "{given:?} {flags:#x}");
            }
        }
    }
    assert_eq!(call!(C_Initialize(null_mut())), CKR_OK);
}

#[test]
fn of_many_threads_one_initialises() {
    let _fixture = Fixture::new();
    assert_eq!(call!(C_Finalize(null_mut())), CKR_OK);
    let start = std::sync::Barrier::new(64);
    let initialize = || {
        start.wait();
        let rv = call!(C_Initialize(null_mut()));
        assert_eq!(call!(C_GetInfo(&mut CK_INFO::default())), CKR_OK);
        rv
    };
    let results: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..64).map(|_| scope.spawn(initialize)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(results.iter().filter(|rv| **rv == CKR_OK).count(), 1);
    assert!(results.iter().all(|rv| matches!(*rv, CKR_OK | CKR_CRYPTOKI_ALREADY_INITIALIZED)));
}

#[test]
fn without_the_service_the_slot_is_empty() {
    let mut fixture = Fixture::new();
    assert_eq!(call!(C_Finalize(null_mut())), CKR_OK);
    fixture.service.kill9();
    assert_eq!(call!(C_Initialize(null_mut())), CKR_OK);
    assert_eq!(tokens(), 0);
    let (mut slots, mut count) = ([NO_EVENT; 4], 4);
    assert_eq!(call!(C_GetSlotList(CK_FALSE, slots.as_mut_ptr(), &raw mut count)), CKR_OK);
    assert_eq!((count, slots[0]), (1, SOFTWARE));
    let mut info = CK_SLOT_INFO::default();
    assert_eq!(call!(C_GetSlotInfo(SOFTWARE, &raw mut info)), CKR_OK);
    assert_eq!(info.flags, 0);
    let mut session = 0;
    let refused = call!(C_OpenSession(SOFTWARE, CKF_SERIAL_SESSION, null_mut(), None, &raw mut session));
    assert_eq!(refused, CKR_TOKEN_NOT_PRESENT);
    fixture.service.restart();
    assert_eq!(tokens(), 1);
    open(0);
}

#[test]
fn an_open_that_must_ask_the_token_fails_without_it() {
    let mut fixture = Fixture::new();
    assert_eq!(tokens(), 1);
    fixture.service.kill9();
    let mut session = 0;
    let refused = call!(C_OpenSession(SOFTWARE, CKF_SERIAL_SESSION, null_mut(), None, &raw mut session));
    assert_eq!(refused, CKR_TOKEN_NOT_PRESENT);
}

#[test]
fn tokens_that_go_and_come_are_told_once() {
    let mut fixture = Fixture::new();
    assert_eq!(call!(C_WaitForSlotEvent(CKF_DONT_BLOCK, null_mut(), null_mut())), CKR_ARGUMENTS_BAD);
    assert_eq!(wait(CKF_DONT_BLOCK), (CKR_NO_EVENT, NO_EVENT));
    fixture.service.kill9();
    assert_eq!(tokens(), 0);
    assert_eq!(wait(CKF_DONT_BLOCK), (CKR_OK, SOFTWARE), "also when the caller could know");
    assert_eq!(wait(CKF_DONT_BLOCK), (CKR_NO_EVENT, NO_EVENT));
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| wait(0));
        fixture.service.restart();
        assert_eq!(waiting.join().unwrap(), (CKR_OK, SOFTWARE));
        let waiting = scope.spawn(|| wait(0));
        fixture.service.kill9();
        assert_eq!(waiting.join().unwrap(), (CKR_OK, SOFTWARE));
    });
}

#[test]
fn finalize_ends_a_wait() {
    let _fixture = Fixture::new();
    std::thread::scope(|scope| {
        let waiting: Vec<_> = (0..4).map(|_| scope.spawn(|| wait(0))).collect();
        assert_eq!(wait(CKF_DONT_BLOCK), (CKR_NO_EVENT, NO_EVENT));
        assert_eq!(call!(C_Finalize(null_mut())), CKR_OK);
        for thread in waiting {
            assert_eq!(thread.join().unwrap(), (CKR_CRYPTOKI_NOT_INITIALIZED, NO_EVENT));
        }
    });
    assert_eq!(wait(0), (CKR_CRYPTOKI_NOT_INITIALIZED, NO_EVENT));
}
