//! Programs that search a token, with a key that another user, who is not root, granted before owners could be accepted.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use interop::{Latchset, Row, newer_nginx};
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

#[test]
fn a_key_that_another_user_granted_before_the_upgrade_serves() {
    if program("curl").is_none() || !may_change_user() {
        return;
    }
    let Some(desk) = Desk::new(Row::peer("pkcs11-provider in nginx", &newer_nginx())) else { return };
    let nginx = Latchset::new(&desk.service);
    desk.certify(&format!("--cn localhost --ip {}", nginx.address().ip()), "web.crt");
    let nginx = nginx.start(&desk.service, "pkcs11:token=software;object=web;type=private", "www-data");
    assert_eq!(nginx.get().ok().trim(), "served");
}
