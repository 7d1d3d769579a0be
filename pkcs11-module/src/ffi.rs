//! The C edge. It checks every pointer of a caller and turns it into a safe value. Every call passes [`boundary`], which stops
//! panics, turns [`Error`] into a `CK_RV`, and writes the trace line. All `unsafe` of the module is in this layer, in
//! `state::fork`, and in the rows of `functions!` that call it.
//!
//! Nothing assumes alignment: some callers pack their structures.

pub(crate) mod fuzz;
mod mechanism;
mod message;
mod process;
mod trace;

pub(crate) use mechanism::{AeadParameter, Mechanism};
pub(crate) use message::{AeadMessage, MessageParameter};
pub(crate) use process::PROCESS;

use std::ffi::{CStr, c_void};
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use cryptoki_sys::{
    CK_ATTRIBUTE, CK_ATTRIBUTE_TYPE, CK_BYTE, CK_C_INITIALIZE_ARGS, CK_RV, CK_ULONG, CK_UNAVAILABLE_INFORMATION, CK_UTF8CHAR,
    CK_VERSION, CKR_OK,
};
use zeroize::Zeroizing;

use crate::error::{Error, Result};

/// The largest array of attributes or handles accepted; anything longer is a mistake of the caller.
const MAX_COUNT: usize = 1 << 16;

/// The largest attribute or part of a mechanism's parameter accepted, in bytes. None that makes sense is as large, and what is
/// longer would be a request that no service takes.
const MAX_VALUE: CK_ULONG = 1 << 24;

/// Runs the body of a `C_*` function: no panic leaves it, every error becomes its `CK_RV`, and
/// the call is traced when `PARSEC_PKCS11_TRACE` says so.
pub(crate) fn boundary(name: &str, arguments: &[(&str, &dyn Debug)], body: impl FnOnce() -> Result<()>) -> CK_RV {
    let call = trace::begin(name, arguments);
    let result = catch_unwind(AssertUnwindSafe(body)).unwrap_or(Err(Error::Panic));
    if let Some(call) = call {
        call.end(&result);
    }
    match result {
        Ok(()) => CKR_OK,
        Err(error) => error.rv(),
    }
}

/// The `len` bytes at `data`.
///
/// # Safety
/// `data` is NULL or readable for `len` bytes for `'a`.
pub(crate) unsafe fn input<'a>(data: *const CK_BYTE, len: CK_ULONG) -> Result<&'a [u8]> {
    match usize::try_from(len) {
        Ok(0) => Ok(&[]),
        Ok(len) if !data.is_null() && isize::try_from(len).is_ok() => {
            // SAFETY: not NULL, and the caller promised `len` readable bytes.
            Ok(unsafe { std::slice::from_raw_parts(data, len) })
        }
        _ => Err(Error::ArgumentsBad),
    }
}

/// As [`input`], but NULL says that there is none.
///
/// # Safety
/// As for [`input`].
pub(crate) unsafe fn optional_input<'a>(data: *const CK_BYTE, len: CK_ULONG) -> Result<Option<&'a [u8]>> {
    if data.is_null() {
        return Ok(None);
    }
    // SAFETY: the caller's promise is ours.
    unsafe { input(data, len) }.map(Some)
}

/// Like [`input`], for what is copied and thus has a limit.
///
/// # Safety
/// As for [`input`].
unsafe fn short_input<'a>(data: *const CK_BYTE, len: CK_ULONG) -> Result<&'a [u8]> {
    if len > MAX_VALUE {
        return Err(Error::ArgumentsBad);
    }
    // SAFETY: the caller's promise is ours.
    unsafe { input(data, len) }
}

/// A place for one value of type `T`.
pub(crate) struct Out<T>(*mut T);

impl<T> Out<T> {
    /// # Safety
    /// `place` is NULL or writable for one `T` as long as the value lives.
    pub(crate) unsafe fn new(place: *mut T) -> Result<Self> {
        if place.is_null() { Err(Error::ArgumentsBad) } else { Ok(Self(place)) }
    }

    pub(crate) fn set(&self, value: T) {
        // SAFETY: `new`'s caller promised a writable place.
        unsafe { self.0.write_unaligned(value) }
    }
}

/// A buffer of the caller's with its length, as PKCS#11 §5.2 has it: a NULL buffer asks for
/// the length only, and a short one learns it with CKR_BUFFER_TOO_SMALL.
pub(crate) struct Output<T> {
    data: *mut T,
    len: *mut CK_ULONG,
}

