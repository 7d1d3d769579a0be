//! Runs the attacks of the search against a real service: the software provider behind dispatch, with a store on disk.

use super::kinds::{Family, WAYS, trusted};
use super::knowledge::{Act, mode};
use super::rules::Rules;
use super::state::{KEYS, Slot, State};
use super::steps::{Step, Steps};
use super::{Rule, Setting};
use crate::client_process::ClientProcess;
use crate::dispatch::Dispatcher;
use crate::dispatch::local::{Caller, service};
use crate::error::Result;
use crate::store::{Material, Reservation};
use crate::wrapping::model::Caller as Side;
use interface::algorithm::Algorithm;
use interface::attributes::{Attributes, Usage};
use interface::operations::*;
use interface::{Filing, Operation, ProviderId, Status};
use std::sync::Arc;

/// Does what the model does where a rule is left out, and tells what the service refuses first.
pub(super) fn replay(setting: Setting, without: Rule, attack: &[Step]) -> Option<String> {
    let directory = tempfile::tempdir().unwrap();
    let service = service(directory.path());
    let mut run = Run {
        service: &service,
        rules: Rules::new(Some(without)),
        names: Default::default(),
        blobs: Vec::new(),
        made: 0,
        pending: None,
    };
    let steps = Steps::new(setting);
    let mut state = State::START;
    for step in attack {
        if let Err(error) = run.step(*step) {
            return Some(run.refusal(&format!("{step:?}"), &error).unwrap());
        }
        let mut new = steps.apply(&state, *step, &mut run.rules).unwrap();
        let mut acts = Vec::new();
        new.learn(&mut run.rules, setting, |act| acts.push(act));
        for act in acts {
            if let Err(error) = run.act(act, &new)
                && let Some(refusal) = run.refusal(&format!("{act:?}"), &error)
            {
                return Some(refusal);
            }
        }
        let (canonical, places, values) = new.canonical();
        let names = std::mem::take(&mut run.names);
        names.into_iter().enumerate().for_each(|(place, name)| run.names[places[place]] = name);
        run.blobs
            .iter_mut()
            .for_each(|blob| [blob.value, blob.with] = [blob.value, blob.with].map(|value| values[usize::from(value)]));
        state = canonical;
    }
    assert!(state.broken(&run.rules, setting));
    None
}

struct Run<'a> {
    service: &'a Arc<Dispatcher>,
    rules: Rules,
    /// The keys by their places.
    names: [Option<(Side, String)>; KEYS],
    blobs: Vec<Blob>,
    made: usize,
    pending: Option<(Reservation<'a>, Material, (Side, String))>,
}

struct Blob {
    value: u8,
    with: u8,
    mode: u8,
    data: Vec<u8>,
}

impl Run<'_> {
    fn call<O: Operation>(&self, by: Side, op: &O) -> Result<O::Output> {
        let process = ClientProcess::named(&Hello { application: vec![1; 16], ..Hello::default() });
        Caller { caller: by.principal(), extended: true, process }.call(self.service, op)
    }

    /// What was refused, if it was for a rule; data that holds no key is none.
    fn refusal(&self, what: &str, error: &crate::error::Error) -> Option<String> {
        let rules = [Status::PsaErrorNotPermitted, Status::PsaErrorDoesNotExist, Status::AdminOperation];
        rules.contains(&error.status()).then(|| format!("{what}: {error}"))
    }
}

impl<'a> Run<'a> {
    fn name(&self, place: usize) -> (Side, String) {
        self.names[place].clone().unwrap()
    }

    /// Makes a key, in the first place that is free.
    fn make<O: Operation>(&mut self, by: Side, op: impl FnOnce(String) -> O) -> Result<()> {
        self.made += 1;
        let name = format!("key {}", self.made);
        self.call(by, &op(name.clone()))?;
        self.file((by, name));
        Ok(())
    }

    fn file(&mut self, name: (Side, String)) {
        let free = self.names.iter().position(Option::is_none).unwrap();
        self.names[free] = Some(name);
    }

    fn attributes(&self, place: usize) -> Attributes {
        let (owner, name) = self.name(place);
        self.service.admission.store.key(ProviderId::SOFTWARE, &owner.principal(), &name).unwrap().attributes.clone()
    }

