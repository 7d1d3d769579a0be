//! nginx with keys that live in the service: its master runs as root, its workers as www-data, and its key files hold references.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says what it measured"
)]

mod browser;
mod flood;
mod privileged;
mod sealed;
mod set_up;
mod site;
mod ways;

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::process::Command;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::thread::scope;
use std::time::Instant;

use interface::ProviderId;
use interface::operations::Ping;
use interop::{Daemon, eventually, setup};
use tests::{Service, run};

use site::{Site, Way, uids, workers};

const WWW_DATA: u32 = 33;
const VERSIONS: [(&str, &str, &str); 2] = [("TLSv1.2", "--tlsv1.2", "1.2"), ("TLSv1.3", "--tlsv1.3", "1.3")];

#[test]
fn both_versions_of_tls_with_both_kinds_of_key() {
    let Some(site) = Site::both(Way::References) else { return };
    serves_both(&site);
}

fn serves_both(site: &Site) {
    let nginx = site.start();
    for (name, suite) in [("rsa", "ECDHE-RSA-AES128-GCM-SHA256"), ("ec", "ECDHE-ECDSA-AES128-GCM-SHA256")] {
        for (version, minimum, maximum) in VERSIONS {
            let page = run(&mut site.curl(name, &[minimum, "--tls-max", maximum, "--ciphers", suite])).ok();
            assert_eq!(page.trim(), format!("{name} {version}"));
        }
    }
    for worker in workers(&nginx) {
        assert_eq!(uids(worker), [WWW_DATA; 4]);
    }
    assert_eq!(uids(nginx.pid()), [0; 4]);
}

#[test]
fn both_versions_of_tls_with_longer_and_edwards_curves() {
    let Some(site) = Site::new(Way::References, &[("p384", "p384"), ("ed", "ed25519")]) else {
        return;
    };
    let _nginx = site.start();
    for (name, _) in &site.servers {
        for (version, minimum, maximum) in VERSIONS {
            let page = run(&mut site.curl(name, &[minimum, "--tls-max", maximum])).ok();
            assert_eq!(page.trim(), format!("{name} {version}"));
        }
    }
}

#[test]
fn workers_without_a_grant_say_what_they_lack() {
    let Some(site) = Site::both(Way::References) else { return };
    site.parsec("key revoke ec user:www-data");
    let _nginx = site.start();
    run(&mut site.curl("ec", &[])).refused();
    let why = "uid:33 may not use key 'ec' of uid:0";
    site.logs(why);
    site.logs("parsec key grant ec uid:33=sign");
    site.service.logs(&[why]);
    // the other key is not concerned, and the mending command mends
    run(&mut site.curl("rsa", &[])).ok();
    site.parsec("key grant ec uid:33=sign");
    run(&mut site.curl("ec", &[])).ok();
}

#[test]
fn a_key_that_is_gone_is_named_in_the_log() {
    let Some(site) = Site::both(Way::References) else { return };
    site.parsec("key rm ec");
    let _nginx = site.start();
    run(&mut site.curl("ec", &[])).refused();
    site.logs("key 'ec' of uid:0, or there is none");
    run(&mut site.curl("rsa", &[])).ok();
}

#[test]
fn the_configuration_is_valid_while_the_service_is_stopped() {
    let Some(mut site) = Site::both(Way::References) else { return };
    site.service.stop();
    run(&mut site.nginx(&["-t"])).ok();
    // and a server that came up first serves as soon as the service is there
    let _nginx = site.start();
    run(&mut site.curl("ec", &[])).refused();
    site.logs("parsec.sock: Connection refused");
    site.logs("start the service");
    site.service.restart();
    for (name, _) in &site.servers {
        run(&mut site.curl(name, &[])).ok();
    }
}

#[test]
fn a_reload_takes_new_keys_and_keeps_serving() {
    let Some(site) = Site::new(Way::References, &[("ec", "p256")]) else {
        return;
    };
    let nginx = site.start();
    let old = run(&mut site.curl("ec", &["--write-out", "%{certs}"])).ok();
    site.parsec("key rm ec");
    site.parsec("key new ec --for tls-server --grant user:www-data=sign --out nginx/ec.pem");
    site.certify("ec");
    site.reload(&nginx);
    let new = run(&mut site.curl("ec", &["--write-out", "%{certs}"])).ok();
    assert_ne!(old, new);
    for worker in workers(&nginx) {
        assert_eq!(uids(worker), [WWW_DATA; 4]);
    }
}

