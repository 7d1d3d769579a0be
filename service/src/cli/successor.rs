//! A key and its successor, which knows by an attribute whose place it is to take.

use super::context::{Context, KeyRecord};
use super::ending::today;
use super::error::{During, Error, Result};
use interface::message::Pkcs11Attribute;
use interface::operations::{Find, RecordKind, SetMetadata};
use interface::text::word;
use interface::vendor::SUCCEEDS;
use interface::{ProviderId, Status};

/// What relates a key to its successor.
pub(crate) struct Successor;

impl Successor {
    /// What is kept with the successor of a key.
    pub(crate) fn mark(key: &KeyRecord) -> Pkcs11Attribute {
        Pkcs11Attribute { kind: SUCCEEDS, value: key.record.uuid.clone().into_bytes() }
    }

    /// The successor of a key, if it has one.
    pub(crate) fn of(context: &Context, key: &KeyRecord) -> Result<Option<KeyRecord>> {
        own(context, key.provider, Find { pkcs11: vec![Self::mark(key)], ..Find::default() })
    }

    /// The key whose successor this one is, if it is there.
    fn predecessor(context: &Context, key: &KeyRecord) -> Result<Option<KeyRecord>> {
        let mark = key.record.pkcs11.iter().find(|kept| kept.kind == SUCCEEDS);
        let uuid = mark.and_then(|mark| String::from_utf8(mark.value.clone()).ok());
        uuid.map_or(Ok(None), |uuid| own(context, key.provider, Find { uuid: Some(uuid), ..Find::default() }))
    }

    /// This name, or with a number the first that no key has or had.
    pub(crate) fn free_name(context: &Context, key: &KeyRecord, name: &str) -> Result<String> {
        for number in 1.. {
            let numbered = if number == 1 { name.to_owned() } else { format!("{name}.{number}") };
            match context.client.lookup(key.provider, key.owner().as_deref(), &numbered) {
                Err(error) if error.status() == Some(Status::PsaErrorDoesNotExist) => return Ok(numbered),
                found => found.during(|| format!("look up key '{numbered}'"))?,
            };
        }
        Err(Error::Failed(format!("no name like '{name}' is free")))
    }

    /// The rotation of the key of this name, however far it has come.
    pub(crate) fn rotation(context: &Context, asked: &str, key: KeyRecord) -> Result<Rotation> {
        if let Some(new) = Self::of(context, &key)? {
            // renamed already, where it was cut off after that
            let renamed = key.name().starts_with(&format!("{asked}.old-"));
            let name = if renamed { asked } else { key.name() }.to_owned();
            return Ok(Rotation { name, old: key, new });
        }
        let name = key.name().to_owned();
        match Self::predecessor(context, &key)? {
            Some(old) => Ok(Rotation { name, old, new: key }),
            None => {
                let detail = format!("key '{name}' has no successor yet: parsec key rotate {}", word(&name));
                Err(Error::NotFound(detail))
            }
        }
    }
}

/// The caller's own key that this finds.
fn own(context: &Context, provider: ProviderId, filter: Find) -> Result<Option<KeyRecord>> {
    let found = context.client.find(provider, &Find { kind: Some(RecordKind::Key.into()), ..filter });
    let found = found.during(|| "look for the successor of a key".to_owned())?;
    found.into_iter().find(|record| !record.foreign).map(KeyRecord::new).transpose()
}

/// A key, its successor, and the name that the successor gets.
pub(crate) struct Rotation {
    name: String,
    old: KeyRecord,
    new: KeyRecord,
}

impl Rotation {
    pub(crate) fn provider(&self) -> ProviderId {
        self.new.provider
    }

    /// Gives the successor the name and the label, as far as it does not have them yet. Returns the names of both keys. While neither key has
    /// the name, it still leads to the old one, which had it last.
    pub(crate) fn finish(&self, context: &Context) -> Result<(String, String)> {
        let mut old = self.old.name().to_owned();
        if old == self.name {
            let free = Successor::free_name(context, &self.old, &format!("{}.old-{}", self.name, today()))?;
            set(context, &self.old, &old, SetMetadata { rename: Some(free.clone()), ..SetMetadata::default() })?;
            old = free;
        }
        if self.new.name() != self.name {
            let rename = Some(self.name.clone());
            set(context, &self.new, self.new.name(), SetMetadata { rename, ..SetMetadata::default() })?;
        }
        // the old key gives its label away last
        if self.old.record.label != old {
            let label = Some(self.old.record.label.clone());
            set(context, &self.new, &self.name, SetMetadata { label, ..SetMetadata::default() })?;
            set(context, &self.old, &old, SetMetadata { label: Some(old.clone()), ..SetMetadata::default() })?;
        }
        // an older service answers yes, and does nothing
        let found = context.client.lookup(self.new.provider, self.new.owner().as_deref(), &self.name);
        match found.is_ok_and(|found| found.uuid == self.new.record.uuid) {
            true => Ok((self.name.clone(), old)),
            false => {
                let detail = "this service is older than this program and cannot rename keys: restart it";
                Err(Error::Unsupported(detail.to_owned()))
            }
        }
    }
}

/// Changes what stands beside a key of this name.
fn set(context: &Context, key: &KeyRecord, name: &str, set: SetMetadata) -> Result<()> {
    let set = SetMetadata { kind: RecordKind::Key.into(), name: name.to_owned(), ..set };
    let done = context.client.call(key.provider, &set);
    done.map(drop).during(|| format!("change key '{name}'"))
}
