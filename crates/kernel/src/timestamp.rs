//! A point in time and the forms in which AWS writes it.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

use jiff::fmt::{rfc2822, strtime};
use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Milliseconds since 1970-01-01T00:00:00Z. On the JSON wire it is AWS's floating number of seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

/// A text that is no time in the expected form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not a time in the form {form}")]
pub struct TimestampError {
    text: String,
    form: &'static str,
}

/// The last instant that four-digit years can write; later ones are held here.
const LATEST: i64 = 253_402_207_200_000;

/// The first instant that they can write, the year 1's; earlier ones are held here.
const EARLIEST: i64 = -62_135_596_800_000;

impl Timestamp {
    /// The time `millis` milliseconds after the epoch.
    #[must_use]
    pub fn from_millis(millis: i64) -> Self {
        Self(millis.clamp(EARLIEST, LATEST))
    }

    /// The time `seconds` whole seconds after the epoch.
    #[must_use]
    pub fn from_seconds(seconds: i64) -> Self {
        Self::from_millis(seconds.saturating_mul(1_000))
    }

    /// The time a floating number of seconds after the epoch, to the millisecond.
    #[must_use]
    pub fn from_epoch_seconds(seconds: f64) -> Self {
        // `as` saturates, and NaN becomes 0.
        Self::from_millis((seconds * 1_000.0).round() as i64)
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub fn millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    #[must_use]
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// Seconds since the epoch as AWS's JSON protocols write them.
    #[must_use]
    pub fn epoch_seconds(self) -> f64 {
        self.0 as f64 / 1_000.0
    }

    /// How long this is after `earlier`; zero if it is not.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// `2026-11-22T21:05:03Z`, with milliseconds where there are any: `2026-11-22T21:05:03.250Z`.
    #[must_use]
    pub fn iso8601(self) -> String {
        let instant = jiff::Timestamp::from_millisecond(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        if self.0.rem_euclid(1_000) == 0 { instant.to_string() } else { format!("{instant:.3}") }
    }

    /// `Sun, 22 Nov 2026 21:05:03 GMT`: HTTP dates and AWS's `rfc822` form.
    #[must_use]
    pub fn rfc822(self) -> String {
        self.utc("%a, %d %b %Y %H:%M:%S GMT")
    }

    /// `20261122T210503Z`: the form of `X-Amz-Date`.
    #[must_use]
    pub fn basic(self) -> String {
        self.utc("%Y%m%dT%H%M%SZ")
    }

    /// `20261122`: the date in a credential scope.
    #[must_use]
    pub fn basic_date(self) -> String {
        self.utc("%Y%m%d")
    }

    fn utc(self, form: &str) -> String {
        let instant = jiff::Timestamp::from_millisecond(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        strtime::format(form, &instant.to_zoned(TimeZone::UTC)).unwrap_or_default()
    }

    /// Reads ISO 8601 (RFC 3339) with any offset and fraction.
    pub fn parse_iso8601(text: &str) -> Result<Self, TimestampError> {
        let instant: Result<jiff::Timestamp, _> = text.parse();
        Self::read(instant, text, "2026-11-22T21:05:03Z")
    }

    /// Reads an HTTP or e-mail date.
    pub fn parse_rfc822(text: &str) -> Result<Self, TimestampError> {
        let instant = rfc2822::DateTimeParser::new().parse_timestamp(text);
        Self::read(instant, text, "Sun, 22 Nov 2026 21:05:03 GMT")
    }

    /// Reads `20261122T210503Z`.
    pub fn parse_basic(text: &str) -> Result<Self, TimestampError> {
        let instant =
            strtime::parse("%Y%m%dT%H%M%SZ", text).and_then(|parts| parts.to_datetime()?.to_zoned(TimeZone::UTC));
        Self::read(instant.map(|zoned| zoned.timestamp()), text, "20261122T210503Z")
    }

    /// Reads seconds since the epoch, with or without a fraction.
    pub fn parse_epoch(text: &str) -> Result<Self, TimestampError> {
        match text.parse::<f64>() {
            Ok(seconds) if seconds.is_finite() => Ok(Self::from_epoch_seconds(seconds)),
            _ => Err(TimestampError { text: text.to_owned(), form: "1795381503.25" }),
        }
    }

    fn read(
        instant: Result<jiff::Timestamp, jiff::Error>,
        text: &str,
        form: &'static str,
    ) -> Result<Self, TimestampError> {
        let short = || text.chars().take(64).collect();
        instant
            .map(|instant| Self::from_millis(instant.as_millisecond()))
            .map_err(|_| TimestampError { text: short(), form })
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.iso8601())
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;
    fn add(self, by: Duration) -> Self {
        Self::from_millis(self.0.saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;
    fn sub(self, by: Duration) -> Self {
        Self::from_millis(self.0.saturating_sub(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.epoch_seconds())
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        f64::deserialize(deserializer).map(Self::from_epoch_seconds)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_form_is_written_and_read() {
        let table = [
            // millis, iso8601, rfc822, basic
            (0, "1970-01-01T00:00:00Z", "Thu, 01 Jan 1970 00:00:00 GMT", "19700101T000000Z"),
            (1_517_591_592_000, "2018-02-02T17:13:12Z", "Fri, 02 Feb 2018 17:13:12 GMT", "20180202T171312Z"),
            (1_709_164_800_250, "2024-02-29T00:00:00.250Z", "Thu, 29 Feb 2024 00:00:00 GMT", "20240229T000000Z"),
        ];
        for (millis, iso8601, rfc822, basic) in table {
            let time = Timestamp::from_millis(millis);
            assert_eq!(
                (time.iso8601().as_str(), time.rfc822().as_str(), time.basic().as_str()),
                (iso8601, rfc822, basic)
            );
            assert_eq!(Timestamp::parse_iso8601(iso8601).unwrap(), time);
            assert_eq!(Timestamp::parse_rfc822(rfc822).unwrap().seconds(), time.seconds());
            assert_eq!(Timestamp::parse_basic(basic).unwrap().seconds(), time.seconds());
            assert_eq!(Timestamp::parse_epoch(&time.epoch_seconds().to_string()).unwrap(), time);
        }
    }

    #[test]
    fn offsets_and_whole_numbers_are_read() {
        assert_eq!(Timestamp::parse_iso8601("2018-02-02T09:13:12-08:00").unwrap().millis(), 1_517_591_592_000);
        assert_eq!(serde_json::from_str::<Timestamp>("1517591592").unwrap().seconds(), 1_517_591_592);
        assert_eq!(serde_json::to_string(&Timestamp::from_millis(1_500)).unwrap(), "1.5");
    }

    #[test]
    fn what_is_no_time_is_refused_with_the_right_form() {
        for text in ["", "yesterday", "2018-02-30T00:00:00Z", "20180202T171312"] {
            assert!(Timestamp::parse_iso8601(text).is_err() && Timestamp::parse_basic(text).is_err(), "{text}");
        }
        let error = Timestamp::parse_basic("now").unwrap_err().to_string();
        assert_eq!(error, "'now' is not a time in the form 20261122T210503Z");
        assert!(Timestamp::parse_epoch("NaN").is_err());
    }

    #[test]
    fn what_lies_before_all_years_is_held_at_the_first() {
        let first = Timestamp::parse_epoch("-1e300").unwrap();
        assert_eq!(first, Timestamp::parse_iso8601("-000100-01-01T00:00:00Z").unwrap());
        assert_eq!(first.iso8601(), "0001-01-01T00:00:00Z");
        assert_eq!(Timestamp::parse_rfc822(&first.rfc822()), Ok(first));
        assert_eq!(Timestamp::parse_basic(&first.basic()), Ok(first));
    }

    proptest! {
        #[test]
        fn milliseconds_survive_json_and_iso8601(millis in 0..LATEST) {
            let time = Timestamp::from_millis(millis);
            prop_assert_eq!(serde_json::from_str::<Timestamp>(&serde_json::to_string(&time).unwrap()).unwrap(), time);
            prop_assert_eq!(Timestamp::parse_iso8601(&time.iso8601()).unwrap(), time);
        }
    }
}
