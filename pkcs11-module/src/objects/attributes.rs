//! The attributes of the standard: one table. It says which objects have an attribute, who may set it, and its default. An
//! attribute that is not in the table is CKR_ATTRIBUTE_TYPE_INVALID.
//!
//! Some attributes follow from the key, its policy or the certificate. The service keeps the others as they are ([`Source::Kept`]).

use cryptoki_sys::*;
use interface::attributes::Usage;

use crate::error::{Error, Result};
use crate::ffi::Template;

/// One attribute.
pub(crate) struct Attribute {
    pub(crate) kind: CK_ATTRIBUTE_TYPE,
    /// Bits of the classes that have it.
    classes: u8,
    form: Form,
    pub(crate) change: Change,
    pub(crate) source: Source,
}

/// What a value looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Flag,
    Number,
    Numbers,
    /// Empty, or a CK_DATE.
    Date,
    Text,
    Bytes,
}

/// How a value comes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// The token computes it: no template may have it.
    Never,
    /// A template may give it when the object is made.
    Made,
    /// A template gives it for an object that is brought, and may not for a key that is generated.
    Brought,
    /// As [`Self::Brought`]; an empty one, which may come at any time, says that there shall be none (PKCS#11 v3.1 §4.10.2).
    BroughtOrNone,
    /// Given when the object is made or later.
    Free,
    /// As given when the object is made; later this is all that it may become.
    Only(bool),
    /// Set by the security officer.
    Officer,
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// What the object is.
    Object,
    /// What the key's policy permits: any one of these.
    Policy(Usage),
    /// What the key's policy does not permit, or else what the template gave.
    Forbidden(Usage),
    /// What was set, or else this.
    Kept(Default),
    /// What the template gave, or else what the object is.
    Given,
}

/// A value that nobody has set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Default {
    Flag(bool),
    Number(CK_ULONG),
    Empty,
    /// CKA_PRIVATE: private and secret keys are.
    Class,
}

const PRIVATE: u8 = 1;
const PUBLIC: u8 = 2;
const SECRET: u8 = 4;
const CERTIFICATE: u8 = 8;
const DATA: u8 = 16;
const PROFILE: u8 = 32;
const DOMAIN: u8 = 64;
const PAIR: u8 = PRIVATE | PUBLIC;
const HIDDEN: u8 = PRIVATE | SECRET;
const KEYS: u8 = PAIR | SECRET;
const ALL: u8 = KEYS | CERTIFICATE | DATA | DOMAIN;

use Change::{Brought, BroughtOrNone, Free, Made, Never, Officer, Only};
use Form::{Bytes, Date, Flag, Number, Numbers, Text};
use Source::{Forbidden, Given, Kept, Object, Policy};

const EMPTY: Source = Kept(Default::Empty);
const YES: Source = Kept(Default::Flag(true));
const NO: Source = Kept(Default::Flag(false));
const ZERO: Source = Kept(Default::Number(0));
const LEAVES: Usage = Usage::EXPORT.or(Usage::COPY);

/// The longest label or id that services keep, in bytes.
const LONGEST_NAME: usize = 1024;
/// The most that services keep of a template, in bytes; a little more is kept with a key.
const MOST_KEPT: usize = (64 << 10) - 64;

