//! Containers bring libraries of their own: those of the last release work with today's service, and today's with its.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use interop::{Daemon, listens, loopback, release};
use rusqlite::Connection;
use tests::{PIN, Ran, Release, STRANGER, Service, Setup, TENANT, as_uid, install, may_change_user, program, run};

/// Runs this for every release that is kept, as root, with the folder of its programs.
fn each_release(test: impl Fn(&Release, &Path)) {
    if may_change_user() {
        Release::all().iter().for_each(|kept| test(kept, &release(kept)));
    }
}

/// Runs this on the release's store: with today's service and the release's libraries, and the other way round.
fn each_with_the_other(test: impl Fn(Desk)) {
    each_release(|kept, programs| {
        for setup in [Setup::default().clients(programs), Setup::of(programs)] {
            let mut service = kept.lay_out("software", setup);
            service.restart();
            fs::write(service.dir().join("message"), "a message of some blocks, 3 x 16.").unwrap();
            fs::write(service.dir().join("blocks"), [7; 32]).unwrap();
            test(Desk(service));
        }
    });
}

struct Desk(Service);

impl Desk {
    fn tool(&self, uid: u32, line: &str) -> Ran {
        run(as_uid(&mut self.0.pkcs11_tool(line.split(' ')), uid))
    }

    fn ok(&self, line: &str) -> String {
        self.tool(0, line).ok()
    }

    fn openssl(&self, line: &str) -> String {
        run(&mut self.0.openssl(line.split(' '))).ok()
    }

    fn parsec(&self, line: &str) -> String {
        run(&mut self.0.parsec(line.split(' '))).ok()
    }

    fn read(&self, file: &str) -> Vec<u8> {
        fs::read(self.0.dir().join(file)).unwrap()
    }

    fn write(&self, file: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.0.dir().join(file), bytes).unwrap();
    }

    /// Signs with a key of the token, and has OpenSSL alone check it.
    fn signs(&self, id: &str, public: &str) {
        self.write("public.pem", public);
        self.ok(&format!(
            "--sign --mechanism ECDSA-SHA256 --signature-format openssl --id {id} --input-file message --output-file signature"
        ));
        let verify = "dgst -sha256 -verify public.pem -signature signature message";
        run(self.0.command("openssl").args(verify.split(' '))).ok();
    }
}

#[test]
fn the_module_finds_signs_and_makes_keys_through_a_restart() {
    each_with_the_other(|mut desk| {
        let objects = desk.ok("-O");
        for label in ["www", "token-ec", "token-rsa", "wrap-kw", "sensitive"] {
            assert!(objects.lines().any(|line| line.trim() == format!("label:      {label}")), "{label}\n{objects}");
        }
        assert!(desk.ok("-O --type cert --id 14").contains("token.example"));
        assert!(desk.parsec("key list").contains("token-ec"));
        desk.signs("14", &desk.parsec("key public token-ec"));
        desk.ok("--keypairgen --key-type EC:secp384r1 --label new --id 77");
        let public = desk.parsec("key public new");
        desk.signs("77", &public);
        desk.0.kill9();
        desk.0.restart();
        desk.signs("77", &public);
        desk.ok("--delete-object --type privkey --id 77");
        assert!(!desk.ok("-O").contains("label:      new"));
    });
}

#[test]
fn the_module_logs_in_with_the_pin() {
    each_with_the_other(|mut desk| {
        let login = format!("--login --pin {PIN}");
        let sign = "--sign --mechanism ECDSA-SHA256 --id 01 --input-file message --output-file /dev/null";
        for _ in 0..2 {
            let seen = desk.tool(TENANT, "-O").ok();
            assert!(seen.contains("Public Key Object") && !seen.contains("Private Key Object"), "{seen}");
            assert!(desk.tool(TENANT, "--login --pin 0000 -O").refused().contains("CKR_PIN_INCORRECT"));
            assert!(desk.tool(TENANT, &format!("{login} -O")).ok().contains("Private Key Object"));
            desk.tool(TENANT, &format!("{login} {sign}")).ok();
            desk.0.restart();
        }
    });
}

#[test]
fn the_module_wraps_and_unwraps() {
    each_with_the_other(|mut desk| {
        desk.ok("--wrap --mechanism AES-KEY-WRAP --id 10 --application-id 13 --output-file wrapped");
        assert_eq!(desk.read("wrapped").len(), 40);
        desk.0.restart();
        desk.ok("--unwrap --mechanism AES-KEY-WRAP --id 10 --input-file wrapped --key-type AES: --application-id 31");
        for id in ["13", "31"] {
            desk.ok(&format!("--encrypt --mechanism AES-ECB --id {id} --input-file blocks --output-file of-{id}"));
        }
        assert_eq!(desk.read("of-13"), desk.read("of-31"));
    });
}

