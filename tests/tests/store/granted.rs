//! A grant is of one use, also where an operation could be made to do another. Each attack is shown by the owner, who may do both; the
//! other user fails at it, and still does what was granted.

use crate::SOFTWARE;
use crate::access::{as_stranger, refused};
use interface::algorithm::{Aead, AeadKind, Algorithm, Cipher, Derivation, Encryption, Hash, Signature};
use interface::attributes::{Attributes, KeyType, Policy, Usage};
use interface::client::{Client, Error};
use interface::operations::{
    AeadDecrypt, AeadEncrypt, AsymmetricDecrypt, AsymmetricEncrypt, CipherDecrypt, CipherEncrypt, DeriveKey, DestroyKey,
    ExportKey, FRESH_NONCE, GenerateKey, Grant, SignHash, WrapKey,
};
use interface::{ProviderId, Status};
use tests::{CONFIG, STRANGER, Service, TPM, may_change_user};

/// One block, which is as much as CFB gives away at a time.
const SECRET: [u8; 16] = *b"sixteen secrets!";
const ROOT: Option<&str> = Some("uid:0");
const ECB: Algorithm = Algorithm::Cipher(Cipher::EcbNoPadding);
const CTR: Algorithm = Algorithm::Cipher(Cipher::Ctr);
const ENCRYPTING: Usage = Usage::ENCRYPT.or(Usage::DECRYPT);

/// A provider's keys, as one client sees those of root.
struct Keys<'a>(&'a Client, ProviderId);

impl Keys<'_> {
    fn generate(&self, key_type: KeyType, usage: Usage, algorithms: &[Algorithm]) {
        self.make("k", &Attributes { key_type, bits: 256, policy: policy(usage, algorithms) }).unwrap();
    }

    fn make(&self, name: &str, attributes: &Attributes) -> Result<(), Error> {
        let (key_name, attributes) = (name.to_owned(), Some(attributes.into()));
        self.0.call(self.1, &GenerateKey { key_name, attributes, ..GenerateKey::default() }).map(drop)
    }

    fn destroy(&self, name: &str) {
        self.0.call(self.1, &DestroyKey { key_name: name.to_owned(), owner: None }).unwrap();
    }

    fn grant(&self, usage: Usage) {
        let (key_name, principal) = ("k".to_owned(), format!("uid:{STRANGER}"));
        self.0.call(self.1, &Grant { key_name, principal, usage: Some(usage.into()), owner: None }).unwrap();
    }

    /// Under a nonce of the service's choice where this one is empty. What it chose stands before the ciphertext.
    fn encrypt(&self, algorithm: Algorithm, nonce: &[u8], data: &[u8]) -> Result<Vec<u8>, Error> {
        let (key_name, owner, plaintext) = ("k".to_owned(), ROOT.map(str::to_owned), data.to_vec());
        let encrypted = if let Algorithm::Aead(aead) = algorithm {
            let (alg, nonce) = (Some(aead.into()), nonce.to_vec());
            self.0.call(self.1, &AeadEncrypt { key_name, alg, nonce, plaintext, additional_data: vec![], owner })
        } else {
            let (alg, iv) = (Cipher::try_from(algorithm).unwrap().into(), (!nonce.is_empty()).then(|| nonce.to_vec()));
            self.0.call(self.1, &CipherEncrypt { key_name, alg, plaintext, owner, iv })
        };
        let sealed = encrypted?.ciphertext;
        let given = if matches!(algorithm, Algorithm::Aead(_)) { 0 } else { nonce.len() };
        Ok(sealed[given..].to_vec())
    }

    /// Of what begins with its nonce.
    fn decrypt(&self, algorithm: Algorithm, sealed: &[u8]) -> Result<Vec<u8>, Error> {
        let (key_name, owner) = ("k".to_owned(), ROOT.map(str::to_owned));
        let decrypted = if let Algorithm::Aead(aead) = algorithm {
            let (nonce, ciphertext) = sealed.split_at(FRESH_NONCE);
            let (alg, nonce, ciphertext) = (Some(aead.into()), nonce.to_vec(), ciphertext.to_vec());
            self.0.call(self.1, &AeadDecrypt { key_name, alg, nonce, ciphertext, additional_data: vec![], owner })
        } else {
            let (alg, ciphertext) = (Cipher::try_from(algorithm).unwrap().into(), sealed.to_vec());
            self.0.call(self.1, &CipherDecrypt { key_name, alg, ciphertext, owner })
        };
        Ok(decrypted?.plaintext.clone())
    }

    /// Encrypts single blocks with the key, by making keys of them that can be read.
    fn derive(&self, cipher: Cipher, block: &[u8]) -> Result<Vec<u8>, Error> {
        let policy = policy(Usage::EXPORT, &[CTR]);
        let op = DeriveKey {
            key_name: "block".to_owned(),
            attributes: Some((&Attributes { key_type: KeyType::RawData, bits: 128, policy }).into()),
            with_name: "k".to_owned(),
            with_owner: ROOT.map(str::to_owned),
            alg: Some(Algorithm::from(Derivation::Encrypt(cipher)).into()),
            data: block.to_vec(),
            salt: if cipher == Cipher::CbcNoPadding { vec![0; 16] } else { vec![] },
            volatile: true,
            ..DeriveKey::default()
        };
        self.0.call(self.1, &op)?;
        let made = self.0.call(self.1, &ExportKey { key_name: "block".to_owned(), owner: None })?.data.clone();
        self.destroy("block");
        Ok(made)
    }
}

