//! The built library in the real OpenSSL, without a service: what loads, what is refused, and what the errors say.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test stops where it fails"
)]

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use interface::reference::{KeyUri, Reference};

/// A folder with keys, references to them and an `openssl.cnf` that loads the library.
struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let bench = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        let conf = format!(
            "openssl_conf = init\nconfig_diagnostics = 1\n[init]\nproviders = providers\n[providers]\n\
             default = default_section\nparsec = parsec_section\n[default_section]\nactivate = 1\n[parsec_section]\nmodule = {}\nactivate = 1\n\
             socket = {}\n",
            library().display(),
            bench.path("no-service.sock").display(),
        );
        std::fs::write(bench.path("openssl.cnf"), conf).unwrap();
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Makes a key with OpenSSL, `NAME.key`, its public key `NAME.pub` and a reference with that inside, `NAME.pem`.
    fn key(&self, name: &str, algorithm: &str, option: &str) {
        self.plain(&format!(
            "genpkey -algorithm {algorithm} -pkeyopt {option} -out {name}.key"
        ));
        self.plain(&format!("pkey -in {name}.key -pubout -out {name}.pub"));
        self.plain(&format!(
            "pkey -in {name}.key -pubout -outform der -out {name}.spki"
        ));
        let uri = KeyUri {
            name: Some(name.to_owned()),
            owner: Some("uid:0".to_owned()),
            provider: None,
        };
        let spki = Some(std::fs::read(self.path(&format!("{name}.spki"))).unwrap());
        std::fs::write(
            self.path(&format!("{name}.pem")),
            Reference { uri, spki }.to_pem().unwrap(),
        )
        .unwrap();
    }

    /// Runs `openssl` with our configuration.
    fn openssl(&self, arguments: &str) -> Output {
        self.run(arguments, &self.path("openssl.cnf"))
    }

    /// Runs `openssl` with our configuration, and expects success.
    fn ok(&self, arguments: &str) -> String {
        let output = self.openssl(arguments);
        assert!(
            output.status.success(),
            "openssl {arguments}\n{}",
            text(&output)
        );
        text(&output)
    }

    /// Runs `openssl` with our configuration, and expects a failure.
    fn fails(&self, arguments: &str) -> String {
        let output = self.openssl(arguments);
        assert!(
            !output.status.success(),
            "openssl {arguments}\n{}",
            text(&output)
        );
        text(&output)
    }

    fn plain(&self, arguments: &str) {
        let output = self.run(arguments, Path::new("/dev/null"));
        assert!(
            output.status.success(),
            "openssl {arguments}\n{}",
            text(&output)
        );
    }

    fn run(&self, arguments: &str, conf: &Path) -> Output {
        Command::new("openssl")
            .args(arguments.split(' '))
            .current_dir(self.folder.path())
            .env("OPENSSL_CONF", conf)
            .output()
            .expect("the openssl command")
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

/// The library that cargo built beside this test.
fn library() -> PathBuf {
    let folder = std::env::current_exe()
        .unwrap()
        .parent()
        .unwrap()
        .to_owned();
    folder.join("libparsec_openssl.so")
}

const KINDS: [(&str, &str, &str); 4] = [
    ("rsa", "RSA", "rsa_keygen_bits:2048"),
    ("p256", "EC", "group:P-256"),
    ("p384", "EC", "group:P-384"),
    ("p521", "EC", "group:P-521"),
];

#[test]
fn the_library_needs_no_openssl_and_exports_one_symbol() {
    let read = |tool: &str, options: &[&str]| {
        text(
            &Command::new(tool)
                .args(options)
                .arg(library())
                .output()
                .unwrap(),
        )
    };
    let needed = read("readelf", &["-d"]);
    assert!(needed.contains("libc.so"), "{needed}");
    assert!(
        !needed.contains("libcrypto") && !needed.contains("libssl"),
        "{needed}"
    );
    let exported = read("nm", &["-D", "--defined-only"]);
    let symbols: Vec<_> = exported
        .lines()
        .filter_map(|line| line.split_whitespace().last())
        .collect();
    assert_eq!(symbols, ["OSSL_provider_init"]);
}

#[test]
fn a_reference_loads_without_a_service_and_tells_its_public_key() {
    let bench = Bench::new();
    for (name, algorithm, option) in KINDS {
        bench.key(name, algorithm, option);
        let public = std::fs::read_to_string(bench.path(&format!("{name}.pub"))).unwrap();
        assert_eq!(
            bench.ok(&format!("pkey -in {name}.pem -pubout")),
            public,
            "{name}"
        );
        bench.ok(&format!("pkey -in {name}.pem -check -noout"));
    }
}

#[test]
fn a_signature_without_a_service_fails_and_says_why() {
    let bench = Bench::new();
    bench.key("p256", "EC", "group:P-256");
    std::fs::write(bench.path("message"), "hello").unwrap();
    let said = bench.fails("dgst -sha256 -sign p256.pem -out signature message");
    assert!(
        said.contains("no-service.sock") && said.contains("is the service running"),
        "{said}"
    );
}

#[test]
fn software_keys_and_certificates_work_as_before() {
    let bench = Bench::new();
    for (name, algorithm, option) in KINDS {
        bench.key(name, algorithm, option);
        std::fs::write(bench.path("message"), "hello").unwrap();
        bench.ok(&format!(
            "dgst -sha256 -sign {name}.key -out signature message"
        ));
        bench.ok(&format!(
            "dgst -sha256 -verify {name}.pub -signature signature message"
        ));
        // our public half verifies what the software key signed
        bench.ok(&format!(
            "dgst -sha256 -verify {name}.pem -signature signature message"
        ));
        std::fs::write(bench.path("message"), "hullo").unwrap();
        bench.fails(&format!(
            "dgst -sha256 -verify {name}.pem -signature signature message"
        ));
    }
}
