//! One channel of a worker: a session of the token, and the operations that it runs.

use super::failure::Failure;
use super::message::Refusal;
use super::template::{self, Filed, Making};
use super::token::{Id, Token};
use super::{frame, mechanism};
use cryptoki::error::{Error, RvError};
use cryptoki::object::{Attribute, AttributeType, KeyType as Pkcs11Type, ObjectClass, ObjectHandle};
use cryptoki::session::Session as Opened;
use interface::attributes::Attributes;
use interface::message::{Empty, KeyAttributes, required};
use interface::operations::*;
use interface::wire::Header;
use interface::{Buffer, Opcode, Operation, ProviderId, Status, spki};
use prost::Message;
use std::io;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

/// Random bytes that a token is asked for at once.
const RANDOM: u64 = 1024;
/// How often a key is looked for and destroyed.
const DESTROYING: usize = 5;

/// A session of the token.
pub(super) struct Session {
    token: Arc<Token>,
    session: Opened,
}

/// A session that can run an operation. A key is called by its UUID.
trait Run<O: Operation> {
    fn run(&self, op: O) -> Result<O::Output, Failure>;
}

impl Session {
    /// A further session, or that of the login.
    pub(super) fn open(token: &Arc<Token>, alone: bool) -> Result<Self, Failure> {
        let session = if alone { token.anchor() } else { None };
        let session = session.map_or_else(|| token.session(), Ok)?;
        Ok(Self { session, token: Arc::clone(token) })
    }

    /// Answers the requests of a channel until it ends.
    pub(super) fn serve(mut self, socket: &UnixStream) {
        while let Ok((header, body)) = frame::receive(socket) {
            let answer = self.answer(header.opcode, &body);
            if answer_to(socket, header, answer).is_err() {
                return;
            }
        }
    }

    fn answer(&mut self, number: u32, body: &[u8]) -> Result<Vec<u8>, Failure> {
        macro_rules! operations {
            ($($op:ident)*) => {
                match Opcode::try_from(number) {
                    $(Ok(Opcode::$op) => self.patiently::<$op>(body),)*
                    _ => Err(Failure::unsupported("the worker does not know this operation")),
                }
            };
        }
        operations! {
            GenerateKey ImportKey DestroyKey ExportPublicKey ExportKey SignHash SignMessage AsymmetricDecrypt AeadEncrypt AeadDecrypt
            CipherEncrypt CipherDecrypt MacCompute RawKeyAgreement GenerateRandom
        }
    }

    /// Runs an operation; once more on a new session where the old one has ended, if it may be repeated.
    fn patiently<O: Operation>(&mut self, body: &[u8]) -> Result<Vec<u8>, Failure>
    where
        Self: Run<O>,
    {
        let decode = || O::decode(body).map_err(|_| Failure::from_status(Status::DeserializingBodyFailed));
        let output = match self.run(decode()?) {
            Err(failure) if failure.session() => {
                self.session = self.token.session().map_err(|failure| failure.lost_token())?;
                if !O::OPCODE.repeatable() {
                    return Err(failure);
                }
                self.run(decode()?)
            }
            Err(failure) if failure.vague() => match self.session.get_session_info() {
                // What the session cannot tell either was not the request's fault.
                Err(_) => Err(failure.lost_token()),
                Ok(_) => Err(failure),
            },
            output => output,
        };
        Ok(output?.encode_to_vec())
    }

    fn find(&self, template: Vec<Attribute>) -> Result<Vec<ObjectHandle>, Failure> {
        Ok(self.session.find_objects(&template)?)
    }

    /// Uses the private or secret key of this name.
    fn with<T>(
        &self,
        name: &str,
        class: ObjectClass,
        work: impl Fn(&Opened, ObjectHandle) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let id = id(name)?;
        if let Some(handle) = self.token.known(&id) {
            match work(&self.session, handle) {
                Err(failure) if failure.handle() => self.token.forget(&id),
                done => return done,
            }
        }
        let found = self.find(vec![Attribute::Class(class), Attribute::Id(id.to_vec())])?;
        let handle = *found.first().ok_or(Failure::Missing)?;
        let done = work(&self.session, handle)?;
        self.token.remember(id, handle);
        Ok(done)
    }

