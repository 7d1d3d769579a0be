//! What keeps the service from starting.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use rusqlite::Connection;
use tests::{CONFIG, STRANGER, Service, Setup, as_uid, faults, faulty, may_change_user, may_mount, run};

use crate::{Row, Table, done, write};

/// What a service says that does not start.
#[track_caller]
fn fails(service: &mut Service) -> Option<String> {
    let said = service.log().len();
    service.fail_to_start();
    Some(service.log()[said..].to_owned())
}

/// The same with this in the place of something in the configuration.
#[track_caller]
fn with(right: &str, wrong: &str) -> Option<String> {
    assert!(CONFIG.contains(right), "{right}");
    fails(&mut Setup::default().config(CONFIG.replacen(right, wrong, 1)).prepare())
}

/// A service that is stopped, and has a key.
fn stopped() -> Service {
    let mut service = Service::start();
    done(&service, "key new web --for tls-server");
    service.stop();
    service
}

const KIND: &str = "provider_type = \"MbedCrypto\"";
const STORE: &str = "sqlite_db_path = \"{dir}/keys.sqlite3\"";
const ADMINS: &str = "[{ name = \"0\" }]";

pub(super) const START: Table = Table {
    section: "The service does not start",
    start: || Some(stopped()),
    rows: &[
        Row("… has no key '…'; did you mean '…'?", "", |_| with("timeout = 5000", "timout = 5000")),
        Row("invalid type: …", "write a number", |_| with("timeout = 5000", "timeout = \"long\"")),
        Row("is one table, and there may be several", "write [[provider]]", |_| with("[[provider]]", "[provider]")),
        Row("… is missing", "write provider_type = ", |_| with(KIND, "")),
        Row("'…' is none; there is …", "MbedCrypto", |_| with(KIND, "provider_type = \"Floppy\"")),
        Row("provider_type = \"…\" is not built into this version", "which has: ", |_| {
            with(KIND, "provider_type = \"CryptoAuthLib\"")
        }),
        Row("… is there twice", "leave one of them out", |_| {
            with("[[provider]]", &format!("[[provider]]\n{KIND}\n[[provider]]"))
        }),
        Row("'…' is no user id", "write \"uid:0\"", |_| with("name = \"0\"", "name = \"root\"")),
        Row("must be a list such as …", "[{ name = \"uid:0\" }]", |_| with(ADMINS, "\"uid:0\"")),
        Row("there is no [[key_manager]] named '…'", "did you mean 'store'?", |_| {
            with("key_info_manager = \"store\"", "key_info_manager = \"stor\"")
        }),
        Row("… may be written by others", "chmod go-w", |_| {
            let mut service = Setup::default().prepare();
            fs::set_permissions(service.dir().join("config.toml"), Permissions::from_mode(0o666)).unwrap();
            fails(&mut service)
        }),
        Row("… exists and is not a socket", "mv ", |service| {
            fs::remove_file(service.socket()).ok();
            fs::create_dir(service.socket()).unwrap();
            let said = fails(service);
            fs::remove_dir(service.socket()).unwrap();
            said
        }),
        Row("another service answers at …", "systemctl stop parsec", |_| {
            let other = Service::start();
            let socket = other.socket().display().to_string();
            with("{dir}/parsec.sock", &socket)
        }),
        Row("… is in use by another process", "stop the other parsec", |_| {
            let other = Service::start();
            let store = other.dir().join("keys.sqlite3");
            with(STORE, &format!("sqlite_db_path = \"{}\"", store.display()))
        }),
        Row("`Not a directory`", "mv moves it away", |_| with(STORE, "sqlite_db_path = \"{dir}/config.toml/keys.sqlite3\"")),
        Row("`Permission denied`", "ls -ld", |_| {
            let user = may_change_user().then(|| STRANGER.to_string())?;
            let starter = ["setpriv", "--reuid", &user, "--regid", &user, "--clear-groups"];
            fails(&mut Setup::default().by(starter).prepare())
        }),
        Row("this user has no folder for the service's files", "set HOME", |service| {
            may_change_user().then_some(())?;
            let mut serve = service.command(service.staged("parsec"));
            Some(run(as_uid(serve.env_clear().arg("serve"), STRANGER)).refused())
        }),
        Row("the service does not run as root", "useradd --system parsec", |service| {
            may_mount().then_some(())?;
            let users = fs::read_to_string("/etc/passwd").unwrap();
            let others = users.lines().filter(|user| !user.starts_with("parsec:")).map(|user| format!("{user}\n"));
            service.etc("passwd", &others.collect::<String>());
            write(service, "empty.toml", "");
            let config = service.dir().join("empty.toml");
            let mut serve = service.on_host(0, service.staged("parsec"));
            Some(run(serve.args(["serve", "--config"]).arg(config)).refused())
        }),
        Row("the store key … is missing, and the store holds keys that only it opens", "restore", |_| {
            let mut service = stopped();
            fs::remove_file(service.dir().join("store.key")).unwrap();
            fails(&mut service)
        }),
        Row("the store key is not the one that … was sealed with", "restore that one", |_| {
            let mut service = stopped();
            write(&service, "store.key", [1; 32]);
            fails(&mut service)
        }),
        Row("… is an older copy, or its write-ahead log … was damaged, cut or removed", "--accept-loss", |_| {
            let mut service = stopped();
            let store = service.dir().join("keys.sqlite3");
            let older = fs::read(&store).unwrap();
            service.restart();
            done(&service, "key new other --for ssh");
            service.stop();
            fs::write(&store, older).unwrap();
            fails(&mut service)
        }),
        Row("… has tables of version …", "run the version that wrote it", |_| {
            let mut service = stopped();
            let store = Connection::open(service.dir().join("keys.sqlite3")).unwrap();
            store.pragma_update(None, "user_version", 99).unwrap();
            drop(store);
            fails(&mut service)
        }),
        Row("… is no intact SQLite file", "restore it from a backup", |_| {
            let mut service = stopped();
            write(&service, "keys.sqlite3", [7; 8192]);
            fails(&mut service)
        }),
        Row("database or disk is full: …", "make room there", |_| {
            let folder = tempfile::tempdir().unwrap();
            let (mut service, plan) = faulty(&faults(folder.path())?);
            fs::write(plan.with_extension("full"), "").unwrap();
            fails(&mut service)
        }),
        Row("the disk or its file system failed, see dmesg", "start the service, or restore a backup", |_| {
            let folder = tempfile::tempdir().unwrap();
            let (mut service, plan) = faulty(&faults(folder.path())?);
            service.restart();
            done(&service, "key new web --for tls-server");
            service.kill9();
            fs::write(plan.with_extension("unflushed"), "").unwrap();
            fails(&mut service)
        }),
    ],
};
