//! Encryption, decryption and MACs, checked against published vectors and against each other.

use super::keys::{YES, create, number, read, secret};
use super::mechanisms::lasting;
use super::pqc::pair;
use super::wrap::Attributes;
use super::*;

pub(crate) fn with<T>(kind: CK_MECHANISM_TYPE, parameter: &T) -> CK_MECHANISM {
    CK_MECHANISM {
        mechanism: kind,
        pParameter: (&raw const *parameter).cast_mut().cast(),
        ulParameterLen: size_of::<T>() as CK_ULONG,
    }
}

pub(crate) fn aes(value: &[u8], usage: CK_ATTRIBUTE_TYPE) -> CK_OBJECT_HANDLE {
    let (class, kind) = (number(CKO_SECRET_KEY), number(CKK_AES));
    let template = [
        (CKA_CLASS, &class[..]),
        (CKA_KEY_TYPE, &kind),
        (CKA_VALUE, value),
        (usage, YES),
        (if usage == CKA_ENCRYPT { CKA_DECRYPT } else { CKA_VERIFY }, YES),
    ];
    create(&template).unwrap()
}

/// Init, a length query, then the single-part function.
pub(crate) fn encrypt(mut mechanism: CK_MECHANISM, key: CK_OBJECT_HANDLE, data: &[u8]) -> Result<Vec<u8>, CK_RV> {
    let session = open(0);
    let (mut data, mut len) = (data.to_vec(), 0);
    let data_len = data.len() as CK_ULONG;
    let begun = call!(C_EncryptInit(session, &mut mechanism, key));
    if begun != CKR_OK {
        return Err(begun);
    }
    let asked = call!(C_Encrypt(session, data.as_mut_ptr(), data_len, null_mut(), &raw mut len));
    assert_eq!(asked, CKR_OK);
    let mut out = vec![0; usize::try_from(len).unwrap()];
    let done = call!(C_Encrypt(session, data.as_mut_ptr(), data_len, out.as_mut_ptr(), &raw mut len));
    out.truncate(usize::try_from(len).unwrap());
    if done == CKR_OK { Ok(out) } else { Err(done) }
}

/// Init, then the data in parts, the first of them small.
pub(crate) fn decrypt(mut mechanism: CK_MECHANISM, key: CK_OBJECT_HANDLE, data: &[u8]) -> Result<Vec<u8>, CK_RV> {
    let session = open(0);
    let mut out = vec![0; data.len() + 16];
    let begun = call!(C_DecryptInit(session, &mut mechanism, key));
    if begun != CKR_OK {
        return Err(begun);
    }
    let (mut done, small) = (0, data.len().min(500));
    let parts = data[..small].chunks(5);
    for part in parts.chain(data[small..].chunks(100_001)) {
        let room = &mut out[done..];
        let mut len = room.len() as CK_ULONG;
        let (start, count) = (part.as_ptr().cast_mut(), part.len() as CK_ULONG);
        let update = call!(C_DecryptUpdate(session, start, count, room.as_mut_ptr(), &raw mut len));
        assert_eq!(update, CKR_OK);
        done += usize::try_from(len).unwrap();
    }
    let room = &mut out[done..];
    let mut len = room.len() as CK_ULONG;
    let last = call!(C_DecryptFinal(session, room.as_mut_ptr(), &raw mut len));
    out.truncate(done + usize::try_from(len).unwrap());
    if last == CKR_OK { Ok(out) } else { Err(last) }
}

pub(crate) fn hex(digits: &str) -> Vec<u8> {
    let digit = |at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    (0..digits.len()).step_by(2).map(digit).collect()
}

pub(crate) fn gcm(iv: &mut [u8], aad: &mut [u8], tag_bits: CK_ULONG) -> CK_GCM_PARAMS {
    CK_GCM_PARAMS {
        pIv: iv.as_mut_ptr(),
        ulIvLen: iv.len() as CK_ULONG,
        ulIvBits: 0,
        pAAD: aad.as_mut_ptr(),
        ulAADLen: aad.len() as CK_ULONG,
        ulTagBits: tag_bits,
    }
}

