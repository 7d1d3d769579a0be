//! Messages of the extensions that the key store answers: keys with their metadata, certificates and data, grants.

#![expect(missing_docs, reason = "fields are named as in upstream's operations; those without a note need none")]

use crate::algorithm::numbered;
use crate::attributes::Policy;
use crate::message::{KeyAttributes, KeyType, Pkcs11Attribute, UsageFlags, messages};

numbered! {
    /// What a record is.
    RecordKind { Key = 1, Certificate = 2, Data = 3, }
}

numbered! {
    /// Where the private part of a key is when it works.
    Tier {
        /// In the memory of the service.
        Software = 1,
        /// In a TPM.
        Hardware = 2,
        /// Sealed by hardware, used in the memory of the service.
        Sealed = 3,
        /// In a token of PKCS#11: a hardware security module, or what acts as one.
        Hsm = 4,
    }
}

impl Tier {
    /// As people read it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Software => "software",
            Self::Hardware => "hw",
            Self::Sealed => "sealed",
            Self::Hsm => "hsm",
        }
    }
}

messages! {
    /// A key or an object, with all that is public of it.
    Record {
        /// Number of a [`RecordKind`].
        1 (int32) kind: i32,
        /// Never reused; 32 hexadecimal digits.
        2 (string) uuid: String,
        /// The owning principal.
        3 (string) owner: String,
        4 (uint32) provider_id: u32,
        5 (string) name: String,
        6 (string) label: String,
        /// PKCS#11 CKA_ID.
        7 (bytes = "vec") id: Vec<u8>,
        /// Of keys.
        8 (message, optional) attributes: Option<KeyAttributes>,
        /// Of key pairs and public keys, as exported.
        9 (bytes = "vec") public_key: Vec<u8>,
        /// Of objects: the DER certificate or the data.
        10 (bytes = "vec") value: Vec<u8>,
        /// Of keys: what the caller may do.
        11 (message, optional) usage: Option<UsageFlags>,
        /// Of keys: number of a [`Tier`].
        12 (int32) tier: i32,
        /// Unix time in seconds.
        13 (uint64) created: u64,
        /// The hardware does not show the key at present.
        14 (bool) missing: bool,
        /// Of keys: known to be made by the provider that holds it, never outside.
        15 (bool) local: bool,
        /// What the owner wants kept with it.
        16 (message, repeated) pkcs11: Vec<Pkcs11Attribute>,
        /// Of keys: never written down, ends with the application that made it.
        17 (bool) volatile: bool,
        /// Of keys: all that the policy has ever permitted.
        18 (message, optional) past: Option<UsageFlags>,
        /// Of keys: the caller may not decrypt with it, so the provider chooses all nonces and initialisation vectors of what the caller
        /// encrypts, and refuses those that are given.
        19 (bool) fresh_nonces: bool,
        /// It is somebody else's, and the caller was granted something of it.
        20 (bool) foreign: bool,
        /// Of keys: the device of its provider does not answer at present.
        21 (bool) away: bool,
        /// The name that the owning user had when it got its keys, if it has another one now. It has none of them until an
        /// administrator decides ([`ConfirmUser`]).
        22 (string) former_user: String,
    }
}

impl Record {
    /// Whether this is an RSA key of the type RSA-PSS (RFC 4055 §1.2), because it signs with nothing else. Of a key of upstream's service,
    /// which tells no UUID and permits one algorithm to each key, that says nothing.
    pub fn pss_alone(&self, policy: &Policy) -> bool {
        !self.uuid.is_empty() && policy.pss_alone()
    }
}

messages! {
    /// One key by its name.
    LookupKey { 1 (string) key_name: String } + owner

    /// Records that match every given field: those that the caller owns, then those of others that it was granted something of. Others'
    /// are only those of root, administrators and owners whom the caller has accepted ([`Accept`]), unless `owner` or `uuid` names them.
    Find {
        /// Number of a [`RecordKind`].
        1 (int32, optional) kind: Option<i32>,
        2 (string, optional) owner: Option<String>,
        3 (string, optional) name: Option<String>,
        4 (string, optional) label: Option<String>,
        5 (bytes = "vec", optional) id: Option<Vec<u8>>,
        /// Attributes that are kept with the record; of certificates also `CKA_SUBJECT`, `CKA_ISSUER` and `CKA_SERIAL_NUMBER`.
        6 (message, repeated) pkcs11: Vec<Pkcs11Attribute>,
        /// SHA-1 of the public value, as of [`PublicKey::id`](crate::spki::PublicKey::id): keys, and certificates for them.
        7 (bytes = "vec", optional) public_id: Option<Vec<u8>>,
        /// Of keys: any one of these types; none: all, and objects.
        8 (message, repeated) key_types: Vec<KeyType>,
        /// The one with this UUID.
        9 (string, optional) uuid: Option<String>,
        /// At most so many; 0: as many as the service allows.
        10 (uint32) limit: u32,
        /// Only records behind those of an earlier answer: what stood in its `next`, or the UUID of its last record.
        11 (string, optional) after: Option<String>,
        /// A label or an id also finds key pairs whose public half has one of its own, which is kept as `CKA_LABEL` or `CKA_ID`.
        12 (bool) public_halves: bool,
        /// Keys of everybody, for administrators: they see what is public of a key, and may not use it.
        13 (bool) everyone: bool,
    }

    /// Result of [`Find`].
    Found {
        /// The caller's own, then others', each in the order of their UUIDs.
        1 (message, repeated) records: Vec<Record>,
        /// There are further ones: ask again with `after`.
        2 (bool) more: bool,
        /// What `after` is then. It still leads on when the last record was destroyed meanwhile.
        3 (string, optional) next: Option<String>,
        /// The service knows [`Find::public_halves`].
        4 (bool) public_halves: bool,
        /// These are keys of everybody, as [`Find::everyone`] has asked for.
        5 (bool) everyone: bool,
    }

    /// Changes what stands beside a record of the caller, or narrows the policy of a key.
    SetMetadata {
        /// Number of a [`RecordKind`].
        1 (int32) kind: i32,
        2 (string) name: String,
        3 (string, optional) label: Option<String>,
        4 (bytes = "vec", optional) id: Option<Vec<u8>>,
        /// Each in the place of the one of its kind.
        5 (message, repeated) pkcs11: Vec<Pkcs11Attribute>,
        /// Of keys: what of the policy's uses remains, for good. What the policy does not permit is not added.
        6 (message, optional) usage: Option<UsageFlags>,
        /// Of data objects: the new data.
        7 (bytes = "vec", optional) value: Option<Vec<u8>>,
        /// Of keys: the new name; nothing else changes then. Whoever uses or looks up the key finds it by its former names too, as long as
        /// no other key of the owner has them.
        8 (string, optional) rename: Option<String>,
    }

    /// Stores a certificate or data, in the place of what the caller had under this name.
    PutObject {
        /// Number of a [`RecordKind`], not a key.
        1 (int32) kind: i32,
        2 (string) name: String,
        3 (bytes = "vec") value: Vec<u8>,
        4 (string, optional) label: Option<String>,
        5 (bytes = "vec", optional) id: Option<Vec<u8>>,
        /// Kept with it.
        6 (message, repeated) pkcs11: Vec<Pkcs11Attribute>,
    }

    /// One certificate or data object by its name.
    LookupObject {
        /// Number of a [`RecordKind`], not a key.
        1 (int32) kind: i32,
        2 (string) name: String,
        3 (string, optional) owner: Option<String>,
    }

    /// Destroys a certificate or data object of the caller.
    DestroyObject {
        /// Number of a [`RecordKind`], not a key.
        1 (int32) kind: i32,
        2 (string) name: String,
    }
}

