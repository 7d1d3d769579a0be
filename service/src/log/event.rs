//! Events: what happened to keys, and which requests were refused, for a later audit. They are lines of the log with fields. Names
//! and meanings of the fields stay as they are; `service/docs/log.md` lists them.
//!
//! The table of operations says what each request changes ([`Effect`]), so every operation that changes something has its event.

use crate::auth::{Peer, Principal};
use crate::error::Error;
use crate::key::{Key, Meta};
use interface::attributes::Usage;
use interface::wire::Request;
use interface::{Effect, KeyName, Named, Opcode, ProviderId, Status};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tracing::Level;

/// What happened: the field `event`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A request has changed something.
    Done(Effect),
    /// A request was refused: it was at fault, or it may not be done.
    Refuse,
    /// A request failed, and the service or its host is at fault.
    Fail,
    /// At the start there was a key whose making had not come to its end: it is ready.
    Adopt,
    /// At the start there was one whose making or destroying had not come to its end: it is gone.
    Settle,
    /// Something in the store is not what was written there, or is missing.
    Damage,
    /// The service is ready.
    Start,
    /// The service stops.
    Stop,
    /// Lines of the log were left out.
    Lose,
}

impl Kind {
    /// Every one, with its name and the words of its line where nothing more is to be said.
    const ALL: &[(Self, &str, &str)] = &[
        (Self::Done(Effect::Make), "make", "made"),
        (Self::Done(Effect::Destroy), "destroy", "destroyed"),
        (Self::Done(Effect::Modify), "modify", "modified"),
        (Self::Done(Effect::Grant), "grant", "granted"),
        (Self::Done(Effect::Revoke), "revoke", "revoked"),
        (Self::Done(Effect::Chown), "chown", "gave to another owner"),
        (Self::Done(Effect::Accept), "accept", "noted whether keys are listed"),
        (Self::Done(Effect::Reset), "reset", "reset a token"),
        (Self::Done(Effect::Pin), "pin", "changed a PIN"),
        (Self::Done(Effect::Login), "login", "logged in"),
        (Self::Done(Effect::Logout), "logout", "logged out"),
        (Self::Done(Effect::Admin), "admin", "did as an administrator said"),
        (Self::Refuse, "refuse", "refused"),
        (Self::Fail, "fail", "failed"),
        (Self::Adopt, "adopt", "a key is ready whose making was cut off"),
        (Self::Settle, "settle", "a key is gone whose making or destroying was cut off"),
        (Self::Damage, "damage", "damaged"),
        (Self::Start, "start", "ready"),
        (Self::Stop, "stop", "stopping"),
        (Self::Lose, "lose", "lost"),
    ];

    /// Its name in the field `event`.
    pub(crate) fn name(self) -> &'static str {
        self.names().0
    }

    /// The one of this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|row| row.1 == name).map(|row| row.0)
    }

    fn names(self) -> (&'static str, &'static str) {
        let row = Self::ALL.iter().find(|row| row.0 == self);
        row.map_or(("nothing", "changed nothing"), |(_, name, words)| (name, words))
    }
}

/// The caller and the subject, as far as they are known.
#[derive(Debug, Default)]
pub struct Asker {
    /// The number of the request; `None` where the service itself asks.
    request: Option<u64>,
    /// The user at the other end of the connection.
    peer: Option<u32>,
    /// The process that has connected.
    pid: Option<i32>,
    about: Mutex<About>,
}

#[derive(Clone, Debug, Default)]
struct About {
    who: Option<Principal>,
    /// Its name, and the owner that was named.
    name: Option<(String, Option<String>)>,
    /// The key itself.
    key: Option<Arc<Key>>,
    /// The request makes a key.
    makes: bool,
    object: Option<String>,
    to: Option<String>,
    usage: Option<Usage>,
}

impl Asker {
    /// The sender of a request.
    pub(crate) fn new(request: u64, peer: &Peer) -> Arc<Self> {
        Arc::new(Self { request: Some(request), peer: Some(peer.uid), pid: peer.pid, about: Mutex::default() })
    }

    /// The same, asking for what belongs to its request, in somebody else's name.
    pub(crate) fn further(&self) -> Arc<Self> {
        let about = About { who: self.about().who.clone(), ..About::default() };
        Arc::new(Self { request: self.request, peer: self.peer, pid: self.pid, about: Mutex::new(about) })
    }

    /// It has said who it is.
    pub(crate) fn known(&self, who: Option<&Principal>) {
        self.about().who = who.cloned();
    }