/// NIST SP 800-38A, F.1.1, F.2.1, F.3.13, F.4.1 and F.5.1: the first block of each.
#[test]
fn aes_modes_agree_with_nist() {
    let _fixture = Fixture::new();
    let key = aes(&hex("2b7e151628aed2a6abf7158809cf4f3c"), CKA_ENCRYPT);
    let block = hex("6bc1bee22e409f96e93d7e117393172a");
    let iv: [u8; 16] = std::array::from_fn(|i| u8::try_from(i).unwrap());
    let counter = CK_AES_CTR_PARAMS { ulCounterBits: 128, cb: std::array::from_fn(|i| 0xf0 + u8::try_from(i).unwrap()) };
    for (mechanism, expected) in [
        (mechanism(CKM_AES_ECB), "3ad77bb40d7a3660a89ecaf32466ef97"),
        (with(CKM_AES_CBC, &iv), "7649abac8119b246cee98e9b12e9197d"),
        (with(CKM_AES_CFB128, &iv), "3b3fd92eb72dad20333449f8e83cfb4a"),
        (with(CKM_AES_OFB, &iv), "3b3fd92eb72dad20333449f8e83cfb4a"),
        (with(CKM_AES_CTR, &counter), "874d6191b620e3261bef6864990db6ce"),
    ] {
        let ciphertext = encrypt(mechanism, key, &block).unwrap();
        assert_eq!(ciphertext, hex(expected));
        assert_eq!(decrypt(mechanism, key, &ciphertext).unwrap(), block);
    }
    let odd = encrypt(with(CKM_AES_CBC, &iv), key, b"odd");
    assert_eq!(odd, Err(CKR_DATA_LEN_RANGE));
    let padded = encrypt(with(CKM_AES_CBC_PAD, &iv), key, b"odd").unwrap();
    assert_eq!(padded.len(), 16);
    assert_eq!(decrypt(with(CKM_AES_CBC_PAD, &iv), key, &padded).unwrap(), b"odd");
    let cut = decrypt(with(CKM_AES_CBC_PAD, &iv), key, &padded[1..]);
    assert_eq!(cut, Err(CKR_ENCRYPTED_DATA_LEN_RANGE));
    let narrow = CK_AES_CTR_PARAMS { ulCounterBits: 1, ..counter };
    assert_eq!(encrypt(with(CKM_AES_CTR, &narrow), key, &[0; 17]), Err(CKR_DATA_LEN_RANGE));
    let none = encrypt(mechanism(CKM_AES_CBC), key, &block);
    assert_eq!(none, Err(CKR_MECHANISM_PARAM_INVALID));
}

/// NIST's examples for SP 800-67, with three keys and with two; then a stream that the service sees in chunks.
#[test]
fn triple_des_has_two_or_three_keys_and_blocks_of_eight_bytes() {
    let _fixture = Fixture::deprecated();
    let keys = hex("0123456789abcdef23456789abcdef01456789abcdef0123");
    let import = |kind: CK_KEY_TYPE, value: &[u8]| {
        let (class, kind) = (number(CKO_SECRET_KEY), number(kind));
        let given = [(CKA_CLASS, &class[..]), (CKA_KEY_TYPE, &kind), (CKA_VALUE, value)];
        create(&[&given[..], &[(CKA_ENCRYPT, YES), (CKA_DECRYPT, YES)]].concat())
    };
    let block = hex("6bc1bee22e409f96e93d7e117393172a");
    let kinds = [(CKK_DES3, 24, "714772f339841d34267fcc4bd2949cc3"), (CKK_DES2, 16, "06ede3d82884090aff322c19f0518486")];
    for (kind, len, expected) in kinds {
        let key = import(kind, &keys[..len]).unwrap();
        assert_eq!(read(key, CKA_KEY_TYPE).unwrap(), number(kind));
        assert_eq!(encrypt(mechanism(CKM_DES3_ECB), key, &block).unwrap(), hex(expected));
        let zeros = encrypt(mechanism(CKM_DES3_ECB), key, &[0; 8]).unwrap();
        assert_eq!(read(key, CKA_CHECK_VALUE).unwrap(), zeros[..3]);
        let cbc = with(CKM_DES3_CBC_PAD, &[9u8; 8]);
        for len in [0, 11, 300_000] {
            let data = vec![7; len];
            let ciphertext = encrypt(cbc, key, &data).unwrap();
            assert_eq!(ciphertext.len(), (len / 8 + 1) * 8);
            assert_eq!(decrypt(cbc, key, &ciphertext).unwrap(), data);
        }
        assert_eq!(encrypt(with(CKM_DES3_CBC, &[9u8; 8]), key, &[0; 12]), Err(CKR_DATA_LEN_RANGE));
        assert_eq!(encrypt(with(CKM_DES3_CBC, &[9u8; 16]), key, &block), Err(CKR_MECHANISM_PARAM_INVALID));
        assert_eq!(encrypt(with(CKM_AES_CBC, &[9u8; 16]), key, &block), Err(CKR_KEY_TYPE_INCONSISTENT));
    }
    assert_eq!(import(CKK_DES3, &keys[..16]), Err(CKR_ATTRIBUTE_VALUE_INVALID));
    let (des2, sign) = (number(CKK_DES2), [(CKA_SIGN, YES)]);
    assert_eq!(secret(CKM_DES3_KEY_GEN, &[(CKA_KEY_TYPE, &des2)]), Err(CKR_TEMPLATE_INCONSISTENT));
    let generated = secret(CKM_DES2_KEY_GEN, &sign).unwrap();
    let found = many::search(open(0), &[(CKA_KEY_TYPE, &des2)]);
    assert!(found.contains(&generated) && found.iter().all(|key| read(*key, CKA_KEY_TYPE).unwrap() == des2));
    assert_eq!(read(generated, CKA_KEY_TYPE).unwrap(), des2);
    assert_eq!(read(generated, CKA_KEY_GEN_MECHANISM).unwrap(), number(CKM_DES2_KEY_GEN));
    assert_eq!(read(generated, CKA_SIGN).unwrap(), YES, "as asked, and no mechanism signs with it");
}

