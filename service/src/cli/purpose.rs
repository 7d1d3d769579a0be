//! Purposes. People say what a key is for. The provider's abilities decide which algorithm that means.

use super::context::Context;
use super::error::{During, Error, Result};
use super::openssl::installed;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use interface::attributes::Attributes;
use interface::kind::KeyKind;
use interface::message::Pkcs11Attribute;
use interface::operations::{CanDoCrypto, CheckType};
use interface::policy::{Job, Purpose as What};
use interface::{ProviderId, Status};

/// What a key is made for.
#[derive(Debug)]
pub(crate) struct Purpose {
    what: What,
    /// Names of [`KeyKind`]s, the best one first.
    candidates: &'static [&'static str],
    /// What to do next: where, and the line to write there. `{name}`, `{file}` and `{module}` are filled in.
    next: &'static [(&'static str, &'static str)],
}

/// Every purpose. The order of the candidates:
/// P-256 first where peers decide (every browser, TLS library and OpenSSH takes it, and TPMs are fast at it), then RSA at the size
/// that the same peers ask for; 384 bits first for code, whose signatures outlive the day; Ed25519 not for ssh, because OpenSSH
/// before 10.1 takes none from PKCS#11 modules.
pub(crate) const PURPOSES: &[Purpose] = &[
    Purpose {
        what: What::TlsServer,
        candidates: &["p256", "rsa-2048", "p384", "rsa-3072", "rsa-4096"],
        next: &[
            ("certificate request", "parsec key csr {name} --cn www.example.com > {name}.csr"),
            ("key file", "parsec key pem {name} --out {file}"),
            ("nginx.conf", "ssl_certificate_key {file};"),
            ("nginx's workers", "parsec key grant {name} user:www-data=sign"),
        ],
    },
    Purpose {
        what: What::TlsClient,
        candidates: &["p256", "rsa-2048", "p384", "rsa-3072", "rsa-4096"],
        next: &[
            ("certificate request", "parsec key csr {name} --cn \"$(id -un)\" > {name}.csr"),
            ("key file", "parsec key pem {name} --out {file}"),
            ("curl", "curl --cert {name}.crt --key {file} https://…"),
        ],
    },
    Purpose {
        what: What::Ssh,
        candidates: &["p256", "p384", "p521", "rsa-3072", "rsa-2048"],
        next: &[("authorized_keys", "parsec key public {name} --ssh >> ~/.ssh/authorized_keys"), ("ssh", "ssh -I {module} HOST")],
    },
    Purpose {
        what: What::CodeSigning,
        candidates: &["p384", "rsa-4096", "rsa-3072", "p256"],
        next: &[
            ("certificate request", "parsec key csr {name} --cn \"Example Ltd\" > {name}.csr"),
            ("key file", "parsec key pem {name} --out {file}"),
            ("openssl", "openssl dgst -sha384 -sign {file} -out FILE.sig FILE"),
        ],
    },
    Purpose {
        what: What::Jwt,
        candidates: &["p256", "rsa-2048", "p384", "rsa-3072"],
        next: &[
            ("who verifies needs", "parsec key public {name} > {name}.pub"),
            ("key file", "parsec key pem {name} --out {file}"),
        ],
    },
    Purpose {
        what: What::Encryption,
        candidates: &["rsa-3072", "rsa-2048", "rsa-4096"],
        next: &[
            ("who encrypts needs", "parsec key public {name} > {name}.pub"),
            (
                "openssl",
                "openssl pkeyutl -encrypt -pubin -inkey {name}.pub -pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256 …",
            ),
        ],
    },
];

