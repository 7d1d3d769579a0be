//! Every function that OpenSSL has for keys like ours, called with one of ours and with the same in a file, by `walk.c`. What libcrypto
//! exports is the list of them: whatever is not called has a reason here, and so has each answer that differs.

use std::{collections::BTreeSet, path::Path, process::Command};

use crate::{
    KINDS,
    bench::{Bench, text},
    mistakes::OTHERS,
    service::Service,
};

/// How the names of functions for keys begin.
const FAMILIES: [&str; 4] = ["EVP_PKEY_", "OSSL_ENCODER_", "OSSL_DECODER_", "OSSL_STORE_"];

const LEGACY: &str = "sets up what programs brought of their own before there were providers";
const OTHER: &str = "of other kinds of keys";
const ASSEMBLY: &str = "puts together by hand what the functions do that are called";
const NO_KEY: &str = "asks no key";

/// The functions that are not called, by how they begin.
const LEFT_OUT: &[(&str, &str)] = &[
    ("EVP_PKEY_asn1_", LEGACY),
    ("EVP_PKEY_meth_", LEGACY),
    ("EVP_PKEY_set1_engine", LEGACY),
    ("EVP_PKEY_assign", LEGACY),
    ("EVP_PKEY_set1_RSA", LEGACY),
    ("EVP_PKEY_set1_EC_KEY", LEGACY),
    ("OSSL_STORE_LOADER_new", LEGACY),
    ("OSSL_STORE_LOADER_set_", LEGACY),
    ("OSSL_STORE_LOADER_get0_engine", LEGACY),
    ("OSSL_STORE_LOADER_get0_scheme", LEGACY),
    ("OSSL_STORE_register_loader", LEGACY),
    ("OSSL_STORE_unregister_loader", LEGACY),
    ("OSSL_STORE_do_all_loaders", LEGACY),
    ("OSSL_STORE_ctrl", LEGACY),
    ("OSSL_STORE_vctrl", LEGACY),
    ("OSSL_STORE_open", "opens as OSSL_STORE_open_ex does, in the default library context"),
    ("EVP_PKEY_CTX_hex2ctrl", "reads through NULL with every provider's keys"),
    ("EVP_PKEY_CTX_str2ctrl", "reads through NULL with every provider's keys"),
    ("EVP_PKEY_new_raw_", "makes keys as its namesake with _ex does, in the default library context"),
    ("EVP_PKEY_CTX_set_dh_", OTHER),
    ("EVP_PKEY_CTX_set0_dh_", OTHER),
    ("EVP_PKEY_CTX_get_dh_", OTHER),
    ("EVP_PKEY_CTX_get0_dh_", OTHER),
    ("EVP_PKEY_CTX_set_dhx_", OTHER),
    ("EVP_PKEY_CTX_set_dsa_", OTHER),
    ("EVP_PKEY_CTX_set_hkdf_", OTHER),
    ("EVP_PKEY_CTX_set1_hkdf_", OTHER),
    ("EVP_PKEY_CTX_add1_hkdf_", OTHER),
    ("EVP_PKEY_CTX_set_tls1_prf_", OTHER),
    ("EVP_PKEY_CTX_set1_tls1_prf_", OTHER),
    ("EVP_PKEY_CTX_add1_tls1_prf_", OTHER),
    ("EVP_PKEY_CTX_set_scrypt_", OTHER),
    ("EVP_PKEY_CTX_set1_scrypt_", OTHER),
    ("EVP_PKEY_CTX_set1_pbe_pass", OTHER),
    ("EVP_PKEY_new_mac_key", OTHER),
    ("EVP_PKEY_new_CMAC_key", OTHER),
    ("EVP_PKEY_set1_DH", OTHER),
    ("EVP_PKEY_set1_DSA", OTHER),
    ("EVP_PKEY_set_type", ASSEMBLY),
    ("EVP_PKEY_type_names_do_all", ASSEMBLY),
    ("OSSL_ENCODER_CTX_new", ASSEMBLY),
    ("OSSL_ENCODER_CTX_add_encoder", ASSEMBLY),
    ("OSSL_ENCODER_CTX_set_c", ASSEMBLY),
    ("OSSL_ENCODER_INSTANCE_", ASSEMBLY),
    ("OSSL_ENCODER_settable_ctx_params", ASSEMBLY),
    ("OSSL_DECODER_CTX_new", ASSEMBLY),
    ("OSSL_DECODER_CTX_add_decoder", ASSEMBLY),
    ("OSSL_DECODER_CTX_set_c", ASSEMBLY),
    ("OSSL_DECODER_INSTANCE_", ASSEMBLY),
    ("OSSL_DECODER_export", ASSEMBLY),
    ("OSSL_STORE_INFO_new", NO_KEY),
    ("OSSL_STORE_INFO_set0_NAME_description", NO_KEY),
    ("OSSL_STORE_SEARCH_", NO_KEY),
];

