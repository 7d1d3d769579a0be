//! The PINs that devices have refused, so that none is tried again by itself: after a few tries a device locks itself.
//!
//! Of each device the file has one line: the device and the PIN, both as MACs under the store key. It lies beside the store.

use super::Store;
use super::disk::{beside, private, sync_folder};
use crate::error::{Error, Result};
use std::fmt::Write as _;
use std::fs;
use std::io::Write;
use std::path::PathBuf;

impl Store {
    /// The file, for people: without it, all PINs are tried again.
    pub fn refused_pins(&self) -> PathBuf {
        beside(&self.path, ".refused-pins")
    }

    /// Whether this was the last PIN that the device has refused.
    pub fn was_refused(&self, device: &str, pin: &[u8]) -> bool {
        self.lines().contains(&self.line(device, pin))
    }

    /// Remembers durably that the device has refused this PIN; `None`: that it has taken one.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn note_refused(&self, device: &str, pin: Option<&[u8]>) -> Result<()> {
        let (path, of) = (self.refused_pins(), self.mac("device", device.as_bytes()));
        let mut lines = self.lines();
        let before = lines.len();
        lines.retain(|line| !line.starts_with(&of));
        if pin.is_none() && lines.len() == before {
            return Ok(());
        }
        lines.extend(pin.map(|pin| self.line(device, pin)));
        let fresh = beside(&path, ".new");
        let write = || {
            let mut file = private(&fresh, true)?;
            lines.iter().try_for_each(|line| writeln!(file, "{line}"))?;
            file.sync_all()?;
            fs::rename(&fresh, &path)?;
            sync_folder(&path)
        };
        write().map_err(Error::io(format!("writing {}", path.display())))
    }

    fn lines(&self) -> Vec<String> {
        let text = fs::read_to_string(self.refused_pins()).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    fn line(&self, device: &str, pin: &[u8]) -> String {
        let bound = [device.as_bytes(), &[0], pin].concat();
        format!("{} {}", self.mac("device", device.as_bytes()), self.mac("pin", &interface::Secret::new(bound)))
    }

    fn mac(&self, what: &str, of: &[u8]) -> String {
        let text = interface::Secret::new([b"refused ", what.as_bytes(), &[0], of].concat());
        self.keys.fingerprint(&text).iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }
}
