//! The blocking client of both shims and of the command line.
//!
//! It lives inside other people's processes. They fork, drop privileges, close all descriptors, run many threads and unload
//! libraries. So the client starts no thread, keeps nothing in thread-local storage, and never waits for a lock. Connections lie in
//! slots; a thread only tries a slot's lock, beginning with the slot that it used last. A connection carries the credentials of the
//! process that opened it. So a child after fork, which [`Process::number`] tells from its parent, and a process that has become
//! another user close the connections that they have and connect as themselves.

mod address;
mod connection;
mod endpoint;
mod error;
mod key;
mod patience;
mod process;
mod settle;
#[cfg(test)]
mod tests;

pub use address::Endpoint;
pub use error::Error;
pub use key::{Caller, CipherInputs, Encrypting, KeyRef, Signing};
pub use process::{Pause, Process, number};
pub use settle::settle;

use crate::operations::{ExportPublicKey, Find, Found, ListKeys, ListProviders, LookupKey, ProviderInfo, Record, RecordKind};
use crate::spki::PublicKey;
use crate::wire::Header;
use crate::{AuthType, Buffer, Opcode, Operation, ProviderId, Status, attributes::Attributes};
use connection::Connection;
use prost::Message;
use rustix::rand::GetRandomFlags;
use std::ffi::OsString;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, TryLockError};
use std::time::{Duration, Instant};

/// Connections that are kept; threads beyond that share these or connect for one request.
const SLOTS: usize = 64;
/// How long a client waits for a service that is most likely restarting, unless it is told otherwise.
const WAIT: Duration = Duration::from_secs(2);
/// The variable that tells it, in seconds.
const WAIT_VARIABLE: &str = "PARSEC_WAIT_SECONDS";
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(5);

/// Who the client says it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// The effective user of the process, as the kernel tells the service.
    User,
    /// A name that the service believes.
    Direct(String),
}

impl Identity {
    /// The application that `PARSEC_APP_NAME` names, or else the user.
    pub fn from_env(process: &Process) -> Self {
        match process.variable("PARSEC_APP_NAME").map(OsString::into_string) {
            Some(Ok(name)) if !name.is_empty() => Self::Direct(name),
            _ => Self::User,
        }
    }
}

/// A service, as one process sees it. All threads share one client.
#[derive(Debug)]
pub struct Client {
    endpoint: Endpoint,
    identity: Identity,
    deadline: Duration,
    process: Process,
    /// On the heap, since threads may have small stacks.
    slots: Box<[Mutex<Option<Connection>>]>,
    upstream: AtomicBool,
    /// The service is told the user's number outside of the process' user namespace.
    outside: AtomicBool,
    wait: Duration,
    /// The service has been there.
    met: AtomicBool,
    /// It was waited for in vain since.
    waited: AtomicBool,
    /// Names the process to the service, together with its number.
    application: Option<[u8; 8]>,
}

