//! What boots a machine, or updates it, is signed: by OpenSSL's engine for our module, by our OpenSSL provider, or by the program itself.

use std::path::Path;
use std::process::Command;

use interop::{Desk, Row, engine_conf};
use tests::run;

use crate::{alone, desk, signing, unasked};

/// A program that finds our keys by this configuration of OpenSSL.
fn with(desk: &Desk, config: &Path, line: &str) -> Command {
    let mut command = alone(desk, line);
    command.env("OPENSSL_CONF", config);
    command
}

#[test]
fn programs_of_the_firmware_are_signed() {
    let Some(desk) = desk(Row::program("sbsign"), &["rsa-2048"]) else { return };
    desk.write("a.efi", signing::program());
    desk.parsec("key pem rsa-2048 --out rsa-2048.pem");
    let by_reference = "--key rsa-2048.pem".to_owned();
    let by_uri = "--engine pkcs11 --key pkcs11:token=software;object=rsa-2048;type=private".to_owned();
    for (key, config) in [(by_reference, desk.service.openssl_conf()), (by_uri, engine_conf(&desk.service))] {
        unasked(&mut with(&desk, &config, &format!("sbsign {key} --cert rsa-2048.crt --output signed.efi a.efi")));
        desk.ok("sbverify --cert rsa-2048.crt signed.efi");
        let mut changed = desk.read("signed.efi");
        changed[0x200] ^= 1;
        desk.write("changed.efi", changed);
        desk.run("sbverify --cert rsa-2048.crt changed.efi").refused();
    }
}

#[test]
fn bundles_of_updates_are_signed() {
    let kinds = ["rsa-2048", "p256"];
    let Some(desk) = desk(Row::program("rauc"), &kinds) else { return };
    let Some(desk) = desk.and("mksquashfs") else { return };
    std::fs::create_dir(desk.path("content")).unwrap();
    desk.write("content/root.img", "root");
    desk.write("content/manifest.raucm", "[update]\ncompatible=board\nversion=1\n[image.rootfs]\nfilename=root.img\n");
    for kind in kinds {
        desk.parsec(&format!("key pem {kind} --out {kind}.pem"));
        let bundle = |key: &str, out: &str| format!("rauc bundle --cert={kind}.crt --key={key} content {out}");
        unasked(&mut with(&desk, &desk.service.openssl_conf(), &bundle(&format!("{kind}.pem"), &format!("{kind}-1.raucb"))));
        let uri = format!("pkcs11:token=software;object={kind};type=private");
        let mut rauc = alone(&desk, &bundle(&uri, &format!("{kind}-2.raucb")));
        unasked(rauc.env("RAUC_PKCS11_MODULE", desk.module()));
        for number in 1..=2 {
            let said = run(&mut desk.command(&format!("rauc info --keyring={kind}.crt {kind}-{number}.raucb")));
            assert!(said.err.contains("Verified detached signature by 'CN = localhost'"), "{}{}", said.out, said.err);
        }
        let other = kinds.iter().find(|other| **other != kind).unwrap();
        desk.run(&format!("rauc info --keyring={other}.crt {kind}-1.raucb")).refused();
    }
}

/// A kernel, and the configuration that is signed.
const FIT: &str = r#"/dts-v1/;
/ {
    description = "image";
    images { kernel {
        data = /incbin/("message"); type = "kernel"; arch = "arm64"; os = "linux"; compression = "none"; load = <0>; entry = <0>;
        hash-1 { algo = "sha256"; };
    }; };
    configurations { default = "conf"; conf {
        kernel = "kernel";
        signature-1 { algo = "sha256,rsa2048"; key-name-hint = "board"; sign-images = "kernel"; };
    }; };
};
"#;

/// Debian has nothing that verifies such an image. Its signature has no randomness, so that a key in a file has to make the same.
#[test]
fn images_for_u_boot_are_signed_as_with_a_key_in_a_file() {
    let Some(desk) = desk(Row::program("mkimage"), &[]).and_then(|desk| desk.and("dtc")) else { return };
    desk.openssl("genrsa -out board.key 2048");
    desk.parsec("key import board board.key");
    desk.parsec("key csr board --self-signed --cn board --out board.crt");
    desk.parsec("key pem board --out board.pem");
    desk.write("fit.its", FIT);
    desk.write("empty.dts", "/dts-v1/; / { };");
    for (folder, key) in [("file", "board.key"), ("reference", "board.pem")] {
        std::fs::create_dir(desk.path(folder)).unwrap();
        desk.write(format!("{folder}/board.key"), desk.read(key));
        desk.write(format!("{folder}/board.crt"), desk.read("board.crt"));
    }
    let sign = |name: &str, key: &str, config: &Path| {
        desk.ok(&format!("dtc -O dtb -o {name}.dtb empty.dts"));
        let mut mkimage = with(&desk, config, &format!("mkimage -f fit.its {key} -K {name}.dtb -r {name}.fit"));
        unasked(mkimage.env("SOURCE_DATE_EPOCH", "1"));
        (desk.read(format!("{name}.fit")), desk.read(format!("{name}.dtb")))
    };
    let (ours, engine) = (desk.service.openssl_conf(), engine_conf(&desk.service));
    let by_file = sign("file", "-k file", Path::new("/dev/null"));
    assert!(by_file.0.windows(9).any(|part| part == b"signature"));
    assert!(sign("reference", "-k reference", &ours) == by_file, "another image by reference");
    assert!(sign("engine", "-N pkcs11 -k token=software", &engine) == by_file, "another image by the engine");
}
