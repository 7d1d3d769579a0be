//! The provider's configuration: upstream's keys.

use super::software::Software;
use crate::credential;
use crate::error::Result;
use crate::sandbox::Reach;
use crate::section::{Section, positive};
use interface::ProviderId;
use std::ffi::CString;
use std::time::Duration;
use tss_esapi::structures::Auth;
use tss_esapi::tcti_ldr::TctiNameConf;

/// Where the kernel's resource manager is.
const DEFAULT_TCTI: &str = "device:/dev/tpmrm0";

/// The default of `timeout`, in milliseconds.
const DEFAULT_LIMIT: u64 = 30_000;

/// How the chip is reached.
#[derive(Clone)]
pub(super) struct Settings {
    /// As written.
    pub(super) tcti: String,
    pub(super) name: TctiNameConf,
    /// The password of the owner hierarchy.
    pub(super) owner: Auth,
    /// The password of the endorsement hierarchy, which only attestation needs.
    pub(super) endorsement: Auth,
    /// Secrets are encrypted on their way.
    pub(super) encrypted: bool,
    /// The service may do without.
    pub(super) optional: bool,
    /// How long a request may take the chip, unless it makes a key.
    pub(super) limit: Duration,
}

impl Settings {
    /// Reads the table of a provider, and what the software provider does for it.
    pub(super) fn read(provider: ProviderId, table: toml::Table) -> Result<(Self, Software)> {
        let mut section = Section::new(format!("[[provider]] of type {},", provider.kind().config), table);
        let tcti: String = section.take_or("tcti", DEFAULT_TCTI.to_owned())?;
        let name = tcti.parse().map_err(|_| {
            section.wrong("tcti", "is none of device:FILE, swtpm:host=…,port=…, mssim:host=…,port=… and tabrmd:bus_type=…")
        })?;
        let owner = auth(&mut section, "owner_hierarchy_auth")?;
        let endorsement = auth(&mut section, "endorsement_hierarchy_auth")?;
        let encrypted = section.take_or("parameter_encryption", false)?;
        let optional = section.take_or("skip_if_no_tpm", false)?;
        let limit = Duration::from_millis(positive(&mut section, "timeout", DEFAULT_LIMIT)?);
        let software = Software::read(&mut section)?;
        section.finish()?;
        Ok((Self { tcti, name, owner, endorsement, encrypted, optional, limit }, software))
    }

    /// The parts of the host that the library needs for this way: a device, or the chip's port and then the port of its controls.
    pub(super) fn reach(&self) -> Vec<Reach> {
        // In full, with what the configuration leaves out.
        let name = CString::try_from(self.name.clone()).ok().and_then(|name| name.into_string().ok()).unwrap_or_default();
        match (&self.name, name.split_once(':')) {
            (TctiNameConf::Device(_), Some((_, path))) => vec![Reach::Device(path.into())],
            (TctiNameConf::Swtpm(_) | TctiNameConf::Mssim(_), Some((_, address))) => {
                let port = address.split(',').find_map(|part| part.strip_prefix("port=")?.parse::<u16>().ok());
                port.into_iter().flat_map(|port| [port, port.saturating_add(1)]).map(Reach::Port).collect()
            }
            // The resource manager is behind the bus' socket.
            _ => Vec::new(),
        }
    }

    /// Whether the chip may be on a bus, which has no checksum. A socket has one.
    pub(super) fn bus(&self) -> bool {
        !matches!(self.name, TctiNameConf::Swtpm(_) | TctiNameConf::Mssim(_))
    }

    /// Whether the chip is reached in the same way.
    pub(super) fn same_way(&self, other: &Self) -> bool {
        let way = |settings: &Self| {
            let Self { tcti, owner, endorsement, encrypted, limit, .. } = settings;
            (tcti.clone(), owner.clone(), endorsement.clone(), *encrypted, *limit)
        };
        way(self) == way(other)
    }
}

/// A password.
fn auth(section: &mut Section, key: &'static str) -> Result<Auth> {
    let text: String = section.take_or(key, String::new())?;
    let secret = credential::resolve(&text).map_err(|why| section.wrong(key, &why))?;
    Auth::try_from(&*secret).map_err(|_| section.wrong(key, "is longer than a TPM takes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_needs_its_own_of_the_host() {
        let device = |path: &str| vec![Reach::Device(path.into())];
        let ports = |first| vec![Reach::Port(first), Reach::Port(first + 1)];
        for (tcti, reach) in [
            ("device:/dev/tpmrm1", device("/dev/tpmrm1")),
            ("device", device("/dev/tpm0")),
            ("swtpm:host=127.0.0.1,port=4321", ports(4321)),
            ("mssim:port=4321", ports(4321)),
            ("swtpm", ports(2321)),
            ("tabrmd:bus_type=system", Vec::new()),
        ] {
            let table = toml::Table::from_iter([("tcti".to_owned(), tcti.into())]);
            let (settings, _) = Settings::read(ProviderId::TPM, table).unwrap();
            assert_eq!(settings.reach(), reach, "{tcti}");
        }
    }
}
