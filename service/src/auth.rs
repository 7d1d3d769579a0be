//! Who the caller is. Only this module makes a [`Principal`] for a request. It relies on what the kernel or a trusted name says.

mod callers;

pub use callers::Callers;
pub(crate) use callers::MANY;

use crate::error::{Error, Result};
use interface::uid_map::{extents, outside};
use interface::{AuthType, Status};
use std::sync::OnceLock;

/// Somebody who may own keys. The kinds never meet: the application named "0" is not the user 0.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Principal {
    /// A user of this host.
    Uid(u32),
    /// An application that says its own name.
    App(String),
    /// A SPIFFE identity.
    Spiffe(String),
    /// A user of this host whose number was another user's, as their names tell. It owns nothing, and nothing is granted to it.
    Another(u32),
}

impl Principal {
    /// How it proves itself.
    pub fn auth_type(&self) -> AuthType {
        match self {
            Self::Uid(_) | Self::Another(_) => AuthType::UnixPeerCredentials,
            Self::App(_) => AuthType::Direct,
            Self::Spiffe(_) => AuthType::JwtSvid,
        }
    }

    /// The number of a user who may own keys.
    pub(crate) fn uid(&self) -> Option<u32> {
        if let Self::Uid(uid) = self { Some(*uid) } else { None }
    }

    /// The name as upstream writes it, which does not tell the kinds apart.
    pub fn upstream(&self) -> String {
        match self {
            Self::Uid(uid) | Self::Another(uid) => uid.to_string(),
            Self::App(name) | Self::Spiffe(name) => name.clone(),
        }
    }
}

impl std::fmt::Display for Principal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Uid(uid) | Self::Another(uid) => write!(f, "uid:{uid}"),
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

/// Whom a request counts for, where much of it would be at the expense of others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Party {
    /// The user, as the kernel tells it.
    pub uid: u32,
    /// Who sends the request, if it says so.
    pub principal: Option<Principal>,
    /// Requests of others of this user do not count against it: it is root, or an administrator.
    pub privileged: bool,
}

/// Whose limits count: the principal's, and those of the user behind it.
pub(crate) fn clients(principal: Option<&Principal>, uid: u32) -> impl Iterator<Item = Principal> {
    let user = Some(Principal::Uid(uid)).filter(|user| principal != Some(user));
    principal.cloned().into_iter().chain(user)
}

/// The process at the other end of a connection, as the kernel reports it.
#[derive(Debug)]
pub struct Peer {
    /// The user, whatever name it has in a user namespace of its own.
    pub uid: u32,
    /// The process that has connected.
    pub pid: Option<i32>,
    /// Its user id there, once that was looked up.
    inside: OnceLock<u32>,
}

impl Peer {
    /// A user, and the process that has connected.
    pub fn new(uid: u32, pid: Option<i32>) -> Self {
        Self { uid, pid, inside: OnceLock::new() }
    }

    /// Whether this user may call itself so: by its own id, or by the one that it has in the namespace of its process, as in a container.
    /// Should the process have ended and another one have its number, that decides about this word alone, not about who it is.
    fn explains(&self, claimed: u32) -> bool {
        if claimed == self.uid || self.inside.get() == Some(&claimed) {
            return true;
        }
        let map = self.pid.and_then(|pid| std::fs::read_to_string(format!("/proc/{pid}/uid_map")).ok());
        map.is_some_and(|map| outside(&map, claimed) == Some(self.uid)) && *self.inside.get_or_init(|| claimed) == claimed
    }
}

/// The authenticators that the configuration switches on, the preferred one first.
#[derive(Clone, Debug)]
pub struct Authenticators {
    /// The kinds.
    pub kinds: Vec<AuthType>,
    /// The administrators.
    pub admins: Vec<Principal>,
    /// The user id that stands for many users, where there is one, as [`unmapped`] tells.
    pub unmapped: Option<u32>,
}