fn policy(usage: Usage, algorithms: &[Algorithm]) -> Policy {
    Policy { usage, algorithm: algorithms[0], also: algorithms[1..].to_vec() }
}

/// Every mode with a nonce, the type of its keys, and the length of its nonce.
fn modes(provider: ProviderId) -> Vec<(KeyType, Algorithm, usize)> {
    let ciphers = [Cipher::Ctr, Cipher::Cfb, Cipher::Ofb, Cipher::CbcNoPadding, Cipher::CbcPkcs7];
    let mut all: Vec<_> = ciphers.map(|cipher| (KeyType::Aes, cipher.into(), 16)).into();
    if provider == SOFTWARE {
        let aead = |kind| Algorithm::Aead(Aead { kind, tag_len: None });
        all.extend([
            (KeyType::Aes, aead(AeadKind::Gcm), 12),
            (KeyType::Aes, aead(AeadKind::Ccm), 12),
            (KeyType::ChaCha20, aead(AeadKind::ChaCha20Poly1305), 12),
            (KeyType::ChaCha20, Cipher::StreamCipher.into(), 12),
        ]);
    }
    all
}

fn each_mode(test: impl Fn(&Service, Keys<'_>, Algorithm, &[u8])) {
    if !may_change_user() {
        return;
    }
    let service = Service::with_config(&format!("{CONFIG}{TPM}"));
    let owner = service.client();
    for provider in [SOFTWARE, ProviderId::TPM] {
        for (key_type, algorithm, len) in modes(provider) {
            Keys(&owner, provider).generate(key_type, ENCRYPTING, &[algorithm]);
            test(&service, Keys(&owner, provider), algorithm, &vec![7; len]);
            Keys(&owner, provider).destroy("k");
        }
    }
}

#[test]
fn whoever_may_only_encrypt_decrypts_with_no_mode() {
    each_mode(|service, owner, algorithm, nonce| {
        let ciphertext = owner.encrypt(algorithm, nonce, &SECRET).unwrap();
        let attack = |keys: Keys<'_>| {
            let plaintext = keys.encrypt(algorithm, nonce, &ciphertext[..SECRET.len()])?;
            Ok::<_, Error>(plaintext[..SECRET.len()].to_vec())
        };
        let provider = owner.1;
        assert_eq!(attack(Keys(owner.0, provider)).unwrap() == SECRET, algorithm.reveals(), "{algorithm:?}");
        owner.grant(Usage::ENCRYPT);
        as_stranger(service, |stranger| {
            let status = refused(attack(Keys(stranger, provider)), &["'k'", "uid:0", "decrypt", "nonce"]);
            assert_eq!(status, Status::PsaErrorNotPermitted, "{algorithm:?}");
        });
    });
}

