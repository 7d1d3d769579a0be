//! What the TPM proves to others, judged by its own command line and by the programs of tpm2-tools, which know nothing of Parsec.

use super::*;
use interface::client::Error;
use interface::operations::{
    ActivateCredentialParams, AttestKey, AttestationParams, PrepareActivateCredential, PrepareKeyAttestation, PrepareParams,
    PreparedCredential, attestation_output, attestation_params, prepare_params, prepared_output,
};
use interface::spki::{PublicKey, rsa_bits};
use sha2::{Digest, Sha256};
use tests::{Ran, program, run};

const NONCE: &str = "00112233445566778899aabbccddeeff";

#[track_caller]
fn parsec(service: &Service, line: &str) -> Ran {
    run(&mut service.parsec(line.split(' ')))
}

/// One of tpm2-tools, on the service's TPM or on none.
fn tool(service: &mut Service, line: &str) -> Ran {
    let tcti = service.tpm().tcti();
    let mut words = line.split(' ');
    let mut command = service.command(words.next().unwrap());
    run(command.env("TPM2TOOLS_TCTI", tcti).args(words))
}

fn write(service: &Service, file: &str, bytes: &[u8]) {
    std::fs::write(service.dir().join(file), bytes).unwrap();
}

fn read(service: &Service, file: &str) -> Vec<u8> {
    std::fs::read(service.dir().join(file)).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn prepare(keys: &Keys<'_>, key: &str, with: &str) -> Result<PreparedCredential, Error> {
    let names = PrepareActivateCredential { attested_key_name: key.to_owned(), attesting_key_name: with.to_owned() };
    let mechanism = Some(prepare_params::Mechanism::ActivateCredential(names));
    let prepared = keys.call(&PrepareKeyAttestation { parameters: Some(PrepareParams { mechanism }) })?;
    let prepared_output::Mechanism::ActivateCredential(prepared) = prepared.output.unwrap().mechanism.unwrap();
    Ok(prepared)
}

fn activate(keys: &Keys<'_>, key: &str, (credential_blob, secret): (Vec<u8>, Vec<u8>)) -> Result<Vec<u8>, Error> {
    let params = ActivateCredentialParams { credential_blob, secret };
    let mechanism = Some(attestation_params::Mechanism::ActivateCredential(params));
    let parameters = Some(AttestationParams { mechanism });
    let attested = keys.call(&AttestKey { key_name: key.to_owned(), parameters, ..AttestKey::default() })?;
    let attestation_output::Mechanism::ActivateCredential(credential) = attested.output.unwrap().mechanism.unwrap();
    Ok(credential.credential.clone())
}

/// The SubjectPublicKeyInfo of the EK.
fn endorsement_key(prepared: &PreparedCredential) -> Vec<u8> {
    let bytes = prepared.attesting_key_pub.clone();
    let ek = PublicKey { key_type: KeyType::RsaPublicKey, bits: rsa_bits(&bytes).unwrap(), bytes };
    ek.to_spki().unwrap()
}

/// A credential for the key and its TPM, as a verifier without a TPM makes it.
fn challenge(service: &Service, prepared: &PreparedCredential, secret: &[u8]) -> (Vec<u8>, Vec<u8>) {
    write(service, "ek.der", &endorsement_key(prepared));
    write(service, "secret", secret);
    run(service.command("openssl").args("pkey -pubin -inform DER -in ek.der -out ek.pem".split(' '))).ok();
    let make = format!("-T none -G rsa -u ek.pem -s secret -n {} -o challenge", hex(&prepared.name));
    run(service.command("tpm2_makecredential").args(make.split(' '))).ok();
    // a header of eight bytes, then two structures with their lengths
    let file = read(service, "challenge");
    let (blob, secret) = file[10..].split_at(u16::from_be_bytes([file[8], file[9]]).into());
    (blob.to_vec(), secret[2..].to_vec())
}

#[test]
fn a_credential_is_activated_only_for_the_key_and_the_chip_it_was_made_for() {
    if program("tpm2_makecredential").is_none() {
        return;
    }
    let mut service = service();
    let client = service.client();
    let keys = Keys(&client, ProviderId::TPM);
    keys.make("ec", &ec()).unwrap();
    keys.make("rsa", &pair(KeyType::RsaKeyPair, 2048, Signature::RsaPss { hash: SHA256 })).unwrap();
    for key in ["ec", "rsa", ""] {
        let prepared = prepare(&keys, key, "").unwrap();
        assert_eq!(prepared.name[..2], [0, 0x0b], "{key:?}: SHA-256");
        assert_eq!(prepared.name[2..], Sha256::digest(&prepared.public)[..], "{key:?}");
        let challenge = challenge(&service, &prepared, b"sixteen bytes in");
        assert_eq!(activate(&keys, key, challenge.clone()).unwrap(), b"sixteen bytes in", "{key:?}");
        let other = if key == "ec" { "rsa" } else { "ec" };
        assert_eq!(status(activate(&keys, other, challenge.clone())), Status::PsaErrorInvalidArgument, "{key:?}");
        for (wrong, secret) in [(vec![0xde; 52], vec![0xad; 256]), (vec![0xde; 52], challenge.1), (challenge.0, vec![0xad; 256])]
        {
            assert_eq!(status(activate(&keys, key, (wrong, secret))), Status::PsaErrorInvalidArgument, "{key:?}");
        }
    }
    assert_eq!(status(activate(&keys, "ec", (vec![1; 5000], vec![]))), Status::PsaErrorInvalidArgument);
    assert_eq!(status(prepare(&keys, "ec", "rsa")), Status::PsaErrorNotSupported);
    assert_eq!(status(prepare(&keys, "none", "")), Status::PsaErrorDoesNotExist);
    keys.ecdsa("ec").unwrap();
    let before = prepare(&keys, "", "").unwrap();
    service.tpm().restart();
    assert_eq!(prepare(&keys, "", "").unwrap(), before, "the chip's own keys stay the same");
    service.tpm().exchange("another");
    assert_ne!(prepare(&keys, "", "").unwrap().name, before.name);
}

#[test]
fn the_chip_with_the_endorsement_key_proves_its_attestation_key_to_the_command_line() {
    let mut service = service();
    let client = service.client();
    let keys = Keys(&client, ProviderId::TPM);
    write(&service, "ek.der", &endorsement_key(&prepare(&keys, "", "").unwrap()));
    run(service.command("openssl").args("pkey -pubin -inform DER -in ek.der -out ek.pem".split(' '))).ok();
    parsec(&service, "quote --out quote").ok();
    let no_key = parsec(&service, "key challenge quote --out challenge").refused();
    assert!(no_key.contains("--ek"), "{no_key}");
    let right = parsec(&service, "key challenge quote --ek ek.pem --out challenge").ok();
    assert_eq!(parsec(&service, "key answer challenge").ok(), right);
    let again = parsec(&service, "key challenge quote --ek ek.pem --out challenge").ok();
    assert_ne!(again, right, "each challenge has an answer of its own");
    service.tpm().exchange("another");
    let other = parsec(&service, "key answer challenge").refused();
    assert!(other.contains("not made for this key"), "{other}");
}

#[test]
fn a_key_that_the_chip_made_is_proved_and_every_forgery_is_named() {
    let service = service();
    let client = service.client();
    let keys = Keys(&client, ProviderId::TPM);
    keys.make("web", &ec()).unwrap();
    keys.make("rsa", &pair(KeyType::RsaKeyPair, 2048, Signature::RsaPss { hash: SHA256 })).unwrap();
    for key in ["web", "rsa"] {
        parsec(&service, &format!("key public {key} --out {key}.pem")).ok();
        parsec(&service, &format!("key attest {key} --nonce {NONCE} --out {key}.attest")).ok();
        let verify = format!("key verify-attestation {key}.attest --nonce {NONCE} --key {key}.pem --ak-out ak.pem");
        let verdict = parsec(&service, &verify).ok();
        assert!(verdict.contains("made it, and it can never leave"), "{verdict}");
        assert!(verdict.contains("only the file vouches"), "{verdict}");
        let verdict = parsec(&service, &verify.replace("--ak-out", "--ak")).ok();
        assert!(verdict.contains("key that you named"), "{verdict}");
    }
    let json = parsec(&service, &format!("key verify-attestation web.attest --nonce {NONCE} --json")).ok();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["key"]["made_in_tpm"], true, "{json}");
    assert!(json["attestation_key"].as_str().unwrap().starts_with("-----BEGIN PUBLIC KEY"), "{json}");

    let refused = |file: &str, options: &str, why: &str| {
        let line = format!("key verify-attestation {file} --nonce {NONCE}{options}");
        let refusal = parsec(&service, &line).refused();
        assert!(refusal.contains(why), "{line}: {refusal}");
    };
    let old = parsec(&service, "key verify-attestation web.attest --nonce 00").refused();
    assert!(old.contains("not about this nonce"), "{old}");
    refused("web.attest", " --key rsa.pem", "another key than the one in rsa.pem");
    refused("web.attest", " --ak rsa.pem", "another attestation key");
    refused("web.pem", "", "has no block");
    let web = String::from_utf8(read(&service, "web.attest")).unwrap();
    let rsa = String::from_utf8(read(&service, "rsa.attest")).unwrap();
    let forge = |label: &str, change: &dyn Fn(&mut Vec<u8>), why: &str| {
        write(&service, "forged", altered(&web, label, change).as_bytes());
        refused("forged", "", why);
    };
    forge("TPMS ATTEST", &|bytes| bytes[0] ^= 1, "TPM_GENERATED_VALUE");
    forge("TPMS ATTEST", &|bytes| *bytes.last_mut().unwrap() ^= 1, "the statement was changed");
    forge("TPMT SIGNATURE", &|bytes| *bytes.last_mut().unwrap() ^= 1, "not the attestation key's");
    forge("TPMT PUBLIC ATTESTATION KEY", &|bytes| bytes.truncate(9), "none that a TPM writes");
    // the attributes, of which one says that the key signs nothing but what the chip says
    forge("TPMT PUBLIC ATTESTATION KEY", &|bytes| bytes[5] ^= 1, "not one that signs only what its TPM says");
    forge("TPMT PUBLIC", &|bytes| *bytes.last_mut().unwrap() ^= 1, "not the hash of this public area");
    forge("TPMT PUBLIC", &|bytes| *bytes = block(&rsa, "TPMT PUBLIC"), "not the hash of this public area");
    forge("TPMT PUBLIC", &|bytes| bytes.truncate(9), "none that a TPM writes");
}