const TABLE: &[Attribute] = &[
    row(CKA_CLASS, ALL | PROFILE, Number, Made, Object),
    row(CKA_TOKEN, ALL | PROFILE, Flag, Made, Object),
    row(CKA_PRIVATE, ALL | PROFILE, Flag, Made, Kept(Default::Class)),
    row(CKA_LABEL, ALL, Text, Free, Object),
    row(CKA_UNIQUE_ID, ALL | PROFILE, Text, Never, Object),
    row(CKA_MODIFIABLE, ALL, Flag, Made, YES),
    row(CKA_MODIFIABLE, PROFILE, Flag, Never, NO),
    row(CKA_COPYABLE, PROFILE, Flag, Never, NO),
    row(CKA_DESTROYABLE, PROFILE, Flag, Never, NO),
    row(CKA_COPYABLE, ALL, Flag, Only(false), YES),
    row(CKA_DESTROYABLE, ALL, Flag, Made, YES),
    row(CKA_PROFILE_ID, PROFILE, Number, Never, Object),
    // data
    row(CKA_APPLICATION, DATA, Text, Free, EMPTY),
    row(CKA_OBJECT_ID, DATA, Bytes, Free, EMPTY),
    row(CKA_VALUE, DATA, Bytes, Free, Object),
    // certificates
    row(CKA_VALUE, CERTIFICATE, Bytes, Made, Object),
    row(CKA_CERTIFICATE_TYPE, CERTIFICATE, Number, Made, Object),
    row(CKA_CERTIFICATE_CATEGORY, CERTIFICATE, Number, Made, ZERO),
    row(CKA_SUBJECT, CERTIFICATE, Bytes, Made, Object),
    row(CKA_ISSUER, CERTIFICATE, Bytes, Made, Object),
    row(CKA_SERIAL_NUMBER, CERTIFICATE, Bytes, Made, Object),
    row(CKA_CHECK_VALUE, CERTIFICATE, Bytes, Made, Object),
    row(CKA_URL, CERTIFICATE, Text, Made, EMPTY),
    row(CKA_HASH_OF_SUBJECT_PUBLIC_KEY, CERTIFICATE, Bytes, Made, EMPTY),
    row(CKA_HASH_OF_ISSUER_PUBLIC_KEY, CERTIFICATE, Bytes, Made, EMPTY),
    row(CKA_NAME_HASH_ALGORITHM, CERTIFICATE, Number, Made, Kept(Default::Number(CKM_SHA_1))),
    row(CKA_JAVA_MIDP_SECURITY_DOMAIN, CERTIFICATE, Number, Made, ZERO),
    row(CKA_TRUSTED, CERTIFICATE | PUBLIC | SECRET, Flag, Officer, NO),
    row(CKA_PUBLIC_KEY_INFO, CERTIFICATE | PAIR, Bytes, Made, Object),
    row(CKA_ID, CERTIFICATE | KEYS, Bytes, Free, Object),
    row(CKA_START_DATE, CERTIFICATE | KEYS, Date, Free, EMPTY),
    row(CKA_END_DATE, CERTIFICATE | KEYS, Date, Free, EMPTY),
    // keys
    row(CKA_KEY_TYPE, KEYS | DOMAIN, Number, Made, Object),
    row(CKA_LOCAL, KEYS | DOMAIN, Flag, Never, Object),
    row(CKA_KEY_GEN_MECHANISM, KEYS, Number, Never, Object),
    row(CKA_ALLOWED_MECHANISMS, KEYS, Numbers, Made, Given),
    row(CKA_SUBJECT, PAIR, Bytes, Free, EMPTY),
    row(CKA_ALWAYS_AUTHENTICATE, PRIVATE, Flag, Made, NO),
    row(CKA_WRAP_WITH_TRUSTED, HIDDEN, Flag, Only(true), NO),
    row(CKA_SENSITIVE, HIDDEN, Flag, Only(true), Forbidden(Usage::EXPORT)),
    row(CKA_EXTRACTABLE, HIDDEN, Flag, Only(false), Policy(LEAVES)),
    row(CKA_ALWAYS_SENSITIVE, HIDDEN, Flag, Never, Object),
    row(CKA_NEVER_EXTRACTABLE, HIDDEN, Flag, Never, Object),
    row(CKA_SIGN, HIDDEN, Flag, Only(false), Policy(Usage::SIGN)),
    row(CKA_SIGN_RECOVER, PRIVATE, Flag, Made, Policy(Usage::SIGN)),
    row(CKA_VERIFY, PUBLIC | SECRET, Flag, Only(false), Policy(Usage::VERIFY)),
    row(CKA_VERIFY_RECOVER, PUBLIC, Flag, Made, Policy(Usage::VERIFY)),
    row(CKA_ENCRYPT, PUBLIC | SECRET, Flag, Only(false), Policy(Usage::ENCRYPT)),
    row(CKA_DECRYPT, HIDDEN, Flag, Only(false), Policy(Usage::DECRYPT)),
    row(CKA_DERIVE, HIDDEN, Flag, Only(false), Policy(Usage::DERIVE)),
    row(CKA_DERIVE, PUBLIC, Flag, Only(false), NO),
    row(CKA_WRAP, PUBLIC | SECRET, Flag, Only(false), Policy(Usage::WRAP)),
    row(CKA_UNWRAP, HIDDEN, Flag, Only(false), Policy(Usage::UNWRAP)),
    row(CKA_ENCAPSULATE, PUBLIC, Flag, Only(false), Policy(Usage::ENCRYPT)),
    row(CKA_DECAPSULATE, PRIVATE, Flag, Only(false), Policy(Usage::DECRYPT)),
    // values of keys
    row(CKA_VALUE, KEYS, Bytes, Brought, Object),
    row(CKA_VALUE_LEN, SECRET, Number, Made, Object),
    row(CKA_CHECK_VALUE, SECRET, Bytes, BroughtOrNone, Given),
    row(CKA_MODULUS_BITS, PUBLIC, Number, Made, Object),
    row(CKA_MODULUS, PAIR, Bytes, Brought, Object),
    row(CKA_PUBLIC_EXPONENT, PAIR, Bytes, Made, Object),
    row(CKA_PRIVATE_EXPONENT, PRIVATE, Bytes, Brought, Object),
    row(CKA_PRIME_1, PRIVATE, Bytes, Brought, Object),
    row(CKA_PRIME_2, PRIVATE, Bytes, Brought, Object),
    row(CKA_EXPONENT_1, PRIVATE, Bytes, Brought, Object),
    row(CKA_EXPONENT_2, PRIVATE, Bytes, Brought, Object),
    row(CKA_COEFFICIENT, PRIVATE, Bytes, Brought, Object),
    row(CKA_EC_PARAMS, PAIR, Bytes, Made, Object),
    row(CKA_EC_POINT, PAIR, Bytes, Brought, Object),
    row(CKA_PRIME, PAIR | DOMAIN, Bytes, Made, Object),
    row(CKA_SUBPRIME, PAIR | DOMAIN, Bytes, Made, Object),
    row(CKA_BASE, PAIR | DOMAIN, Bytes, Made, Object),
    row(CKA_PRIME_BITS, DOMAIN, Number, Made, Object),
    row(CKA_PARAMETER_SET, PAIR, Number, Made, Object),
    row(CKA_SEED, PRIVATE, Bytes, Brought, Object),
];