#[test]
fn workers_read_keys_themselves_and_see_new_ones_at_once() {
    let Some(site) = Site::both(Way::Variables) else { return };
    let nginx = site.start();
    let serves = || {
        for (name, _) in &site.servers {
            run(&mut site.curl(name, &[])).ok();
        }
    };
    serves();
    let before = workers(&nginx);
    site.parsec("key rm ec");
    run(&mut site.curl("ec", &[])).refused();
    site.parsec("key new ec --for tls-server --grant user:www-data=sign --out nginx/ec.pem");
    site.certify("ec");
    serves();
    assert_eq!(workers(&nginx), before);
}

#[test]
fn reloads_under_load_lose_no_handshake() {
    let Some(mut site) = Site::both(Way::References) else { return };
    site.workers = 4;
    site.configure("");
    let nginx = site.start();
    let load = under_load(&mut site, |site| (0..3).for_each(|_| site.reload(&nginx)));
    let failed: Vec<_> = load.failed().map(|handshake| &handshake.failure).collect();
    assert!(failed.is_empty(), "{failed:?}");
}

#[test]
fn a_restart_or_a_crash_of_the_service_loses_only_handshakes_in_flight() {
    let Some(mut site) = Site::both(Way::References) else { return };
    let nginx = site.start();
    let before = workers(&nginx);
    let outages: [fn(&mut Service); 2] = [Service::restart, crash];
    for outage in outages {
        let load = under_load(&mut site, |site| outage(&mut site.service));
        for handshake in load.failed() {
            let outside = handshake.end < load.stopped || handshake.start > load.back;
            assert!(!outside, "{:?}", handshake.failure);
        }
    }
    assert_eq!(workers(&nginx), before, "nginx was not restarted");
}

#[test]
fn a_restart_behind_a_socket_that_stays_loses_none_but_those_in_flight() {
    let mut service = setup().prepare();
    service.activate();
    let Some(mut site) = Site::on(service, Way::References, &[("rsa", "rsa-2048"), ("ec", "p256")]) else {
        return;
    };
    let _nginx = site.start();
    let outages: [fn(&mut Service); 2] = [Service::restart, crash];
    for outage in outages {
        let load = under_load(&mut site, |site| outage(&mut site.service));
        for handshake in load.failed() {
            let in_flight = handshake.start <= load.stopped && load.stopped <= handshake.end;
            assert!(in_flight, "{:?}", handshake.failure);
        }
    }
}

fn crash(service: &mut Service) {
    service.kill9();
    service.restart();
}

/// One handshake of a load.
struct Handshake {
    start: Instant,
    end: Instant,
    /// What went wrong, if anything.
    failure: Option<String>,
}

/// What clients met before, during and after an outage.
struct Load {
    handshakes: Vec<Handshake>,
    stopped: Instant,
    back: Instant,
}

impl Load {
    fn failed(&self) -> impl Iterator<Item = &Handshake> {
        self.handshakes.iter().filter(|handshake| handshake.failure.is_some())
    }
}

