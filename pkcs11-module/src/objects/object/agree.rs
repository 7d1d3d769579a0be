//! Whether an object matches its template (PKCS#11 v3.1 §4.1.1). A contradiction is CKR_TEMPLATE_INCONSISTENT.

use cryptoki_sys::*;
use interface::spki::PublicKey;

use super::{Object, may_be};
use crate::error::Error;
use crate::ffi::Template;
use crate::mechanism::secret::SecretType;
use crate::objects::attributes::{self, Source};
use crate::objects::material;

/// Numbers, which may begin with zeros.
const NUMBERS: [CK_ATTRIBUTE_TYPE; 5] = [CKA_MODULUS, CKA_PUBLIC_EXPONENT, CKA_PRIME, CKA_SUBPRIME, CKA_BASE];

impl Object {
    /// Whether it is all that its template says.
    pub(crate) fn is_as(&self, template: &Template) -> bool {
        template.iter().all(|(kind, given)| self.agrees(kind, given))
    }

    /// Whether its key or group is the one that its template says. The rest of a template says where it goes and what is kept with it, or
    /// asks for what not every service has.
    pub(crate) fn is_the_one_of(&self, template: &Template) -> bool {
        let is = |kind| attributes::find(self.class, kind).is_ok_and(|attribute| attribute.source == Source::Object);
        template
            .iter()
            .all(|(kind, given)| !is(kind) || [CKA_TOKEN, CKA_LABEL, CKA_ID].contains(&kind) || self.agrees(kind, given))
    }

    /// Whether an attribute has a value, in whichever form. One that does not show was checked where it came from.
    fn agrees(&self, kind: CK_ATTRIBUTE_TYPE, given: &[u8]) -> bool {
        match self.attribute(kind) {
            Ok(have) => *have == given || self.same(kind, given, &have),
            Err(Error::AttributeSensitive) => true,
            Err(_) => given.is_empty(),
        }
    }

    fn same(&self, kind: CK_ATTRIBUTE_TYPE, given: &[u8], have: &[u8]) -> bool {
        let curve = |params| material::curve(params).map(|curve| curve.oid).ok();
        let id = |info| PublicKey::from_spki(info).map(|key| key.id());
        match kind {
            CKA_KEY_TYPE => self.may_be(given),
            CKA_EC_PARAMS => given.is_empty() || curve(given).is_some() && curve(given) == curve(have),
            CKA_EC_POINT => self.key().is_some_and(|key| key.has_point(given)),
            CKA_PUBLIC_KEY_INFO => given.is_empty() || id(given).is_some() && id(given) == id(have),
            CKA_VALUE => material::number(given) == material::number(have) && self.key().is_some_and(|key| key.group().is_some()),
            _ => NUMBERS.contains(&kind) && (given.is_empty() || material::number(given) == material::number(have)),
        }
    }

    /// Whether it is of this CKA_KEY_TYPE too: a secret for one HMAC alone is a generic one.
    fn may_be(&self, given: &[u8]) -> bool {
        let given = given.try_into().map(CK_KEY_TYPE::from_ne_bytes);
        given.is_ok_and(|given| {
            let sized = |bits| SecretType::named(given).and_then(|secret| secret.bits).is_none_or(|own| own == bits);
            self.key().is_some_and(|key| may_be(key.attributes.key_type, given) && sized(key.attributes.bits))
        })
    }
}
