//! Encryption and decryption in parts: what comes out at each call, that the length said it before, and that all of it is what the
//! single-part function makes of the data, here and in SoftHSM.

use super::crypt::{gcm, hex, with};
use super::keys::{YES, number};
use super::mechanisms::lasting;
use super::other::{Other, at, ours};
use super::*;

const LEN: usize = 100;

/// When data comes out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// In whole blocks of so many bytes, as soon as they are there.
    Blocks(usize),
    /// Likewise, but for a last block that may be padding.
    BlocksButOne(usize),
    /// At once.
    Bytes,
    /// All of it at the end.
    End,
}

impl Pace {
    /// How much has come out when so much has gone in.
    fn out(self, fed: usize) -> usize {
        match self {
            Self::Blocks(block) => fed / block * block,
            Self::BlocksButOne(block) => fed.saturating_sub(1) / block * block,
            Self::Bytes => fed,
            Self::End => 0,
        }
    }
}

/// Who does it: a module, a session of it, and a key there.
#[derive(Clone, Copy)]
struct Place {
    list: CK_FUNCTION_LIST_PTR,
    session: CK_SESSION_HANDLE,
    key: CK_OBJECT_HANDLE,
}

impl Place {
    /// With a key of this type and value, in a session of its own.
    fn new(
        list: CK_FUNCTION_LIST_PTR,
        session: CK_SESSION_HANDLE,
        kind: CK_KEY_TYPE,
        value: &[u8],
        more: &[CK_ATTRIBUTE],
    ) -> Self {
        let (class, kind, mut key) = (number(CKO_SECRET_KEY), number(kind), 0);
        let own = [(CKA_CLASS, &class[..]), (CKA_KEY_TYPE, &kind), (CKA_VALUE, value), (CKA_ENCRYPT, YES), (CKA_DECRYPT, YES)];
        let mut template: Vec<_> = own.iter().map(|(kind, value)| attribute(*kind, value)).chain(more.iter().copied()).collect();
        let created = at!(list, C_CreateObject(session, template.as_mut_ptr(), template.len() as CK_ULONG, &raw mut key));
        assert_eq!(created, CKR_OK);
        Self { list, session, key }
    }

    fn init(self, encrypt: bool, mut mechanism: CK_MECHANISM) {
        let begun = if encrypt {
            at!(self.list, C_EncryptInit(self.session, &raw mut mechanism, self.key))
        } else {
            at!(self.list, C_DecryptInit(self.session, &raw mut mechanism, self.key))
        };
        assert_eq!(begun, CKR_OK, "{:#x}", mechanism.mechanism);
    }

    fn whole(self, encrypt: bool, mechanism: CK_MECHANISM, data: &[u8]) -> Vec<u8> {
        self.init(encrypt, mechanism);
        let (start, count, room) = (data.as_ptr().cast_mut(), data.len() as CK_ULONG, data.len() + 32);
        let (mut out, mut len) = (vec![0; room], room as CK_ULONG);
        let done = if encrypt {
            at!(self.list, C_Encrypt(self.session, start, count, out.as_mut_ptr(), &raw mut len))
        } else {
            at!(self.list, C_Decrypt(self.session, start, count, out.as_mut_ptr(), &raw mut len))
        };
        assert_eq!(done, CKR_OK, "{:#x}", mechanism.mechanism);
        out.truncate(usize::try_from(len).unwrap());
        out
    }

    fn update(self, encrypt: bool, part: &[u8], out: *mut u8, len: &mut CK_ULONG) -> CK_RV {
        let (start, count) = (part.as_ptr().cast_mut(), part.len() as CK_ULONG);
        if encrypt {
            at!(self.list, C_EncryptUpdate(self.session, start, count, out, len))
        } else {
            at!(self.list, C_DecryptUpdate(self.session, start, count, out, len))
        }
    }

    fn last(self, encrypt: bool, out: *mut u8, len: &mut CK_ULONG) -> CK_RV {
        if encrypt {
            at!(self.list, C_EncryptFinal(self.session, out, len))
        } else {
            at!(self.list, C_DecryptFinal(self.session, out, len))
        }
    }

