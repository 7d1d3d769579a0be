//! Stores of the release, opened by today's service and used by today's programs.

use std::fs;
use std::process::Command;

use interface::operations::{DestroyKey, ExportPublicKey, GenerateKey, SignHash};
use interface::{ProviderId, Status};
use rusqlite::Connection;
use tests::{OFFICER_PIN, PIN, Ran, Release, STRANGER, Service, Setup, TENANT, as_uid, may_lock_memory, program, run};

use crate::{each_release, each_release_with_a_tpm};

/// Runs this on each store that has keys, with the name of each of its providers.
fn each_provider(test: impl Fn(&Desk, &str)) {
    each_release(|release| test(&Desk::open(release, "software"), "software"));
    each_release_with_a_tpm(|release| {
        let desk = Desk::open(release, "tpm");
        ["tpm", "tpm-sealed"].into_iter().for_each(|provider| test(&desk, provider));
    });
}

/// Today's service on a store of the release, and what the release left beside it.
struct Desk {
    service: Service,
    release: Release,
}

impl Desk {
    fn open(release: &Release, store: &str) -> Self {
        let service = release.open(store);
        // what programs were told to load then has its path still
        let module = service.staged("libparsec_openssl.so");
        let conf = release.text("openssl.cnf").replace("{dir}", module.parent().unwrap().to_str().unwrap());
        fs::write(service.dir().join("openssl.cnf"), conf).unwrap();
        fs::write(service.dir().join("message"), "a message").unwrap();
        Self { service, release: release.clone() }
    }

    fn run(&self, uid: u32, command: &mut Command) -> Ran {
        run(as_uid(command, uid))
    }

    fn openssl(&self, uid: u32, line: &str) -> Ran {
        self.run(uid, &mut self.service.openssl(line.split(' ')))
    }

    fn parsec(&self, line: &str) -> String {
        self.run(0, &mut self.service.parsec(line.split(' '))).ok()
    }

    /// pkcs11-tool on the token of this provider, whatever its label.
    fn tool(&self, uid: u32, provider: &str, line: &str) -> Ran {
        let slot = ["software", "tpm", "tpm-sealed"].iter().position(|name| *name == provider).unwrap();
        self.run(uid, &mut self.service.pkcs11_tool(format!("--slot-index {slot} {line}").split(' ')))
    }

    /// Asks OpenSSL to sign a request with a key, and to check it.
    #[track_caller]
    fn signs(&self, uid: u32, key: &str) {
        let request = self.openssl(uid, &format!("req -new -subj /CN=web.example -key {key}")).ok();
        let request = tests::feed(as_uid(&mut self.service.openssl(["req", "-verify", "-noout"]), uid), request.as_bytes());
        let said = request.err.clone() + &request.out;
        request.ok();
        assert!(said.to_lowercase().contains("verify ok"), "{said}");
    }
}

#[test]
fn references_name_the_keys_that_they_named() {
    each_provider(|desk, provider| {
        let mut used = 0;
        for file in desk.release.files("references") {
            let stem = file.file_stem().unwrap().to_str().unwrap();
            let Some(name) = stem.strip_prefix(&format!("{provider}-")).filter(|name| !name.starts_with("sealed-")) else {
                continue;
            };
            let (reference, which) = (file.display(), format!("{name} --provider {provider}"));
            let public = desk.parsec(&format!("key public {which}"));
            assert_eq!(desk.openssl(0, &format!("pkey -pubout -in {reference}")).ok(), public, "{reference}");
            let now = desk.parsec(&format!("key pem {which}"));
            assert!(now.ends_with(&fs::read_to_string(&file).unwrap()), "{now}");
            if name == "sealed" {
                fs::write(desk.service.dir().join("public.pem"), public).unwrap();
                let oaep = "-pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256";
                desk.openssl(0, &format!("pkeyutl -encrypt -pubin -inkey public.pem -in message -out secret {oaep}")).ok();
                let opened = desk.openssl(0, &format!("pkeyutl -decrypt -inkey {reference} -in secret {oaep}")).ok();
                assert_eq!(opened, "a message");
            } else {
                desk.signs(0, &reference.to_string());
            }
            used += 1;
        }
        assert!(used > 1, "{provider}");
    });
}

#[test]
fn uris_name_the_keys_that_they_named() {
    if program("p11tool").is_none() {
        return;
    }
    each_provider(|desk, provider| {
        let uris = desk.release.text("references/uris");
        let of = |scheme: &str, end: &str| {
            let of = |uri: &&str| uri.starts_with(scheme) && uri.split([';', ':']).any(|part| part == end);
            let all: Vec<_> = uris.lines().filter(of).filter(|uri| !uri.contains("=sealed;")).collect();
            assert!(all.len() > 1, "{scheme} {end}");
            all
        };
        for uri in of("parsec:", &format!("provider={provider}")) {
            desk.signs(0, uri);
        }
        for uri in of("pkcs11:", &format!("token={provider}")) {
            let module = desk.service.staged("libparsec_pkcs11.so");
            let found = run(desk.service.command("p11tool").arg("--provider").arg(module).args(["--list-privkeys", uri])).ok();
            assert_eq!(found.matches("Type: Private key").count(), 1, "{uri}\n{found}");
        }
    });
}

