//! What this backend makes, the `openssl` program takes, and the other way round.

use super::{P256, SHA256, generate, import};
use crate::providers::software::key::ParsedKey;
use interface::algorithm::{Encryption, Hash, Signature};
use interface::attributes::{EccFamily, KeyType};
use interface::spki::PublicKey;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

struct Bench(TempDir);

impl Bench {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// Runs `openssl` in the directory; its output where it succeeds.
    fn run(&self, line: &str) -> Vec<u8> {
        let output = Command::new("openssl").args(line.split(' ')).current_dir(self.0.path()).output().unwrap();
        assert!(output.status.success(), "openssl {line}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    fn public(&self, key: &ParsedKey, key_type: KeyType) {
        let public = PublicKey { key_type: key_type.public(), bits: key.bits(), bytes: key.public().unwrap() };
        self.file("public.der", &public.to_spki().unwrap());
    }
}

#[test]
fn rsa_signatures() {
    let bench = Bench::new();
    let key = generate(KeyType::RsaKeyPair, 2048);
    bench.public(&key, KeyType::RsaKeyPair);
    bench.file("private.der", &key.export().unwrap());
    bench.file("message", b"message");
    for hash in [Hash::Sha224, Hash::Sha256, Hash::Sha384, Hash::Sha512, Hash::Sha512_256, Hash::Sha3_256] {
        let name = format!("{hash:?}").to_lowercase().replace('_', "-");
        for (algorithm, options) in [
            (Signature::RsaPkcs1v15 { hash: hash.into() }, ""),
            (Signature::RsaPss { hash: hash.into() }, " -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest"),
        ] {
            bench.file("signature", &key.sign_message(algorithm, b"message", b"").unwrap());
            bench.run(&format!("dgst -{name} -keyform DER -verify public.der -signature signature{options} message"));
            let theirs = bench.run(&format!("dgst -{name} -keyform DER -sign private.der{options} message"));
            key.verify_message(algorithm, b"message", &theirs, b"").unwrap();
        }
    }
    let old = bench.run("dgst -sha1 -keyform DER -sign private.der message");
    key.verify_message(Signature::RsaPkcs1v15 { hash: Hash::Sha1.into() }, b"message", &old, b"").unwrap();
}

#[test]
fn rsa_encryption() {
    let bench = Bench::new();
    bench.run("genrsa -traditional -out private.pem 3072");
    let key = import(KeyType::RsaKeyPair, &bench.run("rsa -in private.pem -traditional -outform DER")).unwrap();
    assert_eq!(key.bits(), 3072);
    bench.file("message", b"message");
    let pkcs1 = bench.run("pkeyutl -encrypt -inkey private.pem -in message");
    assert_eq!(*key.decrypt(Encryption::RsaPkcs1v15, b"", &pkcs1).unwrap(), *b"message");
    bench.file("ciphertext", &key.encrypt(Encryption::RsaPkcs1v15, b"", b"message").unwrap());
    assert_eq!(bench.run("pkeyutl -decrypt -inkey private.pem -in ciphertext"), b"message");
    let options = "-inkey private.pem -pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256 -pkeyopt rsa_mgf1_md:sha256 -pkeyopt rsa_oaep_label:6c6162656c";
    let oaep = Encryption::RsaOaep { hash: Hash::Sha256 };
    let theirs = bench.run(&format!("pkeyutl -encrypt {options} -in message"));
    assert_eq!(*key.decrypt(oaep, b"label", &theirs).unwrap(), *b"message");
    bench.file("ciphertext", &key.encrypt(oaep, b"label", b"message").unwrap());
    assert_eq!(bench.run(&format!("pkeyutl -decrypt {options} -in ciphertext")), b"message");
}

#[test]
fn ecdsa_signatures() {
    let bench = Bench::new();
    bench.file("message", b"message");
    let secp_r1 = [192, 224, 256, 384, 521].map(|bits| (P256, bits));
    for (key_type, bits) in secp_r1.into_iter().chain([(KeyType::EccKeyPair(EccFamily::SecpK1), 256)]) {
        let key = generate(key_type, bits);
        bench.public(&key, key_type);
        let signature = key.sign_message(Signature::Ecdsa { hash: SHA256 }, b"message", b"").unwrap();
        bench.file("signature", &der_signature(&signature));
        bench.run("dgst -sha256 -keyform DER -verify public.der -signature signature message");
    }
}

#[test]
fn dsa_signatures() {
    let bench = Bench::new();
    bench.file("message", b"message");
    for bits in [1024, 2048] {
        let key = generate(KeyType::DsaKeyPair, bits);
        bench.public(&key, KeyType::DsaKeyPair);
        let signature = key.sign_message(Signature::Dsa { hash: SHA256 }, b"message", b"").unwrap();
        bench.file("signature", &der_signature(&signature));
        bench.run("dgst -sha256 -keyform DER -verify public.der -signature signature message");
    }
}

#[test]
fn eddsa_signatures_and_agreement() {
    let bench = Bench::new();
    bench.file("message", b"message");
    let edwards = KeyType::EccKeyPair(EccFamily::TwistedEdwards);
    for bits in [255, 448] {
        let key = generate(edwards, bits);
        bench.public(&key, edwards);
        bench.file("signature", &key.sign_message(Signature::PureEddsa, b"message", b"").unwrap());
        bench.run("pkeyutl -verify -pubin -keyform DER -inkey public.der -rawin -in message -sigfile signature");
    }

    bench.run("ecparam -name secp384r1 -genkey -noout -out theirs.pem");
    let theirs = PublicKey::from_spki(&bench.run("pkey -in theirs.pem -pubout -outform DER")).unwrap();
    let ours = generate(P256, 384);
    bench.public(&ours, P256);
    let shared = bench.run("pkeyutl -derive -inkey theirs.pem -peerform DER -peerkey public.der");
    assert_eq!(*ours.agree(interface::algorithm::Agreement::Ecdh, &theirs.bytes).unwrap(), shared);
}

/// r ‖ s as the DER `Ecdsa-Sig-Value` that OpenSSL wants.
fn der_signature(signature: &[u8]) -> Vec<u8> {
    let tlv = |tag: u8, body: &[u8]| {
        let len = u8::try_from(body.len()).unwrap();
        let head = if len < 128 { vec![tag, len] } else { vec![tag, 0x81, len] };
        [head, body.to_vec()].concat()
    };
    let (r, s) = signature.split_at(signature.len() / 2);
    let integers = [r, s].map(|number| {
        let digits: Vec<_> = number.iter().copied().skip_while(|&byte| byte == 0).collect();
        let sign = if digits[0] >= 128 { vec![0] } else { Vec::new() };
        tlv(2, &[sign, digits].concat())
    });
    tlv(0x30, &integers.concat())
}
