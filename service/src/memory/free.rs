//! Returns free memory to the system.
//!
//! By default glibc keeps the memory of a flood of large requests for the life of the process. It reads its settings (mallopt(3))
//! only when a process starts, so the service executes itself once more with the right ones.

use interface::client::Process;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Three arenas: the writer of the log takes one, and two threads that work at once, as when the store is opened, would wait for each
/// other with less. Whatever is as large as this goes back at once.
const SETTINGS: [(&str, &str); 3] =
    [("MALLOC_ARENA_MAX", "3"), ("MALLOC_TRIM_THRESHOLD_", "131072"), ("MALLOC_MMAP_THRESHOLD_", "131072")];

/// Executes the program again with the settings, unless it has them. The caller must not have begun anything. If that fails, the program
/// continues as it is.
pub(crate) fn give_back() {
    let process = Process::default();
    let missing: Vec<_> = SETTINGS.into_iter().filter(|(name, _)| process.variable(name).is_none()).collect();
    // With more rights than whoever started it, a program never has such variables, and would start itself without end.
    if missing.is_empty() || (process.secure)() {
        return;
    }
    let mut arguments = std::env::args_os();
    if let (Ok(program), Some(name)) = (std::env::current_exe(), arguments.next()) {
        let _failed = Command::new(program).arg0(name).args(arguments).envs(missing).exec();
    }
}
