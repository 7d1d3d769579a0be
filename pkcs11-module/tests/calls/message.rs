//! Message-based encryption: nonces, tags and parts.

use super::crypt::{aes, decrypt, encrypt, gcm, hex, with};
use super::*;

/// The parameter of a message with room for its nonce and tag, which stay where they are.
pub(crate) struct Message {
    pub(crate) nonce: Box<[CK_BYTE; 12]>,
    pub(crate) tag: Box<[CK_BYTE; 16]>,
    parameter: Parameter,
}

enum Parameter {
    Gcm(Box<CK_GCM_MESSAGE_PARAMS>),
    Ccm(Box<CK_CCM_MESSAGE_PARAMS>),
    Poly1305(Box<CK_SALSA20_CHACHA20_POLY1305_MSG_PARAMS>),
}

impl Message {
    /// A message of `len` bytes, with a nonce that the caller chooses.
    pub(crate) fn new(kind: CK_MECHANISM_TYPE, len: usize) -> Self {
        let (mut nonce, mut tag) = (Box::new([3; 12]), Box::new([0; 16]));
        let (nonce_place, tag_place) = (nonce.as_mut_ptr(), tag.as_mut_ptr());
        let parameter = match kind {
            CKM_AES_GCM => Parameter::Gcm(Box::new(CK_GCM_MESSAGE_PARAMS {
                pIv: nonce_place,
                ulIvLen: 12,
                ulIvFixedBits: 0,
                ivGenerator: CKG_NO_GENERATE,
                pTag: tag_place,
                ulTagBits: 128,
            })),
            CKM_AES_CCM => Parameter::Ccm(Box::new(CK_CCM_MESSAGE_PARAMS {
                ulDataLen: len as CK_ULONG,
                pNonce: nonce_place,
                ulNonceLen: 12,
                ulNonceFixedBits: 0,
                nonceGenerator: CKG_NO_GENERATE,
                pMAC: tag_place,
                ulMACLen: 16,
            })),
            _ => Parameter::Poly1305(Box::new(CK_SALSA20_CHACHA20_POLY1305_MSG_PARAMS {
                pNonce: nonce_place,
                ulNonceLen: 96,
                pTag: tag_place,
            })),
        };
        Self { nonce, tag, parameter }
    }

    /// A message of `len` bytes, whose nonce the token makes, but for its first bits.
    pub(crate) fn generated(kind: CK_MECHANISM_TYPE, len: usize, generator: CK_GENERATOR_FUNCTION, fixed_bits: CK_ULONG) -> Self {
        let mut message = Self::new(kind, len);
        let (made, fixed) = match &mut message.parameter {
            Parameter::Gcm(params) => (&mut params.ivGenerator, &mut params.ulIvFixedBits),
            Parameter::Ccm(params) => (&mut params.nonceGenerator, &mut params.ulNonceFixedBits),
            Parameter::Poly1305(_) => return message,
        };
        (*made, *fixed) = (generator, fixed_bits);
        message
    }

    /// Where it is, and its length.
    pub(crate) fn parameter(&mut self) -> (*mut std::ffi::c_void, CK_ULONG) {
        fn place<T>(params: &mut T) -> (*mut std::ffi::c_void, CK_ULONG) {
            ((&raw mut *params).cast(), size_of::<T>() as CK_ULONG)
        }
        match &mut self.parameter {
            Parameter::Gcm(params) => place(params.as_mut()),
            Parameter::Ccm(params) => place(params.as_mut()),
            Parameter::Poly1305(params) => place(params.as_mut()),
        }
    }

    /// C_EncryptMessage, after a length query.
    pub(crate) fn seal(&mut self, session: CK_SESSION_HANDLE, aad: &[u8], data: &[u8]) -> Result<Vec<u8>, CK_RV> {
        let (params, params_len) = self.parameter();
        let (mut aad, mut data) = (aad.to_vec(), data.to_vec());
        let (aad, aad_len, start, len) = (aad.as_mut_ptr(), aad.len() as CK_ULONG, data.as_mut_ptr(), data.len() as CK_ULONG);
        let mut out_len = 0;
        let run = |out: *mut CK_BYTE, out_len: &mut CK_ULONG| {
            call3!(C_EncryptMessage(session, params, params_len, aad, aad_len, start, len, out, out_len))
        };
        assert_eq!(run(null_mut(), &mut out_len), CKR_OK);
        let mut out = vec![0; usize::try_from(out_len).unwrap()];
        let rv = run(out.as_mut_ptr(), &mut out_len);
        if rv == CKR_OK { Ok(out) } else { Err(rv) }
    }

