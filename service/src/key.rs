//! A key as the service sees it.

mod uuid;

pub use uuid::Uuid;
pub(crate) use uuid::Uuids;

use crate::auth::Principal;
use crate::client_process::ClientProcess;
use crate::error::{Error, Result};
use crate::memory::Loaded;
use interface::attributes::{Attributes, Usage};
use interface::message::{KeyAttributes, Pkcs11Attribute};
use interface::operations::{Record, RecordKind, Tier};
use interface::spki::PublicKey;
use interface::vendor::FORMER_NAME;
use interface::{ProviderId, Status};
use prost::Message;
use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

/// PKCS#11 `CKA_TRUSTED`.
pub(crate) const TRUSTED: u64 = 0x86;

/// The fields that keys and objects share.
#[derive(Clone, Debug)]
pub struct Meta {
    /// Never reused. Hardware objects are tagged with it.
    pub uuid: Uuid,
    /// The provider that holds it.
    pub provider: ProviderId,
    /// The owner.
    pub owner: Principal,
    /// Unique for its owner and provider (and, of objects, kind).
    pub name: String,
    /// PKCS#11 `CKA_LABEL`.
    pub label: String,
    /// PKCS#11 `CKA_ID`.
    pub id: Vec<u8>,
    /// Attributes that the owner wants kept with it.
    pub pkcs11: Vec<Pkcs11Attribute>,
    /// Unix time in seconds.
    pub created: u64,
}

impl Meta {
    /// The fields that all records show to this caller.
    pub(crate) fn record(&self, kind: RecordKind, caller: &Principal) -> Record {
        let foreign = *caller != self.owner;
        let shown = self.pkcs11.iter().filter(|kept| !foreign || !is_owners(kept));
        Record {
            kind: kind.into(),
            uuid: self.uuid.to_string(),
            owner: self.owner.to_string(),
            provider_id: self.provider.number().into(),
            name: self.name.clone(),
            label: self.label.clone(),
            id: self.id.clone(),
            pkcs11: shown.cloned().collect(),
            created: self.created,
            foreign,
            ..Record::default()
        }
    }
}

/// How long a key lives.
#[derive(Clone, Debug)]
pub enum Life {
    /// Until it is destroyed; it is in the database.
    Stored,
    /// No longer than the process that made it. It exists only in memory.
    Volatile {
        /// That process.
        process: ClientProcess,
        /// The provider's material for using the key again, sealed.
        private: Arc<[u8]>,
    },
}

/// The two roles of a wrapping key. It takes one of them at its first use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It has wrapped a sensitive key.
    Protects,
    /// It has decrypted or unwrapped something without authentication.
    Reveals,
}

impl From<Decision> for i64 {
    fn from(decision: Decision) -> Self {
        match decision {
            Decision::Protects => 1,
            Decision::Reveals => 2,
        }
    }
}

impl TryFrom<i64> for Decision {
    type Error = Error;

    fn try_from(number: i64) -> Result<Self> {
        [Self::Protects, Self::Reveals]
            .into_iter()
            .find(|decision| i64::from(*decision) == number)
            .ok_or_else(|| Error::Corrupt(format!("nothing is decided by {number}")))
    }
}

/// A ready key. Immutable, but for what its copies share.
#[derive(Clone, Debug)]
pub struct Key {
    /// Also reached as fields of the key.
    pub meta: Meta,
    /// Type, size and policy.
    pub attributes: Attributes,
    /// The public part as on the wire; empty for secret keys.
    pub public_key: Vec<u8>,
    /// Where it works.
    pub tier: Tier,
    /// Its provider is known to have made it.
    pub local: bool,
    /// All that its policy has ever permitted.
    pub past: Usage,
    /// How long it lives.
    pub life: Life,
    /// The grants: who else may use it, and for what.
    pub grants: BTreeMap<Principal, Usage>,
    /// The provider's parsed key, shared by all copies.
    pub loaded: Arc<Loaded>,
    /// The decision of its value, as far as this key knows.
    pub(crate) decided: Arc<OnceLock<Decision>>,
    pub(crate) missing: Arc<AtomicBool>,
}

impl Deref for Key {
    type Target = Meta;

    fn deref(&self) -> &Meta {
        &self.meta
    }
}

impl Key {
    /// A stored key without its public part. `past` are the uses that it was permitted before, as another key.
    pub(crate) fn new(meta: Meta, attributes: Attributes, local: bool, past: Usage) -> Self {
        let past = past | attributes.policy.usage;
        let (public_key, tier, life) = (Vec::new(), Tier::Software, Life::Stored);
        let (grants, loaded, decided, missing) = (BTreeMap::new(), Arc::default(), Arc::default(), Arc::default());
        Self { meta, attributes, public_key, tier, local, past, life, grants, loaded, decided, missing }
    }