const PRIVATE: &str = "the private half stays in the service";
const TAKEN: &str = "the service gets a private half by parsec key import alone";
const FORMER: &str = "the structures of OpenSSL before 3 hold the private half";
const MORE: &str = "ours does more";
const WEAK: &str = "MD5 is too weak to sign with";
const PADDINGS: &str = "X9.31 is not done, and signing without padding only where the key's policy names it";
const ROOM: &str = "a salt that the key has no room for is refused when it is set, so that TLS takes another algorithm";
const FIXED: &str = "the form of a public point and of a curve stay as they are";
const FORMS: &str = "a curve goes by its name, a point uncompressed: no other form has to be told along";
const PROPERTIES: &str = "digests are computed here, whatever their properties";
const EXPONENT: &str = "the service makes keys of two primes, with the exponent 65537";
const UNENCRYPTED: &str = "a reference holds no secret";
const UNTYPED: &str = "OpenSSL looks for a key of PKCS#8 by its algorithm, and has none of that name; d2i_AutoPrivateKey and d2i_PrivateKey try all decoders";
const WHOLE: &str = "the service has no key encapsulation with RSA";
const EAGER: &str = "a curve that there is not is refused when it is named";
const QUIRK: &str = "the default provider takes bytes for text and for a number";
const SEARCH: &str = "a URI names a key: there is nothing to search for";

