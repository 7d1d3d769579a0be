//! Secret keys in the chip, held against the same keys in software.

use super::*;
use interface::algorithm::{Algorithm, Cipher, Mac, MacKind};
use interface::client::Error;
use interface::operations::{CipherDecrypt, CipherEncrypt, ExportPublicKey, MacCompute, MacVerify};

fn secret(key_type: KeyType, bits: u32, algorithms: Vec<Algorithm>) -> Attributes {
    let usage = Usage::ENCRYPT | Usage::DECRYPT | Usage::SIGN_MESSAGE | Usage::VERIFY_MESSAGE;
    let (first, also) = algorithms.split_first().unwrap();
    Attributes { key_type, bits, policy: Policy { usage, algorithm: *first, also: also.to_vec() } }
}

const CIPHERS: [Cipher; 6] =
    [Cipher::EcbNoPadding, Cipher::CbcNoPadding, Cipher::CbcPkcs7, Cipher::Ctr, Cipher::Cfb, Cipher::Ofb];

fn aes(bits: u32) -> Attributes {
    secret(KeyType::Aes, bits, CIPHERS.map(Algorithm::Cipher).to_vec())
}

const HASHES: [Hash; 4] = [Hash::Sha1, Hash::Sha256, Hash::Sha384, Hash::Sha512];

fn hmac(bits: u32) -> Attributes {
    let macs = HASHES.map(|hash| Algorithm::Mac(Mac { kind: MacKind::Hmac { hash }, len: None }));
    secret(KeyType::Hmac, bits, macs.to_vec())
}

impl Keys<'_> {
    fn encrypt(&self, name: &str, cipher: Cipher, plaintext: &[u8]) -> Result<Vec<u8>, Error> {
        let (key_name, alg, plaintext) = (name.to_owned(), cipher.into(), plaintext.to_vec());
        self.call(&CipherEncrypt { key_name, alg, plaintext, owner: None, iv: None }).map(|encrypted| encrypted.ciphertext)
    }

    fn decrypt(&self, name: &str, cipher: Cipher, ciphertext: &[u8]) -> Result<Vec<u8>, Error> {
        let (key_name, alg, ciphertext) = (name.to_owned(), cipher.into(), ciphertext.to_vec());
        self.call(&CipherDecrypt { key_name, alg, ciphertext, owner: None }).map(|decrypted| decrypted.plaintext.clone())
    }

    fn mac(&self, name: &str, hash: Hash, len: Option<u32>, input: &[u8]) -> Result<Vec<u8>, Error> {
        let alg = Some(Mac { kind: MacKind::Hmac { hash }, len }.into());
        self.call(&MacCompute { key_name: name.to_owned(), alg, input: input.to_vec(), owner: None }).map(|maced| maced.mac)
    }

    fn verifies_mac(&self, name: &str, hash: Hash, input: &[u8], mac: &[u8]) -> Result<(), Error> {
        let alg = Some(Mac { kind: MacKind::Hmac { hash }, len: None }.into());
        let (key_name, input, mac) = (name.to_owned(), input.to_vec(), mac.to_vec());
        self.call(&MacVerify { key_name, alg, input, mac, owner: None }).map(drop)
    }
}

#[test]
fn aes_is_the_same_in_the_chip_and_in_software_for_data_of_any_length() {
    let service = service();
    let client = service.client();
    let (software, tpm) = (Keys(&client, ProviderId::SOFTWARE), Keys(&client, ProviderId::TPM));
    let data: Vec<u8> = (0..5000_u32).map(|number| number.to_le_bytes()[0] ^ number.to_le_bytes()[1]).collect();
    for bits in [128, 256] {
        for keys in [&software, &tpm] {
            keys.import("k", &aes(bits), &data[..bits as usize / 8]).unwrap();
        }
        for cipher in CIPHERS {
            let block = matches!(cipher, Cipher::EcbNoPadding | Cipher::CbcNoPadding);
            for len in [0, 1, 15, 16, 1008, 1024, 1040, 4999, 5000] {
                let context = format!("{bits} {cipher:?} {len}");
                let encrypted = tpm.encrypt("k", cipher, &data[..len]);
                if block && len % 16 != 0 {
                    assert_eq!(status(encrypted), Status::PsaErrorInvalidArgument, "{context}");
                    continue;
                }
                assert_eq!(software.decrypt("k", cipher, &encrypted.expect(&context)).unwrap(), data[..len], "{context}");
                let encrypted = software.encrypt("k", cipher, &data[..len]).unwrap();
                assert_eq!(tpm.decrypt("k", cipher, &encrypted).expect(&context), data[..len], "{context}");
            }
            let partial = tpm.decrypt("k", cipher, &[1; 17]);
            assert_eq!(partial.is_err(), block || cipher == Cipher::CbcPkcs7, "{cipher:?}: half a block");
        }
        for keys in [&software, &tpm] {
            keys.destroy("k").unwrap();
        }
    }
}

