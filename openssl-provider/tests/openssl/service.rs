//! A service just large enough for the provider: it signs with the key files of a [`Bench`], and keeps count.

use std::{
    fs::Permissions,
    io::{Read, Write},
    os::unix::{
        fs::PermissionsExt,
        net::{UnixListener, UnixStream},
    },
    path::PathBuf,
    process::Command,
    sync::{Arc, Barrier, Mutex},
};

use interface::{
    Opcode, Operation, ProviderId, Status,
    algorithm::{Algorithm, Encryption, SignHash as Digest, Signature},
    attributes::{Attributes, Policy, Usage},
    kind::Parameters,
    operations::{
        Agreed, AsymmetricDecrypt, CopyKey, Decrypted, DestroyKey, Find, Found, GenerateKey, Hello, ListProviders, LookupKey,
        ProviderInfo, Providers, RawKeyAgreement, Record, RecordKind, SignHash, SignMessage, Signed, Welcome,
    },
    pss::Pss,
    spki::{PublicKey, is_pss},
    wire::{HEADER_LEN, Header, Request},
};
use prost::Message;

use crate::bench::Bench;

pub(crate) struct Service {
    calls: Arc<Mutex<Vec<Opcode>>>,
    users: Arc<Mutex<Vec<u32>>>,
    connections: Arc<Mutex<Vec<UnixStream>>>,
}

impl Service {
    /// Listens at the socket of the bench until the process ends.
    pub(crate) fn start(bench: &Bench) -> Self {
        Self::holding(bench, 1)
    }

    /// Signs nothing before it has been asked for so many signatures at a time.
    pub(crate) fn holding(bench: &Bench, signatures: usize) -> Self {
        let (calls, users, connections) = (Arc::default(), Arc::default(), Arc::default());
        let open: Arc<Mutex<Vec<UnixStream>>> = Arc::clone(&connections);
        let together = Arc::new(Barrier::new(signatures));
        let handler = Handler { folder: bench.path(""), calls: Arc::clone(&calls), together };
        let socket = bench.path("parsec.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        // for clients that have dropped their privileges
        std::fs::set_permissions(bench.path(""), Permissions::from_mode(0o755)).unwrap();
        std::fs::set_permissions(&socket, Permissions::from_mode(0o777)).unwrap();
        let seen: Arc<Mutex<Vec<u32>>> = Arc::clone(&users);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (handler, stream) = (handler.clone(), stream.unwrap());
                let peer = rustix::net::sockopt::socket_peercred(&stream).unwrap();
                open.lock().unwrap().push(stream.try_clone().unwrap());
                seen.lock().unwrap().push(peer.uid.as_raw());
                std::thread::spawn(move || handler.serve(stream));
            }
        });
        Self { calls, users, connections }
    }

    /// Ends all connections, as a service does that is started again.
    pub(crate) fn hang_up(&self) {
        for connection in self.connections.lock().unwrap().drain(..) {
            let _ = connection.shutdown(std::net::Shutdown::Both);
        }
    }

    /// The users of the connections so far.
    pub(crate) fn users(&self) -> Vec<u32> {
        self.users.lock().unwrap().clone()
    }

    /// What was asked since the last time, but for Hello.
    pub(crate) fn calls(&self) -> Vec<Opcode> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }
}

#[derive(Clone)]
struct Handler {
    folder: PathBuf,
    calls: Arc<Mutex<Vec<Opcode>>>,
    together: Arc<Barrier>,
}

impl Handler {
    fn serve(&self, mut stream: UnixStream) {
        let mut head = [0; HEADER_LEN];
        while stream.read_exact(&mut head).is_ok() {
            let header = Header::decode(&head).unwrap().unwrap();
            let mut rest = vec![0; header.request_len() - HEADER_LEN];
            stream.read_exact(&mut rest).unwrap();
            let request = Request::parse(&header).unwrap();
            let (status, body) = match self.answer(request.opcode, &rest[..header.body_len as usize]) {
                Ok(body) => (Status::Success, body),
                Err((status, detail)) => (status, detail.into_bytes()),
            };
            let mut frame = Vec::new();
            Header::response(&request, status, u32::try_from(body.len()).unwrap()).encode(&mut frame);
            frame.extend(body);
            stream.write_all(&frame).unwrap();
        }
    }

