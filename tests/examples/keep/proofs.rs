//! What a service answers always the same, and only with the right keys: asked of the release, and written down.

use std::path::Path;

use interface::algorithm::{Algorithm, Cipher, Hash, KeyAgreement, SignHash, Signature};
use interface::attributes::{Attributes, KeyType, Policy, Usage};
use interface::client::Identity;
use interface::operations::{
    AeadDecrypt, AeadEncrypt, AsymmetricDecrypt, AsymmetricEncrypt, CanDoCrypto, CheckType, CipherDecrypt, CipherEncrypt,
    Decapsulate, DestroyKey, Encapsulate, ExportPublicKey, Find, GenerateKey, HashCompare, HashCompute, Hello, ListClients,
    ListGrants, ListKeys, ListOpcodes, LookupKey, MacCompute, Ping, RawKeyAgreement, Record, RecordKind, SignMessage,
    TokenStatus, UnwrapKey, VerifyMessage, WrapKey,
};
use interface::wire::Header;
use interface::{AuthType, Operation, ProviderId, Status};
use prost::Message;
use tests::{Answer, Raw, Service, Transcript, frame};

const MESSAGE: &[u8] = b"a message of the release";
/// Three blocks of AES.
const BLOCKS: [u8; 48] = [0x42; 48];

/// One connection of one client.
pub(crate) struct Session {
    line: Raw,
    auth: (AuthType, Vec<u8>),
    transcript: Transcript,
}

/// A key that leaves and comes back.
pub(crate) struct Wrapping<'a> {
    pub(crate) with: &'a str,
    pub(crate) algorithm: Algorithm,
    pub(crate) key: &'a str,
}

impl Session {
    /// As one of upstream's clients, of the thread's user or a name.
    pub(crate) fn open(service: &Service, identity: Identity) -> Self {
        let auth = match identity {
            Identity::User => (AuthType::UnixPeerCredentials, rustix::process::geteuid().as_raw().to_le_bytes().to_vec()),
            Identity::Direct(name) => (AuthType::Direct, name.into_bytes()),
        };
        Self { line: Raw::connect(service), auth, transcript: Transcript::default() }
    }

    /// As one of ours.
    pub(crate) fn greeted(service: &Service, identity: Identity) -> Self {
        let mut session = Self::open(service, identity);
        session.keep(ProviderId::CORE, &Hello { version: 1, client: "a client of the release".to_owned(), ..Hello::default() });
        session
    }

    pub(crate) fn write(&self, name: &Path) {
        self.transcript.write(name);
    }

    fn frame<O: Operation>(&self, provider: ProviderId, op: &O) -> Vec<u8> {
        let header = Header { auth_type: self.auth.0 as u8, ..Header::request(provider, O::OPCODE) };
        frame(header, &op.encode_to_vec(), &self.auth.1)
    }

    /// Asks and writes it down.
    fn keep<O: Operation>(&mut self, provider: ProviderId, op: &O) -> Answer {
        let request = self.frame(provider, op);
        let answer = self.line.ask(&request);
        self.transcript.add(&request, &answer);
        answer
    }

    /// Asks.
    fn ask<O: Operation>(&mut self, provider: ProviderId, op: &O) -> Result<O::Output, Status> {
        let answer = self.line.ask(&self.frame(provider, op));
        match answer.status() {
            Status::Success => Ok(O::Output::decode(answer.body.as_slice()).unwrap()),
            other => Err(other),
        }
    }

    /// All that it sees.
    fn records(&mut self, provider: ProviderId, kind: Option<RecordKind>) -> Vec<Record> {
        self.ask(provider, &Find { kind: kind.map(Into::into), ..Find::default() }).unwrap().records
    }

    /// What upstream's clients ask.
    pub(crate) fn upstreams(&mut self, owner: &mut Self, provider: ProviderId) {
        self.keep(ProviderId::CORE, &Ping {});
        for provider in [ProviderId::CORE, provider] {
            self.keep(ProviderId::CORE, &ListOpcodes { provider_id: provider.number().into() });
        }
        self.keep(ProviderId::CORE, &ListKeys {});
        self.keep(ProviderId::CORE, &ListClients {});
        let (alg, input) = (Hash::Sha256.into(), MESSAGE.to_vec());
        self.keep(provider, &HashCompute { alg, input: input.clone() });
        self.keep(provider, &HashCompare { alg, input, hash: vec![0; 32] });
        self.keep(provider, &ExportPublicKey { key_name: "none".to_owned(), owner: None });
        for record in owner.records(provider, Some(RecordKind::Key)) {
            let attributes = Attributes::try_from(record.attributes.as_ref().unwrap()).unwrap();
            if attributes.upstream() {
                let check_type = CheckType::Use.into();
                self.keep(provider, &CanDoCrypto { check_type, attributes: record.attributes.clone() });
                self.keep(provider, &ExportPublicKey { key_name: record.name.clone(), owner: None });
                let attributes = record.attributes.clone();
                self.keep(provider, &GenerateKey { key_name: record.name.clone(), attributes, ..GenerateKey::default() });
                self.proof(owner, provider, &record, None);
            }
        }
    }

