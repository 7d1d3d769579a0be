//! The `openssl` command with keys that live in the service, named by URI and by reference file: that of the system, which links
//! libcrypto, and newer ones that have it inside. All load the same provider.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::path::PathBuf;
use std::process::Command;

use interface::algorithm::{Agreement, Encryption, Hash, SignHash, Signature};
use interface::attributes::{Attributes, EccFamily, KeyType, Policy, Usage};
use interface::operations::GenerateKey;
use interop::{Daemon, Row, had, has, listens, loopback, provider, setup};
use tests::{Service, feed, run};

const KINDS: [&str; 5] = ["rsa-2048", "p256", "p384", "p521", "ed25519"];

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

macro_rules! tests {
    ($($name:ident)*) => {
        tests! { @with system System $($name)* }
        tests! { @with v3_5 V3_5 $($name)* }
        tests! { @with v4_0 V4_0 $($name)* }
    };
    (@with $module:ident $openssl:ident $($name:ident)*) => {
        mod $module {
            use super::Openssl;
            $(#[test] fn $name() { super::$name(Openssl::$openssl) })*
        }
    };
}

tests! {
    signatures_verify_elsewhere
    requests_become_certificates_of_an_authority_in_the_service
    signed_messages_verify_elsewhere
    servers_and_clients_of_tls
    what_others_encrypt_is_decrypted
    secrets_are_agreed_on_with_others
    messages_to_a_certificate_are_decrypted_by_agreeing_on_a_secret
    each_of_several_recipients_decrypts_a_message
    an_authority_certifies_and_revokes
    timestamps_are_signed
    tls_without_ephemeral_keys_works_where_the_policy_permits_it
    keys_that_openssl_makes_stay_in_the_service
    keys_for_pss_alone_have_certificates_of_their_own
    the_store_lists_keys_and_certificates
    private_keys_stay_where_they_are
    refusals_name_what_is_missing
}

macro_rules! newer_tests {
    ($($name:ident)*) => {
        tests! { @with newer_3_5 V3_5 $($name)* }
        tests! { @with newer_4_0 V4_0 $($name)* }
    };
}

newer_tests! {
    keys_of_ml_dsa_sign_requests_certificates_and_messages
    servers_with_keys_of_ml_dsa_leave_the_hybrid_key_exchange_alone
    algorithms_with_their_digest_built_in_sign_in_every_way
}

/// An `openssl` command.
#[derive(Clone, Copy)]
enum Openssl {
    System,
    V3_5,
    V4_0,
}

impl Openssl {
    fn program(self) -> PathBuf {
        match self {
            Self::System => "openssl".into(),
            Self::V3_5 => interop::openssl_3_5(),
            Self::V4_0 => interop::openssl_4_0(),
        }
    }

    fn row(self) -> Option<Row> {
        match self {
            Self::System => Row::program("openssl"),
            Self::V3_5 | Self::V4_0 => Some(Row::peer("openssl", &self.program())),
        }
    }
}

/// A service with a key of each kind, named after it.
struct Desk {
    service: Service,
    openssl: PathBuf,
    row: Row,
}

impl Desk {
    fn new(openssl: Openssl) -> Option<Self> {
        let desk = Self { row: openssl.row()?, openssl: openssl.program(), service: setup().start() };
        for kind in desk.kinds() {
            desk.parsec(&format!("key new {kind} --algorithm {kind} --out {kind}.pem"));
        }
        desk.write("message", "hello");
        Some(desk)
    }

    fn write(&self, file: &str, text: &str) {
        std::fs::write(self.service.dir().join(file), text).unwrap();
    }

    fn parsec(&self, arguments: &str) -> String {
        run(&mut self.service.parsec(arguments.split(' '))).ok()
    }

    /// `openssl` with our provider.
    fn ours(&self, arguments: &str) -> Command {
        let mut command = self.service.command(&self.openssl);
        command.env("OPENSSL_CONF", self.service.openssl_conf()).args(arguments.split(' '));
        command
    }

    fn ok(&self, arguments: &str) -> String {
        run(&mut self.ours(arguments)).ok()
    }

    /// The newer `openssl` without our provider.
    fn theirs(&self, arguments: &str) -> Command {
        let mut command = self.service.command(&self.openssl);
        command.env("OPENSSL_CONF", "/dev/null").args(arguments.split(' '));
        command
    }

    /// `openssl` without our provider, as whoever receives what we made runs it.
    fn plain(&self, arguments: &str) -> String {
        let mut command = self.service.command("openssl");
        run(command.args(arguments.split(' '))).ok()
    }

    /// Makes an RSA key that signs and decrypts, `vault`.
    fn vault(&self) {
        let hash = SignHash::Any;
        let policy = Policy {
            usage: Usage::SIGN | Usage::DECRYPT,
            algorithm: Encryption::RsaPkcs1v15.into(),
            also: vec![
                Encryption::RsaOaep { hash: Hash::Sha256 }.into(),
                Signature::RsaPkcs1v15 { hash }.into(),
                Signature::RsaPss { hash }.into(),
            ],
        };
        self.generate("vault", KeyType::RsaKeyPair, 2048, policy);
        self.ok("req -x509 -key vault.pem -subj /CN=localhost -out vault.crt");
    }

    /// Makes an EC key that signs and agrees on secrets, `mail`.
    fn mail(&self) {
        let policy = Policy {
            usage: Usage::DERIVE | Usage::SIGN,
            algorithm: Agreement::Ecdh.into(),
            also: vec![Signature::Ecdsa { hash: SignHash::Any }.into()],
        };
        self.generate("mail", KeyType::EccKeyPair(EccFamily::SecpR1), 384, policy);
        self.ok("req -x509 -key mail.pem -subj /CN=mail -out mail.crt");
    }

    /// Makes a key with a policy of its own, its reference and its public key.
    fn generate(&self, name: &str, key_type: KeyType, bits: u32, policy: Policy) {
        let attributes = Attributes { key_type, bits, policy };
        let generate =
            GenerateKey { key_name: name.to_owned(), attributes: Some((&attributes).into()), ..GenerateKey::default() };
        let client = self.service.client();
        client.call(client.default_provider().unwrap(), &generate).unwrap();
        self.parsec(&format!("key pem {name} --out {name}.pem"));
        self.parsec(&format!("key public {name} --out {name}.pub"));
    }

    /// A desk for ML-DSA, where the provider has it.
    fn with_ml_dsa(openssl: Openssl) -> Option<Self> {
        let mut desk = Self::new(openssl)?;
        let can = has(&desk.service, "ml-dsa-65");
        if !can {
            desk.row.cancel();
        }
        can.then_some(desk)
    }

    /// Those that its provider has.
    fn kinds(&self) -> Vec<&'static str> {
        had(&self.service, &KINDS)
    }

    /// Does something with every kind of key, under both of its names.
    fn each(&self, work: impl Fn(&Self, &str, &str)) {
        for kind in self.kinds() {
            for key in [format!("{kind}.pem"), format!("parsec:object={kind}")] {
                work(self, kind, &key);
            }
        }
    }
}

