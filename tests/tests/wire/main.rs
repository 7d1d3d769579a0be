//! The wire, byte by byte: what a client that knows only the specification sees.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod fair;
mod garbage;
mod room;
mod stop;

use interface::algorithm::{Algorithm, Cipher, Hash, Signature};
use interface::attributes::{Attributes, KeyType, Policy, Usage};
use interface::operations::{
    GenerateKey, HashCompute, Hello, Keys, ListKeys, ListOpcodes, ListProviders, LookupKey, Opcodes, Ping, Pong, Providers,
    Record, Welcome,
};
use interface::wire::Header;
use interface::{AuthType, Opcode, ProviderId, Status};
use prost::Message;
use std::fs::File;
use std::io::Read;
use std::net::Shutdown;
use std::time::{Duration, Instant};
use tests::{CONFIG, Raw, Secrets, Service, TPM_SEALED, as_user, frame, may_change_user, may_lock_memory, request};

fn ping() -> Vec<u8> {
    request(ProviderId::CORE, &Ping {})
}

fn with(mut bytes: Vec<u8>, at: usize, byte: u8) -> Vec<u8> {
    bytes[at] = byte;
    bytes
}

#[test]
fn ping_in_exact_bytes_and_again_on_the_same_connection() {
    let service = Service::start();
    let mut client = Raw::connect(&service);
    for _ in 0..3 {
        let answer = client.ask(&ping());
        assert_eq!(answer.header, Header { opcode: 1, body_len: 2, ..Header::default() });
        assert_eq!(answer.body, [0x08, 0x01], "version 1.0: the zero minor is not written");
    }
}

#[test]
fn what_a_client_has_sent_is_not_left_in_memory() {
    if !may_change_user() {
        return;
    }
    let service = Service::start();
    let (mut random, mut secrets) = (File::open("/dev/urandom").unwrap(), Secrets::default());
    let mut secret = |len| {
        let mut secret = vec![0; len];
        random.read_exact(&mut secret).unwrap();
        secrets.add(&secret, &[]);
        secret
    };
    let hash = |input| request(ProviderId::SOFTWARE, &HashCompute { alg: Hash::Sha256.into(), input });
    // the buffer grows, and what waits in it moves to its front
    let all = [30_000, 3000, 500].map(|len| hash(secret(len))).concat();
    let mut client = Raw::connect(&service);
    client.send(&all);
    for _ in 0..3 {
        assert_eq!(client.answer().status(), Status::Success);
    }
    secrets.forgotten_by(service.pid());
    assert_eq!(client.ask(&ping()).status(), Status::Success, "the connection is open still");
}

#[test]
fn session_provider_and_opcode_are_echoed() {
    let service = Service::start();
    let header = Header { session: 0x1122_3344_5566_7788, ..Header::request(ProviderId::CORE, Opcode::ListProviders) };
    let answer = Raw::connect(&service).ask(&frame(header, &ListProviders {}.encode_to_vec(), &[]));
    assert_eq!((answer.header.session, answer.header.opcode), (0x1122_3344_5566_7788, 8));
    assert_eq!(answer.status(), Status::Success);
}

#[test]
fn a_frame_that_cannot_be_followed_is_answered_and_the_connection_closed() {
    let service = Service::start();
    let over = Header { body_len: (1 << 20) + 1, ..Header::request(ProviderId::CORE, Opcode::Ping) };
    let mut too_long = Vec::new();
    over.encode(&mut too_long);
    for (bytes, status) in [
        (with(ping(), 0, 0x11), Status::InvalidHeader),
        (with(ping(), 4, 29), Status::InvalidHeader),
        (with(ping(), 6, 2), Status::WireProtocolVersionNotSupported),
        (with(ping(), 34, 1), Status::InvalidHeader),
        (too_long, Status::BodySizeExceedsLimit),
    ] {
        let mut client = Raw::connect(&service);
        let answer = client.ask(&bytes);
        assert_eq!(answer.header, Header::rejection(status));
        assert!(client.closed(), "{status:?}");
    }
}

#[test]
fn a_wrong_magic_is_told_before_the_header_is_complete() {
    let service = Service::start();
    assert_eq!(Raw::connect(&service).ask(b"GET / HTTP").status(), Status::InvalidHeader);
}

