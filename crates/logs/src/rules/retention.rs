//! How long events may be kept.
//!
//! Source: PutRetentionPolicy, Amazon CloudWatch Logs API Reference.

/// The days that may be chosen.
pub(crate) const DAYS: [i32; 22] =
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

/// Whether so many days may be chosen.
pub(crate) fn allowed(days: i32) -> bool {
    DAYS.binary_search(&days).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_these_days() {
        assert!(DAYS.into_iter().all(allowed));
        for days in [i32::MIN, -1, 0, 2, 4, 364, 3654, i32::MAX] {
            assert!(!allowed(days), "{days}");
        }
    }
}
