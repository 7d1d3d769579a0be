//! Code signing: programs for Windows, and jars.

use interop::{Row, library};
use tests::run;

use crate::{alone, desk, unasked};

/// The least that is a program for Windows, and for firmware: one section with one instruction that returns.
pub(crate) fn program() -> Vec<u8> {
    fn put(file: &mut [u8], at: usize, bytes: &[u8]) {
        file[at..at + bytes.len()].copy_from_slice(bytes);
    }
    let mut file = vec![0; 0x400];
    put(&mut file, 0, b"MZ");
    put(&mut file, 0x3c, &64_u32.to_le_bytes());
    put(&mut file, 64, b"PE\0\0\x64\x86\x01\0");
    // The optional header has 240 bytes; the file can be run, and takes large addresses.
    put(&mut file, 84, &[240, 0, 0x22, 0]);
    let header = 88;
    put(&mut file, header, &[0x0b, 2]);
    for (at, value) in
        [(4, 0x200), (16, 0x1000), (20, 0x1000), (32, 0x1000), (36, 0x200), (56, 0x2000), (60, 0x200), (108, 16_u32)]
    {
        put(&mut file, header + at, &value.to_le_bytes());
    }
    put(&mut file, header + 68, &[3]);
    let section = header + 240;
    put(&mut file, section, b".text");
    for (at, value) in [(8, 1), (12, 0x1000), (16, 0x200), (20, 0x200), (36, 0x6000_0020_u32)] {
        put(&mut file, section + at, &value.to_le_bytes());
    }
    file[0x200] = 0xc3;
    file
}

#[test]
fn programs_for_windows_are_signed() {
    let kinds = ["rsa-2048", "p256"];
    let Some(desk) = desk(Row::program("osslsigncode"), &kinds) else { return };
    desk.write("a.exe", program());
    for kind in kinds {
        desk.parsec(&format!("key csr {kind} --self-signed --for code-signing --cn signer --out signer.pem"));
        let sign = format!(
            "osslsigncode sign -pkcs11engine {} -pkcs11module {} -certs signer.pem -key pkcs11:token=software;object={kind};type=private",
            library("engines-3/pkcs11.so").display(),
            desk.module().display()
        );
        unasked(&mut alone(&desk, &format!("{sign} -h sha256 -in a.exe -out {kind}.exe")));
        desk.ok(&format!("osslsigncode verify -CAfile signer.pem {kind}.exe"));
        let mut changed = desk.read(format!("{kind}.exe"));
        changed[0x200] ^= 1;
        desk.write("changed.exe", changed);
        desk.run("osslsigncode verify -CAfile signer.pem changed.exe").refused();
    }
}

#[test]
fn jars_are_signed() {
    let kinds = ["rsa-2048", "p256"];
    let Some(desk) = desk(Row::program("jarsigner"), &kinds) else { return };
    desk.write("pkcs11.cfg", format!("name = parsec\nlibrary = {}\n", desk.module().display()));
    desk.ok("jar cf a.jar message");
    for kind in kinds {
        let store =
            "-keystore NONE -storetype PKCS11 -protected -providerClass sun.security.pkcs11.SunPKCS11 -providerArg pkcs11.cfg";
        unasked(&mut alone(&desk, &format!("jarsigner {store} -signedjar {kind}.jar a.jar {kind}")));
        let trust = format!("-keystore {kind}.p12 -storepass changeit");
        run(&mut desk.command(&format!("keytool -importcert -noprompt {trust} -alias {kind} -file {kind}.crt"))).ok();
        let said = desk.ok(&format!("jarsigner -verify -verbose -certs {trust} {kind}.jar {kind}"));
        assert!(said.contains("jar verified") && said.contains("CN=localhost") && said.contains("smk"), "{said}");
    }
}
