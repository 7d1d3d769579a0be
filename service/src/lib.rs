//! One daemon that owns the key hardware of a host.
//!
//! A request passes: [`listener`] → [`connection`] → [`auth`] → [`dispatch`] → [`lane`] → [`provider`], which is one of
//! [`providers`]. It is judged in [`admission`], above the keys ([`store`]). Beside them stands the [`config`]uration. No module uses
//! one that uses it; `tests/circles` looks.

#![forbid(unsafe_code)]

pub mod admission;
pub mod application;
pub mod applications;
pub mod auth;
mod bounds;
pub mod config;
pub mod connection;
pub mod connections;
mod credential;
mod custody;
pub mod dispatch;
pub mod error;
pub mod flight;
pub mod key;
pub mod lane;
pub mod listener;
mod lobby;
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
mod turns;

pub use serve::serve;
