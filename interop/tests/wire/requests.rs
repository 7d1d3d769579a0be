//! Every request, with every field set to something that is not its default.

use interface::operations as ours;
use parsec_interface::operations::*;
use parsec_interface::requests::ProviderId;
use parsec_interface::secrecy::Secret;

use super::{Compared, ec_attributes};
use psa_algorithm::{
    Aead, AeadWithDefaultLengthTag, AsymmetricEncryption, AsymmetricSignature, Cipher, Hash, RawKeyAgreement, SignHash,
};

const SIGNATURE: AsymmetricSignature = AsymmetricSignature::RsaPss { hash_alg: SignHash::Specific(Hash::Sha384) };
const OAEP: AsymmetricEncryption = AsymmetricEncryption::RsaOaep { hash_alg: Hash::Sha512 };
const AEAD: Aead = Aead::AeadWithShortenedTag { aead_alg: AeadWithDefaultLengthTag::Gcm, tag_length: 12 };

fn name() -> String {
    "a key".to_owned()
}

fn bytes(byte: u8) -> zeroize::Zeroizing<Vec<u8>> {
    vec![byte; 200].into()
}

#[test]
fn every_request() {
    let mut compared = Compared::default();
    core(&mut compared);
    keys(&mut compared);
    signatures(&mut compared);
    encryption(&mut compared);
    others(&mut compared);
    compared.all();
}

fn core(compared: &mut Compared) {
    compared.request::<ours::Ping>(NativeOperation::Ping(ping::Operation));
    compared.request::<ours::ListProviders>(NativeOperation::ListProviders(list_providers::Operation));
    compared.request::<ours::ListOpcodes>(NativeOperation::ListOpcodes(list_opcodes::Operation { provider_id: ProviderId::Tpm }));
    compared.request::<ours::ListAuthenticators>(NativeOperation::ListAuthenticators(list_authenticators::Operation));
    compared.request::<ours::ListKeys>(NativeOperation::ListKeys(list_keys::Operation));
    compared.request::<ours::ListClients>(NativeOperation::ListClients(list_clients::Operation));
    compared.request::<ours::DeleteClient>(NativeOperation::DeleteClient(delete_client::Operation { client: "uid".to_owned() }));
}

fn keys(compared: &mut Compared) {
    let (key_name, attributes) = (name(), ec_attributes());
    compared.request::<ours::GenerateKey>(NativeOperation::PsaGenerateKey(psa_generate_key::Operation { key_name, attributes }));
    let import = psa_import_key::Operation { key_name: name(), attributes, data: Secret::new(vec![7; 32]) };
    compared.request::<ours::ImportKey>(NativeOperation::PsaImportKey(import));
    compared.request::<ours::DestroyKey>(NativeOperation::PsaDestroyKey(psa_destroy_key::Operation { key_name: name() }));
    compared.request::<ours::ExportKey>(NativeOperation::PsaExportKey(psa_export_key::Operation { key_name: name() }));
    compared.request::<ours::ExportPublicKey>(NativeOperation::PsaExportPublicKey(psa_export_public_key::Operation {
        key_name: name(),
    }));
    for check_type in [
        can_do_crypto::CheckType::Use,
        can_do_crypto::CheckType::Generate,
        can_do_crypto::CheckType::Import,
        can_do_crypto::CheckType::Derive,
    ] {
        compared.request::<ours::CanDoCrypto>(NativeOperation::CanDoCrypto(can_do_crypto::Operation { check_type, attributes }));
    }
}

