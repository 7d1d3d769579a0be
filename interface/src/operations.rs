//! Every operation, once. Its row has its number, its messages, who may call it, where it is addressed, who knows it, whether it
//! may be repeated, how it uses a key, and what it changes.
//!
//! Numbers below 0x8000 are upstream's. Those from 0x8000 up are extensions. They answer only on a connection that has said
//! [`Hello`], because upstream's clients break on numbers that they do not know. The same holds for fields numbered 100 and up.

mod attest;
mod core;
mod crypto;
mod keys;
mod store;
mod token;

pub use self::attest::*;
pub use self::core::*;
pub use self::crypto::*;
pub use self::keys::*;
pub use self::store::*;
pub use self::token::*;

use crate::Status;
use crate::algorithm::{self, Algorithm};
use crate::attributes::{Attributes, Usage};
use crate::message::{Empty, Pkcs11Attribute, required};
use prost::Message;

/// One operation: its request body, with all that the service needs to judge it.
pub trait Operation: Message + Default + Clone + 'static {
    /// The operation's number.
    const OPCODE: Opcode;
    /// The response body.
    type Output: Message + Default;

    /// How the request uses a key, parsed; fails where a mandatory part is missing or unknown.
    fn key(&self) -> Result<KeyUse<'_>, Status>;

    /// What it names beside a key.
    fn named(&self) -> Named<'_>;
}

/// What can be done with the type of any operation; see [`Opcode::visit`].
pub trait Visitor {
    /// What comes of it.
    type Output;

    /// Does it.
    fn visit<O: Operation>(self) -> Self::Output;
}

/// What a request changes. Each is an event in the service's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Effect {
    /// Nothing.
    Nothing,
    /// A key or an object is there that was not. [`Encapsulate`] and [`Decapsulate`] may do without.
    Make,
    /// A key or an object is gone.
    Destroy,
    /// What stands beside a key or an object, or what the key's policy permits.
    Modify,
    /// Somebody else may use a key.
    Grant,
    /// Somebody else may not any more.
    Revoke,
    /// Somebody else owns a key.
    Chown,
    /// Whose keys show beside the caller's own.
    Accept,
    /// A token is as new: its keys are gone.
    Reset,
    /// A PIN.
    Pin,
    /// Somebody is logged in to a token.
    Login,
    /// Nobody is any more.
    Logout,
    /// An administrator has changed what is somebody else's.
    Admin,
}

/// What a request names beside a key, for the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Named<'a> {
    /// A certificate or data, or a key that the request does not use.
    pub object: Option<&'a str>,
    /// The principal that it is about.
    pub to: Option<&'a str>,
    /// What that one may do with a key.
    pub usage: Option<Usage>,
}

/// Who may call an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anyone, also without authentication.
    Anyone,
    /// An authenticated application.
    App,
    /// An administrator.
    Admin,
}

/// Which provider an operation is addressed to, and who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Addressed to the core and answered by it.
    Core,
    /// Addressed to a crypto provider and answered by it.
    Provider,
    /// Addressed to a crypto provider, answered from the key store whatever the provider.
    Store,
}

/// Who knows the number of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// Upstream's services and clients.
    Upstream,
    /// Upstream's specification, but not its clients.
    Hidden,
    /// An extension: its number is 0x8000 or higher.
    Ours,
}

/// The name of a key, qualified by its owner where that is not the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyName<'a> {
    /// The owning principal, such as `uid:33`. `None` is the caller. After [`Hello`], if the caller has no key of this name and the request
    /// would not change one, `None` is the only owner who has granted it such a key and is root, an administrator or accepted.
    pub owner: Option<&'a str>,
    /// The name, unique for its owner and provider.
    pub name: &'a str,
}

/// A key in use: its policy must permit usage and algorithm, the caller must own it or hold a grant of the usage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Used<'a> {
    /// Its name.
    pub key: KeyName<'a>,
    /// What for.
    pub usage: Usage,
    /// The concrete algorithm; `None` where the operation has none.
    pub algorithm: Option<Algorithm>,
    /// The caller chooses the nonce or the initialisation vector to encrypt under.
    pub nonce: bool,
}

