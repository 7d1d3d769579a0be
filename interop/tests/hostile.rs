//! A client that breaks the rules of TLS tells nginx with our keys from nginx with the same keys in files by nothing.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says why on stderr"
)]

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;

use interface::ProviderId;
use interface::algorithm::{Encryption, SignHash, Signature};
use interface::attributes::{Attributes, KeyType, Policy, Usage};
use interface::operations::ImportKey;
use interop::{Daemon, Desk, listens, loopback, tlslite};
use tests::{Ran, may_change_user, program, run};

/// How often the time of each answer is taken.
const ROUNDS: usize = 20;

/// One key, and the servers that have it: ours by reference, theirs in a file.
struct Server {
    name: &'static str,
    ours: SocketAddr,
    theirs: SocketAddr,
}

fn server(name: &'static str) -> Server {
    Server { name, ours: loopback(), theirs: loopback() }
}

#[test]
fn a_hostile_client_meets_what_it_meets_at_a_server_with_the_key_in_a_file() {
    let Some(desk) = Desk::new("nginx") else { return };
    if !may_change_user() {
        return;
    }
    let servers = [server("rsa"), server("ec")];
    import_rsa(&desk, "rsa");
    desk.openssl("genpkey -algorithm EC -pkeyopt group:P-256 -out ec.key");
    desk.parsec("key import ec ec.key --for tls-server --grant user:www-data=sign");
    for Server { name, .. } in &servers {
        desk.parsec(&format!("key pem {name} --out {name}.pem"));
        desk.openssl(&format!("req -x509 -key {name}.key -subj /CN=localhost -out {name}.crt"));
    }
    desk.openssl("req -x509 -newkey rsa:2048 -noenc -keyout client.key -subj /CN=client -out client.crt");
    let _nginx = nginx(&desk, &servers);

    let addresses = servers.iter().flat_map(|server| [server.ours, server.theirs].map(|address| address.to_string()));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("suites/hostile.py");
    let mut client = desk.service.command(tlslite());
    client.arg("-B").arg(script).args(addresses).args(["client.crt", "client.key"]).arg(ROUNDS.to_string());
    let ran = run(&mut client);
    eprintln!("{}{}", ran.out, ran.err);
    judge(ran);
}

/// What a client sees of paddings, and of everything else that it can get wrong.
fn judge(ran: Ran) {
    let table = ran.ok();
    let probes: Vec<[&str; 3]> = table.lines().map(|line| line.split('\t').collect::<Vec<_>>().try_into().unwrap()).collect();
    let different: Vec<_> = probes.iter().filter(|[_, ours, theirs]| ours != theirs).collect();
    assert!(different.is_empty(), "the client can tell the servers apart: {different:#?}");

    let padded = |[name, ours, _]: &[&str; 3]| Some((name.strip_prefix("padding: ")? == "valid", (*ours).to_owned()));
    let (valid, invalid): (Vec<_>, Vec<_>) = probes.iter().filter_map(padded).partition(|(valid, _)| *valid);
    let answers: BTreeSet<_> = invalid.into_iter().map(|(_, answer)| answer).collect();
    assert_eq!(answers.len(), 1, "the client can tell paddings apart: {answers:#?}");
    assert!(valid.iter().all(|(_, answer)| answer.starts_with("served") && !answers.contains(answer)), "{valid:#?}");
}

/// A key in a file and in the service, where www-data may do with it what servers do in TLS without ephemeral keys too.
fn import_rsa(desk: &Desk, name: &str) {
    desk.openssl(&format!("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out {name}.key"));
    desk.openssl(&format!("rsa -in {name}.key -traditional -outform DER -out {name}.der"));
    let hash = SignHash::Any;
    let policy = Policy {
        usage: Usage::SIGN | Usage::DECRYPT,
        algorithm: Encryption::RsaPkcs1v15.into(),
        also: vec![Signature::RsaPkcs1v15 { hash }.into(), Signature::RsaPss { hash }.into()],
    };
    let attributes = Attributes { key_type: KeyType::RsaKeyPair, bits: 2048, policy };
    let import = ImportKey {
        key_name: name.to_owned(),
        attributes: Some((&attributes).into()),
        data: desk.read(format!("{name}.der")),
        label: None,
        id: None,
        volatile: false,
        pkcs11: Vec::new(),
    };
    desk.service.client().call(ProviderId::SOFTWARE, &import).unwrap();
    desk.parsec(&format!("key grant {name} user:www-data=sign,decrypt"));
}

/// An nginx that asks its clients for certificates and has every kind of key exchange.
fn nginx(desk: &Desk, servers: &[Server]) -> Daemon {
    let block = |address: SocketAddr, name: &str, key: &str| {
        format!(
            "server {{ listen {address} ssl; ssl_certificate {name}.crt; ssl_certificate_key {name}.{key}; location / {{ return 200 $ssl_client_verify; }} }}\n"
        )
    };
    let blocks = servers.iter().map(|Server { name, ours, theirs }| block(*ours, name, "pem") + &block(*theirs, name, "key"));
    desk.write("nginx.conf", CONF.to_owned() + &blocks.collect::<String>() + "}\n");
    let mut command = desk.service.command(program("nginx").unwrap());
    command.env("OPENSSL_CONF", desk.service.openssl_conf()).arg("-p").arg(desk.path("")).args([
        "-e",
        "error.log",
        "-c",
        "nginx.conf",
    ]);
    let listen = || servers.iter().all(|Server { ours, theirs, .. }| listens(*ours) && listens(*theirs));
    Daemon::start(&mut command, &desk.path("nginx.out"), listen)
}

const CONF: &str = "
user www-data;
daemon off;
worker_processes 2;
pid nginx.pid;
error_log error.log info;
events {}
http {
access_log off;
client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
ssl_protocols TLSv1.2 TLSv1.3;
ssl_ciphers ALL;
ssl_verify_client on;
ssl_client_certificate client.crt;
";
