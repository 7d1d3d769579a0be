//! The one thread that writes the log. Only this thread waits for a slow reader.

use super::journal::Journal;
use super::queue::Queue;
use super::record::Record;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{FileType, Mode, OFlags, fstat, open};
use rustix::io::{Errno, dup, write};
use std::fmt::Write;
use std::io::{IsTerminal, Result, stderr};
use std::os::fd::OwnedFd;
use tracing::Level;

/// Where lines go.
pub(super) struct Sink {
    journal: Option<Journal>,
    text: OwnedFd,
    /// Levels have colours.
    colour: bool,
}

impl Sink {
    /// Standard error, or the journal behind it. From here on, what libraries write to it is lost where nobody reads a pipe, so that
    /// they do not wait either.
    ///
    /// # Errors
    /// The kernel's.
    pub(super) fn open() -> Result<Self> {
        let text = dup(stderr())?;
        if FileType::from_raw_mode(fstat(&text)?.st_mode) == FileType::Fifo {
            let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
            // Who may not open it anew, as after a change of users, keeps it.
            if let Ok(impatient) = open("/proc/self/fd/2", flags, Mode::empty()) {
                nix::unistd::dup2_stderr(&impatient)?;
            }
        }
        Ok(Self { journal: Journal::connected(), colour: stderr().is_terminal(), text })
    }

    /// Writes what comes, for ever.
    pub(super) fn serve(&self, queue: &Queue) {
        loop {
            let record = queue.next();
            let written = self.write(&record).is_ok();
            queue.wrote(&record, written);
        }
    }

    fn write(&self, record: &Record) -> Result<()> {
        match self.journal.as_ref().map(|journal| journal.write(record)) {
            Some(Ok(())) => Ok(()),
            // too long for it, or it is not there: standard error may still lead somewhere
            Some(Err(_)) | None => self.write_all(self.line(record).as_bytes()),
        }
    }

    fn line(&self, record: &Record) -> String {
        let mut line = String::new();
        if let Some(time) = &record.time {
            line = format!("{time} ");
        }
        // a string takes everything
        let _ = match colour(record.level).filter(|_| self.colour) {
            Some(colour) => writeln!(line, "\x1b[{colour}m{:>5}\x1b[0m {}", record.level, record.words()),
            None => writeln!(line, "{:>5} {}", record.level, record.words()),
        };
        line
    }

    fn write_all(&self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            match write(&self.text, bytes) {
                Ok(written) => bytes = &bytes[written..],
                Err(Errno::INTR) => {}
                // whoever started the service shares it, and does not want to wait
                Err(Errno::AGAIN) => drop(poll(&mut [PollFd::new(&self.text, PollFlags::OUT)], None)?),
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(())
    }
}

fn colour(level: Level) -> Option<u8> {
    Some(match level {
        Level::ERROR => 31,
        Level::WARN => 33,
        Level::INFO => 32,
        Level::DEBUG => 34,
        _ => 35,
    })
}
