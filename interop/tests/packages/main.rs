//! The Debian packages on a booted machine: installed, used, upgraded, removed, and what an installation by hand becomes; and servers
//! that use keys of the service there.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod confined;
mod servers;
mod vpn;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use interop::{Machine, cargo_deb, release};
use tests::{Page, Release, built, run};

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

/// A command of a section of `service/docs/install.md`, and those below it, as a person would type them here.
fn documented(section: &str, command: &str) -> String {
    let page = Page::read("service/docs/install.md");
    let blocks = page.blocks();
    let lines = blocks.iter().filter(|block| block.section == section).flat_map(|block| &block.lines).copied();
    let commands: Vec<_> = lines.skip_while(|line| !line.contains(command)).collect();
    assert!(!commands.is_empty(), "install.md has no command {command}");
    let here = commands.join("\n").replace("./target/debian/", "/shared/").replace("apt-get ", "apt-get --yes ");
    here.replace("service/packaging/", "/shared/service/packaging/")
}

/// What a key is to those who use it: its public half, and the rights to it.
const KEY: &str = "parsec key public web; parsec key show web | grep -E '^(algorithm|permitted|you may|id) '";

/// nginx serves with the key `web`, in whose place it has a reference.
const NGINX: &str = "
    parsec key new web --for tls-server --grant user:www-data=sign --out /etc/nginx/web.key
    parsec key csr web --self-signed --cn localhost --dns localhost --out /etc/nginx/web.crt
    printf 'server { listen 443 ssl; ssl_certificate web.crt; ssl_certificate_key web.key; }' > /etc/nginx/conf.d/web.conf
    parsec openssl-env --install --unit nginx
    systemctl daemon-reload
    systemctl restart nginx";
const FETCH: &str = "curl --silent --show-error --cacert /etc/nginx/web.crt https://localhost/";

/// Installs a package with the name of upstream's.
const UPSTREAM: &str = "
    mkdir -p upstream/DEBIAN
    printf 'Package: parsec-service\nVersion: 1.0\nArchitecture: all\nMaintainer: nobody\nDescription: none\n' > upstream/DEBIAN/control
    dpkg-deb --build upstream && dpkg --install upstream.deb";

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

    // the other service would have the same user, socket and configuration
    let refused = machine.refused(UPSTREAM);
    assert!(refused.contains("parsec conflicts with parsec-service"), "{refused}");

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

    let remove = documented("Remove", "apt-get remove");
    let [remove, purge, destroy] = remove.lines().collect::<Vec<_>>()[..] else { panic!("{remove}") };
    let install = documented("With Debian packages", "install").replace('*', &format!("*_{OLDER}_*"));
    machine.ok(&format!("{remove}\ntest ! -e /run/parsec/parsec.sock"));
    machine.ok(&install);
    fetch();
    let purged = machine.ok(purge);
    assert!(purged.contains("/var/lib/parsec"), "{purged}");
    machine.ok(&install);
    fetch();
    machine.ok(&format!("{destroy}\ntest ! -e /var/lib/parsec; test ! -e /etc/parsec"));
}

/// As a person types it, who says yes.
#[test]
fn the_quick_start_of_the_readme_serves_nginx() {
    let Some(machine) = Machine::boot(packages()) else { return };
    machine.ok(&format!("{INSTALL} /shared/*_{OLDER}_*.deb"));
    let page = Page::read("README.md");
    let blocks = page.blocks();
    let lines = |language: &str| {
        let quick =
            blocks.iter().filter(|block| block.section == "Quick start: a TLS key for nginx" && block.language == language);
        quick.flat_map(|block| &block.lines).copied().collect::<Vec<_>>().join("\n")
    };
    machine.ok(&format!("echo 'server {{ listen 443 ssl; {} }}' > /etc/nginx/conf.d/web.conf", lines("nginx")));
    machine.ok(&lines("console").replace("--key web", "--key web --yes"));
    let fetch = FETCH.replace("/etc/nginx", "/etc/parsec").replace("https://localhost/", "https://www.example.com/");
    let fetched = machine.ok(&format!("{fetch} --connect-to www.example.com:443:localhost:443"));
    assert!(fetched.contains("Welcome to nginx"), "{fetched}");
    assert!(machine.ok("parsec doctor; parsec setup nginx --undo --yes").contains("loads the provider"));
}

