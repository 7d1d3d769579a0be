//! Subjects of certificates: as RFC 4514 writes them or as `openssl` does, every field within the bounds of RFC 5280 appendix A.1.

use der::asn1::{ObjectIdentifier, SetOfVec};
use der::{Decode, Encode, Tag, Tagged};
use std::str::FromStr;
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::name::{Name, RdnSequence, RelativeDistinguishedName};

/// A type of attribute, with its bounds.
struct Field {
    /// As people write it.
    names: &'static [&'static str],
    oid: ObjectIdentifier,
    /// In characters.
    longest: usize,
    letters: Letters,
}

#[derive(Clone, Copy, PartialEq)]
enum Letters {
    Any,
    /// PrintableString.
    Printable,
    /// IA5String.
    Ascii,
    /// The two letters of ISO 3166.
    Country,
}

const fn field(names: &'static [&'static str], oid: &str, longest: usize, letters: Letters) -> Field {
    Field { names, oid: ObjectIdentifier::new_unwrap(oid), longest, letters }
}

pub(super) const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
/// Of a common name (`ub-common-name`).
pub(super) const LONGEST_COMMON_NAME: usize = 64;

/// RFC 5280 appendix A.1; of what it does not name, X.520.
const FIELDS: &[Field] = &[
    field(&["CN", "commonName"], "2.5.4.3", LONGEST_COMMON_NAME, Letters::Any),
    field(&["O", "organizationName"], "2.5.4.10", 64, Letters::Any),
    field(&["OU", "organizationalUnitName"], "2.5.4.11", 64, Letters::Any),
    field(&["L", "localityName"], "2.5.4.7", 128, Letters::Any),
    field(&["ST", "S", "stateOrProvinceName"], "2.5.4.8", 128, Letters::Any),
    field(&["C", "countryName"], "2.5.4.6", 2, Letters::Country),
    field(&["emailAddress", "E", "EMAIL"], "1.2.840.113549.1.9.1", 255, Letters::Ascii),
    field(&["DC", "domainComponent"], "0.9.2342.19200300.100.1.25", 63, Letters::Ascii),
    field(&["UID", "userId"], "0.9.2342.19200300.100.1.1", 256, Letters::Any),
    field(&["serialNumber"], "2.5.4.5", 64, Letters::Printable),
    field(&["dnQualifier"], "2.5.4.46", 64, Letters::Printable),
    field(&["title"], "2.5.4.12", 64, Letters::Any),
    field(&["pseudonym"], "2.5.4.65", 128, Letters::Any),
    field(&["SN", "surname"], "2.5.4.4", 32768, Letters::Any),
    field(&["GN", "givenName"], "2.5.4.42", 32768, Letters::Any),
    field(&["initials"], "2.5.4.43", 32768, Letters::Any),
    field(&["generationQualifier"], "2.5.4.44", 32768, Letters::Any),
    field(&["name"], "2.5.4.41", 32768, Letters::Any),
    field(&["STREET", "streetAddress"], "2.5.4.9", 128, Letters::Any),
    field(&["postalCode"], "2.5.4.17", 40, Letters::Any),
];

/// The subject that a text names.
pub(super) fn parse(text: &str) -> Result<Name, String> {
    let relative = if text.starts_with('/') { slashed(text)? } else { separated(text)? };
    let name = assembled(&relative).map_err(|error| format!("'{text}' is no subject: {error}"))?;
    name.iter().try_for_each(check)?;
    Ok(name)
}

/// The subject of these parts, the last one first, as RFC 4514 has them.
fn assembled(relative: &[Vec<String>]) -> der::Result<Name> {
    let mut names = Vec::new();
    for parts in relative.iter().rev() {
        let mut attributes = SetOfVec::new();
        for part in parts {
            attributes.insert(AttributeTypeAndValue::from_str(part)?)?;
        }
        names.push(RelativeDistinguishedName::from(attributes));
    }
    Name::from_der(&RdnSequence::from(names).to_der()?)
}

/// The subject that is a common name alone.
pub(super) fn common(name: &str) -> Result<Name, String> {
    parse(&format!("CN={}", escape(name)))
}

/// The common name in a subject.
pub(super) fn common_name(subject: &Name) -> Option<String> {
    subject.iter().find(|attribute| attribute.oid == COMMON_NAME).and_then(text)
}

/// The parts of `/C=DE/O=Example Ltd/CN=a+UID=b`, the last one first, with what they are escaped for RFC 4514.
fn slashed(text: &str) -> Result<Vec<Vec<String>>, String> {
    let (mut relative, mut part) = (Vec::new(), String::new());
    let mut chars = text.chars().skip(1).peekable();
    let mut parts = Vec::new();
    while let Some(c) = chars.next() {
        match c {
            '\\' => part.extend(chars.next().map(escaped)),
            '/' | '+' => {
                parts.push(std::mem::take(&mut part));
                if c == '/' {
                    relative.push(std::mem::take(&mut parts));
                }
            }
            '=' if !part.contains('=') => part.push('='),
            c => part.extend(Some(escaped(c))),
        }
    }
    parts.push(part);
    relative.push(parts);
    relative.reverse();
    relative.into_iter().map(|parts| parts.into_iter().map(|part| named(&part)).collect()).collect()
}

