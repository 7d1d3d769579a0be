//! Users of one host who share a service: what the command line, the module and the provider show and permit to a second one.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use interface::ProviderId;
use interface::Status;
use interface::algorithm::{Encryption, Hash};
use interface::client::{Client, Error};
use interface::operations::{AsymmetricDecrypt, AsymmetricEncrypt};
use interop::{Row, setup};
use rustix::process::Uid;
use rustix::thread::set_thread_res_uid;
use tests::{Ran, STRANGER, Service, as_uid, may_change_user, program, run};

/// A service, root's keys `web` (P-256, with a certificate) and `rsa` in it, and a stranger.
struct Desk {
    service: Service,
    _row: Row,
}

impl Desk {
    fn new() -> Option<Self> {
        program("openssl")?;
        if !may_change_user() {
            return None;
        }
        let desk = Self { _row: Row::program("pkcs11-tool")?, service: setup().start() };
        for (name, algorithm, id) in [("web", "p256", "03"), ("rsa", "rsa-2048", "04")] {
            desk.parsec(&format!("key new {name} --algorithm {algorithm} --exportable --id {id} --out {name}.pem"));
            desk.parsec(&format!("key csr {name} --self-signed --cn {name} --out {name}.crt"));
            desk.parsec(&format!("cert put {name} {name}.crt"));
        }
        std::fs::write(desk.service.dir().join("message"), "hello").unwrap();
        let open = desk.service.dir().join("open");
        std::fs::create_dir(&open).unwrap();
        std::fs::set_permissions(open, Permissions::from_mode(0o777)).unwrap();
        Some(desk)
    }

    fn parsec(&self, arguments: &str) -> String {
        run(&mut self.service.parsec(arguments.split(' '))).ok()
    }

    /// What the owner sees of its keys and grants.
    fn state(&self) -> String {
        let words = ["key show web", "key grants web", "key show rsa", "key grants rsa", "cert list"];
        words.map(|command| self.parsec(command)).concat()
    }

    /// The command line, `openssl` with the provider, and `pkcs11-tool` with the module, as the stranger.
    fn stranger(&self, line: &str) -> Ran {
        let (program, arguments) = line.split_once(' ').unwrap();
        let arguments = arguments.split(' ');
        let mut command = match program {
            "openssl" => self.service.openssl(arguments),
            "pkcs11-tool" => self.service.pkcs11_tool(arguments),
            _ => {
                let mut command = self.service.command(self.service.staged("parsec"));
                command.args(arguments);
                command
            }
        };
        run(as_uid(&mut command, STRANGER))
    }

    /// Checks what was signed with `web` into the open directory.
    fn verify(&self) {
        std::fs::write(self.service.dir().join("public.pem"), self.parsec("key public web")).unwrap();
        let mut openssl: Command = self.service.command("openssl");
        let arguments = "dgst -sha256 -verify public.pem -signature open/signature message";
        run(openssl.args(arguments.split(' '))).ok();
        std::fs::remove_file(self.service.dir().join("open/signature")).unwrap();
    }
}

/// Ways to sign with root's key `web`.
const SIGNING: [&str; 2] = [
    "openssl dgst -sha256 -sign web.pem -out open/signature message",
    "openssl dgst -sha256 -sign parsec:object=web;owner=uid:0 -out open/signature message",
];
const SIGNING_BY_MODULE: &str = "pkcs11-tool --sign --mechanism ECDSA-SHA256 --signature-format openssl --id 03 --input-file message --output-file open/signature";

/// What nobody may do with root's key `web` but root.
const FORBIDDEN: [&str; 8] = [
    "parsec key rm web --owner uid:0",
    "parsec key export web --owner uid:0",
    "parsec key grant web uid:54321=use --owner uid:0",
    "parsec key revoke web uid:54321 --owner uid:0",
    "parsec key grants web --owner uid:0",
    "pkcs11-tool -b --type privkey --id 03",
    "pkcs11-tool --set-id 07 --type privkey --id 03",
    "pkcs11-tool -b --type cert --id 03",
];

#[test]
fn a_second_user_sees_nothing() {
    let Some(desk) = Desk::new() else { return };
    let state = desk.state();
    let listed = desk.stranger("parsec key list").ok();
    assert!(listed.contains("No keys"), "{listed}");
    let listed = desk.stranger("parsec cert list").ok();
    assert!(listed.contains("No certificates"), "{listed}");
    assert_eq!(desk.stranger("pkcs11-tool -O").ok().trim(), "");
    let listed = desk.stranger("openssl storeutl -noout -text parsec:");
    assert!(listed.out.contains("Total found: 0"), "{}{}", listed.out, listed.err);

    for command in ["show", "public", "pem", "csr", "uri"] {
        let said = desk.stranger(&format!("parsec key {command} web")).refused();
        assert!(said.contains("no key 'web'"), "{said}");
        nothing_permitted(&desk.stranger(&format!("parsec key {command} web --owner uid:0")).refused());
    }
    for line in SIGNING {
        nothing_permitted(&desk.stranger(line).refused());
    }
    desk.stranger(SIGNING_BY_MODULE).refused();
    for line in FORBIDDEN {
        let ran = desk.stranger(line);
        // pkcs11-tool calls it a success when there is nothing to change
        assert!(!ran.status.success() || ran.err.contains("couldn't find the object"), "{line}");
    }
    assert_eq!(desk.state(), state);
}

