//! A line between a service and its software TPM that somebody listens to, and that can fail.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::swtpm::neighbours;

/// Bytes of a command's or an answer's header: tag, size, and code (TPM 2.0 Part 1 §18.2).
pub(crate) const HEADER: usize = 10;

/// What happens to a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The line breaks before the TPM has seen it.
    Unheard,
    /// The line breaks when the TPM has done it.
    Unanswered,
    /// The TPM does not do it, and says so with this code.
    Code(u32),
    /// It gets to the TPM, and its answer back, when [`Proxy::mend`] is called.
    Hang,
    /// The answer ends after so many bytes, and the line breaks.
    Cut(usize),
    /// The answer is so many bytes longer than it says, or, when negative, says that it is longer than it is.
    Size(i32),
    /// All of the answer but its header is noise, and all that its size says is there.
    Noise,
    /// The header too, and then the line breaks.
    WildNoise,
    /// One bit of the answer, after its header, is the other way round.
    Flip,
    /// One bit in the middle of the answer to this command is the other way round. Other commands pass.
    FlipIn(u32),
}

/// The line, until the process ends.
pub struct Proxy {
    port: u16,
    line: Arc<Line>,
}

struct Line {
    tpm: u16,
    state: Mutex<State>,
    mended: Condvar,
}

#[derive(Default)]
struct State {
    /// Commands that still pass; then so many that do not.
    plan: Option<(usize, usize, Fault)>,
    /// Codes of the commands that a fault has met.
    met: Vec<u32>,
    heard: Vec<u8>,
    /// How often the line was mended.
    mends: usize,
    noise: u64,
}

impl Proxy {
    /// Listens for a service, and connects it with the TPM at this port and the next one.
    ///
    /// # Panics
    /// When it cannot listen.
    pub fn start(tpm: u16) -> Self {
        let (data, control) = neighbours();
        let port = data.local_addr().expect("a bound socket").port();
        let line = Arc::new(Line { tpm, state: Mutex::default(), mended: Condvar::new() });
        serve(control, &line, |line, client| line.copy(client));
        serve(data, &line, |line, client| line.commands(client));
        Self { port, line }
    }

    /// What `tcti` in a configuration has to be.
    pub fn tcti(&self) -> String {
        format!("swtpm:host=127.0.0.1,port={}", self.port)
    }

    /// All commands and answers that have passed since the last time.
    pub fn heard(&self) -> Vec<u8> {
        std::mem::take(&mut self.line.state().heard)
    }

    /// Lets so many commands pass, and a fault meet so many after them.
    pub fn fail(&self, pass: usize, times: usize, fault: Fault) {
        self.line.state().plan = Some((pass, times, fault));
    }

    /// Ends all faults: the codes of the commands that they have met since the last time.
    pub fn mend(&self) -> Vec<u32> {
        let mut state = self.line.state();
        state.plan = None;
        state.mends += 1;
        self.line.mended.notify_all();
        std::mem::take(&mut state.met)
    }
}

fn serve(listener: TcpListener, line: &Arc<Line>, each: fn(&Line, TcpStream) -> std::io::Result<()>) {
    let line = Arc::clone(line);
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let line = Arc::clone(&line);
            // An end of the line is what both sides are told of it.
            std::thread::spawn(move || drop(each(&line, client)));
        }
    });
}

impl Line {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The control channel never fails.
    fn copy(&self, mut client: TcpStream) -> std::io::Result<()> {
        let mut tpm = TcpStream::connect((Ipv4Addr::LOCALHOST, self.tpm + 1))?;
        let (mut from_tpm, mut to_client) = (tpm.try_clone()?, client.try_clone()?);
        let back = std::thread::spawn(move || {
            let _ = std::io::copy(&mut from_tpm, &mut to_client);
            let _ = to_client.shutdown(Shutdown::Both);
        });
        let _ = std::io::copy(&mut client, &mut tpm);
        tpm.shutdown(Shutdown::Both)?;
        let _ = back.join();
        Ok(())
    }

    fn commands(&self, mut client: TcpStream) -> std::io::Result<()> {
        let mut tpm = None;
        loop {
            let command = message(&mut client)?;
            let fault = self.next(code(&command));
            match fault {
                Some(Fault::Unheard) => return Ok(()),
                Some(Fault::Code(code)) => {
                    client.write_all(&[&[0x80, 0x01, 0, 0, 0, 10], &code.to_be_bytes()[..]].concat())?;
                    continue;
                }
                Some(Fault::Hang) => self.wait(),
                _ => {}
            }
            let tpm = match &mut tpm {
                Some(tpm) => tpm,
                none => none.insert(TcpStream::connect((Ipv4Addr::LOCALHOST, self.tpm))?),
            };
            tpm.write_all(&command)?;
            let answer = message(tpm)?;
            let answer = fault.map_or_else(|| answer.clone(), |fault| self.spoilt(&answer, fault));
            self.state().heard.extend([command, answer.clone()].concat());
            client.write_all(&answer)?;
            if fault.is_some_and(|fault| matches!(fault, Fault::Unanswered | Fault::Cut(_) | Fault::Size(_) | Fault::WildNoise)) {
                return Ok(());
            }
        }
    }

    fn next(&self, code: u32) -> Option<Fault> {
        let mut state = self.state();
        let (pass, times, fault) = state.plan.as_mut()?;
        let fault = *fault;
        if matches!(fault, Fault::FlipIn(command) if command != code) {
            return None;
        }
        if *pass > 0 {
            *pass -= 1;
            return None;
        }
        *times = times.checked_sub(1)?;
        state.met.push(code);
        Some(fault)
    }

    fn wait(&self) {
        let state = self.state();
        let mends = state.mends;
        drop(self.mended.wait_while(state, |state| state.mends == mends));
    }

    fn spoilt(&self, answer: &[u8], fault: Fault) -> Vec<u8> {
        let mut spoilt = answer.to_vec();
        match fault {
            Fault::Unanswered => spoilt.clear(),
            Fault::Cut(len) => spoilt.truncate(len),
            Fault::Size(more) => {
                let size = i32::try_from(spoilt.len()).expect("a short answer") - more;
                spoilt[2..6].copy_from_slice(&size.to_be_bytes());
            }
            Fault::Noise => spoilt[HEADER..].fill_with(|| self.noise()),
            Fault::WildNoise => spoilt.fill_with(|| self.noise()),
            Fault::Flip => self.flip(&mut spoilt),
            Fault::FlipIn(_) => spoilt[answer.len() / 2] ^= 1,
            _ => {}
        }
        spoilt
    }

    fn flip(&self, message: &mut [u8]) {
        let body = &mut message[HEADER..];
        let at = usize::from(u16::from_be_bytes([self.noise(), self.noise()]));
        if let Some(byte) = at.checked_rem(body.len()).and_then(|at| body.get_mut(at)) {
            *byte ^= 1 << (self.noise() % 8);
        }
    }

    /// The same bytes each time (Marsaglia's xorshift).
    fn noise(&self) -> u8 {
        let mut state = self.state();
        let mut x = state.noise.max(1);
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        state.noise = x;
        x.to_be_bytes()[4]
    }
}

/// One command or answer.
pub(crate) fn message(from: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut message = vec![0; HEADER];
    from.read_exact(&mut message)?;
    let size = u32::from_be_bytes([message[2], message[3], message[4], message[5]]) as usize;
    message.resize(size.max(HEADER), 0);
    from.read_exact(&mut message[HEADER..])?;
    Ok(message)
}

pub(crate) fn code(message: &[u8]) -> u32 {
    u32::from_be_bytes([message[6], message[7], message[8], message[9]])
}
