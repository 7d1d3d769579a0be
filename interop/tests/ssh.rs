//! OpenSSH with keys of the module: `ssh-keygen`, `ssh` and `ssh-agent` on a real sshd.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::fs::Permissions;
use std::net::SocketAddr;
use std::ops::Deref;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;

use interop::{Daemon, Row, had, listens, loopback};
use tests::{Ran, STRANGER, as_uid, install, is_privileged, may_change_user, program, run};

/// OpenSSH 9.2 takes these kinds from PKCS#11 modules; it takes no Ed25519 before 10.1.
const KINDS: [&str; 3] = ["rsa-2048", "p256", "p384"];

/// A service, and an sshd that lets root in with the keys that it is told.
struct Desk {
    desk: interop::Desk,
    address: SocketAddr,
    sshd: PathBuf,
}

impl Deref for Desk {
    type Target = interop::Desk;

    fn deref(&self) -> &interop::Desk {
        &self.desk
    }
}

impl Desk {
    fn new() -> Option<Self> {
        Self::on(|row| Some(interop::Desk::with(row)))
    }

    fn on(desk: fn(Row) -> Option<interop::Desk>) -> Option<Self> {
        let sshd = program("sshd")?;
        if !may_change_user() {
            return None;
        }
        let desk = Self { desk: desk(Row::program("ssh")?)?, address: loopback(), sshd };
        for kind in had(&desk.service, &[&KINDS[..], &["ed25519"]].concat()) {
            desk.parsec(&format!("key new {kind} --provider {} --algorithm {kind}", desk.row.provider()));
        }
        Some(desk)
    }

    /// The public keys that ssh-keygen gets from the module, a line each.
    fn public_keys(&self) -> Vec<String> {
        let listed = run(self.service.command("ssh-keygen").arg("-D").arg(self.module())).ok();
        listed.lines().map(str::to_owned).collect()
    }

    /// Starts a sshd with a host key file that knows these public keys.
    fn sshd(&self, authorized: &str) -> Daemon {
        self.make_host_key();
        self.sshd_with("HostKey {dir}/host", "host.pub", authorized)
    }

    /// Starts a sshd with a host key file that lets in whom this authority certifies.
    fn sshd_trusting(&self, authority: &str) -> Daemon {
        self.make_host_key();
        self.sshd_with(&format!("HostKey {{dir}}/host\nTrustedUserCAKeys {{dir}}/{authority}"), "host.pub", "")
    }

    fn make_host_key(&self) {
        let _ = std::fs::remove_file(self.path("host"));
        let arguments = ["-q", "-t", "ed25519", "-N", "", "-f", "host"];
        run(self.service.command("ssh-keygen").args(arguments)).ok();
    }

    /// Starts a sshd with these lines for its host key, whose public part is in this file.
    fn sshd_with(&self, host_key: &str, public: &str, authorized: &str) -> Daemon {
        std::fs::write(self.path("authorized_keys"), authorized).unwrap();
        let dir = self.service.dir().display().to_string();
        let (ip, port) = (self.address.ip(), self.address.port());
        let config = format!(
            "ListenAddress {ip}\nPort {port}\n{host_key}\nAuthorizedKeysFile {{dir}}/authorized_keys\nPidFile none\nStrictModes no\n\
             AuthenticationMethods publickey\nPubkeyAuthentication yes\nPermitRootLogin yes\nUsePAM no\nLogLevel VERBOSE\n"
        );
        std::fs::write(self.path("sshd_config"), config.replace("{dir}", &dir)).unwrap();
        // the host key is known, so that nothing is asked, and any other one refused
        let public = std::fs::read_to_string(self.path(public)).unwrap();
        std::fs::write(self.path("known_hosts"), format!("[{ip}]:{port} {public}")).unwrap();
        // Debian's sshd wants it, and its systemd unit makes it
        std::fs::create_dir_all("/run/sshd").unwrap();
        let mut sshd = self.service.command(&self.sshd);
        sshd.args(["-D", "-e", "-f", "sshd_config"]);
        Daemon::start(&mut sshd, &self.path("sshd.log"), || listens(self.address))
    }

