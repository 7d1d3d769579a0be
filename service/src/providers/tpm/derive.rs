//! Keys derived from secrets that the chip has agreed on. The chip returns such a secret, so the service derives the new key.
//!
//! A key whose value may be read stays in the service as a software key, because the chip would have to export it again. It is
//! shown with the software tier. Every other key goes into the chip.

use super::Tpm;
use super::failure::unsupported;
use crate::admission::Call;
use crate::error::Result;
use crate::key::Key;
use crate::provider::Handle;
use crate::providers::software;
use interface::algorithm::Algorithm;
use interface::attributes::Usage;
use interface::message::Empty;
use interface::operations::{DeriveKey, ExportKey, Exported, Tier};

impl Handle<DeriveKey> for Tpm {
    fn handle(&self, call: &Call<'_>, op: DeriveKey) -> Result<Empty> {
        let attributes = call.attributes()?;
        let (algorithm, len) = (call.algorithm()?, software::wanted(attributes)?);
        let Algorithm::Agreement(agreement) = algorithm else {
            return Err(unsupported(format!("the TPM provider has no {algorithm:?}")));
        };
        let value = software::out_of(self.agree(call, agreement.agreement(), &op.peer_key)?, algorithm, &op, len)?;
        let (attributes, key) = software::ParsedKey::import(attributes, &value)?;
        if attributes.policy.usage.contains(Usage::EXPORT) {
            self.software.keep(call, attributes, key)
        } else {
            self.take(call, attributes, &key, false)
        }
    }
}

impl Handle<ExportKey> for Tpm {
    fn handle(&self, call: &Call<'_>, op: ExportKey) -> Result<Exported> {
        if is_here(call.key()?) { self.software.handle(call, op) } else { Err(unsupported("no key leaves the TPM")) }
    }
}

/// Whether the service has the whole key, and the chip nothing of it.
pub(super) fn is_here(key: &Key) -> bool {
    key.tier == Tier::Software
}
