//! A connection that sends what it likes, and knows that it may be refused or closed.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use interface::operations::Hello;
use interface::wire::{HEADER_LEN, Header};
use interface::{AuthType, Operation, ProviderId, Status};
use tests::{as_user, frame};

/// One connection.
pub(crate) struct Line(UnixStream);

impl Line {
    /// Connects, and says no more.
    pub(crate) fn silent(socket: &Path) -> std::io::Result<Self> {
        UnixStream::connect(socket).map(Self)
    }

    /// Connects and says Hello as one process of many.
    pub(crate) fn open(socket: &Path) -> std::io::Result<Self> {
        let mut line = Self::silent(socket)?;
        let hello = Hello { version: 1, client: "hostile".into(), application: application() };
        line.ask(&as_user(ProviderId::CORE, &hello))?;
        Ok(line)
    }

    /// Sends bytes.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.0.write_all(bytes)
    }

    /// Sends as much as is taken at once.
    pub(crate) fn fill(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.0.set_nonblocking(true)?;
        let mut sent = Ok(0);
        while let Ok(0..) = sent {
            sent = self.0.write(bytes);
        }
        self.0.set_nonblocking(false)?;
        match sent {
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Ok(()),
            other => other.map(drop),
        }
    }

    /// The service has closed it.
    pub(crate) fn closed(&self) -> bool {
        let seen = rustix::net::recv(&self.0, &mut [0u8][..], rustix::net::RecvFlags::PEEK | rustix::net::RecvFlags::DONTWAIT);
        !matches!(seen, Err(rustix::io::Errno::AGAIN) | Ok((1.., _)))
    }

    /// The next answer.
    pub(crate) fn answer(&mut self) -> std::io::Result<(Status, Vec<u8>)> {
        let mut bytes = [0; HEADER_LEN];
        self.0.read_exact(&mut bytes)?;
        let header = Header::decode(&bytes).ok().flatten().ok_or(std::io::ErrorKind::InvalidData)?;
        let mut body = vec![0; header.body_len as usize];
        self.0.read_exact(&mut body)?;
        Ok((header.status.try_into().unwrap_or(Status::InvalidEncoding), body))
    }

    /// Sends a request and waits for its answer.
    pub(crate) fn ask(&mut self, request: &[u8]) -> std::io::Result<(Status, Vec<u8>)> {
        self.send(request)?;
        self.answer()
    }

    /// A second handle of the same connection.
    pub(crate) fn other_half(&self) -> std::io::Result<Self> {
        self.0.try_clone().map(Self)
    }
}

/// A request of an application of this name.
pub(crate) fn named<O: Operation>(name: &str, provider: ProviderId, op: &O) -> Vec<u8> {
    let header = Header { auth_type: AuthType::Direct as u8, ..Header::request(provider, O::OPCODE) };
    frame(header, &op.encode_to_vec(), name.as_bytes())
}

/// 16 bytes that no other connection has.
fn application() -> Vec<u8> {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed).to_le_bytes();
    [u64::from(std::process::id()).to_le_bytes(), number].concat()
}