    fn step(&mut self, step: Step) -> Result<()> {
        match step {
            Step::Generate { by, family, usage, granted } => {
                let attributes = Some((&family.attributes(usage)).into());
                self.make(by, |key_name| GenerateKey { key_name, attributes, ..GenerateKey::default() })?;
                if granted.is_empty() { Ok(()) } else { self.grant(self.names.iter().flatten().count() - 1, granted) }
            }
            Step::Import { by, usage, trusted: mark } => {
                let attributes = Some((&Family::Aes.attributes(usage)).into());
                let pkcs11 = if mark { vec![trusted()] } else { Vec::new() };
                let (data, volatile) = (vec![0x42; 32], false);
                self.make(by, |key_name| ImportKey { key_name, attributes, data, pkcs11, volatile, label: None, id: None })
            }
            Step::Copy { by, of, usage } => {
                let (have, (_, of)) = (self.attributes(of), self.name(of));
                let usage =
                    if self.rules.keep(Rule::Copied) { usage.and(have.policy.usage) } else { have.policy.usage | Usage::EXPORT };
                let attributes = Some((&with_usage(have, usage)).into());
                self.make(by, |key_name| CopyKey { key_name, attributes, of, ..CopyKey::default() })
            }
            Step::Unwrap { by, with, way, value, family, usage } => {
                let (algorithm, (owner, with_name)) = (WAYS[way].algorithm.unwrap(), self.name(with));
                let attributes = Some((&family.attributes(usage)).into());
                let data = self
                    .blobs
                    .iter()
                    .rev()
                    .find(|blob| blob.value == value && blob.mode == mode(algorithm))
                    .unwrap()
                    .data
                    .clone();
                let (alg, with_owner) = (Some(algorithm.into()), Some(owner.principal().to_string()));
                self.make(by, |key_name| UnwrapKey {
                    key_name,
                    attributes,
                    data,
                    with_name,
                    alg,
                    with_owner,
                    ..UnwrapKey::default()
                })
            }
            Step::Derive { by, from, way, usage } => {
                let (algorithm, (owner, with_name)) = (WAYS[way].algorithm.unwrap(), self.name(from));
                let attributes = Some((&with_usage(self.attributes(from), usage)).into());
                let (alg, with_owner) = (Some(algorithm.into()), Some(owner.principal().to_string()));
                self.make(by, |key_name| DeriveKey { key_name, attributes, with_name, alg, with_owner, ..DeriveKey::default() })
            }
            Step::Set { place, usage } => {
                let (owner, name) = self.name(place);
                let op = SetMetadata { kind: RecordKind::Key.into(), name, usage: Some(usage.into()), ..SetMetadata::default() };
                self.call(owner, &op).map(drop)
            }
            Step::Grant { place } => self.grant(place, Usage::ALL),
            Step::Reveal { by, place, way } => match self.use_key(by, place, way) {
                Err(error) if self.refusal("", &error).is_some() => Err(error),
                _ => Ok(()),
            },
            Step::Protect { by, with, way, leaving } => self.wrap(by, with, way, leaving).map(drop),
            Step::Begin { of } => {
                self.begin(of);
                Ok(())
            }
            Step::Finish => {
                let (reservation, material, name) = self.pending.take().unwrap();
                reservation.commit(material)?;
                self.file(name);
                Ok(())
            }
            Step::Reset => self.reset(),
        }
    }

    fn grant(&self, place: usize, usage: Usage) -> Result<()> {
        let (owner, key_name) = self.name(place);
        let other = Side::BOTH.into_iter().find(|side| *side != owner).unwrap();
        let op = Grant { key_name, principal: other.principal().to_string(), usage: Some(usage.into()), owner: None };
        self.call(owner, &op).map(drop)
    }

    /// As the handler of `CopyKey` does until the key is filed.
    fn begin(&mut self, of: usize) {
        let (owner, name) = self.name(of);
        let store = &self.service.admission.store;
        let original = store.key(ProviderId::SOFTWARE, &owner.principal(), &name).unwrap();
        let filing = Filing { name: "the copy".to_owned(), ..Filing::default() };
        let (filing, attributes) = crate::wrapping::copied(&original, filing, original.attributes.clone()).unwrap();
        let reservation = store.reserve(ProviderId::SOFTWARE, &owner.principal(), &filing, &attributes, None).unwrap();
        let (private, public_key, tier) = (store.material(&original).unwrap(), original.public_key.clone(), original.tier);
        let material = Material { attributes, private, public_key, tier, local: original.local, past: original.past };
        self.pending = Some((reservation, material, (owner, filing.name)));
    }

    fn reset(&mut self) -> Result<()> {
        let pin = || Some(Pin { value: b"officer".to_vec() });
        self.call(Side::Owner, &InitToken { pin: pin(), label: "new".to_owned() })?;
        self.call(Side::Owner, &Login { role: Role::Officer.into(), pin: pin() })?;
        for name in &mut self.names {
            name.take_if(|(owner, _)| *owner == Side::Owner);
        }
        Ok(())
    }