impl<T: Copy> Output<T> {
    /// # Safety
    /// `len` is NULL or readable and writable; `data` is NULL or writable for `*len` items.
    pub(crate) unsafe fn new(data: *mut T, len: *mut CK_ULONG) -> Result<Self> {
        if len.is_null() { Err(Error::ArgumentsBad) } else { Ok(Self { data, len }) }
    }

    /// An output, or none where the caller has no place for its length.
    ///
    /// # Safety
    /// As for [`Output::new`].
    pub(crate) unsafe fn optional(data: *mut T, len: *mut CK_ULONG) -> Option<Self> {
        // SAFETY: the caller's promise is ours.
        unsafe { Self::new(data, len) }.ok()
    }

    /// Whether the caller only asks for the length.
    pub(crate) fn is_query(&self) -> bool {
        self.data.is_null()
    }

    /// Whether `needed` items can be written now. If not, the caller has been told how many
    /// there are: `Ok(false)` after a length query, CKR_BUFFER_TOO_SMALL after a short buffer.
    pub(crate) fn takes(&self, needed: usize) -> Result<bool> {
        if self.is_query() {
            self.set_len(needed);
            return Ok(false);
        }
        // SAFETY: `new`'s caller promised a readable length.
        if unsafe { self.len.read_unaligned() } < needed as CK_ULONG {
            self.set_len(needed);
            return Err(Error::BufferTooSmall);
        }
        Ok(true)
    }

    /// Writes all of `items`, under the rules of [`Output::takes`].
    pub(crate) fn write(&self, items: &[T]) -> Result<()> {
        if self.takes(items.len())? {
            // SAFETY: `takes` compared with the room that `new`'s caller promised.
            unsafe { copy(items, self.data) };
            self.set_len(items.len());
        }
        Ok(())
    }

    fn set_len(&self, len: usize) {
        // SAFETY: `new`'s caller promised a writable length.
        unsafe { self.len.write_unaligned(len as CK_ULONG) }
    }
}

/// A buffer of exactly known size: C_GenerateRandom's bytes, C_FindObjects' handles, a nonce.
pub(crate) struct Room<T> {
    data: *mut T,
    len: usize,
}

