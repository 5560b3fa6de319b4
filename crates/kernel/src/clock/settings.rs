//! What is known of a clock that somebody sets: pure reckoning, from readings beside a clock that goes on evenly.

use std::time::Duration;

use crate::Timestamp;

/// A clock that is off by more than this between two readings was set. Less is the work of a time server.
const SET: i64 = 5_000;
/// So many settings are remembered; a clock that is set more often is beyond help.
const MOST: usize = 64;

/// The readings of a clock, as far as they matter.
#[derive(Debug)]
pub(super) struct Settings {
    /// The last reading, beside the even clock's.
    last: Option<(Timestamp, Duration)>,
    /// What the clock showed, and what it was set to.
    all: Vec<(Timestamp, Timestamp)>,
    /// How many of them led back.
    pub(super) set_back: u64,
}

impl Settings {
    /// Of a clock that was not read yet.
    pub(super) const NONE: Self = Self { last: None, all: Vec::new(), set_back: 0 };

    /// Notes that the clock shows `now` when the even one shows `even`.
    pub(super) fn read(&mut self, now: Timestamp, even: Duration) {
        let Some((last, before)) = self.last.replace((now, even)) else { return };
        let expected = last + even.saturating_sub(before);
        let off = now.millis() - expected.millis();
        if off.abs() < SET {
            return;
        }
        tracing::warn!(before = %expected, after = %now, "the machine's clock was set; time limits go on as they were");
        self.set_back += u64::from(off < 0);
        if self.all.len() < MOST {
            self.all.push((expected, now));
        }
    }

    /// The reading `read` as the clock would show it had it always been set as it is `now`.
    ///
    /// What lies between the time that a clock was set back to and the time now may be of either reckoning. It counts as new:
    /// a limit is too long then, never too short.
    pub(super) fn carried(&self, read: Timestamp, now: Timestamp) -> Timestamp {
        self.all.iter().fold(read, |read, (before, after)| {
            let old = if after > before { read <= *before } else { read <= *after || read > now };
            if old { Timestamp::from_millis(read.millis() + (after.millis() - before.millis())) } else { read }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(1_000_000 + seconds)
    }

    /// A clock that shows 0 at first, and 60 s later what `set` says.
    fn set_to(set: i64) -> Settings {
        let mut settings = Settings::NONE;
        settings.read(at(0), Duration::from_secs(500));
        settings.read(at(set), Duration::from_secs(560));
        settings
    }

    #[test]
    fn small_corrections_are_no_settings() {
        for shown in [56, 60, 64] {
            assert!(set_to(shown).all.is_empty(), "{shown}");
        }
        assert_eq!((set_to(66).set_back, set_to(54).set_back), (0, 1));
    }

    #[test]
    fn what_was_read_before_moves_with_the_clock() {
        let day = 86_400;
        // Set to, read, now, carried.
        let table = [
            (60, 10, 70, 10),
            (60 + day, 10, 70 + day, 10 + day),
            (60 + day, 61 + day, 70 + day, 61 + day),
            (60 - day, 10, 70 - day, 10 - day),
            (60 - day, 10 - 2 * day, 70 - day, 10 - 3 * day),
            // Of either reckoning.
            (60 - day, 10, 20, 10),
        ];
        for (set, read, now, carried) in table {
            assert_eq!(set_to(set).carried(at(read), at(now)), at(carried), "{set} {read} {now}");
        }
    }

    #[test]
    fn a_clock_that_is_set_for_and_back_is_as_before() {
        let mut settings = set_to(3_660);
        settings.read(at(70), Duration::from_secs(570));
        assert_eq!(settings.carried(at(10), at(80)), at(10));
        assert_eq!((settings.all.len(), settings.set_back), (2, 1));
    }
}
