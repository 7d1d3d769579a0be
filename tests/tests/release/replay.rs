//! The requests of the release's clients, byte by byte, and its answers.
//!
//! A client that says no Hello gets exactly what it got. After Hello, messages may have more fields than they had, and the order of
//! the records of a list may be another one; and a name that meant no key may mean one that was granted.

use interface::operations::Record;
use interface::wire::Header;
use interface::{Opcode, Status};
use prost::Message;
use prost::encoding::{WireType, decode_key, decode_varint};
use tests::{Answer, Raw, Release, acting};

use crate::{each_release, each_release_with_a_tpm};

#[test]
fn requests_are_answered_as_they_were() {
    each_release(|release| replay(release, "software", 300));
}

#[test]
fn requests_for_the_keys_of_a_tpm_are_answered_as_they_were() {
    each_release_with_a_tpm(|release| replay(release, "tpm", 70));
}

fn replay(release: &Release, store: &str, least: usize) {
    let service = release.open(store);
    let mut asked = 0;
    for (uid, transcript) in release.transcripts(store) {
        let exchanges = transcript.exchanges();
        asked += exchanges.len();
        let mut line = acting(uid, || Raw::connect(&service));
        let hello = |answer: &Answer| answer.header.opcode == Opcode::Hello as u32;
        let exact = !exchanges.first().is_some_and(|(_, answer)| hello(answer));
        for (request, then) in &exchanges {
            let now = &line.ask(request);
            let what = format!("{store} of {}, uid {uid}: {:?}", release.commit(), Opcode::try_from(then.header.opcode));
            if !exact && then.status() == Status::PsaErrorDoesNotExist && others(now) {
                continue;
            }
            assert_eq!(Header { body_len: 0, ..now.header }, Header { body_len: 0, ..then.header }, "{what}");
            // a refusal is told in other words, and Hello tells the version
            if then.status() == Status::Success && !hello(then) {
                assert!(now.body == then.body || !exact && holds(&now.body, &then.body), "{what}\n{then:?}\n{now:?}");
            }
        }
    }
    assert!(asked > least, "{asked} requests");
}

/// Whether it is somebody else's key, which a name alone means where the client has none of that name.
fn others(answer: &Answer) -> bool {
    let lookup = answer.header.opcode == Opcode::LookupKey as u32 && answer.status() == Status::Success;
    lookup && Record::decode(answer.body.as_slice()).is_ok_and(|record| record.foreign)
}

/// Whether a message has all fields of another one, and otherwise new ones only.
fn holds(now: &[u8], then: &[u8]) -> bool {
    let (Some(now), Some(then)) = (fields(now), fields(then)) else { return false };
    let mut then = then.into_iter().peekable();
    for (number, value) in now {
        match then.next_if(|(known, _)| *known == number) {
            Some((_, known)) if value == known || holds(value, known) => {}
            Some(_) => return false,
            None => {}
        }
    }
    then.peek().is_none()
}

/// The fields of a message, in order: their numbers, and what they hold; `None` where these bytes are no message.
fn fields(mut bytes: &[u8]) -> Option<Vec<(u32, &[u8])>> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let (number, wire_type) = decode_key(&mut bytes).ok()?;
        let len = match wire_type {
            WireType::Varint => 1 + bytes.iter().position(|byte| byte & 0x80 == 0)?,
            WireType::ThirtyTwoBit => 4,
            WireType::SixtyFourBit => 8,
            WireType::LengthDelimited => usize::try_from(decode_varint(&mut bytes).ok()?).ok()?,
            WireType::StartGroup | WireType::EndGroup => return None,
        };
        let (value, rest) = bytes.split_at_checked(len)?;
        fields.push((number, value));
        bytes = rest;
    }
    fields.sort_unstable();
    Some(fields)
}