    fn answer(&self, opcode: Opcode, body: &[u8]) -> Result<Vec<u8>, (Status, String)> {
        if opcode != Opcode::Hello {
            self.calls.lock().unwrap().push(opcode);
        }
        match opcode {
            Hello::OPCODE => Ok(Welcome { version: 1, ..Welcome::default() }.encode_to_vec()),
            ListProviders::OPCODE => {
                let software = ProviderInfo { id: ProviderId::SOFTWARE.number().into(), ..ProviderInfo::default() };
                Ok(Providers { providers: vec![software] }.encode_to_vec())
            }
            GenerateKey::OPCODE => {
                let request = GenerateKey::decode(body).unwrap();
                self.generate(&request.key_name, &Attributes::try_from(&request.attributes.unwrap()).unwrap());
                Ok(Vec::new())
            }
            CopyKey::OPCODE => {
                let request = CopyKey::decode(body).unwrap();
                for file in ["key", "spki"] {
                    let (from, to) = (format!("{}.{file}", request.of), format!("{}.{file}", request.key_name));
                    std::fs::copy(self.folder.join(from), self.folder.join(to)).unwrap();
                }
                Ok(Vec::new())
            }
            DestroyKey::OPCODE => {
                let name = DestroyKey::decode(body).unwrap().key_name;
                for file in ["key", "spki"] {
                    std::fs::remove_file(self.folder.join(format!("{name}.{file}"))).unwrap();
                }
                Ok(Vec::new())
            }
            LookupKey::OPCODE => Ok(self.record(&LookupKey::decode(body).unwrap().key_name)?.encode_to_vec()),
            Find::OPCODE => {
                let files = std::fs::read_dir(&self.folder).unwrap().map(|file| file.unwrap().path());
                let keys = files.filter(|file| file.extension().is_some_and(|extension| extension == "key"));
                let records = keys.map(|key| self.record(key.file_stem().unwrap().to_str().unwrap()));
                Ok(Found { records: records.collect::<Result<_, _>>()?, ..Found::default() }.encode_to_vec())
            }
            SignHash::OPCODE => {
                self.together.wait();
                Ok(Signed { signature: self.sign(&SignHash::decode(body).unwrap()) }.encode_to_vec())
            }
            SignMessage::OPCODE => {
                let request = SignMessage::decode(body).unwrap();
                let arguments = format!("pkeyutl -sign -rawin -inkey {}.key", request.key_name);
                let signature = self.openssl(&arguments, &request.message).unwrap();
                Ok(Signed { signature }.encode_to_vec())
            }
            AsymmetricDecrypt::OPCODE => {
                let plaintext = self.decrypt(&AsymmetricDecrypt::decode(body).unwrap())?;
                Ok(Decrypted { plaintext }.encode_to_vec())
            }
            RawKeyAgreement::OPCODE => {
                let shared_secret = self.agree(&RawKeyAgreement::decode(body).unwrap());
                Ok(Agreed { shared_secret }.encode_to_vec())
            }
            other => Err((Status::PsaErrorNotSupported, format!("{other:?}"))),
        }
    }

    /// Makes a key with `openssl genpkey`.
    fn generate(&self, name: &str, attributes: &Attributes) {
        let algorithm = match Parameters::of(attributes.key_type, attributes.bits) {
            Some(named) if named.weierstrass() => format!("EC -pkeyopt group:{}", named.openssl.to_str().unwrap()),
            Some(named) => named.openssl.to_str().unwrap().to_owned(),
            None if attributes.policy.pss_alone() => match Pss::of_policy(&attributes.policy) {
                None => "RSA-PSS".to_owned(),
                Some(Pss { hash, mgf, salt_len }) => format!(
                    "RSA-PSS -pkeyopt rsa_pss_keygen_md:{} -pkeyopt rsa_pss_keygen_mgf1_md:{} -pkeyopt rsa_pss_keygen_saltlen:{salt_len}",
                    self::name(hash.into()),
                    self::name(mgf.into())
                ),
            },
            None => format!("RSA -pkeyopt rsa_keygen_bits:{}", attributes.bits),
        };
        for command in [
            format!("genpkey -algorithm {algorithm} -out {name}.key"),
            format!("pkey -in {name}.key -pubout -outform der -out {name}.spki"),
        ] {
            let mut openssl = Command::new("openssl");
            openssl.args(command.split(' ')).current_dir(&self.folder).env("OPENSSL_CONF", "/dev/null");
            assert!(openssl.output().unwrap().status.success(), "{command}");
        }
    }

    fn record(&self, name: &str) -> Result<Record, (Status, String)> {
        if name == "mute" {
            return Err((Status::PsaErrorNotPermitted, String::new()));
        }
        let spki = std::fs::read(self.folder.join(format!("{name}.spki")));
        let spki = spki.map_err(|_| (Status::PsaErrorDoesNotExist, format!("no key '{name}'")))?;
        let public = PublicKey::from_spki(&spki).unwrap();
        let algorithm = match name {
            "raw" => Signature::RsaRaw.into(),
            _ if is_pss(&spki) => {
                let any = vec![Signature::RsaPss { hash: Digest::Any }.into()];
                return Ok(record(name, public, Pss::of_spki(&spki).map_or(any, Pss::algorithms)));
            }
            _ => Algorithm::None,
        };
        Ok(record(name, public, vec![algorithm]))
    }

