//! One daemon that owns the key hardware of a host. Modules stand in the order in which a request passes.

pub mod auth;
pub mod config;
pub mod error;
pub mod store;
pub mod providers {
    //! The crypto providers.
}
