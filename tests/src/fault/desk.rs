//! The clients of a service under fault, and what they ask of it.

use interface::algorithm::{Agreement, Algorithm, Cipher, Hash, KeyAgreement, SignHash as AnyHash, Signature};
use interface::attributes::{Attributes, EccFamily, KeyType, Policy, Usage};
use interface::client::{Client, Error, Identity};
use interface::message::{Pkcs11Attribute, UsageFlags};
use interface::operations::{
    Accept, ChangeOwner, CopyKey, DeleteClient, DeriveKey, DestroyKey, DestroyObject, ExportPublicKey, GenerateKey, Grant,
    ImportKey, InitToken, Login, Operation, Pin, PutObject, RecordKind, Revoke, Role, SetMetadata, SetPin, SignHash, VerifyHash,
};
use interface::{ProviderId, Status};

use super::Subject;
use crate::Service;
use std::time::Duration;

/// What is signed.
const DIGEST: [u8; 32] = [0x5a; 32];
/// The PIN of the tenant's security officer.
const OFFICER: &str = "87654321";

pub(super) const ECDSA: Signature = Signature::Ecdsa { hash: AnyHash::Specific(Hash::Sha256) };
const ECDH: Algorithm = Algorithm::Agreement(KeyAgreement::Raw(Agreement::Ecdh));

/// The service with its clients: who owns keys, who was granted one, and whose token has PINs.
pub struct Desk {
    pub subject: Subject,
    pub(super) owner: Client,
    pub(super) grantee: Client,
    pub(super) tenant: Client,
}

type Done = Result<(), Error>;

impl Desk {
    /// New clients.
    pub fn new(subject: Subject, service: &Service) -> Self {
        // Whoever has been killed does not come back by itself.
        let client = || service.client().with_wait(Duration::ZERO);
        let named = |name: &str| client().with_identity(Identity::Direct(name.to_owned()));
        Self { subject, owner: client(), grantee: named("grantee"), tenant: named("tenant") }
    }

    /// What an operation finds.
    ///
    /// # Errors
    /// When something cannot be made.
    pub(super) fn furnish(&self) -> Done {
        self.make("kept")?;
        self.make("doomed")?;
        if !self.subject.extended() {
            return Ok(());
        }
        self.grant("kept", "app:grantee")?;
        self.grant("doomed", "app:grantee")?;
        self.put("note", b"old")?;
        self.import_as("base", &base(), vec![9; 32])?;
        self.init_token()?;
        self.set_pin(None, Some("1234"))?;
        let tenant = || Client::new(self.tenant.endpoint().clone()).with_identity(Identity::Direct("tenant".to_owned()));
        let theirs = Self { subject: self.subject, owner: tenant(), grantee: tenant(), tenant: tenant() };
        theirs.make("mine")?;
        theirs.put("mine", b"mine")
    }

    fn ask<O: Operation>(&self, client: &Client, op: &O) -> Result<O::Output, Error> {
        client.call(self.subject.provider(), op)
    }

    pub(super) fn make(&self, name: &str) -> Done {
        let (key_name, attributes) = (name.to_owned(), Some((&pair()).into()));
        let id = self.subject.extended().then(|| name.as_bytes().to_vec());
        self.ask(&self.owner, &GenerateKey { key_name, attributes, id, ..Default::default() }).map(drop)
    }

    pub(super) fn import(&self) -> Done {
        self.import_as("new", &pair(), vec![7; 32])
    }

    fn import_as(&self, name: &str, attributes: &Attributes, data: Vec<u8>) -> Done {
        let (key_name, attributes) = (name.to_owned(), Some(attributes.into()));
        let id = self.subject.extended().then(|| name.as_bytes().to_vec());
        let (label, volatile, pkcs11) = Default::default();
        self.ask(&self.owner, &ImportKey { key_name, attributes, data, label, id, volatile, pkcs11 }).map(drop)
    }

    pub(super) fn copy(&self) -> Done {
        let (key_name, of, attributes) = ("new".to_owned(), "kept".to_owned(), Some((&pair()).into()));
        self.ask(&self.owner, &CopyKey { key_name, of, attributes, id: Some(b"new".to_vec()), ..Default::default() }).map(drop)
    }

    pub(super) fn derive(&self) -> Done {
        let (key_name, with_name, attributes) = ("new".to_owned(), "base".to_owned(), Some((&derived()).into()));
        let (alg, id, peer_key) = (Some(ECDH.into()), Some(b"new".to_vec()), self.public("kept")?);
        let derive = DeriveKey { key_name, attributes, with_name, alg, peer_key, id, ..Default::default() };
        self.ask(&self.owner, &derive).map(drop)
    }

    pub(super) fn destroy(&self, name: &str) -> Done {
        self.ask(&self.owner, &DestroyKey { key_name: name.to_owned(), owner: None }).map(drop)
    }

    pub(super) fn describe(&self) -> Done {
        let pkcs11 = (0..8).map(|kind| Pkcs11Attribute { kind: 0x8000_0000 + kind, value: vec![7; 200] }).collect();
        let (kind, name, label) = (RecordKind::Key.into(), "kept".to_owned(), Some("another".to_owned()));
        self.ask(&self.owner, &SetMetadata { kind, name, label, pkcs11, ..Default::default() }).map(drop)
    }

