//! A session of the software token, in which keys live as long as their vector.

use std::collections::BTreeMap;
use std::fmt;
use std::ptr::null_mut;

use cryptoki_sys::*;

use crate::names;

pub(crate) type Attributes<'a> = [(CK_ATTRIBUTE_TYPE, &'a [u8])];

pub(crate) const YES: &[u8] = &[CK_TRUE];
pub(crate) const NO: &[u8] = &[CK_FALSE];

const SOFTWARE: CK_SLOT_ID = 1;

pub(crate) struct Token {
    session: CK_SESSION_HANDLE,
}

/// A key, which is over with this.
pub(crate) struct Key<'t> {
    token: &'t Token,
    pub(crate) handle: CK_OBJECT_HANDLE,
}

/// Keys that more than one group of vectors is for: to be taken, the numbers of some have to be looked at for long.
#[derive(Default)]
pub(crate) struct Keys<'t>(BTreeMap<Vec<u8>, Result<Key<'t>, Refusal>>);

impl<'t> Keys<'t> {
    /// The key with this number, which is made when it is first asked for.
    pub(crate) fn get(&mut self, number: &[u8], make: impl FnOnce() -> Result<Key<'t>, Refusal>) -> &Result<Key<'t>, Refusal> {
        self.0.entry(number.to_vec()).or_insert_with(make)
    }
}

/// The function that has refused something, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refusal {
    function: &'static str,
    code: CK_RV,
}

impl Refusal {
    /// Of a ciphertext that decrypts to something else.
    pub(crate) const IN_SILENCE: Self = Self { function: "C_Decrypt", code: CKR_ENCRYPTED_DATA_INVALID };
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.function, names::code(self.code))
    }
}

/// `call!(C_Name(arguments))?` goes on where the function succeeds.
macro_rules! call {
    ($name:ident($($argument:expr),* $(,)?)) => {
        // SAFETY: the pointers are good for the lengths that stand beside them.
        match unsafe { parsec_pkcs11::$name($($argument),*) } {
            CKR_OK => Ok(()),
            code => Err(Refusal { function: stringify!($name), code }),
        }
    };
}

impl Token {
    pub(crate) fn open() -> Self {
        let (mut session, flags) = (0, CKF_SERIAL_SESSION | CKF_RW_SESSION);
        call!(C_OpenSession(SOFTWARE, flags, null_mut(), None, &raw mut session)).unwrap();
        Self { session }
    }

    pub(crate) fn key(&self, class: CK_OBJECT_CLASS, kind: CK_KEY_TYPE, attributes: &Attributes<'_>) -> Result<Key<'_>, Refusal> {
        let (class, kind) = (class.to_ne_bytes(), kind.to_ne_bytes());
        let own: &Attributes<'_> = &[(CKA_CLASS, &class), (CKA_KEY_TYPE, &kind)];
        let (mut template, mut handle) = (template(&[own, attributes].concat()), 0);
        call!(C_CreateObject(self.session, template.as_mut_ptr(), count(&template), &raw mut handle))?;
        Ok(Key { token: self, handle })
    }

    /// A secret key for everything.
    pub(crate) fn secret(&self, kind: CK_KEY_TYPE, value: &[u8], uses: &[CK_ATTRIBUTE_TYPE]) -> Result<Key<'_>, Refusal> {
        let uses: Vec<_> = uses.iter().map(|kind| (*kind, YES)).collect();
        self.key(CKO_SECRET_KEY, kind, &[&[(CKA_VALUE, value)], &uses[..]].concat())
    }
}