const fn row(kind: CK_ATTRIBUTE_TYPE, classes: u8, form: Form, change: Change, source: Source) -> Attribute {
    Attribute { kind, classes, form, change, source }
}

/// Every attribute of objects of a class.
pub(crate) fn all(class: CK_OBJECT_CLASS) -> impl Iterator<Item = &'static Attribute> {
    let bit = match class {
        CKO_PRIVATE_KEY => PRIVATE,
        CKO_PUBLIC_KEY => PUBLIC,
        CKO_SECRET_KEY => SECRET,
        CKO_CERTIFICATE => CERTIFICATE,
        CKO_DATA => DATA,
        CKO_PROFILE => PROFILE,
        CKO_DOMAIN_PARAMETERS => DOMAIN,
        _ => 0,
    };
    TABLE.iter().filter(move |attribute| attribute.classes & bit != 0)
}

/// The attribute of this kind that objects of a class have.
pub(crate) fn find(class: CK_OBJECT_CLASS, kind: CK_ATTRIBUTE_TYPE) -> Result<&'static Attribute> {
    all(class).find(|attribute| attribute.kind == kind).ok_or(Error::AttributeTypeInvalid)
}

/// How an object comes to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Made by the token.
    Generated,
    /// Brought by the caller.
    Brought,
}

/// Fails for a template that no object of this class can be made from (PKCS#11 v3.1 §4.1.1).
pub(crate) fn check(class: CK_OBJECT_CLASS, template: &Template, origin: Origin, officer: bool) -> Result<()> {
    for (kind, value) in template.iter() {
        let attribute = find(class, kind)?;
        attribute.check(value)?;
        match attribute.change {
            Never => return Err(Error::AttributeReadOnly),
            Officer if !officer && value == [CK_TRUE] => return Err(Error::AttributeReadOnly),
            Brought if origin == Origin::Generated => return Err(Error::TemplateInconsistent),
            BroughtOrNone if origin == Origin::Generated && !value.is_empty() => return Err(Error::TemplateInconsistent),
            _ if template.value(kind) != Some(value) => return Err(Error::TemplateInconsistent),
            _ => {}
        }
    }
    if kept(class, template).map(|(_, value)| value.len()).sum::<usize>() > MOST_KEPT {
        return Err(Error::AttributeValueInvalid);
    }
    let given = template.number(CKA_CLASS)?;
    if given.is_some_and(|given| given != class) { Err(Error::TemplateInconsistent) } else { Ok(()) }
}

