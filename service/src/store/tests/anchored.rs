//! A store whose rollback a counter tells.

use super::*;
use crate::store::Counter;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// A device that may be away.
#[derive(Clone, Default)]
struct Device(Arc<(AtomicU64, AtomicBool)>);

impl Counter for Device {
    fn raise(&self, count: u64) -> Result<u64> {
        if self.0.1.load(Ordering::Relaxed) {
            return Err(Status::PsaErrorCommunicationFailure.into());
        }
        Ok(self.0.0.fetch_max(count, Ordering::Relaxed).max(count))
    }
}

impl Device {
    fn anchor(&self, store: &Store) -> Result<()> {
        let count = self.count();
        store.anchor_to(b"chip", (count > 0).then_some(count), self.clone())
    }

    fn count(&self) -> u64 {
        self.0.0.load(Ordering::Relaxed)
    }

    fn away(&self, away: bool) {
        self.0.1.store(away, Ordering::Relaxed);
    }
}

fn image(place: &TestStore) -> Vec<u8> {
    fs::read(place.database()).unwrap()
}

#[test]
fn what_must_not_come_back_raises_the_counter_and_nothing_else_does() {
    let (place, device) = (TestStore::new(), Device::default());
    let store = place.open().unwrap();
    device.anchor(&store).unwrap();
    assert_eq!(device.count(), 1, "at the start");
    let web = create(&store, &ROOT, "web");
    store.grant(&web, &WEB, Usage::SIGN_HASH).unwrap();
    assert_eq!(device.count(), 1);
    store.revoke(&web, &WEB).unwrap();
    assert_eq!(device.count(), 2);
    store.destroy(&web).unwrap().commit();
    assert_eq!(device.count(), 3);
    drop(store.reset(&ROOT, [SOFTWARE]).unwrap());
    assert_eq!(device.count(), 4);
    store.forget(&WEB).unwrap();
    assert_eq!(device.count(), 5);
    drop(store);
    device.anchor(&place.open().unwrap()).unwrap();
}

#[test]
fn an_older_copy_is_told_unless_that_is_accepted() {
    let (place, device) = (TestStore::new(), Device::default());
    drop(place.open().unwrap());
    let before = image(&place);
    let store = place.open().unwrap();
    device.anchor(&store).unwrap();
    let web = create(&store, &ROOT, "web");
    store.grant(&web, &WEB, Usage::SIGN_HASH).unwrap();
    drop(store);
    let older = image(&place);
    let store = place.open().unwrap();
    device.anchor(&store).unwrap();
    store.revoke(&web, &WEB).unwrap();
    drop(store);
    fs::write(place.database(), older).unwrap();
    place.forget_last();
    let error = device.anchor(&place.open().unwrap()).unwrap_err().to_string();
    assert!(error.contains("older copy") && error.contains("--accept-loss"), "{error}");
    device.anchor(&place.open_after(true).unwrap()).unwrap();
    device.anchor(&place.open().unwrap()).unwrap();

    // So is a copy from before there was a counter.
    fs::write(place.database(), before).unwrap();
    place.forget_last();
    assert!(device.anchor(&place.open().unwrap()).unwrap_err().to_string().contains("older copy"));
}

#[test]
fn neither_a_crash_nor_a_device_that_is_away_looks_like_a_rollback() {
    let (place, device) = (TestStore::new(), Device::default());
    let store = place.open().unwrap();
    device.anchor(&store).unwrap();
    for name in 0..20 {
        create(&store, &ROOT, &name.to_string());
    }
    device.away(true);
    for key in store.keys(&ROOT) {
        store.destroy(&key).unwrap().commit();
    }
    drop(store);
    let store = place.open().unwrap();
    assert!(device.anchor(&store).is_err(), "the device does not answer");
    drop(store);
    device.away(false);
    let store = place.open().unwrap();
    device.anchor(&store).unwrap();
    drop(store);
    // Of another chip, or after somebody removed the counter, nothing can be told.
    let store = place.open().unwrap();
    store.anchor_to(b"another", Some(1000), device.clone()).unwrap();
    drop(store);
    place.open().unwrap().anchor_to(b"another", None, Device::default()).unwrap();
}
