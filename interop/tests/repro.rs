//! The small programs that came with reports of faults, where somebody has put them beside the checkout or `PARSEC_REPRO` names their
//! folder. Each ends with 0 when what was reported is right; what they look for is in the ordinary tests too.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::Command;

use tests::{CONFIG, Service, Setup, TPM, program, run, skip};

#[test]
fn every_reported_fault_is_mended() {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/repro");
    let folder = std::env::var_os("PARSEC_REPRO").map_or(beside, PathBuf::from);
    if !folder.is_dir() {
        return skip("there is no folder with reported faults");
    }
    if ["python3", "cc", "openssl", "pkcs11-tool"].into_iter().any(|name| program(name).is_none()) {
        return;
    }
    let service = interop::setup().start();
    let tpm = on_tpm().start();
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let about_tpm = |file: &Path| file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("tpm"));
    let place = |file: &Path| if about_tpm(file) { &tpm } else { &service };
    let runs: Vec<_> = files.iter().filter_map(|file| Some((file, run(&mut command(place(file), file)?)))).collect();
    assert!(!runs.is_empty(), "{} is empty", folder.display());
    let failed = runs.iter().filter(|(_, ran)| !ran.status.success());
    let failed: Vec<_> =
        failed.map(|(file, ran)| format!("{}: {}\n{}{}", file.display(), ran.status, ran.out, ran.err)).collect();
    assert!(failed.is_empty(), "{} of {}:\n{}", failed.len(), runs.len(), failed.join("\n"));
}

/// With the TPM provider first.
fn on_tpm() -> Setup {
    let (rest, _) = CONFIG.split_once("[[provider]]").unwrap();
    Setup::default().config(format!("{rest}{TPM}"))
}

/// How a file is run; `None` where it is a part of others, or this user may not run it.
fn command(service: &Service, file: &Path) -> Option<Command> {
    let (name, kind) = (file.file_stem()?.to_str()?, file.extension()?.to_str()?);
    let mut command = match (name, kind) {
        ("p11", "py") => return None,
        ("userns-client", _) if !(tests::may_change_user() && interop::may_unshare()) => return None,
        (_, "sh") => with(service.command("sh"), file),
        (_, "py") => with(service.command("python3"), file),
        (_, "c") => compiled(service, file, if name.starts_with("ec") { "p256" } else { "rsa-2048" }),
        _ => return None,
    };
    // One of them becomes another user, who must reach it there.
    let programs = service.staged("parsec").parent()?.display().to_string();
    let path = format!("{programs}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    command.env("PATH", path).env("PYTHONDONTWRITEBYTECODE", "1").env("OPENSSL_CONF", service.openssl_conf());
    command.env("MODULE", service.staged("libparsec_pkcs11.so"));
    Some(command)
}

fn with(mut command: Command, argument: &Path) -> Command {
    command.arg(argument);
    command
}

/// A C program, and the reference of a new key that it takes.
fn compiled(service: &Service, source: &Path, kind: &str) -> Command {
    let name = source.file_stem().unwrap();
    let (program, reference) = (service.dir().join(name), service.dir().join(name).with_extension("pem"));
    run(service.command("cc").arg("-o").arg(&program).arg(source).arg("-lcrypto")).ok();
    run(&mut service.parsec(["key", "new", name.to_str().unwrap(), "--algorithm", kind, "--out", reference.to_str().unwrap()]))
        .ok();
    with(service.command(program), &reference)
}
