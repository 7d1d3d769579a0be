//! Frames, both ways.

use crate::seed;
use interface::algorithm::{
    Aead, AeadKind, Agreement, Algorithm, Cipher, Encryption, Hash, Kem, KeyAgreement, Mac, MacKind, SignHash as Digest,
    Signature,
};
use interface::attributes::{Attributes, EccFamily, KeyType, Policy, Usage};
use interface::message::Pkcs11Attribute;
use interface::operations::*;
use interface::wire::Header;
use interface::{AuthType, Operation, ProviderId, Status};
use prost::Message;

pub(crate) fn write() {
    keys();
    crypto();
    store();
    core();
    responses();
}

fn attributes(key_type: KeyType, bits: u32, algorithm: impl Into<Algorithm>) -> Attributes {
    let also = vec![Cipher::Ctr.into(), Signature::RsaPss { hash: Digest::Any }.into()];
    Attributes { key_type, bits, policy: Policy { usage: Usage::ALL, algorithm: algorithm.into(), also } }
}

fn ecdsa() -> Signature {
    Signature::Ecdsa { hash: Digest::Specific(Hash::Sha256) }
}

fn pair() -> Attributes {
    attributes(KeyType::EccKeyPair(EccFamily::SecpR1), 256, ecdsa())
}

fn kept() -> Vec<Pkcs11Attribute> {
    vec![Pkcs11Attribute { kind: 0x102, value: vec![1, 2, 3] }]
}

/// The file of a request, named after its operation.
fn request<O: Operation>(provider: ProviderId, op: &O) {
    let (body, auth) = (op.encode_to_vec(), 1000_u32.to_le_bytes());
    let header = Header {
        auth_type: AuthType::UnixPeerCredentials as u8,
        body_len: body.len().try_into().unwrap(),
        auth_len: 4,
        ..Header::request(provider, O::OPCODE)
    };
    let mut frame = Vec::new();
    header.encode(&mut frame);
    seed("requests", &format!("{:?}", O::OPCODE), [frame, body, auth.to_vec()].concat());
}

/// The file of an answer, named after its operation.
fn response<O: Operation>(status: Status, body: &[u8]) {
    let request = Header::request(ProviderId::SOFTWARE, O::OPCODE);
    let header = Header { status: status as u16, body_len: body.len().try_into().unwrap(), ..request };
    let mut frame = Vec::new();
    header.encode(&mut frame);
    seed("responses", &format!("{:?}-{}", O::OPCODE, status as u16), [&frame[..], body].concat());
}

fn answer<O: Operation>(output: &O::Output) {
    response::<O>(Status::Success, &output.encode_to_vec());
}

fn keys() {
    let (key_name, label, id) = ("web".to_owned(), Some("Web".to_owned()), Some(vec![1, 2]));
    let (with_name, owner) = ("wrapper".to_owned(), Some("uid:33".to_owned()));
    let generate = GenerateKey {
        key_name: key_name.clone(),
        attributes: Some((&pair()).into()),
        label,
        id,
        pkcs11: kept(),
        ..GenerateKey::default()
    };
    request(ProviderId::SOFTWARE, &generate);
    let rsa = attributes(KeyType::RsaKeyPair, 0, Encryption::RsaOaep { hash: Hash::Sha1 });
    let import = ImportKey {
        key_name: key_name.clone(),
        attributes: Some((&rsa).into()),
        data: vec![0x30; 40],
        label: None,
        id: None,
        volatile: true,
        pkcs11: vec![],
    };
    request(ProviderId::SOFTWARE, &import);
    request(ProviderId::TPM, &DestroyKey { key_name: key_name.clone(), owner: owner.clone() });
    let alg = Some(Algorithm::Cipher(Cipher::KeyWrapPadded).into());
    let wrap = WrapKey {
        key_name: key_name.clone(),
        with_name: with_name.clone(),
        alg,
        iv: Some(vec![7; 16]),
        salt: b"label".to_vec(),
        owner,
        with_owner: None,
    };
    request(ProviderId::SOFTWARE, &wrap);
    let secret = attributes(KeyType::Aes, 128, Aead { kind: AeadKind::Gcm, tag_len: Some(12) });
    let secret = Some((&secret).into());
    let unwrap = UnwrapKey {
        key_name: key_name.clone(),
        attributes: secret.clone(),
        data: vec![9; 24],
        with_name: with_name.clone(),
        alg,
        ..UnwrapKey::default()
    };
    request(ProviderId::SOFTWARE, &unwrap);
    let derive = DeriveKey {
        key_name: key_name.clone(),
        attributes: secret.clone(),
        with_name: with_name.clone(),
        alg: Some(Algorithm::Agreement(KeyAgreement::Raw(Agreement::Ecdh)).into()),
        peer_key: vec![4; 65],
        salt: vec![1],
        other_name: Some("other".to_owned()),
        step: Some(1),
        ..DeriveKey::default()
    };
    request(ProviderId::SOFTWARE, &derive);
    let copy = CopyKey {
        key_name: key_name.clone(),
        attributes: Some((&pair()).into()),
        of: with_name.clone(),
        of_uuid: "0".repeat(32),
        ..CopyKey::default()
    };
    request(ProviderId::SOFTWARE, &copy);
    let alg = Some(Algorithm::Kem(Kem::MlKem).into());
    let encapsulate = Encapsulate { key_name, attributes: secret, with_name: with_name.clone(), alg, ..Encapsulate::default() };
    request(ProviderId::SOFTWARE, &encapsulate);
    request(ProviderId::SOFTWARE, &Decapsulate { with_name, alg, ciphertext: vec![3; 32], ..Decapsulate::default() });
}

