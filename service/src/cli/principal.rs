//! Principals on the command line. A user of this host can be given by name.

use super::error::{Error, Result};
use parsec_service::auth::Principal;

/// Reads a principal: `uid:N`, `user:NAME` of this host, `app:NAME` or `spiffe://…`.
pub(crate) fn principal(text: &str) -> Result<Principal> {
    let Some(name) = text.strip_prefix("user:") else {
        return text
            .parse()
            .map_err(|_| Error::Usage(format!("'{text}' names nobody: write user:NAME, uid:N, app:NAME or spiffe://…")));
    };
    match nix::unistd::User::from_name(name) {
        Ok(Some(user)) => Ok(Principal::Uid(user.uid.as_raw())),
        Ok(None) => Err(Error::Usage(format!(
            "this host has no user '{name}' (getent passwd {name} finds none); its number would do: uid:N"
        ))),
        Err(error) => Err(Error::io(format!("look up user '{name}'"))(error.into())),
    }
}

/// The name of a principal that is a user of this host.
pub(crate) fn user_name(principal: &str) -> Option<String> {
    let Ok(Principal::Uid(uid)) = principal.parse() else {
        return None;
    };
    let user = nix::unistd::User::from_uid(uid.into()).ok().flatten();
    user.map(|user| user.name)
}

/// Whether a principal is a user of this host; `None` where it is no user, or nobody can tell.
pub(crate) fn user_exists(principal: &str) -> Option<bool> {
    let Ok(Principal::Uid(uid)) = principal.parse() else { return None };
    nix::unistd::User::from_uid(uid.into()).ok().map(|user| user.is_some())
}

/// A principal as people read it: with its name if it is a user of this host, or else with a word that there is no such user. If nobody
/// can tell whether there is, it stands alone.
pub(crate) fn described(principal: &str) -> String {
    let Ok(Principal::Uid(uid)) = principal.parse() else {
        return principal.to_owned();
    };
    match nix::unistd::User::from_uid(uid.into()) {
        Ok(Some(user)) => format!("{principal} ({})", user.name),
        Ok(None) => format!("{principal} (no such user)"),
        Err(_) => principal.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_read_who_a_user_is() {
        assert_eq!(described("uid:0"), "uid:0 (root)");
        assert_eq!(described("uid:4000000000"), "uid:4000000000 (no such user)");
        assert_eq!(described("app:web"), "app:web");
    }

    #[test]
    fn principals_are_read_in_every_form() {
        assert_eq!(principal("user:root").unwrap(), Principal::Uid(0));
        assert_eq!(principal("uid:33").unwrap(), Principal::Uid(33));
        assert_eq!(principal("app:a:b").unwrap(), Principal::App("a:b".into()));
        let spiffe = "spiffe://example.org/web";
        assert_eq!(principal(spiffe).unwrap(), Principal::Spiffe(spiffe.to_owned()));
        for wrong in ["root", "uid:-1", "uid:", "user:no such user", "spiffe:web", ""] {
            assert!(principal(wrong).is_err(), "{wrong}");
        }
    }
}
