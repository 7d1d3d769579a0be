//! Restarts and reloads beside others who want a lot, and not one failure.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;
use std::thread::scope;

use interface::ProviderId;
use interface::operations::ServiceStatus;
use interop::setup;
use tests::{Flood, STRANGER, as_uid, run};

use crate::site::{BOTH, Site, Way};
use crate::{Load, under_load};

/// With `full` in it, the crowd is as large as any; else it is one for every run of the tests.
const SIZE: &str = "PARSEC_TEST_CROWD";

#[test]
fn a_restart_under_a_flood_fails_no_handshake() {
    for activated in [false, true] {
        let mut service = setup().prepare();
        if activated {
            service.activate();
        }
        let Some(mut site) = Site::on(service, Way::References, &BOTH).and_then(Site::with_software) else { return };
        // Longer than a restart takes on any machine.
        let _nginx = site.start_with(site.nginx(&[]).env("PARSEC_WAIT_SECONDS", "60"));
        let flood = Flood::start(&site.service);
        for _ in 0..2 {
            flood.fill();
            let load = under_load(&mut site, |site| site.service.restart());
            none_failed(&load, &format!("a restart under a flood, the socket passed: {activated}"));
        }
    }
}

/// How large a crowd is.
struct Crowd {
    processes: usize,
    threads: usize,
    workers: usize,
    /// Clients of nginx of each kind.
    clients: usize,
    reloads: usize,
    /// Of each run of the processes.
    seconds: usize,
    /// Seconds that a thread rests after each signature.
    pause: &'static str,
    max_connections: usize,
}

const SMALL: Crowd =
    Crowd { processes: 2, threads: 16, workers: 8, clients: 1, reloads: 2, seconds: 1, pause: "0", max_connections: 1024 };
/// All of it at work.
const FULL: Crowd = Crowd { processes: 4, threads: 64, workers: 128, clients: 8, reloads: 3, seconds: 10, ..SMALL };
/// Larger than what there are places for, so that those at rest make room for others all the time.
const RESTING: Crowd = Crowd { pause: "0.5", max_connections: 320, ..FULL };

#[test]
fn reloads_beside_a_crowd_fail_neither_handshakes_nor_signatures() {
    let full = std::env::var_os(SIZE).is_some_and(|size| size == "full");
    let crowds = if full { vec![FULL, RESTING] } else { vec![SMALL] };
    for crowd in crowds {
        let Some(mut site) = crowd.site() else { return };
        let nginx = site.start();
        let mut bench = crowd.signing(&site);
        let over = AtomicBool::new(false);
        let (load, signatures) = scope(|scope| {
            let signing = scope.spawn(|| {
                let runs = std::iter::from_fn(|| (!over.load(SeqCst)).then(|| run(&mut bench).ok()));
                runs.map(|said| number(&said, "ops_per_s")).sum::<f64>() * crowd.seconds as f64
            });
            let load = under_load(&mut site, |site| (0..crowd.reloads).for_each(|_| site.reload(&nginx)));
            over.store(true, SeqCst);
            (load, signing.join().unwrap())
        });
        none_failed(&load, &format!("{} reloads of {} workers", crowd.reloads, crowd.workers));
        let status = site.service.client().call(ProviderId::CORE, &ServiceStatus {}).unwrap();
        eprintln!("beside {signatures} signatures; {} connections, {} made room", status.connections, status.made_room);
        assert!(signatures > 0.0);
    }
}

impl Crowd {
    fn site(&self) -> Option<Site> {
        let room = format!("[core_settings]\nmax_connections = {}", self.max_connections);
        let service = setup().map_config(|config| config.replace("[core_settings]", &room)).prepare();
        let mut site = Site::on(service, Way::References, &BOTH)?;
        (site.workers, site.clients) = (self.workers, self.clients);
        site.configure("");
        Some(site)
    }

    /// Processes of another user that sign in many threads each. They fail where one signature does.
    fn signing(&self, site: &Site) -> Command {
        site.parsec(&format!("key new crowd --for tls-server --algorithm p256 --grant uid:{STRANGER}=sign"));
        let program = site.path("p11bench");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/benches/p11bench.c");
        let mut cc = Command::new("cc");
        cc.args(["-O2", "-pthread", "-I/usr/include/p11-kit-1", "-o"]).arg(&program);
        run(cc.arg(source).arg("-ldl")).ok();
        let mut bench = site.service.command(program);
        bench.arg(site.service.staged("libparsec_pkcs11.so")).args(["", "", "crowd", "ecdsa"]);
        bench.args([self.seconds, self.processes, self.threads].map(|number| number.to_string())).arg(self.pause);
        as_uid(&mut bench, STRANGER);
        bench
    }
}

#[track_caller]
fn none_failed(load: &Load, what: &str) {
    let failed: Vec<_> = load.failed().map(|handshake| &handshake.failure).collect();
    let longest = load.handshakes.iter().map(|handshake| handshake.end - handshake.start).max();
    eprintln!("{what}: {:?}; {} handshakes, {longest:?} at most", load.back - load.stopped, load.handshakes.len());
    assert!(failed.is_empty(), "{failed:?}");
}

/// One of the numbers that p11bench prints.
fn number(said: &str, name: &str) -> f64 {
    let words = said.split_whitespace().filter_map(|word| word.split_once('='));
    words.into_iter().find(|(word, _)| *word == name).unwrap().1.parse().unwrap()
}
