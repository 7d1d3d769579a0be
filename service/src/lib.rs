//! One daemon that owns the key hardware of a host. Modules stand in the order in which a request passes.

pub mod auth;
pub mod dispatch;
pub mod provider;
pub mod lane;
pub mod providers {
    //! The crypto providers.
    pub mod software;
}
pub mod error;
