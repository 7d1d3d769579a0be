//! Every operation of upstream's Rust client, on our service; and on upstream's, which shows that the tests ask for no more than Parsec promises.
//!
//! Upstream's client takes its socket from the environment only, so each test runs itself again in a process of its own for each service.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::HashSet;
use std::process::Command;

use interop::{Row, provider, setup, upstream};
use parsec_client::BasicClient;
use parsec_client::core::interface::operations::can_do_crypto::CheckType;
use parsec_client::core::interface::operations::psa_algorithm::{
    Aead, AeadWithDefaultLengthTag, Algorithm, AsymmetricEncryption, AsymmetricSignature, Cipher, FullLengthMac, Hash,
    KeyAgreement, Mac, RawKeyAgreement, SignHash,
};
use parsec_client::core::interface::operations::psa_key_attributes::{Attributes, EccFamily, Lifetime, Policy, Type, UsageFlags};
use parsec_client::core::interface::requests::{AuthType, Opcode, ProviderId, ResponseStatus};
use parsec_client::error::{Error, Result};
use sha2::{Digest, Sha256, Sha384, Sha512};
use tests::{Service, Setup, run};

/// Set to the name of the service in the process that does the work.
const SERVICE: &str = "INTEROP_SERVICE";

type Start = fn() -> Setup;

/// Runs `work` on our service and on upstream's, each fresh. Upstream's has only its Mbed provider here.
#[track_caller]
fn on_both(work: fn(&BasicClient)) {
    let both: [(&str, Start); 2] = [("ours", setup), ("upstream", upstream)];
    on(if on_tpm() { &both[..1] } else { &both }, true, work);
}

/// As [`on_both`], for what the TPM provider lacks.
#[track_caller]
fn on_both_in_software(work: fn(&BasicClient)) {
    on(&[("ours", setup), ("upstream", upstream)], !on_tpm(), work);
}

/// Runs `work` on our service, for what upstream's Mbed provider lacks.
#[track_caller]
fn on_ours(work: fn(&BasicClient)) {
    on(&[("ours", setup)], true, work);
}

/// Runs `work` on our TPM provider.
#[track_caller]
fn on_our_tpm(work: fn(&BasicClient)) {
    on(&[("ours", setup)], on_tpm(), work);
}

fn on_tpm() -> bool {
    provider() == "tpm"
}

#[track_caller]
fn on(services: &[(&str, Start)], fit: bool, work: fn(&BasicClient)) {
    if std::env::var_os(SERVICE).is_some() {
        return work(&BasicClient::new(None).expect("upstream's client finds a provider and an authenticator"));
    }
    let mut row = Row::linked("parsec-client");
    if !fit {
        return row.cancel();
    }
    let test = std::thread::current().name().expect("the test's name").to_owned();
    for (name, start) in services {
        let service = start().start();
        let mut command = itself(&service, &test);
        run(command.env(SERVICE, name).env("PARSEC_INTEROP_PROVIDER", provider())).ok();
    }
}

fn on_upstream() -> bool {
    std::env::var(SERVICE).is_ok_and(|name| name == "upstream")
}

fn itself(service: &Service, test: &str) -> Command {
    let mut command = service.command(std::env::current_exe().expect("the test's own path"));
    command.args([test, "--exact", "--nocapture"]);
    command
}

fn usage(set: impl FnOnce(&mut UsageFlags)) -> UsageFlags {
    let mut flags = UsageFlags::default();
    set(&mut flags);
    flags
}

fn attributes(key_type: Type, bits: usize, usage_flags: UsageFlags, algorithm: impl Into<Algorithm>) -> Attributes {
    let policy = Policy { usage_flags, permitted_algorithms: algorithm.into() };
    Attributes { lifetime: Lifetime::Persistent, key_type, bits, policy }
}

fn signing() -> UsageFlags {
    usage(|flags| {
        let _ = flags.set_sign_hash().set_verify_hash().set_sign_message().set_verify_message().set_export();
    })
}

fn encrypting() -> UsageFlags {
    usage(|flags| {
        let _ = flags.set_encrypt().set_decrypt().set_export();
    })
}