fn signatures_verify_elsewhere(openssl: Openssl) {
    let Some(desk) = Desk::new(openssl) else { return };
    desk.each(|desk, kind, key| {
        desk.ok(&format!("pkey -in {key} -pubout -out public.pem"));
        let public = std::fs::read_to_string(desk.service.dir().join("public.pem")).unwrap();
        assert_eq!(public, desk.parsec(&format!("key public {kind}")));
        if kind == "ed25519" {
            desk.ok(&format!("pkeyutl -sign -rawin -inkey {key} -in message -out signature"));
            desk.plain("pkeyutl -verify -rawin -pubin -inkey public.pem -in message -sigfile signature");
            return;
        }
        let pss = " -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest";
        for padding in ["", pss] {
            if padding == pss && !kind.starts_with("rsa") {
                continue;
            }
            for hash in ["sha224", "sha256", "sha384", "sha512"] {
                desk.ok(&format!("dgst -{hash}{padding} -sign {key} -out signature message"));
                let verify = format!("dgst -{hash}{padding} -verify public.pem -signature signature");
                desk.plain(&format!("{verify} message"));
                desk.write("other", "hullo");
                let mut other = desk.service.command("openssl");
                run(other.args(format!("{verify} other").split(' '))).refused();
            }
        }
    });
}

