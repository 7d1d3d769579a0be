//! A store with software keys of every kind, made in every way, of several owners.

use std::fs;
use std::path::Path;

use interface::ProviderId;
use interface::algorithm::{Agreement, Algorithm, Cipher, Derivation, Encryption, Hash, SignHash, Signature};
use interface::attributes::{Attributes, DhFamily, EccFamily, KeyType, Policy, Usage};
use interface::client::Identity;
use interface::message::Pkcs11Attribute;
use interface::operations::{CopyKey, DeriveKey, GenerateKey, Login, Pin, RecordKind, Role, SetMetadata};
use tests::{APPLICATION, OFFICER_PIN, PIN, STRANGER, TENANT, acting};

use crate::proofs::{Session, Wrapping};
use crate::{Desk, config};

const SOFTWARE: ProviderId = ProviderId::SOFTWARE;

/// Kinds of key that the command line makes.
const KINDS: &[&str] = &[
    "p256",
    "p384",
    "p521",
    "secp256k1",
    "ed25519",
    "ed448",
    "ml-dsa-44",
    "ml-dsa-65",
    "ml-dsa-87",
    "rsa-2048",
    "rsa-3072",
    "x25519",
    "ml-kem-512",
    "ml-kem-768",
    "ml-kem-1024",
    "aes-128",
    "aes-256",
    "chacha20",
    "hmac-sha256",
];

/// Granted to a stranger: on each of them what it says.
const GRANTED: &[(&str, &str)] = &[
    ("of-rsa-2048", "sign"),
    ("of-ed25519", "sign,verify"),
    ("of-hmac-sha256", "sign"),
    ("of-x25519", "derive"),
    ("of-aes-256", "encrypt"),
    ("of-aes-128", "encrypt,decrypt"),
    ("sealed", "decrypt"),
    ("wrap-kw", "unwrap"),
    ("open", "export"),
    ("of-ml-dsa-65", "use"),
];

const ECDSA: Algorithm = Algorithm::Signature(Signature::Ecdsa { hash: SignHash::Any });
const DSA: Algorithm = Algorithm::Signature(Signature::Dsa { hash: SignHash::Any });
/// Clears the screen of whoever prints it raw.
const LABEL: &str = "white \u{1b}[2J ctr";
const TRUSTED: u64 = 0x86;
const WRAP_WITH_TRUSTED: u64 = 0x210;

pub(crate) fn keep(folder: &Path) {
    let references = folder.join("references");
    fs::create_dir(&references).unwrap();
    let mut desk = Desk::start(&config());
    by_the_command_line(&desk);
    by_the_module(&desk);
    by_openssl(&desk);
    by_clients(&desk);
    for (name, usage) in GRANTED {
        desk.parsec(&format!("key grant {name} uid:{STRANGER}={usage} app:{APPLICATION}=verify"));
    }
    of_others(&mut desk);
    for name in ["web", "of-rsa-2048", "of-ed25519", "of-p384", "genpkey-ec", "genpkey-pss", "sealed"] {
        desk.refer(&references, name, "software");
    }
    let conf = desk.service.openssl_conf();
    fs::write(folder.join("openssl.cnf"), fs::read_to_string(conf).unwrap().replace(desk.path("").to_str().unwrap(), "{dir}/"))
        .unwrap();

    desk.service.restart();
    let store = folder.join("software");
    fs::create_dir(&store).unwrap();
    record(&desk, &store);
    desk.close(&config(), &store);
}

fn by_the_command_line(desk: &Desk) {
    desk.parsec(&format!("key new web --for tls-server --id 01 --label www --grant uid:{STRANGER}=sign"));
    desk.parsec("key csr web --self-signed --cn web.example --days 36500 --out web.crt");
    desk.parsec("cert put web web.crt");
    for kind in KINDS {
        desk.parsec(&format!("key new of-{kind} --algorithm {kind}"));
    }
    desk.parsec("key new sealed --for encryption --algorithm rsa-2048");
    desk.parsec("key new open --algorithm aes-256 --exportable");
    desk.openssl("genpkey -algorithm ED25519 -out imported.pem");
    desk.parsec("key import imported imported.pem");
    fs::write(desk.path("raw"), [7; 32]).unwrap();
    desk.parsec("key import imported-hmac raw --raw hmac-sha256");
}

