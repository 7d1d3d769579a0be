//! Everything that changes what lasts, as a table.

use interface::client::Error;
use interface::operations::Verdict;

use super::world::SPARE;
use super::{Desk, Subject};

/// What the faults come at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// A request to a service that runs.
    Request,
    /// The start, and a request.
    Start,
    /// The stop after the request.
    Stop,
}

/// What the service finds when it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Found {
    Nothing,
    /// A store that was closed.
    Closed,
    /// One whose service was killed while it did nothing.
    Killed,
    /// One whose service was killed while it made a key.
    Making,
    /// One whose service was killed while it destroyed a key.
    Destroying,
    /// What a release has left of this subject's keys.
    Released,
    /// The same where it was killed, which is kept of one provider.
    ReleasedInTheMidst(&'static str),
}

/// One way to change something.
#[derive(Clone, Copy)]
pub struct Operation {
    pub name: &'static str,
    pub(super) phase: Phase,
    pub(super) found: Found,
    /// Which subjects have it.
    pub(super) of: fn(Subject) -> bool,
    pub(super) run: fn(&Desk) -> Result<(), Error>,
    /// It is about the tenant's PINs, which take long to try.
    pub(super) pins: bool,
    /// It ends many things, each whole, one after the other; whoever is not answered does it again.
    pub(super) many: bool,
}

impl Operation {
    const fn request(name: &'static str, of: fn(Subject) -> bool, run: fn(&Desk) -> Result<(), Error>) -> Self {
        Self { name, phase: Phase::Request, found: Found::Closed, of, run, pins: false, many: false }
    }

    const fn start(name: &'static str, found: Found, of: fn(Subject) -> bool) -> Self {
        Self { name, phase: Phase::Start, found, of, run: spare, pins: false, many: false }
    }

    const fn pins(self) -> Self {
        Self { pins: true, ..self }
    }

    const fn many(self) -> Self {
        Self { many: true, ..self }
    }

    /// Those that a subject has.
    pub fn of(subject: Subject) -> impl Iterator<Item = &'static Self> {
        OPERATIONS.iter().filter(move |operation| (operation.of)(subject))
    }
}

/// Makes a key and destroys it, which leaves everything as it was.
fn spare(desk: &Desk) -> Result<(), Error> {
    // A key of an earlier try may be there.
    if desk.public(SPARE).is_err() {
        desk.make(SPARE)?;
    }
    desk.destroy(SPARE)
}

const ALL: fn(Subject) -> bool = |_| true;
const OURS: fn(Subject) -> bool = Subject::extended;
const SOFTWARE: fn(Subject) -> bool = |subject| subject == Subject::Software;

/// All of them.
pub const OPERATIONS: &[Operation] = &[
    Operation::request("generate a key", ALL, |desk| desk.make("new")),
    Operation::request("import a key", ALL, Desk::import),
    Operation::request("destroy a key", ALL, |desk| desk.destroy("doomed")),
    Operation::request("copy a key", OURS, Desk::copy),
    Operation::request("derive a key", OURS, Desk::derive),
    Operation::request("set attributes", OURS, Desk::describe),
    Operation::request("narrow a policy", OURS, Desk::narrow),
    Operation::request("grant", OURS, |desk| desk.grant("kept", "app:another")),
    Operation::request("revoke", OURS, Desk::revoke),
    Operation::request("rename a key", OURS, Desk::rename),
    Operation::request("give a key away", OURS, Desk::give),
    Operation::request("put an object", OURS, |desk| desk.put("new", &[7; 5000])),
    Operation::request("replace an object", OURS, |desk| desk.put("note", b"new")),
    Operation::request("destroy an object", OURS, Desk::destroy_object),
    Operation::request("accept an owner", OURS, |desk| desk.accept(Verdict::Accepted)),
    Operation::request("reject an owner", OURS, |desk| desk.accept(Verdict::Rejected)),
    Operation::request("delete a client", OURS, Desk::delete_client).many(),
    Operation::request("reset a token", OURS, Desk::init_token).pins().many(),
    Operation::request("change a PIN", OURS, |desk| desk.set_pin(Some("1234"), Some("5678"))).pins(),
    Operation::request("take a PIN away", OURS, |desk| desk.set_pin(None, None)).pins(),
    Operation::request("guess a PIN", OURS, Desk::guess),
    Operation::start("the first start", Found::Nothing, ALL),
    Operation::start("a start after a stop", Found::Closed, ALL),
    Operation::start("a start after a kill", Found::Killed, ALL),
    Operation::start("a start that ends a making", Found::Making, OURS),
    Operation::start("a start that ends a destroying", Found::Destroying, OURS),
    Operation::start("an upgrade", Found::Released, OURS),
    Operation::start("an upgrade that ends a making", Found::ReleasedInTheMidst("making"), SOFTWARE),
    Operation::start("an upgrade that ends a destroying", Found::ReleasedInTheMidst("destroying"), SOFTWARE),
    Operation { phase: Phase::Stop, ..Operation::request("stop", ALL, |desk| desk.make("new")) },
];
