//! The programs that people use the module with: pkcs11-tool, GnuTLS' p11tool, ssh and its agent, as a person types them.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use tests::{STRANGER, Secrets, Service, as_uid, may_change_user, program, run};

const MODULE: &str = "libparsec_pkcs11.so";

/// `pkcs11-tool` with a line of arguments.
fn tool(service: &Service, line: &str) -> Command {
    service.pkcs11_tool(line.split_whitespace())
}

fn write(service: &Service, name: &str, data: &[u8]) {
    fs::write(service.dir().join(name), data).unwrap();
}

/// Makes the key pairs that the tests use: ids 01 (P-256), 02 (RSA) and 03 (Ed25519).
fn generate(service: &Service) {
    for (kind, label, id) in [("EC:prime256v1", "web", "01"), ("rsa:2048", "tls", "02"), ("EC:edwards25519", "ed", "03")] {
        let line = format!("--keypairgen --key-type {kind} --label {label} --id {id}");
        run(&mut tool(service, &line)).ok();
    }
}

#[test]
fn pkcs11_tool_generates_lists_signs_and_verifies() {
    if program("pkcs11-tool").is_none() {
        return;
    }
    let service = Service::start();
    generate(&service);
    write(&service, "data", &[7; 3000]);
    let objects = run(&mut tool(&service, "-O")).ok();
    for line in ["label:      web", "label:      tls", "label:      ed", "ID:         02"] {
        assert_eq!(objects.matches(line).count(), 2, "{line} in {objects}");
    }
    for (mechanism, id, hash, options) in [
        ("ECDSA-SHA256", "01", "-sha256", ""),
        ("ECDSA-SHA512", "01", "-sha512", ""),
        ("SHA256-RSA-PKCS", "02", "-sha256", ""),
        ("SHA384-RSA-PKCS-PSS", "02", "-sha384", "rsa_padding_mode:pss"),
        ("EDDSA", "03", "", ""),
    ] {
        let format = if id == "01" { "--signature-format openssl" } else { "" };
        let line = format!("-m {mechanism} --id {id} -i data {format}");
        run(&mut tool(&service, &format!("--sign {line} -o signature"))).ok();
        let verified = run(&mut tool(&service, &format!("--verify {line} --signature-file signature")));
        assert!(verified.ok().contains("Signature is valid"), "{mechanism}");
        if hash.is_empty() {
            continue;
        }
        let export = format!("--read-object --type pubkey --id {id} -o public.der");
        run(&mut tool(&service, &export)).ok();
        let mut openssl = service.command("openssl");
        openssl.args(["dgst", hash, "-keyform", "DER", "-verify", "public.der"]);
        openssl.args(["-signature", "signature"]);
        if !options.is_empty() {
            openssl.args(["-sigopt", options, "-sigopt", "rsa_pss_saltlen:digest"]);
        }
        assert!(run(openssl.arg("data")).ok().contains("Verified OK"), "{mechanism}");
    }
    write(&service, "data", b"something else");
    let forged = "--verify -m EDDSA --id 03 -i data --signature-file signature";
    assert!(run(&mut tool(&service, forged)).out.contains("Invalid signature"));
}

#[test]
fn pkcs11_tool_passes_its_own_tests() {
    if program("pkcs11-tool").is_none() {
        return;
    }
    let service = Service::start();
    generate(&service);
    assert!(run(&mut tool(&service, "--test")).ok().contains("No errors"));
    run(&mut tool(&service, "--test-fork -L")).ok();
    run(&mut tool(&service, "--test-threads ILGISLT0 -L")).ok();
}

