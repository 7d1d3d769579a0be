//! `ASYNC_JOB`: a host that runs us inside of a job, as HAProxy's `ssl-mode-async` does, goes on with other connections while our
//! answer is on its way, in the same thread.
//!
//! The functions are libcrypto's, to which the library is not linked: they are looked up in the host. Where it does not show them, or
//! runs no job, we wait like everybody else. A job's stack has 32 KiB and no guard, and it may never be resumed.

use std::{
    cell::Cell,
    ffi::{CStr, c_char, c_int, c_void},
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
    ptr,
    sync::OnceLock,
};

use rustix::event::epoll;

/// `ASYNC_JOB` and `ASYNC_WAIT_CTX`.
type Opaque = c_void;
type Cleanup = unsafe extern "C" fn(*mut Opaque, *const c_void, c_int, *mut c_void);

struct Jobs {
    current: unsafe extern "C" fn() -> *mut Opaque,
    wait_ctx: unsafe extern "C" fn(*mut Opaque) -> *mut Opaque,
    get_fd: unsafe extern "C" fn(*mut Opaque, *const c_void, *mut c_int, *mut *mut c_void) -> c_int,
    set_wait_fd: unsafe extern "C" fn(*mut Opaque, *const c_void, c_int, *mut c_void, Cleanup) -> c_int,
    pause: unsafe extern "C" fn() -> c_int,
}

static JOBS: OnceLock<Option<Jobs>> = OnceLock::new();

/// What our gate is called among the descriptors that a job waits for; a job waits for one answer at a time.
static KEY: u8 = 0;

unsafe extern "C" {
    fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void;
}

/// Looks the functions up, when the library is loaded: later, in a job or after a fork, is no time for that.
pub(crate) fn find() {
    JOBS.get_or_init(|| {
        // SAFETY: under these names libcrypto has functions of these types (ASYNC_start_job(3), ASYNC_WAIT_CTX_new(3)).
        unsafe {
            Some(Jobs {
                current: symbol(c"ASYNC_get_current_job")?,
                wait_ctx: symbol(c"ASYNC_get_wait_ctx")?,
                get_fd: symbol(c"ASYNC_WAIT_CTX_get_fd")?,
                set_wait_fd: symbol(c"ASYNC_WAIT_CTX_set_wait_fd")?,
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
    // SAFETY: the functions are libcrypto's, and the job is the one that runs this: it and its context live until this has returned.
    unsafe {
        let job = (jobs.current)();
        if job.is_null() {
            return false;
        }
        let Some(gate) = Gate::of(jobs, (jobs.wait_ctx)(job)) else {
            return false;
        };
        gate.open_with(descriptor, || (jobs.pause)() == 1)
    }
}

/// What the host polls: it can be read when the awaited descriptor can.
///
/// A context keeps its gate to its end. HAProxy has what it was told to poll in its tables until it frees the connection, when it asks
/// for the descriptors once more; a descriptor of ours, which serves its next connection then, must not stand there.
struct Gate {
    epoll: OwnedFd,
    /// Belongs to somebody on the stack of the job while it is paused.
    awaited: Cell<Option<RawFd>>,
}

impl Gate {
    /// The gate of a context, which frees it.
    ///
    /// # Safety
    /// The context is one, and outlives the reference.
    unsafe fn of<'a>(jobs: &Jobs, ctx: *mut Opaque) -> Option<&'a Self> {
        let key = (&raw const KEY).cast();
        let (mut descriptor, mut gate) = (-1, ptr::null_mut());
        // SAFETY: under our key the context keeps what `set_wait_fd` was given below; both places are ours.
        unsafe {
            if (jobs.get_fd)(ctx, key, &raw mut descriptor, &raw mut gate) != 1 {
                let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).ok()?;
                descriptor = epoll.as_raw_fd();
                gate = Box::into_raw(Box::new(Self { epoll, awaited: Cell::new(None) })).cast();
                if (jobs.set_wait_fd)(ctx, key, descriptor, gate, free) != 1 {
                    drop(Box::from_raw(gate.cast::<Self>()));
                    return None;
                }
            }
            Some(&*gate.cast())
        }
    }

    fn open_with(&self, descriptor: BorrowedFd<'_>, pause: impl FnOnce() -> bool) -> bool {
        let readable = epoll::EventFlags::IN;
        if epoll::add(&self.epoll, descriptor, epoll::EventData::new_u64(0), readable).is_err() {
            return false;
        }
        self.awaited.set(Some(descriptor.as_raw_fd()));
        let paused = pause();
        self.awaited.set(None);
        let _ = epoll::delete(&self.epoll, descriptor);
        paused
    }
}

impl Drop for Gate {
    /// A job that is paused even now has been given up: its stack, which holds the connection, goes without being unwound.
    fn drop(&mut self) {
        if let Some(descriptor) = self.awaited.take() {
            // SAFETY: the owner of the descriptor is on that stack, which nobody comes back to.
            drop(unsafe { OwnedFd::from_raw_fd(descriptor) });
        }
    }
}

/// Frees a gate with its context.
///
/// # Safety
/// The context calls it once, with the gate that it was given.
unsafe extern "C" fn free(_: *mut Opaque, _: *const c_void, _: c_int, gate: *mut c_void) {
    // SAFETY: the context gives back, once, what `Gate::of` has left with it.
    drop(unsafe { Box::from_raw(gate.cast::<Gate>()) });
}
