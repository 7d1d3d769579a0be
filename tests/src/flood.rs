//! A user who has more keys made than are made soon.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use interface::ProviderId;
use interface::algorithm::{Algorithm, Hash, Signature};
use interface::attributes::{Attributes, KeyType, Policy, Usage};
use interface::client::Client;
use interface::operations::{GenerateKey, ServiceStatus};

use crate::{STRANGER, Service, acting, eventually};

/// Keys that it has made at a time.
const REQUESTS: u64 = 64;
/// After a request that failed.
const PAUSE: Duration = Duration::from_millis(50);

/// RSA keys of 4096 bits that another user has made without end, over restarts too, until it is dropped. Only root can start it.
pub struct Flood {
    observer: Client,
    over: Arc<AtomicBool>,
}

impl Flood {
    /// Begins to ask.
    pub fn start(service: &Service) -> Self {
        let flood = Self { observer: service.client(), over: Arc::default() };
        for thread in 0..REQUESTS {
            let (client, over) = (service.client(), Arc::clone(&flood.over));
            std::thread::spawn(move || acting(STRANGER, || ask(&client, thread, &over)));
        }
        flood
    }

    /// Waits until all its requests wait in the service, or run.
    ///
    /// # Panics
    /// When it never comes to that.
    #[track_caller]
    pub fn fill(&self) {
        let user = format!("uid:{STRANGER}");
        eventually("a full queue", || {
            let report = self.observer.call(ProviderId::CORE, &ServiceStatus {}).ok()?;
            let requests = report.quotas.into_iter().find(|quota| quota.name == "requests")?;
            requests.greediest.iter().any(|share| share.principal == user && share.used == REQUESTS).then_some(())
        });
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

fn ask(client: &Client, thread: u64, over: &AtomicBool) {
    let algorithm = Algorithm::Signature(Signature::RsaPkcs1v15 { hash: Hash::Sha256.into() });
    let policy = Policy { usage: Usage::SIGN_HASH, algorithm, also: vec![] };
    let attributes = Attributes { key_type: KeyType::RsaKeyPair, bits: 4096, policy };
    for number in 0.. {
        if over.load(Ordering::Relaxed) {
            return;
        }
        let (key_name, attributes) = (format!("{thread} {number}"), Some((&attributes).into()));
        let made = client.call(ProviderId::SOFTWARE, &GenerateKey { key_name, attributes, ..GenerateKey::default() });
        if made.is_err() {
            std::thread::sleep(PAUSE);
        }
    }
}
