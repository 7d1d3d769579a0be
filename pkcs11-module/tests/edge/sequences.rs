//! Sequences of well-formed calls, in any order and state, against a small model of sessions, login, operations and objects, which knows
//! what each call must answer. Where more than one thing is wrong, the module may complain of any.

use std::ptr::null_mut;

use cryptoki_sys::*;
use tests::Source;

use crate::garbage::Standard;
use crate::memory::Note;

const SOFTWARE: CK_SLOT_ID = 1;
const P256: &[u8] = b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
const YES: &[u8] = &[CK_TRUE];
/// What a template that makes no sense may be refused with.
const TEMPLATE: [CK_RV; 4] =
    [CKR_TEMPLATE_INCONSISTENT, CKR_ATTRIBUTE_VALUE_INVALID, CKR_ATTRIBUTE_TYPE_INVALID, CKR_ATTRIBUTE_READ_ONLY];

/// What the standard says the state is.
struct Model<'a> {
    list: &'a CK_FUNCTION_LIST_3_2,
    source: Source,
    initialised: bool,
    user: Option<CK_USER_TYPE>,
    sessions: Vec<Session>,
    /// Handles that must never work again.
    closed: Vec<CK_SESSION_HANDLE>,
    pairs: Vec<Pair>,
}

#[derive(Clone, Default)]
struct Session {
    handle: CK_SESSION_HANDLE,
    writable: bool,
    find: bool,
    digest: bool,
    sign: bool,
}

/// A key pair of the token.
struct Pair {
    label: Vec<u8>,
    /// Whether it signs: who asks for a key that derives, and for nothing else, gets one that does not.
    signs: bool,
    /// Of the private half, as long as it is known to be good.
    handle: Option<CK_OBJECT_HANDLE>,
}

/// `call!(model, C_Name(arguments))` is the function's return value.
macro_rules! call {
    ($model:ident, $name:ident($($argument:expr),* $(,)?)) => {
        // SAFETY: every place that is pointed to outlives the call.
        unsafe { $model.list.$name.unwrap()($($argument),*) }
    };
}

fn attribute(kind: CK_ATTRIBUTE_TYPE, value: &[u8]) -> CK_ATTRIBUTE {
    CK_ATTRIBUTE { type_: kind, pValue: value.as_ptr().cast_mut().cast(), ulValueLen: value.len() as CK_ULONG }
}

fn mechanism(mechanism: CK_MECHANISM_TYPE) -> CK_MECHANISM {
    CK_MECHANISM { mechanism, pParameter: null_mut(), ulParameterLen: 0 }
}

/// A call and what came of it.
struct Answer {
    what: String,
    code: CK_RV,
}

/// Some hundred calls, each checked.
pub(crate) fn run(standard: &Standard, seed: u64, note: &Note) {
    let mut model = Model {
        list: standard.list(),
        source: Source::new(seed),
        initialised: false,
        user: None,
        sessions: Vec::new(),
        closed: vec![0, CK_ULONG::MAX],
        pairs: Vec::new(),
    };
    let mut history = Vec::new();
    for _ in 0..800 {
        let (Answer { what, code }, faults) = model.step();
        history.push(format!("{what} = {code:#x}"));
        note.write(&history[history.len().saturating_sub(30)..].join("\n"));
        let right = if faults.is_empty() { code == CKR_OK } else { faults.contains(&code) };
        assert!(right, "expected {faults:x?}");
    }
}

