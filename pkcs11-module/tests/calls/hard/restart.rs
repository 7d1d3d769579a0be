//! A service that dies and comes back under open sessions.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use cryptoki_sys::*;

use super::{Fixture, find, generate, open, sign};

#[test]
fn who_only_uses_keys_never_notices_a_restart() {
    let mut fixture = Fixture::new();
    generate(open(CKF_RW_SESSION), true).unwrap();
    let (stop, signed) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let session = open(0);
                let key = find(session, CKO_PRIVATE_KEY)[0];
                while !stop.load(Ordering::Relaxed) {
                    sign(session, key).unwrap();
                    assert_eq!(find(session, CKO_PRIVATE_KEY), [key]);
                    signed.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for _ in 0..5 {
            let before = signed.load(Ordering::Relaxed);
            while signed.load(Ordering::Relaxed) < before + 10 {
                std::thread::yield_now();
            }
            fixture.service.kill9();
            fixture.service.restart();
        }
        stop.store(true, Ordering::Relaxed);
    });
}
