//! When prepared containers are made and when they go.
//!
//! Each image and size that builds use has a shelf. A shelf that was used lately is kept full; one that was not is
//! cleared. Containers of image `host` are renewed: the machine's files change below them.

use std::time::Duration;

use kernel::Timestamp;

/// The most shelves at once; the one that was used longest ago goes first.
pub const MOST_SHELVES: usize = 4;
/// A shelf is filled so long after it was last used: the build that uses it has the machine first.
const SETTLE: Duration = Duration::from_millis(300);
/// A shelf that was not used for so long is cleared.
const UNUSED: Duration = Duration::from_secs(30 * 60);
/// A container of image `host` is given to no build after this age, and renewed a little before.
const STALE: Duration = Duration::from_secs(5 * 60);
const RENEW: Duration = Duration::from_secs(4 * 60 + 30);
/// After a container could not be prepared, its shelf is left alone for so long.
const BACK_OFF: Duration = Duration::from_secs(60);
/// How often memory is looked at while anything is prepared.
const LOOK: Duration = Duration::from_secs(5);

/// What is known of a shelf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shelf {
    /// Its image is `host`.
    pub host: bool,
    /// When a build last wanted one of it.
    pub used: Timestamp,
    /// When one could last not be prepared.
    pub failed: Option<Timestamp>,
    /// When each that stands there was made, oldest first.
    pub made: Vec<Timestamp>,
}

/// What is to be done next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// Remove the oldest of this shelf.
    Remove(usize),
    /// Forget this shelf, which is empty.
    Forget(usize),
    /// Prepare one for this shelf.
    Make(usize),
    /// Nothing until this time, or until a shelf is used.
    Rest(Option<Timestamp>),
}

/// Decides what comes next: what has to go goes first. `most` is how many stand on a shelf, `short` whether the machine is
/// short of memory: then all go and none is made.
#[must_use]
pub fn next(shelves: &[Shelf], most: usize, short: bool, now: Timestamp) -> Deed {
    let removable = |shelf: &Shelf| !shelf.made.is_empty() && (short || !is_kept(shelf, shelves, now));
    let renewable = |shelf: &Shelf| shelf.host && shelf.made.first().is_some_and(|made| now.since(*made) >= RENEW);
    if let Some(at) = shelves.iter().position(|shelf| removable(shelf) || renewable(shelf)) {
        return Deed::Remove(at);
    }
    if let Some(at) = shelves.iter().position(|shelf| shelf.made.is_empty() && !is_kept(shelf, shelves, now)) {
        return Deed::Forget(at);
    }
    let wanting = |shelf: &Shelf| !short && shelf.made.len() < most;
    match shelves.iter().position(|shelf| wanting(shelf) && fills_at(shelf) <= now) {
        Some(at) => Deed::Make(at),
        None => Deed::Rest(rest(shelves, most, now)),
    }
}

/// Whether one made at `made` may be given to a build.
#[must_use]
pub fn is_fresh(host: bool, made: Timestamp, now: Timestamp) -> bool {
    !host || now.since(made) < STALE
}

fn is_kept(shelf: &Shelf, shelves: &[Shelf], now: Timestamp) -> bool {
    let later = shelves.iter().filter(|other| other.used > shelf.used).count();
    later < MOST_SHELVES && now.since(shelf.used) < UNUSED
}

fn fills_at(shelf: &Shelf) -> Timestamp {
    let settled = shelf.used + SETTLE;
    shelf.failed.map_or(settled, |failed| settled.max(failed + BACK_OFF))
}

