//! `parsec key csr`: certificate requests (RFC 2986) and self-signed certificates (RFC 5280), signed in the service.

mod names;
mod scheme;
mod subject;
mod usage;

use super::context::{Context, KeyArg, KeyRecord};
use super::error::{Error, Result};
use super::output::Pem;
use super::purpose::Purpose;
use der::asn1::{BitString, OctetString};
use der::{Decode, Encode, Sequence};
use scheme::CertificateScheme;
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};
use std::path::PathBuf;
use std::time::Duration;
use usage::Usage;
use x509_cert::certificate::Version;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{BasicConstraints, SubjectAltName, SubjectKeyIdentifier};
use x509_cert::ext::{Extension, ToExtension};
use x509_cert::name::Name;
use x509_cert::request::{CertReq, CertReqInfo, ExtensionReq};
use x509_cert::serial_number::SerialNumber;
use x509_cert::time::Validity;

#[derive(clap::Args)]
pub(crate) struct Request {
    #[command(flatten)]
    key: KeyArg,
    /// Common name [default: the first DNS name, or the key's name]
    #[arg(long, value_name = "NAME")]
    cn: Option<String>,
    /// The whole subject instead: "CN=www.example.com,O=Example Ltd,C=DE" (RFC 4514) or "/C=DE/O=Example Ltd/CN=www.example.com"
    #[arg(long, conflicts_with = "cn", value_parser = subject::parse)]
    subject: Option<Name>,
    /// DNS name; may be repeated [default, where no other name is given: the common name, if it is that of a host]
    #[arg(long, value_name = "NAME", value_parser = names::dns)]
    dns: Vec<GeneralName>,
    /// IP address; may be repeated
    #[arg(long, value_name = "ADDRESS", value_parser = names::ip)]
    ip: Vec<GeneralName>,
    /// E-mail address; may be repeated
    #[arg(long, value_name = "ADDRESS", value_parser = names::email)]
    email: Vec<GeneralName>,
    /// URI; may be repeated
    #[arg(long, value_name = "URI", value_parser = names::uri)]
    uri: Vec<GeneralName>,
    /// Any of these, as DNS:, IP:, email: or URI: and the name, or as what it looks like; may be repeated
    #[arg(long, value_name = "NAME", value_parser = names::any)]
    san: Vec<GeneralName>,
    /// What the certificate is for [default: whatever the key can do]
    #[arg(long = "for", value_name = "PURPOSE", value_parser = Purpose::parser())]
    purpose: Option<&'static Purpose>,
    /// Make a certificate that the key signs itself
    #[arg(long)]
    self_signed: bool,
    /// For how many days the certificate is valid
    #[arg(long, default_value_t = 365, requires = "self_signed", value_parser = clap::value_parser!(u32).range(1..))]
    days: u32,
    /// Write this file
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Everything of a certificate that its owner decides.
struct Content {
    subject: Name,
    names: Vec<GeneralName>,
    usage: Usage,
}

impl Request {
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        let key = context.key(&self.key)?;
        let public = Certified { spki: SubjectPublicKeyInfoOwned::from_der(&key.spki()?)?, id: key.public()?.id() };
        let content = self.content(&key)?;
        let scheme = CertificateScheme::of(&key.attributes).ok_or_else(|| {
            Error::Unsupported(format!(
                "key '{}' ({}) is not for signatures that certificates can have: make one with parsec key new NAME --for tls-server",
                key.name(),
                key.algorithm()
            ))
        })?;
        let sign = |message: &[u8]| scheme.sign(context, &key, message);
        let pem = if self.self_signed {
            let der = content.certificate(&public, &scheme, self.days, sign)?;
            Pem::new("CERTIFICATE", &der)?
        } else {
            let der = content.request(&public, &scheme, sign)?;
            Pem::new("CERTIFICATE REQUEST", &der)?
        };
        pem.deliver(context.json, self.out.as_deref())
    }

    fn content(&self, key: &KeyRecord) -> Result<Content> {
        let usage = Usage::of(&key.attributes, self.purpose.map(|purpose| (purpose.what(), purpose.name())))?;
        let subject = match &self.subject {
            Some(subject) => subject.clone(),
            None => subject::common(&self.common_name()?).map_err(Error::Usage)?,
        };
        let names = self.names().map_err(Error::Usage)?;
        Ok(Content { subject, names, usage })
    }

