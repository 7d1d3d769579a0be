//! Our client, module and provider on upstream's own service: fewer features, the same keys.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use interface::algorithm::{Algorithm, Hash, Signature};
use interface::attributes::{Attributes, EccFamily, KeyType, Policy, Usage};
use interface::client::{Client, Error};
use interface::operations::{DestroyKey, Find, GenerateKey, Grant, ListKeys, Ping, SignHash, VerifyHash};
use interface::{ProviderId, Status};
use interop::{Row, may_unshare, upstream, upstream_service, upstream_tool};
use sha2::{Digest, Sha256};
use tests::{STRANGER, Service, as_uid, may_change_user, program, run};

const SOFTWARE: ProviderId = ProviderId::SOFTWARE;

/// Upstream's service, and its row.
fn start() -> (Service, Row) {
    (upstream().start(), Row::peer("parsec-service", &upstream_service()))
}

fn ecdsa() -> Signature {
    Signature::Ecdsa { hash: Hash::Sha256.into() }
}

fn pss() -> Signature {
    Signature::RsaPss { hash: Hash::Sha256.into() }
}

fn generate(client: &Client, name: &str, key_type: KeyType, bits: u32, algorithm: impl Into<Algorithm>) {
    let policy = Policy { usage: Usage::SIGN | Usage::VERIFY, algorithm: algorithm.into(), also: Vec::new() };
    let attributes = Attributes { key_type, bits, policy };
    let generate = GenerateKey { key_name: name.to_owned(), attributes: Some((&attributes).into()), ..GenerateKey::default() };
    client.call(SOFTWARE, &generate).unwrap();
}

const P256: KeyType = KeyType::EccKeyPair(EccFamily::SecpR1);

#[test]
fn our_client_makes_uses_and_finds_keys() {
    let (service, _row) = start();
    let client = service.client();
    assert_eq!(client.call(ProviderId::CORE, &Ping {}).unwrap().version_maj, 1);
    assert_eq!(client.default_provider().unwrap(), SOFTWARE);
    generate(&client, "web", P256, 256, ecdsa());

    let hash = Sha256::digest(b"hello").to_vec();
    let sign = SignHash { key_name: "web".to_owned(), alg: Some(ecdsa().into()), hash: hash.clone(), ..Default::default() };
    let signature = client.call(SOFTWARE, &sign).unwrap().signature;
    let verify = VerifyHash { key_name: "web".to_owned(), alg: Some(ecdsa().into()), hash, signature, ..Default::default() };
    client.call(SOFTWARE, &verify).unwrap();

    let record = client.lookup(SOFTWARE, None, "web").unwrap();
    assert_eq!((record.name.as_str(), record.public_key.len(), record.id.len()), ("web", 65, 20));
    let attributes = Attributes::try_from(&record.attributes.unwrap()).unwrap();
    assert_eq!((attributes.key_type, attributes.bits), (P256, 256));

    let found = client.find(SOFTWARE, &Find { id: Some(record.id), ..Find::default() }).unwrap();
    assert_eq!(found.len(), 1);
    let unknown = client.lookup(SOFTWARE, None, "other").unwrap_err();
    assert_eq!(unknown.status(), Some(Status::PsaErrorDoesNotExist), "{unknown}");

    client.call(SOFTWARE, &DestroyKey { key_name: "web".to_owned(), owner: None }).unwrap();
    assert!(client.call(ProviderId::CORE, &ListKeys {}).unwrap().keys.is_empty());
}

#[test]
fn a_client_in_a_user_namespace_is_who_the_kernel_says() {
    if !may_change_user() || !may_unshare() {
        return;
    }
    let (service, _row) = start();
    tests::acting(STRANGER, || generate(&service.client(), "web", P256, 256, ecdsa()));
    let mut inside = service.command("unshare");
    let inside = inside.arg("--map-root-user").arg(service.staged("parsec")).args(["key", "list"]);
    assert!(run(as_uid(inside, STRANGER)).ok().contains("web"));
}

#[test]
fn what_upstream_lacks_is_a_clear_error() {
    let (service, _row) = start();
    let grant = Grant { key_name: "web".to_owned(), principal: "uid:33".to_owned(), ..Grant::default() };
    let refused = service.client().call(SOFTWARE, &grant).unwrap_err();
    assert!(matches!(refused, Error::Upstream(_)), "{refused}");
}

