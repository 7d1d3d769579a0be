//! What the service is to its host: which user with which groups, whom it believes, and what it gives up.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use interface::algorithm::{Hash, SignHash as Named, Signature};
use interface::attributes::{Attributes, EccFamily, KeyType, Policy, Usage};
use interface::client::{Client, Identity};
use interface::operations::{GenerateKey, ListClients, SignHash};
use interface::{ProviderId, Status};
use rustix::process::Signal;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;
use tests::{
    Abrmd, CONFIG, Daemon, STRANGER, Service, Setup, Swtpm, TPM, as_uid, eventually, may_change_user, older_kernel, program, run,
};

const ECDSA: Signature = Signature::Ecdsa { hash: Named::Specific(Hash::Sha256) };
const NOBODY: u32 = 65_534;

/// A key, made and used.
#[track_caller]
fn works(client: &Client, provider: ProviderId, name: &str) {
    let policy = Policy { usage: Usage::SIGN_HASH, algorithm: ECDSA.into(), also: Vec::new() };
    let attributes = Attributes { key_type: KeyType::EccKeyPair(EccFamily::SecpR1), bits: 256, policy };
    let key_name = name.to_owned();
    let generate = GenerateKey { key_name: key_name.clone(), attributes: Some((&attributes).into()), ..Default::default() };
    match client.call(provider, &generate).map(drop) {
        Err(error) if error.status() == Some(Status::PsaErrorAlreadyExists) => {}
        made => made.unwrap(),
    }
    client.call(provider, &SignHash { key_name, alg: Some(ECDSA.into()), hash: vec![7; 32], ..Default::default() }).unwrap();
}

/// What a user is told by `parsec status`.
fn status(service: &Service, uid: u32) -> String {
    let mut command = service.command(service.staged("parsec"));
    let ran = run(as_uid(&mut command, uid).arg("status"));
    ran.out + &ran.err
}

/// A line of `/proc/PID/status`, of each of its threads.
fn states(pid: u32, line: &str) -> Vec<String> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let state = |thread: std::io::Result<fs::DirEntry>| fs::read_to_string(thread.unwrap().path().join("status")).ok();
    let value = |state: String| state.lines().find_map(|text| Some(text.strip_prefix(line)?.trim().to_owned()));
    threads.filter_map(state).filter_map(value).collect()
}

#[test]
fn signals_that_ask_for_no_end_do_no_harm() {
    let mut service = Service::start();
    let client = service.client();
    works(&client, ProviderId::SOFTWARE, "k");
    for signal in [Signal::HUP, Signal::USR1, Signal::USR2, Signal::ALARM, Signal::IO, Signal::POWER] {
        service.signal(signal);
        eventually("a line about the signal", || {
            let told = |line: &str| line.contains("ignored a signal") && line.ends_with(&format!("signal={}", signal.as_raw()));
            service.log().lines().any(told).then_some(())
        });
        works(&client, ProviderId::SOFTWARE, "k");
    }
    assert!(service.stop().success());
}

#[test]
fn a_log_that_cannot_be_written_stops_nothing() {
    let mut service = Setup::default().by(["sh", "-c", "exec \"$0\" \"$@\" 2> /dev/full"]).start();
    works(&service.client(), ProviderId::SOFTWARE, "k");
    assert!(service.stop().success());
}

#[test]
fn the_groups_of_the_services_user_stay() {
    if !may_change_user() {
        return;
    }
    let config = CONFIG.replace("allow_root = true\n", "").replace("{dir}/keys", "{dir}/state/keys");
    let script = "mount --bind passwd /etc/passwd && mount --bind group /etc/group && exec \"$0\" \"$@\"";
    let mut service = Setup::default().config(config).by(["unshare", "--mount", "sh", "-c", script]).prepare();
    fs::write(service.dir().join("passwd"), "root:x:0:0::/:/bin/sh\nparsec:x:54321:54322::/:/bin/false\n").unwrap();
    fs::write(service.dir().join("group"), "root:x:0:\nparsec:x:54322:\ntss:x:54323:tss,parsec\nother:x:54324:root\n").unwrap();
    service.restart();
    works(&service.client(), ProviderId::SOFTWARE, "k");
    assert_eq!(states(service.pid(), "Uid:")[0], "54321\t54321\t54321\t54321");
    let groups = &states(service.pid(), "Groups:")[0];
    assert_eq!(groups.split(' ').collect::<Vec<_>>(), ["54322", "54323"], "its own, the one it is in, and no other");
}