    /// Starts an agent that may load the module, and has done so.
    fn agent(&self) -> Daemon {
        self.agent_of(0)
    }

    fn agent_of(&self, user: u32) -> Daemon {
        let socket = self.path("agent.sock");
        let mut agent = self.service.command("ssh-agent");
        agent.args(["-D", "-a"]).arg(&socket).arg("-P").arg(self.module());
        let agent = Daemon::start(as_uid(&mut agent, user), &self.path("agent.log"), || UnixStream::connect(&socket).is_ok());
        // who has no PIN types none
        std::fs::write(self.path("no-pin"), "#!/bin/sh\necho\n").unwrap();
        install(&self.path("no-pin"), &self.path("askpass"));
        self.ssh_add(&["-s", self.module().to_str().unwrap()]).ok();
        agent
    }

    fn ssh_add(&self, arguments: &[&str]) -> Ran {
        let mut command = self.service.command("ssh-add");
        command
            .env("SSH_AUTH_SOCK", self.path("agent.sock"))
            .env("SSH_ASKPASS_REQUIRE", "force")
            .env("SSH_ASKPASS", self.path("askpass"));
        run(command.args(arguments))
    }

    /// ssh as root to our sshd, which runs a command there.
    fn ssh(&self, options: &[&str]) -> Command {
        let (ip, port) = (self.address.ip().to_string(), self.address.port().to_string());
        let hosts = format!("UserKnownHostsFile={}", self.path("known_hosts").display());
        let mut ssh = self.service.command("ssh");
        ssh.args(["-F", "none", "-o", "BatchMode=yes", "-o", "IdentityFile=none", "-o", &hosts]).args(options).args([
            "-p",
            &port,
            &format!("root@{ip}"),
            "echo",
            "logged",
            "in",
        ]);
        ssh
    }
}

#[test]
fn ssh_keygen_prints_the_public_keys() {
    let Some(mut desk) = Desk::new() else { return };
    let mut lines = desk.public_keys();
    // both write the key's name as the comment
    let mut expected = KINDS.map(|kind| desk.parsec(&format!("key public {kind} --ssh")).trim().to_owned());
    lines.sort();
    expected.sort();
    assert_eq!(lines, expected);
    desk.desk.row.except("Ed25519, which it takes from modules since 10.1");
}

#[test]
fn ssh_logs_in_with_each_kind_of_key() {
    let Some(desk) = Desk::new() else { return };
    logs_in(&desk);
}

mod sealed {
    #[test]
    fn ssh_logs_in_with_each_kind_of_key() {
        let Some(desk) = super::Desk::on(interop::Desk::sealed) else { return };
        super::logs_in(&desk);
    }
}

fn logs_in(desk: &Desk) {
    let provider = format!("PKCS11Provider={}", desk.module().display());
    let lines = desk.public_keys();
    assert_eq!(lines.len(), KINDS.len());
    for line in &lines {
        let sshd = desk.sshd(line);
        let said = run(&mut desk.ssh(&["-o", &provider])).ok();
        assert_eq!(said.trim(), "logged in");
        assert!(sshd.log().contains("Accepted publickey for root"), "{}", sshd.log());
    }
    let _sshd = desk.sshd("");
    let said = run(&mut desk.ssh(&["-o", &provider])).refused();
    assert!(said.contains("Permission denied (publickey)"), "{said}");
}

#[test]
fn ssh_logs_in_with_the_configuration_that_setup_writes() {
    let Some(desk) = Desk::new() else { return };
    let line = desk.parsec("key public p256 --ssh");
    let _sshd = desk.sshd(&line);
    let config = desk.path(".ssh/config").display().to_string();
    // the last -F counts
    let ssh = || run(desk.ssh(&["-F", &config]).env("SSH_AUTH_SOCK", ""));
    std::fs::create_dir(desk.path(".ssh")).unwrap();
    std::fs::write(&config, "").unwrap();
    ssh().refused();
    desk.parsec("setup ssh --yes");
    assert_eq!(ssh().ok(), "logged in\n");
    desk.parsec("setup ssh --undo --yes");
    ssh().refused();
}

