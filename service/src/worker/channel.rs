//! A channel to a worker, as the service has it.

use super::frame::{self, DESCRIPTORS};
use super::message::{Ask, Kind, Refusal, Serve, Serving};
use interface::operations::Operation;
use interface::wire::Header;
use interface::{Buffer, ProviderId, Status};
use prost::Message;
use std::cell::Cell;
use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// A channel, with one request on it at a time.
#[derive(Debug)]
pub(crate) struct Channel {
    socket: UnixStream,
    /// How long an answer may take.
    limit: Cell<Duration>,
}

/// Why there is no answer, or a refusal.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The worker is gone, or says what it should not.
    Broken,
    /// It has not answered in time.
    Late(Duration),
    /// It has refused.
    Refused {
        /// What the client is told as a number.
        status: Status,
        /// What it means for others.
        kind: Kind,
        /// Why.
        detail: String,
    },
}

impl Channel {
    /// A channel on a socket.
    pub(crate) fn new(socket: UnixStream) -> Self {
        Self { socket, limit: Cell::new(Duration::ZERO) }
    }

    /// Has the worker run an operation.
    ///
    /// # Errors
    /// Every [`Fault`]; after one that is no refusal, the channel is of no use.
    pub(crate) fn call<O: Operation>(&self, op: &O, limit: Duration) -> Result<O::Output, Fault> {
        self.exchange(O::OPCODE as u32, &Buffer::from(op.encode_to_vec()), limit, |socket, header, body| {
            frame::send(socket, header, body)
        })
    }

    /// The same for a request that is no operation.
    ///
    /// # Errors
    /// Those of [`Self::call`].
    pub(crate) fn ask<A: Ask>(&self, ask: &A, limit: Duration) -> Result<A::Answer, Fault> {
        self.exchange(A::NUMBER, &Buffer::from(ask.encode_to_vec()), limit, |socket, header, body| {
            frame::send(socket, header, body)
        })
    }

    /// Opens channels for so many sessions, one of which stays with the login unless there is to be only one; fewer where the token has
    /// not so many.
    ///
    /// # Errors
    /// Those of [`Self::call`].
    pub(crate) fn further(&self, sessions: usize, limit: Duration) -> Result<Vec<Self>, Fault> {
        let (wanted, alone) = (sessions.saturating_sub(1).clamp(1, DESCRIPTORS), sessions <= 1);
        let pairs = (0..wanted).map(|_| UnixStream::pair()).collect::<io::Result<Vec<_>>>();
        let (here, there): (Vec<_>, Vec<_>) = pairs.map_err(|_| Fault::Broken)?.into_iter().unzip();
        let serving: Serving =
            self.exchange(Serve::NUMBER, &Serve { alone }.encode_to_vec(), limit, |socket, header, body| {
                let descriptors: Vec<_> = there.iter().map(AsFd::as_fd).collect();
                frame::send_with(socket, header, body, &descriptors)
            })?;
        Ok(here.into_iter().take(serving.channels as usize).map(Self::new).collect())
    }

    fn exchange<R: Message + Default>(
        &self,
        number: u32,
        body: &[u8],
        limit: Duration,
        send: impl FnOnce(&UnixStream, Header, &[u8]) -> io::Result<()>,
    ) -> Result<R, Fault> {
        let failed = |error: io::Error| match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => Fault::Late(limit),
            _ => Fault::Broken,
        };
        if self.limit.replace(limit) != limit {
            self.socket
                .set_read_timeout(Some(limit))
                .and_then(|()| self.socket.set_write_timeout(Some(limit)))
                .map_err(failed)?;
        }
        let header = Header { provider: ProviderId::PKCS11.number(), opcode: number, ..Header::default() };
        send(&self.socket, header, body).map_err(failed)?;
        let (header, body) = frame::receive(&self.socket).map_err(failed)?;
        match Status::try_from(header.status) {
            _ if header.opcode != number => Err(Fault::Broken),
            Ok(Status::Success) => R::decode(body.as_slice()).map_err(|_| Fault::Broken),
            Ok(status) => {
                let refusal = Refusal::decode(body.as_slice()).map_err(|_| Fault::Broken)?;
                Err(Fault::Refused { status, kind: refusal.kind(), detail: refusal.detail })
            }
            Err(_) => Err(Fault::Broken),
        }
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Broken => f.write_str("the worker that runs the token's library has ended"),
            Self::Late(limit) => write!(f, "the token's library has not answered within {limit:?}"),
            Self::Refused { detail, .. } => f.write_str(detail),
        }
    }
}