impl<'a> Used<'a> {
    /// A key in use under no nonce of the caller's.
    pub const fn new(key: KeyName<'a>, usage: Usage, algorithm: Option<Algorithm>) -> Self {
        Self { key, usage, algorithm, nonce: false }
    }
}

/// What a new key is filed under, and what is kept with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filing {
    /// Unique for its owner and provider.
    pub name: String,
    /// For people; `None`: the name.
    pub label: Option<String>,
    /// PKCS#11 `CKA_ID`; `None`: that of the public key, and of a secret key its UUID.
    pub id: Option<Vec<u8>>,
    /// It is never written down and ends with the application that makes it.
    pub volatile: bool,
    /// Kept as it is.
    pub pkcs11: Vec<Pkcs11Attribute>,
}

/// How a request uses a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyUse<'a> {
    /// Not at all.
    None,
    /// Creates it.
    New {
        /// Its name, and what stands beside it.
        filing: Filing,
        /// What it shall be.
        attributes: Attributes,
    },
    /// Uses it.
    Use(Used<'a>),
    /// Takes it out of the service under the protection of another one.
    Wrap {
        /// The key that wraps.
        with: Used<'a>,
        /// The key that leaves.
        key: Used<'a>,
    },
    /// Uses it to make a new one: out of the caller's data, or out of itself and perhaps another one.
    Make {
        /// The key that unwraps, or the base of the derivation.
        from: Used<'a>,
        /// The other key of a derivation that takes two.
        other: Option<Used<'a>>,
        /// The new key's name, and what stands beside it.
        filing: Filing,
        /// What the new key shall be.
        attributes: Attributes,
    },
    /// Makes a second one of it: for its owner.
    Copy {
        /// The original.
        of: KeyName<'a>,
        /// The UUID that the original must have; empty: whichever it has.
        uuid: &'a str,
        /// The copy's name, and what stands beside it.
        filing: Filing,
        /// What the copy shall be.
        attributes: Attributes,
    },
    /// Reads its public parts: for its owner and for whoever holds a grant.
    See(KeyName<'a>),
    /// Changes or destroys it: for its owner.
    Own(KeyName<'a>),
    /// Says whose it is: for administrators.
    Any(KeyName<'a>),
}

impl KeyUse<'_> {
    /// The key that the request is about: the one that it makes, or else the first one that it uses.
    pub fn about(&self) -> Option<KeyName<'_>> {
        match self {
            Self::None => None,
            Self::New { filing, .. } | Self::Make { filing, .. } | Self::Copy { filing, .. } => {
                Some(KeyName { owner: None, name: &filing.name })
            }
            Self::Use(Used { key, .. })
            | Self::Wrap { key: Used { key, .. }, .. }
            | Self::See(key)
            | Self::Own(key)
            | Self::Any(key) => Some(*key),
        }
    }

    /// Whether it makes a key.
    pub fn makes(&self) -> bool {
        matches!(self, Self::New { .. } | Self::Make { .. } | Self::Copy { .. })
    }

    /// The keys that have to be there for it.
    pub fn needs(&self) -> impl Iterator<Item = KeyName<'_>> {
        let (one, other) = match self {
            Self::None | Self::New { .. } => (None, None),
            Self::Use(Used { key, .. }) | Self::See(key) | Self::Own(key) | Self::Any(key) | Self::Copy { of: key, .. } => {
                (Some(*key), None)
            }
            Self::Wrap { with, key } => (Some(with.key), Some(key.key)),
            Self::Make { from, other, .. } => (Some(from.key), other.map(|other| other.key)),
        };
        one.into_iter().chain(other)
    }

    /// The owner that the request names, if it names one.
    pub fn owner(&self) -> Option<&str> {
        self.needs().find_map(|key| key.owner)
    }
}

