//! One client: read a frame, judge and run it, write the answer, and repeat until the client leaves.
//!
//! Upstream's service closes the connection after one answer. A client that expects this closes its end too. All others save the
//! cost of connecting again. Before it sleeps, the connection polls for a moment in case the client asks again at once: waking a
//! sleeping processor costs more than a signature.

use crate::admission::Incoming;
use crate::auth::Peer;
use crate::client_process::ClientProcess;
use crate::client_processes::{ClientProcesses, ProcessHandle};
use crate::connections::{Connections, Phase, Slot};
use crate::dispatch::Dispatcher;
use crate::error::Result;
use crate::flight::Cargo;
use crate::log::{self, Asker};
use crate::quotas::Quotas;
use crate::stats::Stats;
use crate::stream::Stream;
use interface::operations::Hello;
use interface::wire::{HEADER_LEN, Header, Request};
use interface::{Buffer, Opcode, Status, wipe};
use prost::Message;
use rustix::net::Shutdown;
use std::io::{Error, ErrorKind};
use std::mem;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::task::yield_now;

/// A client in the middle of a run of requests asks again within this time.
const SPIN: Duration = Duration::from_micros(50);
/// After two waits in vain, so many requests pass before waiting awake is tried again.
const REST: u32 = 64;
/// After so many requests of a client that never lets this thread wait, the thread looks for requests of others.
const TURN: u32 = 32;
/// Most requests arrive in one piece of at most so many bytes.
const CHUNK: usize = 4096;
/// A frame that comes in more short pieces than this is looked at ever more rarely, each time so much later: else a thread would be woken
/// for each byte of it.
const PIECES: (u32, Duration) = (16, Duration::from_millis(10));
/// Buffers are kept between requests up to this size.
const KEEP: usize = 64 << 10;

/// The state that all connections share.
pub struct Context {
    /// Judges and runs requests.
    pub dispatcher: Arc<Dispatcher>,
    /// Which processes have connections.
    pub processes: ClientProcesses,
    /// The connections.
    pub connections: Arc<Connections>,
    /// How much each client may take.
    pub quotas: Arc<Quotas>,
    /// Counters.
    pub stats: Arc<Stats>,
    /// Longest body in bytes.
    pub body_limit: u64,
    /// How long a connection may stay without a request.
    pub idle: Duration,
    /// How long a request may take to arrive, once begun, and an answer to be taken.
    pub timeout: Duration,
    /// Whether refusals are logged with names.
    pub details: bool,
    /// One connection at a time waits awake, so that the other processor stays free for everyone else.
    pub spinning: AtomicBool,
}

/// Serves one client until it leaves, errs, idles too long, has to make room for another, or the service stops.
pub async fn serve(stream: UnixStream, peer: Peer, slot: Slot, context: Arc<Context>) {
    let slot = Arc::new(slot);
    let mut connection = Connection {
        stream: Stream::Awake(stream),
        peer,
        slot: Some(Arc::clone(&slot)),
        context: Arc::clone(&context),
        buffer: Buffer::default(),
        extended: false,
        process: None,
        cargo: None,
        misses: 0,
        rest: 0,
        pieces: 0,
        phase: Phase::Idle,
    };
    tokio::select! {
        biased;
        () = connection.run() => {}
        () = slot.needed() => {}
    }
    let away = if slot.left() { connection.make_room().await } else { None };
    if let Some(process) = connection.process {
        drop((connection, slot));
        tokio::spawn(async move { context.processes.leave(process, away, Arc::clone(&context.dispatcher.backends)).await });
    }
}

struct Connection {
    stream: Stream,
    peer: Peer,
    /// None once it makes room for another.
    slot: Option<Arc<Slot>>,
    context: Arc<Context>,
    buffer: Buffer,
    extended: bool,
    process: Option<ClientProcess>,
    /// The share that is held for its request and its answer, if they are large.
    cargo: Option<Cargo>,
    misses: u32,
    rest: u32,
    /// In how many short pieces its frame has come so far.
    pieces: u32,
    /// Its phase when it last had a place.
    phase: Phase,
}

