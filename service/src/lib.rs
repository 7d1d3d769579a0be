//! One daemon that owns the key hardware of a host. Modules stand in the order in which a request passes.

pub mod auth;
pub mod error;
pub mod providers {
    //! The crypto providers.
}
