//! Messages that are signed, encrypted and decrypted, and secrets that are agreed on.

use interface::algorithm::Agreement;
use interface::attributes::{EccFamily, KeyType, Policy, Usage};
use interop::has;
use tests::run;

use crate::desk::{Desk, Openssl};

pub(crate) fn signed_messages_verify_elsewhere(openssl: Openssl) {
    let Some(desk) = Desk::new(openssl) else { return };
    desk.each(|desk, kind, key| {
        // OpenSSL 3.0 has no Ed25519 in CMS
        if kind == "ed25519" {
            return;
        }
        desk.ok(&format!("req -x509 -key {key} -subj /CN=a -out signer.crt"));
        for command in ["cms", "smime"] {
            desk.ok(&format!("{command} -sign -nodetach -in message -text -signer signer.crt -inkey {key} -out signed"));
            let content = desk.openssl(&format!("{command} -verify -in signed -text -CAfile signer.crt"));
            assert_eq!(content, "hello");
        }
    });
}

pub(crate) fn what_others_encrypt_is_decrypted(openssl: Openssl) {
    let Some(desk) = Desk::new(openssl) else { return };
    desk.vault();
    let oaep = "-pkeyopt rsa_padding_mode:oaep";
    let sha256 = format!("{oaep} -pkeyopt rsa_oaep_md:sha256");
    for options in [
        "-pkeyopt rsa_padding_mode:pkcs1".to_owned(),
        format!("{sha256} -pkeyopt rsa_oaep_label:0102"),
        // what Java encrypts with, unless it is told more
        format!("{sha256} -pkeyopt rsa_mgf1_md:sha1"),
        format!("{sha256} -pkeyopt rsa_mgf1_md:sha512"),
    ] {
        desk.openssl(&format!("pkeyutl -encrypt -pubin -inkey vault.pub {options} -in message -out ciphertext"));
        for key in ["vault.pem", "parsec:object=vault"] {
            let decrypt = format!("pkeyutl -decrypt -inkey {key} {options} -in ciphertext");
            assert_eq!(desk.ok(&decrypt), "hello", "{options}");
        }
    }
    for command in ["cms", "smime"] {
        desk.openssl(&format!("{command} -encrypt -aes-256-cbc -text -in message -out encrypted vault.crt"));
        let decrypt = format!("{command} -decrypt -text -in encrypted -recip vault.crt -inkey vault.pem");
        assert_eq!(desk.ok(&decrypt), "hello");
    }
    // SHA-1, which nobody named, is not in the policy
    let said = run(&mut desk.ours(&format!("pkeyutl -decrypt -inkey vault.pem {oaep} -in ciphertext"))).refused();
    assert!(said.contains("Sha1"), "{said}");
}

pub(crate) fn secrets_are_agreed_on_with_others(openssl: Openssl) {
    let Some(desk) = Desk::new(openssl) else { return };
    let kinds = [
        (EccFamily::SecpR1, 256, "EC -pkeyopt ec_paramgen_curve:P-256"),
        (EccFamily::SecpR1, 521, "EC -pkeyopt ec_paramgen_curve:P-521"),
        (EccFamily::Montgomery, 255, "X25519"),
    ];
    for (family, bits, other) in kinds {
        if family == EccFamily::Montgomery && !has(&desk.service, "x25519") {
            continue;
        }
        let name = format!("agree-{bits}");
        let policy = Policy { usage: Usage::DERIVE | Usage::SIGN, algorithm: Agreement::Ecdh.into(), also: vec![] };
        desk.generate(&name, KeyType::EccKeyPair(family), bits, policy);
        desk.openssl(&format!("genpkey -algorithm {other} -out other.key"));
        desk.openssl("pkey -in other.key -pubout -out other.pub");
        desk.openssl(&format!("pkeyutl -derive -inkey other.key -peerkey {name}.pub -out expected"));
        for key in [format!("{name}.pem"), format!("parsec:object={name}")] {
            desk.ok(&format!("pkeyutl -derive -inkey {key} -peerkey other.pub -out secret"));
            assert_eq!(desk.read("secret"), desk.read("expected"), "{name}");
        }
    }
    // a key that signs only
    desk.openssl("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out other.key");
    desk.openssl("pkey -in other.key -pubout -out other.pub");
    let derive = "pkeyutl -derive -inkey p256.pem -peerkey other.pub";
    let said = run(&mut desk.ours(derive)).refused();
    assert!(said.contains("not for derive"), "{said}");
}

pub(crate) fn messages_to_a_certificate_are_decrypted_by_agreeing_on_a_secret(openssl: Openssl) {
    let Some(desk) = Desk::new(openssl) else { return };
    desk.mail();
    desk.openssl("cms -encrypt -aes256 -text -in message -out encrypted -recip mail.crt -keyopt ecdh_kdf_md:sha256");
    for key in ["mail.pem", "parsec:object=mail"] {
        let decrypt = format!("cms -decrypt -text -in encrypted -recip mail.crt -inkey {key}");
        assert_eq!(desk.ok(&decrypt), "hello");
    }
}

pub(crate) fn each_of_several_recipients_decrypts_a_message(openssl: Openssl) {
    let Some(desk) = Desk::new(openssl) else { return };
    desk.vault();
    desk.mail();
    desk.openssl("req -x509 -newkey rsa:2048 -nodes -keyout other.pem -subj /CN=other -out other.crt");
    desk.openssl("cms -encrypt -aes256 -text -in message -out encrypted other.crt vault.crt mail.crt");
    for recipient in ["vault", "mail", "other"] {
        let decrypt = format!("cms -decrypt -text -in encrypted -recip {recipient}.crt -inkey {recipient}.pem");
        assert_eq!(desk.ok(&decrypt), "hello");
    }
    // and nobody has to say which of them is meant
    assert_eq!(desk.ok("cms -decrypt -text -in encrypted -inkey vault.pem"), "hello");
    let stranger = "cms -decrypt -text -in encrypted -recip mail.crt -inkey p384.pem";
    run(&mut desk.ours(stranger)).refused();
}
