//! Bytes that must never change, whatever either crate becomes: frames as they stand in upstream's documents, and bodies
//! encoded by hand from the protobuf definitions.

use interface::algorithm::{Hash, Signature};
use interface::attributes::{Attributes, EccFamily, KeyType, Policy, Usage};
use interface::operations::{GenerateKey, MacCompute, SignHash};
use interface::wire::{Header, Request};
use interface::{AuthType, Opcode, ProviderId};
use prost::Message;

use super::frame;

/// Ping with Direct authentication, in upstream's own tests.
const PING: [u8; 42] = [
    0x10, 0xa7, 0xc0, 0x5e, 0x1e, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 0x00, 0x00,
    0x01, 0x03, 0x00, 0x00, 0x00, 0x03, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x70, 0x80, 0x90, 0xa0, 0xb0, 0xc0,
];

#[test]
fn ping() {
    let header = Header::decode(&PING).unwrap().unwrap();
    let request = Request::parse(&header).unwrap();
    assert_eq!(
        request,
        Request { provider: ProviderId::CORE, session: 0x1122_3344_5566_7788, auth: AuthType::Direct, opcode: Opcode::Ping }
    );
    assert_eq!(header.request_len(), PING.len());
    assert_eq!(frame(header, &PING[36..]), PING);

    let theirs = parsec_interface::requests::Request::read_from_stream(&mut PING.as_slice(), 3).unwrap();
    assert_eq!((theirs.header.session, theirs.body.bytes()), (request.session, &PING[36..39]));
    let mut written = Vec::new();
    theirs.write_to_stream(&mut written).unwrap();
    assert_eq!(written, PING);
}

#[test]
fn sign_hash() {
    let body = [b"\x0a\x03web\x12\x06\x22\x04\x0a\x02\x10\x07\x1a\x20".as_slice(), &[0x5a; 32]].concat();
    let alg = Signature::Ecdsa { hash: Hash::Sha256.into() };
    let sign = SignHash { key_name: "web".to_owned(), alg: Some(alg.into()), hash: vec![0x5a; 32], ..Default::default() };
    assert_eq!(sign.encode_to_vec(), body);
    assert_eq!(SignHash::decode(body.as_slice()).unwrap(), sign);
}

#[test]
fn generate_key() {
    let body = b"\x0a\x03web\x12\x1f\x0a\x04\x5a\x02\x08\x02\x10\x80\x02\x1a\x14\x0a\x08\x30\x01\x38\x01\x40\x01\x48\x01\x12\x08\x32\x06\x22\x04\x0a\x02\x10\x07";
    let policy = Policy {
        usage: Usage::SIGN | Usage::VERIFY,
        algorithm: Signature::Ecdsa { hash: Hash::Sha256.into() }.into(),
        also: Vec::new(),
    };
    let attributes = Attributes { key_type: KeyType::EccKeyPair(EccFamily::SecpR1), bits: 256, policy };
    let generate = GenerateKey { key_name: "web".to_owned(), attributes: Some((&attributes).into()), ..GenerateKey::default() };
    assert_eq!(generate.encode_to_vec(), body);
}

/// Upstream has the definition of this message but no code, so bytes are all there is to compare with.
#[test]
fn mac_compute() {
    let body = b"\x0a\x03mac\x12\x06\x0a\x04\x0a\x02\x08\x07\x1a\x02hi";
    let decoded = MacCompute::decode(body.as_slice()).unwrap();
    assert_eq!((decoded.key_name.as_str(), decoded.input.as_slice()), ("mac", b"hi".as_slice()));
    assert_eq!(decoded.encode_to_vec(), body);
}
