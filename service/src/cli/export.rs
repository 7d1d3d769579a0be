//! `parsec key export`: writes a private key to a file, if its policy allows that.

use super::context::{Context, KeyArg};
use super::error::{During, Error, Result};
use super::output::write_file;
use interface::operations::ExportKey;
use interface::pkcs8::to_pkcs8;
use std::path::PathBuf;
use zeroize::Zeroizing;

#[derive(clap::Args)]
pub(crate) struct Export {
    #[command(flatten)]
    key: KeyArg,
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
        let unsupported =
            || Error::Unsupported(format!("the type of '{}' ({}) has no PKCS#8 form here", key.name(), key.algorithm()));
        let der = to_pkcs8(&exported.data, &key.public()?).ok_or_else(unsupported)?;
        let pem = der::pem::encode_string("PRIVATE KEY", der::pem::LineEnding::LF, &der)
            .map_err(|error| Error::Failed(error.to_string()))?;
        write_file(&self.out, Zeroizing::new(pem).as_bytes(), 0o600)
    }
}