    /// All that the client has there, and sees.
    pub(crate) fn everything(&mut self, provider: ProviderId, own: &str) {
        self.keep(provider, &TokenStatus {});
        self.keep(provider, &Find::default());
        for record in self.records(provider, Some(RecordKind::Key)).into_iter().filter(|record| record.owner == own) {
            self.keep(provider, &LookupKey { key_name: record.name.clone(), owner: None });
            self.keep(provider, &ListGrants { key_name: record.name, owner: None });
        }
    }

    /// That every key is what it was, of those of an owner. Whoever asks is told what the owner has signed and encrypted.
    pub(crate) fn proofs(&mut self, owner: &mut Self, provider: ProviderId, of: &str, named: bool) {
        for record in self.records(provider, Some(RecordKind::Key)).into_iter().filter(|record| record.owner == of) {
            self.proof(owner, provider, &record, named.then(|| of.to_owned()));
        }
    }

    fn proof(&mut self, maker: &mut Self, provider: ProviderId, record: &Record, owner: Option<String>) {
        let attributes = Attributes::try_from(record.attributes.as_ref().unwrap()).unwrap();
        let usage = record.usage.as_ref().map(Usage::from).unwrap();
        let mut kinds = Vec::new();
        for algorithm in attributes.policy.algorithms().filter_map(concrete) {
            if !kinds.contains(&std::mem::discriminant(&algorithm)) {
                kinds.push(std::mem::discriminant(&algorithm));
                self.use_of(maker, provider, (&record.name, &owner), usage, algorithm);
            }
        }
    }

    fn use_of(
        &mut self,
        maker: &mut Self,
        provider: ProviderId,
        (name, owner): (&str, &Option<String>),
        usage: Usage,
        algorithm: Algorithm,
    ) {
        let (key_name, owner) = (name.to_owned(), owner.clone());
        match algorithm {
            Algorithm::Signature(signature) => {
                let (alg, message) = (Some(signature.into()), MESSAGE.to_vec());
                let sign = SignMessage { key_name, alg, message, ..SignMessage::default() };
                let Ok(signed) = maker.ask(provider, &sign) else { return };
                let SignMessage { key_name, alg, message, .. } = sign.clone();
                if usage.contains(Usage::VERIFY_MESSAGE) {
                    let (signature, owner) = (signed.signature, owner.clone());
                    self.keep(provider, &VerifyMessage { key_name, alg, message, signature, owner, ..VerifyMessage::default() });
                }
                if usage.contains(Usage::SIGN_MESSAGE)
                    && matches!(signature, Signature::RsaPkcs1v15 { .. } | Signature::PureEddsa)
                {
                    self.keep(provider, &SignMessage { owner, ..sign });
                }
            }
            Algorithm::Mac(mac) if usage.contains(Usage::SIGN_MESSAGE) => {
                self.keep(provider, &MacCompute { key_name, alg: Some(mac.into()), input: MESSAGE.to_vec(), owner });
            }
            Algorithm::Agreement(KeyAgreement::Raw(agreement)) if usage.contains(Usage::DERIVE) => {
                let own = ExportPublicKey { key_name: key_name.clone(), owner: None };
                let peer_key = maker.ask(provider, &own).unwrap().data.clone();
                self.keep(provider, &RawKeyAgreement { alg: agreement.into(), key_name, peer_key, owner });
            }
            _ if usage.contains(Usage::DECRYPT) => self.decryption(maker, provider, key_name, owner, algorithm),
            _ => {}
        }
    }

