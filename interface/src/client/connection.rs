//! One connection. It exchanges one request for one response at a time.

use super::patience::Patience;
use super::process::{Owner, outer_user};
use super::{Endpoint, Error, Process};
use crate::operations::{Hello, Welcome};
use crate::wire::{HEADER_LEN, Header};
use crate::{AuthType, Buffer, Opcode, Operation, ProviderId, Status};
use prost::Message;
use rustix::buffer::spare_capacity;
use rustix::io::Errno;
use rustix::net::{self, AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, sockopt};
use std::io;
use std::os::fd::{AsFd, IntoRawFd, OwnedFd};
use std::time::Duration;

/// Longest response body that is accepted.
const BODY_LIMIT: usize = 64 << 20;
/// Room for the answers of most operations.
const CHUNK: usize = 1024;

/// Why a service refuses Hello for want of memory.
const NO_ROOM: &str = "the Parsec service has no room for a further connection of this user, whose others are all at work: see its log, and parsec status";

/// Why it refuses Hello of who says a name.
const NO_NAMES: &str = "the Parsec service asks the kernel who you are, and takes no name: unset PARSEC_APP_NAME, or see auth_types in its configuration";

/// An open connection.
#[derive(Debug)]
pub(super) struct Connection {
    socket: OwnedFd,
    /// Device and inode of the socket: a daemon that closes all descriptors at its start may have given the number to another file.
    file: (u64, u64),
    owner: Owner,
    deadline: Duration,
    extended: bool,
    /// The last request was sent whole.
    heard: bool,
    patience: Patience,
    process: Process,
}

