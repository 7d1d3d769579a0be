//! Start and stop of the daemon.

use crate::admission::{Admission, Values};
use crate::auth::{Authenticators, Principal};
use crate::client_processes::ClientProcesses;
use crate::config::Config;
use crate::connection::Context;
use crate::connections::Connections;
use crate::dispatch::Dispatcher;
use crate::error::{Error, Result};
use crate::flight::Flight;
use crate::log::{Kind, Log};
use crate::processor::Processor;
use crate::providers::{self, Backend, Backends, Plan, core::Core};
use crate::stats::Stats;
use crate::stop::Stop;
use crate::store::{Store, StoreKey};
use crate::users::{self, NameService};
use crate::{expiry, listener, memory, privileges, sandbox, signals};
use interface::Status;
use rustix::process::{Resource, Signal, geteuid, getpid, getrlimit, kill_process};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long threads have to come to their ends when all that was asked has been answered or given up.
const GRACE: Duration = Duration::from_millis(200);
/// How long devices have to unload what is in them, after that.
const LEAVE: Duration = Duration::from_millis(500);
/// A thread that has so many connections to serve without a rest looks then for who else has sent something. One may take as long as it
/// takes to receive a large request.
const LOOK: u32 = 4;
/// How often it is looked whether a device that is away is there.
const AWAY: Duration = Duration::from_secs(1);
/// Descriptors for what has no connection.
const DESCRIPTORS: usize = 512;

/// Runs the service until a signal stops it. With `accept_loss` it also runs on a store that has lost rows.
///
/// # Errors
/// Everything that keeps it from starting.
pub fn serve(config: Option<&Path>, allow_root: bool, accept_loss: bool) -> Result<()> {
    memory::give_back();
    let mut config = Config::load(config)?;
    let log = Log::open(&config)?;
    signals::survive()?;
    for note in &config.notes {
        tracing::info!("{note}");
    }
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    privileges::set_limits();
    let user = privileges::target(allow_root || config.allow_root)?;
    let (listener, socket) = listener::bind(config.socket_path.as_deref())?;
    let listener = Arc::new(listener);
    if let Some(user) = user {
        let folders = [&config.store_path, &config.store_key_path].map(|path| path.parent());
        privileges::become_user(&user, folders.as_slice())?;
    }
    privileges::protect_memory();
    let providers = std::mem::take(&mut config.providers).into_iter();
    let providers = providers.map(|provider| providers::plan(provider.kind, provider.settings)).collect::<Result<Vec<_>>>()?;
    let store_key = StoreKey::configured(&config.store_key_path);
    // Before any thread, and after all that starts a process.
    if config.sandbox {
        let own = [Some(config.store_path.as_path()), store_key.file()];
        sandbox::enter(own.into_iter().flatten(), providers.iter().flat_map(|plan| &plan.reach))?;
    } else {
        tracing::warn!("the sandbox is off: [core_settings] sandbox = false");
    }
    log.write()?;
    let store = Arc::new(Store::open(&config.store_path, &store_key, accept_loss)?);
    memory::wipe_stack();
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.enable_all().event_interval(LOOK).global_queue_interval(LOOK).on_thread_park(memory::rest);
    let runtime = runtime.build().map_err(Error::io("cannot start threads"))?;
    // On a worker, because what the main thread accepts must wake a worker first.
    let stopped = |_| Error::refused(Status::PsaErrorGenericError, "the service's main task was cancelled");
    let served = runtime.block_on(runtime.spawn(run(config, providers, Arc::clone(&listener), socket, store))).map_err(stopped);
    // A thread may hang in a device, or make a key.
    runtime.shutdown_timeout(GRACE);
    // A chip without a resource manager has room for few objects.
    providers::await_end(LEAVE);
    drop(listener);
    served?
}

