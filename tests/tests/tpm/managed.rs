//! A chip behind tpm2-abrmd, which swaps what its clients load, and may end at any time.

use super::keys::{EC, Keys, SHA256, ec, interrupted, pair, status};
use interface::algorithm::Signature;
use interface::attributes::KeyType;
use interface::client::Error;
use interface::operations::GenerateRandom;
use interface::{ProviderId, Status};
use tempfile::TempDir;
use tests::{Abrmd, CONFIG, Fault, Proxy, Service, Setup, Swtpm, TPM, run};

/// More than the chip has room for, and more than the resource manager keeps for one client.
const MANY: usize = 30;

/// TPM2_Sign (TPM 2.0 Part 2 §6.5.2).
const SIGN: u32 = 0x15d;

/// A service, the resource manager of its chip, and the chip.
struct Rig {
    service: Service,
    abrmd: Abrmd,
    line: Proxy,
    tpm: Swtpm,
    _dir: TempDir,
}

impl Rig {
    fn prepare(settings: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let tpm = Swtpm::start(dir.path().join("tpm"));
        let line = Proxy::start(tpm.port());
        let abrmd = Abrmd::start(dir.path(), line.tcti());
        let config = format!("{CONFIG}{}{settings}", TPM.replace("{tcti}", Abrmd::TCTI));
        let service = Setup::default().config(config).env(Abrmd::VARIABLE, abrmd.bus()).prepare();
        Self { service, abrmd, line, tpm, _dir: dir }
    }

    fn start(settings: &str) -> Self {
        let mut rig = Self::prepare(settings);
        rig.service.restart();
        rig
    }

    /// Another program that has an object in the chip.
    fn other(&self) {
        run(&mut self.abrmd.tool("tpm2_createprimary --hierarchy n")).ok();
    }
}

#[test]
fn a_resource_manager_has_room_for_all_keys_and_other_programs() {
    for settings in ["", "parameter_encryption = true\n"] {
        let mut rig = Rig::start(settings);
        let client = rig.service.client();
        let keys = Keys(&client, ProviderId::TPM);
        let names: Vec<_> = (0..MANY).map(|number| format!("key {number}")).collect();
        names.iter().for_each(|name| keys.make(name, &ec()).unwrap());
        let pss = Signature::RsaPss { hash: SHA256 };
        keys.make("rsa", &pair(KeyType::RsaKeyPair, 2048, pss)).unwrap();
        std::thread::scope(|scope| {
            let users: Vec<_> = (0..4)
                .map(|first| {
                    let (names, client) = (&names, rig.service.client());
                    scope.spawn(move || {
                        let keys = Keys(&client, ProviderId::TPM);
                        names.iter().skip(first).step_by(2).for_each(|name| keys.ecdsa(name).unwrap());
                    })
                })
                .collect();
            while users.iter().any(|user| !user.is_finished()) {
                rig.other();
            }
        });
        assert!(keys.verifies("rsa", pss, &keys.sign("rsa", pss).unwrap()));
        // more often than the chip has room for sessions
        for _ in 0..5 {
            rig.service.kill9();
            rig.service.restart();
            names.iter().take(4).for_each(|name| keys.ecdsa(name).unwrap());
        }
    }
}

#[test]
fn a_resource_manager_that_ends_is_told_and_costs_no_key() {
    for settings in ["", "parameter_encryption = true\n"] {
        let mut rig = Rig::start(settings);
        let client = rig.service.client();
        let keys = Keys(&client, ProviderId::TPM);
        let names = ["a", "b", "c", "d", "e"];
        names.iter().for_each(|name| keys.make(name, &ec()).unwrap());
        let ended = |result: Result<(), Error>| {
            let error = result.unwrap_err();
            assert_eq!(error.status(), Some(Status::PsaErrorCommunicationFailure), "{error}");
            assert!(error.to_string().contains(Abrmd::TCTI), "{error}");
        };
        let restarts: [fn(&mut Rig); 2] = [
            |rig| rig.abrmd.restart(),
            |rig| {
                rig.tpm.restart();
                rig.abrmd.restart();
            },
        ];
        for restart in restarts {
            restart(&mut rig);
            names.iter().for_each(|name| keys.ecdsa(name).unwrap());
            rig.abrmd.kill9();
            ended(keys.ecdsa("a"));
            ended(keys.make("new", &ec()));
            ended(keys.call(&GenerateRandom { size: 1 }).map(drop));
            keys.public("a");
            rig.abrmd.restart();
            names.iter().rev().for_each(|name| keys.ecdsa(name).unwrap());
            assert!(names.iter().all(|name| !keys.record(name).missing));
            assert_eq!(status(keys.ecdsa("new")), Status::PsaErrorDoesNotExist);
        }
    }
}

#[test]
fn a_resource_manager_that_dies_under_load_costs_errors_but_no_key() {
    let mut rig = Rig::start("");
    interrupted(&rig.service.endpoint(), || rig.abrmd.restart());
}

#[test]
fn a_resource_manager_that_is_not_there_at_start_may_come_later() {
    let mut rig = Rig::prepare("");
    rig.abrmd.kill9();
    rig.service.restart();
    rig.service.logs(&["tpm provider is away", "tabrmd:bus_type=system does not answer"]);
    rig.abrmd.restart();
    rig.service.logs(&["tpm provider is back"]);
    let client = rig.service.client();
    Keys(&client, ProviderId::TPM).make("k", &pair(EC, 256, Signature::EcdsaAny)).unwrap();
}

#[test]
fn a_wrong_bit_on_the_bus_makes_no_wrong_signature() {
    let mut rig = Rig::start("");
    let client = rig.service.client();
    let keys = Keys(&client, ProviderId::TPM);
    keys.make("a", &ec()).unwrap();
    let mut spoilt = 0;
    // What the resource manager does after an answer may count for the next one.
    for pass in (0..6).cycle().take(200) {
        keys.ecdsa("a").unwrap();
        rig.line.fail(pass, 1, Fault::Flip);
        let result = keys.ecdsa("a");
        match rig.line.mend().as_slice() {
            [SIGN] => {
                result.unwrap();
                spoilt += 1;
            }
            // Its own business is not ours to mend.
            _ => rig.abrmd.restart(),
        }
        if spoilt == 3 {
            return;
        }
    }
    panic!("the key signs in the chip");
}
