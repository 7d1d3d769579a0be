//! Frames of the wire protocol on a socket between service and worker, one at a time in each direction.

use interface::Buffer;
use interface::wire::{HEADER_LEN, Header};
use rustix::cmsg_space;
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

/// Room for most frames.
const CHUNK: usize = 4096;
/// Longest body.
const BODY_LIMIT: usize = 64 << 20;
/// Descriptors that one message brings, at most.
pub(super) const DESCRIPTORS: usize = 64;

/// Sends a frame.
pub(super) fn send(mut socket: &UnixStream, header: Header, body: &[u8]) -> io::Result<()> {
    socket.write_all(&encode(header, body)?)
}

/// Sends a frame, with descriptors.
pub(super) fn send_with(mut socket: &UnixStream, header: Header, body: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    let frame = encode(header, body)?;
    let sent = send_descriptors(socket, &frame, descriptors)?;
    socket.write_all(&frame[sent..])
}

/// Sends some of these bytes, with all descriptors.
pub(super) fn send_descriptors(socket: impl AsFd, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(DESCRIPTORS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(ErrorKind::InvalidInput.into());
    }
    loop {
        match sendmsg(socket.as_fd(), &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL) {
            Err(Errno::INTR) => {}
            sent => return Ok(sent?),
        }
    }
}

/// Receives some bytes, and the descriptors that come with them.
pub(super) fn receive_descriptors(socket: impl AsFd, bytes: &mut [u8], descriptors: &mut Vec<OwnedFd>) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(DESCRIPTORS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = loop {
        match recvmsg(socket.as_fd(), &mut [IoSliceMut::new(bytes)], &mut control, RecvFlags::CMSG_CLOEXEC) {
            Err(Errno::INTR) => {}
            received => break received?,
        }
    };
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            descriptors.extend(rights);
        }
    }
    Ok(received.bytes)
}

/// Receives a frame.
pub(super) fn receive(mut socket: &UnixStream) -> io::Result<(Header, Buffer)> {
    collect(|bytes| socket.read(bytes))
}

/// Receives a frame, and the descriptors that come with it.
pub(super) fn receive_with(socket: &UnixStream) -> io::Result<(Header, Buffer, Vec<OwnedFd>)> {
    let mut descriptors = Vec::new();
    let (header, body) = collect(|bytes| receive_descriptors(socket, bytes, &mut descriptors))?;
    Ok((header, body, descriptors))
}

fn collect(mut read: impl FnMut(&mut [u8]) -> io::Result<usize>) -> io::Result<(Header, Buffer)> {
    let odd = || io::Error::from(ErrorKind::InvalidData);
    let (mut frame, mut len) = (Buffer::from(vec![0; CHUNK]), 0);
    let mut more = |frame: &mut Buffer, len: usize| match read(&mut frame[len..]) {
        Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
        read => read,
    };
    let header = loop {
        if let Some(header) = Header::decode(&frame[..len]).map_err(|_| odd())? {
            break header;
        }
        len += more(&mut frame, len)?;
    };
    let whole = HEADER_LEN + header.body_len as usize;
    if whole > HEADER_LEN + BODY_LIMIT || len > whole {
        return Err(odd());
    }
    if whole > frame.len() {
        let mut longer = Buffer::from(vec![0; whole]);
        longer[..len].copy_from_slice(&frame[..len]);
        frame = longer;
    }
    while len < whole {
        len += more(&mut frame, len)?;
        if len > whole {
            return Err(odd());
        }
    }
    frame.truncate(whole);
    frame.drain(..HEADER_LEN);
    Ok((header, frame))
}

fn encode(header: Header, body: &[u8]) -> io::Result<Buffer> {
    let body_len = u32::try_from(body.len()).map_err(|_| io::Error::from(ErrorKind::InvalidInput))?;
    let mut frame = Buffer::from(Vec::with_capacity(HEADER_LEN + body.len()));
    Header { body_len, ..header }.encode(&mut frame);
    frame.extend_from_slice(body);
    Ok(frame)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_and_descriptors_arrive_whole() {
        let (one, other) = UnixStream::pair().unwrap();
        let body: Vec<u8> = (0..3 * CHUNK).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let sender = std::thread::spawn({
            let body = body.clone();
            move || {
                send_with(&one, Header { opcode: 7, ..Header::default() }, &body, &[one.as_fd(), one.as_fd()]).unwrap();
                send(&one, Header { opcode: 8, ..Header::default() }, &[]).unwrap();
            }
        });
        let (header, received, descriptors) = receive_with(&other).unwrap();
        assert_eq!((header.opcode, &**received, descriptors.len()), (7, body.as_slice(), 2));
        let (header, received) = receive(&other).unwrap();
        assert_eq!((header.opcode, received.len()), (8, 0));
        sender.join().unwrap();
        drop(descriptors);
        assert_eq!(receive(&other).err().unwrap().kind(), ErrorKind::UnexpectedEof);
    }

    #[test]
    fn what_is_no_frame_or_too_long_is_refused() {
        for header in [Header { body_len: u32::MAX, ..Header::default() }, Header { body_len: 1, ..Header::default() }] {
            let (mut one, other) = UnixStream::pair().unwrap();
            let mut bytes = Vec::new();
            header.encode(&mut bytes);
            bytes.extend([0; 2]);
            one.write_all(&bytes).unwrap();
            assert_eq!(receive(&other).err().unwrap().kind(), ErrorKind::InvalidData);
        }
        let (mut one, other) = UnixStream::pair().unwrap();
        one.write_all(b"HTTP/1.1").unwrap();
        assert_eq!(receive(&other).err().unwrap().kind(), ErrorKind::InvalidData);
    }
}
