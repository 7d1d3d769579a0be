//! What boots a machine, or updates it, is signed, as `service/docs/servers.md` says: with a reference file, and with a URI.

use std::process::Command;

use interop::{Desk, Row};
use tests::{Page, run};

use crate::{alone, desk, signing, unasked};

/// The two lines of a program, with a reference file and with a URI, each with what it has to find our keys.
fn documented(desk: &Desk, program: &str, key: &str, more: &str) -> [Command; 2] {
    let page = Page::read("service/docs/servers.md");
    let rows = page.rows("Programs that sign programs and images");
    let row = rows.iter().find(|row| row[0] == program).expect("a row of servers.md");
    let line = |column: usize| {
        let line = row[column].split('`').nth(1).unwrap().replace("CERT", &format!("{key}.crt"));
        let line = line.replace("URI", &format!("pkcs11:token=software;object={key};type=private"));
        alone(desk, &format!("{} {more}", line.replace("FILE", &format!("{key}.pem")).replace("FOLDER", "reference")))
    };
    let (mut by_reference, mut by_uri) = (line(2), line(3));
    by_reference.env("OPENSSL_CONF", desk.service.openssl_conf());
    by_uri.env("PKCS11_MODULE_PATH", desk.module()).env("RAUC_PKCS11_MODULE", desk.module());
    [by_reference, by_uri]
}

#[test]
fn programs_of_the_firmware_are_signed() {
    let Some(desk) = desk(Row::program("sbsign"), &["rsa-2048"]) else { return };
    desk.write("a.efi", signing::program());
    desk.parsec("key pem rsa-2048 --out rsa-2048.pem");
    for mut sbsign in documented(&desk, "sbsign", "rsa-2048", "--output signed.efi a.efi") {
        unasked(&mut sbsign);
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
    let Some(desk) = desk(Row::program("rauc"), &kinds).and_then(|desk| desk.and("mksquashfs")) else { return };
    std::fs::create_dir(desk.path("content")).unwrap();
    desk.write("content/root.img", "root");
    desk.write("content/manifest.raucm", "[update]\ncompatible=board\nversion=1\n[image.rootfs]\nfilename=root.img\n");
    for (kind, other) in kinds.iter().zip(kinds.iter().rev()) {
        desk.parsec(&format!("key pem {kind} --out {kind}.pem"));
        for mut rauc in documented(&desk, "rauc", kind, "content a.raucb") {
            unasked(&mut rauc);
            let said = desk.run(&format!("rauc info --keyring={kind}.crt a.raucb"));
            assert!(said.err.contains("Verified detached signature by 'CN = localhost'"), "{}{}", said.out, said.err);
            desk.run(&format!("rauc info --keyring={other}.crt a.raucb")).refused();
            std::fs::remove_file(desk.path("a.raucb")).unwrap();
        }
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
    let more = "-f fit.its -K keys.dtb -r a.fit";
    let sign = |mut mkimage: Command| {
        desk.ok("dtc -O dtb -o keys.dtb empty.dts");
        run(mkimage.env("SOURCE_DATE_EPOCH", "1")).ok();
        (desk.read("a.fit"), desk.read("keys.dtb"))
    };
    let by_file = sign(desk.command(&format!("mkimage -k file {more}")));
    for (mkimage, how) in documented(&desk, "mkimage", "board", more).into_iter().zip(["reference", "URI"]) {
        assert!(sign(mkimage) == by_file, "another image with the {how}");
    }
}
