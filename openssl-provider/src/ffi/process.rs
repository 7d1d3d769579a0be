//! What only C tells of the process that has loaded the provider.

use std::{ffi::c_ulong, sync::atomic::AtomicU64};

use interface::client::{self, Process};
use rustix::mm::{Advice, madvise};

use super::job;

pub(crate) const PROCESS: Process = Process { secure, number, pause: Some(job::pause) };

/// Pages that hold nothing else, whatever their size on this machine.
#[repr(align(65536))]
struct Page(AtomicU64);

static PAGE: Page = Page(AtomicU64::new(0));

const AT_SECURE: c_ulong = 23;

unsafe extern "C" {
    safe fn getauxval(kind: c_ulong) -> c_ulong;
}

fn number() -> u64 {
    client::number(&PAGE.0, || {
        let page = (&raw const PAGE).cast_mut().cast();
        // SAFETY: in this process the advice changes nothing; in its children the number becomes zero, which it may be.
        unsafe { madvise(page, size_of::<Page>(), Advice::LinuxWipeOnFork) }.is_ok()
    })
}

fn secure() -> bool {
    getauxval(AT_SECURE) != 0
}
