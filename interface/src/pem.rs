//! PEM as people have it: lines of any length or one line for all, blanks, other line endings, byte order marks, text around the
//! blocks. RFC 7468 §2 lets a reader be as lax as that. This is the only reader of PEM in the project.

use base64ct::{Base64Unpadded, Encoding};
use zeroize::Zeroizing;

const DASHES: &[u8] = b"-----";
const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
/// No label is longer.
const LONGEST_LABEL: usize = 64;

/// What stands between two lines with dashes.
pub struct Block {
    /// What the lines name.
    pub label: String,
    text: Zeroizing<Vec<u8>>,
}

impl Block {
    /// The bytes that the text encodes; `None` where it is no base64, which encrypted keys of the traditional formats have headers before.
    pub fn der(&self) -> Option<Zeroizing<Vec<u8>>> {
        let solid = |byte: &u8| !byte.is_ascii_whitespace() && *byte != b'\x0b';
        let text: Zeroizing<Vec<u8>> = Zeroizing::new(self.text.iter().copied().filter(solid).collect());
        let end = text.iter().rposition(|byte| *byte != b'=').map_or(0, |last| last + 1);
        let bare = text.get(..end).filter(|_| text.len() - end <= 2)?;
        Some(Zeroizing::new(Base64Unpadded::decode_vec(std::str::from_utf8(bare).ok()?).ok()?))
    }
}

/// All blocks of a text.
pub fn blocks(text: &[u8]) -> Scanner {
    let mut scanner = Scanner::default();
    scanner.feed(text);
    scanner
}

/// The labels of X.509 certificates (RFC 7468 §5.3).
pub const CERTIFICATE: [&str; 3] = ["CERTIFICATE", "X509 CERTIFICATE", "X.509 CERTIFICATE"];

/// Finds blocks in a text that may come in pieces. `next` answers `None` where it takes more of it.
#[derive(Default)]
pub struct Scanner {
    /// The text from the place on that is still to be read; behind the first line of a block where there is a label.
    text: Zeroizing<Vec<u8>>,
    label: Option<String>,
    /// How much of the text was looked through for dashes.
    seen: usize,
}

/// What dashes turned out to be.
enum Line {
    /// A line with this label, and where it ends.
    Whole(String, usize),
    /// It may become one when there is more text.
    Partial,
    Other,
}

impl Scanner {
    /// Takes more of the text.
    pub fn feed(&mut self, text: &[u8]) {
        // UTF-16, which some editors write, is ASCII with zeros between; and lines may be folded anywhere
        self.text.extend(text.iter().filter(|byte| !matches!(byte, 0 | b'\n' | b'\r')));
    }

    /// The label of the block that has begun.
    pub fn begun(&self) -> Option<&str> {
        self.label.as_deref()
    }

    fn skip(&mut self, len: usize) {
        self.text.drain(..len);
        self.seen = 0;
    }
}

impl Iterator for Scanner {
    type Item = Block;

    fn next(&mut self) -> Option<Block> {
        loop {
            let Some(at) = find(&self.text, DASHES, self.seen) else {
                self.seen = self.text.len().saturating_sub(DASHES.len() - 1);
                if self.label.is_none() {
                    self.skip(self.seen);
                }
                return None;
            };
            let rest = self.text.get(at..).unwrap_or_default();
            match (line(rest, BEGIN), line(rest, END)) {
                // another block begins, so that the one before has no end
                (Line::Whole(label, end), _) => {
                    self.skip(at + end);
                    self.label = Some(label);
                }
                (_, Line::Whole(label, end)) => {
                    let text = Zeroizing::new(self.text.get(..at).unwrap_or_default().to_vec());
                    self.skip(at + end);
                    if self.label.take().as_ref() == Some(&label) {
                        return Some(Block { label, text });
                    }
                }
                (Line::Partial, _) | (_, Line::Partial) => {
                    self.seen = at;
                    return None;
                }
                (Line::Other, Line::Other) => self.seen = at + 1,
            }
        }
    }
}

/// Reads the label of a line.
fn line(text: &[u8], start: &[u8]) -> Line {
    let Some(rest) = text.strip_prefix(start) else {
        return if start.starts_with(text) { Line::Partial } else { Line::Other };
    };
    let label = |end: usize| std::str::from_utf8(rest.get(..end)?).ok();
    match find(rest, DASHES, 0) {
        Some(end) if end <= LONGEST_LABEL => {
            label(end).map_or(Line::Other, |label| Line::Whole(label.trim().to_owned(), start.len() + end + DASHES.len()))
        }
        None if rest.len() < LONGEST_LABEL + DASHES.len() => Line::Partial,
        _ => Line::Other,
    }
}

