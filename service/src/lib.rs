//! One daemon that owns the key hardware of a host, and its command line.

pub mod providers {
    //! Backends.
    pub mod software;
}