/// The bytes of a PEM block.
fn block(pem: &str, label: &str) -> Vec<u8> {
    let (_, rest) = pem.split_once(&format!("-----BEGIN {label}-----\n")).unwrap();
    let (body, _) = rest.split_once("-----END").unwrap();
    decode(body)
}

/// A file with one block changed.
fn altered(pem: &str, label: &str, change: &dyn Fn(&mut Vec<u8>)) -> String {
    let (before, rest) = pem.split_once(&format!("-----BEGIN {label}-----\n")).unwrap();
    let (body, after) = rest.split_once("-----END").unwrap();
    let mut bytes = decode(body);
    change(&mut bytes);
    format!("{before}-----BEGIN {label}-----\n{}-----END{after}", encode(&bytes))
}

fn openssl(arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().join("in"), dir.path().join("out"));
    std::fs::write(&from, input).unwrap();
    let mut command = std::process::Command::new("openssl");
    run(command.args(arguments).arg("-in").arg(&from).arg("-out").arg(&to)).ok();
    std::fs::read(to).unwrap()
}

fn decode(base64: &str) -> Vec<u8> {
    openssl(&["base64", "-d"], base64.as_bytes())
}

fn encode(bytes: &[u8]) -> String {
    String::from_utf8(openssl(&["base64"], bytes)).unwrap()
}