    fn private<T>(&self, name: &str, work: impl Fn(&Opened, ObjectHandle) -> Result<T, Failure>) -> Result<T, Failure> {
        self.with(name, ObjectClass::PRIVATE_KEY, work)
    }

    fn secret<T>(&self, name: &str, work: impl Fn(&Opened, ObjectHandle) -> Result<T, Failure>) -> Result<T, Failure> {
        self.with(name, ObjectClass::SECRET_KEY, work)
    }
}

/// Sends an answer.
pub(super) fn answer_to(socket: &UnixStream, request: Header, answer: Result<Vec<u8>, Failure>) -> io::Result<()> {
    let header = |status| Header { opcode: request.opcode, status, provider: ProviderId::PKCS11.number(), ..Header::default() };
    match answer {
        Ok(body) => frame::send(socket, header(Status::Success as u16), &Buffer::from(body)),
        Err(failure) => {
            let refusal = Refusal { kind: failure.kind().into(), detail: failure.to_string() };
            frame::send(socket, header(failure.status() as u16), &refusal.encode_to_vec())
        }
    }
}

fn id(name: &str) -> Result<Id, Failure> {
    let digits = u128::from_str_radix(name, 16).ok().filter(|_| name.len() == 32);
    digits.map(u128::to_be_bytes).ok_or_else(|| Failure::from_status(Status::PsaErrorInvalidHandle))
}

fn attributes(message: Option<&KeyAttributes>) -> Result<Attributes, Failure> {
    required(message).and_then(Attributes::try_from).map_err(Failure::from_status)
}

/// The first of these ways that the token takes.
fn first_way<W, T>(ways: Vec<W>, make: impl Fn(W) -> Result<T, Error>) -> Result<T, Failure> {
    use RvError::{AttributeValueInvalid, CurveNotSupported, DomainParamsInvalid, TemplateInconsistent};
    let mut refused = Failure::unsupported("there is no way to make such a key");
    for way in ways {
        match make(way) {
            Err(error) => {
                let other = [AttributeValueInvalid, CurveNotSupported, DomainParamsInvalid, TemplateInconsistent];
                let other = matches!(&error, Error::Pkcs11(code, _) if other.contains(code));
                refused = error.into();
                if !other {
                    break;
                }
            }
            Ok(made) => return Ok(made),
        }
    }
    Err(refused)
}

impl Run<GenerateKey> for Session {
    fn run(&self, op: GenerateKey) -> Result<Empty, Failure> {
        let (id, attributes) = (id(&op.key_name)?, attributes(op.attributes.as_ref())?);
        let filed = Filed { id, label: op.label.unwrap_or_default() };
        let handle = first_way(filed.generation(&attributes)?, |making| match making {
            Making::Secret(mechanism, secret) => self.session.generate_key(&mechanism, &secret),
            Making::Pair(mechanism, public, private) => {
                self.session.generate_key_pair(&mechanism, &public, &private).map(|(_, private)| private)
            }
        })?;
        self.token.remember(id, handle);
        Ok(Empty {})
    }
}

impl Run<ImportKey> for Session {
    fn run(&self, op: ImportKey) -> Result<Empty, Failure> {
        let (id, attributes) = (id(&op.key_name)?, attributes(op.attributes.as_ref())?);
        let filed = Filed { id, label: op.label.clone().unwrap_or_default() };
        let handle = first_way(filed.import(&attributes, &op.data)?, |object| self.session.create_object(&object))?;
        if !attributes.key_type.is_public() {
            self.token.remember(id, handle);
        }
        Ok(Empty {})
    }
}

impl Run<DestroyKey> for Session {
    /// All that has our `CKA_ID`, which nothing else has. It is done where two searches find nothing, whatever the library says it has
    /// destroyed.
    fn run(&self, op: DestroyKey) -> Result<Empty, Failure> {
        let id = id(&op.key_name)?;
        self.token.forget(&id);
        let mut empty = 0;
        for _ in 0..DESTROYING {
            let found = self.find(vec![Attribute::Id(id.to_vec())])?;
            empty = if found.is_empty() { empty + 1 } else { 0 };
            if empty == 2 {
                return Ok(Empty {});
            }
            found.into_iter().try_for_each(|handle| self.session.destroy_object(handle))?;
        }
        Err(Failure::odd("the token still has the key after the library has destroyed it"))
    }
}

