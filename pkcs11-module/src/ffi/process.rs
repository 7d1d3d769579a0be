//! Facts about the process that has loaded the module. Only C has them.

use std::sync::atomic::AtomicU64;

use interface::client::{self, Process};

pub(crate) const PROCESS: Process = Process { secure, number, pause: None };

/// Pages that hold nothing else, whatever their size on this machine.
#[repr(align(65536))]
struct Page(AtomicU64);

static PAGE: Page = Page(AtomicU64::new(0));

fn number() -> u64 {
    client::number(&PAGE.0, || {
        let page = (&raw const PAGE).cast_mut().cast();
        // SAFETY: in this process the advice changes nothing; in its children the number becomes zero, which it may be.
        unsafe { libc::madvise(page, size_of::<Page>(), libc::MADV_WIPEONFORK) == 0 }
    })
}

fn secure() -> bool {
    // SAFETY: a plain query without pointers.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}
