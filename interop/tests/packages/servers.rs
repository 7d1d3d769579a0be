//! Servers as Debian configures them, with what `parsec setup` does, the lines that it prints and what `service/docs/servers.md` says.
//! Each signs from its own unit, its own chroot and as its own user, and takes a new key without a change of its configuration.

mod data;
mod directory;
mod mail;
mod web;

use interop::{Machine, Row, eventually};
use tests::Page;

use crate::{OLDER, packages};

/// The column of the page that says how a server comes to use a new key.
const NEW_KEY: usize = 4;

/// A machine with a server, which has the key and the certificate `web`.
pub(crate) struct Site {
    pub(crate) machine: Machine,
    name: &'static str,
    /// As whom it signs.
    user: String,
    _row: Row,
}

impl Site {
    /// One with a server that setup knows, from this package.
    pub(crate) fn new(name: &'static str, package: &str) -> Option<Self> {
        let machine = Machine::with_servers(packages())?;
        machine.ok(&format!("systemctl stop nginx; dpkg --install /shared/*_{OLDER}_*.deb"));
        let version = machine.ok(&format!("dpkg-query --show --showformat '${{Package}} ${{Version}}' {package}"));
        let site = Self { machine, name, user: String::new(), _row: Row::new(name, version) };
        site.key("web", "p256");
        Some(site)
    }

    /// Makes a key with its certificate, both in the files of that name.
    fn key(&self, name: &str, algorithm: &str) {
        self.machine.ok(&format!(
            "parsec key new {name} --for tls-server --algorithm {algorithm}
             parsec key csr {name} --self-signed --cn localhost --dns localhost --out /etc/parsec/{name}.crt"
        ));
    }

    /// Sets the server up, as an administrator who reads what is printed.
    pub(crate) fn set_up(&mut self) {
        let told = self.machine.ok(&format!("parsec setup {} --key web --yes", self.name));
        let (_, granted) = told.split_once("granted to ").expect("a grant");
        self.user = granted.lines().next().unwrap().to_owned();
        let (mut wanted, mut next) = (Vec::<(&str, Vec<&str>)>::new(), Vec::new());
        for line in told.lines() {
            if let Some(file) = line.strip_prefix("You write in ") {
                wanted.push((file.trim_end_matches(':'), Vec::new()));
            } else if let Some(command) = line.strip_prefix("then: ") {
                // the kernel here has no AppArmor: the rules are compiled
                next.push(command.replace("apparmor_parser -r", "apparmor_parser --skip-kernel-load --skip-cache"));
            } else if let Some((_, lines)) = wanted.last_mut() {
                lines.extend(line.strip_prefix("  "));
            }
        }
        for (file, lines) in wanted {
            self.write(file, &lines);
        }
        self.machine.ok(&next.join("\n"));
        let doctor = self.machine.run("parsec doctor").out;
        assert!(doctor.lines().any(|line| line.starts_with("ok") && line.contains(&format!(" {} ", self.name))), "{doctor}");
    }

    /// Puts lines into a file: each in the place of one that sets the same, or all at the end where they are sections.
    pub(crate) fn write(&self, file: &str, new: &[&str]) {
        let text = self.machine.run(&format!("cat {file}")).out;
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        let sections = new.iter().any(|line| line.starts_with('['));
        for line in new {
            let setting = |line: &str| line.trim().split([' ', '\t', '=']).next().map(str::to_owned);
            match lines.iter_mut().find(|old| !sections && setting(old) == setting(line)) {
                Some(old) => *old = (*line).to_owned(),
                None => lines.push((*line).to_owned()),
            }
        }
        self.machine.ok(&format!("cat > {file} <<'END'\n{}\nEND", lines.join("\n")));
    }

    /// The command in a column of the server's row of the page.
    fn documented(&self, column: usize) -> String {
        let page = Page::read("service/docs/servers.md");
        let rows = page.rows("One row for each server");
        let row = rows.iter().find(|row| row[0] == self.name).expect("a row of servers.md");
        let here = row[column]
            .split('`')
            .nth(1)
            .expect("a command")
            .replace("CERT", "/etc/parsec/web.crt")
            .replace("FILE", "/etc/parsec/web.pem");
        here.replace("NAME", "web")
    }

    /// Whether a command of a client succeeds, soon: many units are up before their servers are.
    #[track_caller]
    pub(crate) fn serves(&self, client: &str) {
        eventually(client, || self.machine.run(client).status.success().then_some(()));
    }

    /// A key of another kind takes the place of the first, as `service/docs/day2.md` says, and the server uses it. Then its user may not
    /// use it any more.
    #[track_caller]
    pub(crate) fn takes_a_new_key(&self, client: &str) {
        let Self { machine, user, .. } = self;
        self.key("web-2", "rsa-2048");
        machine.ok(&format!(
            "cd /etc/parsec; parsec key grant web-2 {user}=sign; parsec key pem web-2 --out web-2.pem
             mv web-2.pem web.pem; mv web-2.crt web.crt; {}",
            self.documented(NEW_KEY)
        ));
        self.serves(client);
        machine.ok(&format!("parsec key revoke web-2 {user}"));
        machine.refused(client);
        let said = || machine.run("journalctl --unit parsec --output cat").out;
        eventually("a refusal in the log", || said().contains(&format!("{user} may not use key 'web-2'")).then_some(()));
        machine.ok(&format!("parsec setup {} --undo --yes; test ! -e /etc/parsec/openssl.cnf", self.name));
    }
}

/// A client that trusts the server's certificate, and connects so, over both versions of TLS.
pub(crate) fn tls(connect: &str) -> String {
    let client = |version| {
        format!(
            "openssl s_client -brief -CAfile /etc/parsec/web.crt -verify_return_error -verify_hostname localhost \
             -tls1_{version} -connect {connect} < /dev/null"
        )
    };
    format!("{} && {}", client(2), client(3))
}
