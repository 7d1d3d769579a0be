//! Slots, tokens and their mechanisms.

use std::time::Duration;

use cryptoki_sys::*;
use interface::client;
use interface::operations::{PIN_LEN, ProviderInfo};

use super::general::{MANUFACTURER, VERSION};
use super::padded;
use crate::error::{Error, Result};
use crate::ffi::{Out, Output};
use crate::state::{self, lock, login};

/// What a slot is called whose service knows no such client. There is room for 64 bytes.
const REFUSED: &str = "refused by the Parsec service: parsec ping says why";

/// C_GetSlotList. The service is asked when the caller asks for the number of slots; the list itself is then the same
/// (PKCS#11 §5.5).
pub(crate) fn list(present: bool, slots: &Output<CK_SLOT_ID>) -> Result<()> {
    let module = state::current()?;
    let known = module.slots.known();
    let now = if slots.is_query() || known.is_empty() { module.slots.refresh(&module.client) } else { Ok(known) };
    let ids = match now {
        Err(_) if present => vec![],
        _ => module.slots.shown(),
    };
    slots.write(&ids)
}

/// C_GetSlotInfo. A token is away only while the service is. Programs that look for cards should not take it for one: it stays in its
/// slot, and CKF_REMOVABLE_DEVICE is not set.
pub(crate) fn info(id: CK_SLOT_ID, info: &Out<CK_SLOT_INFO>) -> Result<()> {
    let module = state::current()?;
    let (description, vendor, flags) = match module.slots.refresh(&module.client) {
        Ok(now) => {
            let slot = now.iter().find(|slot| slot.id() == id).ok_or(Error::SlotIdInvalid)?;
            (slot.info.description.clone(), slot.info.vendor.clone(), CKF_TOKEN_PRESENT)
        }
        Err(_) if !module.slots.shown().contains(&id) => return Err(Error::SlotIdInvalid),
        Err(Error::Service(_, client::Error::Refused { .. })) => (REFUSED.to_owned(), MANUFACTURER.to_owned(), 0),
        Err(_) => (format!("no Parsec service at {}", module.client.endpoint()), MANUFACTURER.to_owned(), 0),
    };
    info.set(CK_SLOT_INFO {
        slotDescription: padded(&description),
        manufacturerID: padded(&vendor),
        flags,
        hardwareVersion: VERSION,
        firmwareVersion: VERSION,
    });
    Ok(())
}

pub(crate) fn token(id: CK_SLOT_ID, info: &Out<CK_TOKEN_INFO>) -> Result<()> {
    let module = state::current()?;
    let slot = match module.slots.refresh(&module.client) {
        Ok(now) => now.into_iter().find(|slot| slot.id() == id).ok_or(Error::SlotIdInvalid)?,
        Err(_) if !module.slots.shown().contains(&id) => return Err(Error::SlotIdInvalid),
        Err(_) => return Err(Error::TokenNotPresent),
    };
    let token = module.token(id)?;
    let sessions = lock(&module.sessions);
    let open = sessions.open.values().filter(|session| session.slot() == id);
    let writable = open.clone().filter(|session| session.writable).count();
    info.set(CK_TOKEN_INFO {
        label: padded(token.label.as_deref().unwrap_or_else(|| slot.provider.name())),
        manufacturerID: padded(&slot.info.vendor),
        model: padded(&format!("Parsec {}", slot.provider.kind().tier.name())),
        serialNumber: serial(&slot.info),
        flags: CKF_RNG | CKF_TOKEN_INITIALIZED | login::flags(&token),
        ulMaxSessionCount: CK_EFFECTIVELY_INFINITE,
        ulSessionCount: open.count() as CK_ULONG,
        ulMaxRwSessionCount: CK_EFFECTIVELY_INFINITE,
        ulRwSessionCount: writable as CK_ULONG,
        ulMaxPinLen: *PIN_LEN.end() as CK_ULONG,
        ulMinPinLen: *PIN_LEN.start() as CK_ULONG,
        ulTotalPublicMemory: CK_UNAVAILABLE_INFORMATION,
        ulFreePublicMemory: CK_UNAVAILABLE_INFORMATION,
        ulTotalPrivateMemory: CK_UNAVAILABLE_INFORMATION,
        ulFreePrivateMemory: CK_UNAVAILABLE_INFORMATION,
        hardwareVersion: VERSION,
        firmwareVersion: CK_VERSION { major: clamp(slot.info.version_maj), minor: clamp(slot.info.version_min) },
        utcTime: [b' '; 16],
    });
    Ok(())
}

/// The first 16 hexadecimal digits of the provider's UUID.
fn serial(info: &ProviderInfo) -> [u8; 16] {
    padded(&info.uuid.chars().filter(char::is_ascii_hexdigit).collect::<String>())
}

fn clamp(version: u32) -> u8 {
    u8::try_from(version).unwrap_or(u8::MAX)
}

pub(crate) fn mechanisms(id: CK_SLOT_ID, kinds: &Output<CK_MECHANISM_TYPE>) -> Result<()> {
    let module = state::current()?;
    let slot = module.slots.find(&module.client, id)?;
    kinds.write(&slot.abilities(&module.client)?.kinds())
}

pub(crate) fn mechanism(id: CK_SLOT_ID, kind: CK_MECHANISM_TYPE, info: &Out<CK_MECHANISM_INFO>) -> Result<()> {
    let module = state::current()?;
    let slot = module.slots.find(&module.client, id)?;
    info.set(slot.abilities(&module.client)?.info(kind)?);
    Ok(())
}

/// C_WaitForSlotEvent: tokens come and go with the service. It announces nothing, so it is looked for once in a while, until
/// C_Finalize ends the call.
pub(crate) fn wait(flags: CK_FLAGS, slot: &Out<CK_SLOT_ID>) -> Result<()> {
    const PAUSE: Duration = Duration::from_secs(1);
    let module = state::current()?;
    loop {
        if let Some(changed) = module.slots.event(&module.client) {
            slot.set(changed);
            return Ok(());
        }
        if flags & CKF_DONT_BLOCK != 0 {
            return Err(Error::NoEvent);
        }
        module.closing.wait(PAUSE)?;
    }
}