macro_rules! operations {
    (@name $op:ident) => {
        KeyName { owner: $op.owner.as_deref(), name: &$op.key_name }
    };
    (@key none $op:ident) => {
        KeyUse::None
    };
    (@filing $op:ident) => {
        Filing {
            name: $op.key_name.clone(),
            label: $op.label.clone(),
            id: $op.id.clone(),
            volatile: $op.volatile,
            pkcs11: $op.pkcs11.clone(),
        }
    };
    (@key new $op:ident) => {
        KeyUse::New { filing: operations!(@filing $op), attributes: required($op.attributes.as_ref())?.try_into()? }
    };
    (@key copy $op:ident) => {
        KeyUse::Copy {
            of: KeyName { owner: None, name: &$op.of },
            uuid: &$op.of_uuid,
            filing: operations!(@filing $op),
            attributes: required($op.attributes.as_ref())?.try_into()?,
        }
    };
    (@key see $op:ident) => {
        KeyUse::See(operations!(@name $op))
    };
    (@key attested $op:ident) => {
        $op.attested()?
    };
    (@key own $op:ident) => {
        KeyUse::Own(operations!(@name $op))
    };
    (@key any $op:ident) => {
        KeyUse::Any(operations!(@name $op))
    };
    (@key use($usage:ident) $op:ident) => {
        KeyUse::Use(Used::new(operations!(@name $op), Usage::$usage, None))
    };
    (@key use($usage:ident, $alg:ident) $op:ident) => {
        KeyUse::Use(Used::new(operations!(@name $op), Usage::$usage, Some(Algorithm::from(parse::<algorithm::$alg, _>(&$op.alg)?))))
    };
    (@key use($usage:ident, $alg:ident, $nonce:ident) $op:ident) => {
        KeyUse::Use(Used {
            nonce: given(&$op.$nonce),
            ..Used::new(operations!(@name $op), Usage::$usage, Some(Algorithm::from(parse::<algorithm::$alg, _>(&$op.alg)?)))
        })
    };
    (@key wrap($nonce:ident) $op:ident) => {
        KeyUse::Wrap {
            with: Used { nonce: given(&$op.$nonce), ..$op.with(Usage::WRAP)? },
            key: Used::new(operations!(@name $op), Usage::COPY, None),
        }
    };
    (@key unwrap $op:ident) => {
        operations!(@make $op.with(Usage::UNWRAP)?, None, $op)
    };
    (@key derive $op:ident) => {
        operations!(@make $op.with(Usage::DERIVE)?, $op.other()?, $op)
    };
    (@key secret($usage:ident) $op:ident) => {
        match &$op.attributes {
            None => KeyUse::Use($op.with(Usage::$usage)?),
            Some(_) => operations!(@make $op.with(Usage::$usage)?, None, $op),
        }
    };
    (@make $from:expr, $other:expr, $op:ident) => {
        KeyUse::Make {
            from: $from,
            other: $other,
            filing: operations!(@filing $op),
            attributes: required($op.attributes.as_ref())?.try_into()?,
        }
    };
    (@repeatable again) => {
        true
    };
    (@repeatable once) => {
        false
    };
    (@named usage $op:ident $field:ident) => {
        $op.$field.as_ref().map(Usage::from)
    };
    (@named $named:ident $op:ident $field:ident) => {
        Some(&*$op.$field)
    };
    ($($opcode:literal $op:ident => $output:ident, $access:ident, $target:ident, $known:ident, $repeat:ident, $key:ident $(($($arg:ident),*))?,
        $effect:ident $(($($named:ident: $field:ident),*))?;)*) => {
        /// The number of an operation (the header's `opcode` field).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u32)]
        pub enum Opcode {
            $(#[doc = concat!("[`", stringify!($op), "`]")] $op = $opcode,)*
        }

        impl Opcode {
            /// Every operation, in the order of its number.
            pub const ALL: &'static [Self] = &[$(Self::$op),*];

            /// Who may call it.
            pub const fn access(self) -> Access {
                match self { $(Self::$op => Access::$access,)* }
            }

            /// Where it is addressed.
            pub const fn target(self) -> Target {
                match self { $(Self::$op => Target::$target,)* }
            }

            /// Who knows its number.
            pub const fn known(self) -> Known {
                match self { $(Self::$op => Known::$known,)* }
            }

            /// Doing it twice is as good as doing it once, so that a client may repeat it on a new connection.
            pub const fn repeatable(self) -> bool {
                match self { $(Self::$op => operations!(@repeatable $repeat),)* }
            }

            /// What it changes.
            pub const fn effect(self) -> Effect {
                match self { $(Self::$op => Effect::$effect,)* }
            }

            /// Leads from the number to the type.
            pub fn visit<V: Visitor>(self, visitor: V) -> V::Output {
                match self { $(Self::$op => visitor.visit::<$op>(),)* }
            }
        }

        impl TryFrom<u32> for Opcode {
            type Error = Status;

            fn try_from(number: u32) -> Result<Self, Status> {
                match number {
                    $($opcode => Ok(Self::$op),)*
                    _ => Err(Status::OpcodeDoesNotExist),
                }
            }
        }

        $(impl Operation for $op {
            const OPCODE: Opcode = Opcode::$op;
            type Output = $output;

            fn key(&self) -> Result<KeyUse<'_>, Status> {
                Ok(operations!(@key $key $(($($arg),*))? self))
            }

            fn named(&self) -> Named<'_> {
                Named { $($($named: operations!(@named $named self $field),)*)? ..Named::default() }
            }
        })*
    };
}

