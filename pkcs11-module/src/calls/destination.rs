//! Where new objects go: onto the token, or into the session that makes them (CKA_TOKEN, PKCS#11 v3.1 §4.4).

use std::sync::Arc;

use cryptoki_sys::*;
use interface::attributes::Attributes;
use interface::group::Group;
use interface::operations::{self, ImportKey, LookupKey, PutObject};
use interface::{Filing, Status, client};

use crate::error::{Call, During, Error, Result};
use crate::ffi::Template;
use crate::objects::attributes::{self, Origin, private_by_default};
use crate::objects::object::{InSession, KeyObject, Object, Record, UnnamedCurveKey, kept, made_by, public_object};
use crate::random;
use crate::state::{self, end::destroy_key, lock, module::Module, process, session::Session};
use interface::hash::sha1;

/// So many bytes of an id are part of the name of its key.
const LONGEST_IN_NAME: usize = 64;

/// Where a new object goes.
pub(super) struct Destination {
    pub(super) module: Arc<Module>,
    pub(super) session: Arc<Session>,
    handle: CK_SESSION_HANDLE,
    /// Onto the token.
    pub(super) token: bool,
    /// Everybody sees the object, although its class is private by default.
    public: bool,
}

impl Destination {
    /// The place that a template asks for. Fails where an object of this class cannot be made from it, or not in this session.
    ///
    /// CKA_PRIVATE is for the token to say where the template does not (PKCS#11 v3.1 §4.4). Session objects that nobody else ever sees
    /// are public where nobody is logged in: programs agree on keys and import public ones before they ask for a PIN.
    pub(super) fn new(handle: CK_SESSION_HANDLE, class: CK_OBJECT_CLASS, template: &Template, origin: Origin) -> Result<Self> {
        let module = state::current()?;
        let session = module.session(handle)?;
        attributes::check(class, template, origin, module.officer(session.slot()))?;
        let (token, private) = (template.flag(CKA_TOKEN)?.unwrap_or(false), template.flag(CKA_PRIVATE)?);
        let by_default = private_by_default(class);
        let public = by_default && private.is_none() && !token && module.check_login(session.slot()).is_err();
        if private.unwrap_or(by_default) && !public {
            module.check_login(session.slot())?;
        }
        Ok(Self { public, ..Self::of(handle, token)? })
    }

    /// On the token, or in this session.
    pub(super) fn of(handle: CK_SESSION_HANDLE, token: bool) -> Result<Self> {
        let module = state::current()?;
        let session = module.session(handle)?;
        if token {
            session.check_writable()?;
        }
        Ok(Self { module, session, handle, token, public: false })
    }

    /// What a key of these templates is filed under: a half of a pair whose template says nothing has the label and the id of the other.
    /// An id that is given stays, even an empty one. Has no name yet.
    pub(super) fn filing(&self, class: CK_OBJECT_CLASS, template: &Template, public: Option<&Template>) -> Result<Filing> {
        let label = match template.text(CKA_LABEL)? {
            None => public.map(|public| public.text(CKA_LABEL)).transpose()?.flatten(),
            given => given,
        };
        let id = template.value(CKA_ID).or_else(|| public?.value(CKA_ID));
        let mut pkcs11 = kept(class, template, public);
        pkcs11.extend(self.public.then(public_object));
        Ok(Filing {
            name: String::new(),
            label: Some(label.unwrap_or_default().to_owned()),
            id: id.map(<[u8]>::to_vec),
            volatile: !self.token,
            pkcs11,
        })
    }

