//! What a measurement says: one row of the table.

use std::fmt;
use std::time::Duration;

/// The table's head.
pub(crate) const HEAD: &str = "| what | Landfall | beside it | ratio | budget | met |\n|---|---|---|---|---|---|";

/// One row.
pub(crate) struct Figure {
    /// What was measured, with how many tries.
    pub(crate) what: String,
    /// Landfall's figure with its unit.
    pub(crate) landfall: String,
    /// The peer's or the machine's, with its name.
    pub(crate) beside: String,
    /// Landfall's figure in parts of the other.
    pub(crate) ratio: f64,
    /// The design's budget, if it has one for this.
    pub(crate) budget: Option<Budget>,
}

/// What a figure must hold.
pub(crate) struct Budget {
    /// As the design says it.
    pub(crate) text: &'static str,
    /// Whether it does.
    pub(crate) met: bool,
}

impl Budget {
    pub(crate) fn new(text: &'static str, met: bool) -> Option<Self> {
        Some(Self { text, met })
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, landfall, beside, ratio, budget } = self;
        let (text, met) = match budget {
            Some(Budget { text, met: true }) => (*text, "yes"),
            Some(Budget { text, met: false }) => (*text, "**no**"),
            None => ("", ""),
        };
        write!(f, "| {what} | {landfall} | {beside} | {} | {text} | {met} |", share(*ratio))
    }
}

/// A ratio with three digits that count: `0.0123`, `1.50`, `22`.
fn share(ratio: f64) -> String {
    match ratio {
        ratio if ratio >= 10.0 => format!("{ratio:.0}"),
        ratio if ratio >= 1.0 => format!("{ratio:.2}"),
        ratio => format!("{ratio:.3}"),
    }
}

/// Milliseconds, for people.
pub(crate) fn millis(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

/// Microseconds, for people.
pub(crate) fn micros(time: Duration) -> String {
    format!("{:.0} µs", time.as_secs_f64() * 1e6)
}

/// The one in the middle; zero of none.
pub(crate) fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// The time that so many of a hundred do not exceed; zero of none.
pub(crate) fn percentile(mut times: Vec<Duration>, percent: usize) -> Duration {
    times.sort_unstable();
    let rank = (times.len() * percent).div_ceil(100);
    times.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_shows_the_ratio_and_whether_the_budget_is_met() {
        let figure = |ratio, met| Figure {
            what: "x".to_owned(),
            landfall: "1 ms".to_owned(),
            beside: "2 ms".to_owned(),
            ratio,
            budget: Budget::new("≤ 3 ms", met),
        };
        assert_eq!(figure(0.5, true).to_string(), "| x | 1 ms | 2 ms | 0.500 | ≤ 3 ms | yes |");
        assert_eq!(figure(12.3, false).to_string(), "| x | 1 ms | 2 ms | 12 | ≤ 3 ms | **no** |");
    }

    #[test]
    fn the_median_is_a_measured_time() {
        let times = [3, 1, 2].map(Duration::from_millis).to_vec();
        assert_eq!(median(times), Duration::from_millis(2));
        assert_eq!(median(Vec::new()), Duration::ZERO);
    }

    #[test]
    fn a_percentile_is_the_nearest_rank() {
        let times: Vec<Duration> = (1..=200).map(Duration::from_millis).collect();
        assert_eq!(percentile(times.clone(), 99), Duration::from_millis(198));
        assert_eq!(percentile(times, 100), Duration::from_millis(200));
        assert_eq!(percentile(vec![Duration::from_millis(7)], 99), Duration::from_millis(7));
        assert_eq!(percentile(Vec::new(), 99), Duration::ZERO);
    }
}
