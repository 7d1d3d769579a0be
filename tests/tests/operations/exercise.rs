//! Each kind of algorithm in use: that it works, and that what is wrong is refused.

use super::Under;
use interface::Status;
use interface::algorithm::{Aead, Agreement, Algorithm, Cipher, Encryption, Hash, Kem, KeyAgreement, Mac, Signature};
use interface::attributes::Attributes;
use interface::operations::{
    AeadDecrypt, AeadEncrypt, AsymmetricDecrypt, AsymmetricEncrypt, CipherDecrypt, CipherEncrypt, Decapsulate, Encapsulate,
    ExportPublicKey, FRESH_NONCE, MacCompute, MacVerify, RawKeyAgreement, SignHash, SignMessage, VerifyHash, VerifyMessage,
};

/// Uses a key in every way that its one algorithm has, and wrongly.
pub(crate) fn exercise(under: &Under<'_>, name: &str, attributes: &Attributes, context: &str) {
    match attributes.policy.algorithm {
        Algorithm::Signature(signature) => sign(under, name, signature, context),
        Algorithm::Encryption(encryption) => encrypt(under, name, encryption, context),
        Algorithm::Aead(aead) => seal(under, name, aead, context),
        Algorithm::Cipher(cipher) => encipher(under, name, cipher, context),
        Algorithm::Mac(mac) => authenticate(under, name, mac, context),
        Algorithm::Kem(kem) => encapsulate(under, name, kem, context),
        Algorithm::Agreement(KeyAgreement::Raw(agreement)) => agree(under, name, agreement, attributes, context),
        other => panic!("{context}: {other:?} is not in the table"),
    }
}

fn sign(under: &Under<'_>, name: &str, signature: Signature, context: &str) {
    if !matches!(signature, Signature::RsaPkcs1v15Raw | Signature::RsaRaw | Signature::EcdsaAny | Signature::DsaAny) {
        sign_message(under, name, signature, context);
    }
    if !signature.whole_message() {
        sign_hash(under, name, signature, context);
    }
}

fn sign_message(under: &Under<'_>, name: &str, signature: Signature, context: &str) {
    let (key_name, alg, owner) = (name.to_owned(), Some(signature.into()), None::<String>);
    let message = b"a message".to_vec();
    let within = if signature == Signature::Ed25519ctx { b"context".to_vec() } else { vec![] };
    let op =
        SignMessage { key_name: key_name.clone(), alg, message: message.clone(), owner: owner.clone(), context: within.clone() };
    let signed = under.call(&op).unwrap_or_else(|error| panic!("{context}: {error}")).signature;
    let verify = |message: &[u8], signature: &[u8]| {
        let (message, signature) = (message.to_vec(), signature.to_vec());
        under.status(&VerifyMessage {
            key_name: key_name.clone(),
            alg,
            message,
            signature,
            owner: owner.clone(),
            context: within.clone(),
        })
    };
    assert_eq!(verify(&message, &signed), Status::Success, "{context}");
    assert_eq!(verify(b"another", &signed), Status::PsaErrorInvalidSignature, "{context}");
    assert_eq!(verify(&message, &signed[1..]), Status::PsaErrorInvalidSignature, "{context}");
}

fn sign_hash(under: &Under<'_>, name: &str, signature: Signature, context: &str) {
    let (key_name, alg, owner) = (name.to_owned(), Some(signature.into()), None::<String>);
    let hash = vec![0x5a; signature.hash().map_or(32, Hash::len)];
    let op = SignHash { key_name: key_name.clone(), alg, hash: hash.clone(), owner: owner.clone(), ..Default::default() };
    let signed = under.call(&op).unwrap_or_else(|error| panic!("{context}: {error}")).signature;
    let verify = |hash: &[u8]| {
        let (hash, signature) = (hash.to_vec(), signed.clone());
        under.status(&VerifyHash { key_name: key_name.clone(), alg, hash, signature, owner: owner.clone(), ..Default::default() })
    };
    assert_eq!(verify(&hash), Status::Success, "{context}");
    assert_eq!(verify(&vec![0x5b; hash.len()]), Status::PsaErrorInvalidSignature, "{context}");
    if signature.hash().is_some() {
        let short = SignHash { hash: hash[1..].to_vec(), ..op };
        assert_eq!(under.status(&short), Status::PsaErrorInvalidArgument, "{context}: a hash of the wrong length");
    }
}