#[test]
fn whoever_may_only_encrypt_has_nonces_from_the_service() {
    each_mode(|service, owner, algorithm, nonce| {
        let provider = owner.1;
        owner.grant(Usage::ENCRYPT);
        let [first, second] = as_stranger(service, |stranger| {
            assert!(stranger.lookup(provider, ROOT, "k").unwrap().fresh_nonces);
            [(); 2].map(|()| Keys(stranger, provider).encrypt(algorithm, &[], &SECRET).unwrap())
        });
        assert_ne!(first[..nonce.len()], second[..nonce.len()], "{algorithm:?}");
        for sealed in [first, second] {
            assert_eq!(owner.decrypt(algorithm, &sealed).unwrap(), SECRET, "{algorithm:?}");
        }
        assert!(!owner.0.lookup(provider, None, "k").unwrap().fresh_nonces);
        owner.grant(ENCRYPTING);
        let ciphertext = as_stranger(service, |stranger| {
            assert!(!stranger.lookup(provider, ROOT, "k").unwrap().fresh_nonces);
            Keys(stranger, provider).encrypt(algorithm, nonce, &SECRET).unwrap()
        });
        assert_eq!(owner.decrypt(algorithm, &[nonce, &ciphertext].concat()).unwrap(), SECRET, "{algorithm:?}");
    });
}

/// What CTR adds to the data is the encrypted counter.
#[test]
fn single_blocks_are_as_good_as_a_chosen_nonce() {
    if !may_change_user() {
        return;
    }
    let service = Service::start();
    let client = service.client();
    let owner = Keys(&client, SOFTWARE);
    let derivations = [Cipher::EcbNoPadding, Cipher::CbcNoPadding];
    let all = [&[CTR, ECB], &derivations.map(|cipher| Derivation::Encrypt(cipher).into())[..]].concat();
    owner.generate(KeyType::Aes, ENCRYPTING | Usage::DERIVE, &all);
    owner.grant(Usage::ENCRYPT | Usage::DERIVE);
    let counter = [7; 16];
    let ciphertext = owner.encrypt(CTR, &counter, &SECRET).unwrap();
    let attack = |block: &[u8]| -> Vec<u8> { block.iter().zip(&ciphertext).map(|(block, data)| block ^ data).collect() };
    assert_eq!(attack(&owner.encrypt(ECB, &[], &counter).unwrap()), SECRET);
    as_stranger(&service, |stranger| {
        let stranger = Keys(stranger, SOFTWARE);
        assert_eq!(refused(stranger.encrypt(ECB, &[], &counter), &["'k'", "uid:0"]), Status::PsaErrorNotPermitted);
    });
    for cipher in derivations {
        assert_eq!(attack(&owner.derive(cipher, &counter).unwrap()), SECRET);
        as_stranger(&service, |stranger| {
            let derived = Keys(stranger, SOFTWARE).derive(cipher, &counter);
            assert_eq!(refused(derived, &["'k'", "uid:0"]), Status::PsaErrorNotPermitted);
        });
    }
    owner.destroy("k");

    owner.generate(KeyType::Aes, ENCRYPTING, &[ECB]);
    owner.grant(Usage::ENCRYPT);
    as_stranger(&service, |stranger| Keys(stranger, SOFTWARE).encrypt(ECB, &[], &counter).unwrap());
}

