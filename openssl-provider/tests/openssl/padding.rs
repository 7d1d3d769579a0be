//! Salts of PSS, digests of MGF1, RSA keys for PSS alone, and signatures without a padding.

use interface::Opcode;

use crate::{bench::Bench, service::Service};

#[test]
fn a_pss_signature_has_the_salt_that_was_asked_for() {
    let bench = Bench::new();
    let service = Service::start(&bench);
    std::fs::write(bench.path("message"), "hello").unwrap();
    bench.key("rsa", "RSA", "rsa_keygen_bits:2048");
    bench.key("pss", "RSA-PSS", "rsa_keygen_bits:2048");
    let pss = "-sha256 -sigopt rsa_padding_mode:pss";
    for (asked, len) in
        [("digest", 32), ("-1", 32), ("auto", 32), ("-2", 32), ("-4", 32), ("max", 222), ("-3", 222), ("0", 0), ("20", 20)]
    {
        for key in ["rsa", "pss"] {
            bench.ok(&format!("dgst {pss} -sigopt rsa_pss_saltlen:{asked} -sign {key}.pem -out signature message"));
            assert_eq!(service.calls(), [Opcode::SignHash], "{asked}");
            let verify = |len| format!("dgst {pss} -sigopt rsa_pss_saltlen:{len} -signature signature");
            bench.plain(&format!("{} -verify {key}.pub message", verify(len)));
            bench.ok(&format!("{} -verify {key}.pem message", verify(len)));
            bench.fails(&format!("{} -verify {key}.pem message", verify(len + 1)));
        }
        bench.ok(&format!("req -x509 -key rsa.pem -subj /CN=a {pss} -sigopt rsa_pss_saltlen:{asked} -out certificate"));
        bench.plain("verify -CAfile certificate certificate");
        let text = bench.ok("x509 -in certificate -noout -text");
        assert!(text.contains(&format!("Salt Length: 0x{len:02X}")), "{text}");
        service.calls();
    }
}

/// Every digest that our provider and OpenSSL have in common, by OpenSSL's name.
const DIGESTS: [&str; 11] =
    ["SHA1", "SHA224", "SHA256", "SHA384", "SHA512", "SHA512-224", "SHA512-256", "SHA3-224", "SHA3-256", "SHA3-384", "SHA3-512"];

#[test]
fn mgf1_has_any_digest_in_signatures() {
    let bench = Bench::new();
    let service = Service::start(&bench);
    std::fs::write(bench.path("message"), "hello").unwrap();
    // a modulus of 2041 bits has one byte more than what is signed
    for (key, algorithm, bits) in [("rsa", "RSA", 2048), ("pss", "RSA-PSS", 2048), ("odd", "RSA", 2041)] {
        bench.key(key, algorithm, &format!("rsa_keygen_bits:{bits}"));
        for mgf1 in DIGESTS {
            for (own, other) in [("sha256", "SHA384"), ("sha512", "SHA1")] {
                let pss = format!("dgst -{own} -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:20 -signature signature");
                let verify = |mgf1| format!("{pss} -sigopt rsa_mgf1_md:{mgf1}");
                bench.plain(&format!("{} -sign {key}.key message", verify(mgf1)).replace("-signature", "-out"));
                bench.ok(&format!("{} -verify {key}.pem message", verify(mgf1)));
                if mgf1 != other {
                    bench.fails(&format!("{} -verify {key}.pem message", verify(other)));
                }
                if key == "odd" {
                    continue;
                }
                bench.ok(&format!("{} -sign {key}.pem message", verify(mgf1)).replace("-signature", "-out"));
                assert_eq!(service.calls(), [Opcode::SignHash], "{mgf1}");
                bench.plain(&format!("{} -verify {key}.pub message", verify(mgf1)));
            }
        }
    }
    let pss = "-sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:20";
    for mgf1 in ["SHA1", "SHA512"] {
        let options = format!("req -x509 -subj /CN=a {pss} -sigopt rsa_mgf1_md:{mgf1} -outform der -out");
        for key in ["key", "pem"] {
            bench.ok(&format!("{options} {key}.der -set_serial 1 -key rsa.{key}"));
        }
        bench.plain("x509 -inform der -in pem.der -out certificate");
        bench.plain("verify -CAfile certificate certificate");
        let parameters = |key: &str| {
            let text = bench.ok(&format!("x509 -inform der -in {key}.der -noout -text"));
            let (_, parameters) = text.split_once("Signature Algorithm").unwrap();
            parameters.split_once("Issuer").unwrap().0.to_owned()
        };
        assert_eq!(parameters("pem"), parameters("key"));
    }
}