#[test]
fn keys_are_imported_and_secret_ones_made() {
    if program("pkcs11-tool").is_none() {
        return;
    }
    let service = Service::start();
    let openssl = |arguments: &str| {
        let mut openssl = service.command("openssl");
        run(openssl.args(arguments.split_whitespace())).ok()
    };
    write(&service, "data", b"to be signed");
    for (kind, options, id, mechanism, format) in [
        ("RSA", "", "11", "SHA256-RSA-PKCS", ""),
        ("EC", "-pkeyopt ec_paramgen_curve:P-384", "12", "ECDSA-SHA256", "--signature-format openssl"),
    ] {
        openssl(&format!("genpkey -algorithm {kind} {options} -out key.pem"));
        openssl("pkey -in key.pem -outform DER -out key.der");
        openssl("pkey -in key.pem -pubout -outform DER -out public.der");
        let write = format!("--write-object key.der --type privkey --id {id} --label brought");
        run(&mut tool(&service, &write)).ok();
        let sign = format!("--sign -m {mechanism} --id {id} -i data -o signature {format}");
        run(&mut tool(&service, &sign)).ok();
        let verified = openssl("dgst -sha256 -keyform DER -verify public.der -signature signature data");
        assert!(verified.contains("Verified OK"), "{kind}");
        let public = format!("--write-object public.der --type pubkey --id 22{id} --label public");
        run(&mut tool(&service, &public)).ok();
        let verify = format!("--verify -m {mechanism} --id 22{id} -i data --signature-file signature {format}");
        assert!(run(&mut tool(&service, &verify)).ok().contains("Signature is valid"));
    }
    let objects = run(&mut tool(&service, "-O --type privkey")).ok();
    assert!(!objects.contains("local"), "{objects}");
    run(&mut tool(&service, "--keygen --key-type AES:32 --label made --id 31")).ok();
    write(&service, "secret", &[7; 32]);
    run(&mut tool(&service, "--write-object secret --type secrkey --key-type AES:32 --label given --id 32")).ok();
    let objects = run(&mut tool(&service, "-O --type secrkey")).ok();
    assert_eq!(objects.matches("AES length 32").count(), 2, "{objects}");
    assert_eq!(objects.matches("local").count(), 1, "{objects}");
}

/// pkcs11-tool has room for what it gives in, and a little more.
#[test]
fn streams_of_pkcs11_tool_are_those_of_openssl() {
    if program("pkcs11-tool").is_none() {
        return;
    }
    let service = Service::start();
    write(&service, "secret", &[7; 32]);
    run(&mut tool(&service, "--write-object secret --type secrkey --key-type AES:32 --label given --id 31")).ok();
    let (iv, read) = ("000102030405060708090a0b0c0d0e0f", |name: &str| fs::read(service.dir().join(name)).unwrap());
    let key = "07".repeat(32);
    for len in [0, 1 << 10, (1 << 10) + 5, 3 << 10, 20 << 10, (200 << 10) - 1, 200 << 10] {
        write(&service, "plain", &(0..len).map(|at: u32| at.to_le_bytes()[1] ^ 5).collect::<Vec<_>>());
        for (mechanism, cipher, parameter) in [
            ("AES-ECB", "-aes-256-ecb -nopad", String::new()),
            ("AES-CBC", "-aes-256-cbc -nopad", format!(" --iv {iv}")),
            ("AES-CBC-PAD", "-aes-256-cbc", format!(" --iv {iv}")),
        ] {
            if len % 16 != 0 && mechanism != "AES-CBC-PAD" {
                continue;
            }
            let common = format!("--id 31 --mechanism {mechanism}{parameter}");
            run(&mut tool(&service, &format!("--encrypt {common} --input-file plain --output-file sealed"))).ok();
            let iv = if mechanism == "AES-ECB" { String::new() } else { format!("-iv {iv}") };
            let line = format!("enc {cipher} -K {key} {iv} -in plain -out expected");
            run(service.command("openssl").args(line.split_whitespace())).ok();
            assert!(read("sealed") == read("expected"), "{mechanism}, {len} bytes");
            run(&mut tool(&service, &format!("--decrypt {common} --input-file sealed --output-file opened"))).ok();
            assert!(read("opened") == read("plain"), "{mechanism}, {len} bytes");
        }
    }
}

