//! nginx with keys that no file refers to: by libp11's engine on our PKCS#11 module, and by the URIs of our provider, which nginx
//! takes from 1.29 on.

use interop::library;
use tests::run;

use crate::site::{Site, Way, uids, workers};
use crate::{VERSIONS, WWW_DATA};

#[test]
fn the_pkcs11_engine_serves_both_versions_of_tls_with_both_kinds_of_key() {
    let Some(site) = engine(Site::both) else { return };
    serves_as_itself(&site);
}

#[test]
fn the_pkcs11_engine_survives_a_reload() {
    let Some(site) = engine(Site::both) else { return };
    survives_a_reload(&site);
}

#[test]
fn the_pkcs11_engine_survives_a_restart_of_the_service() {
    let Some(site) = engine(Site::both) else { return };
    survives_a_restart(site);
}

#[test]
fn keys_by_uri_serve_both_versions_of_tls_with_both_kinds_of_key() {
    let Some(site) = Site::both(Way::Store) else { return };
    serves_as_itself(&site);
}

#[test]
fn keys_by_uri_survive_a_reload() {
    let Some(site) = Site::both(Way::Store) else { return };
    survives_a_reload(&site);
}

#[test]
fn keys_by_uri_survive_a_restart_of_the_service() {
    let Some(site) = Site::both(Way::Store) else { return };
    survives_a_restart(site);
}

pub(crate) fn engine(site: fn(Way) -> Option<Site>) -> Option<Site> {
    if !library("engines-3/pkcs11.so").exists() {
        tests::skip("libengine-pkcs11-openssl is not installed");
        return None;
    }
    site(Way::Engine)
}

pub(crate) fn serves_as_itself(site: &Site) {
    run(&mut site.nginx(&["-t"])).ok();
    let nginx = site.start();
    serves(site);
    for worker in workers(&nginx) {
        assert_eq!(uids(worker), [WWW_DATA; 4]);
    }
    // they sign as themselves
    site.parsec("key revoke ec user:www-data");
    run(&mut site.curl("ec", &[])).refused();
    run(&mut site.curl("rsa", &[])).ok();
}

fn survives_a_reload(site: &Site) {
    let nginx = site.start();
    serves(site);
    site.reload(&nginx);
    serves(site);
}

fn survives_a_restart(mut site: Site) {
    let nginx = site.start();
    serves(&site);
    let before = workers(&nginx);
    site.service.restart();
    serves(&site);
    assert_eq!(workers(&nginx), before);
}

#[track_caller]
fn serves(site: &Site) {
    for (name, suite) in [("rsa", "ECDHE-RSA-AES128-GCM-SHA256"), ("ec", "ECDHE-ECDSA-AES128-GCM-SHA256")] {
        for (version, minimum, maximum) in VERSIONS {
            let page = run(&mut site.curl(name, &[minimum, "--tls-max", maximum, "--ciphers", suite])).ok();
            assert_eq!(page.trim(), format!("{name} {version}"));
        }
    }
}