    /// Which key it is about.
    pub(crate) fn names(&self, key: Option<KeyName<'_>>, makes: bool) {
        let mut about = self.about();
        about.name = key.map(|key| (key.name.to_owned(), key.owner.map(str::to_owned)));
        about.makes = makes;
    }

    /// The key was found.
    pub(crate) fn found(&self, key: &Arc<Key>) {
        self.about().key = Some(Arc::clone(key));
    }

    /// Notes what else the request names.
    pub(crate) fn mentions(&self, named: Named<'_>) {
        let mut about = self.about();
        about.object = named.object.map(str::to_owned);
        about.to = named.to.map(str::to_owned);
        about.usage = named.usage;
    }

    fn about(&self) -> MutexGuard<'_, About> {
        self.about.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request has changed something; `made` looks up the key that it has made.
pub(crate) fn done(asker: &Asker, request: &Request, made: impl FnOnce(&Principal, &str) -> Option<Arc<Key>>) {
    let effect = request.opcode.effect();
    let mut about = asker.about().clone();
    if about.makes {
        about.key = about.who.as_ref().zip(about.name.as_ref()).and_then(|(who, (name, _))| made(who, name));
    } else if effect == Effect::Make && about.object.is_none() {
        return;
    }
    // Volatile keys and logins are logged only at the debug level.
    let quiet = matches!(effect, Effect::Login | Effect::Logout) || about.key.as_ref().is_some_and(|key| key.volatile());
    let level = if quiet { Level::DEBUG } else { Level::INFO };
    emit(level, Kind::Done(effect), asker, request, Status::Success, about, None);
}

/// A request was refused, or failed. `details`: names may be told.
pub(crate) fn refused(asker: &Asker, request: &Request, error: &Error, details: bool) {
    let (level, kind) = match error {
        Error::Refused { status, .. } if asks(asker, request, *status) => (Level::DEBUG, Kind::Refuse),
        Error::Refused { .. } => (Level::INFO, Kind::Refuse),
        _ => (Level::ERROR, Kind::Fail),
    };
    let about = if details { asker.about().clone() } else { About::default() };
    emit(level, kind, asker, request, error.status(), about, details.then_some(error));
}

/// Whether "no" is the answer to a question: what a provider can do, and in which of them a key of the caller's own is.
fn asks(asker: &Asker, request: &Request, status: Status) -> bool {
    let About { who, name, .. } = &*asker.about();
    let own = |owner: &String| who.as_ref().is_some_and(|who| who.to_string() == *owner);
    match request.opcode {
        Opcode::CanDoCrypto => true,
        Opcode::LookupKey if status == Status::PsaErrorDoesNotExist => {
            name.as_ref().is_some_and(|(_, owner)| owner.as_ref().is_none_or(own))
        }
        _ => false,
    }
}

/// A client was turned away before it was known what it asks for.
pub(crate) fn rejected(peer: &Peer, request: Option<u64>, result: Status, what: &str) {
    let Peer { uid, pid, .. } = peer;
    tracing::info!(event = Kind::Refuse.name(), peer = uid, pid, request, ?result, "{} {what}", Kind::Refuse.names().1);
}

/// Logs that a key which a crash had left half done was settled.
pub(crate) fn cut_off(kind: Kind, key: &Meta) {
    let (provider, owner) = (key.provider.name(), key.owner.to_string());
    tracing::info!(event = kind.name(), provider, key = key.name, owner, uuid = key.uuid.to_string(), "{}", kind.names().1);
}

fn emit(level: Level, kind: Kind, asker: &Asker, request: &Request, result: Status, about: About, detail: Option<&Error>) {
    let About { who, name, key, object, to, usage, .. } = about;
    let (name, named) = name.unzip();
    let provider = Some(request.provider).filter(|provider| *provider != ProviderId::CORE).map(ProviderId::name);
    // the key's; the one that was named; the caller, whose key a name means
    let owner = || {
        let owner = key.as_ref().map(|key| key.owner.to_string()).or_else(|| named.clone().flatten());
        owner.or_else(|| name.as_ref().and(who.as_ref()).map(ToString::to_string))
    };
    macro_rules! line {
        ($level:ident) => {
            tracing::event!(
                Level::$level,
                event = kind.name(),
                who = who.as_ref().map(ToString::to_string).as_deref(),
                peer = asker.peer,
                pid = asker.pid,
                request = asker.request,
                operation = ?request.opcode,
                result = ?result,
                provider,
                key = name.as_deref(),
                object = object.as_deref(),
                owner = owner().as_deref(),
                uuid = key.as_ref().map(|key| key.uuid.to_string()).as_deref(),
                tier = key.as_ref().map(|key| key.tier.name()),
                to = to.as_deref(),
                usage = usage.map(|usage| usage.to_string()).as_deref(),
                detail = detail.map(ToString::to_string).as_deref(),
                "{}",
                kind.names().1
            )
        };
    }
    match level {
        Level::ERROR => line!(ERROR),
        Level::INFO => line!(INFO),
        _ => line!(DEBUG),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::super::record::{Origin, Record};
    use super::*;
    use crate::key::Uuid;
    use crate::store;
    use interface::AuthType;
    use interface::algorithm::Algorithm;
    use interface::attributes::{Attributes, KeyType, Policy};
    use tracing::Subscriber;
    use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
    use tracing_subscriber::registry;

    const DOCUMENT: &str = include_str!("../../docs/log.md");

    /// The first column of a table.
    fn listed(heading: &str) -> Vec<&'static str> {
        let rows =
            DOCUMENT.lines().skip_while(|line| !line.starts_with(heading)).skip(2).map_while(|line| line.strip_prefix("| "));
        rows.flat_map(|row| row.split(" | ").next().unwrap().split(", ")).map(|name| name.trim_matches('`')).collect()
    }

    struct Kept(Arc<Mutex<Vec<Record>>>);

    impl<S: Subscriber> Layer<S> for Kept {
        fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
            self.0.lock().unwrap().push(Record::of(event, Origin::of(event), None));
        }
    }

