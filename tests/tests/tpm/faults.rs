//! A line to the chip that fails at each command that each operation sends.

use super::keys::{DIGEST, EC, Keys, SHA256, ec, interrupted, pair, status};
use interface::algorithm::{Agreement, Encryption, Hash, Signature};
use interface::attributes::{Attributes, KeyType, Policy, Usage};
use interface::client::{Client, Error};
use interface::operations::{AsymmetricDecrypt, AsymmetricEncrypt, CertifyKey, GenerateRandom, RawKeyAgreement};
use interface::{ProviderId, Status};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tests::{CONFIG, Fault, Proxy, Service, Setup, Swtpm, TPM, eventually, sized};

const PSS: Signature = Signature::RsaPss { hash: SHA256 };
const OAEP: Encryption = Encryption::RsaOaep { hash: Hash::Sha256 };

/// Longer than any request takes.
const LIMIT: Duration = Duration::from_secs(60);

/// Codes (TPM 2.0 Part 2 §6.6) of a chip that tests itself, has yielded, and wants the command again; that has no room for objects,
/// sessions, or either.
const BUSY: &[Fault] =
    &[Fault::Code(0x90a), Fault::Code(0x908), Fault::Code(0x922), Fault::Code(0x902), Fault::Code(0x903), Fault::Code(0x904)];

/// Codes of a chip that does not have the handle or the session, is locked out, has failed, was not started, and refuses the password.
const LOST: &[Fault] =
    &[Fault::Code(0x910), Fault::Code(0x918), Fault::Code(0x921), Fault::Code(0x101), Fault::Code(0x100), Fault::Code(0x9a2)];

/// A service on a chip, and the line between them.
struct Rig {
    line: Proxy,
    tpm: Swtpm,
    service: Service,
    client: Client,
    _dir: TempDir,
}

