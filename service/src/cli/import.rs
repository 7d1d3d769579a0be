//! `parsec key import`: private keys out of files, in the encoding that the protocol wants.

use super::context::{Context, Place};
use super::error::{During, Error, Result};
use super::key::{self, Metadata};
use super::purpose::Purpose;
use der::asn1::{AnyRef, ContextSpecific, ObjectIdentifier, OctetStringRef, UintRef};
use der::{Decode, Reader, SliceReader, Tag, TagNumber, Tagged};
use interface::attributes::{Attributes, KeyType};
use interface::operations::ImportKey;
use interface::policy::Job;
use interface::spki::Parameters;
use spki::AlgorithmIdentifierRef;
use std::io::Read;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// No key file is longer.
const LONGEST: u64 = 1 << 20;

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");

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
    place: Place,
    #[command(flatten)]
    metadata: Metadata,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Raw {
    Aes,
    Chacha20,
    HmacSha256,
}

/// A private key as the protocol has it.
struct PrivateKey {
    key_type: KeyType,
    /// Zero: the service shall see for itself.
    bits: u32,
    bytes: Zeroizing<Vec<u8>>,
}

impl Import {
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let file = read_file(&self.file)?;
        let key = match self.raw {
            Some(raw) => PrivateKey::raw(raw, file),
            None => {
                PrivateKey::parse(&file).map_err(|why| Error::Failed(format!("cannot import {}: {why}", self.file.display())))?
            }
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
            Some(purpose) => &[purpose.job][..],
            None => &[Job::Sign, Job::Agree, Job::Encrypt, Job::Authenticate, Job::Decrypt],
        };
        let policy = jobs.iter().find_map(|job| job.policy(key.key_type));
        let policy = policy.ok_or_else(|| {
            let purpose = self.purpose.map_or("anything", |purpose| purpose.name);
            Error::Usage(format!("a key of this type ({:?}) is not fit for {purpose}", key.key_type))
        })?;
        Ok(Attributes { key_type: key.key_type, bits: key.bits, policy })
    }
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
    const BEGIN: &str = "-----BEGIN ";
    let text = std::str::from_utf8(text).unwrap_or_default();
    let starts: Vec<_> = text.match_indices(BEGIN).map(|(at, _)| at).collect();
    let ends = starts.iter().copied().skip(1).chain([text.len()]);
    starts
        .iter()
        .zip(ends)
        .filter_map(|(start, end)| {
            let block = text[*start..end].trim_ascii_end();
            let block = &block[..block.rfind("-----")? + 5];
            let (label, der) = der::pem::decode_vec(block.as_bytes()).ok()?;
            Some((label.to_owned(), Zeroizing::new(der)))
        })
        .collect()
}

impl PrivateKey {
    fn raw(raw: Raw, bytes: Zeroizing<Vec<u8>>) -> Self {
        let key_type = match raw {
            Raw::Aes => KeyType::Aes,
            Raw::Chacha20 => KeyType::ChaCha20,
            Raw::HmacSha256 => KeyType::Hmac,
        };
        let bits = u32::try_from(bytes.len() * 8).unwrap_or(u32::MAX);
        Self { key_type, bits, bytes }
    }

    /// Reads a key file: PEM, or the DER of any of the three formats.
    fn parse(file: &[u8]) -> Result<Self, String> {
        let blocks = pem_blocks(file);
        let labelled = |wanted: &str| blocks.iter().find(|(label, _)| label == wanted);
        if let Some((_, der)) = labelled("PRIVATE KEY") {
            return Self::pkcs8(der);
        }
        if let Some((_, der)) = labelled("EC PRIVATE KEY") {
            return Self::sec1(der, None);
        }
        if let Some((_, der)) = labelled("RSA PRIVATE KEY") {
            return Self::pkcs1(der);
        }
        let text = String::from_utf8_lossy(file);
        if text.contains("ENCRYPTED") {
            return Err("it is encrypted; decrypt it first: openssl pkey -in FILE -out PLAIN".to_owned());
        }
        if text.contains("OPENSSH PRIVATE KEY") {
            return Err("it is in OpenSSH's own format; convert a copy: ssh-keygen -p -m PKCS8 -N '' -f COPY".to_owned());
        }
        if text.contains("PARSEC KEY REFERENCE") {
            return Err("it is a reference to a key that a service holds, not a key".to_owned());
        }
        Self::pkcs8(file)
            .or_else(|_| Self::sec1(file, None))
            .or_else(|_| Self::pkcs1(file))
            .map_err(|_| "it holds no private key in PKCS#8, SEC1 or PKCS#1".to_owned())
    }