/// Why a connection ends.
enum End {
    /// Nothing needs to be said.
    Silent,
    /// The client gets this status, then the connection is closed: nobody can tell where the next request begins.
    Rejected(Status),
}

impl Connection {
    async fn run(&mut self) {
        let mut served = 0_u32;
        loop {
            match self.next().await {
                Ok((header, body, auth)) => {
                    if self.answer(&header, body, &auth).await.is_err() {
                        return;
                    }
                    self.cargo = None;
                    served += 1;
                    if !self.buffer.is_empty() || served.is_multiple_of(TURN) {
                        yield_now().await;
                    }
                }
                Err(End::Silent) => return,
                Err(End::Rejected(status)) => {
                    log::rejected(&self.peer, None, status, "a frame");
                    let _ = self.respond(Header::rejection(status), &[]).await;
                    return;
                }
            }
        }
    }

    /// Answers the requests that were sent before, and takes no more. Returns the process if that has lost a connection it could have kept.
    async fn make_room(&mut self) -> Option<ProcessHandle> {
        let socket = self.stream.socket()?;
        let process = ProcessHandle::behind(socket, self.peer.uid, self.context.idle);
        let hurried = self.slot.as_ref().is_none_or(|slot| slot.hurried());
        // What the client sends from here on fails, so it knows that it was not heard. In the middle of a frame there is no next one.
        if rustix::net::shutdown(socket, Shutdown::Read).is_ok() && self.phase == Phase::Idle && !hurried {
            loop {
                self.buffer.reserve(CHUNK);
                if !matches!(self.stream.try_receive(&mut self.buffer), Ok(1..)) {
                    break;
                }
            }
            self.slot = None;
            self.run().await;
        }
        process
    }

    /// Notes what happens here; an error when the connection has to end.
    fn enter(&mut self, phase: Phase) -> Result<(), End> {
        let stays = self.slot.as_ref().map_or(phase != Phase::Idle, |slot| slot.enter(phase));
        if !stays {
            return Err(End::Silent);
        }
        self.phase = phase;
        Ok(())
    }

    /// Reads one request frame.
    async fn next(&mut self) -> Result<(Header, Buffer, Vec<u8>), End> {
        self.begin().await?;
        self.pieces = 0;
        self.enter(Phase::Busy)?;
        let context = Arc::clone(&self.context);
        let late = |_| End::Rejected(Status::ConnectionError);
        let header = tokio::time::timeout(context.timeout, self.header()).await.map_err(late)??;
        let large = Some(header.request_len()).filter(|len| *len > KEEP);
        let flight = &context.dispatcher.flight;
        if large.is_some() || flight.loaded() {
            self.cargo = Some(flight.load(self.peer.uid, large.unwrap_or_default()).await);
        }
        let (body, auth) = tokio::time::timeout(context.timeout, self.frame(&header)).await.map_err(late)??;
        Ok((header, body, auth))
    }

    /// Waits for the first bytes of a request.
    async fn begin(&mut self) -> Result<(), End> {
        if self.context.dispatcher.stop.come() {
            return Err(End::Silent);
        }
        if !self.buffer.is_empty() || self.spin() {
            return Ok(());
        }
        self.enter(Phase::Idle)?;
        let Self { stream, buffer, context, process, .. } = self;
        buffer.reserve(CHUNK);
        let needed = || process.is_some_and(|process| !context.dispatcher.admission.store.volatile(process).is_empty());
        loop {
            tokio::select! {
                read = tokio::time::timeout(context.idle, stream.receive(buffer)) => match read {
                    Ok(Ok(1..)) => return Ok(()),
                    // A client with volatile keys may be idle as long as they live.
                    Err(_) if needed() => {}
                    _ => return Err(End::Silent),
                },
                () = context.dispatcher.stop.wait() => return Err(End::Silent),
            }
        }
    }

