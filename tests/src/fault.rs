//! Faults at every step that a service takes towards what lasts: kill -9, an error of the disk, the loss of power.
//!
//! [`Traced`] runs a service under ptrace, sees each system call that changes a file of its folder or reaches its TPM ([`Call`]),
//! and does one [`Fault`] at one of them. It also keeps a [`Journal`], out of which a [`Disk`] makes what a disk may hold that lost
//! its power at any point. A [`Bench`] runs the table of [`OPERATIONS`] so for a [`Subject`], and judges what clients see afterwards
//! ([`World`]): what was answered holds; what was not is done or not done, never half; and it can be done again.
//!
//! The service runs as it is: no preloaded library, no switch in its code. Only x86-64 has the registers that this reads, and only
//! root may look into a process that is not dumpable.

mod bench;
mod call;
mod desk;
mod disk;
mod operation;
mod random;
mod report;
mod stage;
mod tracer;
mod world;

pub use bench::{Bench, Trial};
pub use call::Call;
pub use desk::Desk;
pub use disk::{Disk, Event, Journal, Keep};
pub use operation::{OPERATIONS, Operation};
pub use random::Random;
pub use report::{Report, Row, Series};
pub use stage::{Shelf, Subject};
pub use tracer::{Fault, Traced};
pub use world::World;
