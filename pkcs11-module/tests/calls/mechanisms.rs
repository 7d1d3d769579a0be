//! Every mechanism that a token shows is used as its flags say: what is listed works. A mechanism or flag that is new must be given a
//! way to be used here, or the test fails.

use super::crypt::with;
use super::keys::{NO, YES, number, read, secret};
use super::*;

/// What is digested, signed and encrypted: two blocks of AES, and as long as a SHA-256.
static DATA: [u8; 32] = [7; 32];
/// The generator of P-256, which is somebody's public value.
const GENERATOR: &[u8] = b"\x04\x6b\x17\xd1\xf2\xe1\x2c\x42\x47\xf8\xbc\xe6\xe5\x63\xa4\x40\xf2\x77\x03\x7d\x81\x2d\xeb\x33\xa0\xf4\xa1\
    \x39\x45\xd8\x98\xc2\x96\x4f\xe3\x42\xe2\xfe\x1a\x7f\x9b\x8e\xe7\xeb\x4a\x7c\x0f\x9e\x16\x2b\xce\x33\x57\x6b\x31\x5e\xce\xcb\xb6\
    \x40\x68\x37\xbf\x51\xf5";

/// No signature is longer.
const LONGEST: usize = 5000;

/// The keys that a mechanism is used with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Keys {
    None,
    Pair(CK_MECHANISM_TYPE),
    Secret(CK_MECHANISM_TYPE),
    /// An RSA pair that names the mechanism.
    Allowed(CK_MECHANISM_TYPE),
}

/// The keys that a mechanism is for, and the mechanism with a parameter that it takes.
pub(crate) fn way(kind: CK_MECHANISM_TYPE) -> Option<(Keys, CK_MECHANISM)> {
    let rsa = Keys::Pair(CKM_RSA_PKCS_KEY_PAIR_GEN);
    let bare = mechanism(kind);
    Some(match kind {
        CKM_SHA_1 | CKM_SHA224 | CKM_SHA256 | CKM_SHA384 | CKM_SHA512 | CKM_SHA512_224 | CKM_SHA512_256 | CKM_SHA3_224
        | CKM_SHA3_256 | CKM_SHA3_384 | CKM_SHA3_512 => (Keys::None, bare),
        CKM_RSA_PKCS_KEY_PAIR_GEN
        | CKM_EC_KEY_PAIR_GEN
        | CKM_EC_EDWARDS_KEY_PAIR_GEN
        | CKM_EC_MONTGOMERY_KEY_PAIR_GEN
        | CKM_ML_DSA_KEY_PAIR_GEN
        | CKM_ML_KEM_KEY_PAIR_GEN
        | CKM_DSA_KEY_PAIR_GEN
        | CKM_DH_PKCS_KEY_PAIR_GEN => (Keys::Pair(kind), bare),
        CKM_DSA_PARAMETER_GEN
        | CKM_DSA
        | CKM_DSA_SHA1
        | CKM_DSA_SHA224
        | CKM_DSA_SHA256
        | CKM_DSA_SHA384
        | CKM_DSA_SHA512
        | CKM_DSA_SHA3_224
        | CKM_DSA_SHA3_256
        | CKM_DSA_SHA3_384
        | CKM_DSA_SHA3_512 => (Keys::Pair(CKM_DSA_KEY_PAIR_GEN), bare),
        CKM_DH_PKCS_PARAMETER_GEN | CKM_DH_PKCS_DERIVE => (Keys::Pair(CKM_DH_PKCS_KEY_PAIR_GEN), bare),
        CKM_RSA_PKCS
        | CKM_SHA1_RSA_PKCS
        | CKM_SHA224_RSA_PKCS
        | CKM_SHA256_RSA_PKCS
        | CKM_SHA384_RSA_PKCS
        | CKM_SHA512_RSA_PKCS
        | CKM_SHA3_224_RSA_PKCS
        | CKM_SHA3_256_RSA_PKCS
        | CKM_SHA3_384_RSA_PKCS
        | CKM_SHA3_512_RSA_PKCS => (rsa, bare),
        CKM_RSA_PKCS_PSS | CKM_SHA256_RSA_PKCS_PSS => (rsa, pss(kind, CKM_SHA256, CKG_MGF1_SHA256, 32)),
        CKM_SHA1_RSA_PKCS_PSS => (rsa, pss(kind, CKM_SHA_1, CKG_MGF1_SHA1, 20)),
        CKM_SHA224_RSA_PKCS_PSS => (rsa, pss(kind, CKM_SHA224, CKG_MGF1_SHA224, 28)),
        CKM_SHA384_RSA_PKCS_PSS => (rsa, pss(kind, CKM_SHA384, CKG_MGF1_SHA384, 48)),
        CKM_SHA512_RSA_PKCS_PSS => (rsa, pss(kind, CKM_SHA512, CKG_MGF1_SHA512, 64)),
        CKM_SHA3_224_RSA_PKCS_PSS => (rsa, pss(kind, CKM_SHA3_224, CKG_MGF1_SHA3_224, 28)),
        CKM_SHA3_256_RSA_PKCS_PSS => (rsa, pss(kind, CKM_SHA3_256, CKG_MGF1_SHA3_256, 32)),
        CKM_SHA3_384_RSA_PKCS_PSS => (rsa, pss(kind, CKM_SHA3_384, CKG_MGF1_SHA3_384, 48)),
        CKM_SHA3_512_RSA_PKCS_PSS => (rsa, pss(kind, CKM_SHA3_512, CKG_MGF1_SHA3_512, 64)),
        CKM_RSA_PKCS_OAEP => (rsa, oaep(kind)),
        CKM_ECDSA | CKM_ECDSA_SHA1 | CKM_ECDSA_SHA224 | CKM_ECDSA_SHA256 | CKM_ECDSA_SHA384 | CKM_ECDSA_SHA512
        | CKM_ECDSA_SHA3_224 | CKM_ECDSA_SHA3_256 | CKM_ECDSA_SHA3_384 | CKM_ECDSA_SHA3_512 => {
            (Keys::Pair(CKM_EC_KEY_PAIR_GEN), bare)
        }
        CKM_ML_DSA
        | CKM_HASH_ML_DSA_SHA224
        | CKM_HASH_ML_DSA_SHA256
        | CKM_HASH_ML_DSA_SHA384
        | CKM_HASH_ML_DSA_SHA512
        | CKM_HASH_ML_DSA_SHA3_224
        | CKM_HASH_ML_DSA_SHA3_256
        | CKM_HASH_ML_DSA_SHA3_384
        | CKM_HASH_ML_DSA_SHA3_512 => (Keys::Pair(CKM_ML_DSA_KEY_PAIR_GEN), bare),
        CKM_ML_KEM => (Keys::Pair(CKM_ML_KEM_KEY_PAIR_GEN), bare),
        CKM_HASH_ML_DSA => (Keys::Pair(CKM_ML_DSA_KEY_PAIR_GEN), prehashed(kind)),
        CKM_EDDSA => (Keys::Pair(CKM_EC_EDWARDS_KEY_PAIR_GEN), bare),
        CKM_RSA_X_509 => (Keys::Allowed(kind), bare),
        _ => return secret_way(kind),
    })
}

