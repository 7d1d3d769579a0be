//! An nginx that comes to its key by latchset's provider and our PKCS#11 module. Debian has both from its next release on.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use tests::{Daemon, Ran, Service, listens, loopback, run};

use crate::newer_nginx;

/// One that serves the certificate `web.crt` in the service's directory.
pub struct Latchset {
    nginx: PathBuf,
    dir: PathBuf,
    address: SocketAddr,
    _daemon: Option<Daemon>,
}

impl Latchset {
    /// Not started yet.
    pub fn new(service: &Service) -> Self {
        Self { nginx: newer_nginx(), dir: service.dir().to_owned(), address: loopback(), _daemon: None }
    }

    /// Where it will listen.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Starts it with the key of this URI, with workers that run as `user`.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start(self, service: &Service, uri: &str, user: &str) -> Self {
        self.configure(service, uri, user);
        let tested = run(&mut self.command(service, &["-t"]));
        let log = std::fs::read_to_string(self.dir.join("error.log")).unwrap_or_default();
        assert!(tested.status.success(), "{}{log}", tested.err);
        let daemon = Daemon::start(&mut self.command(service, &[]), &self.dir.join("nginx.out"), || listens(self.address));
        Self { _daemon: Some(daemon), ..self }
    }

    /// What a client gets, who makes a connection of its own.
    pub fn get(&self) -> Ran {
        let mut curl = Command::new("curl");
        curl.current_dir(&self.dir).args(["--silent", "--show-error", "--max-time", "60", "--cacert", "web.crt"]);
        run(curl.arg(format!("https://{}/", self.address)))
    }

    fn configure(&self, service: &Service, uri: &str, user: &str) {
        let root = self.nginx.ancestors().nth(2).unwrap();
        let provider = root.join("usr/lib/x86_64-linux-gnu/ossl-modules/pkcs11.so");
        assert!(provider.exists(), "{}", root.display());
        let (provider, module) = (provider.display(), service.staged("libparsec_pkcs11.so"));
        let providers = format!(
            "openssl_conf = init\n[init]\nproviders = providers\n[providers]\ndefault = builtin\npkcs11 = latchset\n[builtin]\nactivate = 1\n\
             [latchset]\nmodule = {provider}\npkcs11-module-path = {}\nactivate = 1\n",
            module.display()
        );
        let (dir, address) = (self.dir.display(), self.address);
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .iter()
            .map(|kind| format!("  {kind}_temp_path {dir}/{kind};\n"))
            .collect();
        let nginx = format!(
            "user {user};\nenv PARSEC_SERVICE_ENDPOINT;\nenv OPENSSL_CONF;\nworker_processes 1;\ndaemon off;\npid {dir}/nginx.pid;\n\
             error_log {dir}/error.log info;\nevents {{}}\nhttp {{\n  access_log off;\n{temporary}  server {{\n    listen {address} ssl;\n    \
             ssl_certificate {dir}/web.crt;\n    ssl_certificate_key \"store:{uri}\";\n    location / {{ return 200 \"served\\n\"; }}\n  }}\n}}\n"
        );
        std::fs::write(self.dir.join("provider.cnf"), providers).unwrap();
        std::fs::write(self.dir.join("nginx.conf"), nginx).unwrap();
    }

    fn command(&self, service: &Service, arguments: &[&str]) -> Command {
        let mut command = service.command(&self.nginx);
        command.env("OPENSSL_CONF", self.dir.join("provider.cnf")).arg("-c").arg(self.dir.join("nginx.conf"));
        command.arg("-e").arg(self.dir.join("error.log")).args(arguments);
        command
    }
}