impl Authenticators {
    /// The sender of the request; `None` for a request that does not say.
    ///
    /// # Errors
    /// [`Status::AuthenticatorNotRegistered`], [`Status::AuthenticationError`].
    pub fn authenticate(&self, kind: AuthType, auth: &[u8], peer: &Peer) -> Result<Option<Principal>> {
        if kind == AuthType::None {
            return Ok(None);
        }
        if !self.kinds.contains(&kind) {
            let on: Vec<_> = self.kinds.iter().map(|kind| format!("{kind:?}")).collect();
            let detail = format!(
                "authentication by {kind:?} is not switched on here; this service takes {}: see auth_types in the configuration, and the client's PARSEC_APP_NAME",
                on.join(", ")
            );
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
                if self.unmapped == Some(peer.uid) {
                    return Err(failed(&format!(
                        "the kernel cannot tell the service which user asks: {} stands for all whom its user namespace does not map; map the user there, or run the service outside",
                        peer.uid
                    )));
                }
                if !peer.explains(claimed) {
                    return Err(failed(&format!(
                        "the client says that it is uid {claimed}, the kernel says uid {}: if it is in a user namespace, the service must be able to read its /proc/PID/uid_map (no ProtectProc= in the service's unit)",
                        peer.uid
                    )));
                }
                Ok(Some(Principal::Uid(peer.uid)))
            }
            AuthType::None | AuthType::Jwt | AuthType::JwtSvid => Err(failed("this authenticator is not available")),
        }
    }

    /// Whom a request of this principal counts for.
    pub fn party(&self, peer: &Peer, principal: Option<Principal>) -> Party {
        let privileged = peer.uid == 0 || principal.as_ref().is_some_and(|principal| self.admin(principal));
        Party { uid: peer.uid, principal, privileged }
    }

    /// Whether this principal may call administrators' operations. The configuration says so of a user's number, whatever its name.
    pub fn admin(&self, principal: &Principal) -> bool {
        match principal {
            Principal::Another(uid) => self.admins.contains(&Principal::Uid(*uid)),
            principal => self.admins.contains(principal),
        }
    }

    /// Whether this principal may decide for others whose keys they accept. Root can become any user anyway.
    pub fn speaks_for_others(&self, principal: &Principal) -> bool {
        *principal == Principal::Uid(0) || self.admin(principal)
    }
}

/// The uid that the kernel reports for a user that it cannot name (DEFAULT_OVERFLOWUID), unless configured otherwise.
const OVERFLOW: u32 = 65_534;

/// The user id as which all users come whom the service's user namespace does not map (user_namespaces(7)). Where it maps all, as
/// that of a host does, the id is the user nobody's.
pub fn unmapped() -> Option<u32> {
    let read = |path| std::fs::read_to_string(path).ok();
    let map = read("/proc/self/uid_map");
    // A kernel without user namespaces has no such file.
    let all = map.as_deref().map_or_else(|| std::path::Path::new("/proc/self/status").exists(), maps_all);
    let overflow = || read("/proc/sys/kernel/overflowuid")?.trim().parse().ok();
    (!all).then(|| overflow().unwrap_or(OVERFLOW))
}

/// Whether there is no user id outside a namespace that this map (`/proc/PID/uid_map`) leaves out.
fn maps_all(map: &str) -> bool {
    // The last number is no user's (setreuid(2)).
    extents(map).map(|[.., count]| u64::from(count)).sum::<u64>() >= u32::MAX.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_covers_all_or_leaves_some_out() {
        for (map, all) in [
            ("         0          0 4294967295\n", true),
            ("0 0 65536\n65536 65536 4294901759\n", true),
            ("0 0 65536\n65537 65537 4294901758\n", false),
            ("         0     100000      65536\n", false),
            ("0 1000 1\n", false),
            ("", false),
        ] {
            assert_eq!(maps_all(map), all, "{map}");
        }
    }

    #[test]
    fn nobody_takes_another_users_name() {
        let peer = Peer::new(54_321, Some(std::process::id().cast_signed()));
        assert!(peer.explains(54_321) && !peer.explains(0) && !peer.explains(54_322));
        assert!(!Peer::new(54_321, None).explains(0), "without a process there is no namespace");
    }

    #[test]
    fn whoever_is_not_mapped_is_nobody() {
        let kinds = vec![AuthType::UnixPeerCredentials, AuthType::Direct];
        let on_a_host = Authenticators { kinds, admins: Vec::new(), unmapped: None };
        let inside = Authenticators { unmapped: Some(OVERFLOW), ..on_a_host.clone() };
        let ask = |here: &Authenticators, peer: u32| {
            here.authenticate(AuthType::UnixPeerCredentials, &peer.to_le_bytes(), &Peer::new(peer, None))
        };
        assert_eq!(ask(&on_a_host, OVERFLOW).unwrap(), Some(Principal::Uid(OVERFLOW)));
        assert_eq!(ask(&inside, 33).unwrap(), Some(Principal::Uid(33)));
        let refusal = ask(&inside, OVERFLOW).unwrap_err();
        assert_eq!(refusal.status(), Status::AuthenticationError);
        assert!(refusal.to_string().contains("map the user there"), "{refusal}");
        let named = inside.authenticate(AuthType::Direct, b"web", &Peer::new(OVERFLOW, None)).unwrap();
        assert_eq!(named, Some(Principal::App("web".to_owned())), "its name is what it says, whoever it is");
    }
}