/// The refusal names the key, its owner and what would mend it.
#[track_caller]
fn nothing_permitted(said: &str) {
    assert!(said.contains("uid:54321 may not use key 'web' of uid:0"), "{said}");
    assert!(said.contains("parsec key grant web uid:54321=sign"), "{said}");
}

#[test]
fn a_grant_to_sign_permits_to_sign_and_nothing_else() {
    let Some(desk) = Desk::new() else { return };
    desk.parsec("key grant web uid:54321=sign");
    let state = desk.state();
    let listed = desk.stranger("parsec key list").ok();
    assert!(listed.contains("web") && !listed.contains("rsa"), "{listed}");
    let objects = desk.stranger("pkcs11-tool -O").ok();
    assert!(objects.contains("label:      web") && !objects.contains("label:      rsa"), "{objects}");
    for line in SIGNING.into_iter().chain([SIGNING_BY_MODULE]) {
        desk.stranger(line).ok();
        desk.verify();
    }
    for line in FORBIDDEN {
        desk.stranger(line).refused();
    }
    let said = desk.stranger("parsec key rm web --owner uid:0").refused();
    assert!(said.contains("only uid:0, who owns key 'web', may do this"), "{said}");
    assert_eq!(desk.state(), state);

    desk.parsec("key revoke web uid:54321");
    for line in SIGNING {
        nothing_permitted(&desk.stranger(line).refused());
    }
    desk.stranger(SIGNING_BY_MODULE).refused();
    assert_eq!(desk.stranger("pkcs11-tool -O").ok().trim(), "");
    assert!(desk.stranger("parsec key list").ok().contains("No keys"));
}

#[test]
fn what_is_done_with_a_granted_key_does_not_reach_ones_own_of_that_name() {
    let Some(desk) = Desk::new() else { return };
    desk.parsec("key grant web uid:54321=sign");
    desk.stranger("parsec key new web --algorithm p384 --id 09").ok();
    let own = |desk: &Desk| ["parsec key show web", "parsec key public web"].map(|line| desk.stranger(line).ok());
    let (state, before) = (desk.state(), own(&desk));
    let objects = desk.stranger("pkcs11-tool -O --type privkey").ok();
    assert_eq!(objects.matches("label:      web").count(), 2, "{objects}");
    for line in SIGNING.into_iter().chain([SIGNING_BY_MODULE]) {
        desk.stranger(line).ok();
        desk.verify();
    }
    for line in FORBIDDEN {
        desk.stranger(line).refused();
    }
    assert_eq!(own(&desk), before);
    assert_eq!(desk.state(), state);
    desk.stranger("pkcs11-tool -b --type privkey --id 09").ok();
    assert_eq!(desk.state(), state);
}

#[test]
fn a_grant_to_decrypt_permits_to_decrypt_and_nothing_else() {
    let Some(desk) = Desk::new() else { return };
    desk.parsec("key new mail --for encryption --algorithm rsa-2048 --exportable");
    let oaep = Encryption::RsaOaep { hash: Hash::Sha256 };
    let encrypt = |owner: Option<&str>| AsymmetricEncrypt {
        key_name: "mail".to_owned(),
        alg: Some(oaep.into()),
        plaintext: b"hello".to_vec(),
        salt: Vec::new(),
        owner: owner.map(str::to_owned),
    };
    let sealed = desk.service.client().call(ProviderId::SOFTWARE, &encrypt(None)).unwrap();
    let decrypt = AsymmetricDecrypt {
        key_name: "mail".to_owned(),
        alg: Some(oaep.into()),
        ciphertext: sealed.ciphertext.clone(),
        salt: Vec::new(),
        owner: Some("uid:0".to_owned()),
    };
    let open = |client: &Client| client.call(ProviderId::SOFTWARE, &decrypt).map(|opened| opened.plaintext.to_vec());
    let seal = |client: &Client| client.call(ProviderId::SOFTWARE, &encrypt(Some("uid:0"))).map(drop);

    refused(desk.as_stranger(open), Status::PsaErrorDoesNotExist, "parsec key grant mail uid:54321");
    desk.parsec("key grant mail uid:54321=decrypt");
    assert_eq!(desk.as_stranger(open).unwrap(), b"hello");
    refused(
        desk.as_stranger(seal),
        Status::PsaErrorNotPermitted,
        "uid:54321 may decrypt with key 'mail' of uid:0, but not encrypt",
    );
    desk.stranger("parsec key export mail --owner uid:0").refused();
    desk.stranger("parsec key rm mail --owner uid:0").refused();
    desk.parsec("key revoke mail uid:54321");
    refused(desk.as_stranger(open), Status::PsaErrorDoesNotExist, "uid:54321 may not use key 'mail' of uid:0");
}

impl Desk {
    /// Runs this with a client on a thread of the stranger.
    fn as_stranger<T: Send>(&self, work: impl FnOnce(&Client) -> T + Send) -> T {
        let thread = || {
            let uid = Uid::from_raw(STRANGER);
            set_thread_res_uid(uid, uid, uid).unwrap();
            work(&self.service.client())
        };
        std::thread::scope(|scope| scope.spawn(thread).join().unwrap())
    }
}

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, Error>, status: Status, why: &str) {
    let error = result.unwrap_err();
    assert_eq!(error.status(), Some(status));
    assert!(error.to_string().contains(why), "{error}");
}
