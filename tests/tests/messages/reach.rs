//! The way to the service, of the command line and of OpenSSL's programs.

use std::os::unix::net::UnixListener;

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use tests::{STRANGER, Service, Setup, as_uid, eventually, may_change_user, program, run};

use crate::{Row, Table, done, refused, refused_stranger, write};

/// Runs a program that has no sockets, as in a unit without `RestrictAddressFamilies=AF_UNIX` (seccomp(2)).
const NO_SOCKETS: &str = "
import ctypes, os, platform, struct, sys
call = {'x86_64': 41, 'aarch64': 198}[platform.machine()]
steps = [(0x20, 0, 0, 0), (0x15, 0, 1, call), (6, 0, 0, 0x50000 | 97), (6, 0, 0, 0x7FFF0000)]
filters = ctypes.create_string_buffer(b''.join(struct.pack('HBBI', *step) for step in steps))
program = ctypes.create_string_buffer(struct.pack('HxxxxxxP', len(steps), ctypes.addressof(filters)))
libc = ctypes.CDLL(None)
libc.prctl(38, 1, 0, 0, 0)
libc.prctl(22, 2, program, 0, 0)
os.execvp(sys.argv[1], sys.argv[1:])";

/// Somebody who listens and never answers.
fn mute(service: &Service, name: &str, waiting: i32) -> UnixListener {
    let listener = UnixListener::bind(service.dir().join(name)).unwrap();
    rustix::net::listen(&listener, waiting).unwrap();
    listener
}

fn doctor(service: &Service, socket: &str) -> String {
    refused(service, &format!("--endpoint {}/{socket} doctor", service.dir().display()))
}

pub(super) const REACH: Table = Table {
    section: "The service is not reached",
    start: || Some(Service::start()),
    rows: &[
        Row("no such socket", "systemctl start parsec.socket", |service| Some(refused(service, "--endpoint /nowhere/x ping"))),
        Row("the socket is there but nobody listens", "systemctl restart parsec", |service| {
            drop(UnixListener::bind(service.dir().join("left")).unwrap());
            Some(refused(service, &format!("--endpoint {}/left ping", service.dir().display())))
        }),
        Row("this user may not open the socket", "chmod o+x", |service| {
            let shut = service.dir().join("shut");
            std::fs::create_dir(&shut).unwrap();
            std::fs::set_permissions(&shut, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
            refused_stranger(service, &format!("--endpoint {}/parsec.sock ping", shut.display()))
        }),
        Row("the service does not accept connections", "journalctl", |service| {
            let _listener = mute(service, "full", 0);
            let address = SocketAddrUnix::new(service.dir().join("full")).unwrap();
            let waiting = std::iter::repeat_with(|| {
                let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
                let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).unwrap();
                rustix::net::connect(&socket, &address).map(|()| socket).ok()
            });
            let _waiting: Vec<_> = waiting.map_while(|socket| socket).collect();
            Some(doctor(service, "full"))
        }),
        Row("the Parsec service did not answer within …", "journalctl", |service| {
            let _listener = mute(service, "mute", 8);
            Some(doctor(service, "mute"))
        }),
        Row("the unit of this program forbids sockets", "set RestrictAddressFamilies=AF_UNIX", |service| {
            let mut alone = service.command(program("python3")?);
            Some(run(alone.args(["-c", NO_SOCKETS]).arg(service.staged("parsec")).arg("ping")).refused())
        }),
        Row("'…' is no endpoint of a service", "unix:/run/parsec/parsec.sock", |service| {
            let mut ping = service.parsec(["ping"]);
            Some(run(ping.env("PARSEC_SERVICE_ENDPOINT", "tcp:localhost")).refused())
        }),
        Row("the Parsec service does not believe who you are", "journalctl", |_| {
            let service = mapped()?;
            refused_stranger(&service, "ping")
        }),
        Row("the kernel cannot tell the service which user asks", "map the user there, or run the service outside", |_| {
            let service = mapped()?;
            refused_stranger(&service, "ping")?;
            Some(service.logs(&["the kernel cannot tell"]))
        }),
        Row("refused by the Parsec service", "parsec ping", |service| {
            program("pkcs11-tool")?;
            Some(run(service.pkcs11_tool(["--list-slots"]).env("PARSEC_APP_NAME", "web")).ok())
        }),
        Row("the Parsec service asks the kernel who you are, and takes no name", "unset PARSEC_APP_NAME", |service| {
            Some(run(service.parsec(["ping"]).env("PARSEC_APP_NAME", "web")).refused())
        }),
    ],
};

/// A service in a user namespace that maps one user.
fn mapped() -> Option<Service> {
    let may = may_change_user() && run(std::process::Command::new(program("unshare")?).args(["-r", "true"])).status.success();
    may.then(|| Setup::default().by(["unshare", "--map-root-user"]).start())
}

/// Signs with the key of a reference, as another user.
fn sign(service: &Service, reference: &str) -> String {
    write(service, "message", "a message");
    let mut openssl = service.openssl(["dgst", "-sha256", "-sign", reference, "-out", "/dev/null", "message"]);
    run(as_uid(&mut openssl, STRANGER)).refused()
}

pub(super) const OPENSSL: Table = Table {
    section: "OpenSSL's programs",
    start: || {
        program("openssl").filter(|_| may_change_user())?;
        let service = Service::start();
        done(&service, "key new web --for tls-server --out web.pem");
        // all users can read the modules
        service.openssl_conf();
        Some(service)
    },
    rows: &[
        Row("`Could not read key`", "set OPENSSL_CONF=/etc/parsec/openssl.cnf", |service| {
            let said = run(service.command("openssl").args(["pkey", "-in", "web.pem", "-pubout"])).refused();
            Some(said + &std::fs::read_to_string(service.dir().join("web.pem")).unwrap())
        }),
        Row("the parsec service refused: …", "parsec key grant", |service| Some(sign(service, "web.pem"))),
        Row("not a Parsec key reference", "parsec key pem NAME", |service| {
            let text = std::fs::read_to_string(service.dir().join("web.pem")).unwrap();
            write(service, "cut.pem", &text[..text.len() - 50]);
            Some(sign(service, "cut.pem"))
        }),
        Row("parsec's section of openssl.cnf has '…', which is not known here", "write socket", |service| {
            let config = std::fs::read_to_string(service.openssl_conf()).unwrap();
            write(service, "typo.cnf", config.replace("module = ", "sockets = /x\nmodule = "));
            let mut openssl = service.openssl(["pkey", "-in", "parsec:object=web", "-pubout"]);
            Some(run(openssl.env("OPENSSL_CONF", service.dir().join("typo.cnf"))).refused())
        }),
        Row("the parsec service cannot be reached: …", "systemctl start parsec.socket", |service| {
            service.stop();
            let _ = std::fs::remove_file(service.socket());
            eventually("no socket", || (!service.socket().exists()).then_some(()));
            Some(sign(service, "web.pem"))
        }),
    ],
};
