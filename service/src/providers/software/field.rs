//! Keys that come with their group: DSA and Diffie-Hellman in finite fields. Callers vouch for the groups that they bring, but the
//! service refuses what is no group at all. It makes no groups for Diffie-Hellman: finding a safe prime can take minutes, and the
//! groups of RFC 3526 and RFC 7919 are as good.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use super::{invalid, library, unsupported};
use crate::error::Result;
use interface::attributes::KeyType;
use interface::group::{Group, GroupKey};
use lc::{self, Secret, is_prime};
use zeroize::Zeroizing;

/// The shortest and the longest prime in bits.
pub(crate) const BITS: [u32; 2] = [512, 4096];
/// The sizes of a DSA group's order in bits (FIPS 186-4 §4.2).
const ORDERS: [usize; 3] = [160, 224, 256];
/// The number of groups that are remembered.
const KNOWN: usize = 16;

/// A key.
pub(crate) struct Field {
    group: Group,
    /// As long as the prime.
    public: Vec<u8>,
    private: Option<Secret>,
}

impl Field {
    /// A new key, in this group; for none, DSA has a new one, and Diffie-Hellman the named one of this size.
    pub(crate) fn generate(key_type: KeyType, bits: u32, group: &[u8]) -> Result<Self> {
        let group = match (group, key_type.public()) {
            ([], KeyType::DsaPublicKey) => {
                let [prime, subprime, base] = lc::dsa_group(bits)?;
                Group { prime, subprime: Some(subprime), base }
            }
            ([], _) => named(bits)?,
            (der, _) => {
                let group = Group::from_der(der).ok_or_else(|| invalid("the group is not the DER of an AlgorithmIdentifier"))?;
                check(&group)?;
                group
            }
        };
        if (group.key_type(), group.bits()) != (key_type.public(), bits) {
            return Err(invalid(format!("the group has {} bits, or is for keys of another type", group.bits())));
        }
        let private = lc::below(group.subprime.as_ref().unwrap_or(&group.prime))?;
        Self::of(group, private)
    }

    /// The pair in a PKCS#8 key.
    pub(crate) fn from_private(der: &[u8]) -> Result<Self> {
        let key = GroupKey::from_pkcs8(der).ok_or_else(|| invalid("the data is not a PKCS#8 key with its group"))?;
        check(&key.group)?;
        let limit = key.group.subprime.as_ref().unwrap_or(&key.group.prime);
        if !(smaller(&[], &key.number) && smaller(&key.number, limit)) {
            return Err(invalid("the private exponent is not in the range of the group"));
        }
        Self::of(key.group, key.number)
    }

    /// The public key in a `SubjectPublicKeyInfo`.
    pub(crate) fn from_public(der: &[u8]) -> Result<Self> {
        let key = GroupKey::from_spki(der).ok_or_else(|| invalid("the data is not a SubjectPublicKeyInfo with its group"))?;
        check(&key.group)?;
        let public = public_value(&key.group, &key.number)?;
        Ok(Self { group: key.group, public, private: None })
    }

    fn of(group: Group, private: Secret) -> Result<Self> {
        let mut public = lc::power(&group.base, &private, &group.prime)?;
        Ok(Self { group, public: std::mem::take(&mut *public), private: Some(private) })
    }

    pub(crate) fn bits(&self) -> u32 {
        self.group.bits()
    }

    /// As a `SubjectPublicKeyInfo`.
    pub(crate) fn public(&self) -> Result<Vec<u8>> {
        let number = Zeroizing::new(self.public.clone());
        GroupKey { group: self.group.clone(), number }.to_spki().ok_or_else(library)
    }

    /// As a PKCS#8 key.
    pub(crate) fn private(&self) -> Result<Secret> {
        let number = self.exponent()?.clone();
        GroupKey { group: self.group.clone(), number }.to_pkcs8().ok_or_else(library)
    }

    /// Signs a digest with DSA.
    pub(crate) fn sign(&self, digest: &[u8]) -> Result<Vec<u8>> {
        Ok(lc::dsa_sign(self.dsa()?, &self.public, self.exponent()?, digest)?)
    }