fn requests_become_certificates_of_an_authority_in_the_service(openssl: Openssl) {
    let Some(desk) = Desk::new(openssl) else { return };
    desk.parsec("key new authority --algorithm p384 --out authority.pem");
    // without this file, 4.0 takes settings of openssl.cnf for extensions
    desk.write("leaf.cnf", "basicConstraints = CA:FALSE\n");
    desk.ok("req -x509 -key parsec:object=authority -subj /CN=Authority -days 2 -addext basicConstraints=critical,CA:TRUE -out authority.crt");
    desk.each(|desk, kind, key| {
        desk.ok(&format!("req -new -key {key} -subj /CN={kind} -out request.pem"));
        let text = desk.plain("req -in request.pem -verify -noout -subject");
        assert_eq!(text.trim(), format!("subject=CN = {kind}"));
        for authority in ["authority.pem", "parsec:object=authority"] {
            desk.ok(&format!(
                "x509 -req -in request.pem -CA authority.crt -CAkey {authority} -CAcreateserial -days 1 -extfile leaf.cnf -out leaf.crt"
            ));
            desk.plain("verify -CAfile authority.crt leaf.crt");
            assert_eq!(desk.plain("x509 -in leaf.crt -pubkey -noout"), desk.parsec(&format!("key public {kind}")));
        }
    });
}

fn signed_messages_verify_elsewhere(openssl: Openssl) {
    let Some(desk) = Desk::new(openssl) else { return };
    desk.each(|desk, kind, key| {
        // OpenSSL 3.0 has no Ed25519 in CMS
        if kind == "ed25519" {
            return;
        }
        desk.ok(&format!("req -x509 -key {key} -subj /CN=a -out signer.crt"));
        for command in ["cms", "smime"] {
            desk.ok(&format!("{command} -sign -nodetach -in message -text -signer signer.crt -inkey {key} -out signed"));
            let content = desk.plain(&format!("{command} -verify -in signed -text -CAfile signer.crt"));
            assert_eq!(content, "hello");
        }
    });
}

fn servers_and_clients_of_tls(openssl: Openssl) {
    let Some(desk) = Desk::new(openssl) else { return };
    desk.each(|desk, _, key| {
        desk.ok(&format!("req -x509 -key {key} -subj /CN=localhost -out tls.crt"));
        let identity = format!("-cert tls.crt -key {key} -CAfile tls.crt -verify_return_error");
        let address = loopback();
        let mut server = desk.ours(&format!("s_server -accept {address} -www -Verify 1 {identity}"));
        let log = desk.service.dir().join("s_server.log");
        let _server = Daemon::start(&mut server, &log, || listens(address));
        for (option, version) in [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")] {
            let mut client = desk.ours(&format!("s_client -connect {address} {option} -ign_eof {identity}"));
            let said = feed(&mut client, b"GET / HTTP/1.0\r\n\r\n").ok();
            assert!(said.contains("Verification: OK") && said.contains(&format!("New, {version}")), "{said}");
            // the page tells what the server made of the client
            assert!(said.contains("HTTP/1.0 200 ok") && said.contains("Client certificate"), "{said}");
        }
    });
}

