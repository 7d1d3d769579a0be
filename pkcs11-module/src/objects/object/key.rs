//! A key as the service reports it, with the name for requests.

use cryptoki_sys::{CK_ATTRIBUTE_TYPE, CKA_EXTRACTABLE};
use interface::ProviderId;
use interface::algorithm::Algorithm;
use interface::attributes::{Attributes, Usage};
use interface::client::KeyRef;
use interface::group::{Group, GroupKey};
use interface::kind::Parameters;

use crate::error::{Error, Result};
use crate::mechanism::{self, Family, Work};
use crate::objects::material;

/// One key.
#[derive(Clone)]
pub(crate) struct KeyObject {
    pub(crate) provider: ProviderId,
    pub(crate) name: String,
    pub(super) owner: String,
    pub(crate) attributes: Attributes,
    /// What this client may do.
    pub(crate) usage: Usage,
    /// All that its policy has ever permitted.
    pub(super) past: Usage,
    /// Known to have been made by its provider.
    pub(super) local: bool,
    /// What this client encrypts has nonces and initialisation vectors of the service's choice.
    pub(crate) fresh_nonces: bool,
    /// As exported; empty for secret keys.
    pub(crate) public: Vec<u8>,
}

impl KeyObject {
    /// The owner as requests name it.
    pub(crate) fn owner(&self) -> Option<String> {
        (!self.owner.is_empty()).then(|| self.owner.clone())
    }

    /// The key in use.
    pub(crate) fn reference(&self) -> KeyRef {
        KeyRef { provider: self.provider, owner: self.owner(), name: self.name.clone() }
    }

    /// The group that it brings.
    pub(crate) fn group(&self) -> Option<Group> {
        GroupKey::from_spki(&self.public).map(|key| key.group)
    }

    /// Whether this client may do one of these.
    pub(crate) fn may(&self, usage: Usage) -> bool {
        !self.usage.and(usage).is_empty()
    }

    /// Fails for a mechanism that cannot use it so, whatever the parameter says. A use is one of the key's attributes
    /// (CKR_KEY_FUNCTION_NOT_PERMITTED); a mechanism that its CKA_ALLOWED_MECHANISMS does not list for the use does not exist for the key
    /// (CKR_MECHANISM_INVALID).
    pub(crate) fn check_work(&self, work: Work, usage: Usage) -> Result<()> {
        match () {
            () if work.family() != Family::of(self.attributes.key_type) => Err(Error::KeyTypeInconsistent),
            () if !self.may(usage) => Err(Error::KeyFunctionNotPermitted),
            () if !work.permitted(&self.attributes.policy) => Err(Error::MechanismInvalid),
            () => Ok(()),
        }
    }

    /// Fails for an algorithm that a mechanism's parameter asks for and the key does not permit for this use.
    pub(crate) fn check(&self, usage: Usage, algorithm: Algorithm) -> Result<()> {
        match () {
            () if !self.attributes.policy.permits(algorithm) => Err(Error::MechanismParamInvalid),
            () if !self.permits(usage, algorithm) => Err(Error::KeyFunctionNotPermitted),
            () => Ok(()),
        }
    }

    /// Whether its policy permits an algorithm for this use, and that is no decryption where this client may not decrypt.
    pub(crate) fn permits(&self, usage: Usage, algorithm: Algorithm) -> bool {
        let policy = &self.attributes.policy;
        policy.permits(algorithm) && !(self.fresh_nonces && policy.entails(usage, algorithm).contains(Usage::DECRYPT))
    }

    /// Fails where the service chooses the nonce or the initialisation vector, and the mechanism's parameter has one.
    pub(crate) fn check_nonce(&self, algorithm: Algorithm) -> Result<()> {
        if self.fresh_nonces && algorithm.takes_nonce() { Err(Error::MechanismParamInvalid) } else { Ok(()) }
    }

    /// Whether keys of its type may have this use: some mechanism is for it, or they leave.
    pub(crate) fn suits(&self, kind: CK_ATTRIBUTE_TYPE) -> bool {
        let family = Family::of(self.attributes.key_type);
        kind == CKA_EXTRACTABLE || mechanism::all().any(|row| row.work.serves(kind) && row.work.family() == family)
    }

    /// The curve of a key on one.
    pub(crate) fn curve(&self) -> Option<&'static Parameters> {
        let curve = Parameters::of(self.attributes.key_type.public(), self.attributes.bits);
        curve.filter(|curve| curve.key_type.family().is_some())
    }

    /// Whether this is its point, in whichever form.
    pub(super) fn has_point(&self, given: &[u8]) -> bool {
        self.curve().is_some_and(|curve| material::same_point(material::point(given, curve), &self.public))
    }

    /// Whether anybody could ever do one of these.
    pub(super) fn permitted(&self, usage: Usage) -> bool {
        !self.past.and(usage).is_empty()
    }
}
