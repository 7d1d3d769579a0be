//! Message-based operations (PKCS#11 3.1 §5.9, §5.11, §5.14, §5.16): one key, many messages, each whole or in parts.
//!
//! The service seals a message as a whole. What encryption gives out for a part does not depend on the parts that follow, so it is
//! asked for at once; of a message being decrypted nothing is given out before its tag has been checked, at the last part.
//!
//! Generators are here, so that parts of a message have one nonce and counters can be asked for. But where the client may not choose
//! a nonce, the service makes it, for whole messages.

use std::sync::Arc;

use cryptoki_sys::*;
use interface::algorithm::AeadKind;
use interface::client::{self, Caller};
use interface::operations::FRESH_NONCE;

use crate::error::{Call, During, Error, Result};
use crate::ffi::{self, AeadMessage, AeadParameter, MessageParameter};
use crate::mechanism::{self, Mode, Work};
use crate::objects::object::Object;
use crate::operations::active::{Active, Keyed};
use crate::operations::encryption::{Crypting, Direction};
use crate::operations::signature::Signing;
use crate::random;

/// Messages of an authenticated cipher, all in one direction.
pub(crate) struct Sealing {
    direction: Direction,
    kind: AeadKind,
    key: Arc<Object>,
    nonces: Option<Nonces>,
    /// The message under way in parts.
    pub(crate) current: Active<Crypting>,
}

impl Sealing {
    pub(crate) fn new(direction: Direction, mechanism: &ffi::Mechanism, key: Arc<Object>) -> Result<Self> {
        let kind = mechanism::find(mechanism.kind(), |work| match work {
            Work::Encrypt(Mode::Aead(kind)) => Some(kind),
            _ => None,
        })?;
        Crypting::check(direction, Mode::Aead(kind), &key)?;
        Ok(Self { direction, kind, key, nonces: None, current: Active::default() })
    }

    /// The parameter of a message.
    pub(crate) fn read(&self, parameter: &MessageParameter) -> Result<AeadMessage> {
        parameter.aead(self.kind)
    }

    /// Begins a message; its nonce is told to the caller.
    pub(crate) fn begin(&mut self, message: &AeadMessage, additional: &[u8]) -> Result<Crypting> {
        self.current.check_idle()?;
        let encrypts = self.direction == Direction::Encrypt;
        let fresh = encrypts && self.key.key().is_some_and(|key| key.fresh_nonces);
        if fresh {
            check_fresh(message)?;
        }
        let generates = encrypts && !fresh && message.generator != CKG_NO_GENERATE;
        let nonce = if generates { self.generate(message)? } else { message.nonce() };
        let parameter = AeadParameter {
            nonce: nonce.clone(),
            additional: additional.to_vec(),
            tag_len: message.tag_len() as CK_ULONG,
            data_len: message.data_len,
        };
        let crypting = Crypting::message(self.direction, self.kind, Arc::clone(&self.key), parameter)?;
        if generates {
            message.set_nonce(&nonce);
        }
        Ok(crypting)
    }

    fn generate(&mut self, message: &AeadMessage) -> Result<Vec<u8>> {
        if self.nonces.is_none() {
            self.nonces = Some(Nonces::new(message)?);
        }
        let nonces = self.nonces.as_mut().ok_or(Error::MechanismParamInvalid)?;
        nonces.check(message)?;
        nonces.next(&message.nonce())
    }
}

impl Keyed for Sealing {
    fn object(&self) -> Option<&Object> {
        Some(&self.key)
    }
}

/// Fails unless the service can make the nonce: all of it, at random, of the length that it has.
fn check_fresh(message: &AeadMessage) -> Result<()> {
    let random = matches!(message.generator, CKG_GENERATE | CKG_GENERATE_RANDOM) && message.fixed_bits == 0;
    if random && message.nonce().len() == FRESH_NONCE { Ok(()) } else { Err(Error::MechanismParamInvalid) }
}

/// Ends an encryption: the ciphertext, after the tag has gone to its own place, and the service's nonce to its.
pub(crate) fn seal(service: &impl Caller<Error = client::Error>, crypting: Crypting, message: &AeadMessage) -> Result<Vec<u8>> {
    let fresh = crypting.fresh_nonce();
    let mut sealed = crypting.run(service)?;
    if fresh {
        let (nonce, rest) = sealed.split_at_checked(FRESH_NONCE).ok_or(Error::DeviceFailed)?;
        message.set_nonce(nonce);
        sealed = rest.to_vec();
    }
    let len = sealed.len().checked_sub(message.tag_len()).ok_or(Error::DeviceFailed)?;
    message.set_tag(&sealed.split_off(len));
    Ok(sealed)
}

/// Ends a decryption.
pub(crate) fn open(
    service: &impl Caller<Error = client::Error>,
    mut crypting: Crypting,
    message: &AeadMessage,
) -> Result<Vec<u8>> {
    crypting.add(&message.tag())?;
    crypting.run(service).during(Call::Open)
}

/// What makes the nonces of an encryption. The bits that are not the caller's form a number; it never comes round.
struct Nonces {
    generator: CK_GENERATOR_FUNCTION,
    fixed_bits: CK_ULONG,
    /// The first nonce, or what the counter is mixed with.
    base: u128,
    /// How many have been made.
    count: u128,
    len: usize,
}

