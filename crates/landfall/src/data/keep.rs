//! How long things are kept, as the command line and the configuration file write it.

use kernel::Keep;
use std::time::Duration;

const DAY: u64 = 24 * 3_600;

/// The longest time that can be given, in days: a hundred years.
const LONGEST: u64 = 36_525;

/// Reads `forever`, or a number of days such as `365d`; weeks and hours are taken too.
///
/// # Errors
/// A sentence that says what can be given.
pub(crate) fn keep(text: &str) -> Result<Keep, String> {
    if text == "forever" {
        return Ok(Keep::Forever);
    }
    let wrong = || format!("must be `forever` or a time like 365d, 12w or 36h, at most {LONGEST}d");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds = match unit {
        'h' => 3_600,
        'd' => DAY,
        'w' => 7 * DAY,
        _ => return Err(wrong()),
    };
    let number = text.strip_suffix(unit).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    let number: u64 = number.and_then(|digits| digits.parse().ok()).ok_or_else(wrong)?;
    let length = number.checked_mul(seconds).filter(|length| *length <= LONGEST * DAY).ok_or_else(wrong)?;
    Ok(Keep::For(Duration::from_secs(length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_number_and_a_unit() {
        let days = |days| Ok(Keep::For(Duration::from_secs(days * DAY)));
        for (text, expected) in [
            ("forever", Ok(Keep::Forever)),
            ("365d", days(365)),
            ("0d", days(0)),
            ("12w", days(84)),
            ("48h", days(2)),
            ("36525d", days(LONGEST)),
        ] {
            assert_eq!(keep(text), expected, "{text}");
        }
        for text in ["", "d", "365", "-1d", "1.5d", "+1d", "1y", "36526d", "99999999999999999999d", "Forever", "1é"] {
            let error = keep(text).err().unwrap_or_default();
            assert!(error.contains("forever") && error.contains("365d"), "{text}: {error}");
        }
    }
}
