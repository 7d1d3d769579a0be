//! What PKCS#11 sees of the records of the service: objects, their attributes and their values.

pub(crate) mod attributes;
pub(crate) mod material;
pub(crate) mod object;
