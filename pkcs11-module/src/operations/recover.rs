//! RSA signatures that give back what was signed. Recovering takes the public value only, so it is done here.

use std::sync::Arc;

use interface::attributes::Usage;
use interface::spki;
use rsa::hazmat::rsa_encrypt;
use rsa::traits::PublicKeyParts;
use rsa::{BoxedUint, PublicKey};

use crate::error::{Error, Result};
use crate::ffi;
use crate::mechanism::{self, SignatureScheme, Work};
use crate::objects::object::Object;
use crate::operations::active::Keyed;

/// The key of C_VerifyRecoverInit.
pub(crate) struct Recovering {
    key: Arc<Object>,
    scheme: SignatureScheme,
}

impl Recovering {
    pub(crate) fn new(mechanism: &ffi::Mechanism, object: Arc<Object>) -> Result<Self> {
        let scheme = mechanism::recovering(mechanism.kind())?;
        object.key().ok_or(Error::KeyTypeInconsistent)?.check_work(Work::Sign(scheme, None), Usage::VERIFY)?;
        if mechanism.has_parameter() {
            return Err(Error::MechanismParamInvalid);
        }
        Ok(Self { key: object, scheme })
    }

    /// What the signature was made over.
    pub(crate) fn recover(&self, signature: &[u8]) -> Result<Vec<u8>> {
        let key = self.key.key().ok_or(Error::KeyHandleInvalid)?;
        let encoded = public(&key.public, signature)?;
        match self.scheme {
            SignatureScheme::RsaPkcs1v15 => unpad(&encoded).map(<[u8]>::to_vec),
            _ => Ok(encoded),
        }
    }
}

impl Keyed for Recovering {
    fn object(&self) -> Option<&Object> {
        Some(&self.key)
    }
}

/// RSAVP1 (RFC 8017 §5.2.2) with a DER `RSAPublicKey`; as long as the modulus.
fn public(key: &[u8], signature: &[u8]) -> Result<Vec<u8>> {
    let (modulus, exponent) = spki::rsa_parts(key).ok_or(Error::DeviceFailed)?;
    if signature.len() != modulus.len() {
        return Err(Error::SignatureLenRange);
    }
    let number = |bytes: &[u8]| BoxedUint::from_be_slice_vartime(bytes);
    let key = PublicKey::new(number(modulus), number(exponent)).map_err(|_| Error::KeySizeRange)?;
    let bits = key.n().bits_precision();
    let signature = BoxedUint::from_be_slice(signature, bits).map_err(|_| Error::SignatureInvalid)?;
    if signature >= *key.n().as_ref() {
        return Err(Error::SignatureInvalid);
    }
    let encoded = rsa_encrypt(&key, &signature).map_err(|_| Error::SignatureInvalid)?.to_be_bytes();
    Ok(encoded[encoded.len() - modulus.len()..].to_vec())
}

/// What stands behind the padding of EMSA-PKCS1-v1_5: 00 01, eight or more times FF, 00 (RFC 8017 §9.2).
fn unpad(encoded: &[u8]) -> Result<&[u8]> {
    let padded = encoded.strip_prefix(&[0, 1]).ok_or(Error::SignatureInvalid)?;
    let padding = padded.iter().take_while(|byte| **byte == 0xff).count();
    match padded.split_at(padding) {
        (_, [0, data @ ..]) if padding >= 8 => Ok(data),
        _ => Err(Error::SignatureInvalid),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_is_checked_to_the_last_byte() {
        let padded = |front: &[u8], count, end: &[u8]| [front, &vec![0xff; count], end].concat();
        assert_eq!(unpad(&padded(&[0, 1], 8, &[0, 5, 6])).unwrap(), [5, 6]);
        assert!(unpad(&padded(&[0, 1], 20, &[0])).unwrap().is_empty());
        for wrong in [padded(&[0, 1], 7, &[0, 5]), padded(&[0, 2], 8, &[0, 5]), padded(&[0, 1], 8, &[5, 0]), vec![0, 1]] {
            assert!(matches!(unpad(&wrong), Err(Error::SignatureInvalid)));
        }
    }
}
