//! The binary interface: a C program compiled against the published headers agrees with the module about every structure, constant and
//! place in the function lists; and the library shows the world no more than it must.

use std::collections::{BTreeSet, HashSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cryptoki_sys::CKF_INTERFACE_FORK_SAFE;
use tests::{built, program, run};

use crate::bindings::Bindings;

/// A header, where the compiler finds it, and the versions of the function list that it has.
struct Header {
    include: &'static str,
    path: PathBuf,
    lists: &'static [(u8, u8, &'static str, &'static str)],
}

/// The public-domain header of 3.2, from which the bindings were made, and p11-kit's, which was written independently of it.
fn headers(bindings: &Bindings) -> [Header; 2] {
    [
        Header {
            include: "<pkcs11.h>",
            path: bindings.dir.join("vendor"),
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

/// Return codes that p11-kit 0.24 numbers otherwise than the standard.
const DISPUTED: [&str; 5] = [
    "CKR_EXCEEDED_MAX_ITERATIONS",
    "CKR_FIPS_SELF_TEST_FAILED",
    "CKR_LIBRARY_LOAD_FAILED",
    "CKR_PIN_TOO_WEAK",
    "CKR_PUBLIC_KEY_INVALID",
];

/// What the bindings, and with them the module, believe, as assertions for the C compiler. What a header does not have at all, it cannot
/// contradict.
fn facts(bindings: &Bindings, header: &str) -> String {
    let words: HashSet<_> = header.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let mut facts = String::new();
    let mut assert = |fact: &str| writeln!(facts, "_Static_assert({fact}, \"{fact}\");").unwrap();
    for (name, size) in bindings.sizes().filter(|(name, _)| words.contains(name)) {
        assert(&format!("sizeof({name}) == {size}"));
    }
    for (field, offset) in bindings.offsets() {
        let (name, field) = field.split_once("::").unwrap();
        let field = field.trim_end_matches('_');
        if words.contains(name) && words.contains(field) {
            assert(&format!("offsetof({name}, {field}) == {offset}"));
        }
    }
    for (name, value) in bindings.constants("CK").filter(|(name, _)| !DISPUTED.contains(name)) {
        writeln!(facts, "#ifdef {name}\n_Static_assert({name} == {value}UL, \"{name}\");\n#endif").unwrap();
    }
    for (name, list) in [("V2_40", "CK_FUNCTION_LIST"), ("V3_0", "CK_FUNCTION_LIST_3_0"), ("V3_2", "CK_FUNCTION_LIST_3_2")] {
        let calls: Vec<_> = bindings.names(list).map(|name| format!("X({name})")).collect();
        writeln!(facts, "#define {name}(X) {}", calls.join(" ")).unwrap();
    }
    facts
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
    let bindings = Bindings::read();
    call_beside(&other_module(&bindings, dir.path()), &bindings);
}

#[test]
fn beside_softhsm_the_functions_of_either_are_its_own() {
    if program("softhsm2-util").is_some() {
        call_beside("/usr/lib/softhsm/libsofthsm2.so".as_ref(), &Bindings::read());
    }
}

/// Calls all functions of all lists, beside another module that shows its own to all.
fn call_beside(other: &Path, bindings: &Bindings) {
    let dir = tempfile::tempdir().unwrap();
    for header in headers(bindings) {
        let facts = facts(bindings, &text(&header));
        assert!(facts.lines().count() > 500, "the bindings are read as they should be");
        fs::write(dir.path().join("facts.h"), facts).unwrap();
        for (major, minor, list, functions) in header.lists {
            let program = dir.path().join("abi");
            let mut cc = Command::new("cc");
            cc.args(["-Wall", "-Werror", "-o"]).arg(&program).arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/edge/abi.c"));
            cc.arg("-I").arg(dir.path()).arg("-I").arg(&header.path);
            cc.args([format!("-DHEADER={}", header.include), format!("-DLIST={list}"), format!("-DFUNCTIONS={functions}")]);
            run(cc.args([format!("-DMAJOR={major}"), format!("-DMINOR={minor}"), "-ldl".to_owned()])).ok();
            for (flags, order) in
                [(0, "before"), (0, "after"), (CKF_INTERFACE_FORK_SAFE, "before"), (CKF_INTERFACE_FORK_SAFE, "after")]
            {
                let trace = dir.path().join("trace");
                let mut call = Command::new(&program);
                call.arg(built("libparsec_pkcs11.so")).arg(flags.to_string()).arg(other).arg(order);
                call.env("PARSEC_PKCS11_TRACE", &trace);
                let called = run(&mut call).ok();
                check_calls(&called, &fs::read_to_string(&trace).unwrap());
                fs::remove_file(&trace).unwrap();
            }
        }
    }
}

/// What the functions of [`other_module`] return.
const OTHER: &str = "4711";

/// A library that exports every function of the standard, as other modules do.
fn other_module(bindings: &Bindings, dir: &Path) -> PathBuf {
    let (source, library) = (dir.join("other.c"), dir.join("other.so"));
    let functions: String =
        bindings.names("CK_FUNCTION_LIST_3_2").map(|name| format!("long {name}(void) {{ return {OTHER}; }}\n")).collect();
    fs::write(&source, functions).unwrap();
    run(Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(source)).ok();
    library
}

/// What the header calls a function, the module calls it too.
fn check_calls(called: &str, trace: &str) {
    let reached = trace.lines().filter_map(|line| line.split_once(' ')?.1.split_once('('));
    let mut reached = reached.map(|(name, _)| name).skip_while(|name| *name != "C_Initialize");
    for line in called.lines() {
        let (name, code) = line.split_once(' ').unwrap();
        let reached = reached.next().unwrap();
        assert_eq!(reached, name);
        assert_ne!(code, OTHER, "{name}");
    }
    assert!(called.lines().count() >= 68);
}

#[test]
fn the_library_exports_every_function_of_the_standard_and_needs_only_the_c_library() {
    let library = built("libparsec_pkcs11.so");
    let exported = run(Command::new("nm").args(["--dynamic", "--defined-only", "--format=just-symbols"]).arg(&library)).ok();
    let bindings = Bindings::read();
    let names: BTreeSet<_> = bindings.names("CK_FUNCTION_LIST_3_2").collect();
    assert_eq!(exported.lines().collect::<BTreeSet<_>>(), names);
    let dynamic = run(Command::new("readelf").arg("--dynamic").arg(&library)).ok();
    let needed = dynamic.lines().filter(|line| line.contains("(NEEDED)")).filter_map(|line| line.split(['[', ']']).nth(1));
    for name in needed {
        let ours = ["libc.so", "libgcc_s.so", "ld-linux", "libm.so", "libpthread.so", "libdl.so"];
        assert!(ours.iter().any(|prefix| name.starts_with(prefix)), "{name}");
    }
}
