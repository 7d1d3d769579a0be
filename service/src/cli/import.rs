//! `parsec key import`: private keys out of files, in the encoding that the protocol wants.

use super::context::{Context, ProviderArg};
use super::error::{During, Error, Result};
use super::key::{self, Metadata};
use super::purpose::Purpose;
use interface::algorithm::{Algorithm, SignHash, Signature};
use interface::attributes::{Attributes, KeyType, Policy};
use interface::operations::ImportKey;
use interface::pem;
use interface::pkcs8::PrivateKey;
use interface::policy::Job;
use interface::pss::Pss;
use interface::reference::Reference;
use std::io::Read;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// No key file is longer.
const LONGEST: u64 = 1 << 20;

#[derive(clap::Args)]
pub(crate) struct Import {
    /// The key's name
    name: String,
    /// The private key in PEM or DER (PKCS#8, SEC1 or PKCS#1), or - for stdin
    file: PathBuf,
    /// What the key is for [default: signing, or what its kind can do]
    #[arg(long = "for", value_name = "PURPOSE", value_parser = Purpose::parser())]
    purpose: Option<&'static Purpose>,
    /// The file holds the bare bytes of a secret key of this kind
    #[arg(long, value_name = "KIND")]
    raw: Option<Raw>,
    #[command(flatten)]
    place: ProviderArg,
    #[command(flatten)]
    metadata: Metadata,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Raw {
    Aes,
    Chacha20,
    HmacSha256,
}

impl Import {
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let file = read_file(&self.file)?;
        let key = match self.raw {
            Some(raw) => secret(raw, file),
            None => parse(&file).map_err(|why| Error::Failed(format!("cannot import {}: {why}", self.file.display())))?,
        };
        let attributes = self.metadata.policy(self.attributes(&key)?);
        let provider = context.provider(self.place.provider)?;
        let import = ImportKey {
            key_name: self.name.clone(),
            attributes: Some((&attributes).into()),
            data: key.bytes.to_vec(),
            label: self.metadata.label.clone(),
            id: self.metadata.id(),
            volatile: false,
            pkcs11: vec![],
        };
        let result = context.client.call(provider, &import);
        result.during(|| format!("import key '{}'", self.name))?;
        let key = self.metadata.finish(context, provider, &self.name)?;
        key::show(context, &key)
    }

    fn attributes(&self, key: &PrivateKey) -> Result<Attributes> {
        let jobs = match self.purpose {
            Some(purpose) => &[purpose.job()][..],
            None => &[Job::Sign, Job::Agree, Job::Encrypt, Job::Authenticate, Job::Decrypt],
        };
        let policy = jobs.iter().find_map(|job| job.policy(key.key_type));
        let policy = policy.ok_or_else(|| {
            let purpose = self.purpose.map_or("anything", |purpose| purpose.name());
            Error::Usage(format!("a key of this type ({:?}) is not fit for {purpose}", key.key_type))
        })?;
        let policy = match key.pss {
            Some(pss) => pss_alone(policy, pss)?,
            None => policy,
        };
        Ok(Attributes { key_type: key.key_type, bits: key.bits, policy })
    }
}

/// A policy of an RSA key that is for PSS alone, with these parameters where they are restricted.
fn pss_alone(policy: Policy, pss: Option<Pss>) -> Result<Policy> {
    if !policy.algorithms().any(|algorithm| matches!(algorithm, Algorithm::Signature(Signature::RsaPss { .. }))) {
        return Err(Error::Usage("the key's file permits PSS signatures alone".to_owned()));
    }
    let any = || vec![Signature::RsaPss { hash: SignHash::Any }.into()];
    let mut algorithms = pss.map_or_else(any, Pss::algorithms).into_iter();
    let algorithm = algorithms.next().unwrap_or(policy.algorithm);
    Ok(Policy { algorithm, also: algorithms.collect(), ..policy })
}

/// The whole of a file, or of stdin.
pub(crate) fn read_file(path: &Path) -> Result<Zeroizing<Vec<u8>>> {
    let failed = || Error::io(format!("read {}", path.display()));
    let mut bytes = Zeroizing::new(Vec::with_capacity(1 << 16));
    let read = if path == Path::new("-") {
        std::io::stdin().lock().take(LONGEST).read_to_end(&mut bytes)
    } else {
        let file = std::fs::File::open(path).map_err(failed())?;
        file.take(LONGEST).read_to_end(&mut bytes)
    };
    read.map_err(failed())?;
    Ok(bytes)
}

