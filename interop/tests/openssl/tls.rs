//! Servers and clients of TLS.

use crate::desk::{Desk, Openssl, get};

pub(crate) fn servers_and_clients_of_tls(openssl: Openssl) {
    let Some(desk) = Desk::new(openssl) else { return };
    desk.each(|desk, _, key| {
        desk.ok(&format!("req -x509 -key {key} -subj /CN=localhost -out tls.crt"));
        let identity = format!("-cert tls.crt -key {key} -CAfile tls.crt -verify_return_error");
        let (_server, address) = desk.serve(&format!("-Verify 1 {identity}"));
        for (option, version) in [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")] {
            let mut client = desk.ours(&format!("s_client -connect {address} {option} -ign_eof {identity}"));
            let said = get(&mut client).ok();
            assert!(said.contains("Verification: OK") && said.contains(&format!("New, {version}")), "{said}");
            // the page tells what the server made of the client
            assert!(said.contains("HTTP/1.0 200 ok") && said.contains("Client certificate"), "{said}");
        }
    });
}

pub(crate) fn tls_without_ephemeral_keys_works_where_the_policy_permits_it(openssl: Openssl) {
    let Some(desk) = Desk::new(openssl) else { return };
    desk.vault();
    desk.ok("req -x509 -key rsa-2048.pem -subj /CN=localhost -out rsa-2048.crt");
    for (name, permitted) in [("vault", true), ("rsa-2048", false)] {
        let (_server, address) = desk.serve(&format!("-cert {name}.crt -key {name}.pem -cipher ALL"));
        let connect = |cipher: &str| {
            let connect =
                format!("s_client -connect {address} -tls1_2 -cipher {cipher} -ign_eof -CAfile {name}.crt -verify_return_error");
            get(&mut desk.ours(&connect))
        };
        for cipher in ["AES256-GCM-SHA384", "AES128-SHA"] {
            if permitted {
                let said = connect(cipher).ok();
                assert!(said.contains(&format!("Cipher is {cipher}")), "{said}");
                assert!(said.contains("HTTP/1.0 200 ok"), "{said}");
            } else {
                connect(cipher).refused();
            }
        }
        // and the server goes on
        connect("ECDHE-RSA-AES256-GCM-SHA384").ok();
    }
}

pub(crate) fn no_order_of_providers_disturbs_the_hybrid_key_exchange(openssl: Openssl) {
    let Some(desk) = Desk::new(openssl) else { return };
    desk.ok("req -x509 -key p256.pem -subj /CN=localhost -out tls.crt");
    let (default_first, parsec_first) = (desk.text("openssl.cnf"), desk.parsec_first());
    let orders = [&default_first, &parsec_first];
    for order in orders {
        desk.write("openssl.cnf", order);
        let (_server, address) = desk.serve("-cert tls.crt -key p256.pem");
        let connect = format!("s_client -connect {address} -tls1_3 -ign_eof -CAfile tls.crt -verify_return_error");
        let hybrid = |mut client| {
            let said = get(&mut client).ok();
            assert!(said.contains("Negotiated TLS1.3 group: X25519MLKEM768"), "{said}");
        };
        for order in orders {
            desk.write("openssl.cnf", order);
            hybrid(desk.ours(&connect));
        }
        hybrid(desk.theirs(&connect));
    }
}

pub(crate) fn servers_with_keys_of_ml_dsa_leave_the_hybrid_key_exchange_alone(openssl: Openssl) {
    let Some(desk) = Desk::with_ml_dsa(openssl) else { return };
    desk.parsec("key new ml --algorithm ml-dsa-65 --out ml.pem");
    for key in ["ml.pem", "parsec:object=ml", "p256.pem"] {
        desk.ok(&format!("req -x509 -key {key} -subj /CN=localhost -out tls.crt"));
        let identity = format!("-cert tls.crt -key {key} -CAfile tls.crt -verify_return_error");
        let (_server, address) = desk.serve(&format!("-Verify 1 {identity}"));
        let mut client = desk.ours(&format!("s_client -connect {address} -tls1_3 -ign_eof {identity}"));
        let said = get(&mut client).ok();
        assert!(said.contains("Negotiated TLS1.3 group: X25519MLKEM768"), "{said}");
        assert!(said.contains("HTTP/1.0 200 ok") && said.contains("Client certificate"), "{said}");
        assert_eq!(said.contains("Peer signature type: mldsa65"), key != "p256.pem", "{said}");
    }
}
