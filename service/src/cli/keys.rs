//! The commands of `parsec key`.

use super::context::{Context, KeyArg};
use super::error::Result;
use super::{
    accept, attest, challenge, chown, csr, end, expire, export, grant, import, key, label, list, reference, rename, rotate,
    same_user, view,
};
use interface::operations::Verdict;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Make a key
    #[command(visible_alias = "create")]
    New(key::New),
    /// List keys: your own, and those granted to you by root, administrators and whom you accept
    #[command(visible_alias = "ls")]
    List(list::List),
    /// Show all that is public of a key
    Show(KeyArg),
    /// Give a key another label
    Label(label::Label),
    /// Give a key another name. References to the old one still find it
    #[command(visible_alias = "mv")]
    Rename(rename::Rename),
    /// Make a key's successor, and with --finish give it the name. Both keys work until you remove the old one
    Rotate(rotate::Rotate),
    /// Say until when a key is meant to be used. The service warns; with --enforce it also refuses
    Expire(expire::Expire),
    /// Give a key to another owner; for administrators. References, URIs and grants still find it
    Chown(chown::Chown),
    /// Say whether a user with another name than before is the same user, who keeps its keys; for administrators
    SameUser(same_user::SameUser),
    /// Destroy a key, for ever. On a terminal, tells what depends on it and asks
    #[command(visible_aliases = ["delete", "destroy"])]
    Rm(end::Rm),
    /// Print a certificate request, or a self-signed certificate
    Csr(csr::Request),
    /// Print the file that stands for the private key in other programs' configuration
    Pem(reference::Pem),
    /// Print the URI that names the key
    Uri(reference::Uri),
    /// Print the public key
    Public(reference::Public),
    /// Store a private or secret key that lies in a file
    Import(import::Import),
    /// Print the private key, where its policy allows that
    Export(export::Export),
    /// Print the TPM's signed statement about a key
    Attest(attest::Attest),
    /// Check a statement or a quote of a TPM, and tell what it proves
    VerifyAttestation(attest::Verify),
    /// Make a challenge that only the TPM with an endorsement key can answer. Prints the right answer
    Challenge(challenge::Challenge),
    /// Answer a challenge, on the host with the TPM
    Answer(challenge::Respond),
    /// Let others use a key
    Grant(grant::Give),
    /// Take back what was granted
    Revoke(grant::TakeBack),
    /// List who else may use a key
    Grants(KeyArg),
    /// List the keys that somebody has granted you with your own. You may then leave --owner out
    Accept(accept::Say),
    /// No longer list the keys that somebody has granted you
    Reject(accept::Say),
    /// List who has granted you keys, and whether they are listed
    Accepted(accept::For),
}

impl Command {
    pub(crate) fn run(&self, context: &Context) -> Result<()> {
        match self {
            Self::New(args) => args.run(context),
            Self::List(args) => args.run(context),
            Self::Show(name) => view::show(context, &context.key(name)?),
            Self::Label(args) => args.run(context),
            Self::Rename(args) => args.run(context),
            Self::Rotate(args) => args.run(context),
            Self::Expire(args) => args.run(context),
            Self::Chown(args) => args.run(context),
            Self::SameUser(args) => args.run(context),
            Self::Rm(args) => args.run(context),
            Self::Csr(args) => args.run(context),
            Self::Pem(args) => args.run(context),
            Self::Uri(args) => args.run(context),
            Self::Public(args) => args.run(context),
            Self::Import(args) => args.run(context),
            Self::Export(args) => args.run(context),
            Self::Attest(args) => args.run(context),
            Self::VerifyAttestation(args) => args.run(context),
            Self::Challenge(args) => args.run(context),
            Self::Answer(args) => args.run(context),
            Self::Grant(args) => grant::give(context, args),
            Self::Revoke(args) => grant::take_back(context, args),
            Self::Grants(key) => grant::list(context, key),
            Self::Accept(args) => args.run(context, Verdict::Accepted),
            Self::Reject(args) => args.run(context, Verdict::Rejected),
            Self::Accepted(callers) => accept::list(context, callers),
        }
    }
}
