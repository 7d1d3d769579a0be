//! The log: what it tells, to whom it stops nothing, and who cannot fill it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use interface::algorithm::{Hash, SignHash as Named, Signature};
use interface::attributes::{Attributes, EccFamily, KeyType, Policy, Usage};
use interface::client::{Client, Error};
use interface::operations::{DestroyKey, GenerateKey, Grant, Revoke, SignHash};
use interface::{ProviderId, Status};
use std::fs::{self, File, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use tests::{CONFIG, STRANGER, Service, Setup, TPM, acting, may_change_user, may_mount, run};

const SOFTWARE: ProviderId = ProviderId::SOFTWARE;
const ECDSA: Signature = Signature::Ecdsa { hash: Named::Specific(Hash::Sha256) };

fn make(client: &Client, name: &str) {
    let policy = Policy { usage: Usage::SIGN_HASH, algorithm: ECDSA.into(), also: Vec::new() };
    let attributes = Attributes { key_type: KeyType::EccKeyPair(EccFamily::SecpR1), bits: 256, policy };
    let make = GenerateKey { key_name: name.to_owned(), attributes: Some((&attributes).into()), ..Default::default() };
    client.call(SOFTWARE, &make).unwrap();
}

fn sign(client: &Client, name: &str) -> Result<(), Error> {
    let sign = SignHash { key_name: name.to_owned(), alg: Some(ECDSA.into()), hash: vec![7; 32], ..Default::default() };
    client.call(SOFTWARE, &sign).map(drop)
}

fn destroy(client: &Client, name: &str) {
    client.call(SOFTWARE, &DestroyKey { key_name: name.to_owned(), owner: None }).unwrap();
}

/// The value of a field.
fn field<'a>(line: &'a str, name: &str) -> &'a str {
    let fields = line.split(' ').filter_map(|word| word.split_once('='));
    fields
        .filter(|(field, _)| *field == name)
        .map(|(_, value)| value.trim_matches('"'))
        .next()
        .unwrap_or_else(|| panic!("no {name}: {line}"))
}

#[test]
fn what_becomes_of_a_key_is_told_with_who_asked() {
    let service = Service::start();
    let client = service.client();
    make(&client, "web");
    let (key_name, principal) = ("web".to_owned(), format!("uid:{STRANGER}"));
    let grant =
        Grant { key_name: key_name.clone(), principal: principal.clone(), usage: Some(Usage::SIGN_HASH.into()), owner: None };
    client.call(SOFTWARE, &grant).unwrap();
    client.call(SOFTWARE, &Revoke { key_name, principal, owner: None }).unwrap();
    destroy(&client, "web");
    let uuid = field(&service.logs(&["event=\"make\""]), "uuid").to_owned();
    let (uid, pid) = (rustix::process::getuid().as_raw().to_string(), std::process::id().to_string());
    let mut requests = Vec::new();
    for (event, operation) in [("make", "GenerateKey"), ("grant", "Grant"), ("revoke", "Revoke"), ("destroy", "DestroyKey")] {
        let line = service.logs(&[&format!("event=\"{event}\"")]);
        for (name, value) in [
            ("who", format!("uid:{uid}").as_str()),
            ("peer", &uid),
            ("pid", &pid),
            ("operation", operation),
            ("result", "Success"),
            ("provider", SOFTWARE.name()),
            ("key", "web"),
            ("owner", &format!("uid:{uid}")),
            ("uuid", &uuid),
            ("tier", "software"),
        ] {
            assert_eq!(field(&line, name), value, "{line}");
        }
        requests.push(field(&line, "request").parse::<u64>().unwrap());
        if event == "grant" {
            assert_eq!((field(&line, "to"), field(&line, "usage")), ("uid:54321", "sign_hash"), "{line}");
        }
    }
    assert!(requests.is_sorted_by(|a, b| a < b), "{requests:?}");
}

#[test]
fn a_refusal_tells_who_was_refused_and_names_only_where_that_is_wanted() {
    for details in [true, false] {
        let config = CONFIG.replace("log_error_details = true", &format!("log_error_details = {details}"));
        let service = Service::with_config(&config);
        assert_eq!(sign(&service.client(), "none").unwrap_err().status(), Some(Status::PsaErrorDoesNotExist));
        let line = service.logs(&["event=\"refuse\""]);
        assert_eq!(field(&line, "pid"), std::process::id().to_string());
        assert_eq!((field(&line, "operation"), field(&line, "result")), ("SignHash", "PsaErrorDoesNotExist"));
        for name in ["who=", "key=\"none\"", "owner=", "detail=", "'none'"] {
            assert_eq!(line.contains(name), details, "{line}");
        }
    }
}

#[test]
fn where_a_key_is_looked_for_is_no_refusal() {
    let config = format!("{CONFIG}{}", TPM);
    let service = Setup::default().config(config).start();
    make(&service.client(), "web");
    run(&mut service.parsec(["key", "show", "web"])).ok();
    run(&mut service.parsec(["key", "show", "web", "--owner", "uid:1"])).refused();
    let line = service.logs(&["event=\"refuse\"", "operation=LookupKey"]);
    assert_eq!(field(&line, "owner"), "uid:1", "the first refusal that is told: {line}");
}

