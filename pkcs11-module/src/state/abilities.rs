//! The mechanisms that a token shows: those in the table that its provider says it can do.

use cryptoki_sys::*;
use interface::Opcode;
use interface::attributes::{Attributes, KeyType, Usage};
use interface::operations::CheckType;
use interface::policy::Job;

use crate::error::{Error, Result};
use crate::mechanism::Work::{Pair, Parameters, Secret, Sign};
use crate::mechanism::{Family, MechanismRow, SignatureScheme, all, policy, secret::SecretType};

/// A question to a provider: would it do this?
pub(crate) struct Question {
    /// The operation that it comes down to.
    pub(crate) opcode: Opcode,
    pub(crate) check: CheckType,
    pub(crate) attributes: Attributes,
}

/// What a provider answered: the part of the table that works on its token.
#[derive(Default)]
pub(crate) struct Abilities(Infos);

type Infos = Vec<(CK_MECHANISM_TYPE, CK_MECHANISM_INFO)>;

impl Abilities {
    /// Asks a provider about all mechanisms. `can` answers a question, or fails if the provider cannot be asked.
    pub(crate) fn ask(mut can: impl FnMut(Question) -> Result<bool>) -> Result<Self> {
        let mut sizes = Vec::new();
        for &family in Family::ALL {
            let mut able = Vec::new();
            for (key_type, bits) in family.keys() {
                if generates(key_type, bits, &mut can)? {
                    able.push((key_type, bits));
                }
            }
            sizes.push((family, able));
        }
        let mut list: Infos = Vec::new();
        for mechanism in all() {
            if let Some(info) = mechanism.info(&sizes, &mut can)? {
                add(&mut list, mechanism.kind, info);
            }
        }
        Ok(Self(list))
    }

    /// What C_GetMechanismList shows: also what works only with keys whose templates name it.
    pub(crate) fn kinds(&self) -> Vec<CK_MECHANISM_TYPE> {
        self.0.iter().map(|(kind, _)| *kind).collect()
    }

    /// Fails for a use of a mechanism that the provider does not have.
    pub(crate) fn check(&self, kind: CK_MECHANISM_TYPE, flag: CK_FLAGS) -> Result<()> {
        if self.info(kind)?.flags & flag == 0 { Err(Error::MechanismInvalid) } else { Ok(()) }
    }

    pub(crate) fn info(&self, kind: CK_MECHANISM_TYPE) -> Result<CK_MECHANISM_INFO> {
        let found = self.0.iter().find(|(have, _)| *have == kind);
        found.map(|(_, info)| *info).ok_or(Error::MechanismInvalid)
    }
}

/// Whether a provider generates such keys, for whichever algorithm.
fn generates(key_type: KeyType, bits: u32, can: &mut impl FnMut(Question) -> Result<bool>) -> Result<bool> {
    let of = |job: Job| job.repertoire(key_type).all().map(|algorithm| policy(job.usage(), [algorithm])).collect::<Vec<_>>();
    let mut policies: Vec<_> = Job::ALL.into_iter().flat_map(of).collect();
    if policies.is_empty() {
        policies.push(policy(Usage::DERIVE, []));
    }
    for policy in policies {
        let attributes = Attributes { key_type, bits, policy };
        if can(Question { opcode: Opcode::GenerateKey, check: CheckType::Generate, attributes })? {
            return Ok(true);
        }
    }
    Ok(false)
}

type Sizes = [(Family, Vec<(KeyType, u32)>)];

