//! What the tests ask of a provider.

use interface::algorithm::{Hash, SignHash as Named, Signature};
use interface::attributes::{Attributes, EccFamily, KeyType, Policy, Usage};
use interface::client::{Client, Error};
use interface::operations::{
    CopyKey, DestroyKey, ExportKey, ExportPublicKey, GenerateKey, ImportKey, Record, SignHash, VerifyHash,
};
use interface::{Operation, ProviderId, Status};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

pub(crate) const EC: KeyType = KeyType::EccKeyPair(EccFamily::SecpR1);
pub(crate) const SHA256: Named = Named::Specific(Hash::Sha256);
pub(crate) const DIGEST: [u8; 32] = [0x5a; 32];

pub(crate) fn pair(key_type: KeyType, bits: u32, algorithm: Signature) -> Attributes {
    let usage = Usage::SIGN_HASH | Usage::VERIFY_HASH | Usage::EXPORT;
    Attributes { key_type, bits, policy: Policy { usage, algorithm: algorithm.into(), also: Vec::new() } }
}

pub(crate) fn ec() -> Attributes {
    pair(EC, 256, Signature::Ecdsa { hash: SHA256 })
}

/// The keys of one provider.
pub(crate) struct Keys<'a>(pub(crate) &'a Client, pub(crate) ProviderId);

impl Keys<'_> {
    pub(crate) fn call<O: Operation>(&self, op: &O) -> Result<O::Output, Error> {
        self.0.call(self.1, op)
    }

    pub(crate) fn make(&self, name: &str, attributes: &Attributes) -> Result<(), Error> {
        let key_name = name.to_owned();
        self.call(&GenerateKey { key_name, attributes: Some(attributes.into()), ..Default::default() }).map(drop)
    }

    pub(crate) fn import(&self, name: &str, attributes: &Attributes, data: &[u8]) -> Result<(), Error> {
        let (key_name, attributes, data) = (name.to_owned(), Some(attributes.into()), data.to_vec());
        let (label, id, volatile, pkcs11) = Default::default();
        self.call(&ImportKey { key_name, attributes, data, label, id, volatile, pkcs11 }).map(drop)
    }

    pub(crate) fn copy(&self, of: &str, name: &str, attributes: &Attributes) -> Result<(), Error> {
        let (key_name, of, attributes) = (name.to_owned(), of.to_owned(), Some(attributes.into()));
        self.call(&CopyKey { key_name, of, attributes, ..Default::default() }).map(drop)
    }

    pub(crate) fn destroy(&self, name: &str) -> Result<(), Error> {
        self.call(&DestroyKey { key_name: name.to_owned(), owner: None }).map(drop)
    }

    pub(crate) fn export(&self, name: &str) -> Result<Vec<u8>, Error> {
        self.call(&ExportKey { key_name: name.to_owned(), owner: None }).map(|exported| exported.data.clone())
    }

    pub(crate) fn sign(&self, name: &str, algorithm: Signature) -> Result<Vec<u8>, Error> {
        let (key_name, alg, hash) = (name.to_owned(), Some(algorithm.into()), DIGEST.to_vec());
        self.call(&SignHash { key_name, alg, hash, ..Default::default() }).map(|signed| signed.signature)
    }

    pub(crate) fn verifies(&self, name: &str, algorithm: Signature, signature: &[u8]) -> bool {
        let (key_name, alg, hash, signature) = (name.to_owned(), Some(algorithm.into()), DIGEST.to_vec(), signature.to_vec());
        self.call(&VerifyHash { key_name, alg, hash, signature, ..Default::default() }).is_ok()
    }

    /// Signs with a key for ECDSA and checks the signature.
    pub(crate) fn ecdsa(&self, name: &str) -> Result<(), Error> {
        let algorithm = Signature::Ecdsa { hash: SHA256 };
        let signature = self.sign(name, algorithm)?;
        assert!(self.verifies(name, algorithm, &signature), "{name}");
        Ok(())
    }

    pub(crate) fn public(&self, name: &str) -> Vec<u8> {
        self.call(&ExportPublicKey { key_name: name.to_owned(), owner: None }).unwrap().data.clone()
    }

    pub(crate) fn record(&self, name: &str) -> Record {
        self.0.lookup(self.1, None, name).unwrap()
    }
}

pub(crate) fn status<T: std::fmt::Debug>(result: Result<T, Error>) -> Status {
    let error = result.unwrap_err();
    error.status().unwrap_or_else(|| panic!("{error}"))
}

/// Interrupts clients of a service again and again while they sign: they may get errors, and lose no key.
pub(crate) fn interrupted(endpoint: &str, mut interrupt: impl FnMut()) {
    let client = || Client::new(endpoint.parse().unwrap());
    let names: Vec<_> = (0..6).map(|number| format!("key {number}")).collect();
    let all = client();
    let keys = Keys(&all, ProviderId::TPM);
    names.iter().for_each(|name| keys.make(name, &ec()).unwrap());
    let (done, (sender, receiver)) = (AtomicBool::new(false), mpsc::channel());
    std::thread::scope(|scope| {
        for first in 0..4 {
            let (names, client, sender, done) = (&names, client(), sender.clone(), &done);
            scope.spawn(move || {
                for name in names.iter().cycle().skip(first).take_while(|_| !done.load(Ordering::Relaxed)) {
                    match Keys(&client, ProviderId::TPM).ecdsa(name) {
                        Ok(()) => sender.send(()).unwrap(),
                        Err(error) => assert!(error.to_string().contains("TPM"), "{error}"),
                    }
                }
            });
        }
        for _ in 0..8 {
            receiver.iter().take(30).for_each(drop);
            interrupt();
        }
        receiver.iter().take(30).for_each(drop);
        done.store(true, Ordering::Relaxed);
    });
    names.iter().for_each(|name| keys.ecdsa(name).unwrap());
    assert!(names.iter().all(|name| !keys.record(name).missing));
}
