//! The two OpenSSL providers that load PKCS#11 modules, from Debian's next release, in that release's OpenSSL.

use std::path::PathBuf;
use std::process::Command;

use interop::{Daemon, Desk, Row, listens, loopback, newer_openssl};
use tests::run;

use crate::{alone, desk, unasked};

/// A provider: what the matrix calls it, its package, its name and file, how its configuration names the module, what else is said
/// there, and the kinds of key that serve no TLS 1.3.
pub(crate) struct Provider {
    program: &'static str,
    package: &'static str,
    name: &'static str,
    file: &'static str,
    module: &'static str,
    more: &'static str,
    without_tls_1_3: &'static [&'static str],
}

pub(crate) const LATCHSET: Provider = Provider {
    program: "pkcs11-provider",
    package: "pkcs11-provider",
    name: "pkcs11",
    file: "pkcs11.so",
    module: "pkcs11-module-path",
    more: "pkcs11-module-encode-provider-uri-to-pem = true\n",
    without_tls_1_3: &[],
};

pub(crate) const LIBP11: Provider = Provider {
    program: "libp11 (provider)",
    package: "libengine-pkcs11-openssl",
    name: "pkcs11prov",
    file: "pkcs11prov.so",
    module: "pkcs11_module",
    more: "",
    // OpenSSL asks the key for its group, which this provider does not tell.
    without_tls_1_3: &["p256", "p384"],
};

const KINDS: [&str; 4] = ["rsa-2048", "p256", "p384", "ed25519"];

impl Provider {
    pub(crate) fn row(&self) -> Row {
        let changes = root().join("usr/share/doc").join(self.package).join("changelog.Debian.gz");
        let changes = run(Command::new("zcat").arg(changes)).ok();
        let version = changes.split_once('(').and_then(|(_, rest)| rest.split_once(')')).unwrap().0;
        Row::new(self.program, format!("{} {version}", self.package))
    }

    fn desk(&self) -> Option<Desk> {
        let desk = desk(Some(self.row()), &KINDS)?;
        self.configure(&desk);
        Some(desk)
    }

    pub(crate) fn configure(&self, desk: &Desk) {
        let library = root().join(interop::library("ossl-modules").strip_prefix("/").unwrap()).join(self.file);
        assert!(library.exists(), "{} is missing", library.display());
        let Self { name, module, more, .. } = self;
        desk.write(
            format!("{name}.cnf"),
            format!(
                "openssl_conf = init\n[init]\nproviders = providers\n[providers]\ndefault = builtin\n{name} = token\n[builtin]\nactivate = 1\n\
                 [token]\nmodule = {}\n{module} = {}\n{more}activate = 1\n[req]\ndistinguished_name = name\n[name]\n",
                library.display(),
                desk.module().display()
            ),
        );
    }

    /// `openssl` with the provider.
    pub(crate) fn openssl(&self, desk: &Desk, arguments: &str) -> Command {
        let mut command = alone(desk, &format!("{} {arguments}", newer_openssl().display()));
        command.env("OPENSSL_CONF", desk.path(format!("{}.cnf", self.name)));
        command
    }

    #[track_caller]
    fn ok(&self, desk: &Desk, arguments: &str) -> String {
        unasked(&mut self.openssl(desk, arguments))
    }

    fn signatures_verify_elsewhere(&self) {
        let Some(desk) = self.desk() else { return };
        for kind in KINDS {
            if kind != "ed25519" {
                self.ok(&desk, &format!("dgst -sha256 -sign {} -out signature message", uri(kind)));
                desk.openssl(&format!("dgst -sha256 -verify {kind}.pub -signature signature message"));
            }
            self.ok(&desk, &format!("req -new -x509 -subj /CN=signed -key {} -out signed.crt", uri(kind)));
            desk.openssl("verify -check_ss_sig -CAfile signed.crt signed.crt");
        }
        let pss = "-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest";
        self.ok(&desk, &format!("dgst -sha256 {pss} -sign {} -out signature message", uri("rsa-2048")));
        desk.openssl(&format!("dgst -sha256 {pss} -verify rsa-2048.pub -signature signature message"));
    }

