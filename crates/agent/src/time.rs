//! Wall-clock times as logs write them, in UTC.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Milliseconds since the epoch, now.
#[must_use]
pub fn now_ms() -> u64 {
    u64::try_from(since_epoch().as_millis()).unwrap_or(u64::MAX)
}

/// Time since the epoch; zero where the clock stands before it.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the agent has no kernel; this is its clock")]
pub fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// `2026/11/22 21:05:00.000123`, as CodeBuild writes it.
#[must_use]
pub fn log_time(since_epoch: Duration) -> String {
    let (date, [hour, minute, second]) = calendar(since_epoch.as_secs());
    format!(
        "{:04}/{:02}/{:02} {hour:02}:{minute:02}:{second:02}.{:06}",
        date[0],
        date[1],
        date[2],
        since_epoch.subsec_micros()
    )
}

/// `[year, month, day]` and `[hour, minute, second]`.
fn calendar(seconds: u64) -> ([u64; 3], [u64; 3]) {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    (date(days), [rest / 3600, rest / 60 % 60, rest % 60])
}

/// Days since 1970-01-01 to a Gregorian date, by Howard Hinnant's `civil_from_days` (years start in March).
fn date(days: u64) -> [u64; 3] {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    [year_of_era + era * 400 + u64::from(month <= 2), month, day]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments() {
        let table = [
            (0, "1970/01/01 00:00:00.000000"),
            (951_782_399, "2000/02/28 23:59:59.000000"),
            (951_782_400, "2000/02/29 00:00:00.000000"),
            (1_795_381_501, "2026/11/22 21:05:01.000000"),
            (4_107_542_400, "2100/03/01 00:00:00.000000"),
        ];
        for (seconds, text) in table {
            assert_eq!(log_time(Duration::from_secs(seconds)), text);
        }
        assert!(log_time(Duration::from_micros(1_000_042)).ends_with("01.000042"));
    }
}