    /// Waits awake for a moment; true when bytes have come.
    fn spin(&mut self) -> bool {
        // A client that has not said Hello most likely closes after one answer, as upstream's clients do.
        if !self.extended {
            return false;
        }
        if self.rest > 0 {
            self.rest -= 1;
            return false;
        }
        let Context { spinning, dispatcher, .. } = &*self.context;
        // A request that waits for a place needs the processor more.
        if dispatcher.admission.processor.contended() {
            return false;
        }
        if spinning.swap(true, Ordering::Acquire) {
            return false;
        }
        let start = Instant::now();
        self.buffer.reserve(CHUNK);
        let waits = |error: &Error| {
            error.kind() == ErrorKind::WouldBlock && start.elapsed() < SPIN && !dispatcher.admission.processor.contended()
        };
        let received = loop {
            match self.stream.try_receive(&mut self.buffer) {
                Err(error) if waits(&error) => rustix::thread::sched_yield(),
                received => break received,
            }
        };
        spinning.store(false, Ordering::Release);
        match received {
            Ok(1..) => {
                self.misses = 0;
                self.stream.unwatch();
                true
            }
            _ => {
                self.misses += 1;
                if self.misses >= 2 {
                    self.rest = REST;
                }
                false
            }
        }
    }

    async fn header(&mut self) -> Result<Header, End> {
        let header = loop {
            match Header::decode(&self.buffer).map_err(End::Rejected)? {
                Some(header) => break header,
                None => self.fill().await?,
            }
        };
        if u64::from(header.body_len) > self.context.body_limit {
            return Err(End::Rejected(Status::BodySizeExceedsLimit));
        }
        Ok(header)
    }

    async fn frame(&mut self, header: &Header) -> Result<(Buffer, Vec<u8>), End> {
        let (end, len) = (HEADER_LEN + header.body_len as usize, header.request_len());
        while self.buffer.len() < len {
            self.fill().await?;
        }
        let auth = self.buffer[end..len].to_vec();
        if len > KEEP {
            // What is large is moved, not copied.
            let rest = Buffer::from(self.buffer.split_off(len));
            let mut body = mem::replace(&mut self.buffer, rest);
            body.copy_within(HEADER_LEN..end, 0);
            wipe(&mut body[end - HEADER_LEN..]);
            body.truncate(end - HEADER_LEN);
            return Ok((body, auth));
        }
        let body = Buffer::from(self.buffer[HEADER_LEN..end].to_vec());
        self.consume(len);
        Ok((body, auth))
    }

    fn consume(&mut self, len: usize) {
        let rest = self.buffer.len() - len;
        self.buffer.copy_within(len.., 0);
        wipe(&mut self.buffer[rest..]);
        self.buffer.truncate(rest);
        if self.buffer.capacity() > KEEP && self.buffer.is_empty() {
            self.buffer = Buffer::default();
        }
    }

    async fn fill(&mut self) -> Result<(), End> {
        if self.buffer.len() == self.buffer.capacity() {
            self.buffer.reserve(CHUNK);
        }
        self.enter(Phase::Halfway)?;
        if self.slot.is_none() {
            return Err(End::Silent);
        }
        let (many, pause) = PIECES;
        if let Some(beyond @ 1..) = self.pieces.checked_sub(many) {
            tokio::time::sleep(pause * beyond).await;
        }
        match self.stream.receive(&mut self.buffer).await {
            Ok(0) | Err(_) => Err(End::Rejected(Status::ConnectionError)),
            Ok(received) => {
                self.pieces += u32::from(received < CHUNK);
                self.enter(Phase::Busy)
            }
        }
    }