/// Every PEM block of a text, with its label.
pub(crate) fn pem_blocks(text: &[u8]) -> Vec<(String, Zeroizing<Vec<u8>>)> {
    pem::blocks(text).filter_map(|block| block.der().map(|der| (block.label, der))).collect()
}

/// The secret key that these bytes are.
fn secret(raw: Raw, bytes: Zeroizing<Vec<u8>>) -> PrivateKey {
    let key_type = match raw {
        Raw::Aes => KeyType::Aes,
        Raw::Chacha20 => KeyType::ChaCha20,
        Raw::HmacSha256 => KeyType::Hmac,
    };
    let bits = u32::try_from(bytes.len() * 8).unwrap_or(u32::MAX);
    PrivateKey { key_type, bits, bytes, pss: None }
}

/// Reads a key file: PEM, or the DER of any of the three formats.
fn parse(file: &[u8]) -> Result<PrivateKey, String> {
    if Reference::from_pem(file).is_ok() || Reference::from_der(file).is_ok() || Reference::from_pkcs8(file).is_some() {
        return Err("it is a reference to a key that a service holds, not a key".to_owned());
    }
    let blocks = pem_blocks(file);
    let labelled = |wanted: &str| blocks.iter().find(|(label, _)| label == wanted);
    if let Some((_, der)) = labelled("PRIVATE KEY") {
        return PrivateKey::from_pkcs8(der);
    }
    if let Some((_, der)) = labelled("EC PRIVATE KEY") {
        return PrivateKey::from_sec1(der, None);
    }
    if let Some((_, der)) = labelled("RSA PRIVATE KEY") {
        return PrivateKey::from_pkcs1(der);
    }
    let text = String::from_utf8_lossy(file);
    if text.contains("ENCRYPTED") {
        return Err("it is encrypted; decrypt it first: openssl pkey -in FILE -out PLAIN".to_owned());
    }
    if text.contains("OPENSSH PRIVATE KEY") {
        return Err("it is in OpenSSH's own format; convert a copy: ssh-keygen -p -m PKCS8 -N '' -f COPY".to_owned());
    }
    PrivateKey::from_pkcs8(file)
        .or_else(|_| PrivateKey::from_sec1(file, None))
        .or_else(|_| PrivateKey::from_pkcs1(file))
        .map_err(|_| "it holds no private key in PKCS#8, SEC1 or PKCS#1".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn openssl(args: &[&str]) -> Vec<u8> {
        let output = Command::new("openssl").args(args).output().unwrap();
        assert!(output.status.success(), "{args:?}: {output:?}");
        output.stdout
    }

    #[test]
    fn every_format_gives_the_same_key() {
        for args in [
            ["RSA", "rsa_keygen_bits:2048"],
            ["EC", "ec_paramgen_curve:P-256"],
            ["EC", "ec_paramgen_curve:P-521"],
            ["EC", "ec_paramgen_curve:secp256k1"],
        ] {
            let pem = openssl(&["genpkey", "-algorithm", args[0], "-pkeyopt", args[1]]);
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("key");
            std::fs::write(&path, pem).unwrap();
            let path = path.to_str().unwrap();
            let key = |args: &[&str]| {
                let file = openssl(&[&["pkey", "-in", path], args].concat());
                parse(&file).unwrap()
            };
            let pkcs8 = key(&[]);
            for other in [key(&["-outform", "DER"]), key(&["-traditional"]), key(&["-traditional", "-outform", "DER"])] {
                assert_eq!(other.key_type, pkcs8.key_type);
                assert_eq!(other.bits, pkcs8.bits);
                assert_eq!(other.bytes, pkcs8.bytes);
            }
        }
    }

    #[test]
    fn edwards_and_montgomery_keys_are_bare() {
        for algorithm in ["ED25519", "X25519"] {
            let key = parse(&openssl(&["genpkey", "-algorithm", algorithm])).unwrap();
            assert_eq!((key.bits, key.bytes.len()), (255, 32));
        }
    }

    #[test]
    fn parameters_before_the_key_do_not_hide_it() {
        let file = openssl(&["ecparam", "-genkey", "-name", "prime256v1"]);
        assert!(parse(&file).is_ok());
    }

    #[test]
    fn what_is_no_plain_key_is_explained() {
        let encrypted =
            openssl(&["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-aes256", "-pass", "pass:x"]);
        let Err(why) = parse(&encrypted) else { panic!() };
        assert!(why.contains("openssl pkey"), "{why}");
        for junk in [&b""[..], b"\x30\x00", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"] {
            assert!(parse(junk).is_err());
        }
    }
}