/// What of a template the service is to keep.
pub(crate) fn kept(class: CK_OBJECT_CLASS, template: &Template) -> impl Iterator<Item = (CK_ATTRIBUTE_TYPE, &[u8])> {
    template.iter().filter(move |(kind, value)| {
        let source = find(class, *kind).map(|attribute| attribute.source);
        match source {
            Ok(Kept(default)) => default.value(class) != *value,
            Ok(Given) => true,
            // what no policy says: a key that is not sensitive, whose value does not leave all the same
            Ok(Forbidden(_)) => *value == flag(false) && template.value(CKA_EXTRACTABLE) != Some(&flag(true)),
            // nor a use that no mechanism has for such keys; nor which one of two uses a key shall not have that are one to a policy
            Ok(Policy(usage)) => {
                let twin = |other: &Attribute| {
                    other.kind != *kind && other.source == Policy(usage) && template.value(other.kind) == Some(&flag(true))
                };
                *value == flag(true) || matches!(*kind, CKA_SIGN_RECOVER | CKA_VERIFY_RECOVER) || all(class).any(twin)
            }
            _ => false,
        }
    })
}

/// Whether the service's index knows all objects (of this class, if one is named) for which an attribute has this value.
pub(crate) fn indexed(class: Option<CK_OBJECT_CLASS>, kind: CK_ATTRIBUTE_TYPE, value: &[u8]) -> bool {
    const CLASSES: [CK_OBJECT_CLASS; 5] = [CKO_PRIVATE_KEY, CKO_PUBLIC_KEY, CKO_SECRET_KEY, CKO_CERTIFICATE, CKO_DATA];
    const FIELDS: [CK_ATTRIBUTE_TYPE; 3] = [CKA_SUBJECT, CKA_ISSUER, CKA_SERIAL_NUMBER];
    let classes = CLASSES.into_iter().filter(|one| class.is_none_or(|class| class == *one));
    let mut having = classes.filter_map(|class| Some((class, find(class, kind).ok()?))).peekable();
    having.peek().is_some()
        && having.all(|(class, attribute)| match attribute.source {
            Kept(default) => default.value(class) != value,
            _ => class == CKO_CERTIFICATE && FIELDS.contains(&kind),
        })
}

impl Attribute {
    /// Fails for a value that does not look like one.
    pub(crate) fn check(&self, value: &[u8]) -> Result<()> {
        let fits = match self.form {
            Flag => matches!(value, [CK_FALSE | CK_TRUE]),
            Number => value.len() == size_of::<CK_ULONG>(),
            Numbers => value.len().is_multiple_of(size_of::<CK_ULONG>()),
            Date => value.is_empty() || value.len() == size_of::<CK_DATE>() && value.iter().all(u8::is_ascii_digit),
            Text => std::str::from_utf8(value).is_ok(),
            Bytes => true,
        };
        let named = ![CKA_LABEL, CKA_ID].contains(&self.kind) || value.len() <= LONGEST_NAME;
        if fits && named { Ok(()) } else { Err(Error::AttributeValueInvalid) }
    }

    /// Fails for a value that an existing object may not change to.
    pub(crate) fn check_change(&self, value: &[u8], officer: bool) -> Result<()> {
        self.check(value)?;
        let may = match self.change {
            Never | Made | Brought => false,
            BroughtOrNone => value.is_empty(),
            Free => true,
            Only(only) => value == flag(only),
            Officer => officer,
        };
        if may { Ok(()) } else { Err(Error::AttributeReadOnly) }
    }
}

impl Default {
    /// The value in the encoding of the standard.
    pub(crate) fn value(self, class: CK_OBJECT_CLASS) -> Vec<u8> {
        match self {
            Self::Flag(_) | Self::Class => self.flag(class).map_or_else(Vec::new, flag),
            Self::Number(value) => number(value),
            Self::Empty => vec![],
        }
    }

    /// The same of a flag.
    pub(crate) fn flag(self, class: CK_OBJECT_CLASS) -> Option<bool> {
        match self {
            Self::Flag(set) => Some(set),
            Self::Class => Some(private_by_default(class)),
            Self::Number(_) | Self::Empty => None,
        }
    }
}