const R1: Type = Type::EccKeyPair { curve_family: EccFamily::SecpR1 };
const K1: Type = Type::EccKeyPair { curve_family: EccFamily::SecpK1 };
const ECDSA: AsymmetricSignature = AsymmetricSignature::Ecdsa { hash_alg: SignHash::Specific(Hash::Sha256) };

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T>, status: ResponseStatus) {
    match result {
        Err(Error::Service(answer)) => assert_eq!(answer, status),
        other => panic!("expected {status}, got {other:?}"),
    }
}

/// The number and UUID of the provider, as upstream has them.
fn own() -> (ProviderId, &'static str) {
    if on_tpm() {
        (ProviderId::Tpm, "1e4954a4-ff21-46d3-ab0c-661eeb667e1d")
    } else {
        (ProviderId::MbedCrypto, "1c1139dc-ad7c-47dc-ad6b-db6fdb466552")
    }
}

#[test]
fn core_operations() {
    on_both(|client| {
        assert_eq!(client.ping().unwrap(), (1, 0));

        let providers = client.list_providers().unwrap();
        assert_eq!((providers[0].id, providers[0].uuid.to_string().as_str()), own());
        assert_eq!(providers.last().unwrap().id, ProviderId::Core);
        assert_eq!(providers.last().unwrap().uuid.to_string(), "47049873-2a43-4845-9d72-831eab668784");

        let authenticators = client.list_authenticators().unwrap();
        assert!(authenticators.iter().any(|info| info.id == AuthType::UnixPeerCredentials), "{authenticators:?}");

        let core = client.list_opcodes(ProviderId::Core).unwrap();
        assert!(core.is_superset(
            &[Opcode::Ping, Opcode::ListProviders, Opcode::ListOpcodes, Opcode::ListAuthenticators, Opcode::ListKeys].into()
        ));
    });
}

/// Upstream's own tables for its Mbed and its TPM provider, then what only ours have.
#[test]
fn list_opcodes_covers_upstreams_table() {
    on_both(|client| {
        let mut upstream = HashSet::from([
            Opcode::PsaGenerateKey,
            Opcode::PsaDestroyKey,
            Opcode::PsaSignHash,
            Opcode::PsaVerifyHash,
            Opcode::PsaImportKey,
            Opcode::PsaExportPublicKey,
            Opcode::PsaAsymmetricDecrypt,
            Opcode::PsaAsymmetricEncrypt,
            Opcode::PsaGenerateRandom,
            Opcode::CanDoCrypto,
        ]);
        if on_tpm() {
            upstream.extend([Opcode::AttestKey, Opcode::PrepareKeyAttestation]);
        } else {
            upstream.extend([
                Opcode::PsaExportKey,
                Opcode::PsaAeadEncrypt,
                Opcode::PsaAeadDecrypt,
                Opcode::PsaHashCompare,
                Opcode::PsaHashCompute,
                Opcode::PsaRawKeyAgreement,
            ]);
        }
        let listed = client.list_opcodes(own().0).unwrap();
        assert!(listed.is_superset(&upstream), "missing: {:?}", upstream.difference(&listed));
        if !on_upstream() {
            let more = HashSet::from([
                Opcode::PsaSignMessage,
                Opcode::PsaVerifyMessage,
                Opcode::PsaCipherEncrypt,
                Opcode::PsaCipherDecrypt,
            ]);
            assert!(listed.is_superset(&more), "missing: {:?}", more.difference(&listed));
        }
    });
}

#[test]
fn keys_come_and_go() {
    on_both(|client| {
        let wanted = attributes(R1, 256, signing(), ECDSA);
        client.psa_generate_key("web", wanted).unwrap();
        refused(client.psa_generate_key("web", wanted), ResponseStatus::PsaErrorAlreadyExists);

        let keys = client.list_keys().unwrap();
        assert_eq!(keys.len(), 1);
        assert_eq!((keys[0].name.as_str(), keys[0].provider_id), ("web", own().0));
        let listed = client.key_attributes("web").unwrap();
        assert_eq!((listed.key_type, listed.bits, listed.policy.permitted_algorithms), (R1, 256, ECDSA.into()));
        assert!(listed.is_hash_signable() && listed.is_message_verifiable() && listed.is_exportable() && !listed.is_derivable());

        let public = client.psa_export_public_key("web").unwrap();
        assert_eq!((public.len(), public[0]), (65, 4));

        client.psa_destroy_key("web").unwrap();
        refused(client.psa_destroy_key("web"), ResponseStatus::PsaErrorDoesNotExist);
        refused(client.psa_export_public_key("web"), ResponseStatus::PsaErrorDoesNotExist);
        refused(client.psa_sign_hash("web", &[0; 32], ECDSA), ResponseStatus::PsaErrorDoesNotExist);
        assert!(client.list_keys().unwrap().is_empty());
    });
}