/// As [`way`], for secret keys.
fn secret_way(kind: CK_MECHANISM_TYPE) -> Option<(Keys, CK_MECHANISM)> {
    let aes = Keys::Secret(CKM_AES_KEY_GEN);
    let generic = Keys::Secret(CKM_GENERIC_SECRET_KEY_GEN);
    let bare = mechanism(kind);
    Some(match kind {
        CKM_AES_KEY_GEN
        | CKM_GENERIC_SECRET_KEY_GEN
        | CKM_HKDF_KEY_GEN
        | CKM_CHACHA20_KEY_GEN
        | CKM_DES2_KEY_GEN
        | CKM_DES3_KEY_GEN => (Keys::Secret(kind), bare),
        CKM_SHA_1_KEY_GEN
        | CKM_SHA224_KEY_GEN
        | CKM_SHA256_KEY_GEN
        | CKM_SHA384_KEY_GEN
        | CKM_SHA512_KEY_GEN
        | CKM_SHA512_224_KEY_GEN
        | CKM_SHA512_256_KEY_GEN
        | CKM_SHA3_224_KEY_GEN
        | CKM_SHA3_256_KEY_GEN
        | CKM_SHA3_384_KEY_GEN
        | CKM_SHA3_512_KEY_GEN => (Keys::Secret(kind), bare),
        CKM_SHA_1_HMAC | CKM_SHA224_HMAC | CKM_SHA256_HMAC | CKM_SHA384_HMAC | CKM_SHA512_HMAC | CKM_SHA512_224_HMAC
        | CKM_SHA512_256_HMAC | CKM_SHA3_224_HMAC | CKM_SHA3_256_HMAC | CKM_SHA3_384_HMAC | CKM_SHA3_512_HMAC => (generic, bare),
        CKM_SHA_1_HMAC_GENERAL
        | CKM_SHA224_HMAC_GENERAL
        | CKM_SHA256_HMAC_GENERAL
        | CKM_SHA384_HMAC_GENERAL
        | CKM_SHA512_HMAC_GENERAL
        | CKM_SHA512_224_HMAC_GENERAL
        | CKM_SHA512_256_HMAC_GENERAL
        | CKM_SHA3_224_HMAC_GENERAL
        | CKM_SHA3_256_HMAC_GENERAL
        | CKM_SHA3_384_HMAC_GENERAL
        | CKM_SHA3_512_HMAC_GENERAL => (generic, lasting::<CK_ULONG>(kind, 12)),
        CKM_AES_CMAC_GENERAL => (aes, lasting::<CK_ULONG>(kind, 1)),
        CKM_AES_CMAC | CKM_AES_ECB | CKM_AES_KEY_WRAP | CKM_AES_KEY_WRAP_KWP | CKM_AES_KEY_WRAP_PAD => (aes, bare),
        CKM_AES_CBC | CKM_AES_CBC_PAD | CKM_AES_OFB | CKM_AES_CFB128 => (aes, lasting(kind, [9u8; 16])),
        CKM_AES_CTR => (aes, lasting(kind, CK_AES_CTR_PARAMS { ulCounterBits: 64, cb: [9; 16] })),
        CKM_AES_GCM => (aes, gcm(kind)),
        CKM_AES_CCM => (aes, ccm(kind)),
        CKM_DES3_ECB => (Keys::Secret(CKM_DES2_KEY_GEN), bare),
        CKM_DES3_CBC | CKM_DES3_CBC_PAD => (Keys::Secret(CKM_DES3_KEY_GEN), lasting(kind, [9u8; 8])),
        CKM_CHACHA20_POLY1305 => (Keys::Secret(CKM_CHACHA20_KEY_GEN), poly1305(kind)),
        _ => return derivation(kind),
    })
}