    /// The data in parts of this many bytes, each length asked first; returns all that came out.
    fn parts(self, encrypt: bool, mechanism: CK_MECHANISM, pace: Pace, data: &[u8], split: usize) -> Vec<u8> {
        let what = format!("{:#x} encrypts: {encrypt}, in parts of {split}", mechanism.mechanism);
        self.init(encrypt, mechanism);
        let (mut all, mut fed) = (vec![], 0);
        for part in data.chunks(split) {
            let ready = pace.out(fed + part.len()) - pace.out(fed);
            fed += part.len();
            let (mut asked, mut len, mut out) = (12345, ready as CK_ULONG, vec![0; ready.max(1)]);
            assert_eq!(self.update(encrypt, part, null_mut(), &mut asked), CKR_OK, "{what}");
            assert_eq!(asked, len, "{what}");
            if ready > 0 {
                let mut short = len - 1;
                assert_eq!(self.update(encrypt, part, out.as_mut_ptr(), &mut short), CKR_BUFFER_TOO_SMALL, "{what}");
                assert_eq!(short, len, "{what}");
            }
            assert_eq!(self.update(encrypt, part, out.as_mut_ptr(), &mut len), CKR_OK, "{what}");
            assert_eq!(asked, len, "{what}");
            all.extend_from_slice(&out[..ready]);
        }
        let mut asked = 12345;
        assert_eq!(self.last(encrypt, null_mut(), &mut asked), CKR_OK, "{what}");
        let (mut out, mut len) = (vec![0; usize::try_from(asked).unwrap() + 1], asked);
        assert_eq!(self.last(encrypt, out.as_mut_ptr(), &mut len), CKR_OK, "{what}");
        // how much of a block is padding is known when it is decrypted
        let padded = !encrypt && matches!(mechanism.mechanism, CKM_AES_CBC_PAD | CKM_DES3_CBC_PAD);
        assert!(len == asked || padded && len < asked, "{what}: {asked} asked, {len} given");
        all.extend_from_slice(&out[..usize::try_from(len).unwrap()]);
        all
    }
}

/// A mechanism, the type and length of its keys, when its ciphertext and its plaintext come out, and whether SoftHSM has it.
type Row = (CK_MECHANISM, CK_KEY_TYPE, usize, Pace, Pace, bool);

fn rows() -> Vec<Row> {
    // soon carries
    let counter = CK_AES_CTR_PARAMS { ulCounterBits: 128, cb: *b"counter \x00\x00\x00\x00\xff\xff\xff\xfd" };
    let ccm = |len: usize| CK_CCM_PARAMS {
        ulDataLen: len as CK_ULONG,
        pNonce: vec![5; 11].leak().as_mut_ptr(),
        ulNonceLen: 11,
        pAAD: null_mut(),
        ulAADLen: 0,
        ulMACLen: 8,
    };
    let poly = CK_SALSA20_CHACHA20_POLY1305_PARAMS {
        pNonce: vec![5; 12].leak().as_mut_ptr(),
        ulNonceLen: 12,
        pAAD: null_mut(),
        ulAADLen: 0,
    };
    let gcm = |nonce: usize| lasting(CKM_AES_GCM, gcm(vec![5; nonce].leak(), b"aad".to_vec().leak(), 128));
    let (blocks, small) = (Pace::Blocks(16), Pace::Blocks(8));
    vec![
        (mechanism(CKM_AES_ECB), CKK_AES, 16, blocks, blocks, true),
        (lasting(CKM_AES_CBC, [9u8; 16]), CKK_AES, 24, blocks, blocks, true),
        (lasting(CKM_AES_CBC_PAD, [9u8; 16]), CKK_AES, 32, blocks, Pace::BlocksButOne(16), true),
        (lasting(CKM_AES_CTR, counter), CKK_AES, 16, blocks, blocks, true),
        (lasting(CKM_AES_OFB, [9u8; 16]), CKK_AES, 32, blocks, blocks, false),
        (lasting(CKM_AES_CFB128, [9u8; 16]), CKK_AES, 24, blocks, blocks, false),
        (mechanism(CKM_DES3_ECB), CKK_DES3, 24, small, small, true),
        (lasting(CKM_DES3_CBC, [9u8; 8]), CKK_DES3, 24, small, small, true),
        (lasting(CKM_DES3_CBC_PAD, [9u8; 8]), CKK_DES3, 24, small, Pace::BlocksButOne(8), true),
        (gcm(12), CKK_AES, 16, Pace::Bytes, Pace::End, true),
        (gcm(16), CKK_AES, 16, Pace::Bytes, Pace::End, true),
        (lasting(CKM_AES_CCM, ccm(LEN)), CKK_AES, 16, Pace::Bytes, Pace::End, false),
        (lasting(CKM_CHACHA20_POLY1305, poly), CKK_CHACHA20, 32, Pace::Bytes, Pace::End, false),
    ]
}

/// The value of a key, with the parity that DES wants.
fn value(len: usize) -> Vec<u8> {
    hex("0123456789abcdef23456789abcdef01456789abcdef01238989898989898989")[..len].to_vec()
}

#[test]
fn parts_of_any_length_make_what_one_part_makes() {
    let _fixture = Fixture::deprecated();
    let softhsm = Other::softhsm();
    let data: Vec<u8> = (0..LEN).map(|at| u8::try_from(at).unwrap().wrapping_mul(7)).collect();
    for (mechanism, kind, len, sealing, opening, known) in rows() {
        let here = Place::new(ours(), open(CKF_RW_SESSION), kind, &value(len), &[]);
        let plain = match (mechanism.mechanism, sealing) {
            (CKM_AES_CBC_PAD | CKM_DES3_CBC_PAD | CKM_AES_CTR | CKM_AES_OFB | CKM_AES_CFB128, _) => &data[..],
            (_, Pace::Blocks(block)) => &data[..LEN / block * block],
            _ => &data[..],
        };
        let sealed = here.whole(true, mechanism, plain);
        assert_eq!(here.whole(false, mechanism, &sealed), plain);
        if let Some(softhsm) = softhsm.as_ref().filter(|_| known) {
            let there = Place::new(softhsm.list, softhsm.session, kind, &value(len), &[]);
            assert_eq!(there.whole(true, mechanism, plain), sealed, "{:#x}", mechanism.mechanism);
        }
        for split in 1..=LEN + 1 {
            assert_eq!(here.parts(true, mechanism, sealing, plain, split), sealed, "{:#x} {split}", mechanism.mechanism);
            assert_eq!(here.parts(false, mechanism, opening, &sealed, split), plain, "{:#x} {split}", mechanism.mechanism);
        }
    }
}

