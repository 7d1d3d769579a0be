//! Signals. Two of them stop the service. It survives every other one that would end it although nothing is wrong.
//!
//! Closing the terminal behind `parsec serve &` does not stop the service. Nor does SIGHUP after a rotation of logs.

use crate::error::{Error, Result};
use libc::{SIGALRM, SIGHUP, SIGIO, SIGPROF, SIGPWR, SIGRTMAX, SIGRTMIN, SIGSTKFLT, SIGUSR1, SIGUSR2, SIGVTALRM};
use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// By default they end a process; faults are not among them, nor what asks for a dump or for the end.
const HARMLESS: [i32; 9] = [SIGHUP, SIGUSR1, SIGUSR2, SIGALRM, SIGSTKFLT, SIGVTALRM, SIGPROF, SIGIO, SIGPWR];

/// From here on harmless signals do no harm, long before anybody can listen for them. Starts no thread.
///
/// # Errors
/// Those of the kernel.
pub(crate) fn survive() -> Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build().map_err(Error::io("cannot listen for signals"))?;
    // What has once been listened for keeps its handler.
    let _within = runtime.enter();
    harmless().try_for_each(|kind| listen(kind).map(drop))
}

/// Logs harmless signals, within a runtime.
///
/// # Errors
/// Those of the kernel.
pub(crate) fn log() -> Result<()> {
    for kind in harmless() {
        let mut signals = listen(kind)?;
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                let signal = kind.as_raw_value();
                tracing::info!(
                    signal,
                    "ignored a signal; the configuration is read at the start alone: restart the service for it"
                );
            }
        });
    }
    Ok(())
}

/// What asks for the end, within a runtime.
///
/// # Errors
/// Those of the kernel.
pub(crate) fn ends() -> Result<[Signal; 2]> {
    Ok([listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?])
}

fn harmless() -> impl Iterator<Item = SignalKind> {
    HARMLESS.into_iter().chain(SIGRTMIN()..=SIGRTMAX()).map(SignalKind::from_raw)
}

fn listen(kind: SignalKind) -> Result<Signal> {
    signal(kind).map_err(Error::io("cannot listen for signals"))
}
