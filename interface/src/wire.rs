//! The 36-byte header and the frames around it: bytes in, bytes out, no IO.
//!
//! A request is header, body, auth. A response is header, body. All integers are little-endian. Decoding has the two steps of
//! upstream's service, because clients see which error comes first: first the frame ([`Header::decode`]), then, once the whole
//! frame was read, its meaning ([`Request::parse`]).

use crate::{AuthType, Opcode, ProviderId, Status};

/// The first four bytes of every frame, as a number.
pub const MAGIC: u32 = 0x5EC0_A710;
/// Length of the header in bytes.
pub const HEADER_LEN: usize = 36;
/// The header's own size field: the bytes behind it.
const SIZE: u16 = 30;
/// The protocol's version.
pub const VERSION: [u8; 2] = [1, 0];
/// The content type of protobuf bodies, the only one.
const PROTOBUF: u8 = 0;

/// A header whose frame is sound; its numbers may still mean nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Number of the provider.
    pub provider: u8,
    /// The client's; echoed in the response.
    pub session: u64,
    /// Encoding of this body.
    pub content_type: u8,
    /// Encoding that the response shall have.
    pub accept_type: u8,
    /// How the auth bytes are to be read.
    pub auth_type: u8,
    /// Length of the body in bytes.
    pub body_len: u32,
    /// Length of the auth bytes behind the body.
    pub auth_len: u16,
    /// Number of the operation.
    pub opcode: u32,
    /// Zero in requests.
    pub status: u16,
}

impl Header {
    /// Reads a header from the start of what has arrived so far; `None` asks for more bytes.
    ///
    /// # Errors
    /// [`Status::InvalidHeader`] for a wrong magic, size or reserved byte, told as early as the bytes show it;
    /// [`Status::WireProtocolVersionNotSupported`].
    pub fn decode(bytes: &[u8]) -> Result<Option<Self>, Status> {
        let magic = MAGIC.to_le_bytes();
        let known = bytes.len().min(magic.len());
        if bytes[..known] != magic[..known] {
            return Err(Status::InvalidHeader);
        }
        let mut reader = Reader(&bytes[known..]);
        let Some(size) = reader.u16() else {
            return Ok(None);
        };
        if size != SIZE {
            return Err(Status::InvalidHeader);
        }
        let Some((version, header, reserved)) = reader.fields() else {
            return Ok(None);
        };
        if version != VERSION {
            return Err(Status::WireProtocolVersionNotSupported);
        }
        if reserved != [0, 0] {
            return Err(Status::InvalidHeader);
        }
        Ok(Some(header))
    }

    /// Appends the header's bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&MAGIC.to_le_bytes());
        out.extend_from_slice(&SIZE.to_le_bytes());
        out.extend_from_slice(&[VERSION[0], VERSION[1], 0, 0, self.provider]);
        out.extend_from_slice(&self.session.to_le_bytes());
        out.extend_from_slice(&[self.content_type, self.accept_type, self.auth_type]);
        out.extend_from_slice(&self.body_len.to_le_bytes());
        out.extend_from_slice(&self.auth_len.to_le_bytes());
        out.extend_from_slice(&self.opcode.to_le_bytes());
        out.extend_from_slice(&self.status.to_le_bytes());
        out.extend_from_slice(&[0, 0]);
    }

    /// Length of the whole request frame that the header starts.
    pub fn request_len(&self) -> usize {
        HEADER_LEN + self.body_len as usize + usize::from(self.auth_len)
    }

    /// The header of a request without auth bytes and with an empty body.
    pub fn request(provider: ProviderId, opcode: Opcode) -> Self {
        Self { provider: provider.number(), opcode: opcode as u32, ..Self::default() }
    }

    /// The header of the answer to a request that could be parsed.
    pub fn response(request: &Request, status: Status, body_len: u32) -> Self {
        Self {
            provider: request.provider.number(),
            session: request.session,
            opcode: request.opcode as u32,
            status: status as u16,
            body_len,
            ..Self::default()
        }
    }

    /// The header of the answer to a request that could not be parsed: upstream answers these as a failed [`Opcode::Ping`].
    pub fn rejection(status: Status) -> Self {
        Self { opcode: Opcode::Ping as u32, status: status as u16, ..Self::default() }
    }
}

