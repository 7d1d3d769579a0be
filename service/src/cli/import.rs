//! `parsec key import`: reads private keys from files and encodes them as the protocol wants.

mod openssh;

use super::context::{Context, ProviderArg};
use super::error::{During, Error, Result};
use super::key::{Made, Metadata};
use super::output::check_writable;
use super::purpose::Purpose;
use der::Decode;
use interface::algorithm::{Algorithm, SignHash, Signature};
use interface::attributes::{Attributes, KeyType, Policy};
use interface::operations::ImportKey;
use interface::pem;
use interface::pkcs8::PrivateKey;
use interface::policy::Job;
use interface::pss::Pss;
use interface::reference::Reference;
use pkcs8::EncryptedPrivateKeyInfoRef;
use std::io::Read;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// No key file is longer.
const LONGEST: u64 = 1 << 20;

#[derive(clap::Args)]
pub(crate) struct Import {
    /// The key's name
    name: String,
    /// The private key in PEM or DER (PKCS#8, SEC1, PKCS#1 or OpenSSH's format), or - for stdin
    file: PathBuf,
    /// The file that holds the passphrase of the private key [default: ask for it]
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// What the key is for [default: signing, or what its kind can do]
    #[arg(long = "for", value_name = "PURPOSE", value_parser = Purpose::parser())]
    purpose: Option<&'static Purpose>,
    /// The file holds the bare bytes of a secret key of this kind
    #[arg(long, value_name = "KIND")]
    raw: Option<Raw>,
    /// Write the key's reference file, too
    #[arg(short, long, visible_alias = "output", value_name = "FILE")]
    out: Option<PathBuf>,
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
        if let Some(out) = &self.out {
            check_writable(out)?;
        }
        let file = read_file(&self.file)?;
        let key = match self.raw {
            Some(raw) => secret(raw, file),
            None => parse(&file, || self.passphrase())
                .map_err(|why| Error::Failed(format!("cannot import {}: {why}", self.file.display())))?,
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
            pkcs11: self.metadata.kept(self.purpose),
        };
        let result = context.client.call(provider, &import);
        result.during(|| format!("import key '{}'", self.name))?;
        let key = self.metadata.finish(context, provider, &self.name)?;
        Made::show("Imported", context, &key, self.purpose, &self.metadata, self.out.as_deref())
    }

    /// The passphrase of the file: its first line.
    fn passphrase(&self) -> Result<Zeroizing<String>, String> {
        if let Some(path) = &self.passphrase_file {
            if [path, &self.file].iter().all(|path| path.as_os_str() == "-") {
                return Err("stdin has room for the key or the passphrase, not for both: put one of them into a file".to_owned());
            }
            let bytes = read_file(path).map_err(|error| error.to_string())?;
            let text = std::str::from_utf8(&bytes).map_err(|_| "its passphrase is not text".to_owned())?;
            return Ok(Zeroizing::new(text.lines().next().unwrap_or_default().to_owned()));
        }
        rpassword::prompt_password(format!("Passphrase of {}: ", self.file.display()))
            .map(Zeroizing::new)
            .map_err(|_| "it is encrypted, and there is no terminal to ask for the passphrase: --passphrase-file FILE".to_owned())
    }

    fn attributes(&self, key: &PrivateKey) -> Result<Attributes> {
        let jobs = match self.purpose {
            Some(purpose) => &[purpose.job()][..],
            None => &[Job::Sign, Job::Agree, Job::Encrypt, Job::Authenticate, Job::Decrypt],
        };
        let policy = jobs.iter().find_map(|job| job.policy(key.key_type));
        let policy = policy.ok_or_else(|| {
            let purpose = self.purpose.map_or("anything", |purpose| purpose.name());
            Error::Usage(format!(
                "a key of this type ({:?}) is not fit for {purpose}: leave --for out, and it is for what its kind can do",
                key.key_type
            ))
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
        return Err(Error::Usage(
            "the key's file permits PSS signatures alone: leave --for out, or name a purpose that signs".to_owned(),
        ));
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

/// Reads a key file: PEM, or the DER of any of the three formats. `passphrase` is asked for if it is encrypted.
fn parse(file: &[u8], passphrase: impl FnOnce() -> Result<Zeroizing<String>, String>) -> Result<PrivateKey, String> {
    if Reference::from_pem(file).is_ok() || Reference::from_der(file).is_ok() || Reference::from_pkcs8(file).is_some() {
        return Err(
            "it is a reference to a key that a service holds: there is nothing to import; parsec key list shows your keys"
                .to_owned(),
        );
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
    if labelled(openssh::LABEL).is_some() {
        return openssh::parse(file, passphrase);
    }
    let encrypted = labelled("ENCRYPTED PRIVATE KEY").map_or(file, |(_, der)| der);
    if let Ok(encrypted) = EncryptedPrivateKeyInfoRef::try_from(encrypted) {
        let plain = encrypted.decrypt(passphrase()?.as_bytes()).map_err(|error| undecrypted(&error))?;
        return PrivateKey::from_pkcs8(plain.as_bytes());
    }
    if String::from_utf8_lossy(file).contains("ENCRYPTED") {
        return Err(format!("it is encrypted in OpenSSL's old way: {DECRYPT}"));
    }
    PrivateKey::from_pkcs8(file)
        .or_else(|_| PrivateKey::from_sec1(file, None))
        .or_else(|_| PrivateKey::from_pkcs1(file))
        .map_err(|_| if is_pkcs12(file) { PKCS12 } else { NO_KEY }.to_owned())
}

fn undecrypted(error: &pkcs8::Error) -> String {
    match error {
        pkcs8::Error::EncryptedPrivateKey(pkcs8::pkcs5::Error::DecryptFailed) => OTHER.to_owned(),
        _ => format!("it is encrypted in a way that is not known here: {DECRYPT}"),
    }
}

const DECRYPT: &str = "openssl pkey -in FILE | parsec key import NAME -";
const PKCS12: &str = "it is PKCS#12: openssl pkcs12 -in FILE -nodes -nocerts | parsec key import NAME -, and the certificates by openssl pkcs12 -in FILE -nokeys";
const NO_KEY: &str =
    "it holds no private key in PKCS#8, SEC1, PKCS#1 or OpenSSH's format: openssl pkey -in FILE shows what OpenSSL reads there";
/// So also for the formats of OpenSSH.
const OTHER: &str = "its passphrase is another one: type it again, or give the right --passphrase-file";

/// Whether a file begins like a PFX of version 3 (RFC 7292 §4).
fn is_pkcs12(file: &[u8]) -> bool {
    let value = |file: &[u8]| {
        let mut reader = der::SliceReader::new(file).ok()?;
        der::Header::decode(&mut reader).ok()?;
        u8::decode(&mut reader).ok()
    };
    value(file) == Some(3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn no_passphrase() -> Result<Zeroizing<String>, String> {
        Err("no passphrase".to_owned())
    }

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
                parse(&file, no_passphrase).unwrap()
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
            let key = parse(&openssl(&["genpkey", "-algorithm", algorithm]), no_passphrase).unwrap();
            assert_eq!((key.bits, key.bytes.len()), (255, 32));
        }
    }

    #[test]
    fn parameters_before_the_key_do_not_hide_it() {
        let file = openssl(&["ecparam", "-genkey", "-name", "prime256v1"]);
        assert!(parse(&file, no_passphrase).is_ok());
    }

    #[test]
    fn what_is_no_plain_key_is_explained() {
        let encrypted =
            openssl(&["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-aes256", "-pass", "pass:x"]);
        let Err(why) = parse(&encrypted, no_passphrase) else { panic!() };
        assert_eq!(why, "no passphrase");
        for junk in [&b""[..], b"\x30\x00", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"] {
            assert!(parse(junk, no_passphrase).is_err());
        }
    }

    #[test]
    fn the_passphrase_of_a_file_opens_it_and_no_other_does() {
        let say = |passphrase: &'static str| move || Ok(Zeroizing::new(passphrase.to_owned()));
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        std::fs::write(&path, openssl(&["genpkey", "-algorithm", "ED25519"])).unwrap();
        for cipher in [["-v2", "aes-256-cbc"], ["-v2", "aes-128-cbc"]] {
            for form in ["PEM", "DER"] {
                let encrypt = ["pkcs8", "-topk8", "-in", path.to_str().unwrap(), "-passout", "pass:right", "-outform", form];
                let file = openssl(&[&encrypt[..], &cipher].concat());
                assert_eq!(parse(&file, say("right")).unwrap().bits, 255);
                assert_eq!(parse(&file, say("wrong")).err().as_deref(), Some(OTHER), "{form}");
            }
        }
        let old = openssl(&["genrsa", "-traditional", "-aes256", "-passout", "pass:right", "2048"]);
        let Err(why) = parse(&old, say("right")) else { panic!() };
        assert!(why.contains("openssl pkey -in"), "{why}");
    }

    #[test]
    fn keys_of_openssh_are_those_that_it_converts() {
        let dir = tempfile::tempdir().unwrap();
        for (kind, bits, passphrase) in [
            ("ed25519", "256", ""),
            ("ecdsa", "256", ""),
            ("ecdsa", "384", "right"),
            ("ecdsa", "521", ""),
            ("rsa", "2048", ""),
            ("rsa", "3072", "right"),
        ] {
            let path = dir.path().join(format!("{kind}{bits}"));
            let run = |args: &[&str]| {
                let status = Command::new("ssh-keygen").arg("-q").args(args).arg("-f").arg(&path).status().unwrap();
                assert!(status.success(), "{kind} {args:?}");
            };
            // some numbers of ECDSA are too short for the library
            let (file, own) = loop {
                let _ = std::fs::remove_file(&path);
                run(&["-t", kind, "-b", bits, "-N", passphrase]);
                let file = std::fs::read(&path).unwrap();
                match parse(&file, || Ok(Zeroizing::new(passphrase.to_owned()))) {
                    Ok(own) => break (file, own),
                    Err(why) => assert!(kind == "ecdsa" && why.contains("ssh-keygen -p -m PEM"), "{kind}: {why}"),
                }
            };
            if !passphrase.is_empty() {
                assert_eq!(parse(&file, || Ok(Zeroizing::new("wrong".to_owned()))).err().as_deref(), Some(OTHER));
                assert_eq!(parse(&file, no_passphrase).err().as_deref(), Some("no passphrase"));
            }
            if kind == "ed25519" {
                assert_eq!((own.bits, own.bytes.len()), (255, 32));
                continue;
            }
            run(&["-p", "-m", "PEM", "-P", passphrase, "-N", ""]);
            let converted = parse(&std::fs::read(&path).unwrap(), no_passphrase).unwrap();
            assert_eq!((own.key_type, own.bits), (converted.key_type, converted.bits));
            assert_eq!(own.bytes, converted.bytes, "{kind} {bits}");
        }
    }

    #[test]
    fn a_pkcs12_file_is_called_what_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let [key, cert] = ["key", "cert"].map(|name| dir.path().join(name).to_str().unwrap().to_owned());
        openssl(&["req", "-x509", "-newkey", "ed25519", "-nodes", "-keyout", &key, "-out", &cert, "-subj", "/CN=x"]);
        let file = openssl(&["pkcs12", "-export", "-inkey", &key, "-in", &cert, "-passout", "pass:x"]);
        let Err(why) = parse(&file, no_passphrase) else { panic!() };
        assert!(why.starts_with("it is PKCS#12: openssl pkcs12 -in"), "{why}");
    }
}