impl Run<ExportPublicKey> for Session {
    fn run(&self, op: ExportPublicKey) -> Result<Exported, Failure> {
        let odd = || Failure::odd("the token tells no public key that can be read");
        let found = self.find(vec![Attribute::Class(ObjectClass::PUBLIC_KEY), Attribute::Id(id(&op.key_name)?.to_vec())])?;
        let handle = *found.first().ok_or(Failure::Missing)?;
        let read = |wanted: AttributeType| -> Result<Vec<u8>, Failure> {
            let told = self.session.get_attributes(handle, &[wanted])?;
            told.first().and_then(template::bytes).map(<[u8]>::to_vec).ok_or_else(odd)
        };
        let key_type = self.session.get_attributes(handle, &[AttributeType::KeyType])?;
        let data = match key_type.first() {
            Some(Attribute::KeyType(Pkcs11Type::RSA)) => {
                let (modulus, exponent) = (read(AttributeType::Modulus)?, read(AttributeType::PublicExponent)?);
                spki::rsa_key(&modulus, &exponent)
            }
            Some(_) => {
                let parameters = template::parameters(&read(AttributeType::EcParams)?).ok_or_else(odd)?;
                template::point(&read(AttributeType::EcPoint)?, parameters.public_len).map(<[u8]>::to_vec)
            }
            None => None,
        };
        Ok(Exported { data: data.ok_or_else(odd)? })
    }
}

impl Run<ExportKey> for Session {
    fn run(&self, op: ExportKey) -> Result<Exported, Failure> {
        let odd = || Failure::odd("the token does not give the key");
        let id = id(&op.key_name)?;
        let guarded = |class| self.find(vec![Attribute::Class(class), Attribute::Id(id.to_vec())]);
        let mut found = guarded(ObjectClass::PRIVATE_KEY)?;
        found.extend(guarded(ObjectClass::SECRET_KEY)?);
        let handle = *found.first().ok_or(Failure::Missing)?;
        let key_type = self.session.get_attributes(handle, &[AttributeType::KeyType])?;
        let data = match key_type.first() {
            Some(Attribute::KeyType(Pkcs11Type::RSA)) => {
                template::rsa_key(&self.session.get_attributes(handle, &template::rsa_parts())?)
            }
            _ => {
                let value = self.session.get_attributes(handle, &[AttributeType::Value])?;
                value.first().and_then(template::bytes).map(<[u8]>::to_vec)
            }
        };
        Ok(Exported { data: data.ok_or_else(odd)? })
    }
}

impl Run<SignHash> for Session {
    fn run(&self, op: SignHash) -> Result<Signed, Failure> {
        let algorithm = required(op.alg.as_ref()).and_then(TryInto::try_into).map_err(Failure::from_status)?;
        let mechanism = mechanism::signature(algorithm)?;
        let signature = self.private(&op.key_name, |session, key| Ok(session.sign(&mechanism, key, &op.hash)?))?;
        Ok(Signed { signature })
    }
}

impl Run<SignMessage> for Session {
    fn run(&self, op: SignMessage) -> Result<Signed, Failure> {
        let algorithm = required(op.alg.as_ref()).and_then(TryInto::try_into).map_err(Failure::from_status)?;
        let mechanism = mechanism::signature(algorithm)?;
        let signature = self.private(&op.key_name, |session, key| Ok(session.sign(&mechanism, key, &op.message)?))?;
        Ok(Signed { signature })
    }
}

impl Run<AsymmetricDecrypt> for Session {
    fn run(&self, op: AsymmetricDecrypt) -> Result<Decrypted, Failure> {
        let algorithm = required(op.alg.as_ref()).and_then(TryInto::try_into).map_err(Failure::from_status)?;
        let mechanism = mechanism::encryption(algorithm, &op.salt)?;
        let plaintext = self.private(&op.key_name, |session, key| Ok(session.decrypt(&mechanism, key, &op.ciphertext)?))?;
        Ok(Decrypted { plaintext })
    }
}

impl Run<AeadEncrypt> for Session {
    fn run(&self, op: AeadEncrypt) -> Result<Encrypted, Failure> {
        let algorithm = required(op.alg.as_ref()).and_then(TryInto::try_into).map_err(Failure::from_status)?;
        let ciphertext = self.secret(&op.key_name, |session, key| {
            let mut nonce = op.nonce.clone();
            Ok(session.encrypt(&mechanism::aead(algorithm, &mut nonce, &op.additional_data)?, key, &op.plaintext)?)
        })?;
        Ok(Encrypted { ciphertext })
    }
}

