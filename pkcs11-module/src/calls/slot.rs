//! Slots, tokens and their mechanisms.

use cryptoki_sys::*;
use interface::operations::ProviderInfo;

use super::general::{MANUFACTURER, VERSION};
use super::padded;
use crate::error::{Error, Result};
use crate::ffi::{Out, Output};
use crate::module::{self, Module, lock};
use crate::slot;

/// C_GetSlotList. The service is asked when the caller asks for the number of slots; the list itself is then the same
/// (PKCS#11 §5.5).
pub(crate) fn list(present: bool, slots: &Output<CK_SLOT_ID>) -> Result<()> {
    let module = module::current()?;
    let known = module.slots.known();
    let now = if slots.is_query() || known.is_empty() { module.slots.refresh(&module.client) } else { Ok(known) };
    let ids: Vec<_> = match now {
        Ok(now) => now.iter().map(|slot| slot.id()).collect(),
        Err(_) if present => vec![],
        Err(_) => all_absent(&module),
    };
    slots.write(&ids)
}

/// The slots to show while the service does not answer.
fn all_absent(module: &Module) -> Vec<CK_SLOT_ID> {
    let known: Vec<_> = module.slots.known().iter().map(|slot| slot.id()).collect();
    if known.is_empty() { vec![slot::default_id()] } else { known }
}

pub(crate) fn info(id: CK_SLOT_ID, info: &Out<CK_SLOT_INFO>) -> Result<()> {
    let module = module::current()?;
    let (description, flags) = match module.slots.refresh(&module.client) {
        Ok(now) => {
            let slot = now.iter().find(|slot| slot.id() == id).ok_or(Error::SlotIdInvalid)?;
            (slot.info.description.clone(), CKF_TOKEN_PRESENT)
        }
        Err(_) if !all_absent(&module).contains(&id) => return Err(Error::SlotIdInvalid),
        Err(_) => (format!("no Parsec service at {}", module.client.endpoint()), 0),
    };
    info.set(CK_SLOT_INFO {
        slotDescription: padded(&description),
        manufacturerID: padded(MANUFACTURER),
        flags: flags | CKF_REMOVABLE_DEVICE,
        hardwareVersion: VERSION,
        firmwareVersion: VERSION,
    });
    Ok(())
}

pub(crate) fn token(id: CK_SLOT_ID, info: &Out<CK_TOKEN_INFO>) -> Result<()> {
    let module = module::current()?;
    let slot = match module.slots.refresh(&module.client) {
        Ok(now) => now.into_iter().find(|slot| slot.id() == id).ok_or(Error::SlotIdInvalid)?,
        Err(_) if !all_absent(&module).contains(&id) => return Err(Error::SlotIdInvalid),
        Err(_) => return Err(Error::TokenNotPresent),
    };
    let sessions = lock(&module.sessions);
    let open = sessions.open.values().filter(|session| session.slot() == id);
    let writable = open.clone().filter(|session| session.writable).count();
    info.set(CK_TOKEN_INFO {
        label: padded(slot.provider.name()),
        manufacturerID: padded(&slot.info.vendor),
        model: padded("Parsec"),
        serialNumber: serial(&slot.info),
        flags: CKF_RNG | CKF_TOKEN_INITIALIZED | CKF_USER_PIN_INITIALIZED,
        ulMaxSessionCount: CK_EFFECTIVELY_INFINITE,
        ulSessionCount: open.count() as CK_ULONG,
        ulMaxRwSessionCount: CK_EFFECTIVELY_INFINITE,
        ulRwSessionCount: writable as CK_ULONG,
        ulMaxPinLen: 255,
        ulMinPinLen: 0,
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
    let module = module::current()?;
    let slot = module.slots.find(&module.client, id)?;
    kinds.write(&slot.abilities(&module.client)?.kinds())
}

pub(crate) fn mechanism(id: CK_SLOT_ID, kind: CK_MECHANISM_TYPE, info: &Out<CK_MECHANISM_INFO>) -> Result<()> {
    let module = module::current()?;
    let slot = module.slots.find(&module.client, id)?;
    info.set(slot.abilities(&module.client)?.info(kind)?);
    Ok(())
}

/// C_WaitForSlotEvent: providers come and go with the service only, which announces nothing.
pub(crate) fn wait(flags: CK_FLAGS) -> Result<()> {
    module::current()?;
    if flags & CKF_DONT_BLOCK == 0 {
        return Err(Error::FunctionNotSupported);
    }
    Err(Error::NoEvent)
}
