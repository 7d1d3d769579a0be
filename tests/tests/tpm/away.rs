//! A chip that is away while the service runs, and comes back.

use super::keys::{Keys, ec, status};
use interface::algorithm::Signature;
use interface::client::Client;
use interface::operations::{GenerateRandom, ProviderInfo};
use interface::{ProviderId, Status};
use tests::{CONFIG, Service, Setup, TPM, eventually, run};

/// With the chip's provider first.
fn service() -> Service {
    let (rest, software) = CONFIG.split_at(CONFIG.find("[[provider]]").unwrap());
    Setup::default().config(format!("{rest}{TPM}{software}")).start()
}

/// What the service tells of the chip's provider.
fn info(client: &Client) -> ProviderInfo {
    client.providers().unwrap().into_iter().find(|(id, _)| *id == ProviderId::TPM).unwrap().1
}

#[test]
fn a_chip_that_is_away_at_the_start_stops_nobody_and_comes_back_by_itself() {
    let mut service = service();
    let client = service.client();
    let (tpm, software) = (Keys(&client, ProviderId::TPM), Keys(&client, ProviderId::SOFTWARE));
    tpm.make("k", &ec()).unwrap();
    software.make("s", &ec()).unwrap();
    service.tpm().kill9();
    service.restart();
    service.logs(&["the tpm provider is away", "does not answer"]);
    assert!(info(&client).away.contains("does not answer"));
    assert_eq!(client.default_provider().unwrap(), ProviderId::TPM, "no other provider takes its place");
    assert!(tpm.record("k").away && !tpm.record("k").missing && !software.record("s").away);
    software.ecdsa("s").unwrap();
    for refused in [
        tpm.ecdsa("k"),
        tpm.make("new", &ec()),
        tpm.call(&GenerateRandom { size: 1 }).map(drop),
        tpm.sign("k", Signature::EcdsaAny).map(drop),
        tpm.export("k").map(drop),
        tpm.destroy("k"),
    ] {
        let told = refused.as_ref().unwrap_err().to_string();
        assert!(told.contains("the tpm provider is away") && told.contains("parsec providers"), "{told}");
        assert_eq!(status(refused), Status::PsaErrorCommunicationFailure);
    }
    let shown = run(&mut service.parsec(["key", "list"])).ok();
    assert!(shown.contains("k (away)") && !shown.contains("s (away)"), "{shown}");
    let shown = run(&mut service.parsec(["providers"])).ok();
    assert!(shown.contains("away: the TPM at"), "{shown}");
    service.tpm().restart();
    service.logs(&["the tpm provider is back"]);
    assert_eq!(info(&client).away, "");
    assert!(!tpm.record("k").away);
    tpm.ecdsa("k").unwrap();
    tpm.make("new", &ec()).unwrap();
}

#[test]
fn a_chip_that_goes_away_later_is_told_until_it_is_back() {
    let mut service = service();
    let client = service.client();
    let tpm = Keys(&client, ProviderId::TPM);
    tpm.make("k", &ec()).unwrap();
    service.tpm().kill9();
    assert_eq!(status(tpm.ecdsa("k")), Status::PsaErrorCommunicationFailure);
    assert!(tpm.record("k").away && info(&client).away.contains("does not answer"));
    service.tpm().restart();
    // nobody uses it meanwhile
    eventually("a chip that is back", || (!tpm.record("k").away).then_some(()));
    assert_eq!(info(&client).away, "");
    tpm.ecdsa("k").unwrap();
}