impl Connection {
    /// Connects. The socket is closed on exec.
    pub(super) fn open(endpoint: &Endpoint, deadline: Duration, process: Process) -> Result<Self, Error> {
        let owner = process.owner();
        let connect = || -> rustix::io::Result<_> {
            let socket = net::socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
            sockopt::set_socket_timeout(&socket, sockopt::Timeout::Send, Some(deadline))?;
            sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, Some(deadline))?;
            let address = endpoint.address()?;
            retry(|| net::connect(&socket, &address))?;
            let file = identity(&socket)?;
            Ok((socket, file))
        };
        let (socket, file) = connect().map_err(|errno| Error::Connect { endpoint: endpoint.clone(), source: errno.into() })?;
        Ok(Self { socket, file, owner, deadline, extended: false, heard: false, patience: Patience::new(), process })
    }

    /// Says Hello. `None`: the service is upstream's, which knows no Hello and closes the connection.
    pub(super) fn greet(mut self, auth_type: AuthType, auth: &[u8], application: Vec<u8>) -> Result<Option<Self>, Error> {
        let client = format!("parsec-client {}", env!("CARGO_PKG_VERSION"));
        let hello = Hello { version: 1, client, application };
        let body = hello.encode_to_vec();
        let header = Header {
            auth_type: auth_type as u8,
            body_len: u32::try_from(body.len()).map_err(|_| Error::Protocol("the request is too long"))?,
            auth_len: u16::try_from(auth.len()).map_err(|_| Error::Protocol("the application's name is too long"))?,
            ..Header::request(ProviderId::CORE, Hello::OPCODE)
        };
        let mut frame = Vec::with_capacity(header.request_len());
        header.encode(&mut frame);
        frame.extend_from_slice(&body);
        frame.extend_from_slice(auth);
        match self.exchange(&frame) {
            Ok(body) => {
                Welcome::decode(body.as_slice()).map_err(|_| Error::Protocol("the answer to Hello could not be decoded"))?;
                Ok(Some(Self { extended: true, ..self }))
            }
            Err(Error::Refused { status: Status::OpcodeDoesNotExist, .. }) => Ok(None),
            Err(Error::Refused { status, detail }) if detail.is_empty() => Err(Error::refused(status, unsaid(status))),
            Err(error) => Err(error),
        }
    }

    /// Whether the service speaks the extensions and keeps the connection open.
    pub(super) fn extended(&self) -> bool {
        self.extended
    }

    /// The connection, unless it was inherited over fork, speaks for another user than the process now is, or its descriptor now names
    /// something else.
    pub(super) fn still_mine(self) -> Option<Self> {
        if identity(&self.socket) != Ok(self.file) {
            let _somebody_elses = self.socket.into_raw_fd();
            return None;
        }
        (self.owner == self.process.owner()).then_some(self)
    }

    /// Whether the service may have heard the whole of the last request. It does nothing for a part of one.
    pub(super) fn heard(&self) -> bool {
        self.heard
    }

    /// Sends a whole request and returns the body of a successful response.
    pub(super) fn exchange(&mut self, frame: &[u8]) -> Result<Buffer, Error> {
        self.patience.asked();
        self.heard = false;
        match self.send(frame) {
            // A service that will not read a whole request answers before it closes the connection.
            Err(unsent) if unsent.lost() => self.answer().map_err(|error| if error.lost() { unsent } else { error }),
            Err(error) => Err(error),
            Ok(()) => {
                let answer = self.answer();
                // The kernel says so of a peer that has left something unread.
                self.heard = !answer.as_ref().is_err_and(Error::unread);
                answer
            }
        }
    }

    /// Receives a whole response.
    fn answer(&mut self) -> Result<Buffer, Error> {
        let mut bytes = Buffer::from(Vec::with_capacity(CHUNK));
        let header = loop {
            if let Some(header) = Header::decode(&bytes).map_err(|_| Error::Protocol("the answer is not a Parsec response"))? {
                break header;
            }
            self.receive(&mut bytes)?;
        };
        let whole = HEADER_LEN + header.body_len as usize;
        if whole > HEADER_LEN + BODY_LIMIT {
            return Err(Error::Protocol("the answer is too long"));
        }
        while bytes.len() < whole {
            self.receive(&mut bytes)?;
        }
        if bytes.len() > whole {
            return Err(Error::Protocol("the answer is longer than its header says"));
        }
        bytes.drain(..HEADER_LEN);
        match Status::try_from(header.status).map_err(|_| Error::Protocol("the answer has an unknown status"))? {
            Status::Success if Opcode::try_from(header.opcode).is_ok() => Ok(bytes),
            Status::Success => Err(Error::Protocol("the answer is to another operation")),
            status => Err(Error::refused(status, String::from_utf8_lossy(&bytes))),
        }
    }

    fn send(&self, mut frame: &[u8]) -> Result<(), Error> {
        while !frame.is_empty() {
            let sent = retry(|| net::send(&self.socket, frame, SendFlags::NOSIGNAL)).map_err(|errno| self.failed(errno))?;
            frame = &frame[sent..];
        }
        Ok(())
    }

    /// Appends what arrives next, waiting in the way that suits the service's usual speed and the host.
    fn receive(&mut self, bytes: &mut Vec<u8>) -> Result<(), Error> {
        bytes.reserve(CHUNK);
        let socket = &self.socket;
        let mut receive = |flags| retry(|| net::recv(socket, spare_capacity(bytes), flags));
        let mut received = self.patience.wait(|| receive(RecvFlags::DONTWAIT));
        if received == Err(Errno::AGAIN) && self.process.pause.is_some_and(|pause| pause(socket.as_fd())) {
            received = receive(RecvFlags::DONTWAIT);
        }
        if received == Err(Errno::AGAIN) {
            received = receive(RecvFlags::empty());
        }
        self.patience.served();
        match received.map_err(|errno| self.failed(errno))? {
            (0, _) => Err(Error::Closed),
            _ => Ok(()),
        }
    }

    fn failed(&self, errno: Errno) -> Error {
        if errno == Errno::AGAIN { Error::Timeout(self.deadline) } else { Error::Io(io::Error::from(errno)) }
    }
}

/// Why a service has refused Hello, which it cannot say itself to who has not said Hello.
fn unsaid(status: Status) -> String {
    match status {
        Status::PsaErrorInsufficientMemory => NO_ROOM.to_owned(),
        Status::AuthenticationError => disbelieved(),
        Status::AuthenticatorNotRegistered => NO_NAMES.to_owned(),
        _ => String::new(),
    }
}

fn disbelieved() -> String {
    let me = rustix::process::geteuid().as_raw();
    let seen = match outer_user() {
        Some(outer) => format!("you say uid {me}, the kernel says uid {outer}: a user namespace"),
        None => format!("the kernel does not tell it that you are uid {me}: a user namespace, or a change of user"),
    };
    format!("the Parsec service does not believe who you are: {seen}; why, it says in its log: journalctl -u parsec")
}

/// Whether a connection could be opened, or is refused only because too many others wait.
pub(super) fn listening(endpoint: &Endpoint) -> bool {
    let connect = || {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        let address = endpoint.address()?;
        retry(|| net::connect(&socket, &address))
    };
    matches!(connect(), Ok(()) | Err(Errno::AGAIN))
}

fn identity(socket: impl AsFd) -> rustix::io::Result<(u64, u64)> {
    rustix::fs::fstat(socket).map(|stat| (stat.st_dev, stat.st_ino))
}

fn retry<T>(mut call: impl FnMut() -> rustix::io::Result<T>) -> rustix::io::Result<T> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            other => return other,
        }
    }
}
