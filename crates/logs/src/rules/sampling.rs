//! How many events a live tail gives: all, up to 500 in a second; of more it gives the first and says so.
//!
//! Source: StartLiveTail, Amazon CloudWatch Logs API Reference.

/// Most events in a second.
pub(crate) const MOST_A_SECOND: usize = 500;
const SECOND: i64 = 1_000;

/// What one session may still give in the present second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Allowance {
    /// When the second began, in milliseconds.
    began: i64,
    given: usize,
}

impl Allowance {
    pub(crate) fn new(now: i64) -> Self {
        Self { began: now, given: 0 }
    }

    /// How many may be given now. A second begins with the first call after the last one's end.
    pub(crate) fn left(&mut self, now: i64) -> usize {
        if now.saturating_sub(self.began) >= SECOND || now < self.began {
            *self = Self::new(now);
        }
        MOST_A_SECOND.saturating_sub(self.given)
    }

    /// When there is more, in milliseconds.
    pub(crate) fn renewed(&self) -> i64 {
        self.began + SECOND
    }

    /// Counts what was given.
    pub(crate) fn give(&mut self, events: usize) {
        self.given += events;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_second_has_room_for_so_many() {
        let mut allowance = Allowance::new(10);
        for (now, given, left, renewed) in [(10, 0, 500, 1_010), (900, 499, 500, 1_010), (1_009, 1, 1, 1_010)] {
            assert_eq!((allowance.left(now), allowance.renewed()), (left, renewed), "{now}");
            allowance.give(given);
        }
        assert_eq!(allowance.left(1_009), 0);
        assert_eq!(allowance.left(1_010), 500);
        assert_eq!(allowance.left(5), 500, "a clock that was set back locks nobody out");
    }

    proptest! {
        #[test]
        fn never_more_in_one_second(steps in proptest::collection::vec((0_i64..400, 0_usize..300), 0..60)) {
            let (mut allowance, mut now, mut given) = (Allowance::new(0), 0, Vec::new());
            for (pause, wanted) in steps {
                now += pause;
                let taken = wanted.min(allowance.left(now));
                allowance.give(taken);
                given.push((allowance.renewed(), taken));
            }
            for (second, _) in &given {
                let sum: usize = given.iter().filter(|(other, _)| other == second).map(|(_, taken)| taken).sum();
                prop_assert!(sum <= MOST_A_SECOND);
            }
        }
    }
}
