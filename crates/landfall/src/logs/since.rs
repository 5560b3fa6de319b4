//! `--since`: a span before now, or a time.

use crate::span;
use kernel::Timestamp;
use std::time::Duration;

/// From when on a group is shown, unless the user says else.
pub(super) const USUAL: Duration = Duration::from_secs(600);

/// Reads `90s`, `10m`, `2h`, `1d`, `1w` or an ISO 8601 time.
///
/// # Errors
/// A sentence with both forms.
pub(super) fn parse(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    if let Some(span) = span::read(text) {
        return Ok(now - span);
    }
    let time: Result<jiff::Timestamp, _> = text.parse();
    time.map(|time| Timestamp::from_millis(time.as_millisecond())).map_err(|_| {
        format!("--since {text}: must be a span like 90s, 10m, 2h or 1d, or a time like 2026-11-22T21:05:00Z")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_times_are_read() {
        let now = Timestamp::from_seconds(1_000_000);
        for (text, seconds) in [
            ("90s", 999_910),
            ("10m", 999_400),
            ("2h", 992_800),
            ("1d", 913_600),
            ("0m", 1_000_000),
            ("1970-01-01T00:01:00Z", 60),
            ("1970-01-01T01:01:00+01:00", 60),
        ] {
            assert_eq!(parse(text, now), Ok(Timestamp::from_seconds(seconds)), "{text}");
        }
        for text in ["", "m", "10", "-1m", "1.5h", "yesterday", "1970-01-01", "10µ"] {
            assert!(parse(text, now).is_err_and(|sentence| sentence.contains("10m")), "{text}");
        }
    }
}