impl Key<'_> {
    pub(crate) fn verify(&self, mut mechanism: CK_MECHANISM, data: &[u8], signature: &[u8]) -> Result<(), Refusal> {
        let session = self.token.session;
        call!(C_VerifyInit(session, &raw mut mechanism, self.handle))?;
        call!(C_Verify(session, start(data), count(data), start(signature), count(signature)))
    }

    pub(crate) fn sign(&self, mut mechanism: CK_MECHANISM, data: &[u8]) -> Result<Vec<u8>, Refusal> {
        let session = self.token.session;
        call!(C_SignInit(session, &raw mut mechanism, self.handle))?;
        filled(|out, len| call!(C_Sign(session, start(data), count(data), out, len)))
    }

    pub(crate) fn encrypt(&self, mut mechanism: CK_MECHANISM, data: &[u8]) -> Result<Vec<u8>, Refusal> {
        let session = self.token.session;
        call!(C_EncryptInit(session, &raw mut mechanism, self.handle))?;
        filled(|out, len| call!(C_Encrypt(session, start(data), count(data), out, len)))
    }

    pub(crate) fn decrypt(&self, mut mechanism: CK_MECHANISM, data: &[u8]) -> Result<Vec<u8>, Refusal> {
        let session = self.token.session;
        call!(C_DecryptInit(session, &raw mut mechanism, self.handle))?;
        filled(|out, len| call!(C_Decrypt(session, start(data), count(data), out, len)))
    }

    /// The value of a secret that is derived, of so many bytes or as many as there are.
    pub(crate) fn derive(&self, mut mechanism: CK_MECHANISM, len: Option<usize>) -> Result<Vec<u8>, Refusal> {
        let len = len.map(|len| (len as CK_ULONG).to_ne_bytes());
        let len = len.iter().map(|len| (CKA_VALUE_LEN, &len[..]));
        let (mut template, mut handle) = (template(&readable().into_iter().chain(len).collect::<Vec<_>>()), 0);
        let (session, entries) = (self.token.session, template.as_mut_ptr());
        call!(C_DeriveKey(session, &raw mut mechanism, self.handle, entries, count(&template), &raw mut handle))?;
        Key { token: self.token, handle }.attribute(CKA_VALUE)
    }

    /// The value of a secret that was wrapped.
    pub(crate) fn unwrap(&self, mut mechanism: CK_MECHANISM, wrapped: &[u8]) -> Result<Vec<u8>, Refusal> {
        let (mut template, mut handle) = (template(&readable()), 0);
        let (session, entries, own) = (self.token.session, template.as_mut_ptr(), self.handle);
        let (start, len) = (start(wrapped), count(wrapped));
        call!(C_UnwrapKey(session, &raw mut mechanism, own, start, len, entries, count(&template), &raw mut handle))?;
        Key { token: self.token, handle }.attribute(CKA_VALUE)
    }

    /// The ciphertext of a new secret.
    pub(crate) fn encapsulate(&self, mut mechanism: CK_MECHANISM) -> Result<Vec<u8>, Refusal> {
        let (mut template, mut handle) = (template(&readable()), 0);
        let (session, entries, own) = (self.token.session, template.as_mut_ptr(), self.handle);
        let all = count(&template);
        let encapsulated = filled(|out, len| {
            call!(C_EncapsulateKey(session, &raw mut mechanism, own, entries, all, out, len, &raw mut handle))
        })?;
        drop(Key { token: self.token, handle });
        Ok(encapsulated)
    }

    /// The value of the secret in a ciphertext.
    pub(crate) fn decapsulate(&self, mut mechanism: CK_MECHANISM, sealed: &[u8]) -> Result<Vec<u8>, Refusal> {
        let (mut template, mut handle) = (template(&readable()), 0);
        let (session, entries, own) = (self.token.session, template.as_mut_ptr(), self.handle);
        let (all, sealed, len) = (count(&template), start(sealed), count(sealed));
        call!(C_DecapsulateKey(session, &raw mut mechanism, own, entries, all, sealed, len, &raw mut handle))?;
        Key { token: self.token, handle }.attribute(CKA_VALUE)
    }

    pub(crate) fn attribute(&self, kind: CK_ATTRIBUTE_TYPE) -> Result<Vec<u8>, Refusal> {
        let mut value = vec![0; 0x1_0000];
        let mut entry = CK_ATTRIBUTE { type_: kind, pValue: value.as_mut_ptr().cast(), ulValueLen: count(&value) };
        call!(C_GetAttributeValue(self.token.session, self.handle, &raw mut entry, 1))?;
        value.truncate(usize::try_from(entry.ulValueLen).unwrap());
        Ok(value)
    }
}

impl Drop for Key<'_> {
    fn drop(&mut self) {
        call!(C_DestroyObject(self.token.session, self.handle)).unwrap();
    }
}

pub(crate) fn mechanism(kind: CK_MECHANISM_TYPE) -> CK_MECHANISM {
    CK_MECHANISM { mechanism: kind, pParameter: null_mut(), ulParameterLen: 0 }
}

pub(crate) fn with<T>(kind: CK_MECHANISM_TYPE, parameter: &T) -> CK_MECHANISM {
    let parameter = &raw const *parameter;
    CK_MECHANISM { mechanism: kind, pParameter: parameter.cast_mut().cast(), ulParameterLen: size_of::<T>() as CK_ULONG }
}

/// A mechanism whose parameter is a string of bytes.
pub(crate) fn with_bytes(kind: CK_MECHANISM_TYPE, parameter: &[u8]) -> CK_MECHANISM {
    CK_MECHANISM { mechanism: kind, pParameter: start(parameter).cast(), ulParameterLen: count(parameter) }
}

/// A place that a function reads only, however its type has it.
pub(crate) fn start(data: &[u8]) -> *mut u8 {
    data.as_ptr().cast_mut()
}

pub(crate) fn count<T>(data: &[T]) -> CK_ULONG {
    data.len() as CK_ULONG
}

/// A generic secret whose value can be read.
fn readable() -> [(CK_ATTRIBUTE_TYPE, &'static [u8]); 4] {
    static CLASS: [u8; 8] = CKO_SECRET_KEY.to_ne_bytes();
    static KIND: [u8; 8] = CKK_GENERIC_SECRET.to_ne_bytes();
    [(CKA_CLASS, &CLASS), (CKA_KEY_TYPE, &KIND), (CKA_SENSITIVE, NO), (CKA_EXTRACTABLE, YES)]
}

fn template(attributes: &Attributes<'_>) -> Vec<CK_ATTRIBUTE> {
    let entry = |(kind, value): &(CK_ATTRIBUTE_TYPE, &[u8])| CK_ATTRIBUTE {
        type_: *kind,
        pValue: start(value).cast(),
        ulValueLen: count(value),
    };
    attributes.iter().map(entry).collect()
}

/// What a function gives out, by the rule of two calls.
fn filled(mut call: impl FnMut(*mut u8, *mut CK_ULONG) -> Result<(), Refusal>) -> Result<Vec<u8>, Refusal> {
    let mut len = 0;
    call(null_mut(), &raw mut len)?;
    let mut out = vec![0; usize::try_from(len).unwrap()];
    call(out.as_mut_ptr(), &raw mut len)?;
    out.truncate(usize::try_from(len).unwrap());
    Ok(out)
}
