//! The wire, both ways: a frame, and the body in it as the operation's message.

use interface::attributes::Attributes;
use interface::message::KeyAttributes;
use interface::wire::{HEADER_LEN, Header, Request};
use interface::{KeyUse, Opcode, Operation, Status, Visitor};
use prost::Message;

/// Requests one after the other, as the service reads them.
pub fn requests(mut data: &[u8]) {
    while let Ok(Some(header)) = decode(data) {
        let Some((frame, rest)) = data.split_at_checked(header.request_len()) else { return };
        let (body, _auth) = frame[HEADER_LEN..].split_at(header.body_len as usize);
        if let Ok(request) = Request::parse(&header) {
            assert_eq!(Header::response(&request, Status::Success, 0).session, header.session, "an answer goes to who asked");
            request.opcode.visit(Asked(body));
        }
        data = rest;
    }
}

/// Responses one after the other, as the client reads them.
pub fn responses(mut data: &[u8]) {
    while let Ok(Some(header)) = decode(data) {
        let Some((frame, rest)) = data.split_at_checked(HEADER_LEN + header.body_len as usize) else { return };
        let body = &frame[HEADER_LEN..];
        match (Status::try_from(header.status), Opcode::try_from(header.opcode)) {
            (Ok(Status::Success), Ok(opcode)) => opcode.visit(Answered(body)),
            (Ok(status), _) => drop((status.to_string(), String::from_utf8_lossy(body))),
            _ => {}
        }
        data = rest;
    }
}

/// A header as it arrives: each part of it asks for more, or is refused as the whole is.
fn decode(data: &[u8]) -> Result<Option<Header>, Status> {
    let whole = Header::decode(data);
    for len in 0..data.len().min(HEADER_LEN) {
        match Header::decode(&data[..len]) {
            Ok(None) => {}
            early => assert_eq!(early, whole, "after {len} bytes"),
        }
    }
    if let Ok(Some(header)) = whole {
        let mut bytes = Vec::new();
        header.encode(&mut bytes);
        assert_eq!(Header::decode(&bytes), whole, "a header comes back");
    }
    whole
}

/// The body of a request.
struct Asked<'a>(&'a [u8]);

impl Visitor for Asked<'_> {
    type Output = ();

    fn visit<O: Operation>(self) {
        let Some(op) = decoded::<O>(self.0) else { return };
        op.named();
        if let Ok(key) = op.key() {
            let _ = (key.about(), key.owner(), key.makes());
            attributes(&key);
        }
    }
}

/// The body of an answer.
struct Answered<'a>(&'a [u8]);

impl Visitor for Answered<'_> {
    type Output = ();

    fn visit<O: Operation>(self) {
        decoded::<O::Output>(self.0);
    }
}

/// A message, which comes back from its own encoding.
fn decoded<M: Message + Default>(body: &[u8]) -> Option<M> {
    let message = M::decode(body).ok()?;
    let bytes = message.encode_to_vec();
    assert_eq!(bytes.len(), message.encoded_len());
    #[expect(clippy::expect_used, reason = "a target fails by panicking")]
    let again = M::decode(&*bytes).expect("a message that was encoded is one");
    assert_eq!(again.encode_to_vec(), bytes);
    Some(message)
}

/// What a new key shall be: the messages and the types say the same.
fn attributes(key: &KeyUse<'_>) {
    let (KeyUse::New { attributes, .. } | KeyUse::Make { attributes, .. } | KeyUse::Copy { attributes, .. }) = key else {
        return;
    };
    assert_eq!(Attributes::try_from(&KeyAttributes::from(attributes)).as_ref(), Ok(attributes));
    drop((attributes.upstream(), attributes.deprecated(), attributes.public(), format!("{attributes:?}")));
    for algorithm in attributes.policy.algorithms() {
        attributes.policy.entails(attributes.policy.usage, algorithm);
    }
}