    /// Has the service make a key by a request that `make` sends, and tells what has become of it. `make` is called again where nothing was
    /// done; a key that was made although the answer is lost is told by what is kept with it.
    ///
    /// A key of the token is named after its label, or its id; labels need not be unique but names must be, so a second key gets some
    /// random digits too. Nobody can guess the name of a session key.
    pub(super) fn key<T>(
        &self,
        call: Call,
        filing: &Filing,
        make: impl Fn(Filing) -> Result<T, client::Error>,
    ) -> Result<Record> {
        let request = made_by(&random::bytes()?);
        let pkcs11 = filing.pkcs11.iter().chain([&request]).cloned().collect();
        let filing = Filing { pkcs11, ..filing.clone() };
        let (client, provider) = (&self.module.client, self.session.provider);
        let named = |name: &str| {
            let make = || {
                make(Filing { name: name.to_owned(), ..filing.clone() })?;
                client.lookup(provider, None, name)
            };
            let look = || match client.call(provider, &LookupKey { key_name: name.to_owned(), owner: None }) {
                Ok(found) => Ok(found.pkcs11.contains(&request).then_some(found)),
                Err(error) if error.status() == Some(Status::PsaErrorDoesNotExist) => Ok(None),
                Err(error) => Err(error),
            };
            client::settle(make, look)
        };
        let name = match (filing.label.as_deref(), &filing.id) {
            _ if filing.volatile => format!("session-{}", hex(&random::bytes::<16>()?)),
            (Some(label), _) if !label.is_empty() => name_of(label),
            (_, Some(id)) if !id.is_empty() => format!("id-{}", hex(&id[..id.len().min(LONGEST_IN_NAME)])),
            _ => format!("key-{}", hex(&random::bytes::<8>()?)),
        };
        let made = match named(&name) {
            Err(error) if error.status() == Some(Status::PsaErrorAlreadyExists) => {
                named(&format!("{name}-{}", hex(&random::bytes::<4>()?)))
            }
            other => other,
        };
        self.record(made.during(call)?)
    }

    /// Fails for templates of a key that contradict what it will be: its public value is `public`, as far as templates may know it.
    pub(super) fn check_asked(
        &self,
        asked: &Attributes,
        public: Vec<u8>,
        templates: &[(CK_OBJECT_CLASS, &Template)],
    ) -> Result<()> {
        let record = Record::asked(self.session.provider, asked.clone(), public);
        templates.iter().try_for_each(|(class, template)| is_the_one_of(*class, &record, template))
    }

    /// Has `make` make what must pass a check, which nobody knows before. If that is in doubt, it is made for this process alone first: should
    /// the process be killed before it has looked, nothing is left.
    pub(super) fn verified(
        &self,
        call: Call,
        filing: Filing,
        doubtful: bool,
        make: impl Fn(Filing) -> Result<Record>,
        check: impl Fn(&Record) -> Result<()>,
    ) -> Result<Record> {
        let verified = |filing| {
            let record = make(filing)?;
            if let Err(wrong) = check(&record) {
                destroy_key(&self.module, &record).during(call)?;
                return Err(wrong);
            }
            Ok(record)
        };
        if self.token && doubtful {
            let trial = verified(Filing { volatile: true, ..filing.clone() })?;
            destroy_key(&self.module, &trial).during(call)?;
        }
        verified(filing)
    }

    /// Has the service make a key of this template, which asks for these attributes, by a request that `make` sends. Gives its handle.
    pub(super) fn new_key<T>(
        &self,
        call: Call,
        class: CK_OBJECT_CLASS,
        template: &Template,
        asked: &Attributes,
        make: impl Fn(Filing) -> Result<T, client::Error>,
    ) -> Result<CK_OBJECT_HANDLE> {
        self.check_asked(asked, vec![], &[(class, template)])?;
        self.learn_one(self.key(call, &self.filing(class, template, None)?, make)?)
    }

    /// Has the service store a key.
    pub(super) fn import(&self, call: Call, filing: Filing, attributes: &Attributes, data: &[u8]) -> Result<Record> {
        self.key(call, &filing, |Filing { name, label, id, volatile, pkcs11 }| {
            let (attributes, data) = (Some(attributes.into()), data.to_vec());
            self.module
                .client
                .call(self.session.provider, &ImportKey { key_name: name, attributes, data, label, id, volatile, pkcs11 })
        })
    }

