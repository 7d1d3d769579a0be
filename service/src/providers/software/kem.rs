//! Key encapsulation.

use super::Software;
use super::key::{Kind, Material, ParsedKey};
use super::{invalid, library, pq};
use crate::admission::Call;
use crate::error::Result;
use crate::provider::Handle;
use interface::algorithm::Kem;
use interface::operations::{Agreed, Decapsulate, Encapsulate, Encapsulated};
use lc::Secret;

/// Refuses an encapsulation that keys of a kind cannot do.
pub(crate) fn check(kind: Kind, algorithm: Kem) -> Result<()> {
    match kind {
        Kind::Pq(set) if pq::encapsulates(set, algorithm) => Ok(()),
        _ => Err(invalid("a key of this type does not encapsulate secrets")),
    }
}

impl ParsedKey {
    /// Ciphertext and shared secret.
    pub(crate) fn encapsulate(&self, algorithm: Kem) -> Result<(Vec<u8>, Secret)> {
        check(self.kind(), algorithm)?;
        match &self.material {
            Material::Pq(pq) => {
                pq.encapsulate().map_err(|_| invalid("the key is no public key of ML-KEM: a number in it is too large"))
            }
            _ => Err(library()),
        }
    }

    /// The shared secret.
    pub(crate) fn decapsulate(&self, algorithm: Kem, ciphertext: &[u8]) -> Result<Secret> {
        self.needs_private()?;
        check(self.kind(), algorithm)?;
        match &self.material {
            Material::Pq(pq) => pq
                .decapsulate(ciphertext)
                .map_err(|_| invalid(format!("{} bytes are no ciphertext for a key of this size", ciphertext.len()))),
            _ => Err(library()),
        }
    }
}

impl Handle<Encapsulate> for Software {
    fn handle(&self, call: &Call<'_>, _: Encapsulate) -> Result<Encapsulated> {
        let (ciphertext, secret) = self.key(call)?.encapsulate(Self::algorithm(call)?)?;
        Ok(Encapsulated { ciphertext, shared_secret: self.deliver(call, secret)? })
    }
}

impl Handle<Decapsulate> for Software {
    fn handle(&self, call: &Call<'_>, op: Decapsulate) -> Result<Agreed> {
        let secret = self.key(call)?.decapsulate(Self::algorithm(call)?, &op.ciphertext)?;
        Ok(Agreed { shared_secret: self.deliver(call, secret)? })
    }
}

impl Software {
    /// Keeps the secret as a key where the request asks for one, else tells it.
    fn deliver(&self, call: &Call<'_>, mut secret: Secret) -> Result<Vec<u8>> {
        let Ok(attributes) = call.attributes() else {
            return Ok(std::mem::take(&mut *secret));
        };
        let (attributes, key) = ParsedKey::import(attributes, &secret)?;
        self.keep(call, attributes, key).map(|_| Vec::new())
    }
}