fn by_the_module(desk: &Desk) {
    for (id, key) in [
        ("10", "--keygen --key-type AES:32 --usage-wrap --label wrap-kw"),
        ("11", "--keygen --key-type AES:32 --usage-wrap --label wrap-cbc"),
        ("12", "--keypairgen --key-type rsa:2048 --usage-wrap --label wrap-rsa"),
        ("13", "--keygen --key-type AES:32 --sensitive --extractable --label sensitive"),
        ("14", "--keypairgen --key-type EC:prime256v1 --label token-ec"),
        ("15", "--keypairgen --key-type EC:edwards25519 --label token-ed"),
        ("16", "--keypairgen --key-type rsa:2048 --label token-rsa"),
        ("17", "--keypairgen --key-type EC:secp384r1 --usage-derive --label token-ecdh"),
        ("18", "--keygen --key-type GENERIC:32 --usage-sign --label token-hmac"),
        ("20", "--keygen --key-type AES:32 --extractable --label plain"),
        ("19", "--keypairgen --key-type EC:prime256v1 --always-auth --label token-asks"),
    ] {
        desk.tool(&format!("{key} --id {id}"));
    }
    desk.parsec("key csr token-ec --self-signed --cn token.example --days 36500 --out token.crt");
    desk.openssl("x509 -in token.crt -outform DER -out token.der");
    desk.tool("--write-object token.der --type cert --label token-ec --id 14");
    desk.openssl("genpkey -algorithm EC -pkeyopt group:P-256 -out peer.pem");
    desk.openssl("pkey -in peer.pem -pubout -outform DER -out peer.der");
    desk.tool("--write-object peer.der --type pubkey --label peer --id 21");
    fs::write(desk.path("note"), b"a note").unwrap();
    desk.tool("--write-object note --type data --label note --application-label notes");
}

fn by_openssl(desk: &Desk) {
    let genpkey = "genpkey -propquery provider=parsec -algorithm";
    desk.openssl(&format!("{genpkey} EC -pkeyopt group:P-256 -pkeyopt parsec-name:genpkey-ec -out genpkey.pem"));
    desk.openssl(&format!("{genpkey} RSA-PSS -pkeyopt parsec-name:genpkey-pss -out genpkey.pem"));
}

fn attributes(key_type: KeyType, bits: u32, usage: Usage, algorithm: Algorithm) -> Option<interface::message::KeyAttributes> {
    Some((&Attributes { key_type, bits, policy: Policy { usage, algorithm, also: Vec::new() } }).into())
}

/// What no program of ours makes.
fn by_clients(desk: &Desk) {
    let client = desk.service.client();
    let both = Usage::ENCRYPT | Usage::DECRYPT;
    for (name, key_type, bits, usage, algorithm) in [
        ("des", KeyType::Des, 192, both, Cipher::CbcPkcs7.into()),
        ("p192", KeyType::EccKeyPair(EccFamily::SecpR1), 192, Usage::SIGN | Usage::VERIFY, ECDSA),
        ("base", KeyType::Derive, 256, Usage::DERIVE, Algorithm::Derivation(Derivation::Hkdf { hash: Hash::Sha256 })),
        ("dsa", KeyType::DsaKeyPair, 1024, Usage::SIGN | Usage::VERIFY, DSA),
        ("dh", KeyType::DhKeyPair(DhFamily::Own), 1024, Usage::DERIVE, Agreement::Ffdh.into()),
        ("ctr", KeyType::Aes, 128, both | Usage::COPY, Cipher::Ctr.into()),
    ] {
        let (key_name, attributes) = (name.to_owned(), attributes(key_type, bits, usage, algorithm));
        client.call(SOFTWARE, &GenerateKey { key_name, attributes, ..GenerateKey::default() }).unwrap();
    }
    let label = SetMetadata {
        kind: RecordKind::Key.into(),
        name: "ctr".to_owned(),
        label: Some(LABEL.to_owned()),
        ..SetMetadata::default()
    };
    client.call(SOFTWARE, &label).unwrap();
    let copy = attributes(KeyType::Aes, 128, both, Cipher::Ctr.into());
    client
        .call(SOFTWARE, &CopyKey { key_name: "copy".to_owned(), attributes: copy, of: "ctr".to_owned(), ..CopyKey::default() })
        .unwrap();
    client
        .call(
            SOFTWARE,
            &DeriveKey {
                key_name: "derived".to_owned(),
                attributes: attributes(KeyType::Aes, 256, both, Cipher::Ctr.into()),
                with_name: "base".to_owned(),
                alg: Some(Algorithm::Derivation(Derivation::Hkdf { hash: Hash::Sha256 }).into()),
                data: b"info".to_vec(),
                ..DeriveKey::default()
            },
        )
        .unwrap();
}