#[test]
fn certificates_and_data_are_stored_and_removed() {
    if program("pkcs11-tool").is_none() {
        return;
    }
    let service = Service::start();
    generate(&service);
    let mut request = service.command("openssl");
    request.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=web"]);
    run(request.args(["-keyout", "/dev/null", "-outform", "DER", "-out", "web.der"])).ok();
    write(&service, "note", b"hello");
    run(&mut tool(&service, "--write-object web.der --type cert --label web --id 01")).ok();
    run(&mut tool(&service, "--write-object note --type data --label note")).ok();
    run(&mut tool(&service, "--read-object --type cert --id 01 -o copy.der")).ok();
    run(&mut tool(&service, "--read-object --type data --label note -o copy")).ok();
    let read = |name: &str| fs::read(service.dir().join(name)).unwrap();
    assert_eq!(read("copy.der"), read("web.der"));
    assert_eq!(read("copy"), read("note"));
    assert!(run(&mut tool(&service, "-O --type cert")).ok().contains("CN=web"));

    for half in ["privkey", "pubkey"] {
        run(&mut tool(&service, &format!("--type {half} --id 03 --set-id 33"))).ok();
        assert!(run(&mut tool(&service, &format!("-O --type {half}"))).ok().contains("ID:         33"));
    }
    for line in ["cert --id 01", "data --label note", "pubkey --id 33", "privkey --id 33"] {
        run(&mut tool(&service, &format!("--delete-object --type {line}"))).ok();
    }
    let objects = run(&mut tool(&service, "-O")).ok();
    assert_eq!(objects.matches("Object").count(), 4, "{objects}");
}

#[test]
fn p11tool_lists_generates_and_signs() {
    let Some(p11tool) = program("p11tool") else {
        return;
    };
    let service = Service::start();
    let p11tool = |arguments: &[&str]| {
        let mut command = service.command(&p11tool);
        command.arg("--batch").arg("--provider").arg(service.staged(MODULE)).args(arguments);
        run(&mut command)
    };
    let token = "pkcs11:token=software";
    let ecdsa = ["--generate-privkey", "ecdsa", "--curve", "secp256r1", "--label", "web", token];
    p11tool(&ecdsa).ok();
    p11tool(&["--generate-privkey", "rsa", "--bits", "2048", "--label", "tls", token]).ok();
    let listed = p11tool(&["--list-all"]).ok();
    for name in ["EC/ECDSA-SECP256R1", "RSA-2048", "object=web", "object=tls"] {
        assert_eq!(listed.matches(name).count(), 2, "{name} in {listed}");
    }
    for name in ["web", "tls"] {
        p11tool(&["--test-sign", &format!("{token};object={name}")]).ok();
    }
}

/// OpenSC 0.23 and GnuTLS 3.7 are older than PKCS#11 3.2.
#[test]
fn programs_that_know_no_post_quantum_keys_list_them_beside_others() {
    let service = Service::start();
    for (algorithm, id) in [("p256", "01"), ("ml-dsa-65", "02"), ("ml-kem-768", "03"), ("x25519", "04")] {
        run(&mut service.parsec(["key", "new", algorithm, "--algorithm", algorithm, "--id", id])).ok();
    }
    if let Some(p11tool) = program("p11tool") {
        let mut command = service.command(&p11tool);
        command.arg("--batch").arg("--provider").arg(service.staged(MODULE));
        let listed = run(command.args(["--list-all-privkeys", "pkcs11:token=software"])).ok();
        for name in ["p256", "ml-dsa-65", "ml-kem-768", "x25519"] {
            assert!(listed.contains(&format!("Label: {name}")), "{name} in {listed}");
        }
    }
    if program("pkcs11-tool").is_none() {
        return;
    }
    let objects = run(&mut tool(&service, "-O")).ok();
    for line in ["label:      ml-dsa-65", "label:      ml-kem-768", "Private Key Object; EC_MONTGOMERY"] {
        assert!(objects.contains(line), "{line} in {objects}");
    }
}

#[test]
fn nothing_is_shown_and_nothing_fails_while_the_service_is_down() {
    if program("pkcs11-tool").is_none() {
        return;
    }
    let mut service = Service::start();
    generate(&service);
    service.kill9();
    let slots = run(&mut tool(&service, "-L")).ok();
    assert!(slots.contains("no Parsec service") && slots.contains("(empty)"), "{slots}");
    assert!(run(&mut tool(&service, "-O")).refused().contains("No slot with a token"));
    service.restart();
    assert!(run(&mut tool(&service, "-O")).ok().contains("web"));
}