#[test]
fn a_header_without_meaning_is_rejected_as_a_ping() {
    let service = Service::start();
    for (at, byte, status) in [
        (19, 1, Status::ContentTypeNotSupported),
        (20, 1, Status::AcceptTypeNotSupported),
        (21, 9, Status::AuthenticatorDoesNotExist),
        (28, 0x1d, Status::OpcodeDoesNotExist),
        (29, 0x80, Status::OpcodeDoesNotExist),
        (10, 77, Status::ProviderDoesNotExist),
    ] {
        let answer = Raw::connect(&service).ask(&with(ping(), at, byte));
        assert_eq!(answer.header, Header::rejection(status), "byte {at}");
    }
}

#[test]
fn complaints_come_in_upstreams_order() {
    let service = Service::start();
    let everything_wrong = with(with(with(with(with(ping(), 19, 1), 20, 1), 21, 9), 28, 0x1d), 10, 77);
    let repairs = [(19, 0), (20, 0), (21, 0), (28, 1), (10, 0)];
    let statuses = [
        Status::ContentTypeNotSupported,
        Status::AcceptTypeNotSupported,
        Status::AuthenticatorDoesNotExist,
        Status::OpcodeDoesNotExist,
        Status::ProviderDoesNotExist,
        Status::Success,
    ];
    let mut bytes = everything_wrong;
    for (i, status) in statuses.into_iter().enumerate() {
        assert_eq!(Raw::connect(&service).ask(&bytes).status(), status);
        if let Some(&(at, byte)) = repairs.get(i) {
            bytes[at] = byte;
        }
    }
}

#[test]
fn authentication_is_checked_even_where_it_is_not_needed() {
    let service = Service::start();
    let header = |auth: AuthType| Header { auth_type: auth as u8, ..Header::request(ProviderId::CORE, Opcode::Ping) };
    let me = rustix::process::geteuid().as_raw();
    for (auth, bytes, status) in [
        (AuthType::UnixPeerCredentials, me.to_le_bytes().to_vec(), Status::Success),
        (AuthType::UnixPeerCredentials, (me + 1).to_le_bytes().to_vec(), Status::AuthenticationError),
        (AuthType::UnixPeerCredentials, vec![0; 3], Status::AuthenticationError),
        (AuthType::Direct, b"me".to_vec(), Status::AuthenticatorNotRegistered),
        (AuthType::None, b"ignored".to_vec(), Status::Success),
    ] {
        let answer = Raw::connect(&service).ask(&frame(header(auth), &[], &bytes));
        assert_eq!(answer.status(), status, "{auth:?} {bytes:?}");
        assert_eq!(answer.header.opcode, 1);
    }
}

#[test]
fn operations_are_dispatched_only_where_they_belong() {
    let service = Service::start();
    for (bytes, status) in [
        (request(ProviderId::SOFTWARE, &Ping {}), Status::PsaErrorNotSupported),
        (request(ProviderId::CORE, &interface::operations::GenerateRandom { size: 1 }), Status::PsaErrorNotSupported),
        (request(ProviderId::TPM, &interface::operations::GenerateRandom { size: 1 }), Status::ProviderNotRegistered),
        (request(ProviderId::CORE, &ListKeys {}), Status::NotAuthenticated),
        (request(ProviderId::CORE, &interface::operations::ListClients {}), Status::NotAuthenticated),
        (frame(Header::request(ProviderId::CORE, Opcode::ListOpcodes), &[0xff], &[]), Status::DeserializingBodyFailed),
        (as_user(ProviderId::SOFTWARE, &GenerateKey::default()), Status::InvalidEncoding),
    ] {
        assert_eq!(Raw::connect(&service).ask(&bytes).status(), status);
    }
}

#[test]
fn a_truncated_request_is_a_connection_error() {
    let service = Service::start();
    for cut in [1, 35, 40] {
        let mut client = Raw::connect(&service);
        let whole = frame(Header::request(ProviderId::CORE, Opcode::Ping), &[0; 10], &[]);
        client.send(&whole[..cut]);
        client.0.shutdown(Shutdown::Write).unwrap();
        assert_eq!(client.answer().status(), Status::ConnectionError, "{cut} bytes");
        assert!(client.closed());
    }
}

#[test]
fn a_stalled_request_times_out() {
    let service = Service::with_config(&CONFIG.replace("timeout = 5000", "timeout = 50"));
    let mut client = Raw::connect(&service);
    client.send(&ping()[..10]);
    assert_eq!(client.answer().status(), Status::ConnectionError);
}