    fn wrap(&self, by: Side, with: usize, way: usize, leaving: usize) -> Result<Vec<u8>> {
        let ((owner, key_name), (with_owner, with_name)) = (self.name(leaving), self.name(with));
        let [owner, with_owner] = [owner, with_owner].map(|owner| Some(owner.principal().to_string()));
        let alg = WAYS[way].algorithm.map(Into::into);
        self.call(by, &WrapKey { key_name, with_name, alg, owner, with_owner, ..WrapKey::default() }).map(|wrapped| wrapped.data)
    }

    fn act(&mut self, act: Act, state: &State) -> Result<()> {
        match act {
            Act::Use { by, place, way } => self.use_key(by, place, way),
            Act::Wrap { by, with, way, leaving } => {
                let data = self.wrap(by, with, way, leaving)?;
                let value = |place| state.key(place).map(|Slot { value, .. }| value).unwrap();
                let mode = mode(WAYS[way].algorithm.unwrap());
                self.blobs.push(Blob { value: value(leaving), with: value(with), mode, data });
                Ok(())
            }
        }
    }

    /// Uses a key for what is no right data for it, which its rules do not look at.
    fn use_key(&self, by: Side, place: usize, way: usize) -> Result<()> {
        let ((owner, key_name), way) = (self.name(place), WAYS[way]);
        let owner = Some(owner.principal().to_string());
        let Some(algorithm) = way.algorithm else {
            return self.call(by, &ExportKey { key_name, owner }).map(drop);
        };
        let data = vec![1; if matches!(algorithm, Algorithm::Encryption(_) | Algorithm::Signature(_)) { 256 } else { 32 }];
        match (way.usage, algorithm) {
            (Usage::UNWRAP, _) => {
                let attributes = Some((&Family::Aes.attributes(Usage::ENCRYPT)).into());
                let (name, alg) = ("forged".to_owned(), Some(algorithm.into()));
                let op = UnwrapKey {
                    key_name: name,
                    attributes,
                    data,
                    with_name: key_name,
                    alg,
                    with_owner: owner,
                    ..UnwrapKey::default()
                };
                self.call(by, &op).map(drop)
            }
            (Usage::DECRYPT, Algorithm::Cipher(cipher)) => {
                self.call(by, &CipherDecrypt { key_name, alg: cipher.into(), ciphertext: data, owner }).map(drop)
            }
            (Usage::DECRYPT, Algorithm::Aead(aead)) => {
                let (nonce, ciphertext) = (vec![1; 12], data);
                self.call(
                    by,
                    &AeadDecrypt { key_name, alg: Some(aead.into()), nonce, ciphertext, owner, ..AeadDecrypt::default() },
                )
                .map(drop)
            }
            (Usage::DECRYPT, Algorithm::Encryption(encryption)) => {
                let alg = Some(encryption.into());
                self.call(by, &AsymmetricDecrypt { key_name, alg, ciphertext: data, owner, ..AsymmetricDecrypt::default() })
                    .map(drop)
            }
            (Usage::ENCRYPT, Algorithm::Cipher(cipher)) => {
                let iv = way.nonce.then(|| vec![1; 16]);
                self.call(by, &CipherEncrypt { key_name, alg: cipher.into(), plaintext: data, owner, iv }).map(drop)
            }
            (Usage::ENCRYPT, Algorithm::Aead(aead)) => {
                let (nonce, plaintext) = (vec![1; 12], data);
                let alg = Some(aead.into());
                self.call(by, &AeadEncrypt { key_name, alg, nonce, plaintext, owner, additional_data: Vec::new() }).map(drop)
            }
            (Usage::DERIVE, _) => {
                let attributes = Some((&Family::Aes.attributes(Usage::EXPORT)).into());
                let (name, alg) = (format!("block of {key_name}"), Some(algorithm.into()));
                let op = DeriveKey {
                    key_name: name,
                    attributes,
                    data,
                    with_name: key_name,
                    alg,
                    with_owner: owner,
                    ..DeriveKey::default()
                };
                self.call(by, &op).map(drop)
            }
            (Usage::SIGN_HASH, Algorithm::Signature(signature)) => self
                .call(by, &SignHash { key_name, alg: Some(signature.into()), hash: data, owner, ..SignHash::default() })
                .map(drop),
            other => panic!("{other:?} is no use by itself"),
        }
    }
}

fn with_usage(attributes: Attributes, usage: Usage) -> Attributes {
    let policy = interface::attributes::Policy { usage, ..attributes.policy };
    Attributes { policy, ..attributes }
}
