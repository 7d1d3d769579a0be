//! Keys: made, listed, written and missed.

use interop::{has, provider};
use tests::run;

use crate::desk::{Desk, Openssl};

pub(crate) fn keys_that_openssl_makes_stay_in_the_service(openssl: Openssl) {
    let Some(desk) = Desk::new(openssl) else { return };
    let genpkey = "genpkey -propquery provider=parsec -algorithm";
    for (name, kind, options) in [
        ("new-rsa", "rsa-3072", "RSA -pkeyopt rsa_keygen_bits:3072 -pkeyopt parsec-usage:tls-server,encryption"),
        ("new-ec", "p384", "EC -pkeyopt group:P-384 -pkeyopt parsec-usage:tls-server,encryption"),
        ("new-ed", "ed25519", "ED25519"),
        ("new-x", "x25519", "X25519"),
    ] {
        if !has(&desk.service, kind) {
            continue;
        }
        let place = format!("-pkeyopt parsec-provider:{} -pkeyopt parsec-name:{name}", provider());
        desk.ok(&format!("{genpkey} {options} {place} -out {name}.pem"));
        assert_eq!(desk.ok(&format!("pkey -in {name}.pem -pubout")), desk.parsec(&format!("key public {name}")));
        if name != "new-x" {
            desk.ok(&format!("req -x509 -key {name}.pem -subj /CN=localhost -out {name}.crt"));
            desk.openssl(&format!("verify -CAfile {name}.crt {name}.crt"));
        }
    }
    desk.openssl("cms -encrypt -aes256 -text -in message -out encrypted -recip new-ec.crt");
    assert_eq!(desk.ok("cms -decrypt -text -in encrypted -recip new-ec.crt -inkey new-ec.pem"), "hello");
    let oaep = "-pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256";
    desk.ok(&format!("pkeyutl -encrypt -inkey new-rsa.pem {oaep} -in message -out ciphertext"));
    assert_eq!(desk.ok(&format!("pkeyutl -decrypt -inkey new-rsa.pem {oaep} -in ciphertext")), "hello");
    // the name is taken
    let again = format!("{genpkey} EC -pkeyopt group:P-256 -pkeyopt parsec-name:new-ec");
    assert!(run(&mut desk.ours(&again)).refused().contains("new-ec"));
}

/// The form that programs take which look for the line of a private key themselves.
pub(crate) fn references_in_pkcs8_are_keys(openssl: Openssl) {
    let Some(desk) = Desk::new(openssl) else { return };
    for kind in desk.kinds() {
        desk.parsec(&format!("key pem {kind} --provider {} --pkcs8 --out reference", desk.row.provider()));
        let text = desk.text("reference");
        assert!(text.starts_with("-----BEGIN PRIVATE KEY-----\n"), "{text}");
        assert_eq!(desk.ok("pkey -in reference -pubout"), desk.parsec(&format!("key public {kind}")));
        // by d2i_PKCS8_PRIV_KEY_INFO and EVP_PKCS82PKEY
        assert!(desk.text(format!("{kind}.pem")).ends_with(&desk.ok("pkcs8 -in reference -nocrypt")));
        desk.ok("req -x509 -key reference -subj /CN=a -out certificate");
        desk.openssl("verify -CAfile certificate certificate");
        desk.write("one-line", text.replace('\n', "").replace("KEY-----", "KEY-----\n").replace("-----END", "\n-----END"));
        desk.ok("pkey -in one-line -noout");
    }
}

pub(crate) fn the_store_lists_keys_and_certificates(openssl: Openssl) {
    let Some(desk) = Desk::new(openssl) else { return };
    let listed = desk.ok("storeutl -noout -keys parsec:");
    assert!(listed.contains(&format!("Total found: {}", desk.kinds().len())), "{listed}");
    for kind in desk.kinds() {
        let listed = desk.ok(&format!("storeutl -noout -keys parsec:object={kind};provider={}", provider()));
        assert!(listed.contains("Total found: 1"), "{listed}");
    }
    desk.parsec("key csr p256 --self-signed --cn web.example --out p256.crt");
    desk.parsec("cert put p256 p256.crt");
    let listed = desk.ok("storeutl -noout -text -certs parsec:object=p256");
    assert!(listed.contains("CN=web.example") && listed.contains("Total found: 1"), "{listed}");
    assert_eq!(desk.ok("x509 -in parsec:object=p256 -fingerprint -noout"), desk.openssl("x509 -in p256.crt -fingerprint -noout"));
}

pub(crate) fn private_keys_stay_where_they_are(openssl: Openssl) {
    let Some(desk) = Desk::new(openssl) else { return };
    desk.each(|desk, _, key| {
        for command in [format!("pkey -in {key}"), format!("pkey -in {key} -traditional"), format!("pkey -in {key} -text")] {
            let ran = run(&mut desk.ours(&command));
            assert!(!ran.out.contains("PRIVATE KEY") && !ran.out.contains("priv:"), "{}", ran.out);
        }
    });
}

pub(crate) fn refusals_name_what_is_missing(openssl: Openssl) {
    let Some(mut desk) = Desk::new(openssl) else { return };
    let refused =
        |desk: &Desk, key: &str| run(&mut desk.ours(&format!("dgst -sha256 -sign {key} -out signature message"))).refused();
    let said = refused(&desk, "parsec:object=absent");
    assert!(said.contains("no key 'absent'"), "{said}");
    let conf = desk.text("openssl.cnf");
    for wrong in ["sokcet", "timeout_ms"] {
        desk.write("openssl.cnf", conf.replace("activate = 1\n", &format!("activate = 1\n{wrong} = 1\n")));
        let said = refused(&desk, "p256.pem");
        assert!(said.contains(&format!("'{wrong}'")) && said.contains("socket and timeout-ms"), "{said}");
    }
    desk.write("openssl.cnf", conf);
    desk.parsec("key rm p256");
    let said = refused(&desk, "p256.pem");
    assert!(said.contains("no key 'p256'"), "{said}");
    desk.service.stop();
    for key in ["p384.pem", "parsec:object=p384"] {
        let said = refused(&desk, key);
        assert!(said.contains("start the service"), "{said}");
    }
}
