//! Message authentication codes.

use super::Software;
use super::key::{Kind, ParsedKey};
use super::{hash, invalid, library, unsupported};
use crate::admission::Call;
use crate::error::{Error, Result};
use crate::provider::Handle;
use interface::Status;
use interface::algorithm::{Mac, MacKind};
use interface::message::Empty;
use interface::operations::{MacCompute, MacVerify, Maced};
use lc::{Cipher, Md};
use subtle::ConstantTimeEq;

/// A MAC as this backend runs it.
pub(crate) struct Function {
    run: Run,
    len: usize,
}

enum Run {
    Hmac(Md),
    Cmac(Cipher),
}

/// The shortest MAC that the PSA Crypto API cuts to, in bytes.
const SHORTEST: usize = 4;

impl Function {
    /// The function that runs `algorithm` with keys of a kind.
    pub(crate) fn of(kind: Kind, algorithm: Mac) -> Result<Self> {
        let (run, full) = match (kind, algorithm.kind) {
            (Kind::Hmac, MacKind::Hmac { hash }) => (Run::Hmac(hash::hmac(hash)?), hash.len()),
            (Kind::Aes(_), MacKind::Cmac) => {
                let cipher = Cipher::AES_CBC.into_iter().find(|cipher| kind == Kind::Aes(cipher.key_len()));
                (Run::Cmac(cipher.ok_or_else(library)?), 16)
            }
            (_, MacKind::CbcMac) => {
                return Err(unsupported("this provider has no CBC-MAC: use CMAC"));
            }
            _ => {
                return Err(invalid(format!("a key of this type does not compute {:?}", algorithm.kind)));
            }
        };
        let len = algorithm.len.map_or(full, |len| len as usize);
        if !(SHORTEST..=full).contains(&len) {
            return Err(invalid(format!("{:?} is cut to {SHORTEST} to {full} bytes, not {len}", algorithm.kind)));
        }
        Ok(Self { run, len })
    }
}

/// Bytes of an HMAC.
pub(crate) fn len(algorithm: Mac) -> Result<usize> {
    Function::of(Kind::Hmac, algorithm).map(|function| function.len)
}

impl ParsedKey {
    /// The MAC of a message.
    pub(crate) fn mac(&self, algorithm: Mac, message: &[u8]) -> Result<Vec<u8>> {
        let function = Function::of(self.kind(), algorithm)?;
        let mut mac = match function.run {
            Run::Hmac(md) => md.hmac(self.bytes()?, message)?,
            Run::Cmac(cipher) => cipher.cmac(self.bytes()?, message)?,
        };
        mac.truncate(function.len);
        Ok(mac)
    }

    /// Compares the MAC of a message, in constant time.
    pub(crate) fn mac_verify(&self, algorithm: Mac, message: &[u8], mac: &[u8]) -> Result<()> {
        if self.mac(algorithm, message)?.ct_eq(mac).into() {
            return Ok(());
        }
        Err(Error::refused(Status::PsaErrorInvalidSignature, "the MAC does not match"))
    }
}

impl Handle<MacCompute> for Software {
    fn handle(&self, call: &Call<'_>, op: MacCompute) -> Result<Maced> {
        let mac = self.key(call)?.mac(Self::algorithm(call)?, &op.input)?;
        Ok(Maced { mac })
    }
}

impl Handle<MacVerify> for Software {
    fn handle(&self, call: &Call<'_>, op: MacVerify) -> Result<Empty> {
        self.key(call)?.mac_verify(Self::algorithm(call)?, &op.input, &op.mac)?;
        Ok(Empty {})
    }
}
