//! GnuPG with gnupg-pkcs11-scd in the place of its smartcard daemon: what `gpg` and `gpgsm` do with keys of the token.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use interop::{Daemon, Desk};
use tests::{Ran, run};

/// A home of GnuPG whose agent has the token, with an RSA key and its certificate in it.
fn desk() -> Option<(Desk, Daemon)> {
    let desk = Desk::new("gnupg-pkcs11-scd")?.and("gpg")?.and("gpgsm")?.and("gpg-agent")?;
    desk.pkcs11_tool("--keypairgen --key-type rsa:2048 --usage-sign --usage-decrypt --label token --id 01").ok();
    desk.parsec("key csr token --self-signed --cn token --out token.crt");
    desk.parsec("cert put token token.crt");
    desk.write("message", "hello\n");

    std::fs::create_dir(desk.path("gpg")).unwrap();
    std::fs::set_permissions(desk.path("gpg"), Permissions::from_mode(0o700)).unwrap();
    desk.write("gpg/gpg-agent.conf", "scdaemon-program /usr/bin/gnupg-pkcs11-scd\npinentry-program /bin/false\n");
    desk.write("gpg/gpgsm.conf", "disable-crl-checks\ndisable-dirmngr\n");
    let module = desk.module();
    desk.write("gpg/gnupg-pkcs11-scd.conf", format!("providers parsec\nprovider-parsec-library {}\n", module.display()));
    desk.write("gpg/trustlist.txt", format!("{} S relax\n", fingerprint(&desk)));

    // the agent lives as long as the program that it is given
    let mut agent = desk.command("gpg-agent --daemon sleep infinity");
    agent.env("GNUPGHOME", desk.path("gpg"));
    let agent = Daemon::start(&mut agent, &desk.path("agent.log"), || {
        // It succeeds without an agent too.
        gpg(&desk, "gpg-connect-agent --no-autostart", "GETINFO pid").out.contains("OK")
    });
    Some((desk, agent))
}

/// A program of GnuPG, its options, and one last argument that may have spaces.
fn gpg(desk: &Desk, line: &str, last: &str) -> Ran {
    run(desk.command(line).arg(last).env("GNUPGHOME", desk.path("gpg")))
}

fn fingerprint(desk: &Desk) -> String {
    let said = desk.openssl("x509 -in token.crt -noout -fingerprint -sha1");
    said.split_once('=').unwrap().1.trim().replace(':', "")
}

#[test]
fn gpg_signs_files() {
    let Some((desk, _agent)) = desk() else { return };
    let learned = gpg(&desk, "gpg-connect-agent", "learn --sendinfo").ok();
    let grip = learned.lines().find_map(|line| line.strip_prefix("S KEYPAIRINFO ")).unwrap().split(' ').next().unwrap();
    let parameters = format!("Key-Type: RSA\nKey-Grip: {grip}\nKey-Usage: sign\nName-Real: token\n%no-protection\n%commit\n");
    desk.write("parameters", parameters);
    gpg(&desk, "gpg --batch --generate-key", "parameters").ok();
    gpg(&desk, "gpg --batch --detach-sign --output message.sig", "message").ok();
    let said = gpg(&desk, "gpg --batch --verify message.sig", "message");
    assert!(said.err.contains("Good signature from \"token\""), "{}", said.err);
    said.ok();
    desk.write("message", "hullo\n");
    gpg(&desk, "gpg --batch --verify message.sig", "message").refused();
}

#[test]
fn gpgsm_signs_and_decrypts_messages() {
    let Some((desk, _agent)) = desk() else { return };
    gpg(&desk, "gpgsm --batch", "--learn-card").ok();
    let user = fingerprint(&desk);
    gpg(&desk, &format!("gpgsm --batch --include-certs 1 --detach-sign --local-user {user} --output signed"), "message").ok();
    let said = gpg(&desk, "gpgsm --batch --verify signed", "message");
    assert!(said.err.contains("Good signature from \"/CN=token\""), "{}", said.err);
    said.ok();
    desk.openssl("cms -encrypt -outform DER -in message -out sealed token.crt");
    assert_eq!(gpg(&desk, "gpgsm --batch --decrypt", "sealed").ok().trim(), "hello");
}
