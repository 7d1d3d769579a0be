//! Forms in which other programs' configurations name a key: the reference file, the URIs, the public key.

use super::context::{Context, KeyArg, KeyRecord};
use super::error::{Error, Result};
use super::openssl::CONFIG;
use super::output;
use base64ct::{Base64, Encoding};
use interface::attributes::{EccFamily, KeyType};
use interface::reference::{KeyUri, PKCS8_LABEL, Reference, ReferenceError};
use interface::spki::{PublicKey, rsa_parts};
use serde::Serialize;
use std::fmt::Display;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub(crate) struct Pem {
    #[command(flatten)]
    key: KeyArg,
    /// Write it as PKCS#8, "BEGIN PRIVATE KEY", for programs that look for that line themselves
    #[arg(long)]
    pkcs8: bool,
    /// Write this file, readable by all: it holds no secret
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Pem {
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        pem(&context.key(&self.key)?, self.pkcs8)?.deliver(context.json, self.out.as_deref())
    }
}

/// Writes the key's reference file.
pub(crate) fn write(key: &KeyRecord, path: &Path) -> Result<()> {
    pem(key, false)?.deliver(false, Some(path))
}

/// What is in the key's reference file.
pub(super) fn text(key: &KeyRecord) -> Result<String> {
    Ok(pem(key, false)?.pem)
}

fn pem(key: &KeyRecord, pkcs8: bool) -> Result<output::Pem> {
    let reference = Reference { uri: uri(key), spki: Some(key.spki()?) };
    let failed = |error: ReferenceError| Error::Failed(error.to_string());
    match pkcs8 {
        true => output::Pem::new(PKCS8_LABEL, &reference.to_pkcs8().map_err(failed)?),
        false => Ok(output::Pem { pem: explained(&reference.uri) + &reference.to_pem().map_err(failed)? }),
    }
}

/// Two lines for who opens the file. Readers of PEM pass over text above a block (RFC 7468 §2). Programs that look for the block
/// themselves may not, so the second form has none.
fn explained(uri: &KeyUri) -> String {
    format!(
        "This file names a key that the Parsec service holds, and has no secret in it: {uri}\n\
         A program that cannot read this file has not loaded OpenSSL's provider: set OPENSSL_CONF={CONFIG} for it.\n"
    )
}

fn uri(key: &KeyRecord) -> KeyUri {
    KeyUri { name: Some(key.name().to_owned()), owner: key.owner(), provider: Some(key.provider) }
}

#[derive(clap::Args)]
pub(crate) struct Uri {
    #[command(flatten)]
    key: KeyArg,
    /// The URI for programs that use the PKCS#11 module (RFC 7512)
    #[arg(long)]
    pkcs11: bool,
}

/// One line of text.
#[derive(Serialize)]
struct UriText {
    uri: String,
}

impl Display for UriText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}", self.uri)
    }
}

impl Uri {
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let key = context.key(&self.key)?;
        let uri =
            if self.pkcs11 { pkcs11_uri(key.provider.name(), &key.record.label, &key.record.id) } else { uri(&key).to_string() };
        context.show(&UriText { uri })
    }
}

/// The URI of the private key's object in the PKCS#11 module, whose tokens have the names of the providers.
fn pkcs11_uri(token: &str, label: &str, id: &[u8]) -> String {
    let id: String = id.iter().map(|byte| format!("%{byte:02X}")).collect();
    let (token, label) = (escape(token), escape(label));
    format!("pkcs11:token={token};object={label};id={id};type=private")
}

/// Escapes all that RFC 7512 §2.3 does not let stand in a path attribute.
fn escape(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~:[]@!$'()*+,=".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
        out
    })
}

#[derive(clap::Args)]
pub(crate) struct Public {
    #[command(flatten)]
    key: KeyArg,
    /// The line for OpenSSH's authorized_keys
    #[arg(long)]
    ssh: bool,
    /// Write this file
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// A line of `authorized_keys`.
#[derive(Serialize)]
struct SshLine {
    ssh: String,
}

impl Display for SshLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}", self.ssh)
    }
}