#[test]
fn mgf1_has_any_digest_in_ciphertexts() {
    let bench = Bench::new();
    let service = Service::start(&bench);
    std::fs::write(bench.path("message"), "hello").unwrap();
    bench.key("rsa", "RSA", "rsa_keygen_bits:2048");
    for mgf1 in DIGESTS {
        for own in ["SHA256", "SHA1", "SHA512-224"] {
            let oaep = format!("-pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:{own} -pkeyopt rsa_mgf1_md:{mgf1}");
            let oaep = format!("{oaep} -pkeyopt rsa_oaep_label:0102");
            bench.plain(&format!("pkeyutl -encrypt -pubin -inkey rsa.pub -in message -out ciphertext {oaep}"));
            assert_eq!(bench.ok(&format!("pkeyutl -decrypt -inkey rsa.pem -in ciphertext {oaep}")), "hello");
            assert_eq!(service.calls(), [Opcode::AsymmetricDecrypt], "{own} {mgf1}");
            bench.ok(&format!("pkeyutl -encrypt -inkey rsa.pem -in message -out ciphertext {oaep}"));
            assert_eq!(bench.ok(&format!("pkeyutl -decrypt -inkey rsa.key -in ciphertext {oaep}")), "hello");
        }
    }
}

#[test]
fn keys_for_pss_alone_sign_with_pss_and_nothing_else() {
    let bench = Bench::new();
    let service = Service::start(&bench);
    std::fs::write(bench.path("message"), "hello").unwrap();
    bench.key("pss", "RSA-PSS", "rsa_keygen_bits:2048");
    let public = std::fs::read_to_string(bench.path("pss.pub")).unwrap();
    let text = bench.ok("pkey -in pss.pem -noout -text");
    assert!(text.starts_with("RSA-PSS key"), "{text}");
    for key in ["pss.pem", "parsec:object=pss"] {
        assert_eq!(bench.ok(&format!("pkey -in {key} -pubout")), public);
        bench.ok(&format!("pkey -in {key} -check -noout"));
        for digest in ["sha256", "sha384", "sha512"] {
            service.calls();
            bench.ok(&format!("dgst -{digest} -sign {key} -out signature message"));
            assert_eq!(service.calls().last(), Some(&Opcode::SignHash));
            bench.plain(&format!("dgst -{digest} -verify pss.pub -signature signature message"));
            bench.ok(&format!("dgst -{digest} -verify {key} -signature signature message"));
        }
        bench.ok(&format!("req -new -key {key} -subj /CN=a -out request"));
        bench.plain("req -in request -verify -noout");
        bench.ok(&format!("req -x509 -key {key} -subj /CN=localhost -out certificate"));
        bench.plain("verify -CAfile certificate certificate");
        service.calls();
        let said = bench.fails(&format!("dgst -sha256 -sigopt rsa_padding_mode:pkcs1 -sign {key} -out signature message"));
        assert!(said.contains("PSS alone"), "{said}");
        bench.fails(&format!("pkeyutl -decrypt -inkey {key} -in signature"));
        assert!(!service.calls().contains(&Opcode::SignHash));
    }
    let identity = "-cert certificate -key pss.pem -CAfile certificate -verify_return_error";
    let server = bench.server(&format!("{identity} -Verify 1 -no_ticket"));
    for version in ["-tls1_2", "-tls1_3"] {
        service.calls();
        let only = "-sigalgs rsa_pss_pss_sha256";
        let said = bench.ok(&format!("s_client -connect {} {version} {only} {identity}", server.address));
        assert!(said.contains("Peer signature type: RSA-PSS"), "{said}");
        assert_eq!(service.calls(), [Opcode::SignHash; 2], "{version}");
    }
}

#[test]
fn a_key_signs_without_padding_where_its_policy_names_that() {
    let bench = Bench::new();
    let service = Service::start(&bench);
    std::fs::write(bench.path("block"), [7; 256]).unwrap();
    for name in ["raw", "rsa"] {
        bench.key(name, "RSA", "rsa_keygen_bits:2048");
    }
    bench.ok("rsautl -sign -raw -inkey raw.pem -in block -out signature");
    assert_eq!(service.calls(), [Opcode::LookupKey, Opcode::SignHash]);
    for key in ["-inkey raw.pem", "-pubin -inkey raw.pub"] {
        bench.ok(&format!("rsautl -verify -raw {key} -in signature -out recovered"));
        assert_eq!(std::fs::read(bench.path("recovered")).unwrap(), [7; 256]);
    }
    assert_eq!(service.calls(), []);

    let said = bench.fails("rsautl -sign -raw -inkey rsa.pem -in block -out signature");
    assert!(said.contains("does not name RsaRaw"), "{said}");
    let said = bench.fails("dgst -sha256 -sigopt rsa_padding_mode:none -sign raw.pem -out signature block");
    assert!(said.contains("digest without a padding"), "{said}");
    assert!(!service.calls().contains(&Opcode::SignHash));
}