    /// Answers one request; an error means that the answer could not be delivered.
    async fn answer(&mut self, header: &Header, body: Buffer, auth: &[u8]) -> std::io::Result<()> {
        let number = self.context.stats.request();
        let request = match Request::parse(header).map(|request| (request, self.hidden(&request))) {
            Ok((request, None)) => request,
            Ok((_, Some(status))) => return self.respond(Header::rejection(status), &[]).await,
            Err(status) => {
                log::rejected(&self.peer, Some(number), status, "a header");
                return self.respond(Header::rejection(status), &[]).await;
            }
        };
        let hello = (request.opcode == Opcode::Hello).then(|| Hello::decode(body.as_slice()));
        let asker = Asker::new(number, &self.peer);
        match self.dispatch(request, body, auth, &asker).await {
            Ok(output) => {
                if let Some(Ok(hello)) = hello {
                    self.greeted(&hello);
                }
                let len = u32::try_from(output.len()).unwrap_or(u32::MAX);
                self.respond(Header::response(&request, Status::Success, len), &output).await
            }
            // A client of ours asks again when it finds the connection closed, those of older versions too.
            Err(error) if error.status() == Status::ConnectionError && self.extended && request.opcode.repeatable() => {
                Err(ErrorKind::ConnectionAborted.into())
            }
            Err(error) => {
                let detail = format!("{error} (request {number} in the service's log)");
                log::refused(&asker, &request, &error, self.context.details);
                let detail = if self.extended { detail.as_bytes() } else { &[] };
                let len = u32::try_from(detail.len()).unwrap_or(u32::MAX);
                self.respond(Header::response(&request, error.status(), len), detail).await
            }
        }
    }

    /// What does not exist for a client that has not said Hello.
    fn hidden(&self, request: &Request) -> Option<Status> {
        match request {
            _ if self.extended || request.opcode == Opcode::Hello => None,
            Request { opcode, .. } if opcode.extension() => Some(Status::OpcodeDoesNotExist),
            Request { provider, .. } if !provider.upstream() => Some(Status::ProviderDoesNotExist),
            _ => None,
        }
    }

    fn greeted(&mut self, hello: &Hello) {
        self.extended = true;
        if self.process.is_none()
            && let Some(process) = ClientProcess::named(hello)
        {
            self.context.processes.enter(process);
            self.process = Some(process);
        }
    }

    async fn dispatch(&self, request: Request, body: Buffer, auth: &[u8], asker: &Arc<Asker>) -> Result<Buffer> {
        let dispatcher = &self.context.dispatcher;
        let caller = dispatcher.admission.authenticators.authenticate(request.auth, auth, &self.peer)?;
        let caller = caller.map(|caller| dispatcher.admission.store.present(caller));
        asker.known(caller.as_ref());
        let party = dispatcher.admission.authenticators.party(&self.peer, caller);
        let extended = self.extended || request.opcode == Opcode::Hello;
        let (process, slot, asker) = (self.process, self.slot.clone(), Arc::clone(asker));
        let incoming = Incoming { request, body, party, extended, process, slot, asker };
        dispatcher.dispatch(incoming, self.stream.socket()).await
    }

    async fn respond(&mut self, header: Header, body: &[u8]) -> std::io::Result<()> {
        if body.len() > KEEP {
            return self.respond_at_length(&header, body).await;
        }
        let mut frame = Buffer::from(Vec::with_capacity(HEADER_LEN + body.len()));
        header.encode(&mut frame);
        frame.extend_from_slice(body);
        // Once the client has the answer, it may rely on this connection being idle. A connection that has to end does so after it.
        if self.buffer.is_empty() {
            let _ = self.enter(Phase::Idle);
        }
        let sent = self.stream.try_send(&frame)?;
        if sent == frame.len() {
            return Ok(());
        }
        self.enter(Phase::Halfway).map_err(|_| ErrorKind::ConnectionAborted)?;
        tokio::time::timeout(self.context.timeout, self.stream.send(&frame[sent..])).await?
    }

    /// Sends an answer that the socket may not take at once, and counts it meanwhile.
    async fn respond_at_length(&mut self, header: &Header, body: &[u8]) -> std::io::Result<()> {
        self.cargo = Some(self.context.dispatcher.flight.add(self.peer.uid, body.len()));
        self.enter(Phase::Halfway).map_err(|_| ErrorKind::ConnectionAborted)?;
        let mut head = Vec::with_capacity(HEADER_LEN);
        header.encode(&mut head);
        let stream = &mut self.stream;
        let send = async {
            stream.send(&head).await?;
            stream.send(body).await
        };
        tokio::time::timeout(self.context.timeout, send).await?
    }
}
