//! Key agreement. The token gives the secret, so the service derives from it. A key that may be read stays in the service.

use super::{Hsm, invalid, unsupported, wrong};
use crate::admission::Call;
use crate::error::Result;
use crate::providers::software;
use interface::algorithm::{Agreement, Algorithm};
use interface::attributes::{EccFamily, KeyType, Usage};
use interface::message::Empty;
use interface::operations::{Agreed, DeriveKey, RawKeyAgreement};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Bytes of a public key of X25519, and of its secret.
const X25519: usize = 32;

impl Hsm {
    pub(super) fn agreed(&self, call: &Call<'_>, op: RawKeyAgreement) -> Result<Agreed> {
        let mut secret = self.agree(call, call.algorithm()?.try_into()?, &op.peer_key)?;
        Ok(Agreed { shared_secret: std::mem::take(&mut *secret) })
    }

    pub(super) fn derive(&self, call: &Call<'_>, op: DeriveKey) -> Result<Empty> {
        let attributes = call.attributes()?;
        let (algorithm, len) = (call.algorithm()?, software::wanted(attributes)?);
        let Algorithm::Agreement(agreement) = algorithm else {
            return Err(unsupported(format!("the pkcs11 provider has no {algorithm:?}")));
        };
        let value = software::out_of(self.agree(call, agreement.agreement(), &op.peer_key)?, algorithm, &op, len)?;
        let (attributes, key) = software::ParsedKey::import(attributes, &value)?;
        if attributes.policy.usage.contains(Usage::EXPORT) {
            self.software.keep(call, attributes, key)
        } else {
            self.take(call, attributes, key, op.label)
        }
    }

    /// The secret shared with a peer, whose public key is in the wire's format.
    fn agree(&self, call: &Call<'_>, algorithm: Agreement, peer: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        let (held, attributes) = (Self::held(call)?, &call.key()?.attributes);
        self.ability.check_algorithm(attributes.key_type, attributes.bits, algorithm.into())?;
        let montgomery = attributes.key_type == KeyType::EccKeyPair(EccFamily::Montgomery);
        let (peer_key, len) = match montgomery {
            true if peer.len() == X25519 => (peer.to_vec(), X25519),
            true => return Err(invalid("an X25519 public key has 32 bytes")),
            false => {
                let point = held.public()?.peer(algorithm, peer)?;
                let len = point.len() / 2;
                (point, len)
            }
        };
        let (key_name, limit) = (held.name.clone(), self.owner.settings.limit);
        let op = RawKeyAgreement { alg: algorithm.into(), key_name, peer_key, owner: None };
        let shared = self.with(call, |channel| channel.call(&op, limit))?;
        let zeros = len.checked_sub(shared.shared_secret.len()).ok_or_else(wrong)?;
        let mut secret = Zeroizing::new(vec![0; len]);
        secret[zeros..].copy_from_slice(&shared.shared_secret);
        if montgomery && bool::from(secret.ct_eq(&[0; X25519])) {
            return Err(invalid("the peer's key is of low order, so the secret would be known"));
        }
        Ok(secret)
    }
}
