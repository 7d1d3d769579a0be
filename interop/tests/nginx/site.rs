//! An nginx, and the keys that it serves with.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use interop::{Daemon, Row, engine_conf, eventually, has, listens, loopback, newer_nginx, sealed, setup};
use tests::{Service, may_change_user, program, run};

pub(crate) const BOTH: [(&str, &str); 2] = [("rsa", "rsa-2048"), ("ec", "p256")];

/// How nginx comes to its keys.
#[derive(Clone, Copy)]
pub(crate) enum Way {
    /// Our OpenSSL provider reads reference files.
    References,
    /// The same in the workers, when they shake hands: the path has a variable in it.
    Variables,
    /// Our OpenSSL provider is asked for URIs, by an nginx that knows these.
    Store,
    /// libp11's engine asks our PKCS#11 module.
    Engine,
}

/// A service, and what it takes to run an nginx on it.
pub(crate) struct Site {
    pub(crate) service: Service,
    row: Row,
    way: Way,
    nginx: PathBuf,
    /// One server for each key.
    pub(crate) servers: Vec<(&'static str, SocketAddr)>,
    pub(crate) workers: usize,
    /// That shake hands under load, of each kind.
    pub(crate) clients: usize,
}

impl Site {
    /// A service with these keys and their certificates, which nginx's workers may use.
    pub(crate) fn new(way: Way, keys: &[(&'static str, &str)]) -> Option<Self> {
        Self::on(setup().prepare(), way, keys)
    }

    /// The same on a service that is still to be started.
    pub(crate) fn on(service: Service, way: Way, keys: &[(&'static str, &str)]) -> Option<Self> {
        Self::with(service, way, keys, |row| row)
    }

    fn with(mut service: Service, way: Way, keys: &[(&'static str, &str)], tier: fn(Row) -> Row) -> Option<Self> {
        program("curl")?;
        if !may_change_user() {
            return None;
        }
        let (nginx, row) = match way {
            Way::References | Way::Variables | Way::Engine => (program("nginx")?, Row::program("nginx")?),
            Way::Store => (newer_nginx(), Row::peer("nginx", &newer_nginx())),
        };
        service.restart();
        let mut row = tier(row);
        if !keys.iter().all(|(_, algorithm)| has(&service, algorithm)) {
            row.cancel();
            return None;
        }
        let servers = keys.iter().map(|(name, _)| (*name, loopback())).collect();
        let site = Self { service, row, way, nginx, servers, workers: 2, clients: 1 };
        std::fs::create_dir(site.path("nginx")).unwrap();
        for (name, algorithm) in keys {
            site.parsec(&format!(
                "key new {name} --provider {} --for tls-server --algorithm {algorithm} --grant user:www-data=sign --out nginx/{name}.pem",
                site.row.provider()
            ));
            site.certify(name);
        }
        site.configure("");
        Some(site)
    }

    pub(crate) fn both(way: Way) -> Option<Self> {
        Self::new(way, &BOTH)
    }

    /// As [`Self::both`], with keys of the sealed tier.
    pub(crate) fn sealed(way: Way) -> Option<Self> {
        Self::with(sealed()?.prepare(), way, &BOTH, Row::sealed)
    }

    /// This one, where the provider of the run is that of software: the test is about what only that one does.
    pub(crate) fn with_software(mut self) -> Option<Self> {
        let software = self.row.provider() == "software";
        if !software {
            self.row.cancel();
        }
        software.then_some(self)
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.service.dir().join(file)
    }

    pub(crate) fn parsec(&self, arguments: &str) -> String {
        run(&mut self.service.parsec(arguments.split(' '))).ok()
    }

    pub(crate) fn certify(&self, name: &str) {
        let ip = self.address(name).ip();
        self.parsec(&format!("key csr {name} --self-signed --cn localhost --ip {ip} --out nginx/{name}.crt"));
    }

    pub(crate) fn address(&self, name: &str) -> SocketAddr {
        let server = self.servers.iter().find(|(server, _)| *server == name);
        server.unwrap().1
    }

    /// Writes nginx.conf, with these lines in every server.
    pub(crate) fn configure(&self, lines: &str) {
        let workers = self.workers;
        let dir = self.path("nginx");
        let dir = dir.display();
        let servers: String = self.servers.iter().map(|(name, address)| format!(
            "  server {{\n    listen {address} ssl;\n    server_name {name};\n    ssl_certificate {dir}/{name}.crt;\n    ssl_certificate_key {};\n    \
             ssl_protocols TLSv1.2 TLSv1.3;\n    {lines}\n    location / {{ return 200 \"{name} $ssl_protocol $ssl_client_s_dn\\n\"; }}\n  }}\n", self.key(name)
        )).collect();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .iter()
            .map(|kind| format!("  {kind}_temp_path {dir}/{kind};\n"))
            .collect();
        // workers have no environment but what is named
        let engine = match self.way {
            Way::References | Way::Variables | Way::Store => "",
            Way::Engine => "ssl_engine pkcs11;\nenv PARSEC_SERVICE_ENDPOINT;\n",
        };
        let text = format!(
            "user www-data;\n{engine}worker_processes {workers};\ndaemon off;\npid {dir}/nginx.pid;\nerror_log {dir}/error.log info;\nevents {{}}\nhttp {{\n  access_log off;\n  \
             ssl_session_cache off;\n  ssl_session_tickets off;\n{temporary}{servers}}}\n"
        );
        std::fs::write(self.path("nginx/nginx.conf"), text).unwrap();
    }

    /// What nginx calls a key.
    fn key(&self, name: &str) -> String {
        match self.way {
            Way::References => self.path(&format!("nginx/{name}.pem")).display().to_string(),
            Way::Variables => self.path("nginx/$server_name.pem").display().to_string(),
            Way::Store => format!("\"store:parsec:object={name};provider={}\"", self.row.provider()),
            Way::Engine => format!("\"engine:pkcs11:pkcs11:token={};object={name};type=private\"", self.row.provider()),
        }
    }

    pub(crate) fn nginx(&self, arguments: &[&str]) -> Command {
        let conf = match self.way {
            Way::References | Way::Variables | Way::Store => self.service.openssl_conf(),
            Way::Engine => engine_conf(&self.service),
        };
        let mut command = self.service.command(&self.nginx);
        command
            .env("OPENSSL_CONF", conf)
            .arg("-c")
            .arg(self.path("nginx/nginx.conf"))
            .arg("-e")
            .arg(self.path("nginx/error.log"))
            .args(arguments);
        command
    }

    pub(crate) fn start(&self) -> Daemon {
        self.start_with(&mut self.nginx(&[]))
    }

    /// As [`Self::start`], by another command.
    pub(crate) fn start_with(&self, command: &mut Command) -> Daemon {
        Daemon::start(command, &self.path("nginx.out"), || self.servers.iter().all(|(_, address)| listens(*address)))
    }

    /// Has the keys read again, and waits until nobody has the old ones.
    #[track_caller]
    pub(crate) fn reload(&self, nginx: &Daemon) {
        let all = || Some(children(nginx.pid())).filter(|workers| workers.len() == self.workers);
        let before = eventually("workers", all);
        run(&mut self.nginx(&["-s", "reload"])).ok();
        eventually("new workers alone", || all().filter(|now| now.iter().all(|pid| !before.contains(pid))));
    }

    /// curl to the server with this key, whose certificate it trusts.
    pub(crate) fn curl(&self, name: &str, options: &[&str]) -> Command {
        let mut command = self.service.command("curl");
        command
            .args(["--silent", "--show-error", "--max-time", "60", "--cacert"])
            .arg(self.path(&format!("nginx/{name}.crt")))
            .args(options)
            .arg(format!("https://{}/", self.address(name)));
        command
    }

    /// Waits until nginx has logged something, which may be after the client was told.
    #[track_caller]
    pub(crate) fn logs(&self, what: &str) {
        eventually(what, || {
            let log = std::fs::read_to_string(self.path("nginx/error.log")).unwrap();
            log.contains(what).then_some(())
        });
    }
}

/// The worker processes, once all are there.
pub(crate) fn workers(nginx: &Daemon) -> Vec<u32> {
    eventually("two workers", || Some(children(nginx.pid())).filter(|workers| workers.len() == 2))
}

/// The processes that a process has started.
fn children(pid: u32) -> Vec<u32> {
    let list = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    list.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
}

/// The real, effective, saved and file-system uid of a process.
pub(crate) fn uids(pid: u32) -> Vec<u32> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    line.unwrap().split_whitespace().map(|uid| uid.parse().unwrap()).collect()
}
