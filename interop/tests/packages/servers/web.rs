//! Web servers and proxies.

use super::{Site, tls};

#[test]
fn lighttpd_serves_as_setup_says() {
    let Some(mut site) = Site::new("lighttpd", "lighttpd-mod-openssl") else { return };
    site.set_up();
    site.serves(&tls("127.0.0.1:443"));
    site.takes_a_new_key(&tls("127.0.0.1:443"));
}

#[test]
fn apache_serves_as_setup_says() {
    let Some(mut site) = Site::new("apache", "apache2") else { return };
    site.set_up();
    site.serves(&tls("127.0.0.1:443"));
    site.takes_a_new_key(&tls("127.0.0.1:443"));
}

/// Its worker is in a chroot.
#[test]
fn haproxy_serves_as_setup_says() {
    let Some(mut site) = Site::new("haproxy", "haproxy") else { return };
    site.write("/etc/haproxy/haproxy.cfg", &["frontend web", "bind :443", "http-request return status 200"]);
    site.set_up();
    site.serves(&tls("127.0.0.1:443"));
    site.takes_a_new_key(&tls("127.0.0.1:443"));
}

/// It changes its user so that OpenSSL trusts no environment.
#[test]
fn squid_serves_as_setup_says() {
    let Some(mut site) = Site::new("squid", "squid-openssl") else { return };
    site.set_up();
    site.serves(&tls("127.0.0.1:3129"));
    site.takes_a_new_key(&tls("127.0.0.1:3129"));
}
