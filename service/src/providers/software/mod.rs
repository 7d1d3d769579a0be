//! The software provider: keys in this process, on AWS-LC.
//!
//! `key` has the parsed key that every operation borrows. Each of the other modules turns an algorithm into a function that runs it
//! (`Scheme::of`, `Mode::of`, …), and handles the requests for it. `capability` asks the same functions, so it cannot promise more
//! than they do.

mod aead;
mod agreement;
mod capability;
mod cipher;
mod derive;
#[cfg(feature = "ed448")]
mod ed448;
#[cfg(not(feature = "ed448"))]
#[path = "no_ed448.rs"]
mod ed448;
mod encrypt;
mod field;
mod hash;
mod kem;
mod key;
mod mac;
mod manage;
mod pq;
mod random;
mod rsa;
mod sign;
#[cfg(test)]
mod tests;
mod wrap;

use crate::admission::Call;
use crate::error::{Error, Result};
use crate::provider::{Info, Provider};
use crate::providers::Plan;
use crate::section::Section;
use crate::store::Store;
use interface::algorithm::Algorithm;
use interface::operations::*;
use interface::{ProviderId, Secret, Status};
use std::sync::Arc;

pub(super) use capability::can_do;
pub(super) use cipher::unpad_pkcs7;
pub(super) use derive::{out_of, wanted};
pub(super) use hash::compute as digest;
pub(super) use key::{ParsedKey, Private};
pub(super) use mac::len as mac_len;
pub(super) use random::{bytes as random, stretch};
pub(super) use sign::{Unsigned, check_new};

/// The provider's state.
#[derive(Clone)]
pub(super) struct Software {
    /// Most random bytes in one answer.
    buffer_size_limit: u64,
    /// `None`: the store's own protection suffices.
    seal: Option<Arc<dyn Seal>>,
}

/// Protection of stored private keys by hardware, beside the store's own.
pub(super) trait Seal: Send + Sync + 'static {
    /// Refuses where the hardware could not give back what is stored now.
    fn check(&self) -> Result<()>;

    /// Encrypts a private key for the store.
    fn seal(&self, private: &[u8]) -> Result<Secret>;

    /// Decrypts what [`Self::seal`] encrypted.
    fn open(&self, sealed: &[u8]) -> Result<Secret>;
}

/// Reads the provider's settings.
///
/// # Errors
/// [`Error::Config`] for a setting that it does not know.
pub fn plan(settings: toml::Table) -> Result<Plan> {
    let mut section = Section::new("[[provider]] of type MbedCrypto,", settings);
    let software = Software::read(&mut section)?;
    section.finish()?;
    let info = Info {
        id: ProviderId::SOFTWARE,
        description: "Keys in the memory of the service, on AWS-LC".to_owned(),
        vendor: "AWS-LC".to_owned(),
        version: [0, 1, 0],
    };
    let open = move |store: &Arc<Store>| software.clone().register(Provider::new(info.clone(), workers()), store).map(Some);
    Ok(Plan::new(ProviderId::SOFTWARE, Vec::new(), open))
}

/// How many slow operations run at a time.
pub(super) fn workers() -> usize {
    std::thread::available_parallelism().map_or(1, Into::into)
}

fn register(provider: Provider, software: &Arc<Software>) -> Provider {
    provider
        .wrapping(software)
        .on_slow::<GenerateKey, _>(software)
        .on_slow::<ImportKey, _>(software)
        .on_store::<DestroyKey, _>(software)
        .on::<ExportKey, _>(software)
        .on::<ExportPublicKey, _>(software)
        .on::<SignHash, _>(software)
        .on::<VerifyHash, _>(software)
        .on::<SignMessage, _>(software)
        .on::<VerifyMessage, _>(software)
        .on::<AsymmetricEncrypt, _>(software)
        .on::<AsymmetricDecrypt, _>(software)
        .on::<AeadEncrypt, _>(software)
        .on::<AeadDecrypt, _>(software)
        .on::<CipherEncrypt, _>(software)
        .on::<CipherDecrypt, _>(software)
        .on::<MacCompute, _>(software)
        .on::<MacVerify, _>(software)
        .on::<HashCompute, _>(software)
        .on::<HashCompare, _>(software)
        .on::<RawKeyAgreement, _>(software)
        .on_slow::<Encapsulate, _>(software)
        .on_slow::<Decapsulate, _>(software)
        .on::<WrapKey, _>(software)
        .on_slow::<UnwrapKey, _>(software)
        .on_slow::<DeriveKey, _>(software)
        .on_slow::<CopyKey, _>(software)
        .on::<GenerateRandom, _>(software)
        .on::<CanDoCrypto, _>(software)
}

impl Software {
    /// One without a seal; its keys may be used for what needs no private half by another provider.
    pub(super) fn read(section: &mut Section) -> Result<Self> {
        Ok(Self { buffer_size_limit: section.take_or("buffer_size_limit", 1 << 20)?, seal: None })
    }

    /// The same, with private keys under a seal.
    pub(super) fn sealed(self, seal: impl Seal) -> Self {
        Self { seal: Some(Arc::new(seal)), ..self }
    }

    /// The provider. It leaves nothing behind elsewhere, so what a crash left half done is settled by forgetting it.
    ///
    /// # Errors
    /// The store's own.
    pub(super) fn register(self, provider: Provider, store: &Store) -> Result<Provider> {
        store.recover(provider.info.id)?;
        Ok(register(provider, &Arc::new(self)))
    }

    /// The key of the request, parsed at its first use.
    fn key(&self, call: &Call<'_>) -> Result<Arc<ParsedKey>> {
        self.loaded(call, call.key()?)
    }

    /// A key of the request, parsed at its first use.
    fn loaded(&self, call: &Call<'_>, key: &crate::key::Key) -> Result<Arc<ParsedKey>> {
        call.loaded(key, |attributes, material| match &self.seal {
            Some(seal) if !attributes.key_type.is_public() => ParsedKey::load(attributes, &seal.open(&material)?),
            _ => ParsedKey::load(attributes, &material),
        })
    }

    /// The algorithm of the request, of the class that its operation has.
    fn algorithm<A: TryFrom<Algorithm, Error = Status>>(call: &Call<'_>) -> Result<A> {
        Ok(call.algorithm()?.try_into()?)
    }
}

/// The library refused what it should not.
fn library() -> Error {
    lc::Refused.into()
}

fn invalid(detail: impl Into<String>) -> Error {
    Error::refused(Status::PsaErrorInvalidArgument, detail)
}

fn unsupported(detail: impl Into<String>) -> Error {
    Error::refused(Status::PsaErrorNotSupported, detail)
}