#[test]
fn git_signs_with_the_settings_that_setup_makes() {
    let Some(desk) = Desk::new() else { return };
    let Some(git) = program("git") else { return };
    let _agent = desk.agent();
    let git = |words: &[&str]| run(desk.service.command(&git).env("SSH_AUTH_SOCK", desk.path("agent.sock")).args(words));
    for (name, value) in [("user.email", "me@example.org"), ("user.name", "me")] {
        git(&["config", "--global", name, value]).ok();
    }
    git(&["init", "-q", "tree"]).ok();
    let commit = || git(&["-C", "tree", "commit", "-q", "--allow-empty", "-S", "-m", "one"]);
    commit().refused();
    desk.parsec("setup git --key p256 --yes");
    commit().ok();
    let seen = git(&["-C", "tree", "verify-commit", "HEAD"]);
    assert!(seen.err.contains("Good \"git\" signature for me@example.org"), "{seen:?}");
    desk.parsec("setup git --undo --yes");
    assert!(git(&["config", "--global", "gpg.format"]).refused().is_empty());
}

#[test]
fn ssh_agent_logs_in_with_the_module() {
    let Some(mut desk) = Desk::new() else { return };
    let _agent = desk.agent();
    let listed = desk.ssh_add(&["-L"]).ok();
    let mut listed: Vec<_> = listed.lines().collect();
    let mut expected = desk.public_keys();
    listed.sort_unstable();
    expected.sort();
    assert_eq!(listed, expected);

    let _sshd = desk.sshd(&expected.join("\n"));
    let socket = desk.path("agent.sock");
    let login = |desk: &Desk| run(desk.ssh(&[]).env("SSH_AUTH_SOCK", &socket));
    assert_eq!(login(&desk).ok().trim(), "logged in");
    desk.desk.service.restart();
    assert_eq!(login(&desk).ok().trim(), "logged in");

    let module = desk.module();
    desk.ssh_add(&["-e", module.to_str().unwrap()]).ok();
    let said = desk.ssh_add(&["-L"]).refused();
    assert!(said.contains("no identities"), "{said}");
    login(&desk).refused();
    // an agent takes no module that it was not told of
    let other = desk.path("other.so");
    std::fs::copy(&module, &other).unwrap();
    desk.ssh_add(&["-s", other.to_str().unwrap()]).refused();
}

/// Debian's agent is privileged, so that nobody can read its memory. What uses the module is its helper, which is not.
#[test]
fn the_agent_of_a_user_finds_the_service_that_the_user_names() {
    let Some(desk) = Desk::new() else { return };
    run(as_uid(&mut desk.service.command(desk.service.staged("parsec")), STRANGER).args(["key", "new", "mine", "--for", "ssh"]))
        .ok();
    std::fs::set_permissions(desk.path(""), Permissions::from_mode(0o777)).unwrap();
    let agent = desk.agent_of(STRANGER);
    let helpers = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", agent.pid())).unwrap();
    assert!(is_privileged(agent.pid()));
    assert!(!is_privileged(helpers.trim().parse().unwrap()));
    let listed = desk.ssh_add(&["-L"]).ok();
    assert!(listed.trim().ends_with(" mine"), "{listed}");
    let _sshd = desk.sshd(&listed);
    assert_eq!(run(desk.ssh(&[]).env("SSH_AUTH_SOCK", desk.path("agent.sock"))).ok().trim(), "logged in");
}

#[test]
fn sshd_takes_its_host_key_from_the_agent() {
    let Some(desk) = Desk::new() else { return };
    let _agent = desk.agent();
    let provider = format!("PKCS11Provider={}", desk.module().display());
    let authorized = desk.public_keys().join("\n");
    for kind in KINDS {
        let public = format!("{kind}.pub");
        desk.parsec(&format!("key public {kind} --ssh --out {public}"));
        let host_key = format!("HostKeyAgent {{dir}}/agent.sock\nHostKey {{dir}}/{public}");
        let _sshd = desk.sshd_with(&host_key, &public, &authorized);
        let said = run(&mut desk.ssh(&["-o", &provider])).ok();
        assert_eq!(said.trim(), "logged in");
    }
}

