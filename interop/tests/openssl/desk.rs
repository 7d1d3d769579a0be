//! A service with keys, and the `openssl` command that uses them.

use std::net::SocketAddr;
use std::ops::{Deref, DerefMut};
use std::path::PathBuf;
use std::process::Command;

use interface::algorithm::{Agreement, Encryption, Hash, SignHash, Signature};
use interface::attributes::{Attributes, EccFamily, KeyType, Policy, Usage};
use interface::operations::GenerateKey;
use interop::{Daemon, Row, had, has, listens, loopback, provider};
use tests::{Ran, feed, run};

const KINDS: [&str; 5] = ["rsa-2048", "p256", "p384", "p521", "ed25519"];

/// An `openssl` command.
#[derive(Clone, Copy)]
pub(crate) enum Openssl {
    System,
    /// The same with keys of the sealed tier.
    Sealed,
    V3_5,
    V4_0,
}

impl Openssl {
    fn program(self) -> PathBuf {
        match self {
            Self::System | Self::Sealed => "openssl".into(),
            Self::V3_5 => interop::openssl_3_5(),
            Self::V4_0 => interop::openssl_4_0(),
        }
    }

    fn row(self) -> Option<Row> {
        match self {
            Self::System | Self::Sealed => Row::program("openssl"),
            Self::V3_5 | Self::V4_0 => Some(Row::peer("openssl", &self.program())),
        }
    }
}

/// A service with a key of each kind, named after it.
pub(crate) struct Desk {
    desk: interop::Desk,
    pub(crate) program: PathBuf,
}

impl Deref for Desk {
    type Target = interop::Desk;

    fn deref(&self) -> &Self::Target {
        &self.desk
    }
}

impl DerefMut for Desk {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.desk
    }
}

impl Desk {
    pub(crate) fn new(openssl: Openssl) -> Option<Self> {
        let row = openssl.row()?;
        let desk = match openssl {
            Openssl::Sealed => interop::Desk::sealed(row)?,
            Openssl::System | Openssl::V3_5 | Openssl::V4_0 => interop::Desk::with(row),
        };
        let desk = Self { desk, program: openssl.program() };
        for kind in desk.kinds() {
            desk.parsec(&format!("key new {kind} --provider {} --algorithm {kind} --out {kind}.pem", desk.row.provider()));
        }
        desk.write("message", "hello");
        Some(desk)
    }

    /// The configuration of OpenSSL with our provider before OpenSSL's own.
    pub(crate) fn parsec_first(&self) -> String {
        let (default, parsec) = ("default = default_provider\n", "parsec = parsec_provider\n");
        let text = std::fs::read_to_string(self.service.openssl_conf()).unwrap();
        assert!(text.contains(&[default, parsec].concat()), "{text}");
        text.replace(&[default, parsec].concat(), &[parsec, default].concat())
    }

    /// A desk for ML-DSA, where the provider has it.
    pub(crate) fn with_ml_dsa(openssl: Openssl) -> Option<Self> {
        let Self { desk, program } = Self::new(openssl)?;
        let can = has(&desk.service, "ml-dsa-65");
        Some(Self { desk: desk.only_if(can)?, program })
    }

    /// The kinds of key that it has.
    pub(crate) fn kinds(&self) -> Vec<&'static str> {
        had(&self.service, &KINDS)
    }

    /// `openssl` with our provider.
    pub(crate) fn ours(&self, arguments: &str) -> Command {
        let mut command = self.service.command(&self.program);
        command.env("OPENSSL_CONF", self.service.openssl_conf()).args(arguments.split(' '));
        command
    }

    pub(crate) fn ok(&self, arguments: &str) -> String {
        run(&mut self.ours(arguments)).ok()
    }

    /// A server of TLS, and its address.
    pub(crate) fn serve(&self, options: &str) -> (Daemon, SocketAddr) {
        let address = loopback();
        let mut server = self.ours(&format!("s_server -accept {address} -www {options}"));
        (Daemon::start(&mut server, &self.path("s_server.log"), || listens(address)), address)
    }

    /// The newer `openssl` without our provider.
    pub(crate) fn theirs(&self, arguments: &str) -> Command {
        let mut command = self.service.command(&self.program);
        command.env("OPENSSL_CONF", "/dev/null").args(arguments.split(' '));
        command
    }

    /// Makes an RSA key that signs and decrypts, `vault`.
    pub(crate) fn vault(&self) {
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
    pub(crate) fn mail(&self) {
        let policy = Policy {
            usage: Usage::DERIVE | Usage::SIGN,
            algorithm: Agreement::Ecdh.into(),
            also: vec![Signature::Ecdsa { hash: SignHash::Any }.into()],
        };
        self.generate("mail", KeyType::EccKeyPair(EccFamily::SecpR1), 384, policy);
        self.ok("req -x509 -key mail.pem -subj /CN=mail -out mail.crt");
    }

    /// Makes a key with a policy of its own, its reference and its public key.
    pub(crate) fn generate(&self, name: &str, key_type: KeyType, bits: u32, policy: Policy) {
        let attributes = Attributes { key_type, bits, policy };
        let generate =
            GenerateKey { key_name: name.to_owned(), attributes: Some((&attributes).into()), ..GenerateKey::default() };
        let client = self.service.client();
        client.call(client.default_provider().unwrap(), &generate).unwrap();
        self.parsec(&format!("key pem {name} --out {name}.pem"));
        self.parsec(&format!("key public {name} --out {name}.pub"));
    }

    /// Does something with every kind of key, under both of its names.
    pub(crate) fn each(&self, work: impl Fn(&Self, &str, &str)) {
        for kind in self.kinds() {
            let mut uri = format!("parsec:object={kind}");
            if self.row.provider() != provider() {
                uri += &format!(";provider={}", self.row.provider());
            }
            for key in [format!("{kind}.pem"), uri] {
                work(self, kind, &key);
            }
        }
    }
}

/// What a client of TLS tells that asks for a page.
pub(crate) fn get(client: &mut Command) -> Ran {
    feed(client, b"GET / HTTP/1.0\r\n\r\n")
}