/// As [`way`], of the mechanisms that derive.
fn derivation(kind: CK_MECHANISM_TYPE) -> Option<(Keys, CK_MECHANISM)> {
    let (aes, generic) = (Keys::Secret(CKM_AES_KEY_GEN), Keys::Secret(CKM_GENERIC_SECRET_KEY_GEN));
    let bare = mechanism(kind);
    Some(match kind {
        CKM_ECDH1_DERIVE | CKM_ECDH1_COFACTOR_DERIVE => {
            let derive = derive::ecdh(CKD_SHA256_KDF, b"", GENERATOR);
            (Keys::Pair(CKM_EC_KEY_PAIR_GEN), CK_MECHANISM { mechanism: kind, ..derive })
        }
        CKM_HKDF_DERIVE | CKM_HKDF_DATA => {
            let derive = derive::hkdf((true, true), b"salt", b"info");
            (Keys::Secret(CKM_HKDF_KEY_GEN), CK_MECHANISM { mechanism: kind, ..derive })
        }
        CKM_SHA1_KEY_DERIVATION
        | CKM_SHA224_KEY_DERIVATION
        | CKM_SHA256_KEY_DERIVATION
        | CKM_SHA384_KEY_DERIVATION
        | CKM_SHA512_KEY_DERIVATION => (generic, bare),
        // The key itself is the other one.
        CKM_CONCATENATE_BASE_AND_KEY => (generic, bare),
        CKM_CONCATENATE_BASE_AND_DATA | CKM_CONCATENATE_DATA_AND_BASE => (generic, derive::string(kind, &DATA)),
        CKM_AES_ECB_ENCRYPT_DATA => (aes, derive::string(kind, &DATA)),
        CKM_AES_CBC_ENCRYPT_DATA => {
            let params = CK_AES_CBC_ENCRYPT_DATA_PARAMS { iv: [9; 16], pData: DATA.as_ptr().cast_mut(), length: 32 };
            (aes, lasting(kind, params))
        }
        _ => return None,
    })
}

/// A mechanism whose parameter lives as long as the process.
pub(crate) fn lasting<T>(kind: CK_MECHANISM_TYPE, parameter: T) -> CK_MECHANISM {
    with(kind, Box::leak(Box::new(parameter)))
}

pub(crate) fn pss(kind: CK_MECHANISM_TYPE, hash: CK_MECHANISM_TYPE, mgf: CK_RSA_PKCS_MGF_TYPE, salt: CK_ULONG) -> CK_MECHANISM {
    lasting(kind, CK_RSA_PKCS_PSS_PARAMS { hashAlg: hash, mgf, sLen: salt })
}

pub(crate) fn oaep(kind: CK_MECHANISM_TYPE) -> CK_MECHANISM {
    let (hash, mgf) = (CKM_SHA256, CKG_MGF1_SHA256);
    lasting(
        kind,
        CK_RSA_PKCS_OAEP_PARAMS { hashAlg: hash, mgf, source: CKZ_DATA_SPECIFIED, pSourceData: null_mut(), ulSourceDataLen: 0 },
    )
}

fn prehashed(kind: CK_MECHANISM_TYPE) -> CK_MECHANISM {
    lasting(
        kind,
        CK_HASH_SIGN_ADDITIONAL_CONTEXT {
            hedgeVariant: CKH_HEDGE_PREFERRED,
            pContext: null_mut(),
            ulContextLen: 0,
            hash: CKM_SHA256,
        },
    )
}

