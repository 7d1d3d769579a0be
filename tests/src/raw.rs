//! Requests and answers as bytes.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use interface::wire::{HEADER_LEN, Header};
use interface::{AuthType, Operation, ProviderId, Status};

use crate::Service;

/// A client that sends what it likes.
pub struct Raw(pub UnixStream);

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub header: Header,
    pub body: Vec<u8>,
}

impl Answer {
    /// Its status.
    ///
    /// # Panics
    /// When the protocol has none of this number.
    #[track_caller]
    pub fn status(&self) -> Status {
        self.header.status.try_into().expect("a known status")
    }
}

impl Raw {
    /// A new connection.
    ///
    /// # Panics
    /// When the service does not take it.
    #[track_caller]
    pub fn connect(service: &Service) -> Self {
        let stream = UnixStream::connect(service.socket()).expect("connect");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("set a time limit");
        Self(stream)
    }

    /// Sends these bytes, whatever they are.
    ///
    /// # Panics
    /// When they cannot be sent.
    #[track_caller]
    pub fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).expect("send");
    }

    /// The next answer.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn answer(&mut self) -> Answer {
        let mut bytes = [0; HEADER_LEN];
        self.0.read_exact(&mut bytes).expect("an answer");
        let header = Header::decode(&bytes).expect("a sound header").expect("a whole header");
        let mut body = vec![0; header.body_len as usize];
        self.0.read_exact(&mut body).expect("a whole body");
        Answer { header, body }
    }

    /// [Sends](Self::send) and waits for the [answer](Self::answer).
    #[track_caller]
    pub fn ask(&mut self, bytes: &[u8]) -> Answer {
        self.send(bytes);
        self.answer()
    }

    /// The service has closed the connection and sent nothing more.
    pub fn closed(&mut self) -> bool {
        self.0.read(&mut [0]).is_ok_and(|read| read == 0)
    }
}

/// A frame: the header with the lengths of these, then body and auth.
///
/// # Panics
/// When they are too long.
pub fn frame(header: Header, body: &[u8], auth: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let body_len = u32::try_from(body.len()).expect("a short body");
    let auth_len = u16::try_from(auth.len()).expect("short auth bytes");
    Header { body_len, auth_len, ..header }.encode(&mut bytes);
    [&bytes, body, auth].concat()
}

/// A request of nobody.
pub fn request<O: Operation>(provider: ProviderId, op: &O) -> Vec<u8> {
    frame(Header::request(provider, O::OPCODE), &op.encode_to_vec(), &[])
}

/// A request of the user whose thread this is.
pub fn as_user<O: Operation>(provider: ProviderId, op: &O) -> Vec<u8> {
    let header = Header { auth_type: AuthType::UnixPeerCredentials as u8, ..Header::request(provider, O::OPCODE) };
    frame(header, &op.encode_to_vec(), &rustix::process::geteuid().as_raw().to_le_bytes())
}