operations! {
    // opcode operation          => result               who     where     known to  twice? key                             what it changes
    0x0001 Ping                  => Pong,                Anyone, Core,     Upstream, again, none,                           Nothing;
    0x0002 GenerateKey           => Empty,               App,    Provider, Upstream, once,  new,                            Make;
    0x0003 DestroyKey            => Empty,               App,    Provider, Upstream, once,  own,                            Destroy;
    0x0004 SignHash              => Signed,              App,    Provider, Upstream, again, use(SIGN_HASH, Signature),      Nothing;
    0x0005 VerifyHash            => Empty,               App,    Provider, Upstream, again, use(VERIFY_HASH, Signature),    Nothing;
    0x0006 ImportKey             => Empty,               App,    Provider, Upstream, once,  new,                            Make;
    0x0007 ExportPublicKey       => Exported,            App,    Provider, Upstream, again, see,                            Nothing;
    0x0008 ListProviders         => Providers,           Anyone, Core,     Upstream, again, none,                           Nothing;
    0x0009 ListOpcodes           => Opcodes,             Anyone, Core,     Upstream, again, none,                           Nothing;
    0x000A AsymmetricEncrypt     => Encrypted,           App,    Provider, Upstream, again, use(ENCRYPT, Encryption),       Nothing;
    0x000B AsymmetricDecrypt     => Decrypted,           App,    Provider, Upstream, again, use(DECRYPT, Encryption),       Nothing;
    0x000C ExportKey             => Exported,            App,    Provider, Upstream, again, use(EXPORT),                    Nothing;
    0x000D GenerateRandom        => Random,              Anyone, Provider, Upstream, again, none,                           Nothing;
    0x000E ListAuthenticators    => Authenticators,      Anyone, Core,     Upstream, again, none,                           Nothing;
    0x000F HashCompute           => Hashed,              Anyone, Provider, Upstream, again, none,                           Nothing;
    0x0010 HashCompare           => Empty,               Anyone, Provider, Upstream, again, none,                           Nothing;
    0x0011 AeadEncrypt           => Encrypted,           App,    Provider, Upstream, again, use(ENCRYPT, Aead, nonce),      Nothing;
    0x0012 AeadDecrypt           => Decrypted,           App,    Provider, Upstream, again, use(DECRYPT, Aead),             Nothing;
    0x0013 RawKeyAgreement       => Agreed,              App,    Provider, Upstream, again, use(DERIVE, Agreement),         Nothing;
    0x0014 CipherEncrypt         => Encrypted,           App,    Provider, Upstream, again, use(ENCRYPT, Cipher, iv),       Nothing;
    0x0015 CipherDecrypt         => Decrypted,           App,    Provider, Upstream, again, use(DECRYPT, Cipher),           Nothing;
    0x0016 MacCompute            => Maced,               App,    Provider, Hidden,   again, use(SIGN_MESSAGE, Mac),         Nothing;
    0x0017 MacVerify             => Empty,               App,    Provider, Hidden,   again, use(VERIFY_MESSAGE, Mac),       Nothing;
    0x0018 SignMessage           => Signed,              App,    Provider, Upstream, again, use(SIGN_MESSAGE, Signature),   Nothing;
    0x0019 VerifyMessage         => Empty,               App,    Provider, Upstream, again, use(VERIFY_MESSAGE, Signature), Nothing;
    0x001A ListKeys              => Keys,                App,    Core,     Upstream, again, none,                           Nothing;
    0x001B ListClients           => Clients,             Admin,  Core,     Upstream, again, none,                           Nothing;
    0x001C DeleteClient          => Empty,               Admin,  Core,     Upstream, once,  none,                           Admin(to: client);
    0x001E AttestKey             => Attested,            App,    Provider, Upstream, again, attested,                       Nothing;
    0x001F PrepareKeyAttestation => AttestationPrepared, App,    Provider, Upstream, again, attested,                       Nothing;
    0x0020 CanDoCrypto           => Empty,               App,    Provider, Upstream, again, none,                           Nothing;
    0x8000 Hello                 => Welcome,             Anyone, Core,     Ours,     again, none,                           Nothing;
    0x8001 ServiceStatus         => ServiceReport,       Anyone, Core,     Ours,     again, none,                           Nothing;
    0x8002 LookupKey             => Record,              App,    Store,    Ours,     again, see,                            Nothing;
    0x8003 Find                  => Found,               App,    Store,    Ours,     again, none,                           Nothing;
    0x8004 SetMetadata           => Empty,               App,    Store,    Ours,     again, none,                           Modify(object: name);
    0x8005 PutObject             => Record,              App,    Store,    Ours,     once,  none,                           Make(object: name);
    0x8006 LookupObject          => Record,              App,    Store,    Ours,     again, none,                           Nothing;
    0x8007 DestroyObject         => Empty,               App,    Store,    Ours,     once,  none,                           Destroy(object: name);
    0x8008 Grant                 => Empty,               App,    Store,    Ours,     again, own,                            Grant(to: principal, usage: usage);
    0x8009 Revoke                => Empty,               App,    Store,    Ours,     again, own,                            Revoke(to: principal);
    0x800A ListGrants            => Grants,              App,    Store,    Ours,     again, own,                            Nothing;
    0x800B WrapKey               => Wrapped,             App,    Provider, Ours,     again, wrap(iv),                       Nothing;
    0x800C UnwrapKey             => Empty,               App,    Provider, Ours,     once,  unwrap,                         Make;
    0x800D DeriveKey             => Empty,               App,    Provider, Ours,     once,  derive,                         Make;
    0x800E CopyKey               => Empty,               App,    Provider, Ours,     once,  copy,                           Make;
    0x8010 TokenStatus           => Token,               App,    Store,    Ours,     again, none,                           Nothing;
    0x8011 InitToken             => Token,               App,    Store,    Ours,     once,  none,                           Reset;
    0x8012 SetPin                => Token,               App,    Store,    Ours,     once,  none,                           Pin;
    0x8013 Login                 => Token,               App,    Store,    Ours,     once,  none,                           Login;
    0x8014 Logout                => Token,               App,    Store,    Ours,     again, none,                           Logout;
    0x8018 Encapsulate           => Encapsulated,        App,    Provider, Ours,     once,  secret(ENCRYPT),                Make;
    0x8019 Decapsulate           => Agreed,              App,    Provider, Ours,     once,  secret(DECRYPT),                Make;
    0x8020 CertifyKey            => Certified,           App,    Provider, Ours,     again, see,                            Nothing;
    0x8021 Quote                 => Quoted,              App,    Provider, Ours,     again, none,                           Nothing;
    0x8030 Accept                => Empty,               App,    Core,     Ours,     again, none,                           Accept(to: owner);
    0x8031 ListAccepted          => Owners,              App,    Core,     Ours,     again, none,                           Nothing;
    0x8032 ChangeOwner           => Empty,               Admin,  Store,    Ours,     again, any,                            Chown(to: principal);
    0x8033 ConfirmUser           => Empty,               Admin,  Core,     Ours,     once,  none,                           Admin(to: principal);
}