/// Every signature algorithm on every kind of key that fits it; upstream's Mbed provider has two curves, and TPMs have those of NIST.
fn signatures() -> Vec<(Type, usize, AsymmetricSignature, Vec<u8>)> {
    let digests: [(Hash, Vec<u8>); 3] = [
        (Hash::Sha256, Sha256::digest(b"hello").to_vec()),
        (Hash::Sha384, Sha384::digest(b"hello").to_vec()),
        (Hash::Sha512, Sha512::digest(b"hello").to_vec()),
    ];
    let mut table = Vec::new();
    for (hash, digest) in &digests {
        let hash_alg = SignHash::Specific(*hash);
        let curves = [(R1, 256), (K1, 256), (R1, 384), (R1, 521)].into_iter().filter(|&(curve, _)| curve != K1 || !on_tpm());
        for (key, bits) in curves.take(if on_upstream() { 2 } else { 4 }) {
            table.push((key, bits, AsymmetricSignature::Ecdsa { hash_alg }, digest.clone()));
        }
        table.push((Type::RsaKeyPair, 2048, AsymmetricSignature::RsaPkcs1v15Sign { hash_alg }, digest.clone()));
        table.push((Type::RsaKeyPair, 2048, AsymmetricSignature::RsaPss { hash_alg }, digest.clone()));
    }
    table
}

#[test]
fn sign_and_verify_hashes() {
    on_both(|client| {
        for (index, (key_type, bits, algorithm, digest)) in signatures().into_iter().enumerate() {
            let name = format!("key {index}");
            client
                .psa_generate_key(&name, attributes(key_type, bits, signing(), algorithm))
                .unwrap_or_else(|error| panic!("{key_type:?} {bits}: {error}"));
            let signature =
                client.psa_sign_hash(&name, &digest, algorithm).unwrap_or_else(|error| panic!("{algorithm:?}: {error}"));
            client.psa_verify_hash(&name, &digest, algorithm, &signature).unwrap();

            let mut wrong = signature.clone();
            wrong[signature.len() / 2] ^= 1;
            refused(client.psa_verify_hash(&name, &digest, algorithm, &wrong), ResponseStatus::PsaErrorInvalidSignature);
            refused(client.psa_sign_hash(&name, &digest[1..], algorithm), ResponseStatus::PsaErrorInvalidArgument);
            client.psa_destroy_key(&name).unwrap();
        }
    });
}

#[test]
fn sign_and_verify_messages() {
    on_ours(|client| {
        for (index, (key_type, bits, algorithm, digest)) in signatures().into_iter().enumerate() {
            let name = format!("key {index}");
            client.psa_generate_key(&name, attributes(key_type, bits, signing(), algorithm)).unwrap();
            let signature = client.psa_sign_message(&name, b"hello", algorithm).unwrap();
            client.psa_verify_message(&name, b"hello", algorithm, &signature).unwrap();
            client.psa_verify_hash(&name, &digest, algorithm, &signature).unwrap();
            refused(client.psa_verify_message(&name, b"hallo", algorithm, &signature), ResponseStatus::PsaErrorInvalidSignature);
        }
    });
}

#[test]
fn policies_hold() {
    on_both(|client| {
        let rsa = |hash_alg| AsymmetricSignature::RsaPkcs1v15Sign { hash_alg };
        let (sha256, sha384) = (rsa(SignHash::Specific(Hash::Sha256)), rsa(SignHash::Specific(Hash::Sha384)));
        client.psa_generate_key("one hash", attributes(Type::RsaKeyPair, 2048, signing(), sha256)).unwrap();
        refused(client.psa_sign_hash("one hash", &[1; 48], sha384), ResponseStatus::PsaErrorNotPermitted);
        client.psa_generate_key("any hash", attributes(Type::RsaKeyPair, 2048, signing(), rsa(SignHash::Any))).unwrap();
        client.psa_sign_hash("any hash", &[1; 48], sha384).unwrap();

        let verify_only = usage(|flags| {
            let _ = flags.set_verify_hash();
        });
        client.psa_generate_key("verify only", attributes(R1, 256, verify_only, ECDSA)).unwrap();
        refused(client.psa_sign_hash("verify only", &[1; 32], ECDSA), ResponseStatus::PsaErrorNotPermitted);
        refused(client.psa_export_key("verify only"), ResponseStatus::PsaErrorNotPermitted);
        client.psa_export_public_key("verify only").unwrap();
    });
}

