//! The timestamp form of Signature Version 4: `YYYYMMDDTHHMMSSZ`, always UTC, whole seconds.

use std::fmt;

/// A signing time, as seconds since the Unix epoch.
///
/// Prints as `20150830T123600Z`; [`AmzDate::day`] is the `20150830` of the credential scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AmzDate(i64);

/// Last second that the four-digit year can name: 9999-12-31T23:59:59Z.
const MAX: i64 = 253_402_300_799;

impl AmzDate {
    /// A time from seconds since the Unix epoch, clamped to the years 1970 to 9999 that the format can show.
    #[must_use]
    pub fn from_epoch_seconds(seconds: i64) -> Self {
        Self(seconds.clamp(0, MAX))
    }

    /// Seconds since the Unix epoch.
    #[must_use]
    pub fn epoch_seconds(self) -> i64 {
        self.0
    }

    /// Reads `YYYYMMDDTHHMMSSZ`; `None` for any other form or an impossible date.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::parse_unzoned(text.strip_suffix('Z')?)
    }

    /// Reads `YYYYMMDDTHHMMSS`, the form that CodeCommit signs.
    #[must_use]
    pub fn parse_unzoned(text: &str) -> Option<Self> {
        if text.len() != 15 || !text.is_ascii() {
            return None;
        }
        let (date, time) = text.split_once('T')?;
        if date.len() != 8 || !format!("{date}{time}").bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let number = |text: &str| text.parse::<i64>().ok();
        let (year, month, day) = (number(&date[..4])?, number(&date[4..6])?, number(&date[6..])?);
        let (hour, minute, second) = (number(&time[..2])?, number(&time[2..4])?, number(&time[4..])?);
        if hour > 23 || minute > 59 || second > 59 || year < 1970 {
            return None;
        }
        let days = days_from_civil(year, month, day);
        (civil_from_days(days) == (year, month, day))
            .then_some(Self(days * 86_400 + hour * 3_600 + minute * 60 + second))
    }

    /// The day in the form of a credential scope, `YYYYMMDD`.
    #[must_use]
    pub fn day(self) -> String {
        let (year, month, day) = civil_from_days(self.0.div_euclid(86_400));
        format!("{year:04}{month:02}{day:02}")
    }

    /// `YYYYMMDDTHHMMSS` without the zone letter, the form that CodeCommit signs.
    #[must_use]
    pub fn unzoned(self) -> String {
        let second = self.0.rem_euclid(86_400);
        format!("{}T{:02}{:02}{:02}", self.day(), second / 3_600, second / 60 % 60, second % 60)
    }
}

impl fmt::Display for AmzDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}Z", self.unzoned())
    }
}

/// Days since 1970-01-01 of a date of the proleptic Gregorian calendar (Howard Hinnant, "chrono-compatible low-level date
/// algorithms").
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The inverse of [`days_from_civil`]: (year, month, day).
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let (day, month) = (day_of_year - (153 * shifted + 2) / 5 + 1, (shifted + 2) % 12 + 1);
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_and_prints_the_example_of_the_vectors() {
        let date = AmzDate::parse("20150830T123600Z").unwrap();
        assert_eq!(date.epoch_seconds(), 1_440_938_160);
        assert_eq!(date.to_string(), "20150830T123600Z");
        assert_eq!(date.day(), "20150830");
        assert_eq!(AmzDate::parse("20240229T235959Z").unwrap().epoch_seconds(), 1_709_251_199);
    }

    #[test]
    fn refuses_what_is_no_date() {
        for text in [
            "",
            "20150830T123600",
            "20150230T000000Z",
            "20230229T000000Z",
            "20151301T000000Z",
            "20150800T000000Z",
            "20150830T240000Z",
            "2015-08-30T12:36:00Z",
            "+0150830T123600Z",
            "2015083éT12360Z",
            "19691231T235959Z",
        ] {
            assert_eq!(AmzDate::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_second_prints_to_what_it_was_read_from(second in 0..=MAX) {
            let date = AmzDate::from_epoch_seconds(second);
            prop_assert_eq!(AmzDate::parse(&date.to_string()), Some(date));
        }

        #[test]
        fn parsing_never_panics(text in "\\PC{0,20}") {
            let _ = AmzDate::parse(&text);
        }
    }
}
