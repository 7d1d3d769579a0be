//! The floods: what one user can do who means harm, each in the form that hurts most.

use std::time::Duration;

use interface::algorithm::{Agreement, Algorithm, Derivation, Hash, KeyAgreement, Signature};
use interface::attributes::{Attributes, DhFamily, EccFamily, KeyType, Policy, Usage};
use interface::message::Pkcs11Attribute;
use interface::operations::{
    DeriveKey, DestroyKey, ExportPublicKey, Exported, Find, GenerateKey, GenerateRandom, Grant, HashCompute, InitToken, ListKeys,
    ListProviders, Login, Pin, Ping, PutObject, RecordKind, Revoke, Role, SetMetadata, SetPin, SignHash, SignMessage,
};
use interface::{Operation, ProviderId, Status};
use prost::Message;
use tests::as_user;

use crate::enemy::Enemy;
use crate::line::{Line, named};
use crate::polite::ID;

const CORE: ProviderId = ProviderId::CORE;
const SOFTWARE: ProviderId = ProviderId::SOFTWARE;
/// Nearly the longest body that a service takes unless told otherwise.
const LONG: usize = (1 << 20) - 4096;

/// One thing that a user can do too much of.
pub(crate) struct Flood {
    /// For the command line.
    pub(crate) name: &'static str,
    /// For people.
    pub(crate) what: &'static str,
    /// So many at once.
    pub(crate) threads: usize,
    /// It waits for answers, or gets connections.
    pub(crate) answered: bool,
    /// The service believes names.
    pub(crate) direct: bool,
    /// The service's log goes to a pipe that nobody reads.
    pub(crate) unread_log: bool,
    /// Not in the idle class.
    pub(crate) own_priority: bool,
    /// Done once before.
    pub(crate) prepare: fn(&Enemy),
    /// Done over and over by each thread, which gets its number; ends when the service closes the connection.
    pub(crate) attack: fn(&Enemy, usize) -> std::io::Result<()>,
}

const NONE: Flood = Flood {
    name: "",
    what: "",
    threads: 1,
    answered: true,
    direct: false,
    unread_log: false,
    own_priority: false,
    prepare: |_| (),
    attack: |_, _| Ok(()),
};