impl Public {
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let key = context.key(&self.key)?;
        if !self.ssh {
            return output::Pem::new("PUBLIC KEY", &key.spki()?)?.deliver(context.json, self.out.as_deref());
        }
        let ssh = ssh_line(&key.public()?, key.name()).ok_or_else(|| {
            Error::Unsupported(format!(
                "OpenSSH has no keys of the type of '{}' ({}): make one with parsec key new NAME --for ssh",
                key.name(),
                key.algorithm()
            ))
        })?;
        match &self.out {
            Some(path) => output::write_file(path, format!("{ssh}\n").as_bytes(), 0o644),
            None => context.show(&SshLine { ssh }),
        }
    }
}

/// The line of `authorized_keys` (RFC 4253 §6.6, RFC 5656 §3.1, RFC 8709 §4); `None` for kinds that OpenSSH does not know.
pub(super) fn ssh_line(key: &PublicKey, comment: &str) -> Option<String> {
    let (name, parts) = match (key.key_type, key.bits) {
        (KeyType::RsaPublicKey, _) => {
            let (modulus, exponent) = rsa_parts(&key.bytes)?;
            ("ssh-rsa".to_owned(), vec![positive(exponent), positive(modulus)])
        }
        (KeyType::EccPublicKey(EccFamily::SecpR1), bits @ (256 | 384 | 521)) => {
            let curve = format!("nistp{bits}");
            let name = format!("ecdsa-sha2-{curve}");
            (name, vec![curve.into_bytes(), key.bytes.clone()])
        }
        (KeyType::EccPublicKey(EccFamily::TwistedEdwards), 255) => ("ssh-ed25519".to_owned(), vec![key.bytes.clone()]),
        _ => return None,
    };
    let mut blob = Vec::new();
    for part in std::iter::once(name.as_bytes()).chain(parts.iter().map(Vec::as_slice)) {
        blob.extend(u32::try_from(part.len()).ok()?.to_be_bytes());
        blob.extend_from_slice(part);
    }
    // a comment is free text on one line
    let comment = comment.replace(char::is_control, " ");
    Some(format!("{name} {} {comment}", Base64::encode_string(&blob)))
}

/// A big-endian number with the leading zero that keeps it positive (RFC 4251 §5 `mpint`).
fn positive(number: &[u8]) -> Vec<u8> {
    let sign: &[u8] = if number.first().is_some_and(|first| first & 0x80 != 0) { &[0] } else { &[] };
    [sign, number].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn pkcs11_uris_escape_what_they_must() {
        assert_eq!(
            pkcs11_uri("software", "web; key/1", &[0x01, 0xaf]),
            "pkcs11:token=software;object=web%3B%20key%2F1;id=%01%AF;type=private"
        );
    }

    #[test]
    fn ssh_keygen_reads_our_lines() {
        for (bits, args) in [
            ("2048", ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"]),
            ("256", ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"]),
            ("384", ["EC", "-pkeyopt", "ec_paramgen_curve:P-384"]),
            ("521", ["EC", "-pkeyopt", "ec_paramgen_curve:P-521"]),
            ("256", ["ED25519", "-outform", "PEM"]),
        ] {
            let dir = tempfile::tempdir().unwrap();
            let file = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
            let run = |program: &str, args: &[&str]| {
                let output = Command::new(program).args(args).output().unwrap();
                assert!(output.status.success(), "{program} {args:?}: {output:?}");
                output.stdout
            };
            let key = file("key");
            run("openssl", &[&["genpkey", "-out", &key, "-algorithm"][..], &args].concat());
            let spki = run("openssl", &["pkey", "-in", &key, "-pubout", "-outform", "DER"]);
            let line = ssh_line(&PublicKey::from_spki(&spki).unwrap(), "web key").unwrap();
            std::fs::write(file("key.pub"), &line).unwrap();
            let shown = run("ssh-keygen", &["-l", "-f", &file("key.pub")]);
            let shown = String::from_utf8(shown).unwrap();
            assert!(shown.starts_with(bits) && shown.contains("web key"), "{shown}");
            if args[0] != "ED25519" {
                let theirs = run("ssh-keygen", &["-y", "-f", &key]);
                let theirs = String::from_utf8(theirs).unwrap();
                assert_eq!(format!("{} web key", theirs.trim()), line);
            }
        }
    }
}
