//! Our messages and upstream's, byte for byte: what upstream's crate `parsec-interface` writes, ours reads and writes again
//! unchanged, and upstream's reads that; and both give every number the same meaning.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod golden;
mod meaning;
mod requests;
mod responses;

use std::collections::BTreeSet;

use interface::message::KeyAttributes;
use interface::operations::{GenerateKey, Operation};
use interface::wire::{HEADER_LEN, Header};
use interface::{Opcode, ProviderId};
use parsec_interface::operations::psa_key_attributes::{Attributes, EccFamily, Lifetime, Policy, Type, UsageFlags};
use parsec_interface::operations::{Convert, NativeOperation, NativeResult, psa_algorithm};
use parsec_interface::operations_protobuf::ProtobufConverter;
use parsec_interface::requests::{Request, Response};
use prost::Message;

/// The operations that have been compared so far.
#[derive(Default)]
struct Compared(BTreeSet<Opcode>);

impl Compared {
    fn request<O: Operation>(&mut self, native: NativeOperation) {
        let theirs = ProtobufConverter.operation_to_body(native).unwrap();
        let parsed = O::decode(theirs.bytes()).unwrap();
        parsed.key().unwrap_or_else(|status| panic!("{:?}: {status}", O::OPCODE));
        let ours = parsed.encode_to_vec();
        assert_eq!(ours, theirs.bytes(), "{:?}", O::OPCODE);

        let header = Header { body_len: ours.len().try_into().unwrap(), ..Header::request(ProviderId::SOFTWARE, O::OPCODE) };
        let back = Request::read_from_stream(&mut frame(header, &ours).as_slice(), usize::MAX).unwrap();
        assert_eq!(back.header.opcode as u32, O::OPCODE as u32);
        let native = ProtobufConverter.body_to_operation(back.body, back.header.opcode).unwrap();
        assert_eq!(ProtobufConverter.operation_to_body(native).unwrap().bytes(), ours, "{:?}", O::OPCODE);
        self.0.insert(O::OPCODE);
    }

    fn response<O: Operation>(&mut self, native: NativeResult) {
        let theirs = ProtobufConverter.result_to_body(native).unwrap();
        let ours = O::Output::decode(theirs.bytes()).unwrap().encode_to_vec();
        assert_eq!(ours, theirs.bytes(), "{:?}", O::OPCODE);

        let header = Header { body_len: ours.len().try_into().unwrap(), ..Header::request(ProviderId::SOFTWARE, O::OPCODE) };
        let back = Response::read_from_stream(&mut frame(header, &ours).as_slice(), usize::MAX).unwrap();
        let native = ProtobufConverter.body_to_result(back.body, back.header.opcode).unwrap();
        let again = ProtobufConverter.result_to_body(native).unwrap();
        assert_eq!(O::Output::decode(again.bytes()).unwrap().encode_to_vec().len(), ours.len(), "{:?}", O::OPCODE);
        self.0.insert(O::OPCODE);
    }

    /// Nothing that upstream knows may be missing; it has no messages for the two MAC operations.
    fn all(self) {
        let known = Opcode::ALL.iter().copied().filter(|opcode| !opcode.extension());
        let expected: BTreeSet<_> = known.filter(|opcode| !matches!(opcode, Opcode::MacCompute | Opcode::MacVerify)).collect();
        assert_eq!(self.0, expected);
    }
}

fn frame(header: Header, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_LEN + body.len());
    header.encode(&mut bytes);
    bytes.extend_from_slice(body);
    bytes
}

/// Attributes in upstream's types, persistent and with every usage.
fn attributes(key_type: Type, bits: usize, permitted_algorithms: psa_algorithm::Algorithm) -> Attributes {
    let mut usage_flags = UsageFlags::default();
    let _ = usage_flags.set_export().set_copy().set_cache().set_encrypt().set_decrypt();
    let _ = usage_flags.set_sign_message().set_verify_message().set_sign_hash().set_verify_hash().set_derive();
    Attributes { lifetime: Lifetime::Persistent, key_type, bits, policy: Policy { usage_flags, permitted_algorithms } }
}

fn ec_attributes() -> Attributes {
    let ecdsa = psa_algorithm::AsymmetricSignature::Ecdsa { hash_alg: psa_algorithm::Hash::Sha256.into() };
    attributes(Type::EccKeyPair { curve_family: EccFamily::SecpR1 }, 256, ecdsa.into())
}

/// The same attributes in our types, by way of upstream's bytes.
fn ours(attributes: Attributes) -> interface::attributes::Attributes {
    let message: KeyAttributes = through_wire(attributes);
    (&message).try_into().unwrap()
}

fn through_wire(attributes: Attributes) -> KeyAttributes {
    use parsec_interface::operations::psa_generate_key::Operation;
    let native = NativeOperation::PsaGenerateKey(Operation { key_name: "key".to_owned(), attributes });
    let body = ProtobufConverter.operation_to_body(native).unwrap();
    GenerateKey::decode(body.bytes()).unwrap().attributes.unwrap()
}