/// McGrew and Viega's test case 4, also with its tag cut.
#[test]
fn gcm_agrees_with_its_specification() {
    let _fixture = Fixture::new();
    let key = aes(&hex("feffe9928665731c6d6a8f9467308308"), CKA_ENCRYPT);
    let mut iv = hex("cafebabefacedbaddecaf888");
    let mut aad = hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
    let message = hex(
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
    );
    let params = gcm(&mut iv, &mut aad, 128);
    let sealed = encrypt(with(CKM_AES_GCM, &params), key, &message).unwrap();
    assert_eq!(sealed[..4], hex("42831ec2"));
    assert_eq!(sealed[60..], hex("5bc94fbc3221a5db94fae95ae7121a47"));
    assert_eq!(decrypt(with(CKM_AES_GCM, &params), key, &sealed).unwrap(), message);
    let mut forged = sealed.clone();
    forged[70] ^= 1;
    let refused = decrypt(with(CKM_AES_GCM, &params), key, &forged);
    assert_eq!(refused, Err(CKR_ENCRYPTED_DATA_INVALID));
    let short = gcm(&mut iv, &mut aad, 96);
    assert_eq!(encrypt(with(CKM_AES_GCM, &short), key, &message).unwrap(), sealed[..72]);
    let odd = gcm(&mut iv, &mut aad, 97);
    assert_eq!(encrypt(with(CKM_AES_GCM, &odd), key, b""), Err(CKR_MECHANISM_PARAM_INVALID));
}

