//! A thousand client processes at once.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::FromRawFd;
use std::ptr::null_mut;

use cryptoki_sys::*;
use parsec_pkcs11::C_GetFunctionList;

use super::{Fixture, find, generate, open, sign};

fn pipe() -> (File, File) {
    let mut ends = [0; 2];
    // SAFETY: the place outlives the call, and the descriptors are new.
    unsafe {
        assert_eq!(libc::pipe(ends.as_mut_ptr()), 0);
        (File::from_raw_fd(ends[0]), File::from_raw_fd(ends[1]))
    }
}

/// What a child does: it signs, says so, and closes when all others have signed too.
fn client(mut signed: &File, mut all: &File) -> bool {
    let begun = call!(C_Initialize(null_mut())) == CKR_OK;
    let session = open(0);
    let key = find(session, CKO_PRIVATE_KEY)[0];
    let good = begun && sign(session, key).is_ok();
    signed.write_all(&[u8::from(good)]).unwrap();
    let _ = all.read(&mut [0]);
    good && sign(session, key).is_ok() && call!(C_CloseSession(session)) == CKR_OK && call!(C_Finalize(null_mut())) == CKR_OK
}

#[test]
fn a_thousand_processes_sign_at_once() {
    const PROCESSES: usize = 1000;
    let _fixture = Fixture::new();
    generate(open(CKF_RW_SESSION), true).unwrap();
    let ((mut signed, say_signed), (all, say_all)) = (pipe(), pipe());
    let children: Vec<_> = (0..PROCESSES)
        .map(|_| {
            // SAFETY: the child calls the module only, and leaves without cleaning up.
            let child = unsafe { libc::fork() };
            if child == 0 {
                // SAFETY: this end is the parent's alone, and is never dropped here; the alarm ends a child that hangs.
                unsafe {
                    libc::close(std::os::fd::AsRawFd::as_raw_fd(&say_all));
                    libc::alarm(120);
                }
                let good = std::panic::catch_unwind(|| client(&say_signed, &all)).unwrap_or(false);
                // SAFETY: leaves at once.
                unsafe { libc::_exit(i32::from(!good)) };
            }
            assert!(child > 0, "fork: {}", std::io::Error::last_os_error());
            child
        })
        .collect();
    drop(say_signed);
    let mut answers = Vec::new();
    while answers.len() < PROCESSES {
        let mut some = [0; 512];
        let read = signed.read(&mut some).unwrap();
        if read == 0 {
            break;
        }
        answers.extend_from_slice(&some[..read]);
    }
    drop(say_all);
    let mut ended = Vec::new();
    for child in children {
        let mut status = -1;
        // SAFETY: the place outlives the call.
        unsafe { libc::waitpid(child, &raw mut status, 0) };
        ended.push(status);
    }
    assert_eq!(answers.iter().filter(|good| **good == 1).count(), PROCESSES);
    assert!(ended.iter().all(|status| *status == 0), "{ended:?}");
}
