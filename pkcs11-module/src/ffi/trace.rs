//! One line for each call, appended to the file that `PARSEC_PKCS11_TRACE` names: the function, the handles, the result and its
//! reason, and the time it took. Buffers are shown by address only, so the file holds no secret.

use std::fmt::{Debug, Write as _};
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::time::Instant;

use interface::text::Line;
use once_cell::race::OnceBox;

use crate::error::Result;
use crate::ffi::PROCESS;

/// A call under way that will be traced.
pub(crate) struct Call {
    line: String,
    started: Instant,
    file: &'static File,
}

/// Starts the line of a call; none when tracing is off.
pub(crate) fn begin(name: &str, arguments: &[(&str, &dyn Debug)]) -> Option<Call> {
    // Never waits for another thread, which a fork may have left behind.
    static FILE: OnceBox<Option<File>> = OnceBox::new();
    let file = FILE.get_or_init(|| Box::new(open())).as_ref()?;
    let mut line = format!("{} {name}(", std::process::id());
    for (i, (name, value)) in arguments.iter().enumerate() {
        let comma = if i == 0 { "" } else { ", " };
        let _ = write!(line, "{comma}{name}={value:?}");
    }
    Some(Call { line, started: Instant::now(), file })
}

impl Call {
    /// Writes the line in one piece. A trace that cannot be written is no reason to fail the call.
    pub(crate) fn end(mut self, result: &Result<()>) {
        let micros = self.started.elapsed().as_micros();
        let _ = match result {
            Ok(()) => write!(self.line, ") = CKR_OK {micros} us"),
            Err(error) => write!(self.line, ") = {} {micros} us: {error}", error.name()),
        };
        let _ = self.file.write_all(format!("{}\n", Line(&self.line)).as_bytes());
    }
}

fn open() -> Option<File> {
    let path = PROCESS.variable("PARSEC_PKCS11_TRACE")?;
    OpenOptions::new().create(true).append(true).open(path).ok()
}
