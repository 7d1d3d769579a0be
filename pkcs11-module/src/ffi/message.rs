//! The parameter of one message in a message-based operation: the caller's values, and the places for the results.

use std::ffi::c_void;

use cryptoki_sys::{
    CK_BYTE, CK_CCM_MESSAGE_PARAMS, CK_GCM_MESSAGE_PARAMS, CK_GENERATOR_FUNCTION, CK_SALSA20_CHACHA20_POLY1305_MSG_PARAMS,
    CK_ULONG, CKG_NO_GENERATE,
};
use interface::algorithm::AeadKind;

use super::Room;
use super::mechanism::{nonce_len, structure};
use crate::error::{Error, Result};

/// The longest nonce of any mechanism, in bytes.
const MAX_NONCE: usize = 256;

/// A parameter still unread.
pub(crate) struct MessageParameter {
    data: *mut c_void,
    len: CK_ULONG,
}

/// The parameter of one message of an authenticated cipher.
pub(crate) struct AeadMessage {
    pub(crate) generator: CK_GENERATOR_FUNCTION,
    /// So many bits at the front of the nonce are the caller's, whatever the generator.
    pub(crate) fixed_bits: CK_ULONG,
    /// Length of the data in bytes, where the caller has to tell it.
    pub(crate) data_len: Option<CK_ULONG>,
    nonce: Room<CK_BYTE>,
    tag: Room<CK_BYTE>,
}

impl MessageParameter {
    /// # Safety
    /// `data` is NULL or the structure that the standard has for the mechanism, `len` bytes long; its nonce and its tag are NULL
    /// or readable and writable for their lengths, as long as the value and what is made of it live.
    pub(crate) unsafe fn new(data: *mut c_void, len: CK_ULONG) -> Self {
        Self { data, len }
    }

    /// Fails unless there is none.
    pub(crate) fn none(&self) -> Result<()> {
        if self.data.is_null() || self.len == 0 { Ok(()) } else { Err(Error::MechanismParamInvalid) }
    }

    pub(crate) fn aead(&self, kind: AeadKind) -> Result<AeadMessage> {
        // SAFETY: `new`'s caller promised the structure, and the room that it speaks of.
        let message = unsafe {
            match kind {
                AeadKind::Gcm => self.gcm(),
                AeadKind::Ccm => self.ccm(),
                AeadKind::ChaCha20Poly1305 => self.poly1305(),
            }
        };
        let message = message.ok().filter(|message| message.nonce.len() <= MAX_NONCE && message.tag.len() <= 16);
        message.ok_or(Error::MechanismParamInvalid)
    }

    /// # Safety
    /// The promises of [`MessageParameter::new`], for this structure.
    unsafe fn gcm(&self) -> Result<AeadMessage> {
        // SAFETY: the caller's promise.
        unsafe {
            let params: CK_GCM_MESSAGE_PARAMS = structure(self.data, self.len)?;
            if !params.ulTagBits.is_multiple_of(8) {
                return Err(Error::MechanismParamInvalid);
            }
            Ok(AeadMessage {
                generator: params.ivGenerator,
                fixed_bits: params.ulIvFixedBits,
                data_len: None,
                nonce: Room::new(params.pIv, params.ulIvLen)?,
                tag: Room::new(params.pTag, params.ulTagBits / 8)?,
            })
        }
    }

    /// # Safety
    /// As for `gcm`.
    unsafe fn ccm(&self) -> Result<AeadMessage> {
        // SAFETY: the caller's promise.
        unsafe {
            let params: CK_CCM_MESSAGE_PARAMS = structure(self.data, self.len)?;
            Ok(AeadMessage {
                generator: params.nonceGenerator,
                fixed_bits: params.ulNonceFixedBits,
                data_len: Some(params.ulDataLen),
                nonce: Room::new(params.pNonce, params.ulNonceLen)?,
                tag: Room::new(params.pMAC, params.ulMACLen)?,
            })
        }
    }

    /// # Safety
    /// As for `gcm`.
    unsafe fn poly1305(&self) -> Result<AeadMessage> {
        // SAFETY: the caller's promise.
        unsafe {
            let params: CK_SALSA20_CHACHA20_POLY1305_MSG_PARAMS = structure(self.data, self.len)?;
            Ok(AeadMessage {
                generator: CKG_NO_GENERATE,
                fixed_bits: 0,
                data_len: None,
                nonce: Room::new(params.pNonce, nonce_len(params.ulNonceLen))?,
                tag: Room::new(params.pTag, 16)?,
            })
        }
    }
}

impl AeadMessage {
    pub(crate) fn nonce(&self) -> Vec<u8> {
        self.nonce.read()
    }

    /// Tells the caller which nonce was taken.
    pub(crate) fn set_nonce(&self, nonce: &[u8]) {
        self.nonce.fill(0, nonce);
    }

    /// In bytes.
    pub(crate) fn tag_len(&self) -> usize {
        self.tag.len()
    }

    pub(crate) fn tag(&self) -> Vec<u8> {
        self.tag.read()
    }

    pub(crate) fn set_tag(&self, tag: &[u8]) {
        self.tag.fill(0, tag);
    }
}