fn nonce() -> *mut CK_BYTE {
    Box::leak(Box::new([5u8; 12])).as_mut_ptr()
}

fn gcm(kind: CK_MECHANISM_TYPE) -> CK_MECHANISM {
    let params = CK_GCM_PARAMS { pIv: nonce(), ulIvLen: 12, ulIvBits: 96, pAAD: null_mut(), ulAADLen: 0, ulTagBits: 128 };
    lasting(kind, params)
}

fn ccm(kind: CK_MECHANISM_TYPE) -> CK_MECHANISM {
    let len = DATA.len() as CK_ULONG;
    let params = CK_CCM_PARAMS { ulDataLen: len, pNonce: nonce(), ulNonceLen: 12, pAAD: null_mut(), ulAADLen: 0, ulMACLen: 16 };
    lasting(kind, params)
}

fn poly1305(kind: CK_MECHANISM_TYPE) -> CK_MECHANISM {
    lasting(kind, CK_SALSA20_CHACHA20_POLY1305_PARAMS { pNonce: nonce(), ulNonceLen: 12, pAAD: null_mut(), ulAADLen: 0 })
}

/// A mechanism in a session, with the public and the private key for it (or twice the secret one).
struct Use {
    mechanism: CK_MECHANISM,
    session: CK_SESSION_HANDLE,
    keys: [CK_OBJECT_HANDLE; 2],
    flags: CK_FLAGS,
}

type Exercise = fn(&mut Use);

/// What each flag promises.
const USES: &[(CK_FLAGS, Exercise)] = &[
    (CKF_DIGEST, Use::digest),
    (CKF_SIGN, Use::sign),
    (CKF_VERIFY, Use::verify),
    (CKF_ENCRYPT, Use::encrypt),
    (CKF_DECRYPT, Use::decrypt),
    (CKF_WRAP | CKF_UNWRAP, Use::travel),
    (CKF_ENCAPSULATE | CKF_DECAPSULATE, Use::encapsulate),
    (CKF_DERIVE, Use::derive),
    (CKF_SIGN_RECOVER | CKF_VERIFY_RECOVER, Use::recover),
    (CKF_MESSAGE_SIGN, Use::sign_messages),
    (CKF_MESSAGE_VERIFY, Use::verify_messages),
    (CKF_MESSAGE_ENCRYPT | CKF_MESSAGE_DECRYPT, Use::seal_messages),
    // The keys have been made with it already.
    (CKF_GENERATE, |_| ()),
    (CKF_GENERATE_KEY_PAIR, |_| ()),
];

/// Their names in the lists of what tokens can do.
macro_rules! flags_by_name {
    ($($flag:ident)*) => { &[$(($flag, stringify!($flag))),*] };
}
const FLAGS: &[(CK_FLAGS, &str)] = flags_by_name! {
    CKF_HW CKF_DIGEST CKF_SIGN CKF_VERIFY CKF_ENCRYPT CKF_DECRYPT CKF_WRAP CKF_UNWRAP CKF_ENCAPSULATE CKF_DECAPSULATE CKF_DERIVE
    CKF_SIGN_RECOVER CKF_VERIFY_RECOVER CKF_MESSAGE_SIGN CKF_MESSAGE_VERIFY CKF_MESSAGE_ENCRYPT CKF_MESSAGE_DECRYPT CKF_GENERATE
    CKF_GENERATE_KEY_PAIR CKF_EC_F_P CKF_EC_OID CKF_EC_UNCOMPRESS CKF_EC_COMPRESS CKF_EC_CURVENAME CKF_MULTI_MESSAGE
};

/// What flags say beyond that.
const HINTS: CK_FLAGS = CKF_EC_F_P | CKF_EC_OID | CKF_EC_UNCOMPRESS | CKF_EC_COMPRESS | CKF_EC_CURVENAME | CKF_MULTI_MESSAGE;

impl Use {
    fn digest(&mut self) {
        let (mut data, mut digest, mut len) = (DATA, [0; 64], 64);
        let begun = call!(C_DigestInit(self.session, &mut self.mechanism));
        assert_eq!(begun, CKR_OK);
        assert_eq!(call!(C_Digest(self.session, data.as_mut_ptr(), 32, digest.as_mut_ptr(), &raw mut len)), CKR_OK);
        assert!(len >= 20 && digest != [0; 64]);
    }

    /// Signs in parts where the mechanism hashes, else at once.
    fn signature(&mut self) -> Vec<u8> {
        let (mut data, mut signature) = (DATA, vec![0; LONGEST]);
        let mut len = signature.len() as CK_ULONG;
        assert_eq!(call!(C_SignInit(self.session, &mut self.mechanism, self.keys[1])), CKR_OK);
        assert_eq!(call!(C_Sign(self.session, data.as_mut_ptr(), 32, signature.as_mut_ptr(), &raw mut len)), CKR_OK);
        signature.truncate(usize::try_from(len).unwrap());
        signature
    }