fn crypto() {
    let (key_name, owner) = ("web".to_owned(), Some("uid:0".to_owned()));
    let (alg, hash) = (Some(ecdsa().into()), vec![1; 32]);
    let sign = SignHash { key_name: key_name.clone(), alg, hash, owner: owner.clone(), context: vec![] };
    request(ProviderId::TPM, &sign);
    let alg = Some(Signature::RsaPssWith { hash: Hash::Sha256, mgf: Hash::Sha1, salt_len: 20 }.into());
    let (message, signature) = (b"message".to_vec(), vec![2; 64]);
    let verify = VerifyMessage { key_name: key_name.clone(), alg, message, signature, owner: owner.clone(), context: vec![1] };
    request(ProviderId::SOFTWARE, &verify);
    let alg = Some(Encryption::RsaOaepWith { hash: Hash::Sha256, mgf: Hash::Sha1 }.into());
    let (plaintext, salt) = (b"text".to_vec(), b"label".to_vec());
    request(ProviderId::SOFTWARE, &AsymmetricEncrypt { key_name: key_name.clone(), alg, plaintext, salt, owner: owner.clone() });
    let seal = AeadEncrypt {
        key_name: key_name.clone(),
        alg: Some(Aead { kind: AeadKind::Ccm, tag_len: Some(8) }.into()),
        nonce: vec![5; 12],
        additional_data: b"more".to_vec(),
        plaintext: b"text".to_vec(),
        owner: owner.clone(),
    };
    request(ProviderId::SOFTWARE, &seal);
    let encrypt = CipherEncrypt {
        key_name: key_name.clone(),
        alg: Cipher::CbcPkcs7.into(),
        plaintext: vec![0; 16],
        owner: None,
        iv: Some(vec![6; 16]),
    };
    request(ProviderId::SOFTWARE, &encrypt);
    let alg = Some(Mac { kind: MacKind::Hmac { hash: Hash::Sha512 }, len: Some(12) }.into());
    request(ProviderId::SOFTWARE, &MacCompute { key_name: key_name.clone(), alg, input: b"text".to_vec(), owner: None });
    let agree = RawKeyAgreement { alg: Agreement::Ecdh.into(), key_name, peer_key: vec![4; 65], owner: None };
    request(ProviderId::SOFTWARE, &agree);
    request(ProviderId::SOFTWARE, &HashCompute { alg: Hash::Sha3_256.into(), input: b"abc".to_vec() });
    request(ProviderId::SOFTWARE, &GenerateRandom { size: 32 });
    let can = CanDoCrypto { check_type: CheckType::Generate.into(), attributes: Some((&pair()).into()) };
    request(ProviderId::SOFTWARE, &can);
}

