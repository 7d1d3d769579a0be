//! Making, storing, reading and destroying keys.

use super::owner::{Failure, MAKING};
use super::{Hsm, ReadyKey, invalid, is_here, unsupported, wrong};
use crate::admission::Call;
use crate::error::Result;
use crate::provider::Handle;
use crate::providers::software;
use crate::store::{Material, Reservation};
use interface::attributes::{Attributes, Usage};
use interface::kind::Parameters;
use interface::message::Empty;
use interface::operations::{DestroyKey, ExportKey, ExportPublicKey, Exported, GenerateKey, ImportKey, Tier};
use interface::{Secret, Status};

/// Bytes of what belongs to a key and nobody else knows.
const OWN: usize = 32;

impl Handle<GenerateKey> for Hsm {
    fn handle(&self, call: &Call<'_>, op: GenerateKey) -> Result<Empty> {
        let attributes = call.attributes()?;
        if attributes.key_type.is_public() {
            return Err(invalid("a public key cannot be generated: generate the pair"));
        }
        self.ability.check_kind(attributes.key_type, attributes.bits)?;
        call.check_name()?;
        let reservation = self.reserve(call)?;
        if reservation.volatile() {
            drop(reservation);
            return self.software.handle(call, op);
        }
        let (reservation, name) = (reservation.elsewhere(), reservation_name(&op.label, &op.key_name));
        let make = GenerateKey {
            key_name: reservation.uuid().to_string(),
            attributes: Some((&self.told(attributes)).into()),
            label: Some(name),
            ..GenerateKey::default()
        };
        let made = self.owner.once(|channel| channel.call(&make, self.owner.settings.limit * MAKING));
        let public = made.map_err(Failure::explain).and_then(|_| self.read(attributes, &make.key_name));
        self.finish(call, reservation, attributes.clone(), true, public)
    }
}

impl Handle<ImportKey> for Hsm {
    fn handle(&self, call: &Call<'_>, op: ImportKey) -> Result<Empty> {
        let (attributes, key) = software::ParsedKey::import(call.attributes()?, &op.data)?;
        if attributes.key_type.is_public() {
            return self.software.keep(call, attributes, key);
        }
        self.take(call, attributes, key, op.label.clone())
    }
}

impl Hsm {
    /// Holds the name of a key, also where a key that is none any more had it and the token could not destroy that before.
    fn reserve<'a>(&self, call: &'a Call<'_>) -> Result<Reservation<'a>> {
        match call.reserve() {
            Err(error) if error.status() == Status::PsaErrorAlreadyExists => {
                self.owner.recover();
                call.reserve()
            }
            reserved => reserved,
        }
    }

    /// Puts a private or secret key into the token.
    pub(super) fn take(
        &self,
        call: &Call<'_>,
        attributes: Attributes,
        key: software::ParsedKey,
        label: Option<String>,
    ) -> Result<Empty> {
        self.ability.check_kind(attributes.key_type, attributes.bits)?;
        call.check_name()?;
        let reservation = self.reserve(call)?;
        if reservation.volatile() {
            drop(reservation);
            return self.software.keep(call, attributes, key);
        }
        let reservation = reservation.elsewhere();
        let (name, public) =
            (reservation.uuid().to_string(), if attributes.key_type.is_pair() { key.public()? } else { Vec::new() });
        let object = |attributes: Attributes, data: &[u8]| ImportKey {
            key_name: name.clone(),
            attributes: Some((&attributes).into()),
            data: data.to_vec(),
            label: label.clone(),
            id: None,
            volatile: false,
            pkcs11: Vec::new(),
        };
        let put = |object: &ImportKey| self.owner.once(|channel| channel.call(object, self.owner.settings.limit));
        let mut objects = Vec::new();
        if !public.is_empty() {
            objects.push(object(attributes.public(), &public));
        }
        objects.push(object(self.told(&attributes), &key.export()?));
        let put = objects.iter().try_for_each(|object| put(object).map(drop).map_err(Failure::explain));
        self.finish(call, reservation, attributes, false, put.map(|()| public))
    }

