//! The provider's configuration: upstream's keys.

use super::software::Software;
use crate::config::Section;
use crate::error::Result;
use std::sync::Arc;
use tss_esapi::structures::Auth;
use tss_esapi::tcti_ldr::TctiNameConf;

/// Where the kernel's resource manager is.
const DEFAULT_TCTI: &str = "device:/dev/tpmrm0";

/// How the chip is reached.
pub(super) struct Settings {
    /// As written.
    pub(super) tcti: String,
    pub(super) name: TctiNameConf,
    /// The password of the owner hierarchy.
    pub(super) owner: Auth,
    /// The password of the endorsement hierarchy, which only attestation needs.
    pub(super) endorsement: Auth,
    /// The service may do without.
    pub(super) optional: bool,
}

impl Settings {
    /// Reads the provider's table, and what the software provider does for it.
    pub(super) fn read(table: toml::Table) -> Result<(Self, Arc<Software>)> {
        let mut section = Section::new("[[provider]] of type Tpm,", table);
        let tcti: String = section.take_or("tcti", DEFAULT_TCTI.to_owned())?;
        let name = tcti.parse().map_err(|_| {
            section.wrong("tcti", "is none of device:FILE, swtpm:host=…,port=…, mssim:host=…,port=… and tabrmd:bus_type=…")
        })?;
        let owner = auth(&mut section, "owner_hierarchy_auth")?;
        let endorsement = auth(&mut section, "endorsement_hierarchy_auth")?;
        let optional = section.take_or("skip_if_no_tpm", false)?;
        let software = Software::new(section.take("buffer_size_limit")?);
        section.finish()?;
        Ok((Self { tcti, name, owner, endorsement, optional }, Arc::new(software)))
    }
}

/// A password: text, `str:` before text, or `hex:` before hexadecimal digits.
fn auth(section: &mut Section, key: &'static str) -> Result<Auth> {
    let text: String = section.take_or(key, String::new())?;
    let bytes = match text.strip_prefix("hex:") {
        Some(digits) => hex(digits).ok_or_else(|| section.wrong(key, "has no pairs of hexadecimal digits after hex:"))?,
        None => text.strip_prefix("str:").unwrap_or(&text).as_bytes().to_vec(),
    };
    Auth::try_from(bytes).map_err(|_| section.wrong(key, "is longer than a TPM takes"))
}

fn hex(digits: &str) -> Option<Vec<u8>> {
    let digit = |c: char| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let digits: Vec<_> = digits.chars().map(digit).collect::<Option<_>>()?;
    digits.len().is_multiple_of(2).then(|| digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}
