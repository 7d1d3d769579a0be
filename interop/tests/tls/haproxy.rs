//! HAProxy: a master that reads the keys, and a worker that has changed its user and its root.

use std::net::SocketAddr;
use std::process::Command;

use interop::{Daemon, Desk, Row, eventually, listens, loopback, may_unshare};
use rustix::process::{Pid, Signal, kill_process};
use tests::{may_change_user, run};

use crate::{KINDS, addresses, curl, desk, documented, named, pages};

#[test]
fn threads_of_a_worker_in_a_chroot_have_every_kind_of_key() {
    let Some(haproxy) = Haproxy::new() else { return };
    if !may_unshare() {
        return;
    }
    let desk = &haproxy.desk;
    let dir = desk.service.dir().display();
    haproxy.configure(&format!("nbthread 4\nuser www-data\ngroup www-data\nchroot {dir}/jail\n"));
    let inside = format!("{dir}/jail/{dir}");
    std::fs::create_dir_all(&inside).unwrap();
    let mut command = desk.ours("unshare --mount sh -c");
    command.arg(format!("mount --bind {dir} {inside} && exec haproxy -W -f haproxy.cfg"));
    let server = haproxy.start(&mut command);
    haproxy.serves();
    // the master starts anew and reads the keys again; the old worker goes
    server.signal(Signal::USR2);
    eventually("a second worker that serves alone", || {
        let log = server.log();
        (log.matches("Loading success").count() == 2 && log.contains("Former worker")).then_some(())
    });
    haproxy.serves();
}

#[test]
fn one_thread_has_many_handshakes_in_flight() {
    const CLIENTS: usize = 32;
    let Some(haproxy) = Haproxy::new() else { return };
    let desk = &haproxy.desk;
    let plain = loopback();
    haproxy.configure("nbthread 1\nssl-mode-async\n");
    let text = desk.text("haproxy.cfg");
    let status = "http-request return status 200 content-type text/plain lf-string %[fe_conn(tls)]";
    desk.write("haproxy.cfg", format!("{text}frontend status\nbind {plain}\n{status}\n"));
    let _server = haproxy.start(&mut desk.ours("haproxy -db -f haproxy.cfg"));
    haproxy.serves();
    let service = Pid::from_raw(desk.service.pid().try_into().unwrap()).unwrap();
    // a service that takes its time
    kill_process(service, Signal::STOP).unwrap();
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let (kind, address) = haproxy.servers[client % KINDS.len()];
                scope.spawn(move || run(&mut curl(desk, kind, "1.3", address)).ok())
            })
            .collect();
        eventually("all handshakes in flight", || {
            let connections = desk.ok(&format!("curl --silent --show-error --fail --max-time 60 http://{plain}/"));
            (connections == CLIENTS.to_string()).then_some(())
        });
        kill_process(service, Signal::CONT).unwrap();
        for client in clients {
            assert_eq!(client.join().unwrap(), "TLSv1.3");
        }
    });
}

/// A service, and a configured HAProxy.
struct Haproxy {
    desk: Desk,
    servers: [(&'static str, SocketAddr); 4],
}

impl Haproxy {
    fn new() -> Option<Self> {
        let desk = desk(Row::program("haproxy"), "www-data")?;
        let cat = documented("HAProxy")[0];
        for kind in KINDS {
            run(desk.command("sh -c").arg(named(&[cat], kind))).ok();
        }
        may_change_user().then(|| Self { desk, servers: addresses() })
    }

    /// Writes haproxy.cfg with these global lines.
    fn configure(&self, global: &str) {
        let bind = documented("HAProxy")[1];
        let bind = |(kind, address): &(&str, SocketAddr)| named(&[bind], kind).replace(":443", &address.to_string());
        let binds: String = self.servers.iter().map(bind).collect();
        self.desk.write(
            "haproxy.cfg",
            format!(
                "global\nmaxconn 100\n{global}defaults\nmode http\ntimeout connect 60s\ntimeout client 60s\ntimeout server 60s\n\
                 frontend tls\n{binds}http-request return status 200 content-type text/plain lf-string %[ssl_fc_protocol]\n"
            ),
        );
    }

    fn start(&self, command: &mut Command) -> Daemon {
        Daemon::start(command, &self.desk.path("haproxy.log"), || self.servers.iter().all(|(_, address)| listens(*address)))
    }

    fn serves(&self) {
        for (kind, address) in self.servers {
            assert_eq!(pages(&self.desk, kind, address), ["TLSv1.2", "TLSv1.3"]);
        }
    }
}
