//! The TPM provider: keys that never leave the chip in the clear, in any number.
//!
//! A key is a child of the storage primary. What the chip gives back for it is kept in our store, so nothing can be left behind in the
//! chip, a name need not be reserved before a key is made, and destroying a key is forgetting it. One worker talks to the chip (`chip`), which keeps the keys that were used last loaded.
//! Only what needs a private key goes there: padding, hashing, verifying and encrypting are the software provider's.

mod ability;
mod blob;
mod chip;
mod failure;
mod firmware;
mod manage;
mod random;
mod seat;
mod settings;
mod template;
mod uses;

use crate::error::{Error, Result};
use crate::provider::{Call, Info, Provider};
use crate::providers::software::{self, Software};
use crate::store::{Key, Store};
use ability::Ability;
use blob::Blob;
use chip::Chip;
use failure::Failure;
use interface::operations::*;
use interface::{ProviderId, Status};
use seat::{Seat, Turn};
use settings::Settings;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;
use tss_esapi::Context;
use tss_esapi::handles::KeyHandle;

/// How often a busy chip is asked again, first after so many milliseconds, then after twice as many each time.
const PATIENCE: (u32, u64) = (8, 10);
/// Finding the primes of a key takes a chip so many times as long as any other request may.
const MAKING: u32 = 10;

/// The provider's state.
struct Tpm {
    settings: Arc<Settings>,
    /// Does what needs no private key.
    software: Arc<Software>,
    ability: Ability,
    seat: Seat,
    /// Name of the storage primary under which keys that were made are not missing.
    surveyed: Mutex<Vec<u8>>,
}

/// A key of the store, ready to use.
struct Held {
    public: software::Key,
    /// `None` of public keys, which need no chip.
    blob: Option<Arc<Blob>>,
}

/// Opens the provider; `None` where there is no TPM and the configuration permits that.
///
/// # Errors
/// [`Error::Config`] for a setting that it does not know; the chip's or the store's own.
pub fn open(settings: toml::Table, store: &Arc<Store>) -> Result<Option<Provider>> {
    let (settings, software) = Settings::read(settings)?;
    let seat = Seat::default();
    let (turn, _) = seat.take();
    let (chip, ability) = match first(&settings, &turn) {
        Ok(first) => first,
        Err(error) if settings.optional && error.unreachable() => {
            tracing::warn!("the TPM provider is left out: {}", error.explain(&settings));
            return Ok(None);
        }
        Err(error) => return Err(error.explain(&settings)),
    };
    tracing::info!("{}, room for {} loaded keys: {ability}", chip.description(), chip.slots);
    if let Some(flaw) = chip.flaw() {
        tracing::warn!("do not trust this TPM, of which {flaw}: update its firmware, then make new keys");
    }
    for pending in store.pending(ProviderId::TPM)? {
        store.settle(pending)?;
    }
    let info = Info { id: ProviderId::TPM, description: chip.description(), vendor: chip.maker.clone(), version: [0, 1, 0] };
    let tpm = Arc::new(Tpm { settings, software, ability, seat, surveyed: Mutex::default() });
    tpm.survey(&chip, store);
    tpm.seat.put(&turn, Some(chip));
    Ok(Some(register(Provider::new(info, 1), &tpm)))
}

fn register(provider: Provider, tpm: &Arc<Tpm>) -> Provider {
    let limit = tpm.settings.limit;
    provider
        .within(limit * MAKING)
        .on_slow::<GenerateKey, _>(tpm)
        .within(limit)
        .on_slow::<ImportKey, _>(tpm)
        .on_slow::<CopyKey, _>(tpm)
        .on_slow::<DestroyKey, _>(tpm)
        .on::<ExportPublicKey, _>(tpm)
        .on_slow::<SignHash, _>(tpm)
        .on::<VerifyHash, _>(tpm)
        .on_slow::<SignMessage, _>(tpm)
        .on::<VerifyMessage, _>(tpm)
        .on::<AsymmetricEncrypt, _>(tpm)
        .on_slow::<AsymmetricDecrypt, _>(tpm)
        .on_slow::<RawKeyAgreement, _>(tpm)
        .on_slow::<GenerateRandom, _>(tpm)
        .on::<HashCompute, _>(&tpm.software)
        .on::<HashCompare, _>(&tpm.software)
        .on::<CanDoCrypto, _>(tpm)
}

