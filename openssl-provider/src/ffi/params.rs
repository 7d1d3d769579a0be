//! OSSL_PARAM arrays, read and filled safely.
//!
//! Integers may have any width and are in native byte order, a number may come where a string is usual, and a request
//! with NULL data asks for the size only: the rules of OSSL_PARAM(3).

use std::{
    ffi::{CStr, CString, c_char, c_int, c_uint, c_void},
    ptr,
};

use super::{
    Callback, OSSL_PARAM_INTEGER, OSSL_PARAM_OCTET_PTR, OSSL_PARAM_OCTET_STRING, OSSL_PARAM_UNSIGNED_INTEGER,
    OSSL_PARAM_UTF8_PTR, OSSL_PARAM_UTF8_STRING, Param,
};
use crate::error::Error;

/// What kind of value a parameter has, as descriptors tell it.
#[derive(Clone, Copy)]
pub(crate) enum Type {
    Int,
    /// An unsigned number of any size.
    Number,
    Text,
    Bytes,
    /// Bytes that callers are shown where they lie.
    BytesPointer,
}

impl Type {
    const fn data_type(self) -> c_uint {
        match self {
            Self::Int => OSSL_PARAM_INTEGER,
            Self::Number => OSSL_PARAM_UNSIGNED_INTEGER,
            Self::Text => OSSL_PARAM_UTF8_STRING,
            Self::Bytes => OSSL_PARAM_OCTET_STRING,
            Self::BytesPointer => OSSL_PARAM_OCTET_PTR,
        }
        .unsigned_abs()
    }
}