/// An operation, `Ok` only where what came of it was right, after the key that it uses. One that uses none may make one.
type Trial = (&'static str, fn(&Rig, &str) -> Result<(), Error>);

const TRIALS: [Trial; 9] = [
    ("ec", |rig, key| rig.tpm().ecdsa(key)),
    ("rsa", Rig::pss),
    ("oaep", Rig::decrypt),
    ("ecdh", Rig::agree),
    ("ec", Rig::certify),
    ("", |rig, _| rig.random()),
    ("", |rig, new| rig.tpm().make(new, &ec()).and_then(|()| rig.tpm().ecdsa(new))),
    ("", |rig, new| rig.import("ec", new).and_then(|()| rig.tpm().ecdsa(new))),
    ("doomed", Rig::destroy),
];

/// Where a key may be, and its name then.
const STATES: &[fn(&Rig, &'static str) -> &'static str] = &[
    // in the chip
    |_, key| key,
    // in a saved context
    |rig, key| {
        ["a", "b", "c"].into_iter().for_each(|name| rig.calmly(|| rig.tpm().ecdsa(name)));
        key
    },
    // only in the store
    |rig, key| {
        let copied =
            keys().into_iter().find(|(name, _)| *name == key).map(|(_, attributes)| rig.tpm().copy(key, "copy", &attributes));
        copied.map_or(key, |copied| copied.map(|()| "copy").unwrap())
    },
];

fn ecdh() -> Attributes {
    let policy = Policy { usage: Usage::DERIVE | Usage::EXPORT, algorithm: Agreement::Ecdh.into(), also: Vec::new() };
    Attributes { key_type: EC, bits: 256, policy }
}

fn oaep() -> Attributes {
    let usage = Usage::ENCRYPT | Usage::DECRYPT | Usage::EXPORT;
    Attributes { key_type: KeyType::RsaKeyPair, bits: 2048, policy: Policy { usage, algorithm: OAEP.into(), also: Vec::new() } }
}

/// The keys that are there all the time, in both providers.
fn keys() -> [(&'static str, Attributes); 4] {
    [("ec", ec()), ("rsa", pair(KeyType::RsaKeyPair, 2048, PSS)), ("oaep", oaep()), ("ecdh", ecdh())]
}

impl Rig {
    /// With the keys in the chip, and no request to it longer than `limit`.
    fn start(limit: Duration) -> Self {
        Self::configured(limit, "")
    }

    fn configured(limit: Duration, settings: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let tpm = Swtpm::start(dir.path().join("tpm"));
        let line = Proxy::start(tpm.port());
        let config = format!("{CONFIG}{}timeout = {}\n{settings}", TPM.replace("{tcti}", &line.tcti()), limit.as_millis());
        let service = Setup::default().config(config).start();
        let rig = Self { line, tpm, client: service.client(), service, _dir: dir };
        for (name, attributes) in keys() {
            rig.software().make(name, &attributes).unwrap();
            rig.calmly(|| match rig.import(name, name) {
                // One that was given up may still have been done.
                Err(error) if error.status() == Some(Status::PsaErrorAlreadyExists) => Ok(()),
                result => result,
            });
        }
        ["a", "b", "c"].into_iter().for_each(|name| rig.calmly(|| rig.tpm().make(name, &ec())));
        rig
    }

    fn software(&self) -> Keys<'_> {
        Keys(&self.client, ProviderId::SOFTWARE)
    }

    fn tpm(&self) -> Keys<'_> {
        Keys(&self.client, ProviderId::TPM)
    }

    /// Does it until it succeeds: a loaded machine may be slower than a short limit allows, and what hung may still be ending.
    #[track_caller]
    fn calmly(&self, work: impl Fn() -> Result<(), Error>) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while let Err(error) = work() {
            assert!(Instant::now() < deadline, "{error}");
        }
    }

    fn import(&self, from: &str, name: &str) -> Result<(), Error> {
        let (_, attributes) = keys().into_iter().find(|(name, _)| *name == from).unwrap();
        self.tpm().import(name, &attributes, &self.software().export(from).unwrap())
    }

    fn random(&self) -> Result<(), Error> {
        let random = self.tpm().call(&GenerateRandom { size: 40 })?;
        assert_eq!(random.random_bytes.len(), 40);
        Ok(())
    }

    fn destroy(&self, key: &str) -> Result<(), Error> {
        self.tpm().destroy(key)?;
        assert_eq!(status(self.tpm().ecdsa(key)), Status::PsaErrorDoesNotExist);
        Ok(())
    }

    fn pss(&self, key: &str) -> Result<(), Error> {
        let signature = self.tpm().sign(key, PSS)?;
        assert!(self.software().verifies("rsa", PSS, &signature));
        Ok(())
    }

    fn decrypt(&self, key: &str) -> Result<(), Error> {
        let (key_name, alg, plaintext) = ("oaep".to_owned(), Some(OAEP.into()), DIGEST.to_vec());
        let encrypt = AsymmetricEncrypt { key_name, alg, plaintext, salt: Vec::new(), owner: None };
        let ciphertext = self.software().call(&encrypt).unwrap().ciphertext.clone();
        let (key_name, alg) = (key.to_owned(), Some(OAEP.into()));
        let decrypted = self.tpm().call(&AsymmetricDecrypt { key_name, alg, ciphertext, salt: Vec::new(), owner: None })?;
        assert_eq!(decrypted.plaintext, DIGEST);
        Ok(())
    }

    fn certify(&self, key: &str) -> Result<(), Error> {
        let certified = self.tpm().call(&CertifyKey { key_name: key.to_owned(), nonce: vec![7; 32], owner: None })?;
        let statement = certified.statement.unwrap().attest;
        assert!(statement.windows(32).any(|part| part == [7; 32]), "the nonce is in the statement");
        Ok(())
    }

    fn agree(&self, key: &str) -> Result<(), Error> {
        let (alg, peer_key) = (Agreement::Ecdh.into(), self.software().public("ec"));
        let agreement = |key: &str| RawKeyAgreement { alg, key_name: key.to_owned(), peer_key: peer_key.clone(), owner: None };
        let ours = self.tpm().call(&agreement(key))?.shared_secret.clone();
        assert_eq!(ours, self.software().call(&agreement("ecdh")).unwrap().shared_secret);
        Ok(())
    }

    /// Whether the service has the chip.
    fn here(&self) -> bool {
        let providers = self.client.providers().unwrap();
        providers.iter().any(|(id, info)| *id == ProviderId::TPM && info.away.is_empty())
    }

    /// No operation has left a key that is there and does not work; the next one finds none of theirs.
    fn settle(&self, new: &str) {
        self.calmly(|| self.tpm().ecdsa("ec"));
        for name in [new, "copy", "doomed"] {
            let usable = self.client.lookup(ProviderId::TPM, None, name).is_ok();
            if usable && name != "copy" {
                self.calmly(|| self.tpm().ecdsa(name));
            }
            if usable {
                // one that was given up may have been done
                self.calmly(|| match self.tpm().destroy(name) {
                    Err(error) if error.status() == Some(Status::PsaErrorDoesNotExist) => Ok(()),
                    destroyed => destroyed,
                });
            }
        }
    }

    /// Runs each operation, with its key in each state, once for each command that it sends, with a fault at that command.
    #[track_caller]
    fn try_all(&self, trials: &[Trial], fault: Fault, check: impl Fn(&str, Result<(), Error>)) {
        for ((trial, (key, run)), (state, prepare)) in cross(trials, STATES) {
            for pass in 0.. {
                self.calmly(|| if *key == "doomed" { self.tpm().make(key, &ec()) } else { Ok(()) });
                let key = prepare(self, key);
                // Of its own, since what was given up may be done later.
                let new = format!("trial {trial}, state {state}, {fault:?} at command {pass}");
                self.line.fail(pass, 1, fault);
                let result = run(self, if key.is_empty() { &new } else { key });
                let met = self.line.mend();
                let context = format!("{new}: {met:x?}");
                if met.is_empty() {
                    result.unwrap_or_else(|error| panic!("{context}: {error}"));
                    self.settle(&new);
                    break;
                }
                check(&context, result);
                self.settle(&new);
            }
        }
    }
}

