//! Secret keys derived from other keys.

use super::agreement;
use super::key::{Kind, ParsedKey};
use super::{Software, cipher, hash, invalid, unsupported};
use crate::admission::Call;
use crate::error::Result;
use crate::provider::Handle;
use interface::algorithm::{Algorithm, Cipher, Derivation, KeyAgreement};
use interface::attributes::Attributes;
use interface::message::Empty;
use interface::operations::{DeriveKey, HkdfStep};
use lc::{Md, Secret};
use zeroize::Zeroizing;

/// Most bytes of a derivation's data, where each block of output needs all of them: X9.63's shared info and HKDF's info.
const INFO: usize = 16 << 10;

/// Refuses a derivation that keys of a kind are no base of.
pub(crate) fn check(kind: Kind, algorithm: Algorithm) -> Result<()> {
    let secret = matches!(kind, Kind::Data | Kind::Hmac | Kind::Aes(_) | Kind::ChaCha20);
    match algorithm {
        Algorithm::Agreement(KeyAgreement::Raw(agreement)) => agreement::check(kind, agreement),
        Algorithm::Agreement(KeyAgreement::WithKeyDerivation(agreement, Derivation::X963 { hash })) => {
            hash::md(hash).and_then(|_| agreement::check(kind, agreement))
        }
        Algorithm::Derivation(Derivation::Hkdf { hash }) if secret => hash::hmac(hash).map(drop),
        Algorithm::Derivation(Derivation::Digest { hash }) if secret => hash::md(hash).map(drop),
        Algorithm::Derivation(Derivation::Concatenate) if secret => Ok(()),
        Algorithm::Derivation(Derivation::Encrypt(cipher @ (Cipher::EcbNoPadding | Cipher::CbcNoPadding))) => {
            cipher::Mode::of(kind, cipher).map(drop)
        }
        _ => Err(unsupported(format!("this provider derives no keys from keys of this type with {algorithm:?}"))),
    }
}

/// Refuses to hash long data again for each block of a derivation's output.
fn check_info(algorithm: Algorithm, info: &[u8]) -> Result<()> {
    let repeated = matches!(
        algorithm,
        Algorithm::Agreement(KeyAgreement::WithKeyDerivation(..)) | Algorithm::Derivation(Derivation::Hkdf { .. })
    );
    if repeated && info.len() > INFO {
        return Err(invalid(format!("the data beside the secret has {} bytes; a derivation takes at most {INFO}", info.len())));
    }
    Ok(())
}

impl ParsedKey {
    /// The value of a new key: `len` bytes of it, or as many as the derivation yields.
    pub(crate) fn derive(
        &self,
        algorithm: Algorithm,
        op: &DeriveKey,
        other: Option<&Self>,
        len: Option<usize>,
    ) -> Result<Secret> {
        check(self.kind(), algorithm)?;
        check_info(algorithm, &op.data)?;
        match algorithm {
            Algorithm::Agreement(agreement) => out_of(self.agree(agreement.agreement(), &op.peer_key)?, algorithm, op, len),
            Algorithm::Derivation(Derivation::Hkdf { hash }) => {
                let salt = other.map_or(Ok(op.salt.as_slice()), Self::bytes)?;
                let step = op.step.map(HkdfStep::try_from).transpose()?;
                let md = hash::hmac(hash)?;
                match step {
                    Some(HkdfStep::Extract) => first(md.hkdf_extract(salt, self.bytes()?)?, len),
                    Some(HkdfStep::Expand) => md.hkdf_expand(self.bytes()?, &op.data, open(len)?).map_err(|_| too_long()),
                    None => {
                        let key = md.hkdf_extract(salt, self.bytes()?)?;
                        md.hkdf_expand(&key, &op.data, open(len)?).map_err(|_| too_long())
                    }
                }
            }
            Algorithm::Derivation(Derivation::Digest { hash }) => first(Zeroizing::new(hash::compute(hash, self.bytes()?)?), len),
            Algorithm::Derivation(Derivation::Concatenate) => self.concatenate(op, other, len),
            Algorithm::Derivation(Derivation::Encrypt(cipher)) => {
                let iv = op.salt.as_slice();
                let mut made = self.cipher_encrypt(cipher, Some(iv), &op.data)?;
                first(Zeroizing::new(made.split_off(iv.len())), len)
            }
            _ => Err(unsupported("there is no such derivation")),
        }
    }