#[test]
fn nobody_is_a_user_where_the_kernel_can_tell_all_users_apart() {
    if !may_change_user() {
        return;
    }
    let service = Service::start();
    assert!(status(&service, NOBODY).contains("uid:65534"));
    // one in a namespace of its own is who it is outside
    let mut inside = service.command("unshare");
    let inside = as_uid(&mut inside, STRANGER).arg("--map-root-user").arg(service.staged("parsec")).arg("status");
    assert!(run(inside).ok().contains("uid:54321"));

    let namespace = Setup::default().by(["unshare", "--map-root-user"]).start();
    for stranger in [STRANGER, NOBODY] {
        assert!(status(&namespace, stranger).contains("does not believe who you are"));
    }
    let told = "65534 stands for all whom its user namespace does not map";
    eventually("two refusals in the log", || (namespace.log().matches(told).count() == 2).then_some(()));
    assert!(status(&namespace, 0).contains("uid:0"));
}

#[test]
fn a_configuration_that_others_may_write_is_refused() {
    let mut service = Setup::default().prepare();
    let dir = service.dir().to_owned();
    let mode = |path: &Path, mode: u32| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    for path in [dir.join("config.toml"), dir.clone()] {
        let usual = path.metadata().unwrap().permissions().mode();
        mode(&path, 0o757);
        assert!(!service.fail_to_start().success());
        assert!(service.log().contains(&format!("(mode 757): chmod go-w {}", path.display())), "{}", service.log());
        mode(&path, usual);
    }
    service.restart();
}

#[test]
fn a_name_that_anybody_may_say_is_an_administrators_only_where_that_is_said_twice() {
    let once = CONFIG.replace("\"UnixPeerCredentials\"", "\"Direct\"").replace("\"0\"", "\"list\"");
    let twice = once.replace("[authenticator]", "[authenticator]\nallow_direct_admins = true");
    for (config, words) in [(&once, "app:list is no administrator here"), (&twice, "app:list is an administrator")] {
        let service = Service::with_config(config);
        let list = |name: &str| {
            let client = service.client().with_identity(Identity::Direct(name.to_owned()));
            client.call(ProviderId::CORE, &ListClients {}).map(drop).map_err(|error| error.status())
        };
        assert_eq!(list("list").is_ok(), config == &twice);
        assert_eq!(list("other"), Err(Some(Status::AdminOperation)));
        service.logs(&[words]);
    }
}

#[test]
fn every_thread_is_in_the_sandbox_unless_it_is_off() {
    for (config, privileges, filter) in
        [(CONFIG.to_owned(), "1", "2"), (CONFIG.replace("[core_settings]", "[core_settings]\nsandbox = false"), "0", "0")]
    {
        let service = Service::with_config(&config);
        works(&service.client(), ProviderId::SOFTWARE, "k");
        for (line, expected) in [("NoNewPrivs:", privileges), ("Seccomp:", filter)] {
            let threads = states(service.pid(), line);
            assert!(threads.len() > 2 && threads.iter().all(|state| state == expected), "{line} {threads:?}");
        }
        service.logs(&["ready"]);
        assert_eq!(service.log().contains("the sandbox is off"), filter == "0", "{}", service.log());
    }
}

#[test]
fn an_older_kernel_gets_what_it_can_do() {
    if program("python3").is_none() {
        return;
    }
    for (landlock, words, filters) in [
        // two of its own, and the one that makes the kernel older
        (2, "lack Landlock's rules for cutting files short", "3"),
        (0, "lack Landlock and filters", "1"),
    ] {
        let service = Setup::default().by(older_kernel(landlock)).start();
        works(&service.client(), ProviderId::SOFTWARE, "k");
        service.logs(&["ready"]);
        let log = service.log();
        assert_eq!(log.lines().filter(|line| line.contains("the rest of the sandbox is on")).count(), 1, "{log}");
        assert!(log.contains(words), "{log}");
        assert_eq!(states(service.pid(), "Seccomp_filters:")[0], filters);
        assert_eq!(states(service.pid(), "NoNewPrivs:")[0], "1");
    }
}