impl<T: Copy> Room<T> {
    /// # Safety
    /// `data` is NULL or writable for `len` items.
    pub(crate) unsafe fn new(data: *mut T, len: CK_ULONG) -> Result<Self> {
        match usize::try_from(len) {
            Ok(len) if len == 0 || !data.is_null() && len <= isize::MAX.unsigned_abs() / size_of::<T>() => Ok(Self { data, len }),
            _ => Err(Error::ArgumentsBad),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// What stands there, where the caller has put something.
    pub(crate) fn read(&self) -> Vec<T> {
        let places = (0..self.len).map(|i| self.data.wrapping_add(i));
        // SAFETY: each place is within the room that `new`'s caller promised, and has been written by it.
        places.map(|place| unsafe { place.read_unaligned() }).collect()
    }

    /// Writes `items` from the place `start` on, as many as there is room for; returns how many that were.
    pub(crate) fn fill(&self, start: usize, items: &[T]) -> usize {
        let count = items.len().min(self.len.saturating_sub(start));
        // SAFETY: the items end within the room that `new`'s caller promised.
        unsafe { copy(&items[..count], self.data.wrapping_add(start)) };
        count
    }
}

/// Copies `items` to a place that need not be aligned.
///
/// # Safety
/// `to` is writable for all of them (it may be anything when there is none).
unsafe fn copy<T: Copy>(items: &[T], to: *mut T) {
    // SAFETY: as promised by the caller; bytes have no alignment.
    unsafe { ptr::copy(items.as_ptr().cast::<u8>(), to.cast::<u8>(), size_of_val(items)) }
}

/// A template that the caller gives: attributes with values, copied out of its memory.
#[derive(Default)]
pub(crate) struct Template(Vec<(CK_ATTRIBUTE_TYPE, Zeroizing<Vec<u8>>)>);

impl Template {
    /// # Safety
    /// `attributes` is NULL or readable for `count` structures whose values are readable too.
    pub(crate) unsafe fn read(attributes: *const CK_ATTRIBUTE, count: CK_ULONG) -> Result<Self> {
        // SAFETY: the caller's promise is ours.
        let entries = unsafe { entries(attributes.cast_mut(), count) }?;
        let mut template = Vec::with_capacity(entries.len());
        for (_, entry) in entries {
            // SAFETY: the caller promised readable values.
            let value = unsafe { short_input(entry.pValue.cast(), entry.ulValueLen) };
            let value = value.map_err(|_| Error::AttributeValueInvalid)?;
            template.push((entry.type_, Zeroizing::new(value.to_vec())));
        }
        Ok(Self(template))
    }

    /// The template without an attribute, and that attribute alone.
    pub(crate) fn split(&self, kind: CK_ATTRIBUTE_TYPE) -> (Self, Self) {
        let (one, rest) = self.0.iter().cloned().partition(|(have, _)| *have == kind);
        (Self(rest), Self(one))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (CK_ATTRIBUTE_TYPE, &[u8])> {
        self.0.iter().map(|(kind, value)| (*kind, value.as_slice()))
    }

    /// The value of an attribute, if it is given.
    pub(crate) fn value(&self, kind: CK_ATTRIBUTE_TYPE) -> Option<&[u8]> {
        self.iter().find(|(have, _)| *have == kind).map(|(_, value)| value)
    }

    /// A CK_BBOOL attribute, if it is given.
    pub(crate) fn flag(&self, kind: CK_ATTRIBUTE_TYPE) -> Result<Option<bool>> {
        match self.value(kind) {
            None => Ok(None),
            Some([0]) => Ok(Some(false)),
            Some([1]) => Ok(Some(true)),
            Some(_) => Err(Error::AttributeValueInvalid),
        }
    }

    /// A CK_ULONG attribute, if it is given.
    pub(crate) fn number(&self, kind: CK_ATTRIBUTE_TYPE) -> Result<Option<CK_ULONG>> {
        let Some(value) = self.value(kind) else {
            return Ok(None);
        };
        let bytes = value.try_into().map_err(|_| Error::AttributeValueInvalid)?;
        Ok(Some(CK_ULONG::from_ne_bytes(bytes)))
    }

    /// An attribute that is an array of CK_ULONG, if it is given.
    pub(crate) fn numbers(&self, kind: CK_ATTRIBUTE_TYPE) -> Result<Option<Vec<CK_ULONG>>> {
        let Some(value) = self.value(kind) else {
            return Ok(None);
        };
        let (numbers, []) = value.as_chunks() else {
            return Err(Error::AttributeValueInvalid);
        };
        let numbers = numbers.iter().copied().map(CK_ULONG::from_ne_bytes);
        Ok(Some(numbers.collect()))
    }

    /// A UTF-8 attribute, if it is given.
    pub(crate) fn text(&self, kind: CK_ATTRIBUTE_TYPE) -> Result<Option<&str>> {
        let Some(value) = self.value(kind) else {
            return Ok(None);
        };
        std::str::from_utf8(value).map(Some).map_err(|_| Error::AttributeValueInvalid)
    }
}

#[cfg(test)]
impl Template {
    /// The template with one more attribute.
    pub(crate) fn and(mut self, kind: CK_ATTRIBUTE_TYPE, value: &[u8]) -> Self {
        self.0.push((kind, Zeroizing::new(value.to_vec())));
        self
    }
}

impl<const N: usize> From<[(CK_ATTRIBUTE_TYPE, &[u8]); N]> for Template {
    fn from(attributes: [(CK_ATTRIBUTE_TYPE, &[u8]); N]) -> Self {
        Self(attributes.map(|(kind, value)| (kind, Zeroizing::new(value.to_vec()))).into())
    }
}

/// C_GetAttributeValue's template: attributes whose values are to be filled in.
pub(crate) struct Query(Vec<(*mut CK_ATTRIBUTE, CK_ATTRIBUTE)>);

impl Query {
    /// # Safety
    /// `attributes` is NULL or readable and writable for `count` structures, each with a value
    /// that is NULL or writable for its length.
    pub(crate) unsafe fn new(attributes: *mut CK_ATTRIBUTE, count: CK_ULONG) -> Result<Self> {
        // SAFETY: the caller's promise is ours.
        unsafe { entries(attributes, count) }.map(Self)
    }

    /// Fills in what `value` gives for each attribute. One that fails gets the length
    /// CK_UNAVAILABLE_INFORMATION and does not keep the others from being filled; the first
    /// failure is the result.
    pub(crate) fn answer(&self, value: impl Fn(CK_ATTRIBUTE_TYPE) -> Result<Zeroizing<Vec<u8>>>) -> Result<()> {
        let mut result = Ok(());
        for (place, entry) in &self.0 {
            let filled = value(entry.type_).and_then(|value| fill(entry, &value));
            let len = *filled.as_ref().unwrap_or(&CK_UNAVAILABLE_INFORMATION);
            // SAFETY: `new`'s caller promised a writable structure.
            unsafe { (&raw mut (**place).ulValueLen).write_unaligned(len) };
            if result.is_ok() {
                result = filled.map(drop);
            }
        }
        result
    }
}

/// Copies a value to where `entry` wants it; returns its length.
fn fill(entry: &CK_ATTRIBUTE, value: &[u8]) -> Result<CK_ULONG> {
    let len = value.len() as CK_ULONG;
    if !entry.pValue.is_null() {
        if entry.ulValueLen < len {
            return Err(Error::BufferTooSmall);
        }
        // SAFETY: `Query::new`'s caller promised room for `ulValueLen` bytes.
        unsafe { copy(value, entry.pValue.cast()) };
    }
    Ok(len)
}

/// The structures of a template, and where each stands.
///
/// # Safety
/// `attributes` is NULL or readable for `count` structures.
unsafe fn entries(attributes: *mut CK_ATTRIBUTE, count: CK_ULONG) -> Result<Vec<(*mut CK_ATTRIBUTE, CK_ATTRIBUTE)>> {
    let count = usize::try_from(count).ok().filter(|count| *count <= MAX_COUNT);
    let count = count.ok_or(Error::ArgumentsBad)?;
    if attributes.is_null() && count > 0 {
        return Err(Error::ArgumentsBad);
    }
    let places = (0..count).map(|i| attributes.wrapping_add(i));
    // SAFETY: each place is within the array that the caller promised.
    Ok(places.map(|place| (place, unsafe { place.read_unaligned() })).collect())
}

/// Checks the argument of C_Initialize (PKCS#11 §5.4.1). The module needs neither the caller's mutexes nor threads of its own, so each
/// well-formed combination is fine, whatever the flags. Its locks are words in memory and waits in the kernel: they hold between all
/// threads that the kernel knows, and threads that it does not know never run while one of them is in a call. So it can always lock
/// (CKR_CANT_LOCK). It takes no parameters, which some programs give in the reserved place.
///
/// # Safety
/// `arguments` is NULL or points to readable CK_C_INITIALIZE_ARGS.
pub(crate) unsafe fn check_init(arguments: *const c_void) -> Result<()> {
    if arguments.is_null() {
        return Ok(());
    }
    // SAFETY: not NULL, and the caller promised a readable structure.
    let args = unsafe { arguments.cast::<CK_C_INITIALIZE_ARGS>().read_unaligned() };
    let callbacks =
        [args.CreateMutex.is_some(), args.DestroyMutex.is_some(), args.LockMutex.is_some(), args.UnlockMutex.is_some()];
    let all_or_none = callbacks.iter().all(|given| *given == callbacks[0]);
    if all_or_none { reserved(args.pReserved) } else { Err(Error::ArgumentsBad) }
}

/// Fails unless a pointer reserved by the standard is NULL.
pub(crate) fn reserved(pointer: *const c_void) -> Result<()> {
    if pointer.is_null() { Ok(()) } else { Err(Error::ArgumentsBad) }
}

/// A C string, if there is one.
///
/// # Safety
/// `text` is NULL or a NUL-terminated string that lives for `'a`.
pub(crate) unsafe fn c_string<'a>(text: *const CK_UTF8CHAR) -> Option<&'a [u8]> {
    if text.is_null() {
        return None;
    }
    // SAFETY: not NULL, and the caller promised the terminator.
    Some(unsafe { CStr::from_ptr(text.cast()) }.to_bytes())
}

/// A version, if there is one.
///
/// # Safety
/// `version` is NULL or readable.
pub(crate) unsafe fn version(version: *const CK_VERSION) -> Option<(u8, u8)> {
    if version.is_null() {
        return None;
    }
    // SAFETY: not NULL, and the caller promised a readable structure.
    let version = unsafe { version.read_unaligned() };
    Some((version.major, version.minor))
}

#[cfg(test)]
mod tests {
    use super::*;
    use cryptoki_sys::{CKA_ID, CKA_LABEL, CKA_TOKEN};
    use std::ptr::{null, null_mut};

    #[test]
    fn a_panic_becomes_a_return_value() {
        assert_eq!(boundary("test", &[], || Ok(())), CKR_OK);
        let general = cryptoki_sys::CKR_GENERAL_ERROR;
        assert_eq!(boundary("test", &[], || panic!("on purpose")), general);
    }

    #[test]
    fn input_refuses_what_cannot_be_read() {
        // SAFETY: the first is NULL, the second empty, the third is never read.
        unsafe {
            assert!(input(null(), 1).is_err());
            assert_eq!(input(null(), 0).unwrap(), b"");
            assert!(input(b"x".as_ptr(), CK_ULONG::MAX).is_err());
        }
    }

    #[test]
    fn output_follows_the_two_call_rule() {
        let mut len: CK_ULONG = 0;
        let mut room = [0u8; 4];
        // SAFETY: `len` and `room` outlive each output.
        let asked = unsafe { Output::<u8>::new(null_mut(), &raw mut len) }.unwrap();
        assert!(!asked.takes(4).unwrap());
        assert_eq!(len, 4);
        len = 3;
        // SAFETY: as above.
        let short = unsafe { Output::new(room.as_mut_ptr(), &raw mut len) }.unwrap();
        assert!(matches!(short.write(&[1, 2, 3, 4]), Err(Error::BufferTooSmall)));
        assert_eq!((len, room), (4, [0; 4]));
        // SAFETY: as above.
        let fits = unsafe { Output::new(room.as_mut_ptr(), &raw mut len) }.unwrap();
        fits.write(&[1, 2, 3]).unwrap();
        assert_eq!((len, room), (3, [1, 2, 3, 0]));
    }

    #[test]
    fn templates_need_no_alignment_and_have_a_limit() {
        let mut value = *b"web";
        let attribute = CK_ATTRIBUTE { type_: CKA_LABEL, pValue: value.as_mut_ptr().cast(), ulValueLen: 3 };
        let mut packed = [0u8; size_of::<CK_ATTRIBUTE>() + 1];
        let place = packed[1..].as_mut_ptr().cast::<CK_ATTRIBUTE>();
        // SAFETY: the place is large enough.
        unsafe { place.write_unaligned(attribute) };
        // SAFETY: one attribute stands there; the huge count is refused unread.
        unsafe {
            let template = Template::read(place, 1).unwrap();
            assert_eq!(template.text(CKA_LABEL).unwrap(), Some("web"));
            assert!(template.flag(CKA_LABEL).is_err());
            assert!(Template::read(place, CK_ULONG::MAX).is_err());
            assert!(Template::read(null(), 1).is_err());
        }
    }

    #[test]
    fn a_query_fills_what_it_can() {
        let (mut id, mut token) = ([0u8; 2], [0u8; 1]);
        let entry = |type_, value: &mut [u8]| CK_ATTRIBUTE {
            type_,
            pValue: value.as_mut_ptr().cast(),
            ulValueLen: value.len() as CK_ULONG,
        };
        let mut template = [entry(CKA_LABEL, &mut []), entry(CKA_ID, &mut id), entry(CKA_TOKEN, &mut token)];
        template[0].pValue = null_mut();
        // SAFETY: the template and its values outlive the query.
        let query = unsafe { Query::new(template.as_mut_ptr(), 3) }.unwrap();
        let result = query.answer(|kind| match kind {
            CKA_LABEL => Ok(Zeroizing::new(b"web".to_vec())),
            CKA_ID => Ok(Zeroizing::new(b"long".to_vec())),
            _ => Ok(Zeroizing::new(vec![1])),
        });
        assert!(matches!(result, Err(Error::BufferTooSmall)));
        assert_eq!(template.map(|entry| entry.ulValueLen), [3, CK_UNAVAILABLE_INFORMATION, 1]);
        assert_eq!((id, token), ([0; 2], [1]));
    }

    #[test]
    fn initialize_wants_all_callbacks_or_none_and_no_parameters() {
        extern "C" fn create(_: *mut *mut c_void) -> CK_RV {
            CKR_OK
        }
        extern "C" fn other(_: *mut c_void) -> CK_RV {
            CKR_OK
        }
        let all = CK_C_INITIALIZE_ARGS {
            CreateMutex: Some(create),
            DestroyMutex: Some(other),
            LockMutex: Some(other),
            UnlockMutex: Some(other),
            flags: cryptoki_sys::CKF_LIBRARY_CANT_CREATE_OS_THREADS,
            pReserved: null_mut(),
        };
        let part = CK_C_INITIALIZE_ARGS { LockMutex: None, ..all };
        let parameters = CK_C_INITIALIZE_ARGS { pReserved: c"configDir=''".as_ptr().cast_mut().cast(), ..all };
        // SAFETY: NULL, or a structure that lives.
        unsafe {
            assert!(check_init(null()).is_ok());
            assert!(check_init((&raw const all).cast()).is_ok());
            assert!(check_init((&raw const part).cast()).is_err());
            assert!(check_init((&raw const parameters).cast()).is_err());
        }
    }
}
