//! Keys that nobody uses: the memory of the service holds none of them in clear.

use super::{TYPES, Under, algorithms, attributes, exercise};
use interface::algorithm::{Algorithm, KeyAgreement};
use interface::attributes::Attributes;
use interface::operations::{CheckType, ExportKey, GenerateKey, ImportKey};
use interface::{ProviderId, Status};
use tests::{CONFIG, Secrets, Service, TPM_SEALED, may_change_user, may_lock_memory};

/// Algorithms of each type and size of keys that are tried.
const TRIED: usize = 4;

/// Keys of every kind that a provider makes and gives out, half of them made and half of them imported, a third of both volatile.
fn keys(under: &Under<'_>, secrets: &mut Secrets) -> Vec<(String, Attributes)> {
    let mut keys = Vec::new();
    for (key_type, bits) in TYPES.iter().flat_map(|&(key_type, sizes)| sizes.iter().map(move |&bits| (key_type, bits))) {
        let usable = algorithms().into_iter().map(|algorithm| attributes(key_type, bits, algorithm));
        for attributes in usable.filter(|attributes| under.can(CheckType::Use, attributes)).take(TRIED) {
            if !under.can(CheckType::Generate, &attributes) {
                break;
            }
            let name = |kind: &str| format!("{kind}-{}", keys.len());
            let (made, imported, volatile) = (name("made"), name("imported"), keys.len() % 3 == 0);
            let of = Some((&attributes).into());
            let generate = GenerateKey { key_name: made.clone(), attributes: of.clone(), volatile, ..GenerateKey::default() };
            assert_eq!(under.status(&generate), Status::Success, "{attributes:?}");
            let data = under.call(&ExportKey { key_name: made.clone(), owner: None }).unwrap().data.clone();
            secrets.add(&data, &under.client.lookup(under.provider, None, &made).unwrap().public_key);
            let (label, id, pkcs11) = (None, None, Vec::new());
            let import = ImportKey { key_name: imported.clone(), attributes: of, data, label, id, volatile, pkcs11 };
            assert_eq!(under.status(&import), Status::Success, "{attributes:?}");
            keys.extend([(made, attributes.clone()), (imported, attributes)]);
        }
    }
    keys
}

/// Uses each key.
fn use_all(under: &Under<'_>, keys: &[(String, Attributes)]) {
    for (name, attributes) in keys {
        exercise(under, name, attributes, name);
    }
}

fn service(config: &str) -> Service {
    Service::with_config(&config.replace("[core_settings]", "[core_settings]\nkey_idle_timeout_s = 1"))
}

#[test]
fn idle_keys_are_nowhere_in_memory_and_work_again() {
    if !may_change_user() {
        return;
    }
    let service = service(CONFIG);
    let (client, mut secrets) = (service.client(), Secrets::default());
    let under = Under { client: &client, provider: ProviderId::SOFTWARE };
    let keys = keys(&under, &mut secrets);
    assert!(keys.len() > 100, "{}", keys.len());
    use_all(&under, &keys);
    assert!(!secrets.found_in(std::process::id()).is_empty(), "what is there is found: the test has them");
    secrets.forgotten_by(service.pid());
    use_all(&under, &keys);
    secrets.forgotten_by(service.pid());
}

#[test]
fn idle_keys_of_the_sealed_tier_need_no_chip_to_work_again() {
    if !may_change_user() || !may_lock_memory() {
        return;
    }
    let mut service = service(&format!("{CONFIG}{TPM_SEALED}"));
    let (client, mut secrets) = (service.client(), Secrets::default());
    let under = Under { client: &client, provider: ProviderId::TPM_SEALED };
    let mut keys = keys(&under, &mut secrets);
    // to agree, a test makes a second key
    keys.retain(|(_, attributes)| !matches!(attributes.policy.algorithm, Algorithm::Agreement(KeyAgreement::Raw(_))));
    secrets.forgotten_by(service.pid());
    service.tpm().kill9();
    use_all(&under, &keys);
    secrets.forgotten_by(service.pid());
}