#[test]
fn a_request_may_come_in_pieces_and_two_at_once() {
    let service = Service::start();
    let mut client = Raw::connect(&service);
    for byte in ping() {
        client.send(&[byte]);
    }
    assert_eq!(client.answer().status(), Status::Success);
    client.send(&[ping(), ping()].concat());
    assert_eq!(client.answer().status(), Status::Success);
    assert_eq!(client.answer().status(), Status::Success);
}

#[test]
fn extensions_show_only_after_hello() {
    let service = Service::start();
    let list = |client: &mut Raw, provider: ProviderId| {
        let answer = client.ask(&request(ProviderId::CORE, &ListOpcodes { provider_id: provider.number().into() }));
        Opcodes::decode(answer.body.as_slice()).unwrap().opcodes
    };
    let lookup = LookupKey { key_name: "none".to_owned(), owner: None };
    let mut client = Raw::connect(&service);
    for provider in [ProviderId::CORE, ProviderId::SOFTWARE] {
        let upstream = list(&mut client, provider);
        assert!(upstream.iter().all(|&number| Opcode::try_from(number).unwrap().upstream()), "{upstream:x?}");
    }
    assert_eq!(client.ask(&as_user(ProviderId::SOFTWARE, &lookup)).status(), Status::OpcodeDoesNotExist);

    let answer = client.ask(&as_user(ProviderId::CORE, &Hello { version: 9, client: "test".to_owned(), ..Hello::default() }));
    assert_eq!(answer.status(), Status::Success);
    let welcome = Welcome::decode(answer.body.as_slice()).unwrap();
    assert_eq!((welcome.version, welcome.body_limit), (1, 1 << 20));
    assert_eq!(welcome.principal, format!("uid:{}", rustix::process::geteuid().as_raw()));
    let extended = list(&mut client, ProviderId::SOFTWARE);
    assert!(extended.contains(&(Opcode::LookupKey as u32)) && extended.contains(&(Opcode::MacCompute as u32)), "{extended:x?}");
    let answer = client.ask(&as_user(ProviderId::SOFTWARE, &lookup));
    assert_eq!(answer.status(), Status::PsaErrorDoesNotExist);
    assert!(String::from_utf8(answer.body).unwrap().contains("none"), "the detail names the key");
}

#[test]
fn providers_of_ours_show_only_after_hello() {
    if !may_lock_memory() {
        return;
    }
    let service = Service::with_config(&format!("{CONFIG}{TPM_SEALED}"));
    let sealed = ProviderId::TPM_SEALED;
    let mut client = Raw::connect(&service);
    let key_name = "k".to_owned();
    let policy = Policy { usage: Usage::ALL, algorithm: Algorithm::Cipher(Cipher::Ctr), also: Vec::new() };
    let attributes = Some((&Attributes { key_type: KeyType::Aes, bits: 128, policy }).into());
    let generate = as_user(sealed, &GenerateKey { key_name, attributes, ..Default::default() });
    let opcodes = request(ProviderId::CORE, &ListOpcodes { provider_id: sealed.number().into() });
    let seen = |client: &mut Raw| {
        let answer = client.ask(&request(ProviderId::CORE, &ListProviders {}));
        let providers = Providers::decode(answer.body.as_slice()).unwrap().providers;
        let keys = Keys::decode(client.ask(&as_user(ProviderId::CORE, &ListKeys {})).body.as_slice()).unwrap().keys;
        (providers.iter().any(|provider| provider.id == u32::from(sealed.number())), keys.len())
    };
    for refused in [&generate, &opcodes] {
        assert_eq!(client.ask(refused).status(), Status::ProviderDoesNotExist);
    }
    assert_eq!(seen(&mut client), (false, 0));
    client.ask(&as_user(ProviderId::CORE, &Hello { version: 1, client: "test".to_owned(), ..Hello::default() }));
    for done in [&generate, &opcodes] {
        assert_eq!(client.ask(done).status(), Status::Success);
    }
    assert_eq!(seen(&mut client), (true, 1));
    assert_eq!(seen(&mut Raw::connect(&service)), (false, 0));
}

#[test]
fn a_thousand_clients_at_once() {
    let service = Service::start();
    let mut clients: Vec<_> = (0..1000).map(|_| Raw::connect(&service)).collect();
    for client in &mut clients {
        client.send(&ping());
    }
    for client in &mut clients {
        let answer = client.answer();
        assert_eq!(Pong::decode(answer.body.as_slice()).unwrap().version_maj, 1);
    }
}

#[test]
fn a_graceful_stop_closes_idle_connections_and_ends_well() {
    let mut service = Service::start();
    let mut client = Raw::connect(&service);
    assert_eq!(client.ask(&ping()).status(), Status::Success);
    assert!(service.stop().success());
    assert!(client.closed());
}