    fn what_others_encrypt_is_decrypted(&self) {
        let Some(mut desk) = self.desk() else { return };
        desk.pkcs11_tool("--keypairgen --key-type rsa:2048 --usage-decrypt --label vault --id 01").ok();
        desk.parsec("key public vault --out vault.pub");
        let oaep = "-pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256 -pkeyopt rsa_mgf1_md:sha256";
        for padding in ["-pkeyopt rsa_padding_mode:pkcs1", oaep] {
            desk.openssl(&format!("pkeyutl -encrypt -pubin -inkey vault.pub -in message -out sealed {padding}"));
            self.ok(&desk, &format!("pkeyutl -decrypt -inkey {} -in sealed -out opened {padding}", uri("vault")));
            assert_eq!(desk.text("opened"), "hello");
        }
        let silent = oaep.rsplit_once(" -pkeyopt").unwrap().0;
        if !run(&mut self.openssl(&desk, &format!("pkeyutl -decrypt -inkey {} -in sealed {silent}", uri("vault"))))
            .status
            .success()
        {
            desk.row.except("OAEP without a digest for MGF1, for which it names no mask generation function");
        }
    }

    /// A server of either version, through a restart of the service.
    fn tls_servers_have_their_keys_in_the_token(&self) {
        let Some(mut desk) = self.desk() else { return };
        for kind in KINDS {
            let address = loopback();
            let serve = format!("s_server -accept {address} -naccept 8 -www -cert {kind}.crt -key {}", uri(kind));
            let server = Daemon::start(&mut self.openssl(&desk, &serve), &desk.path(format!("{kind}.log")), || listens(address));
            for version in ["tls1_2", "tls1_3"] {
                let connect = format!("s_client -connect {address} -{version} -CAfile {kind}.crt -verify_return_error -brief");
                let said = run(&mut desk.command(&format!("openssl {connect}")));
                let serves = version == "tls1_2" || !self.without_tls_1_3.contains(&kind);
                assert_eq!(said.err.contains("Verification: OK"), serves, "{kind} {version}: {}{}", said.err, server.log());
                desk.service.restart();
            }
        }
        if !self.without_tls_1_3.is_empty() {
            desk.row.except("TLS 1.3 with EC keys, whose group it does not tell");
        }
    }
}

/// Where the files of Debian's next release lie.
fn root() -> PathBuf {
    newer_openssl().ancestors().nth(2).unwrap().to_owned()
}

fn uri(key: &str) -> String {
    format!("pkcs11:token=software;object={key};type=private")
}

macro_rules! tests {
    ($module:ident, $provider:expr, $($test:ident)*) => {
        mod $module {
            use super::*;
            $(#[test] fn $test() { $provider.$test(); })*
        }
    };
}

tests! { pkcs11_provider, LATCHSET, signatures_verify_elsewhere what_others_encrypt_is_decrypted tls_servers_have_their_keys_in_the_token }
tests! { libp11, LIBP11, signatures_verify_elsewhere what_others_encrypt_is_decrypted tls_servers_have_their_keys_in_the_token }

#[test]
fn keys_are_made_and_named_by_files() {
    let Some(desk) = LATCHSET.desk() else { return };
    for (name, algorithm) in [
        ("made-ec", "EC -pkeyopt ec_paramgen_curve:P-256"),
        ("made-rsa", "RSA -pkeyopt rsa_keygen_bits:2048"),
        ("made-ed25519", "ED25519"),
    ] {
        let make = format!("genpkey -propquery provider=pkcs11 -algorithm {algorithm} -out {name}.pem -pkeyopt");
        unasked(LATCHSET.openssl(&desk, &make).arg(format!("pkcs11_uri:pkcs11:token=software;object={name}")));
        assert!(desk.text(format!("{name}.pem")).starts_with("-----BEGIN PKCS#11 PROVIDER URI-----"));
        LATCHSET.ok(&desk, &format!("req -new -x509 -subj /CN=made -key {name}.pem -out made.crt"));
        desk.openssl("verify -check_ss_sig -CAfile made.crt made.crt");
    }
    assert_eq!(desk.parsec("key list").matches("made-").count(), 6);
}