impl Client {
    /// A client of the service at this endpoint. Does no IO.
    pub fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            identity: Identity::User,
            deadline: Duration::from_secs(60),
            process: Process::default(),
            slots: (0..SLOTS).map(|_| Mutex::new(None)).collect(),
            upstream: AtomicBool::new(false),
            outside: AtomicBool::new(false),
            wait: WAIT,
            met: AtomicBool::new(false),
            waited: AtomicBool::new(false),
            application: random(),
        }
    }

    /// A client of the service that the surroundings of the process name, as [`Endpoint::from_env`] says.
    /// `PARSEC_APP_NAME` names an application to services that believe names. Does no request.
    ///
    /// # Errors
    /// As [`Endpoint::from_env`] and [`Self::in_process`].
    pub fn from_env(process: Process) -> Result<Self, Error> {
        let identity = Identity::from_env(&process);
        Self::new(Endpoint::from_env(&process)?).with_identity(identity).in_process(process)
    }

    /// The same client as somebody else.
    #[must_use]
    pub fn with_identity(self, identity: Identity) -> Self {
        Self { identity, ..self }
    }

    /// The same client with another limit on the time that connecting and each answer may take.
    #[must_use]
    pub fn with_deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// The same client with another limit on the time for which it waits for a service that restarts.
    #[must_use]
    pub fn with_wait(self, wait: Duration) -> Self {
        Self { wait, ..self }
    }

    /// The same client as part of a library. `PARSEC_WAIT_SECONDS` says how long it waits for a service that restarts.
    ///
    /// # Errors
    /// [`Error::Config`] for a variable that holds no number of seconds.
    pub fn in_process(self, process: Process) -> Result<Self, Error> {
        let wait = process.variable(WAIT_VARIABLE).map(|seconds| {
            let seconds = seconds.to_string_lossy();
            let wait = seconds.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
            wait.ok_or_else(|| {
                Error::Config(format!("{WAIT_VARIABLE} is '{seconds}', which is no number of seconds, as 2 or 0.5"))
            })
        });
        let wait = wait.transpose()?.unwrap_or(self.wait);
        Ok(Self { process, wait, ..self })
    }

    /// After a fork: closes the connections that the child has inherited, without a word to the service, for which they are still
    /// the parent's.
    pub fn close_inherited(&self) {
        for slot in &self.slots {
            if let Ok(mut slot) = slot.try_lock() {
                *slot = slot.take().and_then(Connection::still_mine);
            }
        }
    }

    /// Whether somebody listens where the service should be. Sends nothing and waits for no restart.
    pub fn listening(&self) -> bool {
        connection::listening(&self.endpoint)
    }

    /// Where the service is.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Runs one operation: one round trip on a kept connection.
    ///
    /// If the socket is there but the service is not, the service most likely restarts: the client waits for it. The client repeats a
    /// request that the service has not read, or that may safely run twice.
    ///
    /// # Errors
    /// Every [`Error`].
    pub fn call<O: Operation>(&self, provider: ProviderId, op: &O) -> Result<O::Output, Error> {
        let outside = self.outside.load(Ordering::Relaxed);
        let answer = self.call_once(provider, op);
        if !disbelieved(&answer) || self.identity != Identity::User || process::outer_user().is_none() {
            return answer;
        }
        // The service does not look into the namespace: it knows the user by the other number.
        self.outside.store(!outside, Ordering::Relaxed);
        let answer = self.call_once(provider, op);
        if disbelieved(&answer) {
            self.outside.store(outside, Ordering::Relaxed);
        }
        answer
    }

    fn call_once<O: Operation>(&self, provider: ProviderId, op: &O) -> Result<O::Output, Error> {
        let (auth_type, auth) = self.credentials();
        let body_len = u32::try_from(op.encoded_len()).map_err(|_| Error::Protocol("the request is too long"))?;
        let auth_len = u16::try_from(auth.len()).map_err(|_| Error::Protocol("the application's name is too long"))?;
        let header = Header { auth_type: auth_type as u8, body_len, auth_len, ..Header::request(provider, O::OPCODE) };
        let mut frame = Buffer::from(Vec::with_capacity(header.request_len()));
        header.encode(&mut frame);
        op.encode_raw(&mut *frame);
        frame.extend_from_slice(&auth);
        let owned_by_another = || op.key().is_ok_and(|key| key.owner().is_some());
        let body = self.exchange(O::OPCODE, &frame, &owned_by_another)?;
        O::Output::decode(body.as_slice()).map_err(|_| Error::Protocol("the answer could not be decoded"))
    }

    /// The crypto providers of the service, the default one first.
    ///
    /// # Errors
    /// Every [`Error`].
    pub fn providers(&self) -> Result<Vec<(ProviderId, ProviderInfo)>, Error> {
        let providers = self.call(ProviderId::CORE, &ListProviders {})?.providers;
        let known = providers.into_iter().filter_map(|info| Some((ProviderId::try_from(info.id).ok()?, info)));
        Ok(known.filter(|(id, _)| *id != ProviderId::CORE).collect())
    }

    /// The provider to use where none is named.
    ///
    /// # Errors
    /// Every [`Error`].
    pub fn default_provider(&self) -> Result<ProviderId, Error> {
        let first = self.providers()?.into_iter().next();
        first.map(|(id, _)| id).ok_or(Error::Protocol("the service has no crypto provider"))
    }

    /// One key with its attributes, public part and metadata. On upstream's service it is put together from what that can tell.
    ///
    /// # Errors
    /// Every [`Error`]; an unknown key is [`Status::PsaErrorDoesNotExist`].
    pub fn lookup(&self, provider: ProviderId, owner: Option<&str>, name: &str) -> Result<Record, Error> {
        let lookup = LookupKey { key_name: name.to_owned(), owner: owner.map(str::to_owned) };
        match self.call(provider, &lookup) {
            Err(Error::Upstream(_)) if owner.is_none() => {
                let named = Find { name: Some(name.to_owned()), ..Find::default() };
                let found = self.upstream_find(provider, &named)?.into_iter().next();
                found.ok_or_else(|| Error::refused(Status::PsaErrorDoesNotExist, format!("no key '{name}' in {provider}")))
            }
            other => other,
        }
    }

    /// The records that match, all pages of them. On upstream's service: the caller's own keys.
    ///
    /// # Errors
    /// Every [`Error`].
    pub fn find(&self, provider: ProviderId, filter: &Find) -> Result<Vec<Record>, Error> {
        let (mut records, all) = self.find_one_way(provider, filter)?;
        for way in filter.ways().skip(if all { usize::MAX } else { 1 }) {
            records.extend(self.find_one_way(provider, &way)?.0);
        }
        Ok(records)
    }

    /// The records, and whether those are all: an older service does not look for public halves.
    fn find_one_way(&self, provider: ProviderId, filter: &Find) -> Result<(Vec<Record>, bool), Error> {
        let mut page = filter.clone();
        let mut records = Vec::new();
        loop {
            let Found { records: found, more, next, public_halves, everyone } = match self.call(provider, &page) {
                Err(Error::Upstream(_)) if !filter.everyone => return Ok((self.upstream_find(provider, filter)?, true)),
                other => other?,
            };
            // it has told the caller's own keys as if they were all
            if filter.everyone && !everyone {
                return Err(Error::Older("list everybody's keys"));
            }
            page.after = next.or_else(|| found.last().map(|record| record.uuid.clone()));
            records.extend(found);
            let limit = filter.limit as usize;
            if !more || page.after.is_none() || limit != 0 && records.len() >= limit {
                return Ok((records, public_halves));
            }
        }
    }

    fn upstream_find(&self, provider: ProviderId, filter: &Find) -> Result<Vec<Record>, Error> {
        let wanted = |record: &Record| {
            filter.kind.is_none_or(|kind| kind == record.kind)
                && filter.name.as_ref().is_none_or(|name| *name == record.name)
                && filter.label.as_ref().is_none_or(|label| *label == record.label)
        };
        let keys = self.call(ProviderId::CORE, &ListKeys {})?.keys;
        let keys = keys.into_iter().filter(|key| key.provider_id == u32::from(provider.number()) && filter.owner.is_none());
        let records = keys.map(|key| Record {
            kind: RecordKind::Key.into(),
            label: key.name.clone(),
            name: key.name,
            provider_id: key.provider_id,
            usage: key.attributes.as_ref().and_then(|a| a.key_policy.as_ref()?.key_usage_flags),
            attributes: key.attributes,
            tier: provider.kind().tier.into(),
            ..Record::default()
        });
        let records = records.filter(wanted).map(|record| self.with_public_key(provider, record));
        let records = records.filter(|record| record.as_ref().map_or(true, |r| filter.id.as_ref().is_none_or(|id| *id == r.id)));
        records.collect()
    }

    fn with_public_key(&self, provider: ProviderId, record: Record) -> Result<Record, Error> {
        let Some(Ok(attributes)) = record.attributes.as_ref().map(Attributes::try_from) else {
            return Ok(record);
        };
        if !attributes.key_type.is_pair() && !attributes.key_type.is_public() {
            return Ok(record);
        }
        let export = ExportPublicKey { key_name: record.name.clone(), owner: None };
        let mut exported = self.call(provider, &export)?;
        let bytes = std::mem::take(&mut exported.data);
        let public = PublicKey { key_type: attributes.key_type.public(), bits: attributes.bits, bytes };
        Ok(Record { id: public.id(), public_key: public.bytes, ..record })
    }

    fn credentials(&self) -> (AuthType, Vec<u8>) {
        match &self.identity {
            Identity::User => {
                let outer = if self.outside.load(Ordering::Relaxed) { process::outer_user() } else { None };
                let user = outer.unwrap_or_else(|| rustix::process::geteuid().as_raw());
                (AuthType::UnixPeerCredentials, user.to_le_bytes().to_vec())
            }
            Identity::Direct(name) => (AuthType::Direct, name.clone().into_bytes()),
        }
    }

    /// What [`Hello::application`](crate::operations::Hello) says: new in a child after fork.
    fn application(&self) -> Vec<u8> {
        let number = (self.process.number)().to_le_bytes();
        self.application.map(|random| [random, number].concat()).unwrap_or_default()
    }

    fn exchange(&self, opcode: Opcode, frame: &[u8], foreign: &dyn Fn() -> bool) -> Result<Buffer, Error> {
        match self.take().map(|connection| self.ask(connection, opcode, frame)) {
            None | Some(Err(Failure { again: true, .. })) => {}
            Some(answer) => return answer.map_err(|failure| failure.error),
        }
        self.patiently(|| {
            let connection =
                self.connect(opcode).map_err(|error| Failure { again: error.absent() || error.not_begun(), error })?;
            if !connection.extended() && (opcode.extension() || foreign()) {
                return Err(Failure { error: Error::Upstream(opcode), again: false });
            }
            self.ask(connection, opcode, frame)
        })
    }

    /// Asks, and keeps the connection if it can be used again.
    fn ask(&self, mut connection: Connection, opcode: Opcode, frame: &[u8]) -> Result<Buffer, Failure> {
        let answer = connection.exchange(frame);
        let heard = connection.heard();
        if connection.extended() && !answer.as_ref().is_err_and(Error::broken) {
            self.keep(connection);
        }
        answer.map_err(|error| match error {
            error if error.not_begun() || error.lost() && (opcode.repeatable() || !heard) => Failure { error, again: true },
            error if error.broken() && !opcode.repeatable() && heard => {
                Failure { error: Error::Unsure { opcode, source: Box::new(error) }, again: false }
            }
            error => Failure { error, again: false },
        })
    }

    /// Tries until somebody is there, for as long as a restart may take.
    fn patiently<T>(&self, mut attempt: impl FnMut() -> Result<T, Failure>) -> Result<T, Error> {
        let mut since = None;
        loop {
            let error = match attempt() {
                Err(Failure { error, again: true }) => error,
                result => {
                    self.met.store(true, Ordering::Relaxed);
                    self.waited.store(false, Ordering::Relaxed);
                    return result.map_err(|failure| failure.error);
                }
            };
            // Where no socket is, the service was stopped: only whoever has met it hopes that somebody is just replacing it.
            if self.waited.load(Ordering::Relaxed) || error.missing() && !self.met.load(Ordering::Relaxed) {
                return Err(error);
            }
            // The first attempt may itself have waited, for a service that was still to end.
            if since.get_or_insert_with(Instant::now).elapsed() >= self.wait.min(self.deadline) {
                self.waited.store(true, Ordering::Relaxed);
                return Err(error);
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// A kept connection: the one that this thread used before, or another.
    fn take(&self) -> Option<Connection> {
        self.slots().find_map(|mut slot| slot.take()?.still_mine())
    }

    /// Keeps a connection for later, if there is room.
    fn keep(&self, connection: Connection) {
        if let Some(mut slot) = self.slots().find(|slot| slot.is_none()) {
            *slot = Some(connection);
        }
    }

    /// The slots, this thread's first. Never waits: a slot that another thread held while the process forked stays held in the child
    /// for ever.
    fn slots(&self) -> impl Iterator<Item = MutexGuard<'_, Option<Connection>>> {
        let thread = rustix::thread::gettid().as_raw_nonzero().get().unsigned_abs() as usize;
        (0..SLOTS).filter_map(move |i| match self.slots[(thread + i) % SLOTS].try_lock() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        })
    }

    /// Connects and says Hello, unless the service is known to be upstream's and nothing but Hello could help.
    fn connect(&self, opcode: Opcode) -> Result<Connection, Error> {
        let connection = Connection::open(&self.endpoint, self.deadline, self.process)?;
        if self.upstream.load(Ordering::Relaxed) && !opcode.extension() {
            return Ok(connection);
        }
        let (auth_type, auth) = self.credentials();
        let connection = connection.greet(auth_type, &auth, self.application())?;
        let upstream = connection.is_none();
        self.upstream.store(upstream, Ordering::Relaxed);
        connection.map_or_else(|| Connection::open(&self.endpoint, self.deadline, self.process), Ok)
    }
}

/// Whether the service does not believe who the client is.
fn disbelieved<T>(answer: &Result<T, Error>) -> bool {
    answer.as_ref().is_err_and(|error| error.status() == Some(Status::AuthenticationError))
}

/// Why there is no answer.
struct Failure {
    error: Error,
    /// The request may be repeated on another connection.
    again: bool,
}

fn random<const N: usize>() -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let filled = rustix::rand::getrandom(&mut bytes, GetRandomFlags::empty());
    (filled == Ok(N)).then_some(bytes)
}
