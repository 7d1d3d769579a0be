//! One table of the configuration file. The keys that the code asks for are the keys that exist. Whatever is left over at the end
//! is a typing error.

use crate::error::{Error, Result};
use serde::de::DeserializeOwned;
use toml::Table;

/// A table that is read key by key.
#[derive(Debug)]
pub struct Section {
    title: String,
    table: Table,
    known: Vec<&'static str>,
}

impl Section {
    /// A table, with the title that errors shall name, such as `[listener]`.
    pub fn new(title: impl Into<String>, table: Table) -> Self {
        Self { title: title.into(), table, known: Vec::new() }
    }

    /// The value of a key, if it is there.
    ///
    /// # Errors
    /// [`Error::Config`] where the value is of another type.
    pub fn take<T: DeserializeOwned>(&mut self, key: &'static str) -> Result<Option<T>> {
        self.known.push(key);
        self.table
            .remove(key)
            .map(|value| value.try_into())
            .transpose()
            .map_err(|error| self.wrong(key, &plain(error.to_string().trim_end())))
    }

    /// The value of a key, or this one.
    ///
    /// # Errors
    /// As [`Section::take`].
    pub fn take_or<T: DeserializeOwned>(&mut self, key: &'static str, default: T) -> Result<T> {
        Ok(self.take(key)?.unwrap_or(default))
    }

    /// The table under a key, empty where it is not there.
    ///
    /// # Errors
    /// As [`Section::take`].
    pub fn section(&mut self, key: &'static str) -> Result<Self> {
        Ok(Self::new(format!("[{key}]"), self.take_or(key, Table::new())?))
    }

    /// The array of tables under a key.
    ///
    /// # Errors
    /// As [`Section::take`].
    pub fn sections(&mut self, key: &'static str) -> Result<Vec<Self>> {
        if self.table.get(key).is_some_and(toml::Value::is_table) {
            return Err(self.wrong(key, &format!("is one table, and there may be several: write [[{key}]]")));
        }
        let tables: Vec<Table> = self.take_or(key, Vec::new())?;
        Ok(tables.into_iter().zip(1..).map(|(table, number)| Self::new(format!("[[{key}]] number {number}"), table)).collect())
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// [`Error::Config`] for a key that nobody asked for, with the nearest one that exists.
    pub fn finish(self) -> Result<()> {
        let Some(key) = self.table.keys().next() else {
            return Ok(());
        };
        let hint = suggest(key, self.known.iter().copied());
        Err(Error::Config(format!("{} has no key '{key}'; {hint}", self.title)))
    }

    /// The keys that nobody asked for, for another reader.
    pub fn rest(self) -> Table {
        self.table
    }

    /// The error for a value that will not do.
    pub fn wrong(&self, key: &str, why: &str) -> Error {
        Error::Config(format!("{} {key}: {why}", self.title))
    }
}

/// What is wrong with a value, in the words of the file and not of its reader.
fn plain(error: &str) -> String {
    let Some((what, expected)) = error.rsplit_once(", expected ") else { return error.to_owned() };
    let expected = match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a number, such as 100",
        "a boolean" => "true or false",
        "a string" | "path string" => "a text in quotation marks",
        "a sequence" => "a list in brackets",
        "a map" => "a table",
        other => other,
    };
    format!("{what}: write {expected}")
}

/// A hint for a word that is none of the known ones: the nearest, or all where none is near.
pub fn suggest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> String {
    let known: Vec<_> = known.collect();
    match nearest(word, known.iter().copied()) {
        Some(candidate) => format!("did you mean '{candidate}'?"),
        None => format!("there is {}", known.join(", ")),
    }
}

/// The known word that is nearest to one that is none of them, if one is near.
pub fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let (steps, candidate) = known.map(|candidate| (distance(word, candidate), candidate)).min()?;
    (steps <= 2.max(word.len() / 3)).then_some(candidate)
}

/// How many letters must be put in, taken out or changed to make one word the other (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut corner = i;
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let changed = corner + usize::from(!x.eq_ignore_ascii_case(&y));
            corner = row[j + 1];
            row[j + 1] = changed.min(corner + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

/// A number that may not be zero.
pub(crate) fn positive<T>(section: &mut Section, key: &'static str, default: T) -> Result<T>
where
    T: DeserializeOwned + Default + PartialEq,
{
    let number = section.take_or(key, default)?;
    if number == T::default() {
        return Err(section.wrong(key, "must be at least 1"));
    }
    Ok(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (a, b, steps) in [
            ("", "", 0),
            ("log_level", "log_level", 0),
            ("log_levle", "log_level", 2),
            ("kitten", "sitting", 3),
            ("", "abc", 3),
            ("SQLITE", "SQLite", 0),
        ] {
            assert_eq!(distance(a, b), steps, "{a} {b}");
            assert_eq!(distance(b, a), steps, "{b} {a}");
        }
    }

    #[test]
    fn what_a_value_should_be_is_said_in_words() {
        let table: Table = "on = 1\nmany = \"x\"\nless = -1\nfile = 2\nlist = 3\nsub = 4".parse().unwrap();
        let mut section = Section::new("[x]", table);
        for (said, words) in [
            (section.take::<bool>("on").map(drop), "write true or false"),
            (section.take::<usize>("many").map(drop), "write a number"),
            (section.take::<u64>("less").map(drop), "write a number"),
            (section.take::<std::path::PathBuf>("file").map(drop), "write a text"),
            (section.take::<Vec<String>>("list").map(drop), "write a list"),
            (section.take::<Table>("sub").map(drop), "write a table"),
        ] {
            let said = said.unwrap_err().to_string();
            assert!(said.contains(words), "{said}");
        }
    }
}
