//! One daemon that owns the key hardware of a host. Modules stand in the order in which a request passes.

pub mod auth;
pub mod connection;
pub mod dispatch;
pub mod lane;
pub mod listener;
pub mod provider;
pub mod providers;
pub mod store;

pub mod config;
pub mod error;
pub mod privileges;
mod serve;
pub mod stats;

pub use serve::serve;
