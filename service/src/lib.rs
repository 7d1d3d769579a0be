//! One daemon that owns the key hardware of a host.
//!
//! A request passes: [`listener`] → [`connection`] → [`auth`] → [`dispatch`] → [`lane`] → [`provider`], which is one of
//! [`providers`]. [`admission`] judges it by the keys in the [`store`]. The
//! [`config`]uration stands beside them. `tests/circles` checks that no two modules use each other.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod accept_queue;
pub mod admission;
pub mod auth;
mod bounds;
pub mod client_process;
pub mod client_processes;
pub mod config;
pub mod connection;
pub mod connections;
mod credential;
pub mod dispatch;
pub mod error;
mod expiry;
mod fair_queue;
pub mod flight;
#[doc(hidden)]
pub mod fuzz;
pub mod key;
pub mod lane;
pub mod listener;
pub mod log;
pub mod memory;
pub mod privileges;
pub mod processor;
pub mod provider;
pub mod providers;
pub mod quotas;
pub mod sandbox;
pub mod section;
mod serve;
mod signals;
pub mod stats;
pub mod stop;
pub mod store;
mod stream;
mod users;
pub mod worker;
mod wrapping;

pub use serve::serve;