/// A value we give, which may be part of what it is about.
pub(crate) enum Value<'a> {
    Int(i64),
    /// Big-endian, without leading zeros.
    Number(Vec<u8>),
    Text(&'a CStr),
    Bytes(Vec<u8>),
    /// Of [`Type::BytesPointer`].
    Pointer(&'a [u8]),
    /// A number that also has a name: whichever the caller asks for.
    Named(c_int, &'static CStr),
    /// A number that callers also ask for as text, in decimal digits.
    Digits(i64),
}

/// A parameter that a `T` has to give. One row is its descriptor and its reader.
pub(crate) struct Field<T> {
    pub(crate) name: &'static CStr,
    kind: Type,
    pub(crate) read: fn(&T) -> Option<Value<'_>>,
}

pub(crate) const fn field<T>(name: &'static CStr, kind: Type, read: fn(&T) -> Option<Value<'_>>) -> Field<T> {
    Field { name, kind, read }
}

/// A parameter that a `T` takes. One row is its descriptor and its writer.
pub(crate) struct Setting<T> {
    pub(crate) name: &'static CStr,
    kind: Type,
    write: fn(&mut T, &Given<'_>) -> Result<(), Error>,
}

pub(crate) const fn setting<T>(
    name: &'static CStr,
    kind: Type,
    write: fn(&mut T, &Given<'_>) -> Result<(), Error>,
) -> Setting<T> {
    Setting { name, kind, write }
}

impl Param {
    pub(crate) const END: Self = Self { key: ptr::null(), data_type: 0, data: ptr::null_mut(), data_size: 0, return_size: 0 };

    pub(crate) const fn describe(name: &'static CStr, kind: Type) -> Self {
        Self { key: name.as_ptr(), data_type: kind.data_type(), ..Self::END }
    }
}

/// The descriptors of the first `N` - 1 fields, and the end mark.
pub(crate) const fn gettable<T, const N: usize>(fields: &[Field<T>]) -> [Param; N] {
    let mut described = [const { Param::END }; N];
    let mut i = 0;
    while i < N - 1 {
        described[i] = Param::describe(fields[i].name, fields[i].kind);
        i += 1;
    }
    described
}

/// The descriptors of all settings, and the end mark.
pub(crate) const fn settable<T, const N: usize>(settings: &[Setting<T>]) -> [Param; N] {
    assert!(settings.len() + 1 == N, "a place for each setting and the end");
    let mut described = [const { Param::END }; N];
    let mut i = 0;
    while i < N - 1 {
        described[i] = Param::describe(settings[i].name, settings[i].kind);
        i += 1;
    }
    described
}

/// Parameters that a caller gives.
#[derive(Clone, Copy)]
pub(crate) struct Params<'a>(&'a [Param]);

impl<'a> Params<'a> {
    /// # Safety
    /// `params` is NULL or an array that ends with a NULL key; it and what it leads to stay unchanged for `'a`.
    pub(crate) unsafe fn new(params: *const Param) -> Self {
        // SAFETY: the caller's promise.
        Self(unsafe { std::slice::from_raw_parts(first(params), count(params)) })
    }

    pub(crate) fn find(self, name: &CStr) -> Option<Given<'a>> {
        self.0.iter().find(|param| param.name() == name).map(Given)
    }

    /// Whether a described parameter is given.
    pub(crate) fn has(self, described: &Param) -> bool {
        !described.key.is_null() && self.find(described.name()).is_some()
    }

    /// Writes what is given and known into `target`; what is not known is somebody else's.
    pub(crate) fn apply<T>(self, settings: &[Setting<T>], target: &mut T) -> Result<(), Error> {
        settings
            .iter()
            .filter_map(|setting| Some((setting, self.find(setting.name)?)))
            .try_for_each(|(setting, given)| (setting.write)(target, &given))
    }
}

/// Parameters that a caller asks for.
pub(crate) struct Request<'a>(&'a mut [Param]);

impl<'a> Request<'a> {
    /// # Safety
    /// `params` is NULL or an array that ends with a NULL key, whose buffers are writable for `'a` and by nobody else.
    pub(crate) unsafe fn new(params: *mut Param) -> Self {
        // SAFETY: the caller's promise.
        Self(unsafe { std::slice::from_raw_parts_mut(first(params).cast_mut(), count(params)) })
    }

    /// Whether this is asked.
    pub(crate) fn asks(&self, name: &CStr) -> bool {
        self.0.iter().any(|param| param.name() == name)
    }

    /// Answers what is asked and known.
    pub(crate) fn answer<T>(&mut self, fields: &[Field<T>], source: &T) -> Result<(), Error> {
        for param in self.0.iter_mut() {
            let field = fields.iter().find(|field| field.name == param.name());
            if let Some(value) = field.and_then(|field| (field.read)(source)) {
                param.set(&value)?;
            }
        }
        Ok(())
    }
}

/// # Safety
/// `params` is NULL or ends with a NULL key.
unsafe fn count(params: *const Param) -> usize {
    if params.is_null() {
        return 0;
    }
    // SAFETY: the caller's promise.
    (0..).take_while(|&i| unsafe { !(*params.add(i)).key.is_null() }).count()
}

fn first(params: *const Param) -> *const Param {
    if params.is_null() { ptr::NonNull::dangling().as_ptr() } else { params }
}

/// One parameter that a caller gives.
pub(crate) struct Given<'a>(&'a Param);

impl<'a> Given<'a> {
    pub(crate) fn text(&self) -> Option<&'a str> {
        let bytes = match c_int::try_from(self.0.data_type).ok()? {
            OSSL_PARAM_UTF8_STRING => self.raw()?,
            OSSL_PARAM_UTF8_PTR => self.pointed()?.as_bytes(),
            _ => return None,
        };
        let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
        std::str::from_utf8(bytes.get(..end)?).ok()
    }

    pub(crate) fn bytes(&self) -> Option<&'a [u8]> {
        self.is(OSSL_PARAM_OCTET_STRING).then(|| self.raw().unwrap_or_default())
    }

    /// A signed or unsigned number that fits.
    pub(crate) fn int(&self) -> Option<i64> {
        let signed = self.is(OSSL_PARAM_INTEGER);
        if !signed && !self.is(OSSL_PARAM_UNSIGNED_INTEGER) {
            return None;
        }
        let number = big_endian(self.raw()?);
        let fill = if signed && number.first()? & 0x80 != 0 { 0xff } else { 0 };
        let (high, low) = number.split_at(number.len().saturating_sub(8));
        let mut eight = [fill; 8];
        eight[8 - low.len()..].copy_from_slice(low);
        let value = i64::from_be_bytes(eight);
        let fits = high.iter().all(|&byte| byte == fill) && (value < 0) == (fill == 0xff);
        fits.then_some(value)
    }

    /// An unsigned number of any size, big-endian without leading zeros.
    pub(crate) fn number(&self) -> Option<Vec<u8>> {
        let number = self.is(OSSL_PARAM_UNSIGNED_INTEGER).then(|| self.raw())?.map(big_endian)?;
        Some(trimmed(&number).to_vec())
    }

    fn pointed(&self) -> Option<&'a str> {
        let place = self.0.data.cast::<*const c_char>();
        // SAFETY: the type says that the buffer holds a pointer to a NUL-terminated string.
        unsafe { super::text(*place.as_ref()?) }
    }

    fn is(&self, data_type: c_int) -> bool {
        self.0.data_type == data_type.unsigned_abs()
    }

    fn raw(&self) -> Option<&'a [u8]> {
        // SAFETY: the array's promise, `Params::new`: a value in hand has `data_size` bytes at `data`.
        (!self.0.data.is_null()).then(|| unsafe { super::bytes(self.0.data.cast(), self.0.data_size) })
    }
}

