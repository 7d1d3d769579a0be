//! Where the service listens.

use super::{Endpoint, Error, Process};
use crate::trust;
use std::path::Path;

/// The socket of a service installed on the host.
const SYSTEM: &str = "/run/parsec/parsec.sock";

/// Where the host's administrator names another one.
const CONFIG: &str = "/etc/parsec/client.conf";

impl Endpoint {
    /// The endpoint that `PARSEC_SERVICE_ENDPOINT` names; without it the one of `/etc/parsec/client.conf`; without that the system's
    /// service, or else the user's own.
    ///
    /// # Errors
    /// [`Error::Endpoint`] if the variable holds no path, [`Error::Config`] for a file that cannot be used.
    pub fn from_env(process: &Process) -> Result<Self, Error> {
        if let Some(named) = process.variable("PARSEC_SERVICE_ENDPOINT") {
            return Self::of_variable(&named.to_string_lossy());
        }
        if let Some(configured) = Self::configured(Path::new(CONFIG))? {
            return Ok(configured);
        }
        let own = || process.variable("XDG_RUNTIME_DIR").and_then(|folder| Self::of_user(Path::new(&folder)));
        let system = Self(SYSTEM.to_owned());
        Ok(if Path::new(SYSTEM).exists() { system } else { own().unwrap_or(system) })
    }

    /// The endpoint that a setting names: `unix:` and a path, or a path alone.
    ///
    /// # Errors
    /// [`Error::Endpoint`] for other kinds of addresses.
    pub fn of_setting(text: &str) -> Result<Self, Error> {
        if text.contains(':') && !text.starts_with(['/', '@']) { text.parse() } else { format!("unix:{text}").parse() }
    }

    /// As [`Self::of_setting`], of a configuration file. A path that does not begin at the root would name another socket for each folder
    /// in which somebody starts a program.
    ///
    /// # Errors
    /// [`Error::Endpoint`] for other kinds of addresses, [`Error::Config`] for such a path.
    pub fn of_file(text: &str) -> Result<Self, Error> {
        let endpoint = Self::of_setting(text)?;
        if endpoint.0.starts_with(['/', '@']) {
            return Ok(endpoint);
        }
        Err(Error::Config(format!(
            "socket = '{text}' names another socket for each folder in which a program is started: write the whole path, \
             as in socket = {SYSTEM}"
        )))
    }

    /// `unix:` and a path, or a whole path alone.
    fn of_variable(text: &str) -> Result<Self, Error> {
        if text.starts_with('/') { Self::of_setting(text) } else { text.parse() }
    }

    fn of_user(folder: &Path) -> Option<Self> {
        let path = folder.join("parsec/parsec.sock");
        path.exists().then(|| path.into_os_string().into_string().ok().map(Self))?
    }

    /// The endpoint that the file of the administrator names, if there is one. Privileged programs rely on it, so nobody but root may
    /// have had a hand in it. A folder that is closed to this user has none for it.
    fn configured(path: &Path) -> Result<Option<Self>, Error> {
        let wrong = |why: String| Error::Config(format!("{} {why}", path.display()));
        if !path.try_exists().unwrap_or(false) {
            return Ok(None);
        }
        trust::check(path, 0).map_err(|why| wrong(why.to_string()))?;
        let text = std::fs::read_to_string(path).map_err(|error| wrong(format!("cannot be read: {error}")))?;
        socket(&text).map_err(wrong)
    }
}

/// The path of the one setting, `socket = "/path"`. Lines may be empty or comments.
fn socket(text: &str) -> Result<Option<Endpoint>, String> {
    let mut socket = None;
    for (number, line) in text.lines().map(str::trim).enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
        match setting(line).map(Endpoint::of_file) {
            Some(Err(Error::Config(why))) => return Err(format!("line {}: {why}", number + 1)),
            Some(Ok(endpoint)) if socket.is_none() => socket = Some(endpoint),
            _ => return Err(format!("has '{line}' in line {}, where socket = \"/path\" may stand, once", number + 1)),
        }
    }
    Ok(socket)
}

fn setting(line: &str) -> Option<&str> {
    let value = line.strip_prefix("socket")?.trim_start().strip_prefix('=')?.trim();
    Some(value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value))
}

impl std::str::FromStr for Endpoint {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let path = text.strip_prefix("unix:").filter(|path| !path.is_empty());
        path.map(|path| Self(path.to_owned())).ok_or_else(|| Error::Endpoint(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_the_administrator_has_one_setting() {
        for text in ["socket = \"/run/a.sock\"", "# ours\n\n  socket=unix:/run/a.sock\n", "socket = \"unix:/run/a.sock\"\n#"] {
            assert_eq!(socket(text).unwrap().unwrap().path(), "/run/a.sock", "{text}");
        }
        assert_eq!(socket("socket = @parsec").unwrap().unwrap().path(), "@parsec");
        assert_eq!(socket("# nothing\n\n"), Ok(None));
        for wrong in ["sockets = /a", "socket /a", "socket =", "socket = tcp:1", "socket=/a\nsocket=/b", "[client]"] {
            let why = socket(wrong).unwrap_err();
            assert!(why.contains("line ") && why.contains(wrong.lines().last().unwrap()), "{why}");
        }
    }

    #[test]
    fn a_file_names_the_whole_path() {
        for relative in ["a.sock", "./a.sock", "unix:run/a.sock"] {
            let why = Endpoint::of_file(relative).unwrap_err().to_string();
            assert!(why.contains(relative) && why.contains("folder") && why.contains("socket = /run"), "{why}");
            let why = socket(&format!("# ours\nsocket = \"{relative}\"")).unwrap_err();
            assert!(why.contains("line 2") && why.contains("folder"), "{why}");
        }
        assert_eq!(Endpoint::of_file("@a").unwrap().path(), "@a");
    }

    #[test]
    fn a_variable_names_a_socket_by_its_whole_path() {
        for text in ["unix:/run/a.sock", "/run/a.sock"] {
            assert_eq!(Endpoint::of_variable(text).unwrap().path(), "/run/a.sock");
        }
        for wrong in ["a.sock", "tcp:localhost", "unix:", ""] {
            assert!(matches!(Endpoint::of_variable(wrong), Err(Error::Endpoint(_))), "{wrong}");
        }
    }

    #[test]
    fn a_setting_names_a_socket_with_or_without_its_kind() {
        for text in ["unix:/run/a.sock", "/run/a.sock"] {
            assert_eq!(Endpoint::of_setting(text).unwrap().path(), "/run/a.sock");
        }
        assert_eq!(Endpoint::of_setting("/run/a:b").unwrap().path(), "/run/a:b");
        assert_eq!(Endpoint::of_setting("a.sock").unwrap().path(), "a.sock");
        assert!(Endpoint::of_setting("tcp:localhost").is_err());
    }
}