impl Model<'_> {
    fn step(&mut self) -> (Answer, Vec<CK_RV>) {
        if !self.initialised && self.source.percent(50) {
            return self.initialize();
        }
        if self.sessions.is_empty() && self.source.percent(50) {
            return self.open();
        }
        match self.source.below(44) {
            0 => self.initialize(),
            1 => self.finalize(),
            2 => self.close_all(),
            3..6 => self.open(),
            6 | 7 => self.close(),
            8 | 9 => self.state(),
            10..13 => self.log_in(),
            13 | 14 => self.log_out(),
            15..18 => self.generate(),
            18 | 19 => self.destroy(),
            20..24 => self.find(),
            24..29 => self.find_slowly(),
            29..34 => self.digest(),
            _ => self.sign(),
        }
    }

    fn initialize(&mut self) -> (Answer, Vec<CK_RV>) {
        let code = call!(self, C_Initialize(null_mut()));
        let faults = if self.initialised { vec![CKR_CRYPTOKI_ALREADY_INITIALIZED] } else { vec![] };
        self.initialised = true;
        (Answer { what: "C_Initialize()".to_owned(), code }, faults)
    }

    fn finalize(&mut self) -> (Answer, Vec<CK_RV>) {
        let code = call!(self, C_Finalize(null_mut()));
        let faults = self.uninitialised();
        self.initialised = false;
        self.end_sessions();
        self.forget_handles();
        (Answer { what: "C_Finalize()".to_owned(), code }, faults)
    }

    fn uninitialised(&self) -> Vec<CK_RV> {
        if self.initialised { vec![] } else { vec![CKR_CRYPTOKI_NOT_INITIALIZED] }
    }

    /// What keeps the caller from private keys: the security officer cannot use them.
    fn barred(&self) -> Vec<CK_RV> {
        if self.user == Some(CKU_SO) { vec![CKR_USER_NOT_LOGGED_IN] } else { vec![] }
    }

    fn end_sessions(&mut self) {
        self.closed.extend(self.sessions.drain(..).map(|session| session.handle));
        self.log_out_quietly();
    }

    /// The end of a login takes the handles of private objects with it; those of a token without a PIN may stay.
    fn log_out_quietly(&mut self) {
        if self.user.take().is_some() {
            self.forget_handles();
        }
    }

    fn forget_handles(&mut self) {
        for pair in &mut self.pairs {
            pair.handle = None;
        }
    }

    /// Ends all operations, since they may or may not survive the end of a login (PKCS#11 v3.1 §5.6.9).
    fn cancel_all(&mut self) {
        for session in &mut self.sessions {
            let all = CKF_FIND_OBJECTS | CKF_DIGEST | CKF_SIGN;
            assert_eq!(call!(self, C_SessionCancel(session.handle, all)), CKR_OK);
            *session = Session { handle: session.handle, writable: session.writable, ..Session::default() };
        }
    }

    fn open(&mut self) -> (Answer, Vec<CK_RV>) {
        let (serial, writable) = (!self.source.percent(5), self.source.percent(60));
        let flags = if serial { CKF_SERIAL_SESSION } else { 0 } | if writable { CKF_RW_SESSION } else { 0 };
        let mut handle = 0;
        let code = call!(self, C_OpenSession(SOFTWARE, flags, null_mut(), None, &raw mut handle));
        let mut faults = self.uninitialised();
        if !serial {
            faults.push(CKR_SESSION_PARALLEL_NOT_SUPPORTED);
        }
        if self.user == Some(CKU_SO) && !writable {
            faults.push(CKR_SESSION_READ_WRITE_SO_EXISTS);
        }
        if code == CKR_OK {
            let new = !self.closed.contains(&handle) && self.sessions.iter().all(|session| session.handle != handle);
            assert!(new, "the handle {handle} is used twice");
            self.sessions.push(Session { handle, writable, ..Session::default() });
        }
        (Answer { what: format!("C_OpenSession({flags:#x}) {handle}"), code }, faults)
    }

    /// A session, or in its place a handle that is none, with what is wrong about it.
    fn session(&mut self) -> (Session, Vec<CK_RV>) {
        let mut faults = self.uninitialised();
        if self.sessions.is_empty() || self.source.percent(8) {
            faults.push(CKR_SESSION_HANDLE_INVALID);
            return (Session { handle: self.source.pick(&self.closed), ..Session::default() }, faults);
        }
        let at = self.source.below(self.sessions.len());
        (self.sessions[at].clone(), faults)
    }

    fn keep(&mut self, session: Session) {
        if let Some(place) = self.sessions.iter_mut().find(|have| have.handle == session.handle) {
            *place = session;
        }
    }

    fn close(&mut self) -> (Answer, Vec<CK_RV>) {
        let (session, faults) = self.session();
        let code = call!(self, C_CloseSession(session.handle));
        if code == CKR_OK {
            self.sessions.retain(|have| have.handle != session.handle);
            self.closed.push(session.handle);
            if self.sessions.is_empty() {
                self.log_out_quietly();
            }
        }
        (Answer { what: format!("C_CloseSession({})", session.handle), code }, faults)
    }

    fn close_all(&mut self) -> (Answer, Vec<CK_RV>) {
        let code = call!(self, C_CloseAllSessions(SOFTWARE));
        self.end_sessions();
        (Answer { what: "C_CloseAllSessions()".to_owned(), code }, self.uninitialised())
    }

    fn state(&mut self) -> (Answer, Vec<CK_RV>) {
        let (session, faults) = self.session();
        let mut info = CK_SESSION_INFO::default();
        let code = call!(self, C_GetSessionInfo(session.handle, &raw mut info));
        let state = match (session.writable, self.user) {
            (true, Some(CKU_SO)) => CKS_RW_SO_FUNCTIONS,
            // The token has no PIN.
            (true, _) => CKS_RW_USER_FUNCTIONS,
            (false, _) => CKS_RO_USER_FUNCTIONS,
        };
        assert!(code != CKR_OK || info.state == state, "the state of {} is {}, not {state}", session.handle, info.state);
        (Answer { what: format!("C_GetSessionInfo({})", session.handle), code }, faults)
    }

    fn log_in(&mut self) -> (Answer, Vec<CK_RV>) {
        let (session, mut faults) = self.session();
        let user = self.source.pick(&[CKU_USER, CKU_USER, CKU_SO, 7]);
        let code = call!(self, C_Login(session.handle, user, b"1234".as_ptr().cast_mut(), 4));
        match self.user {
            _ if user == 7 => faults.push(CKR_USER_TYPE_INVALID),
            Some(present) if present == user => faults.push(CKR_USER_ALREADY_LOGGED_IN),
            Some(_) => faults.push(CKR_USER_ANOTHER_ALREADY_LOGGED_IN),
            None if user == CKU_SO && self.sessions.iter().any(|session| !session.writable) => {
                faults.push(CKR_SESSION_READ_ONLY_EXISTS);
            }
            None => {}
        }
        if code == CKR_OK {
            self.user = Some(user);
        }
        (Answer { what: format!("C_Login({}, {user})", session.handle), code }, faults)
    }

    fn log_out(&mut self) -> (Answer, Vec<CK_RV>) {
        let (session, mut faults) = self.session();
        let code = call!(self, C_Logout(session.handle));
        if self.user.is_none() {
            faults.push(CKR_USER_NOT_LOGGED_IN);
        }
        if code == CKR_OK {
            self.log_out_quietly();
            self.cancel_all();
        }
        (Answer { what: format!("C_Logout({})", session.handle), code }, faults)
    }

    /// A key pair, sometimes with an attribute that it should perhaps not have.
    fn generate(&mut self) -> (Answer, Vec<CK_RV>) {
        let (session, mut faults) = self.session();
        let letter = b'a' + u8::try_from(self.source.below(4)).unwrap();
        let odd =
            self.source.pick(&[CKA_SENSITIVE, CKA_EXTRACTABLE, CKA_DERIVE, CKA_CLASS, CKA_VALUE, CKA_LOCAL, CKA_MODULUS, CKA_ID]);
        let len = self.source.below(9);
        let value = self.source.bytes(len);
        let strange = self.source.percent(40);
        let signs = !strange || odd != CKA_DERIVE || value != YES;
        // found by its label, a key tells whether it signs
        let label = vec![if signs { letter } else { letter.to_ascii_uppercase() }];
        let mut public = [attribute(CKA_EC_PARAMS, P256), attribute(CKA_TOKEN, YES), attribute(CKA_LABEL, &label)];
        let mut private = vec![attribute(CKA_TOKEN, YES), attribute(CKA_LABEL, &label)];
        if strange {
            private.push(attribute(odd, &value));
        }
        let [mut first, mut second] = [0; 2];
        let (count, data) = (private.len() as CK_ULONG, private.as_mut_ptr());
        let pair = &raw mut first;
        let code = call!(
            self,
            C_GenerateKeyPair(
                session.handle,
                &mut mechanism(CKM_EC_KEY_PAIR_GEN),
                public.as_mut_ptr(),
                3,
                data,
                count,
                pair,
                &raw mut second
            )
        );
        if !session.writable {
            faults.push(CKR_SESSION_READ_ONLY);
        }
        faults.extend(self.barred());
        if strange && code != CKR_OK {
            faults.extend(TEMPLATE);
        }
        if code == CKR_OK {
            self.pairs.push(Pair { label, signs, handle: Some(second) });
        }
        (Answer { what: format!("C_GenerateKeyPair({}, {odd:#x} {value:x?} {strange}) {second}", session.handle), code }, faults)
    }

    /// A pair whose private half's handle is good.
    fn pair(&mut self) -> Option<(usize, CK_OBJECT_HANDLE)> {
        let good: Vec<_> = self.pairs.iter().enumerate().filter_map(|(at, pair)| Some((at, pair.handle?))).collect();
        (!good.is_empty()).then(|| self.source.pick(&good))
    }

    fn destroy(&mut self) -> (Answer, Vec<CK_RV>) {
        let (session, mut faults) = self.session();
        let pair = self.pair();
        let handle = pair.map_or(4_000_000_000, |(_, handle)| handle);
        let code = call!(self, C_DestroyObject(session.handle, handle));
        if !session.writable {
            faults.push(CKR_SESSION_READ_ONLY);
        }
        if pair.is_none() || !self.barred().is_empty() {
            faults.push(CKR_OBJECT_HANDLE_INVALID);
        }
        if let Some((at, _)) = pair.filter(|_| code == CKR_OK) {
            self.pairs.swap_remove(at);
        }
        (Answer { what: format!("C_DestroyObject({}, {handle})", session.handle), code }, faults)
    }

    /// A whole search for private keys with a label, which must find those that there are.
    fn find(&mut self) -> (Answer, Vec<CK_RV>) {
        let (session, mut faults) = self.session();
        let label = [b'a' + u8::try_from(self.source.below(4)).unwrap()];
        let class = CKO_PRIVATE_KEY.to_ne_bytes();
        let mut template = [attribute(CKA_LABEL, &label), attribute(CKA_CLASS, &class)];
        let code = call!(self, C_FindObjectsInit(session.handle, template.as_mut_ptr(), 2));
        if session.find {
            faults.push(CKR_OPERATION_ACTIVE);
        }
        if code == CKR_OK && faults.is_empty() {
            let (mut handles, mut count) = (vec![0; 400], 0);
            assert_eq!(call!(self, C_FindObjects(session.handle, handles.as_mut_ptr(), 400, &raw mut count)), CKR_OK);
            assert_eq!(call!(self, C_FindObjectsFinal(session.handle)), CKR_OK);
            handles.truncate(usize::try_from(count).unwrap());
            let there: Vec<_> = self.pairs.iter().filter(|pair| pair.label == label).collect();
            let visible = if self.barred().is_empty() { there.len() } else { 0 };
            assert_eq!(handles.len(), visible, "private keys labelled {label:?}");
            let mut known = there.iter().filter_map(|pair| pair.handle);
            assert!(visible == 0 || known.all(|handle| handles.contains(&handle)), "{handles:?} lack a handle");
            self.learn(&label, &handles);
        }
        (Answer { what: format!("C_FindObjectsInit({}, {label:?})", session.handle), code }, faults)
    }

    /// Takes the handles of keys whose handles are not known.
    fn learn(&mut self, label: &[u8], handles: &[CK_OBJECT_HANDLE]) {
        let known: Vec<_> = self.pairs.iter().filter_map(|pair| pair.handle).collect();
        let mut fresh = handles.iter().filter(|handle| !known.contains(handle));
        for pair in self.pairs.iter_mut().filter(|pair| pair.label == label && pair.handle.is_none()) {
            pair.handle = fresh.next().copied();
        }
    }

    /// One step of a search that goes on for a while.
    fn find_slowly(&mut self) -> (Answer, Vec<CK_RV>) {
        let (mut session, mut faults) = self.session();
        let (name, code) = match self.source.below(3) {
            0 => {
                let code = call!(self, C_FindObjectsInit(session.handle, null_mut(), 0));
                if session.find {
                    faults.push(CKR_OPERATION_ACTIVE);
                }
                session.find |= code == CKR_OK;
                ("C_FindObjectsInit", code)
            }
            which => {
                if !session.find {
                    faults.push(CKR_OPERATION_NOT_INITIALIZED);
                }
                let (mut handle, mut count) = (0, 0);
                if which == 1 {
                    ("C_FindObjects", call!(self, C_FindObjects(session.handle, &raw mut handle, 1, &raw mut count)))
                } else {
                    session.find = false;
                    ("C_FindObjectsFinal", call!(self, C_FindObjectsFinal(session.handle)))
                }
            }
        };
        let what = format!("{name}({})", session.handle);
        if faults.is_empty() {
            self.keep(session);
        }
        (Answer { what, code }, faults)
    }

    fn digest(&mut self) -> (Answer, Vec<CK_RV>) {
        let (mut session, mut faults) = self.session();
        let (mut data, mut out, mut len) = ([7; 100], [0; 32], 32);
        let (name, code) = match self.source.below(4) {
            0 | 1 => {
                if session.digest {
                    faults.push(CKR_OPERATION_ACTIVE);
                }
                session.digest = true;
                ("C_DigestInit", call!(self, C_DigestInit(session.handle, &mut mechanism(CKM_SHA256))))
            }
            which => {
                if !session.digest {
                    faults.push(CKR_OPERATION_NOT_INITIALIZED);
                }
                if which == 2 {
                    ("C_DigestUpdate", call!(self, C_DigestUpdate(session.handle, data.as_mut_ptr(), 100)))
                } else {
                    session.digest = false;
                    ("C_DigestFinal", call!(self, C_DigestFinal(session.handle, out.as_mut_ptr(), &raw mut len)))
                }
            }
        };
        let what = format!("{name}({})", session.handle);
        if faults.is_empty() {
            self.keep(session);
        }
        (Answer { what, code }, faults)
    }

    fn sign(&mut self) -> (Answer, Vec<CK_RV>) {
        let (mut session, mut faults) = self.session();
        let (mut data, mut out, mut len) = ([7; 32], [0; 64], 64);
        let (name, code) = if self.source.percent(50) {
            let pair = self.pair();
            let handle = pair.map_or(4_000_000_000, |(_, handle)| handle);
            match pair {
                None => faults.push(CKR_KEY_HANDLE_INVALID),
                Some((at, _)) if !self.pairs[at].signs => faults.push(CKR_KEY_FUNCTION_NOT_PERMITTED),
                Some(_) => {}
            }
            faults.extend(self.barred());
            if session.sign {
                faults.push(CKR_OPERATION_ACTIVE);
            }
            session.sign = true;
            ("C_SignInit", call!(self, C_SignInit(session.handle, &mut mechanism(CKM_ECDSA), handle)))
        } else {
            if !session.sign {
                faults.push(CKR_OPERATION_NOT_INITIALIZED);
            }
            session.sign = false;
            ("C_Sign", call!(self, C_Sign(session.handle, data.as_mut_ptr(), 32, out.as_mut_ptr(), &raw mut len)))
        };
        // the key may have been destroyed since the signature was begun
        if name == "C_Sign" && faults.is_empty() && code == CKR_KEY_HANDLE_INVALID {
            faults.push(CKR_KEY_HANDLE_INVALID);
            self.keep(session.clone());
        }
        let what = format!("{name}({})", session.handle);
        if faults.is_empty() {
            self.keep(session);
        }
        (Answer { what, code }, faults)
    }
}