    pub(super) fn narrow(&self) -> Done {
        let (kind, name) = (RecordKind::Key.into(), "kept".to_owned());
        let usage = Some(UsageFlags::from(Usage::SIGN_HASH | Usage::VERIFY_HASH));
        self.ask(&self.owner, &SetMetadata { kind, name, usage, ..Default::default() }).map(drop)
    }

    pub(super) fn grant(&self, name: &str, principal: &str) -> Done {
        let usage = Some(Usage::SIGN_HASH.into());
        let (key_name, principal) = (name.to_owned(), principal.to_owned());
        self.ask(&self.owner, &Grant { key_name, principal, usage, owner: None }).map(drop)
    }

    pub(super) fn revoke(&self) -> Done {
        let (key_name, principal) = ("kept".to_owned(), "app:grantee".to_owned());
        self.ask(&self.owner, &Revoke { key_name, principal, owner: None }).map(drop)
    }

    pub(super) fn rename(&self) -> Done {
        let (kind, name, rename) = (RecordKind::Key.into(), "kept".to_owned(), Some("renamed".to_owned()));
        self.ask(&self.owner, &SetMetadata { kind, name, rename, ..Default::default() }).map(drop)
    }

    pub(super) fn give(&self) -> Done {
        let (key_name, principal) = ("kept".to_owned(), "app:tenant".to_owned());
        let keep = Some(Usage::SIGN_HASH.into());
        self.ask(&self.owner, &ChangeOwner { key_name, principal, keep, owner: None }).map(drop)
    }

    pub(super) fn put(&self, name: &str, value: &[u8]) -> Done {
        let (kind, name, value) = (RecordKind::Data.into(), name.to_owned(), value.to_vec());
        self.ask(&self.owner, &PutObject { kind, name, value, ..Default::default() }).map(drop)
    }

    pub(super) fn destroy_object(&self) -> Done {
        let (kind, name) = (RecordKind::Data.into(), "note".to_owned());
        self.ask(&self.owner, &DestroyObject { kind, name }).map(drop)
    }

    pub(super) fn accept(&self, verdict: interface::operations::Verdict) -> Done {
        let accept = Accept { owner: "app:tenant".to_owned(), verdict: verdict.into(), callers: None };
        self.grantee.call(ProviderId::CORE, &accept).map(drop)
    }

    pub(super) fn delete_client(&self) -> Done {
        let client = rustix::process::geteuid().as_raw().to_string();
        self.owner.call(ProviderId::CORE, &DeleteClient { client }).map(drop)
    }

    pub(super) fn init_token(&self) -> Done {
        self.ask(&self.tenant, &InitToken { pin: pin(OFFICER), label: "mine".to_owned() }).map(drop)
    }

    pub(super) fn set_pin(&self, old: Option<&str>, new: Option<&str>) -> Done {
        let role = Role::User.into();
        self.ask(&self.tenant, &SetPin { role, old: old.and_then(pin), new: new.and_then(pin) }).map(drop)
    }

    pub(super) fn log_in(&self, value: &str) -> Done {
        self.ask(&self.tenant, &Login { role: Role::User.into(), pin: pin(value) }).map(drop)
    }

    /// A login that is refused, and counted, is what was asked for.
    pub(super) fn guess(&self) -> Done {
        match self.log_in("0000") {
            Err(error) if error.status() == Some(Status::PsaErrorInvalidSignature) => Ok(()),
            other => other,
        }
    }

    pub(super) fn sign(&self, client: &Client, owner: Option<String>, name: &str) -> Result<Vec<u8>, Error> {
        let (key_name, alg, hash) = (name.to_owned(), Some(ECDSA.into()), DIGEST.to_vec());
        self.ask(client, &SignHash { key_name, alg, hash, owner, ..Default::default() }).map(|signed| signed.signature)
    }

    /// Whether a key makes signatures that its public key verifies.
    pub(super) fn works(&self, client: &Client, name: &str) -> Done {
        let (key_name, alg, hash) = (name.to_owned(), Some(ECDSA.into()), DIGEST.to_vec());
        let signature = self.sign(client, None, name)?;
        self.ask(client, &VerifyHash { key_name, alg, hash, signature, ..Default::default() }).map(drop)
    }

    pub(super) fn public(&self, name: &str) -> Result<Vec<u8>, Error> {
        let export = ExportPublicKey { key_name: name.to_owned(), owner: None };
        self.ask(&self.owner, &export).map(|exported| exported.data.clone())
    }
}

fn pin(value: &str) -> Option<Pin> {
    Some(Pin { value: value.into() })
}

fn pair() -> Attributes {
    let usage = Usage::SIGN_HASH | Usage::VERIFY_HASH | Usage::EXPORT | Usage::COPY;
    let policy = Policy { usage, algorithm: ECDSA.into(), also: Vec::new() };
    Attributes { key_type: KeyType::EccKeyPair(EccFamily::SecpR1), bits: 256, policy }
}

fn base() -> Attributes {
    Attributes { policy: Policy { usage: Usage::DERIVE, algorithm: ECDH, also: Vec::new() }, ..pair() }
}

fn derived() -> Attributes {
    let policy = Policy { usage: Usage::ENCRYPT, algorithm: Cipher::Ctr.into(), also: Vec::new() };
    Attributes { key_type: KeyType::Aes, bits: 128, policy }
}