    fn key() -> Arc<Key> {
        let meta = Meta {
            uuid: Uuid::default(),
            provider: ProviderId::SOFTWARE,
            owner: Principal::Uid(33),
            name: "web".to_owned(),
            label: String::new(),
            id: Vec::new(),
            pkcs11: Vec::new(),
            created: store::now(),
        };
        let policy = Policy { usage: Usage::SIGN_HASH, algorithm: Algorithm::None, also: Vec::new() };
        Arc::new(Key::new(meta, Attributes { key_type: KeyType::Aes, bits: 256, policy }, true, Usage::NONE))
    }

    /// The lines that asking for this makes.
    fn told(tell: impl FnOnce(&Asker, &Request)) -> Vec<Record> {
        let asker = Asker::new(12, &Peer::new(33, Some(4711)));
        asker.known(Some(&Principal::App("web".to_owned())));
        asker.names(Some(KeyName { owner: None, name: "web" }), false);
        asker.mentions(Named { object: Some("x"), to: Some("uid:1"), usage: Some(Usage::SIGN_HASH) });
        asker.found(&key());
        let request = Request { provider: ProviderId::SOFTWARE, session: 0, auth: AuthType::None, opcode: Opcode::Grant };
        let kept = Arc::new(Mutex::new(Vec::new()));
        tracing::subscriber::with_default(registry().with(Kept(Arc::clone(&kept))), || tell(&asker, &request));
        kept.lock().unwrap().clone()
    }

    #[test]
    fn every_event_and_field_is_in_the_document() {
        let mut kinds: Vec<_> = Kind::ALL.iter().map(|row| row.0.name()).collect();
        let mut documented = listed("| event | level |");
        kinds.sort_unstable();
        documented.sort_unstable();
        assert_eq!(kinds, documented);
        let error = Error::refused(Status::PsaErrorNotPermitted, "no");
        let records = told(|asker, request| refused(asker, request, &error, true));
        let fields: Vec<_> = records[0].fields.iter().map(|entry| entry.name).collect();
        assert_eq!(fields, listed("| field | in the journal |"));
    }

    #[test]
    fn every_effect_is_an_event() {
        for opcode in Opcode::ALL {
            let effect = opcode.effect();
            assert!(effect == Effect::Nothing || Kind::ALL.iter().any(|row| row.0 == Kind::Done(effect)), "{opcode:?}");
        }
    }

    #[test]
    fn names_are_told_of_what_is_refused_only_where_that_is_wanted() {
        let error = Error::refused(Status::PsaErrorNotPermitted, "web may not");
        let records = told(|asker, request| refused(asker, request, &error, false));
        let fields: Vec<_> = records[0].fields.iter().map(|entry| entry.name).collect();
        assert_eq!(fields, ["event", "peer", "pid", "request", "operation", "result", "provider"]);
        let records = told(|asker, request| done(asker, request, |_, _| None));
        assert!(records[0].words().contains(r#"key="web" object="x" owner="uid:33""#), "{}", records[0].words());
    }
}
