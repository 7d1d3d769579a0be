//! What there is to know of each kind of key, and of any public key of the service.

use std::ffi::{CStr, c_int};

use interface::{
    attributes::{KeyType, Policy},
    policy::Purpose,
    pss::Pss,
    spki::{self, PublicKey},
};
use zeroize::Zeroizing;

use crate::{
    error::Error,
    ffi::{
        OSSL_KEYMGMT_SELECT_PRIVATE_KEY, OSSL_KEYMGMT_SELECT_PUBLIC_KEY, Param,
        params::{Field, Given, Params, Setting, Value},
    },
    options::{self, Options},
};

/// A public key of the service.
pub(crate) struct Public {
    pub(crate) key: PublicKey,
    /// Whether it is an RSA key for PSS alone.
    pub(crate) pss: bool,
    /// What such a key permits, where it does not permit all.
    pub(crate) only: Option<Pss>,
}

impl Public {
    pub(crate) fn from_spki(spki: &[u8]) -> Option<Self> {
        Some(Self { key: PublicKey::from_spki(spki)?, pss: spki::is_pss(spki), only: Pss::of_spki(spki) })
    }
}

/// What can be set of a key to nothing but what it is.
pub(crate) struct Fixed {
    pub(crate) name: &'static CStr,
    pub(crate) value: Value<'static>,
}

impl Fixed {
    pub(crate) fn check(&self, given: &Given<'_>) -> Result<(), Error> {
        let same = match self.value {
            Value::Text(text) => text.to_str().ok() == given.text(),
            Value::Int(number) => given.int() == Some(number),
            _ => false,
        };
        let refused = || Error::Unsupported(format!("{:?} of a key of the parsec provider stays as it is", self.name));
        if same { Ok(()) } else { Err(refused()) }
    }
}

/// A kind of key. The value is a public key.
pub(crate) trait Kind: Clone + PartialEq + 'static {
    /// The type's name in OpenSSL.
    const NAME: &'static CStr;
    /// What can be asked of a key. The first ones are the public key itself.
    const FIELDS: &'static [Field<Self>];
    /// The descriptors of all fields.
    const GETTABLE: &'static [Param];
    /// The descriptors of the public key's fields.
    const PUBLIC: &'static [Param];
    /// The parameter that a private key would come in.
    const PRIVATE: &'static CStr;
    /// The parts, as OSSL_KEYMGMT_SELECT_*, of which one has to be selected for such a key to be exported at all.
    const EXPORTED: c_int = OSSL_KEYMGMT_SELECT_PRIVATE_KEY | OSSL_KEYMGMT_SELECT_PUBLIC_KEY;

    /// Whether a key with nothing in it is one that OpenSSL copies, and makes as parameters.
    const EMPTY: bool = false;

    /// What can be set: first the public point of what is no more than domain parameters so far.
    const SETTABLE: &'static [Param] = &[Param::END];
    /// What of that is never changed.
    const FIXED: &'static [Fixed] = &[];

    /// The type of new keys.
    const NEW: KeyType;
    /// The size of new keys where nobody says another; None where somebody has to.
    const BITS: Option<u32>;
    /// What can be said of new keys.
    const OPTIONS: &'static [Setting<Options>];
    /// The descriptors of all of that.
    const OPTIONS_SETTABLE: &'static [Param];

    /// Takes a public key of the service, if it is of this kind.
    fn of(public: &Public) -> Option<Self>;

    /// The DER of its SubjectPublicKeyInfo.
    fn spki(&self) -> Option<Vec<u8>>;

    /// Takes a public key in the form of [`Self::PUBLIC`], or domain parameters alone, if they are what this provider can use.
    fn import(params: Params<'_>) -> Option<Self>;

    /// The policy of a new key for a purpose, or for what such keys usually do; None where they are not fit for it.
    fn policy(_: &Options, purpose: Option<Purpose>) -> Option<Policy> {
        options::policy(Self::NEW, purpose)
    }

    /// Whether there are domain parameters.
    const GROUPS: bool = false;

    /// The size in bits of the domain parameters, where there are any.
    fn group(&self) -> Option<u32> {
        None
    }

    /// The domain parameters of this size in bits.
    fn of_group(_bits: u32) -> Option<Self> {
        None
    }

    /// The domain parameters alone, where there are any.
    fn parameters(&self) -> Option<Self> {
        None
    }

    /// Whether this is more than domain parameters.
    fn complete(&self) -> bool {
        true
    }

    /// The public key that [`Self::SETTABLE`] makes, of these domain parameters where its kind has any.
    fn completed(_parameters: Option<&Self>, _: Params<'_>) -> Option<Self> {
        None
    }

    /// What is known of a new key of this size before it is made. None of a kind that is made at once.
    fn blank(_bits: u32) -> Option<Self> {
        None
    }

    /// Whether all that such keys do is to agree on secrets.
    const AGREES_ALONE: bool = false;

    /// A new key, made here, of which this is known. None of a kind that is not made so.
    fn ephemeral(&self) -> Option<(Self, Secret)> {
        None
    }

    /// What else is exported of it, as OSSL_KEYMGMT_SELECT_OTHER_PARAMETERS.
    fn other(&self) -> Vec<(&'static CStr, Value<'_>)> {
        Vec::new()
    }

    /// Whether the numbers make a public key.
    fn valid(&self) -> bool;

    /// The name of the algorithm that does an operation with this kind of key.
    fn operation(operation: c_int) -> &'static CStr;
}

/// A private key, or what was agreed on with one.
pub(crate) type Secret = Zeroizing<Vec<u8>>;
