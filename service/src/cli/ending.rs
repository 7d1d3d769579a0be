//! When a key ends, as people write it.

use interface::expiry::Day;
use std::time::{SystemTime, UNIX_EPOCH};

/// So many days before its end a key is called out.
pub(crate) const SOON: u64 = 30;

/// The last day of a key, if it has one.
#[derive(Clone, Copy)]
pub(crate) struct End(pub(crate) Option<Day>);

/// Reads when a key ends.
pub(crate) fn end(text: &str) -> Result<End, String> {
    if text == "never" {
        return Ok(End(None));
    }
    let days = text.strip_suffix('d').and_then(|days| days.parse().ok()).map(|days| today().later(days));
    let day = days.or_else(|| text.parse().ok());
    day.map(|day| End(Some(day))).ok_or_else(|| "write a day as 2027-01-31, or a number of days as 90d, or never".to_owned())
}

/// The day of UTC that it is.
pub(crate) fn today() -> Day {
    Day::of(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_a_day_or_days_or_never() {
        let read = |text| end(text).map(|End(last)| last);
        assert_eq!(read("never"), Ok(None));
        assert_eq!(read("2027-01-31"), Ok("2027-01-31".parse().ok()));
        let ninety = read("90d").unwrap().unwrap();
        assert!((90..=91).contains(&ninety.after(Day::of(0)).saturating_sub(today().after(Day::of(0)))));
        for wrong in ["", "d", "-1d", "90", "90 d", "31.1.2027", "2027-02-30"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