    /// The alternative names: those that were asked for, else that of the host in the common name; and the e-mail addresses of the
    /// subject (RFC 5280 §4.1.2.6).
    fn names(&self) -> Result<Vec<GeneralName>, String> {
        let mut all: Vec<_> = [&self.dns, &self.ip, &self.email, &self.uri, &self.san].into_iter().flatten().cloned().collect();
        if all.is_empty() {
            let chosen = self.cn.clone().or_else(|| subject::common_name(self.subject.as_ref()?));
            all.extend(chosen.and_then(|common| names::of_common_name(&common)));
        }
        for email in self.subject.iter().flat_map(subject::emails) {
            all.push(names::email(&email).map_err(|why| format!("the subject's emailAddress: {why}"))?);
        }
        let mut names = Vec::new();
        for name in all {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        Ok(names)
    }

    /// The common name where there is no whole subject. Of those that nobody chose, the first one that is short enough.
    fn common_name(&self) -> Result<String> {
        if let Some(common) = &self.cn {
            return Ok(common.clone());
        }
        let dns = self.dns.iter().chain(&self.san).find_map(|name| match name {
            GeneralName::DnsName(name) => Some(name.to_string()),
            _ => None,
        });
        let mut all = dns.into_iter().chain([self.key.name.clone()]);
        all.find(|name| name.chars().count() <= subject::LONGEST_COMMON_NAME)
            .ok_or_else(|| Error::Usage("the key's name is too long for a common name: choose one with --cn".to_owned()))
    }
}

/// The key that a certificate is about.
struct Certified {
    spki: SubjectPublicKeyInfoOwned,
    /// Its usual identifier.
    id: Vec<u8>,
}

/// RFC 5280 §4.1. Of x509-cert's own type only its builder can make values, which wants to hold the signing key.
#[derive(Sequence)]
struct TbsCertificate {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    version: Version,
    serial_number: SerialNumber,
    signature: AlgorithmIdentifierOwned,
    issuer: Name,
    validity: Validity,
    subject: Name,
    subject_public_key_info: SubjectPublicKeyInfoOwned,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT")]
    extensions: Vec<Extension>,
}

#[derive(Sequence)]
struct Certificate {
    tbs: TbsCertificate,
    algorithm: AlgorithmIdentifierOwned,
    signature: BitString,
}

impl Content {
    fn request(self, key: &Certified, scheme: &CertificateScheme, sign: impl Fn(&[u8]) -> Result<Vec<u8>>) -> Result<Vec<u8>> {
        let mut info = CertReqInfo {
            version: x509_cert::request::Version::V1,
            public_key: key.spki.clone(),
            attributes: der::asn1::SetOfVec::new(),
            subject: self.subject,
        };
        let mut extensions = self.usage.extensions(&info.subject)?;
        if !self.names.is_empty() {
            extensions.push((&SubjectAltName(self.names)).to_extension(&info.subject, &[])?);
        }
        if !extensions.is_empty() {
            info.attributes.insert(ExtensionReq(extensions).try_into()?)?;
        }
        let signature = BitString::from_bytes(&sign(&info.to_der()?)?)?;
        let algorithm = scheme.identifier.clone();
        Ok(CertReq { info, algorithm, signature }.to_der()?)
    }