/// The answers that differ, by how their lines begin.
const DIFFERENT: &[(&str, &str)] = &[
    ("parameters EVP_PKEY_gettable_params:", PRIVATE),
    ("parameters EVP_PKEY_get_bn_param d:", PRIVATE),
    ("parameters EVP_PKEY_get_bn_param priv:", PRIVATE),
    ("parameters EVP_PKEY_get_bn_param rsa-", PRIVATE),
    ("parameters EVP_PKEY_get_octet_string_param priv:", PRIVATE),
    ("parameters EVP_PKEY_get_params d:", PRIVATE),
    ("parameters EVP_PKEY_get_params priv:", PRIVATE),
    ("parameters EVP_PKEY_get_params rsa-", PRIVATE),
    ("parameters EVP_PKEY_get_bn_param encoded-pub-key:", QUIRK),
    ("parameters EVP_PKEY_get_utf8_string_param encoded-pub-key:", QUIRK),
    ("getters EVP_PKEY_get_raw_private_key:", PRIVATE),
    ("legacy EVP_PKEY_get", FORMER),
    ("data EVP_PKEY_export pair:", PRIVATE),
    ("data EVP_PKEY_todata pair:", PRIVATE),
    ("data EVP_PKEY_todata parameters: group", FORMS),
    ("data EVP_PKEY_todata domain: group", FORMS),
    ("data EVP_PKEY_todata public: group", FORMS),
    ("data EVP_PKEY_fromdata pair:", TAKEN),
    ("data EVP_PKEY_fromdata parameters:", "a key of nothing is none"),
    ("set EVP_PKEY_settable_params:", PROPERTIES),
    ("set EVP_PKEY_set_", FIXED),
    ("raw EVP_PKEY_new_raw_private_key_ex:", TAKEN),
    ("signature settings EVP_PKEY_CTX_settable_params sign:", PROPERTIES),
    ("signature settings EVP_PKEY_CTX_ctrl_str sign: digest:MD5", WEAK),
    ("signature settings EVP_PKEY_CTX_get_params digest: 1 SHA3-256 | 1 MD5", WEAK),
    ("signature settings EVP_PKEY_CTX_get_signature_md: 1 SHA3-256 | 1 MD5", WEAK),
    ("signature settings EVP_PKEY_CTX_set_params: 0 | 1", WEAK),
    ("signature settings EVP_PKEY_CTX_set_rsa_padding sign: 3", PADDINGS),
    ("signature settings EVP_PKEY_CTX_get_rsa_padding:", PADDINGS),
    ("signature settings EVP_PKEY_CTX_get_params pad-mode:", PADDINGS),
    ("signature settings EVP_PKEY_CTX_set_signature_md: 1 | 0", PADDINGS),
    ("signature settings EVP_PKEY_CTX_get_signature_md: 1 SHA384 | 0", PADDINGS),
    ("signature settings EVP_PKEY_CTX_get_params digest: 1 SHA384 | 1", PADDINGS),
    ("signature settings EVP_PKEY_CTX_get_rsa_mgf1_md", PADDINGS),
    ("signature settings EVP_PKEY_CTX_set_rsa_pss_saltlen: -4 1 | -4 0", MORE),
    ("signature settings EVP_PKEY_CTX_set_rsa_pss_saltlen:", ROOM),
    ("signature settings EVP_PKEY_CTX_get_rsa_pss_saltlen:", ROOM),
    ("signature settings EVP_PKEY_CTX_get_params saltlen:", ROOM),
    ("encryption EVP_PKEY_CTX_settable_params decrypt:", PROPERTIES),
    ("encryption EVP_PKEY_CTX_set_rsa_padding decrypt: 5", PADDINGS),
    ("encryption EVP_PKEY_CTX_get_rsa_padding:", PADDINGS),
    ("encryption EVP_PKEY_encrypt: 1 256 | 0 0", PADDINGS),
    ("encryption EVP_PKEY_encrypt_old:", FORMER),
    ("encryption EVP_PKEY_decrypt_old:", FORMER),
    ("encapsulation ", WHOLE),
    ("derivation EVP_PKEY_CTX_settable_params derive:", PROPERTIES),
    ("generation EVP_PKEY_CTX_set_group_name: none", EAGER),
    ("generation EVP_PKEY_CTX_set_ec_param_enc explicit:", FIXED),
    ("generation EVP_PKEY_CTX_set_rsa_keygen_primes: 3", EXPONENT),
    ("generation EVP_PKEY_CTX_set1_rsa_keygen_pubexp: 3", EXPONENT),
    ("written OSSL_ENCODER_to_data pair PEM type-specific:", MORE),
    ("written OSSL_ENCODER_to_data pair DER type-specific:", MORE),
    ("written OSSL_ENCODER_to_data pair DER any: read again 0 0", UNTYPED),
    ("written OSSL_ENCODER_to_data pair DER PrivateKeyInfo: read again 0 0", UNTYPED),
    ("written OSSL_ENCODER_to_data pair DER pkcs1:", PRIVATE),
    ("written OSSL_ENCODER_to_data pair PEM pkcs1:", PRIVATE),
    ("written OSSL_ENCODER_to_data pair PEM any: read again 1 1 | read again 0 0", MORE),
    ("written OSSL_ENCODER_to_data public PEM any: read again 1 1 | read again 0 0", MORE),
    ("written as ever PEM_write_bio_PrivateKey_traditional:", FORMER),
    ("encoder settings OSSL_ENCODER_CTX_set_cipher:", UNENCRYPTED),
    ("stored OSSL_STORE_supports_search:", SEARCH),
    ("stored OSSL_STORE_find:", SEARCH),
    ("stored OSSL_STORE_eof:", "a URI of one key is at its end after that"),
];

