//! NSS with the module in its database: `certutil` makes keys and certificates in the token, others sign, decrypt and serve with them.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use interop::{Daemon, eventually, may_unshare, provider};
use tests::{Ran, feed};

/// The kinds of key that `certutil` makes here, and its arguments for them.
const KINDS: [(&str, &str); 3] = [("rsa", "-k rsa -g 2048"), ("p256", "-k ec -q nistp256"), ("p384", "-k ec -q secp384r1")];

/// NSS on a service: a database of its own, which names the module.
struct Desk(interop::Desk);

impl Desk {
    fn new(program: &str) -> Option<Self> {
        let desk = interop::Desk::new(program)?.and("certutil")?.and("modutil")?;
        std::fs::create_dir(desk.path("db")).unwrap();
        // who has no PIN types none, and takes what is proposed
        desk.ok("certutil -N -d sql:db --empty-password");
        desk.ok(&format!("modutil -dbdir sql:db -add parsec -libfile {} -force", desk.module().display()));
        desk.write("noise", [7; 64]);
        desk.write("message", "hello\n");
        Some(Self(desk))
    }

    /// An authority in the token, and certificates of it for a key of every kind.
    fn with_certificates(program: &str) -> Option<Self> {
        let desk = Self::new(program)?;
        let make = "-k ec -q nistp256 -x -s CN=authority -t CT,C,C -m 1 -2 --keyUsage certSigning,digitalSignature";
        // an authority, with paths of any length, and critically so
        desk.make("authority", make, "y\n\ny\n").ok();
        for (serial, (name, kind)) in (2..).zip(KINDS) {
            let usage = "--keyUsage digitalSignature,keyEncipherment --nsCertType sslServer,sslClient,smime,objectSigning";
            let subject = format!("-s CN=localhost,O={name},E={name}@example.com -8 localhost -t u,u,u -m {serial}");
            desk.make(name, &format!("{kind} -c {} {subject} {usage}", nickname("authority")), "").ok();
        }
        for name in Self::names().chain(["authority"]) {
            let certificate = desk.certutil(&format!("-L -a -n {}", nickname(name))).ok();
            desk.0.write(format!("{name}.crt"), certificate);
        }
        Some(desk)
    }

    fn names() -> impl Iterator<Item = &'static str> {
        KINDS.into_iter().map(|(name, _)| name)
    }

    fn certutil(&self, arguments: &str) -> Ran {
        self.0.run(&format!("certutil -d sql:db {arguments}"))
    }

    /// Makes a key and its certificate in the token.
    fn make(&self, name: &str, arguments: &str, answers: &str) -> Ran {
        let line = format!("certutil -d sql:db -S -h {} -n {name} -z noise {arguments}", provider());
        feed(&mut self.0.command(&line), answers.as_bytes())
    }

    /// The keys and the certificates that `certutil` lists in the token.
    fn listed(&self) -> [String; 2] {
        // it fails when there are no keys
        ["-K", "-L"].map(|list| self.certutil(&format!("{list} -h {}", provider())).out)
    }
}

fn nickname(name: &str) -> String {
    format!("{}:{name}", provider())
}

#[test]
fn modutil_adds_the_module() {
    let Some(desk) = Desk::new("modutil") else { return };
    let listed = desk.0.ok("modutil -dbdir sql:db -list parsec");
    assert!(listed.contains(&format!("Token Name: {}", provider())), "{listed}");
    assert!(listed.contains("Status: Enabled") && listed.contains("Login Type: Public (no login required)"), "{listed}");
    desk.0.ok("modutil -dbdir sql:db -delete parsec -force");
    desk.0.run("modutil -dbdir sql:db -list parsec").refused();
}

#[test]
fn certutil_makes_lists_and_deletes_keys_and_certificates() {
    let Some(desk) = Desk::with_certificates("certutil") else {
        return;
    };
    let [keys, certificates] = desk.listed();
    for name in Desk::names() {
        let nickname = nickname(name);
        assert!(keys.contains(&nickname), "{keys}");
        // `u`: its private key is there
        let line = certificates.lines().find(|line| line.starts_with(&nickname)).unwrap();
        assert!(line.ends_with("u,u,u"), "{certificates}");
        desk.0.openssl(&format!("verify -CAfile authority.crt {name}.crt"));
        let said = desk.certutil(&format!("-V -n {nickname} -u V")).ok();
        assert!(said.contains("certificate is valid"), "{said}");
    }
    let request = format!("-R -a -h {} -s CN=request -z noise -k rsa -o request", provider());
    desk.certutil(&request).ok();
    desk.0.openssl("req -in request -verify -noout");

    for name in Desk::names() {
        let [keys, _] = desk.listed();
        let line = keys.lines().find(|line| line.ends_with(&nickname(name))).unwrap();
        let id = line.split_whitespace().find(|word| word.len() == 40).unwrap().to_owned();
        desk.certutil(&format!("-D -n {}", nickname(name))).ok();
        desk.certutil(&format!("-F -h {} -k {id}", provider())).ok();
        let [keys, certificates] = desk.listed();
        assert!(!keys.contains(&id) && !certificates.contains(&nickname(name)), "{keys}{certificates}");
    }
}