impl Run<AeadDecrypt> for Session {
    fn run(&self, op: AeadDecrypt) -> Result<Decrypted, Failure> {
        let algorithm = required(op.alg.as_ref()).and_then(TryInto::try_into).map_err(Failure::from_status)?;
        let plaintext = self.secret(&op.key_name, |session, key| {
            let mut nonce = op.nonce.clone();
            Ok(session.decrypt(&mechanism::aead(algorithm, &mut nonce, &op.additional_data)?, key, &op.ciphertext)?)
        });
        match plaintext {
            // Tokens have many words for a tag that does not match.
            Err(failure) if failure.data() || failure.vague() && self.session.get_session_info().is_ok() => {
                let detail = "the tag does not match: wrong key, nonce or data".to_owned();
                Err(Failure::Refused(Status::PsaErrorInvalidSignature, detail))
            }
            plaintext => Ok(Decrypted { plaintext: plaintext? }),
        }
    }
}

impl Run<CipherEncrypt> for Session {
    fn run(&self, op: CipherEncrypt) -> Result<Encrypted, Failure> {
        let cipher = op.alg.try_into().map_err(Failure::from_status)?;
        let iv = op.iv.as_deref().unwrap_or_default();
        let ciphertext = self.secret(&op.key_name, |session, key| {
            Ok(session.encrypt(&mechanism::cipher(cipher, iv, &mut None)?, key, &op.plaintext)?)
        })?;
        Ok(Encrypted { ciphertext })
    }
}

impl Run<CipherDecrypt> for Session {
    fn run(&self, op: CipherDecrypt) -> Result<Decrypted, Failure> {
        let cipher = op.alg.try_into().map_err(Failure::from_status)?;
        let (iv, body) = op.ciphertext.split_at(mechanism::iv_len(cipher).min(op.ciphertext.len()));
        let plaintext = self
            .secret(&op.key_name, |session, key| Ok(session.decrypt(&mechanism::cipher(cipher, iv, &mut None)?, key, body)?))?;
        Ok(Decrypted { plaintext })
    }
}

impl Run<MacCompute> for Session {
    fn run(&self, op: MacCompute) -> Result<Maced, Failure> {
        let algorithm = required(op.alg.as_ref()).and_then(TryInto::try_into).map_err(Failure::from_status)?;
        let mechanism = mechanism::mac(algorithm)?;
        let mac = self.secret(&op.key_name, |session, key| Ok(session.sign(&mechanism, key, &op.input)?))?;
        Ok(Maced { mac })
    }
}

impl Run<RawKeyAgreement> for Session {
    /// The secret passes through an object of the session.
    fn run(&self, op: RawKeyAgreement) -> Result<Agreed, Failure> {
        let len =
            if op.peer_key.first() == Some(&4) && op.peer_key.len() % 2 == 1 { op.peer_key.len() / 2 } else { op.peer_key.len() };
        let template = [
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(Pkcs11Type::GENERIC_SECRET),
            Attribute::Token(false),
            Attribute::Sensitive(false),
            Attribute::Extractable(true),
            Attribute::ValueLen((len as u64).into()),
        ];
        let mechanism = mechanism::agreement(&op.peer_key);
        let shared_secret = self.private(&op.key_name, |session, key| {
            let object = session.derive_key(&mechanism, key, &template)?;
            let value = session.get_attributes(object, &[AttributeType::Value]);
            let destroyed = session.destroy_object(object);
            let value = value?.first().and_then(template::bytes).map(<[u8]>::to_vec);
            destroyed?;
            value.ok_or_else(|| Failure::odd("the token does not give the secret"))
        })?;
        Ok(Agreed { shared_secret })
    }
}

impl Run<GenerateRandom> for Session {
    fn run(&self, op: GenerateRandom) -> Result<Random, Failure> {
        let mut random_bytes = vec![0; usize::try_from(op.size.min(RANDOM)).unwrap_or_default()];
        self.session.generate_random_slice(&mut random_bytes)?;
        Ok(Random { random_bytes })
    }
}
