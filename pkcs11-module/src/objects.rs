//! The service's records as PKCS#11 objects, with their attributes and values.

pub(crate) mod attributes;
pub(crate) mod material;
pub(crate) mod object;