    /// Makes a key ready that the token has made, or sees to it that the token has nothing of it.
    fn finish(
        &self,
        call: &Call<'_>,
        reservation: Reservation<'_>,
        attributes: Attributes,
        local: bool,
        public: Result<Vec<u8>>,
    ) -> Result<Empty> {
        let name = reservation.uuid().to_string();
        let ready = public.and_then(|data| {
            // Refuses a key that the token has made badly: see CVE-2017-15361.
            let import = |data: &Vec<u8>| software::ParsedKey::import(&attributes.public(), data).map(|(_, public)| public);
            let public = Some(&data).filter(|data| !data.is_empty()).map(import).transpose()?;
            let own = Secret::new(std::mem::take(&mut *software::random(OWN)?));
            let material =
                Material { private: own.clone(), public_key: data, attributes, tier: Tier::Hsm, local, past: Usage::NONE };
            Ok((material, ReadyKey { name, public, own }))
        });
        let done = match ready {
            Ok((material, form)) => call.commit(reservation, material, form),
            Err(error) => {
                drop(reservation);
                Err(error)
            }
        };
        if done.is_err() {
            self.owner.recover();
        }
        done.map(|()| Empty {})
    }

    /// The public half of a pair that the token has made.
    fn read(&self, attributes: &Attributes, name: &str) -> Result<Vec<u8>> {
        if !attributes.key_type.is_pair() {
            return Ok(Vec::new());
        }
        let read = ExportPublicKey { key_name: name.to_owned(), owner: None };
        let read = self.owner.run(|channel| channel.call(&read, self.owner.settings.limit));
        Ok(std::mem::take(&mut read.map_err(Failure::explain)?.data))
    }

    /// What the token is told of a key: that it may be exported only where the configuration permits that.
    fn told(&self, attributes: &Attributes) -> Attributes {
        let mut told = attributes.clone();
        if !self.owner.settings.export {
            told.policy.usage = told.policy.usage.without(Usage::EXPORT);
        }
        told
    }

    pub(super) fn destroy(&self, call: &Call<'_>, _: DestroyKey) -> Result<Empty> {
        let destruction = call.store().destroy(call.key()?)?;
        let destroy = DestroyKey { key_name: destruction.key().uuid.to_string(), owner: None };
        // It looks for what is there, so it may be done twice.
        match self.owner.run(|channel| channel.call(&destroy, self.owner.settings.limit)) {
            Ok(_) => destruction.commit(),
            Err(failure) => {
                let uuid = destruction.key().uuid;
                destruction.leave();
                self.owner.recover();
                if self.owner.left(uuid) {
                    let error = failure.explain();
                    tracing::warn!("nobody can use the key any more, and the token destroys it later: {error}");
                    return Err(error);
                }
            }
        }
        Ok(Empty {})
    }

    pub(super) fn export(&self, call: &Call<'_>, _: ExportKey) -> Result<Exported> {
        let key = call.key()?;
        if !self.owner.settings.export {
            return Err(unsupported("no key leaves the token: allow_export = false in the configuration"));
        }
        let export = ExportKey { key_name: key.uuid.to_string(), owner: None };
        let mut exported = self.with(call, |channel| channel.call(&export, self.owner.settings.limit))?;
        let len = Parameters::of(key.attributes.key_type, key.attributes.bits).map_or(0, |curve| curve.private_len);
        if exported.data.len() < len {
            let zeros = vec![0; len - exported.data.len()];
            exported.data.splice(..0, zeros);
        }
        let (_, whole) = software::ParsedKey::import(&key.attributes, &exported.data).map_err(|_| wrong())?;
        if key.attributes.key_type.is_pair() && whole.public()? != key.public_key {
            return Err(wrong());
        }
        debug_assert!(!is_here(key));
        Ok(exported)
    }
}

/// `CKA_LABEL`.
fn reservation_name(label: &Option<String>, name: &str) -> String {
    label.clone().unwrap_or_else(|| name.to_owned())
}