#[test]
fn key_and_certificate_come_from_a_pkcs_12_file() {
    let Some(desk) = Desk::new("pk12util") else { return };
    for (name, kind) in [("rsa", "rsa:2048"), ("p256", "ec -pkeyopt ec_paramgen_curve:P-256")] {
        desk.0.openssl(&format!("req -x509 -newkey {kind} -nodes -subj /CN={name} -keyout {name}.key -out {name}.crt"));
        let export = format!("pkcs12 -export -inkey {name}.key -in {name}.crt -name {name} -passout pass:secret -out {name}.p12");
        desk.0.openssl(&export);
        desk.0.ok(&format!("pk12util -d sql:db -h {} -i {name}.p12 -W secret", provider()));
        let [keys, certificates] = desk.listed();
        assert!(keys.contains(name) && certificates.contains(&nickname(name)), "{keys}{certificates}");
        desk.certutil(&format!("-M -n {} -t CT,C,C", nickname(name))).ok();
        desk.0.ok(&format!("cmsutil -S -G -d sql:db -N {} -i message -o signed", nickname(name)));
        desk.0.openssl(&format!("cms -verify -inform DER -in signed -CAfile {name}.crt -purpose any -out opened"));
    }
}

#[test]
fn messages_are_signed_and_decrypted() {
    let Some(desk) = Desk::with_certificates("cmsutil") else {
        return;
    };
    for name in Desk::names() {
        desk.0.ok(&format!("cmsutil -S -G -d sql:db -N {} -i message -o signed", nickname(name)));
        desk.0.openssl("cms -verify -inform DER -in signed -CAfile authority.crt -out opened");
        assert_eq!(desk.0.read("opened"), b"hello\n");
        assert_eq!(desk.0.ok("cmsutil -D -d sql:db -i signed"), "hello\n");
    }
    desk.0.openssl("cms -encrypt -outform DER -in message -out sealed rsa.crt");
    assert_eq!(desk.0.ok("cmsutil -D -d sql:db -i sealed").trim(), "hello");
}

#[test]
fn archives_are_signed() {
    let Some(mut desk) = Desk::with_certificates("signtool") else {
        return;
    };
    std::fs::create_dir(desk.0.path("tree")).unwrap();
    desk.0.write("tree/file", "hello");
    desk.0.ok(&format!("signtool -d sql:db -k {} -Z signed.jar tree", nickname("rsa")));
    let said = desk.0.ok("signtool -d sql:db -v signed.jar");
    assert!(said.contains("verified   file"), "{said}");
    desk.0.row.except("EC keys, with which it signs SHA-1 alone");
}

#[test]
fn selfserv_and_its_clients_have_their_keys_in_the_token() {
    let (Some(desk), true) = (Desk::with_certificates("selfserv"), may_unshare()) else {
        return;
    };
    let keys = format!("-n {} -e {}", nickname("rsa"), nickname("p256"));
    desk.0.write("request", "GET / HTTP/1.0\r\n\r\n");
    let mut server = desk.0.isolated(&format!("selfserv -d sql:db -p 4433 -V tls1.2:tls1.3 -v -r {keys}"));
    let log = desk.0.path("selfserv.log");
    let ready = || std::fs::read_to_string(&log).unwrap().contains("About to call accept");
    let server = Daemon::start(&mut server, &log, ready);
    for (times, version) in [(1, "tls1.2"), (2, "tls1.3")] {
        for name in ["rsa", "p256"] {
            let client =
                format!("tstclnt -4 -h localhost -p 4433 -d sql:db -A request -V {version}:{version} -n {}", nickname(name));
            desk.0.beside(&server, &client);
            let shown = format!("Subject: CN=localhost,O={name},E={name}@example.com\n");
            eventually("the client's certificate", || (server.log().matches(&shown).count() == times).then_some(()));
        }
    }
    for (name, suites) in [("rsa", "ECDHE-RSA-AES128-GCM-SHA256"), ("p256", "ECDHE-ECDSA-AES128-GCM-SHA256")] {
        let connect = format!("openssl s_client -connect 127.0.0.1:4433 -CAfile authority.crt -tls1_2 -cipher {suites}");
        let said = desk.0.beside(&server, &connect);
        assert!(said.contains(&format!("emailAddress = {name}@example.com, O = {name}, CN = localhost")), "{said}");
    }
}