/// The first block of what CBC wraps is a block of the caller's choice, encrypted, if key and vector are.
#[test]
fn whoever_may_only_wrap_chooses_no_initialisation_vector() {
    if !may_change_user() {
        return;
    }
    let service = Service::start();
    let client = service.client();
    let owner = Keys(&client, SOFTWARE);
    owner.generate(KeyType::Aes, ENCRYPTING | Usage::WRAP, &[Cipher::CbcPkcs7.into(), CTR]);
    owner.grant(Usage::WRAP);
    let wrap = |client: &Client, iv: Option<Vec<u8>>| {
        let op = WrapKey {
            key_name: "known".to_owned(),
            with_name: "k".to_owned(),
            alg: Some(Algorithm::from(Cipher::CbcPkcs7).into()),
            iv,
            with_owner: ROOT.map(str::to_owned),
            ..WrapKey::default()
        };
        client.call(SOFTWARE, &op).map(|wrapped| wrapped.data)
    };
    as_stranger(&service, |stranger| {
        let policy = policy(Usage::EXPORT, &[CTR]);
        Keys(stranger, SOFTWARE).make("known", &Attributes { key_type: KeyType::Aes, bits: 128, policy }).unwrap();
        let status = refused(wrap(stranger, Some(vec![7; 16])), &["'k'", "uid:0", "decrypt", "nonce"]);
        assert_eq!(status, Status::PsaErrorNotPermitted);
        assert_ne!(wrap(stranger, None).unwrap(), wrap(stranger, None).unwrap());
    });
    owner.grant(Usage::WRAP | Usage::DECRYPT);
    let wrapped = as_stranger(&service, |stranger| wrap(stranger, Some(vec![7; 16])).unwrap());
    assert_eq!(wrapped[..16], [7; 16]);
}

/// The same key in other hands, with other roles.
#[test]
fn a_concatenation_with_nothing_needs_the_grant_of_every_use() {
    if !may_change_user() {
        return;
    }
    let service = Service::start();
    let client = service.client();
    let owner = Keys(&client, SOFTWARE);
    let join = Algorithm::from(Derivation::Concatenate);
    let attack = |client: &Client, usage| {
        let attributes = Attributes { key_type: KeyType::Aes, bits: 256, policy: policy(usage, &[CTR]) };
        let op = DeriveKey {
            key_name: "same".to_owned(),
            attributes: Some((&attributes).into()),
            with_name: "k".to_owned(),
            with_owner: ROOT.map(str::to_owned),
            alg: Some(join.into()),
            ..DeriveKey::default()
        };
        client.call(SOFTWARE, &op)
    };
    let own = |client: &Client, sealed: &[u8]| {
        let (key_name, alg, ciphertext) = ("same".to_owned(), Cipher::Ctr.into(), sealed.to_vec());
        let decrypted = client.call(SOFTWARE, &CipherDecrypt { key_name, alg, ciphertext, owner: None }).unwrap();
        Keys(client, SOFTWARE).destroy("same");
        decrypted.plaintext.clone()
    };
    owner.generate(KeyType::Aes, ENCRYPTING | Usage::DERIVE, &[CTR, join]);
    let sealed = owner.encrypt(CTR, &[], &SECRET).unwrap();
    attack(&client, Usage::DECRYPT).unwrap();
    assert_eq!(own(&client, &sealed), SECRET);
    owner.grant(Usage::DERIVE);
    as_stranger(&service, |stranger| {
        let status = refused(attack(stranger, Usage::DECRYPT), &["'k'", "uid:0", "not encrypt,decrypt"]);
        assert_eq!(status, Status::PsaErrorNotPermitted);
    });
    owner.grant(ENCRYPTING | Usage::DERIVE);
    as_stranger(&service, |stranger| {
        attack(stranger, Usage::DECRYPT).unwrap();
        assert_eq!(own(stranger, &sealed), SECRET);
    });
    owner.destroy("k");

    owner.generate(KeyType::Aes, Usage::EXPORT | Usage::DERIVE, &[join]);
    owner.grant(Usage::DERIVE);
    as_stranger(&service, |stranger| {
        let status = refused(attack(stranger, Usage::EXPORT), &["'k'", "uid:0", "not export"]);
        assert_eq!(status, Status::PsaErrorNotPermitted);
    });
}

