//! Mechanisms and their parameters.

use std::ffi::c_void;

use cryptoki_sys::{
    CK_AES_CBC_ENCRYPT_DATA_PARAMS, CK_AES_CTR_PARAMS, CK_BYTE, CK_CCM_PARAMS, CK_EC_KDF_TYPE, CK_ECDH1_DERIVE_PARAMS,
    CK_EDDSA_PARAMS, CK_FALSE, CK_GCM_PARAMS, CK_HASH_SIGN_ADDITIONAL_CONTEXT, CK_HEDGE_TYPE, CK_HKDF_PARAMS,
    CK_KEY_DERIVATION_STRING_DATA, CK_MECHANISM, CK_MECHANISM_TYPE, CK_OBJECT_HANDLE, CK_RSA_PKCS_OAEP_PARAMS,
    CK_RSA_PKCS_PSS_PARAMS, CK_SALSA20_CHACHA20_POLY1305_PARAMS, CK_SIGN_ADDITIONAL_CONTEXT, CK_ULONG, CKF_HKDF_SALT_DATA,
};

use super::short_input;
use crate::error::{Error, Result};

/// The parameter of an authenticated cipher.
pub(crate) struct AeadParameter {
    pub(crate) nonce: Vec<u8>,
    pub(crate) additional: Vec<u8>,
    /// In bytes.
    pub(crate) tag_len: CK_ULONG,
    /// Length of the data without the tag in bytes, where the caller has to tell it.
    pub(crate) data_len: Option<CK_ULONG>,
}

/// CK_GCM_PARAMS of headers before 2.40's errata, which many programs still have.
#[repr(C)]
#[derive(Clone, Copy)]
struct OldGcmParams {
    iv: *mut CK_BYTE,
    iv_len: CK_ULONG,
    aad: *mut CK_BYTE,
    aad_len: CK_ULONG,
    tag_bits: CK_ULONG,
}

impl From<OldGcmParams> for CK_GCM_PARAMS {
    fn from(old: OldGcmParams) -> Self {
        Self { pIv: old.iv, ulIvLen: old.iv_len, ulIvBits: 0, pAAD: old.aad, ulAADLen: old.aad_len, ulTagBits: old.tag_bits }
    }
}

/// The parameter of ML-DSA.
#[derive(Default)]
pub(crate) struct SigningContext {
    /// Signatures shall be random, or shall not.
    pub(crate) hedge: CK_HEDGE_TYPE,
    pub(crate) context: Vec<u8>,
    /// The hash that the data is a digest of, where the caller has to tell it.
    pub(crate) hash: Option<CK_MECHANISM_TYPE>,
}

/// A mechanism with its parameter still unread.
pub(crate) struct Mechanism(CK_MECHANISM);

impl Mechanism {
    /// A mechanism, or none where the caller gives NULL (which cancels an operation, PKCS#11 3.0).
    ///
    /// # Safety
    /// `mechanism` is NULL or readable, and so are its parameter for its length, and what the parameter points to, as long as
    /// the value lives.
    pub(crate) unsafe fn optional(mechanism: *const CK_MECHANISM) -> Result<Option<Self>> {
        if mechanism.is_null() {
            return Ok(None);
        }
        // SAFETY: not NULL, and the caller promised a readable structure.
        Ok(Some(Self(unsafe { mechanism.read_unaligned() })))
    }

    /// # Safety
    /// As for [`Mechanism::optional`].
    pub(crate) unsafe fn read(mechanism: *const CK_MECHANISM) -> Result<Self> {
        // SAFETY: the caller's promise is ours.
        unsafe { Self::optional(mechanism) }?.ok_or(Error::ArgumentsBad)
    }

    pub(crate) fn kind(&self) -> CK_MECHANISM_TYPE {
        self.0.mechanism
    }

    pub(crate) fn has_parameter(&self) -> bool {
        !self.0.pParameter.is_null() && self.0.ulParameterLen > 0
    }

    /// The parameter as it stands: an initialisation vector.
    pub(crate) fn bytes(&self) -> Result<&[u8]> {
        // SAFETY: `read`'s caller promised the parameter readable for its length as long as `self` lives.
        unsafe { short_input(self.0.pParameter.cast(), self.0.ulParameterLen) }.map_err(|_| Error::MechanismParamInvalid)
    }

    pub(crate) fn pss(&self) -> Result<CK_RSA_PKCS_PSS_PARAMS> {
        self.parameter()
    }

    /// CK_EDDSA_PARAMS, and the context among them.
    pub(crate) fn eddsa(&self) -> Result<(bool, Vec<u8>)> {
        let params: CK_EDDSA_PARAMS = self.parameter()?;
        let context = self.pointed(params.pContextData, params.ulContextDataLen)?;
        Ok((params.phFlag != CK_FALSE, context))
    }

    /// CK_MAC_GENERAL_PARAMS: a length in bytes.
    pub(crate) fn mac_len(&self) -> Result<CK_ULONG> {
        self.parameter()
    }

    pub(crate) fn ctr(&self) -> Result<CK_AES_CTR_PARAMS> {
        self.parameter()
    }

    /// OAEP's parameters, and the label among them.
    pub(crate) fn oaep(&self) -> Result<(CK_RSA_PKCS_OAEP_PARAMS, Vec<u8>)> {
        let params: CK_RSA_PKCS_OAEP_PARAMS = self.parameter()?;
        let label = self.pointed(params.pSourceData.cast(), params.ulSourceDataLen)?;
        Ok((params, label))
    }

