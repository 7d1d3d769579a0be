//! Making, storing, reading and destroying keys.

use super::key::ParsedKey;
use super::{Software, invalid};
use crate::admission::Call;
use crate::error::Result;
use crate::key::Key as Original;
use crate::provider::Handle;
use crate::store::{Material, Reservation};
use interface::Secret;
use interface::attributes::{Attributes, Usage};
use interface::message::Empty;
use interface::operations::{CopyKey, DestroyKey, ExportKey, ExportPublicKey, Exported, GenerateKey, ImportKey, Tier};

impl Handle<GenerateKey> for Software {
    fn handle(&self, call: &Call<'_>, op: GenerateKey) -> Result<Empty> {
        let attributes = call.attributes()?;
        ParsedKey::generated(attributes.key_type, attributes.bits, &op.group)?;
        let reservation = self.reserve(call)?;
        let key = ParsedKey::generate(attributes, &op.group)?;
        let material = Material { local: true, ..self.material(&key, attributes.clone())? };
        call.commit(reservation, material, key)?;
        Ok(Empty {})
    }
}

impl Handle<ImportKey> for Software {
    fn handle(&self, call: &Call<'_>, op: ImportKey) -> Result<Empty> {
        let (attributes, key) = ParsedKey::import(call.attributes()?, &op.data)?;
        self.keep(call, attributes, key)
    }
}

impl Handle<CopyKey> for Software {
    fn handle(&self, call: &Call<'_>, _: CopyKey) -> Result<Empty> {
        let (attributes, key) = ParsedKey::import(call.attributes()?, &self.key(call)?.export()?)?;
        let Original { local, past, .. } = **call.key()?;
        self.commit(call, Material { local, past, ..self.material(&key, attributes)? }, key)
    }
}

impl Software {
    /// Keeps a key that was not made here.
    pub(crate) fn keep(&self, call: &Call<'_>, attributes: Attributes, key: ParsedKey) -> Result<Empty> {
        self.commit(call, self.material(&key, attributes)?, key)
    }

    fn commit(&self, call: &Call<'_>, material: Material, key: ParsedKey) -> Result<Empty> {
        call.commit(self.reserve(call)?, material, key)?;
        Ok(Empty {})
    }

    fn reserve<'a>(&self, call: &Call<'a>) -> Result<Reservation<'a>> {
        let reservation = call.reserve()?;
        match &self.seal {
            Some(seal) if !reservation.volatile() => seal.check()?,
            _ => {}
        }
        Ok(reservation)
    }

    fn material(&self, key: &ParsedKey, attributes: Attributes) -> Result<Material> {
        let key_type = attributes.key_type;
        let private = Secret::new(std::mem::take(&mut *key.export()?));
        let (private, tier) = match &self.seal {
            Some(seal) if !key_type.is_public() => (seal.seal(&private)?, Tier::Sealed),
            _ => (private, Tier::Software),
        };
        let public_key = if key_type.is_pair() || key_type.is_public() { key.public()? } else { Vec::new() };
        Ok(Material { private, public_key, attributes, tier, local: false, past: Usage::NONE })
    }
}

impl Handle<DestroyKey> for Software {
    fn handle(&self, call: &Call<'_>, _: DestroyKey) -> Result<Empty> {
        call.store().destroy(call.key()?)?.commit();
        Ok(Empty {})
    }
}

impl Handle<ExportKey> for Software {
    fn handle(&self, call: &Call<'_>, _: ExportKey) -> Result<Exported> {
        Ok(Exported { data: std::mem::take(&mut *self.key(call)?.export()?) })
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
