//! One line of the log, before it is written.

use super::event::Kind;
use interface::text::{Line, head};
use std::fmt::{Debug, Write};
use tracing::field::{Field, Visit};
use tracing::{Event, Level};

/// Longest value in a line that a client has caused, in bytes.
const LONGEST: usize = 4096;
/// The same in a line of the service's own, so that none is too long for its room in the queue.
const LONGEST_OWN: usize = 64 << 10;

/// Whose doing a line is, and what it tells: known before anything is formatted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Origin {
    /// The user of the client; `None` for the service itself.
    pub(super) peer: Option<u32>,
    /// `None` for what is no event.
    pub(super) kind: Option<Kind>,
}

impl Origin {
    pub(super) fn of(event: &Event<'_>) -> Self {
        let mut origin = Self::default();
        event.record(&mut origin);
        origin
    }
}

impl Visit for Origin {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "peer" {
            self.peer = u32::try_from(value).ok();
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "event" {
            self.kind = Kind::named(value);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}
}

/// A line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) level: Level,
    pub(super) origin: Origin,
    /// When, where lines begin with that.
    pub(super) time: Option<String>,
    pub(super) message: String,
    pub(super) fields: Vec<Entry>,
    /// How many lines it stands for.
    pub(super) lines: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: &'static str,
    pub(super) value: String,
    /// Text of others' choice, which stands in quotes.
    quoted: bool,
}

impl Entry {
    pub(super) fn new(name: &'static str, value: String, quoted: bool) -> Self {
        Self { name, value, quoted }
    }
}

impl Record {
    pub(super) fn new(level: Level, origin: Origin, time: Option<String>) -> Self {
        Self { level, origin, time, message: String::new(), fields: Vec::new(), lines: 1 }
    }

    /// Formats what was said.
    pub(super) fn of(event: &Event<'_>, origin: Origin, time: Option<String>) -> Self {
        let mut record = Self::new(*event.metadata().level(), origin, time);
        event.record(&mut record);
        record
    }

    /// Bytes that it takes in memory, or a few more.
    pub(super) fn size(&self) -> usize {
        let fields = self.fields.iter().map(|entry| entry.value.len() + size_of::<Entry>());
        size_of::<Self>() + self.message.len() + fields.sum::<usize>()
    }

    /// The message and the fields, whoever chose them, as one line.
    pub(super) fn words(&self) -> String {
        let mut words = Line(&self.message).to_string();
        for Entry { name, value, quoted } in &self.fields {
            // a string takes everything
            let _ = match quoted {
                true => write!(words, " {name}={}", Line(format_args!("{value:?}"))),
                false => write!(words, " {name}={}", Line(value)),
            };
        }
        words
    }

    fn put(&mut self, field: &Field, value: String, quoted: bool) {
        let longest = if self.origin.peer.is_some() { LONGEST } else { LONGEST_OWN };
        let value = if value.len() > longest { head(&value, longest).into_owned() } else { value };
        match field.name() {
            "message" => self.message = value,
            // what the other logging library adds
            name if name.starts_with("log.") => {}
            name => self.fields.push(Entry::new(name, value, quoted)),
        }
    }
}

impl Visit for Record {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.to_owned(), true);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put(field, format!("{value:?}"), false);
    }
}
