//! Rows of the store, and what a TPM writes.

use crate::seed;
use interface::algorithm::{Hash, SignHash, Signature};
use interface::attributes::{Attributes, EccFamily, KeyType, Policy, Usage};
use interface::message::KeyAttributes;
use prost::Message;
use std::fs;
use std::path::Path;

/// A row: the place of its table in the store's list, then its columns.
struct Row(Vec<u8>);

impl Row {
    fn of(table: u8) -> Self {
        Self(vec![table])
    }

    fn column(mut self, kind: u8, bytes: &[u8]) -> Self {
        self.0.push(kind);
        self.0.extend_from_slice(&u16::try_from(bytes.len()).unwrap().to_le_bytes());
        self.0.extend_from_slice(bytes);
        self
    }

    fn number(self, number: u32) -> Self {
        self.column(1, &number.to_le_bytes())
    }

    fn text(self, text: &str) -> Self {
        self.column(2, text.as_bytes())
    }

    fn blob(self, bytes: &[u8]) -> Self {
        self.column(3, bytes)
    }
}

const UUID: &str = "00112233445566778899aabbccddeeff";

fn key(state: u32) -> Vec<u8> {
    let algorithm = Signature::Ecdsa { hash: SignHash::Specific(Hash::Sha256) }.into();
    let policy = Policy { usage: Usage::SIGN, algorithm, also: vec![] };
    let attributes = Attributes { key_type: KeyType::EccKeyPair(EccFamily::SecpR1), bits: 256, policy };
    let attributes = KeyAttributes::from(&attributes).encode_to_vec();
    let front = Row::of(0).text(UUID).number(1).text("uid:0").text("web").number(state).blob(&attributes);
    let middle = front.text("Web").blob(&[1, 2]).number(1).blob(&[4; 65]).blob(&[9; 60]);
    middle.number(1_700_000_000).number(1).number(0).blob(&[]).0
}

fn object() -> Vec<u8> {
    let front = Row::of(2).text(UUID).number(1).text("uid:0").number(3).text("notes").text("Notes");
    front.blob(&[1, 2]).blob(b"value").number(1_700_000_000).blob(&[0x0a, 0x05, 0x08, 0x82, 0x02, 0x12, 0x00]).0
}

pub(crate) fn write() {
    let grant = Row::of(1).text(UUID).text("unit:nginx.service").number(0x80).0;
    seed("rows", "key-and-grant", [key(1), grant].concat());
    seed("rows", "unfinished", key(0));
    seed("rows", "deleting", key(2));
    seed("rows", "object", object());
    seed("rows", "token", Row::of(3).text("uid:0").number(1).text("token").0);
    let hash = "$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA";
    seed("rows", "pin", Row::of(4).text("uid:0").number(1).number(1).text(hash).number(2).number(1_700_000_000).0);
    seed("rows", "decision", Row::of(5).blob(&[7; 32]).number(1).0);
    seed("rows", "acceptance", Row::of(6).text("uid:33").text("uid:0").number(1).0);
    for file in ["web.attest", "boot.quote"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../service/src/providers/tpm/verify").join(file);
        let text = fs::read(path).unwrap();
        for (place, block) in interface::pem::blocks(&text).enumerate() {
            seed("attestations", &format!("{file}-{place}"), &*block.der().unwrap());
        }
    }
}