    fn sign(&mut self) {
        assert!(!self.signature().is_empty());
    }

    fn check(&mut self, signature: &mut [u8]) -> CK_RV {
        let (mut data, len) = (DATA, signature.len() as CK_ULONG);
        assert_eq!(call!(C_VerifyInit(self.session, &mut self.mechanism, self.keys[0])), CKR_OK);
        call!(C_Verify(self.session, data.as_mut_ptr(), 32, signature.as_mut_ptr(), len))
    }

    /// A hash that is too weak to sign with is good enough to look at old signatures.
    fn verify(&mut self) {
        let mut signature = if self.flags & CKF_SIGN == 0 { vec![1; self.signature_len()] } else { self.signature() };
        if self.flags & CKF_SIGN != 0 {
            assert_eq!(self.check(&mut signature), CKR_OK);
        }
        signature[0] ^= 1;
        assert_eq!(self.check(&mut signature), CKR_SIGNATURE_INVALID);
    }

    fn signature_len(&self) -> usize {
        if matches!(self.mechanism.mechanism, CKM_ECDSA_SHA1) { 64 } else { 256 }
    }

    fn ciphertext(&mut self) -> Vec<u8> {
        let (mut data, mut out) = (DATA, vec![0; 512]);
        let mut len = out.len() as CK_ULONG;
        assert_eq!(call!(C_EncryptInit(self.session, &mut self.mechanism, self.keys[0])), CKR_OK);
        assert_eq!(call!(C_Encrypt(self.session, data.as_mut_ptr(), 32, out.as_mut_ptr(), &raw mut len)), CKR_OK);
        out.truncate(usize::try_from(len).unwrap());
        out
    }

    fn encrypt(&mut self) {
        assert_ne!(self.ciphertext()[..16], DATA[..16]);
    }

    fn decrypt(&mut self) {
        let mut sealed = self.ciphertext();
        let (sealed_len, mut out, mut len) = (sealed.len() as CK_ULONG, [0; 512], 512);
        assert_eq!(call!(C_DecryptInit(self.session, &mut self.mechanism, self.keys[1])), CKR_OK);
        let opened = call!(C_Decrypt(self.session, sealed.as_mut_ptr(), sealed_len, out.as_mut_ptr(), &raw mut len));
        let end = usize::try_from(len).unwrap();
        assert_eq!((opened, &out[end - 32..end]), (CKR_OK, &DATA[..]));
    }
}

impl Use {
    fn travel(&mut self) {
        let leaving = wrap::aes(&[(CKA_EXTRACTABLE, YES)]);
        let refused = wrap::wrap(self.mechanism, self.keys[0], leaving);
        assert_eq!(refused, Err(CKR_KEY_NOT_WRAPPABLE), "the key decrypts, too");
        let leaving = wrap::aes(&[(CKA_EXTRACTABLE, YES), (CKA_SENSITIVE, NO)]);
        let wrapped = wrap::wrap(self.mechanism, self.keys[0], leaving).unwrap();
        let (class, kind) = (number(CKO_SECRET_KEY), number(CKK_AES));
        let template: &wrap::Attributes<'_> =
            &[(CKA_CLASS, &class), (CKA_KEY_TYPE, &kind), (CKA_EXTRACTABLE, YES), (CKA_SENSITIVE, NO)];
        let came = wrap::unwrap(self.mechanism, self.keys[1], &wrapped, template).unwrap();
        assert_eq!(read(came, CKA_VALUE), read(leaving, CKA_VALUE));
    }

    /// Of a key in a group of 2048 bits.
    fn public_value(&self) -> [u8; 256] {
        let (mut padded, value) = ([0; 256], read(self.keys[0], CKA_VALUE).unwrap());
        padded[256 - value.len()..].copy_from_slice(&value);
        padded
    }

    fn derive(&mut self) {
        let base = self.keys[1];
        let mechanism = match self.mechanism.mechanism {
            kind @ CKM_CONCATENATE_BASE_AND_KEY => lasting(kind, base),
            kind @ CKM_DH_PKCS_DERIVE => lasting(kind, self.public_value()),
            _ => self.mechanism,
        };
        let len = number(16);
        let whole = matches!(
            mechanism.mechanism,
            CKM_CONCATENATE_BASE_AND_KEY | CKM_CONCATENATE_BASE_AND_DATA | CKM_CONCATENATE_DATA_AND_BASE
        );
        let template: &wrap::Attributes<'_> = &[(CKA_DERIVE, YES), (CKA_VALUE_LEN, &len)];
        if mechanism.mechanism == CKM_HKDF_DATA {
            let data = derive::derive(mechanism, base, &template[1..]).unwrap();
            assert_eq!(read(data, CKA_VALUE).unwrap().len(), 16);
            return;
        }
        let template = if whole { &template[..1] } else { template };
        let derived = derive::derive(mechanism, base, template).unwrap();
        assert_eq!(read(derived, CKA_VALUE_LEN).unwrap(), number(if whole { 64 } else { 16 }));
    }