/// CKA_PRIVATE of objects of this class, where no template says otherwise.
pub(crate) fn private_by_default(class: CK_OBJECT_CLASS) -> bool {
    matches!(class, CKO_PRIVATE_KEY | CKO_SECRET_KEY)
}

/// A CK_BBOOL as an attribute has it.
pub(crate) fn flag(value: bool) -> Vec<u8> {
    vec![if value { CK_TRUE } else { CK_FALSE }]
}

/// A CK_ULONG as an attribute has it.
pub(crate) fn number(value: CK_ULONG) -> Vec<u8> {
    value.to_ne_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attribute_of_a_class_stands_there_once() {
        for class in
            [CKO_PRIVATE_KEY, CKO_PUBLIC_KEY, CKO_SECRET_KEY, CKO_CERTIFICATE, CKO_DATA, CKO_PROFILE, CKO_DOMAIN_PARAMETERS]
        {
            for attribute in all(class) {
                assert_eq!(all(class).filter(|other| other.kind == attribute.kind).count(), 1, "{:#x}", attribute.kind);
            }
        }
    }

    #[test]
    fn templates_are_refused_as_the_standard_says() {
        let class = number(CKO_DATA);
        let check = |template: &[(CK_ATTRIBUTE_TYPE, &[u8])], origin| {
            let template = template.iter().fold(Template::default(), |all, (kind, value)| all.and(*kind, value));
            check(CKO_SECRET_KEY, &template, origin, false).map_err(|error| error.name())
        };
        for (template, wanted) in [
            (&[(CKA_LABEL, &b"web"[..]), (CKA_LABEL, b"web")][..], Ok(())),
            (&[(CKA_LABEL, b"web"), (CKA_LABEL, b"other")], Err("CKR_TEMPLATE_INCONSISTENT")),
            (&[(CKA_CLASS, &class)], Err("CKR_TEMPLATE_INCONSISTENT")),
            (&[(CKA_VALUE, b"0123456789abcdef")], Err("CKR_TEMPLATE_INCONSISTENT")),
            (&[(CKA_MODULUS, b"1")], Err("CKR_ATTRIBUTE_TYPE_INVALID")),
            (&[(0x8765_4321, b"1")], Err("CKR_ATTRIBUTE_TYPE_INVALID")),
            (&[(CKA_LOCAL, &[1])], Err("CKR_ATTRIBUTE_READ_ONLY")),
            (&[(CKA_TRUSTED, &[1])], Err("CKR_ATTRIBUTE_READ_ONLY")),
            (&[(CKA_TRUSTED, &[0])], Ok(())),
            (&[(CKA_ENCRYPT, &[2])], Err("CKR_ATTRIBUTE_VALUE_INVALID")),
            (&[(CKA_START_DATE, b"20261123")], Ok(())),
            (&[(CKA_START_DATE, b"2026-11-")], Err("CKR_ATTRIBUTE_VALUE_INVALID")),
            (&[(CKA_LABEL, &[0xff])], Err("CKR_ATTRIBUTE_VALUE_INVALID")),
            (&[(CKA_VALUE_LEN, &[1])], Err("CKR_ATTRIBUTE_VALUE_INVALID")),
        ] {
            assert_eq!(check(template, Origin::Generated), wanted, "{template:x?}");
        }
        assert_eq!(check(&[(CKA_VALUE, b"0123456789abcdef")], Origin::Brought), Ok(()));
    }

    #[test]
    fn only_what_differs_from_the_default_is_kept() {
        let template = Template::from([
            (CKA_PRIVATE, &[1][..]),
            (CKA_MODIFIABLE, &[0]),
            (CKA_LABEL, b"web"),
            (CKA_START_DATE, b""),
            (CKA_END_DATE, b"20301231"),
        ]);
        let kinds = |class| kept(class, &template).map(|(kind, _)| kind).collect::<Vec<_>>();
        assert_eq!(kinds(CKO_SECRET_KEY), [CKA_MODIFIABLE, CKA_END_DATE]);
        assert_eq!(kinds(CKO_PUBLIC_KEY), [CKA_PRIVATE, CKA_MODIFIABLE, CKA_END_DATE]);
    }
}