impl MechanismRow {
    /// Flags and key sizes on a token whose provider generates keys of `sizes`; none when it cannot do this at all.
    fn info(&self, sizes_of: &Sizes, can: &mut dyn FnMut(Question) -> Result<bool>) -> Result<Option<CK_MECHANISM_INFO>> {
        let Some(family) = self.work.family() else {
            return Ok(Some(mechanism_info(CKF_DIGEST, 0, 0)));
        };
        let able = sizes_of.iter().find(|(have, _)| *have == family);
        let able = able.map(|(_, able)| able.as_slice()).unwrap_or_default();
        let (Some(&(key_type, min)), Some(&(_, max))) = (able.first(), able.last()) else {
            return Ok(None);
        };
        let uses = match self.work {
            Pair(_) => return Ok(Some(about(family, CKF_GENERATE_KEY_PAIR, min, max))),
            Parameters(_) => return Ok(Some(about(family, CKF_GENERATE, min, max))),
            Secret(kind) => {
                let own = SecretType::named(kind);
                let sizes = own.map(SecretType::sizes).unwrap_or_default();
                let sizes: Vec<_> = able.iter().map(|able| able.1).filter(|bits| sizes.contains(bits)).collect();
                let ends = sizes.first().zip(sizes.last());
                let info = ends.map(|(min, max)| about(family, CKF_GENERATE, *min, *max));
                // Where its keys make one HMAC only, that has to be there as well.
                let only =
                    own.and_then(|own| own.hash).map(|hash| Self { work: Sign(SignatureScheme::Hmac, Some(hash)), ..*self });
                return Ok(match only {
                    Some(only) if only.info(sizes_of, can)?.is_none() => None,
                    _ => info,
                });
            }
            _ => self.work.uses(),
        };
        let Some((algorithm, uses)) = uses else {
            return Ok(None);
        };
        let mut flags = 0;
        for (own, usage, opcode) in uses {
            let attributes = Attributes { key_type, bits: min, policy: policy(usage, [algorithm]) };
            if can(Question { opcode, check: CheckType::Use, attributes })? {
                flags |= own;
            }
        }
        Ok((flags != 0).then(|| about(family, flags, min, max)))
    }
}

/// Adds what is known of a mechanism to what is known of it already.
fn add(list: &mut Infos, kind: CK_MECHANISM_TYPE, info: CK_MECHANISM_INFO) {
    match list.iter_mut().find(|(have, _)| *have == kind) {
        Some((_, known)) => {
            known.flags |= info.flags;
            known.ulMinKeySize = known.ulMinKeySize.min(info.ulMinKeySize);
            known.ulMaxKeySize = known.ulMaxKeySize.max(info.ulMaxKeySize);
        }
        None => list.push((kind, info)),
    }
}

/// The info of a mechanism for keys of a family with sizes in bits.
fn about(family: Family, flags: CK_FLAGS, min: u32, max: u32) -> CK_MECHANISM_INFO {
    mechanism_info(flags | family.flags(), family.size(min), family.size(max))
}

fn mechanism_info(flags: CK_FLAGS, min: u32, max: u32) -> CK_MECHANISM_INFO {
    CK_MECHANISM_INFO { ulMinKeySize: min.into(), ulMaxKeySize: max.into(), flags }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mechanism::{Work, find};
    use interface::algorithm::Hash;
    use interface::attributes::EccFamily;

    #[test]
    fn a_token_shows_only_what_its_provider_can_do() {
        let abilities = Abilities::ask(|question| {
            let sha1 = question.attributes.policy.algorithm.hash() == Some(Hash::Sha1);
            let signs = question.opcode == Opcode::SignHash;
            Ok(question.attributes.key_type == KeyType::EccKeyPair(EccFamily::SecpR1)
                && question.attributes.bits < 521
                && !(sha1 && signs))
        })
        .unwrap();
        assert!(abilities.info(CKM_RSA_PKCS).is_err());
        assert!(abilities.info(CKM_EDDSA).is_err());
        assert_eq!(abilities.info(CKM_SHA256).unwrap().flags, CKF_DIGEST);
        let ecdsa = abilities.info(CKM_ECDSA).unwrap();
        assert_eq!((ecdsa.ulMinKeySize, ecdsa.ulMaxKeySize), (192, 384));
        let curves = CKF_EC_F_P | CKF_EC_OID | CKF_EC_UNCOMPRESS | CKF_EC_COMPRESS;
        let (_, uses) = find(CKM_ECDSA, Work::uses).unwrap();
        let [(sign, ..), (verify, ..)] = uses[..] else { panic!("two uses") };
        assert_eq!(ecdsa.flags, curves | sign | verify);
        assert_eq!(abilities.info(CKM_ECDSA_SHA1).unwrap().flags, curves | verify);
        let pair = abilities.info(CKM_EC_KEY_PAIR_GEN).unwrap();
        assert_eq!(pair.flags, curves | CKF_GENERATE_KEY_PAIR);
    }

    #[test]
    fn a_provider_that_does_not_answer_has_no_mechanisms() {
        assert!(Abilities::ask(|_| Err(Error::DeviceFailed)).is_err());
    }
}
