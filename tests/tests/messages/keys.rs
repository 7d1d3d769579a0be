//! Keys, on the command line and through PKCS#11.

use std::fs;

use interface::ProviderId;
use interface::algorithm::Signature;
use interface::operations::{InitToken, Login, Pin, Role, SetPin, SignHash};
use tests::{CONFIG, STRANGER, Service, Setup, TPM, faults, faulty, program, run};

use crate::{Row, Table, done, refused, refused_stranger};

pub(super) const KEYS: Table = Table {
    section: "Keys",
    start: || {
        let service = Setup::default().config(format!("{CONFIG}{TPM}\n[quotas]\nobjects = 1\n")).start();
        done(&service, "key new web --for tls-server");
        Some(service)
    },
    rows: &[
        Row("you have no key '…'", "parsec key list", |service| Some(refused(service, "key show nothing"))),
        Row("key '…' of … expired: its last day to … was …", "parsec key rotate past", |service| {
            done(service, "key new past --for tls-server --expires 2001-02-03 --enforce");
            Some(refused(service, "key csr past"))
        }),
        Row("key '…' has no successor yet", "parsec key rotate web", |service| {
            Some(refused(service, "key rotate web --finish"))
        }),
        Row("cannot give keys to others, which is for administrators", "see admins in the configuration", |service| {
            refused_stranger(service, "key chown web --owner uid:0 --to uid:7")
        }),
        Row("… was the user '…' when it got its keys, and is '…' now", "parsec key same-user uid:", |_| another_user()),
        Row("… may not use key '…' of …, or there is none", "parsec key grant web uid:", |service| {
            refused_stranger(service, "key show web --owner uid:0")
        }),
        Row("there is a key '…' in …: say which one", "--provider", |service| {
            done(service, "key new twin --for ssh");
            done(service, "key new twin --for ssh --provider tpm");
            Some(refused(service, "key show twin"))
        }),
        Row("… has a key '…' in the … provider already", "parsec key rm 'web'", |service| {
            Some(refused(service, "key new web --for ssh"))
        }),
        Row("key '…' was made for …, not for …", "parsec key new", |service| {
            Some(refused(service, "key export web --out stolen"))
        }),
        Row("the policy of key '…' does not permit …", "parsec key show web", |service| {
            let alg = Some(Signature::RsaPkcs1v15Raw.into());
            let sign = SignHash { key_name: "web".to_owned(), alg, hash: vec![7; 32], ..SignHash::default() };
            Some(service.client().call(ProviderId::SOFTWARE, &sign).unwrap_err().to_string())
        }),
        Row("… may … with key '…' of …, but not …", "parsec key grant web uid:", |service| {
            done(service, &format!("key grant web uid:{STRANGER}=verify"));
            refused_stranger(service, "key csr web --owner uid:0")
        }),
        Row("only …, who owns key '…', may do this", "parsec key show web", |service| {
            refused_stranger(service, "key rm web --owner uid:0")
        }),
        Row("the … provider has no …", "parsec providers", |service| {
            Some(refused(service, "key attest web --provider software"))
        }),
        Row("this service has no … provider", "parsec providers", |service| {
            Some(refused(service, "key new other --for ssh --provider tpm-sealed"))
        }),
        Row("invalid value '…' for '…'", "a similar value exists: 'tls-server'", |service| {
            Some(refused(service, "key new typo --for tls-servr"))
        }),
        Row("unrecognized subcommand '…'", "'list'", |service| Some(refused(service, "key lst"))),
        Row("this host has no user '…'", "uid:N", |service| Some(refused(service, "key grant web user:no-such-user=sign"))),
        Row("there is no role '…'", "roles are sign", |service| Some(refused(service, "key grant web uid:33=sing"))),
        Row("no unit … is installed", "systemctl list-unit-files", |service| {
            fs::create_dir_all(service.dir().join("image/lib/systemd/system")).unwrap();
            fs::write(service.dir().join("image/lib/systemd/system/nginx.service"), "").unwrap();
            Some(refused(service, "openssl-env --install --root image --unit nginx.servce"))
        }),
        Row("`No such file or directory`", "ls -ld", |service| Some(refused(service, "key new lost --for ssh --out /nowhere/x"))),
        Row("… would have more than …", "raise objects in [quotas]", |service| {
            done(service, "key csr web --self-signed --out web.crt");
            done(service, "cert put one web.crt");
            Some(refused(service, "cert put two web.crt"))
        }),
        Row("the disk that … lies on is full", "make room there", |_| {
            let folder = tempfile::tempdir().unwrap();
            let (mut full, plan) = faulty(&faults(folder.path())?);
            full.restart();
            done(&full, "key new first --for ssh");
            fs::write(plan.with_extension("full"), "").unwrap();
            let more = (0..).map(|number| run(&mut full.parsec(["key", "new", &format!("k{number}"), "--for", "ssh"])));
            more.into_iter().find(|ran| !ran.status.success()).map(tests::Ran::refused)
        }),
        Row("`CKR_KEY_FUNCTION_NOT_PERMITTED`", "parsec key show", |service| {
            program("pkcs11-tool")?;
            done(service, "key new rsa --algorithm rsa-2048 --id 0a");
            fs::write(service.dir().join("ciphertext"), [7; 256]).unwrap();
            let line = "--decrypt --mechanism RSA-PKCS --token-label software --id 0a --input-file ciphertext";
            let mut tool = service.pkcs11_tool(line.split(' '));
            let said = run(tool.env("PARSEC_PKCS11_TRACE", service.dir().join("trace"))).refused();
            Some(said + &fs::read_to_string(service.dir().join("trace")).unwrap())
        }),
        Row("the … PIN is wrong", "parsec token reset-pin", |service| {
            let (client, pin) = (service.client(), |pin: &str| Some(Pin { value: pin.as_bytes().to_vec() }));
            client.call(ProviderId::SOFTWARE, &InitToken { pin: pin("87654321"), label: "mine".to_owned() }).unwrap();
            client.call(ProviderId::SOFTWARE, &SetPin { role: Role::User.into(), new: pin("1234"), old: None }).unwrap();
            let wrong = Login { role: Role::User.into(), pin: pin("4321") };
            Some(client.call(ProviderId::SOFTWARE, &wrong).unwrap_err().to_string())
        }),
    ],
};

/// What a user is told whose number was another user's.
fn another_user() -> Option<String> {
    if !tests::may_change_user() || !tests::may_mount() {
        return None;
    }
    let script = "mount --bind passwd /etc/passwd && exec \"$0\" \"$@\"";
    let mut service = Setup::default().by(["unshare", "--mount", "sh", "-c", script]).prepare();
    let name = |service: &Service, name: &str| {
        fs::write(service.dir().join("passwd"), format!("root:x:0:0::/:/bin/sh\n{name}:x:{STRANGER}:0::/:/bin/sh\n")).unwrap();
    };
    name(&service, "alice");
    service.restart();
    done(&service, &format!("key new shared --for ssh --grant uid:{STRANGER}=sign"));
    // a start asks for the names before it answers
    service.restart();
    done(&service, "ping");
    name(&service, "bob");
    service.restart();
    refused_stranger(&service, "key new mine --for ssh")
}