#[test]
fn import_and_export_ec_keys() {
    on_both_in_software(|client| {
        client.psa_generate_key("pair", attributes(R1, 256, signing(), ECDSA)).unwrap();
        let (private, public) = (client.psa_export_key("pair").unwrap(), client.psa_export_public_key("pair").unwrap());
        assert_eq!(private.len(), 32);
        let signature = client.psa_sign_hash("pair", &[7; 32], ECDSA).unwrap();

        client.psa_import_key("copy", &private, attributes(R1, 256, signing(), ECDSA)).unwrap();
        assert_eq!(client.psa_export_public_key("copy").unwrap(), public);
        refused(
            client.psa_import_key("copy", &private, attributes(R1, 256, signing(), ECDSA)),
            ResponseStatus::PsaErrorAlreadyExists,
        );
        client
            .psa_import_key(
                "public",
                &public,
                attributes(Type::EccPublicKey { curve_family: EccFamily::SecpR1 }, 256, signing(), ECDSA),
            )
            .unwrap();
        for name in ["copy", "public"] {
            client.psa_verify_hash(name, &[7; 32], ECDSA, &signature).unwrap();
        }
    });
}

#[test]
fn import_and_export_rsa_keys() {
    on_both_in_software(|client| {
        let rsa = AsymmetricSignature::RsaPss { hash_alg: Hash::Sha256.into() };
        client.psa_generate_key("rsa", attributes(Type::RsaKeyPair, 2048, signing(), rsa)).unwrap();
        let signature = client.psa_sign_hash("rsa", &[7; 32], rsa).unwrap();
        let (private, public) = (client.psa_export_key("rsa").unwrap(), client.psa_export_public_key("rsa").unwrap());
        client.psa_import_key("rsa copy", &private, attributes(Type::RsaKeyPair, 2048, signing(), rsa)).unwrap();
        client.psa_import_key("rsa public", &public, attributes(Type::RsaPublicKey, 2048, signing(), rsa)).unwrap();
        for name in ["rsa copy", "rsa public"] {
            client.psa_verify_hash(name, &[7; 32], rsa, &signature).unwrap();
        }
        refused(
            client.psa_import_key("no key", b"not a key", attributes(Type::RsaKeyPair, 2048, signing(), rsa)),
            ResponseStatus::PsaErrorInvalidArgument,
        );
        refused(client.psa_export_key("no key"), ResponseStatus::PsaErrorDoesNotExist);
    });
}

#[test]
fn asymmetric_encryption() {
    on_both(|client| {
        let oaep = |hash_alg| AsymmetricEncryption::RsaOaep { hash_alg };
        for (name, algorithm, label) in [
            ("pkcs1", AsymmetricEncryption::RsaPkcs1v15Crypt, None),
            ("oaep-256", oaep(Hash::Sha256), None),
            ("oaep-256-label", oaep(Hash::Sha256), Some(&b"label"[..])),
            ("oaep-384", oaep(Hash::Sha384), None),
        ] {
            client.psa_generate_key(name, attributes(Type::RsaKeyPair, 2048, encrypting(), algorithm)).unwrap();
            let ciphertext = client
                .psa_asymmetric_encrypt(name, algorithm, b"secret", label)
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(ciphertext.len(), 256);
            assert_eq!(client.psa_asymmetric_decrypt(name, algorithm, &ciphertext, label).unwrap(), b"secret");
            if let AsymmetricEncryption::RsaOaep { .. } = algorithm {
                assert!(client.psa_asymmetric_decrypt(name, algorithm, &ciphertext, Some(b"another label")).is_err());
            }
        }
    });
}

