//! The tests that pkcs11-tool brings itself, and pkcs11-spy between it and our module.

use interop::{Row, has, library, provider};
use tests::{feed, run};

use crate::Desk;

#[test]
fn its_test_finds_no_errors() {
    let Some(desk) = Desk::new() else { return };
    desk.ok("--keypairgen --key-type rsa:2048 --usage-sign --usage-decrypt --label rsa --id 01");
    desk.ok("--keypairgen --key-type EC:prime256v1 --label ec --id 02");
    let said = desk.ok("--login --pin 1234 --test --allow-sw");
    for part in ["C_SeedRandom() and C_GenerateRandom()", "Digests", "Signatures", "Verify", "Decryption"] {
        assert!(said.contains(&format!("\n{part}")) || said.starts_with(part), "{part}\n{said}");
    }
    assert!(said.contains("all 4 signature functions seem to work") && said.contains("RSA-PKCS-OAEP"), "{said}");
    assert!(said.ends_with("No errors\n") && !said.contains("ERR"), "{said}");
}

/// Keys of the command line permit what their purpose needs and no more: what they do not is skipped, and the test ends well.
#[test]
fn its_test_passes_whatever_the_keys_are_for() {
    let Some(desk) = Desk::new() else { return };
    for (purpose, algorithm) in [
        ("encryption", "rsa-2048"),
        ("tls-server", "rsa-2048"),
        ("code-signing", "rsa-3072"),
        ("tls-server", "p256"),
        ("jwt", "p256"),
    ] {
        if has(&desk.service, algorithm) {
            desk.parsec(&format!("key new web --for {purpose} --algorithm {algorithm}"));
            let said = desk.ok("--login --pin 1234 --test");
            assert!(said.ends_with("No errors\n"), "{purpose} {algorithm}\n{said}");
            desk.parsec("key rm web");
        }
    }
}

#[test]
fn its_test_of_elliptic_curves_passes_where_sha_1_is_permitted() {
    let Some(desk) = interop::Desk::permissive("pkcs11-tool") else { return };
    for curve in ["prime256v1", "secp384r1"] {
        let test = format!("--login --pin 1234 --session-rw --test-ec --id 01 --label ec --key-type EC:{curve}");
        let said = desk.pkcs11_tool(&test).ok();
        assert!(said.ends_with("==> OK\n"), "{said}");
    }
    assert_eq!(desk.pkcs11_tool("-O").ok().trim(), "");
}

#[test]
fn its_threads_use_the_module_at_once() {
    let Some(desk) = Desk::new() else { return };
    // three initialise, of which one can be the first, and two of them use the module
    let ran = desk.tool("--test-threads IN --test-threads ILGISLT0 -M -O");
    let said = ran.err.clone();
    ran.ok();
    assert!(said.contains("thread:1 state:-1, rv:CKR_OK"), "{said}");
    let results: Vec<_> = said.lines().filter_map(|line| line.split_once("rv:").map(|(_, rv)| rv)).collect();
    // those that are still at it when it first looks are told of twice
    assert!(results.len() >= 3, "{said}");
    for rv in results {
        assert!(["CKR_OK", "CKR_CRYPTOKI_ALREADY_INITIALIZED"].contains(&rv), "{said}");
    }
}

#[test]
fn forked_children_start_again() {
    let Some(desk) = Desk::new() else { return };
    let said = desk.tool("--test-fork");
    assert!(!said.out.contains("ERR") && !said.err.contains("failed"), "{}{}", said.out, said.err);
    assert!(said.ok().contains("C_Initialize in forked child"));
}

#[test]
fn its_test_of_slots_that_come_and_go_ends_as_told() {
    let Some(desk) = Desk::new() else { return };
    let mut command = desk.service.pkcs11_tool(["--test-hotplug"]);
    let said = feed(&mut command, b"\nx\nx\n").ok();
    assert!(said.contains("C_GetSlotList") && said.contains("C_WaitForSlotEvent"), "{said}");
    assert!(!said.contains("failed"), "{said}");
}

#[test]
fn all_interfaces_are_listed() {
    let Some(desk) = Desk::new() else { return };
    let listed = desk.ok("--list-interfaces");
    for version in ["2.40", "3.0", "3.1", "3.2"] {
        assert!(listed.contains(&format!("version: {version}")), "{listed}");
    }
    assert!(listed.contains("flags=0x1"), "no interface is safe to fork with\n{listed}");
}

#[test]
fn a_spy_between_sees_nothing_that_fails() {
    let Some(row) = Row::library("pkcs11-spy", library("pkcs11/pkcs11-spy.so")) else {
        return;
    };
    let desk = interop::Desk::with(row);
    let spy = library("pkcs11/pkcs11-spy.so");
    // p11tool takes the old list of functions, which is all that this spy wraps
    let spied = |arguments: &str| {
        let mut p11tool = desk.command(&format!("p11tool --batch {arguments} --provider"));
        p11tool.env("PKCS11SPY", desk.module()).env("PKCS11SPY_OUTPUT", desk.path("spied"));
        run(p11tool.arg(&spy)).ok()
    };
    let token = format!("pkcs11:token={}", provider());
    for kind in ["rsa --bits 2048", "ecdsa --curve secp256r1"] {
        spied(&format!("--generate-privkey {kind} --label key --outfile public.pem {token}"));
        spied(&format!("--test-sign {token};object=key;type=private"));
        let public = spied(&format!("--export-pubkey {token};object=key;type=private"));
        assert_eq!(public, desk.parsec("key public key"));
        spied(&format!("--delete {token};object=key"));
        let calls = desk.text("spied");
        for call in ["C_GenerateKeyPair", "C_SignInit", "C_GetAttributeValue", "C_DestroyObject"] {
            assert!(calls.contains(call), "{calls}");
        }
        assert!(!calls.contains("CKR_FUNCTION") && !calls.contains("CKR_GENERAL"), "{calls}");
    }
}
