//! Servers that know names and users.

use super::{Site, tls};

const DIG: &str =
    "dig +tls +tls-ca=/etc/parsec/web.crt +tls-hostname=localhost @127.0.0.1 -p 853 localhost A +short | grep -qx 127.0.0.1";

#[test]
fn unbound_serves_as_setup_says() {
    let Some(mut site) = Site::new("unbound", "unbound") else { return };
    site.write("/etc/unbound/unbound.conf.d/address.conf", &["server:", "interface: 127.0.0.1@853"]);
    site.set_up();
    let client = format!("{} && {DIG}", tls("127.0.0.1:853"));
    site.serves(&client);
    site.takes_a_new_key(&client);
}

#[test]
fn named_serves_as_setup_says() {
    let Some(mut site) = Site::new("named", "bind9") else { return };
    site.machine.ok("sed -i 's/^options {/& listen-on port 853 tls web { any; };/' /etc/bind/named.conf.options");
    site.set_up();
    let client = format!("{} && {DIG}", tls("127.0.0.1:853"));
    site.serves(&client);
    site.takes_a_new_key(&client);
}

/// What somebody has who wants to enter a network.
const SUPPLICANT: &str = "network={
    key_mgmt=WPA-EAP
    eap=TTLS
    identity=\"bob\"
    password=\"hello\"
    phase2=\"auth=PAP\"
    ca_cert=\"/etc/parsec/web.crt\"
    domain_match=\"localhost\"
}";

#[test]
fn freeradius_serves_as_setup_says() {
    let Some(mut site) = Site::new("freeradius", "freeradius") else { return };
    site.machine.ok(&format!(
        "echo 'bob Cleartext-Password := \"hello\"' > /etc/freeradius/3.0/mods-config/files/authorize
         cat > supplicant <<'END'\n{SUPPLICANT}\nEND"
    ));
    site.set_up();
    let client = "eapol_test -c supplicant -s testing123";
    site.serves(client);
    site.takes_a_new_key(client);
}