#[test]
fn hashes() {
    on_both(|client| {
        for (hash, digest) in [
            (Hash::Sha256, Sha256::digest(b"hello").to_vec()),
            (Hash::Sha384, Sha384::digest(b"hello").to_vec()),
            (Hash::Sha512, Sha512::digest(b"hello").to_vec()),
        ] {
            assert_eq!(client.psa_hash_compute(hash, b"hello").unwrap(), digest);
            client.psa_hash_compare(hash, b"hello", &digest).unwrap();
            refused(client.psa_hash_compare(hash, b"hallo", &digest), ResponseStatus::PsaErrorInvalidSignature);
        }
    });
}

#[test]
fn authenticated_encryption() {
    on_both_in_software(|client| {
        use AeadWithDefaultLengthTag::{Ccm, Chacha20Poly1305, Gcm};
        let short = |aead_alg, tag_length| Aead::AeadWithShortenedTag { aead_alg, tag_length };
        for (name, key_type, bits, algorithm, tag) in [
            ("gcm-128", Type::Aes, 128, Gcm.into(), 16),
            ("gcm-256", Type::Aes, 256, Gcm.into(), 16),
            ("gcm-short", Type::Aes, 256, short(Gcm, 12), 12),
            ("ccm", Type::Aes, 128, Ccm.into(), 16),
            ("ccm-short", Type::Aes, 128, short(Ccm, 8), 8),
            ("chacha", Type::Chacha20, 256, Chacha20Poly1305.into(), 16),
        ] {
            client
                .psa_generate_key(name, attributes(key_type, bits, encrypting(), algorithm))
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            let sealed = client
                .psa_aead_encrypt(name, algorithm, &[3; 12], b"header", b"secret")
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(sealed.len(), b"secret".len() + tag);
            assert_eq!(client.psa_aead_decrypt(name, algorithm, &[3; 12], b"header", &sealed).unwrap(), b"secret");
            refused(
                client.psa_aead_decrypt(name, algorithm, &[3; 12], b"heater", &sealed),
                ResponseStatus::PsaErrorInvalidSignature,
            );
        }
    });
}

#[test]
fn ciphers() {
    on_ours(|client| {
        for (name, algorithm) in
            [("ctr", Cipher::Ctr), ("cbc", Cipher::CbcPkcs7), ("cbc-raw", Cipher::CbcNoPadding), ("ecb", Cipher::EcbNoPadding)]
        {
            client.psa_generate_key(name, attributes(Type::Aes, 256, encrypting(), algorithm)).unwrap();
            let plaintext = b"two blocks, that is 32 bytes long";
            let ciphertext = client
                .psa_cipher_encrypt(name.to_owned(), algorithm, &plaintext[..32])
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(client.psa_cipher_decrypt(name.to_owned(), algorithm, &ciphertext).unwrap(), &plaintext[..32]);
        }
    });
}

#[test]
fn key_agreement() {
    on_both(|client| {
        let derive = usage(|flags| {
            let _ = flags.set_derive();
        });
        let ecdh = KeyAgreement::Raw(RawKeyAgreement::Ecdh);
        for name in ["alice", "bob"] {
            client.psa_generate_key(name, attributes(R1, 256, derive, ecdh)).unwrap();
        }
        let agree = |own, peer| {
            client.psa_raw_key_agreement(RawKeyAgreement::Ecdh, own, &client.psa_export_public_key(peer).unwrap()).unwrap()
        };
        assert_eq!(agree("alice", "bob"), agree("bob", "alice"));
        assert_eq!(agree("alice", "bob").len(), 32);
    });
}

#[test]
fn random() {
    on_both(|client| {
        let (one, other) = (client.psa_generate_random(32).unwrap(), client.psa_generate_random(32).unwrap());
        assert_eq!((one.len(), other.len()), (32, 32));
        assert_ne!(one, other);
    });
}

/// Upstream's TPM provider gives what the chip has in one go, and less than was asked for.
#[test]
fn long_random() {
    on_ours(|client| {
        for len in [0, 1, 65, 100_000] {
            assert_eq!(client.psa_generate_random(len).unwrap().len(), len);
        }
    });
}

