//! The TPM provider: any number of keys, which never leave the chip in the clear.
//!
//! A key is a child of the storage primary. The chip returns it encrypted, and the store keeps it. So the chip never holds a
//! forgotten key, a name need not be reserved before a key is made, and to destroy a key is to forget it. One owner talks to the
//! chip (`chip`), which keeps the most recently used keys loaded. Only operations with a private key go to the chip. The software
//! provider does the padding, hashing, verifying and encrypting.

mod ability;
mod attest;
mod blob;
mod chip;
mod chip_owner;
mod counter;
pub mod credential;
mod derive;
mod duplicate;
mod failure;
mod link;
mod manage;
mod model;
mod random;
pub mod sealed;
mod session;
mod settings;
mod symmetric;
mod template;
mod turn;
mod uses;
pub mod verify;

use crate::admission::Call;
use crate::error::{Error, Result};
use crate::key::Key;
use crate::log::Kind;
use crate::memory::Parsed;
use crate::provider::{Info, Provider};
use crate::providers::Plan;
use crate::providers::software::{self, Software};
use crate::store::Store;
use ability::Ability;
use blob::Blob;
use chip::Chip;
use chip_owner::ChipOwner;
use failure::Failure;
use interface::operations::*;
use interface::{ProviderId, Status};
use settings::Settings;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tss_esapi::Context;
use tss_esapi::handles::KeyHandle;

/// Finding the primes of a key takes a chip so many times as long as any other request may.
const MAKING: u32 = 10;

/// The provider's state.
struct Tpm {
    chip_owner: Arc<ChipOwner>,
    /// Does what needs no private key.
    software: Arc<Software>,
    ability: Ability,
    /// Name of the storage primary under which keys that were made are not missing.
    surveyed: Mutex<Vec<u8>>,
}

/// A key of the store, ready to use.
struct ReadyKey {
    /// `None` of secret keys.
    public: Option<software::ParsedKey>,
    /// `None` of keys that need no chip, as public ones.
    blob: Option<Arc<Blob>>,
}

/// Reads the provider's settings.
///
/// # Errors
/// [`Error::Config`] for a setting that it does not know, or a password that cannot be read.
pub fn plan(settings: toml::Table) -> Result<Plan> {
    let (settings, software) = Settings::read(ProviderId::TPM, settings)?;
    let reach = settings.reach();
    let open = move |store: &Arc<Store>| open(settings.clone(), software.clone(), store);
    Ok(Plan::new(ProviderId::TPM, reach, open))
}

/// Waits until the chips have unloaded what the service has loaded, but no longer than this.
pub(super) fn await_end(limit: Duration) {
    link::await_end(limit);
}

fn open(settings: Settings, software: Software, store: &Arc<Store>) -> Result<Option<Provider>> {
    let optional = settings.optional;
    let chip_owner = ChipOwner::shared(settings);
    let (model, slots, ability) = match chip_owner.first(|chip| Ok((chip.model.clone(), chip.slots, Ability::probe(chip)?))) {
        Ok(found) => found,
        Err(error) if optional && error.unreachable() => {
            tracing::warn!("the TPM provider is left out: {}", error.explain(&chip_owner.settings));
            return Ok(None);
        }
        Err(error) => return Err(error.at_start(&chip_owner.settings)),
    };
    tracing::info!("{model}, room for {slots} loaded keys: {ability}");
    if let Some(flaw) = model.flaw() {
        tracing::warn!("do not trust this TPM, of which {flaw}: update its firmware, then make new keys");
    }
    counter::anchor(&chip_owner, store)?;
    store.recover(ProviderId::TPM)?;
    let info = Info { id: ProviderId::TPM, description: model.to_string(), vendor: model.maker, version: [0, 1, 0] };
    let tpm = Arc::new(Tpm { chip_owner, software: Arc::new(software), ability, surveyed: Mutex::default() });
    tpm.run(store, |_| Ok(())).map_err(|failure| failure.explain(&tpm.chip_owner.settings))?;
    Ok(Some(register(Provider::new(info, 1).on_device(&tpm.chip_owner), &tpm)))
}

