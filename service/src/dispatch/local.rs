//! A service inside a test's process, with the software provider, and requests to it.

use super::Dispatcher;
use crate::admission::{Admission, Incoming, Values};
use crate::auth::{Authenticators, Party, Principal};
use crate::client_process::ClientProcess;
use crate::connections::Connections;
use crate::error::Result;
use crate::flight::Flight;
use crate::processor::Processor;
use crate::providers::core::Core;
use crate::providers::software::plan;
use crate::providers::{Backend, Backends};
use crate::stats::Stats;
use crate::stop::Stop;
use crate::store::{Store, StoreKey};
use interface::wire::Request;
use interface::{AuthType, Buffer, Operation, ProviderId};
use prost::Message;
use std::path::Path;
use std::sync::Arc;

/// Opens the store in a directory, or makes it.
pub(crate) fn service(directory: &Path) -> Arc<Dispatcher> {
    let key = StoreKey::File(directory.join("key"));
    let store = Arc::new(Store::open(&directory.join("store"), &key, false).unwrap());
    let connections = Connections::new(1, [], Arc::default());
    let providers = vec![Backend::open(plan(toml::Table::new()).unwrap(), &store).unwrap().unwrap()];
    let admission = Arc::new(Admission {
        store,
        quotas: Arc::default(),
        authenticators: Authenticators { kinds: vec![AuthType::Direct], admins: Vec::new(), unmapped: None },
        allow_deprecated: false,
        processor: Processor::default(),
        values: Values::default(),
    });
    let backends = Arc::new(Backends::new(providers, Arc::clone(&admission)));
    let flight: Arc<Flight> = Arc::default();
    let core = Arc::new(Core::open(Stats::new(), connections, 1 << 20, Arc::clone(&flight), Arc::clone(&backends)));
    Arc::new(Dispatcher { admission, backends, core, flight, stop: Stop::new().1 })
}

/// The caller, and how it says who it is.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) caller: Principal,
    /// Its connection has said Hello.
    pub(crate) extended: bool,
    pub(crate) process: Option<ClientProcess>,
}

impl Caller {
    /// An application of this name, on a connection that has said Hello without naming its process.
    pub(crate) fn named(name: &str) -> Self {
        Self { caller: Principal::App(name.to_owned()), extended: true, process: None }
    }

    pub(crate) fn incoming<O: Operation>(&self, op: &O) -> Incoming {
        let Self { caller, extended, process } = self.clone();
        Incoming {
            request: Request { provider: ProviderId::SOFTWARE, session: 0, auth: AuthType::Direct, opcode: O::OPCODE },
            body: Buffer::from(op.encode_to_vec()),
            party: Party { uid: 0, principal: Some(caller), privileged: false },
            extended,
            process,
            slot: None,
            asker: Arc::default(),
        }
    }

    pub(crate) fn call<O: Operation>(&self, service: &Arc<Dispatcher>, op: &O) -> Result<O::Output> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
        let body = runtime.block_on(service.dispatch(self.incoming(op), None))?;
        Ok(O::Output::decode(&body[..]).unwrap())
    }
}
