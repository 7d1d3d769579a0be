//! A client's socket. The runtime watches it only while a task waits for it there.
//!
//! Whenever something happens to a watched socket, the kernel wakes a thread of the runtime. While the connection itself polls,
//! that costs the other processor more than the request does. When the bytes have arrived already, it is useless.

use rustix::buffer::spare_capacity;
use rustix::io::retry_on_intr;
use rustix::net::{RecvFlags, SendFlags, recv, send};
use std::io::{ErrorKind, Result};
use std::mem;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net;
use tokio::io::Interest;
use tokio::net::UnixStream;

/// A socket that does not block.
pub(crate) enum Stream {
    /// Nobody waits for it but by asking again and again.
    Awake(net::UnixStream),
    /// The runtime tells when something happens there.
    Watched(UnixStream),
    /// The runtime has failed to watch it, or to stop that.
    Closed,
}

impl Stream {
    /// The socket itself, while it is open.
    pub(crate) fn socket(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Self::Awake(socket) => Some(socket.as_fd()),
            Self::Watched(socket) => Some(socket.as_fd()),
            Self::Closed => None,
        }
    }

    /// Adds what is there to the buffer, which must have room; zero when nothing will come any more.
    ///
    /// # Errors
    /// [`ErrorKind::WouldBlock`] when nothing is there; the socket's own.
    pub(crate) fn try_receive(&self, buffer: &mut Vec<u8>) -> Result<usize> {
        receive_now(self.socket().ok_or(ErrorKind::NotConnected)?, buffer)
    }

    /// The same, but waits for bytes. Dropping the future loses nothing.
    ///
    /// # Errors
    /// The socket's own.
    pub(crate) async fn receive(&mut self, buffer: &mut Vec<u8>) -> Result<usize> {
        if let Self::Awake(socket) = self {
            match receive_now(socket, buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                received => return received,
            }
        }
        let socket = self.watch()?;
        loop {
            socket.readable().await?;
            match socket.try_io(Interest::READABLE, || receive_now(socket, buffer)) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                received => return received,
            }
        }
    }

    /// Sends as much as the socket takes at once, perhaps nothing.
    ///
    /// # Errors
    /// The socket's own.
    pub(crate) fn try_send(&self, bytes: &[u8]) -> Result<usize> {
        match send_now(self.socket().ok_or(ErrorKind::NotConnected)?, bytes) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
            sent => sent,
        }
    }

    /// Sends all.
    ///
    /// # Errors
    /// The socket's own.
    pub(crate) async fn send(&mut self, mut bytes: &[u8]) -> Result<()> {
        let socket = self.watch()?;
        while !bytes.is_empty() {
            socket.writable().await?;
            match socket.try_io(Interest::WRITABLE, || send_now(socket, bytes)) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                sent => bytes = &bytes[sent?..],
            }
        }
        Ok(())
    }

    /// Nobody waits for it any more.
    pub(crate) fn unwatch(&mut self) {
        *self = match mem::replace(self, Self::Closed) {
            Self::Watched(socket) => socket.into_std().map_or(Self::Closed, Self::Awake),
            awake => awake,
        };
    }

    fn watch(&mut self) -> Result<&UnixStream> {
        *self = match mem::replace(self, Self::Closed) {
            Self::Awake(socket) => Self::Watched(UnixStream::from_std(socket)?),
            watched => watched,
        };
        match self {
            Self::Watched(socket) => Ok(socket),
            _ => Err(ErrorKind::NotConnected.into()),
        }
    }
}

fn receive_now(socket: impl AsFd, buffer: &mut Vec<u8>) -> Result<usize> {
    let (received, _) = retry_on_intr(|| recv(&socket, spare_capacity(buffer), RecvFlags::DONTWAIT))?;
    Ok(received)
}

fn send_now(socket: impl AsFd, bytes: &[u8]) -> Result<usize> {
    Ok(retry_on_intr(|| send(&socket, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL))?)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    fn pair() -> (Stream, net::UnixStream) {
        let (ours, theirs) = net::UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        (Stream::Awake(ours), theirs)
    }

    #[tokio::test]
    async fn what_is_there_is_received_unwatched_and_what_comes_later_is_waited_for() {
        let (mut ours, mut theirs) = pair();
        let mut buffer = Vec::with_capacity(8);
        assert_eq!(ours.try_receive(&mut buffer).unwrap_err().kind(), ErrorKind::WouldBlock);
        theirs.write_all(b"one").unwrap();
        assert_eq!(ours.receive(&mut buffer).await.unwrap(), 3);
        assert!(matches!(ours, Stream::Awake(_)));
        for piece in [b"two", b"six"] {
            buffer.clear();
            let late = tokio::spawn(async move {
                tokio::task::yield_now().await;
                theirs.write_all(piece).unwrap();
                theirs
            });
            assert_eq!(ours.receive(&mut buffer).await.unwrap(), 3);
            assert_eq!(buffer, piece);
            assert!(matches!(ours, Stream::Watched(_)));
            theirs = late.await.unwrap();
            ours.unwatch();
        }
        drop(theirs);
        assert_eq!(ours.receive(&mut buffer).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn all_is_sent_to_who_reads_late_and_an_end_is_an_error() {
        let (mut ours, mut theirs) = pair();
        let long = vec![7; 4 << 20];
        let reader = std::thread::spawn(move || {
            let mut read = vec![0; 4 << 20];
            theirs.read_exact(&mut read).unwrap();
            read
        });
        let sent = ours.try_send(&long).unwrap();
        ours.send(&long[sent..]).await.unwrap();
        assert_eq!(reader.join().unwrap(), long);
        assert_eq!(ours.send(&long).await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    }
}
