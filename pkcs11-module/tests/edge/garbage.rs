//! Every function with every kind of argument: NULL, too large, unaligned, nonsense. Whether memory is readable for the length beside it
//! is the only thing that is always true, since no library can check that (PKCS#11 v3.1 §5.1).

use std::collections::{HashMap, HashSet};
use std::ptr::null_mut;

use cryptoki_sys::*;
use parsec_pkcs11::C_GetInterface;
use tests::Source;

use crate::bindings::{Bindings, Function};
use crate::memory::{Arena, LARGEST, Note};

/// As many arguments as the longest function has.
const ARGUMENTS: usize = 10;
type Any = unsafe extern "C" fn(
    CK_ULONG,
    CK_ULONG,
    CK_ULONG,
    CK_ULONG,
    CK_ULONG,
    CK_ULONG,
    CK_ULONG,
    CK_ULONG,
    CK_ULONG,
    CK_ULONG,
) -> CK_RV;

const SOFTWARE: CK_SLOT_ID = 1;
const P256: &[u8] = b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
/// What no buffer can be as long as.
const IMPOSSIBLE: [u64; 3] = [u64::MAX, u64::MAX - 1, 1 << 63];

/// Mechanisms whose parameter has pointers or numbers in it: `n` is a number, `p` a pointer and its length, `q` a length and its pointer.
const PARAMETERS: [(CK_MECHANISM_TYPE, &str); 17] = [
    (CKM_AES_GCM, "pnpn"),
    (CKM_AES_CCM, "nppn"),
    (CKM_CHACHA20_POLY1305, "pp"),
    (CKM_AES_CTR, "nnn"),
    (CKM_RSA_PKCS_OAEP, "nnnp"),
    (CKM_RSA_PKCS_PSS, "nnn"),
    (CKM_ECDH1_DERIVE, "nqq"),
    (CKM_HKDF_DERIVE, "nnnpnp"),
    (CKM_EDDSA, "nq"),
    (CKM_ECDH1_COFACTOR_DERIVE, "nqq"),
    (CKM_CONCATENATE_BASE_AND_DATA, "p"),
    (CKM_CONCATENATE_DATA_AND_BASE, "p"),
    (CKM_CONCATENATE_BASE_AND_KEY, "n"),
    (CKM_AES_ECB_ENCRYPT_DATA, "p"),
    (CKM_AES_CBC_ENCRYPT_DATA, "nnp"),
    (CKM_ML_DSA, "np"),
    (CKM_HASH_ML_DSA, "npn"),
];

/// What one process does to the module.
struct Run<'a> {
    source: Source,
    arena: Arena,
    standard: &'a Standard,
    sessions: Vec<CK_SESSION_HANDLE>,
    objects: Vec<CK_OBJECT_HANDLE>,
}

/// What the standard has.
pub(crate) struct Standard {
    functions: Vec<Function>,
    sizes: HashMap<String, u64>,
    codes: HashSet<u64>,
    attributes: Vec<u64>,
    mechanisms: Vec<u64>,
    list: *const CK_FUNCTION_LIST_3_2,
}

impl Standard {
    pub(crate) fn new() -> Self {
        let bindings = Bindings::read();
        let mut interface: CK_INTERFACE_PTR = null_mut();
        // SAFETY: the place outlives the call, and the newest interface comes first.
        let list = unsafe {
            assert_eq!(C_GetInterface(null_mut(), null_mut(), &raw mut interface, 0), CKR_OK);
            (*interface).pFunctionList.cast()
        };
        let values = |prefix| bindings.constants(prefix).map(|(_, value)| value);
        Self {
            functions: bindings.functions(),
            sizes: bindings.sizes().map(|(name, size)| (name.to_owned(), size)).collect(),
            codes: values("CKR_").collect(),
            attributes: values("CKA_").collect(),
            mechanisms: values("CKM_").collect(),
            list,
        }
    }