fn encrypt(under: &Under<'_>, name: &str, encryption: Encryption, context: &str) {
    let label: &[u8] = if matches!(encryption.usual(), Encryption::RsaOaep { .. }) { b"label" } else { b"" };
    let alg = Some(encryption.into());
    let op =
        AsymmetricEncrypt { key_name: name.to_owned(), alg, plaintext: b"secret".to_vec(), salt: label.to_vec(), owner: None };
    let ciphertext = under.call(&op).unwrap_or_else(|error| panic!("{context}: {error}")).ciphertext;
    let decrypt = |ciphertext: &[u8], salt: &[u8]| {
        let (ciphertext, salt) = (ciphertext.to_vec(), salt.to_vec());
        under.call(&AsymmetricDecrypt { key_name: name.to_owned(), alg: Some(encryption.into()), ciphertext, salt, owner: None })
    };
    let plaintext = decrypt(&ciphertext, label).unwrap().plaintext.clone();
    assert!(plaintext.ends_with(b"secret"), "{context}");
    let mut wrong = ciphertext.clone();
    wrong[100] ^= 1;
    match encryption {
        Encryption::RsaRaw => assert_eq!(plaintext.len(), ciphertext.len(), "{context}"),
        // Implicit rejection: a wrong padding yields some other plaintext, always the same one.
        Encryption::RsaPkcs1v15 => {
            assert_eq!(plaintext, b"secret", "{context}");
            let first = decrypt(&wrong, label).unwrap();
            assert_ne!(first.plaintext, b"secret", "{context}");
            assert_eq!(first, decrypt(&wrong, label).unwrap(), "{context}");
        }
        Encryption::RsaOaep { .. } | Encryption::RsaOaepWith { .. } => {
            assert_eq!(plaintext, b"secret", "{context}");
            assert!(decrypt(&wrong, label).unwrap_err().status().is_some(), "{context}");
            assert!(decrypt(&ciphertext, b"other").unwrap_err().status().is_some(), "{context}");
        }
    }
}

fn seal(under: &Under<'_>, name: &str, aead: Aead, context: &str) {
    let (key_name, nonce, additional_data) = (name.to_owned(), vec![7; 12], b"header".to_vec());
    let plaintext = b"sixteen and more bytes".to_vec();
    let encrypt = |nonce: Vec<u8>| {
        let op = AeadEncrypt {
            key_name: key_name.clone(),
            alg: Some(aead.into()),
            nonce,
            additional_data: additional_data.clone(),
            plaintext: plaintext.clone(),
            owner: None,
        };
        under.call(&op).unwrap_or_else(|error| panic!("{context}: {error}")).ciphertext
    };
    let ciphertext = encrypt(nonce.clone());
    assert_eq!(ciphertext.len(), plaintext.len() + aead.tag_len.unwrap_or(16) as usize, "{context}");
    let open = |nonce: &[u8], ciphertext: &[u8], additional_data: &[u8]| {
        let (nonce, ciphertext, additional_data) = (nonce.to_vec(), ciphertext.to_vec(), additional_data.to_vec());
        under.call(&AeadDecrypt {
            key_name: key_name.clone(),
            alg: Some(aead.into()),
            nonce,
            additional_data,
            ciphertext,
            owner: None,
        })
    };
    assert_eq!(open(&nonce, &ciphertext, &additional_data).unwrap().plaintext, plaintext, "{context}");
    let [first, second] = [(); 2].map(|()| encrypt(vec![]));
    assert_ne!(first[..FRESH_NONCE], second[..FRESH_NONCE], "{context}: every encryption has its own nonce");
    let (fresh, sealed) = first.split_at(FRESH_NONCE);
    assert_eq!(open(fresh, sealed, &additional_data).unwrap().plaintext, plaintext, "{context}");
    let mut wrong = ciphertext.clone();
    wrong[0] ^= 1;
    let forged: [(&[u8], &[u8], &[u8]); 4] = [
        (&nonce, &wrong, &additional_data),
        (&nonce, &ciphertext, b"other"),
        (&nonce, &ciphertext[..3], &additional_data),
        (fresh, &ciphertext, &additional_data),
    ];
    for (nonce, ciphertext, additional_data) in forged {
        let refused = open(nonce, ciphertext, additional_data);
        let status = refused.unwrap_err().status().unwrap();
        assert!(matches!(status, Status::PsaErrorInvalidSignature | Status::PsaErrorInvalidArgument), "{context}: {status:?}");
    }
}