#[test]
fn wrong_padding_and_wrong_lengths_are_refused() {
    let service = service();
    let client = service.client();
    let tpm = Keys(&client, ProviderId::TPM);
    tpm.make("k", &aes(256)).unwrap();
    let mut padded = tpm.encrypt("k", Cipher::CbcPkcs7, b"sixteen bytes in").unwrap();
    assert_eq!(padded.len(), 48);
    // changes the last byte of the padding
    padded[31] ^= 0x55;
    assert_eq!(status(tpm.decrypt("k", Cipher::CbcPkcs7, &padded)), Status::PsaErrorInvalidPadding);
    for wrong in [&padded[..16], &padded[..15], &[]] {
        assert_eq!(status(tpm.decrypt("k", Cipher::CbcPkcs7, wrong)), Status::PsaErrorInvalidArgument);
    }
    let iv = |iv: Vec<u8>| {
        let (key_name, alg, plaintext) = ("k".to_owned(), Cipher::Ctr.into(), b"text".to_vec());
        tpm.call(&CipherEncrypt { key_name, alg, plaintext, owner: None, iv: Some(iv) })
    };
    assert_eq!(status(iv(vec![0; 12])), Status::PsaErrorInvalidArgument);
    assert_eq!(iv(vec![7; 16]).unwrap().ciphertext[..16], [7; 16]);
}

#[test]
fn hmac_is_the_same_in_the_chip_and_in_software() {
    let service = service();
    let client = service.client();
    let (software, tpm) = (Keys(&client, ProviderId::SOFTWARE), Keys(&client, ProviderId::TPM));
    for len in [1, 20, 32, 64] {
        let attributes = Attributes { bits: 0, ..hmac(8 * len) };
        for keys in [&software, &tpm] {
            keys.import("k", &attributes, &vec![0xa5; len as usize]).unwrap();
        }
        for hash in HASHES {
            for message in [&b""[..], b"message", &[7; 1024]] {
                let mac = tpm.mac("k", hash, None, message).unwrap();
                assert_eq!(mac, software.mac("k", hash, None, message).unwrap(), "{len} {hash:?}");
                tpm.verifies_mac("k", hash, message, &mac).unwrap();
                let wrong = tpm.verifies_mac("k", hash, b"other", &mac);
                assert_eq!(status(wrong), Status::PsaErrorInvalidSignature);
            }
        }
        for keys in [&software, &tpm] {
            keys.destroy("k").unwrap();
        }
    }
    let attributes = hmac(8 * 65);
    assert_eq!(status(tpm.import("long", &attributes, &[1; 65])), Status::PsaErrorNotSupported);
}

#[test]
fn a_message_that_one_command_does_not_take_is_refused_with_the_limit() {
    let service = service();
    let client = service.client();
    let tpm = Keys(&client, ProviderId::TPM);
    tpm.make("k", &hmac(256)).unwrap();
    let refusal = tpm.mac("k", Hash::Sha256, None, &[0; 1025]).unwrap_err();
    assert_eq!(refusal.status(), Some(Status::PsaErrorInvalidArgument));
    assert!(refusal.to_string().contains("1024"), "{refusal}");
}

#[test]
fn made_secret_keys_are_of_hardware_and_stay_the_same() {
    let mut service = Service::with_config(&format!("{CONFIG}{TPM}parameter_encryption = true\n"));
    let client = service.client();
    let tpm = Keys(&client, ProviderId::TPM);
    let sizes = [8, 160, 256, 384, 512];
    let macs = sizes.map(|bits| {
        let name = format!("hmac {bits}");
        tpm.make(&name, &hmac(bits)).unwrap();
        let record = tpm.record(&name);
        assert_eq!((record.tier, record.local), (Tier::Hardware.into(), true), "{bits}");
        tpm.mac(&name, Hash::Sha256, None, b"message").unwrap()
    });
    tpm.make("aes", &aes(128)).unwrap();
    let ciphertext = tpm.encrypt("aes", Cipher::Ctr, b"message").unwrap();
    service.kill9();
    service.tpm().restart();
    service.restart();
    for (bits, mac) in sizes.into_iter().zip(macs) {
        tpm.verifies_mac(&format!("hmac {bits}"), Hash::Sha256, b"message", &mac).unwrap();
    }
    assert_eq!(tpm.decrypt("aes", Cipher::Ctr, &ciphertext).unwrap(), b"message");
    for bits in [4, 520] {
        assert_eq!(status(tpm.make("k", &hmac(bits))), Status::PsaErrorNotSupported, "{bits}");
    }
    let public = tpm.call(&ExportPublicKey { key_name: "aes".to_owned(), owner: None });
    assert_eq!(status(public), Status::PsaErrorInvalidArgument);
}