impl Opcode {
    /// Shown and answered only on connections that have said [`Hello`].
    pub const fn extension(self) -> bool {
        matches!(self.known(), Known::Ours)
    }

    /// Known to upstream's clients, which refuse a whole list for one number that they do not know.
    pub const fn upstream(self) -> bool {
        matches!(self.known(), Known::Upstream)
    }
}

macro_rules! with_key {
    ($($op:ident),*) => { $(
        impl $op {
            /// The key that the algorithm runs with.
            fn with(&self, usage: Usage) -> Result<Used<'_>, Status> {
                let key = KeyName { owner: self.with_owner.as_deref(), name: &self.with_name };
                Ok(Used::new(key, usage, Some(parse(&self.alg)?)))
            }
        }
    )* };
}
with_key!(WrapKey, UnwrapKey, DeriveKey, Encapsulate, Decapsulate);

impl DeriveKey {
    /// The second key. It needs the same usage and algorithm as the first.
    fn other(&self) -> Result<Option<Used<'_>>, Status> {
        let owner = self.other_owner.as_deref();
        let other = |name| self.with(Usage::DERIVE).map(|base| Used { key: KeyName { owner, name }, ..base });
        self.other_name.as_deref().map(other).transpose()
    }
}

impl PrepareKeyAttestation {
    fn attested(&self) -> Result<KeyUse<'_>, Status> {
        let prepare_params::Mechanism::ActivateCredential(names) =
            required(required(self.parameters.as_ref())?.mechanism.as_ref())?;
        Ok(attested(None, &names.attested_key_name))
    }
}