    /// Verifies what [`Self::sign`] made.
    pub(crate) fn verify(&self, digest: &[u8], signature: &[u8]) -> Result<(), lc::Refused> {
        lc::dsa_verify(self.dsa().map_err(|_| lc::Refused)?, &self.public, digest, signature)
    }

    /// The secret shared with a peer in the same group, whose public key is a `SubjectPublicKeyInfo`; as long as the prime.
    pub(crate) fn agree(&self, peer: &[u8]) -> Result<Secret> {
        let same = GroupKey::from_spki(peer).filter(|peer| peer.group == self.group);
        let peer = same.ok_or_else(|| invalid("the peer's key is not the SubjectPublicKeyInfo of a key in the same group"))?;
        let value = public_value(&self.group, &peer.number)?;
        let secret = lc::power(&value, self.exponent()?, &self.group.prime)?;
        if smaller(&secret, &[2]) {
            Err(invalid("the peer's value is of low order, so the secret would be known"))
        } else {
            Ok(secret)
        }
    }

    fn exponent(&self) -> Result<&Secret> {
        self.private.as_ref().ok_or_else(library)
    }

    fn dsa(&self) -> Result<lc::Dsa<'_>> {
        Ok([&self.group.prime, self.group.subprime.as_ref().ok_or_else(library)?, &self.group.base])
    }
}

/// The named group for Diffie-Hellman with a prime of so many bits.
pub(crate) fn named(bits: u32) -> Result<Group> {
    if !lc::DH_BITS.contains(&bits) {
        let sizes = lc::DH_BITS;
        return Err(unsupported(format!(
            "Diffie-Hellman has named groups of {sizes:?} bits, not {bits}: bring a group of your own"
        )));
    }
    let [prime, base] = lc::dh_group(bits)?;
    Ok(Group { prime, subprime: None, base })
}

/// Refuses numbers that make no group. To see that they are prime takes long, and many keys share a group, so those that were fine last
/// are remembered.
fn check(group: &Group) -> Result<()> {
    static FINE: Mutex<VecDeque<Group>> = Mutex::new(VecDeque::new());
    let fine = || FINE.lock().unwrap_or_else(PoisonError::into_inner);
    if fine().contains(group) {
        return Ok(());
    }
    check_numbers(group)?;
    let mut fine = fine();
    fine.push_front(group.clone());
    fine.truncate(KNOWN);
    Ok(())
}

fn check_numbers(group: &Group) -> Result<()> {
    let wrong = |what: &str| Err(invalid(format!("the group is none: {what}")));
    if !(BITS[0]..=BITS[1]).contains(&group.bits()) {
        return wrong(&format!("its prime has {} bits, not {} to {}", group.bits(), BITS[0], BITS[1]));
    }
    if named(group.bits()).is_ok_and(|named| named == *group) {
        return Ok(());
    }
    if !is_prime(&group.prime)? {
        return wrong("its modulus is not prime");
    }
    if !(smaller(&[1], &group.base) && smaller(&group.base, &group.prime)) {
        return wrong("its base is out of range");
    }
    let Some(subprime) = &group.subprime else { return Ok(()) };
    if !ORDERS.contains(&(subprime.len() * 8)) || !is_prime(subprime)? {
        return wrong("its order is not a prime of 160, 224 or 256 bits");
    }
    if smaller(&[1], &lc::power(&group.base, subprime, &group.prime)?) {
        return wrong("its base has another order");
    }
    Ok(())
}

/// A public value, as long as the prime; refused unless it is in 2..prime-1 (NIST SP 800-56A §5.6.2.3.1).
fn public_value(group: &Group, value: &[u8]) -> Result<Vec<u8>> {
    let mut last = group.prime.clone();
    last.last_mut().into_iter().for_each(|byte| *byte &= !1);
    if smaller(&[1], value) && smaller(value, &last) {
        let digits = digits(value);
        return Ok([&vec![0; group.prime.len() - digits.len()][..], digits].concat());
    }
    Err(invalid("the public value is not in the range of the group"))
}

/// Whether one big-endian number is smaller than another.
fn smaller(one: &[u8], other: &[u8]) -> bool {
    let (one, other) = (digits(one), digits(other));
    (one.len(), one) < (other.len(), other)
}

fn digits(number: &[u8]) -> &[u8] {
    &number[number.iter().take_while(|byte| **byte == 0).count()..]
}