    /// C_DecryptMessage.
    pub(crate) fn open(&mut self, session: CK_SESSION_HANDLE, aad: &[u8], sealed: &[u8]) -> Result<Vec<u8>, CK_RV> {
        let (params, params_len) = self.parameter();
        let (mut aad, mut sealed) = (aad.to_vec(), sealed.to_vec());
        let (aad_len, sealed_len) = (aad.len() as CK_ULONG, sealed.len() as CK_ULONG);
        let (mut out, mut len) = (vec![0; sealed.len()], sealed_len);
        let rv = call3!(C_DecryptMessage(
            session,
            params,
            params_len,
            aad.as_mut_ptr(),
            aad_len,
            sealed.as_mut_ptr(),
            sealed_len,
            out.as_mut_ptr(),
            &raw mut len,
        ));
        if rv == CKR_OK { Ok(out) } else { Err(rv) }
    }

    pub(crate) fn begin(&mut self, direction: CK_FLAGS, session: CK_SESSION_HANDLE, aad: &[u8]) -> CK_RV {
        let (params, params_len) = self.parameter();
        let (mut aad, aad_len) = (aad.to_vec(), aad.len() as CK_ULONG);
        if direction == CKF_ENCRYPT {
            call3!(C_EncryptMessageBegin(session, params, params_len, aad.as_mut_ptr(), aad_len))
        } else {
            call3!(C_DecryptMessageBegin(session, params, params_len, aad.as_mut_ptr(), aad_len))
        }
    }

    /// A part, with this much room for what comes out.
    fn next(
        &mut self,
        direction: CK_FLAGS,
        session: CK_SESSION_HANDLE,
        part: &[u8],
        room: usize,
        flags: CK_FLAGS,
    ) -> (CK_RV, Vec<u8>) {
        let (params, params_len) = self.parameter();
        let (mut part, len, mut out, mut out_len) =
            (part.to_vec(), part.len() as CK_ULONG, vec![0; room.max(1)], room as CK_ULONG);
        let (start, out_start) = (part.as_mut_ptr(), out.as_mut_ptr());
        let rv = if direction == CKF_ENCRYPT {
            call3!(C_EncryptMessageNext(session, params, params_len, start, len, out_start, &raw mut out_len, flags))
        } else {
            call3!(C_DecryptMessageNext(session, params, params_len, start, len, out_start, &raw mut out_len, flags))
        };
        out.resize(usize::try_from(out_len).unwrap(), 0);
        (rv, out)
    }
}

fn begin(session: CK_SESSION_HANDLE, key: CK_OBJECT_HANDLE) {
    assert_eq!(call3!(C_MessageEncryptInit(session, &mut mechanism(CKM_AES_GCM), key)), CKR_OK);
    assert_eq!(call3!(C_MessageDecryptInit(session, &mut mechanism(CKM_AES_GCM), key)), CKR_OK);
}

#[test]
fn a_message_is_what_single_part_encryption_makes_of_it_with_the_tag_apart() {
    let _fixture = Fixture::new();
    let (session, key) = (open(0), aes(&hex("feffe9928665731c6d6a8f9467308308"), CKA_ENCRYPT));
    begin(session, key);
    let mut message = Message::new(CKM_AES_GCM, 0);
    let sealed = message.seal(session, b"aad", b"a message").unwrap();
    let (mut nonce, mut aad) = ([3; 12], *b"aad");
    let params = gcm(&mut nonce, &mut aad, 128);
    let both = [&sealed[..], &message.tag[..]].concat();
    assert_eq!(encrypt(with(CKM_AES_GCM, &params), key, b"a message").unwrap(), both);
    assert_eq!(decrypt(with(CKM_AES_GCM, &params), key, &both).unwrap(), b"a message");
    message.tag[0] ^= 1;
    assert_eq!(message.open(session, b"aad", &sealed), Err(CKR_AEAD_DECRYPT_FAILED));
    message.tag[0] ^= 1;
    assert_eq!(message.open(session, b"aad", &sealed).unwrap(), b"a message", "a failure ends the message only");
    assert_eq!(call3!(C_SessionCancel(session, CKF_MESSAGE_ENCRYPT)), CKR_OK);
    assert_eq!(call3!(C_MessageEncryptFinal(session)), CKR_OPERATION_NOT_INITIALIZED);
    assert_eq!(call3!(C_MessageDecryptInit(session, null_mut(), 0)), CKR_OK, "no mechanism cancels");
    assert_eq!(call3!(C_MessageDecryptFinal(session)), CKR_OPERATION_NOT_INITIALIZED);
}