/// Lets clients shake hands all the time, and puts an outage into the middle.
fn under_load(site: &mut Site, outage: impl FnOnce(&mut Site)) -> Load {
    /// Successful handshakes of each client before and after the outage.
    const ENOUGH: usize = 5;
    let clients: Vec<_> = site
        .servers
        .iter()
        .flat_map(|(name, _)| VERSIONS.map(|(_, minimum, maximum)| (name, minimum, maximum)))
        .flat_map(|kind| std::iter::repeat_n(kind, site.clients))
        .map(|(name, minimum, maximum)| site.curl(name, &[minimum, "--tls-max", maximum]))
        .map(|command| (command, AtomicUsize::new(0)))
        .collect();
    let over = AtomicBool::new(false);
    let (mut commands, made): (Vec<_>, Vec<_>) = clients.into_iter().unzip();
    let all_made_enough = || {
        eventually("handshakes of every client", || made.iter().all(|made| made.load(SeqCst) >= ENOUGH).then_some(()));
    };
    scope(|scope| {
        let threads: Vec<_> =
            commands.iter_mut().zip(&made).map(|(command, made)| scope.spawn(|| shake_hands(command, made, &over))).collect();
        all_made_enough();
        let stopped = Instant::now();
        outage(site);
        site.service.client().call(ProviderId::CORE, &Ping {}).unwrap();
        let back = Instant::now();
        made.iter().for_each(|made| made.store(0, SeqCst));
        all_made_enough();
        over.store(true, SeqCst);
        let handshakes = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        Load { handshakes, stopped, back }
    })
}

fn shake_hands(command: &mut Command, made: &AtomicUsize, over: &AtomicBool) -> Vec<Handshake> {
    let mut handshakes = Vec::new();
    while !over.load(SeqCst) {
        let start = Instant::now();
        let ran = run(command);
        let end = Instant::now();
        let failure = (!ran.status.success()).then_some(ran.err);
        if failure.is_none() {
            made.fetch_add(1, SeqCst);
        }
        handshakes.push(Handshake { start, end, failure });
    }
    handshakes
}

#[test]
fn curl_proves_itself_with_a_client_certificate() {
    let Some(site) = Site::both(Way::References) else { return };
    for (name, algorithm) in [("me", "p256"), ("me-rsa", "rsa-2048")] {
        site.parsec(&format!("key new {name} --for tls-client --algorithm {algorithm} --out {name}.pem"));
        site.parsec(&format!("key csr {name} --self-signed --cn {name} --out {name}.crt"));
    }
    let trusted = ["me.crt", "me-rsa.crt"].map(|file| std::fs::read_to_string(site.path(file)).unwrap());
    std::fs::write(site.path("nginx/clients.crt"), trusted.concat()).unwrap();
    let trust = format!("ssl_verify_client on; ssl_client_certificate {};", site.path("nginx/clients.crt").display());
    site.configure(&trust);
    let _nginx = site.start();
    for name in ["me", "me-rsa"] {
        let (certificate, key) = (format!("{name}.crt"), format!("{name}.pem"));
        for (version, minimum, maximum) in VERSIONS {
            let mut curl = site.curl("ec", &[minimum, "--tls-max", maximum, "--cert", &certificate, "--key", &key]);
            let page = run(curl.env("OPENSSL_CONF", site.service.openssl_conf())).ok();
            assert_eq!(page.trim(), format!("ec {version} CN={name}"));
        }
    }
    let page = run(&mut site.curl("ec", &[])).ok();
    assert!(page.contains("No required SSL certificate was sent"), "{page}");
}

#[test]
fn nginx_proves_itself_to_the_server_behind_it() {
    let Some(site) = Site::both(Way::References) else { return };
    site.parsec("key new me --for tls-client --grant user:www-data=sign --out nginx/me.pem");
    site.parsec("key csr me --self-signed --cn proxy --out nginx/me.crt");
    let (dir, behind) = (site.path("nginx"), site.address("ec"));
    let dir = dir.display();
    site.configure(&format!(
        "ssl_verify_client optional; ssl_client_certificate {dir}/me.crt;\n    location /behind {{\n      proxy_pass https://{behind}/;\n      \
         proxy_ssl_certificate {dir}/me.crt; proxy_ssl_certificate_key {dir}/me.pem;\n      \
         proxy_ssl_verify on; proxy_ssl_trusted_certificate {dir}/ec.crt; proxy_ssl_name localhost; proxy_ssl_protocols TLSv1.3;\n    }}"
    ));
    let _nginx = site.start();
    let page = run(&mut site.curl("rsa", &["--request-target", "/behind"])).ok();
    assert_eq!(page.trim(), "ec TLSv1.3 CN=proxy");
}

