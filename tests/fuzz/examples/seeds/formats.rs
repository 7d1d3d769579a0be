//! Keys and certificates that the `openssl` program writes, and references to keys.

use crate::seed;
use interface::ProviderId;
use interface::pem::blocks;
use interface::reference::{KeyUri, Reference};
use std::io::Write;
use std::process::{Command, Stdio};

/// What `openssl` writes that is given this input.
fn openssl(arguments: &str, input: &[u8]) -> Vec<u8> {
    let mut command = Command::new("openssl");
    let command = command.args(arguments.split(' ')).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "openssl {arguments}");
    output.stdout
}

pub(crate) fn write() {
    let dsa = openssl("genpkey -genparam -algorithm DSA -pkeyopt pbits:1024 -pkeyopt qbits:160", &[]);
    let dh = openssl("genpkey -genparam -algorithm DH -pkeyopt dh_paramgen_prime_len:512", &[]);
    seed("formats", "dsa.pem", openssl("genpkey -paramfile /dev/stdin", &dsa));
    for (name, arguments, input) in [
        ("rsa", "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024", &[][..]),
        ("pss", "genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:1024 -pkeyopt rsa_pss_keygen_md:sha256", &[]),
        ("p256", "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256", &[]),
        ("p521", "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-521", &[]),
        ("ed25519", "genpkey -algorithm ED25519", &[]),
        ("ed448", "genpkey -algorithm ED448", &[]),
        ("x25519", "genpkey -algorithm X25519", &[]),
        ("dsa", "genpkey -paramfile /dev/stdin", &dsa),
        ("dh", "genpkey -paramfile /dev/stdin", &dh),
    ] {
        let key = openssl(arguments, input);
        seed("formats", &format!("{name}.pkcs8"), openssl("pkcs8 -topk8 -nocrypt -outform DER", &key));
        let spki = openssl("pkey -pubout -outform DER", &key);
        seed("formats", &format!("{name}.spki"), &spki);
        match name {
            "rsa" => {
                seed("formats", "rsa.pkcs1", openssl("rsa -traditional -outform DER", &key));
            }
            "p256" => {
                seed("formats", "p256.sec1", openssl("ec -outform DER", &key));
                seed("formats", "p256.certificate", openssl("req -x509 -new -key /dev/stdin -subj /CN=web -outform DER", &key));
                references(spki);
            }
            _ => {}
        }
    }
    seed("formats", "signature.ecdsa", b"\x30\x08\x02\x03\0\x80\x03\x02\x01\x07");
}

fn references(spki: Vec<u8>) {
    let uri = KeyUri { name: Some("my web".to_owned()), owner: Some("uid:0".to_owned()), provider: Some(ProviderId::TPM) };
    let reference = Reference { uri, spki: Some(spki) };
    seed("formats", "reference.uri", reference.uri.to_string());
    let pem = reference.to_pem().unwrap();
    seed("formats", "reference.der", &*blocks(pem.as_bytes()).next().unwrap().der().unwrap());
    seed("formats", "reference.pem", pem);
    seed("formats", "reference.pkcs8", reference.to_pkcs8().unwrap());
}