#[test]
fn an_agent_and_a_server_go_on_when_the_service_restarts() {
    if ["ssh-agent", "ssh-add", "openssl"].into_iter().any(|name| program(name).is_none()) {
        return;
    }
    each_with_the_other(|mut desk| {
        let folder = desk.0.dir().join("agent");
        fs::create_dir(&folder).unwrap();
        chown(&folder, Some(TENANT), None).unwrap();
        let (socket, module) = (folder.join("socket"), desk.0.staged("libparsec_pkcs11.so"));
        desk.write("pin", format!("#!/bin/sh\necho {PIN}\n"));
        install(&desk.0.dir().join("pin"), &folder.join("askpass"));
        let mut public = desk.0.command(desk.0.staged("parsec"));
        let public = run(as_uid(public.args("key public web --ssh".split(' ')), TENANT)).ok();
        desk.write("key.pub", public);
        let mut agent = desk.0.command("ssh-agent");
        as_uid(&mut agent, TENANT).args(["-D", "-a"]).arg(&socket).arg("-P").arg(&module);
        let _agent = Daemon::start(&mut agent, &folder.join("log"), || UnixStream::connect(&socket).is_ok());
        let ssh_add = |desk: &Desk, arguments: [&str; 2]| {
            let mut command = desk.0.command("ssh-add");
            command.env("SSH_AUTH_SOCK", &socket).env("SSH_ASKPASS_REQUIRE", "force");
            run(as_uid(command.env("SSH_ASKPASS", folder.join("askpass")).args(arguments), TENANT)).ok();
        };
        ssh_add(&desk, ["-s", module.to_str().unwrap()]);

        let (address, key) = (loopback(), "parsec:object=web;provider=software");
        desk.write("web.pem", desk.parsec("key pem web --provider software"));
        desk.openssl(&format!("req -x509 -new -subj /CN=localhost -key {key} -out web.crt"));
        let listen = format!("s_server -www -accept {address} -cert web.crt -key web.pem");
        let mut server = desk.0.openssl(listen.split(' '));
        let _server = Daemon::start(&mut server, &desk.0.dir().join("server.log"), || listens(address));
        for _ in 0..2 {
            ssh_add(&desk, ["-T", "key.pub"]);
            let connect = format!("s_client -connect {address} -CAfile web.crt -verify_return_error");
            let said = run(desk.0.command("openssl").args(connect.split(' '))).ok();
            assert!(said.contains("Verify return code: 0 (ok)"), "{said}");
            desk.0.kill9();
            desk.0.restart();
        }
    });
}

#[test]
fn the_provider_makes_keys_decrypts_and_uses_granted_ones() {
    each_with_the_other(|mut desk| {
        desk.openssl(
            "genpkey -propquery provider=parsec -algorithm EC -pkeyopt group:P-256 -pkeyopt parsec-name:new -out new.pem",
        );
        desk.write("sealed.pub", desk.parsec("key public sealed"));
        let oaep = "-pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256";
        desk.openssl(&format!("pkeyutl -encrypt -pubin -inkey sealed.pub -in blocks -out secret {oaep}"));
        desk.write("web.pem", desk.parsec("key pem web"));
        for _ in 0..2 {
            desk.openssl("req -new -subj /CN=new -key new.pem");
            desk.openssl(&format!("pkeyutl -decrypt -inkey parsec:object=sealed -in secret -out opened {oaep}"));
            assert_eq!(desk.read("opened"), [7; 32]);
            run(as_uid(&mut desk.0.openssl("req -new -subj /CN=web -key web.pem".split(' ')), STRANGER)).ok();
            desk.0.restart();
        }
    });
}

/// The version of a store's tables.
fn version(store: &Path) -> i64 {
    let store = Connection::open(store).unwrap();
    store.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap()
}

#[test]
fn the_release_refuses_a_newer_store_by_name_and_takes_the_copy_beside_it() {
    each_release(|kept, programs| {
        let mut service = kept.open("software");
        service.stop();
        let path = service.dir().join("keys.sqlite3");
        let (then, now) = (version(&kept.lay_out("software", Setup::default()).dir().join("keys.sqlite3")), version(&path));
        service.exchange(programs);
        if now > then {
            let said = service.log().len();
            service.fail_to_start();
            let log = service.log().split_off(said);
            assert!(log.contains(&format!("version {now}")) && log.contains(&format!("knows version {then}")), "{log}");
            let old = |file: &PathBuf| {
                let name = file.file_name().unwrap().to_str().unwrap();
                let of_sqlite = ["", "-wal", "-shm", "-journal"].iter().any(|end| name == format!("keys.sqlite3{end}"));
                name.starts_with("keys.sqlite3") && !of_sqlite && version(file) == then
            };
            let beside = fs::read_dir(service.dir()).unwrap().map(|entry| entry.unwrap().path()).find(old);
            let copy = beside.expect("a copy of the store, as it was");
            let _ = fs::remove_file(path.with_file_name("keys.sqlite3-wal"));
            fs::rename(copy, &path).unwrap();
        }
        service.restart();
        let sign = "--sign --mechanism ECDSA-SHA256 --id 14 --input-file config.toml --output-file /dev/null";
        run(&mut service.pkcs11_tool(sign.split(' '))).ok();
    });
}
