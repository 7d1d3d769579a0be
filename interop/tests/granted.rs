//! Programs that search a token, with a key that another user, who is not root, granted before owners could be accepted.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use interop::{Daemon, Row, listens, loopback, newer_nginx};
use tests::{Ran, Release, STRANGER, Service, Setup, TENANT, as_uid, may_change_user, program, run};

const WWW_DATA: u32 = 33;
const OWNER: &str = "uid:54322";
/// What the release would have written, had the tenant granted its key to root and www-data too, and root none of that id.
const GRANTS: &str = "
DELETE FROM key_grant WHERE key IN (SELECT uuid FROM key WHERE owner = 'uid:0' AND name = 'web');
INSERT INTO key_grant SELECT key, who, usage FROM key_grant, (SELECT 'uid:0' AS who UNION SELECT 'uid:33')
    WHERE principal = 'uid:54321' AND key IN (SELECT uuid FROM key WHERE owner = 'uid:54322' AND name = 'web');
";

/// A program, and a service on a store of the last release in which the tenant has granted its key `web`, with the id 01.
struct Desk {
    service: Service,
    _row: Row,
}

impl Desk {
    fn new(mut row: Row) -> Option<Self> {
        if !may_change_user() || row.provider() != "software" {
            row.cancel();
            return None;
        }
        assert_eq!(OWNER, format!("uid:{TENANT}"));
        let release = Release::all().into_iter().next()?;
        let mut service = release.lay_out("software", Setup::default());
        let store = rusqlite::Connection::open(service.dir().join("keys.sqlite3")).unwrap();
        store.execute_batch(GRANTS).unwrap();
        drop(store);
        service.restart();
        Some(Self { service, _row: row })
    }

    fn path(&self, file: impl AsRef<Path>) -> PathBuf {
        self.service.dir().join(file)
    }

    fn write(&self, file: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.path(file), text).unwrap();
    }

    /// As the stranger, with the command line or any other program.
    fn stranger(&self, line: &str) -> Ran {
        let (program, arguments) = line.split_once(' ').unwrap();
        let arguments = arguments.split(' ');
        let mut command = match program {
            "parsec" => self.service.command(self.service.staged("parsec")),
            "pkcs11-tool" => self.service.pkcs11_tool([""; 0]),
            "openssl" => self.service.openssl([""; 0]),
            _ => self.service.command(program),
        };
        run(as_uid(command.args(arguments), STRANGER))
    }

    /// A certificate of the tenant's key, which the stranger signs with it.
    fn certify(&self, options: &str, file: &str) {
        let certificate = self.stranger(&format!("parsec key csr web --owner {OWNER} --self-signed {options}")).ok();
        self.write(file, certificate);
    }
}

#[test]
fn what_was_granted_stays_behind_ones_own_until_its_owner_is_rejected() {
    let Some(desk) = Row::program("pkcs11-tool").and_then(Desk::new) else { return };
    desk.write("message", "hello");
    let signed_with = |owner: &str| {
        let sign = "pkcs11-tool --sign --mechanism ECDSA-SHA256 --signature-format openssl --id 01 --input-file message";
        let signature = desk.path("signature");
        std::fs::write(&signature, "").unwrap();
        std::os::unix::fs::chown(&signature, Some(STRANGER), None).unwrap();
        desk.stranger(&format!("{sign} --output-file signature")).ok();
        desk.write("public.pem", desk.stranger(&format!("parsec key public web --owner {owner}")).ok());
        desk.stranger("openssl dgst -sha256 -verify public.pem -signature signature message").ok();
    };
    signed_with(OWNER);
    let log = desk.service.log();
    for caller in [0, WWW_DATA, STRANGER] {
        let told = format!("parsec key reject {OWNER} --for uid:{caller}");
        assert_eq!(log.matches(&told).count(), 1, "{log}");
    }
    desk.stranger("pkcs11-tool --keypairgen --key-type EC:prime256v1 --label web --id 01").ok();
    signed_with(&format!("uid:{STRANGER}"));
    let keys = || desk.stranger("pkcs11-tool -O --type privkey").ok().matches("Private Key Object").count();
    let before = keys();
    desk.stranger(&format!("parsec key reject {OWNER}")).ok();
    assert_eq!(keys(), before - 1);
    let uri = format!("parsec:object=web;owner={OWNER}");
    desk.stranger(&format!("openssl pkey -in {uri} -pubout")).ok();
    let mut named = desk.service.openssl(["dgst", "-sha256", "-sign", &uri, "message"]);
    assert!(run(as_uid(&mut named, STRANGER)).status.success(), "whoever names the owner may");
}