#[test]
fn an_imported_key_is_told_from_one_that_the_chip_made() {
    let service = service();
    let client = service.client();
    let (software, tpm) = (Keys(&client, ProviderId::SOFTWARE), Keys(&client, ProviderId::TPM));
    software.make("k", &ec()).unwrap();
    let data = software.export("k").unwrap();
    tpm.import("k", &ec(), &data).unwrap();
    tpm.import("public", &ec().public(), &software.public("k")).unwrap();
    parsec(&service, &format!("key attest k --provider tpm --nonce {NONCE} --out k.attest")).ok();
    let verify = format!("key verify-attestation k.attest --nonce {NONCE}");
    let refusal = parsec(&service, &verify).refused();
    assert!(refusal.contains("it was imported"), "{refusal}");
    let verdict = parsec(&service, &format!("{verify} --imported")).ok();
    assert!(verdict.contains("IMPORTED"), "{verdict}");
    let public = parsec(&service, "key attest public").refused();
    assert!(public.contains("public key"), "{public}");
    let elsewhere = parsec(&service, "key attest k --provider software").refused();
    assert!(elsewhere.contains("software provider has no CertifyKey"), "{elsewhere}");
    let long = parsec(&service, &format!("key attest k --provider tpm --nonce {NONCE}{NONCE}00")).refused();
    assert!(long.contains("up to 32"), "{long}");
}

