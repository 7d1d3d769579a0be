//! The core that loaded us: its error queue, its configuration and its BIOs, through the functions it hands to
//! `OSSL_provider_init`.

use std::{
    ffi::{CStr, CString, c_char, c_int, c_void},
    io, ptr,
};

use interface::text::Line;

use super::{
    BIO_C_GET_FILE_PTR, Bio, Dispatch, Function, Handle, OSSL_FUNC_BIO_CTRL, OSSL_FUNC_BIO_GETS, OSSL_FUNC_BIO_READ_EX,
    OSSL_FUNC_BIO_WRITE_EX, OSSL_FUNC_CORE_GET_PARAMS, OSSL_FUNC_CORE_NEW_ERROR, OSSL_FUNC_CORE_SET_ERROR_DEBUG,
    OSSL_FUNC_CORE_VSET_ERROR, OSSL_PARAM_UTF8_PTR, Param,
};
use crate::error::Error;

unsafe extern "C" {
    /// Of the C library, whose FILE is opaque here.
    fn fflush(stream: *mut c_void) -> c_int;
}

#[derive(Clone, Copy)]
pub(crate) struct Core {
    handle: *const Handle,
    get_params: Option<<OSSL_FUNC_CORE_GET_PARAMS as Function>::Fn>,
    new_error: Option<<OSSL_FUNC_CORE_NEW_ERROR as Function>::Fn>,
    set_error_debug: Option<<OSSL_FUNC_CORE_SET_ERROR_DEBUG as Function>::Fn>,
    vset_error: Option<<OSSL_FUNC_CORE_VSET_ERROR as Function>::Fn>,
    bio_read: Option<<OSSL_FUNC_BIO_READ_EX as Function>::Fn>,
    bio_write: Option<<OSSL_FUNC_BIO_WRITE_EX as Function>::Fn>,
    bio_gets: Option<<OSSL_FUNC_BIO_GETS as Function>::Fn>,
    bio_ctrl: Option<<OSSL_FUNC_BIO_CTRL as Function>::Fn>,
}

// SAFETY: the handle is only passed back to the core, whose functions may be called from any thread.
unsafe impl Send for Core {}
// SAFETY: as above.
unsafe impl Sync for Core {}

impl Core {
    /// Picks what we use from the core's functions.
    ///
    /// # Safety
    /// `handle` and `functions` are what the core passed to `OSSL_provider_init`.
    pub(crate) unsafe fn new(handle: *const Handle, functions: *const Dispatch) -> Self {
        // SAFETY: the core's table ends with a zero id, and each of its entries has the signature that its id stands for.
        unsafe {
            Self {
                handle,
                get_params: find::<OSSL_FUNC_CORE_GET_PARAMS>(functions),
                new_error: find::<OSSL_FUNC_CORE_NEW_ERROR>(functions),
                set_error_debug: find::<OSSL_FUNC_CORE_SET_ERROR_DEBUG>(functions),
                vset_error: find::<OSSL_FUNC_CORE_VSET_ERROR>(functions),
                bio_read: find::<OSSL_FUNC_BIO_READ_EX>(functions),
                bio_write: find::<OSSL_FUNC_BIO_WRITE_EX>(functions),
                bio_gets: find::<OSSL_FUNC_BIO_GETS>(functions),
                bio_ctrl: find::<OSSL_FUNC_BIO_CTRL>(functions),
            }
        }
    }

    /// A value of our section of `openssl.cnf`.
    pub(crate) fn config(&self, name: &CStr) -> Option<String> {
        let value = *self.values(&[name])?.first()?;
        // SAFETY: what the core points at lives as long as the provider; it is copied here.
        unsafe { super::text(value) }.map(str::to_owned)
    }

    /// Which of these names our section has: the first one, as an index.
    pub(crate) fn given(&self, names: &[&CStr]) -> Option<usize> {
        self.values(names)?.into_iter().position(|value| !value.is_null())
    }

    /// The values of these names in our section; NULL where there is none.
    fn values(&self, names: &[&CStr]) -> Option<Vec<*const c_char>> {
        let mut values: Vec<*const c_char> = vec![ptr::null(); names.len()];
        let request = names.iter().zip(&mut values).map(|(name, value)| Param {
            key: name.as_ptr(),
            data_type: OSSL_PARAM_UTF8_PTR.unsigned_abs(),
            data: ptr::from_mut(value).cast(),
            data_size: 0,
            return_size: 0,
        });
        let mut request: Vec<_> = request.chain([Param::END]).collect();
        let get_params = self.get_params?;
        // SAFETY: the handle is the core's own; `request` is terminated, and each of its entries has room for a pointer.
        (unsafe { get_params(self.handle, request.as_mut_ptr()) } == 1).then_some(values)
    }

