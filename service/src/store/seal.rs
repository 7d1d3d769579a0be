//! What the store key protects. AES-256-GCM seals each private blob and binds it to its row. HMAC-SHA-256 authenticates whole rows.
//!
//! A private blob alone does not say who may use the key. Grants, flags and PINs are beside it in the clear, so every row carries a
//! MAC. Somebody who can write the file but lacks the store key can destroy rows, but can neither make nor change one.

use crate::credential;
use crate::error::{Error, Result};
use crate::memory::Shielded;
use interface::Secret;
use lc::{Aead, HmacSha256};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zeroize::Zeroizing;

/// Length of a store key in bytes.
const KEY_LEN: usize = Shielded::LEN;
/// Name of the systemd credential.
const CREDENTIAL: &str = "parsec-store-key";
/// The context of the proof in the store. It says that all rows are signed.
const PROOF: &[u8] = b"parsec store key, of signed rows";
/// The same in versions whose rows are not signed.
const UNSIGNED_PROOF: &[u8] = b"parsec store key";
/// What private blobs are sealed with.
const AES_256_GCM: Aead = Aead::AES_GCM[2];
/// Lengths of its nonces and tags in bytes.
const NONCE_LEN: usize = 12;
const TAG_LEN: usize = 16;
/// Length of a MAC in bytes.
pub(super) const MAC_LEN: usize = 32;

/// Stands for the value of a key.
pub type Fingerprint = [u8; MAC_LEN];

/// Where the key that seals private blobs comes from: 32 random bytes.
#[derive(Clone, Debug)]
pub enum StoreKey {
    /// A file that only its owner may read; made for a new store.
    File(PathBuf),
    /// A file that systemd hands to the service alone.
    Credential(PathBuf),
}

impl StoreKey {
    /// systemd's credential `parsec-store-key` where the service was given one, else this file.
    pub fn configured(file: &Path) -> Self {
        credential::named(CREDENTIAL)
            .filter(|credential| credential.exists())
            .map_or_else(|| Self::File(file.to_owned()), Self::Credential)
    }

    /// Reads the key; makes it where there is none and it is a file of a store that holds nothing.
    pub(super) fn keys(&self, empty: bool) -> Result<Keys> {
        let (path, read) = match self {
            Self::File(path) => (path, credential::read_private(path)),
            Self::Credential(path) => (path, credential::read_credential(path)),
        };
        let shown = path.display();
        let secret = match (read.map_err(|why| Error::Corrupt(format!("the store key {why}")))?, self) {
            (Some(secret), _) => secret,
            (None, Self::File(path)) if empty => create(path)?,
            (None, _) => {
                return Err(Error::Corrupt(format!(
                    "the store key {shown} is missing, and the store holds keys that only it opens: restore the file, or move the store away to start an empty one"
                )));
            }
        };
        if secret.len() != KEY_LEN {
            return Err(Error::Corrupt(format!("the store key {shown} must be {KEY_LEN} bytes long and has {}", secret.len())));
        }
        Keys::new(&secret)
    }

    /// The file that the store key lies in, where it is one of ours.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Credential(_) => None,
        }
    }
}

/// Makes a key so that after a crash it is there whole or not at all.
fn create(path: &Path) -> Result<Secret> {
    let mut bytes = vec![0; KEY_LEN];
    lc::fill(&mut bytes).map_err(|_| Error::Corrupt("no random bytes for a store key".into()))?;
    let secret = Secret::new(bytes);
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let fresh = path.with_extension("new");
    let write = || {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
        file.write_all(&secret)?;
        file.sync_all()?;
        fs::rename(&fresh, path)?;
        File::open(folder)?.sync_all()
    };
    write().map_err(Error::io(format!("making the store key {}", path.display())))?;
    Ok(secret)
}

/// The store key at work.
#[derive(Debug)]
pub(super) struct Keys {
    pub(super) sealer: Sealer,
    /// Signs rows.
    pub(super) rows: Arc<HmacSha256>,
    /// Turns the place and MAC of a row into what it adds to the digest of all rows.
    pub(super) parts: Arc<HmacSha256>,
    /// Tells whether two keys have the same value.
    values: HmacSha256,
}

impl Keys {
    pub(super) fn new(secret: &[u8]) -> Result<Self> {
        let root = HmacSha256::new(secret)?;
        let derived = |purpose: &str| HmacSha256::new(&*Zeroizing::new(root.sign(purpose.as_bytes())));
        Ok(Self {
            sealer: Sealer::new(secret)?,
            rows: derived("parsec rows")?.into(),
            parts: derived("parsec digest of rows")?.into(),
            values: derived("parsec values of keys")?,
        })
    }

    /// Bytes that are equal for all keys of one value, and reveal nothing about it.
    pub(super) fn fingerprint(&self, private: &[u8]) -> Fingerprint {
        self.values.sign(private)
    }

    /// A proof that a store was sealed under this key and that its rows were signed.
    pub(super) fn proof(&self) -> Result<Vec<u8>> {
        self.sealer.seal(PROOF, &[])
    }

    pub(super) fn proves(&self, proof: &[u8]) -> bool {
        self.sealer.open(PROOF, proof).is_some()
    }

    /// Whether a store of an older version was sealed under this key.
    pub(super) fn proves_unsigned(&self, proof: &[u8]) -> bool {
        self.sealer.open(UNSIGNED_PROOF, proof).is_some()
    }
}

/// A key that encrypts others.
#[derive(Debug)]
pub(crate) struct Sealer(Shielded);

impl Sealer {
    /// Works with a key of 32 bytes.
    ///
    /// # Errors
    /// [`Error::Corrupt`] for another length; [`Error::Io`] where there is no memory.
    pub(crate) fn new(key: &[u8]) -> Result<Self> {
        let key = key.try_into().map_err(|_| Error::Corrupt(format!("a key that seals others has {KEY_LEN} bytes")))?;
        Shielded::new(key).map(Self)
    }

    /// Works with a key of its own, for what ends with the process.
    ///
    /// # Errors
    /// [`Error::Io`] where there is no memory.
    pub(super) fn random() -> Result<Self> {
        let mut key = Zeroizing::new([0; KEY_LEN]);
        lc::fill(&mut *key).map_err(|_| Error::Corrupt("no random bytes to seal volatile keys with".into()))?;
        Shielded::new(&key).map(Self)
    }

    /// Encrypts, bound to these bytes: nonce, ciphertext, tag.
    pub(crate) fn seal(&self, binding: &[u8], secret: &[u8]) -> Result<Vec<u8>> {
        let mut nonce = [0; NONCE_LEN];
        let text = lc::fill(&mut nonce).and_then(|()| AES_256_GCM.seal(&*self.0.key(), TAG_LEN, &nonce, binding, secret));
        Ok([&nonce[..], &text.map_err(|_| Error::Corrupt("sealing a private blob failed".into()))?].concat())
    }

    /// Decrypts; `None` under another key, for another row, or where a bit has changed.
    pub(crate) fn open(&self, binding: &[u8], sealed: &[u8]) -> Option<Secret> {
        let (nonce, text) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut text = AES_256_GCM.open(&*self.0.key(), TAG_LEN, nonce, binding, text).ok()?;
        Some(Secret::new(std::mem::take(&mut *text)))
    }
}