fn encipher(under: &Under<'_>, name: &str, cipher: Cipher, context: &str) {
    let encrypt = |plaintext: &[u8]| {
        under.call(&CipherEncrypt {
            key_name: name.to_owned(),
            alg: cipher.into(),
            plaintext: plaintext.to_vec(),
            owner: None,
            iv: None,
        })
    };
    let decrypt = |ciphertext: Vec<u8>| {
        under.call(&CipherDecrypt { key_name: name.to_owned(), alg: cipher.into(), ciphertext, owner: None })
    };
    let blocks = [0x42; 48];
    let first = encrypt(&blocks).unwrap_or_else(|error| panic!("{context}: {error}")).ciphertext;
    assert_eq!(decrypt(first.clone()).unwrap().plaintext, blocks, "{context}");
    let second = encrypt(&blocks).unwrap().ciphertext;
    let same = matches!(cipher, Cipher::EcbNoPadding | Cipher::KeyWrap | Cipher::KeyWrapPadded);
    assert_eq!(first == second, same, "{context}: every encryption has its own IV");
    let odd = encrypt(&blocks[..17]);
    if matches!(cipher, Cipher::EcbNoPadding | Cipher::CbcNoPadding | Cipher::KeyWrap) {
        assert_eq!(odd.unwrap_err().status(), Some(Status::PsaErrorInvalidArgument), "{context}");
    } else {
        assert_eq!(decrypt(odd.unwrap().ciphertext).unwrap().plaintext, blocks[..17], "{context}");
    }
}

fn authenticate(under: &Under<'_>, name: &str, mac: Mac, context: &str) {
    let (key_name, alg, input) = (name.to_owned(), Some(mac.into()), b"a message".to_vec());
    let compute = MacCompute { key_name: key_name.clone(), alg, input: input.clone(), owner: None };
    let computed = under.call(&compute).unwrap_or_else(|error| panic!("{context}: {error}")).mac;
    if let Some(len) = mac.len {
        assert_eq!(computed.len(), len as usize, "{context}");
    }
    let verify = |input: &[u8], mac: &[u8]| {
        let (input, mac) = (input.to_vec(), mac.to_vec());
        under.status(&MacVerify { key_name: key_name.clone(), alg, input, mac, owner: None })
    };
    assert_eq!(verify(&input, &computed), Status::Success, "{context}");
    assert_eq!(verify(b"another", &computed), Status::PsaErrorInvalidSignature, "{context}");
    assert_eq!(verify(&input, &computed[1..]), Status::PsaErrorInvalidSignature, "{context}");
}

fn agree(under: &Under<'_>, name: &str, agreement: Agreement, attributes: &Attributes, context: &str) {
    assert_eq!(under.generate("peer", attributes), Status::Success, "{context}");
    let public = |name: &str| under.call(&ExportPublicKey { key_name: name.to_owned(), owner: None }).unwrap().data.clone();
    let secret = |name: &str, peer_key: Vec<u8>| {
        under.call(&RawKeyAgreement { alg: agreement.into(), key_name: name.to_owned(), peer_key, owner: None })
    };
    let mine = secret(name, public("peer")).unwrap_or_else(|error| panic!("{context}: {error}"));
    assert_eq!(mine, secret("peer", public(name)).unwrap(), "{context}");
    assert!(secret(name, vec![4; 5]).unwrap_err().status().is_some(), "{context}");
    under.destroy("peer");
}

fn encapsulate(under: &Under<'_>, name: &str, kem: Kem, context: &str) {
    let (with_name, alg) = (name.to_owned(), Some(Algorithm::from(kem).into()));
    let encapsulate = Encapsulate { with_name: with_name.clone(), alg, ..Default::default() };
    let encapsulated = under.call(&encapsulate).unwrap_or_else(|error| panic!("{context}: {error}"));
    let decapsulate =
        |ciphertext: Vec<u8>| under.call(&Decapsulate { with_name: with_name.clone(), alg, ciphertext, ..Default::default() });
    let secret = decapsulate(encapsulated.ciphertext.clone()).unwrap();
    assert_eq!(secret.shared_secret, encapsulated.shared_secret, "{context}");
    let mut wrong = encapsulated.ciphertext.clone();
    wrong[0] ^= 1;
    assert_ne!(decapsulate(wrong).unwrap(), secret, "{context}");
    assert!(decapsulate(vec![1; 5]).unwrap_err().status().is_some(), "{context}");
}
