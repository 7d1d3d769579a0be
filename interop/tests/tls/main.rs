//! Servers and clients of TLS that link OpenSSL and have our provider: what they have for a key file holds a reference.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod haproxy;
mod httpd;
mod node;
mod openvpn;
mod postgresql;
mod python;
mod stunnel;

use std::net::SocketAddr;
use std::process::Command;

use interop::{Desk, Row, loopback};
use tests::run;

pub(crate) const KINDS: [&str; 4] = ["rsa-2048", "p256", "p384", "ed25519"];
/// What curl calls the versions of TLS.
pub(crate) const VERSIONS: [&str; 2] = ["1.2", "1.3"];

/// A service with a key of every kind, its reference and its certificate, all named after the kind. Servers run by `user` may sign.
pub(crate) fn desk(row: Option<Row>, user: &str) -> Option<Desk> {
    let desk = Desk::with(row?).and("curl")?;
    for kind in KINDS {
        identity(&desk, kind, kind, user);
    }
    Some(desk)
}

/// Makes a key with which a server of this user can be called `localhost`.
pub(crate) fn identity(desk: &Desk, name: &str, algorithm: &str, user: &str) {
    let ip = loopback().ip();
    desk.parsec(&format!("key new {name} --for tls-server --algorithm {algorithm} --grant user:{user}=sign --out {name}.pem"));
    desk.parsec(&format!("key csr {name} --self-signed --cn localhost --ip {ip} --out {name}.crt"));
}

/// Gives the key of this name, and its certificate, the name `web`.
pub(crate) fn identify(desk: &Desk, name: &str) {
    for file in ["crt", "pem"] {
        desk.write(format!("web.{file}"), desk.read(format!("{name}.{file}")));
    }
}

/// What `service/docs/servers.md` tells people to write for a program: the tests take it as it stands there, but for the names.
pub(crate) fn documented(program: &str) -> Vec<&'static str> {
    let page = include_str!("../../../service/docs/servers.md");
    let row = page.lines().find(|line| line.starts_with(&format!("| {program} |"))).expect("a row of servers.md");
    let (_, lines) = row.rsplit_once(" | ").expect("a last column");
    lines.split('`').skip(1).step_by(2).collect()
}

/// The same lines for another key than `web`.
pub(crate) fn named(lines: &[&str], name: &str) -> String {
    lines.iter().map(|line| line.replace("web.", &format!("{name}.")) + "\n").collect()
}

/// An address for a server of each kind.
pub(crate) fn addresses() -> [(&'static str, SocketAddr); 4] {
    KINDS.map(|kind| (kind, loopback()))
}

/// curl, which trusts the certificate of this name.
pub(crate) fn curl(desk: &Desk, name: &str, version: &str, address: SocketAddr) -> Command {
    let mut command = desk.command(&format!("curl --silent --show-error --fail --max-time 60 --cacert {name}.crt"));
    command.args([&format!("--tlsv{version}"), "--tls-max", version, &format!("https://{address}/")]);
    command
}

/// What a server has for curl, over both versions of TLS.
#[track_caller]
pub(crate) fn pages(desk: &Desk, name: &str, address: SocketAddr) -> [String; 2] {
    VERSIONS.map(|version| run(&mut curl(desk, name, version, address)).ok())
}
