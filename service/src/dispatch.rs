//! Leads a request to its provider and to its turn. [`crate::admission`] judges it.

#[cfg(test)]
pub(crate) mod local;

use crate::admission::{Admission, Incoming, check_there};
use crate::error::{Error, Result};
use crate::flight::Flight;
use crate::provider::Provider;
use crate::providers::Backends;
use crate::stop::Stop;
use interface::wire::Request;
use interface::{Buffer, ProviderId, Status, Target};
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Sends requests to the providers.
pub struct Dispatcher {
    /// The state by which requests are judged.
    pub admission: Arc<Admission>,
    /// The crypto providers.
    pub backends: Arc<Backends>,
    /// Answers requests that are not for a crypto provider.
    pub core: Arc<Provider>,
    /// The bytes and requests that are held for clients.
    pub flight: Arc<Flight>,
    /// When it comes, waiting requests do not begin.
    pub stop: Stop,
}

impl Dispatcher {
    /// Runs a request when its turn comes. It does not begin if its client, at the other end of this socket, has gone.
    ///
    /// # Errors
    /// The refusal, or the operation's own.
    pub async fn dispatch(&self, incoming: Incoming, client: Option<BorrowedFd<'_>>) -> Result<Buffer> {
        let provider = Arc::clone(self.provider(&incoming)?);
        self.admission.check_access(&incoming)?;
        let opcode = incoming.request.opcode;
        let Some((lane, limit)) = provider.lane(opcode) else {
            let permit = tokio::select! {
                biased;
                permit = self.admission.processor.enter(&incoming.party) => permit?,
                () = self.stop.wait() => return Err(Stop::refusal()),
            };
            if permit.waited {
                check_there(client)?;
            }
            return self.backends.run(&provider, &incoming, client);
        };
        let _queued = self.flight.queue(&incoming.party)?;
        let (backends, worker, party) = (Arc::clone(&self.backends), Arc::clone(&provider), incoming.party.clone());
        let client = client.and_then(|client| client.try_clone_to_owned().ok());
        // It either begins, or is refused because the service stops.
        let decided = Arc::new(AtomicBool::new(false));
        let begins = Arc::clone(&decided);
        let work = move || {
            if begins.swap(true, Ordering::Relaxed) {
                return Err(Stop::refusal());
            }
            let client = client.as_ref().map(AsFd::as_fd);
            check_there(client)?;
            incoming.begin()?;
            backends.run(&worker, &incoming, client)
        };
        let mut answer = pin!(lane.run(&party, limit, work));
        tokio::select! {
            biased;
            answer = &mut answer => return answer,
            () = self.stop.wait() => {}
        }
        if !decided.swap(true, Ordering::Relaxed) {
            return Err(Stop::refusal());
        }
        answer.await
    }

    /// The provider that answers the request.
    fn provider(&self, incoming: &Incoming) -> Result<&Arc<Provider>> {
        let Request { provider: id, opcode, .. } = incoming.request;
        let crypto = self.backends.crypto(id);
        if crypto.is_none() && id != ProviderId::CORE {
            return Err(Error::refused(
                Status::ProviderNotRegistered,
                format!("this service has no {id} provider; see: parsec providers"),
            ));
        }
        let misdirected =
            || Error::refused(Status::PsaErrorNotSupported, format!("{opcode:?} is not an operation of the {id} provider"));
        match (opcode.target(), crypto) {
            (Target::Core, None) | (Target::Store, Some(_)) => Ok(&self.core),
            (Target::Provider, Some(backend)) => backend.provider(),
            (Target::Core | Target::Store | Target::Provider, _) => Err(misdirected()),
        }
    }
}
