//! Which chip it is, and its known flaws.

use super::failure::Failure;
use super::link::Link;
use tss_esapi::constants::PropertyTag;

/// As the chip tells it.
#[derive(Clone)]
pub(super) struct Model {
    /// Abbreviated, such as `IBM`.
    pub(super) maker: String,
    name: String,
    firmware: u64,
}

impl Model {
    pub(super) fn read(link: &mut Link) -> Result<Self, Failure> {
        let mut property = |tag| link.property(tag);
        let maker = text(&[property(PropertyTag::Manufacturer)?]);
        let name =
            [PropertyTag::VendorString1, PropertyTag::VendorString2, PropertyTag::VendorString3, PropertyTag::VendorString4];
        let name = text(&name.into_iter().map(&mut property).collect::<Result<Vec<_>, _>>()?);
        let [high, low] = [property(PropertyTag::FirmwareVersion1)?, property(PropertyTag::FirmwareVersion2)?].map(u64::from);
        Ok(Self { maker, name, firmware: high << 32 | low })
    }

    /// The known flaw of keys that such a chip makes.
    pub(super) fn flaw(&self) -> Option<&'static str> {
        flaw(&self.maker, self.firmware)
    }
}

impl std::fmt::Display for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { maker, name, firmware } = self;
        write!(f, "TPM 2.0 of {maker} ({name}), firmware {firmware:x}")
    }
}

/// The text in numbers whose bytes are its letters.
fn text(words: &[u32]) -> String {
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).filter(u8::is_ascii_graphic).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Keys are weak that were made by firmware from the first version on, until one that is mended.
struct Flaw {
    /// As the chip abbreviates it.
    maker: &'static str,
    first: u64,
    mended: u64,
    what: &'static str,
}

/// The firmware that CVE-2017-15361, CVE-2019-16863 and CVE-2019-11090 affect, as Infineon, ST and Intel list it.
const FLAWS: &[Flaw] = &[
    Flaw { maker: "IFX", first: version(5, 0, 0), mended: version(5, 62, 0), what: ROCA },
    Flaw { maker: "IFX", first: version(7, 0, 0), mended: version(7, 62, 0), what: ROCA },
    Flaw { maker: "STM", first: version(71, 0, 0), mended: version(71, 16, 0), what: TPM_FAIL },
    Flaw { maker: "STM", first: version(73, 0, 0), mended: version(73, 20, 0), what: TPM_FAIL },
    Flaw { maker: "STM", first: version(74, 0, 0), mended: version(74, 20, 0), what: TPM_FAIL },
    Flaw { maker: "INTC", first: version(3, 0, 0), mended: version(3, 1, 65), what: TPM_FAIL },
    Flaw { maker: "INTC", first: version(4, 0, 0), mended: version(4, 0, 15), what: TPM_FAIL },
    Flaw { maker: "INTC", first: version(11, 0, 0), mended: version(11, 8, 65), what: TPM_FAIL },
    Flaw { maker: "INTC", first: version(11, 10, 0), mended: version(11, 11, 65), what: TPM_FAIL },
    Flaw { maker: "INTC", first: version(11, 20, 0), mended: version(11, 22, 65), what: TPM_FAIL },
    Flaw { maker: "INTC", first: version(12, 0, 0), mended: version(12, 0, 35), what: TPM_FAIL },
    Flaw { maker: "INTC", first: version(13, 0, 0), mended: version(13, 0, 1201), what: TPM_FAIL },
    Flaw { maker: "INTC", first: version(14, 0, 0), mended: version(14, 0, 10), what: TPM_FAIL },
];
const ROCA: &str = "its RSA keys can be factored (ROCA, CVE-2017-15361)";
const TPM_FAIL: &str =
    "its ECDSA keys can be found from the time that signatures take (TPM-FAIL, CVE-2019-16863, CVE-2019-11090)";

/// As `TPM_PT_FIRMWARE_VERSION_1` and `_2` hold it, in four numbers of 16 bits.
const fn version(major: u64, minor: u64, patch: u64) -> u64 {
    major << 48 | minor << 32 | patch << 16
}

fn flaw(maker: &str, firmware: u64) -> Option<&'static str> {
    FLAWS.iter().find(|flaw| flaw.maker == maker && (flaw.first..flaw.mended).contains(&firmware)).map(|flaw| flaw.what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_firmware_before_the_mended_one_of_its_line_is_flawed() {
        assert_eq!(flaw("IFX", 0x0007_003d_0a2d_0000), Some(ROCA), "7.61");
        assert_eq!(flaw("IFX", 0x0007_003e_0c36_0000), None, "7.62");
        assert_eq!(flaw("IFX", 0x0006_0028_0000_0000), None, "no line of TPM 2.0");
        assert_eq!(flaw("STM", 0x0049_0008_0000_0000), Some(TPM_FAIL), "73.8");
        assert_eq!(flaw("STM", 0x0049_0014_0000_0000), None, "73.20");
        assert_eq!(flaw("INTC", 0x000b_0008_0032_0d61), Some(TPM_FAIL), "11.8.50");
        assert_eq!(flaw("INTC", 0x000b_0008_0046_0d61), None, "11.8.70");
        assert_eq!(flaw("INTC", 0x0258_0012_0000_0000), None, "600.18");
        assert_eq!(flaw("IBM", 0x0007_003d_0000_0000), None, "another maker's number");
        assert!(FLAWS.iter().all(|flaw| flaw.first < flaw.mended));
    }
}
