//! Who is asking. A [`Principal`] that came with a request can only be made here, from what the kernel or a trusted name says.

use crate::error::{Error, Result};
use interface::{AuthType, Status};

/// Somebody who may own keys. The kinds never meet: the application named "0" is not the user 0.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Principal {
    /// A user of this host.
    Uid(u32),
    /// An application that says its own name.
    App(String),
    /// A SPIFFE identity.
    Spiffe(String),
}

impl Principal {
    /// How it proves itself.
    pub fn auth_type(&self) -> AuthType {
        match self {
            Self::Uid(_) => AuthType::UnixPeerCredentials,
            Self::App(_) => AuthType::Direct,
            Self::Spiffe(_) => AuthType::JwtSvid,
        }
    }

    /// The name as upstream writes it, which does not tell the kinds apart.
    pub fn upstream(&self) -> String {
        match self {
            Self::Uid(uid) => uid.to_string(),
            Self::App(name) | Self::Spiffe(name) => name.clone(),
        }
    }
}

impl std::fmt::Display for Principal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Uid(uid) => write!(f, "uid:{uid}"),
            Self::App(name) => write!(f, "app:{name}"),
            Self::Spiffe(id) => f.write_str(id),
        }
    }
}

impl std::str::FromStr for Principal {
    type Err = Error;

    /// Reads `uid:33`, `app:NAME` or `spiffe://…`.
    fn from_str(text: &str) -> Result<Self> {
        let wrong = || {
            Error::refused(
                Status::PsaErrorInvalidArgument,
                format!("'{text}' names nobody: write uid:33, app:NAME or spiffe://…"),
            )
        };
        match text.split_once(':') {
            Some(("uid", uid)) => uid.parse().map(Self::Uid).map_err(|_| wrong()),
            Some(("app", name)) if !name.is_empty() => Ok(Self::App(name.to_owned())),
            Some(("spiffe", path)) if path.starts_with("//") => Ok(Self::Spiffe(text.to_owned())),
            _ => Err(wrong()),
        }
    }
}

/// The authenticators that the configuration switches on, the preferred one first.
#[derive(Clone, Debug)]
pub struct Authenticators {
    /// The kinds.
    pub kinds: Vec<AuthType>,
    /// The administrators.
    pub admins: Vec<Principal>,
}

impl Authenticators {
    /// Who sent the request; `None` for a request that does not say.
    ///
    /// # Errors
    /// [`Status::AuthenticatorNotRegistered`], [`Status::AuthenticationError`].
    pub fn authenticate(&self, kind: AuthType, auth: &[u8], peer: u32) -> Result<Option<Principal>> {
        if kind == AuthType::None {
            return Ok(None);
        }
        if !self.kinds.contains(&kind) {
            let on: Vec<_> = self.kinds.iter().map(|kind| format!("{kind:?}")).collect();
            let detail = format!("authentication by {kind:?} is not switched on here; this service takes {}", on.join(", "));
            return Err(Error::refused(Status::AuthenticatorNotRegistered, detail));
        }
        let failed = |why: &str| Error::refused(Status::AuthenticationError, why);
        match kind {
            AuthType::Direct => match std::str::from_utf8(auth) {
                Ok(name) if !name.is_empty() => Ok(Some(Principal::App(name.to_owned()))),
                _ => Err(failed("the application's name must be UTF-8 and not empty")),
            },
            AuthType::UnixPeerCredentials => {
                let claimed =
                    auth.try_into().map(u32::from_le_bytes).map_err(|_| failed("the user id must be four bytes long"))?;
                if claimed == peer {
                    Ok(Some(Principal::Uid(peer)))
                } else {
                    Err(failed("the user id that the client gave is not the one that the kernel tells"))
                }
            }
            AuthType::None | AuthType::Jwt | AuthType::JwtSvid => Err(failed("this authenticator is not available")),
        }
    }

    /// Whether this principal may call administrators' operations.
    pub fn admin(&self, principal: &Principal) -> bool {
        self.admins.contains(principal)
    }
}
