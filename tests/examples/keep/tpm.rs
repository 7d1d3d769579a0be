//! A store with keys in a TPM and sealed by it, with the state of that TPM.

use std::fs;
use std::path::Path;

use interface::ProviderId;
use interface::algorithm::Cipher;
use interface::client::Identity;
use tests::{CONFIG, STRANGER, TENANT, TPM, TPM_SEALED, acting};

use crate::Desk;
use crate::proofs::{Session, Wrapping};
use crate::software::pins;

/// Kinds of key in the chip, and sealed by it.
const HARDWARE: &[&str] = &["p256", "p384", "rsa-2048", "aes-128", "hmac-sha256"];
const SEALED: &[&str] = &["p256", "ed25519", "ed448", "ml-dsa-65", "rsa-2048", "aes-256", "x25519", "hmac-sha256"];
/// The verifier's, in hexadecimal digits.
const NONCE: &str = "000102030405060708090a0b0c0d0e0f";

pub(crate) fn keep(folder: &Path) {
    let config = format!("{CONFIG}{TPM}{TPM_SEALED}");
    let (store, references) = (folder.join("tpm"), folder.join("references"));
    fs::create_dir(&store).unwrap();
    let mut desk = Desk::start(&config);
    for (provider, kinds) in [("tpm", HARDWARE), ("tpm-sealed", SEALED)] {
        desk.parsec(&format!("key new web --for tls-server --provider {provider} --grant uid:{STRANGER}=sign"));
        desk.parsec(&format!(
            "key csr web --provider {provider} --self-signed --cn web.example --days 36500 --out {provider}.crt"
        ));
        desk.parsec(&format!("cert put web {provider}.crt --provider {provider}"));
        for kind in kinds {
            desk.parsec(&format!("key new of-{kind} --algorithm {kind} --provider {provider}"));
        }
        desk.openssl("genpkey -algorithm EC -pkeyopt group:P-256 -out imported.pem");
        desk.parsec(&format!("key import imported imported.pem --provider {provider}"));
        desk.parsec(&format!("key grant of-rsa-2048 uid:{STRANGER}=sign,verify --provider {provider}"));
        desk.refer(&references, "web", provider);
        desk.refer(&references, "of-rsa-2048", provider);
    }
    for key in ["--usage-wrap --label wrap-kw", "--sensitive --extractable --label sensitive"] {
        desk.tool(&format!("--token-label tpm-sealed --keygen --key-type AES:32 {key}"));
    }
    desk.uid = TENANT;
    // a token's label changes when it is initialised
    for slot in [1, 2] {
        pins(&desk, &format!("--slot-index {slot} "));
    }
    desk.uid = 0;
    let statements = folder.join("statements");
    fs::create_dir(&statements).unwrap();
    desk.parsec(&format!("key attest web --provider tpm --nonce {NONCE} --out key.attest"));
    desk.parsec(&format!("quote --provider tpm --pcrs 0,7 --nonce {NONCE} --out boot.quote"));
    for file in ["key.attest", "boot.quote"] {
        fs::copy(desk.path(file), statements.join(file)).unwrap();
    }

    desk.service.restart();
    for provider in [ProviderId::TPM, ProviderId::TPM_SEALED] {
        record(&desk, provider, &store);
    }
    assert!(desk.service.stop().success());
    desk.service.tpm().kill9();
    let chip = store.join("tpm");
    fs::create_dir(&chip).unwrap();
    fs::copy(desk.path("tpm/tpm2-00.permall"), chip.join("tpm2-00.permall")).unwrap();
    desk.keep(&config, &store);
}

fn record(desk: &Desk, provider: ProviderId, store: &Path) {
    let mut owner = Session::greeted(&desk.service, Identity::User);
    let mut session = Session::greeted(&desk.service, Identity::User);
    session.everything(provider, "uid:0");
    session.proofs(&mut owner, provider, "uid:0", false);
    if provider == ProviderId::TPM_SEALED {
        session.unwraps(provider, &Wrapping { with: "wrap-kw", algorithm: Cipher::KeyWrap.into(), key: "sensitive" });
    }
    session.write(&store.join(format!("0-{provider}")));
    let mut grantee = acting(STRANGER, || Session::greeted(&desk.service, Identity::User));
    grantee.proofs(&mut owner, provider, "uid:0", true);
    grantee.write(&store.join(format!("{STRANGER}-{provider}")));
}