/// Every flood, in the order of the table.
pub(crate) const FLOODS: &[Flood] = &[
    Flood {
        name: "busy",
        what: "no request: 2 busy loops at the same priority",
        threads: 2,
        answered: false,
        own_priority: true,
        attack: |_, _| burn(),
        ..NONE
    },
    Flood {
        name: "busy-idle",
        what: "no request: 2 busy loops in the idle class, like all that follow",
        threads: 2,
        answered: false,
        attack: |_, _| burn(),
        ..NONE
    },
    Flood {
        name: "pipeline",
        what: "RSA-2048 signatures, pipelined on one connection",
        prepare: |enemy| generate(enemy, "rsa", KeyType::RsaKeyPair, 2048, RSA),
        attack: |enemy, _| {
            let mut line = enemy.open()?;
            let mut answers = line.other_half()?;
            let request = as_user(SOFTWARE, &sign("rsa"));
            std::thread::scope(|scope| {
                scope.spawn(move || while line.send(&request).is_ok() {});
                loop {
                    enemy.answered(answers.answer()?);
                }
            })
        },
        ..NONE
    },
    Flood {
        name: "rsa4096",
        what: "RSA-4096 signatures on 64 connections",
        threads: 64,
        prepare: |enemy| generate(enemy, "rsa", KeyType::RsaKeyPair, 4096, RSA),
        attack: |enemy, _| each(enemy, SOFTWARE, &sign("rsa")),
        ..NONE
    },
    Flood {
        name: "mldsa",
        what: "ML-DSA-87 signatures on 64 connections",
        threads: 64,
        prepare: |enemy| generate(enemy, "pq", KeyType::MlDsaKeyPair, 256, Signature::MlDsa.into()),
        attack: |enemy, _| {
            let op = SignMessage {
                key_name: "pq".into(),
                alg: Some(Signature::MlDsa.into()),
                message: vec![1; 1000],
                ..SignMessage::default()
            };
            each(enemy, SOFTWARE, &op)
        },
        ..NONE
    },
    Flood {
        name: "p256",
        what: "P-256 signatures on 64 connections",
        threads: 64,
        prepare: |enemy| generate(enemy, "ec", P256, 256, ECDSA),
        attack: |enemy, _| {
            let alg = Some(Signature::Ecdsa { hash: Hash::Sha256.into() }.into());
            each(enemy, SOFTWARE, &SignHash { alg, ..sign("ec") })
        },
        ..NONE
    },
    Flood {
        name: "refused",
        what: "refused requests on 64 connections",
        threads: 64,
        attack: |enemy, _| each(enemy, SOFTWARE, &sign("no such key")),
        ..NONE
    },
    Flood {
        name: "unread-log",
        what: "refused requests on 64 connections, the log a pipe that nobody reads",
        threads: 64,
        unread_log: true,
        attack: |enemy, _| each(enemy, SOFTWARE, &sign("no such key")),
        ..NONE
    },
    Flood {
        name: "garbage",
        what: "connections that send what is no request, in 8 threads",
        threads: 8,
        attack: |enemy, _| loop {
            enemy.answered(Line::silent(&enemy.socket)?.ask(&[0xaa; 64])?);
        },
        ..NONE
    },
    Flood { name: "ping", what: "pings on 64 connections", threads: 64, attack: |enemy, _| each(enemy, CORE, &Ping {}), ..NONE },
    Flood {
        name: "auth",
        what: "requests with 64 KiB of authentication on 16 connections",
        threads: 16,
        attack: |enemy, _| {
            let mut line = enemy.open()?;
            let request = named(&"x".repeat(65_535), CORE, &Ping {});
            loop {
                enemy.answered(line.ask(&request)?);
            }
        },
        ..NONE
    },
    Flood {
        name: "bytes",
        what: "requests sent byte by byte on 16 connections",
        threads: 16,
        attack: |enemy, _| {
            let mut line = enemy.open()?;
            let request = as_user(CORE, &Ping {});
            loop {
                for byte in &request {
                    line.send(std::slice::from_ref(byte))?;
                }
                enemy.answered(line.answer()?);
            }
        },
        ..NONE
    },
    Flood {
        name: "abandoned",
        what: "RSA-4096 signatures that nobody waits for: 32 a connection, then it closes, in 16 threads",
        threads: 16,
        answered: false,
        prepare: |enemy| generate(enemy, "rsa", KeyType::RsaKeyPair, 4096, RSA),
        attack: |enemy, _| {
            let requests = as_user(SOFTWARE, &sign("rsa")).repeat(32);
            loop {
                Line::silent(&enemy.socket)?.send(&requests)?;
            }
        },
        ..NONE
    },
    Flood {
        name: "hash",
        what: "hashes of 1 MiB on 16 connections",
        threads: 16,
        attack: |enemy, _| each(enemy, SOFTWARE, &HashCompute { alg: Hash::Sha512.into(), input: vec![7; LONG] }),
        ..NONE
    },
    Flood {
        name: "connect-8",
        what: "connect and close in 8 threads",
        threads: 8,
        answered: false,
        attack: |enemy, _| loop {
            drop(Line::silent(&enemy.socket)?);
        },
        ..NONE
    },
    Flood {
        name: "connect-64",
        what: "connect and close in 64 threads",
        threads: 64,
        answered: false,
        attack: |enemy, _| loop {
            drop(Line::silent(&enemy.socket)?);
        },
        ..NONE
    },
    Flood {
        name: "connections",
        what: "as many connections as it gets, each with a volatile key",
        threads: 4,
        attack: |enemy, thread| {
            hold(enemy, |enemy| {
                let mut line = enemy.open()?;
                enemy.answered((Status::Success, Vec::new()));
                let volatile = GenerateKey { volatile: true, ..generation(&format!("v{thread}"), P256, 256, ECDSA) };
                line.send(&as_user(SOFTWARE, &volatile))?;
                Ok(line)
            })
        },
        ..NONE
    },
    Flood {
        name: "crowd",
        what: "as many connections as it gets, each always with an RSA-4096 signature to make",
        threads: 4,
        prepare: |enemy| generate(enemy, "rsa", KeyType::RsaKeyPair, 4096, RSA),
        attack: |enemy, _| {
            hold(enemy, |enemy| {
                let mut line = enemy.open()?;
                enemy.answered((Status::Success, Vec::new()));
                line.send(&as_user(SOFTWARE, &sign("rsa")).repeat(200))?;
                Ok(line)
            })
        },
        ..NONE
    },
    Flood {
        name: "unread",
        what: "1,000 connections that never read their answers",
        threads: 4,
        answered: false,
        attack: |enemy, _| {
            hold(enemy, |enemy| {
                let mut line = Line::silent(&enemy.socket)?;
                let request = [as_user(SOFTWARE, &GenerateRandom { size: 1 << 16 }), as_user(CORE, &ListProviders {})].concat();
                line.fill(&request)?;
                Ok(line)
            })
        },
        ..NONE
    },
    Flood {
        name: "half-sent",
        what: "1,000 requests that arrive a byte at a time",
        threads: 4,
        answered: false,
        attack: |enemy, _| {
            let request = as_user(SOFTWARE, &HashCompute { alg: Hash::Sha256.into(), input: vec![7; LONG] });
            let mut lines = Vec::new();
            for at in 0.. {
                lines.retain(|line: &(Line, usize)| !line.0.closed());
                if lines.len() < HELD / 4 {
                    let mut line = Line::silent(&enemy.socket)?;
                    line.send(&request[..LONG / 8])?;
                    lines.push((line, LONG / 8));
                    continue;
                }
                let count = lines.len();
                let (line, sent) = &mut lines[at % count];
                let _ = line.send(&request[*sent..=*sent]);
                *sent = (*sent + 1).min(LONG);
            }
            Ok(())
        },
        ..NONE
    },
    Flood {
        name: "find",
        what: "Find and ListKeys over many keys of its own, on 16 connections",
        threads: 16,
        prepare: many_keys,
        attack: |enemy, _| {
            let mut line = enemy.open()?;
            loop {
                enemy.ask(&mut line, SOFTWARE, &Find::default())?;
                enemy.ask(&mut line, CORE, &ListKeys {})?;
            }
        },
        ..NONE
    },
    Flood {
        name: "filters",
        what: "Find with 1 MiB of attributes on 8 connections",
        threads: 8,
        prepare: many_keys,
        attack: |enemy, _| {
            let kept = |kind: u64| Pkcs11Attribute { kind: 0x8000_0000 + kind, value: vec![1; 4] };
            each(enemy, SOFTWARE, &Find { pkcs11: (0..60_000).map(kept).collect(), ..Find::default() })
        },
        ..NONE
    },
    Flood {
        name: "generate",
        what: "64 generations of RSA-4096 keys at once",
        threads: 64,
        attack: |enemy, thread| {
            let mut line = enemy.open()?;
            let name = format!("rsa-{thread}");
            loop {
                enemy.ask(&mut line, SOFTWARE, &generation(&name, KeyType::RsaKeyPair, 4096, RSA))?;
                enemy.ask(&mut line, SOFTWARE, &DestroyKey { key_name: name.clone(), owner: None })?;
            }
        },
        answered: false,
        ..NONE
    },
    Flood {
        name: "dh",
        what: "Diffie-Hellman groups of 2056 and 4088 bits, searched on 8 connections",
        threads: 8,
        attack: |enemy, thread| {
            let bits = if thread % 2 == 0 { 2056 } else { 4088 };
            let own = KeyType::DhKeyPair(DhFamily::Own);
            each(
                enemy,
                SOFTWARE,
                &generation(&format!("dh-{thread}"), own, bits, Algorithm::Agreement(KeyAgreement::Raw(Agreement::Ffdh))),
            )
        },
        answered: false,
        ..NONE
    },
    Flood {
        name: "derive",
        what: "derivations of 512 MiB on 8 connections",
        threads: 8,
        prepare: |enemy| generate(enemy, "base", P256, 256, X963),
        attack: |enemy, thread| {
            let mut line = enemy.open()?;
            let op = ExportPublicKey { key_name: "base".into(), owner: None };
            let (_, body) = line.ask(&as_user(SOFTWARE, &op))?;
            let mut peer = Exported::decode(body.as_slice())?;
            let attributes = attributes(KeyType::Hmac, u32::MAX - 7, X963);
            let op = DeriveKey {
                key_name: format!("big-{thread}"),
                with_name: "base".into(),
                alg: Some(X963.into()),
                peer_key: std::mem::take(&mut peer.data),
                attributes: Some((&attributes).into()),
                ..DeriveKey::default()
            };
            each(enemy, SOFTWARE, &op)
        },
        answered: false,
        ..NONE
    },
    Flood {
        name: "make",
        what: "P-256 keys made and destroyed on 16 connections",
        threads: 16,
        attack: |enemy, thread| {
            let mut line = enemy.open()?;
            let name = format!("ec-{thread}");
            loop {
                enemy.ask(&mut line, SOFTWARE, &generation(&name, P256, 256, ECDSA))?;
                enemy.ask(&mut line, SOFTWARE, &DestroyKey { key_name: name.clone(), owner: None })?;
            }
        },
        ..NONE
    },
    Flood {
        name: "metadata",
        what: "SetMetadata with 95,000 attributes on 8 connections",
        threads: 8,
        prepare: |enemy| enemy.prepare(SOFTWARE, &object("data", vec![1])),
        attack: |enemy, _| {
            let kept = |kind: u64| Pkcs11Attribute { kind: 0x8000_0000 + kind, value: Vec::new() };
            let set = SetMetadata {
                kind: RecordKind::Data.into(),
                name: "data".into(),
                pkcs11: (0..95_000).map(kept).collect(),
                ..SetMetadata::default()
            };
            each(enemy, SOFTWARE, &set)
        },
        ..NONE
    },
    Flood {
        name: "objects",
        what: "PutObject of 1 MiB on 8 connections",
        threads: 8,
        attack: |enemy, thread| {
            let mut line = enemy.open()?;
            for number in 0.. {
                enemy.ask(&mut line, SOFTWARE, &object(&format!("{thread}-{}", number % 200), vec![7; LONG]))?;
            }
            Ok(())
        },
        ..NONE
    },
    Flood {
        name: "certificates",
        what: "searches among many certificates with the id of the polite user's key, on 8 connections",
        threads: 8,
        prepare: |enemy| {
            enemy.share(16, enemy.scale.keys / 4, |number| certificate(&format!("c-{number}")));
        },
        attack: |enemy, thread| {
            let mut line = enemy.open()?;
            for number in 0.. {
                enemy.ask(&mut line, SOFTWARE, &certificate(&format!("t-{thread}-{number}")))?;
                enemy.ask(&mut line, SOFTWARE, &Find { id: Some(ID.to_vec()), ..Find::default() })?;
            }
            Ok(())
        },
        ..NONE
    },
    Flood {
        name: "granted",
        what: "many keys with the id of the polite user's key granted to the polite user, then granted and revoked on 8 connections",
        threads: 8,
        prepare: |enemy| {
            let key = |number| format!("g-{number}");
            let count = enemy.scale.keys / 4;
            let id = || Some(ID.to_vec());
            enemy.share(16, count, |number| GenerateKey { id: id(), ..generation(&key(number), P256, 256, ECDSA) });
            enemy.share(16, count, |number| grant(&key(number)));
        },
        attack: |enemy, thread| {
            let mut line = enemy.open()?;
            let grant = grant(&format!("g-{thread}"));
            let revoke = Revoke { key_name: grant.key_name.clone(), principal: grant.principal.clone(), owner: None };
            loop {
                enemy.ask(&mut line, SOFTWARE, &grant)?;
                enemy.ask(&mut line, SOFTWARE, &revoke)?;
            }
        },
        ..NONE
    },
    Flood {
        name: "volatile",
        what: "processes that make 16 volatile keys and end, in 16 threads",
        threads: 16,
        attack: |enemy, thread| {
            for process in 0.. {
                let mut line = enemy.open()?;
                for number in 0..16 {
                    let name = format!("v-{thread}-{process}-{number}");
                    let op = GenerateKey { volatile: true, ..generation(&name, P256, 256, ECDSA) };
                    enemy.ask(&mut line, SOFTWARE, &op)?;
                }
            }
            Ok(())
        },
        ..NONE
    },
    Flood {
        name: "pins",
        what: "wrong PINs on 16 connections, set anew when locked",
        threads: 16,
        prepare: |enemy| {
            enemy.prepare(SOFTWARE, &InitToken { pin: pin(b"87654321"), label: "hostile".into() });
            enemy.prepare(SOFTWARE, &SetPin { role: Role::User.into(), new: pin(b"12345678"), old: None });
        },
        attack: |enemy, _| {
            let mut line = enemy.open()?;
            loop {
                enemy.ask(&mut line, SOFTWARE, &Login { role: Role::User.into(), pin: pin(b"00000000") })?;
                enemy.ask(&mut line, SOFTWARE, &SetPin { role: Role::User.into(), new: pin(b"12345678"), old: None })?;
            }
        },
        ..NONE
    },
    Flood {
        name: "names",
        what: "a fresh name in each request, where the service believes names, on 16 connections",
        threads: 16,
        direct: true,
        attack: |enemy, thread| {
            let mut line = Line::silent(&enemy.socket)?;
            for number in 0.. {
                let name = format!("fresh-{thread}-{number}-{}", "x".repeat(200));
                enemy.answered(line.ask(&named(&name, SOFTWARE, &generation("key", P256, 256, ECDSA)))?);
                for _ in 0..8 {
                    enemy.answered(line.ask(&named(&name, SOFTWARE, &sign("no such key")))?);
                }
            }
            Ok(())
        },
        ..NONE
    },
];