impl AttestKey {
    fn attested(&self) -> Result<KeyUse<'_>, Status> {
        Ok(attested(self.owner.as_deref(), &self.key_name))
    }
}

/// A key of a client; without a name, the provider's own.
fn attested<'a>(owner: Option<&'a str>, name: &'a str) -> KeyUse<'a> {
    if name.is_empty() { KeyUse::None } else { KeyUse::See(KeyName { owner, name }) }
}

/// The algorithm field of an operation: a message, or the number of an enumeration.
trait AlgorithmField<A> {
    fn parse(&self) -> Result<A, Status>;
}

impl<M, A> AlgorithmField<A> for Option<M>
where
    A: for<'a> TryFrom<&'a M, Error = Status>,
{
    fn parse(&self) -> Result<A, Status> {
        required(self.as_ref())?.try_into()
    }
}

impl<A: TryFrom<Self, Error = Status>> AlgorithmField<A> for i32 {
    fn parse(&self) -> Result<A, Status> {
        (*self).try_into()
    }
}

fn parse<A, F: AlgorithmField<A>>(field: &F) -> Result<A, Status> {
    field.parse()
}

/// Whether a nonce or an initialisation vector is given: an empty one is none.
fn given<'a>(nonce: impl Into<Option<&'a Vec<u8>>>) -> bool {
    nonce.into().is_some_and(|nonce| !nonce.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_have_their_own_numbers() {
        for &opcode in Opcode::ALL {
            assert_eq!(opcode.extension(), opcode as u32 >= 0x8000, "{opcode:?}");
        }
    }

    #[test]
    fn what_makes_or_ends_something_is_not_repeated_blindly() {
        for &opcode in Opcode::ALL {
            let lasting = matches!(
                opcode.effect(),
                Effect::Make | Effect::Destroy | Effect::Reset | Effect::Pin | Effect::Login | Effect::Admin
            );
            assert_eq!(opcode.repeatable(), !lasting, "{opcode:?}");
        }
    }
}
