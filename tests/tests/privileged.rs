//! Programs that run with more rights than whoever starts them. Their environment is that of an attacker, who would have them sign and
//! decrypt with a service of his, or under another name.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use tests::{Privilege, Ran, STRANGER, Service, as_uid, built, may_mount, program, run};

/// To whom the set-uid programs belong.
const OTHER: u32 = STRANGER + 1;

const PRIVILEGES: [(Privilege, u32); 2] = [(Privilege::SetUid(OTHER), OTHER), (Privilege::Capability, STRANGER)];

/// A service in which each user has a key named `mine` and the user's number, and sockets of the attacker.
struct Host {
    service: Service,
    programs: Vec<(PathBuf, Vec<String>)>,
    sockets: Vec<UnixListener>,
}

impl Host {
    fn new() -> Option<Self> {
        if !may_mount() {
            return None;
        }
        let (tool, openssl) = (program("pkcs11-tool")?, program("openssl")?);
        let service = Service::start();
        let sockets = ["evil.sock", "evil/parsec/parsec.sock"].map(|name| service.dir().join(name));
        fs::create_dir_all(sockets[1].parent().unwrap()).unwrap();
        fs::set_permissions(service.dir().join("evil"), Permissions::from_mode(0o777)).unwrap();
        let sockets = sockets.map(|path| {
            let listener = UnixListener::bind(&path).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
            listener.set_nonblocking(true).unwrap();
            listener
        });
        service.etc("ssl/openssl.cnf", &fs::read_to_string(service.openssl_conf()).unwrap());
        let module = service.staged("libparsec_pkcs11.so").display().to_string();
        let words = |line: &str| line.split(' ').map(str::to_owned).collect();
        let programs = vec![
            (built("parsec"), words("key list")),
            (tool, words(&format!("--module {module} --list-objects"))),
            (openssl, words("storeutl -noout -keys -text parsec:")),
        ];
        for user in [STRANGER, OTHER] {
            run(as_uid(&mut service.command(service.staged("parsec")), user).args([
                "key",
                "new",
                "--for",
                "ssh",
                &format!("mine{user}"),
            ]))
            .ok();
        }
        Some(Self { service, programs, sockets: sockets.into() })
    }

    fn configure(&self) -> PathBuf {
        self.service.etc("parsec/client.conf", &format!("# ours\nsocket = \"{}\"\n", self.service.socket().display()))
    }

    /// A program that the stranger starts, having set every variable that might lead it astray.
    fn command(&self, program: &Path, arguments: &[String]) -> Command {
        let mut command = self.service.on_host(STRANGER, program);
        let dir = self.service.dir();
        command
            .args(arguments)
            .env("PARSEC_SERVICE_ENDPOINT", format!("unix:{}", dir.join("evil.sock").display()))
            .env("PARSEC_APP_NAME", "evil")
            .env("PARSEC_PKCS11_TRACE", dir.join("evil/trace"))
            .env("XDG_RUNTIME_DIR", dir.join("evil"))
            .env("XDG_STATE_HOME", dir.join("evil"));
        command
    }

    /// What each program says, with each privilege, and whom the service has to know it as.
    fn privileged(&self) -> Vec<(Ran, u32)> {
        let all = PRIVILEGES.iter().flat_map(|way| self.programs.iter().map(move |program| (way, program)));
        let run = |((privilege, user), (program, arguments)): (&(Privilege, u32), &(PathBuf, Vec<String>))| {
            (run(&mut self.command(&self.service.privileged(program, *privilege), arguments)), *user)
        };
        all.map(run).collect()
    }

    fn nobody_came(&self) -> bool {
        let came = self.sockets.iter().any(|socket| socket.accept().is_ok());
        !came && !self.service.dir().join("evil/trace").exists()
    }
}