fn what_others_encrypt_is_decrypted(openssl: Openssl) {
    let Some(desk) = Desk::new(openssl) else { return };
    desk.vault();
    let oaep = "-pkeyopt rsa_padding_mode:oaep";
    for options in
        ["-pkeyopt rsa_padding_mode:pkcs1".to_owned(), format!("{oaep} -pkeyopt rsa_oaep_md:sha256 -pkeyopt rsa_oaep_label:0102")]
    {
        desk.plain(&format!("pkeyutl -encrypt -pubin -inkey vault.pub {options} -in message -out ciphertext"));
        for key in ["vault.pem", "parsec:object=vault"] {
            let decrypt = format!("pkeyutl -decrypt -inkey {key} {options} -in ciphertext");
            assert_eq!(desk.ok(&decrypt), "hello", "{options}");
        }
    }
    for command in ["cms", "smime"] {
        desk.plain(&format!("{command} -encrypt -aes-256-cbc -text -in message -out encrypted vault.crt"));
        let decrypt = format!("{command} -decrypt -text -in encrypted -recip vault.crt -inkey vault.pem");
        assert_eq!(desk.ok(&decrypt), "hello");
    }
    // SHA-1, which nobody named, is not in the policy
    let said = run(&mut desk.ours(&format!("pkeyutl -decrypt -inkey vault.pem {oaep} -in ciphertext"))).refused();
    assert!(said.contains("Sha1"), "{said}");
}

fn secrets_are_agreed_on_with_others(openssl: Openssl) {
    let Some(desk) = Desk::new(openssl) else { return };
    let kinds = [
        (EccFamily::SecpR1, 256, "EC -pkeyopt ec_paramgen_curve:P-256"),
        (EccFamily::SecpR1, 521, "EC -pkeyopt ec_paramgen_curve:P-521"),
        (EccFamily::Montgomery, 255, "X25519"),
    ];
    for (family, bits, other) in kinds {
        if family == EccFamily::Montgomery && !has(&desk.service, "x25519") {
            continue;
        }
        let name = format!("agree-{bits}");
        let policy = Policy { usage: Usage::DERIVE | Usage::SIGN, algorithm: Agreement::Ecdh.into(), also: vec![] };
        desk.generate(&name, KeyType::EccKeyPair(family), bits, policy);
        desk.plain(&format!("genpkey -algorithm {other} -out other.key"));
        desk.plain("pkey -in other.key -pubout -out other.pub");
        desk.plain(&format!("pkeyutl -derive -inkey other.key -peerkey {name}.pub -out expected"));
        let read = |file| std::fs::read(desk.service.dir().join(file)).unwrap();
        for key in [format!("{name}.pem"), format!("parsec:object={name}")] {
            desk.ok(&format!("pkeyutl -derive -inkey {key} -peerkey other.pub -out secret"));
            assert_eq!(read("secret"), read("expected"), "{name}");
        }
    }
    // a key that signs only
    desk.plain("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out other.key");
    desk.plain("pkey -in other.key -pubout -out other.pub");
    let derive = "pkeyutl -derive -inkey p256.pem -peerkey other.pub";
    let said = run(&mut desk.ours(derive)).refused();
    assert!(said.contains("not for derive"), "{said}");
}

fn messages_to_a_certificate_are_decrypted_by_agreeing_on_a_secret(openssl: Openssl) {
    let Some(desk) = Desk::new(openssl) else { return };
    desk.mail();
    desk.plain("cms -encrypt -aes256 -text -in message -out encrypted -recip mail.crt -keyopt ecdh_kdf_md:sha256");
    for key in ["mail.pem", "parsec:object=mail"] {
        let decrypt = format!("cms -decrypt -text -in encrypted -recip mail.crt -inkey {key}");
        assert_eq!(desk.ok(&decrypt), "hello");
    }
}

fn each_of_several_recipients_decrypts_a_message(openssl: Openssl) {
    let Some(desk) = Desk::new(openssl) else { return };
    desk.vault();
    desk.mail();
    desk.plain("req -x509 -newkey rsa:2048 -nodes -keyout other.pem -subj /CN=other -out other.crt");
    desk.plain("cms -encrypt -aes256 -text -in message -out encrypted other.crt vault.crt mail.crt");
    for recipient in ["vault", "mail", "other"] {
        let decrypt = format!("cms -decrypt -text -in encrypted -recip {recipient}.crt -inkey {recipient}.pem");
        assert_eq!(desk.ok(&decrypt), "hello");
    }
    // and nobody has to say which of them is meant
    assert_eq!(desk.ok("cms -decrypt -text -in encrypted -inkey vault.pem"), "hello");
    let stranger = "cms -decrypt -text -in encrypted -recip mail.crt -inkey p384.pem";
    run(&mut desk.ours(stranger)).refused();
}