#[test]
fn tls_without_ephemeral_keys_takes_a_key_that_decrypts() {
    let Some(site) = Site::both(Way::References) else { return };
    let suites = ["AES128-GCM-SHA256", "AES256-SHA"];
    let shake_hands = |suite| run(&mut site.curl("rsa", &["--tls-max", "1.2", "--ciphers", suite]));
    {
        let _nginx = site.start();
        for suite in suites {
            shake_hands(suite).refused();
        }
    }
    site.parsec("key rm rsa");
    let make = "--keypairgen --key-type rsa:2048 --usage-sign --usage-decrypt --label rsa --id 01";
    run(&mut site.service.pkcs11_tool(make.split(' '))).ok();
    site.parsec("key pem rsa --out nginx/rsa.pem");
    site.parsec("key grant rsa user:www-data=sign,decrypt");
    site.certify("rsa");
    let _nginx = site.start();
    for suite in suites {
        assert_eq!(shake_hands(suite).ok().trim(), "rsa TLSv1.2");
    }
}

#[test]
fn the_private_key_is_neither_in_the_files_nor_in_the_memory_of_nginx() {
    let Some(site) = Site::new(Way::References, &[("ec", "p256")]) else {
        return;
    };
    let openssl = |arguments: &str| run(site.service.command("openssl").args(arguments.split(' '))).ok();
    openssl("genpkey -algorithm EC -pkeyopt group:P-256 -out secret.key");
    openssl("pkey -in secret.key -outform DER -out secret.der");
    let der = std::fs::read(site.path("secret.der")).unwrap();
    let secret = scalar(&der);
    site.parsec("key rm ec");
    site.parsec("key import ec secret.key --for tls-server --grant user:www-data=sign");
    site.parsec("key pem ec --out nginx/ec.pem");
    site.certify("ec");
    std::fs::remove_file(site.path("secret.der")).unwrap();

    let mut nginx = site.start();
    run(&mut site.curl("ec", &[])).ok();
    assert!(!remembers(&nginx, secret));
    for file in std::fs::read_dir(site.path("nginx")).unwrap() {
        let path = file.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            let text = String::from_utf8_lossy(&bytes);
            assert!(!text.contains("PRIVATE KEY") && !finds(&bytes, secret), "{}", path.display());
        }
    }

    // the same search finds the key of a server that has it in a file
    std::fs::rename(site.path("secret.key"), site.path("nginx/ec.pem")).unwrap();
    nginx.stop();
    assert!(remembers(&site.start(), secret));
}

/// Whether any process of an nginx has the number in its memory.
fn remembers(nginx: &Daemon, secret: &[u8]) -> bool {
    let processes = [&[nginx.pid()][..], &workers(nginx)].concat();
    processes.iter().any(|pid| holds(*pid, secret))
}

/// The 32 bytes of the private key in the SEC 1 structure within PKCS#8.
fn scalar(der: &[u8]) -> &[u8] {
    let start = [0x02, 0x01, 0x01, 0x04, 0x20];
    let at = der.windows(start.len()).position(|window| window == start).unwrap() + start.len();
    &der[at..at + 32]
}

fn finds(bytes: &[u8], secret: &[u8]) -> bool {
    bytes.windows(secret.len()).any(|window| window == secret)
}

/// Whether a process has the number in its memory, with its first or with its last byte first.
fn holds(pid: u32, secret: &[u8]) -> bool {
    let reversed: Vec<u8> = secret.iter().rev().copied().collect();
    let mut memory = File::open(format!("/proc/{pid}/mem")).unwrap();
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let written = maps.lines().filter(|line| line.split(' ').nth(1).is_some_and(|mode| mode.starts_with("rw")));
    let ranges = written.map(|line| {
        let (start, rest) = line.split_once('-').unwrap();
        let end = rest.split_once(' ').unwrap().0;
        [start, end].map(|address| u64::from_str_radix(address, 16).unwrap())
    });
    ranges.into_iter().any(|[start, end]| {
        let mut bytes = Vec::new();
        memory.seek(SeekFrom::Start(start)).unwrap();
        let read = (&mut memory).take(end - start).read_to_end(&mut bytes);
        read.is_ok() && (finds(&bytes, secret) || finds(&bytes, &reversed))
    })
}
