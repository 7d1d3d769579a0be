//! What this backend can do. It asks the same functions that run the operations.

use super::Software;
use super::key::{Kind, ParsedKey};
use super::{aead, cipher, derive, encrypt, kem, mac, sign, unsupported, wrap};
use crate::admission::Call;
use crate::error::Result;
use crate::provider::Handle;
use interface::algorithm::{Algorithm, Hash};
use interface::attributes::{Attributes, Usage};
use interface::message::{Empty, required};
use interface::operations::CanDoCrypto;
use interface::operations::CheckType;

/// Refuses what this backend cannot do: a key of this type and size, or one of the algorithms of its policy.
pub(crate) fn can_do(check: CheckType, attributes: &Attributes, allow_deprecated: bool) -> Result<()> {
    if check == CheckType::Generate && attributes.deprecated() && !allow_deprecated {
        return Err(unsupported("deprecated primitives are switched off here"));
    }
    let (key_type, bits) = (attributes.key_type, attributes.bits);
    let kind = match check {
        CheckType::Use => Kind::of(key_type, bits),
        CheckType::Generate => ParsedKey::generated(key_type, bits, &[]),
        CheckType::Import => Kind::asked(key_type, bits),
        CheckType::Derive => Kind::derived(key_type, bits),
    };
    let policy = &attributes.policy;
    let signs = |algorithm| match algorithm {
        Algorithm::Signature(signature) if !policy.usage.and(Usage::SIGN).is_empty() => {
            sign::check_new(signature, allow_deprecated)
        }
        _ => Ok(()),
    };
    kind.and_then(|kind| {
        policy.algorithms().try_for_each(|algorithm| runs(kind, algorithm, policy.usage).and_then(|()| signs(algorithm)))
    })
    .map_err(|error| unsupported(error.to_string()))
}

fn runs(kind: Kind, algorithm: Algorithm, usage: Usage) -> Result<()> {
    if !usage.is_empty() && usage.without(Usage::WRAP | Usage::UNWRAP).is_empty() {
        return wrap::WrapScheme::of(kind, algorithm).map(drop);
    }
    match algorithm {
        Algorithm::None => Ok(()),
        Algorithm::Mac(algorithm) => mac::Function::of(kind, algorithm).map(drop),
        Algorithm::Cipher(algorithm) => cipher::Mode::of(kind, algorithm).map(drop),
        Algorithm::Aead(algorithm) => aead::Mode::of(kind, algorithm).map(drop),
        Algorithm::Encryption(algorithm) => encrypt::EncryptScheme::of(kind, algorithm).map(drop),
        Algorithm::Kem(algorithm) => kem::check(kind, algorithm),
        Algorithm::Signature(algorithm) => sign::SignScheme::of(kind, algorithm.or_hash(Hash::Sha256)).map(drop),
        Algorithm::Hash(_) => Err(unsupported("a hash takes no key")),
        Algorithm::Agreement(_) | Algorithm::Derivation(_) => derive::check(kind, algorithm),
    }
}

impl Handle<CanDoCrypto> for Software {
    fn handle(&self, call: &Call<'_>, op: CanDoCrypto) -> Result<Empty> {
        let attributes: Attributes = required(op.attributes.as_ref())?.try_into()?;
        can_do(op.check_type.try_into()?, &attributes, call.allow_deprecated())?;
        Ok(Empty {})
    }
}