/// When to look again, if no build comes before.
fn rest(shelves: &[Shelf], most: usize, now: Timestamp) -> Option<Timestamp> {
    let times = shelves.iter().flat_map(|shelf| {
        let renewal = shelf.made.first().filter(|_| shelf.host).map(|made| *made + RENEW);
        let filling = (shelf.made.len() < most).then(|| fills_at(shelf)).filter(|at| *at > now);
        [Some(shelf.used + UNUSED), renewal, filling, Some(now + LOOK).filter(|_| most > 0)]
    });
    times.flatten().min()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    fn shelf(used: i64, made: &[i64]) -> Shelf {
        Shelf { host: false, used: at(used), failed: None, made: made.iter().copied().map(at).collect() }
    }

    #[test]
    fn a_shelf_is_filled_after_the_build_that_used_it() {
        let used = shelf(100, &[]);
        assert_eq!(next(std::slice::from_ref(&used), 2, false, at(100)), Deed::Rest(Some(at(100) + SETTLE)));
        assert_eq!(next(std::slice::from_ref(&used), 2, false, at(101)), Deed::Make(0));
        assert_eq!(next(&[shelf(100, &[101, 101])], 2, false, at(102)), Deed::Rest(Some(at(102) + LOOK)));
    }

    #[test]
    fn unused_ones_go() {
        let half_an_hour = 30 * 60;
        assert_eq!(next(&[shelf(0, &[1])], 2, false, at(half_an_hour)), Deed::Remove(0));
        assert_eq!(next(&[shelf(0, &[])], 2, false, at(half_an_hour)), Deed::Forget(0));
        assert_eq!(next(&[], 2, false, at(half_an_hour)), Deed::Rest(None));
    }

    #[test]
    fn the_shelf_used_longest_ago_makes_room() {
        let shelves: Vec<Shelf> = (0..5).map(|number| shelf(100 - number, &[90])).collect();
        assert_eq!(next(&shelves, 1, false, at(101)), Deed::Remove(4));
        assert!(matches!(next(&shelves[..4], 1, false, at(101)), Deed::Rest(_)));
    }

    #[test]
    fn a_machine_short_of_memory_prepares_nothing() {
        assert_eq!(next(&[shelf(0, &[1])], 2, true, at(2)), Deed::Remove(0));
        assert!(matches!(next(&[shelf(0, &[])], 2, true, at(2)), Deed::Rest(Some(_))));
    }

    #[test]
    fn those_of_the_machines_files_are_renewed_before_they_are_stale() {
        let host = Shelf { host: true, ..shelf(100, &[100, 200]) };
        assert_eq!(next(std::slice::from_ref(&host), 2, false, at(369)), Deed::Rest(Some(at(370))));
        assert_eq!(next(std::slice::from_ref(&host), 2, false, at(370)), Deed::Remove(0));
        assert!(is_fresh(true, at(0), at(299)) && !is_fresh(true, at(0), at(300)) && is_fresh(false, at(0), at(9_000)));
    }

    #[test]
    fn a_failure_is_not_repeated_at_once() {
        let failed = Shelf { failed: Some(at(101)), ..shelf(100, &[]) };
        assert!(matches!(next(std::slice::from_ref(&failed), 2, false, at(160)), Deed::Rest(Some(_))));
        assert_eq!(next(&[failed], 2, false, at(161)), Deed::Make(0));
    }

    proptest! {
        /// Done one after the other, the deeds come to rest with no shelf above what it may hold, and rest has an end.
        #[test]
        fn deeds_come_to_rest(
            shelves in prop::collection::vec((0i64..4_000, any::<bool>(), prop::collection::vec(0i64..4_000, 0..5)), 0..8),
            most in 0usize..4,
            short in any::<bool>(),
        ) {
            let now = at(4_000);
            let mut shelves: Vec<Shelf> = shelves
                .into_iter()
                .map(|(used, host, mut made)| { made.sort_unstable(); Shelf { host, ..shelf(used, &made) } })
                .collect();
            for _ in 0..200 {
                match next(&shelves, most, short, now) {
                    Deed::Remove(at) => drop(shelves[at].made.remove(0)),
                    Deed::Forget(at) => drop(shelves.remove(at)),
                    Deed::Make(at) => {
                        shelves[at].made.push(now);
                        prop_assert!(!short && shelves[at].made.len() <= most);
                    }
                    Deed::Rest(until) => {
                        prop_assert!(until.is_none_or(|until| until > now));
                        prop_assert_eq!(until.is_none(), shelves.is_empty());
                        prop_assert!(!short || shelves.iter().all(|shelf| shelf.made.is_empty()));
                        return Ok(());
                    }
                }
            }
            prop_assert!(false, "no rest: {:?}", shelves);
        }
    }
}
