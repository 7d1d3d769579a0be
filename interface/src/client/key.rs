//! A key in use. It knows which request makes a signature, a MAC, a ciphertext or a shared secret.

use super::{Client, Error};
use crate::algorithm::{Aead, Agreement, Algorithm, Cipher, Encryption, Mac, Signature};
use crate::operations::{
    AeadDecrypt, AeadEncrypt, AsymmetricDecrypt, AsymmetricEncrypt, CipherDecrypt, CipherEncrypt, MacCompute, MacVerify,
    RawKeyAgreement, SignHash, SignMessage, VerifyHash, VerifyMessage,
};
use crate::{Operation, ProviderId, Status};
use zeroize::Zeroizing;

/// A sender of requests: a [`Client`], or a library's wrapper around it.
pub trait Caller {
    /// What goes wrong with a request.
    type Error;

    /// Sends a request and returns its answer.
    ///
    /// # Errors
    /// The service refuses the request, or cannot be asked.
    fn call<O: Operation>(&self, provider: ProviderId, op: &O) -> Result<O::Output, Self::Error>;
}

impl Caller for Client {
    type Error = Error;

    fn call<O: Operation>(&self, provider: ProviderId, op: &O) -> Result<O::Output, Error> {
        Self::call(self, provider, op)
    }
}

/// A key, as requests name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRef {
    /// The provider that has it.
    pub provider: ProviderId,
    /// The owning principal; `None` is the caller.
    pub owner: Option<String>,
    /// Its name.
    pub name: String,
}

/// What stands beside the data that is encrypted. An algorithm takes what it has.
#[derive(Clone, Copy, Debug, Default)]
pub struct CipherInputs<'a> {
    /// The nonce of an AEAD, or the initialisation vector of a cipher. Empty, to encrypt: the service makes one.
    pub nonce: &'a [u8],
    /// The additional data of an AEAD, or the label of OAEP.
    pub additional: &'a [u8],
}

/// An algorithm that makes a signature or a MAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variants are the classes of algorithms")]
pub enum Signing {
    Signature(Signature),
    Mac(Mac),
}

/// An algorithm that encrypts data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variants are the classes of algorithms")]
pub enum Encrypting {
    Encryption(Encryption),
    Cipher(Cipher),
    Aead(Aead),
}

macro_rules! classes {
    ($($name:ident($($class:ident),*);)*) => { $(
        impl TryFrom<Algorithm> for $name {
            type Error = Status;

            /// An algorithm of another class is [`Status::InvalidEncoding`].
            fn try_from(algorithm: Algorithm) -> Result<Self, Status> {
                match algorithm {
                    $(Algorithm::$class(algorithm) => Ok(Self::$class(algorithm)),)*
                    _ => Err(Status::InvalidEncoding),
                }
            }
        }

        $(impl From<$class> for $name {
            fn from(algorithm: $class) -> Self {
                Self::$class(algorithm)
            }
        })*
    )* };
}
classes! {
    Signing(Signature, Mac);
    Encrypting(Encryption, Cipher, Aead);
}

impl KeyRef {
    /// The signature or MAC of an input: of a message, if that is what the algorithm takes, or else of its digest. `context` is that of EdDSA
    /// and ML-DSA.
    ///
    /// # Errors
    /// As [`Caller::call`].
    pub fn sign<C: Caller>(self, caller: &C, algorithm: Signing, input: Vec<u8>, context: Vec<u8>) -> Result<Vec<u8>, C::Error> {
        let Self { provider, owner, name: key_name } = self;
        match algorithm {
            Signing::Signature(alg) if alg.whole_message() => {
                let op = SignMessage { key_name, owner, alg: Some(alg.into()), message: input, context };
                caller.call(provider, &op).map(|signed| signed.signature)
            }
            Signing::Signature(alg) => {
                let op = SignHash { key_name, owner, alg: Some(alg.into()), hash: input, context };
                caller.call(provider, &op).map(|signed| signed.signature)
            }
            Signing::Mac(alg) => {
                let op = MacCompute { key_name, owner, alg: Some(alg.into()), input };
                caller.call(provider, &op).map(|maced| maced.mac)
            }
        }
    }