/// What upstream's TPM provider takes: key pairs come as the wire has them, RSA keys with the usual exponent.
#[test]
fn keys_are_imported_into_the_tpm() {
    on_our_tpm(|client| {
        let scalar = [&[0; 31][..], &[1]].concat();
        let generator = "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";
        client.psa_import_key("pair", &scalar, attributes(R1, 256, signing(), ECDSA)).unwrap();
        let public = client.psa_export_public_key("pair").unwrap();
        assert_eq!(public.iter().map(|byte| format!("{byte:02x}")).collect::<String>(), generator);
        let r1 = Type::EccPublicKey { curve_family: EccFamily::SecpR1 };
        client.psa_import_key("public", &public, attributes(r1, 256, signing(), ECDSA)).unwrap();
        let signature = client.psa_sign_hash("pair", &[7; 32], ECDSA).unwrap();
        client.psa_verify_hash("public", &[7; 32], ECDSA, &signature).unwrap();
    });
}

#[test]
fn can_do_crypto_tells_the_truth() {
    on_both(|client| {
        client.can_do_crypto(CheckType::Generate, attributes(R1, 256, signing(), ECDSA)).unwrap();
        client
            .can_do_crypto(
                CheckType::Import,
                attributes(Type::RsaPublicKey, 2048, signing(), AsymmetricSignature::RsaPss { hash_alg: Hash::Sha256.into() }),
            )
            .unwrap();
        client.can_do_crypto(CheckType::Use, attributes(R1, 256, signing(), ECDSA)).unwrap();
        refused(
            client.can_do_crypto(CheckType::Generate, attributes(Type::RsaPublicKey, 2048, signing(), ECDSA)),
            ResponseStatus::PsaErrorNotSupported,
        );
        refused(
            client.can_do_crypto(CheckType::Generate, attributes(R1, 257, signing(), ECDSA)),
            ResponseStatus::PsaErrorNotSupported,
        );
    });
}

#[test]
fn mac_keys_are_listed_as_they_were_made() {
    on_both(|client| {
        let hmac: Algorithm = Mac::FullLength(FullLengthMac::Hmac { hash_alg: Hash::Sha256 }).into();
        client.psa_import_key("mac", &[9; 32], attributes(Type::Hmac, 256, signing(), hmac)).unwrap();
        assert_eq!(client.key_attributes("mac").unwrap().policy.permitted_algorithms, hmac);
    });
}

#[test]
fn administration() {
    on_both(|client| {
        client.psa_generate_key("web", attributes(R1, 256, signing(), ECDSA)).unwrap();
        let own = client.list_clients().unwrap();
        assert_eq!(own, ["0"]);
        client.delete_client("0").unwrap();
        assert!(client.list_clients().unwrap().is_empty());
        assert!(client.list_keys().unwrap().is_empty());
    });
}

/// The client's side of what `tests` tries with a verifier.
#[test]
fn attestation_is_prepared_and_what_was_not_prepared_is_refused() {
    on_our_tpm(|client| {
        client.psa_generate_key("web", attributes(R1, 256, signing(), ECDSA)).unwrap();
        let prepared = client.prepare_activate_credential("web".to_owned(), None).unwrap();
        assert_eq!(prepared.name[2..], Sha256::digest(&prepared.public)[..]);
        assert_eq!(prepared.attesting_key_pub.len(), 270, "an RSAPublicKey of 2048 bits");
        let activate = |attesting: Option<&str>| {
            let (name, attesting) = ("web".to_owned(), attesting.map(str::to_owned));
            client.activate_credential_attestation(name, attesting, vec![0xde; 52], vec![0xad; 256])
        };
        refused(activate(None), ResponseStatus::PsaErrorInvalidArgument);
        refused(activate(Some("web")), ResponseStatus::PsaErrorNotSupported);
        let with = client.prepare_activate_credential("web".to_owned(), Some("web".to_owned()));
        refused(with.map(|prepared| prepared.name), ResponseStatus::PsaErrorNotSupported);
    });
}

/// Upstream's client does not even ask a provider that is not the TPM, so the answer has to be the client's own or `NotSupported`.
#[test]
fn attestation_is_refused() {
    on_both_in_software(|client| {
        assert!(client.prepare_activate_credential("web".to_owned(), None).is_err());
        assert!(client.activate_credential_attestation("web".to_owned(), None, vec![1], vec![1]).is_err());
    });
}