#[test]
fn the_pin_opens_the_token() {
    each_provider(|desk, provider| {
        let tool = |line: &str| desk.tool(TENANT, provider, line);
        let seen = tool("-O").ok();
        assert!(seen.contains("Public Key Object") && !seen.contains("Private Key Object"), "{seen}");
        assert!(tool("--login --pin 0000 -O").refused().contains("CKR_PIN_INCORRECT"));
        let login = format!("--login --pin {PIN}");
        assert!(tool(&format!("{login} -O")).ok().contains("Private Key Object"));
        tool(&format!("{login} --sign --mechanism ECDSA-SHA256 --id 01 --input-file message --output-file /dev/null")).ok();
        tool(&format!("--init-pin --login --login-type so --so-pin {OFFICER_PIN} --new-pin 5678")).ok();
        tool("--login --pin 5678 -O").ok();
        assert!(tool(&format!("{login} -O")).refused().contains("CKR_PIN_INCORRECT"));
    });
}

#[test]
fn grants_last_until_they_are_revoked() {
    each_provider(|desk, provider| {
        let file = desk.release.path(format!("references/{provider}-web.pem"));
        let granted = desk.service.dir().join("web.pem");
        tests::install(&file, &granted);
        desk.signs(STRANGER, "web.pem");
        let public = desk.openssl(STRANGER, "pkey -pubout -in web.pem").ok();
        assert_eq!(public, desk.parsec(&format!("key public web --provider {provider}")));
        if provider == "software" {
            desk.signs(STRANGER, &format!("parsec:object=web;owner=uid:{TENANT};provider={provider}"));
        }
        desk.parsec(&format!("key revoke web uid:{STRANGER} --provider {provider}"));
        let said = desk.openssl(STRANGER, "req -new -subj /CN=web.example -key web.pem").refused();
        assert!(said.contains("parsec key grant web"), "{said}");
    });
}

#[test]
fn certificates_lie_beside_their_keys() {
    each_provider(|desk, provider| {
        let certificate = desk.parsec(&format!("cert get web --provider {provider}"));
        fs::write(desk.service.dir().join("web.crt"), certificate).unwrap();
        let public = desk.openssl(0, "x509 -in web.crt -noout -pubkey").ok();
        assert_eq!(public, desk.parsec(&format!("key public web --provider {provider}")));
        assert!(desk.openssl(0, "x509 -in web.crt -noout -subject").ok().contains("web.example"));
        let ids = |kind: &str| {
            let shown = desk.tool(0, provider, &format!("-O --type {kind}")).ok();
            let ids: Vec<_> = shown.lines().filter_map(|line| line.trim().strip_prefix("ID:")).map(str::to_owned).collect();
            ids
        };
        let (keys, certificates) = (ids("privkey"), ids("cert"));
        assert!(!certificates.is_empty() && keys.len() > 2);
        assert!(provider == "software" || certificates.iter().all(|id| keys.contains(id)), "{certificates:?}");
    });
}

#[test]
fn a_key_whose_public_part_was_exchanged_is_told_and_kept() {
    let exchange = |store: &str, provider: ProviderId| {
        each_release(|release| {
            let mut service = release.lay_out(store, Setup::default());
            let database = service.dir().join("keys.sqlite3");
            let sql = format!(
                "UPDATE key SET public = (SELECT public FROM key AS other WHERE other.name = 'of-p256' AND other.provider = key.provider)
                 WHERE name = 'web' AND owner = 'uid:0' AND provider = {}",
                provider.number()
            );
            assert_eq!(Connection::open(&database).unwrap().execute(&sql, []).unwrap(), 1);
            for _ in 0..2 {
                service.restart();
                let client = service.client();
                let export = |name: &str| ExportPublicKey { key_name: name.to_owned(), owner: None };
                client.call(provider, &export("of-p256")).unwrap();
                let refused = client.call(provider, &export("web")).unwrap_err();
                assert_eq!(refused.status(), Some(Status::PsaErrorDataCorrupt), "{refused}");
                service.logs(&["'web' of uid:0", "is damaged", "event=\"damage\""]);
                client.call(provider, &DestroyKey { key_name: "web".to_owned(), owner: None }).unwrap_err();
                service.stop();
                let kept = "SELECT count(*) FROM key WHERE name = 'web' AND owner = 'uid:0' AND provider = ? AND state = 1";
                let kept = Connection::open(&database).unwrap().query_row(kept, [provider.number()], |row| row.get(0));
                assert_eq!(kept, Ok(1));
            }
        });
    };
    exchange("software", ProviderId::SOFTWARE);
    if may_lock_memory() {
        exchange("tpm", ProviderId::TPM);
        exchange("tpm", ProviderId::TPM_SEALED);
    }
}

#[test]
fn what_was_not_finished_is_done_or_undone() {
    each_release(|release| {
        for store in ["making", "destroying"] {
            let mut service = release.open(store);
            for _ in 0..2 {
                let client = service.client();
                let status = |name: &str| {
                    let sign =
                        SignHash { key_name: name.to_owned(), hash: vec![7; 32], alg: Some(ecdsa()), ..SignHash::default() };
                    client.call(ProviderId::SOFTWARE, &sign).map_or_else(|error| error.status().unwrap(), |_| Status::Success)
                };
                assert_eq!((status("kept"), status("other")), (Status::Success, Status::PsaErrorDoesNotExist), "{store}");
                let attributes = client.lookup(ProviderId::SOFTWARE, None, "kept").unwrap().attributes;
                let generate = GenerateKey { key_name: "other".to_owned(), attributes, ..GenerateKey::default() };
                client.call(ProviderId::SOFTWARE, &generate).unwrap();
                assert_eq!(status("other"), Status::Success, "{store}: the name is free");
                client.call(ProviderId::SOFTWARE, &DestroyKey { key_name: "other".to_owned(), owner: None }).unwrap();
                service.restart();
            }
        }
    });
}

fn ecdsa() -> interface::message::AsymmetricSignature {
    use interface::algorithm::{Hash, Signature};
    Signature::Ecdsa { hash: Hash::Sha256.into() }.into()
}