#[test]
fn an_authority_in_the_token_signs_certificates_to_log_in_with() {
    let Some(desk) = Desk::new() else { return };
    let provider = format!("PKCS11Provider={}", desk.module().display());
    desk.ok("ssh-keygen -q -t ed25519 -N  -f user");
    for authority in KINDS {
        desk.parsec(&format!("key public {authority} --ssh --out ca.pub"));
        desk.write("p256.pub", desk.parsec("key public p256 --ssh"));
        // one certificate for a key in a file, one for a key in the token
        for subject in ["user", "p256"] {
            let sign =
                format!("ssh-keygen -q -s ca.pub -I {subject} -n root -V +1d -D {} {subject}.pub", desk.module().display());
            desk.ok(&sign);
            let shown = desk.ok(&format!("ssh-keygen -L -f {subject}-cert.pub"));
            assert!(shown.contains(&format!("Key ID: \"{subject}\"")), "{shown}");
        }
        let sshd = desk.sshd_trusting("ca.pub");
        let login = |options: &[&str]| run(&mut desk.ssh(options));
        assert_eq!(login(&["-i", "user"]).ok().trim(), "logged in");
        let certificate = format!("CertificateFile={}", desk.path("p256-cert.pub").display());
        assert_eq!(login(&["-o", &provider, "-o", &certificate]).ok().trim(), "logged in");
        // neither key is known by itself
        login(&["-o", &provider]).refused();
        for subject in ["user", "p256"] {
            assert!(sshd.log().contains(&format!("ID {subject} (serial 0) CA")), "{}", sshd.log());
        }
    }
}

/// A server lets a client try six keys. Most people's keys are not for ssh.
#[test]
fn keys_for_ssh_are_offered_first_and_others_not_at_all() {
    let Some(desk) = Desk::new() else { return };
    let provider = desk.row.provider();
    for number in 0..7 {
        desk.parsec(&format!("key new web{number} --provider {provider} --for tls-server"));
    }
    desk.parsec(&format!("key new zz-login --provider {provider} --for ssh"));
    // a certificate holds a key, too
    for name in ["web0", "zz-login"] {
        desk.parsec(&format!("key csr {name} --self-signed --cn {name} --out {name}.crt"));
        desk.parsec(&format!("cert put {name} {name}.crt --provider {provider}"));
    }
    let comment = |line: &String| line.split(' ').nth(2).unwrap().to_owned();
    let offered: Vec<_> = desk.public_keys().iter().map(comment).collect();
    assert_eq!(offered[0], "zz-login", "{offered:?}");
    assert_eq!(offered.len(), 1 + KINDS.len(), "{offered:?}");
    assert!(!offered.iter().any(|name| name.starts_with("web")), "{offered:?}");

    let _agent = desk.agent();
    let listed = desk.ssh_add(&["-L"]).ok();
    assert!(listed.contains(" zz-login") && !listed.contains(" web"), "{listed}");

    let login = desk.parsec("key public zz-login --ssh");
    let _sshd = desk.sshd(&login);
    let module = format!("PKCS11Provider={}", desk.module().display());
    assert_eq!(run(&mut desk.ssh(&["-o", &module])).ok().trim(), "logged in");
    let mut all = desk.service.command("ssh-keygen");
    let all = run(all.arg("-D").arg(desk.module()).env("PARSEC_SSH_ALL_KEYS", "1")).ok();
    for number in 0..7 {
        assert!(all.contains(&format!(" web{number}\n")), "{all}");
    }
    // other programs find all of them
    let objects = desk.pkcs11_tool("--list-objects --type pubkey").ok();
    assert_eq!(objects.matches("label:      web").count(), 7, "{objects}");
}
