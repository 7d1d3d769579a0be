//! Making, storing, reading and destroying keys.

use super::key::Key;
use super::{Software, invalid};
use crate::error::Result;
use crate::provider::{Call, Handle};
use crate::store::{Key as Original, Material};
use interface::Secret;
use interface::attributes::{Attributes, Usage};
use interface::message::Empty;
use interface::operations::{CopyKey, DestroyKey, ExportKey, ExportPublicKey, Exported, GenerateKey, ImportKey, Tier};
use std::sync::Arc;

impl Handle<GenerateKey> for Software {
    fn handle(&self, call: &Call<'_>, _: GenerateKey) -> Result<Empty> {
        let attributes = call.attributes()?;
        Key::generated(attributes.key_type, attributes.bits)?;
        let reservation = call.reserve()?;
        let key = Key::generate(attributes)?;
        let material = Material { local: true, ..material(&key, attributes.clone())? };
        let _ = reservation.commit(material)?.loaded.set(Arc::new(key));
        Ok(Empty {})
    }
}

impl Handle<ImportKey> for Software {
    fn handle(&self, call: &Call<'_>, op: ImportKey) -> Result<Empty> {
        let (attributes, key) = Key::import(call.attributes()?, &op.data)?;
        keep(call, attributes, key)
    }
}

impl Handle<CopyKey> for Software {
    fn handle(&self, call: &Call<'_>, _: CopyKey) -> Result<Empty> {
        let (attributes, key) = Key::import(call.attributes()?, &Self::key(call)?.export()?)?;
        let Original { local, past, .. } = **call.key()?;
        commit(call, Material { local, past, ..material(&key, attributes)? }, key)
    }
}

/// Keeps a key that was not made here.
pub(super) fn keep(call: &Call<'_>, attributes: Attributes, key: Key) -> Result<Empty> {
    commit(call, material(&key, attributes)?, key)
}

fn commit(call: &Call<'_>, material: Material, key: Key) -> Result<Empty> {
    let _ = call.reserve()?.commit(material)?.loaded.set(Arc::new(key));
    Ok(Empty {})
}

fn material(key: &Key, attributes: Attributes) -> Result<Material> {
    let asymmetric = attributes.key_type.is_pair() || attributes.key_type.is_public();
    Ok(Material {
        private: Secret::new(std::mem::take(&mut *key.export()?)),
        public_key: if asymmetric { key.public()? } else { Vec::new() },
        attributes,
        tier: Tier::Software,
        local: false,
        past: Usage::NONE,
    })
}

impl Handle<DestroyKey> for Software {
    fn handle(&self, call: &Call<'_>, _: DestroyKey) -> Result<Empty> {
        call.store().destroy(call.key()?)?.commit()?;
        Ok(Empty {})
    }
}

impl Handle<ExportKey> for Software {
    fn handle(&self, call: &Call<'_>, _: ExportKey) -> Result<Exported> {
        Ok(Exported { data: std::mem::take(&mut *Self::key(call)?.export()?) })
    }
}

impl Handle<ExportPublicKey> for Software {
    fn handle(&self, call: &Call<'_>, _: ExportPublicKey) -> Result<Exported> {
        let data = call.key()?.public_key.clone();
        if data.is_empty() {
            return Err(invalid("a symmetric key has no public half"));
        }
        Ok(Exported { data })
    }
}
