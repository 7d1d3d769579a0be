//! The binary interface: a C program compiled against the published headers agrees with the module about every structure, constant and
//! place in the function lists; and the library shows the world no more than it must.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tests::{built, run};

/// A header, where the compiler finds it, and the versions of the function list that it has.
struct Header {
    include: &'static str,
    path: PathBuf,
    lists: &'static [(u8, u8, &'static str, &'static str)],
}

/// The public-domain header of 3.2, from which the bindings were made, and p11-kit's, which was written independently of it.
fn headers(bindings: &Path) -> [Header; 2] {
    [
        Header {
            include: "<pkcs11.h>",
            path: bindings.join("vendor"),
            lists: &[
                (3, 2, "CK_FUNCTION_LIST_3_2", "V3_2"),
                (3, 1, "CK_FUNCTION_LIST_3_0", "V3_0"),
                (3, 0, "CK_FUNCTION_LIST_3_0", "V3_0"),
                (2, 40, "CK_FUNCTION_LIST", "V2_40"),
            ],
        },
        Header {
            include: "<p11-kit/pkcs11.h>",
            path: "/usr/include/p11-kit-1".into(),
            lists: &[(2, 40, "CK_FUNCTION_LIST", "V2_40")],
        },
    ]
}

/// Where cargo keeps the source of the bindings, `cryptoki-sys`.
fn bindings() -> PathBuf {
    let mut metadata = Command::new(env!("CARGO"));
    metadata.args(["metadata", "--format-version=1", "--locked", "--filter-platform", &target(), "--manifest-path"]);
    let metadata = run(metadata.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))).ok();
    let metadata: serde_json::Value = serde_json::from_str(&metadata).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let bindings = packages.iter().find(|package| package["name"] == "cryptoki-sys").unwrap();
    Path::new(bindings["manifest_path"].as_str().unwrap()).with_file_name("")
}

fn target() -> String {
    format!("{}-unknown-linux-gnu", std::env::consts::ARCH)
}

/// Return codes that p11-kit 0.24 numbers otherwise than the standard.
const DISPUTED: [&str; 5] =
    ["R_EXCEEDED_MAX_ITERATIONS", "R_FIPS_SELF_TEST_FAILED", "R_LIBRARY_LOAD_FAILED", "R_PIN_TOO_WEAK", "R_PUBLIC_KEY_INVALID"];

/// What the bindings, and with them the module, believe, as assertions for the C compiler. Their numbers for structures are checked by
/// the Rust compiler where they stand. What a header does not have at all, it cannot contradict.
fn facts(bindings: &str, header: &str) -> String {
    let mut facts = String::new();
    let words: HashSet<_> = header.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let known = |name: &str| words.contains(name);
    for statement in bindings.split(';') {
        let number = |text: &str| text.rsplit("- ").next()?.strip_suffix("usize]")?.parse::<usize>().ok();
        if let Some((_, size)) = statement.split_once("[\"Size of ") {
            let (name, rest) = size.split_once('"').unwrap();
            if known(name) {
                writeln!(facts, "_Static_assert(sizeof({name}) == {}, \"{name}\");", number(rest).unwrap()).unwrap();
            }
        } else if let Some((_, offset)) = statement.split_once("[\"Offset of field: ") {
            let (field, rest) = offset.split_once('"').unwrap();
            let (name, field) = field.split_once("::").unwrap();
            let field = field.trim_end_matches('_');
            if known(name) && known(field) {
                let offset = number(rest).unwrap();
                writeln!(facts, "_Static_assert(offsetof({name}, {field}) == {offset}, \"{name}.{field}\");").unwrap();
            }
        } else if let Some((_, constant)) = statement.split_once("pub const CK")
            && let Some((name, value)) = constant.split_once(": ")
            && let Some((_, value)) = value.split_once(" = ")
            && value.parse::<u64>().is_ok()
            && !DISPUTED.contains(&name)
        {
            writeln!(facts, "#ifdef CK{name}\n_Static_assert(CK{name} == {value}UL, \"CK{name}\");\n#endif").unwrap();
        }
    }
    facts
}