    fn certificate(
        self,
        key: &Certified,
        scheme: &CertificateScheme,
        days: u32,
        sign: impl Fn(&[u8]) -> Result<Vec<u8>>,
    ) -> Result<Vec<u8>> {
        let constraints = BasicConstraints { ca: false, path_len_constraint: None };
        let id = SubjectKeyIdentifier(OctetString::new(key.id.clone())?);
        let mut extensions = vec![(&constraints).to_extension(&self.subject, &[])?, (&id).to_extension(&self.subject, &[])?];
        extensions.extend(self.usage.extensions(&self.subject)?);
        if !self.names.is_empty() {
            extensions.push((&SubjectAltName(self.names)).to_extension(&self.subject, &[])?);
        }
        let mut serial = [0; 16];
        lc::fill(&mut serial).map_err(|_| Error::Failed("no random numbers".to_owned()))?;
        // positive, and not shortened by a leading zero
        serial[0] = serial[0] & 0x7f | 0x40;
        let tbs = TbsCertificate {
            version: Version::V3,
            serial_number: SerialNumber::new(&serial)?,
            signature: scheme.identifier.clone(),
            issuer: self.subject.clone(),
            validity: Validity::from_now(Duration::from_secs(u64::from(days) * 86_400))
                .map_err(|_| Error::Usage(format!("{days} days end after the year 9999, the last one that certificates have")))?,
            subject: self.subject,
            subject_public_key_info: key.spki.clone(),
            extensions,
        };
        let signature = BitString::from_bytes(&sign(&tbs.to_der()?)?)?;
        let algorithm = scheme.identifier.clone();
        Ok(Certificate { tbs, algorithm, signature }.to_der()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use interface::algorithm::{Hash, SignHash, Signature};
    use interface::attributes::Attributes;
    use interface::kind::KeyKind;
    use interface::policy::Job;
    use interface::spki::PublicKey;
    use lc::{Curve, Ec, Ed25519, Eddsa, Md, Pss, Rsa};
    use std::process::Command;

    type Sign = dyn Fn(&[u8]) -> Vec<u8>;

    struct Signer {
        attributes: Attributes,
        public: Certified,
        sign: Box<Sign>,
    }

    fn signer(name: &str, only: Option<Signature>, key: &[u8], sign: impl Fn(&[u8]) -> Vec<u8> + 'static) -> Signer {
        let kind = KeyKind::named(name).unwrap();
        let mut attributes = kind.attributes(Job::Sign).unwrap();
        if let Some(only) = only {
            attributes.policy.algorithm = only.into();
            attributes.policy.also.clear();
        }
        let public = PublicKey { key_type: kind.key_type.public(), bits: kind.bits, bytes: key.to_vec() };
        let spki = SubjectPublicKeyInfoOwned::from_der(&public.to_spki().unwrap()).unwrap();
        let public = Certified { spki, id: public.id() };
        let sign = Box::new(sign);
        Signer { attributes, public, sign }
    }

    fn ecdsa(name: &str, only: Option<Signature>, curve: Curve, md: Md) -> Signer {
        let pair = Ec::generate(curve).unwrap();
        let public = pair.public().unwrap();
        signer(name, only, &public, move |message| pair.sign(&md.digest(message).unwrap()).unwrap())
    }

    fn rsa(only: Option<Signature>, sign: impl Fn(&Rsa, &[u8]) -> Vec<u8> + 'static) -> Signer {
        let pair = Rsa::generate(2048).unwrap();
        let public = pair.public_der().unwrap();
        signer("rsa-2048", only, &public, move |message| sign(&pair, &lc::sha256(message)))
    }

    fn ed25519() -> Signer {
        let pair = Ed25519::from_seed(&[7; 32]);
        signer("ed25519", None, &pair.public(), move |message| pair.sign(Eddsa::Pure, &[], message).unwrap())
    }

    /// One key for every signature scheme.
    fn signers() -> Vec<Signer> {
        let pss = Signature::RsaPss { hash: SignHash::Any };
        vec![
            ecdsa("p256", None, Curve::P256, Md::SHA256),
            ecdsa("p384", Some(Signature::EcdsaAny), Curve::P384, Md::SHA384),
            ecdsa("p521", None, Curve::P521, Md::SHA512),
            rsa(None, |pair, hash| pair.sign_pkcs1(&[Hash::Sha256.digest_info(), hash].concat()).unwrap()),
            rsa(Some(pss), |pair, hash| {
                pair.sign_pss(Pss { md: Md::SHA256, mgf: Md::SHA256, salt_len: hash.len() }, hash).unwrap()
            }),
            ed25519(),
        ]
    }

    fn content(key: &Attributes) -> Content {
        Content {
            subject: subject::common("Web, the #1").unwrap(),
            names: vec![names::dns("www.example.com").unwrap()],
            usage: Usage::of(key, None).unwrap(),
        }
    }

    /// The names that a command line asks for.
    fn asked(arguments: &[&str]) -> Result<Vec<GeneralName>, String> {
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            request: Request,
        }
        let line = Line::try_parse_from(["csr", "key"].iter().chain(arguments));
        line.map_err(|error| error.to_string())?.request.names()
    }

    #[test]
    fn the_subject_has_its_alternative_names() {
        for (arguments, expected) in [
            (&[][..], &[][..]),
            (&["--cn", "intranet"], &["DNS:intranet"]),
            (&["--cn", "Jane Doe"], &[]),
            (&["--subject", "/O=Example Ltd/CN=www.example.com"], &["DNS:www.example.com"]),
            (&["--subject", "E=a@example.com"], &["email:a@example.com"]),
            (
                &["--subject", "/E=a@example.com/E=b@example.com/CN=web"],
                &["DNS:web", "email:a@example.com", "email:b@example.com"],
            ),
            (&["--subject", "CN=web,E=a@example.com", "--dns", "x.example"], &["DNS:x.example", "email:a@example.com"]),
            (&["--subject", "CN=web,E=a@example.com", "--email", "a@example.com"], &["email:a@example.com"]),
            (&["--cn", "jane", "--email", "jane@example.com"], &["email:jane@example.com"]),
        ] {
            let expected: Vec<_> = expected.iter().map(|name| names::any(name).unwrap()).collect();
            assert_eq!(asked(arguments), Ok(expected), "{arguments:?}");
        }
        let why = asked(&["--subject", "CN=web,E=postmaster"]).unwrap_err();
        assert_eq!(why, "the subject's emailAddress: 'postmaster' is no e-mail address: it has no @");
    }

    fn openssl(file: &str, args: &[&str]) -> String {
        let mut command = Command::new("openssl");
        let output = command.args(args).arg(file).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        assert!(output.status.success(), "{args:?}: {text}");
        text
    }

    #[test]
    fn openssl_verifies_requests_of_every_scheme() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("csr").to_str().unwrap().to_owned();
        for signer in signers() {
            let scheme = CertificateScheme::of(&signer.attributes).unwrap();
            let sign = |message: &[u8]| scheme.encode((signer.sign)(message));
            let der = content(&signer.attributes).request(&signer.public, &scheme, sign).unwrap();
            std::fs::write(&path, Pem::new("CERTIFICATE REQUEST", &der).unwrap().pem).unwrap();
            let text = openssl(&path, &["req", "-verify", "-noout", "-text", "-in"]);
            assert!(text.to_lowercase().contains("verify ok"), "{text}");
            assert!(text.contains("CN = \"Web, the #1\""), "{text}");
            assert!(text.contains("DNS:www.example.com"), "{text}");
        }
    }