#[test]
fn a_chip_is_reached_by_a_library_and_with_a_password_from_anywhere() {
    let place = tempfile::tempdir().unwrap();
    let [libraries, secrets] = ["libraries", "secrets"].map(|name| place.path().join(name));
    [&libraries, &secrets].iter().for_each(|folder| fs::create_dir(folder).unwrap());
    let Some(library) = library("libtss2-tcti-swtpm.so.0") else { return };
    let copy = libraries.join("libtss2-tcti-swtpm.so.0");
    fs::copy(library, &copy).unwrap();
    let password = secrets.join("owner");
    fs::write(&password, "a password\n").unwrap();
    fs::set_permissions(&password, Permissions::from_mode(0o600)).unwrap();
    let tpm = Swtpm::start(place.path().join("tpm"));
    tpm.own(b"", b"a password");
    let store = format!("{}/state/keys", place.path().display());
    let settings = format!("owner_hierarchy_auth = \"file:{}\"\n", password.display());
    let config = format!("{}{TPM}{settings}", CONFIG.replace("{dir}/keys", &store)).replace("{tcti}", &tpm.tcti());
    let mut service = Setup::default().config(config).env("LD_LIBRARY_PATH", &libraries).start();
    let loaded = |service: &Service| {
        let maps = fs::read_to_string(format!("/proc/{}/maps", service.pid())).unwrap();
        maps.contains(copy.to_str().unwrap())
    };
    works(&service.client(), ProviderId::TPM, "k");
    assert!(loaded(&service), "the library was loaded in the sandbox");
    service.restart();
    works(&service.client(), ProviderId::TPM, "k");
}

/// The file of a shared library, where it is installed.
fn library(name: &str) -> Option<std::path::PathBuf> {
    let folders = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"];
    let found = folders.iter().map(|folder| Path::new(folder).join(name)).find(|path| path.exists());
    if found.is_none() {
        tests::skip(&format!("{name} is not installed"));
    }
    found
}

#[test]
fn a_bus_and_a_resource_manager_that_start_anew_are_found_again() {
    let dir = tempfile::tempdir().unwrap();
    let tpm = Swtpm::start(dir.path().join("tpm"));
    let mut abrmd = Abrmd::start(dir.path(), tpm.tcti());
    let config = format!("{CONFIG}{}", TPM.replace("{tcti}", Abrmd::TCTI));
    let mut service = Setup::default().config(config).env(Abrmd::VARIABLE, abrmd.bus()).start();
    works(&service.client(), ProviderId::TPM, "k");
    abrmd.restart();
    works(&service.client(), ProviderId::TPM, "k");
    abrmd.restart_bus();
    let _ = service.try_restart();
    works(&service.client(), ProviderId::TPM, "k");
}

/// Tries to get at the memory of a process in each way that the kernel has; prints what worked.
const SPY: &str = r#"
import ctypes, os, sys
pid, libc = int(sys.argv[1]), ctypes.CDLL(None, use_errno=True)
for name in ["mem", "maps", "smaps", "pagemap", "environ", "auxv", "syscall", "stack", "map_files", "fd"]:
    path = f"/proc/{pid}/{name}"
    try:
        if os.path.isdir(path): print(name, os.listdir(path))
        else: print(name, open(path, "rb").read(1))
    except OSError: pass
if libc.ptrace(16, pid, None, None) == 0: print("ptrace")
buffer = ctypes.create_string_buffer(8)
class Vector(ctypes.Structure): _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]
here, there = Vector(ctypes.addressof(buffer), 8), Vector(0x400000, 8)
if libc.process_vm_readv(pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0) >= 0 or ctypes.get_errno() != 1: print("readv")
print("done")
"#;

#[test]
fn another_process_of_the_same_user_gets_neither_memory_nor_core() {
    if !may_change_user() || program("python3").is_none() {
        return;
    }
    let place = Setup::default().prepare();
    chown(place.dir(), Some(STRANGER), Some(STRANGER)).unwrap();
    let mut command = Command::new("sh");
    let script = "ulimit -c $(ulimit -H -c); exec ./parsec serve -c config.toml";
    place.staged("parsec");
    as_uid(command.args(["-c", script]).current_dir(place.dir()), STRANGER);
    let socket = place.socket();
    let mut daemon = Daemon::start(&mut command, &place.dir().join("log"), || UnixStream::connect(&socket).is_ok());
    let pid = daemon.pid().to_string();
    let mut spy = Command::new("python3");
    let said = run(as_uid(spy.args(["-c", SPY, &pid]), STRANGER)).ok();
    assert_eq!(said, "done\n");
    // from then on the signal that stops it does not end it
    eventually("a service that is ready", || daemon.log().contains("ready").then_some(()));
    daemon.signal(Signal::ABORT);
    let ended = daemon.stop();
    assert!(ended.signal() == Some(Signal::ABORT.as_raw()) && !ended.core_dumped(), "{ended}");
}
