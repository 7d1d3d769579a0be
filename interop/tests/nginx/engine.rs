//! nginx with libp11's engine on our PKCS#11 module.

use interop::library;
use tests::run;

use crate::site::{Site, Way, uids, workers};
use crate::{VERSIONS, WWW_DATA};

fn site() -> Option<Site> {
    if !library("engines-3/pkcs11.so").exists() {
        tests::skip("libengine-pkcs11-openssl is not installed");
        return None;
    }
    Site::both(Way::Engine)
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

#[test]
fn the_pkcs11_engine_serves_both_versions_of_tls_with_both_kinds_of_key() {
    let Some(site) = site() else { return };
    run(&mut site.nginx(&["-t"])).ok();
    let nginx = site.start();
    serves(&site);
    for worker in workers(&nginx) {
        assert_eq!(uids(worker), [WWW_DATA; 4]);
    }
    // they sign as themselves
    site.parsec("key revoke ec user:www-data");
    run(&mut site.curl("ec", &[])).refused();
    run(&mut site.curl("rsa", &[])).ok();
}

#[test]
fn the_pkcs11_engine_survives_a_reload() {
    let Some(site) = site() else { return };
    let nginx = site.start();
    serves(&site);
    site.reload(&nginx);
    serves(&site);
}

#[test]
fn the_pkcs11_engine_survives_a_restart_of_the_service() {
    let Some(mut site) = site() else { return };
    let nginx = site.start();
    serves(&site);
    let before = workers(&nginx);
    site.service.restart();
    serves(&site);
    assert_eq!(workers(&nginx), before);
}
