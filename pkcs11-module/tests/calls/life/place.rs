//! How each function is called in a module, rightly and wrongly, and how the state of an operation is found out.

use super::clauses::{CRYPT, FINAL, UPDATE, WHOLE};
use super::*;
use crate::crypt::with;
use crate::keys::{YES, number};

/// Functions of one operation.
pub(super) struct Kind {
    pub(super) begin: &'static str,
    pub(super) whole: &'static str,
    pub(super) update: &'static str,
    pub(super) last: &'static str,
}

pub(super) const KINDS: &[Kind] = &[
    kind("C_EncryptInit", "C_Encrypt", "C_EncryptUpdate", "C_EncryptFinal"),
    kind("C_DecryptInit", "C_Decrypt", "C_DecryptUpdate", "C_DecryptFinal"),
    kind("C_DigestInit", "C_Digest", "C_DigestUpdate", "C_DigestFinal"),
    kind("C_SignInit", "C_Sign", "C_SignUpdate", "C_SignFinal"),
    kind("C_VerifyInit", "C_Verify", "C_VerifyUpdate", "C_VerifyFinal"),
    kind("C_SignRecoverInit", "C_SignRecover", "", ""),
    kind("C_VerifyRecoverInit", "C_VerifyRecover", "", ""),
    kind("C_VerifySignatureInit", "C_VerifySignature", "C_VerifySignatureUpdate", "C_VerifySignatureFinal"),
];

pub(super) const fn kind(begin: &'static str, whole: &'static str, update: &'static str, last: &'static str) -> Kind {
    Kind { begin, whole, update, last }
}

/// The operation that a function belongs to; of two at once, the one that it encrypts or decrypts with.
pub(super) fn of(function: &str) -> &'static Kind {
    let own = match function {
        "C_DigestEncryptUpdate" | "C_SignEncryptUpdate" => "C_EncryptUpdate",
        "C_DecryptDigestUpdate" | "C_DecryptVerifyUpdate" => "C_DecryptUpdate",
        "C_DigestKey" => "C_DigestUpdate",
        other => other,
    };
    KINDS.iter().find(|kind| [kind.begin, kind.whole, kind.update, kind.last].contains(&own)).unwrap()
}

/// A way to a state: the calls after `C_*Init`, which must change nothing but that.
pub(super) fn ways(kind: &Kind, state: State) -> Vec<Vec<(&'static str, Call)>> {
    let (whole, update, last) = ((kind.whole, AskLength), (kind.update, Right), (kind.last, AskLength));
    let gives = WHOLE.contains(&kind.whole);
    match state {
        Nothing => vec![vec![]],
        Begun if gives => vec![vec![], vec![whole], vec![(kind.whole, Short), whole]],
        Begun => vec![vec![]],
        Updated if gives => vec![vec![update], vec![whole, update], vec![update, last], vec![update, (kind.last, Short)]],
        Updated => vec![vec![update]],
    }
}

/// A module, and what its functions are called with.
pub(super) struct Place {
    pub(super) name: &'static str,
    list: CK_FUNCTION_LIST_PTR,
    /// Where it is of version 3.2.
    newest: *const CK_FUNCTION_LIST_3_2,
    slot: CK_SLOT_ID,
    aes: CK_OBJECT_HANDLE,
    public: CK_OBJECT_HANDLE,
    private: CK_OBJECT_HANDLE,
    /// Keeps what is no block yet in counter mode too, so that it comes at the end.
    pub(super) keeps: bool,
    /// Calls that should leave an operation alone, and do not here: no way leads past them.
    pub(super) ends_at: &'static [(&'static str, Call)],
    /// The operations of which it knows whether data has come in parts; none for all.
    pub(super) remembers: Option<&'static [&'static str]>,
    /// Signs what comes in parts, too.
    signing: CK_MECHANISM_TYPE,
    sealed: Vec<u8>,
    /// Of [`DATA`].
    signature: Vec<u8>,
    /// As `C_SignRecover` makes it.
    recoverable: Vec<u8>,
}

/// Longer than a block of AES, and no multiple of it.
pub(super) const DATA: [u8; 21] = [7; 21];
/// What no mechanism here takes: longer than a modulus, and than the counter has room for.
pub(super) const LONG: [u8; 300] = [7; 300];
pub(super) const IV: [u8; 16] = [9; 16];
/// Of four blocks.
pub(super) const COUNTER: CK_AES_CTR_PARAMS = CK_AES_CTR_PARAMS { ulCounterBits: 2, cb: [0; 16] };

