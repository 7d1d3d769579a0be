//! Keys that leave and come wrapped, and secrets that are derived.

use crate::Desk;

/// RFC 3394 §4.6: 256 bits of key data under a 256-bit key.
const KEY: [u8; 32] = hex(b"00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f");
const WRAPPING: [u8; 32] = hex(b"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
const WRAPPED: [u8; 40] = hex(b"28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21");

const fn hex<const N: usize>(digits: &[u8]) -> [u8; N] {
    let mut bytes = [0; N];
    let mut at = 0;
    while at < digits.len() {
        let digit = digits[at];
        let value = if digit.is_ascii_digit() { digit - b'0' } else { digit - b'a' + 10 };
        bytes[at / 2] = bytes[at / 2] << 4 | value;
        at += 1;
    }
    bytes
}

/// A key in the token, `02`, that may be wrapped.
fn desk() -> Option<Desk> {
    let desk = Desk::with("wrap", "AES-KEY-WRAP")?;
    desk.write("key", KEY);
    desk.write("wrapping", WRAPPING);
    desk.write("plain", [7; 32]);
    desk.ok("--write-object key --type secrkey --key-type AES:32 --extractable --label key --id 02");
    Some(desk)
}

/// Unwraps what is in `wrapped` as the key `03`, which has to be the key `02`.
#[track_caller]
fn unwrap(desk: &Desk, mechanism: &str, id: &str) {
    desk.ok(&format!(
        "--unwrap --mechanism {mechanism} --id {id} --input-file wrapped --key-type AES: --application-id 03 --application-label back"
    ));
    for id in ["02", "03"] {
        desk.ok(&format!("--encrypt --mechanism AES-ECB --id {id} --input-file plain --output-file sealed-{id}"));
    }
    assert_eq!(desk.read("sealed-02"), desk.read("sealed-03"));
    desk.ok("--delete-object --type secrkey --id 03");
}

#[test]
fn secret_keys_wrap_as_the_standard_says() {
    let Some(desk) = desk() else { return };
    desk.ok("--write-object wrapping --type secrkey --key-type AES:32 --usage-wrap --label wrapping --id 01");
    desk.ok("--wrap --mechanism AES-KEY-WRAP --id 01 --application-id 02 --output-file wrapped");
    assert_eq!(desk.read("wrapped"), WRAPPED);
    unwrap(&desk, "AES-KEY-WRAP", "01");
    let damaged: Vec<u8> = WRAPPED.iter().map(|byte| byte ^ 1).collect();
    desk.write("wrapped", damaged);
    let unwrap = "--unwrap --mechanism AES-KEY-WRAP --id 01 --input-file wrapped --key-type AES: --application-id 03";
    desk.tool(unwrap).refused();
}

#[test]
fn key_pairs_wrap_and_unwrap() {
    let Some(desk) = desk() else { return };
    desk.ok("--keypairgen --key-type rsa:2048 --usage-wrap --label pair --id 01");
    desk.ok("--wrap --mechanism RSA-PKCS --id 01 --application-id 02 --output-file wrapped");
    assert_eq!(desk.read("wrapped").len(), 256);
    unwrap(&desk, "RSA-PKCS", "01");
}

#[test]
fn what_may_not_leave_is_not_wrapped() {
    let Some(desk) = desk() else { return };
    // whose value everybody may know
    desk.ok("--write-object wrapping --type secrkey --key-type AES:32 --usage-wrap --extractable --label wrapping --id 01");
    for (id, access) in [("04", "--sensitive"), ("05", "--sensitive --extractable")] {
        desk.ok(&format!("--keygen --key-type AES:32 {access} --label secret --id {id}"));
        let wrap = format!("--wrap --mechanism AES-KEY-WRAP --id 01 --application-id {id} --output-file wrapped");
        let said = desk.tool(&wrap).refused();
        assert!(said.contains("C_WrapKey failed"), "{said}");
    }
}

#[test]
fn a_secret_is_agreed_on_with_the_owner_of_another_key() {
    let Some(desk) = Desk::with("derive", "ECDH1-DERIVE") else { return };
    for (curve, group) in [("prime256v1", "P-256"), ("secp384r1", "P-384")] {
        desk.ok(&format!("--keypairgen --key-type EC:{curve} --usage-derive --label own --id 01"));
        desk.openssl(&format!("genpkey -algorithm EC -pkeyopt group:{group} -out peer.key"));
        desk.openssl("pkey -in peer.key -pubout -outform DER -out peer.der");
        desk.ok("--derive --mechanism ECDH1-DERIVE --id 01 --input-file peer.der --output-file ours");
        desk.parsec("key public own --out own.pem");
        desk.openssl("pkeyutl -derive -inkey peer.key -peerkey own.pem -out theirs");
        assert_eq!(desk.read("ours"), desk.read("theirs"));
        desk.ok("--delete-object --type privkey --id 01");
    }
}