#[test]
fn parts_go_through_a_tpm_likewise() {
    let _fixture = Fixture::tpm();
    let data = [7; LEN];
    for (mechanism, kind, _, sealing, opening, _) in rows().into_iter().take(6) {
        let here = Place::new(ours(), open(CKF_RW_SESSION), kind, &value(16), &[]);
        let plain = if matches!(mechanism.mechanism, CKM_AES_ECB | CKM_AES_CBC) { &data[..96] } else { &data };
        let sealed = here.whole(true, mechanism, plain);
        for split in [1, 15, 16, 17, 40, LEN] {
            assert_eq!(here.parts(true, mechanism, sealing, plain, split), sealed, "{:#x} {split}", mechanism.mechanism);
            assert_eq!(here.parts(false, mechanism, opening, &sealed, split), plain, "{:#x} {split}", mechanism.mechanism);
        }
    }
}

/// Where a key permits the mechanism and nothing else, its stream is made of just that.
#[test]
fn streams_need_no_mechanism_but_their_own() {
    let _fixture = Fixture::new();
    let data = vec![7; 300_001];
    for (mechanism, kind, len, sealing, opening, _) in rows() {
        if !matches!(mechanism.mechanism, CKM_AES_CBC_PAD | CKM_AES_GCM) {
            continue;
        }
        let free = Place::new(ours(), open(CKF_RW_SESSION), kind, &value(len), &[]);
        let allowed = number(mechanism.mechanism);
        let bound = Place::new(ours(), open(CKF_RW_SESSION), kind, &value(len), &[attribute(CKA_ALLOWED_MECHANISMS, &allowed)]);
        let sealed = free.parts(true, mechanism, sealing, &data, 60_000);
        assert!(bound.parts(true, mechanism, sealing, &data, 60_000) == sealed, "{:#x}", mechanism.mechanism);
        assert!(free.parts(false, mechanism, opening, &sealed, 60_000) == data, "{:#x}", mechanism.mechanism);
        // the middle of the stream is no plaintext with padding, so that all of it must be there
        assert!(bound.parts(false, mechanism, Pace::End, &sealed, 60_000) == data, "{:#x}", mechanism.mechanism);
    }
}

#[test]
fn what_is_left_over_at_the_end_has_the_wrong_length() {
    let _fixture = Fixture::new();
    for (mechanism, kind, len, ..) in rows().into_iter().take(3) {
        let here = Place::new(ours(), open(CKF_RW_SESSION), kind, &value(len), &[]);
        for (encrypt, fault) in [(true, CKR_DATA_LEN_RANGE), (false, CKR_ENCRYPTED_DATA_LEN_RANGE)] {
            if encrypt && mechanism.mechanism == CKM_AES_CBC_PAD {
                continue;
            }
            here.init(encrypt, mechanism);
            let (mut out, mut room) = ([0; 64], 64);
            assert_eq!(here.update(encrypt, &[7; 33], out.as_mut_ptr(), &mut room), CKR_OK);
            assert_eq!(room, 32);
            room = 64;
            assert_eq!(here.last(encrypt, out.as_mut_ptr(), &mut room), fault, "{:#x}", mechanism.mechanism);
        }
    }
    // a message that is longer than its parameter says
    for (mechanism, kind, len, ..) in rows().into_iter().filter(|row| row.0.mechanism == CKM_AES_CCM) {
        let here = Place::new(ours(), open(CKF_RW_SESSION), kind, &value(len), &[]);
        here.init(true, mechanism);
        let (mut out, mut room) = ([0; LEN + 1], LEN as CK_ULONG + 1);
        assert_eq!(here.update(true, &[7; LEN + 1], out.as_mut_ptr(), &mut room), CKR_DATA_LEN_RANGE);
    }
    // a counter that may not come round has an end, also where the data comes in parts
    let counter = CK_AES_CTR_PARAMS { ulCounterBits: 2, cb: [0; 16] };
    let here = Place::new(ours(), open(CKF_RW_SESSION), CKK_AES, &value(16), &[]);
    here.init(true, with(CKM_AES_CTR, &counter));
    let (mut out, mut room) = ([0; 64], 64);
    assert_eq!(here.update(true, &[7; 64], out.as_mut_ptr(), &mut room), CKR_OK);
    room = 64;
    assert_eq!(here.update(true, &[7; 16], out.as_mut_ptr(), &mut room), CKR_DATA_LEN_RANGE);
}
