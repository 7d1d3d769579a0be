//! The documents, as a reader meets them: lines, and blocks between fences.

use std::path::{Path, PathBuf};

/// A page of the documents.
pub struct Page {
    /// Its path below the root of the repository.
    pub path: String,
    /// What it says.
    pub text: String,
}

/// What stands between two fences of a page.
pub struct Block<'a> {
    /// What the opening fence calls it, such as `sh`.
    pub language: &'a str,
    /// The headline that it is below.
    pub section: &'a str,
    /// The number of its first line, where the page begins with 1.
    pub line: usize,
    /// Its lines.
    pub lines: Vec<&'a str>,
    /// Whether a comment above it says that it is `not run`.
    pub excused: bool,
}

impl Page {
    /// The page with this path below the root of the repository.
    ///
    /// # Panics
    /// When it cannot be read.
    pub fn read(path: &str) -> Self {
        let text = std::fs::read_to_string(Self::root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        Self { path: path.to_owned(), text }
    }

    /// Those at the top, and the guides.
    ///
    /// # Panics
    /// When they cannot be listed.
    pub fn all() -> Vec<Self> {
        let guides =
            std::fs::read_dir(Self::root().join("service/docs")).expect("the guides").map(|entry| entry.expect("a guide"));
        let names = guides.filter_map(|entry| entry.file_name().into_string().ok()).filter(|name| name.ends_with(".md"));
        let mut guides: Vec<_> = names.map(|name| format!("service/docs/{name}")).collect();
        guides.sort();
        let top = ["README.md", "CONTRIBUTING.md", "SECURITY.md"].map(str::to_owned);
        top.iter().chain(&guides).map(|path| Self::read(path)).collect()
    }

    /// The root of the repository.
    pub fn root() -> &'static Path {
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
    }

    /// Its blocks, in order.
    pub fn blocks(&self) -> Vec<Block<'_>> {
        let (mut blocks, mut section, mut excused, mut inside) = (Vec::new(), "", false, false);
        for (at, line) in self.text.lines().enumerate() {
            match line.strip_prefix("```") {
                Some(_) if inside => (inside, excused) = (false, false),
                Some(language) => {
                    blocks.push(Block { language, section, line: at + 2, lines: Vec::new(), excused });
                    inside = true;
                }
                None if inside => blocks.last_mut().into_iter().for_each(|block: &mut Block<'_>| block.lines.push(line)),
                None if line.starts_with('#') => section = line.trim_start_matches('#').trim(),
                None if !line.is_empty() => excused = line.starts_with("<!-- not run: "),
                None => {}
            }
        }
        blocks
    }

    /// The cells of the table below a headline, without its head.
    pub fn rows(&self, section: &str) -> Vec<Vec<&str>> {
        let headline = |line: &&str| line.strip_prefix('#').is_some_and(|rest| rest.trim_start_matches('#').trim() == section);
        let below = self.text.lines().skip_while(|line| !headline(line)).skip(1).take_while(|line| !line.starts_with('#'));
        let rows = below.filter_map(|line| line.strip_prefix("| ")).skip(1);
        rows.map(|row| row.trim_end_matches('|').split(" | ").map(str::trim).collect()).collect()
    }

    /// What its headlines are called in a link.
    pub fn anchors(&self) -> Vec<String> {
        let headlines = self.text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
        let kept =
            |headline: &str| headline.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_')).collect::<String>();
        headlines.map(|headline| kept(headline).to_lowercase().replace(' ', "-")).collect()
    }

    /// The file that a relative link of this page leads to.
    pub fn leads_to(&self, link: &str) -> PathBuf {
        Self::root().join(&self.path).parent().map(|folder| folder.join(link)).unwrap_or_default()
    }
}