/// As the README of the release had it, with systemd; `mkdir` is what it forgot.
const BY_HAND: &str = "
    cd /shared/by-hand
    install -m 755 parsec /usr/local/bin/
    install -D -m 755 libparsec_pkcs11.so $LIBRARIES/pkcs11/libparsec_pkcs11.so
    install -D -m 644 pkcs11-module/packaging/parsec.module /usr/share/p11-kit/modules/parsec.module
    install -D -m 755 libparsec_openssl.so $LIBRARIES/ossl-modules/parsec.so
    useradd --system --no-create-home parsec
    mkdir -p /etc/sysusers.d /etc/tmpfiles.d /etc/parsec
    cd service/packaging
    cp systemd/* /etc/systemd/system; cp sysusers.d/* /etc/sysusers.d; cp tmpfiles.d/* /etc/tmpfiles.d; cp config.toml /etc/parsec
    systemd-sysusers; systemd-tmpfiles --create; systemctl enable --now parsec.socket parsec.service";

/// The commands that the package names where it meets another installation.
fn advice(said: &str) -> Vec<&str> {
    let (_, advice) = said.split_once("files of an installation by hand").unwrap_or_else(|| panic!("{said}"));
    advice.lines().filter_map(|line| line.strip_prefix("  ")).collect()
}

#[test]
fn an_installation_by_hand_becomes_that_of_the_packages() {
    for kept in Release::all() {
        let shared = tempfile::tempdir().unwrap();
        let take = r#"mkdir "$1/by-hand" && cp "$2"/* "$1/by-hand" && cp "$3"/*_"$4"_*.deb "$1" && cd "$5" &&
            git archive "$6" service/packaging pkcs11-module/packaging | tar -x -C "$1/by-hand""#;
        let mut command = Command::new("sh");
        command.args(["-c", take, "sh"]).arg(shared.path()).arg(release(&kept)).arg(packages());
        run(command.args([OLDER, concat!(env!("CARGO_MANIFEST_DIR"), "/.."), &kept.commit()])).ok();
        let Some(machine) = Machine::boot(shared.path()) else { return };
        machine.ok(&BY_HAND.replace("$LIBRARIES", LIBRARIES));
        machine.ok(NGINX);
        let before = machine.ok(KEY);

        let said = machine.ok(&format!("{INSTALL} /shared/*.deb"));
        machine.ok(FETCH);
        let commands = advice(&said);
        let hidden = "rm /etc/systemd/system/parsec.service /etc/systemd/system/parsec.socket /etc/sysusers.d/parsec.conf \
            /etc/tmpfiles.d/parsec.conf /usr/local/bin/parsec";
        assert_eq!(commands.first().copied(), Some(hidden), "{said}");
        machine.ok(&commands.join("\n"));
        assert_eq!(
            machine.ok("systemctl show --property FragmentPath --value parsec.service parsec.socket").matches("/lib/").count(),
            2
        );
        assert_eq!(machine.ok("readlink /proc/$(systemctl show --property MainPID --value parsec)/exe"), "/usr/bin/parsec\n");
        machine.ok(FETCH);
        assert_eq!(machine.ok(KEY), before);
        assert!(!machine.ok(&format!("{INSTALL} --reinstall /shared/*.deb")).contains("by hand"));
        // the service of then reads the store, or says why it does not and leaves it as it is
        let back = machine.refused(
            "systemctl stop parsec.socket parsec.service; timeout 10 /shared/by-hand/parsec serve -c /etc/parsec/config.toml",
        );
        assert!(back.contains("ready") || back.contains("run the version that wrote it"), "{back}");
        machine.ok("systemctl start parsec.socket parsec.service");
        machine.ok(FETCH);
    }
}

/// A TPM needs a drop-in and a provider in the configuration.
#[test]
fn drop_ins_let_the_unit_reach_a_tpm() {
    let Some(machine) = Machine::boot(packages()) else { return };
    machine.ok(&format!("{INSTALL} /shared/*_{OLDER}_*.deb"));
    machine.ok("mkdir /tmp/tpm
        systemd-run --unit swtpm swtpm socket --tpm2 --tpmstate dir=/tmp/tpm --flags not-need-init,startup-clear \
            --server type=tcp,port=2321,bindaddr=127.0.0.1 --ctrl type=tcp,port=2322,bindaddr=127.0.0.1");
    let software = documented("A TPM", "swtpm.conf");
    let (drop_in, rest) = software.split_once('\n').unwrap();
    machine.run(rest);
    machine.refused("parsec key new web --provider tpm --for tls-server");
    machine.ok(&format!("{drop_in}; systemctl daemon-reload; systemctl reset-failed; systemctl restart parsec"));
    machine.ok("parsec key new web --provider tpm --for tls-server");
    // who else starts the service as root has that configuration, too
    let broken = machine.refused("echo '[nonsense]' >> /etc/parsec/config.toml; parsec serve");
    assert!(broken.contains("/etc/parsec/config.toml: the top level has no key 'nonsense'"), "{broken}");
    // a chip's: there is none here, and the unit starts with the rights to reach it
    let chip = documented("A TPM", "setup tpm");
    let chip = chip.split('\n').take(2).collect::<Vec<_>>().join("\n").replace("setup tpm", "setup tpm --yes");
    let setup = chip.lines().next().unwrap();
    let told = machine.refused(&format!("rm /etc/parsec/config.toml; {setup}"));
    assert!(told.contains("enable the TPM in the firmware"), "{told}");
    machine
        .ok(&format!("systemctl reset-failed; touch /dev/tpmrm0; {chip}; rm /dev/tpmrm0; parsec key new soft --algorithm p256"));
    let groups = machine.ok("grep Groups: /proc/$(systemctl show --property MainPID --value parsec)/status; getent group tss");
    let tss = groups.rsplit(':').nth(1).unwrap();
    assert!(groups.lines().next().unwrap().split_whitespace().any(|group| group == tss), "{groups}");
}

#[test]
fn the_script_installs_without_packages() {
    let shared = tempfile::tempdir().unwrap();
    let take = r#"cd "$2" && cp -r --parents service/packaging {service,pkcs11-module,openssl-provider}/Cargo.toml CHANGELOG.md \
        {pkcs11-module,openssl-provider}/packaging "$1" && mkdir "$1/programs" &&
        cp "$3"/parsec "$3"/libparsec_{pkcs11,openssl}.so "$1/programs" && cp "$4"/*_"$5"_*.deb "$1""#;
    let mut command = Command::new("bash");
    command.args(["-c", take, "bash"]).arg(shared.path()).arg(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    run(command.arg(built("parsec").parent().unwrap()).arg(packages()).arg(OLDER)).ok();
    let Some(machine) = Machine::boot(shared.path()) else { return };
    let documented = documented("Without packages", "install");
    let [install, uninstall] = documented.lines().collect::<Vec<_>>()[..] else { panic!("{documented}") };
    let install = &format!("{install} --programs /shared/programs");
    let said = machine.ok(install);
    assert!(said.contains("The service runs"), "{said}");
    let well = machine.ok("parsec doctor; parsec key new login --for ssh");
    assert!(well.contains("the module is /usr/local/lib/") && well.contains("ssh -I /usr/local/lib/"), "{well}");
    machine.ok(NGINX);
    machine.ok(FETCH);
    machine.ok("p11-kit list-modules | grep -q 'model: Parsec software'; man --pager=cat parsec-key-new");
    machine.ok(install);
    machine.ok(&format!(
        "{FETCH}; OPENSSL_CONF=/usr/local/share/parsec/openssl.cnf openssl pkey -in parsec:object=web -noout -pubout"
    ));
    let said = machine.ok(&format!("{uninstall}; test ! -e /usr/local/bin/parsec; test ! -e /run/parsec/parsec.sock"));
    assert!(said.contains("/var/lib/parsec"), "{said}");

    machine.ok(install);
    let said = machine.ok(&format!("{INSTALL} /shared/*.deb"));
    machine.ok(&advice(&said).join("\n"));
    machine.ok("parsec openssl-env --install; systemctl restart nginx");
    machine.ok(FETCH);
    assert!(machine.refused(install).contains("apt-get remove parsec"));
}
