//! PostgreSQL: each connection is a fork of a server that has read the key, and reads it again when told.

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;

use interop::{Daemon, Desk, Row, eventually, loopback};
use rustix::process::Signal;
use tests::{as_uid, may_change_user, run, skip};

use crate::{KINDS, VERSIONS, desk, documented};

#[test]
fn servers_and_clients_have_every_kind_of_key() {
    let Some(bin) = programs() else { return };
    let Some(desk) = desk(Row::library("postgresql", bin.join("postgres")), "postgres") else { return };
    if !may_change_user() {
        return;
    }
    let uid: u32 = desk.ok("id -u postgres").trim().parse().unwrap();
    std::fs::create_dir(desk.path("db")).unwrap();
    chown(desk.path("db"), Some(uid), None).unwrap();
    let initdb = format!("{} -D db -A trust --no-sync", bin.join("initdb").display());
    run(as_uid(&mut desk.command(&initdb), uid)).ok();
    desk.parsec("key new me --for tls-client --out me.pem");
    desk.parsec("key csr me --self-signed --cn postgres --out me.crt");
    std::fs::set_permissions(desk.path("me.pem"), Permissions::from_mode(0o600)).unwrap();

    let address = loopback();
    let (ip, port) = (address.ip(), address.port());
    desk.write("db/pg_hba.conf", "hostssl all all all cert\n");
    let dir = desk.service.dir().display();
    desk.write(
        "db/postgresql.conf",
        format!(
            "{}\nlisten_addresses = '{ip}'\nport = {port}\nunix_socket_directories = ''\nfsync = off\n\
             ssl_ca_file = '{dir}/me.crt'\n",
            documented("PostgreSQL").join("\n")
        ),
    );
    let psql = |kind: &str, version: &str| {
        let host = format!(
            "host=localhost hostaddr={ip} port={port} user=postgres dbname=postgres ssl_min_protocol_version=TLSv{version} \
             ssl_max_protocol_version=TLSv{version}"
        );
        let line = documented("psql, libpq")[0].replace("host=db", &host).replace("ca.crt", &format!("{kind}.crt"));
        let select = "select version, client_dn from pg_stat_ssl where pid = pg_backend_pid()";
        run(desk.ours("sh -c").arg(format!("{line} --no-psqlrc --tuples-only --no-align --command '{select}'")))
    };
    let identify = |kind: &str| serve_with(&desk, uid, kind);
    identify(KINDS[0]);
    let mut command = desk.ours(&format!("{} -D db", bin.join("postgres").display()));
    let log = desk.path("postgres.log");
    let ready = || std::fs::read_to_string(&log).unwrap().contains("ready to accept connections");
    let server = Daemon::start(as_uid(&mut command, uid), &log, ready);
    for kind in KINDS {
        identify(kind);
        server.signal(Signal::HUP);
        eventually("a server with the next key", || psql(kind, "1.3").status.success().then_some(()));
        for version in VERSIONS {
            assert_eq!(psql(kind, version).ok(), format!("TLSv{version}|/CN=postgres\n"));
        }
    }
}

/// Gives the server a certificate and the reference to its key, which nobody else may read.
fn serve_with(desk: &Desk, uid: u32, kind: &str) {
    desk.write("db/server.crt", desk.read(format!("{kind}.crt")));
    desk.write("db/server.pem", desk.read(format!("{kind}.pem")));
    std::fs::set_permissions(desk.path("db/server.pem"), Permissions::from_mode(0o600)).unwrap();
    chown(desk.path("db/server.pem"), Some(uid), None).unwrap();
}

/// Where Debian keeps the server's programs, which only a wrapper finds; or `None` after a [`skip`].
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let found = versions.map(|version| version.unwrap().path().join("bin")).find(|bin| bin.join("postgres").exists());
    if found.is_none() {
        skip("postgresql is not installed");
    }
    found
}
