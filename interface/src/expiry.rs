//! Until when a key is meant to be used. PKCS#11 has an attribute for that, `CKA_END_DATE`, which programs set and read too. Whether the
//! service holds the key to it is an attribute of ours.

use crate::message::Pkcs11Attribute;
use crate::vendor::ENFORCE_END_DATE;
use der::DateTime;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// PKCS#11 `CKA_END_DATE`: eight digits, or nothing.
pub const END_DATE: u64 = 0x111;
/// Seconds of a day.
const DAY: u64 = 86_400;
/// The last day that has a date of four digits for its year: 9999-12-31.
const LAST: u64 = 2_932_896;

/// A day of UTC, counted from 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(u64);

impl Day {
    /// The day of a Unix time in seconds.
    pub fn of(seconds: u64) -> Self {
        Self((seconds / DAY).min(LAST))
    }

    /// So many days later.
    pub fn later(self, days: u64) -> Self {
        Self(self.0.saturating_add(days).min(LAST))
    }

    /// How many days it is after another one; 0 if it is not.
    pub fn after(self, other: Self) -> u64 {
        self.0.saturating_sub(other.0)
    }

    /// As PKCS#11 has a date.
    fn digits(self) -> Vec<u8> {
        self.to_string().replace('-', "").into_bytes()
    }

    fn of_date(year: &str, month: &str, day: &str) -> Option<Self> {
        let digits = |text: &str, count| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
        let sound = digits(year, 4) && digits(month, 2) && digits(day, 2);
        let (year, month, day) = (year.parse().ok()?, month.parse().ok()?, day.parse().ok()?);
        let date = DateTime::new(year, month, day, 0, 0, 0).ok().filter(|_| sound)?;
        Some(Self::of(date.unix_duration().as_secs()))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let date = DateTime::from_unix_duration(Duration::from_secs(self.0 * DAY)).map_err(|_| fmt::Error)?;
        write!(f, "{:04}-{:02}-{:02}", date.year(), date.month(), date.day())
    }
}

impl FromStr for Day {
    type Err = ();

    /// Reads `2027-01-31`.
    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.splitn(3, '-');
        let mut part = || parts.next().ok_or(());
        Self::of_date(part()?, part()?, part()?).ok_or(())
    }
}

/// The end of a key's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// The last day on which the key is meant to be used.
    pub last: Day,
    /// The service lets it make nothing new after that day.
    pub enforced: bool,
}

impl Expiry {
    /// What is kept with a key; `None` for a key without an end, and for a date that is none.
    pub fn of(kept: &[Pkcs11Attribute]) -> Option<Self> {
        let date = kept.iter().find(|kept| kept.kind == END_DATE)?;
        let date = std::str::from_utf8(&date.value).ok().filter(|date| date.len() == 8 && date.is_ascii())?;
        let last = Day::of_date(&date[..4], &date[4..6], &date[6..])?;
        let enforced = kept.iter().any(|kept| kept.kind == ENFORCE_END_DATE && kept.value == [1]);
        Some(Self { last, enforced })
    }

    /// What the service is to keep with a key that has this end, or none.
    pub fn kept(end: Option<Self>) -> [Pkcs11Attribute; 2] {
        let date = end.map(|end| end.last.digits()).unwrap_or_default();
        let enforced = if end.is_some_and(|end| end.enforced) { vec![1] } else { Vec::new() };
        [Pkcs11Attribute { kind: END_DATE, value: date }, Pkcs11Attribute { kind: ENFORCE_END_DATE, value: enforced }]
    }

    /// Whether its last day is over.
    pub fn passed(self, today: Day) -> bool {
        today > self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_as_they_are_written() {
        for text in ["1970-01-01", "2024-02-29", "2027-01-31", "9999-12-31"] {
            assert_eq!(text.parse::<Day>().map(|day| day.to_string()).as_deref(), Ok(text));
        }
        for wrong in ["", "2027", "2027-1-1", "2027-02-29", "2027-13-01", "1969-12-31", "20270101", "2027-01-01-", "+027-01-01"] {
            assert_eq!(wrong.parse::<Day>(), Err(()), "{wrong}");
        }
        assert_eq!(Day::of(u64::MAX), Day::of(0).later(u64::MAX));
        assert_eq!(Day::of(86_400).after(Day::of(0)), 1);
    }

    #[test]
    fn an_end_is_kept_as_programs_of_pkcs11_have_it() {
        let last: Day = "2027-01-31".parse().unwrap();
        for enforced in [false, true] {
            let end = Some(Expiry { last, enforced });
            let kept = Expiry::kept(end);
            assert_eq!((kept[0].value.as_slice(), Expiry::of(&kept)), (&b"20270131"[..], end));
        }
        assert_eq!(Expiry::of(&Expiry::kept(None)), None);
        for odd in [&b"2027013"[..], b"2027-01-", b"20271301", "2027\u{e9}13".as_bytes(), b"        "] {
            assert_eq!(Expiry::of(&[Pkcs11Attribute { kind: END_DATE, value: odd.into() }]), None, "{odd:?}");
        }
        let end = Expiry { last, enforced: false };
        assert!(!end.passed(last) && end.passed(last.later(1)));
    }
}