fn store() {
    let find = Find {
        kind: Some(RecordKind::Certificate.into()),
        owner: Some("uid:33".to_owned()),
        id: Some(vec![1, 2]),
        pkcs11: kept(),
        key_types: vec![KeyType::Aes.into()],
        limit: 7,
        after: Some("web".to_owned()),
        ..Find::default()
    };
    request(ProviderId::SOFTWARE, &find);
    let (kind, name, value) = (RecordKind::Data.into(), "notes".to_owned(), b"value".to_vec());
    request(ProviderId::SOFTWARE, &PutObject { kind, name, value, pkcs11: kept(), ..PutObject::default() });
    let grant = Grant {
        key_name: "web".to_owned(),
        principal: "unit:nginx.service".to_owned(),
        usage: Some(Usage::SIGN.into()),
        owner: None,
    };
    request(ProviderId::SOFTWARE, &grant);
    let pin = Some(Pin { value: b"1234".to_vec() });
    request(ProviderId::SOFTWARE, &SetPin { role: Role::User.into(), new: pin.clone(), old: pin });
    request(ProviderId::CORE, &Accept { owner: "uid:0".to_owned(), verdict: Verdict::Accepted.into(), callers: None });
}

fn core() {
    request(ProviderId::CORE, &Ping {});
    request(ProviderId::CORE, &Hello { version: 1, client: "client 0.1".to_owned(), application: vec![1; 16] });
    let names = PrepareActivateCredential { attested_key_name: "web".to_owned(), ..PrepareActivateCredential::default() };
    let parameters = Some(PrepareParams { mechanism: Some(prepare_params::Mechanism::ActivateCredential(names)) });
    request(ProviderId::TPM, &PrepareKeyAttestation { parameters });
}

fn responses() {
    let record = Record {
        kind: RecordKind::Key.into(),
        uuid: "0".repeat(32),
        owner: "uid:0".to_owned(),
        name: "web".to_owned(),
        label: "Web".to_owned(),
        id: vec![1, 2],
        attributes: Some((&pair()).into()),
        public_key: vec![4; 65],
        usage: Some(Usage::ALL.into()),
        tier: Tier::Hardware.into(),
        created: 1_700_000_000,
        pkcs11: kept(),
        past: Some(Usage::SIGN.into()),
        ..Record::default()
    };
    answer::<LookupKey>(&record);
    answer::<Find>(&Found {
        records: vec![record.clone(), record],
        more: true,
        next: Some("web".to_owned()),
        public_halves: true,
        everyone: true,
    });
    let key = KeyInfo { provider_id: 1, name: "web".to_owned(), attributes: Some((&pair()).into()) };
    answer::<ListKeys>(&Keys { keys: vec![key.clone(), key] });
    let info = ProviderInfo { uuid: "0".repeat(36), description: "software".to_owned(), id: 1, ..ProviderInfo::default() };
    answer::<ListProviders>(&Providers { providers: vec![info] });
    answer::<ListOpcodes>(&Opcodes { opcodes: vec![1, 2, 0x8000] });
    answer::<SignHash>(&Signed { signature: vec![1; 64] });
    answer::<ExportKey>(&Exported { data: vec![0x30; 40] });
    answer::<GenerateRandom>(&Random { random_bytes: vec![7; 32] });
    let pin = Some(PinState { failures: 1, wait: 5, locked: false, last_try: true });
    answer::<TokenStatus>(&Token { label: Some("token".to_owned()), user: pin.clone(), officer: pin });
    let (version, service, principal) = (1, "parsec".to_owned(), "uid:0".to_owned());
    answer::<Hello>(&Welcome { version, service, principal, body_limit: 1 << 20, former_user: String::new() });
    let statement = Statement { attest: vec![0xff; 40], signature: vec![1; 72], ..Statement::default() };
    answer::<Quote>(&Quoted { statement: Some(statement.clone()), values: vec![vec![0; 32]; 2] });
    answer::<CertifyKey>(&Certified { statement: Some(statement), public: vec![0; 50] });
    answer::<GenerateKey>(&Default::default());
    response::<GenerateKey>(Status::PsaErrorAlreadyExists, "there is a key 'web'".as_bytes());
}