impl Purpose {
    pub(crate) fn name(&self) -> &'static str {
        self.what.name()
    }

    /// The row of a purpose.
    pub(crate) fn of(what: What) -> Option<&'static Self> {
        PURPOSES.iter().find(|purpose| purpose.what == what)
    }

    pub(crate) fn what(&self) -> What {
        self.what
    }

    /// What the service is to keep with a key for this purpose, where one is named.
    pub(crate) fn kept(purpose: Option<&Self>) -> Vec<Pkcs11Attribute> {
        purpose.map(|purpose| purpose.what.kept()).into_iter().collect()
    }

    pub(crate) fn job(&self) -> Job {
        self.what.job()
    }

    /// Reads the name of a purpose.
    pub(crate) fn parser() -> impl TypedValueParser<Value = &'static Self> {
        PossibleValuesParser::new(PURPOSES.iter().map(|purpose| purpose.name()))
            .try_map(|name| PURPOSES.iter().find(|purpose| purpose.name() == name).ok_or("no such purpose"))
    }

    /// The candidates, the best one first.
    pub(crate) fn candidates(&self) -> impl Iterator<Item = &'static KeyKind> {
        self.candidates.iter().filter_map(|name| KeyKind::named(name))
    }

    /// What to do next with the key: where, and the line to write there.
    pub(crate) fn next(&self, name: &str, file: &str) -> Vec<(&'static str, String)> {
        let module = module();
        let fill = |line: &str| {
            let line = line.replace("{name}", &quoted(name));
            let line = line.replace("{file}", &quoted(file));
            line.replace("{module}", &quoted(&module))
        };
        self.next.iter().map(|(place, line)| (*place, fill(line))).collect()
    }
}

/// A word for the shell, and for nginx.conf.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-._/:@+".contains(c);
    if !word.is_empty() && word.chars().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

/// Where the PKCS#11 module is: beside this program in a build, else where it is installed.
pub(super) fn module() -> String {
    const MODULE: &str = "libparsec_pkcs11.so";
    let program = std::env::current_exe().ok();
    let beside = program.map(|program| program.with_file_name(MODULE));
    let module = beside.filter(|path| path.exists()).unwrap_or_else(|| installed(&format!("pkcs11/{MODULE}")));
    module.display().to_string()
}

/// The best algorithm that the provider has for the purpose.
pub(crate) fn pick(context: &Context, provider: ProviderId, purpose: &Purpose) -> Result<Attributes> {
    for kind in purpose.candidates() {
        if let Some(attributes) = kind.attributes(purpose.job())
            && can_generate(context, provider, &attributes)?
        {
            return Ok(attributes);
        }
    }
    let tried: Vec<_> = purpose.candidates().map(|kind| kind.name).collect();
    Err(Error::Unsupported(format!(
        "the {provider} provider makes no key for {}; it was asked for {} (others: parsec providers)",
        purpose.name(),
        tried.join(", ")
    )))
}

/// Whether the provider makes such keys. If a provider cannot say, the request to make one will show it.
fn can_generate(context: &Context, provider: ProviderId, attributes: &Attributes) -> Result<bool> {
    let question = CanDoCrypto { check_type: CheckType::Generate.into(), attributes: Some(attributes.into()) };
    match context.client.call(provider, &question) {
        Ok(_) => Ok(true),
        Err(error) => match error.status() {
            Some(Status::PsaErrorNotSupported) => Ok(false),
            Some(Status::OpcodeDoesNotExist) => Ok(true),
            _ => Err(error).during(|| format!("ask what the {provider} provider can do")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_candidate_can_do_the_job_of_its_purpose() {
        for purpose in PURPOSES {
            for name in purpose.candidates {
                let kind = KeyKind::named(name);
                assert!(kind.is_some_and(|kind| kind.attributes(purpose.job()).is_some()), "{}: {name}", purpose.name());
            }
        }
    }

    #[test]
    fn odd_names_are_one_word() {
        assert_eq!(quoted("web-1.pem"), "web-1.pem");
        assert_eq!(quoted("my key"), "'my key'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }

    #[test]
    fn next_steps_name_the_key_and_its_file() {
        for purpose in PURPOSES {
            let next = purpose.next("web", "/etc/web.pem");
            assert!(next.iter().all(|(_, line)| !line.contains('{')));
            assert!(next.iter().any(|(_, line)| line.contains("parsec key") && line.contains("web")));
        }
        let server = PURPOSES[0].next("web", "/etc/web.pem");
        assert!(server.iter().any(|(_, line)| line == "ssl_certificate_key /etc/web.pem;"));
    }
}