    /// Puts an error onto the host's error queue of this thread.
    pub(crate) fn raise(&self, error: &Error) {
        let (Some(new_error), Some(vset_error)) = (self.new_error, self.vset_error) else {
            return;
        };
        // the text is a printf format, and takes no arguments
        let (reason, meaning) = error.reason();
        let text = CString::new(format!("{meaning}: {}", Line(error)).replace('%', "%%")).unwrap_or_default();
        // larger than any ABI's va_list, and never read: the format has no conversion
        let mut no_arguments = [0usize; 8];
        // SAFETY: the handle is the core's own; the strings are NUL-terminated and copied by the core.
        unsafe {
            new_error(self.handle);
            if let Some(set_error_debug) = self.set_error_debug {
                set_error_debug(self.handle, c"parsec".as_ptr(), 0, c"".as_ptr());
            }
            vset_error(self.handle, reason, text.as_ptr(), no_arguments.as_mut_ptr().cast());
        }
    }

    /// The next line of a BIO, at most `room` bytes of it, with its line ending; None at the end.
    ///
    /// # Safety
    /// The core gave `bio` for the time of the call.
    pub(crate) unsafe fn line(&self, bio: *mut Bio, room: &mut [u8]) -> Option<usize> {
        let size = c_int::try_from(room.len()).ok()?;
        // SAFETY: the caller's promise; `room` has `size` bytes.
        let read = unsafe { self.bio_gets?(bio, room.as_mut_ptr().cast(), size) };
        usize::try_from(read).ok().filter(|&read| read > 0)
    }

    /// Writes all of `data` to a BIO.
    ///
    /// # Safety
    /// The core gave `bio` for the time of the call.
    pub(crate) unsafe fn write(&self, bio: *mut Bio, data: &[u8]) -> bool {
        let mut written = 0;
        // SAFETY: the caller's promise; `data` has that many bytes.
        self.bio_write.is_some_and(|write| unsafe { write(bio, data.as_ptr().cast(), data.len(), &raw mut written) == 1 })
            && written == data.len()
    }

    /// Has the stream of the C library that a BIO writes to, where it does, hand on what it holds back. No BIO is flushed: one that
    /// encodes or encrypts would end what it makes.
    ///
    /// # Safety
    /// The core gave `bio` for the time of the call.
    pub(crate) unsafe fn flush(&self, bio: *mut Bio) -> io::Result<()> {
        let mut stream: *mut c_void = ptr::null_mut();
        if let Some(ctrl) = self.bio_ctrl {
            // SAFETY: the caller's promise; this question stores a pointer, if anything.
            unsafe { ctrl(bio, BIO_C_GET_FILE_PTR, 0, (&raw mut stream).cast()) };
        }
        // SAFETY: what answers is a FILE that the BIO writes to.
        match stream.is_null() || unsafe { fflush(stream) } == 0 {
            true => Ok(()),
            false => Err(io::Error::last_os_error()),
        }
    }

    /// Fills `room` from a BIO as far as it goes.
    ///
    /// # Safety
    /// The core gave `bio` for the time of the call.
    pub(crate) unsafe fn read(&self, bio: *mut Bio, room: &mut [u8]) -> usize {
        let mut filled = 0;
        while let (Some(read), Some(rest)) = (self.bio_read, room.get_mut(filled..)) {
            let mut got = 0;
            // SAFETY: the caller's promise; `rest` has that many bytes.
            let more = unsafe { read(bio, rest.as_mut_ptr().cast::<c_void>(), rest.len(), &raw mut got) };
            filled += got;
            if more != 1 || got == 0 {
                break;
            }
        }
        filled
    }
}

/// # Safety
/// `functions` ends with a zero id, and its entries have the signatures that their ids stand for.
unsafe fn find<F: Function>(mut functions: *const Dispatch) -> Option<F::Fn> {
    // SAFETY: the caller's promise; `Function::Fn` is a function pointer for every implementor.
    unsafe {
        while (*functions).id != 0 {
            if (*functions).id == F::ID {
                let function = (*functions).function?;
                return Some(std::mem::transmute_copy::<unsafe extern "C" fn(), F::Fn>(&function));
            }
            functions = functions.add(1);
        }
    }
    None
}