    pub(crate) fn gcm(&self) -> Result<AeadParameter> {
        let params = self.parameter::<CK_GCM_PARAMS>().or_else(|_| self.parameter::<OldGcmParams>().map(Into::into))?;
        if !params.ulTagBits.is_multiple_of(8) {
            return Err(Error::MechanismParamInvalid);
        }
        Ok(AeadParameter {
            nonce: self.pointed(params.pIv, params.ulIvLen)?,
            additional: self.pointed(params.pAAD, params.ulAADLen)?,
            tag_len: params.ulTagBits / 8,
            data_len: None,
        })
    }

    pub(crate) fn ccm(&self) -> Result<AeadParameter> {
        let params: CK_CCM_PARAMS = self.parameter()?;
        Ok(AeadParameter {
            nonce: self.pointed(params.pNonce, params.ulNonceLen)?,
            additional: self.pointed(params.pAAD, params.ulAADLen)?,
            tag_len: params.ulMACLen,
            data_len: Some(params.ulDataLen),
        })
    }

    pub(crate) fn poly1305(&self) -> Result<AeadParameter> {
        let params: CK_SALSA20_CHACHA20_POLY1305_PARAMS = self.parameter()?;
        Ok(AeadParameter {
            nonce: self.pointed(params.pNonce, nonce_len(params.ulNonceLen))?,
            additional: self.pointed(params.pAAD, params.ulAADLen)?,
            tag_len: 16,
            data_len: None,
        })
    }

    /// ECDH's parameters, with the shared data and the peer's public value.
    pub(crate) fn ecdh(&self) -> Result<(CK_EC_KDF_TYPE, Vec<u8>, Vec<u8>)> {
        let params: CK_ECDH1_DERIVE_PARAMS = self.parameter()?;
        let shared = self.pointed(params.pSharedData, params.ulSharedDataLen)?;
        Ok((params.kdf, shared, self.pointed(params.pPublicData, params.ulPublicDataLen)?))
    }

    /// HKDF's parameters, with the salt and the info.
    pub(crate) fn hkdf(&self) -> Result<(CK_HKDF_PARAMS, Vec<u8>, Vec<u8>)> {
        let params: CK_HKDF_PARAMS = self.parameter()?;
        let salt = if params.ulSaltType == CKF_HKDF_SALT_DATA { self.pointed(params.pSalt, params.ulSaltLen)? } else { vec![] };
        let info = if params.bExpand == CK_FALSE { vec![] } else { self.pointed(params.pInfo, params.ulInfoLen)? };
        Ok((params, salt, info))
    }

    /// A CK_KEY_DERIVATION_STRING_DATA.
    pub(crate) fn string_data(&self) -> Result<Vec<u8>> {
        let params: CK_KEY_DERIVATION_STRING_DATA = self.parameter()?;
        self.pointed(params.pData, params.ulLen)
    }

    /// The initialisation vector and the data of a CK_AES_CBC_ENCRYPT_DATA_PARAMS.
    pub(crate) fn cbc_data(&self) -> Result<(Vec<u8>, Vec<u8>)> {
        let params: CK_AES_CBC_ENCRYPT_DATA_PARAMS = self.parameter()?;
        Ok((params.iv.to_vec(), self.pointed(params.pData, params.length)?))
    }

    /// The handle of another key.
    pub(crate) fn handle(&self) -> Result<CK_OBJECT_HANDLE> {
        self.parameter()
    }

    /// ML-DSA's parameter, which may be missing unless it tells the hash.
    pub(crate) fn signing_context(&self, hash: bool) -> Result<SigningContext> {
        if hash {
            let params: CK_HASH_SIGN_ADDITIONAL_CONTEXT = self.parameter()?;
            let context = self.pointed(params.pContext, params.ulContextLen)?;
            return Ok(SigningContext { hedge: params.hedgeVariant, context, hash: Some(params.hash) });
        }
        if !self.has_parameter() {
            return Ok(SigningContext::default());
        }
        let params: CK_SIGN_ADDITIONAL_CONTEXT = self.parameter()?;
        let context = self.pointed(params.pContext, params.ulContextLen)?;
        Ok(SigningContext { hedge: params.hedgeVariant, context, hash: None })
    }

    /// What a field of the parameter points to.
    fn pointed(&self, data: *const CK_BYTE, len: CK_ULONG) -> Result<Vec<u8>> {
        // SAFETY: `read`'s caller promised that what the parameter points to is readable for the length beside it.
        let bytes = unsafe { short_input(data, len) };
        bytes.map(<[u8]>::to_vec).map_err(|_| Error::MechanismParamInvalid)
    }

    /// The parameter as the C structure `T`.
    fn parameter<T: Copy>(&self) -> Result<T> {
        // SAFETY: `read`'s caller promised it readable.
        unsafe { structure(self.0.pParameter, self.0.ulParameterLen) }
    }
}

/// A parameter as the C structure `T`, whose fields may hold any bits.
///
/// # Safety
/// `data` is NULL or readable for `len` bytes.
pub(super) unsafe fn structure<T: Copy>(data: *const c_void, len: CK_ULONG) -> Result<T> {
    if data.is_null() || len != size_of::<T>() as CK_ULONG {
        return Err(Error::MechanismParamInvalid);
    }
    // SAFETY: not NULL, of the right size, and the caller promised it readable.
    Ok(unsafe { data.cast::<T>().read_unaligned() })
}

/// The nonce of ChaCha20 in bytes; the standard counts it in bits (PKCS#11 3.1 §6.63.4), most programs in bytes.
pub(super) const fn nonce_len(given: CK_ULONG) -> CK_ULONG {
    if given == 96 { 12 } else { given }
}
