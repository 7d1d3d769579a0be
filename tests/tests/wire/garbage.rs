//! Frames that no client sends, and answers that no service gives: neither end crashes, hangs or forgets its other peers.

use std::io::{Read, Write};
use std::os::unix::net::UnixListener;

use interface::Opcode;
use interface::client::Client;
use interface::operations::{Find, ListProviders, LookupKey};
use interface::wire::HEADER_LEN;
use tests::Source;

use super::*;

/// A request with a random body, half of them of somebody whom the service knows.
fn nonsense(source: &mut Source) -> Vec<u8> {
    let auth_type = source.pick(&[AuthType::None, AuthType::UnixPeerCredentials]) as u8;
    let provider = source.pick(&[ProviderId::CORE, ProviderId::SOFTWARE]).number();
    let header = Header { auth_type, provider, opcode: source.pick(Opcode::ALL) as u32, ..Header::default() };
    let auth = if auth_type == 0 { vec![] } else { rustix::process::geteuid().as_raw().to_le_bytes().to_vec() };
    frame(header, &body(source), &auth)
}

/// Protobuf fields that nest, with any number, type and length.
fn body(source: &mut Source) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..source.below(6) {
        let number = if source.percent(80) { 1 + source.below(9) } else { 100 + source.below(9) };
        let kind = source.pick(&[0, 2, 2, 2, 1, 5]);
        prost::encoding::encode_varint((number << 3 | kind) as u64, &mut bytes);
        match kind {
            2 => {
                let inner = match source.below(4) {
                    0 => body(source),
                    1 => b"name".to_vec(),
                    _ => {
                        let len = source.pick(&[0, 1, 5, 32, 33, 300]);
                        source.bytes(len)
                    }
                };
                let len = if source.percent(4) { source.number() } else { inner.len() as u64 };
                prost::encoding::encode_varint(len, &mut bytes);
                bytes.extend(inner);
            }
            0 => {
                let value = if source.percent(80) { source.below(20) as u64 } else { source.number() };
                prost::encoding::encode_varint(value, &mut bytes);
            }
            _ => bytes.extend(source.bytes(if kind == 1 { 8 } else { 4 })),
        }
    }
    bytes
}

#[test]
fn the_service_answers_nonsense_and_goes_on() {
    let service = Service::start();
    let hello = as_user(ProviderId::CORE, &Hello { version: 1, client: "nonsense".to_owned(), ..Hello::default() });
    for seed in 0..200 {
        let mut source = Source::new(seed);
        let mut client = Raw::connect(&service);
        assert_eq!(client.ask(&hello).status(), Status::Success);
        for _ in 0..20 {
            let answer = client.ask(&nonsense(&mut source));
            Status::try_from(answer.header.status).unwrap();
        }
        let mut bytes = nonsense(&mut source);
        source.spoil(&mut bytes);
        // the service may close the connection as soon as it knows
        let _ = client.0.write_all(&bytes).and_then(|()| client.0.shutdown(Shutdown::Write));
        let _ = client.0.read_to_end(&mut bytes);
    }
    assert_eq!(Raw::connect(&service).ask(&ping()).status(), Status::Success);
    assert!(!service.log().contains("panicked"), "a panic");
}

/// Takes connections and answers every request with what `answer` makes of it, then closes the connection.
fn liar(listener: UnixListener, mut answer: impl FnMut(Header) -> Vec<u8> + Send + 'static) {
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = Raw(stream.unwrap());
            loop {
                let mut bytes = [0; HEADER_LEN];
                if stream.0.read_exact(&mut bytes).is_err() {
                    break;
                }
                let header = Header::decode(&bytes).unwrap().unwrap();
                let mut rest = vec![0; header.request_len() - HEADER_LEN];
                let sent = stream.0.read_exact(&mut rest).and_then(|()| stream.0.write_all(&answer(header)));
                if sent.is_err() || header.opcode != Opcode::Hello as u32 {
                    break;
                }
            }
        }
    });
}

#[test]
fn the_client_survives_every_answer() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("liar.sock");
    let mut source = Source::new(1);
    liar(UnixListener::bind(&path).unwrap(), move |request| {
        if request.opcode == Opcode::Hello as u32 {
            return frame(Header { opcode: request.opcode, ..Header::default() }, &Welcome::default().encode_to_vec(), &[]);
        }
        let status = if source.percent(70) { 0 } else { source.below(2000).try_into().unwrap() };
        let mut bytes = frame(Header { status, opcode: request.opcode, ..Header::default() }, &body(&mut source), &[]);
        if source.percent(40) {
            source.spoil(&mut bytes);
        }
        bytes
    });
    let client = Client::new(format!("unix:{}", path.display()).parse().unwrap()).with_deadline(Duration::from_millis(30));
    let mut good = 0;
    for _ in 0..300 {
        good += usize::from(client.call(ProviderId::CORE, &ListProviders {}).is_ok());
        good += usize::from(client.find(ProviderId::SOFTWARE, &Find { limit: 3, ..Find::default() }).is_ok());
        let lookup = LookupKey { key_name: "web".to_owned(), owner: None };
        good += usize::from(client.call(ProviderId::SOFTWARE, &lookup).is_ok());
    }
    assert!(good > 0, "answers that happen to be well-formed are taken");
}
