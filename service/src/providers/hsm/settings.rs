//! The provider's configuration: upstream's keys, and ours.

use crate::error::Result;
use crate::providers::software::Software;
use crate::sandbox::Reach;
use crate::section::{Section, positive};
use crate::worker::Open;
use std::path::PathBuf;
use std::time::Duration;

/// The default of `timeout`, in milliseconds.
const DEFAULT_LIMIT: u64 = 10_000;
/// The default of `max_sessions`.
const DEFAULT_SESSIONS: usize = 8;
/// Sessions of one token, at most.
const SESSIONS: usize = 64;

/// Which token it is, and how it is used.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// The library, which the launcher is told.
    pub(super) library: PathBuf,
    /// The token.
    pub(super) open: Open,
    /// Where the PIN is.
    pub(super) pin: Option<String>,
    /// Sessions at a time, at most.
    pub(super) sessions: usize,
    /// Keys may be made that can be exported.
    pub(super) export: bool,
    /// How long a request may take the token, unless it makes a key.
    pub(super) limit: Duration,
}

impl Settings {
    /// Reads the table of a provider, and what the software provider does for it.
    pub(super) fn read(table: toml::Table) -> Result<(Self, Software)> {
        let mut section = Section::new("[[provider]] of type Pkcs11,", table);
        let library: Option<String> = section.take("library_path")?;
        let library = library.ok_or_else(|| section.wrong("library_path", "is missing: it names the token's PKCS#11 library"))?;
        if !library.starts_with('/') {
            return Err(section.wrong("library_path", "must begin with /"));
        }
        let (slot, serial) = (section.take("slot_number")?, section.take("serial_number")?);
        let open = Open { slot, serial, label: section.take("token_label")? };
        let pin = section.take("user_pin")?;
        let sessions = positive(&mut section, "max_sessions", DEFAULT_SESSIONS)?;
        if sessions > SESSIONS {
            return Err(section.wrong("max_sessions", &format!("must be at most {SESSIONS}")));
        }
        let export = section.take_or("allow_export", true)?;
        // They always are.
        let _: Option<bool> = section.take("software_public_operations")?;
        let limit = Duration::from_millis(positive(&mut section, "timeout", DEFAULT_LIMIT)?);
        let software = Software::read(&mut section)?;
        section.finish()?;
        Ok((Self { library: library.into(), open, pin, sessions, export, limit }, software))
    }

    /// What the service itself needs of the host: the library is loaded elsewhere.
    pub(super) fn reach(&self) -> Vec<Reach> {
        let path = self.pin.as_ref().and_then(|pin| pin.strip_prefix("file:"));
        path.map(|path| Reach::File(path.into())).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Settings> {
        Settings::read(text.parse().unwrap()).map(|(settings, _)| settings)
    }

    #[test]
    fn upstreams_keys_are_read_as_they_are() {
        let settings = read(
            "library_path = \"/usr/lib/softhsm/libsofthsm2.so\"\nslot_number = 123456789\nserial_number = \"0123\"\nuser_pin = \"123456\"\n\
             software_public_operations = false\nallow_export = false",
        )
        .unwrap();
        assert_eq!(
            (settings.open.slot, settings.open.serial.as_deref(), settings.open.label.as_deref()),
            (Some(123_456_789), Some("0123"), None)
        );
        assert!(!settings.export && settings.reach().is_empty());
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for (text, told) in [
            ("", "library_path: is missing"),
            ("library_path = \"lib.so\"", "must begin with /"),
            ("library_path = \"/lib.so\"\nmax_sessions = 0", "at least 1"),
            ("library_path = \"/lib.so\"\nmax_sessions = 1000", "at most 64"),
            ("library_path = \"/lib.so\"\nuser_pn = \"1\"", "did you mean 'user_pin'?"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
    }

    #[test]
    fn a_file_with_the_pin_stays_in_reach_when_it_is_exchanged() {
        let settings = read("library_path = \"/lib.so\"\nuser_pin = \"file:/srv/pin\"").unwrap();
        assert_eq!(settings.reach(), [Reach::File("/srv/pin".into())]);
    }
}