#[test]
fn the_client_hears_why_its_request_was_too_long() {
    let service = Service::with_config(&CONFIG.replace("[core_settings]", "[core_settings]\nbody_len_limit = 100000"));
    let client = service.client();
    let hash = |len: usize| {
        let op = HashCompute { alg: Hash::Sha256.into(), input: vec![0; len] };
        client.call(ProviderId::SOFTWARE, &op)
    };
    for _ in 0..3 {
        assert_eq!(hash(5_000_000).unwrap_err().status(), Some(Status::BodySizeExceedsLimit));
        assert_eq!(hash(90_000).unwrap().hash.len(), 32);
    }
}

/// A connection of the process with this number.
fn process(service: &Service, number: u8) -> Raw {
    let mut client = Raw::connect(service);
    let hello = Hello { version: 1, application: vec![number; 16], ..Hello::default() };
    assert_eq!(client.ask(&as_user(ProviderId::CORE, &hello)).status(), Status::Success);
    client
}

/// The signatures that [`rsa`]'s keys make.
const RSA: Algorithm = Algorithm::Signature(Signature::RsaPkcs1v15Raw);

/// A key that takes a while.
fn rsa(name: &str, bits: u32) -> GenerateKey {
    let policy = Policy { usage: Usage::SIGN_HASH, algorithm: RSA, also: vec![] };
    let attributes = Attributes { key_type: KeyType::RsaKeyPair, bits, policy };
    GenerateKey { key_name: name.to_owned(), attributes: Some((&attributes).into()), ..GenerateKey::default() }
}

fn volatile(name: &str) -> Vec<u8> {
    let policy = Policy { usage: Usage::ENCRYPT, algorithm: Algorithm::Cipher(Cipher::Ctr), also: vec![] };
    let attributes = Attributes { key_type: KeyType::Aes, bits: 256, policy };
    let key_name = name.to_owned();
    let generate = GenerateKey { key_name, attributes: Some((&attributes).into()), volatile: true, ..GenerateKey::default() };
    as_user(ProviderId::SOFTWARE, &generate)
}

#[test]
fn volatile_keys_end_with_their_process_unless_it_comes_back_soon() {
    let service = Service::start();
    let mut observer = Raw::connect(&service);
    let hello = Hello { version: 1, ..Hello::default() };
    observer.ask(&as_user(ProviderId::CORE, &hello));
    let answer = observer.ask(&volatile("nobody's"));
    assert_eq!(answer.status(), Status::PsaErrorInvalidArgument, "a process without a name has none");
    let mut lookup = |key_name: &str| {
        let lookup = LookupKey { key_name: key_name.to_owned(), owner: None };
        observer.ask(&as_user(ProviderId::SOFTWARE, &lookup))
    };

    let [mut stays, mut second, mut leaves] = [(1, "stays"), (1, "second"), (2, "leaves")].map(|(number, name)| {
        let mut client = process(&service, number);
        assert_eq!(client.ask(&volatile(name)).status(), Status::Success);
        client
    });
    assert!(Record::decode(lookup("stays").body.as_slice()).unwrap().volatile);
    let listed = stays.ask(&as_user(ProviderId::CORE, &ListKeys {}));
    assert_eq!((listed.status(), listed.body.len()), (Status::Success, 0));
    for client in [&mut stays, &mut second, &mut leaves] {
        client.0.shutdown(Shutdown::Both).unwrap();
    }
    let _back = process(&service, 1);
    let patience = Instant::now() + Duration::from_secs(60);
    while lookup("leaves").status() != Status::PsaErrorDoesNotExist {
        assert!(Instant::now() < patience, "its process has gone");
        std::thread::sleep(Duration::from_millis(50));
    }
    for name in ["stays", "second"] {
        assert_eq!(lookup(name).status(), Status::Success);
    }
}

#[test]
fn who_has_volatile_keys_may_be_idle() {
    let service = Service::with_config(&CONFIG.replace("[core_settings]", "[core_settings]\nidle_timeout_s = 1"));
    let mut holder = process(&service, 1);
    assert_eq!(holder.ask(&volatile("k")).status(), Status::Success);
    for mut other in [process(&service, 2), Raw::connect(&service)] {
        assert!(other.closed(), "it has been idle for as long as the holder, but for a moment");
    }
    assert_eq!(holder.ask(&ping()).status(), Status::Success);
}
