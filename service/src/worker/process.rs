//! The worker's first channel: it loads the library, logs in, and opens a session for each other channel.

use super::failure::Failure;
use super::frame;
use super::message::{Ask, LoggedIn, Login, Open, Serve, Serving, Token};
use super::session::{Session, answer_to};
use super::token;
use interface::Status;
use prost::Message;
use rustix::process::{
    DumpableBehavior, Resource, Rlimit, Signal, getpid, kill_process, set_dumpable_behavior, set_parent_process_death_signal,
    setrlimit,
};
use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

/// Runs a worker with this library, on the socket that is its standard input, until the service ends.
pub fn work(library: &Path) -> ExitCode {
    harden(c"parsec-worker");
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
    let Ok(control) = io::stdin().as_fd().try_clone_to_owned().map(UnixStream::from) else { return ExitCode::FAILURE };
    let mut worker = Worker { library, token: None };
    while let Ok((header, body, sockets)) = frame::receive_with(&control) {
        let answer = worker.answer(header.opcode, &body, sockets);
        if answer_to(&control, header, answer).is_err() {
            break;
        }
    }
    leave()
}

/// Gives the process a name, keeps what is in memory from other processes of the user and out of core files, and gains no rights by programs that it may start.
pub(super) fn harden(name: &CStr) {
    let _ = rustix::thread::set_name(name);
    let _ = rustix::thread::set_no_new_privs(true);
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
}

/// Ends the process as `_exit` would: libraries have crashed in what they do at the end of a program.
fn leave() -> ExitCode {
    let _ = kill_process(getpid(), Signal::KILL);
    ExitCode::SUCCESS
}

struct Worker<'a> {
    library: &'a Path,
    token: Option<Arc<token::Token>>,
}

impl Worker<'_> {
    fn answer(&mut self, number: u32, body: &[u8], sockets: Vec<OwnedFd>) -> Result<Vec<u8>, Failure> {
        match number {
            Open::NUMBER => self.open(&decoded(body)?).map(|token| token.encode_to_vec()),
            Login::NUMBER => {
                let login: Login = decoded(body)?;
                self.token()?.log_in(&login.pin)?;
                Ok(LoggedIn {}.encode_to_vec())
            }
            Serve::NUMBER => self.serve(decoded(body)?, sockets).map(|serving| serving.encode_to_vec()),
            _ => Err(Failure::unsupported("the worker does not know this request")),
        }
    }

    fn open(&mut self, open: &Open) -> Result<Token, Failure> {
        let (token, told) = token::Token::open(self.library, open)?;
        self.token = Some(Arc::new(token));
        Ok(told)
    }

    fn token(&self) -> Result<&Arc<token::Token>, Failure> {
        self.token.as_ref().ok_or_else(|| Failure::unsupported("the worker has no token yet"))
    }

    /// As many as the token has sessions for, but one: it may tell of the limit by any error.
    fn serve(&self, Serve { alone }: Serve, sockets: Vec<OwnedFd>) -> Result<Serving, Failure> {
        let token = self.token()?;
        let mut channels = 0;
        for socket in sockets {
            let session = match Session::open(token, alone) {
                Err(failure) if channels == 0 => return Err(failure),
                Err(_) => break,
                Ok(session) => session,
            };
            std::thread::spawn(move || session.serve(&UnixStream::from(socket)));
            channels += 1;
        }
        Ok(Serving { channels })
    }
}

fn decoded<M: Message + Default>(body: &[u8]) -> Result<M, Failure> {
    M::decode(body).map_err(|_| Failure::Refused(Status::DeserializingBodyFailed, "the request cannot be decoded".to_owned()))
}
