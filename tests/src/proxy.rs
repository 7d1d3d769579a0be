//! A line between a service and its software TPM that somebody listens to.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use crate::swtpm::neighbours;

/// The line, until the process ends.
pub struct Proxy {
    port: u16,
    heard: Heard,
}

type Heard = Arc<Mutex<Vec<u8>>>;

impl Proxy {
    /// Listens for a service, and connects it with the TPM at this port and the next one.
    ///
    /// # Panics
    /// When it cannot listen.
    pub fn start(tpm: u16) -> Self {
        let (data, control) = neighbours();
        let port = data.local_addr().expect("a bound socket").port();
        let heard = Heard::default();
        serve(data, tpm, &heard);
        serve(control, tpm + 1, &heard);
        Self { port, heard }
    }

    /// What `tcti` in a configuration has to be.
    pub fn tcti(&self) -> String {
        format!("swtpm:host=127.0.0.1,port={}", self.port)
    }

    /// All that has passed since the last time, in either direction.
    pub fn heard(&self) -> Vec<u8> {
        std::mem::take(&mut self.heard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn serve(listener: TcpListener, tpm: u16, heard: &Heard) {
    let heard = Arc::clone(heard);
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let Ok(tpm) = TcpStream::connect((Ipv4Addr::LOCALHOST, tpm)) else { continue };
            let (Ok(from), Ok(to)) = (client.try_clone(), tpm.try_clone()) else { continue };
            for (from, to) in [(from, to), (tpm, client)] {
                let heard = Arc::clone(&heard);
                std::thread::spawn(move || copy(from, to, &heard));
            }
        }
    });
}

fn copy(mut from: TcpStream, mut to: TcpStream, heard: &Heard) {
    let mut bytes = [0; 4096];
    while let Ok(len @ 1..) = from.read(&mut bytes) {
        heard.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&bytes[..len]);
        if to.write_all(&bytes[..len]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}
