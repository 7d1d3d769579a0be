//! A counter in the chip's non-volatile memory. It shows the store when an older copy has replaced it.
//!
//! It is an NV index of the type counter (TPM 2.0 Part 1 §37.2.4.2). Nobody can lower it. Its number and password are derived from
//! the store key. So the service finds it again without remembering it, a crash leaves no second one behind, and other users of the
//! chip cannot raise it. The service raises it at the start, and when something ends that must not come back. It does not raise it
//! with every change, because the memory wears out.

use super::chip::Chip;
use super::chip_owner::ChipOwner;
use super::failure::Failure;
use crate::error::{Error, Result};
use crate::store::{Counter, Store};
use interface::Status;
use std::sync::Arc;
use tss_esapi::attributes::NvIndexAttributes;
use tss_esapi::constants::nv_index_type::NvIndexType;
use tss_esapi::constants::response_code::Tss2ResponseCodeKind as Kind;
use tss_esapi::handles::{NvIndexHandle, NvIndexTpmHandle, TpmHandle};
use tss_esapi::interface_types::algorithm::HashingAlgorithm;
use tss_esapi::interface_types::resource_handles::{NvAuth, Provision};
use tss_esapi::structures::{Auth, NvPublic};

/// The first NV index that belongs to the owner's programs (TCG registry of reserved TPM 2.0 handles §2.2), and how many there are.
const INDEXES: (u32, u32) = (0x0180_0000, 0x0040_0000);
/// Bytes of a counter.
const LEN: u16 = 8;

/// Makes the store detect its rollback by a counter of this chip, unless it has one already.
///
/// # Errors
/// [`Error::Corrupt`] where the store is older than the counter says; the chip's own.
pub(super) fn anchor(chip_owner: &Arc<ChipOwner>, store: &Store) -> Result<()> {
    if store.anchored() {
        return Ok(());
    }
    let secret = store.fingerprint(b"parsec counter in a TPM");
    let number = u32::from_be_bytes([secret[0], secret[1], secret[2], secret[3]]);
    let index = INDEXES.0 + number % INDEXES.1;
    let counter = NvCounter { chip_owner: Arc::clone(chip_owner), index, auth: auth(&secret)? };
    let (device, count) = {
        let (index, auth) = (counter.index, counter.auth.clone());
        let found = chip_owner.first(move |chip| Ok((chip.name.clone(), open(chip, index, &auth)?)));
        found.map_err(|failure| failure.explain(&chip_owner.settings))?
    };
    store.anchor_to(&device, count, counter)
}

struct NvCounter {
    chip_owner: Arc<ChipOwner>,
    index: u32,
    auth: Auth,
}

impl Counter for NvCounter {
    fn raise(&self, count: u64) -> Result<u64> {
        let raised = self.chip_owner.run(|chip| {
            with(chip, self.index, &self.auth, |chip, index| {
                let mut now = read(chip, index)?;
                while now.is_none_or(|now| now < count) {
                    chip.authorised(|context| context.nv_increment(NvAuth::NvIndex(index), index))?;
                    now = read(chip, index)?;
                }
                Ok(now)
            })
        });
        let gone = || Error::refused(Status::PsaErrorHardwareFailure, "the TPM has lost the counter of the store");
        raised.map_err(|failure| failure.explain(&self.chip_owner.settings))?.ok_or_else(gone)
    }
}

/// The count of the counter; where there is none, makes one and returns `None`.
fn open(chip: &mut Chip, number: u32, auth: &Auth) -> Result<Option<u64>, Failure> {
    match with(chip, number, auth, read) {
        Err(failure) if failure.kind() == Some(Kind::Handle) => {
            let attributes = NvIndexAttributes::builder()
                .with_nv_index_type(NvIndexType::Counter)
                .with_auth_read(true)
                .with_auth_write(true)
                .with_no_da(true)
                .build()?;
            let public = NvPublic::builder()
                .with_nv_index(NvIndexTpmHandle::new(number)?)
                .with_index_name_algorithm(HashingAlgorithm::Sha256)
                .with_index_attributes(attributes)
                .with_data_area_size(LEN.into())
                .build()?;
            let index = chip.authorised(|context| context.nv_define_space(Provision::Owner, Some(auth.clone()), public))?;
            chip.forget(index.into());
            Ok(None)
        }
        found => found,
    }
}

/// Does something with the index. Only what is a counter without lock-out is given the password.
fn with<T>(
    chip: &mut Chip,
    number: u32,
    auth: &Auth,
    work: impl FnOnce(&mut Chip, NvIndexHandle) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let tpm = TpmHandle::NvIndex(NvIndexTpmHandle::new(number)?);
    let object = chip.ask(|context| context.tr_from_tpm_public(tpm))?;
    let index = NvIndexHandle::from(object);
    let result = checked(chip, index).and_then(|()| {
        chip.ask(|context| context.tr_set_auth(object, auth.clone()))?;
        work(chip, index)
    });
    chip.forget(object);
    result
}

fn checked(chip: &mut Chip, index: NvIndexHandle) -> Result<(), Failure> {
    let (public, _) = chip.ask(|context| context.nv_read_public(index))?;
    let attributes = public.attributes();
    if attributes.index_type()? == NvIndexType::Counter && attributes.no_da() {
        return Ok(());
    }
    Err(Failure::Other(Error::refused(
        Status::PsaErrorHardwareFailure,
        "another program has taken the NV index of the store's counter",
    )))
}

/// `None` of a counter that was never raised.
fn read(chip: &mut Chip, index: NvIndexHandle) -> Result<Option<u64>, Failure> {
    match chip.authorised(|context| context.nv_read(NvAuth::NvIndex(index), index, LEN, 0)) {
        Err(failure) if failure.kind() == Some(Kind::NvUninitialized) => Ok(None),
        Err(failure) => Err(failure),
        Ok(bytes) => {
            let count = <[u8; 8]>::try_from(bytes.as_slice()).map_err(|_| Failure::Wrong)?;
            Ok(Some(u64::from_be_bytes(count)))
        }
    }
}

fn auth(secret: &[u8]) -> Result<Auth> {
    Auth::try_from(secret).map_err(|_| Error::refused(Status::PsaErrorHardwareFailure, "the TPM library takes no password"))
}