/// Each with each, numbered.
fn cross<'a, A, B>(all: &'a [A], each: &'a [B]) -> impl Iterator<Item = ((usize, &'a A), (usize, &'a B))> {
    all.iter().enumerate().flat_map(|one| each.iter().enumerate().map(move |other| (one, other)))
}

fn single(faults: &[Fault]) {
    let rig = Rig::start(LIMIT);
    for &fault in faults {
        rig.try_all(&TRIALS, fault, |context, result| result.unwrap_or_else(|error| panic!("{context}: {error}")));
    }
}

#[test]
fn a_line_that_breaks_once_costs_no_operation() {
    single(&[Fault::Unheard, Fault::Unanswered, Fault::Cut(4), Fault::Cut(12)]);
}

#[test]
fn a_busy_chip_is_asked_again() {
    single(BUSY);
}

#[test]
fn a_chip_that_has_lost_something_gets_it_again() {
    single(LOST);
}

#[test]
fn an_answer_that_is_none_is_no_success() {
    single(&[Fault::Size(3), Fault::Size(-3), Fault::Noise, Fault::WildNoise]);
}

#[test]
fn a_wrong_bit_gives_no_rsa_key_away() {
    let rig = Rig::start(LIMIT);
    let [_, rsa, decrypt, ..] = TRIALS;
    rig.try_all(&[rsa, decrypt], Fault::Flip, |context, result| result.unwrap_or_else(|error| panic!("{context}: {error}")));
    rig.line.fail(0, usize::MAX, Fault::Flip);
    let error = rig.pss("rsa").unwrap_err();
    rig.line.mend();
    assert!(error.to_string().contains("TPM"), "{error}");
    rig.settle("new");
}