#[test]
fn a_quote_tells_the_registers_and_stands_up_to_tpm2_checkquote() {
    if program("tpm2_checkquote").is_none() {
        return;
    }
    let mut service = service();
    let quote = |service: &Service| {
        parsec(service, &format!("quote --pcrs 16,0,7 --nonce {NONCE} --out quote")).ok();
        parsec(service, &format!("key verify-attestation quote --nonce {NONCE} --ak-out ak.pem")).ok()
    };
    let before = quote(&service);
    let zero = "0".repeat(64);
    assert!(before.contains(&format!("16  {zero}")), "{before}");
    tool(&mut service, "tpm2_pcrextend 16:sha256=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855").ok();
    let after = quote(&service);
    assert!(!after.contains(&format!("16  {zero}")) && after.contains(&format!(" 7  {zero}")), "{after}");

    let pem = String::from_utf8(read(&service, "quote")).unwrap();
    write(&service, "message", &block(&pem, "TPMS ATTEST"));
    write(&service, "signature", &block(&pem, "TPMT SIGNATURE"));
    tool(&mut service, &format!("tpm2_checkquote -u ak.pem -m message -s signature -g sha256 -q {NONCE}")).ok();

    write(&service, "forged", altered(&pem, "TPM PCR", &|bytes| bytes[0] ^= 1).as_bytes());
    let forged = parsec(&service, &format!("key verify-attestation forged --nonce {NONCE}")).refused();
    assert!(forged.contains("not those that were quoted"), "{forged}");
    write(&service, "forged", (pem + "-----BEGIN TPMT PUBLIC-----\nAAAA\n-----END TPMT PUBLIC-----\n").as_bytes());
    let forged = parsec(&service, &format!("key verify-attestation forged --nonce {NONCE}")).refused();
    assert!(forged.contains("not about a key"), "{forged}");
    for (line, why) in [("--pcrs 24", "no PCR 24"), ("--pcrs 99", "no PCR 99"), ("--pcrs 0 --provider software", "no Quote")] {
        let refusal = parsec(&service, &format!("quote {line}")).refused();
        assert!(refusal.contains(why), "{line}: {refusal}");
    }
}

#[test]
fn the_password_of_the_endorsement_hierarchy_is_needed_for_attestation_alone() {
    if program("tpm2_changeauth").is_none() {
        return;
    }
    let mut service =
        Service::with_config(&format!("{CONFIG}{TPM}endorsement_hierarchy_auth = \"str:secret\"\nparameter_encryption = true\n"));
    let client = service.client();
    let keys = Keys(&client, ProviderId::TPM);
    keys.make("k", &ec()).unwrap();
    let refusal = prepare(&keys, "k", "").unwrap_err();
    assert_eq!(refusal.status(), Some(Status::PsaErrorHardwareFailure));
    assert!(refusal.to_string().contains("endorsement_hierarchy_auth"), "{refusal}");
    let refusal = parsec(&service, "key attest k").refused();
    assert!(refusal.contains("endorsement_hierarchy_auth"), "{refusal}");
    keys.ecdsa("k").unwrap();
    tool(&mut service, "tpm2_changeauth -c endorsement secret").ok();
    prepare(&keys, "k", "").unwrap();
    parsec(&service, "key attest k").ok();
}

#[test]
fn the_certificate_of_the_makers_is_told_where_there_is_one() {
    if program("tpm2_nvwrite").is_none() {
        return;
    }
    let mut service = service();
    let client = service.client();
    Keys(&client, ProviderId::TPM).make("k", &ec()).unwrap();
    let none = parsec(&service, "key attest k").ok();
    assert!(!none.contains("BEGIN CERTIFICATE"), "{none}");
    certify(&mut service);
    service.restart();
    parsec(&service, &format!("key attest k --nonce {NONCE} --out with")).ok();
    let with = String::from_utf8(read(&service, "with")).unwrap();
    assert_eq!(block(&with, "CERTIFICATE"), read(&service, "maker.der"));
    let verdict = parsec(&service, &format!("key verify-attestation with --nonce {NONCE}")).ok();
    assert!(verdict.contains("issued by CN=Maker"), "{verdict}");
}

/// Puts a certificate where the makers of TPMs put it, with zeros behind it as some do.
fn certify(service: &mut Service) {
    let request = "req -x509 -newkey rsa:2048 -nodes -subj /CN=Maker -keyout maker.key -outform DER -out maker.der";
    run(service.command("openssl").args(request.split(' '))).ok();
    let mut der = read(service, "maker.der");
    der.resize(der.len() + 64, 0);
    write(service, "index", &der);
    let attributes = "ownerread|ownerwrite|authread|authwrite|no_da";
    tool(service, &format!("tpm2_nvdefine 0x1c00002 -C o -s {} -a {attributes}", der.len())).ok();
    tool(service, "tpm2_nvwrite 0x1c00002 -C o -i index").ok();
}

#[test]
fn those_with_a_grant_may_ask_and_strangers_may_not() {
    if !tests::may_change_user() {
        return;
    }
    let service = service();
    Keys(&service.client(), ProviderId::TPM).make("k", &ec()).unwrap();
    let ask = || {
        let mut command = service.command(service.staged("parsec"));
        let owner = "key attest k --provider tpm --owner uid:0";
        run(tests::as_uid(&mut command, tests::STRANGER).args(owner.split(' ')))
    };
    let refusal = ask().refused();
    assert!(refusal.contains("may not use key 'k'"), "{refusal}");
    parsec(&service, &format!("key grant k uid:{}=sign", tests::STRANGER)).ok();
    assert!(ask().ok().contains("TPMS ATTEST"));
}
