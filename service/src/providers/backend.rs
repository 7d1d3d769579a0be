//! A crypto provider in its place, also while its device is away.
//!
//! A provider whose device does not answer at the start stops neither the service nor the other providers. It keeps its place in the
//! list, so that a request for the default provider never goes to the next one. Its requests are refused at once. It is opened again
//! and again until its device is there.

use super::Plan;
use crate::error::{Error, Result};
use crate::log::Kind;
use crate::provider::{Info, Provider};
use crate::store::Store;
use interface::{ProviderId, Status};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// A configured provider.
pub struct Backend {
    id: ProviderId,
    plan: Plan,
    provider: OnceLock<Arc<Provider>>,
    /// Why it could not be opened.
    why: Mutex<String>,
}

impl Backend {
    /// Opens a provider, or leaves it away. `None` where its device is not there and the configuration permits that.
    ///
    /// # Errors
    /// What is wrong with the configuration or the store.
    pub fn open(plan: Plan, store: &Arc<Store>) -> Result<Option<Self>> {
        let backend = Self { id: plan.id, plan, provider: OnceLock::new(), why: Mutex::default() };
        match (backend.plan.open)(store) {
            Ok(None) => return Ok(None),
            Ok(Some(provider)) => drop(backend.provider.set(Arc::new(provider))),
            Err(error) if error.away() => backend.stay_away(&error),
            Err(error) => return Err(error),
        }
        Ok(Some(backend))
    }

    /// Its number.
    pub fn id(&self) -> ProviderId {
        self.id
    }

    /// The provider, if it was opened.
    ///
    /// # Errors
    /// [`Status::PsaErrorCommunicationFailure`] while it is away, with the reason.
    pub fn provider(&self) -> Result<&Arc<Provider>> {
        self.provider.get().ok_or_else(|| {
            let why = self.why();
            Error::refused(
                Status::PsaErrorCommunicationFailure,
                format!("the {} provider is away and comes back by itself: {why}; see: parsec providers", self.id),
            )
        })
    }

    /// What is told of it. While it is away, its device has told nothing yet.
    pub fn info(&self) -> Info {
        self.provider.get().map_or_else(
            || Info { id: self.id, description: "Its device is away".to_owned(), vendor: String::new(), version: [0, 1, 0] },
            |provider| provider.info.clone(),
        )
    }

    /// Why its device does not answer; `None` if it does.
    pub fn away(&self) -> Option<String> {
        match self.provider.get() {
            Some(provider) => provider.away(),
            None => Some(self.why().clone()),
        }
    }

    /// Looks whether a device that was away is there. Takes as long as the device does.
    ///
    /// # Errors
    /// As [`Self::open`]: only the device tells that the store is an older copy.
    pub fn look(&self, store: &Arc<Store>) -> Result<Option<&Arc<Provider>>> {
        if let Some(provider) = self.provider.get() {
            provider.look();
            return Ok(None);
        }
        match (self.plan.open)(store) {
            Ok(Some(provider)) => {
                tracing::info!(event = Kind::Start.name(), "the {} provider is back", self.id);
                Ok(Some(self.provider.get_or_init(|| Arc::new(provider))))
            }
            Ok(None) => Ok(None),
            Err(error) if error.away() => {
                self.stay_away(&error);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Remembers why it is away. The log is told of each reason once.
    fn stay_away(&self, error: &Error) {
        let (now, mut before) = (error.to_string(), self.why());
        if *before != now {
            tracing::error!("the {} provider is away, and is tried again: {now}", self.id);
            *before = now;
        }
    }

    fn why(&self) -> MutexGuard<'_, String> {
        self.why.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
