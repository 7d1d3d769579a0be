//! GnuTLS with keys of the module: `p11tool`, `certtool`, and `gnutls-serv` with its key and certificate in the token.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use interop::{Daemon, has, may_unshare, provider};
use tests::run;

/// The kinds of key that `p11tool` makes, its arguments for them, and what it calls them.
const KINDS: [(&str, &str, &str); 3] = [
    ("rsa", "rsa --bits 2048", "RSA-2048"),
    ("p256", "ecdsa --curve secp256r1", "EC/ECDSA-SECP256R1"),
    ("p384", "ecdsa --curve secp384r1", "EC/ECDSA-SECP384R1"),
];

/// GnuTLS on a service.
struct Desk(interop::Desk);

impl Desk {
    fn new() -> Option<Self> {
        let desk = interop::Desk::new("p11tool")?.and("certtool")?.and("gnutls-serv")?;
        desk.write(
            "template",
            "cn = localhost\nip_address = 127.0.0.1\ntls_www_server\nsigning_key\nca\ncert_signing_key\nexpiration_days = 10\nserial = 1\n",
        );
        desk.write("issued", "cn = issued\nsigning_key\nexpiration_days = 1\nserial = 2\n");
        Some(Self(desk))
    }

    /// Keys of every kind that GnuTLS uses, with their certificates in files and in the token.
    fn with_certificates() -> Option<Self> {
        let desk = Self::new()?;
        for (name, arguments, _) in KINDS {
            desk.generate(name, arguments);
        }
        if has(&desk.0.service, "ed25519") {
            desk.0.parsec("key new ed25519 --algorithm ed25519");
        }
        for name in desk.names() {
            desk.ok(&format!("certtool --generate-self-signed --template template --outfile {name}.crt {}", pair(name)));
            desk.ok(&format!("p11tool --write --load-certificate {name}.crt --label {name} {}", token()));
        }
        Some(desk)
    }

    fn names(&self) -> impl Iterator<Item = &'static str> {
        KINDS.into_iter().map(|(name, ..)| name).chain(has(&self.0.service, "ed25519").then_some("ed25519"))
    }

    fn generate(&self, name: &str, arguments: &str) {
        self.ok(&format!("p11tool --batch --generate-privkey {arguments} --label {name} --outfile {name}.pub {}", token()));
    }

    /// A program of GnuTLS with our module.
    fn ok(&self, line: &str) -> String {
        let mut command = self.0.command(line);
        run(command.arg("--provider").arg(self.0.module())).ok()
    }
}

fn token() -> String {
    format!("pkcs11:token={}", provider())
}

/// The object of a name and a class.
fn object(name: &str, class: &str) -> String {
    format!("{};object={name};type={class}", token())
}

/// The arguments that name both halves of a key.
fn pair(name: &str) -> String {
    format!("--load-privkey {} --load-pubkey {}", object(name, "private"), object(name, "public"))
}

/// GnuTLS has no default hash for it.
fn hash(name: &str) -> &'static str {
    if name == "ed25519" { "--hash SHA512 " } else { "" }
}

#[test]
fn keys_are_generated_listed_used_and_deleted() {
    let Some(mut desk) = Desk::new() else { return };
    for (name, arguments, kind) in KINDS {
        desk.generate(name, arguments);
        let listed = desk.ok(&format!("p11tool --list-all {}", token()));
        for class in ["private", "public"] {
            assert!(listed.contains(&format!("object={name};type={class}")), "{listed}");
        }
        let listed = desk.ok(&format!("p11tool --list-privkeys {}", token()));
        assert!(listed.contains(&format!("Type: Private key ({kind})")) && !listed.contains("type=public"), "{listed}");
        let public = desk.ok(&format!("p11tool --export-pubkey {}", object(name, "private")));
        assert_eq!(public, desk.0.text(format!("{name}.pub")));
        assert_eq!(public, desk.0.parsec(&format!("key public {name}")));
        desk.ok(&format!("p11tool --test-sign {}", object(name, "private")));
        let deleted = desk.ok(&format!("p11tool --batch --delete {};object={name}", token()));
        assert!(deleted.contains("objects deleted"), "{deleted}");
        assert!(desk.0.parsec("key list").contains("No keys"));
    }
    desk.0.row.except("generating Ed25519, which this GnuTLS asks for with the mechanism to sign");
}

