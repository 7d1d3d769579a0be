//! RSA keys for PSS alone, and signatures without a padding.

use interface::Opcode;

use crate::{bench::Bench, service::Service};

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
