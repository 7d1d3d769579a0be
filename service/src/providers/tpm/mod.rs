//! The TPM provider: keys that never leave the chip in the clear, in any number.
//!
//! A key is a child of the storage primary. What the chip gives back for it is kept in our store, so nothing can be left behind in the
//! chip, and destroying a key is forgetting it. One worker talks to the chip (`chip`), which keeps the keys that were used last loaded.
//! Only what needs a private key goes there: padding, hashing, verifying and encrypting are the software provider's.

mod ability;
mod attest;
mod blob;
mod chip;
pub mod credential;
mod duplicate;
mod manage;
mod random;
pub mod sealed;
mod session;
mod settings;
mod symmetric;
mod template;
mod uses;
pub mod verify;

use crate::error::{Error, Result};
use crate::provider::{Call, Info, Provider};
use crate::providers::software::{self, Software};
use crate::store::{Key, Store};
use ability::Ability;
use blob::Blob;
use chip::{Chip, Failure};
use interface::operations::*;
use interface::{ProviderId, Status};
use settings::Settings;
use std::sync::{Arc, Mutex, PoisonError};
use tss_esapi::Context;
use tss_esapi::handles::KeyHandle;

/// The provider's state.
struct Tpm {
    settings: Settings,
    /// Does what needs no private key.
    software: Arc<Software>,
    ability: Ability,
    /// `None` while it cannot be reached.
    chip: Mutex<Option<Chip>>,
}

/// A key of the store, ready to use.
struct Held {
    /// `None` of secret keys.
    public: Option<software::Key>,
    /// `None` of public keys, which need no chip.
    blob: Option<Blob>,
}

/// Opens the provider; `None` where there is no TPM and the configuration permits that.
///
/// # Errors
/// [`Error::Config`] for a setting that it does not know; the chip's or the store's own.
pub fn open(settings: toml::Table, store: &Arc<Store>) -> Result<Option<Provider>> {
    let (settings, software) = Settings::read(ProviderId::TPM, settings)?;
    let mut chip = match Chip::connect(&settings) {
        Ok(chip) => chip,
        Err(error) if settings.optional && error.unreachable() => {
            tracing::warn!("the TPM provider is left out: {}", error.explain(&settings));
            return Ok(None);
        }
        Err(error) => return Err(error.explain(&settings)),
    };
    let ability = Ability::probe(&mut chip).map_err(|error| Failure::from(error).explain(&settings))?;
    tracing::info!("{}, room for {} loaded keys: {ability}", chip.description(), chip.slots);
    for pending in store.pending(ProviderId::TPM)? {
        store.settle(pending)?;
    }
    let info = Info { id: ProviderId::TPM, description: chip.description(), vendor: chip.maker.clone(), version: [0, 1, 0] };
    survey(&chip, store);
    let tpm = Arc::new(Tpm { settings, software: Arc::new(software), ability, chip: Mutex::new(Some(chip)) });
    Ok(Some(register(Provider::new(info, 1), &tpm)))
}

fn register(mut provider: Provider, tpm: &Arc<Tpm>) -> Provider {
    if tpm.ability.hmac {
        provider = provider.on_slow::<MacCompute, _>(tpm).on_slow::<MacVerify, _>(tpm);
    }
    if tpm.ability.ciphers() {
        provider = provider.on_slow::<CipherEncrypt, _>(tpm).on_slow::<CipherDecrypt, _>(tpm);
    }
    provider
        .on_slow::<GenerateKey, _>(tpm)
        .on_slow::<ImportKey, _>(tpm)
        .on_slow::<CopyKey, _>(tpm)
        .on_slow::<DestroyKey, _>(tpm)
        .on::<ExportPublicKey, _>(&tpm.software)
        .on_slow::<SignHash, _>(tpm)
        .on::<VerifyHash, _>(tpm)
        .on_slow::<SignMessage, _>(tpm)
        .on::<VerifyMessage, _>(tpm)
        .on::<AsymmetricEncrypt, _>(tpm)
        .on_slow::<AsymmetricDecrypt, _>(tpm)
        .on_slow::<RawKeyAgreement, _>(tpm)
        .on_slow::<PrepareKeyAttestation, _>(tpm)
        .on_slow::<AttestKey, _>(tpm)
        .on_slow::<CertifyKey, _>(tpm)
        .on_slow::<Quote, _>(tpm)
        .on_slow::<GenerateRandom, _>(tpm)
        .on::<HashCompute, _>(&tpm.software)
        .on::<HashCompare, _>(&tpm.software)
        .on::<CanDoCrypto, _>(tpm)
}

impl Held {
    /// The public half of a pair.
    fn public(&self) -> Result<&software::Key> {
        self.public.as_ref().ok_or_else(|| invalid("a symmetric key has no public half"))
    }

    /// What the chip holds.
    fn blob(&self) -> Result<&Blob> {
        self.blob.as_ref().ok_or_else(|| invalid("this needs the private half, and the key is a public key"))
    }
}

impl Tpm {
    /// The key of the request, parsed at its first use.
    fn held(call: &Call<'_>) -> Result<Arc<Held>> {
        let key = call.key()?;
        call.loaded(key, |attributes, material| {
            let public = match key.public_key.as_slice() {
                [] => None,
                data => Some(software::Key::load(&attributes.public(), data)?),
            };
            let blob = if attributes.key_type.is_public() { None } else { Some(Blob::decode(&material)?) };
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
        self.holding(call, held, |chip, key| Ok(chip.authorised(|context| command(context, key))?))
    }

    /// Runs commands while the key of the request is loaded.
    fn holding<T>(&self, call: &Call<'_>, held: &Held, work: impl Fn(&mut Chip, KeyHandle) -> Result<T, Failure>) -> Result<T> {
        let (key, blob) = (call.key()?, held.blob()?);
        let result = self.run(call.store(), |chip| {
            let handle = chip.key(&key.uuid, blob)?;
            work(chip, handle)
        });
        result.map_err(|failure| match failure {
            Failure::Foreign => {
                call.store().mark(key, true);
                foreign(key)
            }
            other => other.explain(&self.settings),
        })
    }

    /// Runs commands on the chip; a second time, on a new connection, where it has lost what was loaded or does not answer.
    fn run<T>(&self, store: &Store, work: impl Fn(&mut Chip) -> Result<T, Failure>) -> Result<T, Failure> {
        let mut state = self.chip.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(chip) = state.as_mut() {
            match chip.patiently(&work) {
                Err(failure) if failure.lost() => tracing::warn!("starting anew with the TPM: {failure}"),
                result => return result,
            }
        }
        // Ending the connection frees the slots.
        let before = state.take().map(|chip| chip.name.clone());
        let chip = state.insert(Chip::connect(&self.settings)?);
        if before.as_ref() != Some(&chip.name) {
            survey(chip, store);
        }
        chip.patiently(&work)
    }
}

/// Marks the keys that this chip does not have.
fn survey(chip: &Chip, store: &Store) {
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
