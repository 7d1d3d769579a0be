//! Children of a process that has initialised the module: they begin anew or, by the fork-safe interfaces, go on.

use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, Ordering};

use cryptoki_sys::*;
use parsec_pkcs11::{C_GetFunctionList, C_GetInterface};

use tests::{STRANGER, may_change_user, run};

use super::{Fixture, find, generate, mechanism, open, sign};

/// Forks, has the child do `work` and tells whether that went well. A child that hangs is killed.
fn child(work: impl FnOnce() -> bool) -> bool {
    // SAFETY: the child does no more than call the module, as pkcs11-tool's does, and leaves without cleaning up.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: ends the child if it hangs.
        unsafe { libc::alarm(30) };
        let status = i32::from(!work());
        // SAFETY: leaves at once.
        unsafe { libc::_exit(status) };
    }
    let mut status = -1;
    // SAFETY: the place outlives the call.
    unsafe { libc::waitpid(child, &raw mut status, 0) };
    status == 0
}

/// Signs in threads while `work` runs.
fn while_threads_sign(work: impl FnOnce()) {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let session = open(0);
                let key = find(session, CKO_PRIVATE_KEY)[0];
                while !stop.load(Ordering::Relaxed) {
                    sign(session, key).unwrap();
                }
            });
        }
        work();
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_child_starts_anew_while_threads_of_its_parent_sign() {
    let _fixture = Fixture::new();
    let session = open(CKF_RW_SESSION);
    generate(session, true).unwrap();
    let anew = || {
        let forgotten = call!(C_CloseSession(session)) == CKR_CRYPTOKI_NOT_INITIALIZED;
        let again = forgotten && call!(C_Initialize(null_mut())) == CKR_OK;
        again && {
            let session = open(0);
            sign(session, find(session, CKO_PRIVATE_KEY)[0]).is_ok()
        }
    };
    while_threads_sign(|| assert!((0..20).all(|_| child(anew))));
    sign(session, find(session, CKO_PRIVATE_KEY)[0]).unwrap();
}

/// As [`child`], in a PID namespace of its own, whose first process is number 1.
fn first_in_namespace(work: impl FnOnce() -> bool + Send) -> bool {
    // the namespace of children is the thread's
    let forked = || {
        // SAFETY: takes no pointers.
        assert_eq!(unsafe { libc::unshare(libc::CLONE_NEWPID) }, 0, "{}", std::io::Error::last_os_error());
        child(|| std::process::id() == 1 && work())
    };
    std::thread::scope(|scope| scope.spawn(forked).join().unwrap())
}

#[test]
fn a_child_whose_process_id_is_that_of_its_parent_starts_anew() {
    if !may_change_user() {
        return;
    }
    let _fixture = Fixture::new();
    let begins = || {
        let mut info = CK_INFO::default();
        let forgotten = call!(C_GetInfo(&raw mut info)) == CKR_CRYPTOKI_NOT_INITIALIZED;
        let again = forgotten && call!(C_Initialize(null_mut())) == CKR_OK;
        again && generate(open(CKF_RW_SESSION), true).is_ok_and(|[_, key]| sign(open(0), key).is_ok())
    };
    assert!(first_in_namespace(|| begins() && first_in_namespace(begins) && generate(open(CKF_RW_SESSION), true).is_ok()));
}

#[test]
fn a_process_that_becomes_another_user_connects_as_that_one() {
    if !may_change_user() {
        return;
    }
    let fixture = Fixture::new();
    let grant = format!("--grant uid:{STRANGER}=sign");
    run(&mut fixture.service.parsec(format!("key new web --algorithm p256 {grant}").split(' '))).ok();
    let become_user = |uid| {
        // SAFETY: takes no pointers, and the process has one thread.
        assert_eq!(unsafe { libc::seteuid(uid) }, 0);
    };
    let changes = || {
        assert_eq!(call!(C_Initialize(null_mut())), CKR_OK);
        let session = open(CKF_RW_SESSION);
        let granted = find(session, CKO_PRIVATE_KEY)[0];
        let [_, own] = generate(session, true).unwrap();
        let signs = |key| sign(session, key).is_ok();
        (0..2).all(|_| {
            let as_root = signs(granted) && signs(own);
            become_user(STRANGER);
            let as_stranger = signs(granted) && !signs(own);
            become_user(0);
            as_root && as_stranger
        })
    };
    assert!(child(changes));
    let refusal = format!("uid:{STRANGER} may not use");
    assert!(fixture.service.log().contains(&refusal), "{}", fixture.service.log());
}

