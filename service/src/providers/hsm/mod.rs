//! The PKCS#11 provider: any number of keys in a token, which is a hardware security module or acts as one.
//!
//! The token holds the keys, and the store what is public of them. A key's objects carry its UUID as their `CKA_ID`: nothing else of the
//! token is ever changed. Its name is reserved before the token makes anything, so that what a crash leaves is found and destroyed. A
//! worker process runs the vendor's library ([`crate::worker`]); `owner` keeps one running. The software provider hashes, verifies and
//! encrypts with public keys, and pads where the token lets it.

mod ability;
mod agree;
mod manage;
mod owner;
mod quirks;
mod random;
mod settings;
mod symmetric;
mod uses;

use crate::admission::Call;
use crate::error::{Error, Result};
use crate::key::Key;
use crate::memory::Parsed;
use crate::provider::{Handle, Info, Provider};
use crate::providers::Plan;
use crate::providers::software::{self, Software};
use crate::store::Store;
use crate::worker::{Channel, Fault, Launcher, Token};
use ability::Ability;
use interface::operations::*;
use interface::{ProviderId, Secret, Status};
use owner::{Failure, MAKING, PATIENCE, TokenOwner};
use settings::Settings;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// A request may wait for a channel and run on it, and do both again.
const ROUNDS: u32 = 4;

/// The provider's state.
struct Hsm {
    owner: Arc<TokenOwner>,
    /// Does what needs no private key, and keeps what is in no token.
    software: Arc<Software>,
    ability: Ability,
}

/// A key of the store, ready to use.
struct ReadyKey {
    /// Its `CKA_ID`, as the worker is told.
    name: String,
    /// `None` of secret keys.
    public: Option<software::ParsedKey>,
    /// Known to nobody else.
    own: Secret,
}

/// Reads the provider's settings, and starts what starts the worker.
///
/// # Errors
/// [`Error::Config`] for a setting that it does not know; [`Error::Io`].
pub(super) fn plan(settings: toml::Table) -> Result<Plan> {
    let (settings, software) = Settings::read(settings)?;
    let (reach, launcher) = (settings.reach(), Mutex::new(Some(Launcher::start(&settings.library)?)));
    let owner = OnceLock::new();
    let open = move |store: &Arc<Store>| {
        let launcher = launcher.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(launcher) = launcher {
            let _ = owner.set(TokenOwner::new(settings.clone(), launcher, store));
        }
        let owner = owner.get().ok_or(Status::PsaErrorBadState)?;
        open(owner, &software).map(Some)
    };
    Ok(Plan::new(ProviderId::PKCS11, reach, open))
}

fn open(owner: &Arc<TokenOwner>, software: &Software) -> Result<Provider> {
    let worker = owner.token()?;
    let Token { label, manufacturer, model, serial, .. } = &worker.token;
    tracing::info!("the token '{label}' ({manufacturer} {model}, serial number {serial}), {} sessions", worker.channels);
    let description = format!("The token '{label}', {manufacturer} {model}");
    let info = Info { id: ProviderId::PKCS11, description, vendor: manufacturer.clone(), version: [0, 1, 0] };
    let hsm = Hsm { owner: Arc::clone(owner), software: Arc::new(software.clone()), ability: Ability::new(&worker.token) };
    let limit = owner.settings.limit * ROUNDS + PATIENCE * 2;
    let provider = Provider::new(info, worker.channels).shared(worker.channels).on_device(owner).within(limit);
    Ok(register(provider, &Arc::new(hsm)))
}