#[test]
fn keys_are_written_and_used() {
    let Some(desk) = Desk::new() else { return };
    for (name, algorithm) in [
        ("rsa-2048", "RSA -pkeyopt rsa_keygen_bits:2048"),
        ("p256", "EC -pkeyopt group:P-256"),
        ("p521", "EC -pkeyopt group:P-521"),
        ("ed25519", "ED25519"),
    ] {
        if !has(&desk.0.service, name) {
            continue;
        }
        desk.0.openssl(&format!("genpkey -algorithm {algorithm} -out {name}.key"));
        desk.ok(&format!("p11tool --write --load-privkey {name}.key --label {name} {}", token()));
        assert_eq!(desk.0.parsec(&format!("key public {name}")), desk.0.openssl(&format!("pkey -in {name}.key -pubout")));
        desk.ok(&format!("p11tool --test-sign {}{}", hash(name), object(name, "private")));
    }
    if !has(&desk.0.service, "aes-128") {
        return;
    }
    desk.ok(&format!("p11tool --write --secret-key 000102030405060708090a0b0c0d0e0f --label secret {}", token()));
    let listed = desk.ok(&format!("p11tool --list-all {}", object("secret", "secret-key")));
    assert!(listed.contains("Type: Secret key") && listed.contains("CKA_SENSITIVE"), "{listed}");
}

#[test]
fn certificates_are_signed_and_stored_beside_their_keys() {
    let Some(desk) = Desk::with_certificates() else {
        return;
    };
    for name in desk.names() {
        desk.0.openssl(&format!("verify -CAfile {name}.crt {name}.crt"));
        let listed = desk.ok(&format!("p11tool --list-all-certs {};object={name}", token()));
        let id = |listed: &str| listed.lines().find_map(|line| line.trim().strip_prefix("ID: ").map(str::to_owned));
        let key = desk.ok(&format!("p11tool --list-privkeys {};object={name}", token()));
        assert!(id(&key).is_some() && id(&listed) == id(&key), "{listed}{key}");
        let read = desk.ok(&format!("p11tool --export {}", object(name, "cert")));
        assert_eq!(read.trim(), desk.0.text(format!("{name}.crt")).trim());

        // an authority in the token signs for another key of it
        let authority = format!("--load-ca-certificate {name}.crt --load-ca-privkey {}", object(name, "private"));
        desk.ok(&format!("certtool --generate-certificate --template issued {authority} {} --outfile issued.crt", pair("p256")));
        desk.0.openssl(&format!("verify -CAfile {name}.crt issued.crt"));
    }
    // messages, with the key that every version of GnuTLS signs them with
    let signer = format!("--load-privkey {} --load-certificate rsa.crt", object("rsa", "private"));
    desk.ok(&format!("certtool --p7-sign {signer} --infile template --outfile signed.p7"));
    desk.0.openssl("cms -verify -inform PEM -in signed.p7 -CAfile rsa.crt -purpose any -out opened");
    assert_eq!(desk.0.text("opened"), desk.0.text("template"));
}

#[test]
fn gnutls_serv_has_its_key_and_certificate_in_the_token() {
    let (Some(desk), true) = (Desk::with_certificates(), may_unshare()) else {
        return;
    };
    for name in desk.names() {
        let (key, certificate) = (object(name, "private"), object(name, "cert"));
        let module = desk.0.module();
        let module = module.display();
        let mut server = desk.0.isolated(&format!(
            "gnutls-serv --provider {module} --port 4433 --http --x509keyfile '{key}' --x509certfile '{certificate}'"
        ));
        let log = desk.0.path(format!("{name}.log"));
        let ready = || std::fs::read_to_string(&log).unwrap().contains("port 4433...done");
        let server = Daemon::start(&mut server, &log, ready);
        for version in ["1.2", "1.3"] {
            let priority = format!("NORMAL:-VERS-ALL:+VERS-TLS{version}");
            let connect = format!("gnutls-cli --x509cafile {name}.crt --port 4433 --priority {priority} 127.0.0.1");
            let said = desk.0.beside(&server, &connect);
            let version = format!("Description: (TLS{version}");
            assert!(said.contains("The certificate is trusted") && said.contains(&version), "{said}");
        }
        let connect = format!("openssl s_client -connect 127.0.0.1:4433 -CAfile {name}.crt -verify_return_error");
        let said = desk.0.beside(&server, &connect);
        assert!(said.contains("Verify return code: 0 (ok)"), "{said}");
    }
}

#[test]
fn a_token_is_initialised_and_its_pin_is_asked_for() {
    let Some(desk) = Desk::new() else { return };
    let p11tool = |arguments: &str| {
        let mut command = desk.0.command(&format!("p11tool --batch {arguments}"));
        command.env("GNUTLS_PIN", "1234").env("GNUTLS_SO_PIN", "officer");
        run(command.arg("--provider").arg(desk.0.module())).ok()
    };
    p11tool(&format!("--initialize --label mine {}", token()));
    p11tool("--initialize-pin --set-pin 1234 pkcs11:token=mine");
    p11tool("--login --generate-privkey ecdsa --curve secp256r1 --label web --outfile public.pem pkcs11:token=mine");
    assert!(!p11tool("--list-all pkcs11:token=mine").contains("type=private"));
    assert!(p11tool("--login --list-all pkcs11:token=mine").contains("object=web;type=private"));
    p11tool("--login --test-sign pkcs11:token=mine;object=web;type=private");
}