    pub(crate) fn list(&self) -> &CK_FUNCTION_LIST_3_2 {
        // SAFETY: the list is a static of the module.
        unsafe { &*self.list }
    }

    /// Whether this is one of the standard's return codes.
    pub(crate) fn known(&self, code: CK_RV) -> bool {
        self.codes.contains(&code)
    }

    /// The function at this place of the list.
    fn function(&self, at: usize) -> Any {
        let first = (&raw const self.list().C_Initialize).cast::<Any>();
        // SAFETY: the list is made of function pointers, none of them NULL; calls with more arguments than a function takes are sound in
        // the C calling conventions of our platforms.
        unsafe { first.add(at).read() }
    }
}

impl Standard {
    /// Calls each function with pointers to zeros, and zero for everything else.
    pub(crate) fn before_initialize(&self) {
        let mut zeros = [0u8; 4096];
        for (at, function) in self.functions.iter().enumerate() {
            let pointer =
                |kind: &String| if kind.starts_with('*') && !kind.ends_with("c_void") { zeros.as_mut_ptr() as u64 } else { 0 };
            let arguments: Vec<u64> = function.arguments.iter().map(pointer).collect();
            let wanted: &[CK_RV] = match function.name.as_str() {
                "C_Initialize" => continue,
                "C_GetFunctionList" | "C_GetInterfaceList" => &[CKR_OK, CKR_BUFFER_TOO_SMALL],
                "C_GetInterface" => &[CKR_FUNCTION_FAILED],
                _ => &[CKR_CRYPTOKI_NOT_INITIALIZED, CKR_FUNCTION_NOT_SUPPORTED],
            };
            for _ in 0..2 {
                let code = self.call(at, &arguments);
                assert!(wanted.contains(&code), "{}: {code:#x}", function.name);
            }
        }
    }

    /// Calls the function at this place of the list. Pointers among the arguments are NULL, or good for the length beside them, or that
    /// length is impossible.
    fn call(&self, at: usize, arguments: &[u64]) -> CK_RV {
        let [a, b, c, d, e, f, g, h, i, j] =
            std::array::from_fn::<_, ARGUMENTS, _>(|i| arguments.get(i).copied().unwrap_or_default());
        // SAFETY: the callers keep the promise above.
        unsafe { self.function(at)(a, b, c, d, e, f, g, h, i, j) }
    }
}

/// Some hundred calls, then a look whether the module still works.
pub(crate) fn run(standard: &Standard, seed: u64, note: &Note) {
    let mut run = Run { source: Source::new(seed), arena: Arena::new(), standard, sessions: Vec::new(), objects: Vec::new() };
    for _ in 0..10 {
        note.write("what comes before calls");
        run.prepare();
        for _ in 0..standard.functions.len() {
            run.call(note);
        }
    }
    note.write("what comes after all calls");
    run.prepare();
    run.works();
}

