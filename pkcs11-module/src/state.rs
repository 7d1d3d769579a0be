//! What there is between C_Initialize and C_Finalize: the module, its slots, sessions, logins and handles.

mod abilities;
mod again;
pub(crate) mod end;
mod fork;
pub(crate) mod handles;
pub(crate) mod login;
pub(crate) mod module;
pub(crate) mod process;
pub(crate) mod session;
pub(crate) mod slot;
