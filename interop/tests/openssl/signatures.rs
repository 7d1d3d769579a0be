//! Signatures, of every kind.

use std::process::Command;

use tests::run;

use crate::desk::{Desk, Openssl};

pub(crate) fn signatures_verify_elsewhere(openssl: Openssl) {
    let Some(desk) = Desk::new(openssl) else { return };
    desk.each(|desk, kind, key| {
        desk.ok(&format!("pkey -in {key} -pubout -out public.pem"));
        let public = desk.text("public.pem");
        assert_eq!(public, desk.parsec(&format!("key public {kind}")));
        if kind == "ed25519" {
            desk.ok(&format!("pkeyutl -sign -rawin -inkey {key} -in message -out signature"));
            desk.openssl("pkeyutl -verify -rawin -pubin -inkey public.pem -in message -sigfile signature");
            return;
        }
        let salted = |len| format!(" -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:{len}");
        let masked = |mgf1| format!("{} -sigopt rsa_mgf1_md:{mgf1}", salted("digest"));
        let paddings = [salted("digest"), salted("max"), salted("20"), masked("sha1"), masked("sha512")];
        let paddings = paddings.into_iter().filter(|_| kind.starts_with("rsa"));
        for padding in paddings.chain([String::new()]) {
            for hash in ["sha224", "sha256", "sha384", "sha512"] {
                desk.ok(&format!("dgst -{hash}{padding} -sign {key} -out signature message"));
                let verify = format!("dgst -{hash}{padding} -verify public.pem -signature signature");
                desk.openssl(&format!("{verify} message"));
                desk.write("other", "hullo");
                desk.run(&format!("openssl {verify} other")).refused();
            }
        }
    });
}

/// Runs `composite.c`: see there for what it does.
pub(crate) fn algorithms_with_their_digest_built_in_sign_in_every_way(openssl: Openssl) {
    let Some(desk) = Desk::new(openssl) else { return };
    let (source, root) = ("openssl/composite.c", desk.program.parent().unwrap().parent().unwrap());
    let program = desk.path("composite");
    let mut cc = Command::new("cc");
    cc.args(["-Wall", "-Werror", "-o"]).arg(&program).arg(format!("{}/tests/{source}", env!("CARGO_MANIFEST_DIR")));
    run(cc.arg("-I").arg(root.join("include")).arg(root.join("libcrypto.a")).args(["-ldl", "-lpthread"])).ok();
    for (algorithm, other, kind) in [
        ("RSA-SHA2-256", "ECDSA-SHA256", "rsa-2048"),
        ("sha256WithRSAEncryption", "ECDSA-SHA3-256", "rsa-2048"),
        ("1.2.840.10045.4.3.2", "RSA-SHA256", "p256"),
        ("ECDSA-SHA2-256", "RSA-SHA3-512", "p384"),
    ] {
        desk.parsec(&format!("key public {kind} --out {kind}.pub"));
        let mut composite = desk.service.command(&program);
        composite.env("OPENSSL_CONF", desk.service.openssl_conf());
        run(composite.args([algorithm, other, &format!("{kind}.pem"), &format!("{kind}.pub")])).ok();
    }
    let listed = desk.ok("list -signature-algorithms -provider parsec");
    assert!(listed.contains("RSA-SHA2-512/256") && listed.contains("ECDSA-SHA3-512"), "{listed}");
}

pub(crate) fn keys_of_ml_dsa_sign_requests_certificates_and_messages(openssl: Openssl) {
    let Some(desk) = Desk::with_ml_dsa(openssl) else { return };
    for (name, algorithm) in [("ml-dsa-44", "ML-DSA-44"), ("ml-dsa-65", "ML-DSA-65"), ("ml-dsa-87", "ML-DSA-87")] {
        desk.ok(&format!(
            "genpkey -propquery provider=parsec -algorithm {algorithm} -pkeyopt parsec-name:{name} -out {name}.pem"
        ));
        let public = desk.ok(&format!("pkey -in {name}.pem -pubout"));
        assert_eq!(public, desk.parsec(&format!("key public {name}")));
        desk.write("public.pem", &public);
        for key in [format!("{name}.pem"), format!("parsec:object={name}")] {
            for context in ["", " -pkeyopt context-string:web"] {
                desk.ok(&format!("pkeyutl -sign -rawin -inkey {key} -in message -out signature{context}"));
                let verify = format!("pkeyutl -verify -rawin -in message -sigfile signature{context}");
                run(&mut desk.theirs(&format!("{verify} -pubin -inkey public.pem"))).ok();
                desk.ok(&format!("{verify} -inkey {key}"));
                run(&mut desk.ours(&format!("{verify}1 -inkey {key}"))).refused();
            }
            desk.ok(&format!("req -new -key {key} -subj /CN=a -out request"));
            run(&mut desk.theirs("req -in request -verify -noout")).ok();
            desk.ok(&format!("req -x509 -key {key} -subj /CN=a -out certificate"));
            run(&mut desk.theirs("verify -CAfile certificate certificate")).ok();
        }
        for (option, why) in [("deterministic:1", "without randomness"), ("message-encoding:0", "encoded"), ("mu:1", "mu made")] {
            let sign = format!("pkeyutl -sign -rawin -inkey {name}.pem -in message -out signature -pkeyopt {option}");
            assert!(run(&mut desk.ours(&sign)).refused().contains(why), "{option}");
        }
    }
}