impl Run<'_> {
    /// Sees to it that the module is initialised, two sessions are open, and there are objects.
    fn prepare(&mut self) {
        let list = self.standard.list();
        let session = |flags| {
            let mut session = 0;
            // SAFETY: the place outlives the call.
            let opened =
                unsafe { list.C_OpenSession.unwrap()(SOFTWARE, CKF_SERIAL_SESSION | flags, null_mut(), None, &raw mut session) };
            assert_eq!(opened, CKR_OK);
            session
        };
        // SAFETY: no pointer is given.
        let begun = unsafe { list.C_Initialize.unwrap()(null_mut()) };
        assert!(matches!(begun, CKR_OK | CKR_CRYPTOKI_ALREADY_INITIALIZED));
        let writing = session(CKF_RW_SESSION);
        // SAFETY: no pointer is given.
        unsafe { list.C_Logout.unwrap()(writing) };
        self.sessions = vec![writing, session(0)];
        self.make_keys(writing);
        let (mut found, mut count) = (vec![0; 64], 0);
        // SAFETY: the places outlive the calls.
        unsafe {
            assert_eq!(list.C_FindObjectsInit.unwrap()(writing, null_mut(), 0), CKR_OK);
            assert_eq!(list.C_FindObjects.unwrap()(writing, found.as_mut_ptr(), 64, &raw mut count), CKR_OK);
            list.C_FindObjectsFinal.unwrap()(writing);
        }
        found.truncate(usize::try_from(count).unwrap());
        self.objects = found;
    }

    /// A P-256 pair and an AES key with all roles.
    fn make_keys(&self, session: CK_SESSION_HANDLE) {
        let (list, yes, len) = (self.standard.list(), [CK_TRUE], 16u64.to_ne_bytes());
        let attribute = |kind, value: &[u8]| CK_ATTRIBUTE {
            type_: kind,
            pValue: value.as_ptr().cast_mut().cast(),
            ulValueLen: value.len() as CK_ULONG,
        };
        let mechanism = |mechanism| CK_MECHANISM { mechanism, pParameter: null_mut(), ulParameterLen: 0 };
        let (mut pair, mut secret) = (mechanism(CKM_EC_KEY_PAIR_GEN), mechanism(CKM_AES_KEY_GEN));
        let mut public = [attribute(CKA_EC_PARAMS, P256), attribute(CKA_TOKEN, &yes)];
        let mut template = [attribute(CKA_VALUE_LEN, &len), attribute(CKA_TOKEN, &yes)];
        let [mut first, mut second] = [0; 2];
        // SAFETY: all places outlive the calls. A token with a PIN may refuse.
        unsafe {
            let private = public[1..].as_ptr().cast_mut();
            let (generate, generate_pair) = (list.C_GenerateKey.unwrap(), list.C_GenerateKeyPair.unwrap());
            generate_pair(session, &raw mut pair, public.as_mut_ptr(), 2, private, 1, &raw mut first, &raw mut second);
            generate(session, &raw mut secret, template.as_mut_ptr(), 2, &raw mut first);
        }
    }

    fn works(&self) {
        let (list, session) = (self.standard.list(), self.sessions[1]);
        let mut mechanism = CK_MECHANISM { mechanism: CKM_SHA256, pParameter: null_mut(), ulParameterLen: 0 };
        let (mut data, mut digest, mut len) = (*b"abc", [0; 32], 32);
        // SAFETY: all places outlive the calls.
        unsafe {
            assert_eq!(list.C_DigestInit.unwrap()(session, &raw mut mechanism), CKR_OK);
            let digested = list.C_Digest.unwrap()(session, data.as_mut_ptr(), 3, digest.as_mut_ptr(), &raw mut len);
            assert_eq!((digested, digest[..4].to_vec()), (CKR_OK, vec![0xba, 0x78, 0x16, 0xbf]));
            assert_eq!(list.C_GenerateRandom.unwrap()(session, digest.as_mut_ptr(), 32), CKR_OK);
        }
    }

    fn call(&mut self, note: &Note) {
        let at = self.source.below(self.standard.functions.len());
        let function = &self.standard.functions[at];
        self.arena.reset();
        let mut arguments = self.arguments(&function.arguments);
        if function.name == "C_WaitForSlotEvent" {
            arguments[0] |= CKF_DONT_BLOCK; // waiting for ever is what it is for
        }
        note.write(&format!("{}({arguments:x?})", function.name));
        let code = self.standard.call(at, &arguments);
        assert!(self.standard.known(code), "{code:#x} is no return code");
        if matches!(function.name.as_str(), "C_Finalize" | "C_CloseSession" | "C_CloseAllSessions" | "C_InitToken") {
            self.prepare();
        }
    }

    /// Values for arguments of these types. A pointer and the length after it belong together.
    fn arguments(&mut self, types: &[String]) -> Vec<u64> {
        let mut arguments = Vec::new();
        while let Some(kind) = types.get(arguments.len()) {
            let next = types.get(arguments.len() + 1).map(String::as_str);
            match (kind.strip_prefix("*mut "), next) {
                (None, _) => arguments.push(self.value(kind)),
                (Some("CK_ATTRIBUTE"), Some("CK_ULONG")) => arguments.extend(self.template()),
                (Some("CK_MECHANISM"), _) => arguments.push(self.mechanism()),
                (Some("::std::os::raw::c_void"), Some("CK_ULONG")) => arguments.extend(self.parameter("wwww")),
                (Some("CK_BYTE" | "CK_UTF8CHAR"), Some("CK_ULONG")) => arguments.extend(self.data(1)),
                (Some(_), Some("CK_ULONG")) => arguments.extend(self.data(8)),
                (Some(item), Some("*mut CK_ULONG")) => arguments.extend(self.output(item)),
                (Some("CK_UTF8CHAR"), _) => arguments.push(self.text()),
                (Some(item), _) => arguments.push(self.place(item)),
            }
        }
        arguments
    }

    fn value(&mut self, kind: &str) -> u64 {
        let odd = self.source.percent(8);
        match kind {
            "CK_NOTIFY" => 0,
            "CK_SESSION_HANDLE" if !odd => self.source.pick(&self.sessions),
            "CK_OBJECT_HANDLE" if !odd && !self.objects.is_empty() => self.source.pick(&self.objects),
            "CK_SLOT_ID" if !odd => SOFTWARE,
            "CK_MECHANISM_TYPE" => self.kind(),
            _ => self.number(),
        }
    }

    fn number(&mut self) -> u64 {
        match self.source.below(4) {
            0 => self.source.number(),
            1 => self.source.pick(&IMPOSSIBLE),
            _ => self.source.pick(&[0, 1, 2, 3, 4, 6, 8, 12, 16, 32, 64, 128, 256, 2048, CKM_SHA256, CKM_SHA_1, CKF_SIGN]),
        }
    }

    fn kind(&mut self) -> u64 {
        match self.source.below(3) {
            0 => self.source.pick(&self.standard.mechanisms),
            1 => self.source.pick(&PARAMETERS).0,
            _ => self.source.pick(&[
                CKM_ECDSA,
                CKM_ECDSA_SHA256,
                CKM_AES_CBC_PAD,
                CKM_AES_ECB,
                CKM_SHA256,
                CKM_AES_CMAC,
                CKM_AES_KEY_GEN,
            ]),
        }
    }

    fn mechanism(&mut self) -> u64 {
        if self.source.percent(5) {
            return 0;
        }
        let kind = self.kind();
        let known = PARAMETERS.iter().find(|(known, _)| *known == kind).map(|(_, shape)| *shape);
        let [data, len] = match self.source.below(4) {
            0 => [0, self.number()],
            1 => self.parameter("wwwwwwww"),
            _ => self.parameter(known.unwrap_or("ww")),
        };
        self.structure(&[kind, data, len])
    }

    /// A structure of numbers (`n`), pointers with lengths (`p`, `q`), and words that can be read as either (`w`), of which the last may be
    /// cut off.
    fn parameter(&mut self, shape: &str) -> [u64; 2] {
        let mut words = Vec::new();
        for field in shape.chars() {
            match field {
                'n' => words.push(self.number()),
                'p' => words.extend(self.data(1)),
                'q' => words.extend(self.data(1).into_iter().rev()),
                _ if self.source.percent(50) => words.push(0),
                _ => words.push(self.arena.room(64) as u64),
            }
        }
        if shape.starts_with('w') {
            words.truncate(self.source.below(words.len() + 1));
        }
        [self.structure(&words), 8 * words.len() as u64]
    }

    /// These words in memory, aligned or not.
    fn structure(&mut self, words: &[u64]) -> u64 {
        let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        let more = if self.source.percent(50) { self.source.below(8) } else { 0 };
        bytes.resize(bytes.len() + more, 0);
        self.arena.place(&bytes) as u64
    }

    /// Memory for a number of items, and that number.
    fn data(&mut self, size: usize) -> [u64; 2] {
        match self.source.below(20) {
            0..3 => [0, self.number()],
            3 => [self.arena.room(LARGEST) as u64, self.source.pick(&IMPOSSIBLE)],
            4 => [self.arena.room(LARGEST) as u64, (LARGEST / size) as u64],
            _ => {
                let count = self.source.pick(&[0, 1, 8, 12, 13, 16, 20, 31, 32, 64, 71, 256, 300]);
                let bytes = self.source.bytes(count * size);
                [self.arena.place(&bytes) as u64, count as u64]
            }
        }
    }

    /// Room for a result, and the place of its length.
    fn output(&mut self, item: &str) -> [u64; 2] {
        let size = usize::try_from(*self.standard.sizes.get(item).unwrap_or(&8)).unwrap();
        let [data, count] = match self.source.below(4) {
            0 => [0, self.number()],
            1 => [self.arena.room(LARGEST) as u64, (LARGEST / size) as u64],
            _ => {
                let count = self.source.pick(&[0, 1, 15, 16, 32, 63, 64, 72]);
                [self.arena.room(count * size) as u64, count as u64]
            }
        };
        [data, if self.source.percent(5) { 0 } else { self.structure(&[count]) }]
    }

    /// A text that ends with NUL, long enough for a label that does not.
    fn text(&mut self) -> u64 {
        let text = self.source.pick(&[*b"PKCS 11\0", *b"\xff\xfe\xfd\0nops", *b"\0\0\0\0\0\0\0\0"]);
        if self.source.percent(20) {
            0
        } else {
            self.arena.place(&[text, *b"        ", *b"        ", *b"       \0"].concat()) as u64
        }
    }

    /// A place for one item; also one that is read, such as C_Initialize's argument.
    fn place(&mut self, item: &str) -> u64 {
        let size = if item.starts_with("::") { 48 } else { *self.standard.sizes.get(item).unwrap_or(&8) };
        let zeros = vec![0; usize::try_from(size).unwrap()];
        if self.source.percent(25) { 0 } else { self.arena.place(&zeros) as u64 }
    }

    fn template(&mut self) -> [u64; 2] {
        match self.source.below(20) {
            0 => [0, self.number()],
            1 => [self.structure(&[0; 3]), self.source.pick(&[65_537, u64::MAX, 1 << 63])],
            _ => {
                let count = self.source.below(7);
                let attributes: Vec<u64> = (0..count).flat_map(|_| self.attribute()).collect();
                [self.structure(&attributes), count as u64]
            }
        }
    }

    fn attribute(&mut self) -> [u64; 3] {
        let kind = match self.source.below(10) {
            0 => self.source.number(),
            1..4 => self.source.pick(&self.standard.attributes),
            _ => self.source.pick(&[
                CKA_CLASS,
                CKA_KEY_TYPE,
                CKA_TOKEN,
                CKA_PRIVATE,
                CKA_LABEL,
                CKA_ID,
                CKA_VALUE,
                CKA_VALUE_LEN,
                CKA_EC_PARAMS,
                CKA_SIGN,
                CKA_MODULUS_BITS,
                CKA_SENSITIVE,
                CKA_EXTRACTABLE,
                CKA_WRAP,
                CKA_MODULUS,
                CKA_ALLOWED_MECHANISMS,
                CKA_EC_POINT,
            ]),
        };
        let [data, len] = match self.source.below(10) {
            _ if kind & CKF_ARRAY_ATTRIBUTE != 0 && kind != CKA_ALLOWED_MECHANISMS => self.parameter("wwwwww"),
            0..2 => self.data(1),
            2..5 => [self.arena.place(&[self.source.pick(&[0, 1, 1, 1, 2])]) as u64, 1],
            5 => [self.arena.place(P256) as u64, P256.len() as u64],
            _ => {
                let number = self.number();
                [self.structure_of(number), 8]
            }
        };
        [kind, data, len]
    }

    fn structure_of(&mut self, number: u64) -> u64 {
        self.structure(&[number])
    }
}
