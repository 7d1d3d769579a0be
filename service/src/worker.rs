//! The process that a vendor's PKCS#11 library runs in, and the way to it.
//!
//! Such a library may crash, hang, or write where it should not. So the service never loads one. A launcher ([`launch`]) is started
//! before the service gives up the right to start processes. It starts a worker ([`work`]) when the service asks for one, which loads
//! the library and owns the token's sessions. Both are this program, and both end with the service, because their sockets then end.
//!
//! Service and worker speak the frames and operations of the wire protocol: a key is called by the UUID that the store gave it, which
//! is the `CKA_ID` of its objects. [`message`] has the few requests that are none of the protocol's. Each channel is a socket with a
//! thread and a session of its own behind it, and carries one request at a time.

mod channel;
mod failure;
mod frame;
mod launcher;
mod mechanism;
mod message;
mod process;
mod session;
mod template;
mod token;

pub(crate) use channel::{Channel, Fault};
pub(crate) use launcher::Launcher;
pub use launcher::launch;
pub(crate) use message::{Ability, Kind, Login, Open, Token};
pub use process::work;
