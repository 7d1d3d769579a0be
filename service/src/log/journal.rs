//! systemd's journal in its own protocol (JOURNAL_NATIVE_PROTOCOL of systemd), so that people can search each field.
//!
//! The socket has no peer. Each line is sent to the path, where systemd keeps the same socket while its journal restarts.

use super::record::{Entry, Record};
use interface::client::Process;
use rustix::fs::fstat;
use std::io::{Error, Result};
use std::os::unix::net::UnixDatagram;
use tracing::Level;

/// Where the journal listens.
const SOCKET: &str = "/run/systemd/journal/socket";

/// A way to the journal.
pub(super) struct Journal(UnixDatagram);

impl Journal {
    /// Where standard error is connected to the journal (`$JOURNAL_STREAM` in systemd.exec(5)).
    pub(super) fn connected() -> Option<Self> {
        let stream = Process::default().variable("JOURNAL_STREAM")?;
        let file = fstat(std::io::stderr()).ok()?;
        (*stream == *format!("{}:{}", file.st_dev, file.st_ino)).then(UnixDatagram::unbound)?.ok().map(Self)
    }

    pub(super) fn write(&self, record: &Record) -> Result<()> {
        let datagram = encode(record);
        let sent = self.0.send_to(&datagram, SOCKET)?;
        if sent == datagram.len() { Ok(()) } else { Err(Error::other("a line was cut off")) }
    }
}

/// The words of the whole line, for who just reads, and each field by itself, as it is.
fn encode(record: &Record) -> Vec<u8> {
    let mut datagram = Vec::with_capacity(2 * record.size());
    put(&mut datagram, "MESSAGE", &record.words());
    put(&mut datagram, "PRIORITY", priority(record.level));
    put(&mut datagram, "SYSLOG_IDENTIFIER", "parsec");
    for Entry { name, value, .. } in &record.fields {
        put(&mut datagram, &format!("PARSEC_{}", name.to_ascii_uppercase()), value);
    }
    datagram
}

/// A value of more than one line comes with its length.
fn put(to: &mut Vec<u8>, name: &str, value: &str) {
    to.extend_from_slice(name.as_bytes());
    if value.contains('\n') {
        to.push(b'\n');
        to.extend_from_slice(&(value.len() as u64).to_le_bytes());
    } else {
        to.push(b'=');
    }
    to.extend_from_slice(value.as_bytes());
    to.push(b'\n');
}

/// As syslog(3) has it.
fn priority(level: Level) -> &'static str {
    match level {
        Level::ERROR => "3",
        Level::WARN => "4",
        Level::INFO => "6",
        _ => "7",
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::Origin;
    use super::*;

    #[test]
    fn a_value_of_two_lines_makes_no_field_of_its_own() {
        let mut record = Record::new(Level::WARN, Origin::default(), None);
        record.message = "refused".to_owned();
        record.fields.push(Entry::new("key", "a\nPRIORITY=0".to_owned(), true));
        record.fields.push(Entry::new("peer", "33".to_owned(), false));
        let expected = b"MESSAGE=refused key=\"a\\nPRIORITY=0\" peer=33\nPRIORITY=4\nSYSLOG_IDENTIFIER=parsec\nPARSEC_KEY\n\x0c\0\0\0\0\0\0\0a\nPRIORITY=0\nPARSEC_PEER=33\n";
        assert_eq!(String::from_utf8_lossy(&encode(&record)), String::from_utf8_lossy(expected));
    }
}
