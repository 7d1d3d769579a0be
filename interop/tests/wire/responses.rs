//! Every response, with every field set to something that is not its default.

use interface::operations as ours;
use parsec_interface::operations::list_providers::{ProviderInfo, Uuid};
use parsec_interface::operations::*;
use parsec_interface::requests::{AuthType, Opcode, ProviderId};
use parsec_interface::secrecy::Secret;

use super::{Compared, ec_attributes};

fn bytes(byte: u8) -> zeroize::Zeroizing<Vec<u8>> {
    vec![byte; 200].into()
}

#[test]
fn every_response() {
    let mut compared = Compared::default();
    core(&mut compared);
    empty(&mut compared);
    results(&mut compared);
    compared.all();
}

fn core(compared: &mut Compared) {
    let pong = ping::Result { wire_protocol_version_maj: 1, wire_protocol_version_min: 2 };
    compared.response::<ours::Ping>(NativeResult::Ping(pong));
    let provider = ProviderInfo {
        uuid: Uuid::parse_str("1c1139dc-ad7c-47dc-ad6b-db6fdb466552").unwrap(),
        description: "description".to_owned(),
        vendor: "vendor".to_owned(),
        version_maj: 1,
        version_min: 2,
        version_rev: 3,
        id: ProviderId::Tpm,
    };
    let providers = vec![provider.clone(), ProviderInfo { id: ProviderId::Core, ..provider }];
    compared.response::<ours::ListProviders>(NativeResult::ListProviders(list_providers::Result { providers }));
    let opcodes = [Opcode::Ping, Opcode::CanDoCrypto, Opcode::PsaSignHash].into();
    compared.response::<ours::ListOpcodes>(NativeResult::ListOpcodes(list_opcodes::Result { opcodes }));
    let authenticators = vec![list_authenticators::AuthenticatorInfo {
        description: "description".to_owned(),
        version_maj: 1,
        version_min: 2,
        version_rev: 3,
        id: AuthType::UnixPeerCredentials,
    }];
    compared
        .response::<ours::ListAuthenticators>(NativeResult::ListAuthenticators(list_authenticators::Result { authenticators }));
    let keys =
        vec![list_keys::KeyInfo { provider_id: ProviderId::Pkcs11, name: "a key".to_owned(), attributes: ec_attributes() }; 2];
    compared.response::<ours::ListKeys>(NativeResult::ListKeys(list_keys::Result { keys }));
    let clients = vec!["one".to_owned(), "another".to_owned()];
    compared.response::<ours::ListClients>(NativeResult::ListClients(list_clients::Result { clients }));
}

fn empty(compared: &mut Compared) {
    compared.response::<ours::DeleteClient>(NativeResult::DeleteClient(delete_client::Result));
    compared.response::<ours::GenerateKey>(NativeResult::PsaGenerateKey(psa_generate_key::Result));
    compared.response::<ours::ImportKey>(NativeResult::PsaImportKey(psa_import_key::Result));
    compared.response::<ours::DestroyKey>(NativeResult::PsaDestroyKey(psa_destroy_key::Result));
    compared.response::<ours::VerifyHash>(NativeResult::PsaVerifyHash(psa_verify_hash::Result));
    compared.response::<ours::VerifyMessage>(NativeResult::PsaVerifyMessage(psa_verify_message::Result));
    compared.response::<ours::HashCompare>(NativeResult::PsaHashCompare(psa_hash_compare::Result));
    compared.response::<ours::CanDoCrypto>(NativeResult::CanDoCrypto(can_do_crypto::Result));
}

fn results(compared: &mut Compared) {
    compared.response::<ours::ExportKey>(NativeResult::PsaExportKey(psa_export_key::Result { data: Secret::new(vec![7; 32]) }));
    compared
        .response::<ours::ExportPublicKey>(NativeResult::PsaExportPublicKey(psa_export_public_key::Result { data: bytes(1) }));
    compared.response::<ours::SignHash>(NativeResult::PsaSignHash(psa_sign_hash::Result { signature: bytes(1) }));
    compared.response::<ours::SignMessage>(NativeResult::PsaSignMessage(psa_sign_message::Result { signature: bytes(1) }));
    let (plaintext, ciphertext) = (bytes(1), bytes(2));
    compared
        .response::<ours::AsymmetricEncrypt>(NativeResult::PsaAsymmetricEncrypt(psa_asymmetric_encrypt::Result { ciphertext }));
    compared
        .response::<ours::AsymmetricDecrypt>(NativeResult::PsaAsymmetricDecrypt(psa_asymmetric_decrypt::Result { plaintext }));
    let (plaintext, ciphertext) = (bytes(1), bytes(2));
    compared.response::<ours::AeadEncrypt>(NativeResult::PsaAeadEncrypt(psa_aead_encrypt::Result { ciphertext }));
    compared.response::<ours::AeadDecrypt>(NativeResult::PsaAeadDecrypt(psa_aead_decrypt::Result { plaintext }));
    let (plaintext, ciphertext) = (bytes(1), bytes(2));
    compared.response::<ours::CipherEncrypt>(NativeResult::PsaCipherEncrypt(psa_cipher_encrypt::Result { ciphertext }));
    compared.response::<ours::CipherDecrypt>(NativeResult::PsaCipherDecrypt(psa_cipher_decrypt::Result { plaintext }));
    compared.response::<ours::HashCompute>(NativeResult::PsaHashCompute(psa_hash_compute::Result { hash: bytes(1) }));
    compared.response::<ours::GenerateRandom>(NativeResult::PsaGenerateRandom(psa_generate_random::Result {
        random_bytes: bytes(1),
    }));
    let shared_secret = Secret::new(vec![7; 32]);
    compared.response::<ours::RawKeyAgreement>(NativeResult::PsaRawKeyAgreement(psa_raw_key_agreement::Result { shared_secret }));

    let credential = bytes(1);
    compared.response::<ours::AttestKey>(NativeResult::AttestKey(attest_key::Result::ActivateCredential { credential }));
    let prepared =
        prepare_key_attestation::Result::ActivateCredential { name: bytes(1), public: bytes(2), attesting_key_pub: bytes(3) };
    compared.response::<ours::PrepareKeyAttestation>(NativeResult::PrepareKeyAttestation(prepared));
}