/// RFC 3610, packet vector 1, and RFC 8439 §2.8.2.
#[test]
fn ccm_and_chacha20_agree_with_their_specifications() {
    let _fixture = Fixture::new();
    let key = aes(&hex("c0c1c2c3c4c5c6c7c8c9cacbcccdcecf"), CKA_ENCRYPT);
    let (mut nonce, mut aad) = (hex("00000003020100a0a1a2a3a4a5"), hex("0001020304050607"));
    let message: Vec<u8> = (8..=0x1e).collect();
    let params = CK_CCM_PARAMS {
        ulDataLen: message.len() as CK_ULONG,
        pNonce: nonce.as_mut_ptr(),
        ulNonceLen: 13,
        pAAD: aad.as_mut_ptr(),
        ulAADLen: 8,
        ulMACLen: 8,
    };
    let sealed = encrypt(with(CKM_AES_CCM, &params), key, &message).unwrap();
    assert_eq!(sealed, hex("588c979a61c663d2f066d0c2c0f989806d5f6b61dac38417e8d12cfdf926e0"));
    assert_eq!(decrypt(with(CKM_AES_CCM, &params), key, &sealed).unwrap(), message);
    let longer = encrypt(with(CKM_AES_CCM, &params), key, &[0; 24]);
    assert_eq!(longer, Err(CKR_DATA_LEN_RANGE));

    let (class, kind) = (number(CKO_SECRET_KEY), number(CKK_CHACHA20));
    let value: Vec<u8> = (0x80..=0x9f).collect();
    let template = [(CKA_CLASS, &class[..]), (CKA_KEY_TYPE, &kind), (CKA_VALUE, &value)];
    let key = create(&template).unwrap();
    let (mut nonce, mut aad) = (hex("070000004041424344454647"), hex("50515253c0c1c2c3c4c5c6c7"));
    let params =
        CK_SALSA20_CHACHA20_POLY1305_PARAMS { pNonce: nonce.as_mut_ptr(), ulNonceLen: 12, pAAD: aad.as_mut_ptr(), ulAADLen: 12 };
    let message =
        b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.";
    let sealed = encrypt(with(CKM_CHACHA20_POLY1305, &params), key, message).unwrap();
    assert_eq!(sealed[114..], hex("1ae10b594f09e26a7e902ecbd0600691"));
    assert_eq!(decrypt(with(CKM_CHACHA20_POLY1305, &params), key, &sealed).unwrap(), message);
}

#[test]
fn rsa_decrypts_what_its_public_half_encrypts() {
    let _fixture = Fixture::new();
    let session = open(CKF_RW_SESSION);
    let bits = number(2048);
    let mut public = [attribute(CKA_MODULUS_BITS, &bits), attribute(CKA_TOKEN, YES)];
    let mut private = [attribute(CKA_TOKEN, YES), attribute(CKA_DECRYPT, YES)];
    let [mut public_key, mut private_key] = [0; 2];
    let made = call!(C_GenerateKeyPair(
        session,
        &mut mechanism(CKM_RSA_PKCS_KEY_PAIR_GEN),
        public.as_mut_ptr(),
        2,
        private.as_mut_ptr(),
        2,
        &raw mut public_key,
        &raw mut private_key,
    ));
    assert_eq!(made, CKR_OK);
    let label = b"label";
    let oaep = |label: &[u8]| CK_RSA_PKCS_OAEP_PARAMS {
        hashAlg: if label.is_empty() { CKM_SHA_1 } else { CKM_SHA256 },
        mgf: if label.is_empty() { CKG_MGF1_SHA1 } else { CKG_MGF1_SHA256 },
        source: CKZ_DATA_SPECIFIED,
        pSourceData: label.as_ptr().cast_mut().cast(),
        ulSourceDataLen: label.len() as CK_ULONG,
    };
    let (labelled, bare) = (oaep(label), oaep(b""));
    for mechanism in [mechanism(CKM_RSA_PKCS), with(CKM_RSA_PKCS_OAEP, &labelled), with(CKM_RSA_PKCS_OAEP, &bare)] {
        let sealed = encrypt(mechanism, public_key, b"secret").unwrap();
        assert_eq!(sealed.len(), 256);
        assert_eq!(decrypt(mechanism, private_key, &sealed).unwrap(), b"secret");
        assert_eq!(encrypt(mechanism, public_key, &[0; 250]), Err(CKR_DATA_LEN_RANGE));
        let cut = decrypt(mechanism, private_key, &sealed[1..]);
        assert_eq!(cut, Err(CKR_ENCRYPTED_DATA_LEN_RANGE));
    }
    let sealed = encrypt(with(CKM_RSA_PKCS_OAEP, &labelled), public_key, b"secret").unwrap();
    let other = decrypt(with(CKM_RSA_PKCS_OAEP, &bare), private_key, &sealed);
    assert_eq!(other, Err(CKR_ENCRYPTED_DATA_INVALID));
    let wrong = decrypt(mechanism(CKM_RSA_PKCS), public_key, &sealed);
    assert_eq!(wrong, Err(CKR_KEY_FUNCTION_NOT_PERMITTED));
}

