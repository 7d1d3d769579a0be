//! Text that somebody else chose: names, labels, the subjects of certificates, and error messages about them. On a terminal such
//! text must not give commands, start lines of its own, or change the order of what is read. So the service, its command line and
//! the shims print it only through this module.

use std::borrow::Cow;
use std::fmt::{Display, Formatter, Write};

/// Text as one line: what is no visible character shows as Rust escapes it, such as `\n` or `\u{1b}`.
#[derive(Clone, Copy, Debug)]
pub struct Line<T>(pub T);

impl<T: Display> Display for Line<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(Escaping { to: f, kept: &[], escape: rust }, "{}", self.0)
    }
}

/// Text as one line.
pub fn line(text: &str) -> Cow<'_, str> {
    if text.contains(unprintable) { Cow::Owned(Line(text).to_string()) } else { Cow::Borrowed(text) }
}

/// Text as one word of a command that somebody may paste into a shell.
pub fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:/@%+=,".contains(c);
    if !text.is_empty() && text.chars().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// Text as it begins, with no more than so many bytes and the mark that something was left out.
pub fn head(text: &str, longest: usize) -> Cow<'_, str> {
    if text.len() <= longest {
        return Cow::Borrowed(text);
    }
    let end = (0..=longest).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    Cow::Owned(format!("{}…", &text[..end]))
}

/// Text whose lines are our own.
pub fn lines(text: &str) -> String {
    escaped(text, &['\n'], rust)
}

/// JSON as JSON that holds the same, in which such characters are escaped too: its syntax wants that of ASCII's alone.
pub fn json(text: &str) -> String {
    escaped(text, &['\n'], |to, c| {
        let mut units = [0; 2];
        c.encode_utf16(&mut units).iter().try_for_each(|unit| write!(to, "\\u{unit:04x}"))
    })
}

/// Whether a terminal would do something else than show the character: the control characters, separators of lines, and marks that
/// change the direction of what stands around them (Unicode 15 §23.2).
fn unprintable(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}') || c.is_control()
}

type Escape = fn(&mut dyn Write, char) -> std::fmt::Result;

fn rust(to: &mut dyn Write, c: char) -> std::fmt::Result {
    write!(to, "{}", c.escape_debug())
}

fn escaped(text: &str, kept: &'static [char], escape: Escape) -> String {
    let mut out = String::with_capacity(text.len());
    // a string takes everything
    let _ = Escaping { to: &mut out, kept, escape }.write_str(text);
    out
}

struct Escaping<'a> {
    to: &'a mut dyn Write,
    kept: &'static [char],
    escape: Escape,
}

impl Write for Escaping<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let mut rest = text;
        while let Some(at) = rest.find(|c| unprintable(c) && !self.kept.contains(&c)) {
            let (plain, from) = rest.split_at(at);
            let mut chars = from.chars();
            self.to.write_str(plain)?;
            chars.next().map_or(Ok(()), |c| (self.escape)(self.to, c))?;
            rest = chars.as_str();
        }
        self.to.write_str(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_one_to_a_shell() {
        assert_eq!(word("spiffe://example.org/web_1"), "spiffe://example.org/web_1");
        assert_eq!(word("app:$(touch /tmp/x);y"), "'app:$(touch /tmp/x);y'");
        assert_eq!((word("it's").as_str(), word("").as_str()), (r"'it'\''s'", "''"));
    }

    const EVIL: &str = "a\u{1b}[31m\nb\r\t\0\u{7f}\u{9b}2J\u{202e}c\u{2028}ü";

    #[test]
    fn nothing_that_a_terminal_obeys_comes_through() {
        let shown = r"a\u{1b}[31m\nb\r\t\0\u{7f}\u{9b}2J\u{202e}c\u{2028}ü";
        assert_eq!(line(EVIL), shown);
        assert_eq!(Line(EVIL).to_string(), shown);
        assert_eq!(lines(EVIL), shown.replace("\\n", "\n"));
        assert!(matches!(line("web key, \"ü\" \\ 鍵"), Cow::Borrowed(_)));
        for c in (0..=0x9f).filter_map(char::from_u32).filter(|c| c.is_control()) {
            assert!(!line(&format!("<{c}>")).contains(c), "{c:?}");
        }
    }

    #[test]
    fn json_means_what_it_meant() {
        let escaped = |text: &str| json(&format!("{{\n  \"name\": \"{text}\"\n}}"));
        assert_eq!(escaped("a\u{7f}\u{9b}2J\u{202e}ü"), "{\n  \"name\": \"a\\u007f\\u009b2J\\u202eü\"\n}");
    }
}