#[test]
fn another_user_sees_and_does_what_was_granted() {
    if program("pkcs11-tool").is_none() || !may_change_user() {
        return;
    }
    let service = Service::start();
    generate(&service);
    write(&service, "data", b"data");
    let stranger = |line: &str| run(as_uid(&mut tool(&service, line), STRANGER));
    let sign = "--sign -m ECDSA-SHA256 --id 01 -i data";
    assert_eq!(stranger("-O").ok(), "");
    assert!(stranger(sign).refused().contains("not found"));
    let grant = format!("uid:{STRANGER}=sign");
    run(&mut service.parsec(["key", "grant", "web", &grant])).ok();
    let objects = stranger("-O").ok();
    assert_eq!(objects.matches("label:      web").count(), 2, "{objects}");
    assert_eq!(objects.matches("label:").count(), 2, "{objects}");
    stranger(sign).ok();
    let remove = stranger("--delete-object --type privkey --id 01").refused();
    assert!(remove.contains("0x1b"), "CKR_ACTION_PROHIBITED: {remove}");
    stranger("--type privkey --id 01 --set-id 99").refused();
    assert!(run(&mut tool(&service, "-O")).ok().contains("ID:         01"));
}

/// An `ssh` whose connection is a real sshd of its own, so that no port and no daemon is needed.
fn ssh(service: &Service, sshd: &Path, options: &[&str]) -> Command {
    let path = |name: &str| service.dir().join(name).display().to_string();
    let proxy = format!("ProxyCommand={} -i -f {} -E {}", sshd.display(), path("sshd_config"), path("sshd.log"));
    let known = format!("UserKnownHostsFile={}", path("known"));
    let mut ssh = service.command("ssh");
    ssh.args(["-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "BatchMode=yes"]);
    ssh.args(["-o", "PreferredAuthentications=publickey", "-o", &known, "-o", &proxy]);
    ssh.args(options).args(["localhost", "echo", "logged in"]);
    ssh
}

/// Lays out what sshd needs: a host key and a configuration.
fn prepare_sshd(service: &Service) {
    let path = |name: &str| service.dir().join(name).display().to_string();
    let mut keygen = service.command("ssh-keygen");
    run(keygen.args(["-q", "-t", "ed25519", "-N", "", "-f", "host"])).ok();
    let config = format!(
        "HostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n\
         PasswordAuthentication no\nKbdInteractiveAuthentication no\n",
        path("host"),
        path("authorized"),
    );
    write(service, "sshd_config", config.as_bytes());
    // Where sshd, when root, locks its unprivileged child in.
    let _ = fs::create_dir("/run/sshd");
}

#[test]
fn ssh_logs_in_with_the_module_and_with_the_agent() {
    let (Some(sshd), Some(_), Some(_)) = (program("sshd"), program("ssh-agent"), program("pkcs11-tool")) else {
        return;
    };
    let service = Service::start();
    generate(&service);
    let module = service.staged(MODULE).display().to_string();
    let public = run(service.command("ssh-keygen").args(["-D", &module])).ok();
    let keys: Vec<_> = public.lines().collect();
    assert!(keys.len() >= 2, "an RSA and an EC key in {public}");
    prepare_sshd(&service);
    let provider = format!("PKCS11Provider={module}");
    for key in &keys {
        write(&service, "authorized", key.as_bytes());
        let login = run(&mut ssh(&service, &sshd, &["-o", &provider]));
        assert_eq!(login.ok(), "logged in\n");
    }

    let socket = service.dir().join("agent").display().to_string();
    let mut agent = service.command("ssh-agent");
    let started = run(agent.args(["-a", &socket, "-P", &module])).ok();
    let pid = started.split("SSH_AGENT_PID=").nth(1).and_then(|rest| rest.split(';').next());
    let with_agent = |mut command: Command| {
        command.env("SSH_AUTH_SOCK", &socket).env("SSH_AGENT_PID", pid.unwrap());
        run(&mut command)
    };
    // ssh-add wants to ask for a PIN; there is none, so any answer does.
    write(&service, "askpass", b"#!/bin/sh\necho\n");
    let askpass = service.dir().join("askpass");
    fs::set_permissions(&askpass, fs::Permissions::from_mode(0o755)).unwrap();
    let mut add = service.command("ssh-add");
    add.env("SSH_ASKPASS", &askpass).env("SSH_ASKPASS_REQUIRE", "force").args(["-s", &module]);
    let added = with_agent(add);
    let logins: Vec<_> = keys
        .iter()
        .map(|key| {
            write(&service, "authorized", key.as_bytes());
            with_agent(ssh(&service, &sshd, &[]))
        })
        .collect();
    let mut end = service.command("ssh-agent");
    end.arg("-k");
    with_agent(end).ok();
    added.ok();
    for login in logins {
        assert_eq!(login.ok(), "logged in\n");
    }
}

#[test]
fn pkcs11_tool_wraps_and_unwraps() {
    if program("pkcs11-tool").is_none() {
        return;
    }
    let service = Service::start();
    let ran = |line: &str| run(&mut tool(&service, line));
    let tool = |line: &str| ran(line).ok();
    tool("--keygen --key-type AES:32 --label kek --id 10 --usage-wrap");
    tool("--keygen --key-type AES:16 --label data --id 11 --usage-decrypt --extractable --sensitive");
    tool("--keygen --key-type AES:16 --label open --id 13 --usage-decrypt --extractable");
    tool("--keypairgen --key-type rsa:2048 --label pair --id 12 --usage-wrap");
    write(&service, "plain", b"two blocks of AES, 32 bytes long");
    let sensitive = ran("--wrap -m RSA-PKCS --id 12 --application-id 11 -o wrapped").refused();
    assert!(sensitive.contains("CKR_KEY_NOT_WRAPPABLE"), "unwrapping would reveal it: {sensitive}");
    for (mechanism, with, key, back) in [("AES-KEY-WRAP", "10", "11", "20"), ("RSA-PKCS", "12", "13", "21")] {
        tool(&format!("--wrap -m {mechanism} --id {with} --application-id {key} -o wrapped"));
        tool(&format!(
            "--unwrap -m {mechanism} --id {with} --application-id {back} --application-label back -i wrapped --key-type AES:16 --usage-decrypt"
        ));
        tool(&format!("--encrypt -m AES-ECB --id {key} -i plain -o sealed"));
        tool(&format!("--decrypt -m AES-ECB --id {back} -i sealed -o opened"));
        assert_eq!(fs::read(service.dir().join("opened")).unwrap(), b"two blocks of AES, 32 bytes long", "{mechanism}");
    }
}

#[test]
fn pkcs11_tool_and_openssl_derive_the_same_secret() {
    if program("pkcs11-tool").is_none() {
        return;
    }
    let service = Service::start();
    let openssl = |line: &str| run(service.command("openssl").args(line.split_whitespace())).ok();
    run(&mut tool(&service, "--keypairgen --key-type EC:prime256v1 --label agree --id 30 --usage-derive")).ok();
    run(&mut tool(&service, "--read-object --type pubkey --id 30 -o ours.der")).ok();
    openssl("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out theirs.pem");
    openssl("pkey -in theirs.pem -pubout -outform DER -out theirs.der");
    openssl("pkeyutl -derive -inkey theirs.pem -peerform DER -peerkey ours.der -out expected");
    run(&mut tool(&service, "--derive -m ECDH1-DERIVE --id 30 -i theirs.der -o derived")).ok();
    let read = |name| fs::read(service.dir().join(name)).unwrap();
    assert_eq!(read("derived"), read("expected"));
}

#[test]
fn nothing_secret_is_left_in_a_programs_heap() {
    if !may_change_user() {
        return;
    }
    let service = Service::start();
    let program = service.dir().join("leftovers");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/leftovers.c");
    run(Command::new("cc").args(["-Wall", "-Werror", "-I/usr/include/p11-kit-1", source, "-o"]).arg(&program)).ok();
    // letters, so that a part can be a PIN
    let mut secret = vec![0; 100_000];
    fs::File::open("/dev/urandom").unwrap().read_exact(&mut secret).unwrap();
    secret.iter_mut().for_each(|byte| *byte = b'@' + *byte % 32);
    let mut secrets = Secrets::default();
    secrets.add(&secret, &[]);
    let mut child = service.command(&program);
    let mut child = child.arg(service.staged(MODULE)).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(&secret).unwrap();
    child.stdout.take().unwrap().read_exact(&mut [0]).expect("the end of its work");
    let found = secrets.found_in(child.id());
    drop(input);
    assert!(child.wait().unwrap().success());
    let heap: Vec<_> = found.iter().filter(|place| place.contains("[heap]")).collect();
    assert!(heap.is_empty(), "{} pieces are left:\n{}", heap.len(), heap[0]);
}