    /// Never cut, or the base could be guessed byte by byte.
    fn concatenate(&self, op: &DeriveKey, other: Option<&Self>, len: Option<usize>) -> Result<Secret> {
        let other = other.map_or(Ok(&[][..]), Self::bytes)?;
        let parts = if op.data_first { [&op.data, self.bytes()?, other] } else { [self.bytes()?, &op.data, other] };
        let whole = Zeroizing::new(parts.concat());
        match len {
            Some(len) if len != whole.len() => {
                Err(invalid(format!("the concatenation has {} bytes and is not cut to {len}", whole.len())))
            }
            _ => Ok(whole),
        }
    }
}

/// The value of a new key, out of a secret that was agreed on.
pub(crate) fn out_of(secret: Secret, algorithm: Algorithm, op: &DeriveKey, len: Option<usize>) -> Result<Secret> {
    check_info(algorithm, &op.data)?;
    match algorithm {
        Algorithm::Agreement(KeyAgreement::Raw(_)) => last(secret, len),
        Algorithm::Agreement(KeyAgreement::WithKeyDerivation(_, Derivation::X963 { hash })) => {
            x963(hash::md(hash)?, &secret, &op.data, open(len)?)
        }
        _ => Err(unsupported("there is no such derivation")),
    }
}

/// How many bytes a derivation shall yield that yields any number.
fn open(len: Option<usize>) -> Result<usize> {
    len.ok_or_else(|| invalid("this derivation yields any number of bytes: say how many"))
}

/// The length of a new key in bytes; `None` if it is as long as the output of the derivation.
pub(crate) fn wanted(attributes: &Attributes) -> Result<Option<usize>> {
    Kind::derived(attributes.key_type, attributes.bits)?;
    Ok((attributes.bits != 0).then_some(attributes.bits.div_ceil(8) as usize))
}

fn too_long() -> crate::error::Error {
    invalid("HKDF yields at most 255 times the hash's length")
}

/// The first bytes.
fn first(mut value: Secret, len: Option<usize>) -> Result<Secret> {
    let len = len.unwrap_or(value.len());
    enough(&value, len)?;
    value.truncate(len);
    Ok(value)
}

/// The last bytes, which is what PKCS#11 §6.3.17 keeps of an agreed secret.
fn last(mut value: Secret, len: Option<usize>) -> Result<Secret> {
    let len = len.unwrap_or(value.len());
    enough(&value, len)?;
    let surplus = value.len() - len;
    value.copy_within(surplus.., 0);
    value.truncate(len);
    Ok(value)
}

fn enough(value: &Secret, len: usize) -> Result<()> {
    if len <= value.len() {
        return Ok(());
    }
    Err(invalid(format!("the derivation yields {} bytes, but {len} are asked for", value.len())))
}

/// SEC 1 §3.6.1.
pub(super) fn x963(md: Md, secret: &[u8], shared: &[u8], len: usize) -> Result<Secret> {
    let mut value = Zeroizing::new(Vec::with_capacity(len + 64));
    for counter in 1_u32.. {
        if value.len() >= len {
            break;
        }
        let input = Zeroizing::new([secret, &counter.to_be_bytes(), shared].concat());
        value.extend_from_slice(&Zeroizing::new(md.digest(&input)?));
    }
    value.truncate(len);
    Ok(value)
}

impl Handle<DeriveKey> for Software {
    fn handle(&self, call: &Call<'_>, op: DeriveKey) -> Result<Empty> {
        let attributes = call.attributes()?;
        let len = wanted(attributes)?;
        let other = call.other().ok().map(|other| self.loaded(call, other)).transpose()?;
        let value = self.key(call)?.derive(call.algorithm()?, &op, other.as_deref(), len)?;
        let (attributes, key) = ParsedKey::import(attributes, &value)?;
        self.keep(call, attributes, key)
    }
}
