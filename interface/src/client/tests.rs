//! The client and a service that goes away at a chosen moment.

use super::*;
use crate::operations::{DestroyKey, Find, Ping, Pong, Welcome};
use crate::wire::{HEADER_LEN, Request};
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread;

/// Longer than any test.
const LONG: Duration = Duration::from_secs(600);

/// What the service does with a client.
#[derive(Clone, Copy, Debug)]
enum Act {
    /// Closes the connection before the client has said a word that it reads.
    Leave,
    /// Answers Hello, reads no more and closes.
    GreetAndLeave,
    /// Answers Hello, reads the request and closes.
    HearAndLeave,
    /// Answers Hello, and to the request that it is not begun.
    Stop,
    /// Answers Hello, and to the request that there is no such thing.
    Miss,
    /// Answers Hello and the request.
    Serve,
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    (folder, path)
}

fn client(path: &Path) -> Client {
    Client { wait: LONG, ..Client::new(Endpoint::of_setting(path.to_str().unwrap()).unwrap()) }.with_deadline(LONG)
}

/// Serves one client after the other, each as it is said.
fn serve(path: &Path, acts: &[Act]) -> thread::JoinHandle<()> {
    let new = path.with_extension("new");
    let listener = UnixListener::bind(&new).unwrap();
    std::fs::rename(&new, path).unwrap();
    let acts = acts.to_vec();
    thread::spawn(move || acts.into_iter().for_each(|act| act.with(listener.accept().unwrap().0)))
}

impl Act {
    fn with(self, mut client: UnixStream) {
        if matches!(self, Self::Leave) {
            return;
        }
        let hello = request(&mut client);
        answer(&mut client, &hello, Status::Success, &Welcome { version: 1, ..Welcome::default() }.encode_to_vec());
        if matches!(self, Self::GreetAndLeave) {
            // As soon as the client has sent something, it is left unread.
            client.peer_has_sent();
            return;
        }
        let asked = request(&mut client);
        match self {
            Self::Stop => answer(&mut client, &asked, Status::ConnectionError, b"stopping"),
            Self::Miss => answer(&mut client, &asked, Status::PsaErrorDoesNotExist, b"gone"),
            Self::Serve => answer(&mut client, &asked, Status::Success, &Pong::default().encode_to_vec()),
            _ => {}
        }
    }
}

trait PeerHasSent {
    fn peer_has_sent(&self);
}

impl PeerHasSent for UnixStream {
    fn peer_has_sent(&self) {
        rustix::net::recv(self, &mut [0_u8], rustix::net::RecvFlags::PEEK).unwrap();
    }
}

fn request(client: &mut UnixStream) -> Request {
    let mut header = [0; HEADER_LEN];
    client.read_exact(&mut header).unwrap();
    let header = Header::decode(&header).unwrap().unwrap();
    client.read_exact(&mut vec![0; header.request_len() - HEADER_LEN]).unwrap();
    Request::parse(&header).unwrap()
}

fn answer(client: &mut UnixStream, request: &Request, status: Status, body: &[u8]) {
    let mut frame = Vec::new();
    Header::response(request, status, u32::try_from(body.len()).unwrap()).encode(&mut frame);
    frame.extend_from_slice(body);
    client.write_all(&frame).unwrap();
}

fn ping(client: &Client) -> Result<Pong, Error> {
    client.call(ProviderId::CORE, &Ping {})
}

/// Something that must not be done twice.
fn destroy(client: &Client) -> Result<(), Error> {
    client.call(ProviderId::SOFTWARE, &DestroyKey { key_name: "web".to_owned(), owner: None }).map(drop)
}

#[test]
fn what_was_not_heard_is_asked_again_whatever_it_is() {
    for act in [Act::Leave, Act::GreetAndLeave, Act::Stop] {
        let (_folder, path) = folder();
        let served = serve(&path, &[act, act, Act::Serve]);
        destroy(&client(&path)).unwrap_or_else(|error| panic!("{act:?}: {error}"));
        served.join().unwrap();
    }
}

#[test]
fn what_may_have_been_heard_is_asked_again_only_if_it_may_be_done_twice() {
    let (_folder, path) = folder();
    let served = serve(&path, &[Act::HearAndLeave, Act::Serve, Act::HearAndLeave]);
    ping(&client(&path)).unwrap();
    let error = destroy(&client(&path)).unwrap_err();
    assert!(matches!(error, Error::Unsure { opcode: Opcode::DestroyKey, .. }), "{error}");
    assert!(error.to_string().contains("parsec key list"), "{error}");
    served.join().unwrap();
}

/// Destroys, and looks whether that was done where the answer is lost.
fn destroy_for_sure(client: &Client) -> Result<(), Error> {
    let look = || match ping(client) {
        Ok(_) => Ok(None),
        Err(error) if error.status() == Some(Status::PsaErrorDoesNotExist) => Ok(Some(())),
        Err(error) => Err(error),
    };
    settle(|| destroy(client), look)
}