    /// RFC 5208, RFC 5958 and, for what is on no Weierstrass curve, RFC 8410, RFC 9881 and RFC 9935.
    fn pkcs8(der: &[u8]) -> Result<Self, String> {
        let (algorithm, key) = sequence(der, |reader| {
            u8::decode(reader)?;
            let algorithm = AlgorithmIdentifierRef::decode(reader)?;
            Ok((algorithm, <&OctetStringRef>::decode(reader)?.as_bytes()))
        })
        .map_err(|error| format!("it is no PKCS#8: {error}"))?;
        if algorithm.oid == RSA {
            return Self::pkcs1(key);
        }
        let named = if algorithm.oid == EC {
            algorithm.parameters_oid().ok().and_then(Parameters::by_oid)
        } else {
            Parameters::by_oid(algorithm.oid)
        };
        let named = named.ok_or_else(|| format!("its algorithm ({}) or curve is not known here", algorithm.oid))?;
        if named.weierstrass() {
            return Self::sec1(key, Some(named));
        }
        if named.key_type.family().is_none() {
            return Self::lattice(named, key);
        }
        let key = <&OctetStringRef>::from_der(key).map_err(|error| format!("its inner key is broken: {error}"))?;
        Self::ec(named, key.as_bytes())
    }

    /// RFC 5915, the curve being told inside or by what is around it.
    fn sec1(der: &[u8], curve: Option<&'static Parameters>) -> Result<Self, String> {
        let (inner, key) = sequence(der, |reader| {
            u8::decode(reader)?;
            let key = <&OctetStringRef>::decode(reader)?.as_bytes();
            let oid = ContextSpecific::<ObjectIdentifier>::decode_explicit(reader, TagNumber(0))?;
            Ok((oid.map(|oid| oid.value), key))
        })
        .map_err(|error| format!("it is no elliptic-curve key: {error}"))?;
        let curve = curve.or_else(|| Parameters::by_oid(inner?)).ok_or("it names no curve that is known here")?;
        Self::ec(curve, key)
    }

    fn ec(curve: &Parameters, key: &[u8]) -> Result<Self, String> {
        let length = usize::try_from(curve.bits.div_ceil(8)).map_err(|error| error.to_string())?;
        let zeros = length.checked_sub(key.len()).ok_or("its number is too long for its curve")?;
        if zeros != 0 && !curve.weierstrass() {
            return Err("its number is too short for its curve".to_owned());
        }
        let mut bytes = Zeroizing::new(vec![0; zeros]);
        bytes.reserve_exact(key.len());
        bytes.extend_from_slice(key);
        Ok(Self { key_type: curve.key_type.pair(), bits: curve.bits, bytes })
    }

    /// RFC 9881 §6 and RFC 9935 §6: the seed, the expanded key, or both; then the seed says it all.
    fn lattice(named: &Parameters, key: &[u8]) -> Result<Self, String> {
        const SEED: Tag = Tag::ContextSpecific { constructed: false, number: TagNumber(0) };
        let broken = |error: der::Error| format!("its inner key is broken: {error}");
        let inner = AnyRef::from_der(key).map_err(broken)?;
        let bytes = match inner.tag() {
            SEED | Tag::OctetString => inner.value(),
            _ => sequence(key, <&OctetStringRef>::decode).map_err(broken)?.as_bytes(),
        };
        Ok(Self { key_type: named.key_type.pair(), bits: named.bits, bytes: Zeroizing::new(bytes.to_vec()) })
    }

    /// RFC 8017 §A.1.2, which is what the protocol has.
    fn pkcs1(der: &[u8]) -> Result<Self, String> {
        sequence(der, |reader| {
            u8::decode(reader)?;
            (0..8).try_for_each(|_| UintRef::decode(reader).map(|_| ()))
        })
        .map_err(|error| format!("it is no RSA key: {error}"))?;
        Ok(Self { key_type: KeyType::RsaKeyPair, bits: 0, bytes: Zeroizing::new(der.to_vec()) })
    }
}

/// Reads the head of a sequence that is all of the DER, whatever follows in it.
fn sequence<'a, T>(der: &'a [u8], head: impl FnOnce(&mut SliceReader<'a>) -> der::Result<T>) -> der::Result<T> {
    let mut outer = SliceReader::new(der)?;
    let value = outer.sequence(|reader| {
        let value = head(reader)?;
        while !reader.is_finished() {
            reader.tlv_bytes()?;
        }
        Ok::<_, der::Error>(value)
    })?;
    outer.finish()?;
    Ok(value)
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
                PrivateKey::parse(&file).unwrap()
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
            let key = PrivateKey::parse(&openssl(&["genpkey", "-algorithm", algorithm])).unwrap();
            assert_eq!((key.bits, key.bytes.len()), (255, 32));
        }
    }

    #[test]
    fn parameters_before_the_key_do_not_hide_it() {
        let file = openssl(&["ecparam", "-genkey", "-name", "prime256v1"]);
        assert!(PrivateKey::parse(&file).is_ok());
    }

    #[test]
    fn what_is_no_plain_key_is_explained() {
        let encrypted =
            openssl(&["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-aes256", "-pass", "pass:x"]);
        let Err(why) = PrivateKey::parse(&encrypted) else { panic!() };
        assert!(why.contains("openssl pkey"), "{why}");
        for junk in [&b""[..], b"\x30\x00", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"] {
            assert!(PrivateKey::parse(junk).is_err());
        }
    }
}