/// Requests that are refused.
fn refusals(client: &Client, count: usize) {
    for _ in 0..count {
        assert_eq!(sign(client, "none").unwrap_err().status(), Some(Status::PsaErrorDoesNotExist));
    }
}

#[test]
fn a_log_that_nobody_reads_stops_nothing_and_says_what_it_lost() {
    if !may_change_user() {
        return;
    }
    const FLOOD: usize = 5_000;
    let config = format!("{CONFIG}\n[quotas]\nlog_lines = 1000000\n");
    let mut service = Setup::default().config(config).by(["sh", "-c", "exec \"$0\" \"$@\" 2> pipe"]).prepare();
    let pipe = service.dir().join("pipe");
    run(Command::new("mkfifo").arg(&pipe)).ok();
    let reader = File::options().read(true).write(true).open(&pipe).unwrap();
    service.restart();
    acting(STRANGER, || refusals(&service.client(), FLOOD));
    make(&service.client(), "web");
    destroy(&service.client(), "web");

    let (sender, lines) = mpsc::channel();
    let reading = thread::spawn(move || {
        BufReader::new(reader).lines().map_while(Result::ok).take_while(|line| sender.send(line.clone()).is_ok()).count()
    });
    let (mut events, mut refused, mut lost) = (Vec::new(), 0, 0);
    while events != ["make", "destroy"] || refused + lost < FLOOD {
        let line: String =
            lines.recv_timeout(Duration::from_secs(60)).unwrap_or_else(|_| panic!("{events:?}, {refused}, {lost}"));
        match line.trim_start().strip_prefix("WARN ").filter(|_| line.contains("the reader of the log is too slow")) {
            Some(sum) => lost += sum.split(' ').next().unwrap().parse::<usize>().unwrap(),
            None if line.contains("event=\"refuse\"") => refused += 1,
            None if line.contains("key=\"web\"") => events.push(field(&line, "event").to_owned()),
            None => {}
        }
    }
    assert!(refused + lost == FLOOD && lost > 0, "{refused} and {lost}");

    // nor does one whose reader has gone
    drop(lines);
    make(&service.client(), "web");
    reading.join().unwrap();
    make(&service.client(), "mail");
    assert!(service.stop().success());
}

#[test]
fn a_users_flood_is_summed_up_and_leaves_room_for_others() {
    if !may_change_user() {
        return;
    }
    const FLOOD: usize = 1_000;
    let mut service = Service::start();
    acting(STRANGER, || refusals(&service.client(), FLOOD));
    refusals(&service.client(), 1);
    make(&service.client(), "web");
    assert!(service.stop().success());
    let log = service.log();
    let told =
        |uid: u32| log.lines().filter(move |line| line.contains("event=\"refuse\"") && field(line, "peer") == uid.to_string());
    let (flood, other) = (told(STRANGER).count(), told(0).count());
    assert!(other == 1 && log.contains("event=\"make\""), "{log}");
    let sums = log.lines().filter(|line| line.contains(&format!("of uid {STRANGER} were left out")));
    let sums: Vec<usize> = sums.map(|line| line.trim_start()[5..].split(' ').next().unwrap().parse().unwrap()).collect();
    assert!((200..FLOOD / 2).contains(&flood) && sums.len() < 20, "{flood} lines, {sums:?}");
    assert_eq!(flood + sums.iter().sum::<usize>(), FLOOD, "{sums:?}");
}

#[test]
fn the_journal_has_each_field_by_itself() {
    if !may_mount() {
        return;
    }
    let script = "mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/journal && mount --bind journal /run/systemd/journal && \
        JOURNAL_STREAM=$(stat -Lc %d:%i /proc/self/fd/2) exec \"$0\" \"$@\"";
    let mut service = Setup::default().by(["unshare", "--mount", "sh", "-c", script]).prepare();
    let socket = service.dir().join("journal/socket");
    fs::create_dir(socket.parent().unwrap()).unwrap();
    let journal = UnixDatagram::bind(&socket).unwrap();
    journal.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    fs::set_permissions(&socket, Permissions::from_mode(0o666)).unwrap();
    service.restart();
    make(&service.client(), "web");
    let mut buffer = vec![0; 1 << 16];
    let entry = loop {
        let len = journal.recv(&mut buffer).unwrap();
        let entry = String::from_utf8(buffer[..len].to_vec()).unwrap();
        if entry.contains("PARSEC_EVENT=make\n") {
            break entry;
        }
    };
    let pid = format!("PARSEC_PID={}", std::process::id());
    for line in
        ["PRIORITY=6", "SYSLOG_IDENTIFIER=parsec", "PARSEC_KEY=web", "PARSEC_OPERATION=GenerateKey", "PARSEC_PEER=0", &pid]
    {
        assert!(entry.lines().any(|other| other == line), "no {line}: {entry}");
    }
    let message = entry.lines().find(|line| line.starts_with("MESSAGE=made ")).unwrap();
    assert!(message.contains("key=\"web\""), "{message}");
    assert!(!service.log().contains("made"), "{}", service.log());
    // where the journal has gone, standard error is still there
    drop(journal);
    destroy(&service.client(), "web");
    service.logs(&["event=\"destroy\""]);
}