/// NIST SP 800-38D §5.2.1.2 has tags of 32 and 64 bits for some applications, with limits on each key that nothing here keeps.
#[test]
fn tags_of_gcm_that_are_easy_to_guess_are_no_parameter() {
    let _fixture = Fixture::new();
    let key = aes(&[7; 16], CKA_ENCRYPT);
    let (mut nonce, mut aad) = ([5; 12], *b"aad");
    for (bits, expected) in
        [(128, CKR_OK), (120, CKR_OK), (112, CKR_OK), (104, CKR_OK), (96, CKR_OK), (64, CKR_MECHANISM_PARAM_INVALID)]
            .into_iter()
            .chain([0, 8, 32, 88, 127, 136].map(|bits| (bits, CKR_MECHANISM_PARAM_INVALID)))
    {
        let params = gcm(&mut nonce, &mut aad, bits);
        assert_eq!(encrypt(with(CKM_AES_GCM, &params), key, b"data").map_or_else(|rv| rv, |_| CKR_OK), expected, "{bits}");
    }
}

#[test]
fn oaep_has_any_digest_for_its_mask() {
    let _fixture = Fixture::new();
    let bits = number(2048);
    let [public, private] = pair(CKM_RSA_PKCS_KEY_PAIR_GEN, &[(CKA_MODULUS_BITS, &bits)], &[(CKA_DECRYPT, YES)]).unwrap();
    let masks = [CKG_MGF1_SHA1, CKG_MGF1_SHA224, CKG_MGF1_SHA256, CKG_MGF1_SHA384, CKG_MGF1_SHA512, CKG_MGF1_SHA3_256];
    for hash in [CKM_SHA256, CKM_SHA_1, CKM_SHA512] {
        let oaep = |mgf| CK_RSA_PKCS_OAEP_PARAMS {
            hashAlg: hash,
            mgf,
            source: CKZ_DATA_SPECIFIED,
            pSourceData: null_mut(),
            ulSourceDataLen: 0,
        };
        for (mgf, other) in masks.into_iter().zip(masks.into_iter().cycle().skip(1)) {
            let sealed = encrypt(with(CKM_RSA_PKCS_OAEP, &oaep(mgf)), public, b"secret").unwrap();
            assert_eq!(decrypt(with(CKM_RSA_PKCS_OAEP, &oaep(mgf)), private, &sealed).unwrap(), b"secret", "{hash} {mgf}");
            let wrong = decrypt(with(CKM_RSA_PKCS_OAEP, &oaep(other)), private, &sealed);
            assert_eq!(wrong, Err(CKR_ENCRYPTED_DATA_INVALID), "{hash} {mgf}");
        }
    }
}

#[test]
fn a_message_has_a_limit_and_one_round_trip() {
    let fixture = Fixture::new();
    let len = number(16);
    let key = secret(CKM_AES_KEY_GEN, &[(CKA_VALUE_LEN, &len)]).unwrap();
    let iv = [0u8; 16];
    let large = vec![7; 1 << 18];
    let cost = fixture.cost(|| drop(encrypt(with(CKM_AES_CBC_PAD, &iv), key, &large[1..]).unwrap()));
    assert_eq!(cost, 1);
    let limit = (1 << 20) - 4096;
    let mut nonce = [7; 12];
    let params = gcm(&mut nonce, &mut [], 128);
    encrypt(with(CKM_AES_GCM, &params), key, &vec![7; limit]).unwrap();
    for len in [limit + 1, 1 << 24] {
        let refused = encrypt(with(CKM_AES_GCM, &params), key, &vec![7; len]);
        assert_eq!(refused, Err(CKR_DATA_LEN_RANGE), "{len}");
    }
    let mac = encrypt(mechanism(CKM_AES_CMAC), key, b"");
    assert_eq!(mac, Err(CKR_MECHANISM_INVALID));
}