#[test]
fn a_wrong_bit_is_noticed_where_parameters_are_encrypted() {
    let rig = Rig::configured(LIMIT, "parameter_encryption = true\n");
    for fault in [Fault::Flip, Fault::Noise] {
        // That what came of it is right is what each trial asserts.
        rig.try_all(&TRIALS, fault, |context, result| result.unwrap_or_else(|error| panic!("{context}: {error}")));
    }
}

#[test]
fn a_line_that_stays_broken_ends_in_a_clear_error_and_costs_no_key() {
    let rig = Rig::start(LIMIT);
    let [ecdsa, .., random, generate, import, _] = TRIALS;
    let faults = [Fault::Unheard, Fault::Unanswered, Fault::Cut(12), Fault::Noise, Fault::WildNoise];
    for fault in faults.iter().chain(&BUSY[2..4]).chain(LOST) {
        for (key, run) in [ecdsa, random, generate, import] {
            rig.line.fail(0, usize::MAX, *fault);
            let result = run(&rig, if key.is_empty() { "new" } else { key });
            let met = rig.line.mend();
            let error = result.expect_err("nothing works on such a line");
            assert!(error.to_string().contains("TPM"), "{fault:?} at {met:x?}: {error}");
            rig.settle("new");
        }
    }
}

#[test]
fn destroying_a_key_needs_no_chip() {
    let rig = Rig::start(LIMIT);
    rig.line.fail(0, usize::MAX, Fault::Unheard);
    rig.destroy("a").unwrap();
    rig.line.mend();
    rig.settle("new");
}

#[test]
fn a_chip_that_hangs_is_given_up_and_its_late_answer_does_no_harm() {
    let rig = Rig::start(Duration::from_secs(1));
    let [ecdsa, .., generate, import, _] = TRIALS;
    let given_up = |context: &str, result: Result<(), Error>| {
        let error = result.expect_err(context);
        assert_eq!(error.status(), Some(Status::PsaErrorCommunicationFailure), "{context}: {error}");
    };
    rig.try_all(&[ecdsa, import], Fault::Hang, given_up);
    rig.line.fail(1, 1, Fault::Hang);
    given_up("generate", generate.1(&rig, "new"));
    rig.line.mend();
    rig.settle("new");
}

#[test]
fn a_chip_that_goes_on_hanging_is_left_alone_until_it_answers() {
    let rig = Rig::start(Duration::from_secs(1));
    rig.line.fail(0, usize::MAX, Fault::Hang);
    let errors: Vec<_> = (0..8).map(|_| rig.tpm().ecdsa("ec").unwrap_err().to_string()).collect();
    assert!(errors.first().is_some_and(|error| error.contains("given up")), "{errors:?}");
    assert!(errors.last().is_some_and(|error| error.contains("no further one is tried")), "{errors:?}");
    assert_eq!(rig.line.mend().len(), 4, "commands that hung");
    rig.settle("new");
}

#[test]
fn a_line_that_fails_at_start_is_told_and_costs_nothing() {
    let mut rig = Rig::start(LIMIT);
    for (pass, fault) in [Fault::Unheard, Fault::Code(0x922), Fault::Noise, Fault::Code(0x101)].into_iter().cycle().enumerate() {
        let before = rig.service.log().len();
        rig.line.fail(pass, 1, fault);
        let started = rig.service.try_restart().is_ok();
        let met = rig.line.mend();
        let told = rig.service.log()[before..].to_owned();
        if !started {
            assert!(told.contains("the TPM at"), "{fault:?} at {pass}: {told}");
            rig.service.restart();
        } else if !rig.here() {
            assert!(told.contains("the TPM at"), "{fault:?} at {pass}: {told}");
            eventually("the chip", || rig.here().then_some(()));
        }
        rig.settle("new");
        if met.is_empty() {
            break;
        }
    }
}

