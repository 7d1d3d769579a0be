//! MIT Kerberos: PKINIT, whose both ends have their keys in the token.

use std::process::Command;

use interop::{Daemon, Desk, Row, listens, loopback};
use tests::run;

use crate::{alone, desk, unasked};

/// What certificates of the realm have to say (RFC 4556 §3.2.2, §3.2.4): a purpose, and the principal as another name.
const EXTENSIONS: &str = "\
[kdc]
keyUsage = digitalSignature,keyEncipherment,keyAgreement
extendedKeyUsage = 1.3.6.1.5.2.3.5
subjectAltName = otherName:1.3.6.1.5.2.2;SEQUENCE:kdc_name
[kdc_name]
realm = EXP:0,GeneralString:EXAMPLE.ORG
principal = EXP:1,SEQUENCE:kdc_principal
[kdc_principal]
type = EXP:0,INTEGER:1
name = EXP:1,SEQUENCE:kdc_parts
[kdc_parts]
service = GeneralString:krbtgt
realm = GeneralString:EXAMPLE.ORG
[alice]
keyUsage = digitalSignature,keyEncipherment,keyAgreement
extendedKeyUsage = 1.3.6.1.5.2.3.4
subjectAltName = otherName:1.3.6.1.5.2.2;SEQUENCE:alice_name
[alice_name]
realm = EXP:0,GeneralString:EXAMPLE.ORG
principal = EXP:1,SEQUENCE:alice_principal
[alice_principal]
type = EXP:0,INTEGER:1
name = EXP:1,SEQUENCE:alice_parts
[alice_parts]
user = GeneralString:alice
";

fn configure(desk: &Desk, address: &str) {
    let (dir, module) = (desk.service.dir().display(), desk.module());
    let module = module.display();
    desk.write(
        "krb5.conf",
        format!(
            "[libdefaults]\n default_realm = EXAMPLE.ORG\n dns_lookup_kdc = false\n dns_canonicalize_hostname = false\n\
             [realms]\n EXAMPLE.ORG = {{\n  kdc = {address}\n  pkinit_anchors = FILE:{dir}/ca.pem\n  \
             pkinit_identities = PKCS11:module_name={module}:certlabel=alice\n }}\n"
        ),
    );
    desk.write(
        "kdc.conf",
        format!(
            "[kdcdefaults]\n kdc_listen = {address}\n kdc_tcp_listen = {address}\n[realms]\n EXAMPLE.ORG = {{\n  \
             database_name = {dir}/principal\n  key_stash_file = {dir}/stash\n  acl_file = {dir}/acl\n  pkinit_anchors = FILE:{dir}/ca.pem\n  \
             pkinit_identity = PKCS11:module_name={module}:certlabel=kdc\n }}\n[logging]\n kdc = FILE:{dir}/kdc.log\n"
        ),
    );
}

fn kerberos(desk: &Desk, line: &str) -> Command {
    let mut command = alone(desk, line);
    command.env("KRB5_CONFIG", desk.path("krb5.conf")).env("KRB5_KDC_PROFILE", desk.path("kdc.conf"));
    command.env("KRB5CCNAME", format!("FILE:{}", desk.path("tickets").display()));
    command
}

#[test]
fn a_client_gets_a_ticket_for_its_key_from_a_server_with_one() {
    let Some(mut desk) = desk(Row::program("kinit"), &[]) else { return };
    let address = loopback();
    configure(&desk, &address.to_string());
    desk.write("extensions", EXTENSIONS);
    desk.openssl("req -x509 -newkey rsa:2048 -noenc -keyout ca.key -out ca.pem -subj /CN=authority");
    for name in ["kdc", "alice"] {
        desk.parsec(&format!("key new {name} --algorithm rsa-2048"));
        desk.parsec(&format!("key csr {name} --cn {name} --out {name}.csr"));
        let issue =
            format!("x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile extensions -extensions {name}");
        desk.openssl(&format!("{issue} -out {name}.pem"));
        desk.parsec(&format!("cert put {name} {name}.pem"));
    }
    run(&mut kerberos(&desk, "kdb5_util create -s -P master")).ok();
    run(kerberos(&desk, "kadmin.local -q").arg("addprinc -randkey +requires_preauth alice")).ok();
    let log = desk.path("krb5kdc.log");
    let _kdc = Daemon::start(&mut kerberos(&desk, "krb5kdc -n"), &log, || listens(address));
    for _ in 0..2 {
        let mut kinit = kerberos(&desk, "kinit alice");
        kinit.env("KRB5_TRACE", desk.path("trace"));
        unasked(&mut kinit);
        assert!(desk.text("trace").contains("Preauth module pkinit (17) (real) returned: 0/Success"));
        assert!(run(&mut kerberos(&desk, "klist")).ok().contains("krbtgt/EXAMPLE.ORG@EXAMPLE.ORG"));
        run(&mut kerberos(&desk, "kdestroy")).ok();
        desk.service.restart();
    }
}