#[test]
fn their_environment_leads_them_nowhere() {
    let Some(host) = Host::new() else { return };
    // no file of the administrator: the system's socket, which is not there
    for (said, _) in host.privileged() {
        let said = said.out + &said.err;
        assert!(!said.contains("mine5"), "{said}");
        assert!(!said.contains("evil"), "{said}");
    }
    assert!(host.nobody_came());
    host.configure();
    for (ran, user) in host.privileged() {
        let said = ran.ok();
        assert!(said.contains(&format!("mine{user}")), "{said}");
        assert!(!said.contains(&format!("mine{}", STRANGER + OTHER - user)), "{said}");
    }
    assert!(host.nobody_came());
    // nor does a service that they start
    let service = host.service.privileged(&built("parsec"), Privilege::Capability);
    let said = run(&mut host.command(&service, &["serve".to_owned()])).refused();
    assert!(said.contains("sqlite_db_path") || said.contains("socket_path"), "{said}");
    assert_eq!(fs::read_dir(host.service.dir().join("evil/parsec")).unwrap().count(), 1);
}

#[test]
fn other_programs_go_where_their_variables_say_and_then_where_the_administrator_does() {
    let Some(mut host) = Host::new() else { return };
    host.sockets.clear();
    host.configure();
    for (program, arguments) in &host.programs {
        let copy = host.service.dir().join(program.file_name().unwrap());
        tests::install(program, &copy);
        let said = run(&mut host.command(&copy, arguments));
        assert!(!format!("{}{}", said.out, said.err).contains("mine5"), "{said:?}");
        let mut plain = host.command(&copy, arguments);
        plain.env_remove("PARSEC_SERVICE_ENDPOINT").env_remove("PARSEC_APP_NAME");
        let said = run(&mut plain).ok();
        assert!(said.contains(&format!("mine{STRANGER}")), "{said}");
    }
    assert!(fs::read_to_string(host.service.dir().join("evil/trace")).unwrap().contains("C_Initialize"));
    let named = run(&mut host.command(&host.service.staged("parsec"), &["ping".to_owned()])).refused();
    assert!(named.contains("evil.sock"), "{named}");
}

/// What has asked the environment itself would be led astray again.
#[test]
fn one_place_reads_the_environment() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let sources = ["interface", "pkcs11-module", "openssl-provider", "service", "service/lc"].map(|name| format!("{name}/src"));
    let mut grep = Command::new("grep");
    let found = run(grep.current_dir(root).args(["-rlE", r"\benv::var|getenv"]).args(sources)).ok();
    let mut found: Vec<_> = found.lines().collect();
    found.sort_unstable();
    // one is a test; the other two have what systemd, the loader and the bus tell the service
    let others = ["openssl-provider/src/ffi/headers.rs", "service/src/credential.rs", "service/src/sandbox.rs"];
    found.retain(|file| !others.contains(file));
    assert_eq!(found, ["interface/src/client/process.rs"]);
}

#[test]
fn a_file_that_others_than_root_may_write_names_no_service() {
    let Some(host) = Host::new() else { return };
    let file = host.configure();
    let folder = file.parent().unwrap();
    let program = host.service.privileged(&built("parsec"), Privilege::Capability);
    let ping = || run(&mut host.command(&program, &["ping".to_owned()]));
    ping().ok();
    let refused = |path: &Path, mode, owner, why: &str| {
        let before = fs::metadata(path).unwrap().permissions();
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        chown(path, Some(owner), None).unwrap();
        let said = ping().refused();
        assert!(said.contains(why), "{said}");
        fs::set_permissions(path, before).unwrap();
        chown(path, Some(0), None).unwrap();
        ping().ok();
    };
    for (path, name) in [(file.as_path(), "/etc/parsec/client.conf"), (folder, "/etc/parsec\n")] {
        for (mode, owner, remedy) in [(0o775, 0, "chmod go-w"), (0o757, 0, "chmod go-w"), (0o755, STRANGER, "chown root")] {
            refused(path, mode, owner, &format!("{remedy} {name}"));
        }
    }
    refused(&file, 0o600, 0, "/etc/parsec/client.conf cannot be read");
    // a folder of secrets, which users may not even look into
    refused(folder, 0o700, 0, "unix:/run/parsec/parsec.sock");
    fs::write(&file, "socket = evil.sock\n").unwrap();
    let said = ping().refused();
    assert!(said.contains("/etc/parsec/client.conf") && said.contains("line 1"), "{said}");
    assert!(host.nobody_came());
}
