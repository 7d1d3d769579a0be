//! What a user's ssh and git need.

use super::super::context::KeyRecord;
use super::super::error::{Error, Result};
use super::super::purpose::module;
use super::super::reference::ssh_line;
use super::change::{Desk, Place};
use super::plan::{Plan, stem};
use interface::client::Process;
use interface::text::word;
use rustix::process::geteuid;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

pub(super) fn home() -> Result<PathBuf> {
    let home = Process::default().variable("HOME").map(PathBuf::from).filter(|home| home.is_absolute());
    let home = home.ok_or_else(|| Error::Usage("HOME does not say where your files are".to_owned()))?;
    match std::fs::metadata(&home) {
        Ok(folder) if folder.uid() != geteuid().as_raw() => {
            let (home, owner) = (home.display(), folder.uid());
            Err(Error::Usage(format!("HOME is {home}, which belongs to the user {owner}: type this as that user")))
        }
        _ => Ok(home),
    }
}

pub(super) fn ssh(key: Option<&KeyRecord>) -> Result<Plan> {
    let (mut plan, ssh) = (begun(), home()?.join(".ssh"));
    let block = format!("Host *\n  PKCS11Provider \"{}\"\n", module());
    plan.want(Place::Block { path: ssh.join("config"), mark: "ssh".to_owned() }, block);
    match key {
        Some(key) => {
            let public = public(&mut plan, &ssh, key)?;
            plan.next.push(format!("ssh-copy-id -f -i {public} HOST"));
        }
        None => plan.next.push("parsec key public NAME --ssh    # the line for ~/.ssh/authorized_keys on the server".to_owned()),
    }
    plan.next.push("ssh HOST".to_owned());
    Ok(plan)
}

pub(super) fn git(desk: &Desk<'_>, key: Option<&KeyRecord>) -> Result<Plan> {
    let key = key
        .ok_or_else(|| Error::Usage("git signs with one key: --key NAME (parsec key new NAME --for ssh makes one)".to_owned()))?;
    let (mut plan, home) = (begun(), home()?);
    let ssh = home.join(".ssh");
    let setting = |name: &str| Place::Git { name: name.to_owned() };
    let email = setting("user.email").read(desk)?;
    let email = email
        .ok_or_else(|| Error::Usage("git does not know you yet: git config --global user.email YOU@EXAMPLE.COM".to_owned()))?;
    if email.contains(|c: char| c.is_whitespace() || c.is_control() || "\"*?!,".contains(c)) {
        return Err(Error::Usage(format!("git's user.email, '{email}', cannot stand in a list of signers")));
    }
    let public = public(&mut plan, &ssh, key)?;
    plan.want(setting("gpg.format"), "ssh");
    plan.want(setting("user.signingkey"), public);
    let signers = setting("gpg.ssh.allowedSignersFile");
    let path = match signers.read(desk)? {
        Some(file) => home.join(file.trim_start_matches("~/")),
        None => {
            let path = ssh.join("allowed_signers");
            plan.want(signers, path.display().to_string());
            path
        }
    };
    let line = format!("{email} namespaces=\"git\" {}\n", line(key)?);
    plan.want(Place::Block { path, mark: "git".to_owned() }, line);
    plan.next.extend([
        format!("ssh-add -s {}    # once for each ssh-agent; press Enter where it asks for a PIN", word(&module())),
        "git commit -S".to_owned(),
        "git log --show-signature".to_owned(),
    ]);
    Ok(plan)
}

/// A plan that has the PKCS#11 module.
fn begun() -> Plan {
    let (mut plan, module) = (Plan::default(), module());
    if !Path::new(&module).exists() {
        plan.next.push(format!("apt install libparsec-pkcs11    # {module} is not there"));
    }
    plan
}

/// The file with the public key.
fn public(plan: &mut Plan, ssh: &Path, key: &KeyRecord) -> Result<String> {
    let path = ssh.join(format!("{}.pub", stem(key)?));
    let shown = path.display().to_string();
    plan.want(Place::File { path }, format!("{}\n", line(key)?));
    Ok(shown)
}

fn line(key: &KeyRecord) -> Result<String> {
    let line = ssh_line(&key.public()?, key.name());
    line.ok_or_else(|| {
        Error::Unsupported(format!(
            "OpenSSH has no keys of the type of '{}' ({}): make one with parsec key new NAME --for ssh",
            key.name(),
            key.algorithm()
        ))
    })
}
