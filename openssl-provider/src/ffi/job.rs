//! `ASYNC_JOB`: a host that runs us inside of a job, as HAProxy's `ssl-mode-async` does, goes on with other connections while our
//! answer is on its way, in the same thread.
//!
//! The functions are libcrypto's, to which the library is not linked: they are looked up in the host. Where it does not show them, or
//! runs no job, we wait like everybody else. A job's stack has 32 KiB and no guard, and it may never be resumed.

use std::{
    ffi::{CStr, c_char, c_int, c_void},
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
    ptr,
    sync::OnceLock,
};

/// `ASYNC_JOB` and `ASYNC_WAIT_CTX`.
type Opaque = c_void;
type Cleanup = unsafe extern "C" fn(*mut Opaque, *const c_void, c_int, *mut c_void);

struct Jobs {
    current: unsafe extern "C" fn() -> *mut Opaque,
    wait_ctx: unsafe extern "C" fn(*mut Opaque) -> *mut Opaque,
    set_wait_fd: unsafe extern "C" fn(*mut Opaque, *const c_void, c_int, *mut c_void, Cleanup) -> c_int,
    clear_fd: unsafe extern "C" fn(*mut Opaque, *const c_void) -> c_int,
    pause: unsafe extern "C" fn() -> c_int,
}

static JOBS: OnceLock<Option<Jobs>> = OnceLock::new();

/// What our descriptor is called among those that a job waits for; a job waits for one answer at a time.
static KEY: u8 = 0;

unsafe extern "C" {
    fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void;
}

/// Looks the functions up, when the library is loaded: later, in a job or after a fork, is no time for that.
pub(super) fn find() {
    JOBS.get_or_init(|| {
        // SAFETY: under these names libcrypto has functions of these types (ASYNC_start_job(3), ASYNC_WAIT_CTX_new(3)).
        unsafe {
            Some(Jobs {
                current: symbol(c"ASYNC_get_current_job")?,
                wait_ctx: symbol(c"ASYNC_get_wait_ctx")?,
                set_wait_fd: symbol(c"ASYNC_WAIT_CTX_set_wait_fd")?,
                clear_fd: symbol(c"ASYNC_WAIT_CTX_clear_fd")?,
                pause: symbol(c"ASYNC_pause_job")?,
            })
        }
    });
}

/// # Safety
/// `F` is the type of the function of this name.
unsafe fn symbol<F: Copy>(name: &CStr) -> Option<F> {
    const { assert!(size_of::<F>() == size_of::<*mut c_void>()) }
    // SAFETY: NULL is RTLD_DEFAULT, and the name is terminated.
    let found = unsafe { dlsym(ptr::null_mut(), name.as_ptr()) };
    // SAFETY: the caller's promise; a function pointer has the size of any pointer.
    (!found.is_null()).then(|| unsafe { std::mem::transmute_copy(&found) })
}

/// Lets the host do something else until the descriptor can be read; false where it has nothing else, and where it is no job.
pub(crate) fn pause(descriptor: BorrowedFd<'_>) -> bool {
    let Some(Some(jobs)) = JOBS.get() else {
        return false;
    };
    // SAFETY: the functions are libcrypto's, the job is the one that runs this, and lives until it has returned.
    unsafe {
        let job = (jobs.current)();
        if job.is_null() {
            return false;
        }
        let (ctx, key) = ((jobs.wait_ctx)(job), (&raw const KEY).cast());
        if (jobs.set_wait_fd)(ctx, key, descriptor.as_raw_fd(), ptr::null_mut(), abandon) != 1 {
            return false;
        }
        let paused = (jobs.pause)() == 1;
        (jobs.clear_fd)(ctx, key);
        paused
    }
}

/// The host has given the job up while it was paused: its stack, which holds the connection, goes without being unwound.
unsafe extern "C" fn abandon(_: *mut Opaque, _: *const c_void, descriptor: c_int, _: *mut c_void) {
    // SAFETY: the owner of the descriptor is on that stack, which nobody comes back to.
    drop(unsafe { OwnedFd::from_raw_fd(descriptor) });
}
