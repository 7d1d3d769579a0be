//! Keys of the sealed tier, beside another provider.

use crate::site::{Site, Way};
use crate::ways::{engine, serves_as_itself};

#[test]
fn both_versions_of_tls_with_both_kinds_of_key() {
    let Some(site) = Site::sealed(Way::References) else { return };
    crate::serves_both(&site);
}

#[test]
fn the_pkcs11_engine_serves_both_versions_of_tls_with_both_kinds_of_key() {
    let Some(site) = engine(Site::sealed) else { return };
    serves_as_itself(&site);
}

#[test]
fn keys_by_uri_serve_both_versions_of_tls_with_both_kinds_of_key() {
    let Some(site) = Site::sealed(Way::Store) else { return };
    serves_as_itself(&site);
}
