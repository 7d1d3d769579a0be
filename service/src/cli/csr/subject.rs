//! Subjects of certificates, in the syntax of RFC 4514 or of `openssl`. Each field keeps to the bounds of RFC 5280 appendix A.1.

use der::asn1::{Any, ObjectIdentifier, SetOfVec};
use der::{Decode, Encode, Tag, Tagged};
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

const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
const EMAIL_ADDRESS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.1");
/// Of a common name (`ub-common-name`).
pub(super) const LONGEST_COMMON_NAME: usize = 64;

/// The fields and their bounds. They come from RFC 5280 appendix A.1, and the rest from X.520.
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
    let relative = if text.starts_with('/') { slashed(text) } else { separated(text) };
    relative.and_then(assembled).map_err(|why| format!("'{text}' is no subject: {why}"))
}

/// The subject that is a common name alone.
pub(super) fn common(name: &str) -> Result<Name, String> {
    assembled(vec![vec![attribute(COMMON_NAME, name.as_bytes())?]])
}

/// The common name in a subject.
pub(super) fn common_name(subject: &Name) -> Option<String> {
    values(subject, COMMON_NAME).next()
}

/// The e-mail addresses in a subject.
pub(super) fn emails(subject: &Name) -> impl Iterator<Item = String> {
    values(subject, EMAIL_ADDRESS)
}

fn values(subject: &Name, oid: ObjectIdentifier) -> impl Iterator<Item = String> {
    subject.iter().filter(move |attribute| attribute.oid == oid).filter_map(text)
}

/// The attributes between the separators of a subject, in the order of its encoding.
type Relative = Vec<Vec<AttributeTypeAndValue>>;

fn assembled(relative: Relative) -> Result<Name, String> {
    let encoded = || {
        let sets = relative.into_iter().map(|parts| SetOfVec::try_from(parts).map(RelativeDistinguishedName::from));
        Name::from_der(&RdnSequence::from(sets.collect::<der::Result<Vec<_>>>()?).to_der()?)
    };
    let name = encoded().map_err(|error| error.to_string())?;
    name.iter().try_for_each(check)?;
    Ok(name)
}

/// A byte of a subject. One that was escaped means nothing but itself.
#[derive(Clone, Copy, PartialEq)]
struct Byte {
    value: u8,
    escaped: bool,
}

impl Byte {
    fn is(self, value: u8) -> bool {
        self == Self { value, escaped: false }
    }
}

/// `/C=DE/O=Example Ltd/CN=a+UID=b`, as `openssl -subj` has it: a backslash escapes whatever stands behind it.
fn slashed(text: &str) -> Result<Relative, String> {
    let bytes = bytes(text, |behind| behind.first().map(|value| (*value, 1)))?;
    let read = |oid, value: &[Byte]| attribute(oid, &plain(value));
    let (_, names) = bytes.split_at(1);
    names.split(|byte| byte.is(b'/')).map(|part| attributes(part, read)).collect()
}

/// `CN=a+UID=b,O=Example Ltd,C=DE`, as RFC 4514 §3 has it: the last part comes first.
fn separated(text: &str) -> Result<Relative, String> {
    let bytes = bytes(text, |behind| match behind {
        [special, ..] if b" \"#+,;<=>\\".contains(special) => Some((*special, 1)),
        [high, low, ..] => Some((hexadecimal(*high, *low)?, 2)),
        _ => None,
    })?;
    bytes.split(|byte| byte.is(b',') || byte.is(b';')).rev().map(|part| attributes(part, value)).collect()
}

/// The bytes of a text. `escaped` reads what stands behind a backslash, and says how many bytes that takes.
fn bytes(text: &str, escaped: impl Fn(&[u8]) -> Option<(u8, usize)>) -> Result<Vec<Byte>, String> {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((first, behind)) = rest.split_first() {
        let (value, taken) = match first {
            b'\\' => escaped(behind).ok_or_else(|| {
                let shown: String = String::from_utf8_lossy(behind).chars().take(2).collect();
                format!("'\\{shown}' escapes nothing: a backslash is written \\\\, and RFC 4514 also has \\, \\+ \\\" \\; \\< \\> \\= \\# and \\XX")
            })?,
            value => (*value, 0),
        };
        bytes.push(Byte { value, escaped: taken > 0 });
        rest = behind.get(taken..).unwrap_or_default();
    }
    Ok(bytes)
}

/// `TYPE=VALUE`, perhaps several of them with `+` in between.
fn attributes(
    text: &[Byte],
    read: impl Fn(ObjectIdentifier, &[Byte]) -> Result<AttributeTypeAndValue, String>,
) -> Result<Vec<AttributeTypeAndValue>, String> {
    let part = |part: &[Byte]| {
        let shown = |bytes| String::from_utf8_lossy(&plain(bytes)).into_owned();
        let at = part.iter().position(|byte| byte.is(b'='));
        let (name, value) = at
            .and_then(|at| part.split_at_checked(at))
            .ok_or_else(|| format!("'{}' is not of the form TYPE=VALUE", shown(part)))?;
        read(named(&shown(trimmed(name)))?, trimmed(value.get(1..).unwrap_or_default()))
    };
    text.split(|byte| byte.is(b'+')).map(part).collect()
}