fn an_authority_certifies_and_revokes(openssl: Openssl) {
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
        desk.plain("req -new -newkey ec -pkeyopt group:P-256 -nodes -keyout leaf.key -subj /CN=leaf -out leaf.csr");
        authority("-in leaf.csr -out leaf.crt -notext");
        authority("-gencrl -out authority.crl");
        let verify = "verify -crl_check -CAfile authority.crt -CRLfile authority.crl leaf.crt";
        desk.plain(verify);
        authority("-revoke leaf.crt");
        authority("-gencrl -out authority.crl");
        let said = run(desk.service.command("openssl").args(verify.split(' '))).refused();
        assert!(said.contains("certificate revoked"), "{said}");
    });
}

fn timestamps_are_signed(openssl: Openssl) {
    let Some(desk) = Desk::new(openssl) else { return };
    desk.write("authority.cnf", AUTHORITY_CNF);
    desk.plain("ts -query -data message -sha256 -cert -out query");
    // CMS's old form of signature, which timestamps have, knows no Edwards curves; this command takes no URI
    for kind in desk.kinds().into_iter().filter(|kind| *kind != "ed25519") {
        desk.write("serial", "01\n");
        desk.ok(&format!(
            "req -x509 -key {kind}.pem -subj /CN=Clock -addext extendedKeyUsage=critical,timeStamping -out clock.crt"
        ));
        desk.ok(&format!("ts -reply -config authority.cnf -queryfile query -signer clock.crt -inkey {kind}.pem -out reply"));
        desk.plain("ts -verify -in reply -queryfile query -CAfile clock.crt");
        desk.write("other", "hullo");
        run(desk.service.command("openssl").args("ts -verify -in reply -data other -CAfile clock.crt".split(' '))).refused();
    }
}

