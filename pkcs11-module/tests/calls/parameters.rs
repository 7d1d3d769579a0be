//! What a mechanism's parameter may say: it works for the keys that the mechanism is advertised for, or is CKR_MECHANISM_PARAM_INVALID.

use super::crypt::{decrypt, encrypt};
use super::keys::{YES, number};
use super::mechanisms::{lasting, list};
use super::pqc::pair;
use super::wrap::aes;
use super::*;

/// The hashes that mechanism parameters name, with their MGF1.
const HASHES: &[(CK_MECHANISM_TYPE, CK_RSA_PKCS_MGF_TYPE)] = &[
    (CKM_SHA_1, CKG_MGF1_SHA1),
    (CKM_SHA224, CKG_MGF1_SHA224),
    (CKM_SHA256, CKG_MGF1_SHA256),
    (CKM_SHA384, CKG_MGF1_SHA384),
    (CKM_SHA512, CKG_MGF1_SHA512),
    (CKM_SHA512_224, CKG_MGF1_SHA224),
    (CKM_SHA512_256, CKG_MGF1_SHA256),
    (CKM_SHA3_224, CKG_MGF1_SHA3_224),
    (CKM_SHA3_256, CKG_MGF1_SHA3_256),
    (CKM_SHA3_384, CKG_MGF1_SHA3_384),
    (CKM_SHA3_512, CKG_MGF1_SHA3_512),
];

/// OAEP with a hash, an MGF1 and no label.
fn oaep(hash: CK_MECHANISM_TYPE, mgf: CK_RSA_PKCS_MGF_TYPE) -> CK_MECHANISM {
    let source = CKZ_DATA_SPECIFIED;
    lasting(
        CKM_RSA_PKCS_OAEP,
        CK_RSA_PKCS_OAEP_PARAMS { hashAlg: hash, mgf, source, pSourceData: null_mut(), ulSourceDataLen: 0 },
    )
}

fn every_hash_of_oaep() {
    let keys = pair(CKM_RSA_PKCS_KEY_PAIR_GEN, &[(CKA_MODULUS_BITS, &number(2048))], &[]).unwrap();
    let digests = list(slot());
    for &(hash, mgf) in HASHES {
        assert!(digests.contains(&hash));
        for mgf in [mgf, CKG_MGF1_SHA1] {
            let sealed = encrypt(oaep(hash, mgf), keys[0], b"secret").unwrap_or_else(|rv| panic!("{hash:#x} {rv:#x}"));
            assert_eq!(decrypt(oaep(hash, mgf), keys[1], &sealed).as_deref(), Ok(&b"secret"[..]), "{hash:#x} {mgf:#x}");
        }
    }
    for (hash, mgf) in [(CKM_MD5, CKG_MGF1_SHA1), (CKM_SHA256, 0x99), (CKM_SHA256_HMAC, CKG_MGF1_SHA256)] {
        assert_eq!(encrypt(oaep(hash, mgf), keys[0], b"secret"), Err(CKR_MECHANISM_PARAM_INVALID), "{hash:#x}");
    }
    for number in [0, 1] {
        let mut ciphertext = [0; 256];
        ciphertext[255] = number;
        assert_eq!(decrypt(oaep(CKM_SHA256, CKG_MGF1_SHA256), keys[1], &ciphertext), Err(CKR_ENCRYPTED_DATA_INVALID), "{number}");
    }
}

#[test]
fn oaep_takes_every_hash() {
    let _fixture = Fixture::new();
    every_hash_of_oaep();
}

#[test]
fn oaep_in_a_tpm_takes_every_hash() {
    let _fixture = Fixture::tpm();
    every_hash_of_oaep();
}

/// NIST SP 800-38C §A.1.
#[test]
fn ccm_takes_every_length_of_tag_and_nonce() {
    let _fixture = Fixture::new();
    let key = aes(&[(CKA_ENCRYPT, YES), (CKA_DECRYPT, YES)]);
    let (nonce, data) = (Vec::leak(vec![5; 16]), [7; 21]);
    let mut ccm = |tag, nonce_len, len| {
        let (start, len) = (nonce.as_mut_ptr(), len as CK_ULONG);
        lasting(
            CKM_AES_CCM,
            CK_CCM_PARAMS { ulDataLen: len, pNonce: start, ulNonceLen: nonce_len, pAAD: null_mut(), ulAADLen: 0, ulMACLen: tag },
        )
    };
    for tag in 0..=17 {
        for nonce in 6..=14 {
            let sealed = encrypt(ccm(tag, nonce, data.len()), key, &data);
            if matches!(tag, 4 | 6 | 8 | 10 | 12 | 14 | 16) && (7..=13).contains(&nonce) {
                let mut sealed = sealed.unwrap();
                assert_eq!(sealed.len() as CK_ULONG, data.len() as CK_ULONG + tag);
                assert_eq!(decrypt(ccm(tag, nonce, data.len()), key, &sealed).as_deref(), Ok(&data[..]));
                sealed[0] ^= 1;
                assert_eq!(decrypt(ccm(tag, nonce, data.len()), key, &sealed), Err(CKR_ENCRYPTED_DATA_INVALID));
            } else {
                assert_eq!(sealed, Err(CKR_MECHANISM_PARAM_INVALID), "{tag} {nonce}");
            }
        }
    }
}