    fn encapsulate(&mut self) {
        let (ciphertext, theirs) = pqc::encapsulate(self.keys[0], pqc::READABLE).unwrap();
        let ours = pqc::decapsulate(self.keys[1], pqc::READABLE, &ciphertext).unwrap();
        assert_eq!(read(ours, CKA_VALUE), read(theirs, CKA_VALUE));
    }

    fn recover(&mut self) {
        let (mut data, mut signature, mut out) = (DATA, [0; 256], [0; 256]);
        let [mut len, mut out_len] = [256; 2];
        let Self { mechanism, session, keys, .. } = self;
        assert_eq!(call!(C_SignRecoverInit(*session, mechanism, keys[1])), CKR_OK);
        assert_eq!(call!(C_SignRecover(*session, data.as_mut_ptr(), 32, signature.as_mut_ptr(), &raw mut len)), CKR_OK);
        assert_eq!(call!(C_VerifyRecoverInit(*session, mechanism, keys[0])), CKR_OK);
        let recovered = call!(C_VerifyRecover(*session, signature.as_mut_ptr(), len, out.as_mut_ptr(), &raw mut out_len));
        let end = usize::try_from(out_len).unwrap();
        assert_eq!((recovered, &out[end - 32..end]), (CKR_OK, &DATA[..]));
    }

    /// Two messages, one of them in parts.
    fn sign_messages(&mut self) {
        let (mut data, mut whole, mut parts) = (DATA, [0; LONGEST], [0; LONGEST]);
        let [mut len, mut parts_len] = [LONGEST as CK_ULONG; 2];
        let session = self.session;
        assert_eq!(call3!(C_MessageSignInit(session, &mut self.mechanism, self.keys[1])), CKR_OK);
        let data = data.as_mut_ptr();
        assert_eq!(call3!(C_SignMessage(session, null_mut(), 0, data, 32, whole.as_mut_ptr(), &raw mut len)), CKR_OK);
        assert_eq!(call3!(C_SignMessageBegin(session, null_mut(), 0)), CKR_OK);
        assert_eq!(call3!(C_SignMessageNext(session, null_mut(), 0, data, 10, null_mut(), null_mut())), CKR_OK);
        let rest = data.wrapping_add(10);
        let out = parts.as_mut_ptr();
        assert_eq!(call3!(C_SignMessageNext(session, null_mut(), 0, rest, 22, out, &raw mut parts_len)), CKR_OK);
        assert_eq!(call3!(C_MessageSignFinal(session)), CKR_OK);
        for signature in [&mut whole[..usize::try_from(len).unwrap()], &mut parts[..usize::try_from(parts_len).unwrap()]] {
            assert_eq!(self.check(signature), CKR_OK);
        }
    }

    fn verify_messages(&mut self) {
        let (mut data, session) = (DATA, self.session);
        let good = self.flags & CKF_SIGN != 0;
        let mut signature = if good { self.signature() } else { vec![1; self.signature_len()] };
        let expected = if good { CKR_OK } else { CKR_SIGNATURE_INVALID };
        assert_eq!(call3!(C_MessageVerifyInit(session, &mut self.mechanism, self.keys[0])), CKR_OK);
        let (data, signature, len) = (data.as_mut_ptr(), signature.as_mut_ptr(), signature.len() as CK_ULONG);
        assert_eq!(call3!(C_VerifyMessage(session, null_mut(), 0, data, 32, signature, len)), expected);
        assert_eq!(call3!(C_VerifyMessageBegin(session, null_mut(), 0)), CKR_OK);
        assert_eq!(call3!(C_VerifyMessageNext(session, null_mut(), 0, data, 31, null_mut(), 0)), CKR_OK);
        let last = data.wrapping_add(31);
        assert_eq!(call3!(C_VerifyMessageNext(session, null_mut(), 0, last, 1, signature, len)), expected);
        assert_eq!(call3!(C_MessageVerifyFinal(session)), CKR_OK);
    }

    fn seal_messages(&mut self) {
        let kind = self.mechanism.mechanism;
        let mut message = message::Message::new(kind, DATA.len());
        assert_eq!(call3!(C_MessageEncryptInit(self.session, &mut self.mechanism, self.keys[0])), CKR_OK);
        assert_eq!(call3!(C_MessageDecryptInit(self.session, &mut self.mechanism, self.keys[1])), CKR_OK);
        let sealed = message.seal(self.session, b"header", &DATA).unwrap();
        assert_eq!(message.open(self.session, b"header", &sealed).unwrap(), DATA);
        assert_eq!(message.open(self.session, b"other", &sealed), Err(CKR_AEAD_DECRYPT_FAILED));
        assert_eq!(call3!(C_MessageEncryptFinal(self.session)), CKR_OK);
        assert_eq!(call3!(C_MessageDecryptFinal(self.session)), CKR_OK);
    }
}