/// PKCS#11 `CKA_LABEL` and `CKA_ID`.
const LABEL: u64 = 3;
const ID: u64 = 0x102;

impl Find {
    /// Plain searches that together find what this one finds.
    pub fn ways(&self) -> impl Iterator<Item = Self> {
        let plain = Self { public_halves: false, ..self.clone() };
        let label = self.label.as_ref().map(|label| (LABEL, label.clone().into_bytes()));
        let named = [label, self.id.as_ref().map(|id| (ID, id.clone()))];
        let named = named.into_iter().flatten().filter(|_| self.public_halves).map({
            let plain = plain.clone();
            move |(kind, value)| Self {
                label: None,
                id: None,
                pkcs11: plain.pkcs11.iter().cloned().chain([Pkcs11Attribute { kind, value }]).collect(),
                ..plain.clone()
            }
        });
        std::iter::once(plain).chain(named)
    }
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

messages! {
    /// Says whether somebody else's keys are listed with the caller's own, and meant by a name without an owner. They can be used either
    /// way, by whoever names their owner.
    Accept {
        /// Whose keys.
        1 (string) owner: String,
        /// Number of a [`Verdict`]; 0 forgets what was said.
        2 (int32) verdict: i32,
        /// For whom, where an administrator says it for others: a principal, or the beginning of principals and `*`, such as `uid:*`.
        3 (string, optional) callers: Option<String>,
    }

    /// Whose keys were granted to the caller, and which of them are listed.
    ListAccepted {
        /// For whom, where an administrator asks for others, as in [`Accept`].
        1 (string, optional) callers: Option<String>,
    }

    /// Result of [`ListAccepted`].
    Owners {
        /// In the order of their kinds and names.
        1 (message, repeated) owners: Vec<AcceptedOwner>,
    }

    /// Somebody who has granted keys, or of whom something was said.
    AcceptedOwner {
        1 (string) owner: String,
        /// Number of a [`Verdict`]: what was said for these very callers; 0: nothing.
        2 (int32) verdict: i32,
        /// The keys are listed, for whatever reason.
        3 (bool) listed: bool,
        /// How many keys were granted.
        4 (uint32) keys: u32,
    }

    /// Lets another principal use a key.
    Grant {
        1 (string) key_name: String,
        /// Such as `uid:33`.
        2 (string) principal: String,
        /// All that it may do; replaces an earlier grant.
        3 (message, optional) usage: Option<UsageFlags>,
    } + owner

    /// Takes back what [`Grant`] gave.
    Revoke {
        1 (string) key_name: String,
        2 (string) principal: String,
    } + owner

    /// Gives a key, with its certificates, to another owner. Whoever may use it still finds it under its former owners and names, as long
    /// as no other key has them. The former owner keeps what `keep` says. Asked for twice, it is done once.
    ChangeOwner {
        1 (string) key_name: String,
        /// The new owner, such as `uid:33`.
        2 (string) principal: String,
        /// What the former owner may go on doing.
        3 (message, optional) keep: Option<UsageFlags>,
    } + owner

    /// Says who a user is that has another name than when it got its keys: the same user, who keeps them, or another one.
    ConfirmUser {
        /// Such as `uid:1000`.
        1 (string) principal: String,
        /// It is another user. What the former one was granted, its certificates and its tokens end. Its keys must have other owners.
        2 (bool) another: bool,
    }

    /// Who may use a key.
    ListGrants { 1 (string) key_name: String } + owner

    /// Result of [`ListGrants`].
    Grants { 1 (message, repeated) grants: Vec<Granted> }

    /// One grant.
    Granted {
        1 (string) principal: String,
        2 (message, optional) usage: Option<UsageFlags>,
    }
}
