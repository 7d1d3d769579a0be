//! The standard as the bindings, `cryptoki-sys`, have it: their source, read by tests that go through all of it.

use std::path::{Path, PathBuf};
use std::process::Command;

use tests::run;

/// The source of the bindings.
pub(crate) struct Bindings {
    /// Where cargo keeps it.
    pub(crate) dir: PathBuf,
    text: String,
}

/// A function of the standard and the types of its arguments.
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) arguments: Vec<String>,
}

impl Bindings {
    pub(crate) fn read() -> Self {
        let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
        let mut metadata = Command::new(env!("CARGO"));
        metadata.args(["metadata", "--format-version=1", "--locked", "--filter-platform", &target, "--manifest-path"]);
        let metadata = run(metadata.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))).ok();
        let metadata: serde_json::Value = serde_json::from_str(&metadata).unwrap();
        let packages = metadata["packages"].as_array().unwrap();
        let bindings = packages.iter().find(|package| package["name"] == "cryptoki-sys").unwrap();
        let dir = Path::new(bindings["manifest_path"].as_str().unwrap()).with_file_name("");
        let text = std::fs::read_to_string(dir.join(format!("src/bindings/{target}.rs"))).unwrap();
        Self { dir, text }
    }

    /// The names of the functions in a list, in their order.
    pub(crate) fn names(&self, list: &str) -> impl Iterator<Item = &str> {
        let (_, fields) = self.text.split_once(&format!("pub struct {list} {{")).unwrap();
        let (fields, _) = fields.split_once('}').unwrap();
        fields.split("pub ").filter(|field| field.starts_with("C_")).map(|field| field.split(':').next().unwrap())
    }

    /// All functions, in the order of the newest list.
    pub(crate) fn functions(&self) -> Vec<Function> {
        let function = |name: &str| {
            let (_, declared) = self.text.split_once(&format!("pub type CK_{name} =")).unwrap();
            let (_, arguments) = declared.split_once("fn(").unwrap();
            let (arguments, _) = arguments.split_once(')').unwrap();
            let types = arguments.split(',').filter_map(|argument| Some(argument.split_once(": ")?.1.trim().to_owned()));
            Function { name: name.to_owned(), arguments: types.collect() }
        };
        self.names("CK_FUNCTION_LIST_3_2").map(function).collect()
    }

    /// The names and values of constants whose names begin so.
    pub(crate) fn constants(&self, prefix: &str) -> impl Iterator<Item = (&str, u64)> {
        self.text.split(';').filter_map(move |statement| {
            let (name, value) = statement.split_once("pub const ")?.1.split_once(": ")?;
            let value = value.split_once(" = ")?.1.parse().ok()?;
            name.starts_with(prefix).then_some((name, value))
        })
    }

    /// The names and sizes of structures, which the Rust compiler has checked.
    pub(crate) fn sizes(&self) -> impl Iterator<Item = (&str, u64)> {
        self.layout("[\"Size of ")
    }

    /// `STRUCTURE::field` and its offset, checked likewise.
    pub(crate) fn offsets(&self) -> impl Iterator<Item = (&str, u64)> {
        self.layout("[\"Offset of field: ")
    }

    fn layout(&self, of: &str) -> impl Iterator<Item = (&str, u64)> {
        self.text.split(';').filter_map(move |statement| {
            let (name, rest) = statement.split_once(of)?.1.split_once('"')?;
            Some((name, rest.rsplit("- ").next()?.strip_suffix("usize]")?.parse().ok()?))
        })
    }
}