    #[test]
    fn openssl_trusts_self_signed_certificates_of_every_scheme() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("crt").to_str().unwrap().to_owned();
        for signer in signers() {
            let scheme = CertificateScheme::of(&signer.attributes).unwrap();
            let sign = |message: &[u8]| scheme.encode((signer.sign)(message));
            let der = content(&signer.attributes).certificate(&signer.public, &scheme, 2, sign).unwrap();
            std::fs::write(&path, Pem::new("CERTIFICATE", &der).unwrap().pem).unwrap();
            openssl(&path, &["verify", "-check_ss_sig", "-x509_strict", "-CAfile", &path]);
            openssl(&path, &["x509", "-noout", "-checkend", "86400", "-in"]);
        }
    }

    #[test]
    fn a_broken_signature_is_noticed() {
        let signer = ed25519();
        let scheme = CertificateScheme::of(&signer.attributes).unwrap();
        let sign = |message: &[u8]| Ok((signer.sign)(&message[1..]));
        let der = content(&signer.attributes).request(&signer.public, &scheme, sign).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("csr");
        std::fs::write(&path, Pem::new("CERTIFICATE REQUEST", &der).unwrap().pem).unwrap();
        let mut command = Command::new("openssl");
        let output = command.args(["req", "-verify", "-noout", "-in"]).arg(&path);
        let output = output.output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).to_lowercase();
        assert!(text.contains("verify failure"), "{text}");
    }
}