#[test]
fn streams_of_any_length_go_through_block_modes() {
    let _fixture = Fixture::new();
    let len = number(16);
    let key = secret(CKM_AES_KEY_GEN, &[(CKA_VALUE_LEN, &len)]).unwrap();
    let iv = [9u8; 16];
    let counter = CK_AES_CTR_PARAMS { ulCounterBits: 64, cb: [9; 16] };
    let plain: Vec<u8> = (0..(1 << 21) + 7u32).map(|i| (i >> 5).to_be_bytes()[3]).collect();
    let ecb = |block: &[u8]| encrypt(mechanism(CKM_AES_ECB), key, block).unwrap();
    let xor = |a: &[u8], b: &[u8]| a.iter().zip(b).map(|(a, b)| a ^ b).collect::<Vec<_>>();
    for (mechanism, padding) in [(with(CKM_AES_CBC_PAD, &iv), 9), (with(CKM_AES_CTR, &counter), 0)] {
        let sealed = encrypt(mechanism, key, &plain).unwrap();
        assert_eq!(sealed.len(), plain.len() + padding);
        for at in [0, 1 << 18, 5 << 18, 1 << 20] {
            let (block, out) = (&plain[at..at + 16], &sealed[at..at + 16]);
            if padding > 0 {
                let before = if at == 0 { &iv } else { &sealed[at - 16..at] };
                assert_eq!(out, ecb(&xor(block, before)), "{at}");
            } else {
                let count = u128::from_be_bytes(counter.cb) + at as u128 / 16;
                assert_eq!(out, xor(block, &ecb(&count.to_be_bytes())), "{at}");
            }
        }
        assert!(decrypt(mechanism, key, &sealed).unwrap() == plain);
    }
}