/// A type of attribute.
fn named(name: &str) -> Result<ObjectIdentifier, String> {
    let known = FIELDS.iter().find(|field| field.names.iter().any(|known| known.eq_ignore_ascii_case(name)));
    known.map(|field| field.oid).or_else(|| ObjectIdentifier::new(name).ok()).ok_or_else(|| {
        let names: Vec<_> = FIELDS.iter().map(|field| field.names[0]).collect();
        format!("'{name}' is none of {}, nor an object identifier", names.join(", "))
    })
}

/// A value in RFC 4514: a text, or # and the DER of anything.
fn value(oid: ObjectIdentifier, value: &[Byte]) -> Result<AttributeTypeAndValue, String> {
    if let Some(wrong) = value.iter().find(|byte| !byte.escaped && b"\"<>".contains(&byte.value)) {
        let c = char::from(wrong.value);
        return Err(format!("a {c} is written \\{c} (RFC 4514)"));
    }
    match value.split_first() {
        Some((first, digits)) if first.is(b'#') => {
            let pair = |pair: &[Byte]| match pair {
                [high, low] => hexadecimal(high.value, low.value),
                _ => None,
            };
            let der: Option<Vec<_>> = digits.chunks(2).map(pair).collect();
            let value = der.and_then(|der| Any::from_der(&der).ok());
            let why =
                "behind a # stands DER in pairs of hexadecimal digits; where the # is meant itself, it is written \\# (RFC 4514)";
            Ok(AttributeTypeAndValue { oid, value: value.ok_or(why)? })
        }
        _ => attribute(oid, &plain(value)),
    }
}

/// An attribute with this text, in the type of string that its field has.
fn attribute(oid: ObjectIdentifier, text: &[u8]) -> Result<AttributeTypeAndValue, String> {
    let tag = match field_of(oid).map(|field| field.letters) {
        Some(Letters::Country | Letters::Printable) => Tag::PrintableString,
        Some(Letters::Ascii) => Tag::Ia5String,
        Some(Letters::Any) | None => Tag::Utf8String,
    };
    let text = std::str::from_utf8(text).map_err(|_| format!("the bytes of '{}' are no UTF-8", String::from_utf8_lossy(text)))?;
    let value = Any::new(tag, text.as_bytes()).map_err(|error| error.to_string())?;
    Ok(AttributeTypeAndValue { oid, value })
}

fn hexadecimal(high: u8, low: u8) -> Option<u8> {
    let digit = |digit| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)? << 4 | digit(low)?)
}

/// Without the blanks around it, which mean nothing unless they are escaped.
fn trimmed(mut text: &[Byte]) -> &[Byte] {
    while let Some((_, rest)) = text.split_first().filter(|(first, _)| first.is(b' ')) {
        text = rest;
    }
    while let Some((_, rest)) = text.split_last().filter(|(last, _)| last.is(b' ')) {
        text = rest;
    }
    text
}

fn plain(text: &[Byte]) -> Vec<u8> {
    text.iter().map(|byte| byte.value).collect()
}

fn field_of(oid: ObjectIdentifier) -> Option<&'static Field> {
    FIELDS.iter().find(|field| field.oid == oid)
}

fn check(attribute: &AttributeTypeAndValue) -> Result<(), String> {
    let Some(Field { names, longest, letters, .. }) = field_of(attribute.oid) else {
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

    /// RFC 4514 §2.4 and §3, and how openssl reads what begins with a slash.
    #[test]
    fn escapes_are_whole() {
        for (text, name) in [
            (r"CN=\ a\ ", " a "),
            (r"CN=a\  ", "a "),
            (r"CN=a\\  ", r"a\"),
            (r"CN=a\2C\5c\C3\bc", r"a,\ü"),
            (r#"CN=\"\+\,\;\<\=\>\#"#, "\"+,;<=>#"),
            ("CN=#0C0161", "a"),
            ("CN=a#b=c", "a#b=c"),
            (r"/CN=a\/b\+c\\\ü\ ", r"a/b+c\ü "),
            ("/CN=#0C0161\"<>;,", "#0C0161\"<>;,"),
        ] {
            let subject = parse(text).unwrap();
            assert_eq!((common_name(&subject).as_deref(), subject.len()), (Some(name), 1), "{text}");
        }
        for wrong in [
            r"CN=x\",
            r"CN=x\4",
            r"CN=x\4g",
            r"CN=x\z",
            r"CN=x\/",
            r"CN=x\ü",
            r"CN=\C3",
            r"1.2.3.4=\C3",
            r#"CN="a""#,
            "CN=a<b",
            "CN=a>b",
            "CN=#",
            "CN=#0C016",
            "CN=#0C01",
            "CN=#0Cg161",
            r"/CN=x\",
            r"CN\=x",
        ] {
            let why = parse(wrong).unwrap_err();
            assert!(why.contains("is no subject: ") || why.starts_with("the CN "), "{wrong}: {why}");
        }
        assert!(parse(r"CN=x\").unwrap_err().contains(r"a backslash is written \\"));
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