/// A fixture initialised by the fork-safe interface, and its C_Initialize.
fn fork_safe() -> (Fixture, impl Fn() -> CK_RV) {
    let mut interface: CK_INTERFACE_PTR = null_mut();
    // SAFETY: the interface is a static of the module.
    let initialize = unsafe {
        assert_eq!(C_GetInterface(null_mut(), null_mut(), &raw mut interface, CKF_INTERFACE_FORK_SAFE), CKR_OK);
        let functions = (*interface).pFunctionList.cast::<CK_FUNCTION_LIST_3_2>();
        (*functions).C_Initialize.unwrap()
    };
    // SAFETY: without arguments.
    let initialize = move || unsafe { initialize(null_mut()) };
    (Fixture::initialized(initialize), initialize)
}

#[test]
fn by_the_fork_safe_interface_sessions_handles_and_operations_simply_work_in_a_child() {
    let (_fixture, initialize) = fork_safe();
    let session = open(CKF_RW_SESSION);
    let [_, private] = generate(session, true).unwrap();
    assert_eq!(call!(C_DigestInit(session, &mut mechanism(CKM_SHA256))), CKR_OK);
    let goes_on = || {
        let signed = sign(session, private).is_ok();
        let mut digest = [0u8; 32];
        let mut len = 32;
        let digested = call!(C_DigestFinal(session, digest.as_mut_ptr(), &raw mut len)) == CKR_OK;
        signed && digested && call!(C_CloseSession(session)) == CKR_OK
    };
    assert!(child(|| child(goes_on) && goes_on()));
    let formal = || initialize() == CKR_OK && initialize() == CKR_CRYPTOKI_ALREADY_INITIALIZED;
    assert!(child(|| formal() && goes_on()));
    assert!(goes_on(), "the parent has its own copy");
}

#[test]
fn by_the_fork_safe_interface_children_go_on_while_threads_of_their_parent_sign() {
    let (_fixture, _) = fork_safe();
    let session = open(CKF_RW_SESSION);
    let [_, private] = generate(session, true).unwrap();
    while_threads_sign(|| assert!((0..50).all(|_| child(|| sign(session, private).is_ok()))));
    sign(session, private).unwrap();
}

#[test]
fn where_the_environment_says_so_children_go_on_without_a_c_initialize_or_with_one() {
    const SWITCH: &str = "PARSEC_PKCS11_FORK";
    let used_in_child = |value: &str| {
        let fixture = Fixture::initialized(|| {
            // SAFETY: the cases take turns, and nothing else here reads the environment meanwhile.
            unsafe { std::env::set_var(SWITCH, value) };
            let initialized = call!(C_Initialize(null_mut()));
            // SAFETY: as above.
            unsafe { std::env::remove_var(SWITCH) };
            initialized
        });
        let session = open(CKF_RW_SESSION);
        let [_, private] = generate(session, true).unwrap();
        let signs = || sign(session, private).is_ok();
        let again = || call!(C_Initialize(null_mut())) == CKR_OK && call!(C_GetInfo(&mut CK_INFO::default())) == CKR_OK;
        let used = child(signs);
        assert!(child(|| again() && signs() == used));
        assert!(signs());
        drop(fixture);
        used
    };
    assert!(used_in_child("go-on"));
    assert!(!used_in_child("begin-anew"));
}

#[test]
fn no_descriptor_goes_on_to_a_program_that_the_process_executes() {
    let _fixture = Fixture::new();
    let session = open(CKF_RW_SESSION);
    generate(session, true).unwrap();
    let mut sockets = 0;
    for entry in std::fs::read_dir("/proc/self/fd").unwrap() {
        let path = entry.unwrap().path();
        let socket = std::fs::read_link(&path).is_ok_and(|link| link.to_str().is_some_and(|link| link.starts_with("socket:")));
        if socket {
            let descriptor = path.file_name().unwrap().to_str().unwrap().parse().unwrap();
            // SAFETY: only asks.
            let flags = unsafe { libc::fcntl(descriptor, libc::F_GETFD) };
            assert_ne!(flags & libc::FD_CLOEXEC, 0, "{}", path.display());
            sockets += 1;
        }
    }
    assert!(sockets > 0);
}

#[test]
fn by_the_fork_safe_interface_a_child_that_closes_a_session_leaves_its_parent_the_session_objects() {
    let (_fixture, _) = fork_safe();
    let session = open(0);
    let [_, private] = generate(session, false).unwrap();
    let uses_and_closes = || sign(session, private).is_ok() && call!(C_CloseSession(session)) == CKR_OK;
    assert!(child(uses_and_closes));
    assert!(child(|| uses_and_closes() && call!(C_Finalize(null_mut())) == CKR_OK));
    sign(session, private).unwrap();
}

#[test]
fn by_the_fork_safe_interface_a_copy_works_in_a_child_and_its_parent_after_a_restart() {
    let (mut fixture, _) = fork_safe();
    let session = open(CKF_RW_SESSION);
    let [_, private] = generate(session, true).unwrap();
    let copied = super::objects::copy(session, private, &[(CKA_TOKEN, &[0])]).unwrap();
    fixture.restart();
    assert!(child(|| sign(session, copied).is_ok() && call!(C_CloseSession(session)) == CKR_OK));
    sign(session, copied).unwrap();
}
