//! The sealed tier: keys that are useless on the disk without the chip. In memory they work at the speed of software.
//!
//! It is the software provider with one change: a wrapping key encrypts each private key, and the chip has sealed the wrapping key.
//! The service keeps itself out of swap and core files. The chip unseals the wrapping key once, at the start. The service asks the
//! chip again before it stores a key, because a chip that was cleared meanwhile could not unseal it later.
//!
//! All keys share one wrapping key. The chip unseals for anybody who holds the store and its key, and does not know for which
//! client. So a seal for each key would stop nobody else, and would cost a tenth of a second on a discrete chip at the first use of
//! each key. Every stored key carries the sealed wrapping key, so no separate file can be lost or out of step.

use super::blob::{Blob, damaged};
use super::chip::Chip;
use super::chip_owner::ChipOwner;
use super::failure::Failure;
use super::manage::password;
use super::settings::Settings;
use super::{MAKING, counter, template};
use crate::error::{Error, Result};
use crate::log::Kind;
use crate::privileges;
use crate::provider::{Info, Provider};
use crate::providers::Plan;
use crate::providers::software::{self, Seal, Software};
use crate::store::{Sealer, Store};
use interface::operations::Tier;
use interface::{ProviderId, Secret, Status};
use std::sync::Arc;
use tss_esapi::structures::SensitiveData;

/// Bytes of a wrapping key.
const WRAPPING_KEY: usize = 32;

/// Reads the provider's settings.
///
/// # Errors
/// [`Error::Config`] for a setting that it does not know, or a password that cannot be read.
pub fn plan(settings: toml::Table) -> Result<Plan> {
    let (settings, software) = Settings::read(ProviderId::TPM_SEALED, settings)?;
    let reach = settings.reach();
    let open = move |store: &Arc<Store>| open(settings.clone(), software.clone(), store);
    Ok(Plan::new(ProviderId::TPM_SEALED, reach, open))
}

fn open(settings: Settings, software: Software, store: &Arc<Store>) -> Result<Option<Provider>> {
    let optional = settings.optional;
    let chip_owner = ChipOwner::shared(settings);
    let keys = Arc::clone(store);
    let wrapping = chip_owner.first(move |chip| {
        privileges::lock_memory()?;
        let wrapping = match survey(chip, &keys) {
            Some(blob) => unseal(chip, &blob).map(|secret| (blob, secret)),
            None => make(chip),
        };
        Ok((chip.model.clone(), wrapping?))
    });
    let (model, (blob, secret)) = match wrapping {
        Err(error) if optional && error.unreachable() => {
            tracing::warn!("the sealed tier is left out: {}", error.explain(&chip_owner.settings));
            return Ok(None);
        }
        wrapping => wrapping.map_err(|failure| failure.at_start(&chip_owner.settings))?,
    };
    counter::anchor(&chip_owner, store)?;
    let sealer = Sealer::new(&secret)?;
    let limit = chip_owner.settings.limit * MAKING;
    let device = Arc::clone(&chip_owner);
    let wrapping = Wrapping { chip_owner, encoded: blob.encode()?, blob, sealer };
    tracing::info!("keys of the provider {} are sealed by the {model}", ProviderId::TPM_SEALED);
    let description = format!("Keys in the memory of the service, sealed by the {model}");
    let info = Info { id: ProviderId::TPM_SEALED, description, vendor: model.maker, version: [0, 1, 0] };
    software.sealed(wrapping).register(Provider::new(info, software::workers()).on_device(&device).within(limit), store).map(Some)
}

/// The wrapping key, and the chip that has sealed it.
struct Wrapping {
    chip_owner: Arc<ChipOwner>,
    blob: Arc<Blob>,
    /// Every stored key begins with this.
    encoded: Secret,
    sealer: Sealer,
}

impl Seal for Wrapping {
    fn check(&self) -> Result<()> {
        self.chip_owner.run(|chip| unseal(chip, &self.blob)).map(drop).map_err(|failure| match failure {
            Failure::Foreign => Error::refused(
                Status::PsaErrorHardwareFailure,
                "the TPM was cleared or exchanged since the service has started: start it again to seal new keys",
            ),
            other => other.explain(&self.chip_owner.settings),
        })
    }

    fn seal(&self, private: &[u8]) -> Result<Secret> {
        let sealed = self.sealer.seal(&self.encoded, private)?;
        Ok(Secret::new([&*self.encoded, &sealed].concat()))
    }

    fn open(&self, sealed: &[u8]) -> Result<Secret> {
        if Blob::parent(sealed)? != self.blob.parent {
            let detail = "the key was sealed by another TPM, or before this one was cleared: it is kept until that one is back";
            return Err(Error::refused(Status::PsaErrorHardwareFailure, detail));
        }
        let sealed = sealed.strip_prefix(&*self.encoded);
        sealed.and_then(|sealed| self.sealer.open(&self.encoded, sealed)).ok_or_else(damaged)
    }
}

/// Marks the keys that this chip has not sealed; the wrapping key of the others, if there are any.
fn survey(chip: &Chip, store: &Store) -> Option<Arc<Blob>> {
    let keys = store.owners().into_iter().flat_map(|owner| store.keys(&owner));
    let (mut own, mut missing) = (None, 0_u32);
    for key in keys.filter(|key| key.provider == ProviderId::TPM_SEALED && key.tier == Tier::Sealed) {
        let found = store.material(&key).and_then(|material| {
            let here = Blob::parent(&material)? == chip.name;
            if here && own.is_none() {
                own = Some(Arc::new(Blob::split(&material)?.0));
            }
            Ok(here)
        });
        match found {
            Ok(true) => {}
            Ok(false) => {
                store.mark(&key, true);
                missing += 1;
            }
            Err(error) => tracing::error!(event = Kind::Damage.name(), "{error}"),
        }
    }
    if missing > 0 {
        tracing::error!(
            event = Kind::Damage.name(),
            "{missing} keys were sealed by another TPM, or before this one was cleared: they are kept until it is back"
        );
    }
    own
}

fn make(chip: &mut Chip) -> Result<(Arc<Blob>, SensitiveData), Failure> {
    let secret = SensitiveData::try_from(software::random(WRAPPING_KEY)?.as_slice())?;
    let (auth, template) = (password()?, template::sealed()?);
    let sealed = (Some(auth.clone()), Some(secret.clone()));
    let made = chip.with_primary(|context, primary| context.create(primary, template, sealed.0, sealed.1, None, None))?;
    Ok((chip.proven(Blob::new(chip.name.clone(), auth, made.out_private, made.out_public))?, secret))
}

fn unseal(chip: &mut Chip, blob: &Arc<Blob>) -> Result<SensitiveData, Failure> {
    chip.with(blob, |context, key| context.unseal(key.into()))
}
