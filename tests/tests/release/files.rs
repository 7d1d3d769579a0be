//! Files that the release's users have kept: configurations, and what a TPM has said.

use std::process::Command;

use interface::ProviderId;
use interface::client::Identity;
use interface::operations::ListKeys;
use tests::{Setup, built, run};

use crate::each_release;

#[test]
fn configurations_start_the_service() {
    each_release(|release| {
        for file in release.files("configurations") {
            let text = std::fs::read_to_string(&file).unwrap();
            // the packaged one names places of the whole machine
            let text = text.replace("/run/parsec/", "{dir}/").replace("/var/lib/parsec/", "{dir}/");
            let text = text.replace("#allow_root = false", "allow_root = true");
            let direct = text.contains("auth_type = \"Direct\"");
            let service = Setup::default().config(text).start();
            let identity = if direct { Identity::Direct("legacy".to_owned()) } else { Identity::User };
            let client = service.client().with_identity(identity);
            assert!(client.call(ProviderId::CORE, &ListKeys {}).unwrap().keys.is_empty(), "{}", file.display());
        }
    });
}

#[test]
fn what_a_tpm_has_said_is_believed() {
    each_release(|release| {
        for file in release.files("statements") {
            let verify = |nonce: &str| {
                let mut command = Command::new(built("parsec"));
                run(command.args(["key", "verify-attestation", "--nonce", nonce]).arg(&file))
            };
            verify("000102030405060708090a0b0c0d0e0f").ok();
            assert!(verify("00").refused().contains("nonce"), "{}", file.display());
        }
    });
}
