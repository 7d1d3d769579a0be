//! What servers do with processes around a key, by a small server of ours, `processes.c`, with the system's libssl.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::os::fd::AsRawFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::Path;
use std::process::Command;

use interop::{Daemon, Desk, Row, eventually, library};
use rustix::io::{FdFlags, fcntl_setfd};
use tests::{Ran, built, may_change_user, run};

/// The users that workers become.
const USERS: [u32; 4] = [54_401, 54_402, 54_403, 54_404];

/// A service with a key, its reference, and the server; `None` after a [`tests::skip`].
fn desk() -> Option<Desk> {
    let row = Row::library("libssl", library("libssl.so.3"))?;
    let desk = Desk::with(row);
    desk.parsec("key new web --for tls-server --out web.pem");
    desk.parsec("key csr web --self-signed --cn localhost --out web.crt");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/processes.c");
    desk.ok(&format!("cc -Wall -o server {} -lssl -lcrypto -lpthread", source.display()));
    Some(desk)
}

fn server(desk: &Desk, what: &str, more: &[String]) -> Command {
    let mut command = desk.service.command(desk.path("server"));
    command.env("OPENSSL_CONF", "/dev/null").arg(what).arg(desk.service.openssl_conf()).args(["web.pem", "web.crt"]).args(more);
    command
}

fn serve(desk: &Desk, what: &str, more: &[String]) -> Ran {
    run(&mut server(desk, what, more))
}

/// How many lines of a log say it.
fn told(server: &Daemon, what: &str) -> usize {
    server.log().lines().filter(|line| line.starts_with(what)).count()
}

#[track_caller]
fn all_serve(server: &Daemon) {
    let before = USERS.map(|user| told(server, &format!("{user} served")));
    eventually("handshakes of every worker", || {
        let now = USERS.map(|user| told(server, &format!("{user} served")));
        now.iter().zip(before).all(|(now, before)| *now >= before + 5).then_some(())
    });
}

#[test]
fn forked_workers_of_other_users_serve_through_restarts_of_the_service() {
    let Some(mut desk) = desk() else { return };
    if !may_change_user() {
        return;
    }
    for user in USERS {
        desk.parsec(&format!("key grant web uid:{user}=sign"));
    }
    let log = desk.path("server.log");
    let server = Daemon::start(&mut server(&desk, "workers", &USERS.map(|user| user.to_string())), &log, || log.exists());
    all_serve(&server);
    desk.service.kill9();
    desk.service.restart();
    all_serve(&server);
    desk.service.restart();
    all_serve(&server);
    // each came as itself, and not as who loaded the key
    for user in USERS {
        desk.parsec(&format!("key revoke web uid:{user}"));
        eventually("a refusal", || (told(&server, &format!("{user} failed")) > 0).then_some(()));
        let why = format!("uid:{user} may not use key 'web' of uid:0");
        eventually("the reason", || server.log().contains(&why).then_some(()));
        desk.service.logs(&[&why]);
    }
}

#[test]
fn a_server_that_has_changed_its_root_says_why_it_cannot_sign() {
    let Some(desk) = desk() else { return };
    if !may_change_user() {
        return;
    }
    std::fs::create_dir(desk.path("jail")).unwrap();
    let said = serve(&desk, "chroot", &["jail".to_owned()]).refused();
    assert!(said.contains("parsec.sock") && said.contains("chroot"), "{said}");
}

#[test]
fn a_server_that_has_changed_its_root_reaches_a_socket_without_a_path() {
    let Some(mut desk) = desk() else { return };
    if !may_change_user() {
        return;
    }
    desk.service.stop();
    let name = format!("parsec{}", desk.path("").display());
    let listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    fcntl_setfd(&listener, FdFlags::empty()).unwrap();
    // as systemd starts it
    let mut activated = desk.command("bash -c");
    let (parsec, fd) = (built("parsec"), listener.as_raw_fd());
    activated.arg(format!("LISTEN_PID=$$ LISTEN_FDS=1 exec {} serve -c config.toml 3<&{fd}", parsec.display()));
    let log = desk.path("activated.log");
    let _service = Daemon::start(&mut activated, &log, || std::fs::read_to_string(&log).is_ok_and(|log| log.contains("ready")));
    std::fs::create_dir(desk.path("jail")).unwrap();
    let mut server = server(&desk, "chroot", &["jail".to_owned()]);
    run(server.env("PARSEC_SERVICE_ENDPOINT", format!("unix:@{name}"))).ok();
}

#[test]
fn a_server_that_has_closed_its_descriptors_connects_anew() {
    let Some(desk) = desk() else { return };
    serve(&desk, "closefrom", &[]).ok();
}

#[test]
fn a_server_that_becomes_another_user_signs_as_that_one() {
    let Some(desk) = desk() else { return };
    if !may_change_user() {
        return;
    }
    let user = USERS[0];
    desk.parsec(&format!("key grant web uid:{user}=sign"));
    serve(&desk, "user", &[user.to_string()]).ok();
    desk.parsec(&format!("key revoke web uid:{user}"));
    let said = serve(&desk, "user", &[user.to_string()]).refused();
    assert!(said.contains(&format!("uid:{user} may not use key 'web' of uid:0")), "{said}");
}

#[test]
fn a_child_whose_process_id_is_that_of_its_parent_connects_anew() {
    let Some(desk) = desk() else { return };
    if !may_change_user() {
        return;
    }
    serve(&desk, "pids", &[]).ok();
}

#[test]
fn sixty_four_threads_share_one_key() {
    let Some(desk) = desk() else { return };
    serve(&desk, "threads", &[]).ok();
}

#[test]
fn a_child_of_one_thread_serves_while_others_sign() {
    let Some(desk) = desk() else { return };
    serve(&desk, "fork-beside-threads", &[]).ok();
}

#[test]
fn the_provider_is_loaded_and_unloaded_1000_times() {
    let Some(desk) = desk() else { return };
    let module = desk.service.staged("libparsec_openssl.so").display().to_string();
    serve(&desk, "reload", std::slice::from_ref(&module)).ok();
    serve(&desk, "reload-beside-threads", &[module]).ok();
}
