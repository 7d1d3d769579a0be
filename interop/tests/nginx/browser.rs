//! A browser at an nginx whose keys live in the service.

use interop::Row;
use tests::run;

use crate::site::{Site, Way};

#[test]
fn a_page_is_loaded_from_nginx_with_our_key() {
    let Some(_row) = Row::program("chromium") else { return };
    if tests::program("certutil").is_none() {
        return;
    }
    let Some(site) = Site::new(Way::References, &[("rsa", "rsa-2048"), ("p256", "p256"), ("p384", "p384")]) else {
        return;
    };
    let _nginx = site.start();
    std::fs::create_dir_all(site.path(".pki/nssdb")).unwrap();
    let database = format!("sql:{}", site.path(".pki/nssdb").display());
    let certutil = |arguments: &[&str]| run(site.service.command("certutil").args(["-d", &database]).args(arguments)).ok();
    certutil(&["-N", "--empty-password"]);
    for (name, address) in &site.servers {
        let certificate = site.path(&format!("nginx/{name}.crt"));
        let chromium = || {
            let mut chromium = site.service.command("chromium");
            chromium.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]);
            chromium.args(["--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"]);
            chromium.arg(format!("--user-data-dir={}", tempfile::tempdir_in(site.service.dir()).unwrap().keep().display()));
            run(chromium.args(["--dump-dom", &format!("https://{address}/")])).ok()
        };
        let distrusted = chromium();
        assert!(!distrusted.contains("TLSv1.3"), "{distrusted}");
        certutil(&["-A", "-n", name, "-t", "P,,", "-i", certificate.to_str().unwrap()]);
        let page = chromium();
        assert!(page.contains(&format!("{name} TLSv1.3")), "{page}");
    }
}