impl Place {
    pub(super) fn new(
        name: &'static str,
        list: CK_FUNCTION_LIST_PTR,
        newest: *const CK_FUNCTION_LIST_3_2,
        session: CK_SESSION_HANDLE,
        signing: CK_MECHANISM_TYPE,
    ) -> Self {
        let (class, kind, [mut aes, mut public, mut private]) = (number(CKO_SECRET_KEY), number(CKK_AES), [0; 3]);
        let readable = [(CKA_SENSITIVE, &[CK_FALSE][..]), (CKA_EXTRACTABLE, YES), (CKA_ENCRYPT, YES), (CKA_DECRYPT, YES)];
        let value = [(CKA_CLASS, &class[..]), (CKA_KEY_TYPE, &kind), (CKA_VALUE, &[5; 16])];
        let mut template: Vec<_> = value.iter().chain(&readable).map(|(kind, value)| attribute(*kind, value)).collect();
        assert_eq!(at!(list, C_CreateObject(session, template.as_mut_ptr(), 7, &raw mut aes)), CKR_OK);
        let bits = number(2048);
        let mut of_public = [attribute(CKA_MODULUS_BITS, &bits), attribute(CKA_VERIFY, YES)];
        let mut of_private = [attribute(CKA_SIGN, YES)];
        let made = at!(
            list,
            C_GenerateKeyPair(
                session,
                &mut mechanism(CKM_RSA_PKCS_KEY_PAIR_GEN),
                of_public.as_mut_ptr(),
                2,
                of_private.as_mut_ptr(),
                1,
                &raw mut public,
                &raw mut private,
            )
        );
        assert_eq!(made, CKR_OK);
        let (mut info, sealed) = (CK_SESSION_INFO::default(), vec![0; 32]);
        assert_eq!(at!(list, C_GetSessionInfo(session, &raw mut info)), CKR_OK);
        let (signature, recoverable) = (vec![0; 256], vec![0; 256]);
        let slot = info.slotID;
        let keeps = !newest.is_null();
        let mut place = Self {
            name,
            list,
            newest,
            slot,
            keeps,
            ends_at: &[],
            remembers: None,
            aes,
            public,
            private,
            signing,
            sealed,
            signature,
            recoverable,
        };
        place.make(session);
        place
    }

    /// What is decrypted and verified.
    fn make(&mut self, session: CK_SESSION_HANDLE) {
        let (data, len) = (DATA.as_ptr().cast_mut(), DATA.len() as CK_ULONG);
        let mut room = 32;
        assert_eq!(at!(self.list, C_EncryptInit(session, &mut with(CKM_AES_CBC_PAD, &IV), self.aes)), CKR_OK);
        assert_eq!(at!(self.list, C_Encrypt(session, data, len, self.sealed.as_mut_ptr(), &raw mut room)), CKR_OK);
        for (kind, place) in [(self.signing, &mut self.signature), (CKM_RSA_PKCS, &mut self.recoverable)] {
            room = 256;
            assert_eq!(at!(self.list, C_SignInit(session, &mut mechanism(kind), self.private)), CKR_OK);
            assert_eq!(at!(self.list, C_Sign(session, data, len, place.as_mut_ptr(), &raw mut room)), CKR_OK);
        }
    }

    fn open(&self) -> CK_SESSION_HANDLE {
        let (mut session, flags) = (0, CKF_SERIAL_SESSION | CKF_RW_SESSION);
        assert_eq!(at!(self.list, C_OpenSession(self.slot, flags, null_mut(), None, &raw mut session)), CKR_OK);
        session
    }

    fn begin(&self, session: CK_SESSION_HANDLE, function: &str, call: Call) -> CK_RV {
        let key = |key| if call == Unfit { 0 } else { key };
        let given = |mechanism: CK_MECHANISM| match call {
            UnknownMechanism => CK_MECHANISM { mechanism: CKM_VENDOR_DEFINED | 77, ..mechanism },
            // a digest has no key that could be wrong
            Unfit if function == "C_DigestInit" => with(CKM_SHA256, &IV),
            _ => mechanism,
        };
        let mut mechanism = given(match function {
            "C_EncryptInit" => with(CKM_AES_CTR, &COUNTER),
            "C_DecryptInit" => with(CKM_AES_CBC_PAD, &IV),
            "C_DigestInit" => mechanism(CKM_SHA256),
            "C_SignRecoverInit" | "C_VerifyRecoverInit" => mechanism(CKM_RSA_PKCS),
            _ => mechanism(self.signing),
        });
        let mechanism = if call == NoMechanism { null_mut() } else { &raw mut mechanism };
        match function {
            "C_EncryptInit" => at!(self.list, C_EncryptInit(session, mechanism, key(self.aes))),
            "C_DecryptInit" => at!(self.list, C_DecryptInit(session, mechanism, key(self.aes))),
            "C_DigestInit" => at!(self.list, C_DigestInit(session, mechanism)),
            "C_SignInit" => at!(self.list, C_SignInit(session, mechanism, key(self.private))),
            "C_SignRecoverInit" => at!(self.list, C_SignRecoverInit(session, mechanism, key(self.private))),
            "C_VerifyInit" => at!(self.list, C_VerifyInit(session, mechanism, key(self.public))),
            "C_VerifyRecoverInit" => at!(self.list, C_VerifyRecoverInit(session, mechanism, key(self.public))),
            "C_VerifySignatureInit" => {
                let (mut signature, len) = (self.signature.clone(), self.signature.len() as CK_ULONG);
                at!(self.newest, C_VerifySignatureInit(session, mechanism, key(self.public), signature.as_mut_ptr(), len))
            }
            unknown => panic!("{unknown}"),
        }
    }

