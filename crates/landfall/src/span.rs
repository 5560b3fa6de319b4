//! Spans of time, as people write and read them.

use std::time::Duration;

/// The units that can be written, in seconds.
const UNITS: [(char, u64); 5] = [('s', 1), ('m', 60), ('h', 3_600), ('d', 86_400), ('w', 604_800)];

/// Reads `90s`, `10m`, `36h`, `365d` or `12w`: digits and a unit.
pub(crate) fn read(text: &str) -> Option<Duration> {
    let (digits, seconds) = UNITS.iter().find_map(|(unit, seconds)| Some((text.strip_suffix(*unit)?, seconds)))?;
    let count: u64 = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())??;
    count.checked_mul(*seconds).map(Duration::from_secs)
}

/// As people say it: `4.2 s`, `1 min 05 s`, `3 h 20 min`, `2 d 3 h`.
pub(crate) fn said(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{:.1} s", time.as_secs_f64()),
        60..3_600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {:02} min", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_and_a_unit_are_a_span() {
        for (text, seconds) in
            [("0m", 0), ("90s", 90), ("10m", 600), ("36h", 129_600), ("1d", 86_400), ("2w", 1_209_600)]
        {
            assert_eq!(read(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "d", "365", "-1d", "+1d", "1.5d", "1y", "1D", "1 d", "1é", "99999999999999999999d"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn spans_are_said_as_people_say_them() {
        for (millis, text) in [
            (0, "0.0 s"),
            (4_240, "4.2 s"),
            (65_000, "1 min 05 s"),
            (12_000_000, "3 h 20 min"),
            (183_600_000, "2 d 3 h"),
        ] {
            assert_eq!(said(Duration::from_millis(millis)), text);
        }
    }
}