fn find(text: &[u8], wanted: &[u8], from: usize) -> Option<usize> {
    let found = text.get(from..)?.windows(wanted.len()).position(|window| window == wanted);
    found.map(|at| from + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DER: &[u8] = &[0xa5; 100];

    fn block(label: &str) -> String {
        der::pem::encode_string(label, der::pem::LineEnding::LF, DER).unwrap()
    }

    fn found(text: &[u8]) -> Vec<(String, Option<Vec<u8>>)> {
        blocks(text).map(|block| (block.der().map(|der| der.to_vec()), block)).map(|(der, block)| (block.label, der)).collect()
    }

    #[test]
    fn every_layout_holds_the_same() {
        let pem = block("A KEY");
        let lines: Vec<_> = pem.lines().collect();
        let body = lines[1..lines.len() - 1].concat();
        let folded = |columns: usize| {
            let body = body.as_bytes().chunks(columns).map(|line| String::from_utf8_lossy(line) + "\n");
            format!("{}\n{}{}\n", lines[0], body.collect::<String>(), lines[lines.len() - 1])
        };
        let utf16: Vec<_> = format!("\u{feff}{pem}").encode_utf16().flat_map(u16::to_le_bytes).collect();
        let whole = [("A KEY".to_owned(), Some(DER.to_vec()))];
        for text in [
            pem.clone(),
            folded(1),
            folded(20),
            folded(76),
            folded(1000),
            pem.replace('\n', "\r\n"),
            pem.replace('\n', "\r"),
            pem.replace('\n', "  \t\n"),
            pem.replace('\n', "\n  "),
            pem.replace('\n', "\n\n"),
            pem.replace('\n', " "),
            pem.replace("\n-----END", "\x0b\x0c\n-----END"),
            pem.replace("-----\n", "-----"),
            pem.replace('=', ""),
            pem.trim_end().to_owned(),
            format!("\u{feff}{pem}"),
            pem.replace("BEGIN A KEY", "BEG\nIN A K\r\nEY"),
            format!("Bag Attributes\n    friendlyName: web\n-- or ----- or -----BEGIN\n{pem}-----\nthe rest"),
        ] {
            assert_eq!(found(text.as_bytes()), whole, "{text}");
        }
        assert_eq!(found(&utf16), whole);
    }

    #[test]
    fn blocks_stand_one_after_the_other_and_broken_ones_go() {
        let (one, two) = (block("ONE"), block("TWO"));
        let labels = |text: &str| found(text.as_bytes()).into_iter().map(|(label, _)| label).collect::<Vec<_>>();
        assert_eq!(labels(&format!("{one}{two}{one}")), ["ONE", "TWO", "ONE"]);
        let cut = one.split_once("-----END").unwrap().0;
        assert_eq!(labels(&format!("{cut}{two}")), ["TWO"]);
        assert_eq!(labels(&format!("{}{two}", one.replace("END ONE", "END OTHER"))), ["TWO"]);
        assert_eq!(labels(&format!("-----BEGIN {}-----\n{two}", "x".repeat(100))), ["TWO"]);
        assert_eq!(labels(&one.replace("BEGIN ONE", "BEGIN\nONE")), Vec::<String>::new());
        let [broken, encrypted] =
            ["A*", "DEK-Info: AES-256-CBC\n\n"].map(|text| one.replacen("-----\n", &format!("-----\n{text}"), 1));
        for text in [broken, encrypted, one.replace("paWl\n", "paWl=\n"), "-----BEGIN ONE-----=-----END ONE-----".into()] {
            assert!(
                found(text.as_bytes()).iter().all(|(label, der)| label == "ONE" && der.as_ref().is_none_or(Vec::is_empty)),
                "{text}"
            );
        }
    }

    #[test]
    fn pieces_are_put_together() {
        let text = format!("text{}----{}", block("ONE"), block("TWO"));
        for size in 1..text.len() {
            let mut scanner = Scanner::default();
            let mut labels = Vec::new();
            for piece in text.as_bytes().chunks(size) {
                scanner.feed(piece);
                labels.extend(scanner.by_ref().map(|block| block.label));
            }
            assert_eq!(labels, ["ONE", "TWO"], "{size}");
            assert!(scanner.text.len() < 5 && scanner.begun().is_none());
        }
    }
}
