//! Apache httpd, which reads its configuration twice before it forks.

use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::process::Command;

use interop::{Daemon, Desk, Row, eventually, listens};
use rustix::process::Signal;
use tests::{may_change_user, run};

use crate::{addresses, curl, desk, documented, named, pages};

#[test]
fn children_of_prefork_have_every_kind_of_key() {
    serves("prefork");
}

#[test]
fn threads_of_event_have_every_kind_of_key() {
    serves("event");
}

fn serves(mpm: &'static str) {
    let Some(httpd) = Httpd::new(mpm) else { return };
    let server = httpd.start();
    for (kind, address) in httpd.servers {
        assert_eq!(pages(&httpd.desk, kind, address), ["TLSv1.2\n", "TLSv1.3\n"]);
    }
    // a reload reads the keys again, twice, in a process that has read them before
    let log = |count: usize| {
        eventually("a new generation of children", || {
            (httpd.desk.text("error.log").matches("resuming normal operations").count() == count).then_some(())
        });
    };
    log(1);
    server.signal(Signal::USR1);
    log(2);
    for (kind, address) in httpd.servers {
        pages(&httpd.desk, kind, address);
    }
}

#[test]
fn clients_prove_themselves_and_refusals_reach_the_error_log() {
    let Some(httpd) = Httpd::new("event") else { return };
    let desk = &httpd.desk;
    let [(kind, address), ..] = httpd.servers;
    desk.parsec("key new me --for tls-client --out me.pem");
    desk.parsec("key csr me --self-signed --cn me --out me.crt");
    httpd.configure("SSLVerifyClient require\nSSLCACertificateFile me.crt\n");
    let _server = httpd.start();
    let identity = documented("curl")[0].strip_prefix("curl ").unwrap().strip_suffix(" https://…").unwrap();
    let me = |version| {
        let mut command = curl(desk, kind, version, address);
        run(command.args(identity.split(' ')).env("OPENSSL_CONF", desk.service.openssl_conf()))
    };
    for version in crate::VERSIONS {
        me(version).ok();
        run(&mut curl(desk, kind, version, address)).refused();
    }
    desk.parsec(&format!("key revoke {kind} user:www-data"));
    me("1.3").refused();
    eventually("the reason in the log", || {
        desk.text("error.log").contains(&format!("uid:33 may not use key '{kind}' of uid:0")).then_some(())
    });
}

/// A service, and a configured httpd.
struct Httpd {
    desk: Desk,
    mpm: &'static str,
    servers: [(&'static str, SocketAddr); 4],
}

impl Httpd {
    fn new(mpm: &'static str) -> Option<Self> {
        let desk = desk(Row::program("apache2"), "www-data")?;
        if !may_change_user() {
            return None;
        }
        std::fs::create_dir(desk.path("pages")).unwrap();
        desk.write("pages/index.shtml", "<!--#echo var=\"SSL_PROTOCOL\" -->\n");
        let httpd = Self { desk, mpm, servers: addresses() };
        httpd.configure("");
        Some(httpd)
    }

    /// Writes httpd.conf, with these lines for all servers.
    fn configure(&self, lines: &str) {
        let (dir, mpm) = (self.desk.service.dir().display(), self.mpm);
        let modules: String = [&format!("mpm_{mpm}"), "ssl", "authz_core", "include", "mime", "dir"]
            .map(|name| format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"))
            .concat();
        let servers: String = self
            .servers
            .iter()
            .map(|(kind, address)| {
                let identity = named(&documented("Apache httpd"), kind);
                format!("Listen {address}\n<VirtualHost {address}>\n{identity}</VirtualHost>\n")
            })
            .collect();
        let text = format!(
            "ServerRoot {dir}\nDefaultRuntimeDir {dir}\nPidFile {dir}/httpd.pid\nErrorLog {dir}/error.log\nServerName localhost\n\
             {modules}LogLevel ssl:info\nUser www-data\nGroup www-data\nStartServers 4\nSSLSessionCache none\n{lines}\
             DocumentRoot {dir}/pages\nDirectoryIndex index.shtml\nTypesConfig /dev/null\nAddType text/plain .shtml\n\
             <Directory {dir}/pages>\nOptions +Includes\nSetOutputFilter INCLUDES\nSSLOptions +StdEnvVars\n</Directory>\n{servers}"
        );
        self.desk.write("httpd.conf", text);
    }

    fn command(&self) -> Command {
        let mut command = self.desk.ours("apache2 -D FOREGROUND -f");
        // when it ends, it ends the whole process group
        command.arg(self.desk.path("httpd.conf")).process_group(0);
        command
    }

    fn start(&self) -> Daemon {
        let log = self.desk.path("httpd.out");
        Daemon::start(&mut self.command(), &log, || self.servers.iter().all(|(_, address)| listens(*address)))
    }
}