/// A key pair that may do everything its mechanisms can.
fn pair(generator: CK_MECHANISM_TYPE, more: &[(CK_ATTRIBUTE_TYPE, &[u8])]) -> [CK_OBJECT_HANDLE; 2] {
    let (bits, set, group) = (number(2048), number(CKP_ML_DSA_44), group(generator));
    let (kind, decrypt) = match generator {
        CKM_RSA_PKCS_KEY_PAIR_GEN => ((CKA_MODULUS_BITS, &bits[..]), YES),
        CKM_EC_EDWARDS_KEY_PAIR_GEN => ((CKA_EC_PARAMS, &b"\x13\x0cedwards25519"[..]), NO),
        CKM_EC_MONTGOMERY_KEY_PAIR_GEN => ((CKA_EC_PARAMS, &b"\x13\x0acurve25519"[..]), NO),
        CKM_ML_DSA_KEY_PAIR_GEN | CKM_ML_KEM_KEY_PAIR_GEN => ((CKA_PARAMETER_SET, &set[..]), NO),
        CKM_DSA_KEY_PAIR_GEN | CKM_DH_PKCS_KEY_PAIR_GEN => ((CKA_LABEL, &b"group"[..]), NO),
        _ => ((CKA_EC_PARAMS, P256), NO),
    };
    let public = [kind, (CKA_VERIFY, YES), (CKA_ENCRYPT, decrypt), (CKA_WRAP, decrypt)];
    let derives = [CKM_EC_KEY_PAIR_GEN, CKM_EC_MONTGOMERY_KEY_PAIR_GEN, CKM_DH_PKCS_KEY_PAIR_GEN].contains(&generator);
    let private = [(CKA_SIGN, YES), (CKA_DECRYPT, decrypt), (CKA_UNWRAP, decrypt), (CKA_DERIVE, if derives { YES } else { NO })];
    let private = [&private[..], more].concat();
    let public: Vec<_> = public.into_iter().chain(group.iter().map(|(kind, value)| (*kind, value.as_slice()))).collect();
    wrap::pair(generator, &public, &private)
}

/// The numbers of a new group, for keys that bring one.
pub(crate) fn group(generator: CK_MECHANISM_TYPE) -> Vec<(CK_ATTRIBUTE_TYPE, Vec<u8>)> {
    let (parameters, bits) = match generator {
        CKM_DSA_KEY_PAIR_GEN => (CKM_DSA_PARAMETER_GEN, number(1024)),
        CKM_DH_PKCS_KEY_PAIR_GEN => (CKM_DH_PKCS_PARAMETER_GEN, number(2048)),
        _ => return vec![],
    };
    let (session, mut group) = (open(0), 0);
    let mut template = [attribute(CKA_PRIME_BITS, &bits)];
    let made = call!(C_GenerateKey(session, &mut mechanism(parameters), template.as_mut_ptr(), 1, &raw mut group));
    assert_eq!(made, CKR_OK);
    assert_eq!(read(group, CKA_CLASS).as_deref(), Ok(&number(CKO_DOMAIN_PARAMETERS)[..]));
    assert_eq!(read(group, CKA_PRIME_BITS).as_deref(), Ok(&bits[..]));
    let numbers = [CKA_PRIME, CKA_SUBPRIME, CKA_BASE].map(|kind| Some((kind, read(group, kind).ok()?)));
    numbers.into_iter().flatten().collect()
}

/// A secret key that may do everything its mechanisms can.
fn secret_key(generator: CK_MECHANISM_TYPE) -> [CK_OBJECT_HANDLE; 2] {
    let len = number(32);
    let uses = [CKA_SIGN, CKA_VERIFY, CKA_ENCRYPT, CKA_DECRYPT, CKA_WRAP, CKA_UNWRAP];
    let mut template = uses.map(|kind| (kind, YES)).to_vec();
    if ![CKM_CHACHA20_KEY_GEN, CKM_DES2_KEY_GEN, CKM_DES3_KEY_GEN].contains(&generator) {
        template.extend([(CKA_VALUE_LEN, &len[..]), (CKA_DERIVE, YES)]);
    }
    [secret(generator, &template).unwrap(); 2]
}

