//! The objects that have handles. All session objects of this process are among them.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cryptoki_sys::*;

use crate::objects::object::{Object, Record};

/// The objects that have handles. A handle is good in every session and names the same object as long as the module is
/// initialised.
#[derive(Clone, Default)]
pub(crate) struct Objects {
    by_handle: HashMap<CK_OBJECT_HANDLE, Arc<Object>>,
    handles: HashMap<(String, CK_OBJECT_CLASS), CK_OBJECT_HANDLE>,
    in_sessions: BTreeSet<(CK_SESSION_HANDLE, CK_OBJECT_HANDLE)>,
    /// Public halves that went with their private halves.
    orphans: BTreeSet<CK_OBJECT_HANDLE>,
}

/// So many orphans are remembered, the latest.
const ORPHANS: usize = 1024;

impl Objects {
    /// Takes in a record; returns the handles and objects it shows as.
    pub(crate) fn learn(&mut self, record: Record) -> Vec<(CK_OBJECT_HANDLE, Arc<Object>)> {
        let record = Arc::new(record);
        let mut learned = Vec::with_capacity(2);
        for &class in record.classes() {
            let object = Arc::new(Object { class, record: Arc::clone(&record) });
            let known = self.handles.entry((record.uuid.clone(), class));
            let handle = *known.or_insert_with(fresh_handle);
            self.by_handle.insert(handle, Arc::clone(&object));
            if let Some(place) = record.session {
                self.in_sessions.insert((place.session, handle));
            }
            learned.push((handle, object));
        }
        learned
    }

    pub(crate) fn find(&self, handle: CK_OBJECT_HANDLE) -> Option<Arc<Object>> {
        self.by_handle.get(&handle).cloned()
    }

    /// The session objects of a token.
    pub(crate) fn in_sessions(&self, slot: CK_SLOT_ID) -> impl Iterator<Item = (CK_OBJECT_HANDLE, &Object)> {
        let objects = self.in_sessions.iter().filter_map(|(_, handle)| Some((*handle, &**self.by_handle.get(handle)?)));
        objects.filter(move |(_, object)| object.record.slot == slot)
    }

    /// Forgets the session objects that `these` picks, and returns them.
    pub(crate) fn end(&mut self, these: impl Fn(CK_SESSION_HANDLE, &Object) -> bool) -> Vec<Arc<Object>> {
        let picked = |(session, handle): &&(CK_SESSION_HANDLE, CK_OBJECT_HANDLE)| {
            self.by_handle.get(handle).is_some_and(|object| these(*session, object))
        };
        let handles: Vec<_> = self.in_sessions.iter().filter(picked).map(|(_, handle)| *handle).collect();
        handles.into_iter().filter_map(|handle| self.forget(handle)).collect()
    }

    /// Forgets the objects that `these` picks.
    pub(crate) fn forget_those(&mut self, these: impl Fn(&Object) -> bool) {
        let handles: Vec<_> = self.by_handle.iter().filter(|(_, object)| these(object)).map(|(handle, _)| *handle).collect();
        for handle in handles {
            self.forget(handle);
        }
    }

    pub(crate) fn forget(&mut self, handle: CK_OBJECT_HANDLE) -> Option<Arc<Object>> {
        let object = self.by_handle.remove(&handle)?;
        self.handles.remove(&(object.record.uuid.clone(), object.class));
        if let Some(place) = object.record.session {
            self.in_sessions.remove(&(place.session, handle));
        }
        Some(object)
    }

    /// Forgets all objects that a record shows as.
    pub(crate) fn forget_record(&mut self, record: &Record) {
        for class in record.classes() {
            if let Some(handle) = self.handles.get(&(record.uuid.clone(), *class)).copied()
                && self.forget(handle).is_some_and(|object| object.is_view())
            {
                self.orphans.insert(handle);
            }
        }
        if self.orphans.len() > ORPHANS {
            self.orphans.pop_first();
        }
    }

    /// Whether a handle was of a public half that has gone with its private half. Programs destroy both, in either order, and this one
    /// is destroyed once.
    pub(crate) fn bury(&mut self, handle: CK_OBJECT_HANDLE) -> bool {
        self.orphans.remove(&handle)
    }
}

/// A handle for a session or object: never zero, never the same twice in a process or its children.
pub(crate) fn fresh_handle() -> CK_ULONG {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::{object::InSession, object::tests::web};
    use interface::operations::SetMetadata;

    #[test]
    fn handles_stay_until_forgotten_and_never_come_back() {
        let mut objects = Objects::default();
        let first = objects.learn(web())[0].0;
        let change = SetMetadata { label: Some("new".into()), ..SetMetadata::default() };
        assert_eq!(objects.learn(web().with(change))[0].0, first);
        assert_eq!(**objects.find(first).unwrap().attribute(CKA_LABEL).unwrap(), *b"new");
        objects.forget(first);
        assert!(objects.find(first).is_none());
        assert_ne!(objects.learn(web())[0].0, first);
    }

    #[test]
    fn session_objects_end_together() {
        let mut objects = Objects::default();
        let mut learn = |session, uuid: &str| {
            let mut record = web().in_session(Some(InSession { session, process: 1 }));
            record.uuid = uuid.into();
            objects.learn(record)
        };
        let (first, second) = (learn(7, "first"), learn(8, "second"));
        assert_eq!(objects.in_sessions(1).count(), 4);
        assert_eq!(objects.in_sessions(2).count(), 0);
        assert_eq!(objects.end(|session, _| session == 7).len(), 2);
        assert!(first.iter().all(|(handle, _)| objects.find(*handle).is_none()));
        assert!(second.iter().all(|(handle, _)| objects.find(*handle).is_some()));
        objects.forget_record(&second[0].1.record);
        assert_eq!(objects.in_sessions(1).count(), 0);
    }

    #[test]
    fn a_public_half_that_went_with_its_private_half_is_destroyed_once() {
        let mut objects = Objects::default();
        let pair = objects.learn(web());
        objects.forget_record(&web());
        for (handle, object) in pair {
            assert!(objects.find(handle).is_none());
            assert_eq!(objects.bury(handle), object.is_view());
            assert!(!objects.bury(handle));
        }
    }
}