/// A key that permits PSS with these digests and no shorter salt.
const RESTRICTED: (&str, &str, &str) = (
    "restricted",
    "RSA-PSS",
    "rsa_keygen_bits:2048 -pkeyopt rsa_pss_keygen_md:sha384 -pkeyopt rsa_pss_keygen_mgf1_md:sha256 -pkeyopt rsa_pss_keygen_saltlen:20",
);

/// The symbols that a library exports.
fn exported(library: &Path) -> BTreeSet<String> {
    let output = Command::new("nm").args(["-D", "--defined-only"]).arg(library).output().expect("nm: apt-get install binutils");
    let symbols = text(&output);
    let names = symbols.lines().filter_map(|line| line.split_whitespace().nth(2)).filter_map(|symbol| symbol.split('@').next());
    names.map(str::to_owned).collect()
}

/// The library that a program gets.
fn libcrypto(program: &Path) -> String {
    let output = text(&Command::new("ldd").arg(program).output().unwrap());
    let line = output.lines().find(|line| line.contains("libcrypto.so")).unwrap();
    line.split_whitespace().nth(2).unwrap().to_owned()
}

#[test]
fn no_function_for_keys_is_left_out_without_a_reason() {
    let bench = Bench::new();
    let library = libcrypto(&bench.compile("walk"));
    let sources =
        [include_str!("walk_keys.h"), include_str!("walk_contexts.h"), include_str!("walk_files.h"), include_str!("walk.c")];
    let called: BTreeSet<_> =
        sources.iter().flat_map(|source| source.split(|c: char| !c.is_alphanumeric() && c != '_')).collect();
    let symbols = exported(Path::new(&library));
    let family = |symbol: &&String| FAMILIES.iter().any(|family| symbol.starts_with(family));
    let left: Vec<_> = symbols.iter().filter(family).filter(|symbol| !called.contains(symbol.as_str())).collect();
    assert!(symbols.iter().filter(family).count() > 400);
    for symbol in &left {
        let reason = LEFT_OUT.iter().find(|(begin, _)| symbol.starts_with(begin));
        assert!(reason.is_some(), "walk.c calls no {symbol}: have it called, or say here why not");
    }
    for (begin, _) in LEFT_OUT {
        assert!(left.iter().any(|symbol| symbol.starts_with(begin)), "{begin} leaves nothing out");
    }
}

#[test]
fn keys_answer_every_function_as_those_in_files_do() {
    let bench = Bench::new();
    let _service = Service::start(&bench);
    let program = bench.compile("walk");
    let mut met = BTreeSet::new();
    let mut unknown = Vec::new();
    for (key, algorithm, option) in KINDS.into_iter().chain(OTHERS).chain([RESTRICTED]) {
        bench.key(key, algorithm, option);
        let arguments = ["openssl.cnf".to_owned(), format!("{key}.pem"), format!("parsec:object={key}"), format!("{key}.key")];
        let mut command = Command::new(&program);
        command.args(arguments).current_dir(bench.path("")).env("OPENSSL_CONF", "/dev/null");
        let output = command.output().unwrap();
        assert!(output.status.success(), "{key}: {}\n{}", output.status, text(&output));
        for line in text(&output).lines() {
            match DIFFERENT.iter().find(|(begin, _)| line.starts_with(begin)) {
                Some((begin, _)) => drop(met.insert(*begin)),
                None => unknown.push(format!("{key}: {line}")),
            }
        }
    }
    assert!(unknown.is_empty(), "what differs from a key in a file, without a reason:\n{}", unknown.join("\n"));
    let stale: Vec<_> = DIFFERENT.iter().map(|(begin, _)| begin).filter(|begin| !met.contains(*begin)).collect();
    assert!(stale.is_empty(), "what does not differ: {stale:?}");
}