pub(crate) fn list(slot: CK_SLOT_ID) -> Vec<CK_MECHANISM_TYPE> {
    let mut count = 0;
    assert_eq!(call!(C_GetMechanismList(slot, null_mut(), &raw mut count)), CKR_OK);
    let mut kinds = vec![0; usize::try_from(count).unwrap()];
    assert_eq!(call!(C_GetMechanismList(slot, kinds.as_mut_ptr(), &raw mut count)), CKR_OK);
    kinds
}

#[test]
fn deprecated_mechanisms_are_not_shown_unless_they_are_permitted() {
    let _fixture = Fixture::new();
    let kinds = list(SOFTWARE);
    pinned_mechanisms("pkcs11-software");
    assert!(![CKM_DES3_ECB, CKM_DES3_CBC, CKM_DES3_CBC_PAD].iter().any(|kind| kinds.contains(kind)));
    for kind in [CKM_DES2_KEY_GEN, CKM_DES3_KEY_GEN] {
        assert!(!kinds.contains(&kind), "{kind:#x}");
        assert_eq!(secret(kind, &[(CKA_ENCRYPT, YES)]), Err(CKR_MECHANISM_INVALID));
    }
}

#[test]
fn every_mechanism_does_what_its_flags_say() {
    let _fixture = Fixture::deprecated();
    use_every_mechanism("pkcs11-software-deprecated");
}

#[test]
fn every_mechanism_of_the_tpm_does_what_its_flags_say() {
    let _fixture = Fixture::tpm();
    use_every_mechanism("pkcs11-tpm");
}

#[test]
fn every_mechanism_of_the_sealed_tier_does_what_its_flags_say() {
    let _fixture = Fixture::sealed();
    use_every_mechanism("pkcs11-tpm-sealed");
}

/// The keys that mechanisms are used with, each made when it is wanted first.
#[derive(Default)]
pub(crate) struct Ring(Vec<(Keys, [CK_OBJECT_HANDLE; 2])>);

impl Ring {
    /// The public and the private key, or twice the secret one.
    pub(crate) fn get(&mut self, wanted: Keys) -> [CK_OBJECT_HANDLE; 2] {
        let known = self.0.iter().find(|(have, _)| *have == wanted).map(|(_, keys)| *keys);
        known.unwrap_or_else(|| {
            let fresh = match wanted {
                Keys::None => [0; 2],
                Keys::Pair(generator) => pair(generator, &[]),
                Keys::Allowed(kind) => pair(CKM_RSA_PKCS_KEY_PAIR_GEN, &[(CKA_ALLOWED_MECHANISMS, &number(kind))]),
                Keys::Secret(generator) => secret_key(generator),
            };
            self.0.push((wanted, fresh));
            fresh
        })
    }
}

/// Uses all mechanisms of the slot, which shall be those of the list with this name.
fn use_every_mechanism(pinned: &str) {
    let (mut ring, kinds) = (Ring::default(), list(slot()));
    pinned_mechanisms(pinned);
    for kind in kinds {
        let (wanted, mechanism) = way(kind).unwrap_or_else(|| panic!("mechanism {kind:#x} is used nowhere in this test"));
        let (session, keys) = (open(CKF_RW_SESSION), ring.get(wanted));
        let flags = flags(kind);
        let mut unused = flags & !HINTS;
        assert_ne!(unused, 0, "{kind:#x}");
        let mut using = Use { mechanism, session, keys, flags };
        for (flag, run) in USES {
            if unused & flag == *flag {
                run(&mut using);
                unused &= !flag;
            }
        }
        assert_eq!(unused, 0, "{kind:#x} has flags that nobody uses here");
        assert_eq!(call!(C_CloseSession(session)), CKR_OK);
    }
}

/// Compares the mechanisms of the slot, their key sizes and flags with the list of this name.
fn pinned_mechanisms(name: &str) {
    let mut kinds = list(slot());
    kinds.sort_unstable();
    let line = |kind: &CK_MECHANISM_TYPE| {
        let CK_MECHANISM_INFO { ulMinKeySize: least, ulMaxKeySize: most, flags } = info(*kind);
        let named = FLAGS.iter().filter(|(flag, _)| flags & flag != 0).map(|(_, name)| *name).collect::<Vec<_>>().join(" ");
        assert_eq!(FLAGS.iter().fold(flags, |rest, (flag, _)| rest & !flag), 0, "{kind:#x} has a flag without a name");
        format!("{kind:#010x} {least}..={most} {named}")
    };
    tests::pinned(name, &kinds.iter().map(line).collect::<Vec<_>>());
}

/// The flags of a mechanism's info.
pub(crate) fn flags(kind: CK_MECHANISM_TYPE) -> CK_FLAGS {
    info(kind).flags
}

pub(crate) fn info(kind: CK_MECHANISM_TYPE) -> CK_MECHANISM_INFO {
    let mut info = CK_MECHANISM_INFO::default();
    assert_eq!(call!(C_GetMechanismInfo(slot(), kind, &raw mut info)), CKR_OK);
    info
}