fn register(mut provider: Provider, hsm: &Arc<Hsm>) -> Provider {
    let making = hsm.owner.settings.limit * (MAKING + ROUNDS) + PATIENCE * 2;
    if hsm.ability.macs() {
        provider = provider.on_slow::<MacCompute, _>(hsm).on_slow::<MacVerify, _>(hsm);
    }
    if hsm.ability.ciphers() {
        provider = provider.on_slow::<CipherEncrypt, _>(hsm).on_slow::<CipherDecrypt, _>(hsm);
    }
    if hsm.ability.aeads() {
        provider = provider.on_slow::<AeadEncrypt, _>(hsm).on_slow::<AeadDecrypt, _>(hsm);
    }
    if hsm.ability.random {
        provider = provider.on_slow::<GenerateRandom, _>(hsm);
    } else {
        provider = provider.on::<GenerateRandom, _>(&hsm.software);
    }
    provider
        .on_slow::<ImportKey, _>(hsm)
        .on_store::<DestroyKey, _>(hsm)
        .on::<ExportPublicKey, _>(&hsm.software)
        .on_slow::<ExportKey, _>(hsm)
        .on_slow::<SignHash, _>(hsm)
        .on::<VerifyHash, _>(hsm)
        .on_slow::<SignMessage, _>(hsm)
        .on::<VerifyMessage, _>(hsm)
        .on::<AsymmetricEncrypt, _>(hsm)
        .on_slow::<AsymmetricDecrypt, _>(hsm)
        .on_slow::<RawKeyAgreement, _>(hsm)
        .on_slow::<DeriveKey, _>(hsm)
        .on::<HashCompute, _>(&hsm.software)
        .on::<HashCompare, _>(&hsm.software)
        .on::<CanDoCrypto, _>(hsm)
        .within(making)
        .on_slow::<GenerateKey, _>(hsm)
}

impl Parsed for ReadyKey {
    /// What is private of it is in the token.
    const CLEAR: bool = false;
}

impl ReadyKey {
    /// The public half of a pair.
    fn public(&self) -> Result<&software::ParsedKey> {
        self.public.as_ref().ok_or_else(|| invalid("a symmetric key has no public half"))
    }
}

/// Operations on keys: those that the service has whole are the software provider's.
macro_rules! divided {
    ($($op:ident $method:ident;)*) => { $(
        impl Handle<$op> for Hsm {
            fn handle(&self, call: &Call<'_>, op: $op) -> Result<<$op as interface::Operation>::Output> {
                if is_here(call.key()?) { self.software.handle(call, op) } else { self.$method(call, op) }
            }
        }
    )* };
}

divided! {
    DestroyKey destroy;
    ExportKey export;
    SignHash sign_hash;
    VerifyHash verify_hash;
    SignMessage sign_message;
    VerifyMessage verify_message;
    AsymmetricEncrypt encrypt;
    AsymmetricDecrypt decrypt;
    RawKeyAgreement agreed;
    DeriveKey derive;
    MacCompute mac_compute;
    MacVerify mac_verify;
    CipherEncrypt cipher_encrypt;
    CipherDecrypt cipher_decrypt;
    AeadEncrypt aead_encrypt;
    AeadDecrypt aead_decrypt;
}

impl Hsm {
    /// The key of the request, parsed at its first use.
    fn held(call: &Call<'_>) -> Result<Arc<ReadyKey>> {
        let key = call.key()?;
        call.loaded(key, |attributes, own| {
            let public = match key.public_key.as_slice() {
                [] => None,
                data => Some(software::ParsedKey::load(&attributes.public(), data)?),
            };
            Ok(ReadyKey { name: key.uuid.to_string(), public, own })
        })
    }

    /// Uses the key of the request in the token.
    fn with<T>(&self, call: &Call<'_>, work: impl Fn(&Channel) -> Result<T, Fault>) -> Result<T> {
        let done = self.owner.run(work).map_err(|failure| self.explain(call, failure))?;
        if let Some(key) = call.key().ok().filter(|key| key.missing()) {
            call.store().mark(key, false);
        }
        Ok(done)
    }

    fn explain(&self, call: &Call<'_>, failure: Failure) -> Error {
        match call.key() {
            Ok(key) if failure.missing() => {
                call.store().mark(key, true);
                Error::refused(
                    Status::PsaErrorHardwareFailure,
                    format!("the token does not have the key '{}': it was destroyed there, or this is another token", key.name),
                )
            }
            _ => failure.explain(),
        }
    }
}

/// Whether the service has the whole key, and the token nothing of it: a public key, and one that ends with who made it.
fn is_here(key: &Key) -> bool {
    key.tier == Tier::Software
}

fn invalid(detail: impl Into<String>) -> Error {
    Error::refused(Status::PsaErrorInvalidArgument, detail)
}

/// The refusal of what this provider does not have.
fn unsupported(detail: impl Into<String>) -> Error {
    Error::refused(Status::PsaErrorNotSupported, detail)
}

/// The token has answered what the key cannot have made.
fn wrong() -> Error {
    Error::refused(
        Status::PsaErrorHardwareFailure,
        "the token gives wrong answers: it, or its library, is damaged or tampered with",
    )
}
