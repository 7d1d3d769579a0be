//! Raw key agreement.

use super::Software;
use super::key::{Kind, Material, ParsedKey};
use super::{invalid, library, unsupported};
use crate::admission::Call;
use crate::error::Result;
use crate::provider::Handle;
use interface::algorithm::Agreement;
use interface::operations::{Agreed, RawKeyAgreement};
use lc::{Ec, Secret, x25519};

/// Refuses an agreement that keys of a kind cannot do.
pub(crate) fn check(kind: Kind, algorithm: Agreement) -> Result<()> {
    match (kind, algorithm) {
        (Kind::Ec(_) | Kind::X25519, Agreement::Ecdh) => Ok(()),
        (Kind::Dh, Agreement::Ffdh) => Ok(()),
        (_, Agreement::Ffdh) => Err(unsupported("this provider has no finite-field Diffie-Hellman: use ECDH")),
        _ => Err(invalid("a key of this type does not agree on secrets")),
    }
}

impl ParsedKey {
    /// The peer's point, uncompressed; refuses what [`Self::agree`] refuses, for a key on a Weierstrass curve whose private half is elsewhere.
    pub(crate) fn peer(&self, algorithm: Agreement, peer: &[u8]) -> Result<Vec<u8>> {
        check(self.kind(), algorithm)?;
        match &self.material {
            Material::Ec(ec) => Ok(point(ec, peer)?.public()?),
            _ => Err(library()),
        }
    }

    /// The secret shared with a peer, whose public key is in the wire's format.
    pub(crate) fn agree(&self, algorithm: Agreement, peer: &[u8]) -> Result<Secret> {
        self.needs_private()?;
        check(self.kind(), algorithm)?;
        match &self.material {
            Material::Ec(ec) => Ok(ec.agree(&point(ec, peer)?)?),
            Material::Field(field) => field.agree(peer),
            Material::X25519(private) => {
                let peer = peer.try_into().map_err(|_| invalid("an X25519 public key has 32 bytes"))?;
                x25519(private, peer).map_err(|_| invalid("the peer's key is of low order, so the secret would be known"))
            }
            _ => Err(library()),
        }
    }
}

/// The peer's key, which is on the curve of our own.
fn point(ec: &Ec, peer: &[u8]) -> Result<Ec> {
    Ec::from_point(ec.curve(), peer).map_err(|_| invalid("the peer's key is not a point on this curve"))
}

impl Handle<RawKeyAgreement> for Software {
    fn handle(&self, call: &Call<'_>, op: RawKeyAgreement) -> Result<Agreed> {
        let mut secret = self.key(call)?.agree(Self::algorithm(call)?, &op.peer_key)?;
        Ok(Agreed { shared_secret: std::mem::take(&mut *secret) })
    }
}
