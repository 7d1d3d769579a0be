//! strongSwan's pki. Its library looks at nothing but the state of the session before it asks for a PIN.

use std::process::Command;

use interop::{Desk, Row};

use crate::{alone, desk, id, unasked};

pub(crate) fn configure(desk: &Desk) {
    let module = desk.module();
    desk.write(
        "strongswan.conf",
        format!("libstrongswan {{ plugins {{ pkcs11 {{ modules {{ parsec {{ path = {}\n }} }} }} }} }}\n", module.display()),
    );
}

pub(crate) fn pki(desk: &Desk, arguments: &str) -> Command {
    let mut command = alone(desk, &format!("pki {arguments}"));
    command.env("STRONGSWAN_CONF", desk.path("strongswan.conf"));
    command
}

#[test]
fn keys_sign_certificates_and_requests() {
    let kinds = ["rsa-2048", "p256", "p384"];
    let Some(desk) = desk(Row::program("pki"), &kinds) else { return };
    configure(&desk);
    for kind in kinds {
        let key = format!("--type priv --keyid {} --outform pem", id(&desk, kind));
        desk.write("ca.pem", unasked(&mut pki(&desk, &format!("--self {key} --dn CN=swan --ca"))));
        desk.openssl("verify -check_ss_sig -CAfile ca.pem ca.pem");
        desk.write("request.pem", unasked(&mut pki(&desk, &format!("--req {key} --dn CN=gate"))));
        desk.openssl("req -verify -noout -in request.pem");
        let issue = format!("--issue --in request.pem --type pkcs10 --cacert ca.pem --cakeyid {} --outform pem", id(&desk, kind));
        desk.write("gate.pem", unasked(&mut pki(&desk, &issue)));
        desk.openssl("verify -CAfile ca.pem gate.pem");
    }
}