fn signatures(compared: &mut Compared) {
    let (key_name, alg) = (name(), SIGNATURE);
    compared.request::<ours::SignHash>(NativeOperation::PsaSignHash(psa_sign_hash::Operation { key_name, alg, hash: bytes(1) }));
    let verify = psa_verify_hash::Operation { key_name: name(), alg, hash: bytes(1), signature: bytes(2) };
    compared.request::<ours::VerifyHash>(NativeOperation::PsaVerifyHash(verify));
    let sign = psa_sign_message::Operation { key_name: name(), alg, message: bytes(1) };
    compared.request::<ours::SignMessage>(NativeOperation::PsaSignMessage(sign));
    let verify = psa_verify_message::Operation { key_name: name(), alg, message: bytes(1), signature: bytes(2) };
    compared.request::<ours::VerifyMessage>(NativeOperation::PsaVerifyMessage(verify));
}

fn encryption(compared: &mut Compared) {
    let encrypt = psa_asymmetric_encrypt::Operation { key_name: name(), alg: OAEP, plaintext: bytes(1), salt: Some(bytes(2)) };
    compared.request::<ours::AsymmetricEncrypt>(NativeOperation::PsaAsymmetricEncrypt(encrypt));
    let decrypt = psa_asymmetric_decrypt::Operation { key_name: name(), alg: OAEP, ciphertext: bytes(1), salt: Some(bytes(2)) };
    compared.request::<ours::AsymmetricDecrypt>(NativeOperation::PsaAsymmetricDecrypt(decrypt));

    let (nonce, additional_data) = (bytes(1), bytes(2));
    let seal = psa_aead_encrypt::Operation { key_name: name(), alg: AEAD, nonce, additional_data, plaintext: bytes(3) };
    compared.request::<ours::AeadEncrypt>(NativeOperation::PsaAeadEncrypt(seal));
    let (nonce, additional_data) = (bytes(1), bytes(2));
    let open = psa_aead_decrypt::Operation { key_name: name(), alg: AEAD, nonce, additional_data, ciphertext: bytes(3) };
    compared.request::<ours::AeadDecrypt>(NativeOperation::PsaAeadDecrypt(open));

    let encrypt = psa_cipher_encrypt::Operation { key_name: name(), alg: Cipher::CbcPkcs7, plaintext: bytes(1) };
    compared.request::<ours::CipherEncrypt>(NativeOperation::PsaCipherEncrypt(encrypt));
    let decrypt = psa_cipher_decrypt::Operation { key_name: name(), alg: Cipher::CbcPkcs7, ciphertext: bytes(1) };
    compared.request::<ours::CipherDecrypt>(NativeOperation::PsaCipherDecrypt(decrypt));
}

fn others(compared: &mut Compared) {
    let alg = Hash::Sha3_512;
    compared.request::<ours::HashCompute>(NativeOperation::PsaHashCompute(psa_hash_compute::Operation { alg, input: bytes(1) }));
    let compare = psa_hash_compare::Operation { alg, input: bytes(1), hash: bytes(2) };
    compared.request::<ours::HashCompare>(NativeOperation::PsaHashCompare(compare));
    let random = psa_generate_random::Operation { size: 1 << 40 };
    compared.request::<ours::GenerateRandom>(NativeOperation::PsaGenerateRandom(random));
    let agree = psa_raw_key_agreement::Operation { alg: RawKeyAgreement::Ecdh, private_key_name: name(), peer_key: bytes(1) };
    compared.request::<ours::RawKeyAgreement>(NativeOperation::PsaRawKeyAgreement(agree));

    let (attested_key_name, attesting_key_name) = (name(), Some("another".to_owned()));
    let prepare = prepare_key_attestation::Operation::ActivateCredential { attested_key_name, attesting_key_name };
    compared.request::<ours::PrepareKeyAttestation>(NativeOperation::PrepareKeyAttestation(prepare));
    let (attested_key_name, attesting_key_name) = (name(), Some("another".to_owned()));
    let (credential_blob, secret) = (bytes(1), bytes(2));
    let attest = attest_key::Operation::ActivateCredential { attested_key_name, attesting_key_name, credential_blob, secret };
    compared.request::<ours::AttestKey>(NativeOperation::AttestKey(attest));
}