/// What a request's header means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// The provider it is for.
    pub provider: ProviderId,
    /// The client's; echoed in the response.
    pub session: u64,
    /// How the client says who it is.
    pub auth: AuthType,
    /// What it asks.
    pub opcode: Opcode,
}

impl Request {
    /// Reads the meaning of a request's header, in upstream's order of complaints.
    ///
    /// # Errors
    /// [`Status::ContentTypeNotSupported`], [`Status::AcceptTypeNotSupported`], [`Status::AuthenticatorDoesNotExist`],
    /// [`Status::OpcodeDoesNotExist`], [`Status::ProviderDoesNotExist`].
    pub fn parse(header: &Header) -> Result<Self, Status> {
        if header.content_type != PROTOBUF {
            return Err(Status::ContentTypeNotSupported);
        }
        if header.accept_type != PROTOBUF {
            return Err(Status::AcceptTypeNotSupported);
        }
        let auth = u32::from(header.auth_type).try_into()?;
        let opcode = header.opcode.try_into()?;
        Ok(Self { provider: u32::from(header.provider).try_into()?, session: header.session, auth, opcode })
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.0.split_first_chunk()?;
        self.0 = tail;
        Some(*head)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take().map(u8::from_le_bytes)
    }

    fn u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    /// All behind the size field: version, fields, reserved bytes.
    fn fields(&mut self) -> Option<([u8; 2], Header, [u8; 2])> {
        let version = self.take()?;
        let _flags = self.u16()?;
        let header = Header {
            provider: self.u8()?,
            session: self.u64()?,
            content_type: self.u8()?,
            accept_type: self.u8()?,
            auth_type: self.u8()?,
            body_len: self.u32()?,
            auth_len: self.u16()?,
            opcode: self.u32()?,
            status: self.u16()?,
        };
        Some((version, header, self.take()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Upstream's own example: Ping to the core, Direct auth, a body and auth bytes of three bytes each.
    const GOLDEN: [u8; 36] = [
        0x10, 0xa7, 0xc0, 0x5e, 0x1e, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 0x00,
        0x00, 0x01, 0x03, 0x00, 0x00, 0x00, 0x03, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    ];

    #[test]
    fn golden_header_decodes_and_encodes() {
        let header = Header::decode(&GOLDEN).unwrap().unwrap();
        assert_eq!(header.session, 0x1122_3344_5566_7788);
        assert_eq!((header.body_len, header.auth_len), (3, 3));
        let request = Request::parse(&header).unwrap();
        assert_eq!((request.opcode, request.auth, request.provider), (Opcode::Ping, AuthType::Direct, ProviderId::CORE));
        let mut bytes = Vec::new();
        header.encode(&mut bytes);
        assert_eq!(bytes, GOLDEN);
    }

    #[test]
    fn every_prefix_asks_for_more() {
        for len in 0..GOLDEN.len() {
            assert_eq!(Header::decode(&GOLDEN[..len]), Ok(None), "{len} bytes");
        }
    }

    #[test]
    fn wrong_bytes_are_told_apart() {
        let decode = |at: usize, byte: u8| {
            let mut bytes = GOLDEN;
            bytes[at] = byte;
            Header::decode(&bytes).and_then(|header| Request::parse(&header.unwrap()))
        };
        for (at, byte, status) in [
            (0, 0x11, Status::InvalidHeader),
            (4, 0x1d, Status::InvalidHeader),
            (6, 2, Status::WireProtocolVersionNotSupported),
            (7, 1, Status::WireProtocolVersionNotSupported),
            (34, 1, Status::InvalidHeader),
            (35, 1, Status::InvalidHeader),
            (19, 1, Status::ContentTypeNotSupported),
            (20, 1, Status::AcceptTypeNotSupported),
            (21, 9, Status::AuthenticatorDoesNotExist),
            (28, 0x1d, Status::OpcodeDoesNotExist),
            (10, 99, Status::ProviderDoesNotExist),
        ] {
            assert_eq!(decode(at, byte), Err(status), "byte {at} = {byte}");
        }
    }
}
