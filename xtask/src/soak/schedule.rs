//! What a seed decides: the strokes of the killer and the wishes of each user, in their order.
//!
//! Each has a generator of its own, so that neither takes numbers from another. What a stroke hits and whether a wish can
//! be granted depends on what there is at that moment, which is the machine's business and not the seed's.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

/// Whom a stroke is meant for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Victim {
    /// The server: SIGKILL.
    Server,
    /// The server: SIGTERM, as an operator restarts it.
    ServerAsked,
    /// The server: SIGSTOP, and SIGCONT after a while.
    ServerPaused,
    /// A host's agent: SIGKILL.
    Host,
    /// A container's shim: SIGKILL.
    Shim,
    /// A container's first process, its agent: SIGKILL.
    Container,
}

impl Victim {
    /// What the report calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Server => "server killed",
            Self::ServerAsked => "server ended by SIGTERM",
            Self::ServerPaused => "server stopped for a while",
            Self::Host => "host's agent killed",
            Self::Shim => "shim killed",
            Self::Container => "container's agent killed",
        }
    }
}

/// One stroke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stroke {
    /// How long after the one before: 50 to 500 ms.
    pub(super) after: Duration,
    pub(super) victim: Victim,
    /// Which of those that there are: a number to be divided by their count.
    pub(super) pick: usize,
    /// How long a stopped server stays so.
    pub(super) pause: Duration,
    /// How many containers the server prepares after this, and whether they have a way out.
    pub(super) pool: u8,
    pub(super) way_out: bool,
}

/// The killer's strokes.
pub(super) struct Strokes(StdRng);

impl Strokes {
    pub(super) fn new(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }
}

impl Iterator for Strokes {
    type Item = Stroke;

    fn next(&mut self) -> Option<Stroke> {
        let victim = match self.0.random_range(0..100) {
            0..55 => Victim::Server,
            55..60 => Victim::ServerAsked,
            60..64 => Victim::ServerPaused,
            64..84 => Victim::Host,
            84..92 => Victim::Shim,
            _ => Victim::Container,
        };
        Some(Stroke {
            after: Duration::from_millis(self.0.random_range(50..=500)),
            victim,
            pick: self.0.random_range(0..1_000_000),
            pause: Duration::from_millis(self.0.random_range(100..1_500)),
            pool: self.0.random_range(0..4_u8).saturating_sub(2),
            way_out: self.0.random_range(0..4) == 0,
        })
    }
}

/// What a user would like to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wish {
    Push,
    Start,
    Stop { abandon: bool },
    Answer { approve: bool },
    Retry { all: bool },
    RollBack,
    Close,
    Open,
}

/// A wish, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Intent {
    pub(super) after: Duration,
    pub(super) wish: Wish,
    /// Which of those that there are.
    pub(super) pick: usize,
}

/// One user's wishes.
pub(super) struct Wishes(StdRng);

impl Wishes {
    /// Those of the user of the pipeline of this number.
    pub(super) fn new(seed: u64, user: usize) -> Self {
        Self(StdRng::seed_from_u64(seed ^ (user as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15)))
    }
}

impl Iterator for Wishes {
    type Item = Intent;

    fn next(&mut self) -> Option<Intent> {
        let wish = match self.0.random_range(0..100) {
            0..24 => Wish::Push,
            24..34 => Wish::Start,
            34..38 => Wish::Stop { abandon: false },
            38..41 => Wish::Stop { abandon: true },
            41..65 => Wish::Answer { approve: true },
            65..70 => Wish::Answer { approve: false },
            70..75 => Wish::Retry { all: false },
            75..79 => Wish::Retry { all: true },
            79..85 => Wish::RollBack,
            85..89 => Wish::Close,
            _ => Wish::Open,
        };
        let after = Duration::from_millis(self.0.random_range(50..1_200));
        Some(Intent { after, wish, pick: self.0.random_range(0..1_000_000) })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_same_seed_is_the_same_schedule_and_another_is_another() {
        let strokes = |seed| Strokes::new(seed).take(200).collect::<Vec<_>>();
        assert_eq!(strokes(7), strokes(7));
        assert_ne!(strokes(7), strokes(8));
        let wishes = |seed, user| Wishes::new(seed, user).take(200).collect::<Vec<_>>();
        assert_eq!(wishes(7, 3), wishes(7, 3));
        assert_ne!(wishes(7, 3), wishes(7, 4));
        assert_ne!(wishes(7, 3), wishes(8, 3));
    }

    #[test]
    fn everybody_is_struck_and_everything_is_wished_for() {
        let victims: BTreeSet<_> = Strokes::new(1).take(500).map(|stroke| stroke.victim).collect();
        assert_eq!(victims.len(), 6);
        let wishes: BTreeSet<_> = Wishes::new(1, 0).take(500).map(|intent| intent.wish).collect();
        assert_eq!(wishes.len(), 11);
        let within = 50..=500;
        assert!(Strokes::new(1).take(500).all(|stroke| within.contains(&stroke.after.as_millis())));
    }
}
