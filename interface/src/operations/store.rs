//! Messages of the extensions that the key store answers: keys with their metadata, certificates and data, grants.

#![expect(missing_docs, reason = "fields are named as in upstream's operations; those without a note need none")]

use crate::algorithm::numbered;
use crate::attributes::Policy;
use crate::message::{KeyAttributes, KeyType, Pkcs11Attribute, UsageFlags};
use prost::Message;

numbered! {
    /// What a record is.
    RecordKind { Key = 1, Certificate = 2, Data = 3, }
}

numbered! {
    /// Where the private part of a key is when it works.
    Tier {
        /// In the memory of the service.
        Software = 1,
        /// In a TPM or an HSM.
        Hardware = 2,
        /// Sealed by hardware, used in the memory of the service.
        Sealed = 3,
    }
}

impl Tier {
    /// As people read it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Software => "software",
            Self::Hardware => "hw",
            Self::Sealed => "sealed",
        }
    }
}

/// A key or an object, with all that is public of it.
#[derive(Clone, PartialEq, Message)]
pub struct Record {
    /// Number of a [`RecordKind`].
    #[prost(int32, tag = "1")]
    pub kind: i32,
    /// Never reused; 32 hexadecimal digits.
    #[prost(string, tag = "2")]
    pub uuid: String,
    /// The owning principal.
    #[prost(string, tag = "3")]
    pub owner: String,
    #[prost(uint32, tag = "4")]
    pub provider_id: u32,
    #[prost(string, tag = "5")]
    pub name: String,
    #[prost(string, tag = "6")]
    pub label: String,
    /// PKCS#11 CKA_ID.
    #[prost(bytes = "vec", tag = "7")]
    pub id: Vec<u8>,
    /// Of keys.
    #[prost(message, optional, tag = "8")]
    pub attributes: Option<KeyAttributes>,
    /// Of key pairs and public keys, as exported.
    #[prost(bytes = "vec", tag = "9")]
    pub public_key: Vec<u8>,
    /// Of objects: the DER certificate or the data.
    #[prost(bytes = "vec", tag = "10")]
    pub value: Vec<u8>,
    /// Of keys: what the caller may do.
    #[prost(message, optional, tag = "11")]
    pub usage: Option<UsageFlags>,
    /// Of keys: number of a [`Tier`].
    #[prost(int32, tag = "12")]
    pub tier: i32,
    /// Unix time in seconds.
    #[prost(uint64, tag = "13")]
    pub created: u64,
    /// The hardware does not show the key at present.
    #[prost(bool, tag = "14")]
    pub missing: bool,
    /// Of keys: known to be made by the provider that holds it, never outside.
    #[prost(bool, tag = "15")]
    pub local: bool,
    /// What the owner wants kept with it.
    #[prost(message, repeated, tag = "16")]
    pub pkcs11: Vec<Pkcs11Attribute>,
    /// Of keys: never written down, ends with the application that made it.
    #[prost(bool, tag = "17")]
    pub volatile: bool,
    /// Of keys: all that the policy has ever permitted.
    #[prost(message, optional, tag = "18")]
    pub past: Option<UsageFlags>,
    /// Of keys: the caller may not decrypt with it, so the provider chooses all nonces and initialisation vectors of what the caller
    /// encrypts, and refuses those that are given.
    #[prost(bool, tag = "19")]
    pub fresh_nonces: bool,
    /// It is somebody else's, and the caller was granted something of it.
    #[prost(bool, tag = "20")]
    pub foreign: bool,
    /// Of keys: the device of its provider does not answer at present.
    #[prost(bool, tag = "21")]
    pub away: bool,
}

impl Record {
    /// Whether this is an RSA key of the type RSA-PSS (RFC 4055 §1.2), because it signs with nothing else. Of a key of upstream's service,
    /// which tells no UUID and permits one algorithm to each key, that says nothing.
    pub fn pss_alone(&self, policy: &Policy) -> bool {
        !self.uuid.is_empty() && policy.pss_alone()
    }
}

/// One key by its name.
#[derive(Clone, PartialEq, Message)]
pub struct LookupKey {
    #[prost(string, tag = "1")]
    pub key_name: String,
    /// Extension: the owning principal, where that is not the caller.
    #[prost(string, optional, tag = "100")]
    pub owner: Option<String>,
}

