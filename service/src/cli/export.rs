//! `parsec key export`: a private key as a file, where its policy allows that.

use super::context::{Context, Key, KeyRecord};
use super::error::{During, Error, Result};
use super::output::write_file;
use der::asn1::{AnyRef, BitStringRef, OctetStringRef};
use der::{Encode, Sequence, Tag, TagNumber};
use interface::attributes::{EccFamily, KeyType};
use interface::operations::ExportKey;
use spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};
use std::path::PathBuf;
use zeroize::Zeroizing;

#[derive(clap::Args)]
pub(crate) struct Export {
    #[command(flatten)]
    key: Key,
    /// Write this file, readable by you alone: PKCS#8 PEM, or the bare bytes of a secret key
    #[arg(short, long, value_name = "FILE")]
    out: PathBuf,
}

impl Export {
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let key = context.key(&self.key)?;
        let export = ExportKey { key_name: key.name().to_owned(), owner: key.owner() };
        let result = context.client.call(key.provider, &export);
        let exported = result.during(|| format!("export key '{}'", key.name()))?;
        if !key.attributes.key_type.is_pair() {
            return write_file(&self.out, &exported.data, 0o600);
        }
        let der = pkcs8(&key, &exported.data)?;
        let pem = der::pem::encode_string("PRIVATE KEY", der::pem::LineEnding::LF, &der)
            .map_err(|error| Error::Failed(error.to_string()))?;
        write_file(&self.out, Zeroizing::new(pem).as_bytes(), 0o600)
    }
}

/// The seed of ML-KEM, in bytes; an expanded key is longer.
const LONGEST_SEED: usize = 64;

/// RFC 5208; inside it RFC 8017, RFC 5915, RFC 8410, RFC 9881 or RFC 9935.
fn pkcs8(key: &KeyRecord, private: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    #[derive(Sequence)]
    struct PrivateKeyInfo<'a> {
        version: u8,
        algorithm: AlgorithmIdentifierRef<'a>,
        key: &'a OctetStringRef,
    }
    #[derive(Sequence)]
    struct EcPrivateKey<'a> {
        version: u8,
        key: &'a OctetStringRef,
        #[asn1(context_specific = "1", tag_mode = "EXPLICIT")]
        public: BitStringRef<'a>,
    }
    let spki = key.spki()?;
    let spki = <SubjectPublicKeyInfoRef<'_> as der::Decode>::from_der(&spki)?;
    let inner = match key.attributes.key_type {
        KeyType::RsaKeyPair => private.to_vec(),
        KeyType::EccKeyPair(EccFamily::TwistedEdwards | EccFamily::Montgomery) => OctetStringRef::new(private)?.to_der()?,
        KeyType::MlDsaKeyPair | KeyType::MlKemKeyPair if private.len() <= LONGEST_SEED => {
            let tag = Tag::ContextSpecific { constructed: false, number: TagNumber(0) };
            AnyRef::new(tag, private)?.to_der()?
        }
        KeyType::MlDsaKeyPair | KeyType::MlKemKeyPair => OctetStringRef::new(private)?.to_der()?,
        _ => {
            let key = OctetStringRef::new(private)?;
            let public = spki.subject_public_key;
            EcPrivateKey { version: 1, key, public }.to_der()?
        }
    };
    let inner = Zeroizing::new(inner);
    let info = PrivateKeyInfo { version: 0, algorithm: spki.algorithm, key: OctetStringRef::new(&inner)? };
    Ok(Zeroizing::new(info.to_der()?))
}
