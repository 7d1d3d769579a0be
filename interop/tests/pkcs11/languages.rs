//! Libraries of other languages: Go's crypto11, Python's asyncssh and pyHanko, and the WebCrypto of Node.

use std::path::Path;

use interop::{Row, asyncssh, crypto11, pyhanko, webcrypto};
use tests::program;

use crate::{alone, desk, unasked};

const CRYPTO11: &str = "/usr/share/gocode/src/github.com/ThalesIgnite/crypto11/crypto11.go";

fn script(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pkcs11").join(name).display().to_string()
}

#[test]
fn keys_serve_tls_decrypt_and_sign_in_32_goroutines() {
    let Some(desk) = desk(Row::library("crypto11", CRYPTO11), &[]) else { return };
    let module = desk.module();
    unasked(alone(&desk, &crypto11().display().to_string()).arg(module).arg("software"));
}

#[test]
fn a_client_with_keys_in_the_token_is_let_in() {
    let python = asyncssh();
    let Some(desk) = desk(Some(Row::peer("asyncssh", &python)), &["rsa-2048", "p256", "p384", "p521"]) else { return };
    let module = desk.module();
    let said =
        unasked(alone(&desk, &format!("{} {}", python.display(), script("asyncssh_login.py"))).arg(module).arg("software"));
    let mut algorithms: Vec<_> = said.lines().collect();
    algorithms.sort_unstable();
    assert_eq!(algorithms, ["ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "rsa-sha2-256"]);
}

#[test]
fn documents_are_signed() {
    let python = pyhanko();
    let kinds = ["rsa-2048", "p256"];
    let Some(desk) = desk(Some(Row::peer("pyHanko", &python)), &kinds) else { return };
    desk.write("empty.pdf", EMPTY);
    for kind in kinds {
        desk.write(
            "pyhanko.yml",
            format!(
                "pkcs11-setups:\n  token:\n    module-path: {}\n    token-criteria: {{label: software}}\n    cert-label: {kind}\n    \
                 prompt-pin: skip\nvalidation-contexts:\n  default:\n    trust: {kind}.crt\n    trust-replace: true\n",
                desk.module().display()
            ),
        );
        let pyhanko = format!("{} --config pyhanko.yml sign", python.with_file_name("pyhanko").display());
        unasked(&mut alone(&desk, &format!("{pyhanko} addsig --field Signature pkcs11 --p11-setup token empty.pdf {kind}.pdf")));
        let said = desk.ok(&format!("{pyhanko} validate {kind}.pdf"));
        assert!(said.contains("INTACT:TRUSTED"), "{said}");
    }
}

/// A document of one page.
const EMPTY: &str = "%PDF-1.7
1 0 obj
<</Type/Catalog/Pages 2 0 R>>
endobj
2 0 obj
<</Type/Pages/Kids[3 0 R]/Count 1>>
endobj
3 0 obj
<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]/Resources<<>>>>
endobj
xref
0 4
0000000000 65535 f 
0000000009 00000 n 
0000000054 00000 n 
0000000105 00000 n 
trailer
<</Size 4/Root 1 0 R>>
startxref
184
%%EOF
";

#[test]
fn web_cryptography_has_its_keys_in_the_token() {
    let packages = webcrypto();
    if program("node").is_none() {
        return;
    }
    let row = Row::peer("node-webcrypto-p11", &packages.join("node-webcrypto-p11"));
    let Some(mut desk) = desk(Some(row), &[]) else { return };
    let module = desk.module();
    unasked(alone(&desk, &format!("node {}", script("webcrypto.js"))).arg(module).env("NODE_PATH", packages));
    desk.row.except("RSA-OAEP, which it makes of raw RSA with keys that do not name that");
}