impl Param {
    fn name(&self) -> &CStr {
        // SAFETY: an array's entries before the end mark have NUL-terminated keys.
        unsafe { CStr::from_ptr(self.key) }
    }

    fn set(&mut self, value: &Value<'_>) -> Result<(), Error> {
        let wanted = c_int::try_from(self.data_type).unwrap_or_default();
        match (value, wanted) {
            // whoever asks for the size of a string alone need not say of what type it is
            (Value::Text(text), _) if self.data.is_null() => self.write(text.to_bytes(), 0),
            (Value::Bytes(bytes), _) if self.data.is_null() => self.write(bytes, 0),
            (Value::Int(value) | Value::Digits(value), OSSL_PARAM_INTEGER | OSSL_PARAM_UNSIGNED_INTEGER) => self.set_int(*value),
            (Value::Named(value, _), OSSL_PARAM_INTEGER | OSSL_PARAM_UNSIGNED_INTEGER) => self.set_int(i64::from(*value)),
            (Value::Number(number), OSSL_PARAM_UNSIGNED_INTEGER) => self.set_integer(number, 0),
            (Value::Text(text) | Value::Named(_, text), OSSL_PARAM_UTF8_STRING) => self.set_text(text),
            (Value::Digits(value), OSSL_PARAM_UTF8_STRING) => {
                self.set_text(&CString::new(value.to_string()).map_err(|_| Error::Internal)?)
            }
            (Value::Text(text) | Value::Named(_, text), OSSL_PARAM_UTF8_PTR) => {
                self.set_pointer(text.count_bytes(), text.as_ptr().cast())
            }
            (Value::Bytes(bytes), OSSL_PARAM_OCTET_STRING) => self.write(bytes, 0),
            (Value::Pointer(bytes), OSSL_PARAM_OCTET_PTR) => self.set_pointer(bytes.len(), bytes.as_ptr().cast()),
            _ => Err(self.refused("is asked for with a type it does not have")),
        }
    }

    fn set_int(&mut self, value: i64) -> Result<(), Error> {
        if value < 0 && self.data_type == OSSL_PARAM_UNSIGNED_INTEGER.unsigned_abs() {
            return Err(self.refused("is negative"));
        }
        let fill = if value < 0 { 0xff } else { 0 };
        self.set_integer(&big_endian(&native_int(value)), fill)
    }

    /// Writes a big-endian number in native order, extended with `fill` to the width asked for.
    fn set_integer(&mut self, number: &[u8], fill: u8) -> Result<(), Error> {
        if self.data.is_null() {
            self.return_size = number.len();
            return Ok(());
        }
        let width = self.data_size;
        if width < number.len() {
            self.return_size = number.len();
            return Err(self.refused("does not fit its buffer"));
        }
        let mut wide = vec![fill; width - number.len()];
        wide.extend_from_slice(number);
        self.write(&big_endian(&wide), 0)
    }

    fn set_text(&mut self, text: &CStr) -> Result<(), Error> {
        // the end mark is written where there is room for it, and never counted
        let room = usize::from(self.data_size > text.count_bytes());
        self.write(text.to_bytes(), room)
    }