#[test]
fn a_chip_that_hangs_at_start_is_told() {
    let mut rig = Rig::start(Duration::from_secs(1));
    rig.service.stop();
    rig.line.fail(0, usize::MAX, Fault::Hang);
    rig.service.restart();
    rig.service.logs(&["tpm provider is away", "does not answer"]);
    rig.line.mend();
    rig.service.logs(&["tpm provider is back"]);
    rig.settle("new");
}

#[test]
fn a_chip_that_dies_under_load_costs_errors_but_no_key() {
    let mut service = super::service();
    interrupted(&service.endpoint(), || service.tpm().restart());
}

#[test]
fn what_another_program_has_loaded_into_the_chip_makes_room() {
    let mut rig = Rig::start(LIMIT);
    // TPM2_LoadExternal of the public part of some data, in no hierarchy
    let public = [&[0, 8, 0, 0x0b, 0, 0, 0, 0x40, 0, 0, 0, 0x10, 0, 32][..], &[7; 32]].concat();
    let load = [&[0, 0], &sized(&public)[..], &[0x40, 0, 0, 7]].concat();
    rig.tpm.restart();
    let answers = [(); 4].map(|()| rig.tpm.command(0x167, &load).0);
    assert_eq!(answers, [0, 0, 0, 0x902], "the chip is full");
    ["ec", "a", "b"].into_iter().for_each(|name| rig.tpm().ecdsa(name).unwrap());
    rig.tpm().make("new", &ec()).unwrap();
    rig.settle("new");
}

#[test]
fn what_another_program_does_not_give_back_is_told_and_costs_no_key() {
    let mut rig = Rig::start(LIMIT);
    // TPM2_HashSequenceStart; its object cannot be unloaded by others
    rig.tpm.restart();
    let answers = [(); 4].map(|()| rig.tpm.command(0x186, &[0, 0, 0, 0x0b]).0);
    assert_eq!(answers, [0, 0, 0, 0x902], "the chip is full");
    let error = rig.tpm().make("new", &ec()).unwrap_err();
    assert!(error.to_string().contains("other programs fill the TPM"), "{error}");
    rig.tpm.restart();
    rig.settle("new");
}

#[test]
fn a_password_that_is_no_longer_right_is_told_and_costs_no_key() {
    let rig = Rig::start(LIMIT);
    rig.tpm.own(b"", b"secret");
    rig.tpm().ecdsa("ec").unwrap();
    rig.line.fail(0, 1, Fault::Unheard);
    let error = rig.tpm().ecdsa("ec").unwrap_err();
    assert!(error.to_string().contains("owner_hierarchy_auth"), "{error}");
    assert!(!rig.tpm().record("ec").missing);
    rig.tpm.own(b"secret", b"");
    rig.tpm().ecdsa("ec").unwrap();
}

#[test]
fn nobody_can_lock_the_chip_with_wrong_passwords_of_our_keys() {
    let rig = Rig::start(LIMIT);
    rig.tpm().ecdsa("ec").unwrap();
    let refused = (0x8000_0000..0x8000_0003).map(|handle| rig.tpm.authorised(0x154, handle, &[7; 32], &[0, 0]).0);
    let refused: Vec<_> = refused.collect();
    assert!(refused.contains(&0x9a2) && !refused.contains(&0x98e), "a wrong password that is not counted: {refused:x?}");
    // TPM_PT_LOCKOUT_COUNTER
    let (_, answer) = rig.tpm.command(0x17a, &[0, 0, 0, 6, 0, 0, 0x02, 0x0e, 0, 0, 0, 1]);
    assert_eq!(answer[answer.len() - 8..], [0, 0, 0x02, 0x0e, 0, 0, 0, 0]);
}