/// Of a user with PINs, who has granted a key, and of an application.
fn of_others(desk: &mut Desk) {
    desk.uid = TENANT;
    pins(desk, "");
    desk.parsec(&format!("key grant web uid:{STRANGER}=sign"));
    desk.parsec("cert put authority web.crt");
    let client = desk.service.client();
    acting(TENANT, || {
        let pin = |value: &str| Some(Pin { value: value.into() });
        client.call(SOFTWARE, &Login { role: Role::Officer.into(), pin: pin(OFFICER_PIN) }).unwrap();
        for (record, name, kind) in [
            (RecordKind::Key, "trusted", TRUSTED),
            (RecordKind::Key, "guarded", WRAP_WITH_TRUSTED),
            (RecordKind::Certificate, "authority", TRUSTED),
        ] {
            let pkcs11 = vec![Pkcs11Attribute { kind, value: vec![1] }];
            let mark = SetMetadata { kind: record.into(), name: name.to_owned(), pkcs11, ..SetMetadata::default() };
            client.call(SOFTWARE, &mark).unwrap();
        }
    });
    let mut wrong = desk.service.pkcs11_tool(["--login", "--pin", "0000", "-O"]);
    tests::run(tests::as_uid(&mut wrong, TENANT)).refused();
    desk.uid = 0;
    for line in ["key new web --for tls-server", "key new aes --algorithm aes-256"] {
        desk.run(desk.service.parsec(line.split(' ')).env("PARSEC_APP_NAME", APPLICATION));
    }
}

/// Initialises the caller's token in a slot and makes keys behind its PIN.
pub(crate) fn pins(desk: &Desk, slot: &str) {
    let tool = |line: &str| desk.tool(&format!("{slot}{line}"));
    tool(&format!("--init-token --label pinned --so-pin {OFFICER_PIN}"));
    tool(&format!("--init-pin --login --login-type so --so-pin {OFFICER_PIN} --new-pin {PIN}"));
    let user = |line: &str| tool(&format!("--login --pin {PIN} {line}"));
    user("--keypairgen --key-type EC:prime256v1 --label web --id 01");
    if slot.is_empty() {
        user("--keygen --key-type AES:32 --usage-wrap --label trusted --id 02");
        user("--keygen --key-type AES:32 --sensitive --extractable --label guarded --id 03");
    }
}

fn record(desk: &Desk, store: &Path) {
    let application = Identity::Direct(APPLICATION.to_owned());
    let open = |identity: &Identity| Session::greeted(&desk.service, identity.clone());
    let as_tenant = || acting(TENANT, || open(&Identity::User));
    let (mut root, mut tenant) = (open(&Identity::User), as_tenant());

    let mut upstreams = Session::open(&desk.service, Identity::User);
    upstreams.upstreams(&mut root, SOFTWARE);
    upstreams.write(&store.join("0-upstream"));

    let mut session = open(&Identity::User);
    session.everything(SOFTWARE, "uid:0");
    session.proofs(&mut root, SOFTWARE, "uid:0", false);
    for (with, algorithm, key) in [
        ("wrap-kw", Cipher::KeyWrap.into(), "sensitive"),
        ("wrap-cbc", Cipher::CbcPkcs7.into(), "plain"),
        ("wrap-rsa", Algorithm::Encryption(Encryption::RsaPkcs1v15), "plain"),
    ] {
        session.unwraps(SOFTWARE, &Wrapping { with, algorithm, key });
    }
    session.write(&store.join("0-root"));

    let mut session = open(&application);
    let own = format!("app:{APPLICATION}");
    session.everything(SOFTWARE, &own);
    session.proofs(&mut open(&application), SOFTWARE, &own, false);
    session.write(&store.join("0-application"));

    let mut session = as_tenant();
    let own = format!("uid:{TENANT}");
    session.everything(SOFTWARE, &own);
    session.proofs(&mut tenant, SOFTWARE, &own, false);
    session.unwraps(SOFTWARE, &Wrapping { with: "trusted", algorithm: Cipher::KeyWrap.into(), key: "guarded" });
    session.write(&store.join(format!("{TENANT}-tenant")));

    let mut grantee = acting(STRANGER, || open(&Identity::User));
    grantee.proofs(&mut root, SOFTWARE, "uid:0", true);
    grantee.proofs(&mut tenant, SOFTWARE, &format!("uid:{TENANT}"), true);
    grantee.write(&store.join(format!("{STRANGER}-grantee")));
}