/// The functions of each list in their order, as macros that C can go through.
fn functions(bindings: &str) -> String {
    let lists = [("V2_40", "CK_FUNCTION_LIST"), ("V3_0", "CK_FUNCTION_LIST_3_0"), ("V3_2", "CK_FUNCTION_LIST_3_2")];
    let mut macros = String::new();
    for (name, list) in lists {
        let (_, fields) = bindings.split_once(&format!("pub struct {list} {{")).unwrap();
        let (fields, _) = fields.split_once('}').unwrap();
        let functions = fields.split("pub C_").skip(1).map(|field| field.split(':').next().unwrap());
        let calls: Vec<_> = functions.map(|function| format!("X(C_{function})")).collect();
        writeln!(macros, "#define {name}(X) {}", calls.join(" ")).unwrap();
    }
    macros
}

/// All that the files of a header say.
fn text(header: &Header) -> String {
    let dir = header.path.join(header.include.rsplit_once('/').map_or("", |(dir, _)| &dir[1..]));
    let files = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.file_name().is_some_and(|name| name.to_str().unwrap().starts_with("pkcs11")));
    files.map(|path| fs::read_to_string(path).unwrap()).collect()
}

#[test]
fn structures_constants_and_function_lists_are_those_of_the_published_headers() {
    let dir = tempfile::tempdir().unwrap();
    let source = bindings();
    let rust = fs::read_to_string(source.join(format!("src/bindings/{}.rs", target()))).unwrap();
    for header in headers(&source) {
        let facts = facts(&rust, &text(&header)) + &functions(&rust);
        assert!(facts.lines().count() > 500, "the bindings are read as they should be");
        fs::write(dir.path().join("facts.h"), facts).unwrap();
        for (major, minor, list, functions) in header.lists {
            let (program, trace) = (dir.path().join("abi"), dir.path().join(format!("trace{major}{minor}{list}")));
            let mut cc = Command::new("cc");
            cc.args(["-Wall", "-Werror", "-o"]).arg(&program).arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/abi/abi.c"));
            cc.arg("-I").arg(dir.path()).arg("-I").arg(&header.path);
            cc.args([format!("-DHEADER={}", header.include), format!("-DLIST={list}"), format!("-DFUNCTIONS={functions}")]);
            run(cc.args([format!("-DMAJOR={major}"), format!("-DMINOR={minor}"), "-ldl".to_owned()])).ok();
            let mut call = Command::new(&program);
            let called = run(call.arg(built("libparsec_pkcs11.so")).env("PARSEC_PKCS11_TRACE", &trace)).ok();
            check_calls(&called, &fs::read_to_string(&trace).unwrap());
        }
    }
}

/// What the header calls a function, the module calls it too.
fn check_calls(called: &str, trace: &str) {
    let reached = trace.lines().filter_map(|line| line.split_once(' ')?.1.split_once('('));
    let mut reached = reached.map(|(name, _)| name).skip_while(|name| *name != "C_Initialize");
    for line in called.lines() {
        let (name, code) = line.split_once(' ').unwrap();
        let reached = reached.next().unwrap();
        assert!(reached == name || (reached, code) == ("unsupported", "84"), "{name} reaches {reached}");
    }
    assert!(called.lines().count() >= 68);
}

#[test]
fn the_library_exports_the_entry_points_and_needs_only_the_c_library() {
    let library = built("libparsec_pkcs11.so");
    let exported = run(Command::new("nm").args(["--dynamic", "--defined-only", "--format=just-symbols"]).arg(&library)).ok();
    assert_eq!(exported, "C_GetFunctionList\nC_GetInterface\nC_GetInterfaceList\n");
    let dynamic = run(Command::new("readelf").arg("--dynamic").arg(&library)).ok();
    let needed = dynamic.lines().filter(|line| line.contains("(NEEDED)")).filter_map(|line| line.split(['[', ']']).nth(1));
    for name in needed {
        let ours = ["libc.so", "libgcc_s.so", "ld-linux", "libm.so", "libpthread.so", "libdl.so"];
        assert!(ours.iter().any(|prefix| name.starts_with(prefix)), "{name}");
    }
}
