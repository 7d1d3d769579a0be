//! A service whose answers are spoilt on their way: the module may fail, but only as the standard allows.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::ptr::null_mut;

use cryptoki_sys::*;
use interface::Opcode;
use interface::wire::{HEADER_LEN, Header};
use tests::Source;

use crate::garbage::Standard;
use crate::memory::Note;

/// Passes requests on to the service at one socket, and half of its answers spoilt to whoever asks at the other.
fn lie(service: &Path, socket: &Path, mut source: Source) {
    let (service, listener) = (service.to_owned(), UnixListener::bind(socket).unwrap());
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (client, seed) = (client.unwrap(), source.number());
            let service = UnixStream::connect(&service).unwrap();
            std::thread::spawn(move || serve(client, service, Source::new(seed)));
        }
    });
}

fn serve(mut client: UnixStream, mut service: UnixStream, mut source: Source) -> Option<()> {
    loop {
        let request = frame(&mut client, Header::request_len)?;
        service.write_all(&request).ok()?;
        let mut answer = frame(&mut service, |header| HEADER_LEN + header.body_len as usize)?;
        let hello = Header::decode(&request).ok()??.opcode == Opcode::Hello as u32;
        if hello || source.percent(50) {
            client.write_all(&answer).ok()?;
            continue;
        }
        let mut body = answer.split_off(HEADER_LEN);
        source.spoil(&mut body);
        let mut header = Header::decode(&answer).ok()??;
        header.body_len = u32::try_from(body.len()).ok()?;
        answer.clear();
        header.encode(&mut answer);
        answer.extend(body);
        client.write_all(&answer).ok()?;
    }
}

/// One frame, whose length its header tells.
fn frame(stream: &mut UnixStream, len: impl FnOnce(&Header) -> usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; HEADER_LEN];
    stream.read_exact(&mut bytes).ok()?;
    let header = Header::decode(&bytes).ok()??;
    bytes.resize(len(&header), 0);
    stream.read_exact(&mut bytes[HEADER_LEN..]).ok()?;
    Some(bytes)
}

/// Does what programs do with a token, some of it several times.
pub(crate) fn run(standard: &Standard, seed: u64, note: &Note) {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("liar.sock");
    let endpoint = std::env::var("PARSEC_SERVICE_ENDPOINT").unwrap();
    lie(Path::new(endpoint.strip_prefix("unix:").unwrap()), &socket, Source::new(seed));
    crate::lead_to(&format!("unix:{}", socket.display()));
    for round in 0..20 {
        note.write(&format!("round {round}"));
        standard.use_token();
    }
}

impl Standard {
    fn check(&self, code: CK_RV) -> bool {
        assert!(self.known(code), "{code:#x} is no return code");
        code == CKR_OK
    }

    fn use_token(&self) {
        let (list, mut session) = (self.list(), 0);
        let (mut info, mut kinds, mut count) = (CK_TOKEN_INFO::default(), [0; 200], 200);
        let mut found = [0; 50];
        // SAFETY: every place outlives its call.
        unsafe {
            self.check(list.C_Initialize.unwrap()(null_mut()));
            self.check(list.C_GetTokenInfo.unwrap()(1, &raw mut info));
            self.check(list.C_GetMechanismList.unwrap()(1, kinds.as_mut_ptr(), &raw mut count));
            let flags = CKF_SERIAL_SESSION | CKF_RW_SESSION;
            if self.check(list.C_OpenSession.unwrap()(1, flags, null_mut(), None, &raw mut session)) {
                self.generate(session);
                if self.check(list.C_FindObjectsInit.unwrap()(session, null_mut(), 0)) {
                    self.check(list.C_FindObjects.unwrap()(session, found.as_mut_ptr(), 50, &raw mut count));
                    for object in &found[..usize::try_from(count).unwrap()] {
                        self.use_object(session, *object);
                    }
                }
            }
            self.check(list.C_Finalize.unwrap()(null_mut()));
        }
    }

    fn generate(&self, session: CK_SESSION_HANDLE) {
        let (curve, yes) = (b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07", [CK_TRUE]);
        let attribute = |type_, value: &[u8]| CK_ATTRIBUTE {
            type_,
            pValue: value.as_ptr().cast_mut().cast(),
            ulValueLen: value.len() as CK_ULONG,
        };
        let mut public = [attribute(CKA_EC_PARAMS, curve), attribute(CKA_TOKEN, &yes)];
        let mut mechanism = CK_MECHANISM { mechanism: CKM_EC_KEY_PAIR_GEN, pParameter: null_mut(), ulParameterLen: 0 };
        let [mut first, mut second] = [0; 2];
        let (data, private) = (public.as_mut_ptr(), public[1..].as_mut_ptr());
        let generate = self.list().C_GenerateKeyPair.unwrap();
        // SAFETY: every place outlives the call.
        self.check(unsafe { generate(session, &raw mut mechanism, data, 2, private, 1, &raw mut first, &raw mut second) });
    }

    fn use_object(&self, session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE) {
        let mut mechanism = CK_MECHANISM { mechanism: CKM_ECDSA_SHA256, pParameter: null_mut(), ulParameterLen: 0 };
        let (mut data, mut out, mut len) = ([7; 99], [0; 600], 600);
        // SAFETY: every place outlives its call.
        unsafe {
            for type_ in [CKA_LABEL, CKA_ID, CKA_EC_POINT, CKA_EC_PARAMS, CKA_PUBLIC_KEY_INFO, CKA_VALUE, CKA_ALLOWED_MECHANISMS]
            {
                let mut attribute = CK_ATTRIBUTE { type_, pValue: out.as_mut_ptr().cast(), ulValueLen: 600 };
                self.check(self.list().C_GetAttributeValue.unwrap()(session, object, &raw mut attribute, 1));
            }
            if self.check(self.list().C_SignInit.unwrap()(session, &raw mut mechanism, object)) {
                self.check(self.list().C_Sign.unwrap()(session, data.as_mut_ptr(), 99, out.as_mut_ptr(), &raw mut len));
            }
            if self.check(self.list().C_VerifyInit.unwrap()(session, &raw mut mechanism, object)) {
                self.check(self.list().C_Verify.unwrap()(session, data.as_mut_ptr(), 99, out.as_mut_ptr(), 64));
            }
        }
    }
}
