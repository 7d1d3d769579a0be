//! nginx with what `parsec setup` writes, and nothing else.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use tests::{built, install, run};

use super::site::{Site, Way};

#[test]
fn setup_is_all_that_nginx_needs_and_undo_takes_it_back() {
    let Some(site) = Site::new(Way::References, &[("ec", "p256")]) else { return };
    site.parsec("key revoke ec user:www-data");
    fs::remove_file(site.path("nginx/ec.pem")).unwrap();
    // the program finds the provider that is installed beside it
    let modules = format!("usr/lib/{}-linux-gnu/ossl-modules", std::env::consts::ARCH);
    for folder in ["usr/bin", &modules, "image/etc"] {
        fs::create_dir_all(site.path(folder)).unwrap();
    }
    install(&built("parsec"), &site.path("usr/bin/parsec"));
    install(&built("libparsec_openssl.so"), &site.path(&modules).join("parsec.so"));
    fs::copy("/etc/passwd", site.path("image/etc/passwd")).unwrap();
    let setup = |words: &[&str]| {
        let mut parsec = site.service.command(site.path("usr/bin/parsec"));
        run(parsec.args(["setup", "nginx", "--yes", "--root", "image"]).args(words)).ok()
    };
    setup(&["--key", "ec"]);
    symlink(site.path("image/etc/parsec/ec.pem"), site.path("nginx/ec.pem")).unwrap();
    let drop_in = fs::read_to_string(site.path("image/etc/systemd/system/nginx.service.d/parsec.conf")).unwrap();
    let config = drop_in.lines().find_map(|line| line.strip_prefix("Environment=OPENSSL_CONF=/")).unwrap();
    let nginx = site.start_with(site.nginx(&[]).env("OPENSSL_CONF", site.path("image").join(Path::new(config))));
    assert!(run(&mut site.curl("ec", &[])).ok().starts_with("ec TLSv1.3"));

    setup(&["--undo"]);
    assert!(!site.path("image/etc/parsec").exists());
    run(&mut site.curl("ec", &[])).refused();
    drop(nginx);
}