fn tls_without_ephemeral_keys_works_where_the_policy_permits_it(openssl: Openssl) {
    let Some(desk) = Desk::new(openssl) else { return };
    desk.vault();
    desk.ok("req -x509 -key rsa-2048.pem -subj /CN=localhost -out rsa-2048.crt");
    for (name, permitted) in [("vault", true), ("rsa-2048", false)] {
        let address = loopback();
        let serve = format!("s_server -accept {address} -www -cert {name}.crt -key {name}.pem -cipher ALL");
        let log = desk.service.dir().join("s_server.log");
        let _server = Daemon::start(&mut desk.ours(&serve), &log, || listens(address));
        let connect = |cipher: &str| {
            let connect =
                format!("s_client -connect {address} -tls1_2 -cipher {cipher} -ign_eof -CAfile {name}.crt -verify_return_error");
            feed(&mut desk.ours(&connect), b"GET / HTTP/1.0\r\n\r\n")
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

fn keys_that_openssl_makes_stay_in_the_service(openssl: Openssl) {
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
            desk.plain(&format!("verify -CAfile {name}.crt {name}.crt"));
        }
    }
    desk.plain("cms -encrypt -aes256 -text -in message -out encrypted -recip new-ec.crt");
    assert_eq!(desk.ok("cms -decrypt -text -in encrypted -recip new-ec.crt -inkey new-ec.pem"), "hello");
    let oaep = "-pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256";
    desk.ok(&format!("pkeyutl -encrypt -inkey new-rsa.pem {oaep} -in message -out ciphertext"));
    assert_eq!(desk.ok(&format!("pkeyutl -decrypt -inkey new-rsa.pem {oaep} -in ciphertext")), "hello");
    // the name is taken
    let again = format!("{genpkey} EC -pkeyopt group:P-256 -pkeyopt parsec-name:new-ec");
    assert!(run(&mut desk.ours(&again)).refused().contains("new-ec"));
}

fn keys_for_pss_alone_have_certificates_of_their_own(openssl: Openssl) {
    let Some(desk) = Desk::new(openssl) else { return };
    desk.ok("genpkey -propquery provider=parsec -algorithm RSA-PSS -pkeyopt parsec-name:pss -out pss.pem");
    desk.parsec("key pem pss --out again.pem");
    let read = |file| std::fs::read_to_string(desk.service.dir().join(file)).unwrap();
    assert_eq!(read("pss.pem"), read("again.pem"));
    desk.ok("req -x509 -key parsec:object=pss -subj /CN=localhost -out pss.crt");
    assert!(desk.plain("x509 -in pss.crt -noout -text").contains("Public Key Algorithm: rsassaPss"));
    let address = loopback();
    let mut server = desk.ours(&format!("s_server -accept {address} -www -cert pss.crt -key pss.pem"));
    let _server = Daemon::start(&mut server, &desk.service.dir().join("s_server.log"), || listens(address));
    for version in ["-tls1_2", "-tls1_3"] {
        let connect = format!(
            "s_client -connect {address} {version} -sigalgs rsa_pss_pss_sha384 -ign_eof -CAfile pss.crt -verify_return_error"
        );
        let mut client = desk.service.command("openssl");
        feed(client.args(connect.split(' ')), b"GET / HTTP/1.0\r\n\r\n").ok();
    }
    let pkcs1 = "dgst -sha256 -sigopt rsa_padding_mode:pkcs1 -sign pss.pem -out signature message";
    assert!(run(&mut desk.ours(pkcs1)).refused().contains("PSS alone"));
}

fn the_store_lists_keys_and_certificates(openssl: Openssl) {
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
    assert_eq!(desk.ok("x509 -in parsec:object=p256 -fingerprint -noout"), desk.plain("x509 -in p256.crt -fingerprint -noout"));
}

fn private_keys_stay_where_they_are(openssl: Openssl) {
    let Some(desk) = Desk::new(openssl) else { return };
    desk.each(|desk, _, key| {
        for command in [format!("pkey -in {key}"), format!("pkey -in {key} -traditional"), format!("pkey -in {key} -text")] {
            let ran = run(&mut desk.ours(&command));
            assert!(!ran.out.contains("PRIVATE KEY") && !ran.out.contains("priv:"), "{}", ran.out);
        }
    });
}

fn refusals_name_what_is_missing(openssl: Openssl) {
    let Some(mut desk) = Desk::new(openssl) else { return };
    let refused =
        |desk: &Desk, key: &str| run(&mut desk.ours(&format!("dgst -sha256 -sign {key} -out signature message"))).refused();
    let said = refused(&desk, "parsec:object=absent");
    assert!(said.contains("no key 'absent'"), "{said}");
    desk.parsec("key rm p256");
    let said = refused(&desk, "p256.pem");
    assert!(said.contains("no key 'p256'"), "{said}");
    desk.service.stop();
    for key in ["p384.pem", "parsec:object=p384"] {
        let said = refused(&desk, key);
        assert!(said.contains("start the service"), "{said}");
    }
}

fn keys_of_ml_dsa_sign_requests_certificates_and_messages(openssl: Openssl) {
    let Some(desk) = Desk::with_ml_dsa(openssl) else { return };
    for (name, algorithm) in [("ml-dsa-44", "ML-DSA-44"), ("ml-dsa-65", "ML-DSA-65"), ("ml-dsa-87", "ML-DSA-87")] {
        desk.ok(&format!(
            "genpkey -propquery provider=parsec -algorithm {algorithm} -pkeyopt parsec-name:{name} -out {name}.pem"
        ));
        let public = desk.ok(&format!("pkey -in {name}.pem -pubout"));
        assert_eq!(public, desk.parsec(&format!("key public {name}")));
        desk.write("public.pem", &public);
        for key in [format!("{name}.pem"), format!("parsec:object={name}")] {
            for context in ["", " -pkeyopt context-string:web"] {
                desk.ok(&format!("pkeyutl -sign -rawin -inkey {key} -in message -out signature{context}"));
                let verify = format!("pkeyutl -verify -rawin -in message -sigfile signature{context}");
                run(&mut desk.theirs(&format!("{verify} -pubin -inkey public.pem"))).ok();
                desk.ok(&format!("{verify} -inkey {key}"));
                run(&mut desk.ours(&format!("{verify}1 -inkey {key}"))).refused();
            }
            desk.ok(&format!("req -new -key {key} -subj /CN=a -out request"));
            run(&mut desk.theirs("req -in request -verify -noout")).ok();
            desk.ok(&format!("req -x509 -key {key} -subj /CN=a -out certificate"));
            run(&mut desk.theirs("verify -CAfile certificate certificate")).ok();
        }
        for (option, why) in [("deterministic:1", "without randomness"), ("message-encoding:0", "encoded"), ("mu:1", "mu made")] {
            let sign = format!("pkeyutl -sign -rawin -inkey {name}.pem -in message -out signature -pkeyopt {option}");
            assert!(run(&mut desk.ours(&sign)).refused().contains(why), "{option}");
        }
    }
}

fn servers_with_keys_of_ml_dsa_leave_the_hybrid_key_exchange_alone(openssl: Openssl) {
    let Some(desk) = Desk::with_ml_dsa(openssl) else { return };
    desk.parsec("key new ml --algorithm ml-dsa-65 --out ml.pem");
    for key in ["ml.pem", "parsec:object=ml", "p256.pem"] {
        desk.ok(&format!("req -x509 -key {key} -subj /CN=localhost -out tls.crt"));
        let identity = format!("-cert tls.crt -key {key} -CAfile tls.crt -verify_return_error");
        let address = loopback();
        let mut server = desk.ours(&format!("s_server -accept {address} -www -Verify 1 {identity}"));
        let _server = Daemon::start(&mut server, &desk.service.dir().join("s_server.log"), || listens(address));
        let mut client = desk.ours(&format!("s_client -connect {address} -tls1_3 -ign_eof {identity}"));
        let said = feed(&mut client, b"GET / HTTP/1.0\r\n\r\n").ok();
        assert!(said.contains("Negotiated TLS1.3 group: X25519MLKEM768"), "{said}");
        assert!(said.contains("HTTP/1.0 200 ok") && said.contains("Client certificate"), "{said}");
        assert_eq!(said.contains("Peer signature type: mldsa65"), key != "p256.pem", "{said}");
    }
}

/// Runs `composite.c`: see there for what it does.
fn algorithms_with_their_digest_built_in_sign_in_every_way(openssl: Openssl) {
    let Some(desk) = Desk::new(openssl) else { return };
    let (source, root) = ("openssl/composite.c", desk.openssl.parent().unwrap().parent().unwrap());
    let program = desk.service.dir().join("composite");
    let mut cc = Command::new("cc");
    cc.args(["-Wall", "-Werror", "-o"]).arg(&program).arg(format!("{}/tests/{source}", env!("CARGO_MANIFEST_DIR")));
    run(cc.arg("-I").arg(root.join("include")).arg(root.join("libcrypto.a")).args(["-ldl", "-lpthread"])).ok();
    for (algorithm, other, kind) in [
        ("RSA-SHA2-256", "ECDSA-SHA256", "rsa-2048"),
        ("sha256WithRSAEncryption", "ECDSA-SHA3-256", "rsa-2048"),
        ("1.2.840.10045.4.3.2", "RSA-SHA256", "p256"),
        ("ECDSA-SHA2-256", "RSA-SHA3-512", "p384"),
    ] {
        desk.parsec(&format!("key public {kind} --out {kind}.pub"));
        let mut composite = desk.service.command(&program);
        composite.env("OPENSSL_CONF", desk.service.openssl_conf());
        run(composite.args([algorithm, other, &format!("{kind}.pem"), &format!("{kind}.pub")])).ok();
    }
    let listed = desk.ok("list -signature-algorithms -provider parsec");
    assert!(listed.contains("RSA-SHA2-512/256") && listed.contains("ECDSA-SHA3-512"), "{listed}");
}
