//! Requests, certificates and what authorities sign.

use tests::run;

use crate::desk::{Desk, Openssl, get};

const AUTHORITY_CNF: &str = "
[ca]
default_ca = authority
[authority]
database = index
new_certs_dir = .
rand_serial = yes
default_md = default
default_days = 1
default_crl_days = 1
policy = anybody
[anybody]
commonName = supplied
[tsa]
default_tsa = clock
[clock]
serial = serial
default_policy = 1.2.3.4
digests = sha256
signer_digest = sha256
ess_cert_id_alg = sha256
[req]
distinguished_name = name
[name]
";

pub(crate) fn requests_become_certificates_of_an_authority_in_the_service(openssl: Openssl) {
    let Some(desk) = Desk::new(openssl) else { return };
    desk.parsec("key new authority --algorithm p384 --out authority.pem");
    // without this file, 4.0 takes settings of openssl.cnf for extensions
    desk.write("leaf.cnf", "basicConstraints = CA:FALSE\n");
    desk.ok("req -x509 -key parsec:object=authority -subj /CN=Authority -days 2 -addext basicConstraints=critical,CA:TRUE -out authority.crt");
    desk.each(|desk, kind, key| {
        desk.ok(&format!("req -new -key {key} -subj /CN={kind} -out request.pem"));
        let text = desk.openssl("req -in request.pem -verify -noout -subject");
        assert_eq!(text.trim(), format!("subject=CN = {kind}"));
        for authority in ["authority.pem", "parsec:object=authority"] {
            desk.ok(&format!(
                "x509 -req -in request.pem -CA authority.crt -CAkey {authority} -CAcreateserial -days 1 -extfile leaf.cnf -out leaf.crt"
            ));
            desk.openssl("verify -CAfile authority.crt leaf.crt");
            assert_eq!(desk.openssl("x509 -in leaf.crt -pubkey -noout"), desk.parsec(&format!("key public {kind}")));
        }
    });
}

pub(crate) fn an_authority_certifies_and_revokes(openssl: Openssl) {
    let Some(desk) = Desk::new(openssl) else { return };
    desk.write("authority.cnf", AUTHORITY_CNF);
    desk.each(|desk, _, key| {
        desk.write("index", "");
        desk.ok(&format!(
            "req -x509 -key {key} -subj /CN=Authority -addext basicConstraints=critical,CA:TRUE -out authority.crt"
        ));
        let authority = |arguments: &str| {
            let line = format!("ca -config authority.cnf -batch -cert authority.crt -keyfile {key} {arguments}");
            desk.ok(&line);
        };
        desk.openssl("req -new -newkey ec -pkeyopt group:P-256 -nodes -keyout leaf.key -subj /CN=leaf -out leaf.csr");
        authority("-in leaf.csr -out leaf.crt -notext");
        authority("-gencrl -out authority.crl");
        let verify = "verify -crl_check -CAfile authority.crt -CRLfile authority.crl leaf.crt";
        desk.openssl(verify);
        authority("-revoke leaf.crt");
        authority("-gencrl -out authority.crl");
        let said = desk.run(&format!("openssl {verify}")).refused();
        assert!(said.contains("certificate revoked"), "{said}");
    });
}

pub(crate) fn timestamps_are_signed(openssl: Openssl) {
    let Some(desk) = Desk::new(openssl) else { return };
    desk.write("authority.cnf", AUTHORITY_CNF);
    desk.openssl("ts -query -data message -sha256 -cert -out query");
    // CMS's old form of signature, which timestamps have, knows no Edwards curves; this command takes no URI
    for kind in desk.kinds().into_iter().filter(|kind| *kind != "ed25519") {
        desk.write("serial", "01\n");
        desk.ok(&format!(
            "req -x509 -key {kind}.pem -subj /CN=Clock -addext extendedKeyUsage=critical,timeStamping -out clock.crt"
        ));
        desk.ok(&format!("ts -reply -config authority.cnf -queryfile query -signer clock.crt -inkey {kind}.pem -out reply"));
        desk.openssl("ts -verify -in reply -queryfile query -CAfile clock.crt");
        desk.write("other", "hullo");
        desk.run("openssl ts -verify -in reply -data other -CAfile clock.crt").refused();
    }
}

pub(crate) fn keys_for_pss_alone_have_certificates_of_their_own(openssl: Openssl) {
    let Some(desk) = Desk::new(openssl) else { return };
    desk.ok("genpkey -propquery provider=parsec -algorithm RSA-PSS -pkeyopt parsec-name:pss -out pss.pem");
    desk.parsec("key pem pss --out again.pem");
    // the command line's has lines for people above it
    let (written, again) = (desk.text("pss.pem"), desk.text("again.pem"));
    assert!(again.ends_with(&written), "{written}{again}");
    desk.ok("req -x509 -key parsec:object=pss -subj /CN=localhost -out pss.crt");
    assert!(desk.openssl("x509 -in pss.crt -noout -text").contains("Public Key Algorithm: rsassaPss"));
    let (_server, address) = desk.serve("-cert pss.crt -key pss.pem");
    for version in ["-tls1_2", "-tls1_3"] {
        let connect = format!(
            "s_client -connect {address} {version} -sigalgs rsa_pss_pss_sha384 -ign_eof -CAfile pss.crt -verify_return_error"
        );
        get(&mut desk.command(&format!("openssl {connect}"))).ok();
    }
    let pkcs1 = "dgst -sha256 -sigopt rsa_padding_mode:pkcs1 -sign pss.pem -out signature message";
    assert!(run(&mut desk.ours(pkcs1)).refused().contains("PSS alone"));
}