    /// Verifies what [`Self::sign`] makes.
    ///
    /// # Errors
    /// As [`Caller::call`]; the service refuses a wrong one.
    pub fn verify<C: Caller>(
        self,
        caller: &C,
        algorithm: Signing,
        input: Vec<u8>,
        context: Vec<u8>,
        signature: Vec<u8>,
    ) -> Result<(), C::Error> {
        let Self { provider, owner, name: key_name } = self;
        match algorithm {
            Signing::Signature(alg) if alg.whole_message() => {
                let op = VerifyMessage { key_name, owner, alg: Some(alg.into()), message: input, signature, context };
                caller.call(provider, &op)
            }
            Signing::Signature(alg) => {
                let op = VerifyHash { key_name, owner, alg: Some(alg.into()), hash: input, signature, context };
                caller.call(provider, &op)
            }
            Signing::Mac(alg) => {
                let op = MacVerify { key_name, owner, alg: Some(alg.into()), input, mac: signature };
                caller.call(provider, &op)
            }
        }
        .map(drop)
    }

    /// Encrypts. The ciphertext of a cipher begins with its initialisation vector.
    ///
    /// # Errors
    /// As [`Caller::call`].
    pub fn encrypt<C: Caller>(
        self,
        caller: &C,
        algorithm: Encrypting,
        beside: CipherInputs<'_>,
        plaintext: Vec<u8>,
    ) -> Result<Vec<u8>, C::Error> {
        let Self { provider, owner, name: key_name } = self;
        let (nonce, additional) = (beside.nonce.to_vec(), beside.additional.to_vec());
        let mut encrypted = match algorithm {
            Encrypting::Encryption(alg) => {
                let op = AsymmetricEncrypt { key_name, owner, alg: Some(alg.into()), plaintext, salt: additional };
                caller.call(provider, &op)
            }
            Encrypting::Cipher(alg) => {
                let op = CipherEncrypt { key_name, owner, alg: alg.into(), plaintext, iv: Some(nonce) };
                caller.call(provider, &op)
            }
            Encrypting::Aead(alg) => {
                let op = AeadEncrypt { key_name, owner, alg: Some(alg.into()), nonce, additional_data: additional, plaintext };
                caller.call(provider, &op)
            }
        }?;
        Ok(std::mem::take(&mut encrypted.ciphertext))
    }

    /// Decrypts what [`Self::encrypt`] makes; the initialisation vector of a cipher stands beside it.
    ///
    /// # Errors
    /// As [`Caller::call`].
    pub fn decrypt<C: Caller>(
        self,
        caller: &C,
        algorithm: Encrypting,
        beside: CipherInputs<'_>,
        ciphertext: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, C::Error> {
        let Self { provider, owner, name: key_name } = self;
        let (nonce, additional) = (beside.nonce.to_vec(), beside.additional.to_vec());
        let mut decrypted = match algorithm {
            Encrypting::Encryption(alg) => {
                let op = AsymmetricDecrypt {
                    key_name,
                    owner,
                    alg: Some(alg.into()),
                    ciphertext: ciphertext.to_vec(),
                    salt: additional,
                };
                caller.call(provider, &op)
            }
            Encrypting::Cipher(alg) => {
                let op = CipherDecrypt { key_name, owner, alg: alg.into(), ciphertext: [&nonce, ciphertext].concat() };
                caller.call(provider, &op)
            }
            Encrypting::Aead(alg) => {
                let ciphertext = ciphertext.to_vec();
                let op = AeadDecrypt { key_name, owner, alg: Some(alg.into()), nonce, additional_data: additional, ciphertext };
                caller.call(provider, &op)
            }
        }?;
        Ok(Zeroizing::new(std::mem::take(&mut decrypted.plaintext)))
    }

    /// The secret that the key shares with a peer.
    ///
    /// # Errors
    /// As [`Caller::call`].
    pub fn agree<C: Caller>(self, caller: &C, algorithm: Agreement, peer_key: Vec<u8>) -> Result<Zeroizing<Vec<u8>>, C::Error> {
        let Self { provider, owner, name: key_name } = self;
        let mut agreed = caller.call(provider, &RawKeyAgreement { alg: algorithm.into(), key_name, peer_key, owner })?;
        Ok(Zeroizing::new(std::mem::take(&mut agreed.shared_secret)))
    }
}