    /// Signs with `openssl pkeyutl`.
    fn sign(&self, request: &SignHash) -> Vec<u8> {
        let options = match Signature::try_from(request.alg.as_ref().unwrap()).unwrap() {
            Signature::RsaPkcs1v15Raw | Signature::EcdsaAny => String::new(),
            Signature::RsaRaw => {
                return self.openssl(&format!("rsautl -sign -raw -inkey {}.key", request.key_name), &request.hash).unwrap();
            }
            Signature::RsaPss { hash } => {
                format!(" -pkeyopt rsa_padding_mode:pss -pkeyopt rsa_pss_saltlen:digest -pkeyopt digest:{}", name(hash))
            }
            Signature::RsaPssWith { hash, mgf, salt_len } => format!(
                " -pkeyopt rsa_padding_mode:pss -pkeyopt rsa_pss_saltlen:{salt_len} -pkeyopt digest:{} -pkeyopt rsa_mgf1_md:{}",
                name(hash.into()),
                name(mgf.into())
            ),
            Signature::RsaPkcs1v15 { hash } | Signature::Ecdsa { hash } => {
                format!(" -pkeyopt digest:{}", name(hash))
            }
            other => panic!("{other:?}"),
        };
        let arguments = format!("pkeyutl -sign -inkey {}.key{options}", request.key_name);
        let signature = self.openssl(&arguments, &request.hash).unwrap();
        match self.record(&request.key_name).unwrap().attributes.unwrap().key_bits {
            2048 => signature,
            bits => r_and_s(&signature, bits.div_ceil(8) as usize),
        }
    }

    /// Agrees on a secret with `openssl pkeyutl`.
    fn agree(&self, request: &RawKeyAgreement) -> Vec<u8> {
        let own = self.record(&request.key_name).unwrap().attributes.unwrap();
        let own = Attributes::try_from(&own).unwrap();
        let peer = PublicKey { key_type: own.key_type.public(), bits: own.bits, bytes: request.peer_key.clone() };
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&peer.to_spki().unwrap()).unwrap();
        let arguments =
            format!("pkeyutl -derive -inkey {}.key -peerform der -peerkey {}", request.key_name, file.path().display());
        self.openssl(&arguments, &[]).unwrap()
    }

    /// Decrypts with `openssl pkeyutl`. As with an upstream service bad padding is an error.
    fn decrypt(&self, request: &AsymmetricDecrypt) -> Result<Vec<u8>, (Status, String)> {
        let digests = match Encryption::try_from(request.alg.as_ref().unwrap()).unwrap() {
            Encryption::RsaPkcs1v15 => None,
            Encryption::RsaOaep { hash } => Some((hash, hash)),
            Encryption::RsaOaepWith { hash, mgf } => Some((hash, mgf)),
            Encryption::RsaRaw => panic!("decrypting without a padding"),
        };
        let options = digests.map_or_else(String::new, |(hash, mgf)| {
            let label: String = request.salt.iter().map(|byte| format!("{byte:02x}")).collect();
            format!(
                " -pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:{} -pkeyopt rsa_mgf1_md:{} -pkeyopt rsa_oaep_label:{label}",
                name(hash.into()),
                name(mgf.into())
            )
        });
        let arguments = format!("pkeyutl -decrypt -inkey {}.key{options}", request.key_name);
        self.openssl(&arguments, &request.ciphertext).map_err(|said| (Status::PsaErrorInvalidPadding, said))
    }

    /// What `openssl` makes of an input, or what it says against it.
    fn openssl(&self, arguments: &str, input: &[u8]) -> Result<Vec<u8>, String> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(input).unwrap();
        let mut command = Command::new("openssl");
        command.args(arguments.split(' '));
        if !input.is_empty() {
            command.arg("-in").arg(file.path());
        }
        let output = command.current_dir(&self.folder).env("OPENSSL_CONF", "/dev/null").output().unwrap();
        if output.status.success() {
            Ok(output.stdout)
        } else {
            Err(format!("{arguments}\n{}", String::from_utf8_lossy(&output.stderr)))
        }
    }
}

/// A key of the owner of the tests.
fn record(name: &str, public: PublicKey, algorithms: Vec<Algorithm>) -> Record {
    let policy = Policy { usage: Usage::SIGN, algorithm: algorithms[0], also: algorithms[1..].to_vec() };
    let attributes = Attributes { key_type: public.key_type.pair(), bits: public.bits, policy };
    Record {
        kind: RecordKind::Key.into(),
        uuid: name.to_owned(),
        owner: "uid:0".to_owned(),
        provider_id: ProviderId::SOFTWARE.number().into(),
        name: name.to_owned(),
        attributes: Some((&attributes).into()),
        public_key: public.bytes,
        ..Record::default()
    }
}

fn name(hash: Digest) -> String {
    match hash {
        Digest::Specific(hash) => format!("{hash:?}").replace('_', "-"),
        Digest::Any => panic!("a signature with any hash"),
    }
}

/// Takes `SEQUENCE { INTEGER r, INTEGER s }` apart.
fn r_and_s(der: &[u8], len: usize) -> Vec<u8> {
    let (_, body) = element(der);
    let (r, rest) = (element(body).1, &body[element(body).0..]);
    let mut raw = Vec::new();
    for number in [r, element(rest).1] {
        let number = number.strip_prefix(&[0]).unwrap_or(number);
        raw.resize(raw.len() + len - number.len(), 0);
        raw.extend_from_slice(number);
    }
    raw
}

/// The length of the first DER element, and its content.
fn element(der: &[u8]) -> (usize, &[u8]) {
    let (start, len) = if der[1] == 0x81 { (3, der[2]) } else { (2, der[1]) };
    let end = start + usize::from(len);
    (end, &der[start..end])
}
