//! The contract of providers: a provider is what it registers.
//!
//! A backend implements [`Handle`] for each operation that it can do, and names these operations once when it opens. It cannot do
//! any other. `ListOpcodes` reads the same register.

use crate::admission::{Call, Guard, Value};
use crate::error::{Error, Result};
use crate::key::Key;
use crate::lane::Lane;
use crate::memory;
use crate::processor::aside;
use interface::{Buffer, Effect, Opcode, Operation, ProviderId, Secret, Status};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// A backend that can run operation `O`.
pub trait Handle<O: Operation>: Send + Sync + 'static {
    /// Runs it. Access and key policy have been checked.
    ///
    /// # Errors
    /// The backend's own errors.
    fn handle(&self, call: &Call<'_>, op: O) -> Result<O::Output>;
}

/// A backend whose keys may wrap others.
pub trait Wrapping: Send + Sync + 'static {
    /// Bytes that are equal for all keys of one value, and for no others: the value of a secret key, the public half of a pair.
    ///
    /// # Errors
    /// The backend's own errors.
    fn value(&self, call: &Call<'_>, key: &Key) -> Result<Secret>;
}

/// The device of a provider.
pub trait Device: Send + Sync + 'static {
    /// Why it did not answer the last time; `None` if it did.
    fn away(&self) -> Option<String>;

    /// Asks it for a sign of life. Takes as long as the device does.
    fn look(&self);
}

/// What `ListProviders` tells.
#[derive(Clone, Debug)]
pub struct Info {
    /// The number of its kind.
    pub id: ProviderId,
    /// For people.
    pub description: String,
    /// The maker of the hardware or library.
    pub vendor: String,
    /// Version of the provider.
    pub version: [u32; 3],
}

/// How long a slow operation may take, unless its provider says otherwise.
const LIMIT: Duration = Duration::from_secs(120);

/// Bytes that the processor works through in a moment.
pub(crate) const MOMENT: usize = 16 << 10;

