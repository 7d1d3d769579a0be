//! Secrets that the service is given: in a file that nobody else may read, or as a credential of systemd.

use interface::Secret;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The file of a credential, where systemd hands the service any (systemd.exec(5), `LoadCredential=`).
pub(crate) fn named(name: &str) -> Option<PathBuf> {
    std::env::var_os("CREDENTIALS_DIRECTORY").map(|directory| Path::new(&directory).join(name))
}

/// The contents of a file; `None` if there is none.
///
/// # Errors
/// Why not; so also for a file that others than its owner may read or change.
pub(crate) fn read_private(path: &Path) -> Result<Option<Secret>, String> {
    read(path, |mode| match mode & 0o077 {
        0 => Ok(()),
        _ => Err(format!(
            "{} may be read or changed by others (mode {:03o}): run chmod 600 on it, and think about who may have read it",
            path.display(),
            mode & 0o777
        )),
    })
}

/// The contents of a credential, whose folder systemd protects; `None` if there is none.
///
/// # Errors
/// Why it cannot be read.
pub(crate) fn read_credential(path: &Path) -> Result<Option<Secret>, String> {
    read(path, |_| Ok(()))
}

fn read(path: &Path, check: impl FnOnce(u32) -> Result<(), String>) -> Result<Option<Secret>, String> {
    let failed = |error| format!("{} cannot be read: {error}", path.display());
    let mut file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        file => file.map_err(failed)?,
    };
    check(file.metadata().map_err(failed)?.permissions().mode())?;
    let mut bytes = Vec::new();
    let read = file.read_to_end(&mut bytes);
    let secret = Secret::new(bytes);
    read.map_err(failed)?;
    Ok(Some(secret))
}

/// A secret of the configuration: `str:TEXT`, `hex:DIGITS`, `file:/PATH`, `credential:NAME`, or text alone. Of a file or a credential
/// all bytes count, but for one newline at the end.
///
/// # Errors
/// Why it cannot be had. The secret is not told.
pub(crate) fn resolve(text: &str) -> Result<Secret, String> {
    let content = |path: &Path, secret: Option<Secret>| {
        let secret = secret.ok_or_else(|| format!("{} is not there", path.display()))?;
        match secret.strip_suffix(b"\n").unwrap_or(&secret) {
            [] => Err(format!("{} is empty", path.display())),
            bytes => Ok(Secret::new(bytes.to_vec())),
        }
    };
    match text.split_once(':') {
        Some(("hex", digits)) => hex(digits).ok_or_else(|| "has no pairs of hexadecimal digits after hex:".to_owned()),
        Some(("file", path)) => {
            let path = Path::new(path);
            if !path.is_absolute() {
                return Err("wants a path that begins with / after file:".to_owned());
            }
            content(path, read_private(path)?)
        }
        Some(("credential", name)) => {
            if name.is_empty() || name.contains('/') {
                return Err("wants the name of a credential after credential:".to_owned());
            }
            let advice = || format!("the unit that starts the service needs LoadCredential={name}:/PATH");
            let path = named(name).ok_or_else(|| format!("systemd has handed no credentials over: {}", advice()))?;
            content(&path, read_credential(&path)?).map_err(|why| format!("{why}: {}", advice()))
        }
        _ => Ok(Secret::new(text.strip_prefix("str:").unwrap_or(text).as_bytes().to_vec())),
    }
}

fn hex(digits: &str) -> Option<Secret> {
    let digit = |c: char| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let digits = Secret::new(digits.chars().map(digit).collect::<Option<_>>()?);
    digits.len().is_multiple_of(2).then(|| Secret::new(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};

    fn refusal(text: &str) -> String {
        resolve(text).unwrap_err()
    }

    #[test]
    fn a_secret_stands_in_the_configuration_as_text_or_digits() {
        for (text, secret) in
            [("owner", "owner"), ("str:hex:00", "hex:00"), ("hex:6f6B", "ok"), ("", ""), ("http://x", "http://x")]
        {
            assert_eq!(&*resolve(text).unwrap(), secret.as_bytes(), "{text}");
        }
        for text in ["hex:123", "hex:zz"] {
            assert!(refusal(text).contains("hexadecimal"), "{text}");
        }
    }

    #[test]
    fn a_file_loses_one_newline_and_is_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let named = format!("file:{}", path.display());
        assert!(refusal(&named).contains("is not there"));
        for (bytes, secret) in
            [(&b"owner"[..], &b"owner"[..]), (b"owner\n", b"owner"), (b"owner\n\n", b"owner\n"), (b"\n\0\r\n", b"\n\0\r")]
        {
            fs::write(&path, bytes).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
            assert_eq!(&*resolve(&named).unwrap(), secret);
        }
        for mode in [0o640, 0o604, 0o620] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            assert!(refusal(&named).contains("chmod 600"), "{mode:o}");
        }
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        for empty in ["", "\n"] {
            fs::write(&path, empty).unwrap();
            assert!(refusal(&named).contains("is empty"));
        }
        assert!(refusal("file:secret").contains("begins with /"));
    }
}
