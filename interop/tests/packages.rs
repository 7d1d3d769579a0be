//! The Debian packages on a booted machine: installed, used, upgraded, removed, and what an installation by hand becomes.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use interop::{Machine, cargo_deb};
use tests::{built, run};

const DEBS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../service/packaging/debs");
/// Installs packages, also of a lower version.
const INSTALL: &str = "apt-get install --yes --quiet --allow-downgrades";
/// Where Debian has libraries of this machine's kind.
const LIBRARIES: &str = if cfg!(target_arch = "aarch64") { "/usr/lib/aarch64-linux-gnu" } else { "/usr/lib/x86_64-linux-gnu" };

/// Two versions of the packages, of which only the number differs.
const OLDER: &str = "1.0-1";
const NEWER: &str = "1.1-1";
const RAISE: &str = r#"cd "$(dirname "$1")" && dpkg-deb -R "$1" raised && sed -i "s/^Version: .*/Version: $2/" raised/DEBIAN/control &&
    dpkg-deb --root-owner-group -Zgzip -z1 -b raised . && rm -r raised"#;

/// A folder with the packages in both versions.
fn packages() -> &'static Path {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| {
        let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("debs");
        let _ = std::fs::remove_dir_all(&out);
        let mut debs = Command::new(DEBS);
        debs.args(["--fast", "--version", OLDER, "--programs"]).arg(built("parsec").parent().unwrap()).arg("--out").arg(&out);
        let made = run(debs.env("CARGO_DEB", cargo_deb())).ok();
        for package in made.lines() {
            run(Command::new("sh").args(["-c", RAISE, "sh", package, NEWER])).ok();
        }
        out
    })
}

/// nginx serves with the key `web`, in whose place it has a reference.
const NGINX: &str = "
    parsec key new web --for tls-server --grant user:www-data=sign --out /etc/nginx/web.key
    parsec key csr web --self-signed --cn localhost --dns localhost --out /etc/nginx/web.crt
    printf 'server { listen 443 ssl; ssl_certificate web.crt; ssl_certificate_key web.key; }' > /etc/nginx/conf.d/web.conf
    parsec openssl-env --install --unit nginx
    systemctl daemon-reload
    systemctl restart nginx";
const FETCH: &str = "curl --silent --show-error --cacert /etc/nginx/web.crt https://localhost/";

#[test]
fn lintian_finds_nothing() {
    let all = std::fs::read_dir(packages()).unwrap().map(|entry| entry.unwrap().path());
    let all = all.filter(|path| path.to_string_lossy().contains(OLDER));
    let found =
        run(Command::new("lintian").args(["--pedantic", "--fail-on=error,warning,info,pedantic", "--allow-root"]).args(all));
    assert!(found.status.success(), "{}{}", found.out, found.err);
}

#[test]
fn installed_used_upgraded_removed_and_purged() {
    let Some(machine) = Machine::boot(packages()) else { return };
    machine.ok(&format!("{INSTALL} /shared/*_{OLDER}_*.deb"));
    for unit in ["parsec.socket", "parsec.service"] {
        assert_eq!(machine.ok(&format!("systemctl is-enabled {unit}; systemctl is-active {unit}")), "enabled\nactive\n");
    }
    machine.ok("parsec ping");
    assert!(machine.ok("ps -o user= -C parsec").trim() == "parsec");
    machine.ok("man --pager=cat parsec-key-new; man --pager=cat 5 parsec-config; man --pager=cat 7 parsec-keys");

    machine.ok(NGINX);
    let fetch = || assert!(machine.ok(FETCH).contains("Welcome to nginx"));
    fetch();
    assert!(machine.ok("p11-kit list-modules").contains("parsec: libparsec_pkcs11.so"));
    let tool = format!("pkcs11-tool --module {LIBRARIES}/pkcs11/libparsec_pkcs11.so");
    assert!(machine.ok(&format!("{tool} --list-objects")).contains("web"));
    machine.ok("echo text > text; export OPENSSL_CONF=/usr/share/parsec/openssl.cnf
        openssl dgst -sha256 -sign parsec:object=web -out signature text
        parsec key public web --out web.pub; openssl dgst -sha256 -verify web.pub -signature signature text");

    machine.ok(&format!("{INSTALL} /shared/*_{NEWER}_*.deb"));
    fetch();
    // back again, only for who insists
    let refused = machine.refused(&format!("{INSTALL} /shared/*_{OLDER}_*.deb"));
    assert!(refused.contains(&format!("{OLDER} is older than {NEWER}")) && refused.contains("PARSEC_DOWNGRADE=yes"), "{refused}");
    let version = || machine.ok("dpkg-query -W -f '${Version} ${db:Status-Status}' parsec");
    assert_eq!(version(), format!("{NEWER} installed"));
    fetch();
    machine.ok(&format!("PARSEC_DOWNGRADE=yes {INSTALL} /shared/*_{OLDER}_*.deb"));
    assert_eq!(version(), format!("{OLDER} installed"));
    fetch();

    machine.ok("apt-get remove --yes parsec; test ! -e /run/parsec/parsec.sock");
    machine.ok(&format!("{INSTALL} /shared/parsec_{OLDER}_*.deb"));
    fetch();
    let purged = machine.ok("apt-get purge --yes parsec libparsec-pkcs11 parsec-openssl-provider");
    assert!(purged.contains("/var/lib/parsec"), "{purged}");
    machine.ok(&format!("{INSTALL} /shared/*_{OLDER}_*.deb"));
    fetch();
    machine.ok("PARSEC_PURGE_KEYS=yes apt-get purge --yes parsec; test ! -e /var/lib/parsec; test ! -e /etc/parsec");
}