    /// What the caller is shown lies in static memory or in the object that was asked, where it stays until that is changed.
    fn set_pointer(&mut self, len: usize, start: *const c_void) -> Result<(), Error> {
        self.return_size = len;
        // SAFETY: the type says that the buffer, if there is one, has room for a pointer.
        if let Some(place) = unsafe { self.data.cast::<*const c_void>().as_mut() } {
            *place = start;
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8], zeros: usize) -> Result<(), Error> {
        self.return_size = bytes.len();
        if self.data.is_null() {
            return Ok(());
        }
        if self.data_size < bytes.len() + zeros {
            return Err(self.refused("does not fit its buffer"));
        }
        // SAFETY: `data` has `data_size` writable bytes, `Request::new`'s promise, and that is enough.
        unsafe {
            ptr::copy_nonoverlapping(bytes.as_ptr(), self.data.cast(), bytes.len());
            ptr::write_bytes(self.data.cast::<u8>().add(bytes.len()), 0, zeros);
        }
        Ok(())
    }

    fn refused(&self, why: &str) -> Error {
        Error::Parameter(format!("the parameter {:?} {why}", self.name()))
    }
}

/// Gives parameters to a callback of the core's.
pub(crate) fn emit(callback: Callback, argument: *mut c_void, values: Vec<(&'static CStr, Value<'_>)>) -> bool {
    let Some(callback) = callback else {
        return false;
    };
    // the buffers stay where they are on the heap while `params` leads to them
    let mut buffers: Vec<(&'static CStr, Type, Vec<u8>)> = values
        .into_iter()
        .map(|(name, value)| match value {
            Value::Int(value) | Value::Digits(value) => (name, Type::Int, native_int(value)),
            Value::Named(value, _) => (name, Type::Int, value.to_ne_bytes().to_vec()),
            Value::Number(number) => (name, Type::Number, big_endian(&number)),
            Value::Text(text) => (name, Type::Text, text.to_bytes_with_nul().to_vec()),
            Value::Bytes(bytes) => (name, Type::Bytes, bytes),
            Value::Pointer(bytes) => (name, Type::Bytes, bytes.to_vec()),
        })
        .collect();
    let mut params: Vec<Param> = buffers
        .iter_mut()
        .map(|(name, kind, buffer)| Param {
            data: buffer.as_mut_ptr().cast(),
            // a text's size leaves its end mark out
            data_size: buffer.len() - usize::from(matches!(kind, Type::Text)),
            ..Param::describe(name, *kind)
        })
        .collect();
    params.push(Param::END);
    // SAFETY: `callback` and `argument` came together from the core for the time of this call; `params` is terminated.
    (unsafe { callback(params.as_ptr(), argument) }) == 1
}

/// As a C int where it fits one, else 64 bits wide.
fn native_int(value: i64) -> Vec<u8> {
    c_int::try_from(value).map_or_else(|_| value.to_ne_bytes().to_vec(), |value| value.to_ne_bytes().to_vec())
}

/// Native to big-endian order and back.
fn big_endian(native: &[u8]) -> Vec<u8> {
    let mut bytes = native.to_vec();
    if cfg!(target_endian = "little") {
        bytes.reverse();
    }
    bytes
}

/// A big-endian number without its leading zeros.
pub(crate) fn trimmed(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|&&byte| byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(data_type: c_int, data: &[u8]) -> Param {
        Param {
            key: c"x".as_ptr(),
            data_type: data_type.unsigned_abs(),
            data: data.as_ptr().cast_mut().cast(),
            data_size: data.len(),
            return_size: 0,
        }
    }

    fn int(data_type: c_int, data: &[u8]) -> Option<i64> {
        Given(&given(data_type, data)).int()
    }

    #[test]
    fn integers_of_any_width_are_read() {
        assert_eq!(int(OSSL_PARAM_INTEGER, &[0xff]), Some(-1));
        assert_eq!(int(OSSL_PARAM_UNSIGNED_INTEGER, &[0xff]), Some(255));
        assert_eq!(int(OSSL_PARAM_INTEGER, &(-2i32).to_ne_bytes()), Some(-2));
        assert_eq!(int(OSSL_PARAM_INTEGER, &6i64.to_ne_bytes()), Some(6));
        assert_eq!(int(OSSL_PARAM_INTEGER, &(-3i128).to_ne_bytes()), Some(-3));
        assert_eq!(int(OSSL_PARAM_INTEGER, &(1i128 << 63).to_ne_bytes()), None);
        assert_eq!(int(OSSL_PARAM_UNSIGNED_INTEGER, &u64::MAX.to_ne_bytes()), None);
        assert_eq!(int(OSSL_PARAM_UTF8_STRING, b"6"), None);
    }

    #[test]
    fn texts_end_at_their_mark_or_their_size() {
        assert_eq!(Given(&given(OSSL_PARAM_UTF8_STRING, b"pss\0??")).text(), Some("pss"));
        assert_eq!(Given(&given(OSSL_PARAM_UTF8_STRING, b"pss")).text(), Some("pss"));
        let place = (c"pss".as_ptr() as usize).to_ne_bytes();
        assert_eq!(Given(&given(OSSL_PARAM_UTF8_PTR, &place)).text(), Some("pss"));
        assert_eq!(Given(&given(OSSL_PARAM_UTF8_PTR, &[0; size_of::<usize>()])).text(), None);
    }

    fn ask(data_type: c_int, buffer: Option<&mut [u8]>, value: &Value<'_>) -> (bool, usize) {
        let (data, data_size) = buffer.map_or((ptr::null_mut(), 0), |b| (b.as_mut_ptr(), b.len()));
        let mut param = Param { data: data.cast(), data_size, ..given(data_type, &[]) };
        (param.set(value).is_ok(), param.return_size)
    }

    #[test]
    fn a_request_without_a_buffer_is_told_the_size() {
        let bytes = Value::Bytes(vec![7; 91]);
        assert_eq!(ask(OSSL_PARAM_OCTET_STRING, None, &bytes), (true, 91));
        assert_eq!(ask(OSSL_PARAM_INTEGER, None, &Value::Int(256)), (true, 4));
        assert_eq!(ask(OSSL_PARAM_UTF8_STRING, None, &Value::Text(c"SHA256")), (true, 6));
        assert_eq!(ask(OSSL_PARAM_OCTET_STRING, None, &Value::Text(c"SHA256")), (true, 6));
        assert_eq!(ask(OSSL_PARAM_OCTET_STRING, Some(&mut [0; 90]), &bytes), (false, 91));
    }

    #[test]
    fn values_are_widened_and_never_cut() {
        let mut wide = [9; 8];
        assert_eq!(ask(OSSL_PARAM_INTEGER, Some(&mut wide), &Value::Int(-2)), (true, 8));
        assert_eq!(i64::from_ne_bytes(wide), -2);
        let mut narrow = [9; 2];
        let number = Value::Number(vec![1, 0, 1]);
        assert_eq!(ask(OSSL_PARAM_UNSIGNED_INTEGER, Some(&mut narrow), &number), (false, 3));
        assert_eq!(ask(OSSL_PARAM_UNSIGNED_INTEGER, Some(&mut wide), &number), (true, 8));
        assert_eq!(u64::from_ne_bytes(wide), 65537);
        let mut text = [9; 4];
        assert_eq!(ask(OSSL_PARAM_UTF8_STRING, Some(&mut text), &Value::Text(c"pss")), (true, 3));
        assert_eq!(&text, b"pss\0");
        assert_eq!(ask(OSSL_PARAM_UTF8_STRING, Some(&mut text), &Value::Digits(32)), (true, 2));
        assert_eq!(&text[..3], b"32\0");
        assert_eq!(ask(OSSL_PARAM_INTEGER, Some(&mut text), &Value::Digits(32)), (true, 4));
        assert_eq!(i32::from_ne_bytes(text), 32);
        let label = *b"label";
        assert_eq!(ask(OSSL_PARAM_OCTET_PTR, Some(&mut wide), &Value::Pointer(&label)), (true, 5));
        assert_eq!(usize::from_ne_bytes(wide), label.as_ptr() as usize);
        let padding = Value::Named(6, c"pss");
        assert_eq!(ask(OSSL_PARAM_INTEGER, Some(&mut text), &padding), (true, 4));
        assert_eq!(i32::from_ne_bytes(text), 6);
        assert_eq!(ask(OSSL_PARAM_OCTET_STRING, Some(&mut text), &padding), (false, 0));
    }
}