    /// Removes all but these uses from the policy. The key remembers the removed ones.
    pub(crate) fn narrow(&mut self, usage: Usage) {
        self.attributes.policy.usage = self.attributes.policy.usage.and(usage);
    }

    /// The uses that this caller may make of it. The owner has all that the policy permits, others those of them that they were granted.
    pub fn usage(&self, caller: &Principal) -> Usage {
        let policy = self.attributes.policy.usage.implied();
        if *caller == self.owner {
            return policy;
        }
        self.grants.get(caller).map_or(Usage::NONE, |grant| grant.implied().and(policy))
    }

    /// The decision of its value, as far as it is known without asking the store.
    pub(crate) fn decided(&self) -> Option<Decision> {
        self.decided.get().copied()
    }

    /// Whether the provider chooses the nonces and initialisation vectors when this caller encrypts. It does if the caller was granted the
    /// key without decryption, because encrypting under a chosen nonce is decrypting ([`Algorithm::reveals`]).
    ///
    /// [`Algorithm::reveals`]: interface::algorithm::Algorithm::reveals
    pub fn fresh_nonces(&self, caller: &Principal) -> bool {
        *caller != self.owner && !self.usage(caller).contains(Usage::DECRYPT)
    }

    /// Whether this caller may see the public parts.
    pub fn visible(&self, caller: &Principal) -> bool {
        *caller == self.owner || !self.usage(caller).is_empty()
    }

    /// The usual `CKA_ID`, where it has a public part.
    pub(crate) fn public_id(&self) -> Option<Vec<u8>> {
        let (key_type, bits) = (self.attributes.key_type.public(), self.attributes.bits);
        let bytes = self.public_key.clone();
        (!bytes.is_empty()).then(|| PublicKey { key_type, bits, bytes }.id())
    }

    /// It is not in the database and ends with its process.
    pub fn volatile(&self) -> bool {
        matches!(self.life, Life::Volatile { .. })
    }

    /// Fails for a volatile key. It is not in the database, so the database cannot keep anything for it.
    pub(crate) fn check_stored(&self, what: &str) -> Result<()> {
        if !self.volatile() {
            return Ok(());
        }
        let detail = format!("the key '{}' is volatile, for the process that made it alone, and cannot have {what}", self.name);
        Err(Error::refused(Status::PsaErrorNotPermitted, detail))
    }

    /// Whether upstream's clients may hear of it.
    pub fn upstream(&self) -> bool {
        self.provider.upstream() && self.attributes.upstream()
    }

    /// The hardware does not show it at present.
    pub fn missing(&self) -> bool {
        self.missing.load(Ordering::Relaxed)
    }

    /// Its public data, and the uses of this caller.
    pub fn record(&self, caller: &Principal) -> Record {
        Record {
            attributes: Some((&self.attributes).into()),
            public_key: self.public_key.clone(),
            usage: Some(self.usage(caller).into()),
            tier: self.tier.into(),
            missing: self.missing(),
            local: self.local,
            volatile: self.volatile(),
            past: Some(self.past.into()),
            fresh_nonces: self.fresh_nonces(caller),
            ..self.meta.record(RecordKind::Key, caller)
        }
    }

    /// The row data that its private blob is sealed to, so that no blob works in another row.
    pub(crate) fn binding(&self) -> Vec<u8> {
        let (uuid, provider) = (self.uuid.to_string(), [self.provider.number()]);
        let owner = self.owner.to_string();
        let attributes = KeyAttributes::from(&self.attributes).encode_to_vec();
        let parts: [&[u8]; 6] =
            [uuid.as_bytes(), &provider, owner.as_bytes(), self.name.as_bytes(), &attributes, &self.public_key];
        parts.into_iter().flat_map(|part| [&part.len().to_be_bytes(), part].concat()).collect()
    }

    pub(crate) fn gone(&self) -> Error {
        let detail = format!("the key '{}' has been destroyed", self.name);
        Error::refused(Status::PsaErrorDoesNotExist, detail)
    }

    pub(crate) fn damaged(&self) -> Error {
        Error::Corrupt(format!(
            "the stored private part of the key '{}' of {} (provider {}, uuid {}) is not what was written; it is kept as it is, restore the store from a backup",
            self.name, self.owner, self.provider, self.uuid
        ))
    }
}

/// Whether only the owner sees an attribute: that the officer of the owner's token trusts the object, and the names that it had before.
pub(crate) fn is_owners(kept: &Pkcs11Attribute) -> bool {
    of_kind(kept, TRUSTED) || kept.kind == FORMER_NAME
}

/// Whether an attribute is of this kind, of whichever part of a record.
pub(crate) fn of_kind(kept: &Pkcs11Attribute, kind: u64) -> bool {
    kept.kind & u64::from(u32::MAX) == kind
}
