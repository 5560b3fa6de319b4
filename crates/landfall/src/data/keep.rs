//! How long things are kept, as the command line and the configuration file write it.

use crate::span;
use kernel::Keep;
use std::time::Duration;

/// The longest time that can be given: a hundred years.
const LONGEST: Duration = Duration::from_secs(36_525 * 24 * 3_600);

/// Reads `forever`, or a span such as `365d`.
///
/// # Errors
/// A sentence that says what can be given.
pub(crate) fn keep(text: &str) -> Result<Keep, String> {
    if text == "forever" {
        return Ok(Keep::Forever);
    }
    span::read(text)
        .filter(|span| *span <= LONGEST)
        .map(Keep::For)
        .ok_or_else(|| "must be `forever` or a time like 365d, 12w or 36h, at most 36525d".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_number_and_a_unit() {
        let days = |days: u64| Ok(Keep::For(Duration::from_secs(days * 24 * 3_600)));
        for (text, expected) in [
            ("forever", Ok(Keep::Forever)),
            ("365d", days(365)),
            ("0d", days(0)),
            ("12w", days(84)),
            ("48h", days(2)),
            ("36525d", days(36_525)),
        ] {
            assert_eq!(keep(text), expected, "{text}");
        }
        for text in ["", "365", "-1d", "36526d", "Forever"] {
            let error = keep(text).err().unwrap_or_default();
            assert!(error.contains("forever") && error.contains("365d"), "{text}: {error}");
        }
    }
}