/// The parts of `CN=a+UID=b,O=Example Ltd,C=DE`.
fn separated(text: &str) -> Result<Vec<Vec<String>>, String> {
    let (mut relative, mut part) = (Vec::new(), String::new());
    let mut parts = Vec::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => part.extend([c].into_iter().chain(chars.next())),
            ',' | ';' | '+' => {
                parts.push(named(&part)?);
                part.clear();
                if c != '+' {
                    relative.push(std::mem::take(&mut parts));
                }
            }
            c => part.push(c),
        }
    }
    parts.push(named(&part)?);
    relative.push(parts);
    Ok(relative)
}

/// `TYPE=VALUE` with the type as an object identifier, which everybody knows.
fn named(part: &str) -> Result<String, String> {
    let (name, value) = part.split_once('=').ok_or_else(|| format!("'{part}' is not of the form TYPE=VALUE"))?;
    // blanks around them mean nothing, unless the last one is escaped
    let (name, value) = (name.trim(), value.trim_start());
    let value = if value.trim_end().ends_with('\\') { value } else { value.trim_end() };
    let known = FIELDS.iter().find(|field| field.names.iter().any(|known| known.eq_ignore_ascii_case(name)));
    let oid = known.map(|field| field.oid).or_else(|| ObjectIdentifier::new(name).ok()).ok_or_else(|| {
        let names: Vec<_> = FIELDS.iter().map(|field| field.names[0]).collect();
        format!("'{name}' is none of {}, nor an object identifier", names.join(", "))
    })?;
    Ok(format!("{oid}={value}"))
}

fn check(attribute: &AttributeTypeAndValue) -> Result<(), String> {
    let Some(Field { names, longest, letters, .. }) = FIELDS.iter().find(|field| field.oid == attribute.oid) else {
        return Ok(());
    };
    let name = names[0];
    let text = text(attribute).ok_or_else(|| format!("the {name} is no text"))?;
    let fits = |c: char| match letters {
        Letters::Any => !c.is_control(),
        Letters::Ascii => c.is_ascii_graphic() || c == ' ',
        Letters::Printable => c.is_ascii_alphanumeric() || " '()+,-./:=?".contains(c),
        Letters::Country => c.is_ascii_alphabetic(),
    };
    let len = text.chars().count();
    let exact = *letters == Letters::Country && len != *longest;
    if len == 0 || len > *longest || exact {
        let most = if *letters == Letters::Country { "exactly" } else { "at least one and at most" };
        return Err(format!("the {name} has {len} characters; RFC 5280 gives it {most} {longest}"));
    }
    match text.chars().find(|c| !fits(*c)) {
        Some(c) => Err(format!("the {name} '{text}' has a {c:?}, which cannot stand there")),
        None => Ok(()),
    }
}

fn text(attribute: &AttributeTypeAndValue) -> Option<String> {
    let value = &attribute.value;
    let texts = [Tag::Utf8String, Tag::PrintableString, Tag::Ia5String];
    texts.contains(&value.tag()).then(|| String::from_utf8(value.value().to_vec()).ok()).flatten()
}

/// Escapes what means something in RFC 4514.
fn escape(text: &str) -> String {
    text.chars().map(escaped).collect()
}

fn escaped(c: char) -> String {
    if ",+\"\\<>;=#".contains(c) { format!("\\{c}") } else { c.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_of_writing_mean_the_same() {
        for (ours, theirs) in [
            ("CN=www.example.com,O=Example Ltd,C=DE", "/C=DE/O=Example Ltd/CN=www.example.com"),
            ("CN=a+UID=b, O=A/B", "/O=A\\/B/CN=a+UID=b"),
            (" CN = a , C = DE ", "/C=DE/CN=a"),
            ("cn=a\\,b\\=c,E=a@example.com", "/emailAddress=a@example.com/CN=a,b=c"),
            ("CN=Größe;ST=x", "/S=x/commonName=Größe"),
            ("2.5.4.3=a", "/2.5.4.3=a"),
        ] {
            let (ours, theirs) = (parse(ours).unwrap(), parse(theirs).unwrap());
            assert_eq!(ours, theirs);
            assert!(common_name(&ours).is_some());
        }
        for name in ["Web, the #1 <+>", "a\\,O=b", "a\\\\", "\\", "/a/b", "#0500", "a=b"] {
            let subject = common(name).unwrap();
            assert_eq!((common_name(&subject).as_deref(), subject.len()), (Some(name), 1));
        }
    }

    #[test]
    fn every_field_has_its_bounds() {
        for Field { names, longest, letters, .. } in FIELDS {
            for name in *names {
                let of = |len: usize| parse(&format!("{name}={}", "a".repeat(len)));
                assert!(of(*longest).is_ok(), "{name}");
                for len in [0, longest + 1] {
                    let why = of(len).unwrap_err();
                    assert!(why.contains(names[0]), "{why}");
                }
                assert!(parse(&format!("{name}=a\\00")).is_err(), "{name}");
                // characters are counted, not bytes
                let wide = parse(&format!("/{name}={}", "ü".repeat(*longest)));
                assert_eq!(wide.is_ok(), *letters == Letters::Any, "{name}");
            }
        }
        for wrong in
            ["C=D1", "C=D", "C=DEU", "serialNumber=a@b", "", "/", "CN", "X=1", "/CN=a/", "CN=a,", "CN=#0500", "/CN=a/B=c"]
        {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        assert!(parse("1.2.3.4=#0500").is_ok(), "what is not known here is the caller's");
    }
}