/// Connections of those that hold them.
const HELD: usize = 1100;

const P256: KeyType = KeyType::EccKeyPair(EccFamily::SecpR1);
const SHA256: interface::algorithm::SignHash = interface::algorithm::SignHash::Specific(Hash::Sha256);
const RSA: Algorithm = Algorithm::Signature(Signature::RsaPkcs1v15 { hash: SHA256 });
const ECDSA: Algorithm = Algorithm::Signature(Signature::Ecdsa { hash: SHA256 });
const X963: Algorithm =
    Algorithm::Agreement(KeyAgreement::WithKeyDerivation(Agreement::Ecdh, Derivation::X963 { hash: Hash::Sha256 }));

fn attributes(key_type: KeyType, bits: u32, algorithm: Algorithm) -> Attributes {
    let usage = match algorithm {
        Algorithm::Signature(signature) if signature.whole_message() => Usage::SIGN_MESSAGE,
        Algorithm::Signature(_) => Usage::SIGN,
        _ => Usage::DERIVE,
    };
    Attributes { key_type, bits, policy: Policy { usage, algorithm, also: Vec::new() } }
}

fn generation(name: &str, key_type: KeyType, bits: u32, algorithm: Algorithm) -> GenerateKey {
    let attributes = Some((&attributes(key_type, bits, algorithm)).into());
    GenerateKey { key_name: name.into(), attributes, ..GenerateKey::default() }
}

