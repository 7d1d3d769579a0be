//! A user who has more keys made than are made soon.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use interface::algorithm::{Algorithm, Hash, Signature};
use interface::attributes::{Attributes, KeyType, Policy, Usage};
use interface::client::Client;
use interface::operations::GenerateKey;
use interface::{ProviderId, Status};

use crate::{STRANGER, Service, acting, eventually};

/// One more than may wait of one user.
const REQUESTS: usize = 65;
/// After a request that failed.
const PAUSE: Duration = Duration::from_millis(50);

/// RSA keys of 4096 bits that another user has made without end, over restarts too, until it is dropped. Only root can start it.
pub struct Flood {
    full: Arc<AtomicBool>,
    over: Arc<AtomicBool>,
}

impl Flood {
    /// Begins to ask.
    pub fn start(service: &Service) -> Self {
        let flood = Self { full: Arc::default(), over: Arc::default() };
        for thread in 0..REQUESTS {
            let (client, full, over) = (service.client(), Arc::clone(&flood.full), Arc::clone(&flood.over));
            std::thread::spawn(move || acting(STRANGER, || ask(&client, thread, &full, &over)));
        }
        flood
    }

    /// Waits until no more can wait.
    ///
    /// # Panics
    /// When it never comes to that.
    #[track_caller]
    pub fn fill(&self) {
        self.full.store(false, Ordering::Relaxed);
        eventually("a full queue", || self.full.load(Ordering::Relaxed).then_some(()));
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

fn ask(client: &Client, thread: usize, full: &AtomicBool, over: &AtomicBool) {
    let algorithm = Algorithm::Signature(Signature::RsaPkcs1v15 { hash: Hash::Sha256.into() });
    let policy = Policy { usage: Usage::SIGN_HASH, algorithm, also: vec![] };
    let attributes = Attributes { key_type: KeyType::RsaKeyPair, bits: 4096, policy };
    for number in 0.. {
        if over.load(Ordering::Relaxed) {
            return;
        }
        let (key_name, attributes) = (format!("{thread} {number}"), Some((&attributes).into()));
        let made = client.call(ProviderId::SOFTWARE, &GenerateKey { key_name, attributes, ..GenerateKey::default() });
        if let Err(error) = made {
            if error.status() == Some(Status::PsaErrorInsufficientMemory) {
                full.store(true, Ordering::Relaxed);
            }
            std::thread::sleep(PAUSE);
        }
    }
}