    fn decryption(
        &mut self,
        maker: &mut Self,
        provider: ProviderId,
        key_name: String,
        owner: Option<String>,
        algorithm: Algorithm,
    ) {
        match algorithm {
            Algorithm::Encryption(encryption) => {
                let (alg, plaintext) = (Some(encryption.into()), MESSAGE.to_vec());
                let encrypt = AsymmetricEncrypt { key_name: key_name.clone(), alg, plaintext, salt: vec![], owner: None };
                let Ok(encrypted) = maker.ask(provider, &encrypt) else { return };
                let ciphertext = encrypted.ciphertext.clone();
                let alg = Some(encryption.into());
                self.keep(provider, &AsymmetricDecrypt { key_name, alg, ciphertext, salt: vec![], owner });
            }
            Algorithm::Aead(aead) => {
                let (nonce, additional_data) = (vec![7; 12], b"header".to_vec());
                let encrypt = AeadEncrypt {
                    key_name: key_name.clone(),
                    alg: Some(aead.into()),
                    nonce: nonce.clone(),
                    additional_data: additional_data.clone(),
                    plaintext: MESSAGE.to_vec(),
                    owner: None,
                };
                let Ok(encrypted) = maker.ask(provider, &encrypt) else { return };
                let ciphertext = encrypted.ciphertext.clone();
                let alg = Some(aead.into());
                self.keep(provider, &AeadDecrypt { key_name, alg, nonce, additional_data, ciphertext, owner });
            }
            Algorithm::Cipher(cipher) => {
                let alg = cipher.into();
                let encrypt =
                    CipherEncrypt { key_name: key_name.clone(), alg, plaintext: BLOCKS.to_vec(), owner: None, iv: None };
                let Ok(encrypted) = maker.ask(provider, &encrypt) else { return };
                let ciphertext = encrypted.ciphertext.clone();
                self.keep(provider, &CipherDecrypt { key_name, alg, ciphertext, owner });
            }
            Algorithm::Kem(kem) => {
                let (with_name, alg) = (key_name, Some(Algorithm::from(kem).into()));
                let encapsulate = Encapsulate { with_name: with_name.clone(), alg, ..Encapsulate::default() };
                let Ok(encrypted) = maker.ask(provider, &encapsulate) else { return };
                let ciphertext = encrypted.ciphertext.clone();
                self.keep(provider, &Decapsulate { with_name, alg, ciphertext, with_owner: owner, ..Decapsulate::default() });
            }
            _ => {}
        }
    }

    /// Takes a key of AES out and in again: it is the same.
    pub(crate) fn unwraps(&mut self, provider: ProviderId, wrapping: &Wrapping<'_>) {
        let (with_name, alg) = (wrapping.with.to_owned(), Some(wrapping.algorithm.into()));
        let wrap = WrapKey { key_name: wrapping.key.to_owned(), with_name, alg, ..WrapKey::default() };
        let data = self.ask(provider, &wrap).unwrap().data;
        let (ecb, back) = (Cipher::EcbNoPadding, "back".to_owned());
        let (key_name, plaintext) = (wrapping.key.to_owned(), BLOCKS.to_vec());
        let encrypt = CipherEncrypt { key_name, alg: ecb.into(), plaintext, owner: None, iv: None };
        let ciphertext = self.ask(provider, &encrypt).unwrap().ciphertext;
        let policy = Policy { usage: Usage::ENCRYPT | Usage::DECRYPT, algorithm: ecb.into(), also: Vec::new() };
        let attributes = Some((&Attributes { key_type: KeyType::Aes, bits: 256, policy }).into());
        let WrapKey { with_name, alg, .. } = wrap;
        self.keep(provider, &UnwrapKey { key_name: back.clone(), attributes, data, with_name, alg, ..UnwrapKey::default() });
        self.keep(provider, &CipherDecrypt { key_name: back.clone(), alg: ecb.into(), ciphertext, owner: None });
        self.keep(provider, &DestroyKey { key_name: back, owner: None });
    }
}

/// An algorithm of a policy as it is run on a message; `None` where it is not.
fn concrete(algorithm: Algorithm) -> Option<Algorithm> {
    let hash = SignHash::Specific(Hash::Sha256);
    let signature = match algorithm {
        Algorithm::Cipher(Cipher::KeyWrap | Cipher::KeyWrapPadded) => return None,
        Algorithm::Signature(Signature::RsaPkcs1v15 { hash: SignHash::Any }) => Signature::RsaPkcs1v15 { hash },
        Algorithm::Signature(Signature::RsaPss { hash: SignHash::Any }) => Signature::RsaPss { hash },
        Algorithm::Signature(Signature::Ecdsa { hash: SignHash::Any }) => Signature::Ecdsa { hash },
        Algorithm::Signature(Signature::Dsa { hash: SignHash::Any }) => Signature::Dsa { hash },
        Algorithm::Signature(Signature::RsaPkcs1v15Raw | Signature::RsaRaw | Signature::EcdsaAny) => return None,
        other => return Some(other),
    };
    Some(signature.into())
}