/// So many bits must be random where each nonce is (NIST SP 800-38D §8.2.2).
const RANDOM_BITS: u32 = 96;
/// So many must be left for a counter that has a place of its own, and begins at random there.
const COUNTER_BITS: u32 = 32;

impl Nonces {
    fn new(message: &AeadMessage) -> Result<Self> {
        let (generator, given) = (message.generator, message.nonce());
        let len = given.len();
        let mut nonces = Self { generator, fixed_bits: message.fixed_bits, base: number(&given), count: 0, len };
        let least = match generator {
            CKG_GENERATE_RANDOM => RANDOM_BITS,
            CKG_GENERATE => COUNTER_BITS,
            CKG_GENERATE_COUNTER | CKG_GENERATE_COUNTER_XOR => 1,
            _ => return Err(Error::MechanismParamInvalid),
        };
        if len > 16 || nonces.bits().is_none_or(|bits| bits < least) {
            return Err(Error::MechanismParamInvalid);
        }
        if generator == CKG_GENERATE {
            nonces.base = nonces.keep(nonces.base, random()?);
        }
        Ok(nonces)
    }

    /// Fails for a message whose nonce would be made another way than the ones before.
    fn check(&self, message: &AeadMessage) -> Result<()> {
        let same = self.generator == message.generator && self.fixed_bits == message.fixed_bits;
        if same && self.len == message.nonce().len() { Ok(()) } else { Err(Error::MechanismParamInvalid) }
    }

    fn next(&mut self, given: &[u8]) -> Result<Vec<u8>> {
        let room = self.bits().map_or(0, |bits| 1u128.checked_shl(bits).unwrap_or(u128::MAX));
        if self.count >= room {
            return Err(Error::MechanismParamInvalid);
        }
        let made = match self.generator {
            CKG_GENERATE_RANDOM => random()?,
            CKG_GENERATE_COUNTER_XOR => self.base ^ self.count,
            _ => self.base.wrapping_add(self.count),
        };
        self.count += 1;
        let nonce = self.keep(number(given), made).to_be_bytes();
        Ok(nonce[nonce.len() - self.len..].to_vec())
    }

    /// How many bits of a nonce are not the caller's.
    fn bits(&self) -> Option<u32> {
        u32::try_from(self.len * 8).ok()?.checked_sub(u32::try_from(self.fixed_bits).ok()?)
    }

    /// `made` with the caller's bits at its front.
    fn keep(&self, given: u128, made: u128) -> u128 {
        let mask = self.bits().map_or(0, |bits| 1u128.checked_shl(bits).unwrap_or(0).wrapping_sub(1));
        given & !mask | made & mask
    }
}

/// The last sixteen bytes as a number.
fn number(nonce: &[u8]) -> u128 {
    nonce.iter().fold(0, |number, byte| number << 8 | u128::from(*byte))
}

fn random() -> Result<u128> {
    random::bytes().map(u128::from_be_bytes)
}

/// Messages that are signed or verified.
pub(crate) struct SigningMessages {
    /// No message yet.
    fresh: Signing,
    /// The message under way in parts.
    pub(crate) current: Active<Signing>,
}

impl SigningMessages {
    pub(crate) fn new(fresh: Signing) -> Self {
        Self { fresh, current: Active::default() }
    }

    /// A new message; our mechanisms know no parameter that goes with one.
    pub(crate) fn begin(&self, parameter: &MessageParameter) -> Result<Signing> {
        self.current.check_idle()?;
        parameter.none().map(|()| self.fresh.clone())
    }
}

impl Keyed for SigningMessages {
    fn object(&self) -> Option<&Object> {
        self.fresh.object()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nonces(generator: CK_GENERATOR_FUNCTION, fixed_bits: CK_ULONG, base: &[u8]) -> Nonces {
        Nonces { generator, fixed_bits, base: number(base), count: 0, len: base.len() }
    }

    #[test]
    fn counters_leave_the_callers_bits_alone_and_never_come_round() {
        let given = [0xaa, 0xbb, 0xcc, 0xdd, 0, 0, 0, 0, 0, 0, 0, 0xff];
        let mut counter = nonces(CKG_GENERATE_COUNTER, 32, &given);
        assert_eq!(counter.next(&given).unwrap(), given);
        assert_eq!(counter.next(&given).unwrap()[10..], [1, 0]);
        let mut mixed = nonces(CKG_GENERATE_COUNTER_XOR, 32, &given);
        assert_eq!(mixed.next(&given).unwrap(), given);
        assert_eq!(mixed.next(&given).unwrap()[10..], [0, 0xfe]);
        let mut short = nonces(CKG_GENERATE_COUNTER, 95, &given);
        assert_eq!(short.next(&given).unwrap()[11], 0xff);
        assert_eq!(short.next(&given).unwrap()[11], 0xfe);
        assert!(matches!(short.next(&given), Err(Error::MechanismParamInvalid)));
    }

    #[test]
    fn random_nonces_differ() {
        let mut random = nonces(CKG_GENERATE_RANDOM, 0, &[0; 12]);
        assert_ne!(random.next(&[0; 12]).unwrap(), random.next(&[0; 12]).unwrap());
    }
}
