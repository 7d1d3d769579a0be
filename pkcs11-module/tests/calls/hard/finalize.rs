//! C_Finalize while other threads call, and slow calls while others want to be quick.

use std::collections::BTreeMap;
use std::ptr::null_mut;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use cryptoki_sys::*;
use parsec_pkcs11::C_GetFunctionList;

use super::{Fixture, SOFTWARE, attribute, find, generate, mechanism, open, sign};
use crate::keys::{YES, number};

/// Opens, finds, signs and closes; tells what each step answered.
fn use_once(codes: &Mutex<BTreeMap<CK_RV, usize>>) {
    let (mut session, mut key, mut count) = (0, 0, 0);
    let (class, mut data, mut out, mut len) = (number(CKO_PRIVATE_KEY), [7; 32], [0; 64], 64);
    let mut template = [attribute(CKA_CLASS, &class)];
    let codes_of = [
        call!(C_OpenSession(SOFTWARE, CKF_SERIAL_SESSION, null_mut(), None, &raw mut session)),
        call!(C_FindObjectsInit(session, template.as_mut_ptr(), 1)),
        call!(C_FindObjects(session, &raw mut key, 1, &raw mut count)),
        call!(C_SignInit(session, &mut mechanism(CKM_ECDSA), key)),
        call!(C_Sign(session, data.as_mut_ptr(), 32, out.as_mut_ptr(), &raw mut len)),
        call!(C_CloseSession(session)),
    ];
    for code in codes_of {
        *codes.lock().unwrap().entry(code).or_default() += 1;
    }
}

#[test]
fn calls_under_way_end_well_when_the_module_is_finalised_a_thousand_times() {
    let _fixture = Fixture::new();
    generate(open(CKF_RW_SESSION), true).unwrap();
    let (stop, codes) = (AtomicBool::new(false), Mutex::default());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    use_once(&codes);
                }
            });
        }
        for _ in 0..1000 {
            assert_eq!(call!(C_Finalize(null_mut())), CKR_OK);
            std::thread::yield_now();
            assert_eq!(call!(C_Initialize(null_mut())), CKR_OK);
            std::thread::yield_now();
        }
        stop.store(true, Ordering::Relaxed);
    });
    let codes = codes.into_inner().unwrap();
    let gone =
        [CKR_OK, CKR_CRYPTOKI_NOT_INITIALIZED, CKR_SESSION_HANDLE_INVALID, CKR_KEY_HANDLE_INVALID, CKR_OPERATION_NOT_INITIALIZED];
    assert!(codes.keys().all(|code| gone.contains(code)), "{codes:x?}");
    assert!(codes.contains_key(&CKR_OK), "{codes:?}");
    sign(open(0), find(open(0), CKO_PRIVATE_KEY)[0]).unwrap();
}

#[test]
fn a_slow_key_generation_holds_up_no_other_session() {
    let _fixture = Fixture::new();
    let session = open(CKF_RW_SESSION);
    let [_, private] = generate(session, true).unwrap();
    let (bits, slow) = (number(4096), open(CKF_RW_SESSION));
    let (begun, done, signed) = (AtomicBool::new(false), AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut public = [attribute(CKA_MODULUS_BITS, &bits)];
            let mut secret = [attribute(CKA_TOKEN, YES)];
            let [mut first, mut second] = [0; 2];
            begun.store(true, Ordering::Release);
            let made = call!(C_GenerateKeyPair(
                slow,
                &mut mechanism(CKM_RSA_PKCS_KEY_PAIR_GEN),
                public.as_mut_ptr(),
                1,
                secret.as_mut_ptr(),
                1,
                &raw mut first,
                &raw mut second,
            ));
            done.store(true, Ordering::Release);
            assert_eq!(made, CKR_OK);
        });
        while !begun.load(Ordering::Acquire) {
            std::thread::yield_now();
        }
        while !done.load(Ordering::Acquire) {
            sign(session, private).unwrap();
            signed.fetch_add(1, Ordering::Relaxed);
        }
    });
    assert!(signed.into_inner() > 10, "signatures while the key was made");
}

#[test]
fn two_threads_in_one_session_never_mix_their_data() {
    let _fixture = Fixture::new();
    let session = open(0);
    let results: Vec<_> = std::thread::scope(|scope| {
        let digest = |byte: u8| {
            move || {
                let mut digests = Vec::new();
                for _ in 0..2000 {
                    let (mut data, mut out, mut len) = ([byte; 100], [0u8; 32], 32);
                    match call!(C_DigestInit(session, &mut mechanism(CKM_SHA256))) {
                        CKR_OK => {}
                        code => {
                            assert_eq!(code, CKR_OPERATION_ACTIVE);
                            continue;
                        }
                    }
                    // the other thread may have taken the operation that this one began
                    match call!(C_Digest(session, data.as_mut_ptr(), 100, out.as_mut_ptr(), &raw mut len)) {
                        CKR_OK => digests.push(out),
                        code => assert_eq!(code, CKR_OPERATION_NOT_INITIALIZED),
                    }
                }
                digests
            }
        };
        let threads = [scope.spawn(digest(1)), scope.spawn(digest(2))];
        threads.map(|thread| thread.join().unwrap()).into()
    });
    for digests in results {
        assert!(digests.windows(2).all(|pair| pair[0] == pair[1]));
    }
}
