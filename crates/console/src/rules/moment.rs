//! Times as people read them. The page's script says the same words again as time goes on (`assets/console.js`).

use std::time::Duration;

use kernel::Timestamp;

/// A point in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Moment {
    /// For the script.
    pub iso: String,
    /// In full.
    pub full: String,
    /// Seen from now.
    pub ago: String,
}

impl Moment {
    /// `then` seen from `now`.
    pub(crate) fn new(now: Timestamp, then: Timestamp) -> Self {
        Self { iso: then.iso8601(), full: full(then), ago: ago(now.since(then)) }
    }
}

/// How long something took, or takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Elapsed {
    /// Its start, while it goes on: the script counts from there.
    pub since: Option<String>,
    /// So far.
    pub text: String,
}

impl Elapsed {
    /// From `start` to `end`, or to now.
    pub(crate) fn new(now: Timestamp, start: Timestamp, end: Option<Timestamp>) -> Self {
        Self { since: end.is_none().then(|| start.iso8601()), text: span(end.unwrap_or(now).since(start)) }
    }
}

/// `2026-11-22 21:05:03 UTC`.
fn full(time: Timestamp) -> String {
    let iso = time.iso8601();
    format!("{} {} UTC", iso.get(..10).unwrap_or_default(), iso.get(11..19).unwrap_or_default())
}

/// `21:05:03`.
pub(crate) fn clock(time: Timestamp) -> String {
    time.iso8601().get(11..19).unwrap_or_default().to_owned()
}

fn ago(passed: Duration) -> String {
    match passed.as_secs() {
        0..5 => "just now".to_owned(),
        seconds @ 5..60 => format!("{seconds} s ago"),
        seconds @ 60..3_600 => format!("{} min ago", seconds / 60),
        seconds @ 3_600..172_800 => format!("{} h ago", seconds / 3_600),
        seconds => format!("{} days ago", seconds / 86_400),
    }
}

/// `4 s`, `2 min 5 s`, `1 h 4 min`.
pub(crate) fn span(length: Duration) -> String {
    match length.as_secs() {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds @ 60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        seconds => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_seen_from_now() {
        for (seconds, text) in [
            (0, "just now"),
            (5, "5 s ago"),
            (59, "59 s ago"),
            (60, "1 min ago"),
            (3_599, "59 min ago"),
            (3_600, "1 h ago"),
            (172_799, "47 h ago"),
            (172_800, "2 days ago"),
        ] {
            assert_eq!(ago(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn lengths() {
        for (seconds, text) in [(0, "0 s"), (59, "59 s"), (125, "2 min 5 s"), (3_840, "1 h 4 min")] {
            assert_eq!(span(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn what_goes_on_says_since_when() {
        let (start, now) = (Timestamp::from_millis(1_709_164_800_250), Timestamp::from_millis(1_709_164_803_250));
        let moment = Moment::new(now, start);
        assert_eq!((moment.full.as_str(), moment.ago.as_str()), ("2024-02-29 00:00:00 UTC", "just now"));
        assert_eq!(clock(now), "00:00:03");
        let running = Elapsed::new(now, start, None);
        assert_eq!((running.since.as_deref(), running.text.as_str()), (Some("2024-02-29T00:00:00.250Z"), "3 s"));
        assert_eq!(Elapsed::new(now, start, Some(start)), Elapsed { since: None, text: "0 s".to_owned() });
    }
}