    fn call(&self, session: CK_SESSION_HANDLE, function: &str, call: Call) -> CK_RV {
        if function.ends_with("Init") {
            return self.begin(session, function, call);
        }
        let (mut room, mut len) = ([0; 1024], if call == Short { 0 } else { 1024 });
        let out = if call == AskLength { null_mut() } else { room.as_mut_ptr() };
        let out_len = if call == NoLength { null_mut() } else { &raw mut len };
        let right = match function {
            "C_Decrypt" | "C_DecryptUpdate" | "C_DecryptDigestUpdate" | "C_DecryptVerifyUpdate" => &self.sealed[..],
            "C_VerifyRecover" => &self.recoverable,
            _ => &DATA[..],
        };
        let data = if call == Unfit && unfit_data(function) { &LONG[..] } else { right };
        let (data, data_len) = (data.as_ptr().cast_mut(), data.len() as CK_ULONG);
        let data = if call == NoData { null_mut() } else { data };
        let mut signature = self.signature.clone();
        if call == Unfit {
            signature[100] ^= 1;
        }
        let signature_len = signature.len() as CK_ULONG - CK_ULONG::from(call == CutSignature);
        let signature = if call == NoSignature { null_mut() } else { signature.as_mut_ptr() };
        let key = if call == Unfit { 0 } else { self.aes };
        let list = self.list;
        match function {
            "C_Encrypt" => at!(list, C_Encrypt(session, data, data_len, out, out_len)),
            "C_Decrypt" => at!(list, C_Decrypt(session, data, data_len, out, out_len)),
            "C_Digest" => at!(list, C_Digest(session, data, data_len, out, out_len)),
            "C_Sign" => at!(list, C_Sign(session, data, data_len, out, out_len)),
            "C_SignRecover" => at!(list, C_SignRecover(session, data, data_len, out, out_len)),
            "C_VerifyRecover" => at!(list, C_VerifyRecover(session, data, data_len, out, out_len)),
            "C_EncryptUpdate" => at!(list, C_EncryptUpdate(session, data, data_len, out, out_len)),
            "C_DecryptUpdate" => at!(list, C_DecryptUpdate(session, data, data_len, out, out_len)),
            "C_DigestEncryptUpdate" => at!(list, C_DigestEncryptUpdate(session, data, data_len, out, out_len)),
            "C_DecryptDigestUpdate" => at!(list, C_DecryptDigestUpdate(session, data, data_len, out, out_len)),
            "C_SignEncryptUpdate" => at!(list, C_SignEncryptUpdate(session, data, data_len, out, out_len)),
            "C_DecryptVerifyUpdate" => at!(list, C_DecryptVerifyUpdate(session, data, data_len, out, out_len)),
            "C_DigestUpdate" => at!(list, C_DigestUpdate(session, data, data_len)),
            "C_DigestKey" => at!(list, C_DigestKey(session, key)),
            "C_SignUpdate" => at!(list, C_SignUpdate(session, data, data_len)),
            "C_VerifyUpdate" => at!(list, C_VerifyUpdate(session, data, data_len)),
            "C_VerifySignatureUpdate" => at!(self.newest, C_VerifySignatureUpdate(session, data, data_len)),
            "C_EncryptFinal" => at!(list, C_EncryptFinal(session, out, out_len)),
            "C_DecryptFinal" => at!(list, C_DecryptFinal(session, out, out_len)),
            "C_DigestFinal" => at!(list, C_DigestFinal(session, out, out_len)),
            "C_SignFinal" => at!(list, C_SignFinal(session, out, out_len)),
            "C_Verify" => at!(list, C_Verify(session, data, data_len, signature, signature_len)),
            "C_VerifyFinal" => at!(list, C_VerifyFinal(session, signature, signature_len)),
            "C_VerifySignature" => at!(self.newest, C_VerifySignature(session, data, data_len)),
            "C_VerifySignatureFinal" => at!(self.newest, C_VerifySignatureFinal(session)),
            unknown => panic!("{unknown}"),
        }
    }