    /// Stores the public half of a key as a key of its own.
    pub(super) fn import_public(&self, filing: Filing, key: &KeyObject) -> Result<Record> {
        self.import(Call::Create, filing, &key.attributes.public(), &key.public)
    }

    /// Stores a certificate or data, which in a session is nowhere but here.
    pub(super) fn put(&self, put: PutObject) -> Result<Record> {
        if self.token {
            // What is stored twice is there once.
            let stored = client::settle(|| self.module.client.call(self.session.provider, &put), || Ok(None));
            return self.record(stored.during(Call::Create)?);
        }
        self.record(operations::Record {
            kind: put.kind,
            uuid: hex(&random::bytes::<16>()?),
            provider_id: self.session.provider.number().into(),
            name: put.name,
            label: put.label.unwrap_or_default(),
            id: put.id.unwrap_or_default(),
            value: put.value,
            pkcs11: put.pkcs11,
            ..operations::Record::default()
        })
    }

    /// Keeps a public key on a curve without a name, in this session.
    pub(super) fn nameless(&self, filing: Filing, key: UnnamedCurveKey) -> Result<Record> {
        let uuid = hex(&random::bytes::<16>()?);
        Ok(self.at(Record::nameless(self.session.slot(), uuid, filing, key)))
    }

    /// Keeps a group for keys, in this session.
    pub(super) fn group(&self, filing: Filing, group: Group) -> Result<Record> {
        let uuid = hex(&random::bytes::<16>()?);
        Ok(self.at(Record::group(self.session.slot(), uuid, filing, group)))
    }

    fn record(&self, record: operations::Record) -> Result<Record> {
        Record::try_from(record).map(|record| self.at(record)).map_err(|_| Error::DeviceFailed)
    }

    fn at(&self, record: Record) -> Record {
        let session = (!self.token).then(|| InSession { session: self.handle, process: process::number() });
        record.in_session(session)
    }

    /// Gives the record's objects their handles. A session that was closed meanwhile takes its objects with it.
    pub(super) fn learn(&self, record: Record) -> Result<Vec<(CK_OBJECT_HANDLE, Arc<Object>)>> {
        let learned = lock(&self.module.objects).learn(record);
        if let Err(closed) = self.module.session(self.handle) {
            self.module.end_objects(|session, _| session == self.handle);
            return Err(closed);
        }
        Ok(learned)
    }

    /// The handle of the only object that a record shows as.
    pub(super) fn learn_one(&self, record: Record) -> Result<CK_OBJECT_HANDLE> {
        let learned = self.learn(record)?;
        learned.first().map(|(handle, _)| *handle).ok_or(Error::DeviceFailed)
    }
}

/// Fails unless an object of this record is what its template says (CKR_TEMPLATE_INCONSISTENT).
pub(super) fn is_the_one_of(class: CK_OBJECT_CLASS, record: &Record, template: &Template) -> Result<()> {
    let object = Object { class, record: record.clone().into() };
    if object.is_the_one_of(template) { Ok(()) } else { Err(Error::TemplateInconsistent) }
}

/// A name for an object made from its contents: what is stored twice is there once.
pub(super) fn content_name(prefix: &str, put: &PutObject) -> String {
    let kept = put.pkcs11.iter().flat_map(|kept| [&kept.kind.to_le_bytes()[..], &kept.value].concat());
    let label = put.label.as_deref().unwrap_or_default();
    let content: Vec<_> = label.bytes().chain([0]).chain(put.value.iter().copied()).chain(kept).collect();
    format!("{prefix}-{}", hex(&sha1(&content)[..8]))
}

/// A name for people to type, near the label.
fn name_of(label: &str) -> String {
    let plain = |c: char| {
        if c.is_alphanumeric() || "._@-".contains(c) { c } else { '-' }
    };
    label.chars().map(plain).take(64).collect()
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_are_near_labels() {
        assert_eq!(super::name_of("My key/1"), "My-key-1");
    }
}