#[test]
fn parts_are_sealed_at_once_and_opened_when_the_tag_is_checked() {
    let _fixture = Fixture::new();
    let (session, key) = (open(0), aes(&[7; 32], CKA_ENCRYPT));
    for kind in [CKM_AES_GCM, CKM_AES_CCM] {
        assert_eq!(call3!(C_MessageEncryptInit(session, &mut mechanism(kind), key)), CKR_OK);
        assert_eq!(call3!(C_MessageDecryptInit(session, &mut mechanism(kind), key)), CKR_OK);
        let mut whole = Message::new(kind, 45);
        let data: Vec<u8> = (0..45).collect();
        let sealed = whole.seal(session, b"aad", &data).unwrap();
        let mut message = Message::new(kind, 45);
        assert_eq!(message.begin(CKF_ENCRYPT, session, b"aad"), CKR_OK);
        assert_eq!(whole.seal(session, b"", b"").unwrap_err(), CKR_OPERATION_ACTIVE, "a message is under way");
        assert_eq!(message.next(CKF_ENCRYPT, session, &data[..20], 19, 0), (CKR_BUFFER_TOO_SMALL, vec![0; 20]));
        assert_eq!(message.next(CKF_ENCRYPT, session, &data[..20], 20, 0), (CKR_OK, sealed[..20].to_vec()));
        assert_eq!(message.next(CKF_ENCRYPT, session, &data[20..], 25, CKF_END_OF_MESSAGE), (CKR_OK, sealed[20..].to_vec()));
        assert_eq!(message.tag, whole.tag);
        assert_eq!(message.begin(CKF_DECRYPT, session, b"aad"), CKR_OK);
        assert_eq!(message.next(CKF_DECRYPT, session, &sealed[..30], 30, 0), (CKR_OK, vec![]));
        let short = message.next(CKF_DECRYPT, session, &sealed[30..], 15, CKF_END_OF_MESSAGE);
        assert_eq!((short.0, short.1.len()), (CKR_BUFFER_TOO_SMALL, 45));
        assert_eq!(message.next(CKF_DECRYPT, session, &sealed[30..], 45, CKF_END_OF_MESSAGE), (CKR_OK, data));
        assert_eq!(call3!(C_MessageEncryptFinal(session)), CKR_OK);
        assert_eq!(call3!(C_MessageDecryptFinal(session)), CKR_OK);
    }
}

#[test]
fn nonces_are_made_as_asked_and_told() {
    let _fixture = Fixture::new();
    let (session, key) = (open(0), aes(&[7; 16], CKA_ENCRYPT));
    for (generator, fixed_bits) in
        [(CKG_GENERATE, 32), (CKG_GENERATE_COUNTER, 32), (CKG_GENERATE_COUNTER_XOR, 32), (CKG_GENERATE_RANDOM, 0)]
    {
        begin(session, key);
        let mut message = Message::generated(CKM_AES_GCM, 0, generator, fixed_bits);
        let mut seen = Vec::new();
        for _ in 0..3 {
            let sealed = message.seal(session, b"", b"data").unwrap();
            assert_eq!(message.open(session, b"", &sealed).unwrap(), b"data");
            assert!(fixed_bits == 0 || message.nonce[..4] == [3; 4]);
            assert!(!seen.contains(&*message.nonce), "a query takes none, and none comes twice");
            seen.push(*message.nonce);
        }
        if generator == CKG_GENERATE_COUNTER {
            assert_eq!(seen.iter().map(|nonce| nonce[11]).collect::<Vec<_>>(), [3, 4, 5]);
        }
        let mut other = Message::generated(CKM_AES_GCM, 0, CKG_GENERATE_COUNTER, 64);
        assert_eq!(other.seal(session, b"", b"data"), Err(CKR_MECHANISM_PARAM_INVALID), "one way for all messages");
        call3!(C_SessionCancel(session, CKF_MESSAGE_ENCRYPT | CKF_MESSAGE_DECRYPT));
    }
    begin(session, key);
    let mut narrow = Message::generated(CKM_AES_GCM, 0, CKG_GENERATE_RANDOM, 32);
    assert_eq!(narrow.seal(session, b"", b"data"), Err(CKR_MECHANISM_PARAM_INVALID), "64 random bits would meet again");
}