    /// Begins what a function of two operations goes on with besides.
    fn companion(&self, session: CK_SESSION_HANDLE, function: &str) {
        let begun = match function {
            "C_DigestEncryptUpdate" | "C_DecryptDigestUpdate" => self.begin(session, "C_DigestInit", Right),
            "C_SignEncryptUpdate" => self.begin(session, "C_SignInit", Right),
            "C_DecryptVerifyUpdate" => self.begin(session, "C_VerifyInit", Right),
            _ => return,
        };
        assert_eq!(begun, CKR_OK, "{function}");
    }

    /// The state of an operation, which this ends.
    fn state(&self, session: CK_SESSION_HANDLE, kind: &Kind) -> State {
        match self.begin(session, kind.begin, Right) {
            CKR_OK => Nothing,
            CKR_OPERATION_ACTIVE => {
                let call = if WHOLE.contains(&kind.whole) { AskLength } else { Right };
                if self.call(session, kind.whole, call) == CKR_OK { Begun } else { Updated }
            }
            code => panic!("{}: {code:#x}", kind.begin),
        }
    }

    /// Calls a function in a state that has been reached so: what it returns, and the state afterwards.
    pub(super) fn run(&self, function: &str, state: State, way: &[(&str, Call)], call: Call) -> (CK_RV, State) {
        let (session, kind) = (self.open(), of(function));
        if state != Nothing {
            assert_eq!(self.begin(session, kind.begin, Right), CKR_OK, "{}", kind.begin);
        }
        for (function, call) in way {
            let code = self.call(session, function, *call);
            let expected = if *call == Short { CKR_BUFFER_TOO_SMALL } else { CKR_OK };
            assert_eq!(code, expected, "{}: {function} {call:?} on the way {way:?}", self.name);
        }
        self.companion(session, function);
        // what does not fit turns out at the end
        if call == Unfit && FINAL.contains(&function) && state != Nothing {
            assert_eq!(self.unfit_update(session, kind), CKR_OK, "{function}");
        }
        let code = self.call(session, function, call);
        let after = self.state(session, kind);
        assert_eq!(at!(self.list, C_CloseSession(session)), CKR_OK);
        (code, after)
    }

    /// Adds what makes the end fail.
    fn unfit_update(&self, session: CK_SESSION_HANDLE, kind: &Kind) -> CK_RV {
        let (mut out, mut len) = ([0; 64], 64);
        if kind.update == "C_DecryptUpdate" {
            at!(self.list, C_DecryptUpdate(session, DATA.as_ptr().cast_mut(), 5, out.as_mut_ptr(), &raw mut len))
        } else {
            at!(self.list, C_SignUpdate(session, LONG.as_ptr().cast_mut(), 300))
        }
    }

    pub(super) fn forgets(&self, kind: &Kind) -> bool {
        self.remembers.is_some_and(|known| !known.contains(&kind.begin))
    }

    /// Whether a function can be called so at all.
    pub(super) fn applies(&self, function: &str, state: State, call: Call) -> bool {
        let kind = of(function);
        let whole = kind.update.is_empty();
        let newest = function.starts_with("C_VerifySignature");
        match call {
            _ if whole && state == Updated => false,
            _ if newest && self.newest.is_null() => false,
            NoData => function != "C_DigestKey",
            CutSignature | NoSignature => !newest,
            // the data is longer than what the mechanism takes; for others, nothing is
            Unfit if FINAL.contains(&function) => {
                function == "C_DecryptFinal" || function == "C_SignFinal" && self.signing == CKM_RSA_PKCS
            }
            Unfit if function == "C_Sign" => self.signing == CKM_RSA_PKCS,
            Unfit if CRYPT.contains(&function) => kind.update == "C_EncryptUpdate",
            Unfit if UPDATE.contains(&function) => function == "C_DigestKey",
            Short if function == "C_EncryptFinal" => self.keeps,
            Unfit => function != "C_Digest" && (!newest || function == "C_VerifySignatureInit"),
            _ => true,
        }
    }
}

/// Whether data that is too long is what does not fit, and not a signature.
pub(super) fn unfit_data(function: &str) -> bool {
    WHOLE.contains(&function) || CRYPT.contains(&function)
}
