//! Hash functions.

use super::Software;
use super::unsupported;
use crate::admission::Call;
use crate::error::{Error, Result};
use crate::provider::Handle;
use interface::Status;
use interface::algorithm::Hash;
use interface::message::Empty;
use interface::operations::{HashCompare, HashCompute, Hashed};
use lc::Md;
use subtle::ConstantTimeEq;

/// The library's function for a hash.
pub(crate) fn md(hash: Hash) -> Result<Md> {
    Ok(match hash {
        Hash::Md2 => return Err(unsupported("this provider has no MD2")),
        Hash::Md4 => Md::MD4,
        Hash::Md5 => Md::MD5,
        Hash::Ripemd160 => Md::RIPEMD160,
        Hash::Sha1 => Md::SHA1,
        Hash::Sha224 => Md::SHA224,
        Hash::Sha256 => Md::SHA256,
        Hash::Sha384 => Md::SHA384,
        Hash::Sha512 => Md::SHA512,
        Hash::Sha512_224 => Md::SHA512_224,
        Hash::Sha512_256 => Md::SHA512_256,
        Hash::Sha3_224 => Md::SHA3_224,
        Hash::Sha3_256 => Md::SHA3_256,
        Hash::Sha3_384 => Md::SHA3_384,
        Hash::Sha3_512 => Md::SHA3_512,
    })
}

/// The library's function for a hash that it has HMAC with.
pub(crate) fn hmac(hash: Hash) -> Result<Md> {
    match hash {
        Hash::Md4 | Hash::Ripemd160 => Err(unsupported(format!("this provider has no HMAC with {hash:?}"))),
        _ => md(hash),
    }
}

/// The hash of some bytes.
pub(crate) fn compute(hash: Hash, input: &[u8]) -> Result<Vec<u8>> {
    Ok(md(hash)?.digest(input)?)
}

/// Compares the hash of some bytes, in constant time.
pub(crate) fn compare(hash: Hash, input: &[u8], expected: &[u8]) -> Result<()> {
    if compute(hash, input)?.ct_eq(expected).into() {
        return Ok(());
    }
    Err(Error::refused(Status::PsaErrorInvalidSignature, "the hash does not match"))
}

impl Handle<HashCompute> for Software {
    fn handle(&self, _: &Call<'_>, op: HashCompute) -> Result<Hashed> {
        let hash = compute(op.alg.try_into()?, &op.input)?;
        Ok(Hashed { hash })
    }
}

impl Handle<HashCompare> for Software {
    fn handle(&self, _: &Call<'_>, op: HashCompare) -> Result<Empty> {
        compare(op.alg.try_into()?, &op.input, &op.hash)?;
        Ok(Empty {})
    }
}