/// Records that match every given field: those that the caller owns, then those of others that it was granted something of. Others'
/// are only those of root, administrators and owners whom the caller has accepted ([`Accept`]), unless `owner` or `uuid` names them.
#[derive(Clone, PartialEq, Message)]
pub struct Find {
    /// Number of a [`RecordKind`].
    #[prost(int32, optional, tag = "1")]
    pub kind: Option<i32>,
    #[prost(string, optional, tag = "2")]
    pub owner: Option<String>,
    #[prost(string, optional, tag = "3")]
    pub name: Option<String>,
    #[prost(string, optional, tag = "4")]
    pub label: Option<String>,
    #[prost(bytes = "vec", optional, tag = "5")]
    pub id: Option<Vec<u8>>,
    /// Attributes that are kept with the record; of certificates also `CKA_SUBJECT`, `CKA_ISSUER` and `CKA_SERIAL_NUMBER`.
    #[prost(message, repeated, tag = "6")]
    pub pkcs11: Vec<Pkcs11Attribute>,
    /// SHA-1 of the public value, as of [`PublicKey::id`](crate::spki::PublicKey::id): keys, and certificates for them.
    #[prost(bytes = "vec", optional, tag = "7")]
    pub public_id: Option<Vec<u8>>,
    /// Of keys: any one of these types; none: all, and objects.
    #[prost(message, repeated, tag = "8")]
    pub key_types: Vec<KeyType>,
    /// The one with this UUID.
    #[prost(string, optional, tag = "9")]
    pub uuid: Option<String>,
    /// At most so many; 0: as many as the service allows.
    #[prost(uint32, tag = "10")]
    pub limit: u32,
    /// Only records behind those of an earlier answer: what stood in its `next`, or the UUID of its last record.
    #[prost(string, optional, tag = "11")]
    pub after: Option<String>,
}

/// Result of [`Find`].
#[derive(Clone, PartialEq, Message)]
pub struct Found {
    /// The caller's own, then others', each in the order of their UUIDs.
    #[prost(message, repeated, tag = "1")]
    pub records: Vec<Record>,
    /// There are further ones: ask again with `after`.
    #[prost(bool, tag = "2")]
    pub more: bool,
    /// What `after` is then. It still leads on when the last record was destroyed meanwhile.
    #[prost(string, optional, tag = "3")]
    pub next: Option<String>,
}

/// Changes what stands beside a record of the caller, or narrows the policy of a key.
#[derive(Clone, PartialEq, Message)]
pub struct SetMetadata {
    /// Number of a [`RecordKind`].
    #[prost(int32, tag = "1")]
    pub kind: i32,
    #[prost(string, tag = "2")]
    pub name: String,
    #[prost(string, optional, tag = "3")]
    pub label: Option<String>,
    #[prost(bytes = "vec", optional, tag = "4")]
    pub id: Option<Vec<u8>>,
    /// Each in the place of the one of its kind.
    #[prost(message, repeated, tag = "5")]
    pub pkcs11: Vec<Pkcs11Attribute>,
    /// Of keys: what of the policy's uses remains, for good. What the policy does not permit is not added.
    #[prost(message, optional, tag = "6")]
    pub usage: Option<UsageFlags>,
    /// Of data objects: the new data.
    #[prost(bytes = "vec", optional, tag = "7")]
    pub value: Option<Vec<u8>>,
}

/// Stores a certificate or data, in the place of what the caller had under this name.
#[derive(Clone, PartialEq, Message)]
pub struct PutObject {
    /// Number of a [`RecordKind`], not a key.
    #[prost(int32, tag = "1")]
    pub kind: i32,
    #[prost(string, tag = "2")]
    pub name: String,
    #[prost(bytes = "vec", tag = "3")]
    pub value: Vec<u8>,
    #[prost(string, optional, tag = "4")]
    pub label: Option<String>,
    #[prost(bytes = "vec", optional, tag = "5")]
    pub id: Option<Vec<u8>>,
    /// Kept with it.
    #[prost(message, repeated, tag = "6")]
    pub pkcs11: Vec<Pkcs11Attribute>,
}

/// One certificate or data object by its name.
#[derive(Clone, PartialEq, Message)]
pub struct LookupObject {
    /// Number of a [`RecordKind`], not a key.
    #[prost(int32, tag = "1")]
    pub kind: i32,
    #[prost(string, tag = "2")]
    pub name: String,
    #[prost(string, optional, tag = "3")]
    pub owner: Option<String>,
}