fn generate(enemy: &Enemy, name: &str, key_type: KeyType, bits: u32, algorithm: Algorithm) {
    enemy.prepare(SOFTWARE, &generation(name, key_type, bits, algorithm));
}

fn burn() -> ! {
    loop {
        std::hint::spin_loop();
    }
}

/// As many as the scale says, or as it may have.
fn many_keys(enemy: &Enemy) {
    enemy.share(16, enemy.scale.keys, |number| generation(&format!("k-{number}"), P256, 256, ECDSA));
}

fn sign(name: &str) -> SignHash {
    let alg = Some(Signature::RsaPkcs1v15 { hash: SHA256 }.into());
    SignHash { key_name: name.into(), alg, hash: vec![0x5a; 32], ..SignHash::default() }
}

fn object(name: &str, value: Vec<u8>) -> PutObject {
    PutObject { kind: RecordKind::Data.into(), name: name.into(), value, ..PutObject::default() }
}

fn grant(name: &str) -> Grant {
    let usage = Some(Usage::SIGN.into());
    Grant { key_name: name.into(), principal: format!("uid:{}", crate::POLITE), usage, owner: None }
}

fn certificate(name: &str) -> PutObject {
    PutObject { kind: RecordKind::Certificate.into(), id: Some(ID.to_vec()), ..object(name, Vec::new()) }
}

fn pin(value: &[u8]) -> Option<Pin> {
    Some(Pin { value: value.to_vec() })
}

/// The same request again and again, on one connection.
fn each<O: Operation>(enemy: &Enemy, provider: ProviderId, op: &O) -> std::io::Result<()> {
    let mut line = enemy.open()?;
    let request = as_user(provider, op);
    loop {
        enemy.answered(line.ask(&request)?);
    }
}

/// A quarter of [`HELD`] connections, and a new one for each that is closed.
fn hold(enemy: &Enemy, open: impl Fn(&Enemy) -> std::io::Result<Line>) -> std::io::Result<()> {
    let mut lines = Vec::new();
    loop {
        lines.retain(|line: &Line| !line.closed());
        if lines.len() < HELD / 4 {
            lines.push(open(enemy)?);
        } else {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}