async fn run(
    config: Config,
    providers: Vec<Plan>,
    listener: Arc<UnixListener>,
    socket: PathBuf,
    store: Arc<Store>,
) -> Result<()> {
    let stats = Stats::new();
    let (room, waiting) = room(config.max_connections);
    let connections = Connections::new(room, kept_for(&config.authenticators), Arc::clone(&config.quotas));
    let providers = providers.into_iter().filter_map(|plan| Backend::open(plan, &store).transpose()).collect::<Result<_>>()?;
    let admission = Arc::new(Admission {
        store,
        quotas: Arc::clone(&config.quotas),
        authenticators: config.authenticators,
        allow_deprecated: config.allow_deprecated,
        processor: Processor::default(),
        values: Values::default(),
    });
    let backends = Arc::new(Backends::new(providers, Arc::clone(&admission)));
    let flight = Flight::new(Arc::clone(&config.quotas));
    let (statistics, present) = (Arc::clone(&stats), Arc::clone(&connections));
    let core = Core::open(statistics, present, config.body_len_limit, Arc::clone(&flight), Arc::clone(&backends));
    let (end, stop) = Stop::new();
    let dispatcher = Arc::new(Dispatcher { admission, backends, core: Arc::new(core), flight, stop: stop.clone() });
    for ended in dispatcher.admission.ended_grants() {
        tracing::warn!("a grant is none any more: {ended}");
    }
    users::watch(&dispatcher.admission.store, NameService).await;
    tokio::spawn(expiry::watch(Arc::clone(&dispatcher.admission.store)));
    tokio::spawn(sweep(Arc::clone(&dispatcher.admission.store), config.key_idle_timeout));
    let fault = Arc::new(Mutex::new(None));
    tokio::spawn(await_devices(Arc::clone(&dispatcher.backends), Arc::clone(&fault)));
    let context = Context {
        dispatcher,
        processes: ClientProcesses::default(),
        connections,
        quotas: config.quotas,
        stats,
        body_limit: config.body_len_limit,
        idle: config.idle_timeout,
        timeout: config.timeout,
        details: config.log_error_details,
        spinning: AtomicBool::new(std::thread::available_parallelism().map_or(true, |n| n.get() < 2)),
    };
    signals::log()?;
    let [mut terminate, mut interrupt] = signals::ends()?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
        tracing::info!(event = Kind::Stop.name(), "stopping");
        let _ = end.send(true);
    });
    let version = env!("CARGO_PKG_VERSION");
    tracing::info!(event = Kind::Start.name(), socket = %socket.display(), version, "ready");
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    listener::serve(listener, waiting, Arc::new(context), stop).await?;
    let fault = fault.lock().unwrap_or_else(PoisonError::into_inner).take();
    fault.map_or(Ok(()), Err)
}

/// So many connections, and so many more who wait for one to be served, leave enough descriptors for everything else. One user may be
/// half of those who wait: as many as there can be connections.
fn room(max_connections: usize) -> (usize, usize) {
    let limit = getrlimit(Resource::Nofile).current.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
    let room = max_connections.min(limit.saturating_sub(DESCRIPTORS).max(limit / 2));
    if room < max_connections {
        tracing::warn!(room, max_connections, "the limit on open files (LimitNOFILE) leaves no room for more connections");
    }
    (room, (2 * room).min((limit - room) / 2))
}

/// The users who can look at the service when all others have taken what there is.
fn kept_for(authenticators: &Authenticators) -> impl Iterator<Item = u32> {
    let uid = |admin: &Principal| if let Principal::Uid(uid) = admin { Some(*uid) } else { None };
    authenticators.admins.iter().filter_map(uid).chain([0, geteuid().as_raw()])
}

/// Looks, for as long as the service runs, whether devices that were away are there. If one tells that the store is an older copy, the
/// service stops as it would have at its start.
async fn await_devices(backends: Arc<Backends>, fault: Arc<Mutex<Option<Error>>>) {
    loop {
        tokio::time::sleep(AWAY).await;
        let backends = Arc::clone(&backends);
        if let Ok(Err(error)) = tokio::task::spawn_blocking(move || backends.look()).await {
            tracing::error!(event = Kind::Damage.name(), "{error}; the service stops");
            *fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            let _ = kill_process(getpid(), Signal::TERM);
            return;
        }
    }
}

/// Drops, for as long as the service runs, the keys that nobody uses.
async fn sweep(store: Arc<Store>, period: Duration) {
    let mut periods = tokio::time::interval(period);
    loop {
        periods.tick().await;
        let store = Arc::clone(&store);
        let _ = tokio::task::spawn_blocking(move || store.forms.sweep()).await;
    }
}