/// Destroys a certificate or data object of the caller.
#[derive(Clone, PartialEq, Message)]
pub struct DestroyObject {
    /// Number of a [`RecordKind`], not a key.
    #[prost(int32, tag = "1")]
    pub kind: i32,
    #[prost(string, tag = "2")]
    pub name: String,
}

numbered! {
    /// What was said of an owner whose keys were granted.
    Verdict {
        /// They are listed.
        Accepted = 1,
        /// They were granted before anybody could be asked, and are listed until they are rejected.
        Standing = 2,
        /// They are not listed, even where an administrator has accepted the owner for many.
        Rejected = 3,
    }
}

/// Says whether somebody else's keys are listed with the caller's own, and meant by a name without an owner. They can be used either
/// way, by whoever names their owner.
#[derive(Clone, PartialEq, Message)]
pub struct Accept {
    /// Whose keys.
    #[prost(string, tag = "1")]
    pub owner: String,
    /// Number of a [`Verdict`]; 0 forgets what was said.
    #[prost(int32, tag = "2")]
    pub verdict: i32,
    /// For whom, where an administrator says it for others: a principal, or the beginning of principals and `*`, such as `uid:*`.
    #[prost(string, optional, tag = "3")]
    pub callers: Option<String>,
}

/// Whose keys were granted to the caller, and which of them are listed.
#[derive(Clone, PartialEq, Message)]
pub struct ListAccepted {
    /// For whom, where an administrator asks for others, as in [`Accept`].
    #[prost(string, optional, tag = "1")]
    pub callers: Option<String>,
}

/// Result of [`ListAccepted`].
#[derive(Clone, PartialEq, Message)]
pub struct Owners {
    /// In the order of their kinds and names.
    #[prost(message, repeated, tag = "1")]
    pub owners: Vec<AcceptedOwner>,
}

/// Somebody who has granted keys, or of whom something was said.
#[derive(Clone, PartialEq, Message)]
pub struct AcceptedOwner {
    #[prost(string, tag = "1")]
    pub owner: String,
    /// Number of a [`Verdict`]: what was said for these very callers; 0: nothing.
    #[prost(int32, tag = "2")]
    pub verdict: i32,
    /// The keys are listed, for whatever reason.
    #[prost(bool, tag = "3")]
    pub listed: bool,
    /// How many keys were granted.
    #[prost(uint32, tag = "4")]
    pub keys: u32,
}

/// Lets another principal use a key.
#[derive(Clone, PartialEq, Message)]
pub struct Grant {
    #[prost(string, tag = "1")]
    pub key_name: String,
    /// Such as `uid:33`.
    #[prost(string, tag = "2")]
    pub principal: String,
    /// All that it may do; replaces an earlier grant.
    #[prost(message, optional, tag = "3")]
    pub usage: Option<UsageFlags>,
    /// Extension: the owning principal, where that is not the caller.
    #[prost(string, optional, tag = "100")]
    pub owner: Option<String>,
}

/// Takes back what [`Grant`] gave.
#[derive(Clone, PartialEq, Message)]
pub struct Revoke {
    #[prost(string, tag = "1")]
    pub key_name: String,
    #[prost(string, tag = "2")]
    pub principal: String,
    /// Extension: the owning principal, where that is not the caller.
    #[prost(string, optional, tag = "100")]
    pub owner: Option<String>,
}

/// Who may use a key.
#[derive(Clone, PartialEq, Message)]
pub struct ListGrants {
    #[prost(string, tag = "1")]
    pub key_name: String,
    /// Extension: the owning principal, where that is not the caller.
    #[prost(string, optional, tag = "100")]
    pub owner: Option<String>,
}

/// Result of [`ListGrants`].
#[derive(Clone, PartialEq, Message)]
pub struct Grants {
    #[prost(message, repeated, tag = "1")]
    pub grants: Vec<Granted>,
}

/// One grant.
#[derive(Clone, PartialEq, Message)]
pub struct Granted {
    #[prost(string, tag = "1")]
    pub principal: String,
    #[prost(message, optional, tag = "2")]
    pub usage: Option<UsageFlags>,
}