fn register(mut provider: Provider, tpm: &Arc<Tpm>) -> Provider {
    let limit = tpm.chip_owner.settings.limit;
    provider = provider.within(limit);
    if tpm.ability.hmac {
        provider = provider.on_slow::<MacCompute, _>(tpm).on_slow::<MacVerify, _>(tpm);
    }
    if tpm.ability.ciphers() {
        provider = provider.on_slow::<CipherEncrypt, _>(tpm).on_slow::<CipherDecrypt, _>(tpm);
    }
    provider
        .within(limit * MAKING)
        .on_slow::<GenerateKey, _>(tpm)
        .within(limit)
        .on_slow::<ImportKey, _>(tpm)
        .on_slow::<CopyKey, _>(tpm)
        .on_store::<DestroyKey, _>(tpm)
        .on::<ExportPublicKey, _>(&tpm.software)
        .on_slow::<SignHash, _>(tpm)
        .on::<VerifyHash, _>(tpm)
        .on_slow::<SignMessage, _>(tpm)
        .on::<VerifyMessage, _>(tpm)
        .on::<AsymmetricEncrypt, _>(tpm)
        .on_slow::<AsymmetricDecrypt, _>(tpm)
        .on_slow::<RawKeyAgreement, _>(tpm)
        .on_slow::<DeriveKey, _>(tpm)
        .on::<ExportKey, _>(tpm)
        .on_slow::<PrepareKeyAttestation, _>(tpm)
        .on_slow::<AttestKey, _>(tpm)
        .on_slow::<CertifyKey, _>(tpm)
        .on_slow::<Quote, _>(tpm)
        .on_slow::<GenerateRandom, _>(tpm)
        .on::<HashCompute, _>(&tpm.software)
        .on::<HashCompare, _>(&tpm.software)
        .on::<CanDoCrypto, _>(tpm)
}

impl Parsed for ReadyKey {
    /// The chip's own encryption is on it.
    const CLEAR: bool = false;
}

impl ReadyKey {
    /// The public half of a pair.
    fn public(&self) -> Result<&software::ParsedKey> {
        self.public.as_ref().ok_or_else(|| invalid("a symmetric key has no public half"))
    }

    /// What the chip holds.
    fn blob(&self) -> Result<&Arc<Blob>> {
        self.blob.as_ref().ok_or_else(|| {
            invalid("this needs a key in the chip, which has nothing of a public key, nor of a secret one that may be read")
        })
    }
}

impl Tpm {
    /// The key of the request, parsed at its first use.
    fn held(call: &Call<'_>) -> Result<Arc<ReadyKey>> {
        let key = call.key()?;
        call.loaded(key, |attributes, material| {
            let public = match key.public_key.as_slice() {
                [] => None,
                data => Some(software::ParsedKey::load(&attributes.public(), data)?),
            };
            let blob = if derive::is_here(key) { None } else { Some(Arc::new(Blob::decode(&material)?)) };
            Ok(ReadyKey { public, blob })
        })
    }

    /// Runs a command with the key of the request.
    fn with<T>(
        &self,
        call: &Call<'_>,
        held: &ReadyKey,
        command: impl Fn(&mut Context, KeyHandle) -> tss_esapi::Result<T>,
    ) -> Result<T> {
        self.holding(call, held, |chip, key| chip.authorised(|context| command(context, key)))
    }

    /// Runs commands while the key of the request is loaded.
    fn holding<T>(
        &self,
        call: &Call<'_>,
        held: &ReadyKey,
        work: impl Fn(&mut Chip, KeyHandle) -> Result<T, Failure>,
    ) -> Result<T> {
        let (key, blob) = (call.key()?, held.blob()?);
        let result = self.run(call.store(), |chip| {
            let handle = chip.key(blob)?;
            work(chip, handle)
        });
        result.map_err(|failure| match failure {
            Failure::Foreign => {
                call.store().mark(key, true);
                foreign(key)
            }
            other => other.explain(&self.chip_owner.settings),
        })
    }

    /// Runs commands on the chip, as often as [`ChipOwner::run`] does.
    fn run<T>(&self, store: &Store, work: impl Fn(&mut Chip) -> Result<T, Failure>) -> Result<T, Failure> {
        self.chip_owner.run(|chip| {
            self.survey(chip, store);
            work(chip)
        })
    }

    /// Marks the keys that this chip does not have, if it is another one than before.
    fn survey(&self, chip: &Chip, store: &Store) {
        let mut surveyed = self.surveyed.lock().unwrap_or_else(PoisonError::into_inner);
        if *surveyed == chip.name {
            return;
        }
        surveyed.clone_from(&chip.name);
        let keys = store.owners().into_iter().flat_map(|owner| store.keys(&owner));
        let mut missing = 0_u32;
        for key in keys.filter(|key| key.provider == ProviderId::TPM && !derive::is_here(key)) {
            match store.material(&key).and_then(|material| Ok(Blob::parent(&material)? != chip.name)) {
                Ok(elsewhere) => {
                    store.mark(&key, elsewhere);
                    missing += u32::from(elsewhere);
                }
                Err(error) => tracing::error!(event = Kind::Damage.name(), "{error}"),
            }
        }
        if missing > 0 {
            tracing::error!(
                event = Kind::Damage.name(),
                "{missing} keys were made in another TPM, or before this one was cleared: they are kept, and work again when it is back"
            );
        }
    }
}

fn invalid(detail: impl Into<String>) -> Error {
    Error::refused(Status::PsaErrorInvalidArgument, detail)
}

fn foreign(key: &Key) -> Error {
    Error::refused(
        Status::PsaErrorHardwareFailure,
        format!(
            "key '{}' was made in another TPM, or before this one was cleared: it is kept, and works again when that one is back",
            key.name
        ),
    )
}