/// RSA without padding is one operation: with the private key it decrypts what was encrypted and signs what was padded.
#[test]
fn raw_rsa_needs_the_grant_of_all_that_it_does() {
    if !may_change_user() {
        return;
    }
    let service = Service::start();
    let client = service.client();
    let owner = Keys(&client, SOFTWARE);
    let usage = Usage::SIGN | Usage::VERIFY | ENCRYPTING;
    let scheme = Signature::RsaPkcs1v15 { hash: Hash::Sha256.into() };
    let padding = Encryption::RsaPkcs1v15;
    let all = [Signature::RsaRaw.into(), scheme.into(), Encryption::RsaRaw.into(), padding.into()];
    let attributes = Attributes { key_type: KeyType::RsaKeyPair, bits: 2048, policy: policy(usage, &all) };
    owner.make("k", &attributes).unwrap();

    let (key_name, alg) = ("k".to_owned(), Some(padding.into()));
    let secret = AsymmetricEncrypt { key_name, alg, plaintext: SECRET.to_vec(), salt: vec![], owner: None };
    let ciphertext = client.call(SOFTWARE, &secret).unwrap().ciphertext;
    let decrypt = |client: &Client| sign(client, Signature::RsaRaw, &ciphertext);
    assert!(decrypt(&client).unwrap().ends_with(&SECRET));

    let signature = sign(&client, scheme, &[7; 32]).unwrap();
    let verify = |client: &Client| {
        let (key_name, alg, ciphertext) = ("k".to_owned(), Some(Encryption::RsaRaw.into()), signature.clone());
        let op = AsymmetricEncrypt { key_name, alg, plaintext: ciphertext, salt: vec![], owner: ROOT.map(str::to_owned) };
        client.call(SOFTWARE, &op).map(|padded| padded.ciphertext)
    };
    let padded = verify(&client).unwrap();
    let forge = |client: &Client| {
        let (key_name, alg, ciphertext) = ("k".to_owned(), Some(Encryption::RsaRaw.into()), padded.clone());
        let op = AsymmetricDecrypt { key_name, alg, ciphertext, salt: vec![], owner: ROOT.map(str::to_owned) };
        client.call(SOFTWARE, &op).map(|forged| forged.plaintext.clone())
    };
    assert_eq!(forge(&client).unwrap(), signature);

    owner.grant(Usage::SIGN);
    as_stranger(&service, |stranger| {
        assert_eq!(refused(decrypt(stranger), &["'k'", "uid:0", "not decrypt"]), Status::PsaErrorNotPermitted);
        assert_eq!(sign(stranger, scheme, &[7; 32]).unwrap(), signature);
    });
    owner.grant(ENCRYPTING);
    as_stranger(&service, |stranger| {
        assert_eq!(
            refused(forge(stranger), &["'k'", "uid:0", "not sign:", "=sign,encrypt,decrypt"]),
            Status::PsaErrorNotPermitted
        );
        assert_eq!(verify(stranger).unwrap(), padded, "the public key is everybody's");
    });
    owner.grant(ENCRYPTING | Usage::SIGN);
    as_stranger(&service, |stranger| {
        assert!(decrypt(stranger).unwrap().ends_with(&SECRET));
        assert_eq!(forge(stranger).unwrap(), signature);
    });
}

fn sign(client: &Client, signature: Signature, hash: &[u8]) -> Result<Vec<u8>, Error> {
    let (key_name, alg, hash, owner) = ("k".to_owned(), Some(signature.into()), hash.to_vec(), ROOT.map(str::to_owned));
    client.call(SOFTWARE, &SignHash { key_name, alg, hash, owner, context: vec![] }).map(|signed| signed.signature)
}