impl Tpm {
    /// The key of the request, parsed at its first use.
    fn held(call: &Call<'_>) -> Result<Arc<Held>> {
        let key = call.key()?;
        call.loaded(key, |attributes, material| {
            let public = software::Key::load(&attributes.public(), &key.public_key)?;
            let blob = if attributes.key_type.is_public() { None } else { Some(Arc::new(Blob::decode(&material)?)) };
            Ok(Held { public, blob })
        })
    }

    /// Runs a command with the key of the request.
    fn with<T>(
        &self,
        call: &Call<'_>,
        held: &Held,
        command: impl Fn(&mut Context, KeyHandle) -> tss_esapi::Result<T>,
    ) -> Result<T> {
        let blob = held.blob.as_ref().ok_or_else(|| {
            Error::refused(Status::PsaErrorInvalidArgument, "this needs the private half, and the key is a public key")
        })?;
        let key = call.key()?;
        let result = self.run(call.store(), |chip| chip.with(blob, &command));
        result.map_err(|failure| match failure {
            Failure::Foreign => {
                call.store().mark(key, true);
                foreign(key)
            }
            other => other.explain(&self.settings),
        })
    }

    /// Runs commands on the chip: again on a new connection, once, where it has lost what was loaded or does not answer; and again for
    /// a while where it is busy.
    fn run<T>(&self, store: &Store, work: impl Fn(&mut Chip) -> Result<T, Failure>) -> Result<T, Failure> {
        let (turn, mut chip) = self.seat.take();
        let mut renewed = false;
        let result = patiently(|| match self.attempt(&turn, &mut chip, store, &work) {
            Err(failure) if failure.lost() && !renewed => {
                tracing::warn!("starting anew with the TPM: {failure}");
                renewed = true;
                chip.take().into_iter().for_each(Chip::close);
                self.attempt(&turn, &mut chip, store, &work)
            }
            result => result,
        });
        self.seat.put(&turn, chip);
        result
    }

    fn attempt<T>(
        &self,
        turn: &Turn,
        chip: &mut Option<Chip>,
        store: &Store,
        work: impl Fn(&mut Chip) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        if let Some(chip) = chip {
            return work(chip);
        }
        let chip = chip.insert(Chip::connect(&self.settings, turn.clone())?);
        self.survey(chip, store);
        work(chip)
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
        for key in keys.filter(|key| key.provider == ProviderId::TPM && !key.attributes.key_type.is_public()) {
            match store.material(&key).and_then(|material| Blob::decode(&material)) {
                Ok(blob) => {
                    store.mark(&key, blob.parent != chip.name);
                    missing += u32::from(blob.parent != chip.name);
                }
                Err(error) => tracing::error!("{error}"),
            }
        }
        if missing > 0 {
            tracing::error!(
                "{missing} keys were made in another TPM, or before this one was cleared: they are kept, and work again when it is back"
            );
        }
    }
}

/// Connects for the first time, and asks what there is; no longer than a request may take.
fn first(settings: &Arc<Settings>, turn: &Turn) -> Result<(Chip, Ability), Failure> {
    let (sender, receiver) = mpsc::channel();
    let (theirs, turn) = (Arc::clone(settings), turn.clone());
    let connect = move || {
        let mut chip = Chip::connect(&theirs, turn.clone())?;
        Ability::probe(&mut chip).map(|ability| (chip, ability))
    };
    std::thread::spawn(move || drop(sender.send(patiently(connect))));
    receiver.recv_timeout(settings.limit).unwrap_or(Err(Failure::Silent))
}

/// Does it again, for a while, when the chip is busy.
fn patiently<T>(mut work: impl FnMut() -> Result<T, Failure>) -> Result<T, Failure> {
    let (times, first) = PATIENCE;
    for wait in (0..times).map(|time| Duration::from_millis(first << time)) {
        match work() {
            Err(failure) if failure.busy() => std::thread::sleep(wait),
            result => return result,
        }
    }
    work()
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
