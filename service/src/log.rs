//! The log. It goes to standard error. If that is systemd's journal, it goes to the journal with its fields.
//!
//! Logging blocks no request. A line enters a [`queue`] of bounded size, and one thread writes it. Lines that find no room, because
//! nobody reads the pipe or the disk is slow, are counted, and so are the lines of a client beyond its [`rates`]. A later line
//! tells the sums. Events about keys have room of their own, so a noisy client cannot push them out.

mod event;
mod journal;
mod queue;
mod rates;
mod record;
mod writer;

pub use event::Asker;
pub(crate) use event::{Kind, cut_off, done, refused, rejected};

use crate::config::Config;
use crate::error::{Error, Result};
use queue::Queue;
use rates::Rates;
use record::{Origin, Record};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, registry};
use writer::Sink;

/// How long the end of the service waits for who reads the log.
const FLUSH: Duration = Duration::from_millis(500);

/// What has been told and what writes it. Dropped at the end of the service, it sees that all is written, where that takes no more than
/// [`FLUSH`].
pub(crate) struct Log(Arc<Shared>);

struct Shared {
    queue: Queue,
    /// Until there is a thread that writes.
    sink: Mutex<Option<Sink>>,
    /// The time of a line that comes now.
    time: fn() -> Option<String>,
}

impl Log {
    /// Starts logging. `RUST_LOG` overrides the configured level. A panic is logged and ends the service: a daemon whose worker has died
    /// must not live on as a ghost.
    ///
    /// # Errors
    /// Those of the kernel.
    pub(crate) fn open(config: &Config) -> Result<Self> {
        let rates = Rates::new(Arc::clone(&config.quotas));
        let time: fn() -> Option<String> = if config.log_timestamp { now } else { || None };
        let sink = Sink::open().map_err(Error::io("standard error"))?;
        let shared = Arc::new(Shared { queue: Queue::new(rates, time), sink: Mutex::new(Some(sink)), time });
        let filter =
            EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(format!("{},tss_esapi=off", config.log_level)));
        let _ = registry().with(filter).with(Told(Arc::clone(&shared))).try_init();
        let (report, last) = (std::panic::take_hook(), Arc::clone(&shared));
        std::panic::set_hook(Box::new(move |panic| {
            // whatever hangs, it ends
            let _ = thread::Builder::new().spawn(|| {
                thread::sleep(2 * FLUSH);
                std::process::abort();
            });
            last.finish();
            report(panic);
            std::process::abort();
        }));
        Ok(Self(shared))
    }

    /// Starts the thread that writes. What was told before comes first.
    ///
    /// # Errors
    /// Those of the kernel.
    pub(crate) fn write(&self) -> Result<()> {
        self.0.write().map_err(Error::io("cannot start the thread that writes the log"))
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.0.finish();
    }
}

impl Shared {
    fn write(self: &Arc<Self>) -> std::io::Result<()> {
        let sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(sink) = sink else { return Ok(()) };
        let shared = Arc::clone(self);
        thread::Builder::new().name("log".to_owned()).spawn(move || sink.serve(&shared.queue)).map(drop)
    }

    /// Sees to it that all is written.
    fn finish(self: &Arc<Self>) {
        if self.write().is_ok() {
            self.queue.finish(FLUSH);
        }
    }
}

fn now() -> Option<String> {
    let mut time = String::new();
    SystemTime.format_time(&mut Writer::new(&mut time)).ok().map(|()| time)
}

/// Takes what the service says.
struct Told(Arc<Shared>);

impl<S: Subscriber> Layer<S> for Told {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let Shared { queue, time, .. } = &*self.0;
        let origin = Origin::of(event);
        if queue.permits(origin) {
            queue.push(Record::of(event, origin, time()));
        }
    }
}