#[test]
fn a_key_that_another_user_granted_before_the_upgrade_signs() {
    let Some(desk) = Row::program("keytool").and_then(Desk::new) else { return };
    desk.write("pkcs11.cfg", format!("name = parsec\nlibrary = {}\n", desk.service.staged("libparsec_pkcs11.so").display()));
    desk.certify("--cn web.example", "web.crt");
    desk.stranger("parsec cert put web web.crt --id 01").ok();
    let keytool = |arguments: &str| {
        let store = "-keystore NONE -storetype PKCS11 -storepass any -providerClass sun.security.pkcs11.SunPKCS11";
        desk.stranger(&format!("keytool {arguments} {store} -providerArg pkcs11.cfg")).ok()
    };
    assert!(keytool("-list").contains("web, PrivateKeyEntry"));
    desk.write("web.csr", keytool("-certreq -alias web"));
    let public = desk.stranger("openssl req -verify -noout -pubkey -in web.csr").ok();
    assert_eq!(public.trim(), desk.stranger(&format!("parsec key public web --owner {OWNER}")).ok().trim());
}

/// nginx comes to it by latchset's provider, which Debian has from its next release on, as that release's nginx.
#[test]
fn a_key_that_another_user_granted_before_the_upgrade_serves() {
    if program("curl").is_none() || !may_change_user() {
        return;
    }
    let nginx = newer_nginx();
    let root = nginx.ancestors().nth(2).unwrap();
    let lib = |file: &str| root.join("usr/lib/x86_64-linux-gnu/ossl-modules").join(file);
    assert!(lib("pkcs11.so").exists(), "{}", root.display());
    let Some(desk) = Desk::new(Row::peer("pkcs11-provider in nginx", &nginx)) else { return };
    let (address, dir) = (loopback(), desk.service.dir().display());
    desk.certify(&format!("--cn localhost --ip {}", address.ip()), "web.crt");
    let (provider, module) = (lib("pkcs11.so"), desk.service.staged("libparsec_pkcs11.so"));
    desk.write(
        "provider.cnf",
        format!(
            "openssl_conf = init\n[init]\nproviders = providers\n[providers]\ndefault = builtin\npkcs11 = latchset\n[builtin]\nactivate = 1\n\
             [latchset]\nmodule = {}\npkcs11-module-path = {}\nactivate = 1\n",
            provider.display(),
            module.display()
        ),
    );
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|kind| format!("  {kind}_temp_path {dir}/{kind};\n"))
        .collect();
    desk.write(
        "nginx.conf",
        format!(
            "user www-data;\nenv PARSEC_SERVICE_ENDPOINT;\nenv OPENSSL_CONF;\nworker_processes 1;\ndaemon off;\npid {dir}/nginx.pid;\n\
             error_log {dir}/error.log info;\nevents {{}}\nhttp {{\n  access_log off;\n{temporary}  server {{\n    listen {address} ssl;\n    \
             ssl_certificate {dir}/web.crt;\n    ssl_certificate_key \"store:pkcs11:token=software;object=web;type=private\";\n    \
             location / {{ return 200 \"served\\n\"; }}\n  }}\n}}\n"
        ),
    );
    let nginx = |arguments: &[&str]| {
        let mut command = desk.service.command(&nginx);
        command.env("OPENSSL_CONF", desk.path("provider.cnf")).arg("-c").arg(desk.path("nginx.conf"));
        command.arg("-e").arg(desk.path("error.log")).args(arguments);
        command
    };
    let tested = run(&mut nginx(&["-t"]));
    let log = || std::fs::read_to_string(desk.path("error.log")).unwrap_or_default();
    assert!(tested.status.success(), "{}{}", tested.err, log());
    let _nginx = Daemon::start(&mut nginx(&[]), &desk.path("nginx.out"), || listens(address));
    let mut curl = desk.service.command("curl");
    curl.args(["--silent", "--show-error", "--max-time", "60", "--cacert", "web.crt"]).arg(format!("https://{address}/"));
    assert_eq!(run(&mut curl).ok().trim(), "served");
}