type Run = dyn Fn(&Guard<'_>, &[u8]) -> Result<Buffer> + Send + Sync;

struct Handler {
    run: Box<Run>,
    executor: Executor,
}

/// Where an operation runs, and how long at most.
#[derive(Clone, Copy)]
enum Executor {
    /// Where it was decoded.
    Inline,
    /// There too, but aside whatever it is about.
    Aside,
    Lane(Duration),
    StoreLane(Duration),
}

/// A provider: its description, its operations, and the lane for slow ones.
pub struct Provider {
    /// Its description.
    pub info: Info,
    handlers: BTreeMap<Opcode, Handler>,
    /// `None` of a provider that needs none.
    device: Option<Arc<dyn Device>>,
    /// `None` where no key wraps others.
    value: Option<Arc<Value>>,
    limit: Duration,
    /// Where slow operations wait for their turn.
    pub lane: Lane,
    /// The same for operations that need only the key store. So destroying never waits behind making.
    store_lane: Lane,
}

impl Provider {
    /// A provider that can do nothing yet; `workers` slow operations run at a time.
    pub fn new(info: Info, workers: usize) -> Self {
        let (lane, store_lane) = (Lane::new(workers), Lane::new(1));
        Self { info, handlers: BTreeMap::new(), device: None, value: None, limit: LIMIT, lane, store_lane }
    }

    /// Sets the time limit of slow operations that are registered from here on.
    #[must_use]
    pub fn within(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// The same; one principal may have as many slow operations running at a time as a user.
    #[must_use]
    pub fn shared(self, workers: usize) -> Self {
        Self { lane: Lane::shared(workers), ..self }
    }

    /// The same, on a device that may be away.
    #[must_use]
    pub fn on_device<D: Device>(self, device: &Arc<D>) -> Self {
        let device = Arc::clone(device);
        Self { device: Some(device), ..self }
    }

    /// Registers the backend as one whose keys may wrap others.
    #[must_use]
    pub fn wrapping<T: Wrapping>(self, backend: &Arc<T>) -> Self {
        let backend = Arc::clone(backend);
        Self { value: Some(Arc::new(move |call, key| backend.value(call, key))), ..self }
    }

    /// Registers an operation that runs where it was decoded: it takes less than a few milliseconds and waits for nothing.
    /// It then runs aside if its key or its length shows that it takes longer than a moment.
    #[must_use]
    pub fn on<O: Operation, T: Handle<O>>(self, backend: &Arc<T>) -> Self {
        self.register::<O, T>(backend, Executor::Inline)
    }

    /// Registers an operation that searches much data even for a short request.
    #[must_use]
    pub fn on_scan<O: Operation, T: Handle<O>>(self, backend: &Arc<T>) -> Self {
        self.register::<O, T>(backend, Executor::Aside)
    }

    /// Registers an operation that takes long or waits for a disk or a device.
    #[must_use]
    pub fn on_slow<O: Operation, T: Handle<O>>(self, backend: &Arc<T>) -> Self {
        let limit = self.limit;
        self.register::<O, T>(backend, Executor::Lane(limit))
    }

    /// Registers an operation that waits for the key store alone.
    #[must_use]
    pub fn on_store<O: Operation, T: Handle<O>>(self, backend: &Arc<T>) -> Self {
        let limit = self.limit;
        self.register::<O, T>(backend, Executor::StoreLane(limit))
    }

    fn register<O: Operation, T: Handle<O>>(mut self, backend: &Arc<T>, executor: Executor) -> Self {
        let backend = Arc::clone(backend);
        // A lane has threads of its own, which may wait for a device.
        let reads = matches!(executor, Executor::Inline | Executor::Aside);
        let run = move |guard: &Guard<'_>, body: &[u8]| {
            let run = || {
                let op = O::decode(body).map_err(|_| Status::DeserializingBodyFailed)?;
                if O::OPCODE.effect() != Effect::Nothing {
                    guard.mention(op.named());
                }
                let call = guard.admit(op.key()?)?;
                let handle = || backend.handle(&call, op);
                if call.long() {
                    guard.check_there()?;
                }
                let output = if call.long() && reads { guard.processor().apart(handle) } else { handle() }?;
                Ok(Buffer::from(prost::Message::encode_to_vec(&output)))
            };
            match executor {
                Executor::Aside => aside(run),
                _ if body.len() > MOMENT && reads => guard.processor().apart(run),
                _ => run(),
            }
        };
        self.handlers.insert(O::OPCODE, Handler { run: Box::new(run), executor });
        self
    }

    /// Why its device does not answer; `None` if it does, or if there is none.
    pub fn away(&self) -> Option<String> {
        self.device.as_ref()?.away()
    }

    /// Asks its device for a sign of life.
    pub(crate) fn look(&self) {
        if let Some(device) = &self.device {
            device.look();
        }
    }

    /// What tells keys of other values from one of its keys; `None` where no key wraps others.
    pub(crate) fn value(&self) -> Option<&Arc<Value>> {
        self.value.as_ref()
    }

    /// The operations that it can do.
    pub fn opcodes(&self) -> impl Iterator<Item = Opcode> {
        self.handlers.keys().copied()
    }

    /// The lane in which the operation runs, and how long it may; `None` for what runs where it was decoded.
    pub(crate) fn lane(&self, opcode: Opcode) -> Option<(&Lane, Duration)> {
        match self.handlers.get(&opcode)?.executor {
            Executor::Inline | Executor::Aside => None,
            Executor::Lane(limit) => Some((&self.lane, limit)),
            Executor::StoreLane(limit) => Some((&self.store_lane, limit)),
        }
    }

    /// Decodes, checks, runs and encodes one operation.
    ///
    /// # Errors
    /// [`Status::PsaErrorNotSupported`] for what is not registered, else the operation's own.
    pub(crate) fn run(&self, opcode: Opcode, guard: &Guard<'_>, body: &[u8]) -> Result<Buffer> {
        let handler = self.handlers.get(&opcode).ok_or_else(|| {
            Error::refused(
                Status::PsaErrorNotSupported,
                format!("the {} provider has no {opcode:?}: see which others there are: parsec providers", self.info.id),
            )
        })?;
        let output = (handler.run)(guard, body);
        if self.lane(opcode).is_some() {
            memory::wipe_stack();
        }
        output
    }
}
