//! Memory, as Valgrind and the sanitizers see it.

use std::path::PathBuf;
use std::process::Command;

use cryptoki_sys::CKF_RW_SESSION;
use tests::{built, program, run, skip};

use super::{Fixture, generate, open};

/// A file beside this one.
fn here(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/calls/hard", name].iter().collect()
}

/// A fixture with a key, and one of the C programs here in its directory.
pub(super) fn compiled(name: &str) -> (Fixture, PathBuf) {
    let fixture = Fixture::new();
    generate(open(CKF_RW_SESSION), true).unwrap();
    let compiled = fixture.service.dir().join(name);
    let mut cc = Command::new("cc");
    cc.args(["-Wall", "-Werror", "-rdynamic", "-pthread", "-I/usr/include/p11-kit-1", "-o"]).arg(&compiled);
    run(cc.arg(here(&format!("{name}.c"))).arg("-ldl")).ok();
    (fixture, compiled)
}

/// Valgrind, which fails for each error and each block that is lost for good.
fn valgrind(fixture: &Fixture) -> Command {
    let mut valgrind = fixture.service.command("valgrind");
    valgrind.args([
        "--quiet",
        "--error-exitcode=99",
        "--leak-check=full",
        "--errors-for-leak-kinds=definite",
        "--fair-sched=yes",
    ]);
    valgrind.arg(format!("--suppressions={}", here("valgrind.supp").display()));
    valgrind
}

#[test]
fn pkcs11_tool_shows_valgrind_no_error_and_no_leak() {
    let (Some(_), Some(_)) = (program("valgrind"), program("pkcs11-tool")) else {
        return;
    };
    let fixture = Fixture::new();
    let service = &fixture.service;
    std::fs::write(service.dir().join("data"), [7; 3000]).unwrap();
    for line in [
        "--keypairgen --key-type EC:prime256v1 --label web --id 01",
        "--keypairgen --key-type rsa:2048 --label tls --id 02",
        "--keygen --key-type AES:32 --label made --id 03",
        "--sign -m ECDSA-SHA256 --id 01 -i data -o signature",
        "--sign -m SHA256-RSA-PKCS-PSS --id 02 -i data -o signature",
        "--write-object data --type data --label note",
        "-L -M -O",
        "--test",
        "--delete-object --type privkey --id 02",
    ] {
        let mut tool = valgrind(&fixture);
        tool.arg("pkcs11-tool").arg("--module").arg(service.staged("libparsec_pkcs11.so")).args(line.split_whitespace());
        let ran = run(&mut tool);
        assert!(!ran.err.contains("=="), "{line}: {}", ran.err);
        ran.ok();
    }
}

#[test]
fn threads_that_load_and_unload_show_valgrind_no_error_and_no_leak() {
    if program("valgrind").is_none() {
        return;
    }
    let (fixture, unload) = compiled("unload");
    run(valgrind(&fixture).arg(unload).arg(built("libparsec_pkcs11.so")).arg("20")).ok();
}

/// The pages that the loader relocates count too.
#[test]
fn a_process_that_signs_has_less_than_two_mebibytes_more_of_its_own() {
    let (fixture, footprint) = compiled("footprint");
    let grown = run(fixture.service.command(footprint).arg(built("libparsec_pkcs11.so"))).ok();
    let grown: u32 = grown.trim().parse().unwrap();
    assert!(grown < 2048, "{grown} KiB");
}

/// The stress program and a module that were built with a sanitizer, by `tests/sanitizers`.
fn sanitized(variable: &str, options: (&str, &str)) {
    let Some(dir) = std::env::var_os(variable).map(PathBuf::from) else {
        return skip(&format!("{variable} is not set: tests/sanitizers could not build it, or was not asked to"));
    };
    let fixture = Fixture::new();
    generate(open(CKF_RW_SESSION), true).unwrap();
    let mut stress = fixture.service.command(dir.join("stress"));
    let ran = run(stress.arg(dir.join("libparsec_pkcs11.so")).arg("200").env(options.0, options.1));
    assert!(!ran.err.contains("Sanitizer"), "{}", ran.err);
    assert!(ran.ok().contains("rounds"));
}

#[test]
fn the_stress_program_shows_address_sanitizer_no_error_and_no_leak() {
    sanitized("PARSEC_SANITIZER_ADDRESS", ("ASAN_OPTIONS", "detect_leaks=1"));
}

#[test]
fn the_stress_program_shows_thread_sanitizer_no_race() {
    let options = format!("die_after_fork=0 suppressions={}", here("tsan.supp").display());
    sanitized("PARSEC_SANITIZER_THREAD", ("TSAN_OPTIONS", &options));
}