#[test]
fn what_was_done_although_the_answer_is_lost_is_not_asked_again() {
    let (_folder, path) = folder();
    let served = serve(&path, &[Act::HearAndLeave, Act::Miss]);
    destroy_for_sure(&client(&path)).unwrap();
    served.join().unwrap();
}

#[test]
fn what_was_not_done_is_asked_again_once_that_is_known() {
    let (_folder, path) = folder();
    let served = serve(&path, &[Act::HearAndLeave, Act::Serve, Act::Serve]);
    destroy_for_sure(&client(&path)).unwrap();
    served.join().unwrap();
}

#[test]
fn a_service_that_dies_of_a_request_is_not_asked_for_ever() {
    let (_folder, path) = folder();
    let served = serve(&path, &[Act::HearAndLeave, Act::Serve, Act::HearAndLeave, Act::Serve, Act::HearAndLeave]);
    let error = destroy_for_sure(&client(&path)).unwrap_err();
    assert!(matches!(error, Error::Unsure { opcode: Opcode::DestroyKey, .. }), "{error}");
    served.join().unwrap();
}

#[test]
fn who_cannot_tell_says_so() {
    let unsure = |source| Err(Error::Unsure { opcode: Opcode::DestroyKey, source: Box::new(source) });
    let blind = settle::<()>(|| unsure(Error::Closed), || Err(Error::Upstream(Opcode::LookupKey)));
    assert!(matches!(blind, Err(Error::Unsure { .. })), "{blind:?}");
    // It may still be done.
    let slow = settle::<()>(|| unsure(Error::Timeout(LONG)), || panic!("looked too early"));
    assert!(matches!(slow, Err(Error::Unsure { .. })), "{slow:?}");
}

#[test]
fn a_kept_connection_that_was_closed_is_replaced_whatever_is_asked() {
    let (_folder, path) = folder();
    let served = serve(&path, &[Act::Serve, Act::Serve]);
    let client = client(&path);
    ping(&client).unwrap();
    destroy(&client).unwrap();
    served.join().unwrap();
}

#[test]
fn a_socket_that_refuses_is_waited_for_once() {
    let (_folder, path) = folder();
    drop(UnixListener::bind(&path).unwrap());
    let client = Client { wait: Duration::from_millis(20), ..client(&path) };
    assert!(ping(&client).unwrap_err().absent());
    assert!(client.waited.load(Ordering::Relaxed), "the first request has waited");
    // It would wait longer than any test.
    let client = Client { wait: LONG, ..client };
    assert!(ping(&client).unwrap_err().absent());
    let served = serve(&path, &[Act::Serve, Act::Leave, Act::Serve]);
    ping(&client).unwrap();
    ping(&client).unwrap();
    served.join().unwrap();
}

#[test]
fn a_service_that_comes_while_a_new_process_waits_is_found() {
    let (_folder, path) = folder();
    drop(UnixListener::bind(&path).unwrap());
    let client = client(&path);
    thread::scope(|scope| {
        let asked = scope.spawn(|| destroy(&client));
        serve(&path, &[Act::Serve]).join().unwrap();
        asked.join().unwrap().unwrap();
    });
}

#[test]
fn where_no_socket_is_nobody_waits_who_has_never_met_the_service() {
    let (_folder, path) = folder();
    let client = client(&path);
    let error = ping(&client).unwrap_err();
    assert!(error.missing() && !client.waited.load(Ordering::Relaxed), "{error}");
    let served = serve(&path, &[Act::Serve]);
    ping(&client).unwrap();
    served.join().unwrap();
    std::fs::remove_file(&path).unwrap();
    // Whoever has met it takes it for one that is being replaced.
    thread::scope(|scope| {
        let asked = scope.spawn(|| ping(&client));
        serve(&path, &[Act::Serve]).join().unwrap();
        asked.join().unwrap().unwrap();
    });
}

#[test]
fn public_halves_are_asked_for_apart_where_a_service_does_not_know_them() {
    for (public_halves, asked) in [(false, 1), (true, 3)] {
        let (_folder, path) = folder();
        let service = serve(&path, &vec![Act::Serve; asked]);
        let filter = Find { label: Some("web".to_owned()), id: Some(vec![1]), public_halves, ..Find::default() };
        assert_eq!(client(&path).find(ProviderId::SOFTWARE, &filter).unwrap(), []);
        service.join().unwrap();
    }
}

#[test]
fn the_keys_of_the_caller_are_not_taken_for_those_of_everybody_where_a_service_does_not_know_the_question() {
    let (_folder, path) = folder();
    let service = serve(&path, &[Act::Serve]);
    let older = client(&path).find(ProviderId::SOFTWARE, &Find { everyone: true, ..Find::default() }).unwrap_err();
    assert!(matches!(older, Error::Older(_)) && older.to_string().contains("upgrade it"), "{older}");
    service.join().unwrap();
}
