//! Asks OpenSSL's own headers, through the C compiler, whether our declarations are right.

use std::{
    ffi::c_int,
    fmt::Write,
    mem::{offset_of, size_of},
    path::PathBuf,
    process::Command,
};

use super::{Algorithm, CONSTANTS, Dispatch, FUNCTIONS, NAMES, Param, newer};

/// The C of a Rust type of `functions!`.
fn c_type(rust: &str) -> &'static str {
    match rust {
        "()" => "void",
        "c_int" => "int",
        "c_long" => "long",
        "u32" => "uint32_t",
        "usize" => "size_t",
        "*mut c_void" => "void *",
        "*const c_void" => "const void *",
        "*mut c_char" => "char *",
        "*const c_char" => "const char *",
        "*mut *const c_char" => "const char **",
        "*mut u8" => "unsigned char *",
        "*const u8" => "const unsigned char *",
        "*mut usize" => "size_t *",
        "*mut c_int" => "int *",
        "*const Handle" => "const OSSL_CORE_HANDLE *",
        "*mut Bio" => "OSSL_CORE_BIO *",
        "*mut Param" => "OSSL_PARAM *",
        "*const Param" => "const OSSL_PARAM *",
        "*const Algorithm" => "const OSSL_ALGORITHM *",
        "VaList" => "va_list",
        "Callback" => "OSSL_CALLBACK *",
        "PassphraseCallback" => "OSSL_PASSPHRASE_CALLBACK *",
        other => panic!("no C type for {other}"),
    }
}

/// The name of a function's type: `OSSL_FUNC_KEYMGMT_NEW` is of `OSSL_FUNC_keymgmt_new_fn`.
fn c_name(id: &str) -> String {
    let name = id.strip_prefix("OSSL_FUNC_").unwrap();
    match name.strip_prefix("BIO_") {
        Some(name) => format!("OSSL_FUNC_BIO_{}_fn", name.to_lowercase()),
        None => format!("OSSL_FUNC_{}_fn", name.to_lowercase()),
    }
}

/// What is claimed of functions.
fn functions(functions: &[(&str, c_int, &[&str], &str)]) -> Vec<String> {
    let claims = functions.iter().flat_map(|(name, id, arguments, result)| {
        let arguments: Vec<_> = arguments.iter().map(|rust| c_type(rust)).collect();
        let arguments = if arguments.is_empty() { "void".to_owned() } else { arguments.join(", ") };
        let function = format!("{}({arguments})", c_type(result));
        [format!("{name} == {id}"), format!("__builtin_types_compatible_p({}, {function})", c_name(name))]
    });
    claims.collect()
}

fn program() -> String {
    let mut c = String::from(
        "#include <stddef.h>\n#include <string.h>\n#include <openssl/bio.h>\n#include <openssl/core_dispatch.h>\n#include <openssl/core_names.h>\n\
         #include <openssl/core_object.h>\n#include <openssl/prov_ssl.h>\n#include <openssl/rsa.h>\n#include <openssl/store.h>\n",
    );
    let mut check = |condition: String| writeln!(c, "_Static_assert({condition}, \"\");").unwrap();
    for (name, value) in CONSTANTS {
        check(format!("{name} == {value}"));
    }
    for (name, value) in NAMES {
        let value = value.to_str().unwrap();
        check(format!("__builtin_strcmp({name}, \"{value}\") == 0"));
    }
    functions(FUNCTIONS).into_iter().for_each(&mut check);
    macro_rules! same_layout {
        ($c:literal $rust:ty { $($field:ident $c_field:literal)* }) => {
            check(format!("sizeof({}) == {}", $c, size_of::<$rust>()));
            $(check(format!("offsetof({}, {}) == {}", $c, $c_field, offset_of!($rust, $field)));)*
        };
    }
    same_layout!("OSSL_DISPATCH" Dispatch { id "function_id" function "function" });
    same_layout!("OSSL_ALGORITHM" Algorithm {
        names "algorithm_names" properties "property_definition" implementation "implementation"
        description "algorithm_description"
    });
    same_layout!("OSSL_PARAM" Param {
        key "key" data_type "data_type" data "data" data_size "data_size" return_size "return_size"
    });
    c
}

/// Has the C compiler look at a program.
fn compile(program: &str, options: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("check.c");
    std::fs::write(&source, program).unwrap();
    let compiled = Command::new("cc").args(["-fsyntax-only", "-Wall"]).args(options).arg(&source).output();
    let compiled = compiled.expect("a C compiler and libssl-dev: apt-get install gcc libssl-dev");
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
}

#[test]
fn declarations_are_those_of_the_headers() {
    compile(&program(), &[]);
}

/// The sources of a newer OpenSSL, in the crate openssl-src, where cargo has fetched it.
fn newer_sources() -> Option<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")))?;
    let registries = std::fs::read_dir(home.join("registry/src")).ok()?;
    let crates = registries.flatten().filter_map(|registry| std::fs::read_dir(registry.path()).ok()).flatten().flatten();
    let newer = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("openssl-src-300.5."));
    crates.map(|folder| folder.path()).find(newer).map(|path| path.join("openssl"))
}

#[test]
fn declarations_of_what_is_newer_are_those_of_newer_headers() {
    let Some(sources) = newer_sources() else {
        return eprintln!("skipped: the crate openssl-src 300.5 is not there; interop/peers fetches it");
    };
    let mut c = String::from("#include <openssl/core_dispatch.h>\n");
    for claim in functions(newer::FUNCTIONS) {
        writeln!(c, "_Static_assert({claim}, \"\");").unwrap();
    }
    compile(&c, &["-I", sources.join("include").to_str().unwrap()]);
    let names = std::fs::read_to_string(sources.join("util/perl/OpenSSL/paramnames.pm")).unwrap();
    for (name, value) in newer::NAMES {
        let (name, value) = (name.strip_prefix("OSSL_").unwrap(), value.to_str().unwrap());
        let line = names.lines().find(|line| line.trim_start().starts_with(&format!("'{name}'"))).unwrap();
        assert!(line.contains(&format!("\"{value}\"")), "{line}");
    }
}