/// RFC 4231 test case 2, RFC 4493 example 2.
#[test]
fn macs_agree_with_their_specifications() {
    let _fixture = Fixture::new();
    let (class, kind) = (number(CKO_SECRET_KEY), number(CKK_GENERIC_SECRET));
    let template = [(CKA_CLASS, &class[..]), (CKA_KEY_TYPE, &kind), (CKA_VALUE, b"Jefe")];
    let hmac = create(&template).unwrap();
    let cmac = aes(&hex("2b7e151628aed2a6abf7158809cf4f3c"), CKA_SIGN);
    let block = hex("6bc1bee22e409f96e93d7e117393172a");
    for (kind, key, data, expected) in [
        (
            CKM_SHA256_HMAC,
            hmac,
            &b"what do ya want for nothing?"[..],
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (CKM_AES_CMAC, cmac, &block, "070a16b46b4d4144f79bdd9dd04a287c"),
    ] {
        let session = open(0);
        let (mut mac, mut len) = (vec![0; 64], 64);
        let (data, data_len) = (data.as_ptr().cast_mut(), data.len() as CK_ULONG);
        assert_eq!(call!(C_SignInit(session, &mut mechanism(kind), key)), CKR_OK);
        let signed = call!(C_Sign(session, data, data_len, mac.as_mut_ptr(), &raw mut len));
        assert_eq!(signed, CKR_OK);
        mac.truncate(usize::try_from(len).unwrap());
        assert_eq!(mac, hex(expected));
        let mut verify = |forge: u8| {
            mac[3] ^= forge;
            assert_eq!(call!(C_VerifyInit(session, &mut mechanism(kind), key)), CKR_OK);
            assert_eq!(call!(C_VerifyUpdate(session, data, data_len)), CKR_OK);
            call!(C_VerifyFinal(session, mac.as_mut_ptr(), len))
        };
        assert_eq!(verify(0), CKR_OK);
        assert_eq!(verify(1), CKR_SIGNATURE_INVALID);
    }
}

#[test]
fn a_key_works_only_with_its_allowed_mechanisms() {
    let _fixture = Fixture::new();
    let len = number(16);
    let allowed = [number(CKM_AES_CBC_PAD), number(CKM_AES_GCM)].concat();
    let attributes = [(CKA_VALUE_LEN, &len[..]), (CKA_ALLOWED_MECHANISMS, &allowed)];
    let key = secret(CKM_AES_KEY_GEN, &attributes).unwrap();
    let iv = [0u8; 16];
    let data = vec![7; 600_001];
    let sealed = encrypt(with(CKM_AES_CBC_PAD, &iv), key, &data).unwrap();
    assert!(decrypt(with(CKM_AES_CBC_PAD, &iv), key, &sealed).unwrap() == data);
    let refused = encrypt(mechanism(CKM_AES_ECB), key, &data[..16]);
    assert_eq!(refused, Err(CKR_MECHANISM_INVALID));
    assert_eq!(read(key, CKA_ALLOWED_MECHANISMS).unwrap(), allowed);
}

/// Also where the policy of a key cannot tell the mechanisms apart.
#[test]
fn the_list_of_allowed_mechanisms_is_the_one_that_was_given() {
    let mut fixture = Fixture::new();
    let (bits, len) = (number(2048), number(32));
    let rsa: &Attributes<'_> = &[(CKA_MODULUS_BITS, &bits)];
    let ec: &Attributes<'_> = &[(CKA_EC_PARAMS, P256)];
    let x25519: &Attributes<'_> = &[(CKA_EC_PARAMS, b"\x13\x0acurve25519")];
    let digest = [7; 32];
    let mut made = vec![];
    for (generator, public, right, allowed, other) in [
        (CKM_EC_KEY_PAIR_GEN, ec, CKA_SIGN, CKM_ECDSA_SHA256, CKM_ECDSA),
        (CKM_EC_KEY_PAIR_GEN, ec, CKA_SIGN, CKM_ECDSA, CKM_ECDSA_SHA256),
        (CKM_EC_KEY_PAIR_GEN, ec, CKA_DERIVE, CKM_ECDH1_DERIVE, CKM_ECDH1_COFACTOR_DERIVE),
        (CKM_EC_MONTGOMERY_KEY_PAIR_GEN, x25519, CKA_DERIVE, CKM_ECDH1_DERIVE, CKM_ECDH1_COFACTOR_DERIVE),
        (CKM_RSA_PKCS_KEY_PAIR_GEN, rsa, CKA_SIGN, CKM_SHA256_RSA_PKCS, CKM_RSA_PKCS),
        (CKM_RSA_PKCS_KEY_PAIR_GEN, rsa, CKA_SIGN, CKM_SHA256_RSA_PKCS_PSS, CKM_RSA_PKCS_PSS),
        (CKM_RSA_PKCS_KEY_PAIR_GEN, rsa, CKA_DECRYPT, CKM_RSA_PKCS_OAEP, CKM_RSA_PKCS),
    ] {
        // a mechanism that nobody has does no harm
        let list = [number(allowed), number(CKM_VENDOR_DEFINED | 7)].concat();
        let [_, key] = pair(generator, public, &[(right, YES), (CKA_LABEL, b"web"), (CKA_ALLOWED_MECHANISMS, &list)]).unwrap();
        assert_eq!(read(key, CKA_ALLOWED_MECHANISMS), Ok(list.clone()), "{allowed:#x}");
        let session = open(CKF_RW_SESSION);
        let begun = match right {
            CKA_SIGN => call!(C_SignInit(session, &mut mechanism(other), key)),
            CKA_DECRYPT => call!(C_DecryptInit(session, &mut mechanism(other), key)),
            _ => {
                let mechanism = CK_MECHANISM { mechanism: other, ..derive::ecdh(CKD_NULL, b"", &digest) };
                derive::derive(mechanism, key, &[]).unwrap_err()
            }
        };
        assert_eq!(begun, CKR_MECHANISM_INVALID, "{other:#x}");
        made.push(list);
    }
    let list = number(CKM_SHA256_HMAC);
    let mac = secret(CKM_GENERIC_SECRET_KEY_GEN, &[(CKA_VALUE_LEN, &len), (CKA_ALLOWED_MECHANISMS, &list)]).unwrap();
    assert_eq!(read(mac, CKA_ALLOWED_MECHANISMS).as_deref(), Ok(&list[..]));
    let session = open(0);
    assert_eq!(call!(C_SignInit(session, &mut lasting(CKM_SHA256_HMAC_GENERAL, 16 as CK_ULONG), mac)), CKR_MECHANISM_INVALID);
    assert_eq!(call!(C_SignInit(session, &mut mechanism(CKM_SHA256_HMAC), mac)), CKR_OK);

    fixture.service.kill9();
    fixture.service.restart();
    assert_eq!(call!(C_Finalize(null_mut())), CKR_OK);
    assert_eq!(call!(C_Initialize(null_mut())), CKR_OK);
    let kept = find(open(0), CKO_PRIVATE_KEY).into_iter().map(|key| read(key, CKA_ALLOWED_MECHANISMS).unwrap());
    let sorted = |mut lists: Vec<Vec<u8>>| {
        lists.sort();
        lists
    };
    assert_eq!(sorted(kept.collect()), sorted(made));
}