#[test]
fn our_client_survives_a_restart() {
    let (mut service, _row) = start();
    let client = service.client();
    generate(&client, "web", P256, 256, ecdsa());
    service.kill9();
    assert!(client.call(ProviderId::CORE, &Ping {}).is_err());
    service.restart();
    assert_eq!(client.lookup(SOFTWARE, None, "web").unwrap().name, "web");
}

/// A file of the service's directory.
fn write(service: &Service, file: &str, bytes: impl AsRef<[u8]>) {
    std::fs::write(service.dir().join(file), bytes).unwrap();
}

fn tool(service: &Service, arguments: &[&str]) -> String {
    run(service.command(upstream_tool()).args(arguments)).ok()
}

#[test]
fn pkcs11_module_lists_and_signs() {
    if program("pkcs11-tool").is_none() {
        return;
    }
    let (service, _row) = start();
    tool(&service, &["create-ecc-key", "-k", "ec"]);
    tool(&service, &["create-rsa-key", "-k", "rsa", "--for-signing"]);
    write(&service, "message", "hello");

    let objects = run(&mut service.pkcs11_tool(["--list-objects"])).ok();
    for kind in ["EC", "RSA"] {
        for class in ["Private", "Public"] {
            let line = format!("{class} Key Object; {kind}");
            assert!(objects.contains(&line), "{line} is missing in\n{objects}");
        }
    }
    write(&service, "digest", Sha256::digest(b"hello"));
    for (name, mechanism, input) in
        [("ec", "ECDSA-SHA256", "message"), ("ec", "ECDSA", "digest"), ("rsa", "SHA256-RSA-PKCS", "message")]
    {
        let id = service.client().lookup(SOFTWARE, None, name).unwrap().id;
        let id: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
        let sign = format!("--sign -m {mechanism} --id {id} -i {input} -o signature --signature-format openssl");
        run(&mut service.pkcs11_tool(sign.split(' '))).ok();
        let public = tool(&service, &["export-public-key", "-k", name]);
        write(&service, "public.pem", public);
        let verify = "dgst -sha256 -verify public.pem -signature signature message";
        run(service.command("openssl").args(verify.split(' '))).ok();
    }
}

/// An `openssl s_server` that answers one connection.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
        let accept = lines.map_while(Result::ok).find(|line| line.starts_with("ACCEPT"));
        let port = accept.expect("s_server says where it listens").rsplit(':').next().unwrap().parse().unwrap();
        Self { child, port }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn openssl_provider_serves_tls() {
    if program("openssl").is_none() {
        return;
    }
    let (service, _row) = start();
    let client = service.client();
    generate(&client, "ec", P256, 256, ecdsa());
    generate(&client, "rsa", KeyType::RsaKeyPair, 2048, pss());
    let salted: &[&str] = &["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"];
    for (key, options, sigalg) in [("ec", &[][..], "ECDSA+SHA256"), ("rsa", salted, "RSA-PSS+SHA256")] {
        let uri = format!("parsec:object={key};provider=software");
        let request = ["req", "-x509", "-new", "-sha256", "-subj", "/CN=localhost", "-key", &uri, "-out", "certificate.pem"];
        run(service.openssl(request).args(options)).ok();
        run(service.command("openssl").args(["verify", "-CAfile", "certificate.pem", "certificate.pem"])).ok();
        for version in ["-tls1_2", "-tls1_3"] {
            let listen = ["s_server", "-accept", "127.0.0.1:0", "-naccept", "1", "-cert", "certificate.pem", "-key", &uri];
            let server = Server::start(service.openssl(listen));
            let address = format!("127.0.0.1:{}", server.port);
            let connect = [
                "s_client",
                "-connect",
                &address,
                "-CAfile",
                "certificate.pem",
                "-verify_return_error",
                version,
                "-sigalgs",
                sigalg,
            ];
            let session = run(service.command("openssl").args(connect)).ok();
            assert!(session.contains("Verify return code: 0 (ok)"), "{session}");
        }
    }
}

#[test]
fn our_command_line_shows_upstreams_keys() {
    let (service, _row) = start();
    tool(&service, &["create-ecc-key", "-k", "web"]);
    assert!(run(&mut service.parsec(["key", "list"])).ok().contains("web"));
    let uri = run(&mut service.parsec(["key", "uri", "web"])).ok();
    assert!(uri.starts_with("parsec:object=web"), "{uri}");
    assert!(run(&mut service.parsec(["key", "public", "web"])).ok().contains("BEGIN PUBLIC KEY"));
    run(&mut service.parsec(["ping"])).ok();
}
